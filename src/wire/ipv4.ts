/**
 * IPv4. RFC 791; Linux v6.1 net/ipv4/ip_input.c:ip_rcv_core (what a header must satisfy); text as tcpdump's print-ip.c.
 *
 * A fragment's payload stays bytes. Options are kept as they are.
 */

import { assert } from "../base/assert.ts";
import { EMPTY_BYTES } from "../base/bytes.ts";
import { get16, get32, put16, put32 } from "./byte-order.ts";
import { internetChecksum } from "./checksum.ts";
import { type Decoded, type DecodeOptions, decoded, type Ipv4Codec, rejected } from "./codec.ts";
import { IPV4_HEADER_BYTES, Ipv4Packet, type Ipv4Payload, PROTOCOL_IPIP, PROTOCOL_UDP, RawPayload, TcpSegment, UdpDatagram } from "./packet.ts";
import { decodeCutPayload, decodePayload, formatPayload, writePayload } from "./payload.ts";
import { formatAddress, formatPort, fragmentProtocolName, type PrintOptions, protocolName } from "./print.ts";

export { IPV4_HEADER_BYTES };

const FLAG_DONT_FRAGMENT = 0x4000;
const FLAG_MORE_FRAGMENTS = 0x2000;
const LENGTH_MAX = 65_535;
const EMPTY_PAYLOAD = new RawPayload(EMPTY_BYTES);

/** Bytes after the packet's own length (Ethernet padding) are left out. */
export function decodeIpv4(bytes: Uint8Array, options: DecodeOptions = {}): Decoded<Ipv4Packet> {
  const header = decodeHeader(bytes, options);
  if (!header.ok) return header;
  const packet = header.value;
  const totalLength = get16(bytes, 2);
  if (totalLength > bytes.length) return rejected(`IPv4 length ${totalLength} in ${bytes.length} bytes`);
  const rest = bytes.subarray(packet.headerBytes, totalLength);
  if (packet.isFragment) {
    packet.payload = new RawPayload(rest.slice());
    return header;
  }
  const payload = decodePayload(packet.protocol, rest, packet, options, IPV4_CODEC);
  if (!payload.ok) return payload;
  packet.payload = payload.value;
  return header;
}

/** A quoted packet of which only the first bytes are there; the rest reads as zeros. Checksums are not looked at. */
export function decodeCutIpv4(bytes: Uint8Array, options: DecodeOptions = {}): Decoded<Ipv4Packet> {
  const header = decodeHeader(bytes, { ...options, ignoreChecksums: true });
  if (!header.ok) return header;
  const packet = header.value;
  const totalLength = quotedLength(bytes, packet);
  const rest = new Uint8Array(totalLength - packet.headerBytes);
  rest.set(bytes.subarray(packet.headerBytes, totalLength));
  packet.payload = packet.isFragment
    ? new RawPayload(rest)
    : decodeCutPayload(packet.protocol, rest, packet, { ...options, ignoreChecksums: true }, IPV4_CODEC);
  return header;
}

/** Linux shortens the IP header of a datagram that it takes a packet out of, and an error then quotes more than the header tells: UDP knows. */
function quotedLength(bytes: Uint8Array, packet: Ipv4Packet): number {
  const told = get16(bytes, 2);
  const { headerBytes } = packet;
  if (packet.protocol !== PROTOCOL_UDP || packet.isFragment || bytes.length < headerBytes + 8) return told;
  const meant = headerBytes + get16(bytes, headerBytes + 4);
  return meant > told && meant <= bytes.length ? meant : told;
}

function decodeHeader(bytes: Uint8Array, options: DecodeOptions): Decoded<Ipv4Packet> {
  if (bytes.length < IPV4_HEADER_BYTES) return rejected(`IPv4 packet of ${bytes.length} bytes, needs ${IPV4_HEADER_BYTES}`);
  const first = bytes[0] as number;
  if (first >>> 4 !== 4) return rejected(`IP version ${first >>> 4}`);
  const headerBytes = (first & 15) * 4;
  const totalLength = get16(bytes, 2);
  if (headerBytes < IPV4_HEADER_BYTES || headerBytes > bytes.length) return rejected(`IPv4 header of ${headerBytes} bytes in ${bytes.length}`);
  if (totalLength < headerBytes) return rejected(`IPv4 length ${totalLength} with a header of ${headerBytes} bytes`);
  if (options.ignoreChecksums !== true && internetChecksum(bytes, 0, headerBytes) !== 0) return rejected("IPv4 checksum");
  const packet = new Ipv4Packet(get32(bytes, 12), get32(bytes, 16), bytes[9] as number, bytes[8] as number, EMPTY_PAYLOAD);
  const fragment = get16(bytes, 6);
  packet.tos = bytes[1] as number;
  packet.id = get16(bytes, 4);
  packet.dontFragment = (fragment & FLAG_DONT_FRAGMENT) !== 0;
  packet.moreFragments = (fragment & FLAG_MORE_FRAGMENTS) !== 0;
  packet.fragmentOffset = (fragment & 0x1fff) * 8;
  if (headerBytes > IPV4_HEADER_BYTES) packet.options = bytes.slice(IPV4_HEADER_BYTES, headerBytes);
  return decoded(packet);
}

export function encodeIpv4(packet: Ipv4Packet): Uint8Array {
  const out = new Uint8Array(packet.lengthBytes);
  writeIpv4(out, 0, packet);
  return out;
}

export function writeIpv4(out: Uint8Array, at: number, packet: Ipv4Packet): void {
  const { headerBytes, lengthBytes } = packet;
  assert(headerBytes % 4 === 0 && headerBytes <= 60, `an IPv4 header has 20 to 60 bytes, got ${headerBytes}`);
  assert(lengthBytes <= LENGTH_MAX, `an IPv4 packet has at most ${LENGTH_MAX} bytes, got ${lengthBytes}`);
  out[at] = 0x40 | (headerBytes / 4);
  out[at + 1] = packet.tos;
  put16(out, at + 2, lengthBytes);
  put16(out, at + 4, packet.id);
  put16(out, at + 6, (packet.dontFragment ? FLAG_DONT_FRAGMENT : 0) | (packet.moreFragments ? FLAG_MORE_FRAGMENTS : 0) | (packet.fragmentOffset / 8));
  out[at + 8] = packet.ttl;
  out[at + 9] = packet.protocol;
  put16(out, at + 10, 0);
  put32(out, at + 12, packet.src);
  put32(out, at + 16, packet.dst);
  if (packet.options.length > 0) out.set(packet.options, at + IPV4_HEADER_BYTES);
  put16(out, at + 10, internetChecksum(out, at, at + headerBytes));
  writePayload(out, at + headerBytes, packet, IPV4_CODEC);
}

/** The bytes behind the IP header: what gets cut into fragments. */
export function encodeIpv4Payload(packet: Ipv4Packet): Uint8Array {
  const out = new Uint8Array(packet.payload.lengthBytes);
  writePayload(out, 0, packet, IPV4_CODEC);
  return out;
}

/** The inverse, for a packet put together from fragments: `packet`'s header says what the bytes are. */
export function decodeIpv4Payload(packet: Ipv4Packet, bytes: Uint8Array, options: DecodeOptions = {}): Decoded<Ipv4Payload> {
  return decodePayload(packet.protocol, bytes, packet, options, IPV4_CODEC);
}

/** print-ip.c:ip_print: `IP 10.0.0.1.40000 > 10.0.0.2.80: Flags [S] ...`. */
export function formatIpv4(packet: Ipv4Packet, options: PrintOptions): string {
  let text = options.isLinkShown ? "" : "IP ";
  if (options.missingBytes !== undefined) text += `truncated-ip - ${options.missingBytes} bytes missing! `;
  if (options.verbosity > 0) text += `${formatHeader(packet)}\n    `;
  const inside = options.missingBytes === undefined ? options : { ...options, missingBytes: undefined };
  if (packet.fragmentOffset !== 0) return `${text}${formatPair(packet, options)}: ${fragmentProtocolName(packet.protocol, options)}`;
  return text + (packet.moreFragments ? formatFirstFragment(packet, inside) : formatWhole(packet, inside));
}

function formatPair(packet: Ipv4Packet, options: PrintOptions): string {
  return `${formatAddress(packet.src, options)} > ${formatAddress(packet.dst, options)}`;
}

function formatWhole(packet: Ipv4Packet, options: PrintOptions): string {
  const { payload } = packet;
  const content = formatPayload(packet, options, IPV4_CODEC);
  if (!(payload instanceof TcpSegment || payload instanceof UdpDatagram)) return `${formatPair(packet, options)}: ${content}`;
  const src = `${formatAddress(packet.src, options)}.${formatPort(payload.srcPort, payload.kind, options)}`;
  return `${src} > ${formatAddress(packet.dst, options)}.${formatPort(payload.dstPort, payload.kind, options)}: ${content}`;
}

/** tcpdump reads the transport header of a first fragment as if the packet were whole. */
function formatFirstFragment(packet: Ipv4Packet, options: PrintOptions): string {
  const bytes = packet.payload instanceof RawPayload ? packet.payload.bytes : encodeIpv4Payload(packet);
  if (packet.protocol === PROTOCOL_IPIP) {
    const inner = decodeCutIpv4(bytes);
    if (!inner.ok) return `${formatPair(packet, options)}: ${fragmentProtocolName(packet.protocol, options)}`;
    const missing = inner.value.lengthBytes - bytes.length;
    return `${formatPair(packet, options)}: ${formatIpv4(inner.value, { ...options, cutBytes: Math.max(missing, 0), missingBytes: missing > 0 ? missing : undefined })}`;
  }
  const length = packet.protocol === PROTOCOL_UDP && bytes.length >= 8 ? Math.max(bytes.length, get16(bytes, 4)) : bytes.length;
  const padded = new Uint8Array(length);
  padded.set(bytes);
  const whole = packet.copy();
  whole.moreFragments = false;
  whole.payload = decodeCutPayload(packet.protocol, padded, packet, { ignoreChecksums: true }, IPV4_CODEC);
  if (whole.payload instanceof RawPayload) return `${formatPair(packet, options)}: ${fragmentProtocolName(packet.protocol, options)}`;
  return formatWhole(whole, { ...options, cutBytes: Math.max(length - bytes.length, 1) });
}

function formatHeader(packet: Ipv4Packet): string {
  const flags = [packet.moreFragments ? "+" : "", packet.dontFragment ? "DF" : ""].filter((flag) => flag !== "").join(", ");
  let text = `(tos 0x${packet.tos.toString(16)}${["", ",ECT(1)", ",ECT(0)", ",CE"][packet.tos & 3]}, ttl ${packet.ttl}`;
  text += `, id ${packet.id}, offset ${packet.fragmentOffset}, flags [${flags === "" ? "none" : flags}], proto ${protocolName(packet.protocol)} (${packet.protocol}), length ${packet.lengthBytes}`;
  if (packet.options.length > 0) text += `, options (${formatIpOptions(packet.options)})`;
  return `${text})`;
}

const IP_OPTION_NAMES: ReadonlyMap<number, string> = new Map([
  [0, "EOL"],
  [1, "NOP"],
  [7, "RR"],
  [68, "timestamp"],
  [130, "security"],
  [131, "LSRR"],
  [148, "RA"],
  [137, "SSRR"],
]);

function formatIpOptions(bytes: Uint8Array): string {
  const names: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const kind = bytes[at] as number;
    names.push(IP_OPTION_NAMES.get(kind) ?? `unknown ${kind}`);
    if (kind === 0) break;
    at += kind === 1 ? 1 : Math.max(bytes[at + 1] ?? 0, 2);
  }
  return names.join(",");
}

/** The IPv4 code as tunnels and quotes use it. */
export const IPV4_CODEC: Ipv4Codec = { write: writeIpv4, decode: decodeIpv4, decodeCut: decodeCutIpv4, format: formatIpv4 };
