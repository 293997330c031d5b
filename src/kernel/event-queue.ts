/**
 * The pending events in order of (time, order of pushing): a radix queue, which never compares two events.
 *
 *   time in ns, 53 bits:   | 9 bits | 11 bits | 11 bits | 11 bits | 11 bits |      `base` is the time of the latest pop, or a little later
 *                          level 4    level 3   level 2   level 1   level 0
 *
 * An event lies at the level of the highest digit in which its time differs from the base, in the bucket of that digit. All of level 0 comes
 * before all of level 1, and so on; at level 0 a bucket is one nanosecond. When a level is used up, the first bucket of the next is dealt out
 * to the levels below it (a lone event is taken straight from where it is). Buckets are lists in order of pushing, and dealing out keeps that
 * order: what is pushed into the lower bucket later was pushed later. So events of one time come in the order in which they were pushed.
 *
 * A push, a removal and a pop cost about the same for ten events and for a million: an event is dealt out at most four times, a minute's
 * timer three times. The lists are circular and run through typed arrays, so that removing needs no search and nothing is allocated.
 * Measured with the hold model (`npm run bench -- hold`): see docs/PERFORMANCE.md for the figures of heaps.
 */

const DIGIT_BITS = 11;
const DIGIT_MASK = (1 << DIGIT_BITS) - 1;
const LEVELS = 5;
/** Each bucket has a node of its own, the ends of its list; events' nodes follow. */
const BUCKETS = LEVELS << DIGIT_BITS;
/** Times are kept as two integers of 22 and 31 bits: digits 0 and 1, digits 2 to 4. */
const LOW_BITS = 2 * DIGIT_BITS;
const LOW_RANGE = 2 ** LOW_BITS;
const LOW_MASK = LOW_RANGE - 1;
const WORDS_PER_LEVEL = (1 << DIGIT_BITS) / 32;
const INITIAL_EVENTS = 256;
const NONE = -1;

export class EventQueue {
  /** Time of what was popped last. */
  poppedTimeNs = 0;
  #size = 0;
  #baseLow = 0;
  #baseHigh = 0;
  #next = new Int32Array(BUCKETS + INITIAL_EVENTS);
  #previous = new Int32Array(BUCKETS + INITIAL_EVENTS);
  /** Times by slot. */
  #lows = new Int32Array(INITIAL_EVENTS);
  #highs = new Int32Array(INITIAL_EVENTS);
  /** A bit for each bucket, and a bit for each word of those. A set bit may be stale, a clear one is not. */
  readonly #words = new Int32Array(LEVELS * WORDS_PER_LEVEL);
  readonly #summary = new Int32Array(LEVELS * 2);

  constructor() {
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      this.#next[bucket] = bucket;
      this.#previous[bucket] = bucket;
    }
  }

  get size(): number {
    return this.#size;
  }

  /** `timeNs` is a safe integer, not before the time of the latest pop. A slot (0, 1, 2, ...) is in the queue at most once. */
  push(timeNs: number, slot: number): void {
    if (slot >= this.#lows.length) this.#grow(slot);
    const high = Math.floor(timeNs / LOW_RANGE);
    const low = timeNs - high * LOW_RANGE;
    this.#lows[slot] = low;
    this.#highs[slot] = high;
    this.#link(slot, low, high);
    this.#size++;
  }

  /** Takes out a slot that is in the queue. */
  remove(slot: number): void {
    this.#unlink(slot + BUCKETS);
    this.#size--;
  }

  /** Takes out the first event and returns its slot; -1 when there is none up to and including `limitNs`, which must not be before the latest pop. */
  pop(limitNs: number): number {
    for (;;) {
      const bucket = this.#firstBucket();
      if (bucket === NONE) return NONE;
      const node = this.#next[bucket] as number;
      if (bucket >> DIGIT_BITS === 0 || node === this.#previous[bucket]) {
        const slot = node - BUCKETS;
        const low = this.#lows[slot] as number;
        const high = this.#highs[slot] as number;
        const timeNs = high * LOW_RANGE + low;
        if (timeNs > limitNs) return NONE;
        this.#unlink(node);
        this.#size--;
        this.#baseLow = low;
        this.#baseHigh = high;
        this.poppedTimeNs = timeNs;
        return slot;
      }
      if (!this.#dealOut(bucket, limitNs)) return NONE;
    }
  }

  /** Time of the first event; undefined when there is none. */
  peekTimeNs(): number | undefined {
    const bucket = this.#firstBucket();
    if (bucket === NONE) return undefined;
    let firstNs = Number.POSITIVE_INFINITY;
    for (let node = this.#next[bucket] as number; node !== bucket; node = this.#next[node] as number) {
      const timeNs = (this.#highs[node - BUCKETS] as number) * LOW_RANGE + (this.#lows[node - BUCKETS] as number);
      if (timeNs < firstNs) firstNs = timeNs;
      if (bucket >> DIGIT_BITS === 0) break;
    }
    return firstNs;
  }

  /** The lowest bucket that is not empty. */
  #firstBucket(): number {
    const summary = this.#summary;
    for (let half = 0; half < 2 * LEVELS; half++) {
      while (summary[half] !== 0) {
        const word = half * 32 + lowestBit(summary[half] as number);
        const bucket = word * 32 + lowestBit(this.#words[word] as number);
        if (this.#next[bucket] !== bucket) return bucket;
        this.#clear(bucket);
      }
    }
    return NONE;
  }

  #clear(bucket: number): void {
    const word = bucket >> 5;
    const left = (this.#words[word] as number) & ~(1 << (bucket & 31));
    this.#words[word] = left;
    if (left === 0) this.#summary[word >> 5] = (this.#summary[word >> 5] as number) & ~(1 << (word & 31));
  }

  /** Moves the base to where the bucket begins and its events to the levels below. False, and nothing done, when it begins after `limitNs`. */
  #dealOut(bucket: number, limitNs: number): boolean {
    const level = bucket >> DIGIT_BITS;
    const digit = bucket & DIGIT_MASK;
    let low = 0;
    let high = this.#baseHigh;
    if (level === 1) low = digit << DIGIT_BITS;
    else {
      const shift = (level - 2) * DIGIT_BITS;
      high = ((high >> shift >> DIGIT_BITS << DIGIT_BITS) | digit) << shift;
    }
    if (high * LOW_RANGE + low > limitNs) return false;
    this.#baseLow = low;
    this.#baseHigh = high;
    let node = this.#next[bucket] as number;
    this.#next[bucket] = bucket;
    this.#previous[bucket] = bucket;
    this.#clear(bucket);
    while (node !== bucket) {
      const next = this.#next[node] as number;
      const slot = node - BUCKETS;
      this.#link(slot, this.#lows[slot] as number, this.#highs[slot] as number);
      node = next;
    }
    return true;
  }

  #link(slot: number, low: number, high: number): void {
    let bucket: number;
    if (high === this.#baseHigh) bucket = (low ^ this.#baseLow) <= DIGIT_MASK ? low & DIGIT_MASK : (1 << DIGIT_BITS) | (low >> DIGIT_BITS);
    else {
      const difference = high ^ this.#baseHigh;
      if (difference <= DIGIT_MASK) bucket = (2 << DIGIT_BITS) | (high & DIGIT_MASK);
      else if (difference <= LOW_MASK) bucket = (3 << DIGIT_BITS) | ((high >> DIGIT_BITS) & DIGIT_MASK);
      else bucket = (4 << DIGIT_BITS) | (high >> LOW_BITS);
    }
    const node = slot + BUCKETS;
    const last = this.#previous[bucket] as number;
    this.#next[last] = node;
    this.#previous[node] = last;
    this.#next[node] = bucket;
    this.#previous[bucket] = node;
    if (last !== bucket) return;
    const word = bucket >> 5;
    this.#words[word] = (this.#words[word] as number) | (1 << (bucket & 31));
    this.#summary[word >> 5] = (this.#summary[word >> 5] as number) | (1 << (word & 31));
  }

  #unlink(node: number): void {
    const next = this.#next[node] as number;
    const previous = this.#previous[node] as number;
    this.#next[previous] = next;
    this.#previous[next] = previous;
  }

  #grow(slot: number): void {
    let events = this.#lows.length * 2;
    while (events <= slot) events *= 2;
    this.#lows = copied(this.#lows, events);
    this.#highs = copied(this.#highs, events);
    this.#next = copied(this.#next, BUCKETS + events);
    this.#previous = copied(this.#previous, BUCKETS + events);
  }
}

function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}

function copied(from: Int32Array, length: number): Int32Array<ArrayBuffer> {
  const to = new Int32Array(length);
  to.set(from);
  return to;
}
