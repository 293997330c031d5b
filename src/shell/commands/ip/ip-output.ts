/**
 * What all parts of ip(8) share: options, ways to fail, and the words of iproute2.
 *
 * iproute2 6.1 lib/utils.c (invarg, duparg2, get_prefix, matches), lib/rt_names.c.
 */

import { formatIpv4Address, type Ipv4Address } from "../../../base/ipv4-address.ts";
import type { NetDevice } from "../../../host/device.ts";
import type { Errno, Host } from "../../../host/host.ts";
import type { CommandContext } from "../../command.ts";
import { errorText } from "../../errno-text.ts";

/** The options before the object. */
export interface IpFlags {
  /** -4, -6, -0 (link), or undefined for any. */
  readonly family: "inet" | "inet6" | "link" | undefined;
  readonly statistics: number;
  readonly details: number;
  readonly isOneLine: boolean;
  readonly isBrief: boolean;
  readonly isJson: boolean;
  readonly isPretty: boolean;
  readonly isHuman: boolean;
  /** Human numbers by powers of 1024. */
  readonly isIec?: boolean;
}

/** Ends an ip command: the message is written already or is given here. */
export class IpExit extends Error {
  override readonly name = "IpExit";
  readonly exit: number;
  readonly text: string;

  constructor(exit: number, text = "") {
    super(text);
    this.exit = exit;
    this.text = text;
  }
}

/** What the parts of ip work with. */
export interface IpSession {
  readonly context: CommandContext;
  readonly flags: IpFlags;
  readonly host: Host;
  out(text: string): void;
  err(text: string): void;
  /** The separator that -oneline puts in place of a newline. */
  readonly nl: string;
}

export function wrongArgument(argument: string, message: string): never {
  throw new IpExit(255, `Error: argument "${argument}" is wrong: ${message}\n`);
}

export function garbage(expected: string, argument: string): never {
  throw new IpExit(255, `Error: either "${expected}" is duplicate, or "${argument}" is a garbage.\n`);
}

export function incomplete(): never {
  throw new IpExit(255, 'Command line is not complete. Try option "help"\n');
}

/** An option that real ip has and this one has not. */
export function unsupported(what: string): never {
  throw new IpExit(255, `ip: ${what} is not supported by this simulator\n`);
}

/** What rtnetlink answered: the kernel's own words when it gave any. */
export function netlinkFailure(errno: Errno, message: string): never {
  throw new IpExit(2, message !== "" ? `Error: ${message}.\n` : `RTNETLINK answers: ${errorText(errno)}\n`);
}

/** Walks over arguments as NEXT_ARG does. */
export class Arguments {
  readonly #words: readonly string[];
  #at = 0;

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#words.length;
  }

  get current(): string {
    return this.#words[this.#at] ?? "";
  }

  get next(): string | undefined {
    return this.#words[this.#at + 1];
  }

  get rest(): readonly string[] {
    return this.#words.slice(this.#at);
  }

  /** The current word; moves behind it. */
  take(): string {
    if (this.isAtEnd) incomplete();
    return this.#words[this.#at++] as string;
  }

  skip(): void {
    this.#at++;
  }
}

/** `matches`: a word may be cut short. */
export function isCutOf(word: string, full: string): boolean {
  return word.length > 0 && full.startsWith(word);
}

/** The first of `names` that `word` abbreviates: the order is iproute2's. */
export function chosenOf(word: string, names: readonly string[]): string | undefined {
  return names.find((name) => isCutOf(word, name));
}

export interface Prefix {
  readonly address: Ipv4Address;
  readonly prefixLength: number;
  /** A length was given. */
  readonly isExplicit: boolean;
}

/** Dotted address of one to four parts; what is left out is 0 (get_addr_ipv4). */
export function parseLooseAddress(text: string): Ipv4Address | undefined {
  if (!/^\d{1,3}(\.\d{1,3}){0,3}$/.test(text)) return undefined;
  const parts = text.split(".").map(Number);
  if (parts.some((part) => part > 255)) return undefined;
  while (parts.length < 4) parts.push(0);
  return parts.reduce((value, part) => value * 256 + part, 0);
}

export function tryPrefix(text: string): Prefix | undefined {
  if (text === "default" || text === "any" || text === "all") return { address: 0, prefixLength: 0, isExplicit: true };
  const slash = text.indexOf("/");
  const address = parseLooseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  if (slash < 0) return { address, prefixLength: 32, isExplicit: false };
  const length = text.slice(slash + 1);
  if (/^\d+$/.test(length)) return Number(length) <= 32 ? { address, prefixLength: Number(length), isExplicit: true } : undefined;
  const mask = parseLooseAddress(length);
  if (mask === undefined) return undefined;
  const ones = Math.clz32(~mask);
  const isMask = ones === 32 ? mask === 0xffffffff : (mask << ones) >>> 0 === 0;
  return isMask ? { address, prefixLength: ones, isExplicit: true } : undefined;
}

/** What reads as an address of IPv6, perhaps with a prefix length. */
const IPV6_TEXT = /^(?=.*::|(?:[^:]*:){7})[\da-f:.]+(\/\d+)?$/i;

export function takePrefix(text: string, family: "any valid" | "inet" = "any valid"): Prefix {
  const prefix = tryPrefix(text);
  if (prefix === undefined && IPV6_TEXT.test(text)) unsupported("IPv6");
  if (prefix === undefined) throw new IpExit(1, `Error: ${family} prefix is expected rather than "${text}".\n`);
  return prefix;
}

export function takeAddress(text: string, family: "any valid" | "inet" = "inet"): Ipv4Address {
  const address = text === "default" || text === "any" || text === "all" ? 0 : parseLooseAddress(text);
  if (address === undefined && IPV6_TEXT.test(text)) unsupported("IPv6");
  if (address === undefined) throw new IpExit(1, `Error: ${family} address is expected rather than "${text}".\n`);
  return address;
}

/** A number as strtoul reads it, within bounds; undefined otherwise. */
export function parseNumber(text: string, max = 0xffffffff): number | undefined {
  if (!/^(0[xX][0-9a-fA-F]+|\d+)$/.test(text)) return undefined;
  const isOctal = text.length > 1 && /^0[0-7]+$/.test(text);
  const value = isOctal ? Number.parseInt(text, 8) : Number(text);
  return Number.isSafeInteger(value) && value <= max ? value : undefined;
}

/** A device by name, by the name of one of its aliases (`lo:1`), or as `if7` (ll_name_to_index, if_nametoindex). */
export function findDevice(session: IpSession, name: string): NetDevice | undefined {
  const { devices } = session.host;
  return devices.byName(name) ?? devices.byName(name.replace(/:.*$/, "")) ?? (/^if\d+$/.test(name) ? devices.byIndex(Number(name.slice(2))) : undefined);
}

export function deviceNamed(session: IpSession, name: string): NetDevice {
  const device = findDevice(session, name);
  if (device === undefined) throw new IpExit(1, `Cannot find device "${name}"\n`);
  return device;
}

/* ---------------------------------------------------------------------------------------------------------------- names */

const TABLE_NAMES: ReadonlyMap<number, string> = new Map([
  [255, "local"],
  [254, "main"],
  [253, "default"],
]);

export function tableName(table: number): string {
  return TABLE_NAMES.get(table) ?? String(table);
}

/** Names from /etc/iproute2/rt_tables and numbers; undefined when it is neither. `named` holds what the file adds. */
export function parseTable(text: string, named: ReadonlyMap<string, number>): number | undefined {
  for (const [id, name] of TABLE_NAMES) if (name === text) return id;
  return named.get(text) ?? (text === "unspec" ? 0 : parseNumber(text));
}

/** Tables that a machine's /etc/iproute2/rt_tables names. */
export function namedTables(session: IpSession): ReadonlyMap<string, number> {
  const named = new Map<string, number>();
  const files = session.context.machine.files;
  const path = "/etc/iproute2/rt_tables";
  if (!files.exists(path)) return named;
  for (const line of files.read(path).split("\n")) {
    const match = /^\s*(\d+|0x[0-9a-f]+)\s+(\S+)/i.exec(line);
    if (match !== null) named.set(match[2] as string, Number(match[1]));
  }
  return named;
}

const SCOPE_NAMES: ReadonlyMap<number, string> = new Map([
  [0, "global"],
  [200, "site"],
  [253, "link"],
  [254, "host"],
  [255, "nowhere"],
]);

export function scopeName(scope: number): string {
  return SCOPE_NAMES.get(scope) ?? String(scope);
}

export function parseScope(text: string): number | undefined {
  for (const [scope, name] of SCOPE_NAMES) if (name === text) return scope;
  return parseNumber(text, 255);
}

const PROTOCOL_NUMBERS: Readonly<Record<string, number>> = {
  unspec: 0,
  redirect: 1,
  kernel: 2,
  boot: 3,
  static: 4,
  gated: 8,
  ra: 9,
  mrt: 10,
  zebra: 11,
  bird: 12,
  dnrouted: 13,
  xorp: 14,
  ntk: 15,
  dhcp: 16,
  keepalived: 18,
  babel: 42,
  openr: 99,
  bgp: 186,
  isis: 187,
  ospf: 188,
  rip: 189,
  eigrp: 192,
};

/** A route's protocol as it is shown: a name where there is one. */
export function parseProtocol(text: string): string | undefined {
  if (PROTOCOL_NUMBERS[text] !== undefined) return text;
  const number = parseNumber(text, 255);
  if (number === undefined) return undefined;
  return Object.keys(PROTOCOL_NUMBERS).find((name) => PROTOCOL_NUMBERS[name] === number) ?? String(number);
}

/** `10.0.0.0/8`, an address alone for a whole prefix, `default` for none. */
export function formatPrefix(network: Ipv4Address, prefixLength: number, whole = 32): string {
  if (prefixLength === 0 && network === 0) return whole === 32 ? "default" : "0.0.0.0/0";
  return prefixLength === whole ? formatIpv4Address(network) : `${formatIpv4Address(network)}/${prefixLength}`;
}

/** TOS from a number (hexadecimal by default) or a name of rt_dsfield. */
export function parseTos(text: string): number | undefined {
  const match = /^(?:0x)?([0-9a-f]{1,2})$/i.exec(text);
  return match === null ? undefined : Number.parseInt(match[1] as string, 16);
}

/* ----------------------------------------------------------------------------------------------------------------- json */

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json | undefined };

/** As iproute2's json_writer prints: compact, or with -pretty its own indentation. */
export function formatJson(value: Json, isPretty: boolean, depth = 0): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const pad = "    ".repeat(depth + 1);
  if (Array.isArray(value)) {
    const items = (value as readonly Json[]).map((item) => formatJson(item, isPretty, depth + 1));
    if (!isPretty) return `[${items.join(",")}]`;
    return items.length === 0 ? "[ ]" : `[ ${items.join(",")} ]`;
  }
  const members = Object.entries(value as { readonly [key: string]: Json | undefined }).filter((entry): entry is [string, Json] => entry[1] !== undefined);
  if (members.length === 0) return "{}";
  const shown = members.map(([key, member]) => `${JSON.stringify(key)}:${isPretty ? " " : ""}${formatJson(member, isPretty, depth + 1)}`);
  if (!isPretty) return `{${shown.join(",")}}`;
  return `{\n${shown.map((text) => pad + text).join(",\n")}\n${"    ".repeat(depth)}}`;
}
