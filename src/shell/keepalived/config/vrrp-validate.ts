/**
 * What is put right and complained of when all of VRRP's configuration is known.
 *
 * keepalived v2.2.7 vrrp/vrrp.c (vrrp_complete_init, vrrp_complete_instance, check_vrid_conflicts, check_vrrp_script_security,
 * sync_group_tracking_init), vrrp/vrrp_sync.c (vrrp_sync_set_group).
 */

import type { Host } from "../../../host/host.ts";
import type { FileSystem } from "../../file-system.ts";
import type { GlobalConfig, NotifyScripts, SyncGroupConfig, VrrpConfig, VrrpInstanceConfig } from "./model.ts";
import { CONFIG_ERROR, type ConfigReport } from "./report.ts";
import { checkScript, keepIfRunnable } from "./scripts.ts";

const US = 1_000_000;
const CENTI = 10_000;
const PRIORITY_OWNER = 255;
const PRIORITY_DEFAULT = 100;
const ADVERT_ADDRESSES_MAX = 255;
const DOWN_TIMER_ADVERTS = 3;

export interface VrrpValidation {
  readonly host: Host;
  readonly files: FileSystem;
  readonly global: GlobalConfig;
  readonly report: ConfigReport;
}

/** False when keepalived cannot run with it. */
export function validateVrrpConfig(config: VrrpConfig, context: VrrpValidation): boolean {
  const { global, report } = context;
  global.garpLowerPriorityRepeats ??= global.garpRepeats;
  global.garpLowerPriorityDelayUs ??= global.garpDelayUs;
  checkScripts(config, context);
  for (const one of config.instances) {
    if (one.vrid === 0) {
      report.general(`(${one.name}) the virtual router id must be set`);
      return false;
    }
    if (one.device === undefined && !one.isUnicast) {
      report.general(`(${one.name}) Unknown interface!`);
      return false;
    }
  }
  for (const group of [...config.groups]) if (!fillGroup(config, group, report)) config.groups.splice(config.groups.indexOf(group), 1);
  for (const one of config.instances) if (!completeInstance(one, context)) return false;
  if (hasVridConflicts(config, global, report)) return false;
  for (const group of config.groups) {
    group.alerts ??= global.alertsVrrp ?? global.alerts ?? false;
    clearGroupWeights(group, report);
  }
  return true;
}

function checkScripts(config: VrrpConfig, { files, global, report }: VrrpValidation): void {
  if (config.instances.length === 0) return;
  const seen = { isScript: false, isInsecure: false };
  for (const one of config.scripts) {
    if (one.script === undefined) continue;
    const check = checkScript(one.script, files, global, report);
    seen.isScript ||= check.isScript;
    seen.isInsecure ||= check.isInsecure;
    if (check.isInhibited) report.general(`Disabling track script ${one.name} due to insecure`);
    else if (check.isMissing) report.general(`Disabling track script ${one.name} since not found/accessible`);
    one.isInsecure = check.isInhibited || check.isMissing || !(check.isExecutable || check.isSystem);
  }
  const keep = (scripts: NotifyScripts, slots: readonly (keyof NotifyScripts)[]): void => {
    for (const slot of slots) scripts[slot] = keepIfRunnable(scripts[slot], files, global, report, seen);
  };
  const dropInsecure = (list: { readonly script: { readonly isInsecure: boolean } }[]): void => {
    for (let i = list.length - 1; i >= 0; i--) if (list[i]?.script.isInsecure === true) list.splice(i, 1);
  };
  for (const one of config.instances) {
    keep(one.scripts, ["backup", "master", "fault", "stop", "deleted", "any", "masterHeardLower"]);
    dropInsecure(one.trackScripts);
  }
  for (const group of config.groups) {
    keep(group.scripts, ["backup", "master", "fault", "stop", "any"]);
    dropInsecure(group.trackScripts);
  }
  if (!global.hasScriptSecurity && seen.isScript)
    report.error(
      CONFIG_ERROR.security,
      `SECURITY VIOLATION - scripts are being executed but script_security not enabled.${seen.isInsecure ? " There are insecure scripts." : ""}`,
    );
  for (let i = config.scripts.length - 1; i >= 0; i--) if (config.scripts[i]?.isInsecure === true) config.scripts.splice(i, 1);
}

function fillGroup(config: VrrpConfig, group: SyncGroupConfig, report: ConfigReport): boolean {
  if (group.memberNames === undefined) {
    report.general(`Sync group ${group.name} has no virtual router(s). removing`);
    return false;
  }
  let isMaster = false;
  for (const name of group.memberNames) {
    const one = config.instances.find((instance) => instance.name === name);
    if (one === undefined) report.general(`Virtual router ${name} specified in sync group ${group.name} doesn't exist - ignoring`);
    else if (one.sync !== undefined) report.general(`Virtual router ${name} cannot exist in more than one sync group; ignoring ${group.name}`);
    else {
      group.members.push(one);
      one.sync = group;
      if (isMaster && one.wantState === "BACKUP")
        report.general(`Sync group ${group.name} has some member(s) as address owner and some not as address owner. This won't work.`);
      if (group.members.length === 1 || isMaster) isMaster = one.wantState === "MASTER" && one.basePriority === PRIORITY_OWNER;
    }
  }
  if (group.members.length === 0) {
    report.general(`Sync group ${group.name}, no matching virtual router found in group declaration - removing`);
    return false;
  }
  if (group.members.length === 1) report.general(`Sync group ${group.name} has only 1 virtual router(s) - this probably isn't what you want`);
  return true;
}

function completeInstance(one: VrrpInstanceConfig, context: VrrpValidation): boolean {
  const { global, report } = context;
  const complain = (what: string): void => report.general(`(${one.name}) ${what}`);
  one.isStrict ??= global.isStrict;
  if (one.family === 0) one.family = 4;
  if (one.version === 0) one.version = one.family === 6 ? 3 : global.vrrpVersion;
  one.ttl ??= 255;
  if (one.addresses.length === 0) {
    if (one.version === 3 || one.isStrict) {
      complain("No VIP specified; at least one is required");
      return false;
    }
    complain("No VIP specified; at least one is sensible");
  }
  if (one.basePriority === 0) one.basePriority = one.wantState === "MASTER" ? PRIORITY_OWNER : PRIORITY_DEFAULT;
  const isOwner = one.basePriority === PRIORITY_OWNER;
  if (one.wantState === "INIT") one.wantState = isOwner ? "MASTER" : "BACKUP";
  else if (one.isStrict && (one.wantState === "MASTER") !== isOwner) {
    complain("State MASTER must match being address owner");
    one.wantState = isOwner ? "MASTER" : "BACKUP";
  }
  checkAuthentication(one, complain);
  if (!checkUnicast(one, report)) return false;
  if (one.group === undefined && !one.isUnicast) one.group = global.vrrpGroup;
  else if (one.isUnicast && one.group !== undefined) {
    complain("multicast destination specified with unicast - ignoring");
    one.group = undefined;
  }
  checkVirtualMac(one, report, complain);
  moveExtraAddresses(one, complain);
  checkPreemption(one, complain);
  if (one.downTimerAdverts !== DOWN_TIMER_ADVERTS && one.isStrict) {
    complain("down_timer_adverts is incompatible with strict mode - resetting");
    one.downTimerAdverts = DOWN_TIMER_ADVERTS;
  }
  checkAcceptance(one, report, complain);
  completeGarps(one, global, complain);
  completeInterval(one, complain);
  if (!one.isSourceConfigured) one.tracksSource = false;
  one.alerts ??= global.alertsVrrp ?? global.alerts ?? false;
  dropOwnInterface(one, complain);
  if (one.addresses.length === 0) report.error(CONFIG_ERROR.warning, `(${one.name}) No VIP specified; at least one is sensible`);
  clearWeights(one, complain);
  return true;
}

function checkAuthentication(one: VrrpInstanceConfig, complain: (what: string) => void): void {
  if (one.authType === 0) return;
  if (one.isStrict === true) complain("Strict mode does not support authentication. Ignoring.");
  else if (one.version === 3) complain("VRRP version 3 does not support authentication. Ignoring.");
  else if (one.authData[0] === 0) complain("Authentication specified but no password given. Ignoring");
  else {
    if (one.authType === 2 && one.wantState === "MASTER" && one.basePriority !== PRIORITY_OWNER) {
      complain("Initial state master is incompatible with AH authentication - clearing");
      one.wantState = "BACKUP";
    }
    return;
  }
  one.authType = 0;
}

function checkUnicast(one: VrrpInstanceConfig, report: ConfigReport): boolean {
  if (one.device === undefined && !one.isSourceConfigured) {
    report.general(`(${one.name}): Unicast instances must have unicast_src_ip or interface`);
    return false;
  }
  if (!one.isUnicastConfigured) return true;
  if (one.peers.length > 0) one.isUnicast = true;
  else if (one.faultsWithoutPeers) {
    report.log(`(${one.name}) Cannot use unicast without any peers - going to fault state`);
    one.hasConfigFault = true;
  } else
    report.error(
      CONFIG_ERROR.deprecated,
      `(${one.name}) A unicast keyword has been specified without any unicast peers. Defaulting to multicast. This usage is deprecated - please update your configuration.`,
    );

  return true;
}

function checkVirtualMac(one: VrrpInstanceConfig, report: ConfigReport, complain: (what: string) => void): void {
  if (one.vmacTransmitsFromBase && !one.usesVmac) {
    complain("vmac_xmit_base is only valid with a vmac");
    one.vmacTransmitsFromBase = false;
  }
  if (!one.usesVmac) return;
  if (one.isUnicast && !one.vmacTransmitsFromBase) {
    complain("unicast with use_vmac requires vmac_xmit_base - setting");
    one.vmacTransmitsFromBase = true;
  }
  if (one.device !== undefined && one.device.kind !== "ether") report.refuse("use_vmac on an interface that is no Ethernet");
}

function moveExtraAddresses(one: VrrpInstanceConfig, complain: (what: string) => void): void {
  const header = 14 + 20 + 8 + (one.version === 2 ? 8 + (one.authType === 2 ? 24 : 0) : 0);
  const room = Math.min(ADVERT_ADDRESSES_MAX, Math.floor(((one.device?.mtu ?? 1500) - header) / 4));
  if (one.addresses.length <= room) return;
  complain(`Number of VIPs (${one.addresses.length}) exceeds maximum/space available in packet (max ${room} addresses) - excess moved to eVIPs`);
  one.excludedAddresses.push(...one.addresses.splice(room));
}

function checkPreemption(one: VrrpInstanceConfig, complain: (what: string) => void): void {
  if (one.basePriority === PRIORITY_OWNER && one.isNoPreempt) {
    complain(`nopreempt is incompatible with priority ${PRIORITY_OWNER}. resetting nopreempt`);
    one.isNoPreempt = false;
  }
  if (one.wantState === "MASTER") {
    if (one.isNoPreempt) {
      complain("Warning - nopreempt will not work with initial state MASTER - clearing");
      one.isNoPreempt = false;
    }
    if (one.preemptDelayUs > 0) {
      complain("Warning - preempt delay will not work with initial state MASTER - clearing");
      one.preemptDelayUs = 0;
    }
  }
  if (one.preemptDelayUs === 0) return;
  if (one.isStrict === true) complain("preempt_delay is incompatible with strict mode - resetting");
  if (one.isNoPreempt) complain("preempt_delay is incompatible with nopreempt mode - resetting");
  if (one.isStrict === true || one.isNoPreempt) one.preemptDelayUs = 0;
}

/** Addresses that are held but not answered for need a firewall. */
function checkAcceptance(one: VrrpInstanceConfig, report: ConfigReport, complain: (what: string) => void): void {
  const isOwner = one.basePriority === PRIORITY_OWNER;
  one.accepts ??= isOwner || one.isStrict !== true;
  if (one.accepts && !isOwner && one.isStrict === true && one.version === 2) {
    complain("warning - accept mode for VRRP version 2 does not comply with RFC3768 - resetting");
    one.accepts = false;
  }
  if (!one.accepts || one.usesVmac) report.log("use_vmac or no_accept/strict specified, but no firewall configured - using nftables");
}

function completeGarps(one: VrrpInstanceConfig, global: GlobalConfig, complain: (what: string) => void): void {
  const isStrict = one.isStrict === true;
  if (one.garpLowerPriorityRepeats === undefined) one.garpLowerPriorityRepeats = isStrict ? 0 : global.garpLowerPriorityRepeats;
  else if (isStrict && one.garpLowerPriorityRepeats > 0) {
    complain("Strict mode requires no repeat garps. resetting");
    one.garpLowerPriorityRepeats = 0;
  }
  if (one.garpLowerPriorityDelayUs === undefined) one.garpLowerPriorityDelayUs = isStrict ? 0 : global.garpLowerPriorityDelayUs;
  else if (isStrict && one.garpLowerPriorityDelayUs > 0) {
    complain("Strict mode requires no repeat garp delay. resetting");
    one.garpLowerPriorityDelayUs = 0;
  }
  if (one.lowerPriorityNoAdvert === undefined) one.lowerPriorityNoAdvert = isStrict || global.lowerPriorityNoAdvert;
  else if (isStrict && !one.lowerPriorityNoAdvert) {
    complain("Strict mode requires no lower priority advert. resetting");
    one.lowerPriorityNoAdvert = true;
  }
  if (one.higherPrioritySendsAdvert === undefined) one.higherPrioritySendsAdvert = !isStrict && global.higherPrioritySendsAdvert;
  else if (isStrict && one.higherPrioritySendsAdvert) {
    complain("strict mode requires higher_prio_send_advert to be clear. resetting");
    one.higherPrioritySendsAdvert = false;
  }
}

function completeInterval(one: VrrpInstanceConfig, complain: (what: string) => void): void {
  if (one.advertIntervalUs === 0) one.advertIntervalUs = US;
  const seconds = one.advertIntervalUs / US;
  if (one.version === 2) {
    if (one.advertIntervalUs >= 256 * US) {
      complain(`VRRPv2 advertisement interval ${seconds.toFixed(2)}s is out of range. Must be less than 256s. Setting to 255s`);
      one.advertIntervalUs = 255 * US;
    } else if (one.advertIntervalUs % US !== 0) {
      complain(`VRRPv2 advertisement interval ${seconds.toFixed(6)}s must be an integer. rounding`);
      one.advertIntervalUs = Math.max(US, Math.floor((one.advertIntervalUs + US / 2) / US) * US);
    }
  } else if (one.advertIntervalUs >= 4096 * CENTI) {
    complain(`VRRPv3 advertisement interval ${seconds.toFixed(2)}s is out of range. Must be less than 40.96s. Setting to 40.95s`);
    one.advertIntervalUs = 4095 * CENTI;
  } else if (one.advertIntervalUs % CENTI !== 0) {
    complain(`VRRPv3 advertisement interval ${seconds.toFixed(6)}s must be in units of 10ms - rounding`);
    one.advertIntervalUs = Math.max(CENTI, Math.floor((one.advertIntervalUs + CENTI / 2) / CENTI) * CENTI);
  }
}

function dropOwnInterface(one: VrrpInstanceConfig, complain: (what: string) => void): void {
  const own = one.trackInterfaces.findIndex((tracked) => tracked.device === one.device?.name);
  if (own < 0) return;
  complain(`Ignoring track_interface ${one.device?.name} since own interface`);
  one.trackInterfaces.splice(own, 1);
}

/** A priority that floats is not for address owners, nor for members of a sync group unless that says so. */
function clearWeights(one: VrrpInstanceConfig, complain: (what: string) => void): void {
  const isGroup = one.sync !== undefined && !one.sync.hasTrackingWeight;
  const isOwner = one.basePriority === PRIORITY_OWNER;
  if (!isGroup && !isOwner) return;
  for (const tracked of [...one.trackInterfaces]) {
    if (tracked.weight === 0) continue;
    complain(`ignoring ${tracked.device} tracked interface ${isGroup ? "weight " : ""}due to ${isGroup ? "SYNC group" : "address owner"}`);
    if (isGroup) tracked.weight = 0;
    else one.trackInterfaces.splice(one.trackInterfaces.indexOf(tracked), 1);
  }
  for (const tracked of [...one.trackScripts]) {
    if (tracked.weight === 0) continue;
    complain(`ignoring tracked script ${tracked.script.name} with weights due to ${isGroup ? "SYNC group" : "address_owner"}`);
    one.trackScripts.splice(one.trackScripts.indexOf(tracked), 1);
  }
  for (const tracked of [...one.trackProcesses]) {
    if (tracked.weight === 0) continue;
    complain(`ignoring tracked process ${tracked.process.name} with weight ${tracked.weight} due to ${isGroup ? "SYNC group" : "address_owner"}`);
    one.trackProcesses.splice(one.trackProcesses.indexOf(tracked), 1);
  }
  for (const tracked of [...one.trackFiles]) {
    const why = isGroup ? "SYNC group" : "address_owner";
    if (tracked.weight === 0) continue;
    if (tracked.weight === 1) {
      complain(`ignoring weight from tracked file ${tracked.file.name} due to ${why}. specify weight 0`);
      tracked.weight = 0;
      continue;
    }
    complain(`ignoring tracked file ${tracked.file.name} with weight ${tracked.weight} due to ${why}`);
    one.trackFiles.splice(one.trackFiles.indexOf(tracked), 1);
  }
}

function clearGroupWeights(group: SyncGroupConfig, report: ConfigReport): void {
  if (!group.members.some((one) => one.basePriority === PRIORITY_OWNER)) return;
  for (const tracked of group.trackScripts) {
    if (tracked.weight === 0) continue;
    report.general(`(${group.name}) Cannot have weighted track script '${tracked.script.name}' with member having priority ${PRIORITY_OWNER} - clearing weight`);
    tracked.weight = 0;
  }
  for (const tracked of group.trackFiles) {
    if (tracked.weight === 0) continue;
    report.general(`(${group.name}) Cannot have weighted track file '${tracked.file.name}' with member having priority ${PRIORITY_OWNER} - setting weight 0`);
    tracked.weight = 0;
  }
  for (const tracked of group.trackInterfaces) {
    if (tracked.weight === 0) continue;
    report.general(`(${group.name}) Cannot have weighted track interface '${tracked.device}' with member having priority ${PRIORITY_OWNER} - clearing weight`);
    tracked.weight = 0;
  }
}

function hasVridConflicts(config: VrrpConfig, global: GlobalConfig, report: ConfigReport): boolean {
  let hasConflict = false;
  for (const [i, a] of config.instances.entries()) {
    for (const b of config.instances.slice(i + 1)) {
      if (a.family !== b.family || a.vrid !== b.vrid || a.isUnicast !== b.isUnicast) continue;
      if (a.isUnicast) {
        if (a.device !== undefined && b.device !== undefined && a.device !== b.device) continue;
        if (a.source?.address !== b.source?.address) continue;
        const isShared = a.peers.some((peer) => b.peers.some((other) => other.address.address === peer.address.address));
        if (!isShared) continue;
        report.general(`(${a.name}) duplicate VRID conflict with ${b.name} VRID ${a.vrid}`);
      } else {
        if (a.device !== b.device || (a.group ?? global.vrrpGroup) !== (b.group ?? global.vrrpGroup)) continue;
        report.general(`${a.name} and ${b.name} both use VRID ${a.vrid} with IPv${a.family} on interface ${a.device?.name}`);
      }
      hasConflict = true;
    }
  }
  return hasConflict;
}
