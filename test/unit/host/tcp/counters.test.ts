/**
 * TcpExt and Tcp: what is counted when segments are lost, doubled and refused, when windows close and when nobody answers.
 */

import { expect, test } from "vitest";
import type { TcpEvents, TcpSocket } from "../../../../src/host/host.ts";
import { Mib, TCP_EXT_NAMES } from "../../../../src/host/mib.ts";
import type { Ipv4Packet, TcpSegment } from "../../../../src/wire/packet.ts";
import { A, B, FakeNetwork, MS, SECOND } from "./fake-network.ts";

function connected(serverEvents: TcpEvents = {}) {
  const net = new FakeNetwork();
  const a = net.host(A, "a");
  const b = net.host(B, "b");
  let server: TcpSocket | undefined;
  b.tcp.listen({ address: 0, port: 80 }, (socket) => {
    server = socket;
    return serverEvents;
  });
  const client = a.tcp.connect({ address: B, port: 80 }, {});
  if (typeof client === "string") throw new Error(client);
  net.runFor(10 * MS);
  if (server === undefined) throw new Error("no connection was accepted");
  return { net, client, server, a: a.host.mib, b: b.host.mib };
}

function dataOf(packet: Ipv4Packet): number {
  return (packet.payload as TcpSegment).payload.length;
}

/** The counters that are not 0. */
function counted(counters: object): Record<string, number> {
  return Object.fromEntries(Object.entries(counters).filter(([, value]) => value !== 0));
}

test("every counter of TcpExt has a name of the kernel's, and they come in its order", () => {
  const names = Object.keys(new Mib().tcpExt);
  expect(TCP_EXT_NAMES.filter((name) => names.includes(name))).toEqual(names);
  expect(TCP_EXT_NAMES).toHaveLength(125);
});

test("a SYN that nobody answers: seven timeouts, six repetitions, of which five were lost again", () => {
  const net = new FakeNetwork();
  net.fate = () => [];
  const { host, tcp } = net.host(A, "a");
  tcp.connect({ address: B, port: 80 }, {});
  net.runFor(300 * SECOND);
  expect(counted(host.mib.tcp)).toEqual({ ActiveOpens: 1, AttemptFails: 1, OutSegs: 1, RetransSegs: 6 });
  expect(counted(host.mib.tcpExt)).toEqual({ TCPTimeouts: 7, TCPSynRetrans: 6, TCPLostRetransmit: 5, TCPAbortOnTimeout: 1, TcpTimeoutRehash: 6 });
});

test("who gives up before the answer has not failed", () => {
  const net = new FakeNetwork();
  net.fate = () => [];
  const { host, tcp } = net.host(A, "a");
  const socket = tcp.connect({ address: B, port: 80 }, {});
  if (typeof socket === "string") throw new Error(socket);
  net.runFor(2 * SECOND);
  socket.close();
  expect(host.mib.tcp.AttemptFails).toBe(0);
});

test("a full accept queue drops SYNs, each counted as an overflow and as a drop", () => {
  const net = new FakeNetwork();
  const a = net.host(A, "a");
  const b = net.host(B, "b");
  const listener = b.tcp.listen({ address: 0, port: 80, backlog: 1 }, () => ({}));
  if (typeof listener === "string") throw new Error(listener);
  listener.isAccepting = false;
  for (let i = 0; i < 3; i++) {
    a.tcp.connect({ address: B, port: 80 }, {});
    net.runFor(100 * MS);
  }
  net.runFor(3500 * MS);
  expect(counted(b.host.mib.tcpExt)).toEqual({ ListenOverflows: 3, ListenDrops: 3, TCPPureAcks: 2 });
});

test("a segment lost in a burst is sent again by fast retransmit", () => {
  const { net, client, a, b } = connected();
  let isLost = false;
  net.fate = (packet) => {
    const dies = !isLost && dataOf(packet) > 1000;
    isLost ||= dies;
    return dies ? [] : [50_000];
  };
  client.send(new Uint8Array(10 * 1448));
  net.runFor(SECOND);
  expect(a.tcp.RetransSegs).toBe(1);
  expect(a.tcpExt).toMatchObject({ TCPSackRecovery: 1, TCPFastRetrans: 1, TCPTimeouts: 0, TCPOrigDataSent: 10, TCPDelivered: 11 });
  expect(b.tcpExt).toMatchObject({ TCPOFOQueue: 9, TCPDSACKOldSent: 0 });
  // What is sent again is no new segment.
  expect(a.tcp.OutSegs).toBe(12);
});

test("a segment that comes twice is told of, and the sender knows that the network doubled it", () => {
  const { net, client, a, b } = connected();
  net.fate = () => [50_000, 60_000];
  client.send(new Uint8Array(100));
  net.runFor(SECOND);
  expect(b.tcpExt).toMatchObject({ DelayedACKLost: 1, TCPDSACKOldSent: 1 });
  expect(a.tcpExt).toMatchObject({ TCPDSACKRecv: 2, TCPDSACKIgnoredDubious: 2, TCPDSACKRecvSegs: 0 });
});

test("a reader that stops closes the window; probes ask until it reads again", () => {
  const { net, client, server, a, b } = connected({ onData: () => undefined });
  server.pause();
  client.send(new Uint8Array(300_000));
  net.runFor(5 * SECOND);
  expect(b.tcpExt.TCPToZeroWindowAdv).toBe(1);
  expect(a.tcpExt.TCPWinProbe).toBeGreaterThan(2);
  expect(b.tcpExt.TCPHPHits).toBeGreaterThan(10);
  server.resume();
  net.runFor(SECOND);
  expect(b.tcpExt.TCPFromZeroWindowAdv).toBe(1);
});

test("keepalive probes are counted, and the end that they bring", () => {
  const { net, client, a } = connected();
  client.setKeepAlive({ idleNs: SECOND, intervalNs: SECOND, probes: 3 });
  net.fate = () => [];
  net.runFor(10 * SECOND);
  expect(a.tcpExt).toMatchObject({ TCPKeepAlive: 3, TCPAbortOnTimeout: 1 });
  expect(a.tcp).toMatchObject({ OutRsts: 1, EstabResets: 1 });
});

test("closing with data unread resets", () => {
  const { net, client, server, a, b } = connected();
  server.pause();
  client.send(new Uint8Array(10));
  net.runFor(10 * MS);
  server.close();
  net.runFor(10 * MS);
  expect(b.tcpExt.TCPAbortOnClose).toBe(1);
  expect(b.tcp).toMatchObject({ OutRsts: 1, EstabResets: 1 });
  expect(a.tcp.EstabResets).toBe(1);
});
