/**
 * Numbers for people.
 */

import { formatSeconds } from "../../../src/base/time.ts";

/** Seconds since the timeline's start with six digits: `2.290034`. */
export function formatTime(timeNs: number): string {
  const rounded = Math.round(timeNs);
  return rounded < 0 ? `-${formatSeconds(-rounded)}` : formatSeconds(rounded);
}

/** `1.2 s`, `35 ms`, `80 µs`. */
export function formatDuration(durationNs: number): string {
  const [unit, name] = durationNs >= 1e9 ? [1e9, "s"] : durationNs >= 1e6 ? [1e6, "ms"] : durationNs >= 1e3 ? [1e3, "µs"] : [1, "ns"];
  return `${Number((durationNs / unit).toPrecision(3))} ${name}`;
}
