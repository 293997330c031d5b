/**
 * The figures behind a choice, as a trace shows them.
 */
import { expect, test } from "vitest";
import { describeCandidates, formatDest, LINUX_6_1_176, weightedRoundRobin } from "../../../../src/ipvs/schedulers/index.ts";
import { nameOf, ServiceDriver } from "../../../../src/ipvs/schedulers/service-driver.ts";

function service() {
  const driver = new ServiceDriver(weightedRoundRobin).add("A", { weight: 2 }).add("B", { weight: 0 }).add("C").add("D");
  Object.assign(driver.dest("A"), { activeConns: 3, inactConns: 7, totalConns: 10 });
  driver.dest("C").overloaded = true;
  return { dests: driver.dests, flags: [] };
}

test.each([
  { name: "wlc", figures: "D 0/1, C 0/1 (overloaded), B 0/0 (weight 0), A 775/2" },
  { name: "sed", figures: "D 1/1, C 1/1 (overloaded), B 1/0 (weight 0), A 4/2" },
  { name: "ovf", figures: "D 0/1, C 0/1 (overloaded), B 0/0 (weight 0), A 775/2 (full)" },
])("$name: $figures", ({ name, figures }) => {
  const rows = describeCandidates(service(), name).map(({ dest, overhead, weight, eligible, reason }) => {
    expect(eligible).toBe(reason === undefined);
    return `${nameOf(dest)} ${overhead}/${weight}${reason === undefined ? "" : ` (${reason})`}`;
  });
  expect(rows.join(", ")).toBe(figures);
});

test("6.1.183 and later count the total", () => {
  const options = { ...LINUX_6_1_176, overheadIncludesTotal: true };
  expect(describeCandidates(service(), "wlc", options).map(({ overhead }) => overhead)).toEqual([0, 0, 0, 778]);
});

test("wrr explains its pass", () => {
  const driver = new ServiceDriver(weightedRoundRobin).add("A", { weight: 4 }).add("B", { weight: 2 });
  const packet = { sourceAddress: 0, sourcePort: 0, destinationAddress: 0, destinationPort: 80, protocol: 6 };
  expect(driver.state.explain?.(packet)).toEqual({ after: "head", cw: 1, mw: 3, di: 2 });
  driver.open();
  expect(driver.state.explain?.(packet)).toEqual({ after: 0, cw: 1, mw: 3, di: 2 });
});

test("a server as text", () => {
  expect(formatDest({ address: 0xc0a8f70b, port: 8080 })).toBe("192.168.247.11:8080");
});
