/**
 * lc: the server with the least overhead, whatever its weight above 0.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_lc.c.
 */
import { connOverhead } from "./overhead.ts";
import { isEligible, NO_DESTINATION, type Scheduler, type SchedulerDest } from "./scheduler.ts";

/** lc: the server with the least overhead (active * 256 + inactive connections). Linux 6.1 net/netfilter/ipvs/ip_vs_lc.c. */
export const leastConnection: Scheduler = {
  name: "lc",
  flags: [],
  init: (service, context) => ({
    schedule() {
      const dest = leastOverhead(service.dests, context.options.overheadIncludesTotal);
      if (dest === undefined) context.nothingChosen(NO_DESTINATION);
      return dest;
    },
  }),
};

/** ip_vs_lc_schedule: the first in list order wins a tie. */
function leastOverhead<D extends SchedulerDest>(dests: readonly D[], includesTotal: boolean): D | undefined {
  let least: D | undefined;
  let leastOverhead = 0;
  for (const dest of dests) {
    if (!isEligible(dest)) continue;
    const overhead = connOverhead(dest, includesTotal);
    if (least !== undefined && overhead >= leastOverhead) continue;
    least = dest;
    leastOverhead = overhead;
  }
  return least;
}
