/**
 * The control side of IPVS: services and dests, as ipvsadm and keepalived ask for them.
 *
 * Linux v6.1 net/netfilter/ipvs/ip_vs_ctl.c (ip_vs_genl_set_cmd, ip_vs_add_service, ip_vs_edit_service, ip_vs_add_dest, ...).
 * Not modelled: IPv6, persistence engines.
 */

import { formatIpv4Address, isMulticast, isZeroNet, LIMITED_BROADCAST } from "../base/ipv4-address.ts";
import { NS_PER_SECOND } from "../base/time.ts";
import type { Errno, Host } from "../host/host.ts";
import type { EventTarget } from "../kernel/event-loop.ts";
import { stateName } from "./connection-state.ts";
import { Connections } from "./connections.ts";
import { CONN_SYNC } from "./connection.ts";
import { Defence } from "./defence.ts";
import { Dest } from "./dest.ts";
import { Director, FTP_PORT, formatDestName, schedulerOptions, servicePortKey } from "./director.ts";
import type { ConnectionView, DestSpec, DestView, Ipvs, IpvsStatistics, ServiceKey, ServiceSpec, ServiceView, SyncDaemonSpec } from "./ipvs.ts";
import { registerIpvsTables, touchServices } from "./ipvs-tables.ts";
import { registerSettings } from "./ipvs-sysctl.ts";
import { ipvsMatcher } from "./packet-match.ts";
import { PacketPath } from "./packet-path.ts";
import { guardScheduler } from "./schedulers/guarded-scheduler.ts";
import { SCHEDULERS } from "./schedulers/registry.ts";
import { type Scheduler, type SchedulerContext, schedulerContext } from "./schedulers/scheduler.ts";
import { defineScheduler, type SchedulerDefinition } from "./schedulers/scheduler-class.ts";
import { findDest, formatServiceKey, Service, serviceKeyId } from "./service.ts";
import { Statistics } from "./statistics.ts";
import { SyncDaemons } from "./sync.ts";
import { TCP_S_ESTABLISHED, TCP_S_FIN_WAIT } from "./tcp-states.ts";
import { Trash } from "./trash.ts";

const TIMEOUT_MAX_SECONDS = 31 * 86400;
const WEIGHT_MAX = 2147483647;
const SERVICES_MAX = 65_536;
const DESTS_MAX = 65_536;

/** `-s none`: a service that chooses no server, and says nothing about it. */
const NO_SCHEDULER: Scheduler = { name: "none", flags: [], init: () => ({ schedule: () => undefined }) };

export class IpVirtualServer implements Ipvs, EventTarget {
  isLoaded = false;
  readonly #director: Director;
  readonly #connections: Connections;
  readonly #path: PacketPath;
  readonly #trash: Trash;
  readonly #defence: Defence;
  readonly #sync: SyncDaemons;
  readonly #schedulers = new Map<string, Scheduler>();

  /** `schedulers`: known to this host beside the kernel's; the first of a name counts. */
  constructor(host: Host, options: { readonly schedulers?: readonly SchedulerDefinition[] } = {}) {
    this.#director = new Director(host);
    registerIpvsTables(this.#director);
    this.#connections = new Connections(this.#director);
    this.#path = new PacketPath(this.#director, this.#connections);
    this.#trash = new Trash(this.#director);
    this.#defence = new Defence(this.#director, this.#connections);
    this.#sync = new SyncDaemons(this.#director, this.#connections);
    for (const scheduler of SCHEDULERS) if (scheduler.name !== "twos" || host.options.ipvsHasTwos) this.#schedulers.set(scheduler.name, scheduler);
    for (const scheduler of [...(options.schedulers ?? [])].reverse()) this.registerScheduler(scheduler);
  }

  load(): void {
    if (this.isLoaded) return;
    this.isLoaded = true;
    registerSettings(this.#director.host.sysctl, this.#director.settings, () => this.#defence.settingsChanged());
  }

  /** What -m ipvs of iptables asks about a packet. */
  get matcher(): ReturnType<typeof ipvsMatcher> {
    return ipvsMatcher(this.#director);
  }

  registerScheduler(definition: SchedulerDefinition): void {
    const scheduler = SCHEDULERS.includes(definition as Scheduler) ? (definition as Scheduler) : guardScheduler(defineScheduler(definition));
    this.#schedulers.set(scheduler.name, scheduler);
  }

  schedulerFlags(name: string): readonly string[] {
    return this.#schedulers.get(name)?.flags ?? [];
  }

  /* -------------------------------------------------------------------------------------------------------- listing */

  get services(): readonly ServiceView[] {
    return [...this.#director.services.values()].map((service) => this.#viewService(service));
  }

  service(key: ServiceKey): ServiceView | undefined {
    const service = this.#find(key);
    return service === undefined ? undefined : this.#viewService(service);
  }

  get connections(): readonly ConnectionView[] {
    return this.#director.table.entries().map((connection) => ({
      protocol: connection.protocol,
      clientAddress: connection.clientAddress,
      clientPort: connection.clientPort,
      virtualAddress: connection.virtualAddress,
      virtualPort: connection.virtualPort,
      destAddress: connection.destAddress,
      destPort: connection.destPort,
      state: stateName(connection),
      expiresAtNs: connection.timer.deadlineNs,
      isTemplate: connection.isTemplate,
      persistenceEngine: "",
      persistenceData: "",
      isFromSync: (connection.flags & CONN_SYNC) !== 0,
    }));
  }

  get totals(): IpvsStatistics {
    return this.#director.totals.view(this.#director.nowNs);
  }

  /* ------------------------------------------------------------------------------------------------------- services */

  addService(spec: ServiceSpec): Errno | undefined {
    this.load();
    const director = this.#director;
    if (this.#find(spec.key) !== undefined) return "EEXIST";
    const scheduler = spec.scheduler === NO_SCHEDULER.name ? NO_SCHEDULER : this.#schedulers.get(spec.scheduler);
    if (scheduler === undefined || spec.persistenceEngine !== "") return "ENOENT";
    if (director.services.size >= SERVICES_MAX) return "ENOMEM";
    const service = new Service(spec, scheduler, this.#newStatistics());
    service.state = scheduler.init(service, this.#contextOf(service));
    if (director.services.size === 0) this.#path.registerHooks();
    director.services.set(serviceKeyId(spec.key), service);
    if (spec.key.kind === "fwmark") {
      director.servicesByMark.set(spec.key.mark, service);
    } else {
      director.servicesByAddress.set(servicePortKey(spec.key.protocol, spec.key.address, spec.key.port), service);
      if (spec.key.port === 0) director.portZeroCount++;
      if (spec.key.port === FTP_PORT) director.ftpCount++;
    }
    this.#traceTable("ipvs-service", "add", describeService(service));
    return undefined;
  }

  editService(spec: ServiceSpec): Errno | undefined {
    this.load();
    const service = this.#find(spec.key);
    if (service === undefined) return "ESRCH";
    const scheduler = spec.scheduler === NO_SCHEDULER.name ? NO_SCHEDULER : this.#schedulers.get(spec.scheduler);
    if (scheduler === undefined || spec.persistenceEngine !== "") return "ENOENT";
    service.spec = spec;
    service.flags = spec.schedulerFlags;
    if (scheduler !== service.scheduler) {
      if (scheduler.destCountMax !== undefined && service.dests.length > scheduler.destCountMax) return "EINVAL";
      service.state?.done?.();
      service.scheduler = scheduler;
      service.state = scheduler.init(service, this.#contextOf(service));
    }
    this.#traceTable("ipvs-service", "change", describeService(service));
    return undefined;
  }

  deleteService(key: ServiceKey): Errno | undefined {
    this.load();
    const service = this.#find(key);
    if (service === undefined) return "ESRCH";
    this.#unlink(service);
    return undefined;
  }

  flush(): void {
    this.load();
    for (const service of [...this.#director.services.values()]) this.#unlink(service);
  }

  #unlink(service: Service): void {
    const director = this.#director;
    const { key } = service;
    director.services.delete(serviceKeyId(key));
    if (key.kind === "fwmark") {
      director.servicesByMark.delete(key.mark);
    } else {
      director.servicesByAddress.delete(servicePortKey(key.protocol, key.address, key.port));
      if (key.port === 0) director.portZeroCount--;
      if (key.port === FTP_PORT) director.ftpCount--;
    }
    service.state?.done?.();
    service.state = undefined;
    if (service.usesConntrack) director.host.conntrack.release();
    for (const dest of service.dests.splice(0)) this.#discard(dest);
    this.#traceTable("ipvs-service", "remove", describeService(service));
    if (director.services.size === 0) this.#path.unregisterHooks();
  }

  /* ---------------------------------------------------------------------------------------------------------- dests */

  addDest(key: ServiceKey, spec: DestSpec): Errno | undefined {
    this.load();
    const service = this.#find(key);
    if (service === undefined) return "ESRCH";
    const invalid = checkDest(spec);
    if (invalid !== undefined) return invalid;
    if (!this.#isUsableAddress(spec.address)) return "EINVAL";
    if (findDest(service, spec.address, spec.port) !== undefined) return "EEXIST";
    if (service.dests.length >= DESTS_MAX) return "ENOMEM";
    let dest = this.#trash.take(service, spec.address, spec.port);
    if (dest === undefined) {
      dest = new Dest(service, spec, this.#newStatistics());
    } else if (dest.service !== service) {
      // Kept by its connections, but its figures belonged to a service that is gone.
      dest.service = service;
      dest.statistics = this.#newStatistics();
    }
    this.#update(dest, spec);
    dest.lastWeight = spec.weight;
    dest.available = true;
    service.dests.unshift(dest);
    service.state?.destAdded?.(dest);
    this.#traceTable("ipvs-dest", "add", describeDest(service, dest));
    return undefined;
  }

  editDest(key: ServiceKey, spec: DestSpec): Errno | undefined {
    this.load();
    const service = this.#find(key);
    if (service === undefined) return "ESRCH";
    const invalid = checkDest(spec);
    if (invalid !== undefined) return invalid;
    const dest = findDest(service, spec.address, spec.port);
    if (dest === undefined) return "ENOENT";
    this.#update(dest, spec);
    if (spec.weight !== 0) dest.lastWeight = spec.weight;
    service.state?.destUpdated?.(dest);
    this.#traceTable("ipvs-dest", "change", describeDest(service, dest));
    return undefined;
  }

  deleteDest(key: ServiceKey, address: number, port: number): Errno | undefined {
    this.load();
    const service = this.#find(key);
    if (service === undefined) return "ESRCH";
    const dest = findDest(service, address, port);
    if (dest === undefined) return "ENOENT";
    dest.available = false;
    service.dests.splice(service.dests.indexOf(dest), 1);
    service.state?.destDeleted?.(dest);
    this.#discard(dest);
    this.#traceTable("ipvs-dest", "remove", describeDest(service, dest));
    const { settings, host } = this.#director;
    if (settings.expire_nodest_conn.value !== 0 && host.options.ipvsFlushesNoDestConns) host.loop.after(NS_PER_SECOND / host.options.hz, this);
    return undefined;
  }

  /** The delayed work of a removed dest with expire_nodest_conn: ip_vs_conn.c:ip_vs_expire_nodest_conn_flush. */
  onEvent(): void {
    for (const connection of this.#director.table.entries()) {
      if (!connection.isHashed || connection.dest === undefined || connection.dest.available || connection.controlledCount > 0) continue;
      const { control } = connection;
      this.#connections.delete(connection);
      if (control !== undefined && !control.isTemplate) this.#connections.delete(control);
    }
  }

  #discard(dest: Dest): void {
    dest.available = false;
    this.#trash.add(dest);
  }

  #update(dest: Dest, spec: DestSpec): void {
    dest.weight = spec.weight;
    dest.method = spec.method;
    dest.tunnel = spec.tunnel;
    const { service } = dest;
    if (spec.method === "masq" && service.port === FTP_PORT && !service.usesConntrack) {
      service.usesConntrack = true;
      this.#director.host.conntrack.retain();
    }
    this.#director.overload.thresholdsSet(dest, { upper: spec.upperThreshold, lower: spec.lowerThreshold });
  }

  /** A real server's address must be one of this host's or unicast. */
  #isUsableAddress(address: number): boolean {
    if (this.#director.host.addresses.isOwn(address)) return true;
    if (isMulticast(address) || isZeroNet(address) || address === LIMITED_BROADCAST) return false;
    const { host } = this.#director;
    return !host.devices.list.some((device) => device.addresses.some((own) => own.broadcast !== 0 && own.broadcast === address));
  }

  /* ---------------------------------------------------------------------------------------------------------- other */

  zero(key: ServiceKey | undefined): Errno | undefined {
    this.load();
    const { nowNs, services, totals } = this.#director;
    const chosen = key === undefined ? [...services.values()] : [this.#find(key)];
    for (const service of chosen) {
      if (service === undefined) return "ESRCH";
      service.statistics.zero(nowNs);
      for (const dest of service.dests) dest.statistics.zero(nowNs);
    }
    if (key === undefined) totals.zero(nowNs);
    touchServices(this.#director);
    return undefined;
  }

  get timeouts() {
    const { tcpTimeouts, udpTimeoutNs } = this.#director;
    return {
      tcpSeconds: (tcpTimeouts.ns[TCP_S_ESTABLISHED] as number) / NS_PER_SECOND,
      tcpFinSeconds: (tcpTimeouts.ns[TCP_S_FIN_WAIT] as number) / NS_PER_SECOND,
      udpSeconds: udpTimeoutNs / NS_PER_SECOND,
    };
  }

  setTimeouts(tcpSeconds: number, tcpFinSeconds: number, udpSeconds: number): Errno | undefined {
    this.load();
    for (const seconds of [tcpSeconds, tcpFinSeconds, udpSeconds]) if (seconds < 0 || seconds > TIMEOUT_MAX_SECONDS) return "EINVAL";
    const director = this.#director;
    if (tcpSeconds > 0) director.tcpTimeouts.ns[TCP_S_ESTABLISHED] = tcpSeconds * NS_PER_SECOND;
    if (tcpFinSeconds > 0) director.tcpTimeouts.ns[TCP_S_FIN_WAIT] = tcpFinSeconds * NS_PER_SECOND;
    if (udpSeconds > 0) director.udpTimeoutNs = udpSeconds * NS_PER_SECOND;
    return undefined;
  }

  get daemons() {
    return { master: this.#director.master, backup: this.#director.backup };
  }

  startDaemon(role: "master" | "backup", spec: SyncDaemonSpec): Errno | undefined {
    this.load();
    return this.#sync.start(role, spec);
  }

  stopDaemon(role: "master" | "backup"): Errno | undefined {
    this.load();
    return this.#sync.stop(role);
  }

  /* -------------------------------------------------------------------------------------------------------- helpers */

  #find(key: ServiceKey): Service | undefined {
    return this.#director.services.get(serviceKeyId(key));
  }

  #newStatistics(): Statistics {
    return new Statistics(this.#director.nowNs, this.#director.settings.run_estimation);
  }

  #contextOf(service: Service): SchedulerContext {
    const director = this.#director;
    const { host, settings } = director;
    const random = host.random("ipvs scheduler");
    return schedulerContext({
      options: schedulerOptions(host),
      nowNs: () => host.loop.nowNs,
      randomBelow: (n) => random.below(n),
      lblcExpirationSeconds: () => settings.lblc_expiration.value,
      lblcrExpirationSeconds: () => settings.lblcr_expiration.value,
      nothingChosen: (reason) => host.log.write(`IPVS: ${service.scheduler.name}: ${formatServiceKey(service.key)} - ${reason}`),
    });
  }

  #viewService(service: Service): ServiceView {
    const { nowNs } = this.#director;
    return {
      ...service.spec,
      dests: service.dests.map((dest) => viewDest(dest, nowNs)),
      statistics: service.statistics.view(nowNs),
    };
  }

  #traceTable(table: "ipvs-service" | "ipvs-dest", change: "add" | "change" | "remove", entry: string): void {
    const { host } = this.#director;
    touchServices(this.#director);
    if (host.trace.isFull) host.trace.emit({ kind: "table", host: host.name, table, change, entry, cause: 0 });
  }
}

function checkDest(spec: DestSpec): Errno | undefined {
  if (spec.weight < 0 || spec.weight > WEIGHT_MAX || spec.lowerThreshold > spec.upperThreshold) return "ERANGE";
  if (spec.method === "tunnel" && spec.tunnel.type === "gue" && spec.tunnel.port === 0) return "EINVAL";
  return undefined;
}

function viewDest(dest: Dest, nowNs: number): DestView {
  return {
    address: dest.address,
    port: dest.port,
    method: dest.method,
    weight: dest.weight,
    upperThreshold: dest.upperThreshold,
    lowerThreshold: dest.lowerThreshold,
    tunnel: dest.tunnel,
    activeConns: dest.activeConns,
    inactConns: dest.inactConns,
    persistConns: dest.persistConns,
    isOverloaded: dest.overloaded,
    isAvailable: dest.available,
    statistics: dest.statistics.view(nowNs),
  };
}

function describeService(service: Service): string {
  const { spec } = service;
  const persistence = spec.isPersistent ? ` persistent ${spec.persistenceTimeoutSeconds} mask ${formatIpv4Address(spec.netmask)}` : "";
  return `${formatServiceKey(spec.key)} ${spec.scheduler}${spec.schedulerFlags.length > 0 ? ` (${spec.schedulerFlags.join(",")})` : ""}${persistence}${spec.isOnePacket ? " ops" : ""}`;
}

function describeDest(service: Service, dest: Dest): string {
  return `${formatServiceKey(service.key)} -> ${formatDestName(dest)} ${dest.method} weight ${dest.weight} thresholds ${dest.upperThreshold} ${dest.lowerThreshold}`;
}
