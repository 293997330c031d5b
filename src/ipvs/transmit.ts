/**
 * Sending a client's packet to its real server: NAT rewrites it, direct routing readdresses the frame, tunnelling wraps it; a dest on this
 * machine gets it without a detour.
 *
 * Linux v6.1 net/netfilter/ipvs/ip_vs_xmit.c (__ip_vs_get_out_rt, ip_vs_nat_xmit, ip_vs_dr_xmit, ip_vs_tunnel_xmit, ip_vs_bypass_xmit,
 * ip_vs_icmp_xmit).
 */

import { isLoopback } from "../base/ipv4-address.ts";
import { isRouteError } from "../host/host.ts";
import type { Verdict } from "../host/netfilter/hooks.ts";
import type { Route } from "../host/route.ts";
import { SkBuff } from "../host/skb.ts";
import {
  GrePacket,
  GuePacket,
  ICMP_DEST_UNREACH,
  ICMP_FRAG_NEEDED,
  ICMP_HOST_UNREACH,
  ICMP_TIME_EXCEEDED,
  type IcmpMessage,
  Ipv4Packet,
  PROTOCOL_GRE,
  PROTOCOL_ICMP,
  PROTOCOL_IPIP,
  PROTOCOL_UDP,
  TcpSegment,
  UdpDatagram,
} from "../wire/packet.ts";
import { CONN_BYPASS, CONN_CONNTRACK, type Connection } from "./connection.ts";
import type { Dest } from "./dest.ts";
import type { Director } from "./director.ts";
import type { TunnelOptions } from "./ipvs.ts";
import { rewriteQuoted } from "./quoted.ts";

const IPV4_HEADER_BYTES = 20;
const GUE_OVERHEAD_BYTES = 12;
/** Every IPv4 link must carry so much (RFC 791); a tunnel below it is useless. */
const MIN_MTU = 68;
const ETHERTYPE_IPV4 = 0x0800;

type OutRoute = { readonly route: Route; readonly isLocal: boolean };

/** Sends `skb` by the connection's method. The verdict is for the hook that was running. */
export function transmit(director: Director, connection: Connection, skb: SkBuff): Verdict {
  if ((connection.flags & CONN_BYPASS) !== 0) return transmitDirect(director, connection, skb, skb.ip.dst, 0);
  switch (connection.method) {
    case "masq":
      return transmitNat(director, connection, skb, undefined);
    case "route":
      return transmitDirect(director, connection, skb, connection.destAddress, connection.destAddress);
    case "tunnel":
      return transmitTunnel(director, connection, skb);
    case "local":
      return sendOrContinue(director, connection, skb, true);
  }
}

/** An ICMP error about a reply, on its way to the real server. ip_vs_icmp_xmit */
export function transmitIcmp(director: Director, connection: Connection, skb: SkBuff): Verdict {
  return connection.method === "masq" ? transmitNat(director, connection, skb, skb.ip.payload as IcmpMessage) : transmit(director, connection, skb);
}

function transmitNat(director: Director, connection: Connection, skb: SkBuff, icmp: IcmpMessage | undefined): Verdict {
  const cameIn = skb.device !== undefined && skb.device.kind !== "loopback";
  const { host } = director;
  const before = host.trace.isFull ? skb.recorded : skb.ip;
  const out = outRoute(director, skb, connection.destAddress, 0, true);
  if (out === undefined) return "DROP";
  if (out.isLocal && isLoopback(connection.destAddress) && cameIn) return fail(director, skb, "a packet from outside may not be sent to a loopback address");
  const ip = skb.makeWritable();
  if (icmp === undefined) {
    setDestinationPort(ip, connection.destPort);
  } else {
    rewriteQuoted(ip, { src: connection.destAddress, srcPort: connection.destPort });
  }
  ip.dst = connection.destAddress;
  if (host.trace.isFull) skb.cause = host.trace.emit({ kind: "packet-rewritten", host: host.name, by: "ipvs-nat", before, after: skb.recorded, cause: skb.cause });
  if (!out.isLocal) skb.route = out.route;
  return sendOrContinue(director, connection, skb, out.isLocal);
}

/** Direct routing, and bypass (nextHop 0: the packet's own destination). The packet stays as it is but for TTL. */
function transmitDirect(director: Director, connection: Connection, skb: SkBuff, destination: number, nextHop: number): Verdict {
  const { host } = director;
  const before = host.trace.isFull ? skb.recorded : skb.ip;
  const out = outRoute(director, skb, destination, 0, false);
  if (out === undefined) return "DROP";
  if (out.isLocal) return deliverHere(director, connection, skb);
  if (host.trace.isFull) skb.cause = host.trace.emit({ kind: "packet-rewritten", host: host.name, by: "ipvs-route", before, after: skb.recorded, cause: skb.cause });
  skb.route = out.route;
  if (nextHop !== 0) skb.nextHop = out.route.gateway !== 0 ? out.route.gateway : nextHop;
  return sendOrContinue(director, connection, skb, false);
}

/** The real server is the director itself. */
function deliverHere(director: Director, connection: Connection, skb: SkBuff): Verdict {
  const { host } = director;
  if (host.trace.isFull) skb.cause = host.trace.emit({ kind: "packet-rewritten", host: host.name, by: "ipvs-local", before: skb.ip, after: skb.ip, cause: skb.cause });
  return sendOrContinue(director, connection, skb, true);
}

function transmitTunnel(director: Director, connection: Connection, skb: SkBuff): Verdict {
  const tunnel = connection.dest?.tunnel ?? { type: "ipip", port: 0, checksum: "none" };
  const out = outRoute(director, skb, connection.destAddress, tunnelOverhead(tunnel), false, connection.dest);
  if (out === undefined) return "DROP";
  if (out.isLocal) return deliverHere(director, connection, skb);
  const { host } = director;
  const inner = skb.ip;
  const outer = wrap(director, tunnel, inner, connection.destAddress, out.route.source);
  const outerSkb = new SkBuff(outer, undefined, true);
  outerSkb.packetType = "outgoing";
  outerSkb.route = out.route;
  outerSkb.mark = skb.mark;
  outerSkb.isIpvsHandled = true;
  outerSkb.confirmsNeighbour = skb.confirmsNeighbour;
  outerSkb.cause = skb.cause;
  if (host.trace.isFull) outerSkb.cause = host.trace.emit({ kind: "packet-encapsulated", host: host.name, by: tunnel.type, inner, outer: outer.snapshot(), cause: skb.cause });
  host.ip.localOut(outerSkb);
  return "STOLEN";
}

/** ip_vs_xmit.c:ip_vs_prepare_tunneled_skb and what follows it in ip_vs_tunnel_xmit. */
function wrap(director: Director, tunnel: TunnelOptions, inner: Ipv4Packet, destination: number, source: number): Ipv4Packet {
  const { host, settings } = director;
  const dontFragment = settings.pmtu_disc.value !== 0 && inner.dontFragment;
  let outer: Ipv4Packet;
  if (tunnel.type === "ipip") {
    outer = new Ipv4Packet(source, destination, PROTOCOL_IPIP, inner.ttl, inner);
  } else if (tunnel.type === "gre") {
    outer = new Ipv4Packet(source, destination, PROTOCOL_GRE, inner.ttl, new GrePacket(ETHERTYPE_IPV4, inner, tunnel.checksum !== "none"));
  } else {
    const datagram = new UdpDatagram(flowPort(director, inner), tunnel.port, new GuePacket(PROTOCOL_IPIP, inner));
    datagram.hasChecksum = tunnel.checksum !== "none";
    outer = new Ipv4Packet(source, destination, PROTOCOL_UDP, inner.ttl, datagram);
  }
  outer.dontFragment = dontFragment;
  outer.tos = encapsulateTos(inner.tos);
  outer.id = dontFragment ? 0 : host.ip.nextId(outer);
  return outer;
}

/** RFC 6040 in Linux's form (INET_ECN_encapsulate): the inner bits are copied, but CE becomes ECT(0). */
function encapsulateTos(tos: number): number {
  return (tos & 3) === 3 ? (tos & 0xfc) | 2 : tos;
}

function tunnelOverhead(tunnel: TunnelOptions): number {
  switch (tunnel.type) {
    case "ipip":
      return IPV4_HEADER_BYTES;
    case "gre":
      return IPV4_HEADER_BYTES + (tunnel.checksum === "none" ? 4 : 8);
    case "gue":
      return IPV4_HEADER_BYTES + GUE_OVERHEAD_BYTES;
  }
}

/** The source port of a GUE tunnel spreads flows: a hash in the ephemeral range, the same for all packets of a flow. */
function flowPort(director: Director, inner: Ipv4Packet): number {
  const { payload } = inner;
  const ports = payload instanceof TcpSegment || payload instanceof UdpDatagram ? (payload.srcPort << 16) | payload.dstPort : 0;
  let hash = Math.imul(inner.src ^ inner.dst ^ ports ^ inner.protocol, 0x9e3779b1);
  hash ^= hash >>> 15;
  const range = (director.host.sysctl.read("net.ipv4.ip_local_port_range") ?? "32768\t60999").split(/\s+/).map(Number);
  const [low = 32768, high = 60999] = range;
  return low + ((hash >>> 0) % (high - low + 1));
}

/**
 * The route to a dest, with the checks that all methods share; undefined when the packet died of it (the client has been told). Takes one from
 * the TTL of a packet that goes on to another host.
 * `tunnelBytes`: what a tunnel adds, 0 for none. ip_vs_xmit.c:__ip_vs_get_out_rt
 */
function outRoute(director: Director, skb: SkBuff, destination: number, tunnelBytes: number, mayRedirect: boolean, dest?: Dest): OutRoute | undefined {
  const { host, settings } = director;
  const route = host.routing.output({ dst: destination, anySource: true });
  if (isRouteError(route)) {
    host.icmp.sendError(skb, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0);
    fail(director, skb, `no route to the real server: ${route.errno}`);
    return undefined;
  }
  const isLocal = route.type === "local";
  const wasLocal = skb.route === undefined || skb.route.type === "local";
  if (isLocal) {
    if (!mayRedirect && !wasLocal) return failRoute(director, skb, "a forwarded packet may not be delivered here");
    return { route, isLocal };
  }
  if (isLoopback(skb.ip.src)) return failRoute(director, skb, "a loopback source may not leave this machine");
  if (host.options.ipvsDecrementsTtl && skb.ip.ttl <= 1) {
    host.icmp.sendError(skb, ICMP_TIME_EXCEEDED, 0, 0);
    return failRoute(director, skb, "TTL ran out");
  }
  // Before the size is looked at: "fragmentation needed" quotes a TTL that is one less than what arrived (decrement_ttl).
  if (host.options.ipvsDecrementsTtl) skb.makeWritable().ttl--;
  if (dest !== undefined) {
    dest.routeMtu = route.mtu;
    dest.isRouteMtuLearnt = route.mtu < route.device.mtu;
  }
  const mtu = route.mtu - tunnelBytes;
  if (tunnelBytes > 0 && mtu < MIN_MTU) return failRoute(director, skb, `the tunnel leaves an MTU of ${mtu}`);
  const isChecked = tunnelBytes === 0 || settings.pmtu_disc.value !== 0;
  if (isChecked && skb.ip.dontFragment && skb.ip.lengthBytes > mtu && skb.ip.protocol !== PROTOCOL_ICMP) {
    host.icmp.sendError(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, mtu);
    return failRoute(director, skb, `${skb.ip.lengthBytes} bytes with DF do not fit into an MTU of ${mtu}`);
  }
  return { route, isLocal };
}

/** Marks the packet as handled and sends it through LOCAL_OUT, or lets the running hook go on to the local stack. */
function sendOrContinue(director: Director, connection: Connection, skb: SkBuff, isLocal: boolean): Verdict {
  skb.isIpvsHandled = true;
  if ((connection.flags & CONN_CONNTRACK) === 0) untrack(skb);
  else updateConntrack(director, connection, skb, true);
  if (isLocal) return "ACCEPT";
  director.host.ip.localOut(skb);
  return "STOLEN";
}

/** ip_vs.h:ip_vs_notrack */
export function untrack(skb: SkBuff): void {
  if (skb.conntrack === undefined) return;
  skb.conntrack = undefined;
  skb.conntrackInfo = "UNTRACKED";
}

/** Tells a new conntrack entry where replies will come from, or go to. ip_vs_nfct.c:ip_vs_update_conntrack */
export function updateConntrack(director: Director, connection: Connection, skb: SkBuff, isRequest: boolean): void {
  const entry = skb.conntrack;
  if (entry === undefined || entry.isConfirmed || connection.method !== "masq") return;
  if (skb.conntrackInfo === "ESTABLISHED_REPLY" || skb.conntrackInfo === "RELATED_REPLY") return;
  const reply = isRequest
    ? { ...entry.reply, src: connection.destAddress, srcPort: connection.destPort }
    : { ...entry.reply, dst: connection.virtualAddress, dstPort: connection.virtualPort };
  director.host.conntrack.alterReply(entry, reply);
}

function setDestinationPort(ip: Ipv4Packet, port: number): void {
  const { payload } = ip;
  if (payload instanceof TcpSegment || payload instanceof UdpDatagram) payload.dstPort = port;
}

function fail(director: Director, skb: SkBuff, detail: string): Verdict {
  const { host } = director;
  if (host.trace.isFull) host.trace.emit({ kind: "packet-dropped", host: host.name, reason: "IPVS_XMIT_ERROR", packet: skb.recorded, detail, cause: skb.cause });
  return "DROP";
}

function failRoute(director: Director, skb: SkBuff, detail: string): undefined {
  fail(director, skb, detail);
  return undefined;
}
