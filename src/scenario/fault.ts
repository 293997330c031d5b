/**
 * Faults that a timeline or a person at the prompt makes: what there is, how it is written, what is wrong with it.
 *
 *   timeline    { at: 2s, impair: lan, netem: "loss 10% delay 50ms" }
 *   prompt      .impair lan loss 10% delay 50ms
 *
 * Both are first read into a RawFault of texts; `resolveFault` checks it against the hosts and links and gives a Fault, or says what is
 * wrong with which key and what to do.
 */

import { parseDuration } from "../base/time.ts";
import type { NetemOptions } from "../link/netem.ts";
import type { SignalName } from "../shell/command.ts";
import { applyNetem, parseNetem, TcExit } from "../shell/commands/tc/netem-options.ts";
import { parseSignal } from "../shell/signals.ts";
import { nearestWord } from "./suggest.ts";

export const FAULT_VERBS = ["break", "mend", "impair", "partition", "reboot", "poweroff", "kill", "slow", "backlog", "clock"] as const;
export type FaultVerb = (typeof FAULT_VERBS)[number];

/** Keys that a fault may have beside its verb. */
export const FAULT_KEYS: Readonly<Record<FaultVerb, readonly string[]>> = {
  break: [],
  mend: [],
  impair: ["netem", "direction"],
  partition: ["groups"],
  reboot: ["takes"],
  poweroff: [],
  kill: ["process", "signal"],
  slow: ["by"],
  backlog: ["port", "full"],
  clock: ["by"],
};

/** A cable, every cable of a host, or a switch. */
export type Target =
  | { readonly kind: "link"; readonly link: string }
  | { readonly kind: "host"; readonly host: string }
  | { readonly kind: "interface"; readonly host: string; readonly interface: string };

export type Direction = "in" | "out" | "both";

export type Fault =
  /** A cable is cut, or a switch loses its power. */
  | { readonly verb: "break" | "mend"; readonly target: Target }
  /** `netem` undefined: the cables are as they were. Directions are the interface's; on a link each frame is impaired once, on its way out. */
  | { readonly verb: "impair"; readonly target: Target; readonly netem: NetemOptions | undefined; readonly words: string; readonly direction: Direction }
  /** Without groups the switch is whole again. Members are hosts or interfaces. */
  | { readonly verb: "partition"; readonly link: string; readonly groups: readonly (readonly Target[])[]; readonly words: string }
  | { readonly verb: "reboot"; readonly host: string; readonly takesNs: number | undefined }
  | { readonly verb: "poweroff"; readonly host: string }
  | { readonly verb: "kill"; readonly host: string; readonly process: string; readonly signal: SignalName }
  /** Every request to the host's web server takes this much longer; 0: no longer. */
  | { readonly verb: "slow"; readonly host: string; readonly byNs: number }
  /** The accept queue of whoever listens on the port counts as full. */
  | { readonly verb: "backlog"; readonly host: string; readonly port: number; readonly isFull: boolean }
  /** The wall clock jumps, forward or back. */
  | { readonly verb: "clock"; readonly host: string; readonly bySeconds: number };

/** As written: the verb's object, and the other keys. */
export interface RawFault {
  readonly verb: FaultVerb;
  readonly object: string;
  readonly netem?: string | undefined;
  readonly direction?: string | undefined;
  readonly groups?: readonly (readonly string[])[] | undefined;
  readonly takes?: string | number | undefined;
  readonly process?: string | undefined;
  readonly signal?: string | number | undefined;
  readonly by?: string | number | undefined;
  readonly port?: number | undefined;
  readonly full?: boolean | undefined;
}

/** What is wrong: the key it is about (the verb for its object), and what to do. */
export interface FaultProblem {
  readonly key: string;
  readonly message: string;
  readonly remedy: string;
}

/** The names that a fault can be about. */
export interface Topology {
  readonly hosts: readonly { readonly name: string; readonly interfaces: readonly { readonly name: string; readonly link: string }[] }[];
  readonly links: readonly { readonly name: string }[];
}

const PORT_MAX = 65_535;
const CLOCK_SECONDS_MAX = 10 * 365 * 86_400;

class Mistake extends Error {
  readonly problem: FaultProblem;

  constructor(key: string, message: string, remedy: string) {
    super(message);
    this.problem = { key, message, remedy };
  }
}

/** The fault, or what is wrong with it. */
export function resolveFault(raw: RawFault, topology: Topology): { readonly fault: Fault } | { readonly problem: FaultProblem } {
  try {
    return { fault: resolve(raw, topology) };
  } catch (error) {
    if (error instanceof Mistake) return { problem: error.problem };
    throw error;
  }
}

function resolve(raw: RawFault, topology: Topology): Fault {
  const { verb, object } = raw;
  switch (verb) {
    case "break":
    case "mend": {
      const target = targetOf(verb, object, topology);
      return { verb, target };
    }
    case "impair":
      return { verb, target: targetOf(verb, object, topology), netem: netemOf(raw.netem), words: raw.netem ?? "", direction: directionOf(raw.direction) };
    case "partition":
      return partitionOf(raw, topology);
    case "reboot":
      return { verb, host: hostOf(verb, object, topology), takesNs: raw.takes === undefined ? undefined : durationOf("takes", raw.takes) };
    case "poweroff":
      return { verb, host: hostOf(verb, object, topology) };
    case "kill": {
      if (raw.process === undefined) throw new Mistake(verb, "`kill` without a process", "add `process: NAME`");
      return { verb, host: hostOf(verb, object, topology), process: raw.process, signal: signalOf(raw.signal) };
    }
    case "slow": {
      if (raw.by === undefined) throw new Mistake(verb, "`slow` without a time", "add `by: 200ms`, or `by: 0` to end it");
      return { verb, host: hostOf(verb, object, topology), byNs: durationOf("by", raw.by) };
    }
    case "backlog":
      return { verb, host: hostOf(verb, object, topology), port: portOf(raw.port), isFull: raw.full ?? true };
    case "clock":
      return { verb, host: hostOf(verb, object, topology), bySeconds: jumpOf(raw.by) };
  }
}

function hostOf(key: string, name: string, topology: Topology): string {
  const names = topology.hosts.map((host) => host.name);
  if (names.includes(name)) return name;
  throw unknown(key, "host", name, names);
}

function linkOf(key: string, name: string, topology: Topology): string {
  const names = topology.links.map((link) => link.name);
  if (names.includes(name)) return name;
  throw unknown(key, "link", name, names);
}

function unknown(key: string, what: string, name: string, names: readonly string[]): Mistake {
  const meant = nearestWord(name, names);
  const list = names.length > 8 ? `${names.slice(0, 8).join(", ")}, ...` : names.join(", ");
  return new Mistake(key, `unknown ${what} \`${name}\``, meant === undefined ? `the ${what}s are ${list}` : `did you mean \`${meant}\`?`);
}

/** `lan`, `node01` or `node01.eth0`; a link and a host of one name cannot be told apart. */
function targetOf(key: string, text: string, topology: Topology): Target {
  const isLink = topology.links.some(({ name }) => name === text);
  const host = topology.hosts.find(({ name }) => name === text);
  if (isLink && host !== undefined) throw new Mistake(key, `\`${text}\` is a link and a host`, "name an interface, or rename one of them");
  if (isLink) return { kind: "link", link: text };
  if (host !== undefined) return { kind: "host", host: text };
  const owner = topology.hosts.find(({ name }) => text.startsWith(`${name}.`));
  const name = owner === undefined ? "" : text.slice(owner.name.length + 1);
  if (owner !== undefined) {
    if (owner.interfaces.some((one) => one.name === name)) return { kind: "interface", host: owner.name, interface: name };
    throw new Mistake(key, `host ${owner.name} has no interface ${name}`, `it has ${owner.interfaces.map((one) => one.name).join(", ")}`);
  }
  const names = [...topology.links.map((one) => one.name), ...topology.hosts.map((one) => one.name)];
  const meant = nearestWord(text, names);
  throw new Mistake(key, `unknown link or host \`${text}\``, meant === undefined ? "write LINK, HOST or HOST.INTERFACE" : `did you mean \`${meant}\`?`);
}

function netemOf(words: string | undefined): NetemOptions | undefined {
  if (words === undefined || words.trim() === "") return undefined;
  try {
    return applyNetem(parseNetem(words.trim().split(/\s+/)));
  } catch (error) {
    if (!(error instanceof TcExit)) throw error;
    const [first = ""] = error.text.split("\n");
    throw new Mistake("netem", first.startsWith("Usage") ? "netem takes words" : first.replace(/^tc: /, ""), "write what follows netem on tc's command line: loss 10% delay 50ms 10ms");
  }
}

function directionOf(text: string | undefined): Direction {
  if (text === undefined) return "both";
  if (text === "in" || text === "out" || text === "both") return text;
  throw new Mistake("direction", `\`${text}\` is no direction`, "write in, out or both, as the interface sees it");
}

function partitionOf(raw: RawFault, topology: Topology): Fault {
  const link = linkOf("partition", raw.object, topology);
  const seen = new Set<string>();
  const groups = (raw.groups ?? []).map((members) =>
    members.map((member): Target => {
      if (seen.has(member)) throw new Mistake("groups", `\`${member}\` is in two groups`, "leave it in one");
      seen.add(member);
      const target = targetOf("groups", member, topology);
      if (target.kind === "link") throw new Mistake("groups", `\`${member}\` is a link`, "groups hold hosts or interfaces");
      const host = topology.hosts.find(({ name }) => name === target.host);
      const isThere = host?.interfaces.some((one) => one.link === link && (target.kind === "host" || one.name === target.interface)) === true;
      if (!isThere) throw new Mistake("groups", `${member} is not on link ${link}`, "name hosts that are");
      return target;
    }),
  );
  return { verb: "partition", link, groups, words: (raw.groups ?? []).map((members) => members.join(",")).join(" ") };
}

function durationOf(key: string, value: string | number): number {
  const ns = parseDuration(value);
  if (ns === undefined) throw new Mistake(key, `${JSON.stringify(value)} is not a time`, "write 500us, 20ms, 1.5s, 2m or a number of seconds");
  return ns;
}

/** `1h`, `-30s`, `90`. */
function jumpOf(value: string | number | undefined): number {
  if (value === undefined) throw new Mistake("clock", "`clock` without a time", "add `by: 1h` or `by: -30s`");
  const text = String(value).trim();
  const ns = parseDuration(text.replace(/^[-+]/, ""));
  if (ns === undefined) throw new Mistake("by", `${JSON.stringify(value)} is not a time`, "write 1h, 90s or -30s");
  const seconds = Math.round(ns / 1e9);
  if (seconds > CLOCK_SECONDS_MAX) throw new Mistake("by", `${JSON.stringify(value)} is more than ten years`, "choose less");
  return text.startsWith("-") ? -seconds : seconds;
}

function signalOf(value: string | number | undefined): SignalName {
  if (value === undefined) return "KILL";
  const signal = parseSignal(String(value));
  if (signal === undefined) throw new Mistake("signal", `${JSON.stringify(value)} is no signal that is simulated`, "write KILL, TERM, HUP, INT, USR1, USR2, STOP or CONT");
  return signal;
}

function portOf(port: number | undefined): number {
  if (port === undefined) throw new Mistake("backlog", "`backlog` without a port", "add `port: 80`");
  if (!Number.isInteger(port) || port < 1 || port > PORT_MAX) throw new Mistake("port", `${port} is no port`, `write 1 to ${PORT_MAX}`);
  return port;
}

export function targetText(target: Target): string {
  return target.kind === "link" ? target.link : target.kind === "host" ? target.host : `${target.host}.${target.interface}`;
}

/** The link or host that a fault is about. */
export function faultSubject(fault: Fault): string {
  if (fault.verb === "partition") return fault.link;
  return "target" in fault ? (fault.target.kind === "link" ? fault.target.link : fault.target.host) : fault.host;
}

/** One line: `impair lan loss 10%`. */
export function describeFault(fault: Fault): string {
  switch (fault.verb) {
    case "break":
    case "mend":
      return `${fault.verb} ${targetText(fault.target)}`;
    case "impair":
      return `impair ${targetText(fault.target)}${fault.words === "" ? "" : ` ${fault.words}`}${fault.direction === "both" ? "" : ` (${fault.direction})`}`;
    case "partition":
      return `partition ${fault.link}${fault.words === "" ? "" : ` ${fault.words}`}`;
    case "reboot":
    case "poweroff":
      return `${fault.verb} ${fault.host}`;
    case "kill":
      return `kill ${fault.host} ${fault.process} ${fault.signal}`;
    case "slow":
      return `slow ${fault.host} ${fault.byNs / 1e6}ms`;
    case "backlog":
      return `backlog ${fault.host} ${fault.port} ${fault.isFull ? "full" : "normal"}`;
    case "clock":
      return `clock ${fault.host} ${fault.bySeconds}s`;
  }
}
