/**
 * Everything about one host or link at an instant, in one answer: its tables, from which frame each neighbour was learned, the settings in
 * force, and what is different from the position before.
 */

import { formatMacAddress } from "../../../../src/base/mac-address.ts";
import type { Ipv4ConfKey } from "../../../../src/host/ipv4-conf.ts";
import { CONF_COMBINATIONS, confInForce } from "../../../../src/host/sysctl.ts";
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

/** A setting of a device and of `all`, and what they make together. */
export interface SettingInForce {
  readonly key: string;
  readonly name: string;
  readonly device: string;
  readonly all: string;
  readonly own: string;
  readonly inForce: string;
  /** `max`, `or`, `and`, or `own` when conf/all has no say. */
  readonly combination: string;
  readonly isDefault: boolean;
  /** In force before the last move; undefined: the same. */
  readonly before: string | undefined;
}

export interface PlainSetting {
  readonly key: string;
  readonly value: string;
  readonly isDefault: boolean;
  readonly before: string | undefined;
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

/** Settings that decide what LVS does, shown whatever their value is. */
const LVS_CONF: ReadonlySet<string> = new Set(["arp_ignore", "arp_announce", "rp_filter", "forwarding", "send_redirects", "accept_redirects"]);
const LVS_SETTINGS = /^net\.ipv4\.(?:ip_forward|vs\.(?:conntrack|conn_reuse_mode|expire_nodest_conn|expire_quiescent_template))$/;

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

type Sysctls = Readonly<Record<string, { readonly value: string }>>;

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

function devicesOf(now: TableRows): string[] {
  return Object.values(now.links ?? {})
    .filter(({ isUp }) => isUp)
    .map(({ name }) => name);
}

const CONF = "net.ipv4.conf.";

class Settings {
  readonly #now: Sysctls;
  readonly #before: Sysctls | undefined;
  readonly #defaults: Sysctls;
  readonly #hasAll: boolean;

  constructor(now: Sysctls, before: Sysctls | undefined, defaults: Sysctls, hasAll: boolean) {
    this.#now = now;
    this.#before = before;
    this.#defaults = defaults;
    this.#hasAll = hasAll;
  }

  inForce(devices: readonly string[]): SettingInForce[] {
    const settings: SettingInForce[] = [];
    for (const [name, combination] of Object.entries(CONF_COMBINATIONS)) {
      for (const device of devices) {
        const key = `${CONF}${device.replaceAll(".", "/")}.${name}`;
        const value = (of: Sysctls) => valueInForce(of, name as Ipv4ConfKey, device);
        const own = this.#now[key]?.value;
        const all = this.#now[`${CONF}all.${name}`]?.value;
        const inForce = value(this.#now);
        if (own === undefined || all === undefined || inForce === undefined) continue;
        const isDefault = value(this.#defaults) === inForce;
        const before = this.#before === undefined ? inForce : value(this.#before);
        const isOfInterest = (LVS_CONF.has(name) && device !== "lo") || !isDefault || before !== inForce;
        if (!this.#hasAll && !isOfInterest) continue;
        const isForwarding = this.#now[`${CONF}${device.replaceAll(".", "/")}.forwarding`]?.value !== "0";
        settings.push({
          key,
          name,
          device,
          all,
          own,
          inForce,
          combination: combination === "redirects" ? (isForwarding ? "and" : "or") : combination,
          isDefault,
          before: before === inForce ? undefined : (before ?? ""),
        });
      }
    }
    return settings;
  }

  plain(): PlainSetting[] {
    const settings: PlainSetting[] = [];
    for (const [key, { value }] of Object.entries(this.#now)) {
      if (key.startsWith(CONF) && !key.startsWith(`${CONF}all.`) && !key.startsWith(`${CONF}default.`)) continue;
      // A key that came with a module is at its default when nobody wrote it: there is nothing to compare with.
      const isDefault = (this.#defaults[key]?.value ?? value) === value;
      const old = this.#before === undefined ? value : this.#before[key]?.value;
      if (!this.#hasAll && isDefault && old === value && !LVS_SETTINGS.test(key)) continue;
      settings.push({ key, value, isDefault, before: old === value ? undefined : (old ?? "") });
    }
    return settings;
  }
}

function valueInForce(of: Sysctls, name: Ipv4ConfKey, device: string): string | undefined {
  const own = of[`${CONF}${device.replaceAll(".", "/")}.${name}`]?.value;
  const all = of[`${CONF}all.${name}`]?.value;
  if (own === undefined || all === undefined) return undefined;
  return String(confInForce(name, Number(all), Number(own), of[`${CONF}${device.replaceAll(".", "/")}.forwarding`]?.value !== "0"));
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
