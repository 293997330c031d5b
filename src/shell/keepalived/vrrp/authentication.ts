/**
 * auth_type AH: advertisements behind an authentication header, with HMAC-MD5 of the packet and the password, and a sequence number.
 *
 * keepalived v2.2.7 vrrp/vrrp.c (vrrp_build_ipsecah, vrrp_update_pkt, vrrp_in_chk_ipsecah), vrrp/vrrp_ipsecah.c; RFC 2104, RFC 2402, RFC 2403.
 */

import { concatBytes } from "../../../base/bytes.ts";
import { AH_HEADER_BYTES, AH_ICV_BYTES, type AuthenticationHeader, decodeAh, encodeAh, PROTOCOL_AH } from "../../../wire/ah.ts";
import { encodeIpv4, IPV4_HEADER_BYTES } from "../../../wire/ipv4.ts";
import { Ipv4Packet, PROTOCOL_VRRP, RawPayload, VrrpAdvert } from "../../../wire/packet.ts";
import { decodeVrrp, encodeVrrp } from "../../../wire/vrrp.ts";
import type { VrrpInstanceConfig } from "../config/model.ts";
import type { DaemonLog } from "../daemon-log.ts";
import { md5 } from "../../commands/system/digests.ts";

export const AUTH_AH = 2;
const BLOCK_BYTES = 64;
const INNER_PAD = 0x36;
const OUTER_PAD = 0x5c;
const IP_TOS = 1;
const IP_FRAGMENT = 6;
const IP_TTL = 8;
const IP_CHECKSUM = 10;
const ICV_AT = IPV4_HEADER_BYTES + AH_HEADER_BYTES - AH_ICV_BYTES;

function md5Bytes(bytes: Uint8Array): Uint8Array {
  const hex = md5(bytes);
  return Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
}

/** For keys of at most one block: passwords have eight bytes. */
function hmacMd5(key: Uint8Array, message: Uint8Array): Uint8Array {
  const padded = (pad: number): Uint8Array => Uint8Array.from({ length: BLOCK_BYTES }, (_, i) => (key[i] ?? 0) ^ pad);
  return md5Bytes(concatBytes([padded(OUTER_PAD), md5Bytes(concatBytes([padded(INNER_PAD), message]))]));
}

/** The check value: fields that change on the way count as zero. A multicast packet is never forwarded, so that its TTL does not change. */
function checkValue(packet: Ipv4Packet, password: Uint8Array, isUnicast: boolean): Uint8Array {
  const bytes = encodeIpv4(packet);
  for (const at of [IP_TOS, IP_FRAGMENT, IP_FRAGMENT + 1, IP_CHECKSUM, IP_CHECKSUM + 1]) bytes[at] = 0;
  if (isUnicast) bytes[IP_TTL] = 0;
  bytes.fill(0, ICV_AT, ICV_AT + AH_ICV_BYTES);
  return hmacMd5(password, bytes).subarray(0, AH_ICV_BYTES);
}

/** Puts the header before an advertisement. */
function authenticated(packet: Ipv4Packet, options: { readonly sequence: number; readonly password: Uint8Array; readonly isUnicast: boolean }): Ipv4Packet {
  const advert = packet.payload;
  if (!(advert instanceof VrrpAdvert)) return packet;
  const body = encodeVrrp(advert, packet);
  const wrap = (icv: Uint8Array): Ipv4Packet => {
    const header = encodeAh({ nextHeader: PROTOCOL_VRRP, spi: packet.src, sequence: options.sequence, icv });
    const out = new Ipv4Packet(packet.src, packet.dst, PROTOCOL_AH, packet.ttl, new RawPayload(concatBytes([header, body])));
    out.tos = packet.tos;
    out.id = packet.id;
    return out;
  };
  return wrap(checkValue(wrap(new Uint8Array(AH_ICV_BYTES)), options.password, options.isUnicast));
}

export interface AuthenticatedAdvert {
  readonly header: AuthenticationHeader;
  readonly advert: VrrpAdvert;
}

/** undefined: something else than an advertisement, or one that does not hold together. */
export function readAuthenticated(packet: Ipv4Packet): AuthenticatedAdvert | undefined {
  if (packet.protocol !== PROTOCOL_AH || !(packet.payload instanceof RawPayload)) return undefined;
  const { bytes } = packet.payload;
  const header = decodeAh(bytes);
  if (!header.ok || header.value.nextHeader !== PROTOCOL_VRRP) return undefined;
  const advert = decodeVrrp(bytes.subarray(AH_HEADER_BYTES), packet);
  return advert.ok ? { header: header.value, advert: advert.value } : undefined;
}

function isAuthentic(packet: Ipv4Packet, header: AuthenticationHeader, password: Uint8Array, isUnicast: boolean): boolean {
  return checkValue(packet, password, isUnicast).every((byte, i) => byte === header.icv[i]);
}

/** What one instance knows: its password, and the last number that it sent or heard. */
export class Authentication {
  sequence = 0;
  readonly #config: VrrpInstanceConfig;

  constructor(config: VrrpInstanceConfig) {
    this.#config = config;
  }

  seal(packet: Ipv4Packet): Ipv4Packet {
    const { authData, isUnicast } = this.#config;
    return authenticated(packet, { sequence: this.sequence, password: authData, isUnicast });
  }

  /** vrrp_in_chk_ipsecah: check value, then SPI, then the sequence number, so that nothing is believed twice. */
  accepts(packet: Ipv4Packet, header: AuthenticationHeader | undefined, log: DaemonLog): boolean {
    const { name, authData, isUnicast } = this.#config;
    if (header === undefined) return false;
    if (!isAuthentic(packet, header, authData, isUnicast)) {
      log.line(`(${name}) IPSEC-AH : invalid IPSEC HMAC-MD5 value. Due to fields mutation or bad password !`);
      return false;
    }
    if (header.spi !== packet.src) {
      log.line(`IPSEC AH : invalid IPSEC SPI value. ${packet.src} and expect ${header.spi}`);
      return false;
    }
    if (header.sequence <= this.sequence) {
      log.line(`(${name}) IPSEC-AH : sequence number ${header.sequence} already processed. Packet dropped. Local(${this.sequence})`);
      return false;
    }
    this.sequence = header.sequence;
    return true;
  }
}
