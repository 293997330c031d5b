/**
 * The TCP protocol of one host: finds the socket of a segment, answers what has none, opens and removes sockets.
 *
 * Linux v6.1 net/ipv4/tcp_ipv4.c:tcp_v4_rcv, tcp_v4_err, tcp_v4_send_reset, tcp_v4_connect, inet_hashtables.c; RFC 9293, RFC 5927.
 * Not modelled: fast open, MD5, urgent data, ECN, MTU probing, socket memory limits across sockets.
 */

import type { Ipv4Address } from "../../base/ipv4-address.ts";
import { NS_PER_MS, NS_PER_SECOND } from "../../base/time.ts";
import type { RandomStream } from "../../kernel/random.ts";
import type { DropReason } from "../../trace/events.ts";
import { type IcmpMessage, Ipv4Packet, PROTOCOL_TCP, TCP_ACK, TCP_RST, TcpSegment } from "../../wire/packet.ts";
import type { NetDevice } from "../device.ts";
import {
  type Errno,
  type Host,
  isRouteError,
  type ProtocolHandler,
  type SendOptions,
  type SocketOwner,
  type TcpEvents,
  type TcpListener,
  type TcpProtocol,
  type TcpSocket,
} from "../host.ts";
import { formatEnd, touchRow } from "../host-tables.ts";
import type { TcpCounters, TcpExtCounters } from "../mib.ts";
import type { Route } from "../route.ts";
import { routeConnect } from "../route-connect.ts";
import type { SkBuff } from "../skb.ts";
import type { SentSegment } from "./send-queue.ts";
import { RECEIVE_BUFFER_MAX_BYTES } from "./limits.ts";
import { keyedHash, seqAdd } from "./sequence.ts";
import { SocketTable } from "./socket-table.ts";
import { applyIcmpError, type IcmpEffect, icmpEffect } from "./tcp-icmp.ts";
import { receiveSegment, segmentEnd } from "./tcp-input.ts";
import { TcpAcceptor } from "./tcp-listener.ts";
import { advertisedMss, selectInitialWindow, selectWindow, sendSyn, syncMss } from "./tcp-output.ts";
import { PortTable } from "./tcp-ports.ts";
import { LocalPortRange, registerTcpSettings, type TcpSettings } from "./tcp-settings.ts";
import { TcpConnection } from "./tcp-socket.ts";
import { receiveInTimeWait, TIME_WAIT_NS, TimeWaitEntry, TimeWaitQueue } from "./time-wait.ts";

/** A route is looked up again after this long even when nothing is known to have changed: learnt path MTUs age. */
const ROUTE_TRUST_NS = NS_PER_SECOND;
const BACKLOG_DEFAULT = 128;
/** A record that lives no longer is counted as killed (inet_timewait_sock.c:__inet_twsk_schedule). */
const TIME_WAIT_KILLED_NS = 4 * NS_PER_SECOND;
const CONNECTIONS_MAX = 1 << 20;

export interface ConnectOptions {
  readonly address: Ipv4Address;
  readonly port: number;
  readonly localAddress?: Ipv4Address;
  readonly localPort?: number;
  readonly reuseAddress?: boolean;
  readonly owner?: SocketOwner;
  readonly device?: NetDevice;
  readonly mark?: number;
}

export class Tcp implements TcpProtocol, ProtocolHandler {
  readonly host: Host;
  readonly settings: TcpSettings;
  readonly counters: TcpCounters;
  readonly extended: TcpExtCounters;
  readonly secret: number;
  readonly tickNs: number;
  readonly #random: RandomStream;
  readonly #ports: PortTable;
  readonly #range: LocalPortRange;
  readonly #connections = new SocketTable<TcpConnection>();
  readonly #timeWaits = new SocketTable<TimeWaitEntry>();
  readonly #timeWaitQueue: TimeWaitQueue;
  readonly #listeners = new Map<number, TcpAcceptor[]>();
  #routeEpoch = 0;
  /** Given to IP with every segment of a connection; IP reads it before it returns. */
  readonly #sendOptions: { route: Route | undefined; device: NetDevice | undefined; mark: number; keepId: boolean; original: SentSegment | undefined; confirmsNeighbour: boolean } = {
    route: undefined,
    device: undefined,
    mark: 0,
    keepId: true,
    original: undefined,
    confirmsNeighbour: false,
  };

  constructor(host: Host) {
    this.host = host;
    this.counters = host.mib.tcp;
    this.extended = host.mib.tcpExt;
    this.settings = registerTcpSettings(host.sysctl);
    this.#range = new LocalPortRange(host.sysctl);
    this.#random = host.random("tcp");
    this.secret = this.#random.next32();
    this.#ports = new PortTable(host.random("tcp-ports"));
    this.#timeWaitQueue = new TimeWaitQueue(this);
    this.tickNs = Math.trunc(NS_PER_SECOND / host.options.hz);
    host.ip.registerProtocol(PROTOCOL_TCP, this);
  }

  get sockets(): readonly TcpSocket[] {
    const list: TcpSocket[] = this.#connections.list();
    return list.concat(this.#timeWaitQueue.list());
  }

  get listeners(): readonly TcpListener[] {
    return [...this.#listeners.values()].flat();
  }

  /* ---------------------------------------------------------------------------------------------------------- sockets */

  listen(
    options: {
      readonly address: Ipv4Address;
      readonly port: number;
      readonly backlog?: number;
      readonly owner?: SocketOwner;
      readonly deferAcceptSeconds?: number;
      readonly noReuseAddress?: boolean;
    },
    onAccept: (socket: TcpSocket) => TcpEvents,
  ): TcpListener | Errno {
    const address = options.address;
    if (address !== 0 && !this.#mayBind(address)) return "EADDRNOTAVAIL";
    const isReusable = options.noReuseAddress !== true;
    const port = options.port === 0 ? this.#ports.chooseForBind(this.#localRange()) : options.port;
    if (port === undefined) return "EADDRINUSE";
    const others = this.#listeners.get(port) ?? [];
    if (others.some((other) => other.localAddress === address || other.localAddress === 0 || address === 0)) return "EADDRINUSE";
    if (others.length === 0 && this.#ports.hasConflict(port, isReusable)) return "EADDRINUSE";
    const backlog = Math.min(options.backlog ?? BACKLOG_DEFAULT, this.settings.somaxconn.value);
    const listener = new TcpAcceptor(
      this,
      { address, port, backlog, owner: options.owner, deferAcceptSeconds: options.deferAcceptSeconds ?? 0, isReusable },
      onAccept,
    );
    this.#listeners.set(port, [...others, listener]);
    touchRow(this.host, "sockets", listener);
    this.#ports.take(port, { isBound: true, isReusable });
    return listener;
  }

  removeListener(listener: TcpAcceptor): void {
    const left = (this.#listeners.get(listener.localPort) ?? []).filter((other) => other !== listener);
    if (left.length === 0) this.#listeners.delete(listener.localPort);
    else this.#listeners.set(listener.localPort, left);
    this.#ports.release(listener.localPort, { isBound: true, isReusable: listener.isReusable });
    touchRow(this.host, "sockets", listener);
  }

  /** net/ipv4/tcp_ipv4.c:tcp_v4_connect. */
  connect(options: ConnectOptions, events: TcpEvents): TcpSocket | Errno {
    const bound = options.localAddress ?? 0;
    const isReusable = options.reuseAddress === true;
    if (bound !== 0 && !this.#mayBind(bound)) return "EADDRNOTAVAIL";
    if (options.localPort !== undefined && options.localPort !== 0 && this.#ports.hasConflict(options.localPort, isReusable)) return "EADDRINUSE";
    const destination = options.address === 0 ? 0x7f000001 : options.address;
    const route = routeConnect(this.host.routing, { dst: destination, src: bound, device: options.device, mark: options.mark ?? 0 });
    if (isRouteError(route)) {
      if (route.errno === "ENETUNREACH") this.host.mib.ip.OutNoRoutes++;
      return route.errno;
    }
    if (route.type === "broadcast" || route.type === "multicast") return "ENETUNREACH";
    const source = bound !== 0 ? bound : route.source;
    if (this.#connections.size >= CONNECTIONS_MAX) return "ENOBUFS";
    const port = this.#portFor(options.localPort ?? 0, source, destination, options.port);
    if (port === undefined) return "EADDRNOTAVAIL";
    const conn = new TcpConnection(this, { address: source, port }, { address: destination, port: options.port }, events);
    conn.owner = options.owner;
    conn.device = options.device;
    conn.mark = options.mark ?? 0;
    conn.isReusable = isReusable;
    conn.isPortBound = (options.localPort ?? 0) !== 0;
    this.#rememberRoute(conn, route);
    this.#start(conn, route);
    return conn;
  }

  #start(conn: TcpConnection, route: Route): void {
    conn.hasTimestamps = this.settings.timestamps.value > 0;
    conn.hasSack = this.settings.sack.value > 0;
    conn.hasWindowScale = this.settings.windowScaling.value > 0;
    conn.advertisedMss = advertisedMss(route);
    conn.mssClamp = 65535;
    selectInitialWindow(conn, conn.advertisedMss);
    conn.rcvWnd = Math.min(conn.rcvWnd, 65535);
    syncMss(conn, route.mtu);
    conn.tsOffset = this.timestampOffset(conn);
    conn.iss = this.initialSequence(conn);
    conn.sndUna = conn.iss;
    conn.sndNxt = conn.iss;
    conn.writeSeq = seqAdd(conn.iss, 1);
    conn.sndSml = conn.iss;
    this.insert(conn);
    this.counters.ActiveOpens++;
    conn.setState("SYN_SENT");
    conn.isInCall = true;
    sendSyn(conn);
    conn.isInCall = false;
  }

  /** The port asked for, or a free one; undefined when the connection would not be unique. */
  #portFor(wanted: number, src: Ipv4Address, dst: Ipv4Address, dstPort: number): number | undefined {
    if (wanted !== 0) return this.#isUnique(src, wanted, dst, dstPort, true) ? wanted : undefined;
    return this.#ports.choose(this.#localRange(), { src, dst, dstPort }, (port) => this.#isUnique(src, port, dst, dstPort, false));
  }

  /** net/ipv4/inet_hashtables.c:__inet_check_established; tcp_twsk_unique: a port that was asked for may follow its own TIME_WAIT at once. */
  #isUnique(localAddress: Ipv4Address, localPort: number, remoteAddress: Ipv4Address, remotePort: number, isAskedFor: boolean): boolean {
    if (this.#connections.find(localAddress, localPort, remoteAddress, remotePort) !== undefined) return false;
    const old = this.#timeWaits.find(localAddress, localPort, remoteAddress, remotePort);
    if (old === undefined) return true;
    if (!old.hasTimestamps || old.tsRecentStampNs < 0) return false;
    const reuse = this.settings.twReuse.value;
    const mayReuse = reuse === 1 || (reuse === 2 && (remoteAddress >>> 24 === 127 || localAddress >>> 24 === 127));
    if (!isAskedFor && (!mayReuse || this.host.loop.nowNs - old.tsRecentStampNs < NS_PER_SECOND)) return false;
    this.#reusedSequence = seqAdd(old.sndNxt, 65535 + 2);
    this.#timeWaitQueue.kill(old);
    this.extended.TWRecycled++;
    return true;
  }

  #reusedSequence = 0;

  #localRange(): { readonly low: number; readonly high: number } {
    return this.#range;
  }

  #mayBind(address: Ipv4Address): boolean {
    if (this.host.addresses.isOwn(address) || address >>> 24 === 127) return true;
    return this.settings.nonlocalBind.value !== 0;
  }

  /* ----------------------------------------------------------------------------------------------------------- tables */

  insert(conn: TcpConnection): void {
    conn.isHashed = true;
    this.#connections.insert(conn);
    touchRow(this.host, "sockets", conn);
    this.#ports.take(conn.localPort, { isBound: conn.isPortBound, isReusable: conn.isReusable });
  }

  remove(conn: TcpConnection): void {
    if (!conn.isHashed) return;
    conn.isHashed = false;
    touchRow(this.host, "sockets", conn);
    this.#connections.remove(conn);
    this.#ports.release(conn.localPort, { isBound: conn.isPortBound, isReusable: conn.isReusable });
  }

  removeTimeWait(entry: TimeWaitEntry): void {
    this.#timeWaits.remove(entry);
    touchRow(this.host, "sockets", entry);
    this.#ports.release(entry.localPort, { isBound: entry.isPortBound, isReusable: entry.isReusable });
    if (this.host.trace.isFull) this.#traceState(entry, entry.state, "CLOSE");
  }

  /** A listener bound to the address comes before one bound to any. */
  #findListener(address: Ipv4Address, port: number): TcpAcceptor | undefined {
    const list = this.#listeners.get(port);
    if (list === undefined) return undefined;
    let any: TcpAcceptor | undefined;
    for (const listener of list) {
      if (listener.localAddress === address) return listener;
      if (listener.localAddress === 0) any = listener;
    }
    return any;
  }

  /* ---------------------------------------------------------------------------------------------------------- receiving */

  /** net/ipv4/tcp_ipv4.c:tcp_v4_rcv. */
  receive(skb: SkBuff): void {
    if (skb.packetType !== "host") {
      this.drop(skb, "OTHERHOST", "TCP to a broadcast or multicast address");
      return;
    }
    const segment = skb.tcp;
    this.counters.InSegs++;
    this.#dispatch(skb, segment);
  }

  #dispatch(skb: SkBuff, segment: TcpSegment): void {
    const ip = skb.ip;
    const conn = this.#connections.find(ip.dst, segment.dstPort, ip.src, segment.srcPort);
    if (conn !== undefined) {
      this.#receiveForConnection(conn, skb, segment);
      return;
    }
    const entry = this.#timeWaits.find(ip.dst, segment.dstPort, ip.src, segment.srcPort);
    if (entry !== undefined) {
      this.#receiveForTimeWait(entry, skb, segment);
      return;
    }
    const listener = this.#findListener(ip.dst, segment.dstPort);
    if (listener === undefined) {
      this.drop(skb, "NO_SOCKET", `nobody listens on port ${segment.dstPort}`);
      this.sendReset(skb, segment);
    } else if (!listener.receive(skb, segment, undefined)) this.sendReset(skb, segment);
  }

  #receiveForConnection(conn: TcpConnection, skb: SkBuff, segment: TcpSegment): void {
    const acceptor = conn.acceptor;
    if (acceptor !== undefined && conn.state === "SYN_RECV") {
      if (!acceptor.receiveInSynRecv(conn, segment)) this.sendReset(skb, segment);
      return;
    }
    const verdict = receiveSegment(conn, segment);
    if (verdict === "reset") this.sendReset(skb, segment);
    else if (verdict === "discard")
      this.drop(skb, "TCP_INVALID", `in ${conn.state}: seq ${segment.seq}, ack ${segment.ack}; expected ${conn.rcvNxt}, ${conn.sndUna}..${conn.sndNxt}`);
    conn.deliver();
  }

  #receiveForTimeWait(entry: TimeWaitEntry, skb: SkBuff, segment: TcpSegment): void {
    touchRow(this.host, "sockets", entry);
    const verdict = receiveInTimeWait(this.#timeWaitQueue, entry, segment, this.host.loop.nowNs, this.settings.rfc1337.value !== 0);
    switch (verdict) {
      case "nothing":
        return;
      case "reset":
        this.sendReset(skb, segment);
        return;
      case "reopen": {
        const listener = this.#findListener(skb.ip.dst, segment.dstPort);
        if (listener === undefined) break;
        const isn = seqAdd(entry.sndNxt, 65535 + 2) || 1;
        this.#timeWaitQueue.kill(entry);
        listener.receive(skb, segment, isn);
        return;
      }
      case "acknowledge":
        break;
    }
    this.#acknowledgeForTimeWait(entry);
  }

  #acknowledgeForTimeWait(entry: TimeWaitEntry): void {
    const segment = new TcpSegment(entry.localPort, entry.remotePort, entry.sndNxt, entry.rcvNxt, TCP_ACK, entry.windowField);
    if (entry.hasTimestamps) {
      segment.options = { timestamps: { value: this.timestampAt(entry.tsOffset), echo: entry.tsRecent } };
      segment.optionBytes = 12;
    }
    this.#sendReply(entry.localAddress, entry.remoteAddress, segment);
  }

  /** RST for a segment that has no place here; never for a RST (tcp_v4_send_reset). */
  sendReset(skb: SkBuff, segment: TcpSegment): void {
    if ((segment.flags & TCP_RST) !== 0) return;
    const hasAck = (segment.flags & TCP_ACK) !== 0;
    const reply = new TcpSegment(
      segment.dstPort,
      segment.srcPort,
      hasAck ? segment.ack : 0,
      hasAck ? 0 : segmentEnd(segment),
      hasAck ? TCP_RST : TCP_RST | TCP_ACK,
      0,
    );
    this.counters.OutRsts++;
    this.#sendReply(skb.ip.dst, skb.ip.src, reply);
  }

  #sendReply(src: Ipv4Address, dst: Ipv4Address, segment: TcpSegment): void {
    const packet = new Ipv4Packet(src, dst, PROTOCOL_TCP, this.defaultTtl(), segment);
    packet.dontFragment = true;
    this.counters.OutSegs++;
    this.host.ip.send(packet, { keepId: true });
  }

  /** net/ipv4/tcp_ipv4.c:tcp_v4_err. */
  error(_skb: SkBuff, icmp: IcmpMessage, quoted: Ipv4Packet): void {
    const effect = icmpEffect(icmp, quoted);
    if (effect === undefined) return;
    if (effect.kind === "redirect" || effect.kind === "too-big") this.#routeEpoch++;
    const conn = this.#connections.find(quoted.src, effect.localPort, quoted.dst, effect.remotePort);
    if (conn === undefined) {
      if (this.#timeWaits.find(quoted.src, effect.localPort, quoted.dst, effect.remotePort) === undefined) this.host.mib.icmp.InErrors++;
      return;
    }
    if (conn.wasSentInCall && effect.kind !== "too-big") this.extended.LockDroppedIcmps++;
    this.#applyIcmp(conn, effect);
    conn.deliver();
  }

  #applyIcmp(conn: TcpConnection, effect: IcmpEffect): void {
    if (effect.kind === "too-big" && conn.state !== "CLOSE")
      this.host.routing.learnMtu(conn.remoteAddress, effect.mtu, { src: conn.localAddress, mark: conn.mark });
    applyIcmpError(conn, effect);
  }

  /* ------------------------------------------------------------------------------------------------------------ sending */

  /** Gives one segment of a connection to IP (__tcp_transmit_skb, ip_queue_xmit). */
  sendSegment(conn: TcpConnection, segment: TcpSegment, isSynAck: boolean, original: SentSegment | undefined): Errno | undefined {
    const packet = new Ipv4Packet(conn.localAddress, conn.remoteAddress, PROTOCOL_TCP, conn.ttl, segment);
    const route = this.routeOf(conn);
    packet.dontFragment = route === undefined || !route.mtuLocked;
    // SYN+ACK is sent before there is a socket that counts.
    if (!isSynAck) {
      packet.id = conn.ipId;
      conn.ipId = (conn.ipId + 1) & 0xffff;
    }
    const options = this.#sendOptions;
    options.confirmsNeighbour = conn.isConfirmPending;
    if (route !== undefined) conn.isConfirmPending = false;
    conn.wasSentInCall = conn.isInCall;
    options.route = route;
    options.device = conn.device;
    options.mark = conn.mark;
    options.original = original;
    const errno = this.host.ip.send(packet, options as SendOptions);
    if (errno !== undefined && route === undefined) conn.softError = errno;
    return errno;
  }

  /** The connection's route; looked up again when something may have changed. Undefined: there is none now. */
  routeOf(conn: TcpConnection): Route | undefined {
    const now = this.host.loop.nowNs;
    if (
      conn.route !== undefined &&
      conn.routeGeneration === this.host.fib.generation &&
      conn.routeEpoch === this.#routeEpoch &&
      now - conn.routeCheckedNs < ROUTE_TRUST_NS
    )
      return conn.route;
    const route = this.host.routing.output({ dst: conn.remoteAddress, src: conn.localAddress, device: conn.device, mark: conn.mark });
    if (isRouteError(route)) {
      conn.route = undefined;
      return undefined;
    }
    this.#rememberRoute(conn, route);
    return route;
  }

  forgetRoute(conn: TcpConnection): void {
    conn.route = undefined;
  }

  #rememberRoute(conn: TcpConnection, route: Route): void {
    conn.route = route;
    conn.routeGeneration = this.host.fib.generation;
    conn.routeEpoch = this.#routeEpoch;
    conn.routeCheckedNs = this.host.loop.nowNs;
  }

  /* ---------------------------------------------------------------------------------------------------------- endings */

  /** net/ipv4/tcp_minisocks.c:tcp_time_wait. */
  enterTimeWait(conn: TcpConnection): void {
    this.#shrink(conn, "TIME_WAIT", TIME_WAIT_NS);
  }

  /** FIN_WAIT2 without an owner lives for tcp_fin_timeout, the last minute of it as a small record. */
  leaveOrphanInFinWait2(conn: TcpConnection): void {
    const lifetimeNs = this.settings.finTimeout.value * NS_PER_SECOND;
    if (lifetimeNs > TIME_WAIT_NS) conn.armSlowTimer(lifetimeNs - TIME_WAIT_NS);
    else this.#shrink(conn, "FIN_WAIT2", lifetimeNs);
  }

  orphanTimedOut(conn: TcpConnection): void {
    const lifetimeNs = Math.min(this.settings.finTimeout.value * NS_PER_SECOND, TIME_WAIT_NS);
    this.#shrink(conn, "FIN_WAIT2", lifetimeNs);
  }

  #shrink(conn: TcpConnection, state: "TIME_WAIT" | "FIN_WAIT2", lifetimeNs: number): void {
    if (this.#timeWaitQueue.count >= this.settings.maxTimeWaitBuckets.value) {
      this.extended.TCPTimeWaitOverflow++;
      conn.die();
      return;
    }
    const entry = new TimeWaitEntry(state, {
      localAddress: conn.localAddress,
      localPort: conn.localPort,
      remoteAddress: conn.remoteAddress,
      remotePort: conn.remotePort,
      isReusable: conn.isReusable,
      isPortBound: conn.isPortBound,
      sndNxt: conn.sndNxt,
      windowField: Math.min(selectWindow(conn) >>> conn.rcvWscale, 65535),
      windowBytes: conn.rcvWnd,
    });
    entry.rcvNxt = conn.rcvNxt;
    entry.hasTimestamps = conn.hasTimestamps;
    entry.tsRecent = conn.tsRecent;
    entry.tsRecentStampNs = conn.tsRecentStampNs;
    entry.tsOffset = conn.tsOffset;
    if (state === "TIME_WAIT") conn.setState("TIME_WAIT");
    conn.retireInto();
    this.#timeWaits.insert(entry);
    this.#ports.take(entry.localPort, { isBound: entry.isPortBound, isReusable: entry.isReusable });
    this.#timeWaitQueue.add(entry, lifetimeNs);
    touchRow(this.host, "sockets", entry);
    if (lifetimeNs <= TIME_WAIT_KILLED_NS) this.extended.TWKilled++;
    else this.extended.TW++;
  }

  /* ---------------------------------------------------------------------------------------------------- numbers and names */

  defaultTtl(): number {
    return this.settings.defaultTtl.value;
  }

  randomId(): number {
    return this.#random.next32() & 0xffff;
  }

  receiveBufferMax(): number {
    return RECEIVE_BUFFER_MAX_BYTES;
  }

  /** RFC 6528 as net/core/secure_seq.c does it: a hash of the connection plus a clock of 64 ns. */
  initialSequence(conn: TcpConnection): number {
    if (this.#reusedSequence !== 0) {
      const reused = this.#reusedSequence;
      this.#reusedSequence = 0;
      return reused;
    }
    const hash = keyedHash(this.secret, conn.localAddress, conn.remoteAddress, (conn.localPort << 16) | conn.remotePort);
    return (hash + Math.trunc(this.host.loop.nowNs / 64)) % 0x100000000;
  }

  /** One offset for a pair of addresses, so that timestamps of successive connections grow (secure_tcp_ts_off). */
  timestampOffset(conn: TcpConnection): number {
    return keyedHash(this.secret ^ 0x5bd1e995, conn.localAddress, conn.remoteAddress, 0);
  }

  timestampAt(offset: number): number {
    return (Math.trunc(this.host.loop.nowNs / NS_PER_MS) + offset) >>> 0;
  }

  drop(skb: SkBuff, reason: DropReason, detail: string): void {
    if (this.host.trace.isFull) this.host.trace.emit({ kind: "packet-dropped", host: this.host.name, cause: skb.cause, reason, packet: skb.recorded, detail });
  }

  stateChanged(conn: TcpConnection, before: string, after: string): void {
    if (after === "CLOSE" && (before === "ESTABLISHED" || before === "CLOSE_WAIT")) this.counters.EstabResets++;
    touchRow(this.host, "sockets", conn);
    if (this.host.trace.isFull) this.#traceState(conn, before, after);
  }

  #traceState(socket: TcpSocket, before: string, after: string): void {
    this.host.trace.emit({
      kind: "tcp-state",
      host: this.host.name,
      cause: 0,
      socket: `${formatEnd(socket.localAddress, socket.localPort)} ${formatEnd(socket.remoteAddress, socket.remotePort)}`,
      before,
      after,
    });
  }
}
