/**
 * UDP. RFC 768. A datagram to a port that the caller names as GUE carries a tunnelled packet, other payloads are bytes.
 */

import { get16, put16 } from "./byte-order.ts";
import { internetChecksum, pseudoHeaderSum } from "./checksum.ts";
import { type AddressPair, type Decoded, type DecodeOptions, decoded, type Ipv4Codec, rejected } from "./codec.ts";
import { decodeGue, writeGue } from "./gue.ts";
import { GuePacket, PROTOCOL_UDP, UDP_HEADER_BYTES, UdpDatagram } from "./packet.ts";
import type { PrintOptions } from "./print.ts";
import { formatUdpText } from "./udp-text.ts";

export { UDP_HEADER_BYTES };

export function decodeUdp(bytes: Uint8Array, addresses: AddressPair, options: DecodeOptions, inner: Ipv4Codec): Decoded<UdpDatagram> {
  if (bytes.length < UDP_HEADER_BYTES) return rejected(`UDP datagram of ${bytes.length} bytes, needs ${UDP_HEADER_BYTES}`);
  const length = get16(bytes, 4);
  if (length < UDP_HEADER_BYTES || length > bytes.length) return rejected(`UDP length ${length} in ${bytes.length} bytes`);
  const checksum = get16(bytes, 6);
  if (
    checksum !== 0 &&
    options.ignoreChecksums !== true &&
    internetChecksum(bytes, 0, length, pseudoHeaderSum(addresses.src, addresses.dst, PROTOCOL_UDP, length)) !== 0
  ) {
    return rejected("UDP checksum");
  }
  const dstPort = get16(bytes, 2);
  const payload = bytes.slice(UDP_HEADER_BYTES, length);
  const gue = options.guePorts?.has(dstPort) === true ? decodeGue(payload, options, inner) : undefined;
  const datagram = new UdpDatagram(get16(bytes, 0), dstPort, gue?.ok === true ? gue.value : payload);
  datagram.hasChecksum = checksum !== 0;
  return decoded(datagram);
}

export function encodeUdp(datagram: UdpDatagram, addresses: AddressPair, inner: Ipv4Codec): Uint8Array {
  const out = new Uint8Array(datagram.lengthBytes);
  writeUdp(out, 0, datagram, addresses, inner);
  return out;
}

export function writeUdp(out: Uint8Array, at: number, datagram: UdpDatagram, addresses: AddressPair, inner: Ipv4Codec): void {
  const length = datagram.lengthBytes;
  put16(out, at, datagram.srcPort);
  put16(out, at + 2, datagram.dstPort);
  put16(out, at + 4, length);
  put16(out, at + 6, 0);
  if (datagram.payload instanceof GuePacket) writeGue(out, at + UDP_HEADER_BYTES, datagram.payload, inner);
  else out.set(datagram.payload, at + UDP_HEADER_BYTES);
  if (!datagram.hasChecksum) return;
  // A sum of 0 is sent as 0xffff: 0 means "no checksum".
  put16(out, at + 6, internetChecksum(out, at, at + length, pseudoHeaderSum(addresses.src, addresses.dst, PROTOCOL_UDP, length)) || 0xffff);
}

/** print-udp.c:udp_print after the addresses. */
export function formatUdp(datagram: UdpDatagram, options: PrintOptions): string {
  const length = datagram.lengthBytes - UDP_HEADER_BYTES;
  const text = `UDP, length ${length}`;
  if (options.isQuick || (options.cutBytes ?? 0) > 0) return text;
  const { payload } = datagram;
  const content = formatUdpText([datagram.srcPort, datagram.dstPort], payload instanceof Uint8Array ? payload : undefined, length, options) ?? text;
  if (options.verbosity < 2) return content;
  return `${datagram.hasChecksum ? "[udp sum ok]" : "[no cksum]"} ${content}`;
}
