/**
 * Reads a scenario file: YAML, then the schema, then what holds between its parts; gives a Scenario with every default filled in, or one
 * ScenarioError with all that is wrong.
 */

import * as v from "valibot";
import type { Ipv4Address, Ipv4Cidr } from "../base/ipv4-address.ts";
import { formatMacAddress, type MacAddress } from "../base/mac-address.ts";
import { NS_PER_SECOND } from "../base/time.ts";
import type { LinkProperties } from "../link/port.ts";
import type { ArrivalSpec } from "../workload/arrivals.ts";
import type { SizeSpec } from "../workload/sizes.ts";
import { FAULT_VERBS, type Fault, type RawFault, resolveFault, type Topology } from "./fault.ts";
import { checkScenario } from "./scenario-checks.ts";
import { type FilePlace, ScenarioError } from "./scenario-error.ts";
import { LESSON_KEYS, type RawScenario, STEP_KEYS, scenarioSchema } from "./scenario-schema.ts";
import { schemaProblem } from "./schema-problem.ts";
import { ObjectSource, type ScenarioSource } from "./scenario-source.ts";
import { loadKeys, type RawScenarioWorkload, SCENARIO_WORKLOAD_KEYS } from "./workload-schema.ts";
import { type YamlPath, YamlSource } from "./yaml-source.ts";

/** One interface of a host. `mtu` in bytes; `mac` is a 48-bit number. */
export interface InterfaceSpec {
  readonly name: string;
  readonly link: string;
  readonly addresses: readonly Ipv4Cidr[];
  readonly mac: MacAddress;
  readonly mtu: number;
  readonly place: FilePlace;
}

/** One host of a scenario, every default filled in. */
export interface HostSpec {
  readonly name: string;
  readonly interfaces: readonly InterfaceSpec[];
  readonly gateway: Ipv4Address | undefined;
  readonly forward: boolean;
  readonly files: readonly { readonly path: string; readonly text: string }[];
  /** The script of the boot; undefined when there is none. */
  readonly run: string | undefined;
  readonly place: FilePlace;
  /** Line of the file on which the first line of the script stands. */
  readonly scriptLine: number;
}

export interface Expect {
  readonly exit?: number;
  readonly stdout?: string;
  readonly stderr?: string;
}

interface StepBase {
  /** After the start of the timeline. */
  readonly atNs: number;
  readonly place: FilePlace;
}

/** A script that is typed on a host. It is given `timeoutNs` simulated nanoseconds. */
export interface RunStep extends StepBase {
  readonly verb: "run";
  readonly host: string;
  readonly script: string;
  readonly scriptLine: number;
  readonly timeoutNs: number;
  readonly expect: Expect;
}

export interface LinkStep extends StepBase {
  readonly verb: "down" | "up" | "crash";
  readonly host: string;
  /** undefined: every interface of the host. */
  readonly interface: string | undefined;
}

/** A fault that is made or mended. */
export interface FaultStep extends StepBase {
  readonly verb: "fault";
  readonly fault: Fault;
}

/** One thing of the timeline. */
export type Step = RunStep | LinkStep | FaultStep;

/** One switch with its cables; properties that are not given have the defaults of src/link/port.ts. */
export interface LinkSpec {
  readonly name: string;
  readonly properties: Partial<LinkProperties>;
}

/** Connections that hosts open by themselves while the timeline runs. */
export interface WorkloadSpec {
  /** Hosts in the order of the file's `from`. */
  readonly from: readonly string[];
  readonly to: { readonly address: Ipv4Address; readonly port: number };
  /** After the start of the timeline. */
  readonly atNs: number;
  readonly durationNs: number;
  readonly arrivals: ArrivalSpec;
  /** How long a connection stays open before it sends, or closes. */
  readonly sizes: SizeSpec;
  /** undefined: nothing is sent. */
  readonly send: string | undefined;
  readonly popularity: "uniform" | "zipf";
  readonly exponent: number;
  readonly place: FilePlace;
}

/** What a scenario of the library teaches. */
export interface LessonSpec {
  /** A letter for the family and a number, such as A01; undefined: none. */
  readonly id: string | undefined;
  readonly mode: "NAT" | "DR" | "TUN" | "any";
  /** One line. */
  readonly teaches: string;
  /** Names of what `lvsim doctor` finds wrong here; none: everything is as it should be. */
  readonly findings: readonly string[];
}

/** A scenario after reading: checked, every default filled in. Times are integer nanoseconds. */
export interface Scenario {
  readonly file: string;
  /** The whole file. */
  readonly text: string;
  readonly title: string;
  readonly source: string;
  readonly description: string;
  readonly lesson: LessonSpec | undefined;
  readonly seed: string;
  readonly durationNs: number;
  /** Links of the file first, then those that only interfaces name, in order of appearance. */
  readonly links: readonly LinkSpec[];
  readonly hosts: readonly HostSpec[];
  /** In file order. */
  readonly timeline: readonly Step[];
  readonly workloads: readonly WorkloadSpec[];
}

const DEFAULT_MTU = 1500;
const DEFAULT_TIMEOUT_NS = 120 * NS_PER_SECOND;
const FIRST_MAC: MacAddress = 0x020000000000;

/** Throws a ScenarioError. */
export function parseScenario(text: string, file: string): Scenario {
  return readScenario(new YamlSource(file, text.startsWith("\ufeff") ? text.slice(1) : text));
}

/**
 * A scenario that a program wrote as an object, with the keys and notations of a scenario file; `name` stands where a file's name would.
 * Throws a ScenarioError whose places are ways into the object.
 */
export function scenarioFromObject(value: unknown, name: string): Scenario {
  return readScenario(new ObjectSource(value, name));
}

function readScenario(source: ScenarioSource): Scenario {
  const parsed = v.safeParse(scenarioSchema, source.value);
  if (!parsed.success) throw new ScenarioError(parsed.issues.map((issue) => schemaProblem(source, issue, { knownKeys, missingKey })));
  const scenario = buildScenario(source, parsed.output);
  const problems = checkScenario(scenario, parsed.output, source);
  if (problems.length > 0) throw new ScenarioError(problems);
  return scenario;
}

const REQUIRED: Readonly<Record<string, readonly string[]>> = {
  teaches: ["a lesson needs `teaches`", "say in one line what it shows"],
  title: ["a scenario needs a title", "add `title: ...` as the first line"],
  hosts: ["a scenario needs hosts", "add `hosts:` with a mapping of names"],
  interfaces: ["a host needs interfaces", "add `interfaces: { eth0: { link: lan, address: 10.0.0.1/24 } }`"],
  link: ["an interface must be on a link", "add `link: NAME`"],
};

function missingKey(path: YamlPath): readonly string[] {
  const key = String(path[path.length - 1]);
  const known = REQUIRED[key] ?? [`\`${key}\` is missing`, "add it"];
  const owner = key === "link" ? `interface ${path[path.length - 2]} of host ${path[1]}: ` : key === "interfaces" ? `host ${path[1]}: ` : "";
  return [`${owner}${known[0]}`, known[1] ?? ""];
}

/** Keys that may stand where an unknown one was found. */
function knownKeys(path: YamlPath): readonly string[] {
  const [first, , third] = path;
  if (path.length === 0) return Object.keys(scenarioSchema.entries);
  if (first === "workload") return loadKeys(path) ?? SCENARIO_WORKLOAD_KEYS;
  if (first === "lesson") return LESSON_KEYS;
  if (first === "links") return ["latency", "bandwidth", "loss", "queue"];
  if (first === "timeline") return path.length > 2 ? ["exit", "stdout", "stderr"] : STEP_KEYS;
  return third === "interfaces" ? ["link", "address", "mac", "mtu"] : ["interfaces", "gateway", "forward", "files", "run"];
}

function buildLesson({ lesson }: RawScenario): LessonSpec | undefined {
  if (lesson === undefined || lesson === null) return undefined;
  const { id, mode = "any", teaches, finding = [] } = lesson;
  return { id, mode, teaches: teaches.trim(), findings: typeof finding === "string" ? [finding] : finding };
}

function buildScenario(source: ScenarioSource, raw: RawScenario): Scenario {
  let interfaceCount = 0;
  const hosts = Object.entries(raw.hosts).map(
    ([name, host]): HostSpec => ({
      name,
      interfaces: Object.entries(host.interfaces).map(([interfaceName, spec]): InterfaceSpec => {
        interfaceCount++;
        const addresses = spec.address === undefined ? [] : Array.isArray(spec.address) ? spec.address : [spec.address];
        return {
          name: interfaceName,
          link: spec.link,
          addresses,
          mac: spec.mac ?? FIRST_MAC + interfaceCount,
          mtu: spec.mtu ?? DEFAULT_MTU,
          place: source.place(["hosts", name, "interfaces", interfaceName], true),
        };
      }),
      gateway: host.gateway,
      forward: host.forward ?? false,
      files: Object.entries(host.files ?? {}).map(([path, text]) => ({ path, text })),
      run: host.run ?? undefined,
      place: source.place(["hosts", name, "run"], true),
      scriptLine: source.textLine(["hosts", name, "run"]),
    }),
  );
  const links = buildLinks(raw, hosts);
  return {
    file: source.file,
    title: raw.title.trim(),
    text: source.text,
    source: raw.source ?? "",
    description: raw.description ?? "",
    lesson: buildLesson(raw),
    seed: String(raw.seed ?? 1),
    durationNs: raw.duration ?? 0,
    links,
    hosts,
    timeline: (raw.timeline ?? []).map((step, index) =>
      buildStep(step, source.place(["timeline", index]), source.textLine(["timeline", index, "run"]), { hosts, links }),
    ),
    workloads: (raw.workload ?? []).map((workload, index) => buildWorkload(workload, source.place(["workload", index]))),
  };
}

function buildWorkload({ from, to, at, duration, arrivals, sizes, send, popularity, exponent }: RawScenarioWorkload, place: FilePlace): WorkloadSpec {
  return {
    from: typeof from === "string" ? [from] : from,
    to,
    atNs: at ?? 0,
    durationNs: duration,
    arrivals,
    sizes,
    send,
    popularity: popularity ?? "uniform",
    exponent: exponent ?? 1,
    place,
  };
}

function buildLinks(raw: RawScenario, hosts: readonly HostSpec[]): LinkSpec[] {
  const links = new Map<string, Partial<LinkProperties>>();
  for (const [name, link] of Object.entries(raw.links ?? {})) {
    links.set(name, {
      ...(link?.latency === undefined ? {} : { latencyNs: link.latency }),
      ...(link?.bandwidth === undefined ? {} : { bandwidthBitsPerSecond: link.bandwidth }),
      ...(link?.loss === undefined ? {} : { lossPpm: link.loss }),
      ...(link?.queue === undefined ? {} : { queueFrames: link.queue }),
    });
  }
  for (const host of hosts) for (const spec of host.interfaces) if (!links.has(spec.link)) links.set(spec.link, {});
  return [...links].map(([name, properties]) => ({ name, properties }));
}

type RawStep = NonNullable<RawScenario["timeline"]>[number];

/** The fault of a step as it is written; undefined when the step is none. */
export function rawFaultOf(step: RawStep): RawFault | undefined {
  const verb = FAULT_VERBS.find((one) => step[one] !== undefined);
  if (verb === undefined) return undefined;
  const takes = step.takes === undefined ? undefined : step.takes / NS_PER_SECOND;
  const { netem, direction, groups, process, signal, by, port, full } = step;
  return { verb, object: step[verb] ?? "", netem, direction, groups, takes, process, signal, by, port, full };
}

/** A step with other than one verb, or with a wrong fault, is found by the checks that follow. */
function buildStep(step: RawStep, place: FilePlace, scriptLine: number, topology: Topology): Step {
  const atNs = step.at ?? 0;
  if (step.run !== undefined)
    return {
      verb: "run",
      atNs,
      place,
      host: step.host ?? "",
      script: step.run,
      scriptLine,
      timeoutNs: step.timeout ?? DEFAULT_TIMEOUT_NS,
      expect: step.expect ?? {},
    };
  const raw = rawFaultOf(step);
  const resolved = raw === undefined ? undefined : resolveFault(raw, topology);
  if (resolved !== undefined && "fault" in resolved) return { verb: "fault", atNs, place, fault: resolved.fault };
  if (step.crash !== undefined) return { verb: "crash", atNs, place, host: step.crash, interface: undefined };
  const verb = step.down === undefined ? "up" : "down";
  const [host = "", ...rest] = (step[verb] ?? "").split(".");
  return { verb, atNs, place, host, interface: rest.length === 0 ? undefined : rest.join(".") };
}

export function describeInterface(host: HostSpec, spec: InterfaceSpec): string {
  return `${host.name}.${spec.name} (${formatMacAddress(spec.mac)})`;
}
