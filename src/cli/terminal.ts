/**
 * What the terminal can do: width, colours, and the line that tells how far a long run has come.
 */

import type { LadderPart } from "../trace/ladder.ts";

const WIDTH_MIN = 60;
const WIDTH_DEFAULT = 132;

export function terminalWidth(): number {
  const columns = process.stdout.columns ?? Number(process.env.COLUMNS ?? WIDTH_DEFAULT);
  return Math.max(Number.isFinite(columns) && columns > 0 ? columns : WIDTH_DEFAULT, WIDTH_MIN);
}

/** https://no-color.org; a pipe gets no colours. */
export function hasColours(when: string): boolean {
  if (when !== "auto") return when === "always";
  return process.stdout.isTTY === true && (process.env.NO_COLOR ?? "") === "" && process.env.TERM !== "dumb";
}

const CODES: Readonly<Record<LadderPart, string>> = {
  time: "2",
  host: "1",
  lane: "2",
  arp: "33",
  tcp: "0",
  udp: "36",
  icmp: "35",
  tunnel: "34",
  other: "0",
  drop: "31",
  rewritten: "32",
  note: "1",
};

export function colour(part: LadderPart, text: string): string {
  return `\u001b[${CODES[part]}m${text}\u001b[0m`;
}

const FIRST_AFTER_MS = 1000;
const EVERY_MS = 200;

/** A line on standard error, rewritten in place; only on a terminal, only for runs that take a while. */
export class ProgressLine {
  readonly #isShown = process.stderr.isTTY === true;
  readonly #startMs = performance.now();
  #lastMs = 0;
  #isDirty = false;

  update(timeNs: number, eventCount: number): void {
    if (!this.#isShown) return;
    const nowMs = performance.now();
    if (nowMs - this.#startMs < FIRST_AFTER_MS || nowMs - this.#lastMs < EVERY_MS) return;
    this.#lastMs = nowMs;
    this.#isDirty = true;
    process.stderr.write(`\r${(timeNs / 1e9).toFixed(3)} s simulated, ${eventCount} events\u001b[K`);
  }

  clear(): void {
    if (this.#isDirty) process.stderr.write("\r\u001b[K");
    this.#isDirty = false;
  }
}

/** A text in lines that fit the terminal: the first begins with one text, the others with another. */
export function wrapText(text: string, first: string, rest: string): string {
  const width = Math.max(terminalWidth(), rest.length + 40);
  const lines: string[] = [];
  let line = first;
  let isEmpty = true;
  for (const word of text.split(" ")) {
    if (!isEmpty && line.length + 1 + word.length > width) {
      lines.push(line);
      line = rest;
      isEmpty = true;
    }
    line += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  lines.push(line);
  return lines.join("\n");
}
