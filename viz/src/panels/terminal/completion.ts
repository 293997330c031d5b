/**
 * Completion of a command line: commands for the first word, then addresses, devices, settings and the words that the scenario uses with the
 * command.
 */

import type { TypingWords } from "../../engine/queries/words.ts";

export interface Completion {
  /** Where the word begins that the candidates stand for. */
  readonly from: number;
  readonly candidates: readonly string[];
}

const CANDIDATES_MAX = 60;
/** What a web client's argument begins with. */
const WEB = "http://";

/** Candidates for the word that ends at `cursor`. */
export function complete(text: string, cursor: number, words: TypingWords): Completion {
  const before = text.slice(0, cursor);
  const word = /[^\s;&|()<>"'=]*$/.exec(before)?.[0] ?? "";
  const from = cursor - word.length;
  const head = before.slice(0, from);
  const command = /(?:^|[;&|(]|\b(?:then|do|else|sudo|time|watch)\s)\s*$/.test(head) ? undefined : commandOf(head);
  const known = command === undefined ? words.commands : wordsFor(command, word, words);
  const candidates = [...new Set(known)].filter((one) => one.startsWith(word) && one !== word);
  return { from, candidates: candidates.slice(0, CANDIDATES_MAX) };
}

/** The command whose arguments come next. */
function commandOf(head: string): string {
  const part = head.split(/[;&|(]|\b(?:then|do|else|sudo|time|watch)\s/).at(-1) ?? "";
  return part.trim().split(/\s+/)[0] ?? "";
}

function wordsFor(command: string, word: string, words: TypingWords): readonly string[] {
  const url = /^https?:\/\//.exec(word)?.[0];
  const addresses = words.addresses.map(({ text }) => text);
  if (url !== undefined) return addresses.map((address) => `${url}${address}/`);
  const used = words.after[command] ?? [];
  if (word.startsWith("-")) return used.filter((one) => one.startsWith("-"));
  const own = command === "sysctl" ? words.sysctls : [];
  const urls = command === "curl" || command === "wget" ? addresses.map((address) => `${WEB}${address}/`) : [];
  return [...own, ...addresses, ...words.devices, ...urls, ...used];
}

/** What all candidates begin with. */
export function commonStart(candidates: readonly string[]): string {
  const [first = "", ...rest] = candidates;
  let length = first.length;
  for (const one of rest) while (!one.startsWith(first.slice(0, length))) length--;
  return first.slice(0, length);
}
