/**
 * The page's side of the worker: promises for messages.
 */

import type { Failure, FromWorker, Progress, SessionInfo, Source, ToWorker } from "./protocol.ts";
import type { QueryAnswer, QueryArgs, QueryName } from "./queries.ts";

/** A request failed; `failure` says how. */
export class EngineError extends Error {
  override readonly name = "EngineError";
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

interface Call {
  resolve(value: unknown): void;
  reject(error: EngineError): void;
  onProgress?: ((progress: Progress) => void) | undefined;
}

export interface Opening {
  readonly opened: Promise<SessionInfo>;
  cancel(): void;
}

export class Engine {
  #worker: Worker | undefined;
  readonly #calls = new Map<number, Call>();
  #nextCall = 1;

  /** Called when the worker broke: its sessions are gone. */
  onLost: ((message: string) => void) | undefined;

  /** Fetches and starts the worker, so that it is ready when something is opened. */
  prepare(): void {
    this.#worker ??= this.#start();
  }

  /** Runs a scenario or reads a trace. `opened` rejects with an EngineError. */
  open(source: Source, onProgress?: (progress: Progress) => void): Opening {
    const call = this.#nextCall++;
    const opened = new Promise<unknown>((resolve, reject) => {
      this.#calls.set(call, { resolve, reject, onProgress });
    }) as Promise<SessionInfo>;
    this.#post({ type: "open", call, source });
    return { opened, cancel: () => this.#post({ type: "cancel", call }) };
  }

  /** Asks about a session; see queries.ts. Rejects with an EngineError. */
  ask<N extends QueryName>(name: N, session: number, args: QueryArgs<N>): Promise<QueryAnswer<N>> {
    const call = this.#nextCall++;
    const answer = new Promise<unknown>((resolve, reject) => {
      this.#calls.set(call, { resolve, reject });
    }) as Promise<QueryAnswer<N>>;
    this.#post({ type: "ask", call, session, name, args });
    return answer;
  }

  close(session: number): void {
    this.#post({ type: "close", session });
  }

  #post(message: ToWorker): void {
    this.prepare();
    this.#worker?.postMessage(message);
  }

  #start(): Worker {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "simulator" });
    worker.onmessage = ({ data }: MessageEvent<FromWorker>) => this.#take(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#allFailed(event.message);
    };
    return worker;
  }

  #take(message: FromWorker): void {
    const call = this.#calls.get(message.call);
    if (call === undefined) return;
    if (message.type === "progress") {
      call.onProgress?.(message.progress);
      return;
    }
    this.#calls.delete(message.call);
    if (message.type === "failed") call.reject(new EngineError(message.failure));
    else call.resolve(message.type === "opened" ? message.info : message.value);
  }

  /** The worker itself broke (out of memory, say): every open request hears of it, and the next one starts a new worker. */
  #allFailed(message: string): void {
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    this.#worker?.terminate();
    this.#worker = undefined;
    this.onLost?.(message);
    for (const call of calls) call.reject(new EngineError({ kind: "internal", message, places: [] }));
  }
}
