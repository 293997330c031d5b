/**
 * Every scheduler of the table, and one written by a user, through the conformance suite.
 */
import { expect, test } from "vitest";
import { isEligible, type Scheduler, type SchedulerDest, type SchedulerService, SCHEDULERS, schedulerByName, schedulerNames } from "../../../../src/ipvs/schedulers/index.ts";
import { describeScheduler } from "./describe-scheduler.ts";

/** Hashes without fallback, and overflow once all are full. */
const MAY_REFUSE = ["dh", "sh", "mh", "ovf"];

for (const scheduler of SCHEDULERS) {
  const { name, flags } = scheduler;
  describeScheduler({ name, scheduler, mayRefuse: MAY_REFUSE.includes(name), remembersOverloaded: name === "lblc" });
  // The fallback of a hash looks at a bounded number of slots, which need not include every server.
  for (const flag of flags) describeScheduler({ name: `${name} with ${flag}`, scheduler, flags: [flag], mayRefuse: true });
  if (flags.length > 1) describeScheduler({ name: `${name} with ${flags.join(",")}`, scheduler, flags, mayRefuse: true });
}

/** The least recently added server that can take a connection. */
const oldestFirst: Scheduler = {
  name: "oldest",
  flags: [],
  init: <D extends SchedulerDest>(service: SchedulerService<D>, { nothingChosen }: { nothingChosen(reason: string): void }) => ({
    schedule() {
      const dest = service.dests.findLast(isEligible);
      if (dest === undefined) nothingChosen("no destination available");
      return dest;
    },
  }),
};

describeScheduler({ name: "written by a user", scheduler: oldestFirst });

test("a table with a scheduler of one's own is searched by name", () => {
  const table = [oldestFirst, ...SCHEDULERS];
  expect(schedulerByName("oldest", table)).toBe(oldestFirst);
  expect(schedulerByName("oldest")).toBeUndefined();
  expect(schedulerNames(table)[0]).toBe("oldest");
});

test("the table has the names of Linux 6.1", () => {
  expect(schedulerNames().sort()).toEqual(["dh", "fo", "lblc", "lblcr", "lc", "mh", "nq", "ovf", "rr", "sed", "sh", "twos", "wlc", "wrr"]);
});
