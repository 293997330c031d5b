/**
 * declare, local, export, readonly, unset, shift, let, getopts.
 */

import { ArithmeticError } from "../arithmetic.ts";
import { assignElements, type ReadyAssignment } from "../assignments.ts";
import { ShellExit } from "../control-flow.ts";
import { formatFunction } from "../function-text.ts";
import { formatDeclaration } from "../parameter-transform.ts";
import { assignQuote } from "../quoting.ts";
import type { Shell } from "../shell.ts";
import type { Builtin, BuiltinCall } from "../simple-command.ts";
import { isName, type Variable } from "../variables.ts";
import { print, usage } from "./support.ts";

interface Declaration {
  readonly on: Set<string>;
  readonly off: Set<string>;
  readonly items: readonly (string | ReadyAssignment)[];
}

/** Splits options from names; a number is the status of a told mistake. */
function readDeclaration(shell: Shell, call: BuiltinCall, letters: string): Declaration | number {
  const on = new Set<string>();
  const off = new Set<string>();
  let i = 0;
  for (; i < call.declared.length; i++) {
    const item = call.declared[i];
    if (typeof item !== "string" || !/^[-+]./.test(item)) break;
    if (item === "--") {
      i++;
      break;
    }
    for (const letter of item.slice(1)) {
      if (!letters.includes(letter)) {
        shell.complain(`${call.name}: ${item[0]}${letter}: invalid option`);
        return usage(shell, call.name);
      }
      (item.startsWith("-") ? on : off).add(letter);
    }
  }
  return { on, off, items: call.declared.slice(i) };
}

const declare: Builtin = (shell, call) => {
  const isLocal = call.name === "local";
  if (isLocal && shell.calls.length === 0) {
    shell.complain(shell.dialect === "dash" ? "local: not in a function" : "local: can only be used in a function");
    if (shell.dialect === "dash") throw new ShellExit(2);
    return 1;
  }
  const read = readDeclaration(shell, call, "aAfFgiIlnprtux");
  if (typeof read === "number") return read;
  const { on, items } = read;
  if (on.has("f") || on.has("F")) return declareFunctions(shell, call.name, on, items);
  if (on.has("p") || items.length === 0) return printDeclarations(shell, call.name, on, items);
  let status = 0;
  for (const item of items) {
    const assignment = typeof item === "string" ? undefined : item;
    const name = assignment?.name ?? (item as string);
    if (name === "-" && isLocal) continue;
    if (!declareOne(shell, call.name, { name, assignment, read, isLocal: (isLocal || shell.calls.length > 0) && !on.has("g") })) status = 1;
  }
  return status;
};

interface OneDeclaration {
  readonly name: string;
  readonly assignment: ReadyAssignment | undefined;
  readonly read: Declaration;
  readonly isLocal: boolean;
}

function declareOne(shell: Shell, command: string, one: OneDeclaration): boolean {
  const { assignment, read } = one;
  // `declare "x=1"`: an assignment that came out of an expansion.
  const spelled = assignment === undefined ? /^([A-Za-z_]\w*)(\+?=)([\s\S]*)$/.exec(one.name) : null;
  const name = spelled?.[1] ?? one.name;
  if (!isName(name)) {
    shell.complain(`${command}: \`${assignment?.source ?? one.name}': not a valid identifier`);
    return false;
  }
  const variable = one.isLocal ? shell.variables.local(name) : read.on.has("g") ? shell.variables.global(name) : shell.variables.findOrCreate(name);
  const hasValue = assignment !== undefined || spelled !== null;
  if (variable.isReadonly && (hasValue || read.off.has("r"))) {
    shell.complain(`${command === "export" || command === "readonly" ? "" : `${command}: `}${name}: readonly variable`);
    return false;
  }
  setAttributes(variable, read);
  if (read.on.has("a") && variable.list === undefined) shell.makeList(variable);
  if (read.on.has("A") && variable.table === undefined) {
    variable.table = new Map(variable.text === undefined ? [] : [["0", variable.text]]);
    variable.text = undefined;
  }
  const isReadonly = variable.isReadonly;
  variable.isReadonly = false;
  try {
    if (variable.isReference && hasValue) variable.text = spelled?.[3] ?? (assignment?.value as string);
    else if (spelled !== null) shell.assignText(name, spelled[3] as string, { appends: spelled[2] === "+=", isLocal: one.isLocal });
    else if (assignment !== undefined && typeof assignment.value === "string") assignScalar(shell, name, assignment, one.isLocal);
    else if (assignment !== undefined) assignElements(shell, name, assignment.value as Exclude<ReadyAssignment["value"], string>, assignment.appends);
  } finally {
    variable.isReadonly = isReadonly;
  }
  return true;
}

function assignScalar(shell: Shell, name: string, assignment: ReadyAssignment, isLocal: boolean): void {
  if (assignment.subscript !== undefined) shell.assignElement(name, assignment.subscript, assignment.value as string, assignment.appends);
  else shell.assignText(name, assignment.value as string, { appends: assignment.appends, isLocal });
}

function setAttributes(variable: Variable, read: Declaration): void {
  const { on, off } = read;
  const decide = (letter: string, old: boolean): boolean => (on.has(letter) ? true : off.has(letter) ? false : old);
  variable.isInteger = decide("i", variable.isInteger);
  variable.isExported = decide("x", variable.isExported);
  variable.isReadonly = decide("r", variable.isReadonly);
  variable.isReference = decide("n", variable.isReference);
  variable.isLower = decide("l", variable.isLower) && !on.has("u");
  variable.isUpper = decide("u", variable.isUpper) && !on.has("l");
}

function printDeclarations(shell: Shell, command: string, on: ReadonlySet<string>, items: readonly (string | ReadyAssignment)[]): number {
  if (items.length === 0) {
    const wanted = shell.variables
      .visible()
      .filter(
        ([, variable]) =>
          (!on.has("x") || variable.isExported) &&
          (!on.has("r") || variable.isReadonly) &&
          (!on.has("a") || variable.list !== undefined) &&
          (!on.has("A") || variable.table !== undefined) &&
          (!on.has("i") || variable.isInteger),
      );
    if (command === "local") return print(shell, command, listVariables(shell, true));
    if (on.size === 0) return print(shell, command, listVariables(shell));
    return print(shell, command, wanted.map(([name, variable]) => `${formatDeclaration(name, variable)}\n`).join(""));
  }
  let status = 0;
  for (const item of items) {
    const name = typeof item === "string" ? item : item.name;
    const variable = shell.variables.find(name);
    if (variable === undefined) {
      shell.complain(`${command}: ${name}: not found`);
      status = 1;
    } else print(shell, command, `${formatDeclaration(name, variable)}\n`);
  }
  return status;
}

/** Variables that bash always has; `set` shows them. */
const MADE_WHEN_READ = (
  "BASH BASHOPTS BASH_ALIASES BASH_ARGC BASH_ARGV BASH_CMDS BASH_EXECUTION_STRING BASH_LINENO BASH_SOURCE BASH_VERSINFO BASH_VERSION DIRSTACK EUID GROUPS HOSTNAME HOSTTYPE MACHTYPE OSTYPE PIPESTATUS PPID " +
  "SHELL SHELLOPTS UID _"
).split(" ");
const EMPTY_LISTS = new Set(["BASH_ALIASES", "BASH_ARGC", "BASH_ARGV", "BASH_CMDS", "BASH_LINENO", "BASH_SOURCE", "DIRSTACK", "GROUPS"]);

function formatMade(shell: Shell, name: string): string {
  if (EMPTY_LISTS.has(name)) return `${name}=()`;
  const list = shell.readDynamicList(name);
  if (list !== undefined) return `${name}=(${list.map((text, i) => `[${i}]="${text}"`).join(" ")})`;
  return `${name}=${assignQuote(name === "SHELL" ? "/bin/bash" : (shell.readDynamic(name) ?? ""))}`;
}

/** What `set` without arguments prints, or `local` inside a function. */
export function listVariables(shell: Shell, isLocal = false): string {
  const rows = shell.variables
    .visible()
    .filter(([name]) => !isLocal || shell.variables.hasLocal(name))
    .flatMap(([name, variable]): (readonly [string, string])[] => {
      if (variable.list !== undefined || variable.table !== undefined) return [[name, formatDeclaration(name, variable).replace(/^declare \S+ /, "")]];
      return variable.text === undefined ? [] : [[name, `${name}=${assignQuote(variable.text)}`]];
    });
  if (isLocal || shell.dialect === "dash") return rows.map(([, text]) => `${text}\n`).join("");
  const known = new Set(rows.map(([name]) => name));
  for (const name of MADE_WHEN_READ) if (!known.has(name)) rows.push([name, formatMade(shell, name)]);
  return rows
    .sort((a, b) => (a[0] < b[0] ? -1 : 1))
    .map(([, text]) => `${text}\n`)
    .join("");
}

function declareFunctions(shell: Shell, command: string, on: ReadonlySet<string>, items: readonly (string | ReadyAssignment)[]): number {
  const names = items.length === 0 ? [...shell.functions.keys()].sort() : items.map((item) => (typeof item === "string" ? item : item.name));
  let status = 0;
  for (const name of names) {
    const called = shell.functions.get(name);
    if (called === undefined) status = 1;
    else print(shell, command, on.has("F") ? `${items.length === 0 ? "declare -f " : ""}${name}\n` : `${formatFunction(called)}\n`);
  }
  return status;
}

const exportOrReadonly: Builtin = (shell, call) => {
  const isExport = call.name === "export";
  const read = readDeclaration(shell, call, isExport ? "fnp" : "aAfp");
  if (typeof read === "number") return read;
  const { on, items } = read;
  if (items.length === 0) {
    const rows = shell.variables.visible().filter(([, variable]) => (isExport ? variable.isExported : variable.isReadonly));
    const format = (name: string, variable: Variable): string =>
      shell.dialect === "dash" ? `${call.name} ${name}='${variable.text ?? ""}'` : formatDeclaration(name, variable);
    return print(shell, call.name, rows.map(([name, variable]) => `${format(name, variable)}\n`).join(""));
  }
  if (on.has("f")) {
    const missing = items.map((item) => (typeof item === "string" ? item : item.name)).find((name) => !shell.functions.has(name));
    if (missing === undefined) return 0;
    shell.complain(`${call.name}: ${missing}: not a function`);
    return 1;
  }
  const attribute = isExport ? "x" : "r";
  const asked: Declaration = {
    on: new Set(on.has("n") ? [] : [attribute, ...[...on].filter((letter) => letter === "a" || letter === "A")]),
    off: new Set(on.has("n") ? [attribute] : []),
    items,
  };
  let status = 0;
  for (const item of items) {
    const assignment = typeof item === "string" ? undefined : item;
    if (!declareOne(shell, call.name, { name: assignment?.name ?? (item as string), assignment, read: asked, isLocal: false })) status = 1;
  }
  return status;
};

const unset: Builtin = (shell, { name, args }) => {
  const options = args.filter((arg, i) => /^-[fvn]+$/.test(arg) && args.slice(0, i).every((before) => before.startsWith("-")));
  const names = args.slice(options.length).filter((arg) => arg !== "--");
  const isFunction = options.some((option) => option.includes("f"));
  let status = 0;
  for (const word of names) {
    if (isFunction) {
      shell.functions.delete(word);
      continue;
    }
    const element = /^([A-Za-z_]\w*)\[([\s\S]*)\]$/.exec(word);
    if (element === null && !isName(word)) {
      shell.complain(`${name}: \`${word}': not a valid identifier`);
      status = 1;
      continue;
    }
    const base = element?.[1] ?? word;
    const variable = shell.variables.find(options.some((option) => option.includes("n")) ? base : shell.resolveName(base));
    if (variable?.isReadonly === true) {
      shell.complain(`${name}: ${base}: cannot unset: readonly variable`);
      status = 1;
    } else if (element !== null) unsetElement(shell, variable, element[2] as string);
    else if (variable === undefined) shell.functions.delete(word);
    else shell.unset(shell.resolveName(word));
  }
  return status;
};

function unsetElement(shell: Shell, variable: Variable | undefined, subscript: string): void {
  if (variable === undefined) return;
  if (subscript === "@" || subscript === "*") {
    variable.list?.clear();
    variable.table?.clear();
  } else if (variable.table !== undefined) variable.table.delete(subscript.replace(/^(["'])(.*)\1$/, "$2"));
  else {
    let index = Number(shell.arithmetic(subscript));
    if (index < 0) index += Math.max(-1, ...(variable.list?.keys() ?? [])) + 1;
    if (variable.list === undefined && index === 0) variable.text = undefined;
    variable.list?.delete(index);
  }
}

const shift: Builtin = (shell, { name, args }) => {
  const text = args[0] ?? "1";
  if (!/^\d+$/.test(text)) {
    shell.complain(/^-\d+$/.test(text) ? `${name}: ${text}: shift count out of range` : `${name}: ${text}: numeric argument required`);
    return 1;
  }
  if (Number(text) > shell.args.length) {
    if (shell.dialect === "dash") shell.complain("shift: can't shift that many");
    return 1;
  }
  shell.args = shell.args.slice(Number(text));
  return 0;
};

const letBuiltin: Builtin = (shell, { name, args }) => {
  if (args.length === 0) {
    shell.complain(`${name}: expression expected`);
    return 1;
  }
  let value = 0n;
  for (const text of args) {
    try {
      value = shell.evaluate(text);
    } catch (error) {
      if (!(error instanceof ArithmeticError)) throw error;
      shell.complain(`${name}: ${error.message}`);
      return 1;
    }
  }
  return value === 0n ? 1 : 0;
};

const getopts: Builtin = (shell, { name, args }) => {
  const [spec, variable, ...given] = args;
  if (spec === undefined || variable === undefined) return usage(shell, name);
  const words = args.length > 2 ? given : shell.args;
  const isSilent = spec.startsWith(":");
  let index = Math.max(1, Number(shell.readText("OPTIND") ?? "1"));
  const position = shell.optionPosition;
  const word = words[index - 1];
  const finish = (option: string, argument: string | undefined, nextIndex: number, nextPosition: number): void => {
    shell.assignText("OPTIND", String(nextIndex));
    shell.optionPosition = nextPosition;
    shell.assignText(variable, option);
    if (argument === undefined) shell.variables.remove("OPTARG");
    else shell.assignText("OPTARG", argument);
  };
  if (word === undefined || (position === 0 && (!word.startsWith("-") || word === "-" || word === "--"))) {
    finish("?", undefined, word === "--" ? index + 1 : index, 0);
    return 1;
  }
  const at = position === 0 ? 1 : position;
  const letter = word[at] as string;
  const isLast = at + 1 >= word.length;
  const found = letter === ":" ? -1 : spec.indexOf(letter, isSilent ? 1 : 0);
  const following = isLast ? index + 1 : index;
  const place = shell.dialect === "dash" ? "" : `${shell.name}: `;
  if (found < 0) {
    if (!isSilent && shell.readText("OPTERR") !== "0")
      shell.errorOutput(shell.dialect === "dash" ? `Illegal option -${letter}\n` : `${place}illegal option -- ${letter}\n`);
    finish("?", isSilent ? letter : undefined, following, isLast ? 0 : at + 1);
    return 0;
  }
  if (spec[found + 1] !== ":") {
    finish(letter, undefined, following, isLast ? 0 : at + 1);
    return 0;
  }
  const argument = isLast ? words[index++] : word.slice(at + 1);
  if (argument === undefined) {
    if (!isSilent && shell.readText("OPTERR") !== "0")
      shell.errorOutput(shell.dialect === "dash" ? `No arg for -${letter} option\n` : `${place}option requires an argument -- ${letter}\n`);
    finish(isSilent ? ":" : "?", isSilent ? letter : undefined, index, 0);
    return 0;
  }
  finish(letter, argument, index + 1, 0);
  return 0;
};

export const variableBuiltins: ReadonlyMap<string, Builtin> = new Map<string, Builtin>([
  ["declare", declare],
  ["typeset", declare],
  ["local", declare],
  ["export", exportOrReadonly],
  ["readonly", exportOrReadonly],
  ["unset", unset],
  ["shift", shift],
  ["let", letBuiltin],
  ["getopts", getopts],
]);
