/**
 * Explains a run from its records: the story of every conversation, or one packet with all that was decided about it, in sentences.
 *
 *   explainRun(evidence)         the story, conversation by conversation
 *   explainRecord(evidence, 68)  what record 68 is, why it came about, what was decided on its way, where the answer went
 */

import { formatIpv4Address } from "../base/ipv4-address.ts";
import { formatMacAddress, BROADCAST_MAC } from "../base/mac-address.ts";
import { NS_PER_US } from "../base/time.ts";
import { describeRecord, placeOf } from "../trace/describe.ts";
import type { TraceEvent } from "../trace/events.ts";
import { CauseIndex, PacketLife } from "../trace/life.ts";
import { type Conversation, endsOf, formatEnd, innermost, packetOf, sameEnd } from "./conversations.ts";
import type { Evidence } from "./evidence.ts";
import { packetLine, sentenceOf } from "./sentences.ts";

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
      return event.before === "" || event.after === "";
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
  const receiver = dst === BROADCAST_MAC ? "everybody" : (evidence.ownerOfMac(dst)?.host ?? formatMacAddress(dst));
  const isRequest = sameEnd(ends.from, conversation.from) || (ends.from.port === conversation.from.port && ends.to.port !== conversation.from.port);
  return `${event.host} sent the ${isRequest ? "request" : "answer"} ${formatEnd(ends.from)} > ${formatEnd(ends.to)} to ${receiver} (${formatMacAddress(dst)})${dst === BROADCAST_MAC ? "" : neighbourText(evidence, event)}.`;
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
    if (one.kind === "frame-sent") add(frameText(evidence, one), one);
    else add(sentenceOf(evidence, one), one);
  }
  const conversation = evidence.conversationOf(id);
  const answer = conversation === undefined || !isRequest(event, conversation) ? undefined : answerTo(evidence, conversation, members);
  if (answer !== undefined) sentences.push(answer);
  return { title: `Record ${id}, ${placeOf(event)} at ${evidence.timeOf(id)}: ${packetLine(event) ?? describeRecord(event)}`, sentences };
}

function originText(evidence: Evidence, first: TraceEvent): string | undefined {
  const before = first.kind === "command-start" ? first : evidence.event(first.cause);
  if (before === undefined) return undefined;
  if (before.kind === "command-start") return `It began with \`${before.command.length > 120 ? `${before.command.slice(0, 117)}...` : before.command}\` on ${before.host}.`;
  const line = packetLine(before);
  return line === undefined ? undefined : `It follows from what ${before.host} ${before.kind === "frame-received" ? "received" : "saw"}: ${line}.`;
}

function frameText(evidence: Evidence, event: Extract<TraceEvent, { readonly kind: "frame-sent" }>): string {
  const { dst, payload } = event.frame;
  const owner = dst === BROADCAST_MAC ? "everybody on the link" : (evidence.ownerOfMac(dst)?.host ?? "nobody known");
  const entry = payload.kind === "ipv4" && dst !== BROADCAST_MAC ? neighbourText(evidence, event) : "";
  return `${event.host} sent it out of ${event.device} to ${formatMacAddress(dst)}, ${owner}${entry}.`;
}

/** The neighbour entry that a frame's destination came from, and who taught it. */
function neighbourText(evidence: Evidence, event: Extract<TraceEvent, { readonly kind: "frame-sent" }>): string {
  const isIt = (one: Extract<TraceEvent, { readonly kind: "neighbour" }>) => one.id < event.id && one.host === event.host && one.device === event.device && one.mac === event.frame.dst;
  const known = evidence.of("neighbour").filter(isIt);
  const last = known.at(-1);
  if (last === undefined) return "";
  const address = formatIpv4Address(last.address);
  const learnt = known.filter((one) => one.address === last.address).find(({ before }) => before === "INCOMPLETE" || before === "NONE") ?? known[0];
  const got = learnt === undefined ? undefined : evidence.chain(learnt.id).find((one) => one.kind === "frame-received" && one.host === event.host);
  const teacher = got?.kind === "frame-received" && got.frame.payload.kind === "arp" ? `, learnt at ${evidence.timeOf(got.id)} from an ARP ${got.frame.payload.operation === 1 ? "request" : "answer"} of ${evidence.ownerOfMac(got.frame.src)?.host ?? formatMacAddress(got.frame.src)}` : "";
  return `: its neighbour table has ${address} there (${last.after}${teacher})`;
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
 * What happened at a time of the run: the decisions at that moment, or at the last one before it when nothing happened then. Times are shown to the
 * microsecond: a whole one means all of it.
 */
export function explainMoment(evidence: Evidence, timeNs: number): Explanation {
  const { events } = evidence;
  const untilNs = timeNs % NS_PER_US === 0 ? timeNs + NS_PER_US - 1 : timeNs;
  const isTold = (event: TraceEvent) => event.kind === "frame-sent" || sentenceOf(evidence, event) !== undefined;
  const last = events.findLast((event) => event.timeNs <= untilNs && event.kind !== "rows" && event.kind !== "keyframe" && isTold(event));
  const moment = last?.timeNs ?? 0;
  const sentences: Sentence[] = [];
  for (const event of events) {
    if (event.timeNs !== moment || sentences.length >= SENTENCES_MAX) continue;
    const text = event.kind === "frame-sent" ? `${event.host} sent out of ${event.device}: ${packetLine(event)}.` : sentenceOf(evidence, event);
    if (text !== undefined) sentences.push({ text, event: event.id, timeNs: event.timeNs });
  }
  return { title: `At ${last === undefined ? "the start" : evidence.timeOf(last.id)}${moment >= timeNs ? "" : ", the last moment before at which something was decided"}`, sentences };
}
