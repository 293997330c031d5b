/**
 * arp: the old view of the neighbour table. net-tools 2.10 arp.c; the kernel's side is net/ipv4/arp.c (arp_ioctl, arp_req_set, arp_req_delete).
 */

import { formatIpv4Address, type Ipv4Address } from "../../base/ipv4-address.ts";
import { formatMacAddress, type MacAddress, parseMacAddress } from "../../base/mac-address.ts";
import { type NetDevice, SCOPE_LINK } from "../../host/device.ts";
import type { Neighbour } from "../../host/host.ts";
import type { Command, CommandContext } from "../command.ts";
import { errorText } from "../errno-text.ts";
import { FileError } from "../file-system.ts";
import { hostNameOf, resolveHost } from "../names.ts";
import { CommandExit, type ReadOption, readShortOptions } from "./short-options.ts";

const FAILURE = 255;
const USAGE_EXIT = 3;

const USAGE = `Usage:
  arp [-vn]  [<HW>] [-i <if>] [-a] [<hostname>]             <-Display ARP cache
  arp [-v]          [-i <if>] -d  <host> [pub]               <-Delete ARP entry
  arp [-vnD] [<HW>] [-i <if>] -f  [<filename>]            <-Add entry from file
  arp [-v]   [<HW>] [-i <if>] -s  <host> <hwaddr> [temp]            <-Add entry
  arp [-v]   [<HW>] [-i <if>] -Ds <host> <if> [netmask <nm>] pub          <-''-

        -a                       display (all) hosts in alternative (BSD) style
        -e                       display (all) hosts in default (Linux) style
        -s, --set                set a new ARP entry
        -d, --delete             delete a specified entry
        -v, --verbose            be verbose
        -n, --numeric            don't resolve names
        -i, --device             specify network interface (e.g. eth0)
        -D, --use-device         read <hwaddr> from given device
        -A, -p, --protocol       specify protocol family
        -f, --file               read new entries from file or from /etc/ethers

  <HW>=Use '-H <hw>' to specify hardware address type. Default: ether
  List of possible hardware types (which support ARP):
    ash (Ash) ether (Ethernet) ax25 (AMPR AX.25) 
    netrom (AMPR NET/ROM) rose (AMPR ROSE) arcnet (ARCnet) 
    dlci (Frame Relay DLCI) fddi (Fiber Distributed Data Interface) hippi (HIPPI) 
    irda (IrLAP) x25 (generic X.25) eui64 (Generic EUI-64) 
`;

const VERSION = `net-tools 2.10
+I18N +SELINUX
AF: (inet) +UNIX +INET +INET6 +IPX +AX25 +NETROM +X25 +ATALK +ECONET +ROSE -BLUETOOTH
HW: (ether) +ETHER +ARC +SLIP +PPP +TUNNEL -TR +AX25 +NETROM +X25 +FR +ROSE +ASH +SIT +FDDI +HIPPI +HDLC/LAPB +EUI64 
`;

const TITLE = "Address                  HWtype  HWaddress           Flags Mask            Iface\n";

const LONG_OPTIONS: Readonly<Record<string, string>> = {
  verbose: "v",
  all: "a",
  delete: "d",
  file: "f",
  numeric: "n",
  set: "s",
  device: "i",
  protocol: "p",
  "hw-type": "H",
  "use-device": "D",
  symbolic: "N",
  help: "h",
  version: "V",
};

interface ArpOptions {
  readonly device: string;
  readonly isNumeric: boolean;
  readonly isVerbose: boolean;
  readonly isBsd: boolean;
  readonly usesDeviceMac: boolean;
  readonly hasHardware: boolean;
}

export const arpCommand: Command = {
  path: "/usr/sbin/arp",
  run(context) {
    try {
      return runArp(context);
    } catch (error) {
      if (!(error instanceof CommandExit)) throw error;
      (error.exit === 0 ? context.stdout : context.stderr).write(error.text);
      return error.exit;
    }
  },
};

function runArp(context: CommandContext): number {
  const { options, operands } = readShortOptions(context.args.map(shortForm), "A:H:adfp:nsei:Dt:vh?DNV");
  let action = "";
  let device = "";
  const letters = new Set<string>();
  for (const option of options) {
    const value = checked(option);
    if (option.letter === "i") device = value;
    else if (option.letter === "A" || option.letter === "p") checkFamily(value);
    else if (option.letter === "H" || option.letter === "t") checkHardware(value);
    else if (option.letter === "d" || option.letter === "f" || option.letter === "s") action = option.letter;
    letters.add(option.letter);
  }
  const settings: ArpOptions = {
    device,
    isNumeric: letters.has("n"),
    isVerbose: letters.has("v"),
    isBsd: letters.has("a"),
    usesDeviceMac: letters.has("D"),
    hasHardware: letters.has("H") || letters.has("t"),
  };
  if (action === "d") return deleteEntry(context, settings, operands);
  if (action === "s") return setEntry(context, settings, operands);
  if (action === "f") return setFromFile(context, settings, operands[0] ?? "/etc/ethers");
  return show(context, settings, operands[0] ?? "");
}

function shortForm(word: string): string {
  if (!word.startsWith("--") || word === "--") return word;
  const letter = LONG_OPTIONS[word.slice(2)];
  if (letter === undefined) throw new CommandExit(USAGE_EXIT, `arp: unrecognized option '${word}'\n${USAGE}`);
  return `-${letter}`;
}

function checked(option: ReadOption): string {
  if (option.kind === "unknown") {
    const complaint = option.letter === "?" || option.letter === "h" ? "" : `arp: invalid option -- '${option.letter}'\n`;
    throw new CommandExit(USAGE_EXIT, complaint + USAGE);
  }
  if (option.kind === "no-value") throw new CommandExit(USAGE_EXIT, `arp: option requires an argument -- '${option.letter}'\n${USAGE}`);
  if (option.letter === "h" || option.letter === "?") throw new CommandExit(USAGE_EXIT, USAGE);
  if (option.letter === "V") throw new CommandExit(0, VERSION);
  return option.value;
}

function checkFamily(name: string): void {
  if (name !== "inet") throw new CommandExit(FAILURE, `arp: ${name}: unknown address family.\n`);
}

function checkHardware(name: string): void {
  if (name !== "ether") throw new CommandExit(FAILURE, `arp: ${name}: unknown hardware type.\n`);
}

function fail(text: string): never {
  throw new CommandExit(FAILURE, text);
}

/* ----------------------------------------------------------------------------------------------------------------- show */

/** /proc/net/arp knows no NOARP entries. */
function show(context: CommandContext, options: ArpOptions, host: string): number {
  const { machine, stdout } = context;
  const wanted = host === "" ? undefined : (resolveHost(machine, host) ?? fail(`${host}: Host name lookup failure\n`));
  const entries = machine.host.neighbours.list.filter((neighbour) => neighbour.isProxy || neighbour.state !== "NOARP");
  let text = "";
  let shown = 0;
  for (const entry of entries) {
    if (options.device !== "" && entry.device.name !== options.device) continue;
    if (wanted !== undefined && entry.address !== wanted) continue;
    if (shown === 0 && !options.isBsd) text += TITLE;
    shown++;
    const name = options.isNumeric ? undefined : hostNameOf(machine, entry.address);
    text += options.isBsd ? formatBsd(entry, name) : formatLinux(entry, name);
  }
  stdout.write(text);
  if (options.isVerbose) stdout.write(`Entries: ${entries.length}\tSkipped: ${entries.length - shown}\tFound: ${shown}\n`);
  if (shown > 0) return 0;
  if (host !== "" && !options.isBsd) stdout.write(`${host} (${formatIpv4Address(wanted ?? 0)}) -- no entry\n`);
  else if (options.hasHardware || host !== "" || options.device !== "") stdout.write(`arp: in ${entries.length} entries no match found.\n`);
  return 0;
}

function isComplete(entry: Neighbour): boolean {
  return !entry.isProxy && entry.state !== "INCOMPLETE" && entry.state !== "FAILED" && entry.state !== "NONE";
}

function formatLinux(entry: Neighbour, name: string | undefined): string {
  const address = (name ?? formatIpv4Address(entry.address)).slice(0, 23).padEnd(23);
  let hardware = `${"".padEnd(8)}${"(incomplete)".padEnd(20)}`;
  if (entry.isProxy) hardware = `${"*".padEnd(8)}${"<from_interface>".padEnd(20)}`;
  else if (isComplete(entry)) hardware = `${"ether".padEnd(8)}${formatMacAddress(entry.mac).padEnd(20)}`;
  const flags = entry.isProxy ? "MP" : isComplete(entry) ? (entry.state === "PERMANENT" ? "CM" : "C") : "";
  return `${address}  ${hardware}${flags.padEnd(6)}${"".padEnd(15)} ${entry.device.name}\n`;
}

function formatBsd(entry: Neighbour, name: string | undefined): string {
  let text = `${name ?? "?"} (${formatIpv4Address(entry.address)}) at `;
  if (entry.isProxy) text += "<from_interface> PERM PUB";
  else if (isComplete(entry)) text += `${formatMacAddress(entry.mac)} [ether]${entry.state === "PERMANENT" ? " PERM" : ""}`;
  else text += "<incomplete>";
  return `${text} on ${entry.device.name}\n`;
}

/* --------------------------------------------------------------------------------------------------------------- change */

/** The device for an address when none is given: where it is directly on the link. Errno otherwise. */
function deviceFor(context: CommandContext, name: string, address: Ipv4Address): NetDevice | string {
  const { host } = context.machine;
  if (name !== "") return host.devices.byName(name) ?? "ENODEV";
  const result = host.fib.lookup({ dst: address, src: 0, mark: 0, tos: 0, scope: SCOPE_LINK, output: undefined, input: undefined });
  if (typeof result === "string") return "ENETUNREACH";
  return result.route.type === "local" ? host.devices.loopback : (result.device ?? "EINVAL");
}

function addressOf(context: CommandContext, name: string | undefined): Ipv4Address {
  if (name === undefined) fail("arp: need host name\n");
  return resolveHost(context.machine, name) ?? fail(`${name}: Host name lookup failure\n`);
}

function deleteEntry(context: CommandContext, options: ArpOptions, operands: readonly string[]): number {
  const { neighbours, devices } = context.machine.host;
  const [name, ...words] = operands;
  const address = addressOf(context, name);
  let isPublic = true;
  let isPrivate = true;
  let device = options.device;
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    if (word === "pub") isPrivate = false;
    else if (word === "priv") isPublic = false;
    else if (word === "dev") device = words[++i] ?? "";
    else if (word === "netmask") i++;
    else if (word !== "temp" && word !== "trail" && word !== "dontpub" && word !== "auto") throw new CommandExit(USAGE_EXIT, USAGE);
  }
  if (isPrivate) {
    const found = deviceFor(context, device, address);
    if (typeof found === "string") fail(`SIOCDARP(dontpub): ${errorText(found)}\n`);
    if (neighbours.remove(found, address) === undefined) return 0;
  }
  if (isPublic && device !== "") {
    const found = devices.byName(device);
    if (found === undefined) fail(`SIOCDARP(pub): ${errorText("ENODEV")}\n`);
    if (neighbours.removeProxy(found, address) === undefined) return 0;
  }
  context.stdout.write(`No ARP entry for ${name}\n`);
  return FAILURE;
}

function setEntry(context: CommandContext, options: ArpOptions, operands: readonly string[]): number {
  const [name, hardware, ...words] = operands;
  const address = addressOf(context, name);
  if (hardware === undefined) fail("arp: need hardware address\n");
  const mac = options.usesDeviceMac ? macOfDevice(context, hardware) : (parseMacAddress(hardware) ?? fail("arp: invalid hardware address\n"));
  let isPermanent = true;
  let isPublic = false;
  let { device } = options;
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    if (word === "temp") isPermanent = false;
    else if (word === "pub") isPublic = true;
    else if (word === "priv") isPublic = false;
    else if (word === "dev") device = words[++i] ?? "";
    else if (word === "netmask") {
      // arp_req_set and arp_req_set_public: an entry is for one address.
      if (words[++i] !== "255.255.255.255") fail(`SIOCSARP: ${errorText("EINVAL")}\n`);
    } else if (word !== "trail" && word !== "dontpub" && word !== "auto") throw new CommandExit(USAGE_EXIT, USAGE);
  }
  const errno = isPublic ? publish(context, address, mac, device) : store(context, { address, mac, device, isPermanent });
  if (errno !== undefined) fail(`SIOCSARP: ${errorText(errno)}\n`);
  return 0;
}

function macOfDevice(context: CommandContext, name: string): MacAddress {
  return context.machine.host.devices.byName(name)?.mac ?? fail(`arp: cant get HW-Address for \`${name}': No such device.\n`);
}

/** arp_req_set */
function store(
  context: CommandContext,
  entry: { readonly address: Ipv4Address; readonly mac: MacAddress; readonly device: string; readonly isPermanent: boolean },
): string | undefined {
  const device = deviceFor(context, entry.device, entry.address);
  if (typeof device === "string") return device;
  if (device.kind !== "ether" && device.kind !== "dummy") return "EINVAL";
  return context.machine.host.neighbours.set(device, entry.address, entry.mac, entry.isPermanent ? "PERMANENT" : "STALE", "replace");
}

/** arp_req_set_public: without a device the MAC must be that of one of ours. */
function publish(context: CommandContext, address: Ipv4Address, mac: MacAddress, name: string): string | undefined {
  const { devices, neighbours } = context.machine.host;
  const device = name !== "" ? devices.byName(name) : devices.list.find((one) => one.kind === "ether" && one.mac === mac);
  if (device === undefined) return "ENODEV";
  neighbours.setProxy(device, address);
  return undefined;
}

/** Lines of `host hwaddr [options]`. */
function setFromFile(context: CommandContext, options: ArpOptions, path: string): number {
  const { files } = context.machine;
  let text: string;
  try {
    text = files.read(files.resolve(context.cwd, path));
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    return fail(`arp: cannot open etherfile ${path} !\n`);
  }
  for (const [index, raw] of text.split("\n").entries()) {
    const line = raw.replace(/#.*/, "").trim();
    if (line === "") continue;
    const words = line.split(/\s+/);
    if (words.length < 2) {
      context.stderr.write(`arp: format error on line ${index + 1} of etherfile ${path} !\n`);
      continue;
    }
    // /etc/ethers has the MAC first, arp's own files have it second.
    const isEthers = parseMacAddress(words[0] as string) !== undefined;
    try {
      setEntry(context, options, isEthers ? [words[1] as string, words[0] as string, ...words.slice(2)] : words);
    } catch (error) {
      if (!(error instanceof CommandExit)) throw error;
      context.stderr.write(`${error.text}arp: cannot set entry on line ${index + 1} of etherfile ${path} !\n`);
    }
  }
  return 0;
}
