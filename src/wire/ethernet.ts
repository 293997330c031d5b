/**
 * Ethernet II frames, as captured: without preamble, padding and FCS. Text as tcpdump's print-ether.c.
 */

import { decodeArp, formatArp, writeArp } from "./arp.ts";
import { get16, get48, put16, put48 } from "./byte-order.ts";
import { type Decoded, type DecodeOptions, decoded, rejected } from "./codec.ts";
import { decodeIpv4, formatIpv4, writeIpv4 } from "./ipv4.ts";
import { ETHERNET_HEADER_BYTES, ETHERTYPE_ARP, ETHERTYPE_IPV4, EthernetFrame, type FramePayload, RawPayload } from "./packet.ts";
import { formatMac, hex, type PrintOptions } from "./print.ts";

export { ETHERNET_HEADER_BYTES };

/** A frame from its bytes (without preamble and FCS), or why it is none. Never throws. */
export function decodeEthernet(bytes: Uint8Array, options: DecodeOptions = {}): Decoded<EthernetFrame> {
  if (bytes.length < ETHERNET_HEADER_BYTES) return rejected(`Ethernet frame of ${bytes.length} bytes, needs ${ETHERNET_HEADER_BYTES}`);
  const etherType = get16(bytes, 12);
  const payload = decodeFramePayload(etherType, bytes.subarray(ETHERNET_HEADER_BYTES), options);
  if (!payload.ok) return payload;
  return decoded(new EthernetFrame(get48(bytes, 0), get48(bytes, 6), etherType, payload.value));
}

function decodeFramePayload(etherType: number, bytes: Uint8Array, options: DecodeOptions): Decoded<FramePayload> {
  if (etherType === ETHERTYPE_IPV4) return decodeIpv4(bytes, options);
  if (etherType === ETHERTYPE_ARP) return decodeArp(bytes);
  return decoded(new RawPayload(bytes.slice()));
}

/** The bytes of a frame as they are captured: without preamble, padding and FCS; checksums are computed. */
export function encodeEthernet(frame: EthernetFrame): Uint8Array {
  const out = new Uint8Array(frame.lengthBytes);
  writeEthernet(out, 0, frame);
  return out;
}

export function writeEthernet(out: Uint8Array, at: number, frame: EthernetFrame): void {
  put48(out, at, frame.dst);
  put48(out, at + 6, frame.src);
  put16(out, at + 12, frame.etherType);
  const payloadAt = at + ETHERNET_HEADER_BYTES;
  const { payload } = frame;
  if (payload.kind === "ipv4") writeIpv4(out, payloadAt, payload);
  else if (payload.kind === "arp") writeArp(out, payloadAt, payload);
  else out.set(payload.bytes, payloadAt);
}

const ETHERTYPE_NAMES: ReadonlyMap<number, string> = new Map([
  [ETHERTYPE_IPV4, "IPv4"],
  [ETHERTYPE_ARP, "ARP"],
  [0x8035, "Reverse ARP"],
  [0x8100, "802.1Q"],
  [0x86dd, "IPv6"],
  [0x88cc, "LLDP"],
]);

/** One line a frame; with the link header (-e) when `options.isLinkShown`. */
export function formatEthernet(frame: EthernetFrame, options: PrintOptions): string {
  const { payload } = frame;
  const content = formatContent(frame, options);
  if (!options.isLinkShown) return payload.kind === "arp" ? `ARP, ${content}` : content;
  const name = ETHERTYPE_NAMES.get(frame.etherType) ?? "Unknown";
  return `${formatMac(frame.src, options)} > ${formatMac(frame.dst, options)}, ethertype ${name} (0x${hex(frame.etherType, 4)}), length ${frame.lengthBytes}: ${content}`;
}

function formatContent(frame: EthernetFrame, options: PrintOptions): string {
  const { payload } = frame;
  if (payload.kind === "ipv4") return formatIpv4(payload, options);
  if (payload.kind === "arp") return formatArp(payload, options);
  if (options.isLinkShown) return `\n\t${payload.lengthBytes} bytes`;
  return `${formatMac(frame.src, options)} > ${formatMac(frame.dst, options)}, ethertype ${ETHERTYPE_NAMES.get(frame.etherType) ?? "Unknown"} (0x${hex(frame.etherType, 4)}), length ${frame.lengthBytes}:`;
}
