/**
 * The packet filter: tables of chains of rules on the netfilter hooks.
 *
 * A table comes to life when a command first touches it, even to list it; its hooks stay from then on. A change replaces the table as a
 * whole: rules are compiled once, packets walk arrays. Linux v6.1 net/ipv4/netfilter/ip_tables.c (ipt_do_table), iptable_*.c.
 */

import { assert } from "../../base/assert.ts";
import type { Errno, Host } from "../host.ts";
import type { NetfilterRow } from "../../trace/rows.ts";
import type { SkBuff } from "../skb.ts";
import type { Conntrack } from "./conntrack.ts";
import {
  type HookNumber,
  type HookState,
  NF_FORWARD,
  NF_LOCAL_IN,
  NF_LOCAL_OUT,
  NF_POSTROUTING,
  NF_PREROUTING,
  NF_PRIORITY_FILTER,
  NF_PRIORITY_MANGLE,
  NF_PRIORITY_RAW,
  type Verdict,
} from "./hooks.ts";
import { HOT_DROP, type IpvsMatcher, type MatchContext, type MatchFunction, NO } from "./match-context.ts";
import { compileMatch } from "./matches.ts";
import { Nat } from "./nat.ts";
import { RecentLists } from "./recent.ts";
import type { PacketMatch, RecentTest, Rule, TargetSpec } from "./rule.ts";
import { type Chain, isTableName, type Policy, RULES_MAX, TABLE_HOOKS, Table, type TableName } from "./table.ts";
import { compileTarget, needsConntrack, type TargetFunction } from "./targets.ts";

/** Jumps that may be open at once: the number of user chains bounds it in the kernel. */
const DEPTH_MAX = 512;
const NF_PRIORITY_SECURITY = 50;
const RECENT_HITS_MAX = 256;

const PRIORITIES: Readonly<Record<TableName, number>> = {
  raw: NF_PRIORITY_RAW,
  mangle: NF_PRIORITY_MANGLE,
  nat: 0,
  filter: NF_PRIORITY_FILTER,
  security: NF_PRIORITY_SECURITY,
};

/** What a rule does, decided when it is compiled. */
const ACT_CONTINUE = 0;
const ACT_ACCEPT = 1;
const ACT_DROP = 2;
const ACT_RETURN = 3;
const ACT_CHAIN = 4;
const ACT_TARGET = 5;

class CompiledRule {
  readonly rule: Rule;
  readonly packet: PacketMatch;
  readonly isAnyPacket: boolean;
  readonly matches: readonly MatchFunction[];
  action = ACT_CONTINUE;
  isGoto = false;
  chain: CompiledChain | undefined = undefined;
  target: TargetFunction | undefined = undefined;

  constructor(rule: Rule, matches: readonly MatchFunction[]) {
    this.rule = rule;
    this.packet = rule.spec.packet;
    this.isAnyPacket = isAnyPacket(this.packet);
    this.matches = matches;
  }
}

class CompiledChain {
  readonly name: string;
  readonly policy: Policy | undefined;
  rules: CompiledRule[] = [];

  constructor(name: string, policy: Policy | undefined) {
    this.name = name;
    this.policy = policy;
  }
}

interface LiveTable {
  chains: readonly Chain[];
  byHook: Map<HookNumber, CompiledChain>;
  conntrackUsers: number;
}

/** Where a rule or policy stands, and the part of its row that does not change. */
interface RulePlace {
  readonly key: string;
  readonly row: Pick<NetfilterRow, "table" | "chain" | "number">;
  rule(): string;
}

function placesIn(table: TableName, chain: Chain): [Rule | Policy, RulePlace][] {
  const placeAt = (number: number, rule: () => string): RulePlace => ({ key: `${table} ${chain.name} ${number}`, row: { table, chain: chain.name, number }, rule });
  const places: [Rule | Policy, RulePlace][] = chain.rules.map((rule, i) => {
    let text: string | undefined;
    const describe = () => (text ??= `-A ${chain.name} ${rule.spec.describe()}`.trimEnd());
    return [rule, placeAt(i + 1, describe)];
  });
  const { policy } = chain;
  if (policy !== undefined) places.unshift([policy, placeAt(0, () => `-P ${chain.name} ${policy.verdict}`)]);
  return places;
}

function isAnyPacket(p: PacketMatch): boolean {
  const isInverted = p.isSrcInverted || p.isDstInverted || p.isInputInverted || p.isOutputInverted || p.isProtocolInverted;
  return p.srcMask === 0 && p.dstMask === 0 && p.input === "" && p.output === "" && p.protocol === 0 && p.fragment === "any" && !isInverted;
}

function matchesDevice(name: string, pattern: string): boolean {
  return pattern.endsWith("+") ? name.startsWith(pattern.slice(0, -1)) : name === pattern;
}

/** ip_packet_match. */
function matchesPacket(skb: SkBuff, state: HookState, match: PacketMatch): boolean {
  const { ip } = skb;
  if ((((ip.src ^ match.src) & match.srcMask) === 0) === match.isSrcInverted) return false;
  if ((((ip.dst ^ match.dst) & match.dstMask) === 0) === match.isDstInverted) return false;
  if (match.input !== "" && matchesDevice(state.input?.name ?? "", match.input) === match.isInputInverted) return false;
  if (match.output !== "" && matchesDevice(state.output?.name ?? "", match.output) === match.isOutputInverted) return false;
  if (match.protocol !== 0 && (ip.protocol === match.protocol) === match.isProtocolInverted) return false;
  return match.fragment === "any" || (ip.fragmentOffset !== 0) === (match.fragment === "only");
}

export class Iptables {
  readonly #host: Host;
  readonly #conntrack: Conntrack;
  readonly #live = new Map<TableName, LiveTable>();
  readonly #context: MatchContext;
  readonly #stackRules: CompiledChain[] = [];
  readonly #stackIndexes: number[] = [];
  #ipvsMatcher: IpvsMatcher | undefined;
  #places: ReadonlyMap<Rule | Policy, RulePlace> | undefined;
  readonly nat: Nat;

  constructor(host: Host, conntrack: Conntrack) {
    this.#host = host;
    this.#conntrack = conntrack;
    this.nat = new Nat(host, conntrack);
    this.#registerTable();
    this.#context = { host, conntrack, nat: this.nat, recent: new RecentLists(host.loop), ipvs: () => this.#ipvsMatcher };
  }

  /** Rules and policies as rows; a rule's place is looked up once for each version of its table. */
  #registerTable(): void {
    const placeOf = (counted: Rule | Policy): RulePlace | undefined => {
      this.#places ??= new Map([...this.#live].flatMap(([name, { chains }]) => chains.flatMap((chain) => placesIn(name, chain))));
      return this.#places.get(counted);
    };
    this.#host.tables.register<Rule | Policy>("netfilter", {
      objects: () => [...this.#live.values()].flatMap(({ chains }) => chains.flatMap((chain) => [...(chain.policy === undefined ? [] : [chain.policy]), ...chain.rules])),
      keyOf: (counted) => placeOf(counted)?.key ?? "",
      // A rule that has left its table is never counted again.
      changing: ({ packets, bytes }) => ({ packets, bytes }),
      rowOf: (counted): NetfilterRow | undefined => {
        const place = placeOf(counted);
        return place === undefined ? undefined : { ...place.row, rule: place.rule(), packets: counted.packets, bytes: counted.bytes };
      },
    });
  }

  /** Tables that are alive, the youngest first: /proc/net/ip_tables_names. */
  get tableNames(): readonly TableName[] {
    return [...this.#live.keys()].reverse();
  }

  /** The IPVS module answers -m ipvs from now on. */
  setIpvsMatcher(matcher: IpvsMatcher): void {
    this.#ipvsMatcher = matcher;
  }

  /** A copy of a table to look at or to change; the first touch brings the table to life. ENOENT: there is no such table. */
  open(name: string): Table | Errno {
    if (!isTableName(name)) return "ENOENT";
    const live = this.#live.get(name) ?? this.#bringToLife(name);
    return new Table(name, live.chains);
  }

  /** Replaces the kernel's table. EINVAL: a rule does not fit its chain; ELOOP: chains call each other in a circle. */
  commit(table: Table): Errno | undefined {
    const live = this.#live.get(table.name);
    assert(live !== undefined, `table ${table.name} was opened before it is committed`);
    const error = checkTable(table);
    if (error !== undefined) return error;
    table.settle();
    live.chains = table.chains;
    this.#compile(live);
    return undefined;
  }

  #bringToLife(name: TableName): LiveTable {
    const live: LiveTable = { chains: new Table(name).chains, byHook: new Map(), conntrackUsers: 0 };
    this.#live.set(name, live);
    this.#compile(live);
    if (name === "nat") {
      this.nat.register((skb, state) => this.#runNat(live, skb, state));
      return live;
    }
    for (const hook of TABLE_HOOKS[name]) {
      const run =
        name === "mangle" && hook === NF_LOCAL_OUT
          ? this.#runMangleOutput.bind(this, live)
          : (skb: SkBuff, state: HookState) => this.#run(name, live, skb, state);
      this.#host.hooks.register(hook, PRIORITIES[name], run);
    }
    return live;
  }

  #compile(live: LiveTable): void {
    this.#places = undefined;
    if (this.#host.trace.hasTables) this.#host.tables.touchAll("netfilter");
    const compiled = new Map<string, CompiledChain>();
    for (const chain of live.chains) compiled.set(chain.name, new CompiledChain(chain.name, chain.policy));
    let users = 0;
    live.byHook = new Map();
    for (const chain of live.chains) {
      const own = compiled.get(chain.name);
      assert(own !== undefined, `chain ${chain.name} was compiled`);
      own.rules = chain.rules.map((rule) => this.#compileRule(rule, compiled));
      for (const rule of chain.rules) users += conntrackUses(rule);
      if (chain.hook !== undefined) live.byHook.set(chain.hook, own);
    }
    for (let i = live.conntrackUsers; i < users; i++) this.#conntrack.retain();
    for (let i = users; i < live.conntrackUsers; i++) this.#conntrack.release();
    live.conntrackUsers = users;
  }

  #compileRule(rule: Rule, chains: ReadonlyMap<string, CompiledChain>): CompiledRule {
    const compiled = new CompiledRule(
      rule,
      rule.spec.matches.filter((match) => match.kind !== "comment").map((match) => compileMatch(match, this.#context)),
    );
    const { target } = rule.spec;
    switch (target.kind) {
      case "none":
        break;
      case "verdict":
        compiled.action = target.verdict === "ACCEPT" ? ACT_ACCEPT : target.verdict === "DROP" ? ACT_DROP : ACT_RETURN;
        break;
      case "chain":
        compiled.action = ACT_CHAIN;
        compiled.isGoto = target.isGoto;
        compiled.chain = chains.get(target.chain);
        break;
      default:
        compiled.action = ACT_TARGET;
        compiled.target = compileTarget(target, this.#context);
    }
    return compiled;
  }

  /** ipt_mangle_out: a change of mark, TOS or addresses may change the route. */
  #runMangleOutput(live: LiveTable, skb: SkBuff, state: HookState): Verdict {
    const { src, dst, tos } = skb.ip;
    const { mark } = skb;
    const verdict = this.#run("mangle", live, skb, state);
    if (verdict !== "ACCEPT") return verdict;
    if (skb.ip.src === src && skb.ip.dst === dst && skb.mark === mark && skb.ip.tos === tos) return verdict;
    return this.#host.ip.routeMeHarder(skb) === undefined ? "ACCEPT" : "DROP";
  }

  #runNat(live: LiveTable, skb: SkBuff, state: HookState): Verdict {
    return this.#run("nat", live, skb, state);
  }

  /** ipt_do_table. */
  #run(name: TableName, live: LiveTable, skb: SkBuff, state: HookState): Verdict {
    const base = live.byHook.get(state.hook);
    if (base === undefined) return "ACCEPT";
    let chain = base;
    let index = 0;
    let depth = 0;
    for (;;) {
      const compiled = chain.rules[index++];
      if (compiled === undefined) {
        if (depth === 0) return this.#policy(name, base, skb);
        depth--;
        chain = this.#stackRules[depth] as CompiledChain;
        index = this.#stackIndexes[depth] as number;
        continue;
      }
      const result = this.#matches(compiled, skb, state);
      if (result === NO) continue;
      if (result === HOT_DROP) return this.#dropped(name, base, "hotdrop", skb, "NETFILTER_DROP");
      const { rule } = compiled;
      if (this.#host.trace.hasTables) this.#host.tables.touch("netfilter", rule);
      rule.packets++;
      rule.bytes += skb.ip.lengthBytes;
      switch (compiled.action) {
        case ACT_CONTINUE:
          break;
        case ACT_ACCEPT:
          this.#traceVerdict(name, chain, rule, skb, "ACCEPT");
          return "ACCEPT";
        case ACT_DROP:
          return this.#droppedBy(name, chain, rule, skb, "NETFILTER_DROP");
        case ACT_RETURN:
          index = chain.rules.length;
          break;
        case ACT_CHAIN:
          if (compiled.chain === undefined) break;
          if (!compiled.isGoto) {
            if (depth >= DEPTH_MAX) return this.#dropped(name, base, "too many jumps", skb, "NETFILTER_DROP");
            this.#stackRules[depth] = chain;
            this.#stackIndexes[depth] = index;
            depth++;
          }
          chain = compiled.chain;
          index = 0;
          break;
        default: {
          const verdict = compiled.target?.(skb, state) ?? "CONTINUE";
          if (verdict === "CONTINUE") {
            this.#traceVerdict(name, chain, rule, skb, "CONTINUE");
            break;
          }
          if (verdict === "ACCEPT") {
            this.#traceVerdict(name, chain, rule, skb, "ACCEPT");
            return "ACCEPT";
          }
          return this.#droppedBy(name, chain, rule, skb, verdict === "REJECTED" ? "NETFILTER_REJECT" : "NETFILTER_DROP");
        }
      }
    }
  }

  #matches(compiled: CompiledRule, skb: SkBuff, state: HookState): number {
    if (!compiled.isAnyPacket && !matchesPacket(skb, state, compiled.packet)) return NO;
    for (const match of compiled.matches) {
      const result = match(skb, state);
      if (result !== 1) return result;
    }
    return 1;
  }

  #policy(name: TableName, base: CompiledChain, skb: SkBuff): Verdict {
    const { policy } = base;
    if (policy === undefined) return "ACCEPT";
    if (this.#host.trace.hasTables) this.#host.tables.touch("netfilter", policy);
    policy.packets++;
    policy.bytes += skb.ip.lengthBytes;
    if (policy.verdict === "ACCEPT") return "ACCEPT";
    return this.#dropped(name, base, "-P", skb, "NETFILTER_DROP");
  }

  #droppedBy(name: TableName, chain: CompiledChain, rule: Rule, skb: SkBuff, reason: "NETFILTER_DROP" | "NETFILTER_REJECT"): Verdict {
    if (!this.#host.trace.isFull) return "DROP";
    this.#traceVerdict(name, chain, rule, skb, reason === "NETFILTER_REJECT" ? "REJECT" : "DROP");
    this.#traceDrop(skb, reason, `${name}: -A ${chain.name} ${rule.spec.describe()}`.trimEnd());
    return "DROP";
  }

  #dropped(name: TableName, base: CompiledChain, why: string, skb: SkBuff, reason: "NETFILTER_DROP"): Verdict {
    if (!this.#host.trace.isFull) return "DROP";
    const rule = why === "-P" ? `-P ${base.name} DROP` : why;
    skb.cause = this.#host.trace.emit({
      kind: "netfilter",
      host: this.#host.name,
      cause: skb.cause,
      table: name,
      chain: base.name,
      rule,
      verdict: "DROP",
      packet: skb.recorded,
    });
    this.#traceDrop(skb, reason, `${name}: ${rule}`);
    return "DROP";
  }

  #traceVerdict(name: TableName, chain: CompiledChain, rule: Rule, skb: SkBuff, verdict: string): void {
    const { trace } = this.#host;
    if (!trace.isFull) return;
    const text = `-A ${chain.name} ${rule.spec.describe()}`.trimEnd();
    skb.cause = trace.emit({ kind: "netfilter", host: this.#host.name, cause: skb.cause, table: name, chain: chain.name, rule: text, verdict, packet: skb.recorded });
  }

  #traceDrop(skb: SkBuff, reason: "NETFILTER_DROP" | "NETFILTER_REJECT", detail: string): void {
    skb.cause = this.#host.trace.emit({ kind: "packet-dropped", host: this.#host.name, cause: skb.cause, reason, packet: skb.recorded, detail });
  }
}

function conntrackUses(rule: Rule): number {
  let uses = needsConntrack(rule.spec.target) ? 1 : 0;
  for (const { kind } of rule.spec.matches) if (kind === "state" || kind === "conntrack" || kind === "connmark" || kind === "connlimit") uses++;
  return uses;
}

/* ------------------------------------------------------------------------------------------------- what the kernel refuses */

/** The checks of checkentry and mark_source_chains: EINVAL, ELOOP, ERANGE or ENOMEM. */
function checkTable(table: Table): Errno | undefined {
  let count = 0;
  const marks: SourceMarks = { chains: new Map(), rules: new Map() };
  for (const chain of table.chains) {
    count += chain.rules.length;
    for (const { spec } of chain.rules) if (spec.target.kind === "chain" && table.chain(spec.target.chain)?.policy !== undefined) return "EINVAL";
  }
  if (count > RULES_MAX) return "ENOMEM";
  for (const chain of table.chains) {
    if (chain.hook !== undefined && !markSources(table, chain, chain.hook, marks, [])) return "ELOOP";
  }
  for (const chain of table.chains) {
    for (const rule of chain.rules) {
      const error = checkRule(rule, table.name, marks.rules.get(rule) ?? NO_HOOKS);
      if (error !== undefined) return error;
    }
  }
  return undefined;
}

/** The hooks from which chains and rules can be reached. */
interface SourceMarks {
  readonly chains: Map<string, Set<HookNumber>>;
  readonly rules: Map<Rule, Set<HookNumber>>;
}

const NO_HOOKS: ReadonlySet<HookNumber> = new Set();

function mark<K>(marks: Map<K, Set<HookNumber>>, key: K, hook: HookNumber): void {
  const hooks = marks.get(key);
  if (hooks === undefined) marks.set(key, new Set([hook]));
  else hooks.add(hook);
}

/** Notes what `hook` reaches from `chain` on, up to a verdict for every packet; false when chains call each other in a circle. */
function markSources(table: Table, chain: Chain, hook: HookNumber, marks: SourceMarks, path: readonly string[]): boolean {
  if (path.includes(chain.name)) return false;
  if (marks.chains.get(chain.name)?.has(hook) === true) return true;
  for (const rule of chain.rules) {
    const { target, matches, packet } = rule.spec;
    mark(marks.rules, rule, hook);
    if (target.kind === "verdict" && matches.length === 0 && isAnyPacket(packet)) break;
    const next = target.kind === "chain" ? table.chain(target.chain) : undefined;
    if (next !== undefined && !markSources(table, next, hook, marks, [...path, chain.name])) return false;
  }
  mark(marks.chains, chain.name, hook);
  return true;
}

/** Tables and hooks where a target may stand (struct xt_target: table, hooks). Absent: anywhere. */
const TARGET_PLACES: Readonly<Record<string, { readonly table?: TableName; readonly hooks?: readonly HookNumber[] }>> = {
  REJECT: { table: "filter", hooks: [NF_LOCAL_IN, NF_FORWARD, NF_LOCAL_OUT] },
  DNAT: { table: "nat", hooks: [NF_PREROUTING, NF_LOCAL_OUT] },
  SNAT: { table: "nat", hooks: [NF_POSTROUTING, NF_LOCAL_IN] },
  MASQUERADE: { table: "nat", hooks: [NF_POSTROUTING] },
  REDIRECT: { table: "nat", hooks: [NF_PREROUTING, NF_LOCAL_OUT] },
  NETMAP: { table: "nat" },
  CT: { table: "raw" },
  TTL: { table: "mangle" },
  TOS: { table: "mangle" },
  DSCP: { table: "mangle" },
};

function checkRule(rule: Rule, table: TableName, hooks: ReadonlySet<HookNumber>): Errno | undefined {
  const { spec } = rule;
  const place = TARGET_PLACES[spec.target.kind];
  if (place?.table !== undefined && place.table !== table) return "EINVAL";
  if (place?.hooks !== undefined) for (const hook of hooks) if (!place.hooks.includes(hook)) return "EINVAL";
  const protocol = spec.packet.isProtocolInverted ? 0 : spec.packet.protocol;
  for (const match of spec.matches) {
    if (match.kind === "tcp" && protocol !== 6) return "EINVAL";
    if (match.kind === "tcpmss" && protocol !== 6) return "EINVAL";
    if (match.kind === "udp" && protocol !== 17) return "EINVAL";
    if (match.kind === "sctp" && protocol !== 132) return "EINVAL";
    if (match.kind === "icmp" && protocol !== 1) return "EINVAL";
    if (match.kind === "multiport" && ![6, 17, 33, 132, 136].includes(protocol)) return "EINVAL";
    if (match.kind === "mac" && [...hooks].some((hook) => hook === NF_LOCAL_OUT || hook === NF_POSTROUTING)) return "EINVAL";
    if (match.kind === "recent" && !isRecentPossible(match.test)) return "EINVAL";
    if (match.kind === "limit" && (match.burst === 0 || match.averageUnits * match.burst > 0xffffffff)) return "ERANGE";
  }
  return checkTarget(spec.target, rule, protocol, hooks);
}

/** xt_recent.c:recent_mt_check. */
function isRecentPossible(test: RecentTest): boolean {
  const hasCondition = test.seconds > 0 || test.hitCount > 0 || test.isTtl || test.isReap;
  if ((test.action === "set" || test.action === "remove") && hasCondition) return false;
  return test.hitCount < RECENT_HITS_MAX;
}

function checkTarget(target: TargetSpec, rule: Rule, protocol: number, hooks: ReadonlySet<HookNumber>): Errno | undefined {
  if (target.kind === "REJECT" && target.with === "tcp-reset" && protocol !== 6) return "EINVAL";
  if (target.kind !== "TCPMSS") return undefined;
  if (target.mss === "clamp" && [...hooks].some((hook) => hook === NF_PREROUTING || hook === NF_LOCAL_IN)) return "EINVAL";
  const isForSyn = rule.spec.matches.some((match) => match.kind === "tcp" && (match.flagCompare & 2) !== 0 && !match.areFlagsInverted);
  return protocol === 6 && isForSyn ? undefined : "EINVAL";
}
