/**
 * Sequence numbers modulo 2^32, and the keyed hash that initial sequence numbers, timestamps and ephemeral ports start from.
 *
 * RFC 9293 section 3.4; Linux v6.1 include/net/tcp.h:before, net/core/secure_seq.c.
 */

/** True when `a` comes before `b`. */
export function seqBefore(a: number, b: number): boolean {
  return ((a - b) | 0) < 0;
}

export function seqAfter(a: number, b: number): boolean {
  return ((b - a) | 0) < 0;
}

/** How far `b` lies ahead of `a`, signed. */
export function seqDistance(a: number, b: number): number {
  return (b - a) | 0;
}

export function seqAdd(a: number, count: number): number {
  return (a + count) >>> 0;
}

/** Mixes four words with a secret; every bit of the result depends on every bit of the input (murmur3 rounds instead of siphash). */
export function keyedHash(secret: number, a: number, b: number, c: number): number {
  let hash = secret | 0;
  hash = mix(hash, a);
  hash = mix(hash, b);
  hash = mix(hash, c);
  hash ^= hash >>> 16;
  hash = Math.imul(hash, 0x85ebca6b);
  hash ^= hash >>> 13;
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

function mix(hash: number, word: number): number {
  let k = Math.imul(word | 0, 0xcc9e2d51);
  k = (k << 15) | (k >>> 17);
  const h = hash ^ Math.imul(k, 0x1b873593);
  return (Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64) | 0;
}
