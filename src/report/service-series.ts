/**
 * Services through time: who got which connections, by what weight, how many are open where.
 */

import { formatIpv4Address } from "../base/ipv4-address.ts";
import type { TraceEvent } from "../trace/events.ts";
import type { Row } from "../trace/rows.ts";

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

/** Every service of every director between two simulated times, in so many bins. */
export function readServices(events: Iterable<TraceEvent>, { fromNs, toNs, bins }: { readonly fromNs: number; readonly toNs: number; readonly bins: number }): ServiceCharts {
  return new ServiceReader(fromNs, Math.max(toNs, fromNs + 1), Math.max(1, Math.min(bins, BINS_MAX))).read(events);
}

class ServiceReader {
  readonly #services = new Map<string, WorkingService>();
  readonly #fromNs: number;
  readonly #toNs: number;
  readonly #bins: number;

  constructor(fromNs: number, toNs: number, bins: number) {
    this.#bins = bins;
    this.#fromNs = fromNs;
    this.#toNs = toNs;
  }

  read(events: Iterable<TraceEvent>): ServiceCharts {
    for (const event of events) this.#take(event);
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

/** Shares of one server through time. */
export interface ShareSeries {
  readonly server: string;
  /** Share of all connections until each bin, 0 to 1; NaN before the first. */
  readonly got: readonly number[];
  /** Share of the weights in each bin; NaN when all are 0. */
  readonly asked: readonly number[];
}

/** What each server got of all connections, and what its weight asks for, in each bin. */
export function sharesOf(servers: readonly ServerSeries[], bins: number): readonly ShareSeries[] {
  const picks = sums(servers.map((one) => one.picks), bins);
  const weights = sums(servers.map((one) => one.weight), bins);
  return servers.map((one) => ({ server: one.server, got: shares(one.picks, picks), asked: shares(one.weight, weights) }));
}

function sums(of: readonly ArrayLike<number>[], bins: number): readonly number[] {
  return Array.from({ length: bins }, (_, bin) => of.reduce((sum, values) => sum + (values[bin] ?? 0), 0));
}

function shares(values: ArrayLike<number>, total: readonly number[]): readonly number[] {
  return total.map((sum, bin) => (sum === 0 ? Number.NaN : (values[bin] ?? 0) / sum));
}
