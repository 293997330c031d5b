/**
 * Services, real servers and connections as rows: what `ipvsadm -L` lists. Reading changes nothing.
 */

import { formatIpv4Address } from "../base/ipv4-address.ts";
import { formatEnd } from "../host/host-tables.ts";
import { PROTOCOL_SCTP, PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/packet.ts";
import type { IpvsConnectionRow, IpvsDestinationRow, IpvsServiceRow } from "../trace/rows.ts";
import { CONN_INACTIVE, CONN_SYNC, type Connection } from "./connection.ts";
import { stateName } from "./connection-state.ts";
import type { Dest } from "./dest.ts";
import { type Director, formatDestName } from "./director.ts";
import { formatServiceKey, type Service, serviceKeyId } from "./service.ts";

/** The table entries of a director change by packets and timers (touchConnection, touchDest) or by commands (touchServices). */
export function registerIpvsTables(director: Director): void {
  const { tables } = director.host;
  tables.register<Service>("ipvsServices", {
    objects: () => director.services.values(),
    keyOf: (service) => formatServiceKey(service.key),
    rowOf: (service) => (director.services.get(serviceKeyId(service.key)) === service ? serviceRow(service) : undefined),
    changing: (service) => service.statistics.counts(),
  });
  tables.register<Dest>("ipvsDestinations", {
    objects: () => [...director.services.values()].flatMap((service) => service.dests),
    keyOf: (dest) => `${formatServiceKey(dest.service.key)} ${formatDestName(dest)}`,
    rowOf: (dest) => (dest.available ? destinationRow(dest) : undefined),
    changing: (dest) => (dest.available ? destinationCounters(dest) : undefined),
  });
  tables.register<Connection>("ipvsConnections", {
    objects: () => director.table.entries(),
    keyOf: (connection) => String(connection.sequence),
    rowOf: (connection) => (connection.isHashed ? connectionRow(connection) : undefined),
    changing: (connection) =>
      connection.isHashed ? { state: stateName(connection), isInactive: (connection.flags & CONN_INACTIVE) !== 0, expiresNs: connection.timer.deadlineNs } : undefined,
  });
}

/** A connection entry came, changed or went; its server's counters may have changed with it. */
export function touchConnection(director: Director, connection: Connection): void {
  if (!director.host.trace.hasTables) return;
  director.host.tables.touch("ipvsConnections", connection);
  if (connection.dest !== undefined) touchDest(director, connection.dest);
}

/** The entry has another name or server: more has changed than packets change. */
export function touchConnectionAnew(director: Director, connection: Connection): void {
  if (!director.host.trace.hasTables) return;
  director.host.tables.touchAnew("ipvsConnections", connection);
  touchConnection(director, connection);
}

/** Counters of a server, and so of its service. */
export function touchDest(director: Director, dest: Dest): void {
  if (!director.host.trace.hasTables) return;
  const { tables } = director.host;
  tables.touch("ipvsDestinations", dest);
  tables.touch("ipvsServices", dest.service);
}

/** Services or servers were added, edited, zeroed or deleted. */
export function touchServices(director: Director): void {
  if (!director.host.trace.hasTables) return;
  director.host.tables.touchAll("ipvsServices");
  director.host.tables.touchAll("ipvsDestinations");
}

function serviceRow(service: Service): IpvsServiceRow {
  const { spec } = service;
  return {
    service: formatServiceKey(service.key),
    scheduler: service.scheduler.name,
    flags: spec.schedulerFlags.join(","),
    persistenceSeconds: spec.isPersistent ? spec.persistenceTimeoutSeconds : null,
    netmask: spec.isPersistent ? formatIpv4Address(spec.netmask) : null,
    isOnePacket: spec.isOnePacket,
    ...service.statistics.counts(),
  };
}

function destinationRow(dest: Dest): IpvsDestinationRow {
  return {
    service: formatServiceKey(dest.service.key),
    address: formatIpv4Address(dest.address),
    port: dest.port,
    method: dest.method,
    weight: dest.weight,
    upperThreshold: dest.upperThreshold,
    lowerThreshold: dest.lowerThreshold,
    ...destinationCounters(dest),
  };
}

function destinationCounters(dest: Dest): Pick<IpvsDestinationRow, "isOverloaded" | "activeConns" | "inactConns" | "persistConns"> & ReturnType<Dest["statistics"]["counts"]> {
  return { isOverloaded: dest.overloaded, activeConns: dest.activeConns, inactConns: dest.inactConns, persistConns: dest.persistConns, ...dest.statistics.counts() };
}

function connectionRow(connection: Connection): IpvsConnectionRow {
  return {
    protocol: protocolName(connection.protocol),
    client: formatEnd(connection.clientAddress, connection.clientPort),
    virtual: formatEnd(connection.virtualAddress, connection.virtualPort),
    destination: formatEnd(connection.destAddress, connection.destPort),
    state: stateName(connection),
    method: connection.method,
    isTemplate: connection.isTemplate,
    isInactive: (connection.flags & CONN_INACTIVE) !== 0,
    isFromSync: (connection.flags & CONN_SYNC) !== 0,
    expiresNs: connection.timer.deadlineNs,
  };
}

function protocolName(protocol: number): string {
  return protocol === PROTOCOL_TCP ? "TCP" : protocol === PROTOCOL_UDP ? "UDP" : protocol === PROTOCOL_SCTP ? "SCTP" : "IP";
}
