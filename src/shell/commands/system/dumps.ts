/**
 * Bytes made visible and copied: od, hexdump, xxd, dd.
 *
 * GNU coreutils 9.1 (od, dd), util-linux 2.38 (hexdump), xxd of vim 9.0; only the options that are named in each.
 */

import type { Command, CommandContext, Running } from "../../command.ts";
import { errorText } from "../../errno-text.ts";
import { FileError } from "../../file-system.ts";
import { fail, parseCount, parseOptions, readFile, readInputs, tool, usageError } from "../tools/support.ts";
import { bytesOf, textOf } from "./text-bytes.ts";

const ROW = 16;
const COPY_MAX = 64 * 1024 * 1024;
const ESCAPES: Readonly<Record<number, string>> = { 0: "\\0", 7: "\\a", 8: "\\b", 9: "\\t", 10: "\\n", 11: "\\v", 12: "\\f", 13: "\\r" };

const hex = (value: number, width: number): string => value.toString(16).padStart(width, "0");
const printable = (byte: number): string => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : ".");

function* inputBytes(context: CommandContext, operands: readonly string[], state: { exit: number }): Running<Uint8Array> {
  const inputs = yield* readInputs(context, operands, (path, error) => {
    state.exit = fail(context, `${path}: ${error}`);
  });
  return bytesOf(inputs.map((input) => input.text).join(""));
}

/** Rows of 16; one that repeats the row before is shown as a single `*`. */
function rows(bytes: Uint8Array, isSquashed: boolean, show: (row: Uint8Array, offset: number) => string): string {
  let out = "";
  let before = "";
  let isStarred = false;
  for (let offset = 0; offset < bytes.length; offset += ROW) {
    const row = bytes.subarray(offset, offset + ROW);
    const key = row.join();
    if (isSquashed && row.length === ROW && key === before) {
      if (!isStarred) out += "*\n";
      isStarred = true;
      continue;
    }
    isStarred = false;
    before = key;
    out += show(row, offset);
  }
  return out;
}

interface OdFormat {
  readonly bytes: number;
  readonly width: number;
  readonly show: (value: number) => string;
  readonly hasText: boolean;
}

function odCharacter(value: number): string {
  return ESCAPES[value] ?? (value >= 32 && value < 127 ? String.fromCharCode(value) : value.toString(8).padStart(3, "0"));
}

/** `x1`, `o2`, `u4`, `d1`, `c`, with `z` for text behind; undefined when it is none. */
function odFormat(text: string): OdFormat | undefined {
  const match = /^([xoud])([124CSI])?(z?)$/.exec(text) ?? /^(c)()(z?)$/.exec(text);
  if (match === null) return undefined;
  const hasText = match[3] === "z";
  if (match[1] === "c") return { bytes: 1, width: 3, show: odCharacter, hasText };
  const bytes = { 1: 1, 2: 2, 4: 4, C: 1, S: 2, I: 4 }[match[2] ?? "4"] ?? 4;
  const bits = bytes * 8;
  if (match[1] === "x") return { bytes, width: bytes * 2, show: (value) => hex(value, bytes * 2), hasText };
  if (match[1] === "o") return { bytes, width: Math.ceil(bits / 3), show: (value) => value.toString(8).padStart(Math.ceil(bits / 3), "0"), hasText };
  if (match[1] === "u") return { bytes, width: String(2 ** bits - 1).length, show: String, hasText };
  return { bytes, width: String(2 ** (bits - 1)).length + 1, show: (value) => String(value >= 2 ** (bits - 1) ? value - 2 ** bits : value), hasText };
}

function odRow(row: Uint8Array, format: OdFormat): string {
  let line = "";
  for (let i = 0; i < row.length; i += format.bytes) {
    let value = 0;
    for (let j = format.bytes - 1; j >= 0; j--) value = value * 256 + (row[i + j] ?? 0);
    line += ` ${format.show(value).padStart(format.width)}`;
  }
  if (!format.hasText) return line;
  return `${line.padEnd((ROW / format.bytes) * (format.width + 1))}  >${[...row].map(printable).join("")}<`;
}

const OD_SHORT: Readonly<Record<string, string>> = { c: "c", x: "x2", b: "o1", d: "u2", o: "o2", s: "d2" };

function* runOd(context: CommandContext): Running<number> {
  const options = parseOptions(context.args, "A:t:cxbdosvN:j:w:", { "address-radix=": "A", "format=": "t", "output-duplicates": "v", "read-bytes=": "N", "skip-bytes=": "j" });
  if (options.has("w")) return fail(context, "-w is not simulated");
  const names = [...(options.values.get("t") ?? []), ...Object.keys(OD_SHORT).flatMap((letter) => (options.has(letter) ? [OD_SHORT[letter] as string] : []))];
  const formats: OdFormat[] = [];
  for (const name of names.length === 0 ? ["o2"] : names) {
    const format = odFormat(name);
    if (format === undefined) return fail(context, `lvsim: type string '${name}' is not simulated (known: c, and d, o, u, x with 1, 2 or 4)`);
    formats.push(format);
  }
  const radix = options.value("A") ?? "o";
  if (!/^[doxn]$/.test(radix)) return fail(context, `invalid output address radix '${radix}'; it must be one character from [doxn]`);
  const [skip, limit] = [parseCount(options.value("j") ?? "0"), parseCount(options.value("N") ?? String(COPY_MAX))];
  if (skip === undefined || limit === undefined) return fail(context, `invalid -${skip === undefined ? "j" : "N"} argument '${options.value(skip === undefined ? "j" : "N")}'`);
  const state = { exit: 0 };
  const bytes = (yield* inputBytes(context, options.operands, state)).subarray(skip, skip + limit);
  const address = (offset: number): string => (radix === "n" ? "" : radix === "x" ? hex(offset, 6) : offset.toString(radix === "d" ? 10 : 8).padStart(7, "0"));
  const text = rows(bytes, !options.has("v"), (row, offset) =>
    formats.map((format, index) => `${index === 0 ? address(skip + offset) : " ".repeat(address(0).length)}${odRow(row, format)}\n`).join(""),
  );
  context.stdout.write(`${text}${radix === "n" ? "" : `${address(skip + bytes.length)}\n`}`);
  return state.exit;
}

function canonicalRow(row: Uint8Array, offset: number): string {
  const cells = [...row].map((byte) => hex(byte, 2));
  const half = (part: readonly string[]): string => part.join(" ").padEnd(23);
  return `${hex(offset, 8)}  ${half(cells.slice(0, 8))}  ${half(cells.slice(8))}  |${[...row].map(printable).join("")}|\n`;
}

function wordRow(row: Uint8Array, offset: number): string {
  const words: string[] = [];
  for (let i = 0; i < row.length; i += 2) words.push(hex((row[i] ?? 0) | ((row[i + 1] ?? 0) << 8), 4));
  return `${hex(offset, 7)} ${words.join(" ").padEnd(39)}\n`;
}

function* runHexdump(context: CommandContext): Running<number> {
  const options = parseOptions(context.args, "Cvn:s:", { canonical: "C", "no-squeezing": "v", "length=": "n", "skip=": "s" });
  const [skip, limit] = [parseCount(options.value("s") ?? "0"), parseCount(options.value("n") ?? String(COPY_MAX))];
  if (skip === undefined || limit === undefined) return fail(context, "failed to parse length");
  const state = { exit: 0 };
  const bytes = (yield* inputBytes(context, options.operands, state)).subarray(skip, skip + limit);
  if (state.exit !== 0 && bytes.length === 0) return fail(context, "all input file arguments failed");
  const isCanonical = context.name.endsWith("hd") || options.has("C");
  const text = rows(bytes, !options.has("v"), (row, offset) => (isCanonical ? canonicalRow : wordRow)(row, offset + skip));
  if (bytes.length > 0) context.stdout.write(`${text}${hex(skip + bytes.length, isCanonical ? 8 : 7)}\n`);
  return state.exit;
}

function* runXxd(context: CommandContext): Running<number> {
  const options = parseOptions(context.args.map((word) => (word === "-ps" || word === "-plain" ? "-p" : word)), "l:s:c:g:purbeia");
  for (const letter of ["r", "b", "e", "i", "a", "u"]) if (options.has(letter)) return fail(context, `-${letter} is not simulated`);
  const isPlain = options.has("p");
  const columns = Number(options.value("c") ?? (isPlain ? 30 : 16));
  const group = Number(options.value("g") ?? 2) || 1000;
  if (!(columns > 0 && columns <= 256)) return fail(context, "invalid number of columns (max. 256).");
  const [skip, limit] = [Number(options.value("s") ?? 0), Number(options.value("l") ?? COPY_MAX)];
  const state = { exit: 0 };
  const bytes = (yield* inputBytes(context, options.operands.slice(0, 1), state)).subarray(skip, skip + limit);
  if (state.exit !== 0) return 2;
  let out = "";
  for (let offset = 0; offset < bytes.length; offset += columns) {
    const row = [...bytes.subarray(offset, offset + columns)];
    if (isPlain) {
      out += `${row.map((byte) => hex(byte, 2)).join("")}\n`;
      continue;
    }
    const cells = row.map((byte, index) => `${hex(byte, 2)}${index % group === group - 1 ? " " : ""}`).join("");
    out += `${hex(skip + offset, 8)}: ${cells.padEnd(columns * 2 + Math.ceil(columns / group))} ${row.map(printable).join("")}\n`;
  }
  context.stdout.write(out);
  return 0;
}

/** `1.0 kB, 1000 B`: dd's way to say how much it was. */
function ddSize(bytes: number): string {
  const human = (base: number, units: readonly string[]): string => {
    let value = bytes;
    let unit = -1;
    while (value >= base && unit < units.length - 1) {
      value /= base;
      unit++;
    }
    return `${value < 10 ? (Math.ceil(value * 10 - 1e-9) / 10).toFixed(1) : String(Math.ceil(value - 1e-9))} ${units[unit]}`;
  };
  const si = bytes >= 1000 ? human(1000, ["kB", "MB", "GB"]) : "";
  const iec = bytes >= 1024 ? `, ${human(1024, ["KiB", "MiB", "GiB"])}` : "";
  return `${bytes} byte${bytes === 1 ? "" : "s"}${si === "" ? "" : ` (${si}${iec})`}`;
}

const DD_KEYS = new Set(["if", "of", "bs", "ibs", "obs", "count", "skip", "seek", "status", "conv", "oflag", "iflag"]);

/** Operands of dd by name; a text is a complaint. */
function ddOperands(args: readonly string[]): ReadonlyMap<string, string> | string {
  const operands = new Map<string, string>();
  for (const word of args) {
    const [key = "", ...rest] = word.split("=");
    if (!word.includes("=") || !DD_KEYS.has(key)) return `unrecognized operand '${word}'`;
    operands.set(key, rest.join("="));
  }
  return operands;
}

function* ddInput(context: CommandContext, path: string | undefined, wanted: number): Running<{ readonly text: string } | { readonly error: string }> {
  if (path === undefined) return { text: yield* context.stdin.readAll() };
  if (path !== "/dev/zero" && path !== "/dev/urandom" && path !== "/dev/random") return readFile(context, path);
  if (wanted > COPY_MAX) return { error: "File too large" };
  if (path === "/dev/zero") return { text: "\0".repeat(wanted) };
  const random = context.machine.host.random("dev-urandom");
  let text = "";
  for (let i = 0; i < wanted; i++) text += String.fromCharCode(random.below(256));
  return { text };
}

function* runDd(context: CommandContext): Running<number> {
  const operands = ddOperands(context.args);
  if (typeof operands === "string") return usageError(context, operands, 1);
  const count = (key: string, usual: number): number => {
    const text = operands.get(key);
    return text === undefined ? usual : (parseCount(text) ?? Number.NaN);
  };
  const size = count("bs", count("ibs", 512));
  const [blocks, skip, seek] = [count("count", Number.POSITIVE_INFINITY), count("skip", 0), count("seek", 0)];
  for (const key of ["bs", "ibs", "obs", "count", "skip", "seek"]) if (Number.isNaN(count(key, 0)) || (key.endsWith("bs") && count(key, 1) === 0)) return fail(context, `invalid number: '${operands.get(key)}'`);
  const unknown = [operands.get("conv"), operands.get("oflag"), operands.get("iflag")].flatMap((list) => list?.split(",") ?? []).find((word) => !["notrunc", "fsync", "fdatasync", "sync", "direct", "dsync", "noerror"].includes(word));
  if (unknown !== undefined || seek > 0) return fail(context, `lvsim: ${unknown ?? "seek"} is not simulated`);
  const path = operands.get("if");
  const input = yield* ddInput(context, path, (skip + blocks) * size);
  if ("error" in input) return fail(context, `failed to open '${path}': ${input.error}`);
  const bytes = bytesOf(input.text).subarray(skip * size, Math.min(input.text.length * 4, (skip + blocks) * size));
  const target = operands.get("of");
  const text = textOf(bytes);
  if (target === undefined) context.stdout.write(text);
  else {
    try {
      context.machine.files.write(context.machine.files.resolve(context.cwd, target), text);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      return fail(context, `failed to open '${target}': ${errorText(error.errno)}`);
    }
  }
  const status = operands.get("status");
  if (status === "none") return 0;
  const outSize = operands.has("bs") ? size : count("obs", 512);
  const records = (unit: number): string => `${Math.floor(bytes.length / unit)}+${bytes.length % unit === 0 ? 0 : 1}`;
  // The copy takes no simulated time.
  const summary = status === "noxfer" ? "" : `${ddSize(bytes.length)} copied, 0 s, ${bytes.length === 0 ? "0.0 kB/s" : "Infinity B/s"}\n`;
  context.stderr.write(`${records(size)} records in\n${records(outSize)} records out\n${summary}`);
  return 0;
}

export const dumpCommands: readonly Command[] = [
  tool("/usr/bin/od", 1, runOd),
  tool("/usr/bin/hexdump", 1, runHexdump),
  tool("/usr/bin/hd", 1, runHexdump),
  tool("/usr/bin/xxd", 1, runXxd),
  { path: "/usr/bin/dd", run: runDd },
];
