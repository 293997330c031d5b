/**
 * Which records somebody wants to see: by place, kind, what their packets carry, and time.
 */

import { type Ipv4Cidr, isInPrefix, type Ipv4Address, parseIpv4Address } from "../base/ipv4-address.ts";
import { type EthernetFrame, GuePacket, type Ipv4Packet } from "../wire/packet.ts";
import { TimelineClock } from "./captured.ts";
import { describeRecord, formatEnd, placeOf } from "./describe.ts";
import type { TraceEvent } from "./events.ts";

/** A record passes when it meets every field that is given, and of each at least one value. */
export interface RecordFilter {
  /** Hosts and links, or `HOST.INTERFACE`. */
  readonly places?: readonly string[];
  readonly kinds?: readonly string[];
  /** Addresses anywhere in a record: inside tunnels, quotes, ARP, connections, sockets. */
  readonly addresses?: readonly Ipv4Cidr[];
  readonly ports?: readonly number[];
  /** arp, tcp, udp, icmp, ipip, gre, gue, vrrp. */
  readonly protocols?: readonly string[];
  /** `ADDRESS:PORT`; the client's follows a connection through NAT. Two are both ends of it, either way round. */
  readonly connection?: readonly string[];
  /** Of drops. */
  readonly reasons?: readonly string[];
  /** Since the start of the timeline. */
  readonly fromNs?: number;
  readonly toNs?: number;
  /** A piece of the record in words (describeRecord). */
  readonly text?: string;
}

export const FILTER_PROTOCOLS: readonly string[] = ["arp", "tcp", "udp", "icmp", "ipip", "gre", "gue", "vrrp"];

/** Decides record by record; wants to see all of them in order, for the time. */
export class RecordMatcher {
  readonly #filter: RecordFilter;
  readonly #kinds: ReadonlySet<string> | undefined;
  readonly #clock = new TimelineClock();
  readonly #needsContent: boolean;

  constructor(filter: RecordFilter) {
    this.#filter = filter;
    this.#kinds = filter.kinds === undefined ? undefined : new Set(filter.kinds);
    this.#needsContent = [filter.addresses, filter.ports, filter.protocols, filter.connection].some((wanted) => wanted !== undefined);
  }

  /** True when the record passes. */
  matches(event: TraceEvent): boolean {
    this.#clock.see(event);
    const { places, reasons, fromNs, toNs, text } = this.#filter;
    const timeNs = this.#clock.at(event.timeNs);
    if ((fromNs !== undefined && timeNs < fromNs) || (toNs !== undefined && timeNs > toNs)) return false;
    if (this.#kinds?.has(event.kind) === false) return false;
    if (places !== undefined && !places.includes(event.host) && !places.includes(placeOf(event))) return false;
    if (reasons !== undefined && !("reason" in event && reasons.includes(event.reason))) return false;
    if (text !== undefined && !describeRecord(event).includes(text)) return false;
    return !this.#needsContent || this.#matchesContent(contentOf(event));
  }

  #matchesContent({ addresses, ends, protocols }: Content): boolean {
    const { addresses: wanted, ports, protocols: wantedProtocols, connection } = this.#filter;
    if (wanted?.some((one) => [...addresses].some((address) => isInPrefix(address, one.address, one.prefixLength))) === false) return false;
    if (wantedProtocols?.some((one) => protocols.has(one)) === false) return false;
    if (ports?.some((port) => [...ends].some((end) => end.endsWith(`:${port}`))) === false) return false;
    return connection === undefined || connection.every((end) => ends.has(end));
  }
}

interface Content {
  readonly addresses: Set<Ipv4Address>;
  /** `ADDRESS:PORT`. */
  readonly ends: Set<string>;
  readonly protocols: Set<string>;
}

function contentOf(event: TraceEvent): Content {
  const content: Content = { addresses: new Set(), ends: new Set(), protocols: new Set() };
  switch (event.kind) {
    case "frame-sent":
    case "frame-received":
    case "frame-dropped":
      addFrame(content, event.frame);
      break;
    case "packet-dropped":
    case "packet-passed":
    case "netfilter":
      addPacket(content, event.packet);
      break;
    case "packet-rewritten":
      addPacket(content, event.before);
      addPacket(content, event.after);
      break;
    case "packet-encapsulated":
    case "packet-decapsulated":
      addPacket(content, event.outer);
      break;
    case "neighbour":
      content.addresses.add(event.address);
      break;
    case "arp-decision":
      content.addresses.add(event.target).add(event.sender);
      content.protocols.add("arp");
      break;
    case "route":
      content.addresses.add(event.dst).add(event.src);
      break;
    case "scheduled":
      addText(content, `${event.service} ${event.chosen ?? ""}`);
      addEnd(content, event.client, event.clientPort);
      break;
    case "ipvs-connection":
      addText(content, event.connection);
      break;
    case "tcp-state":
      addText(content, event.socket);
      content.protocols.add("tcp");
      break;
    default:
  }
  return content;
}

function addFrame(content: Content, { payload }: EthernetFrame): void {
  if (payload.kind === "ipv4") addPacket(content, payload);
  else if (payload.kind === "arp") {
    content.protocols.add("arp");
    content.addresses.add(payload.senderIp).add(payload.targetIp);
  }
}

function addPacket(content: Content, packet: Ipv4Packet): void {
  const { addresses, protocols } = content;
  const { payload } = packet;
  addresses.add(packet.src).add(packet.dst);
  switch (payload.kind) {
    case "tcp":
    case "udp":
      protocols.add(payload.kind);
      addEnd(content, packet.src, payload.srcPort);
      addEnd(content, packet.dst, payload.dstPort);
      if (payload.kind === "udp" && payload.payload instanceof GuePacket) {
        protocols.add("gue");
        if (payload.payload.payload.kind === "ipv4") addPacket(content, payload.payload.payload);
      }
      break;
    case "icmp":
      protocols.add("icmp");
      if (payload.quoted !== undefined) addPacket(content, payload.quoted);
      break;
    case "ipv4":
      protocols.add("ipip");
      addPacket(content, payload);
      break;
    case "gre":
      protocols.add("gre");
      if (payload.payload.kind === "ipv4") addPacket(content, payload.payload);
      break;
    case "vrrp":
      protocols.add("vrrp");
      for (const address of payload.addresses) addresses.add(address);
      break;
    case "raw":
  }
}

function addEnd(content: Content, address: Ipv4Address, port: number): void {
  content.addresses.add(address);
  content.ends.add(formatEnd(address, port));
}

/** Words such as `TCP` and ends such as `10.0.0.9:4001` in a text. */
function addText(content: Content, text: string): void {
  for (const word of text.split(" ")) {
    const [host = "", port] = word.split(":");
    const address = parseIpv4Address(host);
    if (address !== undefined) {
      content.addresses.add(address);
      if (port !== undefined) content.ends.add(word);
    } else content.protocols.add(word.toLowerCase());
  }
}
