/**
 * Generic UDP encapsulation, version 0 data messages with an IPv4 packet inside. draft-ietf-intarea-gue; Linux v6.1 net/ipv4/fou.c,
 * include/net/gue.h. Control messages and version 1 (bare IP in UDP) are left to the caller as bytes.
 */

import { get16, put16 } from "./byte-order.ts";
import { DEPTH_MAX, type Decoded, type DecodeOptions, decoded, type Ipv4Codec, rejected } from "./codec.ts";
import { GuePacket, PROTOCOL_IPIP, RawPayload } from "./packet.ts";
import type { PrintOptions } from "./print.ts";

export const GUE_HEADER_BYTES = 4;

export function decodeGue(bytes: Uint8Array, options: DecodeOptions, inner: Ipv4Codec): Decoded<GuePacket> {
  if (bytes.length < GUE_HEADER_BYTES) return rejected(`GUE message of ${bytes.length} bytes, needs ${GUE_HEADER_BYTES}`);
  const first = bytes[0] as number;
  if (first >>> 5 !== 0) return rejected(first >>> 6 === 0 ? "GUE control message" : `GUE version ${first >>> 6}`);
  const payloadAt = GUE_HEADER_BYTES + (first & 31) * 4;
  if (payloadAt > bytes.length) return rejected(`GUE header of ${payloadAt} bytes in ${bytes.length}`);
  const protocol = bytes[1] as number;
  const rest = bytes.slice(payloadAt);
  const depth = (options.depth ?? 0) + 1;
  const packet = protocol === PROTOCOL_IPIP && depth < DEPTH_MAX ? inner.decode(rest, { ...options, depth }) : undefined;
  if (packet !== undefined && !packet.ok) return packet;
  return decoded(
    new GuePacket(protocol, packet === undefined ? new RawPayload(rest) : packet.value, get16(bytes, 2), bytes.slice(GUE_HEADER_BYTES, payloadAt)),
  );
}

export function encodeGue(packet: GuePacket, inner: Ipv4Codec): Uint8Array {
  const out = new Uint8Array(packet.lengthBytes);
  writeGue(out, 0, packet, inner);
  return out;
}

export function writeGue(out: Uint8Array, at: number, packet: GuePacket, inner: Ipv4Codec): void {
  out[at] = packet.fields.length / 4;
  out[at + 1] = packet.protocol;
  put16(out, at + 2, packet.flags);
  out.set(packet.fields, at + GUE_HEADER_BYTES);
  const payloadAt = at + GUE_HEADER_BYTES + packet.fields.length;
  if (packet.payload instanceof RawPayload) out.set(packet.payload.bytes, payloadAt);
  else inner.write(out, payloadAt, packet.payload);
}

/** tcpdump does not look into GUE; this is for ladders and traces. */
export function formatGue(packet: GuePacket, options: PrintOptions, inner: Ipv4Codec): string {
  const content = packet.payload instanceof RawPayload ? `proto ${packet.protocol}` : inner.format(packet.payload, options);
  return `GUE, length ${packet.lengthBytes}: ${content}`;
}
