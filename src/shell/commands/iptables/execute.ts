/**
 * Carries out one iptables command on a table.
 *
 * iptables v1.8.9 iptables/iptables.c (do_command4), libiptc/libiptc.c (the words of errors).
 */

import type { Errno } from "../../../host/host.ts";
import type { RuleSpec, TargetSpec } from "../../../host/netfilter/rule.ts";
import type { Chain, Table } from "../../../host/netfilter/table.ts";
import { XtablesError } from "./extension.ts";
import type { Names } from "./names.ts";
import { type ParsedCommand, rulesOf } from "./rule-parser.ts";
import { announcedRule, type Counters, formatCount, formatHeader, type ListFormat, listedRule, savedRule } from "./rule-text.ts";

/** What the kernel or the library of chains refused; worded by the caller. */
export class TableError extends Error {
  override readonly name = "TableError";
  readonly errno: Errno;

  constructor(errno: Errno, message: string) {
    super(message);
    this.errno = errno;
  }
}

const STRERROR: Readonly<Record<string, string>> = {
  ENOENT: "No chain/target/match by that name",
  EEXIST: "File exists",
  EINVAL: "Invalid argument",
  EMLINK: "Too many links",
  ENOTEMPTY: "Directory not empty",
  ELOOP: "Too many levels of symbolic links",
  ERANGE: "Numerical result out of range",
  ENOMEM: "Memory allocation problem",
  E2BIG: "Argument list too long",
};

/** iptc_strerror without anything special about the operation. */
export function wordsOf(errno: Errno): string {
  return STRERROR[errno] ?? errno;
}

function must(errno: Errno | undefined, special: Readonly<Record<string, string>> = {}): void {
  if (errno !== undefined) throw new TableError(errno, special[errno] ?? wordsOf(errno));
}

export interface ExecuteContext {
  readonly names: Names;
  write(text: string): void;
  warn(text: string): void;
}

export function execute(command: ParsedCommand, table: Table, context: ExecuteContext): void {
  const [letter = ""] = command.letters;
  switch (letter) {
    case "A":
    case "C":
    case "D":
    case "I":
    case "R":
      changeRules(letter, command, table, context);
      break;
    case "Dn":
      must(table.deleteNumber(command.chain ?? "", command.ruleNumber - 1), { E2BIG: "Index of deletion too big" });
      break;
    case "F":
      eachChain(command, table, (chain) => {
        if (command.verbosity > 0 && command.chain === undefined) context.write(`Flushing chain \`${chain.name}'\n`);
        table.flush(chain.name);
      });
      break;
    case "N":
      must(table.createChain(command.chain ?? ""), { EEXIST: "Chain already exists" });
      break;
    case "X":
      deleteChains(command, table, context);
      break;
    case "E":
      must(table.renameChain(command.chain ?? "", command.newName ?? ""));
      break;
    case "P":
      must(table.setPolicy(command.chain ?? "", command.policy ?? ""), { ENOENT: "Bad built-in chain name", EINVAL: "Bad policy name" });
      break;
    default:
      listAndZero(command, table, context);
  }
}

function eachChain(command: ParsedCommand, table: Table, visit: (chain: Chain) => void): void {
  if (command.chain === undefined) {
    for (const chain of [...table.chains]) visit(chain);
    return;
  }
  const chain = table.chain(command.chain);
  if (chain === undefined) throw new TableError("ENOENT", wordsOf("ENOENT"));
  visit(chain);
}

function deleteChains(command: ParsedCommand, table: Table, context: ExecuteContext): void {
  if (command.chain !== undefined) {
    must(table.deleteChain(command.chain));
    return;
  }
  for (const chain of table.chains.filter(({ policy }) => policy === undefined)) {
    if (command.verbosity > 0) context.write(`Deleting chain \`${chain.name}'\n`);
    must(table.deleteChain(chain.name));
  }
}

/* ------------------------------------------------------------------------------------------------------------------- rules */

/** What the jump means: nothing, a chain of the table, or the target that was loaded. */
function settleTarget(command: ParsedCommand, table: Table, context: ExecuteContext): TargetSpec {
  const { draft } = command;
  const isChain = draft.jump !== "" && table.chain(draft.jump) !== undefined;
  if (draft.target !== undefined) {
    if (isChain) context.warn(`Warning: using chain ${draft.jump}, not extension\n`);
    if (draft.target.kind === "verdict" && draft.target.verdict === "DROP" && table.name === "nat") {
      throw new XtablesError('\nThe "nat" table is not intended for filtering, the use of DROP is therefore inhibited.\n\n');
    }
    if (!isChain) return draft.target;
  }
  if (draft.jump === "") return { kind: "none" };
  if (isChain) return { kind: "chain", chain: draft.jump, isGoto: draft.isGoto };
  if (draft.isGoto) throw new XtablesError(`goto '${draft.jump}' is not a chain`);
  throw new XtablesError(`Couldn't load target \`${draft.jump}':No such file or directory\n`);
}

function changeRules(letter: string, command: ParsedCommand, table: Table, context: ExecuteContext): void {
  const target = settleTarget(command, table, context);
  const chainName = command.chain ?? "";
  const rules = rulesOf(command.draft, target);
  if (command.verbosity > 0) for (const rule of rules) context.write(announcedRule(rule, context.names));
  for (const rule of rules) changeRule(letter, chainName, rule, command, table);
}

function changeRule(letter: string, chainName: string, rule: RuleSpec, command: ParsedCommand, table: Table): void {
  const { counters } = command.draft;
  const index = command.ruleNumber - 1;
  switch (letter) {
    case "A":
      must(table.append(chainName, rule, counters));
      return;
    case "I":
      must(table.insert(chainName, index, rule, counters), { E2BIG: "Index of insertion too big" });
      return;
    case "R":
      must(table.replace(chainName, index, rule, counters), { E2BIG: "Index of replacement too big" });
      return;
    default:
      findRule(letter, chainName, rule, table);
  }
}

/** -C and -D: the library says "bad rule" when there is no such rule or no such chain, unless the rule jumps to a chain. */
function findRule(letter: string, chainName: string, rule: RuleSpec, table: Table): void {
  const chain = table.chain(chainName);
  if (chain === undefined || table.indexOf(chain, rule) < 0)
    throw new TableError("ENOENT", rule.target.kind === "chain" ? wordsOf("ENOENT") : "Bad rule (does a matching rule exist in that chain?)");
  if (letter === "D") must(table.deleteRule(chainName, rule));
}

/* ------------------------------------------------------------------------------------------------------------ lists, zeroes */

function listAndZero(command: ParsedCommand, table: Table, context: ExecuteContext): void {
  if (command.letters.includes("L")) list(command, table, context);
  if (command.letters.includes("S")) listRules(command, table, context);
  if (command.letters.includes("Z")) {
    eachChain(command, table, (chain) => {
      if (command.verbosity > 0 && command.chain === undefined) context.write(`Zeroing chain \`${chain.name}'\n`);
      table.zeroChain(chain.name);
    });
  }
  if (command.letters.includes("Zn")) must(table.zeroNumber(command.chain ?? "", command.ruleNumber - 1), { E2BIG: "Index of counter too big" });
}

function list(command: ParsedCommand, table: Table, context: ExecuteContext): void {
  const format: ListFormat = {
    isNumeric: command.isNumeric,
    isVerbose: command.verbosity > 0,
    isExact: command.isExact,
    hasLineNumbers: command.hasLineNumbers,
  };
  const isSingle = command.ruleNumber > 0 && !command.letters.includes("Zn");
  let isFirst = true;
  eachChain(command, table, (chain) => {
    let text = isFirst ? "" : "\n";
    isFirst = false;
    if (!isSingle) text += chainTitle(chain, table, format) + formatHeader(format);
    chain.rules.forEach((rule, index) => {
      if (!isSingle || index === command.ruleNumber - 1) text += listedRule(rule.spec, table.countersOf(rule), index + 1, context.names, format);
    });
    context.write(text);
  });
}

function chainTitle(chain: Chain, table: Table, format: ListFormat): string {
  const policy = table.policyOf(chain);
  if (policy === undefined) return `Chain ${chain.name} (${table.references(chain.name)} references)\n`;
  const counters = format.isVerbose
    ? ` ${formatCount(policy.packets, format.isExact, false)}packets, ${formatCount(policy.bytes, format.isExact, false)}bytes`
    : "";
  return `Chain ${chain.name} (policy ${policy.verdict}${counters})\n`;
}

function listRules(command: ParsedCommand, table: Table, context: ExecuteContext): void {
  const isCounting = command.verbosity > 0;
  if (command.ruleNumber === 0) {
    for (const isBuiltIn of [true, false]) {
      eachChain(command, table, (chain) => {
        const policy = table.policyOf(chain);
        if ((policy !== undefined) !== isBuiltIn) return;
        if (policy === undefined) context.write(`-N ${chain.name}\n`);
        else context.write(`-P ${chain.name} ${policy.verdict}${isCounting ? ` -c ${policy.packets} ${policy.bytes}` : ""}\n`);
      });
    }
  }
  eachChain(command, table, (chain) => {
    chain.rules.forEach((rule, index) => {
      if (command.ruleNumber > 0 && index !== command.ruleNumber - 1) return;
      const counters: Counters | undefined = isCounting ? table.countersOf(rule) : undefined;
      context.write(`-A ${chain.name}${savedRule(rule.spec, counters)}\n`);
    });
  });
}
