/**
 * A trace, its exports and its reader need no memory that grows with it: a million records through all of them, in a process with 192 MiB of heap.
 */

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { ROOT } from "../helpers/traced-run.ts";

const RECORDS = 1_000_000;
/** Old space. Windows of frames and packets, bounded in their number, take up to 150 MiB when all sinks run at once. */
const HEAP_MEBIBYTES = 192;
const USED_MEBIBYTES_MAX = 220;

test("a million records", { timeout: 300_000 }, () => {
  const said = execFileSync(process.execPath, [`--max-old-space-size=${HEAP_MEBIBYTES}`, "--import", "tsx", join(ROOT, "test/helpers/record-stream.ts"), String(RECORDS)], {
    cwd: ROOT,
    encoding: "utf8",
  });
  const { records, readBack, written, mostMebibytes, lateCount } = JSON.parse(said);
  expect(records).toBeGreaterThanOrEqual(RECORDS);
  expect(readBack).toBe(records);
  // The files together are many times what was in use.
  expect(written / 1_048_576).toBeGreaterThan(3 * mostMebibytes);
  expect(mostMebibytes).toBeLessThan(USED_MEBIBYTES_MAX);
  expect(lateCount).toBe(0);
});
