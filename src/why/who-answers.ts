/**
 * What a run came to, as plain values that two runs can be compared by: how conversations ended and who served them, who answered ARP.
 */

import { formatIpv4Address } from "../base/ipv4-address.ts";
import { type Conversation, formatEnd } from "./conversations.ts";
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
