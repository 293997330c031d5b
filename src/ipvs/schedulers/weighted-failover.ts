/**
 * fo: all connections to the server of the highest weight, until it is gone, quiescent or overloaded.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_fo.c.
 */
import { isEligible, NO_DESTINATION, type Scheduler, type SchedulerDest } from "./scheduler.ts";

/** fo: the highest weight that is available. Linux 6.1 net/netfilter/ipvs/ip_vs_fo.c. */
export const weightedFailover: Scheduler = {
  name: "fo",
  flags: [],
  init: (service, context) => ({
    schedule() {
      const dest = heaviest(service.dests);
      if (dest === undefined) context.nothingChosen(NO_DESTINATION);
      return dest;
    },
  }),
};

/** ip_vs_fo_schedule: the first in list order wins a tie. */
function heaviest<D extends SchedulerDest>(dests: readonly D[]): D | undefined {
  let best: D | undefined;
  for (const dest of dests) {
    if (isEligible(dest) && (best === undefined || dest.weight > best.weight)) best = dest;
  }
  return best;
}
