/**
 * ip link: show, set, add and delete of dummy interfaces.
 *
 * iproute2 6.1 ip/iplink.c (iplink_parse, iplink_modify), kernel v6.1 net/core/rtnetlink.c:do_setlink.
 */

import { type MacAddress, parseMacAddress } from "../../../base/mac-address.ts";
import type { NetDevice, TunnelParameters } from "../../../host/device.ts";
import type { Errno } from "../../../host/host.ts";
import { LINK_HELP } from "./ip-help.ts";
import { formatBriefLink, formatLink, formatStatistics, linkJson, writeJson } from "./ip-link-format.ts";
import { parseLinkTunnel } from "./ip-link-tunnel.ts";
import {
  Arguments,
  chosenOf,
  deviceNamed,
  garbage,
  IpExit,
  type IpSession,
  isCutOf,
  type Json,
  netlinkFailure,
  parseNumber,
  unsupported,
  wrongArgument,
} from "./ip-output.ts";

/** Kinds of link that the kernel knows and this simulator cannot make. */
const OTHER_TYPES =
  "bridge bond team vlan veth macvlan macvtap ipvlan ipvtap vxlan geneve gretap sit vti vrf ifb tun tap wireguard ip6tnl ip6gre ip6gretap erspan nlmon bareudp vcan xfrm netdevsim".split(
    " ",
  );

export function runIpLink(session: IpSession, words: readonly string[]): number {
  const verb = words[0];
  if (verb === undefined) return show(session, []);
  const rest = words.slice(1);
  switch (chosenOf(verb, ["add", "set", "change", "replace", "delete", "show", "lst", "list", "xstats", "afstats", "property", "help"])) {
    case "add":
      return add(session, rest);
    case "set":
    case "change":
      return set(session, rest);
    case "replace":
      return add(session, rest);
    case "delete":
      return remove(session, rest);
    case "show":
    case "lst":
    case "list":
      return show(session, rest);
    case "help":
      session.err(LINK_HELP);
      return 255;
    case undefined:
      throw new IpExit(255, `Command "${verb}" is unknown, try "ip link help".\n`);
    default:
      return unsupported(`"ip link ${verb}"`);
  }
}

/* ----------------------------------------------------------------------------------------------------------------- show */

const TYPE_WORDS: Readonly<Record<NetDevice["kind"], string>> = {
  loopback: "",
  ether: "veth",
  dummy: "dummy",
  tunnel: "ipip",
  gre: "gre",
  gretap: "gretap",
  erspan: "erspan",
};

function show(session: IpSession, words: readonly string[]): number {
  const { flags, host } = session;
  const args = new Arguments(words);
  let name = "";
  let isUp = false;
  let type = "";
  while (!args.isAtEnd) {
    const word = args.take();
    if (word === "up") isUp = true;
    else if (word === "type") type = args.take();
    else if (word === "group") {
      if (args.take() !== "default") unsupported("a group of links");
    } else if (word === "master" || word === "nomaster" || word === "vrf") unsupported(`"${word}" of ip link show`);
    else {
      const text = word === "dev" ? args.take() : word;
      if (name !== "") garbage("dev", text);
      name = text;
    }
  }
  const device = host.devices.byName(name);
  if (name !== "" && device === undefined) throw new IpExit(1, `Device "${name}" does not exist.\n`);
  const all = device !== undefined ? [device] : [...host.devices.list].sort((a, b) => a.index - b.index);
  const wanted = all.filter((one) => (!isUp || one.isUp) && (type === "" || TYPE_WORDS[one.kind] === type));
  if (flags.isJson) {
    writeJson(
      session,
      wanted.map((one): Json => linkJson(one, false)),
    );
    return 0;
  }
  for (const one of wanted) {
    if (flags.isBrief) session.out(formatBriefLink(one));
    else {
      const text = formatLink(session, one, { isAddressList: false, hasLinkLine: true });
      session.out(flags.statistics > 0 ? `${text.slice(0, -1)}${session.nl}${formatStatistics(session, one)}` : text);
    }
  }
  return 0;
}

/* ------------------------------------------------------------------------------------------------------------------ set */

interface Changes {
  device: string;
  name: string;
  isUp: boolean | undefined;
  mtu: number | undefined;
  mac: MacAddress | undefined;
  isNoArp: boolean | undefined;
  isPromiscuous: boolean | undefined;
  isAllMulticast: boolean | undefined;
  isMulticast: boolean | undefined;
  alias: string | undefined;
  txQueueLength: number | undefined;
  type: string;
  tunnel: TunnelParameters | undefined;
}

function takeSwitch(args: Arguments, name: string): boolean {
  const text = args.take();
  if (text !== "on" && text !== "off") throw new IpExit(1, `Error: argument of "${name}" must be "on" or "off", not "${text}"\n`);
  return text === "on";
}

function takeNumber(args: Arguments, name: string): number {
  const text = args.take();
  return parseNumber(text, 0x7fffffff) ?? wrongArgument(text, `Invalid "${name}" value\n`);
}

function parseChanges(session: IpSession, words: readonly string[], isAdd: boolean): Changes {
  const changes: Changes = {
    device: "",
    name: "",
    isUp: undefined,
    mtu: undefined,
    mac: undefined,
    isNoArp: undefined,
    isPromiscuous: undefined,
    isAllMulticast: undefined,
    isMulticast: undefined,
    alias: undefined,
    txQueueLength: undefined,
    type: "",
    tunnel: undefined,
  };
  const args = new Arguments(words);
  while (!args.isAtEnd) {
    const word = args.take();
    if (word === "up") changes.isUp = true;
    else if (word === "down") changes.isUp = false;
    else if (word === "name") changes.name = args.take();
    else if (isCutOf(word, "address") && word.length >= 4) {
      const text = args.take();
      changes.mac = parseMacAddress(text);
      if (changes.mac === undefined) throw new IpExit(1, `"${text}" is invalid lladdr.\n`);
    } else if (isCutOf(word, "txqueuelen") || word === "qlen" || isCutOf(word, "txqlen")) changes.txQueueLength = takeNumber(args, "txqueuelen");
    else if (word === "mtu") changes.mtu = takeNumber(args, "mtu");
    else if (word === "arp") changes.isNoArp = !takeSwitch(args, "arp");
    else if (word === "promisc") changes.isPromiscuous = takeSwitch(args, "promisc");
    else if (word === "multicast") changes.isMulticast = takeSwitch(args, "multicast");
    else if (word === "alias") {
      const text = args.take();
      changes.alias = text.length < ALIAS_MAX ? text : wrongArgument(text, "alias too long\n");
    } else if (word === "allmulticast") changes.isAllMulticast = takeSwitch(args, "allmulticast");
    else if (word === "type") {
      changes.type = args.take();
      // What follows belongs to the type; dummies have no options, and ip does not look.
      if (isAdd && (changes.type === "ipip" || changes.type === "gre")) changes.tunnel = parseLinkTunnel(session, args, changes.type);
      else if (!args.isAtEnd && changes.type !== "dummy") unsupported(`an option of type ${changes.type}`);
      break;
    } else if (UNSUPPORTED_WORDS.has(word)) unsupported(`"ip link ${isAdd ? "add" : "set"} ${word}"`);
    else {
      const text = word === "dev" ? args.take() : word;
      if (isCutOf(text, "help")) throw new IpExit(255, LINK_HELP);
      if (changes.device !== "") garbage("dev", text);
      changes.device = text;
    }
  }
  return changes;
}

/** IFALIASZ. */
const ALIAS_MAX = 256;

const UNSUPPORTED_WORDS = new Set(
  "link index netns vf master nomaster vrf group link-netns link-netnsid protodown protodown_reason carrier dynamic trailers broadcast brd xdp xdpgeneric xdpdrv xdpoffload numtxqueues numrxqueues addrgenmode operstate mode gso_max_size gso_max_segs gro_max_size parentdev altname".split(
    " ",
  ),
);

/** What `ip link set` asks for, in the order in which the kernel does it. The first failure ends it. */
function set(session: IpSession, words: readonly string[]): number {
  const changes = parseChanges(session, words, false);
  if (changes.device === "") throw new IpExit(255, 'Not enough information: "dev" argument is required.\n');
  const device = deviceNamed(session, changes.device);
  const devices = session.host.devices;
  const step = (errno: Errno | undefined): void => {
    if (errno !== undefined) netlinkFailure(errno, devices.message);
  };
  if (changes.type !== "") unsupported("changing the type of a link");
  if (changes.mac !== undefined) step(devices.setMac(device, changes.mac));
  if (changes.mtu !== undefined) step(devices.setMtu(device, changes.mtu));
  if (changes.name !== "") step(devices.rename(device, changes.name));
  devices.setFlags(device, changes);
  if (changes.isUp === true) step(devices.setUp(device));
  if (changes.isUp === false) devices.setDown(device);
  return 0;
}

function add(session: IpSession, words: readonly string[]): number {
  const changes = parseChanges(session, words, true);
  if (changes.type === "") throw new IpExit(1, 'Not enough information: "type" argument is required\n');
  if (OTHER_TYPES.includes(changes.type)) unsupported(`a link of type ${changes.type}`);
  if (changes.type !== "dummy" && changes.tunnel === undefined) throw new IpExit(2, "Error: Unknown device type.\n");
  const name = changes.name !== "" ? changes.name : changes.device;
  if (name !== "" && (name.length > 15 || /[/\s]/.test(name))) wrongArgument(name, `"name" not a valid ifname`);
  const { devices } = session.host;
  const device = changes.tunnel === undefined ? devices.addDummy(name) : devices.addTunnel(name, changes.tunnel);
  if (typeof device === "string") return netlinkFailure(device, "");
  if (changes.mac !== undefined) session.host.devices.setMac(device, changes.mac);
  if (changes.mtu !== undefined) session.host.devices.setMtu(device, changes.mtu);
  session.host.devices.setFlags(device, changes);
  if (changes.isUp === true) session.host.devices.setUp(device);
  return 0;
}

function remove(session: IpSession, words: readonly string[]): number {
  const changes = parseChanges(session, words, false);
  if (changes.device === "") throw new IpExit(255, 'Not enough information: "dev" argument is required.\n');
  const errno = session.host.devices.remove(deviceNamed(session, changes.device));
  return errno === undefined ? 0 : netlinkFailure(errno, session.host.devices.message);
}
