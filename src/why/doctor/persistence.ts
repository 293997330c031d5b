/**
 * Faults of persistence and of datagrams: one client tied to one server, or not tied where it should be. ip_vs_core.c:ip_vs_sched_persist
 */

import { formatIpv4Address, isInPrefix, networkOf } from "../../base/ipv4-address.ts";
import { formatEnd } from "../conversations.ts";
import type { Evidence, EventOf } from "../evidence.ts";
import { type Check, FindingList } from "../finding.ts";
import { serviceArgument } from "./addresses.ts";
import { choicesOf, chosenDest, serviceOf, toVirtual } from "./service-view.ts";

/** Connections of one client in a row that look like no balancing. */
const ALIKE_MIN = 5;
/** Datagrams of one socket that look like no balancing. */
const DATAGRAMS_MIN = 3;

/** Choices for persistent services, in order. */
function persistentChoices(evidence: Evidence): { readonly choice: EventOf<"scheduled">; readonly seconds: number; readonly netmask: string | null }[] {
  return evidence.of("scheduled").flatMap((choice) => {
    const row = serviceOf(evidence, choice)?.row;
    return row?.persistenceSeconds == null || choice.chosen === undefined ? [] : [{ choice, seconds: row.persistenceSeconds, netmask: row.netmask }];
  });
}

/** One test client of a persistent service sees one server, however often it calls. */
export const persistenceHidesBalance: Check = (evidence) => {
  const found = new FindingList();
  const seen = new Map<string, EventOf<"scheduled">[]>();
  const alike = new Map<string, { readonly row: EventOf<"scheduled">[]; readonly seconds: number }>();
  for (const { choice, seconds } of persistentChoices(evidence)) {
    const key = `${choice.host} ${choice.service}`;
    const last = seen.get(key) ?? [];
    const row = last[0] !== undefined && last[0].client !== choice.client ? [] : last;
    seen.set(key, row);
    row.push(choice);
    const free = choice.candidates.filter(({ isEligible }) => isEligible).length;
    if (row.length < ALIKE_MIN || free < 2 || row.slice(1).some(({ by }) => by !== "template")) continue;
    if (!alike.has(key)) alike.set(key, { row, seconds });
  }
  for (const { row, seconds } of alike.values()) {
    const choice = row[0] as EventOf<"scheduled">;
    const client = formatIpv4Address(choice.client);
    found.add(
      {
        id: "persistence-hides-balance",
        host: choice.host,
        title: `All ${row.length} connections of ${client} go to ${choice.chosen}: that is persistence, not a fault of ${choice.scheduler}`,
        why: `${choice.service} is persistent for ${seconds} s: ${choice.scheduler} was asked once for ${client}, and its template answers for all further connections; each of them starts the time anew.`,
        fix: `Test with several clients; or without persistence: ipvsadm -E ${serviceArgument(choice.service)} -s ${choice.scheduler} on ${choice.host}.`,
      },
      row.map(({ id }) => id),
      choice.service,
    );
  }
  return found.list;
};

/** A drained server (weight 0) still gets new connections of clients that have a template for it. ip_vs_conn.c:ip_vs_check_template, expire_quiescent_template */
export const persistentDespiteDrain: Check = (evidence) => {
  const found = new FindingList();
  for (const { choice } of persistentChoices(evidence)) {
    const candidate = choice.candidates.find((one) => `${formatIpv4Address(one.address)}:${one.port}` === choice.chosen);
    if (choice.by !== "template" || candidate === undefined || candidate.weight !== 0) continue;
    found.add(
      {
        id: "persistent-despite-drain",
        host: choice.host,
        title: `${choice.chosen} has weight 0 and still gets new connections of ${choice.service}`,
        why: `${formatIpv4Address(choice.client)} has a template for it, and net.ipv4.vs.expire_quiescent_template = ${evidence.setting(choice.host, "net.ipv4.vs.expire_quiescent_template", choice.id)}: a template of a server without weight stays good, and every new connection starts its time anew.`,
        fix: `On ${choice.host}: sysctl -w net.ipv4.vs.expire_quiescent_template=1`,
      },
      choice.id,
      choice.chosen ?? "",
    );
  }
  return found.list;
};

/** One user behind several proxies is several clients for persistence. */
export const persistenceSplitsClient: Check = (evidence) => {
  const found = new FindingList();
  const first = new Map<string, EventOf<"scheduled">>();
  for (const { choice, seconds, netmask } of persistentChoices(evidence)) {
    const client = evidence.conversationOf(choice.id)?.client;
    if (client === undefined || (netmask !== null && netmask !== "255.255.255.255")) continue;
    const key = `${choice.host} ${choice.service} ${client}`;
    const other = first.get(key);
    if (other === undefined) first.set(key, choice);
    else if (other.client !== choice.client && other.chosen !== choice.chosen && isInPrefix(choice.client, networkOf(other.client, 24), 24) && choice.timeNs - other.timeNs < seconds * 1e9)
      found.add(
        {
          id: "persistence-splits-client",
          host: choice.host,
          title: `${client} comes from ${formatIpv4Address(other.client)} and ${formatIpv4Address(choice.client)} and is given to two servers`,
          why: `Persistence knows a client by its address (mask 255.255.255.255): ${formatIpv4Address(other.client)} belongs to ${other.chosen}, ${formatIpv4Address(choice.client)} to ${choice.chosen}. Who comes through several proxies or addresses loses his session.`,
          fix: `On ${choice.host}: ipvsadm -E ${serviceArgument(choice.service)} -s ${choice.scheduler} -p ${seconds} -M 255.255.255.0, which takes a network for one client.`,
        },
        [other.id, choice.id],
        client,
      );
  }
  return found.list;
};

/** HTTP and HTTPS of one VIP, each persistent by itself: one client, two servers. */
export const persistencePerService: Check = (evidence) => {
  const found = new FindingList();
  const byClient = new Map<string, EventOf<"scheduled">>();
  for (const { choice, seconds } of persistentChoices(evidence)) {
    const service = serviceOf(evidence, choice);
    if (service?.address === undefined) continue;
    const key = `${choice.host} ${service.address} ${choice.client}`;
    const other = byClient.get(key);
    byClient.set(key, choice);
    if (other === undefined || other.service === choice.service || choice.timeNs - other.timeNs > seconds * 1e9) continue;
    const [one, two] = [chosenDest(evidence, other), chosenDest(evidence, choice)];
    const couldBoth = choice.candidates.some(({ address }) => address === one?.address);
    if (one === undefined || two === undefined || one.address === two.address || !couldBoth) continue;
    found.add(
      {
        id: "persistence-per-service",
        host: choice.host,
        title: `${formatIpv4Address(choice.client)} is on ${formatIpv4Address(one.address)} for ${other.service} and on ${formatIpv4Address(two.address)} for ${choice.service}`,
        why: `Each virtual service has its own persistence templates. What the client did on one server (a cart, a login) the other does not know.`,
        fix: `On ${choice.host}: mark both ports and make one service of them: iptables -t mangle -A PREROUTING -d ${formatIpv4Address(service.address)} -p tcp -m multiport --dports ${portOf(other)},${portOf(choice)} -j MARK --set-mark 1; ipvsadm -A -f 1 -s ${choice.scheduler} -p ${seconds}; ${serversOf(evidence, choice).join("; ")}; ipvsadm -D ${serviceArgument(other.service)}; ipvsadm -D ${serviceArgument(choice.service)}.`,
      },
      [other.id, choice.id],
    );
  }
  return found.list;
};

function portOf({ service }: EventOf<"scheduled">): string {
  return service.split(":").at(-1) ?? "";
}

/** The servers of a service as they are added to a service of mark 1. */
function serversOf(evidence: Evidence, choice: EventOf<"scheduled">): string[] {
  return evidence.dests
    .filter(({ director, service, sinceId, untilId }) => director === choice.host && service === choice.service && sinceId <= choice.id && choice.id < untilId)
    .map(({ address, method }) => `ipvsadm -a -f 1 -r ${formatIpv4Address(address)} ${method === "masq" ? "-m" : method === "tunnel" ? "-i" : "-g"}`);
}

/** Datagrams of one socket are one connection for IPVS and go to one server as long as they come (300 s). ip_vs_proto_udp.c, IP_VS_SVC_F_ONEPACKET */
export const oneClientUdp: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of toVirtual(evidence)) {
    const [choice, ...others] = choicesOf(evidence, conversation);
    if (conversation.protocol !== "udp" || conversation.calls < DATAGRAMS_MIN || choice === undefined || others.length > 0 || choice.chosen === undefined) continue;
    const service = serviceOf(evidence, choice);
    if (service === undefined || service.row.isOnePacket || choice.candidates.filter(({ isEligible }) => isEligible).length < 2) continue;
    found.add(
      {
        id: "one-client-udp",
        host: choice.host,
        title: `All ${conversation.calls} datagrams of ${formatEnd(conversation.from)} go to ${choice.chosen}`,
        why: `For IPVS the datagrams of one source port are one connection: its entry was made for the first, lives for ${udpSeconds(evidence, choice.host)} s after the last, and decides for all between.`,
        fix: `On ${choice.host}: ipvsadm -E ${serviceArgument(choice.service)} -s ${choice.scheduler} -o (one-packet scheduling chooses anew for each datagram), or a shorter ipvsadm --set 0 0 SECONDS.`,
      },
      choice.id,
      choice.service,
    );
  }
  return found.list;
};

/** 300 s unless ipvsadm --set said otherwise; the trace's settings do not have it. */
function udpSeconds(evidence: Evidence, host: string): number {
  const set = evidence.of("command-start").findLast((event) => event.host === host && /^ipvsadm --set \d+ \d+ [1-9]/.test(event.command));
  return Number(set?.command.split(" ")[4] ?? 300);
}

/** The second connection of a protocol (passive FTP) goes to a port that is no service. */
export const dataConnectionUnknown: Check = (evidence) => {
  const found = new FindingList();
  const controls = toVirtual(evidence).filter(({ protocol, isEstablished }) => protocol === "tcp" && isEstablished);
  for (const conversation of toVirtual(evidence)) {
    const { client, to, from, startNs, startId } = conversation;
    if (conversation.protocol !== "tcp" || conversation.outcome === "ok" || choicesOf(evidence, conversation).length > 0) continue;
    const control = controls.find((one) => one.client === client && one.from.address === from.address && one.to.address === to.address && one.to.port === 21 && one.number < conversation.number && one.endNs >= startNs);
    const refusal = conversation.drops.find(({ reason }) => reason === "NO_SOCKET" || reason === "NETFILTER_DROP" || reason === "NETFILTER_REJECT");
    const director = evidence.directorsOf(to.address).find((host) => evidence.directs(host, to.address, startId));
    if (control === undefined || director === undefined || refusal?.host !== director || evidence.servicesFor(to.address, to.port, startId).length > 0) continue;
    found.add(
      {
        id: "data-connection-unknown",
        host: director,
        title: `The data connection of ${client} to ${formatEnd(to)} belongs to no service of ${director}`,
        why: `${formatEnd(control.to)} was balanced, and the server told the client to come to port ${to.port}. For that port ${director} has no service and no entry, so the packet ended in its own stack: ${refusal.detail}.`,
        fix: `On ${director}: mark the control port and the passive ports (iptables -t mangle ... --dport 21 and --dport 10000:20000 -j MARK --set-mark 21) and make one persistent service of the mark: ipvsadm -A -f 21 -s rr -p 300. With NAT the helper ip_vs_ftp does it.`,
      },
      [control.startId, startId, refusal.id],
    );
  }
  return found.list;
};
