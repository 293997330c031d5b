/**
 * The forwarding information base: all routing tables of a host, the rules that choose among them, and what happens to routes when devices
 * and addresses come and go.
 *
 * As long as no rule was ever changed, tables local and main are one trie: the longest prefix of both wins, and of equal ones table local's.
 * So a /8 that a careless alias on lo makes local does not hide a /24 of eth0, but a /24 does. The first change of a rule splits them for good.
 *
 * Linux v6.1 net/ipv4/fib_frontend.c, fib_semantics.c, fib_trie.c (fib_trie_unmerge).
 */

import { formatIpv4Address, isMulticast, isZeroNet, LIMITED_BROADCAST } from "../base/ipv4-address.ts";
import type { NetDevice, Scope } from "./device.ts";
import { checkEntry, type NewRoute } from "./fib-check.ts";
import { FibRuleList, ruleMatches } from "./fib-rules.ts";
import { type FibHop, FibRoute, FibTable, isSameRoute, matchLeaf } from "./fib-table.ts";
import type { Errno, Fib, FibFlow, FibResult, FibRule, Host } from "./host.ts";
import { touchRow } from "./host-tables.ts";
import { type FibEntry, type RouteType, TABLE_DEFAULT, TABLE_LOCAL, TABLE_MAIN } from "./route.ts";

/** Bound on the routes of one host. */
export const ROUTES_MAX = 1_000_000;

export class FibTables implements Fib {
  readonly #host: Host;
  /** Newest first within a bucket, as hlist_add_head leaves them; see `#tablesInOrder`. */
  readonly #tables = new Map<number, FibTable>();
  readonly #local: FibTable;
  readonly #main: FibTable;
  readonly #rules = new FibRuleList();
  readonly #usesHop: (hop: FibHop) => boolean;
  #isMerged = true;
  #generation = 1;
  #mergedLengths: readonly number[] = [];
  #mergedLengthsGeneration = 0;
  #routeCount = 0;
  message = "";
  hasCustomLocalRoutes = false;

  constructor(host: Host) {
    this.#host = host;
    this.#main = this.#tableFor(TABLE_MAIN);
    this.#local = this.#tableFor(TABLE_LOCAL);
    this.#usesHop = (hop) => hop.device === undefined || host.sysctl.inForce(hop.device, "ignore_routes_with_linkdown") === 0;
  }

  get generation(): number {
    return this.#generation;
  }

  get rules(): readonly FibRule[] {
    return this.#rules.list;
  }

  get hasCustomRules(): boolean {
    return !this.#isMerged;
  }

  touch(): void {
    this.#bump();
  }

  hasTable(table: number): boolean {
    return this.#tables.has(table);
  }

  entries(table: number): readonly FibEntry[] {
    if (table !== 0) return this.#tables.get(table)?.list() ?? [];
    return this.#tablesInOrder().flatMap((one) => one.list());
  }

  /* ------------------------------------------------------------------------------------------------------------ change */

  add(entry: FibEntry, how: "add" | "replace" | "append" | "prepend" | "change"): Errno | undefined {
    this.message = "";
    const checked = checkEntry(this.#host, entry);
    if (checked.errno !== undefined) {
      this.message = checked.message;
      return checked.errno;
    }
    const table = how === "change" && !this.#tables.has(entry.table) ? undefined : this.#tableFor(entry.table);
    if (table === undefined) return "ENOENT";
    const errno = this.#insert(table, checked.route, how);
    if (errno === undefined && entry.type === "local" && entry.protocol !== "kernel") this.hasCustomLocalRoutes = true;
    return errno;
  }

  /** net/ipv4/fib_trie.c:fib_table_insert after the checks. */
  #insert(table: FibTable, checked: NewRoute, how: "add" | "replace" | "append" | "prepend" | "change"): Errno | undefined {
    const route = new FibRoute(checked.entry, checked.hops);
    route.isLinkDown = checked.hops.length > 0 && checked.hops.every((hop) => hop.isLinkDown);
    const { network, prefixLength, tos, priority } = route;
    const routes = table.routesOf(network, prefixLength);
    const { start, end } = table.span(network, prefixLength, tos, priority);
    let index = start;
    let replaced = 0;
    if (end > start) {
      if (how === "add") return "EEXIST";
      const twin = routes.slice(start, end).findIndex((other) => isSameRoute(other, route));
      if (how === "replace" || how === "change") {
        if (twin >= 0) return twin === 0 ? undefined : "EEXIST";
        replaced = 1;
      } else {
        if (twin >= 0) return "EEXIST";
        if (how === "append") index = end;
      }
    } else if (how === "change") return "ENOENT";
    if (this.#routeCount - replaced >= ROUTES_MAX) return "ENOBUFS";
    this.#routeCount += 1 - replaced;
    table.insert(route, index, replaced);
    this.#changed(replaced === 1 ? "change" : "add", route);
    return undefined;
  }

  remove(filter: Partial<FibEntry> & { readonly network: number; readonly prefixLength: number; readonly table: number }): Errno | undefined {
    this.message = "";
    const table = this.#tables.get(filter.table);
    if (table === undefined) return "ESRCH";
    const tos = filter.tos ?? 0;
    const route = table.routesOf(filter.network, filter.prefixLength).find((r) => r.tos === tos && isWanted(r, filter));
    if (route === undefined) return "ESRCH";
    this.#drop(table, route);
    return undefined;
  }

  /** Something that a lookup or a listing sees has changed. */
  #bump(): void {
    this.#generation++;
    touchRow(this.#host, "routes", this);
    touchRow(this.#host, "rules", this);
  }

  #drop(table: FibTable, route: FibRoute): void {
    table.delete(route);
    this.#routeCount--;
    this.#changed("remove", route);
  }

  #changed(change: "add" | "change" | "remove", route: FibRoute): void {
    this.#bump();
    const trace = this.#host.trace;
    if (trace.isFull) trace.emit({ kind: "table", host: this.#host.name, cause: 0, table: "route", change, entry: describeRoute(route) });
  }

  addRule(rule: FibRule): Errno | undefined {
    this.message = "";
    this.#unmerge();
    const errno = this.#rules.add(rule);
    if (errno === undefined) this.#ruleChanged("add", rule);
    return errno;
  }

  removeRule(filter: Partial<FibRule>): Errno | undefined {
    this.message = "";
    this.#unmerge();
    const errno = this.#rules.remove(filter);
    if (errno === undefined) this.#ruleChanged("remove", filter);
    return errno;
  }

  #unmerge(): void {
    this.#isMerged = false;
    this.#bump();
  }

  #ruleChanged(change: "add" | "remove", rule: Partial<FibRule>): void {
    this.#bump();
    const trace = this.#host.trace;
    if (!trace.isFull) return;
    const entry = `priority ${rule.priority ?? "any"} action ${rule.action ?? "any"} table ${rule.table ?? "any"}`;
    trace.emit({ kind: "table", host: this.#host.name, cause: 0, table: "rule", change, entry });
  }

  /* ------------------------------------------------------------------------------------------------------------ lookup */

  lookup(flow: FibFlow): FibResult | Errno {
    const preferred = flow.table === undefined ? undefined : this.#tables.get(flow.table);
    if (preferred !== undefined) {
      const result = this.#isMerged && preferred === this.#local ? this.#lookupMerged(flow) : this.#lookupIn(preferred, flow);
      if (typeof result !== "string") return result;
    }
    return this.#isMerged ? this.#lookupMerged(flow) : this.#lookupByRules(flow);
  }

  /** net/ipv4/fib_rules.c:__fib_lookup and fib4_rule_action. */
  #lookupByRules(flow: FibFlow): FibResult | Errno {
    const rules = this.#rules.list;
    let skipBelow = -1;
    for (const rule of rules) {
      if (rule.priority < skipBelow || !ruleMatches(rule, flow)) continue;
      switch (rule.action) {
        case "lookup": {
          const table = this.#tables.get(rule.table);
          const result = table === undefined ? "EAGAIN" : this.#lookupIn(table, flow);
          if (result === "EAGAIN") break;
          const isSuppressed = typeof result !== "string" && rule.suppressPrefixLength !== undefined && result.route.prefixLength <= rule.suppressPrefixLength;
          if (!isSuppressed) return result;
          break;
        }
        case "unreachable":
          return "ENETUNREACH";
        case "prohibit":
          return "EACCES";
        case "blackhole":
          return "EINVAL";
        case "goto":
          if (rules.some((other) => other.priority === rule.target)) skipBelow = rule.target ?? -1;
          break;
        case "nop":
          break;
      }
    }
    return "ENETUNREACH";
  }

  /** include/net/ip_fib.h:fib_lookup without custom rules: the joint trie; whatever error comes of it, table default has the last word. */
  #lookupMerged(flow: FibFlow): FibResult | Errno {
    const result = this.#lookupInBoth(flow);
    if (typeof result !== "string") return result;
    const last = this.#tables.get(TABLE_DEFAULT);
    const second = last === undefined ? result : this.#lookupIn(last, flow);
    return second === "EAGAIN" ? "ENETUNREACH" : second;
  }

  #lookupInBoth(flow: FibFlow): FibResult | Errno {
    const usesHop = flow.ignoresLinkState === true ? always : this.#usesHop;
    for (const length of this.#lengthsOfMerged()) {
      const local = this.#local.leafOf(flow.dst, length);
      const main = this.#main.leafOf(flow.dst, length);
      const match = (local === undefined ? undefined : matchLeaf(local, flow, usesHop)) ?? (main === undefined ? undefined : matchLeaf(main, flow, usesHop));
      if (match !== undefined) return typeof match === "string" ? match : this.#chooseHop(match.route, match.hop, flow, TABLE_MAIN);
    }
    return "EAGAIN";
  }

  #lengthsOfMerged(): readonly number[] {
    if (this.#mergedLengthsGeneration !== this.#generation) {
      this.#mergedLengths = [...new Set([...this.#local.lengths, ...this.#main.lengths])].sort((a, b) => b - a);
      this.#mergedLengthsGeneration = this.#generation;
    }
    return this.#mergedLengths;
  }

  /** EAGAIN when the table has nothing (or says throw). */
  #lookupIn(table: FibTable, flow: FibFlow): FibResult | Errno {
    for (const length of table.lengths) {
      const leaf = table.leafOf(flow.dst, length);
      if (leaf === undefined) continue;
      const match = matchLeaf(leaf, flow, flow.ignoresLinkState === true ? always : this.#usesHop);
      if (match === undefined) continue;
      return typeof match === "string" ? match : this.#chooseHop(match.route, match.hop, flow, table.id);
    }
    return "EAGAIN";
  }

  /** net/ipv4/fib_semantics.c:fib_select_path: multipath by a hash of the addresses. */
  #chooseHop(route: FibRoute, first: FibHop, flow: FibFlow, table: number): FibResult {
    let hop = first;
    if (route.hops.length > 1 && flow.output === undefined) {
      const alive = route.hops.filter((h) => !h.isDead && (!h.isLinkDown || this.#usesHop(h)));
      hop = pickByWeight(alive, hashOf(flow.src, flow.dst)) ?? first;
    }
    return { route, table, device: hop.device, gateway: hop.gateway, hopScope: hop.scope };
  }

  addressType(address: number): RouteType {
    if (isZeroNet(address) || address === LIMITED_BROADCAST) return "broadcast";
    if (isMulticast(address)) return "multicast";
    const flow: FibFlow = { dst: address, src: 0, mark: 0, tos: 0, scope: 0, output: undefined, input: undefined };
    const result = this.#isMerged ? this.#lookupMerged(flow) : this.#lookupIn(this.#local, flow);
    return typeof result === "string" ? "unicast" : result.route.type;
  }

  /* ----------------------------------------------------------------------------------------------- devices and addresses */

  deviceUp(device: NetDevice): void {
    this.#eachHopOf(device, (hop) => {
      hop.isDead = false;
      if (device.hasCarrier) hop.isLinkDown = false;
    });
    this.#refreshStates();
  }

  deviceDown(device: NetDevice, why: "down" | "no-address" | "gone"): void {
    for (const table of this.#tables.values()) {
      for (const route of table.list()) {
        if (!route.hops.some((hop) => hop.device === device)) continue;
        let dead = 0;
        for (const hop of route.hops) {
          const dies = hop.device === device && (why !== "down" || hop.scope !== SCOPE_NOWHERE_HOP);
          if (dies) {
            hop.isDead = true;
            hop.isLinkDown = true;
          }
          if (hop.isDead || (why === "gone" && hop.device === device)) dead++;
        }
        if (dead > 0 && (why === "gone" || dead === route.hops.length)) this.#drop(table, route);
      }
    }
    this.#bump();
  }

  carrierChanged(device: NetDevice): void {
    this.#eachHopOf(device, (hop) => {
      if (hop.scope !== SCOPE_NOWHERE_HOP) hop.isLinkDown = !device.hasCarrier;
    });
    this.#refreshStates();
  }

  sourceGone(address: number): void {
    for (const table of this.#tables.values()) {
      for (const route of table.list()) if (route.preferredSource === address) this.#drop(table, route);
    }
  }

  #eachHopOf(device: NetDevice, change: (hop: FibHop) => void): void {
    for (const table of this.#tables.values()) for (const route of table.list()) for (const hop of route.hops) if (hop.device === device) change(hop);
  }

  #refreshStates(): void {
    for (const table of this.#tables.values()) {
      for (const route of table.list()) route.isLinkDown = route.hops.length > 0 && route.hops.every((hop) => hop.isLinkDown);
    }
    this.#bump();
  }

  /* ------------------------------------------------------------------------------------------------------------ tables */

  #tableFor(id: number): FibTable {
    let table = this.#tables.get(id);
    if (table === undefined) {
      table = new FibTable(id);
      this.#tables.set(id, table);
    }
    return table;
  }

  /** By the kernel's hash bucket (the low byte of the number), the newest table of a bucket first. */
  #tablesInOrder(): FibTable[] {
    const tables = [...this.#tables.values()].reverse();
    return tables.sort((a, b) => (a.id & 255) - (b.id & 255));
  }
}

const SCOPE_NOWHERE_HOP: Scope = 255;

function always(): boolean {
  return true;
}

/** net/ipv4/fib_trie.c:fib_table_delete: what is given must agree. */
function isWanted(route: FibRoute, filter: Partial<FibEntry>): boolean {
  if (filter.type !== undefined && filter.type !== route.type) return false;
  if (filter.scope !== undefined && filter.scope !== route.scope) return false;
  if (filter.preferredSource && filter.preferredSource !== route.preferredSource) return false;
  if (filter.protocol && filter.protocol !== route.protocol) return false;
  if (filter.priority && filter.priority !== route.priority) return false;
  if (filter.mtu && filter.mtu !== route.mtu) return false;
  if (filter.advmss && filter.advmss !== route.advmss) return false;
  if (filter.device !== undefined && filter.device !== route.device) return false;
  if (filter.gateway && filter.gateway !== route.gateway) return false;
  const hops = filter.nextHops ?? [];
  return (
    hops.length === 0 ||
    (hops.length === route.nextHops.length && hops.every((hop, i) => hop.gateway === route.nextHops[i]?.gateway && hop.device === route.nextHops[i]?.device))
  );
}

/** A mix of both addresses, so that one pair of hosts always takes the same path (policy 0; the kernel's own is keyed at random). */
function hashOf(src: number, dst: number): number {
  let hash = Math.imul(src ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(dst, 0xc2b2ae35);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  hash ^= hash >>> 13;
  return hash >>> 0;
}

function pickByWeight(hops: readonly FibHop[], hash: number): FibHop | undefined {
  let total = 0;
  for (const hop of hops) total += hop.weight;
  let left = hash % Math.max(total, 1);
  for (const hop of hops) {
    left -= hop.weight;
    if (left < 0) return hop;
  }
  return undefined;
}

function describeRoute(route: FibRoute): string {
  const hops = route.hops.map(
    (hop) => `${hop.gateway === 0 ? "" : ` via ${formatIpv4Address(hop.gateway)}`}${hop.device === undefined ? "" : ` dev ${hop.device.name}`}`,
  );
  return `${route.type} ${formatIpv4Address(route.network)}/${route.prefixLength}${hops.join("")} table ${route.table} metric ${route.priority}`;
}
