/**
 * Scripts drawn from seeds for every scheduler and flag: each pick must be the kernel's. What it answered is in `drawn/`, a line a script;
 * the scripts themselves are made anew from their names.
 */
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { drawnPath } from "../../kernel/sched.ts";
import { DRAWN_SCHEDULERS, drawScripts, pickCount, shortPicks } from "../../kernel/sched-draw.ts";
import { schedulerNames } from "../../src/ipvs/schedulers/index.ts";
import { runSchedScript } from "../../src/sched/sched-script.ts";

/** Debian's kernels are built without it. */
const NOT_RECORDED = ["twos"];
const PICKS_MIN = 3000;

/** Name of a script -> hash of its text and what the kernel answered. */
function recorded(scheduler: string): Map<string, { readonly hash: string; readonly picks: string }> {
  const path = drawnPath(scheduler);
  const lines = existsSync(path) ? readFileSync(path, "utf8").trimEnd().split("\n") : [];
  return new Map(
    lines.map((line) => {
      const [name = "", hash = ""] = line.split(" ", 2);
      return [name, { hash, picks: line.slice(name.length + hash.length + 2) }];
    }),
  );
}

test("every scheduler that the kernel has is drawn", () => {
  expect([...DRAWN_SCHEDULERS, ...NOT_RECORDED].sort()).toEqual([...schedulerNames()].sort());
});

describe.each(DRAWN_SCHEDULERS)("%s", (scheduler) => {
  const kernel = recorded(scheduler);
  const scripts = drawScripts(scheduler);

  test(`at least ${PICKS_MIN} picks of the scripts of today`, () => {
    expect(scripts.map(({ name, hash }) => `${name} ${hash}`)).toEqual([...kernel].map(([name, { hash }]) => `${name} ${hash}`));
    expect([...kernel.values()].reduce((sum, { picks }) => sum + pickCount(picks), 0)).toBeGreaterThan(PICKS_MIN);
  });

  test.each(scripts)("$name", ({ name, text }) => {
    const { lines, problems } = runSchedScript(text);
    expect(problems).toEqual([]);
    expect(shortPicks(lines)).toBe(kernel.get(name)?.picks);
  });
});
