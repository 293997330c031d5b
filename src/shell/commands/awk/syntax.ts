/**
 * awk's grammar: programs as trees (POSIX awk, as mawk and gawk take it).
 */

export type Expression =
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "regex"; readonly source: string }
  | { readonly kind: "variable"; readonly name: string }
  | { readonly kind: "field"; readonly index: Expression }
  | { readonly kind: "element"; readonly name: string; readonly keys: readonly Expression[] }
  | { readonly kind: "unary"; readonly operator: "!" | "-" | "+"; readonly operand: Expression }
  | { readonly kind: "binary"; readonly operator: string; readonly left: Expression; readonly right: Expression }
  | { readonly kind: "match"; readonly isNegated: boolean; readonly left: Expression; readonly right: Expression }
  | { readonly kind: "in"; readonly keys: readonly Expression[]; readonly name: string }
  | { readonly kind: "and" | "or"; readonly left: Expression; readonly right: Expression }
  | { readonly kind: "conditional"; readonly test: Expression; readonly yes: Expression; readonly no: Expression }
  | { readonly kind: "assign"; readonly operator: string; readonly target: Expression; readonly value: Expression }
  | { readonly kind: "step"; readonly isPrefix: boolean; readonly by: 1 | -1; readonly target: Expression }
  | { readonly kind: "call"; readonly name: string; readonly args: readonly Expression[] }
  | { readonly kind: "getline"; readonly target: Expression | undefined; readonly file: Expression | undefined }
  | { readonly kind: "group"; readonly items: readonly Expression[] };

export type Statement =
  | { readonly kind: "expression"; readonly expression: Expression }
  | { readonly kind: "print" | "printf"; readonly args: readonly Expression[]; readonly redirect: { readonly operator: ">" | ">>" | "|"; readonly target: Expression } | undefined }
  | { readonly kind: "block"; readonly body: readonly Statement[] }
  | { readonly kind: "if"; readonly test: Expression; readonly yes: Statement; readonly no: Statement | undefined }
  | { readonly kind: "while"; readonly test: Expression; readonly body: Statement }
  | { readonly kind: "do"; readonly test: Expression; readonly body: Statement }
  | { readonly kind: "for"; readonly init: Statement | undefined; readonly test: Expression | undefined; readonly step: Statement | undefined; readonly body: Statement }
  | { readonly kind: "for-in"; readonly variable: string; readonly name: string; readonly body: Statement }
  | { readonly kind: "delete"; readonly name: string; readonly keys: readonly Expression[] | undefined }
  | { readonly kind: "next" | "break" | "continue" }
  | { readonly kind: "exit" | "return"; readonly value: Expression | undefined };

export interface Rule {
  readonly pattern: { readonly kind: "begin" | "end" | "always" } | { readonly kind: "when"; readonly test: Expression } | { readonly kind: "range"; readonly from: Expression; readonly to: Expression };
  /** undefined: print the record. */
  readonly body: readonly Statement[] | undefined;
}

export interface AwkFunction {
  readonly parameters: readonly string[];
  readonly body: readonly Statement[];
}

export interface AwkProgram {
  /** A getline without a file takes records of the input itself. */
  readonly pullsRecords: boolean;
  readonly rules: readonly Rule[];
  readonly functions: ReadonlyMap<string, AwkFunction>;
}

/** The program is malformed. `line` counts from 1. */
export class AwkSyntaxError extends Error {
  readonly line: number;

  constructor(message: string, line: number) {
    super(message);
    this.line = line;
  }
}

export interface Token {
  readonly kind: "number" | "string" | "regex" | "name" | "call" | "word" | "operator" | "newline" | "end";
  readonly text: string;
  readonly line: number;
}

const KEYWORDS = new Set(["BEGIN", "END", "function", "func", "if", "else", "while", "for", "do", "break", "continue", "next", "nextfile", "exit", "return", "delete", "in", "getline", "print", "printf"]);
const OPERATORS = ["**=", "&&", "||", "==", "!=", "<=", ">=", "+=", "-=", "*=", "/=", "%=", "^=", "++", "--", ">>", "!~", "**", "{", "}", "(", ")", "[", "]", ";", ",", "+", "-", "*", "/", "%", "^", "!", "<", ">", "|", "?", ":", "~", "$", "="];
const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", "\\": "\\", '"': '"', "/": "/", a: "\x07", b: "\b", f: "\f", v: "\v" };

/** After these a slash begins a regular expression, not a division. */
function allowsRegex(last: Token | undefined): boolean {
  if (last === undefined) return true;
  if (last.kind === "number" || last.kind === "string" || last.kind === "name" || last.kind === "regex") return false;
  if (last.kind === "word") return last.text !== "getline";
  return !(last.kind === "operator" && [")", "]", "$", "++", "--"].includes(last.text));
}

export function tokenize(source: string): Token[] {
  const tokens: Token[] = [];
  let line = 1;
  for (let i = 0; i < source.length; ) {
    const rest = source.slice(i, i + 4096);
    const space = /^(?:[ \t\r]+|\\\r?\n|#[^\n]*)/.exec(rest);
    if (space !== null) {
      line += space[0].split("\n").length - 1;
      i += space[0].length;
      continue;
    }
    if (source[i] === "\n") {
      tokens.push({ kind: "newline", text: "\n", line: line++ });
      i++;
      continue;
    }
    const number = /^(?:0[xX][0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)/.exec(rest);
    const name = /^[A-Za-z_]\w*/.exec(rest);
    if (number !== null) {
      tokens.push({ kind: "number", text: number[0], line });
      i += number[0].length;
    } else if (name !== null) {
      const isCall = source[i + name[0].length] === "(";
      tokens.push({ kind: KEYWORDS.has(name[0]) ? "word" : isCall ? "call" : "name", text: name[0], line });
      i += name[0].length;
    } else if (source[i] === '"') {
      const text = readString(source, i, line);
      tokens.push({ kind: "string", text: text.value, line });
      i = text.next;
    } else if (source[i] === "/" && allowsRegex(tokens.at(-1))) {
      const regex = readRegex(source, i, line);
      tokens.push({ kind: "regex", text: regex.value, line });
      i = regex.next;
    } else {
      const operator = OPERATORS.find((text) => source.startsWith(text, i));
      if (operator === undefined) throw new AwkSyntaxError(`unexpected character '${source[i]}'`, line);
      tokens.push({ kind: "operator", text: operator === "**" ? "^" : operator === "**=" ? "^=" : operator, line });
      i += operator.length;
    }
  }
  tokens.push({ kind: "end", text: "end of file", line });
  return tokens;
}

function readString(source: string, at: number, line: number): { readonly value: string; readonly next: number } {
  let value = "";
  for (let i = at + 1; i < source.length; i++) {
    const character = source[i] as string;
    if (character === '"') return { value, next: i + 1 };
    if (character === "\n") break;
    if (character !== "\\") {
      value += character;
      continue;
    }
    const octal = /^[0-7]{1,3}/.exec(source.slice(i + 1, i + 4));
    if (octal !== null) {
      value += String.fromCharCode(Number.parseInt(octal[0], 8));
      i += octal[0].length;
      continue;
    }
    const next = source[++i] ?? "";
    value += ESCAPES[next] ?? `\\${next}`;
  }
  throw new AwkSyntaxError("runaway string constant", line);
}

function readRegex(source: string, at: number, line: number): { readonly value: string; readonly next: number } {
  let value = "";
  let inBracket = false;
  for (let i = at + 1; i < source.length && source[i] !== "\n"; i++) {
    const character = source[i] as string;
    if (character === "\\") {
      const next = source[++i] ?? "";
      value += next === "/" ? "/" : `\\${next}`;
      continue;
    }
    if (character === "[") inBracket = true;
    else if (character === "]") inBracket = false;
    if (character === "/" && !inBracket) return { value, next: i + 1 };
    value += character;
  }
  throw new AwkSyntaxError("runaway regular expression", line);
}
