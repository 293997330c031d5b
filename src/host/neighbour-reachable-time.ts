/**
 * How long an answer makes a neighbour reachable: per device a random time between half and one and a half of base_reachable_time, drawn
 * again every 300 s so that hosts do not ask in step.
 *
 * Linux v6.1 net/core/neighbour.c (neigh_rand_reach_time, neigh_periodic_work).
 */

import { NS_PER_MS, NS_PER_SECOND } from "../base/time.ts";
import type { RandomStream } from "../kernel/random.ts";
import type { NetDevice } from "./device.ts";
import type { Host } from "./host.ts";

const REDRAW_NS = 300 * NS_PER_SECOND;

interface Draw {
  readonly baseMs: number;
  readonly period: number;
  readonly timeNs: number;
}

export class ReachableTimes {
  readonly #host: Host;
  readonly #draws = new Map<NetDevice, Draw>();
  #stream: RandomStream | undefined = undefined;

  constructor(host: Host) {
    this.#host = host;
  }

  /** Counts the draws. */
  get period(): number {
    return Math.floor(this.#host.loop.nowNs / REDRAW_NS);
  }

  of(device: NetDevice): number {
    const { period } = this;
    const baseMs = device.neigh.base_reachable_time_ms;
    const known = this.#draws.get(device);
    if (known !== undefined && known.period === period && known.baseMs === baseMs) return known.timeNs;
    this.#stream ??= this.#host.random("neighbour");
    const timeMs = baseMs > 0 ? Math.trunc(baseMs / 2) + this.#stream.below(baseMs) : 0;
    const timeNs = timeMs * NS_PER_MS;
    this.#draws.set(device, { baseMs, period, timeNs });
    return timeNs;
  }
}
