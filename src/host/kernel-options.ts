/**
 * Where Linux versions differ: named options. The defaults are those of the reference kernel, 6.1.176.
 */

export interface KernelOptions {
  /** What `uname -r` prints. */
  readonly release: string;
  /** Timer ticks a second: jiffies in /proc/net/ip_vs. */
  readonly hz: number;
  /** Built for several CPUs: then the one ICMP socket of a CPU is really locked while a message is on its way out (icmp_xmit_lock). */
  readonly isMultiprocessor: boolean;
  /** lc, wlc, lblc, lblcr, twos compare active*256 + total instead of active*256 + inactive, and the overload flag follows totals (6.1.183). */
  readonly ipvsOverheadIncludesTotal: boolean;
  /** dh, sh, lblc and lblcr take the low bits of a product (before hash_32, about 4.18). */
  readonly ipvsHashTakesLowBits: boolean;
  /** lblc and lblcr make no new entry once their table is half over its size (6.1.191). */
  readonly ipvsCacheGrowthCapped: boolean;
  /** IPVS decrements TTL on requests (4.10). */
  readonly ipvsDecrementsTtl: boolean;
  /** SYN_RECV, SYN_SENT and SYNACK count as active (4.8). */
  readonly ipvsCountsPreEstablished: boolean;
  /** expire_nodest_conn removes connections at once instead of at their next packet (5.9). */
  readonly ipvsFlushesNoDestConns: boolean;
  /** conn_reuse_mode exists (4.1); without it entries are reused as they are. */
  readonly ipvsReuseMode: boolean;
  /** A packet that comes out of a tunnel, or goes into one, is still marked as handled by IPVS: ignore_tunneled has its effect (before 6.14, stable kernels of early 2025). */
  readonly tunnelKeepsIpvsMark: boolean;
  /** twos can be used (built since 5.15, but not by Debian). */
  readonly ipvsHasTwos: boolean;
  /** Network-address broadcast routes (x.x.x.0) are added to table local (before 5.14). */
  readonly networkBroadcastRoutes: boolean;
  /** The first four SYN retransmissions come 1 s apart (6.5). */
  readonly tcpSynLinearTimeouts: number;
}

export const KERNEL_6_1_176: KernelOptions = {
  release: "6.1.176",
  hz: 100,
  isMultiprocessor: false,
  ipvsOverheadIncludesTotal: false,
  ipvsHashTakesLowBits: false,
  ipvsCacheGrowthCapped: false,
  ipvsDecrementsTtl: true,
  ipvsCountsPreEstablished: true,
  ipvsFlushesNoDestConns: true,
  ipvsReuseMode: true,
  tunnelKeepsIpvsMark: false,
  ipvsHasTwos: false,
  networkBroadcastRoutes: false,
  tcpSynLinearTimeouts: 0,
};
