/**
 * What a filter looks at: the bytes of one captured packet and where its network header lies.
 */

import { get16 } from "../../../wire/byte-order.ts";
import { ETHERNET_HEADER_BYTES, ETHERTYPE_IPV4 } from "../../../wire/packet.ts";

export interface PacketView {
  readonly bytes: Uint8Array;
  /** Length on the wire. */
  readonly lengthBytes: number;
  /** 14 with an Ethernet header, 0 for bare packets. */
  readonly networkAt: number;
  readonly etherType: number;
  readonly direction: "in" | "out" | undefined;
}

export function ethernetView(bytes: Uint8Array, lengthBytes: number, direction?: "in" | "out"): PacketView {
  return { bytes, lengthBytes, networkAt: ETHERNET_HEADER_BYTES, etherType: bytes.length >= ETHERNET_HEADER_BYTES ? get16(bytes, 12) : 0, direction };
}

export function rawView(bytes: Uint8Array, lengthBytes: number, direction?: "in" | "out"): PacketView {
  return { bytes, lengthBytes, networkAt: 0, etherType: ETHERTYPE_IPV4, direction };
}

export function isIpv4(view: PacketView): boolean {
  return view.etherType === ETHERTYPE_IPV4 && view.bytes.length >= view.networkAt + 20;
}

export function ipProtocol(view: PacketView): number {
  return view.bytes[view.networkAt + 9] ?? -1;
}

/** A later fragment has no transport header. */
export function isLaterFragment(view: PacketView): boolean {
  return (get16(view.bytes, view.networkAt + 6) & 0x1fff) !== 0;
}

export function transportAt(view: PacketView): number {
  return view.networkAt + ((view.bytes[view.networkAt] ?? 0) & 15) * 4;
}
