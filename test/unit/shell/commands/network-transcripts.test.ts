/**
 * What ifconfig, route, ip and sysctl of the reference system printed, replayed command by command.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Host } from "../../../../src/host/host.ts";
import type { Command } from "../../../../src/shell/command.ts";
import { ifconfigCommand } from "../../../../src/shell/commands/ifconfig.ts";
import { ipCommand } from "../../../../src/shell/commands/ip/ip.ts";
import { routeCommand } from "../../../../src/shell/commands/route.ts";
import { sysctlCommand } from "../../../../src/shell/commands/sysctl-command.ts";
import { parseTranscript, runCommand, wordsOf } from "../../../helpers/command-run.ts";
import { internetHost } from "../../../helpers/internet-host.ts";

const COMMANDS: Readonly<Record<string, Command>> = { ifconfig: ifconfigCommand, ip: ipCommand, route: routeCommand, sysctl: sysctlCommand };

/** Differences in how many blanks there are, or which line comes first, are none: scripts do not see them. */
function normal(text: string): string {
  return text
    .replace(/^\d+: (\S+?)(@\S+)?:/gm, "N: $1:")
    .replace(/ link-netnsid \d+/g, "")
    .replace(/@if\d+/g, "")
    .replace(/qdisc \S+ /g, "")
    .replace(/[RT]X packets.*/g, "packets")
    .replace(/(link\/)?ether [0-9a-f:]{17}/g, "ether MAC")
    .replace(/(unspec [0-9A-F]{2}-\d\d-\d\d-\d\d).*/g, "$1")
    .split("\n")
    .map((line) => line.trim().replace(/\s+/g, " "))
    .filter((line) => line !== "")
    .sort()
    .join("\n");
}

function hostOf(transcript: string): Host {
  const isConfigured = transcript === "ip-route-and-route" || transcript === "sysctl" || transcript === "ip-tunnel-and-link";
  const of = (address: string) => (isConfigured ? { addresses: [address] } : { linkPosition: 1 });
  const host = internetHost({ eth0: of("10.0.0.1/24"), eth1: of("10.0.1.1/24") });
  const ports: { port: number }[] = [];
  Object.assign(host, {
    fou: {
      list: ports,
      add: (port: { port: number }) => (ports.some((one) => one.port === port.port) ? "EADDRINUSE" : void ports.push(port)),
      remove: (port: number) => {
        const at = ports.findIndex((one) => one.port === port);
        return at < 0 ? "EINVAL" : void ports.splice(at, 1);
      },
    },
  });
  return host;
}

interface Difference {
  readonly command: string;
  readonly expected: string;
  readonly actual: string;
}

function replay(transcript: string): { compared: number; differences: Difference[] } {
  const text = readFileSync(join(import.meta.dirname, "transcripts", `${transcript}.txt`), "utf8");
  const host = hostOf(transcript);
  const files = new Map<string, string>([
    [
      "/tmp/t.conf",
      "net.ipv4.ip_forward=1\n  # x\n\nnet.ipv4.conf.all.arp_ignore =   1  \n-net.ipv4.foo = 3\nnet/ipv4/conf/lo/arp_ignore = 1\nnet.ipv4.conf.*.arp_announce = 2\n",
    ],
    ["/etc/sysctl.conf", ""],
    ["/etc/passwd", ""],
  ]);
  const differences: Difference[] = [];
  let compared = 0;
  for (const step of parseTranscript(text)) {
    let all = "";
    let exit = 0;
    let isKnown = true;
    for (const part of step.command.split(";")) {
      const [name = "", ...args] = wordsOf(part);
      const command = COMMANDS[name];
      if (command === undefined) {
        isKnown = false;
        break;
      }
      const ran = runCommand(host, command, args, { files });
      all += ran.all;
      exit = ran.exit;
    }
    if (!isKnown) continue;
    compared++;
    const expected = `${normal(step.output)}\n? ${step.exit}`;
    const actual = `${normal(all)}\n? ${exit}`;
    if (expected !== actual) differences.push({ command: step.command, expected, actual });
  }
  return { compared, differences };
}

test.each([
  { transcript: "ip-address", atLeast: 60 },
  { transcript: "ip-route-and-route", atLeast: 130 },
  { transcript: "ifconfig", atLeast: 80 },
  { transcript: "sysctl", atLeast: 30 },
  { transcript: "ip-tunnel-and-link", atLeast: 40 },
])("$transcript: every command prints what the real one printed", ({ transcript, atLeast }) => {
  const { compared, differences } = replay(transcript);
  expect(compared).toBeGreaterThanOrEqual(atLeast);
  expect(differences.map((difference) => `$ ${difference.command}\n--- real\n${difference.expected}\n--- simulated\n${difference.actual}`).join("\n\n")).toBe(
    "",
  );
});
