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
import type { JsonWriter } from "./json-writer.ts";
import { DATA_WINDOW, type PacketPlace } from "./packet-places.ts";

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
    out.put('{"src":"');
    out.put(formatMacAddress(frame.src));
    out.put('","dst":"');
    out.put(formatMacAddress(frame.dst));
    out.put('","etherType":');
    out.number(frame.etherType);
    this.#framePayload(frame.payload, base);
    out.put("}");
  }

  /** The packet, or where it was written before: `12` is the packet of record 12, `{"of":12,"ttl":63}` the same but for what is said. */
  packetOf(ip: Ipv4Packet, base: PacketPlace | undefined): void {
    const out = this.#out;
    if (base === undefined) this.packet(ip);
    else if (base.packet === ip) out.number(base.id);
    else if (!isAlike(base.packet, ip)) this.packet(ip);
    else if (isSameHeader(base.packet, ip)) out.number(base.id);
    else {
      out.put('{"of":');
      out.number(base.id);
      this.#differences(base.packet, ip);
      out.put("}");
    }
  }

  packet(ip: Ipv4Packet): void {
    const out = this.#out;
    out.put('{"src":"');
    out.put(formatIpv4Address(ip.src));
    out.put('","dst":"');
    out.put(formatIpv4Address(ip.dst));
    out.put('","protocol":');
    out.number(ip.protocol);
    this.#field(',"ttl":', ip.ttl);
    this.#field(',"id":', ip.id);
    if (ip.tos !== 0) this.#field(',"tos":', ip.tos);
    if (ip.dontFragment) out.put(',"dontFragment":true');
    if (ip.moreFragments) out.put(',"moreFragments":true');
    if (ip.fragmentOffset !== 0) this.#field(',"fragmentOffset":', ip.fragmentOffset);
    if (ip.options.length > 0) {
      out.put(',"options":');
      out.latin1(ip.options);
    }
    this.#payload(ip.payload);
    out.put("}");
  }

  #differences(before: Ipv4Packet, after: Ipv4Packet): void {
    const out = this.#out;
    if (before.src !== after.src) {
      out.put(',"src":"');
      out.put(formatIpv4Address(after.src));
      out.put('"');
    }
    if (before.dst !== after.dst) {
      out.put(',"dst":"');
      out.put(formatIpv4Address(after.dst));
      out.put('"');
    }
    if (before.ttl !== after.ttl) this.#field(',"ttl":', after.ttl);
    if (before.id !== after.id) this.#field(',"id":', after.id);
    if (before.tos !== after.tos) this.#field(',"tos":', after.tos);
    const old = before.payload;
    const { payload } = after;
    if ((old.kind !== "tcp" && old.kind !== "udp") || (payload.kind !== "tcp" && payload.kind !== "udp")) return;
    if (old.srcPort !== payload.srcPort) this.#field(',"srcPort":', payload.srcPort);
    if (old.dstPort !== payload.dstPort) this.#field(',"dstPort":', payload.dstPort);
  }

  #framePayload(payload: FramePayload, base: PacketPlace | undefined): void {
    const out = this.#out;
    if (payload.kind === "ipv4") {
      out.put(',"ip":');
      this.packetOf(payload, base);
    } else if (payload.kind === "arp") {
      out.put(
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
        out.put(',"ip":');
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
    this.#field(',"tcp":{"srcPort":', tcp.srcPort);
    this.#field(',"dstPort":', tcp.dstPort);
    this.#field(',"seq":', tcp.seq);
    this.#field(',"ack":', tcp.ack);
    out.put(',"flags":"');
    out.put(FLAG_TEXTS[tcp.flags & 255] as string);
    this.#field('","window":', tcp.window);
    if (tcp.urgentPointer !== 0) this.#field(',"urgentPointer":', tcp.urgentPointer);
    if (tcp.optionBytes !== 0) {
      this.#field(',"optionBytes":', tcp.optionBytes);
      out.put(',"options":');
      this.#options(tcp.options);
    }
    this.#data(tcp.payload, ",");
    out.put("}");
  }

  #options(options: TcpOptions): void {
    const { timestamps } = options;
    // By far the most segments have nothing else.
    if (timestamps !== undefined && options.mss === undefined && options.sack === undefined && options.windowScale === undefined && options.sackPermitted !== true) {
      this.#field('{"timestamps":{"value":', timestamps.value);
      this.#field(',"echo":', timestamps.echo);
      this.#out.put("}}");
    } else this.#out.put(JSON.stringify(options));
  }

  #udp(udp: UdpDatagram): void {
    const out = this.#out;
    this.#field(',"udp":{"srcPort":', udp.srcPort);
    this.#field(',"dstPort":', udp.dstPort);
    if (!udp.hasChecksum) out.put(',"hasChecksum":false');
    const { payload } = udp;
    if (payload instanceof GuePacket) this.#gue(payload);
    else this.#data(payload, ",");
    out.put("}");
  }

  #gue(gue: GuePacket): void {
    const out = this.#out;
    this.#field(',"gue":{"protocol":', gue.protocol);
    this.#field(',"flags":', gue.flags);
    if (gue.fields.length > 0) {
      out.put(',"fields":');
      out.latin1(gue.fields);
    }
    this.#inner(gue.payload);
    out.put("}");
  }

  #gre(gre: GrePacket): void {
    const out = this.#out;
    this.#field(',"gre":{"protocol":', gre.protocol);
    out.put(gre.hasChecksum ? ',"hasChecksum":true' : ',"hasChecksum":false');
    if (gre.key !== undefined) this.#field(',"key":', gre.key);
    this.#inner(gre.payload);
    out.put("}");
  }

  #icmp(icmp: IcmpMessage): void {
    const out = this.#out;
    this.#field(',"icmp":{"type":', icmp.type);
    this.#field(',"code":', icmp.code);
    this.#field(',"rest":', icmp.rest);
    if (icmp.quoted === undefined) this.#data(icmp.payload, ",");
    else {
      this.#field(',"quotedBytes":', icmp.quotedBytes);
      out.put(',"quoted":');
      this.packet(icmp.quoted);
    }
    out.put("}");
  }

  #vrrp(vrrp: VrrpAdvert): void {
    const out = this.#out;
    const { version, vrid, priority, intervalUnits, authType } = vrrp;
    const addresses = vrrp.addresses.map((address) => `"${formatIpv4Address(address)}"`).join(",");
    out.put(`,"vrrp":{"version":${version},"vrid":${vrid},"priority":${priority},"intervalUnits":${intervalUnits},"addresses":[${addresses}],"authType":${authType},"authData":`);
    out.latin1(vrrp.authData);
    out.put("}");
  }

  #inner(payload: Ipv4Packet | RawPayload): void {
    if (payload.kind === "raw") {
      this.#raw(payload);
      return;
    }
    this.#out.put(',"ip":');
    this.packet(payload);
  }

  #raw(payload: RawPayload): void {
    this.#out.put(',"raw":{');
    this.#data(payload.bytes, "");
    this.#out.put("}");
  }

  #data(bytes: Uint8Array, comma: string): void {
    if (bytes.length === 0) return;
    const out = this.#out;
    out.put(comma);
    const before = this.#isWhole ? undefined : this.#written.get(bytes);
    if (before !== undefined) {
      this.#field('"dataOf":[', before.id);
      this.#field(",", before.index);
      out.put("]");
      return;
    }
    this.#written.set(bytes, { id: this.#recordId, index: this.#count++ });
    if (this.#written.size > DATA_WINDOW) this.#written.delete(this.#written.keys().next().value as Uint8Array);
    out.put('"data":');
    out.latin1(bytes);
  }

  #field(name: string, value: number): void {
    this.#out.put(name);
    this.#out.number(value);
  }
}

/** The flags of TCP from the lowest bit on. */
export const FLAG_LETTERS = "FSRPAUEW";
const FLAG_TEXTS = Array.from({ length: 256 }, (_, flags) => [...FLAG_LETTERS].filter((_letter, bit) => (flags & (1 << bit)) !== 0).join(""));

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
