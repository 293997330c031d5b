/**
 * A YAML 1.2 document with the place of everything in it. Anchors, aliases and merge keys (`<<`) are resolved, with bounds: a document of
 * aliases of aliases is refused instead of unfolded.
 */

import { type Document, isAlias, isMap, isPair, isScalar, isSeq, LineCounter, type Node, parseDocument, type YAMLMap } from "yaml";
import { type FilePlace, ScenarioError, type ScenarioProblem } from "./scenario-error.ts";

/** Bytes of a scenario file. Checked before anything is parsed. */
export const FILE_BYTES_MAX = 1_048_576;
const NODES_MAX = 200_000;
const DEPTH_MAX = 64;

/** Keys and indices from the root. */
export type YamlPath = readonly (string | number)[];

const REMEDIES: Readonly<Record<string, string>> = {
  DUPLICATE_KEY: "keep one of them",
  TAB_AS_INDENT: "indent with spaces",
  BAD_INDENT: "check the indentation and the brackets of the lines above",
  MISSING_CHAR: "close the quote or bracket",
  BLOCK_AS_IMPLICIT_KEY: "quote a text that contains `: `",
};

export class YamlSource {
  readonly file: string;
  readonly text: string;
  readonly value: unknown;
  readonly #document: Document;
  readonly #lines: LineCounter;

  /** Throws a ScenarioError when the text is no YAML. */
  constructor(file: string, text: string) {
    this.file = file;
    this.text = text;
    this.#lines = new LineCounter();
    if (text.length > FILE_BYTES_MAX) throw new ScenarioError([tooLarge(file, text.length)]);
    this.#document = parseDocument(text, { merge: true, lineCounter: this.#lines, prettyErrors: false, version: "1.2", strict: true });
    const problems = [...this.#document.errors, ...this.#document.warnings].map((error) =>
      this.#problem(error.pos[0], `not valid YAML: ${error.message}`, REMEDIES[error.code] ?? ""),
    );
    if (problems.length > 0) throw new ScenarioError(problems);
    this.#checkSize();
    try {
      this.value = this.#document.toJS({ maxAliasCount: 1000 });
    } catch (error) {
      throw new ScenarioError([this.#problem(0, `not valid YAML: ${error instanceof Error ? error.message : String(error)}`, "use fewer aliases")]);
    }
  }

  /** The place of a value, or with `isKey` of the last key of the path; of the nearest thing around it when it is not there. */
  place(path: YamlPath, isKey = false): FilePlace {
    let node: Node | null | undefined = this.#document.contents;
    let offset = node?.range?.[0] ?? 0;
    for (let i = 0; i < path.length; i++) {
      const found = this.#child(this.#resolve(node), path[i] as string | number);
      if (found === undefined) break;
      offset = ((isKey && i === path.length - 1 ? found.key : found.value) ?? found.key ?? found.value)?.range?.[0] ?? offset;
      node = found.value;
    }
    return this.#placeOf(offset);
  }

  /** The line on which a text starts: for `|` and `>` the one below. */
  textLine(path: YamlPath): number {
    const node = this.#resolve(this.#find(path));
    const { line } = this.place(path);
    return isScalar(node) && (node.type === "BLOCK_LITERAL" || node.type === "BLOCK_FOLDED") ? line + 1 : line;
  }

  #find(path: YamlPath): Node | null | undefined {
    let node: Node | null | undefined = this.#document.contents;
    for (const key of path) node = this.#child(this.#resolve(node), key)?.value;
    return node;
  }

  problem(path: YamlPath, message: string, remedy: string, isKey = false): ScenarioProblem {
    return { ...this.place(path, isKey), message, remedy };
  }

  #problem(offset: number, message: string, remedy: string): ScenarioProblem {
    return { ...this.#placeOf(offset), message, remedy };
  }

  #placeOf(offset: number): FilePlace {
    const { line, col } = this.#lines.linePos(offset);
    return { file: this.file, line: Math.max(line, 1), column: Math.max(col, 1) };
  }

  #resolve(node: Node | null | undefined): Node | null | undefined {
    return isAlias(node) ? node.resolve(this.#document) : node;
  }

  #child(node: Node | null | undefined, key: string | number): { readonly key: Node | undefined; readonly value: Node | null | undefined } | undefined {
    if (isSeq(node)) return { key: undefined, value: node.items[Number(key)] as Node | undefined };
    if (!isMap(node)) return undefined;
    const own = this.#childOfMap(node, key);
    if (own !== undefined) return own;
    for (const merged of this.#mergedMaps(node)) {
      const found = this.#child(merged, key);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #childOfMap(map: YAMLMap, key: string | number): { readonly key: Node | undefined; readonly value: Node | null } | undefined {
    for (const pair of map.items) {
      if (isScalar(pair.key) && typeof pair.key.value !== "symbol" && String(pair.key.value) === String(key))
        return { key: pair.key, value: pair.value as Node | null };
    }
    return undefined;
  }

  #mergedMaps(map: YAMLMap): (Node | null | undefined)[] {
    for (const pair of map.items) {
      if (!isScalar(pair.key) || !(typeof pair.key.value === "symbol" || pair.key.value === "<<")) continue;
      const value = this.#resolve(pair.value as Node | null);
      return isSeq(value) ? value.items.map((item) => this.#resolve(item as Node)) : [value];
    }
    return [];
  }

  /** Counts what the document unfolds to, with the multiplicity of aliases, and its depth. */
  #checkSize(): void {
    const sizes = new Map<Node, number>();
    const measure = (node: unknown, depth: number): number => {
      if (depth > DEPTH_MAX) throw new ScenarioError([this.#problem(0, `nested deeper than ${DEPTH_MAX} levels`, "use fewer levels")]);
      if (isPair(node)) return measure(node.key, depth) + measure(node.value, depth);
      if (isAlias(node)) {
        const target = node.resolve(this.#document);
        if (target === undefined)
          throw new ScenarioError([this.#problem(node.range?.[0] ?? 0, `unknown alias *${node.source}`, `define it above as &${node.source}`)]);
        // An alias to something that is still being measured contains itself.
        const size = sizes.get(target);
        if (size === undefined) throw new ScenarioError([this.#problem(node.range?.[0] ?? 0, `the alias *${node.source} contains itself`, "")]);
        return size;
      }
      let total = 1;
      if (isMap(node) || isSeq(node)) for (const item of node.items) total += measure(item, depth + 1);
      if (total > NODES_MAX)
        throw new ScenarioError([
          this.#problem((node as Node).range?.[0] ?? 0, `more than ${NODES_MAX} values after its aliases are unfolded`, "use fewer aliases"),
        ]);
      if (node !== null && node !== undefined) sizes.set(node as Node, total);
      return total;
    };
    measure(this.#document.contents, 0);
  }
}

function tooLarge(file: string, size: number): ScenarioProblem {
  return { file, line: 1, column: 1, message: `the file has ${size} bytes, the most is ${FILE_BYTES_MAX}`, remedy: "is this a scenario?" };
}

/** For callers that know the size before they read: refuses what is too large. */
export function checkFileSize(file: string, sizeBytes: number): void {
  if (sizeBytes > FILE_BYTES_MAX) throw new ScenarioError([tooLarge(file, sizeBytes)]);
}
