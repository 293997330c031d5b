/**
 * The doctor over the whole library: it finds the planted fault in the failures and says nothing of what works.
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseScenario } from "../../src/scenario/scenario-file.ts";
import { diagnose } from "../../src/why/doctor.ts";
import { recordRun } from "../../src/why/record-run.ts";

const FOLDER = join(import.meta.dirname, "../../scenarios");
/** Part of the failures in which the first finding that the lesson names must be found. */
const FOUND_MIN = 0.95;

const scenarios = readdirSync(FOLDER, { recursive: true, encoding: "utf8" })
  .filter((path) => path.endsWith(".yaml"))
  .sort()
  .map((path) => parseScenario(readFileSync(join(FOLDER, path), "utf8"), path));

const wanted = (one: (typeof scenarios)[number]) => one.lesson?.findings ?? [];
const failures = scenarios.filter((one) => wanted(one).length > 0);
const working = scenarios.filter((one) => one.lesson !== undefined && wanted(one).length === 0);

test("the library has failures and set-ups that work", () => {
  expect(failures.length).toBeGreaterThan(80);
  expect(working.length).toBeGreaterThan(20);
});

describe("nothing is found in what works", () => {
  test.each(working.map((scenario) => [scenario.file, scenario] as const))("%s", (_file, scenario) => {
    expect(diagnose(recordRun(scenario)).map(({ id, host, title }) => `${id} on ${host}: ${title}`)).toEqual([]);
  }, 60_000);
});

test("the planted fault is found", () => {
  const missed: string[] = [];
  for (const scenario of failures) {
    const findings = diagnose(recordRun(scenario));
    const [first] = wanted(scenario);
    if (!findings.some(({ id }) => id === first)) missed.push(`${scenario.file}: ${first}, but found ${findings.map(({ id }) => id).join(", ") || "nothing"}`);
    const last = findings.flatMap(({ events }) => events);
    expect(last.every((id) => Number.isSafeInteger(id) && id > 0), scenario.file).toBe(true);
  }
  expect(1 - missed.length / failures.length, missed.join("\n")).toBeGreaterThanOrEqual(FOUND_MIN);
}, 300_000);
