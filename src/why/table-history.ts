/**
 * Every row of every table with all that it ever was, so that any table can be asked for as it was at any record, back and forth, for the price
 * of a search. A table at record `id` is what the last `rows` record up to it left; rows are written at the end of the event that changed them.
 */

import type { TraceEvent } from "../trace/events.ts";
import type { Row, RowTypes, TableName } from "../trace/rows.ts";

/** A row from record `id` on; undefined: it was gone. */
export interface RowVersion<R extends Row = Row> {
  readonly id: number;
  readonly row: R | undefined;
}

/** After the last record. */
export const AT_THE_END = Number.MAX_SAFE_INTEGER;

export class TableHistory {
  readonly #owners = new Map<string, Map<TableName, Map<string, RowVersion[]>>>();
  #hasKeyframe = false;

  /** The next record of the trace. */
  add(event: TraceEvent): void {
    if (event.kind === "rows") {
      for (const { table, key, change, set } of event.changes) {
        const versions = this.#versions(event.host, table, key);
        const before = versions.at(-1)?.row;
        versions.push({ id: event.id, row: change === "remove" ? undefined : change === "add" || before === undefined ? set : { ...before, ...set } });
      }
    } else if (event.kind === "keyframe" && !this.#hasKeyframe) {
      // The first one tells how things were; what later ones say follows from the rows between.
      this.#hasKeyframe = true;
      for (const [owner, tables] of Object.entries(event.tables))
        for (const [name, table] of Object.entries(tables))
          if ("rows" in table) for (const [key, row] of Object.entries(table.rows)) this.#versions(owner, name as TableName, key).push({ id: event.id, row });
    }
  }

  /** False when the trace has no tables (its level is not "full"). */
  get hasTables(): boolean {
    return this.#hasKeyframe;
  }

  /** Hosts and links that have tables. */
  get owners(): readonly string[] {
    return [...this.#owners.keys()];
  }

  /** One row as it was at record `id`; undefined when it was not there. */
  row<N extends TableName>(owner: string, table: N, key: string, id = AT_THE_END): RowTypes[N] | undefined {
    const versions = this.#owners.get(owner)?.get(table)?.get(key);
    return versions === undefined ? undefined : (rowAt(versions, id) as RowTypes[N] | undefined);
  }

  /** The rows of a table as they were at record `id`. */
  rows<N extends TableName>(owner: string, table: N, id = AT_THE_END): RowTypes[N][] {
    const rows: RowTypes[N][] = [];
    for (const versions of this.#owners.get(owner)?.get(table)?.values() ?? []) {
      const row = rowAt(versions, id);
      if (row !== undefined) rows.push(row as RowTypes[N]);
    }
    return rows;
  }

  /** What every row of a table ever was, by key. */
  versions<N extends TableName>(owner: string, table: N): ReadonlyMap<string, readonly RowVersion<RowTypes[N] & Row>[]> {
    return (this.#owners.get(owner)?.get(table) ?? new Map()) as ReadonlyMap<string, readonly RowVersion<RowTypes[N] & Row>[]>;
  }

  #versions(owner: string, table: TableName, key: string): RowVersion[] {
    let tables = this.#owners.get(owner);
    if (tables === undefined) {
      tables = new Map();
      this.#owners.set(owner, tables);
    }
    let rows = tables.get(table);
    if (rows === undefined) {
      rows = new Map();
      tables.set(table, rows);
    }
    let versions = rows.get(key);
    if (versions === undefined) {
      versions = [];
      rows.set(key, versions);
    }
    return versions;
  }
}

function rowAt(versions: readonly RowVersion[], id: number): Row | undefined {
  let low = 0;
  let high = versions.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((versions[middle] as RowVersion).id > id) high = middle;
    else low = middle + 1;
  }
  return versions[low - 1]?.row;
}
