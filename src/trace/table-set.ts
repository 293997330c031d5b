/**
 * The tables of one host or link as rows of plain values: read whole at any time, and followed row by row while a trace is written.
 *
 *   owner of a table ── register(name, reader) ─▶ TableSet ── read() ─▶ rows now
 *         └── touch(name, object) after a change ─▶ └── changes() after the event ─▶ what differs from the rows written last
 *
 * Rows are compared, not changes recorded: a touch too many costs time and says nothing, and several changes in one event become one.
 */

import type { Row, TableName, TableRows } from "./rows.ts";

/** How the objects of one table become rows. */
export interface TableReader<T extends object> {
  /** Everything in the table now. */
  objects(): Iterable<T>;
  /** The row of an object; undefined when it is not in the table (any longer). */
  rowOf(object: T): Row | undefined;
  /** What names an object among all in the table, for as long as it lives. Without it rows are named by their positions, from 0. */
  keyOf?(object: T): string;
}

/** One row that came, changed or went. `set` has the fields that changed; a row that came has all, one that went none. */
export interface RowChange {
  readonly table: TableName;
  readonly key: string;
  readonly change: "add" | "change" | "remove";
  readonly set: Row;
}

interface Kept {
  readonly object: object;
  readonly row: Row;
}

interface Followed {
  readonly name: TableName;
  readonly reader: TableReader<object>;
  readonly kept: Map<string, Kept>;
  /** Objects to look at again. */
  readonly touched: Set<object>;
  isTouchedWhole: boolean;
  /** Some row has changed since the last keyframe. */
  isNewSinceKeyframe: boolean;
  /** The keyframe that has its rows. */
  keyframeId: number;
}

const NO_FIELDS: Row = {};

/** A table in a keyframe: its rows, or the id of an earlier keyframe whose rows still hold. */
export type KeyframeTable = { readonly rows: Readonly<Record<string, Row>> } | { readonly keyframe: number };

export class TableSet {
  /** The host or link whose tables these are. */
  readonly owner: string;
  readonly #tables = new Map<TableName, Followed>();
  readonly #onTouch: (set: TableSet) => void;
  #isDirty = false;

  /** `onTouch` is called at the first touch after each `changes`. */
  constructor(owner: string, onTouch: (set: TableSet) => void) {
    this.owner = owner;
    this.#onTouch = onTouch;
  }

  /** Adds a table. Its objects are those of `reader` only. */
  register<T extends object>(name: TableName, reader: TableReader<T>): void {
    this.#tables.set(name, { name, reader: reader as unknown as TableReader<object>, kept: new Map(), touched: new Set(), isTouchedWhole: false, isNewSinceKeyframe: true, keyframeId: 0 });
  }

  /** An object came, changed or went. Call it only while tables are followed (`trace.hasTables`). */
  touch(name: TableName, object: object): void {
    const table = this.#tables.get(name);
    if (table === undefined) return;
    if (table.reader.keyOf === undefined) table.isTouchedWhole = true;
    else table.touched.add(object);
    this.#mark();
  }

  /** Anything in the table may have changed. */
  touchAll(name: TableName): void {
    const table = this.#tables.get(name);
    if (table === undefined) return;
    table.isTouchedWhole = true;
    this.#mark();
  }

  /** Every table as it is now. */
  read(): TableRows {
    const rows: Partial<Record<TableName, Record<string, Row>>> = {};
    for (const table of this.#tables.values()) {
      const of: Record<string, Row> = {};
      for (const [key, { row }] of readTable(table)) of[key] = row;
      rows[table.name] = of;
    }
    return rows as TableRows;
  }

  /** Every table as `changes` left it: what a reader of the trace has by now. `id` is the keyframe that this goes into. */
  keyframe(id: number): { readonly [name in TableName]?: KeyframeTable } {
    const tables: { [name in TableName]?: KeyframeTable } = {};
    for (const table of this.#tables.values()) {
      if (!table.isNewSinceKeyframe) {
        tables[table.name] = { keyframe: table.keyframeId };
        continue;
      }
      const rows: Record<string, Row> = {};
      for (const [key, { row }] of table.kept) rows[key] = row;
      tables[table.name] = { rows };
      table.isNewSinceKeyframe = false;
      table.keyframeId = id;
    }
    return tables;
  }

  /** Rows that a keyframe would write now. */
  get rowCount(): number {
    let count = 0;
    for (const { kept, isNewSinceKeyframe } of this.#tables.values()) if (isNewSinceKeyframe) count += kept.size;
    return count;
  }

  /** What has changed since the last call, in all tables that were touched. */
  changes(): RowChange[] {
    this.#isDirty = false;
    const changes: RowChange[] = [];
    for (const table of this.#tables.values()) {
      if (table.isTouchedWhole) compareWhole(table, changes);
      else if (table.touched.size > 0) compareTouched(table, changes);
    }
    return changes;
  }

  /** Looks at everything, so that the next `changes` tells all that differs from what was written. */
  touchEverything(): void {
    for (const table of this.#tables.values()) table.isTouchedWhole = true;
    this.#mark();
  }

  /** Forgets what was written: nothing is followed any longer. */
  forget(): void {
    for (const table of this.#tables.values()) {
      table.kept.clear();
      table.touched.clear();
      table.isTouchedWhole = false;
      table.isNewSinceKeyframe = true;
    }
  }

  #mark(): void {
    if (this.#isDirty) return;
    this.#isDirty = true;
    this.#onTouch(this);
  }
}

function readTable({ reader }: Followed): Map<string, Kept> {
  const rows = new Map<string, Kept>();
  let position = 0;
  for (const object of reader.objects()) {
    const row = reader.rowOf(object);
    if (row === undefined) continue;
    rows.set(reader.keyOf === undefined ? String(position++) : reader.keyOf(object), { object, row });
  }
  return rows;
}

function compareWhole(table: Followed, changes: RowChange[]): void {
  table.isTouchedWhole = false;
  table.touched.clear();
  const now = readTable(table);
  for (const key of [...table.kept.keys()]) if (!now.has(key)) compareRow(table, key, undefined, changes);
  for (const [key, kept] of now) compareRow(table, key, kept, changes);
}

function compareTouched(table: Followed, changes: RowChange[]): void {
  const { reader, kept, touched } = table;
  const now = new Map<string, Kept | undefined>();
  for (const object of touched) {
    const key = (reader.keyOf as (object: object) => string)(object);
    const row = reader.rowOf(object);
    if (row !== undefined) now.set(key, { object, row });
    // Another object may have taken the name.
    else if (!now.has(key) && kept.get(key)?.object === object) now.set(key, undefined);
  }
  touched.clear();
  for (const [key, one] of now) compareRow(table, key, one, changes);
}

function compareRow(table: Followed, key: string, now: Kept | undefined, changes: RowChange[]): void {
  const { name, kept } = table;
  const before = kept.get(key);
  if (now === undefined) {
    if (before === undefined) return;
    kept.delete(key);
    table.isNewSinceKeyframe = true;
    changes.push({ table: name, key, change: "remove", set: NO_FIELDS });
    return;
  }
  kept.set(key, now);
  if (before === undefined) {
    table.isNewSinceKeyframe = true;
    changes.push({ table: name, key, change: "add", set: now.row });
    return;
  }
  const set = changedFields(before.row, now.row);
  if (set === undefined) return;
  table.isNewSinceKeyframe = true;
  changes.push({ table: name, key, change: "change", set });
}

/** Rows of one table have the same fields. */
function changedFields(before: Row, after: Row): Row | undefined {
  let set: Record<string, Row[string]> | undefined;
  for (const field in after) {
    const value = after[field] as Row[string];
    if (value === before[field]) continue;
    set ??= {};
    set[field] = value;
  }
  return set;
}
