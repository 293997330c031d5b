/**
 * Workloads: what a file may say, what a run counts, and that queues are those of queueing theory.
 */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { SimulationLoop } from "../../../src/kernel/loop.ts";
import { RandomStreams } from "../../../src/kernel/random.ts";
import { isEligible, type SchedulerDest, SchedulerFault, type SchedulerService, schedulerByName } from "../../../src/ipvs/schedulers/index.ts";
import { ScenarioError } from "../../../src/scenario/scenario-error.ts";
import { BareDirector } from "../../../src/sched/bare-director.ts";
import { compareSchedulers, UnknownSchedulerError } from "../../../src/sched/compare.ts";
import { comparisonToCsv, comparisonToJson, formatComparison } from "../../../src/sched/compare-report.ts";
import { parseWorkload } from "../../../src/sched/workload-file.ts";
import { TCP_ACK, TCP_FIN, TCP_SYN } from "../../../src/wire/packet.ts";

const HEAD = "title: t\nduration: 10s\narrivals: { kind: even, rate: 10 }\nsizes: { kind: fixed, mean: 10ms }\n";
const TWO = `${HEAD}servers: { s1: {}, s2: }\n`;
const run = (text: string, ...schedulers: Parameters<typeof compareSchedulers>[1]) => compareSchedulers(parseWorkload(text, "w.yaml"), schedulers).schedulers.map(({ figures }) => figures);
const one = (text: string, scheduler: Parameters<typeof compareSchedulers>[1][number]) => {
  const [figures] = run(text, scheduler);
  if (figures === undefined) throw new Error("no figures");
  return figures;
};

describe("files", () => {
  test("defaults", () => {
    expect(parseWorkload(TWO, "w.yaml")).toMatchObject({
      seed: "1",
      clients: { kind: "uniform", count: 1000 },
      persistenceSeconds: 0,
      servers: [{ name: "s1", weight: 1, speed: 1, workers: 1, upper: 0, lower: 0, isPresent: true }, { name: "s2" }],
      changes: [],
    });
  });

  test.each([
    ["servers: { s1: {} }", "w.yaml:1:1: a workload needs a title; add `title: ...` as the first line"],
    [`${TWO}colour: red`, "w.yaml:6:1: unknown key `colour`; known:"],
    [TWO.replace("duration", "durration"), "w.yaml:2:1: unknown key `durration`; did you mean `duration`?"],
    [TWO.replace("rate: 10", "rate: 10, rat: 10"), "w.yaml:3:35: unknown key `rat`; did you mean `rate`?"],
    [TWO.replace("kind: even", "kind: odd"), "w.yaml:3:19: arrivals must be of a kind; write { kind: poisson, rate: 100 }; kinds: even, poisson, bursty"],
    [TWO.replace("rate: 10", "rate: -1"), "w.yaml:3:31: -1: rate is below 0.000001; write connections a second, such as 100"],
    [TWO.replace("mean: 10ms", "mean: soon"), 'w.yaml:4:29: "soon": mean is not a time; write 500us, 20ms, 1.5s, 2m or a number of seconds'],
    [TWO.replace("{ kind: fixed, mean: 10ms }", "{ kind: pareto, mean: 10ms, shape: 1 }"), "1: shape is below 1.01; 1.5 is a heavy tail, 3 a light one"],
    [TWO.replace("mean: 10ms", "mean: 10ms, max: 5ms"), "the mean is above `max`; raise `max`"],
    [TWO.replace("s1: {}", "s1: { weight: 1.5 }"), "w.yaml:5:26: 1.5: weight must be a whole number; 1 is usual, 0 is quiescent"],
    [TWO.replace("s1: {}", "s1: { wieght: 1 }"), "w.yaml:5:18: unknown key `wieght`; did you mean `weight`?"],
    [TWO.replace("s1: {}", "s1: { upper: 1, lower: 2 }"), "`lower` is above `upper`; lower it"],
    [`${HEAD}servers: {}`, "w.yaml:5:1: 0 servers, from 1 to 1000 are possible"],
    [TWO.replace("rate: 10", "rate: 1000000"), "about 10000000 connections, the most is 2000000; shorten `duration` or lower the rate"],
    [`${TWO}clients: { count: 5, exponent: 1 }`, "`exponent` belongs to `popularity: zipf`; add it or remove `exponent`"],
    [`${TWO}persistence: 1500ms`, "persistence must be whole seconds; write 300s"],
    [`${TWO}events: [{ at: 1s, server: s3, weight: 0 }]`, "w.yaml:6:28: unknown server `s3`; did you mean `s1`?"],
    [`${TWO}events: [{ at: 1s, server: s1 }]`, "w.yaml:6:10: an event that changes nothing; add one of"],
    [`${TWO}events: [{ at: 11s, server: s1, weight: 0 }]`, "an event after the last arrival; make `duration` longer"],
    [`${TWO}events: [{ at: 1s, server: s1, add: true }]`, "w.yaml:6:10: s1 is added although it is there; give it `absent: true` or remove it before"],
    [`${TWO}events: [{ at: 1s, server: s1, remove: true }, { at: 2s, server: s1, weight: 3 }]`, "s1 is edited although it is not there; add it before"],
    [`${TWO}events: [{ at: 1s, server: s1, remove: false }]`, "remove can only be true; write `remove: true`"],
    [`${TWO}events: [{ server: s1, weight: 1 }]`, "`at` is missing; add it"],
  ])("%# is refused with line and remedy", (text, message) => {
    let found: unknown;
    try {
      parseWorkload(text, "w.yaml");
    } catch (error) {
      found = error;
    }
    expect(found).toBeInstanceOf(ScenarioError);
    expect((found as Error).message).toContain(message);
  });

  test("the samples of the repository can be read and run", () => {
    const folder = new URL("../../../workloads/", import.meta.url);
    const names = readdirSync(folder);
    expect(names.length).toBeGreaterThanOrEqual(3);
    for (const name of names) {
      const figures = one(readFileSync(new URL(name, folder), "utf8"), "wlc");
      expect(figures.served, name).toBeGreaterThan(10_000);
      expect(figures.arrived).toBe(figures.served + figures.refused + figures.broken + figures.unfinished);
    }
  });
});

describe("what is counted", () => {
  test("rr over two equal servers", () => {
    const figures = one(TWO, "rr");
    expect(figures).toMatchObject({ arrived: 100, served: 100, refused: 0, broken: 0, unfinished: 0, misplaced: 0, peakOverMean: 1, wait: { max: 0 }, response: { mean: 0.01, max: 0.01 } });
    expect(figures.servers.map(({ connections, share, expectedShare, load, peakOpen }) => ({ connections, share, expectedShare, load, peakOpen }))).toEqual(
      [0, 1].map(() => ({ connections: 50, share: 0.5, expectedShare: 0.5, load: 0.05, peakOpen: 1 })),
    );
    // 50 connections of 10 ms in 10 s; the last one begins when the counting ends.
    expect(figures.servers.map(({ meanOpen }) => meanOpen).sort()).toEqual([0.049, 0.05]);
  });

  test("a single server: others wait their turn, and longer when it is slow", () => {
    const text = `${HEAD.replace("10ms", "150ms").replace("duration: 10s", "duration: 1s")}servers: { s1: {} }`;
    // Arrivals at 0.1, 0.2, ... 1.0 s; each waits 50 ms longer than the one before.
    expect(one(text, "rr").wait).toEqual({ mean: 0.225, p50: 0.2, p90: 0.4, p99: 0.45, max: 0.45 });
    expect(one(text.replace("{}", "{ speed: 1.5 }"), "rr").wait.max).toBe(0);
    expect(one(text.replace("{}", "{ workers: 2 }"), "rr").wait.max).toBe(0);
  });

  test("a server that hangs, slows down and goes on", () => {
    const text = `title: t\nduration: 1s\narrivals: { kind: even, rate: 1 }\nsizes: { kind: fixed, mean: 1s }\nservers: { s1: {} }\n`;
    const longer = text.replace("duration: 1s", "duration: 9s").replace("rate: 1 ", "rate: 0.2 ");
    expect(one(text, "rr").response.max).toBe(1);
    // The only connection comes at 5 s: half a second of work, two of hanging, then half the speed for the rest.
    expect(one(`${longer}events: [{ at: 5.5s, server: s1, speed: 0 }, { at: 7.5s, server: s1, speed: 0.5 }]`, "rr").response.max).toBe(3.5);
    expect(one(`${longer}events: [{ at: 5.5s, server: s1, speed: 0 }]`, "rr")).toMatchObject({ served: 0, unfinished: 1, peakOverMean: 1 });
  });

  test("a server that is removed breaks what is open there; without servers all is refused", () => {
    const figures = one(`${HEAD.replace("10ms", "250ms")}servers: { s1: { workers: 9 } }\nevents: [{ at: 5.05s, server: s1, remove: true }, { at: 8.05s, server: s1, add: true }]`, "wlc");
    expect(figures).toMatchObject({ arrived: 100, served: 67, broken: 3, refused: 30, unfinished: 0 });
  });

  test("clients that move: those of a removed server must, the others need not", () => {
    const text = `${HEAD.replace("rate: 10", "rate: 200")}clients: { count: 50 }\nservers: { s1: , s2: , s3: , s4: }\nevents: [{ at: 5s, server: s4, remove: true }]`;
    const [mh, rr] = run(text, "mh", "rr");
    expect(mh?.changes).toEqual([{ atSeconds: 5, change: "remove s4", clients: 50, moved: expect.any(Number), movedNeedlessly: expect.any(Number) }]);
    expect(mh?.disruption?.moved).toBeGreaterThan(0.1);
    expect(mh?.disruption?.moved).toBeLessThan(0.45);
    expect(mh?.disruption?.movedNeedlessly).toBeLessThan(0.05);
    expect(mh?.affinity).toBeGreaterThan(0.98);
    expect(rr?.disruption?.movedNeedlessly).toBeGreaterThan(0.3);
    expect(rr?.affinity).toBeLessThan(0.45);
  });

  test("persistence: templates keep clients where they are, also at a quiescent server", () => {
    const text = `${HEAD.replace("rate: 10", "rate: 200")}clients: { count: 50 }\npersistence: 60s\nservers: { s1: , s2: }\nevents: [{ at: 5s, server: s2, weight: 0 }]`;
    expect(one(text, "rr")).toMatchObject({ affinity: 1, disruption: { moved: 0, movedNeedlessly: 0 } });
    expect(one(text.replace("persistence: 60s\n", ""), "rr").affinity).toBeLessThan(0.8);
  });

  test("the share that is due follows weights as they change", () => {
    const text = `${HEAD}servers: { s1: { weight: 3 }, s2: }\nevents: [{ at: 5.05s, server: s1, weight: 1 }]`;
    expect(one(text, "wrr").servers.map(({ expectedShare }) => expectedShare)).toEqual([0.625, 0.375]);
    expect(one(text, "wrr").misplaced).toBeLessThan(0.02);
    expect(one(text, "rr").misplaced).toBeCloseTo(0.125, 6);
  });

  test("thresholds and flags reach the director", () => {
    // Inactive connections count as well, so that a server of `upper: 3` is full for two minutes.
    expect(one(`${HEAD}servers: { s1: { upper: 3 } }`, "wlc")).toMatchObject({ served: 3, refused: 97 });
    const ports = `${HEAD}clients: { count: 1 }\nservers: { s1: , s2: }\nflags: [sh-port]`;
    expect(one(ports, "sh").affinity).toBeLessThan(1);
    expect(one(ports.replace("flags: [sh-port]", ""), "sh").affinity).toBe(1);
    expect(one(ports.replace("flags: [sh-port]", ""), { scheduler: schedulerByName("sh") as never, flags: ["sh-port"] }).affinity).toBeLessThan(1);
  });
});

describe("queues are those of theory", () => {
  const queue = (rate: number, sizes: string, workers: number) =>
    one(`title: t\nseed: q\nduration: 800s\narrivals: { kind: poisson, rate: ${rate} }\nsizes: ${sizes}\nservers: { s1: { workers: ${workers} } }`, "rr").wait.mean;

  test.each([
    { name: "M/M/1 at 50 %", rate: 50, sizes: "{ kind: exponential, mean: 10ms }", workers: 1, waitMs: 10 },
    { name: "M/M/1 at 80 %", rate: 80, sizes: "{ kind: exponential, mean: 10ms }", workers: 1, waitMs: 40 },
    { name: "M/D/1 at 80 %", rate: 80, sizes: "{ kind: fixed, mean: 10ms }", workers: 1, waitMs: 20 },
    // Erlang C for two servers at 80 %: 0.711 of the arrivals wait, 1 / (2 * 100 - 160) s on average.
    { name: "M/M/2 at 80 %", rate: 160, sizes: "{ kind: exponential, mean: 10ms }", workers: 2, waitMs: 17.78 },
  ])("$name waits $waitMs ms", ({ rate, sizes, workers, waitMs }) => {
    expect(Math.abs((queue(rate, sizes, workers) * 1000) / waitMs - 1)).toBeLessThan(0.1);
  });
});

describe("the director", () => {
  test("keeps the kernel's counters: active until the FIN, inactive for two minutes, persistence in templates", () => {
    const loop = new SimulationLoop();
    const director = new BareDirector({ loop, random: new RandomStreams("1"), scheduler: "wlc", schedulers: [], flags: [], persistenceSeconds: 30 });
    director.add(0, { weight: 1, upper: 0, lower: 0 });
    const counters = () => {
      const found = director.counters(0);
      return [found?.activeConns, found?.inactConns, found?.persistConns];
    };
    expect(director.receive(5, 4000, TCP_SYN)).toBe(0);
    expect(director.receive(5, 4000, TCP_ACK)).toBe(0);
    expect(counters()).toEqual([1, 0, 1]);
    expect(director.receive(5, 4000, TCP_FIN | TCP_ACK)).toBe(0);
    expect(counters()).toEqual([0, 1, 1]);
    loop.runUntil(119e9);
    expect(counters()).toEqual([0, 1, 1]);
    loop.runUntil(121e9);
    expect(counters().slice(0, 2)).toEqual([0, 0]);
    expect(director.add(0, { weight: 1, upper: 0, lower: 0 })).toBe(false);
    expect([director.remove(0), director.remove(0), director.edit(0, { weight: 1, upper: 0, lower: 0 })]).toEqual([true, false, false]);
    expect(director.receive(6, 4000, TCP_SYN)).toBe(-1);
  });
});

describe("comparisons", () => {
  const WEB = readFileSync(new URL("../../../workloads/web.yaml", import.meta.url), "utf8").replace("duration: 120s", "duration: 100s");

  /** Hashes a client with every server and takes the highest: one class, written from the documentation. */
  class Rendezvous {
    static schedulerName = "hrw";
    schedule<D extends SchedulerDest>({ dests }: SchedulerService<D>, { sourceAddress }: { sourceAddress: number }): D | undefined {
      let best: D | undefined;
      let highest = -1;
      for (const dest of dests) {
        if (!isEligible(dest)) continue;
        let hash = Math.imul(sourceAddress ^ Math.imul(dest.address, 0x85ebca6b), 0xc2b2ae35);
        hash = Math.imul(hash ^ (hash >>> 15), 0x27d4eb2f);
        if (hash >>> 0 > highest) {
          highest = hash >>> 0;
          best = dest;
        }
      }
      return best;
    }
  }

  test("every scheduler gets the same connections, and every run the same figures", () => {
    const workload = parseWorkload(WEB, "web.yaml");
    const compare = () => compareSchedulers(workload, ["rr", "wlc", Rendezvous]);
    const first = compare();
    const work = first.schedulers.map(({ figures }) => figures.arrived);
    expect(new Set(work).size).toBe(1);
    expect(comparisonToCsv(compare())).toBe(comparisonToCsv(first));
    expect(first.schedulers.every(({ pickNs }) => pickNs === undefined)).toBe(true);
    const other = compareSchedulers(workload, ["rr"], { seed: "2" });
    expect(other.schedulers[0]?.figures.arrived).not.toBe(work[0]);
    // Alone or beside others, a scheduler does the same.
    expect(compareSchedulers(workload, [Rendezvous]).schedulers[0]).toEqual(first.schedulers[2]);
  });

  test("a scheduler written from the documentation: faithful, and moves only whom it must", () => {
    const [hrw] = run(WEB, Rendezvous);
    expect(hrw?.affinity).toBeGreaterThan(0.98);
    expect(hrw?.disruption?.movedNeedlessly).toBe(0);
    expect(hrw?.disruption?.moved).toBeGreaterThan(0.1);
  });

  test("tables, CSV and JSON say the same", () => {
    const comparison = compareSchedulers(parseWorkload(WEB, "web.yaml"), ["wrr", { scheduler: schedulerByName("mh") as never, flags: ["mh-port"] }], { clockNs: stepClock() });
    const text = formatComparison(comparison);
    const [wrr] = comparison.schedulers;
    expect(text).toMatch(/^A web farm with fast and slow servers\n\d+ connections in 100 s from 2000 clients to 4 servers, seed 1\n\nscheduler {2,}misplaced {2}peak\/mean/);
    expect(text).toMatch(/\nmh\+mh-port +\d+\.\d%/);
    expect(text).toContain("ns/pick");
    expect(text).toMatch(/server +due +wrr +mh\+mh-port\nbig +\d+\.\d% /);
    const rows = comparisonToCsv(comparison).trimEnd().split("\n").map((line) => line.split(","));
    expect(rows[0]).toEqual(["scheduler", "server", "change", "figure", "value"]);
    expect(rows.every((row) => row.length === 5)).toBe(true);
    const value = (...key: string[]) => Number(rows.find((row) => key.every((cell, i) => row[i] === cell))?.[4]);
    expect(value("wrr", "", "", "arrived")).toBe(wrr?.figures.arrived);
    expect(value("wrr", "big", "", "share")).toBeCloseTo(wrr?.figures.servers[0]?.share ?? 0, 8);
    expect(value("wrr", "", "70 remove small", "moved")).toBe(wrr?.figures.changes[0]?.moved);
    expect(value("wrr", "", "", "pickNs")).toBeGreaterThan(0);
    const json = JSON.parse(JSON.stringify(comparisonToJson(comparison))) as { schedulers: { scheduler: string; wait: { p99: number } }[] };
    expect(json.schedulers.map(({ scheduler }) => scheduler)).toEqual(["wrr", "mh+mh-port"]);
    expect(json.schedulers[0]?.wait.p99).toBeCloseTo(wrr?.figures.wait.p99 ?? 0, 6);
  });

  /** A clock that takes a millisecond a look. */
  function stepClock(): () => number {
    let now = 0;
    return () => (now += 1e6);
  }

  test("a name that nobody has, and a scheduler that fails", () => {
    const workload = parseWorkload(TWO, "w.yaml");
    expect(() => compareSchedulers(workload, ["wrrr"])).toThrow(UnknownSchedulerError);
    const foreign = { name: "bad", flags: [], init: () => ({ schedule: () => ({ address: 1, port: 2 }) as never }) };
    expect(() => compareSchedulers(workload, [foreign])).toThrow(SchedulerFault);
  });
});
