/**
 * How many ICMP messages may leave: a bucket for the host, and one per peer that errors, route errors and redirects share.
 *
 * Linux v6.1 net/ipv4/icmp.c (icmp_global_allow, icmpv4_mask_allow, icmpv4_xrlim_allow), net/ipv4/inetpeer.c:inet_peer_xrlim_allow,
 * net/ipv4/route.c (ip_rt_send_redirect, ip_error).
 */

import type { Ipv4Address } from "../base/ipv4-address.ts";
import { NS_PER_MS, NS_PER_SECOND } from "../base/time.ts";
import type { RandomStream } from "../kernel/random.ts";
import { ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED } from "../wire/packet.ts";
import type { Host, SysctlCell } from "./host.ts";

/** NR_ICMP_TYPES. */
const ICMP_TYPES_MAX = 18;
/** Errors that a quiet peer may get at once, in units of the interval. */
const PEER_BURST = 6;
const PEERS_MAX = 65536;
/** A new peer is taken to have been quiet for so long. */
const QUIET_NS = 60 * NS_PER_SECOND;
/** The global bucket is not filled up in steps smaller than this once it is empty. */
const REFILL_STEP_NS = 20 * NS_PER_MS;

const ROUTE_ERROR_COST_NS = NS_PER_SECOND;
const ROUTE_ERROR_BURST_NS = 5 * NS_PER_SECOND;

const REDIRECT_LOAD_NS = 20 * NS_PER_MS;
const REDIRECT_COUNT_MAX = 9;
const REDIRECT_SILENCE_NS = REDIRECT_LOAD_NS * 1024;

/** What is remembered about one address (struct inet_peer). */
interface Peer {
  tokensNs: number;
  lastNs: number;
  redirects: number;
}

export class IcmpLimits {
  readonly #host: Host;
  readonly #peers = new Map<number, Peer>();
  readonly #rateMask: SysctlCell;
  readonly #rateLimitMs: SysctlCell;
  readonly #perSecond: SysctlCell;
  readonly #burst: SysctlCell;
  #random: RandomStream | undefined = undefined;
  #credit = 0;
  #stampNs = Number.NEGATIVE_INFINITY;

  constructor(host: Host) {
    this.#host = host;
    this.#rateMask = host.sysctl.registerInteger("net.ipv4.icmp_ratemask", 0x1818);
    this.#rateLimitMs = host.sysctl.registerInteger("net.ipv4.icmp_ratelimit", 1000);
    this.#perSecond = host.sysctl.registerInteger("net.ipv4.icmp_msgs_per_sec", 1000);
    this.#burst = host.sysctl.registerInteger("net.ipv4.icmp_msgs_burst", 50);
  }

  /** The limit of the whole host. */
  allowsGlobally(type: number, code: number): boolean {
    if (this.#isFree(type, code)) return true;
    const elapsedNs = Math.min(this.#host.loop.nowNs - this.#stampNs, NS_PER_SECOND);
    if (this.#credit > 0 || elapsedNs >= REFILL_STEP_NS) {
      const refill = Math.trunc((this.#perSecond.value * elapsedNs) / NS_PER_SECOND);
      if (refill > 0) this.#stampNs = this.#host.loop.nowNs;
      this.#credit = Math.min(this.#credit + refill, this.#burst.value);
    }
    if (this.#credit <= 0) {
      this.#host.mib.icmp.OutRateLimitGlobal++;
      return false;
    }
    // The kernel blurs the count so that it cannot be read from outside.
    this.#random ??= this.#host.random("icmp-limit");
    this.#credit = Math.max(this.#credit - this.#random.below(3), 0);
    return true;
  }

  /** The limit of one destination. */
  allowsPeer(destination: Ipv4Address, type: number, code: number): boolean {
    const intervalNs = this.#rateLimitMs.value * NS_PER_MS;
    if (intervalNs === 0 || this.#isFree(type, code)) return true;
    const peer = this.#peerOf(destination);
    this.#refill(peer, PEER_BURST * intervalNs);
    if (peer.tokensNs < intervalNs) {
      this.#host.mib.icmp.OutRateLimitHost++;
      return false;
    }
    peer.tokensNs -= intervalNs;
    return true;
  }

  /** ip_error */
  mayReportRouteError(source: Ipv4Address): boolean {
    const peer = this.#peerOf(source);
    this.#refill(peer, ROUTE_ERROR_BURST_NS);
    if (peer.tokensNs < ROUTE_ERROR_COST_NS) return false;
    peer.tokensNs -= ROUTE_ERROR_COST_NS;
    return true;
  }

  /** ip_rt_send_redirect: at most nine, ever farther apart, until there was silence. */
  mayRedirect(source: Ipv4Address): boolean {
    const { nowNs } = this.#host.loop;
    const peer = this.#peerOf(source);
    if (nowNs > peer.lastNs + REDIRECT_SILENCE_NS) {
      peer.tokensNs = 0;
      peer.redirects = 0;
    }
    if (peer.redirects >= REDIRECT_COUNT_MAX) {
      peer.lastNs = nowNs;
      return false;
    }
    if (peer.redirects > 0 && nowNs <= peer.lastNs + REDIRECT_LOAD_NS * 2 ** peer.redirects) return false;
    peer.lastNs = nowNs;
    peer.redirects++;
    return true;
  }

  isRedirectLimitReached(source: Ipv4Address): boolean {
    return this.#peerOf(source).redirects === REDIRECT_COUNT_MAX;
  }

  #isFree(type: number, code: number): boolean {
    return type > ICMP_TYPES_MAX || (type === ICMP_DEST_UNREACH && code === ICMP_FRAG_NEEDED) || ((1 << type) & this.#rateMask.value) === 0;
  }

  #refill(peer: Peer, maxNs: number): void {
    const { nowNs } = this.#host.loop;
    peer.tokensNs = Math.min(peer.tokensNs + nowNs - peer.lastNs, maxNs);
    peer.lastNs = nowNs;
  }

  #peerOf(address: Ipv4Address): Peer {
    const known = this.#peers.get(address | 0);
    if (known !== undefined) return known;
    if (this.#peers.size >= PEERS_MAX) this.#peers.delete(this.#peers.keys().next().value as number);
    const peer: Peer = { tokensNs: 0, lastNs: this.#host.loop.nowNs - QUIET_NS, redirects: 0 };
    this.#peers.set(address | 0, peer);
    return peer;
  }
}
