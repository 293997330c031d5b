/**
 * /proc/sys of one host: a flat map from dotted keys to leaves, with directories for each device.
 *
 * Linux v6.1 net/ipv4/devinet.c (devinet_conf_proc, devinet_sysctl_forward, inet_forward_change), include/linux/inetdevice.h (how conf/all
 * and conf/DEVICE combine), net/core/neighbour.c (neigh_sysctl_template).
 */

import { assert } from "../base/assert.ts";
import type { NetDevice } from "./device.ts";
import type { Errno, Host, Sysctl, SysctlCell, SysctlLeaf } from "./host.ts";
import { Ipv4Conf, type Ipv4ConfKey } from "./ipv4-conf.ts";
import { NEIGHBOUR_KEYS, type NeighbourKey, type NeighbourParameters } from "./neighbour-parameters.ts";
import { IPV4_INTEGERS, IPV6_CONF_VALUES, OTHER_INTEGERS, OTHER_TEXTS } from "./sysctl-defaults.ts";
import { INT_MAX, type IntegerBounds, integerLeaf, parseSysctlVector, readOnlyLeaf, stringLeaf, vectorLeaf } from "./sysctl-values.ts";

/** How conf/all and conf/DEVICE make one value. */
type Combination = "max" | "or" | "and" | "own";

const COMBINATIONS: Readonly<Record<Ipv4ConfKey, Combination | "redirects">> = {
  forwarding: "own",
  mc_forwarding: "and",
  bc_forwarding: "and",
  accept_redirects: "redirects",
  secure_redirects: "or",
  shared_media: "or",
  rp_filter: "max",
  send_redirects: "or",
  accept_source_route: "and",
  src_valid_mark: "or",
  proxy_arp: "or",
  proxy_arp_pvlan: "or",
  medium_id: "own",
  bootp_relay: "and",
  log_martians: "or",
  tag: "own",
  arp_filter: "or",
  arp_announce: "max",
  arp_ignore: "max",
  arp_accept: "max",
  arp_notify: "max",
  arp_evict_nocarrier: "and",
  accept_local: "or",
  route_localnet: "or",
  disable_policy: "or",
  disable_xfrm: "own",
  force_igmp_version: "own",
  igmpv2_unsolicited_report_interval: "own",
  igmpv3_unsolicited_report_interval: "own",
  ignore_routes_with_linkdown: "or",
  promote_secondaries: "or",
  drop_gratuitous_arp: "or",
  drop_unicast_in_l2_multicast: "or",
};

const CONF_KEYS = Object.keys(COMBINATIONS).sort() as Ipv4ConfKey[];

/** Older names in other units, which `sysctl -a` leaves out. */
const DEPRECATED = new Set(["base_reachable_time", "retrans_time"]);

const NEIGHBOUR_BOUNDS: Readonly<Partial<Record<NeighbourKey, IntegerBounds>>> = {
  delay_first_probe_time: { min: -21474836, max: 21474836 },
  gc_stale_time: { min: -21474836, max: 21474836 },
  interval_probe_time_ms: { min: 1 },
  anycast_delay: {},
  locktime: {},
  proxy_delay: {},
};

/** The kernel module names that `sysctl -w net.ipv4.tcp_congestion_control` may take. */
const CONGESTION_CONTROLS = "reno cubic";

/** What belongs to one device or to conf/all or conf/default. */
interface ConfDirectory {
  readonly undo: (() => void)[];
  /** Settings that were written, which conf/default no longer changes. */
  readonly written: Set<Ipv4ConfKey>;
}

export class SysctlTree implements Sysctl {
  readonly all = new Ipv4Conf();
  readonly default = new Ipv4Conf();
  generation = 1;
  readonly #host: Host;
  readonly #leaves = new Map<string, SysctlLeaf>();
  readonly #cells = new Map<string, SysctlCell>();
  readonly #devices = new Map<NetDevice, ConfDirectory>();
  #sortedKeys: readonly string[] | undefined;

  constructor(host: Host) {
    this.#host = host;
    this.default.accept_source_route = 1;
    this.#registerConf("all", this.all, undefined);
    this.#registerConf("default", this.default, undefined);
    this.#registerDefaults();
    this.#registerSpecials();
  }

  /* ----------------------------------------------------------------------------------------------------- reading, writing */

  read(key: string): string | undefined {
    return this.#leaves.get(key)?.read();
  }

  leaf(key: string): SysctlLeaf | undefined {
    return this.#leaves.get(key);
  }

  write(key: string, text: string): Errno | undefined {
    const leaf = this.#leaves.get(key);
    if (leaf === undefined) return "ENOENT";
    if (((leaf.mode ?? 0o644) & 0o200) === 0) return "EACCES";
    const before = this.#host.trace.isFull ? leaf.read() : "";
    const errno = leaf.write(text);
    this.generation++;
    this.#touchAll();
    if (errno === undefined && this.#host.trace.isFull) {
      this.#host.trace.emit({ kind: "sysctl", host: this.#host.name, cause: 0, key, before, after: leaf.read() });
    }
    return errno;
  }

  isFolder(prefix: string): boolean {
    for (const key of this.#leaves.keys()) if (key.startsWith(prefix) && !isDeprecated(key)) return true;
    return false;
  }

  keys(includesDeprecated = false): readonly string[] {
    if (includesDeprecated) return [...this.#leaves.keys()].sort(compareKeys);
    this.#sortedKeys ??= [...this.#leaves.keys()].filter((key) => !isDeprecated(key)).sort(compareKeys);
    return this.#sortedKeys;
  }

  register(key: string, leaf: SysctlLeaf): () => void {
    const shadowed = this.#leaves.get(key);
    this.#leaves.set(key, leaf);
    this.#keysChanged();
    return () => {
      if (this.#leaves.get(key) !== leaf) return;
      if (shadowed === undefined) this.#leaves.delete(key);
      else this.#leaves.set(key, shadowed);
      this.#keysChanged();
    };
  }

  #keysChanged(): void {
    this.#sortedKeys = undefined;
    this.#touchAll();
  }

  /** One write may change many settings: all are compared. */
  #touchAll(): void {
    if (this.#host.trace.hasTables) this.#host.tables.touchAll("sysctls");
  }

  /** A key that exists already keeps its value and bounds: the caller shares its cell. */
  registerInteger(key: string, initial: number, bounds: IntegerBounds = {}): SysctlCell {
    const known = this.#cells.get(key);
    if (known !== undefined) return known;
    const cell: SysctlCell = { value: initial };
    this.#cells.set(key, cell);
    this.register(key, integerLeaf(cell, bounds));
    return cell;
  }

  inForce(device: NetDevice, key: Ipv4ConfKey): number {
    const all = this.all[key];
    const own = device.conf[key];
    switch (COMBINATIONS[key]) {
      case "max":
        return Math.max(all, own);
      case "or":
        return all !== 0 ? all : own;
      case "and":
        return all !== 0 ? own : 0;
      case "own":
        return own;
      case "redirects":
        return device.conf.forwarding !== 0 ? (all !== 0 ? own : 0) : all !== 0 ? all : own;
    }
  }

  /* --------------------------------------------------------------------------------------------------------------- devices */

  addDevice(device: NetDevice): void {
    assert(!this.#devices.has(device), `settings of ${device.name} exist already`);
    const name = device.name.replaceAll(".", "/");
    const directory = this.#registerConf(name, device.conf, device);
    this.#registerNeighbour(name, device.neigh, directory);
    // Point-to-point tunnels over IPv4 have no IPv6 settings.
    const hasIpv6 = device.kind !== "tunnel" && device.kind !== "gre";
    for (const [key, value] of hasIpv6 ? pairs(IPV6_CONF_VALUES) : []) {
      directory.undo.push(this.register(`net.ipv6.conf.${name}.${key}`, integerLeaf({ value }, {})));
    }
    this.#devices.set(device, directory);
    this.generation++;
  }

  removeDevice(device: NetDevice): void {
    const directory = this.#devices.get(device);
    if (directory === undefined) return;
    for (const undo of directory.undo) undo();
    this.#devices.delete(device);
    this.generation++;
  }

  pinDevice(device: NetDevice): void {
    const written = this.#devices.get(device)?.written;
    if (written === undefined || written.size === CONF_KEYS.length) return;
    for (const key of CONF_KEYS) written.add(key);
  }

  #registerConf(name: string, conf: Ipv4Conf, device: NetDevice | undefined): ConfDirectory {
    const directory: ConfDirectory = { undo: [], written: new Set() };
    for (const key of CONF_KEYS) {
      const leaf = this.#confLeaf(conf, key, device === undefined ? undefined : directory);
      directory.undo.push(this.register(`net.ipv4.conf.${name}.${key}`, leaf));
    }
    return directory;
  }

  #confLeaf(conf: Ipv4Conf, key: Ipv4ConfKey, directory: ConfDirectory | undefined): SysctlLeaf {
    const read = (): string => String(conf[key]);
    if (key === "mc_forwarding") return { ...readOnlyLeaf(read), mode: 0o444 };
    return {
      read,
      write: (text) => {
        const before = conf[key];
        const errno = parseSysctlVector(text, 1, (_, value) => {
          if (value < -2147483648 || value > INT_MAX) return "EINVAL";
          conf[key] = value;
          return undefined;
        });
        directory?.written.add(key);
        if (key === "forwarding") {
          if (conf === this.all && conf.forwarding !== before) this.#forwardingChanged();
        } else if (conf === this.default) this.#copyDefault(key);
        return errno;
      },
    };
  }

  /** net/ipv4/devinet.c:inet_forward_change. */
  #forwardingChanged(): void {
    const on = this.all.forwarding;
    this.all.accept_redirects = on === 0 ? 1 : 0;
    this.default.forwarding = on;
    for (const device of this.#devices.keys()) device.conf.forwarding = on;
  }

  /** net/ipv4/devinet.c:devinet_copy_dflt_conf. */
  #copyDefault(key: Ipv4ConfKey): void {
    for (const [device, directory] of this.#devices) if (!directory.written.has(key)) device.conf[key] = this.default[key];
  }

  #registerNeighbour(name: string, parameters: NeighbourParameters, directory: ConfDirectory): void {
    const add = (key: string, field: NeighbourKey, scale: number, bounds: IntegerBounds): void => {
      const leaf: SysctlLeaf = {
        read: () => String(Math.trunc(parameters[field] / scale)),
        write: (text) =>
          parseSysctlVector(text, 1, (_, value) => {
            if (value < (bounds.min ?? -2147483648) || value > (bounds.max ?? INT_MAX)) return "EINVAL";
            parameters[field] = value * scale;
            return undefined;
          }),
      };
      directory.undo.push(this.register(`net.ipv4.neigh.${name}.${key}`, leaf));
    };
    for (const key of NEIGHBOUR_KEYS) add(key, key, 1, NEIGHBOUR_BOUNDS[key] ?? { min: 0 });
    add("base_reachable_time", "base_reachable_time_ms", 1000, { min: -21474836, max: 21474836 });
    add("retrans_time", "retrans_time_ms", 10, {});
  }

  /* -------------------------------------------------------------------------------------------------------------- defaults */

  #registerDefaults(): void {
    for (const group of IPV4_INTEGERS) for (const [key, value] of pairs(group.values)) this.registerInteger(`net.ipv4.${key}`, value, group);
    for (const group of OTHER_INTEGERS) {
      const bounds = { min: -Number.MAX_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER };
      for (const [key, value] of pairs(group.values)) this.registerInteger(group.prefix + key, value, bounds);
    }
    for (const [key, text] of Object.entries(OTHER_TEXTS)) this.register(key, stringLeaf(text));
    for (const name of ["all", "default"]) {
      for (const [key, value] of pairs(IPV6_CONF_VALUES)) this.register(`net.ipv6.conf.${name}.${key}`, integerLeaf({ value }, {}));
    }
  }

  #registerSpecials(): void {
    const forwarding = this.#leaves.get("net.ipv4.conf.all.forwarding") as SysctlLeaf;
    this.register("net.ipv4.ip_forward", forwarding);
    const portRange = [32768, 60999];
    this.register(
      "net.ipv4.ip_local_port_range",
      vectorLeaf(portRange, { min: 1, max: 65535 }, ([low, high]) => ((high as number) < (low as number) ? "EINVAL" : undefined)),
    );
    // A range whose end is before its start switches ping sockets off and reads as 1 0.
    const groups = [1, 0];
    const pingGroups = vectorLeaf(groups, { min: 0, max: 0xfffffffe }, undefined);
    this.register("net.ipv4.ping_group_range", {
      read: pingGroups.read,
      write(text) {
        const errno = pingGroups.write(text);
        if (errno === undefined && (groups[1] as number) < (groups[0] as number)) groups.splice(0, 2, 1, 0);
        return errno;
      },
    });
    this.register("net.ipv4.tcp_rmem", vectorLeaf([4096, 131072, 6291456], { min: 1 }));
    this.register("net.ipv4.tcp_wmem", vectorLeaf([4096, 16384, 4194304], { min: 1 }));
    this.register("net.ipv4.ip_local_reserved_ports", stringLeaf("", acceptPortList));
    this.register("net.ipv4.tcp_fastopen_key", stringLeaf("00000000-00000000-00000000-00000000"));
    this.register("net.ipv4.tcp_available_congestion_control", { ...readOnlyLeaf(() => CONGESTION_CONTROLS), mode: 0o444 });
    this.register("net.ipv4.tcp_allowed_congestion_control", { ...readOnlyLeaf(() => CONGESTION_CONTROLS), mode: 0o444 });
    const acceptControl = (name: string): Errno | undefined => (CONGESTION_CONTROLS.split(" ").includes(name) ? undefined : "ENOENT");
    this.register("net.ipv4.tcp_congestion_control", stringLeaf("cubic", acceptControl));
    this.register("net.ipv4.tcp_ehash_entries", { ...readOnlyLeaf(() => "-16384"), mode: 0o444 });
    // Routing decisions are kept no longer than `generation` stands still, so that a write is all that flushing takes.
    this.register("net.ipv4.route.flush", { mode: 0o200, read: () => "", write: () => undefined });
    this.register("kernel.hostname", stringLeaf(this.#host.name));
    this.register("kernel.osrelease", { ...readOnlyLeaf(() => this.#host.options.release), mode: 0o444 });
  }
}

function acceptPortList(text: string): Errno | undefined {
  if (text === "") return undefined;
  const isFine = text.split(",").every((part) => {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    return match !== null && Number(match[1]) <= Number(match[2] ?? match[1]) && Number(match[2] ?? match[1]) <= 65535;
  });
  return isFine ? undefined : "EINVAL";
}

function isDeprecated(key: string): boolean {
  return DEPRECATED.has(key.slice(key.lastIndexOf(".") + 1));
}

const PAIRS = new Map<string, readonly (readonly [string, number])[]>();

/** `a=1 b=2` as pairs; each text, a constant of this program, is taken apart once. */
function pairs(text: string): readonly (readonly [string, number])[] {
  let list = PAIRS.get(text);
  if (list === undefined) {
    list = text
      .trim()
      .split(/\s+/)
      .map((word) => {
        const [key = "", value = ""] = word.split("=");
        return [key, Number(value)] as const;
      });
    PAIRS.set(text, list);
  }
  return list;
}

/** Directory by directory, by the bytes of the names. */
function compareKeys(a: string, b: string): number {
  const left = a.split(".");
  const right = b.split(".");
  for (let i = 0; i < left.length && i < right.length; i++) {
    const x = left[i] as string;
    const y = right[i] as string;
    if (x !== y) return x < y ? -1 : 1;
  }
  return left.length - right.length;
}
