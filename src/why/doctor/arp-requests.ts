/**
 * Faults of a server's own requests: an ARP request tells who asks, and peers believe it; a connection from the VIP is answered to the director.
 */

import { formatIpv4Address } from "../../base/ipv4-address.ts";
import { type Conversation, formatEnd, innermost } from "../conversations.ts";
import type { Evidence, EventOf } from "../evidence.ts";
import { type Check, FindingList } from "../finding.ts";
import { directSends } from "./arp-view.ts";

/**
 * A server asks "who has X? tell VIP", and who hears it takes the VIP to be at the server. net/ipv4/arp.c:arp_solicit takes the source of the packet
 * that waits as the sender unless arp_announce of the outgoing interface says otherwise; arp_process learns the sender of every request.
 */
export const arpAnnouncesVip: Check = (evidence) => {
  const found = new FindingList();
  for (const event of evidence.of("frame-sent")) {
    const { payload } = event.frame;
    if (payload.kind !== "arp" || payload.operation !== 1 || payload.senderIp === payload.targetIp || !evidence.isVirtual(payload.senderIp)) continue;
    const { host, device, id } = event;
    const address = payload.senderIp;
    if (evidence.directs(host, address, id) || !evidence.isLocal(host, address, id)) continue;
    const learnt = evidence.of("neighbour").filter((one) => one.address === address && one.mac === event.frame.src && one.id > id && one.host !== host && follows(evidence.chain(one.id).map((step) => step.id), id));
    const used = learnt.length === 0 ? undefined : firstUse(learnt, [...directSends(evidence, (to) => to === address)].filter(({ receiver }) => receiver === host).map(({ event: send }) => send));
    if (used === undefined) continue;
    const name = formatIpv4Address(address);
    const victim = used.send.host;
    found.add(
      {
        id: "arp-announces-vip",
        host,
        title: `${host} tells the VIP ${name} in its own ARP requests, and ${victim} believes it`,
        why: `${host} asked for ${formatIpv4Address(payload.targetIp)} as ${name}, because the packet that waited came from the VIP and ${evidence.inForceText(host, device, "arp_announce", id)}. ${victim} took the sender of the request into its cache, and from ${evidence.timeOf(used.send.id)} on sends packets for ${name} to ${host} instead of the director.`,
        fix: `On ${host}: sysctl -w net.ipv4.conf.all.arp_announce=2 (requests then tell the address of ${device}), with arp_ignore=1 for the answers${usesArptables(evidence.of("command-start")) ? "; or an arptables rule for what goes out (-j mangle --mangle-ip-s RIP), not only for what comes in" : ""}.`,
      },
      [id, used.learnt.id, used.send.id],
      name,
    );
  }
  return found.list;
};

/** The caller has not begun to close it. */
function isOpenAt(evidence: Evidence, conversation: Conversation, id: number): boolean {
  return conversation.isEstablished && !evidence.recordsOf(conversation, "tcp-state").some((event) => event.id < id && event.host === conversation.client && event.before === "ESTABLISHED");
}

/**
 * The director asks for a server as the VIP: its VIP is the first address of the subnet, the DIP a secondary one. A server that has the VIP takes that
 * for a martian and does not answer, whatever its arp_ignore says. net/ipv4/devinet.c:inet_select_addr, net/ipv4/arp.c:arp_process
 */
export const directorAsksFromVip: Check = (evidence) => {
  const found = new FindingList();
  for (const event of evidence.of("arp-decision")) {
    const { host, target, sender, id } = event;
    if (event.isAnswered || !evidence.isVirtual(sender) || !event.detail.includes("is local here")) continue;
    const request = evidence.chain(id).find((one): one is EventOf<"frame-sent"> => one.kind === "frame-sent");
    if (request === undefined || !evidence.directs(request.host, sender, id) || evidence.conversationOf(id)?.client === request.host) continue;
    const failure = evidence.of("neighbour").find((one) => one.id > id && one.host === request.host && one.address === target && one.after === "FAILED");
    if (failure === undefined) continue;
    const row = evidence.addressRow(request.host, sender, id);
    const name = formatIpv4Address(sender);
    found.add(
      {
        id: "director-asks-from-vip",
        host: request.host,
        title: `${request.host} asks for its servers as ${name}, the VIP, and they do not answer`,
        why: `${request.host} sent "who has ${formatIpv4Address(target)}? tell ${name}", for ${name}/${row?.prefixLength ?? 32} is the first address of ${request.device} for this network. ${host} has ${name} itself: ${event.detail}, so to it the request is a martian. ${request.host} gave up at ${evidence.timeOf(failure.id)}.`,
        fix: `On ${request.host}: give ${request.device} its own address first and the VIP after it, with /32 (ip addr add ${name}/32 dev ${request.device}).`,
      },
      [request.id, id, failure.id],
      name,
    );
  }
  return found.list;
};

function follows(chain: readonly number[], id: number): boolean {
  return chain.includes(id);
}

function firstUse(learnt: readonly EventOf<"neighbour">[], sends: readonly EventOf<"frame-sent">[]): { readonly learnt: EventOf<"neighbour">; readonly send: EventOf<"frame-sent"> } | undefined {
  for (const one of learnt) {
    const send = sends.find((sent) => sent.host === one.host && sent.id > one.id);
    if (send !== undefined) return { learnt: one, send };
  }
  return undefined;
}

function usesArptables(commands: readonly EventOf<"command-start">[]): boolean {
  return commands.some(({ command }) => command.startsWith("arptables"));
}

/**
 * A server calls somebody from the VIP. The answer goes to who owns the VIP, the director, which knows no such connection and resets it.
 */
export const outboundFromVip: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of evidence.conversations) {
    const { client, from, to, startId } = conversation;
    if (conversation.outcome === "ok" || !evidence.isVirtual(from.address) || evidence.directs(client, from.address, startId) || evidence.isLocal(client, to.address, startId)) continue;
    const astray = evidence.recordsOf(conversation, "frame-received").find(({ host, frame }) => {
      if (host === client || frame.payload.kind !== "ipv4" || evidence.ownerOfMac(frame.dst)?.host !== host) return false;
      const packet = innermost(frame.payload);
      return packet.dst === from.address && evidence.directs(host, from.address, startId);
    });
    if (astray === undefined) continue;
    const caller = evidence.conversations.findLast((one) => one.number < conversation.number && one.from.address === to.address && one.to.address === from.address && one.startId < startId && isOpenAt(evidence, one, startId));
    if (caller !== undefined) {
      found.add(
        {
          id: "callback-dropped",
          host: client,
          title: `${client} calls its client back from the VIP (port ${to.port}), waits, and the client with it`,
          why: `While it serves ${formatEnd(caller.from)}, ${client} calls ${formatEnd(to)} with the source ${formatIpv4Address(from.address)}. The answer goes to ${astray.host}, who has the VIP for everybody else and knows no such connection, so ${client} waits until it gives up.`,
          fix: `On ${client}: do not look up callers (identd, reverse DNS), or let the call fail at once: iptables -A OUTPUT -p tcp --dport ${to.port} -j REJECT --reject-with tcp-reset.`,
        },
        [caller.startId, startId, astray.id],
        formatIpv4Address(from.address),
      );
      continue;
    }
    found.add(
      {
        id: "outbound-from-vip",
        host: client,
        title: `${client} calls ${formatEnd(to)} from the VIP, and the answer goes to ${astray.host}`,
        why: `The connection of ${client} has the source ${formatIpv4Address(from.address)}, which for everybody else is at ${astray.host}. ${astray.host} got the answer at ${evidence.timeOf(astray.id)} and knows no such connection.`,
        fix: `On ${client}: make connections of its own start from its own address: the RIP as the first address, and \`src RIP\` on its routes (ip route change default via GATEWAY src RIP), or bind the program to the RIP.`,
      },
      [startId, astray.id],
      formatIpv4Address(from.address),
    );
  }
  return found.list;
};
