/**
 * The kernel's hash functions that decide where a flow goes.
 *
 * Linux 6.1 include/linux/hash.h:hash_32, lib/siphash.c:hsiphash_1u32 (SipHash-1-3 on 64-bit kernels), and the
 * multiplicative hash that dh, sh, lblc and lblcr had before. Not modelled: HalfSipHash of 32-bit kernels.
 */

const GOLDEN_RATIO_32 = 0x61c88647;
const KNUTH_MULTIPLIER = 2654435761;

/** The high `bits` bits of the product with the golden ratio. `value` may be any integer; it counts modulo 2^32. */
export function hash32(value: number, bits: number): number {
  return Math.imul(value, GOLDEN_RATIO_32) >>> (32 - bits);
}

/** The older form: the low `bits` bits of the product with Knuth's multiplier. */
export function hash32LowBits(value: number, bits: number): number {
  return Math.imul(value, KNUTH_MULTIPLIER) & ((1 << bits) - 1);
}

/**
 * SipHash-1-3 of one little-endian 32-bit word, low 32 bits of the result. Both halves of the 128-bit key are `key`, as in
 * ip_vs_mh.c:generate_hash_secret, where they are 32-bit constants in 64-bit words.
 *
 * The four 64-bit lanes are pairs of 32-bit integers (`0h` high, `0l` low): BigInt would be a hundred times slower.
 */
export function hsiphash(word: number, key: number): number {
  let v0h = 0x736f6d65;
  let v0l = 0x70736575 ^ key;
  let v1h = 0x646f7261;
  let v1l = 0x6e646f6d ^ key;
  let v2h = 0x6c796765;
  let v2l = 0x6e657261 ^ key;
  // The last block is the length (4) in the top byte over the word itself; lane 3 takes it before the first round.
  let v3h = 0x74656462 ^ 0x04000000;
  let v3l = 0x79746573 ^ key ^ word;
  for (let round = 0; round < 4; round += 1) {
    // v0 += v1; v1 = rotl(v1, 13) ^ v0; v0 = rotl(v0, 32)
    let low = (v0l + v1l) | 0;
    let high = (v0h + v1h + carry(low, v1l)) | 0;
    let rotated = (v1h << 13) | (v1l >>> 19);
    v1l = ((v1l << 13) | (v1h >>> 19)) ^ low;
    v1h = rotated ^ high;
    v0h = low;
    v0l = high;
    // v2 += v3; v3 = rotl(v3, 16) ^ v2
    v2l = (v2l + v3l) | 0;
    v2h = (v2h + v3h + carry(v2l, v3l)) | 0;
    rotated = (v3h << 16) | (v3l >>> 16);
    v3l = ((v3l << 16) | (v3h >>> 16)) ^ v2l;
    v3h = rotated ^ v2h;
    // v0 += v3; v3 = rotl(v3, 21) ^ v0
    v0l = (v0l + v3l) | 0;
    v0h = (v0h + v3h + carry(v0l, v3l)) | 0;
    rotated = (v3h << 21) | (v3l >>> 11);
    v3l = ((v3l << 21) | (v3h >>> 11)) ^ v0l;
    v3h = rotated ^ v0h;
    // v2 += v1; v1 = rotl(v1, 17) ^ v2; v2 = rotl(v2, 32)
    low = (v2l + v1l) | 0;
    high = (v2h + v1h + carry(low, v1l)) | 0;
    rotated = (v1h << 17) | (v1l >>> 15);
    v1l = ((v1l << 17) | (v1h >>> 15)) ^ low;
    v1h = rotated ^ high;
    v2h = low;
    v2l = high;
    if (round === 0) {
      v0h ^= 0x04000000;
      v0l ^= word;
      v2l ^= 0xff;
    }
  }
  return (v0l ^ v1l ^ v2l ^ v3l) >>> 0;
}

/** 1 if the 32-bit sum wrapped: then it is less than each of its terms. */
function carry(sum: number, term: number): number {
  return sum >>> 0 < term >>> 0 ? 1 : 0;
}
