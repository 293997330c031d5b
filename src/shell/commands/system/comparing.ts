/**
 * Files compared and joined: diff, cmp, comm, join. GNU diffutils 3.8, coreutils 9.1.
 */

import { NS_PER_SECOND } from "../../../base/time.ts";
import type { Command, CommandContext, Running } from "../../command.ts";
import { fail, OptionError, parseOptions, readFile, splitLines, tool, usageError } from "../tools/support.ts";
import { formatMoment } from "./date.ts";
import { hunksOf, normalDiff, type Side, unifiedDiff } from "./line-diff.ts";
import { bytesOf } from "./text-bytes.ts";

/** The text of an operand, `-` being standard input; an error is reported as NAME: PATH: WORDS. */
function* textOfOperand(context: CommandContext, path: string): Running<string | undefined> {
  if (path === "-") return yield* context.stdin.readAll();
  const result = readFile(context, path);
  if (!("error" in result)) return result.text;
  fail(context, `${path}: ${result.error}`);
  return undefined;
}

/** diff and cmp begin their hint with their name. */
function diffUsage(context: CommandContext, message: string): number {
  context.stderr.write(`${context.name}: ${message}\n${context.name}: Try '${context.name} --help' for more information.\n`);
  return 2;
}

const DIFF_LONG = {
  brief: "q", unified: "u", "unified=": "U", "report-identical-files": "s", "ignore-case": "i", "ignore-all-space": "w", "ignore-space-change": "b", "ignore-blank-lines": "B",
  "label=": "L", text: "a", recursive: "r", "new-file": "N", normal: "n", "color=": "C",
};

function stamp(context: CommandContext, path: string): string {
  const { machine } = context;
  const atNs = path === "-" ? machine.host.loop.nowNs : (machine.files.status(machine.files.resolve(context.cwd, path))?.modifiedAtNs ?? 0);
  const whole = Math.floor(atNs / NS_PER_SECOND);
  return formatMoment("%F %T.%N %z", { seconds: machine.epochSeconds + whole, nanoseconds: atNs - whole * NS_PER_SECOND });
}

function* runDiff(context: CommandContext): Running<number> {
  let options: ReturnType<typeof parseOptions>;
  try {
    options = parseOptions(context.args, "quU:siwbBL:arNnyec", DIFF_LONG);
  } catch (error) {
    if (error instanceof OptionError) return diffUsage(context, error.message);
    throw error;
  }
  for (const letter of ["B", "N", "y", "e", "c", "n"]) if (options.has(letter)) return fail(context, `lvsim: -${letter} is not simulated`, 2);
  const [first, second, extra] = options.operands;
  if (first === undefined || second === undefined) return diffUsage(context, `missing operand after '${first ?? context.name}'`);
  if (extra !== undefined) return diffUsage(context, `extra operand '${extra}'`);
  const { files } = context.machine;
  const isDirectory = (path: string): boolean => files.status(files.resolve(context.cwd, path))?.type === "directory";
  if (isDirectory(first) && isDirectory(second)) return fail(context, "lvsim: comparing directories is not simulated", 2);
  const base = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
  const pathA = isDirectory(first) ? `${first.replace(/\/$/, "")}/${base(second)}` : first;
  const pathB = isDirectory(second) ? `${second.replace(/\/$/, "")}/${base(first)}` : second;
  const textA = yield* textOfOperand(context, pathA);
  const textB = pathB === "-" && pathA === "-" ? textA : yield* textOfOperand(context, pathB);
  if (textA === undefined || textB === undefined) return 2;
  const fold = (line: string): string => {
    const spaced = options.has("w") ? line.replace(/\s+/g, "") : options.has("b") ? line.replace(/\s+/g, " ").trimEnd() : line;
    return options.has("i") ? spaced.toLowerCase() : spaced;
  };
  const sideOf = (text: string): Side => ({ lines: splitLines(text), hasLastNewline: text === "" || text.endsWith("\n") });
  const [a, b] = [sideOf(textA), sideOf(textB)];
  // A last line without newline differs from the same line with one, unless white space is ignored.
  const keys = (side: Side): string[] => side.lines.map((line, index) => fold(line) + (index === side.lines.length - 1 && !side.hasLastNewline && !options.has("w") && !options.has("b") ? "\n-" : ""));
  const hunks = hunksOf(keys(a), keys(b));
  if (hunks === undefined) return fail(context, "lvsim: the files are too large to compare", 2);
  if (hunks.length === 0) {
    if (options.has("s")) context.stdout.write(`Files ${pathA} and ${pathB} are identical\n`);
    return 0;
  }
  const contextLines = Number(options.value("U") ?? 3);
  if (options.has("q")) context.stdout.write(`Files ${pathA} and ${pathB} differ\n`);
  else if (options.has("u") || options.has("U")) {
    const labels = options.values.get("L") ?? [];
    const head = (mark: string, path: string, label: string | undefined): string => `${mark} ${label ?? `${path}\t${stamp(context, path)}`}\n`;
    context.stdout.write(`${head("---", pathA, labels[0])}${head("+++", pathB, labels[1])}${unifiedDiff(a, b, hunks, contextLines)}`);
  } else context.stdout.write(normalDiff(a, b, hunks));
  return 1;
}

function* runCmp(context: CommandContext): Running<number> {
  let options: ReturnType<typeof parseOptions>;
  try {
    options = parseOptions(context.args, "slbn:", { silent: "s", quiet: "s", verbose: "l", "bytes=": "n" });
  } catch (error) {
    if (error instanceof OptionError) return diffUsage(context, error.message);
    throw error;
  }
  if (options.has("b")) return fail(context, "lvsim: -b is not simulated", 2);
  const [first, second = "-", extra] = options.operands;
  if (first === undefined) return diffUsage(context, `missing operand after '${context.name}'`);
  if (extra !== undefined) return fail(context, "lvsim: SKIP operands are not simulated", 2);
  const [textA, textB] = [yield* textOfOperand(context, first), yield* textOfOperand(context, second)];
  if (textA === undefined || textB === undefined) return 2;
  const limit = Number(options.value("n") ?? Number.POSITIVE_INFINITY);
  const [a, b] = [bytesOf(textA).subarray(0, limit), bytesOf(textB).subarray(0, limit)];
  const common = Math.min(a.length, b.length);
  const width = String(common).length;
  let line = 1;
  let exit = 0;
  for (let i = 0; i < common; i++) {
    if (a[i] !== b[i]) {
      exit = 1;
      if (options.has("s")) return 1;
      if (!options.has("l")) {
        context.stdout.write(`${first} ${second} differ: char ${i + 1}, line ${line}\n`);
        return 1;
      }
      context.stdout.write(`${String(i + 1).padStart(width)} ${(a[i] as number).toString(8).padStart(3)} ${(b[i] as number).toString(8).padStart(3)}\n`);
    }
    if (a[i] === 10) line++;
  }
  if (a.length === b.length) return exit;
  if (options.has("s")) return 1;
  const shorter = a.length < b.length ? first : second;
  const isAtLineEnd = common > 0 && (a.length < b.length ? a : b)[common - 1] === 10;
  const place = common === 0 ? " which is empty" : options.has("l") ? ` after byte ${common}` : ` after byte ${common}, ${isAtLineEnd ? `line ${line - 1}` : `in line ${line}`}`;
  context.stderr.write(`${context.name}: EOF on ${shorter}${place}\n`);
  return 1;
}

function* twoFiles(context: CommandContext, operands: readonly string[]): Running<readonly [string[], string[]] | number> {
  const [first, second, extra] = operands;
  if (first === undefined) return usageError(context, "missing operand", 1);
  if (second === undefined) return usageError(context, `missing operand after '${first}'`, 1);
  if (extra !== undefined) return usageError(context, `extra operand '${extra}'`, 1);
  const textA = yield* textOfOperand(context, first);
  if (textA === undefined) return 1;
  const textB = yield* textOfOperand(context, second);
  return textB === undefined ? 1 : [splitLines(textA), splitLines(textB)];
}

function* runComm(context: CommandContext): Running<number> {
  const options = parseOptions(context.args, "123i", { "nocheck-order": "i", "check-order": "i" });
  const both = yield* twoFiles(context, options.operands);
  if (typeof both === "number") return both;
  const [a, b] = both;
  const shown = ["1", "2", "3"].map((letter) => !options.has(letter));
  const tabs = [0, shown[0] === true ? 1 : 0, (shown[0] === true ? 1 : 0) + (shown[1] === true ? 1 : 0)];
  const print = (kind: number, line: string): void => {
    if (shown[kind] === true) context.stdout.write(`${"\t".repeat(tabs[kind] as number)}${line}\n`);
  };
  for (let [i, j] = [0, 0]; i < a.length || j < b.length; ) {
    const [left, right] = [a[i], b[j]];
    if (right === undefined || (left !== undefined && left < right)) {
      print(0, left as string);
      i++;
    } else if (left === undefined || right < left) {
      print(1, right);
      j++;
    } else {
      print(2, left);
      i++;
      j++;
    }
  }
  return 0;
}

function* runJoin(context: CommandContext): Running<number> {
  const options = parseOptions(context.args, "1:2:j:t:a:v:e:o:i", {});
  for (const letter of ["e", "o"]) if (options.has(letter)) return fail(context, `lvsim: -${letter} is not simulated`);
  const both = yield* twoFiles(context, options.operands);
  if (typeof both === "number") return both;
  const separator = options.value("t");
  const fieldA = Number(options.value("1") ?? options.value("j") ?? 1) - 1;
  const fieldB = Number(options.value("2") ?? options.value("j") ?? 1) - 1;
  if (!(fieldA >= 0) || !(fieldB >= 0)) return fail(context, `invalid field number: '${options.value(fieldA >= 0 ? "2" : "1") ?? ""}'`);
  const split = (line: string): string[] => (separator === undefined ? line.trim().split(/[ \t]+/) : line.split(separator));
  const key = (fields: readonly string[], index: number): string => (options.has("i") ? (fields[index] ?? "").toLowerCase() : (fields[index] ?? ""));
  const others = (fields: readonly string[], index: number): string[] => fields.filter((_, position) => position !== index);
  const write = (words: readonly string[]): void => {
    context.stdout.write(`${words.join(separator ?? " ")}\n`);
  };
  const [a, b] = [both[0].map(split), both[1].map(split)];
  const unpaired = new Set([...(options.values.get("a") ?? []), ...(options.values.get("v") ?? [])]);
  const alone = (fields: readonly string[], index: number, file: string): void => {
    if (unpaired.has(file)) write([fields[index] ?? "", ...others(fields, index)]);
  };
  for (let [i, j] = [0, 0]; i < a.length || j < b.length; ) {
    const [left, right] = [a[i], b[j]];
    if (right === undefined || (left !== undefined && key(left, fieldA) < key(right, fieldB))) {
      alone(left as string[], fieldA, "1");
      i++;
    } else if (left === undefined || key(right, fieldB) < key(left, fieldA)) {
      alone(right, fieldB, "2");
      j++;
    } else {
      const wanted = key(left, fieldA);
      let endB = j;
      while (b[endB] !== undefined && key(b[endB] as string[], fieldB) === wanted) endB++;
      for (; a[i] !== undefined && key(a[i] as string[], fieldA) === wanted; i++) {
        for (let k = j; k < endB && !options.has("v"); k++) write([(a[i] as string[])[fieldA] ?? "", ...others(a[i] as string[], fieldA), ...others(b[k] as string[], fieldB)]);
      }
      j = endB;
    }
  }
  return 0;
}

export const comparingCommands: readonly Command[] = [
  { path: "/usr/bin/diff", run: runDiff },
  { path: "/usr/bin/cmp", run: runCmp },
  tool("/usr/bin/comm", 1, runComm),
  tool("/usr/bin/join", 1, runJoin),
];
