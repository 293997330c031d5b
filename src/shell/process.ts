/**
 * Processes of one machine: what ps, pgrep, kill and netstat -p see, and who runs the generators of commands.
 */

import type { SocketOwner } from "../host/host.ts";
import type { Running, SignalName } from "./command.ts";

export interface Process {
  readonly pid: number;
  readonly parentPid: number;
  /** The command's name (comm), at most 15 characters. */
  readonly name: string;
  readonly args: readonly string[];
  readonly startedAtNs: number;
  readonly isAlive: boolean;
  /** Owner record for sockets that this process opens. */
  socketOwner(): SocketOwner;
}

export interface ProcessOptions {
  readonly name: string;
  readonly args: readonly string[];
  readonly parent: Process | undefined;
  /** Called once with the exit status, inside the event that ended it. Killed by a signal: 128 + its number. */
  readonly onExit?: (exit: number) => void;
}

export interface ProcessTable {
  readonly list: readonly Process[];
  /** Called when a process starts, becomes another program, or ends (the kernel's process events connector). */
  readonly watchers: Set<() => void>;
  byPid(pid: number): Process | undefined;
  /** Starts a body. It runs at once until its first wait. `body` gets the process. */
  start(options: ProcessOptions, body: (process: Process) => number | Running<number>): Process;
  /** ESRCH when there is no such process. */
  kill(pid: number, signal: SignalName): string | undefined;
  /** What to do instead of dying by a signal. */
  onSignal(process: Process, signal: SignalName, handler: () => void): void;
  /** Tells when a process is stopped (SIGSTOP) and when it goes on: for daemons, whose work is not in their generator. */
  onStopped(process: Process, handler: (isStopped: boolean) => void): void;
  /** Cleanups at the end of a process, newest first. */
  onExit(process: Process, cleanup: () => void): void;
  /** Ends every process without any goodbye: the host crashed. */
  crash(): void;
}
