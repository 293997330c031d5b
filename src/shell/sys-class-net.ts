/**
 * /sys/class/net: what the kernel tells of each network device, one value a file.
 *
 * Linux v6.1 net/core/net-sysfs.c (netdev_show, carrier_show, speed_show, dormant_show). Not modelled: power, queues, links to devices.
 */

import { formatMacAddress } from "../base/mac-address.ts";
import type { DeviceKind, NetDevice } from "../host/device.ts";
import type { Host } from "../host/host.ts";
import { hasBroadcast, isPointToPoint, operState } from "./commands/ip/ip-link-format.ts";
import { FileError, type FileProvider } from "./file-system.ts";
import { textFiles } from "./proc-machine.ts";

/** ARPHRD_*. */
const HARDWARE_TYPES: Readonly<Record<DeviceKind, number>> = { loopback: 772, ether: 1, dummy: 1, tunnel: 768, gre: 778, gretap: 1, erspan: 1 };

/** Counters that never move here. */
const IDLE_STATISTICS =
  "collisions rx_compressed rx_crc_errors rx_fifo_errors rx_frame_errors rx_length_errors rx_missed_errors rx_nohandler rx_over_errors tx_aborted_errors tx_compressed tx_fifo_errors tx_heartbeat_errors tx_window_errors".split(
    " ",
  );

const WRITABLE = new Set(["mtu", "tx_queue_len", "ifalias", "carrier"]);

function failing(errno: string, path: string): () => string {
  return () => {
    throw new FileError(errno, path);
  };
}

function isTunnel(device: NetDevice): boolean {
  return device.kind === "tunnel" || device.kind === "gre";
}

/** dev->flags: without those that are worked out of the carrier, and promiscuous for a capture too. */
function flagsOf(device: NetDevice): number {
  let flags = 0;
  if (device.isUp) flags |= 0x1;
  if (hasBroadcast(device)) flags |= 0x2;
  if (device.kind === "loopback") flags |= 0x8;
  if (isPointToPoint(device)) flags |= 0x10;
  if (device.isNoArp) flags |= 0x80;
  if (device.isPromiscuous || device.taps.length > 0) flags |= 0x100;
  if (device.isAllMulticast) flags |= 0x200;
  if (device.isMulticast) flags |= 0x1000;
  return flags;
}

function octets(address: number): string {
  return [24, 16, 8, 0].map((shift) => ((address >>> shift) & 255).toString(16).padStart(2, "0")).join(":");
}

/** The device's files by name; what a file holds is read when it is asked for. */
function filesOf(device: NetDevice): (readonly [string, () => string | number])[] {
  const { name, counters, tunnel } = device;
  const invalid = (file: string): (() => string) => failing("EINVAL", `${name}/${file}`);
  /** Only a device that is up has these. */
  const whenUp = (file: string, value: () => string | number): (() => string | number) => (device.isUp ? value : invalid(file));
  const hasSpeed = device.kind === "ether";
  const unsupported = (file: string): readonly [string, () => string] => [file, failing("EOPNOTSUPP", `${name}/${file}`)];
  return [
    ["addr_assign_type", () => (device.kind === "ether" ? 3 : device.kind === "dummy" ? 1 : 0)],
    ["addr_len", () => (isTunnel(device) ? 4 : 6)],
    ["address", () => (isTunnel(device) ? octets(tunnel?.local ?? 0) : formatMacAddress(device.mac))],
    ["broadcast", () => (isTunnel(device) ? octets(tunnel?.remote ?? 0) : device.kind === "loopback" ? "00:00:00:00:00:00" : "ff:ff:ff:ff:ff:ff")],
    ["carrier", whenUp("carrier", () => (device.hasCarrier ? 1 : 0))],
    ["carrier_changes", () => device.carrierUps + device.carrierDowns],
    ["carrier_down_count", () => device.carrierDowns],
    ["carrier_up_count", () => device.carrierUps],
    ["dev_id", () => "0x0"],
    ["dev_port", () => 0],
    ["dormant", whenUp("dormant", () => 0)],
    ["duplex", hasSpeed ? whenUp("duplex", () => "full") : invalid("duplex")],
    ["flags", () => `0x${flagsOf(device).toString(16)}`],
    ["gro_flush_timeout", () => 0],
    ["ifalias", () => device.alias],
    ["ifindex", () => device.index],
    ["iflink", () => (device.lower ?? tunnel?.link)?.index ?? (device.peerIndex !== 0 ? device.peerIndex : tunnel === undefined ? device.index : 0)],
    ["link_mode", () => 0],
    ["mtu", () => device.mtu],
    ["napi_defer_hard_irqs", () => 0],
    ["netdev_group", () => 0],
    ["operstate", () => operState(device).toLowerCase()],
    unsupported("phys_port_id"),
    unsupported("phys_port_name"),
    unsupported("phys_switch_id"),
    ["proto_down", () => 0],
    ["speed", hasSpeed ? whenUp("speed", () => 10000) : invalid("speed")],
    ["testing", whenUp("testing", () => 0)],
    ["threaded", () => 0],
    ["tx_queue_len", () => device.txQueueLength],
    ["type", () => HARDWARE_TYPES[device.kind]],
    ["uevent", () => `INTERFACE=${name}\nIFINDEX=${device.index}`],
    ["statistics/multicast", () => counters.multicast],
    ["statistics/rx_bytes", () => counters.rxBytes],
    ["statistics/rx_packets", () => counters.rxPackets],
    ["statistics/rx_errors", () => counters.rxErrors],
    ["statistics/rx_dropped", () => counters.rxDropped],
    ["statistics/tx_bytes", () => counters.txBytes],
    ["statistics/tx_packets", () => counters.txPackets],
    ["statistics/tx_errors", () => counters.txErrors],
    ["statistics/tx_dropped", () => counters.txDropped],
    ["statistics/tx_carrier_errors", () => counters.txCarrierErrors],
    ...IDLE_STATISTICS.map((file) => [`statistics/${file}`, () => 0] as const),
  ];
}

/** One line, but nothing at all for what is empty. */
function lineOf(value: string | number): string {
  return value === "" ? "" : `${value}\n`;
}

function write(host: Host, path: string, text: string): string | undefined {
  const [name = "", file = ""] = path.split("/");
  const device = host.devices.byName(name);
  if (device === undefined || !WRITABLE.has(file)) return "EACCES";
  // Opening it writes nothing.
  if (text === "") return undefined;
  if (file === "carrier") return "EOPNOTSUPP";
  if (file === "ifalias") {
    host.devices.setFlags(device, { alias: text.replace(/\n$/, "") });
    return undefined;
  }
  const match = /^(\d+)\n?$/.exec(text);
  if (match === null) return "EINVAL";
  const value = Number(match[1]);
  if (file === "mtu") return host.devices.setMtu(device, value);
  host.devices.setFlags(device, { txQueueLength: value });
  return undefined;
}

export function deviceFiles(host: Host): FileProvider {
  const files = textFiles(() => {
    const all = new Map<string, () => string>();
    for (const device of host.devices.list) for (const [file, value] of filesOf(device)) all.set(`${device.name}/${file}`, () => lineOf(value()));
    return all;
  });
  return {
    ...files,
    status(path) {
      const status = files.status(path);
      return status?.type === "file" && WRITABLE.has(path.split("/")[1] ?? "") ? { ...status, mode: 0o644 } : status;
    },
    write: (path, text) => write(host, path, text),
  };
}
