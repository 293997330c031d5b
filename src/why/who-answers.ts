/**
 * What a run came to, as plain values that two runs can be compared by: how conversations ended and who served them, who answered ARP, how many
 * packets of which kind were sent.
 */

import { formatIpv4Address } from "../base/ipv4-address.ts";
import { BROADCAST_MAC } from "../base/mac-address.ts";
import type { Ipv4Packet } from "../wire/packet.ts";
import { type Conversation, EPHEMERAL_PORT_MIN, formatEnd } from "./conversations.ts";
import type { Evidence } from "./evidence.ts";

/** One conversation as others see it: without ports that chance chose and times. */
export interface ConversationResult {
  readonly client: string;
  readonly protocol: Conversation["protocol"];
  readonly to: string;
  readonly outcome: Conversation["outcome"];
  /** The host whose socket took the call; null: nobody's. */
  readonly servedBy: string | null;
}

/** The host that answered a conversation with a socket of its own. */
export function servedBy(evidence: Evidence, conversation: Conversation): string | null {
  const taken = evidence.recordsOf(conversation, "tcp-state").find(({ after, host }) => after === "SYN_RECV" || (after === "ESTABLISHED" && host !== conversation.client));
  if (taken !== undefined) return taken.host;
  if (conversation.protocol === "tcp") return null;
  const answer = evidence.recordsOf(conversation, "frame-sent").find(({ host, frame }) => host !== conversation.client && frame.payload.kind === "ipv4" && frame.payload.dst === conversation.from.address);
  return answer?.host ?? null;
}

/** Every conversation of the timeline, in order of beginning. */
export function resultsOf(evidence: Evidence): ConversationResult[] {
  return evidence.conversations
    .filter(({ startId }) => startId > evidence.originId)
    .map((conversation) => ({
      client: conversation.client,
      protocol: conversation.protocol,
      to: conversation.protocol === "icmp" ? formatIpv4Address(conversation.to.address) : formatEnd(conversation.to),
      outcome: conversation.outcome,
      servedBy: servedBy(evidence, conversation),
    }));
}

/** Hosts that answered ARP for each virtual address, sorted. */
export function answerersOf(evidence: Evidence): Readonly<Record<string, readonly string[]>> {
  const found = new Map<string, Set<string>>();
  for (const event of evidence.of("arp-decision")) {
    if (!event.isAnswered || !evidence.isVirtual(event.target)) continue;
    const name = formatIpv4Address(event.target);
    found.set(name, (found.get(name) ?? new Set()).add(event.host));
  }
  return Object.fromEntries([...found].map(([name, hosts]) => [name, [...hosts].sort()]));
}

const ICMP_NAMES: Readonly<Record<number, string>> = { 0: "echo replies", 3: "ICMP errors (unreachable)", 5: "ICMP redirects", 8: "echo requests", 11: "ICMP errors (time exceeded)" };

/** How many packets of each kind each host sent in the timeline: `lb sends ICMP redirects for 10.0.0.9 to rs1`. */
export function packetKindsOf(evidence: Evidence): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { id, host, frame } of evidence.of("frame-sent")) {
    if (id < evidence.originId) continue;
    const { payload, dst } = frame;
    const receiver = dst === BROADCAST_MAC ? "everybody" : (evidence.ownerOfMac(dst)?.host ?? "nobody known");
    const what = payload.kind === "arp" ? `ARP ${payload.operation === 1 ? "requests" : "answers"} for ${formatIpv4Address(payload.operation === 1 ? payload.targetIp : payload.senderIp)}` : payload.kind === "ipv4" ? packetWords(payload) : "other frames";
    const kind = `${host} sends ${what} to ${receiver}`;
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

/** Ports that chance chose are left out. */
function packetWords(packet: Ipv4Packet): string {
  const { payload, src, dst } = packet;
  if (payload.kind === "icmp") return `${ICMP_NAMES[payload.type] ?? `ICMP messages of type ${payload.type}`} for ${formatIpv4Address(dst)}`;
  if (payload.kind !== "tcp" && payload.kind !== "udp") return `${payload.kind === "ipv4" ? "ipip" : payload.kind} packets ${formatIpv4Address(src)} > ${formatIpv4Address(dst)}`;
  const end = (address: number, port: number) => (port >= EPHEMERAL_PORT_MIN ? formatIpv4Address(address) : formatEnd({ address, port }));
  return `${payload.kind} packets ${end(src, payload.srcPort)} > ${end(dst, payload.dstPort)}`;
}
