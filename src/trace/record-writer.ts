/**
 * Records as lines of JSON: the public form of a trace, one record a line behind a header line. docs/TRACE.md lists the fields.
 *
 *   {"format":"lvsim-trace","version":1,...}
 *   {"id":1,"timeNs":0,"kind":"keyframe",...}
 *   {"id":7,"timeNs":30012000,"kind":"frame-sent","host":"client","cause":5,"device":"eth0","frame":{...}}
 *   {"id":8,"timeNs":30022000,"kind":"frame-received","host":"rs1","cause":7,"device":"eth0","frame":7}
 */

import { formatIpv4Address } from "../base/ipv4-address.ts";
import { formatMacAddress } from "../base/mac-address.ts";
import type { FrameDropped, FrameReceived, ScheduleCandidate, TraceEvent } from "./events.ts";
import type { JsonWriter } from "./json-writer.ts";
import { type PacketPlace, PacketPlaces } from "./packet-places.ts";
import { PacketWriter } from "./packet-writer.ts";
import type { Cell } from "./rows.ts";
import type { RowChange } from "./table-set.ts";

/** Writes records, each with a newline. One writer a trace: frames, packets and payloads that were written before are referred to. */
export class RecordWriter {
  readonly #out: JsonWriter;
  readonly #packets: PacketWriter;
  readonly #places = new PacketPlaces();

  readonly #isWhole: boolean;

  /** `isWhole`: every frame and packet is written whole wherever it is, for readers that look at one line at a time. */
  constructor(out: JsonWriter, options: { readonly isWhole?: boolean } = {}) {
    this.#out = out;
    this.#isWhole = options.isWhole === true;
    this.#packets = new PacketWriter(out, this.#isWhole);
  }

  write(event: TraceEvent): void {
    const out = this.#out;
    const base = this.#isWhole ? undefined : this.#places.get(event.cause);
    this.#packets.begin(event.id);
    this.#number('{"id":', event.id);
    this.#number(',"timeNs":', event.timeNs);
    out.put(',"kind":"');
    out.put(event.kind);
    out.put('","host":');
    out.text(event.host);
    this.#number(',"cause":', event.cause);
    this.#fields(event, base);
    out.put("}\n");
    if (!this.#isWhole) this.#places.note(event);
  }

  #fields(event: TraceEvent, base: PacketPlace | undefined): void {
    const out = this.#out;
    const packets = this.#packets;
    switch (event.kind) {
      case "frame-sent":
        this.#text(',"device":', event.device);
        out.put(',"frame":');
        packets.frame(event.frame, base);
        break;
      case "frame-received":
        this.#text(',"device":', event.device);
        this.#frame(event, base);
        break;
      case "frame-dropped":
        this.#text(',"device":', event.device);
        this.#text(',"reason":', event.reason);
        this.#frame(event, base);
        break;
      case "packet-dropped":
        this.#text(',"reason":', event.reason);
        this.#text(',"detail":', event.detail);
        out.put(',"packet":');
        packets.packetOf(event.packet, base);
        break;
      case "packet-passed":
        this.#text(',"device":', event.device);
        this.#text(',"direction":', event.direction);
        out.put(',"packet":');
        packets.packetOf(event.packet, base);
        break;
      case "packet-rewritten":
        this.#text(',"by":', event.by);
        out.put(',"before":');
        packets.packetOf(event.before, base);
        out.put(',"after":');
        packets.packetOf(event.after, base);
        break;
      case "packet-encapsulated":
        this.#text(',"by":', event.by);
        out.put(',"inner":');
        packets.packetOf(event.inner, base);
        out.put(',"outer":');
        packets.packet(event.outer);
        break;
      case "packet-decapsulated":
        this.#text(',"by":', event.by);
        this.#text(',"device":', event.device);
        out.put(',"outer":');
        packets.packetOf(event.outer, base);
        out.put(',"inner":');
        packets.packet(event.inner);
        break;
      case "neighbour":
        this.#text(',"device":', event.device);
        this.#text(',"address":', formatIpv4Address(event.address));
        this.#text(',"mac":', formatMacAddress(event.mac));
        this.#change(event);
        break;
      case "arp-decision":
        this.#text(',"device":', event.device);
        this.#text(',"target":', formatIpv4Address(event.target));
        this.#text(',"sender":', formatIpv4Address(event.sender));
        out.put(',"isAnswered":');
        out.boolean(event.isAnswered);
        this.#text(',"detail":', event.detail);
        break;
      case "route":
        this.#text(',"direction":', event.direction);
        this.#text(',"dst":', formatIpv4Address(event.dst));
        this.#text(',"src":', formatIpv4Address(event.src));
        this.#text(',"type":', event.type);
        this.#text(',"device":', event.device);
        this.#text(',"gateway":', formatIpv4Address(event.gateway));
        this.#number(',"table":', event.table);
        this.#text(',"detail":', event.detail);
        break;
      case "netfilter":
        this.#text(',"table":', event.table);
        this.#text(',"chain":', event.chain);
        this.#text(',"rule":', event.rule);
        this.#text(',"verdict":', event.verdict);
        out.put(',"packet":');
        packets.packetOf(event.packet, base);
        break;
      case "scheduled":
        this.#text(',"service":', event.service);
        this.#text(',"scheduler":', event.scheduler);
        this.#text(',"client":', formatIpv4Address(event.client));
        this.#number(',"clientPort":', event.clientPort);
        this.#candidates(event.candidates);
        if (event.chosen === undefined) out.put(',"chosen":null');
        else this.#text(',"chosen":', event.chosen);
        this.#text(',"by":', event.by);
        break;
      case "tcp-state":
        this.#text(',"socket":', event.socket);
        this.#change(event);
        break;
      case "rows":
        this.#rowChanges(event.changes);
        break;
      default:
        this.#plain(event);
    }
  }

  /** A frame is written once: who gets it names the record that sent it. */
  #frame({ frame, cause }: FrameReceived | FrameDropped, base: PacketPlace | undefined): void {
    this.#out.put(',"frame":');
    if (this.#places.frame(cause) === frame) this.#out.number(cause);
    else this.#packets.frame(frame, base);
  }

  #candidates(candidates: readonly ScheduleCandidate[]): void {
    const out = this.#out;
    out.put(',"candidates":[');
    let comma = '{"address":';
    for (const candidate of candidates) {
      this.#text(comma, formatIpv4Address(candidate.address));
      this.#number(',"port":', candidate.port);
      this.#number(',"weight":', candidate.weight);
      this.#number(',"activeConns":', candidate.activeConns);
      this.#number(',"inactConns":', candidate.inactConns);
      if (candidate.overhead === undefined) out.put(',"overhead":null');
      else this.#number(',"overhead":', candidate.overhead);
      out.put(',"isEligible":');
      out.boolean(candidate.isEligible);
      out.put("}");
      comma = ',{"address":';
    }
    out.put("]");
  }

  #rowChanges(changes: readonly RowChange[]): void {
    const out = this.#out;
    out.put(',"changes":[');
    let comma = '{"table":"';
    for (const { table, key, change, set } of changes) {
      out.put(comma);
      out.put(table);
      this.#text('","key":', key);
      out.put(',"change":"');
      out.put(change);
      out.put('","set":{');
      this.#row(set);
      out.put("}}");
      comma = ',{"table":"';
    }
    out.put("]");
  }

  #row(row: RowChange["set"]): void {
    const out = this.#out;
    let quote = '"';
    for (const field in row) {
      const cell = row[field] as Cell;
      out.put(quote);
      out.put(field);
      out.put('":');
      if (typeof cell === "string") out.text(cell);
      else if (typeof cell === "number") out.number(cell);
      else out.put(String(cell));
      quote = ',"';
    }
  }

  /** Kinds that are rare: all their fields are plain values. */
  #plain(event: TraceEvent): void {
    const out = this.#out;
    for (const [field, value] of Object.entries(event)) {
      if (STAMP.has(field)) continue;
      out.put(',"');
      out.put(field);
      out.put('":');
      if (typeof value === "string") out.text(value);
      else if (typeof value === "object" && value !== null) this.#nested(value as Readonly<Record<string, unknown>>);
      else out.put(String(value));
    }
  }

  /** Objects of objects down to plain values: the tables of a keyframe. */
  #nested(object: Readonly<Record<string, unknown>>): void {
    const out = this.#out;
    out.put("{");
    let isFirst = true;
    for (const [name, value] of Object.entries(object)) {
      if (!isFirst) out.put(",");
      isFirst = false;
      out.text(name);
      out.put(":");
      if (typeof value === "string") out.text(value);
      else if (typeof value === "object" && value !== null) this.#nested(value as Readonly<Record<string, unknown>>);
      else out.put(String(value));
    }
    out.put("}");
  }

  #change(event: { readonly before: string; readonly after: string }): void {
    this.#text(',"before":', event.before);
    this.#text(',"after":', event.after);
  }

  #text(name: string, value: string): void {
    this.#out.put(name);
    this.#out.text(value);
  }

  #number(name: string, value: number): void {
    this.#out.put(name);
    this.#out.number(value);
  }
}

const STAMP: ReadonlySet<string> = new Set(["id", "timeNs", "kind", "host", "cause"]);
