/**
 * What the doctor says of one fault each: which finding comes, that no other one comes beside it, and what its cure is.
 */

import { expect, test } from "vitest";
import { parseScenario } from "../../../src/scenario/scenario-file.ts";
import { diagnose } from "../../../src/why/doctor.ts";
import { recordRun } from "../../../src/why/record-run.ts";

function findingsOf(text: string) {
  return diagnose(recordRun(parseScenario(text, "test.yaml")));
}

interface Parts {
  /** Lines of `run` of the director, beside its services. */
  readonly director?: string;
  readonly rs1?: string;
  readonly rs2?: string;
  readonly timeline?: string;
  readonly hosts?: string;
}

const HIDE = "sysctl -q -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2; ip addr add 10.0.0.100/32 dev lo";
const CALLS = "{ at: 1s, host: client, run: \"for i in 1 2; do curl -s -m 2 http://10.0.0.100/; done\" }";

/** Direct routing on one LAN: a client, a director, two servers. */
function directRouting({ director = "", rs1 = HIDE, rs2 = HIDE, timeline = CALLS, hosts = "" }: Parts): string {
  return `
title: direct routing
hosts:
  client: { interfaces: { eth0: { link: lan, address: 10.0.0.5/24 } } }
  director:
    interfaces: { eth0: { link: lan, address: 10.0.0.2/24 } }
    run: |
      ip addr add 10.0.0.100/32 dev eth0
      ipvsadm -A -t 10.0.0.100:80 -s rr
      ipvsadm -a -t 10.0.0.100:80 -r 10.0.0.11 -g
      ipvsadm -a -t 10.0.0.100:80 -r 10.0.0.12 -g
      ${director}
  rs1:
    interfaces: { eth0: { link: lan, address: 10.0.0.11/24 } }
    run: |
      service httpd start
      ${rs1}
  rs2:
    interfaces: { eth0: { link: lan, address: 10.0.0.12/24 } }
    run: |
      service httpd start
      ${rs2}
${hosts}
timeline:
  - ${timeline}
`;
}

/** NAT over two networks; `director` is typed after the services. */
function nat(director: string): string {
  return `
title: NAT
hosts:
  client: { interfaces: { eth0: { link: out, address: 203.0.113.9/24 } } }
  director:
    interfaces:
      eth0: { link: out, address: 203.0.113.1/24 }
      eth1: { link: in, address: 10.1.1.1/24 }
    forward: true
    run: |
      ipvsadm -A -t 203.0.113.1:80 -s rr
      ipvsadm -a -t 203.0.113.1:80 -r 10.1.1.2:80 -m
      ${director}
  rs1:
    interfaces: { eth0: { link: in, address: 10.1.1.2/24 } }
    gateway: 10.1.1.1
    run: service httpd start
timeline:
  - { at: 1s, host: client, run: "curl -s -m 3 http://203.0.113.1/" }
`;
}

test.each([
  { director: "iptables -P FORWARD DROP", text: "conntrack=1: iptables -I FORWARD -m state" },
  { director: "iptables -P FORWARD DROP; iptables -A FORWARD -m state --state ESTABLISHED,RELATED -j ACCEPT", text: "for the rule that is there: sysctl -w net.ipv4.vs.conntrack=1" },
])("forward-dropped: `$director` -> a cure that works with vs.conntrack=0", ({ director, text }) => {
  const [finding, ...others] = findingsOf(nat(director));
  expect(finding).toMatchObject({ id: "forward-dropped", host: "director" });
  expect(finding?.fix).toContain("iptables -I FORWARD -i eth1 -s 10.1.1.2 -j ACCEPT");
  expect(finding?.fix).toContain(text);
  expect(others).toEqual([]);
  expect(findingsOf(nat(`${director}; iptables -I FORWARD -i eth1 -s 10.1.1.2 -j ACCEPT`))).toEqual([]);
});

test("input-dropped: a filter of ports that are no service is silent, of the service's port it is told", () => {
  const calls = "{ at: 1s, host: client, run: \"nc -z -w 1 10.0.0.100 22; curl -s -m 2 http://10.0.0.100/\" }";
  expect(findingsOf(directRouting({ director: "iptables -A INPUT -p tcp --dport 22 -j DROP", timeline: calls }))).toEqual([]);
  expect(findingsOf(directRouting({ director: "iptables -A INPUT -p tcp --dport 80 -j DROP", timeline: calls })).map(({ id }) => id)).toEqual(["input-dropped"]);
});

test("output-dropped: a server's filter of its own answers", () => {
  const [finding] = findingsOf(directRouting({ rs1: `${HIDE}; iptables -A OUTPUT -s 10.0.0.100 -j DROP` }));
  expect(finding).toMatchObject({ id: "output-dropped", host: "rs1", fix: "On rs1: iptables -I OUTPUT -s 10.0.0.100 -p tcp --sport 80 -j ACCEPT" });
});
