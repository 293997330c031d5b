/**
 * The event loop: the clock, the near future in a heap, the far future in a wheel.
 *
 *   at(t) ── t within the current wheel turn ─▶ heap (time, sequence)
 *        └── up to 18 minutes ahead ──────────▶ wheel bucket of about a second ── when its second comes ─▶ heap
 *
 * Connection timers, TIME_WAIT and neighbours live in the wheel, where adding and cancelling cost O(1) and the heap stays small.
 * Order is untouched by that: a bucket enters the heap before any event of its second can fire.
 */

import { assert } from "../base/assert.ts";
import type { EventId, EventLoop, EventTarget } from "./event-loop.ts";
import { EventQueue } from "./event-queue.ts";

/** 2^30 ns, about 1.07 s. */
const BUCKET_NS = 1_073_741_824;
const BUCKETS = 1024;
/** An id is generation * 2^24 + slot: at most 2^24 events wait at once. */
const SLOT_LIMIT = 16_777_216;
const COMPACT_MIN = 4096;

export class SimulationLoop implements EventLoop {
  nowNs = 0;
  firedCount = 0;
  #sequence = 0;
  #liveCount = 0;
  /** Cancelled events that are still in the heap. */
  #deadInHeap = 0;
  readonly #heap = new EventQueue();
  readonly #wheel: (number[] | undefined)[] = new Array<number[] | undefined>(BUCKETS).fill(undefined);
  #wheelCount = 0;
  /** Buckets below this have been moved to the heap. */
  #nextBucket = 1;
  readonly #targets: (EventTarget | undefined)[] = [];
  readonly #arguments: unknown[] = [];
  readonly #branches: (LoopBranch | undefined)[] = [];
  readonly #timesNs: number[] = [];
  readonly #sequences: number[] = [];
  readonly #generations: number[] = [];
  readonly #isInWheel: boolean[] = [];
  readonly #freeSlots: number[] = [];

  get pendingCount(): number {
    return this.#liveCount;
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
    assert(timeNs >= this.nowNs && Number.isSafeInteger(timeNs), `an event needs an integer time from ${this.nowNs} on, got ${timeNs}`);
    const slot = this.#freeSlots.pop() ?? this.#newSlot();
    const sequence = this.#sequence++;
    this.#targets[slot] = target;
    this.#arguments[slot] = argument;
    this.#timesNs[slot] = timeNs;
    this.#sequences[slot] = sequence;
    this.#branches[slot] = branch;
    const bucket = Math.floor(timeNs / BUCKET_NS);
    if (bucket < this.#nextBucket || bucket >= this.#nextBucket + BUCKETS) {
      this.#heap.push(timeNs, sequence, slot);
      this.#isInWheel[slot] = false;
    } else {
      this.#putInWheel(bucket, slot);
    }
    this.#liveCount++;
    return (this.#generations[slot] as number) * SLOT_LIMIT + slot;
  }

  after(delayNs: number, target: EventTarget, argument?: unknown): EventId {
    return this.at(this.nowNs + delayNs, target, argument);
  }

  cancel(id: EventId): void {
    const slot = id % SLOT_LIMIT;
    if (this.#targets[slot] === undefined || (this.#generations[slot] as number) * SLOT_LIMIT + slot !== id) return;
    this.#targets[slot] = undefined;
    this.#arguments[slot] = undefined;
    this.#liveCount--;
    // The slot itself is freed when its bucket or its heap entry is met.
    if (this.#isInWheel[slot]) return;
    this.#deadInHeap++;
    if (this.#deadInHeap > COMPACT_MIN && this.#deadInHeap * 2 > this.#heap.size) this.#compact();
  }

  /** Takes back everything that waits for a branch. */
  cancelBranch(branch: LoopBranch): void {
    for (let slot = 0; slot < this.#branches.length; slot++) {
      if (this.#branches[slot] === branch && this.#targets[slot] !== undefined) this.cancel((this.#generations[slot] as number) * SLOT_LIMIT + slot);
    }
  }

  nextTimeNs(): number | undefined {
    return this.#settle() ? this.#heap.peekTimeNs() : undefined;
  }

  step(): boolean {
    if (!this.#settle()) return false;
    this.#fire();
    return true;
  }

  runUntil(timeNs: number): void {
    while (this.#settle() && this.#heap.peekTimeNs() <= timeNs) this.#fire();
    if (timeNs > this.nowNs) this.nowNs = timeNs;
  }

  #fire(): void {
    const slot = this.#heap.pop();
    const target = this.#targets[slot] as EventTarget;
    const argument = this.#arguments[slot];
    this.nowNs = this.#timesNs[slot] as number;
    this.#release(slot);
    this.#liveCount--;
    this.firedCount++;
    target.onEvent(argument);
  }

  /** Brings the first live event to the top of the heap; false when none waits. */
  #settle(): boolean {
    const heap = this.#heap;
    for (;;) {
      if (heap.size === 0) {
        if (this.#wheelCount === 0) return false;
        this.#turnWheel();
        continue;
      }
      if (this.#wheelCount > 0 && heap.peekTimeNs() >= this.#nextBucket * BUCKET_NS) {
        this.#turnWheel();
        continue;
      }
      const slot = heap.peekSlot();
      if (this.#targets[slot] !== undefined) return true;
      heap.pop();
      this.#deadInHeap--;
      this.#release(slot);
    }
  }

  #putInWheel(bucket: number, slot: number): void {
    const index = bucket % BUCKETS;
    const slots = this.#wheel[index];
    if (slots === undefined) this.#wheel[index] = [slot];
    else slots.push(slot);
    this.#isInWheel[slot] = true;
    this.#wheelCount++;
  }

  /** Moves the next bucket that has events into the heap. */
  #turnWheel(): void {
    const limit = this.#heap.size === 0 ? Number.POSITIVE_INFINITY : Math.floor(this.#heap.peekTimeNs() / BUCKET_NS);
    while (this.#nextBucket <= limit) {
      const index = this.#nextBucket++ % BUCKETS;
      const slots = this.#wheel[index];
      if (slots === undefined) continue;
      this.#wheel[index] = undefined;
      this.#wheelCount -= slots.length;
      for (const slot of slots) {
        this.#isInWheel[slot] = false;
        if (this.#targets[slot] === undefined) this.#release(slot);
        else this.#heap.push(this.#timesNs[slot] as number, this.#sequences[slot] as number, slot);
      }
      return;
    }
  }

  #newSlot(): number {
    const slot = this.#generations.length;
    assert(slot < SLOT_LIMIT, `more than ${SLOT_LIMIT} events wait`);
    this.#targets.push(undefined);
    this.#arguments.push(undefined);
    this.#branches.push(undefined);
    this.#timesNs.push(0);
    this.#sequences.push(0);
    this.#generations.push(1);
    this.#isInWheel.push(false);
    return slot;
  }

  #release(slot: number): void {
    this.#targets[slot] = undefined;
    this.#arguments[slot] = undefined;
    this.#branches[slot] = undefined;
    this.#generations[slot] = (this.#generations[slot] as number) + 1;
    this.#freeSlots.push(slot);
  }

  #compact(): void {
    this.#heap.retain((slot) => {
      if (this.#targets[slot] !== undefined) return true;
      this.#release(slot);
      return false;
    });
    this.#deadInHeap = 0;
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
