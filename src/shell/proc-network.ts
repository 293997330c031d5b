/**
 * /proc/sys, and of /proc/net what tells about devices and routes.
 *
 * Linux v6.1 fs/proc/proc_sysctl.c, net/core/net-procfs.c (dev_seq_show), net/ipv4/fib_trie.c (fib_route_seq_show).
 */

import type { Host, Sysctl } from "../host/host.ts";
import { TABLE_MAIN } from "../host/route.ts";
import { hexBytes, membershipsOf } from "./memberships.ts";
import { FileError, type FileProvider } from "./file-system.ts";

/** Turns `net/ipv4/conf/eth0.5/rp_filter` into a key and back: dots and slashes change places. */
function swap(text: string): string {
  return text.replace(/[./]/g, (c) => (c === "." ? "/" : "."));
}

/** The files below /proc/sys. The owner is root, and the modes bind root too. */
export function sysctlFiles(sysctl: Sysctl): FileProvider {
  const isFolder = (path: string): boolean => path === "" || sysctl.isFolder(`${swap(path)}.`);
  return {
    status(path) {
      const leaf = sysctl.leaf(swap(path));
      if (leaf !== undefined) return { type: "file", mode: leaf.mode ?? 0o644 };
      return isFolder(path) ? { type: "directory", mode: 0o555 } : undefined;
    },
    list(path) {
      const prefix = path === "" ? "" : `${swap(path)}.`;
      const names = new Set<string>();
      for (const key of sysctl.keys()) if (key.startsWith(prefix)) names.add(swap(key.slice(prefix.length)).split("/")[0] as string);
      return [...names].sort();
    },
    read(path) {
      const leaf = sysctl.leaf(swap(path));
      if (leaf === undefined) throw new FileError(isFolder(path) ? "EISDIR" : "ENOENT", `/proc/sys/${path}`);
      if (((leaf.mode ?? 0o644) & 0o400) === 0) throw new FileError("EACCES", `/proc/sys/${path}`);
      return `${leaf.read()}\n`;
    },
    write(path, text) {
      if (sysctl.leaf(swap(path)) === undefined) return isFolder(path) ? "EISDIR" : "EACCES";
      // A redirection that writes nothing changes nothing.
      return text === "" ? undefined : sysctl.write(swap(path), text);
    },
  };
}

/** File name below /proc/net -> its text now. There is no if_inet6: IPv6 has no addresses. */
export function networkProcFiles(host: Host): ReadonlyMap<string, () => string> {
  return new Map([
    ["dev", () => formatDevices(host)],
    ["igmp", () => formatGroups(host)],
    ["dev_mcast", () => formatLinkGroups(host)],
    ["route", () => formatRoutes(host)],
  ]);
}

/** net/ipv4/igmp.c:igmp_mc_seq_show. Version 3 runs no timers of single groups. */
function formatGroups(host: Host): string {
  let text = "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n";
  for (const device of [...host.devices.list].sort((a, b) => a.index - b.index)) {
    const groups = host.multicast.groups(device);
    if (groups.length > 0) text += `${device.index}\t${device.name.padEnd(10)}: ${String(groups.length).padStart(5)} ${"V3".padStart(7)}\n`;
    for (const { group, users } of groups) {
      // The address is printed as the number that its bytes are on this machine.
      const swapped = ((group & 0xff) << 24) | ((group & 0xff00) << 8) | ((group >>> 8) & 0xff00) | (group >>> 24);
      text += `\t\t\t\t${(swapped >>> 0).toString(16).toUpperCase().padStart(8, "0")} ${String(users).padStart(5)} 0:00000000\t\t0\n`;
    }
  }
  return text;
}

/** net/core/net-procfs.c:dev_mc_seq_show */
function formatLinkGroups(host: Host): string {
  let text = "";
  for (const device of [...host.devices.list].sort((a, b) => a.index - b.index))
    for (const { bytes, users } of membershipsOf(host, device).link)
      text += `${String(device.index).padEnd(4)} ${device.name.padEnd(15)} ${String(users).padEnd(5)} ${"0".padEnd(5)} ${hexBytes(bytes, "")}\n`;
  return text;
}

function formatDevices(host: Host): string {
  const head =
    "Inter-|   Receive                                                |  Transmit\n" +
    " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n";
  const rows = [...host.devices.list]
    .sort((a, b) => a.index - b.index)
    .map((device) => {
      const c = device.counters;
      const pad = (value: number, width: number): string => String(value).padStart(width);
      const receive = `${pad(c.rxBytes, 7)} ${pad(c.rxPackets, 7)} ${pad(c.rxErrors, 4)} ${pad(c.rxDropped, 4)} ${pad(0, 4)} ${pad(0, 5)} ${pad(0, 10)} ${pad(c.multicast, 9)}`;
      const transmit = `${pad(c.txBytes, 8)} ${pad(c.txPackets, 7)} ${pad(c.txErrors, 4)} ${pad(c.txDropped, 4)} ${pad(0, 4)} ${pad(0, 5)} ${pad(c.txCarrierErrors, 7)} ${pad(0, 10)}`;
      return `${device.name.padStart(6)}: ${receive} ${transmit}\n`;
    });
  return head + rows.join("");
}

const RTF_UP = 0x1;
const RTF_GATEWAY = 0x2;
const RTF_HOST = 0x4;
const RTF_REJECT = 0x200;

/** One row of /proc/net/route: what route(8) and netstat -r read. */
export interface RouteRow {
  readonly device: string;
  readonly destination: number;
  readonly gateway: number;
  readonly mask: number;
  readonly flags: number;
  readonly metric: number;
  readonly mss: number;
}

export function routeRows(host: Host): RouteRow[] {
  const rows: RouteRow[] = [];
  for (const entry of host.fib.entries(TABLE_MAIN)) {
    if (entry.type === "broadcast" || entry.type === "multicast") continue;
    const isReject = entry.type === "unreachable" || entry.type === "prohibit";
    const flags = RTF_UP | (entry.gateway !== 0 ? RTF_GATEWAY : 0) | (entry.prefixLength === 32 ? RTF_HOST : 0) | (isReject ? RTF_REJECT : 0);
    rows.push({
      device: entry.device?.name ?? "*",
      destination: entry.network,
      gateway: entry.gateway,
      mask: entry.prefixLength === 0 ? 0 : (0xffffffff << (32 - entry.prefixLength)) >>> 0,
      flags,
      metric: entry.priority,
      mss: entry.advmss === 0 ? 0 : entry.advmss + 40,
    });
  }
  return rows;
}

/** As a little-endian machine prints an address: its bytes backwards. */
function backwards(address: number): string {
  const bytes = [address & 255, (address >>> 8) & 255, (address >>> 16) & 255, address >>> 24];
  return bytes.map((byte) => byte.toString(16).toUpperCase().padStart(2, "0")).join("");
}

function formatRoutes(host: Host): string {
  const rows = routeRows(host).map((row) => {
    const flags = row.flags.toString(16).toUpperCase().padStart(4, "0");
    return `${row.device}\t${backwards(row.destination)}\t${backwards(row.gateway)}\t${flags}\t0\t0\t${row.metric}\t${backwards(row.mask)}\t${row.mss}\t0\t0`;
  });
  const head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT";
  return [head, ...rows].map((line) => `${line.padEnd(127)}\n`).join("");
}
