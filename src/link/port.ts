/**
 * Where a host's interface meets a link. A link is one learning switch; each interface has one cable to one port of it.
 *
 *   NetDevice ──port.transmit(frame)──▶ LinkPort ══cable══ Switch ══cable══ LinkPort ──owner.receiveFrame(frame)──▶ NetDevice
 */

import type { EthernetFrame } from "../wire/packet.ts";

/** The interface's side: what a link calls. */
export interface FrameReceiver {
  readonly hostName: string;
  readonly deviceName: string;
  /** A frame has arrived whole. Also frames for other MACs: the receiver filters (and captures first). */
  receiveFrame(frame: EthernetFrame): void;
  /** The cable's carrier changed (switch port up or down). */
  carrierChanged(hasCarrier: boolean): void;
}

/** The link's side: what an interface calls. */
export interface LinkPort {
  readonly hasCarrier: boolean;
  /** Starts to send; the frame is frozen from here on. Without carrier it is dropped (reason LINK_DOWN). */
  transmit(frame: EthernetFrame): void;
  /** The interface was taken down or up; without it, nobody at the other end minds. */
  interfaceChanged?(isUp: boolean): void;
}

/** Properties of each cable of a link. Probabilities are ratios of integers. */
export interface LinkProperties {
  /** One way from interface to interface through the switch. Default 10 us. */
  readonly latencyNs: number;
  /** Bits a second in each direction of each cable; 0: infinite. Default 1 Gbit. */
  readonly bandwidthBitsPerSecond: number;
  /** Frames lost, in millionths. Default 0. */
  readonly lossPpm: number;
  /** Frames that may wait for a cable before more are dropped. Default 1000 (txqueuelen). */
  readonly queueFrames: number;
}
