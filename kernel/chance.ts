/**
 * Draws that are the same everywhere.
 */

/** mulberry32 over a hash of a name. */
export class Chance {
  #state = 2166136261;

  constructor(name: string) {
    for (const character of name) this.#state = Math.imul(this.#state ^ (character.codePointAt(0) ?? 0), 16777619) >>> 0;
  }

  below(n: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let x = this.#state;
    x = Math.imul(x ^ (x >>> 15), x | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) % n;
  }

  of<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  percent(n: number): boolean {
    return this.below(100) < n;
  }
}
