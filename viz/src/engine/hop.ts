/**
 * What a hop changed: a frame as a host sends it, against the frame in which the same packet came to that host.
 */

import { formatIpv4Address } from "../../../src/base/ipv4-address.ts";
import { formatMacAddress } from "../../../src/base/mac-address.ts";
import type { EthernetFrame, FramePayload, Ipv4Packet } from "../../../src/wire/packet.ts";
import { tunnelName } from "./describe.ts";
import { frameOf, innerOf, isSamePacket, packetsIn } from "./packet-token.ts";
import type { RecordStore } from "./record-store.ts";

/** One field that is different behind the hop. `before` or `after` is empty when a header came or went. */
export interface FieldChange {
  /** Wireshark's name; fields of an inner header have the same names as those of the outer. */
  readonly field: string;
  readonly before: string;
  readonly after: string;
}

const CLIMB_MAX = 24;

/** Id of the frame-received record in which the packet of frame-sent record `id` came to this host; undefined: it began here. */
export function arrivalBefore(store: RecordStore, id: number): number | undefined {
  const event = store.record(id);
  const frame = event === undefined ? undefined : frameOf(event);
  if (event === undefined || frame === undefined) return undefined;
  let above = event.cause;
  for (let climbed = 0; above > 0 && climbed < CLIMB_MAX; climbed++) {
    const record = store.record(above);
    if (record === undefined) return undefined;
    if (record.kind === "frame-received") return isSamePacket(record.frame.payload, frame.payload) && record.host === event.host ? above : undefined;
    if (record.kind === "frame-sent") return undefined;
    above = record.cause;
  }
  return undefined;
}

/** What of a frame is different from the one before; without one, nothing is. */
export function hopChanges(store: RecordStore, id: number): readonly FieldChange[] {
  const arrival = arrivalBefore(store, id);
  const before = arrival === undefined ? undefined : store.record(arrival);
  const after = store.record(id);
  if (before === undefined || after === undefined) return [];
  const [from, to] = [frameOf(before), frameOf(after)];
  return from === undefined || to === undefined ? [] : frameChanges(from, to);
}

export function frameChanges(before: EthernetFrame, after: EthernetFrame): FieldChange[] {
  return [
    ...change("eth.src", formatMacAddress(before.src), formatMacAddress(after.src)),
    ...change("eth.dst", formatMacAddress(before.dst), formatMacAddress(after.dst)),
    ...payloadChanges(before.payload, after.payload),
  ];
}

export function payloadChanges(before: FramePayload, after: FramePayload): FieldChange[] {
  if (before.kind !== "ipv4" || after.kind !== "ipv4") return [];
  const [outer, ...restBefore] = packetsIn(before);
  const [now, ...restAfter] = packetsIn(after);
  if (outer === undefined || now === undefined) return [];
  if (restBefore.length < restAfter.length) return [{ field: tunnelName(after).toLowerCase(), before: "", after: pair(after) }, ...packetChanges(before, innerOf(after) ?? after)];
  if (restBefore.length > restAfter.length) return [{ field: tunnelName(before).toLowerCase(), before: pair(before), after: "" }, ...packetChanges(innerOf(before) ?? before, after)];
  return packetsIn(before).flatMap((packet, level) => packetChanges(packet, packetsIn(after)[level] as Ipv4Packet));
}

function packetChanges(before: Ipv4Packet, after: Ipv4Packet): FieldChange[] {
  const changes = [
    ...change("ip.src", formatIpv4Address(before.src), formatIpv4Address(after.src)),
    ...change("ip.dst", formatIpv4Address(before.dst), formatIpv4Address(after.dst)),
    ...change("ip.ttl", String(before.ttl), String(after.ttl)),
    ...change("ip.tos", String(before.tos), String(after.tos)),
  ];
  const [from, to] = [before.payload, after.payload];
  if ((from.kind === "tcp" && to.kind === "tcp") || (from.kind === "udp" && to.kind === "udp")) {
    changes.push(...change(`${from.kind}.srcport`, String(from.srcPort), String(to.srcPort)), ...change(`${from.kind}.dstport`, String(from.dstPort), String(to.dstPort)));
  }
  return changes;
}

function change(field: string, before: string, after: string): FieldChange[] {
  return before === after ? [] : [{ field, before, after }];
}

function pair({ src, dst }: Ipv4Packet): string {
  return `${formatIpv4Address(src)} > ${formatIpv4Address(dst)}`;
}
