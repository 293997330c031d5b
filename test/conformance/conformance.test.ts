/**
 * Every scenario of this folder, run here and compared with what the real kernel did: conversation by conversation at each interface, output by
 * output, exit status by exit status.
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { formatMacAddress } from "../../src/base/mac-address.ts";
import { LINUX_PARTS } from "../../src/scenario/linux-parts.ts";
import { type RunResult, runScenario } from "../../src/scenario/run-scenario.ts";
import { parseScenario, type Scenario } from "../../src/scenario/scenario-file.ts";
import { linesOf, normalOutput, storyDifferences, storyOf, withoutRepetition } from "../helpers/story.ts";

const FOLDER = import.meta.dirname;
/** Without a duration frames of the first six seconds are compared. */
const DEFAULT_SECONDS = 6;

/**
 * Scenarios whose recording and run still differ, and why. Each is run all the same, and its test fails once they agree, so that its line here goes.
 */
const KNOWN_DIFFERENCES: ReadonlyMap<string, string> = new Map([
  ["ka-vmac", "a master that is overruled answers the gratuitous ARP that follows the advertisement at once; ours has given the address up by then"],
  ["nat-ip-forward-0", "client and server retransmit in one tick: the kernel's SYN+ACK passes the director before the SYN, ours after it; two recordings alike"],
  ["nat-one-arm-redirect-obeyed", "the reset arrives 20 us after the data: nc prints nothing, ours has read by then; two recordings alike"],
  ["net-addresses", "ifconfig counts 7 frames received, ours 8; two recordings alike, cause not found"],
  ["net-bulk", "how many segments a burst of a bulk transfer has, and one segment sent again; cause not found"],
  ["net-conntrack", "Apache takes more than a tick to close a connection that asked nothing: a bare ACK precedes its FIN; two recordings alike"],
  ["out-shell", "the line number in the message of an assignment to a readonly variable, after a subshell and a here-document"],
  ["tun-big-upload", "how much is sent again after a fragmentation-needed message; cause not found"],
]);

/** keepalived's checks and advertisements begin at random times and go on for ever: how often something was said does not count. */
const isLoose = (name: string): boolean => name.startsWith("ka-");

interface KernelScript {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface KernelResult {
  readonly t0: number;
  readonly setup: Readonly<Record<string, KernelScript>>;
  readonly timeline: readonly (KernelScript | Record<string, never>)[];
}

const names = readdirSync(FOLDER)
  .filter((name) => name.endsWith(".yaml"))
  .map((name) => name.slice(0, -".yaml".length))
  .sort();

function load(name: string): { readonly scenario: Scenario; readonly kernel: KernelResult } {
  const file = join(FOLDER, `${name}.yaml`);
  return { scenario: parseScenario(readFileSync(file, "utf8"), file), kernel: JSON.parse(readFileSync(join(FOLDER, "kernel", name, "result.json"), "utf8")) as KernelResult };
}

function frameDifferences(name: string, scenario: Scenario, kernel: KernelResult, result: RunResult): string[] {
  const macs = new Map(scenario.hosts.flatMap((host) => host.interfaces.map((one) => [formatMacAddress(one.mac), `${host.name}.${one.name}`] as const)));
  const seconds = scenario.durationNs > 0 ? scenario.durationNs / 1e9 : DEFAULT_SECONDS;
  return scenario.hosts.flatMap((host) =>
    host.interfaces.flatMap((one) => {
      const point = `${host.name}.${one.name}`;
      const capture = result.captures.captures.find(({ hostName, deviceName }) => hostName === host.name && deviceName === one.name);
      if (capture === undefined) return [`${point}: no capture`];
      const theirs = storyOf(readFileSync(join(FOLDER, "kernel", name, `${point}.pcap`)), macs, kernel.t0, seconds);
      const ours = storyOf(capture.toBytes(result.originNs), macs, 0, seconds);
      const differences = isLoose(name) ? storyDifferences(withoutRepetition(theirs), withoutRepetition(ours)) : storyDifferences(theirs, ours);
      return differences.map((difference) => `${point}: ${difference}`);
    }),
  );
}

/** Lines that only one of two outputs has. */
function lineDifferences(kernel: string, ours: string): string {
  const rest = ours.split("\n");
  const missing = kernel.split("\n").filter((line) => {
    const index = rest.indexOf(line);
    if (index >= 0) rest.splice(index, 1);
    return index < 0;
  });
  return [...missing.map((line) => `  kernel ${line}`), ...rest.map((line) => `  ours   ${line}`)].join("\n");
}

function outputDifferences(name: string, scenario: Scenario, kernel: KernelResult, result: RunResult): string[] {
  const wrong: string[] = [];
  const check = (where: string, command: string, theirs: KernelScript, ours: { readonly exit: number | null; readonly stdout: string; readonly stderr: string } | undefined) => {
    if (ours === undefined) {
      wrong.push(`${where}: no result`);
      return;
    }
    if (theirs.exit !== ours.exit) wrong.push(`${where}: exit ${ours.exit}, the kernel's ${theirs.exit}`);
    for (const field of ["stdout", "stderr"] as const) {
      const normal = (text: string): string => (isLoose(name) ? linesOf(normalOutput(text, command)) : normalOutput(text, command));
      const expected = normal(theirs[field]);
      const actual = normal(ours[field]);
      if (expected !== actual) wrong.push(`${where}: ${command.trim().slice(0, 100)}: ${field}\n${lineDifferences(expected, actual)}`);
    }
  };
  for (const [host, theirs] of Object.entries(kernel.setup)) check(`setup ${host}`, scenario.hosts.find(({ name }) => name === host)?.run ?? "", theirs, result.setup[host]);
  scenario.timeline.forEach((step, i) => {
    const theirs = kernel.timeline[i];
    if (step.verb === "run" && theirs !== undefined && "exit" in theirs) check(`at ${step.atNs / 1e9} s on ${step.host}`, step.script, theirs as KernelScript, result.timeline[i] as KernelScript);
  });
  return wrong;
}

test("there are scenarios, and each has its recording", () => {
  expect(names.length).toBeGreaterThan(100);
  expect(readdirSync(join(FOLDER, "kernel")).sort()).toEqual(names);
  expect([...KNOWN_DIFFERENCES.keys()].filter((name) => !names.includes(name))).toEqual([]);
});

describe("as the kernel", () => {
  test.each(names)("%s", (name) => {
    const { scenario, kernel } = load(name);
    const result = runScenario(scenario, { parts: LINUX_PARTS, capturesFrames: true });
    expect(result.unmet).toEqual([]);
    const differences = [...frameDifferences(name, scenario, kernel, result), ...outputDifferences(name, scenario, kernel, result)].join("\n\n");
    if (KNOWN_DIFFERENCES.has(name)) expect(differences, "agrees now: take it from KNOWN_DIFFERENCES").not.toBe("");
    else expect(differences).toBe("");
  });
});
