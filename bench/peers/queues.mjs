/**
 * Event queues to compare ours with: both order by (time, sequence) and hold a number for each event.
 *
 * `ArrayHeap` is the usual fast one in plain JavaScript: a 4-ary heap in three typed arrays that leaves a hole at its root after a pop, for the
 * push that mostly follows. `ObjectHeap` is the usual simple one: a binary heap of objects.
 */

export class ArrayHeap {
  constructor(capacity = 1024) {
    this.times = new Float64Array(capacity);
    this.sequences = new Float64Array(capacity);
    this.ids = new Int32Array(capacity);
    this.length = 0;
    this.sequence = 0;
    this.hasHole = false;
    /** Time of what was popped last. */
    this.time = 0;
  }

  get size() {
    return this.hasHole ? this.length - 1 : this.length;
  }

  push(time, id) {
    const sequence = this.sequence++;
    if (this.hasHole) {
      this.hasHole = false;
      this.down(time, sequence, id);
      return;
    }
    if (this.length === this.times.length) this.grow();
    const { times, sequences, ids } = this;
    let i = this.length++;
    while (i > 0) {
      const parent = (i - 1) >> 2;
      // A new event has the highest sequence: among equals it stays behind.
      if (times[parent] <= time) break;
      times[i] = times[parent];
      sequences[i] = sequences[parent];
      ids[i] = ids[parent];
      i = parent;
    }
    times[i] = time;
    sequences[i] = sequence;
    ids[i] = id;
  }

  pop() {
    if (this.hasHole) {
      this.hasHole = false;
      const last = --this.length;
      if (last > 0) this.down(this.times[last], this.sequences[last], this.ids[last]);
    }
    this.hasHole = true;
    this.time = this.times[0];
    return this.ids[0];
  }

  down(time, sequence, id) {
    const { times, sequences, ids, length } = this;
    let i = 0;
    for (;;) {
      const first = 4 * i + 1;
      if (first >= length) break;
      const end = Math.min(first + 4, length);
      let best = first;
      let bestTime = times[first];
      for (let child = first + 1; child < end; child++) {
        const childTime = times[child];
        if (childTime < bestTime || (childTime === bestTime && sequences[child] < sequences[best])) {
          best = child;
          bestTime = childTime;
        }
      }
      if (bestTime > time || (bestTime === time && sequences[best] > sequence)) break;
      times[i] = bestTime;
      sequences[i] = sequences[best];
      ids[i] = ids[best];
      i = best;
    }
    times[i] = time;
    sequences[i] = sequence;
    ids[i] = id;
  }

  grow() {
    const double = (from, Type) => {
      const to = new Type(from.length * 2);
      to.set(from);
      return to;
    };
    this.times = double(this.times, Float64Array);
    this.sequences = double(this.sequences, Float64Array);
    this.ids = double(this.ids, Int32Array);
  }
}

export class ObjectHeap {
  constructor() {
    this.entries = [];
    this.sequence = 0;
    this.time = 0;
  }

  get size() {
    return this.entries.length;
  }

  push(time, id) {
    const entry = { time, sequence: this.sequence++, id };
    const { entries } = this;
    let i = entries.length;
    entries.push(entry);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (entries[parent].time <= time) break;
      entries[i] = entries[parent];
      i = parent;
    }
    entries[i] = entry;
  }

  pop() {
    const { entries } = this;
    const first = entries[0];
    const last = entries.pop();
    const { length } = entries;
    if (length > 0) {
      let i = 0;
      for (;;) {
        let child = 2 * i + 1;
        if (child >= length) break;
        if (child + 1 < length && isBefore(entries[child + 1], entries[child])) child++;
        if (!isBefore(entries[child], last)) break;
        entries[i] = entries[child];
        i = child;
      }
      entries[i] = last;
    }
    this.time = first.time;
    return first.id;
  }
}

function isBefore(a, b) {
  return a.time < b.time || (a.time === b.time && a.sequence < b.sequence);
}
