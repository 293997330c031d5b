/**
 * expr: arithmetic, comparison and matching on its arguments. GNU coreutils 9.1 src/expr.c.
 */

import type { Command, CommandContext } from "../../command.ts";
import { compileRegex } from "../../regex.ts";
import { fail, usageError } from "../tools/support.ts";

const DEPTH_MAX = 200;

class ExprError extends Error {}

type Operator = (left: string, right: string) => string;

function integer(text: string): bigint {
  if (!/^-?\d+$/.test(text)) throw new ExprError("non-integer argument");
  return BigInt(text);
}

function isNull(text: string): boolean {
  return text === "" || /^-?0+$/.test(text);
}

function compare(left: string, right: string): number {
  if (/^-?\d+$/.test(left) && /^-?\d+$/.test(right)) {
    const difference = BigInt(left) - BigInt(right);
    return difference < 0n ? -1 : difference > 0n ? 1 : 0;
  }
  return left < right ? -1 : left > right ? 1 : 0;
}

function divisor(text: string): bigint {
  const value = integer(text);
  if (value === 0n) throw new ExprError("division by zero");
  return value;
}

/** `STRING : REGEX`: anchored; the first group, or the length of the match. */
function match(text: string, pattern: string): string {
  const regex = compileRegex(pattern.startsWith("^") ? pattern : `^${pattern}`, "basic");
  if (typeof regex === "string") throw new ExprError(regex);
  const found = regex.find(text);
  if (/\\\(/.test(pattern)) return found?.groups[1] ?? "";
  return String(found === undefined ? 0 : found.end - found.start);
}

const LEVELS: readonly Readonly<Record<string, Operator>>[] = [
  { "|": (a, b) => (isNull(a) ? (isNull(b) ? "0" : b) : a) },
  { "&": (a, b) => (isNull(a) || isNull(b) ? "0" : a) },
  {
    "<": (a, b) => (compare(a, b) < 0 ? "1" : "0"),
    "<=": (a, b) => (compare(a, b) <= 0 ? "1" : "0"),
    "=": (a, b) => (compare(a, b) === 0 ? "1" : "0"),
    "==": (a, b) => (compare(a, b) === 0 ? "1" : "0"),
    "!=": (a, b) => (compare(a, b) !== 0 ? "1" : "0"),
    ">=": (a, b) => (compare(a, b) >= 0 ? "1" : "0"),
    ">": (a, b) => (compare(a, b) > 0 ? "1" : "0"),
  },
  { "+": (a, b) => String(integer(a) + integer(b)), "-": (a, b) => String(integer(a) - integer(b)) },
  {
    "*": (a, b) => String(integer(a) * integer(b)),
    "/": (a, b) => String(integer(a) / divisor(b)),
    "%": (a, b) => String(integer(a) % divisor(b)),
  },
  { ":": match },
];

class ExprParser {
  readonly #words: readonly string[];
  #at = 0;
  #depth = 0;

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  parse(): string {
    const value = this.#level(0);
    const rest = this.#words[this.#at];
    if (rest !== undefined) throw new ExprError(`syntax error: unexpected argument '${rest}'`);
    return value;
  }

  #level(index: number): string {
    const operators = LEVELS[index];
    if (operators === undefined) return this.#primary();
    if (++this.#depth > DEPTH_MAX) throw new ExprError("lvsim: expression too deep");
    let left = this.#level(index + 1);
    for (;;) {
      const word = this.#words[this.#at];
      const operator = word === undefined || !Object.hasOwn(operators, word) ? undefined : operators[word];
      if (operator === undefined) break;
      this.#at++;
      left = operator(left, this.#level(index + 1));
    }
    this.#depth--;
    return left;
  }

  #take(): string {
    const word = this.#words[this.#at];
    if (word === undefined) throw new ExprError(`syntax error: missing argument after '${this.#words[this.#at - 1] ?? ""}'`);
    this.#at++;
    return word;
  }

  #primary(): string {
    const word = this.#take();
    switch (word) {
      case "(": {
        const value = this.#level(0);
        const closing = this.#words[this.#at];
        if (closing === undefined) throw new ExprError(`syntax error: expecting ')' after '${this.#words[this.#at - 1] ?? ""}'`);
        if (closing !== ")") throw new ExprError(`syntax error: expecting ')' instead of '${closing}'`);
        this.#at++;
        return value;
      }
      case ")":
        throw new ExprError("syntax error: unexpected ')'");
      case "+":
        return this.#take();
      case "length":
        return String(this.#primary().length);
      case "match":
        return match(this.#primary(), this.#primary());
      case "index": {
        const text = this.#primary();
        const set = this.#primary();
        return String([...text].findIndex((character) => set.includes(character)) + 1);
      }
      case "substr": {
        const text = this.#primary();
        const from = this.#primary();
        const length = this.#primary();
        if (!/^\d+$/.test(from) || !/^\d+$/.test(length) || Number(from) === 0) return "";
        return text.slice(Number(from) - 1, Number(from) - 1 + Number(length));
      }
      default:
        return word;
    }
  }
}

function runExpr(context: CommandContext): number {
  const words = context.args[0] === "--" ? context.args.slice(1) : context.args;
  if (words.length === 0) return usageError(context, "missing operand", 2);
  try {
    const value = new ExprParser(words).parse();
    context.stdout.write(`${value}\n`);
    return isNull(value) ? 1 : 0;
  } catch (error) {
    if (!(error instanceof ExprError)) throw error;
    return fail(context, error.message, 2);
  }
}

export const exprCommand: Command = { path: "/usr/bin/expr", run: runExpr };
