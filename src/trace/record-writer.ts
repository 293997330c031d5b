/**
 * Records as lines of JSON: the public form of a trace, one record a line behind a header line. docs/TRACE.md lists the fields.
 *
 *   {"format":"lvsim-trace","version":1,...}
 *   {"id":1,"timeNs":0,"kind":"keyframe",...}
 *   {"id":7,"timeNs":30012000,"kind":"frame-sent","host":"client","cause":5,"device":"eth0","frame":{...}}
 *   {"id":8,"timeNs":30022000,"kind":"frame-received","host":"rs1","cause":7,"device":"eth0","frame":7}
 */

import type { Ipv4Address } from "../base/ipv4-address.ts";
import type { FrameDropped, FrameReceived, ScheduleCandidate, TraceEvent, TraceKind } from "./events.ts";
import { ascii, type JsonWriter } from "./json-writer.ts";
import { type PacketPlace, PacketPlaces } from "./packet-places.ts";
import { PacketWriter } from "./packet-writer.ts";
import { TRACE_KINDS } from "./record-reader.ts";
import type { Cell } from "./rows.ts";
import type { RowChange } from "./table-set.ts";

const ID = ascii('{"id":');
const TIME_NS = ascii(',"timeNs":');
const CAUSE = ascii(',"cause":');
const END = ascii('}\n');
const DEVICE = ascii(',"device":');
const FRAME = ascii(',"frame":');
const REASON = ascii(',"reason":');
const DETAIL = ascii(',"detail":');
const PACKET = ascii(',"packet":');
const DIRECTION = ascii(',"direction":');
const FIGURES = ascii(',"figures":');
const NULL = ascii('null');
const BY = ascii(',"by":');
const BEFORE = ascii(',"before":');
const AFTER = ascii(',"after":');
const INNER = ascii(',"inner":');
const OUTER = ascii(',"outer":');
const ADDRESS = ascii(',"address":');
const MAC = ascii(',"mac":');
const TARGET = ascii(',"target":');
const SENDER = ascii(',"sender":');
const IS_ANSWERED = ascii(',"isAnswered":');
const DST = ascii(',"dst":');
const SRC = ascii(',"src":');
const TYPE = ascii(',"type":');
const GATEWAY = ascii(',"gateway":');
const TABLE = ascii(',"table":');
const CHAIN = ascii(',"chain":');
const RULE = ascii(',"rule":');
const VERDICT = ascii(',"verdict":');
const SERVICE = ascii(',"service":');
const SCHEDULER = ascii(',"scheduler":');
const CLIENT = ascii(',"client":');
const CLIENT_PORT = ascii(',"clientPort":');
const CHOSEN_NULL = ascii(',"chosen":null');
const CHOSEN = ascii(',"chosen":');
const SOCKET = ascii(',"socket":');
const CANDIDATES = ascii(',"candidates":[');
const PORT = ascii(',"port":');
const WEIGHT = ascii(',"weight":');
const ACTIVE_CONNS = ascii(',"activeConns":');
const INACT_CONNS = ascii(',"inactConns":');
const OVERHEAD_NULL = ascii(',"overhead":null');
const OVERHEAD = ascii(',"overhead":');
const IS_ELIGIBLE = ascii(',"isEligible":');
const CLOSE = ascii('}');
const CLOSE_LIST = ascii(']');
const CHANGES = ascii(',"changes":[');
const CLOSE_TWO = ascii('}}');
const OPEN = ascii('{');
const COMMA = ascii(',');
const COLON = ascii(':');
const FIRST_ADDRESS = ascii('{"address":');
const NEXT_ADDRESS = ascii(',{"address":');
const FIRST_TABLE = ascii('{"table":');
const NEXT_TABLE = ascii(',{"table":');
const KEY = ascii(',"key":');
const NOTHING = ascii('');

/** `,"change":"add","set":{` and the like. */
const CHANGES_OF: Readonly<Record<RowChange["change"], Uint8Array>> = {
  add: ascii(',"change":"add","set":{'),
  change: ascii(',"change":"change","set":{'),
  remove: ascii(',"change":"remove","set":{'),
};

/** `,"kind":"frame-sent","host":` and the like. */
const KINDS: Readonly<Record<TraceKind, Uint8Array>> = Object.fromEntries(TRACE_KINDS.map((kind) => [kind, ascii(`,"kind":"${kind}","host":`)])) as Record<TraceKind, Uint8Array>;

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
    this.#number(ID, event.id);
    this.#number(TIME_NS, event.timeNs);
    out.put(KINDS[event.kind]);
    out.name(event.host);
    this.#number(CAUSE, event.cause);
    this.#fields(event, base);
    out.put(END);
    if (!this.#isWhole) this.#places.note(event);
  }

  #fields(event: TraceEvent, base: PacketPlace | undefined): void {
    const out = this.#out;
    const packets = this.#packets;
    switch (event.kind) {
      case "frame-sent":
        this.#name(DEVICE, event.device);
        out.put(FRAME);
        packets.frame(event.frame, base);
        break;
      case "frame-received":
        this.#name(DEVICE, event.device);
        this.#frame(event, base);
        break;
      case "frame-dropped":
        this.#name(DEVICE, event.device);
        this.#name(REASON, event.reason);
        this.#frame(event, base);
        break;
      case "packet-dropped":
        this.#name(REASON, event.reason);
        this.#text(DETAIL, event.detail);
        out.put(PACKET);
        packets.packetOf(event.packet, base);
        break;
      case "packet-passed":
        this.#name(DEVICE, event.device);
        this.#name(DIRECTION, event.direction);
        out.put(PACKET);
        packets.packetOf(event.packet, base);
        break;
      case "packet-rewritten":
        this.#name(BY, event.by);
        out.put(BEFORE);
        packets.packetOf(event.before, base);
        out.put(AFTER);
        packets.packetOf(event.after, base);
        break;
      case "packet-encapsulated":
        this.#name(BY, event.by);
        out.put(INNER);
        packets.packetOf(event.inner, base);
        out.put(OUTER);
        packets.packet(event.outer);
        break;
      case "packet-decapsulated":
        this.#name(BY, event.by);
        this.#name(DEVICE, event.device);
        out.put(OUTER);
        packets.packetOf(event.outer, base);
        out.put(INNER);
        packets.packet(event.inner);
        break;
      case "neighbour":
        this.#name(DEVICE, event.device);
        this.#address(ADDRESS, event.address);
        out.put(MAC);
        out.mac(event.mac);
        this.#change(event);
        break;
      case "arp-decision":
        this.#name(DEVICE, event.device);
        this.#address(TARGET, event.target);
        this.#address(SENDER, event.sender);
        out.put(IS_ANSWERED);
        out.boolean(event.isAnswered);
        this.#text(DETAIL, event.detail);
        break;
      case "route":
        this.#name(DIRECTION, event.direction);
        this.#address(DST, event.dst);
        this.#address(SRC, event.src);
        this.#name(TYPE, event.type);
        this.#name(DEVICE, event.device);
        this.#address(GATEWAY, event.gateway);
        this.#number(TABLE, event.table);
        this.#text(DETAIL, event.detail);
        break;
      case "netfilter":
        this.#name(TABLE, event.table);
        this.#name(CHAIN, event.chain);
        this.#name(RULE, event.rule);
        this.#name(VERDICT, event.verdict);
        out.put(PACKET);
        packets.packetOf(event.packet, base);
        break;
      case "scheduled":
        this.#name(SERVICE, event.service);
        this.#name(SCHEDULER, event.scheduler);
        this.#address(CLIENT, event.client);
        this.#number(CLIENT_PORT, event.clientPort);
        this.#candidates(event.candidates);
        if (event.chosen === undefined) out.put(CHOSEN_NULL);
        else this.#name(CHOSEN, event.chosen);
        out.put(FIGURES);
        if (event.figures === null) out.put(NULL);
        else this.#nested(event.figures);
        this.#name(BY, event.by);
        break;
      case "tcp-state":
        this.#text(SOCKET, event.socket);
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
    this.#out.put(FRAME);
    if (this.#places.frame(cause) === frame) this.#out.number(cause);
    else this.#packets.frame(frame, base);
  }

  #candidates(candidates: readonly ScheduleCandidate[]): void {
    const out = this.#out;
    out.put(CANDIDATES);
    let comma = FIRST_ADDRESS;
    for (const candidate of candidates) {
      this.#address(comma, candidate.address);
      this.#number(PORT, candidate.port);
      this.#number(WEIGHT, candidate.weight);
      this.#number(ACTIVE_CONNS, candidate.activeConns);
      this.#number(INACT_CONNS, candidate.inactConns);
      if (candidate.overhead === undefined) out.put(OVERHEAD_NULL);
      else this.#number(OVERHEAD, candidate.overhead);
      out.put(IS_ELIGIBLE);
      out.boolean(candidate.isEligible);
      out.put(CLOSE);
      comma = NEXT_ADDRESS;
    }
    out.put(CLOSE_LIST);
  }

  #rowChanges(changes: readonly RowChange[]): void {
    const out = this.#out;
    out.put(CHANGES);
    let comma = FIRST_TABLE;
    for (const { table, key, change, set } of changes) {
      out.put(comma);
      out.name(table);
      this.#text(KEY, key);
      out.put(CHANGES_OF[change]);
      this.#row(set);
      out.put(CLOSE_TWO);
      comma = NEXT_TABLE;
    }
    out.put(CLOSE_LIST);
  }

  #row(row: RowChange["set"]): void {
    const out = this.#out;
    let comma = NOTHING;
    for (const field in row) {
      const cell = row[field] as Cell;
      out.put(comma);
      out.name(field);
      out.put(COLON);
      if (typeof cell === "string") out.text(cell);
      else if (typeof cell === "number") out.number(cell);
      else out.ascii(String(cell));
      comma = COMMA;
    }
  }

  /** Kinds that are rare: all their fields are plain values. */
  #plain(event: TraceEvent): void {
    const out = this.#out;
    for (const [field, value] of Object.entries(event)) {
      if (STAMP.has(field)) continue;
      out.put(COMMA);
      out.name(field);
      out.put(COLON);
      if (typeof value === "string") out.text(value);
      else if (typeof value === "object" && value !== null) this.#nested(value as Readonly<Record<string, unknown>>);
      else out.ascii(String(value));
    }
  }

  /** Objects of objects down to plain values: the tables of a keyframe. */
  #nested(object: Readonly<Record<string, unknown>>): void {
    const out = this.#out;
    out.put(OPEN);
    let isFirst = true;
    for (const [name, value] of Object.entries(object)) {
      if (!isFirst) out.put(COMMA);
      isFirst = false;
      out.text(name);
      out.put(COLON);
      if (typeof value === "string") out.text(value);
      else if (typeof value === "object" && value !== null) this.#nested(value as Readonly<Record<string, unknown>>);
      else out.ascii(String(value));
    }
    out.put(CLOSE);
  }

  #change(event: { readonly before: string; readonly after: string }): void {
    this.#name(BEFORE, event.before);
    this.#name(AFTER, event.after);
  }

  #text(name: Uint8Array, value: string): void {
    this.#out.put(name);
    this.#out.text(value);
  }

  /** A text that comes again and again. */
  #name(name: Uint8Array, value: string): void {
    this.#out.put(name);
    this.#out.name(value);
  }

  #address(name: Uint8Array, value: Ipv4Address): void {
    this.#out.put(name);
    this.#out.address(value);
  }

  #number(name: Uint8Array, value: number): void {
    this.#out.put(name);
    this.#out.number(value);
  }
}

const STAMP: ReadonlySet<string> = new Set(["id", "timeNs", "kind", "host", "cause"]);
