/**
 * `lvsim sched`: a scheduler script and its picks; `compare`: schedulers under a workload; `check`: the conformance suite.
 */

import { schedulerConformance } from "../ipvs/schedulers/conformance.ts";
import { SCHEDULERS } from "../ipvs/schedulers/registry.ts";
import { compareSchedulers } from "../sched/compare.ts";
import { comparisonToCsv, comparisonToJson, formatComparison } from "../sched/compare-report.ts";
import { runSchedScript } from "../sched/sched-script.ts";
import { parseWorkload } from "../sched/workload-file.ts";
import { EXIT_BAD_INPUT, EXIT_UNMET } from "./failure.ts";
import { OutputFiles, readText } from "./files.ts";
import { contenderOf, loadSchedulers, schedulerOf } from "./scheduler-module.ts";

export interface SchedCommandOptions {
  readonly scheduler?: string;
}

export async function schedCommand(file: string, { scheduler }: SchedCommandOptions): Promise<void> {
  const text = readText(file);
  const { lines, problems } = runSchedScript(text, scheduler === undefined ? {} : { scheduler: await schedulerOf(scheduler) });
  if (problems.length > 0) {
    for (const problem of problems) process.stderr.write(`${file}:${problem.line}: ${problem.message}; ${problem.remedy}\n`);
    process.exitCode = EXIT_BAD_INPUT;
    return;
  }
  process.stdout.write(lines.map((line) => `${line}\n`).join(""));
}

export interface CompareCommandOptions {
  readonly workload: string;
  readonly csv?: string;
  readonly json?: string;
  readonly seed?: string;
  /** undefined: in the tables only. */
  readonly cost?: boolean;
}

export async function compareCommand(list: string, options: CompareCommandOptions): Promise<void> {
  const workload = parseWorkload(readText(options.workload), options.workload);
  const contenders = [];
  for (const argument of list.split(",").filter((word) => word !== "")) contenders.push(await contenderOf(argument));
  const isQuiet = options.json === "-" || options.csv === "-";
  const isMeasured = options.cost ?? !isQuiet;
  const clockNs = isMeasured ? () => Number(process.hrtime.bigint()) : undefined;
  const comparison = compareSchedulers(workload, contenders, { seed: options.seed, clockNs });
  // Files are the same in every run unless the measured cost is asked for.
  const written = options.cost === true ? comparison : { ...comparison, schedulers: comparison.schedulers.map((one) => ({ ...one, pickNs: undefined })) };
  const files = new OutputFiles();
  const write = (path: string | undefined, text: string) => {
    if (path === "-") process.stdout.write(text);
    else if (path !== undefined) files.add(path, text);
  };
  write(options.csv, comparisonToCsv(written));
  write(options.json, `${JSON.stringify(comparisonToJson(written), undefined, 1)}\n`);
  files.commit();
  if (!isQuiet) process.stdout.write(formatComparison(comparison));
}

export interface ConformanceCommandOptions {
  readonly flags?: string;
  readonly allow?: string;
  readonly json?: boolean;
}

export async function conformanceCommand(argument: string, options: ConformanceCommandOptions): Promise<void> {
  const kernels = SCHEDULERS.find(({ name }) => name === argument);
  const schedulers = kernels === undefined && /[./\\]/.test(argument) ? await loadSchedulers(argument) : [await schedulerOf(argument)];
  const allowed = (options.allow ?? "").split(",");
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
