/**
 * Conntrack entries as text: what conntrack -L and /proc/net/nf_conntrack show.
 *
 * conntrack-tools v1.4.7 (libnetfilter_conntrack src/conntrack/snprintf_default.c); Linux v6.1 net/netfilter/nf_conntrack_standalone.c.
 */

import { formatIpv4Address } from "../base/ipv4-address.ts";
import { NS_PER_SECOND } from "../base/time.ts";
import type { Connection } from "../host/netfilter/connection.ts";
import type { Tuple } from "../host/netfilter/tuple.ts";

const PROTOCOL_NAMES: Readonly<Record<number, string>> = { 1: "icmp", 6: "tcp", 17: "udp", 33: "dccp", 47: "gre", 132: "sctp", 136: "udplite" };

export function formatTuple(tuple: Tuple): string {
  const text = `src=${formatIpv4Address(tuple.src)} dst=${formatIpv4Address(tuple.dst)}`;
  switch (tuple.protocol) {
    case 1:
      return `${text} type=${tuple.typeCode >>> 8} code=${tuple.typeCode & 255} id=${tuple.srcPort}`;
    case 6:
    case 17:
    case 33:
    case 132:
    case 136:
      return `${text} sport=${tuple.srcPort} dport=${tuple.dstPort}`;
    case 47:
      return `${text} srckey=0x0 dstkey=0x0`;
    default:
      return text;
  }
}

/** One entry without the newline. `uses` is the reference count that the way of asking shows. */
export function formatConnection(connection: Connection, nowNs: number, uses: number): string {
  const { original, reply } = connection;
  const seconds = Math.max(0, Math.floor((connection.expiresAtNs - nowNs) / NS_PER_SECOND));
  const name = PROTOCOL_NAMES[original.protocol] ?? "unknown";
  let text = `${name.padEnd(8)} ${original.protocol} ${seconds} `;
  if (connection.state !== "") text += `${connection.state} `;
  text += `${formatTuple(original)} ${connection.hasReply ? "" : "[UNREPLIED] "}${formatTuple(reply)} `;
  if (connection.isAssured) text += "[ASSURED] ";
  return `${text}mark=${connection.mark} use=${uses}`;
}
