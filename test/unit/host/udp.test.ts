/**
 * UDP: who gets a datagram, what goes back for one that nobody wants, which errors a socket hears of.
 */

import { expect, test } from "vitest";
import type { UdpSocket } from "../../../src/host/host.ts";
import { ICMP_DEST_UNREACH, IcmpMessage, Ipv4Packet, PROTOCOL_UDP, UdpDatagram } from "../../../src/wire/packet.ts";
import { A, B, FakeNetwork } from "./tcp/fake-network.ts";

function opened(net: FakeNetwork) {
  const heard: string[] = [];
  const { udp } = net.host(B, "b");
  const open = (name: string, options: Partial<Parameters<typeof udp.bind>[0]> = {}) =>
    udp.bind(
      { address: 0, port: 53, ...options },
      { onDatagram: (payload) => void heard.push(`${name} ${payload.length}`), onError: (errno) => void heard.push(`${name} ${errno}`) },
    );
  return { heard, udp, open };
}

function datagram(srcPort: number, dstPort: number, bytes: number): Ipv4Packet {
  return new Ipv4Packet(A, B, PROTOCOL_UDP, 64, new UdpDatagram(srcPort, dstPort, new Uint8Array(bytes)));
}

test("a closed port is answered with port unreachable", () => {
  const net = new FakeNetwork();
  const { heard, open } = opened(net);
  open("dns");
  net.inject(datagram(4000, 53, 10));
  net.inject(datagram(4000, 54, 10));
  expect(heard).toEqual(["dns 10"]);
  expect(net.errors).toEqual([{ to: A, type: 3, code: 3 }]);
});

test("a connected socket gets its peer's datagrams and nobody else's", () => {
  const net = new FakeNetwork();
  const { heard, open } = opened(net);
  const socket = open("dns") as UdpSocket;
  socket.connect(A, 4000);
  net.inject(datagram(4000, 53, 1));
  net.inject(datagram(4001, 53, 2));
  expect(heard).toEqual(["dns 1"]);
  expect(net.errors).toHaveLength(1);
});

test("ports are exclusive, unless all of their sockets share; then the newest gets the datagrams", () => {
  const net = new FakeNetwork();
  const { heard, open } = opened(net);
  open("one", { reuseAddress: true });
  expect(open("two")).toBe("EADDRINUSE");
  expect(typeof open("three", { reuseAddress: true })).toBe("object");
  expect(open("four", { address: 0x0a000009, port: 99 })).toBe("EADDRNOTAVAIL");
  net.inject(datagram(4000, 53, 7));
  expect(heard).toEqual(["three 7"]);
});

test.each([
  { isConnected: true, code: 3, heard: ["dns ECONNREFUSED"] },
  { isConnected: true, code: 1, heard: [] },
  { isConnected: false, code: 3, heard: [] },
])("an unreachable (code $code) about a datagram, connected $isConnected -> $heard", ({ isConnected, code, heard: wanted }) => {
  const net = new FakeNetwork();
  const { heard, open } = opened(net);
  net.fate = () => [];
  const socket = open("dns") as UdpSocket;
  if (isConnected) socket.connect(A, 4000);
  socket.send(new Uint8Array(3), { address: A, port: 4000 });
  net.icmp(B, new IcmpMessage(ICMP_DEST_UNREACH, code, 0), net.sent[0]?.packet as Ipv4Packet);
  expect(heard).toEqual(wanted);
});

test("small datagrams go with DF, those bigger than the path MTU without", () => {
  const net = new FakeNetwork();
  const { open } = opened(net);
  const socket = open("dns") as UdpSocket;
  socket.send(new Uint8Array(1472), { address: A, port: 1 });
  socket.send(new Uint8Array(1473), { address: A, port: 1 });
  expect(net.sent.map(({ packet }) => packet.dontFragment)).toEqual([true, false]);
  expect(socket.send(new Uint8Array(70_000), { address: A, port: 1 })).toBe("EMSGSIZE");
  expect(socket.send(new Uint8Array(1), { address: 0x0b000001, port: 1 })).toBe("ENETUNREACH");
});
