/**
 * Tables and chains as a command edits them: a copy of the kernel's table that is handed back as a whole, as libiptc does.
 *
 * Errors are errnos; the command words them. iptables v1.8.9 libiptc/libiptc.c.
 */

import type { Errno } from "../host.ts";
import { type HookNumber, NF_FORWARD, NF_LOCAL_IN, NF_LOCAL_OUT, NF_POSTROUTING, NF_PREROUTING } from "./hooks.ts";
import { isSameRule, Rule, type RuleSpec } from "./rule.ts";

export type TableName = "filter" | "nat" | "mangle" | "raw" | "security";

export const CHAIN_OF_HOOK = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"] as const;

/** The hooks of each table, in the order in which its chains are listed. */
export const TABLE_HOOKS: Readonly<Record<TableName, readonly HookNumber[]>> = {
  filter: [NF_LOCAL_IN, NF_FORWARD, NF_LOCAL_OUT],
  nat: [NF_PREROUTING, NF_LOCAL_IN, NF_LOCAL_OUT, NF_POSTROUTING],
  mangle: [NF_PREROUTING, NF_LOCAL_IN, NF_FORWARD, NF_LOCAL_OUT, NF_POSTROUTING],
  raw: [NF_PREROUTING, NF_LOCAL_OUT],
  security: [NF_LOCAL_IN, NF_FORWARD, NF_LOCAL_OUT],
};

export function isTableName(name: string): name is TableName {
  return Object.hasOwn(TABLE_HOOKS, name);
}

/** Most rules that a table takes: a bound on what one host costs. */
export const RULES_MAX = 20000;

/** The end of a built-in chain, with its counters. */
export class Policy {
  verdict: "ACCEPT" | "DROP" = "ACCEPT";
  packets = 0;
  bytes = 0;
}

export class Chain {
  name: string;
  readonly hook: HookNumber | undefined;
  readonly policy: Policy | undefined;
  rules: Rule[] = [];

  constructor(name: string, hook: HookNumber | undefined, policy: Policy | undefined) {
    this.name = name;
    this.hook = hook;
    this.policy = policy;
  }
}

/** Built-in chains first, then the others by name. */
function byListOrder(a: Chain, b: Chain): number {
  if (a.policy !== undefined || b.policy !== undefined) return (a.policy === undefined ? 1 : 0) - (b.policy === undefined ? 1 : 0);
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/** A table in the making. Rules are shared with the kernel's table until it is committed; nothing of it is changed before. */
export class Table {
  readonly name: TableName;
  chains: Chain[];
  readonly #zeroed = new Set<Rule | Policy>();
  readonly #policies = new Map<Policy, "ACCEPT" | "DROP">();
  readonly #counters = new Map<Policy, { readonly packets: number; readonly bytes: number }>();

  constructor(name: TableName, chains?: readonly Chain[]) {
    this.name = name;
    this.chains = chains === undefined ? TABLE_HOOKS[name].map((hook) => new Chain(CHAIN_OF_HOOK[hook], hook, new Policy())) : chains.map(copyChain);
  }

  chain(name: string): Chain | undefined {
    return this.chains.find((chain) => chain.name === name);
  }

  /** What the policy will be once committed. */
  policyOf(chain: Chain): { readonly verdict: "ACCEPT" | "DROP"; readonly packets: number; readonly bytes: number } | undefined {
    const { policy } = chain;
    if (policy === undefined) return undefined;
    const zero = this.#zeroed.has(policy) ? { packets: 0, bytes: 0 } : undefined;
    const counters = this.#counters.get(policy) ?? zero ?? policy;
    return { verdict: this.#policies.get(policy) ?? policy.verdict, packets: counters.packets, bytes: counters.bytes };
  }

  /** Counters of a rule as they will be once committed. */
  countersOf(rule: Rule): { readonly packets: number; readonly bytes: number } {
    return this.#zeroed.has(rule) ? { packets: 0, bytes: 0 } : rule;
  }

  references(name: string): number {
    let count = 0;
    for (const chain of this.chains) for (const rule of chain.rules) if (rule.spec.target.kind === "chain" && rule.spec.target.chain === name) count++;
    return count;
  }

  append(chainName: string, spec: RuleSpec, counters = { packets: 0, bytes: 0 }): Errno | undefined {
    const chain = this.chain(chainName);
    if (chain === undefined) return "ENOENT";
    chain.rules.push(new Rule(spec, counters.packets, counters.bytes));
    return undefined;
  }

  /** `index` counts from 0. */
  insert(chainName: string, index: number, spec: RuleSpec, counters = { packets: 0, bytes: 0 }): Errno | undefined {
    const chain = this.chain(chainName);
    if (chain === undefined) return "ENOENT";
    if (index > chain.rules.length) return "E2BIG";
    chain.rules.splice(index, 0, new Rule(spec, counters.packets, counters.bytes));
    return undefined;
  }

  replace(chainName: string, index: number, spec: RuleSpec, counters = { packets: 0, bytes: 0 }): Errno | undefined {
    const chain = this.chain(chainName);
    if (chain === undefined) return "ENOENT";
    if (index >= chain.rules.length) return "E2BIG";
    chain.rules[index] = new Rule(spec, counters.packets, counters.bytes);
    return undefined;
  }

  /** Index of the first equal rule, or -1. */
  indexOf(chain: Chain, spec: RuleSpec): number {
    return chain.rules.findIndex((rule) => isSameRule(rule.spec, spec));
  }

  deleteRule(chainName: string, spec: RuleSpec): Errno | undefined {
    const chain = this.chain(chainName);
    if (chain === undefined) return "ENOENT";
    const index = this.indexOf(chain, spec);
    if (index < 0) return "ENOENT";
    chain.rules.splice(index, 1);
    return undefined;
  }

  deleteNumber(chainName: string, index: number): Errno | undefined {
    const chain = this.chain(chainName);
    if (chain === undefined) return "ENOENT";
    if (index >= chain.rules.length) return "E2BIG";
    chain.rules.splice(index, 1);
    return undefined;
  }

  flush(chainName: string): Errno | undefined {
    const chain = this.chain(chainName);
    if (chain === undefined) return "ENOENT";
    chain.rules = [];
    return undefined;
  }

  zeroChain(chainName: string): Errno | undefined {
    const chain = this.chain(chainName);
    if (chain === undefined) return "ENOENT";
    for (const rule of chain.rules) this.#zeroed.add(rule);
    if (chain.policy !== undefined) {
      this.#zeroed.add(chain.policy);
      this.#counters.delete(chain.policy);
    }
    return undefined;
  }

  zeroNumber(chainName: string, index: number): Errno | undefined {
    const chain = this.chain(chainName);
    if (chain === undefined) return "ENOENT";
    const rule = chain.rules[index];
    if (rule === undefined) return "E2BIG";
    this.#zeroed.add(rule);
    return undefined;
  }

  createChain(name: string): Errno | undefined {
    if (this.chain(name) !== undefined || ["ACCEPT", "DROP", "QUEUE", "RETURN"].includes(name)) return "EEXIST";
    this.chains = [...this.chains, new Chain(name, undefined, undefined)].sort(byListOrder);
    return undefined;
  }

  deleteChain(name: string): Errno | undefined {
    const chain = this.chain(name);
    if (chain === undefined) return "ENOENT";
    if (chain.policy !== undefined) return "EINVAL";
    if (this.references(name) > 0) return "EMLINK";
    if (chain.rules.length > 0) return "ENOTEMPTY";
    this.chains = this.chains.filter((other) => other !== chain);
    return undefined;
  }

  renameChain(from: string, to: string): Errno | undefined {
    if (this.chain(to) !== undefined || ["ACCEPT", "DROP", "QUEUE", "RETURN"].includes(to)) return "EEXIST";
    const chain = this.chain(from);
    if (chain === undefined || chain.policy !== undefined) return "ENOENT";
    chain.name = to;
    for (const other of this.chains) other.rules = other.rules.map((rule) => withTargetChain(rule, from, to));
    this.chains.sort(byListOrder);
    return undefined;
  }

  setPolicy(chainName: string, verdict: string, counters?: { readonly packets: number; readonly bytes: number }): Errno | undefined {
    const policy = this.chain(chainName)?.policy;
    if (policy === undefined) return "ENOENT";
    if (verdict !== "ACCEPT" && verdict !== "DROP") return "EINVAL";
    this.#policies.set(policy, verdict);
    if (counters !== undefined) this.#counters.set(policy, counters);
    return undefined;
  }

  /** Carries out what had to wait for the commit. */
  settle(): void {
    for (const counted of this.#zeroed) {
      counted.packets = 0;
      counted.bytes = 0;
    }
    for (const [policy, verdict] of this.#policies) policy.verdict = verdict;
    // libiptc 1.8.9 forgets the counters of every policy whenever it hands a table back (__iptcc_p_del_policy, mended in 1.8.10).
    for (const { policy } of this.chains) {
      if (policy === undefined) continue;
      policy.packets = 0;
      policy.bytes = 0;
    }
    for (const [policy, counters] of this.#counters) {
      policy.packets = counters.packets;
      policy.bytes = counters.bytes;
    }
  }
}

function copyChain(chain: Chain): Chain {
  const copy = new Chain(chain.name, chain.hook, chain.policy);
  copy.rules = [...chain.rules];
  return copy;
}

function withTargetChain(rule: Rule, from: string, to: string): Rule {
  const { spec } = rule;
  if (spec.target.kind !== "chain" || spec.target.chain !== from) return rule;
  return new Rule({ packet: spec.packet, matches: spec.matches, target: { ...spec.target, chain: to }, describe: spec.describe }, rule.packets, rule.bytes);
}
