/**
 * The kernel log of a host: a bounded list of lines.
 */

import type { EventLoop } from "../kernel/event-loop.ts";
import type { Tracer } from "../trace/tracer.ts";
import type { KernelLog } from "./host.ts";

const LINES_MAX = 10_000;

export class BoundedKernelLog implements KernelLog {
  readonly lines: { readonly timeNs: number; readonly text: string }[] = [];
  readonly #hostName: string;
  readonly #loop: EventLoop;
  readonly #trace: Tracer;

  constructor(hostName: string, loop: EventLoop, trace: Tracer) {
    this.#hostName = hostName;
    this.#loop = loop;
    this.#trace = trace;
  }

  write(text: string): void {
    if (this.lines.length >= LINES_MAX) this.lines.shift();
    this.lines.push({ timeNs: this.#loop.nowNs, text });
    if (this.#trace.isFull) this.#trace.emit({ kind: "log", host: this.#hostName, cause: 0, text });
  }
}
