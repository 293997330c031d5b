/**
 * What tcpdump says about UDP payloads that it knows by their port: DNS (53, 5353) and syslog (514).
 *
 * tcpdump 4.99.3 print-domain.c (domain_print, ns_qprint, ns_rprint, ns_nprint), print-syslog.c.
 */

import { formatIpv4Address } from "../base/ipv4-address.ts";
import type { PrintOptions } from "./print.ts";

const HEADER_BYTES = 12;
const OPERATIONS = ["", " inv_q", " stat", " op3", " notify", " update", " op6", " op7", " op8", " updateA", " updateD", " updateDA", " updateM", " updateMA", " zoneInit", " zoneRef"];
const RESPONSES = ["", " FormErr", " ServFail", " NXDomain", " NotImp", " Refused", " YXDomain", " YXRRSet", " NXRRSet", " NotAuth", " NotZone"];
const TYPES: ReadonlyMap<number, string> = new Map([
  [1, "A"],
  [2, "NS"],
  [5, "CNAME"],
  [6, "SOA"],
  [12, "PTR"],
  [15, "MX"],
  [16, "TXT"],
  [28, "AAAA"],
  [33, "SRV"],
  [41, "OPT"],
  [255, "ANY"],
]);
const CLASS_IN = 1;
/** Names that point in circles end. */
const POINTERS_MAX = 64;

const SEVERITIES = ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"];
const FACILITIES = ["kernel", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "security", "console", "cron"];

/** After the addresses; undefined for ports that tcpdump does not know. `payload`: undefined when it is not bytes. */
export function formatUdpText(ports: readonly number[], payload: Uint8Array | undefined, length: number, options: PrintOptions): string | undefined {
  if (ports.includes(53) || ports.includes(5353)) {
    if (length < HEADER_BYTES) return `domain [length ${length} < ${HEADER_BYTES}] (invalid)`;
    return payload === undefined ? undefined : formatDomain(payload, options);
  }
  if (ports.includes(514) && payload !== undefined) return formatSyslog(payload, options);
  return undefined;
}

function formatSyslog(payload: Uint8Array, options: PrintOptions): string {
  const text = Array.from(payload, (byte) => String.fromCharCode(byte)).join("");
  const priority = /^<(\d{1,3})>/.exec(text);
  if (priority === null) return " (invalid)";
  const value = Number(priority[1]);
  const facility = (value & 0x7f8) >> 3;
  const severity = SEVERITIES[value & 7] as string;
  const name = FACILITIES[facility] ?? (facility < 24 ? `local${facility - 16}` : "unknown");
  if (options.verbosity === 0) return `SYSLOG ${name}.${severity}, length: ${payload.length}`;
  const shown = text.slice(priority[0].length).replace(/[^\x20-\x7e]/g, (character) => escaped(character.charCodeAt(0)));
  return `SYSLOG, length: ${payload.length}\n\tFacility ${name} (${facility}), Severity ${severity} (${value & 7})\n\tMsg: ${shown}`;
}

/** safeputchar. */
function escaped(code: number): string {
  return `\\0x${code.toString(16).padStart(2, "0")}`;
}

function formatDomain(bytes: Uint8Array, options: PrintOptions): string {
  const word = (at: number): number => (((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)) >>> 0;
  const flags = word(2);
  const operation = OPERATIONS[(flags >> 11) & 15] as string;
  const [questions, answers, authorities, additional] = [4, 6, 8, 10].map(word) as [number, number, number, number];
  const end = ` (${bytes.length})`;
  const reader = new DomainReader(bytes);
  if ((flags & 0x8000) === 0) {
    let text = `${word(0)}${operation}${flags & 0x0100 ? "+" : ""}${flags & 0x0010 ? "%" : ""}`;
    if (questions !== 1) text += ` [${questions}q]`;
    if (answers !== 0) text += ` [${answers}a]`;
    if (authorities !== 0) text += ` [${authorities}n]`;
    if (additional !== 0) text += ` [${additional}au]`;
    for (let i = 0; i < questions && !reader.isBroken; i++) text += reader.question();
    return text + end;
  }
  const marks = `${flags & 0x0400 ? "*" : ""}${flags & 0x0080 ? "" : "-"}${flags & 0x0200 ? "|" : ""}${flags & 0x0020 ? "$" : ""}`;
  let text = `${word(0)}${operation}${RESPONSES[flags & 15] ?? ` Resp${flags & 15}`}${marks}`;
  if (questions !== 1) text += ` [${questions}q]`;
  for (let i = 0; i < questions && !reader.isBroken; i++) {
    const question = reader.question();
    if (options.verbosity > 0) text += `${i === 0 ? " q:" : ","}${question}`;
  }
  text += ` ${answers}/${authorities}/${additional}`;
  for (let i = 0; i < answers && !reader.isBroken; i++) text += `${i === 0 ? "" : ","}${reader.record(options.verbosity > 1)}`;
  return text + end;
}

class DomainReader {
  readonly #bytes: Uint8Array;
  #at = HEADER_BYTES;
  isBroken = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** ` A? www.example.com.` */
  question(): string {
    const name = this.#name();
    const type = this.#word();
    const kind = this.#word();
    return ` ${typeName(type)}${kind === CLASS_IN ? "" : ` (Class ${kind})`}? ${name}`;
  }

  /** ` A 192.0.2.1`, of what is known. */
  record(showsTtl: boolean): string {
    this.#name();
    const type = this.#word();
    const kind = this.#word();
    const ttl = this.#word() * 0x10000 + this.#word();
    const size = this.#word();
    const end = this.#at + size;
    let text = ` ${kind === CLASS_IN ? "" : `(Class ${kind}) `}`;
    if (showsTtl) text = ` [${span(ttl)}]${text}`;
    text += typeName(type);
    if (end > this.#bytes.length) this.isBroken = true;
    else if (type === 1 && size === 4) text += ` ${formatIpv4Address((this.#word() * 0x10000 + this.#word()) >>> 0)}`;
    else if (type === 2 || type === 5 || type === 12) text += ` ${this.#name()}`;
    else if (type === 15) {
      const preference = this.#word();
      text += ` ${this.#name()} ${preference}`;
    } else if (type === 16) while (this.#at < end && !this.isBroken) text += ` "${this.#label(this.#bytes[this.#at] as number)}"`;
    this.#at = end;
    return text;
  }

  #word(): number {
    const high = this.#bytes[this.#at];
    const low = this.#bytes[this.#at + 1];
    this.#at += 2;
    if (high === undefined || low === undefined) {
      this.isBroken = true;
      return 0;
    }
    return (high << 8) | low;
  }

  /** So many characters after the byte that counts them. */
  #label(size: number): string {
    const text = Array.from(this.#bytes.subarray(this.#at + 1, this.#at + 1 + size), (byte) => String.fromCharCode(byte)).join("");
    this.#at += 1 + size;
    if (this.#at > this.#bytes.length) this.isBroken = true;
    return text;
  }

  #name(): string {
    let text = "";
    let returnTo: number | undefined;
    for (let jumps = 0; ; ) {
      const size = this.#bytes[this.#at];
      if (size === undefined || jumps > POINTERS_MAX) {
        this.isBroken = true;
        break;
      }
      if ((size & 0xc0) === 0xc0) {
        returnTo ??= this.#at + 2;
        this.#at = ((size & 0x3f) << 8) | (this.#bytes[this.#at + 1] ?? 0);
        jumps++;
        continue;
      }
      if (size === 0) {
        this.#at++;
        break;
      }
      text += `${this.#label(size)}.`;
      if (this.isBroken) break;
    }
    if (returnTo !== undefined) this.#at = returnTo;
    return text === "" ? "." : text;
  }
}

function typeName(type: number): string {
  return TYPES.get(type) ?? `Type${type}`;
}

/** unsigned_relts_print: `1h1m1s`. */
function span(seconds: number): string {
  if (seconds === 0) return "0s";
  const units = [
    ["w", 604800],
    ["d", 86400],
    ["h", 3600],
    ["m", 60],
    ["s", 1],
  ] as const;
  let left = seconds;
  let text = "";
  for (const [letter, size] of units) {
    const count = Math.floor(left / size);
    if (count > 0) text += `${count}${letter}`;
    left -= count * size;
  }
  return text;
}
