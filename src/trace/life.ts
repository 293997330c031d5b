/**
 * Walks along causes: back to what led to a record, on to what followed from it, and both ways along the life of one packet.
 *
 *   command-start ◀─ frame-sent ◀─ frame-received ◀─ scheduled ◀─ packet-rewritten ◀─ frame-sent ◀─ frame-received ◀─ tcp-state
 *
 * All work on records as they pass. What is kept: causes as numbers (4 bytes a record), and the records of the answer.
 */

import type { EthernetFrame, Ipv4Packet } from "../wire/packet.ts";
import type { TraceEvent } from "./events.ts";
import type { TraceSink } from "./tracer.ts";

const FIRST_CAPACITY = 65_536;

/** The cause of every record, to walk back. Ids up to 2^32. */
export class CauseIndex implements TraceSink {
  #causes = new Uint32Array(FIRST_CAPACITY);
  #lastId = 0;

  write({ id, cause }: TraceEvent): void {
    if (id >= this.#causes.length) {
      const causes = new Uint32Array(Math.max(id + 1, this.#causes.length * 2));
      causes.set(this.#causes);
      this.#causes = causes;
    }
    this.#causes[id] = cause;
    this.#lastId = id;
  }

  /** Id of the last record, 0 when there was none. */
  get lastId(): number {
    return this.#lastId;
  }

  /** The record and what led to it, first things first. */
  chain(id: number): number[] {
    const ids: number[] = [];
    for (let at = id; at > 0 && at <= this.#lastId; at = this.#causes[at] as number) ids.push(at);
    return ids.reverse();
  }
}

/** Everything that followed from a record, itself first. */
export class EffectWalk {
  readonly #ids: Set<number>;

  constructor(id: number) {
    this.#ids = new Set([id]);
  }

  /** True when the record belongs to it. Wants to see all records in order. */
  matches({ id, cause }: TraceEvent): boolean {
    if (this.#ids.has(id)) return true;
    if (!this.#ids.has(cause)) return false;
    this.#ids.add(id);
    return true;
  }
}

/**
 * The life of the packet that a record is about: from what made it, over every host and through every change, to where it ended; with what was
 * decided about it on the way. ARP and answers that it gave rise to are in it, their own lives are not. The life of a record without a packet is
 * what led to it and what followed at once.
 */
export class PacketLife implements TraceSink {
  readonly #id: number;
  readonly #chain: ReadonlySet<number>;
  /** Records of the life, with how the packet looks after them. */
  #members = new Map<number, string | undefined>();
  #events: TraceEvent[] = [];
  /** The last record of the chain. */
  #last: TraceEvent | undefined;

  /** `chain`: CauseIndex.chain(id). */
  constructor(id: number, chain: readonly number[]) {
    this.#id = id;
    this.#chain = new Set(chain);
  }

  write(event: TraceEvent): void {
    if (event.kind === "rows" || event.kind === "keyframe") return;
    const key = this.#members.get(event.cause);
    const [before, after] = keysOf(event);
    const isMember = this.#members.has(event.cause) && (before === undefined || key === undefined || before === key);
    if (this.#chain.has(event.id)) {
      // Another packet than its cause was about, or none yet: a life begins here.
      if (!isMember || key === undefined) {
        this.#members = new Map();
        this.#events = this.#last === undefined ? [] : [this.#last];
      }
      this.#last = event;
      this.#add(event, after ?? (isMember ? key : undefined));
    } else if (isMember && (key !== undefined || event.cause === this.#id)) this.#add(event, after ?? key);
    else if (this.#members.has(event.cause) && event.cause !== 0 && key !== undefined) this.#events.push(event);
  }

  /** In order of time, what made the packet first. */
  get events(): readonly TraceEvent[] {
    return this.#events;
  }

  #add(event: TraceEvent, key: string | undefined): void {
    this.#members.set(event.id, key);
    this.#events.push(event);
  }
}

/** How a record's packet looks before and after it; undefined when it has none. */
function keysOf(event: TraceEvent): readonly [string | undefined, string | undefined] {
  switch (event.kind) {
    case "frame-sent":
    case "frame-received":
    case "frame-dropped":
      return both(frameKey(event.frame));
    case "packet-dropped":
    case "packet-passed":
    case "netfilter":
      return both(packetKey(event.packet));
    case "packet-rewritten":
      return [packetKey(event.before), packetKey(event.after)];
    case "packet-encapsulated":
      return [packetKey(event.inner), packetKey(event.outer)];
    case "packet-decapsulated":
      return [packetKey(event.outer), packetKey(event.inner)];
    default:
      return both(undefined);
  }
}

function both(key: string | undefined): readonly [string | undefined, string | undefined] {
  return [key, key];
}

function frameKey({ payload, src, etherType }: EthernetFrame): string {
  if (payload.kind === "ipv4") return packetKey(payload);
  return payload.kind === "arp" ? `arp ${payload.operation} ${payload.senderIp} ${payload.targetIp}` : `${etherType} ${src}`;
}

/** What a packet keeps from host to host, its fragments too. */
function packetKey(ip: Ipv4Packet): string {
  return `${ip.src} ${ip.dst} ${ip.protocol} ${ip.id}`;
}
