/**
 * Rows of the ladder: a frame with all its copies is one row, and so is a decision, a death, a command.
 */

import { formatIpv4Address } from "../../../../src/base/ipv4-address.ts";
import type { TraceEvent, TraceKind } from "../../../../src/trace/events.ts";
import { describeRecord, type ProtocolClass, protocolOf } from "../describe.ts";
import { type FieldChange, hopChanges } from "../hop.ts";
import { carriedOf } from "../packet-token.ts";
import { FRAME_SENT, type RecordStore } from "../record-store.ts";
import type { Session } from "../session.ts";
import { type Copy, flight, flightOf, linksOf } from "./moment.ts";
import { matchesOrNone, type WindowArgs } from "./window.ts";

export interface LadderRow {
  readonly id: number;
  readonly timeNs: number;
  readonly kind: TraceKind;
  readonly host: string;
  /** undefined when no packet is concerned. */
  readonly protocol: ProtocolClass | undefined;
  /** Beside the arrow or the mark. */
  readonly label: string;
  /** The last octets of a frame's IP addresses, `.247.137 → .247.100`. */
  readonly ends: string;
  /** For frames; those of hosts that it was not for are left out. */
  readonly copies: readonly Copy[];
  /** Fields that the sender changed in the packet. */
  readonly changes: readonly FieldChange[];
}

export interface LadderWindow {
  readonly rows: readonly LadderRow[];
  readonly offset: number;
  readonly total: number;
}

const WINDOW_MAX = 500;
/** Besides frames. */
const MARKS: ReadonlySet<TraceKind> = new Set<TraceKind>(["packet-dropped", "scheduled", "arp-decision", "command-start", "link", "log", "origin"]);

export function ladder(session: Session, { filter, offset, length }: WindowArgs): LadderWindow {
  const ids = ladderIds(session, filter);
  const from = Math.max(0, Math.min(offset, ids.length));
  const shown = ids.subarray(from, from + Math.min(length, WINDOW_MAX));
  return { rows: Array.from(shown, (id) => rowOf(session, id)), offset: from, total: ids.length };
}

/** Place of the row that record `id` belongs to, or of the last row before it; -1 when all come later. */
export function ladderIndex(session: Session, { filter, id }: { readonly filter: string; readonly id: number }): number {
  const flightId = flightOf(session.store, id);
  const wanted = flightId === 0 ? id : flightId;
  const ids = ladderIds(session, filter);
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ids[middle] as number) <= wanted) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Ids of the rows that match, kept for the filter used last. A frame is shown when it matches on either side. */
function ladderIds(session: Session, filter: string): Uint32Array {
  const kept = session.cache.get("ladder") as { readonly filter: string; readonly ids: Uint32Array } | undefined;
  if (kept?.filter === filter) return kept.ids;
  const { store } = session;
  const isRow = new Uint8Array(store.count + 1);
  for (const id of matchesOrNone(session, filter)) {
    const row = rowIdOf(store, id);
    if (row !== 0) isRow[row] = 1;
  }
  const ids = new Uint32Array(isRow.reduce((sum, one) => sum + one, 0));
  let count = 0;
  for (let id = 1; id <= store.count; id++) if (isRow[id] === 1) ids[count++] = id;
  session.cache.set("ladder", { filter, ids });
  return ids;
}

function shortAddress(address: number): string {
  return formatIpv4Address(address).replace(/^\d+\.\d+/, "");
}

function rowIdOf(store: RecordStore, id: number): number {
  if (store.kinds[id - 1] === FRAME_SENT) return id;
  const event = store.record(id) as TraceEvent;
  if (event.kind === "packet-dropped" && event.reason === "OTHERHOST") return 0;
  if (MARKS.has(event.kind)) return id;
  const flightId = flightOf(store, id);
  if (flightId !== 0) return flightId;
  return event.kind === "frame-dropped" && event.reason !== "OTHERHOST" ? id : 0;
}

function rowOf(session: Session, id: number): LadderRow {
  const { store } = session;
  const event = store.record(id) as TraceEvent;
  const carried = carriedOf(event);
  const base = { id, timeNs: event.timeNs, kind: event.kind, host: event.host, protocol: carried === undefined ? undefined : protocolOf(carried) };
  if (event.kind !== "frame-sent") return { ...base, label: markLabel(event), ends: "", copies: [], changes: [] };
  const sent = flight(store, linksOf(session), id, store.count);
  const { payload } = event.frame;
  const ends = payload.kind === "ipv4" ? `${shortAddress(payload.src)} → ${shortAddress(payload.dst)}` : "";
  return { ...base, label: sent.label, ends, copies: sent.copies.filter(({ fate }) => fate !== "passed"), changes: hopChanges(store, id) };
}

function markLabel(event: TraceEvent): string {
  if (event.kind === "packet-dropped" || event.kind === "frame-dropped") return event.reason;
  if (event.kind === "arp-decision") return `${event.isAnswered ? "✓ answers" : "✕ silent about"} ${shortAddress(event.target)}${event.detail === "" ? "" : `: ${event.detail}`}`;
  if (event.kind === "scheduled") return `${event.scheduler} → ${event.chosen ?? "✕"}${event.by === "scheduler" ? "" : ` (${event.by})`}`;
  return describeRecord(event);
}
