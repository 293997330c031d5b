/**
 * Which real servers are in the IPVS table: what checks found, quorum, sorry server, inhibit_on_failure, weights; and what is told to scripts.
 *
 * keepalived v2.2.7 check/ipwrapper.c.
 */

import { formatIpv4Address } from "../../../base/ipv4-address.ts";
import { formatReal, formatServer, sameAddress } from "../config/addresses.ts";
import { clampWeight, setCheckerState, weightAlive } from "../config/check-validate.ts";
import type { CheckConfig, Checker, GlobalConfig, GroupEntry, RealServer, Script, VirtualServer } from "../config/model.ts";
import type { DaemonLog } from "../daemon-log.ts";
import type { Mailer } from "../mailer.ts";
import { sameChecker } from "./checker-identity.ts";
import type { ServiceTable } from "./service-table.ts";

export interface ServerStatesContext {
  readonly table: ServiceTable;
  readonly log: DaemonLog;
  readonly runScript: (script: Script) => void;
  readonly mailer: () => Mailer;
}

/** inhibit_on_failure changes the verbs. */
const inhibits = (real: RealServer): boolean => real.inhibits === true;

export class ServerStates {
  readonly #table: ServiceTable;
  readonly #log: DaemonLog;
  readonly #runScript: (script: Script) => void;
  readonly #mailer: () => Mailer;
  #config: CheckConfig;
  #global: GlobalConfig;

  constructor(config: CheckConfig, global: GlobalConfig, context: ServerStatesContext) {
    this.#config = config;
    this.#global = global;
    this.#table = context.table;
    this.#log = context.log;
    this.#runScript = context.runScript;
    this.#mailer = context.mailer;
  }

  /** Puts the services into the table; on a reload those that are new. */
  init(isReload: boolean): void {
    for (const server of this.#config.servers) {
      if (!server.isAlive || server.group !== undefined) {
        this.#table.run("ADD", server, undefined, isReload);
        server.isAlive = true;
      }
      this.#initReals(server);
      if (server.isReloaded && server.group !== undefined) this.#syncGroup(server);
      this.#updateQuorum(server, true);
      const sorry = server.sorryServer;
      if (sorry === undefined || !inhibits(sorry) || sorry.isSet) continue;
      if (server.sorryIsRealServer) sorry.isSet = true;
      else {
        sorry.failedCheckers = 1;
        this.#table.run("ADDDEST", server, sorry);
        sorry.failedCheckers = 0;
      }
    }
  }

  #initReals(server: VirtualServer): void {
    for (const real of server.realServers) {
      if (real.isReloaded) {
        if (real.effectiveWeight !== real.previousWeight) {
          const weight = real.effectiveWeight;
          real.effectiveWeight = real.previousWeight;
          this.setWeight(weight, server, real, false);
        }
        continue;
      }
      if (!((real.failedCheckers === 0 && !real.isAlive) || (inhibits(real) && !real.isSet))) continue;
      this.#table.run("ADDDEST", server, real);
      if (real.failedCheckers > 0) continue;
      real.isAlive = true;
      if (this.#global.notifiesInitialServers) this.#notifyReal(real);
    }
  }

  #syncGroup(server: VirtualServer): void {
    for (const kind of ["address", "fwmark"] as const) {
      for (const entry of server.group?.entries ?? []) {
        if (entry.kind !== kind || entry.isReloaded) continue;
        this.#log.line(`VS [${entryText(entry, server, true)}] added into group ${server.groupName}`);
        for (const real of server.realServers) {
          if (!real.isReloaded || !(real.isAlive || (inhibits(real) && real.isSet))) continue;
          this.#table.entry("ADDDEST", entry, server, real, inhibits(real) && !real.isAlive ? 0 : clampWeight(real.effectiveWeight));
        }
      }
    }
  }

  /** A check ended: the server goes up when it was the last that failed, down when it is the first. */
  checked(isAlive: boolean, checker: Checker, mail?: string): void {
    const { real } = checker;
    const wasUp = checker.isUp;
    const wasAlive = real.isAlive;
    this.#settle(isAlive, checker);
    if (mail !== undefined && wasUp !== checker.isUp) this.mailAbout(checker, mail, wasAlive);
  }

  /** Mail about a checker, for those who want it even when the server itself is what it was. */
  mailAbout({ real, server }: Checker, body: string, wasAlive: boolean): void {
    if (real.alerts !== true || (wasAlive === real.isAlive && this.#global.hasNoCheckerMail)) return;
    this.#mailReal(server, real, real.isAlive ? "UP" : "DOWN", body);
  }

  #mailReal(server: VirtualServer, real: RealServer, subject: string, body: string): void {
    this.#mailer().send(`Realserver ${formatReal(real, server)} of virtual server ${formatServer(server)}`, subject, body);
  }

  #mailQuorum(server: VirtualServer, body: string): void {
    if (server.alerts === true) this.#mailer().send(`Virtualserver ${formatServer(server)}`, server.hasQuorum ? "UP" : "DOWN", body);
  }

  #settle(isAlive: boolean, checker: Checker): void {
    const { real } = checker;
    if (checker.isUp === isAlive) {
      if (!checker.hasRun) {
        if (checker.isAlpha === true || !isAlive) this.#notifyReal(real);
        checker.hasRun = true;
      }
      return;
    }
    checker.hasRun = true;
    if (isAlive ? real.failedCheckers <= 1 : real.failedCheckers === 0) {
      if (!this.#changeReal(isAlive, checker.server, real)) return;
    }
    setCheckerState(checker, isAlive);
  }

  #changeReal(isAlive: boolean, server: VirtualServer, real: RealServer): boolean {
    if (real.isAlive === isAlive) return true;
    const verb = isAlive ? (inhibits(real) ? "Enabl" : "Add") : inhibits(real) ? "Disabl" : "Remov";
    this.#log.line(`${verb}ing service ${formatReal(real, server)} ${inhibits(real) ? "of" : isAlive ? "to" : "from"} VS ${formatServer(server)}`);
    if (this.#mayTouch(server) && !this.#table.run(isAlive ? "ADDDEST" : "DELDEST", server, real)) return false;
    real.isAlive = isAlive;
    this.#notifyReal(real);
    this.#updateQuorum(server, false);
    return true;
  }

  /** While the sorry server serves, the others stay out of the table. */
  #mayTouch(server: VirtualServer): boolean {
    return server.hasQuorum || server.sorryServer?.isAlive !== true;
  }

  setWeight(weight: number, server: VirtualServer, real: RealServer, updatesQuorum: boolean): void {
    const after = clampWeight(weight);
    const before = clampWeight(real.effectiveWeight);
    real.effectiveWeight = weight;
    if (after === before) return;
    this.#log.line(`Changing weight from ${before} to ${after} for ${real.isAlive ? "" : "in"}active service ${formatReal(real, server)} of VS ${formatServer(server)}`);
    if (real.isSet && real.isAlive && this.#mayTouch(server)) this.#table.run("EDITDEST", server, real);
    if (updatesQuorum) this.#updateQuorum(server, false);
  }

  #updateQuorum(server: VirtualServer, isInit: boolean): void {
    const weight = weightAlive(server);
    const threshold = server.quorum + (server.hasQuorum ? -1 : 1) * server.hysteresis;
    const name = formatServer(server);
    const sorry = server.sorryServer;
    if (!server.hasQuorum && weight >= threshold) {
      server.hasQuorum = true;
      this.#log.line(`Gained quorum ${server.quorum}+${server.hysteresis}=${threshold} <= ${weight} for VS ${name}`);
      if (sorry?.isAlive === true) {
        this.#log.line(`${inhibits(sorry) ? "Disabling" : "Removing"} sorry server ${formatReal(sorry, server)} from VS ${name}`);
        this.#table.run("DELDEST", server, sorry);
        sorry.isAlive = false;
        this.#movePool(server, true);
      }
      this.#notifyQuorum(server);
      this.#mailQuorum(server, `=> ${isInit ? "Starting with quorum up" : "Gained quorum"} ${server.quorum}+${server.hysteresis}=${threshold} <= ${weight} <=`);
      return;
    }
    const isLost = server.hasQuorum && (weight === 0 || weight < threshold);
    if (!isLost && !(isInit && !server.hasQuorum && sorry?.isAlive === false)) return;
    server.hasQuorum = false;
    this.#log.line(`${isInit ? "Starting with quorum down" : "Lost quorum"} ${server.quorum}-${server.hysteresis}=${threshold} > ${weight} for VS ${name}`);
    if (sorry?.isAlive === false) {
      this.#log.line(`${inhibits(sorry) ? "Enabling" : "Adding"} sorry server ${formatReal(sorry, server)} to VS ${name}`);
      this.#movePool(server, false);
      this.#table.run("ADDDEST", server, sorry);
      sorry.isAlive = true;
    }
    this.#notifyQuorum(server);
    this.#mailQuorum(server, `=> ${isInit ? "Starting with quorum down" : "Lost quorum"} ${server.quorum}+${server.hysteresis}=${threshold} <= ${weight} <=`);
  }

  /** Puts the living servers into the table or takes them out, all of them. */
  #movePool(server: VirtualServer, adds: boolean): void {
    this.#log.line(`${adds ? "Adding alive servers to" : "Removing alive servers from"} the pool for VS ${formatServer(server)}`);
    for (const real of server.realServers) {
      if (!real.isAlive) continue;
      if (adds) real.isAlive = false;
      this.#table.run(adds ? "ADDDEST" : "DELDEST", server, real);
      real.isAlive = true;
    }
  }

  #notifyReal(real: RealServer): void {
    const script = real.isAlive ? real.notifyUp : real.notifyDown;
    if (script !== undefined) this.#runScript(script);
  }

  #notifyQuorum(server: VirtualServer): void {
    const script = server.hasQuorum ? server.notifyQuorumUp : server.notifyQuorumDown;
    if (script !== undefined) this.#runScript(script);
  }

  /** Takes everything out again: the daemon stops. */
  clear(): void {
    const { lvsFlushOnStop } = this.#global;
    if (this.#config.servers.length === 0) return;
    if (lvsFlushOnStop === "all") {
      this.#table.flush();
      for (const server of this.#config.servers) this.#endQuorum(server, true);
      return;
    }
    for (const server of this.#config.servers) this.#clearServer(server, true);
  }

  #clearServer(server: VirtualServer, isStopping: boolean): void {
    const sorry = server.sorryServer;
    if (this.#global.lvsFlushOnStop === "none") {
      if (sorry?.isSet === true) {
        if (server.sorryIsRealServer) sorry.isSet = false;
        else this.#forceOut(server, sorry);
        sorry.isAlive = false;
      }
      for (const real of server.realServers) this.#clearReal(server, real, isStopping);
      this.#endQuorum(server, isStopping);
    } else {
      this.#endQuorum(server, isStopping);
      if (this.#global.lvsFlushOnStop === "services" && server.group !== undefined) {
        for (const entry of server.group.entries) entry.users.set(server.protocol, (entry.users.get(server.protocol) ?? 0) - server.realServers.length);
      }
      if (sorry?.isSet === true) sorry.isAlive = false;
    }
    this.#table.run("DEL", server);
    server.isAlive = false;
  }

  /** inhibit_on_failure does not hold it back. */
  #forceOut(server: VirtualServer, real: RealServer): void {
    const saved = real.inhibits;
    real.inhibits = false;
    this.#table.run("DELDEST", server, real);
    real.inhibits = saved;
  }

  #clearReal(server: VirtualServer, real: RealServer, isStopping: boolean): void {
    if (real.isSet || isStopping)
      this.#log.line(
        `${isStopping ? "Shutting down" : "Removing"} ${inhibits(real) && !real.isAlive ? "(inhibited) " : ""}service ${formatReal(real, server)} from VS ${formatServer(server)}`,
      );
    if (!real.isSet) return;
    this.#forceOut(server, real);
    if (!real.isAlive) return;
    real.isAlive = false;
    if (isStopping && !server.isOmega) return;
    this.#notifyReal(real);
    if (real.alerts === true) this.#mailReal(server, real, "DOWN", isStopping ? "=> Shutting down <=" : "=> Removing <=");
  }

  #endQuorum(server: VirtualServer, isStopping: boolean): void {
    const weight = weightAlive(server);
    if (!isStopping && !(server.hasQuorum && (weight === 0 || weight < server.quorum - server.hysteresis))) return;
    server.hasQuorum = false;
    if (isStopping && !server.isOmega) return;
    this.#notifyQuorum(server);
    const threshold = server.quorum - server.hysteresis;
    this.#mailQuorum(server, isStopping ? "=> Shutting down <=" : `=> Lost quorum ${server.quorum}+${server.hysteresis}=${threshold} <= ${weight} <=`);
  }

  /** A new configuration takes over what still exists in it; the rest is taken out of the table. */
  migrate(config: CheckConfig, global: GlobalConfig): void {
    const old = this.#config;
    for (const server of old.servers) {
      const next = config.servers.find((one) => sameServer(one, server));
      if (next === undefined) {
        this.#log.line(server.groupName !== undefined ? `Removing Virtual Server Group [${server.groupName}]` : `Removing Virtual Server ${formatServer(server)}`);
        this.#clearServer(server, false);
      } else this.#migrateServer(server, next, old, config);
    }
    this.#config = config;
    this.#global = global;
  }

  #migrateServer(server: VirtualServer, next: VirtualServer, old: CheckConfig, config: CheckConfig): void {
    next.isAlive = server.isAlive;
    next.hasQuorum = server.hasQuorum;
    next.isReloaded = true;
    next.suspendAddressCount = server.suspendAddressCount;
    if (server.group !== undefined && next.group !== undefined) this.#migrateGroup(server, next.group.entries);
    if (serviceSignature(server) !== serviceSignature(next)) this.#table.run("EDIT", next);
    server.isOmega = true;
    for (const real of server.realServers) {
      const nextReal = next.realServers.find((one) => sameAddress(one.address, real.address));
      if (nextReal === undefined) {
        this.#log.line(`service ${formatReal(real, server)} no longer exist`);
        this.#clearReal(server, real, false);
        continue;
      }
      nextReal.isAlive = real.isAlive;
      nextReal.isSet = real.isSet;
      nextReal.effectiveWeight = real.effectiveWeight;
      nextReal.previousWeight = real.effectiveWeight;
      nextReal.isReloaded = true;
      this.#migrateCheckers(next, real, nextReal, old, config);
      if (JSON.stringify(real.forwarding) !== JSON.stringify(nextReal.forwarding)) this.#table.run("EDITDEST", next, nextReal);
    }
    if (server.realServers.length > 0) this.#endQuorum(server, false);
    this.#migrateSorryServer(server, next.sorryServer);
    for (const entry of server.group?.entries ?? []) {
      const same = next.group?.entries.find((one) => sameEntry(one, entry));
      if (same !== undefined) for (const [protocol, users] of entry.users) same.users.set(protocol, users);
    }
  }

  #migrateGroup(server: VirtualServer, entries: readonly GroupEntry[]): void {
    for (const entry of server.group?.entries ?? []) {
      const same = entries.find((one) => sameEntry(one, entry));
      if (same !== undefined) {
        same.isReloaded = true;
        continue;
      }
      this.#log.line(`VS [${entryText(entry, server, false)}] in group ${server.groupName} no longer exists`);
      if (this.#global.lvsFlushOnStop === "none") {
        for (const real of server.realServers) if (real.isAlive) this.#table.entry("DELDEST", entry, server, real, clampWeight(real.effectiveWeight));
      }
      // As in keepalived: the service stays while servers were counted for it.
      if ((entry.users.get(server.protocol) ?? 0) === 0) this.#table.entry("DEL", entry, server, undefined, 0);
    }
  }

  #migrateSorryServer(server: VirtualServer, next: RealServer | undefined): void {
    const sorry = server.sorryServer;
    if (sorry === undefined) return;
    if (next !== undefined && sameAddress(sorry.address, next.address)) {
      next.isAlive = sorry.isAlive;
      next.isSet = sorry.isSet;
      next.isReloaded = true;
      return;
    }
    if (inhibits(sorry)) {
      if (!sorry.isAlive && sorry.isSet) sorry.isAlive = true;
      sorry.inhibits = false;
    }
    if (!sorry.isAlive) return;
    this.#log.line(`Removing sorry server ${formatReal(sorry, server)} from VS ${formatServer(server)}`);
    this.#table.run("DELDEST", server, sorry);
  }

  #migrateCheckers(server: VirtualServer, oldReal: RealServer, real: RealServer, old: CheckConfig, config: CheckConfig): void {
    const earlier = old.checkers.filter((checker) => checker.real === oldReal);
    const checkers = config.checkers.filter((checker) => checker.real === real);
    for (const checker of checkers) {
      const same = earlier.find((one) => sameChecker(one, checker));
      if (same === undefined) continue;
      if (same.hasRun && same.isUp !== checker.isUp) setCheckerState(checker, same.isUp);
      checker.hasRun = same.hasRun;
      const retry = checker.retry ?? 0;
      if (same.retries > 0 && retry > 0) checker.retries = Math.min(same.retries, retry - 1);
      if (same.kind.type === "MISC_CHECK" && checker.kind.type === "MISC_CHECK" && checker.kind.isDynamic && same.kind.isDynamic) {
        checker.currentWeight = same.currentWeight;
        checker.kind.lastExit = same.kind.lastExit;
        checker.kind.lastRanNs = same.kind.lastRanNs;
      }
    }
    real.failedCheckers = checkers.filter((checker) => checker.hasRun && !checker.isUp).length;
    if (real.failedCheckers > 0 || (!real.isAlive && !checkers.some((checker) => checker.hasRun))) {
      for (const checker of checkers) {
        if (checker.hasRun) continue;
        if (checker.isAlpha === true) setCheckerState(checker, false);
        checker.retries = checker.retry ?? 0;
      }
    }
    if (real.failedCheckers === 0 && !real.isAlive) this.#changeReal(true, server, real);
    else if (real.failedCheckers > 0 && real.isSet !== inhibits(real)) this.#table.run(inhibits(real) ? "ADDDEST" : "DELDEST", server, real);
  }

  /** After a reload: weights as configured plus what checks make of them, and new servers with alpha checks begin down. */
  settleWeights(isReload: boolean): void {
    for (const server of this.#config.servers) for (const real of server.realServers) real.effectiveWeight = real.weight ?? 1;
    for (const checker of this.#config.checkers) checker.real.effectiveWeight += checker.currentWeight;
    if (!isReload) return;
    for (const checker of this.#config.checkers) {
      if (checker.real.isReloaded || checker.isAlpha !== true) continue;
      setCheckerState(checker, false);
      checker.real.isAlive = false;
    }
  }
}

function sameServer(a: VirtualServer, b: VirtualServer): boolean {
  if (a.groupName !== b.groupName) return false;
  if (a.groupName !== undefined) return a.groupPosition === b.groupPosition;
  if (a.mark !== b.mark) return false;
  if (a.address === undefined || b.address === undefined) return a.address === b.address;
  return a.protocol === b.protocol && sameAddress(a.address, b.address);
}

function sameEntry(a: GroupEntry, b: GroupEntry): boolean {
  if (a.kind !== b.kind) return false;
  if (a.address === undefined || b.address === undefined) return a.mark === b.mark;
  return sameAddress(a.address, b.address) && a.last === b.last;
}

function serviceSignature(server: VirtualServer): string {
  return JSON.stringify([server.scheduler, server.schedulerFlags, server.isOnePacket, server.persistenceEngine, server.netmask, server.persistenceTimeoutSeconds]);
}

const PROTOCOL_NAMES: Readonly<Record<number, string>> = { 0: "none", 6: "tcp", 17: "udp", 132: "sctp" };

function entryText(entry: GroupEntry, server: VirtualServer, isAdded: boolean): string {
  if (entry.address === undefined) return isAdded ? `FWM ${entry.mark}` : String(entry.mark);
  const first = `[${entry.address.text}]:${PROTOCOL_NAMES[server.protocol]}:${entry.address.port}`;
  return entry.last === entry.address.address ? first : `${first}-${formatIpv4Address(entry.last)}`;
}
