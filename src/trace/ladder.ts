/**
 * A ladder of packets for a terminal: a column for each host, an arrow for each frame, the time at the left, what it was at the right.
 *
 *        time  client   director   rs1
 *    1.000012  o────────▶│         │    10.0.0.50.40000 > 10.0.0.100.80 [S]
 *    1.000034  │         o────────▶│    10.0.0.50.40000 > 10.0.0.100.80 [S]  MAC :02 => :03
 *    1.000040  │         │         ✕    dropped: IP_RPFILTER, rp_filter = max(all 1, eth0 0) = 1
 *
 * A frame that a director sends on with another MAC is marked. Frames that merely passed by a host are not drawn to it.
 */

import { formatIpv4Address } from "../base/ipv4-address.ts";
import { BROADCAST_MAC, formatMacAddress, type MacAddress } from "../base/mac-address.ts";
import { formatSeconds } from "../base/time.ts";
import { formatIcmp } from "../wire/icmp.ts";
import { formatIpv4, IPV4_CODEC } from "../wire/ipv4.ts";
import type { EthernetFrame, Ipv4Packet, TcpSegment } from "../wire/packet.ts";
import { PLAIN } from "../wire/print.ts";
import { formatTcpFlags } from "../wire/tcp.ts";
import { formatTcpText } from "../wire/text-protocols.ts";
import { formatVrrp } from "../wire/vrrp.ts";
import type { TraceEvent } from "./events.ts";
import type { TraceSink } from "./tracer.ts";

/** What kind of thing a piece of the ladder is, for colours. */
export type LadderPart = "time" | "host" | "lane" | "arp" | "tcp" | "udp" | "icmp" | "tunnel" | "other" | "drop" | "rewritten" | "note";

/** How a ladder is drawn. `originNs` in simulated nanoseconds since the start of the run. */
export interface LadderOptions {
  /** Column order. */
  readonly hosts: readonly string[];
  /** Columns of the terminal. */
  readonly width: number;
  readonly isAscii?: boolean;
  /** Colours a piece of text that has been laid out already. */
  readonly style?: (part: LadderPart, text: string) => string;
  /** Time that is shown as 0. */
  readonly originNs?: number;
  readonly rowsMax?: number;
}

/** One row of a ladder: a frame from its sender to who took it, a drop, or a note. */
export interface LadderRow {
  readonly timeNs: number;
  readonly from: string;
  readonly to: ReadonlySet<string>;
  readonly part: LadderPart;
  readonly text: string;
  /** Behind the text, in another colour. */
  readonly mark: string;
  readonly isLost: boolean;
}

interface Row extends LadderRow {
  readonly to: Set<string>;
  text: string;
  isLost: boolean;
}

const ROWS_MAX = 2000;
const LANE_MIN = 4;
const LANE_MAX = 16;
const TEXT_MIN = 44;
const TIME_CHARS = 11;
/** Identities of packets that are remembered to see a MAC change. */
const IDENTITIES_MAX = 10_000;

/** Keeps what a ladder needs of a trace, up to a bound; `onFull` is called once. */
export class LadderSink implements TraceSink {
  readonly events: TraceEvent[] = [];
  frameCount = 0;
  #lastSentId = 0;
  readonly #framesMax: number;
  readonly #onFull: () => void;

  constructor(framesMax = ROWS_MAX, onFull: () => void = () => {}) {
    this.#framesMax = framesMax;
    this.#onFull = onFull;
  }

  get isFull(): boolean {
    return this.frameCount >= this.#framesMax;
  }

  write(event: TraceEvent): void {
    if (!LADDER_KINDS.has(event.kind)) return;
    if (this.isFull) {
      // The last frames are still on their way.
      if ((event.kind === "frame-received" || event.kind === "frame-dropped") && event.cause <= this.#lastSentId) this.events.push(event);
      return;
    }
    this.events.push(event);
    if (event.kind !== "frame-sent") return;
    this.#lastSentId = event.id;
    this.frameCount++;
    if (this.isFull) this.#onFull();
  }
}

const LADDER_KINDS: ReadonlySet<string> = new Set(["frame-sent", "frame-received", "frame-dropped", "packet-dropped", "link", "fault"]);

/** The lines of the ladder, without newlines; empty when nothing was sent. */
export function formatLadder(events: readonly TraceEvent[], options: LadderOptions): string[] {
  const rows = ladderRows(events);
  if (rows.length === 0) return [];
  const rowsMax = options.rowsMax ?? ROWS_MAX;
  const layout = layOut(options);
  const lines = formatHeader(options, layout);
  for (const row of rows.slice(0, rowsMax)) lines.push(formatRow(row, options, layout));
  if (rows.length > rowsMax) lines.push(style(options, "note", `... ${rows.length - rowsMax} more rows`));
  return lines;
}

/* ------------------------------------------------------------------------------------------------------------------ rows */

/** What a ladder of these records shows, oldest first. */
export function ladderRows(events: readonly TraceEvent[]): readonly LadderRow[] {
  const rows: Row[] = [];
  const sent = new Map<number, Row>();
  /** Record of reception -> the row and the host that received. */
  const received = new Map<number, { readonly row: Row; readonly host: string }>();
  const macs = new Map<string, MacAddress>();
  for (const event of events) {
    switch (event.kind) {
      case "frame-sent": {
        const row = sentRow(event.timeNs, event.host, event.frame, macs);
        sent.set(event.id, row);
        rows.push(row);
        break;
      }
      case "frame-received": {
        const row = sent.get(event.cause);
        if (row === undefined) break;
        row.to.add(event.host);
        received.set(event.id, { row, host: event.host });
        break;
      }
      case "frame-dropped": {
        if (event.reason === "OTHERHOST") {
          const passed = received.get(event.cause);
          passed?.row.to.delete(passed.host);
          sent.get(event.cause)?.to.delete(event.host);
          break;
        }
        const row = sent.get(event.cause);
        if (row !== undefined && event.device === "") {
          row.isLost = true;
          row.text += `  lost on the link: ${event.reason}`;
        } else rows.push(dropRow(event.timeNs, event.host, `dropped: ${event.reason}`));
        break;
      }
      case "packet-dropped":
        if (event.reason === "OTHERHOST") {
          const passed = received.get(event.cause);
          passed?.row.to.delete(passed.host);
          break;
        }
        rows.push(dropRow(event.timeNs, event.host, `dropped: ${event.reason}${event.detail === "" ? "" : `, ${event.detail}`}`));
        break;
      case "link":
        rows.push({
          timeNs: event.timeNs,
          from: event.host,
          to: new Set(),
          part: "note",
          text: `${event.host}${event.device === "" ? "" : `.${event.device}`} ${event.state}`,
          mark: "",
          isLost: false,
        });
        break;
      case "fault":
        rows.push({ timeNs: event.timeNs, from: event.host, to: new Set(), part: "note", text: `${event.host} ${event.fault}${event.detail === "" ? "" : ` ${event.detail}`}`, mark: "", isLost: false });
        break;
      default:
    }
  }
  return rows;
}

function dropRow(timeNs: number, host: string, text: string): Row {
  return { timeNs, from: host, to: new Set(), part: "drop", text, mark: "", isLost: false };
}

function sentRow(timeNs: number, host: string, frame: EthernetFrame, macs: Map<string, MacAddress>): Row {
  const { payload } = frame;
  const row = { timeNs, from: host, to: new Set<string>(), isLost: false };
  if (payload.kind === "arp") {
    const text =
      payload.operation === 1
        ? `ARP who-has ${formatIpv4Address(payload.targetIp)} tell ${formatIpv4Address(payload.senderIp)}`
        : `ARP ${formatIpv4Address(payload.senderIp)} is-at ${formatMacAddress(payload.senderMac)}`;
    return { ...row, part: "arp", text, mark: frame.dst === BROADCAST_MAC ? "" : payload.operation === 1 ? "(unicast)" : "" };
  }
  if (payload.kind !== "ipv4") return { ...row, part: "other", text: `EtherType 0x${frame.etherType.toString(16)}, ${frame.lengthBytes} bytes`, mark: "" };
  return { ...row, part: partOf(payload), text: describePacket(payload), mark: describeMacChange(frame, payload, macs) };
}

function describeMacChange(frame: EthernetFrame, packet: Ipv4Packet, macs: Map<string, MacAddress>): string {
  const key = identity(packet);
  const before = macs.get(key);
  if (macs.size >= IDENTITIES_MAX) macs.clear();
  macs.set(key, frame.dst);
  return before === undefined || before === frame.dst ? "" : `MAC ${shortMac(before, frame.dst)} => ${shortMac(frame.dst, before)}`;
}

/** The last octet alone when nothing else is different. */
function shortMac(mac: MacAddress, other: MacAddress): string {
  const text = formatMacAddress(mac);
  return Math.floor(mac / 256) === Math.floor(other / 256) ? text.slice(-3) : text;
}

/** The same packet on another wire has the same addresses, id and transport numbers; only TTL and MACs differ. */
function identity(packet: Ipv4Packet): string {
  const { payload } = packet;
  const rest =
    payload.kind === "tcp"
      ? `${payload.srcPort} ${payload.dstPort} ${payload.seq} ${payload.ack} ${payload.flags}`
      : payload.kind === "icmp"
        ? `${payload.type} ${payload.rest}`
        : payload.lengthBytes;
  return `${packet.src} ${packet.dst} ${packet.id} ${packet.protocol} ${packet.fragmentOffset} ${rest}`;
}

function partOf(packet: Ipv4Packet): LadderPart {
  switch (packet.payload.kind) {
    case "tcp":
      return "tcp";
    case "udp":
      return packet.payload.payload instanceof Uint8Array ? "udp" : "tunnel";
    case "icmp":
      return "icmp";
    case "ipv4":
    case "gre":
      return "tunnel";
    default:
      return "other";
  }
}

/** Short: what a person needs to follow the story; the capture files have the rest. */
export function describePacket(packet: Ipv4Packet): string {
  const pair = `${formatIpv4Address(packet.src)} > ${formatIpv4Address(packet.dst)}`;
  if (packet.isFragment)
    return `${pair} fragment at ${packet.fragmentOffset}${packet.moreFragments ? "+" : ""}, ${packet.lengthBytes - packet.headerBytes} bytes`;
  const { payload } = packet;
  switch (payload.kind) {
    case "tcp":
      return `${formatIpv4Address(packet.src)}.${payload.srcPort} > ${formatIpv4Address(packet.dst)}.${payload.dstPort} ${describeTcp(payload)}`;
    case "udp": {
      const ports = `${formatIpv4Address(packet.src)}.${payload.srcPort} > ${formatIpv4Address(packet.dst)}.${payload.dstPort}`;
      const inner = payload.payload instanceof Uint8Array ? undefined : payload.payload.payload;
      if (inner === undefined) return `${ports} UDP len ${payload.lengthBytes - 8}`;
      return inner.kind === "raw" ? `${ports} GUE` : `${ports} GUE (${describePacket(inner)})`;
    }
    case "icmp":
      return `${pair} ${formatIcmp(payload, PLAIN, IPV4_CODEC)}`;
    case "ipv4":
      return `${pair} IPIP (${describePacket(payload)})`;
    case "gre":
      return payload.payload.kind === "raw" ? `${pair} GRE` : `${pair} GRE (${describePacket(payload.payload)})`;
    case "vrrp":
      return `${pair} ${formatVrrp(payload, packet.ttl, PLAIN)}`;
    case "raw":
      return formatIpv4(packet, PLAIN).replace(/^IP /, "");
  }
}

function describeTcp(segment: TcpSegment): string {
  const length = segment.payload.length;
  const text = length === 0 ? "" : formatTcpText(segment, PLAIN).replace(/^: [A-Z]+(?:: )?/, "");
  return `[${formatTcpFlags(segment.flags)}]${length === 0 ? "" : ` len ${length}`}${text === "" ? "" : `  ${text}`}`;
}

/* ---------------------------------------------------------------------------------------------------------------- layout */

interface Layout {
  /** Distance between the lanes of two hosts. */
  readonly lane: number;
  readonly textWidth: number;
  readonly signs: {
    readonly lane: string;
    readonly line: string;
    readonly start: string;
    readonly left: string;
    readonly right: string;
    readonly drop: string;
    readonly note: string;
  };
  readonly columnOf: ReadonlyMap<string, number>;
  /** Lanes too narrow for names get letters and a legend. */
  readonly hasLegend: boolean;
}

const UNICODE_SIGNS: Layout["signs"] = { lane: "│", line: "─", start: "o", left: "◀", right: "▶", drop: "✕", note: "*" };
const ASCII_SIGNS: Layout["signs"] = { lane: "|", line: "-", start: "o", left: "<", right: ">", drop: "X", note: "*" };

function layOut(options: LadderOptions): Layout {
  const { hosts, width } = options;
  const longest = hosts.reduce((most, host) => Math.max(most, host.length), 0);
  const room = Math.floor((width - TIME_CHARS - 2 - TEXT_MIN) / Math.max(hosts.length, 1));
  const lane = Math.max(LANE_MIN, Math.min(LANE_MAX, longest + 2, room));
  const textWidth = Math.max(width - TIME_CHARS - 2 - lane * hosts.length, 20);
  return {
    lane,
    textWidth,
    signs: options.isAscii === true ? ASCII_SIGNS : UNICODE_SIGNS,
    columnOf: new Map(hosts.map((host, index) => [host, index])),
    hasLegend: lane < longest + 1,
  };
}

function formatHeader(options: LadderOptions, layout: Layout): string[] {
  const lines: string[] = [];
  const short = (index: number) => (layout.hasLegend ? letterOf(index) : (options.hosts[index] ?? ""));
  if (layout.hasLegend) {
    let line = "";
    for (const [index, host] of options.hosts.entries()) {
      const item = `${letterOf(index)} ${host}`;
      if (line !== "" && line.length + item.length + 2 > options.width) {
        lines.push(line);
        line = "";
      }
      line += `${line === "" ? "" : "  "}${item}`;
    }
    lines.push(line);
  }
  const names = options.hosts.map((_, index) => short(index).padEnd(layout.lane)).join("");
  lines.push(`${style(options, "time", "time".padStart(TIME_CHARS))}  ${style(options, "host", names.trimEnd())}`);
  return lines;
}

function letterOf(index: number): string {
  return index < 26 ? String.fromCharCode(97 + index) : `${letterOf(Math.floor(index / 26) - 1)}${String.fromCharCode(97 + (index % 26))}`;
}

function formatRow(row: LadderRow, options: LadderOptions, layout: Layout): string {
  const shifted = row.timeNs - (options.originNs ?? 0);
  const time = `${shifted < 0 ? "-" : ""}${formatSeconds(Math.abs(shifted))}`.padStart(TIME_CHARS);
  const lanes = formatLanes(row, layout);
  const spare = layout.textWidth - (row.mark === "" ? 0 : row.mark.length + 2);
  // A mark that does not fit beside its text is worth more than the end of the text.
  const text = cut(row.text, Math.max(spare, 16), options.isAscii === true);
  const mark = row.mark === "" ? "" : `  ${style(options, "rewritten", row.mark)}`;
  return `${style(options, "time", time)}  ${style(options, row.part === "drop" ? "drop" : "lane", lanes)}${style(options, row.part, text)}${mark}`;
}

/** The lanes of one row: `│    o───▶│    │`. */
function formatLanes(row: LadderRow, layout: Layout): string {
  const { lane, signs, columnOf } = layout;
  const cells = Array.from({ length: columnOf.size * lane }, (_, index) => (index % lane === 0 ? signs.lane : " "));
  const at = columnOf.get(row.from);
  if (at === undefined) return cells.join("");
  const start = at * lane;
  const ends = [...row.to].map((host) => columnOf.get(host)).filter((column) => column !== undefined && column !== at) as number[];
  const first = Math.min(at, ...ends);
  const last = Math.max(at, ...ends);
  for (let index = first * lane + 1; index < last * lane; index++) cells[index] = signs.line;
  for (const column of ends) {
    if (column > at) {
      cells[column * lane - 1] = signs.right;
      cells[column * lane] = signs.lane;
    } else {
      cells[column * lane + 1] = signs.left;
      cells[column * lane] = signs.lane;
    }
  }
  cells[start] = row.part === "drop" || (row.isLost && ends.length === 0) ? signs.drop : row.part === "note" ? signs.note : signs.start;
  return cells.join("");
}

function cut(text: string, width: number, isAscii: boolean): string {
  if (text.length <= width) return text;
  return isAscii ? `${text.slice(0, width - 3)}...` : `${text.slice(0, width - 1)}…`;
}

function style(options: LadderOptions, part: LadderPart, text: string): string {
  return options.style === undefined ? text : options.style(part, text);
}
