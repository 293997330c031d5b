/**
 * Addresses as keepalived reads and prints them.
 *
 * keepalived v2.2.7 lib/utils.c (inet_stosockaddr, inet_sockaddrtotrio_r), check/check_data.c (format_vs, format_rs).
 */

import { parseIpv4Address } from "../../../base/ipv4-address.ts";
import type { RealServer, ServiceProtocol, SocketAddress, VirtualServer } from "./model.ts";
import type { ConfigReport } from "./report.ts";
import { parseUnsigned } from "./words.ts";

/** True for the text of an IPv6 address (RFC 4291 section 2.2). */
export function isIpv6Text(text: string): boolean {
  const halves = text.split("::");
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
  const last = groups.at(-1);
  let count = groups.length;
  if (last?.includes(".") === true) {
    if (parseIpv4Address(last) === undefined) return false;
    groups.pop();
    count++;
  }
  if (groups.some((group) => !/^[0-9a-fA-F]{1,4}$/.test(group))) return false;
  return halves.length === 2 ? count < 8 : count === 8;
}

/** An address with a port; a range or mask behind it is left out. Undefined when it is none (a bad port is complained of). */
export function parseSocketAddress(text: string, port: string | undefined, report: ConfigReport): SocketAddress | undefined {
  let portNumber = 0;
  if (port !== undefined) {
    const parsed = parseUnsigned(port, 1, 65535, true, report);
    if (parsed === undefined) return undefined;
    portNumber = parsed;
  }
  const cut = text.search(/-/) >= 0 ? text.search(/-/) : text.search(/\//);
  const bare = cut < 0 ? text : text.slice(0, cut);
  if (text.includes(":")) return isIpv6Text(bare) ? { family: 6, text: bare.toLowerCase(), address: 0, port: portNumber } : undefined;
  const address = parseIpv4Address(bare);
  return address === undefined ? undefined : { family: 4, text: bare, address, port: portNumber };
}

/** Ports written as 0, 00 and the like count as none. */
export function portOrNone(port: string | undefined): string | undefined {
  return port === undefined || /^0*$/.test(port) ? undefined : port;
}

const PROTOCOL_NAMES: Readonly<Record<ServiceProtocol, string>> = { 0: "none", 6: "tcp", 17: "udp", 132: "sctp" };

function trio(address: SocketAddress, protocol: ServiceProtocol): string {
  return `[${address.text}]:${PROTOCOL_NAMES[protocol]}:${address.port}`;
}

export function formatServer(server: VirtualServer): string {
  if (server.groupName !== undefined) return `[${server.groupName}]:${server.groupPosition}`;
  return server.address === undefined ? `FWM ${server.mark}` : trio(server.address, server.protocol);
}

export function formatReal(real: RealServer, server: VirtualServer): string {
  return trio(real.address, server.protocol);
}

export function sameAddress(a: SocketAddress, b: SocketAddress): boolean {
  return a.family === b.family && (a.family === 4 ? a.address === b.address : a.text === b.text) && a.port === b.port;
}
