/**
 * One record taken apart: headers with their bytes, what this hop changed, what decided, causes up and effects down.
 */

import { formatIpv4Address } from "../../../../src/base/ipv4-address.ts";
import type { ScheduleCandidate, TraceEvent } from "../../../../src/trace/events.ts";
import { type RecordSummary, summarize } from "../describe.ts";
import { arrivalBefore, type FieldChange, hopChanges, payloadChanges } from "../hop.ts";
import { type Dissection, dissectFrame, dissectPacket } from "../layers.ts";
import { frameOf } from "../packet-token.ts";
import type { RecordStore } from "../record-store.ts";
import type { Session } from "../session.ts";

export interface Candidate extends Omit<ScheduleCandidate, "address"> {
  /** `address:port`. */
  readonly server: string;
  readonly isChosen: boolean;
}

export interface Inspection {
  readonly record: RecordSummary;
  /** Headers and bytes as they are after what the record tells; undefined when no packet is concerned. */
  readonly now: Dissection | undefined;
  /** The same before this hop (or before the rewriting), and the record that has it. */
  readonly before: (Dissection & { readonly id: number }) | undefined;
  readonly changes: readonly FieldChange[];
  /** Fields of the record that are no packet, as name and value. */
  readonly details: readonly (readonly [string, string])[];
  /** What the scheduler compared. */
  readonly candidates: readonly Candidate[];
  /** Records on this host that decided on the packet between its arrival and this record: routes, rules, neighbours, connections. */
  readonly decisions: readonly RecordSummary[];
  /** The chain that led here, first cause first; of a long one its beginning and its end. */
  readonly causes: readonly RecordSummary[];
  /** How many are left out between the two. */
  readonly causesHidden: number;
  /** The first of what followed at once. */
  readonly effects: readonly RecordSummary[];
  readonly effectsHidden: number;
}

const DECISIONS_MAX = 100;
const CAUSES_FIRST = 2;
const CAUSES_LAST = 18;
const EFFECTS_MAX = 30;
const DECIDING: ReadonlySet<string> = new Set(["arp-decision", "route", "netfilter", "scheduled", "ipvs-connection", "neighbour", "packet-rewritten", "packet-encapsulated", "packet-decapsulated"]);

export function inspect(session: Session, { id }: { readonly id: number }): Inspection | undefined {
  const { store } = session;
  const event = store.record(id);
  if (event === undefined) return undefined;
  const before = beforeOf(store, event);
  return {
    record: summarize(store, id),
    now: nowOf(event),
    before,
    changes: changesOf(store, event),
    details: detailsOf(event),
    candidates: candidatesOf(event),
    decisions: decisionsFor(store, event),
    ...causesOf(store, id),
    ...effectsOf(store, id),
  };
}

function causesOf(store: RecordStore, id: number): Pick<Inspection, "causes" | "causesHidden"> {
  const chain: number[] = [];
  for (let above = id; above > 0; above = store.causes[above - 1] as number) chain.push(above);
  chain.reverse();
  const hidden = Math.max(0, chain.length - CAUSES_FIRST - CAUSES_LAST);
  chain.splice(CAUSES_FIRST, hidden);
  return { causes: chain.map((above) => summarize(store, above)), causesHidden: hidden };
}

function effectsOf(store: RecordStore, id: number): Pick<Inspection, "effects" | "effectsHidden"> {
  const ids = Array.from(store.childrenOf(id)).filter((child) => store.isShown(child));
  return { effects: ids.slice(0, EFFECTS_MAX).map((child) => summarize(store, child)), effectsHidden: Math.max(0, ids.length - EFFECTS_MAX) };
}

function nowOf(event: TraceEvent): Dissection | undefined {
  const frame = frameOf(event);
  if (frame !== undefined) return dissectFrame(frame);
  switch (event.kind) {
    case "packet-dropped":
    case "packet-passed":
    case "netfilter":
      return dissectPacket(event.packet);
    case "packet-rewritten":
      return dissectPacket(event.after);
    case "packet-encapsulated":
      return dissectPacket(event.outer);
    case "packet-decapsulated":
      return dissectPacket(event.inner);
    default:
      return undefined;
  }
}

function beforeOf(store: RecordStore, event: TraceEvent): Inspection["before"] {
  switch (event.kind) {
    case "packet-rewritten":
      return { id: event.id, ...dissectPacket(event.before) };
    case "packet-encapsulated":
      return { id: event.id, ...dissectPacket(event.inner) };
    case "packet-decapsulated":
      return { id: event.id, ...dissectPacket(event.outer) };
    case "frame-sent": {
      const arrival = arrivalBefore(store, event.id);
      const record = arrival === undefined ? undefined : store.record(arrival);
      const frame = record === undefined ? undefined : frameOf(record);
      return record === undefined || frame === undefined ? undefined : { id: record.id, ...dissectFrame(frame) };
    }
    default:
      return undefined;
  }
}

function changesOf(store: RecordStore, event: TraceEvent): readonly FieldChange[] {
  switch (event.kind) {
    case "packet-rewritten":
      return payloadChanges(event.before, event.after);
    case "packet-encapsulated":
      return payloadChanges(event.inner, event.outer);
    case "packet-decapsulated":
      return payloadChanges(event.outer, event.inner);
    case "frame-sent":
      return hopChanges(store, event.id);
    default:
      return [];
  }
}

const HIDDEN_FIELDS: ReadonlySet<string> = new Set(["id", "timeNs", "kind", "host", "cause", "frame", "packet", "before", "after", "inner", "outer", "candidates", "changes", "tables"]);
const ADDRESS_FIELDS: ReadonlySet<string> = new Set(["address", "target", "sender", "dst", "src", "gateway", "client"]);

function detailsOf(event: TraceEvent): readonly (readonly [string, string])[] {
  const details: [string, string][] = [];
  for (const [name, value] of Object.entries(event as unknown as Record<string, unknown>)) {
    const isText = (name === "before" || name === "after") && typeof value === "string";
    if ((HIDDEN_FIELDS.has(name) && !isText) || value === undefined || value === "") continue;
    details.push([name, ADDRESS_FIELDS.has(name) && typeof value === "number" ? formatIpv4Address(value) : name === "mac" ? macText(value as number) : String(value)]);
  }
  return details;
}

function macText(mac: number): string {
  return mac.toString(16).padStart(12, "0").replaceAll(/(..)(?!$)/g, "$1:");
}

function candidatesOf(event: TraceEvent): readonly Candidate[] {
  if (event.kind !== "scheduled") return [];
  return event.candidates.map(({ address, ...rest }) => {
    const server = `${formatIpv4Address(address)}:${rest.port}`;
    return { ...rest, server, isChosen: server === event.chosen };
  });
}

/** The packet's records on the same host, back to where it came in. */
function decisionsFor(store: RecordStore, event: TraceEvent): readonly RecordSummary[] {
  const packet = store.packets[event.id - 1];
  if (packet === undefined || packet === 0) return [];
  const decisions: RecordSummary[] = [];
  for (let id = event.id - 1; id >= packet && decisions.length < DECISIONS_MAX; id--) {
    const record = store.record(id);
    if (record === undefined || record.host !== event.host || store.packets[id - 1] !== packet) continue;
    if (DECIDING.has(record.kind)) decisions.push(summarize(store, id));
    if (record.kind === "frame-received") break;
  }
  return decisions.reverse();
}

