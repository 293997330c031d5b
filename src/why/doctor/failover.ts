/**
 * Faults of failover by VRRP: two masters at once, and why the one does not heed the other.
 */

import { formatIpv4Address } from "../../base/ipv4-address.ts";
import type { Evidence, EventOf } from "../evidence.ts";
import type { TraceEvent } from "../../trace/events.ts";
import type { VrrpAdvert } from "../../wire/packet.ts";
import { type Check, FindingList } from "../finding.ts";

/** In a takeover the master changes once; who alternates with another has not heard it. */
const CHANGES_MIN = 3;
/** A master that hears another with a higher priority yields at once; one that dies is replaced after 3.6 s at the default of 1 s. */
const SHARED_NS = 3 * 1_000_000_000;
const VRRP = 112;
const VRRP_GROUP = 0xe0000012;
const AUTH_NAMES: readonly string[] = ["none", "PASS", "AH"];

/** Two hosts send VRRP advertisements for one address at the same time: neither hears the other, or one does not heed it. RFC 5798, 6.4.3 */
export const twoMasters: Check = (evidence) => {
  const found = new FindingList();
  const adverts = new Map<number, Advert[]>();
  for (const event of evidence.of("frame-sent")) {
    const { payload } = event.frame;
    if (payload.kind !== "ipv4" || payload.payload.kind !== "vrrp" || payload.payload.priority === 0) continue;
    adverts.set(payload.payload.vrid, [...(adverts.get(payload.payload.vrid) ?? []), { event, advert: payload.payload }]);
  }
  for (const [vrid, sent] of adverts) {
    const overlap = firstOverlap(sent.map(({ event }) => event)) ?? sharedAddress(evidence, sent);
    if (overlap === undefined) continue;
    const [one, two] = overlap;
    const addresses = [...new Set(sent.flatMap(({ advert }) => advert.addresses))].map(formatIpv4Address);
    const shares = (advert: VrrpAdvert) => advert.addresses.some((address) => addresses.includes(formatIpv4Address(address)));
    const pair = [one.host, two.host].map((host) => [...adverts.values()].flat().filter(({ event, advert }) => event.host === host && shares(advert)));
    const cause = causeOfDeafness(evidence, [one.host, two.host], pair);
    found.add(
      {
        id: "two-masters",
        host: cause.host ?? two.host,
        title: `${one.host} and ${two.host} are both master of ${cause.isOfRouters ? addresses.join(", ") : `virtual router ${vrid} (${addresses.join(", ")})`}`,
        why: `From ${evidence.timeOf(two.id)} on both act as master. A backup becomes master when it hears none for three intervals and its skew. ${cause.why} Both have the address and announce it; neighbours believe who announced last.`,
        fix: `${cause.fix} garp_master_refresh mends what neighbours believe.`,
      },
      [one.id, two.id, ...cause.events],
      [one.host, two.host, ...addresses].sort().join(" "),
    );
  }
  return found.list;
};

interface Advert {
  readonly event: EventOf<"frame-sent">;
  readonly advert: VrrpAdvert;
}

interface Deafness {
  readonly host?: string;
  readonly why: string;
  readonly fix: string;
  readonly events: readonly number[];
  /** Each is master of a router of its own. */
  readonly isOfRouters?: boolean;
}

/** Why one of two masters does not heed the other: its advertisements are dropped, do not arrive, or say something else than it expects. */
function causeOfDeafness(evidence: Evidence, [one, two]: readonly [string, string], [ofOne = [], ofTwo = []]: readonly Advert[][]): Deafness {
  const [a, b] = [ofOne.at(-1), ofTwo.at(-1)];
  const lost = evidence.of("packet-dropped").find((drop) => drop.packet.protocol === VRRP && drop.reason !== "OTHERHOST" && [one, two].includes(drop.host));
  const pass = `Let VRRP pass between ${one} and ${two}: iptables -I INPUT -p 112 -j ACCEPT on both, one link or VLAN, multicast 224.0.0.18 (or unicast_peer).`;
  const dropped = lost === undefined ? "" : `${lost.host} dropped an advertisement at ${evidence.timeOf(lost.id)}: ${lost.detail}.`;
  const events = lost === undefined ? [] : [lost.id];
  if (lost !== undefined && lost.packet.dst !== VRRP_GROUP && evidence.hostOf(lost.packet.dst) === undefined) {
    const other = lost.host === one ? b : a;
    return {
      host: lost.host,
      why: dropped,
      fix: `On ${lost.host}: unicast_peer in keepalived.conf names ${formatIpv4Address(lost.packet.dst)}, which nobody has; it must name ${other === undefined ? "the other director's address" : formatIpv4Address(sourceOf(other))}.`,
      events,
    };
  }
  if (lost !== undefined || a === undefined || b === undefined) return { why: dropped === "" ? "No advertisement of the one reaches the other." : dropped, fix: pass, events };
  if (a.advert.vrid !== b.advert.vrid)
    return {
      why: `${one} is router ${a.advert.vrid}, ${two} is router ${b.advert.vrid}: to each the other's advertisements are those of a stranger.`,
      fix: `In keepalived.conf: the same virtual_router_id on ${one} and ${two}.`,
      events: [a.event.id, b.event.id],
      isOfRouters: true,
    };
  const [higher, lower, sent] = a.advert.priority >= b.advert.priority ? [one, two, ofOne] : [two, one, ofTwo];
  const arrived = sent.filter(({ event }) => evidence.of("frame-received").some(({ cause, host }) => cause === event.id && host === lower));
  const [first] = arrived;
  const differences = differencesOf(a.advert, b.advert);
  if (first !== undefined && differences.length > 0)
    return {
      why: `The advertisements of ${higher} come to ${lower} and are rejected: ${differences.map(({ name, values: [x, y] }) => `${name} is ${x} on ${one} and ${y} on ${two}`).join("; ")}.`,
      fix: `In keepalived.conf: the same ${differences.map(({ name }) => name).join(" and ")} on ${one} and ${two}.`,
      events: [first.event.id],
    };
  const count = arrived.length === 0 ? `No advertisement of ${higher} reaches ${lower}.` : `${arrived.length} of ${sent.length} advertisements of ${higher} reached ${lower}.`;
  return { why: count, fix: pass, events: [] };
}

function sourceOf({ event: { frame } }: Advert): number {
  return frame.payload.kind === "ipv4" ? frame.payload.src : 0;
}

/** What both must agree on, as keepalived.conf calls it. vrrp.c:vrrp_in_chk */
function differencesOf(a: VrrpAdvert, b: VrrpAdvert): { readonly name: string; readonly values: readonly [string, string] }[] {
  const password = ({ authData }: VrrpAdvert) => [...authData].filter((byte) => byte !== 0).map((byte) => String.fromCharCode(byte)).join("");
  const seconds = ({ version, intervalUnits }: VrrpAdvert) => `${version === 2 ? intervalUnits : intervalUnits / 100} s`;
  const addresses = (advert: VrrpAdvert) => [...advert.addresses].sort((x, y) => x - y).map(formatIpv4Address).join(", ");
  const fields: { name: string; of: (advert: VrrpAdvert) => string }[] = [
    { name: "vrrp_version", of: ({ version }) => String(version) },
    { name: "auth_type", of: ({ authType }) => AUTH_NAMES[authType] ?? String(authType) },
    { name: "auth_pass", of: password },
    { name: "advert_int", of: seconds },
    { name: "virtual_ipaddress", of: addresses },
  ];
  return fields.flatMap(({ name, of }) => (of(a) === of(b) ? [] : [{ name, values: [of(a), of(b)] as const }]));
}

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
function sharedAddress(evidence: Evidence, sent: readonly Advert[]): readonly [TraceEvent, TraceEvent] | undefined {
  const addresses = new Set(sent.flatMap(({ advert }) => advert.addresses));
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
