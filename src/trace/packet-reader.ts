/**
 * Frames and packets out of the JSON that packet-writer.ts has written.
 */

import { EMPTY_BYTES } from "../base/bytes.ts";
import { type Ipv4Address, parseIpv4Address } from "../base/ipv4-address.ts";
import { type MacAddress, parseMacAddress } from "../base/mac-address.ts";
import {
  ArpPacket,
  EthernetFrame,
  type FramePayload,
  GrePacket,
  GuePacket,
  IcmpMessage,
  Ipv4Packet,
  type Ipv4Payload,
  NO_TCP_OPTIONS,
  RawPayload,
  type TcpOptions,
  TcpSegment,
  UdpDatagram,
  VrrpAdvert,
} from "../wire/packet.ts";
import { DATA_WINDOW, type PacketPlaces } from "./packet-places.ts";
import { FLAG_LETTERS } from "./packet-writer.ts";

/** What is wrong with a record, in words; the reader puts the line's number before it. */
export class TraceFormatError extends Error {}

type Json = Readonly<Record<string, unknown>>;

/** Turns JSON values into packets; keeps payloads that later records refer to. */
export class PacketReader {
  /** By record and position in it: `12/0`, oldest first. */
  readonly #data = new Map<string, Uint8Array>();
  #recordId = 0;
  #count = 0;

  /** What follows belongs to this record. */
  begin(recordId: number): void {
    this.#recordId = recordId;
    this.#count = 0;
  }

  frame(value: unknown, places: PacketPlaces): EthernetFrame {
    const json = objectOf(value, "frame");
    let payload: FramePayload;
    if (json.ip !== undefined) payload = this.packetOf(json.ip, places);
    else if (json.arp !== undefined) payload = readArp(objectOf(json.arp, "arp"));
    else payload = new RawPayload(this.#bytes(objectOf(json.raw, "raw")));
    return new EthernetFrame(readMac(json, "dst"), readMac(json, "src"), readNumber(json, "etherType"), payload);
  }

  /** The other direction of PacketWriter.packetOf. */
  packetOf(value: unknown, places: PacketPlaces): Ipv4Packet {
    if (typeof value === "number") return placeOf(value, places);
    const json = objectOf(value, "packet");
    return json.of === undefined ? this.packet(value) : changed(placeOf(readNumber(json, "of"), places), json);
  }

  packet(value: unknown): Ipv4Packet {
    const json = objectOf(value, "ip");
    const packet = new Ipv4Packet(readAddress(json, "src"), readAddress(json, "dst"), readNumber(json, "protocol"), readNumber(json, "ttl"), this.#payload(json));
    packet.id = readNumber(json, "id");
    packet.tos = numberOr(json, "tos", 0);
    packet.dontFragment = json.dontFragment === true;
    packet.moreFragments = json.moreFragments === true;
    packet.fragmentOffset = numberOr(json, "fragmentOffset", 0);
    if (json.options !== undefined) packet.options = readBytes(json, "options");
    return packet;
  }

  #payload(json: Json): Ipv4Payload {
    if (json.tcp !== undefined) return this.#tcp(objectOf(json.tcp, "tcp"));
    if (json.udp !== undefined) return this.#udp(objectOf(json.udp, "udp"));
    if (json.icmp !== undefined) return this.#icmp(objectOf(json.icmp, "icmp"));
    if (json.ip !== undefined) return this.packet(json.ip);
    if (json.gre !== undefined) {
      const gre = objectOf(json.gre, "gre");
      return new GrePacket(readNumber(gre, "protocol"), this.#inner(gre), gre.hasChecksum === true, gre.key === undefined ? undefined : readNumber(gre, "key"));
    }
    if (json.vrrp !== undefined) return readVrrp(objectOf(json.vrrp, "vrrp"));
    return new RawPayload(this.#bytes(objectOf(json.raw, "raw")));
  }

  #tcp(json: Json): TcpSegment {
    const tcp = new TcpSegment(
      readNumber(json, "srcPort"),
      readNumber(json, "dstPort"),
      readNumber(json, "seq"),
      readNumber(json, "ack"),
      readFlags(json),
      readNumber(json, "window"),
    );
    tcp.urgentPointer = numberOr(json, "urgentPointer", 0);
    tcp.optionBytes = numberOr(json, "optionBytes", 0);
    tcp.options = json.options === undefined ? NO_TCP_OPTIONS : (objectOf(json.options, "options") as TcpOptions);
    tcp.payload = this.#bytes(json);
    return tcp;
  }

  #udp(json: Json): UdpDatagram {
    let payload: Uint8Array | GuePacket;
    if (json.gue === undefined) payload = this.#bytes(json);
    else {
      const gue = objectOf(json.gue, "gue");
      payload = new GuePacket(readNumber(gue, "protocol"), this.#inner(gue), readNumber(gue, "flags"), gue.fields === undefined ? EMPTY_BYTES : readBytes(gue, "fields"));
    }
    const udp = new UdpDatagram(readNumber(json, "srcPort"), readNumber(json, "dstPort"), payload);
    udp.hasChecksum = json.hasChecksum !== false;
    return udp;
  }

  #icmp(json: Json): IcmpMessage {
    const icmp = new IcmpMessage(readNumber(json, "type"), readNumber(json, "code"), readNumber(json, "rest"));
    if (json.quoted === undefined) icmp.payload = this.#bytes(json);
    else {
      icmp.quotedBytes = readNumber(json, "quotedBytes");
      icmp.quoted = this.packet(json.quoted);
    }
    return icmp;
  }

  #inner(json: Json): Ipv4Packet | RawPayload {
    return json.ip === undefined ? new RawPayload(this.#bytes(objectOf(json.raw, "raw"))) : this.packet(json.ip);
  }

  #bytes(json: Json): Uint8Array {
    if (json.dataOf !== undefined) {
      const bytes = Array.isArray(json.dataOf) ? this.#data.get(json.dataOf.join("/")) : undefined;
      if (bytes === undefined) throw new TraceFormatError("`dataOf` names data that is not there: is the beginning of the trace missing?");
      return bytes;
    }
    if (json.data === undefined) return EMPTY_BYTES;
    const bytes = readBytes(json, "data");
    this.#data.set(`${this.#recordId}/${this.#count++}`, bytes);
    if (this.#data.size > DATA_WINDOW) this.#data.delete(this.#data.keys().next().value as string);
    return bytes;
  }
}

function placeOf(id: number, places: PacketPlaces): Ipv4Packet {
  const place = places.get(id);
  if (place === undefined) throw new TraceFormatError(`record ${id}, whose packet is meant, is not there: is the beginning of the trace missing?`);
  return place.packet;
}

function changed(before: Ipv4Packet, json: Json): Ipv4Packet {
  const packet = before.copy();
  if (json.src !== undefined) packet.src = readAddress(json, "src");
  if (json.dst !== undefined) packet.dst = readAddress(json, "dst");
  packet.ttl = numberOr(json, "ttl", packet.ttl);
  packet.id = numberOr(json, "id", packet.id);
  packet.tos = numberOr(json, "tos", packet.tos);
  const { payload } = packet;
  if ((json.srcPort === undefined && json.dstPort === undefined) || (payload.kind !== "tcp" && payload.kind !== "udp")) return packet;
  packet.payload = payload.copy();
  packet.payload.srcPort = numberOr(json, "srcPort", payload.srcPort);
  packet.payload.dstPort = numberOr(json, "dstPort", payload.dstPort);
  return packet;
}

function readArp(json: Json): ArpPacket {
  return new ArpPacket(readNumber(json, "operation"), readMac(json, "senderMac"), readAddress(json, "senderIp"), readMac(json, "targetMac"), readAddress(json, "targetIp"));
}

function readVrrp(json: Json): VrrpAdvert {
  const { addresses: list } = json;
  if (!Array.isArray(list)) throw new TraceFormatError("`addresses` of vrrp is not a list");
  const read = list.map((_, i) => readAddress(list as unknown as Json, String(i)));
  const number = (field: string) => readNumber(json, field);
  return new VrrpAdvert(number("version"), number("vrid"), number("priority"), number("intervalUnits"), read, number("authType"), readBytes(json, "authData"));
}

/** The value as an object, or an error that names the field. */
export function objectOf(value: unknown, field: string): Json {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new TraceFormatError(`\`${field}\` is missing or no object`);
  return value as Json;
}

export function readNumber(json: Json, field: string): number {
  const value = json[field];
  if (typeof value !== "number") throw new TraceFormatError(`\`${field}\` is missing or no number`);
  return value;
}

function numberOr(json: Json, field: string, other: number): number {
  return json[field] === undefined ? other : readNumber(json, field);
}

export function readText(json: Json, field: string): string {
  const value = json[field];
  if (typeof value !== "string") throw new TraceFormatError(`\`${field}\` is missing or no text`);
  return value;
}

export function readAddress(json: Json, field: string): Ipv4Address {
  const address = parseIpv4Address(readText(json, field));
  if (address === undefined) throw new TraceFormatError(`\`${field}\` is no IPv4 address: ${readText(json, field)}`);
  return address;
}

export function readMac(json: Json, field: string): MacAddress {
  const mac = parseMacAddress(readText(json, field));
  if (mac === undefined) throw new TraceFormatError(`\`${field}\` is no MAC address: ${readText(json, field)}`);
  return mac;
}

function readBytes(json: Json, field: string): Uint8Array {
  const bytes = textToBytes(readText(json, field));
  if (bytes === undefined) throw new TraceFormatError(`\`${field}\` has characters beyond U+00FF`);
  return bytes;
}

function readFlags(json: Json): number {
  let flags = 0;
  for (const letter of readText(json, "flags")) {
    const bit = FLAG_LETTERS.indexOf(letter);
    if (bit < 0) throw new TraceFormatError(`\`flags\` has the letter ${letter}, known are ${FLAG_LETTERS}`);
    flags |= 1 << bit;
  }
  return flags;
}

/** The bytes of a string of characters U+0000 to U+00FF; undefined when it has others. */
function textToBytes(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 255) return undefined;
    bytes[i] = code;
  }
  return bytes;
}
