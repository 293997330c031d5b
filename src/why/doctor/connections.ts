/**
 * Faults of IPVS connections: entries that end too early or live too long, and servers that are not there.
 */

import { formatIpv4Address } from "../../base/ipv4-address.ts";
import { NS_PER_SECOND } from "../../base/time.ts";
import { type Conversation, formatEnd, isRst } from "../conversations.ts";
import type { Evidence, EventOf } from "../evidence.ts";
import { type Check, FindingList } from "../finding.ts";
import { choicesOf, failed, receivedBy, sentBy, toVirtual } from "./service-view.ts";

/** The records of a conversation's entries on a director. */
function entriesOf(evidence: Evidence, conversation: Conversation): EventOf<"ipvs-connection">[] {
  const text = ` ${formatEnd(conversation.from)} -> ${formatEnd(conversation.to)} `;
  return evidence.of("ipvs-connection").filter((event) => event.id >= conversation.startId && event.connection.includes(text));
}

/**
 * The entry's timer ran out while the connection was idle (900 s established, 60 s half closed, or what ipvsadm --set says); what comes then belongs to
 * no connection. net/netfilter/ipvs/ip_vs_proto_tcp.c:tcp_timeouts, ip_vs_conn.c:ip_vs_conn_expire
 */
export const entryExpired: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of toVirtual(evidence)) {
    if (!conversation.isEstablished) continue;
    for (const end of entriesOf(evidence, conversation)) {
      if (end.after !== "") continue;
      const { host, id, before } = end;
      if (before !== "ESTABLISHED" && before !== "CLOSE_WAIT" && before !== "FIN_WAIT" && before !== "SYN_RECV") continue;
      if (removedAt(evidence, host, id)) continue;
      const astray = conversation.drops.find((drop) => drop.id > id && (drop.reason === "NO_SOCKET" || drop.detail.includes("belongs to no connection")) && !isRst(drop.packet)) ?? silentAfter(evidence, conversation, id);
      if (astray === undefined || wasScheduledAfter(evidence, conversation, id, astray.id)) continue;
      const isHalf = before !== "ESTABLISHED" && before !== "SYN_RECV";
      const idle = idleBefore(evidence, conversation, id);
      found.add(
        {
          id: isHalf ? "half-closed-expired" : "entry-expired",
          host,
          title: `The entry of ${formatEnd(conversation.from)} > ${formatEnd(conversation.to)} expired on ${host} while both ends still had the connection`,
          why: `Nothing passed for ${idle} s, and the timer of state ${before} ran out at ${evidence.timeOf(id)}. The next packet, at ${evidence.timeOf(astray.id)}, belongs to no connection for ${host}${astray.kind === "packet-dropped" ? `: ${astray.host} ${astray.reason === "NO_SOCKET" ? `answered RST (${astray.detail})` : `dropped it (${astray.detail})`}` : ""}.`,
          fix: isHalf
            ? `Do not keep connections half closed for longer than a minute, or raise the time: ipvsadm --set 0 SECONDS 0 on ${host} sets the FIN timeout.`
            : `Let the programs send keepalives more often than that (net.ipv4.tcp_keepalive_time, SO_KEEPALIVE), or raise the timeout: ipvsadm --set SECONDS 0 0 on ${host}.`,
        },
        [id, astray.id],
        conversation.protocol,
      );
    }
  }
  return found.list;
};

/** The entry went because somebody flushed it, not by its timer. */
function removedAt(evidence: Evidence, host: string, id: number): boolean {
  const event = evidence.event(id);
  return event !== undefined && evidence.of("table").some((one) => one.host === host && (one.table === "ipvs-dest" || one.table === "ipvs-service") && one.change === "remove" && Math.abs(one.timeNs - event.timeNs) < NS_PER_SECOND);
}

function wasScheduledAfter(evidence: Evidence, conversation: Conversation, id: number, until: number): boolean {
  return choicesOf(evidence, conversation).some((choice) => choice.id > id && choice.id < until);
}

/** A server's packet that went on with the server's own address, after the entry was gone. */
function silentAfter(evidence: Evidence, conversation: Conversation, id: number): EventOf<"frame-received"> | undefined {
  for (const { event, packet } of receivedBy(evidence, conversation, conversation.client))
    if (event.id > id && packet.payload.kind === conversation.protocol && packet.src !== conversation.to.address && packet.dst === conversation.from.address) return event;
  return undefined;
}

function idleBefore(evidence: Evidence, conversation: Conversation, id: number): number {
  const at = evidence.event(id)?.timeNs ?? 0;
  const last = conversation.ids.findLast((one) => one < id && evidence.event(one)?.kind === "frame-sent");
  return Math.round((at - (evidence.event(last ?? 0)?.timeNs ?? at)) / NS_PER_SECOND);
}

/** Packets of a connection whose real server was removed: dropped without a word, or reset when expire_nodest_conn is 1. ip_vs_core.c:ip_vs_in_hook */
export const serverGone: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of toVirtual(evidence)) {
    const drop = conversation.drops.find(({ reason, detail }) => reason === "IPVS_DEST_GONE" && detail.startsWith("its real server was removed")) ?? resetAfterRemoval(evidence, conversation);
    if (drop === undefined) continue;
    const { host } = drop;
    const removed = evidence.of("table").findLast((event) => event.host === host && event.table === "ipvs-dest" && event.change === "remove" && event.id < drop.id);
    const isSilent = drop.reason === "IPVS_DEST_GONE";
    found.add(
      {
        id: "server-gone",
        host,
        title: `${host} ${isSilent ? "drops packets of" : "ended"} connections whose real server was removed`,
        why: `${removed === undefined ? "The server was removed" : `${removed.entry.split(" route ")[0]} was removed at ${evidence.timeOf(removed.id)}`} while ${formatEnd(conversation.from)} was connected to it. ${isSilent ? "net.ipv4.vs.expire_nodest_conn = 0: its packets are dropped silently, the client hangs" : "net.ipv4.vs.expire_nodest_conn = 1: its entry went at once, and the next packet was answered with RST"}.`,
        fix: isSilent ? `On ${host}: drain a server with weight 0 (ipvsadm -e ... -w 0) before you remove it; expire_nodest_conn=1 at least tells clients at once.` : `On ${host}: drain a server with weight 0 (ipvsadm -e ... -w 0) and remove it when it has no connections.`,
      },
      [...(removed === undefined ? [] : [removed.id]), drop.id],
    );
  }
  return found.list;
};

function resetAfterRemoval(evidence: Evidence, conversation: Conversation): EventOf<"packet-dropped"> | undefined {
  if (!conversation.isEstablished || conversation.outcome !== "reset") return undefined;
  const ended = entriesOf(evidence, conversation).find((event) => event.after === "" && removedAt(evidence, event.host, event.id));
  return ended === undefined ? undefined : conversation.drops.find(({ id, reason, host }) => id > ended.id && reason === "NO_SOCKET" && host === ended.host);
}

/** A client came back from a port whose old entry still owns a tracked connection: the first SYN is lost, the second comes a second later. ip_vs_core.c:ip_vs_in_hook */
export const sourcePortReused: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of toVirtual(evidence)) {
    const drop = conversation.drops.find(({ reason, detail }) => reason === "IPVS_DEST_GONE" && detail.includes("old conntrack"));
    if (drop === undefined) continue;
    found.add(
      {
        id: "source-port-reused",
        host: drop.host,
        title: `${drop.host} drops the first SYN of a client that uses its source port again`,
        why: `${formatEnd(conversation.from)} had a connection to ${formatEnd(conversation.to)} before, whose entry is in TIME_WAIT and still owns its connection tracking entry (vs.conntrack = 1, conn_reuse_mode = ${evidence.setting(drop.host, "net.ipv4.vs.conn_reuse_mode", drop.id)}). To choose anew, IPVS must drop this SYN; the client sends the next one a second later.`,
        fix: `On ${drop.host}: sysctl -w net.ipv4.vs.conntrack=0 where it is not needed, or conn_reuse_mode=0 (with its own drawbacks when servers are drained).`,
      },
      drop.id,
    );
  }
  return found.list;
};

/** An old entry decides for a new connection (conn_reuse_mode 0): it goes to a server that gets no new ones, or that is dead. ip_vs_core.c:ip_vs_in_hook */
export const sentToDeadServer: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of failed(toVirtual(evidence))) {
    if (choicesOf(evidence, conversation).length > 0) continue;
    for (const event of evidence.recordsOf(conversation, "packet-rewritten")) {
      if (event.by !== "ipvs-route" && event.by !== "ipvs-nat") continue;
      const { host, id } = event;
      if (evidence.setting(host, "net.ipv4.vs.conn_reuse_mode", id) !== 0 || !evidence.directs(host, conversation.to.address, id)) continue;
      const entry = evidence.tables.rows(host, "ipvsConnections", id).find((row) => !row.isTemplate && row.client === formatEnd(conversation.from) && row.virtual === formatEnd(conversation.to));
      if (entry === undefined) continue;
      found.add(
        {
          id: "sent-to-dead-server",
          host,
          title: `${host} sends a new connection of ${formatEnd(conversation.from)} to ${entry.destination} because of an old entry`,
          why: `The client uses its source port again, and net.ipv4.vs.conn_reuse_mode = 0: the entry of the last connection is used as it is, so no server is chosen. ${weightText(evidence, host, entry.destination, id)}`,
          fix: `On ${host}: sysctl -w net.ipv4.vs.conn_reuse_mode=1 (and expire_nodest_conn=1).`,
        },
        id,
      );
      break;
    }
  }
  return found.list;
};

function weightText(evidence: Evidence, host: string, destination: string, id: number): string {
  const row = evidence.tables.rows(host, "ipvsDestinations", id).find((one) => `${one.address}:${one.port}` === destination);
  if (row === undefined) return `${destination} is not a server any longer.`;
  return row.weight === 0 ? `${destination} has weight 0 and should get no new connections.` : `${destination} did not answer.`;
}

/** Connections that stay half open on the director: something is wrong with the way back, which the director cannot see. */
export const halfOpen: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of failed(toVirtual(evidence))) {
    const choices = choicesOf(evidence, conversation);
    const [choice] = choices;
    if (choice === undefined || conversation.outcome !== "unanswered" || conversation.calls < 2) continue;
    const answered = [...sentBy(evidence, conversation)].find(({ event, packet }) => packet.src === conversation.to.address && event.host !== choice.host && event.host !== conversation.client);
    if (answered === undefined) continue;
    const drop = conversation.drops.findLast(({ packet }) => packet.src === conversation.to.address);
    const lost = evidence.recordsOf(conversation, "frame-dropped").findLast(({ frame, reason }) => reason !== "OTHERHOST" && frame.payload.kind === "ipv4" && frame.payload.src === conversation.to.address);
    if (drop === undefined && lost === undefined) continue;
    found.add(
      {
        id: "half-open",
        host: answered.event.host,
        title: `Answers of ${answered.event.host} to ${formatIpv4Address(conversation.from.address)} are lost on their way`,
        why: `${answered.event.host} answered at ${evidence.timeOf(answered.event.id)}; ${drop === undefined ? `the frame died on ${lost?.host} (${lost?.reason})` : `${drop.host} dropped it (${drop.reason}: ${drop.detail})`}. The director sees requests only: the entry stays in SYN_RECV and counts as active or inactive for a minute.`,
        fix: `Look at the way from ${answered.event.host} to the client, not at the director.`,
      },
      [answered.event.id, ...(drop === undefined ? [] : [drop.id])],
    );
  }
  return found.list;
};

/** The VIP answers ping, because the director does (net/ipv4/icmp.c:icmp_echo), while no server serves. */
export const pingIsNoTest: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of failed(toVirtual(evidence))) {
    const { client, to, startNs, protocol } = conversation;
    if (protocol !== "tcp" || choicesOf(evidence, conversation).length === 0) continue;
    const ping = evidence.conversations.find((one) => one.protocol === "icmp" && one.outcome === "ok" && one.client === client && one.to.address === to.address && Math.abs(one.startNs - startNs) < 30 * NS_PER_SECOND);
    const death = conversation.drops.find(({ reason, host }) => (reason === "NO_SOCKET" || reason === "NEIGH_FAILED") && host !== client);
    if (ping === undefined || death === undefined) continue;
    found.add(
      {
        id: "ping-is-no-test",
        host: client,
        title: `${client} can ping ${formatIpv4Address(to.address)}, and still nobody serves ${formatEnd(to)}`,
        why: `The echo is answered by the director itself, which has the address; IPVS and the real servers are not asked. The call to ${formatEnd(to)} died at ${death.host}: ${death.detail}.`,
        fix: `Test the port of the service (curl, nc -z), and let a checker such as keepalived take dead servers out. Then start what serves on ${death.host}.`,
      },
      [ping.startId, death.id],
    );
  }
  return found.list;
};
