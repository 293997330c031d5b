import { expect, test } from "vitest";
import { BROADCAST_MAC } from "../../../src/base/mac-address.ts";
import { SCOPE_HOST } from "../../../src/host/device.ts";
import { ArpPacket, ETHERTYPE_ARP, EthernetFrame } from "../../../src/wire/packet.ts";
import { ip, Laboratory } from "./two-hosts.ts";

const ASKER_MAC = 0x02000000aa01;

/** Who answers what: the real server of the ARP chapter, eth0 192.168.247.11/24 with a VIP on lo and other addresses. */
function server() {
  const lab = new Laboratory();
  const rs = lab.host("rs", { eth0: "lan 192.168.247.11/24 192.168.247.102/32", eth1: "other 10.5.0.1/24" });
  const eth0 = rs.devices.byName("eth0");
  if (eth0 === undefined) throw new Error("no eth0");
  lab.address(rs, rs.devices.loopback, "192.168.247.100/32");
  lab.address(rs, rs.devices.loopback, "192.168.247.101/32", SCOPE_HOST);
  lab.address(rs, eth0, "192.168.247.103/32", SCOPE_HOST);
  lab.address(rs, eth0, "10.7.0.1/24");
  return { lab, rs, eth0 };
}

function ask(target: string, sender: string, set: Record<string, string> = {}): boolean {
  const { lab, rs, eth0 } = server();
  for (const [key, value] of Object.entries(set)) expect(rs.sysctl.write(key, value)).toBe(undefined);
  const request = new ArpPacket(1, ASKER_MAC, ip(sender), 0, ip(target));
  rs.arp.receive(eth0, new EthernetFrame(BROADCAST_MAC, ASKER_MAC, ETHERTYPE_ARP, request));
  lab.run(2);
  return lab.frames.some(
    (seen) =>
      seen.direction === "out" && seen.frame.payload instanceof ArpPacket && seen.frame.payload.operation === 2 && seen.frame.payload.senderIp === ip(target),
  );
}

// One row of the table of arp_ignore levels as the kernel was seen to answer; R: reply, -: silence.
test.each([
  { what: "eth0's own address", target: "192.168.247.11", sender: "192.168.247.20", answers: "RRRRRRRR-R" },
  { what: "VIP on lo, scope global", target: "192.168.247.100", sender: "192.168.247.20", answers: "R--RRRRR-R" },
  { what: "VIP on lo, scope host", target: "192.168.247.101", sender: "192.168.247.20", answers: "R---RRRR-R" },
  { what: "/32 on eth0, scope global", target: "192.168.247.102", sender: "192.168.247.20", answers: "RRRRRRRR-R" },
  { what: "/32 on eth0, scope host", target: "192.168.247.103", sender: "192.168.247.20", answers: "RRR-RRRR-R" },
  { what: "address of another interface", target: "10.5.0.1", sender: "192.168.247.20", answers: "R--RRRRR-R" },
  { what: "second subnet on eth0", target: "10.7.0.1", sender: "192.168.247.20", answers: "RR-RRRRR-R" },
  { what: "own address asked from off the subnet", target: "192.168.247.11", sender: "10.99.0.9", answers: "RR-RRRRR-R" },
  { what: "own address asked from 0.0.0.0", target: "192.168.247.11", sender: "0.0.0.0", answers: "RRRRRRRR-R" },
])("arp_ignore 0 to 9: $what -> $answers", ({ target, sender, answers }) => {
  let got = "";
  for (let level = 0; level <= 9; level++) got += ask(target, sender, { "net.ipv4.conf.eth0.arp_ignore": String(level) }) ? "R" : "-";
  expect(got).toBe(answers);
});

test.each([
  { why: "an address nobody has", target: "192.168.247.55", sender: "192.168.247.20", set: {}, answered: false },
  {
    why: "the larger of all and the interface counts",
    target: "192.168.247.100",
    sender: "192.168.247.20",
    set: { "net.ipv4.conf.all.arp_ignore": "1" },
    answered: false,
  },
  { why: "lo does not matter", target: "192.168.247.100", sender: "192.168.247.20", set: { "net.ipv4.conf.lo.arp_ignore": "1" }, answered: true },
  { why: "rp_filter 1, source without route", target: "192.168.247.11", sender: "10.99.0.9", set: { "net.ipv4.conf.eth0.rp_filter": "1" }, answered: false },
  { why: "rp_filter 2, source without route", target: "192.168.247.11", sender: "10.99.0.9", set: { "net.ipv4.conf.eth0.rp_filter": "2" }, answered: false },
  { why: "rp_filter 1, asymmetric source", target: "192.168.247.11", sender: "10.5.0.9", set: { "net.ipv4.conf.eth0.rp_filter": "1" }, answered: false },
  { why: "rp_filter 2, asymmetric source", target: "192.168.247.11", sender: "10.5.0.9", set: { "net.ipv4.conf.eth0.rp_filter": "2" }, answered: true },
  { why: "our own address as sender", target: "192.168.247.11", sender: "192.168.247.100", set: {}, answered: false },
  { why: "gratuitous, for our address", target: "192.168.247.11", sender: "192.168.247.11", set: {}, answered: false },
  { why: "loopback target", target: "127.0.0.1", sender: "192.168.247.20", set: {}, answered: false },
  {
    why: "arp_filter, way back through the other interface",
    target: "192.168.247.11",
    sender: "10.5.0.9",
    set: { "net.ipv4.conf.eth0.arp_filter": "1" },
    answered: false,
  },
  {
    why: "arp_filter, way back through the same",
    target: "192.168.247.11",
    sender: "192.168.247.20",
    set: { "net.ipv4.conf.eth0.arp_filter": "1" },
    answered: true,
  },
  { why: "proxy_arp without forwarding", target: "10.5.0.9", sender: "192.168.247.20", set: { "net.ipv4.conf.eth0.proxy_arp": "1" }, answered: false },
  {
    why: "proxy_arp with forwarding",
    target: "10.5.0.9",
    sender: "192.168.247.20",
    set: { "net.ipv4.conf.eth0.proxy_arp": "1", "net.ipv4.ip_forward": "1" },
    answered: true,
  },
  {
    why: "no proxy_arp within one interface",
    target: "192.168.247.77",
    sender: "192.168.247.20",
    set: { "net.ipv4.conf.eth0.proxy_arp": "1", "net.ipv4.ip_forward": "1" },
    answered: false,
  },
  {
    why: "proxy_arp_pvlan within one interface",
    target: "192.168.247.77",
    sender: "192.168.247.20",
    set: { "net.ipv4.conf.eth0.proxy_arp_pvlan": "1", "net.ipv4.ip_forward": "1" },
    answered: true,
  },
])("ARP request: $why -> $answered", ({ target, sender, set, answered }) => {
  expect(ask(target, sender, set as Record<string, string>)).toBe(answered);
});

// Who tells: sender address of the request for 192.168.247.20 when a packet from `source` wants to go there.
test.each([
  { source: "192.168.247.100", level: 0, tells: "192.168.247.100" },
  { source: "192.168.247.100", level: 1, tells: "192.168.247.100" },
  { source: "192.168.247.100", level: 2, tells: "192.168.247.11" },
  { source: "10.5.0.1", level: 0, tells: "10.5.0.1" },
  { source: "10.5.0.1", level: 1, tells: "192.168.247.11" },
  { source: "10.5.0.1", level: 2, tells: "192.168.247.11" },
  { source: "192.168.247.100", level: 3, tells: "192.168.247.100" },
])("arp_announce $level, packet from $source -> tells $tells", ({ source, level, tells }) => {
  const { lab, rs } = server();
  rs.sysctl.write("net.ipv4.conf.all.arp_announce", String(level));
  const socket = rs.icmp.openEcho(() => {});
  socket.send({ destination: ip("192.168.247.20"), source: ip(source), sequence: 1, payload: new Uint8Array(8) });
  lab.run(0.5);
  expect(lab.dump("rs", "eth0", "out")).toEqual([`ARP, Request who-has 192.168.247.20 tell ${tells}, length 28`]);
});

type Learnt = { state: string; mac: number } | undefined;

function learn(options: { known?: "none" | "fresh" | "old" | "permanent"; arp: ArpPacket; to: number; set?: Record<string, string> }): Learnt {
  const { lab, rs, eth0 } = server();
  for (const [key, value] of Object.entries(options.set ?? {})) rs.sysctl.write(key, value);
  const address = ip("192.168.247.20");
  const known = options.known ?? "none";
  if (known !== "none") rs.neighbours.set(eth0, address, 0x020000000099, known === "permanent" ? "PERMANENT" : "REACHABLE", "add");
  lab.run(known === "fresh" ? 0.5 : 2);
  rs.arp.receive(eth0, new EthernetFrame(options.to, ASKER_MAC, ETHERTYPE_ARP, options.arp));
  const entry = rs.neighbours.lookup(eth0, address);
  return entry === undefined ? undefined : { state: entry.state, mac: entry.mac };
}

const SENDER = ip("192.168.247.20");
const OWN = ip("192.168.247.11");
const OWN_MAC = 0x020000000001;
const OTHER = 0x020000000099;

test.each([
  {
    why: "request for us makes an entry",
    known: "none",
    arp: new ArpPacket(1, ASKER_MAC, SENDER, 0, OWN),
    to: BROADCAST_MAC,
    result: { state: "STALE", mac: ASKER_MAC },
  },
  {
    why: "request for us changes a MAC within locktime",
    known: "fresh",
    arp: new ArpPacket(1, ASKER_MAC, SENDER, 0, OWN),
    to: BROADCAST_MAC,
    result: { state: "STALE", mac: ASKER_MAC },
  },
  {
    why: "request for us, same MAC, keeps the state",
    known: "fresh",
    arp: new ArpPacket(1, OTHER, SENDER, 0, OWN),
    to: BROADCAST_MAC,
    result: { state: "REACHABLE", mac: OTHER },
  },
  {
    why: "request for another makes none",
    known: "none",
    arp: new ArpPacket(1, ASKER_MAC, SENDER, 0, ip("192.168.247.30")),
    to: BROADCAST_MAC,
    result: undefined,
  },
  {
    why: "request for another changes an old entry",
    known: "old",
    arp: new ArpPacket(1, ASKER_MAC, SENDER, 0, ip("192.168.247.30")),
    to: BROADCAST_MAC,
    result: { state: "STALE", mac: ASKER_MAC },
  },
  {
    why: "request for another is ignored within locktime",
    known: "fresh",
    arp: new ArpPacket(1, ASKER_MAC, SENDER, 0, ip("192.168.247.30")),
    to: BROADCAST_MAC,
    result: { state: "REACHABLE", mac: OTHER },
  },
  {
    why: "reply to us changes an old entry",
    known: "old",
    arp: new ArpPacket(2, ASKER_MAC, SENDER, OWN_MAC, OWN),
    to: OWN_MAC,
    result: { state: "REACHABLE", mac: ASKER_MAC },
  },
  {
    why: "second reply within locktime is ignored",
    known: "fresh",
    arp: new ArpPacket(2, ASKER_MAC, SENDER, OWN_MAC, OWN),
    to: OWN_MAC,
    result: { state: "REACHABLE", mac: OTHER },
  },
  { why: "unsolicited reply makes none", known: "none", arp: new ArpPacket(2, ASKER_MAC, SENDER, OWN_MAC, OWN), to: OWN_MAC, result: undefined },
  {
    why: "gratuitous request makes none",
    known: "none",
    arp: new ArpPacket(1, ASKER_MAC, SENDER, BROADCAST_MAC, SENDER),
    to: BROADCAST_MAC,
    result: undefined,
  },
  {
    why: "gratuitous request changes at once",
    known: "fresh",
    arp: new ArpPacket(1, ASKER_MAC, SENDER, BROADCAST_MAC, SENDER),
    to: BROADCAST_MAC,
    result: { state: "STALE", mac: ASKER_MAC },
  },
  {
    why: "gratuitous reply changes at once",
    known: "fresh",
    arp: new ArpPacket(2, ASKER_MAC, SENDER, ASKER_MAC, SENDER),
    to: BROADCAST_MAC,
    result: { state: "STALE", mac: ASKER_MAC },
  },
  {
    why: "gratuitous reply with another target MAC is no such",
    known: "fresh",
    arp: new ArpPacket(2, ASKER_MAC, SENDER, BROADCAST_MAC, SENDER),
    to: BROADCAST_MAC,
    result: { state: "REACHABLE", mac: OTHER },
  },
  {
    why: "gratuitous request with arp_accept makes one",
    known: "none",
    arp: new ArpPacket(1, ASKER_MAC, SENDER, 0, SENDER),
    to: BROADCAST_MAC,
    set: { "net.ipv4.conf.eth0.arp_accept": "1" },
    result: { state: "STALE", mac: ASKER_MAC },
  },
  {
    why: "gratuitous request with drop_gratuitous_arp",
    known: "old",
    arp: new ArpPacket(1, ASKER_MAC, SENDER, 0, SENDER),
    to: BROADCAST_MAC,
    set: { "net.ipv4.conf.eth0.drop_gratuitous_arp": "1" },
    result: { state: "REACHABLE", mac: OTHER },
  },
  {
    why: "permanent entries stay",
    known: "permanent",
    arp: new ArpPacket(1, ASKER_MAC, SENDER, 0, SENDER),
    to: BROADCAST_MAC,
    result: { state: "PERMANENT", mac: OTHER },
  },
] as const)("learning: $why", ({ known, arp, to, result, ...rest }) => {
  expect(learn({ known, arp, to, set: "set" in rest ? ({ ...rest.set } as Record<string, string>) : {} })).toEqual(result);
});
