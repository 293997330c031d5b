/**
 * net.ipv4.vs.*: the director's settings, as cells that the packet path reads without a lookup.
 *
 * Linux v6.1 net/netfilter/ipvs/ip_vs_ctl.c (vs_vars, ip_vs_control_net_init_sysctl); Documentation/networking/ipvs-sysctl.rst.
 */

import type { Sysctl, SysctlCell } from "../host/host.ts";

/** Every integer setting with its default and bounds. `amemthresh` is in pages. */
const SETTINGS = {
  am_droprate: [10, 0, undefined],
  amemthresh: [1024, 0, undefined],
  backup_only: [0, undefined, undefined],
  cache_bypass: [0, undefined, undefined],
  conn_reuse_mode: [1, undefined, undefined],
  conntrack: [0, undefined, undefined],
  debug_level: [0, undefined, undefined],
  drop_entry: [0, 0, 3],
  drop_packet: [0, 0, 3],
  expire_nodest_conn: [0, undefined, undefined],
  expire_quiescent_template: [0, undefined, undefined],
  ignore_tunneled: [0, undefined, undefined],
  lblc_expiration: [86400, undefined, undefined],
  lblcr_expiration: [86400, undefined, undefined],
  nat_icmp_send: [0, undefined, undefined],
  pmtu_disc: [1, undefined, undefined],
  run_estimation: [1, undefined, undefined],
  schedule_icmp: [0, undefined, undefined],
  secure_tcp: [0, 0, 3],
  sloppy_sctp: [0, undefined, undefined],
  sloppy_tcp: [0, undefined, undefined],
  snat_reroute: [1, undefined, undefined],
  sync_persist_mode: [0, undefined, undefined],
  sync_ports: [1, 1, undefined],
  sync_qlen_max: [16384, 0, undefined],
  sync_refresh_period: [0, undefined, undefined],
  sync_retries: [0, 0, 3],
  sync_sock_size: [0, undefined, undefined],
  sync_version: [1, 0, 1],
} as const satisfies Record<string, readonly [number, number | undefined, number | undefined]>;

type SettingName = keyof typeof SETTINGS;

export type IpvsSettings = Readonly<Record<SettingName, SysctlCell>> & { readonly sync_threshold: { counter: number; period: number } };

export function defaultSettings(): IpvsSettings {
  const cells = Object.fromEntries(Object.entries(SETTINGS).map(([name, [initial]]) => [name, { value: initial }])) as Record<SettingName, SysctlCell>;
  return { ...cells, sync_threshold: { counter: 3, period: 50 } };
}

/** Puts the cells under net.ipv4.vs, as loading the module does. `changed` is called after each write. */
export function registerSettings(sysctl: Sysctl, settings: IpvsSettings, changed: () => void): void {
  for (const [name, [, min, max]] of Object.entries(SETTINGS)) {
    const cell = settings[name as SettingName];
    sysctl.register(`net.ipv4.vs.${name}`, {
      read: () => String(cell.value),
      write: (text) => {
        const match = /^\s*(-?\d+)\s*$/.exec(text);
        if (match === null) return "EINVAL";
        const value = Number(match[1]);
        if (value < (min ?? -2147483648) || value > (max ?? 2147483647)) return "EINVAL";
        // The threads of the sync daemon are chosen by a mask.
        if (name === "sync_ports" && (value & (value - 1)) !== 0) return "EINVAL";
        cell.value = value;
        changed();
        return undefined;
      },
    });
  }
  sysctl.register("net.ipv4.vs.sync_threshold", {
    read: () => `${settings.sync_threshold.counter}\t${settings.sync_threshold.period}`,
    write: (text) => {
      // The second number may be left out, and keeps its value then.
      const match = /^\s*(\d+)(?:\s+(\d+))?\s*$/.exec(text);
      if (match === null) return "EINVAL";
      const counter = Number(match[1]);
      const period = match[2] === undefined ? settings.sync_threshold.period : Number(match[2]);
      if (period !== 0 && counter >= period) return "EINVAL";
      settings.sync_threshold.counter = counter;
      settings.sync_threshold.period = period;
      return undefined;
    },
  });
}
