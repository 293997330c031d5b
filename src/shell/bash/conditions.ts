/**
 * `test`, `[` (bash's test.c) and `[[ ]]`.
 */

import type { TestBinaryExpression, TestExpression } from "unbash";
import type { Running } from "../command.ts";
import { compileRegex } from "../regex.ts";
import { ExpansionFailure } from "./control-flow.ts";
import { expandArithmetic, expandPattern, expandRegex, expandText } from "./expansion.ts";
import { compilePattern } from "./patterns.ts";
import type { Shell } from "./shell.ts";

const UNARY = /^-[abcdefghknoprstuvwxzGLNORS]$/;
const BINARY = new Set(["=", "==", "!=", "<", ">", "-eq", "-ne", "-lt", "-le", "-gt", "-ge", "-nt", "-ot", "-ef"]);
const EXECUTABLE = 0o111;

class TestError extends Error {}

/** The `test` and `[` builtins: 0, 1, or 2 after a message. `args` without the closing bracket. */
export function runTest(shell: Shell, name: string, args: readonly string[]): number {
  try {
    return evaluateTest(shell, args) ? 0 : 1;
  } catch (error) {
    if (!(error instanceof TestError)) throw error;
    shell.complain(`${name}: ${error.message}`);
    return 2;
  }
}

function evaluateTest(shell: Shell, args: readonly string[]): boolean {
  const [a = "", b = "", c = "", d = ""] = args;
  switch (args.length) {
    case 0:
      return false;
    case 1:
      return a !== "";
    case 2:
      if (a === "!") return b === "";
      if (!UNARY.test(a)) throw new TestError(shell.dialect === "dash" ? `${a}: unexpected operator` : `${a}: unary operator expected`);
      return unary(shell, a, b);
    case 3:
      if (isBinary(shell, b)) return binary(shell, a, b, c);
      if (b === "-a" || b === "-o") return b === "-a" ? a !== "" && c !== "" : a !== "" || c !== "";
      if (a === "!") return !evaluateTest(shell, [b, c]);
      if (a === "(" && c === ")") return b !== "";
      throw new TestError(shell.dialect === "dash" ? `${a}: unexpected operator` : `${b}: binary operator expected`);
    case 4:
      if (a === "!") return !evaluateTest(shell, [b, c, d]);
      if (a === "(" && d === ")") return evaluateTest(shell, [b, c]);
      break;
    default:
  }
  const parser = new TestParser(shell, args);
  return parser.run();
}

function isBinary(shell: Shell, operator: string): boolean {
  return BINARY.has(operator) && !(shell.dialect === "dash" && operator === "==");
}

/** Longer expressions: -o binds less than -a, ! and parentheses. */
class TestParser {
  readonly #shell: Shell;
  readonly #args: readonly string[];
  #at = 0;

  constructor(shell: Shell, args: readonly string[]) {
    this.#shell = shell;
    this.#args = args;
  }

  run(): boolean {
    const value = this.#or();
    if (this.#at < this.#args.length) throw new TestError("too many arguments");
    return value;
  }

  #or(): boolean {
    let value = this.#and();
    while (this.#args[this.#at] === "-o") {
      this.#at++;
      const right = this.#and();
      value = value || right;
    }
    return value;
  }

  #and(): boolean {
    let value = this.#term();
    while (this.#args[this.#at] === "-a") {
      this.#at++;
      const right = this.#term();
      value = value && right;
    }
    return value;
  }

  #term(): boolean {
    const word = this.#args[this.#at];
    if (word === undefined) throw new TestError("argument expected");
    const next = this.#args[this.#at + 1];
    const third = this.#args[this.#at + 2];
    if (word === "!") {
      this.#at++;
      return !this.#term();
    }
    if (next !== undefined && isBinary(this.#shell, next) && third !== undefined) {
      this.#at += 3;
      return binary(this.#shell, word, next, third);
    }
    if (word === "(") {
      this.#at++;
      const value = this.#or();
      if (this.#args[this.#at] !== ")")
        throw new TestError(this.#args[this.#at] === undefined ? "`)' expected" : `\`)' expected, found ${this.#args[this.#at]}`);
      this.#at++;
      return value;
    }
    if (UNARY.test(word) && next !== undefined && next !== "-a" && next !== "-o" && next !== ")") {
      this.#at += 2;
      return unary(this.#shell, word, next);
    }
    this.#at++;
    return word !== "";
  }
}

function integer(shell: Shell, text: string): bigint {
  if (!/^\s*[-+]?\d+\s*$/.test(text)) throw new TestError(shell.dialect === "dash" ? `Illegal number: ${text}` : `${text}: integer expression expected`);
  return BigInt(text.trim().replace(/^\+/, ""));
}

function compareNumbers(operator: string, left: bigint, right: bigint): boolean {
  switch (operator) {
    case "-eq":
      return left === right;
    case "-ne":
      return left !== right;
    case "-lt":
      return left < right;
    case "-le":
      return left <= right;
    case "-gt":
      return left > right;
    default:
      return left >= right;
  }
}

function binary(shell: Shell, left: string, operator: string, right: string): boolean {
  switch (operator) {
    case "=":
    case "==":
      return left === right;
    case "!=":
      return left !== right;
    case "<":
      return left < right;
    case ">":
      return left > right;
    case "-nt":
    case "-ot":
    case "-ef":
      return compareFiles(shell, left, operator, right);
    default:
      return compareNumbers(operator, integer(shell, left), integer(shell, right));
  }
}

function compareFiles(shell: Shell, left: string, operator: string, right: string): boolean {
  const a = shell.machine.files.status(shell.path(left));
  const b = shell.machine.files.status(shell.path(right));
  if (operator === "-ef") return a !== undefined && b !== undefined && a.inode === b.inode;
  if (operator === "-nt") return a !== undefined && (b === undefined || a.modifiedAtNs > b.modifiedAtNs);
  return b !== undefined && (a === undefined || a.modifiedAtNs < b.modifiedAtNs);
}

function unary(shell: Shell, operator: string, word: string): boolean {
  const { files } = shell.machine;
  if (operator === "-z") return word === "";
  if (operator === "-n") return word !== "";
  if (operator === "-t") {
    integer(shell, word);
    return false;
  }
  if (operator === "-v") return isVariableSet(shell, word);
  if (operator === "-R") return shell.variables.find(word)?.isReference === true;
  if (operator === "-o") return shell.options.has(word);
  if (word === "") return false;
  const path = shell.path(word) + (word.endsWith("/") ? "/" : "");
  if (operator === "-h" || operator === "-L") return files.linkStatus(path)?.type === "symlink";
  const status = files.status(path);
  if (status === undefined) return false;
  switch (operator) {
    case "-a":
    case "-e":
    case "-r":
    case "-O":
    case "-G":
      return true;
    case "-f":
      return status.type === "file";
    case "-d":
      return status.type === "directory";
    case "-c":
      return status.type === "device";
    case "-s":
      return status.sizeBytes > 0;
    case "-x":
      return status.type === "directory" || (status.mode & EXECUTABLE) !== 0;
    case "-w":
      return files.writeError(path) !== "EROFS" && files.writeError(path) !== "EACCES";
    case "-u":
      return (status.mode & 0o4000) !== 0;
    case "-g":
      return (status.mode & 0o2000) !== 0;
    case "-k":
      return (status.mode & 0o1000) !== 0;
    default:
      return false;
  }
}

function isVariableSet(shell: Shell, name: string): boolean {
  const element = /^([A-Za-z_]\w*)\[(.*)\]$/.exec(name);
  if (element === null) return shell.readText(name) !== undefined;
  if (element[2] === "@" || element[2] === "*") return shell.readAll(element[1] as string).length > 0;
  return shell.readElement(element[1] as string, element[2] as string) !== undefined;
}

/** `[[ ... ]]`: 0, 1, or 2 when a regular expression does not compile. */
export function* runConditional(shell: Shell, expression: TestExpression): Running<number> {
  try {
    return (yield* evaluate(shell, expression)) ? 0 : 1;
  } catch (error) {
    if (!(error instanceof TestError)) throw error;
    if (error.message !== "") shell.complain(error.message);
    return 2;
  }
}

function* evaluate(shell: Shell, expression: TestExpression): Running<boolean> {
  switch (expression.type) {
    case "TestGroup":
      return yield* evaluate(shell, expression.expression);
    case "TestNot": {
      const value = yield* evaluate(shell, expression.operand);
      return expression.negations.length % 2 === 1 ? !value : value;
    }
    case "TestLogical":
      for (const operand of expression.operands) {
        const value = yield* evaluate(shell, operand);
        if (value !== (expression.operator === "&&")) return value;
      }
      return expression.operator === "&&";
    case "TestUnary": {
      const word = yield* expandText(shell, expression.operand);
      if (shell.options.has("xtrace")) trace(shell, `${expression.operator} ${word === "" ? "''" : word}`);
      return unary(shell, expression.operator, word);
    }
    case "TestBinary":
      return yield* evaluateBinary(shell, expression);
  }
}

function* evaluateBinary(shell: Shell, expression: TestBinaryExpression): Running<boolean> {
  const { operator } = expression;
  const left = yield* expandText(shell, expression.left);
  if (operator === "=~") return matchRegex(shell, left, yield* expandRegex(shell, expression.right));
  if (operator === "=" || operator === "==" || operator === "!=") {
    const pattern = yield* expandPattern(shell, expression.right);
    if (shell.options.has("xtrace")) trace(shell, `${left === "" ? "''" : left} ${operator} ${pattern === "" ? "''" : pattern}`);
    return compilePattern(pattern, { ignoresCase: shell.shopts.has("nocasematch") }).test(left) === (operator !== "!=");
  }
  const right = yield* expandText(shell, expression.right);
  if (shell.options.has("xtrace")) trace(shell, `${left === "" ? "''" : left} ${operator} ${right === "" ? "''" : right}`);
  if (/^-(?:eq|ne|lt|le|gt|ge)$/.test(operator)) {
    try {
      const a = shell.arithmetic(yield* expandArithmetic(shell, left), "[[: ");
      return compareNumbers(operator, a, shell.arithmetic(yield* expandArithmetic(shell, right), "[[: "));
    } catch (error) {
      // The message is printed; the condition is false, the script goes on.
      if (error instanceof ExpansionFailure) return false;
      throw error;
    }
  }
  return binary(shell, left, operator, right);
}

function trace(shell: Shell, text: string): void {
  shell.errorOutput(`${shell.tracePrefix}[[ ${text} ]]\n`);
}

function matchRegex(shell: Shell, text: string, source: string): boolean {
  if (shell.options.has("xtrace")) trace(shell, `${text === "" ? "''" : text} =~ ${source}`);
  const regex = compileRegex(source, "extended", { ignoreCase: shell.shopts.has("nocasematch") });
  if (typeof regex === "string") throw new TestError("");
  const match = regex.find(text);
  const variable = shell.variables.global("BASH_REMATCH");
  variable.text = undefined;
  variable.list = new Map((match?.groups ?? []).map((group, i) => [i, group ?? ""]));
  return match !== undefined;
}
