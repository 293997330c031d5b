/**
 * Which scenarios have recordings, and where they are: `scenarios/arp/a01.yaml` has `test/conformance/recordings/scenarios/arp/a01.jsonl`,
 * `test/conformance/net-bulk.yaml` has `test/conformance/recordings/conformance/net-bulk.jsonl`.
 */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { parseScenario, type Scenario } from "../src/scenario/scenario-file.ts";
import { type Recording, recordingFromText } from "./recording.ts";

export const ROOT = join(import.meta.dirname, "..");
export const RECORDINGS = join(ROOT, "test/conformance/recordings");
/** A folder with scenarios -> the folder of their recordings. */
const FOLDERS: readonly (readonly [string, string])[] = [
  ["scenarios", "scenarios"],
  ["test/conformance", "conformance"],
];

/** Where the recording of a scenario file is kept; undefined when its folder has none. */
export function recordingPath(file: string): string | undefined {
  const path = relative(ROOT, resolve(file));
  for (const [folder, name] of FOLDERS)
    if (path.startsWith(`${folder}/`) && path.endsWith(".yaml")) return join(RECORDINGS, name, `${path.slice(folder.length + 1, -".yaml".length)}.jsonl`);
  return undefined;
}

/** Scenario files that are compared with recordings, as paths from the root of the project, sorted. */
export function comparedScenarios(): string[] {
  const files = (folder: string, isRecursive: boolean) =>
    readdirSync(join(ROOT, folder), { recursive: isRecursive, encoding: "utf8" })
      .filter((name) => name.endsWith(".yaml"))
      .map((name) => `${folder}/${name}`);
  return [...files("scenarios", true), ...files("test/conformance", false)].sort();
}

export function loadScenario(path: string): Scenario {
  const file = resolve(ROOT, path);
  return parseScenario(readFileSync(file, "utf8"), file);
}

/** undefined: not recorded. */
export function loadRecording(path: string): Recording | undefined {
  const file = recordingPath(resolve(ROOT, path));
  return file === undefined || !existsSync(file) ? undefined : recordingFromText(readFileSync(file, "utf8"), relative(ROOT, file));
}
