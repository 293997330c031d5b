/**
 * Where in a scenario file a cursor is: below which keys, in a key, a value or a script. Works on files that are not finished.
 *
 * Only what scenario files use is understood: block and flow mappings, lists, block scalars, quotes.
 */

export interface YamlPlace {
  /** Keys above, outermost first; lists leave nothing. For a value or script the last one is its own. */
  readonly path: readonly string[];
  readonly part: "key" | "value" | "script";
  /** What has been written of the key, value or script line so far. */
  readonly written: string;
  /** The step's or host's own `host`, when it stands in the same list item or flow mapping. */
  readonly host: string;
}

interface LineShape {
  /** Column of the key, behind any `- `; of the dash and a half for list items without a key. */
  readonly column: number;
  readonly key: string | undefined;
  readonly isScalar: boolean;
}

const LINE = /^(\s*)((?:- +)*)(?:(["']?)([\w./-]+)\3\s*:(?:\s|$)|)(.*)$/;

function shapeOf(line: string): LineShape | undefined {
  if (/^\s*(?:#.*)?$/.test(line)) return undefined;
  const [, indent = "", dashes = "", , key, rest = ""] = LINE.exec(line) ?? [];
  const column = indent.length + dashes.length;
  return { column: key === undefined && dashes !== "" ? indent.length + 0.5 : column, key, isScalar: key !== undefined && /^\s*[|>][-+\d]*\s*(?:#.*)?$/.test(rest) };
}

export function placeAt(text: string, position: number): YamlPlace {
  const lines = text.slice(0, position).split("\n");
  const head = lines.at(-1) as string;
  const row = lines.length - 1;
  const script = scriptAround(lines, row);
  if (script !== undefined) {
    const path = above(lines, script, shapeOf(lines[script] as string)?.column ?? 0);
    return { path: [...path, keyOf(lines[script] as string)], part: "script", written: head.trimStart(), host: hostNear(text, lines, script) };
  }
  const flow = flowAt(head);
  const shape = shapeOf(head);
  const dash = /^(\s*)- /.exec(head);
  const host = flow.isIn ? (/\bhost:\s*([\w.-]+)/.exec(text.split("\n")[row] ?? "")?.[1] ?? "") : hostNear(text, lines, row);
  if (flow.isIn) {
    const column = shape?.column ?? 0;
    const own = shape?.key === undefined ? [] : [shape.key];
    const path = [...above(lines, row, column), ...own, ...flow.path];
    return flow.key === undefined ? { path, part: "key", written: flow.written, host } : { path: [...path, flow.key], part: "value", written: flow.written, host };
  }
  if (shape?.key !== undefined) {
    const value = (LINE.exec(head)?.[5] ?? "").trimStart();
    return { path: [...above(lines, row, shape.column), shape.key], part: "value", written: value.replace(/^["']/, ""), host };
  }
  const written = head.trimStart().replace(/^(?:- +)+/, "");
  const column = dash === null ? head.length - head.trimStart().length : head.length - written.length;
  return { path: above(lines, row, column), part: "key", written, host };
}

function keyOf(line: string): string {
  return shapeOf(line)?.key ?? "";
}

/** Keys of the lines that a line at `column` stands below. */
function above(lines: readonly string[], row: number, column: number): string[] {
  const path: string[] = [];
  let left = column;
  for (let at = row - 1; at >= 0 && left > 0; at--) {
    const shape = shapeOf(lines[at] as string);
    if (shape === undefined || shape.column >= left) continue;
    if (shape.key !== undefined) path.unshift(shape.key);
    left = shape.column;
  }
  return path;
}

/** Row of the key whose block scalar goes over row `row`. */
function scriptAround(lines: readonly string[], row: number): number | undefined {
  const line = lines[row] as string;
  const indent = line.trim() === "" ? line.length : line.length - line.trimStart().length;
  let least = indent;
  for (let at = row - 1; at >= 0; at--) {
    const one = lines[at] as string;
    if (one.trim() === "") continue;
    const own = one.length - one.trimStart().length;
    const shape = shapeOf(one);
    if (shape?.isScalar === true && shape.column < least) return at;
    if (own < least) least = own;
    if (least === 0) return undefined;
  }
  return undefined;
}

interface Flow {
  readonly isIn: boolean;
  readonly path: readonly string[];
  readonly key: string | undefined;
  readonly written: string;
}

/** Where in the flow mappings of a line its end is. */
function flowAt(head: string): Flow {
  const path: (string | undefined)[] = [];
  let quote = "";
  let segment = "";
  let key: string | undefined;
  for (const character of head) {
    if (quote !== "") {
      if (character === quote) quote = "";
      else segment += character;
    } else if (character === '"' || character === "'") quote = character;
    else if (character === "{" || character === "[") {
      path.push(path.length === 0 ? undefined : key);
      [key, segment] = [character === "[" ? key : undefined, ""];
    } else if (character === "}" || character === "]") {
      key = path.pop();
      segment = "";
    } else if (path.length > 0 && character === ",") [key, segment] = [undefined, ""];
    else if (path.length > 0 && character === ":" && key === undefined) [key, segment] = [segment.trim(), ""];
    else segment += character;
  }
  return { isIn: path.length > 0, path: path.filter((one) => one !== undefined), key, written: segment.trimStart() };
}

/** `host:` of the list item that a row belongs to. */
function hostNear(text: string, lines: readonly string[], row: number): string {
  const all = text.split("\n");
  let start = row;
  while (start > 0 && !/^\s*- /.test(lines[start] ?? "")) start--;
  if (!/^\s*- /.test(all[start] ?? "")) return "";
  for (let at = start; at < all.length && (at === start || !/^\s*- |^\S/.test(all[at] as string)); at++) {
    const host = /(?:^|[\s{,-])host:\s*["']?([\w.-]+)/.exec(all[at] as string)?.[1];
    if (host !== undefined) return host;
  }
  return "";
}

/** Names directly below a top-level key, with those below `below` in each: `hosts` and their `interfaces`. */
export function namesBelow(text: string, key: string): readonly string[] {
  const lines = text.split("\n");
  const start = lines.findIndex((line) => line.startsWith(`${key}:`));
  if (start < 0) return [];
  const names: string[] = [];
  let column: number | undefined;
  for (const line of lines.slice(start + 1)) {
    const shape = shapeOf(line);
    if (shape === undefined) continue;
    if (shape.column === 0) break;
    column ??= shape.column;
    if (shape.column === column && shape.key !== undefined) names.push(shape.key);
  }
  return names;
}
