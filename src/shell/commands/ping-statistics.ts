/**
 * What ping counts and how it sums up: iputils 20221126 ping/ping_common.c (gather_statistics, finish), ping/ping.h (acknowledge).
 */

import { NS_PER_MS } from "../../base/time.ts";

export class PingStatistics {
  transmitted = 0;
  received = 0;
  repeats = 0;
  errors = 0;
  #acknowledged = 0;
  #pipeSize = -1;
  readonly #seen = new Set<number>();
  #sumUs = 0;
  #sumSquaresUs = 0;
  #minUs = Number.POSITIVE_INFINITY;
  maxUs = 0;
  #smoothedUs = 0;
  startNs = 0;
  lastSentNs = 0;

  get inFlight(): number {
    const difference = (this.transmitted - this.#acknowledged) & 0xffff;
    return difference <= 0x7fff ? difference : this.transmitted - this.received - this.errors;
  }

  /** The smoothed round trip; undefined before the first. */
  get smoothedUs(): number | undefined {
    return this.#smoothedUs === 0 ? undefined : Math.trunc(this.#smoothedUs / 8);
  }

  sent(): void {
    this.transmitted++;
    this.#seen.delete((this.transmitted + 0x8000) & 0xffff);
    if ((this.transmitted & 0xffff) - this.#acknowledged > 0x7fff) this.#acknowledged = (this.transmitted + 1) & 0xffff;
  }

  acknowledge(sequence: number): void {
    const difference = (this.transmitted - sequence) & 0xffff;
    if (difference > 0x7fff) return;
    this.#pipeSize = Math.max(this.#pipeSize, difference + 1);
    if (((sequence - this.#acknowledged) & 0xffff) < 0x8000) this.#acknowledged = sequence;
  }

  wasAnswered(sequence: number): boolean {
    return this.#seen.has(sequence & 0xffff);
  }

  /** A reply; true when it is a duplicate. */
  reply(sequence: number, tripUs: number | undefined): boolean {
    this.received++;
    this.acknowledge(sequence);
    if (tripUs !== undefined) {
      this.#sumUs += tripUs;
      this.#sumSquaresUs += tripUs * tripUs;
      this.#minUs = Math.min(this.#minUs, tripUs);
      this.maxUs = Math.max(this.maxUs, tripUs);
      this.#smoothedUs = this.#smoothedUs === 0 ? tripUs * 8 : this.#smoothedUs + tripUs - Math.trunc(this.#smoothedUs / 8);
    }
    if (this.#seen.has(sequence)) {
      this.repeats++;
      this.received--;
      return true;
    }
    this.#seen.add(sequence);
    return false;
  }

  /** The closing lines. */
  summary(hostName: string, isTimed: boolean, isUnpaced: boolean): string {
    const elapsedNs = this.lastSentNs - this.startNs;
    let text = `\n--- ${hostName} ping statistics ---\n${this.transmitted} packets transmitted, ${this.received} received`;
    if (this.repeats > 0) text += `, +${this.repeats} duplicates`;
    if (this.errors > 0) text += `, +${this.errors} errors`;
    if (this.transmitted > 0) {
      text += `, ${formatGeneral(((this.transmitted - this.received) * 100) / this.transmitted)}% packet loss`;
      text += `, time ${Math.trunc((elapsedNs + 500_000) / NS_PER_MS)}ms`;
    }
    text += "\n";
    let comma = "";
    if (this.received > 0 && isTimed) {
      text += this.#roundTrips();
      comma = ", ";
    }
    if (this.#pipeSize > 1) {
      text += `${comma}pipe ${this.#pipeSize}`;
      comma = ", ";
    }
    if (this.received > 0 && isUnpaced && this.transmitted > 1) {
      const gapUs = Math.trunc(elapsedNs / 1000 / (this.transmitted - 1));
      text += `${comma}ipg/ewma ${milliseconds(gapUs)}/${milliseconds(Math.trunc(this.#smoothedUs / 8))} ms`;
    }
    return `${text}\n`;
  }

  #roundTrips(): string {
    const count = this.received + this.repeats;
    const mean = Math.trunc(this.#sumUs / count);
    const variance = this.#sumSquaresUs / count - mean * mean;
    const deviation = integerRoot(Math.max(0, Math.trunc(variance)));
    return `rtt min/avg/max/mdev = ${milliseconds(this.#minUs)}/${milliseconds(mean)}/${milliseconds(this.maxUs)}/${milliseconds(deviation)} ms`;
  }
}

function milliseconds(us: number): string {
  return `${Math.trunc(us / 1000)}.${String(us % 1000).padStart(3, "0")}`;
}

/** ping_common.c:llsqrt, by Newton's method on integers. */
function integerRoot(value: number): number {
  let previous = Number.MAX_SAFE_INTEGER;
  let root = value;
  if (root <= 0) return 0;
  while (root < previous) {
    previous = root;
    root = Math.trunc((root + Math.trunc(value / root)) / 2);
  }
  return previous;
}

/** printf's %g: six significant digits, no trailing zeros. */
export function formatGeneral(value: number): string {
  return String(Number(value.toPrecision(6)));
}

/** The time of one reply, in the precision that ping chooses. */
export function formatTrip(us: number): string {
  if (us >= 100_000 - 50) return `${Math.trunc((us + 500) / 1000)}`;
  if (us >= 10_000 - 5) return `${Math.trunc((us + 50) / 1000)}.${Math.trunc(((us + 50) % 1000) / 100)}`;
  if (us >= 1000) return `${Math.trunc((us + 5) / 1000)}.${String(Math.trunc(((us + 5) % 1000) / 10)).padStart(2, "0")}`;
  return milliseconds(us);
}
