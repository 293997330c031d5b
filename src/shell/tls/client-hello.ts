/**
 * The greeting of a TLS client (RFC 8446 section 4.1.2), with what OpenSSL 3.0 of Debian 12 offers.
 */

import type { RandomStream } from "../../kernel/random.ts";

/** Content type of a record. */
const TLS_HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const EXTENSION_SERVER_NAME = 0;
const EXTENSION_ALPN = 16;
const EXTENSION_PADDING = 21;
/** A greeting of these sizes makes some old servers hang: RFC 7685 fills it up. */
const PADDED_FROM = 256;
const PADDED_TO = 512;
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
const latin = (text: string): number[] => [...text].map((character) => character.charCodeAt(0) & 255);

export interface ClientGreeting {
  /** What SNI says (`enable_sni`, the host of a URL). */
  readonly serverName: string | undefined;
  /** Protocols offered by ALPN. */
  readonly protocols: readonly string[];
  /** SSL_OP_TLSEXT_PADDING. */
  readonly isPadded: boolean;
  /** TLS 1.0 and 1.1 too: a program that does not read openssl.cnf, which rules them out. */
  readonly offersOldVersions: boolean;
}

/** One record. */
export function clientHello(random: RandomStream, greeting: ClientGreeting): Uint8Array {
  const randomBytes = (count: number): number[] => Array.from({ length: count }, () => random.below(256));
  const { serverName, protocols, offersOldVersions } = greeting;
  const extensions = [
    ...(serverName === undefined ? [] : extension(EXTENSION_SERVER_NAME, block16([0, ...block16(latin(serverName))]))),
    ...extension(11, [3, 0, 1, 2]),
    ...extension(10, block16(GROUPS.flatMap(u16))),
    ...extension(35, []),
    ...(protocols.length === 0 ? [] : extension(EXTENSION_ALPN, block16(protocols.flatMap((name) => [name.length, ...latin(name)])))),
    ...extension(22, []),
    ...extension(23, []),
    ...extension(13, block16(SIGNATURES.flatMap(u16))),
    ...extension(43, offersOldVersions ? [8, 3, 4, 3, 3, 3, 2, 3, 1] : [4, 3, 4, 3, 3]),
    ...extension(45, [1, 1]),
    ...extension(51, block16([...u16(0x001d), ...block16(randomBytes(32))])),
  ];
  const fixed = [3, 3, ...randomBytes(32), 32, ...randomBytes(32), ...block16(CIPHERS.flatMap(u16)), 1, 0];
  const length = 4 + fixed.length + 2 + extensions.length;
  if (greeting.isPadded && length >= PADDED_FROM && length < PADDED_TO) extensions.push(...extension(EXTENSION_PADDING, new Array<number>(Math.max(1, PADDED_TO - length - 4)).fill(0)));
  const body = [...fixed, ...block16(extensions)];
  return Uint8Array.from([TLS_HANDSHAKE, 3, 1, ...block16([CLIENT_HELLO, 0, ...block16(body)])]);
}

/** What a server needs of a greeting; undefined when it is none that can be read. */
export function readClientHello(message: Uint8Array): Pick<ClientGreeting, "serverName" | "protocols"> & { readonly sessionId: Uint8Array } | undefined {
  if (message[0] !== CLIENT_HELLO) return undefined;
  let at = 4 + 2 + 32;
  const take16 = (): number => {
    const value = ((message[at] ?? 0) << 8) | (message[at + 1] ?? 0);
    at += 2;
    return value;
  };
  const idLength = message[at++] ?? 0;
  const sessionId = message.slice(at, at + idLength);
  at += idLength;
  const cipherBytes = take16();
  at += cipherBytes;
  at += 1 + (message[at] ?? 0);
  const end = Math.min(message.length, at + 2 + (((message[at] ?? 0) << 8) | (message[at + 1] ?? 0)));
  at += 2;
  let serverName: string | undefined;
  const protocols: string[] = [];
  const text = (from: number, to: number): string => String.fromCharCode(...message.subarray(from, to));
  while (at + 4 <= end) {
    const type = take16();
    const next = at + take16() + 2;
    if (type === EXTENSION_SERVER_NAME) serverName = text(at + 5, next);
    if (type === EXTENSION_ALPN) {
      for (let one = at + 2; one < next; one += 1 + (message[one] as number)) protocols.push(text(one + 1, one + 1 + (message[one] as number)));
    }
    at = next;
  }
  return { serverName, protocols, sessionId };
}
