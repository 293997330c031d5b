/**
 * How `ip link` and `ip addr` show an interface.
 *
 * iproute2 6.1 ip/ipaddress.c (print_link_flags, print_linkinfo, print_link_stats64), kernel v6.1 net/core/link_watch.c (operstate).
 */

import { formatIpv4Address } from "../../../base/ipv4-address.ts";
import { formatMacAddress } from "../../../base/mac-address.ts";
import type { NetDevice } from "../../../host/device.ts";
import { greBytes } from "../../../host/tunnel.ts";
import { IPV4_HEADER_BYTES } from "../../../wire/packet.ts";
import { formatJson, type IpSession, type Json } from "./ip-output.ts";

/** IFF_BROADCAST goes with frames. */
export function hasBroadcast(device: NetDevice): boolean {
  return device.kind === "ether" || device.kind === "dummy" || device.kind === "gretap" || device.kind === "erspan";
}

export function isPointToPoint(device: NetDevice): boolean {
  return (device.kind === "tunnel" || device.kind === "gre") && (device.tunnel?.remote ?? 0) !== 0;
}

/** Flags in the order in which ip prints them. */
export function linkFlags(device: NetDevice): string[] {
  const flags: string[] = [];
  if (device.isUp && !device.hasCarrier) flags.push("NO-CARRIER");
  if (device.kind === "loopback") flags.push("LOOPBACK");
  if (hasBroadcast(device)) flags.push("BROADCAST");
  if (isPointToPoint(device)) flags.push("POINTOPOINT");
  if (device.isMulticast) flags.push("MULTICAST");
  if (device.isNoArp) flags.push("NOARP");
  if (device.isAllMulticast) flags.push("ALLMULTI");
  if (device.isPromiscuous) flags.push("PROMISC");
  if (device.isUp) flags.push("UP");
  if (device.isUp && device.hasCarrier) flags.push("LOWER_UP");
  if (lowerOf(device)?.isUp === false) flags.push("M-DOWN");
  return flags;
}

/** Only cables tell whether they work; other devices are UNKNOWN once they are up. */
export function operState(device: NetDevice): string {
  if (!device.isUp) return "DOWN";
  if (device.kind !== "ether") return "UNKNOWN";
  return device.hasCarrier ? "UP" : "LOWERLAYERDOWN";
}

/** The device that it works through, if any (IFLA_LINK). */
function lowerOf(device: NetDevice): NetDevice | undefined {
  return device.lower ?? device.tunnel?.link;
}

export function shownName(device: NetDevice): string {
  const lower = lowerOf(device);
  if (lower !== undefined) return `${device.name}@${lower.name}`;
  if (device.peerIndex !== 0) return `${device.name}@if${device.peerIndex}`;
  return device.kind === "loopback" || device.kind === "dummy" ? device.name : `${device.name}@NONE`;
}

function qdiscOf(device: NetDevice): string {
  return device.qdisc === undefined ? (device.hasBeenUp ? "noqueue" : "noop") : "netem";
}

const MTU_MIN = 68;
const MTU_MAX = 65535;

const LINK_TYPES: Readonly<Record<NetDevice["kind"], string>> = {
  loopback: "loopback",
  ether: "ether",
  dummy: "ether",
  tunnel: "ipip",
  gre: "gre",
  gretap: "ether",
  erspan: "ether",
};

export function linkAddress(device: NetDevice): string {
  return device.kind === "tunnel" || device.kind === "gre" ? formatIpv4Address(device.tunnel?.local ?? 0) : formatMacAddress(device.mac);
}

function broadcastAddress(device: NetDevice): string {
  if (device.kind === "tunnel" || device.kind === "gre") return formatIpv4Address(device.tunnel?.remote ?? 0);
  return device.kind === "loopback" ? "00:00:00:00:00:00" : "ff:ff:ff:ff:ff:ff";
}

/** `7: eth0@if8: <...> mtu 1500 ...`: the first line, without its end. */
export function linkHead(device: NetDevice, isAddressList: boolean): string {
  const mode = isAddressList ? "" : "mode DEFAULT ";
  return `${device.index}: ${shownName(device)}: <${linkFlags(device).join(",")}> mtu ${device.mtu} qdisc ${qdiscOf(device)} state ${operState(device)} ${mode}group default qlen ${device.txQueueLength}`;
}

function netnsOf(device: NetDevice): string {
  return device.peerNetnsId >= 0 ? ` link-netnsid ${device.peerNetnsId}` : "";
}

/** What -details adds behind the addresses of the link. */
function linkDetails(session: IpSession, device: NetDevice, isAddressList: boolean): string {
  const limits = mtuLimits(device);
  const segment = device.kind === "ether" || device.kind === "loopback" ? 524280 : 65536;
  const promiscuity = device.isPromiscuous || device.taps.length > 0 ? 1 : 0;
  const queues = `numtxqueues 1 gso_max_size 65536 gso_max_segs 65535 tso_max_size ${segment} tso_max_segs 65535 gro_max_size 65536 `;
  const kind = kindDetails(device);
  return ` promiscuity ${promiscuity}  allmulti ${device.isAllMulticast ? 1 : 0} ${limits}${kind === "" ? "" : `${session.nl}    ${kind}`}${isAddressList || (isFallbackTunnel(device) && !device.hasBeenUp) ? "" : `addrgenmode ${device.lower === undefined ? "eui64" : "none"} `}${queues}`;
}

/** tunl0 and gre0, which are there from the start and know IPv6 only once they have been up. */
function isFallbackTunnel(device: NetDevice): boolean {
  return device.name === "tunl0" || device.name === "gre0";
}

/** dev->min_mtu, dev->max_mtu: `ip tunnel` bounds what it makes, `ip link` does not (ip_tunnel.c:ip_tunnel_create). */
function mtuLimits(device: NetDevice): string {
  const { kind, tunnel } = device;
  if ((kind === "tunnel" || kind === "gre") && tunnel !== undefined && !isFallbackTunnel(device) && tunnel.isUnbounded !== true)
    return `minmtu ${MTU_MIN} maxmtu ${MTU_MAX - IPV4_HEADER_BYTES - greBytes(tunnel)} `;
  const isFrame = kind === "ether" || kind === "gretap" || kind === "erspan";
  return `minmtu ${isFrame ? MTU_MIN : 0} maxmtu ${kind === "ether" ? MTU_MAX : 0} `;
}

function kindDetails(device: NetDevice): string {
  const tunnel = device.tunnel;
  const any = (address: number): string => (address === 0 ? "any" : formatIpv4Address(address));
  const ends = tunnel === undefined ? "remote any local any" : `remote ${any(tunnel.remote)} local ${any(tunnel.local)}`;
  const through = tunnel?.link === undefined ? "" : `dev ${tunnel.link.name} `;
  const tos = tunnel === undefined || tunnel.tos === 0 ? "" : `tos ${tunnel.tos === 1 ? "inherit" : `0x${tunnel.tos.toString(16)}`} `;
  const ttl = `${through}ttl ${tunnel === undefined || tunnel.ttl === 0 ? "inherit" : tunnel.ttl} ${tos}`;
  const key = tunnel?.key === undefined ? "" : `ikey ${formatIpv4Address(tunnel.key)} okey ${formatIpv4Address(tunnel.key)} `;
  const isDiscovering = tunnel?.pmtuDiscovery === true;
  switch (device.kind) {
    case "loopback":
      return "";
    case "ether":
      return device.lower === undefined ? "veth " : "macvlan mode private bcqueuelen 1000 usedbcqueuelen 1000 ";
    case "dummy":
      return "dummy ";
    case "tunnel":
      return `ipip ${device.name === "tunl0" || tunnel?.carriesAny === true ? "any " : "ipip "}${ends} ${ttl}${isDiscovering ? "pmtudisc " : "nopmtudisc "}`;
    case "gre":
      return `gre ${ends} ${ttl}${isDiscovering ? "" : "nopmtudisc "}${key}`;
    case "gretap":
      return `gretap ${ends} ${ttl}nopmtudisc `;
    case "erspan":
      return `erspan ${ends} ${ttl}nopmtudisc okey 0.0.0.0 erspan_index 0 erspan_ver 1 `;
  }
}

/** The whole of an interface but its addresses. A list of addresses of one family leaves out the link line. */
export function formatLink(session: IpSession, device: NetDevice, options: { readonly isAddressList: boolean; readonly hasLinkLine: boolean }): string {
  const { flags, nl } = session;
  const head = linkHead(device, options.isAddressList);
  if (!options.hasLinkLine) return `${head}${netnsOf(device)}\n`;
  const far = isPointToPoint(device) ? "peer" : "brd";
  const details = flags.details > 0 ? linkDetails(session, device, options.isAddressList) : "";
  const alias = device.alias === "" ? "" : `${nl}    alias ${device.alias}`;
  return `${head}${nl}    link/${LINK_TYPES[device.kind]} ${linkAddress(device)} ${far} ${broadcastAddress(device)}${netnsOf(device)}${details}${options.isAddressList ? "" : alias}\n`;
}

export function formatBriefLink(device: NetDevice): string {
  return `${briefHead(device)}${linkAddress(device)} <${linkFlags(device).join(",")}> \n`;
}

export function briefHead(device: NetDevice): string {
  return `${shownName(device).padEnd(16)} ${operState(device).padEnd(14)} `;
}

/** Columns of -statistics: each as wide as its title and its numbers need. */
export function formatStatistics(session: IpSession, device: NetDevice): string {
  const { counters } = device;
  const { nl } = session;
  const row = (prefix: string, titles: readonly string[], values: readonly number[]): string => {
    // The first number may begin below the prefix.
    const widths = titles.map((title, i) => Math.max(title.length, String(values[i]).length - (i === 0 ? prefix.length : 0)));
    const head = titles.map((title, i) => title.padStart(widths[i] as number)).join(" ");
    const body = values.map((value, i) => shownNumber(session, value).padStart((widths[i] as number) + (i === 0 ? prefix.length : 0))).join(" ");
    return `    ${prefix}${head}           ${nl}    ${body} `;
  };
  const received = [counters.rxBytes, counters.rxPackets, counters.rxErrors, counters.rxDropped, 0, counters.multicast];
  const sent = [counters.txBytes, counters.txPackets, counters.txErrors, counters.txDropped, counters.txCarrierErrors, 0];
  const rx = row("RX: ", [" bytes", "packets", "errors", "dropped", " missed", "  mcast"], received);
  const tx = row("TX: ", [" bytes", "packets", "errors", "dropped", "carrier", "collsns"], sent);
  return session.flags.statistics > 1 ? `${rx}${nl}${rxErrors(nl)}${nl}${tx}${nl}${txErrors(nl, device)}\n` : `${rx}${nl}${tx}\n`;
}

/** ip/ipaddress.c:print_num: with -human three places or so, and a prefix. */
function shownNumber(session: IpSession, value: number): string {
  const { isHuman, isIec } = session.flags;
  const base = isIec === true ? 1024 : 1000;
  if (!isHuman || value < base) return String(value);
  let power = base;
  let prefix = 0;
  while (value / base >= power && prefix < PREFIXES.length - 1) {
    power *= base;
    prefix++;
  }
  const whole = value / power;
  return `${whole.toFixed(whole < 10 ? 2 : whole < 100 ? 1 : 0)}${PREFIXES[prefix]}${isIec === true ? "i" : ""}`;
}

const PREFIXES = "kMGTPE";

function rxErrors(nl: string): string {
  return `    RX errors:  length    crc   frame    fifo overrun${nl}${" ".repeat(21)}0      0       0       0       0 `;
}

function txErrors(nl: string, device: NetDevice): string {
  return `    TX errors: aborted   fifo  window heartbt transns${nl}${" ".repeat(21)}0      0       0       0       ${device.kind === "ether" ? 2 : 0} `;
}

export function linkJson(device: NetDevice, isAddressList: boolean): { [key: string]: Json } {
  const peer: { [key: string]: Json } =
    device.peerIndex !== 0 ? { link_index: device.peerIndex } : device.kind === "loopback" || device.kind === "dummy" ? {} : { link: lowerOf(device)?.name ?? null };
  const netns: { [key: string]: Json } = device.peerNetnsId >= 0 ? { link_netnsid: device.peerNetnsId } : {};
  return {
    ifindex: device.index,
    ...peer,
    ifname: device.name,
    flags: linkFlags(device),
    mtu: device.mtu,
    qdisc: qdiscOf(device),
    operstate: operState(device),
    ...(isAddressList ? {} : { linkmode: "DEFAULT" }),
    group: "default",
    txqlen: device.txQueueLength,
    link_type: LINK_TYPES[device.kind],
    address: linkAddress(device),
    ...(isPointToPoint(device) ? { link_pointtopoint: true } : {}),
    broadcast: broadcastAddress(device),
    ...netns,
    ...(device.alias === "" || isAddressList ? {} : { ifalias: device.alias }),
  };
}

export function writeJson(session: IpSession, value: Json): void {
  session.out(`${formatJson(value, session.flags.isPretty)}\n`);
}
