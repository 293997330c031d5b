/**
 * Faults of packet filters, and of translation that direct routing does not survive.
 */

import { formatIpv4Address } from "../../base/ipv4-address.ts";
import { errorIn } from "../conversations.ts";
import type { Evidence, EventOf } from "../evidence.ts";
import { type Check, FindingList } from "../finding.ts";
import { choicesOf, chosenDest, failed, isServerOf, methodsOf, receivedBy, ruleOf, toVirtual } from "./service-view.ts";

/** The rule or policy that a drop was made by. */
function verdictBehind(evidence: Evidence, drop: EventOf<"packet-dropped">): EventOf<"netfilter"> | undefined {
  const before = evidence.event(drop.cause);
  return before?.kind === "netfilter" ? before : undefined;
}

/**
 * A packet filter drops what the service needs: requests in INPUT of the director (IPVS comes after the filter there) or of a server, answers in
 * FORWARD, half of a connection as INVALID, or packets with the VIP as their source at a router. net/netfilter/ipvs/ip_vs_core.c:ip_vs_ops
 */
export const packetFilters: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of failed(toVirtual(evidence)))
    for (const drop of conversation.drops) {
      if (drop.reason !== "NETFILTER_DROP" && drop.reason !== "NETFILTER_REJECT") continue;
      const verdict = verdictBehind(evidence, drop);
      if (verdict === undefined || drop.packet.payload.kind === "icmp") continue;
      const { host, chain, rule } = verdict;
      const vip = conversation.to.address;
      const isDirector = evidence.directs(host, vip, drop.id);
      const isServer = evidence.destsFor(vip).some((dest) => isServerOf(evidence, host, dest));
      const isReply = drop.packet.dst === conversation.from.address;
      const packet = `${formatIpv4Address(drop.packet.src)} > ${formatIpv4Address(drop.packet.dst)}`;
      const base = baseChain(evidence, drop, chain);
      if (/INVALID/.test(rule)) {
        found.add(
          {
            id: "half-flow-invalid",
            host,
            title: `\`${rule}\` on ${host} drops half of a connection that it sees only one direction of`,
            why: `With direct routing and tunnels answers take another way than requests. ${host} sees ${packet} and nothing of the other direction, so to its connection tracking the packet belongs to no connection that could be: INVALID.`,
            fix: `On ${host}: except the VIP from the rule (iptables -I ${base} -d ${formatIpv4Address(vip)} -j ACCEPT, and -s), or let both directions pass.`,
          },
          [verdict.id, drop.id],
          rule,
        );
      } else if (isServer && !isDirector && isTakenOut(evidence, host, vip, drop.id)) {
        // A health check found out and nobody is sent there any longer: that is what it is for.
      } else if (base === "INPUT" && (isDirector || isServer)) {
        found.add(
          {
            id: "input-dropped",
            host,
            title: `\`${rule}\` on ${host} drops packets for ${formatIpv4Address(drop.packet.dst)}`,
            why: isDirector && !isServer ? `IPVS works in LOCAL_IN, after the filter table's INPUT chain: what is dropped there (${packet}) is never balanced, and its counters stay at 0.` : `${packet} reached the server and was dropped in INPUT (\`${rule}\`).`,
            fix: `On ${host}: iptables -I INPUT -d ${formatIpv4Address(vip)} -p ${conversation.protocol} --dport ${conversation.to.port} -j ACCEPT`,
          },
          [verdict.id, drop.id],
        );
      } else if (base === "FORWARD" && isDirector) {
        found.add(
          {
            id: "forward-dropped",
            host,
            title: `\`${rule}\` on ${host} drops the answers of the real servers`,
            why: `Requests pass IPVS in LOCAL_IN and never FORWARD; answers of NAT servers do pass it, and ${packet} was dropped there.`,
            fix: `On ${host}: iptables -I FORWARD -m state --state ESTABLISHED,RELATED -j ACCEPT (or accept what comes from the servers).`,
          },
          [verdict.id, drop.id],
        );
      } else if (isReply && drop.packet.src === vip && !isDirector && !isServer && host !== conversation.client) {
        found.add(
          {
            id: "foreign-source-filtered",
            host,
            title: `${host} filters packets that come from the VIP ${formatIpv4Address(vip)}`,
            why: `The server's answer has the VIP as its source, which is foreign on this side of ${host}: \`${rule}\` drops it.`,
            fix: `On ${host}: let packets from ${formatIpv4Address(vip)} pass (iptables -I ${base} -s ${formatIpv4Address(vip)} -j ACCEPT), or use NAT for this server.`,
          },
          [verdict.id, drop.id],
        );
      } else if (host !== conversation.client && (isDirector || isServer || base === "FORWARD")) {
        found.add(
          {
            id: base === "FORWARD" ? "forward-dropped" : "input-dropped",
            host,
            title: `\`${rule}\` on ${host} drops packets of the service`,
            why: `${packet} was dropped in ${base} of ${host}.`,
            fix: `On ${host}: accept it before that rule.`,
          },
          [verdict.id, drop.id],
        );
      }
    }
  return found.list;
};

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
  return evidence.isLocal(drop.host, drop.packet.dst, drop.id) ? "INPUT" : "FORWARD";
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
export function droppedErrors(evidence: Evidence, drops: readonly EventOf<"packet-dropped">[]): { readonly drop: EventOf<"packet-dropped">; readonly rule: string }[] {
  return drops.flatMap((drop) => {
    const error = errorIn(drop.packet);
    if (error === undefined || error.type !== 3 || error.code !== 4) return [];
    return [{ drop, rule: verdictBehind(evidence, drop)?.rule ?? drop.detail }];
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
