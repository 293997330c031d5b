/**
 * Which rows of which tables decided: the ARP entry behind a frame's MAC, the route, the rule, the connection, the service.
 */

import { formatIpv4Address, parseIpv4Cidr, prefixMask } from "../../../../src/base/ipv4-address.ts";
import { formatMacAddress, isGroupMac } from "../../../../src/base/mac-address.ts";
import type { ArpDecision, FrameSent, IpvsConnectionChanged, NeighbourChanged, NetfilterVerdict, RouteChosen, Scheduled, TraceEvent } from "../../../../src/trace/events.ts";
import type { Row, RowTypes, TableName, TableRows } from "../../../../src/trace/rows.ts";
import type { Session } from "../session.ts";
import { linksOf } from "./moment.ts";

/** A row, with the record that it stands behind. */
export interface RowLink {
  readonly record: number;
  /** A host, or `link/NAME`. */
  readonly owner: string;
  readonly table: TableName;
  readonly key: string;
  /** The row in the words of its command. */
  readonly text: string;
}

const RECORDS_MAX = 100;

/** Rows behind the given records, as the tables were when record `id` had happened. */
export function rowLinks(session: Session, { id, records }: { readonly id: number; readonly records: readonly number[] }): readonly RowLink[] {
  const { store } = session;
  if (!store.tables.hasTables) return [];
  const at = store.lastRowsAfter(Math.max(id, 1));
  const read = new Map<string, TableRows | undefined>();
  const rowsOf = (owner: string) => {
    if (!read.has(owner)) read.set(owner, store.tables.ownerAfterRecord(at, owner));
    return read.get(owner);
  };
  const links: RowLink[] = [];
  for (const record of records.slice(0, RECORDS_MAX)) {
    const event = store.record(record);
    const of = event === undefined ? undefined : rowsOf(event.host);
    if (event === undefined || of === undefined) continue;
    for (const found of rowsBehind(event, of)) links.push({ record, owner: event.host, ...found });
    if (event.kind !== "frame-sent" || isGroupMac(event.frame.dst)) continue;
    const link = `link/${linksOf(session).get(`${event.host}.${event.device}`) ?? ""}`;
    const key = formatMacAddress(event.frame.dst);
    const learnt = rowsOf(link)?.macs?.[key];
    if (learnt !== undefined) links.push({ record, owner: link, table: "macs", key, text: `${key} port ${learnt.port}` });
  }
  return links;
}

type Found = Pick<RowLink, "table" | "key" | "text">;

function rowsBehind(event: TraceEvent, of: TableRows): Found[] {
  switch (event.kind) {
    case "frame-sent":
      return neighbourOfFrame(event, of);
    case "neighbour":
      return neighbourOf(event, of);
    case "route":
      return routeOf(event, of);
    case "netfilter":
      return netfilterOf(event, of);
    case "scheduled":
      return serviceOf(event, of);
    case "ipvs-connection":
      return connectionOf(event, of);
    case "arp-decision":
      return addressOf(event, of);
    default:
      return [];
  }
}

function matching<N extends TableName>(of: TableRows, table: N, test: (row: RowTypes[N], key: string) => boolean, text: (row: RowTypes[N]) => string): Found[] {
  return Object.entries((of[table] ?? {}) as Readonly<Record<string, RowTypes[N]>>)
    .filter(([key, row]) => test(row, key))
    .map(([key, row]) => ({ table, key, text: text(row) }));
}

const neighbourText = ({ address, device, mac, state }: RowTypes["neighbours"]) => `${address} dev ${device}${mac === null ? "" : ` lladdr ${mac}`} ${state}`;

function neighbourOfFrame({ device, frame }: FrameSent, of: TableRows): Found[] {
  if (isGroupMac(frame.dst) || frame.payload.kind !== "ipv4") return [];
  const mac = formatMacAddress(frame.dst);
  const entries = matching(of, "neighbours", (row) => row.device === device && row.mac === mac, neighbourText);
  // One MAC may have several addresses: the packet's own is the next hop if it is among them.
  const dst = formatIpv4Address(frame.payload.dst);
  const exact = entries.filter(({ key }) => key.endsWith(` ${dst}`));
  return exact.length > 0 ? exact : entries;
}

function neighbourOf({ device, address }: NeighbourChanged, of: TableRows): Found[] {
  const text = formatIpv4Address(address);
  return matching(of, "neighbours", (row) => row.device === device && row.address === text, neighbourText);
}

function routeOf({ table, type, dst, device, gateway }: RouteChosen, of: TableRows): Found[] {
  const via = gateway === 0 ? null : formatIpv4Address(gateway);
  let best: Found | undefined;
  let bestLength = -1;
  for (const [key, row] of Object.entries(of.routes ?? {})) {
    const cidr = row.destination === "default" ? { address: 0, prefixLength: 0 } : parseIpv4Cidr(row.destination);
    if (cidr === undefined || row.type !== type) continue;
    // A local packet goes through lo, whatever device the address is on; until there are rules, the local table is a part of main.
    if (type !== "local" && row.table !== table) continue;
    if (type !== "local" && (row.nextHops === null ? row.device !== device || (row.via !== via && via !== null) : false)) continue;
    const mask = prefixMask(cidr.prefixLength);
    if (((dst ^ cidr.address) & mask) !== 0 || cidr.prefixLength <= bestLength) continue;
    bestLength = cidr.prefixLength;
    best = { table: "routes", key, text: routeText(row) };
  }
  return best === undefined ? [] : [best];
}

export function routeText({ type, destination, via, device, source }: RowTypes["routes"]): string {
  return [type === "unicast" ? "" : type, destination, via === null ? "" : `via ${via}`, device === null ? "" : `dev ${device}`, source === null ? "" : `src ${source}`].filter((word) => word !== "").join(" ");
}

function netfilterOf({ table, chain, rule }: NetfilterVerdict, of: TableRows): Found[] {
  return matching(of, "netfilter", (row) => row.table === table && row.chain === chain && row.rule === rule, (row) => `${row.rule} (${row.packets})`).slice(0, 1);
}

function serviceOf({ service, chosen }: Scheduled, of: TableRows): Found[] {
  return [
    ...matching(of, "ipvsServices", (row) => row.service === service, (row) => `${row.service} ${row.scheduler}`),
    ...matching(of, "ipvsDestinations", (row) => row.service === service && `${row.address}:${row.port}` === chosen, (row) => `${row.address}:${row.port} ${row.method} weight ${row.weight}`),
  ];
}

function connectionOf({ connection }: IpvsConnectionChanged, of: TableRows): Found[] {
  return matching(
    of,
    "ipvsConnections",
    (row) => `${row.protocol} ${row.client} -> ${row.virtual} -> ${row.destination}${row.isTemplate ? " template" : ""}` === connection,
    (row) => `${row.client} → ${row.destination} ${row.state}`,
  );
}

function addressOf({ target, device, detail }: ArpDecision, of: TableRows): Found[] {
  const text = formatIpv4Address(target);
  const settings = ["all", device].map((name) => `net.ipv4.conf.${name}.arp_ignore`);
  return [
    ...matching(of, "addresses", (row: Row) => row.address === text, (row) => `${row.address}/${row.prefixLength} dev ${row.device}`),
    ...(detail.includes("arp_ignore") ? matching(of, "sysctls", (_row, key) => settings.includes(key), (row) => row.value).map((found) => ({ ...found, text: `${found.key} = ${found.text}` })) : []),
  ];
}
