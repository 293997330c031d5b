import fc from "fast-check";
import { expect, test } from "vitest";
import { SimulationLoop } from "../../../src/kernel/loop.ts";
import { Timer } from "../../../src/kernel/timer.ts";

/** Times from nanoseconds to hours, so that several levels of the queue take part. */
const times = fc.oneof(fc.integer({ min: 0, max: 1000 }), fc.integer({ min: 0, max: 3_000_000_000 }), fc.integer({ min: 0, max: 4_000_000_000_000 }));

test("events fire by time, then by order of scheduling, cancelled ones never", () => {
  const operation = fc.record({ timeNs: times, cancels: fc.option(fc.nat(50)), schedulesLater: fc.option(times) });
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
      const loop = new SimulationLoop();
      const expected: { timeNs: number; order: number; isLive: boolean }[] = [];
      const ids: number[] = [];
      const fired: number[] = [];
      const firedAt: number[] = [];
      const schedule = (timeNs: number, later: number | null) => {
        const order = expected.length;
        expected.push({ timeNs, order, isLive: true });
        const target = {
          onEvent: () => {
            fired.push(order);
            firedAt.push(loop.nowNs);
            if (later !== null) schedule(loop.nowNs + later, null);
          },
        };
        ids.push(loop.at(timeNs, target));
      };
      for (const { timeNs, cancels, schedulesLater } of operations) {
        schedule(timeNs, schedulesLater);
        const victim = cancels === null ? undefined : expected[cancels];
        if (victim !== undefined) {
          loop.cancel(ids[victim.order] as number);
          victim.isLive = false;
        }
      }
      while (loop.step());
      const live = expected.filter((e) => e.isLive).sort((a, b) => a.timeNs - b.timeNs || a.order - b.order);
      expect(fired).toEqual(live.map((e) => e.order));
      expect(firedAt).toEqual(live.map((e) => e.timeNs));
      expect(loop.pendingCount).toBe(0);
    }),
  );
});

test("scheduling, cancelling, looking and running in any order agree with a sorted list", () => {
  // Delays of every size up to 2^50 ns, with many ties.
  const delay = fc.tuple(fc.nat(50), fc.nat(3)).map(([bits, small]) => 2 ** bits - 1 + small);
  const operation = fc.oneof(
    fc.record({ kind: fc.constant("at" as const), value: delay }),
    fc.record({ kind: fc.constant("cancel" as const), value: fc.nat(100) }),
    fc.record({ kind: fc.constant("run" as const), value: delay }),
    fc.record({ kind: fc.constant("step" as const), value: fc.constant(0) }),
  );
  fc.assert(
    fc.property(fc.array(operation, { minLength: 1, maxLength: 200 }), (operations) => {
      const loop = new SimulationLoop();
      let waiting: { timeNs: number; order: number; id: number }[] = [];
      const fired: number[] = [];
      const expected: number[] = [];
      let order = 0;
      const take = (count: number, limitNs: number) => {
        waiting.sort((a, b) => a.timeNs - b.timeNs || a.order - b.order);
        const due = waiting.filter((one) => one.timeNs <= limitNs).slice(0, count);
        waiting = waiting.filter((one) => !due.includes(one));
        expected.push(...due.map((one) => one.order));
      };
      for (const { kind, value } of operations) {
        if (kind === "at" && loop.nowNs + value <= Number.MAX_SAFE_INTEGER) {
          const number = order++;
          const id = loop.after(value, { onEvent: () => fired.push(number) });
          waiting.push({ timeNs: loop.nowNs + value, order: number, id });
        } else if (kind === "cancel" && waiting.length > 0) {
          const [victim] = waiting.splice(value % waiting.length, 1);
          loop.cancel(victim?.id ?? 0);
        } else if (kind === "run" && loop.nowNs + value <= Number.MAX_SAFE_INTEGER) {
          take(Number.POSITIVE_INFINITY, loop.nowNs + value);
          loop.runUntil(loop.nowNs + value);
        } else if (kind === "step") {
          take(1, Number.POSITIVE_INFINITY);
          loop.step();
        }
        expect(fired).toEqual(expected);
        expect(loop.pendingCount).toBe(waiting.length);
        const next = waiting.length === 0 ? undefined : Math.min(...waiting.map((one) => one.timeNs));
        expect(loop.nextTimeNs()).toBe(next);
      }
    }),
    { numRuns: 300 },
  );
});

test("cancelling a fired event does nothing to the event that took its place", () => {
  const loop = new SimulationLoop();
  const fired: string[] = [];
  const first = loop.at(1, { onEvent: () => fired.push("first") });
  loop.step();
  loop.at(2, { onEvent: () => fired.push("second") });
  loop.cancel(first);
  while (loop.step());
  expect(fired).toEqual(["first", "second"]);
});

test("many cancelled events are forgotten, not kept until their time", () => {
  const loop = new SimulationLoop();
  let fired = 0;
  for (let round = 0; round < 50_000; round++) loop.cancel(loop.at(1_000_000 + round, { onEvent: () => fired++ }));
  loop.at(2_000_000, { onEvent: () => fired++ });
  expect(loop.pendingCount).toBe(1);
  expect(loop.nextTimeNs()).toBe(2_000_000);
  while (loop.step());
  expect(fired).toBe(1);
});

test("runUntil fires what is due and sets the clock", () => {
  const loop = new SimulationLoop();
  const fired: number[] = [];
  for (const timeNs of [5, 10, 11]) loop.at(timeNs, { onEvent: () => fired.push(timeNs) });
  loop.runUntil(10);
  expect(fired).toEqual([5, 10]);
  expect(loop.nowNs).toBe(10);
  loop.runUntil(20_000_000_000);
  expect(fired).toEqual([5, 10, 11]);
  expect(loop.nowNs).toBe(20_000_000_000);
});

test("a timer fires at its last deadline, however it was moved", () => {
  fc.assert(
    fc.property(fc.array(fc.record({ waitNs: fc.integer({ min: 0, max: 5_000_000 }), delayNs: fc.option(fc.integer({ min: 0, max: 10_000_000 })) }), { minLength: 1, maxLength: 30 }), (moves) => {
      const loop = new SimulationLoop();
      const fired: number[] = [];
      const timer = new Timer(loop, { onEvent: () => fired.push(loop.nowNs) });
      const expected: number[] = [];
      let deadline: number | undefined;
      for (const { waitNs, delayNs } of moves) {
        const untilNs = loop.nowNs + waitNs;
        if (deadline !== undefined && deadline <= untilNs) {
          expected.push(deadline);
          deadline = undefined;
        }
        loop.runUntil(untilNs);
        if (delayNs === null) {
          timer.disarm();
          deadline = undefined;
        } else {
          timer.arm(delayNs);
          deadline = loop.nowNs + delayNs;
        }
      }
      if (deadline !== undefined) expected.push(deadline);
      while (loop.step());
      expect(fired).toEqual(expected);
    }),
  );
});
