/**
 * Tables, connections, lives of packets and outputs of commands.
 */

import { RecordWriter } from "../../../../src/trace/record-json.ts";
import { headerLine } from "../../../../src/trace/record-json.ts";
import type { TableRows } from "../../../../src/trace/rows.ts";
import { type RecordSummary, summarize } from "../describe.ts";
import type { Connection } from "../connections.ts";
import type { CommandOutput } from "../protocol.ts";
import type { Session } from "../session.ts";

/** The tables of one owner (a host, or `link/NAME`) at record `id`; undefined when the trace has none. */
export function tables(session: Session, { id, owner }: { readonly id: number; readonly owner: string }): TableRows | undefined {
  const { store } = session;
  if (!store.tables.hasTables) return undefined;
  return store.tables.afterRecord(store.lastRowsAfter(Math.max(id, 1)))[owner];
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

/** The trace as JSON Lines: the same bytes as the command line writes. */
export function traceFile(session: Session): Blob {
  const { format: _format, version: _version, ...header } = session.header;
  const writer = new RecordWriter();
  const parts: string[] = [];
  let text = `${headerLine(header)}\n`;
  for (const event of session.store.records) {
    text += `${writer.line(event)}\n`;
    if (text.length > 1_048_576) {
      parts.push(text);
      text = "";
    }
  }
  parts.push(text);
  return new Blob(parts, { type: "application/jsonl" });
}
