/**
 * Ethernet addresses as 48-bit unsigned integers (02:00:00:00:00:01 is 0x020000000001).
 */

/** 0 to 2^48 - 1. */
export type MacAddress = number;

export const BROADCAST_MAC: MacAddress = 0xffffffffffff;
export const ZERO_MAC: MacAddress = 0;

/** Parses six hexadecimal octets with colons; undefined when `text` is anything else. */
export function parseMacAddress(text: string): MacAddress | undefined {
  if (!/^[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}$/.test(text)) return undefined;
  let value = 0;
  for (const part of text.split(":")) value = value * 256 + Number.parseInt(part, 16);
  return value;
}

const TEXTS_MAX = 65_536;
const texts = new Map<number, string>();

/** 0x020000000001 -> `02:00:00:00:00:01`. Texts are kept, as those of IPv4 addresses are. */
export function formatMacAddress(mac: MacAddress): string {
  let text = texts.get(mac);
  if (text !== undefined) return text;
  const hex = mac.toString(16).padStart(12, "0");
  text = `${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4, 6)}:${hex.slice(6, 8)}:${hex.slice(8, 10)}:${hex.slice(10, 12)}`;
  if (texts.size >= TEXTS_MAX) texts.clear();
  texts.set(mac, text);
  return text;
}

/** True for broadcast and multicast: the group bit of the first octet. */
export function isGroupMac(mac: MacAddress): boolean {
  return (Math.trunc(mac / 0x10000000000) & 1) === 1;
}

/** RFC 1112 section 6.4: 01:00:5e and the low 23 bits of the group. */
export function multicastMac(group: number): MacAddress {
  return 0x01005e000000 + (group & 0x7fffff);
}
