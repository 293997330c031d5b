/**
 * `lvsim diff`: where two runs part.
 */

import { describeDifference, diffRuns } from "../why/diff.ts";
import { Evidence } from "../why/evidence.ts";
import { EXIT_UNMET } from "./failure.ts";
import { readRun } from "./why-input.ts";

export async function diffCommand(fileA: string, fileB: string, options: { readonly json?: boolean; readonly seed?: string }): Promise<void> {
  const [a, b] = [await readRun(fileA, options.seed), await readRun(fileB, options.seed)];
  const results = a.result === undefined || b.result === undefined ? undefined : { a: a.result, b: b.result };
  const difference = diffRuns(new Evidence(a), new Evidence(b), results);
  if (options.json === true) process.stdout.write(`${JSON.stringify(difference, undefined, 1)}\n`);
  else process.stdout.write(`${describeDifference(difference, { a: fileA, b: fileB }).join("\n")}\n`);
  process.exitCode = difference.isSame ? 0 : EXIT_UNMET;
}
