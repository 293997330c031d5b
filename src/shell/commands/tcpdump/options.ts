/**
 * The command line of tcpdump. tcpdump 4.99.3 tcpdump.c (main, its getopt loop).
 */

import type { TimeStyle } from "../../../trace/text.ts";

export const VERSION_TEXT = "tcpdump version 4.99.3\nlibpcap version 1.10.3 (with TPACKET_V3)\nOpenSSL 3.0.19 27 Jan 2026\n";
export const USAGE_TEXT = `Usage: tcpdump [-AbdDefhHIJKlLnNOpqStuUvxX#] [ -B size ] [ -c count ] [--count]
\t\t[ -C file_size ] [ -E algo:secret ] [ -F file ] [ -G seconds ]
\t\t[ -i interface ] [ --immediate-mode ] [ -j tstamptype ]
\t\t[ -M secret ] [ --number ] [ --print ] [ -Q in|out|inout ]
\t\t[ -r file ] [ -s snaplen ] [ -T type ] [ --version ]
\t\t[ -V file ] [ -w file ] [ -W filecount ] [ -y datalinktype ]
\t\t[ --time-stamp-precision precision ] [ --micro ] [ --nano ]
\t\t[ -z postrotate-command ] [ -Z user ] [ expression ]
`;

export interface TcpdumpOptions {
  /** Empty: the first usable one. */
  interface: string;
  /** 0: no limit. */
  count: number;
  snapshotBytes: number;
  numericCount: number;
  verbosity: number;
  isQuick: boolean;
  isLinkShown: boolean;
  isAbsoluteSequence: boolean;
  isNumbered: boolean;
  isLineBuffered: boolean;
  isPacketBuffered: boolean;
  isImmediate: boolean;
  isPromiscuous: boolean;
  isPrinting: boolean;
  onlyCounts: boolean;
  timeCount: number;
  hexCount: number;
  hexAsciiCount: number;
  asciiCount: number;
  direction: "in" | "out" | "inout";
  readFile: string | undefined;
  writeFile: string | undefined;
  filterFile: string | undefined;
  action: "capture" | "list-interfaces" | "list-link-types";
  expression: string;
}

export type ParsedOptions = { readonly options: TcpdumpOptions } | { readonly exit: number; readonly stdout: string; readonly stderr: string };

const WITH_ARGUMENT = "BcCEFGijMmQrsTVwWyzZ";
const FLAGS = "AbdDefhHIJKlLnNOpqStuUvxX#";
const SNAPSHOT_BYTES_MAX = 262_144;

/** Long options by what they stand for; `=` takes an argument. */
const LONG: Readonly<Record<string, string>> = {
  "absolute-tcp-sequence-numbers": "S",
  "buffer-size": "B=",
  count: "COUNT",
  direction: "Q=",
  "dont-verify-checksums": "K",
  help: "h",
  "immediate-mode": "IMMEDIATE",
  interface: "i=",
  "list-data-link-types": "L",
  "list-interfaces": "D",
  micro: "MICRO",
  nano: "d",
  "no-promiscuous-mode": "p",
  number: "#",
  print: "PRINT",
  "relinquish-privileges": "Z=",
  "snapshot-length": "s=",
  "time-stamp-precision": "PRECISION=",
  "time-stamp-type": "j=",
  version: "VERSION",
};

export function timeStyle(options: TcpdumpOptions): TimeStyle {
  return (["clock", "none", "seconds", "delta", "date", "elapsed"] as const)[options.timeCount] ?? "clock";
}

export function parseTcpdumpOptions(args: readonly string[]): ParsedOptions {
  const options = defaults();
  const words: string[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    if (arg === "--") {
      words.push(...args.slice(i + 1));
      break;
    }
    let result: ParsedOptions | number | undefined;
    if (arg.startsWith("--")) result = applyLong(options, arg.slice(2), args[i + 1]);
    else if (arg.startsWith("-") && arg.length > 1) result = applyCluster(options, arg, args[i + 1]);
    else words.push(arg);
    if (typeof result === "number") i += result;
    else if (result !== undefined) return result;
  }
  options.expression = words.join(" ");
  return { options };
}

function defaults(): TcpdumpOptions {
  return {
    interface: "",
    count: 0,
    snapshotBytes: SNAPSHOT_BYTES_MAX,
    numericCount: 0,
    verbosity: 0,
    isQuick: false,
    isLinkShown: false,
    isAbsoluteSequence: false,
    isNumbered: false,
    isLineBuffered: false,
    isPacketBuffered: false,
    isImmediate: false,
    isPromiscuous: true,
    isPrinting: false,
    onlyCounts: false,
    timeCount: 0,
    hexCount: 0,
    hexAsciiCount: 0,
    asciiCount: 0,
    direction: "inout",
    readFile: undefined,
    writeFile: undefined,
    filterFile: undefined,
    action: "capture",
    expression: "",
  };
}

function usage(message: string): ParsedOptions {
  return { exit: 1, stdout: "", stderr: `tcpdump: ${message}\n${VERSION_TEXT}${USAGE_TEXT}` };
}

function failure(message: string): ParsedOptions {
  return { exit: 1, stdout: "", stderr: `tcpdump: ${message}\n` };
}

/** Returns how many further arguments were used. */
function applyCluster(options: TcpdumpOptions, cluster: string, next: string | undefined): ParsedOptions | number {
  for (let at = 1; at < cluster.length; at++) {
    const letter = cluster[at] as string;
    if (WITH_ARGUMENT.includes(letter)) {
      const rest = cluster.slice(at + 1);
      const value = rest === "" ? next : rest;
      if (value === undefined) return usage(`option requires an argument -- '${letter}'`);
      return apply(options, letter, value) ?? (rest === "" ? 1 : 0);
    }
    if (!FLAGS.includes(letter)) return usage(`invalid option -- '${letter}'`);
    const result = apply(options, letter, "");
    if (result !== undefined) return result;
  }
  return 0;
}

function applyLong(options: TcpdumpOptions, text: string, next: string | undefined): ParsedOptions | number {
  const [name = "", ...rest] = text.split("=");
  const given = rest.length === 0 ? undefined : rest.join("=");
  const matches = LONG[name] !== undefined ? [name] : Object.keys(LONG).filter((candidate) => candidate.startsWith(name));
  if (matches.length === 0) return usage(`unrecognized option '--${text}'`);
  if (matches.length > 1) return usage(`option '--${text}' is ambiguous; possibilities: ${matches.map((match) => `'--${match}'`).join(" ")}`);
  const meaning = LONG[matches[0] as string] as string;
  if (!meaning.endsWith("=")) return given === undefined ? (apply(options, meaning, "") ?? 0) : usage(`option '--${matches[0]}' doesn't allow an argument`);
  const value = given ?? next;
  if (value === undefined) return usage(`option '--${matches[0]}' requires an argument`);
  return apply(options, meaning.slice(0, -1), value) ?? (given === undefined ? 1 : 0);
}

function apply(options: TcpdumpOptions, option: string, value: string): ParsedOptions | undefined {
  switch (option) {
    case "A":
      options.asciiCount++;
      return undefined;
    case "c": {
      const count = Number(value);
      if (!/^\d+$/.test(value) || count < 1) return failure(`invalid packet count ${value}`);
      options.count = count;
      return undefined;
    }
    case "COUNT":
      options.onlyCounts = true;
      return undefined;
    case "D":
      options.action = "list-interfaces";
      return undefined;
    case "e":
      options.isLinkShown = true;
      return undefined;
    case "F":
      options.filterFile = value;
      return undefined;
    case "h":
      return { exit: 0, stdout: VERSION_TEXT + USAGE_TEXT, stderr: "" };
    case "VERSION":
      return { exit: 0, stdout: VERSION_TEXT, stderr: "" };
    case "IMMEDIATE":
      options.isImmediate = true;
      return undefined;
    case "i":
      options.interface = value;
      return undefined;
    case "l":
      options.isLineBuffered = true;
      return undefined;
    case "L":
      options.action = "list-link-types";
      return undefined;
    case "n":
      options.numericCount++;
      return undefined;
    case "p":
      options.isPromiscuous = false;
      return undefined;
    case "PRINT":
      options.isPrinting = true;
      return undefined;
    case "q":
      options.isQuick = true;
      return undefined;
    case "Q":
      if (value !== "in" && value !== "out" && value !== "inout") return failure(`unknown capture direction \`${value}'`);
      options.direction = value;
      return undefined;
    case "r":
      options.readFile = value;
      return undefined;
    case "s": {
      if (!/^\d+$/.test(value) || Number(value) > SNAPSHOT_BYTES_MAX) return failure(`invalid snaplen ${value} (must be >= 0 and <= ${SNAPSHOT_BYTES_MAX})`);
      options.snapshotBytes = Number(value) || SNAPSHOT_BYTES_MAX;
      return undefined;
    }
    case "S":
      options.isAbsoluteSequence = true;
      return undefined;
    case "t":
      options.timeCount++;
      return options.timeCount > 5 ? failure("only -t, -tt, -ttt, -tttt and -ttttt are supported") : undefined;
    case "U":
      options.isPacketBuffered = true;
      return undefined;
    case "v":
      options.verbosity++;
      return undefined;
    case "w":
      options.writeFile = value;
      return undefined;
    case "x":
      options.hexCount++;
      return undefined;
    case "X":
      options.hexAsciiCount++;
      return undefined;
    case "#":
      options.isNumbered = true;
      return undefined;
    // What makes no difference on a simulated machine: buffers, checksums, users, names, the optimiser.
    case "B":
    case "b":
    case "f":
    case "H":
    case "j":
    case "K":
    case "MICRO":
    case "N":
    case "O":
    case "u":
    case "Z":
      return undefined;
    default:
      return failure(`option ${option.length === 1 ? `-${option}` : `--${option.toLowerCase()}`} is not supported by this simulator`);
  }
}
