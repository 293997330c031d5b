/**
 * The worker: keeps sessions, answers the page. Errors become messages; nothing that a file or filter says ends the worker.
 */

import { LimitError } from "../../../src/scenario/limits.ts";
import { ScenarioError } from "../../../src/scenario/scenario-error.ts";
import { TraceReadError } from "../../../src/trace/jsonl.ts";
import type { Failure, FromWorker, ToWorker } from "./protocol.ts";
import { QUERIES } from "./queries.ts";
import { Cancelled, openSession, RECORDS_MAX, type Session } from "./session.ts";

/** What this file needs of a worker's global scope. */
interface Scope {
  postMessage(message: FromWorker): void;
  onmessage: ((event: { readonly data: ToWorker }) => void) | null;
}

const scope = globalThis as unknown as Scope;
const PROGRESS_EVERY_MS = 100;

const sessions = new Map<number, Session>();
const cancelled = new Set<number>();
let nextSession = 1;

scope.onmessage = ({ data }) => {
  switch (data.type) {
    case "open":
      void open(data);
      break;
    case "cancel":
      cancelled.add(data.call);
      break;
    case "close":
      sessions.delete(data.session);
      break;
    case "ask":
      void answer(data);
      break;
  }
};

/** Of all sessions together. */
const RECORDS_IN_ALL_MAX = 2_500_000;
const RECORDS_MIN = 200_000;

/** Records that a new session may have beside those that are open; a small run always finds room. */
function roomFor(): number {
  let taken = 0;
  for (const { store } of sessions.values()) taken += store.count;
  return Math.min(RECORDS_MAX, Math.max(RECORDS_MIN, RECORDS_IN_ALL_MAX - taken));
}

async function open({ call, source }: ToWorker & { type: "open" }): Promise<void> {
  let toldAt = performance.now();
  let pausedAt = toldAt;
  try {
    const session = await openSession(nextSession++, source, {
      recordsMax: roomFor(),
      onProgress: (progress) => {
        const now = performance.now();
        if (now - toldAt < PROGRESS_EVERY_MS) return;
        toldAt = now;
        scope.postMessage({ type: "progress", call, progress });
      },
      pause: async () => {
        const now = performance.now();
        if (now - pausedAt >= PROGRESS_EVERY_MS) {
          await messagesHeard();
          pausedAt = performance.now();
        }
        return cancelled.has(call);
      },
    });
    sessions.set(session.info.id, session);
    scope.postMessage({ type: "opened", call, info: session.info });
  } catch (error) {
    scope.postMessage({ type: "failed", call, failure: failureOf(error) });
  } finally {
    cancelled.delete(call);
  }
}

/** Lets messages that have come be handled. */
function messagesHeard(): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, 0);
  });
}

async function answer({ call, session, name, args }: ToWorker & { type: "ask" }): Promise<void> {
  try {
    const query = QUERIES[name as keyof typeof QUERIES] as (session: Session, args: unknown, lookUp: (id: number) => Session) => unknown;
    scope.postMessage({ type: "answer", call, value: await query(sessionOf(session), args, sessionOf) });
  } catch (error) {
    scope.postMessage({ type: "failed", call, failure: failureOf(error) });
  }
}

function sessionOf(id: number): Session {
  const session = sessions.get(id);
  if (session === undefined) throw new Error(`session ${id} is closed`);
  return session;
}

function failureOf(error: unknown): Failure {
  if (error instanceof ScenarioError)
    return {
      kind: "scenario",
      message: error.message,
      places: error.problems.map(({ line, column, message, remedy }) => ({ line, column, message, remedy })),
    };
  if (error instanceof LimitError)
    return { kind: "limit", message: error.message, places: [{ line: error.place.line, column: error.place.column, message: error.message, remedy: "" }] };
  if (error instanceof TraceReadError) return { kind: "trace", message: error.message, places: [{ line: error.line, column: 1, message: error.message, remedy: "" }] };
  if (error instanceof Cancelled) return { kind: "cancelled", message: "", places: [] };
  const message = error instanceof Error ? error.message : String(error);
  return { kind: "internal", message: `${message}`, places: [] };
}
