/**
 * A frame or packet taken apart: layers from the outside in, each field with its value and its place in the bytes.
 *
 * The kinds of layers come from the packet, the values from the bytes: what is shown is what a capture would have. Names are Wireshark's.
 */

import { formatIpv4Address } from "../../../src/base/ipv4-address.ts";
import { formatMacAddress } from "../../../src/base/mac-address.ts";
import { get16, get32, get48 } from "../../../src/wire/byte-order.ts";
import { encodeEthernet } from "../../../src/wire/ethernet.ts";
import { encodeIpv4 } from "../../../src/wire/ipv4.ts";
import {
  ARP_BYTES,
  ETHERNET_HEADER_BYTES,
  type EthernetFrame,
  type FramePayload,
  type GrePacket,
  GuePacket,
  type IcmpMessage,
  type Ipv4Packet,
  isIcmpError,
  type TcpSegment,
  type VrrpAdvert,
} from "../../../src/wire/packet.ts";
import { protocolName } from "../../../src/wire/print.ts";
import { formatTcpFlags } from "../../../src/wire/tcp.ts";

export interface LayerField {
  /** `ip.dst`; those of an inner header have the same names. */
  readonly name: string;
  readonly value: string;
  /** In the bytes of the whole. */
  readonly offset: number;
  readonly length: number;
}

export interface Layer {
  /** `Ethernet II`, `IPv4`, `TCP`. */
  readonly title: string;
  /** `eth`, `ip`, `tcp`. */
  readonly protocol: string;
  readonly offset: number;
  readonly length: number;
  readonly fields: readonly LayerField[];
}

export interface Dissection {
  readonly bytes: Uint8Array;
  readonly layers: readonly Layer[];
}

const DATA_CHARS_MAX = 400;

export function dissectFrame(frame: EthernetFrame): Dissection {
  const bytes = encodeEthernet(frame);
  const mac = (name: string, at: number): LayerField => ({ name, value: formatMacAddress(get48(bytes, at)), offset: at, length: 6 });
  const ethernet: Layer = {
    title: "Ethernet II",
    protocol: "eth",
    offset: 0,
    length: ETHERNET_HEADER_BYTES,
    fields: [mac("eth.dst", 0), mac("eth.src", 6), { name: "eth.type", value: `0x${get16(bytes, 12).toString(16).padStart(4, "0")}`, offset: 12, length: 2 }],
  };
  return { bytes, layers: [ethernet, ...payloadLayers(bytes, ETHERNET_HEADER_BYTES, frame.payload)] };
}

/** A packet where there is no frame: inside a host, on lo, in a tunnel device. */
export function dissectPacket(packet: Ipv4Packet): Dissection {
  const bytes = encodeIpv4(packet);
  return { bytes, layers: ipv4Layers(bytes, 0, packet) };
}

function payloadLayers(bytes: Uint8Array, at: number, payload: FramePayload): Layer[] {
  if (payload.kind === "arp") return [arpLayer(bytes, at)];
  return payload.kind === "ipv4" ? ipv4Layers(bytes, at, payload) : dataLayer(bytes, at, payload.lengthBytes);
}

/** Reads the fields of one header. */
class Reader {
  readonly fields: LayerField[] = [];
  readonly #bytes: Uint8Array;
  readonly #start: number;

  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = bytes;
    this.#start = start;
  }

  number(name: string, at: number, length: 1 | 2 | 4, show: (value: number) => string = String): this {
    const offset = this.#start + at;
    const value = length === 1 ? (this.#bytes[offset] as number) : length === 2 ? get16(this.#bytes, offset) : get32(this.#bytes, offset);
    this.fields.push({ name, value: show(value), offset, length });
    return this;
  }

  address(name: string, at: number): this {
    return this.number(name, at, 4, formatIpv4Address);
  }

  mac(name: string, at: number): this {
    const offset = this.#start + at;
    this.fields.push({ name, value: formatMacAddress(get48(this.#bytes, offset)), offset, length: 6 });
    return this;
  }

  add(name: string, at: number, length: number, value: string): this {
    this.fields.push({ name, value, offset: this.#start + at, length });
    return this;
  }

  layer(title: string, protocol: string, length: number): Layer {
    return { title, protocol, offset: this.#start, length, fields: this.fields };
  }
}

const hex = (digits: number) => (value: number) => `0x${value.toString(16).padStart(digits, "0")}`;

function arpLayer(bytes: Uint8Array, at: number): Layer {
  return new Reader(bytes, at)
    .number("arp.hw.type", 0, 2)
    .number("arp.proto.type", 2, 2, hex(4))
    .number("arp.hw.size", 4, 1)
    .number("arp.proto.size", 5, 1)
    .number("arp.opcode", 6, 2, (value) => (value === 1 ? "1 (request)" : value === 2 ? "2 (reply)" : String(value)))
    .mac("arp.src.hw_mac", 8)
    .address("arp.src.proto_ipv4", 14)
    .mac("arp.dst.hw_mac", 18)
    .address("arp.dst.proto_ipv4", 24)
    .layer("ARP", "arp", ARP_BYTES);
}

function ipv4Layers(bytes: Uint8Array, at: number, packet: Ipv4Packet): Layer[] {
  const reader = new Reader(bytes, at)
    .number("ip.version", 0, 1, (value) => String(value >>> 4))
    .number("ip.hdr_len", 0, 1, (value) => `${(value & 15) * 4} bytes`)
    .number("ip.tos", 1, 1, hex(2))
    .number("ip.len", 2, 2)
    .number("ip.id", 4, 2, (value) => `${hex(4)(value)} (${value})`)
    .number("ip.flags", 6, 1, (value) => [value & 0x40 ? "DF" : "", value & 0x20 ? "MF" : ""].filter((flag) => flag !== "").join(" ") || "none")
    .number("ip.frag_offset", 6, 2, (value) => String((value & 0x1fff) * 8))
    .number("ip.ttl", 8, 1)
    .number("ip.proto", 9, 1, (value) => `${value} (${protocolName(value)})`)
    .number("ip.checksum", 10, 2, hex(4))
    .address("ip.src", 12)
    .address("ip.dst", 16);
  if (packet.options.length > 0) reader.add("ip.options", 20, packet.options.length, `${packet.options.length} bytes`);
  return [reader.layer("IPv4", "ip", packet.headerBytes), ...ipPayloadLayers(bytes, at + packet.headerBytes, packet)];
}

function ipPayloadLayers(bytes: Uint8Array, at: number, { payload }: Ipv4Packet): Layer[] {
  switch (payload.kind) {
    case "tcp":
      return tcpLayers(bytes, at, payload);
    case "udp": {
      const header = new Reader(bytes, at).number("udp.srcport", 0, 2).number("udp.dstport", 2, 2).number("udp.length", 4, 2).number("udp.checksum", 6, 2, hex(4)).layer("UDP", "udp", 8);
      if (!(payload.payload instanceof GuePacket)) return [header, ...dataLayer(bytes, at + 8, payload.payload.length)];
      return [header, ...gueLayers(bytes, at + 8, payload.payload)];
    }
    case "icmp":
      return icmpLayers(bytes, at, payload);
    case "ipv4":
      return ipv4Layers(bytes, at, payload);
    case "gre":
      return greLayers(bytes, at, payload);
    case "vrrp":
      return [vrrpLayer(bytes, at, payload)];
    case "raw":
      return dataLayer(bytes, at, payload.lengthBytes);
  }
}

function tcpLayers(bytes: Uint8Array, at: number, segment: TcpSegment): Layer[] {
  const headerBytes = 20 + segment.optionBytes;
  const reader = new Reader(bytes, at)
    .number("tcp.srcport", 0, 2)
    .number("tcp.dstport", 2, 2)
    .number("tcp.seq", 4, 4)
    .number("tcp.ack", 8, 4)
    .number("tcp.hdr_len", 12, 1, (value) => `${(value >>> 4) * 4} bytes`)
    .number("tcp.flags", 13, 1, (value) => `${hex(2)(value)} [${formatTcpFlags(value)}]`)
    .number("tcp.window_size", 14, 2)
    .number("tcp.checksum", 16, 2, hex(4))
    .number("tcp.urgent_pointer", 18, 2);
  if (segment.optionBytes > 0) reader.add("tcp.options", 20, segment.optionBytes, tcpOptionsText(segment));
  return [reader.layer("TCP", "tcp", headerBytes), ...dataLayer(bytes, at + headerBytes, segment.payload.length)];
}

function tcpOptionsText({ options }: TcpSegment): string {
  const words: string[] = [];
  if (options.mss !== undefined) words.push(`mss ${options.mss}`);
  if (options.sackPermitted === true) words.push("sackOK");
  if (options.timestamps !== undefined) words.push(`TS val ${options.timestamps.value} ecr ${options.timestamps.echo}`);
  if (options.windowScale !== undefined) words.push(`wscale ${options.windowScale}`);
  if (options.sack !== undefined) words.push(`sack ${options.sack.map(([left, right]) => `{${left}:${right}}`).join("")}`);
  return words.join(", ");
}

function icmpLayers(bytes: Uint8Array, at: number, message: IcmpMessage): Layer[] {
  const reader = new Reader(bytes, at).number("icmp.type", 0, 1).number("icmp.code", 1, 1).number("icmp.checksum", 2, 2, hex(4));
  if (isIcmpError(message.type)) {
    if (message.type === 5) reader.address("icmp.redir_gw", 4);
    else reader.number("icmp.rest", 4, 4, hex(8));
  } else reader.number("icmp.ident", 4, 2).number("icmp.seq", 6, 2);
  const header = reader.layer("ICMP", "icmp", 8);
  const rest = message.lengthBytes - 8;
  // Of a quote only the headers are sure to be there.
  if (message.quoted === undefined || message.quotedBytes < 28) return [header, ...dataLayer(bytes, at + 8, rest)];
  const quoted = new Reader(bytes, at + 8).number("ip.ttl", 8, 1).number("ip.proto", 9, 1, (value) => `${value} (${protocolName(value)})`).address("ip.src", 12).address("ip.dst", 16);
  return [header, quoted.layer("IPv4 (quoted)", "ip", rest)];
}

function greLayers(bytes: Uint8Array, at: number, packet: GrePacket): Layer[] {
  const reader = new Reader(bytes, at).number("gre.flags_and_version", 0, 2, hex(4)).number("gre.proto", 2, 2, hex(4));
  let length = 4;
  if (packet.hasChecksum) {
    reader.number("gre.checksum", length, 2, hex(4));
    length += 4;
  }
  if (packet.key !== undefined) {
    reader.number("gre.key", length, 4);
    length += 4;
  }
  const header = reader.layer("GRE", "gre", length);
  return [header, ...(packet.payload.kind === "ipv4" ? ipv4Layers(bytes, at + length, packet.payload) : dataLayer(bytes, at + length, packet.payload.lengthBytes))];
}

function gueLayers(bytes: Uint8Array, at: number, packet: GuePacket): Layer[] {
  const length = 4 + packet.fields.length;
  const header = new Reader(bytes, at).number("gue.version_and_hlen", 0, 1, hex(2)).number("gue.proto", 1, 1, (value) => `${value} (${protocolName(value)})`).number("gue.flags", 2, 2, hex(4)).layer("GUE", "gue", length);
  return [header, ...(packet.payload.kind === "ipv4" ? ipv4Layers(bytes, at + length, packet.payload) : dataLayer(bytes, at + length, packet.payload.lengthBytes))];
}

function vrrpLayer(bytes: Uint8Array, at: number, advert: VrrpAdvert): Layer {
  const reader = new Reader(bytes, at)
    .number("vrrp.version", 0, 1, (value) => String(value >>> 4))
    .number("vrrp.type", 0, 1, (value) => String(value & 15))
    .number("vrrp.virt_rtr_id", 1, 1)
    .number("vrrp.prio", 2, 1)
    .number("vrrp.addr_count", 3, 1)
    .number("vrrp.adver_int", 4, 2)
    .number("vrrp.checksum", 6, 2, hex(4));
  for (const index of advert.addresses.keys()) reader.address("vrrp.ip_addr", 8 + 4 * index);
  return reader.layer("VRRP", "vrrp", advert.lengthBytes);
}

function dataLayer(bytes: Uint8Array, at: number, length: number): Layer[] {
  if (length === 0) return [];
  const shown = bytes.subarray(at, at + Math.min(length, DATA_CHARS_MAX));
  const text = Array.from(shown, (byte) => (byte === 10 ? "\n" : byte === 13 ? "" : byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·")).join("");
  return [{ title: "Data", protocol: "data", offset: at, length, fields: [{ name: "data", value: length > shown.length ? `${text}…` : text, offset: at, length }] }];
}
