/**
 * When connections arrive.
 *
 *   even      one every 1/rate
 *   poisson   gaps exponential with mean 1/rate
 *   bursty    Poisson at `rate`, interrupted by bursts of exponential length at `peak`: a Markov-modulated Poisson process of two states
 */

import { NS_PER_SECOND } from "../base/time.ts";
import type { RandomStream } from "../kernel/random.ts";
import { drawExponential } from "./draws.ts";

export type ArrivalSpec =
  /** Connections a second. */
  | { readonly kind: "even"; readonly rate: number }
  | { readonly kind: "poisson"; readonly rate: number }
  | {
      readonly kind: "bursty";
      /** Connections a second between bursts; may be 0. */
      readonly rate: number;
      /** Connections a second in a burst. */
      readonly peak: number;
      /** Mean length of a burst and of the time between two. */
      readonly burstNs: number;
      readonly pauseNs: number;
    };

/** Hands out arrival times, each at or after the one before. */
export class Arrivals {
  readonly #spec: ArrivalSpec;
  readonly #random: RandomStream;
  #timeNs = 0;
  #count = 0;
  #isBurst = false;
  #phaseEndNs = 0;

  constructor(spec: ArrivalSpec, random: RandomStream) {
    this.#spec = spec;
    this.#random = random;
    if (spec.kind === "bursty") this.#phaseEndNs = drawExponential(random) * spec.pauseNs;
  }

  /** Time of the next arrival in whole nanoseconds from the start. */
  next(): number {
    const spec = this.#spec;
    if (spec.kind === "even") return Math.round((++this.#count * NS_PER_SECOND) / spec.rate);
    if (spec.kind === "bursty") this.#timeNs = this.#nextBursty(spec);
    else this.#timeNs += (drawExponential(this.#random) * NS_PER_SECOND) / spec.rate;
    return Math.round(this.#timeNs);
  }

  /** A gap that reaches beyond its phase is drawn anew from there: exponential gaps have no memory. */
  #nextBursty(spec: Extract<ArrivalSpec, { kind: "bursty" }>): number {
    let timeNs = this.#timeNs;
    for (;;) {
      const rate = this.#isBurst ? spec.peak : spec.rate;
      const nextNs = rate > 0 ? timeNs + (drawExponential(this.#random) * NS_PER_SECOND) / rate : Number.POSITIVE_INFINITY;
      if (nextNs <= this.#phaseEndNs) return nextNs;
      timeNs = this.#phaseEndNs;
      this.#isBurst = !this.#isBurst;
      this.#phaseEndNs += drawExponential(this.#random) * (this.#isBurst ? spec.burstNs : spec.pauseNs);
    }
  }
}

/** Connections a second in the long run. */
export function meanRate(spec: ArrivalSpec): number {
  if (spec.kind !== "bursty") return spec.rate;
  return (spec.peak * spec.burstNs + spec.rate * spec.pauseNs) / (spec.burstNs + spec.pauseNs);
}
