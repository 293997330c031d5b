/**
 * Running scenarios: order, time, timeouts, expectations, captures, limits; with machines that have no kernel.
 */

import { expect, test } from "vitest";
import { LimitError, type RunLimits } from "../../../src/scenario/limits.ts";
import { type RunResult, resultToJson, runScenario } from "../../../src/scenario/run-scenario.ts";
import { parseScenario } from "../../../src/scenario/scenario-file.ts";
import { decodePcap } from "../../../src/wire/pcap.ts";
import { type FakeLog, fakeParts } from "./fake-parts.ts";

function scenarioText(options: { readonly runA?: string; readonly runB?: string; readonly timeline?: readonly string[]; readonly more?: string }): string {
  const run = (script: string | undefined) => (script === undefined ? "" : `    run: |\n${script.replace(/^/gm, "      ")}\n`);
  const timeline = (options.timeline ?? []).map((step) => `  - ${step}\n`).join("");
  return `title: test
hosts:
  a:
    interfaces: { eth0: { link: lan, address: 10.0.0.1/24 } }
    gateway: 10.0.0.254
    forward: true
    files: { /etc/x: y }
${run(options.runA)}  b:
    interfaces: { eth0: { link: lan, address: 10.0.0.2/31 }, eth1: { link: wan, address: 10.1.0.2/32 } }
${run(options.runB)}${timeline === "" ? "" : `timeline:\n${timeline}`}${options.more ?? ""}`;
}

function run(
  options: Parameters<typeof scenarioText>[0] & { readonly limits?: Partial<RunLimits>; readonly untilNs?: number },
): RunResult & { readonly log: FakeLog } {
  const { parts, log } = fakeParts();
  const result = runScenario(parseScenario(scenarioText(options), "x.yaml"), {
    parts,
    capturesFrames: true,
    ...(options.limits === undefined ? {} : { limits: options.limits }),
    untilNs: options.untilNs,
  });
  return { ...result, log };
}

test("the world is as the file says", () => {
  const { log } = run({});
  expect(log.addresses).toEqual(["a.eth0 a000001/24 brd a0000ff", "b.eth0 a000002/31 brd 0", "b.eth1 a010002/32 brd 0"]);
  expect(log.routes).toEqual(["a a0000fe"]);
  expect(log.sysctls).toEqual(["a net.ipv4.ip_forward=1"]);
  expect(log.files).toEqual(["a /etc/x y"]);
});

test("setups run one after the other, before the timeline's time 0", () => {
  const result = run({ runA: "echo one; sleep 2", runB: "err two; exit 3", timeline: ["{ at: 1s, host: b, run: 'echo three' }"] });
  expect(result.setup).toEqual({ a: { exit: 0, stdout: "one\n", stderr: "", seconds: 2 }, b: { exit: 3, stdout: "", stderr: "two\n", seconds: 0 } });
  expect(result.originNs).toBe(2e9);
  expect(result.timeline).toEqual([{ exit: 0, stdout: "three\n", stderr: "", seconds: 0 }]);
  expect(result.endNs).toBe(3.5e9);
});

test("steps start at their own times and may overlap; results are in file order", () => {
  const result = run({ timeline: ["{ at: 2s, host: a, run: 'echo late' }", "{ at: 0.5s, host: b, run: 'sleep 3; echo slow' }"] });
  expect(result.timeline.map((step) => step.seconds)).toEqual([0, 3]);
  expect(result.endNs).toBe(4e9);
});

test("duration makes a run longer, never shorter", () => {
  expect(run({ more: "duration: 7s\n" }).endNs).toBe(7e9);
  expect(run({ timeline: ["{ at: 9s, host: a, run: 'echo' }"], more: "duration: 7s\n" }).endNs).toBe(9.5e9);
});

test("a command that never ends is given up after its timeout, as the lab does", () => {
  const result = run({ timeline: ["{ host: a, run: 'echo begun; hang', timeout: 3s }", "{ host: b, run: 'forever' }"] });
  expect(result.timeline).toEqual([
    { exit: 124, stdout: "begun\n", stderr: "timed out", seconds: 3 },
    { exit: 124, stdout: "", stderr: "timed out", seconds: 120 },
  ]);
});

test("a setup that never ends is given up after 60 s", () => {
  const result = run({ runA: "hang" });
  expect(result.setup.a).toEqual({ exit: 124, stdout: "", stderr: "timed out", seconds: 60 });
  expect(result.originNs).toBe(60e9);
});

test("until ends the run, and what still runs has no exit status", () => {
  const result = run({ timeline: ["{ host: a, run: 'echo x; sleep 10' }", "{ at: 8s, host: a, run: 'echo y' }"], untilNs: 2e9 });
  expect(result.timeline).toEqual([{ exit: null, stdout: "x\n", stderr: "", seconds: 2 }, {}]);
  expect(result.endNs).toBe(2e9);
});

test("link steps reach the interfaces", () => {
  const { log, timeline } = run({ timeline: ["{ at: 1s, down: b.eth1 }", "{ at: 2s, up: b }", "{ at: 3s, crash: a }", "{ at: 4s, up: a }"] });
  expect(log.carrier).toEqual(["b.eth1 down at 1", "b.eth1 up at 2", "a.eth0 down at 3", "a.eth0 up at 4"]);
  expect(timeline).toEqual([{}, {}, {}, {}]);
});

test.each([
  { expectation: "{ exit: 0 }", unmet: [] },
  { expectation: "{ exit: 1 }", unmet: ["exit"] },
  { expectation: '{ stdout: "one\\ntwo\\n" }', unmet: [] },
  { expectation: '{ stdout: "one" }', unmet: ["stdout"] },
  { expectation: '{ stdout: "/^two$/" }', unmet: [] },
  { expectation: '{ stdout: "/\\\\Atwo/" }', unmet: ["stdout"] },
  { expectation: '{ stdout: "/(?i)ONE/", stderr: "x" }', unmet: ["stderr"] },
  { expectation: '{ exit: 2, stdout: "", stderr: "" }', unmet: ["exit", "stdout"] },
])("expect $expectation -> $unmet", ({ expectation, unmet }) => {
  const result = run({ timeline: [`{ host: a, run: "echo one; echo two", expect: ${expectation} }`] });
  expect(result.unmet.map(({ field }) => field)).toEqual(unmet);
});

test("captures count from the start of the timeline; what was before it is at 0", () => {
  const result = run({ runA: "sleep 1; send eth0; sleep 1", timeline: ["{ at: 1s, host: a, run: 'send eth0' }"] });
  const sides = result.captures.captures.map((capture) => {
    const file = decodePcap(capture.toBytes(result.originNs));
    return [`${capture.hostName}.${capture.deviceName}`, file.ok ? file.value.records.map(({ seconds, nanoseconds }) => [seconds, nanoseconds]) : file.reason];
  });
  expect(sides).toEqual([
    [
      "a.eth0",
      [
        [0, 0],
        [1, 0],
      ],
    ],
    [
      "b.eth0",
      [
        [0, 0],
        [1, 11_344],
      ],
    ],
    ["b.eth1", []],
  ]);
});

test.each([
  {
    what: "10^9 events",
    options: { timeline: ["{ host: a, run: 'spin' }"], limits: { events: 10_000 } },
    message: "x.yaml:11:5: limit `events` reached: 10000 events while the step at 0 s on a ran",
  },
  {
    what: "events of a setup",
    options: { runB: "spin", limits: { events: 10_000 } },
    message: "x.yaml:10:5: limit `events` reached: 10000 events while the setup of b ran",
  },
  {
    what: "output",
    options: { timeline: ["{ host: a, run: 'print 101; hang' }"], limits: { outputChars: 100 } },
    message: "x.yaml:11:5: limit `outputMax` reached: a: more than 100 characters of output (limit outputMax) while the step at 0 s on a ran",
  },
  {
    what: "captured frames",
    options: { timeline: ["{ host: a, run: 'send eth0; send eth0; sleep 1' }"], limits: { capturedFrames: 2 } },
    message: "x.yaml:11:5: limit `capturedFrames` reached: 2 captured frames while the step at 0 s on a ran",
  },
  {
    what: "simulated time",
    options: { timeline: ["{ at: 5s, host: a, run: 'sleep 2' }"], limits: { simulatedNs: 6e9 } },
    message: "x.yaml:11:5: limit `simulatedNs` reached: 6 s of simulated time",
  },
  {
    what: "an endless loop in a script",
    options: { timeline: ["{ host: a, run: 'endless' }"] },
    message: /^x\.yaml:12:1: limit `stepsAtOneTimeMax` reached: a, line 2: the clock stands still/,
  },
  {
    what: "an endless loop in a setup",
    options: { runA: "echo x\nendless" },
    message: /^x\.yaml:10:1: limit `stepsAtOneTimeMax` reached: a, line 2: .* while the setup of a ran$/,
  },
])("limit: $what", ({ options, message }) => {
  let text = "";
  try {
    run(options);
  } catch (error) {
    expect(error).toBeInstanceOf(LimitError);
    text = (error as Error).message;
  }
  if (typeof message === "string") expect(text.startsWith(message), text).toBe(true);
  else expect(text).toMatch(message);
});

test("the JSON has outputs as the lab's result.json has them", () => {
  const result = run({ runA: "echo hi", timeline: ["{ host: a, run: 'exit 2', expect: { exit: 0 } }", "{ at: 1s, down: a }"] });
  expect(resultToJson(result)).toMatchObject({
    title: "test",
    setup: { a: { exit: 0, stdout: "hi\n", stderr: "" } },
    timeline: [{ exit: 2, stdout: "", stderr: "", seconds: 0 }, {}],
    unmet: [{ step: 0, line: 13, field: "exit", expected: 0, actual: 2 }],
    originSeconds: 0,
    endSeconds: 1.5,
  });
});

test("the same file gives the same result, whatever ran before", () => {
  const options = { runA: "sleep 1; send eth0", timeline: ["{ at: 1s, host: a, run: 'send eth0; echo x' }"] };
  const once = run(options);
  const again = run(options);
  expect(JSON.stringify(resultToJson(once))).toBe(JSON.stringify(resultToJson(again)));
  expect(once.captures.captures[1]?.toBytes()).toEqual(again.captures.captures[1]?.toBytes());
});
