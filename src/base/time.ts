/**
 * Simulated time: integer nanoseconds since the start of the run, kept in a number (exact up to 104 days).
 */

export const NS_PER_US = 1_000;
export const NS_PER_MS = 1_000_000;
export const NS_PER_SECOND = 1_000_000_000;

const UNITS: Readonly<Record<string, number>> = { ns: 1, us: NS_PER_US, ms: NS_PER_MS, s: NS_PER_SECOND, m: 60 * NS_PER_SECOND, h: 3600 * NS_PER_SECOND };

/**
 * Parses `5s`, `1.5ms`, `20us`, `2m` or a bare number of seconds.
 * Returns nanoseconds, or undefined when the text is not a duration.
 */
export function parseDuration(text: string | number): number | undefined {
  if (typeof text === "number") return Number.isFinite(text) && text >= 0 ? Math.round(text * NS_PER_SECOND) : undefined;
  const match = /^\s*(\d+(?:\.\d*)?|\.\d+)\s*(ns|us|ms|s|m|h)?\s*$/.exec(text);
  if (match === null) return undefined;
  return Math.round(Number(match[1]) * (UNITS[match[2] ?? "s"] ?? NS_PER_SECOND));
}

/** Seconds with `digits` decimals, cut, not rounded: the text form of a time in outputs and traces. */
export function formatSeconds(timeNs: number, digits = 6): string {
  const scale = 10 ** (9 - digits);
  const units = Math.trunc(timeNs / scale);
  const perSecond = 10 ** digits;
  const whole = Math.trunc(units / perSecond);
  if (digits === 0) return String(whole);
  return `${whole}.${String(units % perSecond).padStart(digits, "0")}`;
}
