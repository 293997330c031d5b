/**
 * What an ICMP error does to the connection that it is about.
 *
 * Linux v6.1 net/ipv4/tcp_ipv4.c:tcp_v4_err, tcp_v4_mtu_reduced, tcp_ld_RTO_revert; net/ipv4/icmp.c:icmp_err_convert; RFC 5461, RFC 6069.
 */

import {
  ICMP_DEST_UNREACH,
  ICMP_FRAG_NEEDED,
  ICMP_HOST_UNREACH,
  ICMP_NET_UNREACH,
  ICMP_PARAMETER_PROBLEM,
  ICMP_REDIRECT,
  ICMP_TIME_EXCEEDED,
  type IcmpMessage,
  type Ipv4Packet,
  RawPayload,
  TcpSegment,
} from "../../wire/packet.ts";
import type { Errno } from "../host.ts";
import { seqAfter, seqBefore } from "./sequence.ts";
import { retransmitTooBig, syncMss } from "./tcp-output.ts";
import type { TcpConnection } from "./tcp-socket.ts";

interface Quoted {
  readonly localPort: number;
  readonly remotePort: number;
  readonly seq: number;
}

export type IcmpEffect = Quoted &
  (
    | { readonly kind: "redirect" }
    | { readonly kind: "too-big"; readonly mtu: number }
    | { readonly kind: "error"; readonly errno: Errno; readonly isUnreachable: boolean; readonly mayAbort: boolean }
  );

/** Errors by code of destination unreachable (icmp_err_convert). */
export const ICMP_UNREACH_ERRNO: readonly Errno[] = [
  "ENETUNREACH",
  "EHOSTUNREACH",
  "ENOPROTOOPT",
  "ECONNREFUSED",
  "EMSGSIZE",
  "EOPNOTSUPP",
  "ENETUNREACH",
  "EHOSTDOWN",
  "ENONET",
  "ENETUNREACH",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "EHOSTUNREACH",
  "EHOSTUNREACH",
  "EHOSTUNREACH",
  "EHOSTUNREACH",
];

/** What a message means for TCP; undefined when it means nothing or quotes too little. */
export function icmpEffect(icmp: IcmpMessage, quoted: Ipv4Packet): IcmpEffect | undefined {
  const ends = quotedEnds(quoted);
  if (ends === undefined) return undefined;
  switch (icmp.type) {
    case ICMP_REDIRECT:
      return { ...ends, kind: "redirect" };
    case ICMP_PARAMETER_PROBLEM:
      return { ...ends, kind: "error", errno: "EPROTO", isUnreachable: false, mayAbort: true };
    case ICMP_TIME_EXCEEDED:
      return { ...ends, kind: "error", errno: "EHOSTUNREACH", isUnreachable: false, mayAbort: true };
    case ICMP_DEST_UNREACH: {
      if (icmp.code === ICMP_FRAG_NEEDED) return { ...ends, kind: "too-big", mtu: icmp.rest & 0xffff };
      const errno = ICMP_UNREACH_ERRNO[icmp.code];
      if (errno === undefined) return undefined;
      const isUnreachable = icmp.code === ICMP_NET_UNREACH || icmp.code === ICMP_HOST_UNREACH;
      return { ...ends, kind: "error", errno, isUnreachable, mayAbort: isUnreachable };
    }
    default:
      return undefined;
  }
}

function quotedEnds(quoted: Ipv4Packet): Quoted | undefined {
  const payload = quoted.payload;
  if (payload instanceof TcpSegment) return { localPort: payload.srcPort, remotePort: payload.dstPort, seq: payload.seq };
  if (!(payload instanceof RawPayload) || payload.bytes.length < 8) return undefined;
  const b = payload.bytes;
  const at = (i: number): number => b[i] ?? 0;
  return { localPort: at(0) * 256 + at(1), remotePort: at(2) * 256 + at(3), seq: ((at(4) << 24) | (at(5) << 16) | (at(6) << 8) | at(7)) >>> 0 };
}

export function applyIcmpError(conn: TcpConnection, effect: IcmpEffect): void {
  if (effect.kind === "redirect" || conn.state === "CLOSE") return;
  if (conn.acceptor !== undefined && conn.state === "SYN_RECV") {
    // A request socket: only what proves that the answer cannot arrive ends it (tcp_req_err).
    if (effect.seq !== conn.iss) conn.tcp.extended.OutOfWindowIcmps++;
    else if (effect.kind === "error" && effect.mayAbort) {
      conn.tcp.extended.ListenDrops++;
      conn.die();
    }
    return;
  }
  // Who cannot know the sequence numbers in flight is no router on the path.
  if (seqBefore(effect.seq, conn.sndUna) || seqAfter(effect.seq, conn.sndNxt)) {
    conn.tcp.extended.OutOfWindowIcmps++;
    return;
  }
  if (effect.kind === "too-big") {
    mtuReduced(conn, effect.mtu);
    return;
  }
  if (effect.isUnreachable) revertBackoff(conn, effect.seq);
  if (conn.state === "SYN_SENT" || conn.state === "SYN_RECV") conn.fail(effect.errno);
  else conn.softError = effect.errno;
}

/** net/ipv4/tcp_ipv4.c:tcp_v4_mtu_reduced. */
function mtuReduced(conn: TcpConnection, reported: number): void {
  const route = conn.tcp.routeOf(conn);
  if (route === undefined) return;
  if (reported < route.mtu) conn.softError = "EMSGSIZE";
  if (conn.pmtuCookie <= route.mtu) return;
  syncMss(conn, route.mtu);
  // Linux differs: it stamps what it sends again here with the time of the first sending, and a SACK that comes next makes it lost again. A process
  // that still holds the socket makes both wait, the SACK first: then the stamps are new. Here they always are.
  conn.clockNs = conn.tcp.host.loop.nowNs;
  retransmitTooBig(conn);
}

/** An unreachable says that the packet was lost for want of a route, not of capacity: the doubling of the timeout is taken back once. */
function revertBackoff(conn: TcpConnection, seq: number): void {
  if (seq !== conn.sndUna || conn.retransmits === 0 || conn.rtt.backoff === 0 || conn.packetsOut === 0) return;
  const head = conn.sendQueue.head;
  if (head === undefined || conn.retransmitJob !== "retransmit") return;
  const backoff = conn.rtt.backoff - 1;
  conn.rtt.restore();
  for (let i = 0; i < backoff; i++) conn.rtt.backOff();
  const elapsed = conn.tcp.host.loop.nowNs - head.sentAtNs;
  conn.armRetransmit("retransmit", Math.max(conn.rtt.rtoNs - elapsed, 0));
}
