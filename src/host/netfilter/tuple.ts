/**
 * Conntrack tuples: what names one direction of a connection, how a packet becomes one, and the table that finds entries by them.
 *
 * Linux v6.1 include/net/netfilter/nf_conntrack_tuple.h, net/netfilter/nf_conntrack_core.c (nf_ct_get_tuple, nf_ct_invert_tuple),
 * nf_conntrack_proto_icmp.c.
 */

import {
  ICMP_ECHO,
  ICMP_ECHO_REPLY,
  IcmpMessage,
  type Ipv4Packet,
  PROTOCOL_ICMP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  TcpSegment,
  UdpDatagram,
} from "../../wire/packet.ts";
import type { Connection } from "./connection.ts";
import type { ConntrackTuple } from "./conntrack-entry.ts";

const ICMP_TIMESTAMP = 13;
const ICMP_TIMESTAMP_REPLY = 14;
const ICMP_INFO_REQUEST = 15;
const ICMP_INFO_REPLY = 16;
const ICMP_ADDRESS = 17;
const ICMP_ADDRESS_REPLY = 18;

/** Answers by type and the other way round. */
const INVERSE_TYPES: ReadonlyMap<number, number> = new Map([
  [ICMP_ECHO, ICMP_ECHO_REPLY],
  [ICMP_ECHO_REPLY, ICMP_ECHO],
  [ICMP_TIMESTAMP, ICMP_TIMESTAMP_REPLY],
  [ICMP_TIMESTAMP_REPLY, ICMP_TIMESTAMP],
  [ICMP_INFO_REQUEST, ICMP_INFO_REPLY],
  [ICMP_INFO_REPLY, ICMP_INFO_REQUEST],
  [ICMP_ADDRESS, ICMP_ADDRESS_REPLY],
  [ICMP_ADDRESS_REPLY, ICMP_ADDRESS],
]);

/** ICMP messages that carry an identifier which NAT may change. */
export function hasIcmpIdentifier(type: number): boolean {
  return INVERSE_TYPES.has(type);
}

/** ICMP messages that begin a connection (nf_conntrack_proto_icmp.c: valid_new). */
export function beginsIcmpConnection(type: number): boolean {
  return type === ICMP_ECHO || type === ICMP_TIMESTAMP || type === ICMP_INFO_REQUEST || type === ICMP_ADDRESS;
}

/** A tuple. `typeCode` is an ICMP message's type * 256 + code, 0 for other protocols; then both ports hold the identifier. */
export class Tuple implements ConntrackTuple {
  protocol = 0;
  src = 0;
  dst = 0;
  srcPort = 0;
  dstPort = 0;
  typeCode = 0;

  copy(): Tuple {
    const copy = new Tuple();
    copy.protocol = this.protocol;
    copy.src = this.src;
    copy.dst = this.dst;
    copy.srcPort = this.srcPort;
    copy.dstPort = this.dstPort;
    copy.typeCode = this.typeCode;
    return copy;
  }

  equals(other: Tuple): boolean {
    return (
      this.src === other.src &&
      this.dst === other.dst &&
      this.srcPort === other.srcPort &&
      this.dstPort === other.dstPort &&
      this.protocol === other.protocol &&
      this.typeCode === other.typeCode
    );
  }

  /** The tuple that an answer has; undefined for an ICMP message that nothing answers. */
  inverted(): Tuple | undefined {
    const inverse = new Tuple();
    if (this.protocol === PROTOCOL_ICMP) {
      const type = INVERSE_TYPES.get(this.typeCode >>> 8);
      if (type === undefined) return undefined;
      inverse.typeCode = (type << 8) | (this.typeCode & 255);
    }
    inverse.protocol = this.protocol;
    inverse.src = this.dst;
    inverse.dst = this.src;
    inverse.srcPort = this.dstPort;
    inverse.dstPort = this.srcPort;
    return inverse;
  }

  hash(): number {
    const ports = Math.imul((this.srcPort << 16) | this.dstPort, 0xc2b2ae35);
    const mixed = Math.imul(this.src, 0x9e3779b1) ^ Math.imul(this.dst, 0x85ebca6b) ^ ports ^ (this.protocol << 8) ^ this.typeCode;
    return (mixed ^ (mixed >>> 15)) | 0;
  }

  /** Fills this tuple from a packet; false when the transport header is not there. */
  readFrom(ip: Ipv4Packet): boolean {
    this.protocol = ip.protocol;
    this.src = ip.src;
    this.dst = ip.dst;
    this.srcPort = 0;
    this.dstPort = 0;
    this.typeCode = 0;
    const payload = ip.payload;
    if (payload instanceof TcpSegment || payload instanceof UdpDatagram) {
      this.srcPort = payload.srcPort;
      this.dstPort = payload.dstPort;
      return true;
    }
    if (payload instanceof IcmpMessage) {
      this.srcPort = payload.rest >>> 16;
      this.dstPort = this.srcPort;
      this.typeCode = (payload.type << 8) | payload.code;
      return true;
    }
    return ip.protocol !== PROTOCOL_TCP && ip.protocol !== PROTOCOL_UDP && ip.protocol !== PROTOCOL_ICMP;
  }
}

/** A tuple of somebody else's making (IPVS) as one of ours. */
export function tupleOf(source: ConntrackTuple, typeCode: number): Tuple {
  const tuple = new Tuple();
  tuple.protocol = source.protocol;
  tuple.src = source.src;
  tuple.dst = source.dst;
  tuple.srcPort = source.srcPort;
  tuple.dstPort = source.dstPort;
  tuple.typeCode = typeCode;
  return tuple;
}

/** One direction of one connection in the table (struct nf_conntrack_tuple_hash). */
export class TupleNode {
  readonly tuple: Tuple;
  readonly connection: Connection;
  readonly isReply: boolean;
  next: TupleNode | undefined = undefined;

  constructor(tuple: Tuple, connection: Connection, isReply: boolean) {
    this.tuple = tuple;
    this.connection = connection;
    this.isReply = isReply;
  }
}

/** Finds confirmed connections by the tuple of either direction. */
export class TupleTable {
  readonly #chains = new Map<number, TupleNode>();

  find(tuple: Tuple): TupleNode | undefined {
    let node = this.#chains.get(tuple.hash());
    while (node !== undefined && !node.tuple.equals(tuple)) node = node.next;
    return node;
  }

  insert(node: TupleNode): void {
    const hash = node.tuple.hash();
    node.next = this.#chains.get(hash);
    this.#chains.set(hash, node);
  }

  remove(tuple: Tuple, connection: Connection): void {
    const hash = tuple.hash();
    let before: TupleNode | undefined;
    for (let node = this.#chains.get(hash); node !== undefined; node = node.next) {
      if (node.connection === connection && node.tuple.equals(tuple)) {
        if (before !== undefined) before.next = node.next;
        else if (node.next !== undefined) this.#chains.set(hash, node.next);
        else this.#chains.delete(hash);
        return;
      }
      before = node;
    }
  }
}
