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

test.each(["sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2", "echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore; echo 2 > /proc/sys/net/ipv4/conf/all/arp_announce"])(
  "vip-before-arp-settings: `%s` in one instant -> that alone, not the stale entry that follows from it",
  (settings) => {
    const timeline = `{ at: 0.5s, host: client, run: "curl -s -m 2 http://10.0.0.100/" }
  - { at: 0.9s, host: rs1, run: "${settings}" }
  - { at: 3s, host: client, run: "curl -s -m 2 http://10.0.0.100/" }
  - { at: 6s, host: client, run: "curl -s -m 2 http://10.0.0.100/" }`;
    const findings = findingsOf(directRouting({ rs1: "ip addr add 10.0.0.100/32 dev lo", timeline }));
    expect(findings.map(({ id, host }) => `${id} ${host}`)).toEqual(["vip-before-arp-settings rs1"]);
  },
);

test("the same fault with the same cure on two servers is one finding that names both", () => {
  const typed = "sysctl -q -w net.ipv4.conf.lo.arp_ignore=1 net.ipv4.conf.default.arp_ignore=1; ip addr add 10.0.0.100/32 dev lo";
  const findings = findingsOf(directRouting({ rs1: typed, rs2: typed }));
  expect(findings.map(({ id }) => id)).toEqual(["sysctl-without-effect"]);
  expect(findings[0]?.title).toMatch(/arp_ignore of lo on rs\d has no effect .*; the same on rs\d$/);
  expect(findings[0]?.fix).toMatch(/^On rs\d and rs\d: /);
});

test("arp-ignore-blocks: the cure names the setting that is in force, or the device that lacks the address", () => {
  const [blocked] = findingsOf(directRouting({ rs2: `${HIDE}; sysctl -q -w net.ipv4.conf.eth0.arp_ignore=8`, timeline: `${CALLS}\nduration: 8s` }));
  expect(blocked).toMatchObject({ id: "arp-ignore-blocks", host: "rs2" });
  expect(blocked?.fix).toContain("sysctl -w net.ipv4.conf.eth0.arp_ignore=1.");
  const [director] = findingsOf(directRouting({}).replace("ip addr add 10.0.0.100/32 dev eth0", "ip addr add 10.0.0.100/32 dev lo; sysctl -q -w net.ipv4.conf.all.arp_ignore=1"));
  expect(director).toMatchObject({ id: "arp-ignore-blocks", host: "director" });
  expect(director?.fix).toContain("ip addr del 10.0.0.100/32 dev lo; ip addr add 10.0.0.100/32 dev eth0");
});

test("duplicate-address: another host has a server's address -> not the VIP on it", () => {
  const findings = findingsOf(directRouting({ hosts: "  clone: { interfaces: { eth0: { link: lan, address: 10.0.0.77/24 } }, run: ip addr add 10.0.0.12/24 dev eth0 }" }));
  expect(findings).toMatchObject([{ id: "duplicate-address", host: "clone", title: "clone and rs2 both have 10.0.0.12" }]);
});

test("vip-answered-by-others: a host that is no server gives the address up", () => {
  const [finding] = findingsOf(directRouting({ hosts: "  nas: { interfaces: { eth0: { link: lan, address: 10.0.0.100/24 } } }" }));
  expect(finding).toMatchObject({ id: "vip-answered-by-others", host: "nas" });
  expect(finding?.fix).toContain("ip addr del 10.0.0.100/24 dev eth0");
});

test("unexpected-forwarding-method: NAT to servers that have the VIP", () => {
  const findings = findingsOf(directRouting({}).replaceAll(" -g", " -m"));
  expect(findings).toMatchObject([{ id: "unexpected-forwarding-method", host: "director" }]);
  expect(findings[0]?.fix).toContain("-r 10.0.0.11:80 -g; ipvsadm -e -t 10.0.0.100:80 -r 10.0.0.12:80 -g");
});

/** Two directors with sync daemons; the first dies under a connection at 7 s. */
function takeover({ master = "", backup = "" }: { readonly master?: string; readonly backup?: string }): string {
  const services = "ipvsadm -A -t 10.0.0.100:80 -s rr; ipvsadm -a -t 10.0.0.100:80 -r 10.0.0.11 -g; ipvsadm -a -t 10.0.0.100:80 -r 10.0.0.12 -g";
  const get = "printf 'GET / HTTP/1.1\\\\r\\\\nHost: a\\\\r\\\\n\\\\r\\\\n'";
  const timeline = `{ at: 1s, host: client, run: "(for i in 1 2 3 4 5; do ${get}; sleep 1; done; sleep 4; ${get}; sleep 2) | nc -w 20 10.0.0.100 80" }
  - { at: 7s, crash: director }
  - { at: 7.1s, host: second, run: "ip addr add 10.0.0.100/32 dev eth0; arping -c 2 -U -I eth0 10.0.0.100" }
duration: 14s`;
  const hosts = `  second:
    interfaces: { eth0: { link: lan, address: 10.0.0.3/24 }, eth1: { link: hb, address: 10.9.9.3/24 } }
    run: "${services}; ${backup}"`;
  return directRouting({ director: master, timeline, hosts }).replace("address: 10.0.0.2/24 }", "address: 10.0.0.2/24 }, eth1: { link: hb, address: 10.9.9.2/24 }");
}

const MASTER = "sysctl -q -w net.ipv4.vs.sync_threshold='0 1'; ipvsadm --start-daemon master --mcast-interface eth0 --syncid 1";

test.each([
  { master: MASTER, backup: "ipvsadm --start-daemon backup --mcast-interface eth0 --syncid 2", id: "sync-not-received", why: "has syncid 1, that of second 2", fix: "--stop-daemon backup; ipvsadm --start-daemon backup --mcast-interface eth0 --syncid 1" },
  { master: MASTER, backup: "ipvsadm --start-daemon backup --mcast-interface eth1 --syncid 1", id: "sync-not-received", why: "listens on eth1 (link hb)", fix: "backup --mcast-interface eth0 --syncid 1" },
  { master: MASTER, backup: "true", id: "connections-not-synced", why: "on second no sync daemon runs as backup", fix: "ipvsadm --start-daemon backup --mcast-interface eth0 --syncid 1" },
  { master: "true", backup: "true", id: "connections-not-synced", why: "no sync daemon runs there as master", fix: "--start-daemon master on director, backup on second" },
  { master: MASTER.replace("0 1", "90 100"), backup: "ipvsadm --start-daemon backup --mcast-interface eth0 --syncid 1", id: "connections-not-synced", why: "director had not told of this one", fix: "Accept that young connections are lost" },
])("sync: $why -> $id", ({ master, backup, id, why, fix }) => {
  const findings = findingsOf(takeover({ master, backup }));
  expect(findings.map((one) => one.id)).toEqual([id]);
  expect(findings[0]?.why).toContain(why);
  expect(findings[0]?.fix).toContain(fix);
});

/** Two routers of keepalived whose configurations differ. */
function twoRouters(one: string, two: string): string {
  const host = (name: string, address: string, config: string) => `
  ${name}:
    interfaces: { eth0: { link: lan, address: ${address}/24 } }
    files:
      /etc/keepalived/keepalived.conf: "vrrp_instance VI_1 {\\n interface eth0\\n virtual_ipaddress {\\n 10.0.0.100/32 dev eth0\\n }\\n ${config}\\n}\\n"
    run: systemctl start keepalived`;
  return `
title: two routers
hosts:${host("one", "10.0.0.2", `priority 150\\n ${one}`)}${host("two", "10.0.0.3", `priority 100\\n ${two}`)}
timeline:
  - { at: 20s, host: one, run: "true" }
`;
}

const PASS = (word: string) => `virtual_router_id 51\\n authentication {\\n auth_type PASS\\n auth_pass ${word}\\n }`;

test.each([
  { one: PASS("left"), two: PASS("right"), host: "two", fix: "In keepalived.conf: the same auth_pass on one and two." },
  { one: "virtual_router_id 51", two: "virtual_router_id 52", host: "two", fix: "In keepalived.conf: the same virtual_router_id on one and two." },
  { one: "virtual_router_id 51\\n advert_int 1", two: "virtual_router_id 51\\n advert_int 3", host: "two", fix: "In keepalived.conf: the same advert_int on one and two." },
  { one: "virtual_router_id 51\\n unicast_peer {\\n 10.0.0.33\\n }", two: "virtual_router_id 51\\n unicast_peer {\\n 10.0.0.2\\n }", host: "one", fix: "names 10.0.0.33, which nobody has; it must name 10.0.0.3." },
])("two-masters: $fix", ({ one, two, host, fix }) => {
  const findings = findingsOf(twoRouters(one, two));
  expect(findings.map((finding) => `${finding.id} ${finding.host}`)).toEqual([`two-masters ${host}`]);
  expect(findings[0]?.fix).toContain(fix);
  expect(new Set(findings[0]?.events).size).toBe(findings[0]?.events.length);
});

test("no-route-to-client: a NAT server's way is the director, a narrow prefix is widened, an existing default route is replaced", () => {
  const [byDirector] = findingsOf(nat("true").replace("    gateway: 10.1.1.1\n", ""));
  expect(byDirector).toMatchObject({ id: "no-route-to-client", host: "rs1" });
  expect(byDirector?.fix).toContain("ip route add default via 10.1.1.1, the address of director");
  const [narrow] = findingsOf(directRouting({}).replace("10.0.0.12/24", "10.0.0.12/30"));
  expect(narrow).toMatchObject({ id: "no-route-to-client", host: "rs2" });
  expect(narrow?.fix).toContain("ip addr add 10.0.0.12/24 dev eth0");
  const [wrong] = findingsOf(nat("true").replace("    gateway: 10.1.1.1\n", "    gateway: 10.1.1.77\n").replace("curl -s -m 3", "curl -s -m 6"));
  expect(wrong?.fix).toContain("ip route replace default via 10.1.1.1,");
});

test("arp-announces-vip: who asks as the VIP and drops the answer has a way to the client", () => {
  const behindRouter = directRouting({ rs1: "arptables-legacy -A INPUT -d 10.0.0.100 -j DROP; ip addr add 10.0.0.100/32 dev lo", timeline: "{ at: 1s, host: client, run: \"for i in 1 2; do curl -s -m 3 http://10.0.0.100/; done\" }\n  - { at: 9s, host: client, run: \"curl -s -m 3 http://10.0.0.100/\" }" });
  const findings = findingsOf(behindRouter);
  expect(findings.map(({ id }) => id)).not.toContain("no-route-to-client");
});

test("unexpected-forwarding-method: `-m` forgotten for two servers -> both are named", () => {
  const two = nat("ipvsadm -a -t 203.0.113.1:80 -r 10.1.1.3:80")
    .replace("-r 10.1.1.2:80 -m", "-r 10.1.1.2:80")
    .replace("  rs1:", "  rs2:\n    interfaces: { eth0: { link: in, address: 10.1.1.3/24 } }\n    gateway: 10.1.1.1\n    run: service httpd start\n  rs1:");
  const findings = findingsOf(two);
  expect(findings.map(({ id }) => id)).toEqual(["unexpected-forwarding-method"]);
  expect(findings[0]?.fix).toContain("-r 10.1.1.2:80 -m; ipvsadm -e -t 203.0.113.1:80 -r 10.1.1.3:80 -m");
});

test("reply-bypasses-director: the gateway of the servers stayed with the other director", () => {
  const findings = findingsOf(`
title: a NAT pair
hosts:
  client: { interfaces: { eth0: { link: out, address: 203.0.113.9/24 } } }
  one:
    interfaces: { eth0: { link: out, address: 203.0.113.2/24 }, eth1: { link: in, address: 10.1.1.2/24 } }
    forward: true
    run: ip addr add 10.1.1.1/32 dev eth1; ip addr add 203.0.113.80/32 dev eth0; ipvsadm -A -t 203.0.113.80:80; ipvsadm -a -t 203.0.113.80:80 -r 10.1.1.11 -m
  two:
    interfaces: { eth0: { link: out, address: 203.0.113.3/24 }, eth1: { link: in, address: 10.1.1.3/24 } }
    forward: true
    run: ipvsadm -A -t 203.0.113.80:80; ipvsadm -a -t 203.0.113.80:80 -r 10.1.1.11 -m
  rs1:
    interfaces: { eth0: { link: in, address: 10.1.1.11/24 } }
    gateway: 10.1.1.1
    run: service httpd start
timeline:
  - { at: 1s, host: client, run: "curl -s -m 2 http://203.0.113.80/" }
  - { at: 3s, crash: one }
  - { at: 3.1s, host: two, run: "ip addr add 203.0.113.80/32 dev eth0; arping -c 2 -U -I eth0 203.0.113.80" }
  - { at: 6s, host: client, run: "curl -s -m 2 http://203.0.113.80/" }
`);
  expect(findings).toMatchObject([{ id: "reply-bypasses-director", host: "two" }]);
  expect(findings[0]?.fix).toContain("ip addr add 10.1.1.1/32 dev eth1; arping -U -c 3 -I eth1 10.1.1.1");
});

const TWELVE = "{ at: 1s, host: client, run: \"for i in 1 2 3 4 5 6 7 8 9 10 11 12; do curl -s -m 2 http://10.0.0.100/; done\" }";

test("totals are those of the whole run", () => {
  const [weights] = findingsOf(directRouting({ director: "ipvsadm -e -t 10.0.0.100:80 -r 10.0.0.12 -g -w 9", timeline: TWELVE }));
  expect(weights).toMatchObject({ id: "weights-ignored" });
  expect(weights?.why).toContain("In this run: 10.0.0.12:80 6, 10.0.0.11:80 6.");
  const [persistence] = findingsOf(directRouting({ timeline: TWELVE }).replace("-s rr", "-s rr -p 300"));
  expect(persistence?.title).toContain("All 12 connections of 10.0.0.5");
});

test("persistence-per-service: the cure has the ports and the servers of the services", () => {
  const director = "ipvsadm -A -t 10.0.0.100:8443 -s rr -p 60; ipvsadm -a -t 10.0.0.100:8443 -r 10.0.0.11 -g; ipvsadm -a -t 10.0.0.100:8443 -r 10.0.0.12 -g";
  const timeline = `{ at: 0.5s, host: other, run: "curl -s http://10.0.0.100:8443/" }
  - { at: 1s, host: client, run: "curl -s http://10.0.0.100/; curl -s http://10.0.0.100:8443/" }`;
  const hosts = "  other: { interfaces: { eth0: { link: lan, address: 10.0.0.6/24 } } }";
  const [finding] = findingsOf(directRouting({ director, timeline, hosts }).replace("-s rr\n", "-s rr -p 60\n").replaceAll("service httpd start", "HTTPD_PORTS=\"80 8443\" httpd"));
  expect(finding).toMatchObject({ id: "persistence-per-service" });
  expect(finding?.fix).toMatch(/--dports (80,8443|8443,80) .*ipvsadm -a -f 1 -r 10\.0\.0\.11 -g; ipvsadm -a -f 1 -r 10\.0\.0\.12 -g/);
});

test("forward-dropped: a router that drops requests gets both rules, one that drops the tunnel the protocol", () => {
  const routed = (method: string, rs: string, rules: string) => `
title: a router between
hosts:
  client: { interfaces: { eth0: { link: out, address: 203.0.113.9/24 } }, gateway: 203.0.113.1 }
  router:
    interfaces: { eth0: { link: out, address: 203.0.113.1/24 }, eth1: { link: lan, address: 10.0.0.1/24 }, eth2: { link: far, address: 10.0.1.1/24 } }
    forward: true
    run: ${rules}
  director:
    interfaces: { eth0: { link: lan, address: 10.0.0.2/24 } }
    gateway: 10.0.0.1
    run: ip addr add 10.0.0.100/32 dev eth0; ipvsadm -A -t 10.0.0.100:80; ipvsadm -a -t 10.0.0.100:80 -r ${rs} ${method}
  near:
    interfaces: { eth0: { link: lan, address: 10.0.0.11/24 } }
    gateway: 10.0.0.1
    run: ${HIDE}; service httpd start
  far:
    interfaces: { eth0: { link: far, address: 10.0.1.11/24 } }
    gateway: 10.0.1.1
    run: modprobe ipip; ip link set tunl0 up; ip addr add 10.0.0.100/32 dev tunl0; sysctl -q -w net.ipv4.conf.all.rp_filter=0; service httpd start
timeline:
  - { at: 1s, host: client, run: "curl -s -m 3 http://10.0.0.100/" }
`;
  const [requests] = findingsOf(routed("-g", "10.0.0.11", "iptables -P FORWARD DROP"));
  expect(requests).toMatchObject({ id: "forward-dropped", host: "router" });
  expect(requests?.fix).toContain("iptables -I FORWARD -d 10.0.0.100 -p tcp --dport 80 -j ACCEPT");
  expect(requests?.fix).toContain("iptables -I FORWARD -s 10.0.0.100 -p tcp --sport 80 -j ACCEPT");
  expect(findingsOf(routed("-g", "10.0.0.11", "iptables -P FORWARD DROP; iptables -I FORWARD -d 10.0.0.100 -p tcp --dport 80 -j ACCEPT; iptables -I FORWARD -s 10.0.0.100 -p tcp --sport 80 -j ACCEPT"))).toEqual([]);
  const [tunnel] = findingsOf(routed("-i", "10.0.1.11", "iptables -A FORWARD -p 4 -j DROP"));
  expect(tunnel).toMatchObject({ id: "forward-dropped", host: "router", fix: "On router: iptables -I FORWARD -s 10.0.0.2 -p 4 -j ACCEPT" });
});

test("persistent-despite-drain: two servers of one director stay two findings", () => {
  const timeline = `{ at: 1s, host: client, run: "curl -s http://10.0.0.100/" }
  - { at: 1s, host: other, run: "curl -s http://10.0.0.100/" }
  - { at: 2s, host: director, run: "ipvsadm -e -t 10.0.0.100:80 -r 10.0.0.11 -g -w 0; ipvsadm -e -t 10.0.0.100:80 -r 10.0.0.12 -g -w 0" }
  - { at: 3s, host: client, run: "curl -s http://10.0.0.100/" }
  - { at: 3s, host: other, run: "curl -s http://10.0.0.100/" }`;
  const hosts = "  other: { interfaces: { eth0: { link: lan, address: 10.0.0.6/24 } } }";
  const findings = findingsOf(directRouting({ timeline, hosts }).replace("-s rr", "-s rr -p 300"));
  expect(findings.filter(({ id }) => id === "persistent-despite-drain").length).toBe(2);
});

test("server-gone: connections that were ended are told in one sentence", () => {
  const timeline = `{ at: 1s, host: client, run: "(printf 'GET / HTTP/1.1\\\\r\\\\nHost: a\\\\r\\\\n\\\\r\\\\n'; sleep 3; printf 'GET / HTTP/1.1\\\\r\\\\nHost: a\\\\r\\\\n\\\\r\\\\n'; sleep 1) | nc -w 9 10.0.0.100 80" }
  - { at: 2s, host: director, run: "ipvsadm -d -t 10.0.0.100:80 -r 10.0.0.12; ipvsadm -d -t 10.0.0.100:80 -r 10.0.0.11" }`;
  const [finding] = findingsOf(directRouting({ director: "sysctl -q -w net.ipv4.vs.expire_nodest_conn=1", timeline }));
  expect(finding).toMatchObject({ id: "server-gone", title: "director ended connections whose real server was removed" });
});

test("mtu-black-hole: the cure names the chain in which the message is dropped", () => {
  const upload = directRouting({ timeline: "{ at: 1s, host: client, run: \"head -c 20000 /dev/zero > /tmp/big; curl -s -m 8 --data-binary @/tmp/big http://10.0.0.100/\" }" })
    .replaceAll(" -g", " -i")
    .replaceAll("dev lo", "dev tunl0; modprobe ipip; ip link set tunl0 up; sysctl -q -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.tunl0.rp_filter=0; ip addr add 10.0.0.100/32 dev tunl0")
    .replace("ip addr add 10.0.0.100/32 dev eth0", "ip addr add 10.0.0.100/32 dev eth0; iptables -A OUTPUT -p icmp --icmp-type fragmentation-needed -j DROP");
  const [finding] = findingsOf(upload);
  expect(finding).toMatchObject({ id: "mtu-black-hole", host: "director" });
  expect(finding?.fix).toContain("iptables -I OUTPUT -p icmp");
});
