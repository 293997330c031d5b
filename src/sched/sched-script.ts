/**
 * Scheduler scripts: a list of ipvsadm commands and connections, and which server each connection gets. The same text can
 * be given to a real kernel, so a script with recorded picks is a test of a scheduler.
 *
 *   service tcp 10.9.0.1:80 wrr [sh-port|sh-fallback|mh-port|mh-fallback|flag-1..3]... [persist=SECONDS]
 *   service fwmark 1 lblc                     every connection to 10.9.0.0/16 carries mark 1
 *   add|edit 10.2.0.1:80 [weight N] [upper N] [lower N]
 *   delete 10.2.0.1:80
 *   open NAME from 10.1.0.7:4001 [to 10.9.0.5:80]
 *   close NAME
 *   sleep SECONDS
 *
 * `#` begins a comment. What the operations do is in `sched-script-lab.ts`.
 *
 * Linux differs: Debian's kernels are built without `twos` and refuse it; here it is known, with a fixed random seed.
 */
import { LINUX_6_1_176, type SchedulerOptions } from "../ipvs/schedulers/scheduler.ts";
import { defineScheduler, type SchedulerDefinition } from "../ipvs/schedulers/scheduler-class.ts";
import { SchedScriptLab } from "./sched-script-lab.ts";
import { parseSchedScript, type SchedScriptProblem } from "./sched-script-parser.ts";

export interface SchedScriptOptions {
  /** Schedulers that `service` may name beside those of Linux 6.1; one with a kernel's name takes its place, the first of a name counts. */
  readonly schedulers?: readonly SchedulerDefinition[];
  /** Every service gets this one, whatever the script names: the same script for another scheduler. Flags of others are left out. */
  readonly scheduler?: SchedulerDefinition;
  /** Behaviour of other kernels; Linux 6.1.176 when absent. */
  readonly kernel?: SchedulerOptions;
}

export interface SchedScriptResult {
  /** NAME SERVER, NAME - when not served, or ! OPERATION: MESSAGE for a refused command. Empty if there are problems. */
  readonly lines: readonly string[];
  readonly problems: readonly SchedScriptProblem[];
}

/**
 * Runs a script. With problems in the text nothing is run. Throws a SchedulerDefinitionError when a given scheduler is none, and a
 * SchedulerFault when it throws or returns a server that is not in its service.
 *
 * @example
 * runSchedScript("service tcp 10.9.0.1:80 rr\nadd 10.2.0.1:80\nopen c1 from 10.1.0.1:4001").lines; // ["c1 10.2.0.1:80"]
 * @example
 * runSchedScript(text, { scheduler: Mine }).lines; // the same connections, scheduled by a class of one's own
 */
export function runSchedScript(text: string, options: SchedScriptOptions = {}): SchedScriptResult {
  const { operations, problems } = parseSchedScript(text);
  const replacement = options.scheduler === undefined ? undefined : defineScheduler(options.scheduler);
  if (problems.length > 0) return { lines: [], problems };
  const lab = new SchedScriptLab(operations, {
    schedulers: [...(replacement === undefined ? [] : [options.scheduler as SchedulerDefinition]), ...(options.schedulers ?? [])],
    scheduler: replacement?.name,
    kernel: options.kernel ?? LINUX_6_1_176,
  });
  return { lines: lab.run(), problems };
}
