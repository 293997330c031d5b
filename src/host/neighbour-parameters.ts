/**
 * Per-device settings of neighbour entries: /proc/sys/net/ipv4/neigh/DEVICE/*. Field names are the kernel's.
 *
 * Linux v6.1 net/ipv4/arp.c (arp_tbl.parms), net/core/neighbour.c (neigh_sysctl_template).
 */

import { NS_PER_MS, NS_PER_SECOND } from "../base/time.ts";

/** Clock ticks a second in /proc (USER_HZ): the unit of locktime and the delays. */
const USER_HZ = 100;

/** What one queued packet of an Ethernet frame's length is taken to occupy (SKB_TRUESIZE of 1514 bytes). */
const QUEUED_PACKET_BYTES = 2090;

export class NeighbourParameters {
  anycast_delay = 100;
  app_solicit = 0;
  base_reachable_time_ms = 30000;
  delay_first_probe_time = 5;
  gc_stale_time = 60;
  interval_probe_time_ms = 5000;
  locktime = 100;
  mcast_resolicit = 0;
  mcast_solicit = 3;
  proxy_delay = 80;
  proxy_qlen = 64;
  retrans_time_ms = 1000;
  ucast_solicit = 3;
  unres_qlen_bytes = 212992;

  /** unres_qlen is the same bound counted in packets (net/core/neighbour.c:proc_unres_qlen). */
  get unres_qlen(): number {
    return Math.trunc(this.unres_qlen_bytes / QUEUED_PACKET_BYTES);
  }

  set unres_qlen(packets: number) {
    this.unres_qlen_bytes = packets * QUEUED_PACKET_BYTES;
  }

  get retransTimeNs(): number {
    return this.retrans_time_ms * NS_PER_MS;
  }

  get delayFirstProbeNs(): number {
    return this.delay_first_probe_time * NS_PER_SECOND;
  }

  get gcStaleTimeNs(): number {
    return this.gc_stale_time * NS_PER_SECOND;
  }

  get locktimeNs(): number {
    return (this.locktime * NS_PER_SECOND) / USER_HZ;
  }

  get proxyDelayNs(): number {
    return (this.proxy_delay * NS_PER_SECOND) / USER_HZ;
  }
}

/** The settings as `sysctl -a` lists them. */
export const NEIGHBOUR_KEYS = [
  "anycast_delay",
  "app_solicit",
  "base_reachable_time_ms",
  "delay_first_probe_time",
  "gc_stale_time",
  "interval_probe_time_ms",
  "locktime",
  "mcast_resolicit",
  "mcast_solicit",
  "proxy_delay",
  "proxy_qlen",
  "retrans_time_ms",
  "ucast_solicit",
  "unres_qlen",
  "unres_qlen_bytes",
] as const;

export type NeighbourKey = (typeof NEIGHBOUR_KEYS)[number];
