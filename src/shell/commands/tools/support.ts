/**
 * What the small text and file tools share: option parsing as getopt_long(3) does it, input from files or standard input, error texts.
 */

import type { Command, CommandContext, Running } from "../../command.ts";
import { errorText } from "../../errno-text.ts";
import { FileError } from "../../file-system.ts";

/** A mistake in the options: the text is for standard error, without the tool's name. */
export class OptionError extends Error {}

export interface ToolOptions {
  /** Letters and long names that were given; values in order. */
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly operands: readonly string[];
  has(name: string): boolean;
  /** The last value given. */
  value(name: string): string | undefined;
}

/**
 * Parses as GNU getopt_long does, operands anywhere. `short` is a getopt string (`n:c:v`); `long` maps a long name to the letter that it stands for,
 * with a trailing `=` when it takes a value; `x::` takes one only when it is attached. A number as in `-5` is given as the option `#` when `short` begins with `#`.
 */
export function parseOptions(args: readonly string[], short: string, long: Readonly<Record<string, string>> = {}): ToolOptions {
  const values = new Map<string, string[]>();
  const operands: string[] = [];
  const add = (name: string, value: string) => values.set(name, [...(values.get(name) ?? []), value]);
  const takesValue = (letter: string) => short[short.indexOf(letter) + 1] === ":";
  for (let i = 0; i < args.length; i++) {
    const word = args[i] as string;
    if (word === "--") {
      operands.push(...args.slice(i + 1));
      break;
    }
    if (word.startsWith("--")) {
      const [name = "", ...rest] = word.slice(2).split("=");
      const target = long[name] ?? long[`${name}=`];
      if (target === undefined) throw new OptionError(`unrecognized option '${word}'`);
      const needsValue = long[`${name}=`] !== undefined;
      if (!needsValue) add(target, "");
      else if (rest.length > 0) add(target, rest.join("="));
      else if (i + 1 < args.length) add(target, args[++i] as string);
      else throw new OptionError(`option '--${name}' requires an argument`);
      continue;
    }
    if (!word.startsWith("-") || word === "-") {
      operands.push(word);
      continue;
    }
    if (short.startsWith("#") && /^-\d+$/.test(word)) {
      add("#", word.slice(1));
      continue;
    }
    for (let j = 1; j < word.length; j++) {
      const letter = word[j] as string;
      if (letter === ":" || letter === "#" || !short.includes(letter)) throw new OptionError(`invalid option -- '${letter}'`);
      if (!takesValue(letter)) {
        add(letter, "");
        continue;
      }
      if (short[short.indexOf(letter) + 2] === ":") {
        add(letter, word.slice(j + 1));
        break;
      }
      if (j + 1 < word.length) add(letter, word.slice(j + 1));
      else if (i + 1 < args.length) add(letter, args[++i] as string);
      else throw new OptionError(`option requires an argument -- '${letter}'`);
      break;
    }
  }
  return { values, operands, has: (name) => values.has(name), value: (name) => values.get(name)?.at(-1) };
}

/** A command whose mistakes in the options are reported as coreutils report them, with `status`. */
export function tool(path: string, status: number, run: (context: CommandContext) => number | Running<number>): Command {
  return {
    path,
    *run(context) {
      try {
        const result = run(context);
        return typeof result === "number" ? result : yield* result;
      } catch (error) {
        if (!(error instanceof OptionError)) throw error;
        return usageError(context, error.message, status);
      }
    },
  };
}

export function usageError(context: CommandContext, message: string, status: number): number {
  context.stderr.write(`${context.name}: ${message}\nTry '${context.name} --help' for more information.\n`);
  return status;
}

/** Writes `NAME: message` and returns the status. */
export function fail(context: CommandContext, message: string, status = 1): number {
  context.stderr.write(`${context.name}: ${message}\n`);
  return status;
}

/** The text of a file, or the words of the error. */
export function readFile(context: CommandContext, path: string): { readonly text: string } | { readonly error: string } {
  const { files } = context.machine;
  try {
    const absolute = files.resolve(context.cwd, path);
    if (files.status(absolute)?.type === "directory") return { error: errorText("EISDIR") };
    return { text: files.read(absolute) };
  } catch (error) {
    return { error: fileErrorText(error) };
  }
}

/** strerror of a FileError; anything else goes on. */
export function fileErrorText(error: unknown): string {
  if (error instanceof FileError) return errorText(error.errno);
  throw error;
}

/** `-`, and the names that the kernel gives to descriptor 0. */
export function isStandardInput(path: string): boolean {
  return path === "-" || path === "/dev/stdin" || path === "/dev/fd/0" || path === "/proc/self/fd/0";
}

/** Reads operands one after the other; `-` and no operand at all stand for standard input. Errors go to `report`. */
export function* readInputs(
  context: CommandContext,
  operands: readonly string[],
  report: (path: string, error: string) => void,
): Running<{ readonly path: string; readonly text: string }[]> {
  const inputs: { path: string; text: string }[] = [];
  for (const path of operands.length === 0 ? ["-"] : operands) {
    if (isStandardInput(path)) {
      inputs.push({ path, text: yield* context.stdin.readAll() });
      continue;
    }
    const result = readFile(context, path);
    if ("error" in result) report(path, result.error);
    else inputs.push({ path, text: result.text });
  }
  return inputs;
}

/** Calls `each` with every line of the inputs, standard input as it comes; false from `each` stops. Returns false when a file was unreadable. */
export function* eachLine(
  context: CommandContext,
  operands: readonly string[],
  each: (line: string, path: string, hasNewline: boolean) => boolean,
  report: (path: string, error: string) => void,
): Running<boolean> {
  let isGood = true;
  for (const path of operands.length === 0 ? ["-"] : operands) {
    if (isStandardInput(path)) {
      for (let line = yield* context.stdin.readLine(); line !== undefined; line = yield* context.stdin.readLine()) if (!each(line, path, true)) return isGood;
      continue;
    }
    const result = readFile(context, path);
    if ("error" in result) {
      report(path, result.error);
      isGood = false;
      continue;
    }
    const lines = splitLines(result.text);
    for (const [index, line] of lines.entries()) if (!each(line, path, index < lines.length - 1 || result.text.endsWith("\n"))) return isGood;
  }
  return isGood;
}

/** Lines without their newlines; a last line without one counts too. */
export function splitLines(text: string): string[] {
  if (text === "") return [];
  const lines = text.split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines;
}

/** `5`, `2K`, `1M`, `10kB`: a count with the suffixes of coreutils; undefined when it is none. */
export function parseCount(text: string): number | undefined {
  const match = /^(\d+)(b|[kK]B?|[kK]iB|MB?|MiB|GB?|GiB)?$/.exec(text);
  if (match === null) return undefined;
  const suffix = match[2] ?? "";
  const scale = suffix === "b" ? 512 : suffix === "" ? 1 : (suffix.endsWith("B") && !suffix.endsWith("iB") ? 1000 : 1024) ** ("kKMG".indexOf(suffix[0] as string) <= 1 ? 1 : suffix[0] === "M" ? 2 : 3);
  return Number(match[1]) * scale;
}
