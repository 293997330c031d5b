/**
 * read and mapfile.
 */

import type { Running } from "../../command.ts";
import { errorText } from "../../errno-text.ts";
import type { OpenFile } from "../../streams.ts";
import { withDeadline } from "../../waits.ts";
import type { Shell } from "../shell.ts";
import type { Builtin } from "../simple-command.ts";
import { isName } from "../variables.ts";
import { type BuiltinOptions, builtinOptions } from "./support.ts";

const TIMED_OUT = 142;
const LINES_MAX = 1_000_000;

interface Character {
  readonly text: string;
  /** Behind a backslash: no separator. */
  readonly isEscaped: boolean;
}

const read: Builtin = function* (shell, { name, args }) {
  const options = builtinOptions(shell, name, args, shell.dialect === "dash" ? "rp:" : "ersa:d:i:n:N:p:t:u:");
  if (typeof options === "number") return options;
  const wrong = options.rest.find((word) => !isName(word.replace(/\[.*\]$/, "")));
  if (wrong !== undefined) {
    shell.complain(`${name}: \`${wrong}': not a valid identifier`);
    return 1;
  }
  const fd = Number(options.values.get("u") ?? "0");
  const file = shell.fds.get(fd);
  if (file === undefined) {
    if (options.values.has("u")) shell.complain(`${name}: ${fd}: invalid file descriptor: ${errorText("EBADF")}`);
    else shell.complain(`${name}: read error: ${fd}: ${errorText("EBADF")}`);
    return 1;
  }
  const timeout = options.values.get("t");
  if (timeout !== undefined && !/^\d*\.?\d*$/.test(timeout)) {
    shell.complain(`${name}: ${timeout}: invalid timeout specification`);
    return 1;
  }
  const { loop } = shell.machine.host;
  const reading = readCharacters(file, options);
  const result = timeout === undefined ? yield* reading : yield* withDeadline(loop, reading, loop.nowNs + Number(timeout) * 1e9);
  if (file.readError !== undefined) {
    shell.complain(`${name}: read error: ${fd}: ${errorText(file.readError)}`);
    file.readError = undefined;
  }
  if (!assignFields(shell, options, result?.characters ?? [])) return 1;
  return result === undefined ? TIMED_OUT : result.isComplete ? 0 : 1;
};

/** Reads up to the delimiter or the count. */
function* readCharacters(file: OpenFile, options: BuiltinOptions): Running<{ readonly characters: readonly Character[]; readonly isComplete: boolean }> {
  const isRaw = options.letters.has("r");
  const exact = options.values.get("N");
  const count = Number(exact ?? options.values.get("n") ?? Number.MAX_SAFE_INTEGER);
  const delimiter = exact === undefined ? (options.values.get("d") ?? "\n").slice(0, 1) || "\0" : undefined;
  const isLine = delimiter === "\n" && count === Number.MAX_SAFE_INTEGER;
  const characters: Character[] = [];
  let isEscaped = false;
  while (characters.length < count) {
    const part = isLine ? yield* file.takeLine() : yield* file.take(1);
    if (part === undefined) return { characters, isComplete: false };
    for (const text of part) {
      if (!isEscaped && text === delimiter) return { characters, isComplete: true };
      if (!isEscaped && text === "\\" && !isRaw) isEscaped = true;
      else if (isEscaped && text === "\n") isEscaped = false;
      else {
        characters.push({ text, isEscaped });
        isEscaped = false;
      }
    }
  }
  return { characters, isComplete: true };
}

function assignFields(shell: Shell, options: BuiltinOptions, characters: readonly Character[]): boolean {
  const ifs = options.values.has("N") ? "" : (shell.readText("IFS") ?? " \t\n");
  const array = options.values.get("a");
  const names = options.rest;
  if (array === undefined && names.length === 0) return shell.assignText("REPLY", characters.map((one) => one.text).join(""));
  const fields = splitLine(characters, ifs, array === undefined ? names.length : Number.MAX_SAFE_INTEGER);
  if (array === undefined) return names.every((name, i) => shell.assignText(name, fields[i] ?? ""));
  const variable = shell.variables.findOrCreate(array);
  variable.text = undefined;
  variable.list = new Map(fields.map((text, i) => [i, text]));
  return true;
}

/** Fields of a line; the last of `max` takes the rest without the blanks at its end. */
function splitLine(characters: readonly Character[], ifs: string, max: number): string[] {
  const isSeparator = (one: Character | undefined): boolean => one !== undefined && !one.isEscaped && ifs.includes(one.text);
  const isBlank = (one: Character | undefined): boolean => isSeparator(one) && " \t\n".includes((one as Character).text);
  const fields: string[] = [];
  let i = 0;
  while (isBlank(characters[i])) i++;
  while (i < characters.length) {
    if (fields.length === max - 1) {
      fields.push(lastField(characters.slice(i), isSeparator, isBlank));
      break;
    }
    let text = "";
    while (i < characters.length && !isSeparator(characters[i])) text += (characters[i++] as Character).text;
    fields.push(text);
    while (isBlank(characters[i])) i++;
    if (isSeparator(characters[i])) {
      i++;
      while (isBlank(characters[i])) i++;
    }
  }
  return fields;
}

/** A single separator at the end belongs to the field before it and goes; two or more stay. */
function lastField(rest: readonly Character[], isSeparator: (one: Character | undefined) => boolean, isBlank: (one: Character | undefined) => boolean): string {
  let end = rest.length;
  while (end > 0 && isBlank(rest[end - 1])) end--;
  if (end > 0 && isSeparator(rest[end - 1]) && !rest.slice(0, end - 1).some(isSeparator)) end--;
  return rest
    .slice(0, end)
    .map((one) => one.text)
    .join("");
}

const mapfile: Builtin = function* (shell, { name, args }) {
  const options = builtinOptions(shell, name, args, "d:n:O:s:tu:C:c:");
  if (typeof options === "number") return options;
  const array = options.rest[0] ?? "MAPFILE";
  if (!isName(array)) {
    shell.complain(`${name}: \`${array}': not a valid identifier`);
    return 1;
  }
  const file = shell.file(Number(options.values.get("u") ?? "0"));
  const delimiter = options.values.has("d") ? (options.values.get("d") as string).slice(0, 1) || "\0" : "\n";
  const text = yield* file.readAll();
  const parts = text.split(delimiter);
  if (parts.at(-1) === "") parts.pop();
  const lines = parts.map((part, i) => (options.letters.has("t") || (i === parts.length - 1 && !text.endsWith(delimiter)) ? part : part + delimiter));
  const skipped = Number(options.values.get("s") ?? "0");
  const count = Number(options.values.get("n") ?? "0");
  const kept = lines.slice(skipped, count > 0 ? skipped + count : undefined).slice(0, LINES_MAX);
  const variable = shell.variables.findOrCreate(array);
  if (!shell.mayAssign(array, variable)) return 1;
  const origin = Number(options.values.get("O") ?? "0");
  if (!options.values.has("O") || variable.list === undefined) variable.list = new Map();
  variable.text = undefined;
  for (const [i, line] of kept.entries()) variable.list.set(origin + i, line);
  return 0;
};

export const inputBuiltins: ReadonlyMap<string, Builtin> = new Map([
  ["read", read],
  ["mapfile", mapfile],
  ["readarray", mapfile],
]);
