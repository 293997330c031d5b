/**
 * Whoever is not served is heard of: one small set-up, broken at one place each, and the finding, host and cure that are named.
 */

import { expect, test } from "vitest";
import { parseScenario } from "../../../src/scenario/scenario-file.ts";
import { diagnose } from "../../../src/why/doctor.ts";
import { recordRun } from "../../../src/why/record-run.ts";

/** A client behind a router, direct routing to two servers that rarely forget. */
const DR = `
title: direct routing behind a router
hosts:
  client:
    interfaces: { eth0: { link: out, address: 172.20.0.5/24 } }
    gateway: 172.20.0.1
  router:
    interfaces:
      eth0: { link: out, address: 172.20.0.1/24 }
      eth1: { link: lan, address: 10.7.0.1/24 }
    run: sysctl -q -w net.ipv4.ip_forward=1
  lb:
    interfaces: { eth0: { link: lan, address: 10.7.0.2/24 } }
    gateway: 10.7.0.1
    run: |
      ip addr add 10.7.0.100/32 dev eth0
      ipvsadm -A -t 10.7.0.100:80 -s rr
      ipvsadm -a -t 10.7.0.100:80 -r 10.7.0.11 -g
      ipvsadm -a -t 10.7.0.100:80 -r 10.7.0.12 -g
  web1: &web
    interfaces: { eth0: { link: lan, address: 10.7.0.11/24 } }
    gateway: 10.7.0.1
    run: |
      sysctl -q -w net.ipv4.conf.all.arp_ignore=1
      sysctl -q -w net.ipv4.conf.all.arp_announce=2
      ip addr add 10.7.0.100/32 dev lo
      service httpd start
  web2:
    <<: *web
    interfaces: { eth0: { link: lan, address: 10.7.0.12/24 } }
timeline:
  - { at: 1s, host: client, run: "for i in 1 2 3 4; do curl -s -m 2 http://10.7.0.100/; done" }
duration: 14s
`;
/** A director with a second one beside it, that takes the address by hand. */
const PAIR = DR.replace(
  "  web1: &web",
  `  lb2:
    interfaces: { eth0: { link: lan, address: 10.7.0.3/24 } }
    gateway: 10.7.0.1
    run: |
      ipvsadm -A -t 10.7.0.100:80 -s rr
      ipvsadm -a -t 10.7.0.100:80 -r 10.7.0.11 -g
  web1: &web`,
);
const CALLS = "  - { at: 1s, host: client, run:";
const TAKE_OVER = `  - { at: 0.2s, host: lb, run: "ip addr del 10.7.0.100/32 dev eth0" }
  - { at: 0.3s, host: lb2, run: "ip addr add 10.7.0.100/32 dev eth0; arping -q -c 1 -U -I eth0 10.7.0.100" }
`;

function findingsOf(text: string) {
  return diagnose(recordRun(parseScenario(text, "test.yaml")));
}

test.each([
  ["as it is", DR],
  ["taken over by hand", PAIR.replace(CALLS, `${TAKE_OVER}${CALLS}`)],
  ["a closed port beside the served one", DR.replace(CALLS, `  - { at: 8s, host: client, run: "nc -z -w 1 10.7.0.100 22" }\n${CALLS}`)],
  ["a server that died and was taken out", DR.replace(CALLS, `  - { at: 3s, crash: web2 }\n  - { at: 4s, host: client, run: "curl -s -m 1 http://10.7.0.100/; curl -s -m 1 http://10.7.0.100/" }\n  - { at: 7s, host: lb, run: "ipvsadm -d -t 10.7.0.100:80 -r 10.7.0.12" }\n${CALLS}`)],
  ["a server that was mended", DR.replace(CALLS, `  - { at: 0.5s, host: web2, run: "service httpd stop" }\n  - { at: 6s, host: web2, run: "service httpd start" }\n  - { at: 9s, host: client, run: "curl -s http://10.7.0.100/; curl -s http://10.7.0.100/" }\n${CALLS}`)],
])("nothing is wrong: %s", (_name, text) => {
  expect(findingsOf(text)).toEqual([]);
});

test.each([
  ["nothing listens", DR, CALLS, `  - { at: 0.5s, host: web2, run: "service httpd stop" }\n${CALLS}`, "server-not-listening", "web2", /no program listens there/, /On web2: start/],
  ["an address that nobody has", DR, "-r 10.7.0.12 -g", "-r 10.7.0.112 -g", "server-unreachable", "lb", /No host has 10\.7\.0\.112/, /ipvsadm -d -t 10\.7\.0\.100:80 -r 10\.7\.0\.112:80/],
  ["a server is off", DR, CALLS, `  - { at: 0.5s, crash: web2 }\n${CALLS}`, "server-unreachable", "web2", /web2 is off/, /Start web2/],
  ["a cable is out", DR, CALLS, `  - { at: 0.5s, down: web2.eth0 }\n${CALLS}`, "server-unreachable", "web2", /cable of web2\.eth0/, /cable of web2\.eth0/],
  ["a neighbour entry by hand", DR, "      ipvsadm -A -t", "      ip neigh add 10.7.0.12 lladdr 02:00:00:00:00:99 dev eth0 nud permanent\n      ipvsadm -A -t", "server-unreachable", "lb", /PERMANENT, set by hand/, /ip neigh del 10\.7\.0\.12 dev eth0/],
  ["a program that was stopped", DR, CALLS, `  - { at: 0.5s, kill: web2, process: httpd, signal: STOP }\n${CALLS}`, "server-silent", "web2", /wrote no byte/, /look at apache2/],
  ["another port is called", DR, "http://10.7.0.100/", "http://10.7.0.100:8080/", "no-such-service", "lb", /What it has: TCP 10\.7\.0\.100:80/, /-A -t 10\.7\.0\.100:8080/],
  ["the service is UDP", DR, "-t 10.7.0.100:80", "-u 10.7.0.100:80", "no-such-service", "lb", /UDP 10\.7\.0\.100:80/, /the service is for UDP/],
  ["the services were flushed", DR, CALLS, `  - { at: 0.5s, host: lb, run: "ipvsadm -C" }\n${CALLS}`, "no-such-service", "lb", /until .*`ipvsadm -C` removed it/, /ipvsadm -R/],
  ["a mark for another port", DR, "      ipvsadm -A -t 10.7.0.100:80 -s rr\n      ipvsadm -a -t 10.7.0.100:80 -r 10.7.0.11 -g\n      ipvsadm -a -t 10.7.0.100:80 -r 10.7.0.12 -g\n", "      iptables -t mangle -A PREROUTING -d 10.7.0.100 -p tcp --dport 8080 -j MARK --set-mark 5\n      ipvsadm -A -f 5 -s rr\n      ipvsadm -a -f 5 -r 10.7.0.11 -g\n", "no-such-service", "lb", /--dport 8080.*does not match/, /--dport 80 -j MARK --set-mark 5/],
  ["a service without servers", DR, "      ipvsadm -a -t 10.7.0.100:80 -r 10.7.0.11 -g\n      ipvsadm -a -t 10.7.0.100:80 -r 10.7.0.12 -g\n", "", "no-server-available", "lb", /None was ever added/, /ipvsadm -a -t 10\.7\.0\.100:80/],
  ["the router does not forward", DR, "sysctl -q -w net.ipv4.ip_forward=1", "sysctl -q -w net.ipv4.ip_forward=0", "ip-forward-off", "router", /goes by router/, /ip_forward=1/],
  ["the client has no route", DR, "    gateway: 172.20.0.1\n", "", "no-route-to-vip", "client", /ENETUNREACH/, /ip route add default/],
  ["nobody has the VIP, the servers hide it", DR, "      ip addr add 10.7.0.100/32 dev eth0\n", "", "director-lacks-vip", "lb", /10\.7\.0\.100/, /ip addr add 10\.7\.0\.100\/32/],
  ["a host that took over has no services", PAIR, "      ipvsadm -A -t 10.7.0.100:80 -s rr\n      ipvsadm -a -t 10.7.0.100:80 -r 10.7.0.11 -g\n  web1", "      true\n  web1", "no-such-service", "lb2", /lb2 has no services at all; lb has TCP/, /the same services as on lb/],
  ["an MTU that the router does not take", DR, "      service httpd start", "      head -c 20000 /dev/zero > /var/www/html/index.html\n      service httpd start", "mtu-black-hole", "web2", /do not agree about its MTU/, /ip link set eth0 mtu 1400/],
  ["answers by a director that is no router", DR, "    gateway: 10.7.0.1\n    run: |\n      sysctl", "    gateway: 10.7.0.2\n    run: |\n      sysctl", "reply-through-director", "web2", /is no router/, /default route by the router/],
])("%s", (_name, text, before, after, id, host, why, fix) => {
  expect(text).toContain(before);
  let changed = text.replace(before, after);
  if (text === PAIR) changed = changed.replace(CALLS, `${TAKE_OVER}${CALLS}`);
  if (id === "mtu-black-hole") changed = changed.replace("ip_forward=1", "ip_forward=1; ip link set eth1 mtu 1400");
  if (id === "no-such-service" && after.startsWith("-u")) changed = changed.replaceAll("-t 10.7.0.100:80", "-u 10.7.0.100:80");
  const found = findingsOf(changed);
  expect(found.map((one) => `${one.id} ${one.host}`)[0], JSON.stringify(found)).toBe(`${id} ${host}`);
  expect(found[0]?.why).toMatch(why);
  expect(found[0]?.fix).toMatch(fix);
  expect(found[0]?.events.length).toBeGreaterThan(0);
});

test("a port of NAT that nobody serves: the cure names the one that is", () => {
  const found = findingsOf(`
title: NAT to a wrong port
hosts:
  client: { interfaces: { eth0: { link: out, address: 203.0.113.9/24 } } }
  lb:
    interfaces: { eth0: { link: out, address: 203.0.113.1/24 }, eth1: { link: in, address: 10.1.1.1/24 } }
    forward: true
    run: "ipvsadm -A -t 203.0.113.1:80 -s rr; ipvsadm -a -t 203.0.113.1:80 -r 10.1.1.2:8080 -m"
  web: { interfaces: { eth0: { link: in, address: 10.1.1.2/24 } }, gateway: 10.1.1.1, run: service httpd start }
timeline:
  - { at: 1s, host: client, run: "curl -s -m 3 http://203.0.113.1/" }
duration: 6s
`);
  expect(found.map(({ id, host }) => `${host}: ${id}`)).toEqual(["web: server-not-listening"]);
  expect(found[0]?.fix).toContain("ipvsadm -a -t 203.0.113.1:80 -r 10.1.1.2:80 -m");
});
