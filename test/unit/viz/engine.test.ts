/**
 * The engine without a browser: what the worker answers.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { LINUX_PARTS } from "../../../src/scenario/linux-parts.ts";
import { runScenario } from "../../../src/scenario/run-scenario.ts";
import { ScenarioError } from "../../../src/scenario/scenario-error.ts";
import { parseScenario } from "../../../src/scenario/scenario-file.ts";
import { traceHeader } from "../../../src/scenario/trace-header.ts";
import { JsonLinesSink, TraceReadError } from "../../../src/trace/jsonl.ts";
import { INTERRUPT, type Source, type TypedLine } from "../../../viz/src/engine/protocol.ts";
import { compare } from "../../../viz/src/engine/queries/compare.ts";
import { inspect } from "../../../viz/src/engine/queries/inspect.ts";
import { moment } from "../../../viz/src/engine/queries/moment.ts";
import { checkFilter, momentAt, step } from "../../../viz/src/engine/queries/navigate.ts";
import { causes, connections, effects, outputs, packetLife, tableChanges, tables, traceFile } from "../../../viz/src/engine/queries/state.ts";
import { density, indexOfRecord, markers, records } from "../../../viz/src/engine/queries/window.ts";
import { Cancelled, openSession, type Session } from "../../../viz/src/engine/session.ts";

const NS = 1_000_000_000;
const HOOKS = { onProgress: () => undefined, pause: async () => false };

function text(name: string): string {
  return readFileSync(join(import.meta.dirname, "../../../scenarios", name), "utf8");
}

function scenarioSource(name: string, inputs: readonly TypedLine[] = [], seed?: string): Source {
  return { kind: "scenario", file: name, text: text(name), seed, inputs };
}

const open = (source: Source) => openSession(1, source, HOOKS);
const DR = "documents/dr-192.168.247.yaml";
const NAT = "documents/nat-10.168.yaml";
const TUN = "documents/tun-10.168.yaml";

/** The first record that matches a filter. */
function first(session: Session, filter: string): number {
  expect(checkFilter(session, { filter })).toMatchObject({ problem: undefined });
  return records(session, { filter, offset: 0, length: 1 }).records[0]?.id ?? 0;
}

function traceOf(name: string, seed?: string): Promise<string> {
  const scenario = parseScenario(text(name), name);
  const parts: ConstructorParameters<typeof Blob>[0] & unknown[] = [];
  const sink = new JsonLinesSink(traceHeader(scenario, "full", seed ?? scenario.seed), (part) => parts.push(part));
  runScenario(scenario, { parts: LINUX_PARTS, traceLevel: "full", sinks: [sink], seed });
  sink.flush();
  return new Blob(parts).text();
}

describe("sessions", () => {
  test.each([DR, NAT, TUN])("the trace of %s is the one that the command line writes", async (name) => {
    expect(await traceFile(await open(scenarioSource(name))).text()).toBe(await traceOf(name));
  });

  test("a seed of one's own", async () => {
    const session = await open(scenarioSource(DR, [], "42"));
    expect(session.info.header.seed).toBe("42");
    expect(await traceFile(session).text()).toBe(await traceOf(DR, "42"));
  });

  test("a trace file says the same as the run that wrote it", async () => {
    const run = await open(scenarioSource(NAT));
    const read = await open({ kind: "trace", file: "nat.jsonl", blob: traceFile(run) });
    expect(read.info).toMatchObject({ recordCount: run.info.recordCount, roles: run.info.roles, firstFrameId: run.info.firstFrameId, originNs: run.info.originNs, header: run.info.header });
    expect(await traceFile(read).text()).toBe(await traceFile(run).text());
    expect(connections(read)).toEqual(connections(run));
    expect(moment(read, { id: 120, from: 100 })).toEqual(moment(run, { id: 120, from: 100 }));
  });

  test("roles come from what happened, not from names", async () => {
    expect((await open(scenarioSource(DR))).info.roles).toEqual({ node01: "director", node02: "server", node03: "server", node04: "client" });
    expect((await open(scenarioSource(TUN))).info.roles).toMatchObject({ router: "router", dr: "director", rs1: "server", client: "client" });
  });

  test("files that are none", async () => {
    await expect(open({ kind: "scenario", file: "x", text: "hosts: 3", seed: undefined, inputs: [] })).rejects.toBeInstanceOf(ScenarioError);
    await expect(open({ kind: "trace", file: "x", blob: new Blob(["hello"]) })).rejects.toBeInstanceOf(TraceReadError);
    await expect(open({ kind: "trace", file: "x", blob: new Blob([""]) })).rejects.toThrow("the trace is empty");
    const lines = (await traceOf(DR)).split("\n");
    await expect(open({ kind: "trace", file: "x", blob: new Blob([[...lines.slice(0, 5), ...lines.slice(6)].join("\n")]) })).rejects.toThrow("a part of the trace missing");
  });

  test("an opening can be given up", async () => {
    await expect(openSession(1, scenarioSource(NAT), { onProgress: () => undefined, pause: async () => true })).resolves.toBeDefined();
    await expect(openSession(1, { kind: "trace", file: "x", blob: new Blob([await traceOf(DR)]) }, { onProgress: () => undefined, pause: async () => true })).rejects.toBeInstanceOf(Cancelled);
  });

  test("a runaway run keeps what it did and says why it ended", async () => {
    const runaway = text(DR).replace(/timeline:[\s\S]*/, 'timeline:\n  - { at: 0s, host: node04, run: "while true; do :; done" }\n');
    const session = await open({ kind: "scenario", file: "runaway.yaml", text: runaway, seed: undefined, inputs: [] });
    expect(session.info.stopped).toMatchObject({ kind: "limit", message: expect.stringContaining("runaway.yaml:") });
    expect(session.info.recordCount).toBeGreaterThan(100);
  });
});

describe("typed lines", () => {
  const typed = (atS: number, host: string, line: string): TypedLine => ({ atNs: atS * NS, host, line });

  test("fork the run: the same until then, the original as it was", async () => {
    const original = (await traceFile(await open(scenarioSource(DR))).text()).split("\n");
    const fork = (await traceFile(await open(scenarioSource(DR, [typed(3, "node01", "ipvsadm -C")]))).text()).split("\n");
    const differs = original.findIndex((line, at) => line !== fork[at]);
    const record = JSON.parse(fork[differs] ?? "{}") as { timeNs: number; host: string };
    expect(record.host).toBe("node01");
    expect(record.timeNs).toBeGreaterThan(3 * NS);
    expect(original.slice(0, differs)).toEqual(fork.slice(0, differs));
    expect((await traceFile(await open(scenarioSource(DR))).text()).split("\n")).toEqual(original);
  });

  test("one shell a host: directory and variables stay, outputs have their times", async () => {
    const session = await open(scenarioSource(DR, [typed(3, "node02", "cd /var/www/html; x=7"), typed(3, "node02", "pwd; echo $x"), typed(3.1, "node02", "false"), typed(3.2, "nobody", "ls")]));
    const lines = outputs(session).filter(({ origin }) => origin === "input");
    expect(lines.map(({ exit }) => exit)).toEqual([0, 0, 1, 127]);
    expect(lines[1]?.pieces.map((piece) => piece.text).join("")).toBe("/var/www/html\n7\n");
    expect(lines[0]).toMatchObject({ prompt: "[root@node02 ~]# ", promptAfter: "[root@node02 html]# " });
    expect(lines[1]?.startNs).toBeGreaterThan(session.info.originNs + 3 * NS);
  });

  test("the run goes on until a typed command has ended; Ctrl-C ends it", async () => {
    const long = await open(scenarioSource(DR, [typed(4.9, "node04", "ping -c 5 192.168.247.134")]));
    const short = await open(scenarioSource(DR, [typed(4.9, "node04", "ping -c 5 192.168.247.134"), typed(6, "node04", INTERRUPT)]));
    const printed = (session: Session) => outputs(session).find(({ text: line }) => line.startsWith("ping"))?.pieces.map((piece) => piece.text).join("") ?? "";
    expect(printed(long)).toContain("5 packets transmitted, 5 received");
    expect(printed(short)).toContain("2 packets transmitted, 2 received");
    expect(long.info.endNs).toBeGreaterThan(short.info.endNs);
  });
});

describe("inspection", () => {
  test.each([
    { name: DR, filter: "kind == frame-sent && arp", layers: ["eth", "arp"] },
    { name: DR, filter: "kind == frame-sent && http", layers: ["eth", "ip", "tcp", "data"] },
    { name: TUN, filter: "kind == frame-sent && ipip && tcp.flags.syn", layers: ["eth", "ip", "ip", "tcp"] },
    { name: NAT, filter: "kind == frame-sent && icmp", layers: ["eth", "ip", "icmp", "data"] },
    { name: NAT, filter: "kind == packet-rewritten && tcp", layers: ["ip", "tcp"] },
  ])("$layers of $name", async ({ name, filter, layers }) => {
    const session = await open(scenarioSource(name));
    const inspection = inspect(session, { id: first(session, filter) });
    expect(inspection?.now?.layers.map(({ protocol }) => protocol)).toEqual(layers);
    const { bytes, layers: dissected = [] } = inspection?.now ?? {};
    // Layers follow each other without a gap, fields lie inside their layer.
    let at = 0;
    for (const layer of dissected) {
      expect(layer.offset).toBe(at);
      at += layer.length;
      for (const field of layer.fields) {
        expect(field.offset).toBeGreaterThanOrEqual(layer.offset);
        expect(field.offset + field.length).toBeLessThanOrEqual(layer.offset + layer.length);
      }
    }
    expect(at).toBe(bytes?.length);
  });

  test("a DR director's frame: before, after, and what decided", async () => {
    const session = await open(scenarioSource(DR));
    const inspection = inspect(session, { id: first(session, "host == node01 && kind == frame-sent && tcp.flags.syn") });
    const field = (of: "now" | "before", name: string) => inspection?.[of]?.layers.flatMap(({ fields }) => fields).find((one) => one.name === name)?.value;
    expect(field("before", "eth.dst")).toBe("02:00:00:00:00:02");
    expect(field("now", "eth.dst")).toBe("02:00:00:00:00:04");
    expect(field("now", "ip.dst")).toBe(field("before", "ip.dst"));
    expect(inspection?.changes.map((change) => change.field).sort()).toEqual(["eth.dst", "eth.src", "ip.ttl"]);
    const kinds = inspection?.decisions.map(({ kind }) => kind) ?? [];
    for (const kind of ["route", "scheduled", "ipvs-connection"]) expect(kinds).toContain(kind);
    const scheduled = inspect(session, { id: inspection?.decisions.find(({ kind }) => kind === "scheduled")?.id ?? 0 });
    expect(scheduled?.candidates.map(({ server, isChosen }) => `${server} ${isChosen}`)).toEqual(["192.168.247.136:80 true", "192.168.247.135:80 false"]);
    expect(Object.fromEntries(scheduled?.details ?? [])).toMatchObject({ client: "192.168.247.137", scheduler: "rr" });
  });

  test("there is no record 0", async () => {
    expect(inspect(await open(scenarioSource(DR)), { id: 0 })).toBeUndefined();
  });
});

describe("comparison", () => {
  test("a run is equal to itself; a fork parts where the line was typed", async () => {
    const original = await openSession(1, scenarioSource(DR), HOOKS);
    const fork = await openSession(2, scenarioSource(DR, [{ atNs: 1.5 * NS, host: "node01", line: "ipvsadm -C" }]), HOOKS);
    const lookUp = (id: number) => (id === 1 ? original : fork);
    expect(compare(original, { other: 1 }, lookUp)).toMatchObject({ first: [undefined, undefined], partNs: undefined });
    const different = compare(original, { other: 2 }, lookUp);
    expect(different.partNs).toBe(1.5 * NS + 1);
    expect(different.first[1]?.host).toBe("node01");
    const server = different.hosts.find(({ host }) => host === "node03");
    expect(server?.frames[0]).toBeGreaterThan(server?.frames[1] ?? 0);
  });
});

describe("questions", () => {
  test("steps forth and back end where they began", async () => {
    const session = await open(scenarioSource(DR));
    for (const unit of ["record", "frame", "match"] as const) {
      const there = step(session, { from: 200, direction: 1, unit, filter: "tcp" });
      const further = step(session, { from: there?.position.id ?? 0, direction: 1, unit, filter: "tcp" });
      const back = step(session, { from: further?.position.id ?? 0, direction: -1, unit, filter: "tcp" });
      expect(back?.position).toEqual(there?.position);
    }
    expect(step(session, { from: session.info.recordCount, direction: 1, unit: "frame" })).toBeUndefined();
    expect(step(session, { from: 200, direction: 1, unit: "match", filter: "no such" })).toBeUndefined();
    expect(step(session, { from: 130, direction: 1, unit: "host", host: "node01" })?.record?.host).toBe("node01");
  });

  test("a time leads to the last record before it", async () => {
    const session = await open(scenarioSource(DR));
    expect(momentAt(session, { timeNs: session.info.originNs }).record?.kind).toBe("origin");
    expect(momentAt(session, { timeNs: 99 * NS }).position.id).toBe(momentAt(session, { timeNs: session.info.endNs }).position.id);
  });

  test("a broadcast is on its way to all, then has arrived at each", async () => {
    const session = await open(scenarioSource(DR));
    const id = first(session, "arp.opcode == 1 && kind == frame-sent && arp.dst.proto_ipv4 == 192.168.247.100");
    const sent = moment(session, { id, from: id - 1 });
    expect(sent.current).toMatchObject({ isBroadcast: true, from: "node04", link: "lan", protocol: "arp" });
    expect(sent.flights[0]?.copies.map(({ node, fate }) => `${node} ${fate}`).sort()).toEqual(["node01 coming", "node02 coming", "node03 coming"]);
    expect(sent.motions.map(({ leg }) => leg)).toEqual(["out"]);
    const reply = first(session, "arp.opcode == 2 && arp.src.proto_ipv4 == 192.168.247.100");
    const later = moment(session, { id: reply, from: id });
    expect(later.motions.filter(({ leg, flight }) => leg === "in" && flight.id === id).length).toBeGreaterThan(0);
  });

  test.each([
    { mode: "DR", name: DR, filter: "host == node01 && kind == frame-sent && tcp.flags.syn", fields: ["eth.src", "eth.dst", "ip.ttl"] },
    { mode: "NAT", name: NAT, filter: "host == dr && kind == frame-sent && tcp.flags.syn", fields: ["eth.src", "eth.dst", "ip.dst", "ip.ttl"] },
    { mode: "TUN", name: TUN, filter: "host == dr && kind == frame-sent && ipip", fields: ["eth.src", "eth.dst", "ipip", "ip.ttl"] },
  ])("what a $mode director changes", async ({ name, filter, fields }) => {
    const session = await open(scenarioSource(name));
    const changes = moment(session, { id: first(session, filter) }).card?.changes.map(({ field }) => field) ?? [];
    expect(changes).toEqual(fields);
  });

  test("a connection is one on both sides of NAT, and another for each new port", async () => {
    const session = await open(scenarioSource(NAT));
    const all = connections(session).filter(({ protocol }) => protocol === "tcp");
    expect(new Set(all.map(({ client }) => client)).size).toBe(all.length);
    const one = all[0];
    const hosts = new Set(records(session, { filter: `conn == ${one?.number} && kind == frame-sent`, offset: 0, length: 500 }).records.map(({ host }) => host));
    expect([...hosts].sort()).toEqual(["client1", "dr", "rs2"]);
  });

  test.each([
    { name: NAT, hosts: ["client1", "dr", "rs2"] },
    { name: TUN, hosts: ["client", "dr", "router", "rs2"] },
  ])("the life of a SYN through $name", async ({ name, hosts }) => {
    const session = await open(scenarioSource(name));
    const id = first(session, "kind == frame-sent && tcp.flags.syn");
    const life = packetLife(session, { id });
    expect([...new Set(life.map(({ host }) => host))]).toEqual(hosts);
    expect(life.some(({ kind }) => kind === "scheduled")).toBe(true);
    expect(packetLife(session, { id: life.at(-1)?.id ?? 0 })).toEqual(life);
  });

  test("causes lead up to a command, effects down", async () => {
    const session = await open(scenarioSource(DR));
    const id = first(session, "kind == frame-received && tcp.flags.syn && host == node03");
    const chain = causes(session, { id });
    expect(chain[0]?.kind).toBe("command-start");
    expect(chain.at(-1)?.id).toBe(id);
    for (const [at, record] of chain.slice(1).entries()) expect(effects(session, { id: chain[at]?.id ?? 0 }).map((effect) => effect.id)).toContain(record.id);
  });

  test("tables are those after the rows of the record", async () => {
    const session = await open(scenarioSource(DR));
    const learned = first(session, 'kind == neighbour && host == node04 && text contains "192.168.247.100" && text contains REACHABLE');
    const state = (id: number) => tables(session, { id, owner: "node04" })?.neighbours?.rows.find(([, { address }]) => address === "192.168.247.100")?.[1].state;
    expect(state(learned - 1)).toBe("INCOMPLETE");
    const reply = first(session, "arp.opcode == 2 && kind == frame-received && arp.src.proto_ipv4 == 192.168.247.100");
    expect(state(step(session, { from: reply, direction: 1, unit: "frame" })?.position.id ?? 0)).toBe("REACHABLE");
    expect(tables(session, { id: learned, owner: "link/lan" })?.macs?.rows.length).toBeGreaterThan(0);
    const sysctls = tables(session, { id: learned, owner: "node04", rowsMax: 3 })?.sysctls;
    expect(sysctls?.rows.length).toBe(3);
    expect(sysctls?.total).toBeGreaterThan(100);
  });

  test("what changed between two positions, forth and back", async () => {
    const session = await open(scenarioSource(DR));
    const reply = first(session, "arp.opcode == 2 && kind == frame-received && arp.src.proto_ipv4 == 192.168.247.100");
    const next = step(session, { from: reply, direction: 1, unit: "frame" })?.position.id ?? 0;
    const changes = tableChanges(session, { from: reply, to: next });
    expect(changes.map(({ owner, table, change }) => `${owner} ${table} ${change}`)).toContain("node04 neighbours change");
    expect(tableChanges(session, { from: next, to: reply })).toEqual(changes);
    expect(tableChanges(session, { from: next, to: next })).toEqual([]);
  });

  test("density counts every record once, markers stand at records", async () => {
    const session = await open(scenarioSource(DR));
    const { all, frames, matches } = density(session, { fromNs: 0, toNs: session.info.endNs, bins: 100, filter: "arp" });
    const sum = (counts: Uint32Array) => counts.reduce((total, count) => total + count, 0);
    expect(sum(all)).toBe(checkFilter(session, { filter: "" }).count);
    expect(sum(frames)).toBe(checkFilter(session, { filter: "kind == frame-sent" }).count);
    expect(sum(matches)).toBe(checkFilter(session, { filter: "arp" }).count);
    const marks = markers(session, { fromNs: 0, toNs: session.info.endNs });
    expect(marks.filter(({ kind }) => kind === "command").length).toBe(parseScenario(text(DR), DR).timeline.length);
    expect(marks.some(({ kind, host, text: said }) => kind === "arp" && host === "node04" && said.includes("192.168.247.100"))).toBe(true);
  });

  test("windows of the matches", async () => {
    const session = await open(scenarioSource(DR));
    const window = records(session, { filter: "arp", offset: 3, length: 4 });
    expect(window.records.length).toBe(4);
    expect(indexOfRecord(session, { filter: "arp", id: window.records[0]?.id ?? 0 })).toBe(3);
    expect(indexOfRecord(session, { filter: "arp", id: 0 })).toBe(-1);
    expect(records(session, { filter: "no such field", offset: 0, length: 9 })).toMatchObject({ total: 0, records: [] });
  });
});
