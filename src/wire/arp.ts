/**
 * ARP for IPv4 over Ethernet. RFC 826; Linux v6.1 net/ipv4/arp.c (arp_create, arp_rcv); text as tcpdump's print-arp.c.
 */

import { get16, get32, get48, put16, put32, put48 } from "./byte-order.ts";
import { type Decoded, decoded, rejected } from "./codec.ts";
import { ARP_BYTES, ArpPacket, ETHERTYPE_IPV4 } from "./packet.ts";
import { formatAddress, formatMac, type PrintOptions } from "./print.ts";

export { ARP_BYTES };

const HARDWARE_ETHERNET = 1;
export const ARP_REQUEST = 1;
export const ARP_REPLY = 2;

export function decodeArp(bytes: Uint8Array): Decoded<ArpPacket> {
  if (bytes.length < ARP_BYTES) return rejected(`ARP packet of ${bytes.length} bytes, needs ${ARP_BYTES}`);
  if (get16(bytes, 0) !== HARDWARE_ETHERNET || get16(bytes, 2) !== ETHERTYPE_IPV4 || bytes[4] !== 6 || bytes[5] !== 4)
    return rejected("ARP is not for IPv4 over Ethernet");
  return decoded(new ArpPacket(get16(bytes, 6), get48(bytes, 8), get32(bytes, 14), get48(bytes, 18), get32(bytes, 24)));
}

export function encodeArp(packet: ArpPacket): Uint8Array {
  const out = new Uint8Array(ARP_BYTES);
  writeArp(out, 0, packet);
  return out;
}

export function writeArp(out: Uint8Array, at: number, packet: ArpPacket): void {
  put16(out, at, HARDWARE_ETHERNET);
  put16(out, at + 2, ETHERTYPE_IPV4);
  out[at + 4] = 6;
  out[at + 5] = 4;
  put16(out, at + 6, packet.operation);
  put48(out, at + 8, packet.senderMac);
  put32(out, at + 14, packet.senderIp);
  put48(out, at + 18, packet.targetMac);
  put32(out, at + 24, packet.targetIp);
}

/** `Request who-has 10.0.0.2 tell 10.0.0.1, length 28`; -v adds the header's sizes. `lengthBytes`: what the frame carried, padding too. */
export function formatArp(packet: ArpPacket, options: PrintOptions, lengthBytes = ARP_BYTES): string {
  const sizes = options.verbosity > 0 ? "Ethernet (len 6), IPv4 (len 4), " : "";
  const tail = `, length ${lengthBytes}`;
  const sender = formatAddress(packet.senderIp, options);
  const target = formatAddress(packet.targetIp, options);
  if (packet.operation === ARP_REQUEST) {
    const asked = packet.targetMac === 0 ? "" : ` (${formatMac(packet.targetMac, options)})`;
    return `${sizes}Request who-has ${target}${asked} tell ${sender}${tail}`;
  }
  if (packet.operation === ARP_REPLY) return `${sizes}Reply ${sender} is-at ${formatMac(packet.senderMac, options)}${tail}`;
  return `${sizes}Unknown (${packet.operation})${tail}`;
}
