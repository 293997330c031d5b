/**
 * The records of one run, in memory of the worker, with what is asked of them again and again in typed arrays: time, kind, cause, the
 * packet and the connection that each belongs to, and when the last copy of a frame arrived.
 *
 * A packet's life is named by the id of its first record: a record belongs to the same packet as its cause when both carry the same
 * innermost packet, addresses and TTL aside, or when it only tells of a decision about it.
 */

import type { TraceEvent, TraceKind } from "../../../src/trace/events.ts";
import { TableTimeline } from "../../../src/trace/table-timeline.ts";
import type { TraceSink } from "../../../src/trace/tracer.ts";
import { ConnectionIndex } from "./connections.ts";
import type { FramePayload } from "../../../src/wire/packet.ts";
import { carriedOf, isSamePacket } from "./packet-token.ts";

/** A number for each kind, so that kinds fit into bytes. */
const KIND_NUMBERS: Readonly<Record<TraceKind, number>> = {
  "frame-sent": 0,
  "frame-received": 1,
  "frame-dropped": 2,
  "packet-dropped": 3,
  "packet-passed": 4,
  "packet-rewritten": 5,
  "packet-encapsulated": 6,
  "packet-decapsulated": 7,
  neighbour: 8,
  "arp-decision": 9,
  route: 10,
  netfilter: 11,
  scheduled: 12,
  "ipvs-connection": 13,
  "tcp-state": 14,
  sysctl: 15,
  table: 16,
  "command-start": 17,
  "command-end": 18,
  link: 19,
  log: 20,
  origin: 21,
  rows: 22,
  keyframe: 23,
  fault: 24,
};

export const FRAME_SENT = KIND_NUMBERS["frame-sent"];
const ROWS = KIND_NUMBERS.rows;
const KEYFRAME = KIND_NUMBERS.keyframe;
/** Records without a packet of their own that tell of the packet that caused them. */
const DECISIONS: ReadonlySet<TraceKind> = new Set<TraceKind>(["route", "scheduled", "ipvs-connection", "arp-decision", "netfilter", "tcp-state", "neighbour"]);

const CAPACITY_FIRST = 16_384;

/** A trace whose ids are not 1, 2, 3, ... */
export class RecordOrderError extends Error {}

export class RecordStore implements TraceSink {
  /** Record `id` is at `id - 1`. */
  readonly records: TraceEvent[] = [];
  readonly tables = new TableTimeline();
  readonly connections = new ConnectionIndex();
  timesNs = new Float64Array(CAPACITY_FIRST);
  kinds = new Uint8Array(CAPACITY_FIRST);
  causes = new Uint32Array(CAPACITY_FIRST);
  /** Id of the first record of the packet's life, 0: no packet. */
  packets = new Uint32Array(CAPACITY_FIRST);
  /** Number of the connection, 0: none; see `connectionOf`. */
  #connectionNumbers = new Uint32Array(CAPACITY_FIRST);
  /** For frame-sent: id of the last record in which a copy of it arrived or died, 0: none. */
  settledIds = new Uint32Array(CAPACITY_FIRST);
  #childStarts: Uint32Array | undefined;
  #children: Uint32Array | undefined;
  /** Simulated time at which the timeline started. */
  originNs = 0;

  get count(): number {
    return this.records.length;
  }

  get endNs(): number {
    return this.count === 0 ? 0 : (this.timesNs[this.count - 1] as number);
  }

  record(id: number): TraceEvent | undefined {
    return this.records[id - 1];
  }

  write(event: TraceEvent): void {
    const at = this.records.length;
    if (event.id !== at + 1) throw new RecordOrderError(`record ${event.id} stands where record ${at + 1} is expected: is a part of the trace missing?`);
    if (at === this.timesNs.length) this.#grow();
    this.records.push(event);
    this.timesNs[at] = event.timeNs;
    this.kinds[at] = KIND_NUMBERS[event.kind];
    this.causes[at] = event.cause < event.id ? event.cause : 0;
    if (event.kind === "origin") this.originNs = event.timeNs;
    if ((event.kind === "frame-received" || event.kind === "frame-dropped") && event.cause > 0 && this.kinds[event.cause - 1] === FRAME_SENT)
      this.settledIds[event.cause - 1] = event.id;
    this.tables.add(event);
    this.#identify(event, at);
    this.#childStarts = undefined;
  }

  /** Connection of record `id`, a number from 1; 0: none. */
  connectionOf(id: number): number {
    const number = this.#connectionNumbers[id - 1];
    return number === undefined || number === 0 ? 0 : this.connections.root(number);
  }

  /** True when people step to it: rows and keyframes only carry tables. */
  isShown(id: number): boolean {
    const kind = this.kinds[id - 1];
    return kind !== undefined && id <= this.count && kind !== ROWS && kind !== KEYFRAME;
  }

  /** The first shown record after `id` (before it when `direction` is -1); undefined when there is none. */
  nextShown(id: number, direction: 1 | -1): number | undefined {
    for (let next = id + direction; next >= 1 && next <= this.count; next += direction) if (this.isShown(next)) return next;
    return undefined;
  }

  /** Tables at a record are those after the rows that follow it at once. */
  lastRowsAfter(id: number): number {
    let last = id;
    while (last < this.count && !this.isShown(last + 1) && this.timesNs[last] === this.timesNs[Math.max(id - 1, 0)]) last++;
    return last;
  }

  /** Id of the last shown record at or before a time; 0 when there is none. */
  lastAt(timeNs: number): number {
    const count = this.countBefore(timeNs, true);
    return this.isShown(count) ? count : (this.nextShown(count, -1) ?? 0);
  }

  /** How many records are before a time, or at it too. */
  countBefore(timeNs: number, isInclusive = false): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const at = this.timesNs[middle] as number;
      if (at < timeNs || (isInclusive && at === timeNs)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Ids of the records that name record `id` as their cause, in order. */
  childrenOf(id: number): Uint32Array {
    if (this.#childStarts === undefined || this.#children === undefined) this.#indexChildren();
    const starts = this.#childStarts as Uint32Array;
    return (this.#children as Uint32Array).subarray(starts[id] as number, starts[id + 1] as number);
  }

  #indexChildren(): void {
    const { count, causes } = this;
    const starts = new Uint32Array(count + 2);
    for (let at = 0; at < count; at++) (starts[(causes[at] as number) + 1] as number)++;
    for (let id = 1; id < starts.length; id++) starts[id] = (starts[id] as number) + (starts[id - 1] as number);
    const next = starts.slice();
    const children = new Uint32Array(count);
    for (let at = 0; at < count; at++) {
      const cause = causes[at] as number;
      const place = next[cause] as number;
      children[place] = at + 1;
      next[cause] = place + 1;
    }
    this.#childStarts = starts;
    this.#children = children;
  }

  #identify(event: TraceEvent, at: number): void {
    const { cause } = event;
    const carried = carriedOf(event);
    if (carried === undefined) {
      if (cause === 0 || !DECISIONS.has(event.kind)) return;
      this.packets[at] = this.packets[cause - 1] as number;
      this.#connectionNumbers[at] = this.#connectionNumbers[cause - 1] as number;
      return;
    }
    this.packets[at] = this.#sameBefore(cause, carried) ?? event.id;
    this.#connectionNumbers[at] = this.connections.take(event);
  }

  /** Packet of the nearest record up the chain of causes that carries the same; decisions between are passed. */
  #sameBefore(cause: number, carried: FramePayload): number | undefined {
    for (let id = cause; id > 0; id = this.causes[id - 1] as number) {
      const above = this.records[id - 1] as TraceEvent;
      const other = carriedOf(above);
      if (other !== undefined) return isSamePacket(other, carried) ? (this.packets[id - 1] as number) : undefined;
      if (!DECISIONS.has(above.kind)) return undefined;
    }
    return undefined;
  }

  #grow(): void {
    const capacity = this.timesNs.length * 2;
    const grown = <T extends Float64Array | Uint8Array | Uint32Array>(array: T, made: T): T => {
      made.set(array);
      return made;
    };
    this.timesNs = grown(this.timesNs, new Float64Array(capacity));
    this.kinds = grown(this.kinds, new Uint8Array(capacity));
    this.causes = grown(this.causes, new Uint32Array(capacity));
    this.packets = grown(this.packets, new Uint32Array(capacity));
    this.#connectionNumbers = grown(this.#connectionNumbers, new Uint32Array(capacity));
    this.settledIds = grown(this.settledIds, new Uint32Array(capacity));
  }
}
