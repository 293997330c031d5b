/**
 * Two runs against each other: where they part, and what each host did in both.
 */

import { describeRecord, type RecordSummary, summarize } from "../describe.ts";
import { FRAME_SENT, type RecordStore } from "../record-store.ts";
import type { Session } from "../session.ts";

export interface HostDifference {
  readonly host: string;
  /** Frames sent, and packets and frames dropped, in this run and in the other. */
  readonly frames: readonly [number, number];
  readonly drops: readonly [number, number];
}

export interface Comparison {
  /** The first records that are not the same, in this run and the other; undefined in a run that has ended by then. Both undefined: equal. */
  readonly first: readonly [RecordSummary | undefined, RecordSummary | undefined];
  /** Time of the timeline, in simulated nanoseconds since its start; undefined: the runs are equal. */
  readonly partNs: number | undefined;
  readonly hosts: readonly HostDifference[];
}

/** `other` is the number of another open session. Times count from each run's own start of the timeline. */
export function compare(session: Session, { other }: { readonly other: number }, lookUp: (id: number) => Session): Comparison {
  const [a, b] = [session.store, lookUp(other).store];
  let [idA, idB] = [a.nextShown(a.countBefore(a.originNs), 1), b.nextShown(b.countBefore(b.originNs), 1)];
  while (idA !== undefined && idB !== undefined && isSame(a, idA, b, idB)) [idA, idB] = [a.nextShown(idA, 1), b.nextShown(idB, 1)];
  const times = [idA === undefined ? undefined : (a.timesNs[idA - 1] as number) - a.originNs, idB === undefined ? undefined : (b.timesNs[idB - 1] as number) - b.originNs];
  const known = times.filter((time) => time !== undefined);
  return {
    first: [idA === undefined ? undefined : summarize(a, idA), idB === undefined ? undefined : summarize(b, idB)],
    partNs: known.length === 0 ? undefined : Math.min(...known),
    hosts: hostDifferences(a, b),
  };
}

function isSame(a: RecordStore, idA: number, b: RecordStore, idB: number): boolean {
  const [one, two] = [a.record(idA), b.record(idB)];
  if (one === undefined || two === undefined) return false;
  return one.kind === two.kind && one.host === two.host && one.timeNs - a.originNs === two.timeNs - b.originNs && describeRecord(one) === describeRecord(two);
}

function hostDifferences(a: RecordStore, b: RecordStore): HostDifference[] {
  const [countsA, countsB] = [countsOf(a), countsOf(b)];
  const hosts = [...new Set([...countsA.keys(), ...countsB.keys()])].sort();
  return hosts.map((host) => {
    const [one, two] = [countsA.get(host), countsB.get(host)];
    return { host, frames: [one?.frames ?? 0, two?.frames ?? 0], drops: [one?.drops ?? 0, two?.drops ?? 0] };
  });
}

function countsOf(store: RecordStore): Map<string, { frames: number; drops: number }> {
  const counts = new Map<string, { frames: number; drops: number }>();
  for (const event of store.records) {
    const isFrame = store.kinds[event.id - 1] === FRAME_SENT;
    const isDrop = (event.kind === "packet-dropped" || event.kind === "frame-dropped") && event.reason !== "OTHERHOST";
    if (!isFrame && !isDrop) continue;
    let count = counts.get(event.host);
    if (count === undefined) {
      count = { frames: 0, drops: 0 };
      counts.set(event.host, count);
    }
    if (isFrame) count.frames++;
    else count.drops++;
  }
  return counts;
}
