/**
 * Tunnel devices: IP in IP (tunl0 and others) and GRE, both ways.
 *
 *   ip.output ─▶ tunnel device ─▶ outer header ─▶ route to the far end ─▶ LOCAL_OUT ─▶ ... ─▶ far end: protocol 4 or 47 ─▶ its tunnel device
 *
 * Linux v6.1 net/ipv4/ip_tunnel.c (ip_tunnel_xmit, ip_tunnel_lookup, ip_tunnel_rcv, tnl_update_pmtu), ipip.c (ipip_tunnel_xmit, ipip_rcv,
 * ipip_err), ip_gre.c, tunnel4.c; RFC 2003, RFC 2784, RFC 6040. Not modelled: metadata tunnels, GRE sequence numbers, keepalives.
 */

import type { Ipv4Address } from "../base/ipv4-address.ts";
import { NS_PER_SECOND } from "../base/time.ts";
import {
  ETHERTYPE_IPV4,
  GrePacket,
  ICMP_DEST_UNREACH,
  ICMP_FRAG_NEEDED,
  ICMP_HOST_UNREACH,
  ICMP_PORT_UNREACH,
  ICMP_REDIRECT,
  ICMP_TIME_EXCEEDED,
  type IcmpMessage,
  IPV4_HEADER_BYTES,
  Ipv4Packet,
  PROTOCOL_GRE,
  PROTOCOL_IPIP,
} from "../wire/packet.ts";
import type { DeviceDriver, NetDevice, TunnelParameters } from "./device.ts";
import { receiveBare, sendBare } from "./device-drivers.ts";
import { type Host, isRouteError, type ProtocolHandler } from "./host.ts";
import type { Route } from "./route.ts";
import { SkBuff } from "./skb.ts";

/** How long an ICMP error about the outer packet makes the tunnel report the far end as unreachable (IPTUNNEL_ERR_TIMEO). */
const ERROR_MEMORY_NS = 30 * NS_PER_SECOND;
const GRE_HEADER_BYTES = 4;
const GRE_FIELD_BYTES = 4;
/** TOS 1 stands for "inherit". */
const TOS_INHERIT = 1;
const ECN_MASK = 3;
const ECN_CE = 3;
const ECN_ECT_0 = 2;

/** Errors that came back lately (tunnel->err_count). */
interface TunnelErrors {
  count: number;
  timeNs: number;
}

export class Tunnels implements DeviceDriver {
  readonly needsNeighbour = false;
  readonly #host: Host;
  readonly #errors = new Map<NetDevice, TunnelErrors>();

  constructor(host: Host) {
    this.#host = host;
    host.devices.registerDriver("tunnel", this);
    host.devices.registerDriver("gre", this);
    const error = (skb: SkBuff, icmp: IcmpMessage, quoted: Ipv4Packet): void => this.#error(icmp, quoted, skb.device);
    const ipip: ProtocolHandler = { receive: (skb) => this.#receiveIpip(skb), error };
    const gre: ProtocolHandler = { receive: (skb) => this.#receiveGre(skb), error };
    host.ip.registerProtocol(PROTOCOL_IPIP, ipip);
    host.ip.registerProtocol(PROTOCOL_GRE, gre);
  }

  /* -------------------------------------------------------------------------------------------------------------- sending */

  transmitFrame(device: NetDevice): void {
    device.counters.txErrors++;
  }

  /** ip_tunnel_xmit */
  transmit(device: NetDevice, skb: SkBuff): void {
    const parameters = device.tunnel;
    if (parameters === undefined || !sendBare(this.#host, device, skb)) return;
    const inner = skb.ip;
    const destination = parameters.remote !== 0 ? parameters.remote : skb.route === undefined ? 0 : skb.route.gateway !== 0 ? skb.route.gateway : inner.dst;
    const inherits = (parameters.tos & TOS_INHERIT) !== 0;
    const tos = inherits ? inner.tos : parameters.tos;
    const route = this.#host.routing.output({ dst: destination, src: parameters.local, tos: tos & 0x1e, mark: skb.mark, device: parameters.link });
    if (isRouteError(route)) {
      device.counters.txCarrierErrors++;
      this.#fail(device, skb, `no route to the far end: ${route.errno}`);
      return;
    }
    if (route.device === device) {
      this.#fail(device, skb, "the route to the far end leads through the tunnel itself");
      return;
    }
    const dontFragment = parameters.pmtuDiscovery || inner.dontFragment;
    if (!this.#fits(device, skb, route, dontFragment)) return;
    this.#reportLateErrors(device, skb);
    this.#send(device, skb, route, { destination, tos: encapsulateTos(tos, inner.tos), dontFragment: dontFragment && !route.mtuLocked });
  }

  /** tnl_update_pmtu: the inner path learns what the tunnel can carry, and the sender is told. */
  #fits(device: NetDevice, skb: SkBuff, route: Route, dontFragment: boolean): boolean {
    const inner = skb.ip;
    const overhead = IPV4_HEADER_BYTES + greBytes(device.tunnel as TunnelParameters);
    const mtu = dontFragment ? route.mtu - overhead : (skb.route?.mtu ?? device.mtu);
    if (skb.route !== undefined && skb.route.type === "unicast" && mtu < skb.route.mtu)
      this.#host.routing.learnMtu(inner.dst, mtu, { src: inner.src, mark: skb.mark });
    if (!inner.dontFragment || inner.lengthBytes <= mtu) return true;
    this.#host.icmp.sendError(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, mtu);
    this.#fail(device, skb, `${inner.lengthBytes} bytes with DF do not fit into the tunnel's ${mtu}`);
    return false;
  }

  #reportLateErrors(device: NetDevice, skb: SkBuff): void {
    const errors = this.#errors.get(device);
    if (errors === undefined || errors.count === 0) return;
    if (this.#host.loop.nowNs >= errors.timeNs + ERROR_MEMORY_NS) {
      errors.count = 0;
      return;
    }
    errors.count--;
    this.#host.icmp.sendError(skb, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0);
  }

  #send(
    device: NetDevice,
    skb: SkBuff,
    route: Route,
    header: { readonly destination: Ipv4Address; readonly tos: number; readonly dontFragment: boolean },
  ): void {
    const { trace, name, ip } = this.#host;
    const parameters = device.tunnel as TunnelParameters;
    const inner = skb.ip;
    const source = parameters.local !== 0 ? parameters.local : route.source;
    const ttl = parameters.ttl !== 0 ? parameters.ttl : inner.ttl;
    const isGre = parameters.mode === "gre";
    const payload = isGre ? new GrePacket(ETHERTYPE_IPV4, inner, parameters.hasChecksum === true, parameters.key) : inner;
    const outer = new Ipv4Packet(source, header.destination, isGre ? PROTOCOL_GRE : PROTOCOL_IPIP, ttl, payload);
    outer.tos = header.tos;
    outer.dontFragment = header.dontFragment;
    outer.id = ip.nextId(outer);
    const outerSkb = new SkBuff(outer, undefined, true);
    outerSkb.route = route;
    outerSkb.mark = skb.mark;
    outerSkb.confirmsNeighbour = skb.confirmsNeighbour;
    outerSkb.isIpvsHandled = skb.isIpvsHandled && this.#host.options.tunnelKeepsIpvsMark;
    outerSkb.cause = skb.cause;
    if (trace.isFull) outerSkb.cause = trace.emit({ kind: "packet-encapsulated", host: name, by: parameters.mode, inner, outer: outer.snapshot(), cause: skb.cause });
    ip.localOut(outerSkb);
  }

  #fail(device: NetDevice, skb: SkBuff, detail: string): void {
    device.counters.txPackets--;
    device.counters.txBytes -= skb.ip.lengthBytes;
    device.counters.txErrors++;
    this.#drop(skb, detail);
  }

  #drop(skb: SkBuff, detail: string): void {
    const { trace, name } = this.#host;
    if (trace.isFull) skb.cause = trace.emit({ kind: "packet-dropped", host: name, reason: "TUNNEL_NO_DEVICE", packet: skb.recorded, detail, cause: skb.cause });
  }

  /* ------------------------------------------------------------------------------------------------------------ reception */

  /** tunnel4_rcv, ipip_tunnel_rcv */
  #receiveIpip(skb: SkBuff): void {
    const outer = skb.ip;
    const inner = outer.payload;
    const device = this.#lookup("ipip", outer.src, outer.dst, undefined, skb.device);
    if (device === undefined || !(inner instanceof Ipv4Packet)) this.#refuse(skb);
    else this.#decapsulate(skb, device, inner);
  }

  /** ip_gre.c:gre_rcv, ip_tunnel.c:ip_tunnel_rcv */
  #receiveGre(skb: SkBuff): void {
    const outer = skb.ip;
    const gre = outer.payload;
    if (!(gre instanceof GrePacket)) {
      this.#drop(skb, "the GRE header cannot be read");
      return;
    }
    const device = gre.protocol === ETHERTYPE_IPV4 ? this.#lookup("gre", outer.src, outer.dst, gre.key, skb.device) : undefined;
    const inner = gre.payload;
    if (device === undefined || !(inner instanceof Ipv4Packet)) {
      this.#refuse(skb);
      return;
    }
    if (gre.hasChecksum !== (device.tunnel?.hasChecksum === true)) {
      device.counters.rxErrors++;
      this.#drop(skb, `${device.name} ${gre.hasChecksum ? "expects no" : "expects a"} checksum`);
      return;
    }
    this.#decapsulate(skb, device, inner);
  }

  #refuse(skb: SkBuff): void {
    this.#drop(skb, "no tunnel device for these addresses is up");
    this.#host.icmp.sendError(skb, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0);
  }

  #decapsulate(skb: SkBuff, device: NetDevice, inner: Ipv4Packet): void {
    const { trace, name } = this.#host;
    const outer = skb.ip;
    const tos = decapsulateTos(outer.tos, inner.tos);
    if (tos === undefined) {
      device.counters.rxErrors++;
      this.#drop(skb, "congestion was marked on a packet that cannot carry the mark");
      return;
    }
    let packet = inner;
    if (tos !== inner.tos) {
      packet = inner.copy();
      packet.tos = tos;
    }
    const innerSkb = new SkBuff(packet, device);
    innerSkb.mark = skb.mark;
    innerSkb.confirmsNeighbour = skb.confirmsNeighbour;
    innerSkb.isIpvsHandled = skb.isIpvsHandled && this.#host.options.tunnelKeepsIpvsMark;
    innerSkb.cause = skb.cause;
    if (trace.isFull)
      innerSkb.cause = trace.emit({
        kind: "packet-decapsulated",
        host: name,
        by: device.tunnel?.mode ?? "ipip",
        device: device.name,
        outer,
        inner,
        cause: skb.cause,
      });
    receiveBare(this.#host, device, innerSkb);
  }

  /**
   * ip_tunnel_lookup: first those that belong to the device on which the packet came, then the others; of each both addresses, the remote one,
   * the local one, none; last the fallback device. Only devices that are up count.
   */
  #lookup(mode: "ipip" | "gre", remote: Ipv4Address, local: Ipv4Address, key: number | undefined, arrived: NetDevice | undefined): NetDevice | undefined {
    let best: NetDevice | undefined;
    let bestRank = 0;
    for (const device of this.#host.devices.list) {
      const { tunnel } = device;
      if (tunnel === undefined || tunnel.mode !== mode || !device.isUp || (device.kind !== "tunnel" && device.kind !== "gre")) continue;
      const isFallback = device.name === (mode === "ipip" ? "tunl0" : "gre0");
      if (tunnel.key !== key && !isFallback) continue;
      const match = isFallback && tunnel.local === 0 && tunnel.remote === 0 ? 1 : matchRank(tunnel, remote, local);
      const rank = match > 0 && tunnel.link !== undefined && tunnel.link === arrived ? match + LINKED_RANK : match;
      if (rank <= bestRank) continue;
      best = device;
      bestRank = rank;
    }
    return best;
  }

  /** ipip_err, ipgre_err: `quoted` is the outer packet that this host sent. */
  #error(icmp: IcmpMessage, quoted: Ipv4Packet, arrived: NetDevice | undefined): void {
    const mode = quoted.protocol === PROTOCOL_GRE ? "gre" : "ipip";
    const key = quoted.payload instanceof GrePacket ? quoted.payload.key : undefined;
    const device = this.#lookup(mode, quoted.dst, quoted.src, key, arrived);
    if (device === undefined) return;
    if (icmp.type === ICMP_DEST_UNREACH && icmp.code === ICMP_FRAG_NEEDED) {
      this.#host.routing.learnMtu(quoted.dst, icmp.rest & 0xffff, { src: quoted.src });
      return;
    }
    if (icmp.type === ICMP_REDIRECT || (icmp.type !== ICMP_DEST_UNREACH && icmp.type !== ICMP_TIME_EXCEEDED)) return;
    if (icmp.type === ICMP_TIME_EXCEEDED && (icmp.code !== 0 || device.tunnel?.ttl === 0)) return;
    if (device.tunnel === undefined || device.tunnel.remote === 0) return;
    const nowNs = this.#host.loop.nowNs;
    const errors = this.#errors.get(device);
    if (errors !== undefined && nowNs < errors.timeNs + ERROR_MEMORY_NS) {
      errors.count++;
      errors.timeNs = nowNs;
    } else {
      this.#errors.set(device, { count: 1, timeNs: nowNs });
    }
  }
}

/** Above every rank of `matchRank`. */
const LINKED_RANK = 10;

function matchRank(tunnel: TunnelParameters, remote: Ipv4Address, local: Ipv4Address): number {
  if (tunnel.remote === remote && tunnel.local === local) return 5;
  if (tunnel.remote === remote && tunnel.local === 0) return 4;
  if (tunnel.remote === 0 && tunnel.local === local) return 3;
  return tunnel.remote === 0 && tunnel.local === 0 ? 2 : 0;
}

/** Bytes of the GRE header; 0 for IP in IP. */
export function greBytes(tunnel: TunnelParameters): number {
  if (tunnel.mode !== "gre") return 0;
  return GRE_HEADER_BYTES + (tunnel.hasChecksum === true ? GRE_FIELD_BYTES : 0) + (tunnel.key === undefined ? 0 : GRE_FIELD_BYTES);
}

/** INET_ECN_encapsulate: the inner ECN bits are copied, but CE becomes ECT(0). */
function encapsulateTos(outer: number, inner: number): number {
  const ecn = inner & ECN_MASK;
  return (outer & ~ECN_MASK) | (ecn === ECN_CE ? ECN_ECT_0 : ecn);
}

/** INET_ECN_decapsulate: undefined when the packet must be dropped. */
function decapsulateTos(outer: number, inner: number): number | undefined {
  if ((outer & ECN_MASK) !== ECN_CE) return inner;
  return (inner & ECN_MASK) === 0 ? undefined : inner | ECN_CE;
}
