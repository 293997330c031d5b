import { expect, test } from "vitest";
import type { TunnelParameters } from "../../../src/host/device.ts";
import { KERNEL_6_1_176 } from "../../../src/host/kernel-options.ts";
import type { LinuxHost } from "../../../src/host/linux-host.ts";
import { NF_LOCAL_IN } from "../../../src/host/netfilter/hooks.ts";
import { GuePacket, ICMP_ECHO, IcmpMessage, Ipv4Packet, PROTOCOL_IPIP, UdpDatagram } from "../../../src/wire/packet.ts";
import { ip, Laboratory } from "./two-hosts.ts";

const ANY: TunnelParameters = { mode: "ipip", local: 0, remote: 0, ttl: 0, tos: 0, pmtuDiscovery: true, key: undefined };

/** a and b on one link, a tunnel between them with 172.16.0.1 and .2 inside. */
function pair(mode: "ipip" | "gre", change: { a?: Partial<TunnelParameters>; b?: Partial<TunnelParameters> } = {}) {
  const lab = new Laboratory();
  const a = lab.host("a", { eth0: "lan 10.0.0.1/24" });
  const b = lab.host("b", { eth0: "lan 10.0.0.2/24" });
  const make = (host: LinuxHost, local: string, remote: string, inner: string, more: Partial<TunnelParameters> = {}): void => {
    const device = host.devices.addTunnel("tun1", { ...ANY, mode, local: ip(local), remote: ip(remote), ...more });
    if (typeof device === "string") throw new Error(device);
    host.devices.setUp(device);
    lab.address(host, device, inner);
  };
  make(a, "10.0.0.1", "10.0.0.2", "172.16.0.1/24", change.a);
  make(b, "10.0.0.2", "10.0.0.1", "172.16.0.2/24", change.b);
  return { lab, a, b };
}

function ping(host: LinuxHost, size = 56, dontFragment?: boolean): string[] {
  const heard: string[] = [];
  const socket = host.icmp.openEcho((packet, icmp) => heard.push(`${icmp.type}/${icmp.code} ttl ${packet.ttl}`));
  socket.send({ destination: ip("172.16.0.2"), sequence: 1, payload: new Uint8Array(size), ...(dontFragment === undefined ? {} : { dontFragment }) });
  return heard;
}

test.each([
  { mode: "ipip", change: {}, heard: ["0/0 ttl 64"], sent: 104 },
  { mode: "gre", change: {}, heard: ["0/0 ttl 64"], sent: 108 },
  { mode: "gre", change: { a: { key: 7 }, b: { key: 7 } }, heard: ["0/0 ttl 64"], sent: 112 },
  { mode: "gre", change: { a: { key: 7 }, b: { key: 8 } }, heard: [], sent: 112 },
  { mode: "gre", change: { a: { hasChecksum: true }, b: { hasChecksum: true } }, heard: ["0/0 ttl 64"], sent: 112 },
  { mode: "gre", change: { a: { hasChecksum: true } }, heard: [], sent: 112 },
] as const)("$mode tunnel with $change -> $heard", ({ mode, change, heard, sent }) => {
  const { lab, a } = pair(mode, change);
  const got = ping(a);
  lab.run(1);
  expect(got).toEqual(heard);
  const outer = lab.frames.find((seen) => seen.host === "a" && seen.direction === "out" && seen.frame.payload instanceof Ipv4Packet)?.frame
    .payload as Ipv4Packet;
  expect({ length: outer.lengthBytes, ttl: outer.ttl, df: outer.dontFragment }).toEqual({ length: sent, ttl: 64, df: true });
});

test.each([
  { why: "TTL of the tunnel", change: { ttl: 17 }, ttl: 17, df: true },
  { why: "no path MTU discovery, inner packet with DF", change: { pmtuDiscovery: false }, ttl: 64, df: true },
])("outer header: $why", ({ change, ttl, df }) => {
  const { lab, a } = pair("ipip", { a: change });
  ping(a);
  lab.run(1);
  const outer = lab.frames.find((seen) => seen.host === "a" && seen.direction === "out" && seen.frame.payload instanceof Ipv4Packet)?.frame
    .payload as Ipv4Packet;
  expect({ ttl: outer.ttl, df: outer.dontFragment }).toEqual({ ttl, df });
});

test("a packet with DF that does not fit into the tunnel: the sender learns 1480", () => {
  const { lab, a } = pair("ipip");
  const device = a.devices.byName("tun1");
  if (device !== undefined) a.devices.setMtu(device, 1500);
  const heard = ping(a, 1472, true);
  lab.run(1);
  expect(heard).toEqual(["3/4 ttl 64"]);
  expect(a.routing.exceptions().map((one) => one.mtu)).toEqual([1480]);
});

test.each([
  { up: false, answer: "IP 10.0.0.2 > 10.0.0.1: ICMP 10.0.0.2 protocol 4 port" },
  { up: true, answer: "" },
])("IPIP for a host whose tunl0 is up: $up", ({ up, answer }) => {
  const lab = new Laboratory();
  const a = lab.host("a", { eth0: "lan 10.0.0.1/24" });
  const b = lab.host("b", { eth0: "lan 10.0.0.2/24" });
  const tunl0 = b.devices.byName("tunl0");
  if (tunl0 === undefined) throw new Error("no tunl0");
  if (up) b.devices.setUp(tunl0);
  const inner = new Ipv4Packet(ip("10.0.0.1"), ip("10.0.0.2"), 1, 64, new IcmpMessage(ICMP_ECHO, 0, 0x10001));
  a.ip.send(new Ipv4Packet(0, ip("10.0.0.2"), 4, 64, inner));
  lab.run(1);
  const errors = lab.dump("b", "eth0", "out").filter((line) => line.includes("unreachable"));
  expect(errors.length).toBe(up ? 0 : 1);
  expect(errors[0] ?? "").toContain(answer);
  expect(tunl0.counters.rxPackets).toBe(up ? 1 : 0);
});

test.each([
  { kernel: "6.1.176", options: KERNEL_6_1_176, seen: ["4 true", "1 false"] },
  { kernel: "before 6.14", options: { ...KERNEL_6_1_176, tunnelKeepsIpvsMark: true }, seen: ["4 true", "1 true"] },
])("what comes out of a tunnel is known to IPVS no more: kernel $kernel", ({ options, seen }) => {
  const lab = new Laboratory();
  const a = lab.host("a", { eth0: "lan 10.0.0.1/24" });
  const b = lab.host("b", { eth0: "lan 10.0.0.2/24" }, undefined, options);
  const tunl0 = b.devices.byName("tunl0");
  if (tunl0 === undefined) throw new Error("no tunl0");
  b.devices.setUp(tunl0);
  const marks: string[] = [];
  b.hooks.register(NF_LOCAL_IN, 99, (skb) => {
    if (skb.ip.protocol === PROTOCOL_IPIP) skb.isIpvsHandled = true;
    marks.push(`${skb.ip.protocol} ${skb.isIpvsHandled}`);
    return "ACCEPT";
  });
  const inner = new Ipv4Packet(ip("10.0.0.1"), ip("10.0.0.2"), 1, 64, new IcmpMessage(ICMP_ECHO, 0, 0x10001));
  a.ip.send(new Ipv4Packet(0, ip("10.0.0.2"), PROTOCOL_IPIP, 64, inner));
  lab.run(1);
  expect(marks).toEqual(seen);
});

test("rp_filter applies to what comes out of a tunnel", () => {
  const lab = new Laboratory();
  const a = lab.host("a", { eth0: "lan 10.0.0.1/24" });
  const b = lab.host("b", { eth0: "lan 10.0.0.2/24" });
  const tunl0 = b.devices.byName("tunl0");
  if (tunl0 === undefined) throw new Error("no tunl0");
  b.devices.setUp(tunl0);
  b.sysctl.write("net.ipv4.conf.tunl0.rp_filter", "1");
  const inner = new Ipv4Packet(ip("10.0.0.1"), ip("10.0.0.2"), 1, 64, new IcmpMessage(ICMP_ECHO, 0, 0x10001));
  a.ip.send(new Ipv4Packet(0, ip("10.0.0.2"), 4, 64, inner));
  lab.run(1);
  expect(lab.dump("b", "eth0", "out").filter((line) => line.includes("ICMP"))).toEqual([]);
});

test("GUE: a port takes the packet to tunl0, a closed one is unreachable", () => {
  const lab = new Laboratory();
  const a = lab.host("a", { eth0: "lan 10.0.0.1/24" });
  const b = lab.host("b", { eth0: "lan 10.0.0.2/24" });
  const tunl0 = b.devices.byName("tunl0");
  if (tunl0 === undefined) throw new Error("no tunl0");
  b.devices.setUp(tunl0);
  const send = (): void => {
    const inner = new Ipv4Packet(ip("10.0.0.1"), ip("10.0.0.2"), 1, 63, new IcmpMessage(ICMP_ECHO, 0, 0x10001));
    a.ip.send(new Ipv4Packet(0, ip("10.0.0.2"), 17, 64, new UdpDatagram(40000, 6080, new GuePacket(4, inner))));
    lab.run(1);
  };
  const port = { port: 6080, protocol: 0, isGue: true, local: 0, peer: 0, peerPort: 0, device: undefined };
  send();
  expect(b.fou.add(port)).toBe(undefined);
  expect(b.fou.add(port)).toBe("EADDRINUSE");
  send();
  expect(b.fou.remove(6080)).toBe(undefined);
  expect(b.fou.remove(6080)).toBe("EINVAL");
  send();
  expect(
    lab
      .dump("b", "eth0", "out")
      .map((line) => (line.includes("echo reply") ? "reply" : line.includes("unreachable") ? "unreachable" : "other"))
      .filter((word) => word !== "other"),
  ).toEqual(["unreachable", "reply", "unreachable"]);
});
