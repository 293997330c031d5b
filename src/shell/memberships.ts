/**
 * Which groups a device has joined, as ip maddr, netstat -g and /proc/net/dev_mcast tell: of the link, of IPv4, and of IPv6, whose nodes are in
 * their two groups even where no address is configured.
 *
 * Linux v6.1 net/ipv4/igmp.c (ip_mc_filter_add), arp.c (arp_mc_map), net/ipv6/mcast.c (ipv6_mc_init_dev), include/net/ip.h (ip_ipgre_mc_map).
 */

import type { Ipv4Address } from "../base/ipv4-address.ts";
import type { NetDevice } from "../host/device.ts";
import type { Host } from "../host/host.ts";

export interface LinkMembership {
  readonly bytes: readonly number[];
  readonly users: number;
}

export interface Memberships {
  readonly link: readonly LinkMembership[];
  /** Newest first. */
  readonly inet: readonly { readonly group: Ipv4Address; readonly users: number }[];
  readonly inet6: readonly string[];
}

const ALL_NODES_V6: readonly number[] = [0x33, 0x33, 0, 0, 0, 1];

export function membershipsOf(host: Host, device: NetDevice): Memberships {
  const inet = host.multicast.groups(device);
  const isFallback = device.name === "tunl0" || device.name === "gre0";
  const inet6 = isFallback && !device.hasBeenUp ? [] : ["ff02::1", "ff01::1"];
  return { link: linkGroups(device, inet, inet6.length > 0), inet, inet6 };
}

function linkGroups(device: NetDevice, inet: Memberships["inet"], hasInet6: boolean): readonly LinkMembership[] {
  if (device.kind === "loopback" || device.kind === "tunnel") return [];
  // While a device is down its groups stay joined, but the link does not listen to them.
  const joined = device.isUp ? inet.map(({ group }) => group).reverse() : [];
  if (device.kind === "gre") {
    const remote = device.tunnel?.remote ?? 0;
    // With a far end every group is sent there, that of IPv6 too.
    if (remote === 0) return joined.map((group) => ({ bytes: bytesOf(group), users: 1 }));
    const users = joined.length + (hasInet6 ? 1 : 0);
    return users === 0 ? [] : [{ bytes: bytesOf(remote), users }];
  }
  const mapped = joined.map((group) => ({ bytes: [0x01, 0x00, 0x5e, (group >>> 16) & 0x7f, (group >>> 8) & 0xff, group & 0xff], users: 1 }));
  return hasInet6 ? [{ bytes: ALL_NODES_V6, users: 1 }, ...mapped] : mapped;
}

function bytesOf(address: Ipv4Address): number[] {
  return [address >>> 24, (address >>> 16) & 0xff, (address >>> 8) & 0xff, address & 0xff];
}

export function hexBytes(bytes: readonly number[], separator: string): string {
  return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(separator);
}
