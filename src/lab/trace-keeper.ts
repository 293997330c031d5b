/**
 * What a lab does with the records of its run: keeps them up to a bound, and hands them to those who asked.
 */

import type { TraceEvent, TraceKind } from "../trace/events.ts";
import type { TraceLevel, TraceSink } from "../trace/tracer.ts";

/** Kinds that the level `frames` gives; the others need `full`. */
const FRAME_KINDS: ReadonlySet<TraceKind> = new Set<TraceKind>(["frame-sent", "frame-received", "frame-dropped", "link"]);

type Listener = (event: TraceEvent) => void;

export class TraceKeeper implements TraceSink {
  readonly events: TraceEvent[] = [];
  readonly #kept: TraceLevel;
  readonly #eventsMax: number;
  readonly #listeners = new Map<TraceKind | "*", Set<Listener>>();
  #isFull = false;

  constructor(options: { readonly kept: TraceLevel; readonly eventsMax: number }) {
    this.#kept = options.kept;
    this.#eventsMax = options.eventsMax;
  }

  /** A record came that had no room any more. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** The level that what is kept and what was subscribed to need. */
  get level(): TraceLevel {
    let level = this.#kept;
    for (const [kind, listeners] of this.#listeners) {
      if (listeners.size === 0 || level === "full") continue;
      level = kind !== "*" && FRAME_KINDS.has(kind) ? "frames" : "full";
    }
    return level;
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

  write(event: TraceEvent): void {
    if (this.#keeps(event.kind)) {
      if (this.events.length < this.#eventsMax) this.events.push(event);
      else this.#isFull = true;
    }
    this.#tell(event.kind, event);
    this.#tell("*", event);
  }

  #keeps(kind: TraceKind): boolean {
    return this.#kept === "full" || (this.#kept === "frames" && FRAME_KINDS.has(kind));
  }

  #tell(kind: TraceKind | "*", event: TraceEvent): void {
    const listeners = this.#listeners.get(kind);
    if (listeners !== undefined && listeners.size > 0) for (const listener of listeners) listener(event);
  }
}
