/**
 * Configuration files and what they include: patterns, which file comes next, where in it we are.
 *
 * keepalived v2.2.7 lib/parser.c (open_and_check_glob, check_glob_file, open_conf_file, open_glob_file, check_include, include_check_set).
 */

import { expandBraces } from "../../bash/brace-expansion.ts";
import { expandGlob } from "../../bash/globs.ts";
import { hasPattern } from "../../bash/patterns.ts";
import type { FileSystem } from "../../file-system.ts";
import { CONFIG_ERROR, type ConfigReport } from "./report.ts";

export const INCLUDE_READ = 1;
export const INCLUDE_MATCH = 2;
export const INCLUDE_WILDCARD = 4;
export const INCLUDE_BRACE = 8;
const ALTERNATIVES_MAX = 10_000;
/** Bound on files that include each other. */
const DEPTH_MAX = 64;
const GLOB_NOMATCH_TEXT = "Config files missing";

interface IncludeEntry {
  readonly type: number;
  readonly paths: readonly string[];
  next: number;
  /** Set when complaints name the file. */
  shownName: string | undefined;
  lines: readonly string[];
  at: number;
  cwd: string;
  readonly savedCheck: number;
}

/** A line as it stood, or the marks that one file begins or ends: what the children read again. */
export type CopiedLine = { readonly kind: "line"; readonly text: string } | { readonly kind: "begin"; readonly path: string } | { readonly kind: "end" };

export class IncludeFiles {
  /** What must not fail, as `include_check` and `keepalived -e` say. */
  check = 0;
  hadError = false;
  readonly copy: CopiedLine[] = [];
  readonly #files: FileSystem;
  readonly #report: ConfigReport;
  readonly #stack: IncludeEntry[] = [];

  constructor(files: FileSystem, report: ConfigReport) {
    this.#files = files;
    this.#report = report;
  }

  get isEmpty(): boolean {
    return this.#stack.length === 0;
  }

  /** The directory of the file being read. */
  get cwd(): string {
    return this.#stack[0]?.cwd ?? "/";
  }

  #updatePlace(): void {
    const [top, below] = this.#stack;
    const entry = top !== undefined && top.shownName === undefined && below !== undefined ? below : top;
    if (entry === undefined) this.#report.place = "";
    else if (entry.shownName !== undefined) this.#report.place = `(${entry.shownName}: Line ${entry.at}) `;
    else this.#report.place = entry.at > 0 ? `(Line ${entry.at}) ` : "";
  }

  #complain(kind: number, text: string): void {
    const isError = ((this.check | (this.#stack[0]?.type ?? 0)) & kind) !== 0;
    this.#report.error(isError ? CONFIG_ERROR.fileNotFound : CONFIG_ERROR.ok, text);
    if (isError) this.hadError = true;
  }

  /** The files that a pattern names; undefined when there are none, with the complaint made. */
  #glob(pattern: string, cwd: string, type: number): string[] | undefined {
    let hasMissing = false;
    const found: string[] = [];
    for (const alternative of expandBraces(pattern, ALTERNATIVES_MAX)) {
      const matches = expandGlob(this.#files, cwd, alternative);
      if (matches.length === 0 && !hasPattern(alternative)) hasMissing = true;
      for (const path of matches) found.push(this.#files.status(this.#files.resolve(cwd, path))?.type === "directory" && !path.endsWith("/") ? `${path}/` : path);
    }
    if (found.length === 0) {
      if (hasMissing) this.#complain(pattern.includes("{") ? INCLUDE_BRACE : INCLUDE_MATCH, `${GLOB_NOMATCH_TEXT} '${pattern}'.`);
      else if (((this.check | type) & INCLUDE_WILDCARD) !== 0) this.#complain(INCLUDE_WILDCARD, `No config files matched '${pattern}'.`);
      return undefined;
    }
    if (hasMissing) {
      this.#complain(INCLUDE_BRACE, `Some config files missing: "${pattern}".`);
      if (((this.check | type) & INCLUDE_BRACE) !== 0) return undefined;
    }
    return found;
  }

  #checkFile(path: string, cwd: string): boolean {
    if (path.endsWith("/")) {
      this.#complain(INCLUDE_READ, `Configuration file '${path}' is a directory - skipping`);
      return false;
    }
    const status = this.#files.status(this.#files.resolve(cwd, path));
    if (status?.type !== "file" || (status.mode & 0o111) !== 0) {
      this.#complain(INCLUDE_READ, `Configuration file '${path}' is not a regular non-executable file - skipping`);
      return false;
    }
    return true;
  }

  /** keepalived's check_conf_file: is there something to read at all? */
  canRead(pattern: string, cwd: string): boolean {
    const found = this.#glob(pattern, cwd, 0);
    if (found === undefined) return false;
    const good = found.filter((path) => this.#checkFile(path, cwd));
    if (good.length < found.length) return false;
    if (good.length > 1) this.#report.error(CONFIG_ERROR.multipleFiles, `WARNING, multiple configuration file matches of ${pattern}, starting with ${found[0]}`);
    return true;
  }

  /** Opens what a pattern names; false when nothing could be opened. */
  open(pattern: string, type: number, cwd: string): boolean {
    if (this.#stack.length >= DEPTH_MAX) {
      this.#report.error(CONFIG_ERROR.fatal, `more than ${DEPTH_MAX} configuration files include each other - '${pattern}' not read`);
      return false;
    }
    const entry: IncludeEntry = { type, paths: [], next: 0, shownName: undefined, lines: [], at: 0, cwd, savedCheck: this.check };
    this.#stack.unshift(entry);
    this.#updatePlace();
    const found = this.#glob(pattern, cwd, type);
    const opened = found !== undefined && this.#openNext(Object.assign(entry, { paths: found }), cwd);
    if (!opened) {
      this.#stack.shift();
      this.#updatePlace();
    }
    return opened;
  }

  #openNext(entry: IncludeEntry, cwd: string): boolean {
    while (entry.next < entry.paths.length) {
      const path = entry.paths[entry.next++] as string;
      if (!this.#checkFile(path, cwd)) continue;
      const absolute = this.#files.resolve(cwd, path);
      const text = this.#files.read(absolute);
      entry.lines = text === "" ? [] : (text.endsWith("\n") ? text.slice(0, -1) : text).split("\n");
      entry.at = 0;
      entry.cwd = path.includes("/") ? absolute.slice(0, absolute.lastIndexOf("/")) || "/" : cwd;
      if (this.#stack.length > 1 || entry.paths.length > 1) entry.shownName = path;
      this.copy.push({ kind: "begin", path });
      this.#updatePlace();
      return true;
    }
    return false;
  }

  /** The next line of whichever file is open; undefined at the end of all. */
  nextLine(): string | undefined {
    for (let entry = this.#stack[0]; entry !== undefined; entry = this.#stack[0]) {
      if (entry.at < entry.lines.length) {
        const line = entry.lines[entry.at++] as string;
        this.#updatePlace();
        return line.replace(/[\r\n]+$/, "");
      }
      this.copy.push({ kind: "end" });
      this.check = entry.savedCheck;
      const below = this.#stack[1]?.cwd ?? entry.cwd;
      if (!this.#openNext(entry, below)) this.#stack.shift();
      this.#updatePlace();
    }
    return undefined;
  }

  /** Takes an include line; false when the line is none. */
  include(line: string): boolean {
    const match = /^include([rmwba]?)\s+(.*)$/.exec(line);
    if (match === null) return false;
    const types: Readonly<Record<string, number>> = {
      "": 0,
      r: INCLUDE_READ,
      a: INCLUDE_READ | INCLUDE_MATCH | INCLUDE_BRACE | INCLUDE_WILDCARD,
      w: INCLUDE_READ | INCLUDE_MATCH | INCLUDE_WILDCARD,
      m: INCLUDE_READ | INCLUDE_MATCH,
      b: INCLUDE_READ | INCLUDE_BRACE,
    };
    this.open(match[2] as string, types[match[1] as string] ?? 0, this.cwd);
    return true;
  }

  static isInclude(line: string): boolean {
    return /^include[rmwba]?\s/.test(line);
  }
}

/** Reads again what the first reading has copied: every complaint names its file now. */
export class CopiedFiles {
  readonly #copy: readonly CopiedLine[];
  readonly #report: ConfigReport;
  readonly #stack: { readonly path: string; line: number }[] = [];
  #at = 0;

  constructor(copy: readonly CopiedLine[], report: ConfigReport) {
    this.#copy = copy;
    this.#report = report;
  }

  get cwd(): string {
    const path = this.#stack[0]?.path ?? "/";
    return path.slice(0, path.lastIndexOf("/")) || "/";
  }

  nextLine(): string | undefined {
    for (;;) {
      const entry = this.#copy[this.#at++];
      if (entry === undefined) {
        this.#report.place = "";
        return undefined;
      }
      if (entry.kind === "begin") this.#stack.unshift({ path: entry.path, line: 0 });
      else if (entry.kind === "end") this.#stack.shift();
      else {
        const file = this.#stack[0];
        if (file !== undefined) file.line++;
        this.#report.place = file === undefined ? "" : `(${file.path}: Line ${file.line}) `;
        return entry.text;
      }
    }
  }
}
