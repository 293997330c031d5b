/**
 * Values on iptables command lines: integers, ranges, ports, marks, addresses; and how they are printed.
 *
 * iptables v1.8.9 libxtables/xtables.c, xtoptions.c.
 */

import { formatIpv4Address, maskPrefixLength, parseIpv4Address, prefixMask } from "../../../base/ipv4-address.ts";
import type { AddressTest, Range, RangeTest } from "../../../host/netfilter/rule.ts";
import { XtablesError } from "./extension.ts";
import type { Names } from "./names.ts";

/** strtoul with base 0 and bounds; undefined when the text is no such number. */
export function parseInteger(text: string, max = 0xffffffff): number | undefined {
  if (/^0[xX][0-9a-fA-F]+$/.test(text)) return bounded(Number.parseInt(text.slice(2), 16), max);
  if (/^0[0-7]+$/.test(text)) return bounded(Number.parseInt(text, 8), max);
  if (/^\d+$/.test(text)) return bounded(Number(text), max);
  return undefined;
}

function bounded(value: number, max: number): number | undefined {
  return value <= max ? value : undefined;
}

/** Reader for an integer option of an extension. */
export function integerReader(extension: string, option: string, min: number, max: number): (text: string) => number {
  return (text) => {
    const value = parseInteger(text, max);
    if (value === undefined || value < min) throw new XtablesError(`${extension}: bad value for option "--${option}", or out of range (${min}-${max}).\n`);
    return value;
  };
}

/** `a`, `a:b`, `a:`, `:b`. */
export function rangeReader(extension: string, option: string, max: number): (text: string) => Range {
  return (text) => {
    const fail = (near: string): never => {
      throw new XtablesError(`${extension}: bad value for option "--${option}" near "${near}", or out of range (0-${max}).\n`);
    };
    const colon = text.indexOf(":");
    const first = colon < 0 ? text : text.slice(0, colon);
    const second = colon < 0 ? first : text.slice(colon + 1);
    const from = first === "" && colon >= 0 ? 0 : (parseInteger(first, max) ?? fail(text));
    const to = second === "" && colon >= 0 ? max : (parseInteger(second, max) ?? fail(second));
    return { min: from, max: to };
  };
}

export interface MarkValue {
  readonly value: number;
  readonly mask: number;
}

/** `value[/mask]`. */
export function markReader(extension: string, option: string): (text: string) => MarkValue {
  return (text) => {
    const [value = "", mask] = text.split("/");
    const number = parseInteger(value);
    if (number === undefined) throw new XtablesError(`${extension}: bad integer value for option "--${option}", or out of range.\n`);
    const bits = mask === undefined ? 0xffffffff : parseInteger(mask);
    if (bits === undefined) throw new XtablesError(`${extension}: bad integer value for option "--${option}", or out of range.\n`);
    return { value: number, mask: bits };
  };
}

/** A port by number or by service name, as libxt_tcp reads it. */
export function parsePort(text: string, protocol: number, names: Names): number {
  const port = parseInteger(text, 65535) ?? (/^\d+$/.test(text) ? undefined : names.port(text, protocol));
  if (port === undefined) throw new XtablesError(`invalid port/service \`${text}' specified`);
  return port;
}

/** `a`, `a:b`, `a:`, `:b` of ports, as libxt_tcp reads them. */
export function parsePortRange(text: string, protocol: number, names: Names): Range {
  const colon = text.indexOf(":");
  if (colon < 0) {
    const port = parsePort(text, protocol, names);
    return { min: port, max: port };
  }
  const min = colon === 0 ? 0 : parsePort(text.slice(0, colon), protocol, names);
  const max = colon === text.length - 1 ? 65535 : parsePort(text.slice(colon + 1), protocol, names);
  if (min > max) throw new XtablesError("invalid portrange (min > max)");
  return { min, max };
}

/** Ports as the newer option reader takes them (udp, sctp, conntrack). */
export function portRangeReader(): (text: string, context: { readonly names: Names; readonly protocol: number }) => Range {
  return (text, { names, protocol }) => {
    const one = (word: string): number => {
      const port = parseInteger(word, 65535) ?? names.port(word, protocol);
      if (port === undefined) throw new XtablesError(`Port "${word}" does not resolve to anything.\n`);
      return port;
    };
    const colon = text.indexOf(":");
    if (colon < 0) return { min: one(text), max: one(text) };
    const min = colon === 0 ? 0 : one(text.slice(0, colon));
    const max = colon === text.length - 1 ? 65535 : one(text.slice(colon + 1));
    if (max < min) throw new XtablesError(`Port range ${min}-${max} out of order.\n`);
    return { min, max };
  };
}

export function asTest(range: Range | undefined, isInverted: boolean): RangeTest {
  return range === undefined ? { min: 0, max: 65535, isInverted: false } : { min: range.min, max: range.max, isInverted };
}

/** `a.b.c.d`, short forms such as `10` and `10.1`, or a host name. */
export function parseHost(text: string, names: Names): number | undefined {
  if (/^\d+(\.\d+){0,3}$/.test(text)) {
    const parts = text.split(".").map(Number);
    if (parts.some((part) => part > 255)) return undefined;
    while (parts.length < 4) parts.push(0);
    return parseIpv4Address(parts.join("."));
  }
  return names.host(text);
}

/** A mask as a prefix length or in dotted form. */
export function parseMask(text: string | undefined): number {
  if (text === undefined) return 0xffffffff;
  const dotted = parseIpv4Address(text);
  if (dotted !== undefined) return dotted;
  const length = parseInteger(text, 32);
  if (length === undefined) throw new XtablesError(`invalid mask \`${text}' specified`);
  return prefixMask(length);
}

/** `address[/mask]` in one test; the address is cut to its network. */
export function parseAddressTest(text: string, isInverted: boolean, names: Names): AddressTest {
  const slash = text.indexOf("/");
  const host = slash < 0 ? text : text.slice(0, slash);
  const mask = parseMask(slash < 0 ? undefined : text.slice(slash + 1));
  const address = parseHost(host, names);
  if (address === undefined) throw new XtablesError(`host/network \`${host}' not found`);
  return { address: (address & mask) >>> 0, mask, isInverted };
}

/** `/24`, `/255.0.255.0`, and nothing for a host (xtables_ipmask_to_numeric). */
export function formatMaskSuffix(mask: number): string {
  const length = maskPrefixLength(mask);
  if (length === undefined) return `/${formatIpv4Address(mask)}`;
  return length === 32 ? "" : `/${length}`;
}

export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

export function hexPadded(value: number): string {
  return `0x${value.toString(16).padStart(2, "0")}`;
}

/** A string as a saved rule quotes it: only when it holds something that a shell or the reader would split (xtables_save_string). */
export function quoteSaved(text: string): string {
  if (text !== "" && /^[A-Za-z0-9_-]+$/.test(text)) return text;
  return `"${text.replace(/[\\"']/g, (character) => `\\${character}`)}"`;
}
