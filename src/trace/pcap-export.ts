/**
 * A pcap file for each interface, written while records pass: byte for byte what a capture during the run gives (PcapSink).
 */

import { writeEthernet } from "../wire/ethernet.ts";
import { writeIpv4 } from "../wire/ipv4.ts";
import { EthernetFrame } from "../wire/packet.ts";
import { encodePcapHeader, LINKTYPE_ETHERNET, PCAP_RECORD_BYTES, writePcapRecord } from "../wire/pcap.ts";
import { ByteChunks } from "./byte-chunks.ts";
import { type Captured, capturedBy, linkTypeOf, TimelineClock } from "./captured.ts";
import type { TraceEvent } from "./events.ts";
import type { TraceHeader } from "./trace-header.ts";
import type { TraceSink } from "./tracer.ts";

export interface PcapExportOptions {
  /** Its interfaces get a file each, with or without frames; lo and tunnels only with packets. */
  readonly header: Pick<TraceHeader, "hosts">;
  /** Time of the trace that is 0 in the files; by default that of its `origin` record, and 0 for what comes before. */
  readonly originNs?: number;
  /** The next bytes of the file of an interface. */
  readonly write: (host: string, device: string, bytes: Uint8Array) => void;
}

export class PcapExport implements TraceSink {
  readonly #files = new Map<string, ByteChunks>();
  readonly #write: PcapExportOptions["write"];
  readonly #clock: TimelineClock;

  constructor(options: PcapExportOptions) {
    this.#write = options.write;
    this.#clock = new TimelineClock(options.originNs);
    for (const { name, interfaces } of options.header.hosts) for (const one of interfaces) this.#file(name, one.name, LINKTYPE_ETHERNET);
  }

  write(event: TraceEvent): void {
    this.#clock.see(event);
    const captured = capturedBy(event);
    if (captured !== undefined) this.#add(this.#clock.at(event.timeNs), captured);
  }

  /** Hands on what is left. Call it at the end. */
  flush(): void {
    for (const file of this.#files.values()) file.flush();
  }

  #add(timeNs: number, { host, device, what }: Captured): void {
    const length = what.lengthBytes;
    const { bytes, at } = this.#file(host, device, linkTypeOf(what)).reserve(PCAP_RECORD_BYTES + length);
    writePcapRecord(bytes, at, timeNs, length, length);
    if (what instanceof EthernetFrame) writeEthernet(bytes, at + PCAP_RECORD_BYTES, what);
    else writeIpv4(bytes, at + PCAP_RECORD_BYTES, what);
  }

  #file(host: string, device: string, linkType: number): ByteChunks {
    const key = `${host} ${device}`;
    let file = this.#files.get(key);
    if (file === undefined) {
      file = new ByteChunks((bytes) => this.#write(host, device, bytes));
      file.add(encodePcapHeader(linkType));
      this.#files.set(key, file);
    }
    return file;
  }
}
