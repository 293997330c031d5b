/**
 * What holds between the parts of a scenario file: addresses and MACs are nobody else's, names mean something, a step does one thing.
 */

import { formatIpv4Address, isInPrefix } from "../base/ipv4-address.ts";
import { formatMacAddress } from "../base/mac-address.ts";
import { NS_PER_SECOND } from "../base/time.ts";
import { meanRate } from "../workload/arrivals.ts";
import type { ScenarioProblem } from "./scenario-error.ts";
import { FAULT_KEYS, FAULT_VERBS, resolveFault } from "./fault.ts";
import { type HostSpec, rawFaultOf, type Scenario, type Step } from "./scenario-file.ts";
import type { RawScenario } from "./scenario-schema.ts";
import type { ScenarioSource } from "./scenario-source.ts";
import { nearestWord } from "./suggest.ts";
import type { YamlPath } from "./yaml-source.ts";

export const HOSTS_MAX = 1000;
export const LINKS_MAX = 1000;
export const INTERFACES_MAX = 4000;
export const STEPS_MAX = 10_000;
export const WORKLOADS_MAX = 64;
/** Connections of all workloads of a scenario together. */
export const WORKLOAD_CONNECTIONS_MAX = 200_000;
const VERBS = ["run", "down", "up", "crash", ...FAULT_VERBS] as const;
/** Keys that belong to some verb. */
const KEYS: Readonly<Record<(typeof VERBS)[number], readonly string[]>> = { run: ["host", "timeout", "expect"], down: [], up: [], crash: [], ...FAULT_KEYS };
const ALL_KEYS = [...new Set(Object.values(KEYS).flat())];

export function checkScenario(scenario: Scenario, raw: RawScenario, source: ScenarioSource): ScenarioProblem[] {
  const problems = checkSizes(scenario, source);
  if (problems.length > 0) return problems;
  return [
    ...checkMacs(scenario, source),
    ...checkAddresses(scenario, source),
    ...scenario.hosts.flatMap((host) => checkHost(host, source)),
    ...checkTimeline(scenario, raw, source),
    ...checkWorkloads(scenario, source),
  ];
}

function checkSizes(scenario: Scenario, source: ScenarioSource): ScenarioProblem[] {
  const problems: ScenarioProblem[] = [];
  const limit = (what: string, path: YamlPath, count: number, max: number) => {
    if (count > max) problems.push(source.problem(path, `${count} ${what}, the most is ${max}`, "make it smaller", true));
  };
  limit("hosts", ["hosts"], scenario.hosts.length, HOSTS_MAX);
  limit("links", ["links"], scenario.links.length, LINKS_MAX);
  limit(
    "interfaces",
    ["hosts"],
    scenario.hosts.reduce((sum, host) => sum + host.interfaces.length, 0),
    INTERFACES_MAX,
  );
  limit("steps", ["timeline"], scenario.timeline.length, STEPS_MAX);
  if (scenario.hosts.length === 0) problems.push(source.problem(["hosts"], "a scenario needs hosts", "add at least one", true));
  return problems;
}

function checkMacs(scenario: Scenario, source: ScenarioSource): ScenarioProblem[] {
  const problems: ScenarioProblem[] = [];
  const owners = new Map<number, string>();
  for (const host of scenario.hosts) {
    for (const spec of host.interfaces) {
      const name = `${host.name}.${spec.name}`;
      const owner = owners.get(spec.mac);
      if (owner === undefined) owners.set(spec.mac, name);
      else
        problems.push(
          source.problem(
            ["hosts", host.name, "interfaces", spec.name, "mac"],
            `the MAC address ${formatMacAddress(spec.mac)} of ${name} is ${owner}'s`,
            "give each interface its own",
            false,
          ),
        );
    }
  }
  return problems;
}

/**
 * One address, one interface of a link. A /32 may be anywhere else, too: that is a virtual address, put there on purpose.
 */
function checkAddresses(scenario: Scenario, source: ScenarioSource): ScenarioProblem[] {
  const problems: ScenarioProblem[] = [];
  const owners = new Map<string, { readonly name: string; readonly prefixLength: number }>();
  for (const host of scenario.hosts) {
    for (const spec of host.interfaces) {
      const name = `${host.name}.${spec.name}`;
      for (const { address, prefixLength } of spec.addresses) {
        const key = `${spec.link} ${address}`;
        const owner = owners.get(key);
        if (owner === undefined) owners.set(key, { name, prefixLength });
        else if (owner.name === name || (prefixLength !== 32 && owner.prefixLength !== 32)) {
          problems.push(
            source.problem(
              ["hosts", host.name, "interfaces", spec.name, "address"],
              `the address ${formatIpv4Address(address)} of ${name} is already ${owner.name}'s on link ${spec.link}`,
              "choose another",
            ),
          );
        }
      }
    }
  }
  return problems;
}

function checkHost(host: HostSpec, source: ScenarioSource): ScenarioProblem[] {
  const problems: ScenarioProblem[] = [];
  for (const spec of host.interfaces) {
    if (spec.name === "lo")
      problems.push(source.problem(["hosts", host.name, "interfaces", "lo"], `host ${host.name} has lo anyway`, "choose another name", true));
  }
  const { gateway } = host;
  if (gateway === undefined) return problems;
  const isOnLink = host.interfaces.some((spec) =>
    spec.addresses.some(({ address, prefixLength }) => prefixLength < 32 && isInPrefix(gateway, address, prefixLength)),
  );
  if (!isOnLink) {
    const subnets = host.interfaces.flatMap((spec) => spec.addresses.map(({ address, prefixLength }) => `${formatIpv4Address(address)}/${prefixLength}`));
    problems.push(
      source.problem(
        ["hosts", host.name, "gateway"],
        `the gateway ${formatIpv4Address(gateway)} of ${host.name} is in none of its subnets`,
        subnets.length === 0 ? "the host has no address" : `they are those of ${subnets.join(", ")}`,
      ),
    );
  }
  return problems;
}

function checkTimeline(scenario: Scenario, raw: RawScenario, source: ScenarioSource): ScenarioProblem[] {
  const names = scenario.hosts.map((host) => host.name);
  return scenario.timeline.flatMap((step, index) => {
    const path: YamlPath = ["timeline", index];
    const written = raw.timeline?.[index] ?? {};
    const verbs = VERBS.filter((verb) => written[verb] !== undefined);
    if (verbs.length === 0) return [source.problem(path, "a step without a verb", `add one of ${VERBS.join(", ")}`)];
    if (verbs.length > 1) return [source.problem([...path, verbs[1] as string], `a step with two verbs: ${verbs.join(" and ")}`, "make it two steps", true)];
    const verb = verbs[0] as (typeof VERBS)[number];
    const stray = ALL_KEYS.find((key) => written[key as keyof typeof written] !== undefined && !KEYS[verb].includes(key));
    if (stray !== undefined) {
      const owners = VERBS.filter((one) => KEYS[one].includes(stray)).map((one) => `\`${one}\``);
      return [source.problem([...path, stray], `\`${stray}\` belongs to ${owners.join(" and ")}, not to \`${verb}\``, "remove it", true)];
    }
    const fault = rawFaultOf(written);
    if (fault !== undefined) {
      const resolved = resolveFault(fault, scenario);
      return "fault" in resolved ? [] : [source.problem([...path, resolved.problem.key], resolved.problem.message, resolved.problem.remedy)];
    }
    if (step.verb === "fault") return [];
    if (step.verb !== "run") return checkLinkStep(step, scenario, source, path);
    if (written.host === undefined) return [source.problem(path, "`run` without a host", "add `host: NAME`")];
    return names.includes(step.host) ? [] : [unknownHost(step.host, names, source, [...path, "host"])];
  });
}

function checkLinkStep(
  step: Extract<Step, { verb: "down" | "up" | "crash" }>,
  scenario: Scenario,
  source: ScenarioSource,
  path: YamlPath,
): ScenarioProblem[] {
  const host = scenario.hosts.find((candidate) => candidate.name === step.host);
  if (host === undefined)
    return [
      unknownHost(
        step.host,
        scenario.hosts.map((candidate) => candidate.name),
        source,
        [...path, step.verb],
      ),
    ];
  const interfaces = host.interfaces.map((spec) => spec.name);
  if (step.interface === undefined || interfaces.includes(step.interface)) return [];
  return [source.problem([...path, step.verb], `host ${host.name} has no interface ${step.interface}`, `it has ${interfaces.join(", ")}`)];
}

/** Hosts that are there and have addresses, and not more connections than a run can bear. */
function checkWorkloads({ workloads, hosts }: Scenario, source: ScenarioSource): ScenarioProblem[] {
  const names = hosts.map((host) => host.name);
  const problems = workloads.flatMap(({ from }, index) => {
    if (from.length === 0) return [source.problem(["workload", index, "from"], "no host opens connections", "name one")];
    return from.flatMap((name) => {
      const host = hosts.find((candidate) => candidate.name === name);
      if (host === undefined) return [unknownHost(name, names, source, ["workload", index, "from"])];
      const isAddressed = host.interfaces.some((spec) => spec.addresses.length > 0);
      return isAddressed ? [] : [source.problem(["workload", index, "from"], `host ${name} has no address to connect from`, "give it one in `interfaces`")];
    });
  });
  const count = workloads.reduce((sum, { arrivals, durationNs }) => sum + meanRate(arrivals) * (durationNs / NS_PER_SECOND), 0);
  if (count > WORKLOAD_CONNECTIONS_MAX)
    problems.push(source.problem(["workload"], `about ${Math.round(count)} connections, the most is ${WORKLOAD_CONNECTIONS_MAX}`, "shorten `duration` or lower the rate", true));
  if (workloads.length > WORKLOADS_MAX) problems.push(source.problem(["workload"], `${workloads.length} workloads, the most is ${WORKLOADS_MAX}`, "use fewer", true));
  return problems;
}

function unknownHost(name: string, known: readonly string[], source: ScenarioSource, path: YamlPath): ScenarioProblem {
  const meant = nearestWord(name, known);
  const list = known.length > 8 ? `${known.slice(0, 8).join(", ")}, ...` : known.join(", ");
  return source.problem(path, `unknown host \`${name}\``, meant === undefined ? `the hosts are ${list}` : `did you mean \`${meant}\`?`);
}
