/**
 * `lvsim sched`: a scheduler script and its picks.
 */

import { runSchedScript } from "../sched/sched-script.ts";
import { EXIT_BAD_INPUT } from "./failure.ts";
import { readText } from "./files.ts";

export function schedCommand(file: string): void {
  const { lines, problems } = runSchedScript(readText(file));
  if (problems.length > 0) {
    for (const problem of problems) process.stderr.write(`${file}:${problem.line}: ${problem.message}\n`);
    process.exitCode = EXIT_BAD_INPUT;
    return;
  }
  process.stdout.write(lines.map((line) => `${line}\n`).join(""));
}
