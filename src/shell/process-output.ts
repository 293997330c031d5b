/**
 * Standard streams of a running command: writing to a broken pipe kills it, other errors are remembered for it; who reads more while a slow
 * reader has not taken what was written before waits for that reader first.
 */

import type { EventLoop } from "../kernel/event-loop.ts";
import type { InputStream, OutputStream, Running } from "./command.ts";
import type { Process } from "./process.ts";
import type { MachineProcessTable } from "./process-table.ts";
import type { OpenFile } from "./streams.ts";
import { delay } from "./waits.ts";

/**
 * Standard input of a command. Tools write without waiting; so that a filter can neither run ahead of its reader nor outlive it, its next read
 * waits where write(2) would have waited, and ends it where write(2) would have.
 */
export class ProcessInput implements InputStream {
  readonly file: OpenFile;
  readonly #loop: EventLoop;
  readonly #table: MachineProcessTable;
  readonly #process: Process;
  readonly #output: OpenFile;

  constructor(options: { readonly loop: EventLoop; readonly table: MachineProcessTable; readonly process: Process; readonly file: OpenFile; readonly output: OpenFile }) {
    this.file = options.file;
    this.#loop = options.loop;
    this.#table = options.table;
    this.#process = options.process;
    this.#output = options.output;
  }

  *readLine(): Running<string | undefined> {
    yield* this.#settle();
    return yield* this.file.readLine();
  }

  *readAll(): Running<string> {
    yield* this.#settle();
    return yield* this.file.readAll();
  }

  *readSome(max?: number): Running<string | undefined> {
    yield* this.#settle();
    return yield* this.file.readSome(max);
  }

  *#settle(): Running<void> {
    if (!this.#output.hasRoom) yield* this.#output.waitForRoom();
    // A wait is where a doomed process ends.
    if (this.#table.isDoomed(this.#process)) yield delay(this.#loop, 0);
  }
}

export class ProcessOutput implements OutputStream {
  readonly file: OpenFile;
  /** The errno of the last write that failed for another reason than a broken pipe. */
  lastError: string | undefined;
  readonly #table: MachineProcessTable;
  readonly #process: Process;

  constructor(table: MachineProcessTable, process: Process, file: OpenFile) {
    this.#table = table;
    this.#process = process;
    this.file = file;
  }

  write(text: string): boolean {
    if (text === "") return true;
    const errno = this.file.put(text);
    if (errno === undefined) return true;
    if (errno === "EPIPE") this.#table.kill(this.#process.pid, "PIPE");
    else this.lastError = errno;
    return false;
  }
}

/** The errno that a command's writing has met, once. */
export function takeWriteError(stream: OutputStream): string | undefined {
  if (!(stream instanceof ProcessOutput)) return undefined;
  const errno = stream.lastError;
  stream.lastError = undefined;
  return errno;
}

/** Writes and, when the reader is slow, waits for it: for commands that print without end. False when the output broke. */
export function* writeWaiting(stream: OutputStream, text: string): Running<boolean> {
  const isGood = stream.write(text);
  if (isGood && stream instanceof ProcessOutput && !stream.file.hasRoom) yield* stream.file.waitForRoom();
  return isGood;
}
