/**
 * The LAN under load, in a process of its own: `node lan.js --topology=plain --protocol=tcp --exchanges=10000`. Prints one JSON line.
 *
 * Compilation is not measured: `warm` exchanges come first on the same network (a new one would be compiled for anew), and of `repeat` rounds
 * the median counts. `--fresh=1` warms up on another network than it measures. The timers of a minute (TIME_WAIT, connection entries) that
 * follow a round are run, and measured, with it.
 */

import type { TraceLevel } from "../../src/trace/tracer.ts";
import { buildNetwork, type Network, type Topology } from "./lan-network.ts";
import { startClients, startServers } from "./lan-traffic.ts";
import { cpuSeconds, options, peakMegabytes, print } from "./measure.ts";
import { sinkFor } from "./trace-sinks.ts";

const OPTIONS = options({ topology: "plain", protocol: "tcp", exchanges: 10_000, clients: 8, servers: 4, warm: 2000, repeat: 1, fresh: 0, trace: "off", sink: "count" });
const TOPOLOGIES: readonly string[] = ["plain", "nat", "dr", "tun"];
if (!TOPOLOGIES.includes(OPTIONS.topology)) throw new Error(`--topology is one of ${TOPOLOGIES.join(", ")}`);

interface Outcome {
  readonly seconds: number;
  readonly exchanges: number;
  readonly frames: number;
  readonly events: number;
  readonly pendingMax: number;
  readonly records: number;
  readonly bytes: number;
}

/** After so long nothing waits any more but what goes on for ever: neighbours, idle listeners. */
const DRAIN_NS = 130e9;

const protocol = OPTIONS.protocol === "udp" ? "udp" : "tcp";
const sink = sinkFor(OPTIONS.sink);

function build(): Network {
  const built = buildNetwork({ topology: OPTIONS.topology as Topology, protocol, clients: OPTIONS.clients, servers: OPTIONS.servers });
  built.trace.addSink(sink);
  built.trace.setLevel(OPTIONS.trace as TraceLevel);
  startServers(built, protocol);
  return built;
}

function round(network: Network, exchanges: number): Outcome {
  const { loop } = network;
  const before = { seconds: cpuSeconds(), frames: framesSoFar(network), events: loop.firedCount, records: sink.records, bytes: sink.bytes };
  const each = Math.ceil(exchanges / OPTIONS.clients);
  const wanted = each * OPTIONS.clients;
  const tally = startClients(network, protocol, each);
  let pendingMax = 0;
  while (tally.done + tally.failed < wanted && loop.step()) {
    if ((loop.firedCount & 1023) === 0 && loop.pendingCount > pendingMax) pendingMax = loop.pendingCount;
  }
  loop.runUntil(loop.nowNs + DRAIN_NS);
  if (tally.failed > 0 || tally.done !== wanted) throw new Error(`${tally.done} of ${wanted} exchanges done, ${tally.failed} failed`);
  return {
    seconds: cpuSeconds() - before.seconds,
    exchanges: wanted,
    frames: framesSoFar(network) - before.frames,
    events: loop.firedCount - before.events,
    pendingMax,
    records: sink.records - before.records,
    bytes: sink.bytes - before.bytes,
  };
}

/** Each frame crosses two cables: one to the switch, one from it to every interface that gets it. */
function framesSoFar(network: Network): number {
  let frames = 0;
  for (const link of network.switches) frames += link.counters.sent + link.counters.delivered;
  return frames;
}

const first = build();
if (OPTIONS.warm > 0) round(first, OPTIONS.warm);
const network = OPTIONS.fresh === 0 ? first : build();
const outcomes = Array.from({ length: OPTIONS.repeat }, () => round(network, OPTIONS.exchanges)).sort((a, b) => a.seconds - b.seconds);
sink.end();
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
