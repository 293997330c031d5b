/**
 * awk (also mawk, gawk, nawk): the command line, input files, assignments between them.
 */

import type { Command, CommandContext, Running } from "../../command.ts";
import { TextInput } from "../../streams.ts";
import { fileErrorText, fail, readFile } from "../tools/support.ts";
import { AwkInterpreter } from "./interpreter.ts";
import { parseAwk } from "./parser.ts";
import { AwkSyntaxError } from "./syntax.ts";
import { AwkError, type InputRecord } from "./values.ts";

/** What one turn of a program may print before anybody can read it. */
const OUTPUT_CHARS_MAX = 16_000_000;
const ASSIGNMENT = /^([A-Za-z_]\w*)=(.*)$/s;

const ESCAPES: Readonly<Record<string, string>> = { "\\t": "\t", "\\n": "\n", "\\\\": "\\" };

interface Arguments {
  readonly program: string;
  readonly assignments: readonly (readonly [string, string])[];
  readonly operands: readonly string[];
}

function parseArguments(context: CommandContext): Arguments | string {
  const args = [...context.args];
  const assignments: [string, string][] = [];
  const programs: string[] = [];
  while (args[0]?.startsWith("-") === true && args[0] !== "-") {
    const option = args.shift() as string;
    if (option === "--") break;
    const letter = option[1] as string;
    if (!"Fvf".includes(letter) || option.startsWith("--")) return `not an option: ${option}`;
    const value = option.length > 2 ? option.slice(2) : args.shift();
    if (value === undefined) return `no program`;
    const text = value.replace(/\\[tn\\]/g, (word) => ESCAPES[word] ?? word);
    if (letter === "F") assignments.push(["FS", text === "t" ? "\t" : text]);
    if (letter === "v") {
      const equals = text.indexOf("=");
      if (equals <= 0) return `improper assignment: -v ${value}`;
      assignments.push([text.slice(0, equals), text.slice(equals + 1)]);
    }
    if (letter === "f") {
      const result = readFile(context, value);
      if ("error" in result) return `couldn't open file ${value} (${result.error})`;
      programs.push(result.text);
    }
  }
  const program = programs.length > 0 ? programs.join("\n") : args.shift();
  if (program === undefined) return "usage";
  return { program, assignments, operands: args };
}

function* runAwk(context: CommandContext): Running<number> {
  const parsed = parseArguments(context);
  if (typeof parsed === "string") {
    if (parsed === "usage") {
      context.stderr.write("Usage: awk [Options] [Program] [file ...]\n");
      return 2;
    }
    return fail(context, parsed, 2);
  }
  try {
    return yield* execute(context, parsed);
  } catch (error) {
    if (error instanceof AwkSyntaxError) return fail(context, `line ${error.line}: ${error.message}`, 2);
    if (error instanceof AwkError) return fail(context, error.message, 2);
    return fail(context, fileErrorText(error), 2);
  }
}

/** Standard output: what one record prints goes out together, the rest waits behind commands that were printed to, as in stdio's buffer. */
class AwkOutput {
  readonly #context: CommandContext;
  #held: string[] = [];
  #heldCount = 0;
  readonly #open = new Map<string, string>();
  readonly #closed: { readonly before: string; readonly command: string; readonly text: string }[] = [];
  #before = "";
  isBroken = false;

  constructor(context: CommandContext) {
    this.#context = context;
  }

  write(text: string): void {
    this.#held.push(text);
    this.#heldCount += text.length;
    if (this.#heldCount > OUTPUT_CHARS_MAX) {
      this.flush();
      throw new AwkError(`lvsim: more than ${OUTPUT_CHARS_MAX} characters at once`);
    }
  }

  writePipe(command: string, text: string): void {
    // Starting a command empties the buffer first.
    if (!this.#open.has(command)) this.#before += this.#take();
    this.#open.set(command, (this.#open.get(command) ?? "") + text);
  }

  close(command: string): void {
    const text = this.#open.get(command);
    if (text === undefined) return;
    this.#open.delete(command);
    this.#closed.push({ before: this.#before, command, text });
    this.#before = "";
  }

  flush(): void {
    if (this.#open.size === 0 && this.#closed.length === 0 && !this.#context.stdout.write(this.#take())) this.isBroken = true;
  }

  *finish(): Running<void> {
    for (const command of [...this.#open.keys()]) this.close(command);
    const rest = this.#take();
    for (const { before, command, text } of this.#closed.splice(0)) {
      this.#context.stdout.write(before);
      yield* this.#context.spawn(["/bin/sh", "-c", command], { stdin: new TextInput(text) });
    }
    this.#context.stdout.write(rest);
  }

  #take(): string {
    const text = this.#held.join("");
    this.#held = [];
    this.#heldCount = 0;
    return text;
  }
}

function* execute(context: CommandContext, { program, assignments, operands }: Arguments): Running<number> {
  const { files, host } = context.machine;
  const random = host.random("awk");
  const parsed = parseAwk(program);
  const output = new AwkOutput(context);
  const input = new AwkInput(context, operands);
  const interpreter = new AwkInterpreter(parsed, {
    write: (text) => output.write(text),
    writePipe: (command, text) => output.writePipe(command, text),
    close: (name) => output.close(name),
    pull: () => input.pull(interpreter),
    writeFile: (path, text, isAppend) => {
      if (path === "/dev/stderr") {
        context.stderr.write(text);
        return;
      }
      const absolute = files.resolve(context.cwd, path);
      if (isAppend) files.append(absolute, text);
      else files.write(absolute, text);
    },
    readFile: (path) => {
      const result = readFile(context, path);
      return "text" in result ? result.text : undefined;
    },
    random: () => random.next32() / 0x100000000,
  });
  interpreter.setEnvironment(context.env, [context.name, ...operands]);
  for (const [name, text] of assignments) interpreter.assign(name, text);
  // Expressions cannot wait: a program that takes records itself finds all of them there.
  if (parsed.pullsRecords) yield* input.readAhead();
  interpreter.begin();
  output.flush();
  while (interpreter.readsInput && !interpreter.hasExited && !output.isBroken) {
    const record = yield* input.next(interpreter);
    if (record === undefined) break;
    interpreter.record(record);
    output.flush();
  }
  interpreter.end();
  output.flush();
  yield* output.finish();
  return interpreter.exitStatus !== 0 ? interpreter.exitStatus : input.status;
}

/** The records of the operands, one file after the other; assignments among them are made when they are reached. */
class AwkInput {
  status = 0;
  readonly #context: CommandContext;
  readonly #waiting: string[];
  #records: string[] = [];
  #at = 0;
  #file = "";
  #isFirst = true;
  #hasRead = false;
  #readsLines = false;
  #standardText: string | undefined;

  constructor(context: CommandContext, operands: readonly string[]) {
    this.#context = context;
    this.#waiting = [...operands];
  }

  /** Takes all of standard input, if it is read at all. */
  *readAhead(): Running<void> {
    const paths = this.#waiting.filter((operand) => !ASSIGNMENT.test(operand));
    if (paths.length === 0 || paths.includes("-")) this.#standardText = yield* this.#context.stdin.readAll();
  }

  *next(interpreter: AwkInterpreter): Running<InputRecord | undefined> {
    for (;;) {
      const known = this.#readsLines ? undefined : this.pull(interpreter);
      if (known !== undefined || !this.#readsLines) return known;
      if (interpreter.recordSeparator === "\n") {
        const line = yield* this.#context.stdin.readLine();
        if (line !== undefined) return this.#made(line);
      } else {
        this.#records = recordsOf(yield* this.#context.stdin.readAll(), interpreter.recordSeparator);
        this.#at = 0;
      }
      this.#readsLines = false;
    }
  }

  /** The next record that is there without waiting; at standard input `next` reads on. */
  pull(interpreter: AwkInterpreter): InputRecord | undefined {
    for (;;) {
      const record = this.#records[this.#at++];
      if (record !== undefined) return this.#made(record);
      const operand = this.#waiting.shift() ?? (this.#hasRead ? undefined : "-");
      if (operand === undefined) return undefined;
      const assignment = ASSIGNMENT.exec(operand);
      if (assignment !== null) {
        interpreter.assign(assignment[1] as string, assignment[2] as string);
        continue;
      }
      this.#hasRead = true;
      this.#isFirst = true;
      this.#file = operand === "-" ? "" : operand;
      if (operand === "-" && this.#standardText === undefined) {
        this.#readsLines = true;
        return undefined;
      }
      this.#open(operand, interpreter.recordSeparator);
    }
  }

  #open(operand: string, separator: string): void {
    const result = operand === "-" ? { text: this.#standardText ?? "" } : readFile(this.#context, operand);
    this.#at = 0;
    this.#records = "text" in result ? recordsOf(result.text, separator) : [];
    if ("text" in result) return;
    this.#context.stderr.write(`awk: cannot open "${operand}" (${result.error})\n`);
    this.status = 2;
  }

  #made(text: string): InputRecord {
    const isFirstOfFile = this.#isFirst;
    this.#isFirst = false;
    return { text, file: this.#file, isFirstOfFile };
  }
}

/** RS: one character, or empty for paragraphs. */
function recordsOf(text: string, separator: string): string[] {
  if (separator === "") return text.replace(/^\n+/, "").split(/\n{2,}/).map((record) => record.replace(/\n$/, "")).filter((record) => record !== "");
  const records = text.split(separator[0] as string);
  if (records.at(-1) === "" || (separator !== "\n" && records.at(-1) === "\n")) records.pop();
  return records;
}

export const awkCommands: readonly Command[] = ["awk", "mawk", "gawk", "nawk"].map((name) => ({ path: `/usr/bin/${name}`, run: runAwk }));
