/**
 * The connection table: entries found by the client's side of a packet or by the server's side.
 *
 * One hash over (protocol, client address, client port) serves both directions, since the client is known in each; the rest is compared.
 * A new entry goes to the front of its bucket, so that it hides an older one of the same key.
 *
 * Linux v6.1 net/netfilter/ipvs/ip_vs_conn.c (ip_vs_conn_hash, ip_vs_conn_in_get, ip_vs_ct_in_get, ip_vs_conn_out_get).
 */

import type { Ipv4Address } from "../base/ipv4-address.ts";
import { CONN_TEMPLATE, type Connection } from "./connection.ts";

const BUCKETS_MIN = 1024;

export class ConnectionTable {
  #buckets: (Connection | undefined)[] = new Array<Connection | undefined>(BUCKETS_MIN).fill(undefined);
  #count = 0;

  get size(): number {
    return this.#count;
  }

  add(connection: Connection): void {
    if (this.#count >= this.#buckets.length) this.#grow();
    const index = this.#indexOf(connection.protocol, connection.clientAddress, connection.clientPort);
    connection.next = this.#buckets[index];
    this.#buckets[index] = connection;
    connection.isHashed = true;
    this.#count++;
  }

  /** Must be called before the client's port changes. */
  remove(connection: Connection): void {
    if (!connection.isHashed) return;
    const index = this.#indexOf(connection.protocol, connection.clientAddress, connection.clientPort);
    let previous: Connection | undefined;
    for (let entry = this.#buckets[index]; entry !== undefined; entry = entry.next) {
      if (entry === connection) {
        if (previous === undefined) this.#buckets[index] = entry.next;
        else previous.next = entry.next;
        break;
      }
      previous = entry;
    }
    connection.next = undefined;
    connection.isHashed = false;
    this.#count--;
  }

  /** A client's packet: client -> virtual address. */
  findIn(protocol: number, clientAddress: Ipv4Address, clientPort: number, virtualAddress: Ipv4Address, virtualPort: number): Connection | undefined {
    for (let entry = this.#buckets[this.#indexOf(protocol, clientAddress, clientPort)]; entry !== undefined; entry = entry.next) {
      if (
        entry.clientPort === clientPort &&
        entry.virtualPort === virtualPort &&
        entry.clientAddress === clientAddress &&
        entry.virtualAddress === virtualAddress &&
        entry.protocol === protocol &&
        (entry.flags & CONN_TEMPLATE) === 0
      )
        return entry;
    }
    return undefined;
  }

  /** A server's packet: dest (or virtual address, where addresses are not rewritten) -> client. */
  findOut(protocol: number, serverAddress: Ipv4Address, serverPort: number, clientAddress: Ipv4Address, clientPort: number): Connection | undefined {
    for (let entry = this.#buckets[this.#indexOf(protocol, clientAddress, clientPort)]; entry !== undefined; entry = entry.next) {
      if (entry.clientPort !== clientPort || entry.clientAddress !== clientAddress || entry.protocol !== protocol) continue;
      if (entry.method === "masq" ? entry.destPort === serverPort && entry.destAddress === serverAddress : entry.virtualPort === serverPort && entry.virtualAddress === serverAddress) return entry;
    }
    return undefined;
  }

  findTemplate(protocol: number, clientAddress: Ipv4Address, virtualAddress: Ipv4Address, virtualPort: number): Connection | undefined {
    for (let entry = this.#buckets[this.#indexOf(protocol, clientAddress, 0)]; entry !== undefined; entry = entry.next) {
      if (
        (entry.flags & CONN_TEMPLATE) !== 0 &&
        entry.clientPort === 0 &&
        entry.virtualPort === virtualPort &&
        entry.clientAddress === clientAddress &&
        entry.virtualAddress === virtualAddress &&
        entry.protocol === protocol
      )
        return entry;
    }
    return undefined;
  }

  /** Every entry, in order of creation. */
  entries(): Connection[] {
    const list: Connection[] = [];
    for (const first of this.#buckets) for (let entry = first; entry !== undefined; entry = entry.next) list.push(entry);
    return list.sort((a, b) => a.sequence - b.sequence);
  }

  /** Entries of one of `parts` slices of the table, for defences that look at a part at a time. */
  slice(part: number, parts: number): Connection[] {
    const list: Connection[] = [];
    for (let index = part; index < this.#buckets.length; index += parts) for (let entry = this.#buckets[index]; entry !== undefined; entry = entry.next) list.push(entry);
    return list.sort((a, b) => a.sequence - b.sequence);
  }

  #indexOf(protocol: number, address: Ipv4Address, port: number): number {
    let hash = (address | 0) ^ Math.imul(port + (protocol << 16), 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
    hash ^= hash >>> 13;
    return hash & (this.#buckets.length - 1);
  }

  #grow(): void {
    const entries = this.entries();
    this.#buckets = new Array<Connection | undefined>(this.#buckets.length * 2).fill(undefined);
    for (const entry of entries) {
      const index = this.#indexOf(entry.protocol, entry.clientAddress, entry.clientPort);
      entry.next = this.#buckets[index];
      this.#buckets[index] = entry;
    }
  }
}
