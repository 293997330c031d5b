/**
 * Several schedulers under the very same workload.
 */

import { defineScheduler, type SchedulerDefinition } from "../ipvs/schedulers/scheduler-class.ts";
import { schedulerByName } from "../ipvs/schedulers/registry.ts";
import type { Scheduler } from "../ipvs/schedulers/scheduler.ts";
import { costPerPick } from "./pick-cost.ts";
import type { Workload } from "./workload-file.ts";
import type { WorkloadFigures } from "./workload-figures.ts";
import { runWorkload } from "./workload-run.ts";

/** One scheduler of a comparison, with the name that stands in its rows and flags of `ipvsadm -b` of its own. */
export interface Contender {
  readonly scheduler: SchedulerDefinition;
  /** The scheduler's name and flags when absent: `sh+sh-port`. */
  readonly label?: string;
  readonly flags?: readonly string[];
}

export interface CompareOptions {
  /** Another seed than the workload's. */
  readonly seed?: string | undefined;
  /** A monotonic clock in nanoseconds, to measure the cost of a choice; without it nothing is measured and the result is deterministic. */
  readonly clockNs?: (() => number) | undefined;
}

export interface ComparedScheduler {
  readonly label: string;
  readonly figures: WorkloadFigures;
  /** Nanoseconds a choice, when a clock was given. */
  readonly pickNs: number | undefined;
}

export interface Comparison {
  readonly workload: Workload;
  readonly seed: string;
  readonly schedulers: readonly ComparedScheduler[];
}

/**
 * Runs the workload once for each scheduler: a name of the kernel's, one of a user, or either with flags.
 *
 * Throws a SchedulerDefinitionError for what is no scheduler, a SchedulerFault when one fails.
 *
 * @example
 * const { schedulers } = compareSchedulers(parseWorkload(text, "web.yaml"), ["wrr", "wlc", Mine]);
 * for (const { label, figures } of schedulers) console.log(label, figures.wait.p99);
 */
export function compareSchedulers(workload: Workload, contenders: readonly (string | SchedulerDefinition | Contender)[], options: CompareOptions = {}): Comparison {
  const seed = options.seed ?? workload.seed;
  const schedulers = contenders.map(resolve).map(({ label, scheduler, flags }): ComparedScheduler => {
    const figures = runWorkload(workload, { scheduler, flags, seed });
    const pickNs = options.clockNs === undefined ? undefined : costPerPick(workload, scheduler, { flags, clockNs: options.clockNs });
    return { label, figures, pickNs };
  });
  return { workload, seed, schedulers };
}

/** A name that no scheduler has. */
export class UnknownSchedulerError extends Error {
  override readonly name = "UnknownSchedulerError";
}

function resolve(contender: string | SchedulerDefinition | Contender): { readonly label: string; readonly scheduler: Scheduler; readonly flags: readonly string[] } {
  if (typeof contender === "string") {
    const scheduler = schedulerByName(contender);
    if (scheduler === undefined) throw new UnknownSchedulerError(`unknown scheduler "${contender}"`);
    return { label: contender, scheduler, flags: [] };
  }
  if (typeof contender === "object" && "scheduler" in contender) {
    const { scheduler } = resolve(contender.scheduler);
    const { flags = [] } = contender;
    return { label: contender.label ?? [scheduler.name, ...flags].join("+"), scheduler, flags };
  }
  const kernels = schedulerByName((contender as Scheduler).name);
  const scheduler = kernels === contender ? kernels : defineScheduler(contender);
  return { label: scheduler.name, scheduler, flags: [] };
}
