/**
 * The hold model: P pending events; each that fires schedules one more, an exponential delay (1 ms on average) from now.
 *
 * The delays are the same in every language: a 32-bit xorshift picks one of 65,536 quantiles of the exponential distribution.
 */

export interface HoldResult {
  /** The time reached: the same for every queue that orders rightly. */
  readonly check: number;
}

const QUANTILES = Float64Array.from({ length: 65_536 }, (_, i) => Math.floor(-Math.log((i + 0.5) / 65_536) * 1e6));

/** Draws delays one after the other. */
export class Delays {
  #state = 2_463_534_242 | 0;

  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x;
    return (QUANTILES[x >>> 16] as number) + (x & 1023);
  }
}
