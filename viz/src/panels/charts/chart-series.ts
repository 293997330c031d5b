/**
 * From counts to what is drawn: shares of connections and of weight, one style a server.
 */

import type { ServerSeries } from "../../engine/queries/charts.ts";

export interface ShareSeries {
  readonly server: string;
  /** Share of all connections until each bin, 0 to 1; NaN before the first. */
  readonly got: readonly number[];
  /** Share of the weights in each bin; NaN when all are 0. */
  readonly asked: readonly number[];
}

export function sharesOf(servers: readonly ServerSeries[], bins: number): readonly ShareSeries[] {
  const picks = sums(servers.map((one) => one.picks), bins);
  const weights = sums(servers.map((one) => one.weight), bins);
  return servers.map((one) => ({ server: one.server, got: shares(one.picks, picks), asked: shares(one.weight, weights) }));
}

function sums(of: readonly ArrayLike<number>[], bins: number): readonly number[] {
  return Array.from({ length: bins }, (_, bin) => of.reduce((sum, values) => sum + (values[bin] ?? 0), 0));
}

function shares(values: ArrayLike<number>, total: readonly number[]): readonly number[] {
  return total.map((sum, bin) => (sum === 0 ? Number.NaN : (values[bin] ?? 0) / sum));
}

/** Colours after Okabe and Ito; beyond them they repeat, and the sign at the line's end tells servers apart. */
const COLOURS = ["--tcp", "--arp", "--udp", "--icmp", "--tunnel", "--bad", "--vrrp"] as const;
const SIGNS = [
  "M-5,-5H5V5H-5Z",
  "M0,-6L6,0L0,6L-6,0Z",
  "M0,-6L6,5H-6Z",
  "M0,-5A5,5 0 1 1 -0.01,-5Z",
  "M0,6L6,-5H-6Z",
  "M-6,-2H-2V-6H2V-2H6V2H2V6H-2V2H-6Z",
  "M-3,-6H3L6,0L3,6H-3L-6,0Z",
  "M-6,-3H6V3H-6Z",
] as const;

export interface ServerStyle {
  readonly colour: string;
  readonly sign: string;
}

export function styleOf(index: number): ServerStyle {
  return { colour: `var(${COLOURS[index % COLOURS.length]})`, sign: SIGNS[index % SIGNS.length] as string };
}

/** `1.5 kB`, `320 B`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const [unit, name] = bytes < 1e6 ? [1e3, "kB"] : [1e6, "MB"];
  return `${Number((bytes / unit).toPrecision(3))} ${name}`;
}

export function formatShare(share: number): string {
  return Number.isNaN(share) ? "—" : `${Math.round(share * 100)} %`;
}

/** The bin of a time. */
export function binAt(timeNs: number, fromNs: number, toNs: number, bins: number): number {
  return Math.max(0, Math.min(bins - 1, Math.floor(((timeNs - fromNs) / (toNs - fromNs)) * bins)));
}
