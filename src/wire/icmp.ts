/**
 * ICMP. RFC 792; Linux v6.1 net/ipv4/icmp.c (icmp_send quotes as much as fits into 576 bytes); text as tcpdump's print-icmp.c.
 *
 * An error quotes a packet as an object, cut to `quotedBytes`: encoding writes the whole packet with its checksums and then cuts. Decoding
 * a cut quote fills what is missing with zeros, so that lengths, addresses and ports are right; a checksum that lies within the cut part
 * of a UDP quote is the one thing that does not survive.
 */

import { get16, get32, put16, put32 } from "./byte-order.ts";
import { internetChecksum } from "./checksum.ts";
import { DEPTH_MAX, type Decoded, type DecodeOptions, decoded, type Ipv4Codec, rejected } from "./codec.ts";
import {
  ICMP_ECHO,
  ICMP_ECHO_REPLY,
  ICMP_HEADER_BYTES,
  IcmpMessage,
  IPV4_HEADER_BYTES,
  type Ipv4Packet,
  isIcmpError,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  TcpSegment,
  UdpDatagram,
} from "./packet.ts";
import { formatAddress, formatPort, hex, type PrintOptions } from "./print.ts";

export { ICMP_HEADER_BYTES };

export function decodeIcmp(bytes: Uint8Array, options: DecodeOptions, inner: Ipv4Codec): Decoded<IcmpMessage> {
  if (bytes.length < ICMP_HEADER_BYTES) return rejected(`ICMP message of ${bytes.length} bytes, needs ${ICMP_HEADER_BYTES}`);
  if (options.ignoreChecksums !== true && internetChecksum(bytes) !== 0) return rejected("ICMP checksum");
  const message = new IcmpMessage(bytes[0] as number, bytes[1] as number, get32(bytes, 4));
  const body = bytes.slice(ICMP_HEADER_BYTES);
  const depth = (options.depth ?? 0) + 1;
  if (isIcmpError(message.type) && body.length >= IPV4_HEADER_BYTES && depth < DEPTH_MAX) {
    const quoted = inner.decodeCut(body, { ...options, ignoreChecksums: true, depth });
    if (quoted.ok && body.length <= quoted.value.lengthBytes) {
      message.quoted = quoted.value;
      message.quotedBytes = body.length;
      return decoded(message);
    }
  }
  message.payload = body;
  return decoded(message);
}

export function encodeIcmp(message: IcmpMessage, inner: Ipv4Codec): Uint8Array {
  const out = new Uint8Array(message.lengthBytes);
  writeIcmp(out, 0, message, inner);
  return out;
}

export function writeIcmp(out: Uint8Array, at: number, message: IcmpMessage, inner: Ipv4Codec): void {
  out[at] = message.type;
  out[at + 1] = message.code;
  put16(out, at + 2, 0);
  put32(out, at + 4, message.rest);
  const bodyAt = at + ICMP_HEADER_BYTES;
  if (message.quoted === undefined) {
    out.set(message.payload, bodyAt);
  } else {
    const whole = new Uint8Array(message.quoted.lengthBytes);
    inner.write(whole, 0, message.quoted);
    out.set(whole.subarray(0, message.quotedBytes), bodyAt);
  }
  put16(out, at + 2, internetChecksum(out, at, at + message.lengthBytes));
}

/** print-icmp.c:icmp_print. `destination`: where the message itself goes. */
export function formatIcmp(message: IcmpMessage, options: PrintOptions, inner: Ipv4Codec): string {
  let text = `ICMP ${describe(message, options, inner)}, length ${message.lengthBytes}`;
  if (options.verbosity > 0 && message.quoted !== undefined) {
    const cutBytes = (options.cutBytes ?? 0) + message.quoted.lengthBytes - message.quotedBytes;
    text += `\n\t${inner.format(message.quoted, { ...options, cutBytes })}`;
  }
  return text;
}

function describe(message: IcmpMessage, options: PrintOptions, inner: Ipv4Codec): string {
  const { type, code, quoted } = message;
  if (type === ICMP_ECHO || type === ICMP_ECHO_REPLY)
    return `echo ${type === ICMP_ECHO ? "request" : "reply"}, id ${message.rest >>> 16}, seq ${message.rest & 0xffff}`;
  if (type === 3) return describeUnreachable(message, options, inner);
  if (type === 4) return "source quench";
  if (type === 5) {
    const target = quoted === undefined ? "" : formatAddress(quoted.dst, options);
    const what = REDIRECTS[code];
    return what === undefined
      ? `redirect-#${code} ${target} to net ${formatAddress(message.rest, options)}`
      : `${what[0]} ${target} to ${what[1]} ${formatAddress(message.rest, options)}`;
  }
  if (type === 9) return "router advertisement";
  if (type === 10) return "router solicitation";
  if (type === 11) return code === 0 ? "time exceeded in-transit" : code === 1 ? "ip reassembly time exceeded" : `time exceeded-#${code}`;
  if (type === 12) return code !== 0 ? `parameter problem - code ${code}` : `parameter problem - octet ${message.rest >>> 24}`;
  if (type === 13) return `time stamp query id ${message.rest >>> 16} seq ${message.rest & 0xffff}`;
  if (type === 14) return describeTimestampReply(message);
  if (type === 17) return "address mask request";
  if (type === 18) return message.payload.length >= 4 ? `address mask is 0x${hex(get32(message.payload, 0), 8)}` : "address mask reply";
  return `type-#${type}`;
}

const REDIRECTS: readonly (readonly [string, string])[] = [
  ["redirect", "net"],
  ["redirect", "host"],
  ["redirect-tos", "net"],
  ["redirect-tos", "host"],
];

function describeUnreachable({ code, rest, quoted }: IcmpMessage, options: PrintOptions, inner: Ipv4Codec): string {
  const target = quoted === undefined ? "" : formatAddress(quoted.dst, options);
  switch (code) {
    case 0:
      return `net ${target} unreachable`;
    case 1:
      return `host ${target} unreachable`;
    case 2:
      return `${target} protocol ${quoted?.protocol ?? 0} unreachable`;
    case 3:
      return describePort(target, quoted, options, inner);
    case 4:
      return (rest & 0xffff) === 0 ? `${target} unreachable - need to frag` : `${target} unreachable - need to frag (mtu ${rest & 0xffff})`;
    case 5:
      return `${target} unreachable - source route failed`;
    case 6:
      return `net ${target} unreachable - unknown`;
    case 7:
      return `host ${target} unreachable - unknown`;
    case 8:
      return `${target} unreachable - source host isolated`;
    case 9:
      return `net ${target} unreachable - admin prohibited`;
    case 10:
      return `host ${target} unreachable - admin prohibited`;
    case 11:
      return `net ${target} unreachable - tos prohibited`;
    case 12:
      return `host ${target} unreachable - tos prohibited`;
    case 13:
      return `host ${target} unreachable - admin prohibited filter`;
    case 14:
      return `host ${target} unreachable - host precedence violation`;
    case 15:
      return `host ${target} unreachable - precedence cutoff`;
    default:
      return `${target} unreachable - #${code}`;
  }
}

function describePort(target: string, quoted: Ipv4Packet | undefined, options: PrintOptions, inner: Ipv4Codec): string {
  const payload = quoted?.payload;
  if (payload instanceof TcpSegment) return `${target} tcp port ${formatPort(payload.dstPort, "tcp", options)} unreachable`;
  if (payload instanceof UdpDatagram) return `${target} udp port ${formatPort(payload.dstPort, "udp", options)} unreachable`;
  const protocol = quoted?.protocol ?? 0;
  const port = quoted === undefined ? 0 : wordAfterHeader(quoted, inner);
  if (protocol === PROTOCOL_TCP || protocol === PROTOCOL_UDP) return `${target} ${protocol === PROTOCOL_TCP ? "tcp" : "udp"} port ${port} unreachable`;
  return `${target} protocol ${protocol} port ${port} unreachable`;
}

/** Where TCP and UDP have the destination port; tcpdump shows it for any protocol. */
function wordAfterHeader(quoted: Ipv4Packet, inner: Ipv4Codec): number {
  const bytes = new Uint8Array(quoted.lengthBytes);
  inner.write(bytes, 0, quoted);
  return quoted.lengthBytes < quoted.headerBytes + 4 ? 0 : get16(bytes, quoted.headerBytes + 2);
}

function describeTimestampReply(message: IcmpMessage): string {
  if (message.payload.length < 12) return `time stamp reply id ${message.rest >>> 16} seq ${message.rest & 0xffff}`;
  const times = [0, 4, 8].map((at) => clock(get32(message.payload, at)));
  return `time stamp reply id ${message.rest >>> 16} seq ${message.rest & 0xffff}: org ${times[0]}, recv ${times[1]}, xmit ${times[2]}`;
}

/** Milliseconds since midnight. */
function clock(ms: number): string {
  const two = (value: number) => String(value).padStart(2, "0");
  return `${two(Math.trunc(ms / 3_600_000))}:${two(Math.trunc(ms / 60_000) % 60)}:${two(Math.trunc(ms / 1000) % 60)}.${String(ms % 1000).padStart(3, "0")}`;
}
