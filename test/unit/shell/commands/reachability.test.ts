/**
 * ping, arping and traceroute on small networks, against what the real ones printed on the same. Times are masked.
 */

import { expect, test } from "vitest";
import { pingCommand } from "../../../../src/shell/commands/ping.ts";
import { reachabilityCommands } from "../../../../src/shell/reachability-commands.ts";
import { Laboratory } from "../../host/two-hosts.ts";
import { Bench } from "./reachability-machine.ts";

/** a routes between lan and lan2 (MTU 1400 on demand); b is on lan, c on lan2. */
function network(): { lab: Laboratory; a: Bench; b: Bench } {
  const lab = new Laboratory();
  const a = lab.host("a", { eth0: "lan 10.0.0.1/24", eth1: "lan2 10.1.0.1/24" });
  a.sysctl.write("net.ipv4.ip_forward", "1");
  const b = lab.host("b", { eth0: "lan 10.0.0.2/24" }, "10.0.0.1");
  lab.host("c", { eth0: "lan2 10.1.0.3/24" }, "10.1.0.1");
  return { lab, a: new Bench(a, reachabilityCommands), b: new Bench(b, reachabilityCommands) };
}

function masked(text: string): string {
  return text
    .replace(/time=[\d.]+ ms/g, "time=T ms")
    .replace(/time \d+ms/g, "time Tms")
    .replace(/= [\d.]+\/[\d.]+\/[\d.]+\/[\d.]+ ms/g, "= T ms")
    .replace(/\d+\.\d+ ?ms/g, "T ms");
}

const REPLY = (sequence: number, from = "10.0.0.1", ttl = 64): string => `64 bytes from ${from}: icmp_seq=${sequence} ttl=${ttl} time=T ms\n`;

test.each([
  {
    line: "ping -c 2 -i 0.2 10.0.0.1",
    stdout: `PING 10.0.0.1 (10.0.0.1) 56(84) bytes of data.\n${REPLY(1)}${REPLY(2)}\n--- 10.0.0.1 ping statistics ---\n2 packets transmitted, 2 received, 0% packet loss, time Tms\nrtt min/avg/max/mdev = T ms\n`,
    exit: 0,
  },
  {
    line: "ping -q -c 3 -i 0.2 10.1.0.3",
    stdout:
      "PING 10.1.0.3 (10.1.0.3) 56(84) bytes of data.\n\n--- 10.1.0.3 ping statistics ---\n3 packets transmitted, 3 received, 0% packet loss, time Tms\nrtt min/avg/max/mdev = T ms\n",
    exit: 0,
  },
  {
    line: "ping -c 1 -s 4 10.0.0.1",
    stdout:
      "PING 10.0.0.1 (10.0.0.1) 4(32) bytes of data.\n12 bytes from 10.0.0.1: icmp_seq=1 ttl=64\n\n--- 10.0.0.1 ping statistics ---\n1 packets transmitted, 1 received, 0% packet loss, time Tms\n\n",
    exit: 0,
  },
  {
    line: "ping -c 1 -p ff -t 5 10.0.0.1",
    stdout: `PATTERN: 0xff\nPING 10.0.0.1 (10.0.0.1) 56(84) bytes of data.\n${REPLY(1)}\n--- 10.0.0.1 ping statistics ---\n1 packets transmitted, 1 received, 0% packet loss, time Tms\nrtt min/avg/max/mdev = T ms\n`,
    exit: 0,
  },
  {
    line: "ping -c 1 -I eth0 10.0.0.1",
    stdout: `PING 10.0.0.1 (10.0.0.1) from 10.0.0.2 eth0: 56(84) bytes of data.\n${REPLY(1)}\n--- 10.0.0.1 ping statistics ---\n1 packets transmitted, 1 received, 0% packet loss, time Tms\nrtt min/avg/max/mdev = T ms\n`,
    exit: 0,
  },
  {
    line: "ping -c 3 10.0.0.98",
    stdout:
      "PING 10.0.0.98 (10.0.0.98) 56(84) bytes of data.\nFrom 10.0.0.2 icmp_seq=1 Destination Host Unreachable\nFrom 10.0.0.2 icmp_seq=2 Destination Host Unreachable\nFrom 10.0.0.2 icmp_seq=3 Destination Host Unreachable\n\n--- 10.0.0.98 ping statistics ---\n3 packets transmitted, 0 received, +3 errors, 100% packet loss, time Tms\npipe 3\n",
    exit: 1,
  },
  {
    line: "ping -c 3 10.1.0.99",
    stdout:
      "PING 10.1.0.99 (10.1.0.99) 56(84) bytes of data.\nFrom 10.0.0.1 icmp_seq=1 Destination Host Unreachable\nFrom 10.0.0.1 icmp_seq=2 Destination Host Unreachable\nFrom 10.0.0.1 icmp_seq=3 Destination Host Unreachable\n\n--- 10.1.0.99 ping statistics ---\n3 packets transmitted, 0 received, +3 errors, 100% packet loss, time Tms\npipe 3\n",
    exit: 1,
  },
  {
    line: "ping -c 1 10.77.0.1",
    stdout:
      "PING 10.77.0.1 (10.77.0.1) 56(84) bytes of data.\nFrom 10.0.0.1 icmp_seq=1 Destination Net Unreachable\n\n--- 10.77.0.1 ping statistics ---\n1 packets transmitted, 0 received, +1 errors, 100% packet loss, time Tms\n\n",
    exit: 1,
  },
  {
    line: "ping -c 1 -t 1 10.1.0.3",
    stdout:
      "PING 10.1.0.3 (10.1.0.3) 56(84) bytes of data.\nFrom 10.0.0.1 icmp_seq=1 Time to live exceeded\n\n--- 10.1.0.3 ping statistics ---\n1 packets transmitted, 0 received, +1 errors, 100% packet loss, time Tms\n\n",
    exit: 1,
  },
  {
    line: "ping -c 2 -W 1 -q 10.0.0.98",
    stdout:
      "PING 10.0.0.98 (10.0.0.98) 56(84) bytes of data.\n\n--- 10.0.0.98 ping statistics ---\n2 packets transmitted, 0 received, 100% packet loss, time Tms\n\n",
    exit: 1,
  },
  {
    line: "ping -c 3 -i 0.3 -O -W 1 10.0.0.66",
    stdout:
      "PING 10.0.0.66 (10.0.0.66) 56(84) bytes of data.\nno answer yet for icmp_seq=1\nno answer yet for icmp_seq=2\n\n--- 10.0.0.66 ping statistics ---\n3 packets transmitted, 0 received, 100% packet loss, time Tms\n\n",
    exit: 1,
  },
  {
    line: "ping -c 1 -b -W 1 10.0.0.255",
    stdout:
      "PING 10.0.0.255 (10.0.0.255) 56(84) bytes of data.\n\n--- 10.0.0.255 ping statistics ---\n1 packets transmitted, 0 received, 100% packet loss, time Tms\n\n",
    stderr: "WARNING: pinging broadcast address\n",
    exit: 1,
  },
  {
    line: "ping -c 2 -i 0.3 -s 2000 -M do 10.0.0.1",
    stdout:
      "PING 10.0.0.1 (10.0.0.1) 2000(2028) bytes of data.\n\n--- 10.0.0.1 ping statistics ---\n2 packets transmitted, 0 received, +2 errors, 100% packet loss, time Tms\n\n",
    stderr: "ping: local error: message too long, mtu=1500\nping: local error: message too long, mtu=1500\n",
    exit: 1,
  },
  {
    line: "ping -c 1 -s 70000 -W 1 10.0.0.1",
    stdout:
      "PING 10.0.0.1 (10.0.0.1) 70000(70028) bytes of data.\n\n--- 10.0.0.1 ping statistics ---\n1 packets transmitted, 0 received, 100% packet loss, time Tms\n\n",
    exit: 1,
  },
  {
    line: "traceroute -n 10.1.0.3",
    stdout: "traceroute to 10.1.0.3 (10.1.0.3), 30 hops max, 60 byte packets\n 1  10.0.0.1  T ms  T ms  T ms\n 2  10.1.0.3  T ms  T ms  T ms\n",
    exit: 0,
  },
  {
    line: "traceroute 10.0.0.1",
    stdout: "traceroute to 10.0.0.1 (10.0.0.1), 30 hops max, 60 byte packets\n 1  10.0.0.1 (10.0.0.1)  T ms  T ms  T ms\n",
    exit: 0,
  },
  {
    line: "traceroute -n -I -q 1 10.1.0.3",
    stdout: "traceroute to 10.1.0.3 (10.1.0.3), 30 hops max, 60 byte packets\n 1  10.0.0.1  T ms\n 2  10.1.0.3  T ms\n",
    exit: 0,
  },
  {
    line: "traceroute -n -T -q 1 10.1.0.3",
    stdout: "traceroute to 10.1.0.3 (10.1.0.3), 30 hops max, 60 byte packets\n 1  10.0.0.1  T ms\n 2  10.1.0.3  T ms\n",
    exit: 0,
  },
  {
    line: "traceroute -n -q 1 10.1.0.77",
    stdout: "traceroute to 10.1.0.77 (10.1.0.77), 30 hops max, 60 byte packets\n 1  10.0.0.1  T ms\n 2  10.0.0.1  T ms !H\n",
    exit: 0,
  },
  {
    line: "traceroute -n -m 3 -q 2 -w 1 10.0.0.77",
    stdout: "traceroute to 10.0.0.77 (10.0.0.77), 3 hops max, 60 byte packets\n 1  * *\n 2  * *\n 3  * *\n",
    exit: 0,
  },
  { line: "traceroute -n -f 2 10.1.0.3", stdout: "traceroute to 10.1.0.3 (10.1.0.3), 30 hops max, 60 byte packets\n 2  10.1.0.3  T ms  T ms  T ms\n", exit: 0 },
  {
    line: "traceroute -n -s 10.9.9.9 10.1.0.3",
    stdout: "traceroute to 10.1.0.3 (10.1.0.3), 30 hops max, 60 byte packets",
    stderr: "\nbind: Cannot assign requested address\n",
    exit: 1,
  },
  {
    line: "traceroute -n -i eth9 10.1.0.3",
    stdout: "traceroute to 10.1.0.3 (10.1.0.3), 30 hops max, 60 byte packets",
    stderr: "\nsetsockopt SO_BINDTODEVICE: No such device\n",
    exit: 1,
  },
  {
    line: "arping -c 2 -I eth0 10.0.0.1",
    stdout:
      "ARPING 10.0.0.1 from 10.0.0.2 eth0\nUnicast reply from 10.0.0.1 [02:00:00:00:00:01]  T ms\nUnicast reply from 10.0.0.1 [02:00:00:00:00:01]  T ms\nSent 2 probes (1 broadcast(s))\nReceived 2 response(s)\n",
    exit: 0,
  },
  {
    line: "arping -b -c 2 10.0.0.1",
    stdout:
      "ARPING 10.0.0.1 from 10.0.0.2 eth0\nUnicast reply from 10.0.0.1 [02:00:00:00:00:01]  T ms\nUnicast reply from 10.0.0.1 [02:00:00:00:00:01]  T ms\nSent 2 probes (2 broadcast(s))\nReceived 2 response(s)\n",
    exit: 0,
  },
  {
    line: "arping -f -I eth0 10.0.0.1",
    stdout:
      "ARPING 10.0.0.1 from 10.0.0.2 eth0\nUnicast reply from 10.0.0.1 [02:00:00:00:00:01]  T ms\nSent 1 probes (1 broadcast(s))\nReceived 1 response(s)\n",
    exit: 0,
  },
  {
    line: "arping -D -I eth0 -c 2 10.0.0.1",
    stdout:
      "ARPING 10.0.0.1 from 0.0.0.0 eth0\nUnicast reply from 10.0.0.1 [02:00:00:00:00:01]  T ms\nSent 1 probes (1 broadcast(s))\nReceived 1 response(s)\n",
    exit: 1,
  },
  {
    line: "arping -D -c 2 -w 3 -I eth0 10.0.0.200",
    stdout: "ARPING 10.0.0.200 from 0.0.0.0 eth0\nSent 2 probes (2 broadcast(s))\nReceived 0 response(s)\n",
    exit: 0,
  },
  { line: "arping -U -c 2 -I eth0 10.0.0.2", stdout: "ARPING 10.0.0.2 from 10.0.0.2 eth0\nSent 2 probes (2 broadcast(s))\nReceived 0 response(s)\n", exit: 0 },
  {
    line: "arping -c 1 -w 1 -I eth0 10.0.0.99",
    stdout: "ARPING 10.0.0.99 from 10.0.0.2 eth0\nSent 1 probes (1 broadcast(s))\nReceived 0 response(s)\n",
    exit: 1,
  },
  {
    line: "arping -w 2 -I eth0 10.0.0.99",
    stdout: "ARPING 10.0.0.99 from 10.0.0.2 eth0\nSent 3 probes (3 broadcast(s))\nReceived 0 response(s)\n",
    exit: 1,
  },
  { line: "arping -q -c 1 -I eth0 10.0.0.1", stdout: "", exit: 0 },
  { line: "arping -c 1 -I lo 127.0.0.1", stdout: 'Interface "lo" is not ARPable\n', exit: 2 },
  { line: "arping -c 1 -I tunl0 10.0.0.1", stdout: 'Interface "tunl0" is down\n', exit: 2 },
])("$line -> $exit", ({ line, stdout, exit, ...rest }) => {
  const { b } = network();
  const got = b.run(line, 200);
  expect({ stdout: masked(got.stdout), stderr: got.stderr, exit: got.exit }).toEqual({ stdout, stderr: "stderr" in rest ? rest.stderr : "", exit });
});

test.each([
  { line: "ping", text: "ping: usage error: Destination address required\n", exit: 1 },
  { line: "ping -c 1 nosuchhost", text: "ping: nosuchhost: Temporary failure in name resolution\n", exit: 2 },
  { line: "ping -c 0 10.0.0.1", text: "ping: invalid argument: '0': out of range: 1 <= value <= 9223372036854775807\n", exit: 1 },
  { line: "ping -c x 10.0.0.1", text: "ping: invalid argument: 'x'\n", exit: 1 },
  { line: "ping -c 99999999999999999999 10.0.0.1", text: "ping: invalid argument: '99999999999999999999': Numerical result out of range\n", exit: 1 },
  { line: "ping -t 256 10.0.0.1", text: "ping: invalid argument: '256': out of range: 0 <= value <= 255\n", exit: 1 },
  { line: "ping -t 0 -c 1 10.0.0.1", text: "ping: cannot set unicast time-to-live: Invalid argument\n", exit: 2 },
  { line: "ping -i 1e9 10.0.0.1", text: "ping: bad timing interval: 1e9\n", exit: 2 },
  { line: "ping -W -1 10.0.0.1", text: "ping: bad linger time: -1\n", exit: 2 },
  { line: "ping -M foo 10.0.0.1", text: "ping: invalid -M argument: foo\n", exit: 2 },
  { line: "ping -Q 256 10.0.0.1", text: "ping: the decimal value of TOS bits must be in range 0-255: 256\n", exit: 2 },
  { line: "ping -p zz 10.0.0.1", text: "ping: patterns must be specified as hex digits: zz\n", exit: 2 },
  { line: "ping -I eth9 -c 1 10.0.0.1", text: "ping: SO_BINDTODEVICE eth9: No such device\n", exit: 2 },
  { line: "ping -I 10.0.0.77 -c 1 10.0.0.1", text: "ping: bind: Cannot assign requested address\n", exit: 2 },
  { line: "ping -c 1 10.0.0.255", text: "ping: Do you want to ping broadcast? Then -b. If not, check your local firewall rules\n", exit: 2 },
  { line: "ping -6 10.0.0.1", text: "ping: 10.0.0.1: Address family for hostname not supported\n", exit: 2 },
  { line: "traceroute -m 0 10.0.0.1", text: "first hop out of range\n", exit: 2 },
  { line: "traceroute -m 256 10.0.0.1", text: "max hops cannot be more than 255\n", exit: 2 },
  { line: "traceroute -q 11 10.0.0.1", text: "no more than 10 probes per hop\n", exit: 2 },
  { line: "traceroute -Z 10.0.0.1", text: "Bad option `-Z' (argc 1)\n", exit: 2 },
  { line: "traceroute -w x 10.0.0.1", text: "Cannot handle `-w' option with arg `x' (argc 2)\n", exit: 2 },
  { line: "traceroute -m", text: "Option `-m' (argc 1) requires an argument: `-m max_ttl'\n", exit: 2 },
  {
    line: "traceroute nosuch",
    text: 'nosuch: Temporary failure in name resolution\nCannot handle "host" cmdline arg `nosuch\' on position 1 (argc 1)\n',
    exit: 2,
  },
  { line: "arping -c x -I eth0 10.0.0.1", text: "arping: invalid argument: 'x'\n", exit: 1 },
  { line: "arping -c 0 -I eth0 10.0.0.1", text: "arping: invalid argument: '0': out of range: 1 <= value <= 2147483647\n", exit: 1 },
  { line: "arping -I eth9 10.0.0.1", text: "arping: Device eth9 not available.\n", exit: 2 },
  { line: "arping -I eth0 -s 1.2.3.4.5 10.0.0.1", text: "arping: invalid source 1.2.3.4.5\n", exit: 2 },
  { line: "arping -I eth0 -s 10.0.0.55 10.0.0.1", text: "arping: bind: Cannot assign requested address\n", exit: 2 },
  { line: "arping -I eth0 nosuch", text: "arping: nosuch: Temporary failure in name resolution\n", exit: 2 },
])("mistake: $line -> $exit", ({ line, text, exit }) => {
  const { b } = network();
  const got = b.run(line);
  expect({ text: got.stderr, stdout: got.stdout, exit: got.exit }).toEqual({ text, stdout: "", exit });
});

const LOST = "1 packets transmitted, 0 received, 100% packet loss, time Tms\n\n";
const ELSEWHERE = "ping: Warning: source address might be selected on device other than: lo\n";

test.each([
  { line: "ping -c 1 8.8.8.8", stdout: "", stderr: "ping: connect: Network is unreachable\n", exit: 2 },
  // With a source address nothing is connected, and sendmsg fails in silence.
  {
    line: "ping -c 1 -W 1 -I 10.0.0.2 8.8.8.8",
    stdout: `PING 8.8.8.8 (8.8.8.8) from 10.0.0.2 : 56(84) bytes of data.\n\n--- 8.8.8.8 ping statistics ---\n${LOST}`,
    stderr: "",
    exit: 1,
  },
  {
    line: "ping -c 1 -W 1 -I 10.0.0.2 10.0.0.255",
    stdout: `PING 10.0.0.255 (10.0.0.255) from 10.0.0.2 : 56(84) bytes of data.\n\n--- 10.0.0.255 ping statistics ---\n${LOST}`,
    stderr: "",
    exit: 1,
  },
  {
    line: "ping -c 1 -W 1 -I 10.0.0.2 0.0.0.0",
    stdout: `PING 0.0.0.0 (10.0.0.2) from 10.0.0.2 : 56(84) bytes of data.\n${REPLY(1, "10.0.0.2")}\n--- 0.0.0.0 ping statistics ---\n1 packets transmitted, 1 received, 0% packet loss, time Tms\nrtt min/avg/max/mdev = T ms\n`,
    stderr: "",
    exit: 0,
  },
  {
    line: "ping -q -c 1 -W 1 -I lo 192.0.2.200",
    stdout: `PING 192.0.2.200 (192.0.2.200) from 192.0.2.200 lo: 56(84) bytes of data.\n\n--- 192.0.2.200 ping statistics ---\n1 packets transmitted, 1 received, 0% packet loss, time Tms\nrtt min/avg/max/mdev = T ms\n`,
    stderr: ELSEWHERE,
    exit: 0,
  },
  {
    line: "ping -c 1 -W 1 -I lo 8.8.8.8",
    stdout: `PING 8.8.8.8 (8.8.8.8) from 192.0.2.200 lo: 56(84) bytes of data.\n\n--- 8.8.8.8 ping statistics ---\n${LOST}`,
    stderr: ELSEWHERE,
    exit: 1,
  },
])("on a host without a way out: $line", ({ line, ...wanted }) => {
  const lab = new Laboratory();
  const host = lab.host("alone", { eth0: "lan 10.0.0.2/24" });
  const lo = host.devices.loopback;
  const alias = { address: 0xc00002c8, peer: 0xc00002c8, prefixLength: 32, broadcast: 0, scope: 0, label: "lo:0", noPrefixRoute: false };
  host.addresses.add(lo, alias);
  const got = new Bench(host, [pingCommand]).run(line);
  expect({ stdout: masked(got.stdout), stderr: got.stderr, exit: got.exit }).toEqual(wanted);
});

test.each([
  { line: "ping -A -c 3 10.0.0.1", body: `${REPLY(1)}${REPLY(2)}${REPLY(3)}`, isAnswered: true },
  { line: "ping -f -c 3 10.0.0.1", body: ".\b \b.\b \b.\b \b", isAnswered: true },
  { line: "ping -f -q -c 3 10.0.0.1", body: "", isAnswered: true },
  { line: "ping -f -W 1 -c 3 10.0.0.66", body: "...", isAnswered: false },
])("replies set the pace: $line", ({ line, body, isAnswered }) => {
  const { b } = network();
  const got = b.run(line, 5);
  const [head = "", ...rest] = masked(got.stdout).split("bytes of data.\n");
  expect(head).toMatch(/^PING 10.0.0.\d+ \(10.0.0.\d+\) 56\(84\) $/);
  const counts = isAnswered ? "3 packets transmitted, 3 received, 0% packet loss" : "3 packets transmitted, 0 received, 100% packet loss";
  const times = isAnswered ? "rtt min/avg/max/mdev = T ms, ipg/ewma" : "";
  expect(rest.join("")).toContain(`${body}\n--- 10.0.0.${isAnswered ? 1 : 66} ping statistics ---\n${counts}, time Tms\n${times}`);
  expect(rest.join("").startsWith(`${body}\n`)).toBe(true);
  expect(Number(/time (\d+)ms/.exec(got.stdout)?.[1])).toBeLessThan(40);
  expect(got.exit).toBe(isAnswered ? 0 : 1);
});

test.each([
  { line: "arping -c 1 -I eth0 10.0.0.9", exit: 1 },
  { line: "arping -f -c 1 -I eth0 10.0.0.9", exit: 0 },
  { line: "arping -w 3 -I eth0 10.0.0.9", exit: 0 },
  { line: "arping -c 1 -I eth0 10.0.0.8", exit: 0 },
])("two hosts own 10.0.0.9: $line -> $exit", ({ line, exit }) => {
  const lab = new Laboratory();
  const asker = new Bench(lab.host("a", { eth0: "lan 10.0.0.2/24" }), reachabilityCommands);
  lab.host("b", { eth0: "lan 10.0.0.9/24" });
  lab.host("c", { eth0: "lan 10.0.0.9/24" });
  lab.host("d", { eth0: "lan 10.0.0.8/24" });
  expect(asker.run(line).exit).toBe(exit);
});

test("ping -M do learns the path's MTU from the router", () => {
  const { lab, b } = network();
  const eth1 = lab.hosts.get("a")?.devices.byName("eth1");
  if (eth1 !== undefined) lab.hosts.get("a")?.devices.setMtu(eth1, 1400);
  const got = b.run("ping -c 2 -s 1472 -i 0.3 -M do 10.1.0.3");
  expect(masked(got.stdout)).toBe(
    "PING 10.1.0.3 (10.1.0.3) 1472(1500) bytes of data.\nFrom 10.0.0.1 icmp_seq=1 Frag needed and DF set (mtu = 1400)\n\n--- 10.1.0.3 ping statistics ---\n2 packets transmitted, 0 received, +2 errors, 100% packet loss, time Tms\n\n",
  );
  expect(got.stderr).toBe("ping: local error: message too long, mtu=1400\n");
});

test("redirects are shown", () => {
  const lab = new Laboratory();
  const a = lab.host("a", { eth0: "lan 10.0.0.1/24" }, "10.0.0.2");
  const r = lab.host("r", { eth0: "lan 10.0.0.2/24" });
  lab.route(r, "10.9.0.0/24 via 10.0.0.3");
  r.sysctl.write("net.ipv4.ip_forward", "1");
  lab.host("s", { eth0: "lan 10.0.0.3/24", eth1: "far 10.9.0.3/24" });
  const got = new Bench(a, [pingCommand]).run("ping -c 2 -i 0.2 10.9.0.3");
  expect(
    masked(got.stdout)
      .split("\n")
      .filter((line) => line.includes("Redirect"))[0],
  ).toBe("From 10.0.0.2: icmp_seq=1 Redirect Host(New nexthop: 10.0.0.3)");
});

test("ping -W 0 waits for ever", () => {
  const { lab, b } = network();
  expect(b.run("ping -c 1 -W 0 10.0.0.1").exit).toBe(0);
  const running = b.start("ping -q -c 1 -W 0 10.1.0.3");
  lab.hosts.get("c")?.sysctl.write("net.ipv4.icmp_echo_ignore_all", "1");
  lab.run(100);
  expect(running.exit).toBe(undefined);
});

test("an interrupt ends ping with its statistics", () => {
  const { lab, b } = network();
  const running = b.start("ping -i 0.2 10.0.0.1");
  lab.run(0.7);
  running.kill("INT");
  lab.run(0.1);
  expect(running.exit).toBe(0);
  expect(masked(running.stdout).split("\n").slice(-3)).toEqual([
    "4 packets transmitted, 4 received, 0% packet loss, time Tms",
    "rtt min/avg/max/mdev = T ms",
    "",
  ]);
});
