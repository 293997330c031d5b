/**
 * What stays the same of a packet on its way through the cluster: everything but addresses, ports, TTL and outer headers.
 */

import type { TraceEvent } from "../../../src/trace/events.ts";
import type { ArpPacket, EthernetFrame, FramePayload, Ipv4Packet, RawPayload } from "../../../src/wire/packet.ts";

/** The packet or ARP message that a record is about, the later one when it tells of a change; undefined when it has none. */
export function carriedOf(event: TraceEvent): FramePayload | undefined {
  switch (event.kind) {
    case "frame-sent":
    case "frame-received":
    case "frame-dropped":
      return event.frame.payload;
    case "packet-dropped":
    case "packet-passed":
    case "netfilter":
      return event.packet;
    case "packet-rewritten":
      return event.after;
    case "packet-encapsulated":
      return event.outer;
    case "packet-decapsulated":
      return event.inner;
    default:
      return undefined;
  }
}

/** The frame of a record, if it has one. */
export function frameOf(event: TraceEvent): EthernetFrame | undefined {
  return event.kind === "frame-sent" || event.kind === "frame-received" || event.kind === "frame-dropped" ? event.frame : undefined;
}

/** The IPv4 packets of a payload, outermost first. */
export function packetsIn(payload: FramePayload): Ipv4Packet[] {
  const packets: Ipv4Packet[] = [];
  let packet: Ipv4Packet | undefined = payload.kind === "ipv4" ? payload : undefined;
  while (packet !== undefined) {
    packets.push(packet);
    packet = innerOf(packet);
  }
  return packets;
}

export function innermost(packet: Ipv4Packet): Ipv4Packet {
  let inner = packet;
  for (let next = innerOf(inner); next !== undefined; next = innerOf(inner)) inner = next;
  return inner;
}

/** The packet inside a tunnel packet. */
export function innerOf({ payload }: Ipv4Packet): Ipv4Packet | undefined {
  if (payload.kind === "ipv4") return payload;
  if (payload.kind === "gre") return payload.payload.kind === "ipv4" ? payload.payload : undefined;
  if (payload.kind !== "udp" || payload.payload instanceof Uint8Array) return undefined;
  const inner = payload.payload.payload;
  return inner?.kind === "ipv4" ? inner : undefined;
}

/** True when one became the other on its way, or is a copy of it. */
export function isSamePacket(a: FramePayload, b: FramePayload): boolean {
  return a === b || packetToken(a) === packetToken(b);
}

function packetToken(carried: ArpPacket | Ipv4Packet | RawPayload): string {
  if (carried.kind === "arp") return `arp ${carried.operation} ${carried.senderMac} ${carried.senderIp} ${carried.targetIp}`;
  if (carried.kind === "raw") return `raw ${carried.lengthBytes}`;
  const packet = innermost(carried);
  const { payload } = packet;
  const head = `${packet.protocol} ${packet.id} ${packet.fragmentOffset}`;
  switch (payload.kind) {
    case "tcp":
      return `${head} ${payload.seq} ${payload.ack} ${payload.flags} ${payload.payload.length}`;
    case "icmp":
      return `${head} ${payload.type} ${payload.code} ${payload.rest} ${payload.lengthBytes}`;
    default:
      return `${head} ${payload.lengthBytes}`;
  }
}
