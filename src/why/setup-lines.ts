/**
 * The lines of a scenario's set-up, and the scenario without some of them.
 *
 * A line is a statement of a host's `run` (with all of its lines, when it has several), a line of sysctl.conf or keepalived.conf among its `files`
 * (a block of keepalived.conf is one), its gateway, its `forward`, or an address of an interface. A gateway that no address reaches any longer
 * goes with the address, as on a machine whose default route cannot be set while all else is.
 */

import { formatIpv4Address, type Ipv4Cidr, isInPrefix } from "../base/ipv4-address.ts";
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

/** What a line takes up in its host. */
type Cut =
  | { readonly kind: "gateway" | "forward" }
  | { readonly kind: "address"; readonly cidr: Ipv4Cidr }
  /** Lines of the file, from 0, both ends included. */
  | { readonly kind: "file"; readonly path: string; readonly first: number; readonly last: number }
  /** Characters of the script. */
  | { readonly kind: "run"; readonly from: number; readonly to: number };

/** A line that can be left out. */
export interface RemovableLine {
  readonly line: SetupLine;
  readonly cut: Cut;
}

/** Every line that can be left out, host by host. */
export function setupLines(scenario: Scenario): SetupLine[] {
  return removableLines(scenario).map(({ line }) => line);
}

export function removableLines(scenario: Scenario): RemovableLine[] {
  return scenario.hosts.flatMap((host) => [...addressLines(host), ...hostLines(host), ...fileLines(host), ...runLines(host)]);
}

/** The scenario as it would be had these lines not been written. */
export function scenarioWithout(scenario: Scenario, lines: readonly RemovableLine[]): Scenario {
  const hosts = scenario.hosts.map((host) => {
    const cuts = lines.filter(({ line }) => line.host === host.name).map(({ cut }) => cut);
    return cuts.length === 0 ? host : hostWithout(host, cuts);
  });
  return { ...scenario, hosts };
}

function hostWithout(host: HostSpec, cuts: readonly Cut[]): HostSpec {
  const gone = new Set(cuts.flatMap((cut) => (cut.kind === "address" ? [cut.cidr] : [])));
  const interfaces = host.interfaces.map((one) => (one.addresses.some((cidr) => gone.has(cidr)) ? { ...one, addresses: one.addresses.filter((cidr) => !gone.has(cidr)) } : one));
  const isGatewayGone = cuts.some(({ kind }) => kind === "gateway") || isGatewayLost(host, interfaces);
  return {
    ...host,
    interfaces,
    gateway: isGatewayGone ? undefined : host.gateway,
    forward: host.forward && !cuts.some(({ kind }) => kind === "forward"),
    files: host.files.map(({ path, text }) => ({ path, text: textWithout(path, text, cuts) })),
    run: host.run === undefined ? undefined : scriptWithout(host.run, cuts),
  };
}

/** An address of the host reached the gateway, and none of `left` does. */
function isGatewayLost({ gateway, interfaces }: HostSpec, left: HostSpec["interfaces"]): boolean {
  return gateway !== undefined && isReached(gateway, interfaces) && !isReached(gateway, left);
}

function isReached(gateway: number, interfaces: HostSpec["interfaces"]): boolean {
  return interfaces.some(({ addresses }) => addresses.some(({ address, prefixLength }) => isInPrefix(gateway, address, prefixLength)));
}

function textWithout(path: string, text: string, cuts: readonly Cut[]): string {
  const own = cuts.filter((cut) => cut.kind === "file" && cut.path === path) as Extract<Cut, { readonly kind: "file" }>[];
  if (own.length === 0) return text;
  const lines = text.split("\n");
  return lines.filter((_line, at) => !own.some(({ first, last }) => first <= at && at <= last)).join("\n");
}

function scriptWithout(script: string, cuts: readonly Cut[]): string {
  const own = cuts.filter((cut) => cut.kind === "run");
  // From the end, so that what is before keeps its place.
  return own.sort((a, b) => b.from - a.from).reduce((rest, { from, to }) => `${rest.slice(0, from)}${rest.slice(to)}`, script);
}

function addressLines(host: HostSpec): RemovableLine[] {
  return host.interfaces.flatMap((one) =>
    one.addresses.map((cidr): RemovableLine => {
      const left = host.interfaces.map((other) => ({ ...other, addresses: other.addresses.filter((address) => address !== cidr) }));
      const also = host.gateway !== undefined && isGatewayLost(host, left) ? `, and with it gateway ${formatIpv4Address(host.gateway)}` : "";
      const text = `${one.name} address ${formatIpv4Address(cidr.address)}/${cidr.prefixLength}${also}`;
      return { line: { host: host.name, kind: "address", text, line: one.place.line, path: undefined }, cut: { kind: "address", cidr } };
    }),
  );
}

function hostLines(host: HostSpec): RemovableLine[] {
  const { name, gateway, forward, place } = host;
  const found: RemovableLine[] = [];
  const base = { host: name, line: place.line, path: undefined };
  if (gateway !== undefined) found.push({ line: { ...base, kind: "gateway", text: `gateway ${formatIpv4Address(gateway)}` }, cut: { kind: "gateway" } });
  if (forward) found.push({ line: { ...base, kind: "forward", text: "forward: true" }, cut: { kind: "forward" } });
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
      return [{ line: { host: host.name, kind: "file", text: last > first ? `${trimmed} ... }` : trimmed, line: 0, path }, cut: { kind: "file", path, first, last } }];
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
    const line = host.scriptLine + run.slice(0, from).split("\n").length - 1;
    return { line: { host: host.name, kind: "run", text: run.slice(from, to).trim(), line, path: undefined }, cut: { kind: "run", from, to } };
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
