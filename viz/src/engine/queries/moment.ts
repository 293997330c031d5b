/**
 * What the page shows of one position, in one answer: the record, the frames on their way, what moved since the position before.
 *
 *   host ── frame-sent ─▶ switch ── frame-received ─▶ host(s)
 *
 * A frame rests at its switch between the two records.
 */

import { formatIpv4Address } from "../../../../src/base/ipv4-address.ts";
import { BROADCAST_MAC, formatMacAddress, isGroupMac, parseMacAddress } from "../../../../src/base/mac-address.ts";
import type { FrameSent } from "../../../../src/trace/events.ts";
import { labelOf, type ProtocolClass, protocolOf, type RecordSummary, summarize, tunnelName } from "../describe.ts";
import { type FieldChange, hopChanges } from "../hop.ts";
import { carriedOf, frameOf, packetsIn } from "../packet-token.ts";
import { FRAME_SENT, type RecordStore } from "../record-store.ts";
import type { Session } from "../session.ts";
import { addressesSince } from "./hosts.ts";

/** Where a session is: record `id` is the last that has happened (0: none), the time is at or after it. */
export interface Position {
  readonly id: number;
  readonly timeNs: number;
}

/** One copy of a frame. */
export interface Copy {
  /** Id of the record that tells of its end. */
  readonly id: number;
  /** A host, or `link/NAME` when it died on the link. */
  readonly node: string;
  /** `passed`: a host that it was not for took it off the wire and dropped it. */
  readonly fate: "coming" | "arrived" | "passed" | "dropped";
  /** Why it was dropped. */
  readonly reason: string;
}

/** A frame on the wire. */
export interface Flight {
  /** The frame-sent record. */
  readonly id: number;
  readonly from: string;
  readonly link: string;
  readonly protocol: ProtocolClass;
  readonly label: string;
  readonly isBroadcast: boolean;
  readonly copies: readonly Copy[];
}

/** The frame of the record in view, with what people look at first. */
export interface FrameCard {
  readonly protocol: ProtocolClass;
  readonly label: string;
  /** Owner of the address (`rs1.eth0`) or the address. */
  readonly macFrom: string;
  readonly macTo: string;
  /** `src > dst` of every IP header, outermost first, with the tunnel's name. */
  readonly packets: readonly { readonly tunnel: string; readonly from: string; readonly to: string; readonly ttl: number }[];
  /** MAC addresses are named by their owners here. */
  readonly changes: readonly FieldChange[];
}

/** Where a packet died. */
export interface DropMark {
  readonly id: number;
  readonly node: string;
  readonly reason: string;
  readonly detail: string;
  readonly label: string;
  readonly protocol: ProtocolClass;
}

/** Something that moves when the page goes from the position before to this one. */
export interface Motion {
  readonly record: number;
  readonly flight: Flight;
  /** `out`: host to switch; `in`: switch to `node`; `lost`: towards `node`, and dies. */
  readonly leg: "out" | "in" | "lost";
  readonly node: string;
}

export interface Moment {
  readonly position: Position;
  readonly record: RecordSummary | undefined;
  readonly card: FrameCard | undefined;
  readonly flights: readonly Flight[];
  /** The flight of the record in view, when it is about a frame. */
  readonly current: Flight | undefined;
  readonly drop: DropMark | undefined;
  readonly motions: readonly Motion[];
  /** Host and link that the record is about. */
  readonly focus: readonly string[];
  /** Interfaces without carrier or down (`host.eth0`) and hosts whose every interface is dark. */
  readonly down: readonly string[];
  /** Argument of the question `hostAddresses`. */
  readonly addressesSince: number;
}

const FLIGHTS_MAX = 64;
const MOTIONS_MAX = 80;
const LOOK_BACK_RECORDS = 3000;

export interface MomentArgs {
  readonly id: number;
  /** Default: the record's own. */
  readonly timeNs?: number;
  /** Position that the page comes from, for what moves. */
  readonly from?: number;
}

export function moment(session: Session, { id, timeNs, from }: MomentArgs): Moment {
  const { store } = session;
  const wanted = Math.min(Math.max(id, 0), store.count);
  // Rows and keyframes belong to the record before them.
  const at = wanted === 0 || store.isShown(wanted) ? wanted : (store.nextShown(wanted, -1) ?? 0);
  const record = at === 0 ? undefined : summarize(store, at);
  const event = store.record(at);
  const links = linksOf(session);
  const flightId = event === undefined ? 0 : flightOf(store, at);
  const current = flightId === 0 ? undefined : flight(store, links, flightId, at);
  return {
    position: { id: at, timeNs: Math.max(timeNs ?? 0, record?.timeNs ?? 0) },
    record,
    card: event !== undefined && frameOf(event) !== undefined ? card(session, at, flightId) : undefined,
    flights: flightsAt(store, links, at),
    current,
    drop: dropAt(store, at),
    motions: from === undefined || at <= from ? [] : motionsBetween(store, links, from, at),
    focus: record === undefined ? [] : [...new Set([record.host, current?.from ?? ""])].filter((name) => name !== ""),
    down: downAt(session, at),
    addressesSince: addressesSince(session, at),
  };
}

/** The frame-sent record that a frame's record is about; 0 when it is about none. */
export function flightOf(store: RecordStore, id: number): number {
  const event = store.record(id);
  if (event?.kind === "frame-sent") return id;
  if (event?.kind !== "frame-received" && event?.kind !== "frame-dropped") return 0;
  for (let above = event.cause, climbed = 0; above > 0 && climbed < 4; climbed++) {
    const record = store.record(above);
    if (record?.kind === "frame-sent") return record.frame === event.frame ? above : 0;
    above = record?.cause ?? 0;
  }
  return 0;
}

/** The link behind each interface, `host.eth0`. */
export function linksOf(session: Session): ReadonlyMap<string, string> {
  let links = session.cache.get("links") as ReadonlyMap<string, string> | undefined;
  if (links === undefined) {
    links = new Map(session.header.hosts.flatMap(({ name, interfaces }) => interfaces.map((one) => [`${name}.${one.name}`, one.link] as const)));
    session.cache.set("links", links);
  }
  return links;
}

/** The interface that has an address, `rs1.eth0`. */
function macOwner(session: Session, mac: number): string {
  if (mac === BROADCAST_MAC) return "broadcast";
  const text = formatMacAddress(mac);
  if (isGroupMac(mac)) return text;
  for (const { name, interfaces } of session.header.hosts) for (const one of interfaces) if (one.mac === text) return `${name}.${one.name}`;
  return text;
}

export function flight(store: RecordStore, links: ReadonlyMap<string, string>, id: number, at: number): Flight {
  const event = store.record(id) as FrameSent;
  const copies: Copy[] = [];
  for (const child of store.childrenOf(id)) {
    const record = store.record(child);
    if (record?.kind === "frame-received") {
      if (record.frame !== event.frame) continue;
      copies.push({ id: child, node: record.host, fate: child > at ? "coming" : passedBy(store, child) ? "passed" : "arrived", reason: "" });
    } else if (record?.kind === "frame-dropped") {
      const node = record.device === "" ? `link/${record.host}` : record.host;
      const fate = child > at ? "coming" : record.reason === "OTHERHOST" ? "passed" : "dropped";
      copies.push({ id: child, node, fate, reason: record.reason });
    }
  }
  return {
    id,
    from: event.host,
    link: links.get(`${event.host}.${event.device}`) ?? "",
    protocol: protocolOf(event.frame.payload),
    label: labelOf(event.frame.payload),
    isBroadcast: isGroupMac(event.frame.dst),
    copies,
  };
}

function passedBy(store: RecordStore, received: number): boolean {
  for (const child of store.childrenOf(received)) {
    const record = store.record(child);
    if ((record?.kind === "frame-dropped" || record?.kind === "packet-dropped") && record.reason === "OTHERHOST") return true;
  }
  return false;
}

function flightsAt(store: RecordStore, links: ReadonlyMap<string, string>, at: number): Flight[] {
  const flights: Flight[] = [];
  const oldest = Math.max(1, at - LOOK_BACK_RECORDS);
  for (let id = at; id >= oldest && flights.length < FLIGHTS_MAX; id--) {
    if (store.kinds[id - 1] !== FRAME_SENT) continue;
    if ((store.settledIds[id - 1] as number) > at) flights.push(flight(store, links, id, at));
  }
  return flights.reverse();
}

function motionsBetween(store: RecordStore, links: ReadonlyMap<string, string>, from: number, at: number): Motion[] {
  const motions: Motion[] = [];
  // Of too many the last are shown.
  for (let id = at; id > Math.max(from, at - LOOK_BACK_RECORDS) && motions.length < MOTIONS_MAX; id--) {
    const event = store.record(id);
    if (event?.kind === "frame-sent") {
      motions.push({ record: id, flight: flight(store, links, id, at), leg: "out", node: event.host });
    } else if (event?.kind === "frame-received" || (event?.kind === "frame-dropped" && event.cause > 0 && store.record(event.cause)?.kind === "frame-sent")) {
      const flightId = flightOf(store, id);
      if (flightId === 0) continue;
      const node = event.kind === "frame-dropped" && event.device === "" ? `link/${event.host}` : event.host;
      motions.push({ record: id, flight: flight(store, links, flightId, at), leg: event.kind === "frame-dropped" ? "lost" : "in", node });
    }
  }
  return motions.reverse();
}

function card(session: Session, id: number, flightId: number): FrameCard | undefined {
  const event = session.store.record(id);
  const frame = event === undefined ? undefined : frameOf(event);
  if (frame === undefined) return undefined;
  const { payload } = frame;
  return {
    protocol: protocolOf(payload),
    label: labelOf(payload),
    macFrom: macOwner(session, frame.src),
    macTo: macOwner(session, frame.dst),
    packets: packetsIn(payload).map((packet, level, all) => {
      const ports = packet.payload.kind === "tcp" || packet.payload.kind === "udp" ? packet.payload : undefined;
      const end = (address: number, port: number | undefined) => `${formatIpv4Address(address)}${port === undefined ? "" : `:${port}`}`;
      return {
        tunnel: level < all.length - 1 ? tunnelName(packet) : "",
        from: end(packet.src, ports?.srcPort),
        to: end(packet.dst, ports?.dstPort),
        ttl: packet.ttl,
      };
    }),
    changes: flightId === 0 ? [] : hopChanges(session.store, flightId).map((one) => named(session, one)),
  };
}

function named(session: Session, change: FieldChange): FieldChange {
  if (!change.field.startsWith("eth.")) return change;
  const owner = (text: string) => macOwner(session, parseMacAddress(text) ?? 0);
  return { field: change.field, before: owner(change.before), after: owner(change.after) };
}

function dropAt(store: RecordStore, id: number): DropMark | undefined {
  const event = store.record(id);
  if (event?.kind !== "frame-dropped" && event?.kind !== "packet-dropped") return undefined;
  const payload = carriedOf(event);
  if (payload === undefined || event.reason === "OTHERHOST") return undefined;
  const isOnLink = event.kind === "frame-dropped" && event.device === "";
  return {
    id,
    node: isOnLink ? `link/${event.host}` : event.host,
    reason: event.reason,
    detail: event.kind === "packet-dropped" ? event.detail : "",
    label: labelOf(payload),
    protocol: protocolOf(payload),
  };
}

/** Interfaces that are dark: from the links table when the trace has one. */
function downAt(session: Session, id: number): string[] {
  const history = downHistory(session);
  let low = 0;
  let high = history.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((history[middle] as { id: number }).id <= id) low = middle + 1;
    else high = middle;
  }
  return [...(history[low - 1]?.down ?? [])];
}

/** After each `link` record, the interfaces that are down. */
function downHistory(session: Session): readonly { readonly id: number; readonly down: readonly string[] }[] {
  let history = session.cache.get("down") as { readonly id: number; readonly down: readonly string[] }[] | undefined;
  if (history !== undefined) return history;
  history = [];
  const down = new Set<string>();
  const interfaces = new Map(session.header.hosts.map(({ name, interfaces: list }) => [name, list.map((one) => `${name}.${one.name}`)]));
  for (const event of session.store.records) {
    if (event.kind !== "link") continue;
    const concerned = event.device === "" ? (interfaces.get(event.host) ?? []) : [`${event.host}.${event.device}`];
    for (const one of concerned) {
      if (event.state === "up") down.delete(one);
      else down.add(one);
    }
    history.push({ id: event.id, down: [...down] });
  }
  session.cache.set("down", history);
  return history;
}
