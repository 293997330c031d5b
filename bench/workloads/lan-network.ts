/**
 * The LAN that every simulator here runs:
 *
 *   C clients ══ switch ══ director ══ switch ══ R servers        1 Gbit/s, 1 us a cable, ARP
 *
 * The director forwards plainly, or is a virtual server: NAT in the same place; direct routing and tunnelling with all on one LAN, where
 * answers go from server to client without it.
 */

import { prefixMask } from "../../src/base/ipv4-address.ts";
import { SCOPE_GLOBAL } from "../../src/host/device.ts";
import { LinuxHost } from "../../src/host/linux-host.ts";
import { fibEntry } from "../../src/host/route.ts";
import { IpVirtualServer } from "../../src/ipvs/ip-virtual-server.ts";
import type { ForwardingMethod, ServiceKey } from "../../src/ipvs/ipvs.ts";
import { SimulationLoop } from "../../src/kernel/loop.ts";
import { RandomStreams } from "../../src/kernel/random.ts";
import { Switch } from "../../src/link/switch.ts";
import { Tracer } from "../../src/trace/tracer.ts";
import { PROTOCOL_TCP, PROTOCOL_UDP } from "../../src/wire/packet.ts";

export type Topology = "plain" | "nat" | "dr" | "tun";

const CABLE_NS = 1000;
const MTU = 1500;
export const SERVICE_PORT = 80;

const CLIENT_NET = address(10, 1, 0, 0);
const SERVER_NET = address(10, 2, 0, 0);
const DIRECTOR_CLIENT_SIDE = address(10, 1, 255, 254);
const DIRECTOR_SERVER_SIDE = address(10, 2, 255, 254);
const VIRTUAL = address(10, 1, 255, 1);

export interface Network {
  readonly loop: SimulationLoop;
  readonly trace: Tracer;
  readonly clients: readonly LinuxHost[];
  readonly servers: readonly LinuxHost[];
  readonly director: LinuxHost;
  readonly switches: readonly Switch[];
  readonly ipvs: IpVirtualServer | undefined;
  /** Where clients connect to: every server in turn, or the virtual address alone. */
  readonly destinations: readonly number[];
}

export interface NetworkOptions {
  readonly topology: Topology;
  readonly protocol: "tcp" | "udp";
  readonly clients: number;
  readonly servers: number;
  /** Slows every cable (by default 1 Gbit/s): the queues behind a NAT director need it no less than real ones. */
  readonly queueFrames?: number;
}

const METHODS: Readonly<Record<Exclude<Topology, "plain">, ForwardingMethod>> = { nat: "masq", dr: "route", tun: "tunnel" };

export function buildNetwork(options: NetworkOptions): Network {
  const loop = new SimulationLoop();
  const trace = new Tracer(loop);
  const random = new RandomStreams("bench");
  const isOneLan = options.topology === "dr" || options.topology === "tun";
  const properties = { latencyNs: 2 * CABLE_NS };
  const clientSwitch = new Switch({ name: "clients", loop, trace, random: random.stream("clients"), properties });
  const serverSwitch = isOneLan ? clientSwitch : new Switch({ name: "servers", loop, trace, random: random.stream("servers"), properties });
  let macs = 0;
  const plug = (host: LinuxHost, link: Switch, name: string, own: number, prefixLength: number) => {
    const port = link.addPort();
    const device = host.devices.addEthernet({ name, mac: 0x020000000000 + ++macs, mtu: MTU, port });
    port.connect(device);
    addAddress(host, name, own, prefixLength);
    must(host.devices.setUp(device));
  };
  const newHost = (name: string) => new LinuxHost({ name, loop, trace, random });
  const serverBase = isOneLan ? CLIENT_NET + 0x8000 : SERVER_NET;

  const director = newHost("director");
  plug(director, clientSwitch, "eth0", DIRECTOR_CLIENT_SIDE, 16);
  if (!isOneLan) plug(director, serverSwitch, "eth1", DIRECTOR_SERVER_SIDE, 16);
  must(director.sysctl.write("net.ipv4.ip_forward", "1"));
  const clients = Array.from({ length: options.clients }, (_, i) => {
    const host = newHost(`client${i}`);
    plug(host, clientSwitch, "eth0", CLIENT_NET + 1 + i, 16);
    if (!isOneLan) addDefaultRoute(host, DIRECTOR_CLIENT_SIDE);
    return host;
  });
  const servers = Array.from({ length: options.servers }, (_, i) => {
    const host = newHost(`server${i}`);
    plug(host, serverSwitch, "eth0", serverBase + 1 + i, 16);
    if (isOneLan) hideVirtualAddress(host, options.topology === "tun");
    else addDefaultRoute(host, DIRECTOR_SERVER_SIDE);
    return host;
  });

  const serverAddresses = servers.map((_, i) => serverBase + 1 + i);
  let ipvs: IpVirtualServer | undefined;
  if (options.topology !== "plain") {
    addAddress(director, "eth0", VIRTUAL, 32);
    ipvs = virtualServer(director, options.protocol, METHODS[options.topology], serverAddresses);
  }
  return {
    loop,
    trace,
    clients,
    servers,
    director,
    switches: isOneLan ? [clientSwitch] : [clientSwitch, serverSwitch],
    ipvs,
    destinations: ipvs === undefined ? serverAddresses : [VIRTUAL],
  };
}

function virtualServer(director: LinuxHost, protocol: "tcp" | "udp", method: ForwardingMethod, servers: readonly number[]): IpVirtualServer {
  const ipvs = new IpVirtualServer(director);
  const key: ServiceKey = { kind: "address", protocol: protocol === "tcp" ? PROTOCOL_TCP : PROTOCOL_UDP, address: VIRTUAL, port: SERVICE_PORT };
  must(
    ipvs.addService({ key, scheduler: "rr", schedulerFlags: [], isPersistent: false, persistenceTimeoutSeconds: 0, netmask: 0xffffffff, isOnePacket: false, persistenceEngine: "" }),
  );
  for (const server of servers)
    must(
      ipvs.addDest(key, { address: server, port: SERVICE_PORT, method, weight: 1, upperThreshold: 0, lowerThreshold: 0, tunnel: { type: "ipip", port: 0, checksum: "none" } }),
    );
  return ipvs;
}

/** The virtual address on lo (or tunl0), never told by ARP. */
function hideVirtualAddress(host: LinuxHost, isTunnel: boolean): void {
  must(host.sysctl.write("net.ipv4.conf.all.arp_ignore", "1"));
  must(host.sysctl.write("net.ipv4.conf.all.arp_announce", "2"));
  if (!isTunnel) {
    addAddress(host, "lo", VIRTUAL, 32);
    return;
  }
  const device = host.devices.byName("tunl0");
  if (device === undefined) throw new Error("no tunl0");
  addAddress(host, "tunl0", VIRTUAL, 32);
  must(host.devices.setUp(device));
  must(host.sysctl.write("net.ipv4.conf.all.rp_filter", "0"));
  must(host.sysctl.write("net.ipv4.conf.tunl0.rp_filter", "0"));
}

function addAddress(host: LinuxHost, deviceName: string, own: number, prefixLength: number): void {
  const device = host.devices.byName(deviceName);
  if (device === undefined) throw new Error(`no device ${deviceName}`);
  const broadcast = prefixLength > 30 ? 0 : (own | ~prefixMask(prefixLength)) >>> 0;
  must(host.addresses.add(device, { address: own, peer: own, prefixLength, broadcast, scope: SCOPE_GLOBAL, label: deviceName, noPrefixRoute: false }));
}

function addDefaultRoute(host: LinuxHost, gateway: number): void {
  must(host.fib.add(fibEntry({ gateway }), "add"));
}

function must(errno: string | undefined): void {
  if (errno !== undefined) throw new Error(errno);
}

function address(a: number, b: number, c: number, d: number): number {
  return ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
}
