/**
 * Network address translation: decides once a connection, then rewrites every packet of it.
 *
 *   PREROUTING, LOCAL_OUT (-100)   destination        LOCAL_IN, POSTROUTING (100)   source
 *
 * The first packet of a connection asks the nat table; what it says, or nothing (the null binding), is kept in the connection's reply
 * tuple. Every packet then looks like the inverse of the other direction's tuple.
 * Linux v6.1 net/netfilter/nf_nat_core.c, nf_nat_proto.c, nf_nat_masquerade.c, nf_nat_redirect.c.
 */

import {
  ICMP_REDIRECT,
  IcmpMessage,
  type Ipv4Packet,
  PROTOCOL_ICMP,
  PROTOCOL_SCTP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  TcpSegment,
  UdpDatagram,
} from "../../wire/packet.ts";
import type { Host } from "../host.ts";
import type { SkBuff } from "../skb.ts";
import type { Connection } from "./connection.ts";
import { type Conntrack, connectionOf, isReplyInfo } from "./conntrack.ts";
import {
  type HookNumber,
  type HookState,
  NF_LOCAL_IN,
  NF_LOCAL_OUT,
  NF_POSTROUTING,
  NF_PREROUTING,
  NF_PRIORITY_NAT_DST,
  NF_PRIORITY_NAT_SRC,
  type Verdict,
} from "./hooks.ts";
import { hasIcmpIdentifier, type Tuple } from "./tuple.ts";

const SEARCH_ATTEMPTS_MAX = 128;

/** What a translation may choose from (struct nf_nat_range2). Undefined: leave that part. */
export interface NatRange {
  readonly addresses: { readonly min: number; readonly max: number } | undefined;
  readonly ports: { readonly min: number; readonly max: number } | undefined;
  /** Base port of an offset mapping (`--to 1.2.3.4:80-90/8080`); undefined: none. */
  readonly offsetBase?: number;
  readonly isRandom: boolean;
  readonly isFullyRandom: boolean;
  readonly isPersistent: boolean;
}

export type Manipulation = "source" | "destination";

/** Runs the nat table's chain of a hook. */
export type NatLookup = (skb: SkBuff, state: HookState) => Verdict;

function manipulationOf(hook: HookNumber): Manipulation {
  return hook === NF_POSTROUTING || hook === NF_LOCAL_IN ? "source" : "destination";
}

export class Nat {
  readonly #host: Host;
  readonly #conntrack: Conntrack;
  readonly #bySource = new Map<number, Connection[]>();
  #lookup: NatLookup | undefined;

  constructor(host: Host, conntrack: Conntrack) {
    this.#host = host;
    this.#conntrack = conntrack;
    conntrack.onRemoved = (connection) => this.#forget(connection);
  }

  /** The nat table has come to life (nf_nat_register_fn): its chains are asked from now on. */
  register(lookup: NatLookup): void {
    if (this.#lookup !== undefined) return;
    this.#lookup = lookup;
    const { hooks } = this.#host;
    hooks.register(NF_PREROUTING, NF_PRIORITY_NAT_DST, (skb, state) => this.#preRouting(skb, state));
    hooks.register(NF_POSTROUTING, NF_PRIORITY_NAT_SRC, (skb, state) => this.#run(skb, state));
    hooks.register(NF_LOCAL_OUT, NF_PRIORITY_NAT_DST, (skb, state) => this.#localOut(skb, state));
    hooks.register(NF_LOCAL_IN, NF_PRIORITY_NAT_SRC, (skb, state) => this.#run(skb, state));
  }

  /** MASQUERADE: the source becomes the address that the outgoing device would choose for the next hop. */
  masquerade(skb: SkBuff, state: HookState, range: NatRange): Verdict {
    const connection = connectionOf(skb);
    const { output } = state;
    if (connection === undefined || output === undefined || connection.original.src === 0) return "ACCEPT";
    const gateway = skb.route?.gateway ?? 0;
    const source = this.#host.addresses.select(output, gateway === 0 ? skb.ip.dst : gateway, 0);
    if (source === 0) {
      this.#host.log.write(`${output.name} ate my IP address`);
      return "DROP";
    }
    connection.masqueradeIndex = output.index;
    return this.setup(connection, { ...range, addresses: { min: source, max: source } }, "source");
  }

  /** REDIRECT: to this host itself, by the address of the device that the packet came in on. */
  redirect(skb: SkBuff, state: HookState, range: NatRange): Verdict {
    const connection = connectionOf(skb);
    if (connection === undefined) return "ACCEPT";
    const destination = state.hook === NF_LOCAL_OUT ? 0x7f000001 : (state.input?.addresses[0]?.address ?? 0);
    if (destination === 0) return "DROP";
    return this.setup(connection, { ...range, addresses: { min: destination, max: destination } }, "destination");
  }

  /** nf_nat_setup_info: decides one side of a connection that is not confirmed yet. */
  setup(connection: Connection, range: NatRange, manipulation: Manipulation): Verdict {
    if (connection.isConfirmed) return "ACCEPT";
    const current = connection.reply.inverted();
    if (current === undefined) return "ACCEPT";
    const chosen = this.#uniqueTuple(current, range, connection, manipulation);
    if (!chosen.equals(current)) {
      const reply = chosen.inverted();
      if (reply !== undefined) this.#conntrack.alterReply(connection, reply);
      if (manipulation === "source") connection.isSourceNat = true;
      else connection.isDestinationNat = true;
    }
    if (manipulation === "source") {
      this.#remember(connection);
      connection.isSourceNatDone = true;
    } else {
      connection.isDestinationNatDone = true;
    }
    return "ACCEPT";
  }

  #preRouting(skb: SkBuff, state: HookState): Verdict {
    const { dst } = skb.ip;
    const verdict = this.#run(skb, state);
    if (verdict === "ACCEPT" && skb.ip.dst !== dst) skb.route = undefined;
    return verdict;
  }

  #localOut(skb: SkBuff, state: HookState): Verdict {
    const verdict = this.#run(skb, state);
    const connection = connectionOf(skb);
    if (verdict !== "ACCEPT" || connection === undefined) return verdict;
    const isReply = isReplyInfo(skb.conntrackInfo);
    const own = isReply ? connection.reply : connection.original;
    const other = isReply ? connection.original : connection.reply;
    if (own.dst !== other.src && this.#host.ip.routeMeHarder(skb) !== undefined) return "DROP";
    return "ACCEPT";
  }

  /** nf_nat_ipv4_fn and nf_nat_inet_fn. */
  #run(skb: SkBuff, state: HookState): Verdict {
    const connection = connectionOf(skb);
    if (connection === undefined) return "ACCEPT";
    const info = skb.conntrackInfo;
    if ((info === "RELATED" || info === "RELATED_REPLY") && skb.ip.protocol === PROTOCOL_ICMP) return this.#translateIcmpError(skb, connection, state.hook);
    const manipulation = manipulationOf(state.hook);
    const isDone = manipulation === "source" ? connection.isSourceNatDone : connection.isDestinationNatDone;
    if (!isDone && info !== "ESTABLISHED" && info !== "ESTABLISHED_REPLY") {
      const verdict = this.#lookup === undefined ? "ACCEPT" : this.#lookup(skb, state);
      if (verdict !== "ACCEPT") return verdict;
      this.#bindNull(connection, manipulation);
    } else if (state.hook === NF_POSTROUTING && connection.masqueradeIndex !== 0 && !isReplyInfo(info) && state.output?.index !== connection.masqueradeIndex) {
      this.#conntrack.remove(connection);
      this.#traceDrop(skb, "nat: masqueraded connection changed its device");
      return "DROP";
    }
    return this.#translate(skb, connection, manipulation);
  }

  /** The rule has spoken, or else: the addresses stay; the port only if it is free. */
  #bindNull(connection: Connection, manipulation: Manipulation): void {
    if (manipulation === "source" ? connection.isSourceNatDone : connection.isDestinationNatDone) return;
    const address = manipulation === "source" ? connection.reply.dst : connection.reply.src;
    this.setup(
      connection,
      { addresses: { min: address, max: address }, ports: undefined, isRandom: false, isFullyRandom: false, isPersistent: false },
      manipulation,
    );
  }

  /** nf_nat_packet. */
  #translate(skb: SkBuff, connection: Connection, manipulation: Manipulation): Verdict {
    const isReply = isReplyInfo(skb.conntrackInfo);
    const isNeeded = (manipulation === "source") !== isReply ? connection.isSourceNat : connection.isDestinationNat;
    if (!isNeeded) return "ACCEPT";
    const target = (isReply ? connection.original : connection.reply).inverted();
    if (target === undefined) return "ACCEPT";
    const before = this.#host.trace.isFull ? skb.recorded : undefined;
    rewrite(skb.makeWritable(), manipulation, target);
    if (before !== undefined)
      this.#traceRewrite(skb, before, manipulation === "source" ? (connection.masqueradeIndex !== 0 && !isReply ? "masquerade" : "snat") : "dnat");
    return "ACCEPT";
  }

  /** nf_nat_icmp_reply_translation: the quoted packet is turned the other way round, then the message itself. */
  #translateIcmpError(skb: SkBuff, connection: Connection, hook: HookNumber): Verdict {
    const message = skb.ip.payload;
    if (!(message instanceof IcmpMessage) || message.quoted === undefined) return "DROP";
    const isNat = connection.isSourceNat || connection.isDestinationNat;
    if (message.type === ICMP_REDIRECT && (isNat || !connection.isSourceNatDone || !connection.isDestinationNatDone)) {
      this.#traceDrop(skb, "nat: redirect for a translated connection");
      return "DROP";
    }
    const isReply = isReplyInfo(skb.conntrackInfo);
    const manipulation = manipulationOf(hook);
    const isNeeded = (manipulation === "source") !== isReply ? connection.isSourceNat : connection.isDestinationNat;
    if (!isNeeded) return "ACCEPT";
    const otherDirection = isReply ? connection.original : connection.reply;
    const target = otherDirection.inverted();
    if (target === undefined) return "DROP";
    const before = this.#host.trace.isFull ? skb.recorded : undefined;
    const ip = skb.makeWritable();
    const inner = message.quoted.copy();
    if (inner.payload instanceof TcpSegment || inner.payload instanceof UdpDatagram || inner.payload instanceof IcmpMessage)
      inner.payload = inner.payload.copy();
    rewrite(inner, manipulation === "source" ? "destination" : "source", otherDirection);
    (ip.payload as IcmpMessage).quoted = inner;
    if (manipulation === "source") ip.src = target.src;
    else ip.dst = target.dst;
    if (before !== undefined) this.#traceRewrite(skb, before, manipulation === "source" ? "snat" : "dnat");
    return "ACCEPT";
  }

  /** get_unique_tuple: the current tuple if it fits and is free, else an old mapping of this source, else a search. */
  #uniqueTuple(current: Tuple, range: NatRange, connection: Connection, manipulation: Manipulation): Tuple {
    const isAnyRandom = range.isRandom || range.isFullyRandom;
    if (manipulation === "source" && !isAnyRandom) {
      if (isInRange(current, range)) {
        if (!this.#isUsed(current, connection)) return current;
      } else {
        const mapped = this.#sourceMapping(current, range);
        if (mapped !== undefined && !this.#isUsed(mapped, connection)) return mapped;
      }
    }
    const tuple = current.copy();
    chooseAddress(tuple, range, manipulation);
    if (!isAnyRandom) {
      if (range.ports === undefined) {
        if (!this.#isUsed(tuple, connection)) return tuple;
      } else if (
        range.offsetBase === undefined &&
        isPortInRange(tuple, manipulation, range.ports) &&
        (range.ports.min === range.ports.max || !this.#isUsed(tuple, connection))
      ) {
        return tuple;
      }
    }
    this.#searchPort(tuple, range, connection, manipulation);
    return tuple;
  }

  /** nf_nat_l4proto_unique_tuple. At worst the tuple stays taken, and the packet is dropped when it is confirmed. */
  #searchPort(tuple: Tuple, range: NatRange, connection: Connection, manipulation: Manipulation): void {
    const isIcmp = tuple.protocol === PROTOCOL_ICMP;
    if (!isIcmp && !hasPorts(tuple.protocol)) return;
    const isSource = manipulation === "source";
    if (!isIcmp && range.ports === undefined && !isSource) return;
    const current = isSource || isIcmp ? tuple.srcPort : tuple.dstPort;
    const { min, size } = portSpan(range.ports, current, isIcmp);
    const random = this.#host.random("nat");
    let offset = range.offsetBase === undefined ? random.below(65536) : current - range.offsetBase;
    for (let attempts = Math.min(size, SEARCH_ATTEMPTS_MAX); ; attempts = Math.floor(attempts / 2)) {
      for (let i = 0; i < attempts; i++, offset++) {
        const port = min + ((offset & 0xffff) % size);
        if (isIcmp) {
          tuple.srcPort = port;
          tuple.dstPort = port;
        } else if (isSource) {
          tuple.srcPort = port;
        } else {
          tuple.dstPort = port;
        }
        if (!this.#isUsed(tuple, connection)) return;
      }
      if (attempts >= size || attempts < 16) return;
      offset = random.below(65536);
    }
  }

  #isUsed(tuple: Tuple, connection: Connection): boolean {
    const reply = tuple.inverted();
    return reply !== undefined && this.#conntrack.isTaken(reply, connection);
  }

  /** find_appropriate_src: one source keeps one mapping towards all destinations, where it can. */
  #sourceMapping(current: Tuple, range: NatRange): Tuple | undefined {
    for (const other of this.#bySource.get(sourceHash(current)) ?? []) {
      const { original } = other;
      if (original.protocol !== current.protocol || original.src !== current.src || original.srcPort !== current.srcPort) continue;
      const mapped = other.reply.inverted();
      if (mapped === undefined) continue;
      mapped.dst = current.dst;
      if (mapped.protocol !== PROTOCOL_ICMP) mapped.dstPort = current.dstPort;
      mapped.typeCode = current.typeCode;
      if (isInRange(mapped, range)) return mapped;
    }
    return undefined;
  }

  #remember(connection: Connection): void {
    const hash = sourceHash(connection.original);
    const list = this.#bySource.get(hash);
    if (list === undefined) this.#bySource.set(hash, [connection]);
    else if (!list.includes(connection)) list.unshift(connection);
  }

  #forget(connection: Connection): void {
    const hash = sourceHash(connection.original);
    const list = this.#bySource.get(hash);
    if (list === undefined) return;
    const index = list.indexOf(connection);
    if (index >= 0) list.splice(index, 1);
    if (list.length === 0) this.#bySource.delete(hash);
  }

  #traceRewrite(skb: SkBuff, before: Ipv4Packet, by: string): void {
    skb.cause = this.#host.trace.emit({ kind: "packet-rewritten", host: this.#host.name, cause: skb.cause, by, before, after: skb.recorded });
  }

  #traceDrop(skb: SkBuff, detail: string): void {
    const { trace } = this.#host;
    if (trace.isFull)
      skb.cause = trace.emit({ kind: "packet-dropped", host: this.#host.name, cause: skb.cause, reason: "NETFILTER_DROP", packet: skb.recorded, detail });
  }
}

/** nf_nat_ipv4_manip_pkt: address and port, or identifier, of one side. `ip` and its payload must be writable. */
export function rewrite(ip: Ipv4Packet, manipulation: Manipulation, target: Tuple): void {
  const { payload } = ip;
  if (payload instanceof TcpSegment || payload instanceof UdpDatagram) {
    if (manipulation === "source") payload.srcPort = target.srcPort;
    else payload.dstPort = target.dstPort;
  } else if (payload instanceof IcmpMessage && hasIcmpIdentifier(payload.type)) {
    payload.rest = ((target.srcPort << 16) | (payload.rest & 0xffff)) >>> 0;
  }
  if (manipulation === "source") ip.src = target.src;
  else ip.dst = target.dst;
}

function hasPorts(protocol: number): boolean {
  return protocol === PROTOCOL_TCP || protocol === PROTOCOL_UDP || protocol === PROTOCOL_SCTP;
}

function sourceHash(tuple: Tuple): number {
  return (Math.imul(tuple.src, 0x9e3779b1) ^ Math.imul((tuple.protocol << 16) | tuple.srcPort, 0x85ebca6b)) | 0;
}

function isPortInRange(tuple: Tuple, manipulation: Manipulation, ports: { readonly min: number; readonly max: number }): boolean {
  if (tuple.protocol !== PROTOCOL_ICMP && !hasPorts(tuple.protocol)) return true;
  const port = manipulation === "source" || tuple.protocol === PROTOCOL_ICMP ? tuple.srcPort : tuple.dstPort;
  return port >= ports.min && port <= ports.max;
}

function isInRange(tuple: Tuple, range: NatRange): boolean {
  if (range.addresses !== undefined && (tuple.src < range.addresses.min || tuple.src > range.addresses.max)) return false;
  return range.ports === undefined || isPortInRange(tuple, "source", range.ports);
}

/** Without a range a port stays in its class: below 512, 600 to 1023, or the rest. */
function portSpan(
  ports: { readonly min: number; readonly max: number } | undefined,
  current: number,
  isIcmp: boolean,
): { readonly min: number; readonly size: number } {
  if (ports !== undefined) return { min: Math.min(ports.min, ports.max), size: Math.abs(ports.max - ports.min) + 1 };
  if (isIcmp) return { min: 0, size: 65536 };
  if (current < 512) return { min: 1, size: 511 };
  return current < 1024 ? { min: 600, size: 1023 - 600 + 1 } : { min: 1024, size: 65535 - 1024 + 1 };
}

/** find_best_ips_proto: hashing source and destination spreads the connections over a range of addresses. */
function chooseAddress(tuple: Tuple, range: NatRange, manipulation: Manipulation): void {
  if (range.addresses === undefined) return;
  const { min, max } = range.addresses;
  let chosen = min;
  if (min !== max) {
    const hash = jenkinsHashAddress(tuple.src, range.isPersistent ? 0 : byteSwap(tuple.dst));
    chosen = min + Math.floor((hash * (max - min + 1)) / 0x100000000);
  }
  if (manipulation === "source") tuple.src = chosen;
  else tuple.dst = chosen;
}

function byteSwap(value: number): number {
  return (((value & 255) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)) >>> 0;
}

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

/** jhash2 (include/linux/jhash.h) over the 16 bytes of union nf_inet_addr that holds an IPv4 address, as a little-endian machine sees it. */
function jenkinsHashAddress(address: number, initial: number): number {
  let a = (0xdeadbeef + (4 << 2) + initial + byteSwap(address)) | 0;
  let b = (0xdeadbeef + (4 << 2) + initial) | 0;
  let c = b;
  a = (a - c) | 0;
  a ^= rotate(c, 4);
  c = (c + b) | 0;
  b = (b - a) | 0;
  b ^= rotate(a, 6);
  a = (a + c) | 0;
  c = (c - b) | 0;
  c ^= rotate(b, 8);
  b = (b + a) | 0;
  a = (a - c) | 0;
  a ^= rotate(c, 16);
  c = (c + b) | 0;
  b = (b - a) | 0;
  b ^= rotate(a, 19);
  a = (a + c) | 0;
  c = (c - b) | 0;
  c ^= rotate(b, 4);
  b = (b + a) | 0;
  c ^= b;
  c = (c - rotate(b, 14)) | 0;
  a ^= c;
  a = (a - rotate(c, 11)) | 0;
  b ^= a;
  b = (b - rotate(a, 25)) | 0;
  c ^= b;
  c = (c - rotate(b, 16)) | 0;
  a ^= c;
  a = (a - rotate(c, 4)) | 0;
  b ^= a;
  b = (b - rotate(a, 14)) | 0;
  c ^= b;
  c = (c - rotate(b, 24)) | 0;
  return c >>> 0;
}
