/**
 * The parameters of the neighbour tables as rtnetlink shows and sets them: those of a table itself, then those of each device, the youngest
 * first. The table of IPv6 has parameters and no entries.
 *
 * Linux v6.1 net/core/neighbour.c (neightbl_dump_info, neightbl_fill_parms, neightbl_set, neigh_periodic_work), net/ipv6/ndisc.c (nd_tbl).
 */

import { NS_PER_MS } from "../base/time.ts";
import type { NetDevice } from "./device.ts";
import type { Host } from "./host.ts";
import { NeighbourParameters } from "./neighbour-parameters.ts";
import type { ReachableTimes } from "./neighbour-reachable-time.ts";

export type NeighbourFamily = "inet" | "inet6";

export interface NeighbourParameterSet {
  readonly family: NeighbourFamily;
  /** Undefined: the table's own, which new devices copy. */
  readonly device: NetDevice | undefined;
  readonly parameters: NeighbourParameters;
  readonly referenceCount: number;
  readonly reachableTimeNs: number;
}

const FALLBACK_TUNNELS = new Set(["tunl0", "gre0"]);
/** Kinds of devices that IPv6 leaves alone. */
const WITHOUT_IPV6 = new Set(["tunnel", "gre"]);

export class NeighbourParameterSets {
  readonly #host: Host;
  readonly #reachableTimes: ReachableTimes;
  readonly #own: Readonly<Record<NeighbourFamily, NeighbourParameters>> = { inet: new NeighbourParameters(), inet6: forIpv6() };
  readonly #ipv6 = new WeakMap<NetDevice, NeighbourParameters>();

  constructor(host: Host, reachableTimes: ReachableTimes) {
    this.#host = host;
    this.#reachableTimes = reachableTimes;
  }

  of(family: NeighbourFamily): readonly NeighbourParameterSet[] {
    const devices = this.#host.devices.list.filter((device) => family === "inet" || !WITHOUT_IPV6.has(device.kind));
    // A namespace has its fallback tunnels from the start; here they come when they are first used.
    const fallback = devices.filter((device) => FALLBACK_TUNNELS.has(device.name));
    const [loopback, ...others] = devices.filter((device) => !fallback.includes(device));
    return [undefined, ...others.reverse(), ...fallback.reverse(), ...(loopback === undefined ? [] : [loopback])].map((device) => this.#set(family, device));
  }

  #set(family: NeighbourFamily, device: NetDevice | undefined): NeighbourParameterSet {
    const parameters = this.#parameters(family, device);
    const { list } = this.#host.neighbours;
    const users = family === "inet" && device !== undefined ? list.filter((one) => one.device === device && !one.isProxy).length : 0;
    return { family, device, parameters, referenceCount: 1 + users, reachableTimeNs: this.#reachableTimeNs(family, device, parameters) };
  }

  #parameters(family: NeighbourFamily, device: NetDevice | undefined): NeighbourParameters {
    if (device === undefined) return this.#own[family];
    if (family === "inet") return device.neigh;
    let parameters = this.#ipv6.get(device);
    if (parameters === undefined) {
      parameters = forIpv6();
      this.#ipv6.set(device, parameters);
    }
    return parameters;
  }

  /** What nobody's fate depends on is drawn apart, so that looking changes nothing. */
  #reachableTimeNs(family: NeighbourFamily, device: NetDevice | undefined, parameters: NeighbourParameters): number {
    if (family === "inet" && device !== undefined && device.driver.needsNeighbour) return this.#reachableTimes.of(device);
    const baseMs = parameters.base_reachable_time_ms;
    if (baseMs <= 0) return 0;
    const draw = this.#host.random(`neighbour-table/${family}/${device?.name ?? ""}/${this.#reachableTimes.period}/${baseMs}`).below(baseMs);
    return (Math.trunc(baseMs / 2) + draw) * NS_PER_MS;
  }
}

function forIpv6(): NeighbourParameters {
  const parameters = new NeighbourParameters();
  parameters.locktime = 0;
  return parameters;
}
