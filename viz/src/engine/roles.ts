/**
 * What each host is in the cluster, from what happened in the run: directors have services, servers are their destinations.
 */

import { parseIpv4Address } from "../../../src/base/ipv4-address.ts";
import type { TraceHeader } from "../../../src/trace/trace-header.ts";
import type { WorldTables } from "../../../src/trace/rows.ts";
import type { NodeRole } from "./protocol.ts";
import type { RecordStore } from "./record-store.ts";

const SAMPLES = 4;

export function rolesOf(header: TraceHeader, store: RecordStore): Record<string, NodeRole> {
  const roles: Record<string, NodeRole> = {};
  const moments = [store.originNs, ...Array.from({ length: SAMPLES }, (_, i) => store.originNs + ((store.endNs - store.originNs) * (i + 1)) / SAMPLES)];
  const worlds = store.tables.hasTables ? moments.map((timeNs) => store.tables.at(timeNs)) : [];
  const destinations = new Set<string>();
  for (const world of worlds) for (const { ipvsDestinations } of Object.values(world)) for (const row of Object.values(ipvsDestinations ?? {})) destinations.add(row.address);
  for (const { name, interfaces } of header.hosts) roles[name] = roleOf(name, interfaces.length, worlds, destinations);
  if (worlds.length === 0) for (const { name } of header.hosts) roles[name] = roleByName(name);
  return roles;
}

function roleOf(name: string, interfaceCount: number, worlds: readonly WorldTables[], destinations: ReadonlySet<string>): NodeRole {
  if (worlds.some((world) => Object.keys(world[name]?.ipvsServices ?? {}).length > 0)) return "director";
  const addresses = new Set(worlds.flatMap((world) => Object.values(world[name]?.addresses ?? {}).map((row) => row.address)));
  if ([...destinations].some((address) => parseIpv4Address(address) !== undefined && addresses.has(address))) return "server";
  if (interfaceCount > 1 && worlds.some((world) => world[name]?.sysctls?.["net.ipv4.ip_forward"]?.value === "1")) return "router";
  const named = roleByName(name);
  if (named === "client" || named === "director" || named === "router") return named;
  const listens = worlds.some((world) => Object.values(world[name]?.sockets ?? {}).some((row) => row.state === "LISTEN"));
  return listens ? "host" : "client";
}

function roleByName(name: string): NodeRole {
  if (/^(?:client|cip|user|browser|c\d)/i.test(name)) return "client";
  if (/^(?:director|dr\d*$|lvs|ds|lb|balancer|backup|master)/i.test(name)) return "director";
  if (/^(?:rs|real|web|server|node)/i.test(name)) return "server";
  if (/^(?:router|gw|gateway|r\d)/i.test(name)) return "router";
  return "host";
}
