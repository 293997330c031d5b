/**
 * Shell arithmetic on expanded text: 64-bit integers, C's operators, assignment, variables evaluated as expressions (bash's expr.c).
 *
 * The text is what is left after `$` expansions, as in bash: a variable that holds `1+2` is spliced in before the grammar is applied.
 */

/** Parentheses, assignments and variables inside each other. */
const DEPTH_MAX = 200;

export class ArithmeticError extends Error {
  override readonly name = "ArithmeticError";
}

export interface ArithmeticVariables {
  /** Text of a variable or element; undefined when unset. */
  read(name: string, subscript: string | undefined): string | undefined;
  assign(name: string, subscript: string | undefined, value: string): void;
}

type TokenKind = "number" | "name" | "operator" | "end";

interface Target {
  readonly name: string;
  readonly subscript: string | undefined;
}

/** How tightly binary operators bind; all go to the left but `**`. */
const PRECEDENCE: ReadonlyMap<string, number> = new Map(
  [["||"], ["&&"], ["|"], ["^"], ["&"], ["==", "!="], ["<=", ">=", "<", ">"], ["<<", ">>"], ["+", "-"], ["*", "/", "%"]].flatMap((operators, level) =>
    operators.map((operator) => [operator, level] as const),
  ),
);
const OPERATORS = [
  "<<=",
  ">>=",
  "**",
  "++",
  "--",
  "<<",
  ">>",
  "<=",
  ">=",
  "==",
  "!=",
  "&&",
  "||",
  "+=",
  "-=",
  "*=",
  "/=",
  "%=",
  "&=",
  "^=",
  "|=",
  "+",
  "-",
  "*",
  "/",
  "%",
  "<",
  ">",
  "=",
  "!",
  "~",
  "&",
  "|",
  "^",
  "?",
  ":",
  ",",
  "(",
  ")",
];
/** Stands for a character that is no operator. */
const UNKNOWN = "\0";
const ASSIGNMENTS = new Set(["=", "+=", "-=", "*=", "/=", "%=", "&=", "^=", "|=", "<<=", ">>="]);

export function evaluateArithmetic(text: string, variables: ArithmeticVariables, depth = 0): bigint {
  if (depth > DEPTH_MAX) throw new ArithmeticError(`${text}: expression recursion level exceeded (error token is "${text}")`);
  const trimmed = text.trim();
  return trimmed === "" ? 0n : new Evaluator(text, variables, depth).run();
}

class Evaluator {
  readonly #text: string;
  readonly #variables: ArithmeticVariables;
  readonly #depth: number;
  #at = 0;
  #kind: TokenKind = "end";
  #token = "";
  #tokenStart = 0;
  #lastStart = 0;
  #value = 0n;
  #target: Target | undefined;
  /** Above 0 inside a branch that is not taken: nothing is assigned, nothing divides. */
  #idle = 0;
  #nesting = 0;

  constructor(text: string, variables: ArithmeticVariables, depth: number) {
    this.#text = text.replace(/^\s+/, "");
    this.#variables = variables;
    this.#depth = depth;
  }

  run(): bigint {
    this.#next();
    const value = this.#comma();
    if (this.#is(UNKNOWN)) this.#fail("syntax error: invalid arithmetic operator", this.#text.slice(this.#tokenStart));
    if (this.#kind !== "end") this.#fail("syntax error in expression", this.#text.slice(this.#tokenStart));
    return value;
  }

  #fail(what: string, token = this.#text.slice(this.#kind === "end" ? this.#lastStart : this.#tokenStart)): never {
    throw new ArithmeticError(`${this.#text}: ${what} (error token is "${token}")`);
  }

  /** bash reads a number by ending the text behind it, and so shows it. */
  #failAtNumber(what: string, token: string): never {
    const start = this.#text.startsWith(token, this.#tokenStart) ? this.#tokenStart : this.#lastStart;
    throw new ArithmeticError(`${this.#text.slice(0, start + token.length)}: ${what} (error token is "${token}")`);
  }

  #next(): void {
    this.#lastStart = this.#tokenStart;
    while (" \t\n\r".includes(this.#text[this.#at] ?? "x")) this.#at++;
    this.#tokenStart = this.#at;
    const rest = this.#text.slice(this.#at);
    if (rest === "") {
      this.#kind = "end";
      this.#token = "";
      this.#tokenStart = this.#text.length;
      return;
    }
    const name = /^[A-Za-z_][A-Za-z0-9_]*/.exec(rest);
    if (name !== null) {
      this.#kind = "name";
      this.#token = name[0];
      this.#at += name[0].length;
      this.#target = { name: name[0], subscript: this.#subscript() };
      return;
    }
    const number = /^\d[A-Za-z0-9_@#]*/.exec(rest);
    if (number !== null) {
      this.#kind = "number";
      this.#token = number[0];
      this.#at += number[0].length;
      this.#value = this.#number(number[0]);
      return;
    }
    const operator = OPERATORS.find((one) => rest.startsWith(one));
    this.#kind = "operator";
    this.#token = operator ?? UNKNOWN;
    this.#at += this.#token.length;
  }

  #subscript(): string | undefined {
    if (this.#text[this.#at] !== "[") return undefined;
    let depth = 0;
    for (let i = this.#at; i < this.#text.length; i++) {
      if (this.#text[i] === "[") depth++;
      if (this.#text[i] === "]" && --depth === 0) {
        const inner = this.#text.slice(this.#at + 1, i);
        this.#at = i + 1;
        return inner;
      }
    }
    return this.#fail("bad array subscript", this.#text.slice(this.#tokenStart));
  }

  #number(token: string): bigint {
    const wrap = (value: bigint): bigint => BigInt.asIntN(64, value);
    if (/^0[xX]/.test(token)) {
      if (!/^0[xX][0-9a-fA-F]*$/.test(token)) this.#failAtNumber("value too great for base", token);
      return wrap(token.length === 2 ? 0n : BigInt(token));
    }
    const based = /^(\d+)#(.*)$/.exec(token);
    if (based !== null) return wrap(this.#based(token, Number(based[1]), based[2] as string));
    if (/^0\d/.test(token)) return wrap(this.#based(token, 8, token.slice(1)));
    if (!/^\d+$/.test(token)) this.#failAtNumber("value too great for base", token);
    return wrap(BigInt(token));
  }

  #based(token: string, base: number, digits: string): bigint {
    if (base < 2 || base > 64) this.#failAtNumber("invalid arithmetic base", token);
    if (digits === "") this.#failAtNumber("invalid integer constant", token);
    let value = 0n;
    for (const character of digits) {
      const lower = "0123456789abcdefghijklmnopqrstuvwxyz".indexOf(base <= 36 ? character.toLowerCase() : character);
      const digit =
        lower >= 0
          ? lower
          : base > 36
            ? /[A-Z]/.test(character)
              ? character.charCodeAt(0) - 65 + 36
              : character === "@"
                ? 62
                : character === "_"
                  ? 63
                  : 99
            : 99;
      if (digit >= base) this.#failAtNumber("value too great for base", token);
      value = value * BigInt(base) + BigInt(digit);
    }
    return value;
  }

  #isKind(kind: TokenKind): boolean {
    return this.#kind === kind;
  }

  #is(operator: string): boolean {
    return this.#kind === "operator" && this.#token === operator;
  }

  #comma(): bigint {
    let value = this.#assignment();
    while (this.#is(",")) {
      this.#next();
      value = this.#assignment();
    }
    return value;
  }

  #assignment(): bigint {
    if (this.#depth + ++this.#nesting > DEPTH_MAX) this.#fail("expression recursion level exceeded");
    try {
      if (this.#kind === "name") {
        const target = this.#target as Target;
        const saved = { at: this.#at, start: this.#tokenStart, token: this.#token, last: this.#lastStart };
        this.#next();
        if (this.#isKind("operator") && ASSIGNMENTS.has(this.#token)) return this.#assign(target, this.#token);
        this.#at = saved.at;
        this.#tokenStart = saved.start;
        this.#token = saved.token;
        this.#lastStart = saved.last;
        this.#kind = "name";
        this.#target = target;
      }
      const value = this.#conditional();
      if (this.#kind === "operator" && ASSIGNMENTS.has(this.#token)) this.#fail("attempted assignment to non-variable");
      return value;
    } finally {
      this.#nesting--;
    }
  }

  #assign(target: Target, operator: string): bigint {
    this.#next();
    const right = this.#assignment();
    const value = operator === "=" ? right : this.#apply(operator.slice(0, -1), this.#read(target), right);
    this.#store(target, value);
    return value;
  }

  #conditional(): bigint {
    const test = this.#binary(0);
    if (!this.#is("?")) return test;
    this.#next();
    if (this.#is(":") || this.#isKind("end")) this.#fail("expression expected");
    const first = this.#branch(test !== 0n, () => this.#comma());
    if (!this.#is(":")) this.#fail("`:' expected for conditional expression");
    this.#next();
    if (this.#isKind("end")) this.#fail("expression expected");
    const second = this.#branch(test === 0n, () => this.#assignment());
    return test !== 0n ? first : second;
  }

  #branch(isTaken: boolean, evaluate: () => bigint): bigint {
    if (!isTaken) this.#idle++;
    const value = evaluate();
    if (!isTaken) this.#idle--;
    return value;
  }

  /** Binary operators that bind at least as tightly as `level`. */
  #binary(level: number): bigint {
    let left = this.#power();
    while (this.#kind === "operator") {
      const operator = this.#token;
      const precedence = PRECEDENCE.get(operator);
      if (precedence === undefined || precedence < level) break;
      this.#next();
      if (operator === "||" || operator === "&&") {
        const isNeeded = (operator === "&&") === (left !== 0n);
        const right = this.#branch(isNeeded, () => this.#binary(precedence + 1));
        left = operator === "&&" ? BigInt(left !== 0n && right !== 0n) : BigInt(left !== 0n || right !== 0n);
      } else {
        const start = this.#tokenStart;
        const right = this.#binary(precedence + 1);
        if ((operator === "/" || operator === "%") && right === 0n && this.#idle === 0) this.#fail("division by 0", this.#text.slice(start));
        left = this.#apply(operator, left, right);
      }
    }
    return left;
  }

  #power(): bigint {
    const base = this.#unary();
    if (!this.#is("**")) return base;
    this.#next();
    const start = this.#tokenStart;
    const exponent = this.#power();
    if (exponent < 0n) this.#fail("exponent less than 0", this.#text.slice(start));
    let result = 1n;
    let factor = base;
    for (let left = exponent; left > 0n; left >>= 1n) {
      if ((left & 1n) === 1n) result = BigInt.asIntN(64, result * factor);
      factor = BigInt.asIntN(64, factor * factor);
    }
    return result;
  }

  #unary(): bigint {
    if (this.#kind === "operator") {
      const operator = this.#token;
      if (operator === "++" || operator === "--") {
        this.#next();
        if (this.#isKind("name")) {
          const target = this.#target as Target;
          this.#next();
          const value = this.#apply(operator === "++" ? "+" : "-", this.#read(target), 1n);
          this.#store(target, value);
          return value;
        }
        const inner = this.#unary();
        return inner;
      }
      if ("!~-+".includes(operator)) {
        this.#next();
        const value = this.#unary();
        return operator === "!" ? BigInt(value === 0n) : operator === "~" ? ~value : operator === "-" ? BigInt.asIntN(64, -value) : value;
      }
    }
    return this.#primary();
  }

  #primary(): bigint {
    if (this.#is("(")) {
      this.#next();
      const value = this.#comma();
      if (!this.#is(")")) this.#fail("missing `)'");
      this.#next();
      return value;
    }
    if (this.#kind === "number") {
      const value = this.#value;
      this.#next();
      if (this.#kind === "number" || this.#kind === "name") this.#fail("syntax error in expression");
      return value;
    }
    if (this.#kind === "name") {
      const target = this.#target as Target;
      this.#next();
      const value = this.#read(target);
      if (this.#is("++") || this.#is("--")) {
        this.#store(target, this.#apply(this.#is("++") ? "+" : "-", value, 1n));
        this.#next();
      }
      return value;
    }
    return this.#fail("syntax error: operand expected");
  }

  #read(target: Target): bigint {
    if (this.#idle > 0) return 0n;
    const text = this.#variables.read(target.name, target.subscript);
    if (text === undefined || text === "") return 0n;
    if (/^(?:0|[1-9]\d{0,17})$/.test(text)) return BigInt(text);
    return evaluateArithmetic(text, this.#variables, this.#depth + this.#nesting + 1);
  }

  #store(target: Target, value: bigint): void {
    if (this.#idle === 0) this.#variables.assign(target.name, target.subscript, String(BigInt.asIntN(64, value)));
  }

  #apply(operator: string, left: bigint, right: bigint): bigint {
    const wrap = (value: bigint): bigint => BigInt.asIntN(64, value);
    switch (operator) {
      case "+":
        return wrap(left + right);
      case "-":
        return wrap(left - right);
      case "*":
        return wrap(left * right);
      case "/":
      case "%":
        if (right === 0n) {
          if (this.#idle > 0) return 0n;
          this.#fail("division by 0");
        }
        return wrap(operator === "/" ? left / right : left % right);
      case "<<":
        return wrap(left << (right & 63n));
      case ">>":
        return wrap(left >> (right & 63n));
      case "&":
        return left & right;
      case "|":
        return left | right;
      case "^":
        return left ^ right;
      case "==":
        return BigInt(left === right);
      case "!=":
        return BigInt(left !== right);
      case "<":
        return BigInt(left < right);
      case ">":
        return BigInt(left > right);
      case "<=":
        return BigInt(left <= right);
      default:
        return BigInt(left >= right);
    }
  }
}
