/**
 * Figures over the whole run: who got which connections, how many are open where, what scheduling compared, what each wire carried.
 */

import { formatIpv4Address } from "../../../../src/base/ipv4-address.ts";
import { formatMacAddress, isGroupMac } from "../../../../src/base/mac-address.ts";
import type { Scheduled, TraceEvent } from "../../../../src/trace/events.ts";
import type { NodeRole } from "../../../../src/report/roles.ts";
import { readServices, type ServiceCharts } from "../../../../src/report/service-series.ts";
import type { Session } from "../session.ts";
import type { Candidate } from "./inspect.ts";
import { linksOf } from "./moment.ts";

/** Every service of every director, from the timeline's start to its end, in so many bins. */
export function serviceCharts({ store, info, cache }: Session, { bins }: { readonly bins: number }): ServiceCharts {
  const known = cache.get("service charts") as ServiceCharts | undefined;
  if (known?.bins === bins) return known;
  const charts = readServices(store.records, { fromNs: info.originNs, toNs: info.endNs, bins });
  cache.set("service charts", charts);
  return charts;
}

/* ------------------------------------------------------------------------------------------------------------- decisions */

export interface Scheduling {
  readonly id: number;
  readonly timeNs: number;
  readonly host: string;
  readonly service: string;
  readonly scheduler: string;
  readonly client: string;
  readonly chosen: string | undefined;
  readonly by: string;
  readonly candidates: readonly Candidate[];
}

const SCHEDULINGS_MAX = 60;

/** The decisions before and behind a record: `rows` ends with those that come later. `total` of the whole run. */
export function schedulings({ store, cache }: Session, { id, length }: { readonly id: number; readonly length: number }): { readonly rows: readonly Scheduling[]; readonly offset: number; readonly total: number } {
  let ids = cache.get("schedulings") as readonly number[] | undefined;
  if (ids === undefined) {
    ids = store.records.filter(({ kind }) => kind === "scheduled").map((event) => event.id);
    cache.set("schedulings", ids);
  }
  const count = Math.min(length, SCHEDULINGS_MAX);
  const done = ids.findLastIndex((one) => one <= id) + 1;
  const offset = Math.max(0, Math.min(done - Math.ceil(count / 2), ids.length - count));
  return { rows: ids.slice(offset, offset + count).map((one) => schedulingOf(store.record(one) as Scheduled)), offset, total: ids.length };
}

function schedulingOf({ id, timeNs, host, service, scheduler, client, clientPort, chosen, by, candidates }: Scheduled): Scheduling {
  return {
    id,
    timeNs,
    host,
    service,
    scheduler,
    client: `${formatIpv4Address(client)}:${clientPort}`,
    chosen,
    by,
    candidates: candidates.map(({ address, ...rest }) => {
      const server = `${formatIpv4Address(address)}:${rest.port}`;
      return { ...rest, server, isChosen: server === chosen };
    }),
  };
}

/* --------------------------------------------------------------------------------------------------------------- traffic */

/** What an interface has sent, and what it took in that was for it (or for all). */
export interface InterfaceTraffic {
  readonly host: string;
  readonly role: NodeRole;
  readonly device: string;
  readonly link: string;
  readonly framesIn: number;
  readonly framesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

interface Counted {
  readonly ids: number[];
  /** Bytes until each id. */
  readonly bytes: number[];
}

/** Frames and bytes of the timeline until record `id`. */
export function traffic(session: Session, { id }: { readonly id: number }): readonly InterfaceTraffic[] {
  const counted = countTraffic(session);
  return session.header.hosts.flatMap(({ name, interfaces }) =>
    interfaces.map(({ name: device, link }) => {
      const at = (direction: string) => until(counted.get(`${name}.${device} ${direction}`), id);
      const [received, sent] = [at("in"), at("out")];
      return { host: name, role: session.info.roles[name] ?? "host", device, link, framesIn: received.frames, framesOut: sent.frames, bytesIn: received.bytes, bytesOut: sent.bytes };
    }),
  );
}

function until(counted: Counted | undefined, id: number): { readonly frames: number; readonly bytes: number } {
  if (counted === undefined) return { frames: 0, bytes: 0 };
  let low = 0;
  let high = counted.ids.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((counted.ids[middle] as number) <= id) low = middle + 1;
    else high = middle;
  }
  return { frames: low, bytes: counted.bytes[low - 1] ?? 0 };
}

function countTraffic(session: Session): ReadonlyMap<string, Counted> {
  let counted = session.cache.get("traffic") as Map<string, Counted> | undefined;
  if (counted !== undefined) return counted;
  counted = new Map();
  const macs = new Map<string, string>(session.header.hosts.flatMap(({ name, interfaces }) => interfaces.map((one) => [`${name}.${one.name}`, one.mac] as const)));
  const known = linksOf(session);
  const { store } = session;
  for (let at = store.countBefore(store.originNs); at < store.count; at++) {
    const event = store.records[at] as TraceEvent;
    if (event.kind !== "frame-sent" && event.kind !== "frame-received") continue;
    const device = `${event.host}.${event.device}`;
    if (!known.has(device)) continue;
    if (event.kind === "frame-received" && !isGroupMac(event.frame.dst) && formatMacAddress(event.frame.dst) !== macs.get(device)) continue;
    const key = `${device} ${event.kind === "frame-sent" ? "out" : "in"}`;
    let one = counted.get(key);
    if (one === undefined) {
      one = { ids: [], bytes: [] };
      counted.set(key, one);
    }
    one.ids.push(event.id);
    one.bytes.push((one.bytes.at(-1) ?? 0) + event.frame.lengthBytes);
  }
  session.cache.set("traffic", counted);
  return counted;
}
