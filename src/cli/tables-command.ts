/**
 * `lvsim trace tables`: the tables of hosts and links at a time, from a trace alone.
 */

import { formatSeconds } from "../base/time.ts";
import { nearestWord } from "../scenario/suggest.ts";
import type { TraceEvent } from "../trace/events.ts";
import { TABLE_NAMES, type TableName, type WorldTables } from "../trace/rows.ts";
import type { TraceHeader } from "../trace/trace-header.ts";
import { TableFollower } from "../trace/table-timeline.ts";
import { UsageError } from "./failure.ts";
import { printTable, TABLE_KINDS } from "./trace-command.ts";
import { readTraceFile } from "./trace-file.ts";

export interface TablesOptions {
  /** Since the start of the timeline; by default the end. */
  readonly at?: number;
  readonly host?: string;
  readonly table?: string;
  readonly json?: boolean;
}

export async function tablesCommand(file: string, options: TablesOptions): Promise<void> {
  const wanted = options.table?.split(",").map(tableNamed);
  const follower = new TableFollower();
  let header: TraceHeader | undefined;
  let originNs: number | undefined;
  let endNs = 0;
  await readTraceFile(file, {
    kinds: TABLE_KINDS,
    onHeader: (read) => {
      header = read;
      if (read.level !== "full") throw new UsageError(`${file}: a trace of level ${read.level} has no tables; write it with --trace-level full`);
      checkHost(options.host, read);
    },
    onEvent: (event: TraceEvent): false | void => {
      if (options.at !== undefined && originNs !== undefined && event.timeNs > originNs + options.at) return false;
      if (event.kind === "origin") originNs = event.timeNs;
      endNs = event.timeNs;
      follower.add(event);
    },
  });
  if (header === undefined) return;
  const atNs = options.at === undefined ? endNs : (originNs ?? 0) + options.at;
  const tables = chosen(follower.read(atNs), options.host, wanted);
  if (options.json === true) process.stdout.write(`${JSON.stringify({ timeNs: atNs, originNs: originNs ?? 0, tables }, undefined, 1)}\n`);
  else print(tables, atNs - (originNs ?? 0));
}

/** Settings are hundreds: they are printed when asked for. */
function chosen(tables: WorldTables, host: string | undefined, wanted: readonly TableName[] | undefined): WorldTables {
  const owners = Object.entries(tables).filter(([owner]) => host === undefined || owner === host || owner === `link/${host}`);
  return Object.fromEntries(
    owners.map(([owner, of]) => [owner, Object.fromEntries(Object.entries(of).filter(([name]) => (wanted === undefined ? name !== "sysctls" : wanted.includes(name as TableName))))]),
  );
}

function print(tables: WorldTables, timelineNs: number): void {
  process.stdout.write(`at ${formatSeconds(timelineNs, 9)} s\n`);
  for (const [owner, of] of Object.entries(tables))
    for (const name of TABLE_NAMES) {
      const rows = Object.entries(of[name] ?? {});
      // The key says more than the row where the row is a value alone.
      printTable(`${owner} ${name}`, name === "sysctls" ? rows.map(([key, row]) => ({ key, ...row })) : rows.map(([, row]) => row));
    }
}

function tableNamed(word: string): TableName {
  if ((TABLE_NAMES as readonly string[]).includes(word)) return word as TableName;
  const meant = nearestWord(word, TABLE_NAMES);
  throw new UsageError(`unknown table ${word}; ${meant === undefined ? `known are ${TABLE_NAMES.join(", ")}` : `did you mean ${meant}?`}`);
}

function checkHost(host: string | undefined, { hosts, links }: TraceHeader): void {
  if (host === undefined) return;
  const names = [...hosts.map((one) => one.name), ...links];
  if (names.includes(host)) return;
  const meant = nearestWord(host, names);
  throw new UsageError(`unknown host or link ${host}; ${meant === undefined ? `the trace has ${names.join(", ")}` : `did you mean ${meant}?`}`);
}
