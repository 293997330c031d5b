/**
 * The grammar: keywords with what they may hold, and the walk over the lines that calls their handlers.
 *
 * A keyword that is not known is reported and its line left; its block is not: the lines in it are taken as lines of the block around it, and its
 * closing brace closes that one. Blocks whose opening line is bad are skipped whole.
 *
 * keepalived v2.2.7 lib/parser.c (process_stream, alloc_value_block, skip_block).
 */

import type { LineReader } from "./line-reader.ts";
import { CONFIG_ERROR, type ConfigReport } from "./report.ts";
import { splitWords, Words } from "./words.ts";

export interface Keyword {
  readonly name: string;
  /** False: somebody else's keyword. Its block is skipped, and `onInactive` told. */
  readonly isActive?: boolean;
  readonly onInactive?: () => void;
  readonly handle?: (words: Words, stream: KeywordStream) => void;
  readonly sub?: readonly Keyword[];
  /** Called at the closing brace, unless the block was skipped. */
  readonly close?: () => void;
}

const NOT_SKIPPING = 0;
/** The block to skip has not begun yet. */
const SKIP_WHEN_BEGUN = -1;

export class KeywordStream {
  readonly report: ConfigReport;
  readonly #reader: LineReader;
  #skipDepth = NOT_SKIPPING;
  #level = 0;

  constructor(reader: LineReader, report: ConfigReport) {
    this.#reader = reader;
    this.report = report;
  }

  /** Leaves out the block of the keyword that is being handled. */
  skipBlock(): void {
    this.#skipDepth = SKIP_WHEN_BEGUN;
  }

  run(keywords: readonly Keyword[]): void {
    this.#process(keywords, false);
    const { depth } = this.#reader;
    if (depth > 0) this.report.error(CONFIG_ERROR.missingEnd, `There are ${depth} missing '}'s or extra '{'s`);
  }

  /** True when the block was skipped. */
  #process(keywords: readonly Keyword[], needsBegin: boolean): boolean {
    let awaitsBegin = needsBegin;
    for (let line = this.#reader.next(); line !== undefined; line = this.#reader.next()) {
      const list = splitWords(line, this.report);
      const first = list?.[0];
      if (list === undefined || first === undefined) continue;
      if (this.#skipDepth === SKIP_WHEN_BEGUN) {
        this.#skipDepth = NOT_SKIPPING;
        if (first === "{") {
          this.#skipDepth = 1;
          awaitsBegin = false;
          continue;
        }
      }
      if (this.#skipDepth !== NOT_SKIPPING) {
        if (this.#skipped(list) && this.#level > 0) return true;
        continue;
      }
      if (awaitsBegin) {
        awaitsBegin = false;
        if (first === "{" && this.#level > 0) continue;
        this.report.error(CONFIG_ERROR.missingBegin, "Missing '{' at beginning of configuration block");
      } else if (first === "{") {
        this.report.error(CONFIG_ERROR.unexpectedBegin, "Unexpected '{' - ignoring");
        continue;
      }
      if (first === "}" && this.#level > 0) return false;
      const keyword = keywords.find((one) => one.name === first);
      if (keyword === undefined) this.report.error(CONFIG_ERROR.unknownKeyword, `Unknown keyword '${first}'`);
      else this.#handle(keyword, list, line);
    }
    return false;
  }

  /** Counts braces of a skipped block; true when it ended with this line. */
  #skipped(list: readonly string[]): boolean {
    for (const word of list) {
      if (word === "{") this.#skipDepth++;
      else if (word === "}" && --this.#skipDepth === 0) return true;
    }
    return false;
  }

  #handle(keyword: Keyword, list: readonly string[], line: string): void {
    if (keyword.isActive === false) {
      this.#skipDepth = SKIP_WHEN_BEGUN;
      keyword.onInactive?.();
      return;
    }
    keyword.handle?.(new Words(list, line, this.report), this);
    if (keyword.sub === undefined) return;
    this.#level++;
    const isSkipped = this.#process(keyword.sub, true);
    this.#level--;
    if (!isSkipped) keyword.close?.();
  }

  /** Lines of a block that holds values, not keywords. */
  valueBlock(words: Words, each: (words: Words) => void): void {
    if (words.length > 1) this.report.general(`Block ${words.at(0)} has extra parameters ${words.at(1)} ...`);
    let awaitsBegin = true;
    for (let line = this.#reader.next(); line !== undefined; line = this.#reader.next()) {
      const list = splitWords(line, this.report);
      if (list === undefined) continue;
      if (awaitsBegin) {
        awaitsBegin = false;
        if (list[0] === "{") continue;
        this.report.log(`'{' missing from beginning of block ${words.at(0)}`);
      }
      if (list.at(-1) === "}") return;
      each(new Words(list, line, this.report));
    }
  }

  /** All words of such a block; undefined when it is empty. */
  wordBlock(words: Words): string[] | undefined {
    const all: string[] = [];
    this.valueBlock(words, (row) => all.push(...row.list));
    return all.length === 0 ? undefined : all;
  }
}
