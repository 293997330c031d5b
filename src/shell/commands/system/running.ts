/**
 * Programs that run other programs, or wait: sleep, timeout, env, printenv, nohup, watch, which, su.
 *
 * GNU coreutils 9.1, procps 4.0 (watch), debianutils (which): messages and exit statuses as there.
 */

import { NS_PER_SECOND } from "../../../base/time.ts";
import type { Command, CommandContext, OutputStream, Running, SignalName } from "../../command.ts";
import { errorText } from "../../errno-text.ts";
import type { Process } from "../../process.ts";
import { parseSignal, SIGNAL_NUMBERS } from "../../signals.ts";
import { fail, parseOptions, tool, usageError } from "../tools/support.ts";
import { dateLine } from "./date.ts";

const SCALES: Readonly<Record<string, number>> = { "": 1, s: 1, m: 60, h: 3600, d: 86400 };
/** What `sleep infinity` stands for: a hundred years. */
const FOREVER_SECONDS = 100 * 365 * 86400;
const DEFAULT_PATH = "/usr/bin:/bin";
const WATCH_COLUMNS = 80;

/** `1`, `0.5`, `2m`, `infinity` as seconds; undefined when it is none. */
export function parseInterval(text: string): number | undefined {
  if (/^inf(inity)?[smhd]?$/i.test(text)) return FOREVER_SECONDS;
  const match = /^\+?(\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+(?:[eE][-+]?\d+)?)([smhd]?)$/.exec(text);
  if (match === null) return undefined;
  return Math.min(Number(match[1]) * (SCALES[match[2] ?? ""] ?? 1), FOREVER_SECONDS);
}

function* runSleep(context: CommandContext): Running<number> {
  const { operands } = parseOptions(context.args, "");
  if (operands.length === 0) return usageError(context, "missing operand", 1);
  let seconds = 0;
  let isBad = false;
  for (const operand of operands) {
    const value = parseInterval(operand);
    if (value === undefined) fail(context, `invalid time interval '${operand}'`);
    isBad ||= value === undefined;
    seconds += value ?? 0;
  }
  if (isBad) {
    context.stderr.write(`Try '${context.name} --help' for more information.\n`);
    return 1;
  }
  yield* context.sleep(Math.round(Math.min(seconds, FOREVER_SECONDS) * NS_PER_SECOND));
  return 0;
}

/** Where execvp(3) finds a program; an errno when it finds none that can be run. */
export function findProgram(context: CommandContext, name: string, searchPath = context.env.get("PATH") ?? DEFAULT_PATH): { readonly path: string } | { readonly errno: string } {
  const { files } = context.machine;
  const candidates = name.includes("/") ? [name] : name === "" ? [] : searchPath.split(":").map((directory) => `${directory === "" ? "." : directory}/${name}`);
  let errno = "ENOENT";
  for (const candidate of candidates) {
    const status = files.status(files.resolve(context.cwd, candidate));
    if (status === undefined) continue;
    if (status.type === "file" && (status.mode & 0o111) !== 0) return { path: candidate };
    errno = "EACCES";
  }
  return { errno };
}

/** Options up to the first operand: what follows belongs to the program that is to be run. */
function leadingOptions(context: CommandContext, short: string, long: Readonly<Record<string, string>>): { readonly options: ReturnType<typeof parseOptions>; readonly rest: readonly string[] } {
  const { args } = context;
  let at = 0;
  while (at < args.length && (args[at] as string).startsWith("-") && args[at] !== "-") {
    const word = args[at++] as string;
    if (word === "--") break;
    const last = word.at(-1) as string;
    const isShort = !word.startsWith("--");
    // A letter earlier in the word that takes a value has the rest of the word as its value.
    const takesNext = isShort
      ? short[short.indexOf(last) + 1] === ":" && ![...word.slice(1, -1)].some((letter) => short[short.indexOf(letter) + 1] === ":")
      : !word.includes("=") && long[`${word.slice(2)}=`] !== undefined;
    if (takesNext) at++;
  }
  return { options: parseOptions(args.slice(0, at), short, long), rest: args.slice(at) };
}

const TIMEOUT_LONG = { "signal=": "s", "kill-after=": "k", "preserve-status": "p", foreground: "f", verbose: "v" };

function* runTimeout(context: CommandContext): Running<number> {
  const { options, rest } = leadingOptions(context, "s:k:v", TIMEOUT_LONG);
  const killAfter = options.has("k") ? parseInterval(options.value("k") ?? "") : undefined;
  if (options.has("k") && killAfter === undefined) return usageError(context, `invalid time interval '${options.value("k")}'`, 125);
  const signalText = options.value("s") ?? "TERM";
  const signal = parseSignal(signalText);
  if (signal === undefined) return usageError(context, `'${signalText}': invalid signal`, 125);
  const [interval, ...argv] = rest;
  if (interval === undefined || argv.length === 0) {
    context.stderr.write(`Try '${context.name} --help' for more information.\n`);
    return 125;
  }
  const seconds = parseInterval(interval);
  if (seconds === undefined) return usageError(context, `invalid time interval '${interval}'`, 125);
  const program = findProgram(context, argv[0] as string);
  if ("errno" in program) return fail(context, `failed to run command '${argv[0]}': ${errorText(program.errno)}`, program.errno === "ENOENT" ? 127 : 126);
  return yield* runTimed(context, argv, { seconds, killAfter: killAfter ?? 0, signal, preserves: options.has("p"), isVerbose: options.has("v") });
}

interface Timing {
  readonly seconds: number;
  readonly killAfter: number;
  readonly signal: SignalName;
  readonly preserves: boolean;
  readonly isVerbose: boolean;
}

function* runTimed(context: CommandContext, argv: readonly string[], timing: Timing): Running<number> {
  const { processes, host } = context.machine;
  let child: Process | undefined;
  let timer = 0;
  let hasTimedOut = false;
  let isKilled = false;
  const send = (signal: SignalName): void => {
    if (timing.isVerbose) context.stderr.write(`${context.name}: sending signal ${signal} to command '${argv[0]}'\n`);
    if (child?.isAlive !== true) return;
    // timeout signals its whole process group: the command and everything that it has started.
    for (const pid of [child.pid, ...descendants(context, child.pid)]) processes.kill(pid, signal);
  };
  const kill = { onEvent: () => {
    isKilled = true;
    send("KILL");
  } };
  const expire = { onEvent: () => {
    hasTimedOut = true;
    isKilled = timing.signal === "KILL";
    if (timing.killAfter > 0) timer = host.loop.after(Math.round(timing.killAfter * NS_PER_SECOND), kill);
    send(timing.signal);
  } };
  for (const signal of ["TERM", "INT", "HUP", "QUIT"] as const) context.onSignal(signal, () => send(signal));
  context.onExit(() => {
    if (timer !== 0) host.loop.cancel(timer);
  });
  // 0 turns the limit off.
  if (timing.seconds > 0) timer = host.loop.after(Math.round(timing.seconds * NS_PER_SECOND), expire);
  const exit = yield* context.spawn(argv, {
    onStart: (process) => {
      child = process;
    },
  });
  if (!hasTimedOut || (timing.preserves && !isKilled)) return exit;
  if (!isKilled || exit !== 128 + SIGNAL_NUMBERS.KILL) return 124;
  // It signals its whole process group, itself included: SIGKILL ends timeout too.
  processes.kill(context.process.pid, "KILL");
  return exit;
}

/** Process ids of children, their children and so on. */
function descendants(context: CommandContext, pid: number): number[] {
  const children = context.machine.processes.list.filter((process) => process.parentPid === pid).map((process) => process.pid);
  return children.flatMap((child) => [child, ...descendants(context, child)]);
}

function* runEnv(context: CommandContext): Running<number> {
  const { options, rest } = leadingOptions(context, "iu:0C:", { "ignore-environment": "i", "unset=": "u", null: "0", "chdir=": "C" });
  if (options.has("C")) return fail(context, "--chdir is not simulated", 125);
  let words = rest;
  let isEmpty = options.has("i");
  if (words[0] === "-") {
    isEmpty = true;
    words = words.slice(1);
  }
  const env = new Map(isEmpty ? [] : context.env);
  for (const name of options.values.get("u") ?? []) env.delete(name);
  while (words[0]?.includes("=") === true) {
    const [name = "", ...value] = (words[0] as string).split("=");
    env.set(name, value.join("="));
    words = words.slice(1);
  }
  if (words.length === 0) {
    const end = options.has("0") ? "\0" : "\n";
    context.stdout.write([...env].map(([name, value]) => `${name}=${value}${end}`).join(""));
    return 0;
  }
  const program = findProgram(context, words[0] as string, env.get("PATH") ?? DEFAULT_PATH);
  if ("errno" in program) return fail(context, `'${words[0]}': ${errorText(program.errno)}`, program.errno === "ENOENT" ? 127 : 126);
  return yield* context.spawn(words, { env });
}

function runPrintenv(context: CommandContext): number {
  const { options, rest } = leadingOptions(context, "0", { null: "0" });
  const end = options.has("0") ? "\0" : "\n";
  if (rest.length === 0) {
    context.stdout.write([...context.env].map(([name, value]) => `${name}=${value}${end}`).join(""));
    return 0;
  }
  let exit = 0;
  for (const name of rest) {
    const value = context.env.get(name);
    if (value === undefined) exit = 1;
    else context.stdout.write(`${value}${end}`);
  }
  return exit;
}

/** Nothing is a terminal in a scenario, so that nohup redirects nothing. */
function* runNohup(context: CommandContext): Running<number> {
  const { rest } = leadingOptions(context, "", {});
  if (rest.length === 0) return usageError(context, "missing operand", 125);
  const program = findProgram(context, rest[0] as string);
  if ("errno" in program) return fail(context, `failed to run command '${rest[0]}': ${errorText(program.errno)}`, program.errno === "ENOENT" ? 127 : 126);
  return yield* context.spawn(rest);
}

function watchHeader(context: CommandContext, seconds: number, command: string): string {
  const left = `Every ${seconds.toFixed(1)}s: `;
  const right = `${context.machine.hostname}: ${dateLine(context.machine, "%a %b %e %H:%M:%S %Y")}`;
  const room = Math.max(0, WATCH_COLUMNS - left.length - right.length - 1);
  const shown = command.length > room ? `${command.slice(0, Math.max(0, room - 3))}...` : command;
  return `${left}${shown.padEnd(room)} ${right}\n\n`;
}

const WATCH_LONG = {
  "interval=": "n", "no-title": "t", "differences=": "d", differences: "d", errexit: "e", chgexit: "g", exec: "x", precise: "p", beep: "b", color: "c", "no-wrap": "w",
};

/** Nobody looks at a screen here: every round is printed below the one before. */
function* runWatch(context: CommandContext): Running<number> {
  const { options, rest } = leadingOptions(context, "n:tdegxpbcw", WATCH_LONG);
  if (rest.length === 0) {
    context.stderr.write("\nUsage:\n watch [options] command\n");
    return 1;
  }
  const interval = options.value("n") ?? "2";
  if (!/^\d*[.,]?\d*$/.test(interval) || !/\d/.test(interval)) return fail(context, `failed to parse argument: '${interval}'`);
  const seconds = Math.max(0.1, Number(interval.replace(",", ".")));
  const argv = options.has("x") ? rest : ["sh", "-c", rest.join(" ")];
  let before: string | undefined;
  for (;;) {
    let shown = "";
    const collect: OutputStream = {
      write: (text) => {
        shown += text;
        return true;
      },
    };
    const exit = yield* context.spawn(argv, { stdout: collect, stderr: collect });
    const title = options.has("t") ? "" : watchHeader(context, seconds, rest.join(" "));
    if (!context.stdout.write(`${title}${shown}`)) return 1;
    if (options.has("e") && exit !== 0) return 8;
    if (options.has("g") && before !== undefined && before !== shown) return 0;
    before = shown;
    yield* context.sleep(Math.round(seconds * NS_PER_SECOND));
  }
}

function runWhich(context: CommandContext): number {
  let isAll = false;
  let at = 0;
  for (; at < context.args.length && (context.args[at] as string).startsWith("-") && context.args[at] !== "-"; at++) {
    const word = context.args[at] as string;
    if (word === "--") {
      at++;
      break;
    }
    const bad = [...word.slice(1)].find((letter) => letter !== "a");
    if (bad !== undefined) {
      context.stderr.write(`Illegal option -${bad}\nUsage: /usr/bin/which [-a] args\n`);
      return 2;
    }
    isAll = true;
  }
  const names = context.args.slice(at);
  if (names.length === 0) return 1;
  let exit = 0;
  for (const name of names) {
    const directories = name.includes("/") ? [""] : (context.env.get("PATH") ?? DEFAULT_PATH).split(":");
    const found = directories.map((directory) => findProgram(context, directory === "" ? name : `${directory}/${name}`)).flatMap((program) => ("path" in program ? [program.path] : []));
    if (found.length === 0) exit = 1;
    for (const path of isAll ? found : found.slice(0, 1)) context.stdout.write(`${path}\n`);
  }
  return exit;
}

/** Only root exists, so that `su` changes nothing; without -c it would be an interactive shell. */
function* runSu(context: CommandContext): Running<number> {
  const options = parseOptions(context.args, "c:lms:p", { "command=": "c", login: "l", "shell=": "s", "preserve-environment": "p" });
  const words = options.operands.filter((word) => word !== "-");
  const user = words[0] ?? "root";
  if (user !== "root") return fail(context, `user ${user} does not exist or the user entry does not contain all the required fields`);
  const command = options.value("c");
  if (command === undefined) return fail(context, "an interactive shell is not simulated; use su -c COMMAND");
  return yield* context.spawn([options.value("s") ?? "bash", "-c", command, ...words.slice(1)]);
}

export const runningCommands: readonly Command[] = [
  tool("/usr/bin/sleep", 1, runSleep),
  tool("/usr/bin/timeout", 125, runTimeout),
  tool("/usr/bin/env", 125, runEnv),
  tool("/usr/bin/printenv", 2, runPrintenv),
  tool("/usr/bin/nohup", 125, runNohup),
  tool("/usr/bin/watch", 1, runWatch),
  { path: "/usr/bin/which", run: runWhich },
  tool("/usr/bin/su", 1, runSu),
];
