/**
 * twos by its distribution: it is random, and no recorded kernel has it.
 */
import { expect, test } from "vitest";
import { powerOfTwoChoices } from "../../../../src/ipvs/schedulers/index.ts";
import { nameOf, ServiceDriver } from "../../../../src/ipvs/schedulers/service-driver.ts";

const DRAWS = 60_000;

function shares(driver: ServiceDriver): Record<string, number> {
  const counts: Record<string, number> = {};
  for (let i = 0; i < DRAWS; i += 1) {
    const dest = driver.schedule();
    const name = dest === undefined ? "-" : nameOf(dest);
    counts[name] = (counts[name] ?? 0) + 1 / DRAWS;
  }
  return counts;
}

test.each([
  { weights: { A: 1 } },
  { weights: { A: 1, B: 1 } },
  { weights: { A: 1, B: 2, C: 3 } },
  { weights: { A: 10, B: 1, C: 5, D: 4 } },
])("with equal loads the first draw decides: the head has one chance more than its weight, $weights", ({ weights }) => {
  const driver = new ServiceDriver(powerOfTwoChoices);
  for (const [name, weight] of Object.entries(weights)) driver.add(name, { weight });
  const total = Object.values(weights).reduce((sum, weight) => sum + weight, 0);
  const found = shares(driver);
  for (const [index, dest] of driver.dests.entries()) {
    const expected = (dest.weight + (index === 0 ? 1 : 0)) / (total + 1);
    expect(Math.abs((found[nameOf(dest)] ?? 0) - expected)).toBeLessThan(0.012);
  }
});

test("a loaded server is chosen only when both draws fall on it", () => {
  const driver = new ServiceDriver(powerOfTwoChoices).add("A", { weight: 1 }).add("B", { weight: 1 });
  driver.dest("A").activeConns = 5;
  // A is second in the list: one draw in three, so both in one of nine.
  expect(Math.abs((shares(driver)["A"] ?? 0) - 1 / 9)).toBeLessThan(0.012);
});

test("loads are compared in relation to the weights", () => {
  const driver = new ServiceDriver(powerOfTwoChoices).add("A", { weight: 9 }).add("B", { weight: 1 });
  driver.dest("A").activeConns = 8;
  driver.dest("B").activeConns = 1;
  // 8/9 is less than 1/1: B, the head with two draws in eleven, needs both.
  expect(Math.abs((shares(driver)["B"] ?? 0) - 4 / 121)).toBeLessThan(0.012);
});

test("quiescent and overloaded servers are not drawn", () => {
  const driver = new ServiceDriver(powerOfTwoChoices).add("A").add("B").add("C", { weight: 0 });
  driver.dest("B").overloaded = true;
  expect(Object.keys(shares(driver))).toEqual(["A"]);
});

test("the draws are asked of the context, 0 to the sum of the weights", () => {
  const bounds: number[] = [];
  const randomBelow = (bound: number) => {
    bounds.push(bound);
    return bound - 1;
  };
  const driver = new ServiceDriver(powerOfTwoChoices, { context: { randomBelow } }).add("A", { weight: 3 }).add("B", { weight: 4 });
  expect(driver.open()).toBe("A");
  expect(bounds).toEqual([8, 8]);
});
