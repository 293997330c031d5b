/**
 * Faults of calls from inside: the director, a server or a second director as the client; and directors that hand packets to each other.
 */

import { formatIpv4Address } from "../../base/ipv4-address.ts";
import { formatEnd, innermost } from "../conversations.ts";
import { type Check, FindingList } from "../finding.ts";
import { isLocalChoice } from "./netfilter.ts";
import { choicesOf, failed, isServerOf, methodsOf, toVirtual } from "./service-view.ts";

/**
 * The director calls its own VIP: the source is the VIP, too, and a server that has the VIP drops the request as a martian (or does not even
 * answer the director's ARP). net/ipv4/fib_frontend.c:__fib_validate_source
 */
export const directorIsClient: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of failed(toVirtual(evidence))) {
    const { client, from, to } = conversation;
    const choice = choicesOf(evidence, conversation).find(({ host }) => host === client);
    if (choice === undefined || isLocalChoice(evidence, choice) || !evidence.isLocal(client, from.address, choice.id)) continue;
    const methods = methodsOf(evidence, conversation);
    if (!methods.has("route") && !methods.has("tunnel")) continue;
    const refusal = evidence.recordsOf(conversation, "arp-decision").find((event) => !event.isAnswered && event.detail.includes("is local here"));
    const death = conversation.drops.find(({ reason }) => reason === "IP_LOCAL_SOURCE" || reason === "IP_RPFILTER");
    const server = death?.host ?? refusal?.host;
    const isBackup = evidence.directorsOf(to.address).some((host) => host !== client && evidence.directs(host, to.address, choice.id) && evidence.isLocal(host, to.address, choice.id));
    const why = `The call has the source ${formatIpv4Address(from.address)}${from.address === to.address ? ", the VIP itself" : ""}. ${client} gives it to ${choice.chosen}, where ${server === undefined ? "it is answered to the server itself" : `${server} has that address, too: ${death?.detail ?? refusal?.detail}`}.`;
    if (isBackup)
      found.add(
        {
          id: "server-is-client",
          host: client,
          title: `${client} calls the VIP ${formatEnd(to)}, which it has itself, and never reaches the director`,
          why: `For ${client} the VIP is its own address, so the call does not leave for the director; its own table takes it. ${why}`,
          fix: `Test from a machine that does not have the VIP, or give ${client} the VIP only when it takes over.`,
        },
        [choice.id, ...(death === undefined ? [] : [death.id])],
      );
    else
      found.add(
        {
          id: "director-is-client",
          host: client,
          title: `${client} calls its own virtual service ${formatEnd(to)}, which cannot work with ${methods.has("route") ? "direct routing" : "tunnels"}`,
          why,
          fix: `Test from a machine that does not have the VIP; from ${client} call the servers' own addresses (or use NAT for its calls).`,
        },
        [choice.id, ...(death === undefined ? [] : [death.id])],
      );
  }
  return found.list;
};

/** A real server calls the VIP, which is its own address: the call never leaves it. net/ipv4/route.c:ip_route_output_key_hash_rcu */
export const serverIsClient: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of evidence.conversations) {
    const { client, to, startId, protocol } = conversation;
    if (protocol === "icmp" || !evidence.isVirtual(to.address) || !evidence.isLocal(client, to.address, startId) || evidence.directs(client, to.address, startId)) continue;
    const director = evidence.directorsOf(to.address).find((host) => host !== client && evidence.directs(host, to.address, startId));
    if (director === undefined || evidence.servicesFor(to.address, to.port, startId).length === 0) continue;
    const isServer = evidence.destsFor(to.address).some((dest) => isServerOf(evidence, client, dest));
    found.add(
      {
        id: "server-is-client",
        host: client,
        title: `${client} calls the VIP ${formatEnd(to)} and gets itself`,
        why: `${client} has ${formatIpv4Address(to.address)} itself${placeOf(evidence.addressRow(client, to.address, startId)?.device)}: for its own programs the VIP is local, the call never reaches ${director}. ${conversation.outcome === "ok" ? "It is always answered by itself, whatever the weights say." : "Nothing here answers it."}`,
        fix: `${isServer ? `By design: let programs on ${client} call the service at ${client}'s own address, or a second service address that ${client} does not hold.` : `Test from a machine that does not have the VIP.`}`,
      },
      startId,
    );
  }
  return found.list;
};

function placeOf(device: string | undefined): string {
  return device === undefined ? "" : ` on ${device}`;
}

/**
 * Packets are scheduled again by the host that they were sent to: two directors with tables that name each other, or a server that also has a table.
 * `backup_only` keeps a backup from it (ip_vs_core.c:ip_vs_in_hook), `ignore_tunneled` a server from what came out of a tunnel.
 */
export const directorsBounce: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of toVirtual(evidence)) {
    const hops: { readonly host: string; readonly id: number; readonly packetId: number; readonly flags: number }[] = [];
    for (const event of evidence.recordsOf(conversation, "packet-rewritten"))
      if (event.by === "ipvs-route" || event.by === "ipvs-nat") hops.push({ host: event.host, id: event.id, packetId: event.after.id, flags: event.after.payload.kind === "tcp" ? event.after.payload.seq : 0 });
    for (const event of evidence.recordsOf(conversation, "packet-encapsulated")) {
      const inner = innermost(event.inner);
      hops.push({ host: event.host, id: event.id, packetId: inner.id, flags: inner.payload.kind === "tcp" ? inner.payload.seq : 0 });
    }
    hops.sort((a, b) => a.id - b.id);
    const [first] = hops;
    if (first === undefined) continue;
    const same = hops.filter(({ packetId, flags }) => packetId === first.packetId && flags === first.flags);
    const hosts = [...new Set(same.map(({ host }) => host))];
    const isReturned = same.length > hosts.length;
    const directing = hosts.filter((host) => choicesOf(evidence, conversation).some((choice) => choice.host === host));
    if (hosts.length < 2 || directing.length < 2 || (!isReturned && conversation.outcome === "ok")) continue;
    found.add(
      {
        id: "directors-bounce",
        host: hosts[1] as string,
        title: `${hosts.join(" and ")} schedule each other's packets for ${formatEnd(conversation.to)}`,
        why: `${hosts[0]} sent the packet to ${hosts[1]} as a real server, but ${hosts[1]} has a table for ${formatIpv4Address(conversation.to.address)} as well and chose again${isReturned ? `: ${same.length} times in all, until the choice was a machine's own or the TTL used up` : ""}.`,
        fix: `Keep the table on the active director only; or on the backup net.ipv4.vs.backup_only=1 with a sync daemon (ipvsadm --start-daemon backup), or mark packets by the other director's MAC and schedule by mark${evidence.recordsOf(conversation, "packet-encapsulated").length > 0 ? "; for tunnels net.ipv4.vs.ignore_tunneled=1" : ""}.`,
      },
      same.slice(0, 6).map(({ id }) => id),
    );
  }
  return found.list;
};
