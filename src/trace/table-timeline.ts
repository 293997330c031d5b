/**
 * The tables at any point of a trace: the nearest keyframe before it, and the rows that changed since.
 *
 *   keyframe ── rows ── rows ── ... ── point ── ... ── keyframe
 *
 * Going on from the point of the last question costs only what lies between; a step back starts at the keyframe before.
 */

import { assert } from "../base/assert.ts";
import type { Keyframe, RowsChanged, TraceEvent } from "./events.ts";
import { type Row, type TableName, type TableRows, type WorldTables, withoutAged } from "./rows.ts";

type MutableTables = Map<string, Map<TableName, Map<string, Row>>>;

export class TableTimeline {
  /** Records that say something of tables, oldest first. */
  readonly #records: (Keyframe | RowsChanged)[] = [];
  /** Positions of keyframes in #records. */
  readonly #keyframes: number[] = [];
  readonly #keyframesById = new Map<number, Keyframe>();
  #tables: MutableTables = new Map();
  /** The next record of #records to apply. */
  #next = 0;

  constructor(events: Iterable<TraceEvent> = []) {
    for (const event of events) this.add(event);
  }

  /** The next record of the trace. */
  add(event: TraceEvent): void {
    if (event.kind !== "keyframe" && event.kind !== "rows") return;
    if (event.kind === "keyframe") {
      this.#keyframes.push(this.#records.length);
      this.#keyframesById.set(event.id, event);
    }
    this.#records.push(event);
  }

  /** False when the trace has no tables (its level is not "full"). */
  get hasTables(): boolean {
    return this.#keyframes.length > 0;
  }

  /** The tables when everything that happened at `timeNs` has happened. Empty before the first keyframe. */
  at(timeNs: number): WorldTables {
    return this.#tablesAfter(firstIndex(this.#records.length, (i) => (this.#records[i] as Keyframe).timeNs > timeNs), timeNs);
  }

  /** The tables just after record `id`, and what of them changed in it when it is a record of rows. */
  afterRecord(id: number): WorldTables {
    const count = firstIndex(this.#records.length, (i) => (this.#records[i] as Keyframe).id > id);
    return this.#tablesAfter(count, this.#records[count - 1]?.timeNs ?? 0);
  }

  #tablesAfter(count: number, nowNs: number): WorldTables {
    const at = firstIndex(this.#keyframes.length, (i) => (this.#keyframes[i] as number) >= count) - 1;
    const start = this.#keyframes[at];
    if (start === undefined) return {};
    if (this.#next > count || this.#next <= start) {
      this.#load(this.#records[start] as Keyframe);
      this.#next = start + 1;
    }
    for (; this.#next < count; this.#next++) {
      const record = this.#records[this.#next] as Keyframe | RowsChanged;
      if (record.kind === "rows") applyRows(this.#tables, record);
    }
    return withoutAged(toPlain(this.#tables), nowNs);
  }

  #load(keyframe: Keyframe): void {
    const tables: MutableTables = new Map();
    for (const [owner, of] of Object.entries(keyframe.tables)) {
      const rowsOf = new Map<TableName, Map<string, Row>>();
      for (const [name, table] of Object.entries(of)) {
        const rows = "rows" in table ? table.rows : this.#rowsIn(table.keyframe, owner, name as TableName);
        rowsOf.set(name as TableName, new Map(Object.entries(rows)));
      }
      tables.set(owner, rowsOf);
    }
    this.#tables = tables;
  }

  #rowsIn(id: number, owner: string, name: TableName): Readonly<Record<string, Row>> {
    const table = this.#keyframesById.get(id)?.tables[owner]?.[name];
    assert(table !== undefined && "rows" in table, `keyframe ${id} has the table ${name} of ${owner}`);
    return table.rows;
  }
}

/** The tables of a trace as it is read, forwards only: no record is kept. */
export class TableFollower {
  readonly #tables: MutableTables = new Map();
  #hasStarted = false;

  /** False until the first keyframe. */
  get hasTables(): boolean {
    return this.#hasStarted;
  }

  /** The next record of the trace. */
  add(event: TraceEvent): void {
    if (event.kind === "rows") applyRows(this.#tables, event);
    else if (event.kind === "keyframe") {
      this.#hasStarted = true;
      for (const owner of this.#tables.keys()) if (event.tables[owner] === undefined) this.#tables.delete(owner);
      for (const [owner, of] of Object.entries(event.tables)) {
        const rowsOf = this.#tables.get(owner) ?? new Map<TableName, Map<string, Row>>();
        this.#tables.set(owner, rowsOf);
        // A table that the keyframe has from an earlier one is as it was followed.
        for (const [name, table] of Object.entries(of)) if ("rows" in table) rowsOf.set(name as TableName, new Map(Object.entries(table.rows)));
      }
    }
  }

  /** The tables as the records so far left them, at a time that is not before the last of them. */
  read(nowNs: number): WorldTables {
    return withoutAged(toPlain(this.#tables), nowNs);
  }
}

function applyRows(tables: MutableTables, record: RowsChanged): void {
  let of = tables.get(record.host);
  if (of === undefined) {
    of = new Map();
    tables.set(record.host, of);
  }
  for (const { table, key, change, set } of record.changes) {
    let rows = of.get(table);
    if (rows === undefined) {
      rows = new Map();
      of.set(table, rows);
    }
    if (change === "remove") rows.delete(key);
    else if (change === "add") rows.set(key, set);
    else rows.set(key, { ...rows.get(key), ...set });
  }
}

function toPlain(tables: MutableTables): WorldTables {
  const plain: Record<string, TableRows> = {};
  for (const [owner, of] of tables) {
    const rows: Record<string, Readonly<Record<string, Row>>> = {};
    for (const [name, table] of of) rows[name] = Object.fromEntries(table);
    plain[owner] = rows as TableRows;
  }
  return plain;
}

/** The first index for which the test holds; it holds for all after. */
function firstIndex(length: number, holds: (index: number) => boolean): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}
