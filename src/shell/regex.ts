/**
 * POSIX basic and extended regular expressions, matched leftmost-longest in linear time: a scenario is untrusted, and no expression in it may
 * hang the run. The engine is RE2's (`re2js`); it knows no back-references, which are refused.
 */

import { RE2JS } from "re2js";

const EXPRESSION_CHARS_MAX = 4096;

export interface RegexMatch {
  readonly start: number;
  readonly end: number;
  /** The whole match, then each group; a group that took no part is undefined. */
  readonly groups: readonly (string | undefined)[];
}

export class Regex {
  readonly #pattern: RE2JS;

  constructor(pattern: RE2JS) {
    this.#pattern = pattern;
  }

  test(text: string): boolean {
    return this.#pattern.matcher(text).find();
  }

  /** The first match at or after `from`. */
  find(text: string, from = 0): RegexMatch | undefined {
    const matcher = this.#pattern.matcher(text);
    if (from > text.length || !(from === 0 ? matcher.find() : matcher.find(from))) return undefined;
    const groups: (string | undefined)[] = [];
    for (let i = 0; i <= matcher.groupCount(); i++) groups.push(matcher.group(i) ?? undefined);
    return { start: matcher.start(), end: matcher.end(), groups };
  }

  /** All matches from left to right that do not overlap; an empty one directly behind another does not count. */
  findAll(text: string): RegexMatch[] {
    const found: RegexMatch[] = [];
    let at = 0;
    let lastEnd = -1;
    while (at <= text.length) {
      const match = this.find(text, at);
      if (match === undefined) break;
      if (match.end > match.start || match.start !== lastEnd) found.push(match);
      lastEnd = match.end;
      at = match.end > match.start ? match.end : match.end + 1;
    }
    return found;
  }
}

export type RegexSyntax = "basic" | "extended" | "fixed" | "perl";

/** Compiles; a string says what is wrong. */
export function compileRegex(
  text: string,
  syntax: RegexSyntax,
  options: { readonly ignoreCase?: boolean; readonly isMultiline?: boolean } = {},
): Regex | string {
  if (text.length > EXPRESSION_CHARS_MAX) return "Regular expression too big";
  let flags = syntax === "perl" ? 0 : RE2JS.LONGEST_MATCH;
  if (options.ignoreCase === true) flags |= RE2JS.CASE_INSENSITIVE;
  if (options.isMultiline === true) flags |= RE2JS.MULTILINE;
  const source = syntax === "fixed" ? RE2JS.quote(text) : syntax === "perl" ? text : translate(text, syntax === "extended");
  if (source === undefined) return "Unmatched [, [^, [:, [., or [=";
  if (/(?<!\\)(\\\\)*\\[1-9]/.test(source)) return "back-references are not simulated";
  try {
    return new Regex(RE2JS.compile(source, flags));
  } catch (error) {
    return describe(error);
  }
}

function describe(error: unknown): string {
  const text = String((error as { message?: unknown }).message ?? error);
  if (text.includes("missing closing )") || text.includes("unexpected )")) return "Unmatched ( or \\(";
  if (text.includes("repetition") || text.includes("repeat")) return "Invalid preceding regular expression";
  if (text.includes("character class")) return "Invalid character class name";
  return "Invalid regular expression";
}

/** POSIX syntax as RE2's; undefined when a bracket is not closed. */
function translate(text: string, isExtended: boolean): string | undefined {
  let out = "";
  for (let i = 0; i < text.length; ) {
    const character = text[i] as string;
    if (character === "[") {
      const bracket = readBracket(text, i);
      if (bracket === undefined) return undefined;
      out += bracket.source;
      i = bracket.next;
    } else if (character === "\\") {
      out += translateEscape(text[i + 1] ?? "\\", isExtended);
      i += 2;
    } else {
      out += translatePlain(text, i, isExtended, out);
      i++;
    }
  }
  return out;
}

function translateEscape(next: string, isExtended: boolean): string {
  if (!isExtended && "(){}|+?".includes(next)) return next;
  if ("wWsSbB".includes(next) || /[1-9nt]/.test(next)) return `\\${next}`;
  return next === "<" || next === ">" ? "\\b" : RE2JS.quote(next);
}

function translatePlain(text: string, at: number, isExtended: boolean, before: string): string {
  const character = text[at] as string;
  if (isExtended) return character === "{" && !/^\{\d*,?\d*\}/.test(text.slice(at)) ? "\\{" : character;
  if ("(){}|+?".includes(character)) return `\\${character}`;
  const isAtStart = before === "" || before.endsWith("(") || before.endsWith("|");
  if (character === "*" && (isAtStart || before === "^")) return "\\*";
  if (character === "^" && !isAtStart) return "\\^";
  if (character === "$" && at !== text.length - 1 && !/^\\[)|]/.test(text.slice(at + 1))) return "\\$";
  return character;
}

function readBracket(text: string, at: number): { readonly source: string; readonly next: number } | undefined {
  let i = at + 1;
  let source = "[";
  if (text[i] === "^") {
    source += "^";
    i++;
  }
  for (let isFirst = true; i < text.length; isFirst = false) {
    const character = text[i] as string;
    if (character === "]" && !isFirst) return { source: `${source}]`, next: i + 1 };
    const named = /^\[:(\w+):\]/.exec(text.slice(i));
    if (named !== null) {
      source += named[0];
      i += named[0].length;
      continue;
    }
    source += "\\]^[".includes(character) ? `\\${character}` : character;
    i++;
  }
  return undefined;
}
