/**
 * What one director tells another about its connections: the datagrams of the sync daemons, as bytes.
 *
 *   version 1:  0 | sync id | size | count | 1 | 0 0   then records of 36 bytes and more, each aligned to 4 bytes
 *   version 0:  count | sync id | size                 then records of 24 bytes
 *
 * Linux v6.1 net/netfilter/ipvs/ip_vs_sync.c (struct ip_vs_sync_mesg, ip_vs_sync_v4, ip_vs_sync_conn_v0, ip_vs_process_message,
 * ip_vs_proc_sync_conn), include/uapi/linux/ip_vs.h (IP_VS_CONN_F_*). Not modelled: IPv6, sequence numbers of the FTP helper,
 * data of persistence engines; records with them are skipped or read without them.
 */

import type { Ipv4Address } from "../base/ipv4-address.ts";
import { get16, get32, put16, put32 } from "../wire/byte-order.ts";

/** A connection's flags as they travel. */
export const SYNC_FORWARD_MASK = 0x7;
export const SYNC_FORWARD_MASQ = 0;
export const SYNC_FORWARD_LOCAL = 1;
export const SYNC_FORWARD_TUNNEL = 2;
export const SYNC_FORWARD_ROUTE = 3;
export const SYNC_FORWARD_BYPASS = 4;
export const SYNC_SYNC = 0x20;
export const SYNC_NO_OUTPUT = 0x80;
export const SYNC_INACTIVE = 0x100;
export const SYNC_SEQUENCE_MASK = 0x600;
export const SYNC_TEMPLATE = 0x1000;
export const SYNC_ONE_PACKET = 0x2000;
export const SYNC_CONNTRACK = 0x10000;
/** What a backup takes over from a message of version 1 (IP_VS_CONN_F_BACKUP_MASK). */
export const SYNC_BACKUP_MASK = 0x1f87;

export const SYNC_HEADER_BYTES: Readonly<Record<SyncVersion, number>> = { 0: 4, 1: 8 };
export const SYNC_RECORD_BYTES: Readonly<Record<SyncVersion, number>> = { 0: 24, 1: 36 };
const V0_SEQUENCE_BYTES = 24;
const TYPE_IPV4 = 0;
const TYPE_IPV6 = 1;
const V6_RECORD_BYTES = 72;
const OPTION_SEQUENCE = 1;
const OPTION_ENGINE_DATA = 2;
const OPTION_ENGINE_NAME = 3;
/** An option that may be left unread. */
const OPTION_OPTIONAL = 0x40;
const ENGINE_DATA_MAX = 255;
const ENGINE_NAME_MAX = 16;

export type SyncVersion = 0 | 1;

export interface SyncRecord {
  readonly protocol: number;
  readonly flags: number;
  readonly state: number;
  readonly clientAddress: Ipv4Address;
  readonly clientPort: number;
  readonly virtualAddress: Ipv4Address;
  readonly virtualPort: number;
  readonly destAddress: Ipv4Address;
  readonly destPort: number;
  /** 0 in version 0, which has no room for these. */
  readonly mark: number;
  readonly timeoutSeconds: number;
}

export interface SyncMessage {
  readonly version: SyncVersion;
  readonly syncId: number;
  readonly records: readonly SyncRecord[];
}

/** Records that could be read, and the kernel's words (for its log) about the rest when there is one that could not. */
export interface DecodedSyncMessage extends SyncMessage {
  readonly error?: string;
}

/** The message that is being filled: records go in until it is full or old. */
export class SyncBuffer {
  readonly version: SyncVersion;
  readonly firstUseNs: number;
  readonly #bytes: Uint8Array;
  #length: number;

  constructor(version: SyncVersion, syncId: number, lengthMax: number, nowNs: number) {
    this.version = version;
    this.firstUseNs = nowNs;
    this.#length = SYNC_HEADER_BYTES[version];
    this.#bytes = new Uint8Array(Math.max(lengthMax, this.#length + SYNC_RECORD_BYTES[version]));
    this.#bytes[1] = syncId;
    if (version === 1) this.#bytes[5] = 1;
  }

  get hasRoom(): boolean {
    return this.#length + SYNC_RECORD_BYTES[this.version] <= this.#bytes.length;
  }

  /** The count is one byte, and wraps as the kernel's does. */
  add(record: SyncRecord): void {
    const countAt = this.version === 0 ? 0 : 4;
    if (this.version === 0) writeV0(this.#bytes, this.#length, record);
    else writeV1(this.#bytes, this.#length, record);
    this.#bytes[countAt] = (this.#bytes[countAt] as number) + 1;
    this.#length += SYNC_RECORD_BYTES[this.version];
  }

  finish(): Uint8Array {
    put16(this.#bytes, 2, this.#length);
    return this.#bytes.slice(0, this.#length);
  }
}

export function encodeSyncMessage(message: SyncMessage): Uint8Array {
  const length = SYNC_HEADER_BYTES[message.version] + message.records.length * SYNC_RECORD_BYTES[message.version];
  const buffer = new SyncBuffer(message.version, message.syncId, length, 0);
  for (const record of message.records) buffer.add(record);
  return buffer.finish();
}

function writeV1(out: Uint8Array, at: number, record: SyncRecord): void {
  out[at] = TYPE_IPV4;
  out[at + 1] = record.protocol;
  put16(out, at + 2, SYNC_RECORD_BYTES[1]);
  put32(out, at + 4, record.flags);
  put16(out, at + 8, record.state);
  put16(out, at + 10, record.clientPort);
  put16(out, at + 12, record.virtualPort);
  put16(out, at + 14, record.destPort);
  put32(out, at + 16, record.mark);
  put32(out, at + 20, record.timeoutSeconds);
  put32(out, at + 24, record.clientAddress);
  put32(out, at + 28, record.virtualAddress);
  put32(out, at + 32, record.destAddress);
}

function writeV0(out: Uint8Array, at: number, record: SyncRecord): void {
  out[at] = 0;
  out[at + 1] = record.protocol;
  put16(out, at + 2, record.clientPort);
  put16(out, at + 4, record.virtualPort);
  put16(out, at + 6, record.destPort);
  put32(out, at + 8, record.clientAddress);
  put32(out, at + 12, record.virtualAddress);
  put32(out, at + 16, record.destAddress);
  put16(out, at + 20, record.flags & 0xffff);
  put16(out, at + 22, record.state);
}

/* --------------------------------------------------------------------------------------------------------------- reading */

/** undefined: nothing in it can be used, not even the sync id. */
export function decodeSyncMessage(bytes: Uint8Array): DecodedSyncMessage | undefined {
  if (bytes.length < SYNC_HEADER_BYTES[0] || get16(bytes, 2) !== bytes.length) return undefined;
  const isV1 = bytes.length >= SYNC_HEADER_BYTES[1] && bytes[0] === 0 && bytes[5] === 1 && get16(bytes, 6) === 0;
  return isV1 ? decodeV1(bytes) : decodeV0(bytes);
}

function decodeV1(bytes: Uint8Array): DecodedSyncMessage {
  const records: SyncRecord[] = [];
  const message = { version: 1, syncId: bytes[1] as number, records } as const;
  const broken = (text: string): DecodedSyncMessage => ({ ...message, error: `BACKUP, Dropping buffer, ${text}` });
  let at = SYNC_HEADER_BYTES[1];
  for (let left = bytes[4] as number; left > 0; left--) {
    if (at + SYNC_RECORD_BYTES[1] > bytes.length) return broken("too small");
    const size = get16(bytes, at + 2) & 0xfff;
    if (at + size > bytes.length) return broken("msg > buffer");
    const version = get16(bytes, at + 2) >>> 12;
    if (version !== 0) return broken(`Unknown version ${version}`);
    const record = readV1(bytes, at, at + size);
    if (typeof record === "number") return broken(`Err: ${record} in decoding`);
    if (record !== undefined) records.push(record);
    at += (size + 3) & ~3;
  }
  return message;
}

/** A record, undefined for one to be skipped, or the kernel's number for one that spoils all that follow. */
function readV1(bytes: Uint8Array, at: number, end: number): SyncRecord | undefined | number {
  const type = bytes[at] as number;
  const isIpv6 = (type & TYPE_IPV6) !== 0;
  if (!isIpv6 && type !== TYPE_IPV4) return -10;
  const optionsAt = at + (isIpv6 ? V6_RECORD_BYTES : SYNC_RECORD_BYTES[1]);
  if (optionsAt > end) return -20;
  const options = readOptions(bytes, optionsAt, end);
  if (typeof options === "number") return options;
  if (isIpv6 || options === "skip") return undefined;
  return {
    protocol: bytes[at + 1] as number,
    flags: get32(bytes, at + 4),
    state: get16(bytes, at + 8),
    clientPort: get16(bytes, at + 10),
    virtualPort: get16(bytes, at + 12),
    destPort: get16(bytes, at + 14),
    mark: get32(bytes, at + 16),
    timeoutSeconds: get32(bytes, at + 20),
    clientAddress: get32(bytes, at + 24),
    virtualAddress: get32(bytes, at + 28),
    destAddress: get32(bytes, at + 32),
  };
}

/** Options are checked one by one; a record with an engine's data is of no use to a director without engines. */
function readOptions(bytes: Uint8Array, from: number, end: number): "fine" | "skip" | number {
  const seen = new Set<number>();
  for (let at = from; at < end; ) {
    if (at + 2 > end) return -30;
    const type = bytes[at] as number;
    const length = bytes[at + 1] as number;
    at += 2;
    if (length === 0 || at + length > end) return -40;
    const kind = type & ~OPTION_OPTIONAL;
    const isTwice = seen.has(kind);
    if (kind === OPTION_SEQUENCE && (isTwice || length !== V0_SEQUENCE_BYTES)) return -50;
    if (kind === OPTION_ENGINE_DATA && (isTwice || length > ENGINE_DATA_MAX)) return -60;
    if (kind === OPTION_ENGINE_NAME && (isTwice || length > ENGINE_NAME_MAX)) return -70;
    if ((kind < OPTION_SEQUENCE || kind > OPTION_ENGINE_NAME) && (type & OPTION_OPTIONAL) === 0) return "skip";
    seen.add(kind);
    at += length;
  }
  return seen.has(OPTION_ENGINE_DATA) ? "skip" : "fine";
}

function decodeV0(bytes: Uint8Array): DecodedSyncMessage {
  const records: SyncRecord[] = [];
  const message = { version: 0, syncId: bytes[1] as number, records } as const;
  let at = SYNC_HEADER_BYTES[0];
  for (let left = bytes[0] as number; left > 0; left--) {
    if (at + SYNC_RECORD_BYTES[0] > bytes.length) return { ...message, error: "BACKUP v0, bogus conn" };
    const flags = get16(bytes, at + 20);
    const size = SYNC_RECORD_BYTES[0] + ((flags & SYNC_SEQUENCE_MASK) !== 0 ? V0_SEQUENCE_BYTES : 0);
    if (at + size > bytes.length) return { ...message, error: "BACKUP v0, Dropping buffer bogus conn options" };
    records.push({
      protocol: bytes[at + 1] as number,
      flags,
      state: get16(bytes, at + 22),
      clientPort: get16(bytes, at + 2),
      virtualPort: get16(bytes, at + 4),
      destPort: get16(bytes, at + 6),
      mark: 0,
      timeoutSeconds: 0,
      clientAddress: get32(bytes, at + 8),
      virtualAddress: get32(bytes, at + 12),
      destAddress: get32(bytes, at + 16),
    });
    at += size;
  }
  return message;
}
