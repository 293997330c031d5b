/**
 * TCP output: cuts the stream into segments, chooses windows, sends, sends again.
 *
 * Linux v6.1 net/ipv4/tcp_output.c; RFC 9293 section 3.7 and 3.8, RFC 7323 (options), RFC 896 with Minshall's change (Nagle).
 */

import { EMPTY_BYTES } from "../../base/bytes.ts";
import { NS_PER_MS } from "../../base/time.ts";
import {
  IPV4_HEADER_BYTES,
  NO_TCP_OPTIONS,
  TCP_ACK,
  TCP_FIN,
  TCP_HEADER_BYTES,
  TCP_PSH,
  TCP_RST,
  TCP_SYN,
  type TcpOptions,
  TcpSegment,
} from "../../wire/packet.ts";
import type { Errno } from "../host.ts";
import { charge } from "./header-prediction.ts";
import { RECEIVE_BUFFER_BYTES, RECEIVE_BUFFER_MAX_BYTES, TCP_MSS_DEFAULT, TCP_MSS_MIN } from "./limits.ts";
import { RTO_MAX_NS, RTO_MIN_NS } from "./rtt.ts";
import { SentSegment } from "./send-queue.ts";
import { seqAdd, seqAfter, seqBefore } from "./sequence.ts";
import type { TcpConnection } from "./tcp-socket.ts";

const TIMESTAMP_OPTION_BYTES = 12;
const U16_MAX = 0xffff;
const WINDOW_SCALE_MAX = 14;
const DELACK_MAX_NS = 200 * NS_PER_MS;
export const ATO_MIN_NS = 40 * NS_PER_MS;
/** What a loss probe waits beyond two round trips (TCP_TIMEOUT_MIN_US). */
const LOSS_PROBE_EXTRA_NS = 2 * NS_PER_MS;
const PROBE_BACKOFF_MAX = 10;

/* ------------------------------------------------------------------------------------------------------- segment sizes */

/** net/ipv4/tcp_output.c:tcp_sync_mss. */
export function syncMss(conn: TcpConnection, mtu: number): void {
  let mss = Math.min(mtu - IPV4_HEADER_BYTES - TCP_HEADER_BYTES, conn.mssClamp);
  mss = Math.max(mss, TCP_MSS_MIN);
  if (conn.hasTimestamps) mss -= TIMESTAMP_OPTION_BYTES;
  const cutoff = conn.maxWindow > TCP_MSS_DEFAULT ? conn.maxWindow >>> 1 : conn.maxWindow;
  if (cutoff > 0 && mss > cutoff) mss = Math.max(cutoff, 28);
  conn.pmtuCookie = mtu;
  conn.mssCache = mss;
}

/** The size of a full segment now; follows the route's MTU (tcp_current_mss). */
export function currentMss(conn: TcpConnection): number {
  const route = conn.tcp.routeOf(conn);
  if (route !== undefined && route.mtu !== conn.pmtuCookie) syncMss(conn, route.mtu);
  const sackBytes = conn.hasSack && conn.receiveQueue.hasGap ? 4 + 8 * Math.min(conn.receiveQueue.blocks.length, 3) : 0;
  return Math.max(conn.mssCache - sackBytes, 8);
}

/** What a SYN announces: the MTU of the way out, or the route's advmss (tcp_advertise_mss, ipv4_default_advmss). */
export function advertisedMss(route: { readonly mtu: number; readonly entry: { readonly advmss: number } | undefined }): number {
  const metric = route.entry?.advmss ?? 0;
  if (metric > 0) return metric;
  return Math.min(Math.max(route.mtu - IPV4_HEADER_BYTES - TCP_HEADER_BYTES, 256), 65495);
}

/* ------------------------------------------------------------------------------------------------------------- windows */

/** net/ipv4/tcp_output.c:tcp_select_initial_window. `mss` is what a segment of the peer will carry. */
export function selectInitialWindow(conn: TcpConnection, mss: number): void {
  const space = RECEIVE_BUFFER_BYTES >>> 1;
  const rounded = space > mss ? space - (space % mss) : space;
  conn.rcvWnd = Math.min(rounded, U16_MAX);
  conn.rcvThreshold = conn.rcvWnd;
  conn.windowClamp = space;
  conn.rcvWscale = 0;
  if (conn.hasWindowScale) conn.rcvWscale = Math.min(Math.max(31 - Math.clz32(conn.tcp.receiveBufferMax()) - 15, 0), WINDOW_SCALE_MAX);
}

export function receiveSpace(conn: TcpConnection): number {
  return Math.max((conn.receiveBufferBytes - conn.receiveQueue.chargedBytes) >> 1, 0);
}

/** The window that could be offered now (__tcp_select_window). */
export function selectWindow(conn: TcpConnection): number {
  let free = receiveSpace(conn);
  const full = Math.min(conn.windowClamp, conn.receiveBufferBytes >>> 1);
  const mss = Math.min(conn.receiveMss, full);
  if (free < full >>> 1) {
    free -= free % (1 << conn.rcvWscale);
    if (free < full >>> 4 || free < mss) return 0;
  }
  if (free > conn.rcvThreshold) free = conn.rcvThreshold;
  if (conn.rcvWscale > 0) return alignUp(free, 1 << conn.rcvWscale);
  const window = conn.rcvWnd;
  if (window <= free - mss || window > free) return free - (free % mss);
  return mss === full && free > window + (full >>> 1) ? free : window;
}

/** The window still open to the peer. */
export function receiveWindow(conn: TcpConnection): number {
  return Math.max((seqAdd(conn.rcvWup, conn.rcvWnd) - conn.rcvNxt) | 0, 0);
}

/** Commits to a window and returns the header field; an offered edge is never taken back (tcp_select_window). */
function windowField(conn: TcpConnection): number {
  const { extended } = conn.tcp;
  const before = conn.rcvWnd;
  const current = receiveWindow(conn);
  let window = selectWindow(conn);
  if (window < current) {
    if (window === 0) extended.TCPWantZeroWindowAdv++;
    window = alignUp(current, 1 << conn.rcvWscale);
  }
  window = Math.min(window, U16_MAX << conn.rcvWscale);
  conn.rcvWnd = window;
  conn.rcvWup = conn.rcvNxt;
  const field = window >>> conn.rcvWscale;
  if (field === 0) {
    conn.predictedWindow = -1;
    if (before !== 0) extended.TCPToZeroWindowAdv++;
  } else if (before === 0) extended.TCPFromZeroWindowAdv++;
  return field;
}

function alignUp(value: number, unit: number): number {
  return Math.ceil(value / unit) * unit;
}

/* ------------------------------------------------------------------------------------------------------------- sending */

function synOptions(conn: TcpConnection): TcpOptions {
  // The usual ones in one literal: spreading costs as much as the rest of the segment.
  if (conn.hasTimestamps && conn.hasWindowScale)
    return {
      mss: conn.advertisedMss,
      sackPermitted: conn.hasSack,
      timestamps: { value: conn.timestampNow(), echo: conn.tsRecent },
      windowScale: conn.rcvWscale,
    };
  return {
    mss: conn.advertisedMss,
    sackPermitted: conn.hasSack,
    ...(conn.hasTimestamps ? { timestamps: { value: conn.timestampNow(), echo: conn.tsRecent } } : {}),
    ...(conn.hasWindowScale ? { windowScale: conn.rcvWscale } : {}),
  };
}

/** Bytes of a SYN's options: SACK-permitted shares a word with timestamps or with two NOPs (tcp_syn_options). */
export function synOptionBytes(options: TcpOptions): number {
  let bytes = options.mss === undefined ? 0 : 4;
  if (options.timestamps !== undefined) bytes += TIMESTAMP_OPTION_BYTES;
  else if (options.sackPermitted === true) bytes += 4;
  if (options.windowScale !== undefined) bytes += 4;
  return bytes;
}

/** Builds one segment and gives it to IP (__tcp_transmit_skb). */
function transmit(conn: TcpConnection, seq: number, flags: number, payload: Uint8Array, original?: SentSegment): Errno | undefined {
  const isSyn = (flags & TCP_SYN) !== 0;
  const window = isSyn ? Math.min(conn.rcvWnd, U16_MAX) : windowField(conn);
  const segment = new TcpSegment(conn.localPort, conn.remotePort, seq, (flags & TCP_ACK) !== 0 ? conn.rcvNxt : 0, flags, window);
  if (isSyn) {
    segment.options = synOptions(conn);
    segment.optionBytes = synOptionBytes(segment.options);
  } else establishedOptions(conn, segment);
  segment.payload = payload;
  // Octets that were sent before do not count (RFC 1213, __tcp_transmit_skb).
  if (original === undefined || !original.wasEverRetransmitted) conn.tcp.counters.OutSegs++;
  if ((flags & TCP_ACK) !== 0) ackSent(conn);
  if (payload.length > 0) dataSent(conn);
  return conn.tcp.sendSegment(conn, segment, isSyn && (flags & TCP_ACK) !== 0, original);
}

function establishedOptions(conn: TcpConnection, segment: TcpSegment): void {
  let options = NO_TCP_OPTIONS;
  let bytes = 0;
  if (conn.hasTimestamps) {
    options = conn.timestampOptions();
    bytes = TIMESTAMP_OPTION_BYTES;
  }
  const duplicate = conn.duplicate;
  if (conn.hasSack && (conn.receiveQueue.hasGap || duplicate !== undefined)) {
    const sack = conn.receiveQueue.blocksWithDuplicate(duplicate, conn.hasTimestamps ? 3 : 4);
    conn.duplicate = undefined;
    if (sack.length > 0) {
      options = { ...options, sack };
      bytes += 4 + 8 * sack.length;
    }
  }
  segment.options = options;
  segment.optionBytes = bytes;
}

/** net/ipv4/tcp_output.c:tcp_event_ack_sent. */
function ackSent(conn: TcpConnection): void {
  if (conn.quickAcks > 0) conn.quickAcks--;
  conn.ackPending = false;
  conn.isAckNow = false;
  conn.ackPushed = 0;
  conn.lastAckSent = conn.rcvNxt;
  if (conn.ackTimer?.isArmed === true) conn.ackTimer.disarm();
}

/** net/ipv4/tcp_output.c:tcp_event_data_sent: who answers at once is in a dialogue, where acknowledgments can wait for the answer. */
function dataSent(conn: TcpConnection): void {
  const now = conn.tcp.host.loop.nowNs;
  conn.lastSentNs = now;
  if (now - conn.lastReceivedNs < conn.atoNs) conn.isPingPong = true;
}

export function sendSyn(conn: TcpConnection): Errno | undefined {
  const seq = conn.iss;
  const segment = new SentSegment(seq, seqAdd(seq, 1), EMPTY_BYTES, TCP_SYN, conn.tcp.host.loop.nowNs);
  conn.sendQueue.sent(segment);
  charge(conn, 0);
  conn.sndNxt = seqAdd(seq, 1);
  conn.armRetransmit("retransmit", conn.rtt.rtoNs);
  return transmit(conn, seq, TCP_SYN, EMPTY_BYTES, segment);
}

export function sendSynAck(conn: TcpConnection): Errno | undefined {
  return transmit(conn, conn.iss, TCP_SYN | TCP_ACK, EMPTY_BYTES);
}

export function sendAck(conn: TcpConnection): void {
  if (conn.state === "CLOSE") return;
  transmit(conn, conn.sndNxt, TCP_ACK, EMPTY_BYTES);
}

/** FIN goes with the last data that waits, or alone (tcp_send_fin). */
export function sendFin(conn: TcpConnection): void {
  if (conn.isFinQueued) return;
  conn.isFinQueued = true;
  conn.writeSeq = seqAdd(conn.writeSeq, 1);
  writeQueue(conn, true);
}

/** net/ipv4/tcp_output.c:tcp_send_active_reset. */
export function sendActiveReset(conn: TcpConnection): void {
  conn.tcp.counters.OutRsts++;
  const seq = seqBefore(conn.sndNxt, seqAdd(conn.sndUna, conn.sndWnd)) ? conn.sndNxt : conn.sndUna;
  if (transmit(conn, seq, TCP_RST | TCP_ACK, EMPTY_BYTES) !== undefined) conn.tcp.extended.TCPAbortFailed++;
}

/** Schedules an acknowledgment for later (tcp_send_delayed_ack). */
export function sendDelayedAck(conn: TcpConnection): void {
  let ato = conn.atoNs;
  if (ato > ATO_MIN_NS) {
    let limit = conn.isPingPong || conn.ackPushed > 0 ? DELACK_MAX_NS : 500 * NS_PER_MS;
    if (conn.rtt.smoothedNs > 0) limit = Math.min(limit, Math.max(conn.rtt.smoothedNs, ATO_MIN_NS));
    ato = Math.min(ato, limit);
  }
  ato = Math.min(Math.max(ato, ATO_MIN_NS), DELACK_MAX_NS);
  conn.ackPending = true;
  const timer = conn.ackTimer;
  if (timer?.isArmed === true) {
    if (timer.remainingNs <= ato >> 2) {
      sendAck(conn);
      return;
    }
    if (timer.remainingNs <= ato) return;
  }
  conn.armAckTimer(ato);
}

/* --------------------------------------------------------------------------------------------------------- write queue */

/** Sends what window, congestion window and Nagle allow (tcp_write_xmit). True when something left. */
export function writeQueue(conn: TcpConnection, isPushed: boolean): boolean {
  const queue = conn.sendQueue;
  if (queue.unsentBytes === 0 && !isFinWaiting(conn)) return false;
  if (conn.state === "CLOSE" || conn.state === "SYN_SENT" || conn.state === "SYN_RECV") return false;
  slowStartAfterIdle(conn);
  conn.clockNs = conn.tcp.host.loop.nowNs;
  const mss = currentMss(conn);
  let hasSent = false;
  let isLimited = false;
  while (queue.unsentBytes > 0 || isFinWaiting(conn)) {
    const size = Math.min(queue.unsentBytes, mss);
    const isFin = size === queue.unsentBytes && conn.isFinQueued;
    // The last segment of a stream does not wait for room (tcp_cwnd_test).
    if (queue.networkCount >= conn.congestion.window && !isFin) {
      isLimited = true;
      break;
    }
    if (seqAfter(seqAdd(conn.sndNxt, size + (isFin ? 1 : 0)), seqAdd(conn.sndUna, conn.sndWnd))) break;
    if (size < mss && !isFin && !isPushed && !conn.noDelay && conn.packetsOut > 0 && seqAfter(conn.sndSml, conn.sndUna)) break;
    sendNew(conn, size, isFin, mss);
    conn.congestion.onSent();
    hasSent = true;
  }
  if (hasSent) {
    conn.isWindowLimited =
      isLimited || queue.networkCount >= conn.congestion.window || (conn.congestion.isSlowStart && conn.congestion.window < 2 * queue.inFlightCount);
    scheduleLossProbe(conn, false);
  } else if (conn.packetsOut === 0 && conn.retransmitJob === "none") conn.armRetransmit("window-probe", Math.max(conn.rtt.rtoNs, RTO_MIN_NS));
  return hasSent;
}

function isFinWaiting(conn: TcpConnection): boolean {
  return conn.isFinQueued && conn.sndNxt !== conn.writeSeq;
}

function sendNew(conn: TcpConnection, size: number, isFin: boolean, mss: number): void {
  const queue = conn.sendQueue;
  const payload = queue.take(size);
  const seq = conn.sndNxt;
  const endSeq = seqAdd(seq, size + (isFin ? 1 : 0));
  const flags = TCP_ACK | (isFin ? TCP_FIN : 0) | (size > 0 && queue.unsentBytes === 0 ? TCP_PSH : 0);
  const wasEmpty = queue.inFlightCount === 0;
  const segment = new SentSegment(seq, endSeq, payload, flags, conn.tcp.host.loop.nowNs);
  queue.sent(segment);
  conn.sndNxt = endSeq;
  conn.tcp.extended.TCPOrigDataSent++;
  charge(conn, size);
  if (size < mss) conn.sndSml = endSeq;
  if (wasEmpty || conn.retransmitJob === "loss-probe") conn.armRetransmit("retransmit", conn.rtt.rtoNs);
  transmit(conn, seq, flags, payload, segment);
}

/** net/ipv4/tcp_output.c:tcp_cwnd_restart: the window that was right a while ago may not be right now. */
function slowStartAfterIdle(conn: TcpConnection): void {
  if (conn.packetsOut > 0 || conn.lastSentNs === 0) return;
  const idle = conn.tcp.host.loop.nowNs - conn.lastSentNs;
  if (idle <= conn.rtt.rtoNs) return;
  const floor = Math.min(conn.congestion.window, 10);
  let left = idle - conn.rtt.rtoNs;
  while (left > 0 && conn.congestion.window > floor) {
    conn.congestion.window = Math.max(conn.congestion.window >> 1, floor);
    left -= conn.rtt.rtoNs;
  }
}

/* ------------------------------------------------------------------------------------------------------ retransmission */

/** Sends a segment in flight again, cut to the size that now fits. False when it could not be sent, or has not left this host yet (__tcp_retransmit_skb). */
export function retransmitSegment(conn: TcpConnection, segment: SentSegment): boolean {
  if (segment.waitingCount > 0) {
    if (conn.retransmitStampNs < 0) conn.retransmitStampNs = segment.sentAtNs;
    conn.tcp.extended.TCPSpuriousRtxHostQueues++;
    return false;
  }
  const isSyn = (segment.flags & TCP_SYN) !== 0;
  if (!isSyn) {
    const mss = currentMss(conn);
    const isHead = segment === conn.sendQueue.head;
    let available = (seqAdd(conn.sndUna, conn.sndWnd) - segment.seq) | 0;
    if (available <= 0) {
      if (!isHead) return false;
      available = mss;
    }
    const limit = Math.min(mss, available);
    if (segment.payload.length > limit) conn.sendQueue.split(segment, limit);
    else if (segment.payload.length < mss && !segment.isPiece) while (conn.sendQueue.absorbNext(segment, limit));
  }
  segment.sentAtNs = conn.clockNs;
  conn.sendQueue.markRetransmitted(segment);
  if (conn.retransmitStampNs < 0) conn.retransmitStampNs = conn.clockNs;
  conn.totalRetransmits++;
  conn.tcp.counters.RetransSegs++;
  if (isSyn) conn.tcp.extended.TCPSynRetrans++;
  if (transmit(conn, segment.seq, segment.flags, segment.payload, segment) !== undefined) conn.tcp.extended.TCPRetransFail++;
  return true;
}

/** Sends lost segments again as far as the congestion window allows (tcp_xmit_retransmit_queue). */
export function retransmitLost(conn: TcpConnection): void {
  const queue = conn.sendQueue;
  if (queue.lostCount === 0) return;
  const { extended } = conn.tcp;
  let isFirst = true;
  for (let i = 0; i < queue.inFlightCount; i++) {
    if (queue.networkCount >= conn.congestion.window) break;
    const segment = queue.segment(i);
    if (segment === undefined) break;
    if (!segment.isLost || segment.isRetransmitted || segment.isSacked) continue;
    if (!retransmitSegment(conn, segment)) break;
    if (conn.congestion.state === "Loss") extended.TCPSlowStartRetrans++;
    else extended.TCPFastRetrans++;
    conn.congestion.onSent();
    if (isFirst) conn.armRetransmit("retransmit", conn.rtt.rtoNs);
    isFirst = false;
  }
}

/** Everything bigger than a segment may now be is lost: send it again at once (tcp_simple_retransmit). */
export function retransmitTooBig(conn: TcpConnection): void {
  const queue = conn.sendQueue;
  const mss = currentMss(conn);
  let isAny = false;
  for (let i = 0; i < queue.inFlightCount; i++) {
    const segment = queue.segment(i);
    if (segment === undefined || segment.payload.length <= mss) continue;
    queue.markLost(segment);
    isAny = true;
  }
  if (!isAny) return;
  // Linux keeps up to half a window in one buffer and cuts that anew; pieces of the old size would each leave a small rest.
  const burst = Math.max(conn.congestion.window >> 1, 1);
  for (let i = 0; i < queue.inFlightCount; i++) if (queue.segment(i)?.isLost === true && queue.segment(i)?.isRetransmitted === false) queue.joinLost(i, burst);
  conn.congestion.enterLossWithoutReduction(conn.sndNxt);
  retransmitLost(conn);
}

/** Restarts the retransmission timer, or stops it when nothing is in flight (tcp_rearm_rto). */
export function rearmRetransmit(conn: TcpConnection): void {
  if (conn.packetsOut === 0) conn.disarmRetransmit();
  else conn.armRetransmit("retransmit", conn.rtt.rtoNs);
}

/** Arms the tail loss probe (tcp_schedule_loss_probe; RFC 8985 section 7). */
export function scheduleLossProbe(conn: TcpConnection, isRtoAdvancing: boolean): boolean {
  if (conn.packetsOut === 0 || !conn.hasSack || conn.congestion.state !== "Open" || conn.state === "SYN_SENT" || conn.state === "SYN_RECV") return false;
  if (conn.tlpHighSeq !== 0) return false;
  const tickNs = conn.tcp.tickNs;
  let timeout = 1_000_000_000;
  if (conn.rtt.smoothedNs > 0) {
    timeout = 2 * conn.rtt.smoothedNs + (conn.packetsOut === 1 ? RTO_MIN_NS : LOSS_PROBE_EXTRA_NS);
    timeout = Math.ceil(timeout / tickNs) * tickNs;
  }
  const head = conn.sendQueue.head;
  const rtoLeft = isRtoAdvancing || head === undefined ? conn.rtt.rtoNs : head.sentAtNs + conn.rtt.rtoNs - conn.tcp.host.loop.nowNs;
  if (rtoLeft > 0) timeout = Math.min(timeout, rtoLeft);
  conn.armRetransmit("loss-probe", Math.min(timeout, RTO_MAX_NS));
  return true;
}

/** The loss probe: new data if there is any, else the last segment again (tcp_send_loss_probe). */
export function sendLossProbe(conn: TcpConnection): void {
  const queue = conn.sendQueue;
  conn.retransmitJob = "none";
  if (conn.tlpHighSeq === 0 && conn.packetsOut > 0) {
    const waiting = Math.min(queue.unsentBytes, currentMss(conn));
    const fits = waiting > 0 && !seqAfter(seqAdd(conn.sndNxt, waiting), seqAdd(conn.sndUna, conn.sndWnd));
    const tail = queue.tail;
    if (fits) sendNew(conn, waiting, waiting === queue.unsentBytes && conn.isFinQueued, currentMss(conn));
    else if (tail !== undefined && !tail.isRetransmitted) {
      const mss = currentMss(conn);
      if (tail.payload.length > mss) queue.split(tail, tail.payload.length - (tail.payload.length % mss || mss));
      retransmitSegment(conn, queue.tail ?? tail);
      conn.tlpRepeatEnd = conn.sndNxt;
    }
    conn.tlpHighSeq = conn.sndNxt;
    conn.tcp.extended.TCPLossProbes++;
  }
  rearmRetransmit(conn);
}

/* ------------------------------------------------------------------------------------------------------------- probing */

/** An old byte that the peer must answer with its window (tcp_xmit_probe_skb). */
export function sendProbe(conn: TcpConnection): void {
  transmit(conn, seqAdd(conn.sndUna, 0xffffffff), TCP_ACK, EMPTY_BYTES);
}

/** Sends as much of the next segment as a small window takes, or a bare probe (tcp_write_wakeup). */
function writeWakeup(conn: TcpConnection): void {
  const room = (seqAdd(conn.sndUna, conn.sndWnd) - conn.sndNxt) | 0;
  const mss = currentMss(conn);
  const waiting = conn.sendQueue.unsentBytes;
  if (room > 0 && (waiting > 0 || isFinWaiting(conn))) {
    const size = Math.min(waiting, mss, room);
    sendNew(conn, size, conn.isFinQueued && size === waiting && size < room, mss);
  } else {
    sendProbe(conn);
    conn.tcp.extended.TCPWinProbe++;
  }
}

/** net/ipv4/tcp_output.c:tcp_send_probe0. */
export function sendWindowProbe(conn: TcpConnection): void {
  writeWakeup(conn);
  if (conn.packetsOut > 0) {
    conn.probesOut = 0;
    conn.rtt.backoff = 0;
    return;
  }
  conn.probesOut++;
  if (conn.rtt.backoff < conn.tcp.settings.retries2.value) conn.rtt.backoff++;
  conn.armRetransmit("window-probe", windowProbeDelay(conn));
}

/** net/ipv4/tcp.h:tcp_probe0_when. */
export function windowProbeDelay(conn: TcpConnection): number {
  return Math.min(Math.max(conn.rtt.rtoNs, RTO_MIN_NS) * 2 ** Math.min(conn.rtt.backoff, PROBE_BACKOFF_MAX), RTO_MAX_NS);
}

/* ------------------------------------------------------------------------------------------------------------- reading */

/**
 * The owner has read `count` bytes: acknowledges what should not wait, opens the window, grows the buffer
 * (tcp_cleanup_rbuf, tcp_rcv_space_adjust).
 */
export function afterRead(conn: TcpConnection, count: number): void {
  growReceiveBuffer(conn);
  if (conn.state === "CLOSE" || conn.state === "SYN_SENT") return;
  const unacked = (conn.rcvNxt - conn.rcvWup) | 0;
  let isDue = false;
  if (conn.ackPending)
    isDue = unacked > conn.receiveMss || (count > 0 && (conn.ackPushed > 1 || (conn.ackPushed > 0 && !conn.isPingPong)) && conn.receiveQueue.unreadBytes === 0);
  if (!isDue && count > 0 && !conn.isReceiveShutdown) {
    const offered = receiveWindow(conn);
    if (2 * offered <= conn.windowClamp) {
      const window = selectWindow(conn);
      isDue = window > 0 && window >= 2 * offered;
    }
  }
  if (isDue) sendAck(conn);
}

/** Once a round trip: a reader that took more than the buffer expected gets a bigger one. */
function growReceiveBuffer(conn: TcpConnection): void {
  const now = conn.tcp.host.loop.nowNs;
  if (now - conn.copiedMarkNs < conn.rtt.smoothedNs || conn.rtt.smoothedNs === 0) return;
  const copied = conn.copiedBytes - conn.copiedMarkBytes;
  if (copied > conn.copiedSpace) {
    const window = 2 * copied + 16 * conn.advertisedMss;
    const grown = window + Math.trunc((window * (copied - conn.copiedSpace)) / Math.max(conn.copiedSpace, 1)) * 2;
    const wanted = Math.min(grown * 2, conn.tcp.receiveBufferMax(), RECEIVE_BUFFER_MAX_BYTES);
    if (wanted > conn.receiveBufferBytes) {
      conn.receiveBufferBytes = wanted;
      if (conn.hasWindowScale) conn.windowClamp = wanted >>> 1;
    }
    conn.copiedSpace = copied;
  }
  conn.copiedMarkBytes = conn.copiedBytes;
  conn.copiedMarkNs = now;
}
