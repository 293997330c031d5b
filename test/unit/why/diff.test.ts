/**
 * Where two runs part: the decision that made the difference is told, and what differs by itself is not.
 */

import { expect, test } from "vitest";
import { parseScenario } from "../../../src/scenario/scenario-file.ts";
import { describeDifference, diffRuns, type RunDifference } from "../../../src/why/diff.ts";
import { Evidence } from "../../../src/why/evidence.ts";
import { recordRun } from "../../../src/why/record-run.ts";

/** Two hosts; `a` calls `b`, which was set up by `setup`. */
function scenarioOf(setup: string, call = "ping -c 1 -W 1 10.0.0.2"): string {
  return `
title: a call
hosts:
  a: { interfaces: { eth0: { link: lan, address: 10.0.0.1/24 } } }
  b:
    interfaces: { eth0: { link: lan, address: 10.0.0.2/24 } }
    run: |
      true
      ${setup}
timeline:
  - { at: 1s, host: a, run: "${call}" }
`;
}

function diff(textA: string, textB: string): RunDifference {
  const [a, b] = [recordRun(parseScenario(textA, "a.yaml")), recordRun(parseScenario(textB, "b.yaml"))];
  return diffRuns(new Evidence(a), new Evidence(b), { a: a.result, b: b.result });
}

test("a drop that parts the runs is told, though no packet follows from it", () => {
  const difference = diff(scenarioOf("iptables -A INPUT -p icmp -j DROP"), scenarioOf("true"));
  const told = difference.decisions.a.map(({ text }) => text);
  expect(told[0]).toMatch(/^b changed its table netfilter: iptables -A INPUT /);
  expect(told.at(-1)).toMatch(/^b dropped it: a packet filter dropped it; .*\(NETFILTER_DROP\)\. The packet: IP 10\.0\.0\.1 > 10\.0\.0\.2: ICMP echo request/);
  expect(difference.decisions.a.map(({ isSetup }) => isSetup)).toEqual([true, false, false]);
  expect(difference.decisions.b).toEqual([]);
  const text = describeDifference(difference, { a: "A", b: "B" }).join("\n");
  expect(text).toMatch(/Before that, in one of them only:\n {2}A, in the set-up, record \d+: b changed its table/);
});

test("a setting of many devices is one line, without devices that nobody used", () => {
  const difference = diff(scenarioOf("for f in /proc/sys/net/ipv4/conf/*/arp_announce; do echo 2 > $f; done"), scenarioOf("true"));
  expect(difference.tables).toEqual([{ owner: "b", table: "sysctls", onlyA: ["net.ipv4.conf.{all,default,eth0,lo}.arp_announce = 2"], onlyB: ["net.ipv4.conf.{all,default,eth0,lo}.arp_announce = 0"] }]);
});

test("a device that is down is told when it is all that differs", () => {
  const difference = diff(scenarioOf("modprobe ipip; echo 2 > /proc/sys/net/ipv4/conf/tunl0/rp_filter"), scenarioOf("modprobe ipip"));
  expect(difference.isSame).toBe(false);
  expect(difference.tables.flatMap(({ onlyA }) => onlyA)).toEqual(["net.ipv4.conf.tunl0.rp_filter = 2"]);
});

test("neighbour entries that only grew older are the same", () => {
  const run = (sleep: string) => scenarioOf("true", `ping -c 1 10.0.0.2 > /dev/null; sleep ${sleep}`);
  const difference = diff(run("1"), run("60"));
  expect(difference.tables.filter(({ table }) => table === "neighbours")).toEqual([]);
});
