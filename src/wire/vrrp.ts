/**
 * VRRP advertisements. RFC 3768 (version 2), RFC 5798 (version 3 for IPv4, checksum over a pseudo-header); text as tcpdump's print-vrrp.c.
 */

import { EMPTY_BYTES } from "../base/bytes.ts";
import { get16, get32, put16, put32 } from "./byte-order.ts";
import { internetChecksum, pseudoHeaderSum } from "./checksum.ts";
import { type AddressPair, type Decoded, type DecodeOptions, decoded, rejected } from "./codec.ts";
import { PROTOCOL_VRRP, VrrpAdvert } from "./packet.ts";
import { formatAddress, type PrintOptions } from "./print.ts";

export const VRRP_HEADER_BYTES = 8;
const AUTH_BYTES = 8;
const TYPE_ADVERTISEMENT = 1;

export function decodeVrrp(bytes: Uint8Array, addresses: AddressPair, options: DecodeOptions = {}): Decoded<VrrpAdvert> {
  if (bytes.length < VRRP_HEADER_BYTES) return rejected(`VRRP message of ${bytes.length} bytes, needs ${VRRP_HEADER_BYTES}`);
  const first = bytes[0] as number;
  const version = first >>> 4;
  if ((version !== 2 && version !== 3) || (first & 15) !== TYPE_ADVERTISEMENT) return rejected(`VRRP version ${version}, type ${first & 15}`);
  const count = bytes[3] as number;
  const addressEnd = VRRP_HEADER_BYTES + 4 * count;
  const length = addressEnd + (version === 2 ? AUTH_BYTES : 0);
  if (bytes.length !== length) return rejected(`VRRP message of ${bytes.length} bytes, needs ${length}`);
  const pseudoSum = version === 3 ? pseudoHeaderSum(addresses.src, addresses.dst, PROTOCOL_VRRP, length) : 0;
  if (options.ignoreChecksums !== true && internetChecksum(bytes, 0, length, pseudoSum) !== 0) return rejected("VRRP checksum");
  const virtual: number[] = [];
  for (let at = VRRP_HEADER_BYTES; at < addressEnd; at += 4) virtual.push(get32(bytes, at));
  const intervalUnits = version === 2 ? (bytes[5] as number) : get16(bytes, 4) & 0xfff;
  const authType = version === 2 ? (bytes[4] as number) : 0;
  return decoded(
    new VrrpAdvert(
      version,
      bytes[1] as number,
      bytes[2] as number,
      intervalUnits,
      virtual,
      authType,
      version === 2 ? bytes.slice(addressEnd, length) : EMPTY_BYTES,
    ),
  );
}

export function encodeVrrp(advert: VrrpAdvert, addresses: AddressPair): Uint8Array {
  const out = new Uint8Array(advert.lengthBytes);
  writeVrrp(out, 0, advert, addresses);
  return out;
}

export function writeVrrp(out: Uint8Array, at: number, advert: VrrpAdvert, addresses: AddressPair): void {
  const length = advert.lengthBytes;
  out[at] = (advert.version << 4) | TYPE_ADVERTISEMENT;
  out[at + 1] = advert.vrid;
  out[at + 2] = advert.priority;
  out[at + 3] = advert.addresses.length;
  if (advert.version === 2) {
    out[at + 4] = advert.authType;
    out[at + 5] = advert.intervalUnits;
  } else {
    put16(out, at + 4, advert.intervalUnits & 0xfff);
  }
  put16(out, at + 6, 0);
  let end = at + VRRP_HEADER_BYTES;
  for (const address of advert.addresses) {
    put32(out, end, address);
    end += 4;
  }
  if (advert.version === 2) {
    out.fill(0, end, end + AUTH_BYTES);
    out.set(advert.authData.subarray(0, AUTH_BYTES), end);
  }
  const pseudoSum = advert.version === 3 ? pseudoHeaderSum(addresses.src, addresses.dst, PROTOCOL_VRRP, length) : 0;
  put16(out, at + 6, internetChecksum(out, at, at + length, pseudoSum));
}

const AUTH_NAMES: readonly string[] = ["none", "simple", "ah"];

/** print-vrrp.c:vrrp_print. `ttl` other than 255 is remarked upon. */
export function formatVrrp(advert: VrrpAdvert, ttl: number, options: PrintOptions): string {
  let text = `VRRPv${advert.version}, Advertisement`;
  if (ttl !== 255) text += `, (ttl ${ttl})`;
  text += `, vrid ${advert.vrid}, prio ${advert.priority}`;
  if (advert.version === 2) {
    text += `, authtype ${AUTH_NAMES[advert.authType] ?? advert.authType}, intvl ${advert.intervalUnits}s, length ${advert.lengthBytes}`;
  } else {
    text += `, intvl ${advert.intervalUnits}cs, length ${advert.lengthBytes}`;
  }
  if (options.verbosity === 0) return text;
  text += `, addrs${advert.addresses.length === 1 ? "" : `(${advert.addresses.length})`}: ${advert.addresses.map((address) => formatAddress(address, options)).join(",")}`;
  if (advert.version !== 2 || advert.authType !== 1) return text;
  let password = "";
  for (const byte of advert.authData) {
    if (byte === 0) break;
    password += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : `^${String.fromCharCode((byte & 0x7f) ^ 0x40)}`;
  }
  return `${text} auth "${password}"`;
}
