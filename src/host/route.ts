/**
 * Routes: entries of the forwarding tables and the result of a lookup (struct rtable).
 */

import type { Ipv4Address } from "../base/ipv4-address.ts";
import type { DropReason } from "../trace/events.ts";
import { type NetDevice, type Scope, SCOPE_GLOBAL } from "./device.ts";

export type RouteType = "unicast" | "local" | "broadcast" | "multicast" | "unreachable" | "blackhole" | "prohibit" | "throw";

export const TABLE_DEFAULT = 253;
export const TABLE_MAIN = 254;
export const TABLE_LOCAL = 255;

/** One route of one table, as `ip route` shows it. */
export interface FibEntry {
  readonly network: Ipv4Address;
  readonly prefixLength: number;
  readonly table: number;
  readonly type: RouteType;
  readonly scope: Scope;
  readonly tos: number;
  /** Metric. */
  readonly priority: number;
  /** `kernel`, `boot`, `static`, ... */
  readonly protocol: string;
  readonly device: NetDevice | undefined;
  /** 0: on link. */
  readonly gateway: Ipv4Address;
  /** `src`; 0: none. */
  readonly preferredSource: Ipv4Address;
  /** `mtu`, 0: the device's. */
  readonly mtu: number;
  readonly mtuLocked: boolean;
  readonly isOnlink: boolean;
  readonly advmss: number;
  /** The next hop is dead because its device lost carrier or went down (RTNH_F_LINKDOWN). */
  readonly isLinkDown: boolean;
  /** All next hops of a multipath route, with weights (`device` and `gateway` are the first's); empty when there is but one. */
  readonly nextHops: readonly { readonly device: NetDevice; readonly gateway: Ipv4Address; readonly weight: number }[];
}

/** An entry with what `ip route add` takes for granted: to anywhere, in table main, by hand. */
export function fibEntry(parts: Partial<FibEntry>): FibEntry {
  return { ...PLAIN_ENTRY, ...parts };
}

const PLAIN_ENTRY: FibEntry = {
  network: 0,
  prefixLength: 0,
  table: TABLE_MAIN,
  type: "unicast",
  scope: SCOPE_GLOBAL,
  tos: 0,
  priority: 0,
  protocol: "boot",
  device: undefined,
  gateway: 0,
  preferredSource: 0,
  mtu: 0,
  mtuLocked: false,
  isOnlink: false,
  advmss: 0,
  isLinkDown: false,
  nextHops: [],
};

/**
 * What a lookup decided. `device` is where the packet leaves (lo for local delivery of own packets). For type unreachable, prohibit and
 * blackhole `errno` says what a local sender gets.
 */
export interface Route {
  readonly type: RouteType;
  readonly device: NetDevice;
  /** 0: the destination itself is on link. */
  readonly gateway: Ipv4Address;
  /** Source address for a packet that has none yet. */
  readonly source: Ipv4Address;
  /** Path MTU learnt or set, else the device's. */
  readonly mtu: number;
  readonly mtuLocked: boolean;
  readonly table: number;
  readonly entry: FibEntry | undefined;
  /** ICMP redirect should be sent when forwarding by it (RTCF_DOREDIRECT). */
  readonly doRedirect: boolean;
  /** The gateway was learnt from an ICMP redirect. */
  readonly isRedirected?: boolean;
  /** When the learnt MTU or gateway is forgotten; 0: nothing was learnt. */
  readonly expiresAtNs?: number;
  /** Path MTU that was learnt, 0: none (rt_pmtu). It need not be less than the device's. */
  readonly pathMtu?: number;
}

/** A failed lookup. `ENETUNREACH`, `EHOSTUNREACH`, `EACCES`, `EINVAL` (blackhole), `EXDEV` (source validation) ... */
export interface RouteError {
  readonly errno: string;
  /** What to record when a packet dies of it; absent when there simply is no route. */
  readonly reason?: DropReason;
  readonly detail: string;
}

/** One policy rule, as `ip rule` shows it. */
export interface FibRule {
  readonly priority: number;
  readonly from: { readonly network: Ipv4Address; readonly prefixLength: number };
  readonly to: { readonly network: Ipv4Address; readonly prefixLength: number };
  readonly tos: number;
  readonly mark: number;
  readonly markMask: number;
  readonly inputDevice: string;
  readonly outputDevice: string;
  readonly isInverted: boolean;
  readonly action: "lookup" | "unreachable" | "prohibit" | "blackhole" | "goto" | "nop";
  readonly table: number;
  /** Routes with a prefix length of at most this are not taken; undefined: all are. */
  readonly suppressPrefixLength?: number | undefined;
  /** Priority that a goto rule jumps to. */
  readonly target?: number | undefined;
}

/** What a lookup in the forwarding tables asks for (struct flowi4). */
export interface FibFlow {
  readonly dst: Ipv4Address;
  readonly src: Ipv4Address;
  readonly mark: number;
  readonly tos: number;
  /** Only routes of this scope or a narrower one. */
  readonly scope: Scope;
  /** Only next hops through this device. */
  readonly output: NetDevice | undefined;
  /** Where the packet came in; undefined for packets of this host. */
  readonly input: NetDevice | undefined;
  /** Take routes whose device has no carrier whatever ignore_routes_with_linkdown says. */
  readonly ignoresLinkState?: boolean;
  /** Next hops need not go through `output` (FLOWI_FLAG_SKIP_NH_OIF). */
  readonly skipsOutputMatch?: boolean;
  /** Look here first, and by the rules only when this table has nothing. */
  readonly table?: number | undefined;
}

/** A route and the one of its next hops that was chosen. */
export interface FibResult {
  readonly route: FibEntry;
  /** The table that was asked; main as long as local and main are one. */
  readonly table: number;
  readonly device: NetDevice | undefined;
  readonly gateway: Ipv4Address;
  /** Scope of the next hop: link and wider when it is a gateway, host when the destination is on link. */
  readonly hopScope: Scope;
}
