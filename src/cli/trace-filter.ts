/**
 * The words of a filter on the command line, checked: unknown ones are refused with the known.
 */

import { parseIpv4Cidr } from "../base/ipv4-address.ts";
import { nearestWord } from "../scenario/suggest.ts";
import { FILTER_PROTOCOLS, type RecordFilter } from "../trace/filter.ts";
import { TRACE_KINDS } from "../trace/record-reader.ts";
import type { TraceHeader } from "../trace/trace-header.ts";
import { UsageError } from "./failure.ts";

/** As commander gives them: lists are words with commas between them. */
export interface FilterOptions {
  readonly host?: string;
  readonly kind?: string;
  readonly address?: string;
  readonly port?: string;
  readonly protocol?: string;
  readonly connection?: string;
  readonly reason?: string;
  readonly match?: string;
  readonly from?: number;
  readonly to?: number;
}

const PORT_MAX = 65_535;

/** Only fields that were given. */
export function readFilter(options: FilterOptions): RecordFilter {
  const { host, kind, address, port, protocol, connection, reason, match, from, to } = options;
  return {
    ...(host === undefined ? {} : { places: words(host) }),
    ...(kind === undefined ? {} : { kinds: words(kind).map((word) => known(word, TRACE_KINDS, "kind of record")) }),
    ...(address === undefined ? {} : { addresses: words(address).map(cidrOf) }),
    ...(port === undefined ? {} : { ports: words(port).map(portOf) }),
    ...(protocol === undefined ? {} : { protocols: words(protocol).map((word) => known(word.toLowerCase(), FILTER_PROTOCOLS, "protocol")) }),
    ...(connection === undefined ? {} : { connection: endsOf(connection) }),
    ...(reason === undefined ? {} : { reasons: words(reason).map((word) => word.toUpperCase()) }),
    ...(match === undefined ? {} : { text: match }),
    ...(from === undefined ? {} : { fromNs: from }),
    ...(to === undefined ? {} : { toNs: to }),
  };
}

/** Hosts must be of the trace. */
export function checkFilter({ places }: RecordFilter, { hosts, links }: TraceHeader): void {
  const names = [...hosts.map((host) => host.name), ...links, ...links.map((link) => `link/${link}`)];
  for (const place of places ?? []) if (!names.some((name) => place === name || place.startsWith(`${name}.`))) known(place, names, "host or link");
}

function words(text: string): string[] {
  return text
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
}

function known(word: string, all: readonly string[], what: string): string {
  if (all.includes(word)) return word;
  const meant = nearestWord(word, all);
  throw new UsageError(`unknown ${what} ${word}; ${meant === undefined ? `known are ${all.join(", ")}` : `did you mean ${meant}?`}`);
}

function cidrOf(word: string) {
  const cidr = parseIpv4Cidr(word);
  if (cidr === undefined) throw new UsageError(`--address ${word}: write 10.0.0.1 or 10.0.0.0/24`);
  return cidr;
}

function portOf(word: string): number {
  const port = Number(word);
  if (!/^\d+$/.test(word) || port > PORT_MAX) throw new UsageError(`--port ${word}: write a number from 0 to ${PORT_MAX}`);
  return port;
}

/** `10.0.0.9:4001`, or both ends with a comma or `-` between them. */
function endsOf(text: string): string[] {
  const ends = text.split(/[,-]/).map((end) => end.replace(/^\s*>?\s*|\s+$/g, ""));
  for (const end of ends) if (!/^\d+\.\d+\.\d+\.\d+:\d+$/.test(end)) throw new UsageError(`--connection ${text}: write ADDRESS:PORT, or both ends as in 10.0.0.9:4001-10.0.0.100:80`);
  return ends;
}
