/**
 * Advertisements: how they are made, and which are believed.
 *
 * keepalived v2.2.7 vrrp/vrrp.c (vrrp_build_vrrp, vrrp_check_packet).
 */

import { formatIpv4Address } from "../../../base/ipv4-address.ts";
import { Ipv4Packet, PROTOCOL_VRRP, VrrpAdvert } from "../../../wire/packet.ts";
import type { VrrpInstanceConfig } from "../config/model.ts";
import type { DaemonLog } from "../daemon-log.ts";
import { AUTH_AH } from "./authentication.ts";
import type { Statistics } from "./statistics.ts";

const MULTICAST_TTL = 255;
/** Internet network control. */
const TOS = 0xc0;
const US_PER_SECOND = 1_000_000;
const US_PER_CENTISECOND = 10_000;
const AUTH_PASS = 1;

export function isMulticast(address: number): boolean {
  return address >>> 28 === 14;
}

export interface AdvertOptions {
  readonly priority: number;
  readonly source: number;
  readonly destination: number;
  readonly id: number;
}

export function makeAdvert(config: VrrpInstanceConfig, options: AdvertOptions): Ipv4Packet {
  const interval = config.advertIntervalUs / (config.version === 3 ? US_PER_CENTISECOND : US_PER_SECOND);
  const addresses = config.addresses.map((one) => one.address);
  const auth = config.version === 2 && config.authType === AUTH_PASS ? config.authData : new Uint8Array(8);
  const advert = new VrrpAdvert(config.version, config.vrid, options.priority, interval, addresses, config.version === 2 ? config.authType : 0, auth);
  const packet = new Ipv4Packet(options.source, options.destination, PROTOCOL_VRRP, config.ttl ?? MULTICAST_TTL, advert);
  packet.tos = TOS;
  packet.id = options.id;
  return packet;
}

/** What an instance accepts. A packet with a wrong checksum has not come so far. */
export function acceptsAdvert(
  config: VrrpInstanceConfig,
  packet: Ipv4Packet,
  advert: VrrpAdvert,
  context: { readonly log: DaemonLog; readonly checksAddresses: boolean; readonly checksUnicastSource: boolean; readonly isAuthentic: () => boolean; readonly counts: Statistics },
): boolean {
  const { counts } = context;
  const refuse = (text: string, counter?: "badTtl" | "badAddresses" | "invalidAuthType" | "authTypeMismatch" | "authFailure"): boolean => {
    if (counter !== undefined) counts[counter]++;
    context.log.line(`(${config.name}) ${text}`);
    return false;
  };
  if (!config.isUnicast && packet.ttl !== MULTICAST_TTL) return refuse(`invalid TTL/HL. Received ${packet.ttl} and expect ${MULTICAST_TTL}`, "badTtl");
  if (advert.version !== config.version) return refuse(`wrong version. Received ${advert.version} and expect ${config.version}`);
  if (config.version === 2) {
    if (advert.authType > 2) return refuse(`Invalid auth type: ${advert.authType}`, "invalidAuthType");
    if (advert.authType !== config.authType) return refuse(`received a ${advert.authType} auth, expecting ${config.authType}!`, "authTypeMismatch");
    if (config.authType === AUTH_PASS && !config.authData.every((byte, i) => byte === (advert.authData[i] ?? 0))) return refuse("received an invalid passwd!", "authFailure");
    if (config.authType === AUTH_AH && !context.isAuthentic()) {
      counts.authFailure++;
      return false;
    }
    if (advert.intervalUnits * US_PER_SECOND !== config.advertIntervalUs)
      return refuse(`advertisement interval mismatch mine=${config.advertIntervalUs / US_PER_SECOND} sec rcv'd=${advert.intervalUnits} sec`);
  }
  if (context.checksAddresses && advert.addresses.length !== config.addresses.length)
    return refuse(`received an unexpected ip number count ${advert.addresses.length}, expected ${config.addresses.length}!`, "badAddresses");
  if (isMulticast(packet.dst) === config.isUnicast)
    return refuse(`Expected ${config.isUnicast ? "un" : "mult"}icast packet but received ${config.isUnicast ? "mult" : "un"}icast packet`);
  counts.received++;
  if (advert.priority === 0) counts.zeroReceived++;
  if (!context.checksAddresses) return true;
  for (const one of config.addresses) {
    if (!advert.addresses.includes(one.address))
      return refuse(`ip address associated with VRID ${config.vrid} not present in MASTER advert: ${formatIpv4Address(one.address)}`, "badAddresses");
  }
  if (!config.isUnicast || !context.checksUnicastSource) return true;
  const peer = config.peers.find((one) => one.address.address === packet.src);
  if (peer === undefined) return refuse(`unicast source address ${formatIpv4Address(packet.src)} not a unicast peer`);
  if (packet.ttl < peer.minTtl || packet.ttl > peer.maxTtl) return refuse(`TTL/HL ${packet.ttl} not in range ${peer.minTtl} - ${peer.maxTtl}`, "badTtl");
  return true;
}
