/**
 * rr: the next server in the list, whatever its weight above 0.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_rr.c.
 */
import {
  isEligible,
  NO_DESTINATION,
  type Scheduler,
  type SchedulerContext,
  type SchedulerDest,
  type SchedulerFigures,
  type SchedulerService,
  type SchedulerState,
} from "./scheduler.ts";

/** rr: one after the other. Linux 6.1 net/netfilter/ipvs/ip_vs_rr.c. */
export const roundRobin: Scheduler = {
  name: "rr",
  flags: [],
  init: (service, context) => new RoundRobin(service, context),
};

/** Stands for the list head, where the walk begins and wraps. */
const HEAD = -1;

class RoundRobin<D extends SchedulerDest> implements SchedulerState<D> {
  private readonly service: SchedulerService<D>;
  private readonly context: SchedulerContext;
  /** The server chosen last; undefined for the list head. */
  private last: D | undefined = undefined;
  /** Invariant: the place of `last` in the list, HEAD for undefined. */
  private lastIndex = HEAD;

  constructor(service: SchedulerService<D>, context: SchedulerContext) {
    this.service = service;
    this.context = context;
  }

  /** ip_vs_rr_schedule: from behind the last one to the end, then from the head up to and including the last one. */
  schedule(): D | undefined {
    const { dests } = this.service;
    const stop = this.lastIndex;
    for (let i = stop + 1; i < dests.length; i += 1) if (this.take(i)) return this.last;
    for (let i = 0; i <= stop; i += 1) if (this.take(i)) return this.last;
    this.context.nothingChosen(NO_DESTINATION);
    return undefined;
  }

  /** The kernel needs no hook here, its pointer stays with the element; ours moves one place with it. */
  destAdded(): void {
    this.findLast();
  }

  /** ip_vs_rr_del_dest: the pointer falls back to the element before, so the deleted one's successor is next. */
  destDeleted(dest: D): void {
    if (dest !== this.last) {
      this.findLast();
      return;
    }
    this.lastIndex -= 1;
    this.last = this.service.dests[this.lastIndex];
  }

  explain(): SchedulerFigures {
    return { after: this.lastIndex === HEAD ? "head" : this.lastIndex };
  }

  private take(index: number): boolean {
    const dest = this.service.dests[index] as D;
    if (!isEligible(dest)) return false;
    this.last = dest;
    this.lastIndex = index;
    return true;
  }

  private findLast(): void {
    this.lastIndex = this.last === undefined ? HEAD : this.service.dests.indexOf(this.last);
  }
}
