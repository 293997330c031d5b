/**
 * Text as a shell could read it again: for `set -x`, `declare -p`, `${x@Q}`, `printf %q`, and the escapes of `echo -e` and `$'...'`.
 */

const SAFE = /^[A-Za-z0-9_%+,./:=@^-]+$/;

function hasControls(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) < 32 || text.charCodeAt(i) === 127) return true;
  return false;
}

/** `$'...'`. */
export function ansiQuote(text: string): string {
  const named: Readonly<Record<string, string>> = {
    "\n": "\\n",
    "\t": "\\t",
    "\r": "\\r",
    "\x07": "\\a",
    "\b": "\\b",
    "\x1b": "\\E",
    "\f": "\\f",
    "\v": "\\v",
    "\\": "\\\\",
    "'": "\\'",
  };
  let out = "";
  for (const character of text) {
    const code = character.charCodeAt(0);
    out += named[character] ?? (code < 32 || code === 127 ? `\\${code.toString(8).padStart(3, "0")}` : character);
  }
  return `$'${out}'`;
}

/** Single quotes, always. */
export function singleQuote(text: string): string {
  return hasControls(text) ? ansiQuote(text) : `'${text.replaceAll("'", "'\\''")}'`;
}

/** How `set -x` shows a word. */
export function traceQuote(text: string): string {
  if (text === "") return "''";
  if (hasControls(text)) return ansiQuote(text);
  return /[\s'"\\|&;()<>`$!*?[\]{}~#^]/.test(text) && !SAFE.test(text) ? singleQuote(text) : text;
}

/** printf %q. */
export function backslashQuote(text: string): string {
  if (text === "") return "''";
  if (hasControls(text)) return ansiQuote(text);
  return text.replace(/[^A-Za-z0-9_%+./:=@-]/g, (character, at: number) =>
    character === "~" || character === "#" ? (at === 0 ? `\\${character}` : character) : `\\${character}`,
  );
}

/** Double quotes, as `declare -p` writes values. */
export function doubleQuote(text: string): string {
  return hasControls(text) ? ansiQuote(text) : `"${text.replace(/["\\$`]/g, "\\$&")}"`;
}

/** How `set` and `declare` without -p show a value: quoted only when needed. */
export function assignQuote(text: string): string {
  return text === "" ? "" : SAFE.test(text) && !text.startsWith("~") ? text : singleQuote(text);
}

export interface Unescaped {
  readonly text: string;
  /** True when \c ended the output. */
  readonly isCut: boolean;
}

const SIMPLE: Readonly<Record<string, string>> = { a: "\x07", b: "\b", e: "\x1b", E: "\x1b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v", "\\": "\\" };

/** The escapes of `echo -e` (octal needs a leading 0) and of printf (`octalNeedsZero` false). */
export function unescapeEcho(text: string, octalNeedsZero: boolean, keepsUnknown = true): Unescaped {
  let out = "";
  for (let i = 0; i < text.length; i++) {
    const character = text[i] as string;
    if (character !== "\\" || i + 1 >= text.length) {
      out += character;
      continue;
    }
    const next = text[i + 1] as string;
    const rest = text.slice(i + 1);
    const octal = octalNeedsZero ? /^0([0-7]{1,3})|^0/.exec(rest) : /^([0-7]{1,3})/.exec(rest);
    const hex = /^x([0-9a-fA-F]{1,2})/.exec(rest) ?? /^u([0-9a-fA-F]{1,4})/.exec(rest) ?? /^U([0-9a-fA-F]{1,8})/.exec(rest);
    if (next === "c" && keepsUnknown) return { text: out, isCut: true };
    if (octal !== null) {
      out += String.fromCharCode(Number.parseInt(octal[1] ?? "0", 8) & 255);
      i += octal[0].length;
    } else if (hex !== null) {
      out += String.fromCodePoint(Math.min(Number.parseInt(hex[1] as string, 16), 0x10ffff));
      i += hex[0].length;
    } else if (SIMPLE[next] !== undefined) {
      out += SIMPLE[next];
      i++;
    } else out += character;
  }
  return { text: out, isCut: false };
}
