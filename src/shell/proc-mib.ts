/**
 * /proc/net/snmp, netstat and snmp6: the counters of a host as the kernel prints them.
 *
 * Linux v6.1 net/ipv4/proc.c (snmp_seq_show, netstat_seq_show, icmp_put, icmpmsg_put), net/ipv6/proc.c:snmp6_seq_show.
 */

import type { Host } from "../host/host.ts";
import { SNMP6_NAMES, TCP_EXT_NAMES, tcpExtCounter } from "../host/mib.ts";

type Values = readonly (readonly [string, number])[];

/** Types of messages that have columns of their own, in their order. */
const ICMP_TYPES: readonly (readonly [string, number])[] = [
  ["DestUnreachs", 3],
  ["TimeExcds", 11],
  ["ParmProbs", 12],
  ["SrcQuenchs", 4],
  ["Redirects", 5],
  ["Echos", 8],
  ["EchoReps", 0],
  ["Timestamps", 13],
  ["TimestampReps", 14],
  ["AddrMasks", 17],
  ["AddrMaskReps", 18],
];
/** RtoMin and RtoMax in ms; the algorithm is Van Jacobson's. */
const TCP_CONSTANTS: Values = [
  ["RtoAlgorithm", 1],
  ["RtoMin", 200],
  ["RtoMax", 120000],
  ["MaxConn", -1],
];

/** A table as two rows: names, values. */
function table(title: string, values: Values): string {
  return `${title}: ${values.map(([name]) => name).join(" ")}\n${title}: ${values.map(([, value]) => value).join(" ")}\n`;
}

function named(prefix: string, messages: Float64Array): Values {
  return ICMP_TYPES.map(([name, type]) => [`${prefix}${name}`, messages[type] ?? 0]);
}

/** Types of which there were any. */
function seen(prefix: string, messages: Float64Array): Values {
  const values: (readonly [string, number])[] = [];
  for (let type = 0; type < messages.length; type++) {
    const count = messages[type] ?? 0;
    if (count > 0) values.push([`${prefix}Type${type}`, count]);
  }
  return values;
}

function total(messages: Float64Array): number {
  let sum = 0;
  for (const count of messages) sum += count;
  return sum;
}

export function procNetSnmp(host: Host): string {
  const { ip, icmp, tcp, udp } = host.mib;
  const { InSegs, OutSegs, RetransSegs, InErrs, OutRsts, InCsumErrors } = tcp;
  const established = host.tcp.sockets.filter((one) => one.state === "ESTABLISHED" || one.state === "CLOSE_WAIT").length;
  const byType = [...seen("In", icmp.received), ...seen("Out", icmp.sent)];
  return [
    table("Ip", [
      ["Forwarding", host.sysctl.read("net.ipv4.ip_forward") === "1" ? 1 : 2],
      ["DefaultTTL", Number(host.sysctl.read("net.ipv4.ip_default_ttl") ?? 64)],
      ...Object.entries(ip),
    ]),
    table("Icmp", [
      ["InMsgs", total(icmp.received)],
      ["InErrors", icmp.InErrors],
      ["InCsumErrors", icmp.InCsumErrors],
      ...named("In", icmp.received),
      ["OutMsgs", total(icmp.sent)],
      ["OutErrors", icmp.OutErrors],
      ["OutRateLimitGlobal", icmp.OutRateLimitGlobal],
      ["OutRateLimitHost", icmp.OutRateLimitHost],
      ...named("Out", icmp.sent),
    ]),
    byType.length === 0 ? "" : table("IcmpMsg", byType),
    table("Tcp", [
      ...TCP_CONSTANTS,
      ["ActiveOpens", tcp.ActiveOpens],
      ["PassiveOpens", tcp.PassiveOpens],
      ["AttemptFails", tcp.AttemptFails],
      ["EstabResets", tcp.EstabResets],
      ["CurrEstab", established],
      ...Object.entries({ InSegs, OutSegs, RetransSegs, InErrs, OutRsts, InCsumErrors }),
    ]),
    table("Udp", Object.entries(udp)),
    table(
      "UdpLite",
      Object.keys(udp).map((name) => [name, 0]),
    ),
  ].join("");
}

export function procNetNetstat(host: Host): string {
  const { tcpExt, ipExt } = host.mib;
  return (
    table(
      "TcpExt",
      TCP_EXT_NAMES.map((name) => [name, tcpExtCounter(tcpExt, name)]),
    ) + table("IpExt", Object.entries(ipExt))
  );
}

/** Nothing speaks IPv6. */
export function procNetSnmp6(): string {
  return SNMP6_NAMES.map((name) => `${name.padEnd(32)}\t0\n`).join("");
}
