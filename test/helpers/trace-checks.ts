/**
 * What must hold in every run, told from its trace alone. Each check returns what it found wrong, in words; empty is good.
 */

import { encodeEthernet } from "../../src/wire/ethernet.ts";
import { encodeIpv4 } from "../../src/wire/ipv4.ts";
import { IcmpMessage, Ipv4Packet, TcpSegment, UdpDatagram } from "../../src/wire/packet.ts";
import type { TraceEvent } from "../../src/trace/events.ts";

/** One's complement sum over 16-bit words (RFC 1071), written apart from the simulator's. */
function onesSum(bytes: Uint8Array, initial = 0): number {
  let sum = initial;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] as number) << 8) + (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

/** Faults of one IPv4 packet's checksums, tunnels and quotes included. */
function wrongChecksums(bytes: Uint8Array): string[] {
  const headerBytes = ((bytes[0] as number) & 15) * 4;
  const total = ((bytes[2] as number) << 8) | (bytes[3] as number);
  const wrong: string[] = [];
  if (total !== bytes.length) wrong.push(`total length ${total} of ${bytes.length} bytes`);
  if (onesSum(bytes.subarray(0, headerBytes)) !== 0xffff) wrong.push("IP header checksum");
  const fragment = (((bytes[6] as number) & 0x3f) << 8) | (bytes[7] as number);
  if (fragment !== 0) return wrong;
  const protocol = bytes[9] as number;
  const body = bytes.subarray(headerBytes);
  const pseudo = onesSum(bytes.subarray(12, 20)) + protocol + body.length;
  if (protocol === 6 && onesSum(body, pseudo) !== 0xffff) wrong.push("TCP checksum");
  if (protocol === 17 && ((body[6] as number) | (body[7] as number)) !== 0 && onesSum(body, pseudo) !== 0xffff) wrong.push("UDP checksum");
  if (protocol === 1 && onesSum(body) !== 0xffff) wrong.push("ICMP checksum");
  if (protocol === 4) wrong.push(...wrongChecksums(body));
  return wrong;
}

export function checkChecksums(events: readonly TraceEvent[]): string[] {
  const wrong: string[] = [];
  const seen = new Set<unknown>();
  for (const event of events) {
    if (event.kind !== "frame-sent" || seen.has(event.frame) || !(event.frame.payload instanceof Ipv4Packet)) continue;
    seen.add(event.frame);
    for (const fault of wrongChecksums(encodeEthernet(event.frame).subarray(14))) wrong.push(`record ${event.id}: ${fault}`);
  }
  return wrong;
}

/** Frames sent = received + dropped + never delivered, each reception caused by a sending that was there. */
export function checkConservation(events: readonly TraceEvent[]): string[] {
  const wrong: string[] = [];
  const sent = new Map<number, Extract<TraceEvent, { kind: "frame-sent" }>>();
  for (const event of events) {
    if (event.kind === "frame-sent") sent.set(event.id, event);
    if (event.kind !== "frame-received") continue;
    const origin = sent.get(event.cause);
    if (origin === undefined) wrong.push(`record ${event.id}: a frame was received that nobody sent`);
    else if (origin.frame !== event.frame) wrong.push(`record ${event.id}: the frame changed on the wire`);
    else if (event.timeNs < origin.timeNs) wrong.push(`record ${event.id}: received before it was sent`);
  }
  return wrong;
}

/** The packet that a frame carries, seen as (source, destination, protocol, id, ports): enough to follow it through NAT-free hops. */
function identityOf(ip: Ipv4Packet): string {
  const { payload } = ip;
  const ports = payload instanceof TcpSegment ? `${payload.srcPort} ${payload.dstPort} ${payload.seq} ${payload.flags}` : payload instanceof UdpDatagram ? `${payload.srcPort} ${payload.dstPort}` : payload instanceof IcmpMessage ? `${payload.type} ${payload.rest}` : "";
  return `${ip.src} ${ip.dst} ${ip.protocol} ${ip.id} ${ip.fragmentOffset} ${ports}`;
}

/** A packet that a host received and sends on has lost TTL. */
export function checkTtl(events: readonly TraceEvent[]): string[] {
  const wrong: string[] = [];
  const causes = new Map<number, TraceEvent>();
  for (const event of events) {
    causes.set(event.id, event);
    if (event.kind !== "frame-sent" || !(event.frame.payload instanceof Ipv4Packet)) continue;
    const out = event.frame.payload;
    let origin = causes.get(event.cause);
    for (let steps = 0; origin !== undefined && origin.kind !== "frame-received" && steps < 100; steps++) origin = causes.get(origin.cause);
    if (origin?.kind !== "frame-received" || origin.host !== event.host || !(origin.frame.payload instanceof Ipv4Packet)) continue;
    const into = origin.frame.payload;
    if (identityOf(into) === identityOf(out) && out.ttl >= into.ttl) wrong.push(`record ${event.id}: ${event.host} sent a packet on with TTL ${out.ttl}, it came with ${into.ttl}`);
  }
  return wrong;
}

/** Direct routing leaves the IP packet as it was, but for TTL and header checksum. */
export function checkDirectRouting(events: readonly TraceEvent[]): string[] {
  const wrong: string[] = [];
  for (const event of events) {
    if (event.kind !== "packet-rewritten" || event.by !== "ipvs-route") continue;
    const before = encodeIpv4(event.before);
    const after = encodeIpv4(event.after);
    for (const offset of [8, 10, 11]) before[offset] = after[offset] as number;
    if (before.length !== after.length || before.some((byte, i) => byte !== after[i])) wrong.push(`record ${event.id}: direct routing changed more than TTL`);
  }
  return wrong;
}

/** What NAT does to a request, it undoes in the reply: (client, virtual) -> dest, and dest -> virtual for the same client. */
export function checkNatReversible(events: readonly TraceEvent[]): string[] {
  const wrong: string[] = [];
  const forward = new Map<string, string>();
  const ports = (ip: Ipv4Packet) => (ip.payload instanceof TcpSegment || ip.payload instanceof UdpDatagram ? ip.payload : undefined);
  for (const event of events) {
    if (event.kind !== "packet-rewritten" || event.by !== "ipvs-nat") continue;
    const before = ports(event.before);
    const after = ports(event.after);
    if (before === undefined || after === undefined) continue;
    if (event.before.dst !== event.after.dst || before.dstPort !== after.dstPort) {
      forward.set(`${event.host} ${event.before.protocol} ${event.before.src} ${before.srcPort} ${event.after.dst} ${after.dstPort}`, `${event.before.dst} ${before.dstPort}`);
    } else if (event.before.src !== event.after.src || before.srcPort !== after.srcPort) {
      const expected = forward.get(`${event.host} ${event.before.protocol} ${event.before.dst} ${before.dstPort} ${event.before.src} ${before.srcPort}`);
      if (expected !== `${event.after.src} ${after.srcPort}`) wrong.push(`record ${event.id}: a reply became ${event.after.src} ${after.srcPort}, requests were sent to ${expected}`);
    }
  }
  return wrong;
}

/** Frames an interface sent and received (those for others too, which it drops), counted from the trace: host.device -> [sent, received]. */
export function countFrames(events: readonly TraceEvent[]): Map<string, [number, number]> {
  const counts = new Map<string, [number, number]>();
  for (const event of events) {
    if (event.kind !== "frame-sent" && event.kind !== "frame-received" && !(event.kind === "frame-dropped" && event.reason === "OTHERHOST")) continue;
    const key = `${event.host}.${event.device}`;
    const row = counts.get(key) ?? [0, 0];
    row[event.kind === "frame-sent" ? 0 : 1]++;
    counts.set(key, row);
  }
  return counts;
}

/** Ids rise by one, times never fall, causes come before effects. */
export function checkOrder(events: readonly TraceEvent[]): string[] {
  const wrong: string[] = [];
  let last: TraceEvent | undefined;
  for (const event of events) {
    if (last !== undefined && event.id !== last.id + 1) wrong.push(`record ${event.id} follows ${last.id}`);
    if (last !== undefined && event.timeNs < last.timeNs) wrong.push(`record ${event.id}: time goes back`);
    if (event.cause >= event.id) wrong.push(`record ${event.id} has the later cause ${event.cause}`);
    last = event;
  }
  return wrong;
}
