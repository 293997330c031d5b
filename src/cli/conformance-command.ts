/**
 * `lvsim sched check`: a scheduler through the conformance suite.
 */

import { schedulerConformance } from "../ipvs/schedulers/conformance.ts";
import { SCHEDULERS } from "../ipvs/schedulers/registry.ts";
import { EXIT_UNMET, UsageError } from "./failure.ts";
import { loadSchedulers, schedulerOf } from "./scheduler-module.ts";

const EXCEPTIONS: readonly string[] = ["refuse", "overloaded", "deleted"];

export interface ConformanceCommandOptions {
  readonly flags?: string;
  readonly allow?: string;
  readonly json?: boolean;
}

export async function conformanceCommand(argument: string, options: ConformanceCommandOptions): Promise<void> {
  const kernels = SCHEDULERS.find(({ name }) => name === argument);
  const schedulers = kernels === undefined && /[./\\]/.test(argument) ? await loadSchedulers(argument) : [await schedulerOf(argument)];
  const allowed = (options.allow ?? "").split(",").filter((word) => word !== "");
  const unknown = allowed.find((word) => !EXCEPTIONS.includes(word));
  if (unknown !== undefined) throw new UsageError(`\`${unknown}\` cannot be allowed; ${EXCEPTIONS.join(", ")} can`);
  let failures = 0;
  const results = schedulers.map((scheduler) => {
    const checks = schedulerConformance(scheduler, {
      ...(options.flags === undefined ? {} : { flags: options.flags.split(",") }),
      ...(allowed.includes("refuse") ? { mayRefuse: true } : {}),
      ...(allowed.includes("overloaded") ? { remembersOverloaded: true } : {}),
      ...(allowed.includes("deleted") ? { remembersDeleted: true } : {}),
    });
    failures += checks.filter((check) => !check.passed).length;
    return { scheduler: scheduler.name, checks };
  });
  if (options.json === true) process.stdout.write(`${JSON.stringify(results, undefined, 1)}\n`);
  else for (const { scheduler, checks } of results) process.stdout.write(formatChecks(scheduler, checks));
  if (failures > 0) process.exitCode = EXIT_UNMET;
}

function formatChecks(scheduler: string, checks: ReturnType<typeof schedulerConformance>): string {
  const lines = checks.map(({ name, passed, reason }) => `${passed ? "pass" : "FAIL"}  ${name}${passed ? "" : `\n      ${reason}`}\n`);
  const good = checks.filter((check) => check.passed).length;
  return `scheduler ${scheduler}\n${lines.join("")}${good} of ${checks.length} checks passed\n`;
}
