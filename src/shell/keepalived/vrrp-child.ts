/**
 * The VRRP process: its instances, what they track, and what the kernel tells about interfaces and addresses.
 *
 * keepalived v2.2.7 vrrp/vrrp_daemon.c, vrrp/vrrp.c (vrrp_complete_init, clear_diff_vrrp), vrrp/vrrp_if.c, core/keepalived_netlink.c.
 */

import { formatIpv4Address } from "../../base/ipv4-address.ts";
import { NS_PER_US } from "../../base/time.ts";
import type { InterfaceAddress, NetDevice } from "../../host/device.ts";
import type { SkBuff } from "../../host/skb.ts";
import { PROTOCOL_AH } from "../../wire/ah.ts";
import { PROTOCOL_VRRP, VrrpAdvert } from "../../wire/packet.ts";
import { Child, type ChildContext, EXIT_CONFIG } from "./child.ts";
import { ServiceTable } from "./check/service-table.ts";
import { loadVrrpConfig } from "./config/load-config.ts";
import type { ConfigReport } from "./config/report.ts";
import { type GlobalConfig, type VirtualAddress, VrrpConfig, type VrrpScript } from "./config/model.ts";
import { Mailer } from "./mailer.ts";
import { ScriptRunner } from "./script-runner.ts";
import { AcceptFilter } from "./vrrp/accept-filter.ts";
import { isMulticast } from "./vrrp/adverts.ts";
import { AUTH_AH, readAuthenticated } from "./vrrp/authentication.ts";
import { GratuitousArps } from "./vrrp/gratuitous-arps.ts";
import { Instance } from "./vrrp/instance.ts";
import { InterfaceTracking } from "./vrrp/interface-tracking.ts";
import { Netlink } from "./vrrp/netlink.ts";
import { ProcessWatch } from "./vrrp/process-tracking.ts";
import { StatusFiles } from "./vrrp/status-files.ts";
import { STATISTICS_FILE } from "./vrrp/statistics.ts";
import { SyncGroup } from "./vrrp/sync-group.ts";
import { TrackScript } from "./vrrp/track-script.ts";
import { VirtualMacs } from "./vrrp/virtual-mac.ts";
import type { VrrpContext } from "./vrrp/vrrp-context.ts";

/** The process stays so long after its last words. */
const SHUTDOWN_US = 1_000_000;
/** From the arrival of an advertisement until the process has been woken and reads it: what the kernel answers by itself comes before. */
const WAKE_UP_US = 100;
/** File descriptors of the first socket pool: what the process has opened before is always the same. */
const FIRST_SOCKET_FD = 12;

interface Membership {
  readonly group: number;
  readonly device: NetDevice;
}

export class VrrpChild extends Child {
  readonly #scripts: ScriptRunner;
  readonly #table: ServiceTable;
  readonly #netlink: Netlink;
  readonly #vmacs: VirtualMacs;
  readonly #files: StatusFiles;
  readonly #processes: ProcessWatch;
  #config = new VrrpConfig();
  #global: GlobalConfig;
  #instances: Instance[] = [];
  #groups: SyncGroup[] = [];
  #trackScripts: TrackScript[] = [];
  #tracking: InterfaceTracking | undefined;
  #vrrp: VrrpContext | undefined;
  #memberships: Membership[] = [];
  #closers: (() => void)[] = [];
  /** Conversations with the mail server. */
  readonly #mails = new Set<{ close(): void }>();

  constructor(context: ChildContext) {
    super(context);
    this.#scripts = new ScriptRunner(this.daemon);
    this.#table = new ServiceTable(this.daemon.machine.ipvs, this.log);
    this.#netlink = new Netlink(this.daemon.machine.host, this.log);
    this.#vmacs = new VirtualMacs(this.daemon.machine.host, this.log);
    this.#files = new StatusFiles(this.daemon, this.log);
    this.#processes = new ProcessWatch(this.daemon, this.log);
    this.#global = context.shared.config.global;
    this.daemon.onExit(() => {
      this.#close();
      this.#dropMails();
    });
  }

  protected override start(): void {
    this.log.detailed("Registering Kernel netlink reflector");
    this.log.detailed("Registering Kernel netlink command channel");
    this.#load(undefined);
  }

  protected override printStatistics(): void {
    const { machine, process } = this.daemon;
    this.log.line(`Printing VRRP stats for process(${process.pid}) on signal`);
    machine.files.write(STATISTICS_FILE, this.#instances.map((one) => one.counts.text(one.name)).join(""));
  }

  protected override reload(): void {
    this.log.line("Reloading");
    this.#scripts.killAll("TERM");
    this.daemon.clearTimers();
    this.#dropMails();
    this.#load({ config: this.#config, global: this.#global, instances: this.#instances, groups: this.#groups });
  }

  /** `old`: what ran until a reload. */
  #load(old: { readonly config: VrrpConfig; readonly global: GlobalConfig; readonly instances: readonly Instance[]; readonly groups: readonly SyncGroup[] } | undefined): void {
    const { shared } = this.context;
    const { global } = shared.config;
    const report = this.report();
    const config = loadVrrpConfig(shared.config, shared.request, report, old === undefined);
    if (config === undefined) {
      this.#stopWithoutConfig();
      return;
    }
    if (this.refuses()) return;
    this.#config = config;
    this.#global = global;
    if (this.#syncDaemonInstance() !== undefined) this.#table.start(old !== undefined);
    this.#clearStatics(old?.config);
    if (old === undefined && global.disablesLocalIgmp) this.daemon.machine.host.sysctl.write("net.ipv4.igmp_link_local_mcast_reports", "0");
    const delayedStartNs = old === undefined && global.startupDelayUs > 0 ? this.daemon.nowNs + global.startupDelayUs * NS_PER_US : 0;
    if (delayedStartNs > 0) this.log.line(`Delaying startup for ${global.startupDelayUs / 1_000_000} seconds`);
    this.#build(delayedStartNs, old?.config.scripts);
    this.#prepare(old, report);
    if (old === undefined) this.log.detailed("Registering gratuitous ARP shared channel");
    this.configRead();
    // Whatever an earlier run left behind.
    if (old === undefined) {
      AcceptFilter.of(this.daemon.machine.host).clear();
      for (const one of this.#instances) one.restoreInterface(false, true);
    }
    if (old !== undefined) this.#migrate(old.instances, old.groups);
    this.#netlink.addAddresses(config.staticAddresses);
    this.#netlink.addRoutes(config.staticRoutes);
    this.#netlink.addRules(config.staticRules);
    this.daemon.after(0, () => this.#dispatch());
  }

  #stopWithoutConfig(): void {
    for (const one of this.#instances) if (one.state === "MASTER") one.restoreInterface(true);
    this.stopped(EXIT_CONFIG);
  }

  #syncDaemonInstance(): string | undefined {
    return this.#global.syncDaemon?.instanceName;
  }

  #clearStatics(old: VrrpConfig | undefined): void {
    if (old === undefined) {
      const { staticAddresses, staticRoutes, staticRules } = this.#config;
      this.#netlink.removeAddresses(staticAddresses);
      this.#netlink.removeRoutes(staticRoutes);
      this.#netlink.removeRules(staticRules, true);
      return;
    }
    keepCommon(old.staticAddresses, this.#config.staticAddresses, (gone) => this.#forget("(null)", gone));
    keepCommon(old.staticRoutes, this.#config.staticRoutes, (gone) => this.#netlink.removeRoutes(gone));
    keepCommon(old.staticRules, this.#config.staticRules, (gone) => this.#netlink.removeRules(gone));
  }

  /** Addresses that a new configuration does not have. */
  #forget(owner: string, gone: readonly VirtualAddress[]): void {
    for (const one of gone) if (one.isSet) this.log.line(`(${owner}) ip address ${formatIpv4Address(one.address)}/${one.prefixLength} dev ${one.device}, no longer exist`);
    this.#netlink.removeAddresses(gone);
  }

  #build(delayedStartNs: number, oldScripts: readonly VrrpScript[] | undefined): void {
    const { daemon, log } = this;
    const config = this.#config;
    const context: VrrpContext = {
      daemon,
      host: daemon.machine.host,
      log,
      options: this.context.options,
      global: this.#global,
      netlink: this.#netlink,
      arps: new GratuitousArps(daemon, log, config, this.#global),
      mailer: new Mailer({ daemon, log, global: this.#global, open: this.#mails }),
      runScript: (script, extra) => this.#scripts.start(script, extra, () => {}),
      roleChanged: (instance, role) => this.#roleChanged(instance, role),
      delayedStartNs,
    };
    this.#vrrp = context;
    this.#instances = config.instances.map((one) => {
      const instance = new Instance(one, context);
      if (one.usesVmac) instance.vmac = this.#vmacs.open(one, this.#global);
      for (const address of [...one.addresses, ...one.excludedAddresses]) address.device ??= (instance.vmac ?? one.device)?.name;
      return instance;
    });
    this.#groups = config.groups.map((one) => {
      const group = new SyncGroup(one, context);
      for (const member of one.members) {
        const instance = this.#instances.find((other) => other.config === member);
        if (instance !== undefined) group.add(instance);
      }
      return group;
    });
    for (const script of config.scripts) {
      const old = oldScripts?.find((one) => one.name === script.name);
      if (old !== undefined) keepScriptResult(script, old);
    }
    this.#trackScripts = config.scripts.map((one) => new TrackScript(one, { daemon, log, scripts: this.#scripts }));
    this.#tracking = new InterfaceTracking({ daemon, log, config, instances: this.#instances });
  }

  /** What interfaces and scripts make of the instances before they begin. */
  #prepare(old: { readonly instances: readonly Instance[] } | undefined, report: ConfigReport): void {
    this.#findSources();
    const tracking = this.#tracking as InterfaceTracking;
    tracking.prepare();
    this.#files.prepare(this.#instances, report);
    this.#processes.prepare(this.#instances);
    for (const one of this.#instances) {
      if (one.source === 0) {
        this.log.line(`(${one.name}) entering FAULT state (no IPv4 address for interface)`);
        one.state = "FAULT";
        one.faults++;
      }
      for (const tracked of [...one.config.trackScripts, ...(one.group?.config.trackScripts ?? [])]) {
        const script = this.#trackScripts.find((other) => other.config === tracked.script);
        script?.prepare({ instance: one, weight: tracked.weight, isReversed: tracked.isReversed });
      }
      one.settlePriority();
      const { group } = one;
      if (group === undefined) continue;
      if (one.state === "FAULT") {
        if (group.state !== "FAULT") this.log.line(`VRRP_Group(${group.config.name}): Syncing ${one.name} to FAULT state`);
        group.state = "FAULT";
        group.faultyMembers++;
      }
      if (one.waitingScripts > 0) {
        group.waitingMembers++;
        if (group.state !== "FAULT") group.state = "INIT";
      }
    }
    for (const group of this.#groups) {
      const hasBackup = group.members.some((one) => one.wantState === "BACKUP" || !one.isOwner);
      if (hasBackup && group.members.some((one) => one.wantState === "MASTER")) for (const one of group.members) if (one.state !== "FAULT") one.wantState = "BACKUP";
    }
    for (const one of this.#instances) {
      if (one.state !== "FAULT") continue;
      const before = old?.instances.find((other) => isSameInstance(other, one));
      if (before?.state === "FAULT") continue;
      this.log.line(`(${one.name}) entering FAULT state`);
      one.notify();
    }
    for (const before of old?.instances ?? []) {
      const one = this.#instances.find((other) => isSameInstance(before, other));
      if (one === undefined || before.state === "FAULT" || one.state === "FAULT" || one.waitingScripts > 0) continue;
      one.state = before.state;
      one.wantState = before.state;
    }
    if (old === undefined) return;
    for (const group of this.#groups) {
      if (group.faultyMembers > 0 || group.waitingMembers > 0) continue;
      group.state = group.members.every((one) => one.state === "MASTER") ? "MASTER" : "BACKUP";
    }
  }

  #findSources(): void {
    const said = new Set<string>();
    for (const one of this.#instances) {
      const { device } = one.config;
      const address = device === undefined ? undefined : primaryAddress(device, this.#instances);
      if (device !== undefined && address !== undefined && !said.has(device.name)) {
        said.add(device.name);
        this.log.detailed(`Assigned address ${formatIpv4Address(address)} for interface ${device.name}`);
      }
      if (one.source === 0 && address !== undefined) one.source = address;
    }
  }

  /** vrrp_dispatcher_init: sockets, first states, timers, scripts. */
  #dispatch(): void {
    this.#leaveGroups();
    this.#open();
    for (const group of this.#groups) {
      if ((group.state === "FAULT" || group.state === "BACKUP") && !group.isSameAfterReload) group.notify();
      group.isSameAfterReload = false;
    }
    for (const one of this.#instances) one.begin();
    for (const one of this.#instances) one.restartTimer();
    for (const one of this.#trackScripts) one.begin();
    if (this.log.detail > 0) this.#listSockets();
  }

  #open(): void {
    for (const close of this.#closers) close();
    const { host } = this.daemon.machine;
    const protocols = new Set(this.#instances.map((one) => protocolOf(one)));
    const sockets = [...protocols].map((protocol) => host.ip.openRaw(protocol, { onPacket: (skb) => this.daemon.after(WAKE_UP_US, () => this.#receive(skb)) }));
    const onLink = (device: NetDevice): void => this.daemon.post(() => this.#tracking?.deviceChanged(device));
    const onAddress = (change: "add" | "remove", device: NetDevice, address: InterfaceAddress): void => this.daemon.post(() => this.#addressChanged(change, device, address));
    host.devices.watchers.add(onLink);
    host.addresses.watchers.add(onAddress);
    this.#closers = [
      ...sockets,
      () => {
        host.devices.watchers.delete(onLink);
        host.addresses.watchers.delete(onAddress);
      },
    ];
    for (const one of this.#instances) {
      const { isUnicast } = one.config;
      const device = one.transmitDevice;
      const group = one.config.group ?? this.#global.vrrpGroup;
      if (isUnicast || device === undefined || this.#memberships.some((other) => other.device === device && other.group === group)) continue;
      if (host.multicast.join(group, device) === undefined) this.#memberships.push({ group, device });
    }
  }

  #dropMails(): void {
    for (const one of [...this.#mails]) one.close();
    this.#mails.clear();
  }

  #leaveGroups(): void {
    for (const one of this.#memberships) this.daemon.machine.host.multicast.leave(one.group, one.device);
    this.#memberships = [];
  }

  #close(): void {
    for (const close of this.#closers) close();
    this.#closers = [];
    this.#leaveGroups();
    this.#files.stop();
    this.#processes.stop();
    this.#vrrp?.arps.stop();
  }

  #listSockets(): void {
    const seen = new Set<string>();
    // The channel to IPVS takes one, that to nftables for virtual MACs another.
    let fd = FIRST_SOCKET_FD + (this.#syncDaemonInstance() === undefined ? 0 : 1) + (this.#instances.some((one) => one.vmac !== undefined) ? 1 : 0);
    for (const one of this.#instances) {
      const { isUnicast } = one.config;
      const device = one.transmitDevice;
      const what = isUnicast ? `unicast, address(${formatIpv4Address(one.source)})` : `multicast, address(${formatIpv4Address(one.config.group ?? this.#global.vrrpGroup)})`;
      const place = device === undefined ? "ifindex(  0)" : `ifindex(${String(device.index).padStart(3, " ")})`;
      const protocol = protocolOf(one);
      const key = `${place} ${protocol} ${what}`;
      if (seen.has(key)) continue;
      seen.add(key);
      this.log.line(`VRRP sockpool: [${place}, family(IPv4), proto(${protocol}), fd(${fd},${fd + 1})${isUnicast ? " ," : ""} ${what}]`);
      fd += 2;
    }
  }

  #receive(skb: SkBuff): void {
    const { ip } = skb;
    const secured = readAuthenticated(ip);
    const advert = ip.payload instanceof VrrpAdvert ? ip.payload : secured?.advert;
    if (advert === undefined) return;
    const isToGroup = isMulticast(ip.dst);
    const candidates = this.#instances.filter((one) => {
      if (protocolOf(one) !== ip.protocol) return false;
      if (one.config.isUnicast) return ip.dst === one.source;
      return one.transmitDevice === skb.device && (!isToGroup || ip.dst === (one.config.group ?? this.#global.vrrpGroup));
    });
    const matching = candidates.filter((one) => one.config.vrid === advert.vrid);
    const instance = matching.length > 1 ? (matching.find((one) => one.config.peers.some((peer) => peer.address.address === ip.src)) ?? matching[0]) : matching[0];
    if (instance === undefined) {
      if (candidates.length > 0 && this.#global.logsUnknownVrids) this.log.line(`Unknown VRID(${advert.vrid}) received on interface(${skb.device?.name}). ignoring...`);
      return;
    }
    instance.receive(ip, advert, secured?.header);
  }

  #addressChanged(change: "add" | "remove", device: NetDevice, address: InterfaceAddress): void {
    for (const one of this.#instances) {
      const { config } = one;
      if (config.device !== device) continue;
      if (change === "add") {
        if (one.source !== 0 || config.isSourceConfigured) continue;
        one.source = address.address;
        this.log.detailed(`Assigned address ${formatIpv4Address(address.address)} for interface ${device.name}`);
        one.recover(false);
      } else if (one.source === address.address && (!config.isSourceConfigured || config.tracksSource)) this.#sourceGone(one, device, address);
    }
    if (change === "add") return;
    const holds = (list: readonly { readonly address: number; readonly prefixLength: number; readonly device: string | undefined; readonly isTracked: boolean; readonly isSet: boolean }[]): boolean =>
      list.some((one) => one.isSet && one.isTracked && one.address === address.address && one.prefixLength === address.prefixLength && one.device === device.name);
    const owner = this.#instances.find((one) => one.state === "MASTER" && (holds(one.config.addresses) || holds(one.config.excludedAddresses)));
    if (owner !== undefined) {
      this.log.detailed(`Netlink reflector reports IP ${formatIpv4Address(address.address)} removed from ${device.name}`);
      owner.addressTaken();
    }
    for (const one of this.#config.staticAddresses) {
      if (!one.isSet || !one.isTracked || one.address !== address.address || one.device !== device.name) continue;
      one.isSet = false;
      this.log.line(`Restoring deleted static address ${formatIpv4Address(one.address)}`);
      this.#netlink.addAddresses([one]);
    }
  }

  #sourceGone(one: Instance, device: NetDevice, address: InterfaceAddress): void {
    this.log.detailed(`Deassigned address ${formatIpv4Address(address.address)} from interface ${device.name}`);
    one.fail();
    one.source = one.config.isSourceConfigured ? one.source : 0;
    const next = primaryAddress(device, this.#instances);
    if (next === undefined || one.config.isSourceConfigured) return;
    one.source = next;
    this.log.detailed(`Assigned address ${formatIpv4Address(next)} for interface ${device.name}`);
    one.recover(false);
  }

  /** The IPVS synchronization daemon of this host sends or receives, as one instance is master or not. */
  #roleChanged(instance: Instance, role: "initial" | "master" | "backup"): void {
    const daemon = this.#global.syncDaemon;
    if (daemon === undefined || daemon.instanceName !== instance.name) return;
    const withId = { ...daemon, syncId: daemon.syncId ?? instance.config.vrid };
    if (role === "master") this.#table.stopSyncDaemon("backup");
    else if (role === "backup") this.#table.stopSyncDaemon("master");
    if (role === "initial") {
      const { daemons } = this.daemon.machine.ipvs;
      if (daemons.backup !== undefined || daemons.master !== undefined) return;
    }
    this.#table.startSyncDaemon(role === "master" ? "master" : "backup", withId);
  }

  #migrate(old: readonly Instance[], oldGroups: readonly SyncGroup[]): void {
    for (const before of old) {
      if (this.#instances.some((one) => isSameInstance(before, one))) continue;
      if (before.state === "MASTER") before.restoreInterface(true);
      if (!before.config.notifiesDeleted && before.state === "FAULT") continue;
      before.state = "DELETED";
      before.notify();
    }
    for (const before of old) {
      const one = this.#instances.find((other) => isSameInstance(before, other));
      if (one === undefined) continue;
      if (before.hasAddresses) {
        keepCommon(before.config.rules, one.config.rules, (gone) => this.#netlink.removeRules(gone));
        keepCommon(before.config.routes, one.config.routes, (gone) => this.#netlink.removeRoutes(gone));
        const added = [...one.config.addresses, ...one.config.excludedAddresses];
        keepCommon([...before.config.addresses, ...before.config.excludedAddresses], added, (gone) => this.#forget(one.name, gone));
      }
      one.inherit(before);
    }
    this.#vmacs.keepOnly(new Set(this.#instances.map((one) => one.vmac?.name ?? "")));
    for (const group of this.#groups) {
      const before = oldGroups.find((one) => one.config.name === group.config.name);
      if (before !== undefined) group.isSameAfterReload = before.state === group.state;
    }
  }

  protected override terminate(): void {
    this.#scripts.killAll("TERM");
    this.daemon.clearTimers();
    const syncDaemon = this.#global.syncDaemon;
    const synced = syncDaemon === undefined ? undefined : this.#instances.find((one) => one.name === syncDaemon.instanceName);
    if (synced !== undefined) this.#table.stopSyncDaemon(synced.state === "MASTER" ? "master" : "backup");
    if (!this.context.options.keepsVips) for (const one of this.#instances) if (one.state === "MASTER") one.restoreInterface(true);
    this.#netlink.removeRules(this.#config.staticRules);
    this.#netlink.removeRoutes(this.#config.staticRoutes);
    this.#netlink.removeAddresses(this.#config.staticAddresses);
    this.#close();
    for (const one of this.#instances) {
      one.state = "STOP";
      one.notify();
    }
    for (const group of this.#groups) {
      group.state = "STOP";
      group.notify();
    }
    const end = (): void => {
      this.#vmacs.keepOnly(new Set());
      this.stopped(0);
    };
    if (this.#instances.length > 0) this.daemon.after(SHUTDOWN_US, end);
    else end();
  }
}

/** What its socket listens to. */
function protocolOf(instance: Instance): number {
  return instance.config.authType === AUTH_AH ? PROTOCOL_AH : PROTOCOL_VRRP;
}

/** The first address of an interface that is none of ours. */
function primaryAddress(device: NetDevice, instances: readonly Instance[]): number | undefined {
  const isOurs = (address: number): boolean =>
    instances.some((one) => [...one.config.addresses, ...one.config.excludedAddresses].some((virtual) => virtual.address === address));
  return (device.addresses.find((one) => !isOurs(one.address)) ?? undefined)?.address;
}

function isSameInstance(a: Instance, b: Instance): boolean {
  const [one, other] = [a.config, b.config];
  if (one.vrid !== other.vrid || one.family !== other.family || one.device !== other.device || one.isUnicast !== other.isUnicast) return false;
  return !one.isUnicast || a.source === b.source;
}

/** Entries that stay keep being set; the others go. */
function keepCommon<T extends { isSet: boolean }>(old: readonly T[], next: readonly T[], remove: (gone: readonly T[]) => void): void {
  const keyOf = (one: T): string => JSON.stringify({ ...one, isSet: false, isGarpPending: false });
  const keys = new Map(next.map((one) => [keyOf(one), one]));
  const gone: T[] = [];
  for (const one of old) {
    const same = keys.get(keyOf(one));
    if (same === undefined) gone.push(one);
    else same.isSet = one.isSet;
  }
  remove(gone);
}

/** A script keeps what it last said, within the new bounds. */
function keepScriptResult(script: VrrpScript, old: VrrpScript): void {
  if (old.initState === "init" || old.initState === "init-reload") {
    script.initState = "init-reload";
    return;
  }
  script.initState = "done";
  script.lastStatus = old.lastStatus;
  script.result = old.result >= old.rise ? script.rise + Math.min(old.result - old.rise, script.fall - 1) : Math.min(old.result, script.rise - 1);
}
