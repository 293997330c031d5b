/**
 * Devices: what they do with frames, how they are numbered, what up and down mean, and the drivers of lo, Ethernet and dummies.
 */

import { expect, test } from "vitest";
import { BROADCAST_MAC, formatMacAddress } from "../../../src/base/mac-address.ts";
import { SkBuff } from "../../../src/host/skb.ts";
import { ArpPacket, ETHERTYPE_ARP, ETHERTYPE_IPV4, EthernetFrame, Ipv4Packet, PROTOCOL_UDP, RawPayload } from "../../../src/wire/packet.ts";
import { internetHost, type TestHost } from "../../helpers/internet-host.ts";

const OWN_MAC = 0x020000000001;
const PEER_MAC = 0x0200000000ff;

function packet(bytes = 28): Ipv4Packet {
  return new Ipv4Packet(0x0a000002, 0x0a000001, PROTOCOL_UDP, 64, new RawPayload(new Uint8Array(bytes)));
}

function frameTo(dst: number, bytes = 28): EthernetFrame {
  return new EthernetFrame(dst, PEER_MAC, ETHERTYPE_IPV4, packet(bytes));
}

function counted(host: TestHost, name: string): string {
  const { counters } = host.eth(name);
  return `rx ${counters.rxPackets}/${counters.rxBytes} dropped ${counters.rxDropped} tx ${counters.txPackets}/${counters.txBytes} dropped ${counters.txDropped}`;
}

test.each([
  { to: OWN_MAC, type: "host", received: 1 },
  { to: BROADCAST_MAC, type: "broadcast", received: 1 },
  { to: 0x01005e000012, type: "multicast", received: 1 },
  { to: PEER_MAC, type: "", received: 0 },
])("a frame to $to is $type", ({ to, type, received }) => {
  const host = internetHost();
  const seen: string[] = [];
  host.eth("eth0").taps.push((direction) => void seen.push(direction));
  host.eth("eth0").receiveFrame(frameTo(to));
  expect([host.received.length, host.received[0]?.packetType ?? "", seen]).toEqual([received, type, ["in"]]);
  expect(counted(host, "eth0")).toBe("rx 1/62 dropped 0 tx 0/0 dropped 0");
});

test("frames of others are traced as dropped, received ones carry their cause", () => {
  const host = internetHost();
  host.trace.setLevel("packets");
  host.eth("eth0").receiveFrame(frameTo(PEER_MAC));
  host.eth("eth0").receiveFrame(frameTo(OWN_MAC));
  const kinds = host.sink.events.map((event) => (event.kind === "frame-dropped" ? `${event.kind} ${event.reason}` : event.kind));
  expect(kinds).toEqual(["frame-dropped OTHERHOST", "frame-received"]);
  expect(host.received[0]?.cause).toBe(host.sink.events[1]?.id);
});

test("ARP goes to ARP unless the device has none; a frame that is too long dies", () => {
  const host = internetHost();
  const arp = new EthernetFrame(BROADCAST_MAC, PEER_MAC, ETHERTYPE_ARP, new ArpPacket(1, PEER_MAC, 1, 0, 2));
  host.eth("eth0").receiveFrame(arp);
  host.devices.setFlags(host.eth("eth0"), { isNoArp: true });
  host.eth("eth0").receiveFrame(arp);
  expect(host.arpReceived.length).toBe(1);
  host.eth("eth0").receiveFrame(frameTo(OWN_MAC, 1485));
  expect(counted(host, "eth0")).toContain("dropped 1");
});

test("sending counts, taps and hands the frame to the cable; not when down or without carrier", () => {
  const host = internetHost();
  const eth0 = host.eth("eth0");
  const port = host.ports.get("eth0");
  const skb = new SkBuff(packet(), undefined, true);
  eth0.driver.transmit(eth0, skb, PEER_MAC);
  expect([port?.sent.length, formatMacAddress(port?.sent[0]?.src ?? 0), skb.isWritable]).toEqual([1, "02:00:00:00:00:01", false]);
  eth0.carrierChanged(false);
  eth0.driver.transmit(eth0, skb, PEER_MAC);
  host.devices.setDown(eth0);
  eth0.driver.transmit(eth0, skb, PEER_MAC);
  expect([port?.sent.length, counted(host, "eth0")]).toEqual([1, "rx 0/0 dropped 0 tx 1/62 dropped 1"]);
});

test("lo returns a packet in an event of its own, with its mark and route", () => {
  const host = internetHost();
  const lo = host.devices.loopback;
  const skb = new SkBuff(packet(), undefined);
  skb.mark = 9;
  lo.driver.transmit(lo, skb, 0);
  expect(host.received.length).toBe(0);
  host.loop.runUntil(10_000);
  expect([host.received[0] === skb, skb.device?.name, skb.mark, skb.packetType]).toEqual([true, "lo", 9, "host"]);
  expect([lo.counters.rxPackets, lo.counters.rxBytes, lo.counters.txPackets]).toEqual([1, 48, 1]);
  host.devices.setDown(lo);
  lo.driver.transmit(lo, skb, 0);
  host.loop.runUntil(20_000);
  expect(host.received.length).toBe(1);
});

test("indexes are those of the reference laboratory", () => {
  const host = internetHost({ eth0: { link: "lan", linkPosition: 1 }, eth1: { link: "back", linkPosition: 1 }, eth2: { link: "lan", linkPosition: 2 } });
  host.devices.addDummy("dummy0");
  const rows = host.devices.list.map((device) => `${device.index} ${device.name} ${device.peerIndex} ${device.peerNetnsId}`);
  expect(rows).toEqual([
    "1 lo 0 -1",
    "2 tunl0 0 -1",
    "3 gre0 0 -1",
    "4 gretap0 0 -1",
    "5 erspan0 0 -1",
    "9 eth0 10 0",
    "6 eth1 10 1",
    "11 eth2 12 0",
    "7 dummy0 0 -1",
  ]);
});

test("arp_notify announces every address when the device comes up or changes its MAC", () => {
  const host = internetHost({ eth0: { addresses: ["10.0.0.1/24", "10.0.0.7/32"] } });
  const eth0 = host.eth("eth0");
  host.devices.setDown(eth0);
  host.devices.setUp(eth0);
  expect(host.announced).toEqual([]);
  host.sysctl.write("net.ipv4.conf.eth0.arp_notify", "1");
  host.devices.setDown(eth0);
  host.devices.setUp(eth0);
  host.devices.setMac(eth0, 0x020000000077);
  expect(host.announced).toEqual([0x0a000001, 0x0a000007, 0x0a000001, 0x0a000007]);
});

test.each([
  { what: "loopback", remove: "lo", errno: "EOPNOTSUPP", left: true },
  { what: "fallback tunnel", remove: "tunl0", errno: undefined, left: true },
  { what: "dummy", remove: "dummy0", errno: undefined, left: false },
])("removing a $what", ({ remove, errno, left }) => {
  const host = internetHost();
  host.devices.addDummy("dummy0");
  const device = host.devices.byName(remove);
  expect(device === undefined ? "none" : host.devices.remove(device)).toBe(errno);
  expect(host.devices.byName(remove) !== undefined).toBe(left);
  expect(host.sysctl.read(`net.ipv4.conf.${remove}.rp_filter`) !== undefined).toBe(left);
});

test.each([
  { name: "eth0", errno: "EEXIST" },
  { name: "a/b", errno: "EINVAL" },
  { name: "averyverylongname", errno: "EINVAL" },
])("a dummy cannot be called $name: $errno", ({ name, errno }) => {
  expect(internetHost().devices.addDummy(name)).toBe(errno);
});

test("tunnels: no two alike, an MTU that leaves room for the outer header", () => {
  const host = internetHost({ eth0: { addresses: ["10.0.0.1/24"], mtu: 1400 } });
  const ends = { local: 0x0a000001, remote: 0x0a000002, ttl: 0, tos: 0, pmtuDiscovery: true };
  const tunnel = host.devices.addTunnel("tun1", { mode: "ipip", ...ends, key: undefined });
  expect(typeof tunnel === "string" ? tunnel : tunnel.mtu).toBe(1380);
  expect(host.devices.addTunnel("tun2", { mode: "ipip", ...ends, key: undefined })).toBe("EEXIST");
  const keyed = host.devices.addTunnel("gre1", { mode: "gre", ...ends, key: 5 });
  expect(typeof keyed === "string" ? keyed : keyed.mtu).toBe(1372);
});

test("a crashed host neither sends nor receives", () => {
  const host = internetHost();
  const eth0 = host.eth("eth0");
  host.devices.crash();
  eth0.receiveFrame(frameTo(OWN_MAC));
  eth0.driver.transmit(eth0, new SkBuff(packet(), undefined), PEER_MAC);
  host.devices.setUp(eth0);
  expect([host.received.length, host.ports.get("eth0")?.sent.length, eth0.isUp]).toEqual([0, 0, false]);
});

test("a device that is taken down lets its switch know, once", () => {
  const host = internetHost();
  const device = host.eth("eth0");
  let told = 0;
  const port = host.ports.get("eth0");
  if (port !== undefined) port.interfaceChanged = (isUp) => void (told += isUp ? 0 : 1);
  host.devices.setDown(device);
  host.devices.setDown(device);
  expect(told).toBe(1);
});
