/**
 * Records as lines of JSON and back: the public form of a trace, one record a line behind a header line. docs/TRACE.md lists the fields.
 *
 *   {"format":"lvsim-trace","version":1,...}
 *   {"id":1,"timeNs":0,"kind":"keyframe",...}
 *   {"id":7,"timeNs":30012000,"kind":"frame-sent","host":"client","cause":5,"device":"eth0","frame":{...}}
 *   {"id":8,"timeNs":30022000,"kind":"frame-received","host":"rs1","cause":7,"device":"eth0","frame":7}
 */

import type { EthernetFrame } from "../wire/packet.ts";
import type { ScheduleCandidate, Scheduled, TraceEvent, TraceKind } from "./events.ts";
import { addressText, macText, objectOf, PacketReader, PacketWriter, readAddress, readMac, readNumber, readText, TraceFormatError } from "./packet-json.ts";

export const TRACE_FORMAT = "lvsim-trace";
export const TRACE_VERSION = 1;

/** A frame is written once; later records name the one that has it, unless so many others were sent since. */
const FRAME_WINDOW = 65_536;

/** One interface of the world that a trace is of. */
export interface TraceInterface {
  readonly name: string;
  readonly link: string;
  readonly mac: string;
}

/** The first line: what the trace is of. Nothing of the machine that wrote it. */
export interface TraceHeader {
  readonly format: typeof TRACE_FORMAT;
  readonly version: number;
  /** frames, packets or full. */
  readonly level: string;
  readonly title: string;
  readonly seed: string;
  readonly hosts: readonly { readonly name: string; readonly interfaces: readonly TraceInterface[] }[];
  readonly links: readonly string[];
  /** The scenario file, when the trace is of one. */
  readonly scenario: string | null;
}

export function headerLine(header: Omit<TraceHeader, "format" | "version">): string {
  return JSON.stringify({ format: TRACE_FORMAT, version: TRACE_VERSION, ...header });
}

/** The header in a line; a TraceFormatError says what is wrong: no trace, or a version that this program does not know. */
export function readHeader(line: string): TraceHeader {
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    throw new TraceFormatError(`this is no trace: its first line is not the JSON of a header ("format":"${TRACE_FORMAT}")`);
  }
  const { format, version } = objectOf(json, "header");
  if (format !== TRACE_FORMAT) throw new TraceFormatError(`this is no trace: the first line does not say "format":"${TRACE_FORMAT}"`);
  if (version !== TRACE_VERSION)
    throw new TraceFormatError(`the trace has version ${JSON.stringify(version)}, this program reads version ${TRACE_VERSION}: write it again, or use the program that wrote it`);
  const header = json as TraceHeader;
  for (const field of ["level", "title", "seed"] as const) readText(json as Record<string, unknown>, field);
  if (!Array.isArray(header.hosts) || !Array.isArray(header.links)) throw new TraceFormatError("`hosts` and `links` of the header must be lists");
  return header;
}

/* --------------------------------------------------------------------------------------------------------------- writing */

/** Turns records into lines without newlines. One writer a trace: frames and payloads that were written before are referred to. */
export class RecordWriter {
  readonly #packets = new PacketWriter();
  readonly #sent = new WeakMap<EthernetFrame, { readonly id: number; readonly order: number }>();
  #sentCount = 0;

  line(event: TraceEvent): string {
    this.#packets.begin(event.id);
    return `{"id":${event.id},"timeNs":${event.timeNs},"kind":"${event.kind}","host":${quoted(event.host)},"cause":${event.cause}${this.#fields(event)}}`;
  }

  #fields(event: TraceEvent): string {
    const packets = this.#packets;
    switch (event.kind) {
      case "frame-sent":
        this.#sent.set(event.frame, { id: event.id, order: this.#sentCount++ });
        return `,"device":${quoted(event.device)},"frame":${packets.frame(event.frame)}`;
      case "frame-received":
        return `,"device":${quoted(event.device)},"frame":${this.#frameOf(event.frame)}`;
      case "frame-dropped":
        return `,"device":${quoted(event.device)},"reason":"${event.reason}","frame":${this.#frameOf(event.frame)}`;
      case "packet-dropped":
        return `,"reason":"${event.reason}","detail":${JSON.stringify(event.detail)},"packet":${packets.packet(event.packet)}`;
      case "packet-passed":
        return `,"device":${quoted(event.device)},"direction":"${event.direction}","packet":${packets.packet(event.packet)}`;
      case "packet-rewritten":
        return `,"by":"${event.by}","before":${packets.packet(event.before)},"after":${packets.packet(event.after)}`;
      case "packet-encapsulated":
        return `,"by":"${event.by}","inner":${packets.packet(event.inner)},"outer":${packets.packet(event.outer)}`;
      case "packet-decapsulated":
        return `,"by":"${event.by}","device":${quoted(event.device)},"outer":${packets.packet(event.outer)},"inner":${packets.packet(event.inner)}`;
      case "neighbour":
        return `,"device":${quoted(event.device)},"address":"${addressText(event.address)}","mac":"${macText(event.mac)}","before":"${event.before}","after":"${event.after}"`;
      case "arp-decision":
        return `,"device":${quoted(event.device)},"target":"${addressText(event.target)}","sender":"${addressText(event.sender)}","isAnswered":${event.isAnswered},"detail":${JSON.stringify(event.detail)}`;
      case "route":
        return `,"direction":"${event.direction}","dst":"${addressText(event.dst)}","src":"${addressText(event.src)}","type":"${event.type}","device":${quoted(event.device)},"gateway":"${addressText(event.gateway)}","table":${event.table},"detail":${JSON.stringify(event.detail)}`;
      case "netfilter":
        return `,"table":"${event.table}","chain":${JSON.stringify(event.chain)},"rule":${JSON.stringify(event.rule)},"verdict":${JSON.stringify(event.verdict)},"packet":${packets.packet(event.packet)}`;
      case "scheduled":
        return `,"service":${JSON.stringify(event.service)},"scheduler":${JSON.stringify(event.scheduler)},"client":"${addressText(event.client)}","clientPort":${event.clientPort},"candidates":${candidatesJson(event.candidates)},"chosen":${event.chosen === undefined ? "null" : JSON.stringify(event.chosen)},"by":"${event.by}"`;
      case "tcp-state":
        return `,"socket":"${event.socket}","before":"${event.before}","after":"${event.after}"`;
      case "rows":
        return `,"changes":${JSON.stringify(event.changes)}`;
      default: {
        const { id: _id, timeNs: _timeNs, kind: _kind, host: _host, cause: _cause, ...rest } = event;
        const text = JSON.stringify(rest);
        return text === "{}" ? "" : `,${text.slice(1, -1)}`;
      }
    }
  }

  #frameOf(frame: EthernetFrame): string {
    const sent = this.#sent.get(frame);
    return sent !== undefined && this.#sentCount - sent.order <= FRAME_WINDOW ? String(sent.id) : this.#packets.frame(frame);
  }
}

const NAMES_MAX = 65_536;
const names = new Map<string, string>();

/** JSON of a host's or device's name, remembered. */
function quoted(name: string): string {
  let text = names.get(name);
  if (text !== undefined) return text;
  text = JSON.stringify(name);
  if (names.size >= NAMES_MAX) names.clear();
  names.set(name, text);
  return text;
}

function candidatesJson(candidates: readonly ScheduleCandidate[]): string {
  const one = ({ address, port, weight, activeConns, inactConns, overhead, isEligible }: ScheduleCandidate) =>
    `{"address":"${addressText(address)}","port":${port},"weight":${weight},"activeConns":${activeConns},"inactConns":${inactConns},"overhead":${overhead ?? "null"},"isEligible":${isEligible}}`;
  return `[${candidates.map(one).join(",")}]`;
}

/* --------------------------------------------------------------------------------------------------------------- reading */

/** Turns lines back into records. One reader a trace, all lines in order. */
export class RecordReader {
  readonly #packets = new PacketReader();
  readonly #frames = new Map<number, EthernetFrame>();

  /** Throws a TraceFormatError that says what is wrong with the line. */
  read(line: string): TraceEvent {
    let json: Record<string, unknown>;
    try {
      json = objectOf(JSON.parse(line), "record") as Record<string, unknown>;
    } catch (error) {
      throw error instanceof TraceFormatError ? error : new TraceFormatError("the line is no JSON: is the end of the trace missing?");
    }
    const id = readNumber(json, "id");
    for (const field of ["timeNs", "cause"]) readNumber(json, field);
    readText(json, "host");
    const kind = readText(json, "kind");
    const read = FIELD_READERS[kind as TraceKind];
    if (read === undefined) throw new TraceFormatError(`records of kind "${kind}" are not known`);
    this.#packets.begin(id);
    for (const field of read.packets ?? []) json[field] = this.#packets.packet(json[field]);
    for (const field of read.addresses ?? []) json[field] = readAddress(json, field);
    if (kind === "neighbour") json.mac = readMac(json, "mac");
    if (kind === "scheduled") readScheduled(json);
    if (read.hasFrame === true) json.frame = this.#frame(json, kind === "frame-sent", id);
    return json as unknown as TraceEvent;
  }

  #frame(json: Record<string, unknown>, isSent: boolean, id: number): EthernetFrame {
    if (typeof json.frame === "number") {
      const frame = this.#frames.get(json.frame);
      if (frame === undefined) throw new TraceFormatError(`\`frame\` names record ${json.frame}, which is not there: is the beginning of the trace missing?`);
      return frame;
    }
    const frame = this.#packets.frame(json.frame);
    if (isSent) {
      frame.traceId = id;
      this.#frames.set(id, frame);
      if (this.#frames.size > FRAME_WINDOW) this.#frames.delete(this.#frames.keys().next().value as number);
    }
    return frame;
  }
}

/** What of a record's fields is no plain value. The order is that of writing. */
interface FieldReader {
  readonly packets?: readonly string[];
  readonly addresses?: readonly string[];
  readonly hasFrame?: boolean;
}

const FIELD_READERS: Readonly<Record<TraceKind, FieldReader>> = {
  "frame-sent": { hasFrame: true },
  "frame-received": { hasFrame: true },
  "frame-dropped": { hasFrame: true },
  "packet-dropped": { packets: ["packet"] },
  "packet-passed": { packets: ["packet"] },
  "packet-rewritten": { packets: ["before", "after"] },
  "packet-encapsulated": { packets: ["inner", "outer"] },
  "packet-decapsulated": { packets: ["outer", "inner"] },
  neighbour: { addresses: ["address"] },
  "arp-decision": { addresses: ["target", "sender"] },
  route: { addresses: ["dst", "src", "gateway"] },
  netfilter: { packets: ["packet"] },
  scheduled: { addresses: ["client"] },
  "ipvs-connection": {},
  "tcp-state": {},
  sysctl: {},
  table: {},
  "command-start": {},
  "command-end": {},
  link: {},
  log: {},
  origin: {},
  rows: {},
  keyframe: {},
};

/** Every kind of record. */
export const TRACE_KINDS = Object.keys(FIELD_READERS) as readonly TraceKind[];

function readScheduled(json: Record<string, unknown>): void {
  if (!Array.isArray(json.candidates)) throw new TraceFormatError("`candidates` is missing or no list");
  json.candidates = json.candidates.map((value): ScheduleCandidate => {
    const candidate = objectOf(value, "candidates") as unknown as ScheduleCandidate;
    return { ...candidate, address: readAddress(value as Record<string, unknown>, "address"), overhead: candidate.overhead ?? undefined };
  });
  (json as unknown as { chosen: Scheduled["chosen"] | null }).chosen ??= undefined;
}
