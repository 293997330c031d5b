/**
 * Every frame of every interface as text, as `tcpdump -e -n` on each of them prints it, in one stream:
 *
 *   00:00:01.030012 client.eth0 Out 02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff, ethertype ARP (0x0806), length 42: Request who-has ...
 *   00:00:01.030023 director.eth0 In  02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff, ethertype ARP (0x0806), length 42: Request who-has ...
 *   00:00:01.030034 director ! IPVS_NO_DEST, no destination is available: IP 10.0.0.9.4001 > 10.0.0.100.80: ...
 *
 * A line without the interface is the line of that interface's capture. tcpdump 4.99.3; drops are our own.
 */

import { NS_PER_SECOND } from "../base/time.ts";
import { formatIpv4 } from "../wire/ipv4.ts";
import { EthernetFrame } from "../wire/packet.ts";
import { PLAIN, type PrintOptions, SequenceTable } from "../wire/print.ts";
import { capturedBy, TimelineClock } from "./captured.ts";
import type { TraceEvent } from "./events.ts";
import { formatCaptured, TimeColumn, type TimeStyle } from "./text.ts";
import type { TraceSink } from "./tracer.ts";

const CHUNK_CHARS = 65_536;

export interface TextSinkOptions {
  /** How times are shown; `clock` counts from midnight. */
  readonly time?: TimeStyle;
  /** Leave out what died inside hosts and on cables. */
  readonly hidesDrops?: boolean;
  /** Time of the trace that is 0; by default that of its `origin` record, and 0 for what comes before. */
  readonly originNs?: number;
  /** Gets whole lines. */
  readonly write: (text: string) => void;
}

export class TextSink implements TraceSink {
  readonly #write: (text: string) => void;
  readonly #clock: TimelineClock;
  readonly #column: TimeColumn;
  readonly #hidesDrops: boolean;
  /** Each interface is a capture of its own: sequence numbers count from the first that it has seen. */
  readonly #print = new Map<string, PrintOptions>();
  #text = "";

  constructor(options: TextSinkOptions) {
    this.#write = options.write;
    this.#clock = new TimelineClock(options.originNs);
    this.#column = new TimeColumn(options.time ?? "clock");
    this.#hidesDrops = options.hidesDrops === true;
  }

  write(event: TraceEvent): void {
    this.#clock.see(event);
    const captured = capturedBy(event);
    if (captured !== undefined) {
      const place = `${captured.host}.${captured.device}`;
      const { what } = captured;
      // print-raw.c:raw_if_print; for frames -e shows the link header.
      const line = what instanceof EthernetFrame ? formatCaptured(what, this.#optionsOf(place)) : `ip: ${formatIpv4(what, this.#optionsOf(place))}`;
      this.#line(event, `${place} ${captured.direction === "out" ? "Out" : "In "} ${line}`);
    } else if (event.kind === "packet-dropped" && !this.#hidesDrops) {
      this.#line(event, `${event.host} ! ${event.reason}${event.detail === "" ? "" : `, ${event.detail}`}: ${formatCaptured(event.packet)}`);
    } else if (event.kind === "frame-dropped" && !this.#hidesDrops) {
      const place = event.device === "" ? event.host : `${event.host}.${event.device}`;
      this.#line(event, `${place} ! ${event.reason}: ${formatCaptured(event.frame, { ...PLAIN, isLinkShown: true })}`);
    }
  }

  /** Hands on what is left. Call it at the end. */
  flush(): void {
    if (this.#text !== "") this.#write(this.#text);
    this.#text = "";
  }

  #line(event: TraceEvent, text: string): void {
    const timeNs = this.#clock.at(event.timeNs);
    this.#text += `${this.#column.next(Math.floor(timeNs / NS_PER_SECOND), timeNs % NS_PER_SECOND)}${text}\n`;
    if (this.#text.length >= CHUNK_CHARS) this.flush();
  }

  #optionsOf(place: string): PrintOptions {
    let options = this.#print.get(place);
    if (options === undefined) {
      options = { ...PLAIN, isLinkShown: true, sequences: new SequenceTable() };
      this.#print.set(place, options);
    }
    return options;
  }
}
