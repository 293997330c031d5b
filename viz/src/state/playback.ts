/**
 * Time that runs by itself: a fixed delay for each event, or to scale.
 */

import { effect, signal, untracked } from "@preact/signals";
import { current, currentId, goToTime, moment, step } from "./store.ts";

export type Pace =
  | { readonly type: "event"; readonly delayMs: number }
  /** Simulated seconds a second. */
  | { readonly type: "scale"; readonly factor: number };

export const DELAYS_MS = [2000, 1000, 600, 300, 120] as const;
export const SCALES = [0.1, 0.5, 1, 2, 5, 10, 25, 100] as const;

export const isPlaying = signal(false);
export const pace = signal<Pace>({ type: "event", delayMs: 600 });
/** What play and the arrow keys step over. */
export const playUnit = signal<"record" | "frame" | "match">("frame");

const NS_PER_MS = 1_000_000;
const FRAME_MS_MAX = 100;

export function togglePlay(): void {
  isPlaying.value = !isPlaying.value && current.value !== undefined;
}

export function pause(): void {
  isPlaying.value = false;
}

let run = 0;

effect(() => {
  const own = ++run;
  if (!isPlaying.value) return;
  const paceNow = pace.value;
  const unit = playUnit.value;
  const session = currentId.value;
  const goesOn = () => own === run && session === currentId.peek();
  // What playing reads on its way must not start it anew.
  untracked(() => {
    if (paceNow.type === "event") void playEvents(paceNow.delayMs, unit, goesOn);
    else void playScale(paceNow.factor, goesOn);
  });
});

async function playEvents(delayMs: number, unit: "record" | "frame" | "match", goesOn: () => boolean): Promise<void> {
  while (goesOn()) {
    const before = moment.peek()?.position.id;
    await step(1, unit);
    if (!goesOn()) return;
    if (moment.peek()?.position.id === before) {
      pause();
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, delayMs));
  }
}

async function playScale(factor: number, goesOn: () => boolean): Promise<void> {
  let last = performance.now();
  while (goesOn()) {
    const now = await new Promise<number>((resolve) => requestAnimationFrame(resolve));
    if (!goesOn()) return;
    const passedMs = Math.min(now - last, FRAME_MS_MAX);
    last = now;
    const at = moment.peek()?.position.timeNs ?? 0;
    const end = current.peek()?.info.endNs ?? 0;
    if (at >= end) {
      pause();
      return;
    }
    await goToTime(Math.min(end, at + passedMs * NS_PER_MS * factor), true);
  }
}
