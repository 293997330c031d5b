/**
 * A server as text: 10.0.0.1:80.
 */
import type { SchedulerDest } from "./scheduler.ts";

/** `10.0.0.1:80` */
export function formatDest({ address, port }: Pick<SchedulerDest, "address" | "port">): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}:${port}`;
}
