/**
 * The event loop: the clock, and what each pending event wakes. The order of events is the queue's.
 */

import { assert, broken } from "../base/assert.ts";
import type { EventId, EventLoop, EventTarget } from "./event-loop.ts";
import { EventQueue } from "./event-queue.ts";

/** An id is generation * 2^24 + slot: at most 2^24 events wait at once. */
const SLOT_LIMIT = 16_777_216;
const INITIAL_SLOTS = 256;
const NONE = -1;

export class SimulationLoop implements EventLoop {
  nowNs = 0;
  firedCount = 0;
  context = 0;
  afterEvent: (() => void) | undefined = undefined;
  readonly #queue = new EventQueue();
  readonly #targets: (EventTarget | undefined)[] = [];
  readonly #arguments: unknown[] = [];
  readonly #contexts: number[] = [];
  readonly #branches: (LoopBranch | undefined)[] = [];
  readonly #generations: number[] = [];
  #freeSlots = new Int32Array(INITIAL_SLOTS);
  #freeCount = 0;

  get pendingCount(): number {
    return this.#queue.size;
  }

  /** A view of this loop for somebody who may die: `end` takes back all that was scheduled through it. */
  branch(): LoopBranch {
    return new LoopBranch(this);
  }

  at(timeNs: number, target: EventTarget, argument?: unknown): EventId {
    return this.schedule(timeNs, target, argument, undefined);
  }

  /** `at`, for a branch. */
  schedule(timeNs: number, target: EventTarget, argument: unknown, branch: LoopBranch | undefined): EventId {
    // A method of its own, so that this one is inlined and who does not want the id does not pay for it.
    const slot = this.#put(timeNs, target, argument);
    this.#branches[slot] = branch;
    return (this.#generations[slot] as number) * SLOT_LIMIT + slot;
  }

  after(delayNs: number, target: EventTarget, argument?: unknown): EventId {
    return this.at(this.nowNs + delayNs, target, argument);
  }

  cancel(id: EventId): void {
    const generation = Math.floor(id / SLOT_LIMIT);
    const slot = id - generation * SLOT_LIMIT;
    if (this.#targets[slot] === undefined || this.#generations[slot] !== generation) return;
    this.#queue.remove(slot);
    this.#release(slot);
  }

  /** Takes back everything that waits for a branch. */
  cancelBranch(branch: LoopBranch): void {
    for (let slot = 0; slot < this.#branches.length; slot++) {
      if (this.#branches[slot] === branch && this.#targets[slot] !== undefined) this.cancel((this.#generations[slot] as number) * SLOT_LIMIT + slot);
    }
  }

  nextTimeNs(): number | undefined {
    return this.#queue.peekTimeNs();
  }

  step(): boolean {
    const slot = this.#queue.pop(Number.POSITIVE_INFINITY);
    if (slot === NONE) return false;
    this.#fire(slot);
    return true;
  }

  runUntil(timeNs: number): void {
    for (let slot = this.#queue.pop(timeNs); slot !== NONE; slot = this.#queue.pop(timeNs)) this.#fire(slot);
    if (this.afterEvent !== undefined) this.afterEvent();
    if (timeNs > this.nowNs) this.nowNs = timeNs;
  }

  #put(timeNs: number, target: EventTarget, argument: unknown): number {
    if (!(timeNs >= this.nowNs && Number.isSafeInteger(timeNs))) broken(`an event needs an integer time from ${this.nowNs} on, got ${timeNs}`);
    const slot = this.#freeCount > 0 ? (this.#freeSlots[--this.#freeCount] as number) : this.#newSlot();
    this.#targets[slot] = target;
    this.#arguments[slot] = argument;
    this.#contexts[slot] = this.context;
    this.#queue.push(timeNs, slot);
    return slot;
  }

  #fire(slot: number): void {
    const target = this.#targets[slot] as EventTarget;
    const argument = this.#arguments[slot];
    // What was done between two events belongs to the time before this one.
    if (this.afterEvent !== undefined) this.afterEvent();
    this.nowNs = this.#queue.poppedTimeNs;
    this.context = this.#contexts[slot] as number;
    this.#release(slot);
    this.firedCount++;
    target.onEvent(argument);
    if (this.afterEvent !== undefined) this.afterEvent();
    this.context = 0;
  }

  #newSlot(): number {
    const slot = this.#generations.length;
    assert(slot < SLOT_LIMIT, `more than ${SLOT_LIMIT} events wait`);
    this.#targets.push(undefined);
    this.#arguments.push(undefined);
    this.#contexts.push(0);
    this.#branches.push(undefined);
    this.#generations.push(1);
    if (slot >= this.#freeSlots.length) {
      const freeSlots = new Int32Array(this.#freeSlots.length * 2);
      freeSlots.set(this.#freeSlots);
      this.#freeSlots = freeSlots;
    }
    return slot;
  }

  #release(slot: number): void {
    this.#targets[slot] = undefined;
    this.#arguments[slot] = undefined;
    this.#branches[slot] = undefined;
    this.#generations[slot] = (this.#generations[slot] as number) + 1;
    this.#freeSlots[this.#freeCount++] = slot;
  }
}

/** What was scheduled through a branch is gone with it. A dead branch still tells the time and schedules nothing. */
export class LoopBranch implements EventLoop {
  readonly #loop: SimulationLoop;
  #isEnded = false;

  constructor(loop: SimulationLoop) {
    this.#loop = loop;
  }

  get nowNs(): number {
    return this.#loop.nowNs;
  }

  get context(): number {
    return this.#loop.context;
  }

  set context(context: number) {
    this.#loop.context = context;
  }

  get afterEvent(): (() => void) | undefined {
    return this.#loop.afterEvent;
  }

  set afterEvent(afterEvent: (() => void) | undefined) {
    this.#loop.afterEvent = afterEvent;
  }

  get firedCount(): number {
    return this.#loop.firedCount;
  }

  get pendingCount(): number {
    return this.#loop.pendingCount;
  }

  end(): void {
    this.#isEnded = true;
    this.#loop.cancelBranch(this);
  }

  at(timeNs: number, target: EventTarget, argument?: unknown): EventId {
    return this.#isEnded ? 0 : this.#loop.schedule(timeNs, target, argument, this);
  }

  after(delayNs: number, target: EventTarget, argument?: unknown): EventId {
    return this.at(this.#loop.nowNs + delayNs, target, argument);
  }

  cancel(id: EventId): void {
    this.#loop.cancel(id);
  }

  nextTimeNs(): number | undefined {
    return this.#loop.nextTimeNs();
  }

  step(): boolean {
    return this.#loop.step();
  }

  runUntil(timeNs: number): void {
    this.#loop.runUntil(timeNs);
  }
}
