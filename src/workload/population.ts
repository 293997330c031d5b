/**
 * Who connects: a number of clients, all alike or with the popularity of Zipf's law.
 */

import { power } from "../base/elementary.ts";
import type { RandomStream } from "../kernel/random.ts";
import { drawUniform } from "./draws.ts";

export type PopulationSpec =
  | { readonly kind: "uniform"; readonly count: number }
  /** Client k (from 1) is chosen with a probability in proportion to k^-exponent. */
  | { readonly kind: "zipf"; readonly count: number; readonly exponent: number };

export class Population {
  readonly #spec: PopulationSpec;
  readonly #random: RandomStream;
  /** Sums of the weights of clients 0..i; empty when all are alike. */
  readonly #sums: Float64Array;

  constructor(spec: PopulationSpec, random: RandomStream) {
    this.#spec = spec;
    this.#random = random;
    this.#sums = new Float64Array(spec.kind === "zipf" ? spec.count : 0);
    let sum = 0;
    for (let i = 0; i < this.#sums.length; i++) {
      sum += power(i + 1, spec.kind === "zipf" ? -spec.exponent : 0);
      this.#sums[i] = sum;
    }
  }

  /** A client: 0..count-1. */
  next(): number {
    const sums = this.#sums;
    if (sums.length === 0) return this.#random.below(this.#spec.count);
    const wanted = drawUniform(this.#random) * (sums[sums.length - 1] as number);
    let low = 0;
    let high = sums.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sums[middle] as number) >= wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
