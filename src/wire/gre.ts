/**
 * GRE version 0 with optional checksum and key. RFC 2784, RFC 2890; text as tcpdump's print-gre.c.
 * Not modelled: sequence numbers and source routes (such packets stay bytes).
 */

import { get16, get32, put16, put32 } from "./byte-order.ts";
import { internetChecksum } from "./checksum.ts";
import { DEPTH_MAX, type Decoded, type DecodeOptions, decoded, type Ipv4Codec, rejected } from "./codec.ts";
import { ETHERTYPE_IPV4, GrePacket, RawPayload } from "./packet.ts";
import { hex, type PrintOptions } from "./print.ts";

export const GRE_HEADER_BYTES = 4;
const FLAG_CHECKSUM = 0x8000;
const FLAG_KEY = 0x2000;

export function decodeGre(bytes: Uint8Array, options: DecodeOptions, inner: Ipv4Codec): Decoded<GrePacket> {
  if (bytes.length < GRE_HEADER_BYTES) return rejected(`GRE packet of ${bytes.length} bytes, needs ${GRE_HEADER_BYTES}`);
  const flags = get16(bytes, 0);
  if ((flags & ~(FLAG_CHECKSUM | FLAG_KEY)) !== 0) return rejected(`GRE flags 0x${hex(flags, 4)}`);
  const hasChecksum = (flags & FLAG_CHECKSUM) !== 0;
  const hasKey = (flags & FLAG_KEY) !== 0;
  const payloadAt = GRE_HEADER_BYTES + (hasChecksum ? 4 : 0) + (hasKey ? 4 : 0);
  if (bytes.length < payloadAt) return rejected(`GRE packet of ${bytes.length} bytes, needs ${payloadAt}`);
  if (hasChecksum && options.ignoreChecksums !== true && internetChecksum(bytes) !== 0) return rejected("GRE checksum");
  const protocol = get16(bytes, 2);
  const rest = bytes.slice(payloadAt);
  const depth = (options.depth ?? 0) + 1;
  const packet = protocol === ETHERTYPE_IPV4 && depth < DEPTH_MAX ? inner.decode(rest, { ...options, depth }) : undefined;
  if (packet !== undefined && !packet.ok) return packet;
  return decoded(
    new GrePacket(protocol, packet === undefined ? new RawPayload(rest) : packet.value, hasChecksum, hasKey ? get32(bytes, payloadAt - 4) : undefined),
  );
}

export function encodeGre(packet: GrePacket, inner: Ipv4Codec): Uint8Array {
  const out = new Uint8Array(packet.lengthBytes);
  writeGre(out, 0, packet, inner);
  return out;
}

export function writeGre(out: Uint8Array, at: number, packet: GrePacket, inner: Ipv4Codec): void {
  put16(out, at, (packet.hasChecksum ? FLAG_CHECKSUM : 0) | (packet.key === undefined ? 0 : FLAG_KEY));
  put16(out, at + 2, packet.protocol);
  let payloadAt = at + GRE_HEADER_BYTES;
  if (packet.hasChecksum) {
    put32(out, payloadAt, 0);
    payloadAt += 4;
  }
  if (packet.key !== undefined) {
    put32(out, payloadAt, packet.key);
    payloadAt += 4;
  }
  if (packet.payload instanceof RawPayload) out.set(packet.payload.bytes, payloadAt);
  else inner.write(out, payloadAt, packet.payload);
  if (packet.hasChecksum) put16(out, at + GRE_HEADER_BYTES, internetChecksum(out, at, at + packet.lengthBytes));
}

/** print-gre.c:gre_print_0. */
export function formatGre(packet: GrePacket, options: PrintOptions, inner: Ipv4Codec): string {
  let text = "GREv0";
  if (options.verbosity > 0) {
    const names = [packet.hasChecksum ? "checksum present" : "", packet.key === undefined ? "" : "key present"].filter((name) => name !== "");
    text += `, Flags [${names.length === 0 ? "none" : names.join(", ")}]`;
  }
  if (packet.hasChecksum && options.verbosity > 0) text += `, sum 0x${hex(get16(encodeGre(packet, inner), 4))}`;
  if (packet.key !== undefined) text += `, key=0x${hex(packet.key)}`;
  if (options.isLinkShown) text += `, proto ${packet.protocol === ETHERTYPE_IPV4 ? "IPv4" : "unknown"} (0x${hex(packet.protocol, 4)})`;
  text += `, length ${packet.lengthBytes}`;
  if (packet.payload instanceof RawPayload) return `${text}: gre-proto-0x${hex(packet.protocol)}`;
  return `${text}${options.verbosity < 1 ? ": " : "\n\t"}${inner.format(packet.payload, options)}`;
}
