/**
 * /proc/net/tcp, udp, snmp, netstat and sockstat: the sockets and counters of a host as the kernel prints them.
 *
 * Linux v6.1 net/ipv4/tcp_ipv4.c:tcp4_seq_show, net/ipv4/udp.c:udp4_seq_show, net/ipv4/proc.c.
 */

import { NS_PER_SECOND } from "../base/time.ts";
import type { Host, TcpSocket, TcpStateName, UdpSocket } from "../host/host.ts";

const STATE_NUMBERS: Readonly<Record<TcpStateName, number>> = {
  ESTABLISHED: 1,
  SYN_SENT: 2,
  SYN_RECV: 3,
  FIN_WAIT1: 4,
  FIN_WAIT2: 5,
  TIME_WAIT: 6,
  CLOSE: 7,
  CLOSE_WAIT: 8,
  LAST_ACK: 9,
  LISTEN: 10,
  CLOSING: 11,
};
const TCP_HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
const UDP_HEADER = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops";
/** Ticks a second of what /proc shows (USER_HZ). */
const USER_HZ = 100;
const TIMER_NUMBERS: Readonly<Record<string, number>> = { on: 1, keepalive: 2, timewait: 3, probe: 4 };

/** An address as the kernel prints it: the bytes in network order, read by a little-endian machine. */
function hexEnd(address: number, port: number): string {
  const swapped = ((address & 255) << 24) | ((address & 0xff00) << 8) | ((address >>> 8) & 0xff00) | (address >>> 24);
  return `${hex(swapped >>> 0, 8)}:${hex(port, 4)}`;
}

function hex(value: number, width: number): string {
  return value.toString(16).toUpperCase().padStart(width, "0");
}

export function procNetTcp(host: Host): string {
  const rows: string[] = [];
  for (const listener of host.tcp.listeners) {
    rows.push(
      `${tcpStart(rows.length, listener.localAddress, listener.localPort, 0, 0, 10)} ${hex(0, 8)}:${hex(listener.acceptQueueLength, 8)} 00:00000000 00000000     0        0 ${inode(listener.owner)} 1 0000000000000000 100 0 0 10 0`,
    );
  }
  for (const socket of host.tcp.sockets) rows.push(tcpRow(host, rows.length, socket));
  return [TCP_HEADER, ...rows].map((row) => `${row.padEnd(149)}\n`).join("");
}

function tcpStart(slot: number, localAddress: number, localPort: number, remoteAddress: number, remotePort: number, state: number): string {
  return `${String(slot).padStart(4)}: ${hexEnd(localAddress, localPort)} ${hexEnd(remoteAddress, remotePort)} ${hex(state, 2)}`;
}

function tcpRow(host: Host, slot: number, socket: TcpSocket): string {
  const start = tcpStart(slot, socket.localAddress, socket.localPort, socket.remoteAddress, socket.remotePort, STATE_NUMBERS[socket.state]);
  const timer = socket.timer;
  const when = timer === undefined ? 0 : Math.max(Math.ceil(((timer.expiresAtNs - host.loop.nowNs) / NS_PER_SECOND) * USER_HZ), 0);
  const timerText = `${hex(timer === undefined ? 0 : (TIMER_NUMBERS[timer.name] ?? 0), 2)}:${hex(when, 8)} ${hex(timer?.name === "timewait" ? 0 : (timer?.retries ?? 0), 8)}`;
  const queues = `${hex(socket.sendQueueBytes, 8)}:${hex(socket.receiveQueueBytes, 8)}`;
  if (socket.state === "TIME_WAIT") return `${start} ${queues} ${timerText}     0        0 0 3 0000000000000000`;
  return `${start} ${queues} ${timerText}     0        0 ${inode(socket.owner)} 1 0000000000000000 21 4 30 10 -1`;
}

/** A number that stays with the socket: processes and their descriptors make it. */
function inode(owner: TcpSocket["owner"]): number {
  return owner === undefined ? 0 : owner.pid * 256 + owner.fd;
}

export function procNetUdp(host: Host): string {
  const rows = host.udp.sockets.map((socket) => udpRow(socket));
  return [UDP_HEADER, ...rows].map((row) => `${row.padEnd(127)}\n`).join("");
}

function udpRow(socket: UdpSocket): string {
  const state = socket.remotePort === 0 ? 7 : 1;
  return `${String(socket.localPort % 4096).padStart(5)}: ${hexEnd(socket.localAddress, socket.localPort)} ${hexEnd(socket.remoteAddress, socket.remotePort)} ${hex(state, 2)} 00000000:00000000 00:00000000 00000000     0        0 ${inode(socket.owner)} 2 0000000000000000 0`;
}

export function procNetSockstat(host: Host): string {
  const sockets = host.tcp.sockets;
  const inUse = sockets.filter((s) => s.state !== "TIME_WAIT" && s.state !== "SYN_RECV").length + host.tcp.listeners.length;
  const timeWaits = sockets.filter((s) => s.state === "TIME_WAIT").length;
  return `sockets: used ${inUse + host.udp.sockets.length}\nTCP: inuse ${inUse} orphan 0 tw ${timeWaits} alloc ${inUse} mem 0\nUDP: inuse ${host.udp.sockets.length} mem 0\nUDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n`;
}

const TCP_COUNTERS = [
  "ActiveOpens",
  "PassiveOpens",
  "AttemptFails",
  "EstabResets",
  "CurrEstab",
  "InSegs",
  "OutSegs",
  "RetransSegs",
  "InErrs",
  "OutRsts",
  "InCsumErrors",
] as const;
const UDP_COUNTERS = [
  "InDatagrams",
  "NoPorts",
  "InErrors",
  "OutDatagrams",
  "RcvbufErrors",
  "SndbufErrors",
  "InCsumErrors",
  "IgnoredMulti",
  "MemErrors",
] as const;

/** Values of the Tcp row of /proc/net/snmp, CurrEstab counted now. */
export function tcpCounter(host: Host, name: string): number {
  if (name === "CurrEstab") return host.tcp.sockets.filter((s) => s.state === "ESTABLISHED" || s.state === "CLOSE_WAIT").length;
  return host.tcp.counters[name] ?? 0;
}

export function procNetSnmp(host: Host): string {
  const ip = host.ip.counters;
  const forwarding = host.sysctl.read("net.ipv4.ip_forward") === "1" ? 1 : 2;
  const ttl = host.sysctl.read("net.ipv4.ip_default_ttl") ?? "64";
  const icmp = host.icmp.counters;
  const limited = host.icmp.limits.counters;
  const total = (map: ReadonlyMap<number, number>): number => [...map.values()].reduce((sum, count) => sum + count, 0);
  const types: readonly (readonly [string, number])[] = [
    ["DestUnreachs", 3],
    ["TimeExcds", 11],
    ["ParmProbs", 12],
    ["SrcQuenchs", 4],
    ["Redirects", 5],
    ["Echos", 8],
    ["EchoReps", 0],
    ["Timestamps", 13],
    ["TimestampReps", 14],
    ["AddrMasks", 17],
    ["AddrMaskReps", 18],
  ];
  const list = (map: ReadonlyMap<number, number>): string => types.map(([, type]) => map.get(type) ?? 0).join(" ");
  const seen = (prefix: string, map: ReadonlyMap<number, number>): (readonly [string, number])[] =>
    [...map]
      .filter(([, count]) => count > 0)
      .sort((a, b) => a[0] - b[0])
      .map(([type, count]) => [`${prefix}Type${type}`, count]);
  const messages = [...seen("In", icmp.received), ...seen("Out", icmp.sent)];
  return [
    `Ip: Forwarding DefaultTTL ${Object.keys(ip).join(" ")}`,
    `Ip: ${forwarding} ${ttl} ${Object.values(ip).join(" ")}`,
    `Icmp: InMsgs InErrors InCsumErrors ${types.map(([name]) => `In${name}`).join(" ")} OutMsgs OutErrors OutRateLimitGlobal OutRateLimitHost ${types.map(([name]) => `Out${name}`).join(" ")}`,
    `Icmp: ${total(icmp.received)} 0 0 ${list(icmp.received)} ${total(icmp.sent)} 0 ${limited.OutRateLimitGlobal} ${limited.OutRateLimitHost} ${list(icmp.sent)}`,
    ...(messages.length === 0 ? [] : [`IcmpMsg: ${messages.map(([name]) => name).join(" ")}`, `IcmpMsg: ${messages.map(([, count]) => count).join(" ")}`]),
    `Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ${TCP_COUNTERS.join(" ")}`,
    `Tcp: 1 200 120000 -1 ${TCP_COUNTERS.map((name) => tcpCounter(host, name)).join(" ")}`,
    `Udp: ${UDP_COUNTERS.join(" ")}`,
    `Udp: ${UDP_COUNTERS.map((name) => host.udp.counters[name] ?? 0).join(" ")}`,
    `UdpLite: ${UDP_COUNTERS.join(" ")}`,
    `UdpLite: ${UDP_COUNTERS.map(() => 0).join(" ")}`,
  ]
    .map((row) => `${row}\n`)
    .join("");
}

/** /proc/net/netstat with the counters that are kept. */
export function procNetNetstat(host: Host): string {
  const counted = Object.entries(host.tcp.counters).filter(([name]) => !(TCP_COUNTERS as readonly string[]).includes(name));
  return `TcpExt: ${counted.map(([name]) => name).join(" ")}\nTcpExt: ${counted.map(([, count]) => count).join(" ")}\n`;
}

/** Files of /proc/net that are about sockets, by name, for whoever mounts /proc. */
export const PROC_NET_SOCKET_FILES: Readonly<Record<string, (host: Host) => string>> = {
  netstat: procNetNetstat,
  snmp: procNetSnmp,
  sockstat: procNetSockstat,
  tcp: procNetTcp,
  udp: procNetUdp,
};
