/**
 * Which connection a packet belongs to, seen through address translation and tunnels.
 *
 * A connection is named by the two ends of its innermost packets. A record that tells of a rewriting joins the names before and after it.
 * A new SYN with another sequence number begins another connection with the same name.
 */

import { formatIpv4Address } from "../../../src/base/ipv4-address.ts";
import type { TraceEvent } from "../../../src/trace/events.ts";
import { type Ipv4Packet, TCP_ACK, TCP_SYN } from "../../../src/wire/packet.ts";
import { carriedOf, innermost } from "./packet-token.ts";

export interface Connection {
  readonly number: number;
  readonly protocol: "tcp" | "udp" | "icmp";
  /** `address:port` of the end that spoke first; for ICMP without a port. */
  readonly client: string;
  readonly server: string;
  readonly firstId: number;
  lastId: number;
  frames: number;
  bytes: number;
}

/** The SYN that began what a name stands for now. */
interface Named {
  readonly number: number;
  readonly synSeq: number;
}

export class ConnectionIndex {
  readonly #named = new Map<string, Named>();
  /** By number - 1. */
  readonly #connections: Connection[] = [];
  /** By number; a root is its own parent. */
  readonly #parents: number[] = [0];

  /** The connection of a record that carries a packet, 0 when there is none (ARP, other protocols). */
  take(event: TraceEvent): number {
    const carried = carriedOf(event);
    if (carried?.kind !== "ipv4") return 0;
    const number = this.#numberOf(carried, event.id);
    if (number === 0) return 0;
    if (event.kind === "packet-rewritten") this.#join(this.#numberOf(event.before, event.id), number);
    const connection = this.#connections[this.root(number) - 1] as Connection;
    connection.lastId = event.id;
    if (event.kind === "frame-sent") {
      connection.frames++;
      connection.bytes += event.frame.lengthBytes;
    }
    return number;
  }

  /** The number under which joined connections are known. */
  root(number: number): number {
    let root = number;
    while (this.#parents[root] !== root) root = this.#parents[root] as number;
    for (let at = number; at !== root; ) {
      const next = this.#parents[at] as number;
      this.#parents[at] = root;
      at = next;
    }
    return root;
  }

  /** All of them, oldest first. */
  list(): readonly Connection[] {
    return this.#connections.filter(({ number }) => this.#parents[number] === number);
  }

  #join(a: number, b: number): void {
    if (a === 0 || b === 0) return;
    const first = this.root(Math.min(this.root(a), this.root(b)));
    const second = this.root(Math.max(this.root(a), this.root(b)));
    if (first === second) return;
    this.#parents[second] = first;
    const kept = this.#connections[first - 1] as Connection;
    const gone = this.#connections[second - 1] as Connection;
    kept.frames += gone.frames;
    kept.bytes += gone.bytes;
    kept.lastId = Math.max(kept.lastId, gone.lastId);
  }

  #numberOf(outer: Ipv4Packet, id: number): number {
    const packet = innermost(outer);
    const { payload } = packet;
    if (payload.kind !== "tcp" && payload.kind !== "udp" && payload.kind !== "icmp") return 0;
    const from = payload.kind === "icmp" ? packet.src : packet.src * 65_536 + payload.srcPort;
    const to = payload.kind === "icmp" ? packet.dst : packet.dst * 65_536 + payload.dstPort;
    const extra = payload.kind === "icmp" ? Math.floor(payload.rest / 65_536) : 0;
    const name = `${payload.kind} ${Math.min(from, to)} ${Math.max(from, to)} ${extra}`;
    const isSyn = payload.kind === "tcp" && (payload.flags & (TCP_SYN | TCP_ACK)) === TCP_SYN;
    const synSeq = isSyn ? payload.seq : -1;
    const known = this.#named.get(name);
    if (known !== undefined && (!isSyn || known.synSeq === synSeq || known.synSeq === -1)) return known.number;
    const number = this.#parents.length;
    this.#parents.push(number);
    this.#named.set(name, { number, synSeq });
    const end = (address: number, port: number | undefined) => `${formatIpv4Address(address)}${port === undefined ? "" : `:${port}`}`;
    const ports = payload.kind === "icmp" ? undefined : payload;
    this.#connections.push({
      number,
      protocol: payload.kind,
      client: end(packet.src, ports?.srcPort),
      server: end(packet.dst, ports?.dstPort),
      firstId: id,
      lastId: id,
      frames: 0,
      bytes: 0,
    });
    return number;
  }
}
