/**
 * Records out of the lines that record-writer.ts has written.
 */

import type { EthernetFrame } from "../wire/packet.ts";
import type { ScheduleCandidate, Scheduled, TraceEvent, TraceKind } from "./events.ts";
import { PacketPlaces } from "./packet-places.ts";
import { objectOf, PacketReader, readAddress, readMac, readNumber, readText, TraceFormatError } from "./packet-reader.ts";

/** Turns lines back into records. One reader a trace, all lines in order. */
export class RecordReader {
  readonly #packets = new PacketReader();
  readonly #places = new PacketPlaces();

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
    for (const field of read.packets ?? []) json[field] = this.#packets.packetOf(json[field], this.#places);
    for (const field of read.addresses ?? []) json[field] = readAddress(json, field);
    if (kind === "neighbour") json.mac = readMac(json, "mac");
    if (kind === "scheduled") readScheduled(json);
    if (read.hasFrame === true) json.frame = this.#frame(json, kind === "frame-sent", id);
    const event = json as unknown as TraceEvent;
    this.#places.note(event);
    return event;
  }

  #frame(json: Record<string, unknown>, isSent: boolean, id: number): EthernetFrame {
    if (typeof json.frame === "number") {
      const frame = this.#places.frame(json.frame);
      if (frame === undefined) throw new TraceFormatError(`\`frame\` names record ${json.frame}, which is not there: is the beginning of the trace missing?`);
      return frame;
    }
    const frame = this.#packets.frame(json.frame, this.#places);
    if (isSent) frame.traceId = id;
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
  fault: {},
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
