/**
 * What decoders return, what they are told, and how a header that carries a whole IPv4 packet (a tunnel, a quote) reaches the IPv4 code.
 *
 * Every protocol file exports `decodeX`, `encodeX`, `formatX` and its header's size; `writeX` is `encodeX` into bytes that exist already.
 * Decoders never throw; encoders compute lengths and checksums.
 */

import type { Ipv4Address } from "../base/ipv4-address.ts";
import type { Ipv4Packet } from "./packet.ts";
import type { PrintOptions } from "./print.ts";

export type Decoded<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly reason: string };

export interface DecodeOptions {
  /** UDP destination ports that carry GUE: a receiver knows them, the packet does not tell. */
  readonly guePorts?: ReadonlySet<number>;
  /** Accept wrong checksums: captures, and reassembled or quoted packets whose bytes were cut. Default false. */
  readonly ignoreChecksums?: boolean;
  /** How deep this packet lies in tunnels and quotes. */
  readonly depth?: number;
}

/** Packets inside packets deeper than this stay bytes. */
export const DEPTH_MAX = 8;

/** The addresses of the IP header around, for pseudo-headers. */
export interface AddressPair {
  readonly src: Ipv4Address;
  readonly dst: Ipv4Address;
}

/** The IPv4 code as the protocols above it see it. */
export interface Ipv4Codec {
  write(out: Uint8Array, at: number, packet: Ipv4Packet): void;
  decode(bytes: Uint8Array, options: DecodeOptions): Decoded<Ipv4Packet>;
  /** A packet of which only the first bytes are there. */
  decodeCut(bytes: Uint8Array, options: DecodeOptions): Decoded<Ipv4Packet>;
  format(packet: Ipv4Packet, options: PrintOptions): string;
}

export function decoded<T>(value: T): Decoded<T> {
  return { ok: true, value };
}

export function rejected(reason: string): { readonly ok: false; readonly reason: string } {
  return { ok: false, reason };
}
