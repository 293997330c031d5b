/**
 * How servers are drawn: one style each; and the bin of a time.
 */

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

/** The bin of a time. */
export function binAt(timeNs: number, fromNs: number, toNs: number, bins: number): number {
  return Math.max(0, Math.min(bins - 1, Math.floor(((timeNs - fromNs) / (toNs - fromNs)) * bins)));
}
