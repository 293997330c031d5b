/**
 * The sysctls of TCP and of local ports, as cells that are read without a lookup.
 *
 * Linux v6.1 net/ipv4/sysctl_net_ipv4.c, Documentation/networking/ip-sysctl.rst. Those that only size buffers or name algorithms that are not
 * modelled are registered too, so that reading and writing them works; they change nothing.
 */

import type { Sysctl, SysctlCell } from "../host.ts";

export interface TcpSettings {
  readonly synRetries: SysctlCell;
  readonly synAckRetries: SysctlCell;
  readonly retries1: SysctlCell;
  readonly retries2: SysctlCell;
  readonly orphanRetries: SysctlCell;
  readonly finTimeout: SysctlCell;
  readonly timestamps: SysctlCell;
  readonly sack: SysctlCell;
  readonly windowScaling: SysctlCell;
  readonly twReuse: SysctlCell;
  readonly rfc1337: SysctlCell;
  readonly synCookies: SysctlCell;
  readonly abortOnOverflow: SysctlCell;
  readonly maxSynBacklog: SysctlCell;
  readonly maxTimeWaitBuckets: SysctlCell;
  readonly somaxconn: SysctlCell;
  readonly keepAliveTime: SysctlCell;
  readonly keepAliveInterval: SysctlCell;
  readonly keepAliveProbes: SysctlCell;
}

export function registerTcpSettings(sysctl: Sysctl): TcpSettings {
  const cell = (name: string, initial: number, max = 2147483647): SysctlCell => integerCell(sysctl, `net.ipv4.${name}`, initial, max);
  return {
    synRetries: cell("tcp_syn_retries", 6, 127),
    synAckRetries: cell("tcp_synack_retries", 5, 255),
    retries1: cell("tcp_retries1", 3, 255),
    retries2: cell("tcp_retries2", 15, 255),
    orphanRetries: cell("tcp_orphan_retries", 0, 255),
    finTimeout: cell("tcp_fin_timeout", 60),
    timestamps: cell("tcp_timestamps", 1, 255),
    sack: cell("tcp_sack", 1, 255),
    windowScaling: cell("tcp_window_scaling", 1, 255),
    twReuse: cell("tcp_tw_reuse", 2, 2),
    rfc1337: cell("tcp_rfc1337", 0, 255),
    synCookies: cell("tcp_syncookies", 1, 255),
    abortOnOverflow: cell("tcp_abort_on_overflow", 0, 255),
    maxSynBacklog: cell("tcp_max_syn_backlog", 128),
    maxTimeWaitBuckets: cell("tcp_max_tw_buckets", 4096),
    somaxconn: integerCell(sysctl, "net.core.somaxconn", 4096, 2147483647),
    keepAliveTime: cell("tcp_keepalive_time", 7200),
    keepAliveInterval: cell("tcp_keepalive_intvl", 75),
    keepAliveProbes: cell("tcp_keepalive_probes", 9, 255),
  };
}

/** Registers an integer, or reads the one that is already there. */
export function integerCell(sysctl: Sysctl, key: string, initial: number, max: number): SysctlCell {
  if (sysctl.read(key) === undefined) return sysctl.registerInteger(key, initial, { min: 0, max });
  return {
    get value(): number {
      return Number.parseInt(sysctl.read(key) ?? "", 10) || 0;
    },
    set value(next: number) {
      sysctl.write(key, String(next));
    },
  };
}

/** net.ipv4.ip_local_port_range, shared with UDP. */
export class LocalPortRange {
  low = 32768;
  high = 60999;

  constructor(sysctl: Sysctl) {
    const key = "net.ipv4.ip_local_port_range";
    if (sysctl.read(key) !== undefined) return;
    sysctl.register(key, {
      read: () => `${this.low}\t${this.high}`,
      write: (text) => {
        const match = /^\s*(\d+)\s+(\d+)\s*$/.exec(text);
        if (match === null) return "EINVAL";
        const low = Number(match[1]);
        const high = Number(match[2]);
        if (low < 1 || high > 65535 || high < low) return "EINVAL";
        this.low = low;
        this.high = high;
        return undefined;
      },
    });
  }
}
