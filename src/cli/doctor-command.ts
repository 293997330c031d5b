/**
 * `lvsim doctor`: what is wrong in a scenario or trace, and the cure.
 */

import { diagnose } from "../why/doctor.ts";
import { Evidence } from "../why/evidence.ts";
import type { Finding } from "../why/finding.ts";
import { EXIT_UNMET } from "./failure.ts";
import { wrapText } from "./terminal.ts";
import { readRun } from "./why-input.ts";

export async function doctorCommand(file: string, options: { readonly json?: boolean; readonly seed?: string }): Promise<void> {
  const evidence = new Evidence(await readRun(file, options.seed));
  const findings = diagnose(evidence);
  if (options.json === true) process.stdout.write(`${JSON.stringify({ findings }, undefined, 1)}\n`);
  else if (findings.length === 0) process.stdout.write(`nothing is wrong: ${evidence.conversations.length} ${evidence.conversations.length === 1 ? "conversation" : "conversations"}, no finding\n`);
  else process.stdout.write(`${findings.map((finding) => formatFinding(finding, evidence)).join("\n")}`);
  process.exitCode = findings.length === 0 ? 0 : EXIT_UNMET;
}

function formatFinding({ id, host, title, why, fix, events }: Finding, evidence: Evidence): string {
  const [first] = events;
  const shown = first === undefined ? "" : `\n  shown by record ${events.slice(0, 6).join(", ")}${events.length > 6 ? ", ..." : ""}, the first at ${evidence.timeOf(first)}`;
  return `${id} on ${host}: ${title}\n${wrapText(why, "  why: ", "       ")}\n${wrapText(fix, "  fix: ", "       ")}${shown}\n`;
}
