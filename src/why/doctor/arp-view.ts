/**
 * What the checks of ARP share: who would answer for an address, who has claimed it, whose packets went past the director.
 */

import { formatIpv4Address, type Ipv4Address } from "../../base/ipv4-address.ts";
import type { MacAddress } from "../../base/mac-address.ts";
import type { Evidence, EventOf } from "../evidence.ts";

/** A packet that a host sent straight to the interface of another: the next hop is the destination itself. */
export interface DirectSend {
  readonly event: EventOf<"frame-sent">;
  readonly to: Ipv4Address;
  /** Whose interface has the MAC. */
  readonly receiver: string;
}

/**
 * Would the host answer a request for the address that comes in by this device? net/ipv4/arp.c:arp_process, arp_ignore: level 1 wants the address on
 * the device itself, 2 the asker's subnet too, 3 a scope beyond host, 8 answers nothing.
 */
export function wouldAnswer(evidence: Evidence, host: string, device: string, address: Ipv4Address, id: number): boolean {
  if (evidence.isCut(host, id) || !evidence.isLocal(host, address, id)) return false;
  const level = evidence.inForce(host, device, "arp_ignore", id);
  if (level === 0) return true;
  if (level === 8) return false;
  const row = evidence.addressRow(host, address, id);
  return level === 3 ? row !== undefined && row.scope !== "host" : row?.device === device;
}

/** Hosts that would answer for an address on a link at record `id`, with the device. */
export function answerersOn(evidence: Evidence, link: string, address: Ipv4Address, id: number): { readonly host: string; readonly device: string }[] {
  return evidence.header.hosts.flatMap(({ name, interfaces }) =>
    interfaces.filter((one) => one.link === link && wouldAnswer(evidence, name, one.name, address, id)).map((one) => ({ host: name, device: one.name })),
  );
}

/** Packets sent to an address by the MAC that the sender believed in, for every address that satisfies the test. */
export function* directSends(evidence: Evidence, isWanted: (address: Ipv4Address) => boolean): Generator<DirectSend> {
  for (const event of evidence.of("frame-sent")) {
    const { payload, dst } = event.frame;
    if (payload.kind !== "ipv4" || !isWanted(payload.dst)) continue;
    const owner = evidence.ownerOfMac(dst);
    if (owner !== undefined && owner.host !== event.host) yield { event, to: payload.dst, receiver: owner.host };
  }
}

/** The last record before `id` by which a host learnt or was told that an address has a MAC. */
export function lessonOf(evidence: Evidence, host: string, address: Ipv4Address, mac: MacAddress, id: number): EventOf<"neighbour"> | undefined {
  let last: EventOf<"neighbour"> | undefined;
  let before: MacAddress | undefined;
  for (const event of evidence.of("neighbour")) {
    if (event.id > id) break;
    if (event.host !== host || event.address !== address) continue;
    if (event.mac === mac && before !== mac) last = event;
    before = event.mac;
  }
  return last;
}

/** The values of every setting of a name on a host that are not 0, with the interface each belongs to. */
export function settingsOf(evidence: Evidence, host: string, name: string, id: number): { readonly device: string; readonly value: number }[] {
  const found: { device: string; value: number }[] = [];
  for (const key of evidence.tables.versions(host, "sysctls").keys()) {
    const match = /^net\.ipv4\.conf\.(.+)\.([a-z_]+)$/.exec(key);
    if (match === null || match[2] !== name) continue;
    const value = evidence.setting(host, key, id);
    if (value !== 0) found.push({ device: match[1] as string, value });
  }
  return found;
}

/** `192.168.1.110 (the VIP)`: an address for a sentence. */
export function vip(address: Ipv4Address): string {
  return `the VIP ${formatIpv4Address(address)}`;
}

/** `rs1`, `rs1 and rs2`, `rs1, rs2 and rs3`. */
export function listed(names: readonly string[]): string {
  return names.length < 2 ? (names[0] ?? "") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
