/**
 * The UDP protocol of one host.
 *
 * Linux v6.1 net/ipv4/udp.c:__udp4_lib_lookup, __udp4_lib_mcast_deliver, udp_rcv, __udp4_lib_err, udp_lib_get_port; RFC 768, RFC 1122
 * section 4.1. Not modelled: multicast source filters, corking, encapsulation sockets (tunnels take their packets before).
 */

import { type Ipv4Address, isMulticast } from "../base/ipv4-address.ts";
import {
  ICMP_DEST_UNREACH,
  ICMP_FRAG_NEEDED,
  ICMP_PARAMETER_PROBLEM,
  ICMP_PORT_UNREACH,
  ICMP_REDIRECT,
  ICMP_SOURCE_QUENCH,
  ICMP_TIME_EXCEEDED,
  type IcmpMessage,
  Ipv4Packet,
  PROTOCOL_UDP,
  RawPayload,
  UdpDatagram,
} from "../wire/packet.ts";
import type { NetDevice } from "./device.ts";
import {
  type Errno,
  type Host,
  isRouteError,
  type ProtocolHandler,
  type SocketOwner,
  type SysctlCell,
  type UdpProtocol,
  type UdpSocket,
  type UdpSocketEvents,
} from "./host.ts";
import { touchRow } from "./host-tables.ts";
import type { UdpCounters } from "./mib.ts";
import type { Route, RouteError } from "./route.ts";
import { routeConnect } from "./route-connect.ts";
import type { SkBuff } from "./skb.ts";
import { SocketMemberships } from "./socket-memberships.ts";
import { ICMP_UNREACH_ERRNO } from "./tcp/tcp-icmp.ts";
import { PortTable } from "./tcp/tcp-ports.ts";
import { integerCell, LocalPortRange } from "./tcp/tcp-settings.ts";

const DATAGRAM_MAX_BYTES = 65507;
const SOCKETS_MAX = 65536;
/** Destination unreachable codes that are hard errors: only they reach a socket that did not ask for all (icmp_err_convert). */
const FATAL_UNREACH_CODES = new Set([2, 3, 5, 6, 7, 8, 9, 10, 13, 14, 15]);

export class Udp implements UdpProtocol, ProtocolHandler {
  readonly host: Host;
  readonly counters: UdpCounters;
  readonly defaultTtl: SysctlCell;
  readonly #nonlocalBind: SysctlCell;
  readonly #byPort = new Map<number, UdpEndpoint[]>();
  readonly #ports: PortTable;
  readonly #range: LocalPortRange;
  #count = 0;

  constructor(host: Host) {
    this.host = host;
    this.counters = host.mib.udp;
    this.#ports = new PortTable(host.random("udp-ports"));
    this.#range = new LocalPortRange(host.sysctl);
    this.defaultTtl = integerCell(host.sysctl, "net.ipv4.ip_default_ttl", 64, 255);
    this.#nonlocalBind = integerCell(host.sysctl, "net.ipv4.ip_nonlocal_bind", 0, 1);
    host.ip.registerProtocol(PROTOCOL_UDP, this);
  }

  get sockets(): readonly UdpSocket[] {
    return [...this.#byPort.values()].flat();
  }

  bind(
    options: {
      readonly address: Ipv4Address;
      readonly port: number;
      readonly owner?: SocketOwner;
      readonly receiveErrors?: boolean;
      readonly reuseAddress?: boolean;
      readonly device?: NetDevice;
    },
    events: UdpSocketEvents,
  ): UdpSocket | Errno {
    const { address, device } = options;
    const isSpecial = address === 0 || address === 0xffffffff || isMulticast(address) || address >>> 24 === 127;
    if (!isSpecial && !this.host.addresses.isOwn(address) && this.#nonlocalBind.value === 0) return "EADDRNOTAVAIL";
    if (this.#count >= SOCKETS_MAX) return "ENOBUFS";
    const port = options.port === 0 ? this.#ports.chooseForBind(this.#range) : options.port;
    if (port === undefined) return "EAGAIN";
    const others = this.#byPort.get(port) ?? [];
    const isReusable = options.reuseAddress === true;
    const isTaken = (other: UdpEndpoint) => {
      const haveOneDevice = other.device === undefined || device === undefined || other.device === device;
      return haveOneDevice && (other.localAddress === address || other.localAddress === 0 || address === 0) && !(isReusable && other.isReusable);
    };
    if (others.some(isTaken)) return "EADDRINUSE";
    const socket = new UdpEndpoint(this, { address, port, isReusable, device }, options.owner, options.receiveErrors === true, events);
    // The newest of several that share a port is found first.
    this.#byPort.set(port, [socket, ...others]);
    touchRow(this.host, "sockets", socket);
    this.#ports.take(port, { isBound: true, isReusable: false });
    this.#count++;
    return socket;
  }

  remove(socket: UdpEndpoint): void {
    const others = this.#byPort.get(socket.localPort);
    if (others === undefined || !others.includes(socket)) return;
    const left = others.filter((other) => other !== socket);
    if (left.length === 0) this.#byPort.delete(socket.localPort);
    else this.#byPort.set(socket.localPort, left);
    this.#ports.release(socket.localPort, { isBound: true, isReusable: false });
    this.#count--;
    touchRow(this.host, "sockets", socket);
  }

  receive(skb: SkBuff): void {
    const datagram = skb.ip.payload;
    if (!(datagram instanceof UdpDatagram)) {
      this.counters.InErrors++;
      return;
    }
    const { src, dst } = skb.ip;
    const payload = datagram.payload;
    if (!(payload instanceof Uint8Array)) {
      this.#unwanted(skb, datagram);
      return;
    }
    const type = skb.route?.type;
    if (type === "broadcast" || type === "multicast") {
      let isHeard = false;
      for (const socket of this.#byPort.get(datagram.dstPort) ?? []) {
        if (!socket.isFor(dst, src, datagram.srcPort, skb.device)) continue;
        isHeard = true;
        this.counters.InDatagrams++;
        socket.receive(payload, src, datagram.srcPort, skb.ip);
      }
      if (!isHeard) this.counters.IgnoredMulti++;
      return;
    }
    const socket = this.#find(dst, datagram.dstPort, src, datagram.srcPort, skb.device);
    if (socket === undefined) this.#unwanted(skb, datagram);
    else {
      this.counters.InDatagrams++;
      socket.receive(payload, src, datagram.srcPort, skb.ip);
    }
  }

  #unwanted(skb: SkBuff, datagram: UdpDatagram): void {
    this.counters.NoPorts++;
    if (this.host.trace.isFull)
      this.host.trace.emit({
        kind: "packet-dropped",
        host: this.host.name,
        cause: skb.cause,
        reason: "NO_SOCKET",
        packet: skb.recorded,
        detail: `nobody is bound to UDP port ${datagram.dstPort}`,
      });
    if (skb.packetType === "host") this.host.icmp.sendError(skb, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0);
  }

  /** udp_sendmsg, __ip4_datagram_connect. */
  noRoute(errno: Errno): Errno {
    if (errno === "ENETUNREACH") this.host.mib.ip.OutNoRoutes++;
    return errno;
  }

  /** The socket that says most about both ends (compute_score). */
  #find(localAddress: Ipv4Address, localPort: number, remoteAddress: Ipv4Address, remotePort: number, device: NetDevice | undefined): UdpEndpoint | undefined {
    const sockets = this.#byPort.get(localPort);
    if (sockets === undefined) return undefined;
    let best: UdpEndpoint | undefined;
    let bestScore = -1;
    for (const socket of sockets) {
      if (!socket.isFor(localAddress, remoteAddress, remotePort, device)) continue;
      const score = (socket.localAddress !== 0 ? 4 : 0) + (socket.remotePort !== 0 ? 8 : 0) + (socket.device !== undefined ? 4 : 0);
      if (score > bestScore) {
        best = socket;
        bestScore = score;
      }
    }
    return best;
  }

  /** net/ipv4/udp.c:__udp4_lib_err. */
  error(skb: SkBuff, icmp: IcmpMessage, quoted: Ipv4Packet): void {
    const ends = quotedPorts(quoted);
    if (ends === undefined) return;
    const socket = this.#find(quoted.src, ends.src, quoted.dst, ends.dst, skb.device);
    if (socket === undefined) {
      this.host.mib.icmp.InErrors++;
      return;
    }
    if (icmp.type === ICMP_REDIRECT || icmp.type === ICMP_SOURCE_QUENCH) return;
    let errno: Errno | undefined;
    let isFatal = false;
    switch (icmp.type) {
      case ICMP_TIME_EXCEEDED:
        errno = "EHOSTUNREACH";
        break;
      case ICMP_PARAMETER_PROBLEM:
        errno = "EPROTO";
        isFatal = true;
        break;
      case ICMP_DEST_UNREACH:
        if (icmp.code === ICMP_FRAG_NEEDED) {
          this.host.routing.learnMtu(quoted.dst, icmp.rest & 0xffff, { src: quoted.src });
          errno = "EMSGSIZE";
          isFatal = socket.isDontFragment;
        } else {
          errno = ICMP_UNREACH_ERRNO[icmp.code];
          isFatal = FATAL_UNREACH_CODES.has(icmp.code);
        }
        break;
      default:
        return;
    }
    if (errno === undefined) return;
    if (!socket.receivesErrors && (!isFatal || socket.remotePort === 0)) return;
    socket.fail(errno, socket.receivesErrors ? { from: skb.ip.src, message: icmp, packet: skb.ip } : undefined);
  }
}

class UdpEndpoint implements UdpSocket {
  localAddress: Ipv4Address;
  readonly localPort: number;
  remoteAddress: Ipv4Address = 0;
  remotePort = 0;
  readonly owner: SocketOwner | undefined;
  readonly receivesErrors: boolean;
  readonly isReusable: boolean;
  isDontFragment = false;
  readonly device: NetDevice | undefined;
  readonly multicast: UdpSocket["multicast"];
  #memberships: SocketMemberships | undefined = undefined;
  readonly #udp: Udp;
  readonly #events: UdpSocketEvents;
  #id: number;
  #isClosed = false;

  constructor(
    udp: Udp,
    bound: { readonly address: Ipv4Address; readonly port: number; readonly isReusable: boolean; readonly device: NetDevice | undefined },
    owner: SocketOwner | undefined,
    receivesErrors: boolean,
    events: UdpSocketEvents,
  ) {
    this.#udp = udp;
    this.localAddress = bound.address;
    this.localPort = bound.port;
    this.isReusable = bound.isReusable;
    this.device = bound.device;
    this.multicast = { device: undefined, ttl: 1, loops: true };
    this.owner = owner;
    this.receivesErrors = receivesErrors;
    this.#events = events;
    this.#id = udp.host.random("udp-id").next32() & 0xffff;
  }

  /** net/ipv4/udp.c:__udp_is_mcast_sock. */
  isFor(localAddress: Ipv4Address, remoteAddress: Ipv4Address, remotePort: number, device: NetDevice | undefined): boolean {
    if (this.localAddress !== 0 && this.localAddress !== localAddress) return false;
    if (this.remotePort !== 0 && (this.remotePort !== remotePort || this.remoteAddress !== remoteAddress)) return false;
    return this.device === undefined || this.device === device;
  }

  get isListed(): boolean {
    return !this.#isClosed;
  }

  join(group: Ipv4Address, device?: NetDevice): Errno | undefined {
    if (this.#isClosed) return "EBADF";
    if (this.device !== undefined && device !== undefined && device !== this.device) return "EINVAL";
    this.#memberships ??= new SocketMemberships(this.#udp.host);
    return this.#memberships.join(group, device ?? this.device);
  }

  leave(group: Ipv4Address, device?: NetDevice): Errno | undefined {
    return this.#memberships === undefined ? "EADDRNOTAVAIL" : this.#memberships.leave(group, device ?? this.device);
  }

  /** Where a datagram goes, and from which address. A socket that is bound to a group sends from an address of the device. */
  #route(address: Ipv4Address): Route | RouteError {
    const src = isMulticast(this.localAddress) ? 0 : this.localAddress;
    const device = this.device ?? (isMulticast(address) ? this.multicast.device : undefined);
    return this.#udp.host.routing.output({ dst: address, src, device });
  }

  /** net/ipv4/datagram.c:__ip4_datagram_connect: chooses the source once. */
  connect(address: Ipv4Address, port: number): Errno | undefined {
    const src = isMulticast(this.localAddress) ? 0 : this.localAddress;
    const device = this.device ?? (isMulticast(address) ? this.multicast.device : undefined);
    const route = routeConnect(this.#udp.host.routing, { dst: address, src, device });
    if (isRouteError(route)) return this.#udp.noRoute(route.errno);
    if (route.type === "broadcast") return "EACCES";
    if (this.localAddress === 0 || isMulticast(this.localAddress)) this.localAddress = route.source;
    this.remoteAddress = address;
    this.remotePort = port;
    touchRow(this.#udp.host, "sockets", this);
    return undefined;
  }

  send(
    payload: Uint8Array,
    to?: { readonly address: Ipv4Address; readonly port: number },
    options?: { readonly ttl?: number; readonly dontFragment?: boolean; readonly mayFragment?: boolean },
  ): Errno | undefined {
    if (this.#isClosed) return "EBADF";
    if (payload.length > DATAGRAM_MAX_BYTES) return "EMSGSIZE";
    const address = to?.address ?? this.remoteAddress;
    const port = to?.port ?? this.remotePort;
    if (port === 0) return to === undefined ? "EDESTADDRREQ" : "EINVAL";
    const host = this.#udp.host;
    const route = this.#route(address);
    if (isRouteError(route)) return this.#udp.noRoute(route.errno);
    const ttl = options?.ttl ?? (route.type === "multicast" ? this.multicast.ttl : this.#udp.defaultTtl.value);
    const packet = new Ipv4Packet(
      this.localAddress !== 0 && !isMulticast(this.localAddress) ? this.localAddress : route.source,
      address,
      PROTOCOL_UDP,
      ttl,
      new UdpDatagram(this.localPort, port, payload),
    );
    const length = packet.lengthBytes;
    this.isDontFragment = options?.dontFragment === true;
    // Path MTU discovery is on (IP_PMTUDISC_WANT) unless the sender says otherwise: a datagram that fits goes with DF, a bigger one is
    // fragmented here.
    packet.dontFragment = this.isDontFragment || (options?.mayFragment !== true && length <= route.mtu && !route.mtuLocked);
    if (this.isDontFragment && length > route.mtu) return "EMSGSIZE";
    let keepId = false;
    if (packet.dontFragment) {
      keepId = true;
      if (this.remotePort !== 0) {
        packet.id = this.#id;
        this.#id = (this.#id + 1) & 0xffff;
      }
    }
    this.#udp.counters.OutDatagrams++;
    return host.ip.send(packet, { route, keepId, multicastLoop: this.multicast.loops });
  }

  receive(payload: Uint8Array, address: Ipv4Address, port: number, packet: Ipv4Packet): void {
    if (!this.#isClosed) this.#events.onDatagram(payload, { address, port }, packet);
  }

  fail(errno: Errno, icmp: Parameters<UdpSocketEvents["onError"]>[1]): void {
    if (!this.#isClosed) this.#events.onError(errno, icmp);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#memberships?.leaveAll();
    this.#udp.remove(this);
  }
}

function quotedPorts(quoted: Ipv4Packet): { readonly src: number; readonly dst: number } | undefined {
  const payload = quoted.payload;
  if (payload instanceof UdpDatagram) return { src: payload.srcPort, dst: payload.dstPort };
  if (!(payload instanceof RawPayload) || payload.bytes.length < 4) return undefined;
  const b = payload.bytes;
  return { src: (b[0] ?? 0) * 256 + (b[1] ?? 0), dst: (b[2] ?? 0) * 256 + (b[3] ?? 0) };
}
