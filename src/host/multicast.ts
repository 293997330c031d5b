/**
 * Which multicast groups this host hears, device by device, and the IGMP reports that tell routers and switches so.
 *
 * Every user of a group (a socket, a part of the kernel) counts: the first makes the host a member, the last one gone ends it. Both are
 * reported twice: after two ticks, and again up to a second later. 224.0.0.1 is joined while a device is up, and never reported.
 *
 * Linux v6.1 net/ipv4/igmp.c (__ip_mc_inc_group, ip_mc_dec_group, ip_mc_up, ip_mc_down, igmp_ifc_event, igmp_ifc_timer_expire,
 * igmpv3_send_cr, igmpv3_newpack); RFC 3376. Not modelled: source filters, answers to queries (nobody in the simulated world asks),
 * versions 1 and 2.
 */

import { type Ipv4Address, isMulticast } from "../base/ipv4-address.ts";
import { NS_PER_SECOND } from "../base/time.ts";
import type { EventTarget } from "../kernel/event-loop.ts";
import type { RandomStream } from "../kernel/random.ts";
import { Timer } from "../kernel/timer.ts";
import { encodeIgmp, type IgmpRecord } from "../wire/igmp.ts";
import { Ipv4Packet, RawPayload } from "../wire/packet.ts";
import type { NetDevice } from "./device.ts";
import { type Errno, type Host, isRouteError, type MulticastGroups, type SysctlCell } from "./host.ts";
import { SkBuff } from "./skb.ts";

export const PROTOCOL_IGMP = 2;
/** 224.0.0.1: every host. */
export const ALL_HOSTS_GROUP = 0xe0000001;
/** 224.0.0.22: where version 3 reports go. */
export const IGMP_REPORT_GROUP = 0xe0000016;

const GROUPS_MAX = 65_536;
/** igmp_ifc_start_timer: at the earliest two ticks later. */
const LEAST_TICKS = 2;
const RECORD_TO_INCLUDE = 3;
const RECORD_TO_EXCLUDE = 4;
const RECORD_BYTES = 8;
/** IP header with the router alert option, header of the report. */
const REPORT_OVERHEAD_BYTES = 24 + 8;
const IPV4_MIN_MTU = 68;
const INTERNETWORK_CONTROL = 0xc0;
const ROUTER_ALERT = new Uint8Array([0x94, 4, 0, 0]);

/** One joined group (struct ip_mc_list). */
export interface Membership {
  readonly group: Ipv4Address;
  users: number;
  /** Reports of the change that are still to be sent (crcount). */
  reportsLeft: number;
}

export class Multicast implements MulticastGroups {
  readonly host: Host;
  /** How often a change is reported (the robustness variable). */
  readonly robustness: SysctlCell;
  readonly #reportsLinkLocal: SysctlCell;
  readonly #devices = new Map<NetDevice, DeviceGroups>();

  constructor(host: Host) {
    this.host = host;
    this.robustness = host.sysctl.registerInteger("net.ipv4.igmp_qrv", 2, { min: 1 });
    this.#reportsLinkLocal = host.sysctl.registerInteger("net.ipv4.igmp_link_local_mcast_reports", 1, { min: 0, max: 1 });
    // What comes in for IGMP is a report of somebody else, which version 3 does not listen to.
    host.ip.registerProtocol(PROTOCOL_IGMP, { receive: () => {} });
  }

  join(group: Ipv4Address, device: NetDevice): Errno | undefined {
    if (!isMulticast(group)) return "EINVAL";
    const groups = this.#groupsOf(device);
    if (groups.members.size >= GROUPS_MAX) return "ENOBUFS";
    if (groups.join(group)) this.host.fib.touch();
    return undefined;
  }

  leave(group: Ipv4Address, device: NetDevice): Errno | undefined {
    const groups = this.#devices.get(device);
    if (groups === undefined || !groups.members.has(group)) return "EADDRNOTAVAIL";
    if (groups.leave(group)) this.host.fib.touch();
    return undefined;
  }

  isMember(group: Ipv4Address, device: NetDevice): boolean {
    return this.#devices.get(device)?.members.has(group) === true;
  }

  /** In the order of /proc/net/igmp: the latest first. */
  groups(device: NetDevice): readonly Membership[] {
    return [...(this.#devices.get(device)?.members.values() ?? [])].reverse();
  }

  isReported(group: Ipv4Address): boolean {
    return group !== ALL_HOSTS_GROUP && (group >>> 8 !== 0xe00000 || this.#reportsLinkLocal.value !== 0);
  }

  deviceUp(device: NetDevice): void {
    this.#groupsOf(device).up();
    this.host.fib.touch();
  }

  deviceDown(device: NetDevice): void {
    this.#devices.get(device)?.down();
    this.host.fib.touch();
  }

  deviceRemoved(device: NetDevice): void {
    this.#devices.get(device)?.down();
    this.#devices.delete(device);
  }

  #groupsOf(device: NetDevice): DeviceGroups {
    let groups = this.#devices.get(device);
    if (groups === undefined) {
      groups = new DeviceGroups(this, device);
      this.#devices.set(device, groups);
    }
    return groups;
  }
}

/** The groups of one device (the multicast part of struct in_device). */
class DeviceGroups implements EventTarget {
  /** In order of joining. */
  readonly members = new Map<Ipv4Address, Membership>();
  /** Groups that were left, with the reports of it that are still to be sent. */
  readonly #left = new Map<Ipv4Address, Membership>();
  readonly #multicast: Multicast;
  readonly #device: NetDevice;
  readonly #timer: Timer;
  readonly #random: RandomStream;
  /** How often the timer starts again (mr_ifc_count). */
  #rounds = 0;

  constructor(multicast: Multicast, device: NetDevice) {
    this.#multicast = multicast;
    this.#device = device;
    this.#timer = new Timer(multicast.host.loop, this);
    this.#random = multicast.host.random(`igmp/${device.name}`);
  }

  /** True for the first user. */
  join(group: Ipv4Address): boolean {
    const known = this.members.get(group);
    if (known !== undefined) {
      known.users++;
      return false;
    }
    const member: Membership = { group, users: 1, reportsLeft: 0 };
    this.members.set(group, member);
    this.#added(member);
    return true;
  }

  /** True for the last user. */
  leave(group: Ipv4Address): boolean {
    const member = this.members.get(group) as Membership;
    if (--member.users > 0) return false;
    this.members.delete(group);
    this.#dropped(group);
    return true;
  }

  /** ip_mc_up */
  up(): void {
    this.join(ALL_HOSTS_GROUP);
    for (const member of this.members.values()) this.#added(member);
  }

  /** ip_mc_down: the groups stay, silently; the device's coming up tells of them anew. */
  down(): void {
    for (const group of this.members.keys()) this.#dropped(group);
    this.#rounds = 0;
    this.#timer.disarm();
    if (this.members.has(ALL_HOSTS_GROUP)) this.leave(ALL_HOSTS_GROUP);
  }

  /** igmp_group_added */
  #added(member: Membership): void {
    this.#left.delete(member.group);
    if (!this.#multicast.isReported(member.group)) return;
    member.reportsLeft = this.#multicast.robustness.value;
    this.#changed();
  }

  /** igmp_group_dropped */
  #dropped(group: Ipv4Address): void {
    if (!this.#multicast.isReported(group)) return;
    this.#left.delete(group);
    this.#left.set(group, { group, users: 0, reportsLeft: this.#multicast.robustness.value });
    this.#changed();
  }

  /** igmp_ifc_event */
  #changed(): void {
    this.#rounds = this.#multicast.robustness.value;
    this.#startTimer(1);
  }

  #startTimer(rangeTicks: number): void {
    const { hz } = this.#multicast.host.options;
    this.#timer.arm(Math.ceil(((LEAST_TICKS + this.#random.below(rangeTicks)) * NS_PER_SECOND) / hz));
  }

  /** igmp_ifc_timer_expire */
  onEvent(): void {
    this.#sendChanges();
    if (this.#rounds === 0) return;
    this.#rounds--;
    const { hz } = this.#multicast.host.options;
    this.#startTimer(Math.max(1, Math.floor((this.#device.conf.igmpv3_unsolicited_report_interval * hz) / 1000)));
  }

  /** igmpv3_send_cr: one report of every change that was not told often enough, groups left before groups joined, the latest first. */
  #sendChanges(): void {
    const records: IgmpRecord[] = [];
    for (const left of [...this.#left.values()].reverse()) {
      records.push({ type: RECORD_TO_INCLUDE, group: left.group, sources: [] });
      if (--left.reportsLeft === 0) this.#left.delete(left.group);
    }
    for (const member of [...this.members.values()].reverse()) {
      if (member.reportsLeft === 0) continue;
      member.reportsLeft--;
      records.push({ type: RECORD_TO_EXCLUDE, group: member.group, sources: [] });
    }
    const { mtu } = this.#device;
    if (mtu < IPV4_MIN_MTU) return;
    const recordsMax = Math.floor((mtu - REPORT_OVERHEAD_BYTES) / RECORD_BYTES);
    for (let at = 0; at < records.length; at += recordsMax) this.#send(records.slice(at, at + recordsMax));
  }

  #send(records: readonly IgmpRecord[]): void {
    const { host } = this.#multicast;
    const device = this.#device;
    const route = host.routing.output({ dst: IGMP_REPORT_GROUP, device });
    if (isRouteError(route)) return;
    // Only an address of the device itself will do (RFC 3376 section 4.2.13).
    const source = device.addresses.some((own) => own.address === route.source) ? route.source : 0;
    const packet = new Ipv4Packet(source, IGMP_REPORT_GROUP, PROTOCOL_IGMP, 1, new RawPayload(encodeIgmp({ records })));
    packet.tos = INTERNETWORK_CONTROL;
    packet.dontFragment = true;
    packet.options = ROUTER_ALERT;
    const skb = new SkBuff(packet, undefined, true);
    skb.route = route;
    host.ip.localOut(skb);
  }
}
