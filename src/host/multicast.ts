/**
 * Which multicast groups this host hears, device by device. Every user of a group (a socket, a part of the kernel) counts: the first makes
 * the host a member, the last one gone ends it, and IGMP tells the network of both. 224.0.0.1 is joined while a device is up.
 *
 * Linux v6.1 net/ipv4/igmp.c (ip_mc_inc_group, ip_mc_dec_group, ip_check_mc_rcu, igmp_rcv).
 */

import { type Ipv4Address, isMulticast } from "../base/ipv4-address.ts";
import { get32 } from "../wire/byte-order.ts";
import { RawPayload } from "../wire/packet.ts";
import type { NetDevice } from "./device.ts";
import type { Errno, Host, MulticastGroups, ProtocolHandler, SysctlCell } from "./host.ts";
import { ALL_HOSTS_GROUP, DeviceGroups, type IgmpSettings, PROTOCOL_IGMP } from "./igmp.ts";
import type { SkBuff } from "./skb.ts";

/** Bound on the groups of one device. */
const GROUPS_MAX = 65_536;
const IGMP_BYTES_LEAST = 8;

export class Multicast implements MulticastGroups, IgmpSettings, ProtocolHandler {
  readonly host: Host;
  readonly robustness: SysctlCell;
  readonly #reportsLinkLocal: SysctlCell;
  readonly #devices = new Map<NetDevice, DeviceGroups>();

  constructor(host: Host) {
    this.host = host;
    this.robustness = host.sysctl.registerInteger("net.ipv4.igmp_qrv", 2, { min: 1 });
    this.#reportsLinkLocal = host.sysctl.registerInteger("net.ipv4.igmp_link_local_mcast_reports", 1, { min: 0, max: 1 });
    host.ip.registerProtocol(PROTOCOL_IGMP, this);
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

  groups(device: NetDevice): readonly { readonly group: Ipv4Address; readonly users: number }[] {
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

  /** Reports of other hosts, which only the older versions listen to. */
  receive(skb: SkBuff): void {
    const { payload } = skb.ip;
    // A packet of this host that was looped back still has the route that it left by.
    const isOwn = skb.route?.device.kind !== "loopback";
    if (isOwn || !(payload instanceof RawPayload) || payload.bytes.length < IGMP_BYTES_LEAST || skb.device === undefined || skb.packetType === "host") return;
    this.#devices.get(skb.device)?.heard(payload.bytes, get32(payload.bytes, 4));
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
