/**
 * The mistakes of a program that drives a lab, in one sentence with the remedy. Mistakes in a topology are a ScenarioError, as in a file.
 */

import { parseDuration } from "../base/time.ts";
import { nearestWord } from "../scenario/suggest.ts";

/** A lab was asked for something that it cannot do: an unknown host, a time that is none, a host added after the start. */
export class LabError extends Error {
  override readonly name = "LabError";
}

/** `500us`, `20ms`, `1.5s`, `2m`, or a bare number of seconds, as in scenario files. */
export type LabTime = string | number;

/** Nanoseconds of a time; `what` names it in the error. */
export function durationNs(time: LabTime, what: string): number {
  const ns = parseDuration(time);
  if (ns === undefined || !Number.isSafeInteger(ns))
    throw new LabError(`${what} ${JSON.stringify(time)} is not a time; write "500us", "20ms", "1.5s", "2m" or a number of seconds`);
  return ns;
}

/** `there is no WHAT NAME; did you mean ...?` */
export function unknownName(what: string, name: string, known: readonly string[]): LabError {
  const meant = nearestWord(name, known);
  const list = known.length === 0 ? "there is none yet" : `there are ${known.slice(0, 8).join(", ")}${known.length > 8 ? ", ..." : ""}`;
  return new LabError(`there is no ${what} ${JSON.stringify(name)}; ${meant === undefined ? list : `did you mean ${JSON.stringify(meant)}?`}`);
}
