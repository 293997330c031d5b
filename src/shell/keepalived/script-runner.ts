/**
 * Runs the scripts of a daemon as children of its process: notify scripts, track scripts, MISC_CHECK.
 *
 * keepalived v2.2.7 lib/notify.c (notify_exec, system_call_script, script_killall).
 */

import type { ScriptBudget } from "../bash/shell.ts";
import type { LimitError } from "../limits.ts";
import type { LvsMachine } from "../machine-builder.ts";
import type { Process } from "../process.ts";
import { SIGNAL_NUMBERS } from "../signals.ts";
import { DeviceFile, type OpenFile } from "../streams.ts";
import type { SignalName } from "../command.ts";
import type { Script } from "./config/model.ts";
import type { DaemonProcess } from "./daemon-process.ts";

const ENVIRONMENT: ReadonlyMap<string, string> = new Map([["PATH", "/usr/sbin:/usr/bin:/sbin:/bin"]]);
const EXIT_NOT_RUN = 127;

/** How a script ended. */
export type ScriptEnd = { readonly kind: "exit"; readonly status: number } | { readonly kind: "signal"; readonly signal: SignalName; readonly number: number };

export class ScriptRunner {
  readonly #daemon: DaemonProcess;
  readonly #children = new Map<number, Process>();

  constructor(daemon: DaemonProcess) {
    this.#daemon = daemon;
    // Children of a dead process go on, as they do everywhere.
    daemon.onExit(() => this.#children.clear());
  }

  get hasChildren(): boolean {
    return this.#children.size > 0;
  }

  /** Starts a script; `onEnd` is called in the daemon's process. The result is its process id; undefined when it could not be started. */
  start(script: Script, extra: readonly string[], onEnd: (end: ScriptEnd) => void): number | undefined {
    const machine = this.#daemon.machine as LvsMachine;
    const { runtime } = machine;
    const argv = [...(script.hasInterpreter ? [] : ["/bin/sh"]), ...script.args, ...extra];
    const program = runtime.find(argv[0] as string, "/", ENVIRONMENT.get("PATH") as string);
    if (program.kind === "none") {
      this.#daemon.post(() => onEnd({ kind: "exit", status: EXIT_NOT_RUN }));
      return undefined;
    }
    const nothing = (): OpenFile => new DeviceFile(machine.host.loop, "null");
    const fds = new Map<number, OpenFile>([
      [0, nothing()],
      [1, nothing()],
      [2, nothing()],
    ]);
    const budget: ScriptBudget = { limits: machine.limits, commands: 0, line: 0, spendOutput: () => {} };
    const child = runtime.start(program, { argv, env: ENVIRONMENT, cwd: "/", fds, parent: this.#daemon.process, budget });
    machine.noteBudget(budget, (_error: LimitError) => {
      for (const one of [...runtime.table.list].reverse()) if (runtime.budgetOf(one) === budget) runtime.table.kill(one.pid, "KILL");
    });
    this.#children.set(child.pid, child);
    runtime.table.onExit(child, () => {
      machine.forgetBudget(budget);
      if (this.#children.delete(child.pid)) this.#daemon.post(() => onEnd(endOf(machine, child)));
    });
    return child.pid;
  }

  /** Signals a script and everything that it started, as its process group hears it. */
  kill(pid: number, signal: SignalName): void {
    const { processes } = this.#daemon.machine;
    const group = new Set([pid]);
    for (let size = 0; size !== group.size; ) {
      size = group.size;
      for (const one of processes.list) if (group.has(one.parentPid)) group.add(one.pid);
    }
    for (const one of group) processes.kill(one, signal);
  }

  killAll(signal: SignalName): void {
    for (const pid of [...this.#children.keys()]) this.kill(pid, signal);
  }
}

function endOf(machine: LvsMachine, child: Process): ScriptEnd {
  const signal = machine.processes.endedBy(child);
  return signal === undefined ? { kind: "exit", status: machine.processes.exitOf(child) } : { kind: "signal", signal, number: SIGNAL_NUMBERS[signal] };
}
