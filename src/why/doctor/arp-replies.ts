/**
 * Faults of ARP answers: somebody answers who should be silent, somebody is silent who should answer, somebody believes an old answer.
 */

import { formatIpv4Address, type Ipv4Address } from "../../base/ipv4-address.ts";
import { formatMacAddress } from "../../base/mac-address.ts";
import { NS_PER_SECOND } from "../../base/time.ts";
import type { Evidence, EventOf } from "../evidence.ts";
import { type Check, type Finding, FindingList } from "../finding.ts";
import { failed, isServerOf, toVirtual } from "./service-view.ts";
import { answerersOn, directSends, lessonOf, settingsOf, vip, wouldAnswer } from "./arp-view.ts";

const HIDE = "echo 1 > /proc/sys/net/ipv4/conf/all/arp_ignore; echo 2 > /proc/sys/net/ipv4/conf/all/arp_announce";
/** An answer is sent within so many records of the decision. */
const REPLY_RECORDS_MAX = 64;
const STALE_NS = 1.5 * NS_PER_SECOND;

/** An answer for a virtual address by a host that does not have the service, while a director on the same link does. */
interface WrongAnswer {
  readonly event: EventOf<"arp-decision">;
  /** The records of the wrong answers that follow from the same request or later ones. */
  readonly director: string;
}

/**
 * Answers for virtual addresses that the director should have given alone. net/ipv4/arp.c:arp_process answers for every local address unless
 * arp_ignore of the receiving interface (or of all, whichever is larger) says no.
 */
function wrongAnswers(evidence: Evidence): WrongAnswer[] {
  const found: WrongAnswer[] = [];
  for (const event of evidence.of("arp-decision")) {
    const { host, device, target, id, sender } = event;
    if (!event.isAnswered || !evidence.isVirtual(target) || sender === target || sender === 0 || !hasReplied(evidence, event)) continue;
    const link = evidence.linkOf(host, device);
    const directors = evidence.directorsOf(target).filter((one) => one !== host && evidence.directs(one, target, id) && evidence.isLocal(one, target, id) && isOn(evidence, one, link) && !evidence.isCut(one, id));
    const [director] = directors;
    if (director === undefined) continue;
    // Two directors at once are another matter, unless only the one of them has announced itself.
    if (evidence.directs(host, target, id) && !isUnannouncedTwin(evidence, event, director)) continue;
    found.push({ event, director });
  }
  return found;
}

/** The answer left, with the address in it: arptables may drop or mangle it. */
function hasReplied(evidence: Evidence, { id, host, target }: EventOf<"arp-decision">): boolean {
  for (let at = id + 1; at < id + REPLY_RECORDS_MAX; at++) {
    const event = evidence.event(at);
    if (event?.kind === "frame-sent" && event.cause === id && event.host === host) return event.frame.payload.kind === "arp" && event.frame.payload.senderIp === target;
  }
  return false;
}

/** Both hosts have the service and answer, but only the other one announced the address: no takeover, just an address that two have. */
function isUnannouncedTwin(evidence: Evidence, event: EventOf<"arp-decision">, director: string): boolean {
  const hasVrrp = evidence.of("frame-sent").some(({ frame }) => frame.payload.kind === "ipv4" && frame.payload.protocol === 112);
  return !hasVrrp && announces(evidence, director, event.target) && !announces(evidence, event.host, event.target);
}

/** The host sent a gratuitous ARP for the address, before record `until`. */
export function announces(evidence: Evidence, host: string, address: Ipv4Address, since = 0, until = Number.MAX_SAFE_INTEGER): boolean {
  return evidence.of("frame-sent").some(({ id, host: sender, frame: { payload } }) => id >= since && id <= until && sender === host && payload.kind === "arp" && payload.senderIp === address && payload.targetIp === address);
}

function isOn(evidence: Evidence, host: string, link: string | undefined): boolean {
  return evidence.header.hosts.some(({ name, interfaces }) => name === host && interfaces.some((one) => one.link === link));
}

/** The settings of this host silence it later on: then it was only too late, not wrong. */
function silencedLater(evidence: Evidence, { host, device, target, id }: EventOf<"arp-decision">): EventOf<"sysctl"> | undefined {
  // Tables are written at the end of an event: what is in force after a setting is what holds when its instant is over.
  return evidence.of("sysctl").find((one) => one.id > id && one.host === host && /\.arp_ignore$/.test(one.key) && Number(one.after) > Number(one.before) && !wouldAnswer(evidence, host, device, target, recordAt(evidence, one.timeNs) ?? one.id));
}

/** Packets for the address that went to this host although it would not answer for it any longer. */
function staleSends(evidence: Evidence, host: string, address: Ipv4Address, sinceId: number) {
  return [...directSends(evidence, (to) => to === address)].filter(({ event, receiver }) => event.id > sinceId && receiver === host && !evidence.directs(event.host, address, event.id));
}

/** Somebody else than the director answers for the VIP; or did so before its settings were made, and is still believed. */
export const vipAnsweredByOthers: Check = (evidence) => {
  const found = new FindingList();
  for (const { event, director } of wrongAnswers(evidence)) {
    const { host, device, target } = event;
    const name = formatIpv4Address(target);
    const silenced = silencedLater(evidence, event);
    const late = silenced === undefined ? [] : staleSends(evidence, host, target, silenced.id);
    if (silenced !== undefined && late.length > 0) {
      found.add(
        {
          id: "vip-before-arp-settings",
          host,
          title: `${host} had ${name} before its ARP settings, and is still believed to own it`,
          why: `When ${host} was asked at ${evidence.timeOf(event.id)}, it had ${name} and ${evidence.inForceText(host, device, "arp_ignore", event.id)}, so it answered. ${silenced.key} became ${silenced.after} at ${evidence.timeOf(silenced.id)}: that changes later answers, not what ${late[0]?.event.host} already believed.`,
          fix: `Set arp_ignore=1 and arp_announce=2 on ${host} before the VIP goes up (in /etc/sysctl.d, which is read before the network comes up). To mend caches now: arping -U -c 3 -I ${deviceOf(evidence, director, target) ?? "eth0"} ${name} on ${director}.`,
        },
        [event.id, silenced.id, ...late.map((one) => one.event.id)],
        name,
      );
      continue;
    }
    found.add(
      {
        id: "vip-answered-by-others",
        host,
        title: `${host} answers ARP for ${vip(target)}, which ${director} should do alone`,
        why: `${host} has ${name}${placeText(evidence, host, target, event.id)} and was asked on ${device}: ${ignoreWords(evidence, event)}. Whoever takes this answer sends past ${director}.${silenced === undefined ? "" : ` Since ${evidence.timeOf(silenced.id)} ${silenced.key} = ${silenced.after} keeps it silent.`}`,
        fix: silenced === undefined ? ignoreFix(evidence, event) : `On ${host}: make the settings that came at ${evidence.timeOf(silenced.id)} before the VIP goes up (in /etc/sysctl.d). Who believes an old answer needs an announcement: arping -U -c 3 -I ${deviceOf(evidence, director, target) ?? "eth0"} ${name} on ${director}.`,
      },
      event.id,
      name,
    );
  }
  return found.list;
};

function deviceOf(evidence: Evidence, host: string, address: Ipv4Address): string | undefined {
  return evidence.addressRow(host, address)?.device;
}

function placeText(evidence: Evidence, host: string, address: Ipv4Address, id: number): string {
  const row = evidence.addressRow(host, address, id);
  return row === undefined ? " by a local route" : ` on ${row.device}`;
}

function ignoreWords(evidence: Evidence, { host, device, target, id }: EventOf<"arp-decision">): string {
  const text = evidence.inForceText(host, device, "arp_ignore", id);
  const level = evidence.inForce(host, device, "arp_ignore", id);
  if (level === 1 || level === 2) return `${text} hides addresses of other interfaces only, and this is one of ${device}`;
  if (level === 3) return `${text} hides only addresses of scope host, and this one has scope ${evidence.addressRow(host, target, id)?.scope ?? "global"}`;
  return [text, "any local address is answered"].join(": ");
}

function ignoreFix(evidence: Evidence, { host, device, target, id }: EventOf<"arp-decision">): string {
  const name = formatIpv4Address(target);
  const level = evidence.inForce(host, device, "arp_ignore", id);
  const isOnDevice = evidence.addressRow(host, target, id)?.device === device;
  const isOfService = evidence.directs(host, target, id) || evidence.destsFor(target).some((dest) => isServerOf(evidence, host, dest));
  if (isOnDevice && !isOfService) return `On ${host}: ip addr del ${name}/${evidence.addressRow(host, target, id)?.prefixLength} dev ${device}, and give it an address of its own: ${host} is no real server of ${name}, and two hosts of one link cannot share an address. Or choose another VIP.`;
  if (isOnDevice) return `On ${host}: put ${name}/32 on lo instead of ${device}, with arp_ignore=1 and arp_announce=2.`;
  return level === 3 ? `On ${host}: arp_ignore=1 (or give ${name} scope host), and arp_announce=2.` : `On ${host}: ${HIDE}`;
}

/** A setting of ARP was made where it counts for nothing: of lo, or of an interface that the requests do not come in by. */
export const arpSettingWithoutEffect: Check = (evidence) => {
  const found = new FindingList();
  for (const { event } of wrongAnswers(evidence)) {
    const { host, device, target, id } = event;
    if (evidence.inForce(host, device, "arp_ignore", id) !== 0) continue;
    const wrong = typedElsewhere(evidence, event);
    if (wrong === undefined) continue;
    const place = evidence.addressRow(host, target, id)?.device ?? "another interface";
    found.add(
      {
        id: "sysctl-without-effect",
        host,
        title: `arp_ignore of ${wrong.device} on ${host} has no effect on requests that come in by ${device}`,
        why: `net.ipv4.conf.${wrong.device}.arp_ignore = ${wrong.value}, but what counts is the interface that receives the request: ${evidence.inForceText(host, device, "arp_ignore", id)}. ${wrong.device === "default" ? `conf/default is copied to interfaces that come later; ${device} was there.` : `That ${formatIpv4Address(target)} is on ${place} does not matter.`} So ${host} answers for ${formatIpv4Address(target)}, and who asked sends past the director.`,
        fix: `On ${host}: ${HIDE} (or conf/${device} instead of conf/all).`,
      },
      id,
    );
  }
  return found.list;
};

/** The arp_ignore that was set for another interface; one that only follows from conf/default was nobody's wish. */
function typedElsewhere(evidence: Evidence, { host, device, id }: EventOf<"arp-decision">): { readonly device: string; readonly value: number } | undefined {
  const typed = settingsOf(evidence, host, "arp_ignore", id).filter(
    (one) => one.device !== device && one.device !== "all" && evidence.of("sysctl").some((change) => change.host === host && change.id < id && change.key === `net.ipv4.conf.${one.device}.arp_ignore`),
  );
  return typed.find((one) => one.device !== "default") ?? typed[0];
}

/**
 * An address that somebody needs is not answered for. arp_ignore 8 answers for no address, 2 only those who ask from the address's own subnet
 * (net/ipv4/arp.c:arp_ignore).
 */
export const arpIgnoreBlocks: Check = (evidence) => {
  const found = new FindingList();
  for (const event of evidence.of("arp-decision")) {
    const { host, device, target, sender, id } = event;
    if (event.isAnswered || !event.detail.startsWith("arp_ignore")) continue;
    const isOwnVip = evidence.isVirtual(target) && !(evidence.directs(host, target, id) && evidence.directorsOf(target).filter((one) => evidence.isLocal(one, target, id)).length === 1);
    if (isOwnVip) continue;
    const asker = evidence.event(evidence.chain(id).find((one) => one.kind === "frame-sent")?.id ?? 0)?.host;
    const failure = evidence.of("neighbour").find((one) => one.id > id && one.host === asker && one.address === target && one.after === "FAILED");
    if (asker === undefined || failure === undefined) continue;
    const level = evidence.inForce(host, device, "arp_ignore", id);
    const why = level === 8 ? "level 8 answers for no address at all" : level === 2 ? `level 2 answers only askers of the address's own subnet, and ${formatIpv4Address(sender)} is of another` : `level ${level} answers only for addresses of ${device} itself`;
    found.add(
      {
        id: "arp-ignore-blocks",
        host,
        title: `${host} does not answer ARP for ${formatIpv4Address(target)}, which ${asker} needs`,
        why: `${event.detail}: ${why}. ${asker} could not resolve ${formatIpv4Address(target)} and gave up at ${evidence.timeOf(failure.id)}.`,
        fix: unblockFix(evidence, event),
      },
      [id, failure.id],
      formatIpv4Address(target),
    );
  }
  return found.list;
};

function unblockFix(evidence: Evidence, { host, device, target, id }: EventOf<"arp-decision">): string {
  const name = formatIpv4Address(target);
  const keys = ["all", device].map((conf) => `net.ipv4.conf.${conf}.arp_ignore`).filter((key) => evidence.setting(host, key, id) > 0);
  const row = evidence.addressRow(host, target, id);
  if (row?.device === device) return `On ${host}: sysctl -w ${keys.filter((key) => evidence.setting(host, key, id) > 1).map((key) => `${key}=1`).join(" ")}. Level 1 hides the VIP on lo and answers for the addresses of ${device}, whoever asks.`;
  const move = row === undefined ? `ip addr add ${name}/32 dev ${device}` : `ip addr del ${name}/${row.prefixLength} dev ${row.device}; ip addr add ${name}/32 dev ${device}`;
  return `On ${host}: ${move}. ${host} must answer for ${name}; or sysctl -w ${keys.map((key) => `${key}=0`).join(" ")}.`;
}

/** Two interfaces of one host on one LAN answer the same request: the address seems to move. net/ipv4/arp.c:arp_process, with arp_ignore and arp_filter 0. */
export const arpFlux: Check = (evidence) => {
  const found = new FindingList();
  const first = new Map<string, EventOf<"arp-decision">>();
  for (const event of evidence.of("arp-decision")) {
    if (!event.isAnswered) continue;
    const request = evidence.event(event.cause)?.cause ?? 0;
    const key = `${event.host} ${request}`;
    const other = first.get(key);
    if (other === undefined) first.set(key, event);
    else if (other.device !== event.device && request !== 0 && evidence.linkOf(event.host, event.device) === evidence.linkOf(event.host, other.device)) {
      const { host, device, target, id } = event;
      found.add(
        {
          id: "arp-flux",
          host,
          title: `${other.device} and ${device} of ${host} both answer for ${formatIpv4Address(target)}`,
          why: `Both interfaces are on the link ${evidence.linkOf(host, device)}. The address belongs to the host, not to an interface: ${evidence.inForceText(host, device, "arp_ignore", id)} and ${evidence.inForceText(host, device, "arp_filter", id)}, so each answers with its own MAC and the asker keeps either.`,
          fix: `On ${host}: sysctl -w net.ipv4.conf.all.arp_ignore=1 (or arp_filter=1), and arp_announce=2.`,
        },
        [other.id, id],
        formatIpv4Address(target),
      );
    }
  }
  return found.list;
};

/**
 * Somebody keeps sending to the MAC of a host that does not have the address any longer, or hides it now, while another has it: entries
 * that are used, or static, outlive what they say (net/core/neighbour.c). `no-gratuitous-arp` when the new owner never told anybody.
 */
export const staleNeighbour: Check = (evidence) => {
  const found = new FindingList();
  const isAddress = (address: Ipv4Address) => evidence.isVirtual(address) || evidence.hostNames.some((host) => evidence.everHad(host, address));
  for (const { event, to, receiver } of directSends(evidence, isAddress)) {
    const owner = evidence.ownerOfMac(event.frame.dst);
    const link = evidence.linkOf(event.host, event.device);
    if (owner === undefined || link === undefined || wouldAnswer(evidence, receiver, owner.device, to, event.id)) continue;
    // A director's packets for a server carry the VIP to the server's MAC: that is what direct routing is.
    if (evidence.isVirtual(to) && evidence.isDirector(event.host) && evidence.directs(event.host, to, event.id)) continue;
    const answerer = answerersOn(evidence, link, to, event.id).find(({ host }) => host !== receiver && host !== event.host);
    const lesson = lessonOf(evidence, event.host, to, event.frame.dst, event.id);
    if (answerer === undefined || (lesson !== undefined && isRequestOf(evidence, lesson, receiver, to))) continue;
    const conversation = evidence.conversationOf(event.id);
    const reply = lesson === undefined ? undefined : evidence.chain(lesson.id).find((one) => one.kind === "frame-received");
    if (lesson === undefined && neighbourState(evidence, event.host, to, event.id) !== "PERMANENT") continue;
    const isHarm = conversation !== undefined && (conversation.outcome !== "ok" || evidence.isVirtual(to)) && isOld(evidence, answerer.host, to, event);
    if (!isHarm) continue;
    report(evidence, found, { event, to, receiver, answerer, reply: reply?.id });
  }
  return found.list;
};

/** Two hosts on one link have the same address of their own, both answer for it, and packets came to the one that cannot serve them. */
export const duplicateAddress: Check = (evidence) => {
  const found = new FindingList();
  const conversations = failed(toVirtual(evidence));
  for (const event of evidence.of("arp-decision")) {
    const { host, device, target, sender, id } = event;
    const link = evidence.linkOf(host, device);
    if (!event.isAnswered || evidence.isVirtual(target) || sender === target || link === undefined || evidence.addressRow(host, target, id)?.device !== device) continue;
    const other = answerersOn(evidence, link, target, id).find((one) => one.host !== host && evidence.addressRow(one.host, target, id)?.device === one.device);
    const drop = other === undefined ? undefined : conversations.flatMap(({ drops }) => drops).find((one) => one.host === host && one.id > id && one.packet.payload.kind !== "icmp");
    if (other === undefined || drop === undefined) continue;
    const name = formatIpv4Address(target);
    found.add(
      {
        id: "duplicate-address",
        host,
        title: `${host} and ${other.host} both have ${name}`,
        why: `Both are on the link ${link} and answer ARP for ${name}; who asks keeps the one answer or the other. A packet of the service came to ${host}, which dropped it at ${evidence.timeOf(drop.id)}: ${drop.detail}.`,
        fix: `Only one of them may have ${name}: if ${other.host} is the one, on ${host}: ip addr del ${name}/${evidence.addressRow(host, target, id)?.prefixLength ?? 32} dev ${device}; then ip neigh flush to ${name} on who asked.`,
      },
      [id, drop.id],
      name,
    );
  }
  return found.list;
};

function neighbourState(evidence: Evidence, host: string, address: Ipv4Address, id: number): string | undefined {
  const text = formatIpv4Address(address);
  return evidence.tables.rows(host, "neighbours", id).find((row) => row.address === text)?.state;
}

/** The entry came with a request of the receiver for something else: that is the fault of its announcement, not of age. */
function isRequestOf(evidence: Evidence, lesson: EventOf<"neighbour">, receiver: string, address: Ipv4Address): boolean {
  const got = evidence.chain(lesson.id).find((one): one is EventOf<"frame-received"> => one.kind === "frame-received");
  const payload = got?.frame.payload;
  return payload?.kind === "arp" && payload.operation === 1 && payload.senderIp === address && payload.targetIp !== address && evidence.ownerOfMac(payload.senderMac)?.host === receiver;
}

/** The other one has been answering for longer than a takeover takes. */
function isOld(evidence: Evidence, host: string, address: Ipv4Address, event: EventOf<"frame-sent">): boolean {
  const earlier = recordAt(evidence, event.timeNs - STALE_NS);
  return earlier !== undefined && evidence.isLocal(host, address, earlier);
}

/** The last record before a time. */
function recordAt(evidence: Evidence, timeNs: number): number | undefined {
  const { events } = evidence;
  let low = 0;
  let high = events.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((events[middle]?.timeNs ?? 0) > timeNs) high = middle;
    else low = middle + 1;
  }
  return events[low - 1]?.id;
}

function report(
  evidence: Evidence,
  found: FindingList,
  { event, to, receiver, answerer, reply }: { event: EventOf<"frame-sent">; to: Ipv4Address; receiver: string; answerer: { host: string; device: string }; reply: number | undefined },
): void {
  const name = formatIpv4Address(to);
  const mac = formatMacAddress(event.frame.dst);
  const isStatic = neighbourState(evidence, event.host, to, event.id) === "PERMANENT";
  const now = evidence.hasAddress(receiver, to, event.id) ? (evidence.isCut(receiver, event.id) ? "is gone" : `still has the address but does not answer for it`) : evidence.isCut(receiver, event.id) ? "is gone" : "does not have it any longer";
  const tookOver = !evidence.hasAddress(receiver, to, event.id) || evidence.isCut(receiver, event.id);
  const told = announces(evidence, answerer.host, to, 0, event.id);
  const isSilent = !isStatic && tookOver && !told && evidence.isVirtual(to);
  const events = reply === undefined ? [event.id] : [reply, event.id];
  const announce = `arping -U -c 3 -I ${answerer.device} ${name}`;
  if (isSilent)
    found.add(
      {
        id: "no-gratuitous-arp",
        host: answerer.host,
        title: `${answerer.host} took ${name} over without a gratuitous ARP`,
        why: `${answerer.host} has ${name}, but ${event.host} still sends to ${mac}, which is ${receiver}: ${receiver} ${now}, and nobody told ${event.host}. An entry that is used is not looked at for as long as it seems to work.`,
        fix: `After a takeover announce the address: ${announce} on ${answerer.host} (keepalived does it by itself, and repeats it with garp_master_refresh).`,
      },
      events,
      name,
    );
  found.add(
    {
      id: "stale-neighbour",
      host: event.host,
      title: `${event.host} still sends packets for ${name} to ${receiver}`,
      why: `The neighbour entry of ${event.host} says ${name} is at ${mac}, the interface of ${receiver}; ${receiver} ${now}, ${answerer.host} answers for it. ${isStatic ? "The entry is static (PERMANENT): no announcement changes it." : "An entry that is in use outlives what it says."}`,
      fix: isStatic ? `On ${event.host}: ip neigh del ${name} dev ${event.device} (let ARP find it, or give the address a MAC that moves with it).` : `Announce the address: ${announce} on ${answerer.host}; or on ${event.host}: ip neigh flush to ${name}.`,
    },
    events,
    name,
  );
}

/** A setting that was right was undone, or never was made: by a file loaded later, a reboot, or a command that does not exist. */
export const settingReverted: Check = (evidence) => {
  const found = new FindingList();
  for (const { event } of wrongAnswers(evidence)) {
    const undone = undoneBefore(evidence, event);
    if (undone !== undefined) found.add(undone.finding, [...undone.events, event.id]);
  }
  return found.list;
};

function undoneBefore(evidence: Evidence, answer: EventOf<"arp-decision">): { readonly finding: Omit<Finding, "events">; readonly events: readonly number[] } | undefined {
  const { host, id } = answer;
  const changes = evidence.of("sysctl").filter((one) => one.host === host && one.id < id && /\.arp_ignore$/.test(one.key));
  const back = changes.filter((one) => Number(one.before) > 0 && Number(one.after) === 0).at(-1);
  const fix = `On ${host}: put arp_ignore=1 and arp_announce=2 into /etc/sysctl.d (and out of what sets them back), load it with sysctl -p FILE and look at sysctl net.ipv4.conf.all.arp_ignore.`;
  if (back !== undefined) {
    const command = evidence.commandBehind(back.id)?.command ?? "something";
    return {
      finding: { id: "setting-reverted", host, title: `${oneLine(command)} set ${back.key} back to 0 on ${host}`, why: `${back.key} was ${back.before} until ${evidence.timeOf(back.id)}, when ${oneLine(command)} made it ${back.after}: what was typed lasts until a file with other values is loaded. After that ${host} answered for ${formatIpv4Address(answer.target)} again.`, fix },
      events: [back.id],
    };
  }
  const boot = evidence.of("fault").filter((one) => one.host === host && one.fault === "boot" && one.id < id && one.id > evidence.originId).at(-1);
  if (boot !== undefined && changes.some((one) => one.id < boot.id && Number(one.after) > 0)) {
    return {
      finding: { id: "setting-reverted", host, title: `${host} lost its ARP settings when it rebooted`, why: `arp_ignore was set before, by hand; ${host} booted at ${evidence.timeOf(boot.id)} and nothing set it again: ${evidence.inForceText(host, answer.device, "arp_ignore", id)}.`, fix },
      events: [boot.id],
    };
  }
  const unknown = evidence.of("command-end").find((one) => one.host === host && one.id < id && one.exit === 127 && looksLikeSysctl(one.command));
  if (unknown === undefined) return undefined;
  return {
    finding: { id: "setting-reverted", host, title: `${oneLine(unknown.command)} on ${host} ended with 127: there is no such command`, why: `The settings that it should load were never made: ${evidence.inForceText(host, answer.device, "arp_ignore", id)}. The file may be perfect; the kernel has not heard of it.`, fix },
    events: [unknown.id],
  };
}

/** A misspelt sysctl: the same letters but for one exchange or one that is too many or missing. */
function looksLikeSysctl(command: string): boolean {
  const name = (command.trim().split(/\s+/)[0] ?? "").split("/").at(-1) ?? "";
  if (name === "sysctl" || Math.abs(name.length - 6) > 1) return false;
  const sorted = (text: string) => [...text].sort().join("");
  if (sorted(name) === sorted("sysctl")) return true;
  const [shorter, longer] = name.length < 6 ? [name, "sysctl"] : ["sysctl", name];
  if (shorter.length === longer.length) return [...shorter].filter((letter, i) => letter !== longer[i]).length === 1;
  return [...longer].some((_, i) => longer.slice(0, i) + longer.slice(i + 1) === shorter);
}

function oneLine(text: string): string {
  const line = text.trim().replace(/\s*\n\s*/g, "; ");
  return line.length <= 80 ? line : `${line.slice(0, 77)}...`;
}
