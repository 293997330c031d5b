/**
 * Reads a workload file: who connects when and asks for how much, the servers, and what happens to them. docs/SCHEDULERS.md explains it key
 * by key.
 */

import * as v from "valibot";
import { NS_PER_SECOND } from "../base/time.ts";
import { type FilePlace, ScenarioError, type ScenarioProblem } from "../scenario/scenario-error.ts";
import { schemaProblem } from "../scenario/schema-problem.ts";
import { integer, number, object, positiveNs, text, durationNs } from "../scenario/schema-values.ts";
import { nearestWord } from "../scenario/suggest.ts";
import { arrivalsSchema, clientsSchema, loadKeys, sizesSchema } from "../scenario/workload-schema.ts";
import { type YamlPath, YamlSource } from "../scenario/yaml-source.ts";
import { type ArrivalSpec, meanRate } from "../workload/arrivals.ts";
import type { PopulationSpec } from "../workload/population.ts";
import type { SizeSpec } from "../workload/sizes.ts";
import { SERVERS_MAX } from "./bare-director.ts";

/** Connections that a workload may open. */
export const CONNECTIONS_MAX = 2_000_000;
const EVENTS_MAX = 10_000;
const WEIGHT_MAX = 2_147_483_647;
const SPEED_MAX = 1_000_000;
const WORKERS_MAX = 100_000;
const PERSISTENCE_SECONDS_MAX = 31 * 86_400;
const NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

export interface WorkloadServer {
  readonly name: string;
  readonly weight: number;
  /** Work done in a second by each worker, in seconds at speed 1. */
  readonly speed: number;
  /** Connections served at once; more wait in one queue. */
  readonly workers: number;
  /** Thresholds (`ipvsadm -x`, `-y`); 0: none. */
  readonly upper: number;
  readonly lower: number;
  /** In the service from the start. */
  readonly isPresent: boolean;
}

/** What changes at a server; absent parts stay. */
export interface WorkloadChange {
  readonly atNs: number;
  /** Index into `servers`. */
  readonly server: number;
  readonly membership: "add" | "remove" | undefined;
  readonly weight: number | undefined;
  readonly speed: number | undefined;
  readonly upper: number | undefined;
  readonly lower: number | undefined;
  readonly place: FilePlace;
}

export interface Workload {
  readonly file: string;
  readonly title: string;
  readonly description: string;
  readonly seed: string;
  /** Connections arrive from 0 up to here. */
  readonly durationNs: number;
  readonly arrivals: ArrivalSpec;
  readonly sizes: SizeSpec;
  readonly clients: PopulationSpec;
  /** 0: not persistent. */
  readonly persistenceSeconds: number;
  /** Words of `ipvsadm -b`, for schedulers that heed them. */
  readonly flags: readonly string[];
  readonly servers: readonly WorkloadServer[];
  /** By time; those of one time in file order. */
  readonly changes: readonly WorkloadChange[];
}

const weight = integer("weight", 0, WEIGHT_MAX, "1 is usual, 0 is quiescent");
const speed = number("speed", 0, SPEED_MAX, "1 is usual, 0 hangs");
const threshold = (what: string) => integer(what, 0, WEIGHT_MAX, "0 is no limit");

const serverSchema = v.nullable(
  v.strictObject(
    {
      weight: v.optional(weight),
      speed: v.optional(speed),
      workers: v.optional(integer("workers", 1, WORKERS_MAX, "write how many connections it serves at once")),
      upper: v.optional(threshold("upper")),
      lower: v.optional(threshold("lower")),
      absent: v.optional(v.boolean("absent must be true or false|write `absent: true` for a server that comes later")),
    },
    object("a server", "write { weight: 1, speed: 1 }"),
  ),
);

const isTrue = (what: string) => v.optional(v.literal(true, `${what} can only be true|write \`${what}: true\``));

const eventSchema = v.strictObject(
  {
    at: durationNs("at"),
    server: text("server", "name one of the servers"),
    add: isTrue("add"),
    remove: isTrue("remove"),
    weight: v.optional(weight),
    speed: v.optional(speed),
    upper: v.optional(threshold("upper")),
    lower: v.optional(threshold("lower")),
  },
  object("an event", "write { at: 20s, server: NAME, weight: 0 }"),
);

const workloadSchema = v.strictObject(
  {
    title: v.pipe(v.string("a workload needs a title|add `title: ...` as the first line"), v.regex(/^[^\n]+\n?$/, "the title must be one line|shorten it")),
    description: v.optional(v.nullable(text("description", "use `description: |` and indented lines"))),
    seed: v.optional(v.union([v.string(), v.number()], "seed must be a number or a text|1 is usual")),
    duration: positiveNs("duration", "write for how long connections arrive, such as 60s"),
    arrivals: arrivalsSchema,
    sizes: sizesSchema,
    clients: v.optional(clientsSchema),
    persistence: v.optional(
      v.pipe(
        durationNs("persistence"),
        v.check((ns) => ns >= NS_PER_SECOND && ns % NS_PER_SECOND === 0, "persistence must be whole seconds|write 300s"),
        v.maxValue(PERSISTENCE_SECONDS_MAX * NS_PER_SECOND, "persistence is longer than 31 days|choose less"),
      ),
    ),
    flags: v.optional(v.array(v.pipe(v.string(), v.regex(/^[a-z0-9-]+$/, "not a flag|write [sh-port]")), "flags must be a list of words|write [sh-port]")),
    servers: v.record(v.pipe(v.string(), v.regex(NAME_PATTERN, "not a server name|use letters, digits, `.`, `_` and `-`")), serverSchema, "a workload needs servers|add `servers:` with a mapping of names"),
    events: v.optional(v.nullable(v.array(eventSchema, "events must be a list|write - { at: 20s, server: NAME, weight: 0 }"))),
  },
  object("a workload file", "start with `title:` and `servers:`"),
);

type RawWorkload = v.InferOutput<typeof workloadSchema>;

/** Throws a ScenarioError with all that is wrong, each with line and remedy. */
export function parseWorkload(content: string, file: string): Workload {
  const source = new YamlSource(file, content.startsWith("\ufeff") ? content.slice(1) : content);
  const parsed = v.safeParse(workloadSchema, source.value);
  if (!parsed.success) throw new ScenarioError(parsed.issues.map((issue) => schemaProblem(source, issue, { knownKeys, missingKey })));
  const workload = build(source, parsed.output);
  const problems = check(workload, parsed.output, source);
  if (problems.length > 0) throw new ScenarioError(problems);
  return workload;
}

function knownKeys(path: YamlPath): readonly string[] {
  if (path.length === 0) return Object.keys(workloadSchema.entries);
  if (path[0] === "servers") return ["weight", "speed", "workers", "upper", "lower", "absent"];
  return loadKeys(path) ?? Object.keys(eventSchema.entries);
}

const MISSING: Readonly<Record<string, readonly string[]>> = {
  title: ["a workload needs a title", "add `title: ...` as the first line"],
  duration: ["a workload needs a duration", "add `duration: 60s`"],
  arrivals: ["a workload needs arrivals", "add `arrivals: { kind: poisson, rate: 100 }`"],
  sizes: ["a workload needs sizes", "add `sizes: { kind: exponential, mean: 20ms }`"],
  servers: ["a workload needs servers", "add `servers: { s1: { weight: 1 }, s2: { weight: 1 } }`"],
};

function missingKey(path: YamlPath): readonly string[] {
  const key = String(path[path.length - 1]);
  return (path.length === 1 ? MISSING[key] : undefined) ?? [`\`${key}\` is missing`, "add it"];
}

function build(source: YamlSource, raw: RawWorkload): Workload {
  const names = Object.keys(raw.servers);
  const changes = (raw.events ?? []).map(
    (event, index): WorkloadChange => ({
      atNs: event.at,
      server: names.indexOf(event.server),
      membership: event.add === true ? "add" : event.remove === true ? "remove" : undefined,
      weight: event.weight,
      speed: event.speed,
      upper: event.upper,
      lower: event.lower,
      place: source.place(["events", index]),
    }),
  );
  return {
    file: source.file,
    title: raw.title.trim(),
    description: raw.description ?? "",
    seed: String(raw.seed ?? 1),
    durationNs: raw.duration,
    arrivals: raw.arrivals,
    sizes: raw.sizes,
    clients: raw.clients ?? { kind: "uniform", count: 1000 },
    persistenceSeconds: (raw.persistence ?? 0) / NS_PER_SECOND,
    flags: raw.flags ?? [],
    servers: Object.entries(raw.servers).map(([name, server]) => ({
      name,
      weight: server?.weight ?? 1,
      speed: server?.speed ?? 1,
      workers: server?.workers ?? 1,
      upper: server?.upper ?? 0,
      lower: server?.lower ?? 0,
      isPresent: server?.absent !== true,
    })),
    changes: changes.sort((a, b) => a.atNs - b.atNs),
  };
}

/** What one value alone cannot tell. */
function check(workload: Workload, raw: RawWorkload, source: YamlSource): ScenarioProblem[] {
  const { servers, durationNs: lengthNs } = workload;
  const problems: ScenarioProblem[] = [];
  const count = meanRate(workload.arrivals) * (lengthNs / NS_PER_SECOND);
  if (count > CONNECTIONS_MAX) problems.push(source.problem(["duration"], `about ${Math.round(count)} connections, the most is ${CONNECTIONS_MAX}`, "shorten `duration` or lower the rate"));
  if (servers.length === 0 || servers.length > SERVERS_MAX) problems.push(source.problem(["servers"], `${servers.length} servers, from 1 to ${SERVERS_MAX} are possible`, "", true));
  if ((raw.events ?? []).length > EVENTS_MAX) problems.push(source.problem(["events"], `more than ${EVENTS_MAX} events`, "use fewer", true));
  for (const server of servers) if (server.lower > server.upper) problems.push(source.problem(["servers", server.name, "lower"], "`lower` is above `upper`", "lower it"));
  for (const [index, event] of (raw.events ?? []).entries()) problems.push(...checkEvent(event, ["events", index], workload, source));
  return problems.length > 0 ? problems : checkMembership(workload);
}

function checkEvent(event: v.InferOutput<typeof eventSchema>, path: YamlPath, workload: Workload, source: YamlSource): ScenarioProblem[] {
  const names = workload.servers.map((server) => server.name);
  if (!names.includes(event.server)) {
    const meant = nearestWord(event.server, names);
    return [source.problem([...path, "server"], `unknown server \`${event.server}\``, meant === undefined ? `the servers are ${names.slice(0, 8).join(", ")}` : `did you mean \`${meant}\`?`)];
  }
  if (event.at > workload.durationNs) return [source.problem([...path, "at"], "an event after the last arrival", "make `duration` longer")];
  if (event.add === true && event.remove === true) return [source.problem([...path, "remove"], "`add` and `remove` at once", "make it two events", true)];
  const settings = [event.weight, event.speed, event.upper, event.lower].filter((value) => value !== undefined).length;
  if (event.remove === true && settings > 0) return [source.problem(path, "`remove` with other changes", "make it two events")];
  if (event.add === undefined && event.remove === undefined && settings === 0) return [source.problem(path, "an event that changes nothing", "add one of weight, speed, upper, lower, add, remove")];
  return [];
}

/** A server that comes must be away, one that goes or is edited must be there. */
function checkMembership({ servers, changes }: Workload): ScenarioProblem[] {
  const present = servers.map((server) => server.isPresent);
  const problems: ScenarioProblem[] = [];
  for (const { server, membership, weight: newWeight, upper, lower, place } of changes) {
    const { name } = servers[server] as WorkloadServer;
    const isThere = present[server] === true;
    const isEdit = newWeight !== undefined || upper !== undefined || lower !== undefined;
    if (membership === "add" && isThere) problems.push({ ...place, message: `${name} is added although it is there`, remedy: "give it `absent: true` or remove it before" });
    if (!isThere && (membership === "remove" || (membership === undefined && isEdit))) problems.push({ ...place, message: `${name} is ${membership === "remove" ? "removed" : "edited"} although it is not there`, remedy: "add it before" });
    if (membership !== undefined) present[server] = membership === "add";
  }
  return problems;
}
