/**
 * The lines in which two files differ, as hunks; and the texts that diff prints about them (POSIX diff, default and unified format).
 */

/** Products of line counts that are compared; more is refused by the caller. */
const CELLS_MAX = 16_000_000;

/** Lines [fromA, toA) of the first file stand for [fromB, toB) of the second; either may be empty. */
export interface Hunk {
  readonly fromA: number;
  readonly toA: number;
  readonly fromB: number;
  readonly toB: number;
}

export interface Side {
  readonly lines: readonly string[];
  readonly hasLastNewline: boolean;
}

/** Which lines are not in a longest common subsequence; undefined when the files are too large. */
function changedLines(a: readonly string[], b: readonly string[]): { readonly changedA: Uint8Array; readonly changedB: Uint8Array } | undefined {
  const [changedA, changedB] = [new Uint8Array(a.length + 1), new Uint8Array(b.length + 1)];
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let [endA, endB] = [a.length, b.length];
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) {
    endA--;
    endB--;
  }
  const [rows, columns] = [endA - start, endB - start];
  if ((rows + 1) * (columns + 1) > CELLS_MAX) return undefined;
  const width = columns + 1;
  const lengths = new Uint32Array((rows + 1) * width);
  for (let i = rows - 1; i >= 0; i--) {
    for (let j = columns - 1; j >= 0; j--) {
      const here = i * width + j;
      lengths[here] = a[start + i] === b[start + j] ? (lengths[here + width + 1] as number) + 1 : Math.max(lengths[here + width] as number, lengths[here + 1] as number);
    }
  }
  let [i, j] = [0, 0];
  while (i < rows || j < columns) {
    const here = i * width + j;
    if (i < rows && j < columns && a[start + i] === b[start + j]) {
      i++;
      j++;
    } else if (i < rows && (j >= columns || (lengths[here + width] as number) >= (lengths[here + 1] as number))) changedA[start + i++] = 1;
    else changedB[start + j++] = 1;
  }
  return { changedA, changedB };
}

/** Slides runs of changes down as far as they go, as GNU diff does: the last of several equal lines counts as the new one. */
function slide(lines: readonly string[], changed: Uint8Array, otherChanged: Uint8Array): void {
  let other = 0;
  for (let at = 0; at < lines.length; ) {
    while (otherChanged[other] === 1) other++;
    if (changed[at] !== 1) {
      at++;
      other++;
      continue;
    }
    let start = at;
    let end = at;
    while (changed[end] === 1) end++;
    while (end < lines.length && lines[start] === lines[end] && otherChanged[other] !== 1) {
      changed[start++] = 0;
      changed[end++] = 1;
      other++;
      while (changed[end] === 1) end++;
    }
    at = end;
  }
}

export function hunksOf(a: readonly string[], b: readonly string[]): readonly Hunk[] | undefined {
  const changes = changedLines(a, b);
  if (changes === undefined) return undefined;
  const { changedA, changedB } = changes;
  slide(a, changedA, changedB);
  slide(b, changedB, changedA);
  const hunks: Hunk[] = [];
  for (let [i, j] = [0, 0]; i < a.length || j < b.length; ) {
    if (changedA[i] !== 1 && changedB[j] !== 1) {
      i++;
      j++;
      continue;
    }
    const [fromA, fromB] = [i, j];
    while (changedA[i] === 1) i++;
    while (changedB[j] === 1) j++;
    hunks.push({ fromA, toA: i, fromB, toB: j });
  }
  return hunks;
}

/** One line with its mark, and what is said about a missing newline at the end. */
function marked(mark: string, side: Side, index: number): string {
  const isBare = index === side.lines.length - 1 && !side.hasLastNewline;
  return `${mark}${side.lines[index]}\n${isBare ? "\\ No newline at end of file\n" : ""}`;
}

function allMarked(mark: string, side: Side, from: number, to: number): string {
  let out = "";
  for (let i = from; i < to; i++) out += marked(mark, side, i);
  return out;
}

export function normalDiff(a: Side, b: Side, hunks: readonly Hunk[]): string {
  const range = (from: number, to: number): string => (to - from > 1 ? `${from + 1},${to}` : String(to === from ? from : to));
  return hunks
    .map(({ fromA, toA, fromB, toB }) => {
      const letter = fromA === toA ? "a" : fromB === toB ? "d" : "c";
      return `${range(fromA, toA)}${letter}${range(fromB, toB)}\n${allMarked("< ", a, fromA, toA)}${letter === "c" ? "---\n" : ""}${allMarked("> ", b, fromB, toB)}`;
    })
    .join("");
}

export function unifiedDiff(a: Side, b: Side, hunks: readonly Hunk[], context: number): string {
  let out = "";
  for (let first = 0; first < hunks.length; ) {
    let last = first;
    while (last + 1 < hunks.length && (hunks[last + 1] as Hunk).fromA - (hunks[last] as Hunk).toA <= 2 * context) last++;
    const group = hunks.slice(first, last + 1);
    const [head, tail] = [group[0] as Hunk, group[group.length - 1] as Hunk];
    const before = Math.min(context, head.fromA, head.fromB);
    const endA = Math.min(a.lines.length, tail.toA + context);
    const endB = Math.min(b.lines.length, tail.toB + context);
    const range = (from: number, to: number): string => (to - from === 1 ? String(to) : `${to === from ? from : from + 1},${to - from}`);
    out += `@@ -${range(head.fromA - before, endA)} +${range(head.fromB - before, endB)} @@\n`;
    let at = head.fromA - before;
    for (const hunk of group) {
      out += allMarked(" ", a, at, hunk.fromA) + allMarked("-", a, hunk.fromA, hunk.toA) + allMarked("+", b, hunk.fromB, hunk.toB);
      at = hunk.toA;
    }
    out += allMarked(" ", a, at, endA);
    first = last + 1;
  }
  return out;
}
