/**
 * Open files: what file descriptors refer to. Pipes, files with an offset, /dev/null and its like, captured output.
 *
 * An open file is shared by everybody who inherited it and closes when the last one lets go; that is how a reader learns that a pipe ended, and
 * how a script's output ends only when its background processes have let go of it too.
 */

import type { EventLoop } from "../kernel/event-loop.ts";
import type { InputStream, OutputStream, Running, Wait } from "./command.ts";
import { FileError, type FileSystem } from "./file-system.ts";
import { delay, WaitQueue } from "./waits.ts";

/** Linux's pipe capacity; writers that know it wait, others may pass it. */
const PIPE_CAPACITY = 65536;

/** Most characters that a reader of everything takes: endless input ends it as a lack of memory would. */
const READ_CHARS_MAX = 64 * 1024 * 1024;
/** What one read of /dev/urandom gives at most: its readers want little. */
const RANDOM_BLOCK = 4096;
const ZEROS = "\0".repeat(PIPE_CAPACITY);
const NO_WAITS: readonly Wait[] = [];

/** A result that needs no waiting. */
export function* known<T>(value: T): Running<T> {
  yield* NO_WAITS;
  return value;
}

export abstract class OpenFile implements InputStream, OutputStream {
  #references = 0;

  retain(): this {
    this.#references++;
    return this;
  }

  release(): void {
    if (--this.#references === 0) this.onClose();
  }

  get isOpen(): boolean {
    return this.#references > 0;
  }

  /** An errno, or undefined when all was taken. */
  abstract put(text: string): string | undefined;
  /** At least one character when there is one; undefined at the end. `max` bounds it. */
  abstract take(max: number): Running<string | undefined>;
  /** Up to and with the next newline. */
  abstract takeLine(): Running<string | undefined>;
  /** The last kind of error that reading met (EISDIR, EBADF). */
  readError: string | undefined;
  /** Path for messages and /proc, empty for pipes. */
  readonly path: string = "";

  protected onClose(): void {}

  /** Characters that were written and that nobody has read, where somebody could. */
  get unreadChars(): number {
    return 0;
  }

  /** False when a writer should wait before it writes more. */
  get hasRoom(): boolean {
    return true;
  }

  /** Waits until a reader has made room or is gone. */
  waitForRoom(): Running<void> {
    return known(undefined);
  }

  write(text: string): boolean {
    return this.put(text) === undefined;
  }

  *readLine(): Running<string | undefined> {
    const line = yield* this.takeLine();
    return line?.endsWith("\n") === true ? line.slice(0, -1) : line;
  }

  *readAll(): Running<string> {
    const parts: string[] = [];
    let count = 0;
    for (;;) {
      const part = yield* this.take(Number.MAX_SAFE_INTEGER);
      if (part === undefined) return parts.join("");
      parts.push(part);
      count += part.length;
      if (count > READ_CHARS_MAX) throw new FileError("ENOMEM", "-");
    }
  }

  readSome(max = PIPE_CAPACITY): Running<string | undefined> {
    return this.take(Math.min(max, PIPE_CAPACITY));
  }
}

/** Characters in memory with a reading position; both ends of a pipe look at one. */
class PipeState {
  text = "";
  at = 0;
  hasWriter = true;
  hasReader = true;
  readonly changed: WaitQueue;
  readonly drained: WaitQueue;

  constructor(loop: EventLoop) {
    this.changed = new WaitQueue(loop);
    this.drained = new WaitQueue(loop);
  }

  get length(): number {
    return this.text.length - this.at;
  }

  consume(count: number): string {
    const part = this.text.slice(this.at, this.at + count);
    this.at += part.length;
    if (this.at >= this.text.length) {
      this.text = "";
      this.at = 0;
    }
    this.drained.wake();
    return part;
  }
}

class PipeReader extends OpenFile {
  readonly #state: PipeState;

  constructor(state: PipeState) {
    super();
    this.#state = state;
  }

  put(): string {
    return "EBADF";
  }

  *take(max: number): Running<string | undefined> {
    while (this.#state.length === 0) {
      if (!this.#state.hasWriter) return undefined;
      yield this.#state.changed.wait();
    }
    return this.#state.consume(max);
  }

  *takeLine(): Running<string | undefined> {
    for (;;) {
      const newline = this.#state.text.indexOf("\n", this.#state.at);
      if (newline >= 0) return this.#state.consume(newline + 1 - this.#state.at);
      if (!this.#state.hasWriter) return this.#state.length === 0 ? undefined : this.#state.consume(this.#state.length);
      yield this.#state.changed.wait();
    }
  }

  protected override onClose(): void {
    this.#state.hasReader = false;
    this.#state.drained.wake();
  }
}

class PipeWriter extends OpenFile {
  readonly #state: PipeState;

  constructor(state: PipeState) {
    super();
    this.#state = state;
  }

  override get unreadChars(): number {
    return this.#state.hasReader ? this.#state.length : 0;
  }

  override get hasRoom(): boolean {
    return this.#state.length < PIPE_CAPACITY || !this.#state.hasReader;
  }

  override *waitForRoom(): Running<void> {
    while (!this.hasRoom) yield this.#state.drained.wait();
  }

  put(text: string): string | undefined {
    if (!this.#state.hasReader) return "EPIPE";
    if (text === "") return undefined;
    this.#state.text = this.#state.at > PIPE_CAPACITY ? this.#state.text.slice(this.#state.at) + text : this.#state.text + text;
    if (this.#state.at > PIPE_CAPACITY) this.#state.at = 0;
    this.#state.changed.wake();
    return undefined;
  }

  take(): Running<undefined> {
    this.readError = "EBADF";
    return known(undefined);
  }

  takeLine(): Running<undefined> {
    return this.take();
  }

  protected override onClose(): void {
    this.#state.hasWriter = false;
    this.#state.changed.wake();
  }
}

/** pipe(2). Both ends start without holders. */
export function makePipe(loop: EventLoop): { readonly reader: OpenFile; readonly writer: OpenFile } {
  const state = new PipeState(loop);
  return { reader: new PipeReader(state), writer: new PipeWriter(state) };
}

/** A regular file opened for reading, writing or both. */
export class FileHandle extends OpenFile {
  override readonly path: string;
  readonly #files: FileSystem;
  readonly #mode: { readonly reads: boolean; readonly writes: boolean; readonly appends: boolean };
  readonly #closeWriting: (() => void) | undefined;
  #offset = 0;

  constructor(files: FileSystem, path: string, mode: { readonly reads: boolean; readonly writes: boolean; readonly appends: boolean }) {
    super();
    this.#files = files;
    this.path = path;
    this.#mode = mode;
    if (mode.writes) this.#closeWriting = files.watchers.opened(path);
  }

  protected override onClose(): void {
    this.#closeWriting?.();
  }

  put(text: string): string | undefined {
    if (!this.#mode.writes) return "EBADF";
    try {
      // Files of /proc take each write by itself.
      if (this.path.startsWith("/proc/")) this.#files.write(this.path, text);
      else if (this.#mode.appends) this.#files.append(this.path, text);
      else {
        const old = this.#files.exists(this.path) ? this.#files.read(this.path) : "";
        if (this.#offset === old.length) this.#files.append(this.path, text);
        else this.#files.write(this.path, old.slice(0, this.#offset).padEnd(this.#offset, "\0") + text + old.slice(this.#offset + text.length));
        this.#offset += text.length;
      }
    } catch (error) {
      if (error instanceof FileError) return error.errno;
      throw error;
    }
    return undefined;
  }

  take(max: number): Running<string | undefined> {
    const text = this.#remaining();
    if (text === undefined || text === "") return known(undefined);
    const part = text.slice(0, max);
    this.#offset += part.length;
    return known(part);
  }

  takeLine(): Running<string | undefined> {
    const text = this.#remaining();
    if (text === undefined || text === "") return known(undefined);
    const newline = text.indexOf("\n");
    const part = newline < 0 ? text : text.slice(0, newline + 1);
    this.#offset += part.length;
    return known(part);
  }

  /** lseek(2) to the end, for tail -f. */
  seekTo(offset: number): void {
    this.#offset = offset;
  }

  #remaining(): string | undefined {
    if (!this.#mode.reads) {
      this.readError = "EBADF";
      return undefined;
    }
    try {
      return this.#files.read(this.path).slice(this.#offset);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      this.readError = error.errno;
      return undefined;
    }
  }
}

/** Text that is there from the start: here-documents, input given by the caller. */
export class TextInput extends OpenFile {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    super();
    this.#text = text;
  }

  put(): string {
    return "EBADF";
  }

  take(max: number): Running<string | undefined> {
    if (this.#at >= this.#text.length) return known(undefined);
    const part = this.#text.slice(this.#at, this.#at + max);
    this.#at += part.length;
    return known(part);
  }

  takeLine(): Running<string | undefined> {
    const newline = this.#text.indexOf("\n", this.#at);
    return this.take(newline < 0 ? Number.MAX_SAFE_INTEGER : newline + 1 - this.#at);
  }
}

type DeviceKind = "null" | "zero" | "full" | "random" | "urandom";

/** /dev/null, /dev/zero, /dev/full and the two of chance, which comes from the host's own generator. */
export class DeviceFile extends OpenFile {
  override readonly path: string;
  readonly #loop: EventLoop;
  readonly #kind: DeviceKind;
  readonly #random: (() => number) | undefined;

  /** `random` gives 32 bits at a time. */
  constructor(loop: EventLoop, kind: DeviceKind, random?: () => number) {
    super();
    this.#random = random;
    this.#loop = loop;
    this.#kind = kind;
    this.path = `/dev/${kind}`;
  }

  put(text: string): string | undefined {
    return this.#kind === "full" && text !== "" ? "ENOSPC" : undefined;
  }

  *take(max: number): Running<string | undefined> {
    if (this.#kind === "null") return undefined;
    // Endless input: whoever reads it lets others run too, and readers that want all of it meet the limit of steps.
    yield delay(this.#loop, 0);
    if (this.#random !== undefined) return randomBytes(this.#random, Math.min(max, RANDOM_BLOCK));
    return max < PIPE_CAPACITY ? ZEROS.slice(0, max) : ZEROS;
  }

  takeLine(): Running<string | undefined> {
    return this.take(PIPE_CAPACITY);
  }
}

/** Bytes, one character each. */
export function randomBytes(random: () => number, count: number): string {
  let text = "";
  for (let i = 0; i < count; i += 4) {
    const word = random();
    text += String.fromCharCode(word & 255, (word >>> 8) & 255, (word >>> 16) & 255, word >>> 24);
  }
  return text.slice(0, count);
}

/** Output that the caller collects. `onClosed` is called when the last writer is gone. */
export class CaptureFile extends OpenFile {
  readonly #parts: string[] = [];
  readonly #keepsText: boolean;
  readonly #onText: ((text: string) => void) | undefined;
  readonly #onClosed: (() => void) | undefined;
  readonly #budget: { spendOutput(count: number): void };
  /** Set once nobody reads any more: writers then get EPIPE. */
  isAbandoned = false;

  constructor(options: {
    readonly budget: { spendOutput(count: number): void };
    readonly onText?: (text: string) => void;
    readonly keepsText?: boolean;
    readonly onClosed?: () => void;
  }) {
    super();
    this.#budget = options.budget;
    this.#onText = options.onText;
    this.#keepsText = options.keepsText !== false;
    this.#onClosed = options.onClosed;
  }

  get text(): string {
    return this.#parts.join("");
  }

  put(text: string): string | undefined {
    if (this.isAbandoned) return "EPIPE";
    this.#budget.spendOutput(text.length);
    if (this.#keepsText) this.#parts.push(text);
    this.#onText?.(text);
    return undefined;
  }

  take(): Running<undefined> {
    this.readError = "EBADF";
    return known(undefined);
  }

  takeLine(): Running<undefined> {
    return this.take();
  }

  protected override onClose(): void {
    this.#onClosed?.();
  }
}

/** Streams that a command made itself, for children that it spawns. */
export class ForeignFile extends OpenFile {
  readonly #input: InputStream | undefined;
  readonly #output: OutputStream | undefined;

  constructor(streams: { readonly input?: InputStream; readonly output?: OutputStream }) {
    super();
    this.#input = streams.input;
    this.#output = streams.output;
  }

  put(text: string): string | undefined {
    if (this.#output === undefined) return "EBADF";
    return this.#output.write(text) ? undefined : "EPIPE";
  }

  *take(): Running<string | undefined> {
    return this.#input === undefined ? undefined : yield* this.#input.readSome();
  }

  *takeLine(): Running<string | undefined> {
    const line = this.#input === undefined ? undefined : yield* this.#input.readLine();
    return line === undefined ? undefined : `${line}\n`;
  }
}

/** A descriptor that is closed: reading and writing fail with EBADF. */
export class ClosedFile extends OpenFile {
  put(text: string): string | undefined {
    return text === "" ? undefined : "EBADF";
  }

  take(): Running<undefined> {
    this.readError = "EBADF";
    return known(undefined);
  }

  takeLine(): Running<undefined> {
    return this.take();
  }
}
