/**
 * Traces on disk: read piece by piece (plain or compressed by gzip), and written as a run goes on, with what is made of them.
 */

import { createReadStream } from "node:fs";
import { join } from "node:path";
import { createGunzip } from "node:zlib";
import { CSV_NAMES, CsvSink } from "../trace/csv.ts";
import type { TraceEvent, TraceKind } from "../trace/events.ts";
import { JsonLinesReader, JsonLinesSink, TraceReadError } from "../trace/jsonl.ts";
import { PcapExport } from "../trace/pcap-export.ts";
import { PcapngSink } from "../trace/pcapng-sink.ts";
import type { TraceHeader } from "../trace/trace-header.ts";
import { TextSink } from "../trace/text-sink.ts";
import type { TraceSink } from "../trace/tracer.ts";
import { fileErrorText, UsageError } from "./failure.ts";
import type { OutputFiles } from "./files.ts";

const CHUNK_BYTES = 1_048_576;

/** What to do with the records of a trace. */
export interface TraceVisitor {
  /** Called once, before the first record. */
  onHeader?(header: TraceHeader): void;
  /** False: nothing behind this record is wanted. */
  onEvent(event: TraceEvent): false | void;
  /** Read only these (JsonLinesReader). */
  readonly kinds?: ReadonlySet<TraceKind>;
}

/** Reads a trace; `-` is standard input. A mistake in it is a UsageError with file and line. */
export async function readTraceFile(path: string, visitor: TraceVisitor): Promise<void> {
  let isWanted = true;
  let hasHeader = false;
  const reader = new JsonLinesReader((event) => {
    if (!isWanted) return;
    showHeader();
    if (visitor.onEvent(event) === false) isWanted = false;
  }, visitor.kinds);
  const showHeader = () => {
    if (hasHeader || reader.header === undefined) return;
    hasHeader = true;
    visitor.onHeader?.(reader.header);
  };
  try {
    for await (const text of textOf(path)) {
      reader.push(text);
      if (!isWanted) return;
    }
    reader.end();
    showHeader();
  } catch (error) {
    if (error instanceof TraceReadError) throw new UsageError(`${path}:${error.line}: ${error.message}`);
    if (error instanceof Error && "code" in error && typeof error.code === "string") throw new UsageError(zlibErrorText(error, path));
    throw error;
  }
}

async function* textOf(path: string): AsyncIterable<string> {
  const file = path === "-" ? process.stdin : createReadStream(path, { highWaterMark: CHUNK_BYTES });
  const decoder = new TextDecoder();
  const bytes = path.endsWith(".gz") ? unpacked(file) : file;
  for await (const chunk of bytes as AsyncIterable<Uint8Array>) yield decoder.decode(chunk, { stream: true });
  yield decoder.decode();
}

/** An error of the file itself would not pass the pipe by itself. */
function unpacked(file: NodeJS.ReadableStream): NodeJS.ReadableStream {
  const gunzip = createGunzip();
  file.on("error", (error) => gunzip.destroy(error));
  return file.pipe(gunzip);
}

function zlibErrorText(error: Error, path: string): string {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  return code.startsWith("Z_") ? `${path}: not a gzip file, or cut: ${error.message}` : fileErrorText(error, path);
}

/** Where what is made of a trace goes. */
export interface TraceOutputOptions {
  readonly jsonl?: string;
  readonly pcap?: string;
  readonly pcapng?: string;
  readonly csv?: string;
  readonly text?: string;
}

/** Sinks that write files while records pass. Nothing is there under its name until the files are committed. */
export class TraceOutputs {
  readonly sinks: readonly (TraceSink & { flush(): void })[];
  #pcapng: PcapngSink | undefined;

  constructor(header: Omit<TraceHeader, "format" | "version">, options: TraceOutputOptions, files: OutputFiles) {
    const sinks: (TraceSink & { flush(): void })[] = [];
    if (options.jsonl !== undefined) sinks.push(new JsonLinesSink(header, files.open(options.jsonl)));
    if (options.pcapng !== undefined) {
      this.#pcapng = new PcapngSink({ header, write: files.open(options.pcapng) });
      sinks.push(this.#pcapng);
    }
    if (options.text !== undefined) sinks.push(new TextSink({ write: files.open(options.text) }));
    const { csv, pcap } = options;
    if (csv !== undefined) {
      const tables = new Map(CSV_NAMES.map((name) => [name, files.open(join(csv, `${name}.csv`))]));
      sinks.push(new CsvSink({ header, write: (name, text) => tables.get(name)?.(text) }));
    }
    if (pcap !== undefined) {
      const captures = new Map<string, (bytes: Uint8Array) => void>();
      const write = (host: string, device: string, bytes: Uint8Array) => {
        const name = `${host}.${device}.pcap`;
        const file = captures.get(name) ?? files.open(join(pcap, name));
        captures.set(name, file);
        file(bytes);
      };
      sinks.push(new PcapExport({ header, write }));
    }
    this.sinks = sinks;
  }

  /** Writes what is left; the files get their names when their owner commits them. */
  finish(): void {
    for (const sink of this.sinks) sink.flush();
    const late = this.#pcapng?.lateCount ?? 0;
    if (late > 0) process.stderr.write(`lvsim: ${late} reasons came too late for the comment of their packet; the trace has them\n`);
  }
}
