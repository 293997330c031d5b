/**
 * The library's lab: the same world as a scenario file's, driven step by step, typed on, watched, forked.
 */

import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { decodePcap, Lab, LabError, LimitError, LINUX_PARTS, MemorySink, parseScenario, runScenario, ScenarioError } from "../../../src/index.ts";
import { roundRobin, type Scheduler } from "../../../src/ipvs/schedulers/index.ts";
import { directRoutingLab, twoHostLab } from "./labs.ts";

const DOCUMENT = readFileSync(new URL("../../../scenarios/documents/dr-192.168.247.yaml", import.meta.url), "utf8");

/* ---------------------------------------------------------------------------------------------------------------- building */

test("a lab in code and the same scenario as YAML are one world: equal records", () => {
  const yaml = `
title: lab
links: { lan: { latency: 50us, loss: 10% } }
hosts:
  b: { interfaces: { eth0: { link: lan, address: 10.0.0.2/24, mtu: 1400 } }, files: { /etc/motd: hello } }
  a: { interfaces: { eth0: { link: lan, address: [10.0.0.1/24, 10.0.0.3/24] } }, gateway: 10.0.0.2, run: "sleep 1" }
timeline:
  - { at: 1s, host: a, run: "ping -c 30 -i 0.02 10.0.0.2" }
  - { at: 2s, down: b.eth0 }
  - { at: 3s, host: b, run: "cat /etc/motd", expect: { stdout: "hello" } }
`;
  const lab = new Lab();
  lab.link("lan", { latency: "50us", loss: "10%" });
  lab.host("b", { interfaces: { eth0: { link: "lan", address: "10.0.0.2/24", mtu: 1400 } }, files: { "/etc/motd": "hello" } });
  lab.host("a", { interfaces: { eth0: { link: "lan", address: ["10.0.0.1/24", "10.0.0.3/24"] } }, gateway: "10.0.0.2", run: "sleep 1" });
  lab.at("1s", { host: "a", run: "ping -c 30 -i 0.02 10.0.0.2" });
  lab.at("2s", { down: "b.eth0" });
  lab.at("3s", { host: "b", run: "cat /etc/motd", expect: { stdout: "hello" } });
  const coded = lab.runToEnd();
  const sink = new MemorySink();
  const read = runScenario(parseScenario(yaml, "x.yaml"), { parts: LINUX_PARTS, traceLevel: "full", sinks: [sink] });
  expect(coded.timeline).toEqual(read.timeline);
  expect(coded.setup).toEqual(read.setup);
  expect(coded.endNs).toBe(read.endNs);
  expect(sink.events.length).toBeGreaterThan(50);
  expect(JSON.stringify(lab.events)).toBe(JSON.stringify(sink.events));
});

test("a scenario's text gives its lab, timeline and expectations included", () => {
  const lab = Lab.fromScenario(DOCUMENT, { file: "dr.yaml" });
  const result = lab.runToEnd();
  expect(result.unmet).toEqual([]);
  expect(result.timeline[0]).toMatchObject({ exit: 0, stdout: "from 192.168.247.135\n" });
  expect(lab.isOver).toBe(true);
  expect(lab.nowNs).toBe(6_000_000_000);
});

test("a lab driven in slices lives what a scenario run at once lives, in every document", () => {
  const folder = new URL("../../../scenarios/documents/", import.meta.url);
  const names = readdirSync(folder);
  expect(names.length).toBeGreaterThan(10);
  for (const name of names) {
    const text = readFileSync(new URL(name, folder), "utf8");
    const atOnce = runScenario(parseScenario(text, name), { parts: LINUX_PARTS });
    const lab = Lab.fromScenario(text, { file: name, trace: "off" });
    while (!lab.isOver) if (lab.runUntil(() => lab.isOver, { eventsMax: 97 })) break;
    const { timeline, setup, unmet, endNs, eventCount } = lab.result;
    expect({ timeline, setup, unmet, endNs, eventCount }, name).toEqual({
      timeline: atOnce.timeline,
      setup: atOnce.setup,
      unmet: atOnce.unmet,
      endNs: atOnce.endNs,
      eventCount: atOnce.eventCount,
    });
  }
});

test.each([
  { what: "an unknown gateway", build: (lab: Lab) => lab.host("a", { interfaces: { eth0: { link: "lan", address: "10.0.0.1/24" } }, gateway: "10.1.0.1" }), message: "hosts.a.gateway: the gateway 10.1.0.1 of a is in none of its subnets; they are those of 10.0.0.1/24" },
  { what: "no prefix length", build: (lab: Lab) => lab.host("a", { interfaces: { eth0: { link: "lan", address: "10.0.0.1" } } }), message: 'hosts.a.interfaces.eth0.address: "10.0.0.1": not an IPv4 address with a prefix length; write 10.0.0.1/24' },
  { what: "an unknown key", build: (lab: Lab) => lab.host("a", { interfaces: { eth0: { link: "lan" } }, gatway: "10.0.0.1" } as never), message: "hosts.a.gatway: unknown key `gatway`; did you mean `gateway`?" },
  { what: "a step on an unknown host", build: (lab: Lab) => lab.host("rs1", { interfaces: { eth0: { link: "lan" } } }) && lab.at("1s", { host: "rs", run: "true" }), message: "timeline[0].host: unknown host `rs`; did you mean `rs1`?" },
  { what: "a bad time", build: (lab: Lab) => lab.host("a", { interfaces: { eth0: { link: "lan" } } }) && lab.at("soon", { down: "a" }), message: 'timeline[0].at: "soon": at is not a time; write 500us, 20ms, 1.5s, 2m or a number of seconds' },
  { what: "no host", build: () => {}, message: "hosts: a scenario needs hosts; add at least one" },
])("a mistake in a topology names its place: $what", ({ build, message }) => {
  const lab = new Lab();
  build(lab);
  expect(() => lab.boot()).toThrow(ScenarioError);
  expect(() => lab.boot()).toThrow(message);
});

test("misuse is a LabError with the remedy", () => {
  const lab = twoHostLab();
  expect(() => lab.run("c", "true")).toThrow(new LabError('there is no host "c"; there are a, b'));
  expect(() => lab.host("a", { interfaces: {} })).toThrow('there is a host "a" already');
  expect(() => lab.runFor("soon")).toThrow('runFor "soon" is not a time');
  lab.boot();
  expect(() => lab.host("c", { interfaces: {} })).toThrow("hosts are added before the lab boots; this one has booted");
  expect(() => lab.down("a.eth1")).toThrow('there is no interface of a "eth1"; did you mean "eth0"?');
  expect(() => Lab.fromScenario(DOCUMENT).link("x")).toThrow("this one came from a scenario");
});

/* -------------------------------------------------------------------------------------------------------------------- time */

test("time passes as far as it is told, and the timeline with it", () => {
  const lab = twoHostLab();
  lab.at("2s", { host: "a", run: "echo two; sleep 3; echo five" });
  lab.runUntil("1s");
  expect(lab.nowNs).toBe(1_000_000_000);
  expect(lab.result.timeline[0]).toEqual({});
  lab.runFor("1.5s");
  expect(lab.nowNs).toBe(2_500_000_000);
  expect(lab.result.timeline[0]).toMatchObject({ exit: null, stdout: "two\n" });
  lab.runUntil("1s");
  expect(lab.nowNs).toBe(2_500_000_000);
  expect(lab.runToEnd().timeline[0]).toMatchObject({ exit: 0, stdout: "two\nfive\n" });
});

test("step fires one event; runUntil a condition, or so many events", () => {
  const lab = twoHostLab();
  const typed = lab.type("a", "ping -c 1 10.0.0.2");
  let frames = 0;
  lab.on("frame-sent", () => {
    frames++;
  });
  expect(lab.runUntil(() => frames === 2)).toBe(true);
  expect(lab.events.filter((event) => event.kind === "frame-sent")).toHaveLength(2);
  const before = lab.position.eventCount;
  expect(lab.step()).toBe(true);
  expect(lab.position.eventCount).toBe(before + 1);
  expect(lab.runUntil("5s", { eventsMax: 3 })).toBe(false);
  expect(lab.position.eventCount).toBe(before + 4);
  expect(lab.runUntil(() => !typed.isRunning)).toBe(true);
  expect(typed.result).toMatchObject({ exit: 0 });
  expect(lab.runUntil(() => false)).toBe(false);
  expect(lab.step()).toBe(false);
});

/* ------------------------------------------------------------------------------------------------------------------ typing */

test("run gives outputs and exit status, with a time limit", () => {
  const lab = twoHostLab();
  expect(lab.run("a", "echo out; echo err >&2; exit 3")).toEqual({ exit: 3, stdout: "out\n", stderr: "err\n", seconds: 0 });
  expect(lab.run("a", "nosuchcommand").exit).toBe(127);
  expect(lab.run("a", "echo x; sleep 100", { timeout: "2s" })).toMatchObject({ exit: 124, stdout: "x\n", stderr: "timed out", seconds: 2 });
  expect(lab.host("a").run("hostname").stdout).toBe("a\n");
});

test("what is typed goes on beside others until it is interrupted", () => {
  const lab = twoHostLab();
  const dump = lab.type("b", "tcpdump -n -i eth0 icmp");
  lab.runFor("100ms");
  lab.run("a", "ping -c 2 10.0.0.2");
  expect(dump.isRunning).toBe(true);
  // The ring of a capture is read every now and then.
  lab.runFor("1s");
  dump.interrupt();
  lab.runFor("1s");
  expect(dump.result?.exit).toBe(0);
  expect(dump.stdout.match(/ICMP echo request/g)).toHaveLength(2);
  expect(lab.typed.map(({ text }) => text)).toEqual(["tcpdump -n -i eth0 icmp", "ping -c 2 10.0.0.2"]);
});

test("a terminal keeps directory and variables, completes, and says what it does not do", () => {
  const lab = directRoutingLab();
  const terminal = lab.terminal("director");
  expect(terminal.prompt).toBe("[root@director ~]# ");
  const heard: string[] = [];
  terminal.onOutput((text, stream) => heard.push(`${stream}: ${text}`));
  expect(terminal.run("cd /etc; X=5")).toBe("");
  expect(terminal.prompt).toBe("[root@director etc]# ");
  expect(terminal.run("echo $X")).toBe("5\n");
  expect(terminal.run("ipvsadm -Ln")).toContain("10.0.0.11:80 ");
  expect(heard[0]).toBe("stdout: 5\n");
  expect(terminal.complete("ipvs")).toContain("ipvsadm");
  expect(terminal.needsMore("for i in 1 2; do")).toBe(true);
  expect(lab.terminal("director")).toBe(terminal);
  expect(lab.terminal("director", 1).run("echo [$X]")).toBe("[]\n");
  terminal.type("sleep 50");
  lab.runFor("1s");
  expect(() => terminal.type("true")).toThrow("a line still runs on this terminal of director");
  terminal.interrupt();
  lab.runFor("1s");
  expect(terminal.isBusy).toBe(false);
  expect(terminal.exit).toBe(130);
  expect(terminal.transcript).toContain("[root@director etc]# echo $X\n5\n");
  terminal.run("exit");
  expect(terminal.isAlive).toBe(false);
  expect(() => terminal.type("true")).toThrow('open another: lab.terminal("director", 1)');
});

test("ports go down and up, hosts crash", () => {
  const lab = twoHostLab();
  const ping = () => lab.run("a", "ping -c 1 -W 1 10.0.0.2").exit;
  expect(ping()).toBe(0);
  lab.down("b.eth0");
  expect(ping()).toBe(1);
  lab.up("b");
  expect(ping()).toBe(0);
  lab.crash("b");
  expect(ping()).toBe(1);
});

/* ---------------------------------------------------------------------------------------------------------------- watching */

test("subscribers hear what happens, and nothing after they stop", () => {
  const lab = directRoutingLab({ trace: "off" });
  const heard: string[] = [];
  const stop = lab.on("scheduled", (event) => heard.push(event.chosen ?? "-"));
  lab.run("client", "curl -s http://10.0.0.100/; curl -s http://10.0.0.100/");
  stop();
  lab.run("client", "curl -s http://10.0.0.100/");
  expect(heard).toEqual(["10.0.0.12:80", "10.0.0.11:80"]);
  expect(lab.events).toEqual([]);
  expect(lab.world.trace.isOn).toBe(false);
  expect(() => lab.packets()).toThrow('make the lab with trace: "full"');
});

test("subscribing does not change the run", () => {
  const watched = directRoutingLab({ trace: "off" });
  watched.on("*", () => {});
  const unwatched = directRoutingLab({ trace: "off" });
  for (const lab of [watched, unwatched]) lab.run("client", "curl -s http://10.0.0.100/");
  expect(watched.position).toEqual(unwatched.position);
});

test("a listener cannot drive the lab", () => {
  const lab = twoHostLab();
  let message = "";
  const stop = lab.on("frame-sent", () => {
    try {
      lab.step();
    } catch (error) {
      message = (error as Error).message;
    }
  });
  lab.run("a", "ping -c 1 10.0.0.2");
  stop();
  expect(message).toContain("the lab is in the middle of an event");
  expect(lab.run("a", "true").exit).toBe(0);
});

test("kept levels, and the bound on what is kept", () => {
  const frames = twoHostLab({ trace: "frames" });
  frames.run("a", "ping -c 1 10.0.0.2");
  expect(new Set(frames.events.map(({ kind }) => kind))).toEqual(new Set(["frame-sent", "frame-received"]));
  const bounded = twoHostLab({ limits: { keptRecords: 30 } });
  expect(() => bounded.run("a", "ping -c 50 10.0.0.2")).toThrow(LimitError);
  expect(() => bounded.run("a", "true")).toThrow('lab: limit `keptRecords` reached: 30 trace records are kept; use trace: "frames" or "off", or raise it');
});

test("limits name the line that was typed", () => {
  const lab = twoHostLab({ limits: { events: 5000 } });
  expect(() => lab.run("a", "while :; do sleep 0.01; done")).toThrow(/^typed on a:1:1: limit `events` reached: 5000 events while what was typed on a ran$/);
});

test("captures are files of each interface", () => {
  const lab = twoHostLab({ captures: true });
  lab.run("a", "ping -c 1 10.0.0.2");
  const capture = decodePcap(lab.pcap("a", "eth0"));
  expect(capture.ok && capture.value.records.length).toBe(4);
  expect(() => lab.pcap("a", "eth1")).toThrow('there is no interface of a "eth1"; did you mean "eth0"?');
  expect(() => twoHostLab().pcap("a", "eth0")).toThrow("make the lab with captures: true");
});

/* -------------------------------------------------------------------------------------------------------- schedulers, forks */

test("a scheduler of one's own serves under its name", () => {
  const last: Scheduler = { name: "last", flags: [], init: (service) => ({ schedule: () => service.dests[service.dests.length - 1] }) };
  const lab = directRoutingLab({ scheduler: "last", schedulers: [last] });
  expect(lab.run("client", "curl -s http://10.0.0.100/; curl -s http://10.0.0.100/").stdout).toBe("from rs1\nfrom rs1\n");
  expect(lab.run("director", "ipvsadm -Ln").stdout).toContain("TCP  10.0.0.100:80 last");
  const replaced = directRoutingLab({ scheduler: "rr", schedulers: [{ ...last, name: "rr" }] });
  expect(replaced.run("client", "curl -s http://10.0.0.100/; curl -s http://10.0.0.100/").stdout).toBe("from rs1\nfrom rs1\n");
  expect(roundRobin.name).toBe("rr");
});

test("a fork has lived the same and goes its own way", () => {
  const lab = directRoutingLab();
  lab.run("client", "curl -s http://10.0.0.100/");
  const terminal = lab.terminal("director");
  terminal.run("cd /tmp; X=1");
  lab.runUntil("2s");
  lab.down("rs1");
  const middle = lab.position;
  lab.runFor("1s");
  const dump = lab.type("client", "sleep 100");
  lab.runFor("10ms");
  dump.interrupt();
  lab.run("client", "curl -s -m 1 http://10.0.0.100/");

  const same = lab.fork();
  expect(same.position).toEqual(lab.position);
  expect(JSON.stringify(same.events)).toBe(JSON.stringify(lab.events));
  expect(same.journal).toEqual(lab.journal);
  expect(same.typed.map(({ result }) => result)).toEqual(lab.typed.map(({ result }) => result));
  expect(same.terminal("director").prompt).toBe("[root@director tmp]# ");

  const earlier = lab.fork(middle);
  expect(earlier.position).toEqual(middle);
  expect(JSON.stringify(earlier.events)).toBe(JSON.stringify(lab.events.slice(0, earlier.events.length)));
  earlier.up("rs1");
  expect(earlier.run("client", "curl -s http://10.0.0.100/").stdout).toBe("from rs1\n");

  const atTime = lab.fork("1s");
  expect(atTime.nowNs).toBe(1_000_000_000);
  expect(atTime.terminal("director").run("pwd; echo $X")).toBe("/tmp\n1\n");
  expect(lab.position).toEqual(same.position);
  expect(() => lab.fork("1h")).toThrow("a fork begins in the past");
});

test.each([
  { journal: "x", message: "journal: Invalid type" },
  { journal: [{ eventCount: 0, timeNs: 0, verb: "erase", host: "a" }], message: "journal[0].verb: " },
  { journal: [{ eventCount: -1, timeNs: 0, verb: "crash", host: "a" }], message: "journal[0].eventCount: " },
  { journal: [{ eventCount: 0, timeNs: 0, verb: "type-line", host: "a", terminal: 1e9, text: "true" }], message: "journal[0].terminal: " },
  { journal: [{ eventCount: 0, timeNs: 0, verb: "type", host: "a", text: 5 }], message: "journal[0].text: " },
  { journal: [{ eventCount: 1e6, timeNs: 1e6, verb: "crash", host: "nobody" }], message: 'there is no host "nobody"' },
])("a journal from a stranger is judged: $message", ({ journal, message }) => {
  const build = () => {
    const lab = twoHostLab({ journal: journal as never });
    expect(() => lab.boot()).toThrow(message);
    // It stays unusable rather than half done.
    lab.runFor("1s");
  };
  expect(build).toThrow(LabError);
  expect(build).toThrow(message);
});

test("a lab whose setup wants too much says so each time", () => {
  const lab = new Lab({ limits: { events: 100 } });
  lab.host("a", { interfaces: { eth0: { link: "lan" } }, run: "while :; do sleep 0.001; done" });
  for (let i = 0; i < 2; i++) expect(() => lab.boot()).toThrow("limit `events` reached: 100 events while the setup of a ran");
  expect(() => lab.terminal("a", 100)).toThrow("terminals are numbered 0 to 99, not 100");
});

test("a journal is JSON: a lab elsewhere does the same again", () => {
  const lab = Lab.fromScenario(DOCUMENT);
  lab.runUntil("1.5s");
  lab.terminal("node01").run("ipvsadm -E -t 192.168.247.100:80 -s wlc");
  lab.runToEnd();
  const journal = JSON.parse(JSON.stringify(lab.journal));
  const other = Lab.fromScenario(DOCUMENT, { journal });
  other.runToEnd();
  expect(JSON.stringify(other.events)).toBe(JSON.stringify(lab.events));
  expect(other.result.timeline).toEqual(lab.result.timeline);
  const halfway = lab.fork("3s").position;
  const third = Lab.fromScenario(DOCUMENT, { journal });
  expect(third.runUntil(halfway, { eventsMax: 3 })).toBe(false);
  expect(third.runUntil(halfway)).toBe(true);
  expect(third.position).toEqual(halfway);
  expect(third.runUntil({ eventCount: 5, timeNs: 5 })).toBe(true);
  expect(third.position).toEqual(halfway);
  expect(() => Lab.fromScenario(DOCUMENT, { journal: [{ eventCount: 0, timeNs: 0, verb: "crash", host: "node01" }] }).boot()).toThrow("this moment is over already");
});
