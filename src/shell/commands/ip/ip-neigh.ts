/**
 * ip neighbour: add, change, replace, del, show, flush, get.
 *
 * iproute2 6.1 ip/ipneigh.c; the kernel's answers are those of net/core/neighbour.c (neigh_add, neigh_delete, neigh_get).
 */

import { formatIpv4Address, type Ipv4Address, isInPrefix } from "../../../base/ipv4-address.ts";
import { formatMacAddress, type MacAddress, parseMacAddress } from "../../../base/mac-address.ts";
import { NS_PER_SECOND } from "../../../base/time.ts";
import type { NetDevice } from "../../../host/device.ts";
import type { Neighbour, NeighbourState } from "../../../host/host.ts";
import {
  Arguments,
  chosenOf,
  deviceNamed,
  formatJson,
  garbage,
  IpExit,
  type IpSession,
  isCutOf,
  type Json,
  netlinkFailure,
  type Prefix,
  takeAddress,
  takePrefix,
  unsupported,
  wrongArgument,
} from "./ip-output.ts";

const NEIGHBOUR_HELP = `Usage: ip neigh { add | del | change | replace }
                { ADDR [ lladdr LLADDR ] [ nud STATE ] proxy ADDR }
                [ dev DEV ] [ router ] [ use ] [ managed ] [ extern_learn ]
                [ protocol PROTO ]

	ip neigh { show | flush } [ proxy ] [ to PREFIX ] [ dev DEV ] [ nud STATE ]
				  [ vrf NAME ] [ nomaster ]
	ip neigh get { ADDR | proxy ADDR } dev DEV

STATE := { delay | failed | incomplete | noarp | none |
           permanent | probe | reachable | stale }
`;

const STATES: Readonly<Record<string, NeighbourState>> = {
  permanent: "PERMANENT",
  reachable: "REACHABLE",
  noarp: "NOARP",
  none: "NONE",
  stale: "STALE",
  incomplete: "INCOMPLETE",
  delay: "DELAY",
  probe: "PROBE",
  failed: "FAILED",
};

const ALL_STATES = Object.values(STATES);

export function runIpNeigh(session: IpSession, words: readonly string[]): number {
  const verb = words[0];
  if (verb === undefined) return show(session, []);
  const rest = words.slice(1);
  switch (chosenOf(verb, ["add", "change", "chg", "replace", "delete", "get", "show", "lst", "list", "flush", "help"])) {
    case "add":
      return modify(session, rest, "add");
    case "change":
    case "chg":
      return modify(session, rest, "change");
    case "replace":
      return modify(session, rest, "replace");
    case "delete":
      return modify(session, rest, "delete");
    case "get":
      return getOne(session, rest);
    case "show":
    case "lst":
    case "list":
      return show(session, rest);
    case "flush":
      return flush(session, rest);
    case "help":
      return usage();
    default:
      throw new IpExit(255, `Command "${verb}" is unknown, try "ip neigh help".\n`);
  }
}

function usage(): never {
  throw new IpExit(255, NEIGHBOUR_HELP);
}

/* --------------------------------------------------------------------------------------------------------------- modify */

interface Change {
  address: Ipv4Address | undefined;
  device: string | undefined;
  mac: string | undefined;
  state: NeighbourState;
  isProxy: boolean;
}

function modify(session: IpSession, words: readonly string[], how: "add" | "replace" | "change" | "delete"): number {
  const change = readChange(words);
  const { neighbours } = session.host;
  if (change.address === undefined || (change.device === undefined && !change.isProxy))
    throw new IpExit(255, "Device and destination are required arguments.\n");
  if (change.device === undefined) unsupported("a proxy entry for all devices");
  const mac = change.mac === undefined || change.mac === "null" ? undefined : macOf(change.mac);
  const device = deviceNamed(session, change.device);
  let errno: string | undefined;
  let message = "";
  if (change.isProxy) {
    if (how === "delete") errno = neighbours.removeProxy(device, change.address);
    else neighbours.setProxy(device, change.address);
  } else if (how === "delete") {
    errno = neighbours.remove(device, change.address);
  } else {
    errno = neighbours.set(device, change.address, mac, change.state, how);
    if (errno === "EINVAL") message = "No link layer address given";
  }
  if (errno !== undefined) netlinkFailure(errno, message);
  return 0;
}

function readChange(words: readonly string[]): Change {
  const args = new Arguments(words);
  const change: Change = { address: undefined, device: undefined, mac: undefined, state: "PERMANENT", isProxy: false };
  while (!args.isAtEnd) {
    let word = args.take();
    if (isCutOf(word, "lladdr")) {
      const value = args.take();
      if (change.mac !== undefined) throw new IpExit(255, `Error: duplicate "lladdr": "${value}" is the second value.\n`);
      change.mac = value;
    } else if (word === "nud") {
      const value = args.take();
      change.state = STATES[value] ?? wrongArgument(value, "nud state is bad");
    } else if (word === "dev") {
      change.device = args.take();
    } else if (word === "proxy") {
      word = args.take();
      if (isCutOf(word, "help")) usage();
      change.address = takeAddress(word, "any valid");
      change.isProxy = true;
    } else if (word === "router" || word === "use" || word === "managed" || word === "extern_learn" || word === "protocol") {
      unsupported(`neighbour option "${word}"`);
    } else {
      if (word === "to") word = args.take();
      if (isCutOf(word, "help")) usage();
      if (change.address !== undefined) garbage("to", word);
      change.address = takeAddress(word, "any valid");
    }
  }
  return change;
}

function macOf(text: string): MacAddress {
  return parseMacAddress(text) ?? fail(`"${text}" is invalid lladdr.\n`);
}

function fail(text: string): never {
  throw new IpExit(1, text);
}

/* ----------------------------------------------------------------------------------------------------------------- show */

interface Filter {
  device: NetDevice | undefined;
  states: readonly NeighbourState[];
  prefix: Prefix | undefined;
  isProxy: boolean;
  isUnusedOnly: boolean;
}

function readFilter(session: IpSession, words: readonly string[], isFlush: boolean): Filter {
  const args = new Arguments(words);
  const usual = ALL_STATES.filter((state) => state !== "NOARP" && !(isFlush ? state === "PERMANENT" : state === "NONE"));
  const filter: Filter = { device: undefined, states: usual, prefix: undefined, isProxy: false, isUnusedOnly: false };
  let states: NeighbourState[] | undefined;
  let deviceName: string | undefined;
  while (!args.isAtEnd) {
    let word = args.take();
    if (word === "dev") {
      deviceName = args.take();
    } else if (word === "nud") {
      const value = args.take();
      states ??= [];
      if (value === "all") states.push(...ALL_STATES.filter((state) => !(isFlush && state === "NOARP")));
      else states.push(STATES[value] ?? wrongArgument(value, "nud state is bad"));
    } else if (word === "proxy") {
      filter.isProxy = true;
    } else if (word === "unused") {
      filter.isUnusedOnly = true;
    } else if (word === "nomaster") {
      // No device has a master.
    } else if (word === "master" || word === "vrf" || word === "protocol") {
      unsupported(`neighbour filter "${word}"`);
    } else {
      if (word === "to") word = args.take();
      if (isCutOf(word, "help")) usage();
      filter.prefix = takePrefix(word);
    }
  }
  if (deviceName !== undefined) filter.device = deviceNamed(session, deviceName);
  if (states !== undefined) filter.states = states;
  return filter;
}

function chosen(session: IpSession, filter: Filter): Neighbour[] {
  if (session.flags.family === "inet6" || session.flags.family === "link") return [];
  const { device, prefix } = filter;
  return session.host.neighbours.list.filter(
    (neighbour) =>
      neighbour.isProxy === filter.isProxy &&
      (device === undefined || neighbour.device === device) &&
      (filter.isProxy || filter.states.includes(neighbour.state)) &&
      (prefix === undefined || isInPrefix(neighbour.address, prefix.address, prefix.prefixLength)) &&
      !(filter.isUnusedOnly && hasTimer(neighbour)),
  );
}

function show(session: IpSession, words: readonly string[]): number {
  const filter = readFilter(session, words, false);
  const neighbours = chosen(session, filter);
  if (session.flags.isJson) {
    session.out(
      `${formatJson(
        neighbours.map((neighbour) => neighbourJson(session, neighbour, filter)),
        session.flags.isPretty,
      )}\n`,
    );
    return 0;
  }
  for (const neighbour of neighbours) session.out(formatNeighbour(session, neighbour, filter));
  return 0;
}

function formatNeighbour(session: IpSession, neighbour: Neighbour, filter: { readonly device: NetDevice | undefined }): string {
  const address = formatIpv4Address(neighbour.address);
  const mac = hasMac(neighbour) ? formatMacAddress(neighbour.mac) : "";
  if (session.flags.isBrief) {
    const device = filter.device === undefined ? `${neighbour.device.name.padEnd(16)} ` : "";
    return `${address.padEnd(39)} ${device}${mac}\n`;
  }
  let text = `${address} `;
  if (filter.device === undefined) text += `dev ${neighbour.device.name} `;
  if (neighbour.isProxy) return `${text}proxy \n`;
  if (mac !== "") text += `lladdr ${mac} `;
  if (session.flags.statistics > 0) text += statistics(session, neighbour);
  return `${text}${neighbour.state === "NONE" ? "" : `${neighbour.state} `}\n`;
}

function statistics(session: IpSession, neighbour: Neighbour): string {
  const [used, confirmed, updated] = ages(session, neighbour);
  return `${hasTimer(neighbour) ? " ref 1" : ""} used ${used}/${confirmed}/${updated}probes ${neighbour.probes} `;
}

function ages(session: IpSession, neighbour: Neighbour): readonly [number, number, number] {
  const { nowNs } = session.host.loop;
  const age = (atNs: number): number => Math.trunc(Math.max(0, nowNs - atNs) / NS_PER_SECOND);
  return [age(neighbour.usedAtNs), age(neighbour.confirmedAtNs), age(neighbour.updatedAtNs)];
}

/** Its timer holds a reference, which `ip -s` shows. */
function hasTimer(neighbour: Neighbour): boolean {
  return neighbour.isTimed;
}

function hasMac(neighbour: Neighbour): boolean {
  return !neighbour.isProxy && neighbour.state !== "INCOMPLETE" && neighbour.state !== "FAILED" && neighbour.state !== "NONE";
}

function neighbourJson(session: IpSession, neighbour: Neighbour, filter: { readonly device: NetDevice | undefined }): Json {
  const [used, confirmed, updated] = ages(session, neighbour);
  const hasStatistics = session.flags.statistics > 0 && !neighbour.isProxy;
  return {
    dst: formatIpv4Address(neighbour.address),
    dev: filter.device === undefined ? neighbour.device.name : undefined,
    lladdr: hasMac(neighbour) ? formatMacAddress(neighbour.mac) : undefined,
    proxy: neighbour.isProxy ? null : undefined,
    ...(hasStatistics ? { refcnt: hasTimer(neighbour) ? 1 : undefined, used, confirmed, updated, probes: neighbour.probes } : {}),
    state: neighbour.isProxy ? undefined : neighbour.state === "NONE" ? [] : [neighbour.state],
  };
}

/* ---------------------------------------------------------------------------------------------------------- flush and get */

function flush(session: IpSession, words: readonly string[]): number {
  if (words.length === 0) fail("Flush requires arguments.\n");
  const filter = readFilter(session, words, true);
  const neighbours = chosen(session, filter);
  const { statistics: verbosity } = session.flags;
  if (neighbours.length === 0) {
    if (verbosity > 0) session.out("Nothing to flush.\n");
    return 0;
  }
  for (const neighbour of neighbours) {
    if (verbosity > 1) session.out(formatNeighbour(session, neighbour, filter));
    if (neighbour.isProxy) session.host.neighbours.removeProxy(neighbour.device, neighbour.address);
    else session.host.neighbours.remove(neighbour.device, neighbour.address);
  }
  if (verbosity > 0) {
    const entries = `${neighbours.length} entries`;
    session.out(`\n*** Round 1, deleting ${entries} ***\n*** Flush is complete after 1 round ***\n`);
  }
  return 0;
}

function getOne(session: IpSession, words: readonly string[]): number {
  const { neighbours } = session.host;
  const change = readChange(words);
  if (change.address === undefined || change.device === undefined) fail("Device and address are required arguments.\n");
  const device = deviceNamed(session, change.device);
  const wanted = change.address;
  const found = neighbours.list.find((one) => one.device === device && one.address === wanted && one.isProxy === change.isProxy);
  if (found === undefined) return netlinkFailure("ENOENT", change.isProxy ? "Proxy neighbour entry not found" : "Neighbour entry not found");
  session.out(formatNeighbour(session, found, { device: undefined }));
  return 0;
}
