/**
 * The greeting of a TLS client (RFC 8446 section 4.1.2), with what OpenSSL 3.0 of Debian 12 offers.
 */

import type { RandomStream } from "../../../kernel/random.ts";

/** Content type of a record. */
const TLS_HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const CIPHERS = [
  0x1302, 0x1303, 0x1301, 0xc02c, 0xc030, 0x009f, 0xcca9, 0xcca8, 0xccaa, 0xc02b, 0xc02f, 0x009e, 0xc024, 0xc028, 0x006b, 0xc023, 0xc027, 0x0067, 0xc00a, 0xc014,
  0x0039, 0xc009, 0xc013, 0x0033, 0x009d, 0x009c, 0x003d, 0x003c, 0x0035, 0x002f, 0x00ff,
];
const GROUPS = [0x001d, 0x0017, 0x001e, 0x0019, 0x0018, 0x0100, 0x0101, 0x0102, 0x0103, 0x0104];
const SIGNATURES = [
  0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0809, 0x080a, 0x080b, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601, 0x0303, 0x0301, 0x0302, 0x0402, 0x0502, 0x0602,
];

const u16 = (value: number): number[] => [(value >> 8) & 255, value & 255];
const block16 = (bytes: readonly number[]): number[] => [...u16(bytes.length), ...bytes];
const extension = (type: number, bytes: readonly number[]): number[] => [...u16(type), ...block16(bytes)];

/** One record; `serverName` is what enable_sni sends. */
export function clientHello(random: RandomStream, serverName: string | undefined): Uint8Array {
  const randomBytes = (count: number): number[] => Array.from({ length: count }, () => random.below(256));
  const name = serverName === undefined ? [] : extension(0, block16([0, ...block16([...serverName].map((character) => character.charCodeAt(0) & 255))]));
  const extensions = [
    ...name,
    ...extension(11, [3, 0, 1, 2]),
    ...extension(10, block16(GROUPS.flatMap(u16))),
    ...extension(35, []),
    ...extension(22, []),
    ...extension(23, []),
    ...extension(13, block16(SIGNATURES.flatMap(u16))),
    ...extension(43, [4, 3, 4, 3, 3]),
    ...extension(45, [1, 1]),
    ...extension(51, block16([...u16(0x001d), ...block16(randomBytes(32))])),
  ];
  const body = [3, 3, ...randomBytes(32), 32, ...randomBytes(32), ...block16(CIPHERS.flatMap(u16)), 1, 0, ...block16(extensions)];
  const handshake = [CLIENT_HELLO, 0, ...block16(body)];
  return Uint8Array.from([TLS_HANDSHAKE, 3, 1, ...block16(handshake)]);
}
