/**
 * What arp, ip neigh and ip fou of the reference system printed, replayed command by command on hosts in the same state.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Command } from "../../../../src/shell/command.ts";
import { arpCommand } from "../../../../src/shell/commands/arp-command.ts";
import { runIpFou } from "../../../../src/shell/commands/ip/ip-fou.ts";
import { runIpNeigh } from "../../../../src/shell/commands/ip/ip-neigh.ts";
import { IpExit, type IpSession } from "../../../../src/shell/commands/ip/ip-output.ts";
import { pingCommand } from "../../../../src/shell/commands/ping.ts";
import { parseTranscript } from "../../../helpers/command-run.ts";
import { Laboratory } from "../../host/two-hosts.ts";
import { Bench } from "./reachability-machine.ts";

/** ip without its options: the object's words go to the part under test. */
const ip: Command = {
  path: "/usr/sbin/ip",
  run(context) {
    const flags = { family: undefined, statistics: 0, details: 0, isOneLine: false, isBrief: false, isJson: false, isPretty: false, isHuman: false };
    const session: IpSession = {
      context,
      flags,
      host: context.machine.host,
      nl: "\n",
      out: (text) => void context.stdout.write(text),
      err: (text) => void context.stderr.write(text),
    };
    try {
      return (context.args[0] === "fou" ? runIpFou : runIpNeigh)(session, context.args.slice(1));
    } catch (error) {
      if (!(error instanceof IpExit)) throw error;
      context.stderr.write(error.text);
      return error.exit;
    }
  },
};

function bench(): { lab: Laboratory; on: Bench } {
  const lab = new Laboratory();
  const a = lab.host("a", { eth0: "lan 10.0.0.1/24", eth1: "lan2 10.1.0.1/24" });
  lab.plug(a, "spare", "nowhere");
  const eth0 = a.devices.byName("eth0");
  if (eth0 !== undefined) a.devices.setMac(eth0, 0x020000000001);
  const b = lab.host("b", { eth0: "lan 10.0.0.2/24" });
  const other = b.devices.byName("eth0");
  if (other !== undefined) b.devices.setMac(other, 0x020000000003);
  const on = new Bench(a, [arpCommand, pingCommand, ip]);
  expect(on.run("ping -c 1 10.0.0.2").exit).toBe(0);
  return { lab, on };
}

/** Addresses come in the order of a hash whose seed is random. */
function sorted(text: string): string {
  return text.split("\n").sort().join("\n");
}

function replay(transcript: string, prepare: (lab: Laboratory, on: Bench) => void, skip: (command: string) => boolean = () => false): string[] {
  const { lab, on } = bench();
  prepare(lab, on);
  const text = readFileSync(join(import.meta.dirname, "transcripts", `${transcript}.txt`), "utf8");
  const differences: string[] = [];
  for (const step of parseTranscript(text)) {
    if (skip(step.command)) continue;
    const got = on.run(step.command);
    lab.run(0.02);
    if (sorted(got.all) !== sorted(step.output) || got.exit !== step.exit)
      differences.push(`$ ${step.command}\n--- real ${step.exit}\n${step.output}--- simulated ${got.exit}\n${got.all}`);
  }
  return differences;
}

test("arp shows the table", () => {
  const startPing = (lab: Laboratory, on: Bench): void => {
    on.start("ping -c 1 -W 1 10.0.0.77");
    lab.run(0.3);
  };
  expect(replay("arp-show", startPing).join("\n")).toBe("");
});

test("arp changes the table", () => {
  const failed = (lab: Laboratory, on: Bench): void => {
    on.run("ping -c 1 -W 1 10.0.0.77");
    lab.run(4);
  };
  expect(replay("arp-change", failed).join("\n")).toBe("");
});

test("ip neigh", () => {
  const prepare = (_: Laboratory, on: Bench): void => {
    for (const line of ["arp -s 10.0.0.50 02:00:00:00:00:50", "arp -i eth0 -s 10.0.0.53 02:00:00:00:00:53", "arp -Ds 10.0.0.60 eth0 pub"]) on.run(line);
  };
  // A proxy for every device and a neighbour on lo are refused; multicast addresses and states without timers are in.
  const skipped = new Set(["ip neigh add proxy 10.0.0.81", "ip neigh show proxy", "ip neigh add 10.0.0.75 lladdr 02:00:00:00:00:75 dev lo"]);
  expect(replay("ip-neigh", prepare, (command) => skipped.has(command)).join("\n")).toBe("");
});

test("ip fou", () => {
  expect(replay("ip-fou", () => {}).join("\n")).toBe("");
});
