/**
 * What the doctor says: one thing that is wrong, with its reason and its cure.
 */

import type { Evidence } from "./evidence.ts";

export interface Finding {
  /** One of the names that docs/WHY.md lists. */
  readonly id: string;
  /** Where the fault is, and where it is mended. */
  readonly host: string;
  /** One line. */
  readonly title: string;
  /** What the kernel did and the values that decided it. */
  readonly why: string;
  readonly fix: string;
  /** Ids of records that show it, oldest first; at most 20. */
  readonly events: readonly number[];
}

/** Looks for one kind of fault. Finds nothing where all is well. */
export type Check = (evidence: Evidence) => Finding[];

export const EVENTS_MAX = 20;

/** Findings of one kind, one for each host and subject however often it shows. */
export class FindingList {
  readonly #found = new Map<string, Finding & { readonly events: number[] }>();

  /** `subject`: what besides the host tells two findings of a kind apart. */
  add(finding: Omit<Finding, "events">, event: number | readonly number[], subject = ""): void {
    const key = `${finding.id} ${finding.host} ${subject}`;
    const known = this.#found.get(key);
    const events = typeof event === "number" ? [event] : [...new Set(event)];
    if (known === undefined) this.#found.set(key, { ...finding, events: events.slice(0, EVENTS_MAX) });
    else for (const id of events) if (known.events.length < EVENTS_MAX && !known.events.includes(id)) known.events.push(id);
  }

  get list(): Finding[] {
    return [...this.#found.values()].map((one) => ({ ...one, events: one.events.toSorted((a, b) => a - b) }));
  }
}
