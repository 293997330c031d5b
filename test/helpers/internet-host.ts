/**
 * A host with real devices, addresses, routes and sysctls, and stand-ins for everything above: for tests of these parts and of the commands
 * that configure them.
 */

import { parseIpv4Cidr } from "../../src/base/ipv4-address.ts";
import { InterfaceAddressTable } from "../../src/host/addresses.ts";
import type { NetDevice } from "../../src/host/device.ts";
import { NetDeviceTable } from "../../src/host/device-table.ts";
import { FibTables } from "../../src/host/fib.ts";
import type { Host } from "../../src/host/host.ts";
import { KERNEL_6_1_176 } from "../../src/host/kernel-options.ts";
import { Multicast } from "../../src/host/multicast.ts";
import { Ipv4Routing } from "../../src/host/routing.ts";
import type { SkBuff } from "../../src/host/skb.ts";
import { SysctlTree } from "../../src/host/sysctl.ts";
import { SimulationLoop } from "../../src/kernel/loop.ts";
import { RandomStreams } from "../../src/kernel/random.ts";
import type { FrameReceiver, LinkPort } from "../../src/link/port.ts";
import { MemorySink, Tracer } from "../../src/trace/tracer.ts";
import type { EthernetFrame } from "../../src/wire/packet.ts";

/** A cable that only remembers what was sent. */
export class RecordingPort implements LinkPort {
  hasCarrier = true;
  readonly sent: EthernetFrame[] = [];

  transmit(frame: EthernetFrame): void {
    this.sent.push(frame);
  }

  interfaceChanged(_isUp: boolean): void {}
}

export interface TestHost extends Host {
  readonly received: SkBuff[];
  readonly arpReceived: EthernetFrame[];
  readonly sink: MemorySink;
  readonly ports: ReadonlyMap<string, RecordingPort>;
  /** Next hops whose MAC is taken as known. */
  readonly known: Set<number>;
  readonly solicited: number[];
  readonly announced: number[];
  readonly loop: SimulationLoop;
  eth(name: string): NetDevice & FrameReceiver;
}

export interface TestInterface {
  readonly link?: string;
  readonly addresses?: readonly string[];
  readonly mtu?: number;
  readonly linkPosition?: number;
}

/** Builds the host as the laboratory does: interfaces in order, addresses with broadcast, then up. */
export function internetHost(interfaces: Readonly<Record<string, TestInterface>> = { eth0: { addresses: ["10.0.0.1/24"] } }): TestHost {
  const loop = new SimulationLoop();
  const trace = new Tracer(loop);
  const sink = new MemorySink();
  trace.addSink(sink);
  const streams = new RandomStreams("test");
  const lines: { timeNs: number; text: string }[] = [];
  const received: SkBuff[] = [];
  const arpReceived: EthernetFrame[] = [];
  const known = new Set<number>();
  const solicited: number[] = [];
  const announced: number[] = [];
  const ports = new Map<string, RecordingPort>();
  const host = {
    name: "a",
    loop,
    trace,
    options: KERNEL_6_1_176,
    sink,
    received,
    arpReceived,
    ports,
    known,
    solicited,
    announced,
    log: { lines, write: (text: string) => void lines.push({ timeNs: loop.nowNs, text }) },
    random: (name: string) => streams.stream(name),
    ip: { receive: (skb: SkBuff) => void received.push(skb), registerProtocol: () => {}, localOut: () => undefined },
    arp: {
      receive: (_: NetDevice, frame: EthernetFrame) => void arpReceived.push(frame),
      sendGratuitous: (_: NetDevice, address: number) => void announced.push(address),
    },
    conntrack: { forgetMasqueraded: () => {} },
    neighbours: {
      list: [],
      lookup: () => undefined,
      flush: () => 0,
      deviceDown: () => {},
      solicit(_: NetDevice, address: number) {
        if (known.has(address)) return true;
        solicited.push(address);
        return false;
      },
    },
    eth: (name: string) => host.devices.byName(name) as NetDevice & FrameReceiver,
  } as unknown as { -readonly [K in keyof TestHost]: TestHost[K] };
  host.sysctl = new SysctlTree(host);
  host.fib = new FibTables(host);
  host.addresses = new InterfaceAddressTable(host);
  host.devices = new NetDeviceTable(host);
  host.routing = new Ipv4Routing(host);
  host.multicast = new Multicast(host);
  host.devices.boot();
  let number = 0;
  for (const [name, spec] of Object.entries(interfaces)) {
    const port = new RecordingPort();
    ports.set(name, port);
    number++;
    const device = host.devices.addEthernet({
      name,
      mac: 0x020000000000 + number,
      mtu: spec.mtu ?? 1500,
      port,
      link: spec.link ?? name,
      linkPosition: spec.linkPosition ?? 0,
    });
    for (const cidr of spec.addresses ?? []) addAddress(host, device, cidr, { hasBroadcast: true });
    host.devices.setUp(device);
  }
  return host;
}

export function addAddress(
  host: Host,
  device: NetDevice,
  cidr: string,
  options: { hasBroadcast?: boolean; scope?: number; label?: string } = {},
): string | undefined {
  const { address, prefixLength } = parseIpv4Cidr(cidr) ?? { address: 0, prefixLength: 32 };
  const broadcast = options.hasBroadcast === true && prefixLength < 31 ? (address | (2 ** (32 - prefixLength) - 1)) >>> 0 : 0;
  return host.addresses.add(device, {
    address,
    peer: address,
    prefixLength,
    broadcast,
    scope: options.scope ?? 0,
    label: options.label ?? device.name,
    noPrefixRoute: false,
  });
}
