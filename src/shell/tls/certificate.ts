/**
 * A server's certificate and key as files: the certificate's bytes go over the wire as they are, the key's size says how long its signatures are.
 *
 * PEM: RFC 7468. A file that has no PEM in it counts as a certificate of its own length: what matters is that it is there.
 */

import { utf8Bytes } from "../../base/bytes.ts";
import type { RandomStream } from "../../kernel/random.ts";
import type { FileSystem } from "../file-system.ts";
import { base64Bytes } from "./base64.ts";

/** Keys in PKCS#8 or PKCS#1 up to so many bytes, and their signatures. */
const RSA_SIGNATURES: readonly (readonly [keyBytesMax: number, signatureBytes: number])[] = [
  [700, 128],
  [1_300, 256],
  [1_900, 384],
  [Number.MAX_SAFE_INTEGER, 512],
];
/** A key on an elliptic curve is shorter than any of RSA. */
const EC_KEY_BYTES_MAX = 320;
const EC_SIGNATURE_BYTES = 70;
const RSA_2048_SIGNATURE_BYTES = 256;

export interface Certificate {
  readonly der: Uint8Array;
  readonly isRsa: boolean;
  signatureBytes(random: RandomStream): number;
}

/** The bytes of the first PEM block whose label ends so. */
export function pemBytes(text: string, label: string): Uint8Array | undefined {
  const match = new RegExp(`-----BEGIN (?:[A-Z0-9]+ )*${label}-----([^-]*)-----END`).exec(text);
  return match === null ? undefined : base64Bytes(match[1] as string);
}

/** undefined when a file is missing. `keyPath` undefined: the key is in the certificate's file. */
export function loadCertificate(files: FileSystem, path: string, keyPath: string | undefined): Certificate | undefined {
  const keyFile = keyPath ?? path;
  if (!files.exists(path) || !files.exists(keyFile)) return undefined;
  const text = files.read(path);
  const key = pemBytes(files.read(keyFile), "PRIVATE KEY");
  const isRsa = key === undefined || key.length > EC_KEY_BYTES_MAX;
  const rsaBytes = key === undefined ? RSA_2048_SIGNATURE_BYTES : (RSA_SIGNATURES.find(([most]) => key.length <= most)?.[1] ?? RSA_2048_SIGNATURE_BYTES);
  return {
    der: pemBytes(text, "CERTIFICATE") ?? utf8Bytes(text),
    isRsa,
    // An ECDSA signature is two numbers whose leading bit may need a byte each.
    signatureBytes: (random) => (isRsa ? rsaBytes : EC_SIGNATURE_BYTES + random.below(2) + random.below(2)),
  };
}

/** commonName of a certificate's subject: the last one in it, as the issuer comes first. */
export function commonName(der: Uint8Array): string | undefined {
  let name: string | undefined;
  for (let at = 0; at + 5 < der.length; at++) {
    if (der[at] !== 6 || der[at + 1] !== 3 || der[at + 2] !== 0x55 || der[at + 3] !== 4 || der[at + 4] !== 3) continue;
    const length = der[at + 6] ?? 0;
    name = String.fromCharCode(...der.subarray(at + 7, at + 7 + length));
  }
  return name;
}
