/**
 * Turns a scenario into what the kernel's side is told to do, every default resolved. What a kernel without an init cannot do is refused by name.
 */

import { formatIpv4Address } from "../src/base/ipv4-address.ts";
import { formatMacAddress } from "../src/base/mac-address.ts";
import type { Fault, Target } from "../src/scenario/fault.ts";
import type { Scenario, Step } from "../src/scenario/scenario-file.ts";
import { TABLE_COMMANDS } from "./tables.ts";

/** What the kernel cannot act out; the message says which step and why. */
export class CannotRecord extends Error {}

export function jobOf(scenario: Scenario): object {
  if (scenario.workloads.length > 0) throw new CannotRecord("a workload is drawn by the simulator: the kernel has no such thing");
  return {
    kind: "scenario",
    links: scenario.links.map(({ name }) => name),
    hosts: scenario.hosts.map((host) => ({
      name: host.name,
      interfaces: host.interfaces.map(({ name, link, addresses, mac, mtu }) => ({ name, link, addresses: addresses.map(({ address, prefixLength }) => `${formatIpv4Address(address)}/${prefixLength}`), mac: formatMacAddress(mac), mtu })),
      gateway: host.gateway === undefined ? undefined : formatIpv4Address(host.gateway),
      forward: host.forward,
      files: Object.fromEntries(host.files.map(({ path, text }) => [path, text])),
      run: host.run,
    })),
    timeline: scenario.timeline.map((step) => ({ at: step.atNs / 1e9, ...operationOf(step, scenario) })),
    duration: scenario.durationNs / 1e9,
    tables: TABLE_COMMANDS,
  };
}

/** How long the acting-out may take: steps that wait for their timeouts, and time to build and to tear down. */
export function secondsMaxOf(scenario: Scenario): number {
  const steps = scenario.timeline.map((step) => step.atNs / 1e9 + (step.verb === "run" ? step.timeoutNs / 1e9 : 0));
  return 120 + scenario.hosts.length * 65 + Math.max(scenario.durationNs / 1e9, 0, ...steps);
}

function operationOf(step: Step, scenario: Scenario): object {
  switch (step.verb) {
    case "run":
      return { op: "run", host: step.host, script: step.script, timeout: step.timeoutNs / 1e9 };
    case "down":
    case "up":
    case "crash":
      return { op: "ports", ports: portsOf(scenario, step.interface === undefined ? { kind: "host", host: step.host } : { kind: "interface", host: step.host, interface: step.interface }), up: step.verb === "up" };
    case "fault":
      return faultOperation(step.fault, scenario, step.place.line);
  }
}

function faultOperation(fault: Fault, scenario: Scenario, line: number): object {
  switch (fault.verb) {
    case "break":
    case "mend":
      if (fault.target.kind === "link") return { op: "power", link: fault.target.link, on: fault.verb === "mend" };
      return { op: "cables", ports: portsOf(scenario, fault.target), whole: fault.verb === "mend" };
    case "impair":
      if (/\b(loss|corrupt|duplicate|reorder)\b/.test(fault.words) && !/^(loss|duplicate) 100%$/.test(fault.words.trim()))
        throw new CannotRecord(`line ${line}: \`${fault.words}\` is chance: no two recordings would be alike`);
      return { op: "impair", ports: portsOf(scenario, fault.target), directions: directionsOf(fault), words: fault.words };
    case "partition":
      return { op: "partition", link: fault.link, groups: fault.groups.map((group) => group.flatMap((member) => portsOf(scenario, member, fault.link))) };
    case "kill":
      return { op: "kill", host: fault.host, process: fault.process, signal: fault.signal };
    case "poweroff":
      return { op: "poweroff", host: fault.host, ports: portsOf(scenario, { kind: "host", host: fault.host }) };
    case "reboot":
      throw new CannotRecord(`line ${line}: a reboot runs what the distribution's init starts, and the recorder's machines have no init`);
    case "slow":
    case "backlog":
      throw new CannotRecord(`line ${line}: \`${fault.verb}\` reaches into the simulated web server; the real Apache has no such switch`);
    case "clock":
      throw new CannotRecord(`line ${line}: all machines of one kernel share its clock`);
  }
}

function directionsOf(fault: Extract<Fault, { verb: "impair" }>): readonly string[] {
  if (fault.words.trim() === "") return ["in", "out"];
  if (fault.direction === "both") return fault.target.kind === "link" ? ["out"] : ["in", "out"];
  return [fault.direction];
}

function portsOf(scenario: Scenario, target: Target, onLink?: string): string[] {
  return scenario.hosts.flatMap((host) =>
    host.interfaces
      .filter((one) => (target.kind === "link" ? one.link === target.link : target.host === host.name && (target.kind === "host" || target.interface === one.name)))
      .filter((one) => onLink === undefined || one.link === onLink)
      .map((one) => `${host.name}.${one.name}`),
  );
}
