/**
 * Records in words: one line for each kind, without its time and host.
 */

import { formatIpv4Address, type Ipv4Address } from "../base/ipv4-address.ts";
import { formatMacAddress, ZERO_MAC } from "../base/mac-address.ts";
import { type Ipv4Packet, TcpSegment, UdpDatagram } from "../wire/packet.ts";
import { PLAIN, type PrintOptions } from "../wire/print.ts";
import type { ScheduleCandidate, Scheduled, TraceEvent } from "./events.ts";
import { formatCaptured } from "./text.ts";

const WITH_LINK: PrintOptions = { ...PLAIN, isLinkShown: true };
const ENTRY_CHARS_MAX = 160;

/** What happened, in one line. */
export function describeRecord(event: TraceEvent): string {
  switch (event.kind) {
    case "frame-sent":
      return `> ${formatCaptured(event.frame, WITH_LINK)}`;
    case "frame-received":
      return `< ${formatCaptured(event.frame, WITH_LINK)}`;
    case "frame-dropped":
      return `! dropped ${event.reason}: ${formatCaptured(event.frame, WITH_LINK)}`;
    case "packet-dropped":
      return `! dropped ${event.reason}${event.detail === "" ? "" : ` (${event.detail})`}: ${formatCaptured(event.packet)}`;
    case "packet-passed":
      return `${event.direction === "out" ? ">" : "<"} ${formatCaptured(event.packet)}`;
    case "packet-rewritten":
      return `${event.by}: ${describeRewrite(event.before, event.after)}`;
    case "packet-encapsulated":
      return `into ${event.by} ${pairOf(event.outer)}: ${formatCaptured(event.inner)}`;
    case "packet-decapsulated":
      return `out of ${event.by} ${pairOf(event.outer)}: ${formatCaptured(event.inner)}`;
    case "neighbour":
      return `neighbour ${formatIpv4Address(event.address)}${event.mac === ZERO_MAC ? "" : ` at ${formatMacAddress(event.mac)}`}: ${change(event.before, event.after)}`;
    case "arp-decision":
      return `ARP for ${formatIpv4Address(event.target)} from ${formatIpv4Address(event.sender)} ${event.isAnswered ? "answered" : "not answered"}: ${event.detail}`;
    case "route":
      return describeRoute(event);
    case "netfilter":
      return `${event.table} ${event.chain} ${event.verdict} by "${event.rule}": ${formatCaptured(event.packet)}`;
    case "scheduled":
      return describeChoice(event);
    case "ipvs-connection":
      return `connection ${event.connection} (${event.method}): ${change(event.before, event.after)}`;
    case "tcp-state":
      return `tcp ${event.socket}: ${change(event.before, event.after)}`;
    case "sysctl":
      return `${event.key}: ${event.before} => ${event.after}`;
    case "table":
      return `${event.table} ${event.change}: ${event.entry}`;
    case "command-start":
      return `[${event.pid}] $ ${oneLine(event.command)}`;
    case "command-end":
      return `[${event.pid}] exit ${event.exit}: ${oneLine(event.command)}`;
    case "link":
      return `${event.state}`;
    case "fault":
      return `fault: ${event.fault}${event.detail === "" ? "" : ` ${event.detail}`}`;
    case "log":
      return `log: ${oneLine(event.text)}`;
    case "origin":
      return "the timeline starts";
    case "rows":
      return event.changes.map(({ table, key, change: what, set }) => `${table} ${what} ${key}${what === "remove" ? "" : ` ${JSON.stringify(set)}`}`).join("; ");
    case "keyframe": {
      const counts = Object.values(event.tables).flatMap((tables) => Object.values(tables).map((table) => ("rows" in table ? Object.keys(table.rows).length : 0)));
      return `keyframe: ${counts.reduce((sum, count) => sum + count, 0)} rows`;
    }
  }
}

/** Where it happened: `rs1.eth0`, `rs1`, or nothing. */
export function placeOf(event: TraceEvent): string {
  const device = "device" in event && event.kind !== "route" ? event.device : "";
  return device === "" ? event.host : `${event.host}.${device}`;
}

/** `dst 10.0.0.100:80 => 10.1.1.3:8080, ttl 64 => 63`; `unchanged` when only its way was changed. */
export function describeRewrite(before: Ipv4Packet, after: Ipv4Packet): string {
  const parts: string[] = [];
  const [from, to] = [portsOf(before), portsOf(after)];
  const side = (name: string, addressBefore: Ipv4Address, addressAfter: Ipv4Address, portBefore: number | undefined, portAfter: number | undefined) => {
    if (addressBefore === addressAfter && portBefore === portAfter) return;
    parts.push(`${name} ${formatEnd(addressBefore, portBefore)} => ${formatEnd(addressAfter, portAfter)}`);
  };
  side("src", before.src, after.src, from?.srcPort, to?.srcPort);
  side("dst", before.dst, after.dst, from?.dstPort, to?.dstPort);
  if (before.ttl !== after.ttl) parts.push(`ttl ${before.ttl} => ${after.ttl}`);
  if (before.tos !== after.tos) parts.push(`tos ${before.tos} => ${after.tos}`);
  if (parts.length === 0 && before.lengthBytes !== after.lengthBytes) parts.push(`length ${before.lengthBytes} => ${after.lengthBytes}`);
  return parts.length === 0 ? "unchanged" : parts.join(", ");
}

/** `rr chose 10.1.1.3:80 for TCP 10.0.0.100:80 from 10.0.0.9:4001; 10.1.1.2:80 weight 1 active 0 inactive 0 overhead 0; ...`. */
function describeChoice(event: Scheduled): string {
  const who = event.by === "scheduler" ? event.scheduler : event.by;
  const candidates = event.candidates.map(describeCandidate);
  return `${who} chose ${event.chosen ?? "nobody"} for ${event.service} from ${formatEnd(event.client, event.clientPort)}${candidates.map((one) => `; ${one}`).join("")}`;
}

function describeCandidate(one: ScheduleCandidate): string {
  const overhead = one.overhead === undefined ? "" : ` overhead ${one.overhead}`;
  return `${formatEnd(one.address, one.port)} weight ${one.weight} active ${one.activeConns} inactive ${one.inactConns}${overhead}${one.isEligible ? "" : " (not eligible)"}`;
}

function describeRoute(event: Extract<TraceEvent, { kind: "route" }>): string {
  const via = event.gateway === 0 ? "" : ` via ${formatIpv4Address(event.gateway)}`;
  const device = event.device === "" ? "" : ` dev ${event.device}`;
  const table = event.table === 0 ? "" : ` table ${event.table}`;
  return `route ${event.direction} ${formatIpv4Address(event.src)} > ${formatIpv4Address(event.dst)}: ${event.type}${via}${device}${table}${event.detail === "" ? "" : ` (${event.detail})`}`;
}

function change(before: string, after: string): string {
  if (before === "") return `new, ${after}`;
  return after === "" ? `gone, was ${before}` : `${before} => ${after}`;
}

function oneLine(text: string): string {
  const line = text.trim().replace(/\s*\n\s*/g, "; ");
  return line.length <= ENTRY_CHARS_MAX ? line : `${line.slice(0, ENTRY_CHARS_MAX)}...`;
}

function pairOf(packet: Ipv4Packet): string {
  return `${formatIpv4Address(packet.src)} > ${formatIpv4Address(packet.dst)}`;
}

export function formatEnd(address: Ipv4Address, port: number | undefined): string {
  return port === undefined ? formatIpv4Address(address) : `${formatIpv4Address(address)}:${port}`;
}

export function portsOf(packet: Ipv4Packet): TcpSegment | UdpDatagram | undefined {
  const { payload } = packet;
  return payload instanceof TcpSegment || payload instanceof UdpDatagram ? payload : undefined;
}
