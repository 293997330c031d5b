/**
 * A comparison as tables for a terminal, as CSV and as JSON.
 */

import { NS_PER_SECOND } from "../base/time.ts";
import type { Percentiles } from "../workload/samples.ts";
import type { ComparedScheduler, Comparison } from "./compare.ts";
import type { ServerFigures } from "./workload-figures.ts";

/** Digits that are kept in CSV and JSON: more than the figures are worth, fewer than a double has. */
const DIGITS = 9;
const NONE = "-";

/** Tables with a line a scheduler, then a line a server. */
export function formatComparison(comparison: Comparison): string {
  const { workload, schedulers, seed } = comparison;
  const arrived = schedulers[0]?.figures.arrived ?? 0;
  const head = `${workload.title}\n${arrived} connections in ${workload.durationNs / NS_PER_SECOND} s from ${workload.clients.count} clients to ${workload.servers.length} servers, seed ${seed}\n`;
  return [head, schedulerTable(schedulers), serverTable(comparison, "share of connections (weight asks for `due`)", { hasDue: true, cell: ({ share }) => percent(share) }), serverTable(comparison, "load (work given over work possible)", { hasDue: false, cell: ({ load }) => percent(load) })].join("\n");
}

function schedulerTable(schedulers: readonly ComparedScheduler[]): string {
  const isMeasured = schedulers.some(({ pickNs }) => pickNs !== undefined);
  const rows = [
    ["scheduler", "misplaced", "peak/mean", "wait p50", "p90", "p99", "max", "response p99", "affinity", "moved", "needless", "refused", "broken", "unfinished", ...(isMeasured ? ["ns/pick"] : [])],
    ...schedulers.map(({ label, figures, pickNs }) => [
      label,
      percent(figures.misplaced),
      figures.peakOverMean?.toFixed(2) ?? NONE,
      milliseconds(figures.wait.p50),
      milliseconds(figures.wait.p90),
      milliseconds(figures.wait.p99),
      milliseconds(figures.wait.max),
      milliseconds(figures.response.p99),
      percent(figures.affinity),
      percent(figures.disruption?.moved),
      percent(figures.disruption?.movedNeedlessly),
      String(figures.refused),
      String(figures.broken),
      String(figures.unfinished),
      ...(isMeasured ? [pickNs?.toFixed(0) ?? NONE] : []),
    ]),
  ];
  return table(rows);
}

function serverTable({ workload, schedulers }: Comparison, title: string, { hasDue, cell }: { readonly hasDue: boolean; cell(server: ServerFigures): string }): string {
  const rows = [
    ["server", ...(hasDue ? ["due"] : []), ...schedulers.map(({ label }) => label)],
    ...workload.servers.map(({ name }, index) => {
      const figures = schedulers.flatMap((scheduler) => scheduler.figures.servers[index] ?? []);
      return [name, ...(hasDue ? [percent(figures[0]?.expectedShare)] : []), ...figures.map((server) => cell(server))];
    }),
  ];
  return `${title}\n${table(rows)}`;
}

/** Columns as wide as their widest cell; the first is text, the others are numbers. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? "").length)));
  return rows.map((row) => `${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join("  ").trimEnd()}\n`).join("");
}

function percent(part: number | undefined): string {
  return part === undefined ? NONE : `${(part * 100).toFixed(1)}%`;
}

/** `0`, `12.3ms`, `1.25s`. */
function milliseconds(seconds: number): string {
  if (seconds === 0) return "0";
  if (seconds >= 1) return `${seconds.toFixed(2)}s`;
  return `${(seconds * 1000).toFixed(seconds >= 0.1 ? 0 : seconds >= 0.01 ? 1 : 2)}ms`;
}

/**
 * One row a figure: scheduler, server (empty: all), change (empty: the whole run), figure, value. Times are seconds, parts are 0 to 1.
 */
export function comparisonToCsv({ schedulers }: Comparison): string {
  const rows: (readonly (string | number | undefined)[])[] = [["scheduler", "server", "change", "figure", "value"]];
  for (const { label, figures, pickNs } of schedulers) {
    const add = (server: string, change: string, values: Readonly<Record<string, number | undefined>>) => {
      for (const [figure, value] of Object.entries(values)) if (value !== undefined) rows.push([label, server, change, figure, rounded(value)]);
    };
    const { arrived, served, refused, broken, unfinished, misplaced, peakOverMean, affinity, disruption } = figures;
    add("", "", { arrived, served, refused, broken, unfinished, misplaced, peakOverMean, affinity });
    add("", "", { ...timesOf("wait", figures.wait), ...timesOf("response", figures.response), moved: disruption?.moved, movedNeedlessly: disruption?.movedNeedlessly, pickNs });
    for (const { name, connections, share, expectedShare, workShare, load, meanOpen, peakOpen, wait } of figures.servers) {
      add(name, "", { connections, share, expectedShare, workShare, load, meanOpen, peakOpen, ...timesOf("wait", wait) });
    }
    for (const { atSeconds, change, clients, moved, movedNeedlessly } of figures.changes) add("", `${atSeconds} ${change}`, { clients, moved, movedNeedlessly });
  }
  return rows.map((row) => `${row.map((value) => csvCell(String(value))).join(",")}\n`).join("");
}

function timesOf(name: string, times: Percentiles): Record<string, number> {
  return Object.fromEntries(Object.entries(times).map(([key, value]) => [`${name}.${key}`, value as number]));
}

/** RFC 4180. */
function csvCell(text: string): string {
  return /[",\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}

/** What `--json` writes: title, seed, and for each scheduler its figures. Times are seconds. */
export function comparisonToJson({ workload, seed, schedulers }: Comparison): unknown {
  return roundAll({
    title: workload.title,
    seed,
    durationSeconds: workload.durationNs / NS_PER_SECOND,
    schedulers: schedulers.map(({ label, figures, pickNs }) => ({ scheduler: label, ...figures, ...(pickNs === undefined ? {} : { pickNs }) })),
  });
}

function roundAll(value: unknown): unknown {
  if (typeof value === "number") return rounded(value);
  if (Array.isArray(value)) return value.map(roundAll);
  if (typeof value === "object" && value !== null) return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, roundAll(inner)]));
  return value;
}

function rounded(value: number): number {
  return Number(value.toPrecision(DIGITS));
}
