/**
 * Which protocol's code reads, writes and prints what an IPv4 header carries. IPIP (RFC 2003) needs no code of its own: the payload is a packet.
 */

import { AH_HEADER_BYTES, decodeAh, formatAh, PROTOCOL_AH } from "./ah.ts";
import { type AddressPair, DEPTH_MAX, type Decoded, type DecodeOptions, decoded, type Ipv4Codec } from "./codec.ts";
import { decodeGre, formatGre, writeGre } from "./gre.ts";
import { decodeIcmp, formatIcmp, writeIcmp } from "./icmp.ts";
import { formatIgmp } from "./igmp.ts";
import {
  type Ipv4Packet,
  type Ipv4Payload,
  PROTOCOL_GRE,
  PROTOCOL_ICMP,
  PROTOCOL_IPIP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  PROTOCOL_VRRP,
  RawPayload,
} from "./packet.ts";
import { type PrintOptions, protocolName } from "./print.ts";
import { decodeCutTcp, decodeTcp, formatTcp, writeTcp } from "./tcp.ts";
import { decodeUdp, formatUdp, writeUdp } from "./udp.ts";
import { decodeVrrp, formatVrrp, writeVrrp } from "./vrrp.ts";

const PROTOCOL_IGMP = 2;

/** The payload of a whole packet (not of a fragment). */
export function decodePayload(protocol: number, bytes: Uint8Array, addresses: AddressPair, options: DecodeOptions, inner: Ipv4Codec): Decoded<Ipv4Payload> {
  switch (protocol) {
    case PROTOCOL_TCP:
      return decodeTcp(bytes, addresses, options);
    case PROTOCOL_UDP:
      return decodeUdp(bytes, addresses, options, inner);
    case PROTOCOL_ICMP:
      return decodeIcmp(bytes, options, inner);
    case PROTOCOL_IPIP: {
      const depth = (options.depth ?? 0) + 1;
      return depth < DEPTH_MAX ? inner.decode(bytes, { ...options, depth }) : decoded(new RawPayload(bytes.slice()));
    }
    case PROTOCOL_GRE: {
      const gre = decodeGre(bytes, options, inner);
      return !gre.ok && gre.reason.startsWith("GRE flags") ? decoded(new RawPayload(bytes.slice())) : gre;
    }
    case PROTOCOL_VRRP:
      return decodeVrrp(bytes, addresses, options);
    default:
      return decoded(new RawPayload(bytes.slice()));
  }
}

/** The payload of a quote that was cut and filled up with zeros: what does not decode stays bytes. */
export function decodeCutPayload(protocol: number, bytes: Uint8Array, addresses: AddressPair, options: DecodeOptions, inner: Ipv4Codec): Ipv4Payload {
  let payload = decodePayload(protocol, bytes, addresses, options, inner);
  if (!payload.ok && protocol === PROTOCOL_TCP) payload = decodeCutTcp(bytes);
  return payload.ok && payload.value.lengthBytes === bytes.length ? payload.value : new RawPayload(bytes.slice());
}

export function writePayload(out: Uint8Array, at: number, packet: Ipv4Packet, inner: Ipv4Codec): void {
  const { payload } = packet;
  switch (payload.kind) {
    case "tcp":
      writeTcp(out, at, payload, packet);
      break;
    case "udp":
      writeUdp(out, at, payload, packet, inner);
      break;
    case "icmp":
      writeIcmp(out, at, payload, inner);
      break;
    case "ipv4":
      inner.write(out, at, payload);
      break;
    case "gre":
      writeGre(out, at, payload, inner);
      break;
    case "vrrp":
      writeVrrp(out, at, payload, packet);
      break;
    case "raw":
      out.set(payload.bytes, at);
      break;
  }
}

/** What tcpdump prints after `src > dst: `, or for TCP and UDP after `src.port > dst.port: `. */
export function formatPayload(packet: Ipv4Packet, options: PrintOptions, inner: Ipv4Codec): string {
  const { payload } = packet;
  switch (payload.kind) {
    case "tcp":
      return formatTcp(payload, packet, options);
    case "udp":
      return formatUdp(payload, options);
    case "icmp":
      return formatIcmp(payload, options, inner);
    case "ipv4":
      return `${inner.format(payload, options)}`;
    case "gre":
      return formatGre(payload, options, inner);
    case "vrrp":
      return formatVrrp(payload, packet.ttl, options);
    case "raw":
      return formatRaw(packet, payload.bytes, options);
  }
}

function formatRaw(packet: Ipv4Packet, bytes: Uint8Array, options: PrintOptions): string {
  if (packet.protocol === PROTOCOL_IGMP) return formatIgmp(bytes, options);
  const header = packet.protocol === PROTOCOL_AH ? decodeAh(bytes) : undefined;
  if (header?.ok !== true) return formatUnknown(packet.protocol, bytes.length, options);
  const rest = bytes.subarray(AH_HEADER_BYTES);
  const advert = header.value.nextHeader === PROTOCOL_VRRP ? decodeVrrp(rest, packet) : undefined;
  return formatAh(header.value, options) + (advert?.ok === true ? formatVrrp(advert.value, packet.ttl, options) : formatUnknown(header.value.nextHeader, rest.length, options));
}

const LINUX_NAMES: ReadonlyMap<number, string> = new Map([
  [2, "igmp"],
  [41, "ip6"],
  [50, "ESP"],
  [51, "AH"],
  [89, "OSPF"],
  [132, "sctp"],
]);

/** print-ip.c:ip_demux_print, its default. */
function formatUnknown(protocol: number, lengthBytes: number, options: PrintOptions): string {
  const name = options.isNumeric
    ? undefined
    : (LINUX_NAMES.get(protocol) ?? (protocolName(protocol) === "unknown" ? undefined : protocolName(protocol).toLowerCase()));
  return `${name ?? `ip-proto-${protocol}`} ${lengthBytes}`;
}
