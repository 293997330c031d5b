/**
 * What a run showed, put in order for questions: records by id, conversations, tables at any record, who is a director of what, who has an address.
 *
 *   trace (level full) ─▶ Evidence ─▶ doctor, explain, whatif, diff
 *
 * Everything is taken from records and tables. Names of hosts and titles mean nothing here.
 */

import { formatIpv4Address, type Ipv4Address, isInPrefix, parseIpv4Address } from "../base/ipv4-address.ts";
import { formatMacAddress, type MacAddress } from "../base/mac-address.ts";
import { formatSeconds } from "../base/time.ts";
import type { Scheduled, TraceEvent, TraceKind } from "../trace/events.ts";
import type { AddressRow, IpvsDestinationRow, IpvsServiceRow } from "../trace/rows.ts";
import type { TraceHeader } from "../trace/trace-header.ts";
import { type Conversation, ConversationCollector } from "./conversations.ts";
import { AT_THE_END, TableHistory } from "./table-history.ts";

/** A run as it is asked about. `hosts` as in the header of a trace; `scenario` is the text of its file. */
export interface RecordedRun {
  readonly header: Pick<TraceHeader, "title" | "hosts" | "links" | "scenario">;
  readonly events: readonly TraceEvent[];
}

/** A virtual service of one director for as long as it was there with this scheduler, persistence and flags. */
export interface ServiceSpan {
  readonly director: string;
  /** `TCP 10.0.0.100:80`, `FWM 1`. */
  readonly name: string;
  /** Undefined for a mark. */
  readonly address: Ipv4Address | undefined;
  readonly port: number;
  readonly protocol: string;
  readonly sinceId: number;
  readonly untilId: number;
  /** As it was last. */
  readonly row: IpvsServiceRow;
}

/** A real server of one service of one director for as long as it was there with this method. */
export interface DestSpan {
  readonly director: string;
  readonly service: string;
  readonly address: Ipv4Address;
  readonly port: number;
  readonly method: string;
  readonly sinceId: number;
  readonly untilId: number;
  /** As it was last. */
  readonly row: IpvsDestinationRow;
}

export type EventOf<K extends TraceKind> = Extract<TraceEvent, { readonly kind: K }>;

const CHAIN_MAX = 4096;

export class Evidence {
  readonly header: RecordedRun["header"];
  readonly events: readonly TraceEvent[];
  readonly tables = new TableHistory();
  readonly conversations: readonly Conversation[];
  /** Time 0 of the timeline, in nanoseconds of the run. */
  readonly originNs: number;
  readonly originId: number;
  readonly endNs: number;
  readonly hostNames: readonly string[];
  readonly services: readonly ServiceSpan[];
  readonly dests: readonly DestSpan[];
  readonly #firstId: number;
  readonly #collector: ConversationCollector;
  readonly #byKind = new Map<TraceKind, TraceEvent[]>();
  readonly #byMac = new Map<MacAddress, { readonly host: string; readonly device: string }>();
  readonly #linkOf = new Map<string, string>();
  readonly #directorsOf = new Map<Ipv4Address, Set<string>>();

  constructor(run: RecordedRun) {
    this.header = run.header;
    this.events = run.events;
    this.hostNames = run.header.hosts.map(({ name }) => name);
    this.#firstId = run.events[0]?.id ?? 1;
    this.#collector = new ConversationCollector(this.#firstId, (id) => this.event(id));
    let origin: TraceEvent | undefined;
    for (const event of run.events) {
      this.tables.add(event);
      this.#collector.add(event);
      if (event.kind === "origin") origin = event;
      const same = this.#byKind.get(event.kind);
      if (same === undefined) this.#byKind.set(event.kind, [event]);
      else same.push(event);
    }
    this.#collector.finish();
    this.conversations = this.#collector.conversations;
    this.originNs = origin?.timeNs ?? 0;
    this.originId = origin?.id ?? 0;
    this.endNs = run.events.at(-1)?.timeNs ?? 0;
    for (const { name, interfaces } of run.header.hosts)
      for (const one of interfaces) this.#linkOf.set(`${name}.${one.name}`, one.link);
    this.#readMacs();
    this.services = this.#readServices();
    this.dests = this.#readDests();
    for (const { director, address } of this.services) if (address !== undefined) this.#addDirector(address, director);
    for (const event of this.of("scheduled")) if (event.service.startsWith("FWM")) this.#noteMarked(event);
  }

  /* -------------------------------------------------------------------------------------------------------------- records */

  /** A record by its id; undefined when the trace lacks it. */
  event(id: number): TraceEvent | undefined {
    const event = this.events[id - this.#firstId];
    return event?.id === id ? event : this.events.find((one) => one.id === id);
  }

  /** All records of a kind, oldest first. */
  of<K extends TraceKind>(kind: K): readonly EventOf<K>[] {
    return (this.#byKind.get(kind) ?? []) as unknown as readonly EventOf<K>[];
  }

  conversationOf(id: number): Conversation | undefined {
    return this.#collector.ofRecord(id);
  }

  /** The record and what led to it, itself first. */
  chain(id: number): TraceEvent[] {
    const chain: TraceEvent[] = [];
    for (let at = this.event(id); at !== undefined && chain.length < CHAIN_MAX; at = at.cause === 0 ? undefined : this.event(at.cause)) chain.push(at);
    return chain;
  }

  /** The records of a conversation of one kind. */
  recordsOf<K extends TraceKind>(conversation: Conversation, kind: K): EventOf<K>[] {
    const found: EventOf<K>[] = [];
    for (const id of conversation.ids) {
      const event = this.event(id);
      if (event?.kind === kind) found.push(event as EventOf<K>);
    }
    return found;
  }

  /** What was typed that led to a record, nearest first; undefined: nothing was. */
  commandBehind(id: number): EventOf<"command-start"> | undefined {
    return this.chain(id).find((event): event is EventOf<"command-start"> => event.kind === "command-start");
  }

  /** Seconds of the timeline at a record, as `1.03 s`; cut to the microsecond, as everywhere. */
  timeOf(id: number): string {
    const ns = (this.event(id)?.timeNs ?? 0) - this.originNs;
    return `${ns < 0 ? "-" : ""}${Number(formatSeconds(Math.abs(ns)))} s`;
  }

  /* ----------------------------------------------------------------------------------------------------------- the set-up */

  /** Addresses of virtual services, those of marks as far as something was sent to them. */
  get virtualAddresses(): readonly Ipv4Address[] {
    return [...this.#directorsOf.keys()];
  }

  isVirtual(address: Ipv4Address): boolean {
    return this.#directorsOf.has(address);
  }

  /** Hosts that had a service for the address at any time. */
  directorsOf(address: Ipv4Address): readonly string[] {
    return [...(this.#directorsOf.get(address) ?? [])];
  }

  /** A host that had any service at any time. */
  isDirector(host: string): boolean {
    return this.services.some(({ director }) => director === host);
  }

  /** The host had a service for the address at record `id`. */
  directs(host: string, address: Ipv4Address, id: number): boolean {
    const marks = this.#directorsOf.get(address)?.has(host) === true;
    return this.services.some((one) => one.director === host && (one.address === address || (one.address === undefined && marks)) && one.sinceId <= id && id < one.untilId);
  }

  /** The services that take packets for an end at record `id`. */
  servicesFor(address: Ipv4Address, port: number, id: number): ServiceSpan[] {
    return this.services.filter((one) => one.address === address && (one.port === port || one.port === 0) && one.sinceId <= id && id < one.untilId);
  }

  /** Servers of any service at the address, at any time. */
  destsFor(address: Ipv4Address): DestSpan[] {
    return this.dests.filter((dest) => this.services.some((one) => one.director === dest.director && one.name === dest.service && (one.address === address || (one.address === undefined && this.#directorsOf.get(address)?.has(one.director)))));
  }

  /** The host that has the address for itself: not as a virtual address of others. */
  hostOf(address: Ipv4Address, id = AT_THE_END): string | undefined {
    return this.hostNames.find((host) => this.hasAddress(host, address, id)) ?? this.hostNames.find((host) => this.everHad(host, address));
  }

  hasAddress(host: string, address: Ipv4Address, id = AT_THE_END): boolean {
    return this.addressRow(host, address, id) !== undefined;
  }

  /** The host has the address, or takes packets for it by a local route, at record `id`. */
  isLocal(host: string, address: Ipv4Address, id = AT_THE_END): boolean {
    if (this.hasAddress(host, address, id)) return true;
    return this.tables.rows(host, "routes", id).some((route) => route.type === "local" && isInRoute(address, route.destination));
  }

  addressRow(host: string, address: Ipv4Address, id = AT_THE_END): AddressRow | undefined {
    const text = formatIpv4Address(address);
    return this.tables.rows(host, "addresses", id).find((row) => row.address === text);
  }

  everHad(host: string, address: Ipv4Address): boolean {
    const text = formatIpv4Address(address);
    for (const versions of this.tables.versions(host, "addresses").values()) if (versions.some(({ row }) => row?.address === text)) return true;
    return false;
  }

  /** A setting's value as a number, 0 when it is not there. */
  setting(host: string, key: string, id = AT_THE_END): number {
    return Number(this.tables.row(host, "sysctls", key, id)?.value ?? 0);
  }

  /** A setting of net.ipv4.conf as it is in force on a device: the larger of `all` and the device's own. */
  inForce(host: string, device: string, name: string, id = AT_THE_END): number {
    return Math.max(this.setting(host, `net.ipv4.conf.all.${name}`, id), this.setting(host, `net.ipv4.conf.${device}.${name}`, id));
  }

  /** `arp_ignore = max(all 0, eth0 0) = 0` */
  inForceText(host: string, device: string, name: string, id = AT_THE_END): string {
    const all = this.setting(host, `net.ipv4.conf.all.${name}`, id);
    const own = this.setting(host, `net.ipv4.conf.${device}.${name}`, id);
    return `${name} = max(all ${all}, ${device} ${own}) = ${Math.max(all, own)}`;
  }

  /** Whose interface has the MAC; undefined: nobody's (a broadcast, say). */
  ownerOfMac(mac: MacAddress): { readonly host: string; readonly device: string } | undefined {
    return this.#byMac.get(mac);
  }

  /** The link that an interface is on; undefined for devices without a cable. */
  linkOf(host: string, device: string): string | undefined {
    return this.#linkOf.get(`${host}.${device}`);
  }

  /** The host was crashed, off, or its interface's cable pulled at a record. */
  isCut(host: string, id: number): boolean {
    let isOff = false;
    for (const event of this.of("link")) {
      if (event.id > id) break;
      if (event.host === host && event.device === "") isOff = event.state === "crashed";
    }
    return isOff;
  }

  #readMacs(): void {
    for (const { name, interfaces } of this.header.hosts) for (const one of interfaces) this.#byMac.set(parseMac(one.mac), { host: name, device: one.name });
    for (const host of this.hostNames)
      for (const versions of this.tables.versions(host, "links").values())
        for (const { row } of versions) {
          const mac = row?.mac;
          if (row === undefined || mac === null || mac === undefined || mac === "00:00:00:00:00:00") continue;
          const number = parseMac(mac);
          if (!this.#byMac.has(number)) this.#byMac.set(number, { host, device: row.name });
        }
  }

  #readServices(): ServiceSpan[] {
    const spans: ServiceSpan[] = [];
    for (const director of this.hostNames)
      for (const versions of this.tables.versions(director, "ipvsServices").values())
        for (const { sinceId, untilId, row } of spansOf(versions, isSameService)) {
          const [protocol = "", end = ""] = row.service.split(" ");
          const [address = "", port = "0"] = end.split(":");
          const isMark = protocol === "FWM";
          spans.push({ director, name: row.service, address: isMark ? undefined : parseIpv4Address(address), port: isMark ? 0 : Number(port), protocol, sinceId, untilId, row });
        }
    return spans;
  }

  #readDests(): DestSpan[] {
    const spans: DestSpan[] = [];
    for (const director of this.hostNames)
      for (const versions of this.tables.versions(director, "ipvsDestinations").values())
        for (const { sinceId, untilId, row } of spansOf(versions, (a, b) => a.method === b.method && a.port === b.port)) {
          const { service, port, method } = row;
          spans.push({ director, service, address: parseIpv4Address(row.address) ?? 0, port, method, sinceId, untilId, row });
        }
    return spans;
  }

  #addDirector(address: Ipv4Address, host: string): void {
    const hosts = this.#directorsOf.get(address) ?? new Set();
    hosts.add(host);
    this.#directorsOf.set(address, hosts);
  }

  #noteMarked(event: Scheduled): void {
    const conversation = this.conversationOf(event.id);
    // Only what the director has: a mark may also stand for the whole world (a transparent cache).
    if (conversation !== undefined && this.everHad(event.host, conversation.to.address)) this.#addDirector(conversation.to.address, event.host);
  }
}

function isSameService(a: IpvsServiceRow, b: IpvsServiceRow): boolean {
  return a.scheduler === b.scheduler && a.flags === b.flags && a.persistenceSeconds === b.persistenceSeconds && a.netmask === b.netmask && a.isOnePacket === b.isOnePacket;
}

/** The times during which a row was there and the same in what matters, with its last form. */
function spansOf<R>(versions: readonly { readonly id: number; readonly row: R | undefined }[], isSame: (a: R, b: R) => boolean): { readonly sinceId: number; readonly untilId: number; readonly row: R }[] {
  const spans: { sinceId: number; untilId: number; row: R }[] = [];
  let isOpen = false;
  for (const { id, row } of versions) {
    const last = spans.at(-1);
    if (row === undefined) {
      if (last !== undefined) last.untilId = id;
      isOpen = false;
    } else if (isOpen && last !== undefined && isSame(last.row, row)) last.row = row;
    else {
      if (isOpen && last !== undefined) last.untilId = id;
      spans.push({ sinceId: id, untilId: AT_THE_END, row });
      isOpen = true;
    }
  }
  return spans;
}

/** An address lies in a route's destination, `10.0.0.0/24`, `10.0.0.1` or `default`. */
export function isInRoute(address: Ipv4Address, destination: string): boolean {
  if (destination === "default") return true;
  const [network = "", length = "32"] = destination.split("/");
  const parsed = parseIpv4Address(network);
  return parsed !== undefined && isInPrefix(address, parsed, Number(length));
}

function parseMac(text: string): MacAddress {
  return text.split(":").reduce((mac, part) => mac * 256 + Number.parseInt(part, 16), 0);
}

/** For sentences. */
export const words = { address: formatIpv4Address, mac: formatMacAddress };
