/**
 * Records scenarios on the real kernel.
 */

import { relative, resolve } from "node:path";
import type { Scenario } from "../src/scenario/scenario-file.ts";
import { actOutHere } from "./acted-here.ts";
import { recordingDifferences } from "./differences.ts";
import { placeFor, writeRecording } from "./import.ts";
import { CannotRecord, jobOf, secondsMaxOf } from "./job.ts";
import { recordingOfLab } from "./lab-folder.ts";
import { comparedScenarios, loadRecording, loadScenario, ROOT } from "./places.ts";
import { inputsOf, type Recording } from "./recording.ts";
import { missingTools, UmlKernel } from "./uml.ts";

/** Has the kernel act a scenario out. Throws a CannotRecord when it holds what no kernel can do. */
export async function recordOn(kernel: UmlKernel, scenario: Scenario): Promise<Recording> {
  const { folder } = await kernel.act(jobOf(scenario), secondsMaxOf(scenario));
  return recordingOfLab(folder, scenario, true);
}

async function withKernel<T>(use: (kernel: UmlKernel) => Promise<T>): Promise<T> {
  const missing = missingTools();
  if (missing.length > 0) console.error(`some programs are not installed (apt-get install -y --no-install-recommends ${missing.join(" ")}); scenarios that use them will fail`);
  const kernel = await UmlKernel.boot();
  try {
    return await use(kernel);
  } finally {
    await kernel.stop();
  }
}

/** Acts out each file, `jobCount` at a time. */
async function eachOf(files: readonly string[], jobCount: number, act: (kernel: UmlKernel, file: string) => Promise<void>): Promise<string[]> {
  const problems: string[] = [];
  await withKernel(async (kernel) => {
    const waiting = [...files];
    const worker = async () => {
      for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
        try {
          await act(kernel, file);
        } catch (error) {
          problems.push(`${file}: ${error instanceof Error ? error.message : String(error)}`);
          console.log(problems.at(-1));
        }
      }
    };
    await Promise.all(Array.from({ length: jobCount }, worker));
  });
  return problems;
}

/** Scenarios that have no recording, or one of another version of them, and that a kernel can act out. */
export function staleFiles(): string[] {
  return comparedScenarios().filter((path) => {
    const scenario = loadScenario(path);
    if (loadRecording(path)?.inputs === inputsOf(scenario)) return false;
    try {
      jobOf(scenario);
      return true;
    } catch (error) {
      if (!(error instanceof CannotRecord)) throw error;
      console.log(`${path}: cannot be recorded: ${error.message}`);
      return false;
    }
  });
}

export async function recordFiles(files: readonly string[], jobCount: number): Promise<void> {
  for (const file of files) {
    placeFor(resolve(ROOT, file));
    jobOf(loadScenario(file));
  }
  const problems = await eachOf(files, jobCount, async (kernel, file) => {
    const path = placeFor(resolve(ROOT, file));
    const recording = await recordOn(kernel, loadScenario(file));
    writeRecording(path, recording);
    console.log(`${relative(ROOT, path)}: ${recording.stories.size} interfaces, ${recording.outputs.size} outputs`);
  });
  if (problems.length > 0) throw new Error(`${problems.length} of ${files.length} were not recorded`);
}

/** Records afresh, elsewhere, and prints how that differs from lvsim and from the recording that is kept. Returns how many files differ. */
export async function compareFiles(files: readonly string[], jobCount: number): Promise<number> {
  for (const file of files) jobOf(loadScenario(file));
  let differing = 0;
  const problems = await eachOf(files, jobCount, async (kernel, file) => {
    const scenario = loadScenario(file);
    const fresh = await recordOn(kernel, scenario);
    const here = actOutHere(scenario, fresh.untilSeconds).recording;
    const differences = recordingDifferences(scenario, fresh, here);
    const kept = loadRecording(file);
    const drift = kept === undefined ? [] : recordingDifferences(scenario, kept, fresh, { theirs: "kept", ours: "fresh" });
    if (differences.length > 0) differing++;
    const keptText = kept === undefined ? "no recording is kept" : drift.length === 0 ? "the recording that is kept agrees" : `${drift.length} differences to the recording that is kept`;
    console.log(`${file}: ${differences.length === 0 ? "lvsim agrees with the kernel" : `${differences.length} differences between kernel and lvsim`}; ${keptText}`);
    for (const one of differences) console.log(`  ${one.replaceAll("\n", "\n  ")}`);
    for (const one of drift) console.log(`  ${one.replaceAll("\n", "\n  ")}`);
  });
  return differing + problems.length;
}
