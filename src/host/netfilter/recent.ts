/**
 * The lists of -m recent: addresses with the times at which they were seen, by list name, shared by all rules of a host.
 *
 * Linux v6.1 net/netfilter/xt_recent.c: 100 addresses a list, stamps rounded up to a power of two of the largest hit count.
 */

import { NS_PER_SECOND } from "../../base/time.ts";
import type { RecentTest } from "./rule.ts";

const ADDRESSES_MAX = 100;
const STAMPS_MAX = 20;

interface RecentEntry {
  ttl: number;
  stampsNs: number[];
}

export class RecentLists {
  /** Oldest first: an entry that is seen moves to the end. */
  readonly #lists = new Map<string, Map<number, RecentEntry>>();
  readonly #clock: { readonly nowNs: number };

  constructor(clock: { readonly nowNs: number }) {
    this.#clock = clock;
  }

  get names(): readonly string[] {
    return [...this.#lists.keys()];
  }

  create(name: string): void {
    if (!this.#lists.has(name)) this.#lists.set(name, new Map());
  }

  /** Whether the rule matches; marks, refreshes or removes the address as it says. */
  check(test: RecentTest, address: number, ttl: number): boolean {
    const list = this.#lists.get(test.name);
    if (list === undefined) return false;
    const key = (address & test.mask) >>> 0;
    const entry = list.get(key);
    if (entry === undefined || (test.isTtl && entry.ttl !== ttl)) {
      if (test.action !== "set") return test.isInverted;
      this.#insert(list, key, ttl);
      return !test.isInverted;
    }
    let isMatch = test.isInverted;
    if (test.action === "set") {
      isMatch = !isMatch;
    } else if (test.action === "remove") {
      list.delete(key);
      return !isMatch;
    } else if (this.#hasHits(entry, test)) {
      isMatch = !isMatch;
    }
    if (test.action === "set" || (test.action === "update" && isMatch)) this.#stamp(list, key, entry, ttl);
    return isMatch;
  }

  #hasHits(entry: RecentEntry, test: RecentTest): boolean {
    const sinceNs = test.seconds === 0 ? Number.NEGATIVE_INFINITY : this.#clock.nowNs - test.seconds * NS_PER_SECOND;
    let hits = 0;
    for (const stampNs of entry.stampsNs) {
      if (stampNs < sinceNs) continue;
      hits++;
      if (test.hitCount === 0 || hits >= test.hitCount) return true;
    }
    return false;
  }

  #insert(list: Map<number, RecentEntry>, key: number, ttl: number): void {
    if (list.size >= ADDRESSES_MAX)
      for (const oldest of list.keys()) {
        list.delete(oldest);
        break;
      }
    list.set(key, { ttl, stampsNs: [this.#clock.nowNs] });
  }

  #stamp(list: Map<number, RecentEntry>, key: number, entry: RecentEntry, ttl: number): void {
    entry.ttl = ttl;
    entry.stampsNs.push(this.#clock.nowNs);
    if (entry.stampsNs.length > STAMPS_MAX) entry.stampsNs.shift();
    list.delete(key);
    list.set(key, entry);
  }
}
