/**
 * A result for people: one line a figure, with the target where there is one.
 */

import type { Bench, BenchResult } from "./benches.ts";

export function formatResult(bench: Bench, result: BenchResult): string {
  const lines = [`${bench.name}: ${bench.title}`];
  for (const [name, value] of Object.entries(result)) {
    if (name === "bench" || name === "targets") continue;
    if (Array.isArray(value)) lines.push(...formatRows(name, value as readonly Readonly<Record<string, number | string>>[]));
    else lines.push(`  ${name.padEnd(24)} ${String(value)}`);
  }
  for (const { what, wanted, value, isMet } of result.targets ?? []) lines.push(`  ${isMet ? "met   " : "MISSED"} ${what}: ${value}, wanted ${wanted}`);
  return `${lines.join("\n")}\n`;
}

function formatRows(name: string, rows: readonly Readonly<Record<string, number | string>>[]): string[] {
  const columns = [...new Set(rows.flatMap((row) => Object.keys(row)))];
  const cells = [columns, ...rows.map((row) => columns.map((column) => String(row[column] ?? "")))];
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => (row[i] as string).length)));
  return [`  ${name}`, ...cells.map((row) => `    ${row.map((cell, i) => cell.padStart(widths[i] as number)).join("  ")}`)];
}
