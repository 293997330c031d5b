/**
 * The doctor: names what is wrong in a run and how to mend it. General checks over records and tables, one file for each family in `doctor/`.
 *
 * A check speaks only when the run shows harm: something failed, or traffic went past the director, by the mechanism that the check is about.
 */

import { directorLacksVip, noRouteToClient, notListeningOnVip, portNotTranslated, replyThroughDirector, serverLacksVip, serverNotOnLink, vipPrefix } from "./doctor/addresses.ts";
import { arpFlux, arpIgnoreBlocks, arpSettingWithoutEffect, settingReverted, staleNeighbour, vipAnsweredByOthers } from "./doctor/arp-replies.ts";
import { arpAnnouncesVip, directorAsksFromVip, outboundFromVip } from "./doctor/arp-requests.ts";
import { entryExpired, halfOpen, pingIsNoTest, sentToDeadServer, serverGone, sourcePortReused } from "./doctor/connections.ts";
import { deadServer, noServers } from "./doctor/dead-servers.ts";
import { connectionsNotSynced, syncNotReceived, twoMasters } from "./doctor/failover.ts";
import { directorIsClient, directorsBounce, serverIsClient } from "./doctor/insiders.ts";
import { ipForwardOff, notrack, replyBypassesDirector, replyOnWrongLink, tupleCollision, twoNatMechanisms } from "./doctor/nat.ts";
import { destinationRewritten, packetFilters, sourceRewritten } from "./doctor/netfilter.ts";
import { dataConnectionUnknown, oneClientUdp, persistenceHidesBalance, persistencePerService, persistenceSplitsClient, persistentDespiteDrain } from "./doctor/persistence.ts";
import { hashPinsClients, noServerAvailable, weightsIgnored } from "./doctor/schedulers.ts";
import { loops, mtuBlackHole, noTunnelDevice, outerFragments, rpFilter } from "./doctor/tunnels.ts";
import { frameTooBig, unserved } from "./doctor/unserved.ts";
import { Evidence, type RecordedRun } from "./evidence.ts";
import type { Check, Finding } from "./finding.ts";

/** In the order in which findings are told: what explains others first. */
const CHECKS: readonly Check[] = [
  settingReverted,
  arpSettingWithoutEffect,
  arpIgnoreBlocks,
  vipAnsweredByOthers,
  directorAsksFromVip,
  arpAnnouncesVip,
  arpFlux,
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
  "connections-not-synced": ["vip-answered-by-others", "arp-announces-vip"],
};

/** What is wrong in a run, root causes first; nothing when all is well. Wants a trace of level `full`. */
export function diagnose(run: RecordedRun | Evidence): Finding[] {
  const evidence = run instanceof Evidence ? run : new Evidence(run);
  const found = CHECKS.flatMap((check) => check(evidence));
  const hasCause = found.some(({ id }) => !LAST_RESORTS.has(id));
  return found.filter(({ id }) => {
    if (LAST_RESORTS.has(id)) return !hasCause;
    const causes = SYMPTOMS[id];
    return causes === undefined || !found.some((other) => other.id !== id && causes.includes(other.id));
  });
}
