/**
 * Every scenario that has a recording of the real kernel, run here and compared with it: conversation by conversation at each interface, output
 * by output, exit status by exit status, table by table at the end.
 */

import { readdirSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { actOutHere } from "../../kernel/acted-here.ts";
import { recordingDifferences } from "../../kernel/differences.ts";
import { comparedScenarios, loadRecording, loadScenario, RECORDINGS, recordingPath } from "../../kernel/places.ts";
import { inputsOf } from "../../kernel/recording.ts";
import { KNOWN_DIFFERENCES, NOT_RECORDED } from "./exceptions.ts";

const scenarios = comparedScenarios();
const recorded = scenarios.filter((path) => loadRecording(path) !== undefined);

test("each scenario has its recording, or a reason why it has none", () => {
  expect(recorded.length).toBeGreaterThan(130);
  expect(scenarios.filter((path) => !recorded.includes(path) && !NOT_RECORDED.has(path))).toEqual([]);
});

test("what is excepted exists and needs it", () => {
  expect([...NOT_RECORDED.keys()].filter((path) => !scenarios.includes(path) || recorded.includes(path))).toEqual([]);
  expect([...KNOWN_DIFFERENCES.keys()].filter((path) => !recorded.includes(path))).toEqual([]);
});

test("no recording is left without its scenario", () => {
  const files = readdirSync(RECORDINGS, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".jsonl"));
  const wanted = new Set(scenarios.map((path) => recordingPath(path)));
  expect(files.filter((name) => !wanted.has(`${RECORDINGS}/${name}`))).toEqual([]);
});

describe("as the kernel", () => {
  test.each(recorded)("%s", (path) => {
    const scenario = loadScenario(path);
    const kernel = loadRecording(path);
    if (kernel === undefined) throw new Error(`${path} has no recording`);
    expect(kernel.inputs, "the scenario has changed since: `npm run kernel -- record FILE`").toBe(inputsOf(scenario));
    const { recording, result } = actOutHere(scenario, kernel.untilSeconds);
    expect(result.unmet).toEqual([]);
    const differences = recordingDifferences(scenario, kernel, recording).join("\n\n");
    if (KNOWN_DIFFERENCES.has(path)) expect(differences, "agrees now: take it from KNOWN_DIFFERENCES").not.toBe("");
    else expect(differences).toBe("");
  });
});
