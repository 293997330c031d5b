/**
 * The tables of a host when a scenario is over, as the ordinary commands print them, reduced to what two runs of a kernel share.
 */

import { normalOutput } from "./outputs.ts";

/** Name of a table -> the command that prints it. */
export const TABLE_COMMANDS = {
  addr: "ip -4 addr",
  neigh: "ip -4 neigh",
  route: "ip route show table all",
  ipvs: "ipvsadm -Ln 2>/dev/null",
  conns: "ipvsadm -Lnc 2>/dev/null",
  stats: "ipvsadm -Ln --stats --exact 2>/dev/null",
} as const;

export type TableName = keyof typeof TABLE_COMMANDS;

/** Only tables that have rows. */
export type Tables = ReadonlyMap<TableName, readonly string[]>;

const TABLE_NAMES = Object.keys(TABLE_COMMANDS) as TableName[];

/** What every host has, or what is a heading. */
const BOILERPLATE =
  /^(IP Virtual Server version|Prot LocalAddress|-> RemoteAddress|IPVS connection entries|pro expire|N: lo: |inet 127\.0\.0\.1\/8 scope host lo$|(local|broadcast) 127\.)/;

function normalRow(table: TableName, row: string): string {
  if (table === "neigh") {
    // How long an entry stays REACHABLE is drawn at random; whether it is resolved is not.
    return row.replace(/\b(REACHABLE|STALE|DELAY|PROBE)\b/, "KNOWN").replace(/\b(INCOMPLETE|FAILED)\b/, "UNRESOLVED");
  }
  return row;
}

/** `texts`: what the commands of TABLE_COMMANDS printed. */
export function tablesOf(texts: Readonly<Partial<Record<TableName, string>>>): Tables {
  const tables = new Map<TableName, readonly string[]>();
  for (const table of TABLE_NAMES) {
    const rows = normalOutput(texts[table] ?? "", "")
      .split("\n")
      .filter((row) => row !== "" && !BOILERPLATE.test(row))
      .map((row) => normalRow(table, row));
    if (rows.length > 0) tables.set(table, rows.sort());
  }
  return tables;
}
