/**
 * Every benchmark runs at its smallest size and prints one line of JSON with figures in it. No figure is judged.
 */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { BENCHES } from "../../../bench/benches.ts";

const ROOT = join(import.meta.dirname, "../../..");

function bench(...words: readonly string[]) {
  return spawnSync(process.execPath, [join(ROOT, "bench/run.mjs"), ...words], { cwd: ROOT, encoding: "utf8", timeout: 110_000 });
}

/** Numbers anywhere in a result. */
function numbersIn(value: unknown): number[] {
  if (typeof value === "number") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(numbersIn) : [];
}

test("every benchmark runs and prints one line of JSON", { timeout: 120_000 }, () => {
  const { status, stdout, stderr } = bench("--tiny", "--json", "--no-peers");
  expect(stderr).not.toMatch(/Error/);
  expect(status).toBe(0);
  const results = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { readonly bench: string });
  expect(results.map((result) => result.bench)).toEqual(BENCHES.map(({ name }) => name));
  for (const result of results) {
    const numbers = numbersIn(result);
    expect(numbers.length).toBeGreaterThan(2);
    expect(numbers.every(Number.isFinite)).toBe(true);
  }
});

test("a benchmark that does not exist is refused with the names of those that do", () => {
  const { status, stdout, stderr } = bench("lan-sctp", "--json");
  expect(status).toBe(2);
  expect(stdout).toBe("");
  expect(stderr).toMatch(/no benchmark lan-sctp[\s\S]*lan-tcp/);
});
