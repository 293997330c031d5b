/**
 * Calls of a virtual address that no server was chosen for, and that nothing more particular explains: no service, no VIP, no way there.
 */

import { formatIpv4Address, type Ipv4Address } from "../../base/ipv4-address.ts";
import { type Conversation, formatEnd } from "../conversations.ts";
import type { Evidence, EventOf, ServiceSpan } from "../evidence.ts";
import { type Check, type Finding, FindingList } from "../finding.ts";
import { choicesOf, isServerOf } from "./service-view.ts";

type Told = Omit<Finding, "events"> & { readonly events: readonly number[] };

/** The address is that of a service, or a director has it that balances by marks. */
function isBalanced(evidence: Evidence, address: Ipv4Address): boolean {
  return evidence.isVirtual(address) || evidence.services.some(({ director, address: own }) => own === undefined && evidence.everHad(director, address) && !isPrimary(evidence, director, address));
}

/** An address that the director has besides its VIPs, with a prefix of its network. */
function isPrimary(evidence: Evidence, director: string, address: Ipv4Address): boolean {
  const row = evidence.addressRow(director, address);
  return row !== undefined && row.prefixLength < 32;
}

/**
 * Calls without a choice that failed, the last of each client for each end: never served there though nothing of this VIP was, or served before and not
 * any more. Who gets what he came for and knocks at another port besides finds a closed door, not a fault.
 */
function lostCalls(evidence: Evidence): Conversation[] {
  const groups = new Map<string, Conversation[]>();
  const reached = new Set<string>();
  for (const conversation of evidence.conversations) {
    const { client, protocol, to, outcome } = conversation;
    if (protocol === "icmp" || !isBalanced(evidence, to.address)) continue;
    const key = `${client} ${protocol} ${formatEnd(to)}`;
    groups.set(key, [...(groups.get(key) ?? []), conversation]);
    if (outcome === "ok") reached.add(`${client} ${formatIpv4Address(to.address)}`);
  }
  return [...groups.values()].flatMap((group) => {
    const last = group.at(-1) as Conversation;
    const isDatagram = last.protocol === "udp" && last.drops.length === 0;
    if (last.outcome === "ok" || isDatagram || choicesOf(evidence, last).length > 0) return [];
    const wasServed = group.some(({ outcome }) => outcome === "ok");
    return wasServed || !reached.has(`${last.client} ${formatIpv4Address(last.to.address)}`) ? [last] : [];
  });
}

/** A call of a virtual address that was never balanced. */
export const unserved: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of lostCalls(evidence)) {
    const told = tellNoService(evidence, conversation) ?? tellNoForwarding(conversation) ?? tellTooBig(evidence, conversation) ?? tellLost(evidence, conversation);
    if (told === undefined) continue;
    const { events, ...finding } = told;
    found.add(finding, events, formatEnd(conversation.to));
  }
  cannotCall(evidence, found);
  return found.list;
};

/** It came to a host that has the VIP, and no service there is for it. */
function tellNoService(evidence: Evidence, conversation: Conversation): Told | undefined {
  const { to, protocol } = conversation;
  const refusal = conversation.drops.findLast(({ reason, packet, host }) => reason === "NO_SOCKET" && packet.dst === to.address && host !== conversation.client);
  if (refusal === undefined) return undefined;
  const { host, id } = refusal;
  const end = formatEnd(to);
  const flag = protocol === "udp" ? "-u" : "-t";
  const base = { id: "no-such-service", host, title: `${host} has ${formatIpv4Address(to.address)} and no virtual service for ${protocol} port ${to.port}`, events: [conversation.startId, id] };
  const own = evidence.services.filter(({ director, sinceId, untilId }) => director === host && sinceId <= id && id < untilId);
  const gone = evidence.services.findLast(({ director, address, port, untilId }) => director === host && address === to.address && (port === to.port || port === 0) && untilId <= id);
  const removed = gone === undefined ? undefined : evidence.event(gone.untilId);
  const behind = removed === undefined ? undefined : (evidence.commandBehind(removed.id) ?? evidence.commandBehind(removed.cause));
  const elsewhere = evidence.services.find(({ director, address, port, protocol: other }) => director !== host && address === to.address && (port === to.port || port === 0) && other.toLowerCase() === protocol);
  const refused = `The call of ${formatEnd(conversation.from)} was for ${end}; IPVS knew no service for it and left it to the host itself, where ${refusal.detail}.`;
  if (gone !== undefined)
    return { ...base, why: `${refused} There was one (${gone.name}) until ${evidence.timeOf(gone.untilId)}${behind === undefined ? "" : `, when \`${behind.command}\` removed it`}.`, fix: `On ${host}: set the services up again (ipvsadm -R < the saved rules, or ipvsadm -A ${flag} ${end} and its servers).` };
  if (own.length === 0)
    return {
      ...base,
      why: `${refused} ${host} has no services at all${elsewhere === undefined ? "" : `; ${elsewhere.director} has ${elsewhere.name}`}.`,
      fix: elsewhere === undefined ? `On ${host}: ipvsadm -A ${flag} ${end} -s rr, and add its servers.` : `On ${host}: the same services as on ${elsewhere.director} (ipvsadm -S -n there, ipvsadm -R here), before it takes the address over.`,
    };
  const marked = own.find(({ address }) => address === undefined);
  const same = own.filter(({ address }) => address === to.address);
  return { ...base, why: `${refused} ${serviceWords(evidence, host, same.length === 0 ? own : same, id)}`, fix: fixOfService(host, same, marked, end, flag, protocol) };
}

function serviceWords(evidence: Evidence, host: string, services: readonly ServiceSpan[], id: number): string {
  const rules = services.some(({ address }) => address === undefined) ? evidence.tables.rows(host, "netfilter", id).filter(({ rule }) => /-j MARK\b/.test(rule)) : [];
  return `What it has: ${services.map(({ name }) => name).join(", ")}${rules.length === 0 ? "" : `; marks are set by ${rules.map(({ rule }) => `\`${rule}\``).join(", ")}, which this call does not match`}.`;
}

function fixOfService(host: string, same: readonly ServiceSpan[], marked: ServiceSpan | undefined, end: string, flag: string, protocol: string): string {
  const [other] = same;
  if (other !== undefined && other.protocol.toLowerCase() !== protocol) return `On ${host}: the service is for ${other.protocol}; add it with ${flag} (in keepalived.conf: protocol ${protocol.toUpperCase()}): ipvsadm -A ${flag} ${end}, with its servers.`;
  if (other !== undefined) return `Call the port that is served (${other.name}), or on ${host}: ipvsadm -A ${flag} ${end} and its servers (in keepalived.conf: the port of virtual_server).`;
  if (marked !== undefined) return `On ${host}: mark these calls, too: iptables -t mangle -A PREROUTING -d ${end.split(":")[0]} -p ${protocol} --dport ${end.split(":")[1]} -j MARK --set-mark ${marked.name.replace("FWM ", "")}`;
  return `On ${host}: ipvsadm -A ${flag} ${end} -s rr, and add its servers.`;
}

/** A router on the way there does not forward. net/ipv4/route.c:ip_route_input_slow */
function tellNoForwarding(conversation: Conversation): Told | undefined {
  const drop = conversation.drops.findLast(({ reason, packet, host, detail }) => reason === "IP_INADDRERRORS" && packet.dst === conversation.to.address && host !== conversation.client && detail.includes("does not forward"));
  if (drop === undefined) return undefined;
  const { host, id, detail } = drop;
  return { id: "ip-forward-off", host, title: `${host} does not forward: net.ipv4.ip_forward = 0`, why: `The request of ${formatEnd(conversation.from)} goes by ${host}, and ${detail}.`, fix: `On ${host}: sysctl -w net.ipv4.ip_forward=1`, events: [conversation.startId, id] };
}

/** A frame was larger than the interface takes that it came to: two ends of one link do not agree about its MTU. */
function tellTooBig(evidence: Evidence, conversation: Conversation): Told | undefined {
  const frame = evidence.recordsOf(conversation, "frame-dropped").find(({ reason }) => reason === "PKT_TOO_BIG");
  return frame === undefined ? undefined : tooBigFinding(evidence, frame);
}

function tooBigFinding(evidence: Evidence, frame: EventOf<"frame-dropped">): Told {
  const sender = evidence.ownerOfMac(frame.frame.src);
  const mtu = (host: string, device: string) => evidence.tables.rows(host, "links", frame.id).find(({ name }) => name === device)?.mtu;
  const from = sender === undefined ? "" : ` of ${sender.host}.${sender.device} (MTU ${mtu(sender.host, sender.device) ?? "?"})`;
  return {
    id: "mtu-black-hole",
    host: sender?.host ?? frame.host,
    title: `Frames${from} are too big for ${frame.host}.${frame.device} (MTU ${mtu(frame.host, frame.device) ?? "?"})`,
    why: `Both are on one link and do not agree about its MTU. What is larger than ${frame.host} takes is thrown away without a word: no ICMP can tell the sender, who sends it again and again.`,
    fix: `Give both the same MTU${sender === undefined ? "" : `: on ${sender.host}: ip link set ${sender.device} mtu ${mtu(frame.host, frame.device) ?? 1500}`}.`,
    events: [frame.id],
  };
}

/** Frames that died of their size while a caller waited, on conversations that were balanced. */
export const frameTooBig: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of evidence.conversations) {
    if (conversation.outcome === "ok" || !isBalanced(evidence, conversation.to.address)) continue;
    const told = tellTooBig(evidence, conversation);
    if (told === undefined) continue;
    const { events, ...finding } = told;
    found.add(finding, events);
  }
  return found.list;
};

/** Wherever it died, or nobody answered at all. */
function tellLost(evidence: Evidence, conversation: Conversation): Told | undefined {
  const { client, to, startId } = conversation;
  const name = formatIpv4Address(to.address);
  const drop = conversation.drops.findLast(({ packet }) => packet.src === conversation.from.address);
  const lastId = conversation.ids.at(-1) ?? startId;
  const holders = evidence.hostNames.filter((host) => evidence.hasAddress(host, to.address, lastId) && !evidence.destsFor(to.address).some((dest) => isServerOf(evidence, host, dest)));
  const director = evidence.directorsOf(to.address)[0];
  const events = [startId, ...(drop === undefined ? [] : [drop.id])];
  if (drop?.reason === "NEIGH_FAILED" && drop.packet.dst === to.address) {
    if (holders.length === 0 && director !== undefined)
      return { id: "director-lacks-vip", host: director, title: `Nobody has ${name}`, why: `${drop.host} asked by ARP and nobody answered: ${drop.detail}. No host has the address${vrrpWords(evidence, director)}.`, fix: `On ${director}: ip addr add ${name}/32 dev eth0, or mend what should do that (with keepalived: the interface and virtual_ipaddress of keepalived.conf; see its lines in /var/log/messages).`, events };
    const holder = holders.find((host) => evidence.directs(host, to.address, lastId)) ?? holders[0];
    const decision = evidence.of("arp-decision").findLast((one) => one.target === to.address && one.host === holder && !one.isAnswered && one.id < drop.id);
    return { id: "vip-unreachable", host: holder ?? drop.host, title: `${drop.host} finds nobody at ${name}`, why: `${drop.detail}. ${holder === undefined ? "No host has it." : `${holder} has it${decision === undefined ? ", and did not hear the request" : `, heard the request and kept silent: ${decision.detail}`}.`}`, fix: decision === undefined ? `Bring ${holder ?? name} and ${drop.host} on one link, or route between them.` : `On ${holder}: mend what keeps it silent (${decision.detail}).`, events: [...events, ...(decision === undefined ? [] : [decision.id])] };
  }
  if (drop === undefined) {
    if (holders.length > 0) return undefined;
    return { id: "vip-unreachable", host: director ?? client, title: `Calls of ${name} get no answer`, why: `No host has the address${director === undefined ? "" : vrrpWords(evidence, director)}.`, fix: `Give ${name} to the director (ip addr add ${name}/32 dev eth0).`, events };
  }
  const rewritten = drop.packet.dst !== to.address ? ` It was for ${formatIpv4Address(drop.packet.dst)} by then: somebody on the way had rewritten it.` : "";
  return { id: "vip-unreachable", host: drop.host, title: `Calls of ${formatEnd(to)} die at ${drop.host}`, why: `${drop.host} dropped the request (${drop.reason}): ${drop.detail}.${rewritten}`, fix: `On ${drop.host}: look at its routes and rules for ${formatIpv4Address(drop.packet.dst)} (ip route get ${formatIpv4Address(drop.packet.dst)}, ip neigh, iptables -t nat -S).`, events };
}

/** What keepalived of a director said that it could not do. */
function vrrpWords(evidence: Evidence, director: string): string {
  const line = evidence.of("log").find(({ host, text }) => host === director && /Keepalived/i.test(text) && /(not match|unknown|doesn't exist|does not exist|no such|invalid|FAULT|cannot)/i.test(text));
  return line === undefined ? "" : `; keepalived of ${director} said: ${line.text.replace(/^.*?Keepalived/i, "Keepalived")}`;
}

/** A host that has no route to the VIP cannot even begin. net/ipv4/tcp_ipv4.c:tcp_v4_connect */
function cannotCall(evidence: Evidence, found: FindingList): void {
  const lastOf = new Map<string, EventOf<"route">>();
  for (const event of evidence.of("route")) if (event.direction === "out" && isBalanced(evidence, event.dst)) lastOf.set(`${event.host} ${event.dst}`, event);
  for (const event of lastOf.values()) {
    if (event.type !== "ENETUNREACH" || evidence.conversations.some(({ client, to }) => client === event.host && to.address === event.dst)) continue;
    const { host, dst, id } = event;
    if (evidence.isDirector(host) || evidence.dests.some(({ address }) => evidence.everHad(host, address))) continue;
    const command = evidence.commandBehind(id);
    found.add(
      {
        id: "no-route-to-vip",
        host,
        title: `${host} has no route to ${formatIpv4Address(dst)}`,
        why: `${command === undefined ? "A call" : `\`${command.command}\``} failed before a packet was sent: ${event.detail} (${event.type}).`,
        fix: `On ${host}: ip route add default via ROUTER, or a route to ${formatIpv4Address(dst)}.`,
      },
      id,
      formatIpv4Address(dst),
    );
  }
}
