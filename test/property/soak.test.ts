/**
 * Random faults on a pair of directors with four servers: no connection is lost that the kernel would have kept, every page that arrives is one
 * server's and whole, and once the faults are over everybody is served again.
 *
 * LVSIM_SOAK=10000 npx vitest run test/property/soak.test.ts runs more of them, LVSIM_SEED others. A failure is shrunk; add it to KEPT.
 */

import fc from "fast-check";
import { expect, test } from "vitest";
import { LINUX_PARTS } from "../../src/scenario/linux-parts.ts";
import { runScenario } from "../../src/scenario/run-scenario.ts";
import { parseScenario } from "../../src/scenario/scenario-file.ts";
import { MemorySink } from "../../src/trace/tracer.ts";
import { BY_HAND, renderSoak, type SoakOptions, soakOptions } from "../helpers/random-faults.ts";
import { checkSoak, holdersOfVip } from "../helpers/soak-checks.ts";

const RUNS = Number(process.env["LVSIM_SOAK"] ?? 12);
const SEED = process.env["LVSIM_SEED"];

/** Drawn once, and wrong then: they are run first. */
const KEPT: readonly SoakOptions[] = [
  // A SYN that was scheduled, dropped by a full backlog, and after the director's reboot scheduled again.
  {
    seed: 673741,
    faults: [
      { fault: { kind: "port", host: "d1" }, gapMs: 583, lengthMs: 6926 },
      { fault: { kind: "clock", host: "rs2" }, gapMs: 1772, lengthMs: 1178 },
      { fault: { kind: "quiet", host: "rs4" }, gapMs: 1383, lengthMs: 3166 },
      { fault: { kind: "quiet", host: "rs3" }, gapMs: 2263, lengthMs: 6189 },
      { fault: { kind: "full", host: "rs2" }, gapMs: 415, lengthMs: 5095 },
      { fault: { kind: "death", host: "d1" }, gapMs: 3002, lengthMs: 1087 },
    ],
    readers: [13980, 3604, 11043, 12814, 5138, 7007, 6688, 0, 12443],
  },
];

const counts = { checked: 0, lost: 0 };

function soak(options: SoakOptions): void {
  const scenario = parseScenario(renderSoak(options, BY_HAND), "soak.yaml");
  const sink = new MemorySink();
  // Frames would fill the memory: only what the checks read is kept.
  const filter = { write: (event: Parameters<MemorySink["write"]>[0]) => (["fault", "link", "scheduled", "tcp-state"].includes(event.kind) ? sink.write(event) : undefined) };
  const result = runScenario(scenario, { parts: LINUX_PARTS, traceLevel: "full", sinks: [filter] });
  const { wrong, checked, lost } = checkSoak(scenario, result, sink.events);
  expect(wrong).toEqual([]);
  expect(holdersOfVip(result)).toEqual(["d1"]);
  expect(checked).toBeGreaterThanOrEqual(4);
  counts.checked += checked;
  counts.lost += lost;
}

test(`${RUNS} drawn timelines of faults lose no connection that somebody keeps`, { timeout: 36_000_000 }, () => {
  fc.assert(fc.property(soakOptions, soak), { numRuns: RUNS + KEPT.length, examples: KEPT.map((options) => [options]), ...(SEED === undefined ? {} : { seed: Number(SEED) }) });
  // The faults do something, and do not prevent everything.
  expect(counts.checked).toBeGreaterThan(counts.lost);
});
