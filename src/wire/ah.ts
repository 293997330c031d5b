/**
 * IP authentication header with a 96-bit check value. RFC 4302; text as tcpdump's print-ah.c.
 */

import { get32, put32 } from "./byte-order.ts";
import { type Decoded, decoded, rejected } from "./codec.ts";
import type { PrintOptions } from "./print.ts";

export const PROTOCOL_AH = 51;
export const AH_ICV_BYTES = 12;
export const AH_HEADER_BYTES = 12 + AH_ICV_BYTES;
/** Length in 32-bit words, less two. */
const LENGTH_FIELD = AH_HEADER_BYTES / 4 - 2;

export interface AuthenticationHeader {
  readonly nextHeader: number;
  readonly spi: number;
  readonly sequence: number;
  readonly icv: Uint8Array;
}

export function decodeAh(bytes: Uint8Array): Decoded<AuthenticationHeader> {
  if (bytes.length < AH_HEADER_BYTES) return rejected(`authentication header of ${bytes.length} bytes, needs ${AH_HEADER_BYTES}`);
  if (bytes[1] !== LENGTH_FIELD) return rejected(`authentication header length ${bytes[1]}`);
  return decoded({ nextHeader: bytes[0] as number, spi: get32(bytes, 4), sequence: get32(bytes, 8), icv: bytes.slice(12, AH_HEADER_BYTES) });
}

export function encodeAh(header: AuthenticationHeader): Uint8Array {
  const out = new Uint8Array(AH_HEADER_BYTES);
  out[0] = header.nextHeader;
  out[1] = LENGTH_FIELD;
  put32(out, 4, header.spi);
  put32(out, 8, header.sequence);
  out.set(header.icv.subarray(0, AH_ICV_BYTES), 12);
  return out;
}

/** Up to what the next header's own text follows. */
export function formatAh(header: AuthenticationHeader, options: PrintOptions): string {
  const isLong = options.verbosity > 0;
  const length = isLong ? `length=${LENGTH_FIELD}(${AH_HEADER_BYTES}-bytes),` : "";
  const icv = [...header.icv].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `AH(${length}spi=0x${header.spi.toString(16).padStart(8, "0")},${isLong ? `sumlen=${AH_ICV_BYTES},` : ""}seq=0x${header.sequence.toString(16)},icv=0x${icv}): `;
}
