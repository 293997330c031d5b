/**
 * Where a network tool waits for packets: until one comes, a time is reached or a signal wakes it.
 */

import type { CommandContext, Running } from "../command.ts";

/** Bound on what waits to be looked at: beyond it the oldest is lost, as in a socket's full receive queue. */
const ITEMS_MAX = 10_000;

export class Inbox<T> {
  readonly #items: T[] = [];
  #wake: (() => void) | undefined = undefined;
  #isWoken = false;

  push(item: T): void {
    if (this.#items.length >= ITEMS_MAX) this.#items.shift();
    this.#items.push(item);
    this.#wake?.();
  }

  /** Ends the wait that is going on, or the next one at once. */
  wake(): void {
    this.#isWoken = true;
    this.#wake?.();
  }

  get isEmpty(): boolean {
    return this.#items.length === 0;
  }

  take(): T | undefined {
    return this.#items.shift();
  }

  /** Waits until something is there, somebody wakes it, or `untilNs` has come. */
  *wait(context: CommandContext, untilNs: number): Running<void> {
    const { loop } = context.machine.host;
    if (this.#items.length === 0 && !this.#isWoken && loop.nowNs < untilNs) {
      yield* context.waitFor<void>((resolve) => {
        const end = (): void => {
          this.#wake = undefined;
          loop.cancel(timer);
          resolve();
        };
        const timer = loop.at(Math.min(untilNs, Number.MAX_SAFE_INTEGER), { onEvent: end });
        this.#wake = end;
        return () => {
          this.#wake = undefined;
          loop.cancel(timer);
        };
      });
    }
    this.#isWoken = false;
  }
}
