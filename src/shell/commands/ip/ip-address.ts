/**
 * ip address: add, change, replace, del, flush, show.
 *
 * iproute2 6.1 ip/ipaddress.c (ipaddr_modify, ipaddr_list_flush_or_save, print_addrinfo).
 */

import { formatIpv4Address, isInPrefix, isMulticast, prefixMask } from "../../../base/ipv4-address.ts";
import { type InterfaceAddress, type NetDevice, SCOPE_HOST } from "../../../host/device.ts";
import { ADDRESS_HELP } from "./ip-help.ts";
import { briefHead, formatLink, formatStatistics, linkJson, writeJson } from "./ip-link-format.ts";
import {
  Arguments,
  chosenOf,
  deviceNamed,
  findDevice,
  garbage,
  IpExit,
  type IpSession,
  isCutOf,
  type Json,
  netlinkFailure,
  type Prefix,
  parseNumber,
  parseScope,
  scopeName,
  takeAddress,
  takePrefix,
  unsupported,
  wrongArgument,
} from "./ip-output.ts";

/** Bound on the rounds of a flush (promotion makes more than one necessary). */
const FLUSH_ROUNDS_MAX = 10;

export function runIpAddress(session: IpSession, words: readonly string[]): number {
  const verb = words[0];
  if (verb === undefined) return show(session, []);
  const rest = words.slice(1);
  // The order of iproute2's comparisons decides what an abbreviation means.
  switch (chosenOf(verb, ["add", "change", "chg", "replace", "delete", "show", "lst", "list", "flush", "save", "showdump", "restore", "help"])) {
    case "add":
      return modify(session, rest, "add");
    case "change":
    case "chg":
      return modify(session, rest, "change");
    case "replace":
      return modify(session, rest, "replace");
    case "delete":
      return modify(session, rest, "del");
    case "show":
    case "lst":
    case "list":
      return show(session, rest);
    case "flush":
      return flush(session, rest);
    case "help":
      session.err(ADDRESS_HELP);
      return 255;
    case undefined:
      throw new IpExit(255, `Command "${verb}" is unknown, try "ip address help".\n`);
    default:
      return unsupported(`"ip address ${verb}"`);
  }
}

/* --------------------------------------------------------------------------------------------------------------- modify */

interface Wanted {
  local: Prefix | undefined;
  peer: Prefix | undefined;
  /** `+` and `-` stand for all ones and all zeros of the host part. */
  broadcast: number | "+" | "-" | undefined;
  scope: number | undefined;
  label: string;
  device: string;
  noPrefixRoute: boolean;
  metric: number;
}

function modify(session: IpSession, words: readonly string[], verb: "add" | "change" | "replace" | "del"): number {
  const wanted = parseWanted(words);
  if (wanted.device === "") throw new IpExit(1, 'Not enough information: "dev" argument is required.\n');
  const { local, peer } = wanted;
  const isWildcard = verb === "del" && local !== undefined && !local.isExplicit && peer === undefined;
  if (isWildcard) {
    session.err(
      `Warning: Executing wildcard deletion to stay compatible with old scripts.\n         Explicitly specify the prefix length (${formatIpv4Address(local.address)}/32) to avoid this warning.\n` +
        "         This special behaviour is likely to disappear in further releases,\n         fix your scripts!\n",
    );
  }
  const device = deviceNamed(session, wanted.device);
  const prefix = peer ?? local;
  if (prefix === undefined || local === undefined)
    netlinkFailure(verb === "del" ? "EADDRNOTAVAIL" : "EINVAL", verb === "del" ? "" : "ipv4: Local address is not supplied");
  if (verb === "del") return remove(session, device, wanted, isWildcard);
  const address: Omit<InterfaceAddress, "isSecondary"> = {
    address: local.address,
    peer: prefix.address,
    prefixLength: prefix.prefixLength,
    broadcast: broadcastOf(wanted.broadcast, prefix),
    scope: wanted.scope ?? (local.address >>> 24 === 127 ? SCOPE_HOST : 0),
    label: wanted.label === "" ? device.name : wanted.label,
    noPrefixRoute: wanted.noPrefixRoute,
    routePriority: wanted.metric,
  };
  // Nobody can have 0.0.0.0: the kernel takes it and forgets it (__inet_insert_ifa).
  if (address.address === 0) return 0;
  const errno = session.host.addresses.add(device, address);
  if (errno === undefined || (errno === "EEXIST" && verb !== "add")) return 0;
  return netlinkFailure(errno, session.host.addresses.message);
}

function broadcastOf(wanted: Wanted["broadcast"], prefix: Prefix): number {
  if (wanted === undefined) return 0;
  if (typeof wanted === "number") return wanted;
  if (prefix.prefixLength > 30) return 0;
  const host = ~prefixMask(prefix.prefixLength);
  return wanted === "+" ? (prefix.address | host) >>> 0 : (prefix.address & ~host) >>> 0;
}

function parseWanted(words: readonly string[]): Wanted {
  const wanted: Wanted = { local: undefined, peer: undefined, broadcast: undefined, scope: undefined, label: "", device: "", noPrefixRoute: false, metric: 0 };
  const args = new Arguments(words);
  while (!args.isAtEnd) {
    const word = args.take();
    if (word === "peer" || word === "remote") wanted.peer = takePrefix(args.take());
    else if (isCutOf(word, "broadcast") || word === "brd") {
      const text = args.take();
      wanted.broadcast = text === "+" || text === "-" ? text : takeAddress(text);
    } else if (word === "scope") {
      const text = args.take();
      wanted.scope = parseScope(text) ?? wrongArgument(text, "invalid scope value.");
    } else if (word === "dev") wanted.device = args.take();
    else if (word === "label") wanted.label = args.take();
    else if (isCutOf(word, "metric") || word === "priority" || word === "preference") {
      const text = args.take();
      wanted.metric = parseNumber(text) ?? wrongArgument(text, '"metric" value is invalid\n');
    } else if (isCutOf(word, "valid_lft") || isCutOf(word, "preferred_lft")) {
      if (args.take() !== "forever") unsupported(`a limited "${word}"`);
    } else if (word === "noprefixroute") wanted.noPrefixRoute = true;
    else if (word === "anycast" || word === "home" || word === "nodad" || word === "mngtmpaddr" || word === "autojoin") unsupported(`"${word}"`);
    else {
      const text = word === "local" ? args.take() : word;
      if (isCutOf(text, "help")) throw new IpExit(255, ADDRESS_HELP);
      if (wanted.local !== undefined) garbage("local", text);
      wanted.local = takePrefix(text);
    }
  }
  return wanted;
}

/** Removes the first address that fits (net/ipv4/devinet.c:inet_rtm_deladdr). */
function remove(session: IpSession, device: NetDevice, wanted: Wanted, isWildcard: boolean): number {
  const { local, peer } = wanted;
  const prefix = (peer ?? local) as Prefix;
  const found = device.addresses.find((address) => {
    if (address.address !== local?.address) return false;
    if (wanted.label !== "" && address.label !== wanted.label) return false;
    if (isWildcard) return true;
    return address.prefixLength === prefix.prefixLength && isInPrefix(prefix.address, address.peer, address.prefixLength);
  });
  if (found !== undefined && isMulticast(found.address)) unsupported("removing a multicast address");
  const errno = found === undefined ? "EADDRNOTAVAIL" : session.host.addresses.remove(device, found);
  return errno === undefined ? 0 : netlinkFailure(errno, session.host.addresses.message);
}

/* -------------------------------------------------------------------------------------------------------- show and flush */

interface Filter {
  device: string;
  scope: number | undefined;
  to: Prefix | undefined;
  label: string;
  isUp: boolean;
  isSecondary: boolean | undefined;
  type: string;
}

function parseFilter(words: readonly string[], isFlush: boolean): Filter {
  const filter: Filter = { device: "", scope: undefined, to: undefined, label: "", isUp: false, isSecondary: undefined, type: "" };
  const args = new Arguments(words);
  while (!args.isAtEnd) {
    const word = args.take();
    if (word === "to") filter.to = takePrefix(args.take(), "inet");
    else if (word === "scope") {
      const text = args.take();
      filter.scope = text === "all" ? undefined : (parseScope(text) ?? wrongArgument(text, 'invalid "scope"\n'));
    } else if (word === "up") filter.isUp = true;
    else if (word === "label") filter.label = args.take();
    else if (word === "primary") filter.isSecondary = false;
    else if (word === "secondary" || word === "temporary") filter.isSecondary = true;
    else if (word === "permanent") continue;
    else if (word === "dynamic" || word === "tentative" || word === "deprecated") filter.label = "\0";
    else if (word === "type") filter.type = args.take();
    else if (word === "master" || word === "vrf" || word === "nomaster" || word === "group") unsupported(`"${word}" of ip address show`);
    else {
      const text = word === "dev" ? args.take() : word;
      if (isCutOf(text, "help")) throw new IpExit(255, ADDRESS_HELP);
      if (filter.device !== "") garbage("dev", text);
      filter.device = text;
    }
  }
  if (isFlush && words.length === 0) throw new IpExit(1, "Flush requires arguments.\n");
  return filter;
}

function fits(filter: Filter, address: InterfaceAddress): boolean {
  if (filter.scope !== undefined && filter.scope !== address.scope) return false;
  if (filter.isSecondary !== undefined && filter.isSecondary !== address.isSecondary) return false;
  if (filter.to !== undefined && !isInPrefix(address.address, filter.to.address, filter.to.prefixLength)) return false;
  return filter.label === "" || globMatches(filter.label, address.label);
}

/** fnmatch(3) for the stars and question marks that people write in labels. */
function globMatches(pattern: string, text: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|\\]/g, "\\$&")
    .replaceAll("*", ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`).test(text);
}

function devicesByIndex(session: IpSession, name: string): NetDevice[] {
  if (name === "") return [...session.host.devices.list].sort((a, b) => a.index - b.index);
  const device = findDevice(session, name);
  if (device === undefined) throw new IpExit(1, `Device "${name}" does not exist.\n`);
  return [device];
}

function show(session: IpSession, words: readonly string[]): number {
  const { flags } = session;
  const filter = parseFilter(words, false);
  const devices = devicesByIndex(session, filter.device).filter((device) => (!filter.isUp || device.isUp) && fitsType(filter, device));
  // An interface is left out when none of its addresses fits; one without any stays in a list of all families (ipaddr_filter).
  const isAnyFamily = flags.family === "link" || (flags.family === undefined && filter.to === undefined);
  const json: Json[] = [];
  for (const device of devices) {
    const addresses = flags.family === "link" || flags.family === "inet6" ? [] : device.addresses.filter((address) => fits(filter, address));
    const isKept = addresses.length > 0 || flags.family === "link" || (isAnyFamily && device.addresses.length === 0);
    if (!isKept) continue;
    if (flags.isJson) json.push(jsonOf(session, device, addresses, filter));
    else if (flags.isBrief) session.out(`${briefHead(device)}${addresses.map(formatBrief).join("")}\n`);
    else writeDevice(session, device, addresses, filter);
  }
  if (flags.isJson) writeJson(session, json);
  return 0;
}

function fitsType(filter: Filter, device: NetDevice): boolean {
  if (filter.type === "") return true;
  const types = { loopback: "", ether: "veth", dummy: "dummy", tunnel: "ipip", gre: "gre", gretap: "gretap", erspan: "erspan" };
  return types[device.kind] === filter.type;
}

function jsonOf(session: IpSession, device: NetDevice, addresses: readonly InterfaceAddress[], filter: Filter): Json {
  const info = addresses.map((address): Json => {
    return {
      family: "inet",
      local: formatIpv4Address(address.address),
      address: address.peer !== address.address ? formatIpv4Address(address.peer) : undefined,
      prefixlen: address.prefixLength,
      metric: address.routePriority !== undefined && address.routePriority !== 0 ? address.routePriority : undefined,
      broadcast: address.broadcast !== 0 ? formatIpv4Address(address.broadcast) : undefined,
      scope: scopeName(address.scope),
      secondary: address.isSecondary ? true : undefined,
      noprefixroute: address.noPrefixRoute ? true : undefined,
      label: address.label,
      valid_life_time: 4294967295,
      preferred_life_time: 4294967295,
    };
  });
  return filter.label !== "" ? { addr_info: info } : { ...linkJson(device, true), addr_info: session.flags.family === "link" ? [] : info };
}

function writeDevice(session: IpSession, device: NetDevice, addresses: readonly InterfaceAddress[], filter: Filter): void {
  const { flags, nl } = session;
  // A one-line listing of addresses has no lines for links; nor has a search for labels.
  const hasLink = filter.label === "" && (!flags.isOneLine || flags.family === "link");
  if (hasLink) session.out(formatLink(session, device, { isAddressList: true, hasLinkLine: filter.to === undefined && flags.family !== "inet" }));
  for (const address of addresses) {
    const head = flags.isOneLine ? `${device.index}: ${device.name}` : "";
    session.out(`${head}    inet ${formatAddress(address)}${nl}       valid_lft forever preferred_lft forever\n`);
  }
  if (hasLink && flags.statistics > 0) session.out(formatStatistics(session, device));
}

function formatBrief(address: InterfaceAddress): string {
  return `${formatLocal(address)}${formatMetric(address)} `;
}

function formatLocal(address: InterfaceAddress): string {
  const peer = address.peer === address.address ? "" : ` peer ${formatIpv4Address(address.peer)}`;
  return `${formatIpv4Address(address.address)}${peer}/${address.prefixLength}`;
}

function formatMetric(address: InterfaceAddress): string {
  return address.routePriority !== undefined && address.routePriority !== 0 ? ` metric ${address.routePriority}` : "";
}

function formatAddress(address: InterfaceAddress): string {
  const broadcast = address.broadcast === 0 ? "" : ` brd ${formatIpv4Address(address.broadcast)}`;
  const marks = `${address.isSecondary ? "secondary " : ""}${address.noPrefixRoute ? "noprefixroute " : ""}`;
  return `${formatLocal(address)}${formatMetric(address)}${broadcast} scope ${scopeName(address.scope)} ${marks}${address.label}`;
}

function flush(session: IpSession, words: readonly string[]): number {
  const filter = parseFilter(words, true);
  const { host, flags } = session;
  for (let round = 1; round <= FLUSH_ROUNDS_MAX; round++) {
    let count = 0;
    for (const device of devicesByIndex(session, filter.device)) {
      if (filter.isUp && !device.isUp) continue;
      for (const address of device.addresses.filter((one) => fits(filter, one))) {
        count++;
        // A secondary goes with its primary; then it is not there any more.
        if (device.addresses.includes(address)) host.addresses.remove(device, address);
      }
    }
    if (count > 0 && flags.statistics > 0) session.out(`\n*** Round ${round}, deleting ${count} addresses ***\n`);
    if (count > 0) continue;
    if (flags.statistics > 0)
      session.out(round === 1 ? "Nothing to flush.\n" : `*** Flush is complete after ${round - 1} round${round === 2 ? "" : "s"} ***\n`);
    return 0;
  }
  session.out(`*** Flush remains incomplete after ${FLUSH_ROUNDS_MAX} rounds. ***\n`);
  return 1;
}
