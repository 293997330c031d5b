/**
 * What the engine makes of records that no document of the gallery has: elections of masters, addresses that move, dark interfaces.
 */

import { expect, test } from "vitest";
import type { TraceEvent } from "../../../src/trace/events.ts";
import { RoleReader } from "../../../src/report/roles.ts";
import { EthernetFrame, Ipv4Packet, PROTOCOL_VRRP, VrrpAdvert } from "../../../src/wire/packet.ts";
import { moment } from "../../../viz/src/engine/queries/moment.ts";
import { markers } from "../../../viz/src/engine/queries/window.ts";
import { RecordOrderError, RecordStore } from "../../../viz/src/engine/record-store.ts";
import type { Session } from "../../../viz/src/engine/session.ts";

const NS = 1_000_000_000;
const VIP = 0x0a000064;

const interfaceOf = (mac: string) => [{ name: "eth0", link: "lan", mac }];
const HEADER: Session["header"] = {
  format: "lvsim-trace",
  version: 1,
  level: "packets",
  title: "failover",
  seed: "1",
  hosts: [
    { name: "first", interfaces: interfaceOf("02:00:00:00:00:01") },
    { name: "second", interfaces: interfaceOf("02:00:00:00:00:02") },
    { name: "client1", interfaces: interfaceOf("02:00:00:00:00:03") },
  ],
  links: ["lan"],
  scenario: null,
};

function advert(host: string, mac: number): Omit<TraceEvent & { kind: "frame-sent" }, "id" | "timeNs"> {
  const packet = new Ipv4Packet(0x0a000001, 0xe0000012, PROTOCOL_VRRP, 255, new VrrpAdvert(2, 51, 100, 1, [VIP], 0, new Uint8Array(8)));
  return { kind: "frame-sent", host, cause: 0, device: "eth0", frame: new EthernetFrame(0x01005e000012, mac, 0x800, packet) };
}

const neighbour = (mac: number, before: string, after: string) => ({ kind: "neighbour" as const, host: "client1", cause: 0, device: "eth0", address: VIP, mac, before, after });
const link = (state: "up" | "down" | "crashed", device: string) => ({ kind: "link" as const, host: "first", cause: 0, device, state });

/** A session of records a second apart. */
function sessionOf(...events: readonly Record<string, unknown>[]): Session {
  const store = new RecordStore();
  for (const [index, event] of events.entries()) store.write({ id: index + 1, timeNs: index * NS, ...event } as unknown as TraceEvent);
  return { header: HEADER, store, outputs: [], cache: new Map() } as unknown as Session;
}

test("another host advertises: a failover; both are directors", () => {
  const session = sessionOf(advert("first", 1), advert("first", 1), advert("second", 2), advert("second", 2), advert("first", 1));
  expect(markers(session, { fromNs: 0, toNs: 10 * NS }).map(({ id, kind }) => `${id} ${kind}`)).toEqual(["3 failover", "5 failover"]);
  const reader = new RoleReader(HEADER);
  for (const event of session.store.records) reader.write(event);
  expect(reader.roles()).toEqual({ first: "director", second: "director", client1: "client" });
});

test("an address is learned, confirmed, taken over: two changes", () => {
  const session = sessionOf(neighbour(0, "NONE", "INCOMPLETE"), neighbour(1, "INCOMPLETE", "REACHABLE"), neighbour(1, "REACHABLE", "STALE"), neighbour(2, "STALE", "STALE"), neighbour(2, "STALE", "DELAY"));
  expect(markers(session, { fromNs: 0, toNs: 10 * NS }).map(({ id, kind }) => `${id} ${kind}`)).toEqual(["2 arp", "4 arp"]);
});

test("interfaces are dark from their record on, and back again", () => {
  const session = sessionOf(link("down", "eth0"), advert("second", 2), link("up", "eth0"), link("crashed", ""));
  expect([1, 2, 3, 4].map((id) => moment(session, { id }).down)).toEqual([["first.eth0"], ["first.eth0"], [], ["first.eth0"]]);
});

test("records must follow each other", () => {
  const store = new RecordStore();
  expect(() => store.write({ id: 2, timeNs: 0, cause: 0, host: "", kind: "origin" })).toThrow(RecordOrderError);
});
