/**
 * One run of the LAN, in a process of its own: `node --expose-gc lan.js --topology=plain --protocol=tcp --exchanges=10000`. Prints one JSON line.
 *
 * Compilation is not measured: a run of `warm` exchanges comes first, and of `repeat` runs the median counts, since what the compiler
 * took for constant in the first network is compiled anew for the second. The timers of a minute (TIME_WAIT, connection entries) that follow
 * the last exchange are run, and measured, as well.
 */

import type { TraceLevel } from "../../src/trace/tracer.ts";
import { buildNetwork, type Topology } from "./lan-network.ts";
import { startTraffic } from "./lan-traffic.ts";
import { collectGarbage, cpuSeconds, options, peakMegabytes, print } from "./measure.ts";
import { sinkFor } from "./trace-sinks.ts";

const OPTIONS = options({ topology: "plain", protocol: "tcp", exchanges: 10_000, clients: 8, servers: 4, warm: 2000, repeat: 1, trace: "off", sink: "count" });
const TOPOLOGIES: readonly string[] = ["plain", "nat", "dr", "tun"];
if (!TOPOLOGIES.includes(OPTIONS.topology)) throw new Error(`--topology is one of ${TOPOLOGIES.join(", ")}`);

interface Outcome {
  readonly seconds: number;
  readonly setupSeconds: number;
  readonly exchanges: number;
  readonly frames: number;
  readonly events: number;
  readonly pendingMax: number;
  readonly simulatedSeconds: number;
  readonly records: number;
  readonly bytes: number;
}

function run(exchanges: number): Outcome {
  const setupStart = cpuSeconds();
  const protocol = OPTIONS.protocol === "udp" ? "udp" : "tcp";
  const network = buildNetwork({ topology: OPTIONS.topology as Topology, protocol, clients: OPTIONS.clients, servers: OPTIONS.servers });
  const { loop, trace } = network;
  const sink = sinkFor(OPTIONS.sink);
  trace.addSink(sink);
  trace.setLevel(OPTIONS.trace as TraceLevel);
  const tally = startTraffic(network, protocol, Math.ceil(exchanges / OPTIONS.clients));
  collectGarbage();
  const start = cpuSeconds();
  let pendingMax = 0;
  // Neighbours are looked after for ever: the run is over when the last exchange is, and a minute for what waits has passed.
  const wanted = Math.ceil(exchanges / OPTIONS.clients) * OPTIONS.clients;
  while (tally.done + tally.failed < wanted && loop.step()) {
    if ((loop.firedCount & 1023) === 0 && loop.pendingCount > pendingMax) pendingMax = loop.pendingCount;
  }
  loop.runUntil(loop.nowNs + 130e9);
  sink.end();
  const seconds = cpuSeconds() - start;
  if (tally.failed > 0 || tally.done !== wanted) throw new Error(`${tally.done} of ${wanted} exchanges done, ${tally.failed} failed`);
  let frames = 0;
  // Each frame crosses two cables: one to the switch, one from it to every interface that gets it.
  for (const link of network.switches) frames += link.counters.sent + link.counters.delivered;
  return {
    seconds,
    setupSeconds: start - setupStart,
    exchanges: wanted,
    frames,
    events: loop.firedCount,
    pendingMax,
    simulatedSeconds: loop.nowNs / 1e9,
    records: sink.records,
    bytes: sink.bytes,
  };
}

if (OPTIONS.warm > 0) run(OPTIONS.warm);
const outcomes = Array.from({ length: OPTIONS.repeat }, () => run(OPTIONS.exchanges)).sort((a, b) => a.seconds - b.seconds);
const outcome = outcomes[outcomes.length >> 1];
if (outcome === undefined) throw new Error("--repeat is at least 1");
print({
  program: "lvsim",
  ...outcome,
  usPerExchange: (outcome.seconds * 1e6) / outcome.exchanges,
  nsPerFrame: (outcome.seconds * 1e9) / outcome.frames,
  framesPerExchange: outcome.frames / outcome.exchanges,
  eventsPerFrame: outcome.events / outcome.frames,
  peakMegabytes: peakMegabytes(),
});
