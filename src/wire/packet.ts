/**
 * The shapes of everything that travels: frames, packets and segments as plain objects.
 *
 *   EthernetFrame ── ArpPacket
 *                 └─ Ipv4Packet ── TcpSegment | UdpDatagram | IcmpMessage | Ipv4Packet (IPIP) | GrePacket | VrrpAdvert | RawPayload
 *
 * Architecture Invariant: once an object is inside a frame that was transmitted it is never changed again; who wants to change a
 * packet copies it first (SkBuff.makeWritable does). Traces, captures and retransmission queues may therefore keep references.
 * Checksums and lengths are not stored: encoding computes them. Bytes exist only when somebody asks (encodeEthernet and friends).
 */

import { EMPTY_BYTES } from "../base/bytes.ts";
import type { Ipv4Address } from "../base/ipv4-address.ts";
import type { MacAddress } from "../base/mac-address.ts";

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;

export const PROTOCOL_ICMP = 1;
export const PROTOCOL_IPIP = 4;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;
export const PROTOCOL_GRE = 47;
export const PROTOCOL_VRRP = 112;
export const PROTOCOL_SCTP = 132;

export const ETHERNET_HEADER_BYTES = 14;
export const ARP_BYTES = 28;
export const IPV4_HEADER_BYTES = 20;
export const TCP_HEADER_BYTES = 20;
export const UDP_HEADER_BYTES = 8;
export const ICMP_HEADER_BYTES = 8;

export const TCP_FIN = 0x01;
export const TCP_SYN = 0x02;
export const TCP_RST = 0x04;
export const TCP_PSH = 0x08;
export const TCP_ACK = 0x10;
export const TCP_URG = 0x20;

/** One Ethernet II frame. `traceId` is the trace event that sent it (0: not traced). */
export class EthernetFrame {
  readonly dst: MacAddress;
  readonly src: MacAddress;
  readonly etherType: number;
  readonly payload: FramePayload;
  /** Bytes on the wire without preamble, padding and FCS: what tcpdump captures. */
  readonly lengthBytes: number;
  traceId = 0;
  /** A note that is on no wire, only in the kernel that all machines share (`skb->dst_pending_confirm`, which a veth pair leaves as it is). */
  confirmsNeighbour = false;

  constructor(dst: MacAddress, src: MacAddress, etherType: number, payload: FramePayload) {
    this.dst = dst;
    this.src = src;
    this.etherType = etherType;
    this.payload = payload;
    // Every port on the way asks for it, and the payload is frozen.
    this.lengthBytes = ETHERNET_HEADER_BYTES + payload.lengthBytes;
  }
}

export type FramePayload = ArpPacket | Ipv4Packet | RawPayload;

/** RFC 826. `operation`: 1 request, 2 reply. */
export class ArpPacket {
  readonly kind = "arp";
  readonly operation: number;
  readonly senderMac: MacAddress;
  readonly senderIp: Ipv4Address;
  readonly targetMac: MacAddress;
  readonly targetIp: Ipv4Address;

  constructor(operation: number, senderMac: MacAddress, senderIp: Ipv4Address, targetMac: MacAddress, targetIp: Ipv4Address) {
    this.operation = operation;
    this.senderMac = senderMac;
    this.senderIp = senderIp;
    this.targetMac = targetMac;
    this.targetIp = targetIp;
  }

  get lengthBytes(): number {
    return ARP_BYTES;
  }
}

/** Bytes that are not looked into: an IP fragment's part, an unknown protocol, an unknown EtherType. */
export class RawPayload {
  readonly kind = "raw";
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get lengthBytes(): number {
    return this.bytes.length;
  }
}

export type Ipv4Payload = TcpSegment | UdpDatagram | IcmpMessage | Ipv4Packet | GrePacket | VrrpAdvert | RawPayload;

/**
 * RFC 791. A fragment (moreFragments or fragmentOffset > 0) has a RawPayload.
 * Invariant: src and dst are unsigned; fragmentOffset is in bytes, a multiple of 8.
 */
export class Ipv4Packet {
  readonly kind = "ipv4";
  src: Ipv4Address;
  dst: Ipv4Address;
  protocol: number;
  ttl: number;
  tos = 0;
  id = 0;
  dontFragment = false;
  moreFragments = false;
  fragmentOffset = 0;
  /** IP options, padded to a multiple of 4 bytes. */
  options: Uint8Array = EMPTY_BYTES;
  payload: Ipv4Payload;

  constructor(src: Ipv4Address, dst: Ipv4Address, protocol: number, ttl: number, payload: Ipv4Payload) {
    this.src = src;
    this.dst = dst;
    this.protocol = protocol;
    this.ttl = ttl;
    this.payload = payload;
  }

  get headerBytes(): number {
    return IPV4_HEADER_BYTES + this.options.length;
  }

  /** The total length field: header, options and payload. */
  get lengthBytes(): number {
    return IPV4_HEADER_BYTES + this.options.length + this.payload.lengthBytes;
  }

  get isFragment(): boolean {
    return this.moreFragments || this.fragmentOffset !== 0;
  }

  /** A copy whose own fields may be changed; the payload is shared until it is copied too. */
  copy(): Ipv4Packet {
    const copy = new Ipv4Packet(this.src, this.dst, this.protocol, this.ttl, this.payload);
    copy.tos = this.tos;
    copy.id = this.id;
    copy.dontFragment = this.dontFragment;
    copy.moreFragments = this.moreFragments;
    copy.fragmentOffset = this.fragmentOffset;
    copy.options = this.options;
    return copy;
  }

  /** A copy that later changes of this packet or its transport header do not reach: for traces. */
  snapshot(): Ipv4Packet {
    const copy = this.copy();
    const payload = copy.payload;
    if (payload instanceof TcpSegment || payload instanceof UdpDatagram || payload instanceof IcmpMessage) copy.payload = payload.copy();
    return copy;
  }
}

/** TCP options in the order in which Linux writes them. Absent: undefined or false. */
export interface TcpOptions {
  readonly mss?: number;
  readonly sackPermitted?: boolean;
  readonly timestamps?: { readonly value: number; readonly echo: number };
  readonly windowScale?: number;
  /** SACK blocks, [left, right) edges. */
  readonly sack?: readonly (readonly [number, number])[];
}

export const NO_TCP_OPTIONS: TcpOptions = {};

/** RFC 9293. */
export class TcpSegment {
  readonly kind = "tcp";
  srcPort: number;
  dstPort: number;
  seq: number;
  ack: number;
  /** TCP_SYN | TCP_ACK | ... */
  flags: number;
  /** The window field as sent, unscaled. */
  window: number;
  urgentPointer = 0;
  options: TcpOptions = NO_TCP_OPTIONS;
  /** Bytes that the options take in the header, padding included: a multiple of 4. Set with `options`. */
  optionBytes = 0;
  payload: Uint8Array = EMPTY_BYTES;

  constructor(srcPort: number, dstPort: number, seq: number, ack: number, flags: number, window: number) {
    this.srcPort = srcPort;
    this.dstPort = dstPort;
    this.seq = seq;
    this.ack = ack;
    this.flags = flags;
    this.window = window;
  }

  get lengthBytes(): number {
    return TCP_HEADER_BYTES + this.optionBytes + this.payload.length;
  }

  copy(): TcpSegment {
    const copy = new TcpSegment(this.srcPort, this.dstPort, this.seq, this.ack, this.flags, this.window);
    copy.urgentPointer = this.urgentPointer;
    copy.options = this.options;
    copy.optionBytes = this.optionBytes;
    copy.payload = this.payload;
    return copy;
  }
}

/** RFC 768. The payload of a GUE tunnel is kept as an object. */
export class UdpDatagram {
  readonly kind = "udp";
  srcPort: number;
  dstPort: number;
  payload: Uint8Array | GuePacket;
  /** False: the checksum field is sent as 0 (tunnels). */
  hasChecksum = true;

  constructor(srcPort: number, dstPort: number, payload: Uint8Array | GuePacket) {
    this.srcPort = srcPort;
    this.dstPort = dstPort;
    this.payload = payload;
  }

  get lengthBytes(): number {
    const payload = this.payload;
    return UDP_HEADER_BYTES + (payload instanceof GuePacket ? payload.lengthBytes : payload.length);
  }

  copy(): UdpDatagram {
    const copy = new UdpDatagram(this.srcPort, this.dstPort, this.payload);
    copy.hasChecksum = this.hasChecksum;
    return copy;
  }
}

/**
 * RFC 792. `rest` is the second word of the header: identifier and sequence of an echo, the gateway of a redirect, the next-hop MTU of
 * fragmentation needed. An error quotes the offending packet, cut to `quotedBytes`; other messages carry `payload`.
 */
export class IcmpMessage {
  readonly kind = "icmp";
  type: number;
  code: number;
  rest: number;
  payload: Uint8Array = EMPTY_BYTES;
  quoted: Ipv4Packet | undefined = undefined;
  quotedBytes = 0;

  constructor(type: number, code: number, rest: number) {
    this.type = type;
    this.code = code;
    this.rest = rest;
  }

  get lengthBytes(): number {
    return ICMP_HEADER_BYTES + (this.quoted === undefined ? this.payload.length : this.quotedBytes);
  }

  copy(): IcmpMessage {
    const copy = new IcmpMessage(this.type, this.code, this.rest);
    copy.payload = this.payload;
    copy.quoted = this.quoted;
    copy.quotedBytes = this.quotedBytes;
    return copy;
  }
}

export const ICMP_ECHO_REPLY = 0;
export const ICMP_DEST_UNREACH = 3;
export const ICMP_SOURCE_QUENCH = 4;
export const ICMP_REDIRECT = 5;
export const ICMP_ECHO = 8;
export const ICMP_TIME_EXCEEDED = 11;
export const ICMP_PARAMETER_PROBLEM = 12;

export const ICMP_NET_UNREACH = 0;
export const ICMP_HOST_UNREACH = 1;
export const ICMP_PROT_UNREACH = 2;
export const ICMP_PORT_UNREACH = 3;
export const ICMP_FRAG_NEEDED = 4;

/** True for the types that quote a packet and must never be answered with an error. */
export function isIcmpError(type: number): boolean {
  return type === ICMP_DEST_UNREACH || type === ICMP_SOURCE_QUENCH || type === ICMP_REDIRECT || type === ICMP_TIME_EXCEEDED || type === ICMP_PARAMETER_PROBLEM;
}

/** RFC 2784 with IPv4 inside. The checksum adds 4 bytes, the key 4. */
export class GrePacket {
  readonly kind = "gre";
  readonly hasChecksum: boolean;
  readonly key: number | undefined;
  readonly protocol: number;
  readonly payload: Ipv4Packet | RawPayload;

  constructor(protocol: number, payload: Ipv4Packet | RawPayload, hasChecksum: boolean, key?: number) {
    this.protocol = protocol;
    this.payload = payload;
    this.hasChecksum = hasChecksum;
    this.key = key;
  }

  get lengthBytes(): number {
    return 4 + (this.hasChecksum ? 4 : 0) + (this.key === undefined ? 0 : 4) + this.payload.lengthBytes;
  }
}

/** Generic UDP encapsulation, draft-ietf-intarea-gue, version 0 data message with IPv4 inside (net/ipv4/fou.c). */
export class GuePacket {
  readonly kind = "gue";
  readonly protocol: number;
  readonly payload: Ipv4Packet | RawPayload;
  /** Optional fields after the 4-byte header (remote checksum offload), a multiple of 4 bytes. */
  readonly fields: Uint8Array;
  readonly flags: number;

  constructor(protocol: number, payload: Ipv4Packet | RawPayload, flags = 0, fields: Uint8Array = EMPTY_BYTES) {
    this.protocol = protocol;
    this.payload = payload;
    this.flags = flags;
    this.fields = fields;
  }

  get lengthBytes(): number {
    return 4 + this.fields.length + this.payload.lengthBytes;
  }
}

/** RFC 3768 (version 2) and RFC 5798 (version 3). `intervalUnits`: seconds in version 2, centiseconds in version 3. */
export class VrrpAdvert {
  readonly kind = "vrrp";
  readonly version: number;
  readonly vrid: number;
  readonly priority: number;
  readonly intervalUnits: number;
  readonly addresses: readonly Ipv4Address[];
  /** Version 2: 0 none, 1 simple password (8 bytes), 2 IP authentication header. */
  readonly authType: number;
  readonly authData: Uint8Array;

  constructor(version: number, vrid: number, priority: number, intervalUnits: number, addresses: readonly Ipv4Address[], authType: number, authData: Uint8Array) {
    this.version = version;
    this.vrid = vrid;
    this.priority = priority;
    this.intervalUnits = intervalUnits;
    this.addresses = addresses;
    this.authType = authType;
    this.authData = authData;
  }

  get lengthBytes(): number {
    return 8 + 4 * this.addresses.length + (this.version === 2 ? 8 : 0);
  }
}
