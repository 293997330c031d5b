/**
 * Shell patterns (`*`, `?`, `[...]`, extglob) as regular expressions.
 *
 * A pattern is text in which quoted characters carry a backslash. Several stars in a row are one, so that matching stays cheap.
 */

const CLASSES: Readonly<Record<string, string>> = {
  alpha: "A-Za-z",
  digit: "0-9",
  alnum: "A-Za-z0-9",
  upper: "A-Z",
  lower: "a-z",
  space: " \\t\\n\\r\\f\\v",
  blank: " \\t",
  punct: "!-\\/:-@\\[-`{-~",
  xdigit: "0-9A-Fa-f",
  word: "A-Za-z0-9_",
  cntrl: "\\x00-\\x1f\\x7f",
  print: " -~",
  graph: "!-~",
};
const CACHE_MAX = 500;
const cache = new Map<string, RegExp>();

export function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&");
}

/** A literal text as a pattern that matches only it. */
export function escapePattern(text: string): string {
  return text.replace(/[\\*?[\]()|!@+-]/g, "\\$&");
}

/** True when the pattern can match anything but itself. */
export function hasPattern(pattern: string): boolean {
  return /(?<!\\)(?:\\\\)*(?:[*?]|\[[^\]]|[@+!]\()/.test(pattern);
}

export function unescapePattern(pattern: string): string {
  return pattern.replace(/\\([\s\S])/g, "$1");
}

/** Source of a regular expression for the pattern. `isPath`: wildcards stop at slashes. `isLazy`: stars take as little as they can. */
export function patternSource(pattern: string, options: { readonly isPath?: boolean; readonly isLazy?: boolean } = {}): string {
  const any = options.isPath === true ? "[^/]" : "[\\s\\S]";
  const star = `${any}*${options.isLazy === true ? "?" : ""}`;
  let out = "";
  for (let i = 0; i < pattern.length; i++) {
    const character = pattern[i] as string;
    if (character === "\\") {
      out += escapeRegExp(pattern[++i] ?? "\\");
      continue;
    }
    if ("?*+@!".includes(character) && pattern[i + 1] === "(") {
      const end = closingParenthesis(pattern, i + 1);
      if (end !== undefined) {
        const inner = alternatives(pattern.slice(i + 2, end))
          .map((part) => patternSource(part, options))
          .join("|");
        out += character === "!" ? `(?:(?!(?:${inner})$)${star})` : `(?:${inner})${character === "@" ? "" : character}`;
        i = end;
        continue;
      }
    }
    if (character === "*") {
      while (pattern[i + 1] === "*") i++;
      out += star;
    } else if (character === "?") out += any;
    else if (character === "[") {
      const bracket = readBracket(pattern, i);
      out += bracket === undefined ? "\\[" : bracket.source;
      if (bracket !== undefined) i = bracket.end;
    } else out += escapeRegExp(character);
  }
  return out;
}

/** A regular expression for whole strings. */
export function compilePattern(pattern: string, options: { readonly isPath?: boolean; readonly ignoresCase?: boolean } = {}): RegExp {
  const key = `${options.isPath === true ? "p" : ""}${options.ignoresCase === true ? "i" : ""}:${pattern}`;
  let regex = cache.get(key);
  if (regex === undefined) {
    try {
      regex = new RegExp(`^(?:${patternSource(pattern, options)})$`, options.ignoresCase === true ? "i" : "");
    } catch {
      regex = new RegExp(`^${escapeRegExp(unescapePattern(pattern))}$`);
    }
    if (cache.size >= CACHE_MAX) cache.clear();
    cache.set(key, regex);
  }
  return regex;
}

export function matchesPattern(text: string, pattern: string): boolean {
  return compilePattern(pattern).test(text);
}

function closingParenthesis(pattern: string, open: number): number | undefined {
  let depth = 0;
  for (let i = open; i < pattern.length; i++) {
    if (pattern[i] === "\\") i++;
    else if (pattern[i] === "(") depth++;
    else if (pattern[i] === ")" && --depth === 0) return i;
  }
  return undefined;
}

function alternatives(text: string): string[] {
  const parts = [""];
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const character = text[i] as string;
    if (character === "|" && depth === 0) {
      parts.push("");
      continue;
    }
    if (character === "(") depth++;
    if (character === ")") depth--;
    parts[parts.length - 1] += character === "\\" ? character + (text[++i] ?? "") : character;
  }
  return parts;
}

function readBracket(pattern: string, at: number): { readonly source: string; readonly end: number } | undefined {
  let i = at + 1;
  let out = "[";
  if (pattern[i] === "!" || pattern[i] === "^") {
    out += "^";
    i++;
  }
  for (let isFirst = true; i < pattern.length; isFirst = false) {
    const character = pattern[i] as string;
    if (character === "]" && !isFirst) return { source: out === "[" ? "(?!)" : `${out}]`, end: i };
    const named = /^\[:(\w+):\]/.exec(pattern.slice(i));
    if (named !== null) {
      out += CLASSES[named[1] as string] ?? "";
      i += named[0].length;
    } else if (character === "\\") {
      out += escapeRegExp(pattern[i + 1] ?? "\\");
      i += 2;
    } else {
      out += character === "-" ? "-" : escapeRegExp(character);
      i++;
    }
  }
  return undefined;
}
