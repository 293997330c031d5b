/**
 * A terminal of a host: a shell that somebody types into, whose variables, directory and jobs stay from line to line.
 *
 * The shell is src/shell/interactive-session.ts; here is what a program or a page needs around it.
 */

import { NS_PER_SECOND } from "../base/time.ts";
import { InteractiveSession } from "../shell/interactive-session.ts";
import type { Machine } from "../shell/machine.ts";
import { LabError } from "./lab-error.ts";

/** Characters of a transcript that are kept; older ones go. */
const TRANSCRIPT_CHARS_MAX = 1_000_000;
const RUN_TIMEOUT_NS = 120 * NS_PER_SECOND;

/** What a terminal asks of its lab. */
export interface TerminalOwner {
  /** Notes in the journal that a line was typed or interrupted, just before it is. */
  noteLine(terminal: Terminal, text: string): void;
  noteInterrupt(terminal: Terminal): void;
  /** Lets time pass until `isDone`, at most so long. */
  passUntil(isDone: () => boolean, timeoutNs: number): void;
}

/** A root shell on a host, as at its keyboard. Opened by `lab.terminal(host)`. */
export class Terminal {
  readonly host: string;
  /** 0 is the host's first. */
  readonly index: number;
  readonly #session: InteractiveSession;
  readonly #owner: TerminalOwner;
  readonly #listeners = new Set<(text: string, stream: "stdout" | "stderr") => void>();
  #transcript = "";

  /** For `lab.terminal`, which is how to open one. */
  constructor(options: { readonly machine: Machine; readonly index: number; readonly owner: TerminalOwner; readonly outputCharsMax: number }) {
    this.host = options.machine.host.name;
    this.index = options.index;
    this.#owner = options.owner;
    this.#session = new InteractiveSession(options.machine, {
      limits: { outputMax: options.outputCharsMax },
      onOutput: (stream, text) => {
        this.#add(text);
        for (const listener of [...this.#listeners]) listener(text, stream);
      },
    });
  }

  /** `[root@director ~]# ` */
  get prompt(): string {
    return this.#session.prompt;
  }

  /** True while a line runs. */
  get isBusy(): boolean {
    return this.#session.isBusy;
  }

  /** False after `exit`. */
  get isAlive(): boolean {
    return this.#session.isAlive;
  }

  /** Exit status of the last line that has ended ($?). */
  get exit(): number {
    return this.#session.lastStatus;
  }

  /** Prompts, lines and outputs as they would stand on a screen; the last million characters. */
  get transcript(): string {
    return this.#transcript;
  }

  /** Gives a line to the shell now; it runs while time passes. Throws a LabError while another line runs or after `exit`. */
  type(line: string): void {
    if (!this.isAlive) throw new LabError(`the shell of this terminal of ${this.host} has ended; open another: lab.terminal("${this.host}", ${this.index + 1})`);
    if (this.isBusy) throw new LabError(`a line still runs on this terminal of ${this.host}; let time pass or interrupt() it`);
    this.#owner.noteLine(this, line);
    this.#add(`${this.prompt}${line}\n`);
    this.#session.runLine(line, () => {});
  }

  /** Types a line and lets time pass until the prompt is back, at most two simulated minutes; returns what was printed meanwhile. */
  run(line: string): string {
    let output = "";
    const stop = this.onOutput((text) => {
      output += text;
    });
    try {
      this.type(line);
      this.#owner.passUntil(() => !this.isBusy, RUN_TIMEOUT_NS);
    } finally {
      stop();
    }
    return output;
  }

  /** Ctrl-C for the line that runs. */
  interrupt(): void {
    if (!this.isBusy) return;
    this.#owner.noteInterrupt(this);
    this.#session.interrupt();
  }

  /** True when the text ends inside a quote, a here-document or a compound command: ask for more lines before `type`. */
  needsMore(text: string): boolean {
    return this.#session.needsMore(text);
  }

  /** Words that the last word of `text` may become: commands, paths, $variables; at most 500. */
  complete(text: string): readonly string[] {
    return this.#session.complete(text);
  }

  /** Calls `listener` with output as it comes; returns how to stop. */
  onOutput(listener: (text: string, stream: "stdout" | "stderr") => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  #add(text: string): void {
    this.#transcript += text;
    if (this.#transcript.length > TRANSCRIPT_CHARS_MAX * 2) this.#transcript = this.#transcript.slice(-TRANSCRIPT_CHARS_MAX);
  }
}
