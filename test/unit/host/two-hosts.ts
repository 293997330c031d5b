/**
 * Real hosts on real switches, for tests of the packet path.
 */

import { parseIpv4Address, parseIpv4Cidr } from "../../../src/base/ipv4-address.ts";
import { NS_PER_SECOND } from "../../../src/base/time.ts";
import type { NetDevice } from "../../../src/host/device.ts";
import { KERNEL_6_1_176, type KernelOptions } from "../../../src/host/kernel-options.ts";
import { LinuxHost } from "../../../src/host/linux-host.ts";
import type { FibEntry } from "../../../src/host/route.ts";
import { SimulationLoop } from "../../../src/kernel/loop.ts";
import { RandomStreams } from "../../../src/kernel/random.ts";
import { Switch } from "../../../src/link/switch.ts";
import { MemorySink, Tracer } from "../../../src/trace/tracer.ts";
import { formatEthernet } from "../../../src/wire/ethernet.ts";
import type { EthernetFrame } from "../../../src/wire/packet.ts";
import { PLAIN } from "../../../src/wire/print.ts";

export function ip(text: string): number {
  const address = parseIpv4Address(text);
  if (address === undefined) throw new Error(`not an address: ${text}`);
  return address;
}

export interface SeenFrame {
  readonly timeNs: number;
  readonly host: string;
  readonly device: string;
  readonly direction: "in" | "out";
  readonly frame: EthernetFrame;
}

export class Laboratory {
  readonly loop = new SimulationLoop();
  readonly trace = new Tracer(this.loop);
  readonly sink = new MemorySink();
  readonly random: RandomStreams;
  readonly hosts = new Map<string, LinuxHost>();
  readonly links = new Map<string, Switch>();
  readonly frames: SeenFrame[] = [];
  #lastMac = 0x020000000000;

  constructor(seed = 1) {
    this.random = new RandomStreams(seed);
    this.trace.addSink(this.sink);
    this.trace.setLevel("full");
  }

  /** `interfaces`: `eth0: "lan 10.0.0.1/24 10.0.0.5/32"`. */
  host(name: string, interfaces: Record<string, string> = {}, gateway?: string, options: KernelOptions = KERNEL_6_1_176): LinuxHost {
    const host = new LinuxHost({ name, loop: this.loop, trace: this.trace, random: this.random, options });
    this.hosts.set(name, host);
    for (const [device, text] of Object.entries(interfaces)) this.plug(host, device, text);
    if (gateway !== undefined) this.route(host, `0.0.0.0/0 via ${gateway}`);
    return host;
  }

  plug(host: LinuxHost, name: string, text: string, mtu = 1500): NetDevice {
    const [linkName = "lan", ...cidrs] = text.split(" ");
    const link = this.links.get(linkName) ?? new Switch({ name: linkName, loop: this.loop, trace: this.trace, random: this.random.stream(linkName) });
    this.links.set(linkName, link);
    const port = link.addPort();
    const device = host.devices.addEthernet({ name, mac: ++this.#lastMac, mtu, port, link: linkName, linkPosition: link.ports.length - 1 });
    port.connect(device);
    host.devices.setUp(device);
    device.taps.push((direction, timeNs, what) => {
      if (what.constructor.name === "EthernetFrame") this.frames.push({ timeNs, host: host.name, device: name, direction, frame: what as EthernetFrame });
    });
    for (const cidr of cidrs) this.address(host, device, cidr);
    return device;
  }

  address(host: LinuxHost, device: NetDevice, cidr: string, scope = 0): void {
    const parsed = parseIpv4Cidr(cidr);
    if (parsed === undefined) throw new Error(`not a CIDR: ${cidr}`);
    const { address, prefixLength } = parsed;
    const broadcast = prefixLength >= 31 ? 0 : (address | (0xffffffff >>> prefixLength)) >>> 0;
    const errno = host.addresses.add(device, { address, peer: address, prefixLength, broadcast, scope, label: device.name, noPrefixRoute: false });
    if (errno !== undefined) throw new Error(`${cidr}: ${errno}`);
  }

  /** `10.0.0.0/24 via 10.1.1.1` or `10.0.0.0/24 dev eth1`. */
  route(host: LinuxHost, text: string): void {
    const [cidr = "", how, where = ""] = text.split(" ");
    const parsed = parseIpv4Cidr(cidr);
    if (parsed === undefined) throw new Error(`not a CIDR: ${cidr}`);
    const entry: FibEntry = {
      network: parsed.address,
      prefixLength: parsed.prefixLength,
      table: 254,
      type: "unicast",
      scope: how === "via" ? 0 : 253,
      tos: 0,
      priority: 0,
      protocol: "boot",
      device: how === "dev" ? host.devices.byName(where) : undefined,
      gateway: how === "via" ? ip(where) : 0,
      preferredSource: 0,
      mtu: 0,
      mtuLocked: false,
      isOnlink: false,
      advmss: 0,
      isLinkDown: false,
      nextHops: [],
    };
    const errno = host.fib.add(entry, "add");
    if (errno !== undefined) throw new Error(`${text}: ${errno}`);
  }

  run(seconds: number): void {
    this.loop.runUntil(this.loop.nowNs + Math.round(seconds * NS_PER_SECOND));
  }

  /** Frames that `host` sent or received on `device`, as tcpdump -n prints them, after `seconds`. */
  dump(host: string, device = "eth0", direction?: "in" | "out"): string[] {
    return this.frames
      .filter((seen) => seen.host === host && seen.device === device && (direction === undefined || seen.direction === direction))
      .map((seen) => formatEthernet(seen.frame, PLAIN));
  }
}
