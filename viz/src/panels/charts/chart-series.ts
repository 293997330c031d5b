/**
 * How servers are drawn: one style each; and the bin of a time.
 */

import { LINE_SIGNS } from "../../../../src/report/line-signs.ts";

/** Colours after Okabe and Ito; beyond them they repeat, and the sign at the line's end tells servers apart. */
const COLOURS = ["--tcp", "--arp", "--udp", "--icmp", "--tunnel", "--bad", "--vrrp"] as const;

export interface ServerStyle {
  readonly colour: string;
  readonly sign: string;
}

export function styleOf(index: number): ServerStyle {
  return { colour: `var(${COLOURS[index % COLOURS.length]})`, sign: LINE_SIGNS[index % LINE_SIGNS.length] as string };
}

/** The bin of a time. */
export function binAt(timeNs: number, fromNs: number, toNs: number, bins: number): number {
  return Math.max(0, Math.min(bins - 1, Math.floor(((timeNs - fromNs) / (toNs - fromNs)) * bins)));
}
