/**
 * One entry of the connection table: struct ip_vs_conn. Kept small: directors hold a million of them.
 */

import type { Ipv4Address } from "../base/ipv4-address.ts";
import type { EventTarget } from "../kernel/event-loop.ts";
import { Timer } from "../kernel/timer.ts";
import type { EventLoop } from "../kernel/event-loop.ts";
import type { Dest } from "./dest.ts";
import type { ForwardingMethod } from "./ipvs.ts";

export const CONN_TEMPLATE = 0x1;
/** Not counted as active (IP_VS_CONN_F_INACTIVE). */
export const CONN_INACTIVE = 0x2;
/** The server's packets have not been seen (IP_VS_CONN_F_NOOUTPUT). */
export const CONN_NO_OUTPUT = 0x4;
/** One-packet scheduling: never hashed. */
export const CONN_ONE_PACKET = 0x8;
/** Keeps its conntrack entry (IP_VS_CONN_F_NFCT). */
export const CONN_CONNTRACK = 0x10;
/** Learnt from another director. */
export const CONN_SYNC = 0x20;
/** cache_bypass: forwarded to its original destination. */
export const CONN_BYPASS = 0x40;
/** The client's port is not known yet: the first packet tells (IP_VS_CONN_F_NO_CPORT). */
export const CONN_NO_CLIENT_PORT = 0x80;

/** Who is told when an entry's time is up. */
export interface ConnectionOwner {
  connectionExpired(connection: Connection): void;
}

/** What names an entry, and where it leads. */
export interface ConnectionKey {
  /** 0 for templates of firewall mark services. */
  readonly protocol: number;
  readonly clientAddress: Ipv4Address;
  readonly clientPort: number;
  readonly virtualAddress: Ipv4Address;
  readonly virtualPort: number;
}

export class Connection implements EventTarget {
  readonly protocol: number;
  readonly clientAddress: Ipv4Address;
  clientPort: number;
  readonly virtualAddress: Ipv4Address;
  virtualPort: number;
  readonly destAddress: Ipv4Address;
  destPort: number;
  method: ForwardingMethod;
  flags: number;
  state = 0;
  /** What the timer restarts with. */
  timeoutNs: number;
  /** undefined: learnt by sync before its dest exists here, or a bypass. */
  dest: Dest | undefined;
  mark: number;
  inPackets = 0;
  /** The state that other directors were told of last (old_state), and how long the entry will live there (sync_endtime, see sync-master.ts). */
  syncedState = 0;
  syncedUntil = 0;
  /** The template or connection that this one belongs to. */
  control: Connection | undefined = undefined;
  /** How many belong to this one. */
  controlledCount = 0;
  /** A controlled TCP or SCTP connection reached ESTABLISHED, or a UDP reply passed (IP_VS_CTPL_S_ASSURED). */
  isAssured = false;
  isHashed = false;
  /** Next in the same bucket. */
  next: Connection | undefined = undefined;
  /** Order of creation: listings follow it. */
  readonly sequence: number;
  readonly timer: Timer;
  readonly #owner: ConnectionOwner;

  constructor(owner: ConnectionOwner, loop: EventLoop, sequence: number, key: ConnectionKey, to: { address: Ipv4Address; port: number; method: ForwardingMethod }, flags: number, timeoutNs: number) {
    this.#owner = owner;
    this.sequence = sequence;
    this.protocol = key.protocol;
    this.clientAddress = key.clientAddress;
    this.clientPort = key.clientPort;
    this.virtualAddress = key.virtualAddress;
    this.virtualPort = key.virtualPort;
    this.destAddress = to.address;
    this.destPort = to.port;
    this.method = to.method;
    this.flags = flags;
    this.timeoutNs = timeoutNs;
    this.dest = undefined;
    this.mark = 0;
    this.timer = new Timer(loop, this);
  }

  get isTemplate(): boolean {
    return (this.flags & CONN_TEMPLATE) !== 0;
  }

  onEvent(): void {
    this.#owner.connectionExpired(this);
  }
}
