import fc from "fast-check";
import { expect, test } from "vitest";
import { fragmentPacket } from "../../../src/host/ip-fragment.ts";
import type { LinuxHost } from "../../../src/host/linux-host.ts";
import { SkBuff } from "../../../src/host/skb.ts";
import { encodeIpv4 } from "../../../src/wire/ipv4.ts";
import { IcmpMessage, Ipv4Packet, RawPayload, UdpDatagram } from "../../../src/wire/packet.ts";
import { ip, Laboratory } from "./two-hosts.ts";

/** a -- r1 -- r2 -- b */
function chain() {
  const lab = new Laboratory();
  const a = lab.host("a", { eth0: "l1 10.0.1.9/24" }, "10.0.1.1");
  const r1 = lab.host("r1", { eth0: "l1 10.0.1.1/24", eth1: "l2 10.0.2.1/24" }, "10.0.2.2");
  const r2 = lab.host("r2", { eth0: "l2 10.0.2.2/24", eth1: "l3 10.0.3.2/24" });
  lab.route(r2, "10.0.1.0/24 via 10.0.2.1");
  const b = lab.host("b", { eth0: "l3 10.0.3.9/24" }, "10.0.3.2");
  for (const router of [r1, r2]) router.sysctl.write("net.ipv4.ip_forward", "1");
  return { lab, a, r1, r2, b };
}

interface PingOptions {
  readonly to: string;
  readonly ttl?: number;
  readonly size?: number;
  readonly dontFragment?: boolean;
}

function heardBy(host: LinuxHost): { heard: string[]; send: (options: PingOptions) => string | undefined } {
  const heard: string[] = [];
  let sequence = 0;
  const socket = host.icmp.openEcho((packet, icmp) =>
    heard.push(
      `${icmp.type}/${icmp.code} ${icmp.rest & (icmp.quoted === undefined ? 0 : 0xffff)} from ${[24, 16, 8, 0].map((shift) => (packet.src >>> shift) & 255).join(".")} ttl ${packet.ttl}`,
    ),
  );
  const send = ({ to, ttl, size, dontFragment }: PingOptions): string | undefined =>
    socket.send({
      destination: ip(to),
      sequence: ++sequence,
      payload: new Uint8Array(size ?? 56),
      ...(ttl === undefined ? {} : { ttl }),
      ...(dontFragment === undefined ? {} : { dontFragment }),
    });
  return { heard, send };
}

test.each([
  { ttl: 1, hears: "11/0 0 from 10.0.1.1 ttl 64" },
  { ttl: 2, hears: "11/0 0 from 10.0.2.2 ttl 63" },
  { ttl: 3, hears: "0/0 0 from 10.0.3.9 ttl 62" },
])("TTL $ttl through two routers -> $hears", ({ ttl, hears }) => {
  const { lab, a } = chain();
  const { heard, send } = heardBy(a);
  send({ to: "10.0.3.9", ttl });
  lab.run(2);
  expect(heard).toEqual([hears]);
});

test.each([
  { to: "192.0.2.1", change: (_: LinuxHost) => {}, hears: ["3/0 0 from 10.0.2.2 ttl 63"] },
  { to: "10.0.3.77", change: (_: LinuxHost) => {}, hears: ["3/1 0 from 10.0.2.2 ttl 63"] },
  { to: "10.0.3.9", change: (r2: LinuxHost) => void r2.sysctl.write("net.ipv4.ip_forward", "0"), hears: [] },
])("no way to $to -> $hears", ({ to, change, hears }) => {
  const { lab, a, r2 } = chain();
  change(r2);
  const { heard, send } = heardBy(a);
  send({ to });
  lab.run(6);
  expect(heard).toEqual(hears);
});

test("path MTU: a big packet with DF is refused by the narrow router, the path learnt, later ones fragmented or refused locally", () => {
  const { lab, a, r2, b } = chain();
  const eth1 = r2.devices.byName("eth1");
  if (eth1 !== undefined) r2.devices.setMtu(eth1, 1400);
  const { heard, send } = heardBy(a);
  expect(send({ to: "10.0.3.9", size: 1472 })).toBe(undefined);
  lab.run(1);
  expect(heard).toEqual(["3/4 1400 from 10.0.2.2 ttl 63"]);
  expect(send({ to: "10.0.3.9", size: 1472, dontFragment: true })).toBe("EMSGSIZE");
  expect(send({ to: "10.0.3.9", size: 1472 })).toBe(undefined);
  lab.run(1);
  // The answer is too long a frame for the narrow interface, which has no say in it: both ends of a cable want one MTU.
  expect(heard.slice(1)).toEqual([]);
  expect(b.mib.ip.ReasmOKs).toBe(1);
  expect(a.mib.ip.FragCreates).toBe(2);
});

test("a fragment that never comes: time exceeded, code 1, after 30 s", () => {
  const { lab, a, b } = chain();
  const { heard } = heardBy(a);
  const whole = new Ipv4Packet(ip("10.0.1.9"), ip("10.0.3.9"), 17, 64, new UdpDatagram(1000, 2000, new Uint8Array(3000)));
  whole.id = 77;
  const first = fragmentPacket(whole, 1500)?.[0];
  if (first === undefined) throw new Error("no fragment");
  a.ip.send(first, { keepId: true });
  lab.run(40);
  expect(b.mib.ip.ReasmTimeout).toBe(1);
  expect(heard).toEqual([]);
  expect(lab.dump("b", "eth0", "out").filter((line) => line.includes("reassembly"))).toEqual([
    "IP 10.0.3.9 > 10.0.1.9: ICMP ip reassembly time exceeded, length 556",
  ]);
});

test("protocol that nobody takes -> protocol unreachable; ICMP errors never answer errors", () => {
  const { lab, a, b } = chain();
  a.ip.send(new Ipv4Packet(0, ip("10.0.3.9"), 99, 64, new RawPayload(new Uint8Array(8))));
  lab.run(1);
  expect(lab.dump("b", "eth0", "out").filter((line) => line.includes("unreachable"))).toEqual([
    "IP 10.0.3.9 > 10.0.1.9: ICMP 10.0.3.9 protocol 99 unreachable, length 36",
  ]);
  const error = new IcmpMessage(3, 1, 0);
  error.quoted = new Ipv4Packet(ip("10.0.3.9"), ip("10.0.9.9"), 17, 64, new UdpDatagram(1, 2, new Uint8Array(0)));
  error.quotedBytes = 28;
  a.ip.send(new Ipv4Packet(0, ip("10.0.3.9"), 1, 1, error));
  lab.run(1);
  expect(a.mib.icmp.received[11]).toBe(0);
  expect(b.mib.ip.InUnknownProtos).toBe(1);
});

test("errors to one peer: six at once, then one a second", () => {
  const { lab, a } = chain();
  const { heard, send } = heardBy(a);
  send({ to: "10.0.3.9", ttl: 1 });
  lab.run(10);
  heard.length = 0;
  for (let i = 0; i < 12; i++) send({ to: "10.0.3.9", ttl: 1 });
  lab.run(0.5);
  expect(heard.length).toBe(6);
  for (let i = 0; i < 5; i++) {
    send({ to: "10.0.3.9", ttl: 1 });
    lab.run(1);
  }
  expect(heard.length).toBe(6 + 4);
});

test("redirects: to a host whose gateway sends back on the same link, ever rarer, at most nine", () => {
  const lab = new Laboratory();
  const a = lab.host("a", { eth0: "lan 10.0.0.1/24" }, "10.0.0.2");
  a.sysctl.write("net.ipv4.conf.all.accept_redirects", "0");
  a.sysctl.write("net.ipv4.conf.eth0.accept_redirects", "0");
  const r = lab.host("r", { eth0: "lan 10.0.0.2/24" });
  lab.route(r, "10.9.0.0/24 via 10.0.0.3");
  r.sysctl.write("net.ipv4.ip_forward", "1");
  lab.host("s", { eth0: "lan 10.0.0.3/24", eth1: "far 10.9.0.3/24" });
  const { heard, send } = heardBy(a);
  const times: number[] = [];
  for (let i = 0; i < 60; i++) {
    const before = heard.filter((line) => line.startsWith("5/1")).length;
    send({ to: "10.9.0.3" });
    lab.run(0.3);
    if (heard.filter((line) => line.startsWith("5/1")).length > before) times.push(Math.round(i * 3) / 10);
  }
  expect(times).toEqual([0, 0.3, 0.6, 0.9, 1.5, 2.4, 3.9, 6.6, 12]);
});

test("a redirect is obeyed only when the new gateway is resolved already", () => {
  const lab = new Laboratory();
  const a = lab.host("a", { eth0: "lan 10.0.0.1/24" }, "10.0.0.2");
  const r = lab.host("r", { eth0: "lan 10.0.0.2/24" });
  lab.route(r, "10.9.0.0/24 via 10.0.0.3");
  r.sysctl.write("net.ipv4.ip_forward", "1");
  lab.host("s", { eth0: "lan 10.0.0.3/24", eth1: "far 10.9.0.3/24" });
  const { send } = heardBy(a);
  const macOf = (): number =>
    lab.frames.filter((seen) => seen.host === "a" && seen.direction === "out" && seen.frame.payload.kind === "ipv4").at(-1)?.frame.dst ?? 0;
  const gateways: number[] = [];
  for (let i = 0; i < 4; i++) {
    send({ to: "10.9.0.3" });
    lab.run(0.5);
    gateways.push(macOf());
  }
  // The reply of the far host came by ARP of its own, so the second redirect finds the gateway known.
  expect(gateways[0]).toBe(0x020000000002);
  expect(gateways.at(-1)).toBe(0x020000000003);
});

test.each([
  { why: "a socket sent it", open: true, obeyed: true },
  { why: "nobody has such a socket", open: false, obeyed: false },
])("a redirect about a UDP packet: $why -> obeyed $obeyed", ({ open, obeyed }) => {
  const lab = new Laboratory();
  const a = lab.host("a", { eth0: "lan 10.0.0.1/24" }, "10.0.0.2");
  lab.host("r", { eth0: "lan 10.0.0.2/24" });
  lab.host("s", { eth0: "lan 10.0.0.3/24" });
  const eth0 = a.devices.byName("eth0");
  if (eth0 === undefined) throw new Error("no eth0");
  a.neighbours.set(eth0, ip("10.0.0.3"), 0x020000000003, "PERMANENT", "add");
  if (open) a.udp.bind({ address: 0, port: 1000 }, { onDatagram: () => {}, onError: () => {} });
  const redirect = new IcmpMessage(5, 1, ip("10.0.0.3"));
  redirect.quoted = new Ipv4Packet(ip("10.0.0.1"), ip("10.9.0.3"), 17, 63, new UdpDatagram(1000, 2000, new Uint8Array(4)));
  redirect.quotedBytes = 32;
  const skb = new SkBuff(new Ipv4Packet(ip("10.0.0.2"), ip("10.0.0.1"), 1, 64, redirect), eth0);
  a.ip.receive(skb);
  expect(a.routing.exceptions().map((one) => one.gateway)).toEqual(obeyed ? [ip("10.0.0.3")] : []);
});

test("forwarding shares what it can: the frame that came in is not changed", () => {
  const { lab, a } = chain();
  heardBy(a).send({ to: "10.0.3.9" });
  lab.run(1);
  const ttls = lab.frames
    .filter((seen) => seen.frame.payload.kind === "ipv4" && seen.direction === "out" && seen.frame.payload.dst === ip("10.0.3.9"))
    .map((seen) => (seen.frame.payload as Ipv4Packet).ttl);
  expect(ttls).toEqual([64, 63, 62]);
});

test.each([
  { key: "net.ipv4.icmp_echo_ignore_all", to: "10.0.0.2", value: "1", replies: 0 },
  { key: "net.ipv4.icmp_echo_ignore_all", to: "10.0.0.2", value: "0", replies: 1 },
  { key: "net.ipv4.icmp_echo_ignore_broadcasts", to: "10.0.0.255", value: "1", replies: 0 },
  { key: "net.ipv4.icmp_echo_ignore_broadcasts", to: "10.0.0.255", value: "0", replies: 1 },
])("$key = $value, ping $to -> $replies replies", ({ key, to, value, replies }) => {
  const lab = new Laboratory();
  const a = lab.host("a", { eth0: "lan 10.0.0.1/24" });
  const b = lab.host("b", { eth0: "lan 10.0.0.2/24" });
  b.sysctl.write(key, value);
  const { heard, send } = heardBy(a);
  send({ to });
  lab.run(1);
  expect(heard.length).toBe(replies);
});

test("property: fragments put together in any order make the packet again", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9000 }),
      fc.integer({ min: 28, max: 1500 }),
      fc.array(fc.nat(), { maxLength: 40 }),
      fc.boolean(),
      (size, mtu, swaps, repeats) => {
        const lab = new Laboratory();
        const host = lab.host("h", { eth0: "lan 10.0.0.1/24" });
        const bytes = new Uint8Array(size).map((_, i) => (i * 31) & 255);
        const whole = new Ipv4Packet(ip("10.0.0.2"), ip("10.0.0.1"), 17, 64, new UdpDatagram(7, 9, bytes));
        whole.id = 5;
        const fragments = fragmentPacket(whole, mtu) ?? [];
        expect(fragments.every((one) => one.lengthBytes <= mtu && one.fragmentOffset % 8 === 0)).toBe(true);
        expect(fragments.filter((one) => !one.moreFragments).length).toBe(1);
        if (fragments.length < 2) return;
        const order = [...fragments];
        swaps.forEach((from, i) => {
          const a = from % order.length;
          const b = i % order.length;
          [order[a], order[b]] = [order[b] as Ipv4Packet, order[a] as Ipv4Packet];
        });
        if (repeats) order.splice(1, 0, order[0] as Ipv4Packet);
        const results = order.map((one) => host.ip.defragment(new SkBuff(one, undefined), "local-deliver"));
        const got = results.filter((one) => one !== undefined);
        expect(got.length).toBe(1);
        expect(encodeIpv4(got[0]?.ip as Ipv4Packet)).toEqual(encodeIpv4(whole));
      },
    ),
    { numRuns: 60 },
  );
});

test("property: a packet never leaves a router with a larger TTL, and none with 0", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 255 }), (ttl) => {
      const { lab, a } = chain();
      heardBy(a).send({ to: "10.0.3.9", ttl });
      lab.run(1);
      const sent = lab.frames.filter((seen) => seen.direction === "out" && seen.frame.payload.kind === "ipv4").map((seen) => seen.frame.payload as Ipv4Packet);
      expect(sent.every((packet) => packet.ttl > 0 && packet.ttl <= Math.max(ttl, 64))).toBe(true);
    }),
    { numRuns: 20 },
  );
});
