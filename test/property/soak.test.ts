/**
 * Random faults on a pair of directors with four servers: no connection is lost that the kernel would have kept, one master outside a partition,
 * every server's place in the tables as the checks must find it, every page that arrives one server's and whole, and once the faults are over
 * everybody is served again.
 *
 * LVSIM_SOAK=10000 npx vitest run test/property/soak.test.ts runs that many seeds, from LVSIM_SEED (1) on. What fails is shrunk and written to
 * test/soak, where it is run first from then on.
 */

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { byKeepalived, keepalivedOptions } from "../helpers/director-pairs.ts";
import { BY_HAND, renderSoak, soakOptions } from "../helpers/random-faults.ts";
import { runSoak, type SoakVerdict } from "../helpers/soak-checks.ts";

// A file that is not there is an error inside the simulator, and its stack is of no use.
Error.stackTraceLimit = 0;

const KEPT = join(import.meta.dirname, "../soak");
const SEEDS = process.env["LVSIM_SOAK"];
const FIRST_SEED = Number(process.env["LVSIM_SEED"] ?? 1);
/** A shrunk failure is looked for in at most so many runs. */
const SHRINKS_MAX = 300;

const pairs = [
  { name: "by hand", seeds: 4, drawn: soakOptions(false).map((options) => renderSoak(options, BY_HAND)) },
  { name: "under keepalived", seeds: Number(SEEDS ?? 20), drawn: fc.tuple(soakOptions(true), keepalivedOptions).map(([options, pair]) => renderSoak(options, byKeepalived(pair))) },
];

/** Shrinks what a seed draws, and keeps it. */
function keep(drawn: fc.Arbitrary<string>, seed: number): string {
  let runs = 0;
  const fails = (text: string): boolean => ++runs <= SHRINKS_MAX && runSoak(text).wrong.length > 0;
  const { counterexample } = fc.check(
    fc.property(drawn, (text) => !fails(text)),
    { seed, numRuns: 1 },
  );
  const text = counterexample?.[0] ?? "";
  const { wrong } = runSoak(text);
  const file = join(KEPT, `seed-${seed}.yaml`);
  writeFileSync(file, `${wrong.map((line) => `# ${line}\n`).join("")}${text}`);
  return `seed ${seed}, kept as ${file}:\n${wrong.join("\n")}`;
}

const kept = readdirSync(KEPT).filter((name) => name.endsWith(".yaml"));

describe("what failed once", () => {
  test.each(kept)("%s", (name) => {
    expect(runSoak(readFileSync(join(KEPT, name), "utf8")).wrong).toEqual([]);
  });
});

describe.each(pairs)("$seeds seeds of directors $name", ({ name, seeds, drawn }) => {
  test("keep what the kernel keeps", { timeout: 36_000_000 }, () => {
    const sum: Record<string, number> = {};
    const failures: string[] = [];
    for (let seed = FIRST_SEED; seed < FIRST_SEED + seeds; seed++) {
      const [text = ""] = fc.sample(drawn, { seed, numRuns: 1 });
      const verdict: SoakVerdict = runSoak(text);
      for (const key of ["read", "lost", "pairs", "servers", "duties", "takenOver"] as const) sum[key] = (sum[key] ?? 0) + verdict[key];
      if (verdict.wrong.length > 0) failures.push(keep(drawn, seed));
      if (SEEDS !== undefined && seed % 100 === 0) console.log(`${seed} seeds, ${failures.length} failures, ${JSON.stringify(sum)}`);
    }
    expect(failures.join("\n\n")).toBe("");
    // The faults do something, and do not prevent everything.
    expect(sum["lost"]).toBeGreaterThan(0);
    expect(sum["read"]).toBeGreaterThan(sum["lost"] as number);
    if (name === "under keepalived") for (const key of ["pairs", "servers", "duties", "takenOver"]) expect(sum[key], key).toBeGreaterThan(0);
  });
});
