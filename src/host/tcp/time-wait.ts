/**
 * Connections that are over but must be remembered: TIME_WAIT, and FIN_WAIT2 without an owner. Small records, one event for all of them.
 *
 * Linux v6.1 net/ipv4/tcp_minisocks.c:tcp_timewait_state_process, tcp_time_wait; RFC 9293 section 3.6.1, RFC 6191.
 */

import type { Ipv4Address } from "../../base/ipv4-address.ts";
import { NS_PER_SECOND } from "../../base/time.ts";
import type { EventId, EventTarget } from "../../kernel/event-loop.ts";
import { TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN, type TcpSegment } from "../../wire/packet.ts";
import type { SocketOwner, TcpSocket } from "../host.ts";
import type { TcpExtCounters } from "../mib.ts";
import { seqAdd, seqAfter, seqBefore } from "./sequence.ts";
import type { Tcp } from "./tcp.ts";
import { segmentEnd } from "./tcp-input.ts";

export const TIME_WAIT_NS = 60 * NS_PER_SECOND;
const ACK_INTERVAL_NS = 500_000_000;

/** What the caller must do for a segment: nothing, acknowledge, reset, or offer a SYN to a listener (with the sequence number to start at). */
export type TimeWaitVerdict = "nothing" | "acknowledge" | "reset" | "reopen";

/** struct tcp_timewait_sock. It answers to the queries of netstat and ss; its owner has gone. */
export class TimeWaitEntry implements TcpSocket {
  state: "TIME_WAIT" | "FIN_WAIT2";
  readonly localAddress: Ipv4Address;
  readonly localPort: number;
  readonly remoteAddress: Ipv4Address;
  readonly remotePort: number;
  readonly isReusable: boolean;
  readonly isPortBound: boolean;
  readonly receiveQueueBytes = 0;
  readonly sendQueueBytes = 0;
  readonly owner: SocketOwner | undefined = undefined;
  noDelay = false;
  hash = 0;
  tableOrder = 0;
  nextInSlot: TimeWaitEntry | undefined = undefined;
  expiresAtNs = 0;
  /** The place in the queue; it may be earlier than the end, never later. */
  queuedNs = 0;
  isDead = false;
  rcvNxt = 0;
  readonly sndNxt: number;
  /** Window to put into acknowledgments, scaled. */
  readonly windowField: number;
  readonly windowBytes: number;
  hasTimestamps = false;
  tsRecent = 0;
  tsRecentStampNs = -1;
  tsOffset = 0;
  lastAckNs = -1;

  constructor(
    state: "TIME_WAIT" | "FIN_WAIT2",
    from: Pick<
      TimeWaitEntry,
      "localAddress" | "localPort" | "remoteAddress" | "remotePort" | "isReusable" | "isPortBound" | "sndNxt" | "windowField" | "windowBytes"
    >,
  ) {
    this.state = state;
    this.localAddress = from.localAddress;
    this.localPort = from.localPort;
    this.remoteAddress = from.remoteAddress;
    this.remotePort = from.remotePort;
    this.isReusable = from.isReusable;
    this.isPortBound = from.isPortBound;
    this.sndNxt = from.sndNxt;
    this.windowField = from.windowField;
    this.windowBytes = from.windowBytes;
  }

  get isListed(): boolean {
    return !this.isDead;
  }

  get timer(): TcpSocket["timer"] {
    return { name: "timewait", expiresAtNs: this.expiresAtNs, retries: 0 };
  }

  setEvents(): void {}

  setKeepAlive(): void {}

  send(): boolean {
    return false;
  }

  pause(): void {}

  resume(): void {}

  shutdownWrite(): void {}

  close(): void {}

  abort(): void {}
}

/** The entries of one host in order of expiry. */
export class TimeWaitQueue implements EventTarget {
  readonly #tcp: Tcp;
  /** Nearly all entries live 60 s, so that appending keeps the order; others are inserted from the end. */
  #entries: TimeWaitEntry[] = [];
  #head = 0;
  #pendingId: EventId = 0;
  #pendingNs = 0;
  count = 0;
  readonly extended: TcpExtCounters;

  constructor(tcp: Tcp) {
    this.#tcp = tcp;
    this.extended = tcp.extended;
  }

  list(): TimeWaitEntry[] {
    return this.#entries.slice(this.#head).filter((entry) => !entry.isDead);
  }

  add(entry: TimeWaitEntry, lifetimeNs: number): void {
    this.count++;
    this.#place(entry, lifetimeNs);
  }

  /** Gives an entry its full time again. Its old place is left as it is: it is moved when that comes up. */
  refresh(entry: TimeWaitEntry, lifetimeNs: number): void {
    entry.expiresAtNs = this.#tcp.host.loop.nowNs + lifetimeNs;
  }

  /** Takes an entry out before its time. */
  kill(entry: TimeWaitEntry): void {
    if (entry.isDead) return;
    entry.isDead = true;
    this.count--;
    this.#tcp.removeTimeWait(entry);
  }

  onEvent(): void {
    this.#pendingId = 0;
    const now = this.#tcp.host.loop.nowNs;
    while (this.#head < this.#entries.length) {
      const entry = this.#entries[this.#head] as TimeWaitEntry;
      if (!entry.isDead && entry.queuedNs > now) break;
      this.#head++;
      if (entry.isDead) continue;
      if (entry.expiresAtNs > now) this.#place(entry, entry.expiresAtNs - now);
      else this.kill(entry);
    }
    if (this.#head > 512) {
      this.#entries.splice(0, this.#head);
      this.#head = 0;
    }
    this.#schedule();
  }

  #place(entry: TimeWaitEntry, lifetimeNs: number): void {
    entry.expiresAtNs = this.#tcp.host.loop.nowNs + lifetimeNs;
    entry.queuedNs = entry.expiresAtNs;
    let index = this.#entries.length;
    while (index > this.#head && (this.#entries[index - 1] as TimeWaitEntry).queuedNs > entry.queuedNs) index--;
    if (index === this.#entries.length) this.#entries.push(entry);
    else this.#entries.splice(index, 0, entry);
    this.#schedule();
  }

  #schedule(): void {
    const first = this.#entries[this.#head];
    if (first === undefined) return;
    if (this.#pendingId !== 0) {
      if (this.#pendingNs <= first.queuedNs) return;
      this.#tcp.host.loop.cancel(this.#pendingId);
    }
    this.#pendingNs = first.queuedNs;
    this.#pendingId = this.#tcp.host.loop.at(first.queuedNs, this);
  }
}

/** net/ipv4/tcp_minisocks.c:tcp_timewait_state_process. */
export function receiveInTimeWait(queue: TimeWaitQueue, entry: TimeWaitEntry, segment: TcpSegment, nowNs: number, rfc1337: boolean): TimeWaitVerdict {
  const timestamps = entry.hasTimestamps ? segment.options.timestamps : undefined;
  const isOld = timestamps !== undefined && entry.tsRecentStampNs >= 0 && ((entry.tsRecent - timestamps.value) | 0) > 0;
  if (isOld && entry.state === "TIME_WAIT") queue.extended.PAWSEstab++;
  return entry.state === "FIN_WAIT2"
    ? receiveInFinWait2(queue, entry, segment, nowNs, isOld)
    : receiveInTimeWaitProper(queue, entry, segment, nowNs, isOld, rfc1337);
}

function receiveInFinWait2(queue: TimeWaitQueue, entry: TimeWaitEntry, segment: TcpSegment, nowNs: number, isOld: boolean): TimeWaitVerdict {
  const flags = segment.flags;
  const end = segmentEnd(segment);
  const isInWindow =
    segment.seq === entry.rcvNxt ||
    (seqAfter(end, entry.rcvNxt) && seqBefore(segment.seq, seqAdd(entry.rcvNxt, entry.windowBytes))) ||
    (segment.seq === end && !seqBefore(seqAdd(entry.rcvNxt, entry.windowBytes), segment.seq) && !seqBefore(segment.seq, entry.rcvNxt));
  if (isOld || !isInWindow) return mayAcknowledge(queue, entry, nowNs);
  if ((flags & TCP_RST) !== 0) {
    queue.kill(entry);
    return "nothing";
  }
  if ((flags & TCP_SYN) !== 0 && !seqBefore(segment.seq, entry.rcvNxt)) return "reset";
  if ((flags & TCP_ACK) === 0 || !seqAfter(end, entry.rcvNxt) || end === segment.seq) return "nothing";
  if ((flags & TCP_FIN) === 0 || end !== seqAdd(entry.rcvNxt, 1)) {
    queue.kill(entry);
    return "reset";
  }
  entry.state = "TIME_WAIT";
  entry.rcvNxt = end;
  rememberTimestamp(entry, segment, nowNs);
  queue.refresh(entry, TIME_WAIT_NS);
  return "acknowledge";
}

function receiveInTimeWaitProper(
  queue: TimeWaitQueue,
  entry: TimeWaitEntry,
  segment: TcpSegment,
  nowNs: number,
  isOld: boolean,
  rfc1337: boolean,
): TimeWaitVerdict {
  const flags = segment.flags;
  const isRst = (flags & TCP_RST) !== 0;
  const end = segmentEnd(segment);
  if (!isOld && segment.seq === entry.rcvNxt && (segment.seq === end || isRst)) {
    if (isRst && !rfc1337) queue.kill(entry);
    else {
      queue.refresh(entry, TIME_WAIT_NS);
      rememberTimestamp(entry, segment, nowNs);
    }
    return "nothing";
  }
  const timestamps = entry.hasTimestamps ? segment.options.timestamps : undefined;
  const isPureSyn = (flags & (TCP_SYN | TCP_RST | TCP_ACK)) === TCP_SYN;
  if (isPureSyn && !isOld && (seqAfter(segment.seq, entry.rcvNxt) || (timestamps !== undefined && ((entry.tsRecent - timestamps.value) | 0) < 0)))
    return "reopen";
  if (isRst) return "nothing";
  if (isOld || (flags & TCP_ACK) !== 0) queue.refresh(entry, TIME_WAIT_NS);
  return mayAcknowledge(queue, entry, nowNs);
}

function rememberTimestamp(entry: TimeWaitEntry, segment: TcpSegment, nowNs: number): void {
  const timestamps = segment.options.timestamps;
  if (!entry.hasTimestamps || timestamps === undefined) return;
  entry.tsRecent = timestamps.value;
  entry.tsRecentStampNs = nowNs;
}

/** net/ipv4/tcp_minisocks.c:tcp_timewait_check_oow_rate_limit. */
function mayAcknowledge(queue: TimeWaitQueue, entry: TimeWaitEntry, nowNs: number): TimeWaitVerdict {
  if (entry.lastAckNs >= 0 && nowNs - entry.lastAckNs < ACK_INTERVAL_NS) {
    if (entry.state === "TIME_WAIT") queue.extended.TCPACKSkippedTimeWait++;
    else queue.extended.TCPACKSkippedFinWait2++;
    return "nothing";
  }
  entry.lastAckNs = nowNs;
  return "acknowledge";
}
