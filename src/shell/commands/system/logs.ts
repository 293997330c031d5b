/**
 * The kernel's log, the system log and the disk: dmesg, logger, sync, mount, du.
 *
 * util-linux 2.38 (dmesg, logger, mount), coreutils 9.1 (sync, du).
 */

import { NS_PER_SECOND } from "../../../base/time.ts";
import type { Command, CommandContext, Running } from "../../command.ts";
import { FileError } from "../../file-system.ts";
import { fail, parseOptions, tool } from "../tools/support.ts";
import { dateLine, formatMoment } from "./date.ts";

const SYSTEM_LOG = "/var/log/messages";
const DEPTH_MAX = 64;
const DMESG_LONG = { ctime: "T", clear: "C", "read-clear": "c", notime: "t", follow: "w", "level=": "l", "console-level=": "n", human: "H", kernel: "k", "color=": "L", nopager: "P", decode: "x", reltime: "e" };

/** What `dmesg -C` hid from later calls, by machine. */
const hiddenLines = new WeakMap<object, number>();

function runDmesg(context: CommandContext): number {
  const options = parseOptions(context.args, "TCctwl:n:HkLPxeDEr", DMESG_LONG);
  for (const letter of ["w", "l", "x", "e", "r"]) if (options.has(letter)) return fail(context, `lvsim: option -${letter} is not simulated`);
  if (options.has("n") || options.has("D") || options.has("E")) return 0;
  const { host, epochSeconds, bootedAtNs } = context.machine;
  const { lines } = host.log;
  if (!options.has("C")) {
    // The log is bounded: what was hidden may have fallen out of it.
    for (const line of lines.slice(Math.min(hiddenLines.get(host) ?? 0, lines.length))) {
      const sinceBootNs = line.timeNs - bootedAtNs;
      const seconds = Math.floor(sinceBootNs / NS_PER_SECOND);
      const micros = String(Math.floor((sinceBootNs % NS_PER_SECOND) / 1000)).padStart(6, "0");
      const time = options.has("T") ? `[${formatMoment("%a %b %e %H:%M:%S %Y", { seconds: epochSeconds + Math.floor(line.timeNs / NS_PER_SECOND), nanoseconds: 0 })}] ` : `[${String(seconds).padStart(5)}.${micros}] `;
      context.stdout.write(`${options.has("t") ? "" : time}${line.text}\n`);
    }
  }
  if (options.has("C") || options.has("c")) hiddenLines.set(host, lines.length);
  return 0;
}

function* runLogger(context: CommandContext): Running<number> {
  const options = parseOptions(context.args, "t:p:isf:n:P:u:de", { "tag=": "t", "priority=": "p", "file=": "f", stderr: "s", id: "i", "server=": "n" });
  for (const letter of ["f", "n", "P", "u"]) if (options.has(letter)) return fail(context, `lvsim: option -${letter} is not simulated`);
  const text = options.operands.length > 0 ? options.operands.join(" ") : (yield* context.stdin.readAll()).replace(/\n$/, "");
  const tag = `${options.value("t") ?? "root"}${options.has("i") ? `[${context.process.pid}]` : ""}`;
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const entry = `${dateLine(context.machine, "%b %e %H:%M:%S")} ${context.machine.hostname} ${tag}: ${line}\n`;
    try {
      context.machine.files.append(SYSTEM_LOG, entry);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
    }
    if (options.has("s")) context.stderr.write(`<13>${dateLine(context.machine, "%b %e %H:%M:%S")} ${tag}: ${line}\n`);
  }
  return 0;
}

function runMount(context: CommandContext): number {
  if (context.args.length > 0 && context.args.join(" ") !== "-l") return fail(context, `lvsim: mounting is not simulated (${context.args.join(" ")})`);
  for (const line of context.machine.files.read("/proc/mounts").split("\n")) {
    const [source, target, type, options] = line.split(" ");
    if (options !== undefined) context.stdout.write(`${source} on ${target} type ${type} (${options})\n`);
  }
  return 0;
}

const SIZE_UNITS = ["K", "M", "G"];

/** Blocks of 4096 bytes, as disks hold them; empty files and, on tmpfs, directories take none. */
function usageOf(context: CommandContext, path: string, depth: number, report: (path: string, bytes: number) => void, isApparent: boolean): number {
  const { files } = context.machine;
  const status = files.linkStatus(path);
  if (status === undefined || depth > DEPTH_MAX) return 0;
  if (status.type !== "directory") return isApparent ? status.sizeBytes : Math.ceil(status.sizeBytes / 4096) * 4096;
  let bytes = isApparent ? status.sizeBytes : 0;
  for (const name of files.list(path)) {
    const child = path === "/" ? `/${name}` : `${path}/${name}`;
    bytes += usageOf(context, child, depth + 1, report, isApparent);
  }
  report(path, bytes);
  return bytes;
}

function runDu(context: CommandContext): number {
  const options = parseOptions(context.args, "shbkmcad:x", { summarize: "s", "human-readable": "h", bytes: "b", total: "c", all: "a", "max-depth=": "d" });
  for (const letter of ["a", "d", "c"]) if (options.has(letter)) return fail(context, `lvsim: option -${letter} is not simulated`);
  const size = (bytes: number): string => {
    if (options.has("b")) return String(bytes);
    if (!options.has("h")) return String(Math.ceil(bytes / (options.has("m") ? 1048576 : 1024)));
    if (bytes === 0) return "0";
    let value = bytes / 1024;
    let unit = 0;
    for (; value >= 1024 && unit < SIZE_UNITS.length - 1; unit++) value /= 1024;
    return `${value < 10 ? (Math.ceil(value * 10) / 10).toFixed(1) : Math.ceil(value)}${SIZE_UNITS[unit]}`;
  };
  let exit = 0;
  for (const operand of options.operands.length === 0 ? ["."] : options.operands) {
    const root = context.machine.files.resolve(context.cwd, operand);
    if (context.machine.files.linkStatus(root) === undefined) {
      exit = fail(context, `cannot access '${operand}': No such file or directory`);
      continue;
    }
    const isDirectory = context.machine.files.linkStatus(root)?.type === "directory";
    const report = (path: string, bytes: number): void => {
      if (path !== root && !options.has("s")) context.stdout.write(`${size(bytes)}\t${operand.replace(/\/$/, "")}${path.slice(root === "/" ? 0 : root.length)}\n`);
    };
    const total = usageOf(context, root, 0, isDirectory ? report : () => {}, options.has("b"));
    context.stdout.write(`${size(total)}\t${operand}\n`);
  }
  return exit;
}

export const logCommands: readonly Command[] = [
  tool("/usr/bin/dmesg", 1, runDmesg),
  tool("/usr/bin/logger", 1, runLogger),
  { path: "/usr/bin/sync", run: () => 0 },
  tool("/usr/bin/mount", 1, runMount),
  tool("/usr/bin/du", 1, runDu),
];
