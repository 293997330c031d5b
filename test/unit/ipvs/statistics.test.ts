import { expect, test } from "vitest";
import { Statistics } from "../../../src/ipvs/statistics.ts";

const SECOND = 1_000_000_000;

test("counters count, zero hides what was counted so far", () => {
  const statistics = new Statistics(0, { value: 1 });
  statistics.countConn(1);
  statistics.countIn(60, 1);
  statistics.countOut(52, 1);
  expect(statistics.view(2)).toMatchObject({ conns: 1, inPackets: 1, outPackets: 1, inBytes: 60, outBytes: 52 });
  statistics.zero(3);
  statistics.countIn(40, 4);
  expect(statistics.view(5)).toMatchObject({ conns: 0, inPackets: 1, inBytes: 40, outBytes: 0 });
});

/** The estimator in integers, tick by tick, as ip_vs_est.c writes it down. */
function referenceRate(deltas: readonly number[], shift: number, round: number, scale: number): number {
  let average = 0n;
  for (const delta of deltas) average += ((BigInt(delta) << BigInt(shift)) - average) >> 2n;
  return Number((average + BigInt(round)) >> BigInt(scale));
}

test.each([
  { packets: [10], seconds: 2 },
  { packets: [10, 20, 0, 5], seconds: 8 },
  { packets: [1000, 0, 0, 0, 0, 0, 0], seconds: 14 },
  { packets: [3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3], seconds: 24 },
])("rates follow the kernel's estimator: packets per 2 s $packets", ({ packets, seconds }) => {
  const statistics = new Statistics(0, { value: 1 });
  packets.forEach((count, tick) => {
    for (let i = 0; i < count; i++) statistics.countIn(100, tick * 2 * SECOND + 1000 + i);
  });
  const view = statistics.view(seconds * SECOND);
  expect(view.inPacketsPerSecond).toBe(referenceRate(packets, 9, 511, 10));
  expect(view.inBytesPerSecond).toBe(referenceRate(packets.map((n) => n * 100), 4, 15, 5));
});

test("run_estimation = 0 freezes the rates", () => {
  const estimating = { value: 1 };
  const statistics = new Statistics(0, estimating);
  for (let i = 0; i < 100; i++) statistics.countIn(100, 1);
  const before = statistics.view(2 * SECOND).inPacketsPerSecond;
  expect(before).toBeGreaterThan(0);
  estimating.value = 0;
  expect(statistics.view(100 * SECOND).inPacketsPerSecond).toBe(before);
});
