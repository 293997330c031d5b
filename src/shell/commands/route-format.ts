/**
 * The routing table as route(8) and netstat -r print it.
 *
 * net-tools 2.10 lib/inet_gr.c (rprint_fib), lib/inet6_gr.c.
 */

import { formatIpv4Address } from "../../base/ipv4-address.ts";
import type { Machine } from "../machine.ts";
import { hostNameOf } from "../names.ts";
import { type RouteRow, routeRows } from "../proc-network.ts";

/** usual: route; extended: route -e and netstat -r; full: route -ee. */
export type RouteTableStyle = "usual" | "extended" | "full";

const RTF_GATEWAY = 0x2;
const RTF_HOST = 0x4;
const RTF_REJECT = 0x200;

const TITLES: Readonly<Record<RouteTableStyle, string>> = {
  usual: "Destination     Gateway         Genmask         Flags Metric Ref    Use Iface\n",
  extended: "Destination     Gateway         Genmask         Flags   MSS Window  irtt Iface\n",
  full: "Destination     Gateway         Genmask         Flags Metric Ref    Use Iface    MSS   Window irtt\n",
};

export const ROUTE_CACHE = "Kernel IP routing cache\nSource          Destination     Gateway         Flags Metric Ref    Use Iface\n";

/** IPv6 is off: nothing but the two entries that say so. */
export const ROUTE_TABLE_IPV6 = `Kernel IPv6 routing table
Destination                    Next Hop                   Flag Met Ref  Use If
[::]/0                         [::]                       !n   -1  1      0 lo
[::]/0                         [::]                       !n   -1  1      0 lo
`;

export function formatRouteTable(machine: Machine, style: RouteTableStyle, isNumeric: boolean): string {
  const rows = routeRows(machine.host).map((row) => formatRow(machine, row, style, isNumeric));
  return `Kernel IP routing table\n${TITLES[style]}${rows.join("")}`;
}

function cut(text: string): string {
  return text.slice(0, 15).padEnd(15);
}

function nameOf(machine: Machine, address: number, isNumeric: boolean): string {
  return (isNumeric ? undefined : hostNameOf(machine, address)) ?? formatIpv4Address(address);
}

function flagLetters(flags: number): string {
  if ((flags & RTF_REJECT) !== 0) return (flags & RTF_HOST) !== 0 ? "!H" : "!";
  return `U${(flags & RTF_GATEWAY) !== 0 ? "G" : ""}${(flags & RTF_HOST) !== 0 ? "H" : ""}`;
}

function formatRow(machine: Machine, row: RouteRow, style: RouteTableStyle, isNumeric: boolean): string {
  const isReject = (row.flags & RTF_REJECT) !== 0;
  const isHost = (row.flags & RTF_HOST) !== 0;
  const destination =
    !isNumeric && row.destination === 0 ? "default" : isHost ? nameOf(machine, row.destination, isNumeric) : formatIpv4Address(row.destination);
  const gateway = isReject ? "-" : row.gateway === 0 ? "0.0.0.0" : nameOf(machine, row.gateway, isNumeric);
  const head = `${cut(destination)} ${cut(gateway)} ${cut(formatIpv4Address(row.mask))} ${flagLetters(row.flags).padEnd(6)}`;
  const device = isReject ? "-" : row.device;
  const dash = (value: number): string => (isReject ? "-" : String(value));
  switch (style) {
    case "usual":
      return `${head}${String(row.metric).padEnd(6)} ${dash(0).padEnd(2)} ${"0".padStart(7)} ${device}\n`;
    case "extended":
      return `${head}${dash(row.mss).padStart(5)} ${dash(0).padEnd(5)} ${dash(0).padStart(6)} ${device}\n`;
    case "full":
      return `${head}${String(row.metric).padEnd(6)} ${dash(0).padEnd(3)} ${"0".padStart(6)} ${device.slice(0, 8).padEnd(8)} ${dash(row.mss).padEnd(5)} ${dash(0).padEnd(6)} ${dash(0)}\n`;
  }
}
