/**
 * The page's frame: header, messages, the gallery or the laboratory.
 */

import { useSignalEffect } from "@preact/signals";
import { Gallery } from "../panels/gallery/gallery.tsx";
import { t } from "../state/preferences.ts";
import { current, isArriving, opening, view } from "../state/store.ts";
import { DropZone } from "./drop-zone.tsx";
import { Header } from "./header.tsx";
import { HelpDialog } from "./help-dialog.tsx";
import { Lab } from "./lab.tsx";
import { prepareChosenPanels } from "./panel-area.tsx";
import { FailureBanner, OpeningBanner } from "./messages.tsx";

export function App() {
  useSignalEffect(() => {
    document.title = view.value === "lab" && current.value !== undefined ? `${current.value.info.header.title} · lvsim` : `lvsim · ${t.value.app.subtitle}`;
  });
  useSignalEffect(() => {
    if (opening.value !== undefined) prepareChosenPanels();
  });
  const showsLab = view.value === "lab" && current.value !== undefined;
  return (
    <DropZone>
      <Header />
      <FailureBanner />
      {opening.value === undefined ? null : <OpeningBanner state={opening.value} />}
      {showsLab ? <Lab /> : isArriving.value ? null : <Gallery />}
      <HelpDialog />
    </DropZone>
  );
}
