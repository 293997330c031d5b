/**
 * Runs a scenario and keeps everything that its trace says, for those who then ask why.
 */

import { LINUX_PARTS } from "../scenario/linux-parts.ts";
import { type RunResult, ScenarioRun } from "../scenario/run-scenario.ts";
import type { RunLimits } from "../scenario/limits.ts";
import type { Scenario } from "../scenario/scenario-file.ts";
import { traceHeader } from "../scenario/trace-header.ts";
import type { TraceEvent } from "../trace/events.ts";
import type { RecordedRun } from "./evidence.ts";

/** Records that are kept at most, some hundred bytes each. */
export const RECORDS_MAX = 3_000_000;

/** A run with its whole trace, and what it printed. */
export interface ScenarioRecord extends RecordedRun {
  readonly result: RunResult;
  /** The run wrote more records than are kept: the last are missing. */
  readonly isCut: boolean;
}

/** How a scenario is run to be asked about. */
export interface RecordOptions {
  readonly seed?: string | undefined;
  readonly limits?: Partial<RunLimits> | undefined;
}

/** Runs a scenario to its end. Throws a LimitError when the run wants more than it may. */
export function recordRun(scenario: Scenario, options: RecordOptions = {}): ScenarioRecord {
  const events: TraceEvent[] = [];
  let isCut = false;
  const sink = {
    write(event: TraceEvent) {
      if (events.length < RECORDS_MAX) events.push(event);
      else isCut = true;
    },
  };
  const run = new ScenarioRun(scenario, { parts: LINUX_PARTS, seed: options.seed, limits: options.limits, traceLevel: "full", sinks: [sink] });
  const result = run.run();
  return { header: traceHeader(scenario, "full", options.seed), events, result, isCut };
}
