/**
 * Has the real kernel's schedulers play scheduler scripts (docs/SCHEDULERS.md).
 */

import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseSchedScript } from "../src/sched/sched-script-parser.ts";
import { ROOT } from "./places.ts";
import { DRAWN_SCHEDULERS, drawScripts, shortPicks } from "./sched-draw.ts";
import { UmlKernel } from "./uml.ts";

const SECONDS_MAX = 1800;

/** What the kernel says to each script: NAME SERVER a connection, NAME - when it was not served, ! OPERATION: MESSAGE for a refused command. */
export async function picksOf(kernel: UmlKernel, scripts: readonly string[]): Promise<readonly (readonly string[])[]> {
  const { result } = await kernel.act({ kind: "sched", scripts }, SECONDS_MAX);
  return (result as { readonly picks: readonly (readonly string[])[] }).picks;
}

/** Prints the picks of each file. Throws an Error with line and remedy when one is no script. */
export async function playFiles(files: readonly string[]): Promise<void> {
  const scripts = files.map((file) => readFileSync(file, "utf8"));
  for (const [i, script] of scripts.entries()) {
    const [problem] = parseSchedScript(script).problems;
    if (problem !== undefined) throw new Error(`${files[i]}:${problem.line}: ${problem.message}; ${problem.remedy}`);
  }
  const kernel = await UmlKernel.boot();
  try {
    for (const lines of await picksOf(kernel, scripts)) for (const line of lines) console.log(line);
  } finally {
    await kernel.stop();
  }
}

/** Where what the kernel answered to the drawn scripts of a scheduler is kept: NAME HASH PICKS, a line a script. */
export function drawnPath(scheduler: string): string {
  return join(ROOT, "test/sched/drawn", `${scheduler}.txt`);
}

/** Records the drawn scripts of each scheduler; all of them without names. */
export async function recordDrawn(names: readonly string[]): Promise<void> {
  for (const name of names) if (!DRAWN_SCHEDULERS.some((one) => one === name)) throw new Error(`no scheduler "${name}" is drawn; known: ${DRAWN_SCHEDULERS.join(", ")}`);
  const kernel = await UmlKernel.boot();
  try {
    for (const scheduler of names.length > 0 ? names : DRAWN_SCHEDULERS) {
      const scripts = drawScripts(scheduler);
      const picks = await picksOf(kernel, scripts.map(({ text }) => text));
      const rows = scripts.map(({ name, hash }, i) => `${name} ${hash} ${shortPicks(picks[i] ?? [])}\n`);
      mkdirSync(dirname(drawnPath(scheduler)), { recursive: true });
      writeFileSync(drawnPath(scheduler), rows.join(""));
      console.log(`${scheduler}: ${scripts.length} scripts, ${picks.flat().filter((line) => !line.startsWith("!")).length} picks`);
    }
  } finally {
    await kernel.stop();
  }
}
