/**
 * awk's parser: recursive descent over the tokens, precedence as in POSIX.
 */

import { type AwkFunction, type AwkProgram, AwkSyntaxError, type Expression, type Rule, type Statement, type Token, tokenize } from "./syntax.ts";

const ASSIGNMENTS = new Set(["=", "+=", "-=", "*=", "/=", "%=", "^="]);
const COMPARISONS = new Set(["<", "<=", "==", "!=", ">", ">="]);
/** Names that may stand without parentheses. */
const BARE_CALLS = new Set(["length"]);
const DEPTH_MAX = 200;

export function parseAwk(source: string): AwkProgram {
  return new AwkParser(tokenize(source)).program();
}

class AwkParser {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;
  /** Inside print's arguments `>` redirects, inside a for's head `in` belongs to it. */
  #allowsGreater = true;
  #pullsRecords = false;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  program(): AwkProgram {
    const rules: Rule[] = [];
    const functions = new Map<string, AwkFunction>();
    for (this.#skipTerminators(); this.#token.kind !== "end"; this.#skipTerminators()) {
      if (this.#takeWord("function") || this.#takeWord("func")) this.#function(functions);
      else rules.push(this.#rule());
    }
    return { rules, functions, pullsRecords: this.#pullsRecords };
  }

  get #token(): Token {
    return this.#tokens[this.#at] as Token;
  }

  #is(text: string): boolean {
    return this.#token.kind === "operator" && this.#token.text === text;
  }

  #isWord(text: string): boolean {
    return this.#token.kind === "word" && this.#token.text === text;
  }

  #take(text: string): boolean {
    if (!this.#is(text)) return false;
    this.#at++;
    return true;
  }

  #takeWord(text: string): boolean {
    if (!this.#isWord(text)) return false;
    this.#at++;
    return true;
  }

  #expect(text: string): void {
    if (!this.#take(text)) throw this.#error();
  }

  #error(): AwkSyntaxError {
    const { kind, text, line } = this.#token;
    return new AwkSyntaxError(kind === "end" ? "syntax error at or near end of line" : `syntax error at or near ${kind === "newline" ? "end of line" : text}`, line);
  }

  #skipNewlines(): void {
    while (this.#token.kind === "newline") this.#at++;
  }

  #skipTerminators(): void {
    while (this.#token.kind === "newline" || this.#is(";")) this.#at++;
  }

  #function(functions: Map<string, AwkFunction>): void {
    const name = this.#token.text;
    if (this.#token.kind !== "call" && this.#token.kind !== "name") throw this.#error();
    this.#at++;
    this.#expect("(");
    const parameters: string[] = [];
    while (!this.#take(")")) {
      if (this.#token.kind !== "name") throw this.#error();
      parameters.push(this.#token.text);
      this.#at++;
      this.#take(",");
      this.#skipNewlines();
    }
    this.#skipNewlines();
    functions.set(name, { parameters, body: this.#block() });
  }

  #rule(): Rule {
    if (this.#takeWord("BEGIN")) return { pattern: { kind: "begin" }, body: this.#block() };
    if (this.#takeWord("END")) return { pattern: { kind: "end" }, body: this.#block() };
    let pattern: Rule["pattern"] = { kind: "always" };
    if (!this.#is("{")) {
      const test = this.#expression();
      pattern = { kind: "when", test };
      if (this.#take(",")) {
        this.#skipNewlines();
        pattern = { kind: "range", from: test, to: this.#expression() };
      }
    }
    return { pattern, body: this.#is("{") ? this.#block() : undefined };
  }

  #block(): Statement[] {
    this.#skipNewlines();
    this.#expect("{");
    const body: Statement[] = [];
    for (this.#skipTerminators(); !this.#take("}"); this.#skipTerminators()) {
      if (this.#token.kind === "end") throw new AwkSyntaxError("missing } near end of file", this.#token.line + 1);
      body.push(this.#statement());
    }
    return body;
  }

  #endStatement(): void {
    if (this.#is("}") || this.#token.kind === "end") return;
    if (this.#token.kind !== "newline" && !this.#is(";")) throw this.#error();
    this.#skipTerminators();
  }

  #statement(): Statement {
    this.#deeper();
    try {
      return this.#anyStatement();
    } finally {
      this.#depth--;
    }
  }

  #deeper(): void {
    if (++this.#depth > DEPTH_MAX) throw new AwkSyntaxError("lvsim: nested too deeply", this.#token.line);
  }

  #anyStatement(): Statement {
    if (this.#is("{")) return { kind: "block", body: this.#block() };
    if (this.#take(";")) return { kind: "block", body: [] };
    if (this.#takeWord("if")) return this.#if();
    if (this.#takeWord("while")) {
      this.#expect("(");
      const test = this.#expression();
      this.#expect(")");
      return { kind: "while", test, body: this.#is(";") ? this.#anyStatement() : this.#body() };
    }
    if (this.#takeWord("do")) {
      const body = this.#body();
      this.#skipTerminators();
      if (!this.#takeWord("while")) throw this.#error();
      this.#expect("(");
      const test = this.#expression();
      this.#expect(")");
      this.#endStatement();
      return { kind: "do", test, body };
    }
    if (this.#takeWord("for")) return this.#for();
    const statement = this.#simple();
    this.#endStatement();
    return statement;
  }

  #body(): Statement {
    this.#skipNewlines();
    return this.#statement();
  }

  #if(): Statement {
    this.#expect("(");
    const test = this.#expression();
    this.#expect(")");
    const yes = this.#body();
    const mark = this.#at;
    this.#skipTerminators();
    if (this.#takeWord("else")) return { kind: "if", test, yes, no: this.#body() };
    this.#at = mark;
    return { kind: "if", test, yes, no: undefined };
  }

  #for(): Statement {
    this.#expect("(");
    const [name, word, array] = this.#tokens.slice(this.#at, this.#at + 3) as [Token, Token, Token];
    if (name.kind === "name" && word.kind === "word" && word.text === "in" && this.#tokens[this.#at + 3]?.text === ")") {
      this.#at += 4;
      return { kind: "for-in", variable: name.text, name: array.text, body: this.#body() };
    }
    const init = this.#is(";") ? undefined : this.#simple();
    this.#expect(";");
    this.#skipNewlines();
    const test = this.#is(";") ? undefined : this.#expression();
    this.#expect(";");
    this.#skipNewlines();
    const step = this.#is(")") ? undefined : this.#simple();
    this.#expect(")");
    return { kind: "for", init, test, step, body: this.#is(";") ? this.#anyStatement() : this.#body() };
  }

  #simple(): Statement {
    const { kind, text } = this.#token;
    if (kind === "word") {
      switch (text) {
        case "print":
        case "printf":
          this.#at++;
          return this.#print(text);
        case "next":
        case "break":
        case "continue":
          this.#at++;
          return { kind: text };
        case "nextfile":
          throw new AwkSyntaxError("lvsim: nextfile is not simulated", this.#token.line);
        case "exit":
        case "return":
          this.#at++;
          return { kind: text, value: this.#isAtEnd() ? undefined : this.#expression() };
        case "delete": {
          this.#at++;
          const name = this.#token.text;
          this.#at++;
          return { kind: "delete", name, keys: this.#take("[") ? this.#list("]") : undefined };
        }
        default:
      }
    }
    return { kind: "expression", expression: this.#expression() };
  }

  #isAtEnd(): boolean {
    return this.#token.kind === "newline" || this.#token.kind === "end" || this.#is(";") || this.#is("}");
  }

  #print(kind: "print" | "printf"): Statement {
    this.#allowsGreater = false;
    let args: readonly Expression[] = [];
    if (!this.#isAtEnd() && !this.#is(">") && !this.#is(">>") && !this.#is("|")) {
      args = this.#list(undefined);
      const [only] = args;
      if (args.length === 1 && only?.kind === "group" && only.items.length > 1) args = only.items;
    }
    this.#allowsGreater = true;
    const operator = this.#take("|") ? "|" : this.#take(">>") ? ">>" : this.#take(">") ? ">" : undefined;
    return { kind, args, redirect: operator === undefined ? undefined : { operator, target: this.#concatenation() } };
  }

  /** Expressions separated by commas, up to and with `close`. */
  #list(close: string | undefined): Expression[] {
    const items: Expression[] = [];
    if (close !== undefined && this.#take(close)) return items;
    do {
      this.#skipNewlines();
      items.push(this.#expression());
    } while (this.#take(","));
    if (close !== undefined) this.#expect(close);
    return items;
  }

  #expression(): Expression {
    this.#deeper();
    try {
      return this.#assignment();
    } finally {
      this.#depth--;
    }
  }

  #assignment(): Expression {
    const left = this.#conditional();
    if (this.#token.kind !== "operator" || !ASSIGNMENTS.has(this.#token.text)) return left;
    if (left.kind !== "variable" && left.kind !== "field" && left.kind !== "element") throw this.#error();
    const operator = this.#token.text;
    this.#at++;
    this.#skipNewlines();
    return { kind: "assign", operator, target: left, value: this.#assignment() };
  }

  #conditional(): Expression {
    const test = this.#or();
    if (!this.#take("?")) return test;
    this.#skipNewlines();
    const yes = this.#assignment();
    this.#skipNewlines();
    this.#expect(":");
    this.#skipNewlines();
    return { kind: "conditional", test, yes, no: this.#assignment() };
  }

  #or(): Expression {
    let left = this.#and();
    while (this.#take("||")) {
      this.#skipNewlines();
      left = { kind: "or", left, right: this.#and() };
    }
    return left;
  }

  #and(): Expression {
    let left = this.#in();
    while (this.#take("&&")) {
      this.#skipNewlines();
      left = { kind: "and", left, right: this.#in() };
    }
    return left;
  }

  #in(): Expression {
    let left = this.#match();
    while (this.#isWord("in")) {
      this.#at++;
      const name = this.#token.text;
      this.#at++;
      left = { kind: "in", keys: left.kind === "group" ? left.items : [left], name };
    }
    return left;
  }

  #match(): Expression {
    let left = this.#comparison();
    while (this.#is("~") || this.#is("!~")) {
      const isNegated = this.#token.text === "!~";
      this.#at++;
      left = { kind: "match", isNegated, left, right: this.#comparison() };
    }
    return left;
  }

  #comparison(): Expression {
    const left = this.#concatenation();
    if (this.#token.kind !== "operator" || !COMPARISONS.has(this.#token.text) || (this.#token.text === ">" && !this.#allowsGreater)) return left;
    const operator = this.#token.text;
    this.#at++;
    return { kind: "binary", operator, left, right: this.#concatenation() };
  }

  #startsOperand(): boolean {
    const { kind, text } = this.#token;
    if (kind === "number" || kind === "string" || kind === "name" || kind === "call" || kind === "regex") return true;
    return kind === "operator" && ["$", "(", "!", "-", "+", "++", "--"].includes(text);
  }

  #concatenation(): Expression {
    let left = this.#additive();
    while (this.#startsOperand()) left = { kind: "binary", operator: " ", left, right: this.#additive() };
    return left;
  }

  #additive(): Expression {
    let left = this.#multiplicative();
    while (this.#is("+") || this.#is("-")) {
      const operator = this.#token.text;
      this.#at++;
      left = { kind: "binary", operator, left, right: this.#multiplicative() };
    }
    return left;
  }

  #multiplicative(): Expression {
    let left = this.#unary();
    while (this.#is("*") || this.#is("/") || this.#is("%")) {
      const operator = this.#token.text;
      this.#at++;
      left = { kind: "binary", operator, left, right: this.#unary() };
    }
    return left;
  }

  #unary(): Expression {
    for (const operator of ["!", "-", "+"] as const) {
      if (!this.#take(operator)) continue;
      this.#deeper();
      const operand = this.#unary();
      this.#depth--;
      return { kind: "unary", operator, operand };
    }
    return this.#power();
  }

  #power(): Expression {
    const left = this.#postfix();
    if (!this.#take("^")) return left;
    // Right to left, and a sign may follow.
    const right: Expression = this.#is("-") || this.#is("+") || this.#is("!") ? this.#unary() : this.#power();
    return { kind: "binary", operator: "^", left, right };
  }

  #postfix(): Expression {
    const target = this.#primary();
    if (target.kind === "variable" || target.kind === "field" || target.kind === "element") {
      if (this.#take("++")) return { kind: "step", isPrefix: false, by: 1, target };
      if (this.#take("--")) return { kind: "step", isPrefix: false, by: -1, target };
    }
    return target;
  }

  #primary(): Expression {
    const { kind, text } = this.#token;
    this.#at++;
    switch (kind) {
      case "number":
        return { kind: "number", value: Number(text) };
      case "string":
        return { kind: "string", value: text };
      case "regex":
        return { kind: "regex", source: text };
      case "call":
        this.#expect("(");
        return { kind: "call", name: text, args: this.#nested(() => this.#list(")")) };
      case "name":
        if (this.#take("[")) return { kind: "element", name: text, keys: this.#nested(() => this.#list("]")) };
        return BARE_CALLS.has(text) ? { kind: "call", name: text, args: [] } : { kind: "variable", name: text };
      case "word":
        if (text === "getline") return this.#getline();
        break;
      case "operator":
        return this.#operatorPrimary(text);
      default:
    }
    this.#at--;
    throw this.#error();
  }

  #operatorPrimary(text: string): Expression {
    if (text === "$") return { kind: "field", index: this.#is("++") || this.#is("--") || this.#is("-") ? this.#unary() : this.#primary() };
    if (text === "++" || text === "--") {
      const target = this.#primary();
      return { kind: "step", isPrefix: true, by: text === "++" ? 1 : -1, target };
    }
    if (text === "(") {
      const items = this.#nested(() => this.#list(")"));
      return { kind: "group", items };
    }
    this.#at--;
    throw this.#error();
  }

  /** Parentheses make `>` a comparison again. */
  #nested<T>(parse: () => T): T {
    const before = this.#allowsGreater;
    this.#allowsGreater = true;
    const result = parse();
    this.#allowsGreater = before;
    return result;
  }

  #getline(): Expression {
    const hasTarget = this.#token.kind === "name" || this.#is("$");
    const target = hasTarget ? this.#primary() : undefined;
    const file = this.#take("<") ? this.#primary() : undefined;
    if (file === undefined) this.#pullsRecords = true;
    return { kind: "getline", target, file };
  }
}
