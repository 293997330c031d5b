/**
 * The words of one configuration line, and the numbers among them.
 *
 * keepalived v2.2.7 lib/parser.c (alloc_strvec_r, alloc_strvec_quoted_escaped, read_int_func, read_unsigned_func,
 * read_decimal_unsigned_long_func, check_true_false).
 */

import { CONFIG_ERROR, type ConfigReport, MissingParameter } from "./report.ts";

const BLANKS = /^[ \t\f\n\r\v]+/;
const INT_MAX = 2_147_483_647;
const UINT_MAX = 4_294_967_295;
export const US_PER_SECOND = 1_000_000;
const TIMER_DIGITS = 6;

/** Splits at blanks; `"a b"` is one word. Undefined when there are no words. */
export function splitWords(line: string, report: ConfigReport): string[] | undefined {
  const words: string[] = [];
  let rest = line.replace(BLANKS, "");
  while (rest !== "") {
    if (rest.startsWith('"')) {
      const end = rest.indexOf('"', 1);
      if (end < 0) {
        report.error(CONFIG_ERROR.unmatchedQuote, `Unmatched quote: '${line}'`);
        break;
      }
      words.push(rest.slice(1, end));
      rest = rest.slice(end + 1);
    } else {
      const length = rest.search(/[ \t\f\n\r\v"]/);
      words.push(length < 0 ? rest : rest.slice(0, length));
      rest = length < 0 ? "" : rest.slice(length);
    }
    rest = rest.replace(BLANKS, "");
  }
  return words.length === 0 ? undefined : words;
}

const ESCAPES: Readonly<Record<string, string>> = { a: "\x07", b: "\b", E: "\x1b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };

/** Splits as a shell would: single and double quotes inside words, backslash escapes. Undefined when it cannot be done. */
export function splitQuotedEscaped(line: string, report: ConfigReport): string[] | undefined {
  const words: string[] = [];
  let at = 0;
  const skipBlanks = (): void => {
    while (at < line.length && /[ \t\f\n\r\v]/.test(line[at] as string)) at++;
  };
  for (skipBlanks(); at < line.length; skipBlanks()) {
    let word = "";
    let quote = "";
    while (at < line.length) {
      const character = line[at] as string;
      if (character === "\\") {
        if (at + 1 >= line.length) {
          report.log(`Missing escape char at end: '${line}'`);
          return undefined;
        }
        const [text, next] = readEscape(line, at + 1);
        word += text;
        at = next;
      } else if (quote !== "" && character === quote) {
        quote = "";
        at++;
      } else if (quote === "" && (character === '"' || character === "'")) {
        quote = character;
        at++;
      } else if (quote === "" && /[ \t\f\n\r\v]/.test(character)) break;
      else {
        word += character;
        at++;
      }
    }
    if (quote !== "") {
      report.error(CONFIG_ERROR.unmatchedQuote, `String '${line}': missing terminating ${quote}`);
      return undefined;
    }
    words.push(word);
  }
  return words.length === 0 ? undefined : words;
}

function readEscape(line: string, at: number): readonly [string, number] {
  const hex = /^x([0-9a-fA-F]+)/.exec(line.slice(at));
  if (hex !== null) return [String.fromCharCode(Number.parseInt(hex[1] as string, 16) & 255), at + hex[0].length];
  if (line[at] === "c" && at + 1 < line.length) return [String.fromCharCode(line.charCodeAt(at + 1) & 0x1f), at + 2];
  const octal = /^[0-7]{1,3}/.exec(line.slice(at));
  if (octal !== null) return [String.fromCharCode(Number.parseInt(octal[0], 8) & 255), at + octal[0].length];
  const character = line[at] as string;
  return [ESCAPES[character] ?? character, at + 1];
}

/** `on`, `true`, `yes` and their opposites; undefined for anything else. */
export function parseTrueFalse(text: string): boolean | undefined {
  if (text === "true" || text === "on" || text === "yes") return true;
  if (text === "false" || text === "off" || text === "no") return false;
  return undefined;
}

/** The words of a line as a keyword's handler gets them. */
export class Words {
  readonly list: readonly string[];
  /** The line itself, for those who split it another way. */
  readonly line: string;
  readonly report: ConfigReport;

  constructor(list: readonly string[], line: string, report: ConfigReport) {
    this.list = list;
    this.line = line;
    this.report = report;
  }

  get length(): number {
    return this.list.length;
  }

  /** Ends the program when the word is not there. */
  at(index: number): string {
    const word = this.list[index];
    if (word !== undefined) return word;
    const first = this.list[0] ?? "***MISSING ***";
    const before = this.list[index - 1];
    const after = before === undefined ? "" : ` after keyword \`${before}\``;
    this.report.error(
      CONFIG_ERROR.missingParameter,
      `*** Configuration line starting \`${first}\` is missing a parameter${after} at word position ${index + 1}`,
    );
    throw new MissingParameter(first);
  }

  /** The value of a keyword that has one. */
  value(): string {
    return this.at(1);
  }

  int(index: number, min: number, max: number, isLenient: boolean): number | undefined {
    return parseInteger(this.at(index), min, max, isLenient, this.report);
  }

  unsigned(index: number, min: number, max: number, isLenient: boolean): number | undefined {
    return parseUnsigned(this.at(index), min, max, isLenient, this.report);
  }

  /** Seconds with up to six decimals, in microseconds. `maxUs` undefined: no bound. */
  timer(index: number, minUs: number, maxUs: number | undefined, isLenient: boolean): number | undefined {
    return parseDecimal(this.at(index), minUs, maxUs ?? Number.MAX_SAFE_INTEGER, isLenient, this.report);
  }

  quotedEscaped(): string[] | undefined {
    return splitQuotedEscaped(this.line, this.report);
  }
}

function warnPrefix(isLenient: boolean, report: ConfigReport): string {
  return isLenient && !report.isTest ? "WARNING - " : "";
}

/** strtol: the number that the text starts with, and what follows it. */
function leadingInteger(text: string): readonly [number, string] {
  const match = /^[ \t\f\n\r\v]*([+-]?\d+)/.exec(text);
  return match === null ? [0, text] : [Number(match[1]), text.slice(match[0].length)];
}

export function parseInteger(text: string, min: number, max: number, isLenient: boolean, report: ConfigReport): number | undefined {
  const warn = warnPrefix(isLenient, report);
  const [value, rest] = leadingInteger(text);
  const bad = (what: string): void => report.error(CONFIG_ERROR.invalidNumber, what);
  if (rest !== "") bad(`${warn}invalid number '${text}'`);
  else if (value < -INT_MAX - 1 || value > INT_MAX) bad(`${warn}number '${text}' outside integer range`);
  else if (value < min || value > max) bad(`number '${text}' outside range [${min}, ${max}]`);
  else return value;
  return isLenient && value >= min && value <= max && !report.isTest ? value : undefined;
}

export function parseUnsigned(text: string, min: number, max: number, isLenient: boolean, report: ConfigReport): number | undefined {
  const warn = warnPrefix(isLenient, report);
  const trimmed = text.replace(BLANKS, "");
  const [value, rest] = leadingInteger(trimmed);
  const bad = (what: string): void => report.error(CONFIG_ERROR.invalidNumber, what);
  if (trimmed.startsWith("-")) bad(`${warn}negative number '${text}'`);
  else if (rest !== "") bad(`${warn}invalid number '${text}'`);
  else if (value > UINT_MAX) bad(`${warn}number '${text}' outside unsigned integer range`);
  else if (value < min || value > max) bad(`${warn}number '${text}' outside range [${min}, ${max}]`);
  else return value;
  return isLenient && value >= min && value <= max && !report.isTest ? value : undefined;
}

function parseDecimal(text: string, min: number, max: number, isLenient: boolean, report: ConfigReport): number | undefined {
  const warn = warnPrefix(isLenient, report);
  const bad = (what: string): void => report.error(CONFIG_ERROR.invalidNumber, what);
  if (text.startsWith("-")) {
    bad(`${warn}negative number '${text}'`);
    return undefined;
  }
  const point = text.indexOf(".");
  let decimals = point < 0 ? "" : text.slice(point + 1);
  let roundUp = 0;
  if (decimals.length > TIMER_DIGITS) {
    bad(`${warn}number '${text}' has too many decimal places`);
    roundUp = (decimals[TIMER_DIGITS] as string) >= "5" ? 1 : 0;
    decimals = decimals.slice(0, TIMER_DIGITS);
  }
  const digits = (point < 0 ? text : text.slice(0, point)) + decimals.padEnd(TIMER_DIGITS, "0");
  const [leading, rest] = leadingInteger(digits);
  const value = leading + roundUp;
  if (rest !== "") bad(`${warn}invalid number '${text}'`);
  else if (value < min || value > max) bad(`${warn}number '${text}' outside range [${decimalText(min)}, ${decimalText(max)}]`);
  else return value;
  return isLenient && value >= min && value <= max ? value : undefined;
}

function decimalText(value: number): string {
  return `${Math.floor(value / US_PER_SECOND)}.${String(value % US_PER_SECOND).padStart(TIMER_DIGITS, "0")}`;
}
