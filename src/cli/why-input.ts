/**
 * What `doctor`, `explain` and `diff` are asked about: a scenario, which is run, or a trace that a run has written.
 */

import { createReadStream } from "node:fs";
import { parseScenario } from "../scenario/scenario-file.ts";
import type { TraceEvent } from "../trace/events.ts";
import { TRACE_FORMAT, type TraceHeader } from "../trace/trace-header.ts";
import type { RecordedRun } from "../why/evidence.ts";
import { recordRun, RECORDS_MAX, type ScenarioRecord } from "../why/record-run.ts";
import { fileErrorText, UsageError } from "./failure.ts";
import { readText } from "./files.ts";
import { readTraceFile } from "./trace-file.ts";

const HEAD_BYTES = 256;

/** A recorded run; `result` is there when a scenario was run for it. */
export type WhyInput = RecordedRun & Partial<Pick<ScenarioRecord, "result">>;

/** Runs a scenario, or reads a trace of level `full`. A UsageError or ScenarioError says what is wrong with the file. */
export async function readRun(path: string, seed?: string): Promise<WhyInput> {
  if (!(await isTrace(path))) {
    const record = recordRun(parseScenario(readText(path), path), { seed });
    if (record.isCut) process.stderr.write(`lvsim: ${path}: the run wrote more than ${RECORDS_MAX} records; what is said here is of the first ${RECORDS_MAX}\n`);
    return record;
  }
  let header: TraceHeader | undefined;
  const events: TraceEvent[] = [];
  await readTraceFile(path, {
    onHeader: (read) => {
      header = read;
      if (read.level !== "full") throw new UsageError(`${path}: a trace of level ${read.level} does not say why; write it with \`lvsim run FILE --trace F\` (level full)`);
    },
    onEvent: (event) => {
      events.push(event);
      return events.length < RECORDS_MAX ? undefined : false;
    },
  });
  if (header === undefined) throw new UsageError(`${path}: the trace is empty`);
  return { header, events };
}

/** By its first bytes: a trace begins with its header, or is compressed. */
export async function isTrace(path: string): Promise<boolean> {
  if (path.endsWith(".gz")) return true;
  if (path === "-") return false;
  const stream = createReadStream(path, { end: HEAD_BYTES });
  try {
    for await (const chunk of stream) return (chunk as Buffer).toString("utf8").includes(`"format":"${TRACE_FORMAT}"`);
    return false;
  } catch (error) {
    throw new UsageError(fileErrorText(error, path));
  }
}
