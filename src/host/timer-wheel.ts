/**
 * When a kernel timer really fires: the timer wheel rounds up, the more the farther away the deadline is. At HZ=100 a timer of one second
 * comes 10 to 80 ms late. That decides ties which people see: a client's third SYN (after 3 s) still finds the unanswered ARP request open.
 *
 * Linux v6.1 kernel/time/timer.c (calc_index, calc_wheel_index).
 */

const LEVEL_BITS = 3;
const BUCKET_BITS = 6;
const LEVELS = 9;
/** From so many ticks on the next level is used. */
const LEVEL_ENDS = Array.from({ length: LEVELS - 1 }, (_, level) => (2 ** BUCKET_BITS - 1) * 2 ** (level * LEVEL_BITS));

/** The delay from `nowNs` until a timer that is set for `delayNs` fires. */
export function timerWheelDelay(nowNs: number, delayNs: number, hz: number): number {
  const tickNs = Math.trunc(1_000_000_000 / hz);
  const now = Math.floor(nowNs / tickNs);
  const ticks = Math.ceil(delayNs / tickNs);
  let level = 0;
  while (level < LEVELS - 1 && ticks >= (LEVEL_ENDS[level] as number)) level++;
  const granularity = 1 << (level * LEVEL_BITS);
  const end = now + ticks + granularity;
  // Rounded down to the granularity, a power of two.
  return (end - (end & (granularity - 1))) * tickNs - nowNs;
}
