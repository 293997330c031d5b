/**
 * ip route get, and ip route show cache.
 *
 * iproute2 6.1 ip/iproute.c (iproute_get, print_cache_flags), kernel v6.1 net/ipv4/route.c (inet_rtm_getroute, rt_fill_info).
 */

import { formatIpv4Address, isMulticast } from "../../../base/ipv4-address.ts";
import { NS_PER_SECOND } from "../../../base/time.ts";
import type { NetDevice } from "../../../host/device.ts";
import { isRouteError } from "../../../host/host.ts";
import type { Route } from "../../../host/route.ts";
import { ROUTE_HELP } from "./ip-help.ts";
import { writeJson } from "./ip-link-format.ts";
import {
  Arguments,
  deviceNamed,
  IpExit,
  type IpSession,
  isCutOf,
  netlinkFailure,
  parseNumber,
  parseTos,
  tableName,
  takePrefix,
  unsupported,
  wrongArgument,
} from "./ip-output.ts";
import { formatMetrics, formatRoute, noFilter, type RouteFilter } from "./ip-route-format.ts";

interface Question {
  dst: number | undefined;
  src: number | undefined;
  input: NetDevice | undefined;
  output: NetDevice | undefined;
  mark: number;
  tos: number;
  isFibMatch: boolean;
}

function parse(session: IpSession, words: readonly string[]): Question {
  const question: Question = { dst: undefined, src: undefined, input: undefined, output: undefined, mark: 0, tos: 0, isFibMatch: false };
  const args = new Arguments(words);
  while (!args.isAtEnd) {
    const word = args.take();
    if (word === "tos" || isCutOf(word, "dsfield")) {
      const text = args.take();
      question.tos = parseTos(text) ?? wrongArgument(text, "TOS value is invalid\n");
    } else if (isCutOf(word, "from")) question.src = takePrefix(args.take(), "inet").address;
    else if (isCutOf(word, "iif")) question.input = deviceNamed(session, args.take());
    else if (isCutOf(word, "mark")) {
      const text = args.take();
      question.mark = parseNumber(text) ?? wrongArgument(text, 'invalid "mark" value\n');
    } else if (isCutOf(word, "oif") || word === "dev") question.output = deviceNamed(session, args.take());
    else if (word === "uid" || isCutOf(word, "ipproto") || word === "sport" || word === "dport") args.take();
    else if (isCutOf(word, "fibmatch")) question.isFibMatch = true;
    else if (word === "notify") continue;
    else if (word === "vrf") unsupported('"vrf" of ip route get');
    else if (isCutOf(word, "help")) throw new IpExit(255, ROUTE_HELP);
    else {
      const text = word === "to" ? args.take() : word;
      const prefix = takePrefix(text, question.dst === undefined ? "any valid" : "inet");
      if (prefix.isExplicit && prefix.prefixLength !== 32)
        session.err(`Warning: /${prefix.prefixLength} as prefix is invalid, only /32 (or none) is supported.\n`);
      question.dst = prefix.address;
    }
  }
  return question;
}

export function runIpRouteGet(session: IpSession, words: readonly string[]): number {
  const question = parse(session, words);
  const { dst, input } = question;
  if (dst === undefined) throw new IpExit(1, "need at least a destination address\n");
  const { host } = session;
  const src = question.src ?? 0;
  const { mark, tos } = question;
  const route =
    input !== undefined ? host.routing.input({ dst, src, device: input, mark, tos }) : host.routing.output({ dst, src, device: question.output, mark, tos });
  if (isRouteError(route)) return netlinkFailure(route.errno, "");
  if (question.isFibMatch) {
    if (route.entry === undefined) return netlinkFailure("EHOSTUNREACH", "");
    session.out(formatRoute(session, route.entry, noFilter(), new Map()));
    return 0;
  }
  if (session.flags.isJson) writeJson(session, [jsonOf(session, question, dst, route)]);
  else session.out(describe(session, question, dst, route));
  return 0;
}

/** Flags of the cached route, as far as they are shown. */
function cacheFlags(session: IpSession, question: Question, dst: number, route: Route): string[] {
  const isJoined = route.type === "multicast" && session.host.multicast.isMember(dst, route.device);
  const isLocal = route.type === "local" || route.type === "broadcast" || isJoined || route.device.kind === "loopback";
  const flags: string[] = [];
  if (isLocal) flags.push("local");
  if (question.input !== undefined && route.doRedirect) flags.push("redirect");
  if (route.isRedirected === true) flags.push("redirected");
  if (route.type === "broadcast") flags.push("brd");
  if (route.type === "multicast") flags.push("mc");
  return flags;
}

function expiryOf(session: IpSession, route: Route): string {
  const expiresAtNs = route.expiresAtNs ?? 0;
  if (expiresAtNs === 0) return "";
  return `expires ${Math.trunc((expiresAtNs - session.host.loop.nowNs) / NS_PER_SECOND)}sec `;
}

/** The learnt MTU, or the one that the route names. */
function metricsOf(route: Route): { readonly mtu: number; readonly mtuLocked: boolean; readonly advmss: number } {
  const learnt = route.pathMtu ?? 0;
  const mtu = learnt !== 0 ? learnt : (route.entry?.mtu ?? 0);
  return { mtu, mtuLocked: route.mtuLocked && mtu !== 0, advmss: route.entry?.advmss ?? 0 };
}

function describe(session: IpSession, question: Question, dst: number, route: Route): string {
  const { nl } = session;
  const isInput = question.input !== undefined;
  const parts: string[] = [];
  if (route.type !== "unicast" || session.flags.details > 0) parts.push(`${route.type} `);
  parts.push(`${formatIpv4Address(dst)} `);
  if (question.src !== undefined && question.src !== 0) parts.push(`from ${formatIpv4Address(question.src)} `);
  if (question.tos !== 0) parts.push(`tos 0x${question.tos.toString(16).padStart(2, "0")} `);
  if (route.gateway !== 0) parts.push(`via ${formatIpv4Address(route.gateway)} `);
  parts.push(`dev ${route.device.name} `);
  const isNamedTable = route.table !== 0 && (route.table !== 254 || session.flags.details > 0);
  if (isNamedTable) parts.push(`table ${tableName(route.table)} `);
  if (!isInput && (question.src === undefined || question.src === 0)) parts.push(`src ${formatIpv4Address(route.source)} `);
  // The flag of multicast routes and one of hardware offload share a bit, which ip reads as the latter.
  if (isMulticast(dst)) parts.push("rt_offload_failed ");
  if (question.mark !== 0) parts.push(question.mark >= 16 ? `mark 0x${question.mark.toString(16)} ` : `mark ${question.mark} `);
  if (!isInput) parts.push("uid 0 ");
  const flags = cacheFlags(session, question, dst, route);
  parts.push(`${nl}    cache ${flags.length > 0 ? `<${flags.join(",")}> ` : ""}${expiryOf(session, route)}${formatMetrics(metricsOf(route))}`);
  if (isInput) parts.push(`iif ${question.input?.name ?? ""} `);
  return `${parts.join("")}\n`;
}

function jsonOf(session: IpSession, question: Question, dst: number, route: Route) {
  return {
    type: route.type !== "unicast" || session.flags.details > 0 ? route.type : undefined,
    dst: formatIpv4Address(dst),
    from: question.src !== undefined && question.src !== 0 ? formatIpv4Address(question.src) : undefined,
    gateway: route.gateway !== 0 ? formatIpv4Address(route.gateway) : undefined,
    dev: route.device.name,
    table: route.table !== 0 && route.table !== 254 ? tableName(route.table) : undefined,
    prefsrc: question.input === undefined && question.src === undefined ? formatIpv4Address(route.source) : undefined,
    flags: [],
    mark: question.mark !== 0 ? question.mark : undefined,
    uid: question.input === undefined ? 0 : undefined,
    cache: cacheFlags(session, question, dst, route),
    iif: question.input?.name,
  };
}

/** Destinations about which ICMP has taught something. */
export function showCache(session: IpSession, filter: RouteFilter): number {
  const { host } = session;
  for (const exception of host.routing.exceptions()) {
    if (!exception.isUsed) continue;
    const route = host.routing.output({ dst: exception.destination });
    if (isRouteError(route) || (filter.device !== "" && route.device.name !== filter.device)) continue;
    const via = route.gateway !== 0 ? `via ${formatIpv4Address(route.gateway)} ` : "";
    const flags = route.isRedirected === true ? "<redirected> " : "";
    session.out(
      `${formatIpv4Address(exception.destination)} ${via}dev ${route.device.name} ${session.nl}    cache ${flags}${expiryOf(session, route)}${formatMetrics(metricsOf(route))}\n`,
    );
  }
  return 0;
}
