/**
 * Traces as JSON Lines: a sink that writes as the run goes on, and a reader that takes text as it comes. Neither keeps the trace.
 */

import { EMPTY_BYTES, utf8Bytes, utf8Text } from "../base/bytes.ts";
import type { TraceEvent, TraceKind } from "./events.ts";
import { JsonWriter } from "./json-writer.ts";
import { TraceFormatError } from "./packet-reader.ts";
import { RecordReader } from "./record-reader.ts";
import { RecordWriter } from "./record-writer.ts";
import { headerLine, readHeader, type TraceHeader } from "./trace-header.ts";
import type { TraceSink } from "./tracer.ts";

const CHUNK_BYTES = 65_536;

/** Hands on the bytes of a trace (UTF-8), header first, in pieces of about 64 KiB that end with a line. */
export class JsonLinesSink implements TraceSink {
  readonly #out = new JsonWriter();
  readonly #writer = new RecordWriter(this.#out);
  readonly #write: (bytes: Uint8Array) => void;
  #header: Uint8Array;

  /** The bytes that `write` gets are its own. */
  constructor(header: Omit<TraceHeader, "format" | "version">, write: (bytes: Uint8Array) => void) {
    this.#write = write;
    this.#header = utf8Bytes(`${headerLine(header)}\n`);
  }

  write(event: TraceEvent): void {
    this.#writer.write(event);
    if (this.#out.length >= CHUNK_BYTES) this.flush();
  }

  /** Hands on what is left. Call it at the end. */
  flush(): void {
    if (this.#header.length > 0) this.#write(this.#header);
    this.#header = EMPTY_BYTES;
    if (this.#out.length > 0) this.#write(this.#out.take());
  }
}

/** Records as text, line by line. */
export class RecordLines {
  readonly #out = new JsonWriter();
  readonly #writer: RecordWriter;

  /** `isWhole`: none refers to others (RecordWriter). */
  constructor(options: { readonly isWhole?: boolean } = {}) {
    this.#writer = new RecordWriter(this.#out, options);
  }

  /** The next record with its newline. */
  next(event: TraceEvent): string {
    this.#writer.write(event);
    return utf8Text(this.#out.take());
  }
}

/** A trace that cannot be read: what is wrong, and on which line (from 1). */
export class TraceReadError extends Error {
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

/** A line of more characters is none of ours: a keyframe of a million rows has fewer. */
const LINE_CHARS_MAX = 2 ** 28;

/** How our own lines begin. */
const KIND_OF_LINE = /^\{"id":\d+,"timeNs":\d+,"kind":"([a-z-]+)"/;

/** Reads a trace from pieces of text, cut anywhere. */
export class JsonLinesReader {
  header: TraceHeader | undefined;
  readonly #reader = new RecordReader();
  readonly #onEvent: (event: TraceEvent) => void;
  readonly #kinds: ReadonlySet<string> | undefined;
  #rest = "";
  #line = 0;

  /**
   * Throws a TraceReadError out of `push` or `end` at the first line that is wrong. With `kinds` only these are read, and lines of others
   * passed over quickly; they must be kinds without packets, whose frames and data may be in the lines passed over.
   */
  constructor(onEvent: (event: TraceEvent) => void, kinds?: ReadonlySet<TraceKind>) {
    this.#onEvent = onEvent;
    this.#kinds = kinds;
  }

  push(text: string): void {
    let from = 0;
    for (let to = text.indexOf("\n"); to >= 0; to = text.indexOf("\n", from)) {
      this.#take(this.#rest + text.slice(from, to));
      this.#rest = "";
      from = to + 1;
    }
    this.#rest += text.slice(from);
    if (this.#rest.length > LINE_CHARS_MAX) throw new TraceReadError(this.#line + 1, `this is no trace: the line has more than ${LINE_CHARS_MAX} characters`);
  }

  /** The text is over; the last line may lack its newline. Returns the header. */
  end(): TraceHeader {
    if (this.#rest !== "") this.#take(this.#rest);
    this.#rest = "";
    if (this.header === undefined) throw new TraceReadError(1, "the trace is empty");
    return this.header;
  }

  #take(line: string): void {
    this.#line++;
    try {
      if (this.header === undefined) this.header = readHeader(line);
      else if (line !== "" && this.#isWanted(line)) this.#onEvent(this.#reader.read(line));
    } catch (error) {
      throw error instanceof TraceFormatError ? new TraceReadError(this.#line, error.message) : error;
    }
  }

  #isWanted(line: string): boolean {
    if (this.#kinds === undefined) return true;
    const kind = KIND_OF_LINE.exec(line)?.[1];
    return kind === undefined || this.#kinds.has(kind);
  }
}

/** A whole trace in memory. Throws a TraceReadError at the first line that is wrong. */
export function readTrace(text: string): { readonly header: TraceHeader; readonly events: readonly TraceEvent[] } {
  const events: TraceEvent[] = [];
  const reader = new JsonLinesReader((event) => events.push(event));
  reader.push(text);
  return { header: reader.end(), events };
}
