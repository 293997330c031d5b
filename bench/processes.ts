/**
 * Runs programs one after the other and reads the line of JSON that each prints last.
 */

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Places } from "./main.ts";

/** What a workload or a peer prints. */
export type Report = Readonly<Record<string, number | string>>;

/** So that a program can collect garbage between its runs, and a million connections have room. */
const NODE_OPTIONS = ["--expose-gc", "--max-old-space-size=4096"];
const TIMEOUT_MS = 900_000;

export class Processes {
  readonly #places: Places;

  constructor(places: Places) {
    this.#places = places;
  }

  get places(): Places {
    return this.#places;
  }

  /** One of bench/workloads in a fresh Node. */
  workload(name: string, options: Readonly<Record<string, string | number>>): Report {
    return this.script(join(this.#places.output, "workloads", `${name}.mjs`), options);
  }

  /** A program in JavaScript: ours or a peer's. */
  script(path: string, options: Readonly<Record<string, string | number>>): Report {
    return this.run(process.execPath, [...NODE_OPTIONS, path, ...words(options)]);
  }

  run(program: string, args: readonly string[]): Report {
    const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8", timeout: TIMEOUT_MS, maxBuffer: 1 << 26 });
    if (error !== undefined || status !== 0) throw new Error(`${program} ${args.join(" ")}: ${error?.message ?? `exit ${status}`}\n${stderr}`);
    return JSON.parse(stdout.trim().split("\n").at(-1) ?? "") as Report;
  }

  exists(path: string): boolean {
    return existsSync(path);
  }
}

export function words(options: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(options).map(([name, value]) => `--${name}=${value}`);
}

/** A number of a report. */
export function figure(report: Report, name: string): number {
  const value = report[name];
  if (typeof value !== "number" || !Number.isFinite(value)) throw new Error(`${report.program ?? "the program"} reports no ${name}`);
  return value;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle];
  if (high === undefined) throw new Error("no values have no median");
  return sorted.length % 2 === 1 ? high : (high + (sorted[middle - 1] as number)) / 2;
}

/** Runs each of several programs so many times, in turn, and gives the median of one figure for each. */
export function medianInTurn<Name extends string>(rounds: number, programs: Readonly<Partial<Record<Name, () => Report>>>, name: string): Partial<Record<Name, number>> {
  const values: Record<string, number[]> = {};
  for (let round = 0; round < rounds; round++)
    for (const [program, run] of Object.entries(programs) as [Name, (() => Report) | undefined][]) {
      if (run === undefined) continue;
      const list = values[program] ?? [];
      list.push(figure(run(), name));
      values[program] = list;
    }
  return Object.fromEntries(Object.entries(values).map(([program, list]) => [program, median(list)])) as Partial<Record<Name, number>>;
}

/** Four significant digits: more would be noise. */
export function rounded(value: number): number {
  return Number(value.toPrecision(4));
}
