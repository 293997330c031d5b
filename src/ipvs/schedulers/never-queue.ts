/**
 * nq: the first idle server in the list, however small; when all work, as `sed`.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_nq.c.
 */
import { isLoadGreater } from "./overhead.ts";
import { isEligible, NO_DESTINATION, type Scheduler, type SchedulerDest } from "./scheduler.ts";
import { expectedDelay } from "./shortest-expected-delay.ts";

/** nq: an idle server first, otherwise as sed. Linux 6.1 net/netfilter/ipvs/ip_vs_nq.c. */
export const neverQueue: Scheduler = {
  name: "nq",
  flags: [],
  init: (service, context) => ({
    schedule() {
      const dest = firstIdleOrShortest(service.dests);
      if (dest === undefined) context.nothingChosen(NO_DESTINATION);
      return dest;
    },
  }),
};

/** ip_vs_nq_schedule: idle means no active connections, inactive ones do not count. */
function firstIdleOrShortest<D extends SchedulerDest>(dests: readonly D[]): D | undefined {
  let least: D | undefined;
  for (const dest of dests) {
    if (!isEligible(dest)) continue;
    if (dest.activeConns === 0) return dest;
    if (
      least === undefined ||
      isLoadGreater(expectedDelay(least), least.weight, expectedDelay(dest), dest.weight)
    ) {
      least = dest;
    }
  }
  return least;
}
