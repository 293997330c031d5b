/**
 * The escapes for characters that GNU sed and awk understand on top of POSIX expressions: \r, \t, \x41 and the like.
 *
 * GNU sed 4.9 sed/compile.c (convert_number, normalize_text); mawk scan.c (rm_escape).
 */

const LETTERS: Readonly<Record<string, string>> = { a: "\x07", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };
const ESCAPE = /\\(?:([afnrtv])|x([0-9a-fA-F]{1,2})|o([0-7]{1,3})|d(\d{1,3})|([^]))/g;

/** The character that an escape stands for, the backslash not counted; undefined when it means something else. */
export function escapedCharacter(text: string): { readonly character: string; readonly length: number } | undefined {
  const match = new RegExp(`^${ESCAPE.source}`).exec(`\\${text}`);
  const character = match === null ? undefined : characterOf(match.slice(1));
  return character === undefined || match === null ? undefined : { character, length: match[0].length - 1 };
}

/** An expression with these escapes replaced, inside of brackets too: what they give may be an operator. */
export function withCharacters(expression: string): string {
  return expression.replace(ESCAPE, (all: string, ...groups: (string | undefined)[]) => characterOf(groups) ?? all);
}

/** Text that is no expression (sed's y): the escapes and a doubled backslash replaced. */
export function plainText(text: string): string {
  return text.replace(ESCAPE, (all: string, ...groups: (string | undefined)[]) => characterOf(groups) ?? (all === "\\\\" ? "\\" : all));
}

function characterOf([letter, hex, octal, decimal]: readonly (string | undefined)[]): string | undefined {
  if (letter !== undefined) return LETTERS[letter];
  if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16));
  if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal, 8) & 255);
  return decimal === undefined ? undefined : String.fromCharCode(Number(decimal) & 255);
}
