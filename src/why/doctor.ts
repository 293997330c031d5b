/**
 * The doctor: names what is wrong in a run and how to mend it. General checks over records and tables, one file for each family in `doctor/`.
 *
 * A check speaks only when the run shows harm: something failed, or traffic went past the director, by the mechanism that the check is about.
 */

import { directorLacksVip, noRouteToClient, notListeningOnVip, portNotTranslated, replyThroughDirector, serverLacksVip, serverNotOnLink, vipPrefix } from "./doctor/addresses.ts";
import { arpFlux, arpIgnoreBlocks, arpSettingWithoutEffect, duplicateAddress, settingReverted, staleNeighbour, vipAnsweredByOthers } from "./doctor/arp-replies.ts";
import { listed } from "./doctor/arp-view.ts";
import { arpAnnouncesVip, directorAsksFromVip, outboundFromVip } from "./doctor/arp-requests.ts";
import { entryExpired, halfOpen, pingIsNoTest, sentToDeadServer, serverGone, sourcePortReused } from "./doctor/connections.ts";
import { deadServer, noServers } from "./doctor/dead-servers.ts";
import { twoMasters } from "./doctor/failover.ts";
import { directorIsClient, directorsBounce, serverIsClient } from "./doctor/insiders.ts";
import { ipForwardOff, notrack, replyBypassesDirector, replyOnWrongLink, tupleCollision, twoNatMechanisms } from "./doctor/nat.ts";
import { destinationRewritten, packetFilters, sourceRewritten } from "./doctor/netfilter.ts";
import { dataConnectionUnknown, oneClientUdp, persistenceHidesBalance, persistencePerService, persistenceSplitsClient, persistentDespiteDrain } from "./doctor/persistence.ts";
import { hashPinsClients, noServerAvailable, weightsIgnored } from "./doctor/schedulers.ts";
import { connectionsNotSynced, syncNotReceived } from "./doctor/sync.ts";
import { loops, mtuBlackHole, noTunnelDevice, outerFragments, rpFilter } from "./doctor/tunnels.ts";
import { frameTooBig, unserved } from "./doctor/unserved.ts";
import { Evidence, type RecordedRun } from "./evidence.ts";
import { type Check, EVENTS_MAX, type Finding } from "./finding.ts";

/** In the order in which findings are told: what explains others first. */
const CHECKS: readonly Check[] = [
  settingReverted,
  arpSettingWithoutEffect,
  arpIgnoreBlocks,
  vipAnsweredByOthers,
  directorAsksFromVip,
  arpAnnouncesVip,
  arpFlux,
  duplicateAddress,
  vipPrefix,
  directorLacksVip,
  serverLacksVip,
  serverNotOnLink,
  loops,
  rpFilter,
  noTunnelDevice,
  replyThroughDirector,
  noRouteToClient,
  portNotTranslated,
  notListeningOnVip,
  sourceRewritten,
  destinationRewritten,
  twoNatMechanisms,
  notrack,
  tupleCollision,
  replyOnWrongLink,
  ipForwardOff,
  packetFilters,
  replyBypassesDirector,
  directorsBounce,
  directorIsClient,
  serverIsClient,
  outboundFromVip,
  mtuBlackHole,
  outerFragments,
  twoMasters,
  staleNeighbour,
  syncNotReceived,
  connectionsNotSynced,
  noServerAvailable,
  sourcePortReused,
  sentToDeadServer,
  serverGone,
  entryExpired,
  weightsIgnored,
  hashPinsClients,
  dataConnectionUnknown,
  persistentDespiteDrain,
  persistencePerService,
  persistenceSplitsClient,
  persistenceHidesBalance,
  oneClientUdp,
  halfOpen,
  pingIsNoTest,
  noServers,
  frameTooBig,
  unserved,
  deadServer,
];

/** Where somebody was not served, whatever the reason: told only when nothing says why. */
const LAST_RESORTS: ReadonlySet<string> = new Set(["half-open", "ping-is-no-test", "server-not-listening", "server-silent", "server-unreachable", "no-such-service", "vip-unreachable", "no-route-to-vip"]);
/** Findings that explain others on the same run: these are not told beside them. */
const SYMPTOMS: Readonly<Record<string, readonly string[]>> = {
  loop: ["directors-bounce"],
  "foreign-source-filtered": ["reply-on-wrong-link"],
  "reply-bypasses-director": ["notrack-with-conntrack", "conntrack-off"],
  "duplicate-address": ["two-masters"],
  "connections-not-synced": ["vip-answered-by-others", "arp-announces-vip", "sync-not-received"],
};

/** Findings that explain others which rest on the same records, or on what followed from them: the others are not told beside them. */
const EXPLAINED_BY: Readonly<Record<string, readonly string[]>> = {
  "vip-answered-by-others": ["setting-reverted", "sysctl-without-effect"],
  "rp-filter-drops": ["sysctl-without-effect"],
  "stale-neighbour": ["vip-before-arp-settings", "vip-answered-by-others", "no-gratuitous-arp"],
  "server-lacks-vip": ["duplicate-address"],
  "ip-forward-off": ["duplicate-address"],
  "not-listening-on-vip": ["duplicate-address"],
  "no-route-to-client": ["notrack-with-conntrack"],
  loop: ["server-lacks-vip", "server-not-on-link"],
};

/** What is wrong in a run, root causes first; nothing when all is well. Wants a trace of level `full`. */
export function diagnose(run: RecordedRun | Evidence): Finding[] {
  const evidence = run instanceof Evidence ? run : new Evidence(run);
  const found = CHECKS.flatMap((check) => check(evidence));
  const hasCause = found.some(({ id }) => !LAST_RESORTS.has(id));
  const deepest = found.filter((one) => {
    if (LAST_RESORTS.has(one.id)) return !hasCause;
    if (found.some(({ id }) => id !== one.id && SYMPTOMS[one.id]?.includes(id) === true)) return false;
    return !found.some((other) => EXPLAINED_BY[one.id]?.includes(other.id) === true && restsOn(evidence, one, other));
  });
  return withHostsTogether(deepest);
}

/** A record of the one is a record of the other, or follows from it. */
function restsOn(evidence: Evidence, one: Finding, other: Finding): boolean {
  return one.events.some((id) => other.events.includes(id) || evidence.chain(id).some((event) => other.events.includes(event.id)));
}

/** The same fault with the same cure on several hosts is told once, and names them all. */
function withHostsTogether(findings: readonly Finding[]): Finding[] {
  const groups: [Finding, ...Finding[]][] = [];
  for (const finding of findings) {
    const group = groups.find(([first, ...others]) => first.id === finding.id && named(first.fix, first.host, "*") === named(finding.fix, finding.host, "*") && [first, ...others].every(({ host }) => host !== finding.host));
    if (group === undefined) groups.push([finding]);
    else group.push(finding);
  }
  return groups.map((group) => {
    const [first, ...others] = group;
    if (others.length === 0) return first;
    const hosts = others.map(({ host }) => host);
    const events = [...new Set(group.flatMap((one) => one.events.slice(0, Math.ceil(EVENTS_MAX / group.length))))].sort((a, b) => a - b);
    return { ...first, title: `${first.title}; the same on ${listed(hosts)}`, fix: named(first.fix, first.host, listed([first.host, ...hosts])), events };
  });
}

/** A text with another name, or other names, for a host. */
function named(text: string, host: string, name: string): string {
  return text.split(/([A-Za-z0-9_.-]*[A-Za-z0-9_])/).map((word) => (word === host ? name : word)).join("");
}
