/**
 * Words that ifconfig, route and their relatives share: lists of families and the resolver's complaints.
 *
 * net-tools 2.10 lib/af.c, lib/hw.c, lib/inet.c (INET_resolve, INET_herror).
 */

import type { Machine } from "../machine.ts";

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

/** inet_aton(3): one to four parts, decimal, octal or hexadecimal; the last fills what is left. */
export function parseAton(text: string): number | undefined {
  const parts = text.split(".");
  if (parts.length > 4) return undefined;
  const values: number[] = [];
  for (const part of parts) {
    if (!/^(0[xX][0-9a-fA-F]+|\d+)$/.test(part)) return undefined;
    const isOctal = part.length > 1 && /^0\d/.test(part);
    if (isOctal && !/^[0-7]+$/.test(part)) return undefined;
    values.push(isOctal ? Number.parseInt(part, 8) : Number(part));
  }
  const last = values.pop() as number;
  if (values.some((value) => value > 255) || last >= 256 ** (4 - values.length)) return undefined;
  return values.reduce((sum, value, i) => sum + value * 256 ** (3 - i), last);
}

/** A host name from /etc/hosts. */
export function hostAddress(machine: Machine, name: string): number | undefined {
  if (name === "localhost") return 0x7f000001;
  if (!machine.files.exists("/etc/hosts")) return undefined;
  for (const line of machine.files.read("/etc/hosts").split("\n")) {
    const words = line.replace(/#.*$/, "").trim().split(/\s+/);
    if (words.slice(1).includes(name)) return parseAton(words[0] as string);
  }
  return undefined;
}

/** An address or name; otherwise the resolver's complaint. */
export function resolveAddress(machine: Machine, text: string): number | { readonly complaint: string } {
  if (text === "default") return 0;
  const address = parseAton(text) ?? hostAddress(machine, text);
  if (address !== undefined) return address;
  // What looks like a number is not asked for; a name is, and nobody answers.
  return { complaint: /^[\d.]+(\/\d+)?$/.test(text) ? `${text}: Unknown host\n` : `${text}: Host name lookup failure\n` };
}
