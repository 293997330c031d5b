/**
 * The event kernel: one clock, one queue, total order by (time, sequence of scheduling). Nothing else decides what happens next.
 */

/** What an event wakes. `argument` is what was given to `at`. */
export interface EventTarget {
  onEvent(argument: unknown): void;
}

/** Names one scheduled event, for `cancel`. Never 0, never used again within a run. */
export type EventId = number;

export interface EventLoop {
  /** The current simulated time. */
  readonly nowNs: number;
  /**
   * What the present event follows from, 0: nothing that anybody noted. The loop hands it on from an event to those which it schedules and
   * knows nothing of its meaning; a tracer keeps the ids of records in it.
   */
  context: number;
  /** Called after every event and before the clock moves, when set. */
  afterEvent: (() => void) | undefined;
  /** Events that have fired so far. */
  readonly firedCount: number;
  /** Events that wait (cancelled ones not counted). */
  readonly pendingCount: number;
  /** Schedules `target.onEvent(argument)` at `timeNs` (>= now). Events of one time fire in the order in which they were scheduled. */
  at(timeNs: number, target: EventTarget, argument?: unknown): EventId;
  after(delayNs: number, target: EventTarget, argument?: unknown): EventId;
  /** Takes an event back; one that has fired or was cancelled is ignored. */
  cancel(id: EventId): void;
  /** Time of the next event, or undefined when nothing waits. */
  nextTimeNs(): number | undefined;
  /** Fires one event; false when nothing waits. */
  step(): boolean;
  /** Fires everything up to and including `timeNs`, then sets the clock to it. */
  runUntil(timeNs: number): void;
}
