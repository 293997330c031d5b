/**
 * Congestion control of one connection: slow start from ten segments, additive increase, the states Open, Disorder, Recovery and Loss.
 *
 * RFC 5681, RFC 6582, RFC 6928, RFC 6937; Linux v6.1 net/ipv4/tcp_cong.c, tcp_input.c, tcp_cubic.c (of CUBIC only the factor 717/1024 by which
 * the threshold shrinks; the window grows as Reno's). Integers only.
 */

export const INITIAL_WINDOW_SEGMENTS = 10;
export const THRESHOLD_INFINITE = 0x7fffffff;
const CUBIC_BETA = 717;
const CUBIC_BETA_SCALE = 1024;
const WINDOW_MAX_SEGMENTS = 1 << 20;

export type CongestionState = "Open" | "Disorder" | "Recovery" | "Loss";

export class Congestion {
  state: CongestionState = "Open";
  /** Segments. */
  window = INITIAL_WINDOW_SEGMENTS;
  threshold = THRESHOLD_INFINITE;
  /** Recovery and Loss end when this is acknowledged. */
  recoverySeq = 0;
  #credit = 0;
  /** Proportional rate reduction: the window before the loss, and what arrived and what was sent since. */
  #priorWindow = 0;
  #delivered = 0;
  #sent = 0;

  get isSlowStart(): boolean {
    return this.window < this.threshold;
  }

  get isThresholdInfinite(): boolean {
    return this.threshold === THRESHOLD_INFINITE;
  }

  /** `ackedSegments` were newly acknowledged; `wasLimited`: the window, not the application, held the sender back. */
  onAck(ackedSegments: number, wasLimited: boolean): void {
    if (!wasLimited) return;
    let left = ackedSegments;
    if (this.isSlowStart) {
      const grown = Math.min(this.window + left, this.threshold);
      left -= grown - this.window;
      this.window = Math.min(grown, WINDOW_MAX_SEGMENTS);
    }
    if (left <= 0) return;
    this.#credit += left;
    if (this.#credit < this.window) return;
    this.#credit -= this.window;
    this.window = Math.min(this.window + 1, WINDOW_MAX_SEGMENTS);
  }

  /** Fast retransmit: from now on `reduce` sets the window (tcp_init_cwnd_reduction). */
  enterRecovery(sndNxt: number): void {
    this.#priorWindow = this.window;
    this.#delivered = 0;
    this.#sent = 0;
    this.#shrinkThreshold();
    this.state = "Recovery";
    this.recoverySeq = sndNxt;
  }

  /**
   * Segments arrived during Recovery: about as many may leave, fewer while more is in flight than the threshold allows, and always the first
   * retransmission (net/ipv4/tcp_input.c:tcp_cwnd_reduction, RFC 6937). `isProgress`: the acknowledgment went forward and showed no new loss.
   */
  reduce(delivered: number, inFlight: number, isProgress: boolean): void {
    if (this.state !== "Recovery" || delivered <= 0) return;
    this.#delivered += delivered;
    const room = this.threshold - inFlight;
    let count: number;
    if (room < 0) count = Math.trunc((this.threshold * this.#delivered + this.#priorWindow - 1) / this.#priorWindow) - this.#sent;
    else count = Math.min(room, Math.max(this.#delivered - this.#sent, delivered) + (isProgress ? 1 : 0));
    this.window = inFlight + Math.max(count, this.#sent > 0 ? 0 : 1);
  }

  /** A segment, new or again, has left. */
  onSent(): void {
    if (this.state === "Recovery") this.#sent++;
  }

  /** Retransmission timeout: start again with one segment. */
  enterLoss(sndNxt: number, inFlight: number): void {
    if (this.state !== "Loss") this.#shrinkThreshold();
    this.state = "Loss";
    this.recoverySeq = sndNxt;
    this.window = inFlight + 1;
    this.#credit = 0;
  }

  /** The path MTU shrank: everything too big is lost, but not because of congestion (tcp_simple_retransmit). */
  enterLossWithoutReduction(sndNxt: number): void {
    if (this.state === "Loss") return;
    this.state = "Loss";
    this.recoverySeq = sndNxt;
  }

  recovered(): void {
    if (this.state === "Recovery") this.window = Math.min(this.threshold, WINDOW_MAX_SEGMENTS);
    this.state = "Open";
    this.#credit = 0;
  }

  #shrinkThreshold(): void {
    this.threshold = Math.max(Math.trunc((this.window * CUBIC_BETA) / CUBIC_BETA_SCALE), 2);
    this.#credit = 0;
  }
}
