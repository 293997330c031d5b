/**
 * The two kinds of entries in the connection table of a scheduler script: connections and persistence templates. An entry
 * holds its server's counters and leaves by its timer.
 *
 * Linux 6.1 net/netfilter/ipvs/ip_vs_conn.c: ip_vs_conn_expire, ip_vs_unbind_dest; ip_vs_proto_tcp.c:set_tcp_state.
 */
import { NS_PER_SECOND } from "../base/time.ts";
import type { EventLoop, EventTarget } from "../kernel/event-loop.ts";
import { Timer } from "../kernel/timer.ts";
import type { SchedulerDest } from "./schedulers/scheduler.ts";

/** What a template gets that expired while connections hold it, for the rest of its life. */
const HELD_TEMPLATE_NS = 60 * NS_PER_SECOND;

/** A connection. Its counters move with its state. */
export class ScriptConn implements EventTarget {
  readonly dest: SchedulerDest;
  /** The server's port, which is not always that of `dest`. */
  readonly port: number;
  private readonly timer: Timer;
  private readonly expired: () => void;
  private isActive = false;

  constructor(loop: EventLoop, dest: SchedulerDest, port: number, expired: () => void) {
    this.dest = dest;
    this.port = port;
    this.expired = expired;
    this.timer = new Timer(loop, this);
  }

  /** False once it has expired. */
  get isLive(): boolean {
    return this.timer.isArmed;
  }

  enter(activity: "active" | "inactive", timeoutNs: number): void {
    const isActive = activity === "active";
    if (isActive !== this.isActive) {
      this.dest.activeConns += isActive ? 1 : -1;
      this.dest.inactConns += isActive ? -1 : 1;
      this.isActive = isActive;
    }
    this.timer.arm(timeoutNs);
  }

  onEvent(): void {
    if (this.isActive) this.dest.activeConns -= 1;
    else this.dest.inactConns -= 1;
    this.dest.totalConns -= 1;
    this.expired();
  }
}

/** A persistence template: binds a client to a server while connections made by it exist, and a time beyond. */
export class ScriptTemplate implements EventTarget {
  readonly dest: SchedulerDest;
  private readonly timer: Timer;
  private readonly expired: () => void;
  private timeoutNs: number;
  private connCount = 0;

  constructor(loop: EventLoop, dest: SchedulerDest, timeoutNs: number, expired: () => void) {
    this.dest = dest;
    this.timeoutNs = timeoutNs;
    this.expired = expired;
    this.timer = new Timer(loop, this);
  }

  /** A new connection was made by it. */
  hold(): void {
    this.connCount += 1;
    this.timer.arm(this.timeoutNs);
  }

  release(): void {
    this.connCount -= 1;
  }

  onEvent(): void {
    if (this.connCount > 0) {
      this.timeoutNs = HELD_TEMPLATE_NS;
      this.timer.arm(this.timeoutNs);
      return;
    }
    this.dest.persistConns -= 1;
    this.expired();
  }
}
