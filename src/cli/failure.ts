/**
 * Errors as messages and exit statuses: one clear line for what the user can mend, the stack only for our own bugs.
 */

export const EXIT_UNMET = 1;
export const EXIT_BAD_INPUT = 2;
const EXIT_BUG = 70;

/** A mistake of the user that no file has: a missing file, a directory that cannot be written. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** Prints an error to standard error and returns the exit status. */
export function report(error: unknown): number {
  if (!(error instanceof Error)) throw error;
  switch (error.name) {
    case "ScenarioError":
      process.stderr.write(`${error.message}\n`);
      return EXIT_BAD_INPUT;
    case "LimitError":
    case "UsageError":
    case "SchedulerDefinitionError":
    case "SchedulerFault":
      process.stderr.write(`${error.name === "LimitError" ? "" : "lvsim: "}${error.message}\n`);
      return EXIT_BAD_INPUT;
    default:
      process.stderr.write(`lvsim: this is a bug in lvsim, please report it with the scenario file\n${error.stack ?? error.message}\n`);
      return EXIT_BUG;
  }
}

/** `open 'x.yaml': No such file or directory`, as other tools say it. */
export function fileErrorText(error: unknown, path: string): string {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  return `${path}: ${FILE_ERRORS[code] ?? (error instanceof Error ? error.message : String(error))}`;
}

const FILE_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or directory",
  EACCES: "permission denied",
  EISDIR: "is a directory",
  ENOTDIR: "not a directory",
  ENOSPC: "no space left on device",
  EROFS: "read-only file system",
};
