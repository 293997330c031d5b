/**
 * What a trace holds, counted while records pass.
 */

import { capturedBy, TimelineClock } from "./captured.ts";
import type { TraceEvent } from "./events.ts";
import type { TraceHeader } from "./trace-header.ts";
import type { TraceSink } from "./tracer.ts";

export interface LinkCount {
  /** Frames that interfaces put on the link, and their bytes. */
  frames: number;
  bytes: number;
  /** Frames that got lost on it. */
  lost: number;
}

export class TraceStatistics implements TraceSink {
  records = 0;
  /** Time of the last record since the start of the timeline, nanoseconds. */
  endNs = 0;
  readonly byKind = new Map<string, number>();
  /** By host or link. */
  readonly byHost = new Map<string, number>();
  /** By place and reason, such as `rs1: IP_RPFILTER`. Frames that were for others are not counted. */
  readonly drops = new Map<string, number>();
  readonly links = new Map<string, LinkCount>();
  /** By virtual service and real server: connections that were made, without templates. */
  readonly connections = new Map<string, Map<string, number>>();
  readonly #linkOf = new Map<string, string>();
  readonly #clock = new TimelineClock();

  constructor(header: Pick<TraceHeader, "hosts" | "links">) {
    for (const { name, interfaces } of header.hosts) for (const one of interfaces) this.#linkOf.set(`${name}.${one.name}`, one.link);
    for (const link of header.links) this.links.set(link, { frames: 0, bytes: 0, lost: 0 });
  }

  write(event: TraceEvent): void {
    this.#clock.see(event);
    this.records++;
    this.endNs = this.#clock.at(event.timeNs);
    increment(this.byKind, event.kind);
    if (event.host !== "") increment(this.byHost, event.host);
    if ("reason" in event && event.reason !== "OTHERHOST") increment(this.drops, `${event.host}: ${event.reason}`);
    if (event.kind === "frame-dropped" && event.device === "") {
      const link = this.links.get(event.host);
      if (link !== undefined) link.lost++;
    }
    if (event.kind === "ipvs-connection" && event.before === "" && !event.connection.endsWith(" template")) {
      const service = event.service ?? "no service";
      const servers = this.connections.get(service) ?? new Map<string, number>();
      this.connections.set(service, servers);
      increment(servers, event.dest);
    }
    const captured = event.kind === "frame-sent" ? capturedBy(event) : undefined;
    const link = captured && this.links.get(this.#linkOf.get(`${captured.host}.${captured.device}`) ?? "");
    if (captured === undefined || link === undefined) return;
    link.frames++;
    link.bytes += captured.what.lengthBytes;
  }
}

function increment(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}
