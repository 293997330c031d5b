/**
 * Runs of the repository's scenarios with a trace.
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { LINUX_PARTS } from "../../src/scenario/linux-parts.ts";
import { type RunResult, ScenarioRun } from "../../src/scenario/run-scenario.ts";
import { parseScenario } from "../../src/scenario/scenario-file.ts";
import { traceHeader } from "../../src/scenario/trace-header.ts";
import type { TraceEvent } from "../../src/trace/events.ts";
import { JsonLinesSink } from "../../src/trace/jsonl.ts";
import type { TraceHeader } from "../../src/trace/trace-header.ts";
import { MemorySink, type TraceLevel } from "../../src/trace/tracer.ts";

export const ROOT = join(import.meta.dirname, "../..");

/** Every scenario of the repository, from its root. */
export const SCENARIO_FILES: readonly string[] = ["scenarios", "test/conformance"].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".yaml"))
    .sort()
    .map((path) => join(folder, path)),
);

export interface TracedRun {
  readonly header: Omit<TraceHeader, "format" | "version">;
  readonly events: readonly TraceEvent[];
  /** The trace as JSON Lines. */
  readonly text: string;
  readonly result: RunResult;
}

export function tracedRun(file: string, level: TraceLevel = "full", options: { readonly seed?: string; readonly capturesFrames?: boolean } = {}): TracedRun {
  const scenario = parseScenario(readFileSync(join(ROOT, file), "utf8"), file);
  const header = traceHeader(scenario, level, options.seed);
  const pieces: Uint8Array[] = [];
  const lines = new JsonLinesSink(header, (piece) => pieces.push(piece));
  const memory = new MemorySink();
  const run = new ScenarioRun(scenario, { parts: LINUX_PARTS, traceLevel: level, sinks: [memory, lines], ...options });
  const result = run.run();
  lines.flush();
  return { header, events: memory.events, text: new TextDecoder().decode(Buffer.concat(pieces)), result };
}

/** Chunks that a sink has handed on, as one file. */
export function joined(chunks: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(chunks));
}
