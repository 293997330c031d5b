/**
 * Reads the folder that an acting-out by the kernel leaves behind: one HOST.INTERFACE.pcap an interface, `result.json` with outputs and
 * tables, and `scenario.json`, what was acted out.
 */

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Scenario, scenarioFromObject } from "../src/scenario/scenario-file.ts";
import { inputsOf, type Recording, type ScriptOutput, untilOf } from "./recording.ts";
import { macNames, storyOf } from "./story.ts";
import { type TableName, tablesOf } from "./tables.ts";

interface LabResult {
  readonly kernel: string;
  /** Seconds since 1970 at time 0 of the timeline. */
  readonly t0: number;
  readonly setup: Readonly<Record<string, ScriptOutput>>;
  readonly timeline: readonly ((ScriptOutput & { readonly seconds?: number }) | Record<string, never> | { readonly error: string } | null)[];
  readonly state?: Readonly<Record<string, Partial<Record<TableName, string>>>>;
}

/** Throws an Error that says what is wrong with the folder, or that it is of another scenario. `isTrusted`: what was acted out is not looked at. */
export function recordingOfLab(folder: string, scenario: Scenario, isTrusted: boolean): Recording {
  const read = (name: string): string => {
    const path = join(folder, name);
    if (!existsSync(path)) throw new Error(`${path} is missing: ${folder} is not what a recording leaves behind`);
    return readFileSync(path, "utf8");
  };
  const inputs = inputsOf(scenario);
  if (!isTrusted) checkInputs(JSON.parse(read("scenario.json")), scenario, folder);
  const result = JSON.parse(read("result.json")) as LabResult;
  const outputs = new Map<string, ScriptOutput>(Object.entries(result.setup).map(([host, output]) => [`setup ${host}`, plain(output)]));
  for (const [i, step] of result.timeline.entries()) {
    if (step !== null && "error" in step) throw new Error(`${folder}: step ${i} failed: ${step.error}`);
    if (step !== null && "exit" in step) outputs.set(`step ${i}`, plain(step as ScriptOutput));
  }
  const untilSeconds = untilOf(scenario, result.timeline.map((step) => (step as { readonly seconds?: number } | null)?.seconds));
  const macs = macNames(scenario);
  const stories = new Map(
    scenario.hosts.flatMap((host) =>
      host.interfaces.map((one) => {
        const point = `${host.name}.${one.name}`;
        const path = join(folder, `${point}.pcap`);
        if (!existsSync(path)) throw new Error(`${path} is missing: ${folder} is not a recording of ${scenario.file}`);
        return [point, storyOf(readFileSync(path), macs, result.t0, untilSeconds)] as const;
      }),
    ),
  );
  const tables = new Map(Object.entries(result.state ?? {}).map(([host, texts]) => [host, tablesOf(texts)] as const).filter(([, rows]) => rows.size > 0));
  return { kernel: result.kernel, inputs, untilSeconds, outputs, tables, stories };
}

function plain({ exit, stdout, stderr }: ScriptOutput): ScriptOutput {
  return { exit, stdout, stderr };
}

function checkInputs(raw: Record<string, unknown>, scenario: Scenario, folder: string): void {
  // The laboratory lists links by name alone.
  const links = Array.isArray(raw.links) ? Object.fromEntries((raw.links as string[]).map((link) => [link, {}])) : raw.links;
  const acted = scenarioFromObject({ ...raw, links }, join(folder, "scenario.json"));
  if (inputsOf(acted) === inputsOf(scenario)) return;
  throw new Error(`${folder} is a recording of another version of ${scenario.file}; record it again (or, when you know that the change does not matter, --trust)`);
}
