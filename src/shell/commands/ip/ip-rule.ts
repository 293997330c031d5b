/**
 * ip rule: add, del, show, flush.
 *
 * iproute2 6.1 ip/iprule.c (iprule_modify, print_rule, iprule_list_flush_or_save).
 */

import { formatIpv4Address } from "../../../base/ipv4-address.ts";
import type { FibRule } from "../../../host/host.ts";
import { RULE_HELP } from "./ip-help.ts";
import { writeJson } from "./ip-link-format.ts";
import {
  Arguments,
  chosenOf,
  IpExit,
  type IpSession,
  isCutOf,
  type Json,
  namedTables,
  netlinkFailure,
  parseNumber,
  parseTable,
  parseTos,
  tableName,
  takePrefix,
  unsupported,
  wrongArgument,
} from "./ip-output.ts";

const TABLE_MAIN = 254;

export function runIpRule(session: IpSession, words: readonly string[]): number {
  const verb = words[0];
  if (verb === undefined) return show(session, []);
  const rest = words.slice(1);
  switch (chosenOf(verb, ["list", "lst", "show", "add", "delete", "flush", "save", "restore", "help"])) {
    case "list":
    case "lst":
    case "show":
      return show(session, rest);
    case "add":
      return modify(session, rest, "add");
    case "delete":
      return modify(session, rest, "del");
    case "flush":
      return flush(session);
    case "help":
      session.err(RULE_HELP);
      return 255;
    case undefined:
      throw new IpExit(255, `Command "${verb}" is unknown, try "ip rule help".\n`);
    default:
      return unsupported(`"ip rule ${verb}"`);
  }
}

type Selector = { -readonly [K in keyof FibRule]?: FibRule[K] };

/** Reads a rule's words. What was not given stays undefined. */
function parse(session: IpSession, words: readonly string[]): Selector {
  const rule: Selector = {};
  const args = new Arguments(words);
  const named = namedTables(session);
  while (!args.isAtEnd) {
    const word = args.take();
    if (word === "not") rule.isInverted = true;
    else if (word === "from" || word === "to") {
      const prefix = takePrefix(args.take());
      rule[word] = { network: prefix.address, prefixLength: prefix.prefixLength };
    } else if (isCutOf(word, "preference") || isCutOf(word, "order") || isCutOf(word, "priority")) {
      const text = args.take();
      rule.priority = parseNumber(text) ?? wrongArgument(text, "preference value is invalid\n");
    } else if (word === "tos" || isCutOf(word, "dsfield")) {
      const text = args.take();
      rule.tos = parseTos(text) ?? wrongArgument(text, "TOS value is invalid\n");
    } else if (word === "fwmark") parseMark(args.take(), rule);
    else if (isCutOf(word, "table") || isCutOf(word, "lookup")) {
      const text = args.take();
      rule.table = parseTable(text, named) ?? wrongArgument(text, "invalid table ID\n");
      rule.action = "lookup";
    } else if (isCutOf(word, "suppress_prefixlength") || word === "sup_pl") {
      const text = args.take();
      rule.suppressPrefixLength = parseNumber(text) ?? wrongArgument(text, "suppress_prefixlength value is invalid\n");
    } else if (word === "dev" || isCutOf(word, "iif")) rule.inputDevice = args.take();
    else if (word === "oif") rule.outputDevice = args.take();
    else if (isCutOf(word, "goto")) {
      const text = args.take();
      rule.target = parseNumber(text) ?? wrongArgument(text, "invalid target\n");
      rule.action = "goto";
    } else if (isCutOf(word, "help")) throw new IpExit(255, RULE_HELP);
    else if (UNSUPPORTED.has(word)) unsupported(`"ip rule ${word}"`);
    else rule.action = parseAction(word === "type" ? args.take() : word);
  }
  return rule;
}

const UNSUPPORTED = new Set([
  "realms",
  "protocol",
  "nat",
  "map-to",
  "l3mdev",
  "uidrange",
  "ipproto",
  "sport",
  "dport",
  "suppress_ifgroup",
  "sup_group",
  "tun_id",
]);

function parseMark(text: string, rule: Selector): void {
  const [mark = "", mask] = text.split("/");
  rule.mark = parseNumber(mark) ?? wrongArgument(text, "fwmark value is invalid\n");
  rule.markMask = mask === undefined ? 0xffffffff : (parseNumber(mask) ?? wrongArgument(mask, "fwmask value is invalid\n"));
}

function parseAction(word: string): FibRule["action"] {
  const types = ["unicast", "blackhole", "unreachable", "prohibit", "nop"] as const;
  const type = types.find((name) => name === word);
  if (type === undefined) return wrongArgument(word, "Failed to parse rule type");
  return type === "unicast" ? "lookup" : type;
}

const ANYWHERE = { network: 0, prefixLength: 0 };

function modify(session: IpSession, words: readonly string[], verb: "add" | "del"): number {
  if (words.length === 0) {
    session.err(`"ip rule ${verb}" requires arguments.\n`);
    return 1;
  }
  const rule = parse(session, words);
  const fib = session.host.fib;
  if (verb === "del") {
    const errno = fib.removeRule(rule);
    return errno === undefined ? 0 : netlinkFailure(errno, fib.message);
  }
  const errno = fib.addRule({
    priority: rule.priority ?? -1,
    from: rule.from ?? ANYWHERE,
    to: rule.to ?? ANYWHERE,
    tos: rule.tos ?? 0,
    mark: rule.mark ?? 0,
    markMask: rule.markMask ?? 0,
    inputDevice: rule.inputDevice ?? "",
    outputDevice: rule.outputDevice ?? "",
    isInverted: rule.isInverted ?? false,
    action: rule.action ?? "lookup",
    // A rule that names no table looks up main.
    table: rule.table ?? ((rule.action ?? "lookup") === "lookup" ? TABLE_MAIN : 0),
    suppressPrefixLength: rule.suppressPrefixLength,
    target: rule.target,
  });
  return errno === undefined ? 0 : netlinkFailure(errno, fib.message);
}

/** Everything but the rule of priority 0. */
function flush(session: IpSession): number {
  const fib = session.host.fib;
  for (const rule of [...fib.rules])
    if (rule.priority !== 0) fib.removeRule({ priority: rule.priority, table: rule.table, action: rule.action, from: rule.from, to: rule.to });
  return 0;
}

/* ----------------------------------------------------------------------------------------------------------------- show */

function show(session: IpSession, words: readonly string[]): number {
  const wanted = parse(session, words);
  const isWanted = (rule: FibRule): boolean =>
    (wanted.priority === undefined || wanted.priority === rule.priority) &&
    (wanted.table === undefined || wanted.table === rule.table) &&
    (wanted.inputDevice === undefined || wanted.inputDevice === rule.inputDevice) &&
    (wanted.outputDevice === undefined || wanted.outputDevice === rule.outputDevice) &&
    (wanted.mark === undefined || wanted.mark === rule.mark) &&
    (wanted.tos === undefined || wanted.tos === rule.tos) &&
    (wanted.from === undefined || (wanted.from.network === rule.from.network && wanted.from.prefixLength === rule.from.prefixLength)) &&
    (wanted.to === undefined || (wanted.to.network === rule.to.network && wanted.to.prefixLength === rule.to.prefixLength));
  if (session.flags.family === "inet6") return 0;
  const rules = session.host.fib.rules.filter(isWanted);
  const names = new Map([...namedTables(session)].map(([name, id]) => [id, name]));
  if (session.flags.isJson)
    writeJson(
      session,
      rules.map((rule) => ruleJson(rule, names)),
    );
  else for (const rule of rules) session.out(formatRule(session, rule, names));
  return 0;
}

function nameOf(table: number, names: ReadonlyMap<number, string>): string {
  return names.get(table) ?? tableName(table);
}

function host(prefix: FibRule["from"]): string {
  if (prefix.prefixLength === 0) return "all";
  return prefix.prefixLength === 32 ? formatIpv4Address(prefix.network) : `${formatIpv4Address(prefix.network)}/${prefix.prefixLength}`;
}

function hexadecimal(value: number): string {
  return `0x${value.toString(16)}`;
}

function formatRule(session: IpSession, rule: FibRule, names: ReadonlyMap<number, string>): string {
  const parts = [`${rule.priority}:\t`];
  if (rule.isInverted) parts.push("not ");
  parts.push(`from ${host(rule.from)}`);
  if (rule.to.prefixLength > 0) parts.push(` to ${host(rule.to)}`);
  if (rule.tos !== 0) parts.push(` tos ${`0x${rule.tos.toString(16).padStart(2, "0")}`}`);
  if (rule.mark !== 0 || rule.markMask !== 0)
    parts.push(` fwmark ${hexadecimal(rule.mark)}${rule.markMask === 0xffffffff ? "" : `/${hexadecimal(rule.markMask)}`}`);
  if (rule.inputDevice !== "") parts.push(` iif ${rule.inputDevice}${session.host.devices.byName(rule.inputDevice) === undefined ? " [detached]" : ""}`);
  if (rule.outputDevice !== "") parts.push(` oif ${rule.outputDevice}${session.host.devices.byName(rule.outputDevice) === undefined ? " [detached]" : ""}`);
  if (rule.action === "lookup") {
    parts.push(` lookup ${nameOf(rule.table, names)}`);
    if (rule.suppressPrefixLength !== undefined) parts.push(` suppress_prefixlength ${rule.suppressPrefixLength}`);
  } else if (rule.action === "goto") {
    const isResolved = session.host.fib.rules.some((other) => other.priority === rule.target);
    parts.push(` goto ${rule.target ?? "none"}${isResolved ? "" : " [unresolved]"}`);
  } else parts.push(` ${rule.action}`);
  if (session.flags.details > 0) parts.push(` proto ${isDefaultRule(rule) ? "kernel" : "unspec"}`);
  return `${parts.join("")}\n`;
}

/** The three that the kernel itself made; a rule of the same look that was added by hand shows the same. */
function isDefaultRule(rule: FibRule): boolean {
  const table = new Map([
    [0, 255],
    [32766, 254],
    [32767, 253],
  ]).get(rule.priority);
  return table === rule.table && rule.action === "lookup";
}

function ruleJson(rule: FibRule, names: ReadonlyMap<number, string>): Json {
  return {
    priority: rule.priority,
    not: rule.isInverted ? null : undefined,
    src: rule.from.prefixLength === 0 ? "all" : formatIpv4Address(rule.from.network),
    srclen: rule.from.prefixLength > 0 && rule.from.prefixLength < 32 ? rule.from.prefixLength : undefined,
    dst: rule.to.prefixLength > 0 ? formatIpv4Address(rule.to.network) : undefined,
    dstlen: rule.to.prefixLength > 0 && rule.to.prefixLength < 32 ? rule.to.prefixLength : undefined,
    tos: rule.tos !== 0 ? `0x${rule.tos.toString(16).padStart(2, "0")}` : undefined,
    fwmark: rule.markMask !== 0 ? hexadecimal(rule.mark) : undefined,
    fwmask: rule.markMask !== 0 && rule.markMask !== 0xffffffff ? hexadecimal(rule.markMask) : undefined,
    iif: rule.inputDevice !== "" ? rule.inputDevice : undefined,
    oif: rule.outputDevice !== "" ? rule.outputDevice : undefined,
    table: rule.action === "lookup" ? nameOf(rule.table, names) : undefined,
    suppress_prefixlen: rule.suppressPrefixLength,
    goto: rule.action === "goto" ? rule.target : undefined,
    action: rule.action !== "lookup" && rule.action !== "goto" ? rule.action : undefined,
  };
}
