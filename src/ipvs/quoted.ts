/**
 * Packets quoted inside ICMP errors: reading and rewriting them as NAT must.
 *
 * Linux v6.1 net/netfilter/ipvs/ip_vs_core.c (ip_vs_nat_icmp).
 */

import type { Ipv4Address } from "../base/ipv4-address.ts";
import { IcmpMessage, type Ipv4Packet, TcpSegment, UdpDatagram } from "../wire/packet.ts";

/** Changes ends of the packet that `ip`, a writable ICMP error, quotes. */
export function rewriteQuoted(ip: Ipv4Packet, change: { readonly src?: Ipv4Address; readonly srcPort?: number; readonly dst?: Ipv4Address; readonly dstPort?: number }): void {
  const icmp = ip.payload;
  if (!(icmp instanceof IcmpMessage) || icmp.quoted === undefined) return;
  const quoted = icmp.quoted.copy();
  const { payload } = quoted;
  if (payload instanceof TcpSegment || payload instanceof UdpDatagram) {
    const ports = payload.copy();
    if (change.srcPort !== undefined) ports.srcPort = change.srcPort;
    if (change.dstPort !== undefined) ports.dstPort = change.dstPort;
    quoted.payload = ports;
  }
  if (change.src !== undefined) quoted.src = change.src;
  if (change.dst !== undefined) quoted.dst = change.dst;
  icmp.quoted = quoted;
}
