/**
 * The devices of a host: made, numbered, brought up and down, renamed, removed. What happens to addresses, routes and neighbours at each of
 * these follows the notifier chain of the kernel.
 *
 * Linux v6.1 net/core/dev.c (dev_open, dev_close, dev_change_name, dev_new_index), net/ipv4/devinet.c:inetdev_event,
 * net/ipv4/fib_frontend.c:fib_netdev_event, net/ipv4/arp.c:arp_netdev_event.
 *
 * Every host has tunl0, gre0, gretap0 and erspan0 from the start, idle and down: the fallback devices of the tunnel modules, which the
 * reference laboratory has loaded.
 */

import { assert } from "../base/assert.ts";
import { isGroupMac, type MacAddress, ZERO_MAC } from "../base/mac-address.ts";
import type { NetemOptions } from "../link/netem.ts";
import type { FrameReceiver, LinkPort } from "../link/port.ts";
import type { EthernetFrame } from "../wire/packet.ts";
import type { CaptureTap, DeviceCounters, DeviceDriver, DeviceKind, InterfaceAddress, NetDevice, TunnelParameters } from "./device.ts";
import { AbsentDriver, DummyDriver, EtherDriver, LoopbackDriver, receiveFrame } from "./device-drivers.ts";
import type { DeviceFlags, DeviceTable, Errno, Host } from "./host.ts";
import { touchRow } from "./host-tables.ts";
import { MacvlanDriver } from "./macvlan.ts";
import type { Ipv4Conf } from "./ipv4-conf.ts";
import { NeighbourParameters } from "./neighbour-parameters.ts";
import { NetemQdisc } from "./netem-qdisc.ts";

/** Bound on the devices of one host. */
export const DEVICES_MAX = 4096;

const ETHERNET_MTU_MIN = 68;
const ETHERNET_MTU_MAX = 65535;

/** Index of a link's first interface in the laboratory: the bridge and the fallback devices come before it, and each cable takes two. */
const FIRST_CABLE_INDEX = 7;

/** Handles that the kernel chooses are above this (net/sched/sch_api.c:qdisc_alloc_handle). */
const AUTOMATIC_HANDLES = 0x8000;

export const ANY_TUNNEL: TunnelParameters = { mode: "ipip", local: 0, remote: 0, ttl: 0, tos: 0, pmtuDiscovery: false, key: undefined };

interface DeviceOptions {
  readonly index: number;
  readonly name: string;
  readonly kind: DeviceKind;
  readonly driver: DeviceDriver;
  readonly mac: MacAddress;
  readonly mtu: number;
  readonly hasCarrier?: boolean;
  readonly isNoArp?: boolean;
  readonly peerIndex?: number;
  readonly peerNetnsId?: number;
  readonly tunnel?: TunnelParameters;
  readonly lower?: NetDevice;
}

class HostDevice implements NetDevice, FrameReceiver {
  readonly hostName: string;
  readonly index: number;
  name: string;
  readonly kind: DeviceKind;
  driver: DeviceDriver;
  mac: MacAddress;
  mtu: number;
  isUp = false;
  hasBeenUp = false;
  hasCarrier: boolean;
  carrierUps = 0;
  /** One end of a cable is made dark. */
  carrierDowns: number;
  #hasWorked = false;
  isNoArp: boolean;
  isPromiscuous = false;
  isAllMulticast = false;
  isMulticast: boolean;
  alias = "";
  isRemoved = false;
  txQueueLength = 1000;
  readonly addresses: InterfaceAddress[] = [];
  readonly conf: Ipv4Conf;
  readonly neigh = new NeighbourParameters();
  readonly peerIndex: number;
  readonly peerNetnsId: number;
  readonly counters: DeviceCounters = {
    rxPackets: 0,
    rxBytes: 0,
    rxErrors: 0,
    rxDropped: 0,
    txPackets: 0,
    txBytes: 0,
    txErrors: 0,
    txDropped: 0,
    txCarrierErrors: 0,
    multicast: 0,
  };
  readonly taps: CaptureTap[] = [];
  tunnel: TunnelParameters | undefined;
  qdisc: NetemQdisc | undefined = undefined;
  readonly lower: NetDevice | undefined;
  readonly uppers: NetDevice[] = [];
  readonly #host: Host;

  constructor(host: Host, options: DeviceOptions) {
    this.#host = host;
    this.hostName = host.name;
    this.index = options.index;
    this.name = options.name;
    this.kind = options.kind;
    this.driver = options.driver;
    this.mac = options.mac;
    this.mtu = options.mtu;
    this.hasCarrier = options.hasCarrier ?? true;
    this.isNoArp = options.isNoArp ?? false;
    this.carrierDowns = options.kind === "ether" && options.lower === undefined ? 1 : 0;
    this.isMulticast = options.kind === "ether" || options.kind === "gretap" || options.kind === "erspan";
    this.peerIndex = options.peerIndex ?? 0;
    this.peerNetnsId = options.peerNetnsId ?? -1;
    this.tunnel = options.tunnel;
    this.lower = options.lower;
    this.conf = host.sysctl.default.copy();
    if (options.kind === "loopback") {
      this.conf.disable_policy = 1;
      this.conf.disable_xfrm = 1;
    }
  }

  get deviceName(): string {
    return this.name;
  }

  receiveFrame(frame: EthernetFrame): void {
    if (!this.isRemoved) receiveFrame(this.#host, this, frame);
  }

  /** netif_carrier_on and netif_carrier_off, as a veth calls them. */
  countCarrier(): void {
    const works = this.isUp && this.hasCarrier;
    if (this.kind !== "ether" || works === this.#hasWorked) return;
    this.#hasWorked = works;
    if (works) this.carrierUps++;
    else this.carrierDowns++;
  }

  /** NETDEV_CHANGE: routes are marked, neighbours forgotten. */
  carrierChanged(hasCarrier: boolean): void {
    if (this.hasCarrier === hasCarrier || this.isRemoved) return;
    this.hasCarrier = hasCarrier;
    this.countCarrier();
    const host = this.#host;
    touchRow(host, "links", this);
    if (!this.isUp) return;
    if (!hasCarrier) this.qdisc?.netem.reset();
    host.fib.carrierChanged(this);
    if (!hasCarrier && host.sysctl.inForce(this, "arp_evict_nocarrier") !== 0) host.neighbours.deviceDown(this, true);
    for (const watcher of [...host.devices.watchers]) watcher(this);
    tellUppers(this);
  }
}

/** A macvlan works as long as the device below does (netif_stacked_transfer_operstate). */
function tellUppers(device: NetDevice): void {
  for (const upper of device.uppers) if (upper instanceof HostDevice) upper.carrierChanged(device.isUp && device.hasCarrier);
}

export class NetDeviceTable implements DeviceTable {
  /** In order of registration, which is what source selection walks; commands list by index. */
  readonly list: NetDevice[] = [];
  readonly loopback: NetDevice;
  readonly watchers: DeviceTable["watchers"] = new Set();
  message = "";
  readonly #host: Host;
  readonly #byName = new Map<string, HostDevice>();
  readonly #byIndex = new Map<number, HostDevice>();
  readonly #fallbacks = new Set<NetDevice>();
  readonly #tunnelDrivers: { tunnel: DeviceDriver; gre: DeviceDriver };
  /** Links by name, in the order in which this host was attached to them. */
  readonly #links: string[] = [];
  #lastIndex = 0;
  #lastHandle = AUTOMATIC_HANDLES;
  #isCrashed = false;

  /** Needs `host.sysctl`; the other parts only when `boot` is called. */
  constructor(host: Host) {
    this.#host = host;
    const absent = new AbsentDriver(host);
    this.#tunnelDrivers = { tunnel: absent, gre: absent };
    this.loopback = this.#register({ index: this.#newIndex(), name: "lo", kind: "loopback", driver: new LoopbackDriver(host), mac: ZERO_MAC, mtu: 65536 });
    this.#addFallback("tunl0", "tunnel", 1480, ANY_TUNNEL);
    this.#addFallback("gre0", "gre", 1476, { ...ANY_TUNNEL, mode: "gre" });
    this.#addFallback("gretap0", "gretap", 1462);
    this.#addFallback("erspan0", "erspan", 1450);
  }

  boot(): void {
    this.setUp(this.loopback);
  }

  byName(name: string): NetDevice | undefined {
    return this.#byName.get(name);
  }

  byIndex(index: number): NetDevice | undefined {
    return this.#byIndex.get(index);
  }

  registerDriver(kind: "tunnel" | "gre", driver: DeviceDriver): void {
    this.#tunnelDrivers[kind] = driver;
    for (const device of this.#byName.values()) if (device.kind === kind) device.driver = driver;
  }

  /* ------------------------------------------------------------------------------------------------------------- making */

  addEthernet(options: {
    readonly name: string;
    readonly mac: MacAddress;
    readonly mtu: number;
    readonly port: LinkPort;
    readonly link?: string;
    readonly linkPosition?: number;
  }): HostDevice {
    const { name, mac, mtu, port } = options;
    assert(isValidName(name) && !this.#byName.has(name), `interface name ${name} is wrong or taken`);
    const link = options.link ?? name;
    if (!this.#links.includes(link)) this.#links.push(link);
    const wanted = FIRST_CABLE_INDEX + 2 * (options.linkPosition ?? 0);
    const index = this.#byIndex.has(wanted) ? this.#newIndex() : wanted;
    const driver = new EtherDriver(this.#host, port);
    return this.#register({
      index,
      name,
      kind: "ether",
      driver,
      mac,
      mtu,
      hasCarrier: port.hasCarrier,
      peerIndex: wanted + 1,
      peerNetnsId: this.#links.indexOf(link),
    });
  }

  addDummy(name: string): NetDevice | Errno {
    const chosen = name.includes("%d") || name === "" ? this.#freeName(name === "" ? "dummy%d" : name) : name;
    const errno = this.#checkName(chosen);
    if (errno !== undefined) return errno;
    const random = this.#host.random("dummy");
    // A random address with the local bit set and the group bit clear (eth_hw_addr_random).
    const mac = (((random.below(256) & 0xfc) | 0x02) * 0x10000000000 + random.below(256) * 0x100000000 + random.next32()) as MacAddress;
    return this.#register({ index: this.#newIndex(), name: chosen, kind: "dummy", driver: new DummyDriver(this.#host), mac, mtu: 1500, isNoArp: true });
  }

  addMacvlan(name: string, lower: NetDevice, mac: MacAddress): NetDevice | Errno {
    const errno = this.#checkName(name);
    if (errno !== undefined) return errno;
    // On a macvlan it lies beside that one, on the device below both.
    const base = lower.lower ?? lower;
    if (base.kind !== "ether") return "EINVAL";
    const device = this.#register({
      index: this.#newIndex(),
      name,
      kind: "ether",
      driver: new MacvlanDriver(this.#host, base),
      mac,
      mtu: base.mtu,
      hasCarrier: base.isUp && base.hasCarrier,
      lower: base,
    });
    base.uppers.push(device);
    return device;
  }

  addTunnel(name: string, parameters: TunnelParameters): NetDevice | Errno {
    const kind = parameters.mode === "ipip" ? "tunnel" : "gre";
    const chosen = name === "" ? this.#freeName(parameters.mode === "ipip" ? "ipip%d" : "gre%d") : name;
    const errno = this.#checkName(chosen);
    if (errno !== undefined) return errno;
    const isTwin = (device: HostDevice): boolean =>
      device.kind === kind &&
      device.tunnel !== undefined &&
      device.tunnel.local === parameters.local &&
      device.tunnel.remote === parameters.remote &&
      device.tunnel.key === parameters.key &&
      device.tunnel.link === parameters.link;
    for (const device of this.#byName.values()) if (isTwin(device)) return "EEXIST";
    const overhead = parameters.mode === "ipip" ? 20 : 24 + (parameters.key === undefined ? 0 : 4);
    const mtu = this.#underlayMtu(parameters) - overhead;
    return this.#register({
      index: this.#newIndex(),
      name: chosen,
      kind,
      driver: this.#tunnelDrivers[kind],
      mac: ZERO_MAC,
      mtu,
      isNoArp: true,
      tunnel: parameters,
    });
  }

  /** The MTU of the device that leads to the far end (net/ipv4/ip_tunnel.c:ip_tunnel_bind_dev). */
  #underlayMtu(parameters: TunnelParameters): number {
    const { remote, local, link } = parameters;
    const result = remote === 0 ? "ENETUNREACH" : this.#host.fib.lookup({ dst: remote, src: local, mark: 0, tos: 0, scope: 0, output: link, input: undefined });
    const lower = typeof result === "string" || result.device === undefined ? link : result.device;
    return lower === undefined ? 1500 : Math.min(lower.mtu, 65535);
  }

  #addFallback(name: string, kind: "tunnel" | "gre" | "gretap" | "erspan", mtu: number, tunnel?: TunnelParameters): void {
    const driver = kind === "tunnel" || kind === "gre" ? this.#tunnelDrivers[kind] : new AbsentDriver(this.#host);
    this.#fallbacks.add(this.#register({ index: this.#newIndex(), name, kind, driver, mac: ZERO_MAC, mtu, isNoArp: tunnel !== undefined, tunnel }));
  }

  #register(options: DeviceOptions): HostDevice {
    const device = new HostDevice(this.#host, options);
    this.#byName.set(device.name, device);
    this.#byIndex.set(device.index, device);
    this.list.push(device);
    this.#host.sysctl.addDevice(device);
    this.#traceChange("add", device);
    return device;
  }

  #newIndex(): number {
    do this.#lastIndex++;
    while (this.#byIndex.has(this.#lastIndex));
    return this.#lastIndex;
  }

  #freeName(pattern: string): string {
    for (let number = 0; number < DEVICES_MAX; number++) {
      const name = pattern.replace("%d", String(number));
      if (!this.#byName.has(name)) return name;
    }
    return pattern;
  }

  #checkName(name: string): Errno | undefined {
    if (!isValidName(name)) return "EINVAL";
    if (this.#byName.has(name)) return "EEXIST";
    return this.list.length >= DEVICES_MAX ? "ENFILE" : undefined;
  }

  remove(device: NetDevice): Errno | undefined {
    this.message = "";
    const own = this.#byName.get(device.name);
    if (own === undefined || own !== device) return "ENODEV";
    if (device.kind === "loopback") return "EOPNOTSUPP";
    // The fallback device of a tunnel module cannot be deleted; asking for it succeeds without effect (ip_tunnel_dellink).
    if (this.#fallbacks.has(device)) return undefined;
    for (const upper of [...device.uppers]) this.remove(upper);
    this.setDown(device);
    const uppers = device.lower?.uppers;
    uppers?.splice(uppers.indexOf(device), 1);
    const host = this.#host;
    for (const address of [...device.addresses].reverse()) host.addresses.remove(device, address);
    host.fib.deviceDown(device, "gone");
    host.multicast.deviceRemoved(device);
    host.sysctl.removeDevice(device);
    own.isRemoved = true;
    this.#byName.delete(device.name);
    this.#byIndex.delete(device.index);
    this.list.splice(this.list.indexOf(device), 1);
    this.#traceChange("remove", device);
    return undefined;
  }

  /* ------------------------------------------------------------------------------------------------------------ changing */

  setUp(device: NetDevice): Errno | undefined {
    this.message = "";
    if (device.isUp || this.#isCrashed) return undefined;
    if (device.lower?.isUp === false) return "ENETDOWN";
    const host = this.#host;
    device.isUp = true;
    device.hasBeenUp = true;
    this.#byIndex.get(device.index)?.countCarrier();
    this.#traceChange("change", device);
    device.driver.upChanged?.(true);
    host.addresses.deviceUp(device);
    host.multicast.deviceUp(device);
    if (device.kind === "ether") this.#announce(device);
    for (const watcher of [...this.watchers]) watcher(device);
    tellUppers(device);
    return undefined;
  }

  setDown(device: NetDevice): void {
    this.message = "";
    if (!device.isUp) return;
    const host = this.#host;
    device.isUp = false;
    this.#byIndex.get(device.index)?.countCarrier();
    device.qdisc?.netem.reset();
    this.#traceChange("change", device);
    device.driver.upChanged?.(false);
    host.multicast.deviceDown(device);
    host.fib.deviceDown(device, "down");
    host.neighbours.deviceDown(device, false);
    host.conntrack.forgetMasqueraded(device.index);
    for (const watcher of [...this.watchers]) watcher(device);
    tellUppers(device);
  }

  setMtu(device: NetDevice, mtu: number): Errno | undefined {
    this.message = "";
    const isBounded = device.kind === "ether" || device.kind === "gretap" || device.kind === "erspan";
    if (isBounded && mtu < ETHERNET_MTU_MIN) return this.#refuse("EINVAL", "mtu less than device minimum");
    if (device.kind === "ether" && mtu > ETHERNET_MTU_MAX) return this.#refuse("EINVAL", "mtu greater than device maximum");
    const isTunnel = device.kind === "tunnel" || device.kind === "gre";
    if (isTunnel && mtu < ETHERNET_MTU_MIN) return "EINVAL";
    if (mtu < 0) return this.#refuse("EINVAL", "mtu less than device minimum");
    const before = device.mtu;
    device.mtu = mtu;
    this.#traceChange("change", device);
    this.#host.routing.mtuChanged(device, before);
    this.#host.fib.touch();
    return undefined;
  }

  setMac(device: NetDevice, mac: MacAddress): Errno | undefined {
    this.message = "";
    if (device.kind === "tunnel" || device.kind === "gre") return "EOPNOTSUPP";
    if (isGroupMac(mac) || mac === ZERO_MAC) return "EADDRNOTAVAIL";
    device.mac = mac;
    this.#traceChange("change", device);
    this.#host.neighbours.deviceDown(device, false);
    this.#host.fib.touch();
    if (device.isUp && device.kind === "ether") this.#announce(device);
    return undefined;
  }

  rename(device: NetDevice, name: string): Errno | undefined {
    this.message = "";
    const own = this.#byName.get(device.name);
    if (own === undefined || own !== device) return "ENODEV";
    if (name === device.name) return undefined;
    if (device.isUp) return "EBUSY";
    const errno = this.#checkName(name);
    if (errno !== undefined) return errno;
    this.#host.sysctl.removeDevice(device);
    this.#byName.delete(device.name);
    own.name = name;
    this.#byName.set(name, own);
    this.#host.sysctl.addDevice(device);
    device.addresses.forEach((address, i) => {
      address.label = newLabel(address.label, name, i);
      touchRow(this.#host, "addresses", address);
    });
    this.#host.fib.touch();
    this.#traceChange("change", device);
    return undefined;
  }

  setFlags(device: NetDevice, flags: DeviceFlags): void {
    if (flags.isNoArp !== undefined && flags.isNoArp !== device.isNoArp) {
      device.isNoArp = flags.isNoArp;
      this.#host.neighbours.deviceDown(device, false);
    }
    if (flags.isPromiscuous !== undefined) device.isPromiscuous = flags.isPromiscuous;
    if (flags.isAllMulticast !== undefined) device.isAllMulticast = flags.isAllMulticast;
    if (flags.isMulticast !== undefined) device.isMulticast = flags.isMulticast;
    if (flags.alias !== undefined) device.alias = flags.alias;
    if (flags.txQueueLength !== undefined) device.txQueueLength = flags.txQueueLength;
    touchRow(this.#host, "links", device);
    this.#host.fib.touch();
  }

  setNetem(device: NetDevice, netem: NetemOptions | undefined, handle = 0): Errno | undefined {
    const driver = device.driver;
    if (!(driver instanceof EtherDriver || driver instanceof LoopbackDriver)) return "EOPNOTSUPP";
    device.qdisc?.netem.reset();
    const host = this.#host;
    const chosen = handle === 0 && netem !== undefined ? ++this.#lastHandle : handle;
    const random = host.random(`netem/${device.name}`);
    device.qdisc = netem === undefined ? undefined : new NetemQdisc({ host, device, sink: driver, handle: chosen, netem, loop: host.loop, random });
    return undefined;
  }

  crash(): void {
    if (this.#isCrashed) return;
    this.#isCrashed = true;
    const { trace, name } = this.#host;
    for (const device of this.list) {
      device.isUp = false;
      touchRow(this.#host, "links", device);
      if (device.kind !== "ether") continue;
      device.hasCarrier = false;
      if (trace.isOn) trace.emit({ kind: "link", host: name, cause: 0, device: device.name, state: "crashed" });
    }
  }

  /** A gratuitous request for every address, when arp_notify says so (inetdev_send_gratuitous_arp). */
  #announce(device: NetDevice): void {
    if (this.#host.sysctl.inForce(device, "arp_notify") === 0) return;
    for (const address of device.addresses) this.#host.arp.sendGratuitous(device, address.address);
  }

  #refuse(errno: Errno, message: string): Errno {
    this.message = message;
    return errno;
  }

  #traceChange(change: "add" | "change" | "remove", device: NetDevice): void {
    const { trace, name } = this.#host;
    touchRow(this.#host, "links", device);
    if (!trace.isFull) return;
    const entry = `${device.name} ${device.isUp ? "up" : "down"} mtu ${device.mtu}`;
    trace.emit({ kind: "table", host: name, cause: 0, table: "link", change, entry });
  }
}

/** net/core/dev.c:dev_valid_name. */
function isValidName(name: string): boolean {
  return name !== "" && name.length < 16 && name !== "." && name !== ".." && !/[/:\s]/.test(name);
}

/** net/ipv4/devinet.c:inetdev_changename: the first address takes the device's name, others keep or get a suffix. */
function newLabel(label: string, name: string, position: number): string {
  if (position === 0) return name;
  const colon = label.indexOf(":");
  const suffix = colon < 0 ? `:${position + 1}` : label.slice(colon);
  return name.slice(0, 15 - suffix.length) + suffix;
}
