/**
 * Frames and packets as JSON, without loss: the same bytes on the wire come back (packet-reader.ts). docs/TRACE.md lists the fields.
 *
 * Fields with their usual value are left out (tos 0, no fragment, no options, no data). Payload bytes are a string of characters U+0000 to
 * U+00FF, one a byte, so that HTTP can be read. What was written before is referred to.
 */

import { formatIpv4Address } from "../base/ipv4-address.ts";
import { formatMacAddress } from "../base/mac-address.ts";
import {
  type EthernetFrame,
  type FramePayload,
  type GrePacket,
  GuePacket,
  type IcmpMessage,
  type Ipv4Packet,
  type Ipv4Payload,
  type RawPayload,
  type TcpOptions,
  type TcpSegment,
  type UdpDatagram,
  type VrrpAdvert,
} from "../wire/packet.ts";
import { ascii, type JsonWriter } from "./json-writer.ts";
import { DATA_WINDOW, type PacketPlace } from "./packet-places.ts";

const CLOSE = ascii('}');
const OF = ascii('{"of":');
const TTL = ascii(',"ttl":');
const ID = ascii(',"id":');
const TOS = ascii(',"tos":');
const DONT_FRAGMENT_TRUE = ascii(',"dontFragment":true');
const MORE_FRAGMENTS_TRUE = ascii(',"moreFragments":true');
const FRAGMENT_OFFSET = ascii(',"fragmentOffset":');
const OPTIONS = ascii(',"options":');
const SRC_PORT = ascii(',"srcPort":');
const DST_PORT = ascii(',"dstPort":');
const IP = ascii(',"ip":');
const TCP_SRC_PORT = ascii(',"tcp":{"srcPort":');
const SEQ = ascii(',"seq":');
const ACK = ascii(',"ack":');
const FLAGS = ascii(',"flags":"');
const WINDOW = ascii('","window":');
const URGENT_POINTER = ascii(',"urgentPointer":');
const OPTION_BYTES = ascii(',"optionBytes":');
const TIMESTAMPS_VALUE = ascii('{"timestamps":{"value":');
const ECHO = ascii(',"echo":');
const CLOSE_TWO = ascii('}}');
const UDP_SRC_PORT = ascii(',"udp":{"srcPort":');
const HAS_CHECKSUM_FALSE = ascii(',"hasChecksum":false');
const GUE_PROTOCOL = ascii(',"gue":{"protocol":');
const FLAGS_2 = ascii(',"flags":');
const FIELDS = ascii(',"fields":');
const GRE_PROTOCOL = ascii(',"gre":{"protocol":');
const KEY = ascii(',"key":');
const ICMP_TYPE = ascii(',"icmp":{"type":');
const CODE = ascii(',"code":');
const REST = ascii(',"rest":');
const QUOTED_BYTES = ascii(',"quotedBytes":');
const QUOTED = ascii(',"quoted":');
const RAW = ascii(',"raw":{');
const DATA_OF = ascii('"dataOf":[');
const COMMA = ascii(',');
const CLOSE_LIST = ascii(']');
const DATA = ascii('"data":');
const SRC = ascii('{"src":');
const DST = ascii(',"dst":');
const ETHER_TYPE = ascii(',"etherType":');
const PROTOCOL = ascii(',"protocol":');
const SRC_2 = ascii(',"src":');
const HAS_CHECKSUM_TRUE = ascii(',"hasChecksum":true');
const NOTHING = ascii('');

/** Writes packets; remembers which payloads it has written, and where. */
export class PacketWriter {
  readonly #out: JsonWriter;
  /** Where payloads are, oldest first. */
  readonly #written = new Map<Uint8Array, { readonly id: number; readonly index: number }>();
  #recordId = 0;
  /** Payloads in the present record so far. */
  #count = 0;

  readonly #isWhole: boolean;

  constructor(out: JsonWriter, isWhole: boolean) {
    this.#out = out;
    this.#isWhole = isWhole;
  }

  /** What follows belongs to this record. */
  begin(recordId: number): void {
    this.#recordId = recordId;
    this.#count = 0;
  }

  frame(frame: EthernetFrame, base: PacketPlace | undefined): void {
    const out = this.#out;
    out.put(SRC);
    out.mac(frame.src);
    out.put(DST);
    out.mac(frame.dst);
    out.put(ETHER_TYPE);
    out.number(frame.etherType);
    this.#framePayload(frame.payload, base);
    out.put(CLOSE);
  }

  /** The packet, or where it was written before: `12` is the packet of record 12, `{"of":12,"ttl":63}` the same but for what is said. */
  packetOf(ip: Ipv4Packet, base: PacketPlace | undefined): void {
    const out = this.#out;
    if (base === undefined) this.packet(ip);
    else if (base.packet === ip) out.number(base.id);
    else if (!isAlike(base.packet, ip)) this.packet(ip);
    else if (isSameHeader(base.packet, ip)) out.number(base.id);
    else {
      out.put(OF);
      out.number(base.id);
      this.#differences(base.packet, ip);
      out.put(CLOSE);
    }
  }

  packet(ip: Ipv4Packet): void {
    const out = this.#out;
    out.put(SRC);
    out.address(ip.src);
    out.put(DST);
    out.address(ip.dst);
    out.put(PROTOCOL);
    out.number(ip.protocol);
    this.#field(TTL, ip.ttl);
    this.#field(ID, ip.id);
    if (ip.tos !== 0) this.#field(TOS, ip.tos);
    if (ip.dontFragment) out.put(DONT_FRAGMENT_TRUE);
    if (ip.moreFragments) out.put(MORE_FRAGMENTS_TRUE);
    if (ip.fragmentOffset !== 0) this.#field(FRAGMENT_OFFSET, ip.fragmentOffset);
    if (ip.options.length > 0) {
      out.put(OPTIONS);
      out.latin1(ip.options);
    }
    this.#payload(ip.payload);
    out.put(CLOSE);
  }

  #differences(before: Ipv4Packet, after: Ipv4Packet): void {
    const out = this.#out;
    if (before.src !== after.src) {
      out.put(SRC_2);
      out.address(after.src);
    }
    if (before.dst !== after.dst) {
      out.put(DST);
      out.address(after.dst);
    }
    if (before.ttl !== after.ttl) this.#field(TTL, after.ttl);
    if (before.id !== after.id) this.#field(ID, after.id);
    if (before.tos !== after.tos) this.#field(TOS, after.tos);
    const old = before.payload;
    const { payload } = after;
    if ((old.kind !== "tcp" && old.kind !== "udp") || (payload.kind !== "tcp" && payload.kind !== "udp")) return;
    if (old.srcPort !== payload.srcPort) this.#field(SRC_PORT, payload.srcPort);
    if (old.dstPort !== payload.dstPort) this.#field(DST_PORT, payload.dstPort);
  }

  #framePayload(payload: FramePayload, base: PacketPlace | undefined): void {
    const out = this.#out;
    if (payload.kind === "ipv4") {
      out.put(IP);
      this.packetOf(payload, base);
    } else if (payload.kind === "arp") {
      out.ascii(
        `,"arp":{"operation":${payload.operation},"senderMac":"${formatMacAddress(payload.senderMac)}","senderIp":"${formatIpv4Address(payload.senderIp)}","targetMac":"${formatMacAddress(payload.targetMac)}","targetIp":"${formatIpv4Address(payload.targetIp)}"}`,
      );
    } else this.#raw(payload);
  }

  #payload(payload: Ipv4Payload): void {
    const out = this.#out;
    switch (payload.kind) {
      case "tcp":
        this.#tcp(payload);
        break;
      case "udp":
        this.#udp(payload);
        break;
      case "icmp":
        this.#icmp(payload);
        break;
      case "ipv4":
        out.put(IP);
        this.packet(payload);
        break;
      case "gre":
        this.#gre(payload);
        break;
      case "vrrp":
        this.#vrrp(payload);
        break;
      case "raw":
        this.#raw(payload);
        break;
    }
  }

  #tcp(tcp: TcpSegment): void {
    const out = this.#out;
    this.#field(TCP_SRC_PORT, tcp.srcPort);
    this.#field(DST_PORT, tcp.dstPort);
    this.#field(SEQ, tcp.seq);
    this.#field(ACK, tcp.ack);
    out.put(FLAGS);
    out.put(FLAG_BYTES[tcp.flags & 255] as Uint8Array);
    this.#field(WINDOW, tcp.window);
    if (tcp.urgentPointer !== 0) this.#field(URGENT_POINTER, tcp.urgentPointer);
    if (tcp.optionBytes !== 0) {
      this.#field(OPTION_BYTES, tcp.optionBytes);
      out.put(OPTIONS);
      this.#options(tcp.options);
    }
    this.#data(tcp.payload, COMMA);
    out.put(CLOSE);
  }

  #options(options: TcpOptions): void {
    const { timestamps } = options;
    // By far the most segments have nothing else.
    if (timestamps !== undefined && options.mss === undefined && options.sack === undefined && options.windowScale === undefined && options.sackPermitted !== true) {
      this.#field(TIMESTAMPS_VALUE, timestamps.value);
      this.#field(ECHO, timestamps.echo);
      this.#out.put(CLOSE_TWO);
    } else this.#out.ascii(JSON.stringify(options));
  }

  #udp(udp: UdpDatagram): void {
    const out = this.#out;
    this.#field(UDP_SRC_PORT, udp.srcPort);
    this.#field(DST_PORT, udp.dstPort);
    if (!udp.hasChecksum) out.put(HAS_CHECKSUM_FALSE);
    const { payload } = udp;
    if (payload instanceof GuePacket) this.#gue(payload);
    else this.#data(payload, COMMA);
    out.put(CLOSE);
  }

  #gue(gue: GuePacket): void {
    const out = this.#out;
    this.#field(GUE_PROTOCOL, gue.protocol);
    this.#field(FLAGS_2, gue.flags);
    if (gue.fields.length > 0) {
      out.put(FIELDS);
      out.latin1(gue.fields);
    }
    this.#inner(gue.payload);
    out.put(CLOSE);
  }

  #gre(gre: GrePacket): void {
    const out = this.#out;
    this.#field(GRE_PROTOCOL, gre.protocol);
    out.put(gre.hasChecksum ? HAS_CHECKSUM_TRUE : HAS_CHECKSUM_FALSE);
    if (gre.key !== undefined) this.#field(KEY, gre.key);
    this.#inner(gre.payload);
    out.put(CLOSE);
  }

  #icmp(icmp: IcmpMessage): void {
    const out = this.#out;
    this.#field(ICMP_TYPE, icmp.type);
    this.#field(CODE, icmp.code);
    this.#field(REST, icmp.rest);
    if (icmp.quoted === undefined) this.#data(icmp.payload, COMMA);
    else {
      this.#field(QUOTED_BYTES, icmp.quotedBytes);
      out.put(QUOTED);
      this.packet(icmp.quoted);
    }
    out.put(CLOSE);
  }

  #vrrp(vrrp: VrrpAdvert): void {
    const out = this.#out;
    const { version, vrid, priority, intervalUnits, authType } = vrrp;
    const addresses = vrrp.addresses.map((address) => `"${formatIpv4Address(address)}"`).join(",");
    out.ascii(`,"vrrp":{"version":${version},"vrid":${vrid},"priority":${priority},"intervalUnits":${intervalUnits},"addresses":[${addresses}],"authType":${authType},"authData":`);
    out.latin1(vrrp.authData);
    out.put(CLOSE);
  }

  #inner(payload: Ipv4Packet | RawPayload): void {
    if (payload.kind === "raw") {
      this.#raw(payload);
      return;
    }
    this.#out.put(IP);
    this.packet(payload);
  }

  #raw(payload: RawPayload): void {
    this.#out.put(RAW);
    this.#data(payload.bytes, NOTHING);
    this.#out.put(CLOSE);
  }

  #data(bytes: Uint8Array, comma: Uint8Array): void {
    if (bytes.length === 0) return;
    const out = this.#out;
    out.put(comma);
    const before = this.#isWhole ? undefined : this.#written.get(bytes);
    if (before !== undefined) {
      this.#field(DATA_OF, before.id);
      this.#field(COMMA, before.index);
      out.put(CLOSE_LIST);
      return;
    }
    this.#written.set(bytes, { id: this.#recordId, index: this.#count++ });
    if (this.#written.size > DATA_WINDOW) this.#written.delete(this.#written.keys().next().value as Uint8Array);
    out.put(DATA);
    out.latin1(bytes);
  }

  #field(name: Uint8Array, value: number): void {
    this.#out.put(name);
    this.#out.number(value);
  }
}

/** The flags of TCP from the lowest bit on. */
export const FLAG_LETTERS = "FSRPAUEW";
const FLAG_BYTES = Array.from({ length: 256 }, (_, flags) => [...FLAG_LETTERS].filter((_letter, bit) => (flags & (1 << bit)) !== 0).join("")).map(ascii);

/** Whether nothing but addresses, ports, TTL, id and TOS is different. */
function isAlike(before: Ipv4Packet, after: Ipv4Packet): boolean {
  if (
    before.protocol !== after.protocol ||
    before.dontFragment !== after.dontFragment ||
    before.moreFragments !== after.moreFragments ||
    before.fragmentOffset !== after.fragmentOffset ||
    before.options !== after.options
  )
    return false;
  const a = before.payload;
  const b = after.payload;
  if (a === b) return true;
  if (a.kind === "udp" && b.kind === "udp") return a.hasChecksum === b.hasChecksum && a.payload === b.payload;
  if (a.kind !== "tcp" || b.kind !== "tcp") return false;
  return (
    a.seq === b.seq &&
    a.ack === b.ack &&
    a.flags === b.flags &&
    a.window === b.window &&
    a.urgentPointer === b.urgentPointer &&
    a.options === b.options &&
    a.optionBytes === b.optionBytes &&
    a.payload === b.payload
  );
}

/** For packets that are alike: whether nothing at all is different. */
function isSameHeader(before: Ipv4Packet, after: Ipv4Packet): boolean {
  if (before.src !== after.src || before.dst !== after.dst || before.ttl !== after.ttl || before.id !== after.id || before.tos !== after.tos) return false;
  const a = before.payload;
  const b = after.payload;
  if (a === b || (a.kind !== "tcp" && a.kind !== "udp") || (b.kind !== "tcp" && b.kind !== "udp")) return true;
  return a.srcPort === b.srcPort && a.dstPort === b.dstPort;
}
