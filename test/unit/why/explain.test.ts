/**
 * Explanations, what if and differences on one small scenario.
 */

import { expect, test } from "vitest";
import { parseScenario } from "../../../src/scenario/scenario-file.ts";
import { diffRuns, describeDifference } from "../../../src/why/diff.ts";
import { Evidence } from "../../../src/why/evidence.ts";
import { explainMoment, explainRecord, explainRun } from "../../../src/why/explain.ts";
import { recordRun } from "../../../src/why/record-run.ts";
import { setupLines } from "../../../src/why/setup-lines.ts";
import { describeWhatIf, whatIf } from "../../../src/why/what-if.ts";

const TEXT = `
title: two servers
hosts:
  client:
    interfaces: { eth0: { link: lan, address: 10.0.0.50/24 } }
  director:
    interfaces: { eth0: { link: lan, address: 10.0.0.10/24 } }
    run: |
      ip addr add 10.0.0.100/32 dev eth0
      ipvsadm -A -t 10.0.0.100:80 -s wlc
      ipvsadm -a -t 10.0.0.100:80 -r 10.0.0.11 -g
      ipvsadm -a -t 10.0.0.100:80 -r 10.0.0.12 -g
  rs1: &rs
    interfaces: { eth0: { link: lan, address: 10.0.0.11/24 } }
    run: |
      echo hello > /tmp/note
      sysctl -q -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2
      ip addr add 10.0.0.100/32 dev lo
      service httpd start
  rs2:
    <<: *rs
    interfaces: { eth0: { link: lan, address: 10.0.0.12/24 } }
timeline:
  - { at: 1s, host: client, run: "curl -s -m 1 http://10.0.0.100/", expect: { stdout: "from rs2\\n" } }
duration: 3s
`;

const scenario = parseScenario(TEXT, "test.yaml");
const evidence = new Evidence(recordRun(scenario));

test("the story cites what decided", () => {
  const [story, ...others] = explainRun(evidence);
  expect(others).toEqual([]);
  expect(story?.title).toMatch(/client \(10\.0\.0\.50:\d+\) called 10\.0\.0\.100:80 by tcp: it was answered/);
  const text = story?.sentences.map((one) => one.text).join("\n") ?? "";
  expect(text).toContain("wlc on director gave 10.0.0.50");
  expect(text).toContain("no other has a smaller overhead for its weight than 0 / 1");
  expect(text).toContain("10.0.0.0/24 is the longest prefix that matches (table main)");
});

test("a moment tells why ARP was answered or not", () => {
  const request = evidence.of("frame-sent").find(({ frame }) => frame.payload.kind === "arp" && frame.payload.targetIp === 0x0a000064);
  const received = evidence.of("frame-received").find(({ cause }) => cause === request?.id);
  const text = explainMoment(evidence, received?.timeNs ?? 0).sentences.map((one) => one.text).join("\n");
  expect(text).toContain("director answered the ARP request of client (10.0.0.50) for 10.0.0.100 on eth0: arp_ignore = max(all 0, eth0 0) = 0: any local address is answered.");
  expect(text).toContain("rs1 did not answer the ARP request of client (10.0.0.50) for 10.0.0.100 on eth0: arp_ignore = max(all 1, eth0 0) = 1: eth0 does not have the address itself.");
});

test("a frame is told with its way and where the answer went", () => {
  const syn = evidence.of("frame-sent").find(({ frame }) => frame.payload.kind === "ipv4" && frame.payload.payload.kind === "tcp");
  const told = explainRecord(evidence, syn?.id ?? 0);
  const text = told?.sentences.map((one) => one.text).join("\n") ?? "";
  expect(text).toContain("It began with `curl -s -m 1 http://10.0.0.100/` on client.");
  expect(text).toContain("its neighbour table has 10.0.0.100 there");
  expect(text).toContain("The answer left rs2 directly to the caller, from 10.0.0.100");
  expect(explainRecord(evidence, 1_000_000)).toBeUndefined();
});

test("what if: lines that carry weight, and one that does not", () => {
  const results = [...whatIf(scenario)];
  expect(results.length).toBe(setupLines(scenario).length);
  const of = (text: string) => results.filter(({ line }) => line.text.includes(text));
  expect(of("echo hello").map(({ isLoadBearing }) => isLoadBearing)).toEqual([false, false]);
  const [arp] = of("arp_ignore");
  expect(arp?.answerers).toEqual([{ address: "10.0.0.100", before: ["director"], after: ["director", "rs1"] }]);
  expect(describeWhatIf(arp as (typeof results)[number]).join("\n")).toContain("ARP for 10.0.0.100 is answered by director and rs1 instead of director");
  const [service] = of("ipvsadm -A");
  expect(service?.brokenExpects.map(({ field }) => field)).toContain("stdout");
  expect(service?.line.line).toBe(10);
});

test("diff: the first packet that differs, with its decisions", () => {
  const other = parseScenario(TEXT.replace("-r 10.0.0.12 -g", "-r 10.0.0.12 -g -w 0"), "other.yaml");
  const [a, b] = [recordRun(scenario), recordRun(other)];
  const same = diffRuns(new Evidence(a), evidence, { a: a.result, b: a.result });
  expect(same.isSame).toBe(true);
  const difference = diffRuns(evidence, new Evidence(b), { a: a.result, b: b.result });
  expect(difference.isSame).toBe(false);
  expect(difference.firstPacket?.a?.text).toContain("who-has 10.0.0.12");
  expect(difference.firstPacket?.b?.text).toContain("who-has 10.0.0.11");
  expect(difference.outputs).toEqual([{ step: 0, field: "stdout", a: "from rs2\n", b: "from rs1\n" }]);
  expect(describeDifference(difference, { a: "A", b: "B" }).join("\n")).toMatch(/wlc on director gave 10\.0\.0\.50:\d+ to 10\.0\.0\.11:80/);
});
