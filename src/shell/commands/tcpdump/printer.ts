/**
 * Captured packets as lines: time, link, packet, bytes. tcpdump 4.99.3 print.c:pretty_print_packet, print-sll.c:sll2_if_print.
 */

import type { Ipv4Address } from "../../../base/ipv4-address.ts";
import { formatMacAddress } from "../../../base/mac-address.ts";
import type { NetDevice } from "../../../host/device.ts";
import { formatCaptured, type TimeColumn } from "../../../trace/text.ts";
import { decodeArp, formatArp } from "../../../wire/arp.ts";
import { get16, get32, get48, put16, put32, put48 } from "../../../wire/byte-order.ts";
import { decodeEthernet } from "../../../wire/ethernet.ts";
import { decodeIpv4, formatIpv4 } from "../../../wire/ipv4.ts";
import { ETHERTYPE_ARP, ETHERTYPE_IPV4, EthernetFrame, type Ipv4Packet } from "../../../wire/packet.ts";
import { LINKTYPE_LINUX_SLL2, LINKTYPE_RAW, type PcapRecord } from "../../../wire/pcap.ts";
import { type PrintOptions, SequenceTable } from "../../../wire/print.ts";
import { asciiDump, hexDump } from "./dump.ts";
import type { TcpdumpOptions } from "./options.ts";
import type { PacketView } from "./packet-view.ts";

export const SLL2_HEADER_BYTES = 20;

export interface Captured {
  /** Wall-clock time. */
  readonly seconds: number;
  readonly nanoseconds: number;
  /** undefined when it comes from a file: then the bytes say. */
  readonly what: EthernetFrame | Ipv4Packet | undefined;
  readonly bytes: Uint8Array;
  readonly lengthBytes: number;
  readonly view: PacketView;
  readonly device: NetDevice | undefined;
  readonly direction: "in" | "out" | undefined;
  /** The header of `-i any` as read from a file. */
  readonly cooked?: { readonly index: number; readonly type: string; readonly mac: number | undefined };
}

export class CapturePrinter {
  readonly #options: TcpdumpOptions;
  readonly #times: TimeColumn;
  readonly #linkType: number;
  readonly #print: PrintOptions;
  readonly #interfaceName: (index: number) => string | undefined;

  constructor(init: {
    readonly options: TcpdumpOptions;
    readonly times: TimeColumn;
    readonly linkType: number;
    readonly nameOf: (address: Ipv4Address) => string | undefined;
    readonly interfaceName: (index: number) => string | undefined;
  }) {
    const { options } = init;
    this.#options = options;
    this.#times = init.times;
    this.#linkType = init.linkType;
    this.#interfaceName = init.interfaceName;
    this.#print = {
      isNumeric: options.numericCount > 0,
      verbosity: options.verbosity,
      isQuick: options.isQuick,
      isLinkShown: options.isLinkShown,
      sequences: options.isAbsoluteSequence ? undefined : new SequenceTable(),
      nameOf: init.nameOf,
    };
  }

  /** `number` counts from 1. */
  format(captured: Captured, number: number): string {
    const prefix = this.#options.isNumbered ? `${String(number).padStart(5)}  ` : "";
    const time = this.#times.next(captured.seconds, captured.nanoseconds);
    const what = captured.what ?? this.#decode(captured);
    if (what === undefined) return `${prefix}${time}${this.#formatUnreadable(captured)}${this.#dump(captured)}`;
    const text = this.#linkType === LINKTYPE_LINUX_SLL2 ? this.#formatCooked(captured, what) : formatCaptured(what, this.#print);
    return `${prefix}${time}${text}${this.#dump(captured)}`;
  }

  #decode(captured: Captured): EthernetFrame | Ipv4Packet | undefined {
    const options = { ignoreChecksums: true };
    const { bytes, view, cooked } = captured;
    if (cooked !== undefined) {
      const packet = view.etherType === ETHERTYPE_IPV4 ? decodeIpv4(bytes.subarray(view.networkAt), options) : decodeArp(bytes.subarray(view.networkAt));
      return packet.ok ? new EthernetFrame(0, cooked.mac ?? 0, view.etherType, packet.value) : undefined;
    }
    const result = this.#linkType === LINKTYPE_RAW ? decodeIpv4(bytes, options) : decodeEthernet(bytes, options);
    return result.ok ? result.value : undefined;
  }

  /** Cut by -s, or nothing that this program knows. */
  #formatUnreadable(captured: Captured): string {
    const name = captured.view.etherType === ETHERTYPE_ARP ? "ARP, " : "IP ";
    return `${this.#options.isLinkShown ? "" : name}[|${captured.view.etherType === ETHERTYPE_ARP ? "arp" : "ip"}]`;
  }

  /** `eth0  Out IP ...`; with -e the interface number, the sender's MAC, and the length with the cooked header. */
  #formatCooked(captured: Captured, what: EthernetFrame | Ipv4Packet): string {
    const { device, direction, cooked } = captured;
    const type = cooked?.type ?? (direction === "out" ? "Out" : packetType(what, device));
    const index = cooked?.index ?? device?.index ?? 0;
    const start = `${(device?.name ?? this.#interfaceName(index) ?? "?").padEnd(5)} ${type.padEnd(3)} `;
    const packet = what instanceof EthernetFrame ? what.payload : what;
    const isArp = packet.kind === "arp";
    const content =
      packet.kind === "ipv4" ? formatIpv4(packet, this.#print) : packet.kind === "arp" ? formatArp(packet, this.#print) : `${packet.lengthBytes} bytes`;
    if (!this.#options.isLinkShown) return `${start}${isArp ? "ARP, " : ""}${content}`;
    const mac = what instanceof EthernetFrame ? `${formatMacAddress(what.src)} ` : "";
    const etherType = captured.view.etherType;
    const name = etherType === ETHERTYPE_IPV4 ? "IPv4" : isArp ? "ARP" : "Unknown";
    return `${start}ifindex ${index} ${mac}ethertype ${name} (0x${etherType.toString(16).padStart(4, "0")}), length ${packet.lengthBytes + SLL2_HEADER_BYTES}: ${content}`;
  }

  #dump(captured: Captured): string {
    const { hexCount, hexAsciiCount, asciiCount } = this.#options;
    const count = hexAsciiCount > 0 ? hexAsciiCount : hexCount > 0 ? hexCount : asciiCount;
    if (count === 0) return "";
    const bytes =
      count === 1
        ? captured.bytes.subarray(captured.view.networkAt)
        : captured.device !== undefined && this.#linkType === LINKTYPE_LINUX_SLL2
          ? cookedBytes(captured)
          : captured.bytes;
    if (hexAsciiCount > 0) return hexDump(bytes, true);
    return hexCount > 0 ? hexDump(bytes, false) : asciiDump(bytes);
  }
}

/** if_packet.h: B broadcast, M multicast, P for somebody else. */
function packetType(what: EthernetFrame | Ipv4Packet, device: NetDevice | undefined): string {
  if (!(what instanceof EthernetFrame) || device === undefined || device.kind === "loopback") return "In";
  if (what.dst === 0xffffffffffff) return "B";
  if (Math.floor(what.dst / 2 ** 40) % 2 === 1) return "M";
  return what.dst === device.mac ? "In" : "P";
}

const PACKET_TYPES: Readonly<Record<string, number>> = { In: 0, B: 1, M: 2, P: 3, Out: 4 };
const HARDWARE_TYPES: Readonly<Record<string, number>> = { ether: 1, dummy: 1, loopback: 772, tunnel: 768, gre: 778 };

/** The packet behind the header of `-i any` (LINKTYPE_LINUX_SLL2). */
export function cookedBytes(captured: Captured): Uint8Array {
  const { device, what, view } = captured;
  const body = captured.bytes.subarray(view.networkAt);
  const out = new Uint8Array(SLL2_HEADER_BYTES + body.length);
  put16(out, 0, view.etherType);
  put32(out, 4, device?.index ?? 0);
  put16(out, 8, HARDWARE_TYPES[device?.kind ?? "ether"] ?? 1);
  out[10] = PACKET_TYPES[captured.direction === "out" ? "Out" : what === undefined ? "In" : packetType(what, device)] ?? 0;
  if (what instanceof EthernetFrame) {
    out[11] = 6;
    put48(out, 12, what.src);
  }
  out.set(body, SLL2_HEADER_BYTES);
  return out;
}

/** The inverse of `cookedBytes`, for files. */
export function fromCooked(record: PcapRecord): Captured {
  const { bytes } = record;
  const isWhole = bytes.length >= SLL2_HEADER_BYTES;
  const typeNumber = bytes[10] ?? 0;
  const type = Object.keys(PACKET_TYPES).find((name) => PACKET_TYPES[name] === typeNumber) ?? "?";
  const direction = type === "Out" ? "out" : "in";
  const view: PacketView = { bytes, lengthBytes: record.lengthBytes, networkAt: SLL2_HEADER_BYTES, etherType: isWhole ? get16(bytes, 0) : 0, direction };
  const cooked = { index: isWhole ? get32(bytes, 4) : 0, type, mac: isWhole && bytes[11] === 6 ? get48(bytes, 12) : undefined };
  return { ...record, what: undefined, view, device: undefined, direction, cooked };
}
