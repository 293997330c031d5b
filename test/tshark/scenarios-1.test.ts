/**
 * tshark and tcpdump on the exports of every second scenario: two files, so that two processes share the work. `npm run test:tshark`.
 */

import { rmSync } from "node:fs";
import { afterAll, test } from "vitest";
import { SCENARIO_FILES } from "../helpers/traced-run.ts";
import { checkExports, folderHere } from "./exports.ts";

const FOLDER = folderHere("exports-");

afterAll(() => {
  rmSync(FOLDER, { recursive: true });
});

test.each(SCENARIO_FILES.filter((_, i) => i % 2 === 0))("%s", (file) => {
  checkExports(file, FOLDER);
});
