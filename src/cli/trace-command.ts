/**
 * `lvsim trace`: what a trace holds, as lines, counts, tables and files of other formats.
 */

import { formatSeconds } from "../base/time.ts";
import { describeRecord, placeOf } from "../trace/describe.ts";
import type { TraceEvent, TraceKind } from "../trace/events.ts";
import { type RecordFilter, RecordMatcher } from "../trace/filter.ts";
import { CauseIndex, EffectWalk, PacketLife } from "../trace/life.ts";
import { RecordLines } from "../trace/jsonl.ts";
import { headerLine, type TraceHeader } from "../trace/trace-header.ts";
import { TraceStatistics } from "../trace/statistics.ts";
import { EXIT_UNMET, UsageError } from "./failure.ts";
import { OutputFiles } from "./files.ts";
import { checkFilter, type FilterOptions, readFilter } from "./trace-filter.ts";
import { readTraceFile, type TraceOutputOptions, TraceOutputs } from "./trace-file.ts";

export interface ListOptions extends FilterOptions {
  readonly cause?: number;
  readonly life?: number;
  readonly effects?: number;
  readonly json?: boolean;
  readonly whole?: boolean;
}

/** Rows are most of a full trace and are read by `trace tables`; they are listed when asked for by kind. */
const HIDDEN_KINDS: ReadonlySet<string> = new Set(["rows", "keyframe"]);

/** `trace cat` and `trace grep`: records as lines. `isSearch`: finding nothing is exit status 1. */
export async function listCommand(file: string, options: ListOptions, isSearch: boolean): Promise<void> {
  const filter = readFilter(options);
  const walks = [options.cause, options.life, options.effects].filter((id) => id !== undefined).length;
  if (walks > 1) throw new UsageError("choose one of --cause, --life and --effects");
  if (isSearch && walks === 0 && Object.keys(filter).length === 0) throw new UsageError("trace grep: say what to look for, as in --host rs1 or --reason IP_RPFILTER; trace cat prints everything");
  const printer = new RecordPrinter(options, filter.kinds === undefined && options.json !== true);
  const matcher = new RecordMatcher(filter);
  const walk = await startWalk(file, options);
  await readTraceFile(file, {
    onHeader: (header) => {
      checkFilter(filter, header);
      printer.header(header);
    },
    onEvent: (event) => {
      printer.see(event);
      // Both want to see every record.
      const isMatch = matcher.matches(event);
      if (walk(event) && isMatch) printer.print(event);
    },
  });
  printer.flush();
  if (isSearch && printer.count === 0) process.exitCode = EXIT_UNMET;
}

/** Which records a walk along causes takes in; all of them without one. */
async function startWalk(file: string, { cause, life, effects }: ListOptions): Promise<(event: TraceEvent) => boolean> {
  const id = cause ?? life ?? effects;
  if (id === undefined) return () => true;
  if (file === "-") throw new UsageError("--cause, --life and --effects read the trace more than once: give a file");
  const index = new CauseIndex();
  await readTraceFile(file, { onEvent: (event) => index.write(event) });
  if (id > index.lastId) throw new UsageError(`${file}: there is no record ${id}, the last is ${index.lastId}`);
  if (effects !== undefined) {
    const walk = new EffectWalk(effects);
    return (event) => walk.matches(event);
  }
  const chain = index.chain(id);
  if (cause !== undefined) {
    const ids = new Set(chain);
    return (event) => ids.has(event.id);
  }
  const packetLife = new PacketLife(id, chain);
  await readTraceFile(file, { onEvent: (event) => packetLife.write(event) });
  const ids = new Set(packetLife.events.map((event) => event.id));
  return (event) => ids.has(event.id);
}

const CHUNK_CHARS = 65_536;

/** `1.030022688  #62 <45  client.eth0  > ...`: time, record, its cause, place, what happened. Or a trace again. */
class RecordPrinter {
  count = 0;
  readonly #isJson: boolean;
  readonly #hidesRows: boolean;
  readonly #lines: RecordLines;
  #placeWidth = 0;
  #originNs = 0;
  #text = "";

  constructor(options: { readonly json?: boolean; readonly whole?: boolean }, hidesRows: boolean) {
    this.#isJson = options.json === true;
    if (options.whole === true && !this.#isJson) throw new UsageError("--whole is for records as JSON: give --json, too");
    this.#lines = new RecordLines({ isWhole: options.whole === true });
    this.#hidesRows = hidesRows;
  }

  header(header: TraceHeader): void {
    const names = header.hosts.flatMap(({ name, interfaces }) => [name, ...interfaces.map((one) => `${name}.${one.name}`)]);
    this.#placeWidth = Math.max(0, ...names.map((name) => name.length));
    const { format: _format, version: _version, ...rest } = header;
    if (this.#isJson) this.#text += `${headerLine(rest)}\n`;
  }

  see(event: TraceEvent): void {
    if (event.kind === "origin") this.#originNs = event.timeNs;
  }

  print(event: TraceEvent): void {
    if (this.#hidesRows && HIDDEN_KINDS.has(event.kind)) return;
    this.count++;
    this.#text += this.#isJson ? this.#lines.next(event) : this.#line(event);
    if (this.#text.length >= CHUNK_CHARS) this.flush();
  }

  flush(): void {
    process.stdout.write(this.#text);
    this.#text = "";
  }

  /** Before the origin is known, times count from the start of the run. */
  #line(event: TraceEvent): string {
    const time = formatSeconds(event.timeNs - this.#originNs, 9).padStart(14);
    const cause = event.cause === 0 ? "" : `<${event.cause}`;
    return `${time}  ${`#${event.id}`.padStart(7)} ${cause.padEnd(8)} ${placeOf(event).padEnd(this.#placeWidth)}  ${describeRecord(event)}\n`;
  }
}

/* ------------------------------------------------------------------------------------------------------------------ stat */

export async function statCommand(file: string): Promise<void> {
  let header: TraceHeader | undefined;
  let statistics: TraceStatistics | undefined;
  await readTraceFile(file, {
    onHeader: (read) => {
      header = read;
      statistics = new TraceStatistics(read);
    },
    onEvent: (event) => statistics?.write(event),
  });
  if (header === undefined || statistics === undefined) return;
  const { level, seed, title } = header;
  process.stdout.write(`${title}\nlevel ${level}, seed ${seed}, ${statistics.records} records, timeline to ${formatSeconds(statistics.endNs)} s\n`);
  printCounts("records by kind", statistics.byKind);
  printCounts("records by host", statistics.byHost);
  printCounts("drops", statistics.drops);
  printTable(
    "links",
    [...statistics.links].map(([link, { frames, bytes, lost }]) => ({ link, frames, bytes, lost })),
  );
  const servers = [...statistics.connections].flatMap(([service, of]) => [...of].map(([server, connections]) => ({ service, server, connections })));
  printTable("connections by server", servers);
}

function printCounts(title: string, counts: ReadonlyMap<string, number>): void {
  const rows = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  if (rows.length === 0) return;
  const width = String(rows[0]?.[1] ?? 0).length;
  process.stdout.write(`\n${title}\n${rows.map(([name, count]) => `  ${String(count).padStart(width)}  ${name}\n`).join("")}`);
}

/** Columns as wide as what is in them. */
export function printTable(title: string, rows: readonly Readonly<Record<string, unknown>>[]): void {
  const [first] = rows;
  if (first === undefined) return;
  const columns = Object.keys(first);
  const cells = [columns, ...rows.map((row) => columns.map((column) => cellText(row[column])))];
  const widths = columns.map((_, index) => Math.max(...cells.map((row) => (row[index] ?? "").length)));
  const lines = cells.map((row) => `  ${row.map((cell, index) => cell.padEnd(widths[index] ?? 0)).join("  ")}`.trimEnd());
  process.stdout.write(`\n${title}\n${lines.join("\n")}\n`);
}

function cellText(value: unknown): string {
  if (value === null || value === undefined) return "-";
  if (typeof value === "boolean") return value ? "yes" : "no";
  return value === "" ? '""' : String(value);
}

/* ---------------------------------------------------------------------------------------------------------------- export */

export async function exportCommand(file: string, options: TraceOutputOptions & FilterOptions): Promise<void> {
  const { jsonl, pcap, pcapng, csv, text, ...rest } = options;
  if ([jsonl, pcap, pcapng, csv, text].every((path) => path === undefined)) throw new UsageError("trace export: say where to, as in --pcapng all.pcapng");
  const filter: RecordFilter = readFilter(rest);
  const matcher = new RecordMatcher(filter);
  const files = new OutputFiles();
  let outputs: TraceOutputs | undefined;
  try {
    await readTraceFile(file, {
      onHeader: (header) => {
        checkFilter(filter, header);
        checkLevel(file, header, options);
        const { format: _format, version: _version, ...init } = header;
        outputs = new TraceOutputs(init, options, files);
      },
      onEvent: (event) => {
        // Whatever is left out, times count from the origin.
        if (matcher.matches(event) || event.kind === "origin") for (const sink of outputs?.sinks ?? []) sink.write(event);
      },
    });
    outputs?.finish();
    files.commit();
  } catch (error) {
    files.discard();
    throw error;
  }
}

function checkLevel(file: string, { level }: TraceHeader, { csv }: TraceOutputOptions): void {
  if (csv !== undefined && level === "frames") throw new UsageError(`${file}: a trace of level frames has no connections and choices; write it with --trace-level packets or full`);
}

/** Kinds that `trace tables` reads. */
export const TABLE_KINDS: ReadonlySet<TraceKind> = new Set(["rows", "keyframe", "origin"]);
