/**
 * cd, pwd, the directory stack, umask, ulimit, hash, alias, and the builtins that only make sense at a terminal.
 */

import { errorText } from "../../errno-text.ts";
import { singleQuote } from "../quoting.ts";
import type { Shell } from "../shell.ts";
import { type Builtin, isBuiltinName } from "../simple-command.ts";
import { builtinOptions, print, usage } from "./support.ts";

/** Changes the directory; the text of an error or undefined. */
function changeDirectory(shell: Shell, asked: string, isPhysical: boolean): string | undefined {
  const path = shell.path(asked);
  const status = shell.machine.files.status(path);
  if (status === undefined) return errorText("ENOENT");
  if (status.type !== "directory") return errorText("ENOTDIR");
  const old = shell.cwd;
  shell.cwd = isPhysical ? (shell.machine.files.realPath(path) ?? path) : path;
  shell.export("OLDPWD", old);
  shell.assignText("PWD", shell.cwd);
  return undefined;
}

const cd: Builtin = (shell, { name, args }) => {
  const options = builtinOptions(shell, name, args, "LPe@");
  if (typeof options === "number") return options;
  const { rest, letters } = options;
  if (rest.length > 1 && shell.dialect === "bash") {
    shell.complain(`${name}: too many arguments`);
    return 1;
  }
  const [asked] = rest;
  if (asked === "") return 0;
  const target = asked === undefined ? shell.readText("HOME") : asked === "-" ? shell.readText("OLDPWD") : asked;
  if (target === undefined) {
    shell.complain(`${name}: ${asked === "-" ? "OLDPWD" : "HOME"} not set`);
    return 1;
  }
  const failure = changeDirectory(shell, target, letters.has("P"));
  if (failure !== undefined) {
    shell.complain(shell.dialect === "dash" ? `cd: can't cd to ${target}` : `${name}: ${target}: ${failure}`);
    return shell.dialect === "dash" ? 2 : 1;
  }
  return asked === "-" ? print(shell, name, `${shell.cwd}\n`) : 0;
};

const pwd: Builtin = (shell, { name, args }) => {
  const options = builtinOptions(shell, name, args, "LP");
  if (typeof options === "number") return options;
  return print(shell, name, `${options.letters.has("P") ? (shell.machine.files.realPath(shell.cwd) ?? shell.cwd) : shell.cwd}\n`);
};

function shortHome(shell: Shell, path: string): string {
  const home = shell.readText("HOME");
  return home !== undefined && home !== "/" && (path === home || path.startsWith(`${home}/`)) ? `~${path.slice(home.length)}` : path;
}

function printStack(shell: Shell, name: string): number {
  return print(shell, name, `${[shell.cwd, ...shell.directoryStack].map((path) => shortHome(shell, path)).join(" ")}\n`);
}

const pushd: Builtin = (shell, { name, args }) => {
  const stack = shell.directoryStack;
  const target = args[0] ?? stack[0];
  if (target === undefined) {
    shell.complain(`${name}: no other directory`);
    return 1;
  }
  const old = shell.cwd;
  const failure = changeDirectory(shell, target, false);
  if (failure !== undefined) {
    shell.complain(`${name}: ${target}: ${failure}`);
    return 1;
  }
  if (args[0] === undefined) stack.shift();
  stack.unshift(old);
  return printStack(shell, name);
};

const popd: Builtin = (shell, { name }) => {
  const target = shell.directoryStack.shift();
  if (target === undefined) {
    shell.complain(`${name}: directory stack empty`);
    return 1;
  }
  const failure = changeDirectory(shell, target, false);
  if (failure !== undefined) shell.complain(`${name}: ${target}: ${failure}`);
  return failure === undefined ? printStack(shell, name) : 1;
};

const umask: Builtin = (shell, { name, args }) => {
  const options = builtinOptions(shell, name, args, "pS");
  if (typeof options === "number") return options;
  const [mode] = options.rest;
  if (mode === undefined) {
    const symbolic = ["u", "g", "o"].map((who, i) => {
      const bits = (~shell.umask >> (6 - 3 * i)) & 7;
      return `${who}=${bits & 4 ? "r" : ""}${bits & 2 ? "w" : ""}${bits & 1 ? "x" : ""}`;
    });
    return print(
      shell,
      name,
      options.letters.has("S") ? `${symbolic.join(",")}\n` : `${options.letters.has("p") ? "umask " : ""}${shell.umask.toString(8).padStart(4, "0")}\n`,
    );
  }
  if (/^[0-7]+$/.test(mode) && Number.parseInt(mode, 8) <= 0o777) {
    shell.umask = Number.parseInt(mode, 8);
    return 0;
  }
  shell.complain(/^\d/.test(mode) ? `${name}: ${mode}: octal number out of range` : `${name}: lvsim does not simulate symbolic modes`);
  return 1;
};

/** Letter, words of `ulimit -a`, unit, value, in its order. */
const LIMITS: readonly (readonly [string, string, string, string])[] = [
  ["R", "real-time non-blocking time", "microseconds, ", "unlimited"],
  ["c", "core file size", "blocks, ", "0"],
  ["d", "data seg size", "kbytes, ", "unlimited"],
  ["e", "scheduling priority", "", "0"],
  ["f", "file size", "blocks, ", "unlimited"],
  ["i", "pending signals", "", "3970"],
  ["l", "max locked memory", "kbytes, ", "8192"],
  ["m", "max memory size", "kbytes, ", "unlimited"],
  ["n", "open files", "", "1024"],
  ["p", "pipe size", "512 bytes, ", "8"],
  ["q", "POSIX message queues", "bytes, ", "819200"],
  ["r", "real-time priority", "", "0"],
  ["s", "stack size", "kbytes, ", "8192"],
  ["t", "cpu time", "seconds, ", "unlimited"],
  ["u", "max user processes", "", "3970"],
  ["v", "virtual memory", "kbytes, ", "unlimited"],
  ["x", "file locks", "", "unlimited"],
];
/** Values that scripts have set: they are shown, nothing is limited by them. */
const ulimits = new WeakMap<object, Map<string, string>>();

const ulimit: Builtin = (shell, { name, args }) => {
  const options = builtinOptions(shell, name, args, "SHacdefilmnpqrstuvxPRT");
  if (typeof options === "number") return options;
  const values = ulimits.get(shell.budget) ?? new Map<string, string>();
  ulimits.set(shell.budget, values);
  const shown = (row: (typeof LIMITS)[number]): string => values.get(row[0]) ?? row[3];
  if (options.letters.has("a")) {
    const lines = LIMITS.map((row) => {
      const unit = `(${row[2]}-${row[0]}) `;
      return `${row[1].padEnd(20)} ${unit.padStart(20)}${shown(row)}\n`;
    });
    return print(shell, name, lines.join(""));
  }
  const asked = [...options.letters].filter((letter) => letter !== "S" && letter !== "H");
  const letter = asked[0] ?? "f";
  const row = LIMITS.find((one) => one[0] === letter);
  if (row === undefined) return 0;
  const [value] = options.rest;
  if (value === undefined) return print(shell, name, `${shown(row)}\n`);
  if (!/^(?:\d+|unlimited|hard|soft)$/.test(value)) {
    shell.complain(`${name}: ${value}: invalid number`);
    return 1;
  }
  if (/^\d+$|^unlimited$/.test(value)) values.set(letter, value);
  return 0;
};

const hash: Builtin = (shell, { name, args }) => {
  if (args[0] === "-r") {
    shell.hashed.clear();
    return 0;
  }
  const words = args.filter((arg) => !arg.startsWith("-"));
  let status = 0;
  for (const word of words) {
    const program = shell.runtime.find(word, shell.cwd, shell.readText("PATH") ?? "");
    if (program.kind === "none") {
      shell.complain(`${name}: ${word}: not found`);
      status = 1;
    } else shell.hashed.set(word, program.path);
  }
  if (words.length > 0) return status;
  if (shell.hashed.size === 0) {
    if (shell.dialect === "dash") return 0;
    return print(shell, name, `${name}: hash table empty\n`);
  }
  return print(shell, name, `hits\tcommand\n${[...shell.hashed.values()].map((path) => `   1\t${path}\n`).join("")}`);
};

const alias: Builtin = (shell, { name, args }) => {
  const words = args.filter((arg) => arg !== "-p");
  const format = (key: string, value: string): string => `alias ${key}=${singleQuote(value)}\n`;
  if (words.length === 0)
    return print(
      shell,
      name,
      [...shell.aliases]
        .sort((a, b) => (a[0] < b[0] ? -1 : 1))
        .map(([key, value]) => format(key, value))
        .join(""),
    );
  let status = 0;
  for (const word of words) {
    const equals = word.indexOf("=");
    const value = shell.aliases.get(word);
    if (equals > 0) shell.aliases.set(word.slice(0, equals), word.slice(equals + 1));
    else if (value !== undefined) print(shell, name, format(word, value));
    else {
      shell.complain(`${name}: ${word}: not found`);
      status = 1;
    }
  }
  return status;
};

const unalias: Builtin = (shell, { name, args }) => {
  if (args.length === 0) return usage(shell, name);
  if (args[0] === "-a") {
    shell.aliases.clear();
    return 0;
  }
  let status = 0;
  for (const word of args) {
    if (shell.aliases.delete(word)) continue;
    shell.complain(`${name}: ${word}: not found`);
    status = 1;
  }
  return status;
};

const times: Builtin = (shell, { name }) => print(shell, name, "0m0.000s 0m0.000s\n0m0.000s 0m0.000s\n");

const logout: Builtin = (shell, { name }) => {
  shell.complain(`${name}: not login shell: use \`exit'`);
  return 1;
};

const nothing: Builtin = () => 0;

const caller: Builtin = () => 1;

const unsupported: Builtin = (shell, { name }) => {
  shell.complain(`${name}: lvsim does not simulate this builtin (${isBuiltinName(name) ? "it needs a terminal" : "unknown"})`);
  return 1;
};

export const directoryBuiltins: ReadonlyMap<string, Builtin> = new Map<string, Builtin>([
  ["cd", cd],
  ["pwd", pwd],
  ["pushd", pushd],
  ["popd", popd],
  ["dirs", (shell, { name }) => printStack(shell, name)],
  ["umask", umask],
  ["ulimit", ulimit],
  ["hash", hash],
  ["alias", alias],
  ["unalias", unalias],
  ["times", times],
  ["logout", logout],
  ["history", nothing],
  ["caller", caller],
  ["complete", nothing],
  ["compopt", unsupported],
  ["compgen", unsupported],
  ["bind", unsupported],
  ["fc", unsupported],
  ["help", unsupported],
]);
