/**
 * The table behind lblc and lblcr: what is remembered of each destination address, and how it is forgotten.
 *
 * The kernel looks through the table in a timer every 60 s. Nobody can see the table between two packets, so here the
 * checks that have come due are made up for before each look; no timer is needed and the outcome is the same.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_lblc.c, ip_vs_lblcr.c: *_check_expire, *_full_check. Not modelled: a sysctl that
 * changes between two packets counts for all checks between them.
 */
import { hash32, hash32LowBits } from "./hash.ts";
import type { SchedulerContext, SchedulerDest } from "./scheduler.ts";

const NS_PER_SECOND = 1_000_000_000;
const CHECK_INTERVAL_NS = 60 * NS_PER_SECOND;
/** An entry idle for that long may go when the table is too large (ENTRY_TIMEOUT). */
const IDLE_NS = 360 * NS_PER_SECOND;
/** Every so many checks all entries are looked at (COUNT_FOR_FULL_EXPIRATION). */
const CHECKS_PER_FULL_CHECK = 30;
const TABLE_BITS = 10;
const CHAIN_COUNT = 1 << TABLE_BITS;
const ENTRY_COUNT_SOFT_MAX = CHAIN_COUNT * 16;

/** Entries carry the time of their last use. */
export interface LocalityEntry {
  lastUseNs: number;
}

export class LocalityTable<E extends LocalityEntry> {
  private readonly context: SchedulerContext;
  private readonly expirationSeconds: () => number;
  private readonly entries = new Map<number, E>();
  /** The kernel's own count. It is not lowered when lblc replaces an entry, so it can exceed the size of the map. */
  private count = 0;
  private rover = 0;
  private checks = 1;
  private nextCheckNs: number;

  constructor(context: SchedulerContext, expirationSeconds: () => number) {
    this.context = context;
    this.expirationSeconds = expirationSeconds;
    this.nextCheckNs = context.nowNs() + CHECK_INTERVAL_NS;
  }

  /** The expiration sysctl as nanoseconds. */
  expirationNs(): number {
    return this.expirationSeconds() * NS_PER_SECOND;
  }

  /** The entry of an address, marked as used now. */
  use(address: number): E | undefined {
    const nowNs = this.context.nowNs();
    while (this.nextCheckNs <= nowNs) {
      this.checkExpire(this.nextCheckNs);
      this.nextCheckNs += CHECK_INTERVAL_NS;
    }
    const entry = this.entries.get(address);
    if (entry !== undefined) entry.lastUseNs = nowNs;
    return entry;
  }

  /** The entry of an address, for a look that changes nothing. It may be due to be forgotten. */
  peek(address: number): E | undefined {
    return this.entries.get(address);
  }

  /** Whether a new entry may be made: always before 6.1.191. */
  hasRoom(): boolean {
    return !this.context.options.cacheGrowthCapped || this.count < (ENTRY_COUNT_SOFT_MAX * 3) / 2;
  }

  insert(address: number, entry: E): void {
    this.entries.set(address, entry);
    this.count += 1;
  }

  clear(): void {
    this.entries.clear();
  }

  /** ip_vs_lblc_check_expire, ip_vs_lblcr_check_expire */
  private checkExpire(nowNs: number): void {
    if (this.checks % CHECKS_PER_FULL_CHECK === 0) {
      this.forgetOlderThan(nowNs - this.expirationNs());
      this.checks = 1;
    } else if (this.count <= ENTRY_COUNT_SOFT_MAX) {
      this.checks += 1;
    } else {
      this.shrink(nowNs);
    }
  }

  private forgetOlderThan(limitNs: number): void {
    for (const [address, { lastUseNs }] of this.entries) if (lastUseNs <= limitNs) this.forget(address);
  }

  /** Goes round the chains from the rover until enough idle entries are gone; a chain begun is finished. */
  private shrink(nowNs: number): void {
    let goal = Math.min(Math.trunc(((this.count - ENTRY_COUNT_SOFT_MAX) * 4) / 3), ENTRY_COUNT_SOFT_MAX / 2);
    const idle = this.idleByChain(nowNs - IDLE_NS);
    for (let i = 0; i < CHAIN_COUNT && goal > 0; i += 1) {
      this.rover = (this.rover + 1) % CHAIN_COUNT;
      for (const address of idle.get(this.rover) ?? []) {
        this.forget(address);
        goal -= 1;
      }
    }
  }

  private idleByChain(limitNs: number): Map<number, number[]> {
    const hash = this.context.options.hashTakesLowBits ? hash32LowBits : hash32;
    const chains = new Map<number, number[]>();
    for (const [address, { lastUseNs }] of this.entries) {
      if (lastUseNs > limitNs) continue;
      const chain = hash(address, TABLE_BITS);
      const addresses = chains.get(chain);
      if (addresses === undefined) chains.set(chain, [address]);
      else addresses.push(address);
    }
    return chains;
  }

  private forget(address: number): void {
    this.entries.delete(address);
    this.count -= 1;
  }
}

/**
 * Whether a remembered server should be left for another one: it has more active connections than its weight, and some
 * server of the service has less than half of its weight. The overload flag plays no part.
 * ip_vs_lblc.c:is_overloaded, ip_vs_lblcr.c:is_overloaded
 */
export function isBusyWhileOthersIdle(dest: SchedulerDest, dests: readonly SchedulerDest[]): boolean {
  return dest.activeConns > dest.weight && dests.some(hasHalfFree);
}

function hasHalfFree(dest: SchedulerDest): boolean {
  return dest.activeConns * 2 < dest.weight;
}
