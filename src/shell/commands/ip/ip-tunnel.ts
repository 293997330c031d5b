/**
 * ip tunnel: IP in IP and GRE.
 *
 * iproute2 6.1 ip/iptunnel.c (parse_args, print_tunnel), ip/tunnel.c (tnl_add_ioctl).
 */

import { formatIpv4Address } from "../../../base/ipv4-address.ts";
import type { NetDevice, TunnelParameters } from "../../../host/device.ts";
import { touchRow } from "../../../host/host-tables.ts";
import { errorText } from "../../errno-text.ts";
import { TUNNEL_HELP } from "./ip-help.ts";
import {
  Arguments,
  chosenOf,
  deviceNamed,
  garbage,
  IpExit,
  type IpSession,
  isCutOf,
  parseLooseAddress,
  parseNumber,
  parseTos,
  unsupported,
  wrongArgument,
} from "./ip-output.ts";

/** TOS 1 stands for "inherit". */
const TOS_INHERIT = 1;

export function runIpTunnel(session: IpSession, words: readonly string[]): number {
  const verb = words[0];
  if (verb === undefined) return show(session, []);
  const rest = words.slice(1);
  switch (chosenOf(verb, ["add", "change", "delete", "show", "lst", "list", "prl", "6rd", "help"])) {
    case "add":
      return add(session, rest);
    case "change":
      return change(session, rest);
    case "delete":
      return remove(session, rest);
    case "show":
    case "lst":
    case "list":
      return show(session, rest);
    case "help":
      session.err(TUNNEL_HELP);
      return 255;
    case undefined:
      throw new IpExit(255, `Command "${verb}" is unknown, try "ip tunnel help"\n`);
    default:
      return unsupported(`"ip tunnel ${verb}"`);
  }
}

interface Wanted {
  name: string;
  mode: TunnelParameters["mode"] | undefined;
  local: number;
  remote: number;
  ttl: number;
  tos: number;
  pmtuDiscovery: boolean;
  key: number | undefined;
  link: NetDevice | undefined;
}

function takeTunnelAddress(args: Arguments): number {
  const text = args.take();
  if (text === "any" || text === "all" || text === "default") return 0;
  const address = parseLooseAddress(text);
  if (address === undefined) throw new IpExit(1, `Error: an IP address is expected rather than "${text}"\n`);
  return address;
}

function parse(session: IpSession, words: readonly string[], current?: TunnelParameters): Wanted {
  const wanted: Wanted = {
    name: "",
    mode: current?.mode,
    local: current?.local ?? 0,
    remote: current?.remote ?? 0,
    ttl: current?.ttl ?? 0,
    tos: current?.tos ?? 0,
    pmtuDiscovery: current?.pmtuDiscovery ?? true,
    key: current?.key,
    link: current?.link,
  };
  const args = new Arguments(words);
  while (!args.isAtEnd) {
    const word = args.take();
    if (word === "mode") wanted.mode = takeMode(args);
    else if (word === "remote") wanted.remote = takeTunnelAddress(args);
    else if (word === "local") wanted.local = takeTunnelAddress(args);
    else if (word === "key") wanted.key = takeKey(args);
    else if (word === "dev") wanted.link = deviceNamed(session, args.take());
    else if (isTtlWord(word)) wanted.ttl = takeTtl(args);
    else if (isTosWord(word)) wanted.tos = takeTos(args);
    else if (word === "pmtudisc") wanted.pmtuDiscovery = true;
    else if (word === "nopmtudisc") wanted.pmtuDiscovery = false;
    else if (UNSUPPORTED.has(word)) unsupported(`"${word}" of ip tunnel`);
    else {
      const text = word === "name" ? args.take() : word;
      if (isCutOf(text, "help")) throw new IpExit(255, TUNNEL_HELP);
      if (wanted.name !== "") garbage("name", text);
      wanted.name = text;
    }
  }
  if (wanted.ttl !== 0 && !wanted.pmtuDiscovery) throw new IpExit(1, "ttl != 0 and nopmtudisc are incompatible\n");
  return wanted;
}

const UNSUPPORTED = new Set([
  "ikey",
  "okey",
  "seq",
  "iseq",
  "oseq",
  "csum",
  "icsum",
  "ocsum",
  "ignore-df",
  "noignore-df",
  "fwmark",
  "external",
  "prl-default",
  "6rd-prefix",
]);

function takeMode(args: Arguments): TunnelParameters["mode"] {
  const text = args.take();
  if (text === "ipip" || text === "ip/ip") return "ipip";
  if (text === "gre" || text === "gre/ip") return "gre";
  if (text === "sit" || text === "ipv6/ip" || text === "isatap" || text === "vti" || text === "any/ip") return unsupported(`tunnel mode ${text}`);
  throw new IpExit(255, `Unknown tunnel mode "${text}"\n`);
}

export function isTtlWord(word: string): boolean {
  return word === "ttl" || word === "hoplimit" || word === "hlim";
}

export function takeTtl(args: Arguments): number {
  const text = args.take();
  return text === "inherit" ? 0 : (parseNumber(text, 255) ?? wrongArgument(text, "invalid TTL\n"));
}

export function isTosWord(word: string): boolean {
  return word === "tos" || word === "tclass" || isCutOf(word, "dsfield");
}

export function takeTos(args: Arguments): number {
  const text = args.take();
  return text === "inherit" ? TOS_INHERIT : (parseTos(text) ?? wrongArgument(text, "bad TOS value"));
}

export function takeKey(args: Arguments): number {
  const text = args.take();
  const key = text.includes(".") ? parseLooseAddress(text) : parseNumber(text);
  if (key === undefined) throw new IpExit(255, `invalid value for "key": "${text}"; it should be an unsigned integer\n`);
  return key;
}

function add(session: IpSession, words: readonly string[]): number {
  const wanted = parse(session, words);
  if (wanted.mode === undefined) throw new IpExit(1, "cannot determine tunnel mode (ipip, gre, vti or sit)\n");
  const { mode, local, remote, ttl, tos, pmtuDiscovery, key, link } = wanted;
  const device = session.host.devices.addTunnel(wanted.name, { mode, local, remote, ttl, tos, pmtuDiscovery, key, link });
  if (typeof device === "string") throw new IpExit(1, `add tunnel "${mode === "ipip" ? "tunl0" : "gre0"}" failed: ${errorText(device)}\n`);
  return 0;
}

function change(session: IpSession, words: readonly string[]): number {
  const name = parse(session, words).name;
  const device = session.host.devices.byName(name);
  const wanted = parse(session, words, device?.tunnel);
  if (wanted.mode === undefined) throw new IpExit(1, "cannot determine tunnel mode (ipip, gre, vti or sit)\n");
  if (device?.tunnel === undefined) throw new IpExit(1, `change tunnel "${name}" failed: ${errorText("ENODEV")}\n`);
  const { mode, local, remote, ttl, tos, pmtuDiscovery, key, link } = wanted;
  device.tunnel = { mode, local, remote, ttl, tos, pmtuDiscovery, key, link };
  touchRow(session.host, "links", device);
  session.host.fib.touch();
  return 0;
}

function remove(session: IpSession, words: readonly string[]): number {
  const { name } = parse(session, words);
  const device = session.host.devices.byName(name);
  const isTunnel = device?.kind === "tunnel" || device?.kind === "gre";
  const errno = device === undefined || !isTunnel ? "ENODEV" : name === "tunl0" || name === "gre0" ? "EPERM" : session.host.devices.remove(device);
  if (errno !== undefined) throw new IpExit(1, `delete tunnel "${name}" failed: ${errorText(errno)}\n`);
  return 0;
}

const FALLBACKS = { ipip: "tunl0", gre: "gre0" } as const;

function show(session: IpSession, words: readonly string[]): number {
  const wanted = parse(session, words);
  if (wanted.mode !== undefined) {
    // With a mode the kernel is asked about one device: the one that is named, or that everybody has.
    const device = session.host.devices.byName(wanted.name === "" ? FALLBACKS[wanted.mode] : wanted.name);
    if (device?.tunnel !== undefined) session.out(`${formatTunnel(device, device.tunnel)}\n`);
    return 0;
  }
  const tunnels = [...session.host.devices.list]
    .sort((a, b) => a.index - b.index)
    .filter((device) => device.tunnel !== undefined && (wanted.name === "" || wanted.name === device.name));
  const { nl, flags } = session;
  for (const device of tunnels)
    session.out(`${formatTunnel(device, device.tunnel as TunnelParameters)}${flags.statistics > 0 ? `${nl}${formatTunnelStatistics(device, nl)}` : ""}\n`);
  return 0;
}

/** tunnel.c:tnl_print_stats. Devices here count no checksum, sequence and loop errors apart. */
function formatTunnelStatistics(device: NetDevice, nl: string): string {
  const { rxPackets, rxBytes, rxErrors, multicast, txPackets, txBytes, txErrors, txCarrierErrors, txDropped } = device.counters;
  const row = (values: readonly number[], widths: readonly number[]): string => values.map((value, i) => String(value).padEnd(widths[i] as number)).join(" ");
  const received = `RX: Packets    Bytes        Errors CsumErrs OutOfSeq Mcasts${nl}    ${row([rxPackets, rxBytes, rxErrors, 0, 0, multicast], [10, 12, 6, 8, 8, 8])}`;
  const sent = `TX: Packets    Bytes        Errors DeadLoop NoRoute  NoBufs${nl}    ${row([txPackets, txBytes, txErrors, 0, txCarrierErrors, txDropped], [10, 12, 6, 8, 8, 6])}`;
  return `${received}${nl}${sent}`;
}

function formatTunnel(device: NetDevice, tunnel: TunnelParameters): string {
  const any = (address: number): string => (address === 0 ? "any" : formatIpv4Address(address));
  const mode = tunnel.mode === "gre" ? "gre/ip" : device.name === "tunl0" || tunnel.carriesAny === true ? "any/ip" : "ip/ip";
  const through = tunnel.link === undefined ? "" : ` dev ${tunnel.link.name}`;
  const parts = [`${device.name}: ${mode} remote ${any(tunnel.remote)} local ${any(tunnel.local)}${through} ttl ${tunnel.ttl === 0 ? "inherit" : tunnel.ttl}`];
  if (tunnel.tos !== 0) parts.push(tunnel.tos === TOS_INHERIT ? " tos inherit" : ` tos 0x${tunnel.tos.toString(16).padStart(2, "0")}`);
  if (!tunnel.pmtuDiscovery) parts.push(" nopmtudisc");
  if (tunnel.key !== undefined) parts.push(` key ${tunnel.key}`);
  return parts.join("");
}
