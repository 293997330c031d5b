/**
 * lblcr: as lblc, but a destination address has a set of servers, which grows when all in it are busy and loses its most
 * loaded one when it has not grown for a while.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_lblcr.c.
 */
import { formatDest } from "./format-dest.ts";
import { isBusyWhileOthersIdle, LocalityTable } from "./locality-table.ts";
import { connOverhead, isLoadGreater } from "./overhead.ts";
import {
  isEligible,
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

/** lblcr: a destination address has a set of servers. Linux 6.1 net/netfilter/ipvs/ip_vs_lblcr.c. */
export const localityLeastConnectionReplicated: Scheduler = {
  name: "lblcr",
  flags: [],
  init: (service, context) => new LocalityLeastConnectionReplicated(service, context),
};

interface Entry<D> {
  /** The servers of the address, the newest first. */
  readonly dests: D[];
  /** When a server came to the set or left it. */
  lastModifiedNs: number;
  lastUseNs: number;
}

class LocalityLeastConnectionReplicated<D extends SchedulerDest> implements SchedulerState<D> {
  private readonly service: SchedulerService<D>;
  private readonly context: SchedulerContext;
  private readonly table: LocalityTable<Entry<D>>;

  constructor(service: SchedulerService<D>, context: SchedulerContext) {
    this.service = service;
    this.context = context;
    this.table = new LocalityTable<Entry<D>>(context, () => context.lblcrExpirationSeconds());
  }

  /** ip_vs_lblcr_schedule: the choice comes before the set shrinks, so it may fall on the server that then leaves. */
  schedule({ destinationAddress }: SchedulerPacket): D | undefined {
    const { dests } = this.service;
    const { overheadIncludesTotal } = this.context.options;
    const entry = this.table.use(destinationAddress);
    if (entry !== undefined) {
      const cached = leastLoaded(entry.dests, overheadIncludesTotal);
      this.shrinkSet(entry);
      if (cached !== undefined && !isBusyWhileOthersIdle(cached, dests)) return cached;
    }
    const dest = leastWeightedOverhead(dests, overheadIncludesTotal);
    if (dest === undefined) this.context.nothingChosen(NO_DESTINATION);
    else this.remember(destinationAddress, entry, dest);
    return dest;
  }

  done(): void {
    this.table.clear();
  }

  explain({ destinationAddress }: SchedulerPacket): SchedulerFigures {
    const entry = this.table.peek(destinationAddress);
    return { cached: entry === undefined ? "none" : entry.dests.map(formatDest).join(" ") };
  }

  private shrinkSet(entry: Entry<D>): void {
    if (entry.dests.length <= 1) return;
    const nowNs = this.context.nowNs();
    if (nowNs <= entry.lastModifiedNs + this.table.expirationNs()) return;
    const index = mostLoadedIndex(entry.dests, this.context.options.overheadIncludesTotal);
    if (index < 0) return;
    entry.dests.splice(index, 1);
    entry.lastModifiedNs = nowNs;
  }

  /** ip_vs_lblcr_new, ip_vs_dest_set_insert: a server already in the set does not count as a change. */
  private remember(address: number, entry: Entry<D> | undefined, dest: D): void {
    const nowNs = this.context.nowNs();
    if (entry === undefined) {
      if (this.table.hasRoom()) {
        this.table.insert(address, { dests: [dest], lastModifiedNs: nowNs, lastUseNs: nowNs });
      }
    } else if (!entry.dests.includes(dest)) {
      entry.dests.unshift(dest);
      entry.lastModifiedNs = nowNs;
    }
  }
}

/** ip_vs_dest_set_min: as wlc, over the available servers of the set. */
function leastLoaded<D extends SchedulerDest>(dests: readonly D[], includesTotal: boolean): D | undefined {
  let least: D | undefined;
  let leastOverhead = 0;
  for (const dest of dests) {
    if (!isEligible(dest) || !dest.available) continue;
    const overhead = connOverhead(dest, includesTotal);
    if (least !== undefined && !isLoadGreater(leastOverhead, least.weight, overhead, dest.weight)) continue;
    least = dest;
    leastOverhead = overhead;
  }
  return least;
}

/** ip_vs_dest_set_max: neither the overload flag nor availability matters; the first wins a tie; -1 if all weigh 0. */
function mostLoadedIndex(dests: readonly SchedulerDest[], includesTotal: boolean): number {
  let most: SchedulerDest | undefined;
  let mostOverhead = 0;
  let mostIndex = -1;
  for (const [index, dest] of dests.entries()) {
    if (dest.weight <= 0) continue;
    const overhead = connOverhead(dest, includesTotal);
    if (most !== undefined && !isLoadGreater(overhead, dest.weight, mostOverhead, most.weight)) continue;
    most = dest;
    mostOverhead = overhead;
    mostIndex = index;
  }
  return mostIndex;
}
