/**
 * nstat: the counters of /proc/net/snmp, snmp6 and netstat, and by how much they grew since it was last asked.
 *
 * iproute2 6.1 misc/nstat.c. Not modelled: the daemon (-d SECS), which samples rates; without one a rate is always 0.0.
 */

import { compilePattern } from "../bash/patterns.ts";
import type { Command, CommandContext } from "../command.ts";
import { errorText } from "../errno-text.ts";
import { FileError } from "../file-system.ts";
import { procNetNetstat, procNetSnmp, procNetSnmp6 } from "../proc-mib.ts";
import { formatJson } from "./ip/ip-output.ts";
import { CommandExit } from "./short-options.ts";

const USAGE = `Usage: nstat [OPTION] [ PATTERN [ PATTERN ] ]
   -h, --help          this message
   -a, --ignore        ignore history
   -d, --scan=SECS     sample every statistics every SECS
   -j, --json          format output in JSON
   -n, --nooutput      do history only
   -p, --pretty        pretty print
   -r, --reset         reset history
   -s, --noupdate      don't update history
   -t, --interval=SECS report average over the last SECS
   -V, --version       output version information
   -z, --zeros         show entries with zero activity
`;

/** In the order in which getopt_long names them when a word could be several. */
const LONG: readonly (readonly [string, string])[] = [
  ["help", "h"],
  ["ignore", "a"],
  ["scan", "d"],
  ["nooutput", "n"],
  ["json", "j"],
  ["reset", "r"],
  ["noupdate", "s"],
  ["pretty", "p"],
  ["interval", "t"],
  ["version", "V"],
  ["zeros", "z"],
];
const SWITCHES = "aznrsjp";

/** Constants and numbers of sockets: they count nothing. */
const NO_COUNTERS = new Set(["IpForwarding", "IpDefaultTTL", "TcpRtoAlgorithm", "TcpRtoMin", "TcpRtoMax", "TcpMaxConn", "TcpCurrEstab"]);

interface Options {
  /** The letters of switches that were given. */
  readonly switches: ReadonlySet<string>;
  readonly patterns: readonly string[];
}

interface History {
  /** Who counted: the first line after its mark. */
  readonly source: string;
  readonly values: ReadonlyMap<string, number>;
}

function usage(text = ""): never {
  throw new CommandExit(255, `${text === "" ? "" : `nstat: ${text}\n`}${USAGE}`);
}

/* -------------------------------------------------------------------------------------------------------------- options */

function parse(args: readonly string[], version: () => void): Options | undefined {
  const switches = new Set<string>();
  const patterns: string[] = [];
  let isOver = false;
  for (let i = 0; i < args.length; i++) {
    const word = args[i] as string;
    if (isOver || !word.startsWith("-") || word === "-") patterns.push(word);
    else if (word === "--") isOver = true;
    else {
      const isLong = word.startsWith("--");
      const equals = isLong ? word.indexOf("=") : -1;
      const letters = isLong ? longLetter(equals < 0 ? word.slice(2) : word.slice(2, equals)) : word.slice(1);
      for (let at = 0; at < letters.length; at++) {
        const letter = letters[at] as string;
        if (letter === "d" || letter === "t") {
          const attached = isLong ? (equals < 0 ? "" : word.slice(equals + 1)) : letters.slice(at + 1);
          const value = attached !== "" ? attached : args[++i];
          if (value === undefined) usage(isLong ? `option '${word}' requires an argument` : `option requires an argument -- '${letter}'`);
          checkValue(letter, value);
          break;
        }
        if (letter === "V" || letter === "v") {
          version();
          return undefined;
        }
        if (letter === "h" || letter === "?") usage();
        if (!SWITCHES.includes(letter)) usage(`invalid option -- '${letter}'`);
        switches.add(letter);
      }
    }
  }
  return { switches, patterns };
}

function longLetter(name: string): string {
  const candidates = LONG.filter(([long]) => long.startsWith(name));
  const exact = candidates.find(([long]) => long === name) ?? (candidates.length === 1 ? candidates[0] : undefined);
  if (exact !== undefined) return exact[1];
  if (candidates.length === 0) usage(`unrecognized option '--${name}'`);
  return usage(`option '--${name}' is ambiguous; possibilities: ${candidates.map(([long]) => `'--${long}'`).join(" ")}`);
}

function checkValue(letter: string, value: string): void {
  const seconds = Number.parseInt(value, 10);
  if (letter === "t" && !(seconds > 0)) throw new CommandExit(255, "nstat: invalid time constant divisor\n");
  if (letter === "d" && seconds > 0) throw new CommandExit(1, "nstat: -d is not supported by the simulated nstat\n");
}

/* ------------------------------------------------------------------------------------------------------------- counters */

/** Name -> value, in the order of the files: snmp, snmp6, netstat. */
function countersOf(context: CommandContext): Map<string, number> {
  const { host } = context.machine;
  const counters = new Map<string, number>();
  readTables(procNetSnmp(host), counters);
  for (const row of procNetSnmp6().split("\n")) {
    const [name = "", value] = row.split(/\s+/);
    if (name !== "") counters.set(name, Number(value));
  }
  readTables(procNetNetstat(host), counters);
  return counters;
}

function readTables(text: string, counters: Map<string, number>): void {
  const rows = text.split("\n");
  for (let i = 0; i + 1 < rows.length; i += 2) {
    const names = (rows[i] as string).split(" ");
    const values = (rows[i + 1] as string).split(" ");
    const title = (names[0] as string).slice(0, -1);
    for (let at = 1; at < names.length; at++) {
      const name = title + names[at];
      if (!NO_COUNTERS.has(name)) counters.set(name, Number(values[at]));
    }
  }
}

/* -------------------------------------------------------------------------------------------------------------- history */

/** Opens the file of what was counted the last time, which from now on exists. Undefined: there is nothing in it that counts. */
function openHistory(context: CommandContext, path: string, options: Options): History | undefined {
  const { files, host, bootedAtNs } = context.machine;
  try {
    if (options.switches.has("r") && files.exists(path)) files.remove(path);
    if (!files.exists(path)) {
      files.write(path, "");
      files.setMode(path, 0o600);
    }
    const modifiedAtNs = files.status(path)?.modifiedAtNs ?? host.loop.nowNs;
    const text = files.read(path);
    if (options.switches.has("a")) return parseHistory("");
    if (modifiedAtNs < bootedAtNs) {
      context.stderr.write("nstat: history is aged out, resetting\n");
      return undefined;
    }
    return parseHistory(text);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    throw new CommandExit(255, `nstat: open history file: ${errorText(error.errno)}\n`);
  }
}

function parseHistory(text: string): History | undefined {
  if (text === "") return undefined;
  let source = "kernel";
  const values = new Map<string, number>();
  for (const row of text.replace(/\n$/, "").split("\n")) {
    if (row.startsWith("#")) {
      source = row.slice(1).trim();
      continue;
    }
    const [name = "", value = ""] = row.trim().split(/\s+/);
    if (name === "" || !/^\d+$/.test(value)) throw new CommandExit(254, "nstat.c:146: error parsing history file\n");
    values.set(name, Number(value));
  }
  return { source, values };
}

/* --------------------------------------------------------------------------------------------------------------- output */

function line(name: string, value: number, remark = ""): string {
  return `${name.padEnd(32)}${String(value).padEnd(16)} ${"0.0".padStart(5)}${remark}\n`;
}

function report(counters: ReadonlyMap<string, number>, history: History | undefined, options: Options): string {
  const { switches } = options;
  const patterns = options.patterns.map((pattern) => compilePattern(pattern, { ignoresCase: true }));
  const source = history?.source ?? "kernel";
  const shown: Record<string, number> = {};
  let text = `#${source}\n`;
  for (const [name, now] of counters) {
    const before = history?.values.get(name) ?? 0;
    const value = Math.max(now - before, 0);
    if (value === 0 && !switches.has("z")) continue;
    if (patterns.length > 0 && !patterns.some((pattern) => pattern.test(name))) continue;
    shown[name] = value;
    text += line(name, value, now < before ? " (overflow)" : "");
  }
  return switches.has("j") ? `${formatJson({ [source]: shown }, switches.has("p"))}\n` : text;
}

/** All counters, whatever the patterns say. */
function save(context: CommandContext, path: string, counters: ReadonlyMap<string, number>, source: string, hasZeros: boolean): void {
  let text = `#${source}\n`;
  for (const [name, value] of counters) if (value > 0 || hasZeros) text += line(name, value);
  context.machine.files.write(path, text);
}

function run(context: CommandContext): number {
  const { machine, stdout, stderr } = context;
  try {
    const options = parse(context.args, () => void stdout.write("nstat utility, iproute2-6.1.0\n"));
    if (options === undefined) return 0;
    const { switches } = options;
    const path = machine.files.resolve(context.cwd, context.env.get("NSTAT_HISTORY") ?? "/tmp/.nstat.u0");
    const usesFile = !switches.has("a") || !switches.has("s");
    if (!usesFile && switches.has("r") && machine.files.exists(path)) machine.files.remove(path);
    const history = usesFile ? openHistory(context, path, options) : undefined;
    const counters = countersOf(context);
    if (!switches.has("n")) stdout.write(report(counters, history, options));
    if (!switches.has("s")) save(context, path, counters, history?.source ?? "kernel", switches.has("z"));
    return 0;
  } catch (failure) {
    if (!(failure instanceof CommandExit)) throw failure;
    stderr.write(failure.text);
    return failure.exit;
  }
}

export const nstatCommand: Command = { path: "/usr/bin/nstat", run };
