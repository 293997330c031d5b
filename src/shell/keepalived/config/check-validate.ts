/**
 * What is put right and complained of when all virtual servers are known: defaults, duplicates, ports, quorums.
 *
 * keepalived v2.2.7 check/check_data.c (validate_check_config, check_check_script_security), check/check_misc.c (check_misc_script_security),
 * check/ipwrapper.c (link_vsg_to_vs, set_quorum_states).
 */

import { formatIpv4Address } from "../../../base/ipv4-address.ts";
import type { FileSystem } from "../../file-system.ts";
import { formatReal, formatServer, sameAddress } from "./addresses.ts";
import type { CheckConfig, Checker, GlobalConfig, RealServer, VirtualServer } from "./model.ts";
import { CONFIG_ERROR, type ConfigReport } from "./report.ts";
import { checkScript, keepIfRunnable } from "./scripts.ts";

const PERSISTENCE_DEFAULT_SECONDS = 360;

/** `firstTime` false: the configuration was read again, and checkers keep what they found. */
export function validateCheckConfig(config: CheckConfig, context: { readonly files: FileSystem; readonly global: GlobalConfig; readonly report: ConfigReport; readonly isFirstTime: boolean }): void {
  const { report } = context;
  linkGroups(config, report);
  config.usesSuspend = false;
  for (const server of [...config.servers]) {
    if (server.realServers.length === 0) {
      report.general(`Virtual server ${formatServer(server)} has no real servers - ignoring`);
      removeServer(config, server);
      continue;
    }
    completeAlerts(server, context.global);
    validateServer(config, server, report);
  }
  for (const checker of config.checkers) completeChecker(checker, context.isFirstTime);
  for (const server of config.servers) server.hasQuorum = weightAlive(server) >= server.quorum + server.hysteresis;
  checkScripts(config, context);
}

export function weightAlive(server: VirtualServer): number {
  return server.realServers.reduce((sum, real) => sum + (real.isAlive ? clampWeight(real.effectiveWeight) : 0), 0);
}

export function clampWeight(weight: number): number {
  return Math.max(0, Math.min(weight, 2_147_483_647));
}

function linkGroups(config: CheckConfig, report: ConfigReport): void {
  const positions = new Map<string, number>();
  for (const server of [...config.servers]) {
    if (server.groupName === undefined) continue;
    server.group = config.groups.find((group) => group.name === server.groupName);
    if (server.group === undefined) {
      report.log(`Virtual server group ${server.groupName} specified but not configured - ignoring virtual server ${formatServer(server)}`);
      removeServer(config, server);
      continue;
    }
    if (server.family === 0) server.family = 4;
    const position = positions.get(server.groupName) ?? 0;
    server.groupPosition = position;
    positions.set(server.groupName, position + 1);
  }
}

function removeServer(config: CheckConfig, server: VirtualServer): void {
  config.servers.splice(config.servers.indexOf(server), 1);
  removeCheckers(config, (checker) => checker.server === server);
}

function removeCheckers(config: CheckConfig, isGone: (checker: Checker) => boolean): void {
  for (let i = config.checkers.length - 1; i >= 0; i--) if (isGone(config.checkers[i] as Checker)) config.checkers.splice(i, 1);
}

/** Real servers are mailed about unless somebody says no; virtual servers only when somebody says so. */
function completeAlerts(server: VirtualServer, global: GlobalConfig): void {
  const general = global.alertsCheckers ?? global.alerts;
  server.alerts ??= general ?? false;
  for (const real of server.realServers) real.alerts ??= general ?? true;
}

function validateServer(config: CheckConfig, server: VirtualServer, report: ConfigReport): void {
  const marks = server.group?.entries.filter((entry) => entry.kind === "fwmark") ?? [];
  const ranges = server.group?.entries.filter((entry) => entry.kind === "address") ?? [];
  const isMarked = server.group === undefined && server.address === undefined;
  const complain = (what: string): void => report.general(`Virtual server ${formatServer(server)}: ${what}`);
  if (server.suspendsWithAddress && (isMarked || marks.length > 0)) {
    complain("cannot use ha_suspend with fwmarks - clearing ha_suspend");
    server.suspendsWithAddress = false;
  }
  config.usesSuspend ||= server.suspendsWithAddress;
  if (ranges.length > 0 || (server.group === undefined && !isMarked)) {
    if (server.protocol === 0) {
      complain("no protocol set - defaulting to UDP");
      server.protocol = 17;
    }
    if (server.isOnePacket && server.protocol !== 17) {
      complain("one packet scheduling requires UDP - resetting");
      server.isOnePacket = false;
    }
  }
  const hasZeroPort = server.group === undefined ? server.address?.port === 0 : ranges.some((entry) => entry.address?.port === 0);
  if (server.persistenceTimeoutSeconds === 0 && hasZeroPort) {
    complain("zero port only valid for persistent services - setting");
    server.persistenceTimeoutSeconds = PERSISTENCE_DEFAULT_SECONDS;
  }
  if (server.protocol !== 0 && (isMarked || (ranges.length === 0 && marks.length > 0))) {
    report.general(`Warning: Virtual server ${formatServer(server)}: protocol specified for fwmark - protocol will be ignored`);
    server.protocol = 0;
  }
  if (server.scheduler === "") {
    complain("no scheduler set, setting default 'wlc'");
    server.scheduler = "wlc";
  }
  const weightSum = validateReals(config, server, report, complain);
  if (server.sorryServer !== undefined) completeForwarding(server, server.sorryServer, complain);
  if (server.quorum > weightSum) {
    report.general(`Warning - quorum ${server.quorum} for ${formatServer(server)} exceeds total weight of real servers ${weightSum}, reducing quorum to ${weightSum}`);
    server.quorum = weightSum;
  }
  if (server.hysteresis >= server.quorum) {
    complain(`hysteresis ${server.hysteresis} >= quorum ${server.quorum}; setting hysteresis to ${(server.quorum - 1) >>> 0}`);
    server.hysteresis = (server.quorum - 1) >>> 0;
  }
  validatePorts(server, isMarked, report);
}

function completeForwarding(server: VirtualServer, real: RealServer, complain: (what: string) => void): void {
  if (real.forwarding.method !== undefined) return;
  if (server.forwarding.method === undefined) {
    complain("no forwarding method set, setting default NAT");
    server.forwarding.method = "NAT";
  }
  Object.assign(real.forwarding, server.forwarding);
}

function validateReals(config: CheckConfig, server: VirtualServer, report: ConfigReport, complain: (what: string) => void): number {
  let weightSum = 0;
  for (const real of [...server.realServers]) {
    const earlier = server.realServers.slice(0, server.realServers.indexOf(real));
    if (earlier.some((other) => sameAddress(other.address, real.address))) {
      report.general(`VS ${formatServer(server)}: real server ${formatReal(real, server)} is duplicated - removing second rs`);
      server.realServers.splice(server.realServers.indexOf(real), 1);
      removeCheckers(config, (checker) => checker.real === real);
      continue;
    }
    completeForwarding(server, real, complain);
    real.isAlpha ??= server.isAlpha;
    real.inhibits ??= server.inhibits;
    real.retry ??= server.retry;
    real.connectTimeoutUs ??= server.connectTimeoutUs;
    real.delayLoopUs ??= server.delayLoopUs;
    real.warmupUs ??= server.warmupUs;
    real.delayBeforeRetryUs ??= server.delayBeforeRetryUs;
    real.weight ??= server.weight;
    real.effectiveWeight = real.weight;
    weightSum += real.weight;
    const sorry = server.sorryServer;
    if (sorry === undefined || !sameAddress(sorry.address, real.address)) continue;
    if ((sorry.inhibits ?? false) !== real.inhibits) {
      complain(`real server ${formatReal(real, server)} matches sorry server, but inhibit setting differs, ${real.inhibits ? "sett" : "clear"}ing on sorry server`);
      sorry.inhibits = real.inhibits;
    }
    server.sorryIsRealServer = true;
  }
  return weightSum;
}

/** Only NAT can change a port: for the other methods a server's port is the service's. */
function validatePorts(server: VirtualServer, isMarked: boolean, report: ConfigReport): void {
  const name = formatServer(server);
  if (server.group !== undefined) {
    for (const real of server.realServers) {
      if (real.forwarding.method === "NAT" || real.address.port === 0) continue;
      for (const entry of server.group.entries) {
        if (entry.kind === "fwmark") report.general(`WARNING - fwmark virtual server ${name}, real server ${formatReal(real, server)} has port specified - port will be ignored`);
      }
      for (const { address, last } of server.group.entries) {
        if (address === undefined || address.port === real.address.port) continue;
        const range = address.address === last ? address.text : `${address.text}-${formatIpv4Address(last)}`;
        report.general(`virtual server ${name}:[${range},${address.port}] and real server ${formatReal(real, server)} ports don't match`);
      }
    }
    return;
  }
  const servicePort = server.address?.port ?? 0;
  for (const real of server.realServers) {
    const { address } = real;
    if (real.forwarding.method === "NAT") {
      if (!isMarked && address.port === 0) address.port = servicePort;
    } else if (isMarked) {
      if (address.port === 0) continue;
      report.general(`WARNING - fwmark virtual server ${name}, real server ${formatReal(real, server)} has port specified - clearing`);
      address.port = 0;
    } else if (address.port === 0) address.port = servicePort;
    else if (address.port !== servicePort) {
      report.general(`WARNING - virtual server ${name} and real server ${formatReal(real, server)} ports don't match - resetting`);
      address.port = servicePort;
    }
  }
  const sorry = server.sorryServer;
  if (sorry === undefined || sorry.forwarding.method === "NAT") return;
  if (isMarked) {
    if (sorry.address.port === 0) return;
    report.general(`WARNING - virtual server ${name}, sorry server has port specified - clearing`);
    sorry.address.port = 0;
  } else if (sorry.address.port === 0) sorry.address.port = servicePort;
  else if (sorry.address.port !== servicePort) {
    report.general(`WARNING - virtual server ${name} and sorry server ports don't match - resetting`);
    sorry.address.port = servicePort;
  }
}

function completeChecker(checker: Checker, isFirstTime: boolean): void {
  const { real } = checker;
  if (!checker.server.suspendsWithAddress) checker.isEnabled = true;
  checker.isAlpha ??= real.isAlpha ?? false;
  checker.retry ??= real.retry ?? checker.defaultRetry;
  if (checker.connect !== undefined) checker.connect.connectTimeoutUs ??= real.connectTimeoutUs;
  checker.delayLoopUs ??= real.delayLoopUs;
  checker.warmupUs ??= real.warmupUs ?? checker.delayLoopUs;
  checker.delayBeforeRetryUs ??= real.delayBeforeRetryUs ?? checker.defaultDelayBeforeRetryUs;
  if (!isFirstTime) return;
  if (checker.isAlpha) {
    setCheckerState(checker, false);
    real.isAlive = false;
  }
  // The first failure counts at once.
  checker.retries = checker.retry;
}

/** Up or down, and how many of a server's checkers are down. */
export function setCheckerState(checker: Checker, isUp: boolean): void {
  if (checker.isUp === isUp) return;
  checker.isUp = isUp;
  if (!isUp) checker.real.failedCheckers++;
  else if (checker.real.failedCheckers > 0) checker.real.failedCheckers--;
}

function checkScripts(config: CheckConfig, context: { readonly files: FileSystem; readonly global: GlobalConfig; readonly report: ConfigReport }): void {
  const { files, global, report } = context;
  if (config.servers.length === 0) return;
  const seen = { isScript: false, isInsecure: false };
  removeCheckers(config, (checker) => {
    const { kind } = checker;
    if (kind.type !== "MISC_CHECK" || kind.script === undefined) return false;
    const check = checkScript(kind.script, files, global, report);
    seen.isScript ||= check.isScript;
    seen.isInsecure ||= check.isInsecure;
    const name = kind.script.args.map((one) => `'${one}'`).join(" ");
    if (check.isInhibited) report.log(`Disabling misc script ${name} due to insecure`);
    else if (check.isMissing) report.log(`Disabling misc script ${name} since not found/accessible`);
    return check.isInhibited || check.isMissing || !(check.isExecutable || check.isSystem);
  });
  const keep = <T extends Parameters<typeof keepIfRunnable>[0]>(script: T): Parameters<typeof keepIfRunnable>[0] => keepIfRunnable(script, files, global, report, seen);
  for (const server of config.servers) {
    server.notifyQuorumUp = keep(server.notifyQuorumUp);
    server.notifyQuorumDown = keep(server.notifyQuorumDown);
    for (const real of server.realServers) {
      real.notifyUp = keep(real.notifyUp);
      real.notifyDown = keep(real.notifyDown);
    }
  }
  if (global.hasScriptSecurity || !seen.isScript) return;
  report.error(
    CONFIG_ERROR.security,
    `SECURITY VIOLATION - check scripts are being executed but script_security not enabled.${seen.isInsecure ? " There are insecure scripts." : ""}`,
  );
}
