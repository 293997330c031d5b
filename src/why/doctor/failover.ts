/**
 * Faults of failover: two masters, and connections that the new director does not know.
 */

import { formatIpv4Address } from "../../base/ipv4-address.ts";
import { formatEnd, isRst } from "../conversations.ts";
import type { Evidence, EventOf } from "../evidence.ts";
import type { TraceEvent } from "../../trace/events.ts";
import { type Check, FindingList } from "../finding.ts";
import { choicesOf, toVirtual } from "./service-view.ts";

/** In a takeover the master changes once; who alternates with another has not heard it. */
const CHANGES_MIN = 3;
/** A master that hears another with a higher priority yields at once; one that dies is replaced after 3.6 s at the default of 1 s. */
const SHARED_NS = 3 * 1_000_000_000;
const SYNC_GROUP = 0xe0000051;
const VRRP = 112;

/** Two hosts send VRRP advertisements for one router at the same time: neither hears the other, or one does not. RFC 5798, 6.4.3 */
export const twoMasters: Check = (evidence) => {
  const found = new FindingList();
  const adverts = new Map<number, EventOf<"frame-sent">[]>();
  for (const event of evidence.of("frame-sent")) {
    const { payload } = event.frame;
    if (payload.kind !== "ipv4" || payload.payload.kind !== "vrrp" || payload.payload.priority === 0) continue;
    adverts.set(payload.payload.vrid, [...(adverts.get(payload.payload.vrid) ?? []), event]);
  }
  for (const [vrid, sent] of adverts) {
    const overlap = firstOverlap(sent) ?? sharedAddress(evidence, sent);
    if (overlap === undefined) continue;
    const [one, two] = overlap;
    const lost = evidence.of("packet-dropped").find((drop) => drop.packet.protocol === VRRP && drop.reason !== "OTHERHOST" && drop.id > 0 && [one.host, two.host].includes(drop.host));
    const addresses = sent.flatMap(({ frame: { payload } }) => (payload.kind === "ipv4" && payload.payload.kind === "vrrp" ? payload.payload.addresses : []));
    found.add(
      {
        id: "two-masters",
        host: two.host,
        title: `${one.host} and ${two.host} are both master of virtual router ${vrid} (${[...new Set(addresses)].map(formatIpv4Address).join(", ")})`,
        why: `From ${evidence.timeOf(two.id)} on both act as master. A backup becomes master when it hears none for three intervals and its skew. ${lost === undefined ? "No advertisement of the one reaches the other." : `${lost.host} dropped an advertisement at ${evidence.timeOf(lost.id)}: ${lost.detail}.`} Both have the address and announce it; neighbours believe who announced last.`,
        fix: `Let VRRP pass between ${one.host} and ${two.host}: iptables -I INPUT -p 112 -j ACCEPT on both, one link or VLAN, multicast 224.0.0.18 (or unicast_peer). garp_master_refresh mends what neighbours believe.`,
      },
      [one.id, two.id, ...(lost === undefined ? [] : [lost.id])],
      String(vrid),
    );
  }
  return found.list;
};

/** The first two advertisements of an alternation; undefined: masters only followed each other. */
function firstOverlap(sent: readonly EventOf<"frame-sent">[]): readonly [EventOf<"frame-sent">, EventOf<"frame-sent">] | undefined {
  let changes: [EventOf<"frame-sent">, EventOf<"frame-sent">][] = [];
  for (let i = 1; i < sent.length; i++) {
    const [before, now] = [sent[i - 1] as EventOf<"frame-sent">, sent[i] as EventOf<"frame-sent">];
    if (before.host === now.host) {
      // Both send once in an interval: two in a row of one host mean that the other is silent, or twice as slow.
      if (i > 1 && sent[i - 2]?.host === now.host) changes = [];
      continue;
    }
    changes.push([before, now]);
    if (changes.length >= CHANGES_MIN) return changes[0];
  }
  return undefined;
}

/** Hosts that run keepalived and have a router's address at the same time for longer than a takeover takes. */
function sharedAddress(evidence: Evidence, sent: readonly EventOf<"frame-sent">[]): readonly [TraceEvent, TraceEvent] | undefined {
  const addresses = new Set(sent.flatMap(({ frame: { payload } }) => (payload.kind === "ipv4" && payload.payload.kind === "vrrp" ? payload.payload.addresses : [])));
  const hosts = evidence.hostNames.filter((host) => evidence.of("command-start").some((event) => event.host === host && /keepalived/.test(event.command)));
  const spans = hosts.flatMap((host) => [...addresses].flatMap((address) => spansOfAddress(evidence, host, address)));
  for (const one of spans)
    for (const two of spans) {
      if (one.host === two.host || one.address !== two.address || two.sinceId < one.sinceId) continue;
      const [since, until] = [evidence.event(two.sinceId), evidence.event(Math.min(one.untilId, two.untilId))];
      const untilNs = until?.timeNs ?? evidence.endNs;
      const lastId = until?.id ?? evidence.events.at(-1)?.id ?? 0;
      const isAlive = ![one.host, two.host].some((host) => evidence.isCut(host, two.sinceId) || evidence.isCut(host, lastId) || wasCutBetween(evidence, host, two.sinceId, lastId));
      if (since !== undefined && untilNs - since.timeNs > SHARED_NS && isAlive) return [Object.assign({}, since, { host: one.host }), since];
    }
  return undefined;
}

function wasCutBetween(evidence: Evidence, host: string, from: number, to: number): boolean {
  return evidence.of("link").some((event) => event.host === host && event.id >= from && event.id <= to && event.state !== "up");
}

function spansOfAddress(evidence: Evidence, host: string, address: number) {
  const text = formatIpv4Address(address);
  const spans: { host: string; address: number; sinceId: number; untilId: number }[] = [];
  for (const event of evidence.of("table")) {
    if (event.host !== host || event.table !== "address" || !event.entry.startsWith(`${text}/`)) continue;
    if (event.change === "add") spans.push({ host, address, sinceId: event.id, untilId: Number.MAX_SAFE_INTEGER });
    else if (event.change === "remove" && spans.length > 0) (spans.at(-1) as { untilId: number }).untilId = event.id;
  }
  return spans;
}

/** A connection came to a director that has no entry for it: nobody told it. ip_vs_sync.c:ip_vs_sync_conn */
export const connectionsNotSynced: Check = (evidence) => {
  const found = new FindingList();
  for (const conversation of toVirtual(evidence)) {
    const [choice] = choicesOf(evidence, conversation);
    if (choice === undefined || !conversation.isEstablished) continue;
    const vip = conversation.to.address;
    const drop = conversation.drops.find((one) => one.id > choice.id && one.host !== choice.host && one.reason === "NO_SOCKET" && one.packet.dst === vip && !isRst(one.packet) && evidence.isLocal(one.host, vip, one.id) && (evidence.directs(one.host, vip, one.id) || evidence.isDirector(one.host)));
    if (drop === undefined) continue;
    const sync = evidence.of("frame-sent").find((event) => event.host === choice.host && event.frame.payload.kind === "ipv4" && event.frame.payload.dst === SYNC_GROUP);
    const others = evidence.tables.rows(drop.host, "ipvsConnections", drop.id).filter(({ isFromSync }) => isFromSync).length;
    const threshold = evidence.tables.row(choice.host, "sysctls", "net.ipv4.vs.sync_threshold", choice.id)?.value.replace(/\s+/, " ");
    const reason =
      sync === undefined
        ? `${choice.host} sent no word of its connections: no sync daemon.`
        : others > 0
          ? `${drop.host} was told of ${others} connections by sync, but not of this one: with sync_threshold = ${threshold} the master tells of a connection at its third packet, and seconds later.`
          : `${choice.host} sends sync messages, but ${drop.host} knows no connection from them.`;
    found.add(
      {
        id: "connections-not-synced",
        host: drop.host,
        title: `${drop.host} took the VIP over without the connections of ${choice.host}`,
        why: `${formatEnd(conversation.from)} was given to ${choice.chosen} by ${choice.host}. At ${evidence.timeOf(drop.id)} its packets came to ${drop.host}, which has no entry for them and answered with RST. ${reason}`,
        fix: sync === undefined ? `Run sync daemons: ipvsadm --start-daemon master on ${choice.host}, backup on ${drop.host} (keepalived: lvs_sync_daemon eth0 VI_1), both ways if either may be master; nopreempt avoids a second loss.` : `Accept that young connections are lost, or tell more often: sysctl -w net.ipv4.vs.sync_threshold="1 2" on ${choice.host}; nopreempt in keepalived.conf avoids needless takeovers.`,
      },
      [choice.id, drop.id],
    );
  }
  return found.list;
};

/** A backup's sync daemon runs, and the master's messages do not come to it: another interface, link or port. ip_vs_sync.c:sync_thread_backup */
export const syncNotReceived: Check = (evidence) => {
  const found = new FindingList();
  for (const event of evidence.of("frame-sent")) {
    const { payload } = event.frame;
    if (payload.kind !== "ipv4" || payload.dst !== SYNC_GROUP || payload.payload.kind !== "udp") continue;
    for (const backup of evidence.hostNames) {
      if (backup === event.host || !hasBackupDaemon(evidence, backup, event.id) || evidence.isCut(backup, event.id)) continue;
      const arrival = evidence.of("frame-received").find((one) => one.cause === event.id && one.host === backup);
      const drop = arrival === undefined ? undefined : evidence.of("packet-dropped").find((one) => one.host === backup && one.cause === arrival.id);
      if (arrival !== undefined && drop === undefined) continue;
      found.add(
        {
          id: "sync-not-received",
          host: backup,
          title: `The sync daemon of ${backup} does not get what ${event.host} sends`,
          why: `${event.host} sends its connections to 224.0.0.81 by ${event.device} (link ${evidence.linkOf(event.host, event.device)}). ${drop === undefined ? `${backup} is not on that link.` : `It comes in by ${arrival?.device} of ${backup}, where nobody listens: ${drop.detail}.`}`,
          fix: `Start both daemons on interfaces of one link, with one syncid: ipvsadm --start-daemon backup --mcast-interface ${arrival?.device ?? "ETH"} on ${backup}; look at ipvsadm -L --daemon on both.`,
        },
        [event.id, ...(drop === undefined ? [] : [drop.id])],
      );
    }
  }
  return found.list;
};

/** Started and not stopped by what was typed. */
function hasBackupDaemon(evidence: Evidence, host: string, id: number): boolean {
  let isRunning = false;
  for (const { id: at, host: where, command } of evidence.of("command-start")) {
    if (at > id) break;
    if (where !== host || !command.startsWith("ipvsadm")) continue;
    if (/--start-daemon[ =]backup/.test(command)) isRunning = true;
    if (/--stop-daemon[ =]backup/.test(command)) isRunning = false;
  }
  return isRunning;
}
