/**
 * Every scheduler of the table, and one written by a user, through the conformance suite.
 */
import { expect, test } from "vitest";
import { isEligible, type Scheduler, type SchedulerDest, type SchedulerService, SCHEDULERS, schedulerByName, schedulerConformance, schedulerNames } from "../../../../src/ipvs/schedulers/index.ts";
import { describeScheduler } from "./describe-scheduler.ts";

for (const scheduler of SCHEDULERS) {
  const { name, flags } = scheduler;
  describeScheduler(name, scheduler);
  // The fallback of a hash looks at a bounded number of slots, which need not include every server.
  for (const flag of flags) describeScheduler(`${name} with ${flag}`, scheduler, { flags: [flag] });
  if (flags.length > 1) describeScheduler(`${name} with ${flags.join(",")}`, scheduler, { flags });
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

describeScheduler("written by a user", oldestFirst);

const base = { name: "wrong", flags: [] };
type Dests = SchedulerService["dests"];
/** Schedulers with one mistake each, and the check that must find it. */
const WRONG: readonly (readonly [what: string, check: string, reason: string, scheduler: unknown])[] = [
  ["ignores weight 0", "never chooses a server of weight 0", "chose A, which is quiescent", { ...base, init: ({ dests }: { dests: Dests }) => ({ schedule: () => dests.find((d) => !d.overloaded) }) }],
  ["ignores overload", "never chooses an overloaded server", "chose A, which is overloaded", { ...base, init: ({ dests }: { dests: Dests }) => ({ schedule: () => dests.find((d) => d.weight > 0) }) }],
  ["keeps what was deleted", "never chooses a deleted server", "chose A, which is deleted", class { static schedulerName = "wrong"; all: SchedulerDest[] = []; add_dest(_: unknown, d: SchedulerDest) { this.all.push(d); } schedule() { return this.all.find(isEligible); } }],
  ["knows servers only from add_dest", "starts for a service that has servers already", "known only from destAdded", class { static schedulerName = "wrong"; all: SchedulerDest[] = []; add_dest(_: unknown, d: SchedulerDest) { this.all.unshift(d); } del_dest(_: unknown, d: SchedulerDest) { this.all = this.all.filter((e) => e !== d); } schedule() { return this.all.find(isEligible); } }],
  ["does not say why", "without servers, chooses nothing and says why", "called nothingChosen 0 times", { ...base, init: ({ dests }: { dests: Dests }) => ({ schedule: () => dests.find(isEligible) }) }],
  ["returns a copy", "with one server, chooses that very object", "chose another object", class { static schedulerName = "wrong"; schedule({ dests }: SchedulerService) { const d = dests.find(isEligible); return d === undefined ? undefined : { ...d }; } }],
  ["shares state between services", "works for two services side by side", "is state shared between services?", (() => { let i = 0; return class { static schedulerName = "wrong"; schedule({ dests }: SchedulerService) { const able = dests.filter(isEligible); return able[i++ % able.length]; } }; })()],
  ["counts for itself", "leaves the servers, their figures and their order alone", "changed a server or the list", class { static schedulerName = "wrong"; schedule({ dests }: SchedulerService) { const d = dests.find(isEligible); if (d !== undefined) d.activeConns += 1; return d; } }],
  ["throws when the list is empty", "without servers, chooses nothing and says why", "threw TypeError", class { static schedulerName = "wrong"; schedule({ dests }: SchedulerService) { return (dests[0] as SchedulerDest).weight > 0 ? dests[0] : undefined; } }],
  ["holds what was deleted", "holds no deleted server, as far as its fields show", " although it was deleted: forget it", class { static schedulerName = "wrong"; last: SchedulerDest | undefined; schedule({ dests }: SchedulerService) { this.last = dests.find(isEligible) ?? this.last; return dests.find(isEligible); } }],
  ["gives up too early", "chooses nothing only when no server can take the connection, and says why once", "chose nothing although", class { static schedulerName = "wrong"; schedule({ dests }: SchedulerService) { const d = dests[0]; return d !== undefined && isEligible(d) ? d : undefined; } }],
  ["explains by scheduling", "chooses the same in the same life, also when asked to explain", "when explain() was called", class { static schedulerName = "wrong"; at = 0; schedule({ dests }: SchedulerService) { const able = dests.filter(isEligible); return able[this.at++ % able.length]; } explain() { return { at: this.at++ }; } }],
];

test.each(WRONG)("one that %s is found out by: %s", (_what, name, reason, scheduler) => {
  const check = schedulerConformance(scheduler as Scheduler).find((one) => one.name === name);
  expect(check).toMatchObject({ passed: false, reason: expect.stringContaining(reason) });
});

test("chance from outside is found out", () => {
  let n = 0;
  class Moody {
    static schedulerName = "moody";
    schedule<D extends SchedulerDest>({ dests }: SchedulerService<D>): D | undefined {
      const able = dests.filter(isEligible);
      return able[n++ % able.length];
    }
  }
  const check = schedulerConformance(Moody).find((one) => one.name.startsWith("chooses the same"));
  expect(check?.reason).toContain("use context.randomBelow");
});

test("a failure is told by the shortest life that shows it, the same in every run", () => {
  const heedless: Scheduler = { ...base, init: (({ dests }: { dests: Dests }) => ({ schedule: () => dests.find((dest) => !dest.overloaded) })) as unknown as Scheduler["init"] };
  const reasons = [1, 2].map(() => schedulerConformance(heedless).find((one) => one.name.startsWith("in any life"))?.reason);
  expect(reasons[0]).toMatch(/^at step [23] chose ([A-G]), whose weight is 0; shown by: add \1 [^,]*(, edit \1 weight 0[^,]*)?, open from [^,]*$/);
  expect(reasons[1]).toBe(reasons[0]);
});

test("what the kernel's schedulers may do is written down, and only that", () => {
  const strict = { mayRefuse: false, remembersOverloaded: false, remembersDeleted: false };
  const found = SCHEDULERS.filter((scheduler) => schedulerConformance(scheduler, strict).some((check) => !check.passed)).map(({ name }) => name);
  expect(found.sort()).toEqual(["dh", "lblc", "lblcr", "mh", "ovf", "sh"]);
});

test("a table with a scheduler of one's own is searched by name", () => {
  const table = [oldestFirst, ...SCHEDULERS];
  expect(schedulerByName("oldest", table)).toBe(oldestFirst);
  expect(schedulerByName("oldest")).toBeUndefined();
  expect(schedulerNames(table)[0]).toBe("oldest");
});

test("the table has the names of Linux 6.1", () => {
  expect(schedulerNames().sort()).toEqual(["dh", "fo", "lblc", "lblcr", "lc", "mh", "nq", "ovf", "rr", "sed", "sh", "twos", "wlc", "wrr"]);
});
