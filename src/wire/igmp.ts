/**
 * IGMP: the version 3 report by which a host says that it joined or left a group, as bytes of an IPv4 packet. RFC 3376 section 4.2;
 * Linux v6.1 net/ipv4/igmp.c:igmpv3_send_cr; text as tcpdump's print-igmp.c. Other messages are printed by their type alone.
 */

import type { Ipv4Address } from "../base/ipv4-address.ts";
import { get16, get32, put16, put32 } from "./byte-order.ts";
import { internetChecksum } from "./checksum.ts";
import { type Decoded, decoded, rejected } from "./codec.ts";
import { formatAddress, type PrintOptions } from "./print.ts";

export const IGMP_HEADER_BYTES = 8;
const TYPE_V3_REPORT = 0x22;
const RECORDS_MAX = 128;

export interface IgmpRecord {
  /** 1 is_in, 2 is_ex, 3 to_in, 4 to_ex, 5 allow, 6 block. Joining any source is to_ex without sources, leaving is to_in. */
  readonly type: number;
  readonly group: Ipv4Address;
  readonly sources: readonly Ipv4Address[];
}

export interface IgmpReport {
  readonly records: readonly IgmpRecord[];
}

export function decodeIgmp(bytes: Uint8Array): Decoded<IgmpReport> {
  if (bytes.length < IGMP_HEADER_BYTES) return rejected(`IGMP message of ${bytes.length} bytes, needs ${IGMP_HEADER_BYTES}`);
  if (bytes[0] !== TYPE_V3_REPORT) return rejected(`IGMP type ${bytes[0]}`);
  if (internetChecksum(bytes) !== 0) return rejected("IGMP checksum");
  const count = get16(bytes, 6);
  if (count > RECORDS_MAX) return rejected(`IGMP report of ${count} records`);
  const records: IgmpRecord[] = [];
  let at = IGMP_HEADER_BYTES;
  for (let i = 0; i < count; i++) {
    const sourceCount = at + 8 <= bytes.length ? get16(bytes, at + 2) : 0;
    const end = at + 8 + 4 * sourceCount;
    if (end > bytes.length) return rejected("IGMP report is cut");
    const sources: Ipv4Address[] = [];
    for (let source = at + 8; source < end; source += 4) sources.push(get32(bytes, source));
    records.push({ type: bytes[at] as number, group: get32(bytes, at + 4), sources });
    at = end + 4 * (bytes[at + 1] as number);
  }
  return decoded({ records });
}

export function encodeIgmp(report: IgmpReport): Uint8Array {
  const out = new Uint8Array(report.records.reduce((length, record) => length + 8 + 4 * record.sources.length, IGMP_HEADER_BYTES));
  out[0] = TYPE_V3_REPORT;
  put16(out, 6, report.records.length);
  let at = IGMP_HEADER_BYTES;
  for (const record of report.records) {
    out[at] = record.type;
    put16(out, at + 2, record.sources.length);
    put32(out, at + 4, record.group);
    record.sources.forEach((source, index) => {
      put32(out, at + 8 + 4 * index, source);
    });
    at += 8 + 4 * record.sources.length;
  }
  put16(out, 2, internetChecksum(out));
  return out;
}

const RECORD_NAMES: readonly string[] = ["", "is_in", "is_ex", "to_in", "to_ex", "allow", "block"];
const TYPE_NAMES: ReadonlyMap<number, string> = new Map([
  [0x11, "query"],
  [0x12, "v1 report"],
  [0x16, "v2 report"],
  [0x17, "leave"],
  [TYPE_V3_REPORT, "v3 report"],
]);

/** print-igmp.c:igmp_print. */
export function formatIgmp(bytes: Uint8Array, options: PrintOptions): string {
  if (options.isQuick) return "igmp";
  const report = decodeIgmp(bytes);
  const type = bytes[0] ?? 0;
  if (!report.ok) {
    const group = type === 0x11 || bytes.length < 8 ? "" : ` ${formatAddress(get32(bytes, 4), options)}`;
    return `igmp ${TYPE_NAMES.get(type) ?? `[type 0x${type.toString(16)}]`}${group}`;
  }
  let text = `igmp v3 report, ${report.value.records.length} group record(s)`;
  if (options.verbosity === 0) return text;
  for (const record of report.value.records) {
    text += ` [gaddr ${formatAddress(record.group, options)} ${RECORD_NAMES[record.type] ?? `[v3-report-#${record.type}]`}`;
    if (options.verbosity > 1) text += ` {${record.sources.map((source) => ` ${formatAddress(source, options)}`).join("")} }`;
    else text += `, ${record.sources.length} source(s)`;
    text += "]";
  }
  return text;
}
