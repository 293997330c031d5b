/**
 * Local ports of one protocol: who uses them, and which one a connection gets that did not ask.
 *
 * Linux v6.1 net/ipv4/inet_hashtables.c:__inet_hash_connect, inet_connection_sock.c:inet_csk_bind_conflict; RFC 6056 section 3.3.4.
 */

import type { RandomStream } from "../../kernel/random.ts";
import { keyedHash } from "./sequence.ts";

const PERTURBATION_SLOTS = 65536;
/** Ports are kept in pages, made when a port of theirs is first used. */
const PAGE_BITS = 8;
const PAGE_MASK = (1 << PAGE_BITS) - 1;

interface PortUse {
  sockets: number;
  /** Sockets that were bound to it by name: connections that choose for themselves keep away. */
  bound: number;
  /** Sockets without SO_REUSEADDR: nobody else may bind. */
  exclusive: number;
}

export class PortTable {
  readonly #pages: ((PortUse | undefined)[] | undefined)[] = new Array<(PortUse | undefined)[] | undefined>(65536 >> PAGE_BITS).fill(undefined);
  readonly #perturbation = new Map<number, number>();
  readonly #random: RandomStream;
  readonly #secret: number;

  constructor(random: RandomStream) {
    this.#random = random;
    this.#secret = random.next32();
  }

  take(port: number, options: { readonly isBound: boolean; readonly isReusable: boolean }): void {
    const use = this.#useOf(port) ?? this.#newUse(port);
    use.sockets++;
    if (options.isBound) use.bound++;
    if (!options.isReusable) use.exclusive++;
  }

  release(port: number, options: { readonly isBound: boolean; readonly isReusable: boolean }): void {
    const use = this.#useOf(port);
    if (use === undefined || use.sockets === 0) return;
    use.sockets--;
    if (options.isBound) use.bound--;
    if (!options.isReusable) use.exclusive--;
  }

  /** True when a socket may not be bound to `port`: somebody is there who does not share, or the newcomer does not. */
  hasConflict(port: number, isReusable: boolean): boolean {
    const use = this.#useOf(port);
    if (use === undefined || use.sockets === 0) return false;
    return !isReusable || use.exclusive > 0;
  }

  /**
   * A port for a connection: even ones first (ports of the range's first parity), then the others, from a start that depends on both ends.
   * `isFree` says whether the connection would be unique. Undefined: none is left (EADDRNOTAVAIL).
   */
  choose(
    range: { readonly low: number; readonly high: number },
    key: { readonly src: number; readonly dst: number; readonly dstPort: number },
    isFree: (port: number) => boolean,
  ): number | undefined {
    const { low } = range;
    let remaining = range.high + 1 - low;
    if (remaining <= 0) return undefined;
    if (remaining > 1) remaining &= ~1;
    const hash = keyedHash(this.#secret, key.src, key.dst, key.dstPort);
    const slot = hash % PERTURBATION_SLOTS;
    const known = this.#perturbation.get(slot);
    const start = ((known ?? this.#random.next32() >>> 1) + (hash >>> 16)) % remaining;
    for (let parity = 0; parity < 2; parity++) {
      let offset = ((start & ~1) + parity) % remaining;
      for (let tried = 0; tried < remaining; tried += 2) {
        const port = low + offset;
        offset += 2;
        if (offset >= remaining) offset -= remaining;
        const use = this.#useOf(port);
        if (use !== undefined && use.sockets > 0 && (use.bound > 0 || !isFree(port))) continue;
        // The next connection starts a few even steps further on, so that ports say little about how many were made.
        const step = Math.max(tried, this.#random.below(8) * 2) + 2;
        this.#perturbation.set(slot, ((known ?? start - (hash >>> 16)) + step) >>> 0);
        return port;
      }
    }
    return undefined;
  }

  /** A port for bind with port 0: odd ones first, from a random start (inet_csk_find_open_port). */
  chooseForBind(range: { readonly low: number; readonly high: number }): number | undefined {
    const count = range.high + 1 - range.low;
    if (count <= 0) return undefined;
    const start = this.#random.below(count) | 1;
    for (let tried = 0; tried < count; tried++) {
      const port = range.low + ((start + tried * 2 + (tried * 2 >= count ? 1 : 0)) % count);
      if (!this.isUsed(port)) return port;
    }
    return undefined;
  }

  isUsed(port: number): boolean {
    return (this.#useOf(port)?.sockets ?? 0) > 0;
  }

  /** Stays when nobody uses the port any more: it will be used again. */
  #useOf(port: number): PortUse | undefined {
    return this.#pages[port >> PAGE_BITS]?.[port & PAGE_MASK];
  }

  #newUse(port: number): PortUse {
    const use = { sockets: 0, bound: 0, exclusive: 0 };
    const number = port >> PAGE_BITS;
    const page = this.#pages[number] ?? new Array<PortUse | undefined>(1 << PAGE_BITS).fill(undefined);
    page[port & PAGE_MASK] = use;
    this.#pages[number] = page;
    return use;
  }
}
