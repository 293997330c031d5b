/**
 * The IP virtual server of one host as its users see it: ipvsadm, keepalived, /proc/net/ip_vs and traces. What ip_vs_ctl.c offers over
 * generic netlink; the forwarding itself is behind it.
 */

import type { Ipv4Address } from "../base/ipv4-address.ts";
import type { Errno } from "../host/host.ts";
import type { SchedulerDefinition } from "./schedulers/scheduler-class.ts";

/** What names a service: an address, port and protocol, or a firewall mark. */
export type ServiceKey =
  | { readonly kind: "address"; readonly protocol: 6 | 17 | 132; readonly address: Ipv4Address; readonly port: number }
  | { readonly kind: "fwmark"; readonly mark: number };

export interface ServiceSpec {
  readonly key: ServiceKey;
  readonly scheduler: string;
  readonly schedulerFlags: readonly string[];
  readonly isPersistent: boolean;
  readonly persistenceTimeoutSeconds: number;
  /** Persistence granularity, 0xffffffff by default. */
  readonly netmask: number;
  readonly isOnePacket: boolean;
  /** Persistence engine (`sip`), empty for none. */
  readonly persistenceEngine: string;
}

export type ForwardingMethod = "masq" | "route" | "tunnel" | "local";

export interface TunnelOptions {
  readonly type: "ipip" | "gue" | "gre";
  readonly port: number;
  readonly checksum: "none" | "full" | "remote";
}

export interface DestSpec {
  readonly address: Ipv4Address;
  readonly port: number;
  readonly method: ForwardingMethod;
  readonly weight: number;
  readonly upperThreshold: number;
  readonly lowerThreshold: number;
  readonly tunnel: TunnelOptions;
}

/** Counters and rates; rates as the kernel's estimator shows them. */
export interface IpvsStatistics {
  readonly conns: number;
  readonly inPackets: number;
  readonly outPackets: number;
  readonly inBytes: number;
  readonly outBytes: number;
  readonly connsPerSecond: number;
  readonly inPacketsPerSecond: number;
  readonly outPacketsPerSecond: number;
  readonly inBytesPerSecond: number;
  readonly outBytesPerSecond: number;
}

export interface DestView extends DestSpec {
  readonly activeConns: number;
  readonly inactConns: number;
  readonly persistConns: number;
  readonly isOverloaded: boolean;
  readonly isAvailable: boolean;
  readonly statistics: IpvsStatistics;
}

export interface ServiceView extends ServiceSpec {
  /** In list order: the newest first. */
  readonly dests: readonly DestView[];
  readonly statistics: IpvsStatistics;
}

export interface ConnectionView {
  /** 0 (IP) for templates of fwmark services. */
  readonly protocol: number;
  readonly clientAddress: Ipv4Address;
  readonly clientPort: number;
  readonly virtualAddress: Ipv4Address;
  readonly virtualPort: number;
  readonly destAddress: Ipv4Address;
  readonly destPort: number;
  readonly state: string;
  readonly expiresAtNs: number;
  readonly isTemplate: boolean;
  readonly persistenceEngine: string;
  readonly persistenceData: string;
  readonly isFromSync: boolean;
}

export interface SyncDaemonSpec {
  readonly device: string;
  readonly syncId: number;
  readonly maxLength: number;
  readonly group: Ipv4Address;
  readonly port: number;
  readonly ttl: number;
}

export interface Ipvs {
  /** True once the module is loaded: the first ipvsadm call, modprobe ip_vs. The net.ipv4.vs sysctls and /proc files exist from then on. */
  readonly isLoaded: boolean;
  load(): void;
  /** In the kernel's listing order of services (hash buckets) as far as it can be known. */
  readonly services: readonly ServiceView[];
  service(key: ServiceKey): ServiceView | undefined;
  readonly connections: readonly ConnectionView[];
  readonly totals: IpvsStatistics;
  /** Errnos are the kernel's: EEXIST (service), ENOENT (scheduler or persistence engine), EINVAL, ESRCH ... ipvsadm words them. */
  addService(spec: ServiceSpec): Errno | undefined;
  editService(spec: ServiceSpec): Errno | undefined;
  deleteService(key: ServiceKey): Errno | undefined;
  flush(): void;
  addDest(key: ServiceKey, dest: DestSpec): Errno | undefined;
  editDest(key: ServiceKey, dest: DestSpec): Errno | undefined;
  deleteDest(key: ServiceKey, address: Ipv4Address, port: number): Errno | undefined;
  /** undefined: all services. */
  zero(key: ServiceKey | undefined): Errno | undefined;
  readonly timeouts: { readonly tcpSeconds: number; readonly tcpFinSeconds: number; readonly udpSeconds: number };
  /** 0 leaves a value as it is. */
  setTimeouts(tcpSeconds: number, tcpFinSeconds: number, udpSeconds: number): Errno | undefined;
  readonly daemons: { readonly master: SyncDaemonSpec | undefined; readonly backup: SyncDaemonSpec | undefined };
  startDaemon(role: "master" | "backup", spec: SyncDaemonSpec): Errno | undefined;
  stopDaemon(role: "master" | "backup"): Errno | undefined;
  /** Makes a scheduler known on this host under its name, beside the kernel's own. Throws a SchedulerDefinitionError when it is none. */
  registerScheduler(scheduler: SchedulerDefinition): void;
  /** The words after `ipvsadm -b` that the scheduler of that name heeds; none when it is unknown. */
  schedulerFlags(name: string): readonly string[];
}
