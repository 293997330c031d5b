/**
 * A running capture of tcpdump: taps on devices, the kernel's blocks, buffered output, files.
 *
 * Linux v6.1 net/packet/af_packet.c; libpcap 1.10.3 pcap-linux.c; tcpdump 4.99.3 tcpdump.c.
 */

import { latin1 } from "../../../base/bytes.ts";
import type { Ipv4Address } from "../../../base/ipv4-address.ts";
import { NS_PER_MS, NS_PER_SECOND } from "../../../base/time.ts";
import type { CaptureTap, NetDevice } from "../../../host/device.ts";
import { TimeColumn } from "../../../trace/text.ts";
import { encodeEthernet } from "../../../wire/ethernet.ts";
import { encodeIpv4 } from "../../../wire/ipv4.ts";
import { ETHERTYPE_IPV4, EthernetFrame, type Ipv4Packet } from "../../../wire/packet.ts";
import { encodePcap, encodePcapHeader, LINKTYPE_LINUX_SLL2, type PcapRecord } from "../../../wire/pcap.ts";
import type { CommandContext, OutputStream, Running } from "../../command.ts";
import { FileError } from "../../file-system.ts";
import type { Predicate } from "./filter.ts";
import { type TcpdumpOptions, timeStyle } from "./options.ts";
import { ethernetView, rawView } from "./packet-view.ts";
import { type Captured, CapturePrinter, cookedBytes } from "./printer.ts";

const BUFFER_CHARS = 4096;
/**
 * Linux differs: its timer runs for a second. Simulated commands take no time, real ones about a tenth of a second each, so that a script
 * such as `tcpdump & sleep 0.5; curl ...; sleep 0.3; kill %1` sees its packets there; with this period it does here, too.
 */
const LONG_PERIOD_NS = 750 * NS_PER_MS;
const SHORT_PERIOD_NS = NS_PER_SECOND / 10;
const BLOCK_BYTES = 262_144;
/** The header of a packet in a block (struct tpacket3_hdr and what aligns it). */
const RECORD_BYTES = 82;
/** Bytes that one -w keeps in memory. */
const WRITE_BYTES_MAX = 268_435_456;

export class TcpdumpError extends Error {
  override readonly name = "TcpdumpError";
}

/** Name of an address without -n. */
export type NameOf = (address: Ipv4Address) => string | undefined;

export interface Source {
  readonly devices: readonly NetDevice[];
  readonly name: string;
  readonly linkType: number;
}

/**
 * The kernel hands over packets in blocks: when a block is full, or when its timer of one second (0.1 with -l) runs out. A signal ends
 * the capture at once, and what waits in an unfinished block is lost: received, never captured.
 *
 * Linux v6.1 net/packet/af_packet.c:prb_retire_rx_blk_timer_expired; libpcap 1.10.3 pcap-linux.c (TPACKET_V3); tcpdump.c (timeout).
 */
export class LiveCapture {
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

  constructor(context: CommandContext, options: TcpdumpOptions, source: Source, predicate: Predicate, nameOf: NameOf) {
    this.#context = context;
    this.#options = options;
    this.#source = source;
    this.#predicate = predicate;
    this.#output = new PacketOutput(context, options, source.linkType, nameOf);
    this.#periodNs = options.isImmediate ? 0 : options.isLineBuffered && options.writeFile === undefined ? SHORT_PERIOD_NS : LONG_PERIOD_NS;
    this.#periodStartNs = context.machine.host.loop.nowNs;
  }

  *run(): Running<number> {
    const context = this.#context;
    for (const device of this.#source.devices) this.#tap(device);
    context.onExit(() => {
      this.#removeTaps();
    });
    for (const signal of ["INT", "TERM", "HUP"] as const) {
      context.onSignal(signal, () => {
        this.#isInterrupted = true;
        this.#finish();
      });
    }
    if (!this.#isDone) {
      yield* context.waitFor<void>((resolve) => {
        this.#wake = () => {
          resolve();
        };
        return () => {
          this.#wake = undefined;
        };
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
    const tap: CaptureTap = (direction, timeNs, what) => {
      this.#packet(device, direction, timeNs, what);
    };
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
    this.#enqueue({
      seconds: Math.floor(timeNs / NS_PER_SECOND) + this.#context.machine.epochSeconds,
      nanoseconds: timeNs % NS_PER_SECOND,
      what: frame,
      bytes,
      lengthBytes: bytes.length,
      view,
      device,
      direction,
    });
  }

  #enqueue(captured: Captured): void {
    const { loop } = this.#context.machine.host;
    this.#block.push(captured);
    this.#blockBytes += captured.bytes.length + RECORD_BYTES;
    if (this.#periodNs === 0 || this.#blockBytes > BLOCK_BYTES) {
      this.#retireBlock();
    } else if (this.#block.length === 1) {
      const periods = Math.floor((loop.nowNs - this.#periodStartNs) / this.#periodNs) + 1;
      const id = loop.at(this.#periodStartNs + periods * this.#periodNs, {
        onEvent: () => {
          this.#retireBlock();
        },
      });
      this.#undo.push(() => {
        loop.cancel(id);
      });
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
export class PacketOutput {
  readonly #context: CommandContext;
  readonly #options: TcpdumpOptions;
  readonly #buffer: BlockBuffer;
  readonly #printer: CapturePrinter | undefined;
  readonly #linkType: number;
  readonly #records: PcapRecord[] = [];
  #recordBytes = 0;
  #count = 0;

  constructor(context: CommandContext, options: TcpdumpOptions, linkType: number, nameOf: NameOf) {
    this.#context = context;
    this.#options = options;
    this.#linkType = linkType;
    this.#buffer = new BlockBuffer(context.stdout, options.isLineBuffered || options.isPacketBuffered);
    const prints = (options.writeFile === undefined || options.isPrinting) && !(options.onlyCounts && options.readFile !== undefined);
    this.#printer = prints
      ? new CapturePrinter({
          options,
          times: new TimeColumn(timeStyle(options)),
          linkType,
          nameOf,
          interfaceName: (index) => context.machine.host.devices.byIndex(index)?.name,
        })
      : undefined;
    if (options.writeFile === "-") context.stdout.write(latin1(encodePcapHeader(linkType, options.snapshotBytes)));
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
      this.#context.stdout.write(latin1(encodePcap(this.#linkType, [record]).subarray(24)));
      return;
    }
    if (this.#recordBytes + bytes.length > WRITE_BYTES_MAX)
      throw new TcpdumpError(`${this.#options.writeFile}: more than ${WRITE_BYTES_MAX} bytes, which this simulator does not keep`);
    this.#recordBytes += bytes.length;
    this.#records.push(record);
    if (this.#options.isPacketBuffered) this.#save(this.#options.writeFile as string);
  }

  #save(path: string): void {
    const { files } = this.#context.machine;
    files.write(files.resolve(this.#context.cwd, path), latin1(encodePcap(this.#linkType, this.#records, this.#options.snapshotBytes)));
  }
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

export function createFile(context: CommandContext, path: string): void {
  const { files } = context.machine;
  try {
    files.write(files.resolve(context.cwd, path), "");
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    throw new TcpdumpError(`${path}: ${FILE_ERRORS[error.errno] ?? error.errno}`);
  }
}

export const FILE_ERRORS: Readonly<Record<string, string>> = {
  ENOENT: "No such file or directory",
  EACCES: "Permission denied",
  EISDIR: "Is a directory",
  ENOTDIR: "Not a directory",
};
