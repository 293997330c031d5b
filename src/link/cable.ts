/**
 * One direction of a cable: serialises frames at its bandwidth, delays them, loses some. One event a frame.
 *
 * An impaired direction has netem in front. What netem damages the receiver's FCS finds: on a cable a damaged frame is a lost one.
 */

import type { EventLoop, EventTarget } from "../kernel/event-loop.ts";
import type { RandomStream } from "../kernel/random.ts";
import type { DropReason } from "../trace/events.ts";
import type { EthernetFrame } from "../wire/packet.ts";
import { Netem, type NetemDrop, type NetemOptions, type NetemOwner } from "./netem.ts";

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

export class CableDirection implements EventTarget, NetemOwner<EthernetFrame> {
  readonly properties: CableProperties;
  readonly #loop: EventLoop;
  readonly #random: RandomStream;
  readonly #end: CableEnd;
  readonly #dropped: (frame: EthernetFrame, reason: DropReason) => void;
  readonly #copied: () => void;
  #busyUntilNs = 0;
  #impairment: Netem<EthernetFrame> | undefined;

  constructor(options: {
    loop: EventLoop;
    random: RandomStream;
    end: CableEnd;
    properties: CableProperties;
    dropped: (frame: EthernetFrame, reason: DropReason) => void;
    /** netem made a second frame. */
    copied: () => void;
  }) {
    this.#loop = options.loop;
    this.#random = options.random;
    this.#end = options.end;
    this.properties = options.properties;
    this.#dropped = options.dropped;
    this.#copied = options.copied;
  }

  /** From now on like this; undefined heals it, and what netem still held goes on at once. */
  impair(netem: NetemOptions | undefined, random: RandomStream): void {
    const current = this.#impairment;
    if (netem === undefined) {
      this.#impairment = undefined;
      current?.drain();
    } else if (current === undefined) this.#impairment = new Netem({ loop: this.#loop, random, owner: this, netem });
    else current.change(netem);
  }

  transmit(frame: EthernetFrame): void {
    if (this.#impairment === undefined) this.send(frame);
    else this.#impairment.enqueue(frame);
  }

  /** What netem lets out goes onto the cable. */
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

  dropped(frame: EthernetFrame, reason: NetemDrop): void {
    this.#dropped(frame, reason === "NETEM_LOSS" ? "LINK_LOSS" : "LINK_QUEUE_FULL");
  }

  /** Frames are frozen: the second one is the first. */
  copy(frame: EthernetFrame): EthernetFrame {
    this.#copied();
    return frame;
  }

  corrupt(frame: EthernetFrame): undefined {
    this.#dropped(frame, "LINK_CORRUPTED");
    return undefined;
  }

  lengthBytes(frame: EthernetFrame): number {
    return frame.lengthBytes;
  }

  /** No cable marks packets. */
  mark(): undefined {
    return undefined;
  }
}
