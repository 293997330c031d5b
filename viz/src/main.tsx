/**
 * The page begins here.
 */

import { render } from "preact";
import "./app/theme.css";
import "./app/app.css";
import { App } from "./app/app.tsx";
import { listenForKeys } from "./app/keys.ts";
import { engine } from "./state/store.ts";
import { followInAddress, openAddress } from "./state/address-bar.ts";

render(<App />, document.getElementById("app") as HTMLElement);
listenForKeys();
void openAddress().finally(followInAddress);
requestIdleCallback(() => engine.prepare());
