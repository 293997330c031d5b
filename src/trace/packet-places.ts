/**
 * What a writer and the reader of its trace both remember, so that nothing is written twice: packets and frames of the latest records.
 */

import type { EthernetFrame, Ipv4Packet } from "../wire/packet.ts";
import type { TraceEvent } from "./events.ts";

/** Payload bytes that went into the trace before are referred to by the record that has them, unless so many others were written since. */
export const DATA_WINDOW = 4096;

/** Records so far back are no longer referred to for their packets and frames. */
const PLACES = 16_384;

/** A packet and the record that has it. */
export interface PacketPlace {
  readonly id: number;
  readonly packet: Ipv4Packet;
}

/** The packets that records are about, and the frames that they sent. */
export class PacketPlaces {
  readonly #places = new Array<PacketPlace | undefined>(PLACES).fill(undefined);
  readonly #frames = new Array<EthernetFrame | undefined>(PLACES).fill(undefined);
  readonly #ids = new Float64Array(PLACES);

  /** The packet that record `id` is about: its own, else that of the nearest record up the chain of causes. */
  get(id: number): PacketPlace | undefined {
    const slot = id % PLACES;
    return this.#ids[slot] === id ? this.#places[slot] : undefined;
  }

  /** The frame that record `id` sent. */
  frame(id: number): EthernetFrame | undefined {
    const slot = id % PLACES;
    return this.#ids[slot] === id ? this.#frames[slot] : undefined;
  }

  /** After a record: what later ones, which follow from it, may refer to. */
  note(event: TraceEvent): void {
    const { id } = event;
    const packet = packetOf(event);
    const place = packet === undefined ? this.get(event.cause) : { id, packet };
    const slot = id % PLACES;
    this.#ids[slot] = id;
    this.#places[slot] = place;
    this.#frames[slot] = event.kind === "frame-sent" ? event.frame : undefined;
  }
}

/** The packet as it leaves what a record tells of; undefined for records that have none. */
function packetOf(event: TraceEvent): Ipv4Packet | undefined {
  switch (event.kind) {
    case "frame-sent":
    case "frame-received":
    case "frame-dropped": {
      const { payload } = event.frame;
      return payload.kind === "ipv4" ? payload : undefined;
    }
    case "packet-dropped":
    case "packet-passed":
    case "netfilter":
      return event.packet;
    case "packet-rewritten":
      return event.after;
    case "packet-encapsulated":
      return event.outer;
    case "packet-decapsulated":
      return event.inner;
    default:
      return undefined;
  }
}
