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
  return id === undefined ? undefined : moment(session, { id, from: args.from });
}

function find(session: Session, { from, direction, unit, filter = "", host }: StepArgs): number | undefined {
  const { store } = session;
  if (unit === "record") return store.nextShown(from, direction);
  const test = unit === "match" ? matcher(session, filter) : undefined;
  const context = filterContext(session);
  for (let id = from + direction; id >= 1 && id <= store.count; id += direction) {
    if (unit === "frame") {
      if (store.kinds[id - 1] === FRAME_SENT) return id;
    } else if (store.isShown(id)) {
      const event = store.record(id);
      if (event === undefined) continue;
      if (unit === "host" ? event.host === host : test === undefined || test(event, context)) return id;
    }
  }
  return undefined;
}

export function filterContext({ store }: Session): FilterContext {
  return { originNs: store.originNs, connectionOf: (id) => store.connectionOf(id), packetOf: (id) => store.packets[id - 1] as number };
}

/** The test of a filter; undefined: everything matches. */
export function matcher(_session: Session, filter: string): RecordTest | undefined {
  try {
    return compileFilter(filter);
  } catch (error) {
    if (error instanceof FilterError) return () => false;
    throw error;
  }
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
