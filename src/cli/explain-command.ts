/**
 * `lvsim explain`: why a run went as it did, in sentences.
 */

import { formatSeconds } from "../base/time.ts";
import { Evidence } from "../why/evidence.ts";
import { type Explanation, explainMoment, explainRecord, explainRun } from "../why/explain.ts";
import { UsageError } from "./failure.ts";
import { wrapText } from "./terminal.ts";
import { readRun } from "./why-input.ts";

interface ExplainOptions {
  readonly frame?: number;
  readonly at?: number;
  readonly seed?: string;
  readonly json?: boolean;
}

export async function explainCommand(file: string, options: ExplainOptions): Promise<void> {
  if (options.frame !== undefined && options.at !== undefined) throw new UsageError("explain: give --frame or --at, not both");
  const evidence = new Evidence(await readRun(file, options.seed));
  const explanations = explain(evidence, file, options);
  if (options.json === true) process.stdout.write(`${JSON.stringify({ explanations }, undefined, 1)}\n`);
  else if (explanations.length === 0) process.stdout.write("nobody called anybody\n");
  else process.stdout.write(explanations.map((one) => format(one, evidence)).join("\n"));
}

function explain(evidence: Evidence, file: string, { frame, at }: ExplainOptions): Explanation[] {
  if (frame !== undefined) {
    const explanation = explainRecord(evidence, frame);
    const last = evidence.events.at(-1)?.id ?? 0;
    if (explanation === undefined) throw new UsageError(`${file}: there is no record ${frame}; the last is ${last} (lvsim run FILE --trace T, lvsim trace cat T shows them)`);
    return [explanation];
  }
  return at === undefined ? explainRun(evidence) : [explainMoment(evidence, evidence.originNs + at)];
}

function format({ title, sentences }: Explanation, { originNs }: Evidence): string {
  const lines = sentences.map(({ text, event, timeNs }) => wrapText(text, `  ${formatTime(timeNs - originNs).padStart(11)} ${`#${event}`.padStart(6)}  `, " ".repeat(22)));
  return `${wrapText(title, "", "  ")}\n${lines.map((line) => `${line}\n`).join("")}`;
}

/** Before time 0 of the timeline: in parentheses, as traces are printed. */
function formatTime(ns: number): string {
  return ns < 0 ? `(-${formatSeconds(-ns, 6)})` : formatSeconds(ns, 6);
}
