/**
 * Faults of connection synchronisation: what a director was not told of the connections of another.
 *
 * Which daemons ran, on which interface and with which syncid, is in the kernel's log (net/netfilter/ipvs/ip_vs_sync.c:start_sync_thread) and in
 * the sockets they hold.
 */

import { formatIpv4Address } from "../../base/ipv4-address.ts";
import { decodeSyncMessage } from "../../ipvs/sync-message.ts";
import { type Conversation, formatEnd, isRst } from "../conversations.ts";
import type { Evidence, EventOf } from "../evidence.ts";
import { type Check, type Finding, FindingList } from "../finding.ts";
import { choicesOf, toVirtual } from "./service-view.ts";

const SYNC_GROUP = 0xe0000051;
const STARTED = /sync thread started: state = (MASTER|BACKUP), mcast_ifn = (\S+), syncid = (\d+)/;

interface SyncDaemon {
  readonly device: string;
  readonly link: string | undefined;
  readonly syncId: number;
}

/** The daemon of a role that ran on a host at record `id`; undefined: none. */
function daemonOf(evidence: Evidence, host: string, role: "MASTER" | "BACKUP", id: number): SyncDaemon | undefined {
  // The kernel's own sockets belong to no process: the master's is connected to the group, the backup's bound to it.
  const isRunning = evidence.tables.rows(host, "sockets", id).some(({ protocol, process, local, remote }) => protocol === "udp" && process === null && isMulticast(role === "MASTER" ? remote : local));
  const started = isRunning ? evidence.of("log").findLast((event) => event.host === host && event.id <= id && STARTED.exec(event.text)?.[1] === role) : undefined;
  const [, , device, syncId] = STARTED.exec(started?.text ?? "") ?? [];
  return device === undefined ? undefined : { device, link: evidence.linkOf(host, device), syncId: Number(syncId) };
}

function isMulticast(end: string): boolean {
  const first = Number(end.split(".")[0]);
  return first >= 224 && first < 240;
}

/** Messages of a host's master daemon, between two records. */
function* messagesOf(evidence: Evidence, host: string, since: number, until: number) {
  for (const event of evidence.of("frame-sent")) {
    const { payload } = event.frame;
    if (event.host === host && event.id > since && event.id < until && payload.kind === "ipv4" && payload.dst === SYNC_GROUP && payload.payload.kind === "udp" && payload.payload.payload instanceof Uint8Array) yield { event, bytes: payload.payload.payload };
  }
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
    const { why, fix } = reasonOf(evidence, conversation, choice, drop);
    found.add(
      {
        id: "connections-not-synced",
        host: drop.host,
        title: `${drop.host} took the VIP over without the connections of ${choice.host}`,
        why: `${formatEnd(conversation.from)} was given to ${choice.chosen} by ${choice.host}. At ${evidence.timeOf(drop.id)} its packets came to ${drop.host}, which has no entry for them and answered with RST. ${why}`,
        fix,
      },
      [choice.id, drop.id],
    );
  }
  return found.list;
};

/** Why the new director does not know a connection, and the cure. */
function reasonOf(evidence: Evidence, conversation: Conversation, choice: EventOf<"scheduled">, drop: EventOf<"packet-dropped">): Pick<Finding, "why" | "fix"> {
  const [old, now] = [choice.host, drop.host];
  const master = daemonOf(evidence, old, "MASTER", choice.id);
  const backup = daemonOf(evidence, now, "BACKUP", choice.id);
  if (master === undefined)
    return {
      why: `${old} tells nobody of its connections: no sync daemon runs there as master.`,
      fix: `Run sync daemons: ipvsadm --start-daemon master on ${old}${backup === undefined ? `, backup on ${now}` : ""} (keepalived: lvs_sync_daemon eth0 VI_1), both ways if either may be master; nopreempt avoids a second loss.`,
    };
  const mismatch = mismatchOf(evidence, { old, now, master, backup });
  if (mismatch !== undefined) return mismatch;
  const { address, port } = conversation.from;
  const messages = [...messagesOf(evidence, old, choice.id, drop.id)];
  const told = messages.find(({ bytes }) => decodeSyncMessage(bytes)?.records.some((record) => record.clientAddress === address && record.clientPort === port));
  const threshold = evidence.tables.row(old, "sysctls", "net.ipv4.vs.sync_threshold", choice.id)?.value.replace(/\s+/, " ");
  const others = evidence.tables.rows(now, "ipvsConnections", drop.id).filter(({ isFromSync }) => isFromSync).length;
  if (told === undefined)
    return {
      why: `${others > 0 ? `${now} was told of ${others} connections by sync, but not of this one` : `Both daemons run, and ${old} had not told of this one`}: with sync_threshold = ${threshold} the master tells of a connection at packet ${Number(threshold?.split(" ")[0] ?? 0)} of it, and sends what it collected up to two seconds later.`,
      fix: `Accept that young connections are lost, or tell earlier: sysctl -w net.ipv4.vs.sync_threshold="1 2" on ${old}; nopreempt in keepalived.conf avoids needless takeovers.`,
    };
  return {
    why: `${old} told of it at ${evidence.timeOf(told.event.id)}, but ${now} has no entry from that any longer, or did not get the message.`,
    fix: `Look at ipvsadm -Lnc on ${now} while ${old} is master, and at what a filter drops there (UDP port 8848, 224.0.0.81).`,
  };
}

/** The daemons cannot hear each other: one is missing, they are on different links, or have different syncids. */
function mismatchOf(evidence: Evidence, { old, now, master, backup }: { readonly old: string; readonly now: string; readonly master: SyncDaemon; readonly backup: SyncDaemon | undefined }): Pick<Finding, "why" | "fix"> | undefined {
  const device = evidence.header.hosts.find(({ name }) => name === now)?.interfaces.find(({ link }) => link === master.link)?.name;
  const start = `ipvsadm --start-daemon backup --mcast-interface ${device ?? "ETH"} --syncid ${master.syncId}`;
  const restart = `On ${now}: ${backup === undefined ? "" : "ipvsadm --stop-daemon backup; "}${start}${device === undefined ? `, where ETH is on the link of ${master.device} of ${old}` : ""}; look at ipvsadm -L --daemon on both.`;
  if (backup === undefined) return { why: `${old} tells of its connections by ${master.device}, but on ${now} no sync daemon runs as backup.`, fix: restart };
  if (backup.link !== master.link) return { why: `The sync daemon of ${old} sends by ${master.device} (link ${master.link}), that of ${now} listens on ${backup.device} (link ${backup.link}).`, fix: restart };
  if (isForeign(backup, master.syncId)) return { why: `The sync daemon of ${old} has syncid ${master.syncId}, that of ${now} ${backup.syncId}: it ignores messages of another syncid.`, fix: restart };
  return undefined;
}

/** Syncid 0 takes all. ip_vs_sync.c:ip_vs_process_message */
function isForeign(backup: SyncDaemon, syncId: number): boolean {
  return backup.syncId !== 0 && backup.syncId !== syncId;
}

/** A backup's sync daemon runs, and the master's messages do not come to it or are not for it: another interface, link, port or syncid. ip_vs_sync.c:sync_thread_backup */
export const syncNotReceived: Check = (evidence) => {
  const found = new FindingList();
  for (const sender of evidence.hostNames)
    for (const { event, bytes } of messagesOf(evidence, sender, 0, Number.MAX_SAFE_INTEGER)) {
      const backups = evidence.hostNames.flatMap((host) => {
        const daemon = host === sender || evidence.isCut(host, event.id) ? undefined : daemonOf(evidence, host, "BACKUP", event.id);
        return daemon === undefined ? [] : [{ host, daemon }];
      });
      const syncId = bytes[1] ?? 0;
      // With more than two directors a message may be meant for another group.
      const isForSomebody = backups.some(({ daemon }) => !isForeign(daemon, syncId));
      for (const { host, daemon } of backups) {
        const arrival = evidence.of("frame-received").find((one) => one.cause === event.id && one.host === host);
        const drop = arrival === undefined ? undefined : evidence.of("packet-dropped").find((one) => one.host === host && one.cause === arrival.id);
        const isIgnored = isForeign(daemon, syncId);
        if ((isIgnored && isForSomebody) || (!isIgnored && arrival !== undefined && drop === undefined)) continue;
        const master = { device: event.device, link: evidence.linkOf(sender, event.device), syncId };
        const mismatch = mismatchOf(evidence, { old: sender, now: host, master, backup: daemon });
        found.add(
          {
            id: "sync-not-received",
            host,
            title: `The sync daemon of ${host} ${isIgnored && drop === undefined && arrival !== undefined ? "ignores" : "does not get"} what ${sender} sends`,
            why: mismatch?.why ?? `${sender} sends its connections to ${formatIpv4Address(SYNC_GROUP)} by ${event.device} (link ${master.link}). ${drop === undefined ? `They do not come to ${host}.` : `It comes in by ${arrival?.device} of ${host}, where nobody takes it: ${drop.detail}.`}`,
            fix: mismatch?.fix ?? `Start both daemons on interfaces of one link, with one syncid: ipvsadm --start-daemon backup --mcast-interface ${arrival?.device ?? "ETH"} on ${host}; look at ipvsadm -L --daemon on both.`,
          },
          [event.id, ...(drop === undefined ? [] : [drop.id])],
        );
      }
    }
  return found.list;
};
