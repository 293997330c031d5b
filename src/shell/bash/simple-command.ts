/**
 * Simple commands (bash manual 3.7): expansion, redirections, assignments, and what the first word stands for.
 */

import type { Assignment, Command, Redirection } from "unbash";
import type { Running } from "../command.ts";
import { errorText } from "../errno-text.ts";
import type { NoProgram, Program } from "../runtime.ts";
import { assignValue, type ReadyAssignment, readyAssignment } from "./assignments.ts";
import { ExpansionFailure } from "./control-flow.ts";
import { expandWords } from "./expansion.ts";
import { waitForChild } from "./jobs.ts";
import { traceQuote } from "./quoting.ts";
import { applyRedirections, type SavedFiles } from "./redirections.ts";
import type { Shell } from "./shell.ts";
import type { Variable } from "./variables.ts";

/** Arguments of a builtin: words, and assignments for declare and its like. */
export interface BuiltinCall {
  readonly name: string;
  readonly args: readonly string[];
  /** The same arguments with assignments kept apart; only for declaration builtins. */
  readonly declared: readonly (string | ReadyAssignment)[];
  /** exec keeps its redirections. */
  readonly saved: SavedFiles;
}

export type Builtin = (shell: Shell, call: BuiltinCall) => number | Running<number>;

const PAGE_CHARS = 4096;
const DECLARATIONS = new Set(["declare", "typeset", "local", "export", "readonly"]);
/** What dash does not have. */
const BASH_ONLY = new Set([
  "source",
  "let",
  "declare",
  "typeset",
  "shopt",
  "mapfile",
  "readarray",
  "enable",
  "builtin",
  "caller",
  "compgen",
  "complete",
  "compopt",
  "disown",
  "history",
  "logout",
  "popd",
  "pushd",
  "dirs",
  "suspend",
  "help",
]);

/** The table of builtins, given by engine.ts. */
let builtins: ReadonlyMap<string, Builtin> = new Map();

export function installBuiltins(table: ReadonlyMap<string, Builtin>): void {
  builtins = table;
}

export function builtinNamed(shell: Shell, name: string): Builtin | undefined {
  return shell.dialect === "dash" && BASH_ONLY.has(name) ? undefined : builtins.get(name);
}

export function isBuiltinName(name: string): boolean {
  return builtins.has(name);
}

/** bash counts the line of a command where its second word ends: that is how far it has read when it makes one. */
function lineOf(shell: Shell, node: Command): number {
  const { unit } = shell;
  if (unit === undefined) return shell.line;
  const elements: { readonly end: number; readonly pos: number }[] = [...node.prefix];
  if (node.name !== undefined) elements.push(node.name);
  elements.push(...node.suffix.slice(0, 2));
  elements.sort((a, b) => a.pos - b.pos);
  const [first] = node.prefix;
  const startsWithWord = first === undefined || (node.name !== undefined && node.name.pos < first.pos);
  const deciding = (startsWithWord ? elements[1] : undefined) ?? elements[0];
  return deciding === undefined ? shell.line : unit.lineAt(deciding.end);
}

export function* runSimpleCommand(shell: Shell, node: Command, inPlace: boolean): Running<number> {
  shell.line = lineOf(shell, node);
  shell.runningNode = node;
  shell.countCommand();
  shell.substitutionStatus = 0;
  const pending = shell.afterCommand;
  shell.afterCommand = [];
  try {
    return yield* runExpanded(shell, node, inPlace);
  } finally {
    // Generators that are being ended must not wait; a killed shell leaves its substitutions behind.
    shell.afterCommand = pending;
  }
}

function* runExpanded(shell: Shell, node: Command, inPlace: boolean): Running<number> {
  const assignments = node.prefix.filter((one): one is Assignment => one.type === "Assignment");
  if (node.name === undefined) {
    const status = yield* runAssignments(shell, assignments, node.redirects);
    yield* finishSubstitutions(shell);
    return status;
  }
  const isDeclaration = node.name.parts === undefined && DECLARATIONS.has(node.name.value) && !shell.functions.has(node.name.value);
  const declared: (string | ReadyAssignment)[] = [];
  let words: string[];
  if (isDeclaration) {
    words = [node.name.value];
    const isTable = node.args.some((arg) => arg.type === "Word" && /^-[a-zA-Z]*A/.test(arg.text));
    for (const arg of node.args) {
      if (arg.type === "Word") for (const word of yield* expandWords(shell, [arg])) declared.push(word);
      else declared.push(yield* readyAssignment(shell, arg, isTable));
    }
    for (const item of declared) words.push(typeof item === "string" ? item : item.source);
  } else words = yield* expandWords(shell, [node.name, ...node.args]);
  if (words.length === 0) return yield* runAssignments(shell, assignments, node.redirects);
  const prefix: ReadyAssignment[] = [];
  for (const assignment of assignments) prefix.push(yield* readyAssignment(shell, assignment, false));
  if (shell.options.has("xtrace")) traceWords(shell, prefix, words);
  const status = yield* runWithFiles(shell, {
    words,
    declared,
    prefix,
    redirects: node.redirects,
    inPlace: inPlace && node.redirects.length === 0 && shell.traps.size === 0,
    takesOver: inPlace && shell.isSubshell,
  });
  shell.lastArgument = words.at(-1) ?? "";
  if (shell.afterCommand.length > 0) yield* finishSubstitutions(shell);
  return status;
}

function* finishSubstitutions(shell: Shell): Running<void> {
  for (const end of shell.afterCommand.splice(0)) {
    const running = end();
    if (running !== undefined) yield* running;
  }
}

function traceWords(shell: Shell, prefix: readonly ReadyAssignment[], words: readonly string[]): void {
  const lines = prefix.map((assignment) => `${shell.tracePrefix}${assignment.trace}\n`).join("");
  shell.errorOutput(lines + (words.length === 0 ? "" : `${shell.tracePrefix}${words.map(traceQuote).join(" ")}\n`));
}

/** Assignments without a command stay. */
function* runAssignments(shell: Shell, assignments: readonly Assignment[], redirects: readonly Redirection[]): Running<number> {
  for (const assignment of assignments) {
    const ready = yield* readyAssignment(shell, assignment, false);
    if (shell.options.has("xtrace")) shell.errorOutput(`${shell.tracePrefix}${ready.trace}\n`);
    // Assigning to a read-only variable ends a non-interactive shell's input.
    if (!assignValue(shell, ready)) throw new ExpansionFailure(shell.dialect === "dash" ? 2 : 1);
  }
  shell.lastArgument = "";
  const saved = yield* applyRedirections(shell, redirects);
  if (saved === undefined) return shell.redirectionFailure;
  saved.undo();
  return shell.substitutionStatus;
}

interface Prepared {
  readonly words: readonly string[];
  readonly declared: readonly (string | ReadyAssignment)[];
  readonly prefix: readonly ReadyAssignment[];
  readonly redirects: readonly Redirection[];
  /** The process may become the program. */
  readonly inPlace: boolean;
  /** So even with redirections: a subshell that does nothing else. */
  readonly takesOver: boolean;
}

function* runWithFiles(shell: Shell, prepared: Prepared): Running<number> {
  const saved = yield* applyRedirections(shell, prepared.redirects);
  if (saved === undefined) return shell.redirectionFailure;
  const [name = "", ...args] = prepared.words;
  try {
    const called = shell.functions.get(name);
    const builtin = called === undefined ? builtinNamed(shell, name) : undefined;
    if (called === undefined && builtin === undefined) {
      const launch = { argv: prepared.words, prefix: prepared.prefix, inPlace: prepared.inPlace || prepared.takesOver };
      // The program must not hold open what the redirections replaced: nobody will put it back.
      if (prepared.takesOver) saved.keep();
      return yield* runFile(shell, launch);
    }
    const before = assignTemporarily(shell, prepared.prefix);
    if (before === undefined) return 1;
    try {
      if (called !== undefined) return yield* shell.engine.callFunction(shell, called, args);
      return yield* callBuiltin(shell, builtin as Builtin, { name, args, declared: prepared.declared, saved });
    } finally {
      for (const [variable, old] of before) shell.variables.restore(variable, old);
    }
  } finally {
    saved.undo();
  }
}

function* callBuiltin(shell: Shell, builtin: Builtin, call: BuiltinCall): Running<number> {
  const result = builtin(shell, call);
  const status = typeof result === "number" ? result : yield* result;
  yield* waitForReader(shell);
  if (shell.table.isDoomed(shell.process)) yield* shell.runtime.pass();
  return status;
}

/** Lets the reader of a pipe go on at every page of text, and waits for it when the pipe is full: a loop of builtins learns that nobody reads. */
function* waitForReader(shell: Shell): Running<void> {
  const output = shell.fds.get(1);
  const pages = output === undefined ? 0 : Math.floor(output.unreadChars / PAGE_CHARS);
  if (output === undefined || pages === shell.unreadPages) return;
  shell.unreadPages = pages;
  if (!output.hasRoom) yield* output.waitForRoom();
  else if (pages > 0) yield* shell.runtime.pass();
}

/** `A=1 builtin`: the variables are exported while it runs. Returns what was there before. */
function assignTemporarily(shell: Shell, prefix: readonly ReadyAssignment[]): Map<string, Variable | undefined> | undefined {
  const before = new Map<string, Variable | undefined>();
  for (const assignment of prefix) {
    const old = shell.variables.find(assignment.name);
    if (!before.has(assignment.name)) before.set(assignment.name, old === undefined ? undefined : { ...old });
    if (old !== undefined && !old.isReadonly && old.list === undefined && old.table === undefined) old.isExported = true;
    if (!assignValue(shell, assignment)) continue;
    const variable = shell.variables.find(assignment.name);
    if (variable !== undefined) variable.isExported = true;
  }
  return before;
}

interface FileLaunch {
  readonly argv: readonly string[];
  readonly prefix: readonly ReadyAssignment[];
  readonly inPlace: boolean;
  readonly env?: ReadonlyMap<string, string>;
  /** argv[0], when exec -a gives another. */
  readonly shownName?: string;
}

/** Finds and runs a program. */
export function* runFile(shell: Shell, launch: FileLaunch): Running<number> {
  const name = launch.argv[0] ?? "";
  const env = new Map<string, string>();
  for (const { name: variable, value } of launch.prefix) {
    if (shell.variables.find(variable)?.isReadonly === true) shell.complain(`${variable}: readonly variable`);
    else if (typeof value === "string") env.set(variable, value);
  }
  for (const [variable, value] of launch.env ?? shell.variables.exported()) if (!env.has(variable)) env.set(variable, value);
  const searchPath = env.get("PATH") ?? shell.readText("PATH") ?? "";
  const program = findProgram(shell, name, searchPath);
  if (program.kind === "none") {
    shell.table.traceMissing(launch.argv, program.status, shell.process);
    return reportMissing(shell, name, program);
  }
  env.set("_", program.path);
  const options = {
    argv: launch.shownName === undefined ? launch.argv : [launch.shownName, ...launch.argv.slice(1)],
    env,
    cwd: shell.cwd,
    fds: shell.fds,
    budget: shell.budget,
  };
  if (launch.inPlace) {
    const result = shell.runtime.runInPlace(program, { ...options, parent: undefined }, shell.process);
    return typeof result === "number" ? result : yield* result;
  }
  const child = shell.runtime.start(program, { ...options, parent: shell.process });
  const status = yield* waitForChild(shell, child);
  shell.pipeStatus = [status];
  return status;
}

export function findProgram(shell: Shell, name: string, searchPath: string): Program | NoProgram {
  const program = shell.runtime.find(name, shell.cwd, searchPath);
  if (program.kind !== "none" && !name.includes("/")) shell.hashed.set(name, program.path);
  return program;
}

function reportMissing(shell: Shell, name: string, missing: NoProgram): number {
  if (shell.dialect === "dash") {
    shell.complain(`${name}: ${missing.errno === "ENOENT" ? "not found" : errorText(missing.errno === "EISDIR" ? "EACCES" : missing.errno)}`);
    return missing.status;
  }
  if (missing.interpreter !== undefined) shell.complain(`${name}: ${missing.interpreter}: bad interpreter: ${errorText(missing.errno)}`);
  else if (missing.errno === "ENOENT" && !name.includes("/")) shell.complain(`${name}: command not found`);
  else shell.complain(`${name}: ${errorText(missing.errno)}`);
  return missing.status;
}

/** Runs words that another builtin was given: eval-free `command`, `builtin`. */
export function* runWords(shell: Shell, argv: readonly string[], skips: { readonly functions?: boolean; readonly files?: boolean }): Running<number> {
  const [name = "", ...args] = argv;
  const called = skips.functions === true ? undefined : shell.functions.get(name);
  if (called !== undefined) return yield* shell.engine.callFunction(shell, called, args);
  const builtin = builtinNamed(shell, name);
  if (builtin !== undefined) {
    const saved = yield* applyRedirections(shell, []);
    return yield* callBuiltin(shell, builtin, { name, args, declared: args, saved: saved as SavedFiles });
  }
  if (skips.files === true) {
    shell.complain(`builtin: ${name}: not a shell builtin`);
    return 1;
  }
  return yield* runFile(shell, { argv, prefix: [], inPlace: false });
}
