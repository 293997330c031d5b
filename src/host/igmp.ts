/**
 * The multicast groups of one device, and the IGMP reports that tell routers and switches of them.
 *
 *   version 3: a change is reported twice to 224.0.0.22, two ticks later and again up to a second after that
 *   version 2 (force_igmp_version): to the group itself, the second time up to ten seconds later; leaving to 224.0.0.2 at once
 *
 * Linux v6.1 net/ipv4/igmp.c (__ip_mc_inc_group, ip_mc_dec_group, ip_mc_up, ip_mc_down, igmp_ifc_event, igmp_ifc_timer_expire,
 * igmpv3_send_cr, igmpv3_newpack, igmp_timer_expire, igmp_send_report, igmp_heard_report); RFC 3376, RFC 2236. Not modelled: source
 * filters, and answers to queries, since nobody in the simulated world asks.
 */

import type { Ipv4Address } from "../base/ipv4-address.ts";
import { NS_PER_SECOND } from "../base/time.ts";
import type { EventTarget } from "../kernel/event-loop.ts";
import type { RandomStream } from "../kernel/random.ts";
import { Timer } from "../kernel/timer.ts";
import { put16, put32 } from "../wire/byte-order.ts";
import { internetChecksum } from "../wire/checksum.ts";
import { encodeIgmp, type IgmpRecord } from "../wire/igmp.ts";
import { Ipv4Packet, RawPayload } from "../wire/packet.ts";
import type { NetDevice } from "./device.ts";
import { type Host, isRouteError, type SysctlCell } from "./host.ts";
import { SkBuff } from "./skb.ts";

export const PROTOCOL_IGMP = 2;
/** 224.0.0.1: every host. */
export const ALL_HOSTS_GROUP = 0xe0000001;
const ALL_ROUTERS_GROUP = 0xe0000002;
/** 224.0.0.22: where version 3 reports go. */
const REPORT_GROUP = 0xe0000016;

const TYPE_V1_REPORT = 0x12;
const TYPE_V2_REPORT = 0x16;
const TYPE_V2_LEAVE = 0x17;
const SHORT_MESSAGE_BYTES = 8;
/** Timers of IGMP run out two ticks later at the earliest. */
const LEAST_TICKS = 2;
const RECORD_IS_EXCLUDE = 2;
const RECORD_TO_INCLUDE = 3;
const RECORD_TO_EXCLUDE = 4;
const RECORD_BYTES = 8;
/** IP header with the router alert option, header of the report. */
const REPORT_OVERHEAD_BYTES = 24 + 8;
const IPV4_MIN_MTU = 68;
const INTERNETWORK_CONTROL = 0xc0;
const ROUTER_ALERT = new Uint8Array([0x94, 4, 0, 0]);

/** What all devices of a host share. */
export interface IgmpSettings {
  readonly host: Host;
  /** How often a change is reported (the robustness variable). */
  readonly robustness: SysctlCell;
  isReported(group: Ipv4Address): boolean;
}

/** One joined group (struct ip_mc_list). */
class Membership {
  readonly group: Ipv4Address;
  users = 1;
  /** Reports of the change that are still to be sent (crcount); versions 1 and 2: unsolicit_count. */
  reportsLeft = 0;
  /** Versions 1 and 2: this host was the last to report the group, so that its leaving matters. */
  isReporter = false;
  /** Versions 1 and 2: the group's next report. */
  timer: Timer | undefined = undefined;

  constructor(group: Ipv4Address) {
    this.group = group;
  }
}

/** The groups of one device (the multicast part of struct in_device). */
export class DeviceGroups implements EventTarget {
  /** In order of joining. */
  readonly members = new Map<Ipv4Address, Membership>();
  /** Groups that were left, with how many reports of it are still to be sent. */
  readonly #left = new Map<Ipv4Address, number>();
  readonly #settings: IgmpSettings;
  readonly #device: NetDevice;
  readonly #timer: Timer;
  readonly #random: RandomStream;
  /** How often the timer starts again (mr_ifc_count). */
  #rounds = 0;

  constructor(settings: IgmpSettings, device: NetDevice) {
    this.#settings = settings;
    this.#device = device;
    this.#timer = new Timer(settings.host.loop, this);
    this.#random = settings.host.random(`igmp/${device.name}`);
  }

  /** True for the first user. */
  join(group: Ipv4Address): boolean {
    const known = this.members.get(group);
    if (known !== undefined) {
      known.users++;
      return false;
    }
    const member = new Membership(group);
    this.members.set(group, member);
    this.#added(member);
    return true;
  }

  /** True for the last user. */
  leave(group: Ipv4Address): boolean {
    const member = this.members.get(group) as Membership;
    if (--member.users > 0) return false;
    this.members.delete(group);
    this.#dropped(member);
    return true;
  }

  /** ip_mc_up */
  up(): void {
    this.join(ALL_HOSTS_GROUP);
    for (const member of this.members.values()) this.#added(member);
  }

  /** ip_mc_down: the groups stay; the device's coming up tells of them anew. */
  down(): void {
    for (const member of this.members.values()) this.#dropped(member);
    this.#rounds = 0;
    this.#timer.disarm();
    if (this.members.has(ALL_HOSTS_GROUP)) this.leave(ALL_HOSTS_GROUP);
  }

  /** Versions 1 and 2: somebody else has reported a group, one report is enough. igmp_heard_report */
  heard(bytes: Uint8Array, group: Ipv4Address): void {
    if (bytes[0] !== TYPE_V1_REPORT && bytes[0] !== TYPE_V2_REPORT) return;
    const member = this.members.get(group);
    if (member?.timer === undefined) return;
    member.timer.disarm();
    member.isReporter = false;
  }

  /** In which IGMP version this device speaks: 3 unless it is forced. */
  get version(): number {
    const { all } = this.#settings.host.sysctl;
    const own = this.#device.conf.force_igmp_version;
    if (all.force_igmp_version === 1 || own === 1) return 1;
    return all.force_igmp_version === 2 || own === 2 ? 2 : 3;
  }

  /** igmp_group_added */
  #added(member: Membership): void {
    this.#left.delete(member.group);
    if (!this.#settings.isReported(member.group)) return;
    member.reportsLeft = this.#settings.robustness.value;
    if (this.version === 3) {
      this.#changed();
      return;
    }
    member.timer ??= new Timer(this.#settings.host.loop, this, member);
    this.#startTimer(member.timer, 1);
  }

  /** igmp_group_dropped */
  #dropped(member: Membership): void {
    const { group, isReporter } = member;
    if (!this.#settings.isReported(group)) return;
    member.timer?.disarm();
    member.isReporter = false;
    if (this.version === 3) {
      this.#left.delete(group);
      this.#left.set(group, this.#settings.robustness.value);
      this.#changed();
    } else if (this.version === 2 && isReporter) this.#sendShort(TYPE_V2_LEAVE, group, ALL_ROUTERS_GROUP);
  }

  /** igmp_ifc_event */
  #changed(): void {
    this.#rounds = this.#settings.robustness.value;
    this.#startTimer(this.#timer, 1);
  }

  #startTimer(timer: Timer, rangeTicks: number): void {
    const { hz } = this.#settings.host.options;
    timer.arm(Math.ceil(((LEAST_TICKS + this.#random.below(rangeTicks)) * NS_PER_SECOND) / hz));
  }

  /** Up to how many ticks later a report is repeated. */
  #repeatTicks(): number {
    const { conf } = this.#device;
    const ms = this.version === 3 ? conf.igmpv3_unsolicited_report_interval : conf.igmpv2_unsolicited_report_interval;
    return Math.max(1, Math.floor((ms * this.#settings.host.options.hz) / 1000));
  }

  /** igmp_ifc_timer_expire; with a member, igmp_timer_expire. */
  onEvent(member: unknown): void {
    if (member instanceof Membership) {
      this.#reportMember(member);
      return;
    }
    this.#sendChanges();
    if (this.#rounds === 0) return;
    this.#rounds--;
    this.#startTimer(this.#timer, this.#repeatTicks());
  }

  #reportMember(member: Membership): void {
    if (--member.reportsLeft > 0 && member.timer !== undefined) this.#startTimer(member.timer, this.#repeatTicks());
    member.isReporter = true;
    const { group } = member;
    if (this.version === 3) this.#sendRecords([{ type: RECORD_IS_EXCLUDE, group, sources: [] }]);
    else this.#sendShort(this.version === 1 ? TYPE_V1_REPORT : TYPE_V2_REPORT, group, group);
  }

  /** igmpv3_send_cr: one report of every change that was not told often enough, groups left before groups joined, the latest first. */
  #sendChanges(): void {
    const records: IgmpRecord[] = [];
    for (const [group, count] of [...this.#left].reverse()) {
      records.push({ type: RECORD_TO_INCLUDE, group, sources: [] });
      if (count === 1) this.#left.delete(group);
      else this.#left.set(group, count - 1);
    }
    for (const member of [...this.members.values()].reverse()) {
      if (member.reportsLeft <= 0 || !this.#settings.isReported(member.group)) continue;
      member.reportsLeft--;
      records.push({ type: RECORD_TO_EXCLUDE, group: member.group, sources: [] });
    }
    this.#sendRecords(records);
  }

  #sendRecords(records: readonly IgmpRecord[]): void {
    const { mtu } = this.#device;
    if (mtu < IPV4_MIN_MTU) return;
    const recordsMax = Math.floor((mtu - REPORT_OVERHEAD_BYTES) / RECORD_BYTES);
    for (let at = 0; at < records.length; at += recordsMax) this.#send(encodeIgmp({ records: records.slice(at, at + recordsMax) }), REPORT_GROUP, true);
  }

  /** A message of version 1 or 2. */
  #sendShort(type: number, group: Ipv4Address, to: Ipv4Address): void {
    const bytes = new Uint8Array(SHORT_MESSAGE_BYTES);
    bytes[0] = type;
    put32(bytes, 4, group);
    put16(bytes, 2, internetChecksum(bytes));
    this.#send(bytes, to, false);
  }

  #send(bytes: Uint8Array, to: Ipv4Address, needsOwnSource: boolean): void {
    const { host } = this.#settings;
    const device = this.#device;
    const route = host.routing.output({ dst: to, device });
    if (isRouteError(route)) return;
    // In a report of version 3 only an address of the device itself will do (RFC 3376 section 4.2.13).
    const mayUseSource = !needsOwnSource || device.addresses.some((own) => own.address === route.source);
    const packet = new Ipv4Packet(mayUseSource ? route.source : 0, to, PROTOCOL_IGMP, 1, new RawPayload(bytes));
    packet.tos = INTERNETWORK_CONTROL;
    packet.dontFragment = true;
    packet.options = ROUTER_ALERT;
    const skb = new SkBuff(packet, undefined, true);
    skb.route = route;
    host.ip.localOut(skb);
  }
}
