/**
 * A listening socket: connections whose handshake is not over, connections that wait for accept, SYN cookies when there are too many.
 *
 * Linux v6.1 net/ipv4/tcp_input.c:tcp_conn_request, tcp_minisocks.c:tcp_check_req, inet_connection_sock.c:reqsk_timer_handler, syncookies.c.
 */

import { assert } from "../../base/assert.ts";
import type { Ipv4Address } from "../../base/ipv4-address.ts";
import { TCP_ACK, TCP_RST, TCP_SYN, type TcpSegment } from "../../wire/packet.ts";
import type { SocketOwner, TcpEvents, TcpListener, TcpSocket } from "../host.ts";
import { touchRow } from "../host-tables.ts";
import type { SkBuff } from "../skb.ts";
import { RTO_INITIAL_NS, RTO_MAX_NS } from "./rtt.ts";
import { keyedHash, seqAdd, seqAfter, seqBefore } from "./sequence.ts";
import type { Tcp } from "./tcp.ts";
import { acceptSynOptions, completeSynRecv, receiveSegment, segmentEnd, storeTimestamp } from "./tcp-input.ts";
import { advertisedMss, selectInitialWindow, sendAck, sendSynAck } from "./tcp-output.ts";
import { TcpConnection } from "./tcp-socket.ts";

const OUT_OF_WINDOW_INTERVAL_NS = 500_000_000;
/** MSS values that a SYN cookie can remember. */
const COOKIE_MSS = [536, 1300, 1440, 1460] as const;
/** A cookie is good for one to two of these. */
const COOKIE_PERIOD_NS = 60_000_000_000;

export class TcpAcceptor implements TcpListener {
  readonly tcp: Tcp;
  readonly localAddress: Ipv4Address;
  readonly localPort: number;
  readonly backlog: number;
  readonly owner: SocketOwner | undefined;
  readonly isReusable: boolean;
  readonly isPortBound = true;
  /** How many SYN+ACK timeouts a connection may stay without data before it is accepted anyway (TCP_DEFER_ACCEPT). */
  readonly #deferRetries: number;
  readonly #onAccept: (socket: TcpSocket) => TcpEvents;
  /** In no order: each knows its place. */
  readonly #requests: TcpConnection[] = [];
  readonly #waiting: TcpConnection[] = [];
  #isAccepting = true;
  isJammed = false;
  #isClosed = false;
  #lastCookieNs = -1;

  constructor(
    tcp: Tcp,
    options: {
      readonly address: Ipv4Address;
      readonly port: number;
      readonly backlog: number;
      readonly owner: SocketOwner | undefined;
      readonly deferAcceptSeconds: number;
      readonly isReusable: boolean;
    },
    onAccept: (socket: TcpSocket) => TcpEvents,
  ) {
    this.tcp = tcp;
    this.localAddress = options.address;
    this.localPort = options.port;
    this.backlog = options.backlog;
    this.owner = options.owner;
    this.isReusable = options.isReusable;
    this.#deferRetries = timeoutsWithin(options.deferAcceptSeconds);
    this.#onAccept = onAccept;
  }

  get isListed(): boolean {
    return !this.#isClosed;
  }

  get acceptQueueLength(): number {
    return this.#waiting.length;
  }

  get isAccepting(): boolean {
    return this.#isAccepting;
  }

  set isAccepting(isAccepting: boolean) {
    this.#isAccepting = isAccepting;
    while (this.#isAccepting && !this.#isClosed) {
      const conn = this.#waiting.shift();
      if (conn === undefined) break;
      touchRow(this.tcp.host, "sockets", this);
      this.#hand(conn);
    }
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.tcp.removeListener(this);
    for (const request of [...this.#requests].sort((a, b) => a.tableOrder - b.tableOrder)) request.die();
    for (const conn of [...this.#waiting]) conn.abort();
    this.#waiting.length = 0;
  }

  /** sk_acceptq_is_full. */
  get #isQueueFull(): boolean {
    return this.isJammed || this.#waiting.length > this.backlog;
  }

  /** A connection died before it was accepted. */
  forget(conn: TcpConnection): void {
    this.#forgetRequest(conn);
    const index = this.#waiting.indexOf(conn);
    if (index >= 0) this.#waiting.splice(index, 1);
    conn.acceptor = undefined;
    touchRow(this.tcp.host, "sockets", this);
  }

  #forgetRequest(conn: TcpConnection): void {
    const index = conn.requestIndex;
    if (index < 0) return;
    conn.requestIndex = -1;
    const last = this.#requests.pop() as TcpConnection;
    if (last === conn) return;
    this.#requests[index] = last;
    last.requestIndex = index;
  }

  /** A segment that matches no connection (tcp_rcv_state_process in LISTEN). False: it must be answered with RST. */
  receive(skb: SkBuff, segment: TcpSegment, isn: number | undefined): boolean {
    const flags = segment.flags;
    if ((flags & TCP_RST) !== 0) return true;
    if ((flags & TCP_ACK) !== 0) return (flags & TCP_SYN) === 0 && this.#receiveCookie(skb, segment);
    if ((flags & TCP_SYN) === 0) return true;
    if ((flags & 1) !== 0) return true;
    this.#receiveSyn(skb, segment, isn);
    return true;
  }

  #receiveSyn(skb: SkBuff, segment: TcpSegment, isn: number | undefined): void {
    const { settings, extended } = this.tcp;
    if (this.#isQueueFull) {
      extended.ListenOverflows++;
      extended.ListenDrops++;
      this.tcp.drop(skb, "SOCKET_BACKLOG", `accept queue of port ${this.localPort} is full${this.isJammed ? "" : `: ${this.#waiting.length} > ${this.backlog}`}`);
      return;
    }
    const isFull = this.#requests.length >= this.backlog;
    if (isFull && settings.synCookies.value === 0) {
      extended.TCPReqQFullDrop++;
      extended.ListenDrops++;
      this.tcp.drop(skb, "SOCKET_BACKLOG", `SYN queue of port ${this.localPort} is full: ${this.#requests.length}`);
      return;
    }
    const conn = this.#newConnection(skb, segment);
    const route = this.tcp.routeOf(conn);
    if (route === undefined) {
      extended.ListenDrops++;
      this.tcp.drop(skb, "IP_OUTNOROUTES", "no route for the SYN+ACK");
      return;
    }
    conn.advertisedMss = advertisedMss(route);
    selectInitialWindow(conn, conn.advertisedMss - (conn.hasTimestamps ? 12 : 0));
    if (isFull && isn === undefined) {
      this.#sendCookie(conn, segment);
      return;
    }
    startSequence(conn, isn ?? this.tcp.initialSequence(conn));
    conn.acceptor = this;
    conn.requestIndex = this.#requests.push(conn) - 1;
    this.tcp.insert(conn);
    conn.setState("SYN_RECV");
    conn.synAckSentNs = this.tcp.host.loop.nowNs;
    conn.armSlowTimer(RTO_INITIAL_NS);
    sendSynAck(conn);
  }

  #newConnection(skb: SkBuff, segment: TcpSegment): TcpConnection {
    const ip = skb.ip;
    const conn = new TcpConnection(this.tcp, { address: ip.dst, port: segment.dstPort }, { address: ip.src, port: segment.srcPort }, undefined);
    conn.owner = this.owner;
    conn.isReusable = this.isReusable;
    conn.isPortBound = true;
    const settings = this.tcp.settings;
    conn.hasTimestamps = settings.timestamps.value > 0;
    conn.hasSack = settings.sack.value > 0;
    conn.hasWindowScale = settings.windowScaling.value > 0;
    conn.tsOffset = this.tcp.timestampOffset(conn);
    acceptSynOptions(conn, segment);
    return conn;
  }

  /** net/ipv4/inet_connection_sock.c:reqsk_timer_handler. */
  onSynAckTimeout(conn: TcpConnection): void {
    const timeouts = conn.synAckTimeouts;
    const isExpired = timeouts >= this.tcp.settings.synAckRetries.value && (!conn.isHandshakeAcked || timeouts >= this.#deferRetries);
    if (isExpired) {
      conn.die();
      return;
    }
    conn.synAckTimeouts++;
    conn.armSlowTimer(Math.min(RTO_INITIAL_NS * 2 ** conn.synAckTimeouts, RTO_MAX_NS));
    if (!conn.isHandshakeAcked || timeouts >= this.#deferRetries - 1) {
      this.#repeatSynAck(conn);
    }
  }

  /** net/ipv4/tcp_output.c:tcp_rtx_synack. */
  #repeatSynAck(conn: TcpConnection): void {
    if (sendSynAck(conn) !== undefined) return;
    this.tcp.counters.RetransSegs++;
    this.tcp.extended.TCPSynRetrans++;
    conn.totalRetransmits++;
  }

  /** A segment for a connection in SYN_RECV (tcp_check_req). False: it must be answered with RST. */
  receiveInSynRecv(conn: TcpConnection, segment: TcpSegment): boolean {
    const flags = segment.flags;
    const timestamps = conn.hasTimestamps ? segment.options.timestamps : undefined;
    const isOld = timestamps !== undefined && ((conn.tsRecent - timestamps.value) | 0) > 0;
    if (segment.seq === conn.irs && (flags & (TCP_SYN | TCP_ACK | TCP_RST)) === TCP_SYN && !isOld) {
      if (this.#isRateLimited(conn)) this.tcp.extended.TCPACKSkippedSynRecv++;
      else {
        this.#repeatSynAck(conn);
        conn.armSlowTimer(Math.min(RTO_INITIAL_NS * 2 ** conn.synAckTimeouts, RTO_MAX_NS));
      }
      return true;
    }
    if ((flags & TCP_ACK) !== 0 && segment.ack !== seqAdd(conn.iss, 1)) return false;
    const end = segmentEnd(segment);
    const windowEnd = seqAdd(conn.rcvNxt, conn.rcvWnd);
    const isInWindow = segment.seq === conn.rcvNxt || (seqAfter(end, conn.rcvNxt) && seqBefore(segment.seq, windowEnd));
    if (isOld || !(isInWindow || (segment.seq === windowEnd && segment.seq === end))) {
      if ((flags & TCP_RST) === 0) {
        if (this.#isRateLimited(conn)) this.tcp.extended.TCPACKSkippedSynRecv++;
        else sendAck(conn);
      }
      if (isOld) this.tcp.extended.PAWSEstab++;
      return true;
    }
    if (timestamps !== undefined && !seqAfter(segment.seq, conn.rcvNxt)) storeTimestamp(conn, timestamps.value);
    if ((flags & TCP_RST) !== 0 || ((flags & TCP_SYN) !== 0 && segment.seq !== conn.irs)) {
      this.tcp.counters.AttemptFails++;
      this.tcp.extended.EmbryonicRsts++;
      conn.die();
      return (flags & TCP_RST) !== 0;
    }
    if ((flags & TCP_ACK) === 0) return true;
    if (conn.synAckTimeouts < this.#deferRetries && end === conn.rcvNxt) {
      conn.isHandshakeAcked = true;
      this.tcp.extended.TCPDeferAcceptDrop++;
      return true;
    }
    return this.#establish(conn, segment);
  }

  #establish(conn: TcpConnection, segment: TcpSegment): boolean {
    if (this.#isQueueFull) {
      this.tcp.extended.ListenOverflows++;
      this.tcp.extended.ListenDrops++;
      if (this.tcp.settings.abortOnOverflow.value === 0) {
        conn.isHandshakeAcked = true;
        return true;
      }
      this.tcp.extended.EmbryonicRsts++;
      conn.die();
      return false;
    }
    this.#forgetRequest(conn);
    conn.slowTimer?.disarm();
    conn.sndUna = segment.ack;
    if (conn.synAckTimeouts === 0) conn.rtt.sample(this.tcp.host.loop.nowNs - conn.synAckSentNs, conn.sndUna, conn.sndNxt);
    completeSynRecv(conn, segment);
    conn.isConfirmPending = true;
    this.tcp.counters.PassiveOpens++;
    const verdict = receiveSegment(conn, segment);
    if (verdict === "reset") {
      conn.acceptor = undefined;
      return false;
    }
    if (this.#isAccepting) this.#hand(conn);
    else this.#waiting.push(conn);
    touchRow(this.tcp.host, "sockets", this);
    return true;
  }

  #hand(conn: TcpConnection): void {
    conn.acceptor = undefined;
    conn.isConnectedTold = true;
    conn.setEvents(this.#onAccept(conn));
  }

  #isRateLimited(conn: TcpConnection): boolean {
    const now = this.tcp.host.loop.nowNs;
    if (conn.lastOutOfWindowNs >= 0 && now - conn.lastOutOfWindowNs < OUT_OF_WINDOW_INTERVAL_NS) return true;
    conn.lastOutOfWindowNs = now;
    return false;
  }

  /* ------------------------------------------------------------------------------------------------------------- cookies */

  /** Answers without remembering anything; window scale and SACK are lost unless timestamps carry them (cookie_init_timestamp). */
  #sendCookie(conn: TcpConnection, segment: TcpSegment): void {
    this.#lastCookieNs = this.tcp.host.loop.nowNs;
    this.tcp.extended.TCPReqQFullDoCookies++;
    this.tcp.extended.SyncookiesSent++;
    if (!conn.hasTimestamps) {
      conn.hasSack = false;
      conn.hasWindowScale = false;
      conn.rcvWscale = 0;
    } else {
      const options = (conn.hasWindowScale ? conn.sndWscale : 15) | (conn.hasSack ? 16 : 0);
      conn.tsOffset = (((conn.timestampNow() & ~63) | options) - this.tcp.timestampAt(0)) | 0;
    }
    startSequence(conn, this.#cookie(conn, segment.seq, mssIndex(conn.mssClamp), this.#period()));
    sendSynAck(conn);
  }

  #receiveCookie(skb: SkBuff, segment: TcpSegment): boolean {
    const now = this.tcp.host.loop.nowNs;
    if (this.#lastCookieNs < 0 || now - this.#lastCookieNs > 2 * COOKIE_PERIOD_NS) return false;
    const conn = this.#newConnection(skb, segment);
    const isn = seqAdd(segment.ack, 0xffffffff);
    const irs = seqAdd(segment.seq, 0xffffffff);
    const index = isn & 3;
    const isGood = [this.#period(), this.#period() - 1].some((period) => this.#cookie(conn, irs, index, period) === isn);
    if (!isGood) {
      this.tcp.extended.SyncookiesFailed++;
      return false;
    }
    this.tcp.extended.SyncookiesRecv++;
    this.#restoreFromCookie(conn, segment, COOKIE_MSS[index as 0 | 1 | 2 | 3]);
    const route = this.tcp.routeOf(conn);
    if (route === undefined) return true;
    conn.advertisedMss = advertisedMss(route);
    selectInitialWindow(conn, conn.advertisedMss - (conn.hasTimestamps ? 12 : 0));
    startSequence(conn, isn);
    conn.acceptor = this;
    this.tcp.insert(conn);
    conn.setState("SYN_RECV");
    return this.#establish(conn, segment);
  }

  #restoreFromCookie(conn: TcpConnection, segment: TcpSegment, mss: number): void {
    conn.irs = seqAdd(segment.seq, 0xffffffff);
    conn.rcvNxt = segment.seq;
    conn.rcvWup = segment.seq;
    conn.mssClamp = mss;
    const timestamps = segment.options.timestamps;
    conn.hasTimestamps = this.tcp.settings.timestamps.value > 0 && timestamps !== undefined;
    const bits = conn.hasTimestamps && timestamps !== undefined ? timestamps.echo & 63 : 15;
    conn.hasSack = (bits & 16) !== 0;
    conn.hasWindowScale = (bits & 15) !== 15;
    conn.sndWscale = conn.hasWindowScale ? bits & 15 : 0;
  }

  #cookie(conn: TcpConnection, irs: number, index: number, period: number): number {
    const addresses = keyedHash(this.tcp.secret, conn.remoteAddress, conn.localAddress, (conn.remotePort << 16) | conn.localPort);
    return ((keyedHash(addresses, irs, period, 0) & ~3) | index) >>> 0;
  }

  #period(): number {
    return Math.trunc(this.tcp.host.loop.nowNs / COOKIE_PERIOD_NS);
  }
}

function startSequence(conn: TcpConnection, isn: number): void {
  conn.iss = isn;
  conn.sndUna = isn;
  conn.sndNxt = seqAdd(isn, 1);
  conn.writeSeq = conn.sndNxt;
  conn.sndSml = conn.sndNxt;
}

function mssIndex(mss: number): number {
  let index = 0;
  for (let i = 0; i < COOKIE_MSS.length; i++) if (mss >= (COOKIE_MSS[i] as number)) index = i;
  return index;
}

/** How many SYN+ACK timeouts fit into `seconds` (net/ipv4/tcp.c:secs_to_retrans). */
function timeoutsWithin(seconds: number): number {
  if (seconds <= 0) return 0;
  let count = 1;
  let timeout = 1;
  for (let period = 1; seconds > period && count < 255; period += timeout) {
    count++;
    timeout = Math.min(timeout * 2, 120);
  }
  assert(count > 0, `a positive time gives a positive count, got ${count}`);
  return count;
}
