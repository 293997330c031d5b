/**
 * What if: which lines may be left out, and what is told of each absence, on small scenarios with one peculiarity each.
 */

import { describe, expect, test } from "vitest";
import { parseScenario } from "../../../src/scenario/scenario-file.ts";
import { matchConversations } from "../../../src/why/run-summary.ts";
import { removableLines, scenarioWithout } from "../../../src/why/setup-lines.ts";
import { describeWhatIf, whatIf, type WhatIfResult } from "../../../src/why/what-if.ts";
import type { ConversationResult } from "../../../src/why/who-answers.ts";

/** A client behind a router and a server that was configured by a careful person. */
const ROUTED = `
title: routed
hosts:
  client:
    interfaces: { eth0: { link: out, address: 192.0.2.9/24 } }
    gateway: 192.0.2.1
  router:
    interfaces:
      eth0: { link: out, address: 192.0.2.1/24 }
      eth1: { link: in, address: 10.0.0.1/24 }
    forward: true
  server:
    interfaces: { eth0: { link: in, address: 10.0.0.2/24 } }
    run: |
      ip route add default via 10.0.0.1
      ip route replace default via 10.0.0.1
      echo "a page" > /var/www/html/index.html
      service httpd start
timeline:
  - { at: 1s, host: client, run: "curl -s -m 2 http://10.0.0.2/" }
duration: 4s
`;

function resultsOf(text: string): WhatIfResult[] {
  return [...whatIf(parseScenario(text, "test.yaml"))];
}

const routed = resultsOf(ROUTED);

function told(results: readonly WhatIfResult[], text: string, at = 0): string[] {
  const found = results.filter(({ line }) => line.text.includes(text))[at];
  expect(found, text).toBeDefined();
  return describeWhatIf(found as WhatIfResult);
}

test("an address takes the gateway that it reached along, and the run goes on", () => {
  expect(told(routed, "192.0.2.9/24")[0]).toBe("client: `eth0 address 192.0.2.9/24, and with it gateway 192.0.2.1` carries weight");
  expect(told(routed, "192.0.2.9/24")).toContain("client > 10.0.0.2:80: not at all instead of ok, by server");
});

test("a gateway stays while another address reaches it", () => {
  const scenario = parseScenario(ROUTED.replace("address: 192.0.2.9/24", "address: [192.0.2.9/24, 192.0.2.8/24]"), "test.yaml");
  const lines = removableLines(scenario).filter(({ line }) => line.host === "client" && line.kind === "address");
  expect(lines.map(({ line }) => line.text)).toEqual(["eth0 address 192.0.2.9/24", "eth0 address 192.0.2.8/24"]);
  expect(scenarioWithout(scenario, lines.slice(0, 1)).hosts[0]?.gateway).toBe(0xc0000201);
  expect(scenarioWithout(scenario, lines).hosts[0]?.gateway).toBeUndefined();
});

test("several lines are left out of one script and one file at once", () => {
  const scenario = parseScenario(ROUTED, "test.yaml");
  const run = removableLines(scenario).filter(({ line }) => line.kind === "run");
  const [first, , third] = run;
  expect(scenarioWithout(scenario, [first, third].filter((line) => line !== undefined)).hosts[2]?.run).toBe("ip route replace default via 10.0.0.1\nservice httpd start\n");
});

test("a run that cannot be made without a line is told, and the others are tried", () => {
  const waiting = ROUTED.replace('      echo "a page" > /var/www/html/index.html\n', "      touch /tmp/ready\n").replace("timeline:\n", "timeline:\n  - { at: 0s, host: server, run: 'until [ -e /tmp/ready ]; do sleep 0.001; done' }\n");
  const results = [...whatIf(parseScenario(waiting, "test.yaml"), { limits: { events: 2000 } })];
  expect(told(results, "touch")[1]).toMatch(/^without it the run cannot be made: test\.yaml:\d+.*limit `events` reached/);
  expect(results.length).toBe(routed.length);
});

test("a line that changes only what is printed carries weight", () => {
  expect(told(routed, "index.html")).toEqual([
    'server: `echo "a page" > /var/www/html/index.html` carries weight: only what it prints changes',
    'stdout of the step on line 20 has "from server" instead of "a page"',
  ]);
});

test("lines that stand in for each other", () => {
  expect(told(routed, "route add")).toEqual(["server: `ip route add default via 10.0.0.1` can go: nothing that this run prints or sends changes"]);
  expect(told(routed, "route replace")[1]).toBe("one of these two must stay: this and server: `ip route add default via 10.0.0.1`");
});

test("packets that nobody notices are told", () => {
  const oneArmed = ROUTED.replace("link: in, address: 10.0.0.2/24", "link: out, address: 192.0.2.3/24")
    .replaceAll("via 10.0.0.1", "via 192.0.2.1")
    .replace("    forward: true", "    forward: true\n    run: sysctl -q -w net.ipv4.conf.all.send_redirects=0 net.ipv4.conf.eth0.send_redirects=0")
    .replace("gateway: 192.0.2.1\n", "gateway: 192.0.2.1\n    run: 'ip route add 192.0.2.3/32 via 192.0.2.1'\n")
    .replace("http://10.0.0.2/", "http://192.0.2.3/");
  const [head, ...rest] = told(resultsOf(oneArmed), "send_redirects");
  expect(head).toMatch(/can go: nothing that this run prints changes, only packets$/);
  expect(rest.join("\n")).toMatch(/router sends ICMP redirects for 192\.0\.2\.9 to client: \d instead of 0/);
});

describe("conversations are matched by who called whom", () => {
  const call = (client: string, servedBy: string | null, to = "10.0.0.100:80"): ConversationResult => ({ client, protocol: "tcp", to, outcome: servedBy === null ? "refused" : "ok", servedBy });
  const [a, b] = [call("c", "rs1"), call("c", "rs2")];
  const check = call("lb", "rs1", "10.0.0.11:80");

  test("calls of others in between shift nothing", () => {
    expect(matchConversations([a, check, b], [check, check, a, b])).toEqual([{ number: 1, before: null, after: check }]);
  });

  test("one call less, first, in the middle or last, is one change", () => {
    for (const missing of [0, 1, 2, 3]) {
      const before = [a, b, call("c", null), b];
      const after = before.filter((_one, i) => i !== missing);
      expect(matchConversations(before, after).map(({ after: left }) => left)).toEqual([null]);
    }
  });

  test("as many calls are compared one by one", () => {
    expect(matchConversations([a, b], [b, b])).toEqual([{ number: 0, before: a, after: b }]);
  });
});

test("conversations that change alike are told once", () => {
  const text = ROUTED.replace("curl -s -m 2 http://10.0.0.2/", "for i in 1 2 3; do curl -s -m 2 http://10.0.0.2/; done");
  expect(told(resultsOf(text), "httpd")).toContain("client > 10.0.0.2:80: refused instead of ok, by server (3 times)");
});
