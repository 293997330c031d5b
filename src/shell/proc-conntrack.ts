/**
 * /proc/net/nf_conntrack: the table as the kernel lists it.
 *
 * Linux v6.1 net/netfilter/nf_conntrack_standalone.c (ct_seq_show): the reader itself holds one reference.
 */

import type { Conntrack } from "../host/netfilter/conntrack.ts";
import { formatConnection } from "./conntrack-text.ts";

export function readProcConntrack(conntrack: Conntrack, nowNs: number): string {
  return conntrack.entries.map((connection) => `ipv4     2 ${formatConnection(connection, nowNs, 2)}\n`).join("");
}
