/**
 * ovf: the server of the highest weight until it has more active connections than its weight, then the next one.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_ovf.c.
 */
import { isEligible, NO_DESTINATION, type Scheduler, type SchedulerDest } from "./scheduler.ts";

/** ovf: the highest weight that has no more active connections than its weight. Linux 6.1 net/netfilter/ipvs/ip_vs_ovf.c. */
export const weightedOverflow: Scheduler = {
  name: "ovf",
  flags: [],
  init: (service, context) => ({
    schedule() {
      const dest = heaviestNotFull(service.dests);
      if (dest === undefined) context.nothingChosen(NO_DESTINATION);
      return dest;
    },
  }),
};

/** ip_vs_ovf_schedule: the test is "greater", so a server takes weight + 1 connections. */
function heaviestNotFull<D extends SchedulerDest>(dests: readonly D[]): D | undefined {
  let best: D | undefined;
  for (const dest of dests) {
    if (!isEligible(dest) || dest.activeConns > dest.weight) continue;
    if (best === undefined || dest.weight > best.weight) best = dest;
  }
  return best;
}
