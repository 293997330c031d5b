/**
 * The journal of a lab: everything that was done to it from outside, with the exact moment, as plain data. A run is decided by its scenario,
 * its seed and this list; that is how a lab is forked, sent to a worker, or put into a link.
 */

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

type WithoutPosition<A> = A extends LabAction ? Omit<A, keyof LabPosition> : never;

/** An action before it is known when. */
export type LabActionInit = WithoutPosition<LabAction>;

/** The part of a journal up to a time of the run, inclusive. */
export function journalUntil(journal: readonly LabAction[], timeNs: number): readonly LabAction[] {
  return journal.filter((action) => action.timeNs <= timeNs);
}
