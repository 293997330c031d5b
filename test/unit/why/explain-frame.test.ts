/**
 * What is said of single frames and moments: the entry that was consulted, the value that decided, who was not there.
 */

import { expect, test } from "vitest";
import { formatSeconds } from "../../../src/base/time.ts";
import { parseScenario } from "../../../src/scenario/scenario-file.ts";
import { Evidence, type EventOf } from "../../../src/why/evidence.ts";
import { explainMoment, explainRecord, explainRun } from "../../../src/why/explain.ts";
import { recordRun } from "../../../src/why/record-run.ts";
import { TCP_ACK, TCP_SYN } from "../../../src/wire/packet.ts";

interface Parts {
  readonly director?: string;
  readonly server?: string;
  readonly timeline: string;
}

/** Direct routing with one server and somebody who stands by. */
function run({ director = "", server = "sysctl -q -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2", timeline }: Parts): Evidence {
  const text = `
title: one server
hosts:
  client:
    interfaces: { eth0: { link: lan, address: 10.0.0.50/24 } }
  director:
    interfaces: { eth0: { link: lan, address: 10.0.0.10/24 } }
    run: |
      ip addr add 10.0.0.100/32 dev eth0
      ipvsadm -A -t 10.0.0.100:80 -s rr
      ipvsadm -a -t 10.0.0.100:80 -r 10.0.0.11 -g
      ${director}
  rs1:
    interfaces: { eth0: { link: lan, address: 10.0.0.11/24 } }
    run: |
      ${server}
      ip addr add 10.0.0.100/32 dev lo
      service httpd start
  bystander:
    interfaces: { eth0: { link: lan, address: 10.0.0.77/24 } }
timeline:
${timeline}
`;
  return new Evidence(recordRun(parseScenario(text, "test.yaml")));
}

const CURL = "curl -s -m 2 http://10.0.0.100/";

function textOf(evidence: Evidence, id: number | undefined): string {
  return explainRecord(evidence, id ?? 0)
    ?.sentences.map(({ text }) => text)
    .join("\n") ?? "";
}

/** Every SYN without ACK that a host sent. */
function synsOf(evidence: Evidence, host: string): EventOf<"frame-sent">[] {
  return evidence.of("frame-sent").filter((one) => one.host === host && one.frame.payload.kind === "ipv4" && one.frame.payload.payload.kind === "tcp" && (one.frame.payload.payload.flags & (TCP_SYN | TCP_ACK)) === TCP_SYN);
}

test("the neighbour entry is that of the next hop, not another one with the same MAC", () => {
  const evidence = run({ timeline: `  - { at: 1s, host: client, run: "${CURL}" }\n  - { at: 5s, host: director, run: "ping -c 1 10.0.0.50" }\n  - { at: 6s, host: client, run: "${CURL}" }` });
  const last = synsOf(evidence, "client").at(-1);
  expect(evidence.of("neighbour").findLast((one) => one.id < (last?.id ?? 0) && one.host === "client")?.address).not.toBe(0x0a000064);
  expect(textOf(evidence, last?.id)).toMatch(/client sent it out of eth0 to \S+, director: its neighbour table has 10\.0\.0\.100 there/);
});

test("a way that an ICMP redirect taught is named when it is used again", () => {
  const text = `
title: a redirect
hosts:
  client: { interfaces: { eth0: { link: lan, address: 10.0.0.50/24 } } }
  router: { interfaces: { eth0: { link: lan, address: 10.0.0.1/24 } }, forward: true }
  server:
    interfaces: { eth0: { link: lan, address: 10.0.0.11/24 } }
    run: |
      ip route add 10.0.0.1/32 dev eth0
      ip route del 10.0.0.0/24
      ip route add default via 10.0.0.1
timeline:
  - { at: 1s, host: server, run: "ping -c 4 10.0.0.50" }
`;
  const evidence = new Evidence(recordRun(parseScenario(text, "test.yaml")));
  const straight = evidence.of("frame-sent").filter(({ host, frame }) => host === "server" && frame.payload.kind === "ipv4" && evidence.ownerOfMac(frame.dst)?.host === "client");
  expect(straight.length).toBeGreaterThan(0);
  expect(textOf(evidence, straight.at(-1)?.id)).toMatch(/its next hop for 10\.0\.0\.50 since it looked that up at \S+ s \(by an ICMP redirect; /);
});

test("an ARP request tells which value let it name its address, and bystanders are left out", () => {
  const evidence = run({ server: "sysctl -q -w net.ipv4.conf.all.arp_ignore=1", timeline: `  - { at: 1s, host: client, run: "${CURL}; arp -d 10.0.0.100" }\n  - { at: 2s, host: rs1, run: "arp -d 10.0.0.50" }\n  - { at: 3s, host: client, run: "${CURL}" }` });
  const request = evidence.of("frame-sent").find(({ host, frame }) => host === "rs1" && frame.payload.kind === "arp" && frame.payload.operation === 1 && frame.payload.senderIp === 0x0a000064);
  const text = textOf(evidence, request?.id);
  expect(text).toContain("tells everybody that it has 10.0.0.100: arp_announce = max(all 0, eth0 0) = 0: the source of the packet that waits is told");
  expect(text).toContain("client answered the ARP request");
  expect(text).not.toContain("bystander");
  expect(explainRun(evidence).flatMap(({ sentences }) => sentences.map((one) => one.text)).join("\n")).not.toContain("bystander");
});

test("an ARP request that nobody answers says who heard it", () => {
  const evidence = run({ timeline: `  - { at: 1s, host: client, run: "ping -c 1 -W 1 10.0.0.99" }` });
  const request = evidence.of("frame-sent").find(({ frame }) => frame.payload.kind === "arp" && frame.payload.targetIp === 0x0a000063);
  expect(textOf(evidence, request?.id)).toContain("Nobody answered: bystander and rs1 and director received it and do not have 10.0.0.99.");
});

test("an old entry decides for a new SYN, with the setting that let it", () => {
  const call = "echo | nc -p 45001 -w 3 10.0.0.100 80";
  const evidence = run({ director: "sysctl -q -w net.ipv4.vs.conn_reuse_mode=0", timeline: `  - { at: 1s, host: client, run: "${call}" }\n  - { at: 2500ms, crash: rs1 }\n  - { at: 3s, host: client, run: "${call}" }` });
  const syn = synsOf(evidence, "client").at(-1);
  const conversation = explainRun(evidence).at(-1)?.sentences.map(({ text }) => text).join("\n") ?? "";
  expect(conversation).toContain("by a new SYN: no server was chosen, the entry decides (net.ipv4.vs.conn_reuse_mode = 0).");
  // Sent again, it changes no state any longer.
  expect(textOf(evidence, syn?.id)).toContain("It had an entry for these ends already, no server was chosen.");
  expect(textOf(evidence, syn?.id)).toMatch(/director sent it out of eth0 to \S+, rs1, which crashed at 2\.5 s: its neighbour table has 10\.0\.0\.11 there/);
});

test("a MAC that nobody has", () => {
  const evidence = run({ director: "ip neigh replace 10.0.0.11 lladdr 02:00:00:00:00:99 dev eth0 nud permanent", timeline: `  - { at: 1s, host: client, run: "${CURL}" }` });
  expect(textOf(evidence, synsOf(evidence, "director")[0]?.id)).toContain("to 02:00:00:00:00:99, a MAC that nobody has: its neighbour table has 10.0.0.11 there (PERMANENT)");
});

test("where round robin went on is told in words", () => {
  const evidence = run({ timeline: `  - { at: 1s, host: client, run: "${CURL}; ${CURL}" }` });
  const texts = evidence.of("scheduled").map(({ id }) => textOf(evidence, id));
  expect(texts[0]).toContain("The search began at the head of the list.");
  expect(texts[1]).toContain("The search went on behind 10.0.0.11:80.");
});

test("a title has the time of its record, cut as everywhere", () => {
  const evidence = run({ timeline: `  - { at: 1s, host: client, run: "${CURL}" }` });
  const late = evidence.events.filter(({ id, timeNs }) => id > evidence.originId && timeNs % 1000 >= 500);
  expect(late.length).toBeGreaterThan(0);
  for (const { id, timeNs } of late.slice(0, 20)) expect(evidence.timeOf(id)).toBe(`${Number(formatSeconds(timeNs - evidence.originNs))} s`);
});

test("the moment of a step tells the step, and what is decided next", () => {
  const evidence = run({ timeline: `  - { at: 1s, host: client, run: "${CURL}" }\n  - { at: 5s, down: rs1 }` });
  const moment = (seconds: number) => explainMoment(evidence, evidence.originNs + seconds * 1e9);
  expect(moment(1).title).toBe("At 1 s");
  const [first, next] = moment(1).sentences.map(({ text }) => text);
  expect(first).toBe(`client ran \`${CURL}\`.`);
  expect(next).toMatch(/^The first decision after it is at 1\.03 s: client looked up its way to 10\.0\.0\.100/);
  expect(moment(5).sentences.map(({ text }) => text).join("\n")).toContain("rs1.eth0 went down.");
  expect(explainMoment(evidence, -1).title).toBe("Up to this time nothing was typed or decided");
});
