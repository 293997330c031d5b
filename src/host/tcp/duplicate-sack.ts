/**
 * What SACK blocks tell beside which segments have arrived: segments that came twice, and blocks that make no sense. They are counted only.
 *
 * Linux v6.1 net/ipv4/tcp_input.c (tcp_check_dsack, tcp_dsack_seen, tcp_is_sackblock_valid, tcp_sacktag_write_queue, tcp_process_tlp_ack);
 * RFC 2883.
 */

import type { TcpSegment } from "../../wire/packet.ts";
import { seqAfter, seqBefore } from "./sequence.ts";
import type { TcpConnection } from "./tcp-socket.ts";

/** none: no duplicate was told. probe: that of a loss probe. other: another one. */
type Duplicate = "none" | "probe" | "other";

/** Counts what the blocks of an acknowledgment tell. `priorUna`: what had been acknowledged before. */
export function countSackBlocks(conn: TcpConnection, segment: TcpSegment, priorUna: number): void {
  const blocks = segment.options.sack;
  if (blocks === undefined) return;
  const { extended } = conn.tcp;
  const duplicate = findDuplicate(conn, segment, blocks);
  if (duplicate === "probe") conn.tlpRepeatEnd = 0;
  if (conn.packetsOut === 0) return;
  for (let i = 0; i < blocks.length; i++) {
    const [left, right] = blocks[i] as readonly [number, number];
    const isDuplicate = i === 0 && duplicate !== "none";
    if (isValid(conn, left, right, isDuplicate)) continue;
    if (isDuplicate) {
      if (conn.undoMarker < 0) extended.TCPDSACKIgnoredNoUndo++;
      else extended.TCPDSACKIgnoredOld++;
    } else if (segment.ack === conn.sndUna || seqAfter(right, conn.sndUna)) {
      // Old blocks of acknowledgments that were overtaken are no fault.
      if (!seqBefore(segment.ack, priorUna)) extended.TCPSACKDiscard++;
    }
  }
}

function findDuplicate(conn: TcpConnection, segment: TcpSegment, blocks: readonly (readonly [number, number])[]): Duplicate {
  const { extended } = conn.tcp;
  const first = blocks[0];
  const second = blocks[1];
  if (first === undefined) return "none";
  const [left, right] = first;
  if (seqBefore(left, segment.ack)) extended.TCPDSACKRecv++;
  else if (second !== undefined && !seqAfter(right, second[1]) && !seqBefore(left, second[0])) extended.TCPDSACKOfoRecv++;
  else return "none";
  const length = (right - left) | 0;
  const isSane = length > 0 && length <= conn.maxWindow;
  const segments = length > conn.mssCache ? Math.ceil(length / conn.mssCache) : 1;
  if (isSane) conn.duplicatesTold += segments;
  // More duplicates than were sent again: the network made them.
  if (!isSane || conn.duplicatesTold > conn.totalRetransmits) {
    extended.TCPDSACKIgnoredDubious++;
    return "none";
  }
  extended.TCPDSACKRecvSegs += segments;
  return segments === 1 && conn.tlpRepeatEnd !== 0 && conn.tlpRepeatEnd === right ? "probe" : "other";
}

/** net/ipv4/tcp_input.c:tcp_is_sackblock_valid. */
function isValid(conn: TcpConnection, left: number, right: number, isDuplicate: boolean): boolean {
  if (seqAfter(right, conn.sndNxt) || !seqBefore(left, right) || !seqBefore(left, conn.sndNxt)) return false;
  if (seqAfter(left, conn.sndUna)) return true;
  if (!isDuplicate || conn.undoMarker < 0 || seqAfter(right, conn.sndUna)) return false;
  if (!seqBefore(left, conn.undoMarker)) return true;
  return seqAfter(right, conn.undoMarker) && ((right - left) | 0) <= conn.maxWindow;
}

/** Whether what a loss probe sent again was missing (tcp_process_tlp_ack). `isNews`: the acknowledgment was no bare duplicate. */
export function judgeLossProbe(conn: TcpConnection, ack: number, isNews: boolean): void {
  const end = conn.tlpRepeatEnd;
  if (end === 0 || seqBefore(ack, end)) return;
  if (seqAfter(ack, end)) {
    conn.tcp.extended.TCPLossProbeRecovery++;
    conn.tlpRepeatEnd = 0;
  } else if (!isNews) conn.tlpRepeatEnd = 0;
}
