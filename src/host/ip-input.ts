/**
 * Packets that come in: PREROUTING, the route, and delivery to this host's protocols.
 *
 * Linux v6.1 net/ipv4/ip_input.c (ip_rcv_core, ip_rcv_finish_core, ip_local_deliver, ip_protocol_deliver_rcu), net/ipv4/route.c:ip_error.
 */

import {
  ICMP_DEST_UNREACH,
  ICMP_HOST_UNREACH,
  ICMP_NET_UNREACH,
  ICMP_PROT_UNREACH,
  IcmpMessage,
  PROTOCOL_ICMP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  TcpSegment,
  UdpDatagram,
} from "../wire/packet.ts";
import type { NetDevice } from "./device.ts";
import { isRouteError } from "./host.ts";
import type { Ip } from "./ip.ts";
import { NF_LOCAL_IN, NF_PREROUTING } from "./netfilter/hooks.ts";
import type { IpExtCounters } from "./mib.ts";
import type { Route, RouteError } from "./route.ts";
import type { SkBuff } from "./skb.ts";

const ICMP_PKT_FILTERED = 13;
const ECN_MASK = 3;

export class IpInput {
  readonly #ip: Ip;

  constructor(ip: Ip) {
    this.#ip = ip;
  }

  receive(skb: SkBuff): void {
    const ip = this.#ip;
    if (skb.packetType === "otherhost") {
      ip.drop(skb, "OTHERHOST", "the frame is for another host");
      return;
    }
    ip.counters.InReceives++;
    countInput(ip.extended, skb);
    if (!ip.host.hooks.run(NF_PREROUTING, skb, skb.device, undefined)) return;
    this.#routeAndGoOn(skb, skb.device as NetDevice);
  }

  /** ip_rcv_finish. A packet that came over lo has its route already. */
  #routeAndGoOn(skb: SkBuff, device: NetDevice): void {
    const { host } = this.#ip;
    let route = skb.route;
    if (route === undefined) {
      const packet = skb.ip;
      const found = host.routing.input({ dst: packet.dst, src: packet.src, device, mark: skb.mark, tos: packet.tos });
      if (isRouteError(found)) {
        if (found.errno === "EXDEV") host.mib.tcpExt.IPReversePathFilter++;
        this.#noRoute(skb, device, found);
        return;
      }
      route = found;
      skb.route = route;
    } else if (route.type === "unicast") {
      this.#ip.drop(skb, "DIVERTED", `the route by ${route.device.name} leads back to this host, which does not have the address`);
      return;
    }
    const { type } = route;
    if (type !== "unicast" && type !== "local") this.#countGroup(skb, type);
    const isWrongFrame = skb.packetType !== "host" && (type === "unicast" || type === "local");
    if (isWrongFrame && host.sysctl.inForce(device, "drop_unicast_in_l2_multicast") !== 0) {
      this.#ip.drop(skb, "IP_INVALID_DEST", "unicast packet in a multicast frame");
      return;
    }
    if (type === "unicast") this.#ip.forwarder.forward(skb, route);
    else this.localDeliver(skb);
  }

  #countGroup(skb: SkBuff, type: Route["type"]): void {
    const { extended } = this.#ip;
    if (type === "multicast") {
      extended.InMcastPkts++;
      extended.InMcastOctets += skb.ip.lengthBytes;
    } else if (type === "broadcast") {
      extended.InBcastPkts++;
      extended.InBcastOctets += skb.ip.lengthBytes;
    }
  }

  /** route.c:ip_error. Martians and packets that the reverse path filter refuses die silently. */
  #noRoute(skb: SkBuff, device: NetDevice, error: RouteError): void {
    const { host, counters } = this.#ip;
    const { errno } = error;
    const isUnreachable = errno === "ENETUNREACH" || errno === "EHOSTUNREACH" || errno === "EACCES";
    if (errno === "EHOSTUNREACH" && device.conf.forwarding === 0) counters.InAddrErrors++;
    else if (errno === "ENETUNREACH") this.#ip.extended.InNoRoutes++;
    this.#ip.drop(skb, error.reason ?? (errno === "EHOSTUNREACH" ? "IP_INADDRERRORS" : "IP_INNOROUTES"), error.detail);
    if (!isUnreachable || device.conf.forwarding === 0 || !host.icmp.limits.mayReportRouteError(skb.ip.src)) return;
    const code = errno === "ENETUNREACH" ? ICMP_NET_UNREACH : errno === "EHOSTUNREACH" ? ICMP_HOST_UNREACH : ICMP_PKT_FILTERED;
    host.icmp.sendError(skb, ICMP_DEST_UNREACH, code, 0);
  }

  localDeliver(skb: SkBuff): void {
    const ip = this.#ip;
    let whole: SkBuff | undefined = skb;
    if (skb.ip.isFragment) {
      whole = ip.defragment(skb, "local-deliver");
      if (whole === undefined) return;
    }
    if (!ip.host.hooks.run(NF_LOCAL_IN, whole, whole.device, undefined)) return;
    this.#deliver(whole);
  }

  /** ip_protocol_deliver_rcu */
  #deliver(skb: SkBuff): void {
    const ip = this.#ip;
    const { protocol } = skb.ip;
    const handler = ip.protocol(protocol);
    if (ip.host.trace.isFull) ip.host.trace.follow(skb.cause);
    const raw = ip.rawListeners(protocol);
    if (raw !== undefined) for (const listener of raw) listener.onPacket(skb);
    if (handler === undefined && raw === undefined) {
      ip.counters.InUnknownProtos++;
      ip.drop(skb, "IP_NOPROTO", `nobody takes protocol ${protocol}`);
      ip.host.icmp.sendError(skb, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, 0);
      return;
    }
    ip.counters.InDelivers++;
    if (handler === undefined) return;
    if (!hasOwnPayload(skb, protocol)) {
      ip.drop(skb, "IP_INHDR", `the header of protocol ${protocol} cannot be read`);
      return;
    }
    handler.receive(skb);
  }
}

/** ip_rcv_core: octets, and packets by what the two bits of congestion notification say. */
function countInput(extended: IpExtCounters, skb: SkBuff): void {
  extended.InOctets += skb.ip.lengthBytes;
  switch (skb.ip.tos & ECN_MASK) {
    case 0:
      extended.InNoECTPkts++;
      break;
    case 1:
      extended.InECT1Pkts++;
      break;
    case 2:
      extended.InECT0Pkts++;
      break;
    default:
      extended.InCEPkts++;
  }
}

/** False when reassembled or decapsulated bytes do not make a header of their protocol. */
function hasOwnPayload(skb: SkBuff, protocol: number): boolean {
  const { payload } = skb.ip;
  switch (protocol) {
    case PROTOCOL_TCP:
      return payload instanceof TcpSegment;
    case PROTOCOL_UDP:
      return payload instanceof UdpDatagram;
    case PROTOCOL_ICMP:
      return payload instanceof IcmpMessage;
    default:
      return true;
  }
}
