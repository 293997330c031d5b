/**
 * A virtual service: struct ip_vs_service.
 */

import { formatIpv4Address } from "../base/ipv4-address.ts";
import { PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/packet.ts";
import type { Dest } from "./dest.ts";
import type { ServiceKey, ServiceSpec } from "./ipvs.ts";
import type { Scheduler, SchedulerService, SchedulerState } from "./schedulers/scheduler.ts";
import type { Statistics } from "./statistics.ts";

export class Service implements SchedulerService<Dest> {
  readonly key: ServiceKey;
  /** 0 for an address service. */
  readonly mark: number;
  /** 0 for a firewall mark service. */
  readonly port: number;
  spec: ServiceSpec;
  flags: readonly string[];
  scheduler: Scheduler;
  state: SchedulerState<Dest> | undefined = undefined;
  /** The newest first. */
  readonly dests: Dest[] = [];
  readonly statistics: Statistics;
  /** Has asked for connection tracking: FTP with NAT needs it to change texts (ip_vs_register_conntrack). */
  usesConntrack = false;

  constructor(spec: ServiceSpec, scheduler: Scheduler, statistics: Statistics) {
    this.key = spec.key;
    this.mark = spec.key.kind === "fwmark" ? spec.key.mark : 0;
    this.port = spec.key.kind === "address" ? spec.key.port : 0;
    this.spec = spec;
    this.flags = spec.schedulerFlags;
    this.scheduler = scheduler;
    this.statistics = statistics;
  }
}

export function findDest(service: Service, address: number, port: number): Dest | undefined {
  return service.dests.find((dest) => dest.address === address && dest.port === port);
}

/** `TCP 10.0.0.100:80` or `FWM 1`: the name in the kernel's log and in traces. */
export function formatServiceKey(key: ServiceKey): string {
  if (key.kind === "fwmark") return `FWM ${key.mark}`;
  const protocol = key.protocol === PROTOCOL_TCP ? "TCP" : key.protocol === PROTOCOL_UDP ? "UDP" : "SCTP";
  return `${protocol} ${formatIpv4Address(key.address)}:${key.port}`;
}

/** A string that two keys share exactly when they name the same service. */
export function serviceKeyId(key: ServiceKey): string {
  return key.kind === "fwmark" ? `fwmark ${key.mark}` : `${key.protocol} ${key.address} ${key.port}`;
}
