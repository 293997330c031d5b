/**
 * The fields of the display filter: Wireshark's names where it has one, and what only a simulator knows (host, kind, conn, packet, drop).
 *
 * A field gives all its values in a record: in a tunnel `ip.src` has two. A test holds when it holds for one of them.
 */

import type { TraceEvent } from "../../../src/trace/events.ts";
import { GuePacket, type IcmpMessage, type Ipv4Packet, TCP_ACK, TCP_FIN, TCP_PSH, TCP_RST, TCP_SYN, type TcpSegment, type UdpDatagram } from "../../../src/wire/packet.ts";
import { describeRecord } from "../engine/describe.ts";
import { carriedOf, frameOf, packetsIn } from "../engine/packet-token.ts";
import type { FieldName } from "./field-names.ts";

export type FieldType = "text" | "number" | "ipv4" | "mac" | "flag";

/** What a record does not say itself. */
export interface FilterContext {
  readonly originNs: number;
  connectionOf(id: number): number;
  packetOf(id: number): number;
}

export interface FilterField {
  readonly type: FieldType;
  values(event: TraceEvent, context: FilterContext): readonly (string | number | boolean)[];
}

const NS = 1_000_000_000;

const text = (values: (event: TraceEvent) => readonly string[]): FilterField => ({ type: "text", values });
const ofFrame = (type: FieldType, read: (frame: NonNullable<ReturnType<typeof frameOf>>) => readonly number[]): FilterField => ({
  type,
  values: (event) => {
    const frame = frameOf(event);
    return frame === undefined ? [] : read(frame);
  },
});
const packetsOf = (event: TraceEvent): Ipv4Packet[] => {
  const carried = carriedOf(event);
  return carried === undefined ? [] : packetsIn(carried);
};
const ofIp = (type: FieldType, read: (packet: Ipv4Packet) => readonly number[]): FilterField => ({ type, values: (event) => packetsOf(event).flatMap(read) });
const ofTcp = (type: FieldType, read: (segment: TcpSegment) => readonly (number | boolean)[]): FilterField => ({
  type,
  values: (event) => packetsOf(event).flatMap(({ payload }) => (payload.kind === "tcp" ? read(payload) : [])),
});
const ofUdp = (type: FieldType, read: (datagram: UdpDatagram) => readonly (number | boolean)[]): FilterField => ({
  type,
  values: (event) => packetsOf(event).flatMap(({ payload }) => (payload.kind === "udp" ? read(payload) : [])),
});
const ofIcmp = (type: FieldType, read: (message: IcmpMessage) => readonly (number | boolean)[]): FilterField => ({
  type,
  values: (event) => packetsOf(event).flatMap(({ payload }) => (payload.kind === "icmp" ? read(payload) : [])),
});
const flag = (bit: number): FilterField => ofTcp("flag", ({ flags }) => [(flags & bit) !== 0]);
const isPacket = (test: (packet: Ipv4Packet) => boolean): FilterField => ({ type: "flag", values: (event) => [packetsOf(event).some(test)] });
const ofArp = (type: FieldType, read: (arp: { operation: number; senderMac: number; senderIp: number; targetMac: number; targetIp: number }) => readonly number[]): FilterField => ({
  type,
  values: (event) => {
    const carried = carriedOf(event);
    return carried?.kind === "arp" ? read(carried) : [];
  },
});

export const FILTER_FIELDS: Readonly<Record<FieldName, FilterField>> = {
  host: text((event) => (event.host === "" ? [] : [event.host])),
  device: text((event) => ("device" in event ? [event.device] : [])),
  kind: text((event) => [event.kind]),
  text: text((event) => [describeRecord(event)]),
  command: text((event) => (event.kind === "command-start" || event.kind === "command-end" ? [event.command] : [])),
  drop: text((event) => (event.kind === "packet-dropped" || event.kind === "frame-dropped" ? [event.reason] : [])),
  id: { type: "number", values: (event) => [event.id] },
  cause: { type: "number", values: (event) => [event.cause] },
  time: { type: "number", values: (event, { originNs }) => [(event.timeNs - originNs) / NS] },
  conn: { type: "number", values: (event, context) => nonZero(context.connectionOf(event.id)) },
  packet: { type: "number", values: (event, context) => nonZero(context.packetOf(event.id)) },
  "frame.len": ofFrame("number", ({ lengthBytes }) => [lengthBytes]),
  "eth.src": ofFrame("mac", ({ src }) => [src]),
  "eth.dst": ofFrame("mac", ({ dst }) => [dst]),
  "eth.addr": ofFrame("mac", ({ src, dst }) => [src, dst]),
  "eth.type": ofFrame("number", ({ etherType }) => [etherType]),
  arp: { type: "flag", values: (event) => [carriedOf(event)?.kind === "arp" || event.kind === "arp-decision" || event.kind === "neighbour"] },
  "arp.opcode": ofArp("number", ({ operation }) => [operation]),
  "arp.src.hw_mac": ofArp("mac", ({ senderMac }) => [senderMac]),
  "arp.src.proto_ipv4": ofArp("ipv4", ({ senderIp }) => [senderIp]),
  "arp.dst.hw_mac": ofArp("mac", ({ targetMac }) => [targetMac]),
  "arp.dst.proto_ipv4": ofArp("ipv4", ({ targetIp }) => [targetIp]),
  ip: isPacket(() => true),
  "ip.src": ofIp("ipv4", ({ src }) => [src]),
  "ip.dst": ofIp("ipv4", ({ dst }) => [dst]),
  "ip.addr": ofIp("ipv4", ({ src, dst }) => [src, dst]),
  "ip.ttl": ofIp("number", ({ ttl }) => [ttl]),
  "ip.id": ofIp("number", ({ id }) => [id]),
  "ip.proto": ofIp("number", ({ protocol }) => [protocol]),
  "ip.fragment": isPacket(({ isFragment }) => isFragment),
  ipip: isPacket(({ payload }) => payload.kind === "ipv4"),
  gre: isPacket(({ payload }) => payload.kind === "gre"),
  gue: isPacket(({ payload }) => payload.kind === "udp" && payload.payload instanceof GuePacket),
  tunnel: isPacket(({ payload }) => payload.kind === "ipv4" || payload.kind === "gre" || (payload.kind === "udp" && payload.payload instanceof GuePacket)),
  tcp: isPacket(({ payload }) => payload.kind === "tcp"),
  "tcp.srcport": ofTcp("number", ({ srcPort }) => [srcPort]),
  "tcp.dstport": ofTcp("number", ({ dstPort }) => [dstPort]),
  "tcp.port": ofTcp("number", ({ srcPort, dstPort }) => [srcPort, dstPort]),
  "tcp.seq": ofTcp("number", ({ seq }) => [seq]),
  "tcp.ack": ofTcp("number", ({ ack }) => [ack]),
  "tcp.len": ofTcp("number", ({ payload }) => [payload.length]),
  "tcp.flags.syn": flag(TCP_SYN),
  "tcp.flags.ack": flag(TCP_ACK),
  "tcp.flags.fin": flag(TCP_FIN),
  "tcp.flags.reset": flag(TCP_RST),
  "tcp.flags.push": flag(TCP_PSH),
  udp: isPacket(({ payload }) => payload.kind === "udp"),
  "udp.srcport": ofUdp("number", ({ srcPort }) => [srcPort]),
  "udp.dstport": ofUdp("number", ({ dstPort }) => [dstPort]),
  "udp.port": ofUdp("number", ({ srcPort, dstPort }) => [srcPort, dstPort]),
  icmp: isPacket(({ payload }) => payload.kind === "icmp"),
  "icmp.type": ofIcmp("number", ({ type }) => [type]),
  "icmp.code": ofIcmp("number", ({ code }) => [code]),
  vrrp: isPacket(({ payload }) => payload.kind === "vrrp"),
  http: isPacket(({ payload }) => payload.kind === "tcp" && isHttp(payload.payload)),
};

function nonZero(value: number): readonly number[] {
  return value === 0 ? [] : [value];
}

const HTTP_STARTS = ["GET ", "POST", "HEAD", "PUT ", "HTTP", "DELE", "OPTI"];

function isHttp(bytes: Uint8Array): boolean {
  return bytes.length > 4 && HTTP_STARTS.includes(String.fromCharCode(...bytes.subarray(0, 4)));
}
