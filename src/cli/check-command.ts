/**
 * `lvsim check`: every mistake of every file, without running anything.
 */

import { ScenarioError } from "../scenario/scenario-error.ts";
import { EXIT_BAD_INPUT, UsageError } from "./failure.ts";
import { readScenario } from "./files.ts";

export function checkCommand(files: readonly string[]): void {
  let badCount = 0;
  for (const file of files) {
    try {
      const scenario = readScenario(file);
      const count = (number: number, what: string) => `${number} ${what}${number === 1 ? "" : "s"}`;
      process.stdout.write(
        `${file}: ok, ${count(scenario.hosts.length, "host")}, ${count(scenario.links.length, "link")}, ${count(scenario.timeline.length, "step")}\n`,
      );
    } catch (error) {
      if (!(error instanceof ScenarioError) && !(error instanceof UsageError)) throw error;
      badCount++;
      process.stderr.write(`${error.message}\n`);
    }
  }
  process.exitCode = badCount === 0 ? 0 : EXIT_BAD_INPUT;
}
