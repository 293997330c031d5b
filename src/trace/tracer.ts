/**
 * The tracer: stamps records and hands them to sinks. Off, it costs one comparison at each emission point and allocates nothing:
 *
 *   if (trace.isFull) skb.cause = trace.emit({ kind: "packet-rewritten", ... });
 *   if (trace.hasTables) host.tables.touch("neighbours", entry);
 *
 * A record without a cause of its own follows from what the present event of the loop follows from (EventLoop.context), which `follow`
 * sets and the loop hands on to later events. At the end of every event the rows that changed are written, and now and then a keyframe.
 */

import type { TraceEvent, TraceEventInit } from "./events.ts";
import { type TableReader, TableSet } from "./table-set.ts";
import type { WorldTables } from "./rows.ts";

/** Receives the records of a run in order. */
export interface TraceSink {
  write(event: TraceEvent): void;
}

/** off: nothing. frames: frame-sent, frame-received, frame-dropped, link. packets: every record but those of tables. full: everything. */
export type TraceLevel = "off" | "frames" | "packets" | "full";

/** What a tracer needs of the event loop. */
export interface TraceClock {
  readonly nowNs: number;
  context: number;
  afterEvent: (() => void) | undefined;
}

/** Records between keyframes, at least; a keyframe of many rows comes later, so that keyframes never are most of a trace. */
const KEYFRAME_RECORDS_MIN = 4096;
const KEYFRAME_RECORDS_PER_ROW = 8;

export class Tracer {
  /** True when frame records are wanted. Read before building one. */
  isOn = false;
  /** True when every record is wanted. Read before building one that is no frame record. */
  isFull = false;
  /** True when changes of tables are wanted. Read before touching one. */
  hasTables = false;
  #nextId = 1;
  #keyframeId = 0;
  /** Records until the next keyframe is due. */
  #recordsLeft = 0;
  /** Id of the first record of the present event, if it writes one. */
  #eventFirstId = 1;
  readonly #sinks: TraceSink[] = [];
  readonly #sets: TableSet[] = [];
  #dirty: TableSet[] = [];
  readonly #loop: TraceClock;

  constructor(loop: TraceClock) {
    this.#loop = loop;
  }

  /** From now on. Going to "full" writes a keyframe at once, so add sinks before. */
  setLevel(level: TraceLevel): void {
    this.isOn = level !== "off";
    this.isFull = level === "packets" || level === "full";
    const hadTables = this.hasTables;
    this.hasTables = level === "full";
    if (this.hasTables === hadTables) return;
    if (this.hasTables) {
      this.#loop.afterEvent = () => this.flush();
      for (const set of this.#sets) set.touchEverything();
      for (const set of this.#dirty) set.changes();
      this.#dirty = [];
      this.#writeKeyframe();
    } else {
      this.#loop.afterEvent = undefined;
      this.#dirty = [];
      for (const set of this.#sets) set.forget();
    }
  }

  addSink(sink: TraceSink): void {
    this.#sinks.push(sink);
  }

  removeSink(sink: TraceSink): void {
    const index = this.#sinks.indexOf(sink);
    if (index >= 0) this.#sinks.splice(index, 1);
  }

  /** Stamps and writes one record, which `init` becomes; returns its id, to be the cause of what follows from it. */
  emit(init: TraceEventInit): number {
    const id = this.#nextId++;
    // The literal of the emission point becomes the record: a copy would cost more than all the rest.
    const event = init as unknown as { id: number; timeNs: number; cause: number };
    event.id = id;
    event.timeNs = this.#loop.nowNs;
    if (event.cause === 0) event.cause = this.#loop.context;
    this.#recordsLeft--;
    const sinks = this.#sinks;
    for (let i = 0; i < sinks.length; i++) (sinks[i] as TraceSink).write(event as unknown as TraceEvent);
    return id;
  }

  /** What happens from now on in this event, and in events that it schedules, follows from record `id`. Returns what it followed from before. */
  follow(id: number): number {
    const before = this.#loop.context;
    this.#loop.context = id;
    return before;
  }

  /** The record that the present event follows from, 0: none. */
  get followed(): number {
    return this.#loop.context;
  }

  /* ----------------------------------------------------------------------------------------------------------------- tables */

  /** The tables of a host or link, to be followed while the level is "full". Those that a host of this name had, before it was made anew, are gone. */
  tableSet(owner: string): TableSet {
    const set = new TableSet(owner, (dirty) => this.#dirty.push(dirty));
    const index = this.#sets.findIndex((other) => other.owner === owner);
    const former = this.#sets[index];
    if (former === undefined) this.#sets.push(set);
    else {
      this.#sets[index] = set;
      this.#dirty = this.#dirty.filter((dirty) => dirty !== former);
      const changes = former.retire();
      if (changes.length > 0) this.emit({ kind: "rows", host: owner, cause: 0, changes });
    }
    return set;
  }

  /** Every table as it is now; rows whose time is over are left out by `withoutAged`. */
  readTables(): WorldTables {
    return Object.fromEntries(this.#sets.map((set) => [set.owner, set.read()]));
  }

  /** Writes the rows that changed since the last event, and a keyframe when one is due. */
  flush(): void {
    if (this.#dirty.length > 0) this.#writeChanges();
    if (this.#recordsLeft <= 0) this.#writeKeyframe();
    this.#eventFirstId = this.#nextId;
  }

  /** Rows follow from the last other record of their event, else from what the event follows from. */
  #writeChanges(): void {
    const dirty = this.#dirty;
    this.#dirty = [];
    const cause = this.#nextId > this.#eventFirstId ? this.#nextId - 1 : this.#loop.context;
    for (const set of dirty) {
      const changes = set.changes();
      if (changes.length > 0) this.emit({ kind: "rows", host: set.owner, cause, changes });
    }
  }

  #writeKeyframe(): void {
    const id = this.#nextId;
    let rows = 0;
    for (const set of this.#sets) rows += set.rowCount;
    const tables = Object.fromEntries(this.#sets.map((set) => [set.owner, set.keyframe(id)]));
    this.#recordsLeft = Math.max(KEYFRAME_RECORDS_MIN, rows * KEYFRAME_RECORDS_PER_ROW);
    const followed = this.follow(0);
    this.emit({ kind: "keyframe", host: "", cause: 0, previous: this.#keyframeId, tables });
    this.follow(followed);
    this.#keyframeId = id;
  }
}

export type { TableReader };
export { TableSet };

/** Keeps every record in memory: for tests, the ladder and short runs. */
export class MemorySink implements TraceSink {
  readonly events: TraceEvent[] = [];

  write(event: TraceEvent): void {
    this.events.push(event);
  }
}
