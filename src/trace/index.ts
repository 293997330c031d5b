/**
 * Public entry point `lvsim/trace`: records of a run, and what can be made of them. Re-exports only.
 */

// What a record is.
export type {
  ArpDecision,
  CommandEnded,
  CommandStarted,
  DropReason,
  FrameDropped,
  FrameReceived,
  FrameSent,
  IpvsConnectionChanged,
  LinkChanged,
  LogLine,
  NeighbourChanged,
  NetfilterVerdict,
  PacketDecapsulated,
  PacketDropped,
  PacketEncapsulated,
  PacketPassed,
  PacketRewritten,
  RouteChosen,
  ScheduleCandidate,
  Scheduled,
  SysctlChanged,
  TableChanged,
  TcpStateChanged,
  TraceEvent,
  TraceKind,
} from "./events.ts";
// To receive records from a run.
export { MemorySink, type TraceLevel, type TraceSink } from "./tracer.ts";
// Pictures and lines.
export { describePacket, formatLadder, type LadderOptions, type LadderPart, LadderSink } from "./ladder.ts";
export { formatCaptured, formatFrameLine } from "./text.ts";
// Captures.
export { PcapCapture, PcapSink, type TappedDevice } from "./pcap-sink.ts";
export { decodePcap, encodePcap } from "../wire/pcap.ts";
export { decodeEthernet, encodeEthernet } from "../wire/ethernet.ts";
// Addresses in records are numbers.
export { formatIpv4Address, parseIpv4Address } from "../base/ipv4-address.ts";
export { formatMacAddress, parseMacAddress } from "../base/mac-address.ts";
