/**
 * dh: the server belongs to the destination address of the packet. Of use with fwmark services, where that address varies.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_dh.c.
 */
import { hash32, hash32LowBits } from "./hash.ts";
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

/** dh: the server belongs to the destination address. Linux 6.1 net/netfilter/ipvs/ip_vs_dh.c. */
export const destinationHash: Scheduler = {
  name: "dh",
  flags: [],
  init: (service, context) => new DestinationHash(service, context),
};

/** IP_VS_DH_TAB_BITS as Debian and most others configure it. */
const TABLE_BITS = 8;
const TABLE_SIZE = 1 << TABLE_BITS;

class DestinationHash<D extends SchedulerDest> implements SchedulerState<D> {
  private readonly service: SchedulerService<D>;
  private readonly context: SchedulerContext;
  private readonly buckets: (D | undefined)[] = new Array<D | undefined>(TABLE_SIZE).fill(undefined);

  constructor(service: SchedulerService<D>, context: SchedulerContext) {
    this.service = service;
    this.context = context;
    this.reassign();
  }

  /** ip_vs_dh_schedule: no second choice when the bucket's server cannot take it. */
  schedule(packet: SchedulerPacket): D | undefined {
    const dest = this.buckets[this.bucketOf(packet)];
    if (dest !== undefined && isEligible(dest) && dest.available) return dest;
    this.context.nothingChosen(NO_DESTINATION);
    return undefined;
  }

  destAdded(): void {
    this.reassign();
  }

  destDeleted(): void {
    this.reassign();
  }

  explain(packet: SchedulerPacket): SchedulerFigures {
    return { bucket: this.bucketOf(packet) };
  }

  private bucketOf(packet: SchedulerPacket): number {
    const hash = this.context.options.hashTakesLowBits ? hash32LowBits : hash32;
    return hash(packet.destinationAddress, TABLE_BITS);
  }

  /** ip_vs_dh_reassign: the servers in list order, over and over; weights do not matter. */
  private reassign(): void {
    const { dests } = this.service;
    for (let i = 0; i < TABLE_SIZE; i += 1) this.buckets[i] = dests[i % dests.length];
  }
}
