/**
 * TCP input for connections: what each state does with a segment.
 *
 * Linux v6.1 net/ipv4/tcp_input.c:tcp_rcv_established, tcp_rcv_state_process, tcp_validate_incoming; RFC 9293 section 3.10.7, RFC 5961, RFC 7323.
 */

import { NS_PER_SECOND } from "../../base/time.ts";
import { TCP_ACK, TCP_FIN, TCP_PSH, TCP_RST, TCP_SYN, type TcpSegment } from "../../wire/packet.ts";
import { INITIAL_WINDOW_SEGMENTS, THRESHOLD_INFINITE } from "./congestion.ts";
import { chargeReceived, isPredicted, predict, predictAgain } from "./header-prediction.ts";
import { TCP_MSS_DEFAULT } from "./limits.ts";
import { seqAdd, seqAfter, seqBefore } from "./sequence.ts";
import { processAck, sendChallengeAck } from "./tcp-ack.ts";
import { ATO_MIN_NS, receiveSpace, receiveWindow, selectWindow, sendAck, sendDelayedAck, sendFin, sendSynAck, syncMss, writeQueue } from "./tcp-output.ts";
import type { TcpConnection } from "./tcp-socket.ts";

const QUICK_ACKS_MAX = 16;
const PAWS_24_DAYS_NS = 24 * 24 * 3600 * NS_PER_SECOND;
const OUT_OF_WINDOW_INTERVAL_NS = 500_000_000;
export const TIME_WAIT_NS = 60 * NS_PER_SECOND;

/** done: handled. reset: the caller must answer with RST. discard: dropped for `why`. */
export type InputVerdict = "done" | "reset" | "discard";

export function segmentEnd(segment: TcpSegment): number {
  const extra = ((segment.flags & TCP_SYN) !== 0 ? 1 : 0) + ((segment.flags & TCP_FIN) !== 0 ? 1 : 0);
  return seqAdd(segment.seq, segment.payload.length + extra);
}

/** One segment for a connection that is past SYN_RECV of a listener. */
export function receiveSegment(conn: TcpConnection, segment: TcpSegment): InputVerdict {
  if (conn.state === "CLOSE") return "discard";
  conn.clockNs = conn.tcp.host.loop.nowNs;
  if (conn.state === "SYN_SENT") return receiveInSynSent(conn, segment);
  const isFast = isPredicted(conn, segment);
  if (isFast && segment.payload.length > 0) conn.tcp.extended.TCPHPHits++;
  const verdict = validate(conn, segment);
  if (verdict !== undefined) return verdict;
  if ((segment.flags & TCP_ACK) === 0) return "discard";
  return receiveValid(conn, segment, isFast);
}

/* ----------------------------------------------------------------------------------------------------------- SYN_SENT */

/** net/ipv4/tcp_input.c:tcp_rcv_synsent_state_process. */
function receiveInSynSent(conn: TcpConnection, segment: TcpSegment): InputVerdict {
  const flags = segment.flags;
  if ((flags & TCP_ACK) !== 0) {
    if (!seqAfter(segment.ack, conn.sndUna) || seqAfter(segment.ack, conn.sndNxt)) {
      // The peer still has an older connection of these ports: reset that one, then ask again soon.
      if (conn.retransmits === 0) conn.armRetransmit("retransmit", 2 * conn.tcp.tickNs);
      return "reset";
    }
    const echo = segment.options.timestamps?.echo ?? 0;
    if (conn.hasTimestamps && echo !== 0 && ((conn.timestampNow() - echo) | 0) < 0) {
      conn.tcp.extended.PAWSActive++;
      return "reset";
    }
    if ((flags & TCP_RST) !== 0) {
      conn.fail("ECONNREFUSED");
      return "done";
    }
    if ((flags & TCP_SYN) === 0) return "discard";
    acceptSynOptions(conn, segment);
    conn.sndWl1 = segment.seq;
    conn.sndWnd = segment.window;
    conn.maxWindow = segment.window;
    processAck(conn, segment);
    syncMss(conn, conn.tcp.routeOf(conn)?.mtu ?? 1500);
    initReceiveMss(conn);
    establish(conn);
    if (conn.sndWscale === 0) predict(conn);
    else conn.predictedWindow = -1;
    sendAck(conn);
    if (conn.isFinQueued) finishEarlyClose(conn);
    writeQueue(conn, false);
    return "done";
  }
  if ((flags & TCP_RST) !== 0 || (flags & TCP_SYN) === 0) return "discard";
  // Simultaneous open: both ends said SYN.
  acceptSynOptions(conn, segment);
  conn.sndWl1 = segment.seq;
  conn.sndWnd = segment.window;
  conn.maxWindow = segment.window;
  syncMss(conn, conn.tcp.routeOf(conn)?.mtu ?? 1500);
  initReceiveMss(conn);
  conn.setState("SYN_RECV");
  sendSynAck(conn);
  return "done";
}

/** A close or half close before the handshake was over: FIN follows it. */
function finishEarlyClose(conn: TcpConnection): void {
  conn.isFinQueued = false;
  conn.setState("FIN_WAIT1");
  sendFin(conn);
}

/** Takes over what the peer's SYN says; both ends use only what both offered. */
export function acceptSynOptions(conn: TcpConnection, segment: TcpSegment): void {
  const options = segment.options;
  conn.irs = segment.seq;
  conn.rcvNxt = seqAdd(segment.seq, 1);
  conn.rcvWup = conn.rcvNxt;
  conn.lastAckSent = conn.rcvNxt;
  conn.mssClamp = options.mss === undefined || options.mss === 0 ? TCP_MSS_DEFAULT : options.mss;
  conn.hasTimestamps = conn.hasTimestamps && options.timestamps !== undefined;
  conn.hasSack = conn.hasSack && options.sackPermitted === true;
  conn.hasWindowScale = conn.hasWindowScale && options.windowScale !== undefined;
  if (conn.hasWindowScale) conn.sndWscale = Math.min(options.windowScale ?? 0, 14);
  else {
    conn.sndWscale = 0;
    conn.rcvWscale = 0;
    conn.windowClamp = Math.min(conn.windowClamp, 0xffff);
  }
  if (conn.hasTimestamps && options.timestamps !== undefined) storeTimestamp(conn, options.timestamps.value);
}

export function initReceiveMss(conn: TcpConnection): void {
  const hint = Math.min(conn.advertisedMss, conn.mssCache);
  conn.receiveMss = Math.max(Math.min(hint, conn.rcvWnd >>> 1, TCP_MSS_DEFAULT), 88);
}

/** The handshake is over on this side. */
export function establish(conn: TcpConnection): void {
  const now = conn.tcp.host.loop.nowNs;
  conn.lastReceivedNs = now;
  conn.rcvTimeNs = now;
  conn.copiedMarkNs = now;
  if (conn.hasTimestamps) conn.advertisedMss -= 12;
  // One segment of the buffer is kept back (tcp_init_buffer_space).
  conn.windowClamp = Math.max(Math.min(conn.windowClamp, (conn.receiveBufferBytes >>> 1) - conn.advertisedMss), 2 * conn.advertisedMss);
  conn.rcvThreshold = Math.min(conn.rcvThreshold, conn.windowClamp);
  conn.copiedSpace = Math.min(conn.rcvThreshold, conn.rcvWnd, INITIAL_WINDOW_SEGMENTS * conn.advertisedMss);
  // A handshake that needed more than one retransmission speaks against ten segments at once; no sample, against a short timeout.
  conn.congestion.window = conn.totalRetransmits > 1 ? 1 : INITIAL_WINDOW_SEGMENTS;
  conn.congestion.threshold = THRESHOLD_INFINITE;
  conn.congestion.recovered();
  conn.retransmits = 0;
  if (conn.rtt.smoothedNs === 0) conn.rtt.fallBack();
  conn.setState("ESTABLISHED");
  if (conn.keepAlive !== undefined) conn.armSlowTimer(conn.keepAlive.idleNs);
}

/* --------------------------------------------------------------------------------------------------------- validation */

/** PAWS, sequence, RST and SYN checks (tcp_validate_incoming); undefined when the segment may go on. */
function validate(conn: TcpConnection, segment: TcpSegment): InputVerdict | undefined {
  const flags = segment.flags;
  const isRst = (flags & TCP_RST) !== 0;
  const { extended } = conn.tcp;
  if (conn.hasTimestamps && isOldDuplicate(conn, segment) && !isRst) {
    if ((flags & TCP_SYN) !== 0) challengeSyn(conn);
    else {
      extended.PAWSEstab++;
      if (isAnswerDue(conn, segment)) sendDuplicateAck(conn, segment);
      else extended.TCPACKSkippedPAWS++;
    }
    return "discard";
  }
  const end = segmentEnd(segment);
  if (seqBefore(end, conn.rcvWup) || seqAfter(segment.seq, seqAdd(conn.rcvNxt, receiveWindow(conn)))) {
    if (isRst) {
      if (isResetOfClosedPeer(conn, segment)) return reset(conn);
    } else if ((flags & TCP_SYN) !== 0) challengeSyn(conn);
    else if (isAnswerDue(conn, segment)) sendDuplicateAck(conn, segment);
    else extended.TCPACKSkippedSeq++;
    return "discard";
  }
  if (isRst) {
    if (segment.seq === conn.rcvNxt || isResetOfClosedPeer(conn, segment) || isAtSackEdge(conn, segment)) return reset(conn);
    sendChallengeAck(conn);
    return "discard";
  }
  if ((flags & TCP_SYN) !== 0) {
    challengeSyn(conn);
    return "discard";
  }
  return undefined;
}

function challengeSyn(conn: TcpConnection): void {
  if (conn.state === "ESTABLISHED") conn.tcp.counters.InErrs++;
  conn.tcp.extended.TCPSYNChallenge++;
  sendChallengeAck(conn);
}

/** net/ipv4/tcp_input.c:tcp_paws_discard. */
function isOldDuplicate(conn: TcpConnection, segment: TcpSegment): boolean {
  const timestamps = segment.options.timestamps;
  if (timestamps === undefined || conn.tsRecentStampNs < 0) return false;
  if (((conn.tsRecent - timestamps.value) | 0) <= 0) return false;
  if (conn.tcp.host.loop.nowNs - conn.tsRecentStampNs >= PAWS_24_DAYS_NS) return false;
  // A pure acknowledgment that overtook another is no old duplicate (tcp_disordered_ack).
  const isPureAck = segment.payload.length === 0 && (segment.flags & (TCP_SYN | TCP_FIN)) === 0 && segment.seq === conn.rcvNxt;
  return !(isPureAck && segment.ack === conn.sndUna);
}

function isResetOfClosedPeer(conn: TcpConnection, segment: TcpSegment): boolean {
  return segment.seq === seqAdd(conn.rcvNxt, 0xffffffff) && (conn.state === "CLOSE_WAIT" || conn.state === "LAST_ACK" || conn.state === "CLOSING");
}

/** With a gap, the peer's RST may carry the highest sequence number that it sent. */
function isAtSackEdge(conn: TcpConnection, segment: TcpSegment): boolean {
  if (!conn.hasSack) return false;
  let edge = conn.rcvNxt;
  for (const block of conn.receiveQueue.blocks) if (seqAfter(block[1], edge)) edge = block[1];
  return edge !== conn.rcvNxt && segment.seq === edge;
}

/** net/ipv4/tcp_input.c:tcp_reset. */
function reset(conn: TcpConnection): InputVerdict {
  if (conn.state === "SYN_SENT") conn.fail("ECONNREFUSED");
  else if (conn.state === "CLOSE_WAIT") conn.fail("EPIPE");
  else conn.fail("ECONNRESET");
  return "done";
}

/** Duplicates without data are answered at most twice a second (tcp_oow_rate_limited). */
function isAnswerDue(conn: TcpConnection, segment: TcpSegment): boolean {
  if (segment.payload.length > 0 || (segment.flags & TCP_SYN) !== 0) return true;
  const now = conn.tcp.host.loop.nowNs;
  if (conn.lastOutOfWindowNs >= 0 && now - conn.lastOutOfWindowNs < OUT_OF_WINDOW_INTERVAL_NS) return false;
  conn.lastOutOfWindowNs = now;
  return true;
}

/** net/ipv4/tcp_input.c:tcp_send_dupack. */
function sendDuplicateAck(conn: TcpConnection, segment: TcpSegment): void {
  const end = segmentEnd(segment);
  if (end !== segment.seq && seqBefore(segment.seq, conn.rcvNxt)) {
    conn.tcp.extended.DelayedACKLost++;
    enterQuickAck(conn);
    noteRepeated(conn, segment.seq);
    tellDuplicate(conn, segment.seq, seqAfter(end, conn.rcvNxt) ? conn.rcvNxt : end);
  }
  sendAck(conn);
}

/** The same segment again and again: our acknowledgments go astray, and another way is tried (tcp_rcv_spurious_retrans). */
function noteRepeated(conn: TcpConnection, seq: number): void {
  if (seq === conn.duplicateSeq) conn.tcp.extended.TcpDuplicateDataRehash++;
}

/** net/ipv4/tcp_input.c:tcp_dsack_set. */
function tellDuplicate(conn: TcpConnection, seq: number, end: number): void {
  if (!conn.hasSack) return;
  if (seqBefore(seq, conn.rcvNxt)) conn.tcp.extended.TCPDSACKOldSent++;
  else conn.tcp.extended.TCPDSACKOfoSent++;
  conn.duplicate = [seq, end];
  conn.duplicateSeq = seq;
}

/** Remembers the timestamp to echo (tcp_replace_ts_recent). */
function updateTimestamp(conn: TcpConnection, segment: TcpSegment): void {
  const timestamps = segment.options.timestamps;
  if (timestamps === undefined || seqAfter(segment.seq, conn.lastAckSent)) return;
  if (((timestamps.value - conn.tsRecent) | 0) >= 0) storeTimestamp(conn, timestamps.value);
}

export function storeTimestamp(conn: TcpConnection, value: number): void {
  conn.tsRecent = value;
  conn.tsRecentStampNs = conn.tcp.host.loop.nowNs;
}

/* ------------------------------------------------------------------------------------------------- established and after */

function receiveValid(conn: TcpConnection, segment: TcpSegment, isFast: boolean): InputVerdict {
  if (conn.hasTimestamps) updateTimestamp(conn, segment);
  const ack = processAck(conn, segment, isFast);
  if (conn.state === "SYN_RECV") {
    if (ack !== "acceptable") return "reset";
    completeSynRecv(conn, segment);
  } else if (ack === "invalid") {
    if (conn.state !== "ESTABLISHED") sendChallengeAck(conn);
    return "discard";
  }
  conn.rcvTimeNs = conn.tcp.host.loop.nowNs;
  const verdict = afterAck(conn, segment);
  if (verdict !== undefined) return verdict;
  if (!receiveText(conn, segment)) return "reset";
  if (conn.state === "CLOSE") return "done";
  writeQueue(conn, false);
  ackIfNeeded(conn);
  return "done";
}

/** The third segment of a handshake has come (simultaneous open, or a connection that has just left its listener). */
export function completeSynRecv(conn: TcpConnection, segment: TcpSegment): void {
  conn.sndUna = segment.ack;
  conn.sndWnd = segment.window << conn.sndWscale;
  conn.sndWl1 = segment.seq;
  conn.maxWindow = Math.max(conn.maxWindow, conn.sndWnd);
  syncMss(conn, conn.tcp.routeOf(conn)?.mtu ?? 1500);
  initReceiveMss(conn);
  establish(conn);
  predict(conn);
}

/** What the acknowledgment of our FIN does. */
function afterAck(conn: TcpConnection, segment: TcpSegment): InputVerdict | undefined {
  const isFinAcked = conn.isFinQueued && conn.sndUna === conn.writeSeq;
  if (!isFinAcked) return undefined;
  switch (conn.state) {
    case "FIN_WAIT1": {
      conn.setState("FIN_WAIT2");
      conn.isConfirmPending = true;
      if (!conn.isOrphan) return undefined;
      const end = segmentEnd(segment);
      const isFin = (segment.flags & TCP_FIN) !== 0;
      if (end !== segment.seq && seqAfter(isFin ? end - 1 : end, conn.rcvNxt)) {
        conn.tcp.extended.TCPAbortOnData++;
        conn.die();
        return "reset";
      }
      if (isFin) return undefined;
      conn.tcp.leaveOrphanInFinWait2(conn);
      return "done";
    }
    case "CLOSING":
      conn.tcp.enterTimeWait(conn);
      return "done";
    case "LAST_ACK":
      conn.die();
      return "done";
    default:
      return undefined;
  }
}

/** Data and FIN (tcp_data_queue, and the checks of tcp_rcv_state_process before it). False: data came for a socket that nobody reads any more. */
function receiveText(conn: TcpConnection, segment: TcpSegment): boolean {
  const end = segmentEnd(segment);
  const isFin = (segment.flags & TCP_FIN) !== 0;
  switch (conn.state) {
    case "CLOSE_WAIT":
    case "CLOSING":
    case "LAST_ACK":
      if (!seqBefore(segment.seq, conn.rcvNxt)) return true;
      break;
    case "FIN_WAIT1":
    case "FIN_WAIT2":
      if (conn.isReceiveShutdown && end !== segment.seq && seqAfter(isFin ? seqAdd(end, 0xffffffff) : end, conn.rcvNxt)) {
        conn.tcp.extended.TCPAbortOnData++;
        conn.die();
        return false;
      }
      break;
    default:
      break;
  }
  if (end !== segment.seq) queueText(conn, segment, end, isFin);
  return true;
}

function queueText(conn: TcpConnection, segment: TcpSegment, end: number, isFin: boolean): void {
  if (seqAfter(segment.seq, conn.rcvNxt)) {
    queueEarly(conn, segment, end, isFin);
    return;
  }
  if (!seqAfter(end, conn.rcvNxt)) {
    // A retransmission: our acknowledgment was lost.
    conn.tcp.extended.DelayedACKLost++;
    noteRepeated(conn, segment.seq);
    tellDuplicate(conn, segment.seq, end);
    enterQuickAck(conn);
    conn.ackPending = true;
    return;
  }
  const room = receiveWindow(conn);
  if (room === 0 || conn.receiveQueue.chargedBytes > conn.receiveBufferBytes) {
    if (room === 0) conn.tcp.extended.TCPZeroWindowDrop++;
    else conn.tcp.extended.TCPRcvQDrop++;
    enterQuickAck(conn);
    conn.ackPending = true;
    return;
  }
  const skip = (conn.rcvNxt - segment.seq) | 0;
  chargeReceived(conn, segment.payload.length);
  conn.receiveQueue.push(skip === 0 ? segment.payload : segment.payload.subarray(skip));
  conn.rcvNxt = end;
  dataReceived(conn, segment);
  let hasFin = isFin;
  if (conn.receiveQueue.hasGap) {
    const drained = conn.receiveQueue.drainEarly(conn.rcvNxt);
    conn.rcvNxt = drained.rcvNxt;
    hasFin ||= drained.isFin;
    if (!conn.receiveQueue.hasGap) conn.isAckNow = true;
  }
  predictAgain(conn);
  if (hasFin) receiveFin(conn);
}

/** net/ipv4/tcp_input.c:tcp_data_queue_ofo. */
function queueEarly(conn: TcpConnection, segment: TcpSegment, end: number, isFin: boolean): void {
  conn.ackPending = true;
  conn.isAckNow = true;
  if (seqAfter(segment.seq, seqAdd(conn.rcvNxt, receiveWindow(conn)))) return;
  if (conn.receiveQueue.chargedBytes > conn.receiveBufferBytes) {
    conn.tcp.extended.TCPOFODrop++;
    return;
  }
  conn.predictedWindow = -1;
  conn.tcp.extended.TCPOFOQueue++;
  chargeReceived(conn, segment.payload.length);
  if (!conn.receiveQueue.pushEarly(segment.seq, end, segment.payload, isFin)) conn.tcp.extended.TCPOFOMerge++;
}

/** net/ipv4/tcp_input.c:tcp_event_data_recv with tcp_measure_rcv_mss and tcp_grow_window. */
function dataReceived(conn: TcpConnection, segment: TcpSegment): void {
  const length = segment.payload.length;
  conn.ackPending = true;
  if (length >= conn.receiveMss) conn.receiveMss = Math.min(length, conn.advertisedMss);
  else if (length > 0 && (segment.flags & TCP_PSH) !== 0) conn.ackPushed++;
  const now = conn.tcp.host.loop.nowNs;
  if (conn.atoNs === 0) {
    increaseQuickAcks(conn);
    conn.atoNs = ATO_MIN_NS;
  } else {
    const gap = now - conn.lastReceivedNs;
    if (gap <= ATO_MIN_NS / 2) conn.atoNs = Math.trunc(conn.atoNs / 2) + ATO_MIN_NS / 2;
    else if (gap < conn.atoNs) conn.atoNs = Math.min(Math.trunc(conn.atoNs / 2) + gap, conn.rtt.rtoNs);
    else if (gap > conn.rtt.rtoNs) increaseQuickAcks(conn);
  }
  conn.lastReceivedNs = now;
  if (length >= 128 && conn.rcvThreshold < conn.windowClamp && conn.rcvThreshold < receiveSpace(conn)) {
    conn.rcvThreshold = Math.min(conn.rcvThreshold + 2 * conn.advertisedMss, conn.windowClamp);
  }
}

function increaseQuickAcks(conn: TcpConnection): void {
  const acks = Math.min(Math.max(Math.trunc(conn.rcvWnd / (2 * conn.receiveMss)), 2), QUICK_ACKS_MAX);
  if (acks > conn.quickAcks) conn.quickAcks = acks;
}

function enterQuickAck(conn: TcpConnection): void {
  increaseQuickAcks(conn);
  conn.isPingPong = false;
  conn.atoNs = ATO_MIN_NS;
}

/** net/ipv4/tcp_input.c:tcp_fin. */
function receiveFin(conn: TcpConnection): void {
  conn.ackPending = true;
  conn.isFinReceived = true;
  conn.isReceiveShutdown = true;
  conn.receiveQueue.clearEarly();
  switch (conn.state) {
    case "SYN_RECV":
    case "ESTABLISHED":
      conn.setState("CLOSE_WAIT");
      conn.isPingPong = true;
      break;
    case "FIN_WAIT1":
      sendAck(conn);
      conn.setState("CLOSING");
      break;
    case "FIN_WAIT2":
      sendAck(conn);
      conn.tcp.enterTimeWait(conn);
      break;
    default:
      break;
  }
}

/** net/ipv4/tcp_input.c:__tcp_ack_snd_check. */
function ackIfNeeded(conn: TcpConnection): void {
  if (!conn.ackPending || conn.state === "CLOSE") return;
  const isFullFrame = ((conn.rcvNxt - conn.rcvWup) | 0) > conn.receiveMss && selectWindow(conn) >= conn.rcvWnd;
  if (isFullFrame || conn.isAckNow || conn.receiveQueue.hasGap || (conn.quickAcks > 0 && !conn.isPingPong)) sendAck(conn);
  else sendDelayedAck(conn);
}
