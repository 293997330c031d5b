/**
 * cat, tac, head, tail, wc, cut, tr, tee, uniq, nl, rev, paste, fold, seq: GNU coreutils 9.1 in the C locale.
 */

import { NS_PER_MS } from "../../../base/time.ts";
import type { Command, CommandContext, Running } from "../../command.ts";
import { randomBytes } from "../../streams.ts";
import { visible } from "../system/text-bytes.ts";
import { eachLine, fail, fileErrorText, isStandardInput, parseCount, parseOptions, readFile, readInputs, splitLines, tool, usageError } from "./support.ts";

/** Most characters that an endless device gives to one command. */
const DEVICE_CHARS_MAX = 64 * 1024 * 1024;
const RANDOM_CHARS_MAX = 1024 * 1024;
const FOLLOW_INTERVAL_NS = 100 * NS_PER_MS;

function* runCat(context: CommandContext): Running<number> {
  const options = parseOptions(context.args, "nbsETAvetu", { number: "n", "number-nonblank": "b", "squeeze-blank": "s", "show-ends": "E", "show-tabs": "T", "show-all": "A", "show-nonprinting": "v" });
  const isPlain = options.values.size === 0 || (options.values.size === 1 && options.has("u"));
  let status = 0;
  let number = 0;
  let wasBlank = false;
  const show = (line: string, hasNewline: boolean) => {
    if (options.has("s") && line === "" && wasBlank) return;
    wasBlank = line === "";
    let text = options.has("v") || options.has("A") || options.has("e") || options.has("t") ? visible(line) : line;
    if (options.has("T") || options.has("A") || options.has("t")) text = text.replaceAll("\t", "^I");
    if (options.has("E") || options.has("A") || options.has("e")) text += hasNewline ? "$" : "";
    if (options.has("b") ? line !== "" : options.has("n")) text = `${String(++number).padStart(6)}\t${text}`;
    context.stdout.write(text + (hasNewline ? "\n" : ""));
  };
  for (const path of options.operands.length === 0 ? ["-"] : options.operands) {
    if (isStandardInput(path)) {
      if (isPlain) {
        for (let text = yield* context.stdin.readSome(); text !== undefined; text = yield* context.stdin.readSome()) if (!context.stdout.write(text)) return 1;
      } else {
        for (let line = yield* context.stdin.readLine(); line !== undefined; line = yield* context.stdin.readLine()) show(line, true);
      }
      continue;
    }
    const result = readFile(context, path);
    if ("error" in result) {
      status = fail(context, `${path}: ${result.error}`);
      continue;
    }
    if (isPlain) {
      context.stdout.write(result.text);
    } else {
      const lines = splitLines(result.text);
      for (const [index, line] of lines.entries()) show(line, index < lines.length - 1 || result.text.endsWith("\n"));
    }
  }
  return status;
}

function* runTac(context: CommandContext): Running<number> {
  const { operands } = parseOptions(context.args, "");
  let status = 0;
  const inputs = yield* readInputs(context, operands, (path, error) => {
    status = fail(context, `failed to open '${path}' for reading: ${error}`);
  });
  for (const { text } of inputs) {
    const lines = splitLines(text).reverse();
    if (lines.length > 0) context.stdout.write(`${lines.join("\n")}\n`);
  }
  return status;
}

/** The first `count` characters of an endless device; undefined for any other path. */
function deviceText(context: CommandContext, path: string, count: number): string | undefined {
  if (path === "/dev/zero") return "\0".repeat(Math.min(count, DEVICE_CHARS_MAX));
  const { host } = context.machine;
  if (path === "/dev/urandom" || path === "/dev/random") return randomBytes(() => host.random("dev/urandom").next32(), Math.min(count, RANDOM_CHARS_MAX));
  return path === "/dev/null" ? "" : undefined;
}

function* runHead(context: CommandContext): Running<number> {
  const options = parseOptions(context.args, "#n:c:qvz", { lines: "", "lines=": "n", "bytes=": "c", quiet: "q", silent: "q", verbose: "v" });
  const isBytes = options.has("c");
  const text = options.value("c") ?? options.value("n") ?? options.value("#") ?? "10";
  const isFromEnd = text.startsWith("-");
  const count = parseCount(text.replace(/^[-+]/, ""));
  if (count === undefined) return fail(context, `invalid number of ${isBytes ? "bytes" : "lines"}: '${text}'`);
  const operands = options.operands.length === 0 ? ["-"] : options.operands;
  const hasTitles = (operands.length > 1 || options.has("v")) && !options.has("q");
  let status = 0;
  let shown = 0;
  for (const path of operands) {
    const title = hasTitles ? `==> ${path === "-" ? "standard input" : path} <==\n` : "";
    let body: string;
    if (path === "-" && !isFromEnd) {
      context.stdout.write(title === "" || shown++ === 0 ? title : `\n${title}`);
      yield* copyStart(context, count, isBytes);
      continue;
    }
    if (path === "-") {
      body = yield* context.stdin.readAll();
    } else {
      const device = isBytes ? deviceText(context, path, count) : undefined;
      const result = device === undefined ? readFile(context, path) : { text: device };
      if ("error" in result) {
        status = fail(context, result.error === "Is a directory" ? `error reading '${path}': ${result.error}` : `cannot open '${path}' for reading: ${result.error}`);
        continue;
      }
      body = result.text;
    }
    context.stdout.write(title === "" || shown++ === 0 ? title : `\n${title}`);
    context.stdout.write(isBytes ? body.slice(0, isFromEnd ? Math.max(0, body.length - count) : count) : firstLines(body, count, isFromEnd));
  }
  return status;
}

/** The beginning of standard input as it comes; what follows is left to others. */
function* copyStart(context: CommandContext, count: number, isBytes: boolean): Running<void> {
  for (let left = count; left > 0; ) {
    const text = isBytes ? yield* context.stdin.readSome(left) : yield* context.stdin.readLine();
    if (text === undefined || !context.stdout.write(isBytes ? text : `${text}\n`)) return;
    left -= isBytes ? text.length : 1;
  }
}

function firstLines(text: string, count: number, isFromEnd: boolean): string {
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  return lines.slice(0, isFromEnd ? Math.max(0, lines.length - count) : count).join("");
}

function* runTail(context: CommandContext): Running<number> {
  const options = parseOptions(context.args, "#n:c:fFqvs:", { "lines=": "n", "bytes=": "c", follow: "f", quiet: "q", verbose: "v" });
  const isBytes = options.has("c");
  const text = options.value("c") ?? options.value("n") ?? options.value("#") ?? "10";
  const isFromStart = text.startsWith("+");
  const count = parseCount(text.replace(/^[-+]/, ""));
  if (count === undefined) return fail(context, `invalid number of ${isBytes ? "bytes" : "lines"}: '${text}'`);
  let status = 0;
  const inputs = yield* readInputs(context, options.operands, (path, error) => {
    status = fail(context, error === "Is a directory" ? `error reading '${path}': ${error}` : `cannot open '${path}' for reading: ${error}`);
  });
  const hasTitles = (options.operands.length > 1 || options.has("v")) && !options.has("q");
  for (const [index, { path, text: body }] of inputs.entries()) {
    if (hasTitles) context.stdout.write(`${index > 0 ? "\n" : ""}==> ${path === "-" ? "standard input" : path} <==\n`);
    if (isBytes) context.stdout.write(isFromStart ? body.slice(Math.max(0, count - 1)) : count === 0 ? "" : body.slice(-count));
    else context.stdout.write(lastLines(body, count, isFromStart));
  }
  const [followed] = inputs;
  if ((options.has("f") || options.has("F")) && followed !== undefined && followed.path !== "-") return yield* follow(context, followed.path, followed.text.length);
  return status;
}

function lastLines(text: string, count: number, isFromStart: boolean): string {
  const lines = text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
  return (isFromStart ? lines.slice(Math.max(0, count - 1)) : count === 0 ? [] : lines.slice(-count)).join("");
}

/** Until somebody kills it. */
function* follow(context: CommandContext, path: string, startLength: number): Running<number> {
  let length = startLength;
  for (;;) {
    yield* context.sleep(FOLLOW_INTERVAL_NS);
    const result = readFile(context, path);
    if ("error" in result) continue;
    if (result.text.length < length) length = 0;
    if (result.text.length > length && !context.stdout.write(result.text.slice(length))) return 1;
    length = result.text.length;
  }
}

function* runWc(context: CommandContext): Running<number> {
  const options = parseOptions(context.args, "lwcmL", { lines: "l", words: "w", bytes: "c", chars: "m", "max-line-length": "L" });
  const kinds = options.values.size === 0 ? ["l", "w", "c"] : ["l", "w", "m", "c", "L"].filter((kind) => options.has(kind));
  let status = 0;
  const inputs = yield* readInputs(context, options.operands, (path, error) => {
    status = fail(context, `${path}: ${error}`);
  });
  const count = (text: string): Readonly<Record<string, number>> => ({
    l: text.split("\n").length - 1,
    w: text.split(/\s+/).filter((word) => word !== "").length,
    c: text.length,
    m: text.length,
    L: Math.max(0, ...splitLines(text).map((line) => line.length)),
  });
  const rows = inputs.map(({ path, text }) => ({ name: options.operands.length === 0 ? "" : path, counts: count(text) }));
  if (rows.length > 1) rows.push({ name: "total", counts: Object.fromEntries(["l", "w", "c", "m", "L"].map((kind) => [kind, rows.reduce((sum, row) => sum + (row.counts[kind] as number), 0)])) });
  // One column of one file is not padded; standard input is padded to 7.
  const isBare = kinds.length === 1 && rows.length === 1;
  const width = isBare ? 0 : options.operands.length === 0 ? 7 : Math.max(...rows.flatMap((row) => kinds.map((kind) => String(row.counts[kind]).length)));
  for (const { name, counts } of rows) context.stdout.write(`${kinds.map((kind) => String(counts[kind]).padStart(width)).join(" ")}${name === "" ? "" : ` ${name}`}\n`);
  return status;
}

/** `1,3-5,7-` as a test of a number from 1 on; undefined when the list is malformed. */
function parseRanges(text: string): ((n: number) => boolean) | undefined {
  const ranges: [number, number][] = [];
  for (const part of text.split(/[, ]/)) {
    const match = /^(\d*)(-?)(\d*)$/.exec(part);
    if (match === null || (match[1] === "" && match[3] === "") || match[1] === "0") return undefined;
    const from = match[1] === "" ? 1 : Number(match[1]);
    const to = match[2] === "" ? from : match[3] === "" ? Number.POSITIVE_INFINITY : Number(match[3]);
    if (to < from) return undefined;
    ranges.push([from, to]);
  }
  return (n) => ranges.some(([from, to]) => n >= from && n <= to);
}

function* runCut(context: CommandContext): Running<number> {
  const options = parseOptions(context.args, "b:c:d:f:sn", { "bytes=": "b", "characters=": "c", "delimiter=": "d", "fields=": "f", "only-delimited": "s", complement: "!", "output-delimiter=": "o" });
  const list = options.value("f") ?? options.value("c") ?? options.value("b");
  if (list === undefined) return usageError(context, "you must specify a list of bytes, characters, or fields", 1);
  const delimiter = options.value("d") ?? "\t";
  if (delimiter.length !== 1) return usageError(context, "the delimiter must be a single character", 1);
  const inRanges = parseRanges(list);
  if (inRanges === undefined) return usageError(context, options.has("f") ? `invalid field value '${list}'` : `invalid byte or character range`, 1);
  const isChosen = options.has("!") ? (n: number) => !inRanges(n) : inRanges;
  const isFields = options.has("f");
  const output = options.value("o") ?? (isFields ? delimiter : "");
  let status = 0;
  yield* eachLine(
    context,
    options.operands,
    (line) => {
      if (!isFields) return context.stdout.write(`${[...line].filter((_, i) => isChosen(i + 1)).join(output)}\n`);
      if (!line.includes(delimiter)) return options.has("s") ? true : context.stdout.write(`${line}\n`);
      return context.stdout.write(`${line.split(delimiter).filter((_, i) => isChosen(i + 1)).join(output)}\n`);
    },
    (path, error) => {
      status = fail(context, `${path}: ${error}`);
    },
  );
  return status;
}

const CHARACTER_CLASSES: Readonly<Record<string, string>> = {
  alpha: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
  digit: "0123456789",
  alnum: "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
  upper: "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
  lower: "abcdefghijklmnopqrstuvwxyz",
  space: "\t\n\v\f\r ",
  blank: "\t ",
  punct: "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
  cntrl: Array.from({ length: 32 }, (_, i) => String.fromCharCode(i)).join("") + "\x7f",
  xdigit: "0123456789ABCDEFabcdef",
};

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", a: "\x07", b: "\b", f: "\f", v: "\v", "\\": "\\" };

/** Expands a set of tr: ranges, classes, escapes, `[x*n]`. */
function expandSet(text: string): string {
  let set = "";
  for (let i = 0; i < text.length; ) {
    const named = /^\[:(\w+):\]/.exec(text.slice(i));
    if (named !== null && CHARACTER_CLASSES[named[1] as string] !== undefined) {
      set += CHARACTER_CLASSES[named[1] as string];
      i += named[0].length;
      continue;
    }
    const repeated = /^\[(.)\*(\d*)\]/s.exec(text.slice(i));
    if (repeated !== null) {
      set += (repeated[1] as string).repeat(repeated[2] === "" ? 1 : Math.min(Number(repeated[2]), 65536));
      i += repeated[0].length;
      continue;
    }
    const first = readCharacter(text, i);
    i = first.next;
    if (text[i] === "-" && i + 1 < text.length) {
      const last = readCharacter(text, i + 1);
      for (let code = first.character.charCodeAt(0); code <= last.character.charCodeAt(0); code++) set += String.fromCharCode(code);
      i = last.next;
    } else {
      set += first.character;
    }
  }
  return set;
}

function readCharacter(text: string, at: number): { readonly character: string; readonly next: number } {
  if (text[at] !== "\\" || at + 1 >= text.length) return { character: text[at] as string, next: at + 1 };
  const octal = /^[0-7]{1,3}/.exec(text.slice(at + 1));
  if (octal !== null) return { character: String.fromCharCode(Number.parseInt(octal[0], 8)), next: at + 1 + octal[0].length };
  const letter = text[at + 1] as string;
  return { character: ESCAPES[letter] ?? letter, next: at + 2 };
}

function* runTr(context: CommandContext): Running<number> {
  const options = parseOptions(context.args, "cCdst", { complement: "c", delete: "d", "squeeze-repeats": "s", "truncate-set1": "t" });
  const [first, second] = options.operands;
  if (first === undefined) return usageError(context, "missing operand", 1);
  if (second === undefined && !options.has("d") && !options.has("s")) return usageError(context, `missing operand after '${first}'\nTwo strings must be given when translating.`, 1);
  const isComplement = options.has("c") || options.has("C");
  const from = expandSet(first);
  const to = second === undefined ? undefined : expandSet(second);
  const inFrom = new Set(from);
  const isMember = (character: string) => inFrom.has(character) !== isComplement;
  const map = new Map<string, string>();
  const isTranslating = to !== undefined && !options.has("d");
  if (isTranslating && !isComplement) for (let i = from.length - 1; i >= 0; i--) map.set(from[i] as string, to[Math.min(i, to.length - 1)] ?? (from[i] as string));
  const squeezed = options.has("s") ? new Set(to ?? from) : undefined;
  let last = "";
  for (let text = yield* context.stdin.readSome(); text !== undefined; text = yield* context.stdin.readSome()) {
    const out: string[] = [];
    for (const character of text) {
      if (options.has("d") && isMember(character)) continue;
      const mapped = !isTranslating ? character : isComplement ? (isMember(character) ? (to.at(-1) ?? character) : character) : (map.get(character) ?? character);
      const isSqueezed = squeezed !== undefined && (to === undefined && isComplement ? isMember(mapped) : squeezed.has(mapped));
      if (isSqueezed && mapped === last) continue;
      last = mapped;
      out.push(mapped);
    }
    if (!context.stdout.write(out.join(""))) return 1;
  }
  return 0;
}

function* runTee(context: CommandContext): Running<number> {
  const options = parseOptions(context.args, "ai", { append: "a" });
  const { files } = context.machine;
  let status = 0;
  const paths: string[] = [];
  for (const path of options.operands) {
    const absolute = files.resolve(context.cwd, path);
    try {
      if (!options.has("a")) files.write(absolute, "");
      paths.push(absolute);
    } catch (error) {
      status = fail(context, `${path}: ${fileErrorText(error)}`);
    }
  }
  let hasWritten = false;
  for (let text = yield* context.stdin.readSome(); text !== undefined; text = yield* context.stdin.readSome()) {
    context.stdout.write(text);
    for (const path of paths) {
      try {
        // A sysctl takes one whole value a write.
        if (hasWritten || options.has("a")) files.append(path, text);
        else files.write(path, text);
      } catch (error) {
        status = fail(context, `${path}: ${fileErrorText(error)}`);
      }
    }
    hasWritten = true;
  }
  return status;
}

function* runUniq(context: CommandContext): Running<number> {
  const options = parseOptions(context.args, "cdui", { count: "c", repeated: "d", unique: "u", "ignore-case": "i" });
  let previous: string | undefined;
  let count = 0;
  const flush = () => {
    if (previous === undefined || (options.has("d") && count < 2) || (options.has("u") && count > 1)) return;
    context.stdout.write(`${options.has("c") ? `${String(count).padStart(7)} ` : ""}${previous}\n`);
  };
  const same = (a: string, b: string) => (options.has("i") ? a.toLowerCase() === b.toLowerCase() : a === b);
  let status = 0;
  yield* eachLine(
    context,
    options.operands.slice(0, 1),
    (line) => {
      if (previous !== undefined && same(previous, line)) {
        count++;
        return true;
      }
      flush();
      previous = line;
      count = 1;
      return true;
    },
    (path, error) => {
      status = fail(context, `${path}: ${error}`);
    },
  );
  flush();
  return status;
}

function* runNl(context: CommandContext): Running<number> {
  const options = parseOptions(context.args, "b:w:s:v:");
  const isAll = options.value("b") === "a";
  const width = Number(options.value("w") ?? 6);
  let number = Number(options.value("v") ?? 1);
  let status = 0;
  yield* eachLine(
    context,
    options.operands,
    (line) => context.stdout.write(line === "" && !isAll ? `${" ".repeat(width + 1)}\n` : `${String(number++).padStart(width)}${options.value("s") ?? "\t"}${line}\n`),
    (path, error) => {
      status = fail(context, `${path}: ${error}`);
    },
  );
  return status;
}

function* runRev(context: CommandContext): Running<number> {
  let status = 0;
  yield* eachLine(context, context.args, (line) => context.stdout.write(`${[...line].reverse().join("")}\n`), (path, error) => {
    status = fail(context, `cannot open ${path}: ${error}`);
  });
  return status;
}

function* runPaste(context: CommandContext): Running<number> {
  const options = parseOptions(context.args, "d:s", { "delimiters=": "d", serial: "s" });
  const delimiters = [...expandSet(options.value("d") ?? "\t")];
  let status = 0;
  const inputs = yield* readInputs(context, options.operands, (path, error) => {
    status = fail(context, `${path}: ${error}`);
  });
  const columns = inputs.map(({ text }) => splitLines(text));
  const join = (cells: readonly string[]) => cells.reduce((row, cell, i) => (i === 0 ? cell : row + (delimiters[(i - 1) % delimiters.length] ?? "") + cell), "");
  if (options.has("s")) for (const lines of columns) context.stdout.write(`${join(lines)}\n`);
  else for (let i = 0; i < Math.max(0, ...columns.map((lines) => lines.length)); i++) context.stdout.write(`${join(columns.map((lines) => lines[i] ?? ""))}\n`);
  return status;
}

function* runFold(context: CommandContext): Running<number> {
  const options = parseOptions(context.args, "w:sb", { "width=": "w", spaces: "s" });
  const width = Number(options.value("w") ?? 80);
  if (!Number.isInteger(width) || width < 1) return fail(context, `invalid number of columns: '${options.value("w")}'`);
  let status = 0;
  yield* eachLine(
    context,
    options.operands,
    (line) => {
      let rest = line;
      while (rest.length > width) {
        const space = options.has("s") ? rest.lastIndexOf(" ", width - 1) : -1;
        const cut = space > 0 ? space + 1 : width;
        context.stdout.write(`${rest.slice(0, cut)}\n`);
        rest = rest.slice(cut);
      }
      return context.stdout.write(`${rest}\n`);
    },
    (path, error) => {
      status = fail(context, `${path}: ${error}`);
    },
  );
  return status;
}

const SEQ_MAX = 1_000_000;

function runSeq(context: CommandContext): number {
  const args = [...context.args];
  let separator = "\n";
  let isEqualWidth = false;
  while (args[0] !== undefined && /^-[a-zA-Z]/.test(args[0])) {
    const option = args.shift() as string;
    if (option === "-w") isEqualWidth = true;
    else if (option === "-s") separator = args.shift() ?? "";
    else if (option.startsWith("-s")) separator = option.slice(2);
    else return usageError(context, `invalid option -- '${option[1]}'`, 1);
  }
  if (args.length === 0) return usageError(context, "missing operand", 1);
  if (args.length > 3) return usageError(context, `extra operand '${args[3]}'`, 1);
  const wrong = args.find((word) => !/^[-+]?(\d+\.?\d*|\.\d+)$/.test(word));
  if (wrong !== undefined) return usageError(context, `invalid floating point argument: '${wrong}'`, 1);
  const decimals = Math.max(...args.map((word) => word.split(".")[1]?.length ?? 0));
  const scale = 10 ** decimals;
  const numbers = args.map((word) => Math.round(Number(word) * scale));
  const [first, step, last] = numbers.length === 1 ? [scale, scale, numbers[0] as number] : numbers.length === 2 ? [numbers[0] as number, scale, numbers[1] as number] : (numbers as [number, number, number]);
  if (step === 0) return usageError(context, `invalid Zero increment value: '${args[1]}'`, 1);
  const words: string[] = [];
  for (let n = first; step > 0 ? n <= last : n >= last; n += step) {
    words.push((n / scale).toFixed(decimals));
    if (words.length >= SEQ_MAX) return fail(context, `lvsim: more than ${SEQ_MAX} numbers`);
  }
  const width = isEqualWidth ? Math.max(0, ...words.map((word) => word.length)) : 0;
  if (words.length > 0) context.stdout.write(`${words.map((word) => word.padStart(width, "0")).join(separator)}\n`);
  return 0;
}

export const textCommands: readonly Command[] = [
  tool("/usr/bin/cat", 1, runCat),
  tool("/usr/bin/tac", 1, runTac),
  tool("/usr/bin/head", 1, runHead),
  tool("/usr/bin/tail", 1, runTail),
  tool("/usr/bin/wc", 1, runWc),
  tool("/usr/bin/cut", 1, runCut),
  tool("/usr/bin/tr", 1, runTr),
  tool("/usr/bin/tee", 1, runTee),
  tool("/usr/bin/uniq", 1, runUniq),
  tool("/usr/bin/nl", 1, runNl),
  tool("/usr/bin/rev", 1, runRev),
  tool("/usr/bin/paste", 1, runPaste),
  tool("/usr/bin/fold", 1, runFold),
  tool("/usr/bin/seq", 1, runSeq),
];
