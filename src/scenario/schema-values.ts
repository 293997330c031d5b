/**
 * Pieces that the schemas of scenario and workload files share: values with a unit and bounds, and the form of their messages.
 */

import * as v from "valibot";
import { NS_PER_SECOND, parseDuration } from "../base/time.ts";

/** No run lasts longer: keeps every time exact in a number, with room. */
export const DURATION_SECONDS_MAX = 30 * 24 * 3600;

/** The schema gives each message as `what is wrong|what to do`. */
export const text = (what: string, remedy: string) => v.string(`${what} must be a text|${remedy}`);
export const object = (what: string, remedy: string) => `${what} must be a mapping|${remedy}`;

export const durationNs = (what: string) =>
  v.pipe(
    v.union([v.string(), v.number()], `${what} must be a time|write 500us, 20ms, 1.5s, 2m or a number of seconds`),
    v.check((value) => parseDuration(value) !== undefined, `${what} is not a time|write 500us, 20ms, 1.5s, 2m or a number of seconds`),
    v.check((value) => (parseDuration(value) ?? 0) <= DURATION_SECONDS_MAX * NS_PER_SECOND, `${what} is longer than 30 days|choose less`),
    v.transform((value) => parseDuration(value) ?? 0),
  );

/** A time above 0. */
export const positiveNs = (what: string, remedy: string) => v.pipe(durationNs(what), v.minValue(1, `${what} must be above 0|${remedy}`));

/** A number from `least` to `most`. */
export const number = (what: string, least: number, most: number, remedy: string) =>
  v.pipe(v.number(`${what} must be a number|${remedy}`), v.minValue(least, `${what} is below ${least}|${remedy}`), v.maxValue(most, `${what} is above ${most}|${remedy}`));

/** A whole number from `least` to `most`. */
export const integer = (what: string, least: number, most: number, remedy: string) => v.pipe(number(what, least, most, remedy), v.integer(`${what} must be a whole number|${remedy}`));
