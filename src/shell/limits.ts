/**
 * Bounds of what scripts may use. A script that passes one ends with a LimitError that names it, the host and the line.
 */

export interface ShellLimits {
  /** Simple commands that one script may run. */
  readonly commandsMax: number;
  /** Loop turns, commands and wake-ups (these count five) of one machine during which the simulated clock stands still. */
  readonly stepsAtOneTimeMax: number;
  /** Calls of functions, sourced files, eval and substitutions inside each other. */
  readonly recursionMax: number;
  /** Characters that one script may print. */
  readonly outputMax: number;
  /** Processes alive on one machine. */
  readonly processesMax: number;
  /** Words, and characters of one word, that an expansion may give. */
  readonly expansionMax: number;
  /** Characters of all files of one machine, and of the largest one. */
  readonly filesMax: number;
}

export const DEFAULT_SHELL_LIMITS: ShellLimits = {
  commandsMax: 1_000_000,
  stepsAtOneTimeMax: 1_000_000,
  recursionMax: 200,
  outputMax: 16_000_000,
  processesMax: 2_000,
  expansionMax: 4_000_000,
  filesMax: 256_000_000,
};

export class LimitError extends Error {
  override readonly name = "LimitError";
  readonly host: string;
  /** Line of the script, 0 when it is not known. */
  readonly line: number;
  readonly limit: keyof ShellLimits;
  readonly #what: string;

  constructor(host: string, line: number, limit: keyof ShellLimits, what: string) {
    super(`${host}${line > 0 ? `, line ${line}` : ""}: ${what} (limit ${limit})`);
    this.#what = what;
    this.host = host;
    this.line = line;
    this.limit = limit;
  }

  /** The same error, with the line where the script was. */
  atLine(line: number): LimitError {
    return new LimitError(this.host, line, this.limit, this.#what);
  }
}
