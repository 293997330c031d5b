/**
 * The table row that another panel points at.
 */

import { signal } from "@preact/signals";
import type { TableName } from "../../../../src/trace/rows.ts";
import { showPanel } from "../../app/panel-area.tsx";
import { selection } from "../../state/store.ts";

export interface PointedRow {
  /** A host, or `link/NAME`. */
  readonly owner: string;
  readonly table: TableName;
  readonly key: string;
}

export const pointedRow = signal<PointedRow | undefined>(undefined);

/** Brings the tables to the front and the row into view. */
export function showRow({ owner, table, key }: PointedRow): void {
  selection.value = { node: owner };
  pointedRow.value = { owner, table, key };
  showPanel("tables");
}
