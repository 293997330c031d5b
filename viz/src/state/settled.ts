/**
 * The position for panels that show much: it follows when the position rests, so that fast steps stay fast.
 */

import { batch, effect, signal } from "@preact/signals";
import type { Moment } from "../engine/queries/moment.ts";
import { currentId, moment } from "./store.ts";

/** The position rests when it has not moved for so long. */
const REST_MS = 120;
/** While it never rests, what is shown is at most so old. */
const OLD_MS_MAX = 700;

export const settled = signal<Moment | undefined>(moment.peek());
/** Record before the last move of the session in view, 0: it has not moved. What changed since then glows. */
export const settledPrevious = signal(0);

let session = currentId.peek();
let last = moment.peek()?.position.id ?? 0;
let previous = 0;
let timer: ReturnType<typeof setTimeout> | undefined;
let waitingSince = 0;

function settle(): void {
  clearTimeout(timer);
  timer = undefined;
  waitingSince = 0;
  batch(() => {
    settled.value = moment.peek();
    settledPrevious.value = previous;
  });
}

effect(() => {
  const now = moment.value;
  const id = now?.position.id ?? 0;
  if (currentId.value !== session) {
    // Another run: what the panels show must not stay for a moment.
    session = currentId.value;
    previous = 0;
    last = id;
    settle();
    return;
  }
  if (id !== last) previous = last;
  last = id;
  if (now === settled.peek()) return;
  const nowMs = performance.now();
  if (waitingSince === 0) waitingSince = nowMs;
  clearTimeout(timer);
  timer = setTimeout(settle, Math.max(0, Math.min(REST_MS, waitingSince + OLD_MS_MAX - nowMs)));
});
