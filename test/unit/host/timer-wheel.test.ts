import fc from "fast-check";
import { expect, test } from "vitest";
import { timerWheelDelay } from "../../../src/host/timer-wheel.ts";

const MS = 1_000_000;

// Deadlines of a request that is repeated each second, of DELAY and of a long timer, from time 0 at HZ=100.
test.each([
  { now: 0, delay: 1000, fires: 1040 },
  { now: 1040, delay: 1000, fires: 2080 },
  { now: 2080, delay: 1000, fires: 3120 },
  { now: 0, delay: 10, fires: 20 },
  { now: 0, delay: 5000, fires: 5040 },
  { now: 0, delay: 30000, fires: 30080 },
])("timer set at $now ms for $delay ms -> $fires ms", ({ now, delay, fires }) => {
  expect((now * MS + timerWheelDelay(now * MS, delay * MS, 100)) / MS).toBe(fires);
});

test("property: never early, at most an eighth late but for a few ticks", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e12 }), fc.integer({ min: 0, max: 1e11 }), (now, delay) => {
      const got = timerWheelDelay(now, delay, 100);
      expect(got).toBeGreaterThanOrEqual(delay);
      expect(got).toBeLessThanOrEqual(delay * 1.15 + 90 * MS);
    }),
  );
});
