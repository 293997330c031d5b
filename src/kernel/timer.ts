/**
 * A timer that is re-armed far more often than it fires: retransmission, connection entries, neighbours.
 *
 * Arming later than the pending event costs one store: the event fires at its old time, sees the new deadline and goes back to sleep.
 */

import type { EventId, EventLoop, EventTarget } from "./event-loop.ts";

const NOT_ARMED = -1;

export class Timer implements EventTarget {
  /** When it will fire; -1 when it is not armed. */
  deadlineNs = NOT_ARMED;
  readonly #loop: EventLoop;
  readonly #owner: EventTarget;
  readonly #argument: unknown;
  #pendingId: EventId = 0;
  #pendingNs = 0;
  /** What the last arming followed from (EventLoop.context): the pending event may be of an earlier one. */
  #context = 0;

  /** On expiry `owner.onEvent(argument)` is called, with the timer no longer armed. */
  constructor(loop: EventLoop, owner: EventTarget, argument?: unknown) {
    this.#loop = loop;
    this.#owner = owner;
    this.#argument = argument;
  }

  get isArmed(): boolean {
    return this.deadlineNs !== NOT_ARMED;
  }

  /** Nanoseconds until it fires, 0 when it is not armed. */
  get remainingNs(): number {
    return this.isArmed ? this.deadlineNs - this.#loop.nowNs : 0;
  }

  /** Sets or moves the deadline. */
  arm(delayNs: number): void {
    const deadlineNs = this.#loop.nowNs + delayNs;
    this.deadlineNs = deadlineNs;
    this.#context = this.#loop.context;
    if (this.#pendingId !== 0) {
      if (this.#pendingNs <= deadlineNs) return;
      this.#loop.cancel(this.#pendingId);
    }
    this.#pendingNs = deadlineNs;
    this.#pendingId = this.#loop.at(deadlineNs, this);
  }

  /** Stops it. The pending event, if far away, is taken out of the queue so that nothing is kept alive by it. */
  disarm(): void {
    this.deadlineNs = NOT_ARMED;
    if (this.#pendingId === 0) return;
    this.#loop.cancel(this.#pendingId);
    this.#pendingId = 0;
  }

  onEvent(): void {
    this.#pendingId = 0;
    if (this.deadlineNs === NOT_ARMED) return;
    if (this.deadlineNs > this.#loop.nowNs) {
      this.#pendingNs = this.deadlineNs;
      this.#pendingId = this.#loop.at(this.deadlineNs, this);
      return;
    }
    this.deadlineNs = NOT_ARMED;
    this.#loop.context = this.#context;
    this.#owner.onEvent(this.#argument);
  }
}
