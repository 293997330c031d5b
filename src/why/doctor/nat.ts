/**
 * Faults of NAT: answers that do not come back through the director, or are not turned back there.
 */

import { formatIpv4Address } from "../../base/ipv4-address.ts";
import { type Conversation, formatEnd } from "../conversations.ts";
import type { DestSpan, Evidence, EventOf } from "../evidence.ts";
import { type Check, type Finding, FindingList } from "../finding.ts";
import { serviceArgument } from "./addresses.ts";
import { choicesOf, chosenDest, failed, directorAddress, isServerOf, methodsOf, receivedBy, ruleOf, sentBy, toVirtual } from "./service-view.ts";

/** A reply of a NAT server that did not pass its director. */
interface Bypass {
  readonly conversation: Conversation;
  readonly choice: EventOf<"scheduled">;
  readonly dest: DestSpan;
  readonly server: string;
  readonly event: EventOf<"frame-sent">;
  /** Where it arrived with the server's own address. */
  readonly arrival: EventOf<"frame-received"> | undefined;
}

/** Answers of masqueraded servers that left for somebody else than the director. */
function bypasses(evidence: Evidence): Bypass[] {
  const found: Bypass[] = [];
  for (const conversation of failed(toVirtual(evidence))) {
    const choice = choicesOf(evidence, conversation).findLast((one) => chosenDest(evidence, one)?.method === "masq") ?? choiceBefore(evidence, conversation);
    const dest = choice === undefined ? undefined : chosenDest(evidence, choice);
    if (choice === undefined || dest === undefined) continue;
    for (const { event, packet } of sentBy(evidence, conversation)) {
      if (packet.src !== dest.address || packet.payload.kind === "icmp" || !isServerOf(evidence, event.host, dest) || event.host === choice.host) continue;
      if (evidence.ownerOfMac(event.frame.dst)?.host === choice.host) continue;
      // It may come to the director by another router.
      const arrivals = [...receivedBy(evidence, conversation)].filter((one) => one.event.id > event.id && one.packet.src === dest.address && one.packet.id === packet.id);
      if (arrivals.some((one) => one.event.host === choice.host)) continue;
      found.push({ conversation, choice, dest, server: event.host, event, arrival: arrivals.at(-1)?.event });
      break;
    }
  }
  return found;
}

/** The choice was made in an earlier conversation when the entry was kept. */
function choiceBefore(evidence: Evidence, { to, startId }: Conversation): EventOf<"scheduled"> | undefined {
  return evidence.of("scheduled").filter((one) => one.id < startId && evidence.servicesFor(to.address, to.port, startId).some(({ name, director }) => name === one.service && director === one.host) && chosenDest(evidence, one)?.method === "masq").at(-1);
}

/**
 * The answer goes to the client with the server's own address, which the client never called: RST, or nothing. An ICMP redirect that the server obeyed, a
 * MASQUERADE rule that IPVS packets do not meet, or simply the server's routes.
 */
export const replyBypassesDirector: Check = (evidence) => {
  const found = new FindingList();
  for (const bypass of bypasses(evidence)) {
    const { conversation, choice, dest, server, event, arrival } = bypass;
    const director = choice.host;
    if (evidence.isLocal(server, conversation.to.address, event.id)) {
      found.add(meantForDirectRouting(evidence, bypass), [choice.id, event.id], dest.service);
      continue;
    }
    const from = formatIpv4Address(dest.address);
    const redirected = evidence.of("route").findLast((one) => one.id <= event.id && one.host === server && one.dst === conversation.from.address && one.detail.includes("redirect"));
    const inner = innerGateway(evidence, bypass);
    const masquerade = ruleOf(evidence, director, "nat", /POSTROUTING.*-j (MASQUERADE|SNAT)/, choice.id);
    const isTracked = evidence.setting(director, "net.ipv4.vs.conntrack", choice.id) !== 0;
    const where = arrival === undefined ? "" : `; ${arrival.host} got it at ${evidence.timeOf(arrival.id)} from ${from}, whom it never called`;
    if (redirected !== undefined) {
      found.add(
        {
          id: "redirect-sent",
          host: director,
          title: `${director} tells ${server} by ICMP redirect to answer clients directly, and ${server} does`,
          why: `${server} hands its answers to ${director}, which forwards them out of the interface that they came by, and ${sendRedirects(evidence, director, event.id)}. ${server} obeyed: its route to ${formatIpv4Address(conversation.from.address)} is by a redirect now, past ${director}${where}.`,
          fix: `On ${director}: send_redirects=0 for all and for the interface (it counts when either is 1). On ${server}: accept_redirects=0 and ip route flush cache.`,
        },
        [redirected.id, event.id],
      );
    } else if (masquerade !== undefined && !isTracked) {
      found.add(
        {
          id: "conntrack-off",
          host: director,
          title: `The rule \`${masquerade.rule}\` on ${director} does not apply to IPVS packets`,
          why: `net.ipv4.vs.conntrack = 0: packets that IPVS has rewritten are taken out of connection tracking, and what is not tracked meets no rule of the nat table. So ${server} sees the client's address and answers it directly${where}.`,
          fix: `On ${director}: sysctl -w net.ipv4.vs.conntrack=1`,
        },
        [choice.id, event.id],
      );
    } else if (inner !== undefined) {
      found.add(
        {
          id: "reply-bypasses-director",
          host: director,
          title: `${director} took ${formatIpv4Address(conversation.to.address)} over, but not ${inner.address}, the gateway of its servers`,
          why: `${director} sent the request to ${from} (NAT); the answer must come back through it. ${server} sends it to its default gateway ${inner.address}, and that is still ${inner.holder}${where}.`,
          fix: `On ${director}: ip addr add ${inner.address}/32 dev ${inner.device}; arping -U -c 3 -I ${inner.device} ${inner.address}${evidence.isCut(inner.holder, event.id) ? "" : ` (and on ${inner.holder}: take it off)`}. With NAT the inner gateway address moves together with the VIP (keepalived: both in virtual_ipaddress).`,
        },
        event.id,
        inner.address,
      );
    } else {
      found.add(
        {
          id: "reply-bypasses-director",
          host: server,
          title: `${server} answers ${formatIpv4Address(conversation.from.address)} past ${director}, from its own address`,
          why: `${director} sent the request to ${from} (NAT); the answer must come back through it to get the address ${formatIpv4Address(conversation.to.address)} again. ${routeText(evidence, server, conversation, event)}${where}.`,
          fix: isOnLink(evidence, server, conversation, event)
            ? `The client is on the server's own network: make ${server} reach it through ${director} (remove the on-link route, send_redirects=0 on ${director}), or masquerade on ${director} with vs.conntrack=1.`
            : `On ${server}: ip route replace default via ${directorAddress(evidence, director, server)}, the address of ${director} on its network.`,
        },
        event.id,
      );
    }
  }
  return found.list;
};

/** The server's gateway is an address of another director of the same service, which the VIP has left. */
function innerGateway(evidence: Evidence, { conversation, choice, server, event }: Bypass): { readonly address: string; readonly holder: string; readonly device: string } | undefined {
  const address = evidence.tables.rows(server, "routes", event.id).find((route) => route.table === 254 && route.destination === "default")?.via;
  const holder = evidence.ownerOfMac(event.frame.dst)?.host;
  if (address == null || holder === undefined || holder === choice.host || !evidence.directorsOf(conversation.to.address).includes(holder)) return undefined;
  const hadVip = evidence.everHad(holder, conversation.to.address);
  const gateway = evidence.tables.rows(holder, "addresses", event.id).find((row) => row.address === address);
  const link = gateway === undefined ? undefined : evidence.linkOf(holder, gateway.device);
  const device = evidence.header.hosts.find(({ name }) => name === choice.host)?.interfaces.find((one) => one.link === link)?.name;
  return hadVip && device !== undefined ? { address, holder, device } : undefined;
}

/** The server has the VIP itself, which only direct routing and tunnels need: the method is wrong, not the server. */
function meantForDirectRouting(evidence: Evidence, { conversation: { to }, choice, dest, server, event }: Bypass): Omit<Finding, "events"> {
  const vip = formatIpv4Address(to.address);
  const place = evidence.addressRow(server, to.address, event.id)?.device;
  const method = place !== undefined && evidence.tables.rows(server, "links", event.id).some(({ name, kind }) => name === place && kind === "ipip") ? { flag: "-i", word: "TUN" } : { flag: "-g", word: "DR" };
  const servers = evidence.dests.filter((one) => one.director === choice.host && one.service === dest.service && one.method === "masq" && evidence.hostNames.some((host) => isServerOf(evidence, host, one) && evidence.isLocal(host, to.address, event.id)));
  const commands = servers.map((one) => `ipvsadm -e ${serviceArgument(dest.service)} -r ${formatIpv4Address(one.address)}:${one.port} ${method.flag}`);
  return {
    id: "unexpected-forwarding-method",
    host: choice.host,
    title: `${dest.service} sends to ${formatIpv4Address(dest.address)} by NAT, but ${server} is set up for ${method.word === "DR" ? "direct routing" : "a tunnel"}`,
    why: `${choice.host} rewrote the request to ${formatIpv4Address(dest.address)} (keepalived takes NAT when no lb_kind is given). ${server} has ${vip} itself${place === undefined ? "" : ` on ${place}`}, as direct routing and tunnels want it, and answers past ${choice.host} from ${formatIpv4Address(dest.address)}, whom the client never called.`,
    fix: `On ${choice.host}: ${[...new Set(commands)].join("; ")} (in keepalived.conf: lb_kind ${method.word}).`,
  };
}

function sendRedirects(evidence: Evidence, director: string, id: number): string {
  const on = evidence.header.hosts.find(({ name }) => name === director)?.interfaces.map(({ name }) => evidence.inForceText(director, name, "send_redirects", id)) ?? [];
  return on.join(", ");
}

function isOnLink(evidence: Evidence, server: string, conversation: Conversation, event: EventOf<"frame-sent">): boolean {
  const to = evidence.ownerOfMac(event.frame.dst)?.host;
  return to === conversation.client || evidence.linkOf(server, event.device) === undefined;
}

function routeText(evidence: Evidence, server: string, conversation: Conversation, event: EventOf<"frame-sent">): string {
  const next = evidence.ownerOfMac(event.frame.dst)?.host ?? "somebody else";
  return next === conversation.client ? `For ${server} the client is on its own network (${event.device}), so it answers directly` : `The route of ${server} to the client goes by ${next}`;
}

/** A router, or the director of NAT, does not forward. net/ipv4/route.c:ip_route_input_slow */
export const ipForwardOff: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of failed(toVirtual(evidence)))
    for (const drop of conversation.drops) {
      const { host, packet } = drop;
      if (drop.reason !== "IP_INADDRERRORS" || host === conversation.client || packet.dst === conversation.to.address) continue;
      if (evidence.isDirector(host) && !methodsOf(evidence, conversation).has("masq")) continue;
      const isRouter = (evidence.header.hosts.find(({ name }) => name === host)?.interfaces.length ?? 0) > 1 || evidence.isDirector(host);
      if (!isRouter) continue;
      found.add(
        {
          id: "ip-forward-off",
          host,
          title: `${host} does not forward: net.ipv4.ip_forward = ${evidence.setting(host, "net.ipv4.ip_forward", drop.id)}`,
          why: `The request was ${evidence.isDirector(host) ? "rewritten and sent by IPVS, which needs no forwarding" : "sent on"}; the answer from ${formatIpv4Address(packet.src)} must be forwarded, and ${drop.detail}.`,
          fix: `On ${host}: sysctl -w net.ipv4.ip_forward=1`,
        },
        drop.id,
      );
    }
  return found.list;
};

/** The director has two ways to translate the same address: which one gets a connection depends on which saw it first. */
export const twoNatMechanisms: Check = (evidence) => {
  const found = new FindingList();
  for (const event of evidence.of("packet-rewritten")) {
    const { host, before, after } = event;
    if (event.by !== "dnat" || before.dst === after.dst || !evidence.directs(host, before.dst, event.id)) continue;
    const { payload } = before;
    const port = payload.kind === "tcp" || payload.kind === "udp" ? payload.dstPort : 0;
    if (evidence.servicesFor(before.dst, port, event.id).length === 0) continue;
    const rule = ruleOf(evidence, host, "nat", new RegExp(`(PREROUTING|OUTPUT).*-j DNAT --to-destination ${formatIpv4Address(after.dst).replaceAll(".", "\\.")}`), event.id);
    found.add(
      {
        id: "two-nat-mechanisms",
        host,
        title: `${formatIpv4Address(before.dst)}:${port} on ${host} is both a virtual service and the target of a DNAT rule`,
        why: `${rule === undefined ? "A DNAT rule" : `\`${rule.rule}\``} rewrote the packet in PREROUTING, before IPVS could see it (LOCAL_IN); connections that IPVS already had go on through IPVS. So some clients are balanced and others are not.`,
        fix: `On ${host}: keep one of them. Delete the rule (iptables -t nat -D ${rule?.rule.replace(/^-A /, "") ?? "PREROUTING ..."}) or the service.`,
      },
      event.id,
      formatIpv4Address(before.dst),
    );
  }
  return found.list;
};

/** IPVS knows an answer by server and client ends alone (ip_vs_conn.c:ip_vs_conn_out_get): a direct call from the same port is taken for the balanced one. */
export const tupleCollision: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of evidence.conversations) {
    const { from, to, outcome } = conversation;
    if (outcome === "ok" || evidence.isVirtual(to.address)) continue;
    const rewrite = evidence.recordsOf(conversation, "packet-rewritten").find(({ by, before, after }) => by === "ipvs-nat" && before.src === to.address && after.src !== before.src);
    if (rewrite === undefined) continue;
    const other = evidence.conversations.findLast((one) => one.number < conversation.number && evidence.isVirtual(one.to.address) && one.from.address === from.address && one.from.port === from.port);
    found.add(
      {
        id: "tuple-collision",
        host: rewrite.host,
        title: `${rewrite.host} takes the answers of ${formatEnd(to)} to ${formatEnd(from)} for those of another connection`,
        why: `${formatEnd(from)} had called ${other === undefined ? "the virtual service" : formatEnd(other.to)} before and was given to ${formatEnd(to)}; its entry still lives. IPVS finds the entry of an answer by the ends of server and client alone, so it turned the source of this direct call's answer into ${formatIpv4Address(rewrite.after.src)}, too.`,
        fix: `Call the servers directly from other ports (do not bind the source port), or wait until the entry has expired (ipvsadm -Lnc).`,
      },
      rewrite.id,
    );
  }
  return found.list;
};

/** What the raw table takes out of tracking cannot be masqueraded, and the answer goes astray. */
export const notrack: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of failed(toVirtual(evidence)))
    for (const choice of choicesOf(evidence, conversation)) {
      const director = choice.host;
      if (evidence.setting(director, "net.ipv4.vs.conntrack", choice.id) === 0) continue;
      const rule = ruleOf(evidence, director, "raw", /-j (NOTRACK|CT --notrack)/, choice.id);
      const nat = ruleOf(evidence, director, "nat", /POSTROUTING.*-j (MASQUERADE|SNAT)/, choice.id);
      const counted = rule === undefined ? undefined : evidence.tables.rows(director, "netfilter", conversation.ids.at(-1)).find((one) => one.rule === rule.rule);
      if (rule === undefined || nat === undefined || counted === undefined || counted.packets === rule.packets) continue;
      found.add(
        {
          id: "notrack-with-conntrack",
          host: director,
          title: `\`${rule.rule}\` on ${director} takes packets of the service out of connection tracking`,
          why: `vs.conntrack = 1 and \`${nat.rule}\` count on connection tracking, and the raw table comes before it: what is not tracked is not masqueraded, or not turned back.`,
          fix: `On ${director}: iptables -t raw -D ${rule.rule.replace(/^-A /, "")}`,
        },
        choice.id,
        rule.rule,
      );
    }
  return found.list;
};

/** Answers leave by the link that the server's address leads to, not the VIP's, because the route is not asked again (ip_vs_core.c:ip_vs_route_me_harder). */
export const replyOnWrongLink: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of failed(toVirtual(evidence)))
    for (const rewrite of evidence.recordsOf(conversation, "packet-rewritten")) {
      const { host, id } = rewrite;
      if (rewrite.by !== "ipvs-nat" || rewrite.after.src !== conversation.to.address || evidence.setting(host, "net.ipv4.vs.snat_reroute", id) !== 0) continue;
      const out = [...sentBy(evidence, conversation, host)].find((one) => one.event.id > id && one.packet.src === conversation.to.address);
      const came = [...receivedBy(evidence, conversation, host)].find((one) => one.packet.dst === conversation.to.address);
      if (out === undefined || came === undefined || out.event.device === came.event.device) continue;
      found.add(
        {
          id: "reply-on-wrong-link",
          host,
          title: `Answers from ${formatIpv4Address(conversation.to.address)} leave ${host} by ${out.event.device}, though the requests come by ${came.event.device}`,
          why: `net.ipv4.vs.snat_reroute = 0: the way out was chosen when the source was still ${formatIpv4Address(rewrite.before.src)}, and is not chosen again for ${formatIpv4Address(rewrite.after.src)}. So rules and routes for the VIP's link do not apply.`,
          fix: `On ${host}: sysctl -w net.ipv4.vs.snat_reroute=1`,
        },
        [id, out.event.id],
      );
    }
  return found.list;
};
