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
import { type End, endsOf, formatEnd, innermost } from "./conversations.ts";
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
  for (const target of new Set([realServerOf(evidence, event), payload.dst])) {
    if (target === undefined) continue;
    const routes = evidence.of("route");
    for (let i = indexBefore(routes, event.id); i >= 0; i--) {
      const route = routes[i] as EventOf<"route">;
      if (route.host !== event.host || route.dst !== target || route.device !== event.device) continue;
      const address = route.gateway === 0 ? route.dst : route.gateway;
      const entry = entryOf(evidence, event, address);
      if (entry !== undefined) return { address, entry, route };
      break;
    }
    const entry = entryOf(evidence, event, target);
    if (entry !== undefined) return { address: target, entry, route: undefined };
  }
  return undefined;
}

/** Where IPVS sends a packet whose destination it leaves as it is: what its connection table says. */
function realServerOf(evidence: Evidence, event: FrameSent): Ipv4Address | undefined {
  const isDirect = evidence.chain(event.id).some((one) => one.kind === "packet-rewritten" && one.by === "ipvs-route" && one.host === event.host);
  const ends = event.frame.payload.kind === "ipv4" ? endsOf(innermost(event.frame.payload)) : undefined;
  if (!isDirect || ends === undefined) return undefined;
  const isIt = (from: End, client: string) => formatEnd(from) === client;
  const made = evidence.of("ipvs-connection").findLast((one) => one.id < event.id && one.host === event.host && isIt(ends.from, one.connection.split(" ")[1] ?? "") && one.connection.includes(` ${formatEnd(ends.to)} `));
  return parseIpv4Address((made?.dest ?? "").split(":")[0] ?? "");
}

/** The last word on an address before the frame, if it names the frame's destination. */
function entryOf(evidence: Evidence, event: FrameSent, address: Ipv4Address): EventOf<"neighbour"> | undefined {
  const known = evidence.of("neighbour");
  for (let i = indexBefore(known, event.id); i >= 0; i--) {
    const one = known[i] as EventOf<"neighbour">;
    if (one.host === event.host && one.device === event.device && one.address === address) return one.mac === event.frame.dst ? one : undefined;
  }
  return undefined;
}

/** The ARP packet that the entry's MAC was first taken from. */
function teacherText(evidence: Evidence, event: FrameSent, entry: EventOf<"neighbour">): string {
  const history = evidence.of("neighbour").filter((one) => one.id <= entry.id && one.host === event.host && one.device === event.device && one.address === entry.address);
  const other = history.findLastIndex(({ mac }) => mac !== entry.mac);
  const learnt = history[other + 1];
  const got = learnt === undefined ? undefined : evidence.chain(learnt.id).find((one) => one.kind === "frame-received" && one.host === event.host);
  if (got?.kind !== "frame-received" || got.frame.payload.kind !== "arp") return "";
  return `, learnt at ${evidence.timeOf(got.id)} from an ARP ${got.frame.payload.operation === 1 ? "request" : "answer"} of ${evidence.ownerOfMac(got.frame.src)?.host ?? formatMacAddress(got.frame.src)}`;
}

/** Index of the last record before `id`, -1: there is none. */
function indexBefore(events: readonly { readonly id: number }[], id: number): number {
  let low = 0;
  let high = events.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((events[middle] as { readonly id: number }).id < id) low = middle + 1;
    else high = middle;
  }
  return low - 1;
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
