/**
 * ip route: add, change, replace, append, prepend, del, show, flush, get.
 *
 * iproute2 6.1 ip/iproute.c (iproute_modify, iproute_list_flush_or_save, iproute_get).
 */

import { isInPrefix } from "../../../base/ipv4-address.ts";
import { type NetDevice, SCOPE_GLOBAL, SCOPE_HOST, SCOPE_LINK } from "../../../host/device.ts";
import type { FibEntry, RouteType } from "../../../host/route.ts";
import { ROUTE_HELP } from "./ip-help.ts";
import { writeJson } from "./ip-link-format.ts";
import {
  Arguments,
  chosenOf,
  deviceNamed,
  garbage,
  IpExit,
  type IpSession,
  isCutOf,
  namedTables,
  netlinkFailure,
  type Prefix,
  parseNumber,
  parseProtocol,
  parseScope,
  parseTable,
  parseTos,
  takeAddress,
  takePrefix,
  unsupported,
  wrongArgument,
} from "./ip-output.ts";
import { formatRoute, noFilter, type RouteFilter, routeJson } from "./ip-route-format.ts";
import { runIpRouteGet, showCache } from "./ip-route-get.ts";

const ROUTE_TYPES: readonly RouteType[] = ["unicast", "local", "broadcast", "multicast", "throw", "unreachable", "prohibit", "blackhole"];
const TABLE_MAIN = 254;
const TABLE_LOCAL = 255;

type How = "add" | "replace" | "append" | "prepend" | "change";

export function runIpRoute(session: IpSession, words: readonly string[]): number {
  const verb = words[0];
  if (verb === undefined) return show(session, []);
  const rest = words.slice(1);
  switch (
    chosenOf(verb, [
      "list",
      "lst",
      "show",
      "get",
      "add",
      "change",
      "chg",
      "replace",
      "prepend",
      "append",
      "test",
      "delete",
      "flush",
      "save",
      "restore",
      "showdump",
      "help",
    ])
  ) {
    case "list":
    case "lst":
    case "show":
      return show(session, rest);
    case "get":
      return runIpRouteGet(session, rest);
    case "add":
      return add(session, rest, "add");
    case "change":
    case "chg":
      return add(session, rest, "change");
    case "replace":
      return add(session, rest, "replace");
    case "prepend":
      return add(session, rest, "prepend");
    case "append":
      return add(session, rest, "append");
    case "delete":
      return remove(session, rest);
    case "flush":
      return flush(session, rest);
    case "help":
      session.err(ROUTE_HELP);
      return 255;
    case undefined:
      throw new IpExit(255, `Command "${verb}" is unknown, try "ip route help".\n`);
    default:
      return unsupported(`"ip route ${verb}"`);
  }
}

/* --------------------------------------------------------------------------------------------------------------- modify */

interface WantedHop {
  readonly device: NetDevice | undefined;
  readonly gateway: number;
  readonly weight: number;
  readonly isOnlink: boolean;
}

interface Wanted {
  to: Prefix | undefined;
  type: RouteType | undefined;
  table: number | undefined;
  scope: number | undefined;
  tos: number;
  priority: number;
  protocol: string | undefined;
  device: string;
  gateway: number;
  source: number;
  mtu: number;
  mtuLocked: boolean;
  isOnlink: boolean;
  advmss: number;
  hops: readonly WantedHop[];
}

const UNSUPPORTED = new Set(
  "nhid encap as realms rtt rttvar reordering window cwnd initcwnd initrwnd ssthresh hoplimit rto_min features quickack congctl pref expires fastopen_no_cookie ttl-propagate equalize pervasive nopmtudisc vrf".split(
    " ",
  ),
);

function parseWanted(session: IpSession, words: readonly string[]): Wanted {
  const wanted: Wanted = {
    to: undefined,
    type: undefined,
    table: undefined,
    scope: undefined,
    tos: 0,
    priority: 0,
    protocol: undefined,
    device: "",
    gateway: 0,
    source: 0,
    mtu: 0,
    mtuLocked: false,
    isOnlink: false,
    advmss: 0,
    hops: [],
  };
  const args = new Arguments(words);
  while (!args.isAtEnd) {
    if (parseInfo(session, args, wanted)) continue;
    const word = args.take();
    if (word === "nexthop") {
      wanted.hops = parseHops(session, args.rest);
      break;
    }
    if (word === "dev" || word === "oif") {
      wanted.device = args.take();
      continue;
    }
    if (UNSUPPORTED.has(word)) unsupported(`"${word}" of ip route`);
    let text = word === "to" ? args.take() : word;
    const type = routeType(text);
    if (type !== undefined && !args.isAtEnd) {
      wanted.type = type;
      text = args.take();
    } else if (type === undefined && isCutOf(text, "help")) throw new IpExit(255, ROUTE_HELP);
    if (wanted.to !== undefined) garbage("to", text);
    wanted.to = takePrefix(text);
  }
  return wanted;
}

/** rtnl_rtntype_a2n; `nat` is a type that nothing can be done with any more. */
function routeType(text: string): RouteType | undefined {
  if (text === "nat" || text === "xresolve" || text === "anycast") throw new IpExit(2, "Error: Invalid scope.\n");
  return ROUTE_TYPES.find((type) => type === text);
}

/** One option with its value; false when the current word is none of these. */
function parseInfo(session: IpSession, args: Arguments, wanted: Wanted): boolean {
  const word = args.current;
  const number = (what: string, max = 0xffffffff): number => {
    const text = args.take();
    return parseNumber(text, max) ?? wrongArgument(text, `"${what}" value is invalid\n`);
  };
  switch (word) {
    case "src":
      args.skip();
      wanted.source = takeAddress(args.take());
      return true;
    case "via":
      args.skip();
      wanted.gateway = takeVia(args);
      return true;
    case "tos":
    case "dsfield": {
      args.skip();
      const text = args.take();
      wanted.tos = parseTos(text) ?? wrongArgument(text, '"tos" value is invalid\n');
      return true;
    }
    case "metric":
    case "priority":
    case "preference":
      args.skip();
      wanted.priority = number("metric");
      return true;
    case "scope": {
      args.skip();
      const text = args.take();
      wanted.scope = parseScope(text) ?? wrongArgument(text, 'invalid "scope" value\n');
      return true;
    }
    case "mtu":
      args.skip();
      if (args.current === "lock") {
        wanted.mtuLocked = true;
        args.skip();
      }
      wanted.mtu = number("mtu");
      return true;
    case "advmss":
      args.skip();
      if (args.current === "lock") args.skip();
      wanted.advmss = number("mss");
      return true;
    case "protocol":
    case "proto": {
      args.skip();
      const text = args.take();
      wanted.protocol = parseProtocol(text) ?? wrongArgument(text, '"protocol" value is invalid\n');
      return true;
    }
    case "table": {
      args.skip();
      const text = args.take();
      wanted.table = parseTable(text, namedTables(session)) ?? wrongArgument(text, '"table" value is invalid\n');
      return true;
    }
    case "onlink":
      args.skip();
      wanted.isOnlink = true;
      return true;
    default:
      return false;
  }
}

function takeVia(args: Arguments): number {
  if (args.current === "inet") args.skip();
  else if (args.current === "inet6") unsupported("a gateway of IPv6");
  return takeAddress(args.take());
}

function parseHops(session: IpSession, words: readonly string[]): WantedHop[] {
  const hops: WantedHop[] = [];
  let at = 0;
  while (at < words.length || hops.length === 0) {
    const end = words.indexOf("nexthop", at);
    const part = words.slice(at, end < 0 ? words.length : end);
    if (part.length === 0) throw new IpExit(255, 'Error: unexpected end of line after "nexthop"\n');
    hops.push(parseHop(session, part));
    if (end < 0) break;
    at = end + 1;
    if (at >= words.length) throw new IpExit(255, 'Error: unexpected end of line after "nexthop"\n');
  }
  return hops;
}

function parseHop(session: IpSession, words: readonly string[]): WantedHop {
  let device: NetDevice | undefined;
  let gateway = 0;
  let weight = 1;
  let isOnlink = false;
  const args = new Arguments(words);
  while (!args.isAtEnd) {
    const word = args.take();
    if (word === "via") gateway = takeVia(args);
    else if (word === "dev") device = deviceNamed(session, args.take());
    else if (word === "weight") {
      const text = args.take();
      const value = parseNumber(text, 256);
      if (value === undefined || value === 0) wrongArgument(text, '"weight" is invalid\n');
      weight = value;
    } else if (word === "onlink") isOnlink = true;
    else throw new IpExit(255, `Error: "nexthop" or end of line is expected instead of "${word}"\n`);
  }
  return { device, gateway, weight, isOnlink };
}

function add(session: IpSession, words: readonly string[], how: How): number {
  if (words.length === 0) throw new IpExit(255, ROUTE_HELP);
  const wanted = parseWanted(session, words);
  if (wanted.to === undefined) throw new IpExit(255, ROUTE_HELP);
  const type = wanted.type ?? "unicast";
  const hasNextHop = wanted.gateway !== 0 || wanted.hops.length > 0;
  const device = wanted.device === "" ? undefined : deviceNamed(session, wanted.device);
  const { address, prefixLength } = wanted.to;
  const entry: FibEntry = {
    network: address,
    prefixLength,
    table: wanted.table ?? (type === "local" || type === "broadcast" ? TABLE_LOCAL : TABLE_MAIN),
    type,
    scope: wanted.scope ?? defaultScope(type, hasNextHop),
    tos: wanted.tos,
    priority: wanted.priority,
    protocol: wanted.protocol ?? "boot",
    device,
    gateway: wanted.gateway,
    preferredSource: wanted.source,
    mtu: wanted.mtu,
    mtuLocked: wanted.mtuLocked,
    isOnlink: wanted.isOnlink || wanted.hops.some((hop) => hop.isOnlink),
    advmss: wanted.advmss,
    isLinkDown: false,
    nextHops: wanted.hops as FibEntry["nextHops"],
  };
  const errno = session.host.fib.add(entry, how);
  return errno === undefined ? 0 : netlinkFailure(errno, session.host.fib.message);
}

function defaultScope(type: RouteType, hasNextHop: boolean): number {
  if (type === "local") return SCOPE_HOST;
  if (type === "broadcast" || type === "multicast") return SCOPE_LINK;
  return type === "unicast" && !hasNextHop ? SCOPE_LINK : SCOPE_GLOBAL;
}

function remove(session: IpSession, words: readonly string[]): number {
  if (words.length === 0) throw new IpExit(255, ROUTE_HELP);
  const wanted = parseWanted(session, words);
  const { address, prefixLength } = wanted.to ?? { address: 0, prefixLength: 0 };
  const fib = session.host.fib;
  const table = wanted.table ?? (wanted.type === "local" || wanted.type === "broadcast" ? TABLE_LOCAL : TABLE_MAIN);
  if (!fib.hasTable(table)) netlinkFailure("ESRCH", "FIB table does not exist");
  const impliedScope =
    wanted.type === "local"
      ? SCOPE_HOST
      : wanted.type === "broadcast" || wanted.type === "multicast"
        ? SCOPE_LINK
        : wanted.type === undefined || wanted.type === "unicast"
          ? undefined
          : SCOPE_GLOBAL;
  const errno = fib.remove({
    network: address,
    prefixLength,
    table,
    tos: wanted.tos,
    type: wanted.type,
    scope: wanted.scope ?? impliedScope,
    priority: wanted.priority,
    protocol: wanted.protocol,
    device: wanted.device === "" ? undefined : deviceNamed(session, wanted.device),
    gateway: wanted.gateway,
    preferredSource: wanted.source,
    mtu: wanted.mtu,
    advmss: wanted.advmss,
    nextHops: wanted.hops as FibEntry["nextHops"],
  });
  return errno === undefined ? 0 : netlinkFailure(errno, fib.message);
}

/* -------------------------------------------------------------------------------------------------------- show and flush */

function parseFilter(session: IpSession, words: readonly string[]): RouteFilter {
  const filter = noFilter();
  const args = new Arguments(words);
  const named = namedTables(session);
  const value = <T>(read: (text: string) => T | undefined, message: string): T => {
    const text = args.take();
    return read(text) ?? wrongArgument(text, `${message}\n`);
  };
  while (!args.isAtEnd) {
    const word = args.take();
    if (isCutOf(word, "table")) {
      const text = args.take();
      if (text === "all") filter.table = 0;
      else if (text === "cache") filter.table = -1;
      else {
        filter.table = parseTable(text, named) ?? wrongArgument(text, "table id value is invalid\n");
        filter.isOneTable = filter.table !== 0;
      }
    } else if (isCutOf(word, "cached") || isCutOf(word, "cloned")) filter.table = -1;
    else if (word === "tos" || isCutOf(word, "dsfield")) filter.tos = value(parseTos, "TOS value is invalid");
    else if (isCutOf(word, "protocol")) {
      const text = args.take();
      if (text !== "all") filter.protocol = parseProtocol(text) ?? wrongArgument(text, 'invalid "protocol"\n');
    } else if (isCutOf(word, "scope")) {
      const text = args.take();
      if (text !== "all") filter.scope = parseScope(text) ?? wrongArgument(text, 'invalid "scope"\n');
    } else if (isCutOf(word, "type")) filter.type = value((text) => ROUTE_TYPES.find((type) => type === text), "node type value is invalid");
    else if (word === "dev" || word === "oif" || word === "iif") filter.device = deviceNamed(session, args.take()).name;
    else if (word === "via") filter.gateway = takeVia(args);
    else if (word === "src") filter.source = takeAddress(args.take());
    else if (word === "metric" || isCutOf(word, "priority")) filter.metric = value(parseNumber, '"metric" value is invalid');
    else if (word === "from" || word === "vrf" || word === "realms" || word === "mark") unsupported(`"${word}" of ip route show`);
    else parseRange(word, args, filter);
  }
  return filter;
}

/** root, match and exact choose by prefix; a prefix alone is exact. */
function parseRange(word: string, args: Arguments, filter: RouteFilter): void {
  let text = word === "to" ? args.take() : word;
  const mode = chosenOf(text, ["root", "match", "exact"]);
  if (mode !== undefined) text = args.take();
  if (mode === undefined && isCutOf(text, "help")) throw new IpExit(255, ROUTE_HELP);
  const prefix = takePrefix(text);
  if (mode !== "match") filter.root = prefix;
  if (mode !== "root") filter.match = prefix;
}

function fits(entry: FibEntry, filter: RouteFilter): boolean {
  if (filter.device !== "" && entry.device?.name !== filter.device && !entry.nextHops.some((hop) => hop.device.name === filter.device)) return false;
  if (filter.device !== "" && entry.nextHops.length > 0) return false;
  if (filter.protocol !== undefined && filter.protocol !== entry.protocol) return false;
  if (filter.scope !== undefined && filter.scope !== entry.scope) return false;
  if (filter.type !== "" && filter.type !== entry.type) return false;
  if (filter.gateway !== undefined && (entry.gateway !== filter.gateway || entry.nextHops.length > 0)) return false;
  if (filter.source !== undefined && filter.source !== entry.preferredSource) return false;
  if (filter.metric !== undefined && filter.metric !== entry.priority) return false;
  if (filter.tos !== undefined && filter.tos !== entry.tos) return false;
  const { root, match } = filter;
  if (root !== undefined && (entry.prefixLength < root.prefixLength || !isInPrefix(entry.network, root.address, root.prefixLength))) return false;
  return match === undefined || (entry.prefixLength <= match.prefixLength && isInPrefix(match.address, entry.network, entry.prefixLength));
}

function show(session: IpSession, words: readonly string[]): number {
  if (session.flags.family === "inet6") return 0;
  const filter = parseFilter(session, words);
  if (filter.table === -1) return showCache(session, filter);
  if (filter.table !== 0 && !session.host.fib.hasTable(filter.table)) {
    session.err("Error: ipv4: FIB table does not exist.\nDump terminated\n");
    return 2;
  }
  const names = new Map([...namedTables(session)].map(([name, id]) => [id, name]));
  const entries = session.host.fib.entries(filter.table).filter((entry) => fits(entry, filter));
  if (session.flags.isJson)
    writeJson(
      session,
      entries.map((entry) => routeJson(session, entry, filter, names)),
    );
  else for (const entry of entries) session.out(formatRoute(session, entry, filter, names));
  return 0;
}

function flush(session: IpSession, words: readonly string[]): number {
  if (words.length === 0) {
    session.err('"ip route flush" requires arguments.\n');
    return 1;
  }
  const filter = parseFilter(session, words);
  const { host, flags } = session;
  if (filter.table === -1) {
    host.sysctl.write("net.ipv4.route.flush", "-1");
    return 0;
  }
  // Clearing "all" leaves the routes of the kernel itself alone only when the filter says so; nothing is protected here.
  let count = 0;
  for (const entry of host.fib.entries(filter.table)) {
    if (!fits(entry, filter)) continue;
    count++;
    const { network, prefixLength, table, tos, type, scope, priority, protocol, preferredSource } = entry;
    host.fib.remove({ network, prefixLength, table, tos, type, scope, priority, protocol, preferredSource, device: entry.device, gateway: entry.gateway });
  }
  if (flags.statistics > 0)
    session.out(count === 0 ? "Nothing to flush.\n" : `\n*** Round 1, deleting ${count} entries ***\n*** Flush is complete after 1 round ***\n`);
  return 0;
}
