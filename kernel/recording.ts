/**
 * What one acting-out of a scenario left behind, reduced to what can be compared: outputs, tables at the end, and at each interface the
 * conversations. Kept as JSON Lines, one file a scenario, so that a difference between two recordings can be read.
 *
 *   {"recording":1,"kernel":"6.1.176","inputs":"<hash>","until":6.4}          first line; `until`: frames up to then are compared, seconds
 *   {"output":"setup director","exit":0,"stdout":"...","stderr":"..."}        empty texts are left out
 *   {"output":"step 3","exit":7,...}                                           steps count from 0 in file order
 *   {"table":"route","host":"director","rows":[...]}
 *   {"frames":"tcp 10.0.0.1:e1 10.0.0.9:80","at":["client.eth0",...],"times":[0.1,...],"rows":[...]}
 *
 * Conversations that look the same at several interfaces are one line; `times` are those of the first of them, in tenths of a second.
 */

import { createHash } from "node:crypto";
import type { Scenario, Step } from "../src/scenario/scenario-file.ts";
import type { Conversation, Story } from "./story.ts";
import type { TableName, Tables } from "./tables.ts";

const VERSION = 1;

export interface ScriptOutput {
  readonly exit: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** One acting-out, by the kernel or by lvsim. */
export interface Recording {
  /** `uname -r`, or "lvsim". */
  readonly kernel: string;
  /** What was acted out: `inputsOf` of the scenario. */
  readonly inputs: string;
  /** Frames up to then are compared, seconds since the origin. */
  readonly untilSeconds: number;
  /** "setup HOST" or "step N" -> what was said. */
  readonly outputs: ReadonlyMap<string, ScriptOutput>;
  /** Host -> table -> rows. */
  readonly tables: ReadonlyMap<string, Tables>;
  /** "HOST.INTERFACE" -> conversations. */
  readonly stories: ReadonlyMap<string, Story>;
}

/** A script without what does nothing: blank lines and lines that are a comment. */
function essence(script: string | undefined): string {
  return (script ?? "")
    .split("\n")
    .map((line) => line.trimEnd())
    .filter((line) => line !== "" && !/^\s*#(?!!)/.test(line))
    .join("\n");
}

function stepInputs(step: Step): unknown {
  if (step.verb === "run") return [step.atNs, "run", step.host, essence(step.script), step.timeoutNs];
  if (step.verb === "fault") return [step.atNs, "fault", step.fault];
  return [step.atNs, step.verb, step.host, step.interface];
}

/** What decides how a scenario goes; titles, comments and expectations do not. Link properties are the simulator's alone. */
export function inputsParts(scenario: Scenario): readonly unknown[] {
  const hosts = scenario.hosts.map((host) => [
    host.name,
    host.interfaces.map(({ name, link, addresses, mac, mtu }) => [name, link, addresses, mac, mtu]),
    host.gateway,
    host.forward,
    host.files,
    essence(host.run),
  ]);
  return [...hosts, ...scenario.timeline.map(stepInputs), scenario.durationNs];
}

/** A hash of `inputsParts`. */
export function inputsOf(scenario: Scenario): string {
  return createHash("sha256").update(JSON.stringify(inputsParts(scenario))).digest("hex").slice(0, 16);
}

/** Seconds up to which frames are compared: a little less than the half second that both go on after the last step. */
export function untilOf(scenario: Scenario, stepSeconds: readonly (number | undefined)[]): number {
  const ends = scenario.timeline.map(({ atNs }, i) => atNs / 1e9 + (stepSeconds[i] ?? 0));
  return Math.round(Math.max(scenario.durationNs / 1e9, Math.max(0, ...ends) + 0.4) * 10) / 10;
}

export function recordingToText(recording: Recording): string {
  const lines: unknown[] = [{ recording: VERSION, kernel: recording.kernel, inputs: recording.inputs, until: recording.untilSeconds }];
  for (const [output, { exit, stdout, stderr }] of recording.outputs)
    lines.push({ output, exit, ...(stdout === "" ? {} : { stdout }), ...(stderr === "" ? {} : { stderr }) });
  for (const [host, tables] of recording.tables) for (const [table, rows] of tables) lines.push({ table, host, rows });
  lines.push(...frameLines(recording.stories));
  return `${lines.map((line) => JSON.stringify(line)).join("\n")}\n`;
}

interface FrameLine {
  readonly frames: string;
  readonly at: string[];
  readonly times: readonly number[];
  readonly rows: readonly string[];
}

function frameLines(stories: ReadonlyMap<string, Story>): FrameLine[] {
  const lines = new Map<string, FrameLine>();
  for (const [point, story] of stories) {
    for (const [frames, { rows, times }] of story) {
      const key = [frames, ...rows].join("\n");
      const known = lines.get(key);
      if (known === undefined) lines.set(key, { frames, at: [point], times: times.map((time) => Math.round(time * 10) / 10 + 0), rows });
      else known.at.push(point);
    }
  }
  return [...lines.values()];
}

/** Throws an Error with the line when the text is no recording. */
export function recordingFromText(text: string, name: string): Recording {
  const outputs = new Map<string, ScriptOutput>();
  const tables = new Map<string, Map<TableName, readonly string[]>>();
  const stories = new Map<string, Map<string, Conversation>>();
  let head: { readonly kernel: string; readonly inputs: string; readonly until: number } | undefined;
  for (const [i, line] of text.trimEnd().split("\n").entries()) {
    const value = JSON.parse(line) as Record<string, unknown>;
    if (value.recording !== undefined) {
      if (value.recording !== VERSION) throw new Error(`${name}: a recording of version ${String(value.recording)}, this reads ${VERSION}; import it again`);
      head = value as unknown as typeof head;
    } else if (typeof value.output === "string") {
      outputs.set(value.output, { exit: value.exit as number | null, stdout: (value.stdout ?? "") as string, stderr: (value.stderr ?? "") as string });
    } else if (typeof value.table === "string") {
      const host = value.host as string;
      const known = tables.get(host) ?? new Map<TableName, readonly string[]>();
      tables.set(host, known.set(value.table as TableName, value.rows as string[]));
    } else if (typeof value.frames === "string") {
      const line = value as unknown as FrameLine;
      for (const point of line.at) {
        const story = stories.get(point) ?? new Map<string, Conversation>();
        stories.set(point, story.set(line.frames, { rows: [...line.rows], times: [...line.times] }));
      }
    } else throw new Error(`${name}:${i + 1}: no line of a recording`);
  }
  if (head === undefined) throw new Error(`${name}: no recording, its first line is missing`);
  return { kernel: head.kernel, inputs: head.inputs, untilSeconds: head.until, outputs, tables, stories };
}
