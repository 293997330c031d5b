/**
 * Everything about one host or link at an instant, in one answer: its tables, from which frame each neighbour was learned, the settings in
 * force, and what is different from the position before.
 */

import { formatMacAddress } from "../../../../src/base/mac-address.ts";
import { devicesOf, type PlainSetting, type SettingInForce, Settings, type Sysctls } from "../../../../src/report/settings.ts";
import type { NeighbourChanged, TraceEvent } from "../../../../src/trace/events.ts";
import { type Row, TABLE_NAMES, type TableName, type TableRows } from "../../../../src/trace/rows.ts";
import { formatIpv4Address } from "../../../../src/base/ipv4-address.ts";
import { type RecordSummary, summarize } from "../describe.ts";
import type { RecordStore } from "../record-store.ts";
import type { Session } from "../session.ts";
import { tableChanges } from "./state.ts";

export interface HostTablesArgs {
  /** Record in view. */
  readonly id: number;
  /** Position before it, 0: none, nothing is marked. */
  readonly previous: number;
  /** A host, or `link/NAME`. */
  readonly owner: string;
  /** All settings, not only those that matter to LVS or differ from their defaults. */
  readonly hasAllSettings: boolean;
}

export interface ShownRow {
  readonly key: string;
  readonly row: Row;
  /** What the last move did to it. */
  readonly change: "new" | "changed" | "gone" | undefined;
  /** For a changed row: the values before, of the fields that changed. */
  readonly before: Row;
}

export interface ShownTable {
  readonly name: TableName;
  readonly rows: readonly ShownRow[];
  /** Rows there are, when more than are shown. */
  readonly total: number;
}

export interface HostTables {
  readonly id: number;
  readonly owner: string;
  readonly tables: readonly ShownTable[];
  /** By key of the neighbour: the frame or command it was learned from. */
  readonly learned: Readonly<Record<string, RecordSummary>>;
  readonly inForce: readonly SettingInForce[];
  readonly settings: readonly PlainSetting[];
  /** Other hosts and links whose tables changed in the last move. */
  readonly elsewhere: readonly { readonly owner: string; readonly tables: readonly TableName[] }[];
}

const ROWS_MAX = 300;
const NO_ROW: Row = {};
/** Tables whose keys are positions: their rows are known by what they say. */
const BY_POSITION: ReadonlySet<TableName> = new Set<TableName>(["addresses", "routes", "rules"]);

export function hostTables(session: Session, { id, previous, owner, hasAllSettings }: HostTablesArgs): HostTables | undefined {
  const { store } = session;
  if (!store.tables.hasTables) return undefined;
  const isMoved = previous > 0 && previous !== id;
  // The position before is asked first: going on from there costs least.
  const before = isMoved ? rowsOf(store, previous, owner) : undefined;
  const now = rowsOf(store, id, owner);
  if (now === undefined) return undefined;
  const tables = TABLE_NAMES.filter((name) => name !== "sysctls" && (now[name] !== undefined || before?.[name] !== undefined)).map((name) =>
    shownTable(name, now[name] ?? {}, before === undefined ? undefined : (before[name] ?? {})),
  );
  const elsewhere = new Map<string, Set<TableName>>();
  if (isMoved) {
    for (const { owner: other, table } of tableChanges(session, { from: previous, to: id })) {
      if (other === owner) continue;
      const names = elsewhere.get(other) ?? new Set();
      elsewhere.set(other, names.add(table));
    }
  }
  const settings = new Settings(now.sysctls ?? {}, before?.sysctls, defaultsOf(session, owner), hasAllSettings);
  return {
    id,
    owner,
    tables,
    learned: learnedFrom(session, id, owner, now),
    inForce: settings.inForce(devicesOf(now)),
    settings: settings.plain(),
    elsewhere: [...elsewhere].map(([other, names]) => ({ owner: other, tables: [...names] })),
  };
}

function rowsOf(store: RecordStore, id: number, owner: string): TableRows | undefined {
  return store.tables.ownerAfterRecord(store.lastRowsAfter(Math.max(id, 1)), owner);
}

type Rows = Readonly<Record<string, Row>>;

function shownTable(name: TableName, now: Rows, before: Rows | undefined): ShownTable {
  const rows = BY_POSITION.has(name) ? comparedByContent(now, before) : comparedByKey(now, before);
  if (rows.length <= ROWS_MAX) return { name, rows, total: rows.length };
  // Of too many rows those that changed are kept.
  const kept = new Set([...rows.filter(({ change }) => change !== undefined), ...rows].slice(0, ROWS_MAX));
  return { name, rows: rows.filter((row) => kept.has(row)), total: rows.length };
}

function comparedByContent(now: Rows, before: Rows | undefined): ShownRow[] {
  const [old, present] = [before, now].map((rows) => new Set(Object.values(rows ?? {}).map((row) => JSON.stringify(row)))) as [Set<string>, Set<string>];
  return [
    ...Object.entries(now).map(([key, row]): ShownRow => ({ key, row, change: before === undefined || old.has(JSON.stringify(row)) ? undefined : "new", before: NO_ROW })),
    ...Object.entries(before ?? {})
      .filter(([, row]) => !present.has(JSON.stringify(row)))
      .map(([key, row]): ShownRow => ({ key: `gone ${key}`, row, change: "gone", before: NO_ROW })),
  ];
}

function comparedByKey(now: Rows, before: Rows | undefined): ShownRow[] {
  const rows: ShownRow[] = [];
  for (const [key, row] of Object.entries(now)) {
    const old = before?.[key];
    if (before === undefined || old === row) rows.push({ key, row, change: undefined, before: NO_ROW });
    else if (old === undefined) rows.push({ key, row, change: "new", before: NO_ROW });
    else {
      const changed = Object.fromEntries(Object.entries(old).filter(([field, value]) => row[field] !== value));
      rows.push({ key, row, change: Object.keys(changed).length === 0 ? undefined : "changed", before: changed });
    }
  }
  for (const [key, row] of Object.entries(before ?? {})) if (now[key] === undefined) rows.push({ key, row, change: "gone", before: NO_ROW });
  return rows;
}

/* -------------------------------------------------------------------------------------------------------------- settings */

/** Settings as they were at boot, before anything was typed. */
function defaultsOf(session: Session, owner: string): Sysctls {
  const kept = (session.cache.get("sysctl defaults") as Map<string, Sysctls> | undefined) ?? new Map<string, Sysctls>();
  session.cache.set("sysctl defaults", kept);
  let defaults = kept.get(owner);
  if (defaults === undefined) {
    const first = session.store.records.find(({ kind }) => kind === "keyframe");
    const table = first?.kind === "keyframe" ? first.tables[owner]?.sysctls : undefined;
    defaults = (table !== undefined && "rows" in table ? table.rows : {}) as Sysctls;
    kept.set(owner, defaults);
  }
  return defaults;
}

/* ------------------------------------------------------------------------------------------------------------ neighbours */

const CLIMB_MAX = 12;

/** Where each neighbour's MAC came from: the frame that was received, or the command. */
function learnedFrom(session: Session, id: number, owner: string, now: TableRows): Record<string, RecordSummary> {
  const { store } = session;
  const learned: Record<string, RecordSummary> = {};
  const index = learnings(session);
  for (const [key, { device, address, mac }] of Object.entries(now.neighbours ?? {})) {
    if (mac === null) continue;
    const ids = index.get(`${owner} ${device} ${address} ${mac}`) ?? [];
    const last = ids.filter((one) => one <= id).at(-1);
    if (last !== undefined) learned[key] = summarize(store, sourceOf(store, last));
  }
  return learned;
}

/** Records in which an address got another MAC than it had, by host, device, address and MAC. */
function learnings(session: Session): ReadonlyMap<string, readonly number[]> {
  let index = session.cache.get("learnings") as Map<string, number[]> | undefined;
  if (index !== undefined) return index;
  index = new Map();
  const macs = new Map<string, number>();
  for (const event of session.store.records) {
    if (event.kind !== "neighbour") continue;
    const { host, device, mac } = event as NeighbourChanged;
    const entry = `${host} ${device} ${formatIpv4Address(event.address)}`;
    const isNew = mac !== 0 && macs.get(entry) !== mac;
    macs.set(entry, mac);
    if (!isNew) continue;
    const key = `${entry} ${formatMacAddress(mac)}`;
    const ids = index.get(key);
    if (ids === undefined) index.set(key, [event.id]);
    else ids.push(event.id);
  }
  session.cache.set("learnings", index);
  return index;
}

function sourceOf(store: RecordStore, id: number): number {
  const { host } = store.record(id) as TraceEvent;
  let above = store.causes[id - 1] as number;
  for (let climbed = 0; above > 0 && climbed < CLIMB_MAX; climbed++) {
    const event = store.record(above);
    if (event?.kind === "frame-received" || event?.kind === "command-start") return above;
    // A cause across a wire is the frame as it was sent: it is known by its arrival.
    if (event?.kind === "frame-sent" && event.host !== host) return store.childrenOf(above).find((child) => child <= id && isArrivalAt(store, child, host)) ?? above;
    above = store.causes[above - 1] as number;
  }
  return id;
}

function isArrivalAt(store: RecordStore, id: number, host: string): boolean {
  const event = store.record(id);
  return event?.kind === "frame-received" && event.host === host;
}
