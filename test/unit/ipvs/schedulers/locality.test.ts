/**
 * What lblc and lblcr remember, and when they forget it.
 */
import { describe, expect, test } from "vitest";
import { localityLeastConnection, localityLeastConnectionReplicated, LINUX_6_1_176 } from "../../../../src/ipvs/schedulers/index.ts";
import { ServiceDriver } from "../../../../src/ipvs/schedulers/service-driver.ts";

const SECOND = 1_000_000_000;
const DAY = 86_400 * SECOND;
const to = (target: number) => ({ destinationAddress: 0x0a090000 + target });
const cached = (driver: ServiceDriver, target: number) =>
  driver.state.explain?.({ sourceAddress: 0, sourcePort: 0, destinationPort: 80, protocol: 6, ...to(target) })?.["cached"];

describe.each([
  ["lblc", localityLeastConnection],
  ["lblcr", localityLeastConnectionReplicated],
] as const)("%s", (_, scheduler) => {
  test("an address stays with its server", () => {
    const driver = new ServiceDriver(scheduler).add("A", { weight: 9 }).add("B", { weight: 9 });
    expect(driver.openMany(4, to(1))).toBe("BBBB");
    expect(driver.openMany(4, to(2))).toBe("AAAA");
  });

  test("a server busy beyond its weight is left only while another has half its weight free", () => {
    const driver = new ServiceDriver(scheduler).add("A", { weight: 2 }).add("B", { weight: 2 });
    expect(driver.openMany(3, to(1))).toBe("BBB");
    expect(driver.open(to(1))).toBe("A");
    const full = new ServiceDriver(scheduler).add("A", { weight: 2 }).add("B", { weight: 2 });
    full.dest("A").activeConns = 1;
    expect(full.openMany(6, to(1))).toBe("BBBBBB");
  });

  test("a deleted server is passed over and remembered for its return", () => {
    const driver = new ServiceDriver(scheduler).add("A", { weight: 9 }).add("B", { weight: 9 });
    driver.open(to(1));
    driver.open(to(2));
    driver.delete("B");
    expect(driver.open(to(3))).toBe("A");
    driver.add("B", { weight: 9 });
    expect(driver.openMany(2, to(1))).toBe("BB");
  });

  test("an entry idle for the expiration goes at the next full check, which comes every 30 minutes", () => {
    const driver = new ServiceDriver(scheduler).add("A").add("B");
    driver.open(to(1));
    driver.nowNs = DAY - SECOND;
    driver.open(to(2));
    expect(cached(driver, 1)).toBe("10.9.0.2:80");
    // Full checks come at multiples of 1800 s; the first one that finds the entry a day old is that at one day.
    driver.nowNs = DAY;
    driver.open(to(2));
    expect(cached(driver, 1)).toBe("none");
    expect(cached(driver, 2)).not.toBe("none");
  });

  test("the expiration is a sysctl", () => {
    const context = { lblcExpirationSeconds: () => 100, lblcrExpirationSeconds: () => 100 };
    const driver = new ServiceDriver(scheduler, { context }).add("A");
    driver.open(to(1));
    driver.nowNs = 1799 * SECOND;
    driver.open(to(2));
    expect(cached(driver, 1)).toBe("10.9.0.1:80");
    driver.nowNs = 1801 * SECOND;
    driver.open(to(3));
    expect(cached(driver, 1)).toBe("none");
    expect(cached(driver, 2)).toBe("10.9.0.1:80");
  });

  test("a table over its size loses what was idle for six minutes, as much as it needs to", () => {
    const driver = new ServiceDriver(scheduler).add("A");
    for (let target = 0; target < 16_384 + 300; target += 1) driver.schedule(to(target));
    const remembered = () => Array.from({ length: 16_684 }, (_, target) => cached(driver, target)).filter((text) => text !== "none").length;
    driver.nowNs = 359 * SECOND;
    driver.schedule(to(0));
    expect(remembered()).toBe(16_684);
    driver.nowNs = 361 * SECOND;
    driver.schedule(to(0));
    const left = remembered();
    // (300 * 4) / 3 at least, and the rest of the chain in which that number is reached.
    expect(left).toBeLessThanOrEqual(16_684 - 400);
    expect(left).toBeGreaterThan(16_684 - 400 - 60);
  });

  test("6.1.191 and later: no entries beyond half over the size", () => {
    const options = { ...LINUX_6_1_176, cacheGrowthCapped: true };
    const driver = new ServiceDriver(scheduler, { context: { options } }).add("A");
    for (let target = 0; target < 24_577; target += 1) expect(driver.schedule(to(target))).toBeDefined();
    expect(cached(driver, 24_575)).toBe("10.9.0.1:80");
    expect(cached(driver, 24_576)).toBe("none");
  });
});

test("lblc does not look at the overload flag of a remembered server, lblcr does", () => {
  const lblc = new ServiceDriver(localityLeastConnection).add("A").add("B");
  const lblcr = new ServiceDriver(localityLeastConnectionReplicated).add("A").add("B");
  for (const driver of [lblc, lblcr]) {
    driver.open(to(1));
    driver.dest("B").overloaded = true;
  }
  expect(lblc.open(to(1))).toBe("B");
  expect(lblcr.open(to(1))).toBe("A");
});

test("lblcr: a set that has not grown for the expiration loses its most loaded server, after the choice", () => {
  const driver = new ServiceDriver(localityLeastConnectionReplicated).add("A", { weight: 2 }).add("B", { weight: 2 });
  expect(driver.openMany(4, to(1))).toBe("BBBA");
  expect(cached(driver, 1)).toBe("10.9.0.1:80 10.9.0.2:80");
  for (let hour = 1; hour <= 24; hour += 1) {
    driver.nowNs = hour * 3600 * SECOND;
    driver.schedule(to(1));
  }
  expect(cached(driver, 1)).toBe("10.9.0.1:80 10.9.0.2:80");
  driver.nowNs += SECOND;
  expect(driver.schedule(to(1))).toBe(driver.dest("A"));
  expect(cached(driver, 1)).toBe("10.9.0.1:80");
});
