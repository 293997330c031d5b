/**
 * pcapng files: several interfaces in one capture, with names, directions and comments. Format: draft-ietf-opsawg-pcapng.
 *
 *   section header ─ interface 0 ─ interface 1 ─ packet ─ packet ─ interface 2 ─ packet ...
 *
 * Written little-endian, with times in nanoseconds (if_tsresol 9), as one section of unknown length, so that it can be a stream. Read: what is
 * written here, and what others write, but for big-endian sections; blocks of unknown type are skipped.
 */

import { concatBytes, EMPTY_BYTES, utf8Bytes, utf8Text } from "../base/bytes.ts";
import { type Decoded, decoded, rejected } from "./codec.ts";

const BLOCK_SECTION = 0x0a0d0d0a;
const BLOCK_INTERFACE = 1;
const BLOCK_ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
const SNAPSHOT_BYTES = 262_144;
/** Block type, both lengths. */
const FRAME_BYTES = 12;
const PACKET_FIXED_BYTES = 20;
/** An option's length has 16 bits; a comment may have fewer bytes than that, so that a text cut between characters still fits. */
const OPTION_BYTES_MAX = 65_000;
const TWO_TO_32 = 0x100000000;

const OPT_COMMENT = 1;
const SHB_USERAPPL = 4;
const IF_NAME = 2;
const IF_DESCRIPTION = 3;
const IF_MACADDR = 6;
const IF_TSRESOL = 9;
const IF_OS = 12;
const EPB_FLAGS = 2;
const EPB_PACKETID = 5;
const NANOSECONDS = 9;

export interface PcapngInterface {
  readonly linkType: number;
  readonly name: string;
  readonly description?: string;
  /** Six bytes. */
  readonly mac?: Uint8Array;
  /** The operating system of the machine that has the interface. */
  readonly operatingSystem?: string;
}

/** How a frame came: what its destination address said, and `promiscuous` for one that was for another machine. */
export type PcapngReception = "unicast" | "multicast" | "broadcast" | "promiscuous";

export interface PcapngPacket {
  /** Position of its interface in the section. */
  readonly interfaceIndex: number;
  /** Since 1970 or whatever the capture counts from, nanoseconds, not negative. */
  readonly timeNs: number;
  readonly bytes: Uint8Array;
  readonly direction?: "in" | "out";
  readonly reception?: PcapngReception;
  /** The same for every capture of one frame. */
  readonly packetId?: number;
  readonly comments?: readonly string[];
}

export interface PcapngFile {
  readonly comments: readonly string[];
  readonly application: string;
  readonly interfaces: readonly PcapngInterface[];
  readonly packets: readonly (PcapngPacket & { readonly comments: readonly string[] })[];
}

/** The block that a file starts with. */
export function encodePcapngSection(options: { readonly application: string; readonly comment?: string }): Uint8Array {
  const fixed = new Uint8Array(16);
  const view = new DataView(fixed.buffer);
  view.setUint32(0, BYTE_ORDER_MAGIC, true);
  view.setUint16(4, 1, true);
  // The length of the section is not known: -1.
  fixed.fill(0xff, 8);
  return block(BLOCK_SECTION, [fixed, optionList([text(OPT_COMMENT, options.comment), text(SHB_USERAPPL, options.application)])]);
}

export function encodePcapngInterface(of: PcapngInterface): Uint8Array {
  const fixed = new Uint8Array(8);
  const view = new DataView(fixed.buffer);
  view.setUint16(0, of.linkType, true);
  view.setUint32(4, SNAPSHOT_BYTES, true);
  const options = [text(IF_NAME, of.name), text(IF_DESCRIPTION, of.description)];
  if (of.mac !== undefined) options.push(option(IF_MACADDR, of.mac));
  options.push(option(IF_TSRESOL, Uint8Array.of(NANOSECONDS)), text(IF_OS, of.operatingSystem));
  return block(BLOCK_INTERFACE, [fixed, optionList(options)]);
}

const RECEPTIONS: readonly (PcapngReception | undefined)[] = [undefined, "unicast", "multicast", "broadcast", "promiscuous"];

export function encodePcapngPacket(packet: PcapngPacket): Uint8Array {
  const { bytes } = packet;
  const fixed = new Uint8Array(PACKET_FIXED_BYTES + padded(bytes.length));
  const view = new DataView(fixed.buffer);
  view.setUint32(0, packet.interfaceIndex, true);
  view.setUint32(4, Math.floor(packet.timeNs / TWO_TO_32), true);
  view.setUint32(8, packet.timeNs % TWO_TO_32, true);
  view.setUint32(12, bytes.length, true);
  view.setUint32(16, bytes.length, true);
  fixed.set(bytes, PACKET_FIXED_BYTES);
  const options = (packet.comments ?? []).map((comment) => text(OPT_COMMENT, comment));
  const flags = (packet.direction === undefined ? 0 : packet.direction === "in" ? 1 : 2) | (RECEPTIONS.indexOf(packet.reception) << 2);
  if (flags !== 0) options.push(option(EPB_FLAGS, littleEndian(flags, 4)));
  if (packet.packetId !== undefined) options.push(option(EPB_PACKETID, littleEndian(packet.packetId, 8)));
  return block(BLOCK_ENHANCED_PACKET, [fixed, optionList(options)]);
}

function block(type: number, parts: readonly Uint8Array[]): Uint8Array {
  let length = FRAME_BYTES;
  for (const part of parts) length += part.length;
  return concatBytes([littleEndian(type, 4), littleEndian(length, 4), ...parts, littleEndian(length, 4)]);
}

function optionList(options: readonly Uint8Array[]): Uint8Array {
  const given = options.filter((one) => one.length > 0);
  // opt_endofopt; a block without options needs none.
  return given.length === 0 ? EMPTY_BYTES : concatBytes([...given, new Uint8Array(4)]);
}

function text(code: number, value: string | undefined): Uint8Array {
  if (value === undefined || value === "") return EMPTY_BYTES;
  const bytes = utf8Bytes(value);
  return option(code, bytes.length <= OPTION_BYTES_MAX ? bytes : cutUtf8(bytes));
}

/** Ends before a character that does not fit. */
function cutUtf8(bytes: Uint8Array): Uint8Array {
  let end = OPTION_BYTES_MAX;
  while (end > 0 && ((bytes[end] as number) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}

function option(code: number, value: Uint8Array): Uint8Array {
  const out = new Uint8Array(4 + padded(value.length));
  const view = new DataView(out.buffer);
  view.setUint16(0, code, true);
  view.setUint16(2, value.length, true);
  out.set(value, 4);
  return out;
}

function littleEndian(value: number, length: 4 | 8): Uint8Array {
  const out = new Uint8Array(length);
  const view = new DataView(out.buffer);
  view.setUint32(0, value % TWO_TO_32, true);
  if (length === 8) view.setUint32(4, Math.floor(value / TWO_TO_32), true);
  return out;
}

function padded(length: number): number {
  return (length + 3) & ~3;
}

/* --------------------------------------------------------------------------------------------------------------- reading */

export function decodePcapng(bytes: Uint8Array): Decoded<PcapngFile> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const interfaces: (PcapngInterface & { readonly resolution: number })[] = [];
  const packets: (PcapngPacket & { readonly comments: readonly string[] })[] = [];
  let section: { readonly comments: readonly string[]; readonly application: string } | undefined;
  for (let at = 0; at < bytes.length; ) {
    if (at + FRAME_BYTES > bytes.length) return rejected(`pcapng block header cut at byte ${at}`);
    const type = view.getUint32(at, true);
    if (section === undefined && type !== BLOCK_SECTION) return rejected("not a pcapng file: it does not start with a section");
    if (type === BLOCK_SECTION && view.getUint32(at + 8, true) !== BYTE_ORDER_MAGIC) return rejected(`pcapng section at byte ${at} is not little-endian`);
    const length = view.getUint32(at + 4, true);
    if (length < FRAME_BYTES || length % 4 !== 0 || at + length > bytes.length) return rejected(`pcapng block of ${length} bytes cut at byte ${at}`);
    if (view.getUint32(at + length - 4, true) !== length) return rejected(`pcapng block at byte ${at} has two lengths`);
    const body = bytes.subarray(at + 8, at + length - 4);
    if (type === BLOCK_SECTION) {
      if (section !== undefined) return rejected("pcapng files with several sections are not read");
      const options = body.length < 16 ? undefined : readOptions(body, 16);
      if (options === undefined) return rejected(`pcapng section cut at byte ${at}`);
      section = { comments: texts(options, OPT_COMMENT), application: texts(options, SHB_USERAPPL)[0] ?? "" };
    } else if (type === BLOCK_INTERFACE) {
      const one = readInterface(body);
      if (one === undefined) return rejected(`pcapng interface cut at byte ${at}`);
      interfaces.push(one);
    } else if (type === BLOCK_ENHANCED_PACKET) {
      const packet = readPacket(body, interfaces);
      if (packet === undefined) return rejected(`pcapng packet at byte ${at} is cut, or its interface is not there`);
      packets.push(packet);
    }
    at += length;
  }
  if (section === undefined) return rejected("not a pcapng file: it is empty");
  return decoded({ ...section, interfaces: interfaces.map(({ resolution: _resolution, ...one }) => one), packets });
}

function readInterface(body: Uint8Array): (PcapngInterface & { readonly resolution: number }) | undefined {
  const options = body.length < 8 ? undefined : readOptions(body, 8);
  if (options === undefined) return undefined;
  const name = texts(options, IF_NAME)[0] ?? "";
  const description = texts(options, IF_DESCRIPTION)[0];
  const operatingSystem = texts(options, IF_OS)[0];
  const mac = options.find((one) => one.code === IF_MACADDR)?.value;
  return {
    linkType: (body[0] as number) | ((body[1] as number) << 8),
    name,
    ...(description === undefined ? {} : { description }),
    ...(mac === undefined ? {} : { mac }),
    ...(operatingSystem === undefined ? {} : { operatingSystem }),
    resolution: options.find((one) => one.code === IF_TSRESOL)?.value[0] ?? 6,
  };
}

function readPacket(body: Uint8Array, interfaces: readonly { readonly resolution: number }[]): (PcapngPacket & { readonly comments: readonly string[] }) | undefined {
  if (body.length < PACKET_FIXED_BYTES) return undefined;
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const interfaceIndex = view.getUint32(0, true);
  const captured = view.getUint32(12, true);
  const of = interfaces[interfaceIndex];
  // Powers of two (bit 7) and what is finer than nanoseconds are not read.
  if (of === undefined || of.resolution > NANOSECONDS || PACKET_FIXED_BYTES + captured > body.length) return undefined;
  const options = readOptions(body, PACKET_FIXED_BYTES + padded(captured));
  if (options === undefined) return undefined;
  const number = (code: number) => options.find((one) => one.code === code)?.value.reduceRight((sum, byte) => sum * 256 + byte, 0);
  const flags = number(EPB_FLAGS) ?? 0;
  const packetId = number(EPB_PACKETID);
  const reception = RECEPTIONS[(flags >> 2) & 7];
  return {
    interfaceIndex,
    timeNs: (view.getUint32(4, true) * TWO_TO_32 + view.getUint32(8, true)) * 10 ** (NANOSECONDS - of.resolution),
    bytes: body.slice(PACKET_FIXED_BYTES, PACKET_FIXED_BYTES + captured),
    ...((flags & 3) === 1 ? { direction: "in" } : (flags & 3) === 2 ? { direction: "out" } : {}),
    ...(reception === undefined ? {} : { reception }),
    ...(packetId === undefined ? {} : { packetId }),
    comments: texts(options, OPT_COMMENT),
  };
}

interface Option {
  readonly code: number;
  readonly value: Uint8Array;
}

/** undefined when an option is cut. */
function readOptions(body: Uint8Array, from: number): Option[] | undefined {
  const options: Option[] = [];
  for (let at = from; at + 4 <= body.length; ) {
    const code = (body[at] as number) | ((body[at + 1] as number) << 8);
    const length = (body[at + 2] as number) | ((body[at + 3] as number) << 8);
    if (code === 0) break;
    if (at + 4 + length > body.length) return undefined;
    options.push({ code, value: body.slice(at + 4, at + 4 + length) });
    at += 4 + padded(length);
  }
  return options;
}

function texts(options: readonly Option[], code: number): string[] {
  return options.filter((one) => one.code === code).map((one) => utf8Text(one.value));
}
