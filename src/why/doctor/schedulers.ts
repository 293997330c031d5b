/**
 * Faults of scheduling: nobody is available, weights that are not read, hashes that see one client only.
 */

import { formatIpv4Address } from "../../base/ipv4-address.ts";
import type { Evidence, EventOf } from "../evidence.ts";
import { type Check, FindingList } from "../finding.ts";
import { serviceOf } from "./service-view.ts";

/** Schedulers that look at no weight but 0. */
const BLIND_TO_WEIGHTS = new Set(["rr", "lc"]);
/** Enough choices to see that all are alike. */
const CHOICES_MIN = 4;

/** A service has servers, and none may be chosen: weight 0, thresholds, or a hash that points to one that is out. ip_vs_core.c:ip_vs_leave */
export const noServerAvailable: Check = (evidence) => {
  const found = new FindingList();
  for (const choice of evidence.of("scheduled")) {
    if (choice.chosen !== undefined || choice.by !== "scheduler" || choice.candidates.length === 0) continue;
    // ovf is told by its weights how much is enough; a checker that gives weight 0 says that a server is dead.
    if (choice.scheduler === "ovf" && choice.candidates.some(({ weight }) => weight > 0)) continue;
    if (isHealthChecked(evidence, choice)) continue;
    const { host, service, scheduler, candidates } = choice;
    const eligible = candidates.filter(({ isEligible }) => isEligible);
    const rows = evidence.tables.rows(host, "ipvsDestinations", choice.id).filter((row) => row.service === service);
    const states = candidates.map((one) => {
      const row = rows.find(({ address, port }) => address === formatIpv4Address(one.address) && port === one.port);
      const overloaded = row !== undefined && row.upperThreshold > 0 && !one.isEligible && one.weight > 0;
      return `${formatIpv4Address(one.address)}:${one.port} ${one.weight === 0 ? "has weight 0" : overloaded ? `is overloaded (${row.activeConns + row.inactConns} connections, -x ${row.upperThreshold})` : one.isEligible ? `has weight ${one.weight}, but is not the one that the hash names` : "is not available"}`;
    });
    const isHash = eligible.length > 0;
    found.add(
      {
        id: "no-server-available",
        host,
        title: isHash ? `${scheduler} of ${service} turns clients away whose server is out, though others are free` : `No server of ${service} may be chosen`,
        why: `${states.join("; ")}. ${isHash ? `${scheduler} computes one server for a client and does not look for another` : `${scheduler} has nobody to choose`}: the client gets an ICMP port unreachable.`,
        fix: isHash ? `On ${host}: ipvsadm -E ${service.replace(/^TCP /, "-t ").replace(/^UDP /, "-u ")} -s ${scheduler} -b ${scheduler}-fallback, or remove the server instead of giving it weight 0.` : `On ${host}: give a server a weight (ipvsadm -e ... -w 1), raise its thresholds (-x), or add a sorry server.`,
      },
      choice.id,
      service,
    );
  }
  return found.list;
};

/** A server has weight 0 by the will of a checker (keepalived with inhibit_on_failure), not of somebody who typed. */
function isHealthChecked(evidence: Evidence, choice: EventOf<"scheduled">): boolean {
  return choice.candidates.some(({ address, port, weight }) => {
    if (weight !== 0) return false;
    const entry = `${choice.service} -> ${formatIpv4Address(address)}:${port} `;
    const change = evidence.of("table").findLast((event) => event.id < choice.id && event.host === choice.host && event.table === "ipvs-dest" && event.entry.startsWith(entry));
    return change !== undefined && /keepalived/.test(evidence.commandBehind(change.id)?.command ?? "");
  });
}

/** Weights that differ, with a scheduler that does not read them (net/netfilter/ipvs/ip_vs_rr.c:ip_vs_rr_schedule looks for more than 0 only). */
export const weightsIgnored: Check = (evidence) => {
  const found = new FindingList();
  const counts = new Map<string, { readonly choices: EventOf<"scheduled">[]; readonly given: Map<string, number> }>();
  for (const choice of evidence.of("scheduled")) {
    const service = serviceOf(evidence, choice);
    if (choice.by !== "scheduler" || choice.chosen === undefined || service === undefined || !BLIND_TO_WEIGHTS.has(choice.scheduler)) continue;
    const weights = new Set(choice.candidates.filter(({ isEligible }) => isEligible).map(({ weight }) => weight));
    if (weights.size < 2) continue;
    const key = `${choice.host} ${choice.service} ${choice.scheduler}`;
    const count = counts.get(key) ?? { choices: [], given: new Map<string, number>() };
    counts.set(key, count);
    count.choices.push(choice);
    count.given.set(choice.chosen, (count.given.get(choice.chosen) ?? 0) + 1);
  }
  for (const { choices, given } of counts.values()) {
    const choice = choices[0] as EventOf<"scheduled">;
    if (choices.length < CHOICES_MIN) continue;
    const { host } = choice;
    found.add(
      {
        id: "weights-ignored",
        host,
        title: `The weights of ${choice.service} differ, but ${choice.scheduler} does not read them`,
        why: `${choice.candidates.map((one) => `${formatIpv4Address(one.address)}:${one.port} has weight ${one.weight}`).join(", ")}; ${choice.scheduler} reads a weight only when it is 0. In this run: ${[...given].map(([server, count]) => `${server} ${count}`).join(", ")}.`,
        fix: `On ${host}: ipvsadm -E ${choice.service.replace(/^TCP /, "-t ").replace(/^UDP /, "-u ")} -s w${choice.scheduler}`,
      },
      choices.map(({ id }) => id),
      choice.service,
    );
  }
  return found.list;
};

/** A hash of the destination, or of few sources, gives every connection to one server. ip_vs_dh.c:ip_vs_dh_hashkey, ip_vs_sh.c:ip_vs_sh_hashkey */
export const hashPinsClients: Check = (evidence) => {
  const found = new FindingList();
  for (const [key, choices] of byService(evidence)) {
    const [last] = choices.slice(-1);
    if (last === undefined || choices.length < (isMasqueraded(evidence, choices) ? CHOICES_MIN - 1 : CHOICES_MIN)) continue;
    const { scheduler, host, service } = last;
    if (scheduler !== "dh" && scheduler !== "sh" && scheduler !== "mh") continue;
    const servers = new Set(choices.map(({ chosen }) => chosen));
    const clients = new Set(choices.map(({ client }) => client));
    const eligible = last.candidates.filter(({ isEligible }) => isEligible).length;
    if (servers.size > 1 || eligible < 2) continue;
    const isSource = scheduler !== "dh";
    // Several clients that happen to share a server prove nothing; several people behind one address do.
    if (isSource && (clients.size > 1 || !isMasqueraded(evidence, choices))) continue;
    if (!isSource && clients.size < 2) continue;
    found.add(
      {
        id: "hash-pins-clients",
        host,
        title: `${scheduler} gives all ${choices.length} connections of ${service} to ${last.chosen}`,
        why: isSource ? `${scheduler} hashes the client's address, and all of them come from ${formatIpv4Address(last.client)}.` : `dh hashes the destination address, and a service with one VIP has one destination: every client is given to the same server.`,
        fix: isSource ? `On ${host}: ipvsadm -E ... -s ${scheduler} -b ${scheduler}-port (the source port counts, too), or another scheduler.` : `On ${host}: ipvsadm -E ... -s sh for stickiness by client; dh is for caches that serve many destinations (fwmark services).`,
      },
      choices.slice(0, 4).map(({ id }) => id),
      key,
    );
  }
  return found.list;
};

function byService(evidence: Evidence): Map<string, EventOf<"scheduled">[]> {
  const found = new Map<string, EventOf<"scheduled">[]>();
  for (const choice of evidence.of("scheduled")) {
    if (choice.by !== "scheduler" || choice.chosen === undefined) continue;
    const key = `${choice.host} ${choice.service} ${choice.scheduler} ${serviceOf(evidence, choice)?.row.flags ?? ""}`;
    found.set(key, [...(found.get(key) ?? []), choice]);
  }
  return found;
}

/** More than one machine stands behind the address that the director sees. */
function isMasqueraded(evidence: Evidence, choices: readonly EventOf<"scheduled">[]): boolean {
  return new Set(choices.map((choice) => evidence.conversationOf(choice.id)?.client)).size > 1;
}
