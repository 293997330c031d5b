/**
 * A pair of directors under keepalived: VRRP v3 with short intervals moves the VIP, TCP checks keep the table, the sync daemon tells of connections.
 */

import fc from "fast-check";
import { type DirectorPair, SERVERS, VIP } from "./random-faults.ts";

export const keepalivedOptions = fc.record({
  /** Seconds. */
  advertInterval: fc.constantFrom(0.2, 0.5),
  isNoPreempt: fc.boolean(),
  /** Seconds; 0: none. */
  garpRefresh: fc.constantFrom(0, 2),
  syncThreshold: fc.constantFrom("3 50", "1 2", "2 10"),
});

export type KeepalivedOptions = typeof keepalivedOptions extends fc.Arbitrary<infer T> ? T : never;

export function byKeepalived(options: KeepalivedOptions): DirectorPair {
  const threshold = `sysctl -q -w net.ipv4.vs.sync_threshold='${options.syncThreshold}'`;
  return {
    name: "under keepalived",
    hasDaemons: true,
    files: (director) => ({ "/etc/keepalived/keepalived.conf": configOf(options, director === "d1" ? 150 : 100), "/etc/rc.local": `modprobe ip_vs\n${threshold}\n` }),
    run: () => ["modprobe ip_vs", threshold, "systemctl enable keepalived", "service keepalived start"],
  };
}

function configOf({ advertInterval, isNoPreempt, garpRefresh }: KeepalivedOptions, priority: number): string {
  return [
    "global_defs {",
    "    lvs_sync_daemon eth0 V id 7",
    "}",
    "vrrp_instance V {",
    "    state BACKUP",
    "    interface eth0",
    "    virtual_router_id 51",
    "    version 3",
    `    priority ${priority}`,
    `    advert_int ${advertInterval}`,
    ...(isNoPreempt ? ["    nopreempt"] : []),
    "    garp_master_delay 1",
    ...(garpRefresh > 0 ? [`    garp_master_refresh ${garpRefresh}`] : []),
    "    virtual_ipaddress {",
    `        ${VIP}/32`,
    "    }",
    "}",
    `virtual_server ${VIP} 80 {`,
    "    delay_loop 1",
    "    lb_algo wlc",
    "    lb_kind DR",
    "    protocol TCP",
    "    warmup 0.3",
    ...SERVERS.flatMap((_, i) => [
      `    real_server 10.0.0.${11 + i} 80 {`,
      "        TCP_CHECK {",
      "            connect_timeout 0.5",
      "            retry 1",
      "            delay_before_retry 0.5",
      "        }",
      "    }",
    ]),
    "}",
    "",
  ].join("\n");
}
