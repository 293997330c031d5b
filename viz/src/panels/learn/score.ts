/**
 * The score: the first answer to each question counts. Kept on the person's computer only.
 */

import { signal } from "@preact/signals";

const KEY = "lvsim-score";
const ENTRIES_MAX = 2000;

/** `FILE KEY` and whether the first answer was right. */
export type Score = Readonly<Record<string, boolean>>;

export const score = signal<Score>(read());

export function nameOf(file: string, key: string): string {
  return `${file} ${key}`;
}

/** Notes an answer; a later one to the same question changes nothing. */
export function noteAnswer(file: string, key: string, isRight: boolean): void {
  const name = nameOf(file, key);
  if (Object.hasOwn(score.value, name) || Object.keys(score.value).length >= ENTRIES_MAX) return;
  keep({ ...score.value, [name]: isRight });
}

/** Forgets the answers to one scenario. */
export function forget(file: string): void {
  keep(Object.fromEntries(Object.entries(score.value).filter(([name]) => !name.startsWith(`${file} `))));
}

export function tally(all: Score, file?: string): { readonly right: number; readonly answered: number } {
  const own = Object.entries(all).filter(([name]) => file === undefined || name.startsWith(`${file} `));
  return { right: own.filter(([, isRight]) => isRight).length, answered: own.length };
}

function keep(next: Score): void {
  score.value = next;
  try {
    localStorage.setItem(KEY, JSON.stringify(next));
  } catch {
    // Storage may be forbidden; the score then lasts as long as the page.
  }
}

function read(): Score {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(KEY) ?? "{}");
    if (typeof value !== "object" || value === null) return {};
    return Object.fromEntries(Object.entries(value).filter((entry): entry is [string, boolean] => typeof entry[1] === "boolean"));
  } catch {
    return {};
  }
}
