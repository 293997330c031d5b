/**
 * jobs, wait, kill, fg, bg, disown.
 */

import type { Running } from "../../command.ts";
import { ALL_SIGNAL_NAMES, parseSignal, SIGNAL_NUMBERS, SIGNAL_TEXTS } from "../../signals.ts";
import { findJob, isJobRunning, jobStatus, waitForJobs } from "../jobs.ts";
import type { Job, Shell } from "../shell.ts";
import type { Builtin } from "../simple-command.ts";
import { signalTable } from "./control.ts";
import { builtinOptions, print, usage } from "./support.ts";

function stateOf(shell: Shell, job: Job): string {
  if (isJobRunning(job)) return "Running";
  const signal = shell.table.endedBy(job.processes.at(-1) as Job["processes"][number]);
  if (signal !== undefined) return SIGNAL_TEXTS[signal];
  const status = jobStatus(shell, job);
  return status === 0 ? "Done" : `Exit ${status}`;
}

/** One line of `jobs`. */
export function jobBuiltinText(shell: Shell, job: Job, withPid = false): string {
  const list = shell.jobs;
  const mark = job === list.at(-1) ? "+" : job === list.at(-2) ? "-" : " ";
  const pid = withPid ? `${job.processes.at(-1)?.pid} ` : "";
  return `[${job.number}]${mark}  ${pid}${stateOf(shell, job).padEnd(23)} ${job.text}${isJobRunning(job) ? " &" : ""}\n`;
}

const jobs: Builtin = (shell, { name, args }) => {
  const options = builtinOptions(shell, name, args, "lnprs");
  if (typeof options === "number") return options;
  const { letters, rest } = options;
  let list: Job[] = shell.jobs;
  let status = 0;
  if (rest.length > 0) {
    list = [];
    for (const spec of rest) {
      const job = findJob(shell, spec.startsWith("%") ? spec : `%${spec}`);
      if (job === undefined) {
        shell.complain(`${name}: ${spec}: no such job`);
        status = 1;
      } else list.push(job);
    }
  }
  const lines: string[] = [];
  for (const job of [...list]) {
    const isRunning = isJobRunning(job);
    // A shell that is not interactive forgets jobs as they end.
    if (isRunning || shell.isInteractive) {
      if (!(letters.has("r") && !isRunning) && !letters.has("s"))
        lines.push(letters.has("p") ? `${job.processes.at(-1)?.pid}\n` : jobBuiltinText(shell, job, letters.has("l")));
    }
    if (!isRunning) job.isReported = true;
  }
  print(shell, name, lines.join(""));
  return status;
};

function jobOfPid(shell: Shell, pid: number): Job | undefined {
  return shell.jobs.findLast((job) => job.processes.some((process) => process.pid === pid));
}

/** Ends a wait that a trapped signal broke off: 128 + its number. */
function interruptedStatus(shell: Shell): number {
  const signal = shell.pendingTraps[0];
  return signal === undefined ? 128 : 128 + SIGNAL_NUMBERS[signal];
}

const wait: Builtin = function* (shell, { name, args }) {
  const options = builtinOptions(shell, name, args, "fnp:");
  if (typeof options === "number") return options;
  const { letters, rest } = options;
  const targets: Job[] = [];
  let status = 0;
  for (const spec of rest) {
    const pid = /^\d+$/.test(spec) ? Number(spec) : undefined;
    const job = pid === undefined ? (spec.startsWith("%") ? findJob(shell, spec) : undefined) : jobOfPid(shell, pid);
    if (job !== undefined) {
      targets.push(job);
      continue;
    }
    if (pid === undefined && !spec.startsWith("%")) shell.complain(`${name}: \`${spec}': not a pid or valid job spec`);
    else shell.complain(pid === undefined ? `${name}: ${spec}: no such job` : `${name}: pid ${spec} is not a child of this shell`);
    status = pid === undefined && !spec.startsWith("%") ? 1 : 127;
  }
  if (letters.has("n"))
    return yield* waitForNext(shell, rest.length > 0 ? targets : shell.jobs.filter((job) => isJobRunning(job) || !job.isReported), options.values.get("p"));
  if (rest.length === 0) {
    const all = [...shell.jobs];
    if (!(yield* waitForJobs(shell, () => !all.some(isJobRunning), all))) return interruptedStatus(shell);
    shell.jobs.length = 0;
    return 0;
  }
  for (const job of targets) {
    if (!(yield* waitForJobs(shell, () => !isJobRunning(job), [job]))) return interruptedStatus(shell);
    status = jobStatus(shell, job);
    job.isReported = true;
  }
  return status;
};

function* waitForNext(shell: Shell, candidates: readonly Job[], variable: string | undefined): Running<number> {
  if (candidates.length === 0) return 127;
  if (!(yield* waitForJobs(shell, () => candidates.some((job) => !isJobRunning(job)), candidates))) return interruptedStatus(shell);
  const ended = candidates.find((job) => !isJobRunning(job)) as Job;
  ended.isReported = true;
  shell.jobs = shell.jobs.filter((job) => job !== ended);
  if (variable !== undefined) shell.assignText(variable, String(ended.processes.at(-1)?.pid));
  return jobStatus(shell, ended);
}

function listSignals(shell: Shell, name: string, words: readonly string[]): number {
  if (words.length === 0) return print(shell, name, signalTable());
  let status = 0;
  for (const word of words) {
    const number = Number(word);
    if (/^\d+$/.test(word)) {
      const found = ALL_SIGNAL_NAMES[(number > 128 ? number - 128 : number) - 1];
      if (found !== undefined) {
        print(shell, name, `${found}\n`);
        continue;
      }
    }
    const index = ALL_SIGNAL_NAMES.indexOf(word.toUpperCase().replace(/^SIG/, ""));
    if (index >= 0) print(shell, name, `${index + 1}\n`);
    else {
      shell.complain(`${name}: ${word}: invalid signal specification`);
      status = 1;
    }
  }
  return status;
}

const kill: Builtin = (shell, { name, args }) => {
  if (args.length === 0) return usage(shell, name);
  if (args[0] === "-l" || args[0] === "-L") return listSignals(shell, name, args.slice(1));
  let signalText = "TERM";
  let rest = args;
  if (args[0] === "-s" || args[0] === "-n") {
    if (args[1] === undefined) {
      shell.complain(`${name}: ${args[0]}: option requires an argument`);
      return 1;
    }
    signalText = args[1];
    rest = args.slice(2);
  } else if (/^-[A-Za-z0-9]/.test(args[0] as string)) {
    signalText = (args[0] as string).slice(1);
    rest = args.slice(1);
  }
  if (rest[0] === "--") rest = rest.slice(1);
  const isProbe = signalText === "0";
  const signal = parseSignal(signalText);
  if (!isProbe && signal === undefined) {
    const isKnown = ALL_SIGNAL_NAMES.includes(signalText.toUpperCase().replace(/^SIG/, "")) || ALL_SIGNAL_NAMES[Number(signalText) - 1] !== undefined;
    shell.complain(isKnown ? `${name}: lvsim does not simulate the signal ${signalText}` : `${name}: ${signalText}: invalid signal specification`);
    return 1;
  }
  if (rest.length === 0) return usage(shell, name);
  let status = 0;
  for (const spec of rest) {
    const pids = pidsOf(shell, name, spec);
    if (pids === undefined) {
      status = 1;
      continue;
    }
    for (const pid of pids) {
      const isGone = isProbe || signal === undefined ? shell.table.byPid(pid) === undefined : shell.table.kill(pid, signal) !== undefined;
      if (!isGone) continue;
      // A job whose process has ended is no mistake to signal.
      if (spec.startsWith("%")) continue;
      shell.complain(shell.dialect === "dash" ? "kill: No such process\n" : `${name}: (${pid}) - No such process`);
      status = 1;
    }
  }
  return status;
};

function pidsOf(shell: Shell, name: string, spec: string): readonly number[] | undefined {
  if (spec.startsWith("%")) {
    const job = findJob(shell, spec);
    if (job !== undefined) return job.processes.filter((process) => process.isAlive).map((process) => process.pid);
    shell.complain(`${name}: ${spec}: no such job`);
    return undefined;
  }
  if (spec === "0") return [shell.mainPid];
  // Process groups: a script without job control has one, its main shell stands for it.
  if (/^-\d+$/.test(spec)) return [Number(spec.slice(1))];
  if (/^\d+$/.test(spec)) return [Number(spec)];
  shell.complain(`${name}: ${spec}: arguments must be process or job IDs`);
  return undefined;
}

const foreground: Builtin = function* (shell, { name, args }) {
  if (!shell.isInteractive) {
    shell.complain(`${name}: no job control`);
    return 1;
  }
  const job = findJob(shell, args[0] ?? "%+");
  if (job === undefined) {
    shell.complain(`${name}: ${args[0] ?? "current"}: no such job`);
    return 1;
  }
  if (name === "bg") return print(shell, name, `[${job.number}]+ ${job.text} &\n`);
  print(shell, name, `${job.text}\n`);
  yield* waitForJobs(shell, () => !isJobRunning(job), [job]);
  job.isReported = true;
  return jobStatus(shell, job);
};

const disown: Builtin = (shell, { name, args }) => {
  const words = args.filter((arg) => !/^-[ahr]+$/.test(arg));
  if (args.some((arg) => /^-[ahr]*a/.test(arg))) {
    shell.jobs.length = 0;
    return 0;
  }
  let status = 0;
  for (const spec of words.length === 0 ? ["%+"] : words) {
    const job = spec.startsWith("%") ? findJob(shell, spec) : jobOfPid(shell, Number(spec));
    if (job === undefined) {
      shell.complain(`${name}: ${words.length === 0 ? "current" : spec}: no such job`);
      status = 1;
    } else if (!args.includes("-h")) shell.jobs = shell.jobs.filter((one) => one !== job);
  }
  return status;
};

const suspend: Builtin = (shell, { name }) => {
  shell.complain(`${name}: cannot suspend: no job control`);
  return 1;
};

export const jobBuiltins: ReadonlyMap<string, Builtin> = new Map<string, Builtin>([
  ["jobs", jobs],
  ["wait", wait],
  ["kill", kill],
  ["fg", foreground],
  ["bg", foreground],
  ["disown", disown],
  ["suspend", suspend],
]);
