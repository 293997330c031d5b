/**
 * How packets are put into words: the choices that tcpdump's options make, and the names it uses instead of numbers.
 *
 * tcpdump 4.99.3: print-ip.c, print-tcp.c, print-udp.c, addrtoname.c.
 */

import { formatIpv4Address, type Ipv4Address } from "../base/ipv4-address.ts";
import { BROADCAST_MAC, formatMacAddress, type MacAddress } from "../base/mac-address.ts";
import { serviceName } from "./service-names.ts";

export interface PrintOptions {
  /** Addresses, ports and protocols as numbers (-n). */
  readonly isNumeric: boolean;
  /** Number of -v. */
  readonly verbosity: number;
  /** -q: less protocol information. */
  readonly isQuick: boolean;
  /** Sequence numbers relative to the first of each connection; undefined: absolute (-S). */
  readonly sequences: SequenceTable | undefined;
  /** The link header was printed (-e): the word IP is left out. */
  readonly isLinkShown: boolean;
  /** Bytes at the end that are not there (a quote or fragment that was cut): no checksum can be told. */
  readonly cutBytes?: number;
  /** Bytes of the packet that are in later fragments of the one around it: remarked upon. */
  readonly missingBytes?: number;
  /** Name of an address when not numeric; undefined: none known. */
  readonly nameOf?: (address: Ipv4Address) => string | undefined;
}

export const PLAIN: PrintOptions = { isNumeric: true, verbosity: 0, isQuick: false, sequences: undefined, isLinkShown: false };

const CONNECTIONS_MAX = 65_536;

interface SequenceBase {
  seq: number;
  ack: number;
}

/** print-tcp.c: the first sequence numbers of every connection that was printed. */
export class SequenceTable {
  readonly #bases = new Map<string, SequenceBase>();

  /** Returns the base of a connection; a new one, or one whose SYN is seen again, starts at `first`. */
  find(key: string, isSyn: boolean, first: SequenceBase): { readonly base: SequenceBase; readonly isNew: boolean } {
    const known = this.#bases.get(key);
    if (known !== undefined && !isSyn) return { base: known, isNew: false };
    if (this.#bases.size >= CONNECTIONS_MAX) this.#bases.clear();
    this.#bases.set(key, first);
    return { base: first, isNew: true };
  }
}

export function formatPort(port: number, transport: "tcp" | "udp", options: PrintOptions): string {
  return (options.isNumeric ? undefined : serviceName(port, transport)) ?? String(port);
}

export function formatAddress(address: Ipv4Address, options: PrintOptions): string {
  if (options.isNumeric) return formatIpv4Address(address);
  return options.nameOf?.(address) ?? formatIpv4Address(address);
}

/** addrtoname.c:etheraddr_string: without -n the maker is named, too, and nobody made simulated interfaces. */
export function formatMac(mac: MacAddress, options: PrintOptions): string {
  if (options.isNumeric) return formatMacAddress(mac);
  return mac === BROADCAST_MAC ? "Broadcast" : `${formatMacAddress(mac)} (oui Unknown)`;
}

/** ipproto.c: what -v prints before the number. */
const PROTOCOL_NAMES: ReadonlyMap<number, string> = new Map([
  [0, "Options"],
  [1, "ICMP"],
  [2, "IGMP"],
  [4, "IPIP"],
  [6, "TCP"],
  [8, "EGP"],
  [17, "UDP"],
  [41, "IPv6"],
  [47, "GRE"],
  [50, "ESP"],
  [51, "AH"],
  [89, "OSPF"],
  [103, "PIM"],
  [108, "Compressed IP"],
  [112, "VRRP"],
  [132, "SCTP"],
]);

export function protocolName(protocol: number): string {
  return PROTOCOL_NAMES.get(protocol) ?? "unknown";
}

/** /etc/protocols, for the later fragments of a packet. */
const NETDB_NAMES: ReadonlyMap<number, string> = new Map([
  [0, "ip"],
  [1, "icmp"],
  [2, "igmp"],
  [4, "ipencap"],
  [6, "tcp"],
  [17, "udp"],
  [41, "ipv6"],
  [47, "gre"],
  [50, "esp"],
  [51, "ah"],
  [89, "ospf"],
  [103, "pim"],
  [112, "vrrp"],
  [132, "sctp"],
]);

export function fragmentProtocolName(protocol: number, options: PrintOptions): string {
  return (options.isNumeric ? undefined : NETDB_NAMES.get(protocol)) ?? `ip-proto-${protocol}`;
}

export function hex(value: number, digits = 0): string {
  return value.toString(16).padStart(digits, "0");
}
