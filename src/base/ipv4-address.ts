/**
 * IPv4 addresses and prefixes as unsigned 32-bit integers in host order (10.0.0.1 is 0x0a000001).
 */

/** An IPv4 address, 0 to 0xffffffff. */
export type Ipv4Address = number;

/** An address with a prefix length, as in 10.0.0.1/24: the host bits are kept. */
export interface Ipv4Cidr {
  readonly address: Ipv4Address;
  readonly prefixLength: number;
}

export const ANY_ADDRESS: Ipv4Address = 0;
export const LIMITED_BROADCAST: Ipv4Address = 0xffffffff;

/** Parses strict dotted-quad notation; undefined when `text` is anything else. */
export function parseIpv4Address(text: string): Ipv4Address | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  let value = 0;
  for (let i = 1; i <= 4; i++) {
    const octet = Number(match[i]);
    if (octet > 255) return undefined;
    value = value * 256 + octet;
  }
  return value;
}

const TEXTS_MAX = 65_536;
const texts = new Map<number, string>();

/** 0x0a000001 -> `10.0.0.1`. The same few addresses are asked for again and again: their texts are kept. */
export function formatIpv4Address(address: Ipv4Address): string {
  let text = texts.get(address);
  if (text !== undefined) return text;
  text = `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
  if (texts.size >= TEXTS_MAX) texts.clear();
  texts.set(address, text);
  return text;
}

/** Parses `a.b.c.d/n`; without `/n` the prefix length is 32. */
export function parseIpv4Cidr(text: string): Ipv4Cidr | undefined {
  const slash = text.indexOf("/");
  const address = parseIpv4Address(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  if (slash < 0) return { address, prefixLength: 32 };
  const length = text.slice(slash + 1);
  if (!/^\d{1,2}$/.test(length) || Number(length) > 32) return undefined;
  return { address, prefixLength: Number(length) };
}

/** 24 -> 0xffffff00. */
export function prefixMask(prefixLength: number): number {
  return prefixLength === 0 ? 0 : (0xffffffff << (32 - prefixLength)) >>> 0;
}

/** 0xffffff00 -> 24; undefined when the ones are not contiguous from the left. */
export function maskPrefixLength(mask: number): number | undefined {
  const length = Math.clz32(~mask >>> 0);
  return prefixMask(length) === mask >>> 0 ? length : undefined;
}

export function networkOf(address: Ipv4Address, prefixLength: number): Ipv4Address {
  return (address & prefixMask(prefixLength)) >>> 0;
}

export function isInPrefix(address: Ipv4Address, network: Ipv4Address, prefixLength: number): boolean {
  return ((address ^ network) & prefixMask(prefixLength)) === 0;
}

export function isLoopback(address: Ipv4Address): boolean {
  return address >>> 24 === 127;
}

export function isMulticast(address: Ipv4Address): boolean {
  return address >>> 28 === 14;
}

/** 0.0.0.0/8, which no host may have as a source once it is configured. */
export function isZeroNet(address: Ipv4Address): boolean {
  return address >>> 24 === 0;
}
