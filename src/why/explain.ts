/**
 * Explains a run from its records: the story of every conversation, or one packet with all that was decided about it, in sentences.
 *
 *   explainRun(evidence)         the story, conversation by conversation
 *   explainRecord(evidence, 68)  what record 68 is, why it came about, what was decided on its way, where the answer went
 */

import { formatIpv4Address } from "../base/ipv4-address.ts";
import { formatMacAddress } from "../base/mac-address.ts";
import { NS_PER_US } from "../base/time.ts";
import { describeRecord, placeOf } from "../trace/describe.ts";
import type { TraceEvent } from "../trace/events.ts";
import { CauseIndex, PacketLife } from "../trace/life.ts";
import type { ArpPacket } from "../wire/packet.ts";
import { type Conversation, endsOf, formatEnd, innermost, packetOf, sameEnd } from "./conversations.ts";
import type { Evidence } from "./evidence.ts";
import { neighbourText, receiverText } from "./next-hop.ts";
import { commandText, packetLine, sentenceOf } from "./sentences.ts";

/** One sentence and the record that it is about. */
export interface Sentence {
  readonly text: string;
  /** Id of the record. */
  readonly event: number;
  /** Nanoseconds since the start of the run. */
  readonly timeNs: number;
}

/** A heading with sentences. */
export interface Explanation {
  readonly title: string;
  readonly sentences: readonly Sentence[];
}

const SENTENCES_MAX = 200;

/** The story of a run: set-up in a line each, then every conversation. */
export function explainRun(evidence: Evidence): Explanation[] {
  return evidence.conversations.map((conversation) => explainConversation(evidence, conversation));
}

const OUTCOMES: Readonly<Record<Conversation["outcome"], string>> = {
  ok: "it was answered",
  refused: "it was refused",
  unreachable: "it was told that nobody can be reached",
  unanswered: "nobody answered",
  stalled: "it stalled: data was sent again and again without an acknowledgement",
  reset: "it was reset after it had been established",
};

/** One conversation: the first request on its way with all decisions, what was special later, and how it ended. */
export function explainConversation(evidence: Evidence, conversation: Conversation): Explanation {
  const { client, protocol, from, to, outcome } = conversation;
  const title = `At ${evidence.timeOf(conversation.startId)} ${client} (${formatEnd(from)}) called ${formatEnd(to)} by ${protocol}: ${OUTCOMES[outcome]}`;
  const told = new Set<string>();
  const sentences: Sentence[] = [];
  for (const id of conversation.ids) {
    const event = evidence.event(id);
    if (event === undefined || !isTelling(conversation, event)) continue;
    const text = event.kind === "frame-sent" ? sendText(evidence, conversation, event) : sentenceOf(evidence, event);
    if (text === undefined) continue;
    // Retransmissions meet the same fate for the same reasons.
    const key = text.replace(/\bttl \d+ => \d+|, (id|seq|ack) \d+/g, "");
    if (told.has(key)) continue;
    told.add(key);
    sentences.push({ text, event: event.id, timeNs: event.timeNs });
    if (sentences.length === SENTENCES_MAX) break;
  }
  const end = wayOfAnswer(evidence, conversation);
  if (end !== undefined) sentences.push(end);
  return { title, sentences };
}

/** Records that decide something for the whole conversation, not those of every packet. */
function isTelling(conversation: Conversation, event: TraceEvent): boolean {
  switch (event.kind) {
    case "arp-decision":
    case "scheduled":
    case "packet-encapsulated":
    case "packet-decapsulated":
    case "netfilter":
    case "log":
    case "neighbour":
      return true;
    case "route":
      return event.dst === conversation.to.address || event.dst === conversation.from.address || event.direction === "out";
    case "packet-dropped":
    case "frame-dropped":
      return event.reason !== "OTHERHOST";
    case "packet-rewritten":
      return true;
    case "ipvs-connection":
      return event.before === "" || event.after === "" || (event.before !== "NONE" && event.after === "SYN_RECV");
    case "frame-sent":
      return event.frame.payload.kind === "ipv4" && !event.frame.payload.isFragment;
    default:
      return false;
  }
}

/** The first packet of each direction from each host to the next. */
function sendText(evidence: Evidence, conversation: Conversation, event: Extract<TraceEvent, { readonly kind: "frame-sent" }>): string | undefined {
  const { payload, dst } = event.frame;
  if (payload.kind !== "ipv4") return undefined;
  const packet = innermost(payload);
  const ends = endsOf(packet);
  if (ends === undefined) {
    if (packet.payload.kind !== "icmp") return undefined;
    return `${event.host} sent ${formatIpv4Address(packet.dst)} an ICMP message: ${packetLine(event)}.`;
  }
  const isRequest = sameEnd(ends.from, conversation.from) || (ends.from.port === conversation.from.port && ends.to.port !== conversation.from.port);
  return `${event.host} sent the ${isRequest ? "request" : "answer"} ${formatEnd(ends.from)} > ${formatEnd(ends.to)} to ${receiverText(evidence, event)} (${formatMacAddress(dst)})${neighbourText(evidence, event)}.`;
}

/** Where the answers went, when not back to the caller by the way that they should have come. */
function wayOfAnswer(evidence: Evidence, conversation: Conversation): Sentence | undefined {
  if (conversation.outcome === "ok" || conversation.protocol === "icmp") return undefined;
  let last: TraceEvent | undefined;
  for (const event of evidence.recordsOf(conversation, "frame-received")) {
    const { payload } = event.frame;
    if (payload.kind !== "ipv4" || evidence.ownerOfMac(event.frame.dst)?.host !== event.host) continue;
    const packet = innermost(payload);
    if (packet.dst === conversation.from.address && packet.payload.kind === conversation.protocol && event.host !== conversation.client) last = event;
    if (packet.dst === conversation.from.address && event.host === conversation.client && packet.src !== conversation.to.address) {
      return { text: `The answer reached ${event.host} from ${formatIpv4Address(packet.src)}, which it had not called (it called ${formatEnd(conversation.to)}).`, event: event.id, timeNs: event.timeNs };
    }
  }
  return last === undefined ? undefined : { text: `The answer got as far as ${last.host}.`, event: last.id, timeNs: last.timeNs };
}

/** One record: what it is, what it follows from, what was decided on the packet's way, where the answer went. Undefined: there is no such record. */
export function explainRecord(evidence: Evidence, id: number): Explanation | undefined {
  const event = evidence.event(id);
  if (event === undefined) return undefined;
  const causes = new CauseIndex();
  for (const one of evidence.events) causes.write(one);
  const life = new PacketLife(id, causes.chain(id));
  for (const one of evidence.events) life.write(one);
  const members = life.events.length === 0 ? [event] : life.events;
  const sentences: Sentence[] = [];
  const add = (text: string | undefined, about: TraceEvent) => {
    if (text !== undefined) sentences.push({ text, event: about.id, timeNs: about.timeNs });
  };
  const [first] = members;
  if (first !== undefined) add(originText(evidence, first), first);
  for (const one of members) {
    if (sentences.length >= SENTENCES_MAX) break;
    if (one.kind === "frame-sent") add(frameText(evidence, one, members), one);
    else if (one !== first || one.kind !== "command-start") add(sentenceOf(evidence, one), one);
  }
  const silence = silenceText(evidence, event, members);
  if (silence !== undefined) sentences.push(silence);
  const conversation = evidence.conversationOf(id);
  const answer = conversation === undefined || !isRequest(event, conversation) ? undefined : answerTo(evidence, conversation, members);
  if (answer !== undefined) sentences.push(answer);
  return { title: `Record ${id}, ${placeOf(event)} at ${evidence.timeOf(id)}: ${packetLine(event) ?? describeRecord(event)}`, sentences };
}

function originText(evidence: Evidence, first: TraceEvent): string | undefined {
  const before = first.kind === "command-start" ? first : evidence.event(first.cause);
  if (before === undefined) return undefined;
  if (before.kind === "command-start") return `It began with \`${commandText(before.command)}\` on ${before.host}.`;
  const line = packetLine(before);
  return line === undefined ? undefined : `It follows from what ${before.host} ${before.kind === "frame-received" ? "received" : "saw"}: ${line}.`;
}

function frameText(evidence: Evidence, event: Extract<TraceEvent, { readonly kind: "frame-sent" }>, members: readonly TraceEvent[]): string {
  const { dst, payload } = event.frame;
  const asked = payload.kind === "arp" && payload.operation === 1 ? askerText(evidence, event, payload) : "";
  return `${event.host} sent it out of ${event.device} to ${formatMacAddress(dst)}, ${receiverText(evidence, event)}${neighbourText(evidence, event, members)}${asked}.`;
}

/** What each value of arp_announce makes of the question which address to tell (net/ipv4/arp.c:arp_solicit). */
const ANNOUNCED = [
  "the source of the packet that waits is told if it is an address of the host",
  "the source of the packet that waits is told only if it is in one network of the device with the target",
  "the best address of the device is told, whatever the packet that waits has",
];

/** The address that an ARP request tells besides its question, and what decided which; empty for those that tell no address of choice. */
function askerText(evidence: Evidence, { id, host, device }: TraceEvent & { readonly device: string }, { senderIp, targetIp }: ArpPacket): string {
  if (senderIp === 0 || senderIp === targetIp || !evidence.tables.hasTables) return "";
  const rule = ANNOUNCED[evidence.inForce(host, device, "arp_announce", id)];
  return `, and tells everybody that it has ${formatIpv4Address(senderIp)}: ${evidence.inForceText(host, device, "arp_announce", id)}${rule === undefined ? "" : `: ${rule}`}`;
}

/** Who got an ARP request that nobody answered. */
function silenceText(evidence: Evidence, event: TraceEvent, members: readonly TraceEvent[]): Sentence | undefined {
  if (event.kind !== "frame-sent" || event.frame.payload.kind !== "arp" || event.frame.payload.operation !== 1) return undefined;
  const { senderIp, targetIp } = event.frame.payload;
  if (senderIp === targetIp || members.some(({ kind }) => kind === "arp-decision")) return undefined;
  const hosts = [...new Set(members.filter((one) => one.kind === "frame-received" && one.cause === event.id).map(({ host }) => host))];
  const strangers = hosts.filter((host) => !evidence.isLocal(host, targetIp, event.id));
  const heard = hosts.length === 0 ? "Nobody received it" : strangers.length === 0 ? "Nobody answered" : `Nobody answered: ${strangers.join(" and ")} received it and ${strangers.length === 1 ? "does" : "do"} not have ${formatIpv4Address(targetIp)}`;
  return { text: `${heard}.`, event: event.id, timeNs: event.timeNs };
}

function isRequest(event: TraceEvent, conversation: Conversation): boolean {
  const packet = packetOf(event);
  const ends = packet === undefined ? undefined : endsOf(innermost(packet));
  return ends !== undefined && ends.from.port === conversation.from.port && ends.from.address === conversation.from.address;
}

/** The first packet back that follows from the end of this life. */
function answerTo(evidence: Evidence, conversation: Conversation, members: readonly TraceEvent[]): Sentence | undefined {
  const own = new Set(members.map(({ id }) => id));
  for (const event of evidence.recordsOf(conversation, "frame-sent")) {
    const packet = event.frame.payload.kind === "ipv4" ? innermost(event.frame.payload) : undefined;
    if (packet === undefined || packet.dst !== conversation.from.address || !evidence.chain(event.id).slice(1, 12).some(({ id }) => own.has(id))) continue;
    const receiver = evidence.ownerOfMac(event.frame.dst)?.host ?? formatMacAddress(event.frame.dst);
    const far = receiver === conversation.client ? "directly to the caller" : `to ${receiver}`;
    return { text: `The answer left ${event.host} ${far}, from ${formatIpv4Address(packet.src)}: ${packetLine(event)} (record ${event.id}).`, event: event.id, timeNs: event.timeNs };
  }
  return undefined;
}

/**
 * What happened at a time of the run: what was typed and decided at that moment, or at the last one before it when nothing happened then. Times are
 * shown to the microsecond: a whole one means all of it.
 */
export function explainMoment(evidence: Evidence, timeNs: number): Explanation {
  const { events } = evidence;
  const untilNs = timeNs % NS_PER_US === 0 ? timeNs + NS_PER_US - 1 : timeNs;
  const last = events.findLast((event) => event.timeNs <= untilNs && momentText(evidence, event) !== undefined);
  const sentences: Sentence[] = [];
  if (last === undefined) return { title: "Up to this time nothing was typed or decided", sentences };
  const moment = last.timeNs;
  const isTold = (event: TraceEvent) => event.timeNs === moment;
  for (const event of events) {
    const text = !isTold(event) || sentences.length >= SENTENCES_MAX ? undefined : momentText(evidence, event);
    if (text !== undefined && !sentences.some((one) => one.text === text)) sentences.push({ text, event: event.id, timeNs: event.timeNs });
  }
  const next = events.find((event) => event.timeNs > moment && isDecision(evidence, event));
  const isStart = sentences.every(({ event }) => evidence.event(event)?.kind === "command-start");
  if (isStart && next !== undefined) sentences.push({ text: `The first decision after it is at ${evidence.timeOf(next.id)}: ${momentText(evidence, next)}`, event: next.id, timeNs: next.timeNs });
  return { title: `At ${evidence.timeOf(last.id)}${moment >= timeNs ? "" : ", the last moment before at which something was typed or decided"}`, sentences };
}

function momentText(evidence: Evidence, event: TraceEvent): string | undefined {
  return event.kind === "frame-sent" ? `${event.host} sent out of ${event.device}: ${packetLine(event)}.` : sentenceOf(evidence, event);
}

function isDecision(evidence: Evidence, event: TraceEvent): boolean {
  return event.kind !== "command-start" && momentText(evidence, event) !== undefined;
}
