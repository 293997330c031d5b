/**
 * A director without neighbours: a real host with a real IPVS whose one interface leads into this program. Packets of clients are handed to
 * its IP layer; the frame that it sends tells the real server that it chose. Direct routing, so that servers' answers do not pass.
 *
 *   clients 100.64.0.0/10 ──▶ eth0 10.2.255.254/16, virtual address 10.9.0.1 ──▶ servers 10.2.0.1, 10.2.0.2, ...
 *
 * Counters, templates, timeouts and the trash are thereby the kernel's, as in scenarios.
 */

import { assert } from "../base/assert.ts";
import { parseIpv4Address } from "../base/ipv4-address.ts";
import { type NetDevice, SCOPE_GLOBAL } from "../host/device.ts";
import { KERNEL_6_1_176 } from "../host/kernel-options.ts";
import { LinuxHost } from "../host/linux-host.ts";
import { fibEntry } from "../host/route.ts";
import { SkBuff } from "../host/skb.ts";
import type { DestSpec, ServiceKey } from "../ipvs/ipvs.ts";
import { IpVirtualServer } from "../ipvs/ip-virtual-server.ts";
import type { SchedulerDefinition } from "../ipvs/schedulers/scheduler-class.ts";
import type { SimulationLoop } from "../kernel/loop.ts";
import type { RandomStreams } from "../kernel/random.ts";
import { Tracer } from "../trace/tracer.ts";
import { type EthernetFrame, Ipv4Packet, PROTOCOL_TCP, TcpSegment } from "../wire/packet.ts";

export const VIRTUAL_PORT = 80;
const VIRTUAL_ADDRESS = addressOf("10.9.0.1");
const OWN_ADDRESS = addressOf("10.2.255.254");
const GATEWAY = addressOf("10.2.255.253");
const SERVER_BASE = addressOf("10.2.0.1");
const CLIENT_BASE = addressOf("100.64.0.1");
const SERVER_MAC_BASE = 0x020000010000;
const GATEWAY_MAC = 0x020000000002;
const OWN_MAC = 0x020000000001;
/** Room for 10.2.0.1 up to the director's own address. */
export const SERVERS_MAX = 1000;
/** 100.64.0.0/10 without its ends. */
export const CLIENTS_MAX = 4_000_000;
const WINDOW = 64_240;
const TTL = 64;

const KEY: ServiceKey = { kind: "address", protocol: PROTOCOL_TCP, address: VIRTUAL_ADDRESS, port: VIRTUAL_PORT };

export interface ServerSettings {
  readonly weight: number;
  readonly upper: number;
  readonly lower: number;
}

export interface BareDirectorOptions {
  readonly loop: SimulationLoop;
  readonly random: RandomStreams;
  readonly scheduler: string;
  readonly schedulers: readonly SchedulerDefinition[];
  readonly flags: readonly string[];
  /** 0: not persistent. */
  readonly persistenceSeconds: number;
}

export class BareDirector {
  readonly #host: LinuxHost;
  readonly #ipvs: IpVirtualServer;
  readonly #device: NetDevice;
  /** Server of the frame that was sent last; -1: none since it was reset. */
  #sentTo = -1;

  constructor(options: BareDirectorOptions) {
    const { loop } = options;
    const trace = new Tracer(loop);
    this.#host = new LinuxHost({ name: "director", loop, trace, random: options.random, options: { ...KERNEL_6_1_176, ipvsHasTwos: true } });
    this.#device = this.#plug();
    this.#ipvs = new IpVirtualServer(this.#host, { schedulers: options.schedulers });
    const errno = this.#ipvs.addService({
      key: KEY,
      scheduler: options.scheduler,
      schedulerFlags: options.flags,
      isPersistent: options.persistenceSeconds > 0,
      persistenceTimeoutSeconds: options.persistenceSeconds,
      netmask: 0xffffffff,
      isOnePacket: false,
      persistenceEngine: "",
    });
    assert(errno === undefined, `the director took no service with scheduler ${options.scheduler}: ${errno}`);
  }

  /** `ipvsadm -a`. False when it is there already. */
  add(server: number, settings: ServerSettings): boolean {
    this.#host.neighbours.set(this.#device, SERVER_BASE + server, SERVER_MAC_BASE + server, "PERMANENT", "replace");
    return this.#ipvs.addDest(KEY, destSpec(server, settings)) === undefined;
  }

  /** `ipvsadm -e`. False when it is not there. */
  edit(server: number, settings: ServerSettings): boolean {
    return this.#ipvs.editDest(KEY, destSpec(server, settings)) === undefined;
  }

  /** `ipvsadm -d`. False when it is not there. */
  remove(server: number): boolean {
    return this.#ipvs.deleteDest(KEY, SERVER_BASE + server, VIRTUAL_PORT) === undefined;
  }

  /** A segment of a client arrives. The server that it is sent on to, or -1 when it goes nowhere. */
  receive(client: number, port: number, flags: number): number {
    const segment = new TcpSegment(port, VIRTUAL_PORT, 1, 0, flags, WINDOW);
    const skb = new SkBuff(new Ipv4Packet(CLIENT_BASE + client, VIRTUAL_ADDRESS, PROTOCOL_TCP, TTL, segment), this.#device);
    this.#sentTo = -1;
    this.#host.ip.receive(skb);
    return this.#sentTo;
  }

  /** Connections of a server as `ipvsadm -Ln` shows them; undefined when it is not in the service. */
  counters(server: number): { readonly activeConns: number; readonly inactConns: number; readonly persistConns: number } | undefined {
    return this.#ipvs.service(KEY)?.dests.find((dest) => dest.address === SERVER_BASE + server);
  }

  #plug(): NetDevice {
    const host = this.#host;
    const port = { hasCarrier: true, transmit: (frame: EthernetFrame) => this.#sent(frame) };
    const device = host.devices.addEthernet({ name: "eth0", mac: OWN_MAC, mtu: 1500, port });
    for (const [address, prefixLength] of [
      [OWN_ADDRESS, 16],
      [VIRTUAL_ADDRESS, 32],
    ] as const) {
      host.addresses.add(device, { address, peer: address, prefixLength, broadcast: 0, scope: SCOPE_GLOBAL, label: "eth0", noPrefixRoute: false });
    }
    host.devices.setUp(device);
    host.neighbours.set(device, GATEWAY, GATEWAY_MAC, "PERMANENT", "replace");
    host.fib.add(fibEntry({ device, gateway: GATEWAY }), "add");
    return device;
  }

  #sent(frame: EthernetFrame): void {
    const server = frame.dst - SERVER_MAC_BASE;
    if (server >= 0 && server < SERVERS_MAX) this.#sentTo = server;
  }
}

/** The address of a client, for those who ask a scheduler without a director. */
export function clientAddress(client: number): number {
  return CLIENT_BASE + client;
}

export function serverAddress(server: number): number {
  return SERVER_BASE + server;
}

export const WORKLOAD_VIRTUAL_ADDRESS = VIRTUAL_ADDRESS;

function destSpec(server: number, { weight, upper, lower }: ServerSettings): DestSpec {
  return { address: SERVER_BASE + server, port: VIRTUAL_PORT, method: "route", weight, upperThreshold: upper, lowerThreshold: lower, tunnel: { type: "ipip", port: 0, checksum: "none" } };
}

function addressOf(text: string): number {
  const address = parseIpv4Address(text);
  assert(address !== undefined, `no address: ${text}`);
  return address;
}
