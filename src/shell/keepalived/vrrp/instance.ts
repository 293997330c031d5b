/**
 * One VRRP instance: the state machine of RFC 3768 and RFC 5798 as keepalived has it.
 *
 * keepalived v2.2.7 vrrp/vrrp.c, vrrp/vrrp_scheduler.c, vrrp/vrrp_track.c, vrrp/vrrp_notify.c.
 */

import { formatIpv4Address } from "../../../base/ipv4-address.ts";
import { NS_PER_SECOND, NS_PER_US } from "../../../base/time.ts";
import type { NetDevice } from "../../../host/device.ts";
import type { AuthenticationHeader } from "../../../wire/ah.ts";
import type { Ipv4Packet, VrrpAdvert } from "../../../wire/packet.ts";
import { errorText } from "../../errno-text.ts";
import type { VirtualAddress, VrrpInstanceConfig, VrrpStateName } from "../config/model.ts";
import type { DaemonTimer } from "../daemon-process.ts";
import { AcceptFilter } from "./accept-filter.ts";
import { ERRNO_NUMBERS } from "./netlink.ts";
import { acceptsAdvert, makeAdvert } from "./adverts.ts";
import { AUTH_AH, Authentication } from "./authentication.ts";
import { INSTANCE_MAILS, StateMail } from "./state-mail.ts";
import { Statistics } from "./statistics.ts";
import type { SyncGroup } from "./sync-group.ts";
import type { VrrpContext } from "./vrrp-context.ts";

const PRIORITY_STOP = 0;
const PRIORITY_OWNER = 255;
const US_PER_CENTISECOND = 10_000;
const US_PER_MS = 1000;
const US_PER_SECOND = 1_000_000;

const boundPriority = (priority: number): number => Math.max(1, Math.min(priority, PRIORITY_OWNER - 1));

export class Instance {
  readonly config: VrrpInstanceConfig;
  group: SyncGroup | undefined;
  state: VrrpStateName = "INIT";
  wantState: VrrpStateName;
  basePriority: number;
  totalPriority: number;
  priority: number;
  /** What holds it down: interfaces, scripts, a missing address. */
  faults: number;
  /** Scripts that have not told anything yet. */
  waitingScripts = 0;
  /** Source of advertisements; 0 when the interface has none. */
  source: number;
  hasAddresses = false;
  isReloadedMaster = false;
  /** The device of its virtual MAC. */
  vmac: NetDevice | undefined;
  downTimerUs = 0;
  counts = new Statistics();
  readonly #context: VrrpContext;
  #masterIntervalUs: number;
  #dueNs: number | undefined;
  #timer: DaemonTimer | undefined;
  #preemptNs = 0;
  #masterAddress = 0;
  /** AH of the packet that is being looked at. */
  #header: AuthenticationHeader | undefined;
  #packetId = 0;
  readonly #authentication: Authentication;
  readonly #mail: StateMail;
  #refreshNs = 0; // keepalived asks for "later than" this: there an advertisement always is a little late
  #hasNotified = false;

  constructor(config: VrrpInstanceConfig, context: VrrpContext) {
    this.config = config;
    this.#context = context;
    this.#authentication = new Authentication(config);
    this.#mail = new StateMail(context, `VRRP Instance ${config.name}`, config.alerts === true, INSTANCE_MAILS);
    this.wantState = config.wantState;
    this.basePriority = config.basePriority;
    this.totalPriority = config.basePriority;
    this.priority = config.basePriority;
    this.faults = config.hasConfigFault ? 1 : 0;
    this.source = config.source?.address ?? 0;
    this.#masterIntervalUs = config.advertIntervalUs;
  }

  get name(): string {
    return this.config.name;
  }
  get isOwner(): boolean {
    return this.basePriority === PRIORITY_OWNER;
  }

  /** What its advertisements leave by. */
  get transmitDevice(): NetDevice | undefined {
    return this.vmac !== undefined && !this.config.vmacTransmitsFromBase ? this.vmac : this.config.device;
  }

  get #allAddresses(): readonly VirtualAddress[] {
    return [...this.config.addresses, ...this.config.excludedAddresses];
  }

  get #isFiltered(): boolean {
    return !this.isOwner && this.config.accepts === false;
  }

  #log(text: string): void {
    this.#context.log.line(`(${this.name}) ${text}`);
  }

  #detail(text: string): void {
    this.#context.log.detailed(`(${this.name}) ${text}`);
  }

  /* -------------------------------------------------------------------------------------------------------------- timers */

  #skewUs(distance: number): number {
    return this.config.version === 3 ? Math.floor((distance * Math.floor(this.#masterIntervalUs / US_PER_CENTISECOND) * 625) / 16) : Math.floor((distance * US_PER_SECOND) / 256);
  }

  get #ownSkewUs(): number {
    return this.#skewUs(256 - this.priority);
  }

  resetDownTimer(): void {
    this.downTimerUs = this.config.downTimerAdverts * this.#masterIntervalUs + this.#ownSkewUs;
  }

  /** The next thing happens after the time that the state asks for. */
  restartTimer(): void {
    const { daemon, delayedStartNs } = this.#context;
    const now = daemon.nowNs;
    if (this.state === "MASTER") this.#setDue(this.isReloadedMaster ? now : now + this.config.advertIntervalUs * NS_PER_US);
    else if (this.state === "BACKUP") this.#setDue(Math.max(now, delayedStartNs) + this.downTimerUs * NS_PER_US);
    else this.#setDue(undefined);
  }

  #setDue(dueNs: number | undefined): void {
    this.#timer?.cancel();
    this.#dueNs = dueNs;
    if (dueNs !== undefined) this.#timer = this.#context.daemon.at(dueNs, () => this.#timeout());
  }

  stopTimers(): void {
    this.#setDue(undefined);
  }

  #timeout(): void {
    const before = this.state;
    if (this.state === "BACKUP") {
      this.#detail("Receive advertisement timeout");
      this.wantState = "MASTER";
      this.goMaster();
    } else if (this.state === "MASTER") this.#transmit();
    this.synchronize(before);
    this.restartTimer();
    this.isReloadedMaster = false;
  }

  /** A change of one member moves its group. */
  synchronize(before: VrrpStateName): void {
    if (this.group === undefined) return;
    if (this.state === "MASTER" && before !== "INIT") this.group.becomeMaster(this);
    else if (this.state === "BACKUP" && before === "MASTER") this.group.becomeBackup(this);
  }

  /* ------------------------------------------------------------------------------------------------------------- sending */

  sendAdvert(priority: number): void {
    const { host } = this.#context;
    const { config } = this;
    this.#packetId = this.#packetId >= 0xffff ? 1 : this.#packetId + 1;
    this.counts.sent++;
    const hasHeader = config.authType === AUTH_AH;
    if (hasHeader) this.#authentication.sequence++;
    const targets = config.isUnicast ? config.peers.map((peer) => peer.address.address) : [config.group ?? this.#context.global.vrrpGroup];
    for (const destination of targets) {
      const plain = makeAdvert(config, { priority, source: this.source, destination, id: this.#packetId });
      const packet = hasHeader ? this.#authentication.seal(plain) : plain;
      const errno = host.ip.send(packet, { keepId: true, ...(this.transmitDevice === undefined ? {} : { device: this.transmitDevice }), multicastLoop: false });
      if (errno === undefined || (priority === PRIORITY_STOP && errno === "ENETUNREACH" && !this.#isDeviceUp)) continue;
      if (config.isUnicast) this.#log(`Cant send advert to ${formatIpv4Address(destination)} (${errorText(errno)})`);
      else this.#context.log.line(`(${this.name}): send advert error ${ERRNO_NUMBERS[errno] ?? 0} (${errorText(errno)})`);
    }
  }

  get #isDeviceUp(): boolean {
    return this.transmitDevice?.isUp === true && this.transmitDevice.hasCarrier;
  }

  #transmit(): void {
    this.sendAdvert(this.priority);
    const { config } = this;
    if (!this.hasAddresses) {
      this.#log("Entering MASTER STATE");
      this.#becomeMaster();
      if (config.garpDelayUs > 0) this.#context.daemon.after(config.garpDelayUs, () => this.sendArps(config.garpRepeats));
    } else if (config.garpRefreshSeconds > 0 && this.#context.daemon.nowNs >= this.#refreshNs) {
      this.sendArps(config.garpRefreshRepeats);
      this.armRefresh();
    }
  }

  armRefresh(): void {
    if (this.config.garpRefreshSeconds > 0) this.#refreshNs = this.#context.daemon.nowNs + this.config.garpRefreshSeconds * NS_PER_SECOND;
  }

  sendArps(repeats: number): void {
    if (!this.hasAddresses) return;
    for (let i = 0; i < repeats; i++) {
      for (const address of this.#allAddresses) {
        if (i === 0) this.#detail(`Sending/queueing gratuitous ARPs on ${address.device} for ${formatIpv4Address(address.address)}`);
        this.#context.arps.send(address);
      }
    }
  }

  /* ----------------------------------------------------------------------------------------------------- changes of state */

  /** Adds addresses, routes and rules; true when an address is new. */
  addEntries(isReload: boolean): boolean {
    const { netlink } = this.#context;
    const { config } = this;
    let isChanged = false;
    if (this.#isFiltered) {
      this.#detail("setting firewall drop rule");
      AcceptFilter.of(this.#context.host).add(this.#allAddresses);
    }
    if (config.addresses.length > 0) {
      this.#detail("setting VIPs.");
      isChanged = netlink.addAddresses(config.addresses);
    }
    if (config.excludedAddresses.length > 0) {
      this.#detail("setting E-VIPs.");
      isChanged = netlink.addAddresses(config.excludedAddresses) || isChanged;
    }
    this.hasAddresses = true;
    if (config.routes.length > 0) {
      this.#detail("setting Virtual Routes");
      netlink.addRoutes(config.routes, isReload);
    }
    if (config.rules.length > 0) {
      this.#detail("setting Virtual Rules");
      netlink.addRules(config.rules);
    }
    return isChanged;
  }

  #becomeMaster(): void {
    const { config } = this;
    if (config.version === 3 && this.#masterIntervalUs !== config.advertIntervalUs) {
      this.#detail(`changing advert interval from ${this.#masterIntervalUs / US_PER_MS}ms to locally configured ${config.advertIntervalUs / US_PER_MS}ms`);
      this.#masterIntervalUs = config.advertIntervalUs;
    }
    this.counts.becameMaster++;
    this.addEntries(false);
    this.sendArps(config.garpRepeats);
    this.armRefresh();
    this.notify();
    this.#context.roleChanged(this, "master");
  }

  goMaster(): void {
    if (this.group !== undefined && !this.group.allowsMaster(this)) {
      this.wantState = "MASTER";
      return;
    }
    this.state = "MASTER";
    this.restartTimer();
    this.#transmit();
  }

  /** Gives everything up. `tells`: with a last advertisement of priority 0. */
  restoreInterface(tells: boolean, isForced = false): void {
    const { netlink, arps, options } = this.#context;
    const { config } = this;
    if (tells) {
      this.sendAdvert(PRIORITY_STOP);
      this.counts.zeroSent++;
      this.#detail("sent 0 priority");
    }
    if (config.rules.length > 0) {
      this.#detail("removing Virtual Rules");
      netlink.removeRules(config.rules, isForced);
    }
    if (config.routes.length > 0) {
      this.#detail("removing Virtual Routes");
      netlink.removeRoutes(config.routes);
    }
    arps.forget(this.#allAddresses);
    if (!isForced && !this.hasAddresses && !options.keepsVips && !options.releasesVips) return;
    if (config.addresses.length > 0) {
      this.#detail("removing VIPs.");
      netlink.removeAddresses(config.addresses, isForced || options.keepsVips);
    }
    if (config.excludedAddresses.length > 0) {
      this.#detail("removing E-VIPs.");
      netlink.removeAddresses(config.excludedAddresses, isForced || options.keepsVips);
    }
    if (this.#isFiltered) {
      this.#detail("removing firewall drop rule");
      AcceptFilter.of(this.#context.host).remove(this.#allAddresses);
    }
    this.hasAddresses = false;
  }

  leaveMaster(tells: boolean): void {
    if (this.hasAddresses) this.#context.roleChanged(this, "backup");
    if (this.wantState === "BACKUP") {
      this.#log("Entering BACKUP STATE");
      this.#preemptNs = 0;
    } else {
      this.#log("Entering FAULT STATE");
      this.sendAdvert(PRIORITY_STOP);
    }
    this.restoreInterface(tells);
    this.state = this.wantState;
    this.counts.releasedMaster++;
    this.notify();
    this.resetDownTimer();
    this.restartTimer();
  }

  leaveFault(): void {
    if (this.wantState === "MASTER") this.goMaster();
    else {
      if (this.state !== this.wantState) this.#log(`Entering ${this.wantState === "BACKUP" ? "BACKUP" : "FAULT"} STATE`);
      if (this.wantState === "FAULT" && this.state === "MASTER") {
        this.sendAdvert(PRIORITY_STOP);
        this.restoreInterface(false);
      }
      this.state = this.wantState;
      this.notify();
      if (this.state === "BACKUP") this.#preemptNs = 0;
    }
    this.#masterIntervalUs = this.config.advertIntervalUs;
    this.resetDownTimer();
    this.restartTimer();
  }

  /** One more thing is wrong. */
  fail(): void {
    if (this.faults++ > 0 && this.state !== "INIT") return;
    this.wantState = "FAULT";
    if (this.state === "MASTER") this.leaveMaster(true);
    else this.leaveFault();
    if (this.group !== undefined && this.group.faultyMembers++ === 0) this.group.fail(this);
  }

  /** One thing less is wrong, or (`leavesInit`) the last script has told its first result. */
  recover(leavesInit: boolean): void {
    const { group } = this;
    if (leavesInit) {
      if (this.faults > 0) return;
    } else if (--this.faults > 0 || this.waitingScripts > 0) {
      if (this.faults > 0) return;
      if (group !== undefined) {
        group.faultyMembers--;
        group.state = "INIT";
      }
      this.wantState = "BACKUP";
      return;
    }
    if (!(this.wantState === "MASTER" && this.isOwner)) this.wantState = "BACKUP";
    this.#masterIntervalUs = this.config.advertIntervalUs;
    if (this.wantState === "MASTER" && this.isOwner) this.downTimerUs = this.#masterIntervalUs + this.#ownSkewUs;
    else this.resetDownTimer();
    if (group !== undefined) {
      if (leavesInit ? group.faultyMembers > 0 : --group.faultyMembers > 0 || group.waitingMembers > 0) return;
    }
    const wanted = this.wantState;
    if (group !== undefined && this.wantState === "MASTER" && !group.allowsMaster(this)) this.wantState = "BACKUP";
    this.leaveFault();
    const { device, isUnicast } = this.config;
    if (isUnicast && device !== undefined && this.source !== 0) {
      this.#context.log.detailed(`${this.name}: sending gratuitous ARP for ${formatIpv4Address(this.source)}`);
      this.#context.arps.sendNow(device, this.source);
    }
    this.restartTimer();
    this.wantState = wanted;
    if (group === undefined) return;
    if (this.state === "MASTER") group.becomeMaster(this);
    else group.becomeBackup(this);
  }

  /** Somebody took an address away: the master steps back and returns at once. */
  addressTaken(): void {
    this.wantState = "BACKUP";
    this.leaveMaster(true);
    const { group } = this;
    if (group !== undefined) {
      for (const member of group.members) {
        if (member.state !== "MASTER") continue;
        member.wantState = "BACKUP";
        member.leaveMaster(true);
        member.hurry();
      }
      group.state = "BACKUP";
    }
    this.hurry();
  }

  hurry(): void {
    this.downTimerUs = this.#ownSkewUs;
    this.restartTimer();
  }

  /** Applies what tracking makes of the priority. */
  settlePriority(): void {
    if (this.isOwner) return;
    const next = boundPriority(this.totalPriority);
    if (next === this.priority) return;
    this.#log(`Changing effective priority from ${this.priority} to ${next}`);
    this.priority = next;
    const before = this.downTimerUs;
    this.resetDownTimer();
    if (this.state === "BACKUP" && this.#dueNs !== undefined) this.#setDue(this.#dueNs + (this.downTimerUs - before) * NS_PER_US);
  }

  /** Adds to the priority of an instance that is down: nothing is said. */
  takePriority(change: number): void {
    this.totalPriority += change;
    this.priority = boundPriority(this.totalPriority);
  }

  notify(): void {
    const { scripts, notifiesDeleted } = this.config;
    if (this.#hasNotified && this.group !== undefined && this.state === this.group.state) return;
    if (!notifiesDeleted && this.state === "DELETED") this.state = "FAULT";
    this.#hasNotified = true;
    this.#mail.changed(this.state);
    const script = { BACKUP: scripts.backup, MASTER: scripts.master, FAULT: scripts.fault, STOP: scripts.stop, DELETED: scripts.deleted, INIT: undefined }[this.state];
    if (script !== undefined) this.#context.runScript(script, []);
    if (scripts.any !== undefined) this.#context.runScript(scripts.any, ["INSTANCE", this.name, this.state, String(this.priority)]);
  }

  /* ------------------------------------------------------------------------------------------------------------ receiving */

  receive(packet: Ipv4Packet, advert: VrrpAdvert, header: AuthenticationHeader | undefined): void {
    if (this.state === "FAULT" || this.state === "INIT") return;
    const before = this.state;
    this.#header = header;
    if (this.state === "BACKUP") this.#hearAsBackup(packet, advert);
    else if (this.state === "MASTER" && this.#hearAsMaster(packet, advert)) this.leaveMaster(false);
    this.synchronize(before);
    if (this.state !== "MASTER" || this.config.lowerPriorityNoAdvert !== true) this.restartTimer();
  }

  #accepts(packet: Ipv4Packet, advert: VrrpAdvert, checksAddresses: boolean): boolean {
    const { log, global } = this.#context;
    return acceptsAdvert(this.config, packet, advert, { log, checksAddresses, checksUnicastSource: global.checksUnicastSource || this.config.checksUnicastSource, counts: this.counts, isAuthentic: () => this.#authentication.accepts(packet, this.#header, log) });
  }

  #hearAsBackup(packet: Ipv4Packet, advert: VrrpAdvert): void {
    const { config } = this;
    const { daemon } = this.#context;
    const checksAddresses = !config.skipsAddressCheck || this.#masterAddress !== packet.src;
    const now = daemon.nowNs;
    if (this.#accepts(packet, advert, checksAddresses)) {
      if (advert.priority === PRIORITY_STOP) {
        this.#detail("Backup received priority 0 advertisement");
        this.downTimerUs = this.#ownSkewUs;
        return;
      }
      const isHeldBack = config.preemptDelayUs > 0 && (this.#preemptNs === 0 || this.#preemptNs > now);
      if (config.isNoPreempt || advert.priority >= this.priority || isHeldBack) {
        this.#takeInterval(advert);
        this.resetDownTimer();
        this.#masterAddress = packet.src;
        this.#countPreemption(advert.priority, now);
        this.wantState = "BACKUP";
        return;
      }
      this.#log(`received lower priority (${advert.priority}) advert from ${formatIpv4Address(packet.src)} - discarding`);
      this.#masterAddress = packet.src;
    }
    // The time that has passed counts: the advertisement was not heard.
    this.downTimerUs = Math.max(0, ((this.#dueNs ?? now) - now) / NS_PER_US);
  }

  #takeInterval(advert: VrrpAdvert): void {
    if (this.config.version !== 3) return;
    const intervalUs = advert.intervalUnits * US_PER_CENTISECOND;
    if (intervalUs === this.#masterIntervalUs) return;
    this.#detail(`advertisement interval updated from ${this.#masterIntervalUs / US_PER_MS}ms to ${intervalUs / US_PER_MS}ms by master`);
    this.#masterIntervalUs = intervalUs;
  }

  #countPreemption(priority: number, now: number): void {
    const { preemptDelayUs } = this.config;
    if (preemptDelayUs === 0) return;
    if (priority >= this.priority) {
      if (this.#preemptNs !== 0) this.#detail("stop preempt delay");
      this.#preemptNs = 0;
    } else if (this.#preemptNs === 0) {
      this.#detail(`start preempt delay (${Math.floor(preemptDelayUs / US_PER_SECOND)}.${String(preemptDelayUs % US_PER_SECOND).padStart(6, "0")})`);
      this.#preemptNs = now + preemptDelayUs * NS_PER_US;
    }
  }

  /** True when it is no longer master. */
  #hearAsMaster(packet: Ipv4Packet, advert: VrrpAdvert): boolean {
    const { config } = this;
    if (!this.#accepts(packet, advert, true)) return false;
    const from = formatIpv4Address(packet.src);
    const order = packet.src - this.source;
    const isStronger = advert.priority > this.priority || (advert.priority === this.priority && order > 0);
    if (advert.priority === PRIORITY_STOP || (config.higherPrioritySendsAdvert === true && isStronger)) {
      this.sendAdvert(this.priority);
      if (advert.priority === PRIORITY_STOP) {
        this.#detail("Master received priority 0 message");
        return false;
      }
    }
    if (advert.priority === this.priority) {
      if (order === 0) this.#log("WARNING - equal priority advert received from remote host with our IP address.");
      else if (this.priority === PRIORITY_OWNER) {
        this.#log("CONFIGURATION ERROR: local instance and a remote instance are both configured as address owner, please fix - reducing local priority");
        this.priority = PRIORITY_OWNER - 1;
        this.basePriority = PRIORITY_OWNER - 1;
      }
    }
    if (advert.priority < this.priority || (advert.priority === this.priority && order < 0)) {
      this.#answerLower(from, advert.priority);
      return false;
    }
    if (advert.priority === this.priority && order === 0) return false;
    if (advert.priority > this.priority) this.#log(`Master received advert from ${from} with higher priority ${advert.priority}, ours ${this.priority}`);
    else this.#log(`Master received advert from ${from} with same priority ${advert.priority} but higher IP address than ours`);
    this.#takeInterval(advert);
    this.resetDownTimer();
    this.wantState = "BACKUP";
    this.state = "BACKUP";
    return true;
  }

  #answerLower(from: string, priority: number): void {
    const { config } = this;
    const isQuiet = config.lowerPriorityNoAdvert === true;
    this.#log(`Received advert from ${from} with lower priority ${priority}, ours ${this.priority}${isQuiet ? "" : ", forcing new election"}`);
    if (this.config.authType === AUTH_AH) {
      this.#log("IPSEC-AH : Syncing seq_num - Increment seq");
      this.#authentication.sequence = (this.#header?.sequence ?? 0) + 1;
    }
    if (!isQuiet) this.sendAdvert(this.priority);
    for (const member of [this, ...(this.group?.members ?? []).filter((other) => other !== this)]) member.#renewArps();
    if (config.scripts.masterHeardLower !== undefined) this.#context.runScript(config.scripts.masterHeardLower, []);
    if (config.scripts.any !== undefined) this.#context.runScript(config.scripts.any, ["INSTANCE", this.name, "MASTER_RX_LOWER_PRI", String(this.priority)]);
  }

  #renewArps(): void {
    const repeats = this.config.garpLowerPriorityRepeats ?? 0;
    const delayUs = this.config.garpLowerPriorityDelayUs ?? 0;
    if (repeats === 0) return;
    this.sendArps(repeats);
    if (delayUs > 0) this.#context.daemon.after(delayUs, () => this.sendArps(repeats));
  }

  /* ------------------------------------------------------------------------------------------------------------- starting */

  /** The first state, when everything is known. */
  begin(): void {
    const before = this.state;
    if (this.state === "FAULT") this.wantState = "FAULT";
    const target = this.group?.state ?? this.wantState;
    const isUp = this.faults === 0;
    const isReady = this.waitingScripts === 0 && (this.group?.waitingMembers ?? 0) === 0;
    if (isUp && isReady && target === "MASTER" && this.wantState === "MASTER" && (this.isOwner || this.isReloadedMaster)) {
      if (this.isReloadedMaster) return;
      this.#context.roleChanged(this, "initial");
      this.state = "BACKUP";
      this.downTimerUs = 1;
      return;
    }
    if (target === "BACKUP" && this.wantState === "MASTER") this.downTimerUs = this.#masterIntervalUs + this.#skewUs(1);
    else this.resetDownTimer();
    this.#context.roleChanged(this, "initial");
    this.restoreInterface(false);
    if (isUp && target !== "FAULT" && isReady) {
      if (this.state !== "BACKUP") {
        this.#log("Entering BACKUP STATE (init)");
        this.state = "BACKUP";
      }
    } else {
      if (before !== this.state) this.#log("Entering FAULT STATE (init)");
      this.state = "FAULT";
    }
    if (before !== this.state && (this.state !== "FAULT" || this.faults > 0)) this.notify();
  }

  /** Takes over from the same instance of the configuration before. */
  inherit(old: Instance): void {
    this.counts = old.counts;
    this.#packetId = old.#packetId;
    this.#authentication.sequence = old.#authentication.sequence;
    this.#masterIntervalUs = old.#masterIntervalUs;
    this.#hasNotified = old.#hasNotified;
    this.#mail.state = old.#mail.state;
    this.#refreshNs = old.#refreshNs;
    this.isReloadedMaster = this.state === "MASTER";
    this.hasAddresses = old.hasAddresses;
    if (!this.hasAddresses) return;
    if (!this.addEntries(true)) return;
    this.sendArps(this.config.garpRepeats);
    this.armRefresh();
  }
}
