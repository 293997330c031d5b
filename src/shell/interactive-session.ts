/**
 * A bash that somebody types into, line by line: variables, directory, functions and jobs stay between the lines.
 *
 * Linux differs: there is no terminal, so that job control is only what `jobs`, `fg`, `kill %1` and Ctrl-C need.
 */

import { assert } from "../base/assert.ts";
import { jobBuiltinText } from "./bash/builtins/jobs.ts";
import { LoopExit } from "./bash/control-flow.ts";
import { bashEngine } from "./bash/engine.ts";
import { isJobRunning, runShellProcess } from "./bash/jobs.ts";
import { type ScriptBudget, Shell } from "./bash/shell.ts";
import { makeUnit, syntaxProblem } from "./bash/source-unit.ts";
import type { Running } from "./command.ts";
import { LimitError, type ShellLimits } from "./limits.ts";
import type { Machine } from "./machine.ts";
import { LvsMachine } from "./machine-builder.ts";
import type { Process } from "./process.ts";
import { SHELL_ENVIRONMENT } from "./run-script.ts";
import { CaptureFile, DeviceFile, type OpenFile } from "./streams.ts";
import { WaitQueue } from "./waits.ts";

const CANDIDATES_MAX = 500;

export interface SessionOptions {
  readonly onOutput: (stream: "stdout" | "stderr", text: string) => void;
  readonly limits?: Partial<ShellLimits>;
}

export class InteractiveSession {
  readonly #machine: LvsMachine;
  readonly #options: SessionOptions;
  readonly #shell: Shell;
  readonly #process: Process;
  readonly #lines: string[] = [];
  readonly #typed: WaitQueue;
  readonly #budget: ScriptBudget;
  #spent = 0;
  #isBusy = false;
  #onDone: ((status: number) => void) | undefined;

  constructor(machine: Machine, options: SessionOptions) {
    assert(machine instanceof LvsMachine, "sessions run on machines made by createMachine");
    this.#machine = machine;
    this.#options = options;
    machine.seal();
    const { loop } = machine.host;
    const limits: ShellLimits = { ...machine.limits, ...options.limits };
    this.#typed = new WaitQueue(loop);
    this.#budget = { limits, commands: 0, line: 0, spendOutput: (count) => this.#spendOutput(count, limits.outputMax) };
    const fds = new Map<number, OpenFile>([
      [0, new DeviceFile(loop, "null").retain()],
      [1, new CaptureFile({ budget: this.#budget, onText: (text) => options.onOutput("stdout", text), keepsText: false }).retain()],
      [2, new CaptureFile({ budget: this.#budget, onText: (text) => options.onOutput("stderr", text), keepsText: false }).retain()],
    ]);
    machine.noteBudget(this.#budget, (error) => this.#limitReached(error));
    let shell: Shell | undefined;
    this.#process = machine.processes.start({ name: "bash", args: ["-bash"], parent: undefined, onExit: () => this.#done(0) }, (process) => {
      machine.runtime.adopt(process, fds, this.#budget);
      const own = new Shell({
        runtime: machine.runtime,
        engine: bashEngine,
        budget: this.#budget,
        process,
        fds,
        env: SHELL_ENVIRONMENT,
        cwd: "/root",
        name: "bash",
        args: [],
      });
      own.isInteractive = true;
      own.shopts.add("expand_aliases");
      shell = own;
      return runShellProcess(own, () => this.#serve(own));
    });
    assert(shell !== undefined, "the shell has started");
    this.#shell = shell;
  }

  /** False after `exit`. */
  get isAlive(): boolean {
    return this.#process.isAlive;
  }

  /** True while a line runs. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  get lastStatus(): number {
    return this.#shell.lastStatus;
  }

  /** `[root@node ~]# ` */
  get prompt(): string {
    const home = this.#shell.readText("HOME");
    const { cwd } = this.#shell;
    const shown = cwd === home ? "~" : cwd === "/" ? "/" : cwd.slice(cwd.lastIndexOf("/") + 1);
    return `[root@${this.#machine.hostname} ${shown}]# `;
  }

  /** See `needsMoreLines`. */
  needsMore(text: string): boolean {
    return needsMoreLines(text);
  }

  /** Runs a line (or several); `onDone` is called when the prompt would come back. Output that background jobs give comes whenever it does. */
  runLine(text: string, onDone: (status: number) => void): void {
    assert(this.isAlive && !this.#isBusy, "a line is given to an idle session");
    this.#isBusy = true;
    this.#onDone = onDone;
    this.#spent = 0;
    this.#budget.commands = 0;
    this.#lines.push(text);
    this.#typed.wake();
  }

  /** Ctrl-C: ends what runs in the foreground. */
  interrupt(): void {
    if (!this.#isBusy) return;
    const { processes, runtime } = this.#machine;
    const jobs = new Set(this.#shell.jobs.flatMap((job) => job.processes.map((process) => process.pid)));
    const isJob = (process: Process): boolean => {
      for (let one: Process | undefined = process; one !== undefined; one = processes.byPid(one.parentPid)) if (jobs.has(one.pid)) return true;
      return false;
    };
    for (const process of [...processes.list].reverse()) {
      if (process.pid !== this.#process.pid && runtime.budgetOf(process) === this.#budget && !isJob(process)) processes.kill(process.pid, "INT");
    }
  }

  /** Words that the last word of the text may become: commands for the first word of a command, paths for others. */
  complete(text: string): readonly string[] {
    const word = /[^\s;&|()<>"']*$/.exec(text)?.[0] ?? "";
    const before = text.slice(0, text.length - word.length);
    if (word.startsWith("$"))
      return this.#shell.variables
        .visible()
        .map(([name]) => `$${name}`)
        .filter((name) => name.startsWith(word));
    const isCommand = /(?:^|[;&|(]|\b(?:then|do|else|sudo|time)\s)\s*$/.test(before) && !word.includes("/");
    const found = isCommand ? this.#commandNames().filter((name) => name.startsWith(word)) : this.#pathsLike(word);
    return found.slice(0, CANDIDATES_MAX);
  }

  #commandNames(): string[] {
    const names = new Set<string>(this.#shell.functions.keys());
    for (const path of this.#machine.commands.keys()) names.add(path.slice(path.lastIndexOf("/") + 1));
    for (const name of ["cd", "echo", "export", "exit", "for", "if", "jobs", "kill", "source", "while"]) names.add(name);
    return [...names].sort();
  }

  #pathsLike(word: string): string[] {
    const { files } = this.#machine;
    const slash = word.lastIndexOf("/");
    const folder = word.slice(0, slash + 1);
    const path = files.resolve(this.#shell.cwd, folder === "" ? "." : folder);
    if (files.status(path)?.type !== "directory") return [];
    const start = word.slice(slash + 1);
    return files
      .list(path)
      .filter((name) => name.startsWith(start) && (start.startsWith(".") || !name.startsWith(".")))
      .map((name) => `${folder}${name}${files.status(`${path}/${name}`)?.type === "directory" ? "/" : ""}`);
  }

  *#serve(shell: Shell): Running<number> {
    for (;;) {
      while (this.#lines.length === 0) yield this.#typed.wait();
      const line = this.#lines.shift() as string;
      try {
        shell.lastStatus = yield* bashEngine.runText(shell, line, { name: "main", firstLine: 1, problemPrefix: "bash" });
      } catch (error) {
        if (!(error instanceof LoopExit)) throw error;
      }
      for (const text of this.#endedJobs(shell)) shell.errorOutput(text);
      this.#done(shell.lastStatus);
    }
  }

  /** `[1]+  Done    sleep 1`, once for each job. */
  #endedJobs(shell: Shell): string[] {
    const ended = shell.jobs.filter((job) => !isJobRunning(job));
    const lines = ended.filter((job) => !job.isReported).map((job) => jobBuiltinText(shell, job));
    shell.jobs = shell.jobs.filter((job) => !ended.includes(job));
    return lines;
  }

  #done(status: number): void {
    if (!this.#isBusy) return;
    this.#isBusy = false;
    this.#onDone?.(status);
  }

  #spendOutput(count: number, max: number): void {
    this.#spent += count;
    if (this.#spent > max) throw new LimitError(this.#machine.host.name, 0, "outputMax", `more than ${max} characters of output`);
  }

  /** A limit ends the session's processes; a new session can be opened. */
  #limitReached(error: LimitError): void {
    this.#options.onOutput("stderr", `lvsim: ${error.message}\n`);
    const { processes, runtime } = this.#machine;
    for (const process of [...processes.list].reverse()) if (runtime.budgetOf(process) === this.#budget) processes.kill(process.pid, "KILL");
  }
}

/** True when the text ends inside a quote, a here-document or a compound command: more lines are wanted. */
export function needsMoreLines(text: string): boolean {
  const problem = syntaxProblem(makeUnit(text, "main"));
  if (problem !== undefined) return problem.message.includes("unexpected end of file") || problem.message.includes("unexpected EOF");
  return /(?:^|[^\\])(?:\\\\)*\\\n?$/.test(text) || hasOpenHereDocument(text);
}

function hasOpenHereDocument(text: string): boolean {
  for (const match of text.matchAll(/(?<!<)<<-?\s*(["']?)([A-Za-z_]\w*)\1/g)) {
    const lines = text.slice(match.index).split("\n").slice(1);
    if (!lines.some((line) => line.replace(/^\t+/, "") === match[2])) return true;
  }
  return false;
}
