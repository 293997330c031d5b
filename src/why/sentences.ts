/**
 * Records as sentences that cite what decided: one function for each kind of decision. Used by `explain`, by the page, and by `diff`.
 */

import { formatIpv4Address } from "../base/ipv4-address.ts";
import { formatMacAddress, ZERO_MAC } from "../base/mac-address.ts";
import { describeRewrite } from "../trace/describe.ts";
import type { ArpDecision, DropReason, IpvsConnectionChanged, NeighbourChanged, NetfilterVerdict, PacketDropped, PacketRewritten, RouteChosen, ScheduleCandidate, Scheduled, ScheduleFigures, TraceEvent } from "../trace/events.ts";
import { formatCaptured } from "../trace/text.ts";
import type { Ipv4Packet } from "../wire/packet.ts";
import { innermost, isSyn, packetOf } from "./conversations.ts";
import type { Evidence } from "./evidence.ts";

/** What a record says, in a sentence with its deciding values; undefined for records that decide nothing. */
export function sentenceOf(evidence: Evidence, event: TraceEvent): string | undefined {
  switch (event.kind) {
    case "arp-decision":
      return arpSentence(evidence, event);
    case "route":
      return isOfArp(evidence, event) ? undefined : routeSentence(event);
    case "scheduled":
      return choiceSentence(event);
    case "netfilter":
      return netfilterSentence(event);
    case "packet-dropped":
      return dropSentence(event);
    case "frame-dropped":
      return event.reason === "OTHERHOST" ? undefined : `The frame died on ${event.device === "" ? `the link ${event.host}` : `${event.host}.${event.device}`}: ${reasonWords(event.reason)} (${event.reason}).`;
    case "neighbour":
      return neighbourSentence(evidence, event);
    case "packet-rewritten":
      return `${rewriteSentence(event.host, event.by, event.before, event.after)}${oldEntryText(evidence, event)}`;
    case "packet-encapsulated":
      return `${event.host} put it into ${event.by} from ${formatIpv4Address(event.outer.src)} to ${formatIpv4Address(event.outer.dst)}${event.outer.dontFragment ? ", not to be fragmented" : ""}.`;
    case "packet-decapsulated":
      return `${event.host} took it out of ${event.by} on ${event.device}; the outer packet went from ${formatIpv4Address(event.outer.src)} to ${formatIpv4Address(event.outer.dst)}.`;
    case "ipvs-connection":
      return connectionSentence(evidence, event);
    case "tcp-state":
      return `TCP of ${event.host}, ${event.socket.replace(" ", " with ")}: ${event.before} => ${event.after}.`;
    case "log":
      return `${event.host} logged: ${event.text}.`;
    case "fault":
      return `${event.fault} ${event.host}${event.detail === "" ? "" : `: ${event.detail}`}.`;
    case "command-start":
      return `${event.host} ran \`${commandText(event.command)}\`.`;
    case "sysctl":
      return event.before === event.after ? `${event.host} set ${event.key} to ${event.after}, as it was.` : `${event.host} set ${event.key} from ${event.before} to ${event.after}.`;
    case "table":
      return `${event.host} ${CHANGES[event.change]} its table ${event.table}: ${event.entry}.`;
    case "link":
      return `${event.device === "" ? event.host : `${event.host}.${event.device}`} ${event.state === "crashed" ? "crashed" : `went ${event.state}`}.`;
    default:
      return undefined;
  }
}

const CHANGES = { add: "added to", change: "changed", remove: "removed from" };
const COMMAND_MAX = 120;

/** A command in one line, without the shell that a step is run by. */
export function commandText(command: string): string {
  const text = command.replace(/^\/bin\/bash -c /, "").trim().replace(/\s*\n\s*/g, "; ");
  return text.length > COMMAND_MAX ? `${text.slice(0, COMMAND_MAX - 3)}...` : text;
}

/** ARP asks the routes whether a request is for the host: its own record tells what came of that, and without one the host is a bystander. */
function isOfArp(evidence: Evidence, { cause, direction }: RouteChosen): boolean {
  const before = evidence.event(cause);
  return direction === "in" && before?.kind === "frame-received" && before.frame.payload.kind === "arp";
}

function connectionSentence(evidence: Evidence, event: IpvsConnectionChanged): string {
  const { host, connection, before, after, method } = event;
  if (before === "") return `${host} made the entry ${connection}, method ${method}.`;
  if (after === "") return `The entry ${connection} of ${host} ended in state ${before}.`;
  const mode = evidence.tables.row(host, "sysctls", "net.ipv4.vs.conn_reuse_mode", event.id)?.value;
  const reuse = before !== "NONE" && after === "SYN_RECV" && isSynRecord(evidence.event(event.cause)) ? `, by a new SYN: no server was chosen, the entry decides${mode === undefined ? "" : ` (net.ipv4.vs.conn_reuse_mode = ${mode})`}` : "";
  return `The entry ${connection} of ${host} went from ${before} to ${after}${reuse}.`;
}

function isSynRecord(event: TraceEvent | undefined): boolean {
  const packet = event === undefined ? undefined : packetOf(event);
  return packet !== undefined && isSyn(innermost(packet));
}

/** A SYN that IPVS sends on without a choice, because an entry was there. */
function oldEntryText(evidence: Evidence, { id, cause, by, before }: PacketRewritten): string {
  if (!by.startsWith("ipvs-") || !isSyn(before)) return "";
  const decided = evidence.chain(id).findIndex(({ kind }) => kind === "frame-received");
  if (evidence.chain(id).slice(0, decided + 1).some(({ kind }) => kind === "scheduled")) return "";
  for (let at = cause + 1; at < id; at++) {
    const event = evidence.event(at);
    if (event?.cause === cause && (event.kind === "scheduled" || event.kind === "ipvs-connection")) return "";
  }
  return " It had an entry for these ends already, no server was chosen.";
}

function arpSentence(evidence: Evidence, event: ArpDecision): string {
  const { host, device, target, sender, isAnswered, detail } = event;
  const asker = evidence.event(evidence.chain(event.id).find((one) => one.kind === "frame-sent")?.id ?? 0)?.host;
  const who = asker === undefined ? formatIpv4Address(sender) : `${asker} (${formatIpv4Address(sender)})`;
  return `${host} ${isAnswered ? "answered" : "did not answer"} the ARP request of ${who} for ${formatIpv4Address(target)} on ${device}: ${detail}.`;
}

function routeSentence({ host, direction, dst, src, type, device, gateway, table, detail }: RouteChosen): string {
  const what = direction === "in" ? `${host} looked up where a packet from ${formatIpv4Address(src)} for ${formatIpv4Address(dst)} goes` : `${host} looked up its way to ${formatIpv4Address(dst)}${src === 0 ? "" : ` (source ${formatIpv4Address(src)})`}`;
  if (device === "") return `${what}: ${type}, ${detail}.`;
  const way = type === "local" ? "it is for the host itself" : `${gateway === 0 ? "directly" : `by ${formatIpv4Address(gateway)}`} out of ${device}`;
  return `${what}: ${way}, because ${detail} (${tableName(table)}).`;
}

function tableName(table: number): string {
  return table === 254 ? "table main" : table === 255 ? "table local" : table === 253 ? "table default" : `table ${table}`;
}

function choiceSentence(event: Scheduled): string {
  const { host, service, scheduler, candidates, chosen, by, client, clientPort } = event;
  const caller = `${formatIpv4Address(client)}:${clientPort}`;
  const all = candidates.map((one) => candidateWords(one)).join("; ");
  if (by === "template") return `${host} gave ${caller} to ${chosen}: persistence, a template of this client already names it. The candidates were: ${all}.`;
  if (by === "bypass") return `${host} let ${caller} pass to ${chosen} itself: no server of ${service} is available and cache_bypass is set.`;
  if (chosen === undefined) return `${host} had no server of ${service} for ${caller} (${scheduler}): ${candidates.length === 0 ? "the service has none" : all}.`;
  const figures = event.figures === null ? "" : figuresText(event.figures, candidates);
  return `${scheduler} on ${host} gave ${caller} to ${chosen}: ${choiceReason(event)}. The candidates were: ${all}.${figures}`;
}

/** What the scheduler knew before the choice. `after` of the round robin schedulers is where the search goes on: behind the server of that index, or at the head. */
function figuresText({ after, ...others }: ScheduleFigures, candidates: readonly ScheduleCandidate[]): string {
  const last = typeof after === "number" ? candidates[after] : undefined;
  const place = after === undefined ? [] : [last === undefined ? "the search began at the head of the list" : `the search went on behind ${formatIpv4Address(last.address)}:${last.port}`];
  const rest = Object.entries(others).map(([name, value]) => `${name} was ${value}`);
  const [first = "", ...more] = [...place, ...rest];
  return first === "" ? "" : ` ${[`${first.charAt(0).toUpperCase()}${first.slice(1)}`, ...more].join(", ")}.`;
}

/** What the scheduler compares, with the values of this choice. */
function choiceReason({ scheduler, candidates, chosen, client }: Scheduled): string {
  const one = candidates.find((candidate) => `${formatIpv4Address(candidate.address)}:${candidate.port}` === chosen);
  const eligible = candidates.filter(({ isEligible }) => isEligible).length;
  const load = one?.overhead;
  switch (scheduler) {
    case "rr":
      return eligible === 1 ? "it is the only one available" : "it is the next one in turn";
    case "wrr":
      return "its weight is not below the present one of the round";
    case "lc":
      return `no other has a smaller overhead than its ${load}`;
    case "wlc":
      return `no other has a smaller overhead for its weight than ${load} / ${one?.weight}`;
    case "sed":
      return `no other would have a smaller delay than ${load} / ${one?.weight}`;
    case "nq":
      return one?.activeConns === 0 ? "it is idle" : `nobody is idle, and no other would have a smaller delay than ${load} / ${one?.weight}`;
    case "fo":
      return `its weight ${one?.weight} is the highest of those available`;
    case "ovf":
      return `its weight ${one?.weight} is the highest of those whose active connections do not exceed it (${one?.activeConns})`;
    case "sh":
    case "mh":
      return `the hash of the client ${formatIpv4Address(client)} names it`;
    case "dh":
      return "the hash of the destination address names it";
    default:
      return `${scheduler} chose it`;
  }
}

function candidateWords({ address, port, weight, activeConns, inactConns, overhead, isEligible }: ScheduleCandidate): string {
  return `${formatIpv4Address(address)}:${port} weight ${weight}, ${activeConns} active, ${inactConns} inactive${overhead === undefined ? "" : `, overhead ${overhead}`}${isEligible ? "" : " (not available)"}`;
}

function netfilterSentence({ host, table, chain, rule, verdict }: NetfilterVerdict): string {
  return `On ${host} the rule \`${rule}\` (table ${table}, chain ${chain}) said ${verdict}.`;
}

function dropSentence({ host, reason, detail }: PacketDropped): string {
  return `${host} dropped it: ${reasonWords(reason)}${detail === "" ? "" : `; ${detail}`} (${reason}).`;
}

/** Reasons in words (src/trace/events.ts has them all; the detail of a record has the values). */
const REASONS: Partial<Record<DropReason, string>> = {
  LINK_DOWN: "the cable is cut",
  LINK_LOSS: "the link lost it",
  LINK_QUEUE_FULL: "the port's queue was full",
  LINK_CORRUPTED: "the link spoilt it",
  LINK_PARTITION: "the link is partitioned",
  QDISC_DROP: "netem of the device dropped it",
  DEV_DOWN: "the device is down",
  PKT_TOO_BIG: "it is too big for the next link and may not be fragmented",
  IP_NOPROTO: "nobody takes this protocol",
  IP_RPFILTER: "the reverse path filter refused its source",
  IP_LOCAL_SOURCE: "its source is an address of this host, a martian",
  IP_INVALID_SOURCE: "its source cannot be, a martian",
  IP_LOCALNET: "a loopback address came in from outside",
  IP_INVALID_DEST: "its destination cannot be",
  IP_INADDRERRORS: "it is for somebody else and the host does not forward",
  IP_INNOROUTES: "there is no route for it",
  IP_OUTNOROUTES: "the host has no route to send it",
  IP_TTL: "its TTL is used up",
  FRAG_REASM_TIMEOUT: "a fragment is missing",
  NEIGH_FAILED: "nobody answered ARP for the next hop",
  NEIGH_QUEUEFULL: "too many packets wait for the answer to ARP",
  NETFILTER_DROP: "a packet filter dropped it",
  NETFILTER_REJECT: "a packet filter rejected it",
  IPVS_NO_DEST: "no real server is available",
  IPVS_DEST_GONE: "IPVS has no use for it",
  IPVS_DROP_RATE: "IPVS defends itself",
  IPVS_XMIT_ERROR: "IPVS could not send it on",
  NO_SOCKET: "no socket is bound to its port",
  TCP_INVALID: "TCP does not accept it",
  SOCKET_BACKLOG: "the listener's queue is full",
  TUNNEL_NO_DEVICE: "no tunnel device takes it",
};

export function reasonWords(reason: DropReason): string {
  return REASONS[reason] ?? reason.toLowerCase().replaceAll("_", " ");
}

function neighbourSentence(evidence: Evidence, event: NeighbourChanged): string | undefined {
  const { host, device, address, mac, before, after } = event;
  const name = formatIpv4Address(address);
  if (after === "FAILED") return `${host} gave up on ${name}: nobody answered its ARP requests on ${device}.`;
  if (mac === ZERO_MAC || after === "" || after === "INCOMPLETE") return undefined;
  const owner = evidence.ownerOfMac(mac);
  const earlier = evidence.of("neighbour").findLast((one) => one.id < event.id && one.host === host && one.device === device && one.address === address);
  const isMove = earlier !== undefined && earlier.mac !== mac && earlier.mac !== ZERO_MAC;
  if (!isMove && before !== "NONE" && before !== "INCOMPLETE") return undefined;
  return `${host} ${isMove ? `now believes that ${name} has moved from ${formatMacAddress(earlier.mac)} to` : `learnt that ${name} is at`} ${formatMacAddress(mac)}${owner === undefined ? "" : `, ${owner.host}.${owner.device}`} (${after}).`;
}

function rewriteSentence(host: string, by: string, before: Ipv4Packet, after: Ipv4Packet): string {
  const change = describeRewrite(before, after);
  switch (by) {
    case "ipvs-route":
      return `IPVS on ${host} sent it on by direct routing: the packet stays as it is (${change}), only the frame gets the real server's MAC.`;
    case "ipvs-nat":
      return `IPVS on ${host} rewrote it (NAT): ${change}.`;
    case "ipvs-local":
      return `IPVS on ${host} left it to a server of the host itself.`;
    case "forward":
      return `${host} forwarded it (${change}).`;
    case "mark":
      return `A rule on ${host} marked it.`;
    default:
      return `The nat table of ${host} rewrote it (${by}): ${change}.`;
  }
}

/** A frame or packet in one line, as tcpdump prints it. */
export function packetLine(event: TraceEvent): string | undefined {
  switch (event.kind) {
    case "frame-sent":
    case "frame-received":
    case "frame-dropped":
      return formatCaptured(event.frame);
    case "packet-dropped":
    case "packet-passed":
    case "netfilter":
      return formatCaptured(event.packet);
    default:
      return undefined;
  }
}
