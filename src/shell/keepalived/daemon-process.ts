/**
 * One process of a daemon, driven by events: what happens to it becomes a task that it runs, one after the other, as keepalived's I/O multiplexer
 * does. A process that is stopped runs nothing; one that is killed leaves its timers and sockets.
 */

import { NS_PER_US } from "../../base/time.ts";
import type { EventId, EventTarget } from "../../kernel/event-loop.ts";
import type { Running, SignalName } from "../command.ts";
import type { Machine } from "../machine.ts";
import type { Process } from "../process.ts";

/** Bound on tasks that wait: a process that is stopped for long hears no more. */
const TASKS_MAX = 10_000;

export type Task = () => void;

/** A timer that has been set; `cancel` may be called at any time. */
export interface DaemonTimer {
  readonly isPending: boolean;
  readonly dueNs: number;
  cancel(): void;
}

class PendingTimer implements DaemonTimer, EventTarget {
  isPending = true;
  readonly dueNs: number;
  readonly #daemon: DaemonProcess;
  readonly #task: Task;
  readonly #id: EventId;

  constructor(daemon: DaemonProcess, dueNs: number, task: Task) {
    this.dueNs = dueNs;
    this.#daemon = daemon;
    this.#task = task;
    this.#id = daemon.machine.host.loop.at(dueNs, this);
  }

  onEvent(): void {
    this.#daemon.forget(this);
    // What cancels it may still come before the process gets to it.
    this.#daemon.post(() => {
      if (!this.isPending) return;
      this.isPending = false;
      this.#task();
    });
  }

  cancel(): void {
    if (!this.isPending) return;
    this.isPending = false;
    this.#daemon.machine.host.loop.cancel(this.#id);
    this.#daemon.forget(this);
  }
}

export class DaemonProcess {
  readonly machine: Machine;
  readonly process: Process;
  readonly #tasks: Task[] = [];
  readonly #timers = new Set<PendingTimer>();
  #resume: (() => void) | undefined;
  #exit: number | undefined;

  constructor(machine: Machine, process: Process) {
    this.machine = machine;
    this.process = process;
    machine.processes.onExit(process, () => this.clearTimers());
  }

  get nowNs(): number {
    return this.machine.host.loop.nowNs;
  }

  get isEnding(): boolean {
    return this.#exit !== undefined;
  }

  /** Runs a task when the process gets to it: at once, unless it is busy or stopped. */
  post(task: Task): void {
    if (!this.process.isAlive || this.#tasks.length >= TASKS_MAX) return;
    this.#tasks.push(task);
    const resume = this.#resume;
    this.#resume = undefined;
    resume?.();
  }

  /** `delayUs` 0 lets everything else that is due now go first. */
  after(delayUs: number, task: Task): DaemonTimer {
    return this.at(this.nowNs + Math.max(0, delayUs) * NS_PER_US, task);
  }

  at(dueNs: number, task: Task): DaemonTimer {
    const timer = new PendingTimer(this, Math.max(this.nowNs, dueNs), task);
    this.#timers.add(timer);
    return timer;
  }

  forget(timer: PendingTimer): void {
    this.#timers.delete(timer);
  }

  clearTimers(): void {
    for (const timer of [...this.#timers]) timer.cancel();
  }

  onSignal(signal: SignalName, task: Task): void {
    this.machine.processes.onSignal(this.process, signal, () => this.post(task));
  }

  onExit(cleanup: Task): void {
    this.machine.processes.onExit(this.process, cleanup);
  }

  /** The process ends when the present task is done. */
  exit(status: number): void {
    this.#exit ??= status;
    this.post(() => {});
  }

  /** The body of the process. */
  *run(): Running<number> {
    while (this.#exit === undefined) {
      const task = this.#tasks.shift();
      if (task !== undefined) {
        task();
        continue;
      }
      yield {
        begin: (resume) => {
          if (this.#tasks.length > 0 || this.#exit !== undefined) {
            resume();
            return () => {};
          }
          this.#resume = resume;
          return () => {
            this.#resume = undefined;
          };
        },
      };
    }
    return this.#exit;
  }
}
