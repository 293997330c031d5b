/**
 * The waits that processes are made of: a time, a turn of the event loop, a queue that somebody wakes.
 *
 * Every wake-up goes through the event loop, so that who runs next is decided by the order of scheduling and no process runs inside another.
 */

import type { EventLoop, EventTarget } from "../kernel/event-loop.ts";
import type { Running, Wait } from "./command.ts";

class Resumption implements EventTarget {
  readonly #resume: () => void;

  constructor(resume: () => void) {
    this.#resume = resume;
  }

  onEvent(): void {
    this.#resume();
  }
}

/** Some 50 days: longer waits end here, far beyond what any run may take, so that times stay exact. */
const DELAY_NS_MAX = 2 ** 52;

/** Waits for a time; 0 lets everything else that is due now go first. */
export function delay(loop: EventLoop, delayNs: number): Wait {
  return {
    begin: (resume) => {
      const id = loop.after(Math.min(Math.max(0, Math.round(delayNs)), DELAY_NS_MAX), new Resumption(resume));
      return () => loop.cancel(id);
    },
  };
}

export function* sleep(loop: EventLoop, delayNs: number): Running<void> {
  yield delay(loop, delayNs);
}

/** Waits until `resolve` is called, whenever that is. */
export function* waitForValue<T>(loop: EventLoop, start: (resolve: (value: T) => void) => () => void): Running<T> {
  let result: { readonly value: T } | undefined;
  yield {
    begin: (resume) => {
      let wakeId = 0;
      let isOver = false;
      const cancel = start((value) => {
        if (result !== undefined || isOver) return;
        result = { value };
        wakeId = loop.after(0, new Resumption(resume));
      });
      return () => {
        isOver = true;
        if (wakeId !== 0) loop.cancel(wakeId);
        cancel();
      };
    },
  };
  if (result === undefined) throw new Error("a wait was resumed before its value was there");
  return result.value;
}

/** Those who wait for something to change. */
export class WaitQueue {
  readonly #loop: EventLoop;
  readonly #waiting = new Set<() => void>();

  constructor(loop: EventLoop) {
    this.#loop = loop;
  }

  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  /** Wakes everybody who waits now; they look again at what they wait for. */
  wake(): void {
    if (this.#waiting.size === 0) return;
    const all = [...this.#waiting];
    this.#waiting.clear();
    for (const notify of all) notify();
  }

  /** One wait for the next `wake`. */
  wait(): Wait {
    return {
      begin: (resume) => {
        let wakeId = 0;
        const notify = (): void => {
          wakeId = this.#loop.after(0, new Resumption(resume));
        };
        this.#waiting.add(notify);
        return () => {
          this.#waiting.delete(notify);
          if (wakeId !== 0) this.#loop.cancel(wakeId);
        };
      },
    };
  }
}

/** Runs a computation until a time; undefined when it had to be given up. */
export function* withDeadline<T>(loop: EventLoop, running: Running<T>, deadlineNs: number): Running<T | undefined> {
  let isLate = false;
  for (;;) {
    const step = running.next();
    if (step.done === true) return step.value;
    const wait = step.value;
    yield {
      begin: (resume) => {
        let giveUpWait = (): void => {};
        const giveUpTime = delay(loop, deadlineNs - loop.nowNs).begin(() => {
          isLate = true;
          giveUpWait();
          resume();
        });
        giveUpWait = wait.begin(() => {
          giveUpTime();
          resume();
        });
        return () => {
          giveUpTime();
          giveUpWait();
        };
      },
    };
    if (isLate) {
      running.return(undefined as never);
      return undefined;
    }
  }
}
