/**
 * The groups that one socket has joined: each once a device, given back when the socket closes. For UDP sockets and raw ones alike.
 *
 * Linux v6.1 net/ipv4/igmp.c (ip_mc_find_dev, __ip_mc_join_group, ip_mc_leave_group, ip_mc_drop_socket).
 */

import { type Ipv4Address, isMulticast } from "../base/ipv4-address.ts";
import type { NetDevice } from "./device.ts";
import { type Errno, type Host, isRouteError, type SysctlCell } from "./host.ts";

export class SocketMemberships {
  readonly #host: Host;
  readonly #countMax: SysctlCell;
  readonly #joined: { readonly group: Ipv4Address; readonly device: NetDevice }[] = [];

  constructor(host: Host) {
    this.#host = host;
    this.#countMax = host.sysctl.registerInteger("net.ipv4.igmp_max_memberships", 20);
  }

  join(group: Ipv4Address, wanted?: NetDevice): Errno | undefined {
    if (!isMulticast(group)) return "EINVAL";
    const device = wanted ?? this.#deviceFor(group);
    if (device === undefined) return "ENODEV";
    if (this.#find(group, device) >= 0) return "EADDRINUSE";
    if (this.#joined.length >= this.#countMax.value) return "ENOBUFS";
    const errno = this.#host.multicast.join(group, device);
    if (errno === undefined) this.#joined.push({ group, device });
    return errno;
  }

  leave(group: Ipv4Address, wanted?: NetDevice): Errno | undefined {
    const device = wanted ?? this.#deviceFor(group);
    if (device === undefined) return "ENODEV";
    const index = this.#find(group, device);
    if (index < 0) return "EADDRNOTAVAIL";
    this.#joined.splice(index, 1);
    return this.#host.multicast.leave(group, device);
  }

  leaveAll(): void {
    for (const { group, device } of this.#joined.splice(0)) this.#host.multicast.leave(group, device);
  }

  #find(group: Ipv4Address, device: NetDevice): number {
    return this.#joined.findIndex((one) => one.group === group && one.device === device);
  }

  #deviceFor(group: Ipv4Address): NetDevice | undefined {
    const route = this.#host.routing.output({ dst: group });
    return isRouteError(route) ? undefined : route.device;
  }
}
