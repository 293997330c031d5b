/**
 * Acknowledgments as the sender sees them: what left the network, round-trip samples, SACK, fast retransmit, window updates.
 *
 * Linux v6.1 net/ipv4/tcp_input.c:tcp_ack, tcp_clean_rtx_queue, tcp_sacktag_write_queue, tcp_fastretrans_alert; RFC 5681, RFC 6675.
 * Not modelled: undo, F-RTO.
 */

import { TCP_FIN, TCP_SYN, type TcpSegment } from "../../wire/packet.ts";
import { countSackBlocks, judgeLossProbe } from "./duplicate-sack.ts";
import { predictAgain, uncharge } from "./header-prediction.ts";
import { detectLoss, enterRecovery, noteDelivered } from "./loss-detection.ts";
import { seqAdd, seqAfter, seqBefore } from "./sequence.ts";
import { rearmRetransmit, retransmitLost, scheduleLossProbe, sendAck, syncMss, windowProbeDelay } from "./tcp-output.ts";
import type { TcpConnection } from "./tcp-socket.ts";

const DUPLICATE_THRESHOLD = 3;
const CHALLENGE_INTERVAL_NS = 500_000_000;

/** acceptable: went forward or stayed. old: acknowledges what was acknowledged long ago. invalid: acknowledges what was never sent. */
export type AckVerdict = "acceptable" | "old" | "invalid";

/** Processes the acknowledgment number, window and SACK blocks of a segment (tcp_ack). `isFast`: the segment is as it was predicted. */
export function processAck(conn: TcpConnection, segment: TcpSegment, isFast = false): AckVerdict {
  const ack = segment.ack;
  const { extended } = conn.tcp;
  const priorUna = conn.sndUna;
  if (seqBefore(ack, priorUna)) {
    if (seqBefore(ack, seqAdd(priorUna, -conn.maxWindow))) sendChallengeAck(conn);
    else if (conn.hasSack && segment.options.sack !== undefined) {
      countSackBlocks(conn, segment, priorUna);
      extended.TCPDelivered += tagSacked(conn, segment).count;
    }
    return "old";
  }
  if (seqAfter(ack, conn.sndNxt)) return "invalid";
  const isForward = seqAfter(ack, priorUna);
  if (isFast && isForward) extended.TCPHPAcks++;
  else if (segment.payload.length === 0 && (segment.flags & (TCP_SYN | TCP_FIN)) === 0) extended.TCPPureAcks++;
  const priorInFlight = conn.packetsOut;
  const priorMissing = priorInFlight - conn.sendQueue.sackedCount;
  const hadWindowUpdate = updateWindow(conn, segment, ack);
  if (isForward) {
    conn.sndUna = ack;
    conn.retransmits = 0;
    conn.probesOut = 0;
  }
  if (conn.hasSack) countSackBlocks(conn, segment, priorUna);
  const sacked = conn.hasSack && segment.options.sack !== undefined ? tagSacked(conn, segment) : NOTHING_SACKED;
  const cleaned = isForward ? cleanSent(conn, ack) : NOTHING_CLEANED;
  const isSampled = sampleRoundTrip(conn, segment, cleaned, sacked);
  conn.softError = undefined;
  conn.rcvTimeNs = conn.tcp.host.loop.nowNs;
  judgeLossProbe(conn, ack, isForward || hadWindowUpdate || segment.payload.length > 0 || sacked.count > 0);
  if (priorInFlight === 0) {
    onProbeAnswered(conn);
    if (isForward) conn.isConfirmPending = true;
    return "acceptable";
  }
  if (conn.tlpHighSeq !== 0 && !seqBefore(ack, conn.tlpHighSeq)) conn.tlpHighSeq = 0;
  const isDuplicate = !isForward && !hadWindowUpdate && segment.payload.length === 0;
  const delivered = priorMissing - (conn.packetsOut - conn.sendQueue.sackedCount);
  extended.TCPDelivered += delivered;
  // What was sent after the head was last sent does not extend the wait for the head.
  const isHeadYounger = isSampled && sacked.firstSentNs >= 0 && sacked.firstSentNs < (conn.sendQueue.head?.sentAtNs ?? 0);
  alert(conn, { acked: cleaned.count, newlySacked: sacked.count, isDuplicate, delivered });
  if (isForward || !isDuplicate) conn.isConfirmPending = true;
  if (isForward || isHeadYounger) rearmAfterAck(conn);
  return "acceptable";
}

/** net/ipv4/tcp_input.c:tcp_set_xmit_timer. */
function rearmAfterAck(conn: TcpConnection): void {
  if (conn.retransmitJob === "reorder" && conn.packetsOut > 0) return;
  rearmRetransmit(conn);
  if (conn.packetsOut > 0) scheduleLossProbe(conn, true);
}

/** net/ipv4/tcp_input.c:tcp_ack_update_window. */
function updateWindow(conn: TcpConnection, segment: TcpSegment, ack: number): boolean {
  const window = (segment.flags & TCP_SYN) !== 0 ? segment.window : segment.window << conn.sndWscale;
  const isNewer = seqAfter(ack, conn.sndUna) || seqAfter(segment.seq, conn.sndWl1) || (segment.seq === conn.sndWl1 && (window > conn.sndWnd || window === 0));
  if (!isNewer) return false;
  conn.sndWl1 = segment.seq;
  if (window === conn.sndWnd) return false;
  conn.sndWnd = window;
  conn.predictedWindow = -1;
  predictAgain(conn);
  if (window > conn.maxWindow) {
    conn.maxWindow = window;
    if (conn.pmtuCookie > 0) syncMss(conn, conn.pmtuCookie);
  }
  return true;
}

/** What an acknowledgment number took from the queue. */
interface Cleaned {
  readonly count: number;
  /** When the first and the last of those were sent that were sent once and not known to have arrived; -1 when there are none. */
  readonly firstSentNs: number;
  readonly lastSentNs: number;
  readonly hasRetransmitted: boolean;
}

/** What the SACK blocks of an acknowledgment told for the first time. */
interface Sacked {
  readonly count: number;
  /** When the first and the last of those were sent that were sent once; -1 when there are none. */
  readonly firstSentNs: number;
  readonly lastSentNs: number;
}

const NOTHING_CLEANED: Cleaned = { count: 0, firstSentNs: -1, lastSentNs: -1, hasRetransmitted: false };
const NOTHING_SACKED: Sacked = { count: 0, firstSentNs: -1, lastSentNs: -1 };

/** Drops what was acknowledged from the queue (tcp_clean_rtx_queue). */
function cleanSent(conn: TcpConnection, ack: number): Cleaned {
  const queue = conn.sendQueue;
  let count = 0;
  let firstSentNs = -1;
  let lastSentNs = -1;
  let hasRetransmitted = false;
  for (let sent = queue.acknowledge(ack); sent !== undefined; sent = queue.acknowledge(ack)) {
    count++;
    noteDelivered(conn, sent);
    uncharge(conn, sent.payload.length);
    if (sent.wasEverRetransmitted) hasRetransmitted = true;
    else if (!sent.isSacked) {
      lastSentNs = sent.sentAtNs;
      if (firstSentNs < 0) firstSentNs = lastSentNs;
    }
    if ((sent.flags & TCP_SYN) !== 0) conn.retransmitStampNs = -1;
  }
  return { count, firstSentNs, lastSentNs, hasRetransmitted };
}

/** A round-trip sample, if there is one: it ends the backoff (tcp_ack_update_rtt). */
function sampleRoundTrip(conn: TcpConnection, segment: TcpSegment, cleaned: Cleaned, sacked: Sacked): boolean {
  const now = conn.tcp.host.loop.nowNs;
  let sampleNs = -1;
  let latestNs = -1;
  if (cleaned.firstSentNs >= 0 && !cleaned.hasRetransmitted) {
    sampleNs = now - cleaned.firstSentNs;
    latestNs = now - cleaned.lastSentNs;
  } else if (sacked.firstSentNs >= 0) sampleNs = now - sacked.firstSentNs;
  if (sacked.firstSentNs >= 0) latestNs = now - sacked.lastSentNs;
  // Karn's rule, unless a timestamp tells which transmission was answered.
  const echo = segment.options.timestamps?.echo ?? 0;
  if (sampleNs < 0 && cleaned.count > 0 && echo !== 0) {
    const elapsedMs = (conn.timestampNow() - echo) | 0;
    if (elapsedMs >= 0 && elapsedMs < 600_000) sampleNs = latestNs = Math.max(elapsedMs * 1_000_000, 1_000_000);
  }
  if (sampleNs >= 0) conn.rtt.sample(sampleNs, conn.sndUna, conn.sndNxt, latestNs);
  else if (cleaned.count > 0 && conn.rtt.backoff > 0) conn.rtt.restore();
  return sampleNs >= 0;
}

/** Marks segments that the peer holds (tcp_sacktag_write_queue). */
function tagSacked(conn: TcpConnection, segment: TcpSegment): Sacked {
  const queue = conn.sendQueue;
  let count = 0;
  let firstSentNs = -1;
  let lastSentNs = -1;
  for (const [left, right] of segment.options.sack ?? []) {
    if (!seqAfter(right, conn.sndUna) || seqAfter(right, conn.sndNxt)) continue;
    for (let i = 0; i < queue.inFlightCount; i++) {
      const sent = queue.segment(i);
      if (sent === undefined || !seqBefore(sent.seq, right)) break;
      if (sent.isSacked || seqBefore(sent.seq, left) || seqAfter(sent.endSeq, right)) continue;
      queue.markSacked(sent);
      noteDelivered(conn, sent);
      count++;
      if (sent.wasEverRetransmitted) continue;
      lastSentNs = sent.sentAtNs;
      if (firstSentNs < 0) firstSentNs = lastSentNs;
    }
  }
  return { count, firstSentNs, lastSentNs };
}

/** What an acknowledgment told, in segments. */
interface AckNews {
  readonly acked: number;
  readonly newlySacked: number;
  readonly isDuplicate: boolean;
  /** Acknowledged or selectively acknowledged for the first time. */
  readonly delivered: number;
}

/** The state machine of loss recovery (tcp_fastretrans_alert). */
function alert(conn: TcpConnection, news: AckNews): void {
  const { acked, newlySacked, isDuplicate } = news;
  const congestion = conn.congestion;
  const queue = conn.sendQueue;
  if (acked > 0) conn.duplicateAcks = 0;
  else if (isDuplicate || newlySacked > 0) conn.duplicateAcks++;
  if (congestion.state === "Recovery" || congestion.state === "Loss") {
    if (!seqBefore(conn.sndUna, congestion.recoverySeq)) {
      congestion.recovered();
      conn.retransmitStampNs = -1;
    }
  } else if (congestion.state === "Disorder" && queue.sackedCount === 0 && acked > 0) congestion.state = "Open";
  const loss = conn.hasSack ? detectLoss(conn) : "none";
  const isLossSeen = conn.hasSack ? loss !== "none" : conn.duplicateAcks >= DUPLICATE_THRESHOLD;
  // Who lost a retransmission starts over with fast recovery.
  if (congestion.state === "Open" || congestion.state === "Disorder" || (congestion.state === "Loss" && loss === "again")) {
    if (isLossSeen) {
      enterRecovery(conn);
      const head = queue.head;
      if (head !== undefined && !conn.hasSack) queue.markLost(head);
    } else if (queue.sackedCount > 0 || conn.duplicateAcks > 0) congestion.state = "Disorder";
    else if (acked > 0) congestion.onAck(acked, conn.isWindowLimited);
  } else {
    // NewReno: a partial acknowledgment means that the next segment is lost too.
    const head = queue.head;
    if (!conn.hasSack && acked > 0 && head !== undefined && !head.isRetransmitted) queue.markLost(head);
    if (congestion.state === "Loss" && acked > 0) congestion.onAck(acked, true);
  }
  // Without SACK a duplicate stands for one segment that has arrived.
  congestion.reduce(conn.hasSack ? news.delivered : Math.max(news.delivered, isDuplicate ? 1 : 0), queue.networkCount, acked > 0 && !isLossSeen);
  retransmitLost(conn);
}

/** net/ipv4/tcp_input.c:tcp_ack_probe. */
function onProbeAnswered(conn: TcpConnection): void {
  if (conn.sndNxt === conn.writeSeq) return;
  const queue = conn.sendQueue;
  const next = Math.min(queue.unsentBytes, conn.mssCache);
  if (!seqAfter(seqAdd(conn.sndNxt, next), seqAdd(conn.sndUna, conn.sndWnd))) {
    conn.rtt.backoff = 0;
    conn.probesOut = 0;
    if (conn.retransmitJob === "window-probe") conn.disarmRetransmit();
  } else conn.armRetransmit("window-probe", windowProbeDelay(conn));
}

/** RFC 5961: proves to a peer in doubt where this end stands; at most twice a second for a connection. */
export function sendChallengeAck(conn: TcpConnection): void {
  const now = conn.tcp.host.loop.nowNs;
  if (conn.lastChallengeNs >= 0 && now - conn.lastChallengeNs < CHALLENGE_INTERVAL_NS) {
    conn.tcp.extended.TCPACKSkippedChallenge++;
    return;
  }
  conn.lastChallengeNs = now;
  conn.tcp.extended.TCPChallengeACK++;
  sendAck(conn);
}
