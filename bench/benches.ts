/**
 * What is measured, how large, against whom, and which target it has.
 */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { SCHEDULERS } from "../src/ipvs/schedulers/index.ts";
import type { Peer, Peers } from "./peers.ts";
import { figure, median, medianInTurn, type Processes, type Report, rounded, words } from "./processes.ts";

export interface BenchRun {
  readonly processes: Processes;
  readonly peers: Peers;
  readonly rounds: number;
  readonly isTiny: boolean;
  note(text: string): void;
}

/** A target as a ratio of this run. */
export interface Target {
  readonly what: string;
  readonly wanted: string;
  readonly value: number;
  readonly isMet: boolean;
}

type Row = Readonly<Record<string, number | string>>;

export interface BenchResult {
  readonly bench: string;
  readonly targets?: readonly Target[];
  readonly [figure: string]: number | string | readonly Row[] | readonly Target[] | undefined;
}

export interface Bench {
  readonly name: string;
  readonly title: string;
  run(run: BenchRun): Omit<BenchResult, "bench">;
}

function atMost(what: string, value: number, limit: number): Target {
  return { what, wanted: `at most ${limit}`, value: rounded(value), isMet: value <= limit };
}

function atLeast(what: string, value: number, limit: number): Target {
  return { what, wanted: `at least ${limit}`, value: rounded(value), isMet: value >= limit };
}

/* ------------------------------------------------------------------------------------------------------------------- LAN */

type LanOptions = Readonly<Record<string, string | number>>;

const EXCHANGES = 20_000;

/** Compilation is over after so many exchanges, and the median of so many runs in one process is free of what is left of it. */
function lanSizes(run: BenchRun): { readonly exchanges: number; readonly warm: number; readonly repeat: number } {
  return run.isTiny ? { exchanges: 80, warm: 0, repeat: 1 } : { exchanges: EXCHANGES, warm: EXCHANGES, repeat: 5 };
}

function peerRun(run: BenchRun, peer: Peer | undefined, options: LanOptions): (() => Report) | undefined {
  return peer === undefined ? undefined : () => run.processes.run(peer.program, [...peer.args, ...words(options)]);
}

/**
 * Measured on the second network of a process, as whoever runs two scenarios finds it, and as the sketch was run that the target was set with:
 * code that was compiled for one network only is faster, the sketch's much.
 */
function lanTcp(run: BenchRun): Omit<BenchResult, "bench"> {
  const sizes = lanSizes(run);
  const { exchanges } = sizes;
  const sketch = join(run.processes.places.here, "peers", "lan-sketch.mjs");
  const us = medianInTurn(
    run.rounds,
    {
      ours: () => run.processes.workload("lan", { ...sizes, fresh: 1 }),
      sketch: () => run.processes.script(sketch, { ...sizes, fresh: 1 }),
      ns3: peerRun(run, run.peers.ns3Lan, { exchanges, protocol: "tcp" }),
      oursOnce: () => run.processes.workload("lan", sizes),
      sketchOnce: () => run.processes.script(sketch, sizes),
    },
    "usPerExchange",
  );
  const ours = us.ours as number;
  const floor = us.sketch as number;
  const versusSketch = ours / floor;
  return {
    usPerConn: rounded(ours),
    ...versusPeer(run.peers.ns3Lan, "peerUsPerConn", us.ns3, ours),
    sketchUsPerConn: rounded(floor),
    timesSketch: rounded(versusSketch),
    // Both as compiled for the only network of the process.
    oneNetworkUsPerConn: rounded(us.oursOnce as number),
    oneNetworkSketchUsPerConn: rounded(us.sketchOnce as number),
    connections: exchanges,
    rounds: run.rounds,
    targets: [...(us.ns3 === undefined ? [] : [atLeast("times fewer us per connection than ns-3", us.ns3 / ours, 8)]), atMost("times lan-sketch.mjs", versusSketch, 2)],
  };
}

/** `ratio`: how many times fewer microseconds than the peer. */
function versusPeer(peer: Peer | undefined, name: string, theirs: number | undefined, ours: number): Record<string, number | string> {
  if (peer === undefined || theirs === undefined) return {};
  return { peer: peer.name, [name]: rounded(theirs), ratio: rounded(theirs / ours) };
}

function lanUdp(run: BenchRun): Omit<BenchResult, "bench"> {
  const sizes = lanSizes(run);
  const { exchanges } = sizes;
  const us = medianInTurn(
    run.rounds,
    {
      ours: () => run.processes.workload("lan", { ...sizes, protocol: "udp" }),
      ns3: peerRun(run, run.peers.ns3Lan, { exchanges, protocol: "udp" }),
    },
    "usPerExchange",
  );
  return { usPerExchange: rounded(us.ours as number), ...versusPeer(run.peers.ns3Lan, "peerUsPerExchange", us.ns3, us.ours as number), exchanges, rounds: run.rounds };
}

/** A virtual server in the middle; no peer has one, so the plain LAN is what it is compared with. */
function lanDirector(topology: "nat" | "dr" | "tun"): (run: BenchRun) => Omit<BenchResult, "bench"> {
  return (run) => {
    const sizes = lanSizes(run);
    const { exchanges } = sizes;
    const report: Record<string, Report> = {};
    const ns = medianInTurn(
      run.rounds,
      {
        ours: () => {
          report.ours = run.processes.workload("lan", { ...sizes, topology });
          return report.ours;
        },
        plain: () => run.processes.workload("lan", sizes),
      },
      "nsPerFrame",
    );
    const framesPerConn = figure(report.ours as Report, "framesPerExchange");
    const ours = ns.ours as number;
    return {
      usPerConn: rounded((ours * framesPerConn) / 1000),
      nsPerFrame: rounded(ours),
      framesPerConn: rounded(framesPerConn),
      plainNsPerFrame: rounded(ns.plain as number),
      timesPlain: rounded(ours / (ns.plain as number)),
      connections: exchanges,
      rounds: run.rounds,
    };
  };
}

/** From a thousand connections to a million, on the plain LAN and with NAT in the middle. */
function flat(run: BenchRun): Omit<BenchResult, "bench"> {
  const sizes = run.isTiny ? [40, 80] : [1_000, 10_000, 100_000, 1_000_000];
  const warm = run.isTiny ? 0 : EXCHANGES;
  const rows: Row[] = [];
  const spreads: Record<string, number> = {};
  for (const topology of ["plain", "nat"]) {
    const values: number[] = [];
    for (const exchanges of sizes) {
      // Every size makes about as many connections, the small ones in many runs.
      const repeat = run.isTiny || exchanges >= 1_000_000 ? 1 : Math.min(Math.ceil(200_000 / exchanges), 100);
      const rounds = exchanges >= 1_000_000 ? 1 : run.rounds;
      const ns = medianInTurn(rounds, { ours: () => run.processes.workload("lan", { exchanges, warm, repeat, topology }) }, "nsPerFrame").ours as number;
      values.push(ns);
      rows.push({ topology, connections: exchanges, nsPerFrame: rounded(ns) });
    }
    spreads[topology] = Math.max(...values) / Math.min(...values);
  }
  return {
    sizes: rows,
    spread: rounded(spreads.plain as number),
    natSpread: rounded(spreads.nat as number),
    rounds: run.rounds,
    targets: [atMost("cost per frame-hop, largest over smallest", spreads.plain as number, 1.3), atMost("the same with NAT", spreads.nat as number, 1.3)],
  };
}

/* -------------------------------------------------------------------------------------------------------- queue, schedulers */

function hold(run: BenchRun): Omit<BenchResult, "bench"> {
  const sizes = run.isTiny ? [100] : [1_000, 100_000, 1_000_000];
  const events = run.isTiny ? 2000 : 3_000_000;
  const warm = run.isTiny ? 100 : 200_000;
  const rows: Row[] = [];
  const ratios: number[] = [];
  for (const pending of sizes) {
    const options = { pending, events, warm };
    const slow = { pending, events: Math.ceil(events / 10), warm: Math.ceil(warm / 10) };
    const speeds = medianInTurn(
      run.rounds,
      {
        queue: () => run.processes.workload("hold", { ...options, queue: "queue" }),
        loop: () => run.processes.workload("hold", { ...options, queue: "loop" }),
        "queues.mjs": () => run.processes.workload("hold", { ...options, queue: "array-heap" }),
        "object heap": () => run.processes.workload("hold", { ...options, queue: "object-heap" }),
        "ns-3": peerRun(run, run.peers.ns3Hold, slow),
        SimPy: peerRun(run, run.peers.simpyHold, slow),
      },
      "millionsPerSecond",
    );
    ratios.push((speeds.queue as number) / (speeds["queues.mjs"] as number));
    rows.push({ pending, ...Object.fromEntries(Object.entries(speeds).map(([name, value]) => [name, rounded(value)])) });
  }
  const worst = Math.min(...ratios);
  return { millionsPerSecond: rows, ratio: rounded(worst), peer: "queues.mjs", rounds: run.rounds, targets: [atLeast("times the speed of queues.mjs, at the worst size", worst, 1)] };
}

function sched(run: BenchRun): Omit<BenchResult, "bench"> {
  const seconds = run.isTiny ? 0.001 : 0.3;
  const schedulers = run.isTiny ? SCHEDULERS.slice(0, 2) : SCHEDULERS;
  const rows: Row[] = schedulers.map(({ name }) => {
    const speed = (servers: number) => medianInTurn(run.rounds, { ours: () => run.processes.workload("sched", { scheduler: name, servers, seconds }) }, "picksPerSecond").ours as number;
    return { scheduler: name, "4 servers": speed(4), "1000 servers": speed(1000) };
  });
  return { picksPerSecond: rows, rounds: run.rounds };
}

function conns(run: BenchRun): Omit<BenchResult, "bench"> {
  const sizes = run.isTiny ? [100] : [1_000, 10_000, 100_000, 1_000_000];
  const rows: Row[] = [];
  let worst = 0;
  for (const connections of sizes) {
    const report = run.processes.workload("conns", { connections, packets: run.isTiny ? 200 : 500_000 });
    const bytes = figure(report, "bytesPerConnection");
    // A few connections drown in what else the heap does.
    if (connections >= 10_000 || run.isTiny) worst = Math.max(worst, bytes);
    rows.push({ connections, bytesPerConnection: rounded(bytes), usPerNewConnection: rounded(figure(report, "usPerNewConnection")), nsPerPacket: rounded(figure(report, "nsPerPacket")) });
  }
  return { sizes: rows, bytesPerConnection: rounded(worst), ...(run.isTiny ? {} : { targets: [atMost("bytes of heap for an idle connection", worst, 500)] }) };
}

/* ------------------------------------------------------------------------------------------------------- traces, cold start */

/** What a trace costs on the LAN with NAT, where every kind of record is written. */
function trace(run: BenchRun): Omit<BenchResult, "bench"> {
  const exchanges = run.isTiny ? 40 : 10_000;
  const warm = run.isTiny ? 0 : 5_000;
  const repeat = run.isTiny ? 1 : 3;
  const workload = (level: string, sink: string) => () => run.processes.workload("lan", { exchanges, warm, repeat, topology: "nat", trace: level, sink });
  const us = medianInTurn(
    run.rounds,
    {
      off: workload("off", "count"),
      "frames, counted": workload("frames", "count"),
      "full, counted": workload("full", "count"),
      "frames, written": workload("frames", "file"),
      "full, written": workload("full", "file"),
    },
    "usPerExchange",
  );
  const off = us.off as number;
  const rows: Row[] = Object.entries(us).map(([level, value]) => ({ trace: level, usPerConn: rounded(value), timesOff: rounded(value / off) }));
  const full = (us["full, written"] as number) / off;
  return { levels: rows, timesOff: rounded(full), rounds: run.rounds, targets: [atMost("times as long with a full trace written", full, 3)] };
}

/** A document from the first instruction of the process to the last. */
function coldStart(run: BenchRun): Omit<BenchResult, "bench"> {
  const { here } = run.processes.places;
  const root = join(here, "..");
  // As deep below the project as dist/bin is, so that the program finds its package.json.
  const program = join(root, ".tmp", "program");
  const built = spawnSync(process.execPath, [join(root, "scripts", "bundle-program.mjs"), program], { cwd: root, encoding: "utf8" });
  if (built.status !== 0) throw new Error(`the program could not be bundled:\n${built.stderr}`);
  const reporter = join(here, "workloads", "report-processor-time.cjs");
  const measure = (args: readonly string[]) => {
    const start = performance.now();
    const { status, stderr } = spawnSync(process.execPath, ["--require", reporter, ...args], { cwd: root, encoding: "utf8" });
    if (status !== 0) throw new Error(`node ${args.join(" ")}: exit ${status}\n${stderr}`);
    return { seconds: (performance.now() - start) / 1000, processorSeconds: Number(/processor (\S+)\n$/.exec(stderr)?.[1]) };
  };
  const rounds = run.isTiny ? 1 : 4 * run.rounds + 1;
  const document = join("scenarios", "documents", "dr-192.168.247.yaml");
  const ours: ReturnType<typeof measure>[] = [];
  const empty: ReturnType<typeof measure>[] = [];
  for (let round = 0; round < rounds; round++) {
    ours.push(measure([join(program, "lvsim.js"), "run", document]));
    empty.push(measure(["-e", "0"]));
  }
  const value = median(ours.map(({ seconds }) => seconds));
  return {
    seconds: rounded(value),
    // On a machine that is busy the first says little: what the process computed says more.
    processorSeconds: rounded(median(ours.map(({ processorSeconds }) => processorSeconds))),
    nodeAloneSeconds: rounded(median(empty.map(({ seconds }) => seconds))),
    nodeAloneProcessorSeconds: rounded(median(empty.map(({ processorSeconds }) => processorSeconds))),
    document,
    rounds,
    targets: [atMost("seconds for a document", value, 0.4)],
  };
}

export const BENCHES: readonly Bench[] = [
  { name: "lan-tcp", title: "8 clients, a router, 4 servers; short TCP connections", run: lanTcp },
  { name: "lan-udp", title: "the same LAN; 100 bytes there, 1000 back by UDP", run: lanUdp },
  { name: "lan-nat", title: "the same LAN; LVS-NAT in the router's place", run: lanDirector("nat") },
  { name: "lan-dr", title: "8 clients, director and 4 servers on one switch; LVS-DR", run: lanDirector("dr") },
  { name: "lan-tun", title: "8 clients, director and 4 servers on one switch; LVS-TUN", run: lanDirector("tun") },
  { name: "flat", title: "cost per frame-hop from 10^3 to 10^6 connections", run: flat },
  { name: "hold", title: "the hold model: million events a second", run: hold },
  { name: "sched", title: "picks a second of every scheduler", run: sched },
  { name: "conns", title: "a director with many live connections", run: conns },
  { name: "trace", title: "the LAN with LVS-NAT, traced", run: trace },
  { name: "cold-start", title: "a document from start to end of the process", run: coldStart },
];
