/**
 * What all parts of one host's IPVS share: struct netns_ipvs.
 */

import { NS_PER_SECOND } from "../base/time.ts";
import type { Host } from "../host/host.ts";
import { formatIpv4Address, type Ipv4Address } from "../base/ipv4-address.ts";
import { PROTOCOL_SCTP, PROTOCOL_TCP, PROTOCOL_UDP, TcpSegment, UdpDatagram, type Ipv4Packet } from "../wire/packet.ts";
import type { Connection } from "./connection.ts";
import { ConnectionTable } from "./connection-table.ts";
import type { Dest } from "./dest.ts";
import type { SyncDaemonSpec } from "./ipvs.ts";
import { defaultSettings, type IpvsSettings } from "./ipvs-sysctl.ts";
import { type OverloadRules, overloadByEvent, overloadByTotal } from "./schedulers/overload.ts";
import type { SchedulerOptions, SchedulerPacket } from "./schedulers/scheduler.ts";
import type { Service } from "./service.ts";
import { Statistics } from "./statistics.ts";
import { TcpTimeouts } from "./tcp-states.ts";

export const UDP_TIMEOUT_SECONDS = 300;
export const FTP_PORT = 21;
export const FTP_DATA_PORT = 20;

export class Director {
  readonly host: Host;
  readonly settings: IpvsSettings = defaultSettings();
  /** By serviceKeyId, in order of addition. */
  readonly services = new Map<string, Service>();
  readonly servicesByMark = new Map<number, Service>();
  /** By packed address and port, per protocol: see servicePortKey. */
  readonly servicesByAddress = new Map<number, Service>();
  /** How many services have port 0, and how many port 21: lookups that need them are skipped otherwise. */
  portZeroCount = 0;
  ftpCount = 0;
  /** Entries that wait for a client's port. */
  noClientPortCount = 0;
  readonly table = new ConnectionTable();
  readonly trash: Dest[] = [];
  readonly tcpTimeouts = new TcpTimeouts();
  udpTimeoutNs = UDP_TIMEOUT_SECONDS * NS_PER_SECOND;
  readonly totals: Statistics;
  readonly overload: OverloadRules;
  master: SyncDaemonSpec | undefined = undefined;
  backup: SyncDaemonSpec | undefined = undefined;
  /** Called for a connection that the sync daemon might tell of; set while a master daemon runs. */
  syncConnection: ((connection: Connection, packets: number) => void) | undefined = undefined;
  /** secure_tcp is in force. */
  isSecure = false;
  /** drop_packet: every so many new connections one is dropped; 0: none. */
  dropRate = 0;
  dropCounter = 0;
  connectionSequence = 0;

  constructor(host: Host) {
    this.host = host;
    this.totals = new Statistics(host.loop.nowNs, this.settings.run_estimation);
    this.overload = host.options.ipvsOverheadIncludesTotal ? overloadByTotal : overloadByEvent;
  }

  get nowNs(): number {
    return this.host.loop.nowNs;
  }
}

/** How this host's kernel differs from others in what schedulers do. */
export function schedulerOptions({ options }: Host): SchedulerOptions {
  return { overheadIncludesTotal: options.ipvsOverheadIncludesTotal, hashTakesLowBits: options.ipvsHashTakesLowBits, cacheGrowthCapped: options.ipvsCacheGrowthCapped };
}

export function servicePortKey(protocol: number, address: Ipv4Address, port: number): number {
  // 32 + 16 bits, and two more for the protocol: exact in a double.
  return (address * 65536 + port) * 4 + (protocol === PROTOCOL_TCP ? 0 : protocol === PROTOCOL_UDP ? 1 : 2);
}

export function isSupportedProtocol(protocol: number): boolean {
  return protocol === PROTOCOL_TCP || protocol === PROTOCOL_UDP || protocol === PROTOCOL_SCTP;
}

/**
 * Addresses and ports of a packet as IPVS reads them. One object a director is filled again for each packet: the path allocates nothing.
 */
export class PacketKey implements SchedulerPacket {
  protocol = 0;
  sourceAddress: Ipv4Address = 0;
  sourcePort = 0;
  destinationAddress: Ipv4Address = 0;
  destinationPort = 0;
  /** TCP flags, 0 for other protocols. */
  tcpFlags = 0;
  /** Bytes of the IP packet. */
  lengthBytes = 0;
  /** The key was read from a packet quoted in an ICMP error. */
  isQuoted = false;

  /** False when there are no ports to read (a later fragment, SCTP bytes cut short). */
  read(ip: Ipv4Packet): boolean {
    this.protocol = ip.protocol;
    this.sourceAddress = ip.src;
    this.destinationAddress = ip.dst;
    this.lengthBytes = ip.lengthBytes;
    this.isQuoted = false;
    const payload = ip.payload;
    if (payload instanceof TcpSegment) {
      this.sourcePort = payload.srcPort;
      this.destinationPort = payload.dstPort;
      this.tcpFlags = payload.flags;
      return true;
    }
    this.tcpFlags = 0;
    if (payload instanceof UdpDatagram) {
      this.sourcePort = payload.srcPort;
      this.destinationPort = payload.dstPort;
      return true;
    }
    if (payload.kind !== "raw" || payload.bytes.length < 4 || ip.fragmentOffset !== 0) return false;
    const bytes = payload.bytes;
    this.sourcePort = ((bytes[0] as number) << 8) | (bytes[1] as number);
    this.destinationPort = ((bytes[2] as number) << 8) | (bytes[3] as number);
    if (ip.protocol === PROTOCOL_TCP) this.tcpFlags = bytes[13] ?? 0;
    return true;
  }

  /** Swaps the ends: a quoted packet went the other way. */
  reverse(): void {
    const { sourceAddress, sourcePort } = this;
    this.sourceAddress = this.destinationAddress;
    this.sourcePort = this.destinationPort;
    this.destinationAddress = sourceAddress;
    this.destinationPort = sourcePort;
  }
}

/** `TCP 10.0.0.9:40000 -> 10.0.0.100:80 -> 10.0.0.11:80`, or with `template` behind it. */
export function formatConnection(connection: Connection): string {
  const protocol = connection.protocol === PROTOCOL_TCP ? "TCP" : connection.protocol === PROTOCOL_UDP ? "UDP" : connection.protocol === PROTOCOL_SCTP ? "SCTP" : "IP";
  const end = (address: Ipv4Address, port: number) => `${formatIpv4Address(address)}:${port}`;
  const text = `${protocol} ${end(connection.clientAddress, connection.clientPort)} -> ${end(connection.virtualAddress, connection.virtualPort)} -> ${end(connection.destAddress, connection.destPort)}`;
  return connection.isTemplate ? `${text} template` : text;
}

export function formatDestName(dest: { readonly address: Ipv4Address; readonly port: number }): string {
  return `${formatIpv4Address(dest.address)}:${dest.port}`;
}
