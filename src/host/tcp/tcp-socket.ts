/**
 * One TCP connection: its control block (struct tcp_sock) and what its owner may do with it.
 *
 * The rules live beside it: tcp-input.ts for what arrives, tcp-output.ts for what leaves, tcp-timers.ts for what happens when nothing does.
 * A connection of a listener starts here in SYN_RECV, where Linux keeps a smaller request socket; its rules are tcp-listener.ts's.
 *
 * Linux v6.1 include/linux/tcp.h, net/ipv4/tcp.c; RFC 9293 section 3.3.
 */

import { broken } from "../../base/assert.ts";
import type { Ipv4Address } from "../../base/ipv4-address.ts";
import type { EventTarget } from "../../kernel/event-loop.ts";
import { Timer } from "../../kernel/timer.ts";
import { NO_TCP_OPTIONS, type TcpOptions } from "../../wire/packet.ts";
import type { NetDevice } from "../device.ts";
import type { Errno, SocketOwner, TcpEvents, TcpSocket, TcpStateName } from "../host.ts";
import { touchRow } from "../host-tables.ts";
import type { Route } from "../route.ts";
import { timerWheelDelay } from "../timer-wheel.ts";
import { Congestion } from "./congestion.ts";
import { RECEIVE_BUFFER_BYTES, TCP_MSS_DEFAULT } from "./limits.ts";
import { ReceiveQueue } from "./receive-queue.ts";
import { RttEstimator } from "./rtt.ts";
import { SendQueue } from "./send-queue.ts";
import { seqAdd } from "./sequence.ts";
import type { Tcp } from "./tcp.ts";
import type { TcpAcceptor } from "./tcp-listener.ts";
import { unchargeRead } from "./header-prediction.ts";
import { afterRead, sendActiveReset, sendFin, writeQueue } from "./tcp-output.ts";
import { onTcpTimer, type TcpTimerKind } from "./tcp-timers.ts";

/** SO_SNDBUF after autotuning: onWritable fires when less than this waits. */
export const SEND_LOW_WATER_BYTES = 65536;

/** Idle time, interval and number of keepalive probes (SO_KEEPALIVE with TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT). */
export interface KeepAlive {
  readonly idleNs: number;
  readonly intervalNs: number;
  readonly probes: number;
}

/** Which of its jobs the one retransmission timer is armed for (icsk_pending). */
export type RetransmitJob = "none" | "retransmit" | "loss-probe" | "reorder" | "window-probe";

export class TcpConnection implements TcpSocket, EventTarget {
  readonly tcp: Tcp;
  state: TcpStateName = "CLOSE";
  localAddress: Ipv4Address;
  localPort: number;
  remoteAddress: Ipv4Address;
  remotePort: number;
  owner: SocketOwner | undefined;
  device: NetDevice | undefined;
  mark: number;
  /** What the connection table keeps here. */
  hash = 0;
  tableOrder = 0;
  nextInSlot: TcpConnection | undefined = undefined;
  isHashed = false;
  /** SO_REUSEADDR, and whether bind chose the port: what later users of the port may do depends on it. */
  isReusable = false;
  isPortBound = false;
  /** Set while the connection belongs to a listener: in SYN_RECV or waiting for accept. */
  acceptor: TcpAcceptor | undefined = undefined;
  /** Place among the acceptor's connections in SYN_RECV; -1: none. */
  requestIndex = -1;

  route: Route | undefined = undefined;
  routeGeneration = -1;
  routeCheckedNs = 0;
  routeEpoch = 0;
  ttl: number;
  ipId: number;

  iss = 0;
  sndUna = 0;
  sndNxt = 0;
  /** End of what was queued, FIN included once it is. */
  writeSeq = 0;
  sndWnd = 0;
  sndWl1 = 0;
  maxWindow = 0;
  sndWscale = 0;
  /** End of the last small segment sent (Minshall's variant of Nagle). */
  sndSml = 0;
  noDelay = false;
  isFinQueued = false;
  readonly sendQueue = new SendQueue();
  isWriteBlocked = false;

  irs = 0;
  rcvNxt = 0;
  rcvWup = 0;
  rcvWnd = 0;
  rcvWscale = 0;
  rcvThreshold = 0;
  windowClamp = 0;
  receiveBufferBytes = RECEIVE_BUFFER_BYTES;
  readonly receiveQueue = new ReceiveQueue();
  isFinReceived = false;
  isPaused = false;
  /** For the growth of the receive buffer (tcp_rcv_space_adjust). */
  copiedBytes = 0;
  copiedMarkBytes = 0;
  copiedMarkNs = 0;
  copiedSpace = 0;

  hasTimestamps = false;
  hasSack = false;
  hasWindowScale = false;
  tsRecent = 0;
  tsRecentStampNs = -1;
  tsOffset = 0;
  lastAckSent = 0;
  /** The window field that the next segment in order is expected to carry (pred_flags); -1: none is expected. */
  predictedWindow = -1;
  /** Memory that the socket has been given and does not use (sk_forward_alloc). */
  spareBytes = 0;
  /** What received segments occupy until they are read. */
  heldBytes = 0;
  /** Where the last duplicate began that the peer was told of; -1: none. */
  duplicateSeq = -1;
  #optionsMs = -1;
  #optionsEcho = -1;
  #options: TcpOptions = NO_TCP_OPTIONS;

  advertisedMss = TCP_MSS_DEFAULT;
  mssClamp = TCP_MSS_DEFAULT;
  mssCache = TCP_MSS_DEFAULT;
  pmtuCookie = 0;
  receiveMss = TCP_MSS_DEFAULT;

  readonly congestion = new Congestion();
  readonly rtt: RttEstimator;
  isWindowLimited = false;
  retransmits = 0;
  retransmitStampNs = -1;
  probesOut = 0;
  duplicateAcks = 0;
  tlpHighSeq = 0;
  /** Where what a loss probe sent again ends, until it is known whether that was needed; 0: nothing. */
  tlpRepeatEnd = 0;
  /** Duplicates that the peer has told of (dsack_dups), and where the last recovery began; -1: there was none (undo_marker). */
  duplicatesTold = 0;
  undoMarker = -1;
  /** The most recently sent segment that was delivered (RACK): when it was sent, where it ends, how long it took. */
  rackSentNs = -1;
  rackEndSeq = 0;
  rackRttNs = 0;
  totalRetransmits = 0;
  lastSentNs = 0;
  rcvTimeNs = 0;
  softError: Errno | undefined = undefined;
  isConfirmPending = false;
  /** A system call of the owner is sending (sock_owned_by_user). */
  isInCall = false;
  wasSentInCall = false;

  /** A segment that came twice, to be told once (DSACK). */
  duplicate: readonly [number, number] | undefined = undefined;

  ackPending = false;
  isAckNow = false;
  ackPushed = 0;
  quickAcks = 0;
  isPingPong = false;
  atoNs = 0;
  lastReceivedNs = 0;
  /** The time that it last looked at a clock: when it sent, received or a timer ran, not when an ICMP error came (tcp_clock_cache). */
  clockNs = 0;
  lastChallengeNs = -1;
  lastOutOfWindowNs = -1;

  readonly retransmitTimer: Timer;
  retransmitJob: RetransmitJob = "none";
  ackTimer: Timer | undefined = undefined;
  /** Keepalive, or the end of FIN_WAIT2, or the SYN+ACK's retransmission: what Linux keeps in sk_timer and rsk_timer. */
  slowTimer: Timer | undefined = undefined;
  keepAlive: KeepAlive | undefined = undefined;
  synAckTimeouts = 0;
  synAckSentNs = 0;
  isHandshakeAcked = false;

  events: TcpEvents | undefined;
  /** The owner has closed: nobody reads, nobody is told (SOCK_DEAD). */
  isOrphan = false;
  isReceiveShutdown = false;
  isConnectedTold = false;
  isEndTold = false;
  #isDelivering = false;

  constructor(
    tcp: Tcp,
    local: { readonly address: Ipv4Address; readonly port: number },
    remote: { readonly address: Ipv4Address; readonly port: number },
    events: TcpEvents | undefined,
  ) {
    this.tcp = tcp;
    this.localAddress = local.address;
    this.localPort = local.port;
    this.remoteAddress = remote.address;
    this.remotePort = remote.port;
    this.owner = undefined;
    this.device = undefined;
    this.mark = 0;
    this.events = events;
    this.ttl = tcp.defaultTtl();
    this.ipId = tcp.randomId();
    this.rtt = new RttEstimator(tcp.tickNs);
    this.retransmitTimer = new Timer(tcp.host.loop, this, "retransmit");
  }

  get isListed(): boolean {
    return this.isHashed;
  }

  get receiveQueueBytes(): number {
    return this.receiveQueue.unreadBytes;
  }

  get sendQueueBytes(): number {
    if (this.state === "SYN_RECV" && this.acceptor !== undefined) return 0;
    return seqDistanceOf(this.sndUna, this.writeSeq);
  }

  get timer(): TcpSocket["timer"] {
    if (this.retransmitTimer.isArmed) {
      const name = this.retransmitJob === "window-probe" ? "probe" : "on";
      return { name, expiresAtNs: this.retransmitTimer.deadlineNs, retries: this.retransmitJob === "window-probe" ? this.probesOut : this.retransmits };
    }
    const slow = this.slowTimer;
    if (slow === undefined || !slow.isArmed) return undefined;
    if (this.state === "SYN_RECV") return { name: "on", expiresAtNs: slow.deadlineNs, retries: this.synAckTimeouts };
    return { name: this.state === "FIN_WAIT2" ? "timewait" : "keepalive", expiresAtNs: slow.deadlineNs, retries: this.probesOut };
  }

  get packetsOut(): number {
    return this.sendQueue.inFlightCount;
  }

  setEvents(events: TcpEvents): void {
    this.events = events;
    this.deliver();
  }

  setKeepAlive(keepAlive: KeepAlive | undefined): void {
    this.keepAlive = keepAlive;
    if (keepAlive !== undefined && (this.state === "ESTABLISHED" || this.state === "CLOSE_WAIT")) this.armSlowTimer(keepAlive.idleNs);
  }

  send(bytes: Uint8Array): boolean {
    if (this.isOrphan || this.isFinQueued || !canSend(this.state)) return false;
    if (bytes.length === 0) return true;
    this.sendQueue.push(bytes);
    this.writeSeq = seqAdd(this.writeSeq, bytes.length);
    this.isInCall = true;
    if (this.state !== "SYN_SENT" && this.state !== "SYN_RECV") writeQueue(this, false);
    this.isInCall = false;
    this.isWriteBlocked = this.sendQueue.unsentBytes > 0;
    touchRow(this.tcp.host, "sockets", this);
    return true;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.deliver();
  }

  shutdownWrite(): void {
    if (this.isOrphan) return;
    this.#closeWrite();
  }

  close(): void {
    if (this.isOrphan) return;
    this.isOrphan = true;
    this.events = undefined;
    this.isReceiveShutdown = true;
    if (this.state === "CLOSE") return;
    if (this.receiveQueue.unreadBytes > 0) {
      this.tcp.extended.TCPAbortOnClose++;
      this.#resetAndDie();
      return;
    }
    if (this.state === "SYN_SENT") {
      this.die();
      return;
    }
    this.#closeWrite();
    if (this.state === "FIN_WAIT2") this.tcp.leaveOrphanInFinWait2(this);
  }

  abort(): void {
    if (this.state === "CLOSE") return;
    this.isOrphan = true;
    this.events = undefined;
    this.#resetAndDie();
  }

  onEvent(argument: unknown): void {
    onTcpTimer(this, argument as TcpTimerKind);
    this.deliver();
  }

  /** Moves to another state, on the record. */
  setState(state: TcpStateName): void {
    const before = this.state;
    if (before === state) return;
    this.state = state;
    this.tcp.stateChanged(this, before, state);
  }

  /** The connection is over: no timer, no place in the table (tcp_done). */
  die(): void {
    if (this.acceptor !== undefined) this.acceptor.forget(this);
    this.retransmitTimer.disarm();
    this.retransmitJob = "none";
    this.ackTimer?.disarm();
    this.slowTimer?.disarm();
    this.tcp.remove(this);
    this.setState("CLOSE");
  }

  /** A small record stands for the connection from now on; the owner can still read what has arrived. */
  retireInto(): void {
    this.retransmitTimer.disarm();
    this.retransmitJob = "none";
    this.ackTimer?.disarm();
    this.slowTimer?.disarm();
    this.acceptor?.forget(this);
    this.tcp.remove(this);
    this.state = "CLOSE";
  }

  /** The connection is over by an error that its owner hears of (tcp_done). */
  fail(errno: Errno): void {
    if (this.state === "SYN_SENT" || this.state === "SYN_RECV") this.tcp.counters.AttemptFails++;
    this.sendQueue.clear();
    this.die();
    const events = this.events;
    this.isOrphan = true;
    this.events = undefined;
    events?.onError?.(errno);
  }

  armRetransmit(job: RetransmitJob, delayNs: number): void {
    this.retransmitJob = job;
    this.retransmitTimer.arm(this.#wheelDelay(delayNs));
  }

  disarmRetransmit(): void {
    this.retransmitJob = "none";
    this.retransmitTimer.disarm();
  }

  armAckTimer(delayNs: number): void {
    this.ackTimer ??= new Timer(this.tcp.host.loop, this, "ack");
    this.ackTimer.arm(this.#wheelDelay(delayNs));
  }

  armSlowTimer(delayNs: number): void {
    this.slowTimer ??= new Timer(this.tcp.host.loop, this, "slow");
    this.slowTimer.arm(this.#wheelDelay(delayNs));
  }

  /** The same wheel as that of the neighbours: a third SYN and the end of the ARP request that it waits for fall into one tick. */
  #wheelDelay(delayNs: number): number {
    return timerWheelDelay(this.tcp.host.loop.nowNs, delayNs, this.tcp.host.options.hz);
  }

  /** The timestamps option for now, shared by all segments of one millisecond. */
  timestampOptions(): TcpOptions {
    const ms = this.timestampNow();
    if (ms !== this.#optionsMs || this.tsRecent !== this.#optionsEcho) {
      this.#optionsMs = ms;
      this.#optionsEcho = this.tsRecent;
      this.#options = { timestamps: { value: ms, echo: this.tsRecent } };
    }
    return this.#options;
  }

  timestampNow(): number {
    return this.tcp.timestampAt(this.tsOffset);
  }

  /**
   * Hands what has arrived to the owner, after all protocol work on a segment is done: a process reads later than the kernel acknowledges.
   */
  deliver(): void {
    touchRow(this.tcp.host, "sockets", this);
    if (this.#isDelivering || this.isOrphan || this.events === undefined) return;
    this.#isDelivering = true;
    try {
      this.#deliverAll();
    } finally {
      this.#isDelivering = false;
    }
  }

  #deliverAll(): void {
    if (!this.isConnectedTold && this.state !== "SYN_SENT" && this.state !== "SYN_RECV" && this.state !== "CLOSE") {
      this.isConnectedTold = true;
      this.events?.onConnected?.();
    }
    while (!this.isPaused && this.events !== undefined && this.receiveQueue.unreadBytes > 0) {
      const bytes = this.receiveQueue.read();
      unchargeRead(this);
      this.copiedBytes += bytes.length;
      afterRead(this, bytes.length);
      this.events.onData?.(bytes);
    }
    if (this.isFinReceived && !this.isEndTold && !this.isPaused && this.receiveQueue.unreadBytes === 0 && this.events !== undefined) {
      this.isEndTold = true;
      this.events.onEnd?.();
    }
    if (this.isWriteBlocked && this.events !== undefined && this.sendQueue.unsentBytes < SEND_LOW_WATER_BYTES && canSend(this.state)) {
      this.isWriteBlocked = false;
      this.events.onWritable?.();
    }
  }

  #closeWrite(): void {
    switch (this.state) {
      case "SYN_RECV":
      case "ESTABLISHED":
        this.setState("FIN_WAIT1");
        sendFin(this);
        break;
      case "CLOSE_WAIT":
        this.setState("LAST_ACK");
        sendFin(this);
        break;
      case "SYN_SENT":
        this.isFinQueued = true;
        break;
      default:
        break;
    }
  }

  #resetAndDie(): void {
    switch (this.state) {
      case "ESTABLISHED":
      case "FIN_WAIT1":
      case "FIN_WAIT2":
      case "CLOSE_WAIT":
      case "SYN_RECV":
      case "CLOSING":
      case "LAST_ACK":
        sendActiveReset(this);
        break;
      default:
        break;
    }
    this.sendQueue.clear();
    this.die();
  }
}

function canSend(state: TcpStateName): boolean {
  return state === "ESTABLISHED" || state === "CLOSE_WAIT" || state === "SYN_SENT" || state === "SYN_RECV";
}

function seqDistanceOf(from: number, to: number): number {
  const distance = (to - from) | 0;
  if (distance < 0) broken(`sequence distance must not be negative, got ${distance}`);
  return distance;
}
