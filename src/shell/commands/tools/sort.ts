/**
 * sort: GNU coreutils 9.1 in the C locale.
 */

import type { Command, CommandContext, Running } from "../../command.ts";
import { fail, fileErrorText, OptionError, parseOptions, readInputs, splitLines, tool } from "./support.ts";

interface Key {
  /** From the first character of field `from` (1-based, offset in it 1-based) to the end of field `to`. */
  readonly from: number;
  readonly fromOffset: number;
  readonly to: number;
  readonly toOffset: number;
  readonly flags: string;
}

function parseKey(text: string): Key {
  const match = /^(\d+)(?:\.(\d+))?([bdfgiMhnRrV]*)(?:,(\d+)(?:\.(\d+))?([bdfgiMhnRrV]*))?$/.exec(text);
  if (match === null || match[1] === "0") throw new OptionError(`invalid field specification '${text}'`);
  return {
    from: Number(match[1]),
    fromOffset: Number(match[2] ?? 1),
    to: Number(match[4] ?? 0),
    toOffset: Number(match[5] ?? 0),
    flags: (match[3] ?? "") + (match[6] ?? ""),
  };
}

function fieldsOf(line: string, separator: string | undefined): string[] {
  if (separator !== undefined) return line.split(separator);
  // Without a separator a field begins with the blanks before it.
  return line.match(/[ \t]*[^ \t]+|[ \t]+$/g) ?? [""];
}

function extract(line: string, key: Key, separator: string | undefined): string {
  const fields = fieldsOf(line, separator);
  const glue = separator ?? "";
  const last = key.to === 0 ? fields.length : Math.min(key.to, fields.length);
  const chosen = fields.slice(key.from - 1, last);
  if (chosen.length === 0) return "";
  if (key.to !== 0 && key.toOffset > 0 && last === key.to) chosen[chosen.length - 1] = (chosen.at(-1) as string).slice(0, key.toOffset);
  const text = chosen.join(glue).slice(key.fromOffset - 1);
  return key.flags.includes("b") ? text.trimStart() : text;
}

function numberOf(text: string): number {
  const match = /^\s*(-?\d*\.?\d+|-?\d+\.?)/.exec(text);
  return match === null ? 0 : Number(match[1]);
}

const HUMAN: Readonly<Record<string, number>> = { K: 1, k: 1, M: 2, G: 3, T: 4 };

function humanOf(text: string): number {
  const match = /^\s*(-?[\d.]+)([KkMGT])?/.exec(text);
  return match === null ? 0 : Number(match[1]) * 1024 ** (HUMAN[match[2] ?? ""] ?? 0);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function compareVersions(a: string, b: string): number {
  const parts = (text: string) => text.match(/\d+|\D+/g) ?? [];
  const left = parts(a);
  const right = parts(b);
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const x = left[i] ?? "";
    const y = right[i] ?? "";
    const order = /^\d/.test(x) && /^\d/.test(y) ? Number(x) - Number(y) : compareText(x, y);
    if (order !== 0) return order;
  }
  return 0;
}

function compareBy(flags: string, a: string, b: string): number {
  if (flags.includes("n") || flags.includes("g")) return numberOf(a) - numberOf(b);
  if (flags.includes("h")) return humanOf(a) - humanOf(b);
  if (flags.includes("V")) return compareVersions(a, b);
  let x = flags.includes("b") ? a.trimStart() : a;
  let y = flags.includes("b") ? b.trimStart() : b;
  if (flags.includes("d")) {
    x = x.replace(/[^A-Za-z0-9 \t]/g, "");
    y = y.replace(/[^A-Za-z0-9 \t]/g, "");
  }
  return flags.includes("f") ? compareText(x.toUpperCase(), y.toUpperCase()) : compareText(x, y);
}

function* runSort(context: CommandContext): Running<number> {
  const options = parseOptions(context.args, "bdfghnrRVuk:t:so:cmz", {
    "numeric-sort": "n", reverse: "r", unique: "u", "key=": "k", "field-separator=": "t", "ignore-case": "f", "ignore-leading-blanks": "b", "version-sort": "V", "human-numeric-sort": "h", stable: "s", "output=": "o", check: "c",
  });
  if (options.has("R") || options.has("z")) return fail(context, "lvsim: -R and -z are not simulated", 2);
  const separator = options.value("t");
  const global = ["b", "d", "f", "g", "h", "n", "V"].filter((flag) => options.has(flag)).join("");
  const keys = (options.values.get("k") ?? []).map(parseKey);
  const isReversed = options.has("r");
  const order = (a: string, b: string): number => {
    for (const key of keys) {
      const flags = key.flags === "" ? global + (isReversed ? "r" : "") : key.flags;
      const result = compareBy(flags, extract(a, key, separator), extract(b, key, separator));
      if (result !== 0) return flags.includes("r") ? -result : result;
    }
    return keys.length > 0 ? 0 : (isReversed ? -1 : 1) * compareBy(global, a, b);
  };
  const lastResort = (a: string, b: string) => (options.has("s") || options.has("u") ? 0 : (isReversed ? -1 : 1) * compareText(a, b));
  let unreadable: string | undefined;
  const inputs = yield* readInputs(context, options.operands, (path, error) => {
    unreadable ??= `cannot read: ${path}: ${error}`;
  });
  if (unreadable !== undefined) return fail(context, unreadable, 2);
  const lines = inputs.flatMap(({ text }) => splitLines(text));
  if (options.has("c")) {
    const wrong = lines.findIndex((line, i) => i > 0 && order(lines[i - 1] as string, line) > 0);
    return wrong < 0 ? 0 : fail(context, `${options.operands[0] ?? "-"}:${wrong + 1}: disorder: ${lines[wrong]}`);
  }
  lines.sort((a, b) => order(a, b) || lastResort(a, b));
  const kept = options.has("u") ? lines.filter((line, i) => i === 0 || order(lines[i - 1] as string, line) !== 0) : lines;
  const text = kept.map((line) => `${line}\n`).join("");
  const output = options.value("o");
  if (output === undefined) {
    context.stdout.write(text);
    return 0;
  }
  try {
    context.machine.files.write(context.machine.files.resolve(context.cwd, output), text);
    return 0;
  } catch (error) {
    return fail(context, `open failed: ${output}: ${fileErrorText(error)}`, 2);
  }
}

export const sortCommands: readonly Command[] = [tool("/usr/bin/sort", 2, runSort)];
