/**
 * The servers of a service with the figures a scheduler compares, for a trace or a table. Not used when scheduling.
 */
import { connOverhead } from "./overhead.ts";
import { isEligible, LINUX_6_1_176, type SchedulerDest, type SchedulerOptions, type SchedulerService } from "./scheduler.ts";
import { expectedDelay } from "./shortest-expected-delay.ts";

/** One server with what a scheduler compares. */
export interface SchedulerCandidate<D extends SchedulerDest = SchedulerDest> {
  readonly dest: D;
  readonly weight: number;
  readonly activeConns: number;
  readonly inactConns: number;
  /** The cost that the named scheduler compares: connections as lc and wlc count them, or active + 1 for sed and nq. */
  readonly overhead: number;
  /** Whether a new connection may go there at all. */
  readonly eligible: boolean;
  /** Why not: the first of "weight 0", "overloaded", "full" (ovf) that holds. */
  readonly reason?: string;
}

/** Schedulers whose cost is the expected delay. */
const DELAY_SCHEDULERS: readonly string[] = ["sed", "nq"];

/**
 * Lists the servers in kernel order as the scheduler called `name` sees them now.
 *
 * @example
 * describeCandidates(service, "wlc").map(({ dest, overhead, weight }) => `${formatDest(dest)} ${overhead}/${weight}`);
 */
export function describeCandidates<D extends SchedulerDest>(
  service: SchedulerService<D>,
  name: string,
  options: SchedulerOptions = LINUX_6_1_176,
): SchedulerCandidate<D>[] {
  return service.dests.map((dest) => {
    const reason = obstacle(dest, name);
    return {
      dest,
      weight: dest.weight,
      activeConns: dest.activeConns,
      inactConns: dest.inactConns,
      overhead: DELAY_SCHEDULERS.includes(name)
        ? expectedDelay(dest)
        : connOverhead(dest, options.overheadIncludesTotal),
      eligible: reason === undefined,
      ...(reason === undefined ? {} : { reason }),
    };
  });
}

function obstacle(dest: SchedulerDest, name: string): string | undefined {
  if (isEligible(dest)) return name === "ovf" && dest.activeConns > dest.weight ? "full" : undefined;
  return dest.weight <= 0 ? "weight 0" : "overloaded";
}
