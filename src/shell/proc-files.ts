/**
 * /proc/net: what each subsystem shows there, by file name.
 */

import { formatIpv4Address } from "../base/ipv4-address.ts";
import { formatMacAddress } from "../base/mac-address.ts";
import type { Host, NeighbourState } from "../host/host.ts";
import type { Machine } from "./machine.ts";
import { readProcConntrack } from "./proc-conntrack.ts";
import { ipvsProcFiles } from "./proc-ipvs.ts";
import { networkProcFiles } from "./proc-network.ts";
import { PROC_NET_SOCKET_FILES } from "./proc-sockets.ts";

export function networkFiles(machine: Machine): ReadonlyMap<string, () => string> {
  const { host } = machine;
  const files = new Map<string, () => string>([...networkProcFiles(host), ...ipvsProcFiles(host, machine.ipvs)]);
  for (const [name, read] of Object.entries(PROC_NET_SOCKET_FILES)) files.set(name, () => read(host));
  files.set("arp", () => formatArp(host));
  files.set("nf_conntrack", () => readProcConntrack(host.conntrack as Parameters<typeof readProcConntrack>[0], host.loop.nowNs));
  return files;
}

/** ATF_COM and ATF_PERM of include/uapi/linux/if_arp.h; net/ipv4/arp.c:arp_format_neigh_entry. */
const ARP_FLAGS: Readonly<Partial<Record<NeighbourState, number>>> = { REACHABLE: 2, STALE: 2, DELAY: 2, PROBE: 2, PERMANENT: 6, NOARP: 2 };

function formatArp(host: Host): string {
  const rows = host.neighbours.list
    .filter((entry) => entry.state !== "NOARP" || entry.isProxy)
    .map((entry) => {
      const flags = entry.isProxy ? 0xc : (ARP_FLAGS[entry.state] ?? 0);
      return `${formatIpv4Address(entry.address).padEnd(16)} 0x${"1".padEnd(10)}0x${flags.toString(16).padEnd(10)}${formatMacAddress(entry.mac)}     *        ${entry.device.name}\n`;
    });
  return `IP address       HW type     Flags       HW address            Mask     Device\n${rows.join("")}`;
}
