/**
 * netem: a queue that loses, delays, duplicates, damages and reorders what goes through it, and lets it out at a rate.
 *
 * Linux v6.1 net/sched/sch_netem.c (netem_enqueue, netem_dequeue, tfifo_enqueue, tabledist, loss_4state, loss_gilb_ell, get_crandom).
 * The same queue stands behind `tc qdisc ... netem` on a host and behind impaired cables. Not modelled: slots, a qdisc inside.
 */

import type { EventLoop, EventTarget } from "../kernel/event-loop.ts";
import type { RandomStream } from "../kernel/random.ts";
import { DELAY_SCALE, type DelayShape, delayTable } from "./delay-tables.ts";

/** Certainty. Probabilities and correlations are fractions of it, as in struct tc_netem_qopt. */
export const NETEM_ONE = 0xffff_ffff;
const UINT32 = 0x1_0000_0000;
/** tabledist works with 31 bits of nanoseconds. */
export const NETEM_JITTER_NS_MAX = 0x7fff_ffff;
export const NETEM_LIMIT_DEFAULT = 1000;
const NS_PER_SECOND = 1_000_000_000;

/** How packets are chosen for loss. */
export type NetemLoss =
  | { readonly model: "random" }
  /** Four states: good, burst with losses, single losses; transition probabilities. */
  | { readonly model: "state"; readonly p13: number; readonly p31: number; readonly p32: number; readonly p23: number; readonly p14: number }
  /** Gilbert and Elliott: `h` is what gets through in the bad state, `k1` what is lost in the good one. */
  | { readonly model: "gemodel"; readonly p: number; readonly r: number; readonly h: number; readonly k1: number };

export interface NetemRate {
  readonly bytesPerSecond: number;
  readonly packetOverhead: number;
  readonly cellSize: number;
  readonly cellOverhead: number;
}

export interface NetemOptions {
  latencyNs: number;
  /** Up to NETEM_JITTER_NS_MAX. */
  jitterNs: number;
  /** Packets that the queue holds. */
  limit: number;
  /** Chance of a loss by the model `random`. */
  loss: number;
  /** One packet in `gap` is sent at once instead of later; 0: none. */
  gap: number;
  duplicate: number;
  delayCorrelation: number;
  lossCorrelation: number;
  duplicateCorrelation: number;
  reorder: number;
  reorderCorrelation: number;
  corrupt: number;
  corruptCorrelation: number;
  shape: DelayShape;
  lossModel: NetemLoss;
  rate: NetemRate | undefined;
  /** Losses mark packets that may be marked instead of dropping them. */
  ecn: boolean;
}

export const NETEM_NOTHING: NetemOptions = {
  latencyNs: 0,
  jitterNs: 0,
  limit: NETEM_LIMIT_DEFAULT,
  loss: 0,
  gap: 0,
  duplicate: 0,
  delayCorrelation: 0,
  lossCorrelation: 0,
  duplicateCorrelation: 0,
  reorder: 0,
  reorderCorrelation: 0,
  corrupt: 0,
  corruptCorrelation: 0,
  shape: "uniform",
  lossModel: { model: "random" },
  rate: undefined,
  ecn: false,
};

export type NetemDrop = "NETEM_LOSS" | "NETEM_LIMIT";

/** What the queue does to the things in it. */
export interface NetemOwner<T> {
  /** It comes out. */
  send(item: T): void;
  dropped(item: T, reason: NetemDrop): void;
  /** A second one like it. */
  copy(item: T): T;
  /** The same with one bit turned: bit `bit` (0 to 7) of the byte that `chooseByte(n)` names among n. undefined: nothing is left of it. */
  corrupt(item: T, chooseByte: (count: number) => number, bit: number): T | undefined;
  lengthBytes(item: T): number;
  /** Sets "congestion experienced" where that is allowed (INET_ECN_set_ce): the marked packet, or undefined. */
  mark(item: T): T | undefined;
}

/** `tc -s qdisc`. */
export interface NetemCounters {
  sentBytes: number;
  sentPackets: number;
  dropped: number;
  overlimits: number;
  requeues: number;
}

/** A fraction of certainty, from 0 to 1 (tc_core's set_percent). */
export function netemProbability(fraction: number): number {
  return Math.round(fraction * NETEM_ONE);
}

interface Waiting<T> {
  readonly item: T;
  readonly timeNs: number;
}

type LossState = 1 | 2 | 3 | 4;

/** A random source with memory (struct crndstate). */
class CorrelatedSource {
  rho = 0;
  #last = 0;
  readonly #random: RandomStream;

  constructor(random: RandomStream) {
    this.#random = random;
  }

  seed(rho: number): void {
    this.rho = rho;
    this.#last = this.#random.next32();
  }

  next(): number {
    const value = this.#random.next32();
    if (this.rho === 0) return value;
    const rho = BigInt(this.rho) + 1n;
    this.#last = Number((BigInt(value) * (BigInt(UINT32) - rho) + BigInt(this.#last) * rho) >> 32n);
    return this.#last;
  }
}

export class Netem<T> implements EventTarget {
  readonly counters: NetemCounters = { sentBytes: 0, sentPackets: 0, dropped: 0, overlimits: 0, requeues: 0 };
  readonly #loop: EventLoop;
  readonly #random: RandomStream;
  readonly #owner: NetemOwner<T>;
  #options: NetemOptions = NETEM_NOTHING;
  /** Sorted by time; who came first goes first. */
  readonly #queue: Waiting<T>[] = [];
  #backlogBytes = 0;
  #counter = 0;
  #lossState: LossState = 1;
  #isDuplicating = true;
  #wakeId = 0;
  #wakeNs = 0;
  readonly #delaySource: CorrelatedSource;
  readonly #lossSource: CorrelatedSource;
  readonly #duplicateSource: CorrelatedSource;
  readonly #reorderSource: CorrelatedSource;
  readonly #corruptSource: CorrelatedSource;

  constructor(options: { readonly loop: EventLoop; readonly random: RandomStream; readonly owner: NetemOwner<T>; readonly netem: NetemOptions }) {
    this.#loop = options.loop;
    this.#random = options.random;
    this.#owner = options.owner;
    const source = () => new CorrelatedSource(options.random);
    this.#delaySource = source();
    this.#lossSource = source();
    this.#duplicateSource = source();
    this.#reorderSource = source();
    this.#corruptSource = source();
    this.change(options.netem);
  }

  get options(): NetemOptions {
    return this.#options;
  }

  get backlogPackets(): number {
    return this.#queue.length;
  }

  get backlogBytes(): number {
    return this.#backlogBytes;
  }

  /** From now on like this (netem_change); what waits goes on waiting. */
  change(options: NetemOptions): void {
    const before = this.#options;
    this.#options = { ...options };
    const seed = (source: CorrelatedSource, rho: number) => {
      if (source.rho !== rho) source.seed(rho);
    };
    seed(this.#delaySource, options.delayCorrelation);
    seed(this.#lossSource, options.lossCorrelation);
    seed(this.#duplicateSource, options.duplicateCorrelation);
    seed(this.#reorderSource, options.reorderCorrelation);
    seed(this.#corruptSource, options.corruptCorrelation);
    if (options.lossModel.model !== before.lossModel.model) this.#lossState = 1;
    this.#counter = 0;
  }

  /** Forgets what waits (netem_reset): the device went down, or the queue was removed. */
  reset(): void {
    this.#queue.length = 0;
    this.#backlogBytes = 0;
    if (this.#wakeId !== 0) this.#loop.cancel(this.#wakeId);
    this.#wakeId = 0;
  }

  /** Lets everything out at once. */
  drain(): void {
    const waiting = this.#queue.splice(0);
    this.reset();
    for (const { item } of waiting) this.#send(item);
  }

  enqueue(given: T): void {
    let item = given;
    const options = this.#options;
    let count = 1;
    if (this.#isDuplicating && options.duplicate > 0 && options.duplicate >= this.#duplicateSource.next()) count++;
    if (this.#isLost()) {
      const marked = options.ecn ? this.#owner.mark(item) : undefined;
      if (marked === undefined) count--;
      else {
        item = marked;
        this.counters.dropped++;
      }
    }
    if (count === 0) {
      this.#drop(item, "NETEM_LOSS");
      return;
    }
    if (count > 1) {
      const second = this.#owner.copy(item);
      this.#isDuplicating = false;
      this.enqueue(second);
      this.#isDuplicating = true;
    }
    if (options.corrupt > 0 && options.corrupt >= this.#corruptSource.next()) {
      const damaged = this.#owner.corrupt(item, (bytes) => this.#random.below(bytes), this.#random.below(8));
      if (damaged === undefined) return;
      item = damaged;
    }
    if (this.#queue.length >= options.limit) {
      this.#drop(item, "NETEM_LIMIT");
      return;
    }
    this.#hold(item);
  }

  onEvent(): void {
    this.#wakeId = 0;
    this.#release();
  }

  #hold(item: T): void {
    const options = this.#options;
    const nowNs = this.#loop.nowNs;
    const isLater = options.gap === 0 || this.#counter < options.gap - 1 || options.reorder < this.#reorderSource.next();
    if (!isLater) {
      // One packet is put in front of all that wait.
      this.#counter = 0;
      this.counters.requeues++;
      this.#send(item);
      return;
    }
    let delayNs = this.#delayNs();
    let fromNs = nowNs;
    if (options.rate !== undefined) {
      const last = this.#queue.at(-1);
      if (last !== undefined) {
        // The last packet in the queue is the reference: what it still waits counts for this one's delay.
        delayNs = Math.max(0, delayNs - (last.timeNs - nowNs));
        fromNs = last.timeNs;
      }
      delayNs += transmissionNs(this.#owner.lengthBytes(item), options.rate);
    }
    this.#counter++;
    if (fromNs + delayNs <= nowNs && (this.#queue[0]?.timeNs ?? Number.POSITIVE_INFINITY) > nowNs) {
      this.#send(item);
      return;
    }
    this.#insert({ item, timeNs: fromNs + delayNs });
    this.#release();
  }

  #insert(waiting: Waiting<T>): void {
    const queue = this.#queue;
    let low = 0;
    let high = queue.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((queue[middle] as Waiting<T>).timeNs <= waiting.timeNs) low = middle + 1;
      else high = middle;
    }
    queue.splice(low, 0, waiting);
    this.#backlogBytes += this.#owner.lengthBytes(waiting.item);
  }

  /** Sends what is due and sleeps until the next is. */
  #release(): void {
    const queue = this.#queue;
    const nowNs = this.#loop.nowNs;
    let first = queue[0];
    while (first !== undefined && first.timeNs <= nowNs) {
      queue.shift();
      this.#backlogBytes -= this.#owner.lengthBytes(first.item);
      this.#send(first.item);
      first = queue[0];
    }
    if (first === undefined) return;
    if (this.#wakeId !== 0) {
      if (this.#wakeNs === first.timeNs) return;
      this.#loop.cancel(this.#wakeId);
    }
    this.#wakeNs = first.timeNs;
    this.#wakeId = this.#loop.at(first.timeNs, this);
  }

  #send(item: T): void {
    this.counters.sentPackets++;
    this.counters.sentBytes += this.#owner.lengthBytes(item);
    this.#owner.send(item);
  }

  #drop(item: T, reason: NetemDrop): void {
    this.counters.dropped++;
    this.#owner.dropped(item, reason);
  }

  #isLost(): boolean {
    const { loss, lossModel } = this.#options;
    switch (lossModel.model) {
      case "random":
        return loss > 0 && loss >= this.#lossSource.next();
      case "state":
        return this.#isLostByState(lossModel);
      case "gemodel":
        return this.#isLostByGilbert(lossModel);
    }
  }

  /** 1: sent in a gap between losses, 2: sent in a burst, 3: lost in a gap, 4: lost in a burst (enum of struct clgstate). */
  #isLostByState(model: Extract<NetemLoss, { model: "state" }>): boolean {
    const draw = this.#random.next32();
    const { p13, p31, p32, p23, p14 } = model;
    switch (this.#lossState) {
      case 1:
        if (draw < p14) this.#lossState = 3;
        else if (p14 < draw && draw < p13 + p14) this.#lossState = 4;
        else return false;
        return true;
      case 2:
        if (draw >= p23) return false;
        this.#lossState = 4;
        return true;
      case 4:
        if (draw < p32) this.#lossState = 2;
        else if (p32 < draw && draw < p31 + p32) this.#lossState = 1;
        else if (p31 + p32 < draw) return true;
        return false;
      case 3:
        this.#lossState = 1;
        return false;
    }
  }

  #isLostByGilbert(model: Extract<NetemLoss, { model: "gemodel" }>): boolean {
    if (this.#lossState === 1) {
      if (this.#random.next32() < model.p) this.#lossState = 2;
      return this.#random.next32() < model.k1;
    }
    if (this.#random.next32() < model.r) this.#lossState = 1;
    return this.#random.next32() > model.h;
  }

  /** tabledist. Division rounds towards zero, as C's. */
  #delayNs(): number {
    const { latencyNs, jitterNs, shape } = this.#options;
    if (jitterNs === 0) return latencyNs;
    const draw = this.#delaySource.next();
    const table = delayTable(shape);
    if (table === undefined) return (draw % (2 * jitterNs)) + latencyNs - jitterNs;
    const multiple = table[draw % table.length] as number;
    let fine = (jitterNs % DELAY_SCALE) * multiple;
    fine += fine >= 0 ? DELAY_SCALE / 2 : -DELAY_SCALE / 2;
    return Math.trunc(fine / DELAY_SCALE) + Math.trunc(jitterNs / DELAY_SCALE) * multiple + latencyNs;
  }
}

/** packet_time_ns: with cells, as on ATM, every begun cell counts whole. */
function transmissionNs(lengthBytes: number, rate: NetemRate): number {
  let length = lengthBytes + rate.packetOverhead;
  if (rate.cellSize > 0) {
    let cells = Math.floor(length / rate.cellSize);
    if (length > cells * rate.cellSize) cells++;
    length = cells * (rate.cellSize + rate.cellOverhead);
  }
  return Math.floor((Math.max(length, 0) * NS_PER_SECOND) / rate.bytesPerSecond);
}
