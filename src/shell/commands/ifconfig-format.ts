/**
 * How ifconfig shows an interface, long and short.
 *
 * net-tools 2.10 lib/interface.c (ife_print_long, ife_print_short), lib/nstrcmp.c.
 */

import { formatIpv4Address, prefixMask } from "../../base/ipv4-address.ts";
import { formatMacAddress } from "../../base/mac-address.ts";
import type { InterfaceAddress, NetDevice } from "../../host/device.ts";
import type { Host } from "../../host/host.ts";
import { hasBroadcast, isPointToPoint } from "./ip/ip-link-format.ts";

/** Flag, bit, letter of the short form; in the order of the long form. */
const FLAGS: readonly { readonly name: string; readonly bit: number }[] = [
  { name: "UP", bit: 0x1 },
  { name: "BROADCAST", bit: 0x2 },
  { name: "LOOPBACK", bit: 0x8 },
  { name: "POINTOPOINT", bit: 0x10 },
  { name: "RUNNING", bit: 0x40 },
  { name: "NOARP", bit: 0x80 },
  { name: "PROMISC", bit: 0x100 },
  { name: "ALLMULTI", bit: 0x200 },
  { name: "MULTICAST", bit: 0x1000 },
];

const SHORT_LETTERS: readonly (readonly [number, string])[] = [
  [0x200, "A"],
  [0x2, "B"],
  [0x8, "L"],
  [0x1000, "M"],
  [0x100, "P"],
  [0x80, "O"],
  [0x10, "P"],
  [0x40, "R"],
  [0x1, "U"],
];

/** The flags word of SIOCGIFFLAGS. */
export function interfaceFlags(device: NetDevice): number {
  let flags = 0;
  if (device.isUp) flags |= 0x1;
  if (hasBroadcast(device)) flags |= 0x2;
  if (device.kind === "loopback") flags |= 0x8;
  if (isPointToPoint(device)) flags |= 0x10;
  if (device.isUp && device.hasCarrier) flags |= 0x40;
  if (device.isNoArp) flags |= 0x80;
  if (device.isPromiscuous) flags |= 0x100;
  if (device.isAllMulticast) flags |= 0x200;
  if (device.isMulticast) flags |= 0x1000;
  return flags;
}

/** One name that ifconfig shows: a device, or an alias that an address's label makes. */
export interface ShownInterface {
  readonly name: string;
  readonly device: NetDevice;
  readonly isAlias: boolean;
}

/** A label that names no device: a listing ends there with an error. */
export interface UnknownInterface {
  readonly name: string;
  readonly device: undefined;
}

export function nothingKnown(name: string): string {
  return `${name}: error fetching interface information: Device not found\n`;
}

/** Devices and aliases in ifconfig's order: by name, numbers in it by value. */
export function shownInterfaces(host: Host, includesDown: boolean): (ShownInterface | UnknownInterface)[] {
  const shown: (ShownInterface | UnknownInterface)[] = [];
  const isForeign = (label: string): boolean => !label.includes(":") && host.devices.byName(label) === undefined;
  for (const device of host.devices.list) {
    if (!device.isUp && !includesDown) continue;
    const names = new Set([device.name]);
    for (const address of device.addresses) if (address.label.startsWith(`${device.name}:`)) names.add(address.label);
    for (const name of names) shown.push({ name, device, isAlias: name !== device.name });
    for (const { label } of device.addresses) if (isForeign(label)) shown.push({ name: label, device: undefined });
  }
  return shown.sort((a, b) => compareNames(a.name, b.name));
}

function compareNames(a: string, b: string): number {
  const left = a.match(/\d+|\D/g) ?? [];
  const right = b.match(/\d+|\D/g) ?? [];
  for (let i = 0; i < left.length && i < right.length; i++) {
    const x = left[i] as string;
    const y = right[i] as string;
    if (x === y) continue;
    const areNumbers = /^\d/.test(x) && /^\d/.test(y);
    return areNumbers ? Number(x) - Number(y) : x < y ? -1 : 1;
  }
  return left.length - right.length;
}

/** The address that the ioctls of a name speak of: the first with its label. */
export function labelled(device: NetDevice, name: string): InterfaceAddress | undefined {
  return device.addresses.find((address) => address.label === name);
}

export function formatLong({ name, device, isAlias }: ShownInterface): string {
  const bits = interfaceFlags(device);
  const names = FLAGS.filter((flag) => (bits & flag.bit) !== 0).map((flag) => flag.name);
  const lines = [`${name}: flags=${bits}<${names.join(",")}>  mtu ${device.mtu}`];
  const address = labelled(device, name);
  if (address !== undefined) {
    const far = isPointToPoint(device) ? `  destination ${formatIpv4Address(address.peer)}` : "";
    const broadcast = hasBroadcast(device) ? `  broadcast ${formatIpv4Address(address.broadcast)}` : "";
    lines.push(`        inet ${formatIpv4Address(address.address)}  netmask ${formatIpv4Address(prefixMask(address.prefixLength))}${broadcast}${far}`);
  }
  const hardware = hardwareOf(device);
  lines.push(`        ${hardware.text}  txqueuelen ${device.txQueueLength}  (${hardware.title})`);
  if (!isAlias) lines.push(...countersOf(device));
  return `${lines.join("\n")}\n\n`;
}

function hardwareOf(device: NetDevice): { readonly text: string; readonly title: string } {
  switch (device.kind) {
    case "loopback":
      return { text: "loop", title: "Local Loopback" };
    case "tunnel":
      return { text: "tunnel ", title: "IPIP Tunnel" };
    case "gre": {
      // The kernel hands out sixteen bytes of which only the first four, the local end, mean anything.
      const local = device.tunnel?.local ?? 0;
      const head = [local >>> 24, (local >>> 16) & 255, (local >>> 8) & 255, local & 255].map((byte) => byte.toString(16).toUpperCase().padStart(2, "0"));
      return { text: `unspec ${[...head, "FF", "00", "00", "21", ...new Array<string>(8).fill("00")].join("-")}`, title: "UNSPEC" };
    }
    default:
      return { text: `ether ${formatMacAddress(device.mac)}`, title: "Ethernet" };
  }
}

function countersOf(device: NetDevice): string[] {
  const c = device.counters;
  return [
    `        RX packets ${c.rxPackets}  bytes ${c.rxBytes} (${inUnits(c.rxBytes)})`,
    `        RX errors ${c.rxErrors}  dropped ${c.rxDropped}  overruns 0  frame 0`,
    `        TX packets ${c.txPackets}  bytes ${c.txBytes} (${inUnits(c.txBytes)})`,
    `        TX errors ${c.txErrors}  dropped ${c.txDropped} overruns 0  carrier ${c.txCarrierErrors}  collisions 0`,
  ];
}

/** One decimal, cut: 1.5 KiB. */
function inUnits(bytes: number): string {
  const units: readonly (readonly [number, string])[] = [
    [1024 ** 5, "PiB"],
    [1024 ** 4, "TiB"],
    [1024 ** 3, "GiB"],
    [1024 ** 2, "MiB"],
    [1024, "KiB"],
  ];
  const [size, name] = units.find(([limit]) => bytes > limit) ?? [1, "B"];
  const tenths = Math.trunc((bytes * 10) / size);
  return `${Math.trunc(tenths / 10)}.${tenths % 10} ${name}`;
}

/** A row of `ifconfig -s` and `netstat -i`. */
export function formatShort({ name, device, isAlias }: ShownInterface): string {
  const c = device.counters;
  const pad = (value: number, width: number): string => String(value).padStart(width);
  const bits = interfaceFlags(device);
  const letters = SHORT_LETTERS.filter(([bit]) => (bits & bit) !== 0).map(([, letter]) => letter);
  const head = `${name.padEnd(15)} ${pad(device.mtu, 5)}`;
  if (isAlias) return `${head}      - no statistics available -                        ${letters.join("")}\n`;
  const receive = `${pad(c.rxPackets, 8)} ${pad(c.rxErrors, 6)} ${pad(c.rxDropped, 6)} ${"0".padEnd(6)}`;
  const transmit = `${pad(c.txPackets, 8)} ${pad(c.txErrors, 6)} ${pad(c.txDropped, 6)} ${pad(0, 6)}`;
  return `${head} ${receive} ${transmit} ${letters.join("")}\n`;
}
