/**
 * The steps of recorded scenarios that only ask for or change addresses, routes and settings: the same commands, on a host alone, print what
 * the kernel's host printed. A host on which anything else has run is left alone from then on.
 */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { loadRecording } from "../../../../kernel/places.ts";
import type { Command } from "../../../../src/shell/command.ts";
import { ifconfigCommand } from "../../../../src/shell/commands/ifconfig.ts";
import { ipCommand } from "../../../../src/shell/commands/ip/ip.ts";
import { routeCommand } from "../../../../src/shell/commands/route.ts";
import { sysctlCommand } from "../../../../src/shell/commands/sysctl-command.ts";
import { runCommand, wordsOf } from "../../../helpers/command-run.ts";
import { internetHost, type TestHost, type TestInterface } from "../../../helpers/internet-host.ts";

const FOLDER = join(import.meta.dirname, "../../../conformance");
const COMMANDS: Readonly<Record<string, Command>> = { ifconfig: ifconfigCommand, ip: ipCommand, route: routeCommand, sysctl: sysctlCommand };
/** They change nothing that the commands above show, as long as counters are not compared. */
const HARMLESS = new Set([
  "ping",
  "curl",
  "arping",
  "arp",
  "sleep",
  "hostname",
  "netstat",
  "traceroute",
  "service",
  "modprobe",
  "ipvsadm",
  "tcpdump",
  "true",
  "cat",
  "ls",
]);

interface Recorded {
  readonly stdout: string;
  readonly stderr: string;
}

interface HostSpec {
  readonly interfaces: Readonly<
    Record<string, { readonly link: string; readonly address?: string | readonly string[]; readonly mtu?: number; readonly mac?: string }>
  >;
  readonly gateway?: string;
  readonly forward?: boolean;
  readonly run?: string;
}

function normal(text: string): string {
  return text
    .replace(/^\d+: (\S+?)(@\S+)?:/gm, "N: $1:")
    .replace(/ link-netnsid \d+|@if\d+|qdisc \S+ |valid_lft .*$/gm, "")
    .replace(/[RT]X packets.*/g, "packets")
    .replace(/02(:[0-9a-f]{2}){5}/g, "MAC")
    .replace(/ether [0-9a-f:]{17}/g, "ether MAC")
    .split("\n")
    .map((line) => line.trim().replace(/\s+/g, " "))
    .filter((line) => line !== "")
    .sort()
    .join("\n");
}

/** What the script printed, or undefined when not all of it could be compared; `taints` when something unknown has run. */
function perform(host: TestHost, script: string): { readonly result: Recorded | undefined; readonly taints: boolean } {
  let stdout = "";
  let stderr = "";
  let exit = 0;
  let isWhole = true;
  let count = 0;
  for (const raw of script.split(/[;\n]/)) {
    const part = raw.trim();
    if (part === "" || part.startsWith("#")) continue;
    const echo = /^echo (\S+) > \/proc\/sys\/(\S+)$/.exec(part);
    const words = wordsOf(part);
    const command = COMMANDS[words[0] as string];
    const isPlain = !/[|<>&$`(){}[\]]/.test(part);
    const isOwn =
      command !== undefined &&
      !(words[0] === "ip" && words.slice(1).some((word) => /^(n|nei.*|fou|netns|monitor)$/.test(word))) &&
      !/\.vs\.|tmp|hostname/.test(part);
    if (echo !== null) host.sysctl.write((echo[2] as string).replaceAll("/", "."), `${echo[1]}\n`);
    else if (part === "echo $?") stdout += `${exit}\n`;
    else if (isPlain && isOwn) {
      const ran = runCommand(host, command, words.slice(1), { files: new Map([["/etc/sysctl.conf", ""]]) });
      stdout += ran.stdout;
      stderr += ran.stderr;
      exit = ran.exit;
      count++;
    } else if (isPlain && HARMLESS.has(words[0] as string)) isWhole = false;
    else return { result: undefined, taints: true };
  }
  return { result: isWhole && count > 0 ? { stdout, stderr } : undefined, taints: false };
}

function replay(name: string): { compared: number; differences: string[] } {
  const scenario = parse(readFileSync(join(FOLDER, `${name}.yaml`), "utf8"), { merge: true }) as {
    readonly hosts: Record<string, HostSpec>;
    readonly timeline?: readonly Record<string, string>[];
  };
  const recorded = loadRecording(`test/conformance/${name}.yaml`)?.outputs ?? new Map<string, Recorded>();
  const attached = new Map<string, number>();
  const differences: string[] = [];
  let compared = 0;
  for (const [hostName, spec] of Object.entries(scenario.hosts)) {
    const interfaces: Record<string, TestInterface> = {};
    for (const [device, { link, address, mtu }] of Object.entries(spec.interfaces)) {
      interfaces[device] = { link, addresses: [address ?? []].flat(), mtu, linkPosition: attached.get(link) ?? 0 };
      attached.set(link, (attached.get(link) ?? 0) + 1);
    }
    const host = internetHost(interfaces);
    if (spec.gateway !== undefined) runCommand(host, ipCommand, ["route", "add", "default", "via", spec.gateway]);
    if (spec.forward === true) host.sysctl.write("net.ipv4.ip_forward", "1");
    const steps: { script: string; real: Recorded | null | undefined }[] = spec.run === undefined ? [] : [{ script: spec.run, real: recorded.get(`setup ${hostName}`) }];
    (scenario.timeline ?? []).forEach((step, i) => {
      if (step.host === hostName && step.run !== undefined) steps.push({ script: step.run, real: recorded.get(`step ${i}`) });
      else if ((step.down ?? step.up ?? step.crash ?? "").startsWith(hostName)) steps.push({ script: "(", real: undefined });
    });
    for (const { script, real } of steps) {
      const { result, taints } = perform(host, script);
      if (taints) break;
      if (result === undefined || real === null || real === undefined) continue;
      compared++;
      for (const stream of ["stdout", "stderr"] as const) {
        if (normal(result[stream]) !== normal(real[stream]))
          differences.push(`${name} ${hostName}: ${script}\n--- real ${stream}\n${normal(real[stream])}\n--- simulated\n${normal(result[stream])}`);
      }
    }
  }
  return { compared, differences };
}

test("recorded scenarios: addresses, links, routes, rules and settings read as the kernel's", () => {
  const names = readdirSync(FOLDER)
    .filter((file) => file.endsWith(".yaml"))
    .map((file) => file.slice(0, -5));
  const results = names.map(replay);
  expect(results.flatMap((result) => result.differences).join("\n\n")).toBe("");
  expect(results.reduce((sum, result) => sum + result.compared, 0)).toBeGreaterThan(40);
});
