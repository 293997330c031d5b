/**
 * A real server of a service: struct ip_vs_dest.
 */

import type { Ipv4Address } from "../base/ipv4-address.ts";
import type { DestSpec, ForwardingMethod, TunnelOptions } from "./ipvs.ts";
import type { SchedulerDest } from "./schedulers/scheduler.ts";
import type { Service } from "./service.ts";
import type { Statistics } from "./statistics.ts";

export class Dest implements SchedulerDest {
  readonly address: Ipv4Address;
  readonly port: number;
  method: ForwardingMethod;
  tunnel: TunnelOptions;
  weight: number;
  lastWeight: number;
  activeConns = 0;
  inactConns = 0;
  persistConns = 0;
  totalConns = 0;
  upperThreshold = 0;
  lowerThreshold = 0;
  overloaded = false;
  available = true;
  /** The service that it belongs to; the last one, while it waits in the trash. */
  service: Service;
  statistics: Statistics;
  /** Connections and templates that point here. */
  referenceCount = 0;
  /** MTU of the route that packets for it took last (dest_dst); 0: none yet. */
  routeMtu = 0;
  /** That route knows a path MTU already: what is learnt next is written into it. */
  isRouteMtuLearnt = false;
  /** When the trash first saw it unused; -1: not yet. */
  idleSinceNs = -1;

  constructor(service: Service, spec: DestSpec, statistics: Statistics) {
    this.service = service;
    this.address = spec.address;
    this.port = spec.port;
    this.method = spec.method;
    this.tunnel = spec.tunnel;
    this.weight = spec.weight;
    this.lastWeight = spec.weight;
    this.statistics = statistics;
  }
}
