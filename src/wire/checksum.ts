/**
 * The Internet checksum, RFC 1071, and the pseudo-header that TCP, UDP and VRRP version 3 add to it.
 */

import type { Ipv4Address } from "../base/ipv4-address.ts";

/** Sum of the 16-bit words in bytes[from, to), an odd last byte padded with zero, added to `sum`. Not folded: exact for any IP packet. */
export function addWords(bytes: Uint8Array, from: number, to: number, sum = 0): number {
  // High and low octets apart stay within 32 bits for 128 MB, so no step needs an overflow check.
  let high = 0;
  let low = 0;
  const end = from + ((to - from) & ~3);
  let at = from;
  for (; at < end; at += 4) {
    high = (high + (bytes[at] as number) + (bytes[at + 2] as number)) | 0;
    low = (low + (bytes[at + 1] as number) + (bytes[at + 3] as number)) | 0;
  }
  for (; at < to; at++) {
    if (((at - from) & 1) === 0) high += bytes[at] as number;
    else low += bytes[at] as number;
  }
  return sum + high * 256 + low;
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
