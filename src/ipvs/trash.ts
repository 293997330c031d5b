/**
 * The trash: removed dests that something still points to, or that were removed a short while ago. A dest that comes back to the same
 * service is taken from here, with its connections and counters.
 *
 * Linux v6.1 net/netfilter/ipvs/ip_vs_ctl.c (ip_vs_trash_get_dest, ip_vs_dest_trash_expire, __ip_vs_del_dest).
 */

import { NS_PER_SECOND } from "../base/time.ts";
import { Timer } from "../kernel/timer.ts";
import type { EventTarget } from "../kernel/event-loop.ts";
import type { Dest } from "./dest.ts";
import type { Director } from "./director.ts";
import { serviceKeyId, type Service } from "./service.ts";

const LOOK_INTERVAL_NS = 60 * NS_PER_SECOND;
const IDLE_NS = 120 * NS_PER_SECOND;

export class Trash implements EventTarget {
  readonly #director: Director;
  readonly #timer: Timer;

  constructor(director: Director) {
    this.#director = director;
    this.#timer = new Timer(director.host.loop, this);
  }

  add(dest: Dest): void {
    const { trash } = this.#director;
    if (trash.length === 0) this.#timer.arm(LOOK_INTERVAL_NS);
    dest.idleSinceNs = -1;
    trash.push(dest);
  }

  /** Takes a dest out again for a service of the same identity. */
  take(service: Service, address: number, port: number): Dest | undefined {
    const { trash } = this.#director;
    const id = serviceKeyId(service.key);
    const index = trash.findIndex((dest) => dest.address === address && dest.port === port && serviceKeyId(dest.service.key) === id);
    if (index < 0) return undefined;
    const [dest] = trash.splice(index, 1);
    if (trash.length === 0) this.#timer.disarm();
    return dest;
  }

  onEvent(): void {
    const { trash, nowNs } = this.#director;
    for (let i = trash.length - 1; i >= 0; i--) {
      const dest = trash[i] as Dest;
      if (dest.referenceCount > 0) continue;
      if (dest.idleSinceNs < 0) dest.idleSinceNs = nowNs;
      else if (nowNs - dest.idleSinceNs >= IDLE_NS) trash.splice(i, 1);
    }
    if (trash.length > 0) this.#timer.arm(LOOK_INTERVAL_NS);
  }
}
