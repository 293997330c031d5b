/**
 * One pcapng file with every interface, written while records pass. Each packet's comments tell why it died or what was changed in it:
 *
 *   client.eth0 out  SYN
 *   director.eth0 in SYN                   ◀── drops inside the host: netfilter DROP by "-A INPUT ...", IPVS_NO_DEST
 *   director.eth1 out SYN                  ◀── what was done to it on the way: rr chose ..., ipvs-nat: dst ... => ...
 *     lost on the cable                    ◀── frame-dropped: its sender's packet says so
 *
 * A reason may come later than its frame (a neighbour that does not answer is given up after three seconds), so packets wait in a window
 * before they are written. `lateCount` counts the reasons that came after theirs had left it.
 */

import { parseMacAddress } from "../base/mac-address.ts";
import { put48 } from "../wire/byte-order.ts";
import { encodeEthernet } from "../wire/ethernet.ts";
import { encodeIpv4 } from "../wire/ipv4.ts";
import { EthernetFrame, Ipv4Packet } from "../wire/packet.ts";
import { encodePcapngInterface, encodePcapngPacket, encodePcapngSection } from "../wire/pcapng.ts";
import { LINKTYPE_ETHERNET } from "../wire/pcap.ts";
import { ByteChunks } from "./byte-chunks.ts";
import { type Captured, capturedBy, linkTypeOf, receptionOf, TimelineClock } from "./captured.ts";
import { describeRewrite, formatEnd } from "./describe.ts";
import type { TraceEvent } from "./events.ts";
import type { TraceHeader } from "./trace-header.ts";
import type { TraceSink } from "./tracer.ts";

/** Packets that wait for their comments. */
const WINDOW_PACKETS = 8192;
/** Records whose cause can be told: a power of two. */
const WINDOW_RECORDS = 65_536;
/** Steps up from a frame to what brought its packet: no packet is changed more often on its way through a host. */
const STEPS_MAX = 64;

interface Pending {
  readonly timeNs: number;
  readonly event: TraceEvent;
  readonly captured: Captured;
  readonly packetId: number;
  readonly comments: string[];
  /** What was done to its packet in the host. When no frame that left tells it, this one does. */
  readonly notes: Note[];
  isWritten: boolean;
}

/** What a record says to the frame that follows from it, and where it came from. */
interface Note {
  readonly id: number;
  readonly parent: Note | undefined;
  /** The captured packet that this follows from in the same host. */
  readonly origin: Pending | undefined;
  readonly text: string;
  /** How the packet looked after it. */
  readonly after: Ipv4Packet | undefined;
  isTold: boolean;
}

export interface PcapngSinkOptions {
  /** Its interfaces come first in the file, with or without frames; lo and tunnels when they carry something. */
  readonly header: Pick<TraceHeader, "title" | "hosts">;
  /** Time of the trace that is 0 in the file; by default that of its `origin` record, and 0 for what comes before. */
  readonly originNs?: number;
  readonly write: (bytes: Uint8Array) => void;
}

export class PcapngSink implements TraceSink {
  /** Reasons of drops and rewrites whose packet was written already. */
  lateCount = 0;
  readonly #out: ByteChunks;
  readonly #clock: TimelineClock;
  readonly #interfaces = new Map<string, number>();
  readonly #notes: (Note | undefined)[] = new Array(WINDOW_RECORDS);
  /** Waiting packets from #first on, oldest first. */
  #waiting: Pending[] = [];
  #first = 0;

  constructor({ header, originNs, write }: PcapngSinkOptions) {
    this.#out = new ByteChunks(write);
    this.#clock = new TimelineClock(originNs);
    this.#out.add(encodePcapngSection({ application: "lvsim", comment: header.title }));
    for (const { name, interfaces } of header.hosts)
      for (const one of interfaces) this.#addInterface(name, one.name, LINKTYPE_ETHERNET, `on ${one.link}`, parseMacAddress(one.mac));
  }

  write(event: TraceEvent): void {
    if (event.kind === "rows" || event.kind === "keyframe") return;
    this.#clock.see(event);
    const parent = this.#noteOf(event.cause);
    const captured = capturedBy(event);
    let origin = event.kind === "frame-sent" || event.kind === "frame-received" ? undefined : parent?.origin;
    if (captured !== undefined) {
      const pending = this.#capture(event, captured);
      if (event.kind === "frame-sent") pending.comments.push(...this.#told(parent, event.frame));
      // What happens to a packet in a tunnel is told at the frame that brought it.
      if (event.kind !== "packet-passed" || origin === undefined || event.device === "lo") origin = pending;
    }
    const reason = dropText(event);
    // A drop on a cable belongs to the sender's frame, one in a host to the frame that came in.
    if (reason !== undefined) this.#comment(event.kind === "frame-dropped" && captured !== undefined ? this.#waiting.at(-1) : (parent?.origin ?? origin), reason);
    const text = wayText(event);
    const note: Note = { id: event.id, parent: keepsParent(event) ? parent : undefined, origin, text: text?.text ?? "", after: text?.after, isTold: false };
    this.#notes[event.id & (WINDOW_RECORDS - 1)] = note;
    if (text !== undefined && origin?.isWritten === false) origin.notes.push(note);
  }

  /** Writes what still waits and hands on what is left. Call it at the end. */
  flush(): void {
    while (this.#first < this.#waiting.length) this.#writeOldest();
    this.#out.flush();
  }

  #noteOf(id: number): Note | undefined {
    const note = this.#notes[id & (WINDOW_RECORDS - 1)];
    return note?.id === id ? note : undefined;
  }

  #capture(event: TraceEvent, captured: Captured): Pending {
    // Every capture of a frame has the number of the record that sent it.
    const packetId = event.kind === "frame-received" || event.kind === "frame-dropped" ? event.cause : event.id;
    const pending: Pending = { timeNs: this.#clock.at(event.timeNs), event, captured, packetId, comments: [], notes: [], isWritten: false };
    this.#waiting.push(pending);
    if (this.#waiting.length - this.#first > WINDOW_PACKETS) this.#writeOldest();
    return pending;
  }

  /** What was done to the packet on its way to this frame, first things first. Frames that carry another packet (ARP, an answer) are told nothing. */
  #told(from: Note | undefined, frame: EthernetFrame): string[] {
    const { payload } = frame;
    if (!(payload instanceof Ipv4Packet)) return [];
    const texts: string[] = [];
    const told: Note[] = [];
    let isSame = false;
    let steps = 0;
    for (let note = from; note !== undefined && steps < STEPS_MAX; note = note.parent) {
      if (++steps > STEPS_MAX) break;
      if (note.after !== undefined && !isSame) {
        if (!isSamePacket(note.after, payload)) return [];
        isSame = true;
      }
      if (note.text === "") continue;
      texts.unshift(note.text);
      told.push(note);
    }
    if (!isSame) return [];
    for (const note of told) note.isTold = true;
    return texts;
  }

  #comment(pending: Pending | undefined, text: string): void {
    if (pending === undefined) return;
    if (pending.isWritten) this.lateCount++;
    else pending.comments.push(text);
  }

  #writeOldest(): void {
    const pending = this.#waiting[this.#first] as Pending;
    this.#first++;
    if (this.#first >= WINDOW_PACKETS) {
      this.#waiting = this.#waiting.slice(this.#first);
      this.#first = 0;
    }
    pending.isWritten = true;
    const { captured, event, timeNs, packetId } = pending;
    const comments = [...pending.notes.filter((note) => !note.isTold).map((note) => note.text), ...pending.comments];
    const { host, device, direction, what } = captured;
    const interfaceIndex = this.#interfaces.get(`${host}.${device}`) ?? this.#addInterface(host, device, linkTypeOf(what), device === "lo" ? "loopback" : "tunnel", undefined);
    const reception = direction === "in" ? receptionOf(event, what) : undefined;
    const bytes = what instanceof EthernetFrame ? encodeEthernet(what) : encodeIpv4(what);
    this.#out.add(encodePcapngPacket({ interfaceIndex, timeNs, bytes, direction, packetId, comments, ...(reception === undefined ? {} : { reception }) }));
  }

  #addInterface(host: string, device: string, linkType: number, description: string, mac: number | undefined): number {
    const index = this.#interfaces.size;
    const bytes = new Uint8Array(6);
    if (mac !== undefined) put48(bytes, 0, mac);
    this.#interfaces.set(`${host}.${device}`, index);
    this.#out.add(encodePcapngInterface({ linkType, name: `${host}.${device}`, description, operatingSystem: "Linux (simulated)", ...(mac === undefined ? {} : { mac: bytes }) }));
    return index;
  }
}

/** A frame begins its own story on the wire; a record that is no step of a packet's way has none. */
function keepsParent(event: TraceEvent): boolean {
  return event.kind !== "frame-sent" && event.kind !== "frame-received" && event.kind !== "command-start";
}

function dropText(event: TraceEvent): string | undefined {
  if (event.kind === "packet-dropped") return `dropped by ${event.host}: ${event.reason}${event.detail === "" ? "" : `, ${event.detail}`}`;
  if (event.kind !== "frame-dropped") return undefined;
  return event.device === "" ? `lost on ${event.host}: ${event.reason}` : `dropped by ${event.host}.${event.device}: ${event.reason}`;
}

/** What a record says of a packet's way through a host. */
function wayText(event: TraceEvent): { readonly text: string; readonly after: Ipv4Packet | undefined } | undefined {
  switch (event.kind) {
    case "packet-rewritten":
      return { text: `${event.by}: ${describeRewrite(event.before, event.after)}`, after: event.after };
    case "packet-encapsulated":
      return { text: `into ${event.by}: ${formatEnd(event.outer.src, undefined)} > ${formatEnd(event.outer.dst, undefined)}`, after: event.outer };
    case "packet-decapsulated":
      return { text: `out of ${event.by} on ${event.device}: ${formatEnd(event.inner.src, undefined)} > ${formatEnd(event.inner.dst, undefined)}`, after: event.inner };
    case "scheduled": {
      const who = event.by === "scheduler" ? event.scheduler : event.by;
      return { text: `${who} chose ${event.chosen ?? "nobody"} of ${event.candidates.length} for ${event.service}`, after: undefined };
    }
    default:
      return undefined;
  }
}

/** On its way a packet keeps these, but for what a later record would tell; its fragments keep them, too. */
function isSamePacket(a: Ipv4Packet, b: Ipv4Packet): boolean {
  return a.src === b.src && a.dst === b.dst && a.protocol === b.protocol && a.id === b.id;
}
