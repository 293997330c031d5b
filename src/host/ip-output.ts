/**
 * Packets that go out: routing, identification, LOCAL_OUT, POSTROUTING, fragmentation, the next hop.
 *
 * Linux v6.1 net/ipv4/ip_output.c (__ip_local_out, ip_output, ip_mc_output, ip_finish_output2, ip_fragment), net/ipv4/route.c:__ip_select_ident,
 * net/ipv4/netfilter.c:ip_route_me_harder.
 */

import { assert } from "../base/assert.ts";
import type { EventTarget } from "../kernel/event-loop.ts";
import type { RandomStream } from "../kernel/random.ts";
import { ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, type Ipv4Packet } from "../wire/packet.ts";
import { type Errno, isRouteError, type SendOptions } from "./host.ts";
import type { Ip } from "./ip.ts";
import { fragmentPacket } from "./ip-fragment.ts";
import { NF_LOCAL_OUT, NF_POSTROUTING } from "./netfilter/hooks.ts";
import type { Route } from "./route.ts";
import { SkBuff } from "./skb.ts";

/** Identification counters, chosen by a hash of the addresses and the protocol (ip_idents). */
const IDENT_BUCKETS = 2048;

export class IpOutput implements EventTarget {
  readonly #ip: Ip;
  readonly #idents = new Uint16Array(IDENT_BUCKETS);
  readonly #hasIdent = new Uint8Array(IDENT_BUCKETS);
  #random: RandomStream | undefined = undefined;

  constructor(ip: Ip) {
    this.#ip = ip;
  }

  send(packet: Ipv4Packet, options: SendOptions): Errno | undefined {
    const { host, counters } = this.#ip;
    let { route } = options;
    if (route === undefined) {
      const found = host.routing.output({ dst: packet.dst, src: packet.src, device: options.device, mark: options.mark ?? 0, tos: packet.tos });
      if (isRouteError(found)) {
        counters.OutNoRoutes++;
        const { trace } = host;
        if (trace.isFull)
          trace.emit({ kind: "packet-dropped", host: host.name, reason: "IP_OUTNOROUTES", packet, detail: found.detail, cause: options.cause ?? 0 });
        return found.errno;
      }
      route = found;
    }
    if (packet.src === 0) packet.src = route.source;
    if (options.keepId !== true) packet.id = packet.dontFragment ? 0 : this.nextId(packet);
    const skb = new SkBuff(packet, undefined, true);
    skb.route = route;
    skb.mark = options.mark ?? 0;
    skb.cause = options.cause ?? 0;
    skb.original = options.original;
    if (options.confirmsNeighbour === true) skb.confirmsNeighbour = true;
    if (options.multicastLoop === false) skb.skipsLoopback = true;
    return this.localOut(skb);
  }

  localOut(skb: SkBuff): Errno | undefined {
    const { route } = skb;
    assert(route !== undefined, "a packet needs a route before LOCAL_OUT");
    const { hooks, trace } = this.#ip.host;
    // It may wait for a neighbour, and what then sends it did not make it.
    if (trace.isOn && skb.cause === 0) skb.cause = trace.followed;
    const verdict = hooks.verdict(NF_LOCAL_OUT, skb, undefined, route.device);
    if (verdict === "ACCEPT") {
      this.output(skb);
      return undefined;
    }
    if (verdict === "STOLEN") return undefined;
    this.#ip.counters.OutDiscards++;
    return "EPERM";
  }

  /** ip_output, and ip_mc_output for broadcasts and joined groups, of which this host gets a copy itself. */
  output(skb: SkBuff): void {
    const { route } = skb;
    assert(route !== undefined, "a packet needs a route before POSTROUTING");
    this.#ip.counters.OutRequests++;
    this.#ip.extended.OutOctets += skb.ip.lengthBytes;
    if (route.type === "broadcast" || route.type === "multicast") {
      if (this.#isHeardHere(skb, route)) this.#loopBack(skb, route);
      if (route.type === "multicast" && skb.ip.ttl === 0) return;
    }
    if (!skb.isRerouted && !this.#ip.host.hooks.run(NF_POSTROUTING, skb, skb.device, route.device)) return;
    this.#finish(skb);
  }

  #isHeardHere(skb: SkBuff, route: Route): boolean {
    if (route.device.kind === "loopback" || skb.isForwarded) return false;
    return route.type === "broadcast" || (!skb.skipsLoopback && this.#ip.host.multicast.isMember(skb.ip.dst, route.device));
  }

  #loopBack(skb: SkBuff, route: Route): void {
    const copy = new SkBuff(skb.ip, route.device);
    skb.isWritable = false;
    copy.packetType = route.type === "multicast" ? "multicast" : "broadcast";
    copy.route = route;
    copy.mark = skb.mark;
    copy.conntrack = skb.conntrack;
    copy.conntrackInfo = skb.conntrackInfo;
    copy.cause = skb.cause;
    this.#ip.host.loop.after(0, this, copy);
  }

  /** The copy of a broadcast or multicast that comes back (dev_loopback_xmit). */
  onEvent(argument: unknown): void {
    const skb = argument as SkBuff;
    if (skb.device?.isUp === true) this.#ip.receive(skb);
  }

  /** ip_finish_output. */
  #finish(skb: SkBuff): void {
    const ip = this.#ip;
    const route = skb.route as Route;
    const packet = skb.ip;
    const mtu = skb.isForwarded ? ip.forwarder.mtuOf(route) : route.mtu;
    if (packet.lengthBytes <= mtu && skb.fragmentMaxBytes === 0) {
      this.#toNextHop(skb, route);
      return;
    }
    this.#fragment(skb, route, mtu);
  }

  /** ip_finish_output2. */
  #toNextHop(skb: SkBuff, route: Route): void {
    const packet = skb.ip;
    if (route.type !== "unicast" && route.type !== "local") this.#countGroup(packet.lengthBytes, route.type);
    const nextHop = skb.nextHop !== 0 ? skb.nextHop : route.gateway !== 0 ? route.gateway : packet.dst;
    this.#ip.host.neighbours.output(route.device, nextHop, skb);
  }

  #countGroup(lengthBytes: number, type: Route["type"]): void {
    const { extended } = this.#ip;
    if (type === "multicast") {
      extended.OutMcastPkts++;
      extended.OutMcastOctets += lengthBytes;
    } else if (type === "broadcast") {
      extended.OutBcastPkts++;
      extended.OutBcastOctets += lengthBytes;
    }
  }

  /** ip_fragment. A packet that was reassembled here is cut no larger than its fragments were. */
  #fragment(skb: SkBuff, route: Route, mtu: number): void {
    const ip = this.#ip;
    const packet = skb.ip;
    if (packet.dontFragment && (!skb.ignoresDontFragment || skb.fragmentMaxBytes > mtu)) {
      ip.counters.FragFails++;
      ip.drop(skb, "PKT_TOO_BIG", `${packet.lengthBytes} bytes with DF do not fit into an MTU of ${mtu}`);
      ip.host.icmp.sendError(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, mtu);
      return;
    }
    const limit = skb.fragmentMaxBytes > 0 ? Math.min(mtu, skb.fragmentMaxBytes) : mtu;
    if (packet.lengthBytes <= limit) {
      this.#toNextHop(skb, route);
      return;
    }
    const fragments = fragmentPacket(packet, limit);
    if (fragments === undefined) {
      ip.counters.FragFails++;
      ip.drop(skb, "PKT_TOO_BIG", `an MTU of ${limit} holds no fragment`);
      return;
    }
    for (const fragment of fragments) {
      const part = new SkBuff(fragment, skb.device, true);
      part.route = route;
      part.mark = skb.mark;
      part.packetType = skb.packetType;
      part.isForwarded = skb.isForwarded;
      part.cause = skb.cause;
      part.nextHop = skb.nextHop;
      ip.counters.FragCreates++;
      this.#toNextHop(part, route);
    }
    ip.counters.FragOKs++;
  }

  routeMeHarder(skb: SkBuff): Errno | undefined {
    const { host } = this.#ip;
    const packet = skb.ip;
    const type = host.fib.addressType(packet.src);
    const keepsSource = type === "local" || type === "unicast";
    const route = host.routing.output({ dst: packet.dst, src: keepsSource ? packet.src : 0, mark: skb.mark, tos: packet.tos, anySource: true });
    if (isRouteError(route)) return route.errno;
    skb.route = route;
    return undefined;
  }

  nextId(packet: Ipv4Packet): number {
    let bucket = Math.imul(packet.src ^ Math.imul(packet.dst, 0x9e3779b1) ^ (packet.protocol << 24), 0x61c88647) >>> 21;
    bucket &= IDENT_BUCKETS - 1;
    if (this.#hasIdent[bucket] === 0) {
      this.#random ??= this.#ip.host.random("ip-id");
      this.#hasIdent[bucket] = 1;
      this.#idents[bucket] = this.#random.below(0x10000);
    }
    const id = ((this.#idents[bucket] as number) + 1) & 0xffff;
    this.#idents[bucket] = id;
    return id;
  }
}
