/**
 * What the healthcheckers say to the kernel's IPVS, and what they log when it says no.
 *
 * keepalived v2.2.7 check/ipvswrapper.c, check/libipvs.c.
 */

import { formatIpv4Address, type Ipv4Address } from "../../../base/ipv4-address.ts";
import type { DestSpec, ForwardingMethod, Ipvs, ServiceKey, ServiceSpec } from "../../../ipvs/ipvs.ts";
import { errorText } from "../../errno-text.ts";
import { clampWeight } from "../config/check-validate.ts";
import type { GroupEntry, LvsMethod, RealServer, ServiceProtocol, SyncDaemonConfig, VirtualServer } from "../config/model.ts";
import type { DaemonLog } from "../daemon-log.ts";

const COMMANDS = { ADD: 1154, EDIT: 1155, DEL: 1156, FLUSH: 1157, ADDDEST: 1159, DELDEST: 1160, EDITDEST: 1161, STARTDAEMON: 1163, STOPDAEMON: 1164 } as const;

export type IpvsCommand = keyof typeof COMMANDS;

const METHODS: Readonly<Record<LvsMethod, ForwardingMethod>> = { NAT: "masq", DR: "route", TUN: "tunnel" };
const PROTOCOL_TEXT: Readonly<Record<number, string>> = { 6: "tcp", 17: "udp", 132: "sctp" };
const ERRNO_NUMBERS: Readonly<Record<string, number>> = { EPERM: 1, ENOENT: 2, ESRCH: 3, ENOMEM: 12, EEXIST: 17, ENODEV: 19, EINVAL: 22, ENOBUFS: 105, EOPNOTSUPP: 95 };

/** libipvs' words for what went wrong. */
function ipvsErrorText(command: IpvsCommand, errno: string): string {
  const own: Readonly<Record<string, string>> = {
    "ADD EEXIST": "Service already exists",
    "ADD ENOENT": "Scheduler or persistence engine not found",
    "EDIT ENOENT": "Scheduler or persistence engine not found",
    "ADDDEST EEXIST": "Destination already exists",
    "EDITDEST ENOENT": "No such destination",
    "DELDEST ENOENT": "No such destination",
    "STARTDAEMON EEXIST": "Daemon has already run",
    "STOPDAEMON ESRCH": "No daemon is running",
  };
  const common: Readonly<Record<string, string>> = {
    ESRCH: "No such service",
    EPERM: "Permission denied (you must be root)",
    EINVAL: "Invalid operation.  Possibly wrong module version, address not unicast, ...",
    ENOMEM: "Memory allocation problem",
  };
  return own[`${command} ${errno}`] ?? common[errno] ?? errorText(errno);
}

interface Talk {
  readonly key: ServiceKey;
  readonly server: VirtualServer;
  readonly dest: DestSpec | undefined;
}

/** Outcome of a command: false when the caller must take it for undone. */
type Done = boolean;

export class ServiceTable {
  readonly #ipvs: Ipvs;
  readonly #log: DaemonLog;

  constructor(ipvs: Ipvs, log: DaemonLog) {
    this.#ipvs = ipvs;
    this.#log = log;
  }

  start(isReload: boolean): void {
    this.#log.line(isReload ? "Reinitializing ipvs" : "Initializing ipvs");
    this.#ipvs.load();
  }

  setTimeouts(timeouts: { readonly tcpSeconds: number; readonly tcpFinSeconds: number; readonly udpSeconds: number }): void {
    this.#ipvs.setTimeouts(timeouts.tcpSeconds, timeouts.tcpFinSeconds, timeouts.udpSeconds);
  }

  flush(): void {
    this.#ipvs.flush();
  }

  startSyncDaemon(role: "master" | "backup", daemon: SyncDaemonConfig): void {
    const errno = this.#ipvs.startDaemon(role, {
      device: daemon.device,
      syncId: daemon.syncId ?? 0,
      maxLength: daemon.maxLength,
      group: daemon.group,
      port: daemon.port,
      ttl: daemon.ttl,
    });
    if (errno !== undefined) this.#complain("STARTDAEMON", errno, "");
  }

  stopSyncDaemon(role: "master" | "backup"): void {
    this.#ipvs.stopDaemon(role);
  }

  /** Adds, edits or deletes a virtual server, or one of its real servers, with what inhibit_on_failure makes of that. */
  run(asked: IpvsCommand, server: VirtualServer, real?: RealServer, isReload = false): Done {
    let command = asked;
    let weight = real === undefined ? 0 : clampWeight(real.effectiveWeight);
    if (real !== undefined) {
      if (asked === "DELDEST" && real.inhibits === true) {
        weight = 0;
        command = "EDITDEST";
      } else if (asked === "ADDDEST" && real.inhibits === true && real.isSet) command = "EDITDEST";
      else if (asked === "ADDDEST" && !real.isSet) {
        real.isSet = true;
        if (real.inhibits === true && real.failedCheckers > 0) weight = 0;
      } else if (asked === "DELDEST" && real.isSet) real.isSet = false;
    }
    if (server.group !== undefined) return this.#runGroup(command, server, real, weight, isReload);
    const key: ServiceKey =
      server.address === undefined
        ? { kind: "fwmark", mark: server.mark }
        : { kind: "address", protocol: protocolOf(server), address: server.address.address, port: server.address.port };
    const dest = real === undefined ? undefined : destOf(real, weight, key.kind === "fwmark" ? 0 : key.port);
    return this.#talk(command, { key, server, dest });
  }

  #runGroup(command: IpvsCommand, server: VirtualServer, real: RealServer | undefined, weight: number, isReload: boolean): Done {
    const entries = server.group?.entries ?? [];
    for (const kind of ["address", "fwmark"] as const) {
      for (const entry of entries.filter((one) => one.kind === kind)) {
        if (command === "ADD" && isReload && entry.isReloaded) continue;
        if (isChangeNeeded(command, entry, server, real) && !this.entry(command, entry, server, real, weight)) return false;
        const users = entry.users.get(server.protocol) ?? 0;
        if (command === "ADDDEST") entry.users.set(server.protocol, users + 1);
        else if (command === "DELDEST") entry.users.set(server.protocol, users - 1);
      }
    }
    return true;
  }

  /** The same for every service of one entry of a group. */
  entry(command: IpvsCommand, entry: GroupEntry, server: VirtualServer, real: RealServer | undefined, weight: number): Done {
    if (entry.kind === "fwmark") {
      const dest = real === undefined ? undefined : destOf(real, weight, 0);
      return this.#talk(command, { key: { kind: "fwmark", mark: entry.mark }, server, dest });
    }
    const first = entry.address?.address ?? 0;
    const port = entry.address?.port ?? 0;
    const dest = real === undefined ? undefined : destOf(real, weight, port);
    for (let address = first; ; address = (address + 1) >>> 0) {
      if (!this.#talk(command, { key: { kind: "address", protocol: protocolOf(server), address, port }, server, dest })) return false;
      if (address === entry.last || entry.last === 0) return true;
    }
  }

  #talk(asked: IpvsCommand, talk: Talk): Done {
    let command = asked;
    let errno = this.#send(command, talk);
    if (command === "EDITDEST" && errno === "ENOENT") {
      command = "ADDDEST";
      errno = this.#send(command, talk);
    }
    if (errno === undefined) return true;
    const isDest = command.endsWith("DEST");
    this.#complain(command, errno, ` (${keyText(talk.key)}${isDest && talk.dest !== undefined ? ` -> ${place(talk.dest.address, talk.dest.port)}` : ""})`);
    return ((command === "ADD" || command === "ADDDEST") && errno === "EEXIST") || ((command === "DEL" || command === "DELDEST") && errno === "ENOENT");
  }

  #send(command: IpvsCommand, { key, server, dest }: Talk): string | undefined {
    const ipvs = this.#ipvs;
    switch (command) {
      case "ADD":
        return ipvs.addService(serviceOf(key, server));
      case "EDIT":
        return ipvs.editService(serviceOf(key, server));
      case "DEL":
        return ipvs.deleteService(key);
      case "ADDDEST":
        return dest === undefined ? "EINVAL" : ipvs.addDest(key, dest);
      case "EDITDEST":
        return dest === undefined ? "EINVAL" : ipvs.editDest(key, dest);
      case "DELDEST":
        return dest === undefined ? "EINVAL" : ipvs.deleteDest(key, dest.address, dest.port);
      default:
        return "EINVAL";
    }
  }

  #complain(command: IpvsCommand, errno: string, about: string): void {
    this.#log.line(`IPVS cmd IP_VS_SO_SET_${command}(${COMMANDS[command]}) error: ${ipvsErrorText(command, errno)}(${ERRNO_NUMBERS[errno] ?? 0})${about}`);
  }
}

function isChangeNeeded(command: IpvsCommand, entry: GroupEntry, server: VirtualServer, real: RealServer | undefined): boolean {
  const users = entry.users.get(server.protocol) ?? 0;
  if (command === "ADD" || command === "DEL") return users === 0;
  if (command === "ADDDEST") return real?.isAlive === false;
  if (command === "DELDEST") return real?.isAlive === true;
  return true;
}

function protocolOf(server: VirtualServer): 6 | 17 | 132 {
  const protocol: ServiceProtocol = server.protocol;
  return protocol === 0 ? 17 : protocol;
}

/** Only NAT can change the port. */
function destOf(real: RealServer, weight: number, servicePort: number): DestSpec {
  const method = METHODS[real.forwarding.method ?? "NAT"];
  return {
    address: real.address.address,
    port: method === "masq" ? real.address.port : servicePort,
    method,
    weight,
    upperThreshold: real.upperThreshold,
    lowerThreshold: real.lowerThreshold,
    tunnel: { type: real.forwarding.tunnelType, port: real.forwarding.tunnelPort, checksum: real.forwarding.checksum },
  };
}

function serviceOf(key: ServiceKey, server: VirtualServer): ServiceSpec {
  const isPersistent = server.persistenceTimeoutSeconds > 0;
  return {
    key,
    scheduler: server.scheduler,
    schedulerFlags: server.schedulerFlags,
    isPersistent,
    persistenceTimeoutSeconds: server.persistenceTimeoutSeconds,
    netmask: isPersistent ? server.netmask : 0xffffffff,
    isOnePacket: server.isOnePacket,
    persistenceEngine: isPersistent ? server.persistenceEngine : "",
  };
}

function place(address: Ipv4Address, port: number): string {
  return `${formatIpv4Address(address)}:${port}`;
}

function keyText(key: ServiceKey): string {
  return key.kind === "fwmark" ? `Fwm ${key.mark}` : `${formatIpv4Address(key.address)}:${PROTOCOL_TEXT[key.protocol]}:${key.port}`;
}
