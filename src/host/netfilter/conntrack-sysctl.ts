/**
 * net.netfilter.*: the limits and timeouts of conntrack that change what it does, with the kernel's defaults.
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

/** Registers the keys, or shares them with who did. `count` answers nf_conntrack_count. */
export function registerConntrackSysctls(sysctl: Sysctl, count: () => number): ConntrackSettings {
  const seconds = (name: string, initial: number): SysctlCell => sysctl.registerInteger(PREFIX + name, initial, { min: 0, max: MAX_SECONDS });
  const flag = (name: string, initial: number): SysctlCell => sysctl.registerInteger(PREFIX + name, initial, { min: 0, max: 1 });
  sysctl.register(`${PREFIX}count`, { mode: 0o444, read: () => String(count()), write: () => "EACCES" });
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
