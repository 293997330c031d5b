/**
 * The conversations of a run: who called whom, which records belong to each, and how it ended for the caller.
 *
 *   tcp-state CLOSE => SYN_SENT ─▶ a conversation ─▶ its frames by their ends, everything else by its cause, on every host that they cross
 *
 * UDP and echo requests make one with their first packet. What a conversation gave rise to (ARP, ICMP errors, rewritten and wrapped packets,
 * replies) belongs to it.
 */

import type { Ipv4Address } from "../base/ipv4-address.ts";
import { isMulticast, LIMITED_BROADCAST } from "../base/ipv4-address.ts";
import { NS_PER_SECOND } from "../base/time.ts";
import type { PacketDropped, TraceEvent } from "../trace/events.ts";
import { type IcmpMessage, type Ipv4Packet, TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN, type TcpSegment } from "../wire/packet.ts";

/** One end of a conversation; for echo requests the port is their identifier. */
export interface End {
  readonly address: Ipv4Address;
  readonly port: number;
}

/**
 * How it went for the caller: `refused` by RST or port unreachable, `unreachable` by another ICMP error, `unanswered`, `stalled` when data was sent
 * again and again without an acknowledgement, `reset` after it was established.
 */
export type Outcome = "ok" | "refused" | "unreachable" | "unanswered" | "stalled" | "reset";

export interface Conversation {
  /** From 0, in order of their beginning. */
  readonly number: number;
  /** The host that called. */
  readonly client: string;
  readonly protocol: "tcp" | "udp" | "icmp";
  readonly from: End;
  readonly to: End;
  readonly startId: number;
  readonly startNs: number;
  /** Ids of its records, oldest first; none of tables. */
  readonly ids: number[];
  readonly drops: PacketDropped[];
  /** Calls (SYNs, datagrams, echo requests) that the caller sent. */
  calls: number;
  isEstablished: boolean;
  /** From the first call to the first answer; undefined: there was none. */
  connectNs: number | undefined;
  outcome: Outcome;
  /** The record that shows the outcome; 0 when it is that nothing came. */
  outcomeId: number;
  endNs: number;
  /** Bytes of payload that the caller got. */
  receivedBytes: number;
}

/** A segment that was sent again and again. */
interface Stall {
  seq: number;
  repeats: number;
  sinceNs: number;
  lastNs: number;
  id: number;
}

/** From here on chance chooses ports (net.ipv4.ip_local_port_range). */
export const EPHEMERAL_PORT_MIN = 32_768;

const STALL_REPEATS = 2;
const STALL_NS = 0.5 * NS_PER_SECOND;

/** The packet inside tunnels, or the packet itself. */
export function innermost(packet: Ipv4Packet): Ipv4Packet {
  const { payload } = packet;
  if (payload.kind === "ipv4") return innermost(payload);
  if (payload.kind === "gre" && payload.payload.kind === "ipv4") return innermost(payload.payload);
  if (payload.kind === "udp" && !(payload.payload instanceof Uint8Array) && payload.payload.payload.kind === "ipv4") return innermost(payload.payload.payload);
  return packet;
}

/** The packet that a record is about, as it was when the record was written; undefined when it is about none. */
export function packetOf(event: TraceEvent): Ipv4Packet | undefined {
  switch (event.kind) {
    case "frame-sent":
    case "frame-received":
    case "frame-dropped":
      return event.frame.payload.kind === "ipv4" ? event.frame.payload : undefined;
    case "packet-dropped":
    case "packet-passed":
    case "netfilter":
      return event.packet;
    case "packet-rewritten":
      return event.after;
    case "packet-encapsulated":
      return event.inner;
    case "packet-decapsulated":
      return event.inner;
    default:
      return undefined;
  }
}

/** Source and destination with ports; undefined for packets that have none. */
export function endsOf(packet: Ipv4Packet): { readonly from: End; readonly to: End } | undefined {
  const { payload, src, dst } = packet;
  if (payload.kind === "tcp" || payload.kind === "udp") return { from: { address: src, port: payload.srcPort }, to: { address: dst, port: payload.dstPort } };
  if (payload.kind === "icmp" && (payload.type === 8 || payload.type === 0)) {
    const identifier = payload.rest >>> 16;
    return { from: { address: src, port: identifier }, to: { address: dst, port: identifier } };
  }
  return undefined;
}

export function isRst(packet: Ipv4Packet): boolean {
  return packet.payload.kind === "tcp" && (packet.payload.flags & TCP_RST) !== 0;
}

export function isSyn(packet: Ipv4Packet): boolean {
  return packet.payload.kind === "tcp" && (packet.payload.flags & (TCP_SYN | TCP_ACK)) === TCP_SYN;
}

export function isSynAck(packet: Ipv4Packet): boolean {
  return packet.payload.kind === "tcp" && (packet.payload.flags & (TCP_SYN | TCP_ACK)) === (TCP_SYN | TCP_ACK);
}

/** An ICMP error (unreachable, time exceeded, parameter problem, quench), not a redirect. */
export function errorIn(packet: Ipv4Packet): IcmpMessage | undefined {
  const { payload } = packet;
  return payload.kind === "icmp" && [3, 4, 11, 12].includes(payload.type) ? payload : undefined;
}

const SOCKET = /^(\d+\.\d+\.\d+\.\d+):(\d+) (\d+\.\d+\.\d+\.\d+):(\d+)$/;

/** Collects conversations from the records of a trace, all of them, in order. */
export class ConversationCollector {
  readonly conversations: Conversation[] = [];
  /** Number of the conversation of each record plus 1, by id less that of the first record; 0: none. */
  #of = new Uint32Array(4096);
  readonly #firstId: number;
  /** The conversation that a host sends by these ends: as caller or as somebody who answered. */
  readonly #bySocket = new Map<string, Conversation>();
  /** What a host itself called last, by its own end. */
  readonly #byCaller = new Map<string, Conversation>();
  readonly #stalls = new Map<string, Stall>();
  readonly #eventOf: (id: number) => TraceEvent | undefined;

  constructor(firstId: number, eventOf: (id: number) => TraceEvent | undefined) {
    this.#firstId = firstId;
    this.#eventOf = eventOf;
  }

  /** The conversation that a record belongs to. */
  ofRecord(id: number): Conversation | undefined {
    const number = this.#of[id - this.#firstId] ?? 0;
    return number === 0 ? undefined : this.conversations[number - 1];
  }

  add(event: TraceEvent): void {
    if (event.kind === "rows" || event.kind === "keyframe" || event.kind === "command-start" || event.kind === "origin" || event.kind === "fault") return;
    const conversation = this.#find(event);
    if (conversation === undefined) return;
    this.#note(event.id, conversation);
    conversation.ids.push(event.id);
    if (event.kind === "packet-dropped" && event.reason !== "OTHERHOST") conversation.drops.push(event);
    this.#follow(conversation, event);
  }

  /** To be called after the last record. */
  finish(): void {
    for (const [key, stall] of this.#stalls) {
      const conversation = this.#bySocket.get(key);
      const isStalled = stall.repeats >= STALL_REPEATS && stall.lastNs - stall.sinceNs >= STALL_NS;
      if (conversation === undefined || !isStalled || !conversation.isEstablished || conversation.outcome !== "ok") continue;
      conversation.outcome = "stalled";
      conversation.outcomeId = stall.id;
    }
  }

  /* ------------------------------------------------------------------------------------------------------------ which one */

  #find(event: TraceEvent): Conversation | undefined {
    if (event.kind === "tcp-state") return this.#ofSocket(event);
    const byCause = this.ofRecord(event.cause);
    if (event.kind === "scheduled" && byCause === undefined) return this.#byCaller.get(`${event.host} ${event.client}:${event.clientPort}`);
    const packet = packetOf(event);
    if (packet === undefined) return byCause;
    const isSending = event.kind === "frame-sent" || (event.kind === "packet-passed" && event.direction === "out");
    const ends = endsOf(innermost(packet));
    if ((!isSending && byCause !== undefined) || ends === undefined) return byCause;
    const key = socketKey(event.host, ends.from, ends.to);
    const own = this.#bySocket.get(key);
    if (!isSending) return own;
    if (own !== undefined && own.client === event.host && sameEnd(own.from, ends.from)) return own;
    const found = byCause ?? own;
    if (found !== undefined) {
      // A host that answers by itself later (a timer, a script that speaks) is known by the ends it used before.
      if (own === undefined) this.#bySocket.set(key, found);
      return found;
    }
    const { payload } = innermost(packet);
    const isCall = payload.kind === "udp" || (payload.kind === "icmp" && payload.type === 8);
    if (!isCall || isMulticast(ends.to.address) || ends.to.address === LIMITED_BROADCAST) return undefined;
    return this.#begin(event, payload.kind, ends.from, ends.to);
  }

  #ofSocket(event: Extract<TraceEvent, { readonly kind: "tcp-state" }>): Conversation | undefined {
    const match = SOCKET.exec(event.socket);
    if (match === null) return undefined;
    const local = { address: parseDotted(match[1] as string), port: Number(match[2]) };
    const remote = { address: parseDotted(match[3] as string), port: Number(match[4]) };
    if (event.after === "SYN_SENT" && event.before === "CLOSE") return this.#begin(event, "tcp", local, remote);
    const key = socketKey(event.host, local, remote);
    const own = this.#bySocket.get(key);
    const found = own ?? this.ofRecord(event.cause);
    if (found !== undefined && own === undefined) this.#bySocket.set(key, found);
    return found;
  }

  #begin(event: TraceEvent, protocol: Conversation["protocol"], from: End, to: End): Conversation {
    const conversation: Conversation = {
      number: this.conversations.length,
      client: event.host,
      protocol,
      from,
      to,
      startId: event.id,
      startNs: event.timeNs,
      ids: [],
      drops: [],
      calls: 0,
      isEstablished: false,
      connectNs: undefined,
      outcome: "unanswered",
      outcomeId: 0,
      endNs: event.timeNs,
      receivedBytes: 0,
    };
    this.conversations.push(conversation);
    const key = socketKey(event.host, from, to);
    this.#bySocket.set(key, conversation);
    this.#byCaller.set(`${event.host} ${from.address}:${from.port}`, conversation);
    this.#stalls.delete(key);
    return conversation;
  }

  #note(id: number, conversation: Conversation): void {
    const at = id - this.#firstId;
    if (at >= this.#of.length) {
      const more = new Uint32Array(Math.max(at + 1, this.#of.length * 2));
      more.set(this.#of);
      this.#of = more;
    }
    this.#of[at] = conversation.number + 1;
  }

  /* --------------------------------------------------------------------------------------------------------- how it goes */

  #follow(conversation: Conversation, event: TraceEvent): void {
    conversation.endNs = event.timeNs;
    if (event.kind === "tcp-state") this.#followState(conversation, event);
    else if (event.kind === "frame-sent" || (event.kind === "packet-passed" && event.direction === "out")) this.#followSent(conversation, event);
    else if (event.kind === "frame-received" || (event.kind === "packet-passed" && event.direction === "in")) this.#followReceived(conversation, event);
  }

  #followState(conversation: Conversation, event: Extract<TraceEvent, { readonly kind: "tcp-state" }>): void {
    const { from, to, client } = conversation;
    if (event.host !== client || event.socket !== `${formatEnd(from)} ${formatEnd(to)}`) return;
    if (event.after === "ESTABLISHED") {
      conversation.isEstablished = true;
      conversation.connectNs = event.timeNs - conversation.startNs;
      conversation.outcome = "ok";
      conversation.outcomeId = event.id;
    } else if (event.after === "CLOSE") {
      const why = this.#endOf(event);
      if (event.before === "SYN_SENT") conversation.outcome = why ?? "unanswered";
      else if (why !== undefined && event.before !== "TIME_WAIT" && event.before !== "LAST_ACK") conversation.outcome = "reset";
      if (conversation.outcome !== "ok") conversation.outcomeId = event.cause;
    }
  }

  /** What made a socket close at once: the packet that the record follows from. */
  #endOf(event: TraceEvent): "refused" | "unreachable" | undefined {
    const cause = this.#eventOf(event.cause);
    const packet = cause === undefined ? undefined : packetOf(cause);
    if (packet === undefined || cause === undefined || cause.host !== event.host) return undefined;
    if (isRst(packet)) return "refused";
    const error = errorIn(packet);
    return error === undefined ? undefined : error.type === 3 && error.code === 3 ? "refused" : "unreachable";
  }

  #followSent(conversation: Conversation, event: TraceEvent): void {
    const packet = packetOf(event);
    const ends = packet === undefined ? undefined : endsOf(packet);
    if (packet === undefined || ends === undefined) return;
    const isOwn = event.host === conversation.client && sameEnd(ends.from, conversation.from) && sameEnd(ends.to, conversation.to);
    if (packet.payload.kind !== "tcp") {
      if (isOwn) conversation.calls++;
      return;
    }
    if (isOwn && isSyn(packet)) conversation.calls++;
    const segment = packet.payload;
    if (segment.payload.length === 0 && (segment.flags & TCP_FIN) === 0) return;
    const key = socketKey(event.host, ends.from, ends.to);
    if (this.#bySocket.get(key) === undefined) return;
    this.#repeat(key, segment, event);
  }

  #repeat(key: string, segment: TcpSegment, event: TraceEvent): void {
    const stall = this.#stalls.get(key);
    if (stall === undefined) this.#stalls.set(key, { seq: segment.seq, repeats: 0, sinceNs: event.timeNs, lastNs: event.timeNs, id: event.id });
    else if (segment.seq === stall.seq || isBefore(segment.seq, stall.seq)) {
      stall.repeats++;
      stall.lastNs = event.timeNs;
      stall.id = event.id;
    }
  }

  #followReceived(conversation: Conversation, event: TraceEvent): void {
    const packet = packetOf(event);
    if (packet === undefined) return;
    const ends = endsOf(packet);
    const isCaller = event.host === conversation.client;
    if (ends === undefined) {
      const error = errorIn(packet);
      if (isCaller && error !== undefined && conversation.protocol !== "tcp" && conversation.outcome === "unanswered") {
        conversation.outcome = error.type === 3 && error.code === 3 ? "refused" : "unreachable";
        conversation.outcomeId = event.id;
      }
      return;
    }
    if (packet.payload.kind === "tcp") {
      const { payload } = packet;
      const stall = this.#stalls.get(socketKey(event.host, ends.to, ends.from));
      // Whatever is acknowledged beyond what was repeated ends the stall.
      if (stall !== undefined && (payload.flags & TCP_ACK) !== 0 && isBefore(stall.seq, payload.ack)) this.#stalls.delete(socketKey(event.host, ends.to, ends.from));
      if (isCaller && sameEnd(ends.to, conversation.from) && sameEnd(ends.from, conversation.to)) conversation.receivedBytes += payload.payload.length;
      return;
    }
    if (isCaller && sameEnd(ends.to, conversation.from) && sameEnd(ends.from, conversation.to)) {
      if (conversation.outcome !== "ok") {
        conversation.outcome = "ok";
        conversation.outcomeId = event.id;
        conversation.connectNs = event.timeNs - conversation.startNs;
      }
      if (packet.payload.kind === "udp" && packet.payload.payload instanceof Uint8Array) conversation.receivedBytes += packet.payload.payload.length;
    }
  }
}

function isBefore(seq: number, other: number): boolean {
  return ((seq - other) | 0) < 0;
}

export function sameEnd(a: End, b: End): boolean {
  return a.address === b.address && a.port === b.port;
}

function socketKey(host: string, from: End, to: End): string {
  return `${host} ${from.address}:${from.port} ${to.address}:${to.port}`;
}

function parseDotted(text: string): Ipv4Address {
  return text.split(".").reduce((address, part) => (address * 256 + Number(part)) >>> 0, 0);
}

export function formatEnd({ address, port }: End): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}:${port}`;
}
