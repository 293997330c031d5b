/**
 * The page: drawn, listening, following its address.
 */

import { render } from "preact";
import { App } from "./app/app.tsx";
import { listenForKeys } from "./app/keys.ts";
import { openServedFile } from "./app/open-file.ts";
import { prepareChosenPanels } from "./app/panel-area.tsx";
import { isLink } from "./state/address.ts";
import { followInAddress, openAddress } from "./state/address-bar.ts";
import { engine } from "./state/engine.ts";
import { isArriving } from "./state/store.ts";

const PREPARE_AFTER_MS = 300;

/** Draws the page and opens what its address holds. */
export function start(): void {
  // The gallery needs the worker only when something is opened.
  if (isLink(location.hash)) {
    isArriving.value = true;
    prepareChosenPanels();
  } else setTimeout(() => engine.prepare(), PREPARE_AFTER_MS);
  render(<App />, document.getElementById("app") as HTMLElement);
  listenForKeys();
  void openServedFile()
    .then((isOpened) => isOpened || openAddress())
    .finally(() => {
      isArriving.value = false;
      followInAddress();
    });
}
