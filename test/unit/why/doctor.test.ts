/**
 * The doctor on one small set-up: silent as it is, and with one line changed it names that fault first.
 */

import { expect, test } from "vitest";
import { parseScenario } from "../../../src/scenario/scenario-file.ts";
import { diagnose } from "../../../src/why/doctor.ts";
import { recordRun } from "../../../src/why/record-run.ts";

/** Direct routing with two servers, a client on the LAN that has to ask for the VIP again between its calls. */
const DR = `
title: direct routing
hosts:
  client:
    interfaces: { eth0: { link: lan, address: 192.168.1.50/24 } }
  director:
    interfaces: { eth0: { link: lan, address: 192.168.1.10/24 } }
    run: |
      ip addr add 192.168.1.100/32 dev eth0
      ipvsadm -A -t 192.168.1.100:80 -s wrr
      ipvsadm -a -t 192.168.1.100:80 -r 192.168.1.11 -g -w 2
      ipvsadm -a -t 192.168.1.100:80 -r 192.168.1.12 -g -w 1
  rs1: &rs
    interfaces: { eth0: { link: lan, address: 192.168.1.11/24 } }
    run: |
      sysctl -q -w net.ipv4.conf.all.arp_ignore=1
      sysctl -q -w net.ipv4.conf.all.arp_announce=2
      ip addr add 192.168.1.100/32 dev lo
      service httpd start
  rs2:
    <<: *rs
    interfaces: { eth0: { link: lan, address: 192.168.1.12/24 } }
timeline:
  - { at: 1s, host: client, run: "for i in 1 2 3 4; do curl -s -m 2 http://192.168.1.100/; done" }
  - { at: 12s, host: client, run: "arp -d 192.168.1.100; for i in 1 2; do curl -s -m 2 http://192.168.1.100/; done" }
duration: 18s
`;

/** NAT over two networks. */
const NAT = `
title: NAT
hosts:
  client:
    interfaces: { eth0: { link: out, address: 203.0.113.9/24 } }
    gateway: 203.0.113.1
  director:
    interfaces:
      eth0: { link: out, address: 203.0.113.1/24 }
      eth1: { link: in, address: 10.1.1.1/24 }
    forward: true
    run: |
      ip addr add 203.0.113.100/32 dev eth0
      ipvsadm -A -t 203.0.113.100:80 -s rr
      ipvsadm -a -t 203.0.113.100:80 -r 10.1.1.2:80 -m
  rs1:
    interfaces: { eth0: { link: in, address: 10.1.1.2/24 } }
    gateway: 10.1.1.1
    run: service httpd start
timeline:
  - { at: 1s, host: client, run: "curl -s -m 3 http://203.0.113.100/" }
duration: 6s
`;

function findingsOf(text: string) {
  return diagnose(recordRun(parseScenario(text, "test.yaml")));
}

test.each([
  ["direct routing", DR],
  ["NAT", NAT],
])("%s as it should be: nothing", (_name, text) => {
  expect(findingsOf(text)).toEqual([]);
});

test.each([
  ["arp_ignore forgotten", DR, "      sysctl -q -w net.ipv4.conf.all.arp_ignore=1\n", "", "vip-answered-by-others"],
  ["arp_ignore of lo", DR, "net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.lo.arp_ignore=1", "sysctl-without-effect"],
  ["arp_ignore=8", DR, "arp_ignore=1", "arp_ignore=8", "arp-ignore-blocks"],
  ["arp_announce forgotten", DR, "      sysctl -q -w net.ipv4.conf.all.arp_announce=2\n", "", "arp-announces-vip"],
  ["the VIP with /24 on lo", DR, "192.168.1.100/32 dev lo", "192.168.1.100/24 dev lo", "vip-prefix-not-32"],
  ["no VIP on the servers", DR, "      ip addr add 192.168.1.100/32 dev lo\n", "", "server-lacks-vip"],
  ["no VIP on the director", DR, "      ip addr add 192.168.1.100/32 dev eth0\n", "", "director-lacks-vip"],
  ["a filter in the director's INPUT", DR, "    run: |\n      ip addr add 192.168.1.100/32 dev eth0", "    run: |\n      iptables -A INPUT -p tcp --dport 80 -j DROP\n      ip addr add 192.168.1.100/32 dev eth0", "input-dropped"],
  ["rr with weights", DR, "-s wrr", "-s rr", "weights-ignored"],
  ["weight 0 everywhere", DR, /-w [12]/g, "-w 0", "no-server-available"],
  ["a tunnel that nobody unpacks", DR, /-g -w/g, "-i -w", "no-tunnel-device"],
  ["a port that direct routing cannot change", DR.replaceAll("service httpd start", "HTTPD_PORTS=8080 httpd"), /-r (192.168.1.1[12]) -g/g, "-r $1:8080 -g", "port-not-translated"],
  ["no forwarding", NAT, "    forward: true\n", "", "ip-forward-off"],
  ["a filter in FORWARD", NAT, "      ipvsadm -A", "      iptables -P FORWARD DROP\n      ipvsadm -A", "forward-dropped"],
  ["no way to the client", NAT, "    gateway: 10.1.1.1\n", "", "no-route-to-client"],
  ["-m forgotten", NAT, "-r 10.1.1.2:80 -m", "-r 10.1.1.2", "unexpected-forwarding-method"],
] as const)("%s", (_name, text, from, to, id) => {
  const changed = text.replaceAll(from, to);
  expect(changed).not.toBe(text);
  const findings = findingsOf(changed);
  expect(findings.map((one) => one.id)).toContain(id);
  for (const { title, why, fix, events } of findings) expect([title, why, fix].every((part) => part.length > 20) && events.length > 0).toBe(true);
});
