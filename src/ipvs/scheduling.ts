/**
 * From a first packet to a connection: finding the service, asking the scheduler or the template, and what happens when nobody is there.
 *
 * Linux v6.1 net/netfilter/ipvs/ip_vs_core.c (ip_vs_schedule, ip_vs_sched_persist, ip_vs_leave, ip_vs_try_to_schedule),
 * ip_vs_ctl.c (ip_vs_service_find), ip_vs_proto_tcp.c and ip_vs_proto_udp.c (conn_schedule).
 */

import { formatIpv4Address } from "../base/ipv4-address.ts";
import { isRouteError } from "../host/host.ts";
import type { SkBuff } from "../host/skb.ts";
import { ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, PROTOCOL_TCP, PROTOCOL_UDP, type RawPayload, TCP_RST, TCP_SYN } from "../wire/packet.ts";
import { CONN_BYPASS, CONN_ONE_PACKET, CONN_TEMPLATE, type Connection } from "./connection.ts";
import type { Connections } from "./connections.ts";
import type { Dest } from "./dest.ts";
import { type Director, FTP_DATA_PORT, FTP_PORT, formatDestName, type PacketKey, schedulerOptions, servicePortKey } from "./director.ts";
import { touchDest } from "./ipvs-tables.ts";
import { describeCandidates } from "./schedulers/candidates.ts";
import { isSctpAbort, isSctpInit } from "./sctp-states.ts";
import { formatServiceKey, type Service } from "./service.ts";

/**
 * What became of a packet without a connection: a connection, or
 * pass (go on to the local stack), drop, or bypass (a connection of kind CONN_BYPASS was made by `leave`).
 */
export type ScheduleResult = Connection | "pass" | "drop";

/** Answers for a packet that belongs to no connection. */
export function scheduleNew(director: Director, connections: Connections, skb: SkBuff, key: PacketKey): ScheduleResult {
  if (!isOpening(director, skb, key)) return "pass";
  const service = findService(director, skb.mark, key);
  if (service === undefined) return "pass";
  if (isDroppedByRate(director)) return drop(director, skb, "IPVS_DROP_RATE", "drop_packet is in force");
  const result = schedule(director, connections, service, skb, key);
  return result === "leave" ? leave(director, connections, service, skb, key) : result;
}

/** Whether the packet may open a connection at all. */
function isOpening(director: Director, skb: SkBuff, key: PacketKey): boolean {
  if (key.isQuoted) return true;
  if (key.protocol === PROTOCOL_TCP) return (key.tcpFlags & TCP_RST) === 0 && ((key.tcpFlags & TCP_SYN) !== 0 || director.settings.sloppy_tcp.value !== 0);
  if (key.protocol === PROTOCOL_UDP) return true;
  const { bytes } = skb.ip.payload as RawPayload;
  return director.settings.sloppy_sctp.value !== 0 ? !isSctpAbort(bytes) : isSctpInit(bytes);
}

/** ip_vs_ctl.c:ip_vs_service_find: mark, then address and port, then FTP's other ports, then port 0. */
export function findService(director: Director, mark: number, key: Pick<PacketKey, "protocol" | "destinationAddress" | "destinationPort">): Service | undefined {
  if (mark !== 0) {
    const service = director.servicesByMark.get(mark);
    if (service !== undefined) return service;
  }
  const { protocol, destinationAddress, destinationPort } = key;
  const exact = director.servicesByAddress.get(servicePortKey(protocol, destinationAddress, destinationPort));
  if (exact !== undefined) return exact;
  if (protocol === PROTOCOL_TCP && director.ftpCount > 0 && (destinationPort === FTP_DATA_PORT || destinationPort >= 1024)) {
    const ftp = director.servicesByAddress.get(servicePortKey(protocol, destinationAddress, FTP_PORT));
    if (ftp !== undefined) return ftp;
  }
  return director.portZeroCount > 0 ? director.servicesByAddress.get(servicePortKey(protocol, destinationAddress, 0)) : undefined;
}

function isDroppedByRate(director: Director): boolean {
  if (director.dropRate === 0 || --director.dropCounter > 0) return false;
  director.dropCounter = director.dropRate;
  return true;
}

function schedule(director: Director, connections: Connections, service: Service, skb: SkBuff, key: PacketKey): ScheduleResult | "leave" {
  // Active FTP's data connections are never scheduled: the helper, or the control connection's template, knows them.
  if (key.sourcePort === FTP_DATA_PORT) return "pass";
  // Nor are replies of a real server on this machine.
  const isLocal = skb.device === undefined || skb.device.kind === "loopback";
  if (isLocal && director.table.findIn(key.protocol, key.destinationAddress, key.destinationPort, key.sourceAddress, key.sourcePort) !== undefined) return "pass";
  if (service.spec.isPersistent) return schedulePersistent(director, connections, service, skb, key);
  if (service.mark === 0 && key.destinationPort !== service.port) {
    if (service.port === 0) director.host.log.write("IPVS: Schedule: port zero only supported in persistent services, check your ipvs configuration");
    return "leave";
  }
  const dest = pick(director, service, skb, key);
  if (dest === undefined) return "leave";
  const flags = service.spec.isOnePacket && key.protocol === PROTOCOL_UDP ? CONN_ONE_PACKET : 0;
  return connect(director, connections, service, skb, key, dest, dest.port !== 0 ? dest.port : key.destinationPort, flags, undefined) ?? drop(director, skb, "IPVS_NO_DEST", "the connection table is full");
}

/** ip_vs_core.c:ip_vs_sched_persist: the client's template decides, or a new one is made. */
function schedulePersistent(director: Director, connections: Connections, service: Service, skb: SkBuff, key: PacketKey): ScheduleResult | "leave" {
  const network = (key.sourceAddress & service.spec.netmask) >>> 0;
  const isServicePort = key.destinationPort === service.port;
  // An FTP service has one template for all of its ports, a port 0 service too.
  const virtualPort = isServicePort && service.port !== FTP_PORT ? key.destinationPort : 0;
  const isMark = !isServicePort && service.mark !== 0;
  const protocol = isMark ? 0 : key.protocol;
  const virtualAddress = isMark ? service.mark : key.destinationAddress;
  let template = director.table.findTemplate(protocol, network, virtualAddress, virtualPort);
  let dest: Dest;
  if (template === undefined || !connections.checkTemplate(template)) {
    const chosen = pick(director, service, skb, key);
    if (chosen === undefined) return "leave";
    dest = chosen;
    const to = { address: dest.address, port: isServicePort && service.port !== FTP_PORT ? dest.port : 0, method: dest.method };
    template = connections.create({ protocol, clientAddress: network, clientPort: 0, virtualAddress, virtualPort }, to, CONN_TEMPLATE, dest, skb.mark);
    if (template === undefined) return drop(director, skb, "IPVS_NO_DEST", "the connection table is full");
    template.timeoutNs = service.spec.persistenceTimeoutSeconds * 1_000_000_000;
  } else {
    dest = template.dest as Dest;
    traceChoice(director, service, skb, key, dest, "template");
  }
  const port = isServicePort && dest.port !== 0 ? dest.port : key.destinationPort;
  const flags = service.spec.isOnePacket && key.protocol === PROTOCOL_UDP ? CONN_ONE_PACKET : 0;
  const connection = connect(director, connections, service, skb, key, dest, port, flags, template);
  connections.put(template);
  return connection ?? drop(director, skb, "IPVS_NO_DEST", "the connection table is full");
}

function pick(director: Director, service: Service, skb: SkBuff, key: PacketKey): Dest | undefined {
  const isTraced = director.host.trace.isFull;
  const candidates = isTraced ? candidatesOf(director, service) : [];
  const dest = service.state?.schedule(key);
  if (isTraced) traceChoice(director, service, skb, key, dest, "scheduler", candidates);
  return dest;
}

function connect(director: Director, connections: Connections, service: Service, skb: SkBuff, key: PacketKey, dest: Dest, port: number, flags: number, template: Connection | undefined): Connection | undefined {
  const connection = connections.create(connectionKeyOf(key), { address: dest.address, port, method: dest.method }, flags, dest, skb.mark);
  if (connection === undefined) return undefined;
  if (template !== undefined) connections.control(connection, template);
  const { nowNs } = director;
  if (dest.available) dest.statistics.countConn(nowNs);
  touchDest(director, dest);
  service.statistics.countConn(nowNs);
  director.totals.countConn(nowNs);
  return connection;
}

function connectionKeyOf(key: PacketKey) {
  return { protocol: key.protocol, clientAddress: key.sourceAddress, clientPort: key.sourcePort, virtualAddress: key.destinationAddress, virtualPort: key.destinationPort };
}

/** A service matched, but no dest: ip_vs_core.c:ip_vs_leave. */
function leave(director: Director, connections: Connections, service: Service, skb: SkBuff, key: PacketKey): ScheduleResult {
  if (director.settings.cache_bypass.value !== 0 && service.mark !== 0 && !key.isQuoted && isForeignUnicast(director, key.destinationAddress)) {
    const flags = CONN_BYPASS | (service.spec.isOnePacket && key.protocol === PROTOCOL_UDP ? CONN_ONE_PACKET : 0);
    const connection = connections.create(connectionKeyOf(key), { address: 0, port: 0, method: "route" }, flags, undefined, skb.mark);
    traceChoice(director, service, skb, key, undefined, "bypass");
    return connection ?? "drop";
  }
  if (service.port === FTP_PORT && key.destinationPort !== FTP_PORT) return "pass";
  if (!key.isQuoted) director.host.icmp.sendError(skb, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0);
  return drop(director, skb, "IPVS_NO_DEST", `${formatServiceKey(service.key)} ${service.scheduler.name}: no destination available`);
}

function isForeignUnicast(director: Director, address: number): boolean {
  const { host } = director;
  if (host.addresses.isOwn(address)) return false;
  const route = host.routing.output({ dst: address });
  return !isRouteError(route) && route.type === "unicast";
}

function drop(director: Director, skb: SkBuff, reason: "IPVS_NO_DEST" | "IPVS_DROP_RATE", detail: string): "drop" {
  const { host } = director;
  if (host.trace.isFull) host.trace.emit({ kind: "packet-dropped", host: host.name, reason, packet: skb.recorded, detail, cause: skb.cause });
  return "drop";
}

function candidatesOf(director: Director, service: Service) {
  return describeCandidates(service, service.scheduler.name, schedulerOptions(director.host)).map(({ dest, weight, activeConns, inactConns, overhead, eligible }) => ({
    address: dest.address,
    port: dest.port,
    weight,
    activeConns,
    inactConns,
    overhead,
    isEligible: eligible,
  }));
}

function traceChoice(director: Director, service: Service, skb: SkBuff, key: PacketKey, dest: Dest | undefined, by: string, candidates = candidatesOf(director, service)): void {
  const { host } = director;
  if (!host.trace.isFull) return;
  const chosen = dest === undefined ? undefined : formatDestName(dest);
  skb.cause = host.trace.emit({
    kind: "scheduled",
    host: host.name,
    service: formatServiceKey(service.key),
    scheduler: service.scheduler.name,
    client: key.sourceAddress,
    clientPort: key.sourcePort,
    candidates,
    chosen: by === "bypass" ? formatIpv4Address(key.destinationAddress) : chosen,
    by,
    cause: skb.cause,
  });
}
