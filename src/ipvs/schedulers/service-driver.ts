/**
 * Drives a scheduler without a simulator, for tests: a service whose servers are called A, B, C ..., and whose connections stay active
 * until they are told otherwise. Hooks are called at the moments at which Linux calls them.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_ctl.c (__ip_vs_update_dest, ip_vs_add_dest, __ip_vs_unlink_dest).
 */
import { type OverloadRules, overloadByEvent } from "./overload.ts";
import {
  LINUX_6_1_176,
  type Scheduler,
  type SchedulerContext,
  type SchedulerDest,
  type SchedulerPacket,
  type SchedulerState,
  schedulerContext,
  schedulerDest,
} from "./scheduler.ts";

export interface ServerSettings {
  readonly weight?: number;
  readonly upper?: number;
  readonly lower?: number;
}

export interface DriverOptions {
  readonly flags?: readonly string[];
  readonly context?: Partial<SchedulerContext>;
  readonly rules?: OverloadRules;
}

export class ServiceDriver {
  readonly dests: SchedulerDest[] = [];
  /** What the scheduler said when it chose nothing. */
  readonly reasons: string[] = [];
  nowNs = 0;
  state: SchedulerState;
  private readonly scheduler: Scheduler;
  private readonly options: DriverOptions;
  private readonly rules: OverloadRules;
  private readonly trash = new Map<string, SchedulerDest>();
  private nextPort = 1024;

  constructor(scheduler: Scheduler, options: DriverOptions = {}) {
    this.scheduler = scheduler;
    this.options = options;
    this.rules = options.rules ?? overloadByEvent;
    this.state = this.start();
  }

  /** `ipvsadm -a`; a deleted server returns with its counters. */
  add(name: string, { weight = 1, upper = 0, lower = 0 }: ServerSettings = {}): this {
    const dest = this.trash.get(name) ?? schedulerDest({ address: addressOf(name), port: 80 });
    this.trash.delete(name);
    dest.weight = weight;
    dest.lastWeight = weight;
    this.rules.thresholdsSet(dest, { upper, lower });
    dest.available = true;
    this.dests.unshift(dest);
    this.state.destAdded?.(dest);
    return this;
  }

  /** `ipvsadm -e` */
  edit(name: string, { weight = 1, upper = 0, lower = 0 }: ServerSettings = {}): this {
    const dest = this.dest(name);
    dest.weight = weight;
    if (weight !== 0) dest.lastWeight = weight;
    this.rules.thresholdsSet(dest, { upper, lower });
    this.state.destUpdated?.(dest);
    return this;
  }

  /** `ipvsadm -d` */
  delete(name: string): this {
    const dest = this.dest(name);
    dest.available = false;
    this.dests.splice(this.dests.indexOf(dest), 1);
    this.state.destDeleted?.(dest);
    this.trash.set(name, dest);
    return this;
  }

  /** `ipvsadm -E` with another scheduler and back: the state begins anew with the servers there are. */
  restart(): this {
    this.state.done?.();
    this.state = this.start();
    return this;
  }

  /** Opens a connection; the name of its server, or "-". */
  open(packet: Partial<SchedulerPacket> = {}): string {
    const dest = this.schedule(packet);
    if (dest === undefined) return "-";
    this.bind(dest);
    return nameOf(dest);
  }

  /** Gives a server one more active connection. */
  bind(dest: SchedulerDest): void {
    dest.activeConns += 1;
    dest.totalConns += 1;
    this.rules.connBound(dest, false);
  }

  /** The servers that were deleted and have not come back. */
  get removed(): readonly SchedulerDest[] {
    return [...this.trash.values()];
  }

  /** Opens `count` connections; their servers as one word. */
  openMany(count: number, packet: Partial<SchedulerPacket> = {}): string {
    return Array.from({ length: count }, () => this.open(packet)).join("");
  }

  /** A connection of the server becomes inactive. */
  close(name: string): this {
    const dest = this.dest(name);
    dest.activeConns -= 1;
    dest.inactConns += 1;
    return this;
  }

  /** An inactive connection of the server expires. */
  expire(name: string): this {
    const dest = this.dest(name);
    dest.inactConns -= 1;
    dest.totalConns -= 1;
    this.rules.connUnbound(dest, false);
    return this;
  }

  /** A choice without a connection. */
  schedule(packet: Partial<SchedulerPacket> = {}): SchedulerDest | undefined {
    this.nextPort += 1;
    return this.state.schedule({
      sourceAddress: 0xc0a8f714,
      sourcePort: this.nextPort,
      destinationAddress: 0xc0a8f764,
      destinationPort: 80,
      protocol: 6,
      ...packet,
    });
  }

  /** A server by name, wherever it is. */
  dest(name: string): SchedulerDest {
    const dest = this.dests.find((other) => nameOf(other) === name) ?? this.trash.get(name);
    if (dest === undefined) throw new Error(`no server ${name}`);
    return dest;
  }

  private start(): SchedulerState {
    const { flags = [], context = {} } = this.options;
    const service = { dests: this.dests, flags };
    return this.scheduler.init(
      service,
      schedulerContext({
        options: LINUX_6_1_176,
        nowNs: () => this.nowNs,
        nothingChosen: (reason) => this.reasons.push(reason),
        ...context,
      }),
    );
  }
}

/** A is 10.9.0.1. */
export function addressOf(name: string): number {
  return 0x0a090000 + name.charCodeAt(0) - 64;
}

export function nameOf(dest: SchedulerDest): string {
  return String.fromCharCode(64 + (dest.address & 255));
}
