/**
 * What is wrong with a scenario file: where, what, and what to do about it. Several mistakes are reported at once, first line first.
 */

/** A place in a scenario file, counted from 1; line 0 where there are no lines, and `file` is the way into an object. */
export interface FilePlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** One mistake in a scenario, with its place and what to do. */
export interface ScenarioProblem extends FilePlace {
  readonly message: string;
  /** What to do; empty when the message says it all. */
  readonly remedy: string;
}

export function formatPlace(place: FilePlace): string {
  return place.line === 0 ? place.file : `${place.file}:${place.line}:${place.column}`;
}

/** `file:line:column: message; remedy` */
export function formatProblem(problem: ScenarioProblem): string {
  return `${formatPlace(problem)}: ${problem.message}${problem.remedy === "" ? "" : `; ${problem.remedy}`}`;
}

const PROBLEMS_SHOWN = 20;

/** The file cannot be run. `message` has a line for each problem. */
export class ScenarioError extends Error {
  override readonly name = "ScenarioError";
  readonly problems: readonly ScenarioProblem[];

  constructor(problems: readonly ScenarioProblem[]) {
    const sorted = [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
    // What an alias repeats is wrong once.
    const all = [...new Set(sorted.map(formatProblem))];
    const lines = all.slice(0, PROBLEMS_SHOWN);
    if (all.length > PROBLEMS_SHOWN) lines.push(`${sorted[0]?.file}: ${all.length - PROBLEMS_SHOWN} more`);
    super(lines.join("\n"));
    this.problems = sorted;
  }

  get file(): string {
    return this.problems[0]?.file ?? "";
  }

  get line(): number {
    return this.problems[0]?.line ?? 0;
  }

  get column(): number {
    return this.problems[0]?.column ?? 0;
  }

  get remedy(): string {
    return this.problems[0]?.remedy ?? "";
  }
}
