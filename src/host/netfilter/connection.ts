/**
 * One tracked connection (struct nf_conn) with what NAT and the TCP tracker keep in it.
 */

import type { ConntrackEntry } from "./conntrack-entry.ts";
import { TCP_STATE_NAMES, type TcpTrack } from "./conntrack-tcp.ts";
import type { Tuple } from "./tuple.ts";

export class Connection implements ConntrackEntry {
  readonly original: Tuple;
  reply: Tuple;
  isConfirmed = false;
  hasReply = false;
  isAssured = false;
  mark = 0;
  /** Meaningful once confirmed; before that `timeoutNs` says how long it will live. */
  expiresAtNs = 0;
  timeoutNs = 0;
  isDead = false;
  tcp: TcpTrack | undefined = undefined;
  /** UDP: from when on traffic in both directions makes it a stream. */
  streamFromNs = 0;
  /** IPS_SRC_NAT, IPS_DST_NAT: the reply tuple differs from the inverse of the original one. */
  isSourceNat = false;
  isDestinationNat = false;
  /** IPS_SRC_NAT_DONE, IPS_DST_NAT_DONE: a rule or the null binding has decided. */
  isSourceNatDone = false;
  isDestinationNatDone = false;
  /** ifindex that MASQUERADE bound it to; 0: none. */
  masqueradeIndex = 0;

  constructor(original: Tuple, reply: Tuple) {
    this.original = original;
    this.reply = reply;
  }

  get state(): string {
    return this.tcp === undefined ? "" : (TCP_STATE_NAMES[this.tcp.state] ?? "NONE");
  }
}
