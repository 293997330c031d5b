/**
 * The public entry point `lvsim/trace`: records of a run, reading and writing them, tables at any time, other formats. docs/TRACE.md has the
 * format field by field. Nothing here needs the simulator.
 */

// Seeing what captures see.
export { type Captured, capturedBy, TimelineClock } from "./captured.ts";
// Writing other formats as records pass: all of them are sinks.
export { CSV_NAMES, type CsvName, CsvSink, type CsvSinkOptions } from "./csv.ts";
// Records in words.
export { describeRecord, describeRewrite, placeOf } from "./describe.ts";
// What records are.
export type * from "./events.ts";
// Finding records, and walking along their causes.
export { type RecordFilter, RecordMatcher } from "./filter.ts";
// Traces as JSON Lines.
export { JsonLinesReader, JsonLinesSink, readTrace, TraceReadError } from "./jsonl.ts";
// Ladders of packets.
export { formatLadder, type LadderOptions, type LadderPart, LadderSink } from "./ladder.ts";
export { CauseIndex, EffectWalk, PacketLife } from "./life.ts";
export { PcapExport, type PcapExportOptions } from "./pcap-export.ts";
export { PcapCapture, PcapSink, type TappedDevice } from "./pcap-sink.ts";
export { PcapngSink, type PcapngSinkOptions } from "./pcapng-sink.ts";
export { RecordReader, TRACE_KINDS } from "./record-reader.ts";
export { headerLine, readHeader, TRACE_FORMAT, TRACE_VERSION, type TraceHeader, type TraceInterface } from "./trace-header.ts";
// Tables.
export type * from "./rows.ts";
export { TABLE_NAMES, withoutAged } from "./rows.ts";
export { type LinkCount, TraceStatistics } from "./statistics.ts";
export type { KeyframeTable, RowChange } from "./table-set.ts";
export { TableFollower, TableTimeline } from "./table-timeline.ts";
export { formatCaptured, formatFrameLine, TimeColumn, type TimeStyle } from "./text.ts";
export { TextSink, type TextSinkOptions } from "./text-sink.ts";
export { MemorySink, type TraceLevel, type TraceSink } from "./tracer.ts";
// Captures, and frames as bytes.
export { decodeEthernet, encodeEthernet } from "../wire/ethernet.ts";
export { decodePcap, encodePcap } from "../wire/pcap.ts";
// Addresses in records are numbers.
export { formatIpv4Address, parseIpv4Address } from "../base/ipv4-address.ts";
export { formatMacAddress, parseMacAddress } from "../base/mac-address.ts";
