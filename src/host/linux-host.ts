/**
 * One Linux host: puts its parts together. Each part knows the others only through `Host`.
 */

import type { EventLoop } from "../kernel/event-loop.ts";
import type { RandomStream, RandomStreams } from "../kernel/random.ts";
import type { TableSet } from "../trace/table-set.ts";
import type { Tracer } from "../trace/tracer.ts";
import { InterfaceAddressTable } from "./addresses.ts";
import { Arp } from "./arp.ts";
import { NetDeviceTable } from "./device-table.ts";
import { FibTables } from "./fib.ts";
import { Fou } from "./fou.ts";
import type { Host } from "./host.ts";
import { registerHostTables } from "./host-tables.ts";
import { Icmp } from "./icmp.ts";
import { Ip } from "./ip.ts";
import { BoundedKernelLog } from "./kernel-log.ts";
import { KERNEL_6_1_176, type KernelOptions } from "./kernel-options.ts";
import { Mib } from "./mib.ts";
import { Multicast } from "./multicast.ts";
import { NeighbourCache } from "./neighbour.ts";
import { Conntrack } from "./netfilter/conntrack.ts";
import { NetfilterHooks } from "./netfilter/hooks.ts";
import { Ipv4Routing } from "./routing.ts";
import { SysctlTree } from "./sysctl.ts";
import { Tcp } from "./tcp/tcp.ts";
import { Tunnels } from "./tunnel.ts";
import { Udp } from "./udp.ts";

export interface LinuxHostOptions {
  readonly name: string;
  readonly loop: EventLoop;
  readonly trace: Tracer;
  readonly random: RandomStreams;
  readonly options?: KernelOptions;
}

export class LinuxHost implements Host {
  readonly name: string;
  readonly loop: EventLoop;
  readonly trace: Tracer;
  readonly tables: TableSet;
  readonly options: KernelOptions;
  readonly mib = new Mib();
  readonly sysctl: SysctlTree;
  readonly log: BoundedKernelLog;
  readonly hooks = new NetfilterHooks();
  readonly fib: FibTables;
  readonly addresses: InterfaceAddressTable;
  readonly devices: NetDeviceTable;
  readonly routing: Ipv4Routing;
  readonly neighbours: NeighbourCache;
  readonly arp: Arp;
  readonly ip: Ip;
  readonly multicast: Multicast;
  readonly icmp: Icmp;
  readonly conntrack: Conntrack;
  readonly udp: Udp;
  readonly tcp: Tcp;
  readonly fou: Fou;
  readonly tunnels: Tunnels;
  readonly #random: RandomStreams;

  constructor(options: LinuxHostOptions) {
    this.name = options.name;
    this.loop = options.loop;
    this.trace = options.trace;
    this.tables = this.trace.tableSet(this.name);
    this.options = options.options ?? KERNEL_6_1_176;
    this.#random = options.random;
    this.log = new BoundedKernelLog(this.name, this.loop, this.trace);
    this.sysctl = new SysctlTree(this);
    this.fib = new FibTables(this);
    this.addresses = new InterfaceAddressTable(this);
    this.routing = new Ipv4Routing(this);
    this.neighbours = new NeighbourCache(this);
    this.arp = new Arp(this);
    this.ip = new Ip(this);
    this.multicast = new Multicast(this);
    this.icmp = new Icmp(this);
    this.devices = new NetDeviceTable(this);
    this.tunnels = new Tunnels(this);
    this.conntrack = new Conntrack(this);
    this.udp = new Udp(this);
    this.tcp = new Tcp(this);
    this.fou = new Fou(this);
    registerHostTables(this);
    this.devices.boot();
  }

  random(name: string): RandomStream {
    return this.#random.stream(`${this.name}/${name}`);
  }
}
