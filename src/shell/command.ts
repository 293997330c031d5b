/**
 * What a simulated command is, and what it gets.
 *
 * Commands are synchronous: a command that needs no simulated time is a plain function, one that waits is a generator that yields Waits.
 * The process table runs generators; a wait ends when the event loop says so, so that everything stays in the loop's one order.
 */

import type { Machine } from "./machine.ts";
import type { Process } from "./process.ts";

/** Something to wait for. `begin` arranges that `resume` is called once, later, inside an event; it returns how to give up. */
export interface Wait {
  begin(resume: () => void): () => void;
}

/** A computation that may wait; the result is its value. */
export type Running<T> = Generator<Wait, T, void>;

/** Standard input of a command. Reading waits for a pipe's writer. */
export interface InputStream {
  /** One line without its newline; undefined at the end. */
  readLine(): Running<string | undefined>;
  readAll(): Running<string>;
  /** Whatever is there now, at least one character and at most `max`; undefined at the end. */
  readSome(max?: number): Running<string | undefined>;
}

/** Standard output or error. Text is UTF-16 in memory; bytes of binary files are kept one character each (0 to 255). */
export interface OutputStream {
  /** False when nobody will ever read it (the pipe is broken): a command that goes on writing is killed by SIGPIPE. */
  write(text: string): boolean;
}

export type SignalName = "HUP" | "INT" | "QUIT" | "KILL" | "USR1" | "USR2" | "PIPE" | "ALRM" | "TERM" | "CHLD" | "CONT" | "STOP";

export interface CommandContext {
  /** argv[0] as typed. */
  readonly name: string;
  /** argv without argv[0]. */
  readonly args: readonly string[];
  /** Exported variables. */
  readonly env: ReadonlyMap<string, string>;
  readonly cwd: string;
  readonly machine: Machine;
  readonly process: Process;
  readonly stdin: InputStream;
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  sleep(delayNs: number): Running<void>;
  /** Waits until `resolve` is called. `start` returns how to give up (the command was killed). */
  waitFor<T>(start: (resolve: (value: T) => void) => () => void): Running<T>;
  /**
   * Runs another command as a child and waits for it (timeout, xargs, watch, env, nohup). Output goes to this command's unless given.
   * 127 and 126 without a word when there is no such command or it cannot be executed: the caller has its own words for that.
   */
  spawn(
    argv: readonly string[],
    options?: {
      readonly stdin?: InputStream;
      readonly stdout?: OutputStream;
      readonly stderr?: OutputStream;
      readonly env?: ReadonlyMap<string, string>;
      readonly onStart?: (child: Process) => void;
    },
  ): Running<number>;
  /** Called instead of dying when the signal comes; the command then ends by itself. */
  onSignal(signal: SignalName, handler: () => void): void;
  /** Called when the command ends in whatever way: closes sockets, removes taps. */
  onExit(cleanup: () => void): void;
}

export interface Command {
  /** Where it is installed: `/usr/sbin/ipvsadm`. The last part is its name. */
  readonly path: string;
  /** The exit status, at once or after waits. */
  run(context: CommandContext): number | Running<number>;
}
