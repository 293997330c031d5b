/**
 * From a trace alone, the tables at any instant are those of a run stopped at that instant: every scenario of the repository.
 */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import seedrandom from "seedrandom";
import { describe, expect, test } from "vitest";
import { LINUX_PARTS } from "../../src/scenario/linux-parts.ts";
import { ScenarioRun } from "../../src/scenario/run-scenario.ts";
import { parseScenario, type Scenario } from "../../src/scenario/scenario-file.ts";
import { type WorldTables, withoutAged } from "../../src/trace/rows.ts";
import { TableTimeline } from "../../src/trace/table-timeline.ts";
import { MemorySink } from "../../src/trace/tracer.ts";
import { ROOT, SCENARIO_FILES } from "../helpers/traced-run.ts";

/** In each scenario. LVSIM_INSTANTS asks for more. */
const INSTANTS = Number(process.env["LVSIM_INSTANTS"] ?? 20);

test("there are scenarios", () => {
  expect(SCENARIO_FILES.length).toBeGreaterThan(100);
});

/** The tables of a run without any trace, at each of the instants (ascending). */
function tablesOfStoppedRun(scenario: Scenario, instantsNs: readonly number[]): WorldTables[] {
  const run = new ScenarioRun(scenario, { parts: LINUX_PARTS });
  const { loop, trace } = run.world;
  const found: WorldTables[] = [];
  const take = () => {
    const next = loop.nextTimeNs() ?? Number.POSITIVE_INFINITY;
    while (found.length < instantsNs.length && (instantsNs[found.length] as number) < next)
      found.push(withoutAged(trace.readTables(), instantsNs[found.length] as number));
  };
  const original = loop.step.bind(loop);
  loop.step = () => {
    take();
    return original();
  };
  run.run();
  take();
  return found;
}

describe("tables at random instants", () => {
  test.each(SCENARIO_FILES)("%s", (file) => {
    const scenario = parseScenario(readFileSync(join(ROOT, file), "utf8"), file);
    const sink = new MemorySink();
    const { endNs } = new ScenarioRun(scenario, { parts: LINUX_PARTS, traceLevel: "full", sinks: [sink] }).run();
    const random = seedrandom(file);
    const instants = Array.from({ length: INSTANTS }, () => Math.floor(random() * endNs)).sort((a, b) => a - b);
    const stopped = tablesOfStoppedRun(scenario, instants);
    const timeline = new TableTimeline(sink.events);
    expect(stopped.length).toBe(INSTANTS);
    // Out of order, so that going back is tried as well.
    for (const i of [...instants.keys()].sort(() => random() - 0.5)) {
      const rebuilt = timeline.at(instants[i] as number);
      // Many times quicker than `toEqual`, which tells where a difference is.
      if (!isDeepStrictEqual(rebuilt, stopped[i])) expect({ at: instants[i], ...rebuilt }).toEqual({ at: instants[i], ...stopped[i] });
    }
  });
});
