/**
 * Parts of a trace for lists, ladders and the timeline: never more than the page can show.
 */

import type { TraceEvent } from "../../../../src/trace/events.ts";
import { FilterError } from "../../filter/filter-parser.ts";
import { type RecordSummary, summarize } from "../describe.ts";
import { FRAME_SENT } from "../record-store.ts";
import type { Session } from "../session.ts";
import { matchesOf } from "./navigate.ts";

const WINDOW_MAX = 2000;

export interface WindowArgs {
  /** Display filter; wrong ones match nothing. */
  readonly filter: string;
  /** Position in the list of matches, from 0. */
  readonly offset: number;
  readonly length: number;
}

export interface RecordWindow {
  readonly records: readonly RecordSummary[];
  readonly offset: number;
  /** Matches in the whole trace. */
  readonly total: number;
}

export function records(session: Session, { filter, offset, length }: WindowArgs): RecordWindow {
  const ids = matchesOrNone(session, filter);
  const from = Math.max(0, Math.min(offset, ids.length));
  const shown = ids.subarray(from, from + Math.min(length, WINDOW_MAX));
  return { records: Array.from(shown, (id) => summarize(session.store, id)), offset: from, total: ids.length };
}

/** Place of the last match at or before record `id` in the list of matches, -1 when all come later. */
export function indexOfRecord(session: Session, { filter, id }: { readonly filter: string; readonly id: number }): number {
  const ids = matchesOrNone(session, filter);
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ids[middle] as number) <= id) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function matchesOrNone(session: Session, filter: string): Uint32Array {
  try {
    return matchesOf(session, filter);
  } catch (error) {
    if (error instanceof FilterError) return new Uint32Array();
    throw error;
  }
}

export interface DensityArgs {
  readonly fromNs: number;
  readonly toNs: number;
  readonly bins: number;
  readonly filter: string;
}

export interface Density {
  /** Shown records in each bin. */
  readonly all: Uint32Array;
  /** Frames sent in each bin. */
  readonly frames: Uint32Array;
  /** Matches of the filter in each bin; empty without a filter. */
  readonly matches: Uint32Array;
}

const BINS_MAX = 4000;

export function density(session: Session, { fromNs, toNs, bins, filter }: DensityArgs): Density {
  const { store } = session;
  const count = Math.max(1, Math.min(bins, BINS_MAX));
  const all = new Uint32Array(count);
  const frames = new Uint32Array(count);
  const width = Math.max(toNs - fromNs, 1) / count;
  const last = store.countBefore(toNs, true);
  for (let at = store.countBefore(fromNs); at < last; at++) {
    if (!store.isShown(at + 1)) continue;
    const bin = Math.min(count - 1, Math.floor(((store.timesNs[at] as number) - fromNs) / width));
    (all[bin] as number)++;
    if (store.kinds[at] === FRAME_SENT) (frames[bin] as number)++;
  }
  if (filter.trim() === "") return { all, frames, matches: new Uint32Array() };
  const matches = new Uint32Array(count);
  for (const id of matchesOrNone(session, filter)) {
    const timeNs = store.timesNs[id - 1] as number;
    if (timeNs < fromNs || timeNs > toNs) continue;
    (matches[Math.min(count - 1, Math.floor((timeNs - fromNs) / width))] as number)++;
  }
  return { all, frames, matches };
}

export type MarkerKind = "command" | "drop" | "arp" | "failover" | "link";

export interface Marker {
  readonly id: number;
  readonly timeNs: number;
  readonly kind: MarkerKind;
  readonly host: string;
  readonly text: string;
}

const MARKERS_MAX = 400;

/** Marks in a stretch of time; of too many, every n-th of each kind. */
export function markers(session: Session, { fromNs, toNs }: { readonly fromNs: number; readonly toNs: number }): Marker[] {
  const marked = allMarkers(session).filter(({ timeNs }) => timeNs >= fromNs && timeNs <= toNs);
  if (marked.length <= MARKERS_MAX) return marked.map((one) => described(session, one));
  const everyNth = Math.ceil(marked.length / MARKERS_MAX);
  const seen = new Map<MarkerKind, number>();
  const kept = marked.filter(({ kind }) => {
    const count = seen.get(kind) ?? 0;
    seen.set(kind, count + 1);
    return count % everyNth === 0;
  });
  return kept.map((one) => described(session, one));
}

interface Mark {
  readonly id: number;
  readonly timeNs: number;
  readonly kind: MarkerKind;
}

function described({ store }: Session, { id, timeNs, kind }: Mark): Marker {
  const { host, text } = summarize(store, id);
  return { id, timeNs, kind, host, text };
}

function allMarkers(session: Session): readonly Mark[] {
  let marks = session.cache.get("marks") as Mark[] | undefined;
  if (marks !== undefined) return marks;
  marks = [];
  const known: Known = { macs: new Map(), advertisers: new Map() };
  for (const event of session.store.records) {
    const kind = markOf(session, event, known);
    if (kind !== undefined) marks.push({ id: event.id, timeNs: event.timeNs, kind });
  }
  session.cache.set("marks", marks);
  return marks;
}

/** What was so before a record. */
interface Known {
  /** By host, device and address: the MAC in the neighbour entry. */
  readonly macs: Map<string, number>;
  /** By VRRP group: the host that advertised last. */
  readonly advertisers: Map<number, string>;
}

function markOf({ store }: Session, event: TraceEvent, known: Known): MarkerKind | undefined {
  switch (event.kind) {
    case "command-start":
      // Commands of the timeline and typed ones, not what they start in turn.
      return event.timeNs >= store.originNs && event.command !== LOGIN_SHELL && (event.cause === 0 || isLoginShell(store.record(event.cause))) ? "command" : undefined;
    case "frame-dropped":
    case "packet-dropped":
      return event.reason === "OTHERHOST" ? undefined : "drop";
    case "neighbour": {
      // An address was learned or taken over, not merely confirmed.
      const key = `${event.host} ${event.device} ${event.address}`;
      const isNew = event.mac !== 0 && event.mac !== known.macs.get(key);
      if (isNew) known.macs.set(key, event.mac);
      return isNew ? "arp" : undefined;
    }
    case "frame-sent": {
      const { payload } = event.frame;
      if (payload.kind !== "ipv4" || payload.payload.kind !== "vrrp") return undefined;
      const { vrid } = payload.payload;
      const before = known.advertisers.get(vrid);
      known.advertisers.set(vrid, event.host);
      return before !== undefined && before !== event.host ? "failover" : undefined;
    }
    case "link":
    case "fault":
      return "link";
    default:
      return undefined;
  }
}

/** The shell that typed lines go to. */
const LOGIN_SHELL = "-bash";

function isLoginShell(event: TraceEvent | undefined): boolean {
  return event?.kind === "command-start" && event.command === LOGIN_SHELL;
}
