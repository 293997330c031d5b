/**
 * The ways of packets through a lab, from host to host, told from its records.
 *
 *   frame-sent client ─▶ frame-received director ─▶ ... ─▶ frame-sent director ─▶ frame-received rs1      a packet: client, director, rs1
 *                                                            │ the same packet: forwarded, rewritten, or inside a tunnel's
 *
 * Each frame sent is followed back along its causes to the frame that its host received. When both hold the same packet the way goes on;
 * an answer, or an error about it, is a packet of its own. What a host puts together from fragments follows from the last that came.
 */

import { parseIpv4Address } from "../base/ipv4-address.ts";
import type { DropReason, TraceEvent } from "../trace/events.ts";
import { describePacket } from "../trace/ladder.ts";
import { type FramePayload, type Ipv4Packet, PROTOCOL_ICMP, PROTOCOL_TCP, PROTOCOL_UDP } from "../wire/packet.ts";
import { LabError } from "./lab-error.ts";

/** The way of one packet; of each copy, when a switch or a router made several. */
export interface PacketPath {
  /** Names of the hosts in order: who sent it, who passed it on, who got it last. */
  readonly hosts: readonly string[];
  /** The packet as its first host sent it, in one line. */
  readonly text: string;
  readonly packet: Ipv4Packet;
  /** How it ended: `received` by the last host; dropped there or on the wire after it, and why; `unheard`: nobody took it from the wire (yet). */
  readonly end: "received" | "unheard" | DropReason;
  /** The deciding values of a drop, in words; empty otherwise. */
  readonly detail: string;
  /** Simulated nanoseconds since the start of the run. */
  readonly startNs: number;
  readonly endNs: number;
  /** Ids of the frame-sent and frame-received records along the way. */
  readonly records: readonly number[];
}

/** Which packets are meant: all that is given must hold for the packet as its first host sent it. */
export interface PacketFilter {
  /** Host that sent it first. */
  readonly from?: string;
  /** Destination, `10.0.0.100` or `10.0.0.100:80`. */
  readonly to?: string;
  readonly protocol?: "tcp" | "udp" | "icmp";
  /** Simulated nanoseconds since the start of the run: packets sent from then on. */
  readonly sinceNs?: number;
}

/** Records looked at between a frame sent and the one received that it follows from. */
const CAUSES_MAX = 256;
const PROTOCOLS = { tcp: PROTOCOL_TCP, udp: PROTOCOL_UDP, icmp: PROTOCOL_ICMP } as const;

interface Hop {
  readonly sent: Extract<TraceEvent, { readonly kind: "frame-sent" }>;
  readonly packet: Ipv4Packet;
  readonly from: Arrival | undefined;
  readonly arrivals: Arrival[];
  lost: { readonly reason: DropReason; readonly timeNs: number } | undefined;
}

interface Arrival {
  readonly event: Extract<TraceEvent, { readonly kind: "frame-received" }>;
  readonly hop: Hop;
  isOverheard: boolean;
  hasGoneOn: boolean;
  drop: { readonly reason: DropReason; readonly detail: string; readonly timeNs: number } | undefined;
}

/** The packets of a trace in order of sending. Throws a LabError for a filter that is none. */
export function findPackets(events: readonly TraceEvent[], filter: PacketFilter = {}): readonly PacketPath[] {
  const isMeant = predicateOf(filter);
  const hops = collectHops(events);
  const paths: PacketPath[] = [];
  for (const hop of hops) {
    const root = rootOf(hop);
    if (!isMeant(root)) continue;
    const heard = hop.arrivals.filter((arrival) => !arrival.isOverheard);
    for (const arrival of heard) if (!arrival.hasGoneOn || arrival.drop !== undefined) paths.push(pathTo(root, hop, arrival));
    if (heard.length === 0) paths.push(pathTo(root, hop, undefined));
  }
  return paths.sort((a, b) => (a.records[0] as number) - (b.records[0] as number));
}

/* ------------------------------------------------------------------------------------------------------------------ records */

function collectHops(events: readonly TraceEvent[]): Hop[] {
  const byId = new Map<number, TraceEvent>();
  const hops = new Map<number, Hop>();
  const arrivals = new Map<number, Arrival>();
  for (const event of events) {
    byId.set(event.id, event);
    switch (event.kind) {
      case "frame-sent": {
        const packet = event.frame.payload;
        if (packet.kind !== "ipv4") break;
        const from = arrivalBefore(event, byId, arrivals);
        const isSame = from !== undefined && isSamePacket(from.hop.packet, packet);
        if (isSame) from.hasGoneOn = true;
        hops.set(event.id, { sent: event, packet, from: isSame ? from : undefined, arrivals: [], lost: undefined });
        break;
      }
      case "frame-received": {
        const hop = hops.get(event.cause);
        if (hop === undefined) break;
        // An interface hands it to a macvlan device above: one arrival, there.
        for (const below of hop.arrivals) if (below.event.host === event.host) below.isOverheard = true;
        const arrival: Arrival = { event, hop, isOverheard: false, hasGoneOn: false, drop: undefined };
        hop.arrivals.push(arrival);
        arrivals.set(event.id, arrival);
        break;
      }
      case "frame-dropped": {
        // A frame for somebody else, flooded to this host by a switch: not on its way.
        if (event.reason === "OTHERHOST") {
          const overheard = arrivals.get(event.cause);
          if (overheard !== undefined) overheard.isOverheard = true;
          break;
        }
        const hop = hops.get(event.cause);
        if (hop !== undefined) hop.lost = { reason: event.reason, timeNs: event.timeNs };
        else noteDrop(arrivalBefore(event, byId, arrivals), event, event.frame.payload, "");
        break;
      }
      case "packet-dropped": {
        const arrival = arrivalBefore(event, byId, arrivals);
        if (arrival !== undefined && event.reason === "OTHERHOST") arrival.isOverheard = true;
        else noteDrop(arrival, event, event.packet, event.detail);
        break;
      }
      default:
    }
  }
  return [...hops.values()];
}

function noteDrop(arrival: Arrival | undefined, event: { readonly reason: DropReason; readonly timeNs: number }, what: FramePayload, detail: string): void {
  if (arrival === undefined || what.kind !== "ipv4" || !isSamePacket(arrival.hop.packet, what)) return;
  arrival.drop = { reason: event.reason, detail, timeNs: event.timeNs };
}

/** The reception on the same host that an event follows from. */
function arrivalBefore(event: TraceEvent, byId: ReadonlyMap<number, TraceEvent>, arrivals: ReadonlyMap<number, Arrival>): Arrival | undefined {
  let cause = event.cause;
  for (let i = 0; i < CAUSES_MAX && cause !== 0; i++) {
    const before = byId.get(cause);
    if (before === undefined || before.host !== event.host) return undefined;
    const arrival = arrivals.get(cause);
    if (arrival !== undefined) return arrival;
    cause = before.cause;
  }
  return undefined;
}

/* ---------------------------------------------------------------------------------------------------------------- identity */

/** The packet that a tunnel's packet carries, or the packet itself. */
function innermost(packet: Ipv4Packet): Ipv4Packet {
  const { payload } = packet;
  if (payload.kind === "ipv4") return innermost(payload);
  if (payload.kind === "gre" && payload.payload.kind === "ipv4") return innermost(payload.payload);
  if (payload.kind === "udp" && !(payload.payload instanceof Uint8Array) && payload.payload.payload.kind === "ipv4") return innermost(payload.payload.payload);
  return packet;
}

/**
 * The same packet after forwarding, address translation, fragmentation or a tunnel: identification and transport numbers stay. An echo of it
 * has them, too, but its ends are exchanged.
 */
function isSamePacket(received: Ipv4Packet, sent: Ipv4Packet): boolean {
  const a = innermost(received);
  const b = innermost(sent);
  if (a.id !== b.id || a.protocol !== b.protocol) return false;
  if (a.src === b.dst && a.dst === b.src && a.src !== a.dst) return false;
  const p = a.payload;
  const q = b.payload;
  if (p.kind !== q.kind) return p.kind === "raw" || q.kind === "raw";
  if (p.kind === "tcp" && q.kind === "tcp") return p.flags === q.flags && p.payload.length === q.payload.length && p.window === q.window;
  if (p.kind === "icmp" && q.kind === "icmp") return p.type === q.type && p.code === q.code;
  return true;
}

/* ------------------------------------------------------------------------------------------------------------------- paths */

function rootOf(hop: Hop): Hop {
  let root = hop;
  while (root.from !== undefined) root = root.from.hop;
  return root;
}

function pathTo(root: Hop, hop: Hop, arrival: Arrival | undefined): PacketPath {
  const hosts: string[] = [];
  const records: number[] = [];
  if (arrival !== undefined) {
    hosts.push(arrival.event.host);
    records.push(arrival.event.id);
  }
  for (let one: Hop | undefined = hop; one !== undefined; one = one.from?.hop) {
    hosts.push(one.sent.host);
    records.push(one.sent.id);
    if (one.from !== undefined) records.push(one.from.event.id);
  }
  const drop = arrival === undefined ? hop.lost : arrival.drop;
  return {
    hosts: hosts.reverse(),
    records: records.reverse(),
    text: describePacket(root.packet),
    packet: root.packet,
    end: drop?.reason ?? (arrival === undefined ? "unheard" : "received"),
    detail: arrival?.drop?.detail ?? "",
    startNs: root.sent.timeNs,
    endNs: drop?.timeNs ?? arrival?.event.timeNs ?? hop.sent.timeNs,
  };
}

function predicateOf(filter: PacketFilter): (root: Hop) => boolean {
  const { from, to, protocol, sinceNs = 0 } = filter;
  const [addressText, portText] = (to ?? "").split(":");
  const address = to === undefined ? undefined : parseIpv4Address(addressText ?? "");
  const port = portText === undefined ? undefined : Number(portText);
  if (to !== undefined && (address === undefined || (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65_536))))
    throw new LabError(`${JSON.stringify(to)} is not a destination; write "10.0.0.100" or "10.0.0.100:80"`);
  return ({ sent, packet }) => {
    const { payload } = packet;
    if (from !== undefined && sent.host !== from) return false;
    if (address !== undefined && packet.dst !== address) return false;
    if (port !== undefined && !((payload.kind === "tcp" || payload.kind === "udp") && payload.dstPort === port)) return false;
    if (protocol !== undefined && packet.protocol !== PROTOCOLS[protocol]) return false;
    return sent.timeNs >= sinceNs;
  };
}
