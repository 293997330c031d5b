/**
 * The tracer: stamps records and hands them to sinks. Off, it costs one comparison at each emission point and allocates nothing:
 *
 *   if (trace.isFull) skb.cause = trace.emit({ kind: "packet-rewritten", ... });
 */

import type { TraceEvent, TraceEventInit } from "./events.ts";

/** Receives the records of a run in order. */
export interface TraceSink {
  write(event: TraceEvent): void;
}

/** off: nothing. frames: frame-sent, frame-received, frame-dropped, link. full: everything. */
export type TraceLevel = "off" | "frames" | "full";

export class Tracer {
  /** True when frame records are wanted. Read before building one. */
  isOn = false;
  /** True when every record is wanted. Read before building one that is no frame record. */
  isFull = false;
  #nextId = 1;
  readonly #sinks: TraceSink[] = [];
  readonly #clock: { readonly nowNs: number };

  constructor(clock: { readonly nowNs: number }) {
    this.#clock = clock;
  }

  setLevel(level: TraceLevel): void {
    this.isOn = level !== "off";
    this.isFull = level === "full";
  }

  addSink(sink: TraceSink): void {
    this.#sinks.push(sink);
  }

  removeSink(sink: TraceSink): void {
    const index = this.#sinks.indexOf(sink);
    if (index >= 0) this.#sinks.splice(index, 1);
  }

  /** Stamps and writes one record; returns its id, to be the cause of what follows from it. */
  emit(init: TraceEventInit): number {
    const id = this.#nextId++;
    const event = { id, timeNs: this.#clock.nowNs, ...init } as TraceEvent;
    for (const sink of this.#sinks) sink.write(event);
    return id;
  }
}

/** Keeps every record in memory: for tests, the ladder and short runs. */
export class MemorySink implements TraceSink {
  readonly events: TraceEvent[] = [];

  write(event: TraceEvent): void {
    this.events.push(event);
  }
}
