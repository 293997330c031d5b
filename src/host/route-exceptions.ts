/**
 * What ICMP taught about single destinations: a smaller path MTU, another gateway.
 *
 * Linux v6.1 net/ipv4/route.c (update_or_create_fnhe, find_exception, __ip_rt_update_pmtu, __ip_do_redirect). An exception belongs to the
 * next hop of a route and dies with it.
 */

import type { Ipv4Address } from "../base/ipv4-address.ts";
import type { NetDevice } from "./device.ts";
import type { FibResult } from "./host.ts";
import type { FibEntry } from "./route.ts";

/** FNHE_HASH_SIZE * FNHE_RECLAIM_DEPTH. */
export const EXCEPTIONS_MAX = 10240;

export interface RouteException {
  readonly destination: Ipv4Address;
  readonly entry: FibEntry;
  readonly device: NetDevice | undefined;
  /** 0: none learnt. */
  mtu: number;
  isMtuLocked: boolean;
  gateway: Ipv4Address;
  expiresAtNs: number;
  /** A lookup has gone by it: without a route of its own a listing passes over it (route.c:fnhe_dump_bucket). */
  isUsed: boolean;
}

export class RouteExceptions {
  readonly #byDestination = new Map<number, RouteException[]>();
  #count = 0;
  generation = 1;

  /** The exception of a destination on the next hop that a lookup chose, unless it has expired. */
  find(destination: Ipv4Address, result: FibResult, nowNs: number): RouteException | undefined {
    const candidates = this.#byDestination.get(destination | 0);
    if (candidates === undefined) return undefined;
    const found = candidates.find((e) => e.entry === result.route && e.device === result.device && nowNs <= e.expiresAtNs);
    if (found !== undefined) found.isUsed = true;
    return found;
  }

  /** Adds to what is known; 0 and undefined leave a part as it is. */
  learn(
    destination: Ipv4Address,
    result: FibResult,
    news: { readonly mtu?: number; readonly isMtuLocked?: boolean; readonly gateway?: Ipv4Address; readonly expiresAtNs: number },
  ): void {
    const candidates = this.#byDestination.get(destination | 0) ?? [];
    let exception = candidates.find((e) => e.entry === result.route && e.device === result.device);
    if (exception === undefined) {
      if (this.#count >= EXCEPTIONS_MAX) this.#forgetOldest();
      exception = { destination, entry: result.route, device: result.device, mtu: 0, isMtuLocked: false, gateway: 0, expiresAtNs: 0, isUsed: false };
      this.#byDestination.set(destination | 0, [...candidates, exception]);
      this.#count++;
    }
    if (news.mtu !== undefined && news.mtu !== 0) {
      exception.mtu = news.mtu;
      exception.isMtuLocked = news.isMtuLocked ?? false;
    }
    if (news.gateway !== undefined && news.gateway !== 0) exception.gateway = news.gateway;
    exception.expiresAtNs = news.expiresAtNs;
    this.generation++;
  }

  /** A device has another MTU: paths by it that were learnt follow when they were wider, or as wide as it was. fib_semantics.c:fib_nhc_update_mtu */
  mtuChanged(device: NetDevice, before: number): void {
    for (const candidates of this.#byDestination.values())
      for (const exception of candidates) {
        if (exception.device !== device || exception.mtu === 0) continue;
        const isWider = exception.isMtuLocked ? device.mtu <= exception.mtu : device.mtu < exception.mtu || exception.mtu === before;
        if (!isWider) continue;
        exception.mtu = device.mtu;
        exception.isMtuLocked = false;
      }
    this.generation++;
  }

  clear(): void {
    this.#byDestination.clear();
    this.#count = 0;
    this.generation++;
  }

  /** All that have not expired. */
  list(nowNs: number): RouteException[] {
    const all: RouteException[] = [];
    for (const candidates of this.#byDestination.values()) for (const exception of candidates) if (nowNs <= exception.expiresAtNs) all.push(exception);
    return all;
  }

  #forgetOldest(): void {
    const first = this.#byDestination.entries().next().value;
    if (first === undefined) return;
    this.#byDestination.delete(first[0]);
    this.#count -= first[1].length;
  }
}
