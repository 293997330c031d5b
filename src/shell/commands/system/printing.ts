/**
 * true, false, echo, printf and yes as programs; the shell has builtins of its own for most of them.
 *
 * GNU coreutils 9.1: messages and exit statuses as there.
 */

import { unescapeEcho } from "../../bash/quoting.ts";
import type { Command, CommandContext, Running } from "../../command.ts";
import { writeWaiting } from "../../process-output.ts";
import { formatPrintf, type PrintfArgument } from "../awk/format.ts";
import { fail, parseOptions, tool, usageError } from "../tools/support.ts";

/** Repetitions of a printf template: more arguments than this are not plausible. */
const ROUNDS_MAX = 100_000;

function runEcho(context: CommandContext): number {
  const args = [...context.args];
  let hasNewline = true;
  let isEscaped = false;
  while (/^-[neE]+$/.test(args[0] ?? "")) {
    for (const letter of (args.shift() as string).slice(1)) {
      if (letter === "n") hasNewline = false;
      else isEscaped = letter === "e";
    }
  }
  const text = args.join(" ");
  const result = isEscaped ? unescapeEcho(text, true) : { text, isCut: false };
  context.stdout.write(`${result.text}${hasNewline && !result.isCut ? "\n" : ""}`);
  return 0;
}

/** The number that an argument of %d or %f stands for; complains as printf(1) does. */
function numberOf(text: string, complain: (message: string) => void): number {
  if (text.startsWith('"') || text.startsWith("'")) return text.codePointAt(1) ?? 0;
  const match = /^\s*([-+]?)(0[xX][0-9a-fA-F]+|0[0-7]*(?![.\d])|\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?)/.exec(text);
  if (match === null) {
    complain(`'${text}': expected a numeric value`);
    return 0;
  }
  if (match[0].length < text.length) complain(`'${text}': value not completely converted`);
  const digits = match[2] as string;
  const value = /^0[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number(digits);
  return match[1] === "-" ? -value : value;
}

const CONVERSION = /%(?:%|([-+ 0#']*)(\*|\d+)?(?:\.(\*|\d*))?(?:hh|h|ll|l|q|L|j|z|t)?([a-zA-Z])?)/g;

/** One turn of the template; returns how many arguments it took. */
function printRound(context: CommandContext, template: string, args: readonly string[], state: { exit: number; isCut: boolean }): number {
  let used = 0;
  let last = 0;
  const take = (): string => args[used++] ?? "";
  const complain = (message: string): void => {
    state.exit = fail(context, message);
  };
  const literal = (text: string): boolean => {
    const result = unescapeEcho(text, false);
    context.stdout.write(result.text);
    state.isCut = result.isCut;
    return !result.isCut;
  };
  for (const match of template.matchAll(CONVERSION)) {
    if (!literal(template.slice(last, match.index))) return used;
    last = match.index + match[0].length;
    const conversion = match[4];
    if (match[0] === "%%") {
      context.stdout.write("%");
      continue;
    }
    if (conversion === undefined || !"diouxXfFeEgGcsbq".includes(conversion)) {
      complain(`${match[0]}: invalid conversion specification`);
      state.isCut = true;
      return used;
    }
    const values: PrintfArgument[] = [];
    for (const star of [match[2], match[3]]) if (star === "*") values.push({ text: "", number: numberOf(take() || "0", complain), isNumber: true });
    const word = take();
    if (conversion === "b") {
      const result = unescapeEcho(word, true);
      context.stdout.write(formatPrintf(match[0].replace(/b$/, "s"), [...values, { text: result.text, number: 0, isNumber: false }]));
      if (result.isCut) {
        state.isCut = true;
        return used;
      }
      continue;
    }
    const isNumber = !"csq".includes(conversion);
    values.push({ text: word, number: isNumber && word !== "" ? numberOf(word, complain) : 0, isNumber: false });
    context.stdout.write(formatPrintf(match[0].replace(/q$/, "s"), values));
  }
  literal(template.slice(last));
  return used;
}

function runPrintf(context: CommandContext): number {
  const words = context.args[0] === "--" ? context.args.slice(1) : context.args;
  const template = words[0];
  if (template === undefined) return usageError(context, "missing operand", 1);
  const state = { exit: 0, isCut: false };
  let rest = words.slice(1);
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const used = printRound(context, template, rest, state);
    if (state.isCut) return state.exit;
    rest = rest.slice(used);
    if (rest.length === 0) return state.exit;
    if (used === 0) {
      context.stderr.write(`${context.name}: warning: ignoring excess arguments, starting with '${rest[0]}'\n`);
      return state.exit;
    }
  }
  return fail(context, "lvsim: too many arguments");
}

function* runYes(context: CommandContext): Running<number> {
  const { operands } = parseOptions(context.args, "");
  const line = `${operands.length === 0 ? "y" : operands.join(" ")}\n`;
  // Written in blocks, as the real one does: a reader such as head takes what it wants and breaks the pipe.
  const block = line.repeat(Math.max(1, Math.floor(4096 / line.length)));
  for (;;) {
    if (!(yield* writeWaiting(context.stdout, block))) return 1;
    yield* context.sleep(0);
  }
}

export const printingCommands: readonly Command[] = [
  { path: "/usr/bin/true", run: () => 0 },
  { path: "/usr/bin/false", run: () => 1 },
  { path: "/usr/bin/echo", run: runEcho },
  { path: "/usr/bin/printf", run: runPrintf },
  tool("/usr/bin/yes", 1, runYes),
];
