/**
 * Records in a few words: the protocol class that gives a frame its colour and shape, a label for a frame on its way, a line for lists.
 */

import { formatIpv4Address } from "../../../src/base/ipv4-address.ts";
import { formatMacAddress } from "../../../src/base/mac-address.ts";
import type { TraceEvent, TraceKind } from "../../../src/trace/events.ts";
import { describePacket } from "../../../src/trace/ladder.ts";
import type { FramePayload, Ipv4Packet, TcpSegment } from "../../../src/wire/packet.ts";
import { formatTcpFlags } from "../../../src/wire/tcp.ts";
import { carriedOf, innermost, innerOf } from "./packet-token.ts";
import type { RecordStore } from "./record-store.ts";

/** What decides colour and shape. */
export type ProtocolClass = "arp" | "tcp" | "udp" | "icmp" | "tunnel" | "vrrp" | "other";

/** One record as lists, ladders and titles show it. */
export interface RecordSummary {
  readonly id: number;
  readonly timeNs: number;
  readonly kind: TraceKind;
  readonly host: string;
  readonly device: string;
  readonly cause: number;
  /** undefined when no packet is concerned. */
  readonly protocol: ProtocolClass | undefined;
  readonly text: string;
  /** Number of the connection and packet, 0: none. */
  readonly connection: number;
  readonly packet: number;
}

const CLIENT_TEXT_CHARS = 28;

export function summarize(store: RecordStore, id: number): RecordSummary {
  const event = store.record(id) as TraceEvent;
  const carried = carriedOf(event);
  return {
    id,
    timeNs: event.timeNs,
    kind: event.kind,
    host: event.host,
    device: "device" in event ? event.device : "",
    cause: event.cause,
    protocol: carried === undefined ? undefined : protocolOf(carried),
    text: describeRecord(event),
    connection: store.connectionOf(id),
    packet: store.packets[id - 1] as number,
  };
}

export function protocolOf(payload: FramePayload): ProtocolClass {
  if (payload.kind === "arp") return "arp";
  if (payload.kind === "raw") return "other";
  if (innerOf(payload) !== undefined) return "tunnel";
  switch (payload.payload.kind) {
    case "tcp":
    case "udp":
    case "icmp":
    case "vrrp":
      return payload.payload.kind;
    case "gre":
    case "ipv4":
      return "tunnel";
    default:
      return "other";
  }
}

/** `SYN`, `GET /`, `who-has .100`: what fits beside a moving frame. */
export function labelOf(payload: FramePayload): string {
  if (payload.kind === "arp") {
    if (payload.operation === 1) return payload.senderIp === payload.targetIp ? `ARP announce ${lastOctets(payload.targetIp)}` : `ARP who-has ${lastOctets(payload.targetIp)}`;
    return `ARP ${lastOctets(payload.senderIp)} is-at ${formatMacAddress(payload.senderMac).slice(-5)}`;
  }
  if (payload.kind === "raw") return "frame";
  const inner = innerOf(payload);
  if (inner !== undefined) return `${tunnelName(payload)} [${packetLabel(innermost(inner))}]`;
  return packetLabel(payload);
}

function lastOctets(address: number): string {
  return formatIpv4Address(address).replace(/^\d+\.\d+/, "");
}

export function tunnelName({ payload }: Ipv4Packet): string {
  return payload.kind === "ipv4" ? "IPIP" : payload.kind === "gre" ? "GRE" : "GUE";
}

function packetLabel(packet: Ipv4Packet): string {
  const { payload } = packet;
  if (packet.isFragment) return `fragment ${packet.fragmentOffset}`;
  switch (payload.kind) {
    case "tcp":
      return tcpLabel(payload);
    case "udp":
      return `UDP ${payload.lengthBytes - 8} B`;
    case "icmp":
      return ICMP_LABELS.get(payload.type) ?? `ICMP type ${payload.type}`;
    case "vrrp":
      return `VRRP prio ${payload.priority}`;
    default:
      return `IP proto ${packet.protocol}`;
  }
}

const ICMP_LABELS: ReadonlyMap<number, string> = new Map([
  [0, "ICMP echo reply"],
  [3, "ICMP unreachable"],
  [5, "ICMP redirect"],
  [8, "ICMP echo request"],
  [11, "ICMP time exceeded"],
]);

const FLAG_WORDS: readonly (readonly [string, string])[] = [
  ["S", "SYN"],
  ["F", "FIN"],
  ["R", "RST"],
  ["P", "PSH"],
];

function tcpLabel(segment: TcpSegment): string {
  const flags = formatTcpFlags(segment.flags);
  const words = FLAG_WORDS.filter(([letter]) => flags.includes(letter)).map(([, word]) => word);
  if (flags.includes(".")) words.push("ACK");
  const { payload } = segment;
  if (payload.length === 0) return words.join(" ");
  const line = firstLine(payload);
  return line ?? `${words.join(" ")} ${payload.length} B`;
}

/** `GET /index.html`, `HTTP/1.1 200 OK`: the first line of what can be read, without its protocol version. */
function firstLine(bytes: Uint8Array): string | undefined {
  let text = "";
  for (const byte of bytes.subarray(0, 64)) {
    if (byte === 13 || byte === 10) break;
    if (byte < 32 || byte > 126) return undefined;
    text += String.fromCharCode(byte);
  }
  if (!/^(?:GET|POST|HEAD|PUT|DELETE|OPTIONS|HTTP\/1)/.test(text)) return undefined;
  const short = text.replace(/ HTTP\/1\.\d$/, "");
  return short.length > CLIENT_TEXT_CHARS ? `${short.slice(0, CLIENT_TEXT_CHARS - 1)}…` : short;
}

export function describePayload(payload: FramePayload): string {
  if (payload.kind === "raw") return `${payload.lengthBytes} bytes`;
  if (payload.kind === "ipv4") return describePacket(payload);
  return payload.operation === 1
    ? `ARP who-has ${formatIpv4Address(payload.targetIp)} tell ${formatIpv4Address(payload.senderIp)}`
    : `ARP ${formatIpv4Address(payload.senderIp)} is-at ${formatMacAddress(payload.senderMac)}`;
}

/** One line in the words of the field, whatever the page's language is. */
export function describeRecord(event: TraceEvent): string {
  switch (event.kind) {
    case "frame-sent":
    case "frame-received":
      return describePayload(event.frame.payload);
    case "frame-dropped":
      return `${event.reason}: ${describePayload(event.frame.payload)}`;
    case "packet-dropped":
      return `${event.reason}${event.detail === "" ? "" : ` (${event.detail})`}: ${describePayload(event.packet)}`;
    case "packet-passed":
      return `${event.device} ${event.direction}: ${describePayload(event.packet)}`;
    case "packet-rewritten":
      return `${event.by}: ${describeRewriting(event.before, event.after)}`;
    case "packet-encapsulated":
      return `${event.by} around: ${describePayload(event.outer)}`;
    case "packet-decapsulated":
      return `${event.by} off (${event.device}): ${describePayload(event.inner)}`;
    case "neighbour":
      return `${formatIpv4Address(event.address)} dev ${event.device}${event.mac === 0 ? "" : ` lladdr ${formatMacAddress(event.mac)}`} ${event.before} → ${event.after}`;
    case "arp-decision":
      return `${event.isAnswered ? "answers" : "stays silent to"} who-has ${formatIpv4Address(event.target)} tell ${formatIpv4Address(event.sender)}${event.detail === "" ? "" : `: ${event.detail}`}`;
    case "route":
      return `${event.direction} ${event.type} ${formatIpv4Address(event.dst)}${event.gateway === 0 ? "" : ` via ${formatIpv4Address(event.gateway)}`}${event.device === "" ? "" : ` dev ${event.device}`}${event.detail === "" ? "" : ` (${event.detail})`}`;
    case "netfilter":
      return `${event.table} ${event.chain}: ${event.rule} → ${event.verdict}`;
    case "scheduled":
      return `${event.service} ${event.scheduler} → ${event.chosen ?? "nobody"}${event.by === "scheduler" ? "" : ` (${event.by})`}`;
    case "ipvs-connection":
      return `${event.connection} ${event.before || "new"} → ${event.after || "gone"}`;
    case "tcp-state":
      return `${event.socket} ${event.before} → ${event.after}`;
    case "sysctl":
      return `${event.key} = ${event.after} (was ${event.before})`;
    case "table":
      return `${event.table} ${event.change}: ${event.entry}`;
    case "command-start":
      return `$ ${firstOf(event.command)}`;
    case "command-end":
      return `exit ${event.exit}: ${firstOf(event.command)}`;
    case "link":
      return `${event.device} ${event.state}`.trim();
    case "fault":
      return `${event.fault} ${event.detail}`.trim();
    case "log":
      return event.text;
    case "origin":
      return "timeline starts";
    case "rows":
      return `${event.changes.length} rows`;
    case "keyframe":
      return "keyframe";
  }
}

const BASH_C = /^\/bin\/bash -c /;

function firstOf(command: string): string {
  const shown = command.replace(BASH_C, "");
  const end = shown.indexOf("\n");
  return end < 0 ? shown : `${shown.slice(0, end)} …`;
}

function describeRewriting(before: Ipv4Packet, after: Ipv4Packet): string {
  const changed: string[] = [];
  const ends = (packet: Ipv4Packet, side: "src" | "dst") => {
    const { payload } = packet;
    const port = payload.kind === "tcp" || payload.kind === "udp" ? `:${side === "src" ? payload.srcPort : payload.dstPort}` : "";
    return `${formatIpv4Address(packet[side])}${port}`;
  };
  for (const side of ["src", "dst"] as const) if (ends(before, side) !== ends(after, side)) changed.push(`${side} ${ends(before, side)} → ${ends(after, side)}`);
  if (before.ttl !== after.ttl) changed.push(`ttl ${before.ttl} → ${after.ttl}`);
  return changed.length === 0 ? describePacket(after) : changed.join(", ");
}
