/**
 * net.netfilter.*: limits and timeouts of conntrack, with the kernel's defaults.
 *
 * Linux v6.1 net/netfilter/nf_conntrack_standalone.c. The table's size is what a machine with 1 GB gets.
 */

import type { Sysctl, SysctlCell } from "../host.ts";
import type { TcpTimeouts } from "./conntrack-tcp.ts";

const PREFIX = "net.netfilter.nf_conntrack_";
const MAX_SECONDS = 0x7fffffff;

/** Seconds by TCP state, in the order of TCP_STATE_NAMES from SYN_SENT on. */
const TCP_STATE_TIMEOUTS: readonly (readonly [string, number])[] = [
  ["syn_sent", 120],
  ["syn_recv", 60],
  ["established", 432000],
  ["fin_wait", 120],
  ["close_wait", 60],
  ["last_ack", 30],
  ["time_wait", 120],
  ["close", 10],
];

/** Settings that are there, can be read and written, and change nothing that is modelled. */
const INERT: readonly (readonly [string, number])[] = [
  ["checksum", 1],
  ["dccp_loose", 1],
  ["dccp_timeout_closereq", 64],
  ["dccp_timeout_closing", 64],
  ["dccp_timeout_open", 43200],
  ["dccp_timeout_partopen", 480],
  ["dccp_timeout_request", 240],
  ["dccp_timeout_respond", 480],
  ["dccp_timeout_timewait", 240],
  ["events", 2],
  ["expect_max", 128],
  ["frag6_high_thresh", 4194304],
  ["frag6_low_thresh", 3145728],
  ["frag6_timeout", 60],
  ["gre_timeout_stream", 180],
  ["icmpv6_timeout", 30],
  ["log_invalid", 0],
  ["sctp_timeout_closed", 10],
  ["sctp_timeout_cookie_echoed", 3],
  ["sctp_timeout_cookie_wait", 3],
  ["sctp_timeout_established", 210],
  ["sctp_timeout_heartbeat_sent", 30],
  ["sctp_timeout_shutdown_ack_sent", 3],
  ["sctp_timeout_shutdown_recd", 3],
  ["sctp_timeout_shutdown_sent", 3],
];

export interface ConntrackSettings {
  readonly max: SysctlCell;
  readonly accounting: SysctlCell;
  readonly tcp: TcpTimeouts;
  readonly udp: SysctlCell;
  readonly udpStream: SysctlCell;
  readonly icmp: SysctlCell;
  readonly gre: SysctlCell;
  readonly generic: SysctlCell;
}

/** Registers every key. `count` answers nf_conntrack_count. */
export function registerConntrackSysctls(sysctl: Sysctl, count: () => number): ConntrackSettings {
  const seconds = (name: string, initial: number): SysctlCell => sysctl.registerInteger(PREFIX + name, initial, { min: 0, max: MAX_SECONDS });
  const flag = (name: string, initial: number): SysctlCell => sysctl.registerInteger(PREFIX + name, initial, { min: 0, max: 1 });
  for (const [name, initial] of INERT) sysctl.registerInteger(PREFIX + name, initial);
  sysctl.registerInteger(`${PREFIX}buckets`, 8192, { min: 1 });
  sysctl.register(`${PREFIX}count`, { read: () => String(count()), write: () => "EACCES" });
  sysctl.registerInteger("net.netfilter.nf_flowtable_tcp_timeout", 30);
  sysctl.registerInteger("net.netfilter.nf_flowtable_udp_timeout", 30);
  sysctl.registerInteger("net.netfilter.nf_hooks_lwtunnel", 0, { min: 0, max: 1 });
  for (let family = 0; family <= 10; family++) sysctl.register(`net.netfilter.nf_log.${family}`, { read: () => "NONE", write: () => "ENOENT" });
  const states = TCP_STATE_TIMEOUTS.map(([name, initial]) => seconds(`tcp_timeout_${name}`, initial));
  const synSent = states[0] ?? { value: 120 };
  return {
    max: sysctl.registerInteger(`${PREFIX}max`, 8192, { min: 0 }),
    accounting: flag("acct", 0),
    tcp: {
      byState: [{ value: 0 }, ...states, synSent],
      retransmit: seconds("tcp_timeout_max_retrans", 300),
      unacknowledged: seconds("tcp_timeout_unacknowledged", 300),
      loose: flag("tcp_loose", 1),
      beLiberal: flag("tcp_be_liberal", 0),
      maxRetransmits: sysctl.registerInteger(`${PREFIX}tcp_max_retrans`, 3, { min: 0, max: 255 }),
      ignoreInvalidReset: flag("tcp_ignore_invalid_rst", 0),
    },
    udp: seconds("udp_timeout", 30),
    udpStream: seconds("udp_timeout_stream", 120),
    icmp: seconds("icmp_timeout", 30),
    gre: seconds("gre_timeout", 30),
    generic: seconds("generic_timeout", 600),
  };
}
