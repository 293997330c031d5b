/**
 * Faults on real machines: what each does to the wire and to who is on it, what a reboot leaves, and what is said about mistakes.
 */

import { expect, test } from "vitest";
import type { FaultVerb } from "../../../src/scenario/fault.ts";
import { parseFaultWords } from "../../../src/scenario/fault-words.ts";
import { LINUX_PARTS } from "../../../src/scenario/linux-parts.ts";
import { type RunResult, runScenario } from "../../../src/scenario/run-scenario.ts";
import { ScenarioError } from "../../../src/scenario/scenario-error.ts";
import { parseScenario } from "../../../src/scenario/scenario-file.ts";
import { MemorySink } from "../../../src/trace/tracer.ts";
import { TCP_RST } from "../../../src/wire/packet.ts";

const HOSTS = `title: faults
hosts:
  client:
    interfaces: { eth0: { link: lan, address: 10.0.0.50/24 } }
  web:
    interfaces: { eth0: { link: lan, address: 10.0.0.11/24 } }
    gateway: 10.0.0.1
`;
const PING = "ping -c 1 -W 1 10.0.0.11 | grep -o '[0-9]*% packet loss'";

function play(text: string): { readonly result: RunResult; readonly sink: MemorySink; readonly said: readonly (string | undefined)[] } {
  const sink = new MemorySink();
  const result = runScenario(parseScenario(text, "x.yaml"), { parts: LINUX_PARTS, capturesFrames: true, traceLevel: "full", sinks: [sink] });
  const said = result.timeline.flatMap((step) => ("stdout" in step ? [`${step.stdout}${step.stderr}`] : []));
  return { result, sink, said };
}

test.each([
  { fault: "break: web.eth0", heal: "mend: web.eth0" },
  { fault: "break: web", heal: "mend: web" },
  { fault: "break: lan", heal: "mend: lan" },
  { fault: "partition: lan, groups: [[web], [client]]", heal: "partition: lan" },
  { fault: "partition: lan, groups: [[web.eth0]]", heal: "partition: lan" },
  { fault: "impair: lan, netem: loss 100%", heal: "impair: lan" },
  { fault: "impair: web, netem: loss 100%, direction: in", heal: "impair: web" },
  { fault: "impair: web.eth0, netem: loss 100%, direction: out", heal: "impair: web.eth0" },
  { fault: "impair: web, netem: corrupt 100%", heal: "impair: web" },
])("$fault: nobody hears the server until it is over", ({ fault, heal }) => {
  const steps = [`{ at: 0s, host: client, run: "${PING}" }`, `{ at: 1s, ${fault} }`, `{ at: 1s, host: client, run: "${PING}" }`, `{ at: 5s, ${heal} }`, `{ at: 6s, host: client, run: "${PING}" }`];
  const { said, result, sink } = play(`${HOSTS}timeline:\n${steps.map((step) => `  - ${step}\n`).join("")}`);
  expect(said).toEqual(["0% packet loss\n", "100% packet loss\n", "0% packet loss\n"]);
  expect(sink.events.filter(({ kind }) => kind === "fault")).toHaveLength(2);
  const counters = result.world.links.get("lan")?.counters;
  expect((counters?.sent ?? 0) + (counters?.copied ?? 0)).toBe((counters?.delivered ?? 0) + (counters?.dropped ?? 0) + (counters?.filtered ?? 0));
});

test("an impairment moves nobody else's draws", () => {
  const other = `  far: { interfaces: { eth0: { link: wan, address: 10.2.0.1/24 } } }\n  near: { interfaces: { eth0: { link: wan, address: 10.2.0.2/24 } }, run: service httpd start }\n`;
  const steps = (fault: string) => `links:\n  wan: { loss: 20% }\ntimeline:\n${fault}  - { at: 1s, host: client, run: "${PING}" }\n  - { at: 1s, host: far, run: "curl -s http://10.2.0.2/" }\n`;
  const wan = ({ result }: ReturnType<typeof play>) => result.captures.captures.filter(({ hostName }) => hostName === "far").map((capture) => Buffer.from(capture.toBytes()).toString("latin1"));
  const quiet = play(`${HOSTS}${other}${steps("")}`);
  const impaired = play(`${HOSTS}${other}${steps('  - { at: 0s, impair: lan, netem: "loss 50% delay 10ms 5ms duplicate 20%" }\n')}`);
  expect(wan(impaired)).toEqual(wan(quiet));
  expect(wan(quiet)[0]?.length).toBeGreaterThan(500);
});

test("a reboot leaves the files and what they say", () => {
  const { said, sink, result } = play(`${HOSTS}    files:
      /etc/sysctl.conf: |
        net.ipv4.conf.lo.arp_ignore = 1
        net.ipv4.conf.all.app_ignore = 1
      /etc/rc.local: ifconfig lo:0 10.0.0.100 netmask 255.255.255.255
    run: |
      systemctl enable httpd
      service httpd start
      ip addr add 10.0.0.99/32 dev eth0
      sysctl -q -w net.ipv4.conf.all.arp_announce=2
      ipvsadm -A -t 10.0.0.99:80
      iptables -A INPUT -p icmp -j DROP
      echo kept > /var/kept; echo lost > /tmp/lost; hostname typed
timeline:
  - { at: 1s, host: client, run: "(echo; sleep 20; echo late) | timeout 30 nc 10.0.0.11 80 > /dev/null; echo $?" }
  - { at: 2s, host: web, run: "sleep 100" }
  - { at: 3s, reboot: web, takes: 10s }
  - { at: 4s, host: web, run: "echo here" }
  - { at: 5s, host: client, run: "${PING}" }
  - { at: 14s, host: web, run: "ip -o -4 addr | awk '{ print $2, $4 }'; ip route | head -1; sysctl -n net.ipv4.conf.lo.arp_ignore net.ipv4.conf.all.arp_announce; ipvsadm -Ln | wc -l; iptables -S; hostname; cat /var/kept; ls /tmp; cat /proc/uptime | cut -d. -f1; dmesg | wc -l; grep -c app_ignore /var/log/messages; pgrep -c apache2" }
  - { at: 15s, host: client, run: "curl -s http://10.0.0.11/" }
`);
  const [nc, slept, ...rest] = said;
  // The server answers what the connection still sends with a reset, once it is back; the sleeping shell died with it.
  expect([nc, slept]).toEqual(["0\n", ""]);
  expect(result.timeline[1]).toMatchObject({ exit: -9 });
  expect(rest).toEqual([
    "lvsim: web is off, or on its way up\n",
    "100% packet loss\n",
    "lo 127.0.0.1/8\nlo 10.0.0.100/32\neth0 10.0.0.11/24\ndefault via 10.0.0.1 dev eth0 \n1\n0\n3\n-P INPUT ACCEPT\n-P FORWARD ACCEPT\n-P OUTPUT ACCEPT\nweb\nkept\n1\n2\n1\n1\n",
    "from web\n",
  ]);
  expect(sink.events.filter((event) => event.kind === "fault").map((event) => event.fault)).toEqual(["reboot", "boot"]);
  const resets = sink.events.filter((event) => event.kind === "frame-sent" && event.host === "web" && event.frame.payload.kind === "ipv4" && event.frame.payload.payload.kind === "tcp" && (event.frame.payload.payload.flags & TCP_RST) !== 0);
  expect(resets.length).toBeGreaterThan(0);
  const silent = sink.events.filter((event) => event.kind === "frame-sent" && event.host === "web" && event.timeNs - result.originNs > 3e9 && event.timeNs - result.originNs < 13e9);
  expect(silent).toEqual([]);
});

test("a crash that ends goes on, a crash that a reboot follows was the end", () => {
  const steps = (end: string) => `timeline:
  - { at: 1s, crash: web }
  - { at: 2s, host: web, run: "echo later > /var/later" }
  - { at: 3s, ${end} }
  - { at: 6s, host: web, run: "ls /var/later; cat /proc/uptime | cut -d. -f1" }
  - { at: 6s, host: client, run: "${PING}" }
`;
  expect(play(`${HOSTS}${steps("up: web")}`).said).toEqual(["", "/var/later\n6\n", "0% packet loss\n"]);
  expect(play(`${HOSTS}${steps("reboot: web, takes: 2s")}`).said).toEqual(["", "1\nls: cannot access '/var/later': No such file or directory\n", "0% packet loss\n"]);
});

test("typed: reboot goes in order, poweroff stays off, sysrq asks nobody", () => {
  const { said, sink } = play(`${HOSTS}timeline:
  - { at: 0s, host: web, run: "trap 'echo asked > /var/asked; exit' TERM; sleep 100 > /dev/null 2>&1 & wait" }
  - { at: 1s, host: web, run: "reboot; echo typed" }
  - { at: 25s, host: web, run: "cat /var/asked; uptime -p; echo b > /proc/sysrq-trigger; sleep 1; echo never" }
  - { at: 50s, host: web, run: "uptime -p; shutdown -h now; sleep 5; echo never" }
  - { at: 60s, host: web, run: "echo on" }
`);
  expect(said).toEqual(["", "typed\n", "asked\nup 0 minutes\n", "up 0 minutes\n", "lvsim: web is off, or on its way up\n"]);
  expect(sink.events.flatMap((event) => (event.kind === "fault" ? [event.fault] : []))).toEqual(["reboot", "boot", "reboot", "boot", "poweroff"]);
});

test("a stopped server takes connections and answers none; a full one takes none; a slow one takes its time", () => {
  const { said } = play(`${HOSTS}    run: service httpd start
timeline:
  - { at: 1s, kill: web, process: httpd, signal: STOP }
  - { at: 1s, host: client, run: "curl -s -m 1 http://10.0.0.11/; echo $?; ss -tn | grep -c :80" }
  - { at: 3s, host: client, run: "curl -s http://10.0.0.11/" }
  - { at: 4s, kill: web, process: httpd, signal: CONT }
  - { at: 5s, backlog: web, port: 80 }
  - { at: 5s, host: client, run: "curl -s -m 1 http://10.0.0.11/; echo $?" }
  - { at: 7s, backlog: web, port: 80, full: false }
  - { at: 7s, slow: web, by: 300ms }
  - { at: 7s, host: client, run: "curl -s -o /dev/null -w '%{time_total}' http://10.0.0.11/ | cut -c1-3" }
  - { at: 9s, kill: web, process: httpd }
  - { at: 9s, host: client, run: "curl -s http://10.0.0.11/; echo $?" }
  - { at: 10s, clock: web, by: 1h }
  - { at: 10s, host: web, run: "date +%H:%M; date -s '2026-05-06 07:08:09' +%F; date +%F" }
`);
  expect(said).toEqual(["28\n1\n", "from web\n", "28\n", "0.3\n", "7\n", "01:00\nWed May  6 07:08:09 UTC 2026\n2026-05-06\n"]);
});

function problemOf(step: string): string {
  try {
    parseScenario(`${HOSTS}timeline:\n  - { ${step} }\n`, "x.yaml");
  } catch (error) {
    if (error instanceof ScenarioError) return error.message.replace(/^(x.yaml:\d+):\d+/, "$1");
  }
  return "";
}

test.each([
  ["reboot: wbe", "x.yaml:9: unknown host `wbe`; did you mean `web`?"],
  ["break: web.eth1", "x.yaml:9: host web has no interface eth1; it has eth0"],
  ["impair: lan, netem: los 5%", 'x.yaml:9: What is "los"?; write what follows netem on tc\'s command line: loss 10% delay 50ms 10ms'],
  ["impair: lan, direction: up", "x.yaml:9: direction must be in, out or both; the directions are the interface's"],
  ["partition: lan, groups: [[web], [web]]", "x.yaml:9: `web` is in two groups; leave it in one"],
  ["partition: lan, groups: [[]]", "x.yaml:9: []: a group without members; name hosts, or leave the group out"],
  ["kill: web", "x.yaml:9: `kill` without a process; add `process: NAME`"],
  ["kill: web, process: httpd, signal: FOO", 'x.yaml:9: "FOO" is no signal that is simulated; write KILL, TERM, HUP, INT, USR1, USR2, STOP or CONT'],
  ["slow: web", "x.yaml:9: `slow` without a time; add `by: 200ms`, or `by: 0` to end it"],
  ["backlog: web", "x.yaml:9: `backlog` without a port; add `port: 80`"],
  ["backlog: web, port: 0", "x.yaml:9: 0: port is below 1; 80 is the web server's"],
  ["clock: web, by: soon", 'x.yaml:9: "soon" is not a time; write 1h, 90s or -30s'],
  ["crash: web, takes: 5s", "x.yaml:9: `takes` belongs to `reboot`, not to `crash`; remove it"],
  ["reboot: web, crash: web", "x.yaml:9: a step with two verbs: crash and reboot; make it two steps"],
])("`%s`: %s", (step, message) => {
  expect(problemOf(step)).toContain(message);
});

const TOPOLOGY = parseScenario(HOSTS, "x.yaml");

test.each<[FaultVerb, string, string]>([
  ["break", "", "usage: .break LINK|HOST[.IF]"],
  ["impair", "lan loss 5% delay", 'Command line is not complete. Try option "help"; write what follows netem on tc\'s command line: loss 10% delay 50ms 10ms'],
  ["partition", "lan web,client web", "`web` is in two groups; leave it in one"],
  ["reboot", "web soon", '"soon" is not a time; write 500us, 20ms, 1.5s, 2m or a number of seconds'],
  ["kill", "web", "usage: .kill HOST PROCESS [SIGNAL]"],
  ["backlog", "web 80 maybe", "usage: .backlog HOST PORT [full|normal]"],
  ["clock", "client", "usage: .clock HOST TIME"],
  ["poweroff", "clint", "unknown host `clint`; did you mean `client`?"],
])("prompt: .%s %s -> %s", (verb, words, error) => {
  expect(parseFaultWords(verb, words.split(" ").filter((word) => word !== ""), TOPOLOGY)).toEqual({ error });
});

test("the prompt and the timeline mean the same", () => {
  const step = parseScenario(`${HOSTS}timeline:\n  - { impair: web.eth0, netem: loss 10% delay 5ms, direction: in }\n`, "x.yaml").timeline[0];
  expect(parseFaultWords("impair", ["web.eth0", "in", "loss", "10%", "delay", "5ms"], TOPOLOGY)).toEqual({ fault: step?.verb === "fault" ? step.fault : undefined });
});
