/**
 * /proc/net/ip_vs and its companions.
 *
 * Linux v6.1 net/netfilter/ipvs/ip_vs_ctl.c (ip_vs_info_seq_show, ip_vs_stats_show), ip_vs_conn.c (ip_vs_conn_seq_show).
 */

import { NS_PER_SECOND } from "../base/time.ts";
import type { Host } from "../host/host.ts";
import type { DestView, Ipvs, IpvsStatistics, ServiceView } from "../ipvs/ipvs.ts";
import { PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/packet.ts";

/** File name below /proc/net -> its text now. Absent while the module is not loaded. */
export function ipvsProcFiles(host: Host, ipvs: Ipvs): ReadonlyMap<string, () => string> {
  if (!ipvs.isLoaded) return new Map();
  return new Map([
    ["ip_vs", () => formatTable(host, ipvs)],
    ["ip_vs_conn", () => formatConnections(host, ipvs, false)],
    ["ip_vs_conn_sync", () => formatConnections(host, ipvs, true)],
    ["ip_vs_stats", () => formatTotals(ipvs.totals)],
  ]);
}

function hex(value: number, width: number): string {
  return value.toString(16).toUpperCase().padStart(width, "0");
}

function protocolName(protocol: number): string {
  return protocol === PROTOCOL_TCP ? "TCP" : protocol === PROTOCOL_UDP ? "UDP" : protocol === 0 ? "IP" : "SCTP";
}

function formatTable(host: Host, ipvs: Ipvs): string {
  const titles =
    "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n";
  return titles + ipvs.services.map((service) => formatService(host, service) + service.dests.map(formatDest).join("")).join("");
}

function formatService(host: Host, service: ServiceView): string {
  const { key } = service;
  const name = key.kind === "fwmark" ? `FWM  ${hex(key.mark, 8)}` : `${protocolName(key.protocol)}  ${hex(key.address, 8)}:${hex(key.port, 4)}`;
  const row = `${name} ${service.scheduler} ${service.isOnePacket ? "ops " : ""}${key.kind === "fwmark" ? "" : " "}`;
  if (!service.isPersistent) return `${row}\n`;
  return `${row}persistent ${service.persistenceTimeoutSeconds * host.options.hz} ${hex(service.netmask, 8)}\n`;
}

const FORWARD_NAMES = { masq: "Masq", route: "Route", tunnel: "Tunnel", local: "Local" } as const;

function formatDest(dest: DestView): string {
  const cells = [FORWARD_NAMES[dest.method].padEnd(7), String(dest.weight).padEnd(6), String(dest.activeConns).padEnd(10), String(dest.inactConns).padEnd(10)];
  return `  -> ${hex(dest.address, 8)}:${hex(dest.port, 4)}      ${cells.join(" ")}\n`;
}

function formatConnections(host: Host, ipvs: Ipvs, withOrigin: boolean): string {
  const title = withOrigin
    ? "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Origin Expires\n"
    : "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n";
  const rows = ipvs.connections.map((c) => {
    const ends = `${hex(c.clientAddress, 8)} ${hex(c.clientPort, 4)} ${hex(c.virtualAddress, 8)} ${hex(c.virtualPort, 4)} ${hex(c.destAddress, 8)} ${hex(c.destPort, 4)}`;
    const seconds = String(Math.max(0, Math.floor((c.expiresAtNs - host.loop.nowNs) / NS_PER_SECOND))).padStart(7);
    const origin = withOrigin ? ` ${(c.isFromSync ? "SYNC" : "LOCAL").padEnd(6)}` : "";
    return `${protocolName(c.protocol).padEnd(3)} ${ends} ${c.state.padEnd(11)}${origin} ${seconds}\n`;
  });
  return title + rows.join("");
}

function formatTotals(totals: IpvsStatistics): string {
  const row = (values: readonly number[]) => `${values.map((value) => value.toString(16).toUpperCase().padStart(8)).join(" ")}\n`;
  return (
    "   Total Incoming Outgoing         Incoming         Outgoing\n   Conns  Packets  Packets            Bytes            Bytes\n" +
    `${[totals.conns, totals.inPackets, totals.outPackets].map((v) => v.toString(16).toUpperCase().padStart(8)).join(" ")} ${[totals.inBytes, totals.outBytes].map((v) => v.toString(16).toUpperCase().padStart(16)).join(" ")}\n\n` +
    " Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s\n" +
    row([totals.connsPerSecond, totals.inPacketsPerSecond, totals.outPacketsPerSecond, totals.inBytesPerSecond, totals.outBytesPerSecond])
  );
}
