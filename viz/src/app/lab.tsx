/**
 * The laboratory: the picture, the details beside it, commands and files below it, time at the bottom.
 *
 *   ┌ stage ──────────────┬ side ──────┐
 *   ├ dock ───────────────┤            │
 *   ├ filter, playback, timeline ──────┤
 */

import { signal } from "@preact/signals";
import { FilterBar } from "../panels/filter/filter-bar.tsx";
import { Playback } from "../panels/playback/playback-bar.tsx";
import { Timeline } from "../panels/timeline/timeline.tsx";
import { dockHeight, sideWidth, t } from "../state/preferences.ts";
import { PanelArea } from "./panel-area.tsx";
import { PANELS } from "../panels/registry.ts";
import { Splitter } from "./splitter.tsx";

export const isDockOpen = signal(true);

const SIDE_MIN = 260;
const SIDE_MAX = 900;
const DOCK_MIN = 90;
const DOCK_MAX = 700;

export function Lab() {
  const s = t.value.app;
  const hasSide = PANELS.some(({ area }) => area === "side");
  const style = { "--side": hasSide ? `${sideWidth.value}px` : "0px", "--dock": isDockOpen.value ? `${dockHeight.value}px` : "34px" };
  return (
    <main class="lab" style={style}>
      <PanelArea area="stage" label={s.areaStage} />
      {hasSide ? (
        <>
          <Splitter class="split-side" label={s.sideSize} direction="vertical" value={sideWidth} min={SIDE_MIN} max={SIDE_MAX} />
          <PanelArea area="side" label={s.areaSide} />
        </>
      ) : null}
      <Splitter class="split-dock" label={s.dockSize} direction="horizontal" value={dockHeight} min={DOCK_MIN} max={DOCK_MAX} />
      <PanelArea area="dock" label={s.areaDock} isOpen={isDockOpen} />
      <section class="time">
        <div class="time-row">
          <Playback />
          <FilterBar />
        </div>
        <Timeline />
      </section>
    </main>
  );
}
