/**
 * /proc/net/tcp, udp and sockstat: the sockets of a host as the kernel prints them.
 *
 * Linux v6.1 net/ipv4/tcp_ipv4.c:tcp4_seq_show, net/ipv4/udp.c:udp4_seq_show, net/ipv4/proc.c:sockstat_seq_show.
 */

import { NS_PER_SECOND } from "../base/time.ts";
import type { Host, TcpSocket, TcpStateName, UdpSocket } from "../host/host.ts";
import { procNetNetstat, procNetSnmp, procNetSnmp6 } from "./proc-mib.ts";

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

/** Files of /proc/net that are about sockets and what they count, by name, for whoever mounts /proc. */
export const PROC_NET_SOCKET_FILES: Readonly<Record<string, (host: Host) => string>> = {
  netstat: procNetNetstat,
  snmp: procNetSnmp,
  snmp6: procNetSnmp6,
  sockstat: procNetSockstat,
  tcp: procNetTcp,
  udp: procNetUdp,
};
