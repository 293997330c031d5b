/**
 * `lvsim sched`: a scheduler script and its picks.
 */

import { runSchedScript } from "../sched/sched-script.ts";
import { EXIT_BAD_INPUT } from "./failure.ts";
import { readText } from "./files.ts";
import { schedulerOf } from "./scheduler-module.ts";

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
