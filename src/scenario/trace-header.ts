/**
 * The header of a scenario's trace.
 */

import { formatMacAddress } from "../base/mac-address.ts";
import type { TraceHeader } from "../trace/trace-header.ts";
import type { TraceLevel } from "../trace/tracer.ts";
import type { Scenario } from "./scenario-file.ts";

/** `seed`: the one in use, when it is not the file's. The header has the file's text but not its name: a trace knows nothing of the machine. */
export function traceHeader(scenario: Scenario, level: TraceLevel, seed = scenario.seed): Omit<TraceHeader, "format" | "version"> {
  return {
    level,
    title: scenario.title,
    seed,
    hosts: scenario.hosts.map(({ name, interfaces }) => ({
      name,
      interfaces: interfaces.map((one) => ({ name: one.name, link: one.link, mac: formatMacAddress(one.mac) })),
    })),
    links: scenario.links.map(({ name }) => name),
    scenario: scenario.text,
  };
}
