/**
 * ps: the process table as procps 4.0 prints it without a terminal.
 *
 * Memory, processor time and the like are fixed: nobody measures them here.
 */

import { NS_PER_SECOND } from "../../../base/time.ts";
import type { Command, CommandContext } from "../../command.ts";
import type { Process } from "../../process.ts";
import { formatMoment } from "./date.ts";

const USAGE = "\nUsage:\n ps [options]\n\n Try 'ps --help <simple|list|output|threads|misc|all>'\n  or 'ps --help <s|l|o|t|m|a>'\n for additional help text.\n\nFor more details see ps(1).\n";

interface Column {
  readonly header: string;
  readonly width: number;
  readonly isLeft?: boolean;
  readonly value: (process: Process, context: CommandContext) => string;
}

function startTime(process: Process, context: CommandContext, format: string): string {
  return formatMoment(format, { seconds: context.machine.epochSeconds + Math.floor(process.startedAtNs / NS_PER_SECOND), nanoseconds: 0 });
}

function elapsed(process: Process, context: CommandContext): number {
  return Math.floor((context.machine.host.loop.nowNs - process.startedAtNs) / NS_PER_SECOND);
}

/** `01:02` or `1:02:03`. */
function elapsedText(seconds: number): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  return `${hours > 0 ? `${two(hours)}:` : ""}${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
}

/** A process is on the processor only when it asks about itself. */
function state(process: Process, context: CommandContext): string {
  return process.pid === context.process.pid ? "R" : "S";
}

const fullCommand = (process: Process): string => (process.args.length === 0 ? `[${process.name}]` : process.args.join(" "));

const fixed = (header: string, width: number, text: string, isLeft = false): Column => ({ header, width, isLeft, value: () => text });

const COLUMNS: Readonly<Record<string, Column>> = {
  pid: { header: "PID", width: 5, value: (process) => String(process.pid) },
  ppid: { header: "PPID", width: 5, value: (process) => String(process.parentPid) },
  comm: { header: "COMMAND", width: 15, isLeft: true, value: (process) => process.name },
  args: { header: "COMMAND", width: 27, isLeft: true, value: fullCommand },
  cmd: { header: "CMD", width: 27, isLeft: true, value: fullCommand },
  user: fixed("USER", 8, "root", true),
  uid: fixed("UID", 5, "0"),
  tty: fixed("TT", 8, "?", true),
  stat: { header: "STAT", width: 4, isLeft: true, value: state },
  s: { header: "S", width: 1, isLeft: true, value: state },
  time: fixed("TIME", 8, "00:00:00"),
  etime: { header: "ELAPSED", width: 11, value: (process, context) => elapsedText(elapsed(process, context)) },
  etimes: { header: "ELAPSED", width: 7, value: (process, context) => String(elapsed(process, context)) },
  lstart: { header: "STARTED", width: 24, value: (process, context) => startTime(process, context, "%a %b %e %T %Y") },
  pcpu: fixed("%CPU", 4, "0.0"),
  pmem: fixed("%MEM", 4, "0.1"),
  vsz: fixed("VSZ", 6, "2472"),
  rss: fixed("RSS", 5, "1380"),
  ni: fixed("NI", 3, "0"),
  pri: fixed("PRI", 3, "19"),
};

const ALIASES: Readonly<Record<string, string>> = {
  command: "args", ucmd: "comm", ucomm: "comm", euser: "user", ruser: "user", uname: "user", euid: "uid", tname: "tty", tt: "tty", state: "s", "%cpu": "pcpu", "%mem": "pmem",
  vsize: "vsz", rssize: "rss", rsz: "rss", nice: "ni", cputime: "time",
};

const PS_TTY = fixed("TTY", 8, "?", true);
const CMD_NAME: Column = { header: "CMD", width: 0, isLeft: true, value: (process) => process.name };
const CMD_FULL: Column = { header: "CMD", width: 0, isLeft: true, value: fullCommand };
const COMMAND_FULL: Column = { header: "COMMAND", width: 0, isLeft: true, value: fullCommand };
const SHORT_TIME = fixed("TIME", 6, "0:00");
const START: Column = { header: "START", width: 5, value: (process, context) => startTime(process, context, "%H:%M") };
const STIME: Column = { header: "STIME", width: 5, value: (process, context) => startTime(process, context, "%H:%M") };

const column = (name: string): Column => COLUMNS[name] as Column;
const SIMPLE: readonly Column[] = [column("pid"), PS_TTY, column("time"), CMD_NAME];
const BSD: readonly Column[] = [column("pid"), PS_TTY, column("stat"), SHORT_TIME, COMMAND_FULL];
const BSD_USER: readonly Column[] = [column("user"), column("pid"), column("pcpu"), column("pmem"), column("vsz"), column("rss"), PS_TTY, column("stat"), START, SHORT_TIME, COMMAND_FULL];
const FULL: readonly Column[] = [fixed("UID", 8, "root", true), column("pid"), column("ppid"), fixed("C", 2, "0"), STIME, PS_TTY, column("time"), CMD_FULL];

interface PsRequest {
  columns: readonly Column[] | undefined;
  isBsd: boolean;
  isFull: boolean;
  isUser: boolean;
  hasHeader: boolean;
  pids: Set<number> | undefined;
  names: Set<string> | undefined;
  parents: Set<number> | undefined;
  sort: string | undefined;
  formats: Column[];
}

class PsError extends Error {}

function addFormats(request: PsRequest, list: string): void {
  for (const item of list.split(/[\s,]+/).filter((word) => word !== "")) {
    const [name = "", given] = item.split(/=(.*)/s);
    const known = name === "stime" || name === "start_time" || name === "start" ? STIME : COLUMNS[ALIASES[name] ?? name];
    if (known === undefined) throw new PsError(`error: unknown user-defined format specifier "${name}"`);
    const header = given ?? known.header;
    request.formats.push({ ...known, header, width: Math.max(known.width, header.length) });
  }
}

function numbers(list: string): number[] {
  return list.split(/[\s,]+/).filter((word) => word !== "").map((word) => {
    if (!/^\d+$/.test(word)) throw new PsError("error: process ID list syntax error");
    return Number(word);
  });
}

function takeUnix(request: PsRequest, word: string, next: () => string | undefined): void {
  for (let i = 1; i < word.length; i++) {
    const letter = word[i] as string;
    const operandOf = (what: string): string => {
      const value = i + 1 < word.length ? word.slice(i + 1) : next();
      i = word.length;
      if (value === undefined) throw new PsError(`error: ${what} must follow -${letter}`);
      return value;
    };
    if (letter === "e" || letter === "A" || letter === "a" || letter === "w" || letter === "d" || letter === "N") {
      if (letter === "N") throw new PsError("lvsim: ps -N is not simulated");
    } else if (letter === "f" || letter === "F") request.isFull = true;
    else if (letter === "o" || letter === "O") addFormats(request, operandOf("format specification"));
    else if (letter === "p" || letter === "q") request.pids = new Set([...(request.pids ?? []), ...numbers(operandOf("list of process IDs"))]);
    else if (letter === "C") request.names = new Set([...(request.names ?? []), ...operandOf("list of command names").split(",")]);
    else if (letter === "u" || letter === "U") {
      const users = operandOf("user name").split(",");
      if (!users.some((user) => user === "root" || user === "0")) request.pids = new Set();
    } else if (letter === "h") request.hasHeader = false;
    else if ("lLTHZjycMm".includes(letter)) throw new PsError(`lvsim: ps -${letter} is not simulated`);
    else throw new PsError("error: unsupported SysV option");
  }
}

function takeBsd(request: PsRequest, word: string, next: () => string | undefined): void {
  request.isBsd = true;
  for (let i = 0; i < word.length; i++) {
    const letter = word[i] as string;
    if (letter === "u") request.isUser = true;
    else if (letter === "h") request.hasHeader = false;
    else if (letter === "o") {
      const value = i + 1 < word.length ? word.slice(i + 1) : next();
      if (value === undefined) throw new PsError("error: format specification must follow o");
      addFormats(request, value);
      return;
    } else if (letter === "p") {
      request.pids = new Set(numbers(word.slice(i + 1) || (next() ?? "")));
      return;
    } else if ("fejlsvLTHmX".includes(letter)) throw new PsError(`lvsim: ps ${letter} is not simulated`);
    else if (!"axwrcgtT".includes(letter)) throw new PsError("error: unsupported option (BSD syntax)");
  }
}

function parse(args: readonly string[]): PsRequest {
  const request: PsRequest = {
    columns: undefined, isBsd: false, isFull: false, isUser: false, hasHeader: true, pids: undefined, names: undefined, parents: undefined, sort: undefined, formats: [],
  };
  for (let i = 0; i < args.length; i++) {
    const word = args[i] as string;
    const next = (): string | undefined => args[++i];
    const [name = "", value] = word.split(/=(.*)/s);
    if (/^[\d,]+$/.test(word) && word !== ",") request.pids = new Set([...(request.pids ?? []), ...numbers(word)]);
    else if (name === "--pid") request.pids = new Set(numbers(value ?? next() ?? ""));
    else if (name === "--ppid") request.parents = new Set(numbers(value ?? next() ?? ""));
    else if (name === "--format") addFormats(request, value ?? next() ?? "");
    else if (name === "--sort") request.sort = value ?? next() ?? "";
    else if (name === "--no-headers" || name === "--no-heading" || name === "--noheader" || name === "--noheaders") request.hasHeader = false;
    else if (word === "--forest") throw new PsError("lvsim: ps --forest is not simulated");
    else if (word.startsWith("--")) throw new PsError("error: unknown gnu long option");
    else if (word.startsWith("-")) takeUnix(request, word, next);
    else takeBsd(request, word, next);
  }
  return request;
}

function sorted(list: readonly Process[], key: string | undefined, context: CommandContext): readonly Process[] {
  if (key === undefined) return [...list].sort((a, b) => a.pid - b.pid);
  const name = key.replace(/^[-+]/, "");
  const wanted = COLUMNS[ALIASES[name] ?? name];
  if (wanted === undefined) throw new PsError("error: unknown sort specifier");
  const compare = (a: Process, b: Process): number => {
    const [left, right] = [wanted.value(a, context), wanted.value(b, context)];
    const byValue = wanted.isLeft === true ? (left < right ? -1 : left > right ? 1 : 0) : Number(left) - Number(right);
    return (key.startsWith("-") ? -byValue : byValue) || a.pid - b.pid;
  };
  return [...list].sort(compare);
}

function print(context: CommandContext, columns: readonly Column[], list: readonly Process[], hasHeader: boolean): void {
  const last = columns.length - 1;
  const line = (cells: readonly string[]): string =>
    `${columns.map((one, index) => (one.isLeft !== true ? (cells[index] as string).padStart(one.width) : index === last ? cells[index] : (cells[index] as string).padEnd(one.width))).join(" ")}\n`;
  if (hasHeader && columns.some((one) => one.header !== "")) context.stdout.write(line(columns.map((one) => one.header)));
  for (const process of list) context.stdout.write(line(columns.map((one) => one.value(process, context))));
}

function runPs(context: CommandContext): number {
  try {
    const request = parse(context.args);
    const chosen = context.machine.processes.list.filter((process) => {
      if (request.pids === undefined && request.names === undefined && request.parents === undefined) return true;
      return request.pids?.has(process.pid) === true || request.names?.has(process.name) === true || request.parents?.has(process.parentPid) === true;
    });
    const columns = request.formats.length > 0 ? request.formats : request.isUser ? BSD_USER : request.isFull ? FULL : request.isBsd ? BSD : SIMPLE;
    print(context, columns, sorted(chosen, request.sort, context), request.hasHeader);
    return chosen.length === 0 ? 1 : 0;
  } catch (error) {
    if (!(error instanceof PsError)) throw error;
    context.stderr.write(error.message.startsWith("lvsim") ? `ps: ${error.message}\n` : `${error.message}\n${USAGE}`);
    return 1;
  }
}

export const psCommand: Command = { path: "/usr/bin/ps", run: runPs };
