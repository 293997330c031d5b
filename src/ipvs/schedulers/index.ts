/**
 * Public entry point `lvsim/ipvs`: the IPVS schedulers alone, usable without the simulator. Re-exports only.
 */

// To write a scheduler, or to drive one.
export {
  isEligible,
  LINUX_6_1_176,
  type Scheduler,
  type SchedulerContext,
  schedulerContext,
  type SchedulerDest,
  schedulerDest,
  seededRandom,
  type SchedulerFigures,
  type SchedulerOptions,
  type SchedulerPacket,
  type SchedulerService,
  type SchedulerState,
} from "./scheduler.ts";
export { defineScheduler, type SchedulerClass, type SchedulerDefinition, SchedulerDefinitionError, type SchedulerHooks } from "./scheduler-class.ts";
export { guardScheduler, SchedulerFault } from "./guarded-scheduler.ts";
// To test one.
export { type ConformanceCheck, type ConformanceExceptions, type ConformanceOptions, schedulerConformance } from "./conformance.ts";
export { type DriverOptions, nameOf, type ServerSettings, ServiceDriver } from "./service-driver.ts";
// To find one by name.
export { schedulerByName, schedulerNames, SCHEDULERS } from "./registry.ts";
// The schedulers of Linux 6.1.
export { destinationHash } from "./destination-hash.ts";
export { leastConnection } from "./least-connection.ts";
export { localityLeastConnection } from "./locality-least-connection.ts";
export { localityLeastConnectionReplicated } from "./locality-least-connection-replicated.ts";
export { maglevHash } from "./maglev-hash.ts";
export { neverQueue } from "./never-queue.ts";
export { powerOfTwoChoices } from "./power-of-two-choices.ts";
export { roundRobin } from "./round-robin.ts";
export { shortestExpectedDelay } from "./shortest-expected-delay.ts";
export { sourceHash } from "./source-hash.ts";
export { weightedFailover } from "./weighted-failover.ts";
export { weightedLeastConnection } from "./weighted-least-connection.ts";
export { weightedOverflow } from "./weighted-overflow.ts";
export { weightedRoundRobin } from "./weighted-round-robin.ts";
// To keep the counters that schedulers look at, and to show what they compared.
export { describeCandidates, type SchedulerCandidate } from "./candidates.ts";
export { formatDest } from "./format-dest.ts";
export { type OverloadRules, overloadByEvent, overloadByTotal, type Thresholds } from "./overload.ts";
export { connOverhead } from "./overhead.ts";
// To predict the hashes: which slots a server owns, where a client lands.
export { hash32, hsiphash } from "./hash.ts";
export { MAGLEV_TABLE_SIZE, maglevTable } from "./maglev-hash.ts";
