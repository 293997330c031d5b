/**
 * Random numbers of the usual distributions, from a stream of integers: the same ones on every engine.
 */

import { ln } from "../base/elementary.ts";
import type { RandomStream } from "../kernel/random.ts";

const TWO_21 = 2_097_152;
const TWO_53 = 9_007_199_254_740_992;

/** Uniform in (0, 1], in steps of 2^-53. */
export function drawUniform(random: RandomStream): number {
  const high = random.next32();
  return (high * TWO_21 + (random.next32() >>> 11) + 1) / TWO_53;
}

/** Exponential with mean 1. */
export function drawExponential(random: RandomStream): number {
  return -ln(drawUniform(random));
}

/** Standard normal: Marsaglia's polar method, which needs neither sine nor cosine. */
export function drawNormal(random: RandomStream): number {
  for (;;) {
    const x = 2 * drawUniform(random) - 1;
    const y = 2 * drawUniform(random) - 1;
    const square = x * x + y * y;
    if (square > 0 && square < 1) return x * Math.sqrt((-2 * ln(square)) / square);
  }
}
