/**
 * A real server of a workload: some workers and one queue, first come first served. Its speed may change while it works, and 0 means that it
 * hangs.
 */

import { assert } from "../base/assert.ts";
import type { EventId, EventLoop, EventTarget } from "../kernel/event-loop.ts";

/** One connection's work. */
export interface Job {
  readonly client: number;
  readonly port: number;
  readonly arrivedNs: number;
  /** What is left of it, in nanoseconds of a worker of speed 1. */
  remainingNs: number;
  /** When its work began; -1 while it waits. */
  startedNs: number;
  /** From when on `remainingNs` is worked off. */
  sinceNs: number;
  event: EventId | undefined;
}

export interface ServerQueueOptions {
  readonly loop: EventLoop;
  readonly speed: number;
  readonly workers: number;
  onStart(job: Job): void;
  onFinish(job: Job): void;
}

export class ServerQueue implements EventTarget {
  readonly #options: ServerQueueOptions;
  readonly #running = new Set<Job>();
  #waiting: Job[] = [];
  /** Index of the first one that waits. */
  #head = 0;
  #speed: number;

  constructor(options: ServerQueueOptions) {
    this.#options = options;
    this.#speed = options.speed;
  }

  /** Connections here, waiting or worked on. */
  get length(): number {
    return this.#running.size + this.#waiting.length - this.#head;
  }

  get speed(): number {
    return this.#speed;
  }

  push(job: Job): void {
    this.#waiting.push(job);
    this.#startSome();
  }

  setSpeed(speed: number): void {
    const { nowNs } = this.#options.loop;
    for (const job of this.#running) {
      job.remainingNs = Math.max(0, job.remainingNs - (nowNs - job.sinceNs) * this.#speed);
      job.sinceNs = nowNs;
      if (job.event !== undefined) this.#options.loop.cancel(job.event);
      job.event = undefined;
    }
    this.#speed = speed;
    for (const job of this.#running) this.#schedule(job);
    this.#startSome();
  }

  /** Everybody leaves, unserved. */
  clear(): readonly Job[] {
    const jobs = [...this.#running, ...this.#waiting.slice(this.#head)];
    for (const job of this.#running) if (job.event !== undefined) this.#options.loop.cancel(job.event);
    this.#running.clear();
    this.#waiting = [];
    this.#head = 0;
    return jobs;
  }

  onEvent(argument: unknown): void {
    const job = argument as Job;
    assert(this.#running.delete(job), "a job that is done was not worked on");
    this.#options.onFinish(job);
    this.#startSome();
  }

  #startSome(): void {
    if (this.#speed === 0) return;
    while (this.#running.size < this.#options.workers && this.#head < this.#waiting.length) {
      const job = this.#waiting[this.#head++] as Job;
      if (this.#head > 1024 && this.#head * 2 > this.#waiting.length) {
        this.#waiting = this.#waiting.slice(this.#head);
        this.#head = 0;
      }
      const { nowNs } = this.#options.loop;
      job.startedNs = nowNs;
      job.sinceNs = nowNs;
      this.#running.add(job);
      this.#options.onStart(job);
      this.#schedule(job);
    }
  }

  #schedule(job: Job): void {
    if (this.#speed > 0) job.event = this.#options.loop.after(Math.ceil(job.remainingNs / this.#speed), this, job);
  }
}
