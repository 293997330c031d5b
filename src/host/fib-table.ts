/**
 * One routing table: routes by prefix, found longest prefix first.
 *
 * Linux v6.1 net/ipv4/fib_trie.c (fib_table_lookup, fib_find_alias, fn_trie_dump_leaf). The kernel keeps a trie; here each prefix length
 * that is in use has a map, which finds the same routes.
 */

import type { Ipv4Address } from "../base/ipv4-address.ts";
import { prefixMask } from "../base/ipv4-address.ts";
import type { NetDevice, Scope } from "./device.ts";
import type { FibFlow } from "./host.ts";
import type { FibEntry, RouteType } from "./route.ts";

/** One next hop of a route (struct fib_nh). */
export interface FibHop {
  readonly device: NetDevice | undefined;
  readonly gateway: Ipv4Address;
  readonly weight: number;
  readonly isOnlink: boolean;
  /** How far the gateway is: link or host when it is directly reachable, nowhere for local addresses. */
  readonly scope: Scope;
  isDead: boolean;
  isLinkDown: boolean;
}

/** A route as the tables hold it: an entry with the state of its next hops. */
export class FibRoute implements FibEntry {
  readonly network: Ipv4Address;
  readonly prefixLength: number;
  readonly table: number;
  readonly type: RouteType;
  readonly scope: Scope;
  readonly tos: number;
  readonly priority: number;
  readonly protocol: string;
  readonly device: NetDevice | undefined;
  readonly gateway: Ipv4Address;
  readonly preferredSource: Ipv4Address;
  readonly mtu: number;
  readonly mtuLocked: boolean;
  readonly isOnlink: boolean;
  readonly advmss: number;
  readonly nextHops: FibEntry["nextHops"];
  readonly hops: readonly FibHop[];
  isDead = false;
  isLinkDown = false;

  constructor(entry: FibEntry, hops: readonly FibHop[]) {
    const first = hops[0];
    this.network = entry.network;
    this.prefixLength = entry.prefixLength;
    this.table = entry.table;
    this.type = entry.type;
    this.scope = entry.scope;
    this.tos = entry.tos;
    this.priority = entry.priority;
    this.protocol = entry.protocol;
    this.device = first?.device;
    this.gateway = first?.gateway ?? 0;
    this.preferredSource = entry.preferredSource;
    this.mtu = entry.mtu;
    this.mtuLocked = entry.mtuLocked;
    this.isOnlink = first?.isOnlink ?? false;
    this.advmss = entry.advmss;
    this.hops = hops;
    this.nextHops = hops.length > 1 ? hops.map((hop) => ({ device: hop.device as NetDevice, gateway: hop.gateway, weight: hop.weight })) : [];
  }
}

/** True when both say the same in every respect that the kernel compares (fib_find_info): the same route added again. */
export function isSameRoute(a: FibRoute, b: FibRoute): boolean {
  return (
    a.type === b.type &&
    a.scope === b.scope &&
    a.protocol === b.protocol &&
    a.preferredSource === b.preferredSource &&
    a.priority === b.priority &&
    a.mtu === b.mtu &&
    a.mtuLocked === b.mtuLocked &&
    a.advmss === b.advmss &&
    a.hops.length === b.hops.length &&
    a.hops.every((hop, i) => {
      const other = b.hops[i] as FibHop;
      return (
        hop.device === other.device &&
        hop.gateway === other.gateway &&
        hop.scope === other.scope &&
        hop.weight === other.weight &&
        hop.isOnlink === other.isOnlink
      );
    })
  );
}

/** What a sender gets for a route that leads nowhere (fib_props); a throw route ends the search in its table only. */
const TYPE_ERRORS: Readonly<Partial<Record<RouteType, string>>> = { unreachable: "EHOSTUNREACH", prohibit: "EACCES", blackhole: "EINVAL", throw: "EAGAIN" };

/** A hop that a flow may use, an errno, or undefined when the search goes on. */
export type LeafMatch = { readonly route: FibRoute; readonly hop: FibHop } | string | undefined;

/** The first route of one prefix that fits the flow. `usesHop` is the caller's say about links without carrier. */
export function matchLeaf(routes: readonly FibRoute[], flow: FibFlow, usesHop: (hop: FibHop) => boolean): LeafMatch {
  for (const route of routes) {
    if (route.isDead || (route.tos !== 0 && route.tos !== flow.tos) || route.scope < flow.scope) continue;
    const error = TYPE_ERRORS[route.type];
    if (error !== undefined) return error;
    for (const hop of route.hops) {
      if (hop.isDead || (hop.isLinkDown && !usesHop(hop))) continue;
      if (flow.output !== undefined && hop.device !== flow.output && flow.skipsOutputMatch !== true) continue;
      return { route, hop };
    }
  }
  return undefined;
}

/** Routes of one prefix are ordered by TOS (larger first), then metric, then as they were added. */
function isBefore(a: FibRoute, tos: number, priority: number): boolean {
  return a.tos > tos || (a.tos === tos && a.priority < priority);
}

export class FibTable {
  readonly id: number;
  /** Prefix lengths in use, longest first. */
  lengths: readonly number[] = [];
  /** How many default routes there are. */
  defaultCount = 0;
  count = 0;
  readonly #maps: (Map<number, FibRoute[]> | undefined)[] = new Array(33).fill(undefined);

  constructor(id: number) {
    this.id = id;
  }

  /** The routes of exactly this prefix, in order. */
  routesOf(network: Ipv4Address, prefixLength: number): readonly FibRoute[] {
    return this.#maps[prefixLength]?.get(network | 0) ?? [];
  }

  /** The routes whose prefix of this length contains `address`. */
  leafOf(address: Ipv4Address, prefixLength: number): readonly FibRoute[] | undefined {
    const map = this.#maps[prefixLength];
    return map === undefined ? undefined : map.get(address & prefixMask(prefixLength));
  }

  /** Where routes of this TOS and metric are, or would be: [start, end). */
  span(network: Ipv4Address, prefixLength: number, tos: number, priority: number): { readonly start: number; readonly end: number } {
    const routes = this.routesOf(network, prefixLength);
    let start = 0;
    while (start < routes.length && isBefore(routes[start] as FibRoute, tos, priority)) start++;
    let end = start;
    while (end < routes.length && routes[end]?.tos === tos && routes[end]?.priority === priority) end++;
    return { start, end };
  }

  /** Puts `route` at `index` among the routes of its prefix, in place of `replaced` of them. */
  insert(route: FibRoute, index: number, replaced = 0): void {
    let map = this.#maps[route.prefixLength];
    if (map === undefined) {
      map = new Map();
      this.#maps[route.prefixLength] = map;
      this.#updateLengths();
    }
    const key = route.network | 0;
    const routes = map.get(key);
    if (routes === undefined) map.set(key, [route]);
    else routes.splice(index, replaced, route);
    const added = 1 - replaced;
    this.count += added;
    if (route.prefixLength === 0) this.defaultCount += added;
  }

  delete(route: FibRoute): void {
    const map = this.#maps[route.prefixLength];
    const routes = map?.get(route.network | 0);
    const index = routes?.indexOf(route) ?? -1;
    if (map === undefined || routes === undefined || index < 0) return;
    routes.splice(index, 1);
    this.count--;
    if (route.prefixLength === 0) this.defaultCount--;
    if (routes.length > 0) return;
    map.delete(route.network | 0);
    if (map.size > 0) return;
    this.#maps[route.prefixLength] = undefined;
    this.#updateLengths();
  }

  /** Every route, by network, longer prefixes of one network first: the order in which `ip route` lists them. */
  list(): FibRoute[] {
    const leaves: FibRoute[][] = [];
    for (const length of this.lengths) for (const routes of this.#maps[length]?.values() ?? []) leaves.push(routes);
    leaves.sort((a, b) => {
      const first = a[0] as FibRoute;
      const second = b[0] as FibRoute;
      return first.network - second.network || second.prefixLength - first.prefixLength;
    });
    return leaves.flat();
  }

  #updateLengths(): void {
    const lengths: number[] = [];
    for (let length = 32; length >= 0; length--) if (this.#maps[length] !== undefined) lengths.push(length);
    this.lengths = lengths;
  }
}
