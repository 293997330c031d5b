/**
 * Counters of a dest, a service or the whole director, with the kernel's two-second rate estimator.
 *
 * Nothing sees a rate between two packets, so the estimator's ticks that have passed are made up for before each change and each look;
 * no timer runs.
 *
 * Linux v6.1 net/netfilter/ipvs/ip_vs_est.c (estimation_timer, ip_vs_read_estimator).
 */

import { NS_PER_SECOND } from "../base/time.ts";
import type { IpvsStatistics } from "./ipvs.ts";

const TICK_NS = 2 * NS_PER_SECOND;
/** After so many idle ticks every average has decayed to where it stays. */
const IDLE_TICKS_MAX = 200;

export class Statistics {
  #conns = 0;
  #inPackets = 0;
  #outPackets = 0;
  #inBytes = 0;
  #outBytes = 0;
  /** The counters at the last tick, then the averages (cps and pps in 1/1024, bps in 1/32), then what `zero` subtracts. */
  readonly #last = new Float64Array(5);
  readonly #average = new Float64Array(5);
  readonly #zero = new Float64Array(5);
  #nextTickNs: number;
  readonly #isEstimating: { readonly value: number };

  /** Ticks come every 2 s from `startNs` on. `estimating` is the run_estimation sysctl. */
  constructor(startNs: number, estimating: { readonly value: number }) {
    this.#nextTickNs = startNs + TICK_NS;
    this.#isEstimating = estimating;
  }

  countConn(nowNs: number): void {
    if (nowNs >= this.#nextTickNs) this.#catchUp(nowNs);
    this.#conns++;
  }

  countIn(bytes: number, nowNs: number): void {
    if (nowNs >= this.#nextTickNs) this.#catchUp(nowNs);
    this.#inPackets++;
    this.#inBytes += bytes;
  }

  countOut(bytes: number, nowNs: number): void {
    if (nowNs >= this.#nextTickNs) this.#catchUp(nowNs);
    this.#outPackets++;
    this.#outBytes += bytes;
  }

  /** `ipvsadm -Z`: what is counted so far becomes the zero point, and the rates restart. ip_vs_ctl.c:ip_vs_zero_stats */
  zero(nowNs: number): void {
    if (nowNs >= this.#nextTickNs) this.#catchUp(nowNs);
    this.#zero.set(this.#counters());
    this.#last.set(this.#counters());
    this.#average.fill(0);
  }

  /** What is counted since the last `zero`. Unlike `view` it leaves the estimator as it is. */
  counts(): Pick<IpvsStatistics, "conns" | "inPackets" | "outPackets" | "inBytes" | "outBytes"> {
    const zero = this.#zero;
    return {
      conns: this.#conns - (zero[0] as number),
      inPackets: this.#inPackets - (zero[1] as number),
      outPackets: this.#outPackets - (zero[2] as number),
      inBytes: this.#inBytes - (zero[3] as number),
      outBytes: this.#outBytes - (zero[4] as number),
    };
  }

  view(nowNs: number): IpvsStatistics {
    if (nowNs >= this.#nextTickNs) this.#catchUp(nowNs);
    const counters = this.#counters();
    const shown = counters.map((value, i) => value - (this.#zero[i] as number));
    const rate = (i: number, round: number, scale: number) => Math.floor(((this.#average[i] as number) + round) / scale);
    return {
      conns: shown[0] as number,
      inPackets: shown[1] as number,
      outPackets: shown[2] as number,
      inBytes: shown[3] as number,
      outBytes: shown[4] as number,
      connsPerSecond: rate(0, 511, 1024),
      inPacketsPerSecond: rate(1, 511, 1024),
      outPacketsPerSecond: rate(2, 511, 1024),
      inBytesPerSecond: rate(3, 15, 32),
      outBytesPerSecond: rate(4, 15, 32),
    };
  }

  #counters(): number[] {
    return [this.#conns, this.#inPackets, this.#outPackets, this.#inBytes, this.#outBytes];
  }

  #catchUp(nowNs: number): void {
    const ticks = Math.floor((nowNs - this.#nextTickNs) / TICK_NS) + 1;
    this.#nextTickNs += ticks * TICK_NS;
    if (this.#isEstimating.value === 0) return;
    const counters = this.#counters();
    for (let i = 0; i < 5; i++) {
      // Δ per 2 s as 1/1024 (packets) or 1/32 (bytes) per second: shifts by 9 and 4 in the kernel.
      let current = ((counters[i] as number) - (this.#last[i] as number)) * (i < 3 ? 512 : 16);
      this.#last[i] = counters[i] as number;
      let average = this.#average[i] as number;
      for (let tick = 0; tick < ticks && tick < IDLE_TICKS_MAX; tick++) {
        average += Math.floor((current - average) / 4);
        current = 0;
      }
      this.#average[i] = average;
    }
  }
}
