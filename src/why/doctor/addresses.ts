/**
 * Faults of addresses, masks and routes: who lacks the VIP, who has too much of it, and where answers cannot go.
 */

import { formatIpv4Address, type Ipv4Address, isInPrefix, networkOf, parseIpv4Address } from "../../base/ipv4-address.ts";
import type { TraceEvent } from "../../trace/events.ts";
import { type Conversation, formatEnd, isRst } from "../conversations.ts";
import type { DestSpan, Evidence, EventOf } from "../evidence.ts";
import { type Check, FindingList } from "../finding.ts";
import { directorAddress, failed, frameSource, isServerOf, methodsOf, serviceOf, toVirtual } from "./service-view.ts";

/**
 * A prefix on lo makes the whole subnet local (net/ipv4/fib_frontend.c:fib_add_ifaddr: on a loopback device the network route has type local): packets
 * from there are martians, and requests for all of it are answered. On a tunnel device it is a route into the tunnel.
 */
export const vipPrefix: Check = (evidence) => {
  const found = new FindingList();
  for (const host of evidence.hostNames)
    for (const { row, sinceId, untilId } of widePrefixes(evidence, host)) {
      const address = parseIpv4Address(row.address) ?? 0;
      const network = networkOf(address, row.prefixLength);
      const prefix = `${formatIpv4Address(network)}/${row.prefixLength}`;
      const harm = evidence.events.find((event) => event.host === host && event.id >= sinceId && event.id < untilId && isHarmOfPrefix(evidence, event, { network, length: row.prefixLength, device: row.device }));
      if (harm === undefined) continue;
      const isLoopback = row.device === "lo";
      found.add(
        {
          id: "vip-prefix-not-32",
          host,
          title: `${row.address}/${row.prefixLength} on ${row.device} of ${host} takes the whole network ${prefix}`,
          why: isLoopback
            ? `An address on lo makes its whole prefix local: for ${host} every address of ${prefix} is its own. ${harmText(evidence, harm)}`
            : `${row.device} has a route to all of ${prefix} now, and what goes there does not leave by the network card. ${harmText(evidence, harm)}`,
          fix: `On ${host}: ip addr del ${row.address}/${row.prefixLength} dev ${row.device}; ip addr add ${row.address}/32 dev ${row.device} (ifconfig: netmask 255.255.255.255).`,
        },
        harm.id,
        prefix,
      );
    }
  return found.list;
};

function widePrefixes(evidence: Evidence, host: string) {
  const found: { readonly row: { readonly address: string; readonly prefixLength: number; readonly device: string }; readonly sinceId: number; readonly untilId: number }[] = [];
  for (const versions of evidence.tables.versions(host, "addresses").values())
    for (const [i, { id, row }] of versions.entries()) {
      if (row === undefined || row.prefixLength > 30 || row.address.startsWith("127.") || row.peer !== null) continue;
      // A prefix on a network card is what prefixes are for.
      if (evidence.linkOf(host, row.device) !== undefined || evidence.tables.rows(host, "links", id).some(({ name, kind }) => name === row.device && kind === "ether")) continue;
      found.push({ row, sinceId: id, untilId: versions[i + 1]?.id ?? Number.MAX_SAFE_INTEGER });
    }
  return found;
}

function isHarmOfPrefix(evidence: Evidence, event: TraceEvent, prefix: { readonly network: Ipv4Address; readonly length: number; readonly device: string }): boolean {
  const isInside = (address: Ipv4Address) => isInPrefix(address, prefix.network, prefix.length) && !evidence.hasAddress(event.host, address, event.id);
  switch (event.kind) {
    case "packet-dropped":
      if (event.reason === "IP_LOCAL_SOURCE") return isInside(event.packet.src);
      return event.reason === "TUNNEL_NO_DEVICE" && isInside(event.packet.dst);
    case "arp-decision":
      return (event.isAnswered && isInside(event.target)) || (!event.isAnswered && event.detail.includes("is local here") && isInside(event.sender));
    case "route":
      return event.direction === "out" && isInside(event.dst) && event.device === prefix.device;
    default:
      return false;
  }
}

function harmText(evidence: Evidence, event: TraceEvent): string {
  const at = evidence.timeOf(event.id);
  switch (event.kind) {
    case "packet-dropped":
      return `At ${at} it dropped a packet from ${formatIpv4Address(event.packet.src)}: ${event.detail}.`;
    case "arp-decision":
      return event.isAnswered ? `At ${at} it answered ARP for ${formatIpv4Address(event.target)}, an address of somebody else.` : `At ${at} it ignored ARP from ${formatIpv4Address(event.sender)}: ${event.detail}.`;
    case "route":
      return `At ${at} its route to ${formatIpv4Address(event.dst)} was ${event.type} by ${event.device}.`;
    default:
      return "";
  }
}

/**
 * A packet for the VIP reached a server by direct routing or a tunnel, and the server does not have the VIP: without forwarding it is dropped, with
 * it goes back to who has the VIP, round and round (net/ipv4/route.c:ip_route_input_slow, ip_forward.c). By method: the director meant NAT.
 */
export const serverLacksVip: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of toVirtual(evidence)) {
    const vip = conversation.to.address;
    const stray = strayOf(evidence, conversation);
    if (stray === undefined) continue;
    const { host, id } = stray;
    const dest = evidence.destsFor(vip).find((one) => isServerOf(evidence, host, one) && one.method !== "masq");
    if (dest === undefined) continue;
    const name = formatIpv4Address(vip);
    const happens = stray.kind === "packet-dropped" ? `it drops them: ${stray.detail}` : `it forwards them by its routes, back to who has ${name}${conversation.drops.some(({ reason, detail }) => reason === "IP_TTL" || detail.includes("TTL")) ? ", until their TTL is used up" : ""}`;
    const lost = lostAddress(evidence, host, vip, id);
    const boot = bootWithout(evidence, host, vip, id);
    if (boot !== undefined)
      found.add(
        {
          id: "setting-reverted",
          host,
          title: `${host} lost ${name} when it rebooted`,
          why: `What was typed lasts until the next boot. ${host} booted at ${evidence.timeOf(boot.id)}, and nothing gave it ${name} again; so ${happens}.`,
          fix: `On ${host}: put it where the boot looks: addresses into ifcfg files or /etc/network/interfaces or /etc/rc.local, settings into /etc/sysctl.d.`,
        },
        [boot.id, id],
        name,
      );
    else if (lost !== undefined) found.add(vipLostFinding(evidence, host, vip, lost), [lost.id, id], name);
    else if (isMeantForNat(evidence, dest, host, id))
      found.add(
        {
          id: "unexpected-forwarding-method",
          host: dest.director,
          title: `${dest.service} sends to ${formatIpv4Address(dest.address)} by ${methodWord(dest.method)}, but ${host} is set up for NAT`,
          why: `${commandText(evidence, dest)} ipvsadm takes direct routing (-g) when no method is given. ${host} gets packets for ${name}, an address that it does not have, and ${happens}; its default gateway is ${dest.director}, as NAT wants it.`,
          fix: natFix(evidence, dest, id),
        },
        id,
        name,
      );
    else
      found.add(
        {
          id: "server-lacks-vip",
          host,
          title: `${host} does not have the VIP ${name} that it is sent packets for`,
          why: `${dest.director} sends packets for ${name} to ${host} unchanged (${methodWord(dest.method)}). They are not local there, and ${happens}.`,
          fix: `On ${host}: ip addr add ${name}/32 dev ${dest.method === "tunnel" ? "tunl0" : "lo"} (after arp_ignore=1 and arp_announce=2).`,
        },
        id,
        name,
      );
  }
  return found.list;
};

/** Where a server without the VIP dropped a packet for it, or sent it on. */
function strayOf(evidence: Evidence, conversation: Conversation): EventOf<"packet-dropped"> | EventOf<"packet-rewritten"> | undefined {
  const vip = conversation.to.address;
  const isStray = (host: string, id: number) => !evidence.directs(host, vip, id) && !evidence.isLocal(host, vip, id) && host !== conversation.client && isDestHost(evidence, host, vip);
  return (
    conversation.drops.find((drop) => drop.packet.dst === vip && drop.reason === "IP_INADDRERRORS" && isStray(drop.host, drop.id)) ??
    evidence.recordsOf(conversation, "packet-rewritten").find((event) => event.by === "forward" && event.after.dst === vip && isStray(event.host, event.id))
  );
}

function isDestHost(evidence: Evidence, host: string, vip: Ipv4Address): boolean {
  return evidence.destsFor(vip).some((dest) => isServerOf(evidence, host, dest));
}

/** The server's default gateway is the director, which forwards, and the command that added the server named no method. */
function isMeantForNat(evidence: Evidence, dest: DestSpan, host: string, id: number): boolean {
  if (dest.method !== "route" || evidence.setting(dest.director, "net.ipv4.ip_forward", id) === 0) return false;
  const gateway = evidence.tables.rows(host, "routes", id).find((route) => route.table === 254 && route.destination === "default")?.via;
  const address = gateway === null || gateway === undefined ? undefined : parseIpv4Address(gateway);
  return address !== undefined && evidence.hasAddress(dest.director, address, id);
}

/** All servers of the service that are set up for NAT get it: one was seen, the next would be refused as well. */
function natFix(evidence: Evidence, { director, service }: DestSpan, id: number): string {
  const alike = evidence.dests.filter((one) => one.director === director && one.service === service && one.sinceId <= id && id < one.untilId && evidence.hostNames.some((host) => isServerOf(evidence, host, one) && isMeantForNat(evidence, one, host, id)));
  const commands = alike.map(({ address, port }) => `ipvsadm -e ${serviceArgument(service)} -r ${formatIpv4Address(address)}:${port} -m`);
  return `On ${director}: ${commands.join("; ")} (in keepalived.conf: lb_kind NAT).`;
}

function commandText(evidence: Evidence, dest: DestSpan): string {
  const added = evidence.of("table").find((event) => event.host === dest.director && event.table === "ipvs-dest" && event.change === "add" && event.entry.startsWith(`${dest.service} -> ${formatIpv4Address(dest.address)}:${dest.port} `));
  const command = added === undefined ? undefined : evidence.commandBehind(added.id)?.command;
  return command?.startsWith("ipvsadm") === true ? `The server was added by \`${command}\`.` : "The server was added without a method of its own.";
}

function methodWord(method: string): string {
  return method === "route" ? "direct routing (-g)" : method === "tunnel" ? "a tunnel (-i)" : method;
}

export function serviceArgument(service: string): string {
  const [protocol, end] = service.split(" ");
  return protocol === "FWM" ? `-f ${end}` : `${protocol === "UDP" ? "-u" : "-t"} ${end}`;
}

/** The record by which the host lost an address that it had; undefined: it never had it, or it moved by somebody's will. */
function lostAddress(evidence: Evidence, host: string, address: Ipv4Address, id: number): EventOf<"table"> | undefined {
  const entry = `${formatIpv4Address(address)}/`;
  const last = evidence.of("table").filter((event) => event.host === host && event.id < id && event.table === "address" && event.entry.startsWith(entry)).at(-1);
  return last?.change === "remove" ? last : undefined;
}

/** The boot that took away an address which the host had before; undefined: none did. */
function bootWithout(evidence: Evidence, host: string, address: Ipv4Address, id: number): EventOf<"fault"> | undefined {
  const entry = `${formatIpv4Address(address)}/`;
  const last = evidence.of("table").filter((event) => event.host === host && event.id < id && event.table === "address" && event.entry.startsWith(entry)).at(-1);
  return evidence.of("fault").findLast((event) => event.host === host && event.fault === "boot" && event.id < id && last !== undefined && event.id > last.id);
}

function vipLostFinding(evidence: Evidence, host: string, vip: Ipv4Address, lost: EventOf<"table">) {
  const command = evidence.commandBehind(lost.id)?.command;
  return {
    id: "vip-lost",
    host,
    title: `${host} lost ${formatIpv4Address(vip)} at ${evidence.timeOf(lost.id)}`,
    why: `${command === undefined ? "Something" : `\`${command}\``} removed it (${lost.entry}), and nothing put it back. Taking an interface down with ifconfig flushes its labelled addresses; down and up again does not bring them back.`,
    fix: `On ${host}: ip addr add ${formatIpv4Address(vip)}/32 dev ${/dev (\S+)/.exec(lost.entry)?.[1] ?? "lo"}, and add it wherever the interface is brought up.`,
  };
}

/**
 * A director has services for the VIP, and the VIP is local to nobody: IPVS works in LOCAL_IN and sees only what is for the host itself
 * (net/netfilter/ipvs/ip_vs_core.c:ip_vs_ops).
 */
export const directorLacksVip: Check = (evidence) => {
  const found = new FindingList();
  misaddressed(evidence, found);
  for (const conversation of failed(toVirtual(evidence))) {
    const { to, startId, ids } = conversation;
    const lastId = ids.at(-1) ?? startId;
    const directors = evidence.directorsOf(to.address).filter((host) => evidence.directs(host, to.address, startId));
    if (directors.length === 0 || directors.some((host) => evidence.isLocal(host, to.address, startId)) || evidence.recordsOf(conversation, "scheduled").length > 0) continue;
    if (directors.every((host) => evidence.isCut(host, lastId)) || hasAnotherTaken(evidence, conversation)) continue;
    const director = directors.find((host) => !evidence.isCut(host, lastId)) as string;
    const name = formatIpv4Address(to.address);
    const lost = lostAddress(evidence, director, to.address, startId);
    if (lost !== undefined && !isVrrpHost(evidence, director)) {
      found.add(vipLostFinding(evidence, director, to.address, lost), [lost.id, startId], name);
      continue;
    }
    if (!isLasting(evidence, conversation, directors)) continue;
    const drop = conversation.drops[0];
    const death = drop === undefined ? "Nobody answered." : drop.reason === "NEIGH_FAILED" ? `${drop.host} asked by ARP and nobody answered: ${drop.detail}.` : `${drop.host} dropped the packet: ${drop.detail}.`;
    found.add(
      {
        id: "director-lacks-vip",
        host: director,
        title: `${director} has the service but not its address ${name}`,
        why: `IPVS sees only packets that are for the director itself, and ${name} is local to ${directors.length > 1 ? "none of the directors" : `nobody: it is not among the addresses of ${director}`}. ${death}`,
        fix: `On ${director}: ip addr add ${name}/32 dev ${firstDevice(evidence, director)} (or correct the address of the service).`,
      },
      [startId, ...(drop === undefined ? [] : [drop.id])],
      name,
    );
  }
  return found.list;
};

/** A host that has the address, and is no server of it, took the call: it lacks the service, nobody lacks the address. */
function hasAnotherTaken(evidence: Evidence, { drops, to, client }: Conversation): boolean {
  return drops.some(({ reason, host, id, packet }) => reason === "NO_SOCKET" && packet.dst === to.address && host !== client && evidence.isLocal(host, to.address, id) && !isDestHost(evidence, host, to.address));
}

/** The service is for an address that nobody has, and clients call one that the director does have, on the same port. */
function misaddressed(evidence: Evidence, found: FindingList): void {
  for (const conversation of failed(evidence.conversations)) {
    const { to, startId } = conversation;
    if (evidence.directorsOf(to.address).some((host) => evidence.directs(host, to.address, startId))) continue;
    const refusal = conversation.drops.find(({ reason, packet, host }) => reason === "NO_SOCKET" && packet.dst === to.address && evidence.isDirector(host));
    const service = evidence.services.find((one) => one.director === refusal?.host && one.port === to.port && one.address !== undefined && one.sinceId <= startId && startId < one.untilId);
    if (refusal === undefined || service?.address === undefined || evidence.hostNames.some((host) => evidence.isLocal(host, service.address as Ipv4Address, startId))) continue;
    const name = formatIpv4Address(service.address);
    found.add(
      {
        id: "director-lacks-vip",
        host: service.director,
        title: `The service of ${service.director} is for ${name}, which it does not have; it has ${formatIpv4Address(to.address)}`,
        why: `${formatEnd(to)} was called and ended in ${service.director}'s own stack: ${refusal.detail}. ipvsadm takes any address; IPVS balances only packets for ${name}, and nobody sends those.`,
        fix: `On ${service.director}: make the service for ${formatIpv4Address(to.address)} (ipvsadm -A ${serviceArgument(service.name).replace(name, formatIpv4Address(to.address))} ...), or ip addr add ${name}/32 dev ${firstDevice(evidence, service.director)}.`,
      },
      [startId, refusal.id],
      name,
    );
  }
}

function firstDevice(evidence: Evidence, host: string): string {
  return evidence.header.hosts.find(({ name }) => name === host)?.interfaces[0]?.name ?? "eth0";
}

function isVrrpHost(evidence: Evidence, host: string): boolean {
  return evidence.of("frame-sent").some((event) => event.host === host && event.frame.payload.kind === "ipv4" && event.frame.payload.protocol === 112);
}

/** With VRRP there is a moment without an owner at every takeover; a fault lasts. */
function isLasting(evidence: Evidence, conversation: Conversation, directors: readonly string[]): boolean {
  if (!directors.some((host) => isVrrpHost(evidence, host))) return true;
  const lastId = evidence.events.at(-1)?.id ?? 0;
  return !directors.some((host) => evidence.isLocal(host, conversation.to.address, lastId));
}

/** Replies of a server pass the director, which has their source itself and drops them as martians. net/ipv4/fib_frontend.c:__fib_validate_source */
export const replyThroughDirector: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of failed(toVirtual(evidence)))
    for (const drop of conversation.drops) {
      const vip = conversation.to.address;
      const isUnforwarded = drop.reason === "IP_INADDRERRORS" && !methodsOf(evidence, conversation).has("masq");
      if ((drop.reason !== "IP_LOCAL_SOURCE" && !isUnforwarded) || drop.packet.src !== vip || drop.packet.dst !== conversation.from.address || conversation.client === drop.host) continue;
      const server = frameSource(evidence, drop);
      if (server === undefined || !evidence.directs(drop.host, vip, drop.id) || evidence.recordsOf(conversation, "packet-rewritten").some(({ host, by }) => host === drop.host && (by === "masquerade" || by === "snat"))) continue;
      found.add(
        {
          id: "reply-through-director",
          host: server,
          title: `${server} sends its answers through the director ${drop.host}, which drops them`,
          why: `With direct routing and tunnels answers have the VIP as their source. ${drop.host} has ${formatIpv4Address(vip)} itself${isUnforwarded ? ` and is no router: ${drop.detail}; if it were, a packet from outside with its own address as source would be a martian` : `, so a packet from outside with this source is a martian: ${drop.detail}`}.`,
          fix: `On ${server}: a default route by the router, not by ${drop.host}. (Or on ${drop.host}: accept_local=1 on the interface to the servers, and forwarding.)`,
        },
        drop.id,
      );
    }
  return found.list;
};

/** The server has no route to the client, or its gateway is not there. net/ipv4/tcp_ipv4.c:tcp_v4_send_synack */
export const noRouteToClient: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of failed(toVirtual(evidence)))
    for (const drop of conversation.drops) {
      const { host } = drop;
      if (host === conversation.client || evidence.directs(host, conversation.to.address, drop.id) || !isDestHost(evidence, host, conversation.to.address)) continue;
      const isReply = drop.packet.dst === conversation.from.address;
      const isNoRoute = drop.reason === "IP_OUTNOROUTES" || (drop.reason === "IP_RPFILTER" && drop.detail.startsWith("no route back"));
      if (!isNoRoute && !(isReply && drop.reason === "NEIGH_FAILED")) continue;
      // The next hop is there and answered, but to the VIP: that is the fault of the request.
      if (drop.reason === "NEIGH_FAILED" && wasAnsweredAsVip(evidence, drop)) continue;
      found.add(
        {
          id: "no-route-to-client",
          host,
          title: `${host} has no way to ${formatIpv4Address(conversation.from.address)}, the client`,
          why: drop.reason === "NEIGH_FAILED" ? `Its answer found nobody at the next hop: ${drop.detail}.` : `${drop.detail}: the request arrives, no answer leaves.`,
          fix: wayToClient(evidence, conversation, drop),
        },
        drop.id,
      );
    }
  return found.list;
};

/** NAT answers go by the director; an interface whose prefix is narrower than its neighbours' lacks its own network; else it is a default route. */
function wayToClient(evidence: Evidence, conversation: Conversation, { host, id }: EventOf<"packet-dropped">): string {
  const dest = evidence.destsFor(conversation.to.address).find((one) => isServerOf(evidence, host, one) && one.sinceId <= id && id < one.untilId);
  const change = evidence.tables.rows(host, "routes", id).some(({ table, destination }) => table === 254 && destination === "default") ? "replace" : "add";
  if (dest?.method === "masq") return `On ${host}: ip route ${change} default via ${directorAddress(evidence, dest.director, host)}, the address of ${dest.director} on its network: with NAT answers go back through it.`;
  for (const row of evidence.tables.rows(host, "addresses", id)) {
    const link = evidence.linkOf(host, row.device);
    const length = link === undefined ? undefined : prefixOfPeers(evidence, { link, host, id, own: parseIpv4Address(row.address) ?? 0, length: row.prefixLength, client: conversation.from.address });
    if (length !== undefined)
      return `On ${host}: ip addr del ${row.address}/${row.prefixLength} dev ${row.device}; ip addr add ${row.address}/${length} dev ${row.device}. The client is on its own network; the others there have /${length}, and /${row.prefixLength} leaves ${host} no route to it.`;
  }
  return `On ${host}: ip route ${change} default via ROUTER, a router on its network that knows the way to the client.`;
}

/** The prefix length that others on the link have for a network of both the host and the client, when the host's own is longer. */
function prefixOfPeers(evidence: Evidence, { link, host, id, own, length, client }: { readonly link: string; readonly host: string; readonly id: number; readonly own: Ipv4Address; readonly length: number; readonly client: Ipv4Address }): number | undefined {
  if (isInPrefix(client, networkOf(own, length), length)) return undefined;
  for (const peer of evidence.hostNames)
    for (const row of peer === host ? [] : evidence.tables.rows(peer, "addresses", id)) {
      const network = networkOf(parseIpv4Address(row.address) ?? 0, row.prefixLength);
      if (evidence.linkOf(peer, row.device) === link && row.prefixLength < length && isInPrefix(own, network, row.prefixLength) && isInPrefix(client, network, row.prefixLength)) return row.prefixLength;
    }
  return undefined;
}

/** The host asked for its next hop as a virtual address, and was answered. */
function wasAnsweredAsVip(evidence: Evidence, drop: EventOf<"packet-dropped">): boolean {
  const hop = /ARP for (\S+) /.exec(drop.detail)?.[1];
  return evidence.of("arp-decision").some(({ id, isAnswered, target, sender }) => id < drop.id && isAnswered && evidence.isVirtual(sender) && formatIpv4Address(target) === hop && evidence.hasAddress(drop.host, sender, id));
}

/** Direct routing readdresses the frame only; behind a router the packet is routed by its destination, the VIP, and comes back. */
export const serverNotOnLink: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of failed(toVirtual(evidence)))
    for (const choice of evidence.recordsOf(conversation, "scheduled")) {
      const dest = evidence.dests.find((one) => one.director === choice.host && one.service === choice.service && `${formatIpv4Address(one.address)}:${one.port}` === choice.chosen && one.method === "route" && one.sinceId <= choice.id && choice.id < one.untilId);
      if (dest === undefined) continue;
      const route = evidence.recordsOf(conversation, "route").find((event) => event.id > choice.id && event.host === choice.host && event.direction === "out" && event.dst === dest.address) ?? routeBefore(evidence, choice, dest.address);
      if (route === undefined || route.gateway === 0) continue;
      found.add(
        {
          id: "server-not-on-link",
          host: choice.host,
          title: `${formatIpv4Address(dest.address)} is not on a link of ${choice.host}, and direct routing cannot cross a router`,
          why: `The route to ${formatIpv4Address(dest.address)} goes by ${formatIpv4Address(route.gateway)}. Direct routing sends the packet there unchanged, for ${formatIpv4Address(conversation.to.address)}; the router sends it where that address is: back.`,
          fix: `On ${choice.host}: ipvsadm -e ${serviceArgument(dest.service)} -r ${formatIpv4Address(dest.address)}:${dest.port} -i (a tunnel, with tunl0 and the VIP on the server), or -m.`,
        },
        [choice.id, route.id],
        formatIpv4Address(dest.address),
      );
    }
  return found.list;
};

/** Routes are remembered: the record is where the route was looked up first. */
function routeBefore(evidence: Evidence, choice: EventOf<"scheduled">, address: Ipv4Address): EventOf<"route"> | undefined {
  return evidence.of("route").filter((event) => event.host === choice.host && event.direction === "out" && event.dst === address && event.id < choice.id + 16).at(-1);
}

/** The service's port differs from the server's, and the method leaves packets as they are (net/netfilter/ipvs/ip_vs_xmit.c:ip_vs_dr_xmit, ip_vs_tunnel_xmit). */
export const portNotTranslated: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of failed(toVirtual(evidence)))
    for (const choice of evidence.recordsOf(conversation, "scheduled")) {
      const dest = evidence.dests.find((one) => one.director === choice.host && one.service === choice.service && `${formatIpv4Address(one.address)}:${one.port}` === choice.chosen && one.method !== "masq" && one.sinceId <= choice.id && choice.id < one.untilId);
      const service = serviceOf(evidence, choice);
      if (dest === undefined || service === undefined || service.address === undefined || service.port === 0) continue;
      // ipvsadm gives the service's port to servers of these methods, whatever was typed.
      const port = dest.port !== service.port ? dest.port : typedPort(evidence, dest);
      if (port === undefined || port === service.port) continue;
      const refused = conversation.drops.find(({ reason, packet }) => reason === "NO_SOCKET" && packet.dst === conversation.to.address);
      if (refused === undefined) continue;
      const isLocal = dest.method === "local" || evidence.hasAddress(choice.host, dest.address, choice.id);
      found.add(
        {
          id: "port-not-translated",
          host: choice.host,
          title: `${dest.service} names ${formatIpv4Address(dest.address)}:${port}, but ${isLocal ? "a local server" : methodWord(dest.method)} gets packets for port ${service.port}`,
          why: `Only NAT changes ports. The packet arrived at ${refused.host} for ${formatEnd(conversation.to)}: ${refused.detail}, so it answered with RST.`,
          fix: isLocal ? `On ${choice.host}: let the server listen on port ${service.port} of the VIP (or use -m with an address of its own).` : `Let ${refused.host} listen on port ${service.port} (or redirect there: iptables -t nat -A PREROUTING -d ${formatIpv4Address(conversation.to.address)} -p tcp --dport ${service.port} -j REDIRECT --to-ports ${port}), or use -m.`,
        },
        [choice.id, refused.id],
        `${dest.service} ${formatIpv4Address(dest.address)}`,
      );
    }
  return found.list;
};

/** The port that the command which added or changed a server named; undefined: none. */
function typedPort(evidence: Evidence, dest: DestSpan): number | undefined {
  const entry = `${dest.service} -> ${formatIpv4Address(dest.address)}:`;
  const added = evidence.of("table").findLast((event) => event.host === dest.director && event.table === "ipvs-dest" && event.change !== "remove" && event.entry.startsWith(entry) && event.id <= dest.sinceId);
  const command = added === undefined ? undefined : evidence.commandBehind(added.id)?.command;
  const port = command === undefined ? undefined : new RegExp(`${formatIpv4Address(dest.address).replaceAll(".", "\\.")}:(\\d+)`).exec(command)?.[1];
  return port === undefined ? undefined : Number(port);
}

/** A server listens on its own address only, and the packet is for the VIP: nobody takes it, RST. net/ipv4/inet_hashtables.c:__inet_lookup_listener */
export const notListeningOnVip: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of failed(toVirtual(evidence)))
    for (const drop of conversation.drops) {
      const { payload } = drop.packet;
      if (drop.reason !== "NO_SOCKET" || (payload.kind !== "tcp" && payload.kind !== "udp") || isRst(drop.packet) || evidence.recordsOf(conversation, "scheduled").length === 0) continue;
      if (drop.packet.src !== conversation.from.address || drop.host === conversation.client) continue;
      const other = evidence.tables.rows(drop.host, "sockets", drop.id).find((socket) => (socket.state === "LISTEN" || socket.protocol === "udp") && socket.protocol === payload.kind && socket.local.endsWith(`:${payload.dstPort}`) && !isAny(socket.local) && socket.local !== `${formatIpv4Address(drop.packet.dst)}:${payload.dstPort}`);
      if (other === undefined) continue;
      const wanted = `${formatIpv4Address(drop.packet.dst)}:${payload.dstPort}`;
      found.add(
        {
          id: "not-listening-on-vip",
          host: drop.host,
          title: `On ${drop.host} ${other.process?.split("[")[0] ?? "the server"} listens on ${other.local}, not on ${wanted}`,
          why: `The packet is for ${wanted}; the only socket of this port is bound to ${other.local}. So nobody takes it, and ${drop.host} answers with RST, while a check of ${other.local} stays green.`,
          fix: `On ${drop.host}: bind the server to 0.0.0.0 or to ${formatIpv4Address(drop.packet.dst)}.`,
        },
        drop.id,
        wanted,
      );
    }
  return found.list;
};

function isAny(local: string): boolean {
  return local.startsWith("0.0.0.0:") || local.startsWith("*:") || local.startsWith("[::]:") || local.startsWith(":::");
}
