/**
 * sed: the server that would have the least active connections in relation to its weight with one more.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_sed.c.
 */
import { isLoadGreater } from "./overhead.ts";
import { isEligible, NO_DESTINATION, type Scheduler, type SchedulerDest } from "./scheduler.ts";

/** sed: the least (active + 1) / weight. Linux 6.1 net/netfilter/ipvs/ip_vs_sed.c. */
export const shortestExpectedDelay: Scheduler = {
  name: "sed",
  flags: [],
  init: (service, context) => ({
    schedule() {
      const dest = shortestDelay(service.dests);
      if (dest === undefined) context.nothingChosen(NO_DESTINATION);
      return dest;
    },
  }),
};

/** ip_vs_sed_dest_overhead: inactive connections do not count. */
export function expectedDelay(dest: SchedulerDest): number {
  return dest.activeConns + 1;
}

/** ip_vs_sed_schedule: the first in list order wins a tie. */
function shortestDelay<D extends SchedulerDest>(dests: readonly D[]): D | undefined {
  let least: D | undefined;
  for (const dest of dests) {
    if (!isEligible(dest)) continue;
    if (
      least === undefined ||
      isLoadGreater(expectedDelay(least), least.weight, expectedDelay(dest), dest.weight)
    ) {
      least = dest;
    }
  }
  return least;
}
