/**
 * The table of schedulers by the name after `ipvsadm -s`. Adding one is one file and one row.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_sched.c keeps the same as a list of registered modules.
 */
import { destinationHash } from "./destination-hash.ts";
import { leastConnection } from "./least-connection.ts";
import { localityLeastConnection } from "./locality-least-connection.ts";
import { localityLeastConnectionReplicated } from "./locality-least-connection-replicated.ts";
import { maglevHash } from "./maglev-hash.ts";
import { neverQueue } from "./never-queue.ts";
import { powerOfTwoChoices } from "./power-of-two-choices.ts";
import { roundRobin } from "./round-robin.ts";
import type { Scheduler } from "./scheduler.ts";
import { shortestExpectedDelay } from "./shortest-expected-delay.ts";
import { sourceHash } from "./source-hash.ts";
import { weightedFailover } from "./weighted-failover.ts";
import { weightedLeastConnection } from "./weighted-least-connection.ts";
import { weightedOverflow } from "./weighted-overflow.ts";
import { weightedRoundRobin } from "./weighted-round-robin.ts";

/** All schedulers of Linux 6.1. */
export const SCHEDULERS: readonly Scheduler[] = [
  roundRobin,
  weightedRoundRobin,
  leastConnection,
  weightedLeastConnection,
  localityLeastConnection,
  localityLeastConnectionReplicated,
  destinationHash,
  sourceHash,
  shortestExpectedDelay,
  neverQueue,
  weightedFailover,
  weightedOverflow,
  maglevHash,
  powerOfTwoChoices,
];

/** The scheduler of that name, or undefined. */
export function schedulerByName(name: string, table: readonly Scheduler[] = SCHEDULERS): Scheduler | undefined {
  return table.find((scheduler) => scheduler.name === name);
}

/** The known names, in table order. */
export function schedulerNames(table: readonly Scheduler[] = SCHEDULERS): string[] {
  return table.map(({ name }) => name);
}
