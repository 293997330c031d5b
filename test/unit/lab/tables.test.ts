/**
 * The tables of a lab, now and in the past, and a lab whose machines reboot.
 */

import { expect, test } from "vitest";
import type { Lab, TraceLevel } from "../../../src/index.ts";
import { directRoutingLab, twoHostLab } from "./labs.ts";

function reboot(lab: Lab, host: string): void {
  lab.run(host, "reboot");
  lab.runUntil(() => !lab.world.isRunning(host));
}

/** The moment in seconds of the timeline. */
function nowOf(lab: Lab): string {
  return `${lab.nowNs / 1000}us`;
}

test("tables are typed rows of what tools list", () => {
  const lab = directRoutingLab({ trace: "off", weights: [3, 1] });
  lab.run("client", "curl -s http://10.0.0.100/; curl -s http://10.0.0.100/");
  lab.runFor("10ms");
  const tables = lab.tables();
  expect(Object.keys(tables).sort()).toEqual(["client", "director", "link/lan", "rs1", "rs2"]);
  const director = lab.tables("director");
  expect(director).toEqual(tables.director);
  expect(Object.values(director.ipvsDestinations ?? {}).map(({ address, port, method, weight, conns }) => [address, port, method, weight, conns])).toEqual(
    expect.arrayContaining([
      ["10.0.0.11", 80, "route", 3, 1],
      ["10.0.0.12", 80, "route", 1, 1],
    ]),
  );
  expect(Object.values(director.ipvsConnections ?? {}).map(({ virtual, state }) => `${virtual} ${state}`)).toEqual(["10.0.0.100:80 FIN_WAIT", "10.0.0.100:80 FIN_WAIT"]);
  expect(lab.run("director", "ipvsadm -Lnc | grep -c FIN_WAIT").stdout).toBe("2\n");
  expect(Object.values(lab.tables("rs1").sockets ?? {}).map(({ local, state }) => `${local} ${state}`)).toEqual(["0.0.0.0:80 LISTEN"]);
  expect(Object.values(lab.tables("link/lan").macs ?? {}).map(({ port }) => port).sort()).toEqual(["client.eth0", "director.eth0", "rs1.eth0", "rs2.eth0"]);
});

test("rows that are given stay as they were, and those whose time is over are left out", () => {
  const lab = twoHostLab();
  lab.run("a", "ping -c 1 10.0.0.2");
  const then = lab.tables();
  expect(Object.keys(then["link/lan"]?.macs ?? {})).toHaveLength(2);
  const text = JSON.stringify(then);
  lab.runFor("400s");
  expect(Object.keys(lab.tables("link/lan").macs ?? {})).toEqual([]);
  expect(Object.values(lab.tables("a").neighbours ?? {}).map(({ state }) => state)).toEqual(["STALE"]);
  expect(JSON.stringify(then)).toBe(text);
});

test("the kept records tell the tables of every moment that has been", () => {
  const lab = directRoutingLab();
  const seen: { at: string; tables: string }[] = [];
  const look = () => seen.push({ at: nowOf(lab), tables: JSON.stringify(lab.tables()) });
  lab.boot();
  for (const command of ["curl -s http://10.0.0.100/", "ping -c 1 10.0.0.11", "ip addr add 10.0.0.51/24 dev eth0", "curl -s http://10.0.0.100/"]) {
    lab.run("client", command);
    lab.runFor("700ms");
    look();
  }
  lab.run("director", "ipvsadm -C");
  lab.runFor("70s");
  look();
  const parsed = (tables: unknown) => JSON.parse(JSON.stringify(tables));
  for (const { at, tables } of [...seen, ...seen.toReversed()]) expect({ at, tables: parsed(lab.tablesAt(at)) }).toEqual({ at, tables: JSON.parse(tables) });
  expect(new Set(seen.map(({ tables }) => tables)).size).toBe(seen.length);
  expect(lab.tablesAt("0s", "director").ipvsConnections).toEqual({});
  lab.run("client", "ip addr del 10.0.0.51/24 dev eth0");
  expect(parsed(lab.tablesAt(nowOf(lab), "client").addresses)).toEqual(parsed(lab.tables("client").addresses));
});

test("what cannot be told is an error with the remedy", () => {
  expect(() => twoHostLab().tables("c")).toThrow('there is no host or link "c"; there are link/lan, a, b');
  expect(() => twoHostLab().tablesAt("0s", "link/lon")).toThrow('there is no host or link "link/lon"; did you mean "link/lan"?');
  expect(() => twoHostLab().tablesAt("1h")).toThrow('tablesAt "1h" is still to come: this lab is at 0 s');
  expect(() => twoHostLab().tablesAt("soon")).toThrow('tablesAt "soon" is not a time');
  for (const trace of ["off", "frames", "packets"] as const)
    expect(() => twoHostLab({ trace }).tablesAt("0s")).toThrow(`tables of the past are found in the trace, which keeps ${trace}; make the lab with trace: "full"`);
});

/* ----------------------------------------------------------------------------------------------------------------- reboots */

test.each<TraceLevel>(["off", "frames", "packets", "full"])("a lab with trace %s lives on when a machine reboots", (trace) => {
  const lab = twoHostLab({ trace });
  const terminal = lab.terminal("b");
  terminal.run("X=1");
  const sleeping = lab.type("b", "sleep 1000");
  lab.run("a", "ping -c 1 10.0.0.2");
  reboot(lab, "b");
  expect([sleeping.isRunning, terminal.isAlive, terminal.isBusy]).toEqual([false, false, false]);
  for (const use of [() => lab.run("b", "true"), () => lab.type("b", "true"), () => lab.terminal("b", 1)])
    expect(use).toThrow("b is off, or on its way up; let time pass until it has booted");
  expect(lab.tables("b").sockets).toEqual({});

  lab.runFor("60s");
  expect(lab.terminal("b")).not.toBe(terminal);
  expect(lab.terminal("b").run("echo [$X]")).toBe("[]\n");
  expect(lab.terminal("b")).toBe(lab.terminal("b"));
  expect(lab.tables("b").neighbours).toEqual({});
  expect(lab.run("a", "ping -c 1 10.0.0.2").exit).toBe(0);
  expect(Object.values(lab.tables("b").neighbours ?? {}).map(({ address }) => address)).toEqual(["10.0.0.1"]);
  expect(lab.run("b", "uptime").stdout).toContain("up 0 min");
  // The level is what it was before the power went.
  expect([lab.world.trace.isOn, lab.world.trace.isFull, lab.world.trace.hasTables]).toEqual([trace !== "off", trace === "packets" || trace === "full", trace === "full"]);
  if (trace === "full") expect(lab.tablesAt(nowOf(lab))).toEqual(lab.tables());

  const fork = lab.fork();
  expect(fork.position).toEqual(lab.position);
  expect(JSON.stringify(fork.events)).toBe(JSON.stringify(lab.events));
  expect(fork.tables()).toEqual(lab.tables());
  expect(fork.terminal("b").prompt).toBe("[root@b ~]# ");
});
