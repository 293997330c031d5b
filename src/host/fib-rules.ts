/**
 * Policy rules: which routing table a packet is looked up in.
 *
 * Linux v6.1 net/core/fib_rules.c (fib_rules_lookup, fib_nl_newrule, fib_nl_delrule), net/ipv4/fib_rules.c.
 */

import { isInPrefix } from "../base/ipv4-address.ts";
import type { Errno, FibFlow, FibRule } from "./host.ts";
import { TABLE_DEFAULT, TABLE_LOCAL, TABLE_MAIN } from "./route.ts";

export const RULES_MAX = 4096;

const ANYWHERE = { network: 0, prefixLength: 0 };

/** A rule that matches everything and looks up `table`. */
export function lookupRule(priority: number, table: number): FibRule {
  return {
    priority,
    from: ANYWHERE,
    to: ANYWHERE,
    tos: 0,
    mark: 0,
    markMask: 0,
    inputDevice: "",
    outputDevice: "",
    isInverted: false,
    action: "lookup",
    table,
    suppressPrefixLength: undefined,
    target: undefined,
  };
}

/** True when `rule` applies to `flow`. Packets of this host count as coming in through lo. */
export function ruleMatches(rule: FibRule, flow: FibFlow): boolean {
  return matchesPlainly(rule, flow) !== rule.isInverted;
}

function matchesPlainly(rule: FibRule, flow: FibFlow): boolean {
  if (rule.inputDevice !== "" && rule.inputDevice !== (flow.input?.name ?? "lo")) return false;
  if (rule.outputDevice !== "" && rule.outputDevice !== flow.output?.name) return false;
  if (((rule.mark ^ flow.mark) & rule.markMask) !== 0) return false;
  if (!isInPrefix(flow.src, rule.from.network, rule.from.prefixLength)) return false;
  if (!isInPrefix(flow.dst, rule.to.network, rule.to.prefixLength)) return false;
  return rule.tos === 0 || rule.tos === flow.tos;
}

function isSamePrefix(a: FibRule["from"], b: FibRule["from"]): boolean {
  return a.network === b.network && a.prefixLength === b.prefixLength;
}

/** What a rule that exists already has in common with a new one (rule_exists); the priority is compared apart. */
function isSameRule(a: FibRule, b: FibRule): boolean {
  return (
    a.action === b.action &&
    a.table === b.table &&
    a.suppressPrefixLength === b.suppressPrefixLength &&
    a.mark === b.mark &&
    a.markMask === b.markMask &&
    a.inputDevice === b.inputDevice &&
    a.outputDevice === b.outputDevice &&
    a.isInverted === b.isInverted &&
    a.tos === b.tos &&
    isSamePrefix(a.from, b.from) &&
    isSamePrefix(a.to, b.to)
  );
}

/** True when `rule` has everything that the filter names (fib_nl_delrule). A selector that is not named matches only a rule without it when it is a prefix of length 0. */
function fitsFilter(rule: FibRule, filter: Partial<FibRule>): boolean {
  if (filter.priority !== undefined && filter.priority !== rule.priority) return false;
  if (filter.action !== undefined && filter.action !== rule.action) return false;
  if (filter.table !== undefined && filter.table !== rule.table) return false;
  if (filter.mark !== undefined && filter.mark !== rule.mark) return false;
  if (filter.markMask !== undefined && filter.markMask !== rule.markMask) return false;
  if (filter.inputDevice !== undefined && filter.inputDevice !== rule.inputDevice) return false;
  if (filter.outputDevice !== undefined && filter.outputDevice !== rule.outputDevice) return false;
  if (filter.suppressPrefixLength !== undefined && filter.suppressPrefixLength !== rule.suppressPrefixLength) return false;
  if (filter.tos !== undefined && filter.tos !== rule.tos) return false;
  if (filter.from !== undefined && filter.from.prefixLength > 0 && !isSamePrefix(filter.from, rule.from)) return false;
  return filter.to === undefined || filter.to.prefixLength === 0 || isSamePrefix(filter.to, rule.to);
}

export class FibRuleList {
  /** In order of priority, then of addition. */
  readonly list: FibRule[] = [lookupRule(0, TABLE_LOCAL), lookupRule(32766, TABLE_MAIN), lookupRule(32767, TABLE_DEFAULT)];

  /** The priority of a rule that names none: one less than that of the second rule (fib_default_rule_pref). */
  get nextPriority(): number {
    const second = this.list[1];
    return second !== undefined && second.priority > 0 ? second.priority - 1 : 0;
  }

  /** A negative priority stands for none given. */
  add(rule: FibRule): Errno | undefined {
    if (this.list.length >= RULES_MAX) return "ENOBUFS";
    const isNumbered = rule.priority >= 0;
    const exists = this.list.some((other) => (!isNumbered || other.priority === rule.priority) && isSameRule(other, rule));
    if (exists) return "EEXIST";
    const priority = isNumbered ? rule.priority : this.nextPriority;
    let index = 0;
    while (index < this.list.length && (this.list[index] as FibRule).priority <= priority) index++;
    this.list.splice(index, 0, { ...rule, priority });
    return undefined;
  }

  remove(filter: Partial<FibRule>): Errno | undefined {
    const index = this.list.findIndex((rule) => fitsFilter(rule, filter));
    if (index < 0) return "ENOENT";
    this.list.splice(index, 1);
    return undefined;
  }
}
