/**
 * arptables-legacy against a recording of the real one (arptables v0.0.5 on Linux 6.1, one network namespace): `[command, exit, stdout, stderr]`,
 * one after the other. Then what its rules do to ARP.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parseIpv4Address } from "../../../../../src/base/ipv4-address.ts";
import { SCOPE_GLOBAL } from "../../../../../src/host/device.ts";
import { ArpPacket } from "../../../../../src/wire/packet.ts";
import { ip, Laboratory } from "../../../host/two-hosts.ts";
import { BenchMachine } from "../iptables/bench-machine.ts";

type Recording = readonly [command: string, exit: number, stdout: string, stderr: string];

const recordings = JSON.parse(readFileSync(join(import.meta.dirname, "recordings.json"), "utf8")) as readonly Recording[];

test("arptables-legacy says what the real one says", () => {
  const machine = new BenchMachine(new Laboratory().host("host"));
  machine.files.set("/etc/hosts", "127.0.0.1 localhost\n");
  for (const [command, exit, stdout, stderr] of recordings) expect({ command, ...machine.run(command) }).toEqual({ command, exit, stdout, stderr });
});

/** A server with the VIP on lo, its rules, and a client that asks for `target`. Returns how ARP went: `1 > 1.2.3.4 tell 5.6.7.8`, `2 < ...`. */
function exchange(rules: readonly string[], target: string, source?: string): string[] {
  const lab = new Laboratory();
  const client = lab.host("client", { eth0: "lan 192.168.1.21/24" });
  const server = lab.host("server", { eth0: "lan 192.168.1.2/24" });
  const lo = server.devices.byName("lo");
  const vip = ip("192.168.1.110");
  if (lo !== undefined) server.addresses.add(lo, { address: vip, peer: vip, prefixLength: 32, broadcast: 0, scope: SCOPE_GLOBAL, label: "lo", noPrefixRoute: false });
  const machine = new BenchMachine(server);
  for (const rule of rules) expect(machine.run(`arptables-legacy ${rule}`)).toEqual({ exit: 0, stdout: "", stderr: "" });
  const asker = source === undefined ? client : server;
  const device = asker.devices.byName("eth0");
  if (device === undefined) throw new Error("no eth0");
  asker.arp.sendRequest(device, { senderIp: ip(source ?? "192.168.1.21"), targetIp: ip(target), destinationMac: 0xffffffffffff, cause: 0 });
  lab.loop.runUntil(1_000_000_000);
  return lab.frames
    .filter(({ frame, host }) => host === "client" && frame.payload instanceof ArpPacket)
    .map(({ frame, direction }) => {
      const { operation, senderIp, targetIp } = frame.payload as ArpPacket;
      return `${direction} ${operation} ${[senderIp, targetIp].map((a) => [24, 16, 8, 0].map((n) => (a >>> n) & 255).join(".")).join(" ")}`;
    });
}

const DROP = "-A INPUT -d 192.168.1.110 -j DROP";
const MANGLE = "-A OUTPUT -s 192.168.1.110 -j mangle --mangle-ip-s 192.168.1.2";

test.each([
  { name: "without rules the VIP is answered for", rules: [], target: "192.168.1.110", frames: ["out 1 192.168.1.21 192.168.1.110", "in 2 192.168.1.110 192.168.1.21"] },
  { name: "a dropped request stays unanswered", rules: [DROP], target: "192.168.1.110", frames: ["out 1 192.168.1.21 192.168.1.110"] },
  { name: "other addresses are answered for", rules: [DROP], target: "192.168.1.2", frames: ["out 1 192.168.1.21 192.168.1.2", "in 2 192.168.1.2 192.168.1.21"] },
  { name: "a policy drops what no rule takes", rules: ["-P INPUT DROP", "-A INPUT -d 192.168.1.110 -j ACCEPT"], target: "192.168.1.2", frames: ["out 1 192.168.1.21 192.168.1.2"] },
  { name: "an inverted test", rules: ["-A INPUT -s ! 192.168.1.21 -j DROP"], target: "192.168.1.2", frames: ["out 1 192.168.1.21 192.168.1.2", "in 2 192.168.1.2 192.168.1.21"] },
  { name: "a user chain that returns", rules: ["-N vips", "-A vips -j RETURN", "-A vips -j DROP", "-A INPUT -j vips"], target: "192.168.1.2", frames: ["out 1 192.168.1.21 192.168.1.2", "in 2 192.168.1.2 192.168.1.21"] },
  { name: "a sender's MAC under a mask", rules: ["-A INPUT --src-mac 02:00:00:00:00:00/ff:00:00:00:00:00 -j DROP"], target: "192.168.1.2", frames: ["out 1 192.168.1.21 192.168.1.2"] },
])("$name", ({ rules, target, frames }) => {
  expect(exchange(rules, target)).toEqual(frames);
});

test("a request in the VIP's name leaves in the server's own", () => {
  expect(exchange([MANGLE], "192.168.1.21", "192.168.1.110").slice(0, 2)).toEqual(["in 1 192.168.1.2 192.168.1.21", "out 2 192.168.1.21 192.168.1.2"]);
  expect(exchange([`${MANGLE} --mangle-target DROP`], "192.168.1.21", "192.168.1.110")).toEqual([]);
});

test("counters and loops", () => {
  const lab = new Laboratory();
  const server = lab.host("server", { eth0: "lan 192.168.1.2/24" });
  const machine = new BenchMachine(server);
  machine.run("arptables-legacy -A INPUT -d 192.168.1.110 -j DROP");
  const device = server.devices.byName("eth0");
  const request = (target: string): ArpPacket => new ArpPacket(1, 2, ip("192.168.1.21"), 0, parseIpv4Address(target) ?? 0);
  if (device === undefined) throw new Error("no eth0");
  expect(server.arp.table?.filter("INPUT", request("192.168.1.110"), device)).toBeUndefined();
  expect(server.arp.table?.filter("INPUT", request("192.168.1.2"), device)).toBeDefined();
  expect(machine.run("arptables-legacy -nvL INPUT").stdout).toBe("Chain INPUT (policy ACCEPT 1 packets, 28 bytes)\n-j DROP -i * -o * -d 192.168.1.110 , pcnt=1 -- bcnt=28 \n");
  machine.run("arptables-legacy -Z");
  expect(machine.run("arptables-legacy -nvL INPUT").stdout).toContain("pcnt=0 -- bcnt=0");
  machine.run("arptables-legacy -N a");
  machine.run("arptables-legacy -N b");
  machine.run("arptables-legacy -A a -j b");
  expect(machine.run("arptables-legacy -A b -j a")).toEqual({ exit: 1, stdout: "", stderr: "arptables: Loop found in table\n" });
});
