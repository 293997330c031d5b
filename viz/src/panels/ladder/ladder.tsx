/**
 * Sequence diagram of all hosts. Rows are fetched and drawn only where they can be seen; the display filter chooses them.
 */

import { useSignal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { formatDuration } from "../../state/format.ts";
import { isPlaying, pause } from "../../state/playback.ts";
import { t } from "../../state/preferences.ts";
import { useQuery } from "../../state/query.ts";
import { current, filter, filterCheck, goTo, moment, selection } from "../../state/store.ts";
import { clampZoom, type LadderLayout, layOutLadder, orderHosts, pauseBefore, SCROLL_PIXELS_MAX, TIME_WIDTH } from "./ladder-layout.ts";
import { LadderRowView } from "./ladder-row.tsx";
import "./ladder.css";

const SPARE_ROWS = 10;
const ZOOM_STEP = 1.25;
const HEADER_PIXELS = 30;
/** Below the last row, for the buttons. */
const FOOT_PIXELS = 40;

export function Panel() {
  const s = t.value.ladder;
  const scroller = useRef<HTMLDivElement>(null);
  const top = useSignal(0);
  const size = useSignal({ width: 700, height: 300 });
  const zoom = useSignal(1);
  const totalGuess = useSignal(0);
  const session = current.value;
  const id = moment.value?.position.id ?? 0;
  const shownFilter = filterCheck.value?.problem === undefined ? filter.value : "";
  const hosts = session === undefined ? [] : orderHosts(session.info.header.hosts.map(({ name }) => name), session.info.roles);
  const layout = layOutLadder(hosts, size.value.width, zoom.value);
  const { rowPixels } = layout;
  const step = totalGuess.value * rowPixels > SCROLL_PIXELS_MAX ? SCROLL_PIXELS_MAX / totalGuess.value : rowPixels;
  const first = Math.max(0, Math.floor(top.value / step) - SPARE_ROWS);
  const offset = first - (first % SPARE_ROWS);
  const length = Math.ceil(size.value.height / rowPixels) + 3 * SPARE_ROWS;
  const answer = useQuery("ladder", session === undefined ? undefined : { filter: shownFilter, offset, length });
  const place = useQuery("ladderIndex", session === undefined ? undefined : { filter: shownFilter, id });
  const total = answer.value?.total ?? 0;
  const index = place.value ?? -1;
  const sheet = Math.max(total * step + FOOT_PIXELS, size.value.height - HEADER_PIXELS);
  useEffect(() => {
    totalGuess.value = total;
  }, [total, totalGuess]);
  const showPosition = (isForced: boolean) => {
    const element = scroller.current;
    if (element === null || index < 0) return;
    const y = index * step;
    const height = size.peek().height - HEADER_PIXELS;
    if (isForced || y < top.peek() || y > top.peek() + height - 2 * rowPixels) element.scrollTop = Math.max(0, y - height / 2);
  };
  // biome-ignore lint/correctness/useExhaustiveDependencies: the position moves the view, the view not the position
  useEffect(() => showPosition(false), [index, step, total > 0]);
  useSize(scroller, size);
  const go = (wanted: number) => {
    pause();
    void goTo(wanted);
  };
  const move = (event: KeyboardEvent) => {
    const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    const rows = answer.value;
    if (by === 0 || rows === undefined) {
      if (event.key === "+" || event.key === "-") zoom.value = clampZoom(zoom.value * (event.key === "+" ? ZOOM_STEP : 1 / ZOOM_STEP));
      return;
    }
    event.preventDefault();
    const next = rows.rows[index + by - rows.offset];
    if (next !== undefined) go(next.id);
    else showPosition(true);
  };
  if (session === undefined) return null;
  const { originNs } = session.info;
  const rows = answer.value?.rows ?? [];
  const currentRow = rows[index - (answer.value?.offset ?? 0)];
  return (
    <div class="ladder">
      <div class="tools">
        {shownFilter.trim() === "" ? null : <span class="mono muted filter-text">{s.filtered(shownFilter)}</span>}
        <button type="button" onClick={() => showPosition(true)}>
          {s.position}
        </button>
        <button type="button" class="icon" aria-label={s.zoomIn} title={s.zoomIn} onClick={() => (zoom.value = clampZoom(zoom.value * ZOOM_STEP))}>
          +
        </button>
        <button type="button" class="icon" aria-label={s.zoomOut} title={s.zoomOut} onClick={() => (zoom.value = clampZoom(zoom.value / ZOOM_STEP))}>
          −
        </button>
        <button type="button" class="icon" aria-label={s.zoomReset} title={s.zoomReset} disabled={zoom.value === 1} onClick={() => (zoom.value = 1)}>
          ⤢
        </button>
      </div>
      <div
        ref={scroller}
        class="scroller"
        onScroll={(event) => (top.value = event.currentTarget.scrollTop)}
        onWheel={(event) => {
          if (!event.ctrlKey) return;
          event.preventDefault();
          zoom.value = clampZoom(zoom.value * (event.deltaY < 0 ? ZOOM_STEP : 1 / ZOOM_STEP));
        }}
      >
        <Hosts hosts={hosts} layout={layout} recordHost={moment.value?.record?.host ?? ""} />
        {answer.value !== undefined && total === 0 ? <p class="note">{s.empty}</p> : null}
        <div class="rows" role="listbox" aria-label={s.label} aria-activedescendant={currentRow === undefined ? undefined : `ladder-${currentRow.id}`} tabIndex={0} onKeyDown={move}>
        <svg width={layout.width} height={sheet} role="presentation" class={isPlaying.value ? "playing" : ""}>
          <g class="lifelines">
            {hosts.map((host) => (
              <path key={host} class={selection.value.node === host ? "chosen" : ""} d={`M${layout.x(host)},0V${sheet}`} />
            ))}
          </g>
          {rows.map((row, at) => {
            const number = (answer.value?.offset ?? 0) + at;
            const isCurrent = number === index;
            const pauseNs = at === 0 ? 0 : pauseBefore(row, rows[at - 1]);
            return <LadderRowView key={row.id} row={row} y={rowY(number, first, step, rowPixels)} layout={layout} originNs={originNs} pauseNs={pauseNs} isCurrent={isCurrent} index={number} total={total} onGo={go} />;
          })}
          {rows.map((row, at) => {
            const pauseNs = at === 0 ? 0 : pauseBefore(row, rows[at - 1]);
            if (pauseNs === 0 || !layout.hasText) return null;
            return (
              <text key={row.id} class="later" x={TIME_WIDTH + 4} y={rowY((answer.value?.offset ?? 0) + at, first, step, rowPixels) + 4} aria-hidden="true">
                {s.later(formatDuration(pauseNs))}
              </text>
            );
          })}
        </svg>
        </div>
      </div>
    </div>
  );
}

/** Rows follow each other closely in view, even when a scroll step is less than a row. */
function rowY(number: number, first: number, step: number, rowPixels: number): number {
  return first * step + (number - first) * rowPixels;
}

function Hosts({ hosts, layout, recordHost }: { readonly hosts: readonly string[]; readonly layout: LadderLayout; readonly recordHost: string }) {
  const roles = current.value?.info.roles ?? {};
  const words = t.value.topology.roles;
  return (
    <div class="hosts" style={{ width: `${layout.width}px` }} role="presentation">
      {hosts.map((host) => (
        <button
          key={host}
          type="button"
          class={host === recordHost ? "host on" : "host"}
          aria-pressed={selection.value.node === host}
          style={{ left: `${layout.x(host) - layout.columnWidth / 2 + 2}px`, width: `${layout.columnWidth - 4}px` }}
          onClick={() => (selection.value = { node: selection.value.node === host ? "" : host })}
        >
          <strong>{host}</strong> <span class="muted">{words[roles[host] ?? "host"]}</span>
        </button>
      ))}
    </div>
  );
}

function useSize(scroller: { readonly current: HTMLDivElement | null }, size: { value: { readonly width: number; readonly height: number } }): void {
  useEffect(() => {
    const element = scroller.current;
    if (element === null) return;
    const observer = new ResizeObserver(([entry]) => {
      if (entry !== undefined) size.value = { width: Math.floor(entry.contentRect.width), height: entry.contentRect.height };
    });
    observer.observe(element);
    return () => observer.disconnect();
  }, [scroller, size]);
}
