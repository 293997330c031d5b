/**
 * The ladder: arrows, broadcasts, lost frames, drops, rewritten MACs, narrow terminals.
 */

import { expect, test } from "vitest";
import type { TraceEvent } from "../../../src/trace/events.ts";
import { formatLadder, LadderSink } from "../../../src/trace/ladder.ts";
import { ArpPacket, ETHERTYPE_ARP, ETHERTYPE_IPV4, EthernetFrame, Ipv4Packet, PROTOCOL_IPIP, PROTOCOL_TCP, TcpSegment } from "../../../src/wire/packet.ts";

const CLIENT = 0x020000000001;
const DIRECTOR = 0x020000000002;
const SERVER = 0x020000000003;
const BROADCAST = 0xffffffffffff;

const syn = new Ipv4Packet(0x0a000032, 0x0a000064, PROTOCOL_TCP, 64, new TcpSegment(40_000, 80, 1, 0, 2, 64_240));

function story(): TraceEvent[] {
  const who = new EthernetFrame(BROADCAST, CLIENT, ETHERTYPE_ARP, new ArpPacket(1, CLIENT, 0x0a000032, 0, 0x0a000064));
  const is = new EthernetFrame(CLIENT, DIRECTOR, ETHERTYPE_ARP, new ArpPacket(2, DIRECTOR, 0x0a000064, CLIENT, 0x0a000032));
  const there = new EthernetFrame(DIRECTOR, CLIENT, ETHERTYPE_IPV4, syn);
  const on = new EthernetFrame(SERVER, DIRECTOR, ETHERTYPE_IPV4, syn.copy());
  const tunnel = new EthernetFrame(SERVER, DIRECTOR, ETHERTYPE_IPV4, new Ipv4Packet(1, 2, PROTOCOL_IPIP, 64, syn));
  const base = { cause: 0 };
  return [
    { ...base, id: 1, timeNs: 1_000_000_000, kind: "frame-sent", host: "client", device: "eth0", frame: who },
    { ...base, id: 2, timeNs: 1_000_010_000, kind: "frame-received", host: "director", device: "eth0", frame: who, cause: 1 },
    { ...base, id: 3, timeNs: 1_000_010_000, kind: "frame-received", host: "rs1", device: "eth0", frame: who, cause: 1 },
    { ...base, id: 4, timeNs: 1_000_010_000, kind: "frame-sent", host: "director", device: "eth0", frame: is },
    { ...base, id: 5, timeNs: 1_000_020_000, kind: "frame-received", host: "client", device: "eth0", frame: is, cause: 4 },
    { ...base, id: 6, timeNs: 1_000_020_000, kind: "frame-sent", host: "client", device: "eth0", frame: there },
    { ...base, id: 7, timeNs: 1_000_030_000, kind: "frame-received", host: "director", device: "eth0", frame: there, cause: 6 },
    { ...base, id: 20, timeNs: 1_000_030_000, kind: "frame-received", host: "rs1", device: "eth0", frame: there, cause: 6 },
    { ...base, id: 21, timeNs: 1_000_030_000, kind: "frame-dropped", host: "rs1", device: "eth0", reason: "OTHERHOST", frame: there, cause: 20 },
    { ...base, id: 8, timeNs: 1_000_030_000, kind: "frame-sent", host: "director", device: "eth0", frame: on },
    { ...base, id: 9, timeNs: 1_000_040_000, kind: "frame-received", host: "rs1", device: "eth0", frame: on, cause: 8 },
    { ...base, id: 10, timeNs: 1_000_040_000, kind: "packet-dropped", host: "rs1", reason: "IP_RPFILTER", packet: syn, detail: "rp_filter = 1", cause: 9 },
    { ...base, id: 11, timeNs: 2_000_000_000, kind: "link", host: "rs1", device: "eth0", state: "down" },
    { ...base, id: 12, timeNs: 2_000_000_000, kind: "frame-sent", host: "director", device: "eth0", frame: tunnel },
    { ...base, id: 13, timeNs: 2_000_000_000, kind: "frame-dropped", host: "lan", device: "", reason: "LINK_DOWN", frame: tunnel, cause: 12 },
  ];
}

const HOSTS = ["client", "director", "rs1"];

test("a story of three hosts", () => {
  expect(formatLadder(story(), { hosts: HOSTS, width: 120, originNs: 1_000_000_000 })).toEqual([
    "       time  client    director  rs1",
    "   0.000000  o────────▶│────────▶│         ARP who-has 10.0.0.100 tell 10.0.0.50",
    "   0.000010  │◀────────o         │         ARP 10.0.0.100 is-at 02:00:00:00:00:02",
    "   0.000020  o────────▶│         │         10.0.0.50.40000 > 10.0.0.100.80 [S]",
    "   0.000030  │         o────────▶│         10.0.0.50.40000 > 10.0.0.100.80 [S]  MAC :02 => :03",
    "   0.000040  │         │         ✕         dropped: IP_RPFILTER, rp_filter = 1",
    "   1.000000  │         │         *         rs1.eth0 down",
    "   1.000000  │         ✕         │         0.0.0.1 > 0.0.0.2 IPIP (10.0.0.50.40000 > 10.0.0.100.80 [S])  lost on the li…",
  ]);
});

test("ASCII only", () => {
  const text = formatLadder(story(), { hosts: HOSTS, width: 120, isAscii: true }).join("\n");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is all of ASCII
  expect(text).toMatch(/^[\x00-\x7f]*$/);
  expect(text).toContain("o-------->|-------->|");
});

test.each([60, 80, 100, 132, 200])("no line is wider than %i columns", (width) => {
  for (const line of formatLadder(story(), { hosts: HOSTS, width })) {
    // Of the text at least 20 characters are shown, and the mark of a rewritten MAC whole, however narrow the terminal.
    expect(line.length).toBeLessThanOrEqual(Math.max(width, line.includes("=>") ? 75 : 0));
  }
});

test("many hosts get letters and a legend", () => {
  const hosts = Array.from({ length: 12 }, (_, index) => (index === 0 ? "client" : index === 1 ? "director" : index === 2 ? "rs1" : `server-number-${index}`));
  const lines = formatLadder(story(), { hosts, width: 100 });
  expect(lines[0]).toMatch(/^a client {2}b director {2}c rs1 {2}d server-number-3/);
  expect(lines.find((line) => line.includes("time"))).toMatch(/time {2}a {3}b {3}c/);
});

test("colours go around pieces and change nothing else", () => {
  const plain = formatLadder(story(), { hosts: HOSTS, width: 120 });
  const parts = new Set<string>();
  const styled = formatLadder(story(), {
    hosts: HOSTS,
    width: 120,
    style: (part, text) => {
      parts.add(part);
      return `<${text}>`;
    },
  });
  expect(styled.map((line) => line.replace(/<(?=[^<]*>)|(?<=<[^>]*)>/g, "")).length).toBe(plain.length);
  expect([...parts].sort()).toEqual(["arp", "drop", "host", "lane", "note", "rewritten", "tcp", "time", "tunnel"]);
});

test("rows beyond the bound are counted", () => {
  expect(formatLadder(story(), { hosts: HOSTS, width: 120, rowsMax: 2 }).slice(-1)).toEqual(["... 5 more rows"]);
});

test("nothing sent, nothing drawn", () => {
  expect(formatLadder([], { hosts: HOSTS, width: 80 })).toEqual([]);
});

test("the sink stops at its bound and says so once", () => {
  let fullCount = 0;
  const sink = new LadderSink(2, () => {
    fullCount++;
  });
  for (const event of story()) sink.write(event);
  expect([sink.frameCount, sink.isFull, fullCount]).toEqual([2, true, 1]);
});
