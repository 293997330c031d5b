/**
 * How a frame came by its destination: the next hop that the host chose, the neighbour entry of that hop, who taught it, and whether anybody is there.
 *
 *   packet ─▶ destination (of IPVS: the real server) ─▶ route record ─▶ next hop ─▶ neighbour record ─▶ MAC of the frame
 *
 * A MAC alone tells no entry: a router's has one for each of its addresses. Hosts remember routes, so the record may be older than the frame.
 */

import { formatIpv4Address, type Ipv4Address, parseIpv4Address } from "../base/ipv4-address.ts";
import { BROADCAST_MAC, formatMacAddress } from "../base/mac-address.ts";
import type { TraceEvent } from "../trace/events.ts";
import { endsOf, formatEnd, innermost } from "./conversations.ts";
import type { Evidence, EventOf } from "./evidence.ts";

type FrameSent = EventOf<"frame-sent">;

/** The neighbour entry that a frame's destination came from, and who taught it; empty when no record tells. `members`: what else is told. */
export function neighbourText(evidence: Evidence, event: FrameSent, members: readonly TraceEvent[] = []): string {
  const hop = hopOf(evidence, event);
  if (hop === undefined) return "";
  const { address, entry, route } = hop;
  const remembered = route === undefined || route.gateway === 0 || members.includes(route) ? "" : `, its next hop for ${formatIpv4Address(route.dst)} since it looked that up at ${evidence.timeOf(route.id)} (${route.detail})`;
  return `: its neighbour table has ${formatIpv4Address(address)} there (${entry.after}${teacherText(evidence, event, entry)})${remembered}`;
}

interface Hop {
  readonly address: Ipv4Address;
  readonly entry: EventOf<"neighbour">;
  /** Undefined: none was looked up, the destination is the next hop. */
  readonly route: EventOf<"route"> | undefined;
}

function hopOf(evidence: Evidence, event: FrameSent): Hop | undefined {
  const { payload } = event.frame;
  if (payload.kind !== "ipv4") return undefined;
  const index = indexOf(evidence);
  for (const target of new Set([realServerOf(evidence, event), payload.dst])) {
    if (target === undefined) continue;
    const route = lastBefore(index.routes.get(`${event.host} ${event.device} ${target}`), event.id);
    const address = route === undefined || route.gateway === 0 ? target : route.gateway;
    const entry = entryOf(index, event, address);
    if (entry !== undefined) return { address, entry, route };
  }
  return undefined;
}

/** The last word on an address before the frame, if it names the frame's destination. */
function entryOf({ neighbours }: Index, { id, host, device, frame }: FrameSent, address: Ipv4Address): EventOf<"neighbour"> | undefined {
  const last = lastBefore(neighbours.get(`${host} ${device} ${address}`), id);
  return last?.mac === frame.dst ? last : undefined;
}

/** Where IPVS sends a packet whose destination it leaves as it is: what its connection says. */
function realServerOf(evidence: Evidence, event: FrameSent): Ipv4Address | undefined {
  const ends = event.frame.payload.kind === "ipv4" ? endsOf(innermost(event.frame.payload)) : undefined;
  let isDirect = false;
  for (let at = evidence.event(event.cause); at !== undefined && at.host === event.host && at.kind !== "frame-received"; at = evidence.event(at.cause)) isDirect ||= at.kind === "packet-rewritten" && at.by === "ipvs-route";
  if (!isDirect || ends === undefined) return undefined;
  const made = lastBefore(indexOf(evidence).connections.get(`${event.host} ${formatEnd(ends.from)} ${formatEnd(ends.to)}`), event.id);
  return parseIpv4Address((made?.dest ?? "").split(":")[0] ?? "");
}

/** The ARP packet that the entry's MAC was first taken from. */
function teacherText(evidence: Evidence, { host, device }: FrameSent, entry: EventOf<"neighbour">): string {
  const history = (indexOf(evidence).neighbours.get(`${host} ${device} ${entry.address}`) ?? []).filter(({ id }) => id <= entry.id);
  const other = history.findLastIndex(({ mac }) => mac !== entry.mac);
  const learnt = history[other + 1];
  const got = learnt === undefined ? undefined : evidence.chain(learnt.id).find((one) => one.kind === "frame-received" && one.host === host);
  if (got?.kind !== "frame-received" || got.frame.payload.kind !== "arp") return "";
  return `, learnt at ${evidence.timeOf(got.id)} from an ARP ${got.frame.payload.operation === 1 ? "request" : "answer"} of ${evidence.ownerOfMac(got.frame.src)?.host ?? formatMacAddress(got.frame.src)}`;
}

/** What a run's hosts looked up and learnt, by host, device and address; connections by host and ends. */
interface Index {
  readonly routes: ReadonlyMap<string, readonly EventOf<"route">[]>;
  readonly neighbours: ReadonlyMap<string, readonly EventOf<"neighbour">[]>;
  readonly connections: ReadonlyMap<string, readonly EventOf<"ipvs-connection">[]>;
}

const indexes = new WeakMap<Evidence, Index>();

/** Made once for a run: its story asks for every frame. */
function indexOf(evidence: Evidence): Index {
  let index = indexes.get(evidence);
  if (index === undefined) {
    index = {
      routes: grouped(evidence.of("route"), ({ host, device, dst }) => `${host} ${device} ${dst}`),
      neighbours: grouped(evidence.of("neighbour"), ({ host, device, address }) => `${host} ${device} ${address}`),
      // `TCP 10.0.0.9:4001 -> 10.0.0.100:80 -> 10.0.0.11:80`
      connections: grouped(evidence.of("ipvs-connection"), ({ host, connection }) => {
        const [, client = "", , virtual = ""] = connection.split(" ");
        return `${host} ${client} ${virtual}`;
      }),
    };
    indexes.set(evidence, index);
  }
  return index;
}

function grouped<T>(events: readonly T[], keyOf: (event: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const event of events) {
    const key = keyOf(event);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [event]);
    else group.push(event);
  }
  return groups;
}

function lastBefore<T extends { readonly id: number }>(events: readonly T[] | undefined, id: number): T | undefined {
  if (events === undefined) return undefined;
  let low = 0;
  let high = events.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((events[middle] as T).id < id) low = middle + 1;
    else high = middle;
  }
  return events[low - 1];
}

/** Who has the MAC that a frame is sent to, and why nobody takes it if so: `lb, which has crashed`. */
export function receiverText(evidence: Evidence, event: FrameSent): string {
  const { dst } = event.frame;
  if (dst === BROADCAST_MAC) return "everybody on the link";
  const owner = evidence.ownerOfMac(dst);
  if (owner !== undefined) return `${owner.host}${absence(evidence, owner, event.id)}`;
  const isGroup = Math.trunc(dst / 2 ** 40) % 2 === 1;
  return isGroup ? "a group" : "a MAC that nobody has";
}

/** Why a host does not take what comes to its interface at a record; empty: it does. */
function absence(evidence: Evidence, { host, device }: { readonly host: string; readonly device: string }, id: number): string {
  const fault = evidence.of("fault").findLast((one) => one.id < id && one.host === host && ["poweroff", "reboot", "boot"].includes(one.fault));
  if (fault !== undefined && fault.fault !== "boot") return `, which is off since ${evidence.timeOf(fault.id)}`;
  const link = evidence.of("link").findLast((one) => one.id < id && one.host === host && (one.device === device || one.device === ""));
  if (link !== undefined && link.state !== "up") {
    const cause = evidence.event(link.cause);
    const isCrash = link.state === "crashed" || (cause?.kind === "link" && cause.state === "crashed");
    return isCrash ? `, which crashed at ${evidence.timeOf(link.id)}` : `, whose ${device} has no carrier since ${evidence.timeOf(link.id)}`;
  }
  const row = evidence.tables.rows(host, "links", id).find(({ name }) => name === device);
  return row?.isUp === false ? `, whose ${device} is down` : "";
}
