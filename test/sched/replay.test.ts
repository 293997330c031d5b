/**
 * Replays every recorded scheduler script: each line must be what the kernel's run printed.
 *
 * The scripts of this folder come from `generate.mjs` (and a few by hand), the `.picks` from Linux 6.1.176.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { runSchedScript } from "../../src/sched/sched-script.ts";
import { schedulerNames } from "../../src/ipvs/schedulers/index.ts";

const HERE = dirname(fileURLToPath(import.meta.url));
/** Debian's kernels are built without it. */
const NOT_RECORDED = ["twos"];

function scriptsOf(folder: string): string[] {
  return readdirSync(folder).filter((name) => name.endsWith(".sched")).sort();
}

describe("recorded scripts", () => {
  test.each(scriptsOf(HERE))("%s", (name) => {
    const result = runSchedScript(readFileSync(join(HERE, name), "utf8"));
    expect(result.problems).toEqual([]);
    const picks = readFileSync(join(HERE, name.replace(/sched$/, "picks")), "utf8");
    expect(picks.length).toBeGreaterThan(0);
    expect(result.lines.join("\n")).toBe(picks.trimEnd());
  });
});

test("there are scripts of every scheduler and flag, with refusals, persistence and firewall marks", () => {
  const names = scriptsOf(HERE);
  const lines = names.flatMap((name) => readFileSync(join(HERE, name), "utf8").split("\n"));
  const seen = new Set(lines.filter((line) => line.startsWith("service ")).flatMap((line) => line.split(" ")));
  const wanted = [...schedulerNames().filter((name) => !NOT_RECORDED.includes(name)), "fwmark", "persist=300"];
  const flags = ["sh-port", "sh-fallback", "mh-port", "mh-fallback", "flag-1", "flag-2"];
  expect([...wanted, ...flags].filter((word) => !seen.has(word))).toEqual([]);
  expect(names.length).toBeGreaterThanOrEqual(50);
});
