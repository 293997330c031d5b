/**
 * Sockets found by both their ends: the established hash of the kernel. One for connections, one for what TIME_WAIT leaves of them.
 *
 * Linux v6.1 net/ipv4/inet_hashtables.c:__inet_lookup_established. Linux differs: the table grows with its sockets.
 */

import type { Ipv4Address } from "../../base/ipv4-address.ts";

const BUCKETS_MIN = 16;

/** What a socket keeps for the table that it is in. */
export interface TableSocket<T> {
  readonly localAddress: Ipv4Address;
  readonly localPort: number;
  readonly remoteAddress: Ipv4Address;
  readonly remotePort: number;
  /** Set by the table. */
  hash: number;
  nextInSlot: T | undefined;
  /** Order of insertion; listings follow it. */
  tableOrder: number;
}

export class SocketTable<T extends TableSocket<T>> {
  #buckets: (T | undefined)[] = new Array<T | undefined>(BUCKETS_MIN).fill(undefined);
  #count = 0;
  #order = 0;

  get size(): number {
    return this.#count;
  }

  /** Every socket, the oldest first. */
  list(): T[] {
    const list: T[] = [];
    for (const first of this.#buckets) for (let socket = first; socket !== undefined; socket = socket.nextInSlot) list.push(socket);
    return list.sort((a, b) => a.tableOrder - b.tableOrder);
  }

  insert(socket: T): void {
    if (this.#count >= this.#buckets.length) this.#grow();
    socket.hash = hashOf(socket.localAddress, socket.localPort, socket.remoteAddress, socket.remotePort);
    socket.tableOrder = this.#order++;
    this.#link(socket);
    this.#count++;
  }

  /** The socket must be in the table. */
  remove(socket: T): void {
    const index = socket.hash & (this.#buckets.length - 1);
    const first = this.#buckets[index];
    if (first === socket) this.#buckets[index] = socket.nextInSlot;
    else {
      let previous = first;
      while (previous !== undefined && previous.nextInSlot !== socket) previous = previous.nextInSlot;
      if (previous === undefined) return;
      previous.nextInSlot = socket.nextInSlot;
    }
    socket.nextInSlot = undefined;
    this.#count--;
  }

  find(localAddress: Ipv4Address, localPort: number, remoteAddress: Ipv4Address, remotePort: number): T | undefined {
    let socket = this.#buckets[hashOf(localAddress, localPort, remoteAddress, remotePort) & (this.#buckets.length - 1)];
    while (
      socket !== undefined &&
      !(socket.remotePort === remotePort && socket.localPort === localPort && socket.remoteAddress === remoteAddress && socket.localAddress === localAddress)
    )
      socket = socket.nextInSlot;
    return socket;
  }

  #link(socket: T): void {
    const index = socket.hash & (this.#buckets.length - 1);
    socket.nextInSlot = this.#buckets[index];
    this.#buckets[index] = socket;
  }

  #grow(): void {
    const old = this.#buckets;
    this.#buckets = new Array<T | undefined>(old.length * 2).fill(undefined);
    for (const first of old)
      for (let socket = first; socket !== undefined; ) {
        const next: T | undefined = socket.nextInSlot;
        this.#link(socket);
        socket = next;
      }
  }
}

/** A signed 32-bit number whose low bits depend on every bit of both ends. */
function hashOf(localAddress: number, localPort: number, remoteAddress: number, remotePort: number): number {
  const ports = (localPort << 16) | remotePort;
  const hash = Math.imul(remoteAddress, 0x9e3779b1) ^ Math.imul(localAddress, 0x85ebca6b) ^ Math.imul(ports, 0xc2b2ae35);
  return hash ^ (hash >>> 15);
}
