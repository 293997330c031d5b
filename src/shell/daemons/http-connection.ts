/**
 * One connection of the web server: reads requests, answers a little later, keeps the connection for five seconds, lingers when it closes.
 *
 * Apache 2.4 mpm_event: ap_process_connection, ap_start_lingering_close. The times are those that frames of the real server show.
 */

import { NS_PER_MS, NS_PER_SECOND, NS_PER_US } from "../../base/time.ts";
import type { TcpEvents } from "../../host/host.ts";
import type { EventTarget } from "../../kernel/event-loop.ts";
import { Timer } from "../../kernel/timer.ts";
import { latin1 } from "../../base/bytes.ts";
import type { Machine } from "../machine.ts";
import type { Transport } from "../tls/tls-transport.ts";
import { badRequest, encodeResponse, plainOnTls, type HttpRequest, type HttpResponse, requestTimeout, respond } from "./http-response.ts";

/** From the arrival of a request to the answer. */
const SERVICE_NS = NS_PER_MS;
/** From the answer, or the client's FIN, to closing. */
const CLOSE_NS = 200 * NS_PER_US;
const KEEP_ALIVE_NS = 5 * NS_PER_SECOND;
/** From the last byte of a request that is not whole yet to giving it up (Timeout). */
const REQUEST_TIMEOUT_NS = 60 * NS_PER_SECOND;
const LINGER_NS = 30 * NS_PER_SECOND;
const KEEP_ALIVE_REQUESTS_MAX = 100;
const HEAD_MAX_CHARACTERS = 65536;

/** Workers of the server: a request waits while all are busy. */
export interface WorkerPool {
  /** What it calls itself in a response. */
  readonly server: string;
  acquire(job: EventTarget): boolean;
  release(): void;
}

type Phase = "reading" | "serving" | "closing" | "lingering";

export class HttpConnection implements EventTarget {
  readonly #machine: Machine;
  readonly #socket: Transport;
  readonly #workers: WorkerPool;
  readonly #onClosed: (connection: HttpConnection) => void;
  readonly #timer: Timer;
  #phase: Phase = "reading";
  #input = "";
  #bodyLeft = 0;
  #isChunkedBody = false;
  #served = 0;
  #request: HttpRequest | undefined;
  #refusal: HttpResponse | undefined;
  /** When the request line was there: the date of the answer (request_rec.request_time). */
  #requestedAtNs: number | undefined;
  #isPeerDone = false;
  #hasWorker = false;
  #isStopped = false;
  /** What came due while the process was stopped. */
  readonly #due: unknown[] = [];

  constructor(machine: Machine, socket: Transport, workers: WorkerPool, onClosed: (connection: HttpConnection) => void) {
    this.#machine = machine;
    this.#socket = socket;
    this.#workers = workers;
    this.#onClosed = onClosed;
    this.#timer = new Timer(machine.host.loop, this, "timer");
    this.#timer.arm(REQUEST_TIMEOUT_NS);
    socket.noDelay = true;
  }

  events(): TcpEvents {
    return {
      onData: (bytes) => this.#receive(latin1(bytes)),
      onEnd: () => this.#peerEnded(),
      onError: () => this.#finish(),
    };
  }

  /** A request without TLS came where TLS is spoken. The answer goes out in clear, by the connection below. */
  refusePlain(socket: Transport): void {
    this.#timer.disarm();
    const atNs = this.#machine.host.loop.nowNs;
    socket.send(encodeResponse(this.#machine, plainOnTls(), { connectionFields: ["Connection: close"], isHead: false, server: this.#workers.server, atNs }));
    this.#phase = "lingering";
    socket.shutdownWrite();
    this.#timer.arm(LINGER_NS);
  }

  /** The server's process has ended: the kernel closes what it had open. */
  drop(): void {
    this.#timer.disarm();
    this.#socket.close();
  }

  /** The process was stopped, or goes on: what came due meanwhile happens then. */
  setStopped(isStopped: boolean): void {
    this.#isStopped = isStopped;
    if (isStopped) {
      this.#socket.pause();
      return;
    }
    for (const argument of this.#due.splice(0)) this.onEvent(argument);
    this.#socket.resume();
  }

  onEvent(argument: unknown): void {
    if (this.#isStopped) {
      this.#due.push(argument);
      return;
    }
    if (argument === "worker") {
      this.#hasWorker = true;
      this.#timer.arm(SERVICE_NS + (this.#machine.slowdownNs ?? 0));
      return;
    }
    switch (this.#phase) {
      case "reading":
        if (this.#hasBegunRequest()) this.#refuse(requestTimeout());
        else this.#closeSoon(0);
        break;
      case "serving":
        this.#answer();
        break;
      case "closing":
        this.#linger();
        break;
      case "lingering":
        this.#socket.close();
        this.#finish();
        break;
    }
  }

  #receive(text: string): void {
    if (this.#phase === "closing" || this.#phase === "lingering") return;
    this.#input += text;
    if (this.#phase === "reading") this.#readRequest();
  }

  #peerEnded(): void {
    this.#isPeerDone = true;
    switch (this.#phase) {
      case "reading":
        if (this.#hasBegunRequest()) this.#refuse(badRequest());
        else this.#closeSoon(CLOSE_NS);
        break;
      case "lingering":
        this.#socket.close();
        this.#finish();
        break;
      default:
        break;
    }
  }

  /** The line is there, and not yet all of the rest: whoever leaves off here is told so (ap_get_mime_headers). */
  #hasBegunRequest(): boolean {
    return this.#request !== undefined || this.#input.includes("\n");
  }

  #readRequest(): void {
    this.#timer.arm(REQUEST_TIMEOUT_NS);
    if (this.#skipBody() && this.#request === undefined) this.#readHead();
  }

  #readHead(): void {
    // A line that ends with a bare newline is no blank line but a bad one.
    this.#input = this.#input.replace(/^(\r\n)+/, "");
    if (this.#requestedAtNs === undefined && this.#input.includes("\n")) this.#requestedAtNs = this.#machine.host.loop.nowNs;
    const request = parseRequest(this.#input);
    if (request === "incomplete") {
      if (this.#input.length > HEAD_MAX_CHARACTERS) this.#refuse(badRequest());
      return;
    }
    if (request === "bad") {
      this.#input = "";
      this.#refuse(badRequest());
      return;
    }
    this.#input = this.#input.slice(request.consumed);
    this.#request = request.request;
    const length = request.request.field("content-length");
    this.#bodyLeft = length !== undefined && /^\d+$/.test(length) ? Number(length) : 0;
    this.#isChunkedBody = /\bchunked\b/i.test(request.request.field("transfer-encoding") ?? "");
    if (/^100-continue$/i.test(request.request.field("expect") ?? "") && request.request.version >= 11)
      this.#socket.send(encode("HTTP/1.1 100 Continue\r\n\r\n"));
    // The body may have come with the head: then the request is being served already, and the timer belongs to that.
    if (this.#skipBody()) this.#serve();
  }

  /** Discards the body of a request; true when all of it is there. */
  #skipBody(): boolean {
    if (this.#isChunkedBody) {
      const end = /(?:^|\r\n)0\r\n(?:[^\r\n]+\r\n)*\r\n/.exec(this.#input);
      if (end === null) return false;
      this.#input = this.#input.slice(end.index + end[0].length);
      this.#isChunkedBody = false;
    } else if (this.#bodyLeft > 0) {
      const taken = Math.min(this.#bodyLeft, this.#input.length);
      this.#bodyLeft -= taken;
      this.#input = this.#input.slice(taken);
      if (this.#bodyLeft > 0) return false;
    } else return true;
    if (this.#request !== undefined) this.#serve();
    return false;
  }

  /** Answers a request that could not be read, and is done with the connection. */
  #refuse(refusal: HttpResponse): void {
    this.#request = undefined;
    this.#refusal = refusal;
    this.#serve();
  }

  #serve(): void {
    this.#phase = "serving";
    this.#timer.disarm();
    if (this.#workers.acquire(this)) this.onEvent("worker");
  }

  #answer(): void {
    const request = this.#request;
    const response = this.#refusal ?? (request === undefined ? badRequest() : respond(this.#machine, request));
    this.#served++;
    this.#releaseWorker();
    const keeps = request !== undefined && this.#keepsAlive(request, response);
    if (request?.version === 9) this.#socket.send(response.body);
    else
      this.#socket.send(
        encodeResponse(this.#machine, response, {
          connectionFields: connectionFields(request, keeps, this.#served),
          isHead: request?.method === "HEAD",
          server: this.#workers.server,
          atNs: this.#requestedAtNs ?? this.#machine.host.loop.nowNs,
        }),
      );
    this.#request = undefined;
    this.#requestedAtNs = undefined;
    if (!keeps || (this.#isPeerDone && this.#input === "")) {
      this.#closeSoon(CLOSE_NS);
      return;
    }
    this.#phase = "reading";
    this.#timer.arm(KEEP_ALIVE_NS);
    if (this.#input !== "") this.#readRequest();
    // What the client began and will not finish.
    if (this.#isPeerDone) this.#peerEnded();
  }

  #keepsAlive(request: HttpRequest, response: HttpResponse): boolean {
    if (response.mustClose || this.#served >= KEEP_ALIVE_REQUESTS_MAX || request.version === 9) return false;
    const wish = (request.field("connection") ?? "").toLowerCase();
    if (/\bclose\b/.test(wish)) return false;
    return request.version >= 11 || /\bkeep-alive\b/.test(wish);
  }

  #closeSoon(delayNs: number): void {
    this.#releaseWorker();
    this.#phase = "closing";
    if (delayNs === 0) this.#linger();
    else this.#timer.arm(delayNs);
  }

  /** FIN first, then wait for the client's: closing at once could reset the connection under the last bytes. */
  #linger(): void {
    if (this.#isPeerDone) {
      this.#socket.close();
      this.#finish();
      return;
    }
    this.#phase = "lingering";
    this.#socket.shutdownWrite();
    this.#timer.arm(LINGER_NS);
  }

  #finish(): void {
    this.#releaseWorker();
    this.#timer.disarm();
    this.#onClosed(this);
  }

  #releaseWorker(): void {
    if (!this.#hasWorker) return;
    this.#hasWorker = false;
    this.#workers.release();
  }
}

/** ap_set_keepalive: a client that asked by name is told the terms. */
function connectionFields(request: HttpRequest | undefined, keeps: boolean, served: number): readonly string[] {
  if (!keeps) return ["Connection: close"];
  if (request === undefined || !/\bkeep-alive\b/i.test(request.field("connection") ?? "")) return [];
  return [`Keep-Alive: timeout=5, max=${KEEP_ALIVE_REQUESTS_MAX - served + 1}`, "Connection: Keep-Alive"];
}

function encode(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Reads a request head. Apache is strict: lines end with CR LF, HTTP/1.x needs its empty line (HttpProtocolOptions Strict). */
function parseRequest(input: string): { readonly request: HttpRequest; readonly consumed: number } | "incomplete" | "bad" {
  const firstEnd = input.indexOf("\n");
  if (firstEnd < 0) return "incomplete";
  const isLineBad = input[firstEnd - 1] !== "\r";
  const line = input.slice(0, isLineBad ? firstEnd : firstEnd - 1);
  const short = /^([A-Za-z0-9!#$%&'*+.^_`|~-]+) (\S+)$/.exec(line);
  if (short !== null) {
    if (short[1] !== "GET" || isLineBad) return "bad";
    return { request: { method: "GET", target: short[2] ?? "/", version: 9, head: line, field: () => undefined }, consumed: firstEnd + 1 };
  }
  const match = /^([A-Za-z0-9!#$%&'*+.^_`|~-]+) (\S+) HTTP\/(\d)\.(\d)$/.exec(line);
  if (match === null || isLineBad) return "bad";
  const end = input.indexOf("\r\n\r\n", firstEnd - 1);
  if (end < 0) return /[^\r]\n/.test(input.slice(firstEnd + 1)) || input[firstEnd + 1] === "\n" ? "bad" : "incomplete";
  const head = input.slice(0, end);
  const fields = new Map<string, string>();
  for (const row of head.split("\r\n").slice(1)) {
    const field = /^([A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*(.*?)[ \t]*$/.exec(row);
    if (field === null) return "bad";
    const name = (field[1] ?? "").toLowerCase();
    const before = fields.get(name);
    fields.set(name, before === undefined ? (field[2] ?? "") : `${before}, ${field[2] ?? ""}`);
  }
  const version = Number(match[3]) >= 1 ? Math.min(Number(match[3]) * 10 + Number(match[4]), 11) : 10;
  return {
    request: {
      method: match[1] ?? "",
      target: match[2] ?? "/",
      version: Number(match[3]) === 1 && match[4] === "0" ? 10 : version,
      head,
      field: (name) => fields.get(name),
    },
    consumed: end + 4,
  };
}
