/**
 * Classic pcap files: what tcpdump and Wireshark read. Format: draft-ietf-opsawg-pcap.
 *
 * Written with the magic number of nanosecond times (0xa1b23c4d): simulated frames lie closer together than a microsecond, and tcpdump,
 * tshark and scapy have read that variant since 2012. Little-endian, as a PC writes it. Read: both resolutions, both byte orders.
 */

import { NS_PER_SECOND } from "../base/time.ts";
import { type Decoded, decoded, rejected } from "./codec.ts";

export const PCAP_HEADER_BYTES = 24;
export const PCAP_RECORD_BYTES = 16;
export const LINKTYPE_ETHERNET = 1;
/** Bare IP packets: lo and tunnel devices as this simulator captures them. */
export const LINKTYPE_RAW = 101;
/** What `tcpdump -i any` writes. */
export const LINKTYPE_LINUX_SLL2 = 276;

const MAGIC_MICROSECONDS = 0xa1b2c3d4;
const MAGIC_NANOSECONDS = 0xa1b23c4d;
const SNAPSHOT_BYTES = 262_144;

export interface PcapRecord {
  /** Whole seconds and the rest: nanoseconds since 1970 would not fit into a number exactly. */
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly bytes: Uint8Array;
  /** Length on the wire: more than `bytes` when the capture was cut. */
  readonly lengthBytes: number;
}

export interface PcapFile {
  readonly linkType: number;
  readonly snapshotBytes: number;
  readonly records: readonly PcapRecord[];
}

export function encodePcapHeader(linkType: number, snapshotBytes = SNAPSHOT_BYTES): Uint8Array {
  const out = new Uint8Array(PCAP_HEADER_BYTES);
  const view = new DataView(out.buffer);
  view.setUint32(0, MAGIC_NANOSECONDS, true);
  view.setUint16(4, 2, true);
  view.setUint16(6, 4, true);
  view.setUint32(16, snapshotBytes, true);
  view.setUint32(20, linkType, true);
  return out;
}

/** The record header of a frame at a simulated time. Times before 0 cannot be written and become 0. */
export function writePcapRecord(out: Uint8Array, at: number, timeNs: number, capturedBytes: number, lengthBytes: number): void {
  const time = Math.max(timeNs, 0);
  writeRecordHeader(out, at, { seconds: Math.floor(time / NS_PER_SECOND), nanoseconds: time % NS_PER_SECOND, capturedBytes, lengthBytes });
}

function writeRecordHeader(out: Uint8Array, at: number, record: { seconds: number; nanoseconds: number; capturedBytes: number; lengthBytes: number }): void {
  const { seconds, nanoseconds, capturedBytes, lengthBytes } = record;
  put32LittleEndian(out, at, seconds);
  put32LittleEndian(out, at + 4, nanoseconds);
  put32LittleEndian(out, at + 8, capturedBytes);
  put32LittleEndian(out, at + 12, lengthBytes);
}

function put32LittleEndian(out: Uint8Array, at: number, value: number): void {
  out[at] = value;
  out[at + 1] = value >>> 8;
  out[at + 2] = value >>> 16;
  out[at + 3] = value >>> 24;
}

/** A capture file with nanosecond times, little-endian. `linkType`: 1 is Ethernet. */
export function encodePcap(linkType: number, records: readonly PcapRecord[], snapshotBytes = SNAPSHOT_BYTES): Uint8Array {
  let length = PCAP_HEADER_BYTES;
  for (const record of records) length += PCAP_RECORD_BYTES + record.bytes.length;
  const out = new Uint8Array(length);
  out.set(encodePcapHeader(linkType, snapshotBytes));
  let at = PCAP_HEADER_BYTES;
  for (const record of records) {
    writeRecordHeader(out, at, { ...record, capturedBytes: record.bytes.length });
    out.set(record.bytes, at + PCAP_RECORD_BYTES);
    at += PCAP_RECORD_BYTES + record.bytes.length;
  }
  return out;
}

/** The records of a capture file of either byte order and resolution, or why it is none. Never throws. */
export function decodePcap(bytes: Uint8Array): Decoded<PcapFile> {
  if (bytes.length < PCAP_HEADER_BYTES) return rejected(`pcap file of ${bytes.length} bytes, needs ${PCAP_HEADER_BYTES}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isLittleEndian = [MAGIC_MICROSECONDS, MAGIC_NANOSECONDS].includes(view.getUint32(0, true));
  const magic = view.getUint32(0, isLittleEndian);
  if (magic !== MAGIC_MICROSECONDS && magic !== MAGIC_NANOSECONDS) return rejected("not a pcap file: unknown magic number");
  if (view.getUint16(4, isLittleEndian) !== 2) return rejected(`pcap version ${view.getUint16(4, isLittleEndian)}, known is 2`);
  const scale = magic === MAGIC_NANOSECONDS ? 1 : 1000;
  const records: PcapRecord[] = [];
  for (let at = PCAP_HEADER_BYTES; at < bytes.length; ) {
    if (at + PCAP_RECORD_BYTES > bytes.length) return rejected(`pcap record header cut at byte ${at}`);
    const captured = view.getUint32(at + 8, isLittleEndian);
    if (captured > SNAPSHOT_BYTES) return rejected(`pcap record of ${captured} bytes at byte ${at}, the most is ${SNAPSHOT_BYTES}`);
    const start = at + PCAP_RECORD_BYTES;
    if (start + captured > bytes.length) return rejected(`pcap record of ${captured} bytes cut at byte ${at}`);
    records.push({
      seconds: view.getUint32(at, isLittleEndian),
      nanoseconds: view.getUint32(at + 4, isLittleEndian) * scale,
      bytes: bytes.slice(start, start + captured),
      lengthBytes: view.getUint32(at + 12, isLittleEndian),
    });
    at = start + captured;
  }
  return decoded({ linkType: view.getUint32(20, isLittleEndian) & 0xffff, snapshotBytes: view.getUint32(16, isLittleEndian), records });
}
