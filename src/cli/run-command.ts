/**
 * `lvsim run`: one scenario from start to end.
 */

import { join } from "node:path";
import { formatSeconds } from "../base/time.ts";
import { describeFault } from "../scenario/fault.ts";
import { type RunResult, resultToJson, ScenarioRun, type ScriptResult, type StepResult, type Unmet } from "../scenario/run-scenario.ts";
import { formatPlace } from "../scenario/scenario-error.ts";
import { formatWorkloadResult } from "../scenario/scenario-workload.ts";
import type { Scenario, Step } from "../scenario/scenario-file.ts";
import { traceHeader } from "../scenario/trace-header.ts";
import { formatLadder, LadderSink } from "../trace/ladder.ts";
import type { TraceLevel } from "../trace/tracer.ts";
import { EXIT_UNMET, UsageError } from "./failure.ts";
import { OutputFiles, readScenario } from "./files.ts";
import { loadAllSchedulers } from "./scheduler-module.ts";
import { colour, hasColours, ProgressLine, terminalWidth } from "./terminal.ts";
import type { TraceOutputs } from "./trace-file.ts";

export interface RunCommandOptions {
  readonly pcap?: string;
  readonly trace?: string;
  readonly traceLevel?: TraceLevel;
  readonly pcapng?: string;
  readonly csv?: string;
  readonly json?: string;
  readonly seed?: string;
  readonly until?: number;
  readonly maxEvents?: number;
  /** Files of modules that export schedulers. */
  readonly scheduler?: readonly string[];
  readonly ladder: boolean;
  readonly quiet?: boolean;
  readonly ascii?: boolean;
  readonly color: string;
}

const LADDER_FRAMES_MAX = 1000;
const COMMAND_CHARS_MAX = 160;

export async function runCommand(file: string, options: RunCommandOptions): Promise<void> {
  const scenario = readScenario(file);
  // The machines are most of the program: a file with a mistake need not wait for them.
  const { LINUX_PARTS } = await import("../scenario/linux-parts.ts");
  const schedulers = await loadAllSchedulers(options.scheduler ?? []);
  const isQuiet = options.quiet === true || options.json === "-";
  const files = new OutputFiles();
  const level = levelOf(options);
  const outputs = level === undefined ? undefined : await openOutputs(scenario, level, options, files);
  // What a trace has does not depend on what is drawn beside it.
  const ladder = options.ladder && !isQuiet ? new LadderSink(LADDER_FRAMES_MAX, () => level ?? run.world.trace.setLevel("frames")) : undefined;
  const progress = new ProgressLine();
  const say = (text: string) => {
    if (isQuiet) return;
    progress.clear();
    process.stdout.write(text);
  };
  say(`${scenario.title}\n`);
  const run = new ScenarioRun(scenario, {
    parts: LINUX_PARTS,
    seed: options.seed,
    schedulers,
    untilNs: options.until,
    capturesFrames: options.pcap !== undefined,
    traceLevel: level ?? (ladder === undefined ? "off" : "packets"),
    sinks: [...(ladder === undefined ? [] : [ladder]), ...(outputs?.sinks ?? [])],
    limits: options.maxEvents === undefined ? {} : { events: options.maxEvents },
    onSetupEnd: (host, ended) => {
      if (ended.exit !== 0 || ended.stdout !== "" || ended.stderr !== "") say(formatScript(`setup ${host}`, ended));
    },
    onStepEnd: (_index, step, ended) => say(formatStep(step, ended)),
    onProgress: (timeNs, events) => {
      progress.update(timeNs, events);
    },
  });
  const result = runOrDiscard(run, files);
  progress.clear();
  outputs?.finish();
  for (const workload of result.workloads) say(formatWorkloadResult(workload));
  writeFiles(result, options, files);
  if (ladder !== undefined) say(formatPackets(ladder, scenario, result, options));
  process.exitCode = reportExpectations(scenario, result, isQuiet);
}

/** What the run must record for the files that are wanted; undefined: none of them. */
function levelOf({ trace, traceLevel, pcapng, csv }: RunCommandOptions): TraceLevel | undefined {
  if (trace === undefined && pcapng === undefined && csv === undefined) {
    if (traceLevel !== undefined) throw new UsageError("--trace-level says what --trace, --pcapng and --csv are made of: give one of them");
    return undefined;
  }
  if (csv !== undefined && traceLevel === "frames") throw new UsageError("--csv needs more than --trace-level frames: connections and choices are in packets and full");
  return traceLevel ?? (trace === undefined ? "packets" : "full");
}

async function openOutputs(scenario: Scenario, level: TraceLevel, options: RunCommandOptions, files: OutputFiles): Promise<TraceOutputs> {
  const { TraceOutputs } = await import("./trace-file.ts");
  const { trace: jsonl, pcapng, csv } = options;
  return new TraceOutputs(traceHeader(scenario, level, options.seed), { jsonl, pcapng, csv }, files);
}

/** A run that fails leaves no files. */
function runOrDiscard(run: ScenarioRun, files: OutputFiles): RunResult {
  try {
    return run.run();
  } catch (error) {
    files.discard();
    throw error;
  }
}

function writeFiles(result: RunResult, options: RunCommandOptions, files: OutputFiles): void {
  if (options.pcap !== undefined) {
    for (const capture of result.captures.captures)
      files.add(join(options.pcap, `${capture.hostName}.${capture.deviceName}.pcap`), capture.toBytes(result.originNs));
  }
  const json = `${JSON.stringify(resultToJson(result), undefined, 1)}\n`;
  if (options.json === "-") process.stdout.write(json);
  else if (options.json !== undefined) files.add(options.json, json);
  files.commit();
}

function formatStep(step: Step, result: StepResult): string {
  const at = `${formatSeconds(step.atNs, 3).replace(/\.?0+$/, "")} s`;
  if (step.verb === "fault") return `== at ${at}: ${describeFault(step.fault)}\n`;
  if (step.verb !== "run") return `== at ${at}: ${step.verb} ${step.host}${step.interface === undefined ? "" : `.${step.interface}`}\n`;
  const lines = step.script.trim().split("\n");
  const first = (lines[0] ?? "").slice(0, COMMAND_CHARS_MAX);
  return formatScript(`at ${at} on ${step.host}: ${first}${lines.length > 1 || first.length < (lines[0] ?? "").length ? " ..." : ""}`, result as ScriptResult);
}

function formatScript(what: string, result: ScriptResult): string {
  const status = result.exit === 0 ? "" : ` [${result.exit === null ? "still running" : `exit ${result.exit}`}]`;
  const errors = result.stderr === "" ? "" : `${result.stderr.replace(/\n$/, "").replace(/^/gm, "stderr: ")}\n`;
  return `== ${what}${status}\n${withNewline(result.stdout)}${errors}`;
}

function withNewline(text: string): string {
  return text === "" || text.endsWith("\n") ? text : `${text}\n`;
}

function formatPackets(ladder: LadderSink, scenario: Scenario, result: RunResult, options: RunCommandOptions): string {
  const lines = formatLadder(ladder.events, {
    hosts: scenario.hosts.map((host) => host.name),
    width: terminalWidth(),
    isAscii: options.ascii === true,
    originNs: result.originNs,
    ...(hasColours(options.color) ? { style: colour } : {}),
  });
  if (lines.length === 0) return "\nno packets\n";
  const note = ladder.isFull ? `... the first ${LADDER_FRAMES_MAX} frames; --pcap DIR keeps all\n` : "";
  return `\n${lines.join("\n")}\n${note}`;
}

function reportExpectations(scenario: Scenario, result: RunResult, isQuiet: boolean): number {
  for (const unmet of result.unmet) process.stdout.write(`EXPECT ${formatUnmet(unmet)}\n`);
  const total = scenario.timeline.filter((step) => step.verb === "run" && Object.keys(step.expect).length > 0).length;
  const failed = new Set(result.unmet.map((unmet) => unmet.step)).size;
  if (total > 0 && !isQuiet) process.stdout.write(`${total - failed} of ${total} steps as expected\n`);
  return failed === 0 ? 0 : EXIT_UNMET;
}

function formatUnmet(unmet: Unmet): string {
  return `${formatPlace(unmet.place)}: ${unmet.field} is ${JSON.stringify(unmet.actual)}, not ${JSON.stringify(unmet.expected)}`;
}
