/**
 * What the recorder tells the kernel's side to do, what it refuses, and what it draws.
 */

import { describe, expect, test } from "vitest";
import { CannotRecord, jobOf } from "../../../kernel/job.ts";
import { drawnText, drawScenario } from "../../../kernel/fuzz-draw.ts";
import { drawScripts, pickCount, shortPicks } from "../../../kernel/sched-draw.ts";
import { parseScenario } from "../../../src/scenario/scenario-file.ts";

function operations(...steps: string[]): readonly Record<string, unknown>[] {
  const text = `title: Faults
hosts:
  a: { interfaces: { eth0: { link: lan, address: 10.0.0.1/24 }, eth1: { link: far, address: 10.0.1.1/24 } } }
  b: { interfaces: { eth0: { link: lan, address: 10.0.0.2/24 } } }
timeline:
${steps.map((step) => `  - { at: 1s, ${step} }`).join("\n")}
`;
  return (jobOf(parseScenario(text, "faults.yaml")) as { readonly timeline: readonly Record<string, unknown>[] }).timeline;
}

describe("steps", () => {
  test.each([
    ["down: a", { op: "ports", ports: ["a.eth0", "a.eth1"], up: false }],
    ["up: b.eth0", { op: "ports", ports: ["b.eth0"], up: true }],
    ["crash: b", { op: "ports", ports: ["b.eth0"], up: false }],
    ["break: a.eth1", { op: "cables", ports: ["a.eth1"], whole: false }],
    ["mend: lan", { op: "power", link: "lan", on: true }],
    ['impair: b, netem: "delay 20ms"', { op: "impair", ports: ["b.eth0"], directions: ["in", "out"], words: "delay 20ms" }],
    ['impair: lan, netem: "loss 100%"', { op: "impair", ports: ["a.eth0", "b.eth0"], directions: ["out"], words: "loss 100%" }],
    ["partition: lan, groups: [[a], [b]]", { op: "partition", link: "lan", groups: [["a.eth0"], ["b.eth0"]] }],
    ["kill: a, process: httpd, signal: STOP", { op: "kill", host: "a", process: "httpd", signal: "STOP" }],
    ["poweroff: b", { op: "poweroff", host: "b", ports: ["b.eth0"] }],
  ])("%s", (step, operation) => {
    expect(operations(step)).toEqual([{ at: 1, ...operation }]);
  });

  test.each([
    ["reboot: a", /line 6: a reboot runs what the distribution's init starts/],
    ["slow: a, by: 1s", /line 6: `slow` reaches into the simulated web server/],
    ["clock: a, by: 1h", /line 6: all machines of one kernel share its clock/],
    ['impair: lan, netem: "loss 10%"', /line 6: `loss 10%` is chance/],
  ])("%s is refused by name", (step, message) => {
    expect(() => operations(step)).toThrow(CannotRecord);
    expect(() => operations(step)).toThrow(message);
  });
});

describe("draws", () => {
  test("a scenario is a function of its seed, and can be recorded", () => {
    const texts = Array.from({ length: 60 }, (_, i) => drawnText(drawScenario(i + 1)));
    expect(texts).toEqual(Array.from({ length: 60 }, (_, i) => drawnText(drawScenario(i + 1))));
    expect(new Set(texts).size).toBe(60);
    for (const text of texts) expect(jobOf(parseScenario(text, "drawn.yaml"))).toMatchObject({ kind: "scenario" });
    for (const word of ["-m ", "-g ", "-i ", "-f 1", "router", "iptables", "down:"]) expect(texts.some((text) => text.includes(word)), word).toBe(true);
  });

  test("scripts hold every flag, thresholds, marks, persistence and ports", () => {
    const texts = ["sh", "mh", "wrr"].flatMap(drawScripts).map(({ text }) => text);
    for (const word of ["sh-port", "sh-fallback", "mh-port", "mh-fallback", "flag-3", "upper", "lower", "fwmark 1", "persist=", ":8080", "delete ", "close "])
      expect(texts.some((text) => text.includes(word)), word).toBe(true);
  });

  test("picks as letters", () => {
    const short = shortPicks(["c1 10.2.0.1:80", "c2 -", "! add 10.2.0.1:80: Destination already exists", "c3 10.2.0.27:80"]);
    expect(short).toBe("a-{Destination already exists}A");
    expect(pickCount(short)).toBe(3);
  });
});
