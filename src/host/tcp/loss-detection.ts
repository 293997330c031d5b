/**
 * Which segments in flight are lost: those sent before one that has arrived, once reordering cannot explain it.
 *
 * RFC 8985 (RACK), Linux v6.1 net/ipv4/tcp_recovery.c:tcp_rack_detect_loss, tcp_rack_advance, tcp_rack_reo_timeout. The reordering window does
 * not adapt to reordering that was seen.
 */

import { NS_PER_MS } from "../../base/time.ts";
import type { SentSegment } from "./send-queue.ts";
import { seqAfter } from "./sequence.ts";
import { rearmRetransmit, retransmitLost } from "./tcp-output.ts";
import type { TcpConnection } from "./tcp-socket.ts";

const DUPLICATE_THRESHOLD = 3;
/** The reordering timer waits at least so long (TCP_TIMEOUT_MIN_US). */
const TIMEOUT_MIN_NS = 2 * NS_PER_MS;

/** A segment has arrived at the peer (tcp_rack_advance). */
export function noteDelivered(conn: TcpConnection, segment: SentSegment): void {
  const rttNs = conn.tcp.host.loop.nowNs - segment.sentAtNs;
  // An answer sooner than any before was to the first transmission, not to this one.
  if (segment.wasEverRetransmitted && rttNs < conn.rtt.minNs) return;
  if (segment.sentAtNs < conn.rackSentNs || (segment.sentAtNs === conn.rackSentNs && !seqAfter(segment.endSeq, conn.rackEndSeq))) return;
  conn.rackSentNs = segment.sentAtNs;
  conn.rackEndSeq = segment.endSeq;
  conn.rackRttNs = rttNs;
}

/** What is newly known to be lost; `again`: a retransmission too. */
export type LossNews = "none" | "lost" | "again";

/** Marks lost segments. Arms the reordering timer when time has yet to tell. */
export function detectLoss(conn: TcpConnection): LossNews {
  const queue = conn.sendQueue;
  if (queue.sackedCount === 0 && conn.congestion.state === "Open") return "none";
  if (conn.rackSentNs < 0) return "none";
  const now = conn.tcp.host.loop.nowNs;
  const window = reorderingWindow(conn);
  let news: LossNews = "none";
  let waitNs = 0;
  for (let i = 0; i < queue.inFlightCount; i++) {
    const segment = queue.segment(i);
    if (segment === undefined) break;
    if (segment.isSacked || (segment.isLost && !segment.isRetransmitted)) continue;
    if (segment.sentAtNs > conn.rackSentNs || (segment.sentAtNs === conn.rackSentNs && !seqAfter(conn.rackEndSeq, segment.endSeq))) continue;
    const remainingNs = segment.sentAtNs + conn.rackRttNs + window - now;
    if (remainingNs <= 0) {
      if (segment.isRetransmitted) news = "again";
      else if (news === "none") news = "lost";
      if (queue.markLost(segment)) conn.tcp.extended.TCPLostRetransmit++;
    } else if (remainingNs > waitNs) waitNs = remainingNs;
  }
  if (waitNs > 0) conn.armRetransmit("reorder", waitNs + TIMEOUT_MIN_NS);
  return news;
}

/** net/ipv4/tcp_recovery.c:tcp_rack_reo_wnd. */
function reorderingWindow(conn: TcpConnection): number {
  if (conn.congestion.state === "Recovery" || conn.congestion.state === "Loss" || conn.sendQueue.sackedCount >= DUPLICATE_THRESHOLD) return 0;
  return Math.min(Math.trunc(conn.rtt.minNs / 4), conn.rtt.smoothedNs);
}

/** net/ipv4/tcp_input.c:tcp_enter_recovery. */
export function enterRecovery(conn: TcpConnection): void {
  if (conn.hasSack) conn.tcp.extended.TCPSackRecovery++;
  else conn.tcp.extended.TCPRenoRecovery++;
  conn.tlpRepeatEnd = 0;
  conn.undoMarker = conn.sndUna;
  conn.congestion.enterRecovery(conn.sndNxt);
}

export function onReorderTimer(conn: TcpConnection): void {
  if (detectLoss(conn) !== "none") {
    if (conn.congestion.state === "Open" || conn.congestion.state === "Disorder") {
      enterRecovery(conn);
      conn.congestion.reduce(1, conn.sendQueue.networkCount, false);
    }
    retransmitLost(conn);
  }
  if (conn.retransmitJob === "none") rearmRetransmit(conn);
}
