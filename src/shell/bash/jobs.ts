/**
 * Processes of a shell: subshells, pipelines, background jobs, and waiting for them.
 */

import type { AndOr, Pipeline, PipelineNode, Statement } from "unbash";
import type { Running, SignalName } from "../command.ts";
import type { Process } from "../process.ts";
import { SIGNAL_TEXTS } from "../signals.ts";
import { DeviceFile, makePipe, type OpenFile } from "../streams.ts";
import { waitForValue } from "../waits.ts";
import { ExpansionFailure, FunctionReturn, LoopExit, ShellExit } from "./control-flow.ts";
import type { Job, Shell } from "./shell.ts";

/** Runs what a shell process does until its end, its EXIT trap included. */
export function* runShellProcess(shell: Shell, body: () => Running<number>): Running<number> {
  let status = yield* untilExit(shell, body);
  const { dyingOf } = shell;
  shell.dyingOf = undefined;
  if (dyingOf !== undefined) shell.pendingTraps.length = 0;
  const action = shell.traps.get("EXIT");
  if (action !== undefined && action !== "") {
    shell.traps.delete("EXIT");
    shell.lastStatus = status;
    const after = yield* untilExit(shell, function* (): Running<number> {
      yield* shell.engine.runText(shell, action, { name: shell.unit?.name ?? shell.name, firstLine: 1, problemPrefix: `${shell.name}: exit trap` });
      return status;
    });
    status = after;
  }
  if (dyingOf !== undefined) {
    shell.table.clearSignal(shell.process, dyingOf);
    shell.table.kill(shell.process.pid, dyingOf);
  }
  return status;
}

function* untilExit(shell: Shell, body: () => Running<number>): Running<number> {
  try {
    return yield* body();
  } catch (error) {
    if (error instanceof ShellExit || error instanceof ExpansionFailure || error instanceof FunctionReturn) return error.status;
    if (error instanceof LoopExit) return shell.lastStatus;
    throw error;
  }
}

/** fork(2): a copy of the shell in a process of its own. `files` replaces open files of the copy. */
export function startSubshell(shell: Shell, files: ReadonlyMap<number, OpenFile>, body: (sub: Shell) => Running<number>): Process {
  const sub = shell.fork();
  return shell.table.start({ name: shell.process.name, args: shell.process.args, parent: shell.process }, (process) => {
    sub.process = process;
    for (const [fd, file] of files) sub.fds.set(fd, file);
    for (const file of sub.fds.values()) file.retain();
    shell.runtime.adopt(process, sub.fds, shell.budget);
    for (const [name, action] of sub.traps) if (action === "") ignoreSignal(sub, name);
    return runShellProcess(sub, () => body(sub));
  });
}

export function ignoreSignal(shell: Shell, name: string): void {
  if (name !== "EXIT" && name !== "ERR" && name !== "KILL" && name !== "STOP") shell.table.onSignal(shell.process, name as SignalName, () => {});
}

/** Starts the elements of a pipeline; the last process stands for it. */
export function startPipeline(shell: Shell, pipeline: Pipeline, firstInput: OpenFile | undefined): Process[] {
  const processes: Process[] = [];
  let input = firstInput?.retain();
  for (const [i, command] of pipeline.commands.entries()) {
    const files = new Map<number, OpenFile>();
    if (input !== undefined) files.set(0, input);
    const operator = pipeline.operators[i];
    const pipe = operator === undefined ? undefined : makePipe(shell.machine.host.loop);
    const next = pipe?.reader.retain();
    if (pipe !== undefined) files.set(1, pipe.writer);
    if (pipe !== undefined && operator === "|&") files.set(2, pipe.writer);
    processes.push(startSubshell(shell, files, (sub) => sub.engine.runNode(sub, command, true)));
    input?.release();
    input = next;
  }
  return processes;
}

/** Waits for one child; a signal with a trap waits until it has ended, as in bash. */
export function* waitForChild(shell: Shell, process: Process): Running<number> {
  const text = shell.runningNode === undefined ? process.args.join(" ") : shell.unit?.text.slice(shell.runningNode.pos, shell.runningNode.end);
  const status = yield* waitOrDie(shell, process);
  const signal = shell.table.endedBy(process);
  if (signal !== undefined && signal !== "INT" && signal !== "PIPE") reportDeath(shell, process, signal, text ?? "");
  return status;
}

function* waitOrDie(shell: Shell, process: Process): Running<number> {
  while (process.isAlive) {
    yield* waitForValue<void>(shell.machine.host.loop, (resolve) => {
      shell.table.onExit(process, () => resolve());
      shell.interrupt = () => {
        if (shell.dyingOf !== undefined) resolve();
      };
      return () => {
        shell.interrupt = undefined;
      };
    });
    shell.interrupt = undefined;
    if (shell.dyingOf !== undefined && process.isAlive) throw new ShellExit(128);
  }
  return shell.table.exitOf(process);
}

function reportDeath(shell: Shell, process: Process, signal: SignalName, command: string): void {
  const text = SIGNAL_TEXTS[signal];
  if (text === "") return;
  if (shell.isInteractive || signal === "TERM") shell.errorOutput(`${text}\n`);
  else shell.complain(`${String(process.pid).padStart(5)} ${text.padEnd(23)} ${command}`);
}

/** `statement &` */
export function startJob(shell: Shell, statement: Statement): void {
  const { command } = statement;
  const input = shell.isInteractive ? undefined : new DeviceFile(shell.machine.host.loop, "null");
  let processes: readonly Process[];
  if (command.type === "Pipeline" && command.prefixes.length === 0) processes = startPipeline(shell, command, input);
  else processes = [startSubshell(shell, new Map(input === undefined ? [] : [[0, input]]), (sub) => runInBackground(sub, command))];
  const source = shell.unit?.text.slice(statement.pos, command.end) ?? "";
  const job: Job = {
    number: Math.max(0, ...shell.jobs.map((one) => one.number)) + 1,
    processes,
    statuses: processes.map(() => undefined),
    text: source.trim().replace(/\s*\n\s*/g, "; "),
    isReported: false,
  };
  shell.jobs.push(job);
  const last = processes.at(-1) as Process;
  shell.lastBackgroundPid = last.pid;
  if (shell.isInteractive) shell.errorOutput(`[${job.number}] ${last.pid}\n`);
}

function* runInBackground(sub: Shell, command: PipelineNode | AndOr): Running<number> {
  return yield* sub.engine.runNode(sub, command, true);
}

export function isJobRunning(job: Job): boolean {
  return job.processes.some((process) => process.isAlive);
}

/** Status of a job that has ended: its last process's. */
export function jobStatus(shell: Shell, job: Job): number {
  return shell.table.exitOf(job.processes.at(-1) as Process);
}

/** Waits until the job has ended or a trap's signal came; undefined in that case. */
export function* waitForJobs(shell: Shell, isDone: () => boolean, jobs: readonly Job[]): Running<boolean> {
  while (!isDone()) {
    yield* waitForValue<void>(shell.machine.host.loop, (resolve) => {
      for (const job of jobs) for (const process of job.processes) if (process.isAlive) shell.table.onExit(process, () => resolve());
      shell.interrupt = resolve;
      return () => {
        shell.interrupt = undefined;
      };
    });
    shell.interrupt = undefined;
    if (shell.dyingOf !== undefined) throw new ShellExit(128);
    if (shell.pendingTraps.length > 0) return false;
  }
  return true;
}

/** `%1`, `%%`, `%+`, `%-`, `%text`, `%?text`. */
export function findJob(shell: Shell, spec: string): Job | undefined {
  const running = shell.jobs.filter((job) => isJobRunning(job) || !job.isReported);
  const name = spec.slice(1);
  if (name === "" || name === "%" || name === "+") return running.at(-1);
  if (name === "-") return running.at(-2) ?? running.at(-1);
  if (/^\d+$/.test(name)) return running.find((job) => job.number === Number(name));
  return name.startsWith("?") ? running.find((job) => job.text.includes(name.slice(1))) : running.find((job) => job.text.startsWith(name));
}
