/**
 * Tables, connections, lives of packets and outputs of commands.
 */

import { PcapngSink } from "../../../../src/trace/pcapng-sink.ts";
import { JsonLinesSink } from "../../../../src/trace/jsonl.ts";
import type { RowTypes, TableName } from "../../../../src/trace/rows.ts";
import type { RowChange } from "../../../../src/trace/table-set.ts";
import { type RecordSummary, summarize } from "../describe.ts";
import type { Connection } from "../connections.ts";
import type { CommandOutput } from "../protocol.ts";
import type { Session } from "../session.ts";

export interface TablesArgs {
  /** Record; the tables are those when it and the rows behind it have been written. */
  readonly id: number;
  /** A host, or `link/NAME`. */
  readonly owner: string;
  /** Rows of each table at most. */
  readonly rowsMax?: number;
}

/** One table: rows with their keys, in the table's order, and how many there are in all. */
export type TableView<N extends TableName> = { readonly rows: readonly (readonly [string, RowTypes[N]])[]; readonly total: number };
export type TableViews = { readonly [N in TableName]?: TableView<N> };

const ROWS_MAX = 500;

/** The tables of one owner at a record; undefined when the trace has none. */
export function tables(session: Session, { id, owner, rowsMax = ROWS_MAX }: TablesArgs): TableViews | undefined {
  const { store } = session;
  if (!store.tables.hasTables) return undefined;
  const of = store.tables.afterRecord(store.lastRowsAfter(Math.max(id, 1)))[owner];
  if (of === undefined) return undefined;
  const views: Record<string, TableView<TableName>> = {};
  for (const [name, table] of Object.entries(of)) {
    const rows = Object.entries(table);
    views[name] = { rows: rows.slice(0, rowsMax), total: rows.length };
  }
  return views as TableViews;
}

/** A row that changed, and the record that says so. */
export interface ChangedRow extends RowChange {
  readonly owner: string;
  readonly record: number;
}

const CHANGES_MAX = 2000;

/** Rows that differ between two positions, whichever is first: what glows after a step. */
export function tableChanges({ store }: Session, { from, to }: { readonly from: number; readonly to: number }): readonly ChangedRow[] {
  const [first, last] = [Math.min(from, to), Math.max(from, to)];
  const changes: ChangedRow[] = [];
  // Rows behind the first position were there before; those behind the last came.
  for (let id = store.lastRowsAfter(Math.max(first, 1)) + 1; id <= store.lastRowsAfter(Math.max(last, 1)) && changes.length < CHANGES_MAX; id++) {
    const event = store.record(id);
    if (event?.kind === "rows") for (const change of event.changes) changes.push({ ...change, owner: event.host, record: id });
  }
  return changes;
}

const CONNECTIONS_MAX = 5000;

/** Connections, oldest first. */
export function connections({ store }: Session): readonly Connection[] {
  return store.connections.list().slice(0, CONNECTIONS_MAX);
}

const LIFE_MAX = 2000;

/** The life of the packet that record `id` is about: every record of it through the cluster. */
export function packetLife({ store }: Session, { id }: { readonly id: number }): readonly RecordSummary[] {
  const packet = store.packets[id - 1];
  if (packet === undefined || packet === 0) return [];
  const life: RecordSummary[] = [];
  for (let next = packet; next <= store.count && life.length < LIFE_MAX; next++) if (store.packets[next - 1] === packet) life.push(summarize(store, next));
  return life;
}

/** The records that led to `id`, first cause first, `id` last. */
export function causes({ store }: Session, { id }: { readonly id: number }): readonly RecordSummary[] {
  const chain: RecordSummary[] = [];
  for (let above = id; above > 0 && chain.length < LIFE_MAX; above = store.causes[above - 1] as number) chain.push(summarize(store, above));
  return chain.reverse();
}

/** The records that name `id` as their cause; rows and keyframes left out. */
export function effects({ store }: Session, { id }: { readonly id: number }): readonly RecordSummary[] {
  return Array.from(store.childrenOf(id))
    .filter((child) => store.isShown(child))
    .slice(0, LIFE_MAX)
    .map((child) => summarize(store, child));
}

/** What commands have said in the whole run; pieces have their times. */
export function outputs(session: Session): readonly CommandOutput[] {
  return session.outputs;
}

type BlobParts = NonNullable<ConstructorParameters<typeof Blob>[0]>;

/** The trace as JSON Lines: the same bytes as the command line writes. */
export function traceFile({ header, store }: Session): Blob {
  const { format: _format, version: _version, ...rest } = header;
  const parts: BlobParts = [];
  const sink = new JsonLinesSink(rest, (part) => parts.push(part as BlobParts[number]));
  for (const event of store.records) sink.write(event);
  sink.flush();
  return new Blob(parts, { type: "application/jsonl" });
}

/** Every frame, in one pcapng file with an interface for each network card, and comments that say what was done to packets. */
export function captureFile({ header, store, info }: Session): Blob {
  const parts: BlobParts = [];
  const sink = new PcapngSink({ header, originNs: info.originNs, write: (part) => parts.push(part as BlobParts[number]) });
  for (const event of store.records) sink.write(event);
  sink.flush();
  return new Blob(parts, { type: "application/x-pcapng" });
}
