/**
 * The page's one way to the worker.
 */

import { Engine } from "../engine/client.ts";

export const engine = new Engine();
