/**
 * What the kernel demands of a route before it takes it, and the next hops that come out.
 *
 * Linux v6.1 net/ipv4/fib_semantics.c (fib_create_info, fib_check_nh), net/ipv4/fib_trie.c (fib_valid_key_len).
 */

import { networkOf } from "../base/ipv4-address.ts";
import { type NetDevice, SCOPE_GLOBAL, SCOPE_HOST, SCOPE_LINK, SCOPE_NOWHERE, type Scope } from "./device.ts";
import type { FibHop } from "./fib-table.ts";
import type { Errno, Host } from "./host.ts";
import { type FibEntry, type RouteType, TABLE_MAIN } from "./route.ts";

/** Bound on the next hops of one route. */
const NEXT_HOPS_MAX = 64;

export interface NewRoute {
  readonly entry: FibEntry;
  readonly hops: readonly FibHop[];
}

export type CheckedEntry = { readonly errno: undefined; readonly route: NewRoute } | { readonly errno: Errno; readonly message: string };

/** The widest scope that a route of a type may have (fib_props). */
const TYPE_SCOPES: Readonly<Record<RouteType, Scope>> = {
  unicast: SCOPE_GLOBAL,
  local: SCOPE_HOST,
  broadcast: SCOPE_LINK,
  multicast: SCOPE_GLOBAL,
  unreachable: SCOPE_GLOBAL,
  blackhole: SCOPE_GLOBAL,
  prohibit: SCOPE_GLOBAL,
  throw: SCOPE_GLOBAL,
};

function isDeadEnd(type: RouteType): boolean {
  return type === "unreachable" || type === "blackhole" || type === "prohibit" || type === "throw";
}

interface WantedHop {
  readonly device: NetDevice | undefined;
  readonly gateway: number;
  readonly weight: number;
}

function refuse(errno: Errno, message = ""): { readonly errno: Errno; readonly message: string } {
  return { errno, message };
}

export function checkEntry(host: Host, entry: FibEntry): CheckedEntry {
  if (networkOf(entry.network, entry.prefixLength) !== entry.network) return refuse("EINVAL", "Invalid prefix for given prefix length");
  if (TYPE_SCOPES[entry.type] > entry.scope) return refuse("EINVAL", "Invalid scope");
  const wanted: readonly WantedHop[] = entry.nextHops.length > 0 ? entry.nextHops : [{ device: entry.device, gateway: entry.gateway, weight: 1 }];
  if (wanted.length > NEXT_HOPS_MAX) return refuse("EINVAL", "Too many nexthops");
  if (isDeadEnd(entry.type)) {
    const hasHop = entry.gateway !== 0 || entry.device !== undefined || entry.nextHops.length > 0;
    if (hasHop) return refuse("EINVAL", "Gateway, device and multipath can not be specified for this route type");
    return { errno: undefined, route: { entry, hops: [] } };
  }
  if (entry.scope > SCOPE_HOST) return refuse("EINVAL", "Invalid scope");
  const hops: FibHop[] = [];
  for (const hop of wanted) {
    const checked = entry.scope === SCOPE_HOST ? checkHostHop(hop, wanted.length) : checkHop(host, entry, hop);
    if ("errno" in checked) return checked;
    hops.push(checked);
  }
  if (entry.preferredSource !== 0 && !isValidSource(host, entry)) return refuse("EINVAL", "Invalid prefsrc address");
  return { errno: undefined, route: { entry, hops } };
}

/** A route of scope host leads to this host itself: its device is taken as it is, up or down. */
function checkHostHop(hop: WantedHop, count: number): FibHop | { readonly errno: Errno; readonly message: string } {
  if (count !== 1) return refuse("EINVAL", "Route with host scope can not have multiple nexthops");
  if (hop.gateway !== 0) return refuse("EINVAL", "Route with host scope can not have a gateway");
  if (hop.device === undefined) return refuse("ENODEV");
  return { device: hop.device, gateway: 0, weight: hop.weight, isOnlink: false, scope: SCOPE_NOWHERE, isDead: false, isLinkDown: false };
}

/** net/ipv4/fib_semantics.c:fib_check_nh. */
function checkHop(host: Host, entry: FibEntry, hop: WantedHop): FibHop | { readonly errno: Errno; readonly message: string } {
  const { gateway, weight } = hop;
  const isOnlink = entry.isOnlink;
  if (gateway === 0) {
    if (isOnlink) return refuse("EINVAL", "Invalid flags for nexthop - PERVASIVE and ONLINK can not be set");
    const device = hop.device;
    if (device === undefined) return refuse("ENODEV");
    if (!device.isUp) return refuse("ENETDOWN", "Device for nexthop is not up");
    return { device, gateway, weight, isOnlink, scope: SCOPE_HOST, isDead: false, isLinkDown: !device.hasCarrier };
  }
  if (isOnlink) return checkOnlinkHop(host, entry, hop);
  // The gateway must be reachable by a route of a narrower scope than this one's.
  const scope = Math.max(entry.scope + 1, SCOPE_LINK);
  const result = host.fib.lookup({
    dst: gateway,
    src: 0,
    mark: 0,
    tos: 0,
    scope,
    output: hop.device,
    input: undefined,
    ignoresLinkState: true,
    table: entry.table === TABLE_MAIN ? undefined : entry.table,
  });
  if (typeof result === "string") return refuse(result, "Nexthop has invalid gateway");
  if (result.route.type !== "unicast" && result.route.type !== "local") return refuse("EINVAL", "Nexthop has invalid gateway");
  const device = result.device;
  if (device === undefined) return refuse("EINVAL", "No egress device for nexthop");
  if (!device.isUp) return refuse("ENETDOWN");
  return { device, gateway, weight, isOnlink, scope: result.route.scope, isDead: false, isLinkDown: !device.hasCarrier };
}

function checkOnlinkHop(host: Host, entry: FibEntry, hop: WantedHop): FibHop | { readonly errno: Errno; readonly message: string } {
  if (entry.scope >= SCOPE_LINK) return refuse("EINVAL", "Nexthop has invalid scope");
  const device = hop.device;
  if (device === undefined) return refuse("ENODEV", "Nexthop device required for onlink");
  if (!device.isUp) return refuse("ENETDOWN", "Nexthop device is not up");
  if (host.fib.addressType(hop.gateway) !== "unicast") return refuse("EINVAL", "Nexthop has invalid gateway");
  return { device, gateway: hop.gateway, weight: hop.weight, isOnlink: true, scope: SCOPE_LINK, isDead: false, isLinkDown: !device.hasCarrier };
}

/** The source must be an address of this host; the local route of an address may name that address itself. */
function isValidSource(host: Host, entry: FibEntry): boolean {
  if (entry.type === "local" && entry.network !== 0 && entry.preferredSource === entry.network) return true;
  return host.fib.addressType(entry.preferredSource) === "local";
}
