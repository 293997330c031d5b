/**
 * Faults of packet filters, and of translation that direct routing does not survive.
 */

import { formatIpv4Address } from "../../base/ipv4-address.ts";
import type { Ipv4Packet } from "../../wire/packet.ts";
import { type Conversation, errorIn } from "../conversations.ts";
import type { Evidence, EventOf } from "../evidence.ts";
import { type Check, type Finding, FindingList } from "../finding.ts";
import { choicesOf, chosenDest, failed, isServerOf, methodsOf, receivedBy, ruleOf, toVirtual } from "./service-view.ts";

/** The rule or policy that a drop was made by. */
function verdictBehind(evidence: Evidence, drop: EventOf<"packet-dropped">): EventOf<"netfilter"> | undefined {
  const before = evidence.event(drop.cause);
  return before?.kind === "netfilter" ? before : undefined;
}

/**
 * A packet filter drops what the service needs: requests in INPUT of the director (IPVS comes after the filter there) or of a server, answers in
 * FORWARD or in OUTPUT of a server, half of a connection as INVALID, or packets with the VIP as their source at a router. net/netfilter/ipvs/ip_vs_core.c:ip_vs_ops
 */
export const packetFilters: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of failed(toVirtual(evidence)))
    for (const drop of conversation.drops) {
      if (drop.reason !== "NETFILTER_DROP" && drop.reason !== "NETFILTER_REJECT") continue;
      const verdict = verdictBehind(evidence, drop);
      if (verdict === undefined || drop.packet.payload.kind === "icmp") continue;
      const finding = filterFinding(evidence, { conversation, drop, verdict });
      if (finding !== undefined) found.add(finding, [verdict.id, drop.id], finding.id === "half-flow-invalid" ? verdict.rule : "");
    }
  return found.list;
};

interface FilteredPacket {
  readonly conversation: Conversation;
  readonly drop: EventOf<"packet-dropped">;
  readonly verdict: EventOf<"netfilter">;
}

function filterFinding(evidence: Evidence, filtered: FilteredPacket): Omit<Finding, "events"> | undefined {
  const { conversation, drop, verdict } = filtered;
  const { host, chain, rule } = verdict;
  const vip = conversation.to.address;
  const isDirector = evidence.directs(host, vip, drop.id);
  const isServer = evidence.destsFor(vip).some((dest) => isServerOf(evidence, host, dest));
  const isReply = drop.packet.dst === conversation.from.address;
  const packet = `${formatIpv4Address(drop.packet.src)} > ${formatIpv4Address(drop.packet.dst)}`;
  const base = baseChain(evidence, drop, chain);
  const accept = acceptCommand(base, conversation, drop.packet);
  if (/INVALID/.test(rule))
    return {
      id: "half-flow-invalid",
      host,
      title: `\`${rule}\` on ${host} drops half of a connection that it sees only one direction of`,
      why: `With direct routing and tunnels answers take another way than requests. ${host} sees ${packet} and nothing of the other direction, so to its connection tracking the packet belongs to no connection that could be: INVALID.`,
      fix: `On ${host}: except the VIP from the rule (iptables -I ${base} -d ${formatIpv4Address(vip)} -j ACCEPT, and -s), or let both directions pass.`,
    };
  // A health check found out and nobody is sent there any longer: that is what it is for.
  if (isServer && !isDirector && isTakenOut(evidence, host, vip, drop.id)) return undefined;
  if (base === "INPUT" && (isDirector || isServer)) {
    // What is no service is dropped by somebody's will.
    if (isDirector && !isServer && !isForService(evidence, filtered)) return undefined;
    return {
      id: "input-dropped",
      host,
      title: `\`${rule}\` on ${host} drops packets for ${formatIpv4Address(drop.packet.dst)}`,
      why: isDirector && !isServer ? `IPVS works in LOCAL_IN, after the filter table's INPUT chain: what is dropped there (${packet}) is never balanced, and its counters stay at 0.` : `${packet} reached the server and was dropped in INPUT (\`${rule}\`).`,
      fix: `On ${host}: ${accept}`,
    };
  }
  if (base === "FORWARD" && isDirector && isReply) return answersDropped(evidence, filtered);
  if (isReply && drop.packet.src === vip && !isDirector && !isServer && host !== conversation.client)
    return {
      id: "foreign-source-filtered",
      host,
      title: `${host} filters packets that come from the VIP ${formatIpv4Address(vip)}`,
      why: `The server's answer has the VIP as its source, which is foreign on this side of ${host}: \`${rule}\` drops it.`,
      fix: `On ${host}: let packets from ${formatIpv4Address(vip)} pass (iptables -I ${base} -s ${formatIpv4Address(vip)} -j ACCEPT), or use NAT for this server.`,
    };
  if (host === conversation.client || !(isDirector || isServer || base === "FORWARD")) return undefined;
  return {
    id: base === "FORWARD" ? "forward-dropped" : base === "OUTPUT" || base === "POSTROUTING" ? "output-dropped" : "input-dropped",
    host,
    title: `\`${rule}\` on ${host} drops ${isReply ? "answers" : "packets"} of the service`,
    why: `${packet}${drop.packet.payload.kind === conversation.protocol ? "" : ` (protocol ${drop.packet.protocol}, a tunnel of the service)`} was dropped in ${base} of ${host}.`,
    fix: `On ${host}: ${accept}${base === "FORWARD" && !isReply && drop.packet.dst === vip ? `; the answers may need the same: iptables -I FORWARD -s ${formatIpv4Address(vip)} -p ${conversation.protocol} --sport ${conversation.to.port} -j ACCEPT` : ""}`,
  };
}

/** A rule that lets packets such as the dropped one pass. */
function acceptCommand(base: string, { protocol, from, to }: Conversation, packet: Ipv4Packet): string {
  const { payload } = packet;
  if (payload.kind !== protocol || (payload.kind !== "tcp" && payload.kind !== "udp")) return `iptables -I ${base} -s ${formatIpv4Address(packet.src)} -p ${packet.protocol} -j ACCEPT`;
  if (packet.src === to.address || (packet.dst === from.address && packet.src !== from.address)) return `iptables -I ${base} -s ${formatIpv4Address(packet.src)} -p ${protocol} --sport ${payload.srcPort} -j ACCEPT`;
  return `iptables -I ${base} -d ${formatIpv4Address(packet.dst)} -p ${protocol} --dport ${packet.dst === to.address ? to.port : payload.dstPort} -j ACCEPT`;
}

/** The dropped packet was for a virtual service: by its address and port, or by the mark that a rule gives to such packets. */
function isForService(evidence: Evidence, { conversation: { to }, drop }: FilteredPacket): boolean {
  const { host, id } = drop;
  if (evidence.servicesFor(to.address, to.port, id).some(({ director }) => director === host)) return true;
  const hasMarks = evidence.services.some(({ director, protocol, sinceId, untilId }) => director === host && protocol === "FWM" && sinceId <= id && id < untilId);
  return hasMarks && evidence.tables.rows(host, "netfilter", id).some(({ table, rule }) => table === "mangle" && rule.includes("-j MARK") && takesPort(rule, to.port));
}

/** A rule that names no ports takes all. */
function takesPort(rule: string, port: number): boolean {
  const ports = / --(?:dport|dports) (\S+)/.exec(rule)?.[1];
  return ports === undefined || ports.split(",").some((range) => Number(range.split(":")[0]) <= port && port <= Number(range.split(":").at(-1)));
}

/**
 * Answers of NAT servers, dropped in FORWARD. With vs.conntrack=0 a rule for ESTABLISHED does not know them: what IPVS rewrites is taken out of
 * connection tracking (net/netfilter/ipvs/ip_vs_xmit.c:ip_vs_nat_send_or_cont), so its answer belongs to no connection.
 */
function answersDropped(evidence: Evidence, { conversation, drop, verdict: { host, rule } }: FilteredPacket): Omit<Finding, "events"> {
  const isTracked = evidence.setting(host, "net.ipv4.vs.conntrack", drop.id) !== 0;
  const stateRule = ruleOf(evidence, host, "filter", /^-A FORWARD.*ESTABLISHED.*-j ACCEPT/, drop.id);
  const servers = [...new Set(evidence.destsFor(conversation.to.address).flatMap((dest) => (dest.director === host && dest.method === "masq" ? [formatIpv4Address(dest.address)] : [])))];
  const received = evidence.chain(drop.id).find((one): one is EventOf<"frame-received"> => one.kind === "frame-received" && one.host === host);
  const device = received === undefined ? "" : ` -i ${received.device}`;
  const state = "iptables -I FORWARD -m state --state ESTABLISHED,RELATED -j ACCEPT";
  const stateText = stateRule === undefined || isTracked ? "" : ` \`${stateRule.rule}\` does not let it pass: net.ipv4.vs.conntrack = 0, so connection tracking knows nothing of IPVS's connections and the answer is not ESTABLISHED.`;
  return {
    id: "forward-dropped",
    host,
    title: `\`${rule}\` on ${host} drops the answers of the real servers`,
    why: `Requests pass IPVS in LOCAL_IN and never FORWARD; answers of NAT servers do pass it, and ${formatIpv4Address(drop.packet.src)} > ${formatIpv4Address(drop.packet.dst)} was dropped there.${stateText}`,
    fix: `On ${host}: iptables -I FORWARD${device} -s ${servers.length === 0 ? formatIpv4Address(drop.packet.src) : servers.join(",")} -j ACCEPT${isTracked ? ` (or ${state})` : stateRule === undefined ? ` (or, with sysctl -w net.ipv4.vs.conntrack=1: ${state})` : " (or, for the rule that is there: sysctl -w net.ipv4.vs.conntrack=1)"}.`,
  };
}

/** The server was taken out of the service after this, or given weight 0. */
function isTakenOut(evidence: Evidence, host: string, vip: number, id: number): boolean {
  return evidence.destsFor(vip).some((dest) => {
    if (!isServerOf(evidence, host, dest) || dest.untilId < id) return false;
    const change = evidence.of("table").find((event) => event.id > id && event.host === dest.director && event.table === "ipvs-dest" && event.entry.startsWith(`${dest.service} -> ${formatIpv4Address(dest.address)}:${dest.port} `) && (event.change === "remove" || event.entry.includes(" weight 0 ")));
    return change !== undefined && /keepalived/.test(evidence.commandBehind(change.id)?.command ?? "");
  });
}

/** The built-in chain that a rule of a chain of its own was reached from: by where the packet was going. */
function baseChain(evidence: Evidence, drop: EventOf<"packet-dropped">, chain: string): string {
  if (["INPUT", "FORWARD", "OUTPUT", "PREROUTING", "POSTROUTING"].includes(chain)) return chain;
  const isOwn = !evidence.chain(drop.id).some((one) => one.kind === "frame-received" && one.host === drop.host) && evidence.isLocal(drop.host, drop.packet.src, drop.id);
  return evidence.isLocal(drop.host, drop.packet.dst, drop.id) ? "INPUT" : isOwn ? "OUTPUT" : "FORWARD";
}

/** With vs.conntrack=1 rules of the nat table see the director's own sends: a masqueraded request of direct routing is answered to the director. */
export const sourceRewritten: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of failed(toVirtual(evidence))) {
    const methods = methodsOf(evidence, conversation);
    if (!methods.has("route") && !methods.has("tunnel")) continue;
    for (const event of evidence.recordsOf(conversation, "packet-rewritten")) {
      if (event.by !== "masquerade" && event.by !== "snat") continue;
      const { host, before, after } = event;
      if (before.src !== conversation.from.address || after.src === before.src || !evidence.directs(host, conversation.to.address, event.id)) continue;
      const rule = ruleOf(evidence, host, "nat", /POSTROUTING.*-j (MASQUERADE|SNAT)/, event.id);
      found.add(
        {
          id: "source-rewritten",
          host,
          title: `${rule === undefined ? "A rule" : `\`${rule.rule}\``} on ${host} hides the client from the real server`,
          why: `The request left with the source ${formatIpv4Address(after.src)} instead of ${formatIpv4Address(before.src)} (vs.conntrack = ${evidence.setting(host, "net.ipv4.vs.conntrack", event.id)}). With direct routing the server answers from the VIP to ${formatIpv4Address(after.src)}, that is to ${host}, which has the VIP itself and drops the packet as a martian.`,
          fix: `On ${host}: iptables -t nat -I POSTROUTING -d ${formatIpv4Address(conversation.to.address)} -j ACCEPT, or vs.conntrack=0.`,
        },
        event.id,
      );
    }
  }
  return found.list;
};

/** A packet got another destination before IPVS, and direct routing sends it by that: to the director's own stack. ip_vs_xmit.c:ip_vs_send_or_cont, ip_route_me_harder */
export const destinationRewritten: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of failed(evidence.conversations)) {
    const rewrite = evidence.recordsOf(conversation, "packet-rewritten").find(({ by, before, after }) => by === "dnat" && before.dst !== after.dst && evidence.isVirtual(after.dst));
    if (rewrite === undefined) continue;
    const methods = methodsOf(evidence, conversation);
    if (choicesOf(evidence, conversation).length > 0 && !methods.has("route") && !methods.has("tunnel")) continue;
    const { host, before, after } = rewrite;
    const rule = ruleOf(evidence, host, "nat", /-j DNAT/, rewrite.id);
    found.add(
      {
        id: "destination-rewritten",
        host,
        title: `${rule === undefined ? "A DNAT rule" : `\`${rule.rule}\``} on ${host} turns ${formatIpv4Address(before.dst)} into the VIP, which direct routing does not survive`,
        why: `The packet was for ${formatIpv4Address(before.dst)} and is rewritten to ${formatIpv4Address(after.dst)} before IPVS. The real server answers from ${formatIpv4Address(after.dst)} straight to the client, which called ${formatIpv4Address(before.dst)}; with vs.conntrack = 1 the packet does not even leave: its changed destination is routed again, to ${host} itself.`,
        fix: `On ${host}: make a virtual service for ${formatIpv4Address(before.dst)} instead of the rule (and add the address on the servers), or use NAT (-m).`,
      },
      rewrite.id,
    );
  }
  return found.list;
};

/** Messages of path MTU discovery that a filter drops. */
export function droppedErrors(evidence: Evidence, drops: readonly EventOf<"packet-dropped">[]): { readonly drop: EventOf<"packet-dropped">; readonly rule: string; readonly chain: string }[] {
  return drops.flatMap((drop) => {
    const error = errorIn(drop.packet);
    if (error === undefined || error.type !== 3 || error.code !== 4) return [];
    const verdict = verdictBehind(evidence, drop);
    return [{ drop, rule: verdict?.rule ?? drop.detail, chain: verdict === undefined ? "INPUT" : baseChain(evidence, drop, verdict.chain) }];
  });
}

/** Who received a conversation's requests, for sentences. */
export function reached(evidence: Evidence, conversation: Parameters<typeof receivedBy>[1], host: string): boolean {
  return !receivedBy(evidence, conversation, host).next().done;
}

/** A server that a choice named is the director itself. */
export function isLocalChoice(evidence: Evidence, choice: EventOf<"scheduled">): boolean {
  const dest = chosenDest(evidence, choice);
  return dest !== undefined && (dest.method === "local" || evidence.hasAddress(choice.host, dest.address, choice.id));
}
