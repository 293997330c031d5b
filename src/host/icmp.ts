/**
 * ICMP: errors about packets, echo, and what incoming messages mean for the protocols that they are about.
 *
 * Linux v6.1 net/ipv4/icmp.c (__icmp_send, icmp_reply, icmp_rcv, icmp_unreach, icmp_redirect, icmp_err), net/ipv4/ping.c, net/ipv4/raw.c;
 * RFC 792, RFC 1122 section 3.2.2. Not modelled: extended echo (PROBE), router discovery.
 */

import { type Ipv4Address, isMulticast } from "../base/ipv4-address.ts";
import type { RandomStream } from "../kernel/random.ts";
import {
  ICMP_DEST_UNREACH,
  ICMP_ECHO,
  ICMP_ECHO_REPLY,
  ICMP_FRAG_NEEDED,
  ICMP_HEADER_BYTES,
  ICMP_PARAMETER_PROBLEM,
  ICMP_REDIRECT,
  ICMP_SOURCE_QUENCH,
  ICMP_TIME_EXCEEDED,
  IcmpMessage,
  IPV4_HEADER_BYTES,
  Ipv4Packet,
  isIcmpError,
  PROTOCOL_ICMP,
  TcpSegment,
  UdpDatagram,
} from "../wire/packet.ts";
import { SCOPE_GLOBAL, SCOPE_LINK } from "./device.ts";
import { type EchoSocketOptions, type PingSocket, PingSockets } from "./echo-socket.ts";
import { type EchoSocket, type Host, type IcmpProtocol, isRouteError, type ProtocolHandler, type SysctlCell } from "./host.ts";
import { IcmpLimits } from "./icmp-limits.ts";
import type { IcmpCounters } from "./mib.ts";
import type { Route } from "./route.ts";
import { SkBuff } from "./skb.ts";

const ICMP_TIMESTAMP = 13;
const ICMP_TIMESTAMP_REPLY = 14;
const ICMP_TYPES_MAX = 18;
const ICMP_UNREACH_CODES_MAX = 15;
const ICMP_FRAGMENT_TIME = 1;
/** Network, host, and both for a type of service. */
const REDIRECT_CODE_MAX = 3;
const TIMESTAMP_BYTES = 12;
const IP_LENGTH_MAX = 65535;
/** IP_MULTICAST_TTL, which ping leaves alone. */
const MULTICAST_TTL = 1;
/** An error quotes so much that it does not get longer than this. */
const ERROR_BYTES_MAX = 576;
/** IPTOS_PREC_INTERNETCONTROL: errors travel with it. */
const TOS_INTERNET_CONTROL = 0xc0;
const TOS_MASK = 0x1e;
/** INADDR_DUMMY: the source of an error when a host has no address at all. */
const DUMMY_ADDRESS = 0xc0000008;

/** What is to be sent, apart from its addresses. */
interface Outgoing {
  readonly message: IcmpMessage;
  readonly tos: number;
  readonly mark: number;
  readonly cause: number;
  /** The packet that an error is about: the error belongs to its connection. */
  readonly about?: SkBuff;
}

export class Icmp implements IcmpProtocol, ProtocolHandler {
  readonly limits: IcmpLimits;
  readonly #host: Host;
  readonly #counters: IcmpCounters;
  readonly #sockets = new PingSockets();
  readonly #echoIgnoreAll: SysctlCell;
  readonly #echoIgnoreBroadcasts: SysctlCell;
  readonly #usesInboundAddress: SysctlCell;
  readonly #noPmtuDiscovery: SysctlCell;
  readonly #ignoreBogus: SysctlCell;
  readonly #reflectsMark: SysctlCell;
  readonly #defaultTtl: SysctlCell;
  #random: RandomStream | undefined = undefined;
  /** The CPU's ICMP socket is in use: on a multiprocessor no other message can be sent while one is on its way through the hooks. */
  #isLocked = false;

  constructor(host: Host) {
    this.#host = host;
    this.#counters = host.mib.icmp;
    this.limits = new IcmpLimits(host);
    const { sysctl } = host;
    this.#echoIgnoreAll = sysctl.registerInteger("net.ipv4.icmp_echo_ignore_all", 0, { min: 0, max: 1 });
    this.#echoIgnoreBroadcasts = sysctl.registerInteger("net.ipv4.icmp_echo_ignore_broadcasts", 1, { min: 0, max: 1 });
    this.#usesInboundAddress = sysctl.registerInteger("net.ipv4.icmp_errors_use_inbound_ifaddr", 0, { min: 0, max: 1 });
    this.#noPmtuDiscovery = sysctl.registerInteger("net.ipv4.ip_no_pmtu_disc", 0);
    this.#ignoreBogus = sysctl.registerInteger("net.ipv4.icmp_ignore_bogus_error_responses", 1, { min: 0, max: 1 });
    this.#reflectsMark = sysctl.registerInteger("net.ipv4.fwmark_reflect", 0);
    this.#defaultTtl = sysctl.registerInteger("net.ipv4.ip_default_ttl", 64);
    host.ip.registerProtocol(PROTOCOL_ICMP, this);
  }

  /* --------------------------------------------------------------------------------------------------------------- errors */

  sendError(skb: SkBuff, type: number, code: number, rest: number, options: { readonly source?: Ipv4Address; readonly bytesMax?: number } = {}): void {
    const host = this.#host;
    const packet = skb.ip;
    if (!mayBeReported(skb, type)) return;
    const cameOverLoopback = skb.device?.kind === "loopback";
    if (!cameOverLoopback && !this.limits.allowsGlobally(type, code)) return;
    if (this.#isLocked) return;
    const tos = isIcmpError(type) ? (packet.tos & TOS_MASK) | TOS_INTERNET_CONTROL : packet.tos;
    const mark = this.#reflectsMark.value !== 0 ? skb.mark : 0;
    const source = options.source ?? this.#errorSource(skb);
    const route = host.routing.output({ dst: packet.src, src: source, mark, tos: tos & TOS_MASK });
    if (isRouteError(route)) return;
    if (route.device.kind !== "loopback" && !this.limits.allowsPeer(packet.src, type, code)) return;
    const room = Math.min(route.mtu, ERROR_BYTES_MAX) - IPV4_HEADER_BYTES - ICMP_HEADER_BYTES;
    if (room <= IPV4_HEADER_BYTES) return;
    const message = new IcmpMessage(type, code, rest);
    message.quoted = skb.container ?? packet;
    message.quotedBytes = Math.min(message.quoted.lengthBytes, room, options.bytesMax ?? room);
    // The quote must stay as it is, whatever happens to the packet later.
    skb.isWritable = false;
    this.#push({ message, tos, mark, cause: skb.cause, about: skb }, packet.src, source, route);
  }

  /** Where the packet was addressed, if that is here; else routing chooses (0). */
  #errorSource(skb: SkBuff): Ipv4Address {
    if (skb.route?.type === "local") return skb.ip.dst;
    const { device } = skb;
    if (this.#usesInboundAddress.value === 0 || device === undefined) return 0;
    return this.#host.addresses.select(device, skb.ip.src, SCOPE_LINK);
  }

  /** icmp_push_reply */
  #push(outgoing: Outgoing, destination: Ipv4Address, source: Ipv4Address, route: Route): void {
    const { message } = outgoing;
    const from = source !== 0 ? source : route.source !== 0 ? route.source : DUMMY_ADDRESS;
    const packet = new Ipv4Packet(from, destination, PROTOCOL_ICMP, this.#defaultTtl.value, message);
    packet.tos = outgoing.tos;
    packet.id = this.#host.ip.nextId(packet);
    const skb = new SkBuff(packet, undefined, true);
    skb.route = route;
    skb.mark = outgoing.mark;
    skb.cause = outgoing.cause;
    const about = outgoing.about;
    if (about?.conntrack !== undefined) {
      // nf_conntrack_core.c:nf_conntrack_attach: it goes against the direction of what caused it.
      skb.conntrack = about.conntrack;
      skb.conntrackInfo = about.conntrackInfo === "ESTABLISHED_REPLY" || about.conntrackInfo === "RELATED_REPLY" ? "RELATED" : "RELATED_REPLY";
    }
    count(this.#counters.sent, message.type);
    this.#isLocked = this.#host.options.isMultiprocessor;
    this.#host.ip.localOut(skb);
    this.#isLocked = false;
  }

  /* ------------------------------------------------------------------------------------------------------------ reception */

  receive(skb: SkBuff): void {
    const message = skb.ip.payload as IcmpMessage;
    const { type } = message;
    count(this.#counters.received, type);
    const isGroup = skb.route?.type === "broadcast" || skb.route?.type === "multicast";
    if (isGroup) {
      const isQuestion = type === ICMP_ECHO || type === ICMP_TIMESTAMP;
      if (!isQuestion || this.#echoIgnoreBroadcasts.value !== 0) {
        this.#counters.InErrors++;
        return;
      }
    } else if (type > ICMP_TYPES_MAX) {
      this.#counters.InErrors++;
      return;
    }
    switch (type) {
      case ICMP_ECHO:
        if (this.#echoIgnoreAll.value === 0) this.#reply(skb, echoReply(message));
        return;
      case ICMP_TIMESTAMP:
        if (message.payload.length >= TIMESTAMP_BYTES) this.#reply(skb, this.#timestampReply(message));
        return;
      case ICMP_ECHO_REPLY:
        this.#sockets.deliver(message.rest >>> 16, skb.ip, message);
        return;
      case ICMP_REDIRECT:
        this.#redirected(skb, message);
        return;
      case ICMP_DEST_UNREACH:
      case ICMP_SOURCE_QUENCH:
      case ICMP_TIME_EXCEEDED:
      case ICMP_PARAMETER_PROBLEM:
        this.#unreachable(skb, message);
        return;
      default:
        return;
    }
  }

  /** icmp_reply: back to the sender, from the address that it used. */
  #reply(skb: SkBuff, message: IcmpMessage): void {
    const request = skb.ip;
    if (!this.limits.allowsGlobally(message.type, message.code) || this.#isLocked) return;
    const mark = this.#reflectsMark.value !== 0 ? skb.mark : 0;
    const source = this.#replySource(skb);
    const route = this.#host.routing.output({ dst: request.src, src: source, mark, tos: request.tos & TOS_MASK });
    if (isRouteError(route)) return;
    if (route.device.kind !== "loopback" && !this.limits.allowsPeer(request.src, message.type, message.code)) return;
    this.#push({ message, tos: request.tos, mark, cause: skb.cause }, request.src, source, route);
  }

  /** net/ipv4/fib_frontend.c:fib_compute_spec_dst */
  #replySource(skb: SkBuff): Ipv4Address {
    if (skb.route?.type === "local" || skb.route === undefined) return skb.ip.dst;
    const back = this.#host.routing.output({ dst: skb.ip.src });
    return isRouteError(back) ? this.#host.addresses.select(skb.device, skb.ip.src, SCOPE_GLOBAL) : back.source;
  }

  /** Milliseconds since midnight of the simulated day. */
  #timestampReply(request: IcmpMessage): IcmpMessage {
    const reply = new IcmpMessage(ICMP_TIMESTAMP_REPLY, 0, request.rest);
    const ms = Math.trunc(this.#host.loop.nowNs / 1_000_000) % 86_400_000;
    const bytes = request.payload.slice();
    for (const at of [4, 8]) for (let i = 0; i < 4; i++) bytes[at + i] = (ms >>> (24 - 8 * i)) & 255;
    reply.payload = bytes;
    return reply;
  }

  /** icmp_unreach */
  #unreachable(skb: SkBuff, message: IcmpMessage): void {
    const { quoted, type, code } = message;
    if (quoted === undefined) {
      this.#counters.InErrors++;
      return;
    }
    if (type === ICMP_DEST_UNREACH) {
      if (code > ICMP_UNREACH_CODES_MAX) return;
      if (code === ICMP_FRAG_NEEDED && this.#noPmtuDiscovery.value >= 2) return;
    } else if (type === ICMP_TIME_EXCEEDED && code === ICMP_FRAGMENT_TIME) {
      return;
    }
    if (this.#ignoreBogus.value === 0 && this.#host.fib.addressType(quoted.dst) === "broadcast") return;
    this.#dispatch(skb, message, quoted);
  }

  /** icmp_redirect. The protocol of the packet decides whether anybody here still cares about it. */
  #redirected(skb: SkBuff, message: IcmpMessage): void {
    const { quoted, code } = message;
    if (quoted === undefined || skb.device === undefined) {
      this.#counters.InErrors++;
      return;
    }
    if (code <= REDIRECT_CODE_MAX && this.#isOnBehalfOf(quoted)) {
      this.#host.routing.learnRedirect(quoted.dst, message.rest, skb.device, skb.ip.src, { src: quoted.src });
    }
    this.#dispatch(skb, message, quoted);
  }

  /**
   * TCP and UDP take redirects only for a socket that they find, and TCP not for a connection that is still being made by the other side:
   * so a redirect about a SYN+ACK is never obeyed (tcp_v4_err, __udp4_lib_err; icmp_err and tunnels ask nobody). Nor is one about what connect
   * or write sent: it comes back while the call still holds the socket (LINUX_MIB_LOCKDROPPEDICMPS), where all hosts share a kernel.
   */
  #isOnBehalfOf(quoted: Ipv4Packet): boolean {
    const { payload } = quoted;
    const { tcp, udp } = this.#host;
    if (payload instanceof TcpSegment) {
      const { srcPort, dstPort } = payload;
      const socket = tcp.sockets.find(
        (one) => one.localPort === srcPort && one.remotePort === dstPort && one.localAddress === quoted.src && one.remoteAddress === quoted.dst,
      );
      return socket !== undefined && socket.wasSentInCall !== true && socket.state !== "SYN_RECV" && socket.state !== "TIME_WAIT";
    }
    if (!(payload instanceof UdpDatagram)) return true;
    const { srcPort } = payload;
    return udp.sockets.some((one) => one.localPort === srcPort && (one.localAddress === 0 || one.localAddress === quoted.src));
  }

  /** icmp_socket_deliver */
  #dispatch(skb: SkBuff, message: IcmpMessage, quoted: Ipv4Packet): void {
    const raw = this.#host.ip.rawListeners(quoted.protocol);
    if (raw !== undefined) for (const listener of raw) listener.onError?.(skb, message, quoted);
    if (quoted.protocol === PROTOCOL_ICMP) this.error(skb, message, quoted);
    else this.#host.ip.protocol(quoted.protocol)?.error?.(skb, message, quoted);
  }

  /** icmp_err: an error about an echo request of this host, or about another ICMP message. */
  error(skb: SkBuff, message: IcmpMessage, quoted: Ipv4Packet): void {
    if (message.type === ICMP_DEST_UNREACH && message.code === ICMP_FRAG_NEEDED && this.#noPmtuDiscovery.value === 0) {
      this.#host.routing.learnMtu(quoted.dst, message.rest & 0xffff, { src: quoted.src });
    }
    const echo = quoted.payload;
    if (echo instanceof IcmpMessage && echo.type === ICMP_ECHO) this.#sockets.deliver(echo.rest >>> 16, skb.ip, message);
  }

  /* -------------------------------------------------------------------------------------------------------------- sockets */

  openEcho(onPacket: (packet: Ipv4Packet, icmp: IcmpMessage) => void): EchoSocket & { readonly identifier: number } {
    this.#random ??= this.#host.random("icmp-echo");
    return this.#sockets.open(this.#random, onPacket, (socket, options) => this.#sendEcho(socket, options));
  }

  #sendEcho(socket: PingSocket, options: EchoSocketOptions): string | undefined {
    const host = this.#host;
    const message = new IcmpMessage(ICMP_ECHO, 0, ((socket.identifier << 16) | (options.sequence & 0xffff)) >>> 0);
    message.payload = options.payload;
    const ttl = options.ttl ?? (isMulticast(options.destination) ? MULTICAST_TTL : this.#defaultTtl.value);
    const packet = new Ipv4Packet(options.source ?? 0, options.destination, PROTOCOL_ICMP, ttl, message);
    packet.tos = options.tos ?? 0;
    const route = host.routing.output({ dst: packet.dst, src: packet.src, device: options.device, mark: options.mark ?? 0, tos: packet.tos });
    if (isRouteError(route)) return route.errno;
    if (packet.src === 0) packet.src = route.source;
    const fits = packet.lengthBytes <= route.mtu;
    if (packet.lengthBytes > IP_LENGTH_MAX || (options.dontFragment === true && !fits)) return "EMSGSIZE";
    packet.dontFragment = options.dontFragment ?? (fits && !route.mtuLocked && this.#noPmtuDiscovery.value === 0);
    packet.id = options.dontFragment === true ? 0 : host.ip.nextId(packet);
    count(this.#counters.sent, ICMP_ECHO);
    return host.ip.send(packet, { route, mark: options.mark ?? 0, keepId: true });
  }
}

/** RFC 1122 section 3.2.2: no errors about errors, broadcasts, later fragments. */
function mayBeReported(skb: SkBuff, type: number): boolean {
  const packet = skb.ip;
  if (skb.packetType !== "host" && skb.packetType !== "outgoing") return false;
  if (skb.route?.type === "broadcast" || skb.route?.type === "multicast") return false;
  if (packet.fragmentOffset !== 0) return false;
  if (!isIcmpError(type) || packet.protocol !== PROTOCOL_ICMP) return true;
  const { payload } = packet;
  const quotedType = payload instanceof IcmpMessage ? payload.type : payload.kind === "raw" ? payload.bytes[0] : undefined;
  return quotedType !== undefined && quotedType <= ICMP_TYPES_MAX && !isIcmpError(quotedType);
}

function echoReply(request: IcmpMessage): IcmpMessage {
  const reply = new IcmpMessage(ICMP_ECHO_REPLY, 0, request.rest);
  reply.payload = request.payload;
  return reply;
}

function count(messages: Float64Array, type: number): void {
  messages[type] = (messages[type] as number) + 1;
}
