/**
 * Where the records of a traced run go.
 */

import type { TraceEvent } from "../../src/trace/events.ts";
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

const SINKS: Readonly<Record<string, () => CountingSink>> = {
  count: () => new Counter(),
};

export function sinkFor(name: string): CountingSink {
  const make = SINKS[name];
  if (make === undefined) throw new Error(`--sink is one of ${Object.keys(SINKS).join(", ")}`);
  return make();
}
