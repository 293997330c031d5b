/**
 * TCP timers: retransmission, loss and window probes, delayed acknowledgments, keepalive, the end of FIN_WAIT2, SYN+ACK retransmission.
 *
 * Linux v6.1 net/ipv4/tcp_timer.c, inet_connection_sock.c:reqsk_timer_handler; RFC 6298 section 5.
 */

import { NS_PER_SECOND } from "../../base/time.ts";
import { onReorderTimer } from "./loss-detection.ts";
import { RTO_MAX_NS, RTO_MIN_NS } from "./rtt.ts";
import { ATO_MIN_NS, retransmitSegment, sendAck, sendActiveReset, sendLossProbe, sendProbe, sendWindowProbe } from "./tcp-output.ts";
import type { TcpConnection } from "./tcp-socket.ts";

export type TcpTimerKind = "retransmit" | "ack" | "slow";

/** tcp_orphan_retries 0 means eight. */
const ORPHAN_RETRIES = 8;
/** From here on the timeout grows by RTO_MAX and not by doubling: ilog2(RTO_MAX / RTO_MIN). */
const LINEAR_BACKOFF_THRESHOLD = 9;

export function onTcpTimer(conn: TcpConnection, kind: TcpTimerKind): void {
  conn.clockNs = conn.tcp.host.loop.nowNs;
  switch (kind) {
    case "retransmit":
      onRetransmitTimer(conn);
      break;
    case "ack":
      onAckTimer(conn);
      break;
    case "slow":
      onSlowTimer(conn);
      break;
  }
}

function onRetransmitTimer(conn: TcpConnection): void {
  if (conn.state === "CLOSE") return;
  switch (conn.retransmitJob) {
    case "retransmit":
      conn.retransmitJob = "none";
      onRetransmitTimeout(conn);
      break;
    case "loss-probe":
      sendLossProbe(conn);
      break;
    case "window-probe":
      conn.retransmitJob = "none";
      onWindowProbe(conn);
      break;
    case "reorder":
      conn.retransmitJob = "none";
      onReorderTimer(conn);
      break;
    case "none":
      break;
  }
}

/** net/ipv4/tcp_timer.c:tcp_retransmit_timer. */
function onRetransmitTimeout(conn: TcpConnection): void {
  const head = conn.sendQueue.head;
  if (head === undefined) return;
  const isSynState = conn.state === "SYN_SENT" || conn.state === "SYN_RECV";
  conn.tlpHighSeq = 0;
  conn.tlpRepeatEnd = 0;
  if (conn.sndWnd === 0 && !conn.isOrphan && !isSynState) {
    if (conn.tcp.host.loop.nowNs - conn.rcvTimeNs > RTO_MAX_NS) {
      giveUp(conn);
      return;
    }
    enterLoss(conn);
    retransmitSegment(conn, head);
    conn.retransmits++;
    conn.rtt.backOff();
    conn.armRetransmit("retransmit", conn.rtt.rtoNs);
    return;
  }
  conn.tcp.extended.TCPTimeouts++;
  if (isSynState ? conn.retransmits >= conn.tcp.settings.synRetries.value + conn.tcp.host.options.tcpSynLinearTimeouts : isTimedOut(conn)) {
    giveUp(conn);
    return;
  }
  conn.tcp.extended.TcpTimeoutRehash++;
  if (conn.retransmits === 0) countFailedRecovery(conn);
  enterLoss(conn);
  conn.retransmits++;
  retransmitSegment(conn, conn.sendQueue.head ?? head);
  if (isSynState && conn.retransmits <= conn.tcp.host.options.tcpSynLinearTimeouts) {
    conn.armRetransmit("retransmit", conn.rtt.rtoNs);
    return;
  }
  conn.rtt.backOff();
  conn.armRetransmit("retransmit", conn.rtt.rtoNs);
  if (conn.retransmits > conn.tcp.settings.retries1.value) conn.tcp.forgetRoute(conn);
}

/** What the timeout put an end to. */
function countFailedRecovery(conn: TcpConnection): void {
  const { extended } = conn.tcp;
  const { state } = conn.congestion;
  if (state === "Recovery") {
    if (conn.hasSack) extended.TCPSackRecoveryFail++;
    else extended.TCPRenoRecoveryFail++;
  } else if (state === "Loss") extended.TCPLossFailures++;
  else if (state === "Disorder" || conn.sendQueue.sackedCount > 0) {
    if (conn.hasSack) extended.TCPSackFailures++;
    else extended.TCPRenoFailures++;
  }
}

function enterLoss(conn: TcpConnection): void {
  const queue = conn.sendQueue;
  conn.undoMarker = conn.sndUna;
  for (let i = 0; i < queue.inFlightCount; i++) {
    const segment = queue.segment(i);
    if (segment !== undefined && queue.markLost(segment)) conn.tcp.extended.TCPLostRetransmit++;
  }
  conn.congestion.enterLoss(conn.sndNxt, queue.networkCount);
}

/** net/ipv4/tcp_timer.c:tcp_write_timeout for a connection that is past its handshake. */
function isTimedOut(conn: TcpConnection): boolean {
  if (conn.retransmits === 0 || conn.retransmitStampNs < 0) return false;
  let retries = conn.tcp.settings.retries2.value;
  if (conn.isOrphan) retries = orphanRetries(conn, conn.rtt.rtoNs < RTO_MAX_NS);
  return conn.tcp.host.loop.nowNs - conn.retransmitStampNs >= modelTimeout(retries);
}

/** How long `retries` retransmissions take with the least timeout (tcp_model_timeout). */
function modelTimeout(retries: number): number {
  if (retries <= LINEAR_BACKOFF_THRESHOLD) return (2 ** (retries + 1) - 1) * RTO_MIN_NS;
  return (2 ** (LINEAR_BACKOFF_THRESHOLD + 1) - 1) * RTO_MIN_NS + (retries - LINEAR_BACKOFF_THRESHOLD) * RTO_MAX_NS;
}

function orphanRetries(conn: TcpConnection, isAlive: boolean): number {
  const retries = conn.tcp.settings.orphanRetries.value;
  if (conn.softError !== undefined && !isAlive) return 0;
  return retries === 0 && isAlive ? ORPHAN_RETRIES : retries;
}

/** net/ipv4/tcp_timer.c:tcp_write_err. */
function giveUp(conn: TcpConnection): void {
  conn.tcp.extended.TCPAbortOnTimeout++;
  conn.fail(conn.softError ?? "ETIMEDOUT");
}

/** net/ipv4/tcp_timer.c:tcp_probe_timer. */
function onWindowProbe(conn: TcpConnection): void {
  if (conn.packetsOut > 0 || conn.sndNxt === conn.writeSeq) {
    conn.probesOut = 0;
    return;
  }
  let retries = conn.tcp.settings.retries2.value;
  if (conn.isOrphan) {
    const isAlive = conn.rtt.rtoNs * 2 ** Math.min(conn.rtt.backoff, 10) < RTO_MAX_NS;
    retries = orphanRetries(conn, isAlive);
    if (!isAlive && conn.rtt.backoff >= retries) {
      sendActiveReset(conn);
      giveUp(conn);
      return;
    }
  }
  if (conn.probesOut >= retries) giveUp(conn);
  else sendWindowProbe(conn);
}

/** net/ipv4/tcp_timer.c:tcp_delack_timer_handler. */
function onAckTimer(conn: TcpConnection): void {
  if (conn.state === "CLOSE" || !conn.ackPending) return;
  if (conn.isPingPong) {
    // The answer did not come soon: this is no dialogue after all.
    conn.isPingPong = false;
    conn.atoNs = ATO_MIN_NS;
  } else conn.atoNs = Math.min(conn.atoNs * 2, conn.rtt.rtoNs);
  sendAck(conn);
  conn.tcp.extended.DelayedACKs++;
}

function onSlowTimer(conn: TcpConnection): void {
  if (conn.state === "SYN_RECV" && conn.acceptor !== undefined) {
    conn.acceptor.onSynAckTimeout(conn);
    return;
  }
  if (conn.state === "FIN_WAIT2" && conn.isOrphan) {
    conn.tcp.orphanTimedOut(conn);
    return;
  }
  const keepAlive = conn.keepAlive;
  if (keepAlive === undefined || conn.state === "CLOSE" || conn.state === "SYN_SENT") return;
  if (conn.packetsOut > 0 || conn.sndNxt !== conn.writeSeq) {
    conn.armSlowTimer(keepAlive.idleNs);
    return;
  }
  const idle = conn.tcp.host.loop.nowNs - Math.max(conn.rcvTimeNs, conn.lastReceivedNs);
  if (idle < keepAlive.idleNs) {
    conn.armSlowTimer(keepAlive.idleNs - idle);
    return;
  }
  if (conn.probesOut >= keepAlive.probes) {
    sendActiveReset(conn);
    giveUp(conn);
    return;
  }
  sendProbe(conn);
  conn.tcp.extended.TCPKeepAlive++;
  conn.probesOut++;
  conn.armSlowTimer(keepAlive.intervalNs);
}

/** Default SO_KEEPALIVE parameters of the kernel. */
export const KEEPALIVE_DEFAULT = { idleNs: 7200 * NS_PER_SECOND, intervalNs: 75 * NS_PER_SECOND, probes: 9 };
