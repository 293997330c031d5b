/**
 * Virtual and static addresses, routes and rules as lines of their blocks give them.
 *
 * keepalived v2.2.7 vrrp/vrrp_ipaddress.c (parse_ipaddress, alloc_ipaddress), vrrp/vrrp_iproute.c (alloc_route, parse_nexthops),
 * vrrp/vrrp_iprule.c (alloc_rule).
 */

import { parseIpv4Address, prefixMask } from "../../../base/ipv4-address.ts";
import type { Host } from "../../../host/host.ts";
import { isIpv6Text } from "./addresses.ts";
import type { GlobalConfig, VirtualAddress, VirtualRoute, VirtualRule, VrrpConfig } from "./model.ts";
import { CONFIG_ERROR, type ConfigReport } from "./report.ts";
import { parseInteger, parseUnsigned, type Words } from "./words.ts";

const UINT_MAX = 4_294_967_295;
const NAME_MAX = 15;
const SCOPES: Readonly<Record<string, number>> = { global: 0, universe: 0, site: 200, link: 253, host: 254, nowhere: 255 };
const TABLES: Readonly<Record<string, number>> = { default: 253, main: 254, local: 255 };
const ROUTE_TYPES = ["unicast", "local", "broadcast", "anycast", "multicast", "blackhole", "unreachable", "prohibit", "throw", "nat", "xresolve"];
/** Where keepalived starts to count down when a rule has no preference. */
export const FIRST_RULE_PRIORITY = 16384;

export interface VrrpScope {
  readonly host: Host;
  readonly global: GlobalConfig;
  readonly config: VrrpConfig;
  nextRulePriority: number;
}

interface ParsedAddress {
  readonly family: 4 | 6;
  readonly text: string;
  readonly address: number;
  readonly prefixLength: number;
}

/** An address with or without its prefix; undefined after a complaint. */
function parseAddress(text: string, mayHavePrefix: boolean, report: ConfigReport): ParsedAddress | undefined {
  const family = text.includes(":") ? 6 : 4;
  const slash = mayHavePrefix ? text.indexOf("/") : -1;
  const longest = family === 6 ? 128 : 32;
  let prefixLength = longest;
  if (slash >= 0) {
    const length = parseUnsigned(text.slice(slash + 1), 0, longest, true, report);
    if (length === undefined) report.general(`Invalid address prefix len ${text.slice(slash + 1)} for address ${text} - using ${longest}`);
    else prefixLength = length;
  }
  const bare = slash < 0 ? text : text.slice(0, slash);
  const address = family === 6 ? (isIpv6Text(bare) ? 0 : undefined) : parseIpv4Address(bare);
  if (address !== undefined) return { family, text: bare, address, prefixLength };
  report.general(`VRRP parsed invalid IP ${text}. skipping IP...`);
  return undefined;
}

/** if_get_by_ifname: an interface that is not there is remembered, for the end of the reading. */
export function knowsDevice(scope: VrrpScope, name: string): boolean {
  if (scope.host.devices.byName(name) !== undefined) return true;
  scope.config.hasUnknownInterface = true;
  return false;
}

/** One line of virtual_ipaddress, virtual_ipaddress_excluded or static_ipaddress. */
export function parseVirtualAddress(words: Words, scope: VrrpScope, isStatic: boolean): VirtualAddress | undefined {
  const { report } = words;
  const name = words.at(0);
  const parsed = parseAddress(name, true, report);
  if (parsed === undefined) return undefined;
  const address: VirtualAddress = {
    ...parsed,
    peer: undefined,
    broadcast: 0,
    scope: 0,
    label: undefined,
    device: undefined,
    isTracked: true,
    noPrefixRoute: false,
    usesVmac: false,
    trackGroup: undefined,
    isSet: false,
    isGarpPending: false,
  };
  if (parsed.family === 6) report.refuse("an IPv6 address");
  let broadcast: "none" | "given" | "+" | "-" = "none";
  for (let i = 1; i < words.length; i++) {
    const option = words.at(i);
    const parameter = words.list[i + 1];
    if (["dev", "scope", "broadcast", "brd", "label", "peer", "preferred_lft"].includes(option) || (isStatic && option === "track_group")) {
      if (parameter === undefined) {
        report.general(`No ${option} parameter specified for ${name}`);
        return undefined;
      }
      i++;
    }
    switch (option) {
      case "dev":
        if (address.device !== undefined) {
          report.general(`Cannot specify ipaddress device more than once for ${name}`);
          return undefined;
        }
        if (!knowsDevice(scope, parameter as string)) {
          report.general(`WARNING - interface ${parameter} for ip address ${name} doesn't exist`);
          return undefined;
        }
        address.device = parameter;
        break;
      case "scope": {
        const value = SCOPES[parameter as string] ?? (/^\d+$/.test(parameter as string) ? Number(parameter) : undefined);
        if (value === undefined || value > 255) report.general(`Invalid scope '${parameter}' specified for ${name} - ignoring`);
        else address.scope = value;
        break;
      }
      case "broadcast":
      case "brd": {
        if (parsed.family === 6) {
          report.general(`VRRP is trying to assign a broadcast ${option} to the IPv6 address ${name} !!?? WTF... skipping VIP...`);
          return undefined;
        }
        if (parameter === "+" || parameter === "-") {
          broadcast = parameter;
          break;
        }
        const value = parseIpv4Address(parameter as string);
        if (value === undefined) {
          report.general(`VRRP is trying to assign invalid broadcast ${parameter}. skipping VIP...`);
          return undefined;
        }
        broadcast = "given";
        address.broadcast = value;
        break;
      }
      case "label":
        if ((parameter as string).length > NAME_MAX) {
          report.general(`Address label ${parameter} is longer than maximum length ${NAME_MAX} - removing address`);
          return undefined;
        }
        address.label = parameter;
        break;
      case "peer":
        setPeer(address, parameter as string, report);
        break;
      case "noprefixroute":
        address.noPrefixRoute = true;
        break;
      case "no_track":
        address.isTracked = false;
        break;
      case "preferred_lft":
        if (parameter !== "forever" && parseUnsigned(parameter as string, 0, UINT_MAX, true, report) === undefined)
          report.general(`preferred_lft ${parameter} is invalid`);
        break;
      case "home":
      case "-nodad":
      case "mngtmpaddr":
      case "autojoin":
        // They concern IPv6, or nothing that is visible.
        break;
      case "track_group":
        if (isStatic) {
          if (!scope.config.trackGroups.some((group) => group.name === parameter)) report.general(`track_group ${parameter} not found`);
          else report.refuse("track_group");
          break;
        }
        report.general(`Unknown configuration entry '${option}' for ip address - ignoring`);
        break;
      case "use_vmac":
        if (!isStatic) {
          address.usesVmac = true;
          report.refuse("use_vmac on a virtual address");
          break;
        }
        report.general(`Unknown configuration entry '${option}' for ip address - ignoring`);
        break;
      default:
        report.general(`Unknown configuration entry '${option}' for ip address - ignoring`);
    }
  }
  if (broadcast !== "none" && address.peer !== undefined) {
    report.general("Cannot specify broadcast and peer addresses - ignoring broadcast address");
    address.broadcast = 0;
  } else if (broadcast === "+" || broadcast === "-") {
    const host = ~prefixMask(address.prefixLength) >>> 0;
    if (address.prefixLength > 30) report.general(`Address prefix length ${address.prefixLength} too long for broadcast`);
    else address.broadcast = (broadcast === "+" ? address.address | host : address.address & ~host) >>> 0;
  }
  if (isStatic && address.device === undefined) {
    const fallback = scope.global.defaultInterface;
    if (fallback === undefined || scope.host.devices.byName(fallback) === undefined) {
      report.error(CONFIG_ERROR.fatal, `Static address ${name} requires either an interface or default interface must exist`);
      return undefined;
    }
    address.device = fallback;
  }
  return address;
}

function setPeer(address: VirtualAddress, text: string, report: ConfigReport): void {
  if (address.peer !== undefined) return report.general(`Peer ${text} - another peer has already been specified`);
  const peer = parseAddress(text, false, report);
  if (peer === undefined) return report.general(`Invalid peer address ${text}`);
  if (peer.family !== address.family) return report.general(`Peer address ${text} does not match address family`);
  if (address.prefixLength !== 32) report.general("Cannot specify address prefix when specifying peer address - ignoring");
  address.peer = peer.address;
  address.prefixLength = 32;
}

/* ---------------------------------------------------------------------------------------------------------------- routes */

/** Options whose effect on a route is not modelled: congestion control and timers of connections. */
const ROUTE_NUMBERS = ["hoplimit", "rtt", "rttvar", "reordering", "window", "cwnd", "ssthresh", "rto_min", "initcwnd", "initrwnd", "features", "quickack", "congctl", "expires", "pref", "ttl-propagate", "realms"];

export function parseVirtualRoute(words: Words, scope: VrrpScope, isStatic: boolean): VirtualRoute | undefined {
  const { report } = words;
  const hops: { gateway: number; device: string | undefined; weight: number }[] = [];
  const route: VirtualRoute = {
    text: words.list.join(" "),
    network: 0,
    prefixLength: 0,
    type: "unicast",
    gateway: 0,
    device: undefined,
    source: 0,
    table: 254,
    scope: 0,
    metric: 0,
    tos: 0,
    mtu: 0,
    mtuLocked: false,
    advmss: 0,
    isOnlink: false,
    protocol: "keepalived",
    isTracked: true,
    hops,
    isSet: false,
  };
  let destination: string | undefined;
  let hasProtocol = false;
  const refuse = (what: string): undefined => {
    report.general(what);
    return undefined;
  };
  for (let i = 0; i < words.length; i++) {
    const option = words.at(i);
    if (option === "inet") continue;
    if (option === "inet6") {
      report.refuse("an IPv6 route");
      continue;
    }
    if (option === "src") {
      const source = parseAddress(words.at(++i), false, report);
      if (source === undefined) return refuse(`invalid route src address ${words.at(i)}`);
      route.source = source.address;
    } else if (option === "via" || option === "gw") {
      if (option === "gw") report.general('"gw" for routes is deprecated. Please use "via"');
      i++;
      if (words.at(i) === "inet" || words.at(i) === "inet6") i++;
      const via = parseAddress(words.at(i), false, report);
      if (via === undefined) return refuse(`invalid route via address ${words.at(i)}`);
      if (via.family === 6) report.refuse("an IPv6 route");
      route.gateway = via.address;
    } else if (option === "from") return refuse(`route from address only supported with IPv6 (${words.at(++i)})`);
    else if (option === "tos" || option === "dsfield") {
      const value = Number(words.at(++i));
      if (!Number.isInteger(value) || value < 0 || value > 255) return refuse(`TOS value ${words.at(i)} is invalid`);
      route.tos = value;
    } else if (option === "table") {
      const table = TABLES[words.at(++i)] ?? (/^\d+$/.test(words.at(i)) ? Number(words.at(i)) : undefined);
      if (table === undefined) return refuse(`Routing table ${words.at(i)} not found for route`);
      route.table = table;
    } else if (option === "protocol") {
      route.protocol = words.at(++i);
      hasProtocol = true;
    } else if (option === "scope") {
      const value = SCOPES[words.at(++i)];
      if (value === undefined) return refuse(`Scope ${words.at(i)} not found or invalid for route`);
      route.scope = value;
    } else if (option === "metric" || option === "priority" || option === "preference") {
      const value = parseUnsigned(words.at(++i), 0, UINT_MAX, true, report);
      if (value === undefined) return undefined;
      route.metric = value;
    } else if (option === "dev" || option === "oif") {
      const name = words.at(++i);
      if (!knowsDevice(scope, name)) return refuse(`WARNING - interface ${name} for VROUTE nexthop doesn't exist`);
      route.device = name;
    } else if (option === "onlink") route.isOnlink = true;
    else if (option === "mtu" || option === "advmss") {
      const isLocked = words.list[i + 1] === "lock";
      if (isLocked) i++;
      const value = parseUnsigned(words.at(++i), 0, UINT_MAX, true, report) ?? 0;
      if (option === "mtu") Object.assign(route, { mtu: value, mtuLocked: isLocked });
      else route.advmss = value;
    } else if (ROUTE_NUMBERS.includes(option)) {
      report.refuse(`${option} of a route`);
      if (words.list[i + 1] === "lock") i++;
      i++;
    } else if (option === "encap" || option === "vrf" || option === "as") {
      report.refuse(`${option} of a route`);
      i++;
    } else if (option === "add" || option === "append" || option === "prepend" || option === "fastopen_no_cookie") report.refuse(`${option} of a route`);
    else if (option === "or") {
      report.general('"or" for routes is deprecated. Please use "nexthop"');
      const other = parseAddress(words.at(++i), false, report);
      if (other === undefined) return refuse(`Invalid "or" address ${words.at(i)}`);
      hops.push({ gateway: route.gateway, device: route.device, weight: 1 }, { gateway: other.address, device: route.device, weight: 1 });
    } else if (option === "nexthop") {
      if (hops.length > 0) report.general('Cannot specify nexthops with "or" route');
      else if (!parseHops(words, i, hops, scope)) return undefined;
      break;
    } else if (option === "no_track") route.isTracked = false;
    else if (isStatic && option === "track_group") {
      report.refuse("track_group");
      i++;
    } else {
      if (option === "to") i++;
      if (ROUTE_TYPES.includes(words.at(i))) {
        route.type = words.at(i);
        i++;
      }
      destination = words.at(i);
      if (["default", "any", "all"].includes(destination)) continue;
      const network = parseAddress(destination, true, report);
      if (network === undefined) return refuse(`unknown route keyword ${destination}`);
      if (network.family === 6) report.refuse("an IPv6 route");
      route.network = network.address;
      route.prefixLength = network.prefixLength;
    }
  }
  if (destination === undefined) return refuse("Route must have a destination");
  if (!route.isTracked) return route;
  if (hasProtocol && route.protocol !== "keepalived")
    report.general("Route cannot be tracked if protocol is not RTPROT_KEEPALIVED(18), resetting protocol");
  route.protocol = "keepalived";
  if (route.device === undefined) {
    report.general(`Warning - cannot track route ${destination} with no interface specified, not tracking`);
    route.isTracked = false;
  }
  return route;
}

function parseHops(words: Words, start: number, hops: { gateway: number; device: string | undefined; weight: number }[], scope: VrrpScope): boolean {
  const { report } = words;
  for (let i = start; i < words.length; i++) {
    const option = words.at(i);
    if (option === "nexthop") {
      hops.push({ gateway: 0, device: undefined, weight: 1 });
      continue;
    }
    const hop = hops.at(-1);
    if (hop === undefined) return false;
    if (option === "via") {
      i++;
      if (words.at(i) === "inet" || words.at(i) === "inet6") i++;
      const via = parseAddress(words.at(i), false, report);
      if (via === undefined) {
        report.general(`Invalid nexthop address ${words.at(i)}`);
        return false;
      }
      hop.gateway = via.address;
    } else if (option === "dev" || option === "oif") {
      const name = words.at(++i);
      if (!knowsDevice(scope, name)) {
        report.general(`WARNING - interface ${name} for VROUTE nexthop doesn't exist`);
        return false;
      }
      hop.device = name;
    } else if (option === "weight") hop.weight = parseInteger(words.at(++i), 1, 256, true, report) ?? 1;
    else if (option !== "onlink") {
      report.general(`Unknown nexthop option ${option}`);
      return false;
    }
  }
  return true;
}

/* ----------------------------------------------------------------------------------------------------------------- rules */

/** Options of rules that routing here does not look at. */
const RULE_UNSUPPORTED = ["realms", "suppress_prefixlength", "suppress_prefixlen", "suppress_group", "suppress_ifgroup", "tunnel-id", "tunnel_id", "uidrange", "protocol", "ipproto", "sport", "dport", "goto", "nat"];

export function parseVirtualRule(words: Words, scope: VrrpScope): VirtualRule | undefined {
  const { report } = words;
  const rule: VirtualRule = {
    text: words.list.join(" "),
    from: undefined,
    to: undefined,
    priority: -1,
    mark: 0,
    markMask: UINT_MAX,
    tos: 0,
    inputDevice: undefined,
    outputDevice: undefined,
    action: undefined,
    table: 0,
    isTracked: true,
    isSet: false,
  };
  const refuse = (what: string): undefined => {
    report.general(what);
    return undefined;
  };
  for (let i = 0; i < words.length; i++) {
    const option = words.at(i);
    if (option === "inet") continue;
    if (option === "inet6") report.refuse("an IPv6 rule");
    else if (option === "from" || option === "to") {
      const text = words.at(++i);
      if (["default", "any", "all"].includes(text)) continue;
      const network = parseAddress(text, true, report);
      if (network === undefined) return refuse(`Invalid rule ${option} address ${text}`);
      if (network.family === 6) report.refuse("an IPv6 rule");
      rule[option] = { network: network.address, prefixLength: network.prefixLength };
    } else if (option === "table" || option === "lookup") {
      const table = TABLES[words.at(++i)] ?? (/^\d+$/.test(words.at(i)) ? Number(words.at(i)) : undefined);
      if (table === undefined) return refuse(`Routing table ${words.at(i)} not found for rule`);
      if (table === 0) return refuse("Table 0 is not valid");
      if (rule.action !== undefined) return refuse("Cannot specify more than one of table/nop/goto/blackhole/prohibit/unreachable for rule");
      Object.assign(rule, { table, action: "table" });
    } else if (option === "preference" || option === "priority" || option === "pref" || option === "order") {
      const value = parseUnsigned(words.at(++i), 0, UINT_MAX, true, report);
      if (value === undefined) return refuse(`Invalid rule preference ${words.at(i)} specified`);
      rule.priority = value;
    } else if (option === "tos" || option === "dsfield") {
      const value = Number(words.at(++i));
      if (!Number.isInteger(value) || value < 0 || value > 255) return refuse(`TOS value ${words.at(i)} is invalid`);
      rule.tos = value;
    } else if (option === "fwmark") {
      const match = /^(0x[0-9a-fA-F]+|\d+)(?:\/(0x[0-9a-fA-F]+|\d+))?$/.exec(words.at(++i));
      if (match === null) return refuse(`Invalid rule fwmark ${words.at(i)} specified`);
      rule.mark = Number(match[1]);
      if (match[2] !== undefined) rule.markMask = Number(match[2]);
    } else if (option === "dev" || option === "iif" || option === "oif") {
      const name = words.at(++i);
      if (!knowsDevice(scope, name)) return refuse(`WARNING - interface ${name} for rule doesn't exist`);
      if (option === "oif") rule.outputDevice = name;
      else rule.inputDevice = name;
    } else if (RULE_UNSUPPORTED.includes(option)) {
      report.refuse(`${option} of a rule`);
      i++;
    } else if (option === "l3mdev" || option === "not") report.refuse(`${option} of a rule`);
    else if (option === "no_track") rule.isTracked = false;
    else if (option === "track_group") {
      report.refuse("track_group");
      i++;
    } else {
      const type = option === "type" ? words.at(++i) : option;
      if (type !== "blackhole" && type !== "prohibit" && type !== "unreachable") return refuse(`Unknown rule option ${type}`);
      if (rule.action !== undefined) return refuse("Cannot specify more than one of table/nop/goto/blackhole/prohibit/unreachable/l3mdev for rule");
      rule.action = type;
    }
  }
  if (rule.action === undefined) return refuse("No action specified for rule - ignoring");
  if (rule.priority < 0) {
    rule.priority = scope.nextRulePriority--;
    report.general(`Rule has no preference specified - setting to ${rule.priority}. This is probably not what you want.`);
  }
  return rule;
}
