/**
 * Tables of a run as CSV (RFC 4180, a header line, lines end with \n), written while records pass. Times are seconds from the start of the
 * timeline, with nanoseconds; an empty field: not known or none.
 *
 *   connections.csv  a line for each IPVS connection, when it ends or the trace does
 *   scheduler.csv    a line for each real server at each choice of a scheduler
 *   drops.csv        a line for each frame or packet that died
 *   interfaces.csv   frames and bytes of each interface and link, at the end
 */

import { formatSeconds } from "../base/time.ts";
import type { Ipv4Packet } from "../wire/packet.ts";
import { capturedBy, TimelineClock } from "./captured.ts";
import { formatEnd, placeOf, portsOf } from "./describe.ts";
import type { FrameDropped, IpvsConnectionChanged, PacketDropped, Scheduled, TraceEvent } from "./events.ts";
import { formatIpv4Address } from "../base/ipv4-address.ts";
import type { TraceHeader } from "./trace-header.ts";
import { formatCaptured } from "./text.ts";
import type { TraceSink } from "./tracer.ts";

export const CSV_NAMES = ["connections", "scheduler", "drops", "interfaces"] as const;

export type CsvName = (typeof CSV_NAMES)[number];

type Value = string | number | boolean | undefined;

const HEADS: Readonly<Record<CsvName, readonly string[]>> = {
  connections: [
    "director",
    "number",
    "protocol",
    "service",
    "client",
    "virtual",
    "destination",
    "method",
    "template",
    "start",
    "end",
    "states",
    "in_packets",
    "in_bytes",
    "out_packets",
    "out_bytes",
  ],
  scheduler: [
    "choice",
    "time",
    "director",
    "service",
    "scheduler",
    "by",
    "client",
    "client_port",
    "chosen",
    "candidate",
    "weight",
    "active",
    "inactive",
    "overhead",
    "eligible",
    "is_chosen",
  ],
  drops: ["record", "time", "place", "reason", "detail", "length", "packet"],
  interfaces: ["interface", "link", "sent_frames", "sent_bytes", "received_frames", "received_bytes", "for_others", "dropped_frames"],
};

const CHUNK_CHARS = 65_536;

export interface CsvSinkOptions {
  readonly header: Pick<TraceHeader, "hosts" | "links">;
  /** Time of the trace that is 0; by default that of its `origin` record, and 0 for what comes before. */
  readonly originNs?: number;
  /** The next lines of a table, its head first. */
  readonly write: (name: CsvName, text: string) => void;
}

export class CsvSink implements TraceSink {
  readonly #write: CsvSinkOptions["write"];
  readonly #clock: TimelineClock;
  readonly #texts = new Map<CsvName, string>();
  readonly #connections = new ConnectionCount();
  readonly #interfaces: InterfaceCounts;
  #choices = 0;

  constructor({ header, originNs, write }: CsvSinkOptions) {
    this.#write = write;
    this.#clock = new TimelineClock(originNs);
    this.#interfaces = new InterfaceCounts(header);
    for (const name of CSV_NAMES) this.#line(name, HEADS[name]);
  }

  write(event: TraceEvent): void {
    this.#clock.see(event);
    this.#interfaces.count(event);
    switch (event.kind) {
      case "ipvs-connection": {
        const ended = this.#connections.change(event, this.#seconds(event));
        if (ended !== undefined) this.#connection(ended, this.#seconds(event));
        break;
      }
      case "packet-rewritten":
        this.#connections.rewritten(event);
        break;
      case "packet-encapsulated":
        this.#connections.into(event.host, event.inner);
        break;
      case "scheduled":
        this.#scheduled(event);
        break;
      case "packet-dropped":
        // Counted by IPVS before it found no way to send it.
        if (event.reason === "IPVS_XMIT_ERROR") this.#connections.into(event.host, event.packet);
        // Frames that a switch sent everywhere are no losses.
        if (event.reason !== "OTHERHOST") this.#drop(event, event.detail, event.packet.lengthBytes, formatCaptured(event.packet));
        break;
      case "frame-dropped":
        if (event.reason !== "OTHERHOST") this.#drop(event, "", event.frame.lengthBytes, formatCaptured(event.frame));
        break;
      default:
    }
  }

  /** Lines of connections that live still, counts of interfaces, and what is left. Call it once, at the end. */
  flush(): void {
    for (const connection of this.#connections.living()) this.#connection(connection, undefined);
    for (const row of this.#interfaces.rows()) this.#line("interfaces", row);
    for (const [name, text] of this.#texts) if (text !== "") this.#write(name, text);
    this.#texts.clear();
  }

  #seconds(event: TraceEvent): string {
    return formatSeconds(this.#clock.at(event.timeNs), 9);
  }

  #connection(of: LivingConnection, end: string | undefined): void {
    const { director, number, protocol, service, client, virtual, destination, method, isTemplate, start, states, inPackets, inBytes, outPackets, outBytes } = of;
    const counts = isTemplate ? [] : [inPackets, inBytes, outPackets, outBytes];
    this.#line("connections", [director, number, protocol, service, client, virtual, destination, method, isTemplate, start, end, states.join(" "), ...counts]);
  }

  #scheduled(event: Scheduled): void {
    this.#choices++;
    const head = [this.#choices, this.#seconds(event), event.host, event.service, event.scheduler, event.by, formatIpv4Address(event.client), event.clientPort, event.chosen];
    // A choice without candidates is a line, too.
    if (event.candidates.length === 0) this.#line("scheduler", [...head, undefined, undefined, undefined, undefined, undefined, undefined, undefined]);
    for (const one of event.candidates) {
      const name = formatEnd(one.address, one.port);
      this.#line("scheduler", [...head, name, one.weight, one.activeConns, one.inactConns, one.overhead, one.isEligible, name === event.chosen]);
    }
  }

  #drop(event: FrameDropped | PacketDropped, detail: string, length: number, packet: string): void {
    this.#line("drops", [event.id, this.#seconds(event), placeOf(event), event.reason, detail, length, packet]);
  }

  #line(name: CsvName, values: readonly Value[]): void {
    const width = HEADS[name].length;
    let text = `${this.#texts.get(name) ?? ""}${values.map(csvField).join(",")}${",".repeat(width - values.length)}\n`;
    if (text.length >= CHUNK_CHARS) {
      this.#write(name, text);
      text = "";
    }
    this.#texts.set(name, text);
  }
}

function csvField(value: Value): string {
  if (value === undefined) return "";
  const text = String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/* ----------------------------------------------------------------------------------------------------------- connections */

interface LivingConnection {
  readonly director: string;
  readonly number: number;
  readonly protocol: string;
  readonly client: string;
  readonly virtual: string;
  service: string | undefined;
  destination: string;
  method: string;
  readonly isTemplate: boolean;
  readonly start: string;
  readonly states: string[];
  inPackets: number;
  inBytes: number;
  outPackets: number;
  outBytes: number;
}

/** A connection that goes to and fro between states has more than these; the last ones are kept with a mark. */
const STATES_MAX = 64;

/**
 * Connections that live, with what their director forwarded: requests are those that it rewrote, routed, encapsulated or kept for the
 * connection, in bytes of IP as `ipvsadm --stats` counts them; answers only when it rewrote them (NAT), not those of its own servers.
 */
class ConnectionCount {
  readonly #byNumber = new Map<string, LivingConnection>();
  /** By director, protocol, client and virtual address. */
  readonly #byEnds = new Map<string, LivingConnection>();

  /** Returns the connection when it is over. */
  change(event: IpvsConnectionChanged, time: string): LivingConnection | undefined {
    const id = `${event.host} ${event.number}`;
    let of = this.#byNumber.get(id);
    if (of === undefined) {
      of = started(event, time);
      this.#byNumber.set(id, of);
      if (!of.isTemplate) this.#byEnds.set(endsKey(event.host, of.protocol, of.client, of.virtual), of);
    }
    of.service = event.service ?? of.service;
    of.destination = event.dest;
    of.method = event.method;
    if (event.after !== "") {
      if (of.states.length >= STATES_MAX) of.states.splice(1, 2, "...");
      of.states.push(event.after);
      return undefined;
    }
    this.#byNumber.delete(id);
    const key = endsKey(event.host, of.protocol, of.client, of.virtual);
    if (this.#byEnds.get(key) === of) this.#byEnds.delete(key);
    return of;
  }

  rewritten({ host, by, before, after }: Extract<TraceEvent, { kind: "packet-rewritten" }>): void {
    if (by !== "ipvs-nat" && by !== "ipvs-route" && by !== "ipvs-local") return;
    if (this.into(host, before)) return;
    const ports = portsOf(after);
    const of = ports && this.#byEnds.get(endsKey(host, PROTOCOLS[ports.kind], formatEnd(after.dst, ports.dstPort), formatEnd(after.src, ports.srcPort)));
    if (of === undefined) return;
    of.outPackets++;
    of.outBytes += after.lengthBytes;
  }

  /** A request that the director forwards; true when it belongs to a connection. */
  into(host: string, packet: Ipv4Packet): boolean {
    const ports = portsOf(packet);
    const of = ports && this.#byEnds.get(endsKey(host, PROTOCOLS[ports.kind], formatEnd(packet.src, ports.srcPort), formatEnd(packet.dst, ports.dstPort)));
    if (of === undefined) return false;
    of.inPackets++;
    of.inBytes += packet.lengthBytes;
    return true;
  }

  /** In order of their start. */
  living(): Iterable<LivingConnection> {
    return this.#byNumber.values();
  }
}

const PROTOCOLS = { tcp: "TCP", udp: "UDP" } as const;

function endsKey(host: string, protocol: string, client: string, virtual: string): string {
  return `${host} ${protocol} ${client} ${virtual}`;
}

/** `TCP 10.0.0.9:40000 -> 10.0.0.100:80 -> 10.0.0.11:80`, or with `template` behind it. */
function started(event: IpvsConnectionChanged, time: string): LivingConnection {
  const [protocol = "", client = "", , virtual = "", , destination = "", template] = event.connection.split(" ");
  return {
    director: event.host,
    number: event.number,
    protocol,
    client,
    virtual,
    service: undefined,
    destination,
    method: event.method,
    isTemplate: template === "template",
    start: time,
    // A trace that begins later knows nothing of what was before.
    states: event.before === "" ? [] : [event.before],
    inPackets: 0,
    inBytes: 0,
    outPackets: 0,
    outBytes: 0,
  };
}

/* ------------------------------------------------------------------------------------------------------------ interfaces */

interface InterfaceCount {
  readonly name: string;
  readonly link: string;
  sentFrames: number;
  sentBytes: number;
  receivedFrames: number;
  receivedBytes: number;
  forOthers: number;
  dropped: number;
}

/** Frames of each interface, and what links lost. */
export class InterfaceCounts {
  readonly #counts = new Map<string, InterfaceCount>();

  constructor(header: Pick<TraceHeader, "hosts" | "links">) {
    for (const { name, interfaces } of header.hosts) for (const one of interfaces) this.#count(`${name}.${one.name}`, one.link);
    for (const link of header.links) this.#count(link, link);
  }

  count(event: TraceEvent): void {
    const captured = capturedBy(event);
    if (captured !== undefined) {
      const of = this.#count(`${captured.host}.${captured.device}`, "");
      const { lengthBytes } = captured.what;
      if (event.kind === "frame-dropped") of.forOthers++;
      else if (captured.direction === "out") {
        of.sentFrames++;
        of.sentBytes += lengthBytes;
      } else {
        of.receivedFrames++;
        of.receivedBytes += lengthBytes;
      }
    } else if (event.kind === "frame-dropped") this.#count(placeOf(event), event.host).dropped++;
  }

  /** In the order of `interfaces.csv`'s columns. */
  *rows(): Iterable<readonly (string | number)[]> {
    for (const { name, link, sentFrames, sentBytes, receivedFrames, receivedBytes, forOthers, dropped } of this.#counts.values())
      yield [name, link, sentFrames, sentBytes, receivedFrames, receivedBytes, forOthers, dropped];
  }

  #count(name: string, link: string): InterfaceCount {
    let of = this.#counts.get(name);
    if (of === undefined) {
      of = { name, link, sentFrames: 0, sentBytes: 0, receivedFrames: 0, receivedBytes: 0, forOthers: 0, dropped: 0 };
      this.#counts.set(name, of);
    }
    return of;
  }
}
