/**
 * `lvsim sched compare`: schedulers under a workload, as tables, CSV and JSON.
 */

import { compareSchedulers } from "../sched/compare.ts";
import { comparisonToCsv, comparisonToJson, formatComparison } from "../sched/compare-report.ts";
import { parseWorkload } from "../sched/workload-file.ts";
import { UsageError } from "./failure.ts";
import { OutputFiles, readText } from "./files.ts";
import { contenderOf } from "./scheduler-module.ts";

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
  if (contenders.length === 0) throw new UsageError("no scheduler to compare; name some, separated by commas: wrr,wlc");
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
