/**
 * The conformance suite of the library as tests, one a check.
 */
import { describe, expect, test } from "vitest";
import { type ConformanceOptions, type SchedulerDefinition, schedulerConformance } from "../../../../src/ipvs/schedulers/index.ts";

export function describeScheduler(name: string, scheduler: SchedulerDefinition, options: ConformanceOptions = {}): void {
  const checks = schedulerConformance(scheduler, options);
  describe(`scheduler ${name}`, () => {
    expect(checks.length).toBeGreaterThan(15);
    for (const check of checks) test(check.name, () => expect(check.reason).toBe(""));
  });
}
