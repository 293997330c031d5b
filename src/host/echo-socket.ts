/**
 * Sockets that send echo requests: what ping opens. They are found by the identifier of the request.
 *
 * Linux v6.1 net/ipv4/ping.c (ping_lookup, ping_get_port), net/ipv4/raw.c.
 */

import { assert } from "../base/assert.ts";
import type { RandomStream } from "../kernel/random.ts";
import type { IcmpMessage, Ipv4Packet } from "../wire/packet.ts";
import type { EchoSocket, Errno } from "./host.ts";

/** Bound on open sockets of one host: beyond it the oldest no longer hear anything. */
const SOCKETS_MAX = 4096;
const IDENTIFIERS = 65536;

export type EchoSocketOptions = Parameters<EchoSocket["send"]>[0];

type Listener = (packet: Ipv4Packet, icmp: IcmpMessage) => void;
type Sender = (socket: PingSocket, options: EchoSocketOptions) => Errno | undefined;

export class PingSocket implements EchoSocket {
  readonly identifier: number;
  readonly onPacket: Listener;
  readonly #send: Sender;
  readonly #close: (socket: PingSocket) => void;

  constructor(identifier: number, onPacket: Listener, send: Sender, close: (socket: PingSocket) => void) {
    this.identifier = identifier;
    this.onPacket = onPacket;
    this.#send = send;
    this.#close = close;
  }

  send(options: EchoSocketOptions): Errno | undefined {
    return this.#send(this, options);
  }

  close(): void {
    this.#close(this);
  }
}

export class PingSockets {
  readonly #open = new Map<number, PingSocket>();

  open(random: RandomStream, onPacket: Listener, send: Sender): PingSocket {
    if (this.#open.size >= SOCKETS_MAX) this.#open.delete(this.#open.keys().next().value as number);
    let identifier = random.below(IDENTIFIERS);
    for (let tries = 0; this.#open.has(identifier); tries++) {
      assert(tries < IDENTIFIERS, "no echo identifier is free");
      identifier = (identifier + 1) % IDENTIFIERS;
    }
    const socket = new PingSocket(identifier, onPacket, send, (closed) => {
      if (this.#open.get(closed.identifier) === closed) this.#open.delete(closed.identifier);
    });
    this.#open.set(identifier, socket);
    return socket;
  }

  deliver(identifier: number, packet: Ipv4Packet, icmp: IcmpMessage): void {
    this.#open.get(identifier)?.onPacket(packet, icmp);
  }
}
