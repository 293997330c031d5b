/**
 * tcpdump: captures from the devices of a machine, or reads capture files; prints or writes what a filter passes.
 *
 * tcpdump 4.99.3, libpcap 1.10.3: texts, exit statuses, buffering of standard output (4096 bytes unless -l or -U), which end of lo is seen.
 * Linux differs: protocols that tcpdump knows by port are printed only as far as src/wire prints them; wrong checksums in files that are
 * read are not remarked upon.
 */

import { type Ipv4Address, parseIpv4Address, prefixMask } from "../../../base/ipv4-address.ts";
import type { NetDevice } from "../../../host/device.ts";
import { decodePcap, LINKTYPE_ETHERNET, LINKTYPE_LINUX_SLL2, LINKTYPE_RAW } from "../../../wire/pcap.ts";
import type { Command, CommandContext, Running } from "../../command.ts";
import { FileError } from "../../file-system.ts";
import type { Machine } from "../../machine.ts";
import { createFile, FILE_ERRORS, LiveCapture, PacketOutput, type Source, TcpdumpError } from "./capture.ts";
import { compileFilter, type FilterContext } from "./filter.ts";
import { FilterError } from "./filter-lexer.ts";
import { parseTcpdumpOptions, type TcpdumpOptions } from "./options.ts";
import { ethernetView, rawView } from "./packet-view.ts";
import { fromCooked } from "./printer.ts";

const LINK_NAMES: ReadonlyMap<number, string> = new Map([
  [LINKTYPE_ETHERNET, "EN10MB (Ethernet)"],
  [LINKTYPE_RAW, "RAW (Raw IP)"],
  [LINKTYPE_LINUX_SLL2, "LINUX_SLL2 (Linux cooked v2)"],
]);
export const tcpdumpCommand: Command = { path: "/usr/bin/tcpdump", run: runTcpdump };

function runTcpdump(context: CommandContext): number | Running<number> {
  const parsed = parseTcpdumpOptions(context.args);
  if (!("options" in parsed)) {
    context.stdout.write(parsed.stdout);
    context.stderr.write(parsed.stderr);
    return parsed.exit;
  }
  const { options } = parsed;
  try {
    if (options.action === "list-interfaces") return listInterfaces(context);
    if (options.readFile !== undefined) return readCapture(context, options, options.readFile);
    return startCapture(context, options);
  } catch (error) {
    if (!(error instanceof FilterError) && !(error instanceof TcpdumpError)) throw error;
    context.stderr.write(`tcpdump: ${error.message}\n`);
    return 1;
  }
}

/* -------------------------------------------------------------------------------------------------------------- capturing */

function findSource(context: CommandContext, options: TcpdumpOptions): Source {
  const { devices } = context.machine.host;
  if (options.interface === "any") return { devices: devices.list, name: "any", linkType: LINKTYPE_LINUX_SLL2 };
  const name = options.interface;
  const device =
    name === "" ? devices.list.find((candidate) => candidate.isUp && candidate.kind !== "loopback") : (devices.byName(name) ?? byNumber(devices.list, name));
  if (device === undefined) throw new TcpdumpError(name === "" ? "no suitable device found" : `${name}: No such device exists\n(No such device exists)`);
  if (!device.isUp) throw new TcpdumpError(`${device.name}: That device is not up`);
  return { devices: [device], name: device.name, linkType: linkTypeOf(device) };
}

/** `-i 1` is the first of -D. */
function byNumber(list: readonly NetDevice[], text: string): NetDevice | undefined {
  return /^[1-9]\d*$/.test(text) ? interfaceOrder(list)[Number(text) - 1] : undefined;
}

function linkTypeOf(device: NetDevice): number {
  return device.kind === "tunnel" || device.kind === "gre" ? LINKTYPE_RAW : LINKTYPE_ETHERNET;
}

function startCapture(context: CommandContext, options: TcpdumpOptions): number | Running<number> {
  const source = findSource(context, options);
  if (options.action === "list-link-types") return listLinkTypes(context, source);
  if (source.name === "any") context.stderr.write("tcpdump: data link type LINUX_SLL2\n");
  const predicate = compileFilter(expressionOf(context, options), filterContext(context.machine, source.devices));
  if (options.writeFile !== undefined && options.writeFile !== "-") createFile(context, options.writeFile);
  const isQuiet = options.writeFile === undefined && options.verbosity === 0;
  const listening = `listening on ${source.name}, link-type ${LINK_NAMES.get(source.linkType)}, snapshot length ${options.snapshotBytes} bytes\n`;
  context.stderr.write(isQuiet ? `tcpdump: verbose output suppressed, use -v[v]... for full protocol decode\n${listening}` : `tcpdump: ${listening}`);
  return new LiveCapture(context, options, source, predicate, (address) => nameOf(context.machine, address)).run();
}

/* ---------------------------------------------------------------------------------------------------------------- reading */

function fromCharacters(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

function readCapture(context: CommandContext, options: TcpdumpOptions, path: string): number {
  const text = path === "-" ? "" : readText(context, path);
  const file = decodePcap(fromCharacters(text));
  if (!file.ok)
    throw new TcpdumpError(
      text.length === 0 ? "unknown file format" : file.reason.startsWith("pcap record") ? `truncated dump file; ${file.reason}` : "unknown file format",
    );
  const { linkType, snapshotBytes, records } = file.value;
  if (LINK_NAMES.get(linkType) === undefined) throw new TcpdumpError(`link-type ${linkType} is not supported by this simulator`);
  context.stderr.write(`reading from file ${path}, link-type ${LINK_NAMES.get(linkType)}, snapshot length ${snapshotBytes}\n`);
  const predicate = compileFilter(expressionOf(context, options), { resolve: (name) => resolveName(context.machine, name), hasDirection: false });
  if (options.writeFile !== undefined && options.writeFile !== "-") createFile(context, options.writeFile);
  const output = new PacketOutput(context, options, linkType, (address) => nameOf(context.machine, address));
  let count = 0;
  for (const record of records) {
    const captured =
      linkType === LINKTYPE_LINUX_SLL2
        ? fromCooked(record)
        : {
            ...record,
            what: undefined,
            view: linkType === LINKTYPE_RAW ? rawView(record.bytes, record.lengthBytes) : ethernetView(record.bytes, record.lengthBytes),
            device: undefined,
            direction: undefined,
          };
    if (!predicate(captured.view)) continue;
    count++;
    if (!output.add(captured) || count === options.count) break;
  }
  output.end(false);
  return 0;
}

function expressionOf(context: CommandContext, options: TcpdumpOptions): string {
  return options.filterFile === undefined ? options.expression : readText(context, options.filterFile, "can't open ");
}

function readText(context: CommandContext, path: string, prefix = ""): string {
  const { files } = context.machine;
  try {
    return files.read(files.resolve(context.cwd, path));
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    throw new TcpdumpError(`${prefix}${path}: ${FILE_ERRORS[error.errno] ?? error.errno}`);
  }
}

/* ------------------------------------------------------------------------------------------------------------------ names */

function filterContext(machine: Machine, devices: readonly NetDevice[]): FilterContext {
  const prefixLength = devices.length === 1 ? devices[0]?.addresses[0]?.prefixLength : undefined;
  return { resolve: (name) => resolveName(machine, name), netmask: prefixLength === undefined ? undefined : prefixMask(prefixLength), hasDirection: true };
}

/** Lines of /etc/hosts: address and names. */
function hostsFile(machine: Machine): readonly (readonly [Ipv4Address, readonly string[]])[] {
  const text = machine.files.exists("/etc/hosts") ? machine.files.read("/etc/hosts") : "127.0.0.1 localhost\n";
  return text.split("\n").flatMap((line) => {
    const [first = "", ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    const address = parseIpv4Address(first);
    return address === undefined ? [] : [[address, names] as const];
  });
}

function nameOf(machine: Machine, address: Ipv4Address): string | undefined {
  return hostsFile(machine).find(([known]) => known === address)?.[1][0];
}

function resolveName(machine: Machine, name: string): readonly Ipv4Address[] {
  return hostsFile(machine)
    .filter(([, names]) => names.includes(name))
    .map(([address]) => address);
}

/* ------------------------------------------------------------------------------------------------------------------ lists */

/** libpcap puts devices that are up before others and lo behind. */
function interfaceOrder(list: readonly NetDevice[]): readonly NetDevice[] {
  const rank = (device: NetDevice) => (device.isUp ? 0 : 2) + (device.kind === "loopback" ? 1 : 0);
  return [...list].sort((a, b) => rank(a) - rank(b));
}

/** What libpcap offers on every Linux machine besides its interfaces. */
const PSEUDO_DEVICES: readonly string[] = [
  "bluetooth-monitor (Bluetooth Linux Monitor) [Wireless]",
  "nflog (Linux netfilter log (NFLOG) interface) [none]",
  "nfqueue (Linux netfilter queue (NFQUEUE) interface) [none]",
  "dbus-system (D-Bus system bus) [none]",
  "dbus-session (D-Bus session bus) [none]",
];

function listInterfaces(context: CommandContext): number {
  const lines: string[] = [];
  let hasAny = false;
  const any = "any (Pseudo-device that captures on all interfaces) [Up, Running]";
  for (const device of interfaceOrder(context.machine.host.devices.list)) {
    if (!hasAny && (device.kind === "loopback" || !device.isUp)) {
      lines.push(any);
      hasAny = true;
    }
    const state =
      device.kind === "loopback" ? "Up, Running, Loopback" : device.isUp ? `Up, ${device.hasCarrier ? "Running, Connected" : "Disconnected"}` : "none";
    lines.push(`${device.name} [${state}]`);
  }
  if (!hasAny) lines.push(any);
  lines.push(...PSEUDO_DEVICES);
  context.stdout.write(lines.map((line, index) => `${index + 1}.${line}\n`).join(""));
  return 0;
}

function listLinkTypes(context: CommandContext, source: Source): number {
  const types =
    source.linkType === LINKTYPE_ETHERNET
      ? ["EN10MB (Ethernet)", "DOCSIS (DOCSIS) (printing not supported)"]
      : source.linkType === LINKTYPE_RAW
        ? ["RAW (Raw IP)"]
        : ["LINUX_SLL2 (Linux cooked v2)", "LINUX_SLL (Linux cooked v1)"];
  context.stderr.write(`Data link types for ${source.name} (use option -y to set):\n${types.map((type) => `  ${type}\n`).join("")}`);
  return 0;
}
