/**
 * Matchers about what a command printed, and about what a scheduler picks.
 */

import { runSchedScript, type ScriptResult } from "../index.ts";
import { LINUX_6_1_176, type Scheduler, type SchedulerOptions, schedulerByName, SCHEDULERS } from "../ipvs/schedulers/index.ts";
import { quoted, type Verdict } from "./evidence.ts";

const LINES_AROUND = 3;

/* ------------------------------------------------------------------------------------------------------- toExit, toPrint */

function mustBeResult(received: unknown, matcher: string): ScriptResult {
  const isResult = typeof received === "object" && received !== null && "exit" in received && "stdout" in received && "stderr" in received;
  if (isResult) return received as ScriptResult;
  throw new TypeError(`${matcher} needs what a command gave: expect(lab.run("client", "...")).${matcher}(...)`);
}

export function toExit(received: unknown, exit = 0): Verdict {
  const result = mustBeResult(received, "toExit");
  const pass = result.exit === exit;
  return {
    pass,
    message: () =>
      `expected exit status ${pass ? "not " : ""}${exit}${pass ? "" : `, got ${result.exit ?? "none: it had not ended"}`}${quoted("stdout", result.stdout)}${quoted("stderr", result.stderr)}`,
  };
}

export function toPrint(received: unknown, expected: string | RegExp): Verdict & { readonly actual?: string; readonly expected?: string } {
  const result = mustBeResult(received, "toPrint");
  const pass = typeof expected === "string" ? result.stdout === expected : new RegExp(expected.source, expected.flags.replace(/[gy]/g, "")).test(result.stdout);
  const verdict = {
    pass,
    message: () =>
      `expected stdout ${pass ? "not " : ""}${typeof expected === "string" ? `to be ${JSON.stringify(expected)}` : `to match ${expected}`}${quoted("stdout", result.stdout) || ", it is empty"}${quoted("stderr", result.stderr)}\nexit: ${result.exit}`,
  };
  return typeof expected === "string" ? { ...verdict, actual: result.stdout, expected } : verdict;
}

/* ------------------------------------------------------------------------------------------------------------ toPickLike */

export interface PickOptions {
  /** The lines that are expected, `c1 10.2.0.1:80`: a text or a list. */
  readonly picks?: string | readonly string[];
  /** Behaviour of other kernels; Linux 6.1.176 when absent. */
  readonly kernel?: SchedulerOptions;
}

function schedulerOf(received: unknown): Scheduler {
  if (typeof received === "object" && received !== null && "init" in received && "name" in received) return received as Scheduler;
  const found = typeof received === "string" ? schedulerByName(received) : undefined;
  if (found !== undefined) return found;
  throw new TypeError('toPickLike needs a scheduler: expect(mine).toPickLike(script), or the name of one of Linux\'s: expect("wrr").toPickLike(script)');
}

/** The scheduler under another name. */
function named(scheduler: Scheduler, name: string): Scheduler {
  return {
    name,
    flags: scheduler.flags,
    ...(scheduler.destCountMax === undefined ? {} : { destCountMax: scheduler.destCountMax }),
    init: (service, context) => scheduler.init(service, context),
  };
}

/** `open c1 from ...  # -> 10.2.0.1:80` says what c1 must get; `# -> -`: nothing. */
function markedPicks(script: string): string[] {
  return [...script.matchAll(/^[ \t]*open[ \t]+(\S+)[^#\n]*#[ \t]*->[ \t]*(\S+)/gm)].map(([, name, server]) => `${name} ${server}`);
}

function openCount(script: string): number {
  return [...script.matchAll(/^[ \t]*open[ \t]/gm)].length;
}

function linesOf(script: string, schedulers: readonly Scheduler[], kernel: SchedulerOptions): readonly string[] {
  const { lines, problems } = runSchedScript(script, { schedulers, kernel });
  const [problem] = problems;
  if (problem !== undefined) throw new TypeError(`the script has a mistake in line ${problem.line}: ${problem.message}; ${problem.remedy}`);
  return lines;
}

export function toPickLike(received: unknown, script: string, options: PickOptions = {}): Verdict {
  const scheduler = schedulerOf(received);
  const { picks, kernel = LINUX_6_1_176 } = options;
  const names = [...new Set([...script.matchAll(/^[ \t]*service[ \t]+\S+[ \t]+\S+[ \t]+([^\s#]+)/gm)].map((match) => match[1] as string))];
  const marked = markedPicks(script);
  // Where a script names several schedulers, only the one of that name is meant; a scheduler of another name takes the place of all.
  const replaced = names.includes(scheduler.name) ? [scheduler.name] : names;
  const lines = linesOf(script, [...replaced.map((name) => named(scheduler, name)), ...SCHEDULERS], kernel);
  const { expected, source } = ((): { readonly expected: readonly string[]; readonly source: string } => {
    if (picks !== undefined) return { expected: typeof picks === "string" ? picks.split("\n").filter((line) => line !== "") : picks, source: "the given picks" };
    if (marked.length > 0) {
      if (marked.length !== openCount(script)) throw new TypeError("some `open` lines of the script say `# -> SERVER` and some do not; mark all or none");
      return { expected: marked, source: "the script's marks" };
    }
    const unknown = names.find((name) => schedulerByName(name) === undefined);
    if (unknown !== undefined) throw new TypeError(`Linux has no scheduler ${unknown} to compare with; give { picks } or mark each \`open\` with \`# -> SERVER\``);
    return { expected: linesOf(script, SCHEDULERS, kernel), source: `Linux's ${names.join(", ")}` };
  })();
  const shown = marked.length > 0 && picks === undefined ? lines.filter((line) => !line.startsWith("!")) : lines;
  const first = Array.from({ length: Math.max(shown.length, expected.length) }).findIndex((_, i) => shown[i] !== expected[i]);
  if (expected.length === 0) throw new TypeError("the script opens no connection: there is nothing to compare");
  return { pass: first < 0, message: () => pickMessage(scheduler.name, shown, expected, source, first) };
}

function pickMessage(name: string, lines: readonly string[], expected: readonly string[], source: string, first: number): string {
  if (first < 0) return `expected ${name} not to pick like ${source}, but all ${lines.length} lines are equal`;
  const wrong = expected.filter((line, i) => line !== lines[i]).length;
  const width = Math.max(...expected.map((line) => line.length), source.length);
  const rows = [`${"".padEnd(6)}${source.padEnd(width)}  ${name}`];
  for (let i = Math.max(0, first - LINES_AROUND); i <= Math.min(first + LINES_AROUND, Math.max(lines.length, expected.length) - 1); i++) {
    const isWrong = lines[i] !== expected[i];
    rows.push(`${String(i + 1).padStart(4)}  ${(expected[i] ?? "(none)").padEnd(width)}  ${lines[i] ?? "(none)"}${isWrong ? "  <-" : ""}`);
  }
  return `expected ${name} to pick like ${source}, but ${wrong} of ${expected.length} picks differ, the first in line ${first + 1}:\n${rows.join("\n")}`;
}
