/**
 * MD5 (RFC 1321), SHA-1 and SHA-256 (FIPS 180-4): plain implementations, for the checksum commands.
 */

const BLOCK = 64;

export type Digest = (bytes: Uint8Array) => string;

/** The message with 0x80, zeros and its length in bits, as 32-bit words. */
function padded(bytes: Uint8Array, isLittleEndian: boolean): DataView {
  const length = Math.ceil((bytes.length + 9) / BLOCK) * BLOCK;
  const out = new Uint8Array(length);
  out.set(bytes);
  out[bytes.length] = 0x80;
  const view = new DataView(out.buffer);
  const low = (bytes.length * 8) >>> 0;
  const high = Math.floor(bytes.length / 0x20000000);
  view.setUint32(length - 8, isLittleEndian ? low : high, isLittleEndian);
  view.setUint32(length - 4, isLittleEndian ? high : low, isLittleEndian);
  return view;
}

const rotate = (value: number, count: number): number => (value << count) | (value >>> (32 - count));
const at = (words: Int32Array, index: number): number => words[index] as number;

/** floor(2^32 * |sin(i)|), i = 1 .. 64, of RFC 1321. */
const MD5_TABLE = Int32Array.from(
  (
    "d76aa478e8c7b756242070dbc1bdceeef57c0faf4787c62aa8304613fd469501698098d88b44f7afffff5bb1895cd7be6b901122fd987193a679438e49b40821" +
    "f61e2562c040b340265e5a51e9b6c7aad62f105d02441453d8a1e681e7d3fbc821e1cde6c33707d6f4d50d87455a14eda9e3e905fcefa3f8676f02d98d2a4c8a" +
    "fffa39428771f6816d9d6122fde5380ca4beea444bdecfa9f6bb4b60bebfbc70289b7ec6eaa127fad4ef308504881d05d9d4d039e6db99e51fa27cf8c4ac5665" +
    "f4292244432aff97ab9423a7fc93a039655b59c38f0ccc92ffeff47d85845dd16fa87e4ffe2ce6e0a30143144e0811a1f7537e82bd3af2352ad7d2bbeb86d391"
  ).match(/.{8}/g) ?? [],
  (hex) => Number.parseInt(hex, 16) | 0,
);
const MD5_SHIFTS = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];

export const md5: Digest = (bytes) => {
  const view = padded(bytes, true);
  const state = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
  for (let offset = 0; offset < view.byteLength; offset += BLOCK) {
    let [a, b, c, d] = [at(state, 0), at(state, 1), at(state, 2), at(state, 3)];
    for (let i = 0; i < 64; i++) {
      const round = i >> 4;
      const f = round === 0 ? (b & c) | (~b & d) : round === 1 ? (d & b) | (~d & c) : round === 2 ? b ^ c ^ d : c ^ (b | ~d);
      const index = round === 0 ? i : round === 1 ? (5 * i + 1) % 16 : round === 2 ? (3 * i + 5) % 16 : (7 * i) % 16;
      const sum = (a + f + at(MD5_TABLE, i) + view.getInt32(offset + index * 4, true)) | 0;
      a = d;
      d = c;
      c = b;
      b = (b + rotate(sum, MD5_SHIFTS[round * 4 + (i & 3)] as number)) | 0;
    }
    for (const [index, value] of [a, b, c, d].entries()) state[index] = (at(state, index) + value) | 0;
  }
  return hexOf(state, true);
};

export const sha1: Digest = (bytes) => {
  const view = padded(bytes, false);
  const state = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0);
  const schedule = new Int32Array(80);
  for (let offset = 0; offset < view.byteLength; offset += BLOCK) {
    for (let i = 0; i < 80; i++) {
      schedule[i] = i < 16 ? view.getInt32(offset + i * 4) : rotate(at(schedule, i - 3) ^ at(schedule, i - 8) ^ at(schedule, i - 14) ^ at(schedule, i - 16), 1);
    }
    let [a, b, c, d, e] = [at(state, 0), at(state, 1), at(state, 2), at(state, 3), at(state, 4)];
    for (let i = 0; i < 80; i++) {
      const f = i < 20 ? ((b & c) | (~b & d)) + 0x5a827999 : i < 40 ? (b ^ c ^ d) + 0x6ed9eba1 : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc : (b ^ c ^ d) + 0xca62c1d6;
      const sum = (rotate(a, 5) + f + e + at(schedule, i)) | 0;
      e = d;
      d = c;
      c = rotate(b, 30);
      b = a;
      a = sum;
    }
    for (const [index, value] of [a, b, c, d, e].entries()) state[index] = (at(state, index) + value) | 0;
  }
  return hexOf(state, false);
};

/** The first 32 bits of the fractional parts of the cube roots of the first 64 primes. */
const SHA256_TABLE = Int32Array.from(
  (
    "428a2f9871374491b5c0fbcfe9b5dba53956c25b59f111f1923f82a4ab1c5ed5d807aa9812835b01243185be550c7dc372be5d7480deb1fe9bdc06a7c19bf174" +
    "e49b69c1efbe47860fc19dc6240ca1cc2de92c6f4a7484aa5cb0a9dc76f988da983e5152a831c66db00327c8bf597fc7c6e00bf3d5a7914706ca635114292967" +
    "27b70a852e1b21384d2c6dfc53380d13650a7354766a0abb81c2c92e92722c85a2bfe8a1a81a664bc24b8b70c76c51a3d192e819d6990624f40e3585106aa070" +
    "19a4c1161e376c082748774c34b0bcb5391c0cb34ed8aa4a5b9cca4f682e6ff3748f82ee78a5636f84c878148cc7020890befffaa4506cebbef9a3f7c67178f2"
  ).match(/.{8}/g) ?? [],
  (hex) => Number.parseInt(hex, 16) | 0,
);

export const sha256: Digest = (bytes) => {
  const view = padded(bytes, false);
  const state = Int32Array.of(0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19);
  const schedule = new Int32Array(64);
  for (let offset = 0; offset < view.byteLength; offset += BLOCK) {
    for (let i = 0; i < 64; i++) {
      if (i < 16) {
        schedule[i] = view.getInt32(offset + i * 4);
        continue;
      }
      const [x, y] = [at(schedule, i - 15), at(schedule, i - 2)];
      const low = rotate(x, 25) ^ rotate(x, 14) ^ (x >>> 3);
      const high = rotate(y, 15) ^ rotate(y, 13) ^ (y >>> 10);
      schedule[i] = (at(schedule, i - 16) + low + at(schedule, i - 7) + high) | 0;
    }
    const v = Int32Array.from(state);
    for (let i = 0; i < 64; i++) {
      const [a, b, c, e] = [at(v, 0), at(v, 1), at(v, 2), at(v, 4)];
      const first = (at(v, 7) + (rotate(e, 26) ^ rotate(e, 21) ^ rotate(e, 7)) + ((e & at(v, 5)) ^ (~e & at(v, 6))) + at(SHA256_TABLE, i) + at(schedule, i)) | 0;
      const second = ((rotate(a, 30) ^ rotate(a, 19) ^ rotate(a, 10)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      v.copyWithin(1, 0, 7);
      v[4] = (at(v, 4) + first) | 0;
      v[0] = (first + second) | 0;
    }
    for (let i = 0; i < 8; i++) state[i] = (at(state, i) + at(v, i)) | 0;
  }
  return hexOf(state, false);
};

function hexOf(state: Int32Array, isLittleEndian: boolean): string {
  const view = new DataView(new ArrayBuffer(state.length * 4));
  for (const [index, word] of state.entries()) view.setInt32(index * 4, word, isLittleEndian);
  let text = "";
  for (let i = 0; i < view.byteLength; i++) text += view.getUint8(i).toString(16).padStart(2, "0");
  return text;
}
