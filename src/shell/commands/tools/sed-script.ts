/**
 * sed's scripts: text becomes a list of commands (GNU sed 4.9).
 */

import { compileRegex, type Regex } from "../../regex.ts";
import { escapedCharacter, plainText, withCharacters } from "../../regex-escapes.ts";

export class SedError extends Error {}

export type Address = { readonly kind: "line"; readonly line: number } | { readonly kind: "last" } | { readonly kind: "step"; readonly first: number; readonly step: number } | { readonly kind: "regex"; readonly regex: Regex };

export interface Instruction {
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

export type ReplacementPart = { readonly kind: "text"; readonly text: string } | { readonly kind: "group"; readonly group: number } | { readonly kind: "case"; readonly mode: "U" | "L" | "u" | "l" | "E" };

export class Parser {
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
