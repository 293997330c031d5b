/**
 * Pathname expansion on the machine's files (bash's glob.c), sorted as the C locale sorts.
 */

import { FileError, type FileSystem } from "../file-system.ts";
import { compilePattern, hasPattern, unescapePattern } from "./patterns.ts";

const MATCHES_MAX = 100_000;

/** Paths that the pattern matches, as they were asked for (relative stays relative); none when nothing does. */
export function expandGlob(files: FileSystem, cwd: string, pattern: string, options: { readonly hasDots?: boolean } = {}): string[] {
  const isAbsolute = pattern.startsWith("/");
  const parts = pattern.split("/");
  let found = [isAbsolute ? "/" : ""];
  const lastIndex = parts.length - 1;
  for (const [i, part] of parts.entries()) {
    if (part === "") {
      if (i === lastIndex && i > 0)
        found = found.filter((path) => files.status(files.resolve(cwd, path))?.type === "directory").map((path) => (path.endsWith("/") ? path : `${path}/`));
      continue;
    }
    const next: string[] = [];
    for (const base of found) {
      for (const name of namesIn(files, cwd, base, part, options.hasDots === true)) {
        const path = base === "" || base.endsWith("/") ? base + name : `${base}/${name}`;
        const absolute = files.resolve(cwd, path);
        const exists = i < lastIndex ? files.status(absolute)?.type === "directory" : files.linkStatus(absolute) !== undefined;
        if (exists && next.length < MATCHES_MAX) next.push(path);
      }
    }
    found = next;
    if (found.length === 0) return [];
  }
  return found.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}

function namesIn(files: FileSystem, cwd: string, base: string, part: string, hasDots: boolean): readonly string[] {
  if (!hasPattern(part)) return [unescapePattern(part)];
  let names: readonly string[];
  try {
    names = files.list(files.resolve(cwd, base === "" ? "." : base));
  } catch (error) {
    if (error instanceof FileError) return [];
    throw error;
  }
  const regex = compilePattern(part);
  const mayStartWithDot = part.startsWith(".") || part.startsWith("\\.");
  return names.filter((name) => (mayStartWithDot || hasDots || !name.startsWith(".")) && regex.test(name));
}
