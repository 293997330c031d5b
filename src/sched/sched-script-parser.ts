/**
 * Reads scheduler scripts: the text of `sched-script.ts` to a list of operations, or a list of mistakes.
 *
 * Only the shape of a line is judged here. Numbers that ipvsadm judges stay text, so that a bad one is refused as ipvsadm refuses it.
 */
import { parseIpv4Address } from "../base/ipv4-address.ts";
import { NS_PER_SECOND, parseDuration } from "../base/time.ts";

/** One end of a connection, or a server. */
export interface SchedEndpoint {
  readonly address: number;
  readonly port: number;
  /** As it stands in the script. */
  readonly text: string;
}

export type SchedVirtual =
  | { readonly kind: "tcp"; readonly endpoint: SchedEndpoint }
  | { readonly kind: "fwmark"; readonly mark: string };

/** One line of a script. */
export type SchedOperation = SchedCommand | SchedOpen | SchedClose | SchedSleep;

/** A line that becomes an ipvsadm command. `text` is the line without comment, as it is repeated when refused. */
export type SchedCommand =
  | {
      readonly kind: "service";
      readonly text: string;
      readonly virtual: SchedVirtual;
      readonly scheduler: string;
      readonly flags: readonly string[];
      readonly persist: string | undefined;
    }
  | {
      readonly kind: "add" | "edit";
      readonly text: string;
      readonly server: SchedEndpoint;
      readonly weight: string;
      readonly upper: string | undefined;
      readonly lower: string | undefined;
    }
  | { readonly kind: "delete"; readonly text: string; readonly server: SchedEndpoint };

export interface SchedOpen {
  readonly kind: "open";
  readonly name: string;
  readonly from: SchedEndpoint;
  readonly to: SchedEndpoint;
}

export interface SchedClose {
  readonly kind: "close";
  readonly name: string;
}

export interface SchedSleep {
  readonly kind: "sleep";
  readonly durationNs: number;
}

/** A mistake in a script: where, what, and what to write instead. */
export interface SchedScriptProblem {
  /** 1 is the first line. */
  readonly line: number;
  readonly message: string;
  readonly remedy: string;
}

/** Reads a script; the operations are complete only when there are no problems. */
export function parseSchedScript(text: string): {
  readonly operations: readonly SchedOperation[];
  readonly problems: readonly SchedScriptProblem[];
} {
  const operations: SchedOperation[] = [];
  const problems: SchedScriptProblem[] = [];
  const seen: Seen = { virtual: undefined, names: new Set(), sleptNs: 0 };
  for (const [index, line] of text.split("\n").entries()) {
    const words = (line.split("#")[0] ?? "").split(/\s+/).filter((word) => word !== "");
    if (words.length === 0) continue;
    try {
      operations.push(parseOperation(words, seen));
    } catch (error) {
      if (!(error instanceof LineProblem)) throw error;
      problems.push({ line: index + 1, message: error.message, remedy: error.remedy });
    }
  }
  return { operations, problems };
}

/** What earlier lines have settled. */
interface Seen {
  /** The service of the last `service` line; "broken" when that line has a mistake, so that one mistake is reported once. */
  virtual: SchedVirtual | "broken" | undefined;
  readonly names: Set<string>;
  sleptNs: number;
}

/** Simulated time is exact for 104 days. */
const SLEEP_TOTAL_MAX_NS = 100 * 86_400 * NS_PER_SECOND;

class LineProblem extends Error {
  readonly remedy: string;

  constructor(message: string, remedy: string) {
    super(message);
    this.remedy = remedy;
  }
}

const SHAPES = {
  service: "write: service tcp ADDRESS:PORT SCHEDULER [FLAG]... [persist=SECONDS], or: service fwmark N SCHEDULER ...",
  add: "write: add ADDRESS:PORT [weight N] [upper N] [lower N]",
  edit: "write: edit ADDRESS:PORT [weight N] [upper N] [lower N]",
  delete: "write: delete ADDRESS:PORT",
  open: "write: open NAME from ADDRESS:PORT [to ADDRESS:PORT]",
  close: "write: close NAME",
  sleep: "write: sleep SECONDS",
} as const;

function parseOperation(words: readonly string[], seen: Seen): SchedOperation {
  const text = words.join(" ");
  const [kind] = words;
  switch (kind) {
    case "service":
      seen.virtual = "broken";
      return parseService(words, text, seen);
    case "add":
    case "edit":
      requireService(kind, seen);
      return parseServer(kind, words, text);
    case "delete":
      requireService(kind, seen);
      if (words.length > 2) throw new LineProblem(`unexpected word "${words[2]}" after delete`, SHAPES.delete);
      return { kind, text, server: parseEndpoint(words[1], SHAPES.delete) };
    case "open":
      requireService(kind, seen);
      return parseOpen(words, seen);
    case "close":
      return parseClose(words, seen);
    case "sleep":
      return parseSleep(words, seen);
    default:
      throw new LineProblem(`unknown operation "${kind}"`, `known operations: ${Object.keys(SHAPES).join(", ")}`);
  }
}

function requireService(kind: string, seen: Seen): void {
  if (seen.virtual === undefined) throw new LineProblem(`${kind} before any service`, SHAPES.service);
}

function parseService(words: readonly string[], text: string, seen: Seen): SchedOperation {
  const [, kind, where, scheduler, ...rest] = words;
  if (kind !== "tcp" && kind !== "fwmark") {
    throw new LineProblem(kind === undefined ? "service of what?" : `unknown kind of service "${kind}"`, SHAPES.service);
  }
  if (where === undefined || scheduler === undefined) throw new LineProblem("service without a scheduler", SHAPES.service);
  const virtual: SchedVirtual =
    kind === "tcp" ? { kind, endpoint: parseEndpoint(where, SHAPES.service) } : { kind, mark: where };
  const persists = rest.filter((word) => word.startsWith("persist="));
  if (persists.length > 1) throw new LineProblem("persist= twice", SHAPES.service);
  seen.virtual = virtual;
  return {
    kind: "service",
    text,
    virtual,
    scheduler,
    flags: rest.filter((word) => !word.startsWith("persist=")),
    persist: persists[0]?.slice("persist=".length),
  };
}

function parseServer(kind: "add" | "edit", words: readonly string[], text: string): SchedOperation {
  const values: Record<string, string> = {};
  for (let i = 2; i < words.length; i += 2) {
    const [key = "", value] = [words[i], words[i + 1]];
    if (key !== "weight" && key !== "upper" && key !== "lower") {
      throw new LineProblem(`unknown word "${key}" after ${kind}`, SHAPES[kind]);
    }
    if (value === undefined) throw new LineProblem(`${key} without a number`, SHAPES[kind]);
    if (values[key] !== undefined) throw new LineProblem(`${key} twice`, SHAPES[kind]);
    values[key] = value;
  }
  const { weight = "1", upper, lower } = values;
  return { kind, text, server: parseEndpoint(words[1], SHAPES[kind]), weight, upper, lower };
}

function parseOpen(words: readonly string[], seen: Seen): SchedOpen {
  const [, name, from, client, to, target, extra] = words;
  if (name === undefined || from !== "from") throw new LineProblem("open without a name and a client", SHAPES.open);
  if (to !== undefined && to !== "to") throw new LineProblem(`unknown word "${to}" after the client`, SHAPES.open);
  if (extra !== undefined) throw new LineProblem(`unexpected word "${extra}" after open`, SHAPES.open);
  seen.names.add(name);
  const { virtual } = seen;
  const endpoint = parseEndpoint(client, SHAPES.open);
  if (to !== undefined) return { kind: "open", name, from: endpoint, to: parseEndpoint(target, SHAPES.open) };
  if (virtual === "broken" || virtual === undefined) return { kind: "open", name, from: endpoint, to: endpoint };
  if (virtual.kind !== "tcp") {
    throw new LineProblem("a fwmark service has no address to connect to", `add "to ADDRESS:PORT" to open ${name}`);
  }
  return { kind: "open", name, from: endpoint, to: virtual.endpoint };
}

function parseClose(words: readonly string[], seen: Seen): SchedClose {
  const [, name, extra] = words;
  if (name === undefined) throw new LineProblem("close of what?", SHAPES.close);
  if (extra !== undefined) throw new LineProblem(`unexpected word "${extra}" after close`, SHAPES.close);
  if (!seen.names.has(name)) throw new LineProblem(`no connection "${name}"`, "open it in an earlier line");
  return { kind: "close", name };
}

function parseSleep(words: readonly string[], seen: Seen): SchedSleep {
  const [, seconds, extra] = words;
  const durationNs = seconds !== undefined && /^\d*\.?\d+$/.test(seconds) ? parseDuration(seconds) : undefined;
  if (durationNs === undefined) throw new LineProblem(`"${seconds ?? ""}" is not a number of seconds`, SHAPES.sleep);
  if (extra !== undefined) throw new LineProblem(`unexpected word "${extra}" after sleep`, SHAPES.sleep);
  seen.sleptNs += durationNs;
  if (seen.sleptNs > SLEEP_TOTAL_MAX_NS) throw new LineProblem("the script sleeps too long", "sleep 100 days at most in all");
  return { kind: "sleep", durationNs };
}

function parseEndpoint(text: string | undefined, shape: string): SchedEndpoint {
  const match = /^([^:]+):(\d{1,5})$/.exec(text ?? "");
  const address = parseIpv4Address(match?.[1] ?? "");
  const port = Number(match?.[2]);
  if (text === undefined || address === undefined || !(port <= 65535)) {
    throw new LineProblem(text === undefined ? "an address is missing" : `"${text}" is not ADDRESS:PORT`, shape);
  }
  return { address, port, text };
}
