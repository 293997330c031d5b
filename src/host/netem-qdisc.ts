/**
 * The queueing discipline of a device, when somebody has given it one: netem between the stack and the wire. Captures see what comes out of it.
 *
 * Linux v6.1 net/core/dev.c (__dev_queue_xmit, dev_hard_start_xmit), net/sched/sch_generic.c (dev_deactivate: what waits is gone).
 */

import type { EventLoop } from "../kernel/event-loop.ts";
import type { RandomStream } from "../kernel/random.ts";
import { Netem, type NetemDrop, type NetemOptions, type NetemOwner } from "../link/netem.ts";
import { decodeEthernet, encodeEthernet } from "../wire/ethernet.ts";
import { ETHERNET_HEADER_BYTES, EthernetFrame, Ipv4Packet, RawPayload } from "../wire/packet.ts";
import type { NetDevice } from "./device.ts";
import type { Host } from "./host.ts";
import { SkBuff } from "./skb.ts";

/** Explicit congestion notification (RFC 3168): both bits set say "congestion experienced". */
const ECN_MASK = 3;
const BYTE_MAX = 256;

/** What leaves a device: a frame, or on lo a packet. */
export type Departure = EthernetFrame | SkBuff;

/** What happens to a departure once the qdisc lets it go. */
export interface DepartureSink {
  depart(device: NetDevice, item: Departure): void;
}

export class NetemQdisc implements NetemOwner<Departure> {
  /** Major number of the handle: `8001:` is 0x8001. */
  readonly handle: number;
  readonly netem: Netem<Departure>;
  readonly #host: Host;
  readonly #device: NetDevice;
  readonly #sink: DepartureSink;

  constructor(options: {
    readonly host: Host;
    readonly device: NetDevice;
    readonly sink: DepartureSink;
    readonly handle: number;
    readonly netem: NetemOptions;
    readonly loop: EventLoop;
    readonly random: RandomStream;
  }) {
    this.#host = options.host;
    this.#device = options.device;
    this.#sink = options.sink;
    this.handle = options.handle;
    this.netem = new Netem({ loop: options.loop, random: options.random, owner: this, netem: options.netem });
  }

  send(item: Departure): void {
    this.#sink.depart(this.#device, item);
  }

  dropped(item: Departure, reason: NetemDrop): void {
    const host = this.#host;
    if (!host.trace.isOn) return;
    if (item instanceof EthernetFrame) host.trace.emit({ kind: "frame-dropped", host: host.name, cause: item.traceId, device: this.#device.name, reason: "QDISC_DROP", frame: item });
    else if (host.trace.isFull) {
      const detail = reason === "NETEM_LOSS" ? `lost by netem of ${this.#device.name}` : `netem of ${this.#device.name} is full`;
      host.trace.emit({ kind: "packet-dropped", host: host.name, cause: item.cause, reason: "QDISC_DROP", packet: item.ip, detail });
    }
  }

  copy(item: Departure): Departure {
    if (item instanceof EthernetFrame) return copyOfFrame(item, item.payload);
    const second = new SkBuff(item.ip, item.device);
    second.packetType = item.packetType;
    second.mark = item.mark;
    second.route = item.route;
    second.conntrack = item.conntrack;
    second.conntrackInfo = item.conntrackInfo;
    second.cause = item.cause;
    item.isWritable = false;
    return second;
  }

  /** On lo nothing is damaged: there is no checksum that would tell. */
  corrupt(item: Departure, chooseByte: (count: number) => number, bit: number): Departure {
    if (!(item instanceof EthernetFrame)) return item;
    const bytes = encodeEthernet(item);
    const at = chooseByte(bytes.length);
    bytes[at] = (bytes[at] as number) ^ (1 << bit);
    const decoded = decodeEthernet(bytes);
    // What no protocol takes any longer travels as bytes, and dies where somebody looks at its checksum.
    const damaged = decoded.ok ? decoded.value : withBytes(bytes);
    damaged.traceId = item.traceId;
    return damaged;
  }

  lengthBytes(item: Departure): number {
    return item instanceof EthernetFrame ? item.lengthBytes : item.ip.lengthBytes + ETHERNET_HEADER_BYTES;
  }

  mark(item: Departure): Departure | undefined {
    const packet = item instanceof EthernetFrame ? item.payload : item.ip;
    if (!(packet instanceof Ipv4Packet) || (packet.tos & ECN_MASK) === 0) return undefined;
    const marked = packet.copy();
    marked.tos |= ECN_MASK;
    if (item instanceof EthernetFrame) return copyOfFrame(item, marked);
    item.ip = marked;
    return item;
  }
}

function copyOfFrame(frame: EthernetFrame, payload: EthernetFrame["payload"]): EthernetFrame {
  const copy = new EthernetFrame(frame.dst, frame.src, frame.etherType, payload);
  copy.traceId = frame.traceId;
  return copy;
}

function withBytes(bytes: Uint8Array): EthernetFrame {
  const number = (from: number, to: number) => bytes.subarray(from, to).reduce((sum, byte) => sum * BYTE_MAX + byte, 0);
  return new EthernetFrame(number(0, 6), number(6, 12), number(12, 14), new RawPayload(bytes.slice(ETHERNET_HEADER_BYTES)));
}
