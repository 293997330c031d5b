/**
 * What a switch has learnt: which MAC is behind which port, for 300 s.
 *
 * Linux v6.1 net/bridge/br_fdb.c (br_fdb_update, br_fdb_find_port; ageing time 300 s by default).
 */

import type { MacAddress } from "../base/mac-address.ts";
import { NS_PER_SECOND } from "../base/time.ts";

export const AGEING_TIME_NS = 300 * NS_PER_SECOND;
const ENTRIES_MAX = 65_536;

export interface ForwardingEntry<Port> {
  readonly mac: MacAddress;
  port: Port;
  updatedNs: number;
  /** Next entry with the same low 32 bits. */
  next: ForwardingEntry<Port> | undefined;
}

export class ForwardingDatabase<Port> {
  readonly #byLowBits = new Map<number, ForwardingEntry<Port>>();
  #count = 0;
  /** Counts whenever entries go: who keeps one compares. */
  generation = 0;

  /** Returns the entry, to be kept as that of `find`; undefined when the table is full. */
  learn(mac: MacAddress, port: Port, nowNs: number): ForwardingEntry<Port> | undefined {
    const key = mac | 0;
    const first = this.#byLowBits.get(key);
    for (let entry = first; entry !== undefined; entry = entry.next) {
      if (entry.mac !== mac) continue;
      entry.port = port;
      entry.updatedNs = nowNs;
      return entry;
    }
    if (this.#count >= ENTRIES_MAX) return undefined;
    const entry = { mac, port, updatedNs: nowNs, next: first };
    this.#byLowBits.set(key, entry);
    this.#count++;
    return entry;
  }

  /** Aged or not. Whoever asks again and again may keep the entry while `generation` stands still. */
  find(mac: MacAddress): ForwardingEntry<Port> | undefined {
    let entry = this.#byLowBits.get(mac | 0);
    while (entry !== undefined && entry.mac !== mac) entry = entry.next;
    return entry;
  }

  /** Whether the entry is still in the table. */
  has(entry: ForwardingEntry<Port>): boolean {
    return this.find(entry.mac) === entry;
  }

  forgetPort(port: Port): void {
    const kept = this.entries().filter((entry) => entry.port !== port);
    this.#byLowBits.clear();
    this.#count = 0;
    this.generation++;
    for (const entry of kept) this.learn(entry.mac, entry.port, entry.updatedNs);
  }

  /** Every entry, aged ones too, in order of learning. */
  entries(): ForwardingEntry<Port>[] {
    const list: ForwardingEntry<Port>[] = [];
    for (const first of this.#byLowBits.values()) for (let entry: ForwardingEntry<Port> | undefined = first; entry !== undefined; entry = entry.next) list.push(entry);
    return list;
  }
}
