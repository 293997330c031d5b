/**
 * `lvsim whatif`: the set-up without each of its lines in turn.
 */

import { describeWhatIf, whatIf, type WhatIfResult } from "../why/what-if.ts";
import { UsageError } from "./failure.ts";
import { readScenario } from "./files.ts";
import { wrapText } from "./terminal.ts";
import { isTrace } from "./why-input.ts";

export async function whatifCommand(file: string, options: { readonly json?: boolean; readonly seed?: string }): Promise<void> {
  if (await isTrace(file)) throw new UsageError(`${file}: whatif takes a scenario, which it runs without each of its lines; a trace is of one run`);
  const results: WhatIfResult[] = [];
  for (const result of whatIf(readScenario(file), { seed: options.seed })) {
    results.push(result);
    if (options.json !== true) process.stdout.write(format(result));
  }
  if (options.json === true) process.stdout.write(`${JSON.stringify({ lines: results }, undefined, 1)}\n`);
  else process.stdout.write(`\n${summary(results)}\n`);
}

function summary(results: readonly WhatIfResult[]): string {
  const standIns = results.filter(({ oneOf }) => oneOf.length > 0).length;
  const also = standIns === 0 ? "" : `; ${standIns} more can go only while others stay`;
  return `${results.filter(({ isLoadBearing }) => isLoadBearing).length} of ${results.length} lines carry weight in this run${also}`;
}

function format(result: WhatIfResult): string {
  const [head = "", ...rest] = describeWhatIf(result);
  return `${wrapText(head, result.isLoadBearing ? "* " : "  ", "    ")}\n${rest.map((line) => `${wrapText(line, "    - ", "      ")}\n`).join("")}`;
}
