/**
 * What a capture on each interface has seen, told from records: frames on Ethernet devices, packets on lo and tunnels. And times as captures
 * and command lines count them: from the start of the timeline.
 */

import { BROADCAST_MAC, isGroupMac } from "../base/mac-address.ts";
import { EthernetFrame, type Ipv4Packet } from "../wire/packet.ts";
import { LINKTYPE_ETHERNET, LINKTYPE_RAW } from "../wire/pcap.ts";
import type { PcapngReception } from "../wire/pcapng.ts";
import type { TraceEvent } from "./events.ts";

export interface Captured {
  readonly host: string;
  readonly device: string;
  readonly direction: "in" | "out";
  readonly what: EthernetFrame | Ipv4Packet;
}

/**
 * What tcpdump on the record's interface would have shown for it; undefined: nothing. A frame for another machine is seen (the interface is
 * promiscuous), one that a device refused is not, and on lo each packet is seen once, as it comes in (libpcap pcap-linux.c).
 */
export function capturedBy(event: TraceEvent): Captured | undefined {
  switch (event.kind) {
    case "frame-sent":
      return { host: event.host, device: event.device, direction: "out", what: event.frame };
    case "frame-received":
      return { host: event.host, device: event.device, direction: "in", what: event.frame };
    case "frame-dropped":
      return event.reason === "OTHERHOST" && event.device !== "" ? { host: event.host, device: event.device, direction: "in", what: event.frame } : undefined;
    case "packet-passed":
      if (event.device === "lo" && event.direction === "out") return undefined;
      return { host: event.host, device: event.device, direction: event.direction, what: event.packet };
    default:
      return undefined;
  }
}

export function linkTypeOf(what: EthernetFrame | Ipv4Packet): typeof LINKTYPE_ETHERNET | typeof LINKTYPE_RAW {
  return what instanceof EthernetFrame ? LINKTYPE_ETHERNET : LINKTYPE_RAW;
}

export function receptionOf(event: TraceEvent, what: EthernetFrame | Ipv4Packet): PcapngReception | undefined {
  if (!(what instanceof EthernetFrame)) return undefined;
  if (event.kind === "frame-dropped") return "promiscuous";
  if (what.dst === BROADCAST_MAC) return "broadcast";
  return isGroupMac(what.dst) ? "multicast" : "unicast";
}

/**
 * Times from the start of the timeline. The record that marks it comes when the setup scripts are over; until then every time is 0, so that
 * nothing has to wait for it.
 */
export class TimelineClock {
  #originNs: number | undefined;

  /** `originNs`: known already. */
  constructor(originNs?: number) {
    this.#originNs = originNs;
  }

  /** The origin, once it has been seen. */
  get originNs(): number | undefined {
    return this.#originNs;
  }

  /** Shows it the next record. */
  see(event: TraceEvent): void {
    if (event.kind === "origin") this.#originNs ??= event.timeNs;
  }

  /** Nanoseconds since the origin, at least 0. */
  at(timeNs: number): number {
    return this.#originNs === undefined ? 0 : Math.max(timeNs - this.#originNs, 0);
  }
}
