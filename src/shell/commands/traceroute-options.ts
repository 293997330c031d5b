/**
 * The command line of traceroute 2.1.2 (the Debian package): traceroute.c, with the words of its libsupp/clif.c.
 */

import { CommandExit } from "./short-options.ts";

export const TRACEROUTE_VERSION = "Modern traceroute for Linux, version 2.1.2\nCopyright (c) 2016  Dmitry Butskoy,   License: GPL v2 or any later\n";

export type TraceMethod = "default" | "icmp" | "tcp" | "udp";

export interface TracerouteOptions {
  host: string;
  packetBytes: number | undefined;
  firstHop: number;
  maxHops: number;
  queries: number;
  /** Probes that may be on their way at the same time. */
  simultaneous: number;
  waitSeconds: number;
  hereFactor: number;
  nearFactor: number;
  sendWaitSeconds: number;
  port: number | undefined;
  tos: number;
  mark: number;
  source: string | undefined;
  device: string | undefined;
  isNumeric: boolean;
  dontFragment: boolean;
  method: TraceMethod;
}

const WITH_VALUE: Readonly<Record<string, string>> = {
  f: "first_ttl",
  g: "gate,...",
  i: "device",
  m: "max_ttl",
  N: "squeries",
  p: "port",
  t: "tos",
  l: "flow_label",
  w: "MAX,HERE,NEAR",
  q: "nqueries",
  s: "src_addr",
  z: "sendwait",
  M: "name",
  O: "OPTS,...",
  P: "prot",
};

const LONG: Readonly<Record<string, string>> = {
  "dont-fragment": "F",
  first: "f",
  gateway: "g",
  icmp: "I",
  tcp: "T",
  interface: "i",
  "max-hops": "m",
  "sim-queries": "N",
  port: "p",
  tos: "t",
  flowlabel: "l",
  wait: "w",
  queries: "q",
  source: "s",
  sendwait: "z",
  module: "M",
  options: "O",
  udp: "U",
  debug: "d",
  extensions: "e",
  "as-path-lookups": "A",
  version: "V",
};

const SUPPORTED_FLAGS = "46dFnITUrV";
const QUERIES_MAX = 10;
const HOPS_MAX = 255;
const PACKET_MAX = 65000;

function fail(text: string): never {
  throw new CommandExit(2, `${text}\n`);
}

function unsupported(option: string): never {
  return fail(`traceroute: option ${option} is not supported by this simulator`);
}

export function parseTracerouteOptions(args: readonly string[]): TracerouteOptions {
  const options: TracerouteOptions = {
    host: "",
    packetBytes: undefined,
    firstHop: 1,
    maxHops: 30,
    queries: 3,
    simultaneous: 16,
    waitSeconds: 5,
    hereFactor: 3,
    nearFactor: 10,
    sendWaitSeconds: 0,
    port: undefined,
    tos: 0,
    mark: 0,
    source: undefined,
    device: undefined,
    isNumeric: false,
    dontFragment: false,
    method: "default",
  };
  let operands = 0;
  for (let i = 0; i < args.length; i++) {
    const word = args[i] as string;
    const place = i + 1;
    if (!word.startsWith("-") || word === "-") {
      operands++;
      if (operands === 1) options.host = word;
      else if (operands === 2)
        options.packetBytes = /^\d+$/.test(word) ? Number(word) : fail(`Cannot handle "packetlen" cmdline arg \`${word}' on position 2 (argc ${place})`);
      else fail(`Extra arg \`${word}' (position ${operands}, argc ${place})`);
      continue;
    }
    if (word.startsWith("--")) i += readLong(options, args, i);
    else i += readShort(options, args, i);
  }
  return check(options, operands);
}

/** Returns how many further words were used. */
function readLong(options: TracerouteOptions, args: readonly string[], index: number): number {
  const word = args[index] as string;
  const equals = word.indexOf("=");
  const name = word.slice(2, equals < 0 ? undefined : equals);
  if (name === "help") throw new CommandExit(0, "");
  if (name === "mtu" || name === "back" || name === "sport") return unsupported(`--${name}`);
  if (name === "fwmark") {
    const text = equals < 0 ? args[index + 1] : word.slice(equals + 1);
    options.mark = number(text ?? "", `--${name}`, index + 1);
    return equals < 0 ? 1 : 0;
  }
  const letter = LONG[name];
  if (letter === undefined) return fail(`Bad option \`${word}' (argc ${index + 1})`);
  if (WITH_VALUE[letter] === undefined) {
    applyFlag(options, letter, `--${name}`);
    return 0;
  }
  const value = equals < 0 ? args[index + 1] : word.slice(equals + 1);
  if (value === undefined) return fail(`Option \`--${name}' (argc ${index + 1}) requires an argument: \`--${name}=${WITH_VALUE[letter]}'`);
  applyValue(options, { letter, value, shown: `--${name}`, place: index + (equals < 0 ? 2 : 1) });
  return equals < 0 ? 1 : 0;
}

function readShort(options: TracerouteOptions, args: readonly string[], index: number): number {
  const word = args[index] as string;
  for (let j = 1; j < word.length; j++) {
    const letter = word[j] as string;
    const shown = `-${letter}`;
    if (WITH_VALUE[letter] === undefined) {
      if (!`${SUPPORTED_FLAGS}eAD`.includes(letter)) fail(`Bad option \`${shown}' (argc ${index + 1})`);
      applyFlag(options, letter, shown);
      continue;
    }
    const attached = word.slice(j + 1);
    const value = attached !== "" ? attached : args[index + 1];
    if (value === undefined) return fail(`Option \`${shown}' (argc ${index + 1}) requires an argument: \`${shown} ${WITH_VALUE[letter]}'`);
    applyValue(options, { letter, value, shown, place: index + (attached !== "" ? 1 : 2) });
    return attached !== "" ? 0 : 1;
  }
  return 0;
}

function applyFlag(options: TracerouteOptions, letter: string, shown: string): void {
  switch (letter) {
    case "n":
      options.isNumeric = true;
      return;
    case "F":
      options.dontFragment = true;
      return;
    case "I":
      options.method = "icmp";
      return;
    case "T":
      options.method = "tcp";
      return;
    case "U":
      options.method = "udp";
      return;
    case "V":
      throw new CommandExit(0, TRACEROUTE_VERSION);
    case "6":
    case "r":
    case "e":
    case "A":
    case "D":
      unsupported(shown);
      break;
    default:
      return;
  }
}

interface GivenValue {
  readonly letter: string;
  readonly value: string;
  readonly shown: string;
  /** Position on the command line, which complaints name. */
  readonly place: number;
}

function applyValue(options: TracerouteOptions, given: GivenValue): void {
  const { letter, value, shown, place } = given;
  switch (letter) {
    case "f":
      options.firstHop = number(value, shown, place);
      return;
    case "m":
      options.maxHops = number(value, shown, place);
      return;
    case "q":
      options.queries = number(value, shown, place);
      return;
    case "N":
      options.simultaneous = number(value, shown, place);
      return;
    case "p":
      options.port = number(value, shown, place);
      return;
    case "t":
      options.tos = number(value, shown, place) & 255;
      return;
    case "z":
      options.sendWaitSeconds = sendWait(value, shown, place);
      return;
    case "w":
      applyWait(options, value, shown, place);
      return;
    case "i":
      options.device = value;
      return;
    case "s":
      options.source = value;
      return;
    case "M":
      if (value !== "default" && value !== "icmp" && value !== "tcp" && value !== "udp") fail(`Unknown traceroute module ${value}`);
      options.method = value;
      return;
    default:
      unsupported(shown);
      break;
  }
}

function number(text: string, shown: string, place: number): number {
  if (!/^(0[xX][0-9a-fA-F]+|[+-]?\d+)$/.test(text)) fail(`Cannot handle \`${shown}' option with arg \`${text}' (argc ${place})`);
  return Number(text);
}

function sendWait(text: string, shown: string, place: number): number {
  if (!/^(\d+\.?\d*|\.\d+)$/.test(text)) fail(`Cannot handle \`${shown}' option with arg \`${text}' (argc ${place})`);
  const value = Number(text);
  return value > 10 ? value / 1000 : value;
}

function applyWait(options: TracerouteOptions, text: string, shown: string, place: number): void {
  const parts = text.split(",");
  if (parts.length > 3 || parts.some((part) => part !== "" && !/^(\d+\.?\d*|\.\d+)$/.test(part)))
    fail(`Cannot handle \`${shown}' option with arg \`${text}' (argc ${place})`);
  const [max = "", here = "", near = ""] = parts;
  if (max !== "") options.waitSeconds = Number(max);
  // A lone value switches the other two off.
  options.hereFactor = parts.length === 1 ? 0 : here === "" ? 3 : Number(here);
  options.nearFactor = parts.length === 1 ? 0 : near === "" ? 10 : Number(near);
}

function check(options: TracerouteOptions, operands: number): TracerouteOptions {
  if (operands === 0) throw new CommandExit(0, "");
  const { firstHop, maxHops, queries, packetBytes } = options;
  if (firstHop <= 0 || firstHop > maxHops) fail("first hop out of range");
  if (maxHops > HOPS_MAX) fail("max hops cannot be more than 255");
  if (queries <= 0 || queries > QUERIES_MAX) fail("no more than 10 probes per hop");
  if (packetBytes !== undefined && packetBytes > PACKET_MAX) fail(`too big packetlen ${packetBytes} specified`);
  options.simultaneous = Math.max(1, options.simultaneous);
  return options;
}
