/**
 * Builds small networks in code: hosts on links, with addresses and routes, for tests of what lies below the shell.
 */

import { parseIpv4Address, parseIpv4Cidr, prefixMask } from "../../src/base/ipv4-address.ts";
import { SCOPE_GLOBAL, SCOPE_HOST } from "../../src/host/device.ts";
import { LinuxHost } from "../../src/host/linux-host.ts";
import { fibEntry } from "../../src/host/route.ts";
import { IpVirtualServer } from "../../src/ipvs/ip-virtual-server.ts";
import type { DestSpec, ForwardingMethod, ServiceKey } from "../../src/ipvs/ipvs.ts";
import { SimulationLoop } from "../../src/kernel/loop.ts";
import { RandomStreams } from "../../src/kernel/random.ts";
import { Switch } from "../../src/link/switch.ts";
import { MemorySink, Tracer } from "../../src/trace/tracer.ts";

export class Lan {
  readonly loop = new SimulationLoop();
  readonly trace = new Tracer(this.loop);
  readonly records = new MemorySink();
  readonly #random = new RandomStreams("1");
  readonly #links = new Map<string, Switch>();
  #macs = 0;

  constructor() {
    this.trace.setLevel("full");
    this.trace.addSink(this.records);
  }

  link(name: string): Switch {
    let link = this.#links.get(name);
    if (link === undefined) {
      link = new Switch({ name, loop: this.loop, trace: this.trace, random: this.#random.stream(name) });
      this.#links.set(name, link);
    }
    return link;
  }

  /** `interfaces`: one `link address/length` each, named eth0, eth1, ... */
  host(name: string, interfaces: readonly string[], gateway?: string): LinuxHost {
    const host = new LinuxHost({ name, loop: this.loop, trace: this.trace, random: this.#random });
    interfaces.forEach((text, i) => {
      const [link = "", address = ""] = text.split(" ");
      const port = this.link(link).addPort();
      const device = host.devices.addEthernet({ name: `eth${i}`, mac: 0x020000000000 + ++this.#macs, mtu: 1500, port });
      port.connect(device);
      addAddress(host, `eth${i}`, address);
      host.devices.setUp(device);
    });
    if (gateway !== undefined) addRoute(host, "0.0.0.0/0", gateway);
    return host;
  }

  director(host: LinuxHost, key: ServiceKey, scheduler: string, dests: readonly string[], method: ForwardingMethod): IpVirtualServer {
    const ipvs = new IpVirtualServer(host);
    ipvs.addService({ key, scheduler, schedulerFlags: [], isPersistent: false, persistenceTimeoutSeconds: 0, netmask: 0xffffffff, isOnePacket: false, persistenceEngine: "" });
    for (const dest of dests) ipvs.addDest(key, destSpec(dest, method));
    return ipvs;
  }

  run(seconds: number): void {
    this.loop.runUntil(this.loop.nowNs + seconds * 1e9);
  }
}

export function address(text: string): number {
  const value = parseIpv4Address(text);
  if (value === undefined) throw new Error(`no address: ${text}`);
  return value;
}

export function destSpec(text: string, method: ForwardingMethod): DestSpec {
  const [host = "", port = "80", weight = "1"] = text.split(/[: ]/);
  return { address: address(host), port: Number(port), method, weight: Number(weight), upperThreshold: 0, lowerThreshold: 0, tunnel: { type: "ipip", port: 0, checksum: "none" } };
}

export function addAddress(host: LinuxHost, deviceName: string, text: string): void {
  const device = host.devices.byName(deviceName);
  const cidr = parseIpv4Cidr(text);
  if (device === undefined || cidr === undefined) throw new Error(`cannot add ${text} to ${deviceName}`);
  const broadcast = cidr.prefixLength > 30 ? 0 : (cidr.address | ~prefixMask(cidr.prefixLength)) >>> 0;
  const scope = cidr.address >>> 24 === 127 ? SCOPE_HOST : SCOPE_GLOBAL;
  const errno = host.addresses.add(device, { address: cidr.address, peer: cidr.address, prefixLength: cidr.prefixLength, broadcast, scope, label: deviceName, noPrefixRoute: false });
  if (errno !== undefined) throw new Error(`${text} on ${deviceName}: ${errno}`);
}

export function addRoute(host: LinuxHost, to: string, via: string): void {
  const cidr = parseIpv4Cidr(to);
  if (cidr === undefined) throw new Error(`no prefix: ${to}`);
  const errno = host.fib.add(fibEntry({ network: cidr.address, prefixLength: cidr.prefixLength, gateway: address(via) }), "add");
  if (errno !== undefined) throw new Error(`route ${to}: ${errno}`);
}

/** A server that answers each connection's data with its name and closes when the client does. */
export function serve(host: LinuxHost, port: number): void {
  const listener = host.tcp.listen({ address: 0, port }, (socket) => ({
    onData: () => {
      socket.send(new TextEncoder().encode(host.name));
    },
    onEnd: () => socket.close(),
  }));
  if (typeof listener === "string") throw new Error(`listen: ${listener}`);
}

/** One connection: sends a byte, waits for the answer, closes. `result.text` is the answer, or the error. */
export function call(host: LinuxHost, to: string, port: number): { text: string } {
  const result = { text: "" };
  const socket = host.tcp.connect(
    { address: address(to), port },
    {
      onConnected: () => {
        if (typeof socket !== "string") socket.send(new Uint8Array([120]));
      },
      onData: (bytes) => {
        result.text += new TextDecoder().decode(bytes);
        if (typeof socket !== "string") socket.close();
      },
      onError: (errno) => {
        result.text = errno;
      },
    },
  );
  if (typeof socket === "string") result.text = socket;
  return result;
}
