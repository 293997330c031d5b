/**
 * What tcpdump says about UDP payloads that it knows by their port: DNS (53, 5353) and syslog (514).
 *
 * Follows the lines that tcpdump 4.99.3 prints (print-domain.c, print-syslog.c); test/unit/wire/udp-text.json has them for packets of all kinds.
 */

import { latin1 } from "../base/bytes.ts";
import { formatIpv4Address } from "../base/ipv4-address.ts";
import { get16, get32 } from "./byte-order.ts";
import type { PrintOptions } from "./print.ts";

const HEADER_BYTES = 12;
const DOMAIN_PORT = 53;
const MULTICAST_PORT = 5353;
const SYSLOG_PORT = 514;
const OPERATIONS = ["", " inv_q", " stat", " op3", " notify", " update", " op6", " op7", " op8", " updateA", " updateD", " updateDA", " updateM", " updateMA", " zoneInit", " zoneRef"];
const INVERSE_QUERY = 1;
const RESPONSES: readonly (string | undefined)[] = ["", " FormErr", " ServFail", " NXDomain", " NotImp", " Refused", " YXDomain", " YXRRSet", " NXRRSet", " NotAuth", " NotZone"];
/** Bits of the flags that a query should not have. */
const ODD_FLAGS = 0x06cf;
const CLASSES: ReadonlyMap<number, string> = new Map([
  [1, ""],
  [3, " CHAOS"],
  [4, " HS"],
  [255, " ANY"],
]);
/** Of multicast DNS: in a question "answer me alone", in an answer "forget what you had". */
const MULTICAST_BIT = 0x8000;
const OPT = 41;
const DNSSEC_OK = 0x8000;
const TYPES: readonly string[] = (
  "A NS MD MF CNAME SOA MB MG MR NULL WKS PTR HINFO MINFO MX TXT RP AFSDB X25 ISDN RT NSAP NSAP_PTR SIG KEY PX GPOS AAAA LOC NXT EID NIMLOC SRV " +
  "ATMA NAPTR KX CERT A6 DNAME SINK OPT APL DS SSHFP IPSECKEY RRSIG NSEC DNSKEY"
).split(" ");
const LATER_TYPES: ReadonlyMap<number, string> = new Map([
  ...["SPF", "UINFO", "UID", "GID", "UNSPEC", "UNSPECA"].map((name, i) => [99 + i, name] as const),
  ...["TKEY", "TSIG", "IXFR", "AXFR", "MAILB", "MAILA", "ANY", "URI"].map((name, i) => [249 + i, name] as const),
]);

const SEVERITIES = ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"];
const FACILITIES = ["kernel", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "security", "console", "cron"];

/** After the addresses; undefined for ports that tcpdump does not know. `payload`: undefined when it is not bytes. */
export function formatUdpText(ports: readonly number[], payload: Uint8Array | undefined, length: number, options: PrintOptions): string | undefined {
  const isMulticast = ports.includes(MULTICAST_PORT);
  if (isMulticast || ports.includes(DOMAIN_PORT)) {
    if (length < HEADER_BYTES) return `domain [length ${length} < ${HEADER_BYTES}] (invalid)`;
    return payload === undefined ? undefined : new DomainMessage(payload, isMulticast && !ports.includes(DOMAIN_PORT), options.verbosity).format();
  }
  return ports.includes(SYSLOG_PORT) && payload !== undefined ? formatSyslog(payload, options.verbosity) : undefined;
}

function formatSyslog(payload: Uint8Array, verbosity: number): string {
  const text = latin1(payload);
  if (/^<\d{0,3}$/.test(text)) return " [|syslog]";
  const priority = /^<(\d{0,3})>/.exec(text);
  if (priority === null) return " (invalid)";
  const value = Number(priority[1]);
  const number = value >> 3;
  const severity = SEVERITIES[value & 7] as string;
  const facility = FACILITIES[number] ?? (number < 24 ? `local${number - 16}` : `unknown (${number})`);
  if (verbosity === 0) return `SYSLOG ${facility}.${severity}, length: ${payload.length}`;
  const message = Array.from(payload.subarray(priority[0].length), visible).join("");
  const told = `SYSLOG, length: ${payload.length}\n\tFacility ${facility} (${number}), Severity ${severity} (${value & 7})\n\tMsg: ${message}`;
  return verbosity > 1 ? told + hexLines(payload) : told;
}

/** util-print.c:fn_print_char. */
function visible(byte: number): string {
  const low = byte & 0x7f;
  return `${byte > 0x7f ? "M-" : ""}${low < 0x20 || low === 0x7f ? `^${String.fromCharCode(low ^ 0x40)}` : String.fromCharCode(low)}`;
}

/** print-ascii.c:hex_print. */
function hexLines(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at++) {
    if (at % 16 === 0) text += `\n\t0x${at.toString(16).padStart(4, "0")}: `;
    text += `${at % 2 === 0 ? " " : ""}${(bytes[at] as number).toString(16).padStart(2, "0")}`;
  }
  return text;
}

/** More is announced than there is. */
class Truncated extends Error {}

class DomainMessage {
  readonly #bytes: Uint8Array;
  readonly #isMulticast: boolean;
  readonly #verbosity: number;
  #at = HEADER_BYTES;
  #text = "";

  constructor(bytes: Uint8Array, isMulticast: boolean, verbosity: number) {
    this.#bytes = bytes;
    this.#isMulticast = isMulticast;
    this.#verbosity = verbosity;
  }

  /** domain_print. */
  format(): string {
    const flags = get16(this.#bytes, 2);
    this.#text = `${get16(this.#bytes, 0)}${OPERATIONS[(flags >> 11) & 15]}`;
    try {
      if ((flags & 0x8000) === 0) this.#query(flags);
      else this.#response(flags);
      return `${this.#text} (${this.#bytes.length})`;
    } catch (error) {
      if (error instanceof Truncated) return `${this.#text} [|domain]`;
      throw error;
    }
  }

  #query(flags: number): void {
    const [questions, answers, authorities, additional] = this.#counts();
    if (flags & 0x0100) this.#text += "+";
    if (flags & 0x0010) this.#text += "%";
    if (flags & ODD_FLAGS) this.#text += ` [b2&3=0x${flags.toString(16)}]`;
    if (((flags >> 11) & 15) === INVERSE_QUERY) {
      if (questions !== 0) this.#text += ` [${questions}q]`;
      if (answers !== 1) this.#text += ` [${answers}a]`;
    } else {
      if (answers !== 0) this.#text += ` [${answers}a]`;
      if (questions !== 1) this.#text += ` [${questions}q]`;
    }
    if (authorities !== 0) this.#text += ` [${authorities}n]`;
    if (additional !== 0) this.#text += ` [${additional}au]`;
    for (let i = 0; i < questions; i++) this.#question(true);
    if (this.#verbosity < 2) return;
    this.#records(answers, "");
    this.#records(authorities, " ns:");
    this.#records(additional, " ar:");
  }

  #response(flags: number): void {
    const [questions, answers, authorities, additional] = this.#counts();
    const code = flags & 15;
    this.#text += RESPONSES[code] ?? (code === 15 ? " NoChange" : ` Resp${code}`);
    this.#text += `${flags & 0x0400 ? "*" : ""}${flags & 0x0080 ? "" : "-"}${flags & 0x0200 ? "|" : ""}${flags & 0x0020 ? "$" : ""}`;
    if (questions !== 1) this.#text += ` [${questions}q]`;
    for (let i = 0; i < questions; i++) {
      if (i > 0) this.#text += ",";
      if (this.#verbosity > 1) this.#text += " q:";
      this.#question(this.#verbosity > 1);
    }
    this.#text += ` ${answers}/${authorities}/${additional}`;
    this.#records(answers, "");
    if (this.#verbosity < 2) return;
    this.#records(authorities, " ns:");
    this.#records(additional, " ar:");
  }

  #counts(): readonly [number, number, number, number] {
    const [questions = 0, answers = 0, authorities = 0, additional = 0] = [4, 6, 8, 10].map((at) => get16(this.#bytes, at));
    return [questions, answers, authorities, additional];
  }

  /** ns_qprint: ` A? www.example.com.`; passed over when it is not shown. */
  #question(isShown: boolean): void {
    if (!isShown) {
      this.#skipName();
      this.#at += 4;
      return;
    }
    const name = this.#name();
    const type = this.#word();
    const kind = this.#word();
    const how = !this.#isMulticast ? "" : kind & MULTICAST_BIT ? " (QU)" : " (QM)";
    this.#text += ` ${typeName(type)}${className(this.#isMulticast ? kind & ~MULTICAST_BIT : kind)}${how}? ${name}`;
  }

  #records(count: number, title: string): void {
    for (let i = 0; i < count; i++) {
      if (this.#at === this.#bytes.length) throw new Truncated();
      // A question that was passed over may have ended behind the packet: that is not remarked upon where names are not shown.
      if (this.#verbosity === 0 && this.#at > this.#bytes.length) return;
      this.#text += i === 0 ? title : ",";
      this.#record();
    }
  }

  /** ns_rprint: ` www.example.com. [1h] A 192.0.2.1`, more of it the more is asked for. */
  #record(): void {
    if (this.#verbosity === 0) this.#skipName();
    else {
      this.#text += " ";
      this.#text += this.#name();
    }
    const type = this.#word();
    const kind = this.#word();
    const ttl = this.#word() * 0x10000 + this.#word();
    const size = this.#word();
    if (type !== OPT) {
      this.#text += className(this.#isMulticast ? kind & ~MULTICAST_BIT : kind);
      if (this.#isMulticast && kind & MULTICAST_BIT) this.#text += " (Cache flush)";
      if (this.#verbosity > 2) this.#text += ` [${span(ttl)}]`;
    }
    this.#text += ` ${typeName(type)}`;
    const end = this.#at + size;
    if (end > this.#bytes.length) throw new Truncated();
    this.#text += type === OPT ? ` UDPsize=${kind}${ttl & DNSSEC_OK ? " DO" : ""}` : this.#data(typeName(type), end);
    this.#at = end;
  }

  #data(type: string, end: number): string {
    switch (type) {
      case "A":
        return ` ${formatIpv4Address(this.#long())}`;
      case "AAAA":
        return ` ${formatIpv6(Array.from({ length: 8 }, () => this.#word()))}`;
      case "NS":
      case "CNAME":
      case "PTR":
      case "DNAME":
        return ` ${this.#name()}`;
      case "SOA": {
        const names = ` ${this.#name()} ${this.#name()}`;
        return this.#verbosity > 0 ? `${names}${Array.from({ length: 5 }, () => ` ${this.#long()}`).join("")}` : "";
      }
      case "MX": {
        const preference = this.#word();
        return ` ${this.#name()} ${preference}`;
      }
      case "SRV": {
        const [priority, weight, port] = [this.#word(), this.#word(), this.#word()];
        return ` ${this.#name()}:${port} ${priority} ${weight}`;
      }
      case "TXT": {
        let text = "";
        while (this.#at < end) text += ` "${this.#label()}"`;
        return text;
      }
      default:
        return "";
    }
  }

  #word(): number {
    if (this.#at + 2 > this.#bytes.length) throw new Truncated();
    this.#at += 2;
    return get16(this.#bytes, this.#at - 2);
  }

  #long(): number {
    if (this.#at + 4 > this.#bytes.length) throw new Truncated();
    this.#at += 4;
    return get32(this.#bytes, this.#at - 4);
  }

  /** A byte that counts, and so many characters. */
  #label(): string {
    const from = this.#at + 1;
    const end = from + (this.#bytes[this.#at] ?? 0);
    if (end > this.#bytes.length) throw new Truncated();
    this.#at = end;
    return latin1(this.#bytes.subarray(from, end));
  }

  #skipName(): void {
    for (;;) {
      const size = this.#bytes[this.#at];
      if (size === undefined) throw new Truncated();
      if (size === 0 || (size & 0xc0) === 0xc0) {
        this.#at += size === 0 ? 1 : 2;
        return;
      }
      this.#label();
    }
  }

  /** ns_nprint. A pointer leads back, always further: names end. */
  #name(): string {
    let text = "";
    let returnTo: number | undefined;
    let limit = this.#at;
    for (;;) {
      const size = this.#bytes[this.#at];
      if (size === undefined) throw new Truncated();
      if ((size & 0xc0) === 0xc0) {
        const target = this.#word() & 0x3fff;
        returnTo ??= this.#at;
        if (target >= limit) {
          this.#text += "<BAD PTR>";
          throw new Truncated();
        }
        this.#at = target;
        limit = target;
      } else if (size === 0) {
        this.#at = returnTo ?? this.#at + 1;
        return text === "" ? "." : text;
      } else text += `${this.#label()}.`;
    }
  }
}

function typeName(type: number): string {
  return TYPES[type - 1] ?? LATER_TYPES.get(type) ?? `Type${type}`;
}

function className(kind: number): string {
  return CLASSES.get(kind) ?? ` (Class ${kind})`;
}

/** RFC 5952: the longest run of zeros left out. */
function formatIpv6(words: readonly number[]): string {
  const text = words.map((word) => word.toString(16)).join(":");
  const runs = [...text.matchAll(/(?:^|:)0(?::0)+(?=:|$)/g)].sort((a, b) => b[0].split("0").length - a[0].split("0").length);
  const run = runs[0];
  if (run === undefined) return text;
  return `${text.slice(0, run.index)}::${text.slice(run.index + run[0].length).replace(/^:/, "")}`;
}

/** util-print.c:unsigned_relts_print: `1h1m1s`. */
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
