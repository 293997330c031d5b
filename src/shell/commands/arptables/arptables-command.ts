/**
 * arptables-legacy: the ARP packet filter's command, as Red Hat's guides for LVS use it under the name of arptables.
 *
 * arptables v0.0.5 (legacy): arptables.c, libarptc/libarptc_incl.c (the words of errors). Options that it does not know it passes over without a word.
 */

import { ArpTable } from "../../../host/netfilter/arp-table.ts";
import type { ArpChain, ArpRuleSpec } from "../../../host/netfilter/arp-table.ts";
import type { Errno } from "../../../host/host.ts";
import type { Command, CommandContext } from "../../command.ts";
import { errorText } from "../../errno-text.ts";
import { resolveHost } from "../../names.ts";
import { ARPTABLES_HELP } from "./help.ts";
import { ArptablesUsage, formatRule, type ListStyle, RuleDraft } from "./rule-text.ts";

const VERSION = "arptables v0.0.5";
const STATUS_KERNEL = 1;
const STATUS_USAGE = 2;
const CHAIN_NAME_MAX = 29;

/** Options with a value, by every name that they have. */
const VALUED: Readonly<Record<string, string>> = {
  "source-ip": "s",
  "src-ip": "s",
  source: "s",
  "destination-ip": "d",
  "dst-ip": "d",
  destination: "d",
  "source-mac": "source-mac",
  "src-mac": "source-mac",
  "destination-mac": "destination-mac",
  "dst-mac": "destination-mac",
  "h-length": "l",
  opcode: "opcode",
  "h-type": "h-type",
  "proto-type": "proto-type",
  "in-interface": "i",
  "out-interface": "o",
  jump: "j",
  table: "t",
  match: "m",
};
const MANGLE = ["mangle-ip-s", "mangle-ip-d", "mangle-mac-s", "mangle-mac-d", "mangle-target"];
const COMMANDS: Readonly<Record<string, string>> = {
  append: "A",
  delete: "D",
  insert: "I",
  replace: "R",
  list: "L",
  flush: "F",
  zero: "Z",
  "new-chain": "N",
  new: "N",
  "delete-chain": "X",
  "rename-chain": "E",
  policy: "P",
  version: "V",
  help: "h",
  numeric: "n",
  verbose: "v",
  exact: "x",
  "line-numbers": "0",
};
/** How many words a command takes, at least and at most. */
const COMMAND_WORDS: Readonly<Record<string, readonly [number, number]>> = { A: [1, 1], D: [1, 2], I: [1, 2], R: [2, 2], L: [0, 1], F: [0, 1], Z: [0, 1], N: [1, 1], X: [0, 1], E: [2, 2], P: [2, 2] };
const VALUED_LETTERS = "sdiojtml";

/** The kernel refused: exit status 1. */
class TableError extends Error {
  override readonly name = "TableError";
}

interface Request {
  command: string;
  readonly words: string[];
  readonly rule: RuleDraft;
  isNumeric: boolean;
  isVerbose: boolean;
  hasLineNumbers: boolean;
}

function run(context: CommandContext): number {
  const { stdout, stderr } = context;
  const request: Request = {
    command: "",
    words: [],
    rule: new RuleDraft((name) => resolveHost(context.machine, name)),
    isNumeric: false,
    isVerbose: false,
    hasLineNumbers: false,
  };
  try {
    const stray = read(context.args, request);
    if (stray !== undefined) {
      stdout.write(`Bad argument \`${stray}'\n`);
      stderr.write("Try `arptables -h' or 'arptables --help' for more information.\n");
      return STATUS_USAGE;
    }
    if (request.command === "") throw new ArptablesUsage("no command specified");
    if (request.command === "V" || request.command === "h") {
      stdout.write(request.command === "V" ? `${VERSION}\n` : ARPTABLES_HELP);
      return 0;
    }
    execute(context, request);
    return 0;
  } catch (error) {
    if (error instanceof TableError) {
      stderr.write(`arptables: ${error.message}\n`);
      return STATUS_KERNEL;
    }
    if (!(error instanceof ArptablesUsage)) throw error;
    stderr.write(`${VERSION}: ${error.message}\nTry \`arptables -h' or 'arptables --help' for more information.\n`);
    return STATUS_USAGE;
  }
}

/** Reads the command line into `request`; a word that belongs to nothing comes back. */
function read(args: readonly string[], request: Request): string | undefined {
  let isInverted = false;
  for (let i = 0; i < args.length; i++) {
    const word = args[i] as string;
    if (word === "!") {
      if (isInverted) throw new ArptablesUsage("multiple consecutive ! not allowed");
      isInverted = true;
      continue;
    }
    if (!word.startsWith("-") || word === "-") return word;
    const names = word.startsWith("--") ? [longName(word.slice(2), request.rule)] : [...word.slice(1)];
    for (const [at, name] of names.entries()) {
      const isLast = at === names.length - 1;
      if (name in COMMAND_WORDS) {
        if (request.command !== "") throw new ArptablesUsage(`Can't use -${name} with -${request.command}\n`);
        const [least, most] = COMMAND_WORDS[name] as readonly [number, number];
        while (isLast && request.words.length < most && args[i + 1] !== undefined && !/^[-!]/.test(args[i + 1] as string)) request.words.push(args[++i] as string);
        if (request.words.length < least) throw new ArptablesUsage("no command specified");
        request.command = name;
      } else if (name.length > 1 || VALUED_LETTERS.includes(name)) {
        if (args[i + 1] === "!") {
          isInverted = true;
          i++;
        }
        const value = isLast ? args[++i] : undefined;
        if (value === undefined) throw new ArptablesUsage("no command specified");
        if (name !== "t" && name !== "m") request.rule.set(name, value, isInverted);
        isInverted = false;
      } else if (name === "V" || name === "h") request.command = name;
      else if (name === "n") request.isNumeric = true;
      else if (name === "v") request.isVerbose = true;
      else if (name === "0") request.hasLineNumbers = true;
      if (request.command === "V" || request.command === "h") return undefined;
    }
  }
  return undefined;
}

/** The options of a target are known once it has been named. An unknown option is a letter that means nothing. */
function longName(name: string, rule: RuleDraft): string {
  if (MANGLE.includes(name)) return rule.target === "mangle" ? name : "?";
  return VALUED[name] ?? COMMANDS[name] ?? "?";
}

function execute(context: CommandContext, request: Request): void {
  const { host } = context.machine;
  host.arp.table ??= new ArpTable(host);
  const table = host.arp.table;
  const { command } = request;
  if (command === "L") {
    list(context, table, request);
    return;
  }
  if ("ADIR".includes(command)) editRules(table, request);
  else editChains(table, request);
  if (host.trace.isFull) host.trace.emit({ kind: "table", host: host.name, cause: 0, table: "netfilter", change: "change", entry: `arptables ${context.args.join(" ")}` });
}

function chainOf(table: ArpTable, name: string): ArpChain {
  const chain = table.chain(name);
  if (chain === undefined) throw new TableError("No chain/target/match by that name");
  return chain;
}

function editRules(table: ArpTable, { command, words, rule }: Request): void {
  const [chainName = "", numberText] = words;
  const { input, output } = rule.match;
  if (output !== undefined && chainName === "INPUT") throw new ArptablesUsage("Can't use -o with INPUT\n");
  if (input !== undefined && chainName === "OUTPUT") throw new ArptablesUsage("Can't use -i with OUTPUT\n");
  const number = numberText === undefined ? undefined : ruleNumber(numberText);
  const spec = rule.finish((name) => table.chain(name) !== undefined);
  const chain = chainOf(table, chainName);
  if (command === "D") {
    const index = number === undefined ? chain.rules.findIndex((other) => isSame(other.spec, spec)) : number - 1;
    if (index < 0) throw new TableError("Bad rule (does a matching rule exist in that chain?)");
    if (index >= chain.rules.length) throw new TableError("Index of deletion too big");
    chain.rules.splice(index, 1);
    return;
  }
  if (spec === "EINVAL") throw new TableError(errorText("EINVAL"));
  if (command === "R") {
    const index = (number ?? 1) - 1;
    if (index >= chain.rules.length) throw new TableError("Index of replacement too big");
    const [old] = chain.rules.splice(index, 1);
    const errno = table.insert(chain, spec, index);
    if (errno !== undefined && old !== undefined) chain.rules.splice(index, 0, old);
    check(errno);
    return;
  }
  const errno = command === "A" ? table.insert(chain, spec) : table.insert(chain, spec, (number ?? 1) - 1);
  if (errno === "E2BIG") throw new TableError("Index of insertion too big");
  check(errno);
}

function isSame(a: ArpRuleSpec, b: ArpRuleSpec | "EINVAL"): boolean {
  return b !== "EINVAL" && sorted(a) === sorted(b);
}

/** One text for equal rules, in whatever order their parts were typed. */
function sorted(value: unknown): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${entries.map(([key, part]) => `${key}:${sorted(part)}`).join()}}`;
}

function ruleNumber(text: string): number {
  const number = /^\d+$/.test(text) ? Number(text) : 0;
  if (number < 1) throw new ArptablesUsage(`Invalid rule number \`${text}'`);
  return number;
}

function editChains(table: ArpTable, { command, words }: Request): void {
  const [name, second = ""] = words;
  if (command === "N") check(newChain(table, name ?? ""), "Chain already exists");
  else if (command === "P") setPolicy(table, name ?? "", second);
  else if (command === "E") {
    const chain = chainOf(table, name ?? "");
    if (table.chain(second) !== undefined) throw new TableError("Chain already exists");
    if (chain.policy !== undefined) throw new TableError(errorText("EINVAL"));
    table.renameChain(chain, second);
  } else if (command === "X") {
    const chains = name === undefined ? table.chains.filter(({ policy }) => policy === undefined) : [chainOf(table, name)];
    for (const chain of chains) check(table.deleteChain(chain));
  } else {
    for (const chain of name === undefined ? table.chains : [chainOf(table, name)]) {
      if (command === "F") chain.rules.length = 0;
      else for (const counted of [chain, ...chain.rules]) Object.assign(counted, { packets: 0, bytes: 0 });
    }
  }
}

function newChain(table: ArpTable, name: string): Errno | undefined {
  if (name.length > CHAIN_NAME_MAX) throw new ArptablesUsage(`chain name \`${name}' too long (must be under 30 chars)`);
  return table.createChain(name);
}

function setPolicy(table: ArpTable, name: string, policy: string): void {
  const chain = table.chain(name);
  if (chain?.policy === undefined) throw new TableError("Bad built-in chain name");
  if (policy !== "ACCEPT" && policy !== "DROP") throw new TableError("Bad policy name");
  chain.policy = policy;
}

const ERRORS: Readonly<Record<string, string>> = {
  EMLINK: "Can't delete chain with references left",
  ENOTEMPTY: "Chain is not empty",
  EINVAL: "Can't delete built-in chain",
  ELOOP: "Loop found in table",
};

function check(errno: Errno | undefined, text = ""): void {
  if (errno === undefined) return;
  throw new TableError(text !== "" && errno === "EEXIST" ? text : (ERRORS[errno] ?? errorText(errno)));
}

function list(context: CommandContext, table: ArpTable, request: Request): void {
  const [name] = request.words;
  const chains = name === undefined ? table.chains : table.chains.filter((chain) => chain.name === name);
  if (chains.length === 0) throw new TableError("Table does not exist (do you need to insmod?)");
  context.stdout.write(chains.map((chain) => listChain(table, chain, request)).join("\n"));
}

function listChain(table: ArpTable, chain: ArpChain, request: Request): string {
  const style: ListStyle = { isNumeric: request.isNumeric, isVerbose: request.isVerbose };
  const counters = request.isVerbose ? ` ${chain.packets} packets, ${chain.bytes} bytes` : "";
  const about = chain.policy === undefined ? `${table.references(chain.name)} references` : `policy ${chain.policy}${counters}`;
  const rules = chain.rules.map((rule, index) => `${request.hasLineNumbers ? `${index + 1} ` : ""}${formatRule(rule, style)}`);
  return `Chain ${chain.name} (${about})\n${rules.join("")}`;
}

export const arptablesLegacyCommand: Command = { path: "/usr/sbin/arptables-legacy", run };
