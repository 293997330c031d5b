/**
 * The page begins here, with little: what a link opens needs the worker first, which starts while the page itself is still fetched.
 */

import "./app/theme.css";
import "./app/app.css";
import { isLink } from "./state/address.ts";
import { engine } from "./state/engine.ts";

if (isLink(location.hash)) engine.prepare();
void import("./page.tsx").then(({ start }) => start());
