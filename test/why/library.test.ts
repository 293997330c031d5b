/**
 * The doctor over the whole library: it finds the planted fault in the failures and says nothing of what works.
 */

import { describe, expect, test } from "vitest";
import { loadScenario } from "../../kernel/places.ts";
import { currentIndex, indexText, libraryPaths } from "../../scripts/scenario-index.ts";
import type { Scenario } from "../../src/scenario/scenario-file.ts";
import { diagnose } from "../../src/why/doctor.ts";
import type { Finding } from "../../src/why/finding.ts";
import { recordRun } from "../../src/why/record-run.ts";

/** Part of the failures in which the first finding that the lesson names must be found. */
const FOUND_MIN = 0.95;

const library = libraryPaths().map((path) => ({ path, scenario: loadScenario(path) }));
const scenarios = library.map(({ scenario }) => scenario);
const diagnosed = new Map<Scenario, Finding[]>();

/** Each scenario is run once for all tests. */
function findingsOf(scenario: Scenario): Finding[] {
  const findings = diagnosed.get(scenario) ?? diagnose(recordRun(scenario));
  diagnosed.set(scenario, findings);
  return findings;
}

const wanted = (one: (typeof scenarios)[number]) => one.lesson?.findings ?? [];
const failures = scenarios.filter((one) => wanted(one).length > 0);
const working = scenarios.filter((one) => one.lesson !== undefined && wanted(one).length === 0);

test("the library has failures and set-ups that work", () => {
  expect(failures.length).toBeGreaterThan(80);
  expect(working.length).toBeGreaterThan(20);
});

describe("nothing is found in what works", () => {
  test.each(library.filter(({ scenario }) => working.includes(scenario)).map(({ path, scenario }) => [path, scenario] as const))("%s", (_file, scenario) => {
    expect(findingsOf(scenario).map(({ id, host, title }) => `${id} on ${host}: ${title}`)).toEqual([]);
  }, 60_000);
});

test("the planted fault is found", () => {
  const missed: string[] = [];
  for (const scenario of failures) {
    const findings = findingsOf(scenario);
    const [first] = wanted(scenario);
    if (!findings.some(({ id }) => id === first)) missed.push(`${scenario.file}: ${first}, but found ${findings.map(({ id }) => id).join(", ") || "nothing"}`);
    const last = findings.flatMap(({ events }) => events);
    expect(last.every((id) => Number.isSafeInteger(id) && id > 0), scenario.file).toBe(true);
  }
  expect(1 - missed.length / failures.length, missed.join("\n")).toBeGreaterThanOrEqual(FOUND_MIN);
}, 300_000);

test("scenarios/README.md says what is so; `npm run scenario-index` writes it", () => {
  const found = library.map(({ path, scenario }) => ({ path, scenario, found: [...new Set(findingsOf(scenario).map(({ id }) => id))] }));
  expect(currentIndex()).toBe(indexText(found));
}, 300_000);
