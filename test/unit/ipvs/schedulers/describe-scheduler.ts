/**
 * The conformance suite of schedulers: what every one of them owes its director, whatever its choice. Put your own
 * through it:
 *
 *   describeScheduler({ name: "mine", scheduler: mine });
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type Scheduler, type SchedulerDest, schedulerContext } from "../../../../src/ipvs/schedulers/index.ts";
import { nameOf, ServiceDriver } from "./service-driver.ts";

export interface SchedulerSubject {
  readonly name: string;
  readonly scheduler: Scheduler;
  readonly flags?: readonly string[];
  /** It may choose nothing although some server could take the connection (hashes without fallback, overflow). */
  readonly mayRefuse?: boolean;
  /** It may choose an overloaded server that it remembers. */
  readonly remembersOverloaded?: boolean;
}

/** A step of a random life. */
type Step =
  | { readonly kind: "add" | "edit"; readonly name: string; readonly weight: number; readonly upper: number }
  | { readonly kind: "delete" | "close" | "expire"; readonly name: string }
  | { readonly kind: "open"; readonly client: number; readonly target: number }
  | { readonly kind: "wait"; readonly seconds: number };

const names = fc.constantFrom(..."ABCDEFG");
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("open" as const), client: fc.nat(30), target: fc.nat(10) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom("add" as const, "edit" as const),
      name: names,
      weight: fc.constantFrom(0, 1, 1, 2, 3, 8, 100),
      upper: fc.constantFrom(0, 0, 0, 1, 3),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom("delete" as const, "close" as const, "expire" as const), name: names }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("wait" as const), seconds: fc.constantFrom(1, 100, 2000, 100_000) }) },
);
const life = fc.array(step, { minLength: 1, maxLength: 120 });

export function describeScheduler(subject: SchedulerSubject): void {
  const { name, scheduler, flags = [] } = subject;
  const begin = () => new ServiceDriver(scheduler, { flags });

  describe(`scheduler ${name}`, () => {
    test("has a name and flags that ipvsadm can spell", () => {
      expect([scheduler.name, ...scheduler.flags].filter((word) => !/^[a-z0-9-]+$/.test(word))).toEqual([]);
    });

    test("without servers, chooses nothing and says why", () => {
      const driver = begin();
      expect(driver.open()).toBe("-");
      expect(driver.reasons).toHaveLength(1);
    });

    test("with one server, chooses that very object", () => {
      const driver = begin().add("A");
      expect(driver.schedule()).toBe(driver.dest("A"));
      expect(driver.reasons).toEqual([]);
    });

    test("with the only server quiescent, overloaded or deleted, chooses nothing", () => {
      expect(begin().add("A").edit("A", { weight: 0 }).open()).toBe("-");
      expect(begin().add("A", { weight: 0 }).open()).toBe("-");
      expect(begin().add("A").delete("A").open()).toBe("-");
      const overloaded = begin().add("A");
      overloaded.dest("A").overloaded = true;
      expect(overloaded.open()).toBe("-");
    });

    test("takes a server again that comes back", () => {
      expect(begin().add("A").delete("A").add("A").open()).toBe("A");
      expect(begin().add("A").edit("A", { weight: 0 }).edit("A", { weight: 2 }).open()).toBe("A");
    });

    test("starts for a service that has servers already", () => {
      expect("ABC").toContain(begin().add("A").add("B").add("C").restart().open());
    });

    test("works for two services side by side", () => {
      const alone = begin().add("A").add("B").add("C", { weight: 3 });
      const expected = alone.openMany(20);
      const [one, two] = [begin(), begin()];
      for (const driver of [one, two]) driver.add("A").add("B").add("C", { weight: 3 });
      const both = Array.from({ length: 20 }, () => [one.open(), two.open()]);
      expect(both.map(([first]) => first).join("")).toBe(expected);
      expect(both.map(([, second]) => second).join("")).toBe(expected);
    });

    test("in any life, chooses only servers of the service that may take a connection", () => {
      fc.assert(fc.property(life, (steps) => liveThrough(subject, begin(), steps)));
    });

    test("chooses the same in the same life, also when asked to explain", () => {
      fc.assert(
        fc.property(life, (steps) => {
          expect(picksOf(begin(), steps, true)).toEqual(picksOf(begin(), steps, false));
        }),
      );
    });

    test("needs no context but the default one", () => {
      const dests: SchedulerDest[] = [];
      expect(scheduler.init({ dests, flags }, schedulerContext()).schedule(packetOf(0, 0))).toBeUndefined();
    });
  });
}

function liveThrough(subject: SchedulerSubject, driver: ServiceDriver, steps: readonly Step[]): void {
  for (const each of steps) {
    if (each.kind !== "open") {
      apply(driver, each);
      continue;
    }
    const eligible = driver.dests.filter((dest) => dest.weight > 0 && (!dest.overloaded || subject.remembersOverloaded === true));
    const reasonCount = driver.reasons.length;
    const choice = driver.schedule(packetOf(each.client, each.target));
    if (choice === undefined) {
      expect(driver.reasons.length).toBe(reasonCount + 1);
      if (subject.mayRefuse !== true) expect(driver.dests.filter((dest) => dest.weight > 0 && !dest.overloaded)).toEqual([]);
    } else {
      expect(eligible).toContain(choice);
      driver.open(packetOf(each.client, each.target));
    }
  }
}

function picksOf(driver: ServiceDriver, steps: readonly Step[], explains: boolean): string[] {
  const picks: string[] = [];
  for (const each of steps) {
    if (each.kind !== "open") {
      apply(driver, each);
      continue;
    }
    const packet = packetOf(each.client, each.target);
    if (explains) driver.state.explain?.(packet);
    picks.push(driver.open(packet));
  }
  return picks;
}

/** Steps that make no sense at their time are passed over. */
function apply(driver: ServiceDriver, each: Exclude<Step, { kind: "open" }>): void {
  if (each.kind === "wait") {
    driver.nowNs += each.seconds * 1_000_000_000;
    return;
  }
  const present = driver.dests.find((dest) => nameOf(dest) === each.name);
  if (each.kind === "add") {
    if (present === undefined) driver.add(each.name, each);
  } else if (present !== undefined) {
    if (each.kind === "edit") driver.edit(each.name, each);
    else if (each.kind === "delete") driver.delete(each.name);
    else if (each.kind === "close" && present.activeConns > 0) driver.close(each.name);
    else if (each.kind === "expire" && present.inactConns > 0) driver.expire(each.name);
  }
}

function packetOf(client: number, target: number) {
  return {
    sourceAddress: 0x0a010000 + client,
    sourcePort: 4000 + client,
    destinationAddress: 0x0a090000 + target,
    destinationPort: 80,
    protocol: 6,
  };
}
