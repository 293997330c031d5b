/**
 * The tables of a host as rows: what `ip`, `sysctl`, `conntrack` and `ss` list. Reading changes nothing.
 *
 * Tables of iptables and IPVS are registered by iptables.ts and ip-virtual-server.ts.
 */

import { formatIpv4Address, type Ipv4Address } from "../base/ipv4-address.ts";
import { formatMacAddress } from "../base/mac-address.ts";
import type { AddressRow, LinkRow, NeighbourRow, RouteRow, Row, RuleRow, SocketRow, SysctlRow } from "../trace/rows.ts";
import type { TableReader } from "../trace/table-set.ts";
import { type InterfaceAddress, type NetDevice, SCOPE_GLOBAL, SCOPE_HOST, SCOPE_LINK } from "./device.ts";
import { FibRoute } from "./fib-table.ts";
import type { Host, Neighbour, SocketOwner, TcpListener, TcpSocket, UdpSocket } from "./host.ts";
import type { FibEntry, FibRule } from "./route.ts";

const ALL_TABLES = 0;
const NO_ONE = "0.0.0.0:*";

/** Something in a table has changed; costs a comparison when nobody follows tables. */
export function touchRow(host: Host, table: "sockets" | "neighbours" | "conntrack" | "links" | "addresses" | "routes" | "rules" | "sysctls", object: object): void {
  if (host.trace.hasTables) host.tables.touch(table, object);
}

export function registerHostTables(host: Host): void {
  const { tables } = host;
  tables.register("links", linkReader(host));
  tables.register("addresses", addressReader(host));
  tables.register<FibEntry>("routes", { objects: () => host.fib.entries(ALL_TABLES), rowOf: routeRow });
  tables.register<FibRule>("rules", { objects: () => host.fib.rules, rowOf: ruleRow });
  tables.register("neighbours", neighbourReader(host));
  tables.register("sysctls", sysctlReader(host));
  tables.register("sockets", socketReader(host));
}

/* ----------------------------------------------------------------------------------------------------- devices, addresses */

function linkReader(host: Host): TableReader<NetDevice> {
  return {
    objects: () => host.devices.list,
    keyOf: (device) => String(device.index),
    rowOf: (device) => (host.devices.byIndex(device.index) === device ? linkRow(device) : undefined),
  };
}

function linkRow(device: NetDevice): LinkRow {
  return {
    index: device.index,
    name: device.name,
    kind: device.kind,
    mac: device.kind === "ether" || device.kind === "dummy" ? formatMacAddress(device.mac) : null,
    mtu: device.mtu,
    isUp: device.isUp,
    hasCarrier: device.hasCarrier,
    isNoArp: device.isNoArp,
    isPromiscuous: device.isPromiscuous,
    txQueueLength: device.txQueueLength,
    tunnel: describeTunnel(device),
  };
}

function describeTunnel({ tunnel }: NetDevice): string | null {
  if (tunnel === undefined) return null;
  const { mode, remote, local, ttl, key } = tunnel;
  return `${mode} remote ${addressOr(remote, "any")} local ${addressOr(local, "any")} ttl ${ttl === 0 ? "inherit" : ttl}${key === undefined ? "" : ` key ${key}`}`;
}

interface OwnedAddress {
  readonly device: NetDevice;
  readonly address: InterfaceAddress;
}

function addressReader(host: Host): TableReader<OwnedAddress> {
  return {
    objects: () => host.devices.list.flatMap((device) => device.addresses.map((address) => ({ device, address }))),
    rowOf: ({ device, address }): AddressRow => ({
      device: device.name,
      address: formatIpv4Address(address.address),
      prefixLength: address.prefixLength,
      peer: address.peer === address.address ? null : formatIpv4Address(address.peer),
      broadcast: addressOrNull(address.broadcast),
      scope: scopeText(address.scope),
      label: address.label,
      isSecondary: address.isSecondary,
    }),
  };
}

/* ----------------------------------------------------------------------------------------------------------------- routes */

function routeRow(entry: FibEntry): RouteRow {
  const isDead = entry instanceof FibRoute && entry.hops.some((hop) => hop.isDead);
  const hops = entry.nextHops.map((hop) => `via ${formatIpv4Address(hop.gateway)} dev ${hop.device.name} weight ${hop.weight}`);
  return {
    table: entry.table,
    type: entry.type,
    destination: entry.prefixLength === 0 ? "default" : prefixText(entry),
    via: addressOrNull(entry.gateway),
    device: entry.device?.name ?? null,
    source: addressOrNull(entry.preferredSource),
    metric: entry.priority,
    scope: scopeText(entry.scope),
    protocol: entry.protocol,
    tos: entry.tos,
    mtu: entry.mtu,
    isDead,
    isLinkDown: entry.isLinkDown,
    isOnlink: entry.isOnlink,
    nextHops: hops.length === 0 ? null : hops.join(", "),
  };
}

function ruleRow(rule: FibRule): RuleRow {
  const parts = [`from ${prefixText(rule.from)}`];
  if (rule.isInverted) parts.unshift("not");
  if (rule.to.prefixLength > 0) parts.push(`to ${prefixText(rule.to)}`);
  if (rule.tos !== 0) parts.push(`tos 0x${rule.tos.toString(16)}`);
  if (rule.mark !== 0 || rule.markMask !== 0) parts.push(`fwmark 0x${rule.mark.toString(16)}/0x${rule.markMask.toString(16)}`);
  if (rule.inputDevice !== "") parts.push(`iif ${rule.inputDevice}`);
  if (rule.outputDevice !== "") parts.push(`oif ${rule.outputDevice}`);
  if (rule.suppressPrefixLength !== undefined) parts.push(`suppress_prefixlength ${rule.suppressPrefixLength}`);
  const action = rule.target === undefined ? rule.action : `${rule.action} ${rule.target}`;
  return { priority: rule.priority, selector: parts.join(" "), action, table: rule.table };
}

function prefixText({ network, prefixLength }: { readonly network: Ipv4Address; readonly prefixLength: number }): string {
  if (prefixLength === 0) return "all";
  return prefixLength === 32 ? formatIpv4Address(network) : `${formatIpv4Address(network)}/${prefixLength}`;
}

/* ------------------------------------------------------------------------------------------------------------- neighbours */

function neighbourReader(host: Host): TableReader<Neighbour> {
  const isThere = (entry: Neighbour) =>
    entry.isProxy ? host.neighbours.hasProxy(entry.device, entry.address) : host.neighbours.lookup(entry.device, entry.address) === entry;
  return {
    objects: () => host.neighbours.list,
    keyOf: (entry) => `${entry.device.index} ${formatIpv4Address(entry.address)}${entry.isProxy ? " proxy" : ""}`,
    rowOf: (entry): NeighbourRow | undefined =>
      isThere(entry)
        ? {
            device: entry.device.name,
            address: formatIpv4Address(entry.address),
            mac: entry.mac === 0 ? null : formatMacAddress(entry.mac),
            state: entry.state,
            isProxy: entry.isProxy,
          }
        : undefined,
  };
}

/* ---------------------------------------------------------------------------------------------------------------- sysctls */

/** One object for each key that a host ever had. */
function sysctlReader(host: Host): TableReader<{ readonly key: string }> {
  const { sysctl } = host;
  const settings = new Map<string, { readonly key: string }>();
  const settingOf = (key: string) => {
    const known = settings.get(key) ?? { key };
    settings.set(key, known);
    return known;
  };
  const isShown = (key: string) => key.startsWith("net.") && !key.startsWith("net.ipv6.") && ((sysctl.leaf(key)?.mode ?? 0o644) & 0o200) !== 0;
  return {
    objects: () => sysctl.keys().filter(isShown).map(settingOf),
    keyOf: ({ key }) => key,
    rowOf: ({ key }): SysctlRow | undefined => {
      const value = sysctl.read(key);
      return value === undefined ? undefined : { value };
    },
  };
}

/* ---------------------------------------------------------------------------------------------------------------- sockets */

type AnySocket = TcpSocket | TcpListener | UdpSocket;

function socketReader(host: Host): TableReader<AnySocket> {
  return {
    *objects() {
      yield* host.tcp.listeners;
      yield* host.tcp.sockets;
      yield* host.udp.sockets;
    },
    keyOf: socketKey,
    rowOf: socketRow,
    changing: (socket): Row | undefined => {
      if (!socket.isListed) return undefined;
      if ("backlog" in socket) return { receiveQueue: socket.acceptQueueLength };
      return "state" in socket ? { state: socket.state, receiveQueue: socket.receiveQueueBytes, sendQueue: socket.sendQueueBytes } : socketRow(socket);
    },
  };
}

/** UDP sockets may share a port: who holds them tells them apart. */
function socketKey(socket: AnySocket): string {
  const local = formatEnd(socket.localAddress, socket.localPort);
  if ("backlog" in socket) return `tcp ${local} *`;
  if ("state" in socket) return `tcp ${local} ${formatEnd(socket.remoteAddress, socket.remotePort)}`;
  return `udp ${socket.localPort} ${socket.owner === undefined ? "" : `${socket.owner.pid}/${socket.owner.fd}`} ${socket.device?.index ?? 0}`;
}

function socketRow(socket: AnySocket): SocketRow | undefined {
  if (!socket.isListed) return undefined;
  const local = formatEnd(socket.localAddress, socket.localPort);
  const process = ownerText(socket.owner);
  if ("backlog" in socket)
    return { protocol: "tcp", state: "LISTEN", local, remote: NO_ONE, receiveQueue: socket.acceptQueueLength, sendQueue: socket.backlog, process };
  const remote = socket.remotePort === 0 ? NO_ONE : formatEnd(socket.remoteAddress, socket.remotePort);
  if ("state" in socket)
    return { protocol: "tcp", state: socket.state, local, remote, receiveQueue: socket.receiveQueueBytes, sendQueue: socket.sendQueueBytes, process };
  return { protocol: "udp", state: socket.remotePort === 0 ? "UNCONN" : "ESTABLISHED", local, remote, receiveQueue: 0, sendQueue: 0, process };
}

function ownerText(owner: SocketOwner | undefined): string | null {
  return owner === undefined ? null : `${owner.name}[${owner.pid}]`;
}

/* ------------------------------------------------------------------------------------------------------------------ texts */

/** `10.0.0.9:4001`. */
export function formatEnd(address: Ipv4Address, port: number): string {
  return `${formatIpv4Address(address)}:${port}`;
}

function addressOr(address: Ipv4Address, other: string): string {
  return address === 0 ? other : formatIpv4Address(address);
}

function addressOrNull(address: Ipv4Address): string | null {
  return address === 0 ? null : formatIpv4Address(address);
}

function scopeText(scope: number): string {
  return scope === SCOPE_GLOBAL ? "global" : scope === SCOPE_LINK ? "link" : scope === SCOPE_HOST ? "host" : String(scope);
}
