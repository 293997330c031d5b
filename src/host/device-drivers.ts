/**
 * How each kind of device sends and receives: lo, Ethernet on a cable, dummy; and what tunnels share.
 *
 *   ip.output ─▶ neighbours ─▶ EtherDriver ─▶ LinkPort ~~~ cable ~~~ EtherReceiver ─▶ arp | ip.receive
 *   ip.output ─▶ LoopbackDriver ─▶ (next event) ─▶ ip.receive, with the route, mark and connection that the packet left with
 *
 * Linux v6.1 drivers/net/loopback.c (loopback_xmit), drivers/net/veth.c, drivers/net/dummy.c, net/ethernet/eth.c (eth_type_trans).
 */

import { BROADCAST_MAC, isGroupMac, type MacAddress } from "../base/mac-address.ts";
import type { EventTarget } from "../kernel/event-loop.ts";
import type { LinkPort } from "../link/port.ts";
import type { DropReason } from "../trace/events.ts";
import { ETHERNET_HEADER_BYTES, ETHERTYPE_ARP, ETHERTYPE_IPV4, EthernetFrame, type Ipv4Packet } from "../wire/packet.ts";
import type { DeviceDriver, NetDevice } from "./device.ts";
import type { Host } from "./host.ts";
import type { Departure, DepartureSink } from "./netem-qdisc.ts";
import { receiveForUppers } from "./macvlan.ts";
import { type PacketType, SkBuff } from "./skb.ts";

/** A frame may be longer than MTU and header by a VLAN tag (net/core/dev.c:__is_skb_forwardable). */
const FRAME_SLACK_BYTES = ETHERNET_HEADER_BYTES + 4;

/** What lies between loopback_xmit and the softirq that receives: timers that are due together have all run by then. */
const LOOPBACK_NS = 2000;

export function traceFrameDrop(host: Host, device: NetDevice, frame: EthernetFrame, reason: DropReason): void {
  if (host.trace.isOn) host.trace.emit({ kind: "frame-dropped", host: host.name, cause: frame.traceId, device: device.name, reason, frame });
}

function traceReceived(host: Host, device: NetDevice, frame: EthernetFrame): number {
  return host.trace.emit({ kind: "frame-received", host: host.name, cause: frame.traceId, device: device.name, frame });
}

function tapFrame(host: Host, device: NetDevice, direction: "in" | "out", frame: EthernetFrame): void {
  for (const tap of device.taps) tap(direction, host.loop.nowNs, frame);
}

/* -------------------------------------------------------------------------------------------------------------- Ethernet */

export class EtherDriver implements DeviceDriver, DepartureSink {
  readonly needsNeighbour = true;
  readonly #host: Host;
  readonly #port: LinkPort;

  constructor(host: Host, port: LinkPort) {
    this.#host = host;
    this.#port = port;
  }

  transmit(device: NetDevice, skb: SkBuff, destinationMac: MacAddress): void {
    const frame = new EthernetFrame(destinationMac, device.mac, ETHERTYPE_IPV4, skb.ip);
    frame.traceId = skb.cause;
    frame.confirmsNeighbour = skb.confirmsNeighbour;
    skb.isWritable = false;
    this.transmitFrame(device, frame);
  }

  /** The far end of the cable sees it go dark or light, as with a veth pair. */
  upChanged(isUp: boolean): void {
    this.#port.interfaceChanged?.(isUp);
  }

  transmitFrame(device: NetDevice, frame: EthernetFrame): void {
    const host = this.#host;
    if (!device.isUp) {
      device.counters.txDropped++;
      traceFrameDrop(host, device, frame, "DEV_DOWN");
      return;
    }
    if (!device.hasCarrier) {
      traceFrameDrop(host, device, frame, "LINK_DOWN");
      return;
    }
    if (device.qdisc === undefined) this.depart(device, frame);
    else device.qdisc.netem.enqueue(frame);
  }

  /** Out of the queue, onto the wire. */
  depart(device: NetDevice, item: Departure): void {
    const host = this.#host;
    const frame = item as EthernetFrame;
    const counters = device.counters;
    counters.txPackets++;
    counters.txBytes += frame.lengthBytes;
    if (host.trace.isOn) frame.traceId = host.trace.emit({ kind: "frame-sent", host: host.name, cause: frame.traceId, device: device.name, frame });
    if (device.taps.length > 0) tapFrame(host, device, "out", frame);
    this.#port.transmit(frame);
  }
}

/** What an Ethernet device does with a frame from its cable (__netif_receive_skb_core and the first lines of ip_rcv and arp_rcv). */
export function receiveFrame(host: Host, device: NetDevice, frame: EthernetFrame): void {
  if (!device.isUp) {
    traceFrameDrop(host, device, frame, "DEV_DOWN");
    return;
  }
  const counters = device.counters;
  const length = frame.lengthBytes;
  if (length > device.mtu + FRAME_SLACK_BYTES) {
    counters.rxDropped++;
    traceFrameDrop(host, device, frame, "PKT_TOO_BIG");
    return;
  }
  counters.rxPackets++;
  counters.rxBytes += length;
  if (device.taps.length > 0) tapFrame(host, device, "in", frame);
  let received = 0;
  if (device.uppers.length > 0) {
    const take = () => {
      if (host.trace.isOn) received = traceReceived(host, device, frame);
    };
    if (receiveForUppers(device, frame, take, (upper) => receiveFrame(host, upper, frame))) return;
  }
  const dst = frame.dst;
  let type: PacketType = "host";
  if (dst !== device.mac) {
    if (!isGroupMac(dst)) {
      traceFrameDrop(host, device, frame, "OTHERHOST");
      return;
    }
    type = dst === BROADCAST_MAC ? "broadcast" : "multicast";
  }
  const payload = frame.payload;
  if (frame.etherType === ETHERTYPE_IPV4 && payload.kind === "ipv4") {
    const skb = new SkBuff(payload, device);
    skb.packetType = type;
    skb.sourceMac = frame.src;
    skb.confirmsNeighbour = frame.confirmsNeighbour;
    if (host.trace.isOn) {
      skb.cause = received !== 0 ? received : traceReceived(host, device, frame);
      host.trace.follow(skb.cause);
    }
    host.ip.receive(skb);
    return;
  }
  if (host.trace.isOn) host.trace.follow(received !== 0 ? received : traceReceived(host, device, frame));
  if (frame.etherType === ETHERTYPE_ARP && payload.kind === "arp") {
    if (!device.isNoArp) host.arp.receive(device, frame);
  } else if (frame.etherType === ETHERTYPE_IPV4) {
    // It was damaged on its way: ip_rcv or the protocol above finds a wrong checksum.
    traceFrameDrop(host, device, frame, "IP_CSUM");
  } else if (device.taps.length === 0) counters.rxDropped++;
}

/* -------------------------------------------------------------------------------------------------- devices without frames */

/** A packet leaves by a device that has no frames: counts it, shows it to taps and trace. False when the device is down. */
export function sendBare(host: Host, device: NetDevice, skb: SkBuff): boolean {
  const packet = skb.ip;
  if (!device.isUp) {
    device.counters.txDropped++;
    tracePacketDrop(host, skb, "DEV_DOWN", `${device.name} is down`);
    return false;
  }
  device.counters.txPackets++;
  device.counters.txBytes += packet.lengthBytes;
  skb.isWritable = false;
  pass(host, device, skb, "out", packet);
  return true;
}

/** A packet comes out of a device that has no frames, and goes up. */
export function receiveBare(host: Host, device: NetDevice, skb: SkBuff): void {
  const packet = skb.ip;
  device.counters.rxPackets++;
  device.counters.rxBytes += packet.lengthBytes;
  skb.device = device;
  pass(host, device, skb, "in", packet);
  host.ip.receive(skb);
}

function pass(host: Host, device: NetDevice, skb: SkBuff, direction: "in" | "out", packet: Ipv4Packet): void {
  for (const tap of device.taps) tap(direction, host.loop.nowNs, packet);
  if (host.trace.isFull) skb.cause = host.trace.emit({ kind: "packet-passed", host: host.name, cause: skb.cause, device: device.name, direction, packet });
}

function tracePacketDrop(host: Host, skb: SkBuff, reason: DropReason, detail: string): void {
  if (host.trace.isFull) host.trace.emit({ kind: "packet-dropped", host: host.name, cause: skb.cause, reason, packet: skb.recorded, detail });
}

/**
 * lo: what goes out comes in again, in an event of its own a moment later. The packet keeps its route (so that no input lookup is made:
 * ip_rcv_finish finds skb->dst), its mark and its connection, as the kernel's does.
 */
export class LoopbackDriver implements DeviceDriver, EventTarget, DepartureSink {
  readonly needsNeighbour = false;
  readonly #host: Host;

  constructor(host: Host) {
    this.#host = host;
  }

  transmit(device: NetDevice, skb: SkBuff): void {
    if (device.qdisc === undefined || !device.isUp) this.depart(device, skb);
    else device.qdisc.netem.enqueue(skb);
  }

  depart(device: NetDevice, item: Departure): void {
    const skb = item as SkBuff;
    if (!sendBare(this.#host, device, skb)) return;
    skb.device = device;
    skb.packetType = "host";
    skb.sourceMac = 0;
    skb.nextHop = 0;
    this.#host.loop.after(LOOPBACK_NS, this, skb);
  }

  transmitFrame(device: NetDevice): void {
    device.counters.txDropped++;
  }

  onEvent(argument: unknown): void {
    const skb = argument as SkBuff;
    const device = skb.device as NetDevice;
    if (device.isUp) receiveBare(this.#host, device, skb);
    else tracePacketDrop(this.#host, skb, "DEV_DOWN", "lo is down");
  }
}

/** Takes packets and forgets them: dummy interfaces. */
export class DummyDriver implements DeviceDriver {
  readonly needsNeighbour = false;
  readonly #host: Host;

  constructor(host: Host) {
    this.#host = host;
  }

  transmit(device: NetDevice, skb: SkBuff): void {
    if (!sendBare(this.#host, device, skb)) return;
    device.counters.txBytes += ETHERNET_HEADER_BYTES;
    tracePacketDrop(this.#host, skb, "DIVERTED", `${device.name} leads nowhere`);
  }

  transmitFrame(device: NetDevice): void {
    device.counters.txPackets++;
  }
}

/** A tunnel whose module is not there, and the idle gretap0 and erspan0. */
export class AbsentDriver implements DeviceDriver {
  readonly needsNeighbour = false;
  readonly #host: Host;

  constructor(host: Host) {
    this.#host = host;
  }

  transmit(device: NetDevice, skb: SkBuff): void {
    device.counters.txErrors++;
    tracePacketDrop(this.#host, skb, "TUNNEL_NO_DEVICE", `${device.name} has no endpoint`);
  }

  transmitFrame(device: NetDevice): void {
    device.counters.txErrors++;
  }
}
