/**
 * One direction of a cable: serialises frames at its bandwidth, delays them, loses some. One event a frame.
 */

import type { EventLoop, EventTarget } from "../kernel/event-loop.ts";
import type { RandomStream } from "../kernel/random.ts";
import type { DropReason } from "../trace/events.ts";
import type { EthernetFrame } from "../wire/packet.ts";

/** What Ethernet adds to a captured frame: padding up to 60 bytes, FCS, preamble and gap. */
const MIN_FRAME_BYTES = 60;
const WIRE_OVERHEAD_BYTES = 24;
const FULL_FRAME_BYTES = 1538;

/** How a direction behaves. Changed in place while the simulation runs. */
export interface CableProperties {
  delayNs: number;
  /** 0: infinite. */
  bandwidthBitsPerSecond: number;
  lossPpm: number;
  queueFrames: number;
}

/** Who takes the frame at the far end. */
export interface CableEnd {
  arrive(frame: EthernetFrame): void;
}

export class CableDirection implements EventTarget {
  readonly properties: CableProperties;
  readonly #loop: EventLoop;
  readonly #random: RandomStream;
  readonly #end: CableEnd;
  readonly #dropped: (frame: EthernetFrame, reason: DropReason) => void;
  #busyUntilNs = 0;

  constructor(options: { loop: EventLoop; random: RandomStream; end: CableEnd; properties: CableProperties; dropped: (frame: EthernetFrame, reason: DropReason) => void }) {
    this.#loop = options.loop;
    this.#random = options.random;
    this.#end = options.end;
    this.properties = options.properties;
    this.#dropped = options.dropped;
  }

  send(frame: EthernetFrame): void {
    const properties = this.properties;
    if (properties.lossPpm > 0 && this.#random.below(1_000_000) < properties.lossPpm) {
      this.#dropped(frame, "LINK_LOSS");
      return;
    }
    const nowNs = this.#loop.nowNs;
    let sentNs = nowNs;
    const bandwidth = properties.bandwidthBitsPerSecond;
    if (bandwidth > 0) {
      let startNs = nowNs;
      if (this.#busyUntilNs > nowNs) {
        startNs = this.#busyUntilNs;
        const waitingBits = ((startNs - nowNs) * bandwidth) / 1e9;
        if (waitingBits > properties.queueFrames * FULL_FRAME_BYTES * 8) {
          this.#dropped(frame, "LINK_QUEUE_FULL");
          return;
        }
      }
      const length = frame.lengthBytes;
      const bytes = (length < MIN_FRAME_BYTES ? MIN_FRAME_BYTES : length) + WIRE_OVERHEAD_BYTES;
      sentNs = startNs + Math.ceil((bytes * 8e9) / bandwidth);
      this.#busyUntilNs = sentNs;
    }
    this.#loop.at(sentNs + properties.delayNs, this, frame);
  }

  onEvent(frame: unknown): void {
    this.#end.arrive(frame as EthernetFrame);
  }
}
