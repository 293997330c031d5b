/**
 * What a report is made of, gathered while the records of a run pass: the run itself is not kept.
 */

import { formatMacAddress, isGroupMac } from "../base/mac-address.ts";
import { describePacket, LadderSink, type LadderRow, ladderRows } from "../trace/ladder.ts";
import type { FrameReceived, FrameSent, Keyframe, TraceEvent } from "../trace/events.ts";
import type { WorldTables } from "../trace/rows.ts";
import { TableFollower } from "../trace/table-timeline.ts";
import type { TraceHeader } from "../trace/trace-header.ts";
import type { TraceSink } from "../trace/tracer.ts";
import { type NodeRole, RoleReader } from "./roles.ts";
import { readServices, type ServiceCharts } from "./service-series.ts";
import type { Sysctls } from "./settings.ts";

/** Frames that a ladder draws. */
export const LADDER_FRAMES_MAX = 500;
const DROPS_MAX = 200;
const SERVICE_EVENTS_MAX = 500_000;
const COMMANDS_MAX = 500;
const BINS = 300;

/** Drops in one place for one reason. */
export interface DropGroup {
  readonly place: string;
  readonly reason: string;
  readonly detail: string;
  readonly firstNs: number;
  readonly packet: string;
  count: number;
}

/** What an interface sent, and what it took in that was for it or for all; of the timeline. */
export interface InterfaceTotals {
  readonly host: string;
  readonly device: string;
  readonly link: string;
  framesIn: number;
  framesOut: number;
  bytesIn: number;
  bytesOut: number;
}

/** A command of a trace, which has no outputs. */
export interface CommandSeen {
  readonly timeNs: number;
  readonly host: string;
  readonly command: string;
  exit: number | undefined;
}

export class ReportReader implements TraceSink {
  readonly header: TraceHeader;
  records = 0;
  frames = 0;
  drops = 0;
  originNs = 0;
  endNs = 0;
  readonly dropGroups = new Map<string, DropGroup>();
  readonly commands: CommandSeen[] = [];
  commandCount = 0;
  readonly interfaces: readonly InterfaceTotals[];
  /** Settings at boot, by host. */
  readonly defaults = new Map<string, Sysctls>();
  readonly #byDevice = new Map<string, InterfaceTotals & { readonly mac: string }>();
  readonly #roles: RoleReader;
  readonly #setupLadder = new LadderSink(LADDER_FRAMES_MAX);
  readonly #ladder = new LadderSink(LADDER_FRAMES_MAX);
  readonly #follower = new TableFollower();
  readonly #serviceEvents: TraceEvent[] = [];
  readonly #running = new Map<string, CommandSeen>();
  #hasOrigin = false;

  constructor(header: TraceHeader) {
    this.header = header;
    this.#roles = new RoleReader(header);
    for (const { name, interfaces } of header.hosts)
      for (const one of interfaces) this.#byDevice.set(`${name}.${one.name}`, { host: name, device: one.name, link: one.link, mac: one.mac, framesIn: 0, framesOut: 0, bytesIn: 0, bytesOut: 0 });
    this.interfaces = [...this.#byDevice.values()];
  }

  write(event: TraceEvent): void {
    this.records++;
    this.endNs = event.timeNs;
    this.#roles.write(event);
    this.#follower.add(event);
    (this.#hasOrigin ? this.#ladder : this.#setupLadder).write(event);
    switch (event.kind) {
      case "origin":
        this.#hasOrigin = true;
        this.originNs = event.timeNs;
        return;
      case "frame-sent":
        this.frames++;
        this.#count(event);
        return;
      case "frame-received":
        this.#count(event);
        return;
      case "frame-dropped":
      case "packet-dropped":
        this.#drop(event);
        return;
      case "command-start":
        // What a script starts in turn is not told.
        if (event.cause === 0) this.#command(event);
        return;
      case "command-end": {
        const seen = this.#running.get(`${event.host} ${event.pid}`);
        if (seen !== undefined) seen.exit = event.exit;
        this.#running.delete(`${event.host} ${event.pid}`);
        return;
      }
      case "keyframe":
        this.#keyframe(event);
        return;
      case "scheduled":
        this.#keep(event);
        return;
      case "rows":
        if (event.changes.some(({ table }) => table === "ipvsServices" || table === "ipvsDestinations")) this.#keep(event);
        return;
      default:
    }
  }

  roles(): Readonly<Record<string, NodeRole>> {
    return this.#roles.roles();
  }

  /** The frames of the timeline; of the setup when there is no timeline. */
  ladder(): { readonly rows: readonly LadderRow[]; readonly isCut: boolean } {
    const sink = this.#ladder.frameCount > 0 || this.#setupLadder.frameCount === 0 ? this.#ladder : this.#setupLadder;
    return { rows: ladderRows(sink.events), isCut: sink.isFull };
  }

  /** Undefined for a trace without tables. */
  tables(): WorldTables | undefined {
    return this.#follower.hasTables ? this.#follower.read(this.endNs) : undefined;
  }

  services(): ServiceCharts {
    return readServices(this.#serviceEvents, { fromNs: this.originNs, toNs: this.endNs, bins: BINS });
  }

  #count({ kind, host, device, frame }: FrameSent | FrameReceived): void {
    const totals = this.#hasOrigin ? this.#byDevice.get(`${host}.${device}`) : undefined;
    if (totals === undefined) return;
    if (kind === "frame-sent") {
      totals.framesOut++;
      totals.bytesOut += frame.lengthBytes;
    } else if (isGroupMac(frame.dst) || formatMacAddress(frame.dst) === totals.mac) {
      totals.framesIn++;
      totals.bytesIn += frame.lengthBytes;
    }
  }

  #drop(event: TraceEvent & { readonly kind: "frame-dropped" | "packet-dropped" }): void {
    if (event.reason === "OTHERHOST") return;
    this.drops++;
    const device = event.kind === "frame-dropped" ? event.device : "";
    const place = device === "" ? event.host : `${event.host}.${device}`;
    const detail = event.kind === "packet-dropped" ? event.detail : "";
    const key = `${place} ${event.reason} ${detail}`;
    const known = this.dropGroups.get(key);
    if (known !== undefined) {
      known.count++;
      return;
    }
    if (this.dropGroups.size >= DROPS_MAX) return;
    this.dropGroups.set(key, { place, reason: event.reason, detail, firstNs: event.timeNs, packet: droppedText(event), count: 1 });
  }

  #command({ timeNs, host, pid, command }: TraceEvent & { readonly kind: "command-start" }): void {
    this.commandCount++;
    if (this.commands.length >= COMMANDS_MAX) return;
    const seen: CommandSeen = { timeNs, host, command, exit: undefined };
    this.commands.push(seen);
    this.#running.set(`${host} ${pid}`, seen);
  }

  #keyframe(event: Keyframe): void {
    const tables: Record<string, Keyframe["tables"][string]> = {};
    for (const [host, { ipvsServices, ipvsDestinations, sysctls }] of Object.entries(event.tables)) {
      if (event.previous === 0 && sysctls !== undefined && "rows" in sysctls) this.defaults.set(host, sysctls.rows as Sysctls);
      if (ipvsServices !== undefined || ipvsDestinations !== undefined) tables[host] = { ...(ipvsServices && { ipvsServices }), ...(ipvsDestinations && { ipvsDestinations }) };
    }
    this.#keep({ ...event, tables });
  }

  #keep(event: TraceEvent): void {
    if (this.#serviceEvents.length < SERVICE_EVENTS_MAX) this.#serviceEvents.push(event);
  }
}

function droppedText(event: TraceEvent & { readonly kind: "frame-dropped" | "packet-dropped" }): string {
  if (event.kind === "packet-dropped") return describePacket(event.packet);
  const { payload } = event.frame;
  if (payload.kind === "ipv4") return describePacket(payload);
  return payload.kind === "arp" ? "ARP" : `${payload.lengthBytes} bytes`;
}
