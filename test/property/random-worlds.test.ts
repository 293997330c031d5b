/**
 * Random topologies, settings, commands and faults: what must hold in every run, and the same bytes for the same seed.
 */

import fc from "fast-check";
import { expect, test } from "vitest";
import { LINUX_PARTS } from "../../src/scenario/linux-parts.ts";
import { type RunResult, runScenario } from "../../src/scenario/run-scenario.ts";
import { parseScenario } from "../../src/scenario/scenario-file.ts";
import { MemorySink } from "../../src/trace/tracer.ts";
import { renderScenario, type ScenarioOptions, scenarioOptions } from "../helpers/random-scenario.ts";
import { checkChecksums, checkConservation, checkDirectRouting, checkNatReversible, checkOrder, checkTtl, countFrames } from "../helpers/trace-checks.ts";

/** More of them on demand: LVSIM_RUNS=5000 npx vitest run test/property */
const RUNS = Number(process.env["LVSIM_RUNS"] ?? 60);

function run(options: ScenarioOptions): { readonly result: RunResult; readonly records: MemorySink } {
  const records = new MemorySink();
  const scenario = parseScenario(renderScenario(options), "drawn.yaml");
  return { result: runScenario(scenario, { parts: LINUX_PARTS, capturesFrames: true, traceLevel: "full", sinks: [records] }), records };
}

/** Frames on each link: sent and copied on one side, delivered, dropped, filtered or still on the way on the other. */
function checkLinks(result: RunResult): string[] {
  return [...result.world.links.values()].flatMap(({ name, counters }) => {
    const onTheWay = counters.sent + counters.copied - counters.delivered - counters.dropped - counters.filtered;
    return onTheWay < 0 || onTheWay > 2000 ? [`link ${name}: ${JSON.stringify(counters)}`] : [];
  });
}

/** What /proc/net/dev says is what the trace says. */
function checkCounters(result: RunResult, records: MemorySink): string[] {
  const counted = countFrames(records.events);
  return [...result.world.machines.values()].flatMap(({ host }) =>
    host.devices.list
      .filter((device) => device.kind === "ether")
      .flatMap((device) => {
        const [sent, received] = counted.get(`${host.name}.${device.name}`) ?? [0, 0];
        const { txPackets, rxPackets, rxDropped } = device.counters;
        return txPackets === sent && rxPackets + rxDropped >= received && rxPackets <= received ? [] : [`${host.name}.${device.name}: counters ${txPackets} ${rxPackets}, trace ${sent} ${received}`];
      }),
  );
}

test(`${RUNS} drawn worlds keep the rules of the wire`, { timeout: 300_000 }, () => {
  let frames = 0;
  fc.assert(
    fc.property(scenarioOptions, (options) => {
      const { result, records } = run(options);
      frames += records.events.filter((event) => event.kind === "frame-sent").length;
      const wrong = [checkOrder, checkConservation, checkChecksums, checkTtl, checkDirectRouting, checkNatReversible].flatMap((check) => check(records.events));
      expect([...wrong, ...checkLinks(result), ...checkCounters(result, records)]).toEqual([]);
    }),
    { numRuns: RUNS },
  );
  expect(frames).toBeGreaterThan(RUNS);
});

test("the same seed gives the same captures, outputs and records", { timeout: 120_000 }, () => {
  fc.assert(
    fc.property(scenarioOptions, (options) => {
      const [first, second] = [run(options), run(options)];
      const bytes = ({ result }: typeof first) => result.captures.captures.map((capture) => Buffer.from(capture.toBytes(result.originNs)).toString("latin1"));
      expect(bytes(second)).toEqual(bytes(first));
      expect(second.result.timeline).toEqual(first.result.timeline);
      expect(second.records.events.length).toBe(first.records.events.length);
    }),
    { numRuns: 10 },
  );
});
