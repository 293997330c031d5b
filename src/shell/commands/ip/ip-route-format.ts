/**
 * How `ip route` shows a route.
 *
 * iproute2 6.1 ip/iproute.c (print_route, print_rta_multipath).
 */

import { formatIpv4Address } from "../../../base/ipv4-address.ts";
import { FibRoute } from "../../../host/fib-table.ts";
import type { FibEntry } from "../../../host/route.ts";
import { formatPrefix, type IpSession, type Json, scopeName, tableName } from "./ip-output.ts";

/** What a listing's filter makes superfluous: a thing that all routes have in common is not shown. */
export interface RouteFilter {
  table: number;
  /** The filter names one table. */
  isOneTable: boolean;
  device: string;
  protocol: string | undefined;
  scope: number | undefined;
  type: string;
  gateway: number | undefined;
  source: number | undefined;
  metric: number | undefined;
  tos: number | undefined;
  root: { readonly address: number; readonly prefixLength: number } | undefined;
  match: { readonly address: number; readonly prefixLength: number } | undefined;
}

export function noFilter(): RouteFilter {
  return {
    table: 254,
    isOneTable: false,
    device: "",
    protocol: undefined,
    scope: undefined,
    type: "",
    gateway: undefined,
    source: undefined,
    metric: undefined,
    tos: undefined,
    root: undefined,
    match: undefined,
  };
}

interface ShownHop {
  readonly device: string;
  readonly gateway: number;
  readonly weight: number;
  readonly flags: readonly string[];
}

function hopsOf(session: IpSession, entry: FibEntry): ShownHop[] {
  if (entry instanceof FibRoute) {
    return entry.hops.map((hop) => {
      // A hop without carrier counts as dead where such routes are to be ignored (fib_nexthop_info).
      const isIgnored = hop.isLinkDown && hop.device !== undefined && session.host.sysctl.inForce(hop.device, "ignore_routes_with_linkdown") !== 0;
      return {
        device: hop.device?.name ?? "",
        gateway: hop.gateway,
        weight: hop.weight,
        flags: hopFlags(hop.isDead || isIgnored, hop.isOnlink, hop.isLinkDown),
      };
    });
  }
  return entry.device === undefined
    ? []
    : [{ device: entry.device.name, gateway: entry.gateway, weight: 1, flags: hopFlags(false, entry.isOnlink, entry.isLinkDown) }];
}

function hopFlags(isDead: boolean, isOnlink: boolean, isLinkDown: boolean): string[] {
  return [...(isDead ? ["dead"] : []), ...(isOnlink ? ["onlink"] : []), ...(isLinkDown ? ["linkdown"] : [])];
}

/** `unicast` goes without saying. */
function typeWord(session: IpSession, entry: FibEntry): string {
  return entry.type !== "unicast" || session.flags.details > 0 ? `${entry.type} ` : "";
}

export function formatMetrics(entry: { readonly mtu: number; readonly mtuLocked: boolean; readonly advmss: number }): string {
  const mtu = entry.mtu === 0 ? "" : `mtu ${entry.mtuLocked ? "lock " : ""}${entry.mtu} `;
  return `${mtu}${entry.advmss === 0 ? "" : `advmss ${entry.advmss} `}`;
}

export function formatRoute(session: IpSession, entry: FibEntry, filter: RouteFilter, names: ReadonlyMap<number, string>): string {
  const isDetailed = session.flags.details > 0;
  const hops = hopsOf(session, entry);
  const isMultipath = hops.length > 1;
  const first = isMultipath ? undefined : hops[0];
  const parts = [typeWord(session, entry), `${formatPrefix(entry.network, entry.prefixLength)} `];
  if (entry.tos !== 0 && filter.tos === undefined) parts.push(`tos 0x${entry.tos.toString(16).padStart(2, "0")} `);
  if (first !== undefined && first.gateway !== 0 && filter.gateway === undefined) parts.push(`via ${formatIpv4Address(first.gateway)} `);
  if (first !== undefined && first.device !== "" && filter.device === "") parts.push(`dev ${first.device} `);
  if (entry.table !== 254 && !filter.isOneTable) parts.push(`table ${names.get(entry.table) ?? tableName(entry.table)} `);
  if ((entry.protocol !== "boot" || isDetailed) && filter.protocol === undefined) parts.push(`proto ${entry.protocol} `);
  if ((entry.scope !== 0 || isDetailed) && filter.scope === undefined) parts.push(`scope ${scopeName(entry.scope)} `);
  if (entry.preferredSource !== 0 && filter.source === undefined) parts.push(`src ${formatIpv4Address(entry.preferredSource)} `);
  if (entry.priority !== 0 && filter.metric === undefined) parts.push(`metric ${entry.priority} `);
  if (first !== undefined) for (const flag of first.flags) parts.push(`${flag} `);
  parts.push(formatMetrics(entry));
  if (isMultipath) for (const hop of hops) parts.push(`${session.nl}\tnexthop ${formatHop(hop, filter)}`);
  return `${parts.join("")}\n`;
}

function formatHop(hop: ShownHop, filter: RouteFilter): string {
  const via = hop.gateway !== 0 && filter.gateway === undefined ? `via ${formatIpv4Address(hop.gateway)} ` : "";
  const dev = filter.device === "" ? `dev ${hop.device} ` : "";
  return `${via}${dev}weight ${hop.weight} ${hop.flags.map((flag) => `${flag} `).join("")}`;
}

export function routeJson(session: IpSession, entry: FibEntry, filter: RouteFilter, names: ReadonlyMap<number, string>): Json {
  const isDetailed = session.flags.details > 0;
  const hops = hopsOf(session, entry);
  const first = hops.length > 1 ? undefined : hops[0];
  const metrics: { [key: string]: Json } = {};
  if (entry.mtu !== 0) metrics.mtu = entry.mtu;
  if (entry.advmss !== 0) metrics.advmss = entry.advmss;
  return {
    type: entry.type !== "unicast" || isDetailed ? entry.type : undefined,
    dst: formatPrefix(entry.network, entry.prefixLength),
    tos: entry.tos !== 0 ? `0x${entry.tos.toString(16).padStart(2, "0")}` : undefined,
    gateway: first !== undefined && first.gateway !== 0 ? formatIpv4Address(first.gateway) : undefined,
    dev: first !== undefined && filter.device === "" ? first.device : undefined,
    table: entry.table !== 254 && !filter.isOneTable ? (names.get(entry.table) ?? tableName(entry.table)) : undefined,
    protocol: (entry.protocol !== "boot" || isDetailed) && filter.protocol === undefined ? entry.protocol : undefined,
    scope: (entry.scope !== 0 || isDetailed) && filter.scope === undefined ? scopeName(entry.scope) : undefined,
    prefsrc: entry.preferredSource !== 0 ? formatIpv4Address(entry.preferredSource) : undefined,
    metric: entry.priority !== 0 ? entry.priority : undefined,
    flags: first?.flags ?? [],
    metrics: Object.keys(metrics).length > 0 ? [metrics] : undefined,
    nexthops:
      hops.length > 1
        ? hops.map((hop) => ({
            gateway: hop.gateway !== 0 ? formatIpv4Address(hop.gateway) : undefined,
            dev: hop.device,
            weight: hop.weight,
            flags: hop.flags,
          }))
        : undefined,
  };
}
