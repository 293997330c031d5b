/**
 * Where two runs part: the first packet that differs, with what was decided before it; then the tables at the end, and what commands printed.
 *
 * Packets are compared in order, by what they say and who sends them; what chance or the clock chose (ephemeral ports, sequence numbers, times) is left out.
 */

import { formatSeconds } from "../base/time.ts";
import type { RunResult } from "../scenario/run-scenario.ts";
import type { Row, TableName } from "../trace/rows.ts";
import { type EthernetFrame, type Ipv4Packet, TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN } from "../wire/packet.ts";
import { formatIpv4Address } from "../base/ipv4-address.ts";
import { formatMacAddress } from "../base/mac-address.ts";
import type { Evidence, EventOf } from "./evidence.ts";
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

export interface RunDifference {
  readonly isSame: boolean;
  /** Packets that both runs have in common before they part. */
  readonly commonPackets: number;
  /** Null: one of them has no more packets, or none differs. */
  readonly firstPacket: { readonly a: DifferingPacket | null; readonly b: DifferingPacket | null } | null;
  /** The tables at the end, row by row, as far as they differ. */
  readonly tables: readonly { readonly owner: string; readonly table: TableName; readonly onlyA: readonly string[]; readonly onlyB: readonly string[] }[];
  /** Steps of the timeline that printed or ended otherwise; empty when one of the runs is a trace. */
  readonly outputs: readonly { readonly step: number; readonly field: string; readonly a: string | number | null; readonly b: string | number | null }[];
}

const EPHEMERAL_MIN = 32_768;
const DECISIONS_MAX = 6;

/** Compares two runs. `results` when both are of scenarios: their outputs are compared, too. */
export function diffRuns(a: Evidence, b: Evidence, results?: { readonly a: RunResult; readonly b: RunResult }): RunDifference {
  const [sentA, sentB] = [a.of("frame-sent"), b.of("frame-sent")];
  let common = 0;
  while (common < sentA.length && common < sentB.length && frameKey(sentA[common] as EventOf<"frame-sent">) === frameKey(sentB[common] as EventOf<"frame-sent">)) common++;
  const [firstA, firstB] = [sentA[common], sentB[common]];
  const firstPacket = firstA === undefined && firstB === undefined ? null : { a: differing(a, firstA), b: differing(b, firstB) };
  const tables = diffTables(a, b);
  const outputs = results === undefined ? [] : diffOutputs(results.a, results.b);
  return { isSame: firstPacket === null && tables.length === 0 && outputs.length === 0, commonPackets: common, firstPacket, tables, outputs };
}

function differing(evidence: Evidence, event: EventOf<"frame-sent"> | undefined): DifferingPacket | null {
  if (event === undefined) return null;
  const decisions: string[] = [];
  for (const one of evidence.chain(event.id).slice(1)) {
    const text = sentenceOf(evidence, one);
    if (text !== undefined && decisions.length < DECISIONS_MAX) decisions.unshift(text);
    if (one.kind === "command-start") decisions.unshift(`${one.host} ran \`${one.command.replace(/\s*\n\s*/g, "; ").slice(0, 120)}\`.`);
    if (one.kind === "command-start") break;
  }
  return { event: event.id, timeNs: event.timeNs - evidence.originNs, host: event.host, text: packetLine(event) ?? "", decisions };
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
  return port >= EPHEMERAL_MIN ? "*" : String(port);
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
      if (onlyA.length > 0 || onlyB.length > 0) found.push({ owner, table, onlyA: onlyA.slice(0, ROWS_MAX), onlyB: onlyB.slice(0, ROWS_MAX) });
    }
  return found;
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

function rowTexts(evidence: Evidence, owner: string, table: TableName): string[] {
  const texts: string[] = [];
  for (const [key, versions] of evidence.tables.versions(owner, table)) {
    const row = versions.at(-1)?.row as Row | undefined;
    if (row === undefined) continue;
    const cells = Object.entries(row).filter(([field, cell]) => !VOLATILE.has(field) && cell !== null && cell !== false && cell !== "");
    const text = cells.map(([field, cell]) => (field === "value" ? String(cell) : `${field} ${typeof cell === "string" ? cell.replace(/:(\d{5})\b/g, (whole, port: string) => (Number(port) >= EPHEMERAL_MIN ? ":*" : whole)) : cell}`)).join(", ");
    texts.push(table === "sysctls" ? `${key} = ${text}` : text);
  }
  return texts;
}

/* ------------------------------------------------------------------------------------------------------------------ outputs */

function diffOutputs(a: RunResult, b: RunResult): RunDifference["outputs"] {
  const found: { step: number; field: string; a: string | number | null; b: string | number | null }[] = [];
  for (let step = 0; step < Math.max(a.timeline.length, b.timeline.length); step++)
    for (const field of ["exit", "stdout", "stderr"] as const) {
      const [x, y] = [fieldOf(a, step, field), fieldOf(b, step, field)];
      if (x !== y) found.push({ step, field, a: x, b: y });
    }
  return found;
}

function fieldOf(result: RunResult, step: number, field: "exit" | "stdout" | "stderr"): string | number | null {
  const one = result.timeline[step];
  return one !== undefined && "exit" in one ? (one[field] as string | number | null) : null;
}

/* ---------------------------------------------------------------------------------------------------------------- sentences */

/** The difference in sentences, first things first. */
export function describeDifference(difference: RunDifference, names: { readonly a: string; readonly b: string }): string[] {
  const said: string[] = [];
  const { firstPacket, commonPackets, tables, outputs } = difference;
  if (difference.isSame) return [`The runs are the same: ${commonPackets} packets, the tables at the end, and all outputs.`];
  if (firstPacket === null) said.push(`All ${commonPackets} packets are the same.`);
  else {
    said.push(`${commonPackets === 0 ? "The first packet differs already" : `The first ${commonPackets} packets are the same, the next differs`}:`);
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
  for (const { owner, table, onlyA, onlyB } of tables) {
    said.push(`At the end the table ${table} of ${owner} differs:`);
    for (const row of onlyA) said.push(`  only ${names.a}: ${row}`);
    for (const row of onlyB) said.push(`  only ${names.b}: ${row}`);
  }
  for (const { step, field, a, b } of outputs) said.push(`Step ${step + 1} of the timeline: ${field} is ${JSON.stringify(a)} in ${names.a}, ${JSON.stringify(b)} in ${names.b}.`);
  return said;
}
