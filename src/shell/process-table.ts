/**
 * The processes of one machine: runs the generators of commands, delivers signals, hands out process ids.
 *
 * A process runs until its next wait, then the event loop resumes it. A signal that kills ends the wait and the generator; cleanups run newest
 * first. A dead process leaves the table at once: its exit status goes to whoever asked at its start, there are no zombies to see.
 */

import { assert } from "../base/assert.ts";
import type { SocketOwner } from "../host/host.ts";
import type { EventLoop } from "../kernel/event-loop.ts";
import type { Tracer } from "../trace/tracer.ts";
import type { Running, SignalName, Wait } from "./command.ts";
import { LimitError, type ShellLimits } from "./limits.ts";
import type { Process, ProcessOptions, ProcessTable } from "./process.ts";
import { SIGNAL_NUMBERS } from "./signals.ts";

const PID_MAX = 32768;
const FIRST_PID = 100;
/** A process that goes on after a wait may read and copy much, a turn of a loop or a builtin does little. */
const WAKE_UP_WEIGHT = 5;
/** Signals that do nothing unless they are caught. */
const HARMLESS: ReadonlySet<SignalName> = new Set(["CHLD", "CONT"]);

class TableProcess implements Process {
  readonly pid: number;
  parentPid: number;
  name: string;
  args: readonly string[];
  readonly startedAtNs: number;
  isAlive = true;
  /** The signal that ended it. */
  endedBy: SignalName | undefined;
  exit = 0;
  running: Running<number> | undefined;
  giveUp: (() => void) | undefined;
  /** True while its code is on the JavaScript stack: it cannot be ended before it waits. */
  isOnStack = false;
  isStopped = false;
  /** Trace record of the command that it runs, 0: none. A forked shell goes on under its parent's. */
  traceId = 0;
  isFork = false;
  hasResumeDue = false;
  doom: SignalName | undefined;
  readonly handlers = new Map<SignalName, () => void>();
  stopHandler: ((isStopped: boolean) => void) | undefined;
  readonly cleanups: (() => void)[] = [];
  readonly onExit: ((exit: number) => void) | undefined;
  #nextFd = 3;

  constructor(pid: number, options: ProcessOptions, startedAtNs: number) {
    this.pid = pid;
    this.parentPid = options.parent?.pid ?? 0;
    this.name = options.name.slice(0, 15);
    this.args = options.args;
    this.startedAtNs = startedAtNs;
    this.onExit = options.onExit;
  }

  socketOwner(): SocketOwner {
    return { pid: this.pid, name: this.name, fd: this.#nextFd++ };
  }
}

export class MachineProcessTable implements ProcessTable {
  /** Called with a LimitError that ended a process; others see it as killed. */
  onLimit: ((error: LimitError, process: Process) => void) | undefined;
  readonly watchers = new Set<() => void>();
  readonly #loop: EventLoop;
  readonly #limits: ShellLimits;
  readonly #hostName: string;
  readonly #trace: Tracer;
  readonly #processes = new Map<number, TableProcess>();
  #lastPid = FIRST_PID - 1;
  #stepsAtNs = -1;
  #steps = 0;
  #isCrashed = false;

  constructor(options: { readonly loop: EventLoop; readonly limits: ShellLimits; readonly hostName: string; readonly trace: Tracer }) {
    this.#trace = options.trace;
    this.#loop = options.loop;
    this.#limits = options.limits;
    this.#hostName = options.hostName;
    const init = new TableProcess(1, { name: "sleep", args: ["sleep", "infinity"], parent: undefined }, 0);
    this.#processes.set(1, init);
  }

  get list(): readonly Process[] {
    return [...this.#processes.values()];
  }

  byPid(pid: number): Process | undefined {
    return this.#processes.get(pid);
  }

  /**
   * Counts a step of any kind at the present time; throws when the clock seems to stand still for ever. `weight`: how much work it is beside a
   * turn of a loop.
   */
  countStep(line = 0, weight = 1): void {
    if (this.#loop.nowNs !== this.#stepsAtNs) {
      this.#stepsAtNs = this.#loop.nowNs;
      this.#steps = 0;
    }
    this.#steps += weight;
    if (this.#steps > this.#limits.stepsAtOneTimeMax)
      throw new LimitError(
        this.#hostName,
        line,
        "stepsAtOneTimeMax",
        `${this.#limits.stepsAtOneTimeMax} steps without simulated time passing (an endless loop?)`,
      );
  }

  start(options: ProcessOptions, body: (process: Process) => number | Running<number>): Process {
    if (this.#processes.size >= this.#limits.processesMax) throw new LimitError(this.#hostName, 0, "processesMax", `${this.#limits.processesMax} processes`);
    const process = new TableProcess(this.#newPid(), options, this.#loop.nowNs);
    this.#processes.set(process.pid, process);
    this.#tell();
    const followed = this.#traceStart(process, options.parent);
    try {
      this.#run(process, body);
    } finally {
      if (this.#trace.isFull) this.#trace.follow(followed);
    }
    return process;
  }

  #run(process: TableProcess, body: (process: Process) => number | Running<number>): void {
    process.isOnStack = true;
    let result: number | Running<number>;
    try {
      result = body(process);
    } catch (error) {
      this.#failed(process, error);
      return;
    }
    process.isOnStack = false;
    if (typeof result === "number") {
      this.#finish(process, result, process.doom);
      return;
    }
    process.running = result;
    this.#advance(process);
  }

  /** What the process does follows from its command's record. Returns what the present event followed from. */
  #traceStart(process: TableProcess, parent: Process | undefined): number {
    const trace = this.#trace;
    if (!trace.isFull) return 0;
    const parentId = parent instanceof TableProcess ? parent.traceId : 0;
    // A fork has its parent's arguments, the very same.
    process.isFork = parent !== undefined && parent.args === process.args;
    process.traceId = process.isFork ? parentId : this.#traceCommand(process, parentId);
    return trace.follow(process.traceId);
  }

  /** Records that a command could not be started: no process, so its number is 0. */
  traceMissing(argv: readonly string[], exit: number, parent: Process): void {
    const trace = this.#trace;
    if (!trace.isFull) return;
    const command = argv.join(" ");
    const cause = trace.emit({ kind: "command-start", host: this.#hostName, pid: 0, command, cause: parent instanceof TableProcess ? parent.traceId : 0 });
    trace.emit({ kind: "command-end", host: this.#hostName, pid: 0, command, exit, cause });
  }

  #traceCommand(process: TableProcess, cause: number): number {
    return this.#trace.emit({ kind: "command-start", host: this.#hostName, pid: process.pid, command: process.args.join(" "), cause });
  }

  kill(pid: number, signal: SignalName): string | undefined {
    const process = this.#processes.get(pid);
    if (process === undefined) return "ESRCH";
    this.#signal(process, signal);
    return undefined;
  }

  onSignal(process: Process, signal: SignalName, handler: () => void): void {
    this.#own(process).handlers.set(signal, handler);
  }

  onStopped(process: Process, handler: (isStopped: boolean) => void): void {
    this.#own(process).stopHandler = handler;
  }

  /** Back to the default action. */
  clearSignal(process: Process, signal: SignalName): void {
    this.#own(process).handlers.delete(signal);
  }

  onExit(process: Process, cleanup: () => void): void {
    const own = this.#own(process);
    if (own.isAlive) own.cleanups.push(cleanup);
    else cleanup();
  }

  /** execve(2): the process goes on as another program. Caught signals go back to their default. */
  become(process: Process, name: string, args: readonly string[]): void {
    const own = this.#own(process);
    own.name = name.slice(0, 15);
    own.args = args;
    own.handlers.clear();
    this.#tell();
    if (!this.#trace.isFull) return;
    own.isFork = false;
    own.traceId = this.#traceCommand(own, own.traceId);
    this.#trace.follow(own.traceId);
  }

  #tell(): void {
    for (const watcher of [...this.watchers]) watcher();
  }

  /** The signal that ended a process; undefined when it lives or ended by itself. */
  endedBy(process: Process): SignalName | undefined {
    return this.#own(process).endedBy;
  }

  exitOf(process: Process): number {
    return this.#own(process).exit;
  }

  /** True when a deadly signal came while the process was running: it ends at its next wait. */
  isDoomed(process: Process): boolean {
    return this.#own(process).doom !== undefined;
  }

  crash(): void {
    this.#isCrashed = true;
    for (const process of [...this.#processes.values()].reverse()) if (process.isAlive) this.#signalDeath(process, "KILL");
    this.#processes.clear();
  }

  get isCrashed(): boolean {
    return this.#isCrashed;
  }

  #own(process: Process): TableProcess {
    assert(process instanceof TableProcess, "a process of another table");
    return process;
  }

  #newPid(): number {
    do this.#lastPid = this.#lastPid >= PID_MAX - 1 ? FIRST_PID : this.#lastPid + 1;
    while (this.#processes.has(this.#lastPid));
    return this.#lastPid;
  }

  #signal(process: TableProcess, signal: SignalName): void {
    if (process.pid === 1) return;
    if (signal === "STOP") {
      if (!process.isStopped) process.stopHandler?.(true);
      process.isStopped = true;
      return;
    }
    if (signal === "CONT" || signal === "KILL") {
      if (process.isStopped) process.stopHandler?.(false);
      process.isStopped = false;
      if (process.hasResumeDue && signal === "CONT") {
        process.hasResumeDue = false;
        this.#advance(process);
      }
    }
    const handler = signal === "KILL" ? undefined : process.handlers.get(signal);
    if (handler !== undefined) handler();
    else if (!HARMLESS.has(signal)) this.#signalDeath(process, signal);
  }

  #signalDeath(process: TableProcess, signal: SignalName): void {
    if (!process.isAlive) return;
    if (process.isOnStack) {
      process.doom ??= signal;
      return;
    }
    process.giveUp?.();
    process.giveUp = undefined;
    const running = process.running;
    process.running = undefined;
    process.isOnStack = true;
    try {
      running?.return(0);
    } finally {
      process.isOnStack = false;
    }
    this.#finish(process, 128 + SIGNAL_NUMBERS[signal], signal);
  }

  #advance(process: TableProcess): void {
    while (process.isAlive && process.running !== undefined) {
      let step: IteratorResult<Wait, number>;
      process.isOnStack = true;
      try {
        this.countStep(0, WAKE_UP_WEIGHT);
        step = process.running.next();
      } catch (error) {
        this.#failed(process, error);
        return;
      }
      process.isOnStack = false;
      if (step.done === true) {
        process.running = undefined;
        this.#finish(process, step.value, process.doom);
        return;
      }
      if (process.doom !== undefined) {
        this.#signalDeath(process, process.doom);
        return;
      }
      if (!this.#beginWait(process, step.value)) return;
    }
  }

  /** True when the wait was over at once. */
  #beginWait(process: TableProcess, wait: Wait): boolean {
    let isOver = false;
    let isBeginning = true;
    const giveUp = wait.begin(() => {
      if (isOver || !process.isAlive) return;
      isOver = true;
      process.giveUp = undefined;
      if (isBeginning) return;
      if (process.isStopped) process.hasResumeDue = true;
      else this.#advance(process);
    });
    isBeginning = false;
    if (isOver) return true;
    process.giveUp = () => {
      isOver = true;
      giveUp();
    };
    return false;
  }

  #failed(process: TableProcess, error: unknown): void {
    process.isOnStack = false;
    process.running = undefined;
    if (error instanceof LimitError && this.onLimit !== undefined) {
      this.onLimit(error, process);
      this.#finish(process, 125, undefined);
      return;
    }
    this.#finish(process, 125, undefined);
    throw error;
  }

  #finish(process: TableProcess, exit: number, signal: SignalName | undefined): void {
    if (!process.isAlive) return;
    process.isAlive = false;
    process.endedBy = signal;
    process.exit = signal === undefined ? exit & 255 : 128 + SIGNAL_NUMBERS[signal];
    this.#processes.delete(process.pid);
    if (this.#trace.isFull && !process.isFork)
      this.#trace.emit({ kind: "command-end", host: this.#hostName, pid: process.pid, command: process.args.join(" "), exit: process.exit, cause: process.traceId });
    for (const other of this.#processes.values()) if (other.parentPid === process.pid) other.parentPid = 1;
    for (let i = process.cleanups.length - 1; i >= 0; i--) process.cleanups[i]?.();
    process.cleanups.length = 0;
    this.#tell();
    process.onExit?.(process.exit);
  }
}
