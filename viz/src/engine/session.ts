/**
 * A session: what it follows from, its records, what its commands said. Opened in slices, so that the worker hears a cancel in between.
 */

import { NS_PER_SECOND } from "../../../src/base/time.ts";
import { RoleReader } from "../../../src/report/roles.ts";
import { describeFault } from "../../../src/scenario/fault.ts";
import { LimitError } from "../../../src/scenario/limits.ts";
import { LINUX_PARTS } from "../../../src/scenario/linux-parts.ts";
import { ScenarioRun, type ScriptResult } from "../../../src/scenario/run-scenario.ts";
import { ScenarioError } from "../../../src/scenario/scenario-error.ts";
import { parseScenario, type Scenario, type Step } from "../../../src/scenario/scenario-file.ts";
import { traceHeader } from "../../../src/scenario/trace-header.ts";
import { JsonLinesReader, TraceReadError } from "../../../src/trace/jsonl.ts";
import { TRACE_FORMAT, TRACE_VERSION, type TraceHeader } from "../../../src/trace/trace-header.ts";
import type { CommandOutput, Failure, Progress, ScenarioSource, SessionInfo, Source, TraceSource, UnmetExpectation } from "./protocol.ts";
import { FRAME_SENT, RecordOrderError, RecordStore } from "./record-store.ts";
import { TypedLines } from "./typed-lines.ts";

/** A run with more records is stopped; what is there can be watched. A million take about a gigabyte. */
export const RECORDS_MAX = 2_000_000;
/** Text of a scenario and of a trace file, in bytes. */
export const SCENARIO_BYTES_MAX = 4_194_304;
export const TRACE_BYTES_MAX = 2_147_483_648;

export interface Session {
  readonly info: SessionInfo;
  readonly source: Source;
  readonly header: TraceHeader;
  readonly store: RecordStore;
  /** Of setup, timeline and typed lines, in order of their start; empty for a trace file. */
  readonly outputs: readonly CommandOutput[];
  /** Answers that queries keep, by name. */
  readonly cache: Map<string, unknown>;
}

/** What the opening of a session tells and hears between its slices. */
export interface OpeningHooks {
  /** Records that there is room for, when other sessions take some; never more than RECORDS_MAX. */
  readonly recordsMax?: number;
  onProgress(progress: Progress): void;
  /** Resolves soon; true: give up. */
  pause(): Promise<boolean>;
}

/** Reached the bound on records; only this file throws and catches it. */
class RecordsReached extends Error {}

/** The opening was cancelled. */
export class Cancelled extends Error {}

export async function openSession(id: number, source: Source, hooks: OpeningHooks): Promise<Session> {
  return source.kind === "scenario" ? runSession(id, source, hooks) : readSession(id, source, hooks);
}

async function runSession(id: number, source: ScenarioSource, hooks: OpeningHooks): Promise<Session> {
  if (source.text.length > SCENARIO_BYTES_MAX)
    throw new ScenarioError([{ file: source.file, line: 1, column: 1, message: `the file has more than ${SCENARIO_BYTES_MAX} characters`, remedy: "make it smaller" }]);
  const scenario = parseScenario(source.text, source.file);
  const store = new RecordStore();
  const outputs: CommandOutput[] = [];
  const watch = new RunWatch(scenario, store, outputs, hooks.recordsMax ?? RECORDS_MAX);
  const run = new ScenarioRun(scenario, {
    parts: LINUX_PARTS,
    seed: source.seed,
    traceLevel: "full",
    sinks: [{ write: (event) => watch.write(event) }],
    onSetupEnd: (host, result) => watch.setupEnded(host, result),
    onStepStart: (index) => watch.stepStarted(index),
    onStepEnd: (index, step, result) => watch.stepEnded(index, step, result as Partial<ScriptResult>),
  });
  watch.run = run;
  let stopped: Failure | undefined;
  try {
    run.runSetup();
    const typed = new TypedLines(run, source.inputs);
    run.scheduleTimeline();
    for (let slice = 0; run.runSome(); slice++) {
      hooks.onProgress({ records: store.count, timeNs: store.endNs, share: watch.share() });
      if (slice % 4 === 3 && (await hooks.pause())) throw new Cancelled();
    }
    outputs.push(...typed.outputs());
  } catch (error) {
    stopped = failureOfRun(error);
    if (stopped === undefined || store.count === 0) throw error;
  }
  if (stopped === undefined) run.finish();
  outputs.sort((a, b) => a.startNs - b.startNs);
  const seed = source.seed ?? scenario.seed;
  const header: TraceHeader = { format: TRACE_FORMAT, version: TRACE_VERSION, ...traceHeader(scenario, "full", seed) };
  const unmet = run.unmet.map(({ place, field, expected, actual }): UnmetExpectation => ({ line: place.line, field, expected: String(expected), actual: String(actual) }));
  return finishSession(id, source, header, store, { outputs, unmet, stopped, description: scenario.description, teaches: scenario.lesson?.teaches ?? "" });
}

function failureOfRun(error: unknown): Failure | undefined {
  if (error instanceof RecordsReached) return { kind: "records", message: error.message, places: [] };
  if (error instanceof LimitError) {
    const { line, column } = error.place;
    return { kind: "limit", message: error.message, places: [{ line, column, message: error.message, remedy: "" }] };
  }
  return undefined;
}

/** Keeps what a run tells as it goes on. */
class RunWatch {
  run: ScenarioRun | undefined;
  readonly #scenario: Scenario;
  readonly #store: RecordStore;
  readonly #outputs: CommandOutput[];
  readonly #starts = new Map<number, number>();
  readonly #recordsMax: number;
  #setupStartNs = 0;

  constructor(scenario: Scenario, store: RecordStore, outputs: CommandOutput[], recordsMax: number) {
    this.#recordsMax = recordsMax;
    this.#scenario = scenario;
    this.#store = store;
    this.#outputs = outputs;
  }

  get #nowNs(): number {
    return this.run?.world.loop.nowNs ?? 0;
  }

  write(event: Parameters<RecordStore["write"]>[0]): void {
    if (this.#store.count >= this.#recordsMax) throw new RecordsReached(`${this.#recordsMax} records`);
    this.#store.write(event);
  }

  /** How much of the timeline has passed; commands that wait make it a guess. */
  share(): number | undefined {
    const last = this.#scenario.timeline.reduce((most, step) => Math.max(most, step.atNs), this.#scenario.durationNs) + NS_PER_SECOND / 2;
    const at = this.#nowNs - (this.run?.world.originNs ?? 0);
    return at > last ? undefined : at / last;
  }

  setupEnded(host: string, result: ScriptResult): void {
    const text = this.#scenario.hosts.find(({ name }) => name === host)?.run ?? "";
    this.#push({ origin: "setup", index: 0, host, text }, this.#setupStartNs, result);
    this.#setupStartNs = this.#nowNs;
  }

  stepStarted(index: number): void {
    this.#starts.set(index, this.#nowNs);
  }

  stepEnded(index: number, step: Step, result: Partial<ScriptResult>): void {
    const host = step.verb === "fault" ? "" : step.host;
    this.#push({ origin: "step", index, host, text: stepText(step) }, this.#starts.get(index) ?? this.#nowNs, result);
  }

  #push(what: Pick<CommandOutput, "origin" | "index" | "host" | "text">, startNs: number, result: Partial<ScriptResult>): void {
    const endNs = this.#nowNs;
    const pieces = (["stdout", "stderr"] as const).flatMap((stream) => (result[stream] ? [{ timeNs: endNs, stream, text: result[stream] }] : []));
    this.#outputs.push({ ...what, startNs, endNs, exit: result.exit ?? undefined, pieces, prompt: "", promptAfter: "" });
  }
}

function stepText(step: Step): string {
  if (step.verb === "run") return step.script;
  if (step.verb === "fault") return describeFault(step.fault);
  return `${step.verb} ${step.host}${step.interface === undefined ? "" : `.${step.interface}`}`;
}

const READ_SLICE_CHARS = 262_144;

async function readSession(id: number, source: TraceSource, hooks: OpeningHooks): Promise<Session> {
  if (source.blob.size > TRACE_BYTES_MAX) throw new TraceReadError(1, `the file has more than ${TRACE_BYTES_MAX} bytes`);
  const store = new RecordStore();
  let stopped: Failure | undefined;
  const recordsMax = hooks.recordsMax ?? RECORDS_MAX;
  const reader = new JsonLinesReader((event) => {
    if (store.count >= recordsMax) throw new RecordsReached(`${recordsMax} records`);
    store.write(event);
  });
  const stream = source.blob.stream().pipeThrough(new TextDecoderStream()).getReader();
  let charsRead = 0;
  try {
    for (let next = await stream.read(); !next.done; next = await stream.read()) {
      for (let from = 0; from < next.value.length; from += READ_SLICE_CHARS) {
        reader.push(next.value.slice(from, from + READ_SLICE_CHARS));
        charsRead += Math.min(READ_SLICE_CHARS, next.value.length - from);
        hooks.onProgress({ records: store.count, timeNs: store.endNs, share: Math.min(1, charsRead / source.blob.size) });
        if (await hooks.pause()) throw new Cancelled();
      }
    }
    reader.end();
  } catch (error) {
    if (error instanceof RecordOrderError) throw new TraceReadError(store.count + 2, error.message);
    if (!(error instanceof RecordsReached)) throw error;
    stopped = { kind: "records", message: error.message, places: [] };
  } finally {
    void stream.cancel();
  }
  const { header } = reader;
  if (header === undefined) throw new TraceReadError(1, "the trace is empty");
  return finishSession(id, source, header, store, { outputs: [], unmet: [], stopped, description: "", teaches: "" });
}

function finishSession(
  id: number,
  source: Source,
  header: TraceHeader,
  store: RecordStore,
  rest: Pick<SessionInfo, "unmet" | "stopped" | "description" | "teaches"> & { readonly outputs: readonly CommandOutput[] },
): Session {
  const { level, title, seed, hosts, links, scenario } = header;
  const info: SessionInfo = {
    id,
    header: { level, title, seed, hosts, links },
    scenarioText: source.kind === "scenario" ? source.text : scenario,
    description: rest.description,
    teaches: rest.teaches,
    roles: rolesOf(header, store),
    recordCount: store.count,
    originNs: store.originNs,
    endNs: store.endNs,
    firstId: store.nextShown(0, 1) ?? 0,
    firstFrameId: firstFrame(store),
    unmet: rest.unmet,
    stopped: rest.stopped,
  };
  return { info, source, header, store, outputs: rest.outputs, cache: new Map() };
}

function rolesOf(header: TraceHeader, store: RecordStore): SessionInfo["roles"] {
  const reader = new RoleReader(header);
  for (const event of store.records) reader.write(event);
  return reader.roles();
}

/** The first frame of the timeline, else the first at all. */
function firstFrame(store: RecordStore): number {
  const from = store.countBefore(store.originNs);
  for (const start of [from, 0]) for (let at = start; at < store.count; at++) if (store.kinds[at] === FRAME_SENT) return at + 1;
  return 0;
}
