/**
 * The columns of each table: what of a row is shown, and how.
 */

import type { Row, TableName } from "../trace/rows.ts";
import type { ReportWords } from "./words.ts";

/** Its title is in the words of each language. */
export type ColumnName = keyof ReportWords["columns"];

export interface Column {
  readonly name: ColumnName;
  /** Fields of the row that it shows: it is marked when one of them changed. */
  readonly fields: readonly string[];
  /** `nowNs`: simulated time, for timers. */
  text(row: Row, nowNs: number): string;
  readonly isNumber: boolean;
}

const NS_PER_SECOND = 1_000_000_000;
const MAIN_TABLE = 254;
const TABLE_NAMES_BY_NUMBER: ReadonlyMap<number, string> = new Map([
  [253, "default"],
  [MAIN_TABLE, "main"],
  [255, "local"],
]);
const PROTOCOL_NAMES: ReadonlyMap<number, string> = new Map([
  [1, "icmp"],
  [6, "tcp"],
  [17, "udp"],
]);

const plain = (name: ColumnName, field: string = name): Column => ({ name, fields: [field], text: (row) => cellText(row[field]), isNumber: false });
const number = (name: ColumnName, field: string = name): Column => ({ ...plain(name, field), isNumber: true });
const made = (name: ColumnName, fields: readonly string[], text: Column["text"], isNumber = false): Column => ({ name, fields, text, isNumber });
const timer = (field: string): Column => made("timer", [field], (row, nowNs) => timerText(Number(row[field]), nowNs), true);

function cellText(cell: Row[string] | undefined): string {
  return cell === null || cell === undefined ? "—" : String(cell);
}

/** Minutes and seconds that are left, `01:59`. */
export function timerText(untilNs: number, nowNs: number): string {
  const seconds = Math.max(0, Math.ceil((untilNs - nowNs) / NS_PER_SECOND));
  const two = (value: number) => String(value).padStart(2, "0");
  return `${two(Math.floor(seconds / 60))}:${two(seconds % 60)}`;
}

function tableName(table: Row[string] | undefined): string {
  return TABLE_NAMES_BY_NUMBER.get(Number(table)) ?? String(table);
}

function linkFlags(row: Row): string {
  return [row.isUp === true ? "UP" : "DOWN", row.hasCarrier === true ? "" : "NO-CARRIER", row.isNoArp === true ? "NOARP" : "", row.isPromiscuous === true ? "PROMISC" : ""].filter((word) => word !== "").join(" ");
}

/** Tables and their columns; settings have a view of their own. */
export const COLUMNS: Readonly<Partial<Record<TableName, readonly Column[]>>> = {
  macs: [plain("mac"), plain("port"), timer("untilNs")],
  ipvsServices: [
    plain("service"),
    plain("scheduler"),
    made("persistence", ["persistenceSeconds", "netmask", "isOnePacket"], (row) => (row.isOnePacket === true ? "ops" : row.persistenceSeconds === null ? "—" : `${row.persistenceSeconds} s ${cellText(row.netmask)}`)),
    number("conns"),
    number("inPackets"),
    number("outPackets"),
    number("inBytes"),
    number("outBytes"),
  ],
  ipvsDestinations: [
    made("server", ["address", "port"], (row) => `${row.address}:${row.port}`),
    plain("method"),
    made("weight", ["weight", "isOverloaded"], (row) => `${row.weight}${row.isOverloaded === true ? " (over)" : ""}`, true),
    number("active", "activeConns"),
    number("inactive", "inactConns"),
    number("conns"),
    number("inPackets"),
    number("outPackets"),
    plain("service"),
  ],
  ipvsConnections: [
    plain("client"),
    plain("destination"),
    timer("expiresNs"),
    made("state", ["state", "isTemplate", "isInactive", "isFromSync"], (row) => [row.state, row.isTemplate === true ? "template" : "", row.isInactive === true ? "inactive" : "", row.isFromSync === true ? "synced" : ""].filter((word) => word !== "").join(" ")),
    plain("method"),
    plain("virtual"),
    plain("protocol"),
  ],
  addresses: [
    made("address", ["address", "prefixLength"], (row) => `${row.address}/${row.prefixLength}`),
    made("device", ["device", "label"], (row) => (row.label === row.device ? cellText(row.device) : cellText(row.label))),
    plain("scope"),
    made("flags", ["isSecondary", "peer"], (row) => [row.isSecondary === true ? "secondary" : "", row.peer === null ? "" : `peer ${row.peer}`].filter((word) => word !== "").join(" ")),
  ],
  neighbours: [plain("address"), plain("mac"), made("state", ["state", "isProxy"], (row) => (row.isProxy === true ? "PROXY" : cellText(row.state))), plain("device")],
  routes: [
    made("destination", ["type", "destination"], (row) => (row.type === "unicast" ? cellText(row.destination) : `${row.type} ${row.destination}`)),
    plain("via"),
    plain("device"),
    plain("source"),
    made("table", ["table"], (row) => tableName(row.table)),
    number("metric"),
    made("flags", ["isDead", "isLinkDown", "isOnlink"], (row) => [row.isDead === true ? "dead" : "", row.isLinkDown === true ? "linkdown" : "", row.isOnlink === true ? "onlink" : ""].filter((word) => word !== "").join(" ")),
  ],
  rules: [number("priority"), plain("selector"), made("action", ["action", "table"], (row) => (row.action === "lookup" ? `lookup ${tableName(row.table)}` : cellText(row.action)))],
  netfilter: [plain("table"), plain("rule"), number("packets"), number("bytes")],
  conntrack: [made("protocol", ["protocol"], (row) => PROTOCOL_NAMES.get(Number(row.protocol)) ?? cellText(row.protocol)), plain("state"), plain("original"), plain("reply"), timer("untilNs")],
  sockets: [plain("protocol"), plain("state"), plain("local"), plain("remote"), made("queues", ["receiveQueue", "sendQueue"], (row) => `${row.receiveQueue} / ${row.sendQueue}`, true), plain("process")],
  links: [plain("device", "name"), plain("kind"), plain("mac"), number("mtu"), made("flags", ["isUp", "hasCarrier", "isNoArp", "isPromiscuous"], linkFlags), plain("tunnel")],
};

/** The order in which tables are shown. */
export const TABLE_ORDER: readonly TableName[] = ["macs", "ipvsServices", "ipvsDestinations", "ipvsConnections", "addresses", "neighbours", "routes", "sysctls", "netfilter", "conntrack", "sockets", "links", "rules"];

/** What a column showed before the last move; undefined when it showed the same. */
export function textBefore(column: Column, row: Row, before: Row, nowNs: number): string | undefined {
  if (!column.fields.some((field) => Object.hasOwn(before, field))) return undefined;
  const old = column.text({ ...row, ...before }, nowNs);
  return old === column.text(row, nowNs) ? undefined : old;
}
