/**
 * The tables of one host or link as rows of plain values: read whole at any time, and followed row by row while a trace is written.
 *
 *   owner of a table ── register(name, reader) ─▶ TableSet ── read() ─▶ rows now
 *         └── touch(name, object) after a change ─▶ └── changes() after the event ─▶ what differs from the rows written last
 *
 * Rows are compared, not changes recorded: a touch too many costs time and says nothing, and several changes in one event become one.
 */

import type { Cell, Row, TableName, TableRows } from "./rows.ts";

/** How the objects of one table become rows. */
export interface TableReader<T extends object> {
  /** Everything in the table now. */
  objects(): Iterable<T>;
  /** The row of an object; undefined when it is not in the table (any longer). */
  rowOf(object: T): Row | undefined;
  /** What names an object among all in the table; it may change only with a `touchAll`. Without it rows are named by their positions, from 0. */
  keyOf?(object: T): string;
  /**
   * For tables that packets change: only the fields that they can change; undefined when the object is not in the table (any longer). The
   * other fields are looked at when the object comes, and after `touchAnew` and `touchAll`.
   */
  changing?(object: T): Row | undefined;
}

/** One row that came, changed or went. `set` has the fields that changed; a row that came has all, one that went none. */
export interface RowChange {
  readonly table: TableName;
  readonly key: string;
  readonly change: "add" | "change" | "remove";
  readonly set: Row;
}

/** A row as it was written last; changed in place. */
interface Kept {
  readonly key: string;
  readonly row: Record<string, Cell>;
}

const NO_FIELDS: Row = {};

/** A table in a keyframe: its rows, or the id of an earlier keyframe whose rows still hold. */
export type KeyframeTable = { readonly rows: Readonly<Record<string, Row>> } | { readonly keyframe: number };

export class TableSet {
  /** The host or link whose tables these are. */
  readonly owner: string;
  readonly #tables = new Map<TableName, FollowedTable>();
  readonly #onTouch: (set: TableSet) => void;
  #dirty: FollowedTable[] = [];

  /** `onTouch` is called at the first touch after each `changes`. */
  constructor(owner: string, onTouch: (set: TableSet) => void) {
    this.owner = owner;
    this.#onTouch = onTouch;
  }

  /** Adds a table. Its objects are those of `reader` only. */
  register<T extends object>(name: TableName, reader: TableReader<T>): void {
    this.#tables.set(name, new FollowedTable(name, reader as unknown as TableReader<object>));
    this.touchAll(name);
  }

  /** An object came, changed or went. Call it only while tables are followed (`trace.hasTables`). */
  touch(name: TableName, object: object): void {
    const table = this.#tables.get(name);
    if (table === undefined) return;
    table.touch(object);
    if (!table.isDirty) this.#mark(table);
  }

  /** The same, for fields that only rarely change. */
  touchAnew(name: TableName, object: object): void {
    const table = this.#tables.get(name);
    if (table === undefined) return;
    table.touchAnew(object);
    if (!table.isDirty) this.#mark(table);
  }

  /** Anything in the table may have changed. */
  touchAll(name: TableName): void {
    const table = this.#tables.get(name);
    if (table === undefined) return;
    table.touchAll();
    if (!table.isDirty) this.#mark(table);
  }

  /** Every table as it is now. */
  read(): TableRows {
    const rows: Partial<Record<TableName, Readonly<Record<string, Row>>>> = {};
    for (const [name, table] of this.#tables) rows[name] = table.read();
    return rows as TableRows;
  }

  /** Every table as `changes` left it: what a reader of the trace has by now. `id` is the keyframe that this goes into. */
  keyframe(id: number): { readonly [name in TableName]?: KeyframeTable } {
    const tables: { [name in TableName]?: KeyframeTable } = {};
    for (const [name, table] of this.#tables) tables[name] = table.keyframe(id);
    return tables;
  }

  /** Rows that a keyframe would write now. */
  get rowCount(): number {
    let count = 0;
    for (const table of this.#tables.values()) count += table.rowCount;
    return count;
  }

  /** What has changed since the last call, in all tables that were touched. */
  changes(): RowChange[] {
    const changes: RowChange[] = [];
    const dirty = this.#dirty;
    this.#dirty = [];
    for (const table of dirty) table.compare(changes);
    return changes;
  }

  /** Looks at everything, so that the next `changes` tells all that differs from what was written. */
  touchEverything(): void {
    for (const name of this.#tables.keys()) this.touchAll(name);
  }

  /** The rows that are written go, all of them; what is touched later changes nothing. */
  retire(): RowChange[] {
    const changes: RowChange[] = [];
    for (const table of this.#tables.values()) table.removeAll(changes);
    this.#tables.clear();
    return changes;
  }

  /** Forgets what was written: nothing is followed any longer. */
  forget(): void {
    for (const table of this.#tables.values()) table.forget();
    this.#dirty = [];
  }

  #mark(table: FollowedTable): void {
    table.isDirty = true;
    this.#dirty.push(table);
    if (this.#dirty.length === 1) this.#onTouch(this);
  }
}

/** One table with the rows that were written last. */
class FollowedTable {
  isDirty = false;
  readonly #name: TableName;
  readonly #reader: TableReader<object>;
  readonly #kept = new Map<object, Kept>();
  /** Who has a key: an object may take the name of one that has gone. */
  readonly #byKey = new Map<string, object>();
  /** Rows of a table without names, by position. */
  #positions: Row[] = [];
  readonly #touched = new Set<object>();
  readonly #touchedAnew = new Set<object>();
  #isTouchedWhole = false;
  /** Some row has changed since the last keyframe. */
  #isNewSinceKeyframe = true;
  /** The keyframe that has its rows. */
  #keyframeId = 0;

  constructor(name: TableName, reader: TableReader<object>) {
    this.#name = name;
    this.#reader = reader;
  }

  touch(object: object): void {
    if (this.#reader.keyOf === undefined) this.#isTouchedWhole = true;
    else this.#touched.add(object);
  }

  touchAnew(object: object): void {
    this.#touchedAnew.add(object);
    this.touch(object);
  }

  touchAll(): void {
    this.#isTouchedWhole = true;
  }

  get rowCount(): number {
    return this.#isNewSinceKeyframe ? this.#kept.size + this.#positions.length : 0;
  }

  read(): Readonly<Record<string, Row>> {
    const { keyOf } = this.#reader;
    const rows: Record<string, Row> = {};
    let position = 0;
    for (const object of this.#reader.objects()) {
      const row = this.#reader.rowOf(object);
      if (row !== undefined) rows[keyOf === undefined ? String(position++) : keyOf(object)] = row;
    }
    return rows;
  }

  keyframe(id: number): KeyframeTable {
    if (!this.#isNewSinceKeyframe) return { keyframe: this.#keyframeId };
    const rows: Record<string, Row> = {};
    for (const [position, row] of this.#positions.entries()) rows[position] = row;
    for (const { key, row } of this.#kept.values()) rows[key] = { ...row };
    this.#isNewSinceKeyframe = false;
    this.#keyframeId = id;
    return { rows };
  }

  removeAll(changes: RowChange[]): void {
    for (const object of [...this.#kept.keys()]) this.#remove(object, changes);
    for (const key of this.#positions.keys()) changes.push({ table: this.#name, key: String(key), change: "remove", set: NO_FIELDS });
  }

  forget(): void {
    this.#kept.clear();
    this.#byKey.clear();
    this.#positions = [];
    this.#touched.clear();
    this.#touchedAnew.clear();
    this.#isTouchedWhole = false;
    this.#isNewSinceKeyframe = true;
    this.isDirty = false;
  }

  compare(changes: RowChange[]): void {
    const before = changes.length;
    this.isDirty = false;
    if (this.#isTouchedWhole) this.#compareWhole(changes);
    else for (const object of this.#touched) this.#compareObject(object, changes);
    this.#isTouchedWhole = false;
    this.#touched.clear();
    if (this.#touchedAnew.size > 0) this.#touchedAnew.clear();
    if (changes.length > before) this.#isNewSinceKeyframe = true;
  }

  #compareWhole(changes: RowChange[]): void {
    const { keyOf } = this.#reader;
    if (keyOf === undefined) {
      this.#comparePositions(changes);
      return;
    }
    const rows = new Map<object, Row>();
    for (const object of this.#reader.objects()) {
      const row = this.#reader.rowOf(object);
      if (row !== undefined) rows.set(object, row);
    }
    // A rule of a firewall is named by its number, which moves when others go.
    for (const [object, kept] of [...this.#kept]) if (!rows.has(object) || keyOf(object) !== kept.key) this.#remove(object, changes);
    for (const [object, row] of rows) this.#compareRow(object, row, changes);
  }

  #comparePositions(changes: RowChange[]): void {
    const rows: Row[] = [];
    for (const object of this.#reader.objects()) {
      const row = this.#reader.rowOf(object);
      if (row !== undefined) rows.push(row);
    }
    const before = this.#positions;
    this.#positions = rows;
    for (let i = 0; i < Math.max(rows.length, before.length); i++) {
      const old = before[i];
      const row = rows[i];
      if (row === undefined) changes.push({ table: this.#name, key: String(i), change: "remove", set: NO_FIELDS });
      else if (old === undefined) changes.push({ table: this.#name, key: String(i), change: "add", set: row });
      else {
        const set = differences(old, row);
        if (set !== undefined) changes.push({ table: this.#name, key: String(i), change: "change", set });
      }
    }
  }

  #compareObject(object: object, changes: RowChange[]): void {
    const reader = this.#reader;
    const kept = this.#kept.get(object);
    if (kept === undefined || reader.changing === undefined || this.#touchedAnew.has(object)) {
      this.#compareRow(object, reader.rowOf(object), changes);
      return;
    }
    const row = reader.changing(object);
    if (row === undefined) this.#remove(object, changes);
    else this.#change(kept, row, changes);
  }

  #compareRow(object: object, row: Row | undefined, changes: RowChange[]): void {
    const kept = this.#kept.get(object);
    if (row === undefined) this.#remove(object, changes);
    else if (kept !== undefined) this.#change(kept, row, changes);
    else this.#add(object, row, changes);
  }

  #add(object: object, row: Row, changes: RowChange[]): void {
    const key = (this.#reader.keyOf as (object: object) => string)(object);
    const former = this.#byKey.get(key);
    if (former !== undefined) this.#remove(former, changes);
    this.#byKey.set(key, object);
    this.#kept.set(object, { key, row: { ...row } });
    changes.push({ table: this.#name, key, change: "add", set: row });
  }

  #change(kept: Kept, row: Row, changes: RowChange[]): void {
    const set = differences(kept.row, row);
    if (set === undefined) return;
    for (const field in set) kept.row[field] = set[field] as Cell;
    changes.push({ table: this.#name, key: kept.key, change: "change", set });
  }

  #remove(object: object, changes: RowChange[]): void {
    const kept = this.#kept.get(object);
    if (kept === undefined) return;
    this.#kept.delete(object);
    this.#byKey.delete(kept.key);
    changes.push({ table: this.#name, key: kept.key, change: "remove", set: NO_FIELDS });
  }
}

/** The fields of `after` that are not so in `before`; undefined when all are. */
function differences(before: Row, after: Row): Row | undefined {
  let set: Record<string, Cell> | undefined;
  for (const field in after) {
    const value = after[field] as Cell;
    if (value === before[field]) continue;
    set ??= {};
    set[field] = value;
  }
  return set;
}
