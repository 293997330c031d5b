/**
 * The IPv4 addresses of a host's devices and the routes that come and go with them.
 *
 * Linux v6.1 net/ipv4/devinet.c (__inet_insert_ifa, __inet_del_ifa, inet_select_addr, inetdev_event), net/ipv4/fib_frontend.c
 * (fib_add_ifaddr, fib_del_ifaddr, fib_inetaddr_event, fib_netdev_event).
 */

import { formatIpv4Address, isInPrefix, isLoopback, isZeroNet, LIMITED_BROADCAST, networkOf, prefixMask } from "../base/ipv4-address.ts";
import { type InterfaceAddress, type NetDevice, SCOPE_GLOBAL, SCOPE_HOST, SCOPE_LINK, type Scope } from "./device.ts";
import type { AddressTable, Errno, Host } from "./host.ts";
import { touchRow } from "./host-tables.ts";
import { fibEntry, type RouteType, TABLE_LOCAL, TABLE_MAIN } from "./route.ts";

/** Bound on the addresses of one device. */
export const DEVICE_ADDRESSES_MAX = 65536;

const LOOPBACK_ADDRESS = 0x7f000001;

const NO_ADDRESS = 0;

interface Owned {
  readonly device: NetDevice;
  readonly address: InterfaceAddress;
}

export class InterfaceAddressTable implements AddressTable {
  readonly #host: Host;
  /** Who holds an address; the oldest holder first (inet_addr_lst). */
  readonly #owners = new Map<number, Owned[]>();
  readonly watchers: AddressTable["watchers"] = new Set();
  generation = 1;
  readonly message = "";

  constructor(host: Host) {
    this.#host = host;
  }

  isOwn(address: number): boolean {
    return this.#owners.has(address | 0);
  }

  /** net/ipv4/devinet.c:__ip_dev_find: by address, else by what table local says is local. */
  deviceOf(address: number): NetDevice | undefined {
    const owners = this.#owners.get(address | 0);
    if (owners !== undefined) return owners[0]?.device;
    const result = this.#host.fib.lookup({
      dst: address,
      src: 0,
      mark: 0,
      tos: 0,
      scope: SCOPE_GLOBAL,
      output: undefined,
      input: undefined,
      table: TABLE_LOCAL,
    });
    return typeof result === "string" || result.route.type !== "local" ? undefined : result.device;
  }

  /* --------------------------------------------------------------------------------------------------------- add, remove */

  add(device: NetDevice, wanted: Omit<InterfaceAddress, "isSecondary">): Errno | undefined {
    this.#host.sysctl.pinDevice(device);
    const address: InterfaceAddress = { ...wanted, isSecondary: false };
    const list = device.addresses;
    if (list.length >= DEVICE_ADDRESSES_MAX) return "ENOBUFS";
    let position = 0;
    for (let i = 0; i < list.length; i++) {
      const other = list[i] as InterfaceAddress;
      if (!other.isSecondary && address.scope <= other.scope) position = i + 1;
      if (other.prefixLength !== address.prefixLength || !isSameSubnet(other, address)) continue;
      if (other.address === address.address) return "EEXIST";
      if (other.scope !== address.scope) return "EINVAL";
      address.isSecondary = true;
    }
    list.splice(address.isSecondary ? list.length : position, 0, address);
    this.#own(device, address);
    this.#addRoutes(device, address);
    this.#changed("add", device, address);
    return undefined;
  }

  remove(device: NetDevice, address: InterfaceAddress): Errno | undefined {
    const list = device.addresses;
    const index = list.indexOf(address);
    if (index < 0) return "EADDRNOTAVAIL";
    const family = address.isSecondary ? [] : list.slice(index + 1).filter((other) => other.isSecondary && isOneSubnet(address, other));
    const promotes = family.length > 0 && this.#host.sysctl.inForce(device, "promote_secondaries") !== 0;
    if (promotes) {
      // Their routes name the old primary as source: they are taken away and come back with the new one.
      for (const other of family) this.#removeRoutes(device, other, address);
    } else for (const other of family) this.#unlink(device, other);
    this.#unlink(device, address);
    if (promotes) this.#promote(device, address, family);
    this.#lastAddressGone(device);
    return undefined;
  }

  /** The first secondary takes the place after the last primary of a scope at least as wide; the others become its secondaries. */
  #promote(device: NetDevice, old: InterfaceAddress, family: readonly InterfaceAddress[]): void {
    const list = device.addresses;
    const promoted = family[0] as InterfaceAddress;
    list.splice(list.indexOf(promoted), 1);
    let position = 0;
    for (let i = 0; i < list.length; i++) {
      const other = list[i] as InterfaceAddress;
      if (!other.isSecondary && old.scope <= other.scope) position = i + 1;
    }
    list.splice(position, 0, promoted);
    promoted.isSecondary = false;
    for (const address of family) this.#addRoutes(device, address);
    this.#host.fib.deviceUp(device);
    this.#changed("change", device, promoted);
  }

  #unlink(device: NetDevice, address: InterfaceAddress): void {
    const index = device.addresses.indexOf(address);
    if (index >= 0) device.addresses.splice(index, 1);
    const owners = this.#owners.get(address.address | 0) ?? [];
    const left = owners.filter((owned) => owned.address !== address);
    if (left.length === 0) this.#owners.delete(address.address | 0);
    else this.#owners.set(address.address | 0, left);
    this.#removeRoutes(device, address, undefined);
    this.#host.conntrack.forgetMasqueraded(device.index, address.address);
    this.#changed("remove", device, address);
  }

  #lastAddressGone(device: NetDevice): void {
    if (device.addresses.length > 0) return;
    this.#host.fib.deviceDown(device, "no-address");
    this.#host.neighbours.deviceDown(device, false);
  }

  #own(device: NetDevice, address: InterfaceAddress): void {
    const owners = this.#owners.get(address.address | 0);
    if (owners === undefined) this.#owners.set(address.address | 0, [{ device, address }]);
    else owners.push({ device, address });
  }

  #changed(change: "add" | "change" | "remove", device: NetDevice, address: InterfaceAddress): void {
    this.generation++;
    this.#host.fib.touch();
    touchRow(this.#host, "addresses", address);
    if (change !== "change") for (const watcher of [...this.watchers]) watcher(change, device, address);
    const trace = this.#host.trace;
    if (!trace.isFull) return;
    const entry = `${formatIpv4Address(address.address)}/${address.prefixLength} dev ${device.name}${address.isSecondary ? " secondary" : ""}`;
    trace.emit({ kind: "table", host: this.#host.name, cause: 0, table: "address", change, entry });
  }

  /* -------------------------------------------------------------------------------------------------------------- routes */

  deviceUp(device: NetDevice): void {
    if (device.kind === "loopback" && device.addresses.length === 0) {
      const address = {
        address: LOOPBACK_ADDRESS,
        peer: LOOPBACK_ADDRESS,
        prefixLength: 8,
        broadcast: 0,
        scope: SCOPE_HOST,
        label: device.name,
        noPrefixRoute: false,
      };
      this.add(device, address);
    }
    for (const address of device.addresses) this.#addRoutes(device, address);
    this.#host.fib.deviceUp(device);
    this.generation++;
  }

  /** net/ipv4/fib_frontend.c:fib_add_ifaddr. */
  #addRoutes(device: NetDevice, address: InterfaceAddress): void {
    const primary = address.isSecondary ? primaryOf(device, address) : address;
    if (primary === undefined) return;
    const mask = prefixMask(address.prefixLength);
    const prefix = networkOf(address.peer, address.prefixLength);
    this.#magic("add", device, "local", address.address, 32, primary);
    if (!device.isUp) return;
    if (address.broadcast !== 0 && address.broadcast !== LIMITED_BROADCAST) {
      this.#magic("add", device, "broadcast", address.broadcast, 32, primary);
    }
    if (isZeroNet(prefix) || address.isSecondary || (prefix === address.address && address.prefixLength === 32)) return;
    if (!address.noPrefixRoute) this.#magic("add", device, prefixRouteType(device), prefix, address.prefixLength, primary, address.routePriority ?? 0);
    if (address.prefixLength >= 31) return;
    this.#magic("add", device, "broadcast", (prefix | ~mask) >>> 0, 32, primary);
    if (this.#host.options.networkBroadcastRoutes) this.#magic("add", device, "broadcast", prefix, 32, primary);
  }

  /** net/ipv4/fib_frontend.c:fib_del_ifaddr. `oldPrimary`: the primary that is going, when secondaries are being promoted. */
  #removeRoutes(device: NetDevice, address: InterfaceAddress, oldPrimary: InterfaceAddress | undefined): void {
    const mask = prefixMask(address.prefixLength);
    const any = networkOf(address.peer, address.prefixLength);
    const broadcast = (address.peer | ~mask) >>> 0;
    let primary = address;
    let hasSubnet = false;
    if (address.isSecondary) {
      const found = oldPrimary ?? primaryOf(device, address);
      if (found === undefined) return;
      primary = found;
    } else if (!isZeroNet(any) && (any !== address.address || address.prefixLength < 32)) {
      if (!address.noPrefixRoute) this.#magic("remove", device, prefixRouteType(device), any, address.prefixLength, primary);
      hasSubnet = true;
    }
    const kept = address.noPrefixRoute ? NOTHING_KEPT : keptRoutes(device, { address, primary, oldPrimary, broadcast, any });
    if (!kept.broadcast && address.broadcast !== 0) this.#magic("remove", device, "broadcast", address.broadcast, 32, primary);
    if (hasSubnet && address.prefixLength < 31) {
      if (!kept.subnetBroadcast) this.#magic("remove", device, "broadcast", broadcast, 32, primary);
      if (!kept.subnetAny) this.#magic("remove", device, "broadcast", any, 32, primary);
    }
    if (kept.local) return;
    this.#magic("remove", device, "local", address.address, 32, primary);
    const isGone = !device.addresses.includes(address);
    if (isGone && this.#host.fib.addressType(address.address) !== "local") this.#host.fib.sourceGone(address.address);
  }

  /** net/ipv4/fib_frontend.c:fib_magic. */
  #magic(what: "add" | "remove", device: NetDevice, type: RouteType, network: number, prefixLength: number, primary: InterfaceAddress, priority = 0): void {
    const entry = fibEntry({
      network,
      prefixLength,
      table: type === "unicast" ? TABLE_MAIN : TABLE_LOCAL,
      type,
      scope: type === "local" ? SCOPE_HOST : SCOPE_LINK,
      priority,
      protocol: "kernel",
      device,
      preferredSource: primary.address,
    });
    if (what === "add") this.#host.fib.add(entry, "append");
    else {
      const { table, scope, protocol, preferredSource } = entry;
      this.#host.fib.remove({ network, prefixLength, table, type, scope, protocol, preferredSource, device });
    }
  }

  /* ------------------------------------------------------------------------------------------------------ source address */

  select(device: NetDevice | undefined, destination: number, scope: Scope): number {
    if (device !== undefined) {
      const hostScope = this.#host.sysctl.inForce(device, "route_localnet") !== 0 ? SCOPE_LINK : SCOPE_HOST;
      let found = NO_ADDRESS;
      for (const address of device.addresses) {
        if (address.isSecondary || Math.min(address.scope, hostScope) > scope) continue;
        if (destination === 0 || isInPrefix(destination, address.peer, address.prefixLength)) return address.address;
        if (found === NO_ADDRESS) found = address.address;
      }
      if (found !== NO_ADDRESS) return found;
    }
    // No address here: another device's will do, as long as it is no host address; lo comes first by its index.
    for (const other of this.#host.devices.list) {
      const address = firstSelectable(other, scope);
      if (address !== NO_ADDRESS) return address;
    }
    return NO_ADDRESS;
  }
}

function firstSelectable(device: NetDevice, scope: Scope): number {
  for (const address of device.addresses) {
    if (!address.isSecondary && address.scope !== SCOPE_LINK && address.scope <= scope) return address.address;
  }
  return NO_ADDRESS;
}

function isSameSubnet(a: InterfaceAddress, b: InterfaceAddress): boolean {
  return isInPrefix(b.peer, a.peer, a.prefixLength);
}

function isOneSubnet(a: InterfaceAddress, b: InterfaceAddress): boolean {
  return a.prefixLength === b.prefixLength && isSameSubnet(a, b);
}

function primaryOf(device: NetDevice, address: InterfaceAddress): InterfaceAddress | undefined {
  return device.addresses.find((other) => !other.isSecondary && isOneSubnet(other, address));
}

/** The subnet of an address on lo is this host as a whole, the famous trap of aliases without a /32 mask. */
function prefixRouteType(device: NetDevice): RouteType {
  return device.kind === "loopback" ? "local" : "unicast";
}

interface KeptRoutes {
  local: boolean;
  broadcast: boolean;
  subnetBroadcast: boolean;
  subnetAny: boolean;
}

const NOTHING_KEPT: KeptRoutes = { local: false, broadcast: false, subnetBroadcast: false, subnetAny: false };

interface Removal {
  readonly address: InterfaceAddress;
  readonly primary: InterfaceAddress;
  readonly oldPrimary: InterfaceAddress | undefined;
  readonly broadcast: number;
  readonly any: number;
}

/** Which of an address's routes another address of the device still needs (the scan in fib_del_ifaddr). */
function keptRoutes(device: NetDevice, removal: Removal): KeptRoutes {
  const { address, primary, oldPrimary, broadcast, any } = removal;
  const kept: KeptRoutes = { ...NOTHING_KEPT };
  let hasSameSource = false;
  let otherPrimary: InterfaceAddress | undefined;
  for (const other of device.addresses) {
    if (other === address || (oldPrimary !== undefined && isOneSubnet(oldPrimary, other))) continue;
    if (other.isSecondary) {
      if (isOneSubnet(primary, other)) otherPrimary = primary;
      else {
        if (!hasSameSource) continue;
        if (otherPrimary === undefined || !isOneSubnet(otherPrimary, other)) otherPrimary = primaryOf(device, other);
        if (otherPrimary === undefined || otherPrimary.address !== primary.address) continue;
      }
    } else {
      if (primary.address !== other.address) continue;
      otherPrimary = other;
      if (primary !== otherPrimary) hasSameSource = true;
    }
    if (address.address === other.address) kept.local = true;
    if (address.broadcast === other.broadcast) kept.broadcast = true;
    if (broadcast === other.broadcast) kept.subnetBroadcast = true;
    if (any === other.broadcast) kept.subnetAny = true;
    if (otherPrimary !== other || other.prefixLength >= 31) continue;
    const otherAny = networkOf(other.peer, other.prefixLength);
    const otherBroadcast = (otherAny | ~prefixMask(other.prefixLength)) >>> 0;
    if (isZeroNet(otherAny)) continue;
    if (address.broadcast === otherBroadcast || address.broadcast === otherAny) kept.broadcast = true;
    if (broadcast === otherBroadcast || broadcast === otherAny) kept.subnetBroadcast = true;
    if (any === otherBroadcast || any === otherAny) kept.subnetAny = true;
  }
  return kept;
}

/** The scope that ifconfig gives an address: 127/8 stays within the host (inet_set_ifa). */
export function defaultScope(address: number): Scope {
  return isLoopback(address) ? SCOPE_HOST : SCOPE_GLOBAL;
}
