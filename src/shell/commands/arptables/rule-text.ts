/**
 * Rules of arptables as text: reading what is typed, printing what `-L` lists.
 *
 * arptables v0.0.5 (legacy): arptables.c (print_firewall, do_command), extensions/libarpt_mangle.c.
 */

import { formatIpv4Address, type Ipv4Address, maskPrefixLength, parseIpv4Address, prefixMask } from "../../../base/ipv4-address.ts";
import { formatMacAddress, type MacAddress, parseMacAddress } from "../../../base/mac-address.ts";
import type { ArpMangle, ArpMatch, ArpRule, ArpRuleSpec, ArpTarget, Masked } from "../../../host/netfilter/arp-table.ts";

const ALL_IPV4 = 0xffffffff;
const ALL_MAC = 2 ** 48 - 1;
const ALL_16 = 0xffff;
const ALL_8 = 0xff;
const OPERATIONS = ["Request", "Reply", "Request_Reverse", "Reply_Reverse", "DRARP_Request", "DRARP_Reply", "DRARP_Error", "InARP_Request", "ARP_NAK"];

/** The user's mistake: exit status 2. */
export class ArptablesUsage extends Error {
  override readonly name = "ArptablesUsage";
}

export type Resolve = (name: string) => Ipv4Address | undefined;

/** A rule as it is typed, option by option. */
export class RuleDraft {
  readonly #resolve: Resolve;
  #match: ArpMatch = {};
  #mangle: ArpMangle = {};
  #then: "ACCEPT" | "DROP" | "CONTINUE" = "ACCEPT";
  target = "";
  readonly #given = new Set<string>();

  constructor(resolve: Resolve) {
    this.#resolve = resolve;
  }

  get match(): ArpMatch {
    return this.#match;
  }

  /** `option` is a letter, or the long name of an option that has none. */
  set(option: string, value: string, isInverted: boolean): void {
    if (this.#given.has(option) && option.length === 1) throw new ArptablesUsage(`multiple -${option} flags not allowed`);
    this.#given.add(option);
    const add = (part: ArpMatch): void => {
      this.#match = { ...this.#match, ...part };
    };
    if (option === "s") add({ source: this.#address(value, isInverted) });
    else if (option === "d") add({ target: this.#address(value, isInverted) });
    else if (option === "i") add({ input: { name: value, isInverted } });
    else if (option === "o") add({ output: { name: value, isInverted } });
    else if (option === "source-mac") add({ sourceMac: macTest(value, isInverted) });
    else if (option === "destination-mac") add({ targetMac: macTest(value, isInverted) });
    else if (option === "l") add({ hardwareLength: numberTest(value, isInverted, ALL_8, "h-length", []) });
    else if (option === "opcode") add({ operation: numberTest(value, isInverted, ALL_16, "opcode", OPERATIONS) });
    else if (option === "h-type") add({ hardwareType: numberTest(value, isInverted, ALL_16, "h-type", ["Ethernet"]) });
    else if (option === "proto-type") add({ protocolType: numberTest(value.toLowerCase() === "ipv4" ? "0x800" : value, isInverted, ALL_16, "protocol type", []) });
    else if (option === "j") this.target = value;
    else this.#setMangle(option, value);
  }

  #setMangle(option: string, value: string): void {
    if (option === "mangle-target") {
      if (value !== "DROP" && value !== "ACCEPT" && value !== "CONTINUE") throw new ArptablesUsage("bad target for --mangle-target");
      this.#then = value;
      return;
    }
    if (option === "mangle-ip-s" || option === "mangle-ip-d") {
      const address = this.#resolve(value);
      if (address === undefined) throw new ArptablesUsage(`host/network \`${value}' not found`);
      this.#mangle = { ...this.#mangle, ...(option === "mangle-ip-s" ? { senderIp: address } : { targetIp: address }) };
      return;
    }
    if (this.#match.hardwareLength === undefined) throw new ArptablesUsage("no --h-length defined");
    if (this.#match.hardwareLength.value !== 6) throw new ArptablesUsage("only --h-length 6 supported");
    const mac = parseMacAddress(value);
    if (mac === undefined) throw new ArptablesUsage(`bad ${option.endsWith("s") ? "source" : "target"} MAC address`);
    this.#mangle = { ...this.#mangle, ...(option === "mangle-mac-s" ? { senderMac: mac } : { targetMac: mac }) };
  }

  #address(text: string, isInverted: boolean): Masked {
    const slash = text.indexOf("/");
    const name = slash < 0 ? text : text.slice(0, slash);
    const mask = slash < 0 ? ALL_IPV4 : maskOf(text.slice(slash + 1));
    const address = this.#resolve(name);
    if (address === undefined) throw new ArptablesUsage(`host/network \`${name}' not found`);
    return { value: (address & mask) >>> 0, mask, isInverted };
  }

  /** `chains` tells jumps to user chains from targets. EINVAL: a mangle target that mangles nothing. */
  finish(hasChain: (name: string) => boolean): ArpRuleSpec | "EINVAL" {
    const { target: name } = this;
    let target: ArpTarget;
    if (name === "") target = { kind: "continue" };
    else if (name === "ACCEPT" || name === "DROP") target = { kind: "verdict", verdict: name };
    else if (name === "RETURN") target = { kind: "return" };
    else if (name === "mangle") {
      if (Object.keys(this.#mangle).length === 0) return "EINVAL";
      target = { kind: "mangle", mangle: this.#mangle, then: this.#then };
    } else if (hasChain(name)) target = { kind: "chain", chain: name };
    else if (name === "MARK" || name === "CLASSIFY") throw new ArptablesUsage(`the simulator does not support the target \`${name}'`);
    else throw new ArptablesUsage(`Couldn't find target \`${name}'\n`);
    return { match: this.#match, target };
  }
}

function maskOf(text: string): number {
  const dotted = text.includes(".") ? parseIpv4Address(text) : undefined;
  if (dotted !== undefined) return dotted;
  const bits = /^\d+$/.test(text) ? Number(text) : -1;
  if (bits < 0 || bits > 32) throw new ArptablesUsage(`invalid mask \`${text}' specified`);
  return prefixMask(bits);
}

function macTest(text: string, isInverted: boolean): Masked {
  const [address = "", maskText] = text.split("/");
  const value = parseMacAddress(address);
  const mask = maskText === undefined ? ALL_MAC : parseMacAddress(maskText);
  if (value === undefined || mask === undefined) throw new ArptablesUsage(`Problem with specified ${"mac"}`);
  return { value: maskedMac(value, mask), mask, isInverted };
}

function maskedMac(mac: MacAddress, mask: MacAddress): MacAddress {
  const half = 2 ** 24;
  return (Math.trunc(mac / half) & Math.trunc(mask / half)) * half + ((mac % half) & (mask % half));
}

function numberTest(text: string, isInverted: boolean, all: number, what: string, names: readonly string[]): Masked {
  const [valueText = "", maskText] = text.split("/");
  const named = names.findIndex((name) => name.toLowerCase() === valueText.toLowerCase());
  // The hardware type is read as hexadecimal, the others as C reads a number.
  const read = (word: string): number => (/^(0x[0-9a-f]+|\d+)$/i.test(word) ? Number.parseInt(word, /^0x/i.test(word) || what === "h-type" ? 16 : 10) : Number.NaN);
  const value = named >= 0 ? named + 1 : read(valueText);
  const mask = maskText === undefined ? all : read(maskText);
  if (!(value <= all) || !(mask <= all)) throw new ArptablesUsage(`Problem with specified ${what}`);
  return { value: value & mask, mask, isInverted };
}

export interface ListStyle {
  readonly isNumeric: boolean;
  readonly isVerbose: boolean;
}

/** One line of `-L`, with a blank before its end as the real one has. */
export function formatRule({ spec, packets, bytes }: ArpRule, style: ListStyle): string {
  const { match, target } = spec;
  const words: string[] = [];
  const add = (name: string, test: Masked | undefined, text: (test: Masked) => string): void => {
    if (test !== undefined) words.push(`${test.isInverted ? "! " : ""}${name} ${text(test)}`);
  };
  const any = style.isNumeric ? "*" : "any";
  if (target.kind !== "continue") words.push(`-j ${targetName(target)}`);
  for (const [letter, test] of [["i", match.input], ["o", match.output]] as const) {
    if (test !== undefined) words.push(`${test.isInverted ? "! " : ""}-${letter} ${test.name}`);
    else if (style.isVerbose) words.push(`-${letter} ${any}`);
  }
  add("-s", match.source, addressText);
  add("--src-mac", match.sourceMac, macText);
  add("-d", match.target, addressText);
  add("--dst-mac", match.targetMac, macText);
  add("--h-length", match.hardwareLength, (test) => withMask(test, ALL_8, String(test.value)));
  add("--opcode", match.operation, (test) => withMask(test, ALL_16, (style.isNumeric ? undefined : OPERATIONS[test.value - 1]) ?? String(test.value)));
  add("--h-type", match.hardwareType, (test) => withMask(test, ALL_16, !style.isNumeric && test.value === 1 ? "Ethernet" : test.value.toString(16)));
  add("--proto-type", match.protocolType, (test) => withMask(test, ALL_16, !style.isNumeric && test.value === 0x800 ? "IPv4" : `0x${test.value.toString(16)}`));
  if (target.kind === "mangle") words.push(...mangleWords(target.mangle, target.then));
  if (style.isVerbose) words.push(`, pcnt=${packets} -- bcnt=${bytes}`);
  return `${words.map((word) => `${word} `).join("")}\n`;
}

function targetName(target: ArpTarget): string {
  if (target.kind === "verdict") return target.verdict;
  if (target.kind === "chain") return target.chain;
  return target.kind === "return" ? "RETURN" : "mangle";
}

function mangleWords({ senderIp, senderMac, targetIp, targetMac }: ArpMangle, then: string): string[] {
  const words: string[] = [];
  if (senderIp !== undefined) words.push(`--mangle-ip-s ${formatIpv4Address(senderIp)}`);
  if (senderMac !== undefined) words.push(`--mangle-mac-s ${formatMacAddress(senderMac)}`);
  if (targetIp !== undefined) words.push(`--mangle-ip-d ${formatIpv4Address(targetIp)}`);
  if (targetMac !== undefined) words.push(`--mangle-mac-d ${formatMacAddress(targetMac)}`);
  if (then !== "ACCEPT") words.push(`--mangle-target ${then}`);
  return words;
}

function addressText({ value, mask }: Masked): string {
  if (mask === ALL_IPV4) return formatIpv4Address(value);
  return `${formatIpv4Address(value)}/${maskPrefixLength(mask) ?? formatIpv4Address(mask)}`;
}

function macText({ value, mask }: Masked): string {
  return mask === ALL_MAC ? formatMacAddress(value) : `${formatMacAddress(value)}/${formatMacAddress(mask)}`;
}

function withMask(test: Masked, all: number, text: string): string {
  return test.mask === all ? text : `${text}/${test.mask}`;
}
