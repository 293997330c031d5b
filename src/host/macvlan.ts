/**
 * macvlan devices in private mode: further Ethernet addresses on a cable, as `ip link add link eth0 type macvlan mode private` makes them and
 * keepalived for its virtual MACs.
 *
 * Linux v6.1 drivers/net/macvlan.c (macvlan_start_xmit, macvlan_handle_frame).
 */

import { isGroupMac, type MacAddress } from "../base/mac-address.ts";
import { ETHERTYPE_IPV4, EthernetFrame } from "../wire/packet.ts";
import type { DeviceDriver, NetDevice } from "./device.ts";
import { traceFrameDrop } from "./device-drivers.ts";
import type { Host } from "./host.ts";
import type { SkBuff } from "./skb.ts";

export class MacvlanDriver implements DeviceDriver {
  readonly needsNeighbour = true;
  readonly #host: Host;
  readonly #lower: NetDevice;

  constructor(host: Host, lower: NetDevice) {
    this.#host = host;
    this.#lower = lower;
  }

  transmit(device: NetDevice, skb: SkBuff, destinationMac: MacAddress): void {
    const frame = new EthernetFrame(destinationMac, device.mac, ETHERTYPE_IPV4, skb.ip);
    frame.traceId = skb.cause;
    frame.confirmsNeighbour = skb.confirmsNeighbour;
    skb.isWritable = false;
    this.transmitFrame(device, frame);
  }

  /** The frame leaves by the cable of the device below. */
  transmitFrame(device: NetDevice, frame: EthernetFrame): void {
    const host = this.#host;
    if (!device.isUp) {
      device.counters.txDropped++;
      traceFrameDrop(host, device, frame, "DEV_DOWN");
      return;
    }
    device.counters.txPackets++;
    device.counters.txBytes += frame.lengthBytes;
    if (host.trace.isOn) frame.traceId = host.trace.emit({ kind: "frame-sent", host: host.name, cause: frame.traceId, device: device.name, frame });
    for (const tap of device.taps) tap("out", host.loop.nowNs, frame);
    this.#lower.driver.transmitFrame(this.#lower, frame);
  }
}

/**
 * Hands a frame that came in below to the devices above; true when it is not for the device below any more. `take` is called before the first of
 * them gets it: the device below has received it before.
 */
export function receiveForUppers(device: NetDevice, frame: EthernetFrame, take: () => void, receive: (upper: NetDevice) => void): boolean {
  const living = device.uppers.filter((upper) => upper.isUp);
  if (!isGroupMac(frame.dst)) {
    const upper = living.find((one) => one.mac === frame.dst);
    if (upper === undefined) return false;
    take();
    receive(upper);
    return true;
  }
  // A frame from one of the addresses above, sent by another machine: only its name-sake hears it.
  const twin = device.uppers.find((one) => one.mac === frame.src);
  if (twin !== undefined) {
    take();
    if (twin.isUp) receive(twin);
    return true;
  }
  if (living.length > 0) take();
  for (const upper of living) receive(upper);
  return false;
}
