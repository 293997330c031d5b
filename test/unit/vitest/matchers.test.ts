/**
 * The matchers of lvsim/vitest: that they pass when they should, and what they say when they fail.
 */

import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import "../../../src/vitest/index.ts";
import { Lab, runScenario, LINUX_PARTS, parseScenario } from "../../../src/index.ts";
import { leastConnection, roundRobin, type Scheduler, type SchedulerDest, type SchedulerService, type SchedulerState, weightedRoundRobin } from "../../../src/ipvs/schedulers/index.ts";
import { directRoutingLab, twoHostLab } from "../lab/labs.ts";

/** What an assertion says when it fails. */
function failure(assertion: () => void): string {
  try {
    assertion();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("the assertion passed");
}

function fetched(lab: Lab, times: number): Lab {
  lab.run("client", `for i in $(seq ${times}); do curl -s -m 1 http://10.0.0.100/; done`);
  lab.runFor("20ms");
  return lab;
}

/* ---------------------------------------------------------------------------------------------------------------- toReach */

test("toReach", () => {
  const lab = directRoutingLab();
  expect(lab).toReach("client", "10.0.0.11");
  expect(lab).toReach("client", "10.0.0.100:80");
  expect(lab).toReach("client", "http://10.0.0.100/");
  expect(lab).not.toReach("client", "10.0.0.100:81");
  expect(lab).not.toReach("client", "10.0.0.99", { timeout: "1s" });
  expect(failure(() => expect(lab).toReach("client", "10.0.0.100:81"))).toMatch(
    /^expected client to reach 10\.0\.0\.100:81, but nc -z -w 3 10\.0\.0\.100 81 ended with 1\n[\s\S]*time +client +director +rs1 +rs2\n[\s\S]*10\.0\.0\.100\.81 \[S\][\s\S]*\[R\.\]/,
  );
  expect(failure(() => expect(lab).not.toReach("client", "10.0.0.11"))).toMatch(/^expected client not to reach 10\.0\.0\.11, but it does \(ping -c 1 -W 3 10\.0\.0\.11\)\nstdout:\n {2}PING/);
  expect(failure(() => expect(lab).toReach("cleint", "10.0.0.11"))).toBe('there is no host "cleint"; did you mean "client"?');
  expect(failure(() => expect(lab).toReach("client", "rs1"))).toBe('"rs1" is not an IPv4 address; write "10.0.0.100"');
  expect(failure(() => expect("lab").toReach("client", "10.0.0.11"))).toBe("toReach needs a Lab: expect(lab).toReach(...)");
});

/* --------------------------------------------------------------------------------------------------------------- toFollow */

test("toFollow", () => {
  const lab = fetched(directRoutingLab(), 1);
  expect(lab).toFollow("client", "director", "rs2");
  expect(lab).toFollow("rs2", "client");
  expect(lab).not.toFollow("rs2", "director", "client");
  expect(lab.packets({ from: "client", to: "10.0.0.100:80" })).toFollow("client", "director", "rs2");
  expect(lab.packets({ from: "client" })).not.toFollow("rs2", "client");
  const message = failure(() => expect(lab).toFollow("client", "director", "rs1"));
  expect(message).toMatch(/^expected a packet to go client > director > rs1, but the packets went:\n {2}\d+ x client > director > rs2 {3}\(10\.0\.0\.50\.\d+ > 10\.0\.0\.100\.80 \[S\]\)\n {2}\d+ x rs2 > client/);
  expect(message).toContain("ARP who-has 10.0.0.100 tell 10.0.0.50");
  expect(failure(() => expect(lab).not.toFollow("rs2", "client"))).toMatch(/^expected no packet to go rs2 > client, but one did: 10\.0\.0\.100\.80 > 10\.0\.0\.50\.\d+ \[S\.\]/);
  expect(failure(() => expect(lab).toFollow("client", "directr"))).toContain('did you mean "director"?');
  expect(failure(() => expect(directRoutingLab()).toFollow("client", "rs1"))).toContain("but there is no packet");
  expect(failure(() => expect({}).toFollow("client"))).toContain("toFollow needs a Lab or its packets");
});

test("toFollow: a packet that was dropped on arrival did not get there, and the message says why", () => {
  const lab = directRoutingLab();
  lab.run("rs1", "iptables -A INPUT -p tcp -j DROP");
  lab.run("rs2", "iptables -A INPUT -p tcp -j DROP");
  fetched(lab, 1);
  expect(lab).not.toFollow("client", "director", "rs2");
  expect(failure(() => expect(lab).toFollow("client", "director", "rs2"))).toMatch(/1 x client > director > rs2, dropped: NETFILTER_DROP/);
});

/* -------------------------------------------------------------------------------------------------------------- toBalance */

test("toBalance", () => {
  const lab = fetched(directRoutingLab({ scheduler: "wrr", weights: [2, 1] }), 9);
  expect(lab).toBalance({ rs1: 2, rs2: 1 });
  expect(lab).toBalance({ "10.0.0.11": 2, "10.0.0.12:80": 1 }, { tolerance: 0 });
  expect(lab).toBalance({ rs1: 2, rs2: 1 }, { service: "10.0.0.100:80" });
  expect(lab).not.toBalance({ rs1: 1, rs2: 1 });
  expect(lab).toBalance({ rs1: 1, rs2: 1 }, { tolerance: 0.17 });
  expect(lab).not.toBalance({ rs1: 1 });
  expect(failure(() => expect(lab).toBalance({ rs1: 1, rs2: 1 }, { tolerance: 0.1 }))).toBe(
    "expected connections to balance rs1 1 : rs2 1 within 10.0 percentage points:\n  rs1: 6 of 9, expected 4.5  <-\n  rs2: 3 of 9, expected 4.5  <-",
  );
  expect(failure(() => expect(lab).toBalance({ rs1: 1 }))).toContain("rs2: 3 of 9, expected none  <-");
  expect(failure(() => expect(lab).not.toBalance({ rs1: 2, rs2: 1 }))).toMatch(/^expected connections not to balance rs1 2 : rs2 1 within one connection:/);
  expect(failure(() => expect(lab).toBalance({ rs1: 2, rs2: 1 }, { service: "10.0.0.101" }))).toContain("but no connection was scheduled");
  expect(failure(() => expect(directRoutingLab({ trace: "frames" })).toBalance({ rs1: 1 }))).toBe(
    'toBalance looks at the lab\'s records, but it keeps "frames"; make it with trace: "full"',
  );
  expect(["a", "b", "a"]).toBalance({ a: 2, b: 1 });
  expect(failure(() => expect(["a"]).toBalance({}))).toContain("needs shares of 0 or more, one above 0");
});

/* ----------------------------------------------------------------------------------------------------------------- toDrop */

test("toDrop", () => {
  const lab = twoHostLab();
  lab.run("a", "ping -c 1 10.0.0.2");
  expect(lab).not.toDrop();
  expect(failure(() => expect(lab).toDrop())).toMatch(/^expected a drop, but nothing was dropped\n\n +time/);
  lab.run("b", "iptables -A INPUT -p icmp -j DROP");
  lab.run("a", "ping -c 1 -W 1 10.0.0.2");
  expect(lab).toDrop();
  expect(lab).toDrop("NETFILTER_DROP");
  expect(lab).toDrop("NETFILTER_DROP", { host: "b" });
  expect(lab).not.toDrop("NETFILTER_DROP", { host: "a" });
  expect(lab).not.toDrop("IP_RPFILTER");
  expect(failure(() => expect(lab).toDrop("IP_RPFILTER", { host: "b" }))).toMatch(
    /^expected a drop IP_RPFILTER on b, but what was dropped is:\n {2}1 x NETFILTER_DROP on b[\s\S]*dropped: NETFILTER_DROP/,
  );
  expect(failure(() => expect(lab).not.toDrop())).toMatch(/^expected no drop, but there was:\n {2}1 x NETFILTER_DROP on b/);
});

/* --------------------------------------------------------------------------------------------- toAnswerArp, toHaveNeighbour */

test("toAnswerArp", () => {
  const hidden = fetched(directRoutingLab(), 1);
  expect(hidden).toAnswerArp("10.0.0.100", "director");
  expect(hidden).not.toAnswerArp("10.0.0.100", "rs1", "rs2");
  expect(failure(() => expect(hidden).toAnswerArp("10.0.0.100", "rs1"))).toMatch(
    /^expected exactly rs1 to answer ARP requests for 10\.0\.0\.100, but director did:\n[\s\S]*rs1\.eth0: silent, arp_ignore/,
  );
  expect(failure(() => expect(hidden).not.toAnswerArp("10.0.0.100", "director"))).toMatch(/^expected none of director to answer/);
  expect(failure(() => expect(hidden).toAnswerArp("10.0.0.99", "director"))).toContain("but nobody heard one");
  const visible = fetched(directRoutingLab({ hides: false }), 1);
  expect(visible).toAnswerArp("10.0.0.100", "director", "rs1", "rs2");
  expect(failure(() => expect(visible).toAnswerArp("10.0.0.100", "director"))).toMatch(/but (?=.*director)(?=.*rs1)(?=.*rs2).* did:/);
  expect(failure(() => expect(visible).not.toAnswerArp("10.0.0.100", "rs1", "rs2"))).toMatch(/^expected none of rs1, rs2/);
});

test("toHaveNeighbour", () => {
  const lab = fetched(directRoutingLab(), 1);
  expect(lab).toHaveNeighbour("client", "10.0.0.100");
  expect(lab).toHaveNeighbour("client", "10.0.0.100", "director");
  expect(lab).toHaveNeighbour("client", "10.0.0.100", "02:00:00:00:00:02");
  expect(lab).not.toHaveNeighbour("client", "10.0.0.100", "rs1");
  expect(lab).not.toHaveNeighbour("client", "10.0.0.11");
  lab.run("client", "ping -c 1 -W 1 10.0.0.99");
  expect(lab).not.toHaveNeighbour("client", "10.0.0.99");
  expect(failure(() => expect(lab).toHaveNeighbour("client", "10.0.0.100", "rs1"))).toMatch(
    /^expected client to have neighbour 10\.0\.0\.100 at rs1, but it has:\n {2}10\.0\.0\.100 dev eth0 lladdr 02:00:00:00:00:02 \(director\) REACHABLE/,
  );
  expect(failure(() => expect(twoHostLab()).toHaveNeighbour("a", "10.0.0.2"))).toContain("but it has no neighbour");
  expect(failure(() => expect(lab).not.toHaveNeighbour("client", "10.0.0.100"))).toMatch(/^expected client not to have neighbour 10\.0\.0\.100, but it has:/);
});

/* -------------------------------------------------------------------------------------- toExit, toPrint, toMeetExpectations */

test("toExit and toPrint", () => {
  const lab = twoHostLab();
  const result = lab.run("a", "echo out; echo err >&2; exit 3");
  expect(result).toExit(3);
  expect(result).not.toExit();
  expect(result).toPrint("out\n");
  expect(result).toPrint(/^o/);
  expect(result).not.toPrint("out");
  expect(failure(() => expect(result).toExit())).toBe("expected exit status 0, got 3\nstdout:\n  out\nstderr:\n  err");
  expect(failure(() => expect(result).not.toExit(3))).toMatch(/^expected exit status not 3\n/);
  expect(failure(() => expect(result).toPrint("in\n"))).toBe('expected stdout to be "in\\n"\nstdout:\n  out\nstderr:\n  err\nexit: 3');
  expect(failure(() => expect(lab.run("a", "true")).toPrint(/x/))).toBe("expected stdout to match /x/, it is empty\nexit: 0");
  expect(failure(() => expect("out").toExit())).toBe('toExit needs what a command gave: expect(lab.run("client", "...")).toExit(...)');
});

test("toMeetExpectations", () => {
  const text = (stdout: string) => `title: t\nhosts:\n  a: { interfaces: { eth0: { link: lan } } }\ntimeline:\n  - { at: 1s, host: a, run: echo x, expect: { exit: 0, stdout: "${stdout}\\n" } }\n`;
  expect(Lab.fromScenario(text("x"))).toMeetExpectations();
  expect(runScenario(parseScenario(text("x"), "t.yaml"), { parts: LINUX_PARTS })).toMeetExpectations();
  expect(Lab.fromScenario(text("y"))).not.toMeetExpectations();
  expect(failure(() => expect(Lab.fromScenario(text("y"), { file: "t.yaml" })).toMeetExpectations())).toBe(
    'expected what the timeline expects, but:\n  t.yaml:5: stdout is "x\\n", expected "y\\n"\n\n(no frame was sent)',
  );
});

/* ------------------------------------------------------------------------------------------------------------- toPickLike */

const SCRIPT = "service tcp 10.9.0.1:80 rr\nadd 10.2.0.1:80\nadd 10.2.0.2:80\nopen c1 from 10.1.0.1:4001\nopen c2 from 10.1.0.1:4002\nopen c3 from 10.1.0.1:4003\n";
const first: Scheduler = { name: "first", flags: [], init: (service) => ({ schedule: () => service.dests[0] }) };

test("toPickLike: as Linux's scheduler, as listed, as marked", () => {
  expect(roundRobin).toPickLike(SCRIPT);
  expect("rr").toPickLike(SCRIPT);
  expect(weightedRoundRobin).toPickLike(SCRIPT, { picks: "c1 10.2.0.2:80\nc2 10.2.0.1:80\nc3 10.2.0.2:80\n" });
  expect(first).not.toPickLike(SCRIPT);
  expect(first).toPickLike(SCRIPT, { picks: ["c1 10.2.0.2:80", "c2 10.2.0.2:80", "c3 10.2.0.2:80"] });
  expect(first).toPickLike(SCRIPT.replaceAll(/(open.*)/g, "$1   # -> 10.2.0.2:80").replace(" rr", " mine"));
  expect(failure(() => expect(first).toPickLike(SCRIPT))).toBe(
    [
      "expected first to pick like Linux's rr, but 1 of 3 picks differ, the first in line 2:",
      "      Linux's rr      first",
      "   1  c1 10.2.0.2:80  c1 10.2.0.2:80",
      "   2  c2 10.2.0.1:80  c2 10.2.0.2:80  <-",
      "   3  c3 10.2.0.2:80  c3 10.2.0.2:80",
    ].join("\n"),
  );
  expect(failure(() => expect(roundRobin).not.toPickLike(SCRIPT))).toBe("expected rr not to pick like Linux's rr, but all 3 lines are equal");
  expect(failure(() => expect(first).toPickLike(SCRIPT, { picks: "c1 10.2.0.2:80" }))).toContain("   2  (none)");
  expect(failure(() => expect(first).toPickLike(SCRIPT.replace(" rr", " mine")))).toContain("Linux has no scheduler mine to compare with");
  expect(failure(() => expect(first).toPickLike(`${SCRIPT}open c4 from 10.1.0.1:4004 # -> 10.2.0.1:80`))).toContain("mark all or none");
  expect(failure(() => expect(first).toPickLike("service tcp 1.2.3.4 rr"))).toMatch(/^the script has a mistake in line 1: /);
  expect(failure(() => expect("wrrr").toPickLike(SCRIPT))).toContain("toPickLike needs a scheduler");
});

test("toPickLike: a scheduler that is an instance of a class", () => {
  class Alternating implements Scheduler {
    readonly name = "alternating";
    readonly flags = [];
    init<D extends SchedulerDest>(service: SchedulerService<D>): SchedulerState<D> {
      let turn = 0;
      return { schedule: () => service.dests[turn++ % service.dests.length] };
    }
  }
  expect(new Alternating()).toPickLike(SCRIPT);
  const lab = directRoutingLab({ scheduler: "alternating", schedulers: [new Alternating()] });
  expect(fetched(lab, 4)).toBalance({ rs1: 1, rs2: 1 }, { tolerance: 0 });
});

test("toPickLike: every recorded script of the kernel", () => {
  const folder = new URL("../../sched/", import.meta.url);
  const scripts = readdirSync(folder).filter((name) => name.endsWith(".sched"));
  expect(scripts.length).toBeGreaterThan(20);
  let differing = 0;
  for (const name of scripts) {
    const script = readFileSync(new URL(name, folder), "utf8");
    const scheduler = /^service\s+\S+\s+\S+\s+(\S+)/m.exec(script)?.[1] as string;
    const picks = readFileSync(new URL(name.replace(/sched$/, "picks"), folder), "utf8");
    expect(scheduler, name).toPickLike(script, { picks });
    if (scheduler !== "lc") {
      try {
        expect(leastConnection).toPickLike(script, { picks });
      } catch {
        differing++;
      }
    }
  }
  expect(differing).toBeGreaterThan(10);
});
