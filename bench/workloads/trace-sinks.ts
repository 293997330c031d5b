/**
 * Where the records of a traced run go.
 */

import { closeSync, openSync, writeSync } from "node:fs";
import type { TraceEvent } from "../../src/trace/events.ts";
import type { TraceSink } from "../../src/trace/tracer.ts";

const FLUSH_CHARS = 65_536;

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

/** Writes each record as a line of JSON to /dev/null, by hand: the least that a trace in a file can cost. */
class JsonLines implements CountingSink {
  records = 0;
  bytes = 0;
  readonly #file = openSync("/dev/null", "w");
  #waiting = "";

  write(event: TraceEvent): void {
    this.records++;
    this.#waiting += `${JSON.stringify(event, withoutPayload)}\n`;
    if (this.#waiting.length > FLUSH_CHARS) this.#flush();
  }

  end(): void {
    this.#flush();
    closeSync(this.#file);
  }

  #flush(): void {
    this.bytes += writeSync(this.#file, this.#waiting);
    this.#waiting = "";
  }
}

/** Bytes of a payload are told by their number. */
function withoutPayload(_name: string, value: unknown): unknown {
  return value instanceof Uint8Array ? value.length : value;
}

const SINKS: Readonly<Record<string, () => CountingSink>> = {
  count: () => new Counter(),
  file: () => new JsonLines(),
};

export function sinkFor(name: string): CountingSink {
  const make = SINKS[name];
  if (make === undefined) throw new Error(`--sink is one of ${Object.keys(SINKS).join(", ")}`);
  return make();
}
