/**
 * HTTP/1.x messages as clients read them: status line, header fields, bodies by length, by chunks or up to the end.
 *
 * RFC 9112 sections 4, 5, 6.3 and 7.1.
 */

import { latin1 } from "../base/bytes.ts";
import { concatBytes, EMPTY_BYTES } from "../base/bytes.ts";

export interface HttpHead {
  readonly version: string;
  readonly status: number;
  readonly reason: string;
  /** Lines as they came, status line first, without line ends. */
  readonly lines: readonly string[];
  field(name: string): string | undefined;
}

const HEAD_MAX_BYTES = 300 * 1024;

/** Reads one response; feed it bytes until `isComplete`, and say when the connection ended. */
export class HttpResponseReader {
  head: HttpHead | undefined;
  isComplete = false;
  /** Not HTTP at all: HTTP/0.9, or another protocol. */
  isGarbage = false;
  bodyBytes = 0;
  /** Bytes of the head with its empty line. */
  headBytes = 0;
  /** undefined: up to the end of the connection. */
  contentLength: number | undefined;
  isChunked = false;
  readonly #hasBody: (head: HttpHead) => boolean;
  #pending: Uint8Array = EMPTY_BYTES;
  #chunkLeft = -1;
  #isTrailer = false;

  /** `hasBody`: false for an answer to HEAD. */
  constructor(hasBody: (head: HttpHead) => boolean) {
    this.#hasBody = hasBody;
  }

  /** Takes what has come; returns the body bytes in it. */
  feed(bytes: Uint8Array): Uint8Array {
    if (this.isGarbage) return bytes;
    this.#pending = this.#pending.length === 0 ? bytes : concatBytes([this.#pending, bytes]);
    if (this.head === undefined && !this.#readHead()) return EMPTY_BYTES;
    if (this.isGarbage) return this.#take(this.#pending.length);
    return this.#readBody();
  }

  /** The connection has ended. True when that is a proper end of this message. */
  end(): boolean {
    if (this.isComplete || this.isGarbage) return true;
    if (this.head === undefined || this.isChunked || this.contentLength !== undefined) return false;
    this.isComplete = true;
    return true;
  }

  /** Forgets an interim answer (100 Continue), to read the final one. */
  restart(): void {
    this.head = undefined;
    this.isComplete = false;
    this.contentLength = undefined;
    this.isChunked = false;
  }

  #readHead(): boolean {
    const data = this.#pending;
    const start = latin1(data.subarray(0, 5));
    if (!"HTTP/".startsWith(start.slice(0, 5))) {
      this.isGarbage = true;
      return true;
    }
    let end = -1;
    for (let i = 0; i < data.length && i < HEAD_MAX_BYTES; i++) {
      if (data[i] !== 10) continue;
      if (data[i + 1] === 10) end = i + 2;
      else if (data[i + 1] === 13 && data[i + 2] === 10) end = i + 3;
      if (end >= 0) break;
    }
    if (end < 0) return false;
    const lines = latin1(this.#take(end))
      .split(/\r?\n/)
      .filter((line) => line !== "");
    this.headBytes += end;
    const match = /^HTTP\/(\d\.\d)\s+(\d{3})\s?(.*)$/.exec(lines[0] ?? "");
    const fields = new Map(lines.slice(1).map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]));
    const head: HttpHead = {
      version: match?.[1] ?? "1.0",
      status: Number(match?.[2] ?? 0),
      reason: match?.[3] ?? "",
      lines,
      field: (name) => fields.get(name),
    };
    this.head = head;
    this.isChunked = /\bchunked\b/i.test(head.field("transfer-encoding") ?? "");
    const length = head.field("content-length");
    this.contentLength = length !== undefined && /^\d+$/.test(length) && !this.isChunked ? Number(length) : undefined;
    const isBodiless = !this.#hasBody(head) || head.status < 200 || head.status === 204 || head.status === 304;
    if (isBodiless || this.contentLength === 0) this.isComplete = true;
    return true;
  }

  #readBody(): Uint8Array {
    if (this.isComplete) return EMPTY_BYTES;
    if (this.isChunked) return this.#readChunks();
    const wanted = this.contentLength === undefined ? this.#pending.length : Math.min(this.#pending.length, this.contentLength - this.bodyBytes);
    const body = this.#take(wanted);
    this.bodyBytes += body.length;
    if (this.contentLength !== undefined && this.bodyBytes >= this.contentLength) this.isComplete = true;
    return body;
  }

  #readChunks(): Uint8Array {
    const parts: Uint8Array[] = [];
    while (!this.isComplete) {
      if (this.#chunkLeft > 0) {
        const part = this.#take(Math.min(this.#chunkLeft, this.#pending.length));
        if (part.length === 0) break;
        this.#chunkLeft -= part.length;
        this.bodyBytes += part.length;
        parts.push(part);
        continue;
      }
      const newline = this.#pending.indexOf(10);
      if (newline < 0) break;
      const line = latin1(this.#take(newline + 1)).trim();
      if (this.#isTrailer) {
        if (line === "") this.isComplete = true;
      } else if (line !== "") {
        this.#chunkLeft = Number.parseInt(line, 16) || 0;
        if (this.#chunkLeft === 0) this.#isTrailer = true;
      }
    }
    return concatBytes(parts);
  }

  #take(count: number): Uint8Array {
    const part = this.#pending.subarray(0, count);
    this.#pending = this.#pending.subarray(count);
    return part;
  }
}

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"] as const;
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"] as const;

/** Year, month (0 to 11), day, weekday (0 is Sunday), hour, minute, second of a time in seconds since 1970, UTC. */
export function civilTime(epochSeconds: number): {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly weekday: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
} {
  const days = Math.floor(epochSeconds / 86400);
  const rest = epochSeconds - days * 86400;
  // The civil calendar from a day count, with eras of 400 years that begin in March.
  const z = days + 719468;
  const era = Math.floor(z / 146097);
  const dayOfEra = z - era * 146097;
  const yearOfEra = Math.floor((dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36524) - Math.floor(dayOfEra / 146096)) / 365);
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = (marchMonth + 2) % 12;
  return {
    year: yearOfEra + era * 400 + (month <= 1 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1,
    weekday: (((days + 4) % 7) + 7) % 7,
    hour: Math.floor(rest / 3600),
    minute: Math.floor(rest / 60) % 60,
    second: Math.floor(rest) % 60,
  };
}

/** `Sat, 21 Nov 2026 02:26:14 GMT`. */
export function httpDate(epochSeconds: number): string {
  const t = civilTime(epochSeconds);
  return `${DAYS[t.weekday]}, ${pad2(t.day)} ${MONTHS[t.month]} ${t.year} ${pad2(t.hour)}:${pad2(t.minute)}:${pad2(t.second)} GMT`;
}

/** `Sat, 21 Nov 2026 02:26:14 GMT` in seconds since 1970; undefined when it is no such date. */
export function parseHttpDate(text: string): number | undefined {
  const match = /^\w{3}, (\d{2}) (\w{3}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/.exec(text.trim());
  if (match === null) return undefined;
  const month = MONTHS.findIndex((name) => name === match[2]);
  if (month < 0) return undefined;
  const year = Number(match[3]) - (month <= 1 ? 1 : 0);
  const era = Math.floor(year / 400);
  const yearOfEra = year - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 10) % 12) + 2) / 5) + Number(match[1]) - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return (era * 146097 + dayOfEra - 719468) * 86400 + Number(match[4]) * 3600 + Number(match[5]) * 60 + Number(match[6]);
}

export function pad2(value: number): string {
  return String(value).padStart(2, "0");
}
