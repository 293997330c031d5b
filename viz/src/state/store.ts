/**
 * The state of the page, as signals. Everything that changes the position goes through `goTo`, `goToTime` and `step` here.
 *
 *   sessions ── current ── moment (position, record, frames on their way) ── selection, filter
 */

import { batch, computed, effect, signal } from "@preact/signals";
import { EngineError } from "../engine/client.ts";
import type { Failure, Progress, ScenarioSource, SessionInfo, Source } from "../engine/protocol.ts";
import type { QueryAnswer, QueryArgs, QueryName } from "../engine/queries.ts";
import type { Moment, Position } from "../engine/queries/moment.ts";
import type { FilterCheck, StepArgs } from "../engine/queries/navigate.ts";
import { engine } from "./engine.ts";

export interface OpenSession {
  readonly info: SessionInfo;
  readonly source: Source;
  /** Session that it was forked or edited from, 0: none. */
  readonly parent: number;
  /** What makes it different from its parent, in few words of data: the line typed, `edited`. */
  readonly difference: string;
}

/** Something that has happened to a file; shown until it is closed or something opens. */
export interface ShownFailure {
  readonly file: string;
  readonly failure: Failure;
}

export interface OpeningState {
  readonly file: string;
  readonly progress: Progress | undefined;
  cancel(): void;
}

/** What a person has picked besides the position. */
export interface Selection {
  /** A host, or `link/NAME`; empty: none. */
  readonly node: string;
}

export const sessions = signal<readonly OpenSession[]>([]);
export const currentId = signal(0);
export const current = computed(() => sessions.value.find(({ info }) => info.id === currentId.value));
/** Of the current session; undefined while none is open. */
export const moment = signal<Moment | undefined>(undefined);
export const selection = signal<Selection>({ node: "" });
export const filter = signal("");
const NO_FILTER: FilterCheck = { count: 0, problem: undefined };
/** undefined while matches are counted. */
export const filterCheck = signal<FilterCheck | undefined>(NO_FILTER);
export const opening = signal<OpeningState | undefined>(undefined);
export const shownFailure = signal<ShownFailure | undefined>(undefined);
export const view = signal<"gallery" | "lab">("gallery");
/** The address names a run that is not open yet: the gallery is not drawn meanwhile, which would hold up the worker's start. */
export const isArriving = signal(false);

/** Position of each session when it was last in view. */
const positions = new Map<number, Position>();

/** Asks about the current session; undefined when none is open. Rejects with an EngineError. */
export function ask<N extends QueryName>(name: N, args: QueryArgs<N>, session = currentId.value): Promise<QueryAnswer<N>> {
  return engine.ask(name, session, args);
}

/* --------------------------------------------------------------------------------------------------------------- opening */

export interface OpenOptions {
  /** Record or simulated time to go to; default: the first frame. */
  readonly id?: number;
  readonly timeNs?: number;
  /** Instead of `timeNs`: time since the start of the timeline, for runs whose setup takes another time. */
  readonly timelineNs?: number;
  readonly parent?: number;
  readonly difference?: string;
  /** A session that the new one takes the place of. */
  readonly replaces?: number;
  /** The session in view stays in view; needs a parent. */
  readonly isBeside?: boolean;
}

/** Opens a scenario or trace and goes to it; undefined when it failed, which the page then shows. */
export async function openSource(source: Source, options: OpenOptions = {}): Promise<OpenSession | undefined> {
  opening.value?.cancel();
  const { opened, cancel } = engine.open(source, (progress) => {
    if (opening.value === state) opening.value = state = { ...state, progress };
  });
  let state: OpeningState = { file: source.file, progress: undefined, cancel };
  batch(() => {
    opening.value = state;
    shownFailure.value = undefined;
  });
  try {
    const info = await opened;
    const session: OpenSession = { info, source, parent: options.parent ?? 0, difference: options.difference ?? "" };
    const timeNs = options.timelineNs === undefined ? options.timeNs : info.originNs + options.timelineNs;
    const first = timeNs === undefined ? await engine.ask("moment", info.id, firstPosition(info, options.id)) : await engine.ask("momentAt", info.id, { timeNs });
    batch(() => {
      // A scenario that is opened anew begins a new set; forks join the present one.
      const kept = session.parent === 0 ? [] : sessions.value.filter((one) => one.info.id !== options.replaces);
      for (const one of sessions.value) if (!kept.includes(one)) engine.close(one.info.id);
      sessions.value = [...kept, session];
      if (options.isBeside === true) return;
      currentId.value = info.id;
      moment.value = first;
      view.value = "lab";
      selection.value = { node: info.header.hosts.some(({ name }) => name === selection.value.node) ? selection.value.node : "" };
    });
    return session;
  } catch (error) {
    showError(error, source.file);
    return undefined;
  } finally {
    if (opening.value === state) opening.value = undefined;
  }
}

function showError(error: unknown, file = current.value?.source.file ?? ""): void {
  const failure: Failure = error instanceof EngineError ? error.failure : { kind: "internal", message: String(error), places: [] };
  if (failure.kind !== "cancelled") shownFailure.value = { file, failure };
}

engine.onLost = (message) => {
  const file = current.value?.source.file ?? opening.value?.file ?? "";
  batch(() => {
    sessions.value = [];
    currentId.value = 0;
    moment.value = undefined;
    view.value = "gallery";
    shownFailure.value = { file, failure: { kind: "internal", message, places: [] } };
  });
};

function firstPosition(info: SessionInfo, id: number | undefined): QueryArgs<"moment"> {
  // The frame of a link moves, too.
  if (id !== undefined && id > 0) return { id, from: id - 1 };
  const first = info.firstFrameId === 0 ? info.firstId : info.firstFrameId;
  return { id: first, from: first - 1 };
}

/** Types a line on a host at this instant: a fork, or more of the present fork. The original stays. */
export async function typeLine(host: string, line: string): Promise<OpenSession | undefined> {
  // Who goes to a time and types at once means that time.
  await moves;
  const session = current.value;
  const at = moment.value?.position;
  if (session === undefined || at === undefined || session.source.kind !== "scenario") return undefined;
  const atNs = Math.max(0, at.timeNs - session.info.originNs);
  const earlier = session.source.inputs.filter((input) => input.atNs <= atNs);
  const goesOn = session.parent !== 0 && session.source.inputs.length > 0 && earlier.length === session.source.inputs.length;
  return openSource(
    { ...session.source, inputs: [...earlier, { atNs, host, line }] },
    {
      timeNs: at.timeNs,
      parent: goesOn ? session.parent : session.info.id,
      difference: goesOn ? session.difference : `${host}: ${line}`,
      ...(goesOn ? { replaces: session.info.id } : {}),
    },
  );
}

/** Runs an edited scenario. The run that it was edited from stays, for comparison; typed lines are kept. */
export async function rerun(text: string, seed?: string): Promise<OpenSession | undefined> {
  await moves;
  const session = current.value;
  const source: ScenarioSource =
    session?.source.kind === "scenario"
      ? { ...session.source, text, seed: seed ?? session.source.seed }
      : { kind: "scenario", file: session?.source.file ?? "scenario.yaml", text, seed, inputs: [] };
  const position = moment.value?.position;
  return openSource(source, {
    ...(position === undefined || session === undefined ? {} : { timelineNs: position.timeNs - session.info.originNs }),
    ...(session === undefined ? {} : { parent: session.info.id, difference: "edited" }),
  });
}

/** Goes to another open session, at the same time of the timeline as the one in view. */
export async function switchTo(id: number): Promise<void> {
  const target = sessions.value.find(({ info }) => info.id === id);
  const [now, from] = [moment.value?.position.timeNs, current.value?.info.originNs];
  const timeNs = now === undefined || from === undefined || target === undefined ? undefined : now - from + target.info.originNs;
  const next = timeNs === undefined ? await engine.ask("moment", id, positions.get(id) ?? { id: 1 }) : await engine.ask("momentAt", id, { timeNs });
  batch(() => {
    currentId.value = id;
    moment.value = next;
  });
}

export function closeSession(id: number): void {
  const left = sessions.value.filter(({ info }) => info.id !== id);
  engine.close(id);
  positions.delete(id);
  sessions.value = left;
  if (currentId.value !== id) return;
  const next = left.at(-1);
  if (next === undefined) {
    batch(() => {
      currentId.value = 0;
      moment.value = undefined;
      view.value = "gallery";
    });
  } else void switchTo(next.info.id);
}

/* -------------------------------------------------------------------------------------------------------------- position */

type Move = () => Promise<Moment | undefined>;

let isMoving = false;
/** Resolves when no move is under way. */
let moves: Promise<void> = Promise.resolve();
let queue: { readonly move: Move; readonly isScrub: boolean }[] = [];
const QUEUE_MAX = 32;

/** Moves are done one after the other; of scrubs that wait, only the last counts. Resolves when this one or a later one is done. */
function enqueue(move: Move, isScrub: boolean): Promise<void> {
  if (isScrub) queue = queue.filter((one) => !one.isScrub);
  if (queue.length < QUEUE_MAX) queue.push({ move, isScrub });
  if (!isMoving) moves = moveOn();
  return moves;
}

async function moveOn(): Promise<void> {
  isMoving = true;
  try {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const session = currentId.value;
      try {
        const came = await next.move();
        if (came !== undefined && session === currentId.value) moment.value = came;
      } catch (error) {
        showError(error);
      }
    }
  } finally {
    isMoving = false;
  }
}

/** Goes to a record. */
export function goTo(id: number): Promise<void> {
  return enqueue(() => ask("moment", { id }), true);
}

/** Goes to a simulated time. `isPlaying`: frames between are shown moving. */
export function goToTime(timeNs: number, isPlaying = false): Promise<void> {
  return enqueue(() => ask("momentAt", { timeNs, ...(isPlaying ? { from: moment.value?.position.id ?? 0 } : {}) }), true);
}

/** One record, frame, match of the filter or record of a host on or back. */
export function step(direction: 1 | -1, unit: StepArgs["unit"] = "record", host = selection.value.node): Promise<void> {
  return enqueue(() => ask("step", { from: moment.value?.position.id ?? 0, direction, unit, filter: filter.value, host }), false);
}

effect(() => {
  const at = moment.value?.position;
  if (at !== undefined) positions.set(currentId.peek(), at);
});

/* ---------------------------------------------------------------------------------------------------------------- filter */

let filterCall = 0;

effect(() => {
  const text = filter.value;
  const session = currentId.value;
  const call = ++filterCall;
  if (session === 0 || text.trim() === "") {
    filterCheck.value = NO_FILTER;
    return;
  }
  filterCheck.value = undefined;
  void engine.ask("checkFilter", session, { filter: text }).then(
    (check) => {
      if (call === filterCall) filterCheck.value = check;
    },
    () => undefined,
  );
});
