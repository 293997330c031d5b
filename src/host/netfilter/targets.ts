/**
 * The targets of iptables rules, made into functions once for each change of a table.
 *
 * Linux v6.1 net/netfilter/xt_{LOG,mark,connmark,nat,MASQUERADE,REDIRECT,NETMAP,CT,HL,DSCP,TCPMSS}.c, net/ipv4/netfilter/ipt_REJECT.c.
 */

import { IPV4_HEADER_BYTES, TCP_HEADER_BYTES, TCP_SYN, TcpSegment } from "../../wire/packet.ts";
import type { Host } from "../host.ts";
import { isRouteError } from "../host.ts";
import { touchRow } from "../host-tables.ts";
import type { SkBuff } from "../skb.ts";
import { connectionOf } from "./conntrack.ts";
import { type HookState, NF_LOCAL_IN, NF_POSTROUTING } from "./hooks.ts";
import { formatLogLine } from "./log-line.ts";
import type { MatchContext } from "./match-context.ts";
import type { NatRange } from "./nat.ts";
import { sendReject } from "./reject.ts";
import type { TargetSpec } from "./rule.ts";

/** CONTINUE: the next rule. */
export type TargetResult = "CONTINUE" | "ACCEPT" | "DROP" | "REJECTED";
export type TargetFunction = (skb: SkBuff, state: HookState) => TargetResult;

/** Targets that are no verdict and no chain. */
export type ExtensionTarget = Exclude<TargetSpec, { kind: "none" | "verdict" | "chain" }>;

export function needsConntrack(target: TargetSpec): boolean {
  switch (target.kind) {
    case "DNAT":
    case "SNAT":
    case "MASQUERADE":
    case "REDIRECT":
    case "NETMAP":
    case "CONNMARK":
      return true;
    case "CT":
      return !target.isNoTrack;
    default:
      return false;
  }
}

export function compileTarget(target: ExtensionTarget, context: MatchContext): TargetFunction {
  const { host, nat } = context;
  switch (target.kind) {
    case "REJECT":
      return (skb) => {
        sendReject(host, skb, target.with);
        return "REJECTED";
      };
    case "LOG":
      return (skb, state) => {
        host.log.write(formatLogLine(skb, state, target));
        return "CONTINUE";
      };
    case "MARK":
      return (skb) => {
        skb.mark = ((skb.mark & ~target.mask) ^ target.value) >>> 0;
        return "CONTINUE";
      };
    case "CONNMARK":
      return compileConnmark(target, host);
    case "SNAT":
      return natTarget((skb) => nat.setup(connectionOf(skb) as never, target.range, "source"));
    case "DNAT":
      return natTarget((skb) => nat.setup(connectionOf(skb) as never, target.range, "destination"));
    case "MASQUERADE":
      return natTarget((skb, state) => nat.masquerade(skb, state, target.range));
    case "REDIRECT":
      return natTarget((skb, state) => nat.redirect(skb, state, target.range));
    case "NETMAP":
      return compileNetmap(target, context);
    case "CT":
      return (skb) => {
        if (skb.conntrack === undefined && skb.conntrackInfo === undefined && target.isNoTrack) skb.conntrackInfo = "UNTRACKED";
        return "CONTINUE";
      };
    case "TTL":
      return compileTtl(target.mode, target.value);
    case "TOS":
      return (skb) => {
        setTos(skb, (skb.ip.tos & ~target.mask) ^ target.value);
        return "CONTINUE";
      };
    case "DSCP":
      return (skb) => {
        setTos(skb, (skb.ip.tos & 3) | (target.value << 2));
        return "CONTINUE";
      };
    case "TCPMSS":
      return compileTcpMss(target.mss, host);
  }
}

/** A NAT target without a connection does nothing: NAT is not asked for such packets. */
function natTarget(run: (skb: SkBuff, state: HookState) => string): TargetFunction {
  return (skb, state) => {
    if (skb.conntrack === undefined) return "ACCEPT";
    return run(skb, state) === "DROP" ? "DROP" : "ACCEPT";
  };
}

function compileConnmark(target: Extract<TargetSpec, { kind: "CONNMARK" }>, host: Host): TargetFunction {
  const { mode, value, connectionMask, packetMask } = target;
  return (skb) => {
    const { conntrack } = skb;
    if (conntrack === undefined) return "CONTINUE";
    touchRow(host, "conntrack", conntrack);
    if (mode === "set") conntrack.mark = ((conntrack.mark & ~connectionMask) ^ value) >>> 0;
    else if (mode === "save") conntrack.mark = ((conntrack.mark & ~connectionMask) ^ (skb.mark & packetMask)) >>> 0;
    else skb.mark = ((skb.mark & ~packetMask) ^ (conntrack.mark & connectionMask)) >>> 0;
    return "CONTINUE";
  };
}

/** NETMAP exchanges the network and keeps the host part. */
function compileNetmap(target: Extract<TargetSpec, { kind: "NETMAP" }>, context: MatchContext): TargetFunction {
  return natTarget((skb, state) => {
    const isSource = state.hook === NF_POSTROUTING || state.hook === NF_LOCAL_IN;
    const address = (((isSource ? skb.ip.src : skb.ip.dst) & ~target.mask) | target.address) >>> 0;
    const range: NatRange = { addresses: { min: address, max: address }, ports: undefined, isRandom: false, isFullyRandom: false, isPersistent: false };
    return context.nat.setup(connectionOf(skb) as never, range, isSource ? "source" : "destination");
  });
}

function compileTtl(mode: "set" | "dec" | "inc", value: number): TargetFunction {
  return (skb) => {
    const old = skb.ip.ttl;
    const ttl = mode === "set" ? value : mode === "inc" ? Math.min(old + value, 255) : Math.max(old - value, 0);
    if (ttl !== old) skb.makeWritable().ttl = ttl;
    return "CONTINUE";
  };
}

function setTos(skb: SkBuff, tos: number): void {
  if ((tos & 255) !== skb.ip.tos) skb.makeWritable().tos = tos & 255;
}

/** Path MTU towards the packet's source, for the other half of clamping. */
function reverseMtu(host: Host, skb: SkBuff): number {
  const route = host.routing.output({ dst: skb.ip.src });
  return isRouteError(route) ? Number.MAX_SAFE_INTEGER : route.mtu;
}

/** xt_TCPMSS.c: never raises the option; a SYN without one gets one, at most 536 (RFC 1122 section 4.2.2.6). */
function compileTcpMss(mss: number | "clamp", host: Host): TargetFunction {
  return (skb) => {
    const tcp = skb.ip.payload;
    if (!(tcp instanceof TcpSegment) || skb.ip.fragmentOffset !== 0) return "CONTINUE";
    let wanted: number;
    if (mss === "clamp") {
      const forward = skb.route?.mtu ?? 0;
      const least = Math.min(forward, reverseMtu(host, skb));
      if (least <= IPV4_HEADER_BYTES + TCP_HEADER_BYTES) return "DROP";
      wanted = least - IPV4_HEADER_BYTES - TCP_HEADER_BYTES;
    } else {
      wanted = mss;
    }
    const old = tcp.options.mss;
    if (old !== undefined && old <= wanted) return "CONTINUE";
    if (old === undefined && (tcp.payload.length > 0 || (tcp.flags & TCP_SYN) === 0 || tcp.optionBytes > 36)) return "CONTINUE";
    skb.makeWritable();
    const own = skb.tcp;
    own.options = { ...own.options, mss: old === undefined ? Math.min(wanted, 536) : wanted };
    if (old === undefined) own.optionBytes += 4;
    return "CONTINUE";
  };
}
