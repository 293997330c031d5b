/**
 * The pending events: a 4-ary heap over typed arrays, ordered by (time, sequence).
 *
 * A pop leaves a hole at the root that the next push fills, so that an event which schedules another costs one sift instead of two.
 * Measured with the hold model (`npm run bench -- hold`): see docs/DECISIONS.md for the figures of the alternatives.
 */

const INITIAL_CAPACITY = 256;

export class EventQueue {
  #times = new Float64Array(INITIAL_CAPACITY);
  #sequences = new Float64Array(INITIAL_CAPACITY);
  #slots = new Int32Array(INITIAL_CAPACITY);
  /** Entries in the arrays, the hole included. */
  #length = 0;
  #hasHole = false;

  get size(): number {
    return this.#hasHole ? this.#length - 1 : this.#length;
  }

  push(timeNs: number, sequence: number, slot: number): void {
    if (this.#hasHole) {
      this.#hasHole = false;
      this.#siftDown(timeNs, sequence, slot);
      return;
    }
    if (this.#length === this.#times.length) this.#grow();
    this.#siftUp(this.#length++, timeNs, sequence, slot);
  }

  /** Time of the first entry; the queue must not be empty. */
  peekTimeNs(): number {
    if (this.#hasHole) this.#fillHole();
    return this.#times[0] as number;
  }

  peekSlot(): number {
    if (this.#hasHole) this.#fillHole();
    return this.#slots[0] as number;
  }

  /** Takes the first entry out and returns its slot; the queue must not be empty. */
  pop(): number {
    if (this.#hasHole) this.#fillHole();
    this.#hasHole = true;
    return this.#slots[0] as number;
  }

  /** Keeps only the entries whose slot passes, in O(n). */
  retain(keep: (slot: number) => boolean): void {
    const from = this.#hasHole ? 1 : 0;
    const times = this.#times;
    const sequences = this.#sequences;
    const slots = this.#slots;
    let length = 0;
    for (let i = from; i < this.#length; i++) {
      const slot = slots[i] as number;
      if (!keep(slot)) continue;
      times[length] = times[i] as number;
      sequences[length] = sequences[i] as number;
      slots[length++] = slot;
    }
    this.#length = 0;
    this.#hasHole = false;
    // Re-inserting in array order never writes beyond the entry being read.
    for (let i = 0; i < length; i++) this.#siftUp(this.#length++, times[i] as number, sequences[i] as number, slots[i] as number);
  }

  #fillHole(): void {
    this.#hasHole = false;
    const last = --this.#length;
    if (last > 0) this.#siftDown(this.#times[last] as number, this.#sequences[last] as number, this.#slots[last] as number);
  }

  #siftUp(start: number, timeNs: number, sequence: number, slot: number): void {
    const times = this.#times;
    const sequences = this.#sequences;
    const slots = this.#slots;
    let i = start;
    while (i > 0) {
      const parent = (i - 1) >> 2;
      const parentTime = times[parent] as number;
      if (parentTime < timeNs || (parentTime === timeNs && (sequences[parent] as number) < sequence)) break;
      times[i] = parentTime;
      sequences[i] = sequences[parent] as number;
      slots[i] = slots[parent] as number;
      i = parent;
    }
    times[i] = timeNs;
    sequences[i] = sequence;
    slots[i] = slot;
  }

  #siftDown(timeNs: number, sequence: number, slot: number): void {
    const times = this.#times;
    const sequences = this.#sequences;
    const slots = this.#slots;
    const length = this.#length;
    let i = 0;
    for (;;) {
      const first = 4 * i + 1;
      if (first >= length) break;
      const end = first + 4 < length ? first + 4 : length;
      let best = first;
      let bestTime = times[first] as number;
      for (let child = first + 1; child < end; child++) {
        const childTime = times[child] as number;
        if (childTime < bestTime || (childTime === bestTime && (sequences[child] as number) < (sequences[best] as number))) {
          best = child;
          bestTime = childTime;
        }
      }
      if (timeNs < bestTime || (timeNs === bestTime && sequence < (sequences[best] as number))) break;
      times[i] = bestTime;
      sequences[i] = sequences[best] as number;
      slots[i] = slots[best] as number;
      i = best;
    }
    times[i] = timeNs;
    sequences[i] = sequence;
    slots[i] = slot;
  }

  #grow(): void {
    const capacity = this.#times.length * 2;
    const times = new Float64Array(capacity);
    const sequences = new Float64Array(capacity);
    const slots = new Int32Array(capacity);
    times.set(this.#times);
    sequences.set(this.#sequences);
    slots.set(this.#slots);
    this.#times = times;
    this.#sequences = sequences;
    this.#slots = slots;
  }
}
