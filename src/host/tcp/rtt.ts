/**
 * Round-trip time and the retransmission timeout derived from it.
 *
 * RFC 6298; Linux v6.1 net/ipv4/tcp_input.c:tcp_rtt_estimator and tcp_set_rto. Times are nanoseconds; the timeout is rounded up to timer ticks
 * as usecs_to_jiffies does, which is why a lab kernel with 100 ticks a second retransmits after 210 ms and not after 200.
 */

import { NS_PER_MS, NS_PER_SECOND } from "../../base/time.ts";

export const RTO_INITIAL_NS = NS_PER_SECOND;
const RTO_FALLBACK_NS = 3 * NS_PER_SECOND;
export const RTO_MIN_NS = 200 * NS_PER_MS;
export const RTO_MAX_NS = 120 * NS_PER_SECOND;

export class RttEstimator {
  /** Smoothed round-trip time; 0 before the first sample. */
  smoothedNs = 0;
  rtoNs = RTO_INITIAL_NS;
  backoff = 0;
  minNs = 0;
  #deviationNs = 0;
  #deviationMaxNs = 0;
  #variationNs = 0;
  #windowEndSeq = 0;
  #fallbackNs = RTO_INITIAL_NS;
  readonly #tickNs: number;

  constructor(tickNs: number) {
    this.#tickNs = tickNs;
  }

  get variationNs(): number {
    return this.#deviationNs;
  }

  /**
   * One sample. `sndUna` and `sndNxt` tell when a round trip is over, after which the deviation may fall. `latestNs` is the round trip of the
   * last of the segments that were answered together; the least one is the least of these (tcp_update_rtt_min).
   */
  sample(rttNs: number, sndUna: number, sndNxt: number, latestNs: number = rttNs): void {
    const sample = Math.max(rttNs, 1000);
    const latest = Math.max(latestNs, 1000);
    if (this.minNs === 0 || latest < this.minNs) this.minNs = latest;
    if (this.smoothedNs === 0) {
      this.smoothedNs = sample;
      this.#deviationNs = Math.max(Math.trunc(sample / 2), 1);
      this.#variationNs = Math.max(sample * 2, RTO_MIN_NS);
      this.#deviationMaxNs = this.#variationNs;
      this.#windowEndSeq = sndNxt;
    } else {
      const error = sample - this.smoothedNs;
      this.smoothedNs += Math.trunc(error / 8);
      // A fall of the round-trip time counts for an eighth, so that it does not raise the timeout (RFC 6298 as Linux differs).
      const magnitude = Math.abs(error);
      const excess = magnitude - this.#deviationNs;
      this.#deviationNs += error < 0 && excess > 0 ? Math.trunc(excess / 32) : Math.trunc(excess / 4);
      const deviation = this.#deviationNs * 4;
      if (deviation > this.#deviationMaxNs) {
        this.#deviationMaxNs = deviation;
        if (deviation > this.#variationNs) this.#variationNs = deviation;
      }
      if (((sndUna - this.#windowEndSeq) | 0) > 0) {
        if (this.#deviationMaxNs < this.#variationNs) this.#variationNs -= Math.trunc((this.#variationNs - this.#deviationMaxNs) / 4);
        this.#windowEndSeq = sndNxt;
        this.#deviationMaxNs = RTO_MIN_NS;
      }
    }
    this.restore();
  }

  /** The timeout that the estimate gives, without backoff. */
  get baseRtoNs(): number {
    if (this.smoothedNs === 0) return this.#fallbackNs;
    const exact = this.smoothedNs + this.#variationNs;
    return Math.min(Math.ceil(exact / this.#tickNs) * this.#tickNs, RTO_MAX_NS);
  }

  /** The handshake gave no sample (RFC 6298 section 5.7). */
  fallBack(): void {
    this.#fallbackNs = RTO_FALLBACK_NS;
    this.restore();
  }

  /** Ends the backoff. */
  restore(): void {
    this.backoff = 0;
    this.rtoNs = this.baseRtoNs;
  }

  /** A timeout: the next one comes after twice the time. */
  backOff(): void {
    this.backoff++;
    this.rtoNs = Math.min(this.rtoNs * 2, RTO_MAX_NS);
  }
}
