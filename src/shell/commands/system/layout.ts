/**
 * Text laid out and shown: column, expand, more, less, clear, reset, tput.
 *
 * util-linux 2.38 (column), coreutils 9.1 (expand). There is no terminal: pagers copy, and what would move a cursor prints nothing.
 */

import type { Command, CommandContext, Running } from "../../command.ts";
import { fail, parseOptions, readInputs, splitLines, tool } from "../tools/support.ts";

const SCREEN_COLUMNS = 80;

function tabulate(lines: readonly string[], separators: string | undefined, glue: string): string {
  const isSeparator = (character: string): boolean => (separators ?? " \t").includes(character);
  const rows = lines.filter((line) => line.trim() !== "").map((line) => {
    const cells = [""];
    for (const character of line) {
      if (!isSeparator(character)) cells[cells.length - 1] += character;
      else if (separators !== undefined || cells.at(-1) !== "") cells.push("");
    }
    if (separators === undefined && cells.length > 1 && cells.at(-1) === "") cells.pop();
    return cells;
  });
  const count = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: count }, (_, index) => Math.max(...rows.map((row) => row[index]?.length ?? 0)));
  // Every cell but those of the last column is padded, also where a row has fewer cells.
  return rows.map((row) => `${widths.map((width, index) => (index === count - 1 ? (row[index] ?? "") : (row[index] ?? "").padEnd(width))).join(glue)}\n`).join("");
}

/** Fills columns before rows, as column(1) does without -t. */
function fill(lines: readonly string[], columns: number, isByRow: boolean): string {
  const items = lines.filter((line) => line.trim() !== "");
  const width = Math.floor(Math.max(0, ...items.map((item) => item.length)) / 8) * 8 + 8;
  const across = Math.max(1, Math.floor(columns / width));
  const down = Math.ceil(items.length / across);
  let out = "";
  for (let row = 0; row < down; row++) {
    let line = "";
    for (let position = 0; position < across; position++) {
      const index = isByRow ? row * across + position : position * down + row;
      const item = items[index];
      if (item === undefined) break;
      const target = (position + 1) * width;
      const next = items[isByRow ? index + 1 : index + down];
      const isLast = next === undefined || position === across - 1;
      line += item + (isLast ? "" : "\t".repeat(Math.ceil((target - position * width - item.length) / 8)));
    }
    out += `${line}\n`;
  }
  return out;
}

function* runColumn(context: CommandContext): Running<number> {
  const options = parseOptions(context.args, "ts:o:c:xneN:R:H:", {
    table: "t", "separator=": "s", "output-separator=": "o", "columns=": "c", "output-width=": "c", fillrows: "x", "table-columns=": "N", "table-right=": "R", "table-hide=": "H",
  });
  for (const letter of ["N", "R", "H", "e"]) if (options.has(letter)) return fail(context, `-${letter} is not simulated`);
  let exit = 0;
  const inputs = yield* readInputs(context, options.operands, (path, error) => {
    exit = fail(context, `cannot open ${path}: ${error}`);
  });
  const lines = inputs.flatMap((input) => splitLines(input.text));
  context.stdout.write(options.has("t") ? tabulate(lines, options.value("s"), options.value("o") ?? "  ") : fill(lines, Number(options.value("c") ?? SCREEN_COLUMNS), options.has("x")));
  return exit;
}

function* runExpand(context: CommandContext): Running<number> {
  const options = parseOptions(context.args, "t:i", { "tabs=": "t", initial: "i" });
  const size = Number(options.value("t") ?? 8);
  if (!Number.isInteger(size) || size < 1) return fail(context, `lvsim: tab stops '${options.value("t")}' are not simulated`);
  let exit = 0;
  const inputs = yield* readInputs(context, options.operands, (path, error) => {
    exit = fail(context, `${path}: ${error}`);
  });
  for (const input of inputs) {
    let column = 0;
    let isInitial = true;
    let out = "";
    for (const character of input.text) {
      if (character === "\n") {
        column = 0;
        isInitial = true;
        out += character;
      } else if (character === "\t" && (isInitial || !options.has("i"))) {
        const count = size - (column % size);
        out += " ".repeat(count);
        column += count;
      } else {
        isInitial &&= character === " ";
        out += character;
        column++;
      }
    }
    context.stdout.write(out);
  }
  return exit;
}

function* runPager(context: CommandContext): Running<number> {
  const operands = context.args.filter((word) => !/^[-+]./.test(word));
  let exit = 0;
  const isMore = context.name.endsWith("more");
  const inputs = yield* readInputs(context, operands, (path, error) => {
    context.stderr.write(isMore ? `more: cannot open ${path}: ${error}\n` : `${path}: ${error}\n`);
    exit = 1;
  });
  for (const input of inputs) {
    // more names its files when its output is not a terminal; less does not.
    if (isMore && input.path !== "-") context.stdout.write(`::::::::::::::\n${input.path}\n::::::::::::::\n`);
    context.stdout.write(input.text);
  }
  return exit;
}

function runTput(context: CommandContext): number {
  const name = context.args.filter((word) => !word.startsWith("-T"))[0];
  if (name === undefined) return fail(context, "lvsim: a capability is needed", 2);
  // A dumb terminal has a size and hardly a capability.
  if (name !== "cols" && name !== "lines") return 1;
  context.stdout.write(name === "cols" ? `${SCREEN_COLUMNS}\n` : "24\n");
  return 0;
}

export const layoutCommands: readonly Command[] = [
  tool("/usr/bin/column", 1, runColumn),
  tool("/usr/bin/expand", 1, runExpand),
  { path: "/usr/bin/more", run: runPager },
  { path: "/usr/bin/less", run: runPager },
  // A dumb terminal cannot be cleared: clear says nothing and fails.
  { path: "/usr/bin/clear", run: () => 1 },
  { path: "/usr/bin/reset", run: () => 0 },
  { path: "/usr/bin/tput", run: runTput },
];
