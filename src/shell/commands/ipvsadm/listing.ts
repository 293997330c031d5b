/**
 * What ipvsadm prints: tables of services and dests, connections, rules to save.
 *
 * ipvsadm 1.31 ipvsadm.c (list_service, print_service_entry, print_conn_entry, print_largenum), libipvs.c (ipvs_cmp_services).
 */

import { formatIpv4Address, type Ipv4Address } from "../../../base/ipv4-address.ts";
import { NS_PER_SECOND } from "../../../base/time.ts";
import type { ConnectionView, DestView, ForwardingMethod, IpvsStatistics, ServiceView, TunnelOptions } from "../../../ipvs/ipvs.ts";
import { PROTOCOL_SCTP, PROTOCOL_TCP, PROTOCOL_UDP } from "../../../wire/packet.ts";
import type { NameService } from "./names.ts";

export type ListFormat = "plain" | "stats" | "rate" | "thresholds" | "persistent-conn" | "tun-info";

export interface ListOptions {
  readonly format: ListFormat;
  readonly isNumeric: boolean;
  readonly isExact: boolean;
  readonly names: NameService;
}

/** The table size is that of CONFIG_IP_VS_TAB_BITS=12. */
export const VERSION_LINE = "IP Virtual Server version 1.2.1 (size=4096)\n";

const FORWARD_NAMES: Readonly<Record<ForwardingMethod, string>> = { masq: "Masq", route: "Route", tunnel: "Tunnel", local: "Local" };
const FORWARD_OPTIONS: Readonly<Record<ForwardingMethod, string>> = { masq: "-m", route: "-g", tunnel: "-i", local: "-g" };

const TITLES: Readonly<Record<ListFormat, string>> = {
  plain: "Prot LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n",
  stats: "Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes\n  -> RemoteAddress:Port\n",
  rate: "Prot LocalAddress:Port                 CPS    InPPS   OutPPS    InBPS   OutBPS\n  -> RemoteAddress:Port\n",
  thresholds: "Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn \n  -> RemoteAddress:Port\n",
  "persistent-conn": "Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn \n  -> RemoteAddress:Port\n",
  "tun-info": "Prot LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port           Forward TunnelInfo    Weight ActiveConn InActConn\n",
};

export function formatTitles(format: ListFormat): string {
  return TITLES[format];
}

/** By mark (0 first), protocol, address and port; addresses compare as the sign of a 32-bit difference, as the library does. */
export function sortServices(services: readonly ServiceView[]): ServiceView[] {
  const rank = (service: ServiceView) => (service.key.kind === "fwmark" ? [service.key.mark, 0, 0, 0] : [0, service.key.protocol, service.key.address, service.key.port]);
  return [...services].sort((a, b) => {
    const [markA = 0, protocolA = 0, addressA = 0, portA = 0] = rank(a);
    const [markB = 0, protocolB = 0, addressB = 0, portB = 0] = rank(b);
    return (markA - markB) | 0 || protocolA - protocolB || (addressA - addressB) | 0 || portA - portB;
  });
}

export function sortDests(dests: readonly DestView[]): DestView[] {
  return [...dests].sort((a, b) => (a.address - b.address) | 0 || a.port - b.port);
}

export function formatService(service: ServiceView, dests: readonly DestView[], options: ListOptions): string {
  const name = serviceName(service, options);
  let text: string;
  if (options.format === "stats" || options.format === "rate") text = `${name.padEnd(33)}${formatStatistics(service.statistics, options)}\n`;
  else text = `${name} ${service.scheduler}${serviceFlags(service)}\n`;
  return text + dests.map((dest) => formatDest(service, dest, options)).join("");
}

const FALLBACK_FLAGS: ReadonlySet<string> = new Set(["flag-1", "sh-fallback", "mh-fallback"]);
const PORT_FLAGS: ReadonlySet<string> = new Set(["flag-2", "sh-port", "mh-port"]);

/** What the flags are called for a scheduler (print_sched_flags): sh and mh have names for two of the kernel's bits, and none for the third. */
function flagNames({ scheduler, schedulerFlags }: ServiceView): string {
  const names = scheduler === "sh" || scheduler === "mh" ? { fallback: `${scheduler}-fallback`, port: `${scheduler}-port`, third: "" } : { fallback: "flag-1", port: "flag-2", third: "flag-3" };
  const nameOf = (flag: string): string => (FALLBACK_FLAGS.has(flag) ? names.fallback : PORT_FLAGS.has(flag) ? names.port : flag === "flag-3" ? names.third : flag);
  return schedulerFlags
    .map(nameOf)
    .filter((name) => name !== "")
    .join(",");
}

function serviceFlags(service: ServiceView): string {
  let text = "";
  if (service.schedulerFlags.length > 0) text += ` (${flagNames(service)})`;
  if (service.isPersistent) {
    text += ` persistent ${service.persistenceTimeoutSeconds}`;
    if (service.netmask !== 0xffffffff) text += ` mask ${formatIpv4Address(service.netmask)}`;
  }
  if (service.persistenceEngine !== "") text += ` pe ${service.persistenceEngine}`;
  return service.isOnePacket ? `${text} ops` : text;
}

function serviceName(service: ServiceView, options: ListOptions): string {
  const { key } = service;
  if (key.kind === "fwmark") return `FWM  ${key.mark}`;
  return `${protocolName(key.protocol).padEnd(4)} ${endName(key.address, key.port, key.protocol, options).slice(0, 33)}`;
}

function formatDest(service: ServiceView, dest: DestView, options: ListOptions): string {
  const protocol = service.key.kind === "fwmark" ? PROTOCOL_TCP : service.key.protocol;
  const name = `  -> ${endName(dest.address, dest.port, protocol, options).slice(0, 28).padEnd(28)}`;
  const fields = (...values: readonly (readonly [string | number, number])[]) => values.map(([value, width]) => String(value).padEnd(width)).join(" ");
  switch (options.format) {
    case "stats":
    case "rate":
      return `${name}${formatStatistics(dest.statistics, options)}\n`;
    case "thresholds":
      return `${name} ${fields([dest.upperThreshold, 10], [dest.lowerThreshold, 10], [dest.activeConns, 10], [dest.inactConns, 10])}\n`;
    case "persistent-conn":
      return `${name} ${fields([dest.weight, 9], [dest.persistConns, 11], [dest.activeConns, 10], [dest.inactConns, 10])}\n`;
    case "tun-info":
      return `${name} ${fields([FORWARD_NAMES[dest.method], 7], [tunnelInfo(dest), 13], [dest.weight, 6], [dest.activeConns, 10], [dest.inactConns, 10])}\n`;
    case "plain":
      return `${name} ${fields([FORWARD_NAMES[dest.method], 7], [dest.weight, 6], [dest.activeConns, 10], [dest.inactConns, 10])}\n`;
  }
}

function tunnelInfo(dest: DestView): string {
  if (dest.method !== "tunnel") return "n/a";
  const checksum: Readonly<Record<TunnelOptions["checksum"], string>> = { none: "-c", full: "+c", remote: "r+c" };
  switch (dest.tunnel.type) {
    case "ipip":
      return "ipip";
    case "gre":
      return `gre:${checksum[dest.tunnel.checksum]}`;
    case "gue":
      return `gue:${dest.tunnel.port}:${checksum[dest.tunnel.checksum]}`;
  }
}

function formatStatistics(statistics: IpvsStatistics, options: ListOptions): string {
  const s = statistics;
  if (options.format === "stats") return [s.conns, s.inPackets, s.outPackets, s.inBytes, s.outBytes].map((value) => formatLarge(value, options.isExact)).join("");
  const rates = [s.connsPerSecond, s.inPacketsPerSecond, s.outPacketsPerSecond].map((value) => ` ${String(value).padStart(8)}`);
  return rates.join("") + [s.inBytesPerSecond, s.outBytesPerSecond].map((value) => formatLarge(value, options.isExact)).join("");
}

/** Nine characters: a number that is too wide is cut to thousands, millions or more. */
function formatLarge(value: number, isExact: boolean): string {
  if (isExact) return value < 1e8 ? String(value).padStart(9) : ` ${value}`;
  if (value < 1e8) return String(value).padStart(9);
  const [scale, suffix] = value < 1e9 ? [1e3, "K"] : value < 1e11 ? [1e6, "M"] : value < 1e14 ? [1e9, "G"] : [1e12, "T"];
  return `${String(Math.floor(value / (scale as number))).padStart(8)}${suffix}`;
}

function endName(address: Ipv4Address, port: number, protocol: number, options: ListOptions): string {
  if (options.isNumeric) return `${formatIpv4Address(address)}:${port}`;
  return `${options.names.hostOf(address)}:${options.names.portOf(port, protocol)}`;
}

function protocolName(protocol: number): string {
  return protocol === PROTOCOL_TCP ? "TCP" : protocol === PROTOCOL_UDP ? "UDP" : protocol === PROTOCOL_SCTP ? "SCTP" : "IP";
}

/* ---------------------------------------------------------------------------------------------------------- connections */

export function formatConnectionTitles(hasPersistenceData: boolean): string {
  return `IPVS connection entries\npro expire state       source             virtual            destination${hasPersistenceData ? "        pe name          pe_data" : ""}\n`;
}

export function formatConnection(connection: ConnectionView, nowNs: number, options: ListOptions): string {
  const seconds = Math.max(0, Math.floor((connection.expiresAtNs - nowNs) / NS_PER_SECOND));
  const expire = `${String(Math.floor(seconds / 60)).padStart(2, "0")}:${String(seconds % 60).padStart(2, "0")}`;
  const end = (address: Ipv4Address, port: number) => endName(address, port, connection.protocol, options);
  return `${protocolName(connection.protocol).padEnd(3)} ${expire.padEnd(6)} ${connection.state.padEnd(11)} ${end(connection.clientAddress, connection.clientPort).padEnd(18)} ${end(
    connection.virtualAddress,
    connection.virtualPort,
  ).padEnd(18)} ${end(connection.destAddress, connection.destPort)}\n`;
}

/* ----------------------------------------------------------------------------------------------------------------- save */

/** The rules that `ipvsadm -R` reads back. Thresholds are not among them. */
export function formatRules(service: ServiceView, dests: readonly DestView[], options: ListOptions): string {
  const { key } = service;
  const word = key.kind === "fwmark" ? `-f ${key.mark}` : `${SERVICE_OPTIONS[key.protocol]} ${endName(key.address, key.port, key.protocol, options)}`;
  let text = `-A ${word} -s ${service.scheduler}`;
  if (service.isPersistent) {
    text += ` -p ${service.persistenceTimeoutSeconds}`;
    if (service.netmask !== 0xffffffff) text += ` -M ${formatIpv4Address(service.netmask)}`;
  }
  if (service.persistenceEngine !== "") text += ` --pe ${service.persistenceEngine}`;
  if (service.isOnePacket) text += " -o";
  if (service.schedulerFlags.length > 0) text += ` -b ${flagNames(service)}`;
  const protocol = key.kind === "fwmark" ? PROTOCOL_TCP : key.protocol;
  const rows = dests.map((dest) => `-a ${word} -r ${endName(dest.address, dest.port, protocol, options)} ${FORWARD_OPTIONS[dest.method]} -w ${dest.weight}${tunnelRule(dest)}\n`);
  return `${text}\n${rows.join("")}`;
}

const SERVICE_OPTIONS: Readonly<Record<6 | 17 | 132, string>> = { 6: "-t", 17: "-u", 132: "--sctp-service" };

function tunnelRule(dest: DestView): string {
  if (dest.method !== "tunnel") return "";
  const checksum: Readonly<Record<TunnelOptions["checksum"], string>> = { none: " --tun-nocsum", full: " --tun-csum", remote: " --tun-remcsum" };
  switch (dest.tunnel.type) {
    case "ipip":
      return " --tun-type ipip";
    case "gre":
      return ` --tun-type gre${checksum[dest.tunnel.checksum]}`;
    case "gue":
      return ` --tun-type gue --tun-port ${dest.tunnel.port}${checksum[dest.tunnel.checksum]}`;
  }
}
