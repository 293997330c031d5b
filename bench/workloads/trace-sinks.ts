/**
 * Where the records of a traced run go.
 */

import { closeSync, openSync, writeSync } from "node:fs";
import type { TraceEvent } from "../../src/trace/events.ts";
import { JsonLinesSink } from "../../src/trace/jsonl.ts";
import type { TraceSink } from "../../src/trace/tracer.ts";

export interface CountingSink extends TraceSink {
  readonly records: number;
  /** Bytes that were written; 0 for a sink that writes none. */
  readonly bytes: number;
  end(): void;
}

/** Takes records and forgets them: what making them costs. */
class Counter implements CountingSink {
  records = 0;
  readonly bytes = 0;

  write(_event: TraceEvent): void {
    this.records++;
  }

  end(): void {}
}

/** The trace as JSON Lines, to /dev/null: what writing a trace costs but for the disk. */
class TraceFile implements CountingSink {
  records = 0;
  bytes = 0;
  readonly #file = openSync("/dev/null", "w");
  readonly #lines = new JsonLinesSink({ level: "full", title: "bench", seed: "1", hosts: [], links: [], scenario: null }, (bytes) => {
    this.bytes += writeSync(this.#file, bytes);
  });

  write(event: TraceEvent): void {
    this.records++;
    this.#lines.write(event);
  }

  end(): void {
    this.#lines.flush();
    closeSync(this.#file);
  }
}

const SINKS: Readonly<Record<string, () => CountingSink>> = {
  count: () => new Counter(),
  file: () => new TraceFile(),
};

export function sinkFor(name: string): CountingSink {
  const make = SINKS[name];
  if (make === undefined) throw new Error(`--sink is one of ${Object.keys(SINKS).join(", ")}`);
  return make();
}
