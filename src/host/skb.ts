/**
 * A packet inside one host, with what the host knows about it: Linux's struct sk_buff. Made when a packet enters the host (from a device or
 * a socket), gone when it leaves. Only `ip` and `confirmsNeighbour` travel on.
 */

import { broken } from "../base/assert.ts";
import type { MacAddress } from "../base/mac-address.ts";
import { IcmpMessage, type Ipv4Packet, TcpSegment, UdpDatagram } from "../wire/packet.ts";
import type { ConntrackEntry } from "./netfilter/conntrack-entry.ts";
import type { NetDevice } from "./device.ts";
import type { Route } from "./route.ts";

/** How the frame was addressed at layer 2 (skb->pkt_type). */
export type PacketType = "host" | "broadcast" | "multicast" | "otherhost" | "outgoing";

/** State of the packet within its conntrack entry (enum ip_conntrack_info). */
export type ConntrackInfo = "NEW" | "ESTABLISHED" | "RELATED" | "ESTABLISHED_REPLY" | "RELATED_REPLY" | "UNTRACKED";

/** What was sent as this packet and is not sent again while the packet still waits in this host (skb_still_in_host_queue). */
export interface Original {
  /** Packets of it that wait for a neighbour. */
  waitingCount: number;
}

export class SkBuff {
  /** Frozen while `isWritable` is false: it may be shared with frames, captures and other hosts. */
  ip: Ipv4Packet;
  isWritable: boolean;
  /** The device that it arrived on; undefined for a packet of this host's own until it comes back over lo. */
  device: NetDevice | undefined;
  packetType: PacketType = "host";
  /** Source MAC of the frame that brought it (0: none): for ARP learning checks, LOG and mac matches. */
  sourceMac: MacAddress = 0;
  mark = 0;
  route: Route | undefined = undefined;
  /** Next hop that overrides the route's (IPVS direct routing sends to the real server's MAC); 0: none. */
  nextHop = 0;
  conntrack: ConntrackEntry | undefined = undefined;
  conntrackInfo: ConntrackInfo | undefined = undefined;
  /** IPVS has handled it and must not again (skb->ipvs_property). */
  isIpvsHandled = false;
  /** Options that rerouting and redirects need (IPCB(skb)->flags). */
  isForwarded = false;
  isRerouted = false;
  /** Fragment it when it does not fit even if DF is set (skb->ignore_df). */
  ignoresDontFragment = false;
  /** Members of its group on this host get no copy (IP_MULTICAST_LOOP off). */
  skipsLoopback = false;
  /** Size of the largest fragment that it was put together from, 0: none (IPCB(skb)->frag_max_size): on its way out it is cut no larger. */
  fragmentMaxBytes = 0;
  original: Original | undefined = undefined;
  /** TCP made progress: whoever has the next hop is there, and its neighbour entry need not be probed (skb->dst_pending_confirm). Travels with the frame. */
  confirmsNeighbour = false;
  /** What an error about this packet quotes instead of it: the datagram that it was taken out of (fou.c leaves the outer header where it is). */
  container: Ipv4Packet | undefined = undefined;
  /** Trace record that this packet's latest fate follows from. */
  cause = 0;

  constructor(ip: Ipv4Packet, device: NetDevice | undefined, isWritable = false) {
    this.ip = ip;
    this.device = device;
    this.isWritable = isWritable;
  }

  /**
   * Makes `ip` and its transport header this skb's own, copying them once when they are shared (skb_ensure_writable).
   * Payload bytes stay shared: nobody writes into them. A quoted packet inside an ICMP error is copied by who changes it.
   */
  makeWritable(): Ipv4Packet {
    if (this.isWritable) return this.ip;
    const ip = this.ip.copy();
    const payload = ip.payload;
    if (payload instanceof TcpSegment || payload instanceof UdpDatagram || payload instanceof IcmpMessage) ip.payload = payload.copy();
    this.ip = ip;
    this.isWritable = true;
    return ip;
  }

  /** A header to change now, its payload possibly shared: enough for TTL and TOS. `makeWritable` still copies before it is changed further. */
  copyHeader(): Ipv4Packet {
    if (!this.isWritable) this.ip = this.ip.copy();
    return this.ip;
  }

  /** The packet as it is now, for a record: a copy when it may still be changed in place. */
  get recorded(): Ipv4Packet {
    return this.isWritable ? this.ip.snapshot() : this.ip;
  }

  /** The TCP segment, for code that has checked the protocol and that this is no fragment. */
  get tcp(): TcpSegment {
    const payload = this.ip.payload;
    if (!(payload instanceof TcpSegment)) broken(`expected a TCP segment, got ${payload.kind}`);
    return payload;
  }
}
