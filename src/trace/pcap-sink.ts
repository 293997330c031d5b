/**
 * Captures of interfaces: one growing pcap file in memory for each, fed by the taps of the devices.
 *
 * Frames become bytes as they pass (a reference would keep every payload and header object alive), in chunks that double up to 1 MiB.
 */

import { writeEthernet } from "../wire/ethernet.ts";
import { writeIpv4 } from "../wire/ipv4.ts";
import { EthernetFrame, type Ipv4Packet } from "../wire/packet.ts";
import { encodePcapHeader, LINKTYPE_ETHERNET, type LINKTYPE_RAW, PCAP_HEADER_BYTES, PCAP_RECORD_BYTES, writePcapRecord } from "../wire/pcap.ts";

const FIRST_CHUNK_BYTES = 4096;
const CHUNK_BYTES_MAX = 1_048_576;

/** What a capture needs of a device (NetDevice has it). */
export interface TappedDevice {
  readonly hostName: string;
  readonly name: string;
  readonly taps: ((direction: "in" | "out", timeNs: number, what: EthernetFrame | Ipv4Packet) => void)[];
}

/** One pcap file that grows. */
export class PcapCapture {
  readonly hostName: string;
  readonly deviceName: string;
  frameCount = 0;
  readonly #chunks: Uint8Array[] = [];
  #chunk = new Uint8Array(FIRST_CHUNK_BYTES);
  #used = 0;
  #doneBytes = 0;
  readonly #linkType: number;

  constructor(options: { readonly hostName: string; readonly deviceName: string; readonly linkType: number }) {
    this.hostName = options.hostName;
    this.deviceName = options.deviceName;
    this.#linkType = options.linkType;
  }

  get lengthBytes(): number {
    return PCAP_HEADER_BYTES + this.#doneBytes + this.#used;
  }

  add(timeNs: number, what: EthernetFrame | Ipv4Packet): void {
    const length = what.lengthBytes;
    const needed = PCAP_RECORD_BYTES + length;
    if (this.#used + needed > this.#chunk.length) this.#nextChunk(needed);
    const chunk = this.#chunk;
    const at = this.#used;
    writePcapRecord(chunk, at, timeNs, length, length);
    if (what instanceof EthernetFrame) writeEthernet(chunk, at + PCAP_RECORD_BYTES, what);
    else writeIpv4(chunk, at + PCAP_RECORD_BYTES, what);
    this.#used = at + needed;
    this.frameCount++;
  }

  /** The file so far. Times count from `originNs`; what happened before it is put at 0. */
  toBytes(originNs = 0): Uint8Array {
    const out = new Uint8Array(this.lengthBytes);
    out.set(encodePcapHeader(this.#linkType));
    let at = PCAP_HEADER_BYTES;
    for (const chunk of this.#chunks) {
      out.set(chunk, at);
      at += chunk.length;
    }
    out.set(this.#chunk.subarray(0, this.#used), at);
    if (originNs !== 0) shiftTimes(out, originNs);
    return out;
  }

  #nextChunk(neededBytes: number): void {
    if (this.#used > 0) {
      this.#chunks.push(this.#chunk.subarray(0, this.#used));
      this.#doneBytes += this.#used;
    }
    this.#chunk = new Uint8Array(Math.max(neededBytes, Math.min(this.#chunk.length * 2, CHUNK_BYTES_MAX)));
    this.#used = 0;
  }
}

function shiftTimes(file: Uint8Array, originNs: number): void {
  const view = new DataView(file.buffer);
  for (let at = PCAP_HEADER_BYTES; at < file.length; ) {
    const timeNs = view.getUint32(at, true) * 1e9 + view.getUint32(at + 4, true);
    const captured = view.getUint32(at + 8, true);
    writePcapRecord(file, at, timeNs - originNs, captured, view.getUint32(at + 12, true));
    at += PCAP_RECORD_BYTES + captured;
  }
}

/** Starts captures and keeps them, in order of starting. */
export class PcapSink {
  readonly captures: PcapCapture[] = [];
  frameCount = 0;
  lengthBytes = 0;
  readonly #framesMax: number;
  readonly #bytesMax: number;
  readonly #onLimit: (what: "frames" | "bytes") => void;

  /** Bounds over all captures together; what would go beyond them is not kept, and `onLimit` is called for each such frame. */
  constructor(options: { readonly framesMax?: number; readonly bytesMax?: number; readonly onLimit?: (what: "frames" | "bytes") => void } = {}) {
    this.#framesMax = options.framesMax ?? Number.POSITIVE_INFINITY;
    this.#bytesMax = options.bytesMax ?? Number.POSITIVE_INFINITY;
    this.#onLimit = options.onLimit ?? (() => {});
  }

  /** Captures everything that the device sends or receives from now on; returns how to stop. */
  attach(device: TappedDevice, linkType: typeof LINKTYPE_ETHERNET | typeof LINKTYPE_RAW = LINKTYPE_ETHERNET): () => void {
    const capture = new PcapCapture({ hostName: device.hostName, deviceName: device.name, linkType });
    this.captures.push(capture);
    const tap = (_direction: "in" | "out", timeNs: number, what: EthernetFrame | Ipv4Packet) => {
      if (this.frameCount >= this.#framesMax) this.#onLimit("frames");
      else if (this.lengthBytes >= this.#bytesMax) this.#onLimit("bytes");
      else {
        this.frameCount++;
        this.lengthBytes += what.lengthBytes;
        capture.add(timeNs, what);
      }
    };
    device.taps.push(tap);
    return () => {
      const index = device.taps.indexOf(tap);
      if (index >= 0) device.taps.splice(index, 1);
    };
  }
}
