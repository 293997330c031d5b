/**
 * Turns folders of pcaps and outputs into recordings.
 */

import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { recordingOfLab } from "./lab-folder.ts";
import { comparedScenarios, loadScenario, recordingPath, ROOT } from "./places.ts";
import { type Recording, recordingToText } from "./recording.ts";

/** Where the recording of `file` belongs; throws an Error when it has no place. */
export function placeFor(file: string): string {
  const path = recordingPath(file);
  if (path === undefined) throw new Error(`${file} is in a folder whose scenarios are not compared with recordings; put it in scenarios/ or test/conformance/`);
  return path;
}

export function writeRecording(path: string, recording: Recording): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, recordingToText(recording));
}

export function importOne(folder: string, file: string, isTrusted: boolean): void {
  const path = placeFor(file);
  const recording = recordingOfLab(folder, loadScenario(file), isTrusted);
  writeRecording(path, recording);
  console.log(`${relative(ROOT, path)}: ${recording.stories.size} interfaces, ${recording.outputs.size} outputs`);
}

/** Imports each FOLDER/NAME that has a scenario NAME.yaml; says what it could not import, and then fails. */
export function importAll(folder: string, isTrusted: boolean): void {
  const files = comparedScenarios();
  const problems: string[] = [];
  for (const { name } of readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory())) {
    const matching = files.filter((file) => basename(file, ".yaml") === name);
    if (!existsSync(join(folder, name, "result.json"))) problems.push(`${join(folder, name)}: no result.json`);
    else if (matching.length === 0) problems.push(`${join(folder, name)}: no scenario ${name}.yaml`);
    for (const file of matching) {
      try {
        importOne(join(folder, name), join(ROOT, file), isTrusted);
      } catch (error) {
        problems.push(error instanceof Error ? error.message : String(error));
      }
    }
  }
  if (problems.length > 0) throw new Error(`not imported:\n${problems.map((problem) => `  ${problem}`).join("\n")}`);
}
