/**
 * grep, egrep, fgrep: GNU grep 3.8 in the C locale, without a terminal.
 */

import type { Command, CommandContext, Running } from "../../command.ts";
import { compileRegex, type Regex, type RegexMatch, type RegexSyntax } from "../../regex.ts";
import { eachLine, fail, OptionError, parseOptions, readFile, splitLines, type ToolOptions } from "./support.ts";

const LONG: Readonly<Record<string, string>> = {
  "ignore-case": "i", "invert-match": "v", count: "c", "line-number": "n", "files-with-matches": "l", "files-without-match": "L", quiet: "q", silent: "q", "extended-regexp": "E",
  "fixed-strings": "F", "basic-regexp": "G", "perl-regexp": "P", "word-regexp": "w", "line-regexp": "x", "only-matching": "o", "no-messages": "s", recursive: "r", "regexp=": "e", "file=": "f",
  "max-count=": "m", "after-context=": "A", "before-context=": "B", "context=": "C", "no-filename": "h", "with-filename": "H", "color=": "!", "colour=": "!", color: "!", colour: "!", "line-buffered": "u", text: "a",
};

function* runGrep(context: CommandContext, kind: "grep" | "egrep" | "fgrep"): Running<number> {
  const options = parseOptions(context.args, "#ivcnlLqEFGPwxosre:f:m:A:B:C:hHuay", LONG);
  const operands = [...options.operands];
  const patterns = patternsOf(context, options, operands);
  if (patterns === undefined) {
    context.stderr.write("Usage: grep [OPTION]... PATTERNS [FILE]...\nTry 'grep --help' for more information.\n");
    return 2;
  }
  const matcher = compile(patterns, options, kind);
  if (typeof matcher === "string") return fail(context, matcher, 2);
  return yield* new Search(context, options, matcher, operands).run();
}

function patternsOf(context: CommandContext, options: ToolOptions, operands: string[]): string[] | undefined {
  const given = options.values.get("e") ?? [];
  const fromFiles = (options.values.get("f") ?? []).flatMap((path) => {
    const result = readFile(context, path);
    return "text" in result ? splitLines(result.text) : [];
  });
  if (given.length > 0 || options.has("f")) return [...given, ...fromFiles].flatMap((text) => text.split("\n"));
  const first = operands.shift();
  return first?.split("\n");
}

/** All patterns as one question to a line. */
class LineMatcher {
  readonly #regexes: readonly Regex[];
  readonly #wants: "part" | "word" | "line";

  constructor(regexes: readonly Regex[], options: ToolOptions) {
    this.#regexes = regexes;
    this.#wants = options.has("x") ? "line" : options.has("w") ? "word" : "part";
  }

  test(line: string): boolean {
    return this.#regexes.some((regex) => (this.#wants === "part" ? regex.test(line) : this.#next(regex, line, 0) !== undefined));
  }

  /** Every match, leftmost first. */
  findAll(line: string): RegexMatch[] {
    const found: RegexMatch[] = [];
    for (let at = 0; at <= line.length; ) {
      let best: RegexMatch | undefined;
      for (const regex of this.#regexes) {
        const match = this.#next(regex, line, at);
        if (match !== undefined && (best === undefined || match.start < best.start || (match.start === best.start && match.end > best.end))) best = match;
      }
      if (best === undefined) break;
      if (best.end > best.start) found.push(best);
      at = best.end > best.start ? best.end : best.end + 1;
    }
    return found;
  }

  #next(regex: Regex, line: string, from: number): RegexMatch | undefined {
    for (let match = regex.find(line, from); match !== undefined; match = regex.find(line, match.start + 1)) if (this.#isWanted(line, match)) return match;
    return undefined;
  }

  #isWanted(line: string, { start, end }: RegexMatch): boolean {
    if (this.#wants === "line") return start === 0 && end === line.length;
    return this.#wants === "part" || !(/\w$/.test(line.slice(0, start)) || /^\w/.test(line.slice(end)));
  }
}

function compile(patterns: readonly string[], options: ToolOptions, kind: string): LineMatcher | string {
  const syntax: RegexSyntax = options.has("F") || kind === "fgrep" ? "fixed" : options.has("P") ? "perl" : options.has("E") || kind === "egrep" ? "extended" : "basic";
  const regexes: Regex[] = [];
  for (const pattern of patterns) {
    const regex = compileRegex(pattern, syntax, { ignoreCase: options.has("i") || options.has("y") });
    if (typeof regex === "string") return regex;
    regexes.push(regex);
  }
  return new LineMatcher(regexes, options);
}

/** One search over all operands. */
class Search {
  readonly #context: CommandContext;
  readonly #options: ToolOptions;
  readonly #matcher: LineMatcher;
  readonly #paths: string[];
  readonly #after: number;
  readonly #before: number;
  readonly #showsName: boolean;
  #found = false;
  #hasError = false;
  #needsSeparator = false;

  constructor(context: CommandContext, options: ToolOptions, matcher: LineMatcher, operands: readonly string[]) {
    this.#context = context;
    this.#options = options;
    this.#matcher = matcher;
    this.#paths = options.has("r") ? expandFolders(context, operands.length === 0 ? ["."] : operands) : operands.length === 0 ? ["-"] : [...operands];
    const around = options.value("C") ?? options.value("#");
    this.#after = Number(options.value("A") ?? around ?? 0);
    this.#before = Number(options.value("B") ?? around ?? 0);
    if (![this.#after, this.#before].every((n) => Number.isInteger(n) && n >= 0)) throw new OptionError("invalid context length argument");
    this.#showsName = options.has("H") || ((operands.length > 1 || options.has("r")) && !options.has("h"));
  }

  *run(): Running<number> {
    for (const path of this.#paths) {
      yield* this.#searchFile(path);
      if (this.#found && this.#options.has("q")) return 0;
    }
    if (this.#hasError && !(this.#found && this.#options.has("q"))) return 2;
    return this.#found ? 0 : 1;
  }

  *#searchFile(path: string): Running<void> {
    const options = this.#options;
    const max = options.has("m") ? Number(options.value("m")) : Number.POSITIVE_INFINITY;
    const name = path === "-" ? "(standard input)" : path;
    let number = 0;
    let count = 0;
    let lastShown = 0;
    let trailing = 0;
    const waiting: [number, string][] = [];
    const show = (lineNumber: number, line: string, mark: ":" | "-") => {
      if (this.#needsSeparator && lastShown !== lineNumber - 1 && (this.#after > 0 || this.#before > 0)) this.#context.stdout.write("--\n");
      this.#needsSeparator = true;
      lastShown = lineNumber;
      return this.#context.stdout.write(`${this.#prefix(name, lineNumber, mark)}${line}\n`);
    };
    const isQuiet = options.has("q") || options.has("c") || options.has("l") || options.has("L");
    yield* eachLine(
      this.#context,
      [path],
      (line) => {
        number++;
        if (this.#matcher.test(line) !== options.has("v")) {
          count++;
          this.#found = true;
          if (options.has("l") || options.has("q")) return false;
          if (options.has("o") && !isQuiet) {
            if (!options.has("v")) for (const { start, end } of this.#matcher.findAll(line)) this.#context.stdout.write(`${this.#prefix(name, number, ":")}${line.slice(start, end)}\n`);
          } else if (!isQuiet) {
            for (const [n, text] of waiting.splice(0)) show(n, text, "-");
            if (!show(number, line, ":")) return false;
            trailing = this.#after;
          }
          return count < max || trailing > 0;
        }
        if (isQuiet || options.has("o")) return true;
        if (trailing > 0) {
          trailing--;
          show(number, line, "-");
        } else if (this.#before > 0) {
          waiting.push([number, line]);
          if (waiting.length > this.#before) waiting.shift();
        }
        return count < max || trailing > 0;
      },
      (at, error) => this.#report(at, error),
    );
    this.#summarise(name, count);
  }

  #summarise(name: string, count: number): void {
    const { stdout } = this.#context;
    const options = this.#options;
    if (options.has("q")) return;
    if (options.has("l")) {
      if (count > 0) stdout.write(`${name}\n`);
    } else if (options.has("L")) {
      if (count === 0) stdout.write(`${name}\n`);
    } else if (options.has("c")) {
      stdout.write(`${this.#showsName ? `${name}:` : ""}${count}\n`);
    }
  }

  #prefix(name: string, number: number, mark: string): string {
    return `${this.#showsName ? `${name}${mark}` : ""}${this.#options.has("n") ? `${number}${mark}` : ""}`;
  }

  #report(path: string, error: string): void {
    this.#hasError = true;
    if (!this.#options.has("s")) this.#context.stderr.write(`grep: ${path}: ${error}\n`);
  }
}

/** Every file below the given folders. */
function expandFolders(context: CommandContext, paths: readonly string[]): string[] {
  const { files } = context.machine;
  const found: string[] = [];
  const visit = (path: string) => {
    const absolute = files.resolve(context.cwd, path);
    if (files.status(absolute)?.type !== "directory") {
      found.push(path);
      return;
    }
    for (const name of files.list(absolute)) visit(path === "/" ? `/${name}` : `${path}/${name}`);
  };
  for (const path of paths) visit(path);
  return found;
}

function grep(path: string, kind: "grep" | "egrep" | "fgrep"): Command {
  return {
    path,
    *run(context) {
      try {
        return yield* runGrep(context, kind);
      } catch (error) {
        if (!(error instanceof OptionError)) throw error;
        context.stderr.write(`grep: ${error.message}\nUsage: grep [OPTION]... PATTERNS [FILE]...\nTry 'grep --help' for more information.\n`);
        return 2;
      }
    },
  };
}

export const grepCommands: readonly Command[] = [grep("/usr/bin/grep", "grep"), grep("/usr/bin/egrep", "egrep"), grep("/usr/bin/fgrep", "fgrep")];
