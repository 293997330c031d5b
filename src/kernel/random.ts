/**
 * Randomness: every consumer has a stream of its own, named, derived from the one seed, so that a new consumer never shifts another's draws.
 */

import seedrandom from "seedrandom";
import { broken } from "../base/assert.ts";

export class RandomStream {
  readonly #draw: () => number;

  constructor(seed: string) {
    const generator = seedrandom.alea(seed);
    this.#draw = () => generator.int32() >>> 0;
  }

  /** A uniform unsigned 32-bit integer. */
  next32(): number {
    return this.#draw();
  }

  /** A uniform integer in 0..bound-1. */
  below(bound: number): number {
    if (!(Number.isInteger(bound) && bound > 0 && bound <= 0x100000000)) broken(`below needs 1..2^32, got ${bound}`);
    // A power of two divides the range: no draw is refused, and its low bits are the remainder.
    if (bound <= 0x40000000 && (bound & (bound - 1)) === 0) return this.#draw() & (bound - 1);
    const limit = 0x100000000 - (0x100000000 % bound);
    let draw = this.#draw();
    while (draw >= limit) draw = this.#draw();
    return draw % bound;
  }

  /** True with probability numerator/denominator. */
  chance(numerator: number, denominator: number): boolean {
    return this.below(denominator) < numerator;
  }
}

/** Hands out named streams of one seed. The same name always gives the same stream object. */
export class RandomStreams {
  readonly seed: string;
  readonly #streams = new Map<string, RandomStream>();

  constructor(seed: string | number) {
    this.seed = String(seed);
  }

  stream(name: string): RandomStream {
    let stream = this.#streams.get(name);
    if (stream === undefined) {
      stream = new RandomStream(`${this.seed}/${name}`);
      this.#streams.set(name, stream);
    }
    return stream;
  }
}
