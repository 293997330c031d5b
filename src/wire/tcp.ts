/**
 * TCP headers and options. RFC 9293, RFC 7323 (timestamps, window scale), RFC 2018 (SACK).
 *
 * Options are written in Linux's order and padding (v6.1 net/ipv4/tcp_output.c:tcp_options_write): MSS; SACK-permitted and timestamps
 * together, else each after two NOPs; NOP and window scale; two NOPs and SACK. A segment that another stack ordered otherwise decodes to
 * the same object, keeps its length (zeros at the end stand for options that are not modelled), but not its bytes.
 */

import { assert } from "../base/assert.ts";
import { EMPTY_BYTES } from "../base/bytes.ts";
import { get16, get32, put16, put32 } from "./byte-order.ts";
import { internetChecksum, pseudoHeaderSum } from "./checksum.ts";
import { type AddressPair, type Decoded, type DecodeOptions, decoded, rejected } from "./codec.ts";
import { NO_TCP_OPTIONS, PROTOCOL_TCP, TCP_ACK, TCP_FIN, TCP_HEADER_BYTES, TCP_RST, TCP_SYN, TCP_URG, type TcpOptions, TcpSegment } from "./packet.ts";
import { hex, type PrintOptions } from "./print.ts";
import { formatTcpText } from "./text-protocols.ts";

export { TCP_HEADER_BYTES };

const OPTION_END = 0;
const OPTION_NOP = 1;
const OPTION_MSS = 2;
const OPTION_WINDOW_SCALE = 3;
const OPTION_SACK_PERMITTED = 4;
const OPTION_SACK = 5;
const OPTION_TIMESTAMPS = 8;
const OPTION_BYTES_MAX = 40;

/** Bytes that options take in the header, padding included. */
export function tcpOptionBytes(options: TcpOptions): number {
  if (options === NO_TCP_OPTIONS) return 0;
  let length = 0;
  if (options.mss !== undefined) length += 4;
  if (options.timestamps !== undefined) length += 12;
  else if (options.sackPermitted) length += 4;
  if (options.windowScale !== undefined) length += 4;
  if (options.sack !== undefined && options.sack.length > 0) length += 4 + 8 * options.sack.length;
  return length;
}

/** Of a cut quote only the ports may be left: what is missing reads as zero there (decodeCut pads), and the header as 20 bytes. */
export function decodeTcp(bytes: Uint8Array, addresses: AddressPair, options: DecodeOptions = {}): Decoded<TcpSegment> {
  if (bytes.length < TCP_HEADER_BYTES) return rejected(`TCP segment of ${bytes.length} bytes, needs ${TCP_HEADER_BYTES}`);
  const headerBytes = ((bytes[12] as number) >>> 4) * 4;
  if (headerBytes < TCP_HEADER_BYTES || headerBytes > bytes.length) return rejected(`TCP data offset of ${headerBytes} bytes in ${bytes.length}`);
  if (
    options.ignoreChecksums !== true &&
    internetChecksum(bytes, 0, bytes.length, pseudoHeaderSum(addresses.src, addresses.dst, PROTOCOL_TCP, bytes.length)) !== 0
  ) {
    return rejected("TCP checksum");
  }
  const parsed = decodeOptions(bytes, headerBytes);
  if (!parsed.ok) return parsed;
  const segment = decodeFixedHeader(bytes);
  segment.options = parsed.value;
  segment.optionBytes = headerBytes - TCP_HEADER_BYTES;
  segment.payload = headerBytes === bytes.length ? EMPTY_BYTES : bytes.slice(headerBytes);
  return decoded(segment);
}

/** A segment whose first 8 bytes are all that is certain (RFC 792 quotes): header of 20 bytes, the rest payload. */
export function decodeCutTcp(bytes: Uint8Array): Decoded<TcpSegment> {
  if (bytes.length < TCP_HEADER_BYTES) return rejected(`TCP segment of ${bytes.length} bytes, needs ${TCP_HEADER_BYTES}`);
  const segment = decodeFixedHeader(bytes);
  segment.payload = bytes.slice(TCP_HEADER_BYTES);
  return decoded(segment);
}

function decodeFixedHeader(bytes: Uint8Array): TcpSegment {
  const segment = new TcpSegment(get16(bytes, 0), get16(bytes, 2), get32(bytes, 4), get32(bytes, 8), bytes[13] as number, get16(bytes, 14));
  segment.urgentPointer = get16(bytes, 18);
  return segment;
}

function decodeOptions(bytes: Uint8Array, end: number): Decoded<TcpOptions> {
  if (end === TCP_HEADER_BYTES) return decoded(NO_TCP_OPTIONS);
  const found: { -readonly [Key in keyof TcpOptions]: TcpOptions[Key] } = {};
  for (let at = TCP_HEADER_BYTES; at < end; ) {
    const kind = bytes[at] as number;
    if (kind === OPTION_END) break;
    if (kind === OPTION_NOP) {
      at++;
      continue;
    }
    const length = at + 1 < end ? (bytes[at + 1] as number) : 0;
    if (length < 2 || at + length > end) return rejected(`TCP option ${kind} of ${length} bytes`);
    if (kind === OPTION_MSS && length === 4) found.mss = get16(bytes, at + 2);
    else if (kind === OPTION_WINDOW_SCALE && length === 3) found.windowScale = bytes[at + 2] as number;
    else if (kind === OPTION_SACK_PERMITTED && length === 2) found.sackPermitted = true;
    else if (kind === OPTION_TIMESTAMPS && length === 10) found.timestamps = { value: get32(bytes, at + 2), echo: get32(bytes, at + 6) };
    else if (kind === OPTION_SACK && (length - 2) % 8 === 0) {
      const blocks: [number, number][] = [];
      for (let block = at + 2; block < at + length; block += 8) blocks.push([get32(bytes, block), get32(bytes, block + 4)]);
      found.sack = blocks;
    }
    at += length;
  }
  return decoded(found);
}

export function encodeTcp(segment: TcpSegment, addresses: AddressPair): Uint8Array {
  const out = new Uint8Array(segment.lengthBytes);
  writeTcp(out, 0, segment, addresses);
  return out;
}

export function writeTcp(out: Uint8Array, at: number, segment: TcpSegment, addresses: AddressPair): void {
  const { optionBytes } = segment;
  assert(optionBytes % 4 === 0 && optionBytes <= OPTION_BYTES_MAX, `TCP options take a multiple of 4 up to ${OPTION_BYTES_MAX} bytes, got ${optionBytes}`);
  const length = segment.lengthBytes;
  put16(out, at, segment.srcPort);
  put16(out, at + 2, segment.dstPort);
  put32(out, at + 4, segment.seq);
  put32(out, at + 8, segment.ack);
  out[at + 12] = ((TCP_HEADER_BYTES + optionBytes) / 4) << 4;
  out[at + 13] = segment.flags;
  put16(out, at + 14, segment.window);
  put16(out, at + 16, 0);
  put16(out, at + 18, segment.urgentPointer);
  const end = writeOptions(out, at + TCP_HEADER_BYTES, segment.options);
  const payloadAt = at + TCP_HEADER_BYTES + optionBytes;
  assert(end <= payloadAt, `TCP options need ${end - at - TCP_HEADER_BYTES} bytes, optionBytes is ${optionBytes}`);
  out.fill(OPTION_END, end, payloadAt);
  if (segment.payload.length > 0) out.set(segment.payload, payloadAt);
  put16(out, at + 16, internetChecksum(out, at, at + length, pseudoHeaderSum(addresses.src, addresses.dst, PROTOCOL_TCP, length)));
}

/** Returns where the options end. */
function writeOptions(out: Uint8Array, from: number, options: TcpOptions): number {
  let at = from;
  if (options.mss !== undefined) {
    put32(out, at, (OPTION_MSS << 24) | (4 << 16) | options.mss);
    at += 4;
  }
  if (options.timestamps !== undefined) {
    const first = options.sackPermitted ? (OPTION_SACK_PERMITTED << 8) | 2 : (OPTION_NOP << 8) | OPTION_NOP;
    put16(out, at, first);
    put16(out, at + 2, (OPTION_TIMESTAMPS << 8) | 10);
    put32(out, at + 4, options.timestamps.value);
    put32(out, at + 8, options.timestamps.echo);
    at += 12;
  } else if (options.sackPermitted) {
    put32(out, at, (OPTION_NOP << 24) | (OPTION_NOP << 16) | (OPTION_SACK_PERMITTED << 8) | 2);
    at += 4;
  }
  if (options.windowScale !== undefined) {
    put32(out, at, (OPTION_NOP << 24) | (OPTION_WINDOW_SCALE << 16) | (3 << 8) | options.windowScale);
    at += 4;
  }
  if (options.sack !== undefined && options.sack.length > 0) {
    put32(out, at, (OPTION_NOP << 24) | (OPTION_NOP << 16) | (OPTION_SACK << 8) | (2 + 8 * options.sack.length));
    at += 4;
    for (const [left, right] of options.sack) {
      put32(out, at, left);
      put32(out, at + 4, right);
      at += 8;
    }
  }
  return at;
}

const FLAG_LETTERS: readonly (readonly [number, string])[] = [
  [0x01, "F"],
  [0x02, "S"],
  [0x04, "R"],
  [0x08, "P"],
  [0x10, "."],
  [0x20, "U"],
  [0x40, "E"],
  [0x80, "W"],
];

/** `S`, `S.`, `P.`, `F.`, `none`: print-tcp.c:tcp_flag_values. */
export function formatTcpFlags(flags: number): string {
  let text = "";
  for (const [bit, letter] of FLAG_LETTERS) if ((flags & bit) !== 0) text += letter;
  return text === "" ? "none" : text;
}

/** print-tcp.c:tcp_print after the addresses: `Flags [S], seq 1, win 64240, options [mss 1460,...], length 0`. */
export function formatTcp(segment: TcpSegment, addresses: AddressPair, options: PrintOptions): string {
  const dataBytes = segment.payload.length;
  if (options.isQuick) return `tcp ${dataBytes}`;
  const { seq, ack, sackBase } = relativeNumbers(segment, addresses, options);
  let text = `Flags [${formatTcpFlags(segment.flags)}]`;
  if (options.verbosity > 0 && (options.cutBytes ?? 0) === 0) text += `, cksum 0x${hex(get16(encodeTcp(segment, addresses), 16), 4)} (correct)`;
  if (options.verbosity > 1 || dataBytes > 0 || (segment.flags & (TCP_SYN | TCP_FIN | TCP_RST)) !== 0) {
    text += `, seq ${seq}`;
    if (dataBytes > 0) text += `:${(seq + dataBytes) >>> 0}`;
  }
  if ((segment.flags & TCP_ACK) !== 0) text += `, ack ${ack}`;
  text += `, win ${segment.window}`;
  if ((segment.flags & TCP_URG) !== 0) text += `, urg ${segment.urgentPointer}`;
  if (segment.optionBytes > 0) text += `, options [${formatOptions(segment, sackBase)}]`;
  text += `, length ${dataBytes}`;
  if (dataBytes === 0 || (segment.flags & TCP_RST) !== 0) return text;
  return text + formatTcpText(segment, options);
}

function relativeNumbers(segment: TcpSegment, { src, dst }: AddressPair, options: PrintOptions): { seq: number; ack: number; sackBase: number } {
  const { seq, ack } = segment;
  if (options.sequences === undefined || (segment.flags & TCP_ACK) === 0) return { seq, ack, sackBase: 0 };
  const isReversed = segment.srcPort > segment.dstPort || (segment.srcPort === segment.dstPort && src > dst);
  const key = isReversed ? `${dst}:${segment.dstPort} ${src}:${segment.srcPort}` : `${src}:${segment.srcPort} ${dst}:${segment.dstPort}`;
  const first = isReversed ? { seq: (ack - 1) >>> 0, ack: seq } : { seq, ack: (ack - 1) >>> 0 };
  const { base, isNew } = options.sequences.find(key, (segment.flags & TCP_SYN) !== 0, first);
  const ownBase = isReversed ? base.ack : base.seq;
  const peerBase = isReversed ? base.seq : base.ack;
  if (isNew) return { seq, ack, sackBase: peerBase };
  return { seq: (seq - ownBase) >>> 0, ack: (ack - peerBase) >>> 0, sackBase: peerBase };
}

function formatOptions(segment: TcpSegment, sackBase: number): string {
  const { options } = segment;
  const parts: string[] = [];
  if (options.mss !== undefined) parts.push(`mss ${options.mss}`);
  if (options.timestamps !== undefined) {
    if (options.sackPermitted) parts.push("sackOK");
    else parts.push("nop", "nop");
    parts.push(`TS val ${options.timestamps.value} ecr ${options.timestamps.echo}`);
  } else if (options.sackPermitted) parts.push("nop", "nop", "sackOK");
  if (options.windowScale !== undefined) parts.push("nop", `wscale ${options.windowScale}`);
  if (options.sack !== undefined && options.sack.length > 0) {
    const blocks = options.sack.map(([left, right]) => `{${(left - sackBase) >>> 0}:${(right - sackBase) >>> 0}}`);
    parts.push("nop", "nop", `sack ${blocks.length} ${blocks.join("")}`);
  }
  if (segment.optionBytes > tcpOptionBytes(options)) parts.push("eol");
  return parts.join(",");
}
