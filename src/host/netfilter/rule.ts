/**
 * iptables rules as data: what a rule matches and what it does, as the iptables command hands it to the kernel.
 *
 * Everything is plain data so that two rules can be compared (-C, -D) and printed; matches.ts and targets.ts make functions of it.
 * Linux v6.1 include/uapi/linux/netfilter_ipv4/ip_tables.h, include/uapi/linux/netfilter/xt_*.h.
 */

import type { NatRange } from "./nat.ts";

export interface Range {
  readonly min: number;
  readonly max: number;
}

/** struct ipt_ip. An interface name that ends in `+` matches every name that begins so; empty stands for every device, `protocol` 0 for every protocol. */
export interface PacketMatch {
  readonly src: number;
  readonly srcMask: number;
  readonly isSrcInverted: boolean;
  readonly dst: number;
  readonly dstMask: number;
  readonly isDstInverted: boolean;
  readonly input: string;
  readonly isInputInverted: boolean;
  readonly output: string;
  readonly isOutputInverted: boolean;
  readonly protocol: number;
  readonly isProtocolInverted: boolean;
  /** -f: second and further fragments only. */
  readonly fragment: "any" | "only" | "not";
}

export const ANY_PACKET: PacketMatch = {
  src: 0,
  srcMask: 0,
  isSrcInverted: false,
  dst: 0,
  dstMask: 0,
  isDstInverted: false,
  input: "",
  isInputInverted: false,
  output: "",
  isOutputInverted: false,
  protocol: 0,
  isProtocolInverted: false,
  fragment: "any",
};

/** Connection states that -m state and --ctstate name. */
export type StateName = "INVALID" | "NEW" | "RELATED" | "ESTABLISHED" | "UNTRACKED" | "SNAT" | "DNAT";
export type StatusName = "NONE" | "EXPECTED" | "SEEN_REPLY" | "ASSURED" | "CONFIRMED";

export interface AddressTest {
  readonly address: number;
  readonly mask: number;
  readonly isInverted: boolean;
}

export interface RangeTest extends Range {
  readonly isInverted: boolean;
}

export type AddressTypeName = "UNSPEC" | "UNICAST" | "LOCAL" | "BROADCAST" | "ANYCAST" | "MULTICAST" | "BLACKHOLE" | "UNREACHABLE" | "PROHIBIT";

export interface ConntrackTest {
  readonly states?: { readonly names: readonly StateName[]; readonly isInverted: boolean };
  readonly protocol?: { readonly number: number; readonly isInverted: boolean };
  readonly originalSource?: AddressTest;
  readonly originalDestination?: AddressTest;
  readonly replySource?: AddressTest;
  readonly replyDestination?: AddressTest;
  readonly originalSourcePort?: RangeTest;
  readonly originalDestinationPort?: RangeTest;
  readonly replySourcePort?: RangeTest;
  readonly replyDestinationPort?: RangeTest;
  readonly status?: { readonly names: readonly StatusName[]; readonly isInverted: boolean };
  readonly expires?: RangeTest;
  readonly direction?: "ORIGINAL" | "REPLY";
}

/** What -m ipvs asks about the IPVS connection of a packet. */
export interface IpvsTest {
  readonly isIpvs: boolean;
  readonly protocol?: { readonly number: number; readonly isInverted: boolean };
  readonly address?: AddressTest;
  readonly port?: { readonly number: number; readonly isInverted: boolean };
  readonly direction?: "ORIGINAL" | "REPLY";
  readonly method?: { readonly name: "GATE" | "IPIP" | "MASQ"; readonly isInverted: boolean };
  readonly controlPort?: { readonly number: number; readonly isInverted: boolean };
}

export interface RecentTest {
  readonly name: string;
  readonly action: "set" | "rcheck" | "update" | "remove";
  readonly isInverted: boolean;
  readonly seconds: number;
  readonly hitCount: number;
  readonly isTtl: boolean;
  readonly isReap: boolean;
  readonly side: "source" | "dest";
  readonly mask: number;
}

export type MatchSpec =
  | {
      readonly kind: "tcp";
      readonly sourcePorts: RangeTest;
      readonly destinationPorts: RangeTest;
      readonly flagMask: number;
      readonly flagCompare: number;
      readonly areFlagsInverted: boolean;
      readonly option: number;
      readonly isOptionInverted: boolean;
    }
  | { readonly kind: "udp" | "sctp"; readonly sourcePorts: RangeTest; readonly destinationPorts: RangeTest }
  | { readonly kind: "icmp"; readonly type: number; readonly codes: Range; readonly isInverted: boolean }
  | { readonly kind: "state"; readonly names: readonly StateName[]; readonly isInverted: boolean }
  | { readonly kind: "conntrack"; readonly test: ConntrackTest }
  | { readonly kind: "mark" | "connmark"; readonly mark: number; readonly mask: number; readonly isInverted: boolean }
  | { readonly kind: "multiport"; readonly which: "sports" | "dports" | "ports"; readonly ports: readonly Range[]; readonly isInverted: boolean }
  | { readonly kind: "limit"; readonly averageUnits: number; readonly burst: number }
  | { readonly kind: "connlimit"; readonly limit: number; readonly prefixLength: number; readonly isUpTo: boolean; readonly isDestination: boolean }
  | { readonly kind: "mac"; readonly address: number; readonly isInverted: boolean }
  | {
      readonly kind: "addrtype";
      readonly source: readonly AddressTypeName[];
      readonly isSourceInverted: boolean;
      readonly destination: readonly AddressTypeName[];
      readonly isDestinationInverted: boolean;
      readonly limitIn: boolean;
      readonly limitOut: boolean;
    }
  | { readonly kind: "iprange"; readonly source?: RangeTest; readonly destination?: RangeTest }
  | { readonly kind: "ttl"; readonly compare: "eq" | "ne" | "lt" | "gt"; readonly ttl: number }
  | { readonly kind: "length"; readonly length: RangeTest }
  | { readonly kind: "comment"; readonly text: string }
  | {
      readonly kind: "statistic";
      readonly mode: "random" | "nth";
      readonly isInverted: boolean;
      readonly probability: number;
      readonly every: number;
      readonly packet: number;
    }
  | { readonly kind: "pkttype"; readonly type: "unicast" | "broadcast" | "multicast"; readonly isInverted: boolean }
  | { readonly kind: "tos"; readonly tos: number; readonly mask: number; readonly isInverted: boolean }
  | { readonly kind: "dscp"; readonly dscp: number; readonly isInverted: boolean }
  | { readonly kind: "tcpmss"; readonly mss: RangeTest }
  | { readonly kind: "recent"; readonly test: RecentTest }
  | { readonly kind: "ipvs"; readonly test: IpvsTest };

export type MatchKind = MatchSpec["kind"];

export type RejectWith =
  | "icmp-net-unreachable"
  | "icmp-host-unreachable"
  | "icmp-proto-unreachable"
  | "icmp-port-unreachable"
  | "icmp-net-prohibited"
  | "icmp-host-prohibited"
  | "icmp-admin-prohibited"
  | "tcp-reset";

export interface LogOptions {
  readonly level: number;
  readonly prefix: string;
  readonly tcpSequence: boolean;
  readonly tcpOptions: boolean;
  readonly ipOptions: boolean;
  readonly uid: boolean;
  readonly macDecode: boolean;
}

export type TargetSpec =
  | { readonly kind: "none" }
  | { readonly kind: "verdict"; readonly verdict: "ACCEPT" | "DROP" | "RETURN" }
  | { readonly kind: "chain"; readonly chain: string; readonly isGoto: boolean }
  | { readonly kind: "REJECT"; readonly with: RejectWith }
  | ({ readonly kind: "LOG" } & LogOptions)
  | { readonly kind: "MARK"; readonly value: number; readonly mask: number }
  | {
      readonly kind: "CONNMARK";
      readonly mode: "set" | "save" | "restore";
      readonly value: number;
      readonly connectionMask: number;
      readonly packetMask: number;
    }
  | { readonly kind: "DNAT" | "SNAT" | "MASQUERADE" | "REDIRECT"; readonly range: NatRange }
  | { readonly kind: "NETMAP"; readonly address: number; readonly mask: number }
  | { readonly kind: "CT"; readonly alias: "NOTRACK" | "CT"; readonly isNoTrack: boolean }
  | { readonly kind: "TTL"; readonly mode: "set" | "dec" | "inc"; readonly value: number }
  | { readonly kind: "TOS"; readonly value: number; readonly mask: number }
  | { readonly kind: "DSCP"; readonly value: number }
  | { readonly kind: "TCPMSS"; readonly mss: number | "clamp" };

/** What a command asks for. `describe` is the rule as `iptables -S` prints it after `-A CHAIN `, for traces. */
export interface RuleSpec {
  readonly packet: PacketMatch;
  readonly matches: readonly MatchSpec[];
  readonly target: TargetSpec;
  describe(): string;
}

/** One rule in a chain with its counters. */
export class Rule {
  readonly spec: RuleSpec;
  packets: number;
  bytes: number;

  constructor(spec: RuleSpec, packets = 0, bytes = 0) {
    this.spec = spec;
    this.packets = packets;
    this.bytes = bytes;
  }
}

/** Everything of two rules but their counters is equal. */
export function isSameRule(a: RuleSpec, b: RuleSpec): boolean {
  return JSON.stringify([a.packet, a.matches, a.target]) === JSON.stringify([b.packet, b.matches, b.target]);
}
