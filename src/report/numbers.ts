/**
 * Times, bytes and shares in a few characters.
 */

import { formatSeconds } from "../base/time.ts";

/** `-0.260000`, `2.030056`. */
export function seconds(timeNs: number): string {
  return `${timeNs < 0 ? "-" : ""}${formatSeconds(Math.abs(timeNs))}`;
}

/** `1.5 kB`, `320 B`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const [unit, name] = bytes < 1e6 ? [1e3, "kB"] : bytes < 1e9 ? [1e6, "MB"] : [1e9, "GB"];
  return `${Number((bytes / unit).toPrecision(3))} ${name}`;
}

/** `67 %`; a dash for what is no number. */
export function formatShare(share: number): string {
  return Number.isNaN(share) ? "—" : `${Math.round(share * 100)} %`;
}

/** `1,234,567`. */
export function grouped(count: number): string {
  return String(count).replace(/\B(?=(?:\d{3})+$)/g, ",");
}
