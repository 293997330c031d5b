/**
 * ifconfig(8): shows and configures interfaces and aliases, word by word, each an ioctl of its own.
 *
 * net-tools 2.10 ifconfig.c (main, set_flag, clr_flag, set_netmask); kernel v6.1 net/ipv4/devinet.c:devinet_ioctl.
 */

import { maskPrefixLength, prefixMask } from "../../base/ipv4-address.ts";
import { parseMacAddress } from "../../base/mac-address.ts";
import { defaultScope } from "../../host/addresses.ts";
import type { InterfaceAddress, NetDevice } from "../../host/device.ts";
import type { DeviceFlags, Errno, Host } from "../../host/host.ts";
import type { Command, CommandContext } from "../command.ts";
import { errorText } from "../errno-text.ts";
import { formatLong, formatShort, labelled, nothingKnown, shownInterfaces } from "./ifconfig-format.ts";
import { hasBroadcast, isPointToPoint } from "./ip/ip-link-format.ts";
import { ADDRESS_FAMILIES, HARDWARE_TYPES, NET_TOOLS_VERSION, resolveAddress } from "./net-tools-text.ts";

const USAGE_HEAD = `Usage:
  ifconfig [-a] [-v] [-s] <interface> [[<AF>] <address>]
  [add <address>[/<prefixlen>]]
  [del <address>[/<prefixlen>]]
  [[-]broadcast [<address>]]  [[-]pointopoint [<address>]]
  [netmask <address>]  [dstaddr <address>]  [tunnel <address>]
  [outfill <NN>] [keepalive <NN>]
  [hw <HW> <address>]  [mtu <NN>]
  [[-]trailers]  [[-]arp]  [[-]allmulti]
  [multicast]  [[-]promisc]
  [mem_start <NN>]  [io_addr <NN>]  [irq <NN>]  [media <type>]
  [txqueuelen <NN>]
  [name <newname>]
  [[-]dynamic]
  [up|down] ...

`;
const USAGE_HARDWARE = "  <HW>=Hardware Type.\n  List of possible hardware types:\n";
const USAGE_FAMILY = "  <AF>=Address family. Default: inet\n  List of possible address families:\n";
const HELP_HINT = "ifconfig: `--help' gives usage information.\n";
const SHORT_HEAD = "Iface      MTU    RX-OK RX-ERR RX-DRP RX-OVR    TX-OK TX-ERR TX-DRP TX-OVR Flg\n";

/** IFNAMSIZ less the end. */
const NAME_MAX = 15;
/** Aliases that `add` tries. */
const ALIASES_MAX = 256;

/** Ends the command at once. */
class IfconfigExit extends Error {
  override readonly name = "IfconfigExit";
  readonly exit: number;

  constructor(exit: number) {
    super("ifconfig");
    this.exit = exit;
  }
}

/** inet_abc_len: what the class of an address says about its prefix; undefined for multicast. */
export function classfulPrefixLength(address: number): number | undefined {
  const top = address >>> 24;
  if (top === 0 || address === 0xffffffff) return 0;
  if (top < 128) return 8;
  if (top < 192) return 16;
  if (top < 224) return 24;
  return top < 240 ? undefined : 32;
}

/** The ioctls on one name, `eth0` or `eth0:1`. */
class InterfaceName {
  readonly name: string;
  readonly isAlias: boolean;
  readonly device: NetDevice | undefined;
  readonly #host: Host;

  constructor(host: Host, name: string) {
    this.#host = host;
    this.name = name;
    const colon = name.indexOf(":");
    this.isAlias = colon >= 0;
    this.device = host.devices.byName(colon < 0 ? name : name.slice(0, colon));
  }

  get address(): InterfaceAddress | undefined {
    return this.device === undefined ? undefined : labelled(this.device, this.name);
  }

  /** SIOCSIFADDR: a new address with the mask of its class, or another one in place of the old. */
  setAddress(address: number): Errno | undefined {
    const device = this.device;
    if (device === undefined) return "ENODEV";
    const classLength = classfulPrefixLength(address);
    if (classLength === undefined) return "EINVAL";
    const old = this.address;
    if (old?.address === address) return undefined;
    if (old !== undefined) this.#host.addresses.remove(device, old);
    // 0.0.0.0 is no address: what was there is gone, and that was all.
    if (address === 0) return undefined;
    const prefixLength = isPointToPoint(device) ? 32 : classLength;
    const broadcast = hasBroadcast(device) && prefixLength < 31 ? broadcastOf(address, prefixLength) : 0;
    return this.#host.addresses.add(device, {
      address,
      peer: address,
      prefixLength,
      broadcast,
      scope: defaultScope(address),
      label: this.name,
      noPrefixRoute: false,
    });
  }

  /** Takes the address away and puts a changed one in its place, as the kernel does for mask, broadcast and destination. */
  change(changes: Partial<InterfaceAddress>): Errno | undefined {
    const device = this.device;
    if (device === undefined) return "ENODEV";
    const old = this.address;
    if (old === undefined) return "EADDRNOTAVAIL";
    const isSame = Object.entries(changes).every(([key, value]) => old[key as keyof InterfaceAddress] === value);
    if (isSame) return undefined;
    this.#host.addresses.remove(device, old);
    const { isSecondary: _, ...rest } = { ...old, ...changes };
    return this.#host.addresses.add(device, rest);
  }

  setNetmask(mask: number): Errno | undefined {
    if (this.device === undefined) return "ENODEV";
    const old = this.address;
    if (old === undefined) return "EADDRNOTAVAIL";
    const prefixLength = maskPrefixLength(mask);
    if (prefixLength === undefined) return "EINVAL";
    if (prefixLength === old.prefixLength) return undefined;
    // A broadcast address that fitted the old mask follows the new one.
    const follows = hasBroadcast(this.device) && prefixLength < 31 && old.broadcast === broadcastOf(old.address, old.prefixLength);
    return this.change({ prefixLength, broadcast: follows ? broadcastOf(old.address, prefixLength) : old.broadcast });
  }

  /** SIOCSIFFLAGS. Taking an alias down removes its address; taking it up changes nothing. */
  setUp(isUp: boolean): Errno | undefined {
    const device = this.device as NetDevice;
    const { devices, addresses } = this.#host;
    if (!this.isAlias) {
      if (isUp) return devices.setUp(device);
      devices.setDown(device);
      return undefined;
    }
    const address = this.address;
    if (address === undefined) return "EADDRNOTAVAIL";
    return isUp ? undefined : addresses.remove(device, address);
  }
}

function broadcastOf(address: number, prefixLength: number): number {
  return (address | ~prefixMask(prefixLength)) >>> 0;
}

class Ifconfig {
  readonly #context: CommandContext;
  readonly #host: Host;
  readonly #target: InterfaceName;
  readonly #words: string[];
  /** Bits of all failures, as the program ORs them. */
  #failed = 0;
  #hasNetmask = false;
  #pendingMask: number | undefined;

  constructor(context: CommandContext, name: string, words: readonly string[]) {
    this.#context = context;
    this.#host = context.machine.host;
    this.#target = new InterfaceName(this.#host, name.slice(0, NAME_MAX));
    this.#words = [...words];
  }

  run(): number {
    if (this.#words[0] === "inet") this.#words.shift();
    else if (FAMILIES.has(this.#words[0] ?? "")) return this.#otherFamily();
    while (this.#words.length > 0) this.#word(this.#words.shift() as string);
    if (this.#pendingMask !== undefined) this.#check("SIOCSIFNETMASK", this.#target.setNetmask(this.#pendingMask));
    return this.#failed & 255;
  }

  #otherFamily(): number {
    this.#context.stderr.write(
      this.#words[0] === "inet6" ? "SIOCSIFADDR: Permission denied\n" : `ifconfig: ${this.#words[0]} is not supported by this simulator\n`,
    );
    return 1;
  }

  #word(word: string): void {
    switch (word) {
      case "up":
        this.#flag(true);
        break;
      case "down":
        this.#flag(false);
        break;
      case "arp":
      case "-arp":
        this.#flags({ isNoArp: word === "-arp" });
        break;
      case "promisc":
      case "-promisc":
        this.#flags({ isPromiscuous: word === "promisc" });
        break;
      case "allmulti":
      case "-allmulti":
        this.#flags({ isAllMulticast: word === "allmulti" });
        break;
      case "multicast":
      case "-multicast":
        this.#flags({ isMulticast: word === "multicast" });
        if (word === "-multicast" && this.#target.device?.isMulticast === true) this.#still("MULTICAST");
        break;
      case "trailers":
      case "-trailers":
      case "dynamic":
      case "-dynamic":
        this.#flags({});
        break;
      case "mtu":
        this.#mtu(this.#next());
        break;
      case "netmask":
        this.#netmask();
        break;
      case "broadcast":
      case "-broadcast":
        this.#broadcast(word);
        break;
      case "pointopoint":
      case "-pointopoint":
      case "dstaddr":
        this.#destination(word);
        break;
      case "hw":
        this.#hardware();
        break;
      case "txqueuelen":
        this.#queueLength(this.#next());
        break;
      case "name":
        this.#rename(this.#next());
        break;
      case "add":
      case "del":
        this.#alias(word, this.#next());
        break;
      default:
        if (UNSUPPORTED.has(word)) this.#unsupported(word);
        this.#address(word);
        break;
    }
  }

  #unsupported(word: string): never {
    this.#context.stderr.write(`ifconfig: "${word}" is not supported by this simulator\n`);
    throw new IfconfigExit(1);
  }

  #next(): string {
    const word = this.#words.shift();
    return word ?? this.#usage();
  }

  #usage(): never {
    this.#context.stderr.write(USAGE_HEAD + USAGE_HARDWARE + HARDWARE_TYPES + USAGE_FAMILY + ADDRESS_FAMILIES);
    throw new IfconfigExit(3);
  }

  /** What perror says about an ioctl that failed. */
  #check(call: string, errno: Errno | undefined, exit = 1): void {
    if (errno === undefined) return;
    this.#context.stderr.write(`${call}: ${errorText(errno)}\n`);
    this.#failed |= exit;
  }

  /** Reads the flags first: without such a device nothing more is tried. */
  #hasDevice(): boolean {
    if (this.#target.device !== undefined) return true;
    this.#context.stderr.write(`${this.#target.name}: ERROR while getting interface flags: ${errorText("ENODEV")}\n`);
    this.#failed |= -1;
    return false;
  }

  #flag(isUp: boolean): void {
    if (this.#hasDevice()) this.#check("SIOCSIFFLAGS", this.#target.setUp(isUp), -1);
  }

  /** The flags are read again after one was to be cleared. */
  #still(mode: string): void {
    this.#context.stderr.write(`Warning: Interface ${this.#target.name} still in ${mode} mode.\n`);
  }

  #flags(flags: DeviceFlags): void {
    if (!this.#hasDevice()) return;
    // On an alias no change of flags but that of UP has an effect.
    if (this.#target.isAlias) this.#check("SIOCSIFFLAGS", this.#target.setUp(true), -1);
    else this.#host.devices.setFlags(this.#target.device as NetDevice, flags);
  }

  #mtu(text: string): void {
    const device = this.#target.device;
    const errno = device === undefined ? "ENODEV" : this.#host.devices.setMtu(device, /^\d+/.test(text) ? Number.parseInt(text, 10) : 0);
    this.#check("SIOCSIFMTU", errno);
  }

  /** An address word; undefined after the resolver's complaint. */
  #resolve(text: string): number | undefined {
    const address = resolveAddress(this.#context.machine, text);
    if (typeof address === "number") return address;
    this.#context.stderr.write(address.complaint);
    this.#failed |= 1;
    return undefined;
  }

  #netmask(): void {
    if (this.#hasNetmask || this.#words.length === 0) this.#usage();
    const mask = this.#resolve(this.#next());
    if (mask === undefined) return;
    this.#hasNetmask = true;
    this.#check("SIOCSIFNETMASK", this.#target.setNetmask(mask));
  }

  /** The kernel does not let go of IFF_BROADCAST, and what follows -broadcast is a word of its own. */
  #broadcast(word: string): void {
    if (word === "-broadcast") {
      if (!this.#hasDevice() || !hasBroadcast(this.#target.device as NetDevice)) return;
      this.#still("BROADCAST");
      return;
    }
    const text = this.#words.shift();
    if (text !== undefined) {
      const address = this.#resolve(text);
      if (address === undefined) return;
      this.#check("SIOCSIFBRDADDR", this.#target.change({ broadcast: address }));
    }
    this.#flags({});
  }

  #destination(word: string): void {
    const text = this.#words.shift();
    if (text === undefined && word === "dstaddr") this.#usage();
    if (text !== undefined) {
      const address = this.#resolve(text);
      if (address === undefined) return;
      const errno = classfulPrefixLength(address) === undefined ? "EINVAL" : this.#target.change({ peer: address });
      this.#check("SIOCSIFDSTADDR", errno);
    }
    if (word !== "dstaddr") this.#flags({});
  }

  #hardware(): void {
    const type = this.#next();
    if (type !== "ether") {
      if (HARDWARE_TYPES.includes(` ${type} (`)) this.#unsupported(`hw ${type}`);
      this.#usage();
    }
    const text = this.#next();
    const mac = parseMacAddress(text);
    if (mac === undefined) {
      this.#context.stderr.write(`${text}: invalid ether address.\n`);
      this.#failed |= 1;
      return;
    }
    const device = this.#target.device;
    this.#check("SIOCSIFHWADDR", device === undefined ? "ENODEV" : this.#host.devices.setMac(device, mac));
  }

  #queueLength(text: string): void {
    const device = this.#target.device;
    if (device === undefined) {
      this.#check("SIOCSIFTXQLEN", "ENODEV");
      return;
    }
    this.#host.devices.setFlags(device, { txQueueLength: /^\d+/.test(text) ? Number.parseInt(text, 10) : 0 });
  }

  #rename(text: string): void {
    const device = this.#target.device;
    this.#check("SIOCSIFNAME", device === undefined ? "ENODEV" : this.#host.devices.rename(device, text));
  }

  /** `add` takes the first alias that is free and the mask of the interface; `del` of an address that is not there does the same. */
  #alias(word: "add" | "del", text: string): void {
    const address = this.#resolve(text);
    const { device, name } = this.#target;
    if (address === undefined) return;
    if (device === undefined) {
      this.#check("SIOCSIFADDR", "ENODEV");
      return;
    }
    const holder = device.addresses.find((one) => one.address === address && one.label.startsWith(`${name}:`));
    if (word === "del" && holder !== undefined) {
      this.#host.addresses.remove(device, holder);
      return;
    }
    for (let number = 0; number < ALIASES_MAX; number++) {
      const alias = new InterfaceName(this.#host, `${name}:${number}`.slice(0, NAME_MAX));
      if (alias.address !== undefined) continue;
      this.#check("SIOCSIFADDR", alias.setAddress(address));
      this.#check("SIOCSIFNETMASK", alias.setNetmask(prefixMask(this.#target.address?.prefixLength ?? 0)));
      return;
    }
  }

  /** A word that is nothing else is an address, and brings the interface up. */
  #address(word: string): void {
    const slash = word.indexOf("/");
    const text = slash < 0 ? word : word.slice(0, slash);
    const address = resolveAddress(this.#context.machine, text);
    if (typeof address !== "number") {
      this.#context.stderr.write(address.complaint + HELP_HINT);
      throw new IfconfigExit(1);
    }
    if (slash >= 0) {
      if (this.#hasNetmask) this.#usage();
      this.#pendingMask = prefixMask(/^\d+$/.test(word.slice(slash + 1)) ? Math.min(Number(word.slice(slash + 1)), 32) : 32);
    }
    this.#check("SIOCSIFADDR", this.#target.setAddress(address));
    if (!this.#hasDevice()) return;
    // After 0.0.0.0 an alias is gone, so that there is nothing to take up.
    if (address === 0 && this.#target.isAlias) return;
    this.#check("SIOCSIFFLAGS", this.#target.setUp(true), -1);
  }
}

const FAMILIES = new Set(["inet6", "unix", "ax25", "netrom", "rose", "ipx", "ddp", "ec", "ash", "x25"]);
const UNSUPPORTED = new Set(["keepalive", "outfill", "tunnel", "mem_start", "io_addr", "irq", "media"]);

function list(context: CommandContext, includesDown: boolean, isShort: boolean): number {
  if (isShort) context.stdout.write(SHORT_HEAD);
  for (const one of shownInterfaces(context.machine.host, includesDown)) {
    if (one.device === undefined) {
      context.stderr.write(nothingKnown(one.name));
      return 1;
    }
    context.stdout.write(isShort ? formatShort(one) : formatLong(one));
  }
  return 0;
}

function showOne(context: CommandContext, name: string, isShort: boolean): number {
  const colon = name.indexOf(":");
  const device = context.machine.host.devices.byName(colon < 0 ? name : name.slice(0, colon));
  if (device === undefined) {
    context.stderr.write(nothingKnown(name));
    return 1;
  }
  const shown = { name, device, isAlias: colon >= 0 };
  context.stdout.write(isShort ? SHORT_HEAD + formatShort(shown) : formatLong(shown));
  return 0;
}

function run(context: CommandContext): number {
  let includesDown = false;
  let isShort = false;
  let at = 0;
  for (; at < context.args.length && (context.args[at] as string).startsWith("-"); at++) {
    const option = context.args[at] as string;
    if (option === "-a") includesDown = true;
    else if (option === "-s") isShort = true;
    else if (option === "-v") continue;
    else if (option === "-V" || option === "-version" || option === "--version") {
      context.stdout.write(NET_TOOLS_VERSION);
      return 0;
    } else if (option === "-?" || option === "-h" || option === "-help" || option === "--help") {
      context.stdout.write(USAGE_HEAD + USAGE_HARDWARE + USAGE_FAMILY);
      context.stderr.write(HARDWARE_TYPES + ADDRESS_FAMILIES);
      return 0;
    } else {
      context.stderr.write(`ifconfig: option \`${option}' not recognised.\n${HELP_HINT}`);
      return 1;
    }
  }
  const name = context.args[at];
  if (name === undefined) return list(context, includesDown, isShort);
  const words = context.args.slice(at + 1);
  if (words.length === 0) return showOne(context, name, isShort);
  try {
    return new Ifconfig(context, name, words).run();
  } catch (failure) {
    if (!(failure instanceof IfconfigExit)) throw failure;
    return failure.exit;
  }
}

export const ifconfigCommand: Command = { path: "/usr/sbin/ifconfig", run };
