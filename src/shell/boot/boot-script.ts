/**
 * What a machine does when it comes up: settings from sysctl files, interfaces, saved rule sets, enabled services, rc.local. It is a shell
 * script of the commands that init's units run, so that everything goes the way it goes when somebody types it.
 *
 *   sysctl --system ─▶ interfaces (files, else the machine's own) ─▶ iptables, ipvsadm as saved ─▶ enabled services ─▶ rc.local
 *
 * systemd 252 (sysinit.target, network.target, multi-user.target, rc-local.service), initscripts 9.03. What the commands say on the way
 * is in /var/log/boot.log; mistakes in sysctl files are in /var/log/messages, too.
 */

import { formatIpv4Address, type Ipv4Address, type Ipv4Cidr } from "../../base/ipv4-address.ts";
import type { Machine } from "../machine.ts";
import { enabledServices } from "./enabled-services.ts";
import { readNetworkFiles } from "./network-files.ts";

export const BOOT_LOG = "/var/log/boot.log";
/** Directories that are empty after a boot: file systems in memory, and /tmp, which systemd-tmpfiles empties. */
export const VOLATILE_PLACES: readonly string[] = ["/run", "/tmp", "/dev/shm", "/var/run"];
const RC_LOCAL = ["/etc/rc.local", "/etc/rc.d/rc.local"];

/** The configuration that the installer of the machine wrote, for what no file of its own names. */
export interface InstalledNetwork {
  readonly interfaces: readonly { readonly name: string; readonly addresses: readonly Ipv4Cidr[]; readonly mtu: number }[];
  readonly gateway: Ipv4Address | undefined;
  readonly forwards: boolean;
}

function isFile(machine: Machine, path: string): boolean {
  return machine.files.status(path)?.type === "file";
}

/** The script of one boot, from the files as they are now. */
export function bootScript(machine: Machine, network: InstalledNetwork): string {
  const lines = [
    ...(network.forwards ? ["sysctl -q -w net.ipv4.ip_forward=1"] : []),
    // sysctl.conf is last of all; procps reads it by itself.
    `sysctl -q --system 2>&1 | awk '!seen[$0]++' | logger -t systemd-sysctl`,
    ...networkLines(machine, network),
    ...ruleLines(machine),
    ...enabledServices(machine.files).filter((name) => !SAVED_RULES.has(name)).map((name) => `systemctl start ${name}`),
    ...rcLocalLines(machine),
  ];
  return `{\n${lines.join("\n")}\n} > ${BOOT_LOG} 2>&1\n`;
}

function networkLines(machine: Machine, network: InstalledNetwork): string[] {
  const files = readNetworkFiles(machine.files);
  const named = new Set(files.interfaces.map(({ name }) => name));
  const own = network.interfaces
    .filter(({ name }) => !named.has(name))
    .flatMap(({ name, addresses, mtu }) => [
      ...(mtu === 1500 ? [] : [`ip link set ${name} mtu ${mtu}`]),
      ...addresses.map(({ address, prefixLength }) => `ip addr add ${formatIpv4Address(address)}/${prefixLength} brd + dev ${name}`),
      `ip link set ${name} up`,
    ]);
  const fromFiles = files.interfaces.filter(({ isAuto }) => isAuto).flatMap(({ up }) => up);
  const hasGateway = [...fromFiles, ...files.last].some((line) => /^ip route (add|replace) default /.test(line));
  const gateway = network.gateway === undefined || hasGateway ? [] : [`ip route add default via ${formatIpv4Address(network.gateway)}`];
  return [...own, ...fromFiles, ...gateway, ...files.last];
}

/** Services whose start is reading rules back. */
const SAVED_RULES: ReadonlySet<string> = new Set(["iptables", "ipvsadm", "netfilter-persistent", "firewalld"]);

function ruleLines(machine: Machine): string[] {
  const lines: string[] = [];
  for (const path of ["/etc/sysconfig/iptables", "/etc/iptables/rules.v4"]) if (isFile(machine, path)) lines.push(`iptables-restore < ${path}`);
  if (isFile(machine, "/etc/sysconfig/ipvsadm") && enabledServices(machine.files).includes("ipvsadm")) lines.push("ipvsadm-restore < /etc/sysconfig/ipvsadm");
  // Debian's ipvsadm: /etc/default/ipvsadm says whether the rules are read at boot.
  const defaults = isFile(machine, "/etc/default/ipvsadm") ? machine.files.read("/etc/default/ipvsadm") : "";
  if (isFile(machine, "/etc/ipvsadm.rules") && /^\s*AUTO="?true"?/m.test(defaults)) lines.push("ipvsadm-restore < /etc/ipvsadm.rules");
  return lines;
}

/** rc.local runs when it is executable (systemd-rc-local-generator). */
function rcLocalLines(machine: Machine): string[] {
  for (const path of RC_LOCAL) {
    const status = machine.files.status(path);
    if (status?.type === "file") return (status.mode & 0o111) === 0 ? [] : [`bash ${path} start`];
  }
  return [];
}
