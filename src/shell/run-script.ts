/**
 * Runs a script on a machine as the lab does: `/bin/bash -c SCRIPT` as root, nothing on standard input, outputs into pipes.
 *
 * A script is over when its shell and everybody who holds its outputs open has ended: a background process that was not redirected keeps it open.
 */

import { assert } from "../base/assert.ts";
import { bashEngine } from "./bash/engine.ts";
import { runShellProcess } from "./bash/jobs.ts";
import { type ScriptBudget, Shell } from "./bash/shell.ts";
import { DEFAULT_SHELL_LIMITS, LimitError, type ShellLimits } from "./limits.ts";
import type { Machine } from "./machine.ts";
import { LvsMachine } from "./machine-builder.ts";
import type { Process } from "./process.ts";
import { SIGNAL_NUMBERS } from "./signals.ts";
import { CaptureFile, DeviceFile, type OpenFile, TextInput } from "./streams.ts";
import { delay } from "./waits.ts";

export const SHELL_ENVIRONMENT: ReadonlyMap<string, string> = new Map([
  ["PATH", "/usr/sbin:/usr/bin:/sbin:/bin"],
  ["HOME", "/root"],
  ["LC_ALL", "C"],
  ["TERM", "dumb"],
]);
const EXIT_TIMED_OUT = 124;
const EXIT_LIMIT = 125;

export interface ScriptResult {
  /** The shell's status; minus the number of the signal that killed it; 124 when the time was over. */
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly limitError?: LimitError;
}

export interface ScriptOptions {
  readonly timeoutNs?: number;
  /** Standard input; /dev/null without it. */
  readonly stdin?: string;
  readonly limits?: Partial<ShellLimits>;
  readonly onEnd?: (result: ScriptResult) => void;
  /** Output as it comes. */
  readonly onOutput?: (stream: "stdout" | "stderr", text: string) => void;
}

/** A script that was started. */
export class RunningScript {
  readonly #machine: LvsMachine;
  readonly #options: ScriptOptions;
  readonly #stdout: CaptureFile;
  readonly #stderr: CaptureFile;
  readonly #budget: ScriptBudget;
  #openOutputs = 2;
  #process: Process | undefined;
  #limitError: LimitError | undefined;
  #result: ScriptResult | undefined;
  #cancelTimeout: (() => void) | undefined;

  constructor(machine: Machine, script: string, options: ScriptOptions) {
    assert(machine instanceof LvsMachine, "scripts run on machines made by createMachine");
    this.#machine = machine;
    this.#options = options;
    machine.seal();
    const limits: ShellLimits = { ...DEFAULT_SHELL_LIMITS, ...machine.limits, ...options.limits };
    let spent = 0;
    this.#budget = {
      limits,
      commands: 0,
      line: 0,
      spendOutput: (count) => {
        spent += count;
        if (spent > limits.outputMax) throw new LimitError(machine.host.name, 0, "outputMax", `more than ${limits.outputMax} characters of output`);
      },
    };
    const closed = (): void => {
      this.#openOutputs--;
      this.#finishIfOver();
    };
    const { onOutput } = options;
    this.#stdout = new CaptureFile({ budget: this.#budget, onClosed: closed, onText: (text) => onOutput?.("stdout", text) });
    this.#stderr = new CaptureFile({ budget: this.#budget, onClosed: closed, onText: (text) => onOutput?.("stderr", text) });
    if (options.timeoutNs !== undefined) this.#cancelTimeout = delay(machine.host.loop, options.timeoutNs).begin(() => this.#timeOut());
    this.#start(script);
  }

  get stdout(): string {
    return this.#stdout.text;
  }

  get stderr(): string {
    return this.#stderr.text;
  }

  /** undefined until the script is over. */
  get exit(): number | undefined {
    return this.#result?.exit;
  }

  get result(): ScriptResult | undefined {
    return this.#result;
  }

  /** Nobody reads the outputs any longer: what still runs goes on until it writes. The shell's processes are not ended by it. */
  abandon(): void {
    this.#stdout.isAbandoned = true;
    this.#stderr.isAbandoned = true;
    this.#cancelTimeout?.();
  }

  /** Ctrl-C: SIGINT for the shell and everything that it started. */
  interrupt(): void {
    this.#killAll("INT");
  }

  /** Ends everything of this script at once. */
  kill(): void {
    this.#killAll("KILL");
  }

  #start(script: string): void {
    const { runtime } = this.#machine;
    const { table } = runtime;
    this.#stdout.retain();
    this.#stderr.retain();
    const input = this.#options.stdin === undefined ? new DeviceFile(this.#machine.host.loop, "null") : new TextInput(this.#options.stdin);
    const fds = new Map<number, OpenFile>([
      [0, input.retain()],
      [1, this.#stdout.retain()],
      [2, this.#stderr.retain()],
    ]);
    this.#machine.noteBudget(this.#budget, (error) => this.#limitReached(error));
    this.#process = table.start({ name: "bash", args: ["/bin/bash", "-c", script], parent: undefined, onExit: () => this.#finishIfOver() }, (process) => {
      runtime.adopt(process, fds, this.#budget);
      const shell = new Shell({
        runtime,
        engine: bashEngine,
        budget: this.#budget,
        process,
        fds,
        env: SHELL_ENVIRONMENT,
        cwd: "/",
        name: "/bin/bash",
        args: [],
      });
      shell.executionString = script;
      return runShellProcess(shell, () =>
        bashEngine.runText(shell, script, { name: "environment", firstLine: 1, problemPrefix: "/bin/bash: -c", inPlace: true }),
      );
    });
    this.#stdout.release();
    this.#stderr.release();
    this.#finishIfOver();
  }

  #limitReached(error: LimitError): void {
    if (this.#limitError !== undefined) return;
    this.#limitError = error.line > 0 ? error : error.atLine(this.#budget.line);
    this.#killAll("KILL");
  }

  #timeOut(): void {
    this.#end({ exit: EXIT_TIMED_OUT, stdout: this.stdout, stderr: "timed out" });
    this.#killAll("KILL");
  }

  #killAll(signal: "INT" | "KILL"): void {
    const { runtime } = this.#machine;
    for (const process of [...runtime.table.list].reverse()) if (runtime.budgetOf(process) === this.#budget) runtime.table.kill(process.pid, signal);
  }

  #finishIfOver(): void {
    const process = this.#process;
    if (process === undefined || process.isAlive || this.#openOutputs > 0) return;
    const { table } = this.#machine.runtime;
    if (this.#limitError !== undefined) {
      this.#end({ exit: EXIT_LIMIT, stdout: this.stdout, stderr: `${this.stderr}lvsim: ${this.#limitError.message}\n`, limitError: this.#limitError });
      return;
    }
    const signal = table.endedBy(process);
    this.#end({ exit: signal === undefined ? table.exitOf(process) : -SIGNAL_NUMBERS[signal], stdout: this.stdout, stderr: this.stderr });
  }

  #end(result: ScriptResult): void {
    if (this.#result !== undefined) return;
    this.#result = result;
    this.#cancelTimeout?.();
    this.#machine.forgetBudget(this.#budget);
    this.#options.onEnd?.(result);
  }
}

/** Starts a script; `onEnd` is called when it is over, perhaps before this returns. */
export function runScript(machine: Machine, script: string, options: ScriptOptions = {}): RunningScript {
  return new RunningScript(machine, script, options);
}
