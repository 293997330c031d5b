/**
 * Figures over the whole run: who got which connections, how many are open where, what scheduling compared, what each wire carried.
 */

import { formatIpv4Address } from "../../../../src/base/ipv4-address.ts";
import { formatMacAddress, isGroupMac } from "../../../../src/base/mac-address.ts";
import type { Scheduled, TraceEvent } from "../../../../src/trace/events.ts";
import type { Row } from "../../../../src/trace/rows.ts";
import type { NodeRole } from "../protocol.ts";
import type { Session } from "../session.ts";
import type { Candidate } from "./inspect.ts";
import { linksOf } from "./moment.ts";

/** One real server of a service through time; arrays have a value a bin. */
export interface ServerSeries {
  /** `address:port`. */
  readonly server: string;
  /** Connections that it got, until the end of the bin. */
  readonly picks: Uint32Array;
  readonly weight: Float64Array;
  /** The most in the bin. */
  readonly active: Uint32Array;
  readonly inactive: Uint32Array;
}

export interface ServiceSeries {
  readonly host: string;
  readonly service: string;
  readonly scheduler: string;
  readonly servers: readonly ServerSeries[];
}

export interface ServiceCharts {
  readonly fromNs: number;
  readonly toNs: number;
  readonly bins: number;
  readonly services: readonly ServiceSeries[];
}

const BINS_MAX = 1000;
const SERVICES_MAX = 20;
const SERVERS_MAX = 40;

interface Working {
  readonly server: string;
  readonly picks: Uint32Array;
  readonly weight: Float64Array;
  readonly active: Uint32Array;
  readonly inactive: Uint32Array;
  now: { weight: number; active: number; inactive: number; picks: number };
  /** The bin up to which values are written. */
  bin: number;
}

interface WorkingService {
  readonly host: string;
  readonly service: string;
  scheduler: string;
  readonly servers: Map<string, Working>;
}

/** Every service of every director, from the timeline's start to its end, in so many bins. */
export function serviceCharts(session: Session, { bins }: { readonly bins: number }): ServiceCharts {
  const count = Math.max(1, Math.min(bins, BINS_MAX));
  let charts = session.cache.get("service charts") as ServiceCharts | undefined;
  if (charts?.bins !== count) {
    charts = new ServiceReader(session, count).read();
    session.cache.set("service charts", charts);
  }
  return charts;
}

class ServiceReader {
  readonly #session: Session;
  readonly #services = new Map<string, WorkingService>();
  readonly #fromNs: number;
  readonly #toNs: number;
  readonly #bins: number;

  constructor(session: Session, bins: number) {
    this.#bins = bins;
    this.#session = session;
    this.#fromNs = session.info.originNs;
    this.#toNs = Math.max(session.info.endNs, this.#fromNs + 1);
  }

  read(): ServiceCharts {
    for (const event of this.#session.store.records) this.#take(event);
    const services = [...this.#services.values()].map(({ host, service, scheduler, servers }): ServiceSeries => {
      for (const one of servers.values()) fill(one, this.#bins - 1);
      return { host, service, scheduler, servers: [...servers.values()].map(({ server, picks, weight, active, inactive }) => ({ server, picks, weight, active, inactive })) };
    });
    return { fromNs: this.#fromNs, toNs: this.#toNs, bins: this.#bins, services };
  }

  #take(event: TraceEvent): void {
    switch (event.kind) {
      case "keyframe":
        for (const [host, tables] of Object.entries(event.tables)) {
          const { ipvsServices, ipvsDestinations } = tables;
          if (ipvsServices !== undefined && "rows" in ipvsServices) for (const row of Object.values(ipvsServices.rows)) this.#service(host, String(row.service), row);
          if (ipvsDestinations !== undefined && "rows" in ipvsDestinations) for (const [key, row] of Object.entries(ipvsDestinations.rows)) this.#destination(host, key, row, event.timeNs);
        }
        return;
      case "rows":
        for (const { table, key, change, set } of event.changes) {
          if (table === "ipvsServices" && change !== "remove") this.#service(event.host, key, set);
          if (table === "ipvsDestinations") this.#destination(event.host, key, change === "remove" ? { weight: 0, activeConns: 0, inactConns: 0 } : set, event.timeNs);
        }
        return;
      case "scheduled": {
        const service = this.#service(event.host, event.service, { scheduler: event.scheduler });
        for (const { address, port, weight } of event.candidates) this.#server(service, `${formatIpv4Address(address)}:${port}`, weight);
        if (event.chosen === undefined) return;
        const server = this.#server(service, event.chosen, 0);
        if (server !== undefined) this.#set(server, event.timeNs, { picks: server.now.picks + 1 });
        return;
      }
      default:
    }
  }

  #service(host: string, service: string, row: Row): WorkingService | undefined {
    const key = `${host} ${service}`;
    let found = this.#services.get(key);
    if (found === undefined) {
      if (this.#services.size >= SERVICES_MAX) return undefined;
      found = { host, service, scheduler: "", servers: new Map() };
      this.#services.set(key, found);
    }
    if (typeof row.scheduler === "string") found.scheduler = row.scheduler;
    return found;
  }

  #server(service: WorkingService | undefined, server: string, weight: number): Working | undefined {
    if (service === undefined) return undefined;
    let found = service.servers.get(server);
    if (found === undefined) {
      if (service.servers.size >= SERVERS_MAX) return undefined;
      found = {
        server,
        picks: new Uint32Array(this.#bins),
        weight: new Float64Array(this.#bins),
        active: new Uint32Array(this.#bins),
        inactive: new Uint32Array(this.#bins),
        now: { weight, active: 0, inactive: 0, picks: 0 },
        bin: -1,
      };
      service.servers.set(server, found);
    }
    return found;
  }

  /** `key` is `SERVICE ADDRESS:PORT`. */
  #destination(host: string, key: string, row: Row, timeNs: number): void {
    const cut = key.lastIndexOf(" ");
    const server = this.#server(this.#service(host, key.slice(0, cut), {}), key.slice(cut + 1), 0);
    if (server === undefined) return;
    this.#set(server, timeNs, {
      ...(typeof row.weight === "number" ? { weight: row.weight } : {}),
      ...(typeof row.activeConns === "number" ? { active: row.activeConns } : {}),
      ...(typeof row.inactConns === "number" ? { inactive: row.inactConns } : {}),
    });
  }

  #set(server: Working, timeNs: number, values: Partial<Working["now"]>): void {
    const bin = Math.max(0, Math.min(this.#bins - 1, Math.floor(((timeNs - this.#fromNs) / (this.#toNs - this.#fromNs)) * this.#bins)));
    fill(server, bin);
    Object.assign(server.now, values);
    write(server, bin);
  }
}

/** Carries the present values on up to a bin. */
function fill(server: Working, bin: number): void {
  while (server.bin < bin) {
    server.bin++;
    write(server, server.bin);
  }
}

function write({ picks, weight, active, inactive, now }: Working, bin: number): void {
  picks[bin] = now.picks;
  weight[bin] = now.weight;
  active[bin] = Math.max(active[bin] as number, now.active);
  inactive[bin] = Math.max(inactive[bin] as number, now.inactive);
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
