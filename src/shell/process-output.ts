/**
 * Standard output and error of a running command: writing to a broken pipe kills it, other errors are remembered for it.
 */

import type { OutputStream, Running } from "./command.ts";
import type { Process } from "./process.ts";
import type { MachineProcessTable } from "./process-table.ts";
import type { OpenFile } from "./streams.ts";

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
