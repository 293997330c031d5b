/**
 * `lvsim whatif`: the set-up without each of its lines in turn.
 */

import { describeWhatIf, whatIf, type WhatIfResult } from "../why/what-if.ts";
import { readScenario } from "./files.ts";
import { wrapText } from "./terminal.ts";

export function whatifCommand(file: string, options: { readonly json?: boolean; readonly seed?: string }): void {
  const results: WhatIfResult[] = [];
  for (const result of whatIf(readScenario(file), { seed: options.seed })) {
    results.push(result);
    if (options.json !== true) process.stdout.write(format(result));
  }
  if (options.json === true) process.stdout.write(`${JSON.stringify({ lines: results }, undefined, 1)}\n`);
  else process.stdout.write(`\n${results.filter(({ isLoadBearing }) => isLoadBearing).length} of ${results.length} lines carry weight in this run\n`);
}

function format(result: WhatIfResult): string {
  const [head = "", ...rest] = describeWhatIf(result);
  return `${wrapText(head, result.isLoadBearing ? "* " : "  ", "    ")}\n${rest.map((line) => `${wrapText(line, "    - ", "      ")}\n`).join("")}`;
}
