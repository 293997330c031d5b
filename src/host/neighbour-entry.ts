/**
 * One neighbour entry (struct neighbour): data, timer and queue. What happens to it is decided in neighbour.ts.
 */

import { formatIpv4Address, type Ipv4Address } from "../base/ipv4-address.ts";
import { type MacAddress, ZERO_MAC } from "../base/mac-address.ts";
import type { EventLoop, EventTarget } from "../kernel/event-loop.ts";
import { Timer } from "../kernel/timer.ts";
import type { NetDevice } from "./device.ts";
import type { Neighbour, NeighbourState } from "./host.ts";
import type { SkBuff } from "./skb.ts";

export interface NeighbourOwner {
  timerFired(entry: NeighbourEntry): void;
}

export class NeighbourEntry implements Neighbour, EventTarget {
  readonly address: Ipv4Address;
  readonly device: NetDevice;
  readonly isProxy: boolean;
  readonly timer: Timer;
  mac: MacAddress = ZERO_MAC;
  state: NeighbourState = "NONE";
  /** REACHABLE, PERMANENT or NOARP: the MAC may be used without further thought (NUD_CONNECTED). */
  isConnected = false;
  /** The MAC may be used (NUD_VALID). */
  isValid = false;
  confirmedAtNs: number;
  usedAtNs: number;
  updatedAtNs: number;
  probes = 0;
  queue: SkBuff[] = [];
  queueBytes = 0;
  readonly #owner: NeighbourOwner;

  constructor(owner: NeighbourOwner, loop: EventLoop, device: NetDevice, address: Ipv4Address, isProxy: boolean) {
    this.#owner = owner;
    this.address = address;
    this.device = device;
    this.isProxy = isProxy;
    this.timer = new Timer(loop, this);
    this.confirmedAtNs = loop.nowNs - device.neigh.base_reachable_time_ms * 2_000_000;
    this.usedAtNs = loop.nowNs;
    this.updatedAtNs = loop.nowNs;
  }

  get addressText(): string {
    return formatIpv4Address(this.address);
  }

  get isTimed(): boolean {
    return this.timer.isArmed;
  }

  /** Something depends on it: a timer or packets that wait. */
  get isBusy(): boolean {
    return this.timer.isArmed || this.queue.length > 0;
  }

  setState(state: NeighbourState): void {
    this.state = state;
    this.isConnected = state === "REACHABLE" || state === "PERMANENT" || state === "NOARP";
    this.isValid = this.isConnected || state === "STALE" || state === "DELAY" || state === "PROBE";
  }

  takeQueue(): SkBuff[] {
    const queue = this.queue;
    if (queue.length === 0) return queue;
    this.queue = [];
    this.queueBytes = 0;
    for (const { original } of queue) if (original !== undefined) original.waitingCount--;
    return queue;
  }

  onEvent(): void {
    this.#owner.timerFired(this);
  }
}
