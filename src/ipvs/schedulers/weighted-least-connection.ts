/**
 * wlc: the server with the least overhead in relation to its weight. ipvsadm's default.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_wlc.c.
 */
import { connOverhead, isLoadGreater } from "./overhead.ts";
import { isEligible, NO_DESTINATION, type Scheduler, type SchedulerDest } from "./scheduler.ts";

/** wlc: the least overhead / weight. Linux 6.1 net/netfilter/ipvs/ip_vs_wlc.c. */
export const weightedLeastConnection: Scheduler = {
  name: "wlc",
  flags: [],
  init: (service, context) => ({
    schedule() {
      const dest = leastWeightedOverhead(service.dests, context.options.overheadIncludesTotal);
      if (dest === undefined) context.nothingChosen(NO_DESTINATION);
      return dest;
    },
  }),
};

/**
 * ip_vs_wlc_schedule; __ip_vs_lblc_schedule and __ip_vs_lblcr_schedule are the same. The first in list order wins a tie.
 * The kernel does not test the weight of followers: with weight 0 they can never be strictly better.
 */
export function leastWeightedOverhead<D extends SchedulerDest>(
  dests: readonly D[],
  includesTotal: boolean,
): D | undefined {
  let least: D | undefined;
  let leastOverhead = 0;
  for (const dest of dests) {
    if (!isEligible(dest)) continue;
    const overhead = connOverhead(dest, includesTotal);
    if (least !== undefined && !isLoadGreater(leastOverhead, least.weight, overhead, dest.weight)) continue;
    least = dest;
    leastOverhead = overhead;
  }
  return least;
}
