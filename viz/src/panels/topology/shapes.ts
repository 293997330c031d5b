/**
 * The shape of each protocol: nobody needs colours to tell frames apart.
 */

import type { ProtocolClass } from "../../engine/describe.ts";

/** Centred paths about 18 units wide. */
export const PROTOCOL_SHAPES: Readonly<Record<ProtocolClass, string>> = {
  arp: "M0,-10L10,0L0,10L-10,0Z",
  tcp: "M-9,-7H9V7H-9Z",
  udp: "M0,-9L10,8H-10Z",
  icmp: "M-5,-9H5L10,0L5,9H-5L-10,0Z",
  tunnel: "M-12,-10H12V10H-12ZM-7,-5V5H7V-5Z",
  vrrp: "M0,-10L3,-3L10,-3L4.5,2L6.5,9L0,5L-6.5,9L-4.5,2L-10,-3L-3,-3Z",
  other: "M0,-8A8,8 0 1 1 -0.01,-8Z",
};

export const PROTOCOL_NAMES: Readonly<Record<ProtocolClass, string>> = {
  arp: "ARP",
  tcp: "TCP",
  udp: "UDP",
  icmp: "ICMP",
  tunnel: "IPIP/GRE/GUE",
  vrrp: "VRRP",
  other: "…",
};
