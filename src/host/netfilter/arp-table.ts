/**
 * The ARP packet filter: one table of chains that every ARP packet of the host passes, on its way in and on its way out.
 *
 *   cable ─▶ INPUT ─▶ arp_process        arp_send, answers ─▶ OUTPUT ─▶ cable
 *
 * Linux v6.1 net/ipv4/netfilter/arp_tables.c (arpt_do_table, arp_packet_match), arptable_filter.c, arpt_mangle.c. Not modelled: FORWARD, which sees
 * only what a bridge forwards and so stays empty here; the targets MARK and CLASSIFY.
 */

import type { Ipv4Address } from "../../base/ipv4-address.ts";
import type { MacAddress } from "../../base/mac-address.ts";
import { ArpPacket } from "../../wire/packet.ts";
import type { NetDevice } from "../device.ts";
import type { Errno, Host } from "../host.ts";

/** Bounds of one host's table. */
export const ARP_RULES_MAX = 5000;
export const ARP_CHAINS_MAX = 500;
const DEPTH_MAX = 64;
const ETHERNET = 1;
const ETHERTYPE_IPV4 = 0x800;
const ETHERNET_ADDRESS_BYTES = 6;
/** Bitwise operators see 32 bits: the 48 of an address are compared in two halves. */
const HALF = 2 ** 24;

export type ArpVerdict = "ACCEPT" | "DROP";

/** A value under a mask, as most tests of struct arpt_arp are. */
export interface Masked {
  readonly value: number;
  readonly mask: number;
  readonly isInverted: boolean;
}

export interface InterfaceTest {
  /** `+` at the end matches every name that begins so. */
  readonly name: string;
  readonly isInverted: boolean;
}

/** struct arpt_arp. What is undefined matches everything. */
export interface ArpMatch {
  readonly source?: Masked;
  readonly target?: Masked;
  readonly sourceMac?: Masked;
  readonly targetMac?: Masked;
  readonly input?: InterfaceTest;
  readonly output?: InterfaceTest;
  readonly hardwareLength?: Masked;
  readonly operation?: Masked;
  readonly hardwareType?: Masked;
  readonly protocolType?: Masked;
}

/** struct arpt_mangle. */
export interface ArpMangle {
  readonly senderIp?: Ipv4Address;
  readonly targetIp?: Ipv4Address;
  readonly senderMac?: MacAddress;
  readonly targetMac?: MacAddress;
}

export type ArpTarget =
  | { readonly kind: "continue" }
  | { readonly kind: "verdict"; readonly verdict: ArpVerdict }
  | { readonly kind: "return" }
  | { readonly kind: "chain"; readonly chain: string }
  | { readonly kind: "mangle"; readonly mangle: ArpMangle; readonly then: ArpVerdict | "CONTINUE" };

export interface ArpRuleSpec {
  readonly match: ArpMatch;
  readonly target: ArpTarget;
}

export class ArpRule {
  readonly spec: ArpRuleSpec;
  packets = 0;
  bytes = 0;

  constructor(spec: ArpRuleSpec) {
    this.spec = spec;
  }
}

export class ArpChain {
  name: string;
  /** Built-in chains have one. */
  policy: ArpVerdict | undefined;
  packets = 0;
  bytes = 0;
  readonly rules: ArpRule[] = [];

  constructor(name: string, policy: ArpVerdict | undefined) {
    this.name = name;
    this.policy = policy;
  }
}

/** What passing a chain leads to; `returned`: its end was reached. */
type Passed = ArpVerdict | "returned";

export class ArpTable {
  readonly #host: Host;
  chains: ArpChain[] = [new ArpChain("INPUT", "ACCEPT"), new ArpChain("OUTPUT", "ACCEPT"), new ArpChain("FORWARD", "ACCEPT")];
  /** The packet on its way through; a mangle target replaces it. */
  #packet: ArpPacket | undefined = undefined;

  constructor(host: Host) {
    this.#host = host;
  }

  chain(name: string): ArpChain | undefined {
    return this.chains.find((chain) => chain.name === name);
  }

  get ruleCount(): number {
    return this.chains.reduce((sum, chain) => sum + chain.rules.length, 0);
  }

  references(name: string): number {
    return this.chains.reduce((sum, chain) => sum + chain.rules.filter(({ spec }) => spec.target.kind === "chain" && spec.target.chain === name).length, 0);
  }

  /** Before rule `index` (from 0); at the end without it. E2BIG: there are not so many rules; ENOSPC: too many. */
  insert(chain: ArpChain, spec: ArpRuleSpec, index = chain.rules.length): Errno | undefined {
    if (index > chain.rules.length) return "E2BIG";
    if (this.ruleCount >= ARP_RULES_MAX) return "ENOSPC";
    if (this.#loops(chain, spec)) return "ELOOP";
    chain.rules.splice(index, 0, new ArpRule(spec));
    return undefined;
  }

  createChain(name: string): Errno | undefined {
    if (this.chain(name) !== undefined) return "EEXIST";
    if (this.chains.length >= ARP_CHAINS_MAX) return "ENOSPC";
    this.chains.push(new ArpChain(name, undefined));
    return undefined;
  }

  renameChain(chain: ArpChain, name: string): void {
    for (const { rules } of this.chains) {
      rules.forEach((rule, i) => {
        if (rule.spec.target.kind === "chain" && rule.spec.target.chain === chain.name) rules[i] = new ArpRule({ match: rule.spec.match, target: { kind: "chain", chain: name } });
      });
    }
    chain.name = name;
  }

  deleteChain(chain: ArpChain): Errno | undefined {
    if (chain.policy !== undefined) return "EINVAL";
    if (this.references(chain.name) > 0) return "EMLINK";
    if (chain.rules.length > 0) return "ENOTEMPTY";
    this.chains = this.chains.filter((other) => other !== chain);
    return undefined;
  }

  /** The packet as it goes on, or undefined when a rule or the policy drops it. */
  filter(hook: "INPUT" | "OUTPUT", packet: ArpPacket, device: NetDevice): ArpPacket | undefined {
    const base = this.chain(hook) as ArpChain;
    this.#packet = packet;
    let verdict = this.#pass(base, hook, device, 0);
    if (verdict === "returned") {
      base.packets++;
      base.bytes += packet.lengthBytes;
      verdict = base.policy ?? "ACCEPT";
      if (verdict === "DROP") this.#traceDrop(hook, device, packet, "its policy");
    }
    return verdict === "DROP" ? undefined : this.#packet;
  }

  #pass(chain: ArpChain, hook: "INPUT" | "OUTPUT", device: NetDevice, depth: number): Passed {
    for (const [index, rule] of chain.rules.entries()) {
      const packet = this.#packet as ArpPacket;
      if (!matches(rule.spec.match, packet, device.name, hook)) continue;
      rule.packets++;
      rule.bytes += packet.lengthBytes;
      const { target } = rule.spec;
      let passed: Passed | "next" = "next";
      if (target.kind === "return") return "returned";
      if (target.kind === "verdict") passed = target.verdict;
      else if (target.kind === "mangle") {
        this.#packet = mangled(packet, target.mangle);
        if (target.then !== "CONTINUE") passed = target.then;
      } else if (target.kind === "chain" && depth < DEPTH_MAX) {
        const next = this.chain(target.chain);
        const result = next === undefined ? "returned" : this.#pass(next, hook, device, depth + 1);
        if (result !== "returned") return result;
      }
      if (passed === "next") continue;
      if (passed === "DROP") this.#traceDrop(hook, device, packet, `rule ${index + 1} of ${chain.name}`);
      return passed;
    }
    return "returned";
  }

  /** What is dropped on its way in will not be answered: the reader is told as of any other decision about ARP. */
  #traceDrop(hook: "INPUT" | "OUTPUT", device: NetDevice, packet: ArpPacket, by: string): void {
    const { trace, name } = this.#host;
    if (!trace.isFull) return;
    const detail = `arptables ${hook}: ${by} drops it`;
    trace.emit({ kind: "arp-decision", host: name, device: device.name, target: packet.targetIp, sender: packet.senderIp, isAnswered: false, detail, cause: 0 });
  }

  /** Would a rule in `chain` lead back to it (mark_source_chains)? */
  #loops(chain: ArpChain, spec: ArpRuleSpec): boolean {
    const seen = new Set<string>();
    const open = spec.target.kind === "chain" ? [spec.target.chain] : [];
    for (let name = open.pop(); name !== undefined; name = open.pop()) {
      if (name === chain.name) return true;
      if (seen.has(name)) continue;
      seen.add(name);
      for (const { spec: other } of this.chain(name)?.rules ?? []) if (other.target.kind === "chain") open.push(other.target.chain);
    }
    return false;
  }
}

function fits(test: Masked | undefined, value: number): boolean {
  return test === undefined || ((((value ^ test.value) & test.mask) >>> 0 === 0) !== test.isInverted);
}

function macFits(test: Masked | undefined, mac: MacAddress): boolean {
  if (test === undefined) return true;
  const isLowEqual = ((mac % HALF) ^ (test.value % HALF)) & (test.mask % HALF);
  const isHighEqual = (Math.trunc(mac / HALF) ^ Math.trunc(test.value / HALF)) & Math.trunc(test.mask / HALF);
  return ((isLowEqual | isHighEqual) === 0) !== test.isInverted;
}

function interfaceFits(test: InterfaceTest | undefined, name: string): boolean {
  if (test === undefined) return true;
  const isSame = test.name.endsWith("+") ? name.startsWith(test.name.slice(0, -1)) : name === test.name;
  return isSame !== test.isInverted;
}

/** arp_packet_match */
function matches(match: ArpMatch, packet: ArpPacket, device: string, hook: "INPUT" | "OUTPUT"): boolean {
  return (
    fits(match.operation, packet.operation) &&
    fits(match.hardwareType, ETHERNET) &&
    fits(match.protocolType, ETHERTYPE_IPV4) &&
    fits(match.hardwareLength, ETHERNET_ADDRESS_BYTES) &&
    macFits(match.sourceMac, packet.senderMac) &&
    macFits(match.targetMac, packet.targetMac) &&
    fits(match.source, packet.senderIp) &&
    fits(match.target, packet.targetIp) &&
    interfaceFits(match.input, hook === "INPUT" ? device : "") &&
    interfaceFits(match.output, hook === "OUTPUT" ? device : "")
  );
}

/** arpt_mangle.c:target */
function mangled(packet: ArpPacket, mangle: ArpMangle): ArpPacket {
  return new ArpPacket(
    packet.operation,
    mangle.senderMac ?? packet.senderMac,
    mangle.senderIp ?? packet.senderIp,
    mangle.targetMac ?? packet.targetMac,
    mangle.targetIp ?? packet.targetIp,
  );
}
