/**
 * twos: two servers drawn at random by weight, and of the two the less loaded one.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_twos.c. Debian's kernels are built without it.
 */
import { connOverhead } from "./overhead.ts";
import {
  isEligible,
  NO_DESTINATION,
  type Scheduler,
  type SchedulerContext,
  type SchedulerDest,
  type SchedulerService,
} from "./scheduler.ts";

/** twos: the less loaded of two drawn by weight. Linux 6.1 net/netfilter/ipvs/ip_vs_twos.c. */
export const powerOfTwoChoices: Scheduler = {
  name: "twos",
  flags: [],
  init: (service, context) => ({
    schedule() {
      const dest = betterOfTwo(service, context);
      if (dest === undefined) context.nothingChosen(NO_DESTINATION);
      return dest;
    },
  }),
};

/**
 * ip_vs_twos_schedule. A draw is 0..total inclusive, so the first eligible server has one chance in total + 1 more than
 * its weight. The loads are compared as C ints.
 */
function betterOfTwo<D extends SchedulerDest>(service: SchedulerService<D>, context: SchedulerContext): D | undefined {
  const { dests } = service;
  let total = 0;
  for (const dest of dests) if (isEligible(dest)) total += dest.weight;
  if (total === 0) return undefined;
  const choice1 = drawn(dests, context.randomBelow(total + 1));
  const choice2 = drawn(dests, context.randomBelow(total + 1));
  if (choice1 === undefined || choice2 === undefined) return choice1;
  const { overheadIncludesTotal } = context.options;
  const load1 = Math.imul(choice2.weight, connOverhead(choice1, overheadIncludesTotal));
  const load2 = Math.imul(choice1.weight, connOverhead(choice2, overheadIncludesTotal));
  return load1 > load2 ? choice2 : choice1;
}

/** The first eligible server at which the draw, lowered by each weight in turn, is used up. */
function drawn<D extends SchedulerDest>(dests: readonly D[], draw: number): D | undefined {
  let rest = draw;
  for (const dest of dests) {
    if (!isEligible(dest)) continue;
    rest -= dest.weight;
    if (rest <= 0) return dest;
  }
  return undefined;
}
