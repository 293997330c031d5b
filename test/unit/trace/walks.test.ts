/**
 * Filters, walks along causes and tables followed forwards, on real runs.
 */

import { describe, expect, test } from "vitest";
import { parseIpv4Address } from "../../../src/base/ipv4-address.ts";
import { describeRecord } from "../../../src/trace/describe.ts";
import type { TraceEvent, TraceKind } from "../../../src/trace/events.ts";
import { type RecordFilter, RecordMatcher } from "../../../src/trace/filter.ts";
import { CauseIndex, EffectWalk, PacketLife } from "../../../src/trace/life.ts";
import { TRACE_KINDS } from "../../../src/trace/record-reader.ts";
import { TableFollower, TableTimeline } from "../../../src/trace/table-timeline.ts";
import { SCENARIO_FILES, tracedRun } from "../../helpers/traced-run.ts";

const nat = tracedRun("test/conformance/nat-port-mapping.yaml").events;
const tun = tracedRun("test/conformance/tun-two-sites.yaml").events;
const dr = tracedRun("scenarios/documents/dr-10.168.yaml").events;

function pass(events: readonly TraceEvent[], filter: RecordFilter): TraceEvent[] {
  const matcher = new RecordMatcher(filter);
  return events.filter((event) => matcher.matches(event));
}

function indexOf(events: readonly TraceEvent[]): CauseIndex {
  const index = new CauseIndex();
  for (const event of events) index.write(event);
  return index;
}

function lifeOf(events: readonly TraceEvent[], id: number): readonly TraceEvent[] {
  const life = new PacketLife(id, indexOf(events).chain(id));
  for (const event of events) life.write(event);
  return life.events;
}

describe("filters", () => {
  const prefix = (text: string, prefixLength = 32) => ({ address: parseIpv4Address(text) as number, prefixLength });

  test("without fields everything passes", () => {
    expect(pass(nat, {})).toEqual(nat);
  });

  test("addresses are found inside tunnels and ICMP quotes", () => {
    const inTunnel = pass(tun, { addresses: [prefix("198.51.100.9")], kinds: ["frame-sent"], protocols: ["ipip"] });
    expect(inTunnel.length).toBeGreaterThan(5);
    // The outer addresses are not the client's.
    for (const event of inTunnel) expect(event.kind === "frame-sent" && event.frame.payload.kind === "ipv4" && event.frame.payload.src).not.toBe(parseIpv4Address("198.51.100.9"));
    const quoted = tracedRun("test/conformance/net-unreachable.yaml").events;
    const errors = pass(quoted, { kinds: ["frame-sent"], protocols: ["icmp"] }).filter((event) => event.kind === "frame-sent" && event.frame.payload.kind === "ipv4" && event.frame.payload.payload.kind === "icmp" && event.frame.payload.payload.quoted !== undefined);
    expect(errors.length).toBeGreaterThan(0);
    for (const event of errors) {
      const quote = event.kind === "frame-sent" && event.frame.payload.kind === "ipv4" && event.frame.payload.payload.kind === "icmp" ? event.frame.payload.payload.quoted : undefined;
      expect(pass([event], { addresses: [prefix("0.0.0.0", 0), { address: quote?.dst as number, prefixLength: 32 }] })).toEqual([event]);
    }
  });

  test("fields are met together, values of one field one by one", () => {
    const both = pass(nat, { kinds: ["frame-sent", "frame-received"], places: ["rs1", "rs2"] });
    const parts = ["rs1", "rs2"].flatMap((place) => ["frame-sent", "frame-received"].map((kind) => pass(nat, { kinds: [kind], places: [place] }).length));
    expect(both.length).toBe(parts.reduce((sum, count) => sum + count, 0));
    expect(parts.every((count) => count > 0)).toBe(true);
  });

  test("times count from the origin, both ends included", () => {
    const originNs = nat.find((event) => event.kind === "origin")?.timeNs as number;
    const wanted = nat.filter((event) => event.timeNs - originNs >= 1e9 && event.timeNs - originNs <= 1.03e9);
    expect(wanted.length).toBeGreaterThan(3);
    expect(pass(nat, { fromNs: 1e9, toNs: 1.03e9 })).toEqual(wanted);
  });

  test("a record without what is looked for does not pass", () => {
    for (const filter of [{ ports: [1] }, { protocols: ["vrrp"] }, { connection: ["10.9.9.9:1"] }, { reasons: ["IP_TTL"] }, { addresses: [prefix("9.9.9.9")] }]) expect(pass(nat, filter)).toEqual([]);
  });
});

describe("walks", () => {
  test("the chain of every record goes back to where it began, step by step", () => {
    const index = indexOf(nat);
    const byId = new Map(nat.map((event) => [event.id, event]));
    for (const event of nat) {
      const chain = index.chain(event.id);
      expect(chain.at(-1)).toBe(event.id);
      expect(byId.get(chain[0] as number)?.cause).toBe(0);
      for (let i = 1; i < chain.length; i++) expect(byId.get(chain[i] as number)?.cause).toBe(chain[i - 1]);
    }
  });

  test("a record follows from another exactly when that is in its chain", () => {
    const index = indexOf(nat);
    for (const from of nat.filter((event) => event.kind === "frame-sent").slice(0, 12)) {
      const walk = new EffectWalk(from.id);
      for (const event of nat) expect(walk.matches(event)).toBe(index.chain(event.id).includes(from.id));
    }
  });

  test.each([
    ["NAT", nat, ["command-start", "frame-sent", "frame-received", "scheduled", "packet-rewritten", "frame-sent", "frame-received", "tcp-state"]],
    ["direct routing", dr, ["command-start", "frame-sent", "frame-received", "scheduled", "packet-rewritten", "frame-sent", "frame-received", "tcp-state"]],
    ["a tunnel", tun, ["command-start", "frame-sent", "frame-received", "packet-rewritten", "frame-sent", "frame-received", "scheduled", "packet-encapsulated", "frame-sent", "packet-decapsulated", "packet-passed", "tcp-state"]],
  ] as [string, readonly TraceEvent[], TraceKind[]][])("the first SYN by %s lives from the client's command to the server's socket", (_method, events, kinds) => {
    const scheduled = events.find((event) => event.kind === "scheduled") as TraceEvent;
    const life = lifeOf(events, scheduled.id);
    let at = 0;
    for (const event of life) if (event.kind === kinds[at]) at++;
    expect(kinds.slice(at)).toEqual([]);
    // From any step of the packet itself it is the same life.
    const own = life.filter((event) => event.kind === "frame-received" || event.kind.startsWith("packet-"));
    expect(own.length).toBeGreaterThan(2);
    for (const event of own) expect(lifeOf(events, event.id).map(({ id }) => id)).toEqual(life.map(({ id }) => id));
  });

  test("the life of a packet that died ends with its reason", () => {
    const dropped = tun.find((event) => event.kind === "packet-dropped" && event.reason === "IP_RPFILTER") as TraceEvent;
    const life = lifeOf(tun, dropped.id);
    expect(life.filter((event) => event.kind === "frame-sent").length).toBeGreaterThan(0);
    expect(life.at(-1)).toBe(dropped);
  });

  test("the life of a command is what led to it and what followed at once", () => {
    const curl = nat.find((event) => event.kind === "command-start" && event.command.startsWith("curl")) as TraceEvent;
    const life = lifeOf(nat, curl.id);
    expect(life[0]?.id).toBe(curl.cause);
    for (const event of life.slice(2)) expect(event.cause).toBe(curl.id);
  });
});

describe("tables followed forwards are those of the timeline", () => {
  test.each(SCENARIO_FILES.filter((_, i) => i % 8 === 0))("%s", (file) => {
    const { events } = tracedRun(file);
    const timeline = new TableTimeline(events);
    const follower = new TableFollower();
    for (const [i, event] of events.entries()) {
      follower.add(event);
      if (i % 150 !== 0) continue;
      const nowNs = event.timeNs;
      // Some records of the same time are still to come: those before are told by their ids.
      expect(follower.read(nowNs)).toEqual(timeline.afterRecord(event.id));
    }
    const endNs = events.at(-1)?.timeNs as number;
    expect(follower.read(endNs)).toEqual(timeline.at(endNs));
  });
});

test("every kind of record is put into words on one line", () => {
  const seen = new Map<string, string>();
  for (const file of SCENARIO_FILES) {
    if (seen.size === TRACE_KINDS.length) break;
    for (const event of tracedRun(file).events) {
      if (seen.has(event.kind)) continue;
      seen.set(event.kind, describeRecord(event));
    }
  }
  expect([...seen.keys()].sort()).toEqual([...TRACE_KINDS].sort());
  for (const [kind, text] of seen) expect(`${kind}: ${text}`).toMatch(/^[a-z-]+: \S[^\n]*$/);
});
