/**
 * lblc: every destination address stays with one server, until that server is busy while another one has room. Made for
 * caches behind a fwmark service.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_lblc.c.
 */
import { formatDest } from "./format-dest.ts";
import { isBusyWhileOthersIdle, LocalityTable } from "./locality-table.ts";
import {
  NO_DESTINATION,
  type Scheduler,
  type SchedulerContext,
  type SchedulerDest,
  type SchedulerFigures,
  type SchedulerPacket,
  type SchedulerService,
  type SchedulerState,
} from "./scheduler.ts";
import { leastWeightedOverhead } from "./weighted-least-connection.ts";

/** lblc: a destination address stays with its server while that has room. Linux 6.1 net/netfilter/ipvs/ip_vs_lblc.c. */
export const localityLeastConnection: Scheduler = {
  name: "lblc",
  flags: [],
  init: (service, context) => new LocalityLeastConnection(service, context),
};

interface Entry<D> {
  dest: D;
  lastUseNs: number;
}

class LocalityLeastConnection<D extends SchedulerDest> implements SchedulerState<D> {
  private readonly service: SchedulerService<D>;
  private readonly context: SchedulerContext;
  private readonly table: LocalityTable<Entry<D>>;

  constructor(service: SchedulerService<D>, context: SchedulerContext) {
    this.service = service;
    this.context = context;
    this.table = new LocalityTable<Entry<D>>(context, () => context.lblcExpirationSeconds());
  }

  /** ip_vs_lblc_schedule: the overload flag of a remembered server is not looked at. */
  schedule({ destinationAddress }: SchedulerPacket): D | undefined {
    const { dests } = this.service;
    const entry = this.table.use(destinationAddress);
    if (entry !== undefined) {
      const { dest } = entry;
      if (dest.available && dest.weight > 0 && !isBusyWhileOthersIdle(dest, dests)) return dest;
    }
    const dest = leastWeightedOverhead(dests, this.context.options.overheadIncludesTotal);
    if (dest === undefined) this.context.nothingChosen(NO_DESTINATION);
    else if (dest !== entry?.dest) this.remember(destinationAddress, dest);
    return dest;
  }

  done(): void {
    this.table.clear();
  }

  explain({ destinationAddress }: SchedulerPacket): SchedulerFigures {
    const entry = this.table.peek(destinationAddress);
    return { cached: entry === undefined ? "none" : formatDest(entry.dest) };
  }

  /** ip_vs_lblc_new */
  private remember(address: number, dest: D): void {
    if (this.table.hasRoom()) this.table.insert(address, { dest, lastUseNs: this.context.nowNs() });
  }
}
