/**
 * What a lab does with the records of its run: keeps them up to a bound, and hands them to those who asked.
 */

import type { TraceEvent, TraceKind } from "../trace/events.ts";
import type { WorldTables } from "../trace/rows.ts";
import { TableTimeline } from "../trace/table-timeline.ts";
import type { TraceLevel, TraceSink } from "../trace/tracer.ts";

/** From the least to the most. */
const LEVELS: readonly TraceLevel[] = ["off", "frames", "packets", "full"];
const FRAMES_RANK = 1;
const PACKETS_RANK = 2;
const FULL_RANK = 3;

/** Kinds that the level `frames` gives; the others need `packets`, those of tables `full`. */
const FRAME_KINDS: ReadonlySet<TraceKind> = new Set<TraceKind>(["frame-sent", "frame-received", "frame-dropped", "link", "origin"]);
const TABLE_KINDS: ReadonlySet<TraceKind> = new Set<TraceKind>(["rows", "keyframe"]);

type Listener = (event: TraceEvent) => void;

export class TraceKeeper implements TraceSink {
  readonly events: TraceEvent[] = [];
  readonly #keptRank: number;
  readonly #eventsMax: number;
  readonly #listeners = new Map<TraceKind | "*", Set<Listener>>();
  readonly #timeline = new TableTimeline();
  /** How many of `events` the timeline has. */
  #timelineCount = 0;
  #isFull = false;

  constructor(options: { readonly kept: TraceLevel; readonly eventsMax: number }) {
    this.#keptRank = LEVELS.indexOf(options.kept);
    this.#eventsMax = options.eventsMax;
  }

  /** A record came that had no room any more. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** The level that what is kept and what was subscribed to need. */
  get level(): TraceLevel {
    let rank = this.#keptRank;
    for (const [kind, listeners] of this.#listeners) if (listeners.size > 0) rank = Math.max(rank, rankOf(kind));
    return LEVELS[rank] as TraceLevel;
  }

  on(kind: TraceKind | "*", listener: Listener): () => void {
    let listeners = this.#listeners.get(kind);
    if (listeners === undefined) {
      listeners = new Set();
      this.#listeners.set(kind, listeners);
    }
    // A function of its own for each subscription: the same listener may be given twice.
    const one: Listener = (event) => listener(event);
    listeners.add(one);
    return () => {
      listeners.delete(one);
    };
  }

  /** The tables when everything that happened at `timeNs` of the run had happened, as the kept records tell. */
  tablesAt(timeNs: number): WorldTables {
    for (; this.#timelineCount < this.events.length; this.#timelineCount++) this.#timeline.add(this.events[this.#timelineCount] as TraceEvent);
    return this.#timeline.at(timeNs);
  }

  write(event: TraceEvent): void {
    if (this.#keptRank === FULL_RANK || rankOf(event.kind) <= this.#keptRank) {
      if (this.events.length < this.#eventsMax) this.events.push(event);
      else this.#isFull = true;
    }
    this.#tell(event.kind, event);
    this.#tell("*", event);
  }

  #tell(kind: TraceKind | "*", event: TraceEvent): void {
    const listeners = this.#listeners.get(kind);
    if (listeners !== undefined && listeners.size > 0) for (const listener of listeners) listener(event);
  }
}

/** The place in LEVELS of the least level that gives a kind. */
function rankOf(kind: TraceKind | "*"): number {
  if (kind === "*" || TABLE_KINDS.has(kind)) return FULL_RANK;
  return FRAME_KINDS.has(kind) ? FRAMES_RANK : PACKETS_RANK;
}
