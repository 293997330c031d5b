/**
 * tcpdump: captures from the devices of a machine, or reads capture files; prints or writes what a filter passes.
 *
 * tcpdump 4.99.3, libpcap 1.10.3: texts, exit statuses, buffering of standard output (4096 bytes unless -l or -U), which end of lo is seen.
 * Linux differs: protocols that tcpdump knows by port are printed only as far as src/wire prints them; wrong checksums in files that are
 * read are not remarked upon.
 */

import { type Ipv4Address, parseIpv4Address, prefixMask } from "../../../base/ipv4-address.ts";
import { NS_PER_SECOND } from "../../../base/time.ts";
import type { CaptureTap, NetDevice } from "../../../host/device.ts";
import { TimeColumn } from "../../../trace/text.ts";
import { encodeEthernet } from "../../../wire/ethernet.ts";
import { encodeIpv4 } from "../../../wire/ipv4.ts";
import { EthernetFrame, ETHERTYPE_IPV4, type Ipv4Packet } from "../../../wire/packet.ts";
import { decodePcap, encodePcap, encodePcapHeader, LINKTYPE_ETHERNET, LINKTYPE_LINUX_SLL2, LINKTYPE_RAW, type PcapRecord } from "../../../wire/pcap.ts";
import type { Command, CommandContext, OutputStream, Running } from "../../command.ts";
import { FileError } from "../../file-system.ts";
import type { Machine } from "../../machine.ts";
import { compileFilter, type FilterContext, type Predicate } from "./filter.ts";
import { FilterError } from "./filter-lexer.ts";
import { parseTcpdumpOptions, timeStyle, type TcpdumpOptions } from "./options.ts";
import { ethernetView, rawView } from "./packet-view.ts";
import { type Captured, CapturePrinter, cookedBytes, fromCooked } from "./printer.ts";

const LINK_NAMES: ReadonlyMap<number, string> = new Map([
  [LINKTYPE_ETHERNET, "EN10MB (Ethernet)"],
  [LINKTYPE_RAW, "RAW (Raw IP)"],
  [LINKTYPE_LINUX_SLL2, "LINUX_SLL2 (Linux cooked v2)"],
]);
const BUFFER_CHARS = 4096;
const LONG_PERIOD_NS = NS_PER_SECOND;
const SHORT_PERIOD_NS = NS_PER_SECOND / 10;
const BLOCK_BYTES = 262_144;
/** The header of a packet in a block (struct tpacket3_hdr and what aligns it). */
const RECORD_BYTES = 82;
/** Bytes that one -w keeps in memory. */
const WRITE_BYTES_MAX = 268_435_456;

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
    if (options.filterFile !== undefined) options.expression = readText(context, options.filterFile, "can't open ");
    if (options.readFile !== undefined) return readCapture(context, options, options.readFile);
    return startCapture(context, options);
  } catch (error) {
    if (!(error instanceof FilterError) && !(error instanceof TcpdumpError)) throw error;
    context.stderr.write(`tcpdump: ${error.message}\n`);
    return 1;
  }
}

class TcpdumpError extends Error {
  override readonly name = "TcpdumpError";
}

/** Standard output of a C program that is no terminal: whole blocks, unless it flushes. */
class BlockBuffer {
  readonly #out: OutputStream;
  readonly #isImmediate: boolean;
  #waiting = "";

  constructor(out: OutputStream, isImmediate: boolean) {
    this.#out = out;
    this.#isImmediate = isImmediate;
  }

  /** False when nobody reads any more. */
  write(text: string): boolean {
    if (this.#isImmediate) return this.#out.write(text);
    this.#waiting += text;
    if (this.#waiting.length < BUFFER_CHARS) return true;
    const whole = this.#waiting.length - (this.#waiting.length % BUFFER_CHARS);
    const block = this.#waiting.slice(0, whole);
    this.#waiting = this.#waiting.slice(whole);
    return this.#out.write(block);
  }

  flush(): void {
    if (this.#waiting !== "") this.#out.write(this.#waiting);
    this.#waiting = "";
  }
}

/* -------------------------------------------------------------------------------------------------------------- capturing */

interface Source {
  readonly devices: readonly NetDevice[];
  readonly name: string;
  readonly linkType: number;
}

function findSource(context: CommandContext, options: TcpdumpOptions): Source {
  const { devices } = context.machine.host;
  if (options.interface === "any") return { devices: devices.list, name: "any", linkType: LINKTYPE_LINUX_SLL2 };
  const name = options.interface;
  const device = name === "" ? devices.list.find((candidate) => candidate.isUp && candidate.kind !== "loopback") : (devices.byName(name) ?? byNumber(devices.list, name));
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
  const predicate = compileFilter(options.expression, filterContext(context.machine, source.devices));
  if (options.writeFile !== undefined && options.writeFile !== "-") createFile(context, options.writeFile);
  const isQuiet = options.writeFile === undefined && options.verbosity === 0;
  const listening = `listening on ${source.name}, link-type ${LINK_NAMES.get(source.linkType)}, snapshot length ${options.snapshotBytes} bytes\n`;
  context.stderr.write(isQuiet ? `tcpdump: verbose output suppressed, use -v[v]... for full protocol decode\n${listening}` : `tcpdump: ${listening}`);
  return new LiveCapture(context, options, source, predicate).run();
}

/**
 * The kernel hands over packets in blocks: when a block is full, or when its timer of one second (0.1 with -l) runs out. A signal ends
 * the capture at once, and what waits in an unfinished block is lost: received, never captured.
 *
 * Linux v6.1 net/packet/af_packet.c:prb_retire_rx_blk_timer_expired; libpcap 1.10.3 pcap-linux.c (TPACKET_V3); tcpdump.c (timeout).
 */
class LiveCapture {
  readonly #context: CommandContext;
  readonly #options: TcpdumpOptions;
  readonly #source: Source;
  readonly #predicate: Predicate;
  readonly #output: PacketOutput;
  #received = 0;
  #captured = 0;
  #isInterrupted = false;
  #wake: (() => void) | undefined;
  #isDone = false;
  readonly #undo: (() => void)[] = [];
  readonly #periodNs: number;
  #periodStartNs: number;
  #block: Captured[] = [];
  #blockBytes = 0;

  constructor(context: CommandContext, options: TcpdumpOptions, source: Source, predicate: Predicate) {
    this.#context = context;
    this.#options = options;
    this.#source = source;
    this.#predicate = predicate;
    this.#output = new PacketOutput(context, options, source.linkType);
    this.#periodNs = options.isImmediate ? 0 : options.isLineBuffered && options.writeFile === undefined ? SHORT_PERIOD_NS : LONG_PERIOD_NS;
    this.#periodStartNs = context.machine.host.loop.nowNs;
  }

  *run(): Running<number> {
    const context = this.#context;
    for (const device of this.#source.devices) this.#tap(device);
    context.onExit(() => { this.#removeTaps(); });
    for (const signal of ["INT", "TERM", "HUP"] as const) {
      context.onSignal(signal, () => {
        this.#isInterrupted = true;
        this.#finish();
      });
    }
    if (!this.#isDone) {
      yield* context.waitFor<void>((resolve) => {
        this.#wake = () => { resolve(); };
        return () => { this.#wake = undefined; };
      });
    }
    this.#removeTaps();
    this.#output.end(this.#isInterrupted);
    const plural = (count: number) => `${count} packet${count === 1 ? "" : "s"}`;
    context.stderr.write(`${plural(this.#captured)} captured\n${plural(this.#received)} received by filter\n0 packets dropped by kernel\n`);
    return 0;
  }

  #finish(): void {
    this.#isDone = true;
    this.#wake?.();
  }

  #removeTaps(): void {
    for (const undo of this.#undo.splice(0)) undo();
  }

  #tap(device: NetDevice): void {
    const tap: CaptureTap = (direction, timeNs, what) => { this.#packet(device, direction, timeNs, what); };
    device.taps.push(tap);
    this.#undo.push(() => {
      const index = device.taps.indexOf(tap);
      if (index >= 0) device.taps.splice(index, 1);
    });
  }

  #packet(device: NetDevice, direction: "in" | "out", timeNs: number, what: EthernetFrame | Ipv4Packet): void {
    if (this.#isDone) return;
    const frame = device.kind === "loopback" && !(what instanceof EthernetFrame) ? new EthernetFrame(0, 0, ETHERTYPE_IPV4, what) : what;
    const bytes = frame instanceof EthernetFrame ? encodeEthernet(frame) : encodeIpv4(frame);
    const view = frame instanceof EthernetFrame ? ethernetView(bytes, bytes.length, direction) : rawView(bytes, bytes.length, direction);
    if (!this.#predicate(view)) return;
    this.#received++;
    // libpcap leaves out the sending side of lo: everything there comes back in.
    if (device.kind === "loopback" && direction === "out") return;
    if (this.#options.direction !== "inout" && this.#options.direction !== direction) return;
    if (!this.#options.isPromiscuous && direction === "in" && !isForDevice(frame, device)) return;
    this.#enqueue({ seconds: Math.floor(timeNs / NS_PER_SECOND) + this.#context.machine.epochSeconds, nanoseconds: timeNs % NS_PER_SECOND, what: frame, bytes, lengthBytes: bytes.length, view, device, direction });
  }

  #enqueue(captured: Captured): void {
    const { loop } = this.#context.machine.host;
    this.#block.push(captured);
    this.#blockBytes += captured.bytes.length + RECORD_BYTES;
    if (this.#periodNs === 0 || this.#blockBytes > BLOCK_BYTES) {
      this.#retireBlock();
    } else if (this.#block.length === 1) {
      const periods = Math.floor((loop.nowNs - this.#periodStartNs) / this.#periodNs) + 1;
      const id = loop.at(this.#periodStartNs + periods * this.#periodNs, { onEvent: () => { this.#retireBlock(); } });
      this.#undo.push(() => { loop.cancel(id); });
    }
  }

  /** Hands the packets of the block to the program. */
  #retireBlock(): void {
    const block = this.#block;
    this.#block = [];
    this.#blockBytes = 0;
    this.#periodStartNs = this.#context.machine.host.loop.nowNs;
    for (const captured of block) {
      if (this.#isDone) return;
      this.#captured++;
      const isWanted = this.#output.add(captured);
      if (!isWanted || (this.#options.count > 0 && this.#captured >= this.#options.count)) this.#finish();
    }
  }
}

function isForDevice(what: EthernetFrame | Ipv4Packet, device: NetDevice): boolean {
  return !(what instanceof EthernetFrame) || what.dst === device.mac || Math.floor(what.dst / 2 ** 40) % 2 === 1;
}

/** Where captured packets go: lines, a file, a count. */
class PacketOutput {
  readonly #context: CommandContext;
  readonly #options: TcpdumpOptions;
  readonly #buffer: BlockBuffer;
  readonly #printer: CapturePrinter | undefined;
  readonly #linkType: number;
  readonly #records: PcapRecord[] = [];
  #recordBytes = 0;
  #count = 0;

  constructor(context: CommandContext, options: TcpdumpOptions, linkType: number) {
    this.#context = context;
    this.#options = options;
    this.#linkType = linkType;
    this.#buffer = new BlockBuffer(context.stdout, options.isLineBuffered || options.isPacketBuffered);
    const prints = (options.writeFile === undefined || options.isPrinting) && !(options.onlyCounts && options.readFile !== undefined);
    this.#printer = prints ? new CapturePrinter({ options, times: new TimeColumn(timeStyle(options)), linkType, nameOf: (address) => nameOf(context.machine, address), interfaceName: (index) => context.machine.host.devices.byIndex(index)?.name }) : undefined;
    if (options.writeFile === "-") context.stdout.write(asCharacters(encodePcapHeader(linkType, options.snapshotBytes)));
  }

  /** False when nobody reads the output any more. */
  add(captured: Captured): boolean {
    this.#count++;
    if (this.#options.writeFile !== undefined) this.#write(captured);
    return this.#printer === undefined || this.#buffer.write(`${this.#printer.format(captured, this.#count)}\n`);
  }

  end(isInterrupted: boolean): void {
    const { writeFile } = this.#options;
    if (writeFile === undefined) {
      // "We got interrupted, so perhaps we didn't manage to finish a line we were printing": tcpdump.c ends it.
      if (isInterrupted) this.#buffer.write("\n");
      if (this.#options.onlyCounts && this.#options.readFile !== undefined) this.#buffer.write(`${this.#count} packet${this.#count === 1 ? "" : "s"}\n`);
    } else if (writeFile !== "-") {
      this.#save(writeFile);
    }
    this.#buffer.flush();
  }

  #write(captured: Captured): void {
    const isCooked = this.#linkType === LINKTYPE_LINUX_SLL2 && captured.device !== undefined;
    const whole = isCooked ? cookedBytes(captured) : captured.bytes;
    const bytes = whole.subarray(0, this.#options.snapshotBytes);
    const record = { seconds: captured.seconds, nanoseconds: captured.nanoseconds, bytes, lengthBytes: isCooked ? whole.length : captured.lengthBytes };
    if (this.#options.writeFile === "-") {
      this.#context.stdout.write(asCharacters(encodePcap(this.#linkType, [record]).subarray(24)));
      return;
    }
    if (this.#recordBytes + bytes.length > WRITE_BYTES_MAX) throw new TcpdumpError(`${this.#options.writeFile}: more than ${WRITE_BYTES_MAX} bytes, which this simulator does not keep`);
    this.#recordBytes += bytes.length;
    this.#records.push(record);
    if (this.#options.isPacketBuffered) this.#save(this.#options.writeFile as string);
  }

  #save(path: string): void {
    const { files } = this.#context.machine;
    files.write(files.resolve(this.#context.cwd, path), asCharacters(encodePcap(this.#linkType, this.#records, this.#options.snapshotBytes)));
  }
}

function asCharacters(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return text;
}

function fromCharacters(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/* ---------------------------------------------------------------------------------------------------------------- reading */

function readCapture(context: CommandContext, options: TcpdumpOptions, path: string): number {
  const text = path === "-" ? "" : readText(context, path);
  const file = decodePcap(fromCharacters(text));
  if (!file.ok) throw new TcpdumpError(text.length === 0 ? "unknown file format" : file.reason.startsWith("pcap record") ? `truncated dump file; ${file.reason}` : "unknown file format");
  const { linkType, snapshotBytes, records } = file.value;
  const predicate = compileFilter(options.expression, { resolve: (name) => resolveName(context.machine, name), hasDirection: false });
  if (LINK_NAMES.get(linkType) === undefined) throw new TcpdumpError(`link-type ${linkType} is not supported by this simulator`);
  context.stderr.write(`reading from file ${path}, link-type ${LINK_NAMES.get(linkType)}, snapshot length ${snapshotBytes}\n`);
  if (options.writeFile !== undefined && options.writeFile !== "-") createFile(context, options.writeFile);
  const output = new PacketOutput(context, options, linkType);
  let count = 0;
  for (const record of records) {
    const captured = linkType === LINKTYPE_LINUX_SLL2 ? fromCooked(record) : { ...record, what: undefined, view: linkType === LINKTYPE_RAW ? rawView(record.bytes, record.lengthBytes) : ethernetView(record.bytes, record.lengthBytes), device: undefined, direction: undefined };
    if (!predicate(captured.view)) continue;
    count++;
    if (!output.add(captured) || count === options.count) break;
  }
  output.end(false);
  return 0;
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

function createFile(context: CommandContext, path: string): void {
  const { files } = context.machine;
  try {
    files.write(files.resolve(context.cwd, path), "");
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    throw new TcpdumpError(`${path}: ${FILE_ERRORS[error.errno] ?? error.errno}`);
  }
}

const FILE_ERRORS: Readonly<Record<string, string>> = { ENOENT: "No such file or directory", EACCES: "Permission denied", EISDIR: "Is a directory", ENOTDIR: "Not a directory" };

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
  return hostsFile(machine).filter(([, names]) => names.includes(name)).map(([address]) => address);
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
    const state = device.kind === "loopback" ? "Up, Running, Loopback" : device.isUp ? `Up, ${device.hasCarrier ? "Running, Connected" : "Disconnected"}` : "none";
    lines.push(`${device.name} [${state}]`);
  }
  if (!hasAny) lines.push(any);
  lines.push(...PSEUDO_DEVICES);
  context.stdout.write(lines.map((line, index) => `${index + 1}.${line}\n`).join(""));
  return 0;
}

function listLinkTypes(context: CommandContext, source: Source): number {
  const types = source.linkType === LINKTYPE_ETHERNET ? ["EN10MB (Ethernet)", "DOCSIS (DOCSIS) (printing not supported)"] : source.linkType === LINKTYPE_RAW ? ["RAW (Raw IP)"] : ["LINUX_SLL2 (Linux cooked v2)", "LINUX_SLL (Linux cooked v1)"];
  context.stderr.write(`Data link types for ${source.name} (use option -y to set):\n${types.map((type) => `  ${type}\n`).join("")}`);
  return 0;
}

