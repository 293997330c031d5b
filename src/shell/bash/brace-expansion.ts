/**
 * Brace expansion on the raw text of a word, before anything else (bash's braces.c): `{a,b}`, `{1..5}`, `{a..e..2}`, `{01..10}`.
 */

/** All words; the word itself when there is nothing to expand. Throws RangeError beyond `max`. */
export function expandBraces(text: string, max: number): string[] {
  const open = findGroup(text);
  if (open === undefined) return [text];
  const { start, end, parts } = open;
  const before = text.slice(0, start);
  const inner = parts.flatMap((part) => expandBraces(part, max));
  const out: string[] = [];
  for (const middle of inner) {
    for (const after of expandBraces(text.slice(end), max)) {
      if (out.length >= max) throw new RangeError("brace expansion");
      out.push(before + middle + after);
    }
  }
  return out;
}

interface Group {
  readonly start: number;
  readonly end: number;
  readonly parts: readonly string[];
}

/** The leftmost group that expands. */
function findGroup(text: string): Group | undefined {
  for (let i = 0; i < text.length; i = skip(text, i)) {
    if (text[i] !== "{") continue;
    const group = readGroup(text, i);
    if (group !== undefined) return group;
  }
  return undefined;
}

function readGroup(text: string, start: number): Group | undefined {
  const commas: number[] = [];
  let depth = 0;
  for (let i = start; i < text.length; i = skip(text, i)) {
    const character = text[i];
    if (character === "{") depth++;
    else if (character === "," && depth === 1) commas.push(i);
    else if (character === "}" && --depth === 0) {
      if (commas.length > 0) {
        const edges = [start, ...commas, i];
        return { start, end: i + 1, parts: edges.slice(1).map((edge, n) => text.slice((edges[n] as number) + 1, edge)) };
      }
      const sequence = readSequence(text.slice(start + 1, i));
      return sequence === undefined ? undefined : { start, end: i + 1, parts: sequence };
    }
  }
  return undefined;
}

/** Index behind the character, quoted string or substitution at `i`. */
function skip(text: string, i: number): number {
  const character = text[i];
  if (character === "\\") return i + 2;
  if (character === "'" || character === '"' || character === "`") return skipQuoted(text, i, character);
  if (character === "$" && (text[i + 1] === "{" || text[i + 1] === "(")) return skipNested(text, i + 1);
  return i + 1;
}

function skipQuoted(text: string, i: number, quote: string): number {
  for (let j = i + 1; j < text.length; j++) {
    if (text[j] === "\\" && quote !== "'") j++;
    else if (text[j] === quote) return j + 1;
  }
  return text.length;
}

function skipNested(text: string, open: number): number {
  const opener = text[open];
  const closer = opener === "{" ? "}" : ")";
  let depth = 0;
  for (let j = open; j < text.length; ) {
    const character = text[j] as string;
    if (character === opener) depth++;
    if (character === closer && --depth === 0) return j + 1;
    j = character === "'" || character === '"' || character === "`" ? skipQuoted(text, j, character) : character === "\\" ? j + 2 : j + 1;
  }
  return text.length;
}

const SEQUENCE_MAX = 100_000;

function readSequence(text: string): string[] | undefined {
  const numbers = /^([+-]?\d+)\.\.([+-]?\d+)(?:\.\.([+-]?\d+))?$/.exec(text);
  const letters = /^([A-Za-z])\.\.([A-Za-z])(?:\.\.([+-]?\d+))?$/.exec(text);
  const match = numbers ?? letters;
  if (match === null) return undefined;
  const read = (part: string | undefined): number => (numbers !== null ? Number(part) : (part as string).charCodeAt(0));
  const first = read(match[1]);
  const last = read(match[2]);
  const step = Math.max(1, Math.abs(Number(match[3] ?? 1)));
  if (Math.abs(last - first) / step > SEQUENCE_MAX) throw new RangeError("brace expansion");
  const isPadded = numbers !== null && [match[1], match[2]].some((part) => /^[+-]?0\d/.test(part as string));
  const width = isPadded ? Math.max((match[1] as string).length, (match[2] as string).length) : 0;
  const out: string[] = [];
  for (let n = first; first <= last ? n <= last : n >= last; n += first <= last ? step : -step) {
    if (numbers === null) out.push(String.fromCharCode(n));
    else out.push(n < 0 ? `-${String(-n).padStart(width - 1, "0")}` : String(n).padStart(width, "0"));
  }
  return out;
}
