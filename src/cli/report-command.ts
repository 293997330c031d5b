/**
 * `lvsim report`: a scenario's run, or a trace, as one HTML file to read.
 */

import { closeSync, openSync, readSync } from "node:fs";
import { basename } from "node:path";
import { formatReport, type ReportedFinding, type ReportedOutput, type ReportedRun, type ReportedScenario } from "../report/report.ts";
import { ReportReader } from "../report/report-reader.ts";
import { reportChinese, reportEnglish } from "../report/words.ts";
import { describeFault } from "../scenario/fault.ts";
import { LimitError } from "../scenario/limits.ts";
import { ScenarioRun, type ScriptResult } from "../scenario/run-scenario.ts";
import { ScenarioError } from "../scenario/scenario-error.ts";
import { parseScenario, type Scenario, type Step } from "../scenario/scenario-file.ts";
import { traceHeader } from "../scenario/trace-header.ts";
import type { TraceEvent } from "../trace/events.ts";
import { TRACE_FORMAT, TRACE_VERSION, type TraceHeader } from "../trace/trace-header.ts";
import { diagnose } from "../why/doctor.ts";
import { fileErrorText, UsageError } from "./failure.ts";
import { OutputFiles, readScenario } from "./files.ts";
import { loadAllSchedulers } from "./scheduler-module.ts";
import { ProgressLine } from "./terminal.ts";
import { readTraceFile } from "./trace-file.ts";

export interface ReportCommandOptions {
  /** `-` is standard output. */
  readonly output: string;
  readonly seed?: string;
  readonly language: string;
  /** Files of modules that export schedulers. */
  readonly scheduler?: readonly string[];
}

const HEAD_BYTES = 256;
/** The doctor needs all records at once: of a longer run the report is made without it. */
const DIAGNOSED_RECORDS_MAX = 500_000;

export async function reportCommand(file: string, options: ReportCommandOptions): Promise<void> {
  const words = options.language === "zh" ? reportChinese : reportEnglish;
  const text = isTrace(file) ? formatReport({ ...(await readAll(file, options)), words }) : formatReport({ ...(await runAll(file, options)), words });
  if (options.output === "-") {
    process.stdout.write(text);
    return;
  }
  const files = new OutputFiles();
  files.add(options.output, text);
  files.commit();
}

/** Gathers what a report needs, and the records for the doctor. */
class Gatherer {
  readonly reader: ReportReader;
  #events: TraceEvent[] | undefined = [];

  constructor(header: TraceHeader) {
    this.reader = new ReportReader(header);
  }

  write(event: TraceEvent): void {
    this.reader.write(event);
    if (this.#events !== undefined && this.#events.length >= DIAGNOSED_RECORDS_MAX) this.#events = undefined;
    this.#events?.push(event);
  }

  /** undefined: the trace has no tables, or too many records. */
  findings(): readonly ReportedFinding[] | undefined {
    const { header, originNs } = this.reader;
    if (this.#events === undefined || header.level !== "full") return undefined;
    const times = this.#events;
    return diagnose({ header, events: this.#events }).map(({ id, host, title, why, fix, events }) => {
      const first = times.find((event) => event.id === events[0]);
      return { id, host, title, why, fix, sinceNs: first === undefined ? undefined : first.timeNs - originNs };
    });
  }
}

/** A trace is JSON or compressed, a scenario is neither. */
function isTrace(file: string): boolean {
  if (/\.(?:jsonl|ndjson|gz)$/i.test(file)) return true;
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, "r");
    const head = Buffer.alloc(HEAD_BYTES);
    return head.subarray(0, readSync(descriptor, head)).toString("utf8").trimStart().startsWith('{"format"');
  } catch (error) {
    throw new UsageError(fileErrorText(error, file));
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/* ----------------------------------------------------------------------------------------------------------------- trace */

async function readAll(file: string, options: ReportCommandOptions) {
  if (options.seed !== undefined) throw new UsageError("--seed is for scenarios: a trace is what happened");
  const gathered: Gatherer[] = [];
  await readTraceFile(file, {
    onHeader: (header) => {
      gathered.push(new Gatherer(header));
    },
    onEvent: (event) => gathered[0]?.write(event),
  });
  const [gatherer] = gathered;
  if (gatherer === undefined) throw new UsageError(`${file}: the trace is empty`);
  const { reader } = gatherer;
  const { scenario } = reader.header;
  return { reader, run: undefined, scenario: scenario === null ? undefined : aboutText(scenario, file), findings: gatherer.findings() };
}

/** A trace may be older than today's rules for scenario files: then its scenario says nothing about itself. */
function aboutText(text: string, file: string): ReportedScenario | undefined {
  try {
    return about(parseScenario(text, file));
  } catch (error) {
    if (error instanceof ScenarioError) return undefined;
    throw error;
  }
}

function about({ source, description, lesson }: Scenario): ReportedScenario {
  return { source, description, lesson };
}

/* -------------------------------------------------------------------------------------------------------------- scenario */

async function runAll(file: string, options: ReportCommandOptions) {
  const scenario = readScenario(file);
  const { LINUX_PARTS } = await import("../scenario/linux-parts.ts");
  const schedulers = await loadAllSchedulers(options.scheduler ?? []);
  const gatherer = new Gatherer({ format: TRACE_FORMAT, version: TRACE_VERSION, ...traceHeader(scenario, "full", options.seed) });
  const { reader } = gatherer;
  const progress = new ProgressLine();
  const setup: ReportedOutput[] = [];
  const timeline: ReportedOutput[] = [];
  const run = new ScenarioRun(scenario, {
    parts: LINUX_PARTS,
    seed: options.seed,
    schedulers,
    traceLevel: "full",
    sinks: [gatherer],
    onSetupEnd: (host, result) => setup.push(output(0, host, scenario.hosts.find(({ name }) => name === host)?.run ?? "", result)),
    onStepEnd: (_index, step, result) => timeline.push(stepOutput(step, result as Partial<ScriptResult>)),
    onProgress: (timeNs, events) => progress.update(timeNs, events),
  });
  let stopped: string | undefined;
  try {
    run.run();
  } catch (error) {
    // What happened until then is worth a report.
    if (!(error instanceof LimitError) || reader.records === 0) throw error;
    // Where the file lies is nobody's business.
    stopped = error.message.replaceAll(file, basename(file));
  } finally {
    progress.clear();
  }
  timeline.sort((a, b) => a.timeNs - b.timeNs);
  const expected = scenario.timeline.reduce((sum, step) => sum + (step.verb === "run" ? Object.keys(step.expect).length : 0), 0);
  const unmet = run.unmet.map(({ place, field, expected: wanted, actual }) => ({ place: `${basename(place.file)}:${place.line}`, field, actual: JSON.stringify(actual), expected: JSON.stringify(wanted) }));
  return { reader, run: { setup, timeline, expected, unmet, stopped } satisfies ReportedRun, scenario: about(scenario), findings: gatherer.findings() };
}

function stepOutput(step: Step, result: Partial<ScriptResult>): ReportedOutput {
  if (step.verb === "run") return output(step.atNs, step.host, step.script, result);
  if (step.verb === "fault") return output(step.atNs, "", describeFault(step.fault), {});
  return output(step.atNs, step.host, `${step.verb} ${step.interface ?? ""}`.trimEnd(), {});
}

function output(timeNs: number, host: string, text: string, { stdout = "", stderr = "", exit }: Partial<ScriptResult>): ReportedOutput {
  return { timeNs, host, text, stdout, stderr, exit };
}
