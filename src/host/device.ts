/**
 * Network devices of a host: lo, ethN, tunl0, dummyN, gre and ipip tunnels. Linux's struct net_device with its in_device.
 */

import type { Ipv4Address } from "../base/ipv4-address.ts";
import type { MacAddress } from "../base/mac-address.ts";
import type { EthernetFrame, Ipv4Packet } from "../wire/packet.ts";
import type { Ipv4Conf } from "./ipv4-conf.ts";
import type { NeighbourParameters } from "./neighbour-parameters.ts";
import type { NetemQdisc } from "./netem-qdisc.ts";
import type { SkBuff } from "./skb.ts";

/** Scope of an address or route, as ip(8) names them. Numbers are rtnetlink's (global 0, site 200, link 253, host 254, nowhere 255). */
export type Scope = number;
export const SCOPE_GLOBAL = 0;
export const SCOPE_SITE = 200;
export const SCOPE_LINK = 253;
export const SCOPE_HOST = 254;
export const SCOPE_NOWHERE = 255;

/** One address of a device (struct in_ifaddr). `address` is ifa_local, `peer` is ifa_address (the same unless point to point). */
export interface InterfaceAddress {
  readonly address: Ipv4Address;
  readonly peer: Ipv4Address;
  prefixLength: number;
  /** 0: none. */
  broadcast: Ipv4Address;
  scope: Scope;
  /** `eth0`, or `eth0:0` for an alias of ifconfig. */
  label: string;
  isSecondary: boolean;
  noPrefixRoute: boolean;
  /** Metric of the prefix route; absent or 0: none. */
  routePriority?: number;
}

export interface DeviceCounters {
  rxPackets: number;
  rxBytes: number;
  rxErrors: number;
  rxDropped: number;
  txPackets: number;
  txBytes: number;
  txErrors: number;
  txDropped: number;
  txCarrierErrors: number;
  multicast: number;
}

/** gretap and erspan are the idle fallback devices that come with the GRE module; nothing can be sent through them. */
export type DeviceKind = "loopback" | "ether" | "tunnel" | "gre" | "dummy" | "gretap" | "erspan";

/** Sees every frame of a device, sent or received, before any filter: tcpdump and pcap files. On lo and tunnels it sees the bare packet. */
export type CaptureTap = (direction: "in" | "out", timeNs: number, what: EthernetFrame | Ipv4Packet) => void;

/** What makes one kind of device different: how it sends. */
export interface DeviceDriver {
  /** True when packets need a neighbour entry and an Ethernet header. */
  readonly needsNeighbour: boolean;
  /** Sends a packet whose destination MAC is known (0 for devices without one). */
  transmit(device: NetDevice, skb: SkBuff, destinationMac: MacAddress): void;
  /** Sends a ready frame (ARP, packet sockets); a device without Ethernet drops it. Until it is sent, `frame.traceId` names its cause. */
  transmitFrame(device: NetDevice, frame: EthernetFrame): void;
  /** The device has been taken up or down (ndo_open, ndo_stop). */
  upChanged?(isUp: boolean): void;
}

/** Parameters of an ipip or gre device, as `ip tunnel` shows them. 0 stands for any. */
export interface TunnelParameters {
  readonly mode: "ipip" | "gre";
  readonly local: Ipv4Address;
  readonly remote: Ipv4Address;
  readonly ttl: number;
  readonly tos: number;
  readonly pmtuDiscovery: boolean;
  readonly key: number | undefined;
  /** GRE checksums both ways (`csum`). */
  readonly hasChecksum?: boolean;
  /** The device that it sends through (`dev`). */
  readonly link?: NetDevice | undefined;
  /** Made by `ip link`: its MTU has no bounds. */
  readonly isUnbounded?: boolean;
  /** IP in IP that would also carry MPLS (protocol 0). */
  readonly carriesAny?: boolean;
}

export interface NetDevice {
  readonly hostName: string;
  /** ifindex: 1 is lo. */
  readonly index: number;
  readonly name: string;
  readonly kind: DeviceKind;
  readonly driver: DeviceDriver;
  mac: MacAddress;
  mtu: number;
  /** Administratively up (IFF_UP). */
  isUp: boolean;
  hasCarrier: boolean;
  /** carrier_up_count and carrier_down_count: how often the cable began and ceased to work while the device was up. */
  readonly carrierUps: number;
  readonly carrierDowns: number;
  isNoArp: boolean;
  isPromiscuous: boolean;
  isAllMulticast: boolean;
  /** IFF_MULTICAST. */
  isMulticast: boolean;
  /** What `ip link set alias` says about it (ifalias); empty: nothing. */
  alias: string;
  /** False until it was up for the first time: `ip link` then shows qdisc noop. */
  hasBeenUp: boolean;
  txQueueLength: number;
  /** In kernel order: primaries in order of addition, each secondary after the primaries (inet_insert_ifa). */
  readonly addresses: InterfaceAddress[];
  readonly conf: Ipv4Conf;
  /** /proc/sys/net/ipv4/neigh/DEVICE. */
  readonly neigh: NeighbourParameters;
  /** The other end of the cable as `ip link` shows it (`@if8`, `link-netnsid 0`); 0 and -1: none. */
  readonly peerIndex: number;
  readonly peerNetnsId: number;
  /** A macvlan lies on this device; undefined for others. */
  readonly lower: NetDevice | undefined;
  /** The macvlans that lie on it. */
  readonly uppers: NetDevice[];
  readonly counters: DeviceCounters;
  readonly taps: CaptureTap[];
  tunnel: TunnelParameters | undefined;
  /** The root queueing discipline that tc(8) has put here; undefined: noqueue. */
  qdisc: NetemQdisc | undefined;
}
