/**
 * Numbers for people.
 */

import { formatSeconds } from "../../../src/base/time.ts";

/** Seconds since the timeline's start with six digits: `2.290034`. */
export function formatTime(timeNs: number): string {
  const rounded = Math.round(timeNs);
  return rounded < 0 ? `-${formatSeconds(-rounded)}` : formatSeconds(rounded);
}
