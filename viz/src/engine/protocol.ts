/**
 * What the page and its worker say to each other. Sessions live in the worker; whole traces never leave it.
 *
 *   page ── open ─▶ worker ── progress ... opened | failed ─▶ page
 *   page ── ask NAME ARGUMENTS ─▶ worker ── answer | failed ─▶ page
 *
 * What can be asked is in queries.ts; each question's types come from its function there.
 */

import type { NodeRole } from "../../../src/report/roles.ts";
import type { TraceHeader } from "../../../src/trace/trace-header.ts";

/** A line that somebody typed into a host's terminal. */
export interface TypedLine {
  /** Timeline time; the line runs one nanosecond later, when all that happens at this instant has happened. */
  readonly atNs: number;
  readonly host: string;
  /** Several lines when a command goes over several; `INTERRUPT` for Ctrl-C. */
  readonly line: string;
}

export const INTERRUPT = "\u0003";

/** All that a run follows from. */
export interface ScenarioSource {
  readonly kind: "scenario";
  /** As shown in messages: a path of the gallery, or the name of a dropped file. */
  readonly file: string;
  readonly text: string;
  /** undefined: the file's. */
  readonly seed: string | undefined;
  readonly inputs: readonly TypedLine[];
}

export interface TraceSource {
  readonly kind: "trace";
  readonly file: string;
  readonly blob: Blob;
}

export type Source = ScenarioSource | TraceSource;

/** What one script or typed line said. */
export interface CommandOutput {
  /** `setup`: at boot; `step`: of the timeline; `input`: typed here. */
  readonly origin: "setup" | "step" | "input";
  /** Of the step or input in its list; 0 for setup. */
  readonly index: number;
  readonly host: string;
  readonly text: string;
  /** Simulated time. */
  readonly startNs: number;
  /** undefined: it had not ended when the run ended. */
  readonly endNs: number | undefined;
  readonly exit: number | undefined;
  /** What it printed, each piece with its time; a step's output is one piece at its end. */
  readonly pieces: readonly { readonly timeNs: number; readonly stream: "stdout" | "stderr"; readonly text: string }[];
  /** Before and after the line, for typed lines. */
  readonly prompt: string;
  readonly promptAfter: string;
}

/** One `expect` that was not met. */
export interface UnmetExpectation {
  readonly line: number;
  readonly field: string;
  readonly expected: string;
  readonly actual: string;
}

/** All about a session that does not depend on the position. */
export interface SessionInfo {
  readonly id: number;
  readonly header: Pick<TraceHeader, "level" | "title" | "seed" | "hosts" | "links">;
  readonly scenarioText: string | null;
  readonly description: string;
  /** What the scenario says that it teaches, or empty. */
  readonly teaches: string;
  readonly roles: Readonly<Record<string, NodeRole>>;
  readonly recordCount: number;
  /** Simulated times. */
  readonly originNs: number;
  readonly endNs: number;
  /** First shown record; first frame of the timeline, or 0. */
  readonly firstId: number;
  readonly firstFrameId: number;
  readonly unmet: readonly UnmetExpectation[];
  /** Why the run ended early; undefined when it did not. */
  readonly stopped: Failure | undefined;
}

export interface FailurePlace {
  readonly line: number;
  readonly column: number;
  readonly message: string;
  readonly remedy: string;
}

/** What went wrong. `kind` chooses the page's words, `message` has the facts. */
export interface Failure {
  readonly kind: "scenario" | "limit" | "records" | "trace" | "cancelled" | "internal";
  readonly message: string;
  readonly places: readonly FailurePlace[];
}

export interface Progress {
  readonly records: number;
  readonly timeNs: number;
  /** 0 to 1; undefined when nobody knows. */
  readonly share: number | undefined;
}

export type ToWorker =
  | { readonly type: "open"; readonly call: number; readonly source: Source }
  | { readonly type: "cancel"; readonly call: number }
  | { readonly type: "close"; readonly session: number }
  | { readonly type: "ask"; readonly call: number; readonly session: number; readonly name: string; readonly args: unknown };

export type FromWorker =
  | { readonly type: "progress"; readonly call: number; readonly progress: Progress }
  | { readonly type: "opened"; readonly call: number; readonly info: SessionInfo }
  | { readonly type: "answer"; readonly call: number; readonly value: unknown }
  | { readonly type: "failed"; readonly call: number; readonly failure: Failure };
