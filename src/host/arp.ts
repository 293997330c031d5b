/**
 * ARP: answers, learns and asks.
 *
 * Linux v6.1 net/ipv4/arp.c (arp_rcv, arp_process, arp_ignore, arp_filter, arp_solicit, arp_fwd_proxy, arp_fwd_pvlan, arp_is_garp);
 * RFC 826, RFC 5227 (probes). Not modelled: hardware types other than Ethernet, medium translation of Frame Relay.
 */

import { formatIpv4Address, type Ipv4Address, isLoopback, isMulticast } from "../base/ipv4-address.ts";
import { BROADCAST_MAC, isGroupMac, type MacAddress, ZERO_MAC } from "../base/mac-address.ts";
import type { RandomStream } from "../kernel/random.ts";
import { ArpPacket, ETHERTYPE_ARP, EthernetFrame } from "../wire/packet.ts";
import { confirmAddress, isAddressOnLink } from "./address-match.ts";
import { type NetDevice, SCOPE_HOST, SCOPE_LINK, type Scope } from "./device.ts";
import { type ArpProtocol, type Host, isRouteError } from "./host.ts";
import { traceFrameDrop } from "./device-drivers.ts";
import type { ArpTable } from "./netfilter/arp-table.ts";
import type { Route } from "./route.ts";
import type { SkBuff } from "./skb.ts";

const ARP_REQUEST = 1;
const ARP_REPLY = 2;

/** Levels of arp_ignore in words, when they refuse and when they let pass. */
type LevelWords = Readonly<Record<number, (device: string, sender: string) => string>>;

const REFUSALS: LevelWords = {
  1: (device) => `${device} does not have the address itself`,
  2: (device, sender) => `no address of ${device} is the wanted one in the subnet of ${sender}`,
  3: () => "the address has scope host",
  8: () => "no address is answered for",
};

const ANSWERS: LevelWords = {
  1: (device) => `${device} has the address itself`,
  2: (device, sender) => `${device} has the address itself, in the subnet of ${sender}`,
  3: () => "the address is not of scope host",
};

/** A request that a proxy answers after a random delay (neighbour.c:pneigh_enqueue). */
interface DelayedRequest {
  readonly device: NetDevice;
  readonly frame: EthernetFrame;
}

type Answer = "sent" | "refused" | "later" | "not ours";

export class Arp implements ArpProtocol {
  table: ArpTable | undefined = undefined;
  readonly #host: Host;
  #random: RandomStream | undefined = undefined;
  readonly #delayedCounts = new Map<NetDevice, number>();

  constructor(host: Host) {
    this.#host = host;
  }

  receive(device: NetDevice, frame: EthernetFrame): void {
    const arp = frame.payload;
    if (!(arp instanceof ArpPacket) || device.isNoArp) return;
    if (frame.dst !== device.mac && !isGroupMac(frame.dst)) return;
    const passed = this.table === undefined ? arp : this.table.filter("INPUT", arp, device);
    if (passed === undefined) traceFrameDrop(this.#host, device, frame, "NETFILTER_DROP");
    else this.#process(device, frame, passed, false);
  }

  /** A delayed proxy answer is due. */
  onEvent(argument: unknown): void {
    const { device, frame } = argument as DelayedRequest;
    this.#delayedCounts.set(device, (this.#delayedCounts.get(device) ?? 1) - 1);
    if (device.isUp) this.#process(device, frame, frame.payload as ArpPacket, true);
  }

  /** arp_process */
  #process(device: NetDevice, frame: EthernetFrame, arp: ArpPacket, wasDelayed: boolean): void {
    const { sysctl, fib, neighbours } = this.#host;
    const { operation, senderIp, targetIp, senderMac } = arp;
    if (operation !== ARP_REQUEST && operation !== ARP_REPLY) return;
    if (isMulticast(targetIp) || (isLoopback(targetIp) && sysctl.inForce(device, "route_localnet") === 0)) return;
    if (senderIp === targetIp && sysctl.inForce(device, "drop_gratuitous_arp") !== 0) return;
    if (senderIp === 0) {
      if (operation !== ARP_REQUEST || fib.addressType(targetIp) !== "local") return;
      const refusal = this.#ignoreReason(device, 0, targetIp);
      this.#decide(device, arp, refusal ?? `address probe; ${this.#ignoreWords(device, 0, targetIp)}`, refusal === undefined);
      if (refusal === undefined) this.#reply(device, arp);
      return;
    }
    if (operation === ARP_REQUEST && this.#answer(device, frame, arp, wasDelayed) !== "not ours") return;
    const accepts = this.#accepts(device, senderIp);
    const entry = neighbours.lookup(device, senderIp);
    if (entry === undefined && !accepts) return;
    const isGratuitous = this.#isGratuitous(arp);
    if (entry === undefined && !isGratuitous && !(operation === ARP_REPLY && fib.addressType(senderIp) === "unicast")) return;
    const overrides = isGratuitous || entry === undefined || this.#host.loop.nowNs > entry.updatedAtNs + device.neigh.locktimeNs;
    const isUnicastReply = operation === ARP_REPLY && frame.dst === device.mac;
    neighbours.learn(device, senderIp, senderMac, { state: isUnicastReply ? "REACHABLE" : "STALE", creates: accepts, overrides, cause: 0 });
  }

  #answer(device: NetDevice, frame: EthernetFrame, arp: ArpPacket, wasDelayed: boolean): Answer {
    const { senderIp, targetIp } = arp;
    const route = this.#host.routing.input({ dst: targetIp, src: senderIp, device, mark: 0, tos: 0, isArp: true });
    if (isRouteError(route)) {
      if (this.#host.fib.addressType(targetIp) === "local") this.#decide(device, arp, route.detail, false);
      return "not ours";
    }
    if (route.type === "local") {
      const refusal = this.#ignoreReason(device, senderIp, targetIp) ?? this.#filterReason(device, senderIp, targetIp);
      this.#decide(device, arp, refusal ?? this.#ignoreWords(device, senderIp, targetIp), refusal === undefined);
      if (refusal !== undefined) return "refused";
      if (this.#learnFromRequest(device, arp)) this.#reply(device, arp);
      return "sent";
    }
    if (device.conf.forwarding === 0 || route.type !== "unicast" || !this.#isProxyFor(device, route, senderIp, targetIp)) return "not ours";
    this.#learnFromRequest(device, arp);
    if (wasDelayed || frame.dst === device.mac || device.neigh.proxyDelayNs <= 0) {
      this.#decide(device, arp, "proxy", true);
      this.#reply(device, arp);
      return "sent";
    }
    this.#delay(device, frame);
    return "later";
  }

  /** Rule for requests that we answer: the sender is learnt whatever locktime says (neighbour.c:neigh_event_ns). */
  #learnFromRequest(device: NetDevice, arp: ArpPacket): boolean {
    return this.#host.neighbours.learn(device, arp.senderIp, arp.senderMac, { state: "STALE", creates: true, overrides: true, cause: 0 });
  }

  #delay(device: NetDevice, frame: EthernetFrame): void {
    const waiting = this.#delayedCounts.get(device) ?? 0;
    if (waiting > device.neigh.proxy_qlen) return;
    this.#delayedCounts.set(device, waiting + 1);
    this.#random ??= this.#host.random("arp-proxy");
    const delayMs = this.#random.below(Math.max(1, Math.trunc(device.neigh.proxyDelayNs / 1_000_000)));
    const request: DelayedRequest = { device, frame };
    this.#host.loop.after(delayMs * 1_000_000, this, request);
  }

  /** arp_fwd_proxy, arp_fwd_pvlan and entries of `ip neigh add proxy`. */
  #isProxyFor(device: NetDevice, route: Route, senderIp: Ipv4Address, targetIp: Ipv4Address): boolean {
    const { sysctl, neighbours } = this.#host;
    if (route.device === device) return senderIp !== targetIp && sysctl.inForce(device, "proxy_arp_pvlan") !== 0;
    if (sysctl.inForce(device, "proxy_arp") !== 0) {
      const inMedium = device.conf.medium_id;
      const outMedium = route.device.conf.medium_id;
      if (inMedium === 0 || (inMedium !== -1 && outMedium !== inMedium && outMedium !== -1)) return true;
    }
    return neighbours.hasProxy(device, targetIp);
  }

  /** arp_ignore: undefined when the address may be told, else why not. */
  #ignoreReason(device: NetDevice, senderIp: Ipv4Address, targetIp: Ipv4Address): string | undefined {
    const level = this.#host.sysctl.inForce(device, "arp_ignore");
    let isConfirmed = true;
    if (level === 1) isConfirmed = this.#confirms(device, 0, targetIp, SCOPE_HOST);
    else if (level === 2) isConfirmed = this.#confirms(device, senderIp, targetIp, SCOPE_HOST);
    else if (level === 3) isConfirmed = this.#host.devices.list.some((one) => this.#confirms(one, 0, targetIp, SCOPE_LINK));
    else if (level === 8) isConfirmed = false;
    return isConfirmed ? undefined : `${this.#ignoreValues(device, level)}: ${REFUSALS[level]?.(device.name, formatIpv4Address(senderIp)) ?? ""}`;
  }

  /** Why arp_ignore let the answer pass. */
  #ignoreWords(device: NetDevice, senderIp: Ipv4Address, targetIp: Ipv4Address): string {
    if (!this.#host.trace.isFull) return "";
    const level = this.#host.sysctl.inForce(device, "arp_ignore");
    const why = ANSWERS[level]?.(device.name, formatIpv4Address(senderIp)) ?? "any local address is answered";
    return `${this.#ignoreValues(device, level)}: ${targetIp === senderIp ? "the asker's own address; " : ""}${why}`;
  }

  #ignoreValues(device: NetDevice, level: number): string {
    return `arp_ignore = max(all ${this.#host.sysctl.all.arp_ignore}, ${device.name} ${device.conf.arp_ignore}) = ${level}`;
  }

  #confirms(device: NetDevice, destination: Ipv4Address, local: Ipv4Address, scope: Scope): boolean {
    return confirmAddress(device, { destination, local, scope, localnetIsLink: this.#host.sysctl.inForce(device, "route_localnet") !== 0 }) !== 0;
  }

  #filterReason(device: NetDevice, senderIp: Ipv4Address, targetIp: Ipv4Address): string | undefined {
    if (this.#host.sysctl.inForce(device, "arp_filter") === 0) return undefined;
    const route = this.#host.routing.output({ dst: senderIp, src: targetIp });
    if (isRouteError(route)) return `arp_filter: no route back (${route.errno})`;
    if (route.device === device) return undefined;
    this.#host.mib.tcpExt.ArpFilter++;
    return `arp_filter: the way back is ${route.device.name}`;
  }

  #accepts(device: NetDevice, senderIp: Ipv4Address): boolean {
    const level = this.#host.sysctl.inForce(device, "arp_accept");
    return level === 1 || (level === 2 && this.#confirms(device, senderIp, 0, SCOPE_LINK));
  }

  #isGratuitous(arp: ArpPacket): boolean {
    if (arp.senderIp !== arp.targetIp) return false;
    if (arp.operation === ARP_REPLY && arp.targetMac !== arp.senderMac) return false;
    return this.#host.fib.addressType(arp.senderIp) === "unicast";
  }

  #reply(device: NetDevice, arp: ArpPacket): void {
    this.#send(device, new ArpPacket(ARP_REPLY, device.mac, arp.targetIp, arp.senderMac, arp.senderIp), arp.senderMac, 0);
  }

  #decide(device: NetDevice, arp: ArpPacket, detail: string, isAnswered: boolean): void {
    const { trace, name } = this.#host;
    if (!trace.isFull) return;
    // What is sent now is sent because of this decision.
    trace.follow(trace.emit({ kind: "arp-decision", host: name, device: device.name, target: arp.targetIp, sender: arp.senderIp, isAnswered, detail, cause: 0 }));
  }

  /* --------------------------------------------------------------------------------------------------------------- sending */

  /** arp_solicit: the sender address follows arp_announce. */
  solicit(device: NetDevice, target: Ipv4Address, destinationMac: MacAddress, skb: SkBuff | undefined): void {
    const { sysctl, addresses, fib } = this.#host;
    const level = sysctl.inForce(device, "arp_announce");
    let senderIp = 0;
    if (skb !== undefined && level !== 2) {
      const source = skb.ip.src;
      const isLocal = fib.addressType(source) === "local";
      if (isLocal && (level !== 1 || isAddressOnLink(device, target, source))) senderIp = source;
    }
    if (senderIp === 0) senderIp = addresses.select(device, target, SCOPE_LINK);
    this.sendRequest(device, { senderIp, targetIp: target, destinationMac, cause: skb?.cause ?? 0 });
  }

  sendRequest(
    device: NetDevice,
    options: { readonly senderIp: Ipv4Address; readonly targetIp: Ipv4Address; readonly destinationMac: MacAddress; readonly cause: number },
  ): void {
    this.#send(device, new ArpPacket(ARP_REQUEST, device.mac, options.senderIp, ZERO_MAC, options.targetIp), options.destinationMac, options.cause);
  }

  sendGratuitous(device: NetDevice, address: Ipv4Address, targetMac: MacAddress = ZERO_MAC): void {
    this.#send(device, new ArpPacket(ARP_REQUEST, device.mac, address, targetMac, address), BROADCAST_MAC, 0);
  }

  #send(device: NetDevice, arp: ArpPacket, destinationMac: MacAddress, cause: number): void {
    if (device.isNoArp) return;
    const passed = this.table === undefined ? arp : this.table.filter("OUTPUT", arp, device);
    const frame = new EthernetFrame(destinationMac, device.mac, ETHERTYPE_ARP, passed ?? arp);
    frame.traceId = cause;
    if (passed === undefined) {
      traceFrameDrop(this.#host, device, frame, "NETFILTER_DROP");
      return;
    }
    device.driver.transmitFrame(device, frame);
  }
}
