/**
 * One tracked connection (struct nf_conn): what other parts of the host may know of it. The table and its rules are in conntrack.ts.
 */

import type { Ipv4Address } from "../../base/ipv4-address.ts";

/** For ICMP echo srcPort and dstPort hold the identifier, as conntrack does. */
export interface ConntrackTuple {
  readonly protocol: number;
  readonly src: Ipv4Address;
  readonly dst: Ipv4Address;
  readonly srcPort: number;
  readonly dstPort: number;
}

export interface ConntrackEntry {
  readonly original: ConntrackTuple;
  /** Changed by NAT and IPVS until the entry is confirmed (nf_conntrack_alter_reply). */
  reply: ConntrackTuple;
  isConfirmed: boolean;
  /** Reply seen, so ESTABLISHED (IPS_SEEN_REPLY). */
  hasReply: boolean;
  isAssured: boolean;
  mark: number;
  /** Protocol state, such as SYN_SENT or ESTABLISHED for TCP; empty for others. */
  state: string;
  /** When the entry dies unless a packet refreshes it. */
  expiresAtNs: number;
}
