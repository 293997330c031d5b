/**
 * Scenario files: what a right one becomes, and the message for everything that can be wrong.
 */

import { expect, test } from "vitest";
import { ScenarioError } from "../../../src/scenario/scenario-error.ts";
import { parseScenario } from "../../../src/scenario/scenario-file.ts";
import { checkFileSize } from "../../../src/scenario/yaml-source.ts";

function messageOf(text: string): string {
  try {
    parseScenario(text, "x.yaml");
  } catch (error) {
    if (error instanceof ScenarioError) return error.message;
    throw error;
  }
  return "";
}

const ONE_HOST = "title: x\nhosts:\n  a:\n    interfaces: { eth0: { link: lan, address: 10.0.0.1/24 } }\n";

test("defaults are filled in", () => {
  const scenario = parseScenario(
    `${ONE_HOST}  b:\n    interfaces: { eth0: { link: lan, mac: "0a:00:00:00:00:09" }, eth1: { link: wan, mtu: 1400 } }\n    run: |\n      echo hi\n      exit 3\ntimeline:\n  - { host: a, run: ls }\n  - { at: 1.5s, down: b.eth1 }\n  - { at: 2m, crash: a }\n`,
    "x.yaml",
  );
  expect(scenario).toMatchObject({
    title: "x",
    seed: "1",
    durationNs: 0,
    links: [
      { name: "lan", properties: {} },
      { name: "wan", properties: {} },
    ],
  });
  expect(scenario.hosts[0]).toMatchObject({
    forward: false,
    gateway: undefined,
    run: undefined,
    interfaces: [{ name: "eth0", mtu: 1500, mac: 0x020000000001, addresses: [{ address: 0x0a000001, prefixLength: 24 }] }],
  });
  expect(scenario.hosts[1]?.interfaces.map(({ mac, mtu }) => [mac, mtu])).toEqual([
    [0x0a0000000009, 1500],
    [0x020000000003, 1400],
  ]);
  expect(scenario.hosts[1]).toMatchObject({ run: "echo hi\nexit 3\n", scriptLine: 8 });
  expect(scenario.timeline).toMatchObject([
    { verb: "run", atNs: 0, host: "a", script: "ls", timeoutNs: 120e9, expect: {} },
    { verb: "down", atNs: 1.5e9, host: "b", interface: "eth1" },
    { verb: "crash", atNs: 120e9, host: "a", interface: undefined },
  ]);
});

test("the 256th MAC address carries over", () => {
  const interfaces = Array.from({ length: 256 }, (_, index) => `e${index}: { link: lan }`).join(", ");
  const scenario = parseScenario(`title: x\nhosts: { a: { interfaces: { ${interfaces} } } }`, "x.yaml");
  expect(scenario.hosts[0]?.interfaces[255]?.mac).toBe(0x020000000100);
});

test("anchors, aliases and merge keys", () => {
  const scenario = parseScenario(
    "title: x\nhosts:\n  a: &a\n    interfaces: { eth0: { link: lan } }\n    run: &run echo hi\n  b:\n    <<: *a\n    run: *run\n  c:\n    <<: [*a]\n    forward: true\n",
    "x.yaml",
  );
  expect(scenario.hosts.map(({ name, run, forward }) => [name, run, forward])).toEqual([
    ["a", "echo hi", false],
    ["b", "echo hi", false],
    ["c", "echo hi", true],
  ]);
});

test("link properties", () => {
  const scenario = parseScenario(`${ONE_HOST}links: { lan: { latency: 2ms, bandwidth: 10Mbit, loss: 0.5%, queue: 10 }, wan: }\n`, "x.yaml");
  expect(scenario.links).toEqual([
    { name: "lan", properties: { latencyNs: 2e6, bandwidthBitsPerSecond: 1e7, lossPpm: 5000, queueFrames: 10 } },
    { name: "wan", properties: {} },
  ]);
});

test.each([
  { what: "no YAML", text: "title: x\nhosts: [a\n", message: /^x\.yaml:3:1: not valid YAML: .*; check the indentation and the brackets/ },
  { what: "a tab", text: "title: x\nhosts:\n\ta: 1\n", message: /^x\.yaml:3:1: not valid YAML: Tabs are not allowed as indentation; indent with spaces/ },
  { what: "a key twice", text: "title: x\ntitle: y\n", message: /^x\.yaml:2:1: not valid YAML: Map keys must be unique; keep one/ },
  { what: "an unknown alias", text: "title: *x\n", message: "x.yaml:1:8: unknown alias *x; define it above as &x" },
  { what: "an unknown tag", text: "title: !x y\n", message: /^x\.yaml:1:8: not valid YAML: Unresolved tag/ },
  { what: "an alias that contains itself", text: "title: x\nhosts: &h { a: *h }\n", message: /contains itself/ },
  { what: "nothing", text: "", message: "x.yaml:1:1: a scenario file must be a mapping; start with `title:` and `hosts:`" },
  { what: "no title", text: ONE_HOST.replace("title: x\n", ""), message: "x.yaml:1:1: a scenario needs a title; add `title: ...` as the first line" },
  { what: "no hosts", text: "title: x\n", message: "x.yaml:1:1: a scenario needs hosts; add `hosts:` with a mapping of names" },
  { what: "an empty mapping of hosts", text: "title: x\nhosts: {}\n", message: "x.yaml:2:1: a scenario needs hosts; add at least one" },
  {
    what: "a host without interfaces",
    text: "title: x\nhosts:\n  a: { forward: true }\n",
    message: /^x\.yaml:3:6: host a: a host needs interfaces; add `interfaces:/,
  },
  { what: "an unknown key", text: `${ONE_HOST}timelin: []\n`, message: "x.yaml:5:1: unknown key `timelin`; did you mean `timeline`?" },
  { what: "an unknown key of a lesson", text: `${ONE_HOST}lesson: { teachs: x, teaches: y }\n`, message: "x.yaml:5:11: unknown key `teachs`; did you mean `teaches`?" },
  { what: "a lesson that teaches nothing", text: `${ONE_HOST}lesson: { mode: DR }\n`, message: "x.yaml:5:9: a lesson needs `teaches`; say in one line what it shows" },
  { what: "a lesson of an unknown mode", text: `${ONE_HOST}lesson: { mode: XR, teaches: y }\n`, message: "x.yaml:5:17: mode must be one of NAT, DR, TUN, any; write the method of forwarding that the lesson is about" },
  {
    what: "an unknown key of a host",
    text: ONE_HOST.replace("    interfaces", "    gatewya: 10.0.0.254\n    interfaces"),
    message: "x.yaml:4:5: unknown key `gatewya`; did you mean `gateway`?",
  },
  {
    what: "an unknown key like no other",
    text: `${ONE_HOST}zzz: 1\n`,
    message: "x.yaml:5:1: unknown key `zzz`; known: title, source, description, lesson, seed, duration, links, hosts, timeline, workload",
  },
  {
    what: "an interface on no link",
    text: ONE_HOST.replace("link: lan, ", ""),
    message: "x.yaml:4:25: interface eth0 of host a: an interface must be on a link; add `link: NAME`",
  },
  {
    what: "a bad address",
    text: ONE_HOST.replace("10.0.0.1/24", "10.0.0.256/24"),
    message: 'x.yaml:4:47: "10.0.0.256/24": not an IPv4 address with a prefix length; write 10.0.0.1/24',
  },
  {
    what: "an address without prefix length",
    text: ONE_HOST.replace("10.0.0.1/24", "10.0.0.1"),
    message: 'x.yaml:4:47: "10.0.0.1": not an IPv4 address with a prefix length; write 10.0.0.1/24',
  },
  { what: "a multicast address", text: ONE_HOST.replace("10.0.0.1/24", "224.0.0.1/24"), message: /no host can have this address/ },
  {
    what: "yes instead of true",
    text: ONE_HOST.replace("    interfaces", "    forward: yes\n    interfaces"),
    message: "x.yaml:4:14: forward must be true or false; write `forward: true`",
  },
  { what: "an mtu below 68", text: ONE_HOST.replace("link: lan", "link: lan, mtu: 10"), message: /^x\.yaml:4:\d+: 10: mtu is below 68; 1500 is usual/ },
  { what: "a multicast MAC", text: ONE_HOST.replace("link: lan", 'link: lan, mac: "01:00:00:00:00:01"'), message: /cannot be an interface's own/ },
  { what: "an interface named lo", text: ONE_HOST.replace("eth0", "lo"), message: "x.yaml:4:19: host a has lo anyway; choose another name" },
  {
    what: "a duplicate address",
    text: `${ONE_HOST}  b:\n    interfaces: { eth0: { link: lan, address: 10.0.0.1/24 } }\n`,
    message: "x.yaml:6:47: the address 10.0.0.1 of b.eth0 is already a.eth0's on link lan; choose another",
  },
  { what: "a duplicate address of one interface", text: ONE_HOST.replace("10.0.0.1/24", "[10.0.0.1/24, 10.0.0.1/32]"), message: /is already a\.eth0's/ },
  {
    what: "a duplicate MAC",
    text: `${ONE_HOST}  b:\n    interfaces: { eth0: { link: lan, mac: "02:00:00:00:00:01" } }\n`,
    message: "x.yaml:6:43: the MAC address 02:00:00:00:00:01 of b.eth0 is a.eth0's; give each interface its own",
  },
  {
    what: "a gateway elsewhere",
    text: ONE_HOST.replace("    interfaces", "    gateway: 10.0.1.1\n    interfaces"),
    message: "x.yaml:4:14: the gateway 10.0.1.1 of a is in none of its subnets; they are those of 10.0.0.1/24",
  },
  {
    what: "a relative path",
    text: ONE_HOST.replace("    interfaces", "    files: { etc/x: y }\n    interfaces"),
    message: /"etc\/x": not an absolute path of a file/,
  },
  {
    what: "an unknown host in a step",
    text: `${ONE_HOST}  director:\n    interfaces: { eth0: { link: lan } }\ntimeline:\n  - { at: 1s, host: directr, run: ls }\n`,
    message: "x.yaml:8:21: unknown host `directr`; did you mean `director`?",
  },
  { what: "a step without a host", text: `${ONE_HOST}timeline:\n  - { at: 1s, run: ls }\n`, message: "x.yaml:6:5: `run` without a host; add `host: NAME`" },
  {
    what: "a step without a verb",
    text: `${ONE_HOST}timeline:\n  - { at: 1s, host: a }\n`,
    message: "x.yaml:6:5: a step without a verb; add one of run, down, up, crash, break, mend, impair, partition, reboot, poweroff, kill, slow, backlog, clock",
  },
  {
    what: "a step with two verbs",
    text: `${ONE_HOST}timeline:\n  - { at: 1s, host: a, run: ls, up: a }\n`,
    message: "x.yaml:6:33: a step with two verbs: run and up; make it two steps",
  },
  {
    what: "expect on a link step",
    text: `${ONE_HOST}timeline:\n  - { at: 1s, up: a, expect: { exit: 0 } }\n`,
    message: "x.yaml:6:22: `expect` belongs to `run`, not to `up`; remove it",
  },
  {
    what: "an unknown interface in a step",
    text: `${ONE_HOST}timeline:\n  - { at: 1s, up: a.eth7 }\n`,
    message: "x.yaml:6:19: host a has no interface eth7; it has eth0",
  },
  {
    what: "a bad duration",
    text: `${ONE_HOST}timeline:\n  - { at: 1 hour, up: a }\n`,
    message: 'x.yaml:6:11: "1 hour": at is not a time; write 500us, 20ms, 1.5s, 2m or a number of seconds',
  },
  { what: "a negative time", text: `${ONE_HOST}duration: -1\n`, message: /-1: duration is not a time/ },
  { what: "a year", text: `${ONE_HOST}duration: 600000m\n`, message: /duration is longer than 30 days/ },
  {
    what: "a bad regular expression",
    text: `${ONE_HOST}timeline:\n  - { host: a, run: ls, expect: { stdout: "/(/" } }\n`,
    message: 'x.yaml:6:43: "/(/": not a regular expression; check its brackets',
  },
  { what: "a bad rate", text: `${ONE_HOST}links: { lan: { bandwidth: fast } }\n`, message: 'x.yaml:5:28: "fast": not a rate; write 1Gbit, 100Mbit or 64kbit' },
  { what: "more loss than there is", text: `${ONE_HOST}links: { lan: { loss: 101% } }\n`, message: /not a percentage from 0% to 100%/ },
])("$what", ({ text, message }) => {
  if (typeof message === "string") expect(messageOf(text)).toBe(message);
  else expect(messageOf(text)).toMatch(message);
});

test("several mistakes are reported at once, first line first", () => {
  const text = "titel: x\nhosts:\n  a:\n    interfaces: { eth0: { address: 10.0.0.1/24 } }\n    forward: 1\n";
  expect(messageOf(text).split("\n")).toEqual([
    "x.yaml:1:1: a scenario needs a title; add `title: ...` as the first line",
    "x.yaml:1:1: unknown key `titel`; did you mean `title`?",
    "x.yaml:4:25: interface eth0 of host a: an interface must be on a link; add `link: NAME`",
    "x.yaml:5:14: forward must be true or false; write `forward: true`",
  ]);
});

test("the same virtual address may be on several hosts when it is a /32", () => {
  expect(messageOf(`${ONE_HOST}  b:\n    interfaces: { eth0: { link: lan, address: [10.0.0.2/24, 10.0.0.1/32] } }\n`)).toBe("");
});

test("a document of aliases of aliases is refused, quickly", () => {
  const lines = ["a: &a [x, x, x, x, x, x, x, x, x, x]"];
  for (let i = 1; i < 12; i++) {
    const before = String.fromCharCode(96 + i);
    lines.push(`${String.fromCharCode(97 + i)}: &${String.fromCharCode(97 + i)} [${Array.from({ length: 10 }, () => `*${before}`).join(", ")}]`);
  }
  expect(messageOf(lines.join("\n"))).toMatch(/more than 200000 values after its aliases are unfolded; use fewer aliases/);
});

test("a file of 100 MB is refused before it is read", () => {
  expect(() => {
    checkFileSize("big.yaml", 104_857_600);
  }).toThrow("big.yaml:1:1: the file has 104857600 bytes, the most is 1048576; is this a scenario?");
});

test("too many steps", () => {
  expect(messageOf(`${ONE_HOST}timeline:\n${"  - { up: a }\n".repeat(10_001)}`)).toBe("x.yaml:5:1: 10001 steps, the most is 10000; make it smaller");
});

test("a lesson says what it teaches and what is wrong", () => {
  const lesson = (text: string) => parseScenario(`${ONE_HOST}lesson: ${text}\n`, "x.yaml").lesson;
  expect(lesson("{ id: A01, mode: DR, teaches: x, finding: vip-answered-by-others }")).toEqual({ id: "A01", mode: "DR", teaches: "x", findings: ["vip-answered-by-others"] });
  expect(lesson("{ teaches: x }")).toEqual({ id: undefined, mode: "any", teaches: "x", findings: [] });
  expect(parseScenario(ONE_HOST, "x.yaml").lesson).toBeUndefined();
});
