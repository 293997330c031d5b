/**
 * Questions to ask before a run shows what happens, and their answers, both taken from the run's own records.
 *
 *   "who-answers"   an ARP request leaves a host           which hosts reply?
 *   "which-server"  a connection's first packet is there   which real server does the scheduler choose?
 *   "what-changes"  a packet has come to the director      what is different when it leaves?
 *   "where-to"      a packet has come to a real server     to whose interface does the reply go first?
 */

import { formatIpv4Address } from "../../../../src/base/ipv4-address.ts";
import { formatMacAddress, isGroupMac } from "../../../../src/base/mac-address.ts";
import type { FrameSent, Scheduled } from "../../../../src/trace/events.ts";
import { type RecordSummary, summarize } from "../describe.ts";
import { arrivalBefore, hopChanges } from "../hop.ts";
import { innermost } from "../packet-token.ts";
import type { Session } from "../session.ts";

export type QuestionKind = "who-answers" | "which-server" | "what-changes" | "where-to";

export interface Question {
  /** Stays the same from run to run of the same scenario. */
  readonly key: string;
  readonly kind: QuestionKind;
  /** Record to stand at while it is asked. */
  readonly atId: number;
  readonly host: string;
  /** What it is about: an address, a service, a packet. */
  readonly subject: string;
  /** Hosts, `address:port`, or names of fields; "" is nobody. */
  readonly options: readonly string[];
  /** Several may be right. */
  readonly isMany: boolean;
}

export interface Verdict {
  readonly isRight: boolean;
  readonly answer: readonly string[];
  /** Record to go to, to see it. */
  readonly revealId: number;
  /** Records that tell why. */
  readonly why: readonly RecordSummary[];
}

interface Asked extends Question {
  readonly answer: readonly string[];
  readonly revealId: number;
  readonly whyIds: readonly number[];
}

const OF_A_KIND_MAX = 4;
const DESCENDANTS_MAX = 400;
const WHY_MAX = 12;
const CLIMB_MAX = 40;
/** Records to look ahead for a reply. */
const AHEAD_MAX = 5000;
/** What `what-changes` offers; `outer` is a header around the packet. */
const CHANGE_OPTIONS = ["eth.dst", "ip.src", "ip.dst", "port", "outer", "ip.ttl"];

/** What can be asked about a run, in order of time. */
export function questions(session: Session, _all: Record<string, never>): readonly Question[] {
  return asked(session).map(({ key, kind, atId, host, subject, options, isMany }) => ({ key, kind, atId, host, subject, options, isMany }));
}

/** Is the choice what the run does? undefined for a question that this run does not have. */
export function checkAnswer(session: Session, { key, choice }: { readonly key: string; readonly choice: readonly string[] }): Verdict | undefined {
  const question = asked(session).find((one) => one.key === key);
  if (question === undefined) return undefined;
  const { answer, revealId, whyIds } = question;
  const isRight = answer.length === new Set(choice).size && answer.every((one) => choice.includes(one));
  return { isRight, answer, revealId, why: whyIds.slice(0, WHY_MAX).map((id) => summarize(session.store, id)) };
}

function asked(session: Session): readonly Asked[] {
  const known = session.cache.get("questions") as readonly Asked[] | undefined;
  if (known !== undefined) return known;
  const found = new Map<QuestionKind, Asked[]>();
  const seen = new Set<string>();
  const { store } = session;
  const full = new Set<QuestionKind>();
  for (let id = store.countBefore(store.originNs) + 1; id <= store.count && full.size < 4; id++) {
    for (const question of questionsAt(session, id, full)) {
      // The same thing is asked once.
      const what = `${question.kind} ${question.host} ${question.subject} ${question.kind === "which-server" ? id : question.answer.join()}`;
      if (seen.has(what)) continue;
      seen.add(what);
      const of = found.get(question.kind) ?? [];
      of.push(question);
      found.set(question.kind, of);
      if (of.length >= OF_A_KIND_MAX) full.add(question.kind);
    }
  }
  const all = [...found.values()].flat().sort((a, b) => a.atId - b.atId || (a.key < b.key ? -1 : 1));
  session.cache.set("questions", all);
  return all;
}

function questionsAt(session: Session, id: number, full: ReadonlySet<QuestionKind>): Asked[] {
  const event = session.store.record(id);
  if (event?.kind === "scheduled") return full.has("which-server") ? [] : defined(whichServer(session, event));
  if (event?.kind !== "frame-sent") return [];
  const { payload } = event.frame;
  if (payload.kind === "arp") return full.has("who-answers") ? [] : defined(whoAnswers(session, event));
  return [...(full.has("what-changes") ? [] : defined(whatChanges(session, event))), ...(full.has("where-to") ? [] : defined(whereTo(session, event)))];
}

function defined<T>(one: T | undefined): T[] {
  return one === undefined ? [] : [one];
}

function whoAnswers(session: Session, event: FrameSent): Asked | undefined {
  const { payload } = event.frame;
  if (payload.kind !== "arp" || payload.operation !== 1 || payload.senderIp === payload.targetIp || payload.senderIp === 0 || !isGroupMac(event.frame.dst)) return undefined;
  const link = linkOf(session, event);
  const hosts = hostsOn(session, link).filter((name) => name !== event.host);
  if (hosts.length < 2) return undefined;
  const replies: number[] = [];
  const decisions: number[] = [];
  for (const id of descendants(session, event.id)) {
    const one = session.store.record(id);
    if (one?.kind === "arp-decision") decisions.push(id);
    if (one?.kind === "frame-sent" && one.frame.payload.kind === "arp" && one.frame.payload.operation === 2) replies.push(id);
  }
  const answer = [...new Set(replies.map((id) => session.store.record(id)?.host ?? ""))].filter((host) => hosts.includes(host)).sort();
  return {
    key: `who-answers ${event.id}`,
    kind: "who-answers",
    atId: event.id,
    host: event.host,
    subject: formatIpv4Address(payload.targetIp),
    options: [...hosts, ""],
    isMany: true,
    answer: answer.length === 0 ? [""] : answer,
    revealId: replies[0] ?? decisions.at(-1) ?? event.id,
    whyIds: [...decisions, ...replies],
  };
}

function whichServer(session: Session, event: Scheduled): Asked | undefined {
  if (event.by !== "scheduler") return undefined;
  const options = event.candidates.map(({ address, port }) => `${formatIpv4Address(address)}:${port}`);
  if (options.length < 2) return undefined;
  return {
    key: `which-server ${event.id}`,
    kind: "which-server",
    atId: arrivalAbove(session, event.id),
    host: event.host,
    subject: `${event.service} ${event.scheduler}`,
    options: [...options, ""],
    isMany: false,
    answer: [event.chosen ?? ""],
    revealId: event.id,
    whyIds: [event.id],
  };
}

function whatChanges(session: Session, event: FrameSent): Asked | undefined {
  if (session.info.roles[event.host] !== "director" || event.frame.payload.kind !== "ipv4") return undefined;
  const arrival = arrivalBefore(session.store, event.id);
  if (arrival === undefined || session.store.connectionOf(event.id) === 0) return undefined;
  const changes = hopChanges(session.store, event.id);
  const answer = new Set<string>();
  for (const { field, before, after } of changes) {
    if (CHANGE_OPTIONS.includes(field)) answer.add(field);
    else if (field.endsWith("port")) answer.add("port");
    else if (before === "" || after === "") answer.add("outer");
  }
  if (answer.size === 0) return undefined;
  return {
    key: `what-changes ${event.id}`,
    kind: "what-changes",
    atId: arrival,
    host: event.host,
    subject: directionOf(session, arrival),
    options: CHANGE_OPTIONS,
    isMany: true,
    answer: CHANGE_OPTIONS.filter((one) => answer.has(one)),
    revealId: event.id,
    whyIds: [arrival, event.id],
  };
}

/** The addresses of a packet as it came, innermost header, without ports: a question for each way and no more. */
function directionOf(session: Session, id: number): string {
  const event = session.store.record(id);
  if (event?.kind !== "frame-received" || event.frame.payload.kind !== "ipv4") return "";
  const { src, dst } = innermost(event.frame.payload);
  return `${formatIpv4Address(src)} > ${formatIpv4Address(dst)}`;
}

function whereTo(session: Session, event: FrameSent): Asked | undefined {
  const { payload } = event.frame;
  const packet = payload.kind === "ipv4" ? innermost(payload) : undefined;
  if (packet === undefined || session.info.roles[event.host] !== "server") return undefined;
  const connection = session.store.connectionOf(event.id);
  if (connection === 0) return undefined;
  const owner = ownerOf(session, event.frame.dst);
  const arrival = lastArrival(session, event, connection);
  if (owner === "" || arrival === undefined) return undefined;
  const options = hostsOn(session, linkOf(session, event)).filter((name) => name !== event.host);
  if (options.length < 2) return undefined;
  return {
    key: `where-to ${event.id}`,
    kind: "where-to",
    atId: arrival,
    host: event.host,
    subject: formatIpv4Address(packet.dst),
    options,
    isMany: false,
    answer: [owner],
    revealId: event.id,
    whyIds: [event.id],
  };
}

/** The last packet of the connection that came to the host before it sent `event`. */
function lastArrival({ store }: Session, event: FrameSent, connection: number): number | undefined {
  for (let id = event.id - 1; id > 0 && id > event.id - AHEAD_MAX; id--) {
    const one = store.record(id);
    if (one?.host !== event.host || store.connectionOf(id) !== connection) continue;
    if (one.kind === "frame-sent") return undefined;
    if (one.kind === "frame-received") return id;
  }
  return undefined;
}

function arrivalAbove({ store }: Session, id: number): number {
  let above = store.causes[id - 1] as number;
  for (let climbed = 0; above > 0 && climbed < CLIMB_MAX; climbed++) {
    if (store.record(above)?.kind === "frame-received") return above;
    above = store.causes[above - 1] as number;
  }
  return store.nextShown(id, -1) ?? id;
}

/** Records that follow from a record, breadth first. */
function descendants({ store }: Session, id: number): number[] {
  const found: number[] = [];
  let next = [id];
  while (next.length > 0 && found.length < DESCENDANTS_MAX) {
    next = next.flatMap((one) => Array.from(store.childrenOf(one)));
    found.push(...next);
  }
  return found.slice(0, DESCENDANTS_MAX).sort((a, b) => a - b);
}

function linkOf({ header }: Session, { host, device }: FrameSent): string {
  return header.hosts.find(({ name }) => name === host)?.interfaces.find(({ name }) => name === device)?.link ?? "";
}

function hostsOn({ header }: Session, link: string): string[] {
  return header.hosts.filter(({ interfaces }) => interfaces.some((one) => one.link === link)).map(({ name }) => name);
}

function ownerOf({ header }: Session, mac: number): string {
  const text = formatMacAddress(mac);
  return header.hosts.find(({ interfaces }) => interfaces.some((one) => one.mac === text))?.name ?? "";
}
