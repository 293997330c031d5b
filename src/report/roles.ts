/**
 * What each host is in the cluster, from what happened in the run: directors have services or advertise
 * themselves with VRRP, servers are the destinations of services.
 */

import type { TraceEvent } from "../trace/events.ts";
import type { Row, TableName } from "../trace/rows.ts";
import type { TraceHeader } from "../trace/trace-header.ts";
import type { TraceSink } from "../trace/tracer.ts";

/** What a host is in the cluster. */
export type NodeRole = "client" | "director" | "server" | "router" | "host";

interface Seen {
  readonly addresses: Set<string>;
  hasService: boolean;
  advertises: boolean;
  forwards: boolean;
  listens: boolean;
}

/** Reads records as they pass: what a host was at any time counts. */
export class RoleReader implements TraceSink {
  readonly #header: Pick<TraceHeader, "hosts">;
  readonly #hosts = new Map<string, Seen>();
  readonly #destinations = new Set<string>();
  #hasTables = false;

  constructor(header: Pick<TraceHeader, "hosts">) {
    this.#header = header;
    for (const { name } of header.hosts) this.#hosts.set(name, { addresses: new Set(), hasService: false, advertises: false, forwards: false, listens: false });
  }

  write(event: TraceEvent): void {
    switch (event.kind) {
      case "frame-sent": {
        const { payload } = event.frame;
        const seen = payload.kind === "ipv4" && payload.payload.kind === "vrrp" ? this.#hosts.get(event.host) : undefined;
        if (seen !== undefined) seen.advertises = true;
        return;
      }
      case "rows":
        for (const { table, key, change, set } of event.changes) if (change !== "remove") this.#take(event.host, table, key, set);
        return;
      case "keyframe":
        this.#hasTables = true;
        for (const [host, tables] of Object.entries(event.tables))
          for (const [table, of] of Object.entries(tables)) if ("rows" in of) for (const [key, row] of Object.entries<Row>(of.rows)) this.#take(host, table as TableName, key, row);
        return;
      default:
    }
  }

  #take(host: string, table: TableName, key: string, row: Row): void {
    const seen = this.#hosts.get(host);
    if (seen === undefined) return;
    if (table === "addresses" && typeof row.address === "string") seen.addresses.add(row.address);
    else if (table === "ipvsServices") seen.hasService = true;
    else if (table === "ipvsDestinations" && typeof row.address === "string") this.#destinations.add(row.address);
    else if (table === "sysctls" && key === "net.ipv4.ip_forward") seen.forwards ||= row.value === "1";
    else if (table === "sockets") seen.listens ||= row.state === "LISTEN";
  }

  roles(): Record<string, NodeRole> {
    const roles: Record<string, NodeRole> = {};
    for (const { name, interfaces } of this.#header.hosts) {
      const seen = this.#hosts.get(name) as Seen;
      const role = this.#hasTables ? this.#roleOf(name, interfaces.length, seen) : roleByName(name);
      // Who takes part in an election of masters is a director, even while it has no service.
      roles[name] = seen.advertises && role !== "server" ? "director" : role;
    }
    return roles;
  }

  #roleOf(name: string, interfaceCount: number, { addresses, hasService, forwards, listens }: Seen): NodeRole {
    if (hasService) return "director";
    if ([...addresses].some((address) => this.#destinations.has(address))) return "server";
    if (interfaceCount > 1 && forwards) return "router";
    const named = roleByName(name);
    if (named === "client" || named === "director" || named === "router") return named;
    return listens ? "host" : "client";
  }
}

function roleByName(name: string): NodeRole {
  if (/^(?:client|cip|user|browser|c\d)/i.test(name)) return "client";
  if (/^(?:director|dr\d*$|lvs|ds|lb|balancer|backup|master)/i.test(name)) return "director";
  if (/^(?:rs|real|web|server|node)/i.test(name)) return "server";
  if (/^(?:router|gw|gateway|r\d)/i.test(name)) return "router";
  return "host";
}
