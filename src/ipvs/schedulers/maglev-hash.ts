/**
 * mh: a Maglev table maps the address of the client to a server, with `mh-port` its address and port. A change of one
 * server moves few of the others' clients.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_mh.c; Eisenbud and others, "Maglev", NSDI 2016, section 3.4.
 */
import { greatestCommonDivisor } from "./greatest-common-divisor.ts";
import { hsiphash } from "./hash.ts";
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

/** Slots of the table: the fifth prime of ip_vs_mh.c, for IP_VS_MH_TAB_INDEX 12. */
export const MAGLEV_TABLE_SIZE = 4093;
/** The weights of the table are shifted down to this many bits (IP_VS_MH_TAB_BITS). */
const TURN_BITS = 6;
/** generate_hash_secret: the halves of the two keys. */
const KEY_1 = 2654435761;
const KEY_2 = 2654446892;

/** mh: a Maglev table by client address. Linux 6.1 net/netfilter/ipvs/ip_vs_mh.c. */
export const maglevHash: Scheduler = {
  name: "mh",
  flags: ["mh-fallback", "mh-port"],
  destCountMax: MAGLEV_TABLE_SIZE,
  init: (service, context) => new MaglevHash(service, context),
};

/** How one server claims slots: beginning at `cursor`, `skip` apart, `turns` in each round. */
interface Claim<D> {
  readonly dest: D;
  readonly skip: number;
  readonly turns: number;
  cursor: number;
}

class MaglevHash<D extends SchedulerDest> implements SchedulerState<D> {
  private readonly service: SchedulerService<D>;
  private readonly context: SchedulerContext;
  private table: readonly (D | undefined)[];

  constructor(service: SchedulerService<D>, context: SchedulerContext) {
    this.service = service;
    this.context = context;
    this.table = maglevTable(service.dests);
  }

  schedule(packet: SchedulerPacket): D | undefined {
    const key = this.keyOf(packet);
    const slot = slotOf(key);
    const first = this.table[slot];
    if (first !== undefined) {
      if (isEligible(first)) return first;
      const other = hasFlag(this.service, "mh-fallback") ? this.fallback(key, slot) : undefined;
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
    return { slot: slotOf(this.keyOf(packet)) };
  }

  /** ip_vs_mh_get_fallback: hashes again with other offsets, up to the size of the table. */
  private fallback(key: number, first: number): D | undefined {
    for (let offset = 0; offset < MAGLEV_TABLE_SIZE; offset += 1) {
      const dest = this.table[slotOf(key + ((offset + first) % MAGLEV_TABLE_SIZE))];
      if (dest === undefined || isEligible(dest)) return dest;
    }
    return undefined;
  }

  private keyOf(packet: SchedulerPacket): number {
    return packet.sourceAddress + (hasFlag(this.service, "mh-port") ? packetPort(packet) : 0);
  }

  /** ip_vs_mh_dest_changed. A server too many is linked all the same, but the table stays as it was. */
  private reassign(): void {
    if (this.service.dests.length <= MAGLEV_TABLE_SIZE) this.table = maglevTable(this.service.dests);
  }
}

/** ip_vs_mh_hashkey. The sum counts modulo 2^32. */
function slotOf(key: number): number {
  return hsiphash(key, KEY_1) % MAGLEV_TABLE_SIZE;
}

/**
 * ip_vs_mh_reassign: the owner of each slot. Empty where no server ever had a weight.
 *
 * @example
 * maglevTable([web2, web1]).filter((dest) => dest === web1).length; // how many slots web1 owns
 */
export function maglevTable<D extends SchedulerDest>(dests: readonly D[]): readonly (D | undefined)[] {
  const table = new Array<D | undefined>(MAGLEV_TABLE_SIZE).fill(undefined);
  const claims = claimsOf(dests);
  if (claims.length === 0) return table;
  let free = MAGLEV_TABLE_SIZE;
  for (;;) {
    for (const claim of claims) {
      for (let turn = 0; turn < claim.turns; turn += 1) {
        while (table[claim.cursor] !== undefined) claim.cursor = (claim.cursor + claim.skip) % MAGLEV_TABLE_SIZE;
        table[claim.cursor] = claim.dest;
        free -= 1;
        if (free === 0) return table;
      }
    }
  }
}

/** ip_vs_mh_permutate, ip_vs_mh_gcd_weight, ip_vs_mh_shift_weight. A server with last weight 0 has no claim. */
function claimsOf<D extends SchedulerDest>(dests: readonly D[]): Claim<D>[] {
  let divisor = 0;
  let greatest = 0;
  for (const { lastWeight } of dests) {
    if (lastWeight <= 0) continue;
    divisor = greatestCommonDivisor(divisor, lastWeight);
    if (lastWeight > greatest) greatest = lastWeight;
  }
  if (divisor === 0) return [];
  const bits = 32 - Math.clz32(Math.floor(greatest / divisor));
  const shift = Math.max(0, bits - TURN_BITS);
  return dests
    .filter(({ lastWeight }) => lastWeight > 0)
    .map((dest) => ({
      dest,
      skip: (hsiphash(dest.address + dest.port, KEY_2) % (MAGLEV_TABLE_SIZE - 1)) + 1,
      turns: Math.max(1, Math.floor(dest.lastWeight / divisor) >> shift),
      cursor: slotOf(dest.address + dest.port),
    }));
}
