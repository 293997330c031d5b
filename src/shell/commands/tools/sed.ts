/**
 * sed: GNU sed 4.9 in the C locale. The script becomes a list of commands once; each line runs through it.
 *
 * Not simulated: e, F, W, z, `0~step` beyond first~step, back-references inside expressions.
 */

import type { Command, CommandContext, Running } from "../../command.ts";
import { compileRegex, type Regex } from "../../regex.ts";
import { escapedCharacter, plainText, withCharacters } from "../../regex-escapes.ts";
import { unambiguous } from "../system/text-bytes.ts";
import { fail, fileErrorText, parseOptions, readFile, readInputs, splitLines, tool, type ToolOptions } from "./support.ts";

/** Commands that one line may run: a script that branches for ever ends here. */
const STEPS_MAX = 1_000_000;

class SedError extends Error {}

type Address = { readonly kind: "line"; readonly line: number } | { readonly kind: "last" } | { readonly kind: "step"; readonly first: number; readonly step: number } | { readonly kind: "regex"; readonly regex: Regex };

interface Instruction {
  readonly from: Address | undefined;
  readonly to: Address | { readonly kind: "count"; readonly count: number } | undefined;
  readonly isNegated: boolean;
  readonly name: string;
  readonly text: string;
  readonly regex: Regex | undefined;
  readonly replacement: readonly ReplacementPart[];
  readonly flags: { readonly isGlobal: boolean; readonly prints: boolean; readonly nth: number; readonly path: string };
  /** Index after the matching `}` of a `{`, or of a label. */
  target: number;
  /** State of a range: the line at which it ends, or 0 while it is not active. */
  isInRange: boolean;
  rangeEnd: number;
}

type ReplacementPart = { readonly kind: "text"; readonly text: string } | { readonly kind: "group"; readonly group: number } | { readonly kind: "case"; readonly mode: "U" | "L" | "u" | "l" | "E" };

class Parser {
  readonly #text: string;
  readonly #isExtended: boolean;
  #at = 0;
  readonly instructions: Instruction[] = [];
  readonly #open: number[] = [];
  readonly #labels = new Map<string, number>();
  #lastRegex: Regex | undefined;

  constructor(text: string, isExtended: boolean) {
    this.#text = text;
    this.#isExtended = isExtended;
  }

  parse(): Instruction[] {
    for (this.#skip(" \t\n;"); this.#at < this.#text.length; this.#skip(" \t\n;")) this.#command();
    if (this.#open.length > 0) throw this.#error("unmatched `{'");
    for (const instruction of this.instructions) {
      if (!"btT".includes(instruction.name)) continue;
      const target = instruction.text === "" ? this.instructions.length : this.#labels.get(instruction.text);
      if (target === undefined) throw new SedError(`-e expression #1, char ${this.#text.length}: can't find label for jump to \`${instruction.text}'`);
      instruction.target = target;
    }
    return this.instructions;
  }

  #error(message: string): SedError {
    return new SedError(`-e expression #1, char ${this.#at}: ${message}`);
  }

  #skip(characters: string): void {
    while (this.#at < this.#text.length && characters.includes(this.#text[this.#at] as string)) this.#at++;
  }

  #command(): void {
    if (this.#text[this.#at] === "#") {
      this.#untilNewline();
      return;
    }
    const from = this.#address();
    let to: Instruction["to"];
    this.#skip(" \t");
    if (from !== undefined && this.#text[this.#at] === ",") {
      this.#at++;
      this.#skip(" \t");
      to = this.#text[this.#at] === "+" ? { kind: "count", count: this.#number(++this.#at) } : this.#address();
      if (to === undefined) throw this.#error("unexpected `,'");
    }
    this.#skip(" \t");
    const isNegated = this.#text[this.#at] === "!";
    if (isNegated) this.#at++;
    this.#skip(" \t");
    const name = this.#text[this.#at++];
    if (name === undefined) throw this.#error("missing command");
    this.#add(name, from, to, isNegated);
  }

  #add(name: string, from: Address | undefined, to: Instruction["to"], isNegated: boolean): void {
    const base = { from, to, isNegated, name, text: "", regex: undefined, replacement: [], flags: { isGlobal: false, prints: false, nth: 1, path: "" }, target: 0, isInRange: false, rangeEnd: 0 };
    switch (name) {
      case "{":
        this.#open.push(this.instructions.length);
        this.instructions.push(base);
        return;
      case "}": {
        const open = this.#open.pop();
        if (open === undefined) throw this.#error("unexpected `}'");
        (this.instructions[open] as Instruction).target = this.instructions.length;
        return;
      }
      case "s":
        this.instructions.push({ ...base, ...this.#substitution() });
        return;
      case "y": {
        const delimiter = this.#text[this.#at++] as string;
        const source = plainText(this.#delimited(delimiter));
        const target = plainText(this.#delimited(delimiter));
        if (source.length !== target.length) throw this.#error("strings for `y' command are different lengths");
        this.instructions.push({ ...base, text: `${source}\0${target}` });
        return;
      }
      case "a":
      case "i":
      case "c":
        this.instructions.push({ ...base, text: this.#textArgument() });
        return;
      case ":":
        this.#labels.set(this.#word(), this.instructions.length);
        return;
      case "b":
      case "t":
      case "T":
      case "r":
      case "w":
        this.instructions.push({ ...base, text: this.#word() });
        return;
      case "q":
      case "Q":
        this.instructions.push({ ...base, text: this.#word() });
        return;
      default:
        if (!"=dDgGhHnNpPxl".includes(name)) throw this.#error(`unknown command: \`${name}'`);
        this.instructions.push(base);
        this.#end();
    }
  }

  #end(): void {
    this.#skip(" \t");
    const next = this.#text[this.#at];
    if (next !== undefined && !";\n}#".includes(next)) throw this.#error("extra characters after command");
  }

  #word(): string {
    this.#skip(" \t");
    const start = this.#at;
    while (this.#at < this.#text.length && !";\n}".includes(this.#text[this.#at] as string)) this.#at++;
    return this.#text.slice(start, this.#at).trim();
  }

  #untilNewline(): string {
    const end = this.#text.indexOf("\n", this.#at);
    const text = this.#text.slice(this.#at, end < 0 ? undefined : end);
    this.#at = end < 0 ? this.#text.length : end + 1;
    return text;
  }

  /** `a text`, or `a\` and lines that end with a backslash while they go on. */
  #textArgument(): string {
    this.#skip(" \t");
    if (this.#text[this.#at] === "\\") {
      this.#at++;
      this.#skip(" \t");
      if (this.#text[this.#at] === "\n") this.#at++;
    }
    let text = this.#untilNewline();
    while (text.endsWith("\\") && this.#at <= this.#text.length) text = `${text.slice(0, -1)}\n${this.#untilNewline()}`;
    return text.replace(/\\(.)/g, "$1");
  }

  #number(at: number): number {
    const digits = /^\d+/.exec(this.#text.slice(at))?.[0] ?? "";
    this.#at = at + digits.length;
    return Number(digits);
  }

  #address(): Address | undefined {
    const character = this.#text[this.#at];
    if (character === undefined) return undefined;
    if (/\d/.test(character)) {
      const line = this.#number(this.#at);
      if (this.#text[this.#at] !== "~") return { kind: "line", line };
      return { kind: "step", first: line, step: this.#number(this.#at + 1) };
    }
    if (character === "$") {
      this.#at++;
      return { kind: "last" };
    }
    if (character !== "/" && character !== "\\") return undefined;
    this.#at += character === "\\" ? 2 : 1;
    const source = this.#delimited(this.#text[this.#at - 1] as string);
    const ignoreCase = this.#text[this.#at] === "I";
    if (ignoreCase) this.#at++;
    return { kind: "regex", regex: this.#regex(source, ignoreCase) };
  }

  #regex(source: string, ignoreCase: boolean): Regex {
    if (source === "") {
      if (this.#lastRegex === undefined) throw this.#error("no previous regular expression");
      return this.#lastRegex;
    }
    const regex = compileRegex(withCharacters(source), this.#isExtended ? "extended" : "basic", { ignoreCase });
    if (typeof regex === "string") throw this.#error(regex);
    this.#lastRegex = regex;
    return regex;
  }

  /** Text up to an unescaped delimiter, which `\delimiter` stands for. */
  #delimited(delimiter: string): string {
    let text = "";
    for (let inBracket = false; this.#at < this.#text.length; this.#at++) {
      const character = this.#text[this.#at] as string;
      if (character === "\\" && this.#at + 1 < this.#text.length) {
        const next = this.#text[++this.#at] as string;
        text += next === delimiter && delimiter !== "&" ? (/[\w]/.test(delimiter) ? delimiter : next) : `\\${next}`;
        continue;
      }
      if (character === "[" && delimiter !== "[") inBracket = true;
      else if (character === "]") inBracket = false;
      if (character === delimiter && !inBracket) {
        this.#at++;
        return text;
      }
      if (character === delimiter) {
        this.#at++;
        return text;
      }
      text += character;
    }
    throw this.#error("unterminated `s' command");
  }

  #substitution(): Pick<Instruction, "regex" | "replacement" | "flags"> {
    const delimiter = this.#text[this.#at++];
    if (delimiter === undefined || delimiter === "\n" || delimiter === "\\") throw this.#error("unterminated `s' command");
    const source = this.#delimited(delimiter);
    const replacement = parseReplacement(this.#delimited(delimiter));
    const flags = { isGlobal: false, prints: false, nth: 1, path: "" };
    let ignoreCase = false;
    for (;;) {
      const flag = this.#text[this.#at];
      if (flag === "g") flags.isGlobal = true;
      else if (flag === "p") flags.prints = true;
      else if (flag === "i" || flag === "I") ignoreCase = true;
      else if (flag !== undefined && /[1-9]/.test(flag)) {
        flags.nth = this.#number(this.#at);
        continue;
      } else if (flag === "w") {
        this.#at++;
        flags.path = this.#word();
        break;
      } else break;
      this.#at++;
    }
    const next = this.#text[this.#at];
    if (next !== undefined && !";\n}# \t".includes(next)) throw this.#error("unknown option to `s'");
    return { regex: this.#regex(source, ignoreCase), replacement, flags };
  }
}

function parseReplacement(text: string): ReplacementPart[] {
  const parts: ReplacementPart[] = [];
  let literal = "";
  const flush = () => {
    if (literal !== "") parts.push({ kind: "text", text: literal });
    literal = "";
  };
  for (let i = 0; i < text.length; i++) {
    const character = text[i] as string;
    if (character === "&") {
      flush();
      parts.push({ kind: "group", group: 0 });
    } else if (character === "\\" && i + 1 < text.length) {
      const next = text[++i] as string;
      if (/\d/.test(next)) {
        flush();
        parts.push({ kind: "group", group: Number(next) });
      } else if ("ULulE".includes(next)) {
        flush();
        parts.push({ kind: "case", mode: next as "U" });
      } else {
        const escaped = escapedCharacter(text.slice(i));
        literal += escaped?.character ?? next;
        i += (escaped?.length ?? 1) - 1;
      }
    } else literal += character;
  }
  flush();
  return parts;
}

function expandReplacement(parts: readonly ReplacementPart[], groups: readonly (string | undefined)[]): string {
  let out = "";
  let mode = "E";
  let once = "";
  for (const part of parts) {
    if (part.kind === "case") {
      if (part.mode === "u" || part.mode === "l") once = part.mode;
      else mode = part.mode;
      continue;
    }
    let text = part.kind === "text" ? part.text : (groups[part.group] ?? "");
    if (mode === "U") text = text.toUpperCase();
    if (mode === "L") text = text.toLowerCase();
    if (once !== "" && text !== "") {
      text = (once === "u" ? (text[0] as string).toUpperCase() : (text[0] as string).toLowerCase()) + text.slice(1);
      once = "";
    }
    out += text;
  }
  return out;
}

/** Runs a script over lines. */
class Editor {
  readonly #program: readonly Instruction[];
  readonly #isQuiet: boolean;
  readonly #context: CommandContext;
  readonly #lines: readonly string[];
  readonly #write: (text: string) => void;
  #number = 0;
  #pattern = "";
  #hold = "";
  #appended: string[] = [];
  #exit: number | undefined;

  constructor(options: { program: readonly Instruction[]; isQuiet: boolean; context: CommandContext; lines: readonly string[]; write: (text: string) => void }) {
    this.#program = options.program;
    this.#isQuiet = options.isQuiet;
    this.#context = options.context;
    this.#lines = options.lines;
    this.#write = options.write;
  }

  run(): number {
    let restarts = false;
    while (this.#exit === undefined && (restarts || this.#read())) {
      const result = this.#cycle();
      restarts = result === "restart" && this.#pattern !== "";
      if (result !== "delete" && result !== "restart" && !this.#isQuiet) this.#write(`${this.#pattern}\n`);
      this.#flush();
    }
    return this.#exit ?? 0;
  }

  #read(): boolean {
    const line = this.#lines[this.#number];
    if (line === undefined) return false;
    this.#number++;
    this.#pattern = line;
    return true;
  }

  #flush(): void {
    for (const text of this.#appended.splice(0)) this.#write(text);
  }

  #matches(address: Address): boolean {
    switch (address.kind) {
      case "line":
        return this.#number === address.line;
      case "last":
        return this.#number === this.#lines.length;
      case "step":
        return address.step === 0 ? this.#number === address.first : this.#number >= address.first && (this.#number - address.first) % address.step === 0;
      case "regex":
        return address.regex.test(this.#pattern);
    }
  }

  #selects(instruction: Instruction): boolean {
    const { from, to } = instruction;
    if (from === undefined) return true;
    if (to === undefined) return this.#matches(from);
    if (instruction.isInRange) {
      if (to.kind === "count" || to.kind === "line") {
        if (this.#number >= instruction.rangeEnd) instruction.isInRange = false;
        return this.#number <= instruction.rangeEnd || to.kind === "count";
      }
      if (this.#matches(to)) instruction.isInRange = false;
      return true;
    }
    if (!this.#matches(from)) return false;
    instruction.rangeEnd = to.kind === "count" ? this.#number + to.count : to.kind === "line" ? to.line : Number.POSITIVE_INFINITY;
    instruction.isInRange = instruction.rangeEnd > this.#number && !(to.kind === "last" && this.#matches(to));
    return true;
  }

  #cycle(): "end" | "delete" | "restart" {
    let hasSubstituted = false;
    let steps = 0;
    for (let at = 0; at < this.#program.length; ) {
      if (++steps > STEPS_MAX) throw new SedError(`lvsim: the script ran ${STEPS_MAX} commands on one line`);
      const instruction = this.#program[at] as Instruction;
      if (this.#selects(instruction) === instruction.isNegated) {
        at = instruction.name === "{" ? instruction.target : at + 1;
        continue;
      }
      at++;
      switch (instruction.name) {
        case "s":
          if (this.#substitute(instruction)) hasSubstituted = true;
          break;
        case "b":
          at = instruction.target;
          break;
        case "t":
          if (hasSubstituted) at = instruction.target;
          hasSubstituted = false;
          break;
        case "T":
          if (!hasSubstituted) at = instruction.target;
          hasSubstituted = false;
          break;
        case "d":
          return "delete";
        case "D": {
          const newline = this.#pattern.indexOf("\n");
          if (newline < 0) return "delete";
          this.#pattern = this.#pattern.slice(newline + 1);
          return "restart";
        }
        case "q":
          this.#exit = Number(instruction.text || 0);
          return "end";
        case "Q":
          this.#exit = Number(instruction.text || 0);
          return "delete";
        case "c":
          if (instruction.to === undefined || !instruction.isInRange) this.#write(`${instruction.text}\n`);
          return "delete";
        case "n":
        case "N":
          if (!this.#next(instruction.name)) return this.#exit === undefined ? "end" : "delete";
          break;
        default:
          this.#simple(instruction);
      }
    }
    return "end";
  }

  /** False when there is no next line: the script ends. */
  #next(name: string): boolean {
    if (this.#number >= this.#lines.length) {
      this.#exit = 0;
      if (!this.#isQuiet) this.#write(`${this.#pattern}\n`);
      return false;
    }
    const before = this.#pattern;
    if (name === "n" && !this.#isQuiet) this.#write(`${before}\n`);
    this.#flush();
    this.#read();
    if (name === "N") this.#pattern = `${before}\n${this.#pattern}`;
    return true;
  }

  #simple(instruction: Instruction): void {
    switch (instruction.name) {
      case "p":
        this.#write(`${this.#pattern}\n`);
        return;
      case "P":
        this.#write(`${this.#pattern.split("\n")[0]}\n`);
        return;
      case "=":
        this.#write(`${this.#number}\n`);
        return;
      case "l":
        this.#write(unambiguous(this.#pattern));
        return;
      case "a":
        this.#appended.push(`${instruction.text}\n`);
        return;
      case "i":
        this.#write(`${instruction.text}\n`);
        return;
      case "r": {
        const result = readFile(this.#context, instruction.text);
        if ("text" in result) this.#appended.push(result.text);
        return;
      }
      case "w":
        this.#writeFile(instruction.text, `${this.#pattern}\n`);
        return;
      case "y": {
        const [source = "", target = ""] = instruction.text.split("\0");
        this.#pattern = [...this.#pattern].map((character) => target[source.indexOf(character)] ?? character).join("");
        return;
      }
      case "g":
        this.#pattern = this.#hold;
        return;
      case "G":
        this.#pattern += `\n${this.#hold}`;
        return;
      case "h":
        this.#hold = this.#pattern;
        return;
      case "H":
        this.#hold += `\n${this.#pattern}`;
        return;
      case "x":
        [this.#pattern, this.#hold] = [this.#hold, this.#pattern];
        return;
      default:
    }
  }

  #substitute(instruction: Instruction): boolean {
    const { regex, replacement, flags } = instruction;
    if (regex === undefined) return false;
    const matches = regex.findAll(this.#pattern);
    const chosen = flags.isGlobal ? matches.slice(flags.nth - 1) : matches.slice(flags.nth - 1, flags.nth);
    if (chosen.length === 0) return false;
    let out = "";
    let at = 0;
    for (const match of chosen) {
      out += this.#pattern.slice(at, match.start) + expandReplacement(replacement, match.groups);
      at = match.end;
    }
    this.#pattern = out + this.#pattern.slice(at);
    if (flags.prints) this.#write(`${this.#pattern}\n`);
    if (flags.path !== "") this.#writeFile(flags.path, `${this.#pattern}\n`);
    return true;
  }

  #writeFile(path: string, text: string): void {
    if (path === "/dev/stdout") {
      this.#write(text);
      return;
    }
    const { files } = this.#context.machine;
    files.append(files.resolve(this.#context.cwd, path), text);
  }
}

function* runSed(context: CommandContext): Running<number> {
  const options = parseOptions(context.args, "ne:f:rEi::suz", { quiet: "n", silent: "n", "expression=": "e", "file=": "f", "regexp-extended": "E", "in-place": "i", separate: "s" });
  const inPlace = options.values.get("i") !== undefined;
  const operands = [...options.operands];
  const script = scriptOf(context, options, operands);
  if (typeof script === "number") return script;
  try {
    const isExtended = options.has("E") || options.has("r");
    const parse = () => new Parser(script, isExtended).parse();
    const isQuiet = options.has("n") || script.startsWith("#n\n");
    let status = 0;
    const report = (path: string, error: string) => {
      status = fail(context, error === "Is a directory" ? `couldn't edit ${path}: not a regular file` : `can't read ${path}: ${error}`, 2);
    };
    const program = parse();
    const inputs = yield* readInputs(context, operands, report);
    if (!inPlace) {
      const lines = inputs.flatMap(({ text }) => splitLines(text));
      const exit = new Editor({ program, isQuiet, context, lines, write: (text) => context.stdout.write(text) }).run();
      return exit !== 0 ? exit : status;
    }
    for (const { path, text } of inputs) {
      let out = "";
      const append = (more: string) => {
        out += more;
      };
      new Editor({ program: parse(), isQuiet, context, lines: splitLines(text), write: append }).run();
      context.machine.files.write(context.machine.files.resolve(context.cwd, path), text.endsWith("\n") || out === "" ? out : out.replace(/\n$/, ""));
    }
    return status === 2 ? 4 : status;
  } catch (error) {
    if (error instanceof SedError) return fail(context, error.message);
    return fail(context, fileErrorText(error), 4);
  }
}

function scriptOf(context: CommandContext, options: ToolOptions, operands: string[]): string | number {
  const parts = [...(options.values.get("e") ?? [])];
  for (const path of options.values.get("f") ?? []) {
    const result = readFile(context, path);
    if ("error" in result) return fail(context, `couldn't open file ${path}: ${result.error}`);
    parts.push(result.text);
  }
  if (parts.length > 0) return parts.join("\n");
  const script = operands.shift();
  if (script !== undefined) return script;
  context.stderr.write("Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]...\n");
  return 1;
}

export const sedCommands: readonly Command[] = [tool("/usr/bin/sed", 1, runSed)];
