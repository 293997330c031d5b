/**
 * The line that the LOG target writes.
 *
 * Linux v6.1 net/netfilter/nf_log_syslog.c (nf_log_ip_packet, dump_ipv4_packet, dump_mac_header).
 */

import { formatIpv4Address } from "../../base/ipv4-address.ts";
import { formatMacAddress } from "../../base/mac-address.ts";
import {
  ICMP_DEST_UNREACH,
  ICMP_ECHO,
  ICMP_ECHO_REPLY,
  ICMP_FRAG_NEEDED,
  ICMP_PARAMETER_PROBLEM,
  ICMP_REDIRECT,
  ICMP_SOURCE_QUENCH,
  ICMP_TIME_EXCEEDED,
  IcmpMessage,
  type Ipv4Packet,
  PROTOCOL_ICMP,
  PROTOCOL_TCP,
  PROTOCOL_UDP,
  TCP_ACK,
  TCP_FIN,
  TCP_PSH,
  TCP_RST,
  TCP_SYN,
  TCP_URG,
  TcpSegment,
  UdpDatagram,
} from "../../wire/packet.ts";
import type { SkBuff } from "../skb.ts";
import type { HookState } from "./hooks.ts";
import type { LogOptions } from "./rule.ts";

const TOS_MASK = 0x1e;
const PRECEDENCE_MASK = 0xe0;

/** Flags in the order in which the kernel names them. */
const FLAG_NAMES: readonly (readonly [number, string])[] = [
  [0x80, "CWR"],
  [0x40, "ECE"],
  [TCP_URG, "URG"],
  [TCP_ACK, "ACK"],
  [TCP_PSH, "PSH"],
  [TCP_RST, "RST"],
  [TCP_SYN, "SYN"],
  [TCP_FIN, "FIN"],
];

function hex2(value: number): string {
  return value.toString(16).toUpperCase().padStart(2, "0");
}

export function formatLogLine(skb: SkBuff, state: HookState, options: LogOptions): string {
  let line = `${options.prefix}IN=${state.input?.name ?? ""} OUT=${state.output?.name ?? ""} `;
  if (state.input !== undefined) line += formatMac(skb, state.input.kind === "ether" ? state.input.mac : 0, options);
  line += formatPacket(skb.ip, options, true);
  if (skb.mark !== 0) line += `MARK=0x${skb.mark.toString(16)} `;
  return line;
}

/** Destination, source and type of the frame; an interface without Ethernet shows nothing. */
function formatMac(skb: SkBuff, ownMac: number, options: LogOptions): string {
  if (ownMac === 0 || skb.sourceMac === 0) return options.macDecode ? "" : "MAC= ";
  const destination = skb.packetType === "broadcast" ? 0xffffffffffff : ownMac;
  const dst = formatMacAddress(destination);
  const src = formatMacAddress(skb.sourceMac);
  if (options.macDecode) return `MACSRC=${src} MACDST=${dst} MACPROTO=0800 `;
  return `MAC=${dst}:${src}:08:00 `;
}

function formatPacket(ip: Ipv4Packet, options: LogOptions, isOuter: boolean): string {
  let text = `SRC=${formatIpv4Address(ip.src)} DST=${formatIpv4Address(ip.dst)} `;
  text += `LEN=${ip.lengthBytes} TOS=0x${hex2(ip.tos & TOS_MASK)} PREC=0x${hex2(ip.tos & PRECEDENCE_MASK)} TTL=${ip.ttl} ID=${ip.id} `;
  if (ip.dontFragment) text += "DF ";
  if (ip.moreFragments) text += "MF ";
  if (ip.fragmentOffset > 0) text += `FRAG:${ip.fragmentOffset / 8} `;
  if (options.ipOptions && ip.options.length > 0) text += `OPT (${[...ip.options].map(hex2).join("")}) `;
  const { payload } = ip;
  if (payload instanceof TcpSegment) return text + formatTcp(payload, options);
  if (payload instanceof UdpDatagram) return `${text}PROTO=UDP SPT=${payload.srcPort} DPT=${payload.dstPort} LEN=${payload.lengthBytes} `;
  if (payload instanceof IcmpMessage) return text + formatIcmp(payload, options, isOuter);
  switch (ip.protocol) {
    case PROTOCOL_TCP:
      return `${text}PROTO=TCP `;
    case PROTOCOL_UDP:
      return `${text}PROTO=UDP `;
    case PROTOCOL_ICMP:
      return `${text}PROTO=ICMP `;
    default:
      return `${text}PROTO=${ip.protocol} `;
  }
}

function formatTcp(tcp: TcpSegment, options: LogOptions): string {
  let text = `PROTO=TCP SPT=${tcp.srcPort} DPT=${tcp.dstPort} `;
  if (options.tcpSequence) text += `SEQ=${tcp.seq} ACK=${tcp.ack} `;
  text += `WINDOW=${tcp.window} RES=0x00 `;
  for (const [flag, name] of FLAG_NAMES) if ((tcp.flags & flag) !== 0) text += `${name} `;
  text += `URGP=${tcp.urgentPointer} `;
  if (options.tcpOptions && tcp.optionBytes > 0) text += `OPT (${formatTcpOptions(tcp)}) `;
  return text;
}

/** The options as bytes, in the order and with the padding that Linux writes (tcp_options_write). */
function formatTcpOptions(tcp: TcpSegment): string {
  const { mss, sackPermitted, timestamps, windowScale, sack } = tcp.options;
  let text = "";
  const word = (value: number): string => (value >>> 0).toString(16).toUpperCase().padStart(8, "0");
  if (mss !== undefined) text += `0204${mss.toString(16).toUpperCase().padStart(4, "0")}`;
  if (timestamps !== undefined) text += `${sackPermitted === true ? "0402" : "0101"}080A${word(timestamps.value)}${word(timestamps.echo)}`;
  else if (sackPermitted === true) text += "01010402";
  if (windowScale !== undefined) text += `010303${hex2(windowScale)}`;
  if (sack !== undefined && sack.length > 0) text += `010105${hex2(2 + 8 * sack.length)}${sack.map(([left, right]) => word(left) + word(right)).join("")}`;
  return text;
}

function formatIcmp(icmp: IcmpMessage, options: LogOptions, isOuter: boolean): string {
  const text = `PROTO=ICMP TYPE=${icmp.type} CODE=${icmp.code} `;
  switch (icmp.type) {
    case ICMP_ECHO:
    case ICMP_ECHO_REPLY:
      return `${text}ID=${icmp.rest >>> 16} SEQ=${icmp.rest & 0xffff} `;
    case ICMP_PARAMETER_PROBLEM:
      return `${text}PARAMETER=${icmp.rest >>> 24} `;
    case ICMP_REDIRECT:
      return `${text}GATEWAY=${formatIpv4Address(icmp.rest)} ${quoted(icmp, options, isOuter)}`;
    case ICMP_DEST_UNREACH:
      return `${text}${quoted(icmp, options, isOuter)}${icmp.code === ICMP_FRAG_NEEDED ? `MTU=${icmp.rest & 0xffff} ` : ""}`;
    case ICMP_SOURCE_QUENCH:
    case ICMP_TIME_EXCEEDED:
      return text + quoted(icmp, options, isOuter);
    default:
      return text;
  }
}

function quoted(icmp: IcmpMessage, options: LogOptions, isOuter: boolean): string {
  return isOuter && icmp.quoted !== undefined ? `[${formatPacket(icmp.quoted, options, false)}] ` : "";
}
