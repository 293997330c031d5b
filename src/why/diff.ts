/**
 * Where two runs part: the first packet that differs, with what was decided before it in one run and not in the other; then the tables at the end,
 * and what commands printed.
 *
 * Packets are compared in order, by what they say and who sends them; what chance or the clock chose (ephemeral ports, sequence numbers, times) is left
 * out. A packet that was dropped leads to none, so its drop is no cause of the packet that differs: decisions are compared by themselves.
 */

import { formatSeconds } from "../base/time.ts";
import type { RunResult } from "../scenario/run-scenario.ts";
import type { TraceKind } from "../trace/events.ts";
import type { Cell, Row, TableName } from "../trace/rows.ts";
import { type EthernetFrame, type Ipv4Packet, TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN } from "../wire/packet.ts";
import { formatIpv4Address } from "../base/ipv4-address.ts";
import { formatMacAddress } from "../base/mac-address.ts";
import { EPHEMERAL_PORT_MIN } from "./conversations.ts";
import type { Evidence, EventOf } from "./evidence.ts";
import { outputOf, withoutPorts } from "./run-summary.ts";
import { packetLine, sentenceOf } from "./sentences.ts";

/** A packet of one run where the other has another one, or none. */
export interface DifferingPacket {
  readonly event: number;
  /** Nanoseconds of the timeline. */
  readonly timeNs: number;
  readonly host: string;
  readonly text: string;
  /** What was decided before it, nearest last. */
  readonly decisions: readonly string[];
}

/** A decision that only one of the runs has. */
export interface OwnDecision {
  readonly event: number;
  /** Nanoseconds of the timeline. */
  readonly timeNs: number;
  /** It was made before the timeline began. */
  readonly isSetup: boolean;
  readonly text: string;
}

export interface RunDifference {
  readonly isSame: boolean;
  /** Packets that both runs have in common before they part. */
  readonly commonPackets: number;
  /** Null: one of them has no more packets, or none differs. */
  readonly firstPacket: { readonly a: DifferingPacket | null; readonly b: DifferingPacket | null } | null;
  /** What was decided, set or dropped before that packet in one run and not in the other, the last of it, oldest first. */
  readonly decisions: { readonly a: readonly OwnDecision[]; readonly b: readonly OwnDecision[] };
  /** The tables at the end, row by row, as far as they differ. */
  readonly tables: readonly { readonly owner: string; readonly table: TableName; readonly onlyA: readonly string[]; readonly onlyB: readonly string[] }[];
  /** Steps of the timeline that printed or ended otherwise; empty when one of the runs is a trace. */
  readonly outputs: readonly { readonly step: number; readonly field: string; readonly a: string | number | null; readonly b: string | number | null }[];
}

const DECISIONS_MAX = 6;

/** Compares two runs. `results` when both are of scenarios: their outputs are compared, too. */
export function diffRuns(a: Evidence, b: Evidence, results?: { readonly a: RunResult; readonly b: RunResult }): RunDifference {
  const [sentA, sentB] = [a.of("frame-sent"), b.of("frame-sent")];
  let common = 0;
  while (common < sentA.length && common < sentB.length && frameKey(sentA[common] as EventOf<"frame-sent">) === frameKey(sentB[common] as EventOf<"frame-sent">)) common++;
  const [firstA, firstB] = [sentA[common], sentB[common]];
  const firstPacket = firstA === undefined && firstB === undefined ? null : { a: differing(a, firstA), b: differing(b, firstB) };
  const decisions = firstPacket === null ? { a: [], b: [] } : ownDecisions({ evidence: a, untilId: firstA?.id, told: firstPacket.a?.decisions ?? [] }, { evidence: b, untilId: firstB?.id, told: firstPacket.b?.decisions ?? [] });
  const tables = diffTables(a, b);
  const outputs = results === undefined ? [] : diffOutputs(results.a, results.b);
  return { isSame: firstPacket === null && tables.length === 0 && outputs.length === 0, commonPackets: common, firstPacket, decisions, tables, outputs };
}

function differing(evidence: Evidence, event: EventOf<"frame-sent"> | undefined): DifferingPacket | null {
  if (event === undefined) return null;
  const decisions: string[] = [];
  for (const one of evidence.chain(event.id).slice(1)) {
    const text = sentenceOf(evidence, one);
    if (text !== undefined && (decisions.length < DECISIONS_MAX || one.kind === "command-start")) decisions.unshift(text);
    if (one.kind === "command-start") break;
  }
  return { event: event.id, timeNs: event.timeNs - evidence.originNs, host: event.host, text: packetLine(event) ?? "", decisions };
}

/* --------------------------------------------------------------------------------------------------------------- decisions */

/** Up to a record; undefined: all of them. */
interface Prefix {
  readonly evidence: Evidence;
  readonly untilId: number | undefined;
  /** What led to the packet that differs is told with it. */
  readonly told: readonly string[];
}

/** Kinds of records that settle what becomes of a packet, and changes that let them do so. What packets do by themselves shows in packets. */
const DECIDING: readonly TraceKind[] = ["packet-dropped", "frame-dropped", "netfilter", "arp-decision", "scheduled", "route", "sysctl", "table", "link", "fault", "log"];

function ownDecisions(a: Prefix, b: Prefix): RunDifference["decisions"] {
  const [saidA, saidB] = [decisionsOf(a), decisionsOf(b)];
  return { a: beyond(saidA, saidB, a.told), b: beyond(saidB, saidA, b.told) };
}

function decisionsOf({ evidence, untilId = Number.POSITIVE_INFINITY }: Prefix): (OwnDecision & { readonly key: string })[] {
  const said: (OwnDecision & { readonly key: string })[] = [];
  const used = new Map(evidence.hostNames.map((host) => [host, usedDevices([evidence], host)]));
  for (const event of evidence.events) {
    if (event.id >= untilId) break;
    // Where a route leads, packets show; that there is none shows nowhere else.
    if (!DECIDING.includes(event.kind) || (event.kind === "route" && event.device !== "")) continue;
    if (event.kind === "sysctl" && (event.before === event.after || !isUsed(event.key, used.get(event.host)))) continue;
    const text = sentenceOf(evidence, event);
    if (text === undefined) continue;
    const packet = event.kind === "packet-dropped" || event.kind === "netfilter" || event.kind === "frame-dropped" ? packetLine(event) : undefined;
    const whole = packet === undefined ? text : `${text} The packet: ${packet}.`;
    said.push({ event: event.id, timeNs: event.timeNs - evidence.originNs, isSetup: event.id < evidence.originId, text: whole, key: keyOf(whole) });
  }
  return said;
}

function isUsed(key: string, devices: ReadonlySet<string> | undefined): boolean {
  const device = DEVICE_SETTING.exec(key)?.[2];
  return device === undefined || devices === undefined || devices.has(device);
}

/** Without what chance and the clock chose. */
function keyOf(text: string): string {
  return text.replace(/\b(seq|ack|val|ecr|id) \d+(:\d+)?/g, "$1").replace(/([:. ])(\d{5})\b/g, (whole, sign: string, port: string) => (Number(port) >= EPHEMERAL_PORT_MIN ? `${sign}*` : whole));
}

/** What is in the first and not, or not as often, in the second. */
function beyond(said: ReturnType<typeof decisionsOf>, others: ReturnType<typeof decisionsOf>, told: readonly string[]): OwnDecision[] {
  const left = new Map<string, number>();
  for (const { key } of others) left.set(key, (left.get(key) ?? 0) + 1);
  const own = said.filter(({ key, text }) => {
    const count = left.get(key) ?? 0;
    if (count > 0) left.set(key, count - 1);
    return count === 0 && !told.includes(text);
  });
  return own.slice(-DECISIONS_MAX).map(({ key: _key, ...decision }) => decision);
}

/** What a frame is, without what differs from run to run. */
function frameKey({ host, device, frame }: EventOf<"frame-sent">): string {
  return `${host} ${device} ${formatMacAddress(frame.src)} ${formatMacAddress(frame.dst)} ${payloadKey(frame)}`;
}

function payloadKey({ payload }: EthernetFrame): string {
  if (payload.kind === "arp") return `arp ${payload.operation} ${formatIpv4Address(payload.senderIp)} ${formatIpv4Address(payload.targetIp)}`;
  return payload.kind === "ipv4" ? packetKey(payload) : `raw ${payload.lengthBytes}`;
}

function packetKey(packet: Ipv4Packet): string {
  const { payload } = packet;
  const head = `${formatIpv4Address(packet.src)} ${formatIpv4Address(packet.dst)} ttl ${packet.ttl} ${packet.isFragment ? `fragment ${packet.fragmentOffset}` : ""} length ${packet.lengthBytes}`;
  switch (payload.kind) {
    case "tcp":
      return `${head} tcp ${portKey(payload.srcPort)} ${portKey(payload.dstPort)} ${payload.flags & (TCP_SYN | TCP_ACK | TCP_FIN | TCP_RST)} ${payload.payload.length}`;
    case "udp":
      return payload.payload instanceof Uint8Array ? `${head} udp ${portKey(payload.srcPort)} ${portKey(payload.dstPort)}` : `${head} gue`;
    case "icmp":
      return `${head} icmp ${payload.type} ${payload.code}`;
    case "ipv4":
      return `${head} (${packetKey(payload)})`;
    case "vrrp":
      return `${head} vrrp ${payload.vrid} ${payload.priority}`;
    default:
      return `${head} ${payload.kind}`;
  }
}

function portKey(port: number): string {
  return port >= EPHEMERAL_PORT_MIN ? "*" : String(port);
}

/* ------------------------------------------------------------------------------------------------------------------- tables */

/** Tables of what a run leaves behind; sockets and tracked connections are those of the moment. */
const COMPARED: readonly TableName[] = ["links", "addresses", "routes", "rules", "neighbours", "sysctls", "netfilter", "ipvsServices", "ipvsDestinations", "ipvsConnections", "macs"];
/** Fields that tell when, not what. */
const VOLATILE = new Set(["expiresNs", "untilNs", "inBytes", "outBytes", "bytes"]);
const ROWS_MAX = 20;

function diffTables(a: Evidence, b: Evidence): RunDifference["tables"] {
  const owners = [...new Set([...a.tables.owners, ...b.tables.owners])];
  const found: { owner: string; table: TableName; onlyA: string[]; onlyB: string[] }[] = [];
  for (const owner of owners)
    for (const table of COMPARED) {
      const [rowsA, rowsB] = [rowTexts(a, owner, table), rowTexts(b, owner, table)];
      const onlyA = without(rowsA, rowsB);
      const onlyB = without(rowsB, rowsA);
      if (onlyA.length === 0 && onlyB.length === 0) continue;
      const shown = (rows: readonly string[]) => (table === "sysctls" ? byDevice(rows, usedDevices([a, b], owner)) : rows).slice(0, ROWS_MAX);
      found.push({ owner, table, onlyA: shown(onlyA), onlyB: shown(onlyB) });
    }
  return found;
}

/** Devices that were up at any time in any of the runs, and the two names that stand for several. */
function usedDevices(runs: readonly Evidence[], owner: string): ReadonlySet<string> {
  const used = new Set(["all", "default"]);
  for (const { tables } of runs) for (const versions of tables.versions(owner, "links").values()) for (const { row } of versions) if (row?.isUp === true) used.add(row.name);
  return used;
}

/** A key, with its value or without. */
const DEVICE_SETTING = /^(net\.ipv4\.(?:conf|neigh)\.)(.+?)(\.\w+(?: = .*)?)$/;

/** A setting with one value on several devices is one line; of devices that nobody used only when there are no others. */
function byDevice(rows: readonly string[], used: ReadonlySet<string>): string[] {
  const groups = new Map<string, string[]>();
  for (const row of rows) {
    const [, head = "", device = "", tail = ""] = DEVICE_SETTING.exec(row) ?? [];
    const key = device === "" ? row : `${head}*${tail}`;
    const devices = groups.get(key);
    if (devices === undefined) groups.set(key, [device]);
    else devices.push(device);
  }
  return [...groups].map(([key, devices]) => {
    const known = devices.filter((device) => used.has(device));
    const named = known.length === 0 ? devices : known;
    return key.replace("*", () => (named.length === 1 ? (named[0] as string) : `{${named.join(",")}}`));
  });
}

function without(rows: readonly string[], others: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const row of others) left.set(row, (left.get(row) ?? 0) + 1);
  return rows.filter((row) => {
    const count = left.get(row) ?? 0;
    if (count > 0) left.set(row, count - 1);
    return count === 0;
  });
}

/** States that an entry goes through by itself while nothing is wrong with it. */
const PASSING_STATES: readonly unknown[] = ["REACHABLE", "STALE", "DELAY", "PROBE"];

function isTold(table: TableName, field: string, cell: Cell): boolean {
  return !VOLATILE.has(field) && cell !== null && cell !== false && cell !== "" && !(table === "neighbours" && field === "state" && PASSING_STATES.includes(cell));
}

function rowTexts(evidence: Evidence, owner: string, table: TableName): string[] {
  const texts: string[] = [];
  for (const [key, versions] of evidence.tables.versions(owner, table)) {
    const row = versions.at(-1)?.row as Row | undefined;
    if (row === undefined) continue;
    const cells = Object.entries(row).filter(([field, cell]) => isTold(table, field, cell));
    const text = cells.map(([field, cell]) => (field === "value" ? String(cell) : `${field} ${typeof cell === "string" ? cell.replace(/:(\d{5})\b/g, (whole, port: string) => (Number(port) >= EPHEMERAL_PORT_MIN ? ":*" : whole)) : cell}`)).join(", ");
    texts.push(table === "sysctls" ? `${key} = ${text}` : text);
  }
  return texts;
}

/* ------------------------------------------------------------------------------------------------------------------ outputs */

function diffOutputs(a: RunResult, b: RunResult): RunDifference["outputs"] {
  const found: { step: number; field: string; a: string | number | null; b: string | number | null }[] = [];
  for (let step = 0; step < Math.max(a.timeline.length, b.timeline.length); step++)
    for (const field of ["exit", "stdout", "stderr"] as const) {
      const [x, y] = [outputOf(a.timeline[step], field), outputOf(b.timeline[step], field)];
      if (withoutPorts(x) !== withoutPorts(y)) found.push({ step, field, a: x, b: y });
    }
  return found;
}

/* ---------------------------------------------------------------------------------------------------------------- sentences */

/** The difference in sentences, first things first. */
export function describeDifference(difference: RunDifference, names: { readonly a: string; readonly b: string }): string[] {
  const said: string[] = [];
  const { firstPacket, commonPackets, tables, outputs } = difference;
  if (difference.isSame) return [`The runs are the same: ${commonPackets} packets, the tables at the end, and all outputs.`];
  if (firstPacket === null) said.push(`All ${commonPackets} packets are the same.`);
  else {
    said.push(`${commonPackets === 0 ? "The first packet differs already" : commonPackets === 1 ? "The first packet is the same, the next differs" : `The first ${commonPackets} packets are the same, the next differs`}:`);
    for (const [name, packet] of [
      [names.a, firstPacket.a],
      [names.b, firstPacket.b],
    ] as const) {
      if (packet === null) said.push(`  ${name}: no more packets.`);
      else {
        said.push(`  ${name}, at ${formatSeconds(packet.timeNs, 6)} s, record ${packet.event}: ${packet.host} sends ${packet.text}`);
        for (const decision of packet.decisions) said.push(`      ${decision}`);
      }
    }
  }
  if (difference.decisions.a.length + difference.decisions.b.length > 0) said.push("Before that, in one of them only:");
  for (const [name, decisions] of [
    [names.a, difference.decisions.a],
    [names.b, difference.decisions.b],
  ] as const)
    for (const { event, timeNs, isSetup, text } of decisions) said.push(`  ${name}, ${isSetup ? "in the set-up" : `at ${formatSeconds(timeNs)} s`}, record ${event}: ${text}`);
  for (const { owner, table, onlyA, onlyB } of tables) {
    said.push(`At the end the table ${table} of ${owner} differs:`);
    for (const row of onlyA) said.push(`  only ${names.a}: ${row}`);
    for (const row of onlyB) said.push(`  only ${names.b}: ${row}`);
  }
  for (const { step, field, a, b } of outputs) said.push(`Step ${step + 1} of the timeline: ${field} is ${JSON.stringify(a)} in ${names.a}, ${JSON.stringify(b)} in ${names.b}.`);
  return said;
}
