/**
 * Multicast on a host: who is a member, what is reported, which packets get in, and what a sender hears of itself.
 */

import { expect, test } from "vitest";
import { formatIpv4Address } from "../../../src/base/ipv4-address.ts";
import type { NetDevice } from "../../../src/host/device.ts";
import type { UdpSocket } from "../../../src/host/host.ts";
import type { LinuxHost } from "../../../src/host/linux-host.ts";
import { encodeEthernet } from "../../../src/wire/ethernet.ts";
import { Ipv4Packet, PROTOCOL_VRRP, type RawPayload, VrrpAdvert } from "../../../src/wire/packet.ts";
import { ip, Laboratory } from "./two-hosts.ts";

const SYNC_GROUP = ip("224.0.0.81");
const OTHER_GROUP = ip("239.1.2.3");
const PORT = 8848;

function pair() {
  const lab = new Laboratory();
  const a = lab.host("a", { eth0: "lan 192.168.30.1/24" });
  const b = lab.host("b", { eth0: "lan 192.168.30.2/24" });
  return { lab, a, b, eth0: eth0Of(b) };
}

function eth0Of(host: LinuxHost): NetDevice {
  const device = host.devices.byName("eth0");
  if (device === undefined) throw new Error("no eth0");
  return device;
}

function open(host: LinuxHost, options: { address?: number; port?: number; device?: NetDevice } = {}) {
  const heard: string[] = [];
  const socket = host.udp.bind(
    { address: 0, port: PORT, reuseAddress: true, ...options },
    { onDatagram: (payload) => void heard.push(String.fromCharCode(...payload)), onError: () => {} },
  );
  if (typeof socket === "string") throw new Error(socket);
  return { socket, heard };
}

function send(socket: UdpSocket, text: string, group = SYNC_GROUP, device?: NetDevice) {
  if (device !== undefined) socket.multicast.device = device;
  return socket.send(
    Uint8Array.from(text, (c) => c.charCodeAt(0)),
    { address: group, port: PORT },
  );
}

/** Reports on the wire as `to_ex 224.0.0.81`, with the time in seconds. */
function reports(lab: Laboratory, host = "b") {
  return lab.frames
    .filter((seen) => seen.host === host && seen.direction === "out" && seen.frame.payload instanceof Ipv4Packet && seen.frame.payload.protocol === 2)
    .map((seen) => ({ seconds: seen.timeNs / 1e9, packet: seen.frame.payload as Ipv4Packet, frame: seen.frame }));
}

const TYPES: Readonly<Record<number, string>> = { 3: "to_in", 4: "to_ex" };

function records(packet: Ipv4Packet): string[] {
  if (packet.payload.kind !== "raw") throw new Error("no report");
  const { bytes } = packet.payload;
  return Array.from(
    { length: (bytes[6] as number) * 256 + (bytes[7] as number) },
    (_, i) => `${TYPES[bytes[8 + 8 * i] as number]} ${bytes.slice(12 + 8 * i, 16 + 8 * i).join(".")}`,
  );
}

test("a group that was joined, and one that was left, is reported twice within about a second, in the kernel's bytes", () => {
  const { lab, b, eth0 } = pair();
  b.multicast.join(SYNC_GROUP, eth0);
  lab.run(3);
  expect(reports(lab).map(({ packet }) => records(packet))).toEqual([["to_ex 224.0.0.81"], ["to_ex 224.0.0.81"]]);
  const [first, second] = reports(lab);
  expect(first?.seconds).toBeCloseTo(0.02, 9);
  expect((second?.seconds ?? 0) - (first?.seconds ?? 0)).toBeGreaterThanOrEqual(0.02);
  expect((second?.seconds ?? 0) - (first?.seconds ?? 0)).toBeLessThanOrEqual(1.02);
  // The frame that a host of the same addresses sent on Linux 6.1.
  const hex = [...encodeEthernet((first as NonNullable<typeof first>).frame)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  expect(hex).toBe("01005e0000160200000000020800" + "46c00028000040000102254fc0a81e02e0000016940400002200f9ac0000000104000000e0000051");
  b.multicast.leave(SYNC_GROUP, eth0);
  lab.run(3);
  expect(
    reports(lab)
      .slice(2)
      .map(({ packet }) => records(packet)),
  ).toEqual([["to_in 224.0.0.81"], ["to_in 224.0.0.81"]]);
});

test("users are counted: only the first joins, only the last leaves", () => {
  const { lab, b, eth0 } = pair();
  for (let i = 0; i < 3; i++) b.multicast.join(SYNC_GROUP, eth0);
  lab.run(3);
  b.multicast.leave(SYNC_GROUP, eth0);
  b.multicast.leave(SYNC_GROUP, eth0);
  lab.run(3);
  expect(reports(lab)).toHaveLength(2);
  expect(b.multicast.isMember(SYNC_GROUP, eth0)).toBe(true);
  b.multicast.leave(SYNC_GROUP, eth0);
  expect(b.multicast.isMember(SYNC_GROUP, eth0)).toBe(false);
  expect(b.multicast.leave(SYNC_GROUP, eth0)).toBe("EADDRNOTAVAIL");
  lab.run(3);
  expect(reports(lab)).toHaveLength(4);
});

test("one report tells of all changes: what was left first, then what was joined, the latest first", () => {
  const { lab, b, eth0 } = pair();
  b.multicast.join(SYNC_GROUP, eth0);
  b.multicast.join(OTHER_GROUP, eth0);
  b.multicast.leave(SYNC_GROUP, eth0);
  lab.run(3);
  expect(reports(lab).map(({ packet }) => records(packet))).toEqual(Array(2).fill(["to_in 224.0.0.81", "to_ex 239.1.2.3"]));
});

test.each([
  { what: "224.0.0.1 is never reported", group: "224.0.0.1", linkLocal: 1, count: 0 },
  { what: "nor link-local groups when the sysctl says so", group: "224.0.0.18", linkLocal: 0, count: 0 },
  { what: "others are then", group: "239.1.2.3", linkLocal: 0, count: 2 },
])("$what", ({ group, linkLocal, count }) => {
  const { lab, b, eth0 } = pair();
  b.sysctl.write("net.ipv4.igmp_link_local_mcast_reports", String(linkLocal));
  b.multicast.join(ip(group), eth0);
  lab.run(3);
  expect(reports(lab)).toHaveLength(count);
});

test("a device that goes down says nothing; when it comes up it reports its groups anew, 224.0.0.1 being the latest", () => {
  const { lab, b, eth0 } = pair();
  b.multicast.join(SYNC_GROUP, eth0);
  lab.run(3);
  b.devices.setDown(eth0);
  lab.run(3);
  expect(reports(lab)).toHaveLength(2);
  expect(b.multicast.groups(eth0)).toMatchObject([{ group: SYNC_GROUP, users: 1 }]);
  b.devices.setUp(eth0);
  lab.run(3);
  expect(
    reports(lab)
      .slice(2)
      .map(({ packet }) => records(packet)),
  ).toEqual([["to_ex 224.0.0.81"], ["to_ex 224.0.0.81"]]);
  expect(b.multicast.groups(eth0)).toMatchObject([{ group: ip("224.0.0.1") }, { group: SYNC_GROUP }]);
});

test("a report names an address of its own device, or none", () => {
  const lab = new Laboratory();
  const b = lab.host("b", { eth0: "lan 192.168.30.2/24", eth1: "back" });
  const eth1 = b.devices.byName("eth1") as NetDevice;
  b.multicast.join(OTHER_GROUP, eth1);
  lab.run(3);
  expect(reports(lab).map(({ packet }) => packet.src)).toEqual([0, 0]);
});

/** Messages of versions 1 and 2: type, group, and where they went. */
function shortMessages(lab: Laboratory, host = "b"): string[] {
  return reports(lab, host).map(({ packet }) => {
    const { bytes } = packet.payload as RawPayload;
    return `0x${(bytes[0] as number).toString(16)} ${bytes.slice(4, 8).join(".")} to ${formatIpv4Address(packet.dst)}`;
  });
}

test.each([
  { where: "all", version: 2, told: ["0x16 239.1.2.3 to 239.1.2.3", "0x16 239.1.2.3 to 239.1.2.3", "0x17 239.1.2.3 to 224.0.0.2"] },
  { where: "eth0", version: 2, told: ["0x16 239.1.2.3 to 239.1.2.3", "0x16 239.1.2.3 to 239.1.2.3", "0x17 239.1.2.3 to 224.0.0.2"] },
  { where: "eth0", version: 1, told: ["0x12 239.1.2.3 to 239.1.2.3", "0x12 239.1.2.3 to 239.1.2.3"] },
])("IGMP version $version, forced for $where", ({ where, version, told }) => {
  const { lab, b, eth0 } = pair();
  b.sysctl.write(`net.ipv4.conf.${where}.force_igmp_version`, String(version));
  b.multicast.join(OTHER_GROUP, eth0);
  lab.run(11);
  b.multicast.leave(OTHER_GROUP, eth0);
  lab.run(11);
  expect(shortMessages(lab)).toEqual(told);
});

test("in version 2 another host's report stands for this one's, and then leaving is its business", () => {
  const { lab, a, b, eth0 } = pair();
  for (const host of [a, b]) host.sysctl.write("net.ipv4.conf.all.force_igmp_version", "2");
  b.multicast.join(OTHER_GROUP, eth0);
  lab.run(0.015);
  a.multicast.join(OTHER_GROUP, eth0Of(a));
  lab.run(11);
  a.multicast.leave(OTHER_GROUP, eth0Of(a));
  lab.run(1);
  expect(shortMessages(lab, "a")).toEqual([]);
  expect(shortMessages(lab, "b")).toHaveLength(2);
});

test("a datagram gets in only while its group is joined on the device that it comes by", () => {
  const { lab, a, b, eth0 } = pair();
  const sender = open(a);
  const { socket, heard } = open(b);
  const say = (text: string) => {
    expect(send(sender.socket, text, SYNC_GROUP, eth0Of(a))).toBeUndefined();
    lab.run(0.01);
  };
  say("before");
  expect(socket.join(SYNC_GROUP, eth0)).toBeUndefined();
  say("member");
  say("again");
  socket.leave(SYNC_GROUP, eth0);
  say("after");
  expect(heard).toEqual(["member", "again"]);
  expect(sender.heard).toEqual([]);
  const drops = lab.sink.events.filter((event) => event.kind === "packet-dropped" && event.host === "b" && event.detail.startsWith("nobody has joined"));
  expect(drops).toHaveLength(2);
  // Nobody is told: multicast is never answered with errors.
  expect(lab.dump("a").filter((line) => line.includes("ICMP"))).toEqual([]);
});

test.each([
  { what: "bound to the group", options: () => ({ address: SYNC_GROUP }), heard: ["x"] },
  { what: "bound to every address", options: () => ({}), heard: ["x"] },
  { what: "bound to the device", options: (b: LinuxHost) => ({ device: eth0Of(b) }), heard: ["x"] },
  { what: "bound to another device", options: (b: LinuxHost) => ({ device: b.devices.loopback }), heard: [] },
  { what: "bound to an address of its own", options: () => ({ address: ip("192.168.30.2") }), heard: [] },
  { what: "bound to another port", options: () => ({ port: 99 }), heard: [] },
])("every socket that is $what hears a joined group, whoever joined it", ({ options, heard }) => {
  const { lab, a, b, eth0 } = pair();
  b.multicast.join(SYNC_GROUP, eth0);
  const one = open(b, options(b));
  const other = open(b);
  send(open(a).socket, "x", SYNC_GROUP, eth0Of(a));
  lab.run(0.01);
  expect(one.heard).toEqual(heard);
  expect(other.heard).toEqual(["x"]);
});

test.each([
  { ttl: 1, loops: true, own: ["x"] },
  { ttl: 32, loops: false, own: [] },
  { ttl: 0, loops: true, own: ["x"] },
])("sending with TTL $ttl and loopback $loops", ({ ttl, loops, own }) => {
  const { lab, a, b, eth0 } = pair();
  const sender = open(a);
  const receiver = open(b);
  sender.socket.join(OTHER_GROUP, eth0Of(a));
  receiver.socket.join(OTHER_GROUP, eth0);
  expect(sender.socket.multicast.ttl).toBe(1);
  sender.socket.multicast.ttl = ttl;
  sender.socket.multicast.loops = loops;
  send(sender.socket, "x", OTHER_GROUP, eth0Of(a));
  lab.run(0.01);
  expect(sender.heard).toEqual(own);
  expect(receiver.heard).toEqual(ttl === 0 ? [] : ["x"]);
  const sent = lab.frames.filter((seen) => seen.host === "a" && seen.direction === "out" && (seen.frame.payload as Ipv4Packet).protocol === 17);
  expect(sent.map(({ frame }) => [frame.dst, (frame.payload as Ipv4Packet).ttl, (frame.payload as Ipv4Packet).src])).toEqual(
    ttl === 0 ? [] : [[0x01005e010203, ttl, ip("192.168.30.1")]],
  );
});

test("without a multicast interface the route decides, and without a route nothing goes", () => {
  const { lab, a } = pair();
  const { socket } = open(a);
  expect(send(socket, "x", OTHER_GROUP)).toBe("ENETUNREACH");
  expect(socket.join(OTHER_GROUP)).toBe("ENODEV");
  lab.route(a, "224.0.0.0/4 dev eth0");
  expect(send(socket, "x", OTHER_GROUP)).toBeUndefined();
  expect(socket.join(OTHER_GROUP)).toBeUndefined();
  expect(a.multicast.isMember(OTHER_GROUP, eth0Of(a))).toBe(true);
});

test("what a socket may join, and that closing it leaves", () => {
  const { b, eth0 } = pair();
  const { socket } = open(b);
  expect(socket.join(ip("10.0.0.1"), eth0)).toBe("EINVAL");
  expect(socket.join(SYNC_GROUP, eth0)).toBeUndefined();
  expect(socket.join(SYNC_GROUP, eth0)).toBe("EADDRINUSE");
  expect(socket.leave(OTHER_GROUP, eth0)).toBe("EADDRNOTAVAIL");
  for (let i = 1; i < 20; i++) expect(socket.join(OTHER_GROUP + i, eth0)).toBeUndefined();
  expect(socket.join(OTHER_GROUP + 20, eth0)).toBe("ENOBUFS");
  socket.close();
  expect(b.multicast.isMember(SYNC_GROUP, eth0)).toBe(false);
  expect(socket.join(SYNC_GROUP, eth0)).toBe("EBADF");
});

test("raw protocols hear their group as soon as it is joined", () => {
  const { lab, a, b, eth0 } = pair();
  const heard: number[] = [];
  b.ip.openRaw(PROTOCOL_VRRP, { onPacket: (skb) => void heard.push((skb.ip.payload as VrrpAdvert).priority) });
  const group = ip("224.0.0.18");
  const advertise = (priority: number) => {
    const packet = new Ipv4Packet(0, group, PROTOCOL_VRRP, 255, new VrrpAdvert(2, 51, priority, 1, [ip("192.168.30.100")], 0, new Uint8Array(8)));
    expect(a.ip.send(packet, { device: eth0Of(a), multicastLoop: false })).toBeUndefined();
    lab.run(0.01);
  };
  advertise(100);
  b.multicast.join(group, eth0);
  advertise(101);
  expect(heard).toEqual([101]);
  expect(lab.dump("a", "eth0", "out")[0]).toContain("IP 192.168.30.1 > 224.0.0.18: VRRPv2, Advertisement");
});
