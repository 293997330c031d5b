/**
 * Finding processes and sending them signals: kill, killall, pkill, pgrep, pidof.
 *
 * procps-ng 4.0 (pgrep.c, skill.c), psmisc 23.6 (killall.c), sysvinit 3.06 (killall5.c as pidof).
 */

import type { Command, CommandContext, SignalName } from "../../command.ts";
import { errorText } from "../../errno-text.ts";
import type { Process } from "../../process.ts";
import { compileRegex } from "../../regex.ts";
import { ALL_SIGNAL_NAMES, parseSignal } from "../../signals.ts";
import { OptionError, parseOptions } from "../tools/support.ts";

const KILL_USAGE =
  "\nUsage:\n kill [options] <pid> [...]\n\nOptions:\n <pid> [...]            send signal to every <pid> listed\n" +
  " -<signal>, -s, --signal <signal>\n                        specify the <signal> to be sent\n" +
  " -q, --queue <value>    integer value to be sent with the signal\n -l, --list=[<signal>]  list all signal names, or convert one to a name\n" +
  " -L, --table            list all signal names in a nice table\n\n -h, --help     display this help and exit\n -V, --version  output version information and exit\n\nFor more details see kill(1).\n";

/** procps and psmisc say POLL where bash says IO. */
const NAMES = ALL_SIGNAL_NAMES.map((name) => (name === "IO" ? "POLL" : name));
const LIST = `${NAMES.slice(0, 16).join(" ")}\n${NAMES.slice(16).join(" ")}\n`;

/** Signal 0 only asks whether a process is there. */
type Signal = SignalName | "0";

function signalOf(text: string): Signal | undefined {
  return text === "0" ? "0" : parseSignal(text);
}

/** True when it was delivered; undefined means it existed and nothing was to be sent. */
function send(context: CommandContext, pid: number, signal: Signal): string | undefined {
  const { processes } = context.machine;
  if (signal === "0") return processes.byPid(pid) === undefined ? "ESRCH" : undefined;
  return processes.kill(pid, signal);
}

function listSignals(context: CommandContext, wanted: string | undefined): number {
  if (wanted === undefined) {
    context.stdout.write(LIST);
    return 0;
  }
  if (/^\d+$/.test(wanted)) {
    const name = NAMES[(Number(wanted) & 127) - 1];
    if (name === undefined) return usage(context, `unknown signal name ${wanted}`);
    context.stdout.write(`${name}\n`);
    return 0;
  }
  const index = NAMES.indexOf(wanted.toUpperCase().replace(/^SIG/, ""));
  if (index < 0) return usage(context, `unknown signal name ${wanted}`);
  context.stdout.write(`${index + 1}\n`);
  return 0;
}

function usage(context: CommandContext, message: string): number {
  context.stderr.write(`${context.name}: ${message}\n${KILL_USAGE}`);
  return 1;
}

function tableOfSignals(): string {
  const cells = NAMES.map((name, index) => `${String(index + 1).padStart(2)} ${name.padEnd(7)}`);
  let text = "";
  for (let i = 0; i < cells.length; i += 7) text += i + 7 >= cells.length ? `${cells.slice(i, i + 7).join(" ")}\n` : `${cells.slice(i, i + 7).join(" ").trimEnd()}\n`;
  return text;
}

function runKill(context: CommandContext): number {
  let signal: Signal = "TERM";
  const pids: string[] = [];
  for (let i = 0; i < context.args.length; i++) {
    const word = context.args[i] as string;
    if (pids.length === 0 && (word === "-l" || word === "--list")) return listSignals(context, context.args[i + 1]);
    if (word.startsWith("--list=")) return listSignals(context, word.slice(7));
    if (word === "-L" || word === "--table") {
      context.stdout.write(tableOfSignals());
      return 0;
    }
    if (word === "--") continue;
    const isNamed = word === "-s" || word === "--signal";
    if (isNamed || (word.startsWith("-") && pids.length === 0)) {
      const text = isNamed ? context.args[++i] : word.replace(/^--signal=/, "-").slice(1);
      const found = signalOf(text ?? "");
      if (found === undefined && NAMES.includes((text ?? "").toUpperCase().replace(/^SIG/, ""))) return usage(context, `lvsim: signal ${text} is not simulated`);
      if (found === undefined) return usage(context, isNamed ? `unknown signal name ${text ?? ""}` : `invalid argument ${word[1] ?? ""}`);
      signal = found;
    } else pids.push(word);
  }
  if (pids.length === 0) {
    context.stderr.write(KILL_USAGE);
    return 1;
  }
  let exit = 0;
  for (const text of pids) {
    if (!/^-?\d+$/.test(text)) {
      context.stderr.write(`${context.name}: failed to parse argument: '${text}'\n`);
      return 1;
    }
    const errno = Number(text) <= 0 ? "ESRCH" : send(context, Number(text), signal);
    if (errno !== undefined) {
      context.stderr.write(`${context.name}: (${text}): ${errorText(errno)}\n`);
      exit = 1;
    }
  }
  return exit;
}

function runKillall(context: CommandContext): number {
  let signal: Signal = "TERM";
  const kept: string[] = [];
  for (let i = 0; i < context.args.length; i++) {
    const word = context.args[i] as string;
    const found = /^-([A-Z0-9]+)$/.test(word) ? signalOf(word.slice(1)) : undefined;
    if (found !== undefined) signal = found;
    else kept.push(word);
  }
  let options: ReturnType<typeof parseOptions>;
  try {
    options = parseOptions(kept, "qs:vewlIrgu:io:y:", { quiet: "q", "signal=": "s", verbose: "v", exact: "e", wait: "w", list: "l", "ignore-case": "I", regexp: "r" });
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    context.stderr.write(`killall: ${error.message}\nUsage: killall [OPTION]... [--] NAME...\n`);
    return 1;
  }
  for (const letter of ["w", "r", "g", "u", "i", "o", "y"]) {
    if (!options.has(letter)) continue;
    context.stderr.write(`killall: option -${letter} is not simulated\n`);
    return 1;
  }
  if (options.has("l")) {
    context.stdout.write(LIST);
    return 0;
  }
  const text = options.value("s");
  if (text !== undefined) {
    const found = signalOf(text);
    if (found === undefined) {
      context.stderr.write(`${text}: unknown signal; killall -l lists signals.\n`);
      return 1;
    }
    signal = found;
  }
  if (options.operands.length === 0) {
    context.stderr.write("Usage: killall [OPTION]... [--] NAME...\n       killall -l, --list\n       killall -V, --version\n");
    return 1;
  }
  let exit = 0;
  for (const name of options.operands) {
    const wanted = name.slice(name.lastIndexOf("/") + 1).slice(0, 15);
    const same = (process: Process): boolean => (options.has("I") ? process.name.toLowerCase() === wanted.toLowerCase() : process.name === wanted);
    const found = context.machine.processes.list.filter((process) => same(process) && process.pid !== context.process.pid);
    if (found.length === 0) {
      exit = 1;
      if (!options.has("q")) context.stderr.write(`${name}: no process found\n`);
    }
    for (const process of found) {
      const errno = send(context, process.pid, signal);
      if (errno === undefined && options.has("v")) context.stderr.write(`Killed ${process.name}(${process.pid}) with signal ${signal === "0" ? 0 : ALL_SIGNAL_NAMES.indexOf(signal) + 1}\n`);
    }
  }
  return exit;
}

const GREP_LONG = {
  "list-name": "l", "list-full": "a", full: "f", exact: "x", count: "c", oldest: "o", newest: "n", inverse: "v", "ignore-case": "i", "parent=": "P", "delimiter=": "d", "signal=": "S", echo: "e",
  "uid=": "U", "euid=": "u",
};

function grepError(context: CommandContext, message: string): number {
  context.stderr.write(`${context.name}: ${message}\nTry \`${context.name} --help' for more information.\n`);
  return 2;
}

/** The processes that pgrep and pkill mean; a number is an exit status. The caller itself never counts. */
function selected(context: CommandContext, options: ReturnType<typeof parseOptions>): readonly Process[] | number {
  const pattern = options.operands[0];
  const hasOther = ["P", "u", "U"].some((letter) => options.has(letter));
  if (options.operands.length > 1) return grepError(context, "only one pattern can be provided");
  if (pattern === undefined && !hasOther) return grepError(context, "no matching criteria specified");
  const regex = compileRegex(options.has("x") ? `^(${pattern ?? ".*"})$` : (pattern ?? ""), "extended", { ignoreCase: options.has("i") });
  if (typeof regex === "string") return grepError(context, regex);
  const parents = options.value("P")?.split(",").map(Number);
  const isRoot = [options.value("u"), options.value("U")].every((users) => users === undefined || users.split(",").some((user) => user === "root" || user === "0"));
  const isMeant = (process: Process): boolean =>
    isRoot && (parents === undefined || parents.includes(process.parentPid)) && regex.test(options.has("f") ? process.args.join(" ") || process.name : process.name);
  const found = context.machine.processes.list.filter((process) => process.pid !== context.process.pid && isMeant(process) !== options.has("v")).sort((a, b) => a.pid - b.pid);
  const byStart = [...found].sort((a, b) => a.startedAtNs - b.startedAtNs || a.pid - b.pid);
  const one = options.has("n") ? byStart.at(-1) : options.has("o") ? byStart[0] : undefined;
  return one === undefined ? found : [one];
}

function parseGrep(context: CommandContext, args: readonly string[]): ReturnType<typeof parseOptions> | number {
  try {
    return parseOptions(args, "lafxconviP:d:eU:u:", GREP_LONG);
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    context.stderr.write(`${context.name}: ${error.message}\n\nUsage:\n ${context.name} [options] <pattern>\n`);
    return 2;
  }
}

function runPgrep(context: CommandContext): number {
  const options = parseGrep(context, context.args);
  if (typeof options === "number") return options;
  const found = selected(context, options);
  if (typeof found === "number") return found;
  if (options.has("c")) context.stdout.write(`${found.length}\n`);
  else if (found.length > 0) {
    const lines = found.map((process) => `${process.pid}${options.has("a") ? ` ${process.args.join(" ")}` : options.has("l") ? ` ${process.name}` : ""}`);
    context.stdout.write(`${lines.join(options.value("d") ?? "\n")}\n`);
  }
  return found.length === 0 ? 1 : 0;
}

function runPkill(context: CommandContext): number {
  let signal: Signal = "TERM";
  const args = context.args.filter((word) => {
    const found = /^-([A-Z][A-Z0-9]+|\d+)$/.test(word) ? signalOf(word.slice(1)) : undefined;
    if (found !== undefined) signal = found;
    return found === undefined;
  });
  const options = parseGrep(context, args);
  if (typeof options === "number") return options;
  const text = options.value("S");
  if (text !== undefined) {
    const found = signalOf(text);
    if (found === undefined) return grepError(context, `Unknown signal "${text}".`);
    signal = found;
  }
  const found = selected(context, options);
  if (typeof found === "number") return found;
  let count = 0;
  for (const process of found) {
    if (send(context, process.pid, signal) !== undefined) continue;
    count++;
    if (options.has("e")) context.stdout.write(`${process.name} killed (pid ${process.pid})\n`);
  }
  if (options.has("c")) context.stdout.write(`${count}\n`);
  return count === 0 ? 1 : 0;
}

function runPidof(context: CommandContext): number {
  let options: ReturnType<typeof parseOptions>;
  try {
    options = parseOptions(context.args, "scnxzqo:d:S:");
  } catch (error) {
    if (!(error instanceof OptionError)) throw error;
    context.stderr.write(`pidof: ${error.message}\n`);
    return 1;
  }
  const omitted = new Set((options.values.get("o") ?? []).flatMap((list) => list.split(",").map((word) => (word === "%PPID" ? context.process.parentPid : Number(word)))));
  const found: number[] = [];
  for (const name of options.operands) {
    const wanted = name.slice(name.lastIndexOf("/") + 1);
    for (const process of context.machine.processes.list) {
      const program = (process.args[0] ?? process.name).replace(/^.*\//, "");
      if ((program === wanted || process.name === wanted.slice(0, 15)) && process.pid !== context.process.pid && !omitted.has(process.pid)) found.push(process.pid);
    }
  }
  // Newest first, as pidof has always printed them.
  found.sort((a, b) => b - a);
  if (found.length === 0) return 1;
  if (!options.has("q")) context.stdout.write(`${(options.has("s") ? found.slice(0, 1) : found).join(options.value("d") ?? options.value("S") ?? " ")}\n`);
  return 0;
}

export const processSignalCommands: readonly Command[] = [
  { path: "/usr/bin/kill", run: runKill },
  { path: "/usr/bin/killall", run: runKillall },
  { path: "/usr/bin/pgrep", run: runPgrep },
  { path: "/usr/bin/pkill", run: runPkill },
  { path: "/usr/bin/pidof", run: runPidof },
];
