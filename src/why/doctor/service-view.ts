/**
 * What the checks of virtual services share: conversations with them, the choices of directors, who a server is.
 */

import { formatIpv4Address, parseIpv4Address } from "../../base/ipv4-address.ts";
import { type Conversation, innermost } from "../conversations.ts";
import type { DestSpan, Evidence, EventOf, ServiceSpan } from "../evidence.ts";
import type { TraceEvent } from "../../trace/events.ts";

/** Conversations with addresses of virtual services. */
export function toVirtual(evidence: Evidence): Conversation[] {
  return evidence.conversations.filter(({ to }) => evidence.isVirtual(to.address));
}

/** Those that did not go well for the caller. A datagram needs no answer: UDP counts when something was dropped or refused. */
export function failed(conversations: readonly Conversation[]): Conversation[] {
  return conversations.filter(({ outcome, protocol, drops }) => outcome !== "ok" && (protocol !== "udp" || outcome !== "unanswered" || drops.length > 0));
}

/** The real server is this host: it has the address for itself. */
export function isServerOf(evidence: Evidence, host: string, dest: DestSpan): boolean {
  return evidence.everHad(host, dest.address);
}

/** The service that a choice was made for. */
export function serviceOf(evidence: Evidence, choice: EventOf<"scheduled">): ServiceSpan | undefined {
  return evidence.services.find((one) => one.director === choice.host && one.name === choice.service && one.sinceId <= choice.id && choice.id < one.untilId);
}

/** The real server that was chosen, as the table had it. */
export function chosenDest(evidence: Evidence, choice: EventOf<"scheduled">): DestSpan | undefined {
  return evidence.dests.find((one) => one.director === choice.host && one.service === choice.service && `${formatIpv4Address(one.address)}:${one.port}` === choice.chosen && one.sinceId <= choice.id && choice.id < one.untilId);
}

/** The host whose interface sent the frame in which a packet came that a record is about. */
export function frameSource(evidence: Evidence, event: TraceEvent): string | undefined {
  const received = evidence.chain(event.id).find((one): one is EventOf<"frame-received"> => one.kind === "frame-received" && one.host === event.host);
  return received === undefined ? undefined : evidence.ownerOfMac(received.frame.src)?.host;
}

/** The choices made in a conversation. */
export function choicesOf(evidence: Evidence, conversation: Conversation): EventOf<"scheduled">[] {
  return evidence.recordsOf(conversation, "scheduled");
}

/** Choices with their servers' methods: `masq`, `route`, ... */
export function methodsOf(evidence: Evidence, conversation: Conversation): Set<string> {
  return new Set(choicesOf(evidence, conversation).flatMap((choice) => chosenDest(evidence, choice)?.method ?? []));
}

/** Packets of a conversation that a host received from outside, without their tunnels. */
export function* receivedBy(evidence: Evidence, conversation: Conversation, host?: string) {
  for (const event of evidence.recordsOf(conversation, "frame-received"))
    if ((host === undefined || event.host === host) && event.frame.payload.kind === "ipv4" && evidence.ownerOfMac(event.frame.dst)?.host === event.host) yield { event, packet: innermost(event.frame.payload) };
}

/** Packets of a conversation that a host sent, without their tunnels. */
export function* sentBy(evidence: Evidence, conversation: Conversation, host?: string) {
  for (const event of evidence.recordsOf(conversation, "frame-sent"))
    if ((host === undefined || event.host === host) && event.frame.payload.kind === "ipv4") yield { event, packet: innermost(event.frame.payload) };
}

/** The address of a director on a link of a server, for itself; its name when there is none. */
export function directorAddress(evidence: Evidence, director: string, server: string): string {
  const links = new Set(evidence.header.hosts.find(({ name }) => name === server)?.interfaces.map(({ link }) => link));
  const device = evidence.header.hosts.find(({ name }) => name === director)?.interfaces.find(({ link }) => links.has(link))?.name;
  return evidence.tables.rows(director, "addresses").find((row) => row.device === device && !evidence.isVirtual(parseIpv4Address(row.address) ?? 0))?.address ?? director;
}

/** A rule of iptables that a host had at a record, whose text and table match. */
export function ruleOf(evidence: Evidence, host: string, table: string, text: RegExp, id: number) {
  return evidence.tables.rows(host, "netfilter", id).find((rule) => rule.table === table && text.test(rule.rule));
}
