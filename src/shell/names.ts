/**
 * Host names: /etc/hosts, and dotted quads in all the ways that inet_aton reads them.
 *
 * There is no DNS in a scenario: other names do not resolve.
 */

import { type Ipv4Address, parseIpv4Address } from "../base/ipv4-address.ts";
import type { Machine } from "./machine.ts";

/** inet_aton: `10.1`, `0x0a000001` and `127.1` are addresses too. */
export function parseLooseAddress(text: string): Ipv4Address | undefined {
  const strict = parseIpv4Address(text);
  if (strict !== undefined) return strict;
  const parts = text.split(".");
  if (parts.length > 4 || parts.some((part) => !/^(0[xX][0-9a-fA-F]+|\d+)$/.test(part))) return undefined;
  const numbers = parts.map((part) => (/^0[0-7]+$/.test(part) ? Number.parseInt(part, 8) : Number(part)));
  const last = numbers.pop() ?? 0;
  if (numbers.some((n) => n > 255) || last >= 256 ** (4 - numbers.length)) return undefined;
  return numbers.reduce((value, n, i) => value + n * 256 ** (3 - i), 0) + last;
}

/** An address for a name; undefined when nobody knows it. */
export function resolveHost(machine: Machine, name: string): Ipv4Address | undefined {
  const address = parseLooseAddress(name);
  if (address !== undefined) return address;
  for (const [entry, names] of hostsFile(machine)) if (names.includes(name.toLowerCase())) return entry;
  return name.toLowerCase() === "localhost" || name.toLowerCase().endsWith(".localhost") ? 0x7f000001 : undefined;
}

/** The first name that /etc/hosts gives an address. */
export function hostNameOf(machine: Machine, address: Ipv4Address): string | undefined {
  for (const [entry, names] of hostsFile(machine)) if (entry === address) return names[0];
  return undefined;
}

function hostsFile(machine: Machine): (readonly [Ipv4Address, readonly string[]])[] {
  let text = "";
  try {
    if (machine.files.exists("/etc/hosts")) text = machine.files.read("/etc/hosts");
  } catch {
    return [];
  }
  const rows: (readonly [Ipv4Address, readonly string[]])[] = [];
  for (const line of text.split("\n")) {
    const [first, ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    const address = parseIpv4Address(first ?? "");
    if (address !== undefined) rows.push([address, names.map((n) => n.toLowerCase())]);
  }
  return rows;
}
