/**
 * awk (also mawk, gawk, nawk): the command line, input files, assignments between them.
 */

import type { Command, CommandContext, Running } from "../../command.ts";
import { fileErrorText, fail, readFile } from "../tools/support.ts";
import { AwkInterpreter } from "./interpreter.ts";
import { parseAwk } from "./parser.ts";
import { AwkSyntaxError } from "./syntax.ts";
import { AwkError } from "./values.ts";

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

function* execute(context: CommandContext, { program, assignments, operands }: Arguments): Running<number> {
  const { files, host } = context.machine;
  const random = host.random("awk");
  const interpreter = new AwkInterpreter(parseAwk(program), {
    write: (text) => context.stdout.write(text),
    writeFile: (path, text, isAppend) => {
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
  interpreter.begin();
  let status = 0;
  if (interpreter.readsInput && !interpreter.hasExited) status = yield* readAll(context, interpreter, operands);
  if (!interpreter.hasExited) interpreter.end();
  return interpreter.exitStatus !== 0 ? interpreter.exitStatus : status;
}

function* readAll(context: CommandContext, interpreter: AwkInterpreter, operands: readonly string[]): Running<number> {
  let status = 0;
  let hasRead = false;
  for (const operand of operands) {
    const assignment = /^([A-Za-z_]\w*)=(.*)$/s.exec(operand);
    if (assignment !== null) {
      interpreter.assign(assignment[1] as string, assignment[2] as string);
      continue;
    }
    hasRead = true;
    if (operand === "-") {
      yield* readStandardInput(context, interpreter);
      continue;
    }
    const result = readFile(context, operand);
    if ("error" in result) {
      context.stderr.write(`awk: cannot open "${operand}" (${result.error})\n`);
      status = 2;
      continue;
    }
    const records = recordsOf(result.text, interpreter.recordSeparator);
    for (const [index, record] of records.entries()) {
      if (interpreter.hasExited) return status;
      interpreter.record(record, operand, index === 0);
    }
  }
  if (!hasRead) yield* readStandardInput(context, interpreter);
  return status;
}

function* readStandardInput(context: CommandContext, interpreter: AwkInterpreter): Running<void> {
  let isFirst = true;
  if (interpreter.recordSeparator === "\n") {
    for (let line = yield* context.stdin.readLine(); line !== undefined && !interpreter.hasExited; line = yield* context.stdin.readLine()) {
      interpreter.record(line, "", isFirst);
      isFirst = false;
    }
    return;
  }
  const text = yield* context.stdin.readAll();
  for (const record of recordsOf(text, interpreter.recordSeparator)) {
    if (interpreter.hasExited) return;
    interpreter.record(record, "", isFirst);
    isFirst = false;
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
