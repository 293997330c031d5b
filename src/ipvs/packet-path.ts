/**
 * Where packets meet IPVS: the functions on netfilter's hooks.
 *
 *   LOCAL_IN    98 replies, 99 requests      FORWARD 99 ICMP errors to marked services, 100 replies      LOCAL_OUT -99 replies, -98 requests
 *
 * Linux v6.1 net/netfilter/ipvs/ip_vs_core.c (ip_vs_ops4, ip_vs_in_hook, ip_vs_out_hook, handle_response, ip_vs_in_icmp, ip_vs_out_icmp).
 */

import { NF_FORWARD, NF_LOCAL_IN, NF_LOCAL_OUT, type HookState, type Verdict } from "../host/netfilter/hooks.ts";
import { SkBuff } from "../host/skb.ts";
import {
  GrePacket,
  GuePacket,
  ICMP_DEST_UNREACH,
  ICMP_FRAG_NEEDED,
  ICMP_PORT_UNREACH,
  ICMP_SOURCE_QUENCH,
  ICMP_TIME_EXCEEDED,
  IcmpMessage,
  Ipv4Packet,
  PROTOCOL_ICMP,
  PROTOCOL_SCTP,
  PROTOCOL_TCP,
  type RawPayload,
  TCP_RST,
  TCP_SYN,
  TcpSegment,
  UdpDatagram,
} from "../wire/packet.ts";
import { CONN_CONNTRACK, CONN_NO_CLIENT_PORT, CONN_ONE_PACKET, type Connection } from "./connection.ts";
import type { Connections } from "./connections.ts";
import { type Director, FTP_PORT, isSupportedProtocol, PacketKey } from "./director.ts";
import { FtpHelper, isFtpControl } from "./ftp-helper.ts";
import { touchDest } from "./ipvs-tables.ts";
import { rewriteQuoted } from "./quoted.ts";
import { isSctpInit, sctpEvent } from "./sctp-states.ts";
import { scheduleNew } from "./scheduling.ts";
import { transmit, transmitIcmp, untrack, updateConntrack } from "./transmit.ts";

const MIN_MTU = 68;
const IPV4_HEADER_BYTES = 20;
const ICMP_HEADER_BYTES = 8;

export class PacketPath {
  readonly #director: Director;
  readonly #connections: Connections;
  /** Filled anew for each packet; a nested packet (an ICMP error sent on the way) comes after its last use. */
  readonly #key = new PacketKey();
  readonly #ftp: FtpHelper;
  #undo: (() => void)[] = [];

  constructor(director: Director, connections: Connections) {
    this.#director = director;
    this.#connections = connections;
    this.#ftp = new FtpHelper(director, connections);
  }

  /** On the first service. */
  registerHooks(): void {
    if (this.#undo.length > 0) return;
    const { hooks } = this.#director.host;
    const replies = (skb: SkBuff, state: HookState) => this.#replyHook(skb, state);
    const requests = (skb: SkBuff, state: HookState) => this.#requestHook(skb, state);
    this.#undo = [
      hooks.register(NF_LOCAL_IN, 98, replies),
      hooks.register(NF_LOCAL_IN, 99, requests),
      hooks.register(NF_LOCAL_OUT, -99, replies),
      hooks.register(NF_LOCAL_OUT, -98, requests),
      hooks.register(NF_FORWARD, 99, (skb) => this.#forwardIcmpHook(skb)),
      hooks.register(NF_FORWARD, 100, replies),
    ];
  }

  /** With the last service. */
  unregisterHooks(): void {
    for (const undo of this.#undo) undo();
    this.#undo = [];
  }

  /* ------------------------------------------------------------------------------------------------------ requests */

  #requestHook(skb: SkBuff, state: HookState): Verdict {
    if (skb.isIpvsHandled) return "ACCEPT";
    const director = this.#director;
    if (skb.packetType !== "host" && state.hook !== NF_LOCAL_OUT) return "ACCEPT";
    if (this.#isBackupOnly()) return "ACCEPT";
    if (skb.ip.protocol === PROTOCOL_ICMP) return this.#errorAboutReply(skb) ?? "ACCEPT";
    if (!isSupportedProtocol(skb.ip.protocol)) {
      if (director.settings.ignore_tunneled.value !== 0) skb.isIpvsHandled = true;
      return "ACCEPT";
    }
    const key = this.#key;
    if (!key.read(skb.ip)) return "ACCEPT";
    let connection =
      director.table.findIn(key.protocol, key.sourceAddress, key.sourcePort, key.destinationAddress, key.destinationPort) ??
      (director.noClientPortCount > 0 ? director.table.findIn(key.protocol, key.sourceAddress, 0, key.destinationAddress, key.destinationPort) : undefined);
    if (connection !== undefined && isOpeningPacket(key, skb)) {
      const reused = this.#reuse(connection, skb);
      if (reused === "drop") return this.#drop(skb, "the entry still owns an old conntrack entry");
      connection = reused;
    }
    if (connection?.dest !== undefined && !connection.dest.available) {
      if (director.settings.expire_nodest_conn.value === 0) return this.#drop(skb, "its real server was removed; expire_nodest_conn = 0");
      const ownsOld = usesOldConntrack(connection, skb);
      if (!ownsOld) connection.flags &= ~CONN_CONNTRACK;
      this.#connections.expireNow(connection);
      if (ownsOld) return this.#drop(skb, "the entry still owns an old conntrack entry");
      connection = undefined;
    }
    if (connection === undefined) {
      const result = scheduleNew(director, this.#connections, skb, key);
      if (result === "pass") return "ACCEPT";
      if (result === "drop") return "DROP";
      connection = result;
    }
    return this.#request(connection, skb, key);
  }

  /** A backup that is a real server itself leaves packets to the local stack (sysctl_backup_only). */
  #isBackupOnly(): boolean {
    const director = this.#director;
    return director.backup !== undefined && director.settings.backup_only.value !== 0;
  }

  #request(connection: Connection, skb: SkBuff, key: PacketKey): Verdict {
    const director = this.#director;
    this.#countIn(connection, key.lengthBytes);
    this.#connections.setState(connection, false, key.protocol === PROTOCOL_SCTP ? (sctpEvent((skb.ip.payload as RawPayload).bytes) ?? 0) : key.tcpFlags);
    if (connection.method === "masq") this.#help(connection, skb, key);
    const verdict = transmit(director, connection, skb);
    const packets = (connection.flags & CONN_ONE_PACKET) !== 0 ? director.settings.sync_threshold.counter : ++connection.inPackets;
    if (director.syncConnection !== undefined) director.syncConnection(connection, packets);
    else if ((connection.flags & CONN_ONE_PACKET) !== 0 && connection.control !== undefined) connection.control.inPackets++;
    this.#connections.put(connection);
    return verdict;
  }

  /** What the FTP helper learns from a client's packet (in the kernel a part of ip_vs_nat_xmit). */
  #help(connection: Connection, skb: SkBuff, key: PacketKey): void {
    if ((connection.flags & CONN_NO_CLIENT_PORT) !== 0) this.#ftp.fillClientPort(connection, key.sourcePort);
    if (connection.virtualPort === FTP_PORT && skb.ip.payload instanceof TcpSegment) this.#ftp.request(connection, skb.ip.payload);
  }

  /** An opening packet met an entry of the same ends: keep it, or make room for a new choice (undefined). */
  #reuse(connection: Connection, skb: SkBuff): Connection | undefined | "drop" {
    const { settings, host } = this.#director;
    if (!host.options.ipvsReuseMode) return connection;
    const reuseMode = settings.conn_reuse_mode.value;
    let reschedules = false;
    let ownsOld = false;
    if (settings.expire_nodest_conn.value !== 0 && connection.dest !== undefined && connection.dest.weight === 0) {
      reschedules = true;
      ownsOld = usesOldConntrack(connection, skb);
    } else if (reuseMode !== 0 && this.#connections.isReuseExpected(connection, reuseMode)) {
      ownsOld = usesOldConntrack(connection, skb);
      reschedules = connection.controlledCount === 0 || !ownsOld;
    }
    if (!reschedules) return connection;
    if (!ownsOld) connection.flags &= ~CONN_CONNTRACK;
    if (connection.controlledCount === 0) this.#connections.expireNow(connection);
    return ownsOld ? "drop" : undefined;
  }

  /* ------------------------------------------------------------------------------------------------------- replies */

  #replyHook(skb: SkBuff, state: HookState): Verdict {
    if (skb.isIpvsHandled) return "ACCEPT";
    const director = this.#director;
    if (skb.ip.protocol === PROTOCOL_ICMP) return this.#errorAboutRequest(skb, state) ?? "ACCEPT";
    if (!isSupportedProtocol(skb.ip.protocol)) return "ACCEPT";
    // Parts of a reply are put together before they can be translated; the whole goes on in place of the last part.
    if (!this.#isWhole(skb)) return "STOLEN";
    const key = this.#key;
    if (!key.read(skb.ip)) return "ACCEPT";
    const connection = director.table.findOut(key.protocol, key.sourceAddress, key.sourcePort, key.destinationAddress, key.destinationPort);
    if (connection !== undefined) return this.#reply(connection, skb, key, state);
    if (director.settings.nat_icmp_send.value === 0 || !this.#isRealServer(key)) return "ACCEPT";
    if (key.protocol === PROTOCOL_TCP && (key.tcpFlags & TCP_RST) !== 0) return "ACCEPT";
    director.host.icmp.sendError(skb, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0);
    return this.#drop(skb, "a real server's packet belongs to no connection; nat_icmp_send = 1");
  }

  #reply(connection: Connection, skb: SkBuff, key: PacketKey, state: HookState): Verdict {
    const { host } = this.#director;
    if (isFtpControl(key.protocol, connection.virtualPort, connection.method)) {
      if (!this.#ftp.reply(connection, skb)) return this.#drop(skb, "the FTP helper cannot change the reply");
      key.lengthBytes = skb.ip.lengthBytes;
    }
    if (skb.ip.src !== connection.virtualAddress || key.sourcePort !== connection.virtualPort) {
      const before = host.trace.isFull ? skb.recorded : skb.ip;
      const ip = skb.makeWritable();
      ip.src = connection.virtualAddress;
      const { payload } = ip;
      if (payload instanceof TcpSegment || payload instanceof UdpDatagram) payload.srcPort = connection.virtualPort;
      if (host.trace.isFull) skb.cause = host.trace.emit({ kind: "packet-rewritten", host: host.name, by: "ipvs-nat", before, after: skb.recorded, cause: skb.cause });
    }
    if (this.#reroute(skb, state)) return this.#drop(skb, "no route for the reply from the virtual address");
    this.#countOut(connection, key.lengthBytes);
    this.#connections.setState(connection, true, key.protocol === PROTOCOL_SCTP ? (sctpEvent((skb.ip.payload as RawPayload).bytes) ?? 0) : key.tcpFlags);
    this.#markHandled(connection, skb);
    this.#connections.put(connection);
    return "ACCEPT";
  }

  /** True when the packet cannot leave. ip_vs_core.c:ip_vs_route_me_harder */
  #reroute(skb: SkBuff, state: HookState): boolean {
    const { host, settings } = this.#director;
    if (settings.snat_reroute.value === 0 || state.hook === NF_LOCAL_IN || skb.route?.type === "local") return false;
    return host.ip.routeMeHarder(skb) !== undefined;
  }

  #markHandled(connection: Connection, skb: SkBuff): void {
    skb.isIpvsHandled = true;
    if ((connection.flags & CONN_CONNTRACK) === 0) untrack(skb);
    else updateConntrack(this.#director, connection, skb, false);
  }

  /** Whether a packet comes from a NAT real server's address and port. ip_vs_ctl.c:ip_vs_has_real_service */
  #isRealServer(key: PacketKey): boolean {
    for (const service of this.#director.services.values()) {
      if (service.key.kind === "address" && service.key.protocol !== key.protocol) continue;
      for (const dest of service.dests) if (dest.method === "masq" && dest.address === key.sourceAddress && dest.port === key.sourcePort) return true;
    }
    return false;
  }

  /** False: the packet is a part, and others are missing yet (ip_vs_gather_frags). */
  #isWhole(skb: SkBuff): boolean {
    return !skb.ip.isFragment || this.#director.host.ip.defragment(skb, "ipvs") !== undefined;
  }

  /* ---------------------------------------------------------------------------------------------------- ICMP errors */

  #forwardIcmpHook(skb: SkBuff): Verdict {
    if (skb.ip.protocol !== PROTOCOL_ICMP || this.#isBackupOnly()) return "ACCEPT";
    return this.#errorAboutReply(skb) ?? "ACCEPT";
  }

  /** An error from the client's side about a reply, or from a tunnel's path about a request; undefined: not related. ip_vs_in_icmp */
  #errorAboutReply(skb: SkBuff): Verdict | undefined {
    const director = this.#director;
    if (!this.#isWhole(skb)) return "STOLEN";
    const icmp = skb.ip.payload;
    if (!(icmp instanceof IcmpMessage) || icmp.quoted === undefined || !isRelayedType(icmp.type)) return undefined;
    const tunnelled = this.#ownTunnelled(skb, icmp.quoted);
    const quoted = tunnelled?.inner ?? icmp.quoted;
    if (!isSupportedProtocol(quoted.protocol)) return undefined;
    const key = this.#key;
    if (!key.read(quoted)) return undefined;
    key.isQuoted = true;
    if (tunnelled === undefined) key.reverse();
    let connection = director.table.findIn(key.protocol, key.sourceAddress, key.sourcePort, key.destinationAddress, key.destinationPort);
    const isNew = connection === undefined;
    if (connection === undefined) {
      if (tunnelled !== undefined || director.settings.schedule_icmp.value === 0) return undefined;
      const result = scheduleNew(director, this.#connections, skb, key);
      if (result === "pass") return undefined;
      if (result === "drop") return "DROP";
      connection = result;
    }
    if (tunnelled !== undefined) return this.#tunnelError(connection, skb, icmp, tunnelled);
    this.#countIn(connection, skb.ip.lengthBytes);
    const verdict = transmitIcmp(director, connection, skb);
    if (isNew) this.#connections.put(connection);
    return verdict;
  }

  /** The request inside a packet of one of this director's tunnels, when `outer` is one. */
  #ownTunnelled(skb: SkBuff, outer: Ipv4Packet): { readonly inner: Ipv4Packet; readonly overheadBytes: number } | undefined {
    if (skb.route?.type !== "local") return undefined;
    const { payload } = outer;
    if (payload instanceof Ipv4Packet) return this.#findTunnel(outer.dst, "ipip", 0) ? { inner: payload, overheadBytes: 0 } : undefined;
    if (payload instanceof GrePacket) {
      const inner = payload.payload;
      return inner instanceof Ipv4Packet && this.#findTunnel(outer.dst, "gre", 0) ? { inner, overheadBytes: payload.hasChecksum ? 8 : 4 } : undefined;
    }
    if (payload instanceof UdpDatagram && payload.payload instanceof GuePacket) {
      const inner = payload.payload.payload;
      return inner instanceof Ipv4Packet && this.#findTunnel(outer.dst, "gue", payload.dstPort) ? { inner, overheadBytes: 12 } : undefined;
    }
    return undefined;
  }

  #findTunnel(address: number, type: "ipip" | "gre" | "gue", port: number): boolean {
    for (const service of this.#director.services.values()) {
      for (const dest of service.dests) if (dest.method === "tunnel" && dest.address === address && dest.tunnel.type === type && (type !== "gue" || dest.tunnel.port === port)) return true;
    }
    return false;
  }

  /** The tunnel's wrapping comes off: the client gets an error of the same kind about its own packet. */
  #tunnelError(connection: Connection, skb: SkBuff, icmp: IcmpMessage, tunnelled: { readonly inner: Ipv4Packet; readonly overheadBytes: number }): Verdict {
    const { host } = this.#director;
    let { rest } = icmp;
    if (icmp.type === ICMP_DEST_UNREACH && icmp.code === ICMP_FRAG_NEEDED) {
      let mtu = icmp.rest & 0xffff;
      host.routing.learnMtu((icmp.quoted as Ipv4Packet).dst, mtu);
      if (!tunnelled.inner.dontFragment) return "STOLEN";
      const { dest } = connection;
      // "Prefer the resulting PMTU", which is that of the route in use: one without an exception is only marked as out of date.
      if (dest !== undefined && dest.routeMtu !== 0 && !dest.isRouteMtuLearnt) mtu = dest.routeMtu;
      const added = IPV4_HEADER_BYTES + tunnelled.overheadBytes;
      if (mtu > MIN_MTU + added) mtu -= added;
      rest = mtu;
    }
    const request = new SkBuff(tunnelled.inner, skb.device);
    request.route = skb.route;
    request.cause = skb.cause;
    // The outer headers come off what was quoted.
    const bytesMax = icmp.quotedBytes - IPV4_HEADER_BYTES - tunnelled.overheadBytes;
    host.icmp.sendError(request, icmp.type, icmp.code, rest, { source: tunnelled.inner.dst, bytesMax });
    // What is left when the error's and the tunnel's headers are off.
    this.#countOut(connection, skb.ip.lengthBytes - 2 * IPV4_HEADER_BYTES - ICMP_HEADER_BYTES - tunnelled.overheadBytes);
    return "STOLEN";
  }

  /** An error about a request, from the server's side or from the director itself; undefined: not related. ip_vs_out_icmp, handle_response_icmp */
  #errorAboutRequest(skb: SkBuff, state: HookState): Verdict | undefined {
    const { host, table } = this.#director;
    if (!this.#isWhole(skb)) return "STOLEN";
    const icmp = skb.ip.payload;
    if (!(icmp instanceof IcmpMessage) || icmp.quoted === undefined || !isRelayedType(icmp.type)) return undefined;
    if (!isSupportedProtocol(icmp.quoted.protocol)) return undefined;
    const key = this.#key;
    if (!key.read(icmp.quoted)) return undefined;
    key.reverse();
    const connection = table.findOut(key.protocol, key.sourceAddress, key.sourcePort, key.destinationAddress, key.destinationPort);
    if (connection === undefined) return undefined;
    if (connection.method === "masq") {
      const before = host.trace.isFull ? skb.recorded : skb.ip;
      const ip = skb.makeWritable();
      ip.src = connection.virtualAddress;
      rewriteQuoted(ip, { dst: connection.virtualAddress, dstPort: connection.virtualPort });
      if (host.trace.isFull) skb.cause = host.trace.emit({ kind: "packet-rewritten", host: host.name, by: "ipvs-nat", before, after: skb.recorded, cause: skb.cause });
      if (this.#reroute(skb, state)) return this.#drop(skb, "no route for the error from the virtual address");
    }
    this.#countOut(connection, skb.ip.lengthBytes);
    this.#markHandled(connection, skb);
    return "ACCEPT";
  }

  /* ------------------------------------------------------------------------------------------------------- counting */

  #countIn(connection: Connection, bytes: number): void {
    const { dest } = connection;
    if (dest === undefined || !dest.available) return;
    const { nowNs, totals } = this.#director;
    touchDest(this.#director, dest);
    dest.statistics.countIn(bytes, nowNs);
    dest.service.statistics.countIn(bytes, nowNs);
    totals.countIn(bytes, nowNs);
  }

  #countOut(connection: Connection, bytes: number): void {
    const { dest } = connection;
    if (dest === undefined || !dest.available) return;
    const { nowNs, totals } = this.#director;
    touchDest(this.#director, dest);
    dest.statistics.countOut(bytes, nowNs);
    dest.service.statistics.countOut(bytes, nowNs);
    totals.countOut(bytes, nowNs);
  }

  #drop(skb: SkBuff, detail: string): Verdict {
    const { host } = this.#director;
    if (host.trace.isFull) host.trace.emit({ kind: "packet-dropped", host: host.name, reason: "IPVS_DEST_GONE", packet: skb.recorded, detail, cause: skb.cause });
    return "DROP";
  }
}

function isOpeningPacket(key: PacketKey, skb: SkBuff): boolean {
  if (key.protocol === PROTOCOL_TCP) return (key.tcpFlags & TCP_SYN) !== 0;
  return key.protocol === PROTOCOL_SCTP && isSctpInit((skb.ip.payload as RawPayload).bytes);
}

function usesOldConntrack(connection: Connection, skb: SkBuff): boolean {
  return (connection.flags & CONN_CONNTRACK) !== 0 && skb.conntrack?.isConfirmed === true;
}

/** The only errors that IPVS carries to the other side. */
function isRelayedType(type: number): boolean {
  return type === ICMP_DEST_UNREACH || type === ICMP_SOURCE_QUENCH || type === ICMP_TIME_EXCEEDED;
}
