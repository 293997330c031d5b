/**
 * Words that ifconfig, route and their relatives share: lists of families and the resolver's complaints.
 *
 * net-tools 2.10 lib/af.c, lib/hw.c, lib/inet.c (INET_resolve, INET_herror).
 */

import type { Machine } from "../machine.ts";
import { resolveHost } from "../names.ts";

export const HARDWARE_TYPES = `    loop (Local Loopback) slip (Serial Line IP) cslip (VJ Serial Line IP) 
    slip6 (6-bit Serial Line IP) cslip6 (VJ 6-bit Serial Line IP) adaptive (Adaptive Serial Line IP) 
    ash (Ash) ether (Ethernet) ax25 (AMPR AX.25) 
    netrom (AMPR NET/ROM) rose (AMPR ROSE) tunnel (IPIP Tunnel) 
    ppp (Point-to-Point Protocol) hdlc ((Cisco)-HDLC) lapb (LAPB) 
    arcnet (ARCnet) dlci (Frame Relay DLCI) frad (Frame Relay Access Device) 
    sit (IPv6-in-IPv4) fddi (Fiber Distributed Data Interface) hippi (HIPPI) 
    irda (IrLAP) ec (Econet) x25 (generic X.25) 
    eui64 (Generic EUI-64) 
`;

export const ADDRESS_FAMILIES = `    unix (UNIX Domain) inet (DARPA Internet) inet6 (IPv6) 
    ax25 (AMPR AX.25) netrom (AMPR NET/ROM) rose (AMPR ROSE) 
    ipx (Novell IPX) ddp (Appletalk DDP) ec (Econet) 
    ash (Ash) x25 (CCITT X.25) 
`;

export const ROUTE_FAMILIES = `    inet (DARPA Internet) inet6 (IPv6) ax25 (AMPR AX.25) 
    netrom (AMPR NET/ROM) rose (AMPR ROSE) ipx (Novell IPX) 
    ddp (Appletalk DDP) x25 (CCITT X.25) 
`;

export const NET_TOOLS_VERSION = "net-tools 2.10\n";

/** An address or name; otherwise the resolver's complaint. */
export function resolveAddress(machine: Machine, text: string, isHost = false): number | { readonly complaint: string } {
  if (text === "default") return 0;
  const address = resolveHost(machine, text);
  if (address !== undefined) return address;
  // What looks like a number is not asked for; a name that could be a network's is, and nobody answers.
  return { complaint: isHost || /^[\d.]+(\/\d+)?$/.test(text) ? `${text}: Unknown host\n` : `${text}: Host name lookup failure\n` };
}
