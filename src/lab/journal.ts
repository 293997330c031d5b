/**
 * The journal of a lab: everything that was done to it from outside, with the exact moment, as plain data. A run is decided by its scenario,
 * its seed and this list; that is how a lab is forked, sent to a worker, or put into a link.
 */

import * as v from "valibot";
import { LabError } from "./lab-error.ts";

/** A moment of a run: between two events. */
export interface LabPosition {
  /** Events that had fired since the start of the run, setup included. */
  readonly eventCount: number;
  /** Simulated nanoseconds since the start of the run, setup included, as in trace records. */
  readonly timeNs: number;
}

/** One thing done from outside. `terminal`: 0 is the first of its host. `command`: position in `lab.typed`. */
export type LabAction = LabPosition &
  (
    | { readonly verb: "type"; readonly host: string; readonly text: string; readonly timeoutNs?: number }
    | { readonly verb: "interrupt"; readonly command: number }
    | { readonly verb: "open-terminal"; readonly host: string; readonly terminal: number }
    | { readonly verb: "type-line"; readonly host: string; readonly terminal: number; readonly text: string }
    | { readonly verb: "interrupt-line"; readonly host: string; readonly terminal: number }
    | { readonly verb: "down" | "up"; readonly host: string; readonly interface?: string }
    | { readonly verb: "crash"; readonly host: string }
  );

/** Actions that a journal may have. */
const ACTIONS_MAX = 100_000;
export const TERMINALS_MAX = 100;
const TEXT_CHARS_MAX = 1_048_576;

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const moment = { eventCount: count, timeNs: count };
const text = v.pipe(v.string(), v.maxLength(TEXT_CHARS_MAX));
const terminal = v.pipe(count, v.maxValue(TERMINALS_MAX - 1));

const actionSchema = v.variant("verb", [
  v.strictObject({ ...moment, verb: v.literal("type"), host: text, text, timeoutNs: v.optional(count) }),
  v.strictObject({ ...moment, verb: v.literal("interrupt"), command: count }),
  v.strictObject({ ...moment, verb: v.literal("open-terminal"), host: text, terminal }),
  v.strictObject({ ...moment, verb: v.literal("type-line"), host: text, terminal, text }),
  v.strictObject({ ...moment, verb: v.literal("interrupt-line"), host: text, terminal }),
  v.strictObject({ ...moment, verb: v.picklist(["down", "up"]), host: text, interface: v.optional(text) }),
  v.strictObject({ ...moment, verb: v.literal("crash"), host: text }),
]);
const journalSchema = v.pipe(v.array(actionSchema), v.maxLength(ACTIONS_MAX));

/** A journal that came from elsewhere, perhaps from a stranger. Throws a LabError when it is none. */
export function checkJournal(journal: unknown): readonly LabAction[] {
  const parsed = v.safeParse(journalSchema, journal);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const path = (issue.path ?? []).map(({ key }) => (typeof key === "number" ? `[${key}]` : `.${String(key)}`)).join("");
  throw new LabError(`journal${path}: ${issue.message}; give what another lab's journal held`);
}

type WithoutPosition<A> = A extends LabAction ? Omit<A, keyof LabPosition> : never;

/** An action before it is known when. */
export type LabActionInit = WithoutPosition<LabAction>;

/** The part of a journal up to a time of the run, inclusive. */
export function journalUntil(journal: readonly LabAction[], timeNs: number): readonly LabAction[] {
  return journal.filter((action) => action.timeNs <= timeNs);
}
