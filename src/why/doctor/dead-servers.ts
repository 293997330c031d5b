/**
 * Servers that were chosen and did not serve: nothing listens, nobody is there, or somebody listens and never answers.
 *
 * A checker may take such a server out in time; what it does take out, or what served again later, is no fault of the set-up.
 */

import { formatIpv4Address } from "../../base/ipv4-address.ts";
import { type Conversation, formatEnd, isRst } from "../conversations.ts";
import { AT_THE_END } from "../table-history.ts";
import type { DestSpan, Evidence, EventOf } from "../evidence.ts";
import { type Check, type Finding, FindingList } from "../finding.ts";
import { chosenDest, choicesOf, isServerOf, receivedBy, sentBy, serviceOf, toVirtual } from "./service-view.ts";

/** A conversation that failed at the server that was chosen for it. */
interface Failure {
  readonly conversation: Conversation;
  readonly choice: EventOf<"scheduled">;
  readonly dest: DestSpan;
}

type Told = Omit<Finding, "events"> & { readonly events: readonly number[] };

/** Servers in the table at the end of the run whose last conversation failed. */
function deadServers(evidence: Evidence): Failure[] {
  const last = new Map<string, Failure & { readonly isServed: boolean }>();
  for (const conversation of toVirtual(evidence)) {
    const choice = choicesOf(evidence, conversation).findLast(({ chosen }) => chosen !== undefined);
    const dest = choice === undefined ? undefined : chosenDest(evidence, choice);
    if (choice === undefined || dest === undefined) continue;
    last.set(`${dest.director} ${dest.service} ${choice.chosen}`, { conversation, choice, dest, isServed: !isUnserved(evidence, conversation) });
  }
  return [...last.values()].filter(({ isServed, dest }) => !isServed && dest.untilId === AT_THE_END && dest.row.weight > 0);
}

/** The caller went away empty-handed. A datagram needs no answer. */
function isUnserved(evidence: Evidence, conversation: Conversation): boolean {
  if (conversation.protocol === "udp") return conversation.outcome === "refused" || conversation.outcome === "unreachable" || (conversation.outcome === "unanswered" && conversation.drops.length > 0);
  return conversation.outcome !== "ok" || isSilent(evidence, conversation);
}

/** Asked, never answered a byte, and the command that asked gave up. */
function isSilent(evidence: Evidence, conversation: Conversation): boolean {
  if (conversation.protocol !== "tcp" || !conversation.isEstablished || conversation.receivedBytes > 0) return false;
  const hasAsked = [...sentBy(evidence, conversation, conversation.client)].some(({ packet }) => packet.payload.kind === "tcp" && packet.payload.payload.length > 0);
  return hasAsked && hasCallFailed(evidence, conversation);
}

/** The command behind a conversation ended with a status other than 0. */
function hasCallFailed(evidence: Evidence, conversation: Conversation): boolean {
  const command = evidence.commandBehind(conversation.startId);
  return command !== undefined && evidence.of("command-end").some((end) => end.host === command.host && end.pid === command.pid && end.id > command.id && end.exit !== 0);
}

/** A server that was chosen, is still in the table, and did not serve when it was asked last. */
export const deadServer: Check = (evidence) => {
  const found = new FindingList();
  for (const failure of deadServers(evidence)) {
    const told = tellRefused(evidence, failure) ?? tellSilent(evidence, failure) ?? tellUnreached(evidence, failure);
    if (told === undefined) continue;
    const { events, ...finding } = told;
    found.add(finding, events, `${failure.dest.service} ${failure.choice.chosen}`);
  }
  return found.list;
};

/** The request arrived, and no socket took it. */
function tellRefused(evidence: Evidence, { conversation, choice, dest }: Failure): Told | undefined {
  const refusal = conversation.drops.findLast(({ reason, packet, host }) => reason === "NO_SOCKET" && !isRst(packet) && packet.src === conversation.from.address && host !== conversation.client);
  if (refusal === undefined || (!isServerOf(evidence, refusal.host, dest) && refusal.host !== dest.director)) return undefined;
  const { payload, dst } = refusal.packet;
  const port = payload.kind === "tcp" || payload.kind === "udp" ? payload.dstPort : dest.port;
  const protocol = payload.kind;
  const others = [
    ...new Set(
      evidence.tables
        .rows(refusal.host, "sockets", refusal.id)
        .filter((socket) => socket.protocol === protocol && (socket.state === "LISTEN" || protocol === "udp") && !socket.local.startsWith("127."))
        .map(({ local }) => local),
    ),
  ];
  const otherPort = others.map((local) => Number(local.slice(local.lastIndexOf(":") + 1))).find((one) => one !== port);
  const isTranslated = dest.method === "masq" && otherPort !== undefined;
  return {
    id: "server-not-listening",
    host: refusal.host,
    title: `Nothing listens on port ${port} of ${refusal.host}, a server of ${dest.service}`,
    why: `${choice.host} gave the call of ${formatEnd(conversation.from)} to ${choice.chosen}; at ${refusal.host} it was for ${formatIpv4Address(dst)}:${port}, and ${others.length === 0 ? "no program listens there at all" : `only ${others.join(", ")} ${others.length === 1 ? "is" : "are"} listened on`}. So it answered ${protocol === "udp" ? "that the port is unreachable" : "with RST"}. IPVS itself does not look whether a server works.`,
    fix: isTranslated
      ? `On ${choice.host}: name the port that is served (ipvsadm -d ${argumentOf(dest.service)} -r ${choice.chosen}; ipvsadm -a ${argumentOf(dest.service)} -r ${formatIpv4Address(dest.address)}:${otherPort} -m), or let a program of ${refusal.host} listen on port ${port}.`
      : `On ${refusal.host}: start the program that serves port ${port} (service httpd start, say); let a checker such as keepalived take servers out that do not.`,
    events: [choice.id, refusal.id],
  };
}

/** The server's kernel took the connection, and no program reads it. */
function tellSilent(evidence: Evidence, { conversation, choice, dest }: Failure): Told | undefined {
  if (conversation.outcome !== "ok" || !isSilent(evidence, conversation)) return undefined;
  const taken = evidence.recordsOf(conversation, "tcp-state").findLast(({ host, after }) => host !== conversation.client && (after === "ESTABLISHED" || after === "SYN_RECV"));
  if (taken === undefined) return undefined;
  const listener = evidence.tables.rows(taken.host, "sockets", taken.id).find(({ state, local, protocol }) => protocol === "tcp" && state === "LISTEN" && local.endsWith(`:${dest.port}`));
  return {
    id: "server-silent",
    host: taken.host,
    title: `${taken.host} takes connections of ${dest.service} and never answers`,
    why: `The kernel of ${taken.host} finished the handshake of ${formatEnd(conversation.from)} at ${evidence.timeOf(taken.id)} and acknowledged the request; ${listener?.process ?? "the program"} wrote no byte until the client gave up. A TCP check would stay green.`,
    fix: `On ${taken.host}: look at ${listener?.process ?? "the program that listens"} (stopped, hung, waiting for something else); check the servers by a request (HTTP_GET of keepalived), not by a connection.`,
    events: [choice.id, taken.id],
  };
}

/** The request never came to the server. */
function tellUnreached(evidence: Evidence, { conversation, choice, dest }: Failure): Told | undefined {
  const server = evidence.hostNames.find((host) => isServerOf(evidence, host, dest) && host !== dest.director);
  if (server !== undefined && [...receivedBy(evidence, conversation, server)].some(({ packet }) => packet.dst === dest.address || packet.dst === conversation.to.address)) return undefined;
  const address = formatIpv4Address(dest.address);
  const unanswered = conversation.drops.findLast(({ reason, host }) => reason === "NEIGH_FAILED" && host !== conversation.client);
  const lost = conversation.drops.findLast(({ host, packet }) => host !== conversation.client && packet.src === conversation.from.address);
  const sent = evidence.recordsOf(conversation, "frame-sent").findLast(({ host, frame, id }) => id > choice.id && host === choice.host && frame.payload.kind === "ipv4");
  const lastId = conversation.ids.at(-1) ?? conversation.startId;
  const owner = sent === undefined ? undefined : evidence.ownerOfMac(sent.frame.dst);
  const base = { id: "server-unreachable", host: server ?? choice.host, title: `${choice.host} gives calls of ${dest.service} to ${address}, which cannot be reached`, events: [choice.id, ...(unanswered === undefined ? (lost === undefined ? [] : [lost.id]) : [unanswered.id])] };
  const takeOut = `take it out of the table (ipvsadm -d ${argumentOf(dest.service)} -r ${choice.chosen}), or let a checker such as keepalived do that.`;
  if (server === undefined)
    return { ...base, why: `No host has ${address}${unanswered === undefined ? "" : `: ${unanswered.host} got ${unanswered.detail}`}. ipvsadm takes any address; the entry stays in SYN_RECV, the client waits.`, fix: `On ${choice.host}: correct the server's address (ipvsadm -d ${argumentOf(dest.service)} -r ${choice.chosen}, then ipvsadm -a with the right one), or give it to the host that should have it.` };
  if (evidence.isCut(server, lastId)) return { ...base, why: `${server} is off. IPVS does not look whether a server lives: the entry stays in SYN_RECV, the client waits.`, fix: `Start ${server}, or on ${choice.host} ${takeOut}` };
  if (unanswered !== undefined) {
    const cable = cutCable(evidence, server, lastId);
    return { ...base, why: `${unanswered.detail}: ${cable === undefined ? `${server} has ${address}, and does not hear or answer ${unanswered.host}` : `the cable of ${cable} is out, or its switch port is down`}.`, fix: `Mend the way to ${server}${cable === undefined ? ` (its interface and its ARP settings: ip addr, ip link)` : ` (the cable of ${cable})`}, or on ${choice.host} ${takeOut}` };
  }
  if (sent !== undefined && owner?.host !== server && lost === undefined && sent.host === choice.host) {
    const entry = evidence.tables.rows(choice.host, "neighbours", sent.id).find((row) => row.address === address);
    if (entry?.state === "PERMANENT" || owner === undefined)
      return { ...base, host: choice.host, why: `${choice.host} sends frames for ${address} to ${entry?.mac ?? "a MAC"}, ${owner === undefined ? "which nobody has" : `which is ${owner.host}'s`}: its neighbour entry is ${entry?.state ?? "gone"}${entry?.state === "PERMANENT" ? ", set by hand, and never asked for again" : ""}.`, fix: `On ${choice.host}: ip neigh del ${address} dev ${sent.device}, so that it asks by ARP.` };
  }
  if (lost !== undefined) return { ...base, host: lost.host, why: `The request died at ${lost.host} (${lost.reason}): ${lost.detail}.`, fix: `On ${lost.host}: look at its routes and filters for ${formatIpv4Address(lost.packet.dst)} (ip route get ${formatIpv4Address(lost.packet.dst)}, iptables -S).` };
  return undefined;
}

/** `web1.eth0` when the cable of one of its interfaces is out at a record. */
function cutCable(evidence: Evidence, host: string, id: number): string | undefined {
  const state = new Map<string, string>();
  for (const event of evidence.of("link")) if (event.id <= id && event.host === host && event.device !== "") state.set(event.device, event.state);
  const device = [...state].find(([, one]) => one === "down")?.[0];
  return device === undefined ? undefined : `${host}.${device}`;
}

/** `-t 10.0.0.1:80`, as ipvsadm wants the service. */
function argumentOf(service: string): string {
  const [protocol = "", end = ""] = service.split(" ");
  return `${protocol === "FWM" ? "-f" : protocol === "UDP" ? "-u" : "-t"} ${end}`;
}

/** The service of a choice has no servers at all: nobody was added, or a checker took them all out. ip_vs_core.c:ip_vs_leave */
export const noServers: Check = (evidence) => {
  const found = new FindingList();
  const lastOf = new Map<string, EventOf<"scheduled">>();
  for (const choice of evidence.of("scheduled")) lastOf.set(`${choice.host} ${choice.service}`, choice);
  for (const choice of lastOf.values()) {
    const service = serviceOf(evidence, choice);
    if (choice.chosen !== undefined || choice.candidates.length > 0 || service?.untilId !== AT_THE_END) continue;
    const { host } = choice;
    const removed = evidence.of("table").findLast((event) => event.host === host && event.table === "ipvs-dest" && event.change === "remove" && event.entry.startsWith(`${choice.service} -> `) && event.id < choice.id);
    const culprit = removed === undefined ? undefined : evidence.commandBehind(removed.id)?.command;
    const isChecked = culprit !== undefined && /keepalived/.test(culprit);
    const check = isChecked ? failedCheck(evidence, host) : undefined;
    found.add(
      {
        id: "no-server-available",
        host,
        title: `${choice.service} has no servers`,
        why: `${removed === undefined ? "None was ever added" : `The last was removed at ${evidence.timeOf(removed.id)}${isChecked ? " by keepalived, whose check failed" : culprit === undefined ? "" : ` by \`${culprit}\``}`}${check === undefined ? "" : `: its call to ${formatEnd(check.to)} was ${check.outcome}`}. The client gets ${choice.service.startsWith("UDP") ? "an ICMP port unreachable" : "an ICMP port unreachable, which curl calls refused"}.`,
        fix: isChecked
          ? `On ${host}: correct the check in keepalived.conf (connect_port, path, status, connect_timeout)${check === undefined ? "" : ` or what serves ${formatEnd(check.to)}`}; a sorry_server serves meanwhile.`
          : `On ${host}: ipvsadm -a ${argumentOf(choice.service)} -r SERVER with its method (-g, -i or -m).`,
      },
      [choice.id, ...(removed === undefined ? [] : [removed.id]), ...(check === undefined ? [] : [check.startId])],
      choice.service,
    );
  }
  return found.list;
};

/** A health check of a director that failed: a call of its own to a server. */
function failedCheck(evidence: Evidence, director: string): Conversation | undefined {
  return evidence.conversations.findLast(({ client, outcome, to }) => client === director && outcome !== "ok" && evidence.dests.some(({ address }) => address === to.address));
}
