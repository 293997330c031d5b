/**
 * Where to go: the next or previous record, frame, match of a filter, or record of a host.
 */

import { compileFilter, type RecordTest } from "../../filter/filter.ts";
import type { FilterContext } from "../../filter/filter-fields.ts";
import { FilterError } from "../../filter/filter-parser.ts";
import { FRAME_SENT } from "../record-store.ts";
import type { Session } from "../session.ts";
import { type Moment, moment } from "./moment.ts";

export interface StepArgs {
  readonly from: number;
  readonly direction: 1 | -1;
  /** `host`: any record of `host`. */
  readonly unit: "record" | "frame" | "match" | "host";
  readonly filter?: string;
  readonly host?: string;
}

/** The moment at the next record of that kind; undefined when there is none. A wrong filter finds nothing. */
export function step(session: Session, args: StepArgs): Moment | undefined {
  const id = find(session, args);
  if (id === undefined) return undefined;
  const found = moment(session, { id, from: args.from });
  // After a jump only what the record itself is about moves.
  const isJump = new Set(found.motions.map(({ flight }) => flight.id)).size > FLIGHTS_MOVING_MAX;
  return isJump ? { ...found, motions: found.motions.filter(({ flight }) => flight.id === found.current?.id) } : found;
}

const FLIGHTS_MOVING_MAX = 4;

function find(session: Session, { from, direction, unit, filter = "", host }: StepArgs): number | undefined {
  const { store } = session;
  if (unit === "record") return store.nextShown(from, direction);
  if (unit === "match") return nextMatch(session, filter, from, direction);
  for (let id = from + direction; id >= 1 && id <= store.count; id += direction) {
    if (unit === "frame") {
      if (store.kinds[id - 1] === FRAME_SENT) return id;
    } else if (store.isShown(id)) {
      if (store.record(id)?.host === host) return id;
    }
  }
  return undefined;
}

function nextMatch(session: Session, filter: string, from: number, direction: 1 | -1): number | undefined {
  let ids: Uint32Array;
  try {
    ids = matchesOf(session, filter);
  } catch (error) {
    if (error instanceof FilterError) return undefined;
    throw error;
  }
  let low = 0;
  let high = ids.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((ids[middle] as number) <= from) low = middle + 1;
    else high = middle;
  }
  // `low` is the first behind `from`; before it may stand `from` itself.
  if (direction === 1) return ids[low];
  return ids[ids[low - 1] === from ? low - 2 : low - 1];
}

export function filterContext({ store }: Session): FilterContext {
  return { originNs: store.originNs, connectionOf: (id) => store.connectionOf(id), packetOf: (id) => store.packets[id - 1] as number };
}

/** The moment at a simulated time: the last record at or before it. */
export function momentAt(session: Session, { timeNs, from }: { readonly timeNs: number; readonly from?: number }): Moment {
  const { store } = session;
  const at = Math.min(Math.max(timeNs, 0), store.endNs);
  return moment(session, { id: store.lastAt(at), timeNs: at, ...(from === undefined ? {} : { from }) });
}

/** Is the text a filter, and how many records match? `count` stops at the bound that is asked for. */
export interface FilterCheck {
  readonly count: number;
  readonly problem: { readonly message: string; readonly at: number } | undefined;
}

/** Ids of all shown records that match, kept for the filter used last. Throws a FilterError. */
export function matchesOf(session: Session, filter: string): Uint32Array {
  const kept = session.cache.get("matches") as { readonly filter: string; readonly ids: Uint32Array } | undefined;
  if (kept?.filter === filter) return kept.ids;
  const { store } = session;
  const test = compileFilter(filter);
  const context = filterContext(session);
  const ids = new Uint32Array(store.count);
  let count = 0;
  for (let id = 1; id <= store.count; id++) {
    if (!store.isShown(id)) continue;
    if (test === undefined || test(store.records[id - 1] as Parameters<RecordTest>[0], context)) ids[count++] = id;
  }
  const matches = ids.slice(0, count);
  session.cache.set("matches", { filter, ids: matches });
  return matches;
}

export function checkFilter(session: Session, { filter }: { readonly filter: string }): FilterCheck {
  try {
    return { count: matchesOf(session, filter).length, problem: undefined };
  } catch (error) {
    if (error instanceof FilterError) return { count: 0, problem: { message: error.message, at: error.at } };
    throw error;
  }
}
