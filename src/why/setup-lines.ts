/**
 * The lines of a scenario's set-up, and the scenario without one of them.
 *
 * A line is a statement of a host's `run` (with all of its lines, when it has several), a line of sysctl.conf or keepalived.conf among its `files`
 * (a block of keepalived.conf is one), its gateway, its `forward`, or an address of an interface.
 */

import { formatIpv4Address } from "../base/ipv4-address.ts";
import type { HostSpec, Scenario } from "../scenario/scenario-file.ts";
import { parse } from "unbash";

export interface SetupLine {
  readonly host: string;
  readonly kind: "run" | "file" | "gateway" | "forward" | "address";
  /** As it is written. */
  readonly text: string;
  /** Line of the scenario file, 0 when it is not known. */
  readonly line: number;
  /** For a line of a file. */
  readonly path: string | undefined;
}

interface RemovableLine extends SetupLine {
  readonly without: (host: HostSpec) => HostSpec;
}

/** Every line that can be left out, host by host. */
export function setupLines(scenario: Scenario): SetupLine[] {
  return removableLines(scenario).map(({ without: _without, ...line }) => line);
}

/** Each line with the scenario that lacks it. */
export function* scenariosWithout(scenario: Scenario): Generator<{ readonly line: SetupLine; readonly scenario: Scenario }> {
  for (const { without, ...line } of removableLines(scenario))
    yield { line, scenario: { ...scenario, hosts: scenario.hosts.map((host) => (host.name === line.host ? without(host) : host)) } };
}

function removableLines(scenario: Scenario): RemovableLine[] {
  return scenario.hosts.flatMap((host) => [...addressLines(host), ...hostLines(host), ...fileLines(host), ...runLines(host)]);
}

function addressLines(host: HostSpec): RemovableLine[] {
  return host.interfaces.flatMap((one) =>
    one.addresses.map((cidr): RemovableLine => {
      const text = `${one.name} address ${formatIpv4Address(cidr.address)}/${cidr.prefixLength}`;
      const without = (from: HostSpec): HostSpec => ({
        ...from,
        interfaces: from.interfaces.map((other) => (other.name === one.name ? { ...other, addresses: other.addresses.filter((address) => address !== cidr) } : other)),
      });
      return { host: host.name, kind: "address", text, line: one.place.line, path: undefined, without };
    }),
  );
}

function hostLines(host: HostSpec): RemovableLine[] {
  const { name, gateway, forward, place } = host;
  const found: RemovableLine[] = [];
  const base = { host: name, line: place.line, path: undefined };
  if (gateway !== undefined) found.push({ ...base, kind: "gateway", text: `gateway ${formatIpv4Address(gateway)}`, without: (from) => ({ ...from, gateway: undefined }) });
  if (forward) found.push({ ...base, kind: "forward", text: "forward: true", without: (from) => ({ ...from, forward: false }) });
  return found;
}

/** Files whose lines are settings one by one. */
const SETTINGS = /(^|\/)(sysctl[^/]*\.conf|sysctl\.d\/[^/]+|keepalived\.conf)$/;

function fileLines(host: HostSpec): RemovableLine[] {
  return host.files.flatMap(({ path, text }) => {
    if (!SETTINGS.test(path)) return [];
    const lines = text.split("\n");
    return lines.flatMap((line, first): RemovableLine[] => {
      const trimmed = line.trim();
      if (trimmed === "" || trimmed.startsWith("}") || /^[#!;]/.test(trimmed)) return [];
      const last = trimmed.includes("{") ? endOfBlock(lines, first) : first;
      const rest = [...lines.slice(0, first), ...lines.slice(last + 1)].join("\n");
      const without = (from: HostSpec): HostSpec => ({ ...from, files: from.files.map((file) => (file.path === path ? { path, text: rest } : file)) });
      return [{ host: host.name, kind: "file", text: last > first ? `${trimmed} ... }` : trimmed, line: 0, path, without }];
    });
  });
}

function endOfBlock(lines: readonly string[], first: number): number {
  let depth = 0;
  for (let i = first; i < lines.length; i++) {
    const line = (lines[i] ?? "").replace(/[#!].*$/, "");
    depth += line.split("{").length - line.split("}").length;
    if (depth <= 0) return i;
  }
  return lines.length - 1;
}

/** The statements of the script; one that the parser cannot take apart is left whole. */
function runLines(host: HostSpec): RemovableLine[] {
  const { run } = host;
  if (run === undefined) return [];
  return statementsOf(run).map(({ from, to }): RemovableLine => {
    const rest = `${run.slice(0, from)}${run.slice(to)}`;
    const line = host.scriptLine + run.slice(0, from).split("\n").length - 1;
    return { host: host.name, kind: "run", text: run.slice(from, to).trim(), line, path: undefined, without: (spec) => ({ ...spec, run: rest }) };
  });
}

function statementsOf(script: string): { readonly from: number; readonly to: number }[] {
  let commands: readonly { readonly pos: number; readonly end: number }[];
  try {
    commands = parse(script).commands;
  } catch {
    return [];
  }
  return commands.map(({ pos }, i) => ({ from: pos, to: commands[i + 1]?.pos ?? script.length }));
}
