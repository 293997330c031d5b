/**
 * `workload` in scenario files: real connections of the scenario's hosts.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { LINUX_PARTS } from "../../../src/scenario/linux-parts.ts";
import { resultToJson, runScenario, type RunOptions } from "../../../src/scenario/run-scenario.ts";
import { ScenarioError } from "../../../src/scenario/scenario-error.ts";
import { parseScenario } from "../../../src/scenario/scenario-file.ts";
import { formatWorkloadResult } from "../../../src/scenario/scenario-workload.ts";
import { MemorySink } from "../../../src/trace/tracer.ts";

const DR = readFileSync(new URL("../../../scenarios/workload-dr.yaml", import.meta.url), "utf8");

const PAIR = `title: pair
hosts:
  client: { interfaces: { eth0: { link: lan, address: [10.0.0.8/24, 10.0.0.9/24] } } }
  server:
    interfaces: { eth0: { link: lan, address: 10.0.0.1/24 } }
    run: service httpd start
`;
const load = (parts: string) => `workload:\n  - { from: client, to: 10.0.0.1:80, duration: 10s, arrivals: { kind: even, rate: 2 }, sizes: { kind: fixed, mean: 300ms }${parts} }\n`;
const run = (text: string, options: Partial<RunOptions> = {}) => runScenario(parseScenario(text, "w.yaml"), { parts: LINUX_PARTS, ...options });

describe("connections", () => {
  test("are opened, held for their size, answered and counted", () => {
    const result = run(DR);
    const [workload] = result.workloads;
    expect(workload).toMatchObject({ line: 31, to: "192.168.1.100:80", failed: {}, unfinished: 0 });
    expect(workload?.opened).toBeGreaterThan(200);
    expect(workload?.completed).toBe(workload?.opened);
    const { "from rs1": first = 0, "from rs2": second = 0, ...others } = workload?.answers ?? {};
    expect(others).toEqual({});
    expect(first + second).toBe(workload?.opened);
    // Twice the weight while both are there, everything after 11 s of 20.
    expect(first / (first + second)).toBeGreaterThan(0.75);
    const [, late] = result.timeline as readonly { readonly stdout: string }[];
    expect(late?.stdout).toMatch(/192\.168\.1\.12:80 +Route +0 +0 +\d+/);
    expect(formatWorkloadResult(workload as NonNullable<typeof workload>)).toMatch(/^== workload to 192\.168\.1\.100:80: \d+ connections, .* completed; connecting took 0\.\d+ ms \(median\), .*\nanswers: \d+ "from rs1", \d+ "from rs2"\n$/);
  });

  test("are the same in every run, others with another seed", () => {
    const json = (seed?: string) => JSON.stringify(resultToJson(run(DR, seed === undefined ? {} : { seed })));
    expect(json()).toBe(json());
    expect(json("2")).not.toBe(json());
  });

  test("without `send` they are closed after their size, and the run lasts until the last one is over", () => {
    const result = run(PAIR + load(""));
    expect(result.workloads[0]).toMatchObject({ opened: 20, established: 20, completed: 20, answers: {}, bytesReceived: 0, unfinished: 0 });
    // The last one comes at 10 s and stays 0.3 s; half a second of rest follows.
    const endSeconds = (result.endNs - result.originNs) / 1e9;
    expect(endSeconds).toBeGreaterThan(10.8);
    expect(endSeconds).toBeLessThan(10.81);
    const client = result.world.machine("client").host;
    expect(new Set(client.tcp.sockets.map((socket) => socket.localAddress)).size).toBe(2);
  });

  test("what goes wrong is counted by errno; what is cut off is not over", () => {
    const refused = run((PAIR + load("")).replace("    run: service httpd start\n", ""));
    expect(refused.workloads[0]).toMatchObject({ opened: 20, established: 0, completed: 0, failed: { ECONNREFUSED: 20 } });
    const cut = run(PAIR + load(""), { untilNs: 5.1e9 });
    expect(cut.workloads[0]).toMatchObject({ opened: 10, established: 10, completed: 9, unfinished: 1 });
    const dead = run(`${PAIR}${load("")}timeline:\n  - { at: 4.9s, crash: server }\n`).workloads[0];
    expect(dead).toMatchObject({ opened: 20, established: 9, unfinished: 0 });
    expect((dead?.failed.EHOSTUNREACH ?? 0) + (dead?.failed.ETIMEDOUT ?? 0)).toBe(11);
  });

  test("a server that closes before it was asked counts as a reset", () => {
    // Each connection finds a fresh nc, whose input has ended already: it closes at once and listens no longer.
    const rude = `${PAIR.replace("service httpd start", '"while true; do nc -N -l 80 < /dev/null > /dev/null; done > /dev/null 2>&1 &"')}${load(', send: "x"')}`;
    const [workload] = run(rude, { untilNs: 20e9 }).workloads;
    expect(workload?.failed).toEqual({ ECONNRESET: 20 });
    expect(workload?.completed).toBe(0);
  });

  test("several at once, from several hosts, by popularity", () => {
    const text = PAIR + load("").replace("duration: 10s", "duration: 100s") + load(", popularity: zipf, exponent: 3").replace("workload:\n", "").replace("duration: 10s", "duration: 100s");
    const seen = new Map<string, number>();
    const sink = new MemorySink();
    const result = run(text, { traceLevel: "full", sinks: [sink] });
    for (const event of sink.events) {
      if (event.kind !== "tcp-state" || event.after !== "SYN_SENT") continue;
      const [address = ""] = event.socket.split(":");
      seen.set(address, (seen.get(address) ?? 0) + 1);
    }
    // Even shares of the first, 8 : 1 of the second.
    expect([...seen.keys()].sort()).toEqual(["10.0.0.8", "10.0.0.9"]);
    expect((seen.get("10.0.0.8") ?? 0) / 400).toBeCloseTo((0.5 + 8 / 9) / 2, 1);
    expect(result.workloads.map(({ opened }) => opened)).toEqual([200, 200]);
  });

  test("take no part in a scenario without them, and schedulers of one's own serve them", () => {
    expect(resultToJson(run(PAIR))).not.toHaveProperty("workloads");
    class Second {
      static schedulerName = "second";
      schedule<D>({ dests }: { dests: readonly D[] }): D | undefined {
        return dests[1];
      }
    }
    const [workload] = run(DR.replace("-s wlc", "-s second"), { schedulers: [Second as never] }).workloads;
    expect(Object.keys(workload?.answers ?? {})).toEqual(["from rs1"]);
  });
});

describe("files", () => {
  const good = PAIR + load("");
  test.each([
    [good.replace("from: client", "from: cleint"), "w.yaml:8:13: unknown host `cleint`; did you mean `client`?"],
    [good.replace("from: client", "from: []"), "no host opens connections; name one"],
    [good.replace(", address: [10.0.0.8/24, 10.0.0.9/24]", ""), "host client has no address to connect from; give it one in `interfaces`"],
    [good.replace("10.0.0.1:80", "10.0.0.1"), '"10.0.0.1": not ADDRESS:PORT; write 10.0.0.100:80'],
    [good.replace("10.0.0.1:80", "10.0.0.1:0"), "not ADDRESS:PORT"],
    [good.replace("duration: 10s, ", ""), "`duration` is missing; add it"],
    [good.replace("duration: 10s", "durration: 10s, duration: 10s"), "unknown key `durration`; did you mean `duration`?"],
    [good.replace("rate: 2", "rate: 2, burts: 1s"), "unknown key `burts`; did you mean `burst`?"],
    [good.replace("rate: 2", "rate: 100000"), "about 1000000 connections, the most is 200000; shorten `duration` or lower the rate"],
    [PAIR + load(", exponent: 2"), "`exponent` belongs to `popularity: zipf`; add it or remove `exponent`"],
    [good.replace("workload:\n  - {", "workload: {"), "workload must be a list; write - { from: client, to: 10.0.0.100:80, ... }"],
  ])("%# is refused with line and remedy", (text, message) => {
    expect(() => parseScenario(text, "w.yaml")).toThrow(ScenarioError);
    expect(() => parseScenario(text, "w.yaml")).toThrow(message);
  });
});
