/**
 * The Internet checksum, RFC 1071, and the pseudo-header that TCP, UDP and VRRP version 3 add to it.
 */

import type { Ipv4Address } from "../base/ipv4-address.ts";

/** Sum of the 16-bit words in bytes[from, to), an odd last byte padded with zero, added to `sum`. Not folded: exact for any IP packet. */
export function addWords(bytes: Uint8Array, from: number, to: number, sum = 0): number {
  let total = sum;
  let at = from;
  for (; at + 1 < to; at += 2) total += ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  if (at < to) total += (bytes[at] as number) << 8;
  return total;
}

/** Folds a sum of words into the 16-bit checksum field. */
export function foldChecksum(sum: number): number {
  let folded = sum;
  while (folded > 0xffff) folded = (folded & 0xffff) + Math.floor(folded / 0x10000);
  return ~folded & 0xffff;
}

/** The field for bytes[from, to) whose own checksum field is zero. Over bytes that carry their checksum: 0 when it is right. */
export function internetChecksum(bytes: Uint8Array, from = 0, to = bytes.length, sum = 0): number {
  return foldChecksum(addWords(bytes, from, to, sum));
}

/** RFC 9293 section 3.1, RFC 768: addresses, protocol and length as words. */
export function pseudoHeaderSum(src: Ipv4Address, dst: Ipv4Address, protocol: number, lengthBytes: number): number {
  return (src >>> 16) + (src & 0xffff) + (dst >>> 16) + (dst & 0xffff) + protocol + lengthBytes;
}
