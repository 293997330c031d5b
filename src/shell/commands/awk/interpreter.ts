/**
 * Runs an awk program over records. Values are numbers, strings, or strings from input that look like numbers ("strnum").
 */

import { compileRegex, type Regex } from "../../regex.ts";
import { withCharacters } from "../../regex-escapes.ts";
import { formatPrintf, formatNumber } from "./format.ts";
import { AwkError, type AwkIo, type Cell, ExitProgram, fromInput, type InputRecord, LoopControl, NextRecord, ReturnValue, StrNum, type Value } from "./values.ts";
import type { AwkFunction, AwkProgram, Expression, Rule, Statement } from "./syntax.ts";

const STEPS_MAX = 20_000_000;
const CALLS_MAX = 1000;
const FIELDS_MAX = 100_000;

export class AwkInterpreter {
  readonly #program: AwkProgram;
  readonly #io: AwkIo;
  readonly #globals = new Map<string, Cell>([["FS", " "], ["OFS", " "], ["ORS", "\n"], ["RS", "\n"], ["SUBSEP", "\x1c"], ["NR", 0], ["FNR", 0], ["NF", 0], ["CONVFMT", "%.6g"], ["OFMT", "%.6g"], ["RSTART", 0], ["RLENGTH", -1], ["FILENAME", ""]]);
  #locals: Map<string, Cell> | undefined;
  #record = "";
  #fields: Value[] = [];
  readonly #regexes = new Map<string, Regex>();
  readonly #active = new Map<Rule, boolean>();
  readonly #opened = new Set<string>();
  readonly #readers = new Map<string, string[]>();
  #steps = 0;
  #calls = 0;
  exitStatus = 0;
  hasExited = false;

  constructor(program: AwkProgram, io: AwkIo) {
    this.#program = program;
    this.#io = io;
  }

  assign(name: string, text: string): void {
    this.#globals.set(name, fromInput(text));
  }

  setEnvironment(env: ReadonlyMap<string, string>, args: readonly string[]): void {
    this.#globals.set("ENVIRON", new Map([...env].map(([key, value]) => [key, fromInput(value)])));
    this.#globals.set("ARGV", new Map(args.map((value, i) => [String(i), fromInput(value)])));
    this.#globals.set("ARGC", args.length);
  }

  get readsInput(): boolean {
    return this.#program.rules.some(({ pattern }) => pattern.kind !== "begin");
  }

  get recordSeparator(): string {
    return this.#text(this.#globals.get("RS") as Value);
  }

  begin(): void {
    this.#guard(() => {
      for (const { pattern, body } of this.#program.rules) if (pattern.kind === "begin") this.#block(body ?? []);
    });
  }

  #count({ file, isFirstOfFile }: InputRecord): void {
    this.#globals.set("FILENAME", file);
    this.#globals.set("NR", this.#number(this.#globals.get("NR") as Value) + 1);
    this.#globals.set("FNR", isFirstOfFile ? 1 : this.#number(this.#globals.get("FNR") as Value) + 1);
  }

  record(input: InputRecord): void {
    this.#count(input);
    this.#setRecord(input.text);
    this.#guard(() => {
      for (const rule of this.#program.rules) {
        if (!this.#selects(rule)) continue;
        if (rule.body === undefined) this.#io.write(this.#record + this.#text(this.#globals.get("ORS") as Value));
        else this.#block(rule.body);
      }
    });
  }

  /** exit in BEGIN and among the records skips to END; there it ends. */
  end(): void {
    this.hasExited = false;
    this.#guard(() => {
      for (const { pattern, body } of this.#program.rules) if (pattern.kind === "end") this.#block(body ?? []);
    });
  }

  #guard(body: () => void): void {
    try {
      body();
    } catch (error) {
      if (error instanceof NextRecord) return;
      if (!(error instanceof ExitProgram)) throw error;
      this.hasExited = true;
    }
  }

  #selects(rule: Rule): boolean {
    const { pattern } = rule;
    switch (pattern.kind) {
      case "always":
        return true;
      case "when":
        return this.#truth(this.#condition(pattern.test));
      case "range": {
        const wasActive = this.#active.get(rule) === true;
        if (!wasActive && !this.#truth(this.#condition(pattern.from))) return false;
        this.#active.set(rule, !this.#truth(this.#condition(pattern.to)));
        return true;
      }
      default:
        return false;
    }
  }

  /* ---------------------------------------------------------------------------------------------------- statements */

  #block(body: readonly Statement[]): void {
    for (const statement of body) this.#statement(statement);
  }

  #step(): void {
    if (++this.#steps > STEPS_MAX) throw new AwkError(`lvsim: the program ran ${STEPS_MAX} statements`);
  }

  #statement(statement: Statement): void {
    this.#step();
    switch (statement.kind) {
      case "expression":
        this.#evaluate(statement.expression);
        return;
      case "print":
      case "printf":
        this.#print(statement);
        return;
      case "block":
        this.#block(statement.body);
        return;
      case "if":
        if (this.#truth(this.#condition(statement.test))) this.#statement(statement.yes);
        else if (statement.no !== undefined) this.#statement(statement.no);
        return;
      case "while":
        while (this.#truth(this.#condition(statement.test))) if (this.#loopBody(statement.body)) return;
        return;
      case "do":
        do {
          if (this.#loopBody(statement.body)) return;
        } while (this.#truth(this.#condition(statement.test)));
        return;
      case "for":
        if (statement.init !== undefined) this.#statement(statement.init);
        while (statement.test === undefined || this.#truth(this.#condition(statement.test))) {
          if (this.#loopBody(statement.body)) return;
          if (statement.step !== undefined) this.#statement(statement.step);
        }
        return;
      case "for-in":
        for (const key of [...this.#array(statement.name).keys()]) {
          this.#assign({ kind: "variable", name: statement.variable }, fromInput(key));
          if (this.#loopBody(statement.body)) return;
        }
        return;
      case "delete":
        if (statement.keys === undefined) this.#array(statement.name).clear();
        else this.#array(statement.name).delete(this.#key(statement.keys));
        return;
      case "next":
        throw new NextRecord();
      case "break":
      case "continue":
        throw new LoopControl(statement.kind);
      case "exit":
        if (statement.value !== undefined) this.exitStatus = Math.trunc(this.#number(this.#evaluate(statement.value))) & 255;
        throw new ExitProgram();
      case "return":
        throw new ReturnValue(statement.value === undefined ? undefined : this.#evaluate(statement.value));
    }
  }

  /** True when the loop is to be left. */
  #loopBody(body: Statement): boolean {
    this.#step();
    try {
      this.#statement(body);
      return false;
    } catch (error) {
      if (!(error instanceof LoopControl)) throw error;
      return error.kind === "break";
    }
  }

  #print(statement: Extract<Statement, { kind: "print" | "printf" }>): void {
    const values = statement.args.map((arg) => this.#evaluate(arg));
    const text =
      statement.kind === "printf"
        ? formatPrintf(this.#text(values[0]), values.slice(1).map((value) => ({ text: this.#text(value), number: this.#number(value), isNumber: typeof value === "number" })))
        : (values.length === 0 ? this.#record : values.map((value) => this.#text(value)).join(this.#text(this.#globals.get("OFS") as Value))) + this.#text(this.#globals.get("ORS") as Value);
    if (statement.redirect === undefined) {
      this.#io.write(text);
      return;
    }
    const path = this.#text(this.#evaluate(statement.redirect.target));
    if (statement.redirect.operator === "|") {
      this.#io.writePipe(path, text);
      return;
    }
    if (path === "/dev/stdout" || path === "-") this.#io.write(text);
    else this.#io.writeFile(path, text, statement.redirect.operator === ">>" || this.#opened.has(path));
    this.#opened.add(path);
  }

  /* --------------------------------------------------------------------------------------------------- expressions */

  /** A bare regular expression as a condition asks about the record. */
  #condition(expression: Expression): Value {
    return this.#evaluate(expression);
  }

  #evaluate(expression: Expression): Value {
    switch (expression.kind) {
      case "number":
      case "string":
        return expression.value;
      case "regex":
        return this.#regex(expression.source).test(this.#record) ? 1 : 0;
      case "variable":
        return this.#variable(expression.name);
      case "field":
        return this.#field(this.#number(this.#evaluate(expression.index)));
      case "element": {
        const array = this.#array(expression.name);
        const key = this.#key(expression.keys);
        if (!array.has(key)) array.set(key, undefined);
        return array.get(key);
      }
      case "unary": {
        const operand = this.#evaluate(expression.operand);
        return expression.operator === "!" ? (this.#truth(operand) ? 0 : 1) : expression.operator === "-" ? -this.#number(operand) : this.#number(operand);
      }
      case "binary":
        return this.#binary(expression.operator, this.#evaluate(expression.left), this.#evaluate(expression.right));
      case "match":
        return this.#matcher(expression.right).test(this.#text(this.#evaluate(expression.left))) !== expression.isNegated ? 1 : 0;
      case "in":
        return this.#array(expression.name).has(this.#key(expression.keys)) ? 1 : 0;
      case "and":
        return this.#truth(this.#condition(expression.left)) && this.#truth(this.#condition(expression.right)) ? 1 : 0;
      case "or":
        return this.#truth(this.#condition(expression.left)) || this.#truth(this.#condition(expression.right)) ? 1 : 0;
      case "conditional":
        return this.#evaluate(this.#truth(this.#condition(expression.test)) ? expression.yes : expression.no);
      case "assign": {
        const value = this.#evaluate(expression.value);
        if (expression.operator === "=") return this.#assign(expression.target, value);
        return this.#assign(expression.target, this.#binary(expression.operator.slice(0, -1), this.#evaluate(expression.target), value));
      }
      case "step": {
        const before = this.#number(this.#evaluate(expression.target));
        this.#assign(expression.target, before + expression.by);
        return expression.isPrefix ? before + expression.by : before;
      }
      case "call":
        return this.#call(expression.name, expression.args);
      case "getline":
        return this.#getline(expression);
      case "group": {
        const [only] = expression.items;
        return expression.items.length === 1 && only !== undefined ? this.#evaluate(only) : this.#key(expression.items);
      }
    }
  }

  #binary(operator: string, left: Value, right: Value): Value {
    switch (operator) {
      case " ":
        return this.#text(left) + this.#text(right);
      case "+":
        return this.#number(left) + this.#number(right);
      case "-":
        return this.#number(left) - this.#number(right);
      case "*":
        return this.#number(left) * this.#number(right);
      case "/":
      case "%": {
        const divisor = this.#number(right);
        if (divisor === 0) throw new AwkError("division by zero");
        return operator === "/" ? this.#number(left) / divisor : this.#number(left) % divisor;
      }
      case "^":
        return this.#number(left) ** this.#number(right);
      default:
        return this.#compare(operator, left, right) ? 1 : 0;
    }
  }

  #compare(operator: string, left: Value, right: Value): boolean {
    const isText = typeof left === "string" || typeof right === "string";
    const a = isText ? this.#text(left) : this.#number(left);
    const b = isText ? this.#text(right) : this.#number(right);
    switch (operator) {
      case "<":
        return a < b;
      case "<=":
        return a <= b;
      case "==":
        return a === b;
      case "!=":
        return a !== b;
      case ">":
        return a > b;
      default:
        return a >= b;
    }
  }

  #number(value: Value): number {
    if (typeof value === "number") return value;
    if (value === undefined) return 0;
    if (value instanceof StrNum) return value.value;
    const match = /^\s*[-+]?(\d+\.?\d*([eE][-+]?\d+)?|\.\d+([eE][-+]?\d+)?)/.exec(value);
    return match === null ? 0 : Number(match[0]);
  }

  #text(value: Value): string {
    if (typeof value === "string") return value;
    if (value === undefined) return "";
    return value instanceof StrNum ? value.text : formatNumber(value);
  }

  #truth(value: Value): boolean {
    if (value === undefined) return false;
    if (typeof value === "number") return value !== 0;
    return value instanceof StrNum ? value.value !== 0 : value !== "";
  }

  #key(keys: readonly Expression[]): string {
    return keys.map((key) => this.#text(this.#evaluate(key))).join(this.#text(this.#globals.get("SUBSEP") as Value));
  }

  /* ----------------------------------------------------------------------------------------------------- variables */

  #scopeOf(name: string): Map<string, Cell> {
    return this.#locals?.has(name) === true ? this.#locals : this.#globals;
  }

  #variable(name: string): Value {
    const cell = this.#scopeOf(name).get(name);
    if (cell instanceof Map) throw new AwkError(`can't use array ${name} in scalar context`);
    return cell;
  }

  #array(name: string): Map<string, Value> {
    const scope = this.#scopeOf(name);
    const cell = scope.get(name);
    if (cell instanceof Map) return cell;
    const array = new Map<string, Value>();
    scope.set(name, array);
    return array;
  }

  #assign(target: Expression, value: Value): Value {
    switch (target.kind) {
      case "variable":
        this.#scopeOf(target.name).set(target.name, value);
        if (target.name === "NF") this.#resize(this.#number(value));
        return value;
      case "field":
        this.#setField(this.#number(this.#evaluate(target.index)), value);
        return value;
      case "element":
        this.#array(target.name).set(this.#key(target.keys), value);
        return value;
      default:
        throw new AwkError("cannot assign to that");
    }
  }

  #setRecord(text: string): void {
    this.#record = text;
    this.#fields = this.#split(text, this.#text(this.#globals.get("FS") as Value)).map(fromInput);
    this.#globals.set("NF", this.#fields.length);
  }

  #split(text: string, separator: string): string[] {
    if (text === "") return [];
    if (separator === " ") return text.split(/[ \t\n]+/).filter((part) => part !== "");
    if (separator === "") return [...text];
    if (separator.length === 1 && separator !== "\\") return text.split(separator);
    const regex = this.#regex(separator);
    const parts: string[] = [];
    let at = 0;
    for (const match of regex.findAll(text)) {
      if (match.end === match.start) continue;
      parts.push(text.slice(at, match.start));
      at = match.end;
    }
    parts.push(text.slice(at));
    return parts;
  }

  #field(index: number): Value {
    if (index === 0) return fromInput(this.#record);
    if (index < 0) throw new AwkError(`trying to access out of range field ${index}`);
    return this.#fields[Math.trunc(index) - 1];
  }

  #setField(index: number, value: Value): void {
    if (index === 0) {
      this.#setRecord(this.#text(value));
      return;
    }
    if (index < 0 || index > FIELDS_MAX) throw new AwkError(`trying to access out of range field ${index}`);
    while (this.#fields.length < index) this.#fields.push("");
    this.#fields[index - 1] = value;
    this.#rebuild();
  }

  #resize(count: number): void {
    if (count < 0 || count > FIELDS_MAX) throw new AwkError("NF out of range");
    while (this.#fields.length < count) this.#fields.push("");
    this.#fields.length = count;
    this.#rebuild();
  }

  #rebuild(): void {
    this.#globals.set("NF", this.#fields.length);
    this.#record = this.#fields.map((field) => this.#text(field)).join(this.#text(this.#globals.get("OFS") as Value));
  }

  #regex(source: string): Regex {
    let regex = this.#regexes.get(source);
    if (regex === undefined) {
      const compiled = compileRegex(withCharacters(source), "extended");
      if (typeof compiled === "string") throw new AwkError(`regular expression compile failed (${compiled})\n${source}`);
      regex = compiled;
      this.#regexes.set(source, regex);
    }
    return regex;
  }

  /** The right side of `~`, and what split, sub and match take: a regex as it stands, or text that is one. */
  #matcher(expression: Expression): Regex {
    return this.#regex(expression.kind === "regex" ? expression.source : this.#text(this.#evaluate(expression)));
  }

  #getline(expression: Extract<Expression, { kind: "getline" }>): number {
    if (expression.file === undefined) {
      const input = this.#io.pull();
      if (input === undefined) return 0;
      this.#count(input);
      if (expression.target === undefined) this.#setRecord(input.text);
      else this.#assign(expression.target, fromInput(input.text));
      return 1;
    }
    const path = this.#text(this.#evaluate(expression.file));
    let lines = this.#readers.get(path);
    if (lines === undefined) {
      const text = this.#io.readFile(path);
      if (text === undefined) return -1;
      lines = text.split("\n");
      if (lines.at(-1) === "") lines.pop();
      this.#readers.set(path, lines);
    }
    const line = lines.shift();
    if (line === undefined) return 0;
    if (expression.target === undefined) this.#setRecord(line);
    else this.#assign(expression.target, fromInput(line));
    return 1;
  }

  /* --------------------------------------------------------------------------------------------------------- calls */

  #call(name: string, args: readonly Expression[]): Value {
    const own = this.#program.functions.get(name);
    if (own !== undefined) return this.#callOwn(own, args);
    const text = (i: number) => this.#text(args[i] === undefined ? undefined : this.#evaluate(args[i]));
    const number = (i: number) => this.#number(args[i] === undefined ? undefined : this.#evaluate(args[i]));
    switch (name) {
      case "length": {
        const [only] = args;
        if (only === undefined) return this.#record.length;
        if (only.kind === "variable" && this.#scopeOf(only.name).get(only.name) instanceof Map) return this.#array(only.name).size;
        return text(0).length;
      }
      case "substr": {
        const value = text(0);
        const start = Math.trunc(number(1));
        let count = args[2] === undefined ? Number.POSITIVE_INFINITY : Math.trunc(number(2));
        // Linux differs from POSIX: mawk 1.3.4 lengthens what begins before the text by as much as it should shorten it.
        if (start < 1) count -= start;
        const first = Math.max(1, start) - 1;
        return value.slice(first, first + Math.max(0, count));
      }
      case "index":
        return text(0).indexOf(text(1)) + 1;
      case "split":
        return this.#splitInto(args);
      case "sub":
      case "gsub":
        return this.#substitute(args, name === "gsub");
      case "match": {
        const found = this.#matcher(args[1] as Expression).find(text(0));
        this.#globals.set("RSTART", found === undefined ? 0 : found.start + 1);
        this.#globals.set("RLENGTH", found === undefined ? -1 : found.end - found.start);
        return found === undefined ? 0 : found.start + 1;
      }
      case "sprintf": {
        const values = args.map((arg) => this.#evaluate(arg));
        return formatPrintf(this.#text(values[0]), values.slice(1).map((value) => ({ text: this.#text(value), number: this.#number(value), isNumber: typeof value === "number" })));
      }
      case "tolower":
        return text(0).toLowerCase();
      case "toupper":
        return text(0).toUpperCase();
      case "int":
        return Math.trunc(number(0));
      case "sqrt":
        return Math.sqrt(number(0));
      case "rand":
        return this.#io.random();
      case "close":
        this.#readers.delete(text(0));
        this.#opened.delete(text(0));
        this.#io.close(text(0));
        return 0;
      case "srand":
      case "fflush":
        return 0;
      case "exp":
      case "log":
      case "sin":
      case "cos":
      case "atan2":
        throw new AwkError(`lvsim: ${name} is not simulated, its last digits differ between machines`);
      case "system":
        throw new AwkError("lvsim: system is not simulated");
      default:
        throw new AwkError(`function ${name} never defined`);
    }
  }

  #callOwn(own: AwkFunction, args: readonly Expression[]): Value {
    if (++this.#calls > CALLS_MAX) throw new AwkError(`lvsim: more than ${CALLS_MAX} nested calls`);
    const locals = new Map<string, Cell>();
    own.parameters.forEach((parameter, i) => {
      const arg = args[i];
      const cell = arg?.kind === "variable" ? this.#scopeOf(arg.name).get(arg.name) : undefined;
      if (cell instanceof Map) locals.set(parameter, cell);
      else if (arg?.kind === "variable" && cell === undefined && this.#usesAsArray(own, parameter)) locals.set(parameter, this.#array(arg.name));
      else locals.set(parameter, arg === undefined ? undefined : this.#evaluate(arg));
    });
    const before = this.#locals;
    this.#locals = locals;
    try {
      this.#block(own.body);
      return undefined;
    } catch (error) {
      if (!(error instanceof ReturnValue)) throw error;
      return error.value;
    } finally {
      this.#locals = before;
      this.#calls--;
    }
  }

  /** An untouched variable that the function subscripts is handed over as a new array. */
  #usesAsArray(own: AwkFunction, parameter: string): boolean {
    return JSON.stringify(own.body).includes(`"kind":"element","name":${JSON.stringify(parameter)}`);
  }

  #splitInto(args: readonly Expression[]): number {
    const [source, target, separator] = args;
    if (source === undefined || target?.kind !== "variable") throw new AwkError("split needs a string and an array");
    const text = this.#text(this.#evaluate(source));
    const by = separator === undefined ? this.#text(this.#globals.get("FS") as Value) : separator.kind === "regex" ? `(?:${separator.source})` : this.#text(this.#evaluate(separator));
    const parts = this.#split(text, separator?.kind === "regex" ? separator.source.length === 1 ? separator.source : `(${separator.source})` : by);
    const array = this.#array(target.name);
    array.clear();
    parts.forEach((part, i) => array.set(String(i + 1), fromInput(part)));
    return parts.length;
  }

  #substitute(args: readonly Expression[], isGlobal: boolean): number {
    const [pattern, replacement, target = { kind: "field", index: { kind: "number", value: 0 } } as const] = args;
    if (pattern === undefined || replacement === undefined) throw new AwkError("sub needs an expression and a replacement");
    const regex = this.#matcher(pattern);
    const text = this.#text(this.#evaluate(target));
    const template = this.#text(this.#evaluate(replacement));
    const matches = isGlobal ? regex.findAll(text) : regex.findAll(text).slice(0, 1);
    if (matches.length === 0) return 0;
    let out = "";
    let at = 0;
    for (const match of matches) {
      out += text.slice(at, match.start) + template.replace(/\\\\|\\&|&/g, (word) => (word === "&" ? text.slice(match.start, match.end) : word === "\\&" ? "&" : "\\"));
      at = match.end;
    }
    this.#assign(target, out + text.slice(at));
    return matches.length;
  }
}
