/**
 * The page begins here.
 */

import { render } from "preact";
import "./app/theme.css";
import "./app/app.css";
import { App } from "./app/app.tsx";
import { openServedFile } from "./app/open-file.ts";
import { listenForKeys } from "./app/keys.ts";
import { prepareChosenPanels } from "./app/panel-area.tsx";
import { followInAddress, openAddress } from "./state/address-bar.ts";
import { engine } from "./state/store.ts";

const PREPARE_AFTER_MS = 300;

// A link needs the simulator at once, the gallery only when something is opened.
if (/[#&](?:s|file)=/.test(location.hash)) {
  engine.prepare();
  prepareChosenPanels();
} else setTimeout(() => engine.prepare(), PREPARE_AFTER_MS);
render(<App />, document.getElementById("app") as HTMLElement);
listenForKeys();
void openServedFile()
  .then((isOpened) => isOpened || openAddress())
  .finally(followInAddress);
