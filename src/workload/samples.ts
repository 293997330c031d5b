/**
 * Times that were measured in a run, and their percentiles.
 */

import { NS_PER_SECOND } from "../base/time.ts";

/** Times in seconds, by nearest rank: the p-th percentile is the least value that at least p % of all do not exceed. */
export interface Percentiles {
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly max: number;
}

/** A growing list of numbers, without an object each. */
export class Samples {
  #values = new Float64Array(1024);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  add(value: number): void {
    if (this.#length === this.#values.length) {
      const larger = new Float64Array(this.#length * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#length++] = value;
  }

  /** In seconds, from nanoseconds; all 0 without samples. */
  percentiles(): Percentiles {
    const sorted = this.#values.slice(0, this.#length).sort();
    let sum = 0;
    for (const value of sorted) sum += value;
    const rank = (percent: number) => (sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? 0) / NS_PER_SECOND;
    return { mean: sorted.length === 0 ? 0 : sum / sorted.length / NS_PER_SECOND, p50: rank(50), p90: rank(90), p99: rank(99), max: rank(100) };
  }
}
