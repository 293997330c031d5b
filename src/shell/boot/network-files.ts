/**
 * How interfaces are configured at boot from files: /etc/network/interfaces as Debian's ifupdown reads it, and
 * /etc/sysconfig/network-scripts/ifcfg-* with /etc/sysconfig/network as Red Hat's network scripts do.
 *
 * ifupdown 0.8.41 (inet.defn, config.c), initscripts 9.03 (ifup-eth, ifup-aliases, network-functions). The result is the commands that
 * those programs run. Not supported: dhcp (nobody would answer), mapping, bonds, bridges, IPv6: each is told in a comment.
 */

import { formatIpv4Address, parseIpv4Address, parseIpv4Cidr, prefixMask } from "../../base/ipv4-address.ts";
import type { FileSystem } from "../file-system.ts";

const INTERFACES = "/etc/network/interfaces";
const NETWORK_SCRIPTS = "/etc/sysconfig/network-scripts";
const RED_HAT_NETWORK = "/etc/sysconfig/network";
const INCLUDES_MAX = 100;

/** What files say about one interface (an alias counts for itself). */
export interface FileInterface {
  /** `eth0`, `eth0:0`, `lo:0`. */
  readonly name: string;
  /** Brought up at boot. */
  readonly isAuto: boolean;
  readonly up: readonly string[];
  readonly down: readonly string[];
}

export interface FileNetwork {
  readonly interfaces: readonly FileInterface[];
  /** Commands that come after all interfaces. */
  readonly last: readonly string[];
}

function readText(files: FileSystem, path: string): string | undefined {
  return files.status(path)?.type === "file" ? files.read(path) : undefined;
}

function listOf(files: FileSystem, path: string): readonly string[] {
  return files.status(path)?.type === "directory" ? files.list(path) : [];
}

/** Everything that the machine's files say about its network. */
export function readNetworkFiles(files: FileSystem): FileNetwork {
  const debian = readDebian(files);
  const redHat = readRedHat(files);
  return { interfaces: [...debian, ...redHat.interfaces], last: redHat.last };
}

/* --------------------------------------------------------------------------------------------------------------- ifupdown */

interface Stanza {
  readonly name: string;
  readonly method: string;
  readonly options: (readonly [key: string, value: string])[];
}

/** Lines without comments, continued lines joined, sources in place. */
function debianLines(files: FileSystem, path: string, depth: number): string[] {
  const text = readText(files, path);
  if (text === undefined || depth > INCLUDES_MAX) return [];
  const lines = text.replace(/\\\n/g, " ").split("\n").map((line) => line.trim()).filter((line) => line !== "" && !line.startsWith("#"));
  return lines.flatMap((line) => {
    const match = /^source(-directory)?\s+(\S+)$/.exec(line);
    if (match === null) return [line];
    const target = match[2] as string;
    const folder = match[1] === undefined ? target.slice(0, target.lastIndexOf("/")) : target.replace(/\/$/, "");
    if (match[1] === undefined && !target.includes("*")) return debianLines(files, target, depth + 1);
    return listOf(files, folder).filter((name) => /^[\w-]+(\.\w+)?$/.test(name)).flatMap((name) => debianLines(files, `${folder}/${name}`, depth + 1));
  });
}

function readDebian(files: FileSystem): FileInterface[] {
  const stanzas: Stanza[] = [];
  const automatic = new Set<string>();
  for (const line of debianLines(files, INTERFACES, 0)) {
    const [word = "", ...rest] = line.split(/\s+/);
    if (word === "auto" || word === "allow-auto" || word === "allow-hotplug") for (const name of rest) automatic.add(name);
    else if (word === "iface") stanzas.push({ name: rest[0] ?? "", method: rest[1] === "inet" ? (rest[2] ?? "") : "other", options: [] });
    else if (word === "mapping" || word.startsWith("allow-") || word.startsWith("no-")) continue;
    else stanzas.at(-1)?.options.push([word.replaceAll("_", "-"), line.slice(word.length).trim()]);
  }
  return stanzas.filter(({ method }) => method !== "other").map((stanza) => debianInterface(stanza, automatic.has(stanza.name)));
}

function debianInterface(stanza: Stanza, isAuto: boolean): FileInterface {
  const { name, method } = stanza;
  const device = name.split(":")[0] as string;
  const all = (...keys: readonly string[]) => stanza.options.filter(([key]) => keys.includes(key)).map(([, value]) => value);
  const one = (key: string) => all(key).at(-1);
  const up: string[] = [...all("pre-up")];
  const down: string[] = [...all("down", "pre-down")];
  const address = one("address");
  if (method === "static" && address !== undefined) {
    const cidr = cidrOf(address, one("netmask"));
    const broadcast = one("broadcast");
    up.push(`ip addr add ${cidr} broadcast ${broadcast ?? "+"} dev ${device} label ${name}`);
    if (name === device) up.push(`ip link set dev ${device} ${one("mtu") === undefined ? "" : `mtu ${one("mtu")} `}up`);
    const gateway = one("gateway");
    if (gateway !== undefined) up.push(`ip route add default via ${gateway} dev ${device}${one("metric") === undefined ? "" : ` metric ${one("metric")}`} onlink`);
    down.push(...(name === device ? [`ip addr flush dev ${device}`, `ip link set dev ${device} down`] : [`ip addr del ${cidr} dev ${device}`]));
  } else if (method === "loopback" || method === "manual") {
    if (method === "loopback") up.push(`ip link set dev ${device} up`);
    down.push(...(method === "loopback" ? [`ip link set dev ${device} down`] : []));
  } else up.push(`# ${name}: method ${method} is not simulated`);
  up.push(...all("up", "post-up"));
  down.push(...all("post-down"));
  return { name, isAuto, up, down };
}

function cidrOf(address: string, netmask: string | undefined): string {
  if (address.includes("/") || netmask === undefined) return address.includes("/") ? address : `${address}/${classPrefix(address)}`;
  return `${address}/${prefixOf(netmask)}`;
}

/** A netmask in either notation as a prefix length. */
function prefixOf(netmask: string): string {
  const mask = parseIpv4Address(netmask);
  if (mask === undefined) return netmask;
  for (let length = 0; length <= 32; length++) if (prefixMask(length) === mask) return String(length);
  return netmask;
}

/** The prefix that an address had before there were netmasks. */
function classPrefix(address: string): number {
  const first = Number(address.split(".")[0]);
  return first < 128 ? 8 : first < 192 ? 16 : 24;
}

/* ---------------------------------------------------------------------------------------------------------------- Red Hat */

/** KEY=value lines as the shell would read them. */
function assignments(text: string): Map<string, string> {
  const values = new Map<string, string>();
  for (const line of text.split("\n")) {
    const match = /^\s*([A-Za-z_][A-Za-z0-9_]*)=("([^"]*)"|'([^']*)'|\S*)/.exec(line);
    if (match !== null) values.set((match[1] as string).toUpperCase(), match[3] ?? match[4] ?? match[2] ?? "");
  }
  return values;
}

function readRedHat(files: FileSystem): FileNetwork {
  const names = listOf(files, NETWORK_SCRIPTS).filter((name) => /^ifcfg-[^~]+$/.test(name) && !/\.(bak|orig|rpmsave|rpmnew)$/.test(name));
  const global = assignments(readText(files, RED_HAT_NETWORK) ?? "");
  const interfaces: FileInterface[] = [];
  const last: string[] = [];
  // Devices first, their aliases after them, as ifup does.
  for (const name of [...names].sort((a, b) => Number(a.includes(":")) - Number(b.includes(":")))) {
    const values = assignments(readText(files, `${NETWORK_SCRIPTS}/${name}`) ?? "");
    const device = values.get("DEVICE") ?? name.slice("ifcfg-".length);
    const gateway = values.get("GATEWAY");
    interfaces.push(redHatInterface(device, values));
    if (gateway !== undefined && gateway !== "") last.push(`ip route replace default via ${gateway} dev ${device.split(":")[0]}`);
    const routes = readText(files, `${NETWORK_SCRIPTS}/route-${device}`);
    for (const line of (routes ?? "").split("\n")) if (/^\s*[\d.d]/.test(line)) last.push(`ip route add ${line.trim()}${/\bdev\b|\bvia\b/.test(line) ? "" : ` dev ${device}`}`);
  }
  const gateway = global.get("GATEWAY");
  if (gateway !== undefined && gateway !== "" && !last.some((line) => line.startsWith("ip route replace default"))) last.push(`ip route replace default via ${gateway}`);
  return { interfaces, last };
}

function redHatInterface(name: string, values: ReadonlyMap<string, string>): FileInterface {
  const device = name.split(":")[0] as string;
  const up: string[] = [];
  const down: string[] = [];
  const protocol = (values.get("BOOTPROTO") ?? "none").toLowerCase();
  if (name === device && values.get("MTU") !== undefined) up.push(`ip link set dev ${device} mtu ${values.get("MTU")}`);
  if (name === device) up.push(`ip link set dev ${device} up`);
  if (protocol === "dhcp" || protocol === "bootp") up.push(`# ${name}: ${protocol} is not simulated`);
  for (const suffix of ["", "0", "1", "2", "3"]) {
    const address = values.get(`IPADDR${suffix}`);
    if (address === undefined || address === "") continue;
    const prefix = values.get(`PREFIX${suffix}`);
    const cidr = prefix === undefined ? cidrOf(address, values.get(`NETMASK${suffix}`)) : `${address}/${prefix}`;
    const parsed = parseIpv4Cidr(cidr);
    const broadcast = values.get("BROADCAST") ?? (parsed === undefined ? "+" : formatIpv4Address((parsed.address | ~prefixMask(parsed.prefixLength)) >>> 0));
    up.push(`ip addr add ${cidr} brd ${broadcast} dev ${device} label ${name}`);
    down.push(`ip addr del ${cidr} dev ${device}`);
  }
  if (name === device) down.push(`ip link set dev ${device} down`);
  return { name, isAuto: (values.get("ONBOOT") ?? "yes").toLowerCase() !== "no" && (values.get("ONPARENT") ?? "yes").toLowerCase() !== "no", up, down };
}
