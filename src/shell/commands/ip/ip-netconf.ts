/**
 * ip netconf show: the settings of interfaces that rtnetlink tells of.
 *
 * iproute2 6.1 ip/ipnetconf.c (print_netconf, do_show). IPv6 is off, so that its rows never change.
 */

import type { Ipv4Conf } from "../../../host/ipv4-conf.ts";
import { writeJson } from "./ip-link-format.ts";
import { Arguments, chosenOf, findDevice, IpExit, type IpSession, type Json } from "./ip-output.ts";

const HELP = "Usage: ip netconf show [ dev STRING ]\n";
const RP_FILTERS = ["off", "strict", "loose"];

interface Row {
  readonly family: "inet" | "inet6";
  readonly interface: string;
  readonly forwarding: boolean;
  readonly rp_filter?: string;
  readonly mc_forwarding?: boolean;
  readonly proxy_neigh: boolean;
  readonly ignore_routes_with_linkdown: boolean;
}

export function runIpNetconf(session: IpSession, words: readonly string[]): number {
  const [verb = "show", ...rest] = words;
  const chosen = chosenOf(verb, ["show", "list", "lst", "help"]);
  if (chosen === "help") {
    session.err(HELP);
    return 255;
  }
  if (chosen === undefined) throw new IpExit(255, `Command "${verb}" is unknown, try "ip netconf help".\n`);
  const args = new Arguments(rest);
  let name: string | undefined;
  // Other words it passes over.
  while (!args.isAtEnd) if (args.take() === "dev") name = args.take();
  if (name !== undefined && findDevice(session, name) === undefined) throw new IpExit(1, `Device "${name}" does not exist.\n`);
  const rows = allRows(session).filter((row) => name === undefined || row.interface === name);
  if (session.flags.isJson) writeJson(session, rows as readonly object[] as readonly Json[]);
  else for (const row of rows) session.out(formatRow(row));
  return 0;
}

function formatRow({ family, interface: name, ...settings }: Row): string {
  const words = Object.entries(settings).map(([key, value]) => `${key} ${typeof value === "boolean" ? (value ? "on" : "off") : value} `);
  return `${family} ${name} ${words.join("")}\n`;
}

function allRows(session: IpSession): Row[] {
  const { host, flags } = session;
  const devices = [...host.devices.list].sort((a, b) => a.index - b.index);
  const rows: Row[] = [];
  const inet = (name: string, conf: Ipv4Conf): Row => ({
    family: "inet",
    interface: name,
    forwarding: conf.forwarding !== 0,
    rp_filter: RP_FILTERS[conf.rp_filter] ?? "off",
    mc_forwarding: false,
    proxy_neigh: conf.proxy_arp !== 0,
    ignore_routes_with_linkdown: conf.ignore_routes_with_linkdown !== 0,
  });
  if (flags.family === undefined || flags.family === "inet") {
    for (const device of devices) rows.push(inet(device.name, device.conf));
    rows.push(inet("all", host.sysctl.all), inet("default", host.sysctl.default));
  }
  if (flags.family === undefined || flags.family === "inet6") {
    // Tunnels know IPv6 only once they have been up.
    const known = devices.filter((device) => (device.kind !== "tunnel" && device.kind !== "gre") || device.hasBeenUp);
    for (const name of [...known.map((device) => device.name), "all", "default"])
      rows.push({ family: "inet6", interface: name, forwarding: false, proxy_neigh: false, ignore_routes_with_linkdown: false });
  }
  return rows;
}
