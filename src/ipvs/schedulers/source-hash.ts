/**
 * sh: the server belongs to the address of the client, with `sh-port` to its address and port.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_sh.c.
 */
import { hash32, hash32LowBits } from "./hash.ts";
import { hasFlag, packetPort } from "./hashed-packet.ts";
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

/** sh: the server belongs to the client address. Linux 6.1 net/netfilter/ipvs/ip_vs_sh.c. */
export const sourceHash: Scheduler = {
  name: "sh",
  flags: ["sh-fallback", "sh-port"],
  init: (service, context) => new SourceHash(service, context),
};

/** IP_VS_SH_TAB_BITS as Debian and most others configure it. */
const TABLE_BITS = 8;
const TABLE_SIZE = 1 << TABLE_BITS;

class SourceHash<D extends SchedulerDest> implements SchedulerState<D> {
  private readonly service: SchedulerService<D>;
  private readonly context: SchedulerContext;
  private readonly buckets: (D | undefined)[] = new Array<D | undefined>(TABLE_SIZE).fill(undefined);

  constructor(service: SchedulerService<D>, context: SchedulerContext) {
    this.service = service;
    this.context = context;
    this.reassign();
  }

  schedule(packet: SchedulerPacket): D | undefined {
    const key = this.keyOf(packet);
    const first = this.buckets[this.bucketOf(key, 0)];
    if (first !== undefined) {
      if (isEligible(first)) return first;
      const other = hasFlag(this.service, "sh-fallback") ? this.fallback(key) : undefined;
      if (other !== undefined) return other;
    }
    this.context.nothingChosen(NO_DESTINATION);
    return undefined;
  }

  destAdded(): void {
    this.reassign();
  }

  destDeleted(): void {
    this.reassign();
  }

  destUpdated(): void {
    this.reassign();
  }

  explain(packet: SchedulerPacket): SchedulerFigures {
    return { bucket: this.bucketOf(this.keyOf(packet), 0) };
  }

  /**
   * ip_vs_sh_get_fallback: tries all buckets upward. The first bucket's number goes into the offset and into the hash, so
   * the search begins at twice that number.
   */
  private fallback(key: number): D | undefined {
    const first = this.bucketOf(key, 0);
    for (let offset = 0; offset < TABLE_SIZE; offset += 1) {
      const dest = this.buckets[this.bucketOf(key, (offset + first) % TABLE_SIZE)];
      if (dest === undefined || isEligible(dest)) return dest;
    }
    return undefined;
  }

  private keyOf(packet: SchedulerPacket): number {
    return packet.sourceAddress + (hasFlag(this.service, "sh-port") ? packetPort(packet) : 0);
  }

  /** ip_vs_sh_hashkey */
  private bucketOf(key: number, offset: number): number {
    const hash = this.context.options.hashTakesLowBits ? hash32LowBits : hash32;
    return (offset + hash(key, TABLE_BITS)) & (TABLE_SIZE - 1);
  }

  /** ip_vs_sh_reassign: in list order as many buckets as the weight, at least one (also for weight 0), over and over. */
  private reassign(): void {
    const { dests } = this.service;
    let index = 0;
    let taken = 0;
    for (let i = 0; i < TABLE_SIZE; i += 1) {
      const dest = dests[index];
      this.buckets[i] = dest;
      taken += 1;
      if (dest !== undefined && taken >= dest.weight) {
        index = (index + 1) % dests.length;
        taken = 0;
      }
    }
  }
}
