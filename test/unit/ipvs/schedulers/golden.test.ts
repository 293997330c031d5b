/**
 * Picks that a real kernel (6.1, Debian) made: servers added one after the other, then only new connections, all of which
 * stay active.
 */
import { describe, expect, test } from "vitest";
import { schedulerByName } from "../../../../src/ipvs/schedulers/index.ts";
import { type DriverOptions, ServiceDriver } from "../../../../src/ipvs/schedulers/service-driver.ts";

/** "A4 B3 C2": added in this order with these weights. */
function driverWith(name: string, adds: string, options: DriverOptions = {}): ServiceDriver {
  const scheduler = schedulerByName(name);
  if (scheduler === undefined) throw new Error(`no scheduler ${name}`);
  const driver = new ServiceDriver(scheduler, options);
  for (const add of adds.split(" ")) driver.add(add.charAt(0), { weight: Number(add.slice(1)) });
  return driver;
}

function checkPicks({ name, adds, picks }: { name: string; adds: string; picks: string }): void {
  expect(driverWith(name, adds).openMany(picks.length)).toBe(picks);
}

describe("first picks of a service filled server by server", () => {
  test.each([
    { name: "rr", adds: "A1 B1 C1", picks: "CBACBACBA" },
    { name: "rr", adds: "A9 B1 C0", picks: "BABABA" },
    { name: "wrr", adds: "A4 B3 C2", picks: "CBAABACBACBAABACBACBA" },
    { name: "wrr", adds: "A5 B1 C1", picks: "CBAAAAACBAAAAACBA" },
    { name: "wrr", adds: "A100 B50", picks: "BAABAABAABA" },
    { name: "wrr", adds: "A2 B4", picks: "BABBABBABBAB" },
    { name: "wrr", adds: "A3 B1 C0", picks: "BAAABAAABA" },
    { name: "wrr", adds: "A1 B2 C3", picks: "CBACCBCBACCBCBACCB" },
    { name: "wlc", adds: "A4 B3 C2", picks: "CBAABCABACBAABCABACBA" },
    { name: "wlc", adds: "A5 B1 C1", picks: "CBAAAAACBAAAAACBA" },
    { name: "wlc", adds: "A100 B50", picks: "BAABAABAABA" },
    { name: "wlc", adds: "A2 B4", picks: "BABBABBABBAB" },
    { name: "wlc", adds: "A3 B1 C0", picks: "BAAABAAABA" },
    { name: "wlc", adds: "A1 B2 C3", picks: "CBACBCCBACBCCBACBC" },
    { name: "sed", adds: "A4 B3 C2", picks: "ABCABACBAABCABACBAABC" },
    { name: "sed", adds: "A5 B1 C1", picks: "AAAACBAAAAACBAAAA" },
    { name: "sed", adds: "A100 B50", picks: "ABAABAABAAB" },
    { name: "sed", adds: "A2 B4", picks: "BBABBABBABBA" },
    { name: "sed", adds: "A3 B1 C0", picks: "AABAAABAAA" },
    { name: "sed", adds: "A1 B2 C3", picks: "CBCCBACBCCBACBCCBA" },
    { name: "nq", adds: "A4 B3 C2", picks: "CBAABACBAABCABACBAABC" },
    { name: "nq", adds: "A5 B1 C1", picks: "CBAAAAAAAAACBAAAA" },
    { name: "nq", adds: "A100 B50", picks: "BAAABAABAAB" },
    { name: "nq", adds: "A2 B4", picks: "BABBBABBABBA" },
    { name: "nq", adds: "A3 B1 C0", picks: "BAAAAABAAA" },
    { name: "nq", adds: "A1 B2 C3", picks: "CBACCBCBCCBACBCCBA" },
    { name: "ovf", adds: "A4 B3 C2", picks: "AAAAABBBBCCC---------" },
    { name: "ovf", adds: "A5 B1 C1", picks: "AAAAAACCBB-------" },
    { name: "ovf", adds: "A100 B50", picks: "AAAAAAAAAAA" },
    { name: "ovf", adds: "A2 B4", picks: "BBBBBAAA----" },
    { name: "ovf", adds: "A3 B1 C0", picks: "AAAABB----" },
    { name: "ovf", adds: "A1 B2 C3", picks: "CCCCBBBAA---------" },
    { name: "lc", adds: "A1 B1 C1", picks: "CBACBA" },
    { name: "fo", adds: "A3 B7 C7", picks: "CCCCCC" },
  ])("$name: adds $adds -> $picks", checkPicks);
});

describe("changes of a service", () => {
  test("wrr started for servers that are there begins at the greatest weight", () => {
    expect(driverWith("wrr", "A4 B3 C2").restart().openMany(18)).toBe("ABACBACBAABACBACBA");
  });

  test("rr goes on behind a deleted server", () => {
    const driver = driverWith("rr", "A1 B1 C1 D1");
    expect(driver.openMany(2)).toBe("DC");
    expect(driver.delete("C").openMany(3)).toBe("BAD");
  });

  test("rr goes on behind its last one when others come and go before it", () => {
    const driver = driverWith("rr", "A1 B1 C1");
    expect(driver.openMany(2)).toBe("CB");
    expect(driver.add("D").delete("C").openMany(3)).toBe("ADB");
  });

  test("rr begins at the head again when the head was last and goes", () => {
    const driver = driverWith("rr", "A1 B1 C1");
    expect(driver.open()).toBe("C");
    expect(driver.delete("C").openMany(2)).toBe("BA");
  });

  test("a server with upper threshold 3 takes three connections, closing one changes nothing, raising the limit does", () => {
    const driver = new ServiceDriver(driverScheduler("wlc"));
    driver.add("A", { weight: 100, upper: 3 }).add("B");
    // The idle head wins the tie; then A is far less loaded for its weight.
    expect(driver.openMany(6)).toBe("BAAABB");
    expect(driver.close("A").openMany(2)).toBe("BB");
    expect(driver.edit("A", { weight: 100, upper: 5 }).openMany(4)).toBe("AABB");
  });

  test("wrr says when all are overloaded", () => {
    const driver = new ServiceDriver(driverScheduler("wrr"));
    driver.add("A", { upper: 1 }).add("B", { weight: 2, upper: 1 });
    expect(driver.openMany(3)).toMatch(/^(AB|BA)-$/);
    expect(driver.reasons).toEqual(["no destination available: all destinations are overloaded"]);
  });

  test("wrr with all weights 0 says only that there is none", () => {
    const driver = driverWith("wrr", "A0 B0");
    expect(driver.open()).toBe("-");
    expect(driver.reasons).toEqual(["no destination available"]);
  });
});

describe("6.1.183 and later count active connections 257 times", () => {
  const options = { overheadIncludesTotal: true, hashTakesLowBits: false, cacheGrowthCapped: false };

  test.each([
    { includesTotal: false, pick: "A" },
    { includesTotal: true, pick: "B" },
  ])("lc: one active against 256 inactive, total $includesTotal -> $pick", ({ includesTotal, pick }) => {
    const driver = driverWith("lc", "A1 B1", includesTotal ? { context: { options } } : {});
    const [a, b] = [driver.dest("A"), driver.dest("B")];
    Object.assign(a, { activeConns: 1, totalConns: 1 });
    Object.assign(b, { inactConns: 257, totalConns: 257 });
    // Old: 256 against 257. New: 257 against 257, and the head wins the tie.
    expect(driver.open()).toBe(pick);
  });
});

function driverScheduler(name: string) {
  const scheduler = schedulerByName(name);
  if (scheduler === undefined) throw new Error(`no scheduler ${name}`);
  return scheduler;
}
