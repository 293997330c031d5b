/**
 * The figures of docs/FIDELITY.md: how many recordings of each model agree, and how many picks. Cells and sentences are found by their form, so that
 * the words around them can be written freely.
 */

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { KNOWN_DIFFERENCES } from "../test/conformance/exceptions.ts";
import { comparedScenarios, loadRecording, ROOT } from "./places.ts";
import { drawnPath } from "./sched.ts";
import { DRAWN_SCHEDULERS, pickCount } from "./sched-draw.ts";

export const FIDELITY = join(ROOT, "docs/FIDELITY.md");
/** Number of the table's column with names of recordings, and of the one with how many agree. */
const NAMES_COLUMN = 3;
const COUNT_COLUMN = 4;

/** The text with today's figures. */
export function withFigures(text: string): string {
  const recorded = comparedScenarios().filter((path) => loadRecording(path) !== undefined);
  const agreeing = recorded.filter((path) => !KNOWN_DIFFERENCES.has(path));
  const scripts = DRAWN_SCHEDULERS.flatMap((scheduler) => (existsSync(drawnPath(scheduler)) ? readFileSync(drawnPath(scheduler), "utf8").trimEnd().split("\n") : []));
  const picks = scripts.reduce((sum, line) => sum + pickCount(line.split(" ").slice(2).join(" ")), 0);
  return text
    .split("\n")
    .map((line) => (line.startsWith("| ") ? countedRow(line, recorded) : line))
    .join("\n")
    .replace(/\d+ of \d+ recordings agree/, `${agreeing.length} of ${recorded.length} recordings agree`)
    .replace(/[\d,]+ picks of \d+ drawn scripts/, `${picks.toLocaleString("en")} picks of ${scripts.length} drawn scripts`);
}

function countedRow(line: string, recorded: readonly string[]): string {
  const cells = line.split(/(?<!\\)\|/);
  const patterns = [...(cells[NAMES_COLUMN] ?? "").matchAll(/`([\w*/.-]+)`/g)].map(([, pattern = ""]) => patternOf(pattern));
  const own = recorded.filter((path) => patterns.some((pattern) => pattern.test(path)));
  if (own.length === 0) return line;
  cells[COUNT_COLUMN] = ` ${own.filter((path) => !KNOWN_DIFFERENCES.has(path)).length} of ${own.length} `;
  return cells.join("|");
}

/** `nat-*` is about test/conformance/, `scenarios/nat/*` and `nat/*` about the library. */
function patternOf(name: string): RegExp {
  const path = name.includes("/") ? `scenarios/${name.replace(/^scenarios\//, "")}` : `test/conformance/${name}`;
  return new RegExp(`^${path.replaceAll(".", "\\.").replaceAll("*", "[^/]*")}\\.yaml$`);
}

export function writeFigures(): void {
  writeFileSync(FIDELITY, withFigures(readFileSync(FIDELITY, "utf8")));
}
