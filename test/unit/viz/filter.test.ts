/**
 * The display filter: what it matches, and what it says to mistakes.
 */

import { describe, expect, test } from "vitest";
import { parseIpv4Address } from "../../../src/base/ipv4-address.ts";
import type { TraceEvent } from "../../../src/trace/events.ts";
import { ArpPacket, EthernetFrame, Ipv4Packet, TCP_ACK, TCP_SYN, TcpSegment } from "../../../src/wire/packet.ts";
import { compileFilter } from "../../../viz/src/filter/filter.ts";
import { FilterError } from "../../../viz/src/filter/filter-parser.ts";

const ip = (text: string) => parseIpv4Address(text) as number;
const context = { originNs: 1_000_000_000, connectionOf: (id: number) => (id === 2 ? 7 : 0), packetOf: () => 0 };

const syn = new Ipv4Packet(ip("10.0.0.1"), ip("10.0.0.100"), 6, 64, new TcpSegment(4000, 80, 1, 0, TCP_SYN, 100));
const tunnel = new Ipv4Packet(ip("192.168.1.1"), ip("192.168.1.2"), 4, 63, syn);
const ack = new Ipv4Packet(ip("10.0.0.1"), ip("10.0.0.100"), 6, 64, new TcpSegment(4000, 80, 2, 1, TCP_ACK, 100));

const EVENTS: Readonly<Record<string, TraceEvent>> = {
  arp: { id: 1, timeNs: 1_000_000_000, cause: 0, host: "client", kind: "frame-sent", device: "eth0", frame: new EthernetFrame(0xffffffffffff, 0x020000000001, 0x806, new ArpPacket(1, 0x020000000001, ip("10.0.0.1"), 0, ip("10.0.0.100"))) },
  syn: { id: 2, timeNs: 2_000_000_000, cause: 0, host: "client", kind: "frame-sent", device: "eth0", frame: new EthernetFrame(0x020000000002, 0x020000000001, 0x800, syn) },
  tun: { id: 3, timeNs: 3_000_000_000, cause: 2, host: "director", kind: "frame-sent", device: "eth1", frame: new EthernetFrame(0x020000000003, 0x020000000002, 0x800, tunnel) },
  ack: { id: 4, timeNs: 4_000_000_000, cause: 0, host: "client", kind: "frame-received", device: "eth0", frame: new EthernetFrame(0x020000000002, 0x020000000001, 0x800, ack) },
  drop: { id: 5, timeNs: 5_000_000_000, cause: 3, host: "rs1", kind: "packet-dropped", reason: "IP_RPFILTER", detail: "rp_filter = max(all 1, eth0 0) = 1", packet: syn },
  command: { id: 6, timeNs: 6_000_000_000, cause: 0, host: "rs1", kind: "command-start", pid: 1, command: "ipvsadm -Ln" },
};

test.each([
  ["", "arp syn tun ack drop command"],
  ["arp", "arp"],
  ["tcp", "syn tun ack drop"],
  ["!tcp", "arp command"],
  ["not (tcp or arp)", "command"],
  ["host == client", "arp syn ack"],
  ["host != client", "tun drop command"],
  ["host in { rs1, director }", "tun drop command"],
  ["kind == frame-sent && tcp", "syn tun"],
  ["kind contains frame", "arp syn tun ack"],
  ["tcp.flags.syn", "syn tun drop"],
  ["tcp.flags.syn == 0", "ack"],
  ["tcp.port == 80", "syn tun ack drop"],
  ["tcp.srcport > 4000", ""],
  ["tcp.srcport >= 0xfa0", "syn tun ack drop"],
  ["ip.addr == 192.168.1.0/24", "tun"],
  ["ip.dst == 10.0.0.100", "syn tun ack drop"],
  ["ip.dst != 10.0.0.100", ""],
  ["ipip and ip.src == 10.0.0.1", "tun"],
  ["eth.dst == ff:ff:ff:ff:ff:ff", "arp"],
  ["arp.dst.proto_ipv4 == 10.0.0.100", "arp"],
  ["drop", "drop"],
  ["drop matches ^ip_", "drop"],
  ["time >= 2 && time < 4", "tun ack"],
  ["conn == 7", "syn"],
  ['command contains "ipvsadm -l"', "command"],
  ["tcp || arp && host == rs1", "syn tun ack drop"],
])("%s matches %s", (filter, expected) => {
  const matches = compileFilter(filter);
  const names = Object.entries(EVENTS).filter(([, event]) => matches === undefined || matches(event, context));
  expect(names.map(([name]) => name).join(" ")).toBe(expected);
});

describe("mistakes", () => {
  test.each([
    ["tcp.prot == 80", 0, "did you mean tcp.port?"],
    ["tcp.port == eighty", 12, "no number"],
    ["host ==", 7, "a value is missing"],
    ["(tcp", 4, "a ) is missing"],
    ["tcp)", 3, "there is no ( for this )"],
    ["tcp arp", 4, "&& or || is missing"],
    ['host == "rs1', 8, "the quote is not closed"],
    ["ip.src == 10.0.0", 10, "no IPv4 address"],
    ["eth.src == 02", 11, "no MAC address"],
    ["host in { }", 11, "the set is empty"],
    ["arp == maybe", 7, "neither true nor false"],
    ["text matches (", 13, "a value is missing"],
    ['text matches "("', 13, "no regular expression"],
    ["tcp & arp", 4, "not known here"],
    ["constructor == 1", 0, "is no field"],
    [`${"!".repeat(200)}tcp`, 100, "at most 100 deep"],
  ])("%s at %i: %s", (filter, at, message) => {
    let thrown: unknown;
    try {
      compileFilter(filter);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(FilterError);
    expect((thrown as FilterError).message).toContain(message);
    expect((thrown as FilterError).at).toBe(at);
  });
});
