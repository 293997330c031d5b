/**
 * The load of a server as one number, and the comparison of two loads relative to their weights.
 *
 * Linux 6.1 include/net/ip_vs.h:ip_vs_dest_conn_overhead.
 */
import type { SchedulerDest } from "./scheduler.ts";

/**
 * Active connections weigh 256 times as much as inactive ones. From 6.1.183 on the second term is the total, so an
 * active connection counts 257. The sum is a C int and wraps like one.
 */
export function connOverhead(dest: SchedulerDest, includesTotal: boolean): number {
  return ((dest.activeConns << 8) + (includesTotal ? dest.totalConns : dest.inactConns)) | 0;
}

/**
 * Whether cost1/weight1 > cost2/weight2, without a division: the kernel compares the products as 64-bit integers. Products
 * that a double cannot hold exactly (weights near 2^31) take the slow, exact way.
 */
export function isLoadGreater(cost1: number, weight1: number, cost2: number, weight2: number): boolean {
  const product1 = cost1 * weight2;
  const product2 = cost2 * weight1;
  if (product1 <= Number.MAX_SAFE_INTEGER && product2 <= Number.MAX_SAFE_INTEGER) return product1 > product2;
  return BigInt(cost1) * BigInt(weight2) > BigInt(cost2) * BigInt(weight1);
}
