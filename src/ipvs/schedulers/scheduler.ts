/**
 * What a scheduler is, what it sees and what it answers. A scheduler chooses the real server of a new connection; it
 * knows nothing of packets on wires, timers or the rest of the simulator.
 *
 * Linux 6.1 include/net/ip_vs.h: struct ip_vs_scheduler, struct ip_vs_dest, struct ip_vs_service.
 */

/** One real server as a scheduler sees it. The director updates the counters in place. */
export interface SchedulerDest {
  /** IPv4 address as an unsigned 32-bit integer: 10.0.0.1 is 0x0a000001. */
  readonly address: number;
  /** Port of the real server; 0 means "the port of the packet". */
  readonly port: number;
  /** 0 is quiescent: no new connections, old ones go on. */
  weight: number;
  /** The last weight that was not 0; `-a` always overwrites it, `-e` only with a weight above 0. Only `mh` uses it. */
  lastWeight: number;
  activeConns: number;
  inactConns: number;
  /** Persistence templates bound to the server. */
  persistConns: number;
  /** Invariant: activeConns + inactConns. Linux before 6.1.183 has no such field and adds the two. */
  totalConns: number;
  /** 0: no limit. */
  upperThreshold: number;
  /** 0: three quarters of the upper threshold. */
  lowerThreshold: number;
  /** IP_VS_DEST_F_OVERLOAD; kept by the functions of `overload.ts`. */
  overloaded: boolean;
  /** IP_VS_DEST_F_AVAILABLE; false while the server is deleted and waits in the trash. */
  available: boolean;
}

/** What the scheduler is told of the packet that asks for a connection. Addresses as in SchedulerDest. */
export interface SchedulerPacket {
  readonly sourceAddress: number;
  readonly sourcePort: number;
  readonly destinationAddress: number;
  readonly destinationPort: number;
  /** IP protocol number; ports count only for TCP (6), UDP (17) and SCTP (132). */
  readonly protocol: number;
}

/** The service whose servers are chosen among. The owner changes it and calls the hooks of SchedulerState. */
export interface SchedulerService<D extends SchedulerDest = SchedulerDest> {
  /** In kernel order: the newest added is first, an edit keeps the place. */
  readonly dests: readonly D[];
  /** Words of `ipvsadm -b`: "sh-fallback", "sh-port", "mh-fallback", "mh-port", "flag-1", "flag-2", "flag-3". */
  readonly flags: readonly string[];
}

/** Behaviour that changed between kernels. All false is Linux 6.1.176. */
export interface SchedulerOptions {
  /**
   * 6.1.183 and later: overhead is active*256 + total instead of active*256 + inactive. The same change brought the
   * overload rules `overloadByTotal`, which are the director's to apply.
   */
  readonly overheadIncludesTotal: boolean;
  /** Kernels before hash_32 (about 4.18): dh, sh, lblc and lblcr take the low bits of a product, not the high ones. */
  readonly hashTakesLowBits: boolean;
  /** 6.1.191 and later: lblc and lblcr make no new entry once the table is half over its size. */
  readonly cacheGrowthCapped: boolean;
}

/** What a scheduler may ask of the world around it. */
export interface SchedulerContext {
  readonly options: SchedulerOptions;
  /** Simulated time, integer nanoseconds, never falling. */
  nowNs(): number;
  /** Uniform integer 0..n-1. Only `twos` asks. */
  randomBelow(n: number): number;
  /** sysctl net.ipv4.vs.lblc_expiration. */
  lblcExpirationSeconds(): number;
  /** sysctl net.ipv4.vs.lblcr_expiration. */
  lblcrExpirationSeconds(): number;
  /** Told why nothing was chosen, in the words of the kernel's log line after "IPVS: SCHEDULER: SERVICE - ". */
  nothingChosen(reason: string): void;
}

/** Numbers and names behind a choice, for a trace: `{ cw: 1, mw: 4, di: 1 }`. */
export type SchedulerFigures = Readonly<Record<string, number | string>>;

/** A scheduler at work for one service. The hooks are those of struct ip_vs_scheduler. */
export interface SchedulerState<D extends SchedulerDest = SchedulerDest> {
  /** The server for a new connection; undefined when there is none. Never returns a server that is not in the service or cached from it. */
  schedule(packet: SchedulerPacket): D | undefined;
  /** Called when `dest` stands at the head of the list (add_dest). */
  destAdded?(dest: D): void;
  /** Called when `dest` has left the list (del_dest). */
  destDeleted?(dest: D): void;
  /** Called after weight or thresholds of `dest` were set by an edit (upd_dest). Counters need no call. */
  destUpdated?(dest: D): void;
  /** Called once, when the service goes or takes another scheduler (done_service). */
  done?(): void;
  /** The scheduler's own figures for a packet, before it is scheduled. Changes nothing. */
  explain?(packet: SchedulerPacket): SchedulerFigures;
}

/** A row of the scheduler table. Write your own: an object of this shape is all a director needs. */
export interface Scheduler {
  /** The word after `ipvsadm -s`. */
  readonly name: string;
  /** The words of `ipvsadm -b` that this scheduler heeds. */
  readonly flags: readonly string[];
  /** A service with more servers cannot take this scheduler (EINVAL). Absent: no limit. */
  readonly destCountMax?: number;
  /** Starts for a service that may already have servers (init_service). */
  init<D extends SchedulerDest>(service: SchedulerService<D>, context: SchedulerContext): SchedulerState<D>;
}

/** The behaviour of Linux 6.1.176. */
export const LINUX_6_1_176: SchedulerOptions = {
  overheadIncludesTotal: false,
  hashTakesLowBits: false,
  cacheGrowthCapped: false,
};

/** DEFAULT_EXPIRATION of ip_vs_lblc.c and ip_vs_lblcr.c: one day. */
const CACHE_EXPIRATION_SECONDS = 86_400;

/** The reason most schedulers give. net/netfilter/ipvs/ip_vs_sched.c:ip_vs_scheduler_err */
export const NO_DESTINATION = "no destination available";

/**
 * A context for use outside a simulator; every part can be replaced.
 *
 * @example
 * const context = schedulerContext({ nowNs: () => clock.nowNs });
 * const state = weightedRoundRobin.init({ dests, flags: [] }, context);
 */
export function schedulerContext(parts: Partial<SchedulerContext> = {}): SchedulerContext {
  return {
    options: LINUX_6_1_176,
    nowNs: () => 0,
    randomBelow: seededRandom(),
    lblcExpirationSeconds: () => CACHE_EXPIRATION_SECONDS,
    lblcrExpirationSeconds: () => CACHE_EXPIRATION_SECONDS,
    nothingChosen: () => {},
    ...parts,
  };
}

/** A SchedulerDest with the counters at zero, as `ipvsadm -a` makes it. */
export function schedulerDest(parts: Pick<SchedulerDest, "address" | "port"> & Partial<SchedulerDest>): SchedulerDest {
  return {
    weight: 1,
    lastWeight: parts.weight ?? 1,
    activeConns: 0,
    inactConns: 0,
    persistConns: 0,
    totalConns: 0,
    upperThreshold: 0,
    lowerThreshold: 0,
    overloaded: false,
    available: true,
    ...parts,
  };
}

/** Whether a new connection may go to `dest`: weight above 0 and not at its limit. */
export function isEligible(dest: SchedulerDest): boolean {
  return dest.weight > 0 && !dest.overloaded;
}

/** Marsaglia's 32-bit xorshift: integers 0..n-1, the same ones for the same seed. */
export function seededRandom(seed = 0x9e3779b9): (n: number) => number {
  let state = seed | 0 || 1;
  return (n) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % n;
  };
}
