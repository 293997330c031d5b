/**
 * sed: GNU sed 4.9 in the C locale. The script becomes a list of commands once; each line runs through it.
 *
 * Not simulated: e, F, W, z, `0~step` beyond first~step, back-references inside expressions.
 */

import type { Command, CommandContext, Running } from "../../command.ts";
import { known } from "../../streams.ts";
import { unambiguous } from "../system/text-bytes.ts";
import { fail, fileErrorText, parseOptions, readFile, readInputs, splitLines, tool, type ToolOptions } from "./support.ts";
import { type Address, type Instruction, Parser, type ReplacementPart, SedError } from "./sed-script.ts";

/** Commands that one line may run: a script that branches for ever ends here. */
const STEPS_MAX = 1_000_000;

function expandReplacement(parts: readonly ReplacementPart[], groups: readonly (string | undefined)[]): string {
  let out = "";
  let mode = "E";
  let once = "";
  for (const part of parts) {
    if (part.kind === "case") {
      if (part.mode === "u" || part.mode === "l") once = part.mode;
      else mode = part.mode;
      continue;
    }
    let text = part.kind === "text" ? part.text : (groups[part.group] ?? "");
    if (mode === "U") text = text.toUpperCase();
    if (mode === "L") text = text.toLowerCase();
    if (once !== "" && text !== "") {
      text = (once === "u" ? (text[0] as string).toUpperCase() : (text[0] as string).toLowerCase()) + text.slice(1);
      once = "";
    }
    out += text;
  }
  return out;
}

/** The next line of the input; undefined at its end. */
type LineSource = () => Running<string | undefined>;

function sourceOf(lines: readonly string[]): LineSource {
  let at = 0;
  return () => known(lines[at++]);
}

/** The lines of the operands, one file after the other, standard input as it comes. */
function linesOfAll(context: CommandContext, operands: readonly string[], report: (path: string, error: string) => void): LineSource {
  const waiting = operands.length === 0 ? ["-"] : [...operands];
  let current: LineSource | undefined;
  return function* () {
    for (;;) {
      const line = current === undefined ? undefined : yield* current();
      if (line !== undefined) return line;
      const path = waiting.shift();
      if (path === undefined) return undefined;
      if (path === "-") {
        current = () => context.stdin.readLine();
        continue;
      }
      const result = readFile(context, path);
      if ("error" in result) report(path, result.error);
      else current = sourceOf(splitLines(result.text));
    }
  };
}

/** Runs a script over lines. */
class Editor {
  readonly #program: readonly Instruction[];
  readonly #isQuiet: boolean;
  readonly #context: CommandContext;
  readonly #source: LineSource;
  readonly #write: (text: string) => boolean;
  /** The line after the present one: `$` needs to know whether there is one. */
  #ahead: string | undefined;
  #hasBegun = false;
  #isCut = false;
  #number = 0;
  #pattern = "";
  #hold = "";
  #appended: string[] = [];
  #exit: number | undefined;

  constructor(options: { program: readonly Instruction[]; isQuiet: boolean; context: CommandContext; source: LineSource; write: (text: string) => boolean }) {
    this.#program = options.program;
    this.#isQuiet = options.isQuiet;
    this.#context = options.context;
    this.#source = options.source;
    const { write } = options;
    this.#write = (text) => {
      if (!write(text)) this.#isCut = true;
      return !this.#isCut;
    };
  }

  *run(): Running<number> {
    let restarts = false;
    while (this.#exit === undefined && !this.#isCut && (restarts || (yield* this.#read()))) {
      const result = yield* this.#cycle();
      restarts = result === "restart" && this.#pattern !== "";
      if (result !== "delete" && result !== "restart" && !this.#isQuiet) this.#write(`${this.#pattern}\n`);
      this.#flush();
    }
    return this.#exit ?? 0;
  }

  *#read(): Running<boolean> {
    const line = this.#hasBegun ? this.#ahead : yield* this.#source();
    this.#hasBegun = true;
    if (line === undefined) return false;
    this.#ahead = yield* this.#source();
    this.#number++;
    this.#pattern = line;
    return true;
  }

  #flush(): void {
    for (const text of this.#appended.splice(0)) this.#write(text);
  }

  #matches(address: Address): boolean {
    switch (address.kind) {
      case "line":
        return this.#number === address.line;
      case "last":
        return this.#ahead === undefined;
      case "step":
        return address.step === 0 ? this.#number === address.first : this.#number >= address.first && (this.#number - address.first) % address.step === 0;
      case "regex":
        return address.regex.test(this.#pattern);
    }
  }

  #selects(instruction: Instruction): boolean {
    const { from, to } = instruction;
    if (from === undefined) return true;
    if (to === undefined) return this.#matches(from);
    if (instruction.isInRange) {
      if (to.kind === "count" || to.kind === "line") {
        if (this.#number >= instruction.rangeEnd) instruction.isInRange = false;
        return this.#number <= instruction.rangeEnd || to.kind === "count";
      }
      if (this.#matches(to)) instruction.isInRange = false;
      return true;
    }
    if (!this.#matches(from)) return false;
    instruction.rangeEnd = to.kind === "count" ? this.#number + to.count : to.kind === "line" ? to.line : Number.POSITIVE_INFINITY;
    instruction.isInRange = instruction.rangeEnd > this.#number && !(to.kind === "last" && this.#matches(to));
    return true;
  }

  *#cycle(): Running<"end" | "delete" | "restart"> {
    let hasSubstituted = false;
    let steps = 0;
    for (let at = 0; at < this.#program.length; ) {
      if (++steps > STEPS_MAX) throw new SedError(`lvsim: the script ran ${STEPS_MAX} commands on one line`);
      const instruction = this.#program[at] as Instruction;
      if (this.#selects(instruction) === instruction.isNegated) {
        at = instruction.name === "{" ? instruction.target : at + 1;
        continue;
      }
      at++;
      switch (instruction.name) {
        case "s":
          if (this.#substitute(instruction)) hasSubstituted = true;
          break;
        case "b":
          at = instruction.target;
          break;
        case "t":
          if (hasSubstituted) at = instruction.target;
          hasSubstituted = false;
          break;
        case "T":
          if (!hasSubstituted) at = instruction.target;
          hasSubstituted = false;
          break;
        case "d":
          return "delete";
        case "D": {
          const newline = this.#pattern.indexOf("\n");
          if (newline < 0) return "delete";
          this.#pattern = this.#pattern.slice(newline + 1);
          return "restart";
        }
        case "q":
          this.#exit = Number(instruction.text || 0);
          return "end";
        case "Q":
          this.#exit = Number(instruction.text || 0);
          return "delete";
        case "c":
          if (instruction.to === undefined || !instruction.isInRange) this.#write(`${instruction.text}\n`);
          return "delete";
        case "n":
        case "N":
          if (!(yield* this.#next(instruction.name))) return this.#exit === undefined ? "end" : "delete";
          break;
        default:
          this.#simple(instruction);
      }
    }
    return "end";
  }

  /** False when there is no next line: the script ends. */
  *#next(name: string): Running<boolean> {
    if (this.#ahead === undefined) {
      this.#exit = 0;
      if (!this.#isQuiet) this.#write(`${this.#pattern}\n`);
      return false;
    }
    const before = this.#pattern;
    if (name === "n" && !this.#isQuiet) this.#write(`${before}\n`);
    this.#flush();
    yield* this.#read();
    if (name === "N") this.#pattern = `${before}\n${this.#pattern}`;
    return true;
  }

  #simple(instruction: Instruction): void {
    switch (instruction.name) {
      case "p":
        this.#write(`${this.#pattern}\n`);
        return;
      case "P":
        this.#write(`${this.#pattern.split("\n")[0]}\n`);
        return;
      case "=":
        this.#write(`${this.#number}\n`);
        return;
      case "l":
        this.#write(unambiguous(this.#pattern));
        return;
      case "a":
        this.#appended.push(`${instruction.text}\n`);
        return;
      case "i":
        this.#write(`${instruction.text}\n`);
        return;
      case "r": {
        const result = readFile(this.#context, instruction.text);
        if ("text" in result) this.#appended.push(result.text);
        return;
      }
      case "w":
        this.#writeFile(instruction.text, `${this.#pattern}\n`);
        return;
      case "y": {
        const [source = "", target = ""] = instruction.text.split("\0");
        this.#pattern = [...this.#pattern].map((character) => target[source.indexOf(character)] ?? character).join("");
        return;
      }
      case "g":
        this.#pattern = this.#hold;
        return;
      case "G":
        this.#pattern += `\n${this.#hold}`;
        return;
      case "h":
        this.#hold = this.#pattern;
        return;
      case "H":
        this.#hold += `\n${this.#pattern}`;
        return;
      case "x":
        [this.#pattern, this.#hold] = [this.#hold, this.#pattern];
        return;
      default:
    }
  }

  #substitute(instruction: Instruction): boolean {
    const { regex, replacement, flags } = instruction;
    if (regex === undefined) return false;
    const matches = regex.findAll(this.#pattern);
    const chosen = flags.isGlobal ? matches.slice(flags.nth - 1) : matches.slice(flags.nth - 1, flags.nth);
    if (chosen.length === 0) return false;
    let out = "";
    let at = 0;
    for (const match of chosen) {
      out += this.#pattern.slice(at, match.start) + expandReplacement(replacement, match.groups);
      at = match.end;
    }
    this.#pattern = out + this.#pattern.slice(at);
    if (flags.prints) this.#write(`${this.#pattern}\n`);
    if (flags.path !== "") this.#writeFile(flags.path, `${this.#pattern}\n`);
    return true;
  }

  #writeFile(path: string, text: string): void {
    if (path === "/dev/stdout") {
      this.#write(text);
      return;
    }
    const { files } = this.#context.machine;
    files.append(files.resolve(this.#context.cwd, path), text);
  }
}

function* runSed(context: CommandContext): Running<number> {
  const options = parseOptions(context.args, "ne:f:rEi::suz", { quiet: "n", silent: "n", "expression=": "e", "file=": "f", "regexp-extended": "E", "in-place": "i", separate: "s" });
  const inPlace = options.values.get("i") !== undefined;
  const operands = [...options.operands];
  const script = scriptOf(context, options, operands);
  if (typeof script === "number") return script;
  try {
    const isExtended = options.has("E") || options.has("r");
    const parse = () => new Parser(script, isExtended).parse();
    const isQuiet = options.has("n") || script.startsWith("#n\n");
    let status = 0;
    const report = (path: string, error: string) => {
      status = fail(context, error === "Is a directory" ? `couldn't edit ${path}: not a regular file` : `can't read ${path}: ${error}`, 2);
    };
    const program = parse();
    if (!inPlace) {
      const source = linesOfAll(context, operands, report);
      const exit = yield* new Editor({ program, isQuiet, context, source, write: (text) => context.stdout.write(text) }).run();
      return exit !== 0 ? exit : status;
    }
    const inputs = yield* readInputs(context, operands, report);
    for (const { path, text } of inputs) {
      let out = "";
      const append = (more: string) => {
        out += more;
        return true;
      };
      yield* new Editor({ program: parse(), isQuiet, context, source: sourceOf(splitLines(text)), write: append }).run();
      context.machine.files.write(context.machine.files.resolve(context.cwd, path), text.endsWith("\n") || out === "" ? out : out.replace(/\n$/, ""));
    }
    return status === 2 ? 4 : status;
  } catch (error) {
    if (error instanceof SedError) return fail(context, error.message);
    return fail(context, fileErrorText(error), 4);
  }
}

function scriptOf(context: CommandContext, options: ToolOptions, operands: string[]): string | number {
  const parts = [...(options.values.get("e") ?? [])];
  for (const path of options.values.get("f") ?? []) {
    const result = readFile(context, path);
    if ("error" in result) return fail(context, `couldn't open file ${path}: ${result.error}`);
    parts.push(result.text);
  }
  if (parts.length > 0) return parts.join("\n");
  const script = operands.shift();
  if (script !== undefined) return script;
  context.stderr.write("Usage: sed [OPTION]... {script-only-if-no-other-script} [input-file]...\n");
  return 1;
}

export const sedCommands: readonly Command[] = [tool("/usr/bin/sed", 1, runSed)];
