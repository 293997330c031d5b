/**
 * Frames and packets as JSON and back, without loss: the same bytes on the wire. docs/TRACE.md lists the fields.
 *
 * Fields with their usual value are left out (tos 0, no fragment, no options, no data). Payload bytes are a string of characters U+0000 to
 * U+00FF, one a byte, so that HTTP can be read. Writing builds text at once: a trace has a line for every hop of every frame.
 */

import { EMPTY_BYTES } from "../base/bytes.ts";
import { formatIpv4Address, type Ipv4Address, parseIpv4Address } from "../base/ipv4-address.ts";
import { formatMacAddress, type MacAddress, parseMacAddress } from "../base/mac-address.ts";
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

/** Payload bytes that went into the trace before are referred to by the record that has them, unless so many others were written since. */
export const DATA_WINDOW = 4096;

const CACHE_MAX = 65_536;
const addresses = new Map<number, string>();
const macs = new Map<number, string>();

/** formatIpv4Address, remembered. */
export function addressText(address: Ipv4Address): string {
  let text = addresses.get(address);
  if (text !== undefined) return text;
  text = formatIpv4Address(address);
  if (addresses.size >= CACHE_MAX) addresses.clear();
  addresses.set(address, text);
  return text;
}

/** formatMacAddress, remembered. */
export function macText(mac: MacAddress): string {
  let text = macs.get(mac);
  if (text !== undefined) return text;
  text = formatMacAddress(mac);
  if (macs.size >= CACHE_MAX) macs.clear();
  macs.set(mac, text);
  return text;
}

/* --------------------------------------------------------------------------------------------------------------- writing */

/** Turns packets into JSON text; remembers which payloads it has written, and where. */
export class PacketWriter {
  readonly #written = new WeakMap<Uint8Array, { readonly id: number; readonly index: number; readonly order: number }>();
  #order = 0;
  #recordId = 0;
  /** Payloads in the present record so far. */
  #count = 0;

  /** What follows belongs to this record. */
  begin(recordId: number): void {
    this.#recordId = recordId;
    this.#count = 0;
  }

  frame(frame: EthernetFrame): string {
    return `{"src":"${macText(frame.src)}","dst":"${macText(frame.dst)}","etherType":${frame.etherType},${this.#framePayload(frame.payload)}}`;
  }

  packet(ip: Ipv4Packet): string {
    let text = `{"src":"${addressText(ip.src)}","dst":"${addressText(ip.dst)}","protocol":${ip.protocol},"ttl":${ip.ttl},"id":${ip.id}`;
    if (ip.tos !== 0) text += `,"tos":${ip.tos}`;
    if (ip.dontFragment) text += ',"dontFragment":true';
    if (ip.moreFragments) text += ',"moreFragments":true';
    if (ip.fragmentOffset !== 0) text += `,"fragmentOffset":${ip.fragmentOffset}`;
    if (ip.options.length > 0) text += `,"options":${JSON.stringify(bytesToText(ip.options))}`;
    return `${text}${this.#payload(ip.payload)}}`;
  }

  #framePayload(payload: FramePayload): string {
    if (payload.kind === "ipv4") return `"ip":${this.packet(payload)}`;
    if (payload.kind === "arp")
      return `"arp":{"operation":${payload.operation},"senderMac":"${macText(payload.senderMac)}","senderIp":"${addressText(payload.senderIp)}","targetMac":"${macText(payload.targetMac)}","targetIp":"${addressText(payload.targetIp)}"}`;
    return `"raw":{${this.#data(payload.bytes, "")}}`;
  }

  #payload(payload: Ipv4Payload): string {
    switch (payload.kind) {
      case "tcp":
        return `,"tcp":${this.#tcp(payload)}`;
      case "udp":
        return `,"udp":${this.#udp(payload)}`;
      case "icmp":
        return `,"icmp":${this.#icmp(payload)}`;
      case "ipv4":
        return `,"ip":${this.packet(payload)}`;
      case "gre": {
        const key = payload.key === undefined ? "" : `,"key":${payload.key}`;
        return `,"gre":{"protocol":${payload.protocol},"hasChecksum":${payload.hasChecksum}${key}${this.#inner(payload.payload)}}`;
      }
      case "vrrp":
        return `,"vrrp":${vrrpJson(payload)}`;
      case "raw":
        return `,"raw":{${this.#data(payload.bytes, "")}}`;
    }
  }

  #tcp(tcp: TcpSegment): string {
    let text = `{"srcPort":${tcp.srcPort},"dstPort":${tcp.dstPort},"seq":${tcp.seq},"ack":${tcp.ack},"flags":"${flagLetters(tcp.flags)}","window":${tcp.window}`;
    if (tcp.urgentPointer !== 0) text += `,"urgentPointer":${tcp.urgentPointer}`;
    if (tcp.optionBytes !== 0) text += `,"optionBytes":${tcp.optionBytes},"options":${optionsJson(tcp.options)}`;
    return `${text}${this.#data(tcp.payload, ",")}}`;
  }

  #udp(udp: UdpDatagram): string {
    const { payload } = udp;
    const head = `{"srcPort":${udp.srcPort},"dstPort":${udp.dstPort}${udp.hasChecksum ? "" : ',"hasChecksum":false'}`;
    if (!(payload instanceof GuePacket)) return `${head}${this.#data(payload, ",")}}`;
    const fields = payload.fields.length === 0 ? "" : `,"fields":${JSON.stringify(bytesToText(payload.fields))}`;
    return `${head},"gue":{"protocol":${payload.protocol},"flags":${payload.flags}${fields}${this.#inner(payload.payload)}}}`;
  }

  #icmp(icmp: IcmpMessage): string {
    const head = `{"type":${icmp.type},"code":${icmp.code},"rest":${icmp.rest}`;
    if (icmp.quoted === undefined) return `${head}${this.#data(icmp.payload, ",")}}`;
    return `${head},"quotedBytes":${icmp.quotedBytes},"quoted":${this.packet(icmp.quoted)}}`;
  }

  #inner(payload: Ipv4Packet | RawPayload): string {
    return payload.kind === "ipv4" ? `,"ip":${this.packet(payload)}` : `,"raw":{${this.#data(payload.bytes, "")}}`;
  }

  #data(bytes: Uint8Array, comma: string): string {
    if (bytes.length === 0) return "";
    const before = this.#written.get(bytes);
    if (before !== undefined && this.#order - before.order < DATA_WINDOW) return `${comma}"dataOf":[${before.id},${before.index}]`;
    this.#written.set(bytes, { id: this.#recordId, index: this.#count++, order: this.#order++ });
    return `${comma}"data":${JSON.stringify(bytesToText(bytes))}`;
  }
}

const LETTERS = "FSRPAUEW";
const FLAG_TEXTS = Array.from({ length: 256 }, (_, flags) => [...LETTERS].filter((_letter, bit) => (flags & (1 << bit)) !== 0).join(""));

function flagLetters(flags: number): string {
  return FLAG_TEXTS[flags & 255] as string;
}

function optionsJson(options: TcpOptions): string {
  const { timestamps } = options;
  // By far the most segments have nothing else.
  if (timestamps !== undefined && options.mss === undefined && options.sack === undefined && options.windowScale === undefined && options.sackPermitted !== true)
    return `{"timestamps":{"value":${timestamps.value},"echo":${timestamps.echo}}}`;
  return JSON.stringify(options);
}

function vrrpJson(vrrp: VrrpAdvert): string {
  return JSON.stringify({
    version: vrrp.version,
    vrid: vrrp.vrid,
    priority: vrrp.priority,
    intervalUnits: vrrp.intervalUnits,
    addresses: vrrp.addresses.map(addressText),
    authType: vrrp.authType,
    authData: bytesToText(vrrp.authData),
  });
}

const CHUNK = 8192;

/** One character a byte. */
export function bytesToText(bytes: Uint8Array): string {
  if (bytes.length <= CHUNK) return String.fromCharCode.apply(null, bytes as unknown as number[]);
  let text = "";
  for (let at = 0; at < bytes.length; at += CHUNK) text += String.fromCharCode.apply(null, bytes.subarray(at, at + CHUNK) as unknown as number[]);
  return text;
}

/** The bytes of such a string; undefined when it has other characters. */
export function textToBytes(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 255) return undefined;
    bytes[i] = code;
  }
  return bytes;
}

/* --------------------------------------------------------------------------------------------------------------- reading */

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

  frame(value: unknown): EthernetFrame {
    const json = objectOf(value, "frame");
    let payload: FramePayload;
    if (json.ip !== undefined) payload = this.packet(json.ip);
    else if (json.arp !== undefined) payload = readArp(objectOf(json.arp, "arp"));
    else payload = new RawPayload(this.#bytes(objectOf(json.raw, "raw")));
    return new EthernetFrame(readMac(json, "dst"), readMac(json, "src"), readNumber(json, "etherType"), payload);
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
    const bit = LETTERS.indexOf(letter);
    if (bit < 0) throw new TraceFormatError(`\`flags\` has the letter ${letter}, known are ${LETTERS}`);
    flags |= 1 << bit;
  }
  return flags;
}
