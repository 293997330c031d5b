/**
 * The matches of iptables rules, made into functions once for each change of a table.
 *
 * Linux v6.1 net/netfilter/xt_*.c, net/ipv4/netfilter/ip_tables.c (icmp_match). State such as a token bucket or a counter of packets is
 * new after each change of the table, as the kernel's is.
 */

import { NS_PER_SECOND } from "../../base/time.ts";
import { IcmpMessage, TcpSegment, UdpDatagram } from "../../wire/packet.ts";
import type { SkBuff } from "../skb.ts";
import { compileAddrtype } from "./match-addrtype.ts";
import { compileConnlimit, compileConntrack, stateOf } from "./match-conntrack.ts";
import { HOT_DROP, type MatchContext, type MatchFunction, type MatchResult, NO, YES } from "./match-context.ts";
import type { MatchSpec, Range, RangeTest } from "./rule.ts";

function test(isMatch: boolean): MatchResult {
  return isMatch ? YES : NO;
}

export function isInRange(value: number, range: RangeTest): boolean {
  return (value >= range.min && value <= range.max) !== range.isInverted;
}

export function compileMatch(spec: MatchSpec, context: MatchContext): MatchFunction {
  switch (spec.kind) {
    case "tcp":
      return compileTcp(spec);
    case "udp":
    case "sctp":
      return compilePorts(spec);
    case "icmp":
      return compileIcmp(spec);
    case "state": {
      const names: ReadonlySet<string> = new Set(spec.names);
      return (skb) => test(names.has(stateOf(skb)) !== spec.isInverted);
    }
    case "conntrack":
      return compileConntrack(spec.test, context);
    case "mark":
      return (skb) => test(((skb.mark & spec.mask) >>> 0 === spec.mark) !== spec.isInverted);
    case "connmark":
      return (skb) => test(skb.conntrack !== undefined && ((skb.conntrack.mark & spec.mask) >>> 0 === spec.mark) !== spec.isInverted);
    case "multiport":
      return compileMultiport(spec.which, spec.ports, spec.isInverted);
    case "limit":
      return compileLimit(spec.averageUnits, spec.burst, context);
    case "connlimit":
      return compileConnlimit(spec, context);
    case "mac":
      return (skb) => test(skb.sourceMac !== 0 && (skb.sourceMac === spec.address) !== spec.isInverted);
    case "addrtype":
      return compileAddrtype(spec, context);
    case "iprange":
      return (skb) =>
        test((spec.source === undefined || isInRange(skb.ip.src, spec.source)) && (spec.destination === undefined || isInRange(skb.ip.dst, spec.destination)));
    case "ttl":
      return compileTtl(spec.compare, spec.ttl);
    case "length":
      return (skb) => test(isInRange(skb.ip.lengthBytes, spec.length));
    case "comment":
      return () => YES;
    case "statistic":
      return compileStatistic(spec, context);
    case "pkttype":
      return (skb) => test((packetTypeOf(skb) === spec.type) !== spec.isInverted);
    case "tos":
      return (skb) => test(((skb.ip.tos & spec.mask) === spec.tos) !== spec.isInverted);
    case "dscp":
      return (skb) => test((skb.ip.tos >>> 2 === spec.dscp) !== spec.isInverted);
    case "tcpmss":
      return compileTcpMss(spec.mss);
    case "recent": {
      const { recent } = context;
      recent.create(spec.test.name);
      return (skb) => test(recent.check(spec.test, spec.test.side === "source" ? skb.ip.src : skb.ip.dst, skb.ip.ttl));
    }
    case "ipvs":
      return (skb) => test(context.ipvs()?.(skb, spec.test) ?? !spec.test.isIpvs);
  }
}

/** Numbers of the TCP options in a segment, in any order. */
function hasTcpOption(tcp: TcpSegment, option: number): boolean {
  const { options } = tcp;
  switch (option) {
    case 2:
      return options.mss !== undefined;
    case 3:
      return options.windowScale !== undefined;
    case 4:
      return options.sackPermitted === true;
    case 5:
      return options.sack !== undefined && options.sack.length > 0;
    case 8:
      return options.timestamps !== undefined;
    default:
      return false;
  }
}

function compileTcp(spec: Extract<MatchSpec, { kind: "tcp" }>): MatchFunction {
  const { sourcePorts, destinationPorts, flagMask, flagCompare, areFlagsInverted, option, isOptionInverted } = spec;
  return (skb) => {
    const { ip } = skb;
    if (ip.fragmentOffset !== 0) return ip.fragmentOffset === 8 ? HOT_DROP : NO;
    const tcp = ip.payload;
    if (!(tcp instanceof TcpSegment)) return HOT_DROP;
    if (!isInRange(tcp.srcPort, sourcePorts) || !isInRange(tcp.dstPort, destinationPorts)) return NO;
    if (((tcp.flags & flagMask) === flagCompare) === areFlagsInverted) return NO;
    return option === 0 ? YES : test(hasTcpOption(tcp, option) !== isOptionInverted);
  };
}

function compilePorts(spec: MatchSpec & { readonly kind: "udp" | "sctp" }): MatchFunction {
  return (skb) => {
    if (skb.ip.fragmentOffset !== 0) return NO;
    const udp = skb.ip.payload;
    if (!(udp instanceof UdpDatagram)) return HOT_DROP;
    return test(isInRange(udp.srcPort, spec.sourcePorts) && isInRange(udp.dstPort, spec.destinationPorts));
  };
}

function compileIcmp(spec: Extract<MatchSpec, { kind: "icmp" }>): MatchFunction {
  const { type, codes, isInverted } = spec;
  return (skb) => {
    if (skb.ip.fragmentOffset !== 0) return NO;
    const icmp = skb.ip.payload;
    if (!(icmp instanceof IcmpMessage)) return HOT_DROP;
    return test((type === 255 || (icmp.type === type && icmp.code >= codes.min && icmp.code <= codes.max)) !== isInverted);
  };
}

function compileMultiport(which: "sports" | "dports" | "ports", ports: readonly Range[], isInverted: boolean): MatchFunction {
  const isListed = (port: number): boolean => ports.some((range) => port >= range.min && port <= range.max);
  return (skb) => {
    if (skb.ip.fragmentOffset !== 0) return NO;
    const segment = skb.ip.payload;
    if (!(segment instanceof TcpSegment || segment instanceof UdpDatagram)) return HOT_DROP;
    const isMatch = (which !== "dports" && isListed(segment.srcPort)) || (which !== "sports" && isListed(segment.dstPort));
    return test(isMatch !== isInverted);
  };
}

/** A 10000th of a second is xt_limit's unit for the average (XT_LIMIT_SCALE). */
const LIMIT_SCALE = 10000;

/** Token bucket: a packet costs the average interval, the bucket holds `burst` of them; it fills with the tick of the kernel's clock. */
function compileLimit(averageUnits: number, burst: number, context: MatchContext): MatchFunction {
  const { loop, options } = context.host;
  const tickNs = NS_PER_SECOND / options.hz;
  const costNs = (averageUnits * NS_PER_SECOND) / LIMIT_SCALE;
  const capacityNs = costNs * burst;
  let creditNs = capacityNs;
  let lastTick = Math.floor(loop.nowNs / tickNs);
  return () => {
    const tick = Math.floor(loop.nowNs / tickNs);
    creditNs = Math.min(creditNs + (tick - lastTick) * tickNs, capacityNs);
    lastTick = tick;
    if (creditNs < costNs) return NO;
    creditNs -= costNs;
    return YES;
  };
}

function compileTtl(compare: "eq" | "ne" | "lt" | "gt", ttl: number): MatchFunction {
  switch (compare) {
    case "eq":
      return (skb) => test(skb.ip.ttl === ttl);
    case "ne":
      return (skb) => test(skb.ip.ttl !== ttl);
    case "lt":
      return (skb) => test(skb.ip.ttl < ttl);
    case "gt":
      return (skb) => test(skb.ip.ttl > ttl);
  }
}

function compileStatistic(spec: Extract<MatchSpec, { kind: "statistic" }>, context: MatchContext): MatchFunction {
  if (spec.mode === "random") {
    const random = context.host.random("iptables");
    return () => test(random.next32() >>> 1 < spec.probability !== spec.isInverted);
  }
  let count = spec.packet;
  return () => {
    const isMatch = count === 0;
    count = isMatch ? spec.every - 1 : count - 1;
    return test(isMatch !== spec.isInverted);
  };
}

/** A host's own packets to itself count as unicast, loopback multicast by its address (xt_pkttype.c). */
function packetTypeOf(skb: SkBuff): string {
  if (skb.packetType === "host" || skb.packetType === "outgoing") return "unicast";
  return skb.packetType;
}

function compileTcpMss(mss: RangeTest): MatchFunction {
  return (skb) => {
    const tcp = skb.ip.payload;
    if (!(tcp instanceof TcpSegment)) return HOT_DROP;
    const value = tcp.options.mss;
    return test(value === undefined ? mss.isInverted : isInRange(value, mss));
  };
}
