/**
 * The neighbour table: which MAC address a next hop has, how it is found out, and the packets that wait for that.
 *
 *   NONE/FAILED ── packet ─▶ INCOMPLETE ── answer ─▶ REACHABLE ── 15..45 s ─▶ STALE ── packet ─▶ DELAY ── 5 s ─▶ PROBE ── silence ─▶ FAILED
 *                               └── 3 requests unanswered ─▶ FAILED                     └──── confirmed ─▶ REACHABLE ◀── answer ──┘
 *
 * Linux v6.1 net/core/neighbour.c, net/ipv4/arp.c (arp_tbl, arp_constructor). Not modelled: application probes, NTF_EXT_LEARNED and managed
 * entries. Linux differs: below gc_thresh1 it never collects either, but above it looks on its own every 15 s; here on the next creation.
 */

import type { Ipv4Address } from "../base/ipv4-address.ts";
import { BROADCAST_MAC, type MacAddress, multicastMac, ZERO_MAC } from "../base/mac-address.ts";
import { NS_PER_MS, NS_PER_SECOND } from "../base/time.ts";
import { ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, TcpSegment } from "../wire/packet.ts";
import type { NetDevice } from "./device.ts";
import type { Errno, Host, Neighbour, NeighbourLearning, NeighbourState, NeighbourTable } from "./host.ts";
import { touchRow } from "./host-tables.ts";
import { NeighbourEntry } from "./neighbour-entry.ts";
import { type NeighbourFamily, type NeighbourParameterSet, NeighbourParameterSets } from "./neighbour-parameter-sets.ts";
import { ReachableTimes } from "./neighbour-reachable-time.ts";
import type { SkBuff } from "./skb.ts";
import { timerWheelDelay } from "./timer-wheel.ts";

const GC_THRESH_1 = 128;
const GC_THRESH_2 = 512;
const GC_THRESH_3 = 1024;
const FORCED_GC_INTERVAL_NS = 5 * NS_PER_SECOND;
const PERIODIC_GC_INTERVAL_NS = 15 * NS_PER_SECOND;
/** Bound on entries that collection leaves alone: permanent ones and proxies. */
const PERMANENT_MAX = 65536;
/**
 * Within one tick the kernel runs the timer first that was set last. A neighbour's is set again each second, so it comes before the
 * retransmission of the packet that waits for it: the third SYN asks anew.
 */
const AHEAD_NS = 1000;
/** A timer never fires sooner than one tick of HZ=100. */
const TICK_NS = 10 * NS_PER_MS;

export class NeighbourCache implements NeighbourTable {
  readonly #host: Host;
  /** By device index, then by address | 0. */
  readonly #tables: (Map<number, NeighbourEntry> | undefined)[] = [];
  /** The entry that was sent to last, by device index: mostly the next packet goes there too. */
  readonly #latest: (NeighbourEntry | undefined)[] = [];
  readonly #proxies = new Map<NetDevice, Map<number, NeighbourEntry>>();
  /** Entries in order of creation, with their number apart from permanent ones. */
  readonly #all = new Set<NeighbourEntry>();
  readonly #reachableTimes: ReachableTimes;
  readonly #parameterSets: NeighbourParameterSets;
  #collectableCount = 0;
  #lastForcedNs = Number.NEGATIVE_INFINITY;
  #lastPeriodicNs = 0;

  constructor(host: Host) {
    this.#host = host;
    this.#reachableTimes = new ReachableTimes(host);
    this.#parameterSets = new NeighbourParameterSets(host, this.#reachableTimes);
  }

  get list(): readonly Neighbour[] {
    const list: Neighbour[] = [...this.#all];
    for (const proxies of this.#proxies.values()) list.push(...proxies.values());
    return list;
  }

  parameterSets(family: NeighbourFamily): readonly NeighbourParameterSet[] {
    return this.#parameterSets.of(family);
  }

  lookup(device: NetDevice, address: Ipv4Address): Neighbour | undefined {
    return this.#find(device, address);
  }

  hasProxy(device: NetDevice, address: Ipv4Address): boolean {
    return this.#proxies.get(device)?.has(address | 0) ?? false;
  }

  /* ---------------------------------------------------------------------------------------------------------------- output */

  output(device: NetDevice, nextHop: Ipv4Address, skb: SkBuff): void {
    const { driver } = device;
    if (!driver.needsNeighbour) {
      driver.transmit(device, skb, ZERO_MAC);
      return;
    }
    let entry = this.#latest[device.index];
    if (entry === undefined || entry.address !== nextHop) {
      entry = this.#find(device, nextHop) ?? this.#create(device, nextHop, skb.cause);
      if (entry === undefined) {
        this.#drop(skb, "NEIGH_FAILED", "the neighbour table is full");
        return;
      }
      this.#latest[device.index] = entry;
    }
    // include/net/sock.h:sock_confirm_neigh
    if (skb.confirmsNeighbour) entry.confirmedAtNs = this.#host.loop.nowNs;
    if (!entry.isConnected && !this.#mayTransmit(entry, skb)) return;
    driver.transmit(device, skb, entry.mac);
  }

  solicit(device: NetDevice, address: Ipv4Address): boolean {
    const entry = this.#find(device, address) ?? this.#create(device, address, 0);
    if (entry === undefined) return false;
    if (entry.isValid) return true;
    this.#mayTransmit(entry, undefined);
    return false;
  }

  /** neighbour.c:neigh_event_send. True when the MAC may be used now; otherwise the packet has been queued. */
  #mayTransmit(entry: NeighbourEntry, skb: SkBuff | undefined): boolean {
    const nowNs = this.#host.loop.nowNs;
    entry.usedAtNs = nowNs;
    switch (entry.state) {
      case "STALE":
        this.#setState(entry, "DELAY", skb?.cause ?? 0);
        entry.updatedAtNs = nowNs;
        this.#arm(entry, entry.device.neigh.delayFirstProbeNs);
        return true;
      case "INCOMPLETE":
        if (skb !== undefined) this.#enqueue(entry, skb);
        return false;
      case "NONE":
      case "FAILED":
        return this.#startResolving(entry, skb);
      default:
        return true;
    }
  }

  #startResolving(entry: NeighbourEntry, skb: SkBuff | undefined): boolean {
    const parameters = entry.device.neigh;
    if (parameters.mcast_solicit + parameters.app_solicit === 0) {
      this.#setState(entry, "FAILED", skb?.cause ?? 0);
      entry.updatedAtNs = this.#host.loop.nowNs;
      if (skb !== undefined) this.#drop(skb, "NEIGH_FAILED", "mcast_solicit is 0");
      return false;
    }
    entry.probes = parameters.ucast_solicit;
    this.#setState(entry, "INCOMPLETE", skb?.cause ?? 0);
    entry.updatedAtNs = this.#host.loop.nowNs;
    this.#arm(entry, this.#retransTimeNs(entry));
    if (skb !== undefined) this.#enqueue(entry, skb);
    this.#probe(entry);
    return false;
  }

  /** The oldest packets make room for the newest (unres_qlen_bytes). */
  #enqueue(entry: NeighbourEntry, skb: SkBuff): void {
    const size = occupiedBytes(skb);
    const bound = entry.device.neigh.unres_qlen_bytes;
    while (entry.queueBytes + size > bound) {
      const oldest = entry.queue.shift();
      if (oldest === undefined) break;
      entry.queueBytes -= occupiedBytes(oldest);
      if (oldest.original !== undefined) oldest.original.waitingCount--;
      this.#drop(oldest, "NEIGH_QUEUEFULL", `unres_qlen_bytes = ${bound}`);
    }
    entry.queue.push(skb);
    if (skb.original !== undefined) skb.original.waitingCount++;
    entry.queueBytes += size;
  }

  /* ---------------------------------------------------------------------------------------------------------------- timers */

  /** neighbour.c:neigh_timer_handler */
  timerFired(entry: NeighbourEntry): void {
    const nowNs = this.#host.loop.nowNs;
    const nextNs = this.#expired(entry, nowNs);
    const state: NeighbourState = entry.state;
    const isProbing = state === "INCOMPLETE" || state === "PROBE";
    if (isProbing && entry.probes >= this.#maxProbes(entry)) {
      this.#setState(entry, "FAILED", 0);
      this.#invalidate(entry);
      return;
    }
    if (isProbing || state === "REACHABLE" || state === "DELAY") this.#arm(entry, Math.max(nextNs - nowNs, TICK_NS));
    if (isProbing) this.#probe(entry);
  }

  /** Moves on to the state that follows; returns when to look again. */
  #expired(entry: NeighbourEntry, nowNs: number): number {
    if (entry.state === "REACHABLE") return this.#reachableExpired(entry, nowNs);
    if (entry.state === "DELAY") return this.#delayExpired(entry, nowNs);
    return nowNs + this.#retransTimeNs(entry);
  }

  #reachableExpired(entry: NeighbourEntry, nowNs: number): number {
    const reachableNs = this.#reachableTimes.of(entry.device);
    if (nowNs <= entry.confirmedAtNs + reachableNs) return entry.confirmedAtNs + reachableNs;
    const isUsed = nowNs <= entry.usedAtNs + entry.device.neigh.delayFirstProbeNs;
    this.#setState(entry, isUsed ? "DELAY" : "STALE", 0);
    entry.updatedAtNs = nowNs;
    return nowNs + entry.device.neigh.delayFirstProbeNs;
  }

  #delayExpired(entry: NeighbourEntry, nowNs: number): number {
    entry.updatedAtNs = nowNs;
    if (nowNs <= entry.confirmedAtNs + entry.device.neigh.delayFirstProbeNs) {
      this.#setState(entry, "REACHABLE", 0);
      return entry.confirmedAtNs + this.#reachableTimes.of(entry.device);
    }
    this.#setState(entry, "PROBE", 0);
    entry.probes = 0;
    return nowNs + this.#retransTimeNs(entry);
  }

  #arm(entry: NeighbourEntry, delayNs: number): void {
    const { loop, options } = this.#host;
    entry.timer.arm(timerWheelDelay(loop.nowNs, delayNs, options.hz) - AHEAD_NS);
  }

  #retransTimeNs(entry: NeighbourEntry): number {
    return Math.max(entry.device.neigh.retransTimeNs, TICK_NS);
  }

  #maxProbes(entry: NeighbourEntry): number {
    const parameters = entry.device.neigh;
    return parameters.ucast_solicit + parameters.app_solicit + (entry.state === "PROBE" ? parameters.mcast_resolicit : parameters.mcast_solicit);
  }

  /** The newest packet that waits decides about the sender address (arp_announce). */
  #probe(entry: NeighbourEntry): void {
    const skb = entry.queue.at(-1);
    const isUnicast = entry.probes < entry.device.neigh.ucast_solicit;
    this.#host.arp.solicit(entry.device, entry.address, isUnicast ? entry.mac : BROADCAST_MAC, skb);
    entry.probes++;
  }

  /** neighbour.c:neigh_invalidate, arp.c:arp_error_report: whoever sent what waits is told. */
  #invalidate(entry: NeighbourEntry): void {
    entry.updatedAtNs = this.#host.loop.nowNs;
    const waiting = entry.takeQueue();
    for (const skb of waiting) {
      this.#drop(skb, "NEIGH_FAILED", `no answer to ARP for ${entry.addressText} on ${entry.device.name}`);
      this.#host.icmp.sendError(skb, ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0);
    }
  }

  /* ---------------------------------------------------------------------------------------------------------------- change */

  learn(device: NetDevice, address: Ipv4Address, mac: MacAddress, learning: NeighbourLearning): boolean {
    const entry = this.#find(device, address) ?? (learning.creates ? this.#create(device, address, learning.cause) : undefined);
    if (entry === undefined) return false;
    this.#update(entry, mac, learning.state, learning.overrides, false, learning.cause);
    return true;
  }

  set(device: NetDevice, address: Ipv4Address, mac: MacAddress | undefined, state: NeighbourState, how: "add" | "replace" | "change"): Errno | undefined {
    let entry = this.#find(device, address);
    if (entry === undefined) {
      if (how === "change") return "ENOENT";
      entry = this.#create(device, address, 0, state === "PERMANENT");
      if (entry === undefined) return "ENOBUFS";
    } else if (how === "add") {
      return "EEXIST";
    }
    return this.#update(entry, mac, state, true, true, 0);
  }

  /** arp.c:arp_invalidate, neighbour.c:neigh_delete. */
  remove(device: NetDevice, address: Ipv4Address): Errno | undefined {
    const entry = this.#find(device, address);
    if (entry === undefined) return "ENOENT";
    this.#update(entry, undefined, "FAILED", true, true, 0);
    this.#forget(entry);
    return undefined;
  }

  /** neighbour.c:__neigh_update */
  #update(entry: NeighbourEntry, mac: MacAddress | undefined, wanted: NeighbourState, overrides: boolean, isAdmin: boolean, cause: number): Errno | undefined {
    const old = entry.state;
    const wasValid = entry.isValid;
    if (!isAdmin && (old === "NOARP" || old === "PERMANENT")) return "EPERM";
    if (wanted === "FAILED" || wanted === "NONE" || wanted === "INCOMPLETE") {
      entry.timer.disarm();
      this.#setState(entry, wanted, cause);
      if ((old === "INCOMPLETE" || old === "PROBE") && wanted === "FAILED") this.#invalidate(entry);
      return undefined;
    }
    if (mac === undefined && !wasValid) return "EINVAL";
    const newMac = mac ?? entry.mac;
    const nowNs = this.#host.loop.nowNs;
    if (wanted === "REACHABLE" || wanted === "PERMANENT" || wanted === "NOARP") entry.confirmedAtNs = nowNs;
    let state: NeighbourState = wanted;
    if (wasValid) {
      if (newMac !== entry.mac && !overrides) return undefined;
      if (newMac === entry.mac && wanted === "STALE" && !isAdmin) state = old;
    }
    const isNewMac = newMac !== entry.mac;
    if (state !== old || isNewMac) entry.updatedAtNs = nowNs;
    if (isNewMac) {
      entry.mac = newMac;
      if (state !== "REACHABLE" && state !== "PERMANENT" && state !== "NOARP")
        entry.confirmedAtNs = nowNs - entry.device.neigh.base_reachable_time_ms * 2 * NS_PER_MS;
    }
    if (state === old) {
      if (isNewMac) this.#trace(entry, old, cause);
      return undefined;
    }
    this.#enter(entry, state, cause);
    if (!wasValid) this.#sendQueue(entry);
    return undefined;
  }

  #enter(entry: NeighbourEntry, state: NeighbourState, cause: number): void {
    entry.timer.disarm();
    if (state === "PROBE") entry.probes = 0;
    this.#setState(entry, state, cause);
    if (state === "REACHABLE") this.#arm(entry, this.#reachableTimes.of(entry.device));
    else if (state === "DELAY" || state === "PROBE") this.#arm(entry, 0);
  }

  #sendQueue(entry: NeighbourEntry): void {
    for (const skb of entry.takeQueue()) {
      if (entry.isConnected || this.#mayTransmit(entry, skb)) entry.device.driver.transmit(entry.device, skb, entry.mac);
    }
  }

  #setState(entry: NeighbourEntry, state: NeighbourState, cause: number): void {
    const before = entry.state;
    if ((before === "PERMANENT") !== (state === "PERMANENT")) this.#collectableCount += before === "PERMANENT" ? 1 : -1;
    entry.setState(state);
    this.#trace(entry, before, cause);
  }

  #trace(entry: NeighbourEntry, before: string, cause: number): void {
    const { trace } = this.#host;
    touchRow(this.#host, "neighbours", entry);
    if (!trace.isFull) return;
    trace.emit({
      kind: "neighbour",
      host: this.#host.name,
      device: entry.device.name,
      address: entry.address,
      mac: entry.mac,
      before,
      after: entry.state,
      cause,
    });
  }

  /* --------------------------------------------------------------------------------------------------------------- proxies */

  setProxy(device: NetDevice, address: Ipv4Address): void {
    let proxies = this.#proxies.get(device);
    if (proxies === undefined) {
      proxies = new Map();
      this.#proxies.set(device, proxies);
    }
    if (proxies.has(address | 0) || proxies.size >= PERMANENT_MAX) return;
    const entry = new NeighbourEntry(this, this.#host.loop, device, address, true);
    proxies.set(address | 0, entry);
    touchRow(this.#host, "neighbours", entry);
  }

  removeProxy(device: NetDevice, address: Ipv4Address): Errno | undefined {
    const entry = this.#proxies.get(device)?.get(address | 0);
    if (entry === undefined) return "ENOENT";
    this.#proxies.get(device)?.delete(address | 0);
    touchRow(this.#host, "neighbours", entry);
    return undefined;
  }

  /* ----------------------------------------------------------------------------------------------------- creation and end */

  flush(filter: (neighbour: Neighbour) => boolean): number {
    let count = 0;
    for (const entry of [...this.#all]) {
      if (!filter(entry)) continue;
      this.#forget(entry);
      count++;
    }
    for (const proxies of this.#proxies.values()) {
      for (const [key, entry] of [...proxies]) {
        if (!filter(entry)) continue;
        proxies.delete(key);
        touchRow(this.#host, "neighbours", entry);
      }
    }
    return count;
  }

  /** neighbour.c:neigh_ifdown, and neigh_carrier_down, which spares permanent entries. */
  deviceDown(device: NetDevice, isOnlyCarrier: boolean): void {
    this.flush((entry) => entry.device === device && !(isOnlyCarrier && (entry.isProxy || entry.state === "PERMANENT")));
  }

  #find(device: NetDevice, address: Ipv4Address): NeighbourEntry | undefined {
    return this.#tables[device.index]?.get(address | 0);
  }

  /** neighbour.c:___neigh_create, neigh_alloc; arp.c:arp_constructor. */
  #create(device: NetDevice, address: Ipv4Address, cause: number, isPermanent = false): NeighbourEntry | undefined {
    if (isPermanent ? this.#all.size >= PERMANENT_MAX : !this.#makeRoom()) {
      this.#host.log.write("neighbour: arp_cache: neighbor table overflow!");
      return undefined;
    }
    const entry = new NeighbourEntry(this, this.#host.loop, device, address, false);
    const type = this.#host.fib.addressType(address);
    if (type === "multicast") entry.mac = multicastMac(address);
    else if (device.isNoArp) entry.mac = device.mac;
    else if (type === "broadcast") entry.mac = BROADCAST_MAC;
    if (type === "multicast" || device.isNoArp || type === "broadcast") entry.setState("NOARP");
    let table = this.#tables[device.index];
    if (table === undefined) {
      table = new Map();
      this.#tables[device.index] = table;
    }
    table.set(address | 0, entry);
    this.#all.add(entry);
    this.#collectableCount++;
    if (entry.state !== "NONE") this.#trace(entry, "", cause);
    else touchRow(this.#host, "neighbours", entry);
    return entry;
  }

  /** Takes the entry out; what waits dies unheard (neigh_flush_dev purges the queue). */
  #forget(entry: NeighbourEntry): void {
    entry.timer.disarm();
    for (const skb of entry.takeQueue()) this.#drop(skb, "NEIGH_FAILED", "the neighbour entry was removed");
    if (!this.#all.delete(entry)) return;
    this.#tables[entry.device.index]?.delete(entry.address | 0);
    if (this.#latest[entry.device.index] === entry) this.#latest[entry.device.index] = undefined;
    if (entry.state !== "PERMANENT") this.#collectableCount--;
    const before = entry.state;
    entry.setState("NONE");
    this.#trace(entry, before, 0);
  }

  /** True when one more entry fits. neighbour.c:neigh_alloc, neigh_forced_gc, neigh_periodic_work. */
  #makeRoom(): boolean {
    if (this.#collectableCount < GC_THRESH_1) return true;
    const nowNs = this.#host.loop.nowNs;
    if (nowNs - this.#lastPeriodicNs > PERIODIC_GC_INTERVAL_NS) {
      this.#lastPeriodicNs = nowNs;
      for (const entry of [...this.#all]) {
        if (entry.isBusy || entry.state === "PERMANENT") continue;
        const lastNs = Math.max(entry.usedAtNs, entry.confirmedAtNs);
        if (entry.state === "FAILED" || nowNs > lastNs + entry.device.neigh.gcStaleTimeNs) this.#forget(entry);
      }
    }
    const count = this.#collectableCount;
    if (count >= GC_THRESH_3 || (count >= GC_THRESH_2 && nowNs - this.#lastForcedNs > FORCED_GC_INTERVAL_NS)) {
      this.#forcedCollection(nowNs, count - GC_THRESH_2);
    }
    return this.#collectableCount < GC_THRESH_3;
  }

  #forcedCollection(nowNs: number, countMax: number): void {
    this.#lastForcedNs = nowNs;
    let count = 0;
    for (const entry of [...this.#all]) {
      if (count >= countMax) return;
      if (entry.isBusy || entry.state === "PERMANENT") continue;
      if (entry.state !== "FAILED" && entry.state !== "NOARP" && entry.updatedAtNs >= nowNs - FORCED_GC_INTERVAL_NS) continue;
      this.#forget(entry);
      count++;
    }
  }

  #drop(skb: SkBuff, reason: "NEIGH_FAILED" | "NEIGH_QUEUEFULL", detail: string): void {
    const { trace, name } = this.#host;
    if (trace.isFull) skb.cause = trace.emit({ kind: "packet-dropped", host: name, reason, packet: skb.recorded, detail, cause: skb.cause });
  }
}

/** About what the kernel charges a packet with (skb->truesize): its bytes in a slab of a power of two, and the sk_buff. */
function occupiedBytes(skb: SkBuff): number {
  const headroom = skb.ip.payload instanceof TcpSegment ? 320 : 80;
  let size = 512;
  while (size < skb.ip.lengthBytes + headroom + 320) size *= 2;
  return size + 256;
}
