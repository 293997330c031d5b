/**
 * ipvsadm's command line: what the words mean and which of them go together.
 *
 * ipvsadm 1.31 ipvsadm.c (parse_options, generic_opt_check, process_options). Errors carry the text and status of the real program.
 */

import { type Ipv4Address, isMulticast, parseIpv4Address } from "../../../base/ipv4-address.ts";
import type { DestSpec, ForwardingMethod, ServiceKey, ServiceSpec, SyncDaemonSpec, TunnelOptions } from "../../../ipvs/ipvs.ts";
import { PROTOCOL_SCTP, PROTOCOL_TCP, PROTOCOL_UDP } from "../../../wire/packet.ts";
import { parseLooseAddress } from "../../names.ts";
import { type NameService, splitHostPort } from "./names.ts";
import { type FoundOption, OptionReader, UsageError } from "./option-reader.ts";

export type CommandName =
  | "add-service" | "edit-service" | "delete-service" | "flush" | "list" | "add-server" | "delete-server" | "edit-server"
  | "set" | "start-daemon" | "stop-daemon" | "restore" | "save" | "zero" | "help" | "version";

/** In the order in which conflicts are looked for. */
const OPTION_NAMES = [
  "numeric", "connection", "service-address", "scheduler", "persistent", "netmask", "real-server", "forwarding-method", "weight", "u-threshold", "l-threshold",
  "mcast-interface", "timeout", "daemon", "stats", "rate", "thresholds", "persistent-conn", "nosort", "syncid", "exact", "ops", "pe", "sched-flags", "mcast-group",
  "mcast-port", "mcast-ttl", "sync-maxlen", "tun-info", "tun-type", "tun-port", "tun-nocsum", "tun-csum", "tun-remcsum",
] as const;
type OptionName = (typeof OPTION_NAMES)[number];

interface Rules {
  readonly required?: readonly OptionName[];
  readonly allowed?: readonly OptionName[];
  /** At most one of these. */
  readonly exclusive?: readonly OptionName[];
}

const TUNNEL: readonly OptionName[] = ["tun-type", "tun-port", "tun-nocsum", "tun-csum", "tun-remcsum"];
const SERVICE_RULES: Rules = { required: ["service-address"], allowed: ["scheduler", "persistent", "netmask", "ops", "pe", "sched-flags"] };
const SERVER_RULES: Rules = { required: ["service-address", "real-server"], allowed: ["forwarding-method", "weight", "u-threshold", "l-threshold", ...TUNNEL] };

const RULES: Readonly<Record<CommandName, Rules>> = {
  "add-service": SERVICE_RULES,
  "edit-service": SERVICE_RULES,
  "delete-service": { required: ["service-address"] },
  flush: {},
  list: {
    allowed: ["numeric", "stats", "rate", "thresholds", "persistent-conn", "nosort", "exact", "tun-info"],
    exclusive: ["connection", "service-address", "timeout", "daemon"],
  },
  "add-server": SERVER_RULES,
  "delete-server": { required: ["service-address", "real-server"] },
  "edit-server": SERVER_RULES,
  set: {},
  "start-daemon": { allowed: ["mcast-interface", "syncid", "mcast-group", "mcast-port", "mcast-ttl", "sync-maxlen"] },
  "stop-daemon": { allowed: ["syncid"] },
  restore: {},
  save: { allowed: ["numeric"] },
  zero: { allowed: ["service-address"] },
  help: {},
  version: {},
};

/** Everything that one call says. */
export interface ParsedCommand {
  readonly command: CommandName;
  readonly options: ReadonlySet<OptionName>;
  readonly service: ServiceKey | undefined;
  readonly serviceSpec: ServiceSpec | undefined;
  readonly dest: DestSpec | undefined;
  readonly timeouts: readonly [number, number, number] | undefined;
  readonly role: "master" | "backup" | undefined;
  readonly daemon: SyncDaemonSpec;
}

const TIMEOUT_MAX = 86400 * 31;
const THRESHOLD_MAX = 2147483647;
const DEFAULT_PERSISTENCE_SECONDS = 360;
const SCHEDULER_FLAGS: Readonly<Record<string, string>> = { "sh-fallback": "sh", "sh-port": "sh", "mh-fallback": "mh", "mh-port": "mh", "flag-1": "", "flag-2": "", "flag-3": "" };

/** Collects option values while they are read. */
class Collector {
  readonly seen = new Set<OptionName>();
  service: ServiceKey | undefined = undefined;
  scheduler = "";
  schedulerFlags = "";
  persistenceSeconds: number | undefined = undefined;
  netmask = 0xffffffff;
  engine = "";
  destAddress: Ipv4Address = 0;
  destPort = 0;
  method: ForwardingMethod = "route";
  weight = 1;
  upper = 0;
  lower = 0;
  tunnelType: TunnelOptions["type"] = "ipip";
  tunnelPort = 0;
  checksum: TunnelOptions["checksum"] = "none";
  daemon = { device: "", syncId: 0, maxLength: 0, group: parseIpv4Address("224.0.0.81") ?? 0, port: 8848, ttl: 1 };

  mark(name: OptionName): void {
    if (this.seen.has(name)) throw new UsageError(`multiple '${name}' options specified`, 2);
    this.seen.add(name);
  }
}

/** Parses argv without argv[0]; throws UsageError. */
export function parseCommand(args: readonly string[], names: NameService, flagsOf: (scheduler: string) => readonly string[]): ParsedCommand {
  const reader = new OptionReader(args);
  const first = reader.next();
  const command = first === undefined ? "list" : commandOf(first);
  let timeouts: readonly [number, number, number] | undefined;
  let role: "master" | "backup" | undefined;
  if (command === "set") timeouts = readTimeouts(first?.value, reader);
  if (command === "start-daemon" || command === "stop-daemon") {
    if (first?.value !== "master" && first?.value !== "backup") throw new UsageError(`illegal ${command} parameter specified`, 2);
    role = first.value;
  }
  const collected = new Collector();
  for (let option = reader.next(); option !== undefined; option = reader.next()) readOption(collected, option, names);
  const [extra] = reader.rest;
  if (extra !== undefined) throw new UsageError(`unexpected argument ${extra}`, 2);
  checkCombination(command, collected.seen);
  return {
    command,
    options: collected.seen,
    service: collected.service,
    serviceSpec: command === "add-service" || command === "edit-service" ? serviceSpecOf(collected, flagsOf) : undefined,
    dest: collected.seen.has("real-server") ? destSpecOf(command, collected) : undefined,
    timeouts,
    role,
    daemon: { ...collected.daemon, device: collected.daemon.device === "" ? "eth0" : collected.daemon.device },
  };
}

function commandOf(option: FoundOption): CommandName {
  if (option.command === undefined) throw new UsageError("Try `ipvsadm -h' or 'ipvsadm --help' for more information.", 255);
  return option.command;
}

function parseGroup(text: string): number {
  const group = parseIpv4Address(text);
  if (group === undefined || !isMulticast(group)) throw new UsageError(`invalid IPv4 mcast-group \`${text}'`, 2);
  return group;
}

function readTimeouts(firstValue: string | undefined, reader: OptionReader): readonly [number, number, number] {
  const values = [firstValue, reader.word(), reader.word()];
  return values.map((value, i) => {
    if (value === undefined) throw new UsageError("--set option requires 3 timeout values", 2);
    // popt takes a word with a dash for an option before anybody asks whether it is a number.
    if (i === 0 && /^-./.test(value)) throw new UsageError(`${value}: unknown option`, 255, true);
    return readTimeout(value, 0);
  }) as unknown as readonly [number, number, number];
}

function readTimeout(text: string, min: number): number {
  const value = readNumber(text, min, TIMEOUT_MAX);
  if (value === undefined) throw new UsageError(`invalid timeout value \`${text}' specified`, 2);
  return value;
}

/** Decimal, hexadecimal or octal as strtol reads them; undefined when it is none or out of bounds. */
function readNumber(text: string, min: number, max: number): number | undefined {
  const match = /^\s*([+-]?)(0[xX][0-9a-fA-F]+|0[0-7]*|[1-9]\d*)$/.exec(text);
  if (match === null) return undefined;
  const digits = match[2] as string;
  const magnitude = /^0[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : Number(digits);
  const value = match[1] === "-" ? -magnitude : magnitude;
  return value >= min && value <= max ? value : undefined;
}

function illegal(what: string): never {
  throw new UsageError(`illegal ${what} specified`, 2);
}

function readOption(to: Collector, option: FoundOption, names: NameService): void {
  const value = option.value ?? "";
  switch (option.name) {
    case "tcp-service":
    case "udp-service":
    case "sctp-service":
      to.mark("service-address");
      to.service = readService(option.name, value, names);
      return;
    case "fwmark-service": {
      to.mark("service-address");
      const mark = readNumber(value, 1, 0xffffffff);
      if (mark === undefined) throw new UsageError(`invalid fwmark value \`${value}' specified`, 2);
      to.service = { kind: "fwmark", mark };
      return;
    }
    case "ipv6":
      if (to.service?.kind !== "fwmark") throw new UsageError("-6 used before -f\n", 2);
      throw new UsageError("lvsim: IPv6 services are not simulated", 2);
    case "real-server":
      to.mark("real-server");
      readServer(to, value, names);
      return;
    case "persistent":
      to.mark("persistent");
      to.persistenceSeconds = option.value === undefined ? DEFAULT_PERSISTENCE_SECONDS : readTimeout(value, 1);
      return;
    case "netmask": {
      to.mark("netmask");
      const mask = parseLooseAddress(value) ?? names.address(value);
      if (mask === undefined) illegal("virtual server persistent mask");
      to.netmask = mask;
      return;
    }
    case "gatewaying":
      to.mark("forwarding-method");
      to.method = "route";
      return;
    case "masquerading":
      to.mark("forwarding-method");
      to.method = "masq";
      return;
    case "ipip":
      to.mark("forwarding-method");
      to.method = "tunnel";
      return;
    case "help":
    case "version":
      throw new UsageError(`invalid option \`${option.spelling}'`, 2);
    default:
      if (option.command !== undefined) throw new UsageError(`invalid option \`${option.spelling}'`, 2);
      readValue(to, option.name, value);
  }
}

/** Options that only store a checked value. */
function readValue(to: Collector, name: string, value: string): void {
  const number = (min: number, max: number, what: string) => readNumber(value, min, max) ?? illegal(what);
  switch (name) {
    case "sort":
      return;
    case "scheduler":
      to.mark("scheduler");
      to.scheduler = value;
      return;
    case "sched-flags":
      to.mark("sched-flags");
      to.schedulerFlags = value;
      return;
    case "pe":
      to.mark("pe");
      to.engine = value;
      return;
    case "weight":
      to.mark("weight");
      to.weight = number(0, 2147483647, "weight");
      return;
    case "u-threshold":
      to.mark("u-threshold");
      to.upper = number(0, THRESHOLD_MAX, "u_threshold");
      return;
    case "l-threshold":
      to.mark("l-threshold");
      to.lower = number(0, THRESHOLD_MAX, "l_threshold");
      return;
    case "mcast-interface":
      to.mark("mcast-interface");
      to.daemon.device = value;
      return;
    case "syncid":
      to.mark("syncid");
      to.daemon.syncId = number(0, 255, "syncid");
      return;
    case "sync-maxlen":
      to.mark("sync-maxlen");
      to.daemon.maxLength = number(1, 65507, "sync-maxlen");
      return;
    case "mcast-group":
      to.mark("mcast-group");
      to.daemon.group = parseGroup(value);
      return;
    case "mcast-port":
      to.mark("mcast-port");
      to.daemon.port = number(1, 65535, "mcast-port");
      return;
    case "mcast-ttl":
      to.mark("mcast-ttl");
      to.daemon.ttl = number(1, 255, "mcast-ttl");
      return;
    case "tun-type":
      to.mark("tun-type");
      if (value !== "ipip" && value !== "gue" && value !== "gre") illegal("tunnel type");
      to.tunnelType = value;
      return;
    case "tun-port":
      to.mark("tun-port");
      to.tunnelPort = number(1, 65535, "tunnel port");
      return;
    case "tun-nocsum":
    case "tun-csum":
    case "tun-remcsum":
      to.mark(name);
      to.checksum = name === "tun-nocsum" ? "none" : name === "tun-csum" ? "full" : "remote";
      return;
    default:
      to.mark(name as OptionName);
  }
}

const SERVICE_PROTOCOLS = { "tcp-service": PROTOCOL_TCP, "udp-service": PROTOCOL_UDP, "sctp-service": PROTOCOL_SCTP } as const;

function refuseIpv6(text: string): void {
  if (/^\[[\da-f:.]*:[\da-f:.]*\](:\S*)?$/i.test(text)) throw new UsageError("lvsim: IPv6 services are not simulated", 2);
}

function readService(name: "tcp-service" | "udp-service" | "sctp-service", text: string, names: NameService): ServiceKey {
  const protocol = SERVICE_PROTOCOLS[name];
  refuseIpv6(text);
  const { host, port } = splitHostPort(text);
  const address = names.address(host);
  const number = port === undefined ? 0 : names.port(port, protocol);
  if (address === undefined || number === undefined) illegal("virtual server address[:port]");
  return { kind: "address", protocol, address, port: number };
}

function readServer(to: Collector, text: string, names: NameService): void {
  refuseIpv6(text);
  const { host, port } = splitHostPort(text);
  const address = names.address(host);
  const service = to.service;
  const protocol = service?.kind === "address" ? service.protocol : PROTOCOL_TCP;
  const number = port === undefined ? (service?.kind === "address" ? service.port : 0) : names.port(port, protocol);
  if (address === undefined || number === undefined) illegal("real server address[:port]");
  to.destAddress = address;
  to.destPort = number;
}

function checkCombination(command: CommandName, seen: ReadonlySet<OptionName>): void {
  const { required = [], allowed = [], exclusive = [] } = RULES[command];
  let chosen: OptionName | undefined;
  for (const name of OPTION_NAMES) {
    if (!seen.has(name)) {
      if (required.includes(name)) throw new UsageError(`You need to supply the '${name}' option for the '${command}' command`, 2);
      continue;
    }
    if (exclusive.includes(name)) {
      if (chosen !== undefined) throw new UsageError(`The option '${name}' conflicts with the '${chosen}' option in the '${command}' command`, 2);
      chosen = name;
    } else if (!required.includes(name) && !allowed.includes(name)) {
      throw new UsageError(`Illegal '${name}' option with the '${command}' command`, 2);
    }
  }
  const listings: OptionName[] = ["stats", "rate", "thresholds", "persistent-conn"];
  if (command === "list" && chosen !== undefined && chosen !== "service-address" && chosen !== "connection" && listings.some((name) => seen.has(name))) throw new UsageError("options conflicts in the list command", 2);
}

function serviceSpecOf(from: Collector, flagsOf: (scheduler: string) => readonly string[]): ServiceSpec {
  const key = from.service as ServiceKey;
  const isPersistent = from.persistenceSeconds !== undefined;
  if (key.kind === "address" && key.port === 0 && !isPersistent) throw new UsageError("Zero port specified for non-persistent service", 2);
  if (from.seen.has("ops") && key.kind === "address" && key.protocol !== PROTOCOL_UDP) throw new UsageError("One-Packet Scheduling is only for UDP virtual services", 2);
  const scheduler = from.scheduler === "" ? "wlc" : from.scheduler;
  return {
    key,
    scheduler,
    schedulerFlags: from.seen.has("sched-flags") ? readFlags(from.schedulerFlags, scheduler, flagsOf(scheduler)) : [],
    isPersistent,
    persistenceTimeoutSeconds: from.persistenceSeconds ?? 0,
    netmask: from.netmask,
    isOnePacket: from.seen.has("ops"),
    persistenceEngine: from.engine,
  };
}

/** The flags in the order in which listings show them. `own`: those of a scheduler that is not the kernel's. */
function readFlags(text: string, scheduler: string, own: readonly string[]): readonly string[] {
  const given = text.split(",").filter((word) => word !== "");
  for (const word of given) {
    if (own.includes(word)) continue;
    const owner = SCHEDULER_FLAGS[word];
    if (owner === undefined) throw new UsageError(`invalid scheduler flag \`${word}'`, 2);
    if (owner !== "" && owner !== scheduler) throw new UsageError(`incompatible scheduler flag \`${word}'`, 2);
  }
  return [...new Set([...Object.keys(SCHEDULER_FLAGS), ...own])].filter((word) => given.includes(word));
}

function destSpecOf(command: CommandName, from: Collector): DestSpec {
  const service = from.service;
  const isRewriting = from.method === "masq";
  // Only NAT can change the port; a mark has none to go by.
  const port = !isRewriting && service?.kind === "address" && command !== "delete-server" ? service.port : from.destPort;
  const tunnelOptions = TUNNEL.filter((name) => from.seen.has(name));
  if (tunnelOptions.length > 0 && from.method !== "tunnel") throw new UsageError("Tunnel options conflict with forward method", 2);
  if (from.tunnelType === "gue" && !from.seen.has("tun-port")) throw new UsageError("You need to supply the 'tun-port' option for the 'gue' tunnel type", 2);
  const forbidden: Readonly<Record<TunnelOptions["type"], readonly OptionName[]>> = { ipip: ["tun-port", "tun-nocsum", "tun-csum", "tun-remcsum"], gre: ["tun-port", "tun-remcsum"], gue: [] };
  const wrong = forbidden[from.tunnelType].find((name) => from.seen.has(name));
  if (wrong !== undefined) throw new UsageError(`Illegal '${wrong}' option with the '${from.tunnelType}' tunnel type`, 2);
  const checksums = tunnelOptions.filter((name) => name.endsWith("csum"));
  if (checksums.length > 1) throw new UsageError(`The option '${checksums[1]}' conflicts with the '${checksums[0]}' option in the '${command}' command`, 2);
  return {
    address: from.destAddress,
    port,
    method: from.method,
    weight: from.weight,
    upperThreshold: from.upper,
    lowerThreshold: from.lower,
    tunnel: { type: from.tunnelType, port: from.tunnelPort, checksum: from.checksum },
  };
}
