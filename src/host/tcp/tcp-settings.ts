/**
 * The sysctls of TCP and of local ports, as cells that are read without a lookup.
 *
 * Linux v6.1 net/ipv4/sysctl_net_ipv4.c, Documentation/networking/ip-sysctl.rst. Those that only size buffers or name algorithms that are not
 * modelled are in the tree of sysctls and change nothing.
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
  readonly defaultTtl: SysctlCell;
  readonly nonlocalBind: SysctlCell;
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
    maxTimeWaitBuckets: cell("tcp_max_tw_buckets", 8192),
    somaxconn: integerCell(sysctl, "net.core.somaxconn", 4096, 2147483647),
    defaultTtl: cell("ip_default_ttl", 64, 255),
    nonlocalBind: cell("ip_nonlocal_bind", 0, 1),
  };
}

/** The cell of an integer; who registers a key first decides its initial value. */
export function integerCell(sysctl: Sysctl, key: string, initial: number, max: number): SysctlCell {
  return sysctl.registerInteger(key, initial, { min: 0, max });
}

/** net.ipv4.ip_local_port_range, shared with UDP; registered by the tree of sysctls. Read again when any sysctl was written. */
export class LocalPortRange {
  readonly #sysctl: Sysctl;
  #generation = -1;
  #low = 32768;
  #high = 60999;

  constructor(sysctl: Sysctl) {
    this.#sysctl = sysctl;
  }

  get low(): number {
    this.#refresh();
    return this.#low;
  }

  get high(): number {
    this.#refresh();
    return this.#high;
  }

  #refresh(): void {
    if (this.#generation === this.#sysctl.generation) return;
    this.#generation = this.#sysctl.generation;
    const [low, high] = this.#sysctl.read("net.ipv4.ip_local_port_range")?.trim().split(/\s+/) ?? [];
    if (low !== undefined) this.#low = Number(low);
    if (high !== undefined) this.#high = Number(high);
  }
}
