/**
 * Lines of a configuration as the keywords see them: comments gone, `@id` lines chosen, definitions put in, braces on lines of their own.
 *
 * keepalived v2.2.7 lib/parser.c (read_line, decomment).
 */

import { type Definition, Definitions, parseList, parseSequence, type Repetition } from "./definitions.ts";
import { CopiedFiles, type CopiedLine, IncludeFiles } from "./include-files.ts";
import { CONFIG_ERROR, type ConfigReport } from "./report.ts";

/** Bound on lines, so that repetitions inside repetitions end. */
const LINES_MAX = 1_000_000;
const LINE_CHARACTERS_MAX = 1024;

export class LineReader {
  /** Blocks that are open. */
  depth = 0;
  readonly definitions = new Definitions();
  readonly #source: IncludeFiles | CopiedFiles;
  readonly #report: ConfigReport;
  readonly #configId: string;
  #residue: string | undefined;
  readonly #repetitions: Repetition[] = [];
  /** Repetitions below this depth wait until the definition of several lines is through. */
  #waitingRepetitions = 0;
  /** The rest of a definition of several lines, and of those that it interrupted. */
  #rest: string | undefined;
  readonly #interrupted: { readonly rest: string; readonly waiting: number }[] = [];
  #lineCount = 0;

  constructor(source: IncludeFiles | CopiedFiles, report: ConfigReport, configId: string) {
    this.#source = source;
    this.#report = report;
    this.#configId = configId;
  }

  /** The next line; undefined at the end. */
  next(): string | undefined {
    let line = "";
    do {
      if (++this.#lineCount > LINES_MAX) {
        this.#report.error(CONFIG_ERROR.fatal, `configuration of more than ${LINES_MAX} lines`);
        return undefined;
      }
      const raw = this.#raw();
      if (raw === undefined) return undefined;
      line = this.#process(raw);
    } while (line === "" || (this.#source instanceof IncludeFiles && this.#source.include(line)));
    return this.#splitAtBrace(line);
  }

  #raw(): string | undefined {
    if (this.#residue !== undefined) {
      const line = this.#residue;
      this.#residue = undefined;
      return line;
    }
    if (this.#repetitions.length > this.#waitingRepetitions) {
      const repetition = this.#repetitions.at(-1) as Repetition;
      if (!repetition.next(this.definitions)) this.#repetitions.pop();
      return repetition.text;
    }
    if (this.#rest !== undefined) return this.#nextOfDefinition(this.#rest);
    return this.#sourceLine();
  }

  #nextOfDefinition(rest: string): string {
    const end = rest.indexOf("\n");
    if (end >= 0) {
      this.#rest = rest.slice(end + 1);
      return rest.slice(0, end);
    }
    const outer = this.#interrupted.pop();
    this.#rest = outer?.rest;
    this.#waitingRepetitions = outer?.waiting ?? 0;
    return rest;
  }

  /** A line of the files; definitions of several lines are gathered here. */
  #sourceLine(): string | undefined {
    for (;;) {
      const text = this.#source.nextLine();
      if (text === undefined) return undefined;
      const line = this.#source instanceof IncludeFiles ? this.#copied(this.#source.copy, text) : decomment(text, this.#report);
      if (line !== "") return line;
    }
  }

  #copied(copy: CopiedLine[], text: string): string {
    const line = text === "" ? "" : decomment(text, this.#report);
    copy.push({ kind: "line", text: IncludeFiles.isInclude(line) ? "" : line });
    return line;
  }

  #process(raw: string): string {
    let line = raw;
    for (;;) {
      if (line.startsWith("@")) {
        const chosen = this.#conditional(line);
        if (chosen === undefined) return "";
        line = chosen;
      }
      if (line.startsWith("$")) {
        const definition = this.definitions.define(line);
        if (definition !== undefined) {
          if (definition.isMultiline) this.#gather(definition);
          return "";
        }
      }
      if (line.startsWith("~SEQ") || line.startsWith("~LST")) {
        this.#repeat(line);
        return "";
      }
      if (line.startsWith("~") || !line.includes("$")) return line;
      const replaced = this.#replace(line);
      if (replaced === undefined) return line;
      line = decomment(replaced, this.#report);
      if (!line.startsWith("@") && !line.includes("$")) return line;
    }
  }

  /** `@id text` and `@^id text`. */
  #conditional(line: string): string | undefined {
    const isNegated = line[1] === "^";
    const match = /^(\S*)[ \t]+(.*)$/s.exec(line.slice(isNegated ? 2 : 1));
    if (match === null) return undefined;
    return (match[1] === this.#configId) === isNegated ? undefined : (match[2] as string);
  }

  #gather(definition: Definition): void {
    for (;;) {
      const text = this.#source.nextLine();
      const line = text === undefined ? "" : this.#source instanceof IncludeFiles ? this.#copied(this.#source.copy, text) : decomment(text, this.#report);
      const goesOn = line.endsWith("\\");
      const body = goesOn ? line.slice(0, -1).replace(/[ \t]+$/, "") : line;
      if (goesOn ? body !== "" : line !== "") definition.value += goesOn ? `${body}\n` : body;
      if (goesOn) continue;
      if (definition.value === "") definition.isMultiline = false;
      return;
    }
  }

  #repeat(line: string): void {
    const isSequence = line[1] === "S";
    const repetition = isSequence ? parseSequence(line, this.#report, (text) => this.#replace(text) ?? text) : parseList(line, this.#report);
    if (repetition !== undefined) this.#repetitions.push(repetition);
    else this.#report.general(`Invalid ~${isSequence ? "SEQ" : "LST"} specification '${line}'`);
  }

  /** Puts definitions in; undefined when there was none. */
  #replace(text: string): string | undefined {
    let line = text;
    let hasFound = false;
    let at = line.indexOf("$");
    while (at >= 0 && at + 1 < line.length) {
      const found = this.definitions.find(line.slice(at + 1));
      if (found === undefined) {
        at = line.indexOf("$", at + 1);
        continue;
      }
      hasFound = true;
      const { definition } = found;
      if (definition.make !== undefined) definition.value = definition.make(found.parameters);
      let { value } = definition;
      if (definition.isMultiline) {
        if (this.#rest !== undefined) this.#interrupted.push({ rest: this.#rest, waiting: this.#waitingRepetitions });
        this.#waitingRepetitions = this.#repetitions.length;
        const end = value.indexOf("\n");
        this.#rest = end < 0 ? undefined : value.slice(end + 1);
        value = end < 0 ? value : value.slice(0, end);
      }
      const replaced = line.slice(0, at) + value + line.slice(at + 1 + found.length);
      if (replaced.length >= LINE_CHARACTERS_MAX) {
        this.#report.log(`Parameter substitution on line '${line}' would exceed maximum line length`);
        return undefined;
      }
      line = replaced;
      if (value.trimStart().startsWith("~")) break;
      at = line.indexOf("$", at);
    }
    return hasFound ? line : undefined;
  }

  #splitAtBrace(text: string): string {
    let line = text;
    const at = findBrace(line);
    if (at >= 0) {
      const blanks = at === 0 ? 1 + (/^[ \t]*/.exec(line.slice(1))?.[0].length ?? 0) : at;
      if (blanks < line.length) {
        this.#residue = line.slice(blanks).replace(/[ \t]+$/, "");
        line = line.slice(0, blanks);
      }
    }
    line = line.replace(/[ \t]+$/, "");
    if (line === "{") this.depth++;
    else if (line === "}" && this.depth-- < 1) {
      this.#report.error(CONFIG_ERROR.unexpectedEnd, "Extra '}' found");
      this.depth = 0;
    }
    return line;
  }
}

/** The first brace outside quotes; -1 without one. */
function findBrace(line: string): number {
  for (let at = 0; at < line.length; at++) {
    const character = line[at];
    if (character === "{" || character === "}") return at;
    if (character !== '"') continue;
    at = line.indexOf('"', at + 1);
    if (at < 0) return -1;
  }
  return -1;
}

/** Takes comments and blanks at both ends away; a backslash at the end stays, without blanks before it. */
export function decomment(text: string, report: ConfigReport): string {
  let line = text.replace(/^[ \t]+/, "");
  let isQuoted = false;
  let commentAt = -1;
  let goesOn = false;
  for (let at = 0; at < line.length; at++) {
    const character = line[at];
    if (character === '"') {
      if (commentAt < 0) isQuoted = !isQuoted;
    } else if (character === "\\") {
      if (at + 1 >= line.length) {
        goesOn = true;
        line = line.slice(0, at);
        break;
      }
      const next = line[at + 1];
      if (!isQuoted && (next === "#" || next === "!")) line = line.slice(0, at) + line.slice(at + 1);
      else at++;
    } else if (!isQuoted && commentAt < 0 && (character === "!" || character === "#")) commentAt = at;
  }
  if (isQuoted) report.general(`Unterminated quote '${line}'`);
  if (commentAt >= 0) line = line.slice(0, commentAt);
  line = line.replace(/[ \t]+$/, "");
  return goesOn ? `${line}\\` : line;
}
