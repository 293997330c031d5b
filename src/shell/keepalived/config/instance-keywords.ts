/**
 * Keywords of one vrrp_instance.
 *
 * keepalived v2.2.7 vrrp/vrrp_parser.c, vrrp/vrrp_data.c (alloc_vrrp_vip, alloc_vrrp_unicast_peer).
 */

import { isMulticast } from "../../../base/ipv4-address.ts";
import { utf8Bytes } from "../../../base/bytes.ts";
import type { FileSystem } from "../../file-system.ts";
import { parseSocketAddress } from "./addresses.ts";
import type { Keyword } from "./keyword-stream.ts";
import type { NotifyScripts, VrrpInstanceConfig } from "./model.ts";
import { notifyScript } from "./scripts.ts";
import { trackFile } from "./track-files.ts";
import { trackProcess } from "./track-processes.ts";
import { knowsDevice, parseVirtualAddress, parseVirtualRoute, parseVirtualRule, type VrrpScope } from "./vrrp-addresses.ts";
import { refusedBlock, trackInterface, trackScript } from "./vrrp-keywords.ts";
import { parseTrueFalse, parseUnsigned, type Words } from "./words.ts";

const US = 1_000_000;
const UINT_MAX = 4_294_967_295;
const INT_MAX = 2_147_483_647;
const PRIORITY_OWNER = 255;
const PRIORITY_DEFAULT = 100;
const PREEMPT_DELAY_MAX_SECONDS = 1000;
const AUTH_BYTES = 8;
const NAME_MAX = 15;

export function instanceKeywords(scope: VrrpScope, files: FileSystem, instance: () => VrrpInstanceConfig): Keyword[] {
  const set = (name: string, handle: (words: Words, one: VrrpInstanceConfig) => void): Keyword => ({ name, handle: (words) => handle(words, instance()) });
  const rows = (name: string, each: (words: Words, one: VrrpInstanceConfig) => void): Keyword => ({
    name,
    handle: (words, stream) => stream.valueBlock(words, (row) => each(row, instance())),
  });
  return [
    ...virtualMac(set),
    {
      name: "unicast_peer",
      handle: (words, stream) => {
        instance().isUnicastConfigured = true;
        stream.valueBlock(words, (row) => addPeer(row, instance()));
      },
    },
    set("unicast_fault_no_peer", (_words, one) => {
      one.isUnicastConfigured = true;
      one.faultsWithoutPeers = true;
    }),
    set("check_unicast_src", (_words, one) => {
      one.isUnicastConfigured = true;
      one.checksUnicastSource = true;
    }),
    set("old_unicast_checksum", (words, one) => {
      one.isUnicastConfigured = true;
      if (words.length >= 2 && words.at(1) !== "never") words.report.general(`(${one.name}) Unknown old_unicast_chksum mode ${words.at(1)} - ignoring`);
      else if (words.length < 2) words.report.refuse("old_unicast_checksum");
    }),
    set("native_ipv6", (words, one) => {
      if (one.family === 4) words.report.general(`(${one.name}) Cannot specify native_ipv6 with IPv4 addresses`);
      else words.report.refuse("native_ipv6");
    }),
    set("state", setState),
    set("interface", (words, one) => setInterface(words, one, scope)),
    set("vrf", (words) => words.report.refuse("vrf")),
    set("dont_track_primary", (_words, one) => {
      one.tracksPrimary = false;
    }),
    rows("track_interface", (words, one) => trackInterface(words, one.name, one.trackInterfaces, scope)),
    rows("track_script", (words, one) => trackScript(words, one.name, one.trackScripts, scope)),
    rows("track_file", (words, one) => trackFile(words, one.name, one.trackFiles, scope.config.trackFiles)),
    rows("track_process", (words, one) => trackProcess(words, one.name, one.trackProcesses, scope.config.trackProcesses)),
    refusedBlock("track_bfd"),
    set("mcast_src_ip", setSource),
    set("unicast_src_ip", (words, one) => {
      one.isUnicastConfigured = true;
      setSource(words, one);
    }),
    set("mcast_dst_ip", setGroup),
    set("track_src_ip", (_words, one) => {
      one.tracksSource = true;
    }),
    ...numbers(set),
    rows("virtual_ipaddress", (words, one) => {
      const address = parseVirtualAddress(words, scope, false);
      if (address === undefined) return;
      if (one.family === 0) one.family = address.family;
      if (one.family === address.family) one.addresses.push(address);
      else words.report.general(`(${one.name}): address family must match VRRP instance [${words.at(0)}] - ignoring`);
    }),
    rows("virtual_ipaddress_excluded", (words, one) => {
      const address = parseVirtualAddress(words, scope, false);
      if (address !== undefined) one.excludedAddresses.push(address);
    }),
    set("promote_secondaries", (_words, one) => {
      one.promotesSecondaries = true;
    }),
    set("linkbeat_use_polling", (words, one) =>
      words.report.general(`(${one.name}) 'linkbeat_use_polling' in vrrp instance deprecated - use linkbeat_interfaces block`),
    ),
    rows("virtual_routes", (words, one) => {
      const route = parseVirtualRoute(words, scope, false);
      if (route !== undefined) one.routes.push(route);
    }),
    rows("virtual_rules", (words, one) => {
      const rule = parseVirtualRule(words, scope);
      if (rule !== undefined) one.rules.push(rule);
    }),
    set("accept", (_words, one) => {
      one.accepts = true;
    }),
    set("no_accept", (_words, one) => {
      one.accepts = false;
    }),
    ...switches(set),
    ...scripts(scope, files, set),
    set("smtp_alert", (words, one) => {
      const value = words.length < 2 ? true : parseTrueFalse(words.at(1));
      if (value === undefined) words.report.general(`Invalid vrrp_instance smtp_alert parameter ${words.list[1]}`);
      else one.alerts = value;
    }),
    { name: "notify_priority_changes" },
    set("lvs_sync_daemon_interface", (words, one) => {
      words.report.general(`(${one.name}) Specifying lvs_sync_daemon_interface against a vrrp is deprecated.`);
      words.report.general(`      ${" ".repeat(Math.max(0, one.name.length - 2))}Please use global lvs_sync_daemon`);
      const { global } = scope;
      if (global.syncDaemon === undefined) global.syncDaemon = { device: words.value(), instanceName: one.name, syncId: undefined, maxLength: 0, port: 0, ttl: 0, group: 0 };
      else words.report.general(`(${one.name}) lvs_sync_daemon_interface has already been specified as ${global.syncDaemon.device} - ignoring`);
    }),
    ...garps(set),
    { name: "kernel_rx_buf_size" },
    {
      name: "authentication",
      sub: [set("auth_type", setAuthType), set("auth_pass", setPassword)],
    },
  ];
}

type Set = (name: string, handle: (words: Words, one: VrrpInstanceConfig) => void) => Keyword;

function virtualMac(set: Set): Keyword[] {
  return [
    set("use_vmac", (words, one) => {
      one.usesVmac = true;
      for (const word of words.list.slice(1, 3)) {
        if (word.includes(":")) words.report.refuse("use_vmac with a MAC address");
        else if (word.length > NAME_MAX || /[/\s]/.test(word) || word === "." || word === "..")
          words.report.general(`VMAC interface name '${word}' too long or invalid characters - ignoring`);
        else if (one.vmacName !== "") words.report.general("VMAC interface name already specified");
        else one.vmacName = word;
      }
    }),
    set("use_vmac_addr", (words, one) => {
      one.vmacForOtherAddresses = true;
      words.report.refuse("use_vmac_addr");
    }),
    set("vmac_xmit_base", (_words, one) => {
      one.vmacTransmitsFromBase = true;
    }),
    set("use_ipvlan", (words, one) => {
      one.usesIpvlan = true;
      words.report.refuse("use_ipvlan");
    }),
  ];
}

function addPeer(words: Words, one: VrrpInstanceConfig): void {
  const { report } = words;
  const text = words.at(0);
  const address = parseSocketAddress(text, undefined, report);
  if (address === undefined) return report.general(`Configuration error: VRRP instance[${one.name}] malformed unicast peer address[${text}]. Skipping...`);
  if (one.family === 0) one.family = address.family;
  else if (one.family !== address.family)
    return report.general(`Configuration error: VRRP instance[${one.name}] and unicast peer address[${text}] MUST be of the same family !!! Skipping...`);
  if (address.family === 6) report.refuse("an IPv6 unicast peer");
  const peer = { address, minTtl: 0, maxTtl: 255 };
  for (let i = 1; i < words.length; i += 2) {
    const value = words.list[i + 1];
    if (value === undefined) {
      report.general(`(${one.name}) ${words.at(i)} is missing a value`);
      break;
    }
    const ttl = parseUnsigned(value, 0, 255, false, report);
    if (ttl === undefined) continue;
    if (words.at(i) === "min_ttl") peer.minTtl = ttl;
    else if (words.at(i) === "max_ttl") peer.maxTtl = ttl;
    else {
      report.general(`(${one.name}) unknown unicast_peer option ${words.at(i)}`);
      break;
    }
    one.checksUnicastSource = true;
  }
  if (peer.minTtl > peer.maxTtl) report.general(`(${one.name}) min_ttl ${peer.minTtl} > max_ttl ${peer.maxTtl} - all packets will be discarded`);
  one.peers.push(peer);
}

function setState(words: Words, one: VrrpInstanceConfig): void {
  const state = words.at(1);
  if (state === "MASTER") one.wantState = "MASTER";
  else if (state === "BACKUP") {
    if (one.wantState === "MASTER") words.report.general(`(${one.name}) state previously set as MASTER - ignoring BACKUP`);
    else one.wantState = "BACKUP";
  } else {
    words.report.general(`(${one.name}) unknown state '${state}', defaulting to BACKUP`);
    one.wantState = "BACKUP";
  }
}

function setInterface(words: Words, one: VrrpInstanceConfig, scope: VrrpScope): void {
  const name = words.at(1);
  if (name.length > NAME_MAX) return words.report.general(`Interface name '${name}' too long - ignoring`);
  one.device = undefined;
  if (!knowsDevice(scope, name)) return words.report.general(`WARNING - interface ${name} for vrrp_instance ${one.name} doesn't exist`);
  const device = scope.host.devices.byName(name);
  if (device?.kind === "loopback") words.report.general(`(${one.name}) cannot use a loopback interface (${name}) for vrrp - ignoring`);
  else one.device = device;
}

function setSource(words: Words, one: VrrpInstanceConfig): void {
  const text = words.at(1);
  const address = parseSocketAddress(text, undefined, words.report);
  if (address === undefined) return words.report.general(`Configuration error: VRRP instance[${one.name}] malformed src address[${text}]. Skipping...`);
  if (one.family === 0) one.family = address.family;
  else if (one.family !== address.family) {
    words.report.general(`Configuration error: VRRP instance[${one.name}] and src address[${text}] MUST be of the same family !!! Skipping...`);
    one.source = undefined;
    one.isSourceConfigured = false;
    return;
  }
  one.source = address;
  one.isSourceConfigured = true;
}

function setGroup(words: Words, one: VrrpInstanceConfig): void {
  const text = words.at(1);
  const address = parseSocketAddress(text, undefined, words.report);
  if (address === undefined) return words.report.general(`(${one.name}) malformed mcast dest address ${text}. Skipping...`);
  if (one.family === 0) one.family = address.family;
  else if (one.family !== address.family) return words.report.general(`(${one.name}) mcast dest address ${text} MUST match VRRP instance family. Skipping...`);
  if (address.family === 4 && !isMulticast(address.address)) return words.report.general(`(${one.name}) mcast_dst_ip ${text} not multicast. Skipping...`);
  one.group = address.address;
}

function numbers(set: Set): Keyword[] {
  return [
    set("virtual_router_id", (words, one) => {
      const value = words.unsigned(1, 1, 255, false);
      if (value === undefined) words.report.general(`(${one.name}): VRID '${words.at(1)}' not valid - must be between 1 & 255`);
      else one.vrid = value;
    }),
    set("unicast_ttl", (words, one) => {
      const value = words.unsigned(1, 0, 255, false);
      if (value === undefined) words.report.general(`(${one.name}): TTL '${words.at(1)}' not valid - must be between 0 & 255`);
      else one.ttl = value;
    }),
    set("version", (words, one) => {
      const value = words.int(1, 2, 3, true);
      if (value === undefined) return words.report.general(`(${one.name}): Version must be either 2 or 3`);
      if ((one.version !== 0 && one.version !== value) || (value === 2 && one.family === 6))
        return words.report.general(`(${one.name}) vrrp_version ${value} conflicts with configured or deduced version ${one.version}; ignoring.`);
      one.version = value;
    }),
    set("priority", (words, one) => {
      const value = words.unsigned(1, 1, PRIORITY_OWNER, false);
      if (value === undefined)
        words.report.general(`(${one.name}) Priority not valid! must be between 1 & ${PRIORITY_OWNER}. Using default ${PRIORITY_DEFAULT}`);
      one.basePriority = value ?? PRIORITY_DEFAULT;
    }),
    set("advert_int", (words, one) => {
      const value = words.timer(1, US / 100, 255 * US, true);
      if (value === undefined) words.report.general(`(${one.name}) Advert interval (${words.at(1)}) not valid! Must be > 0 - ignoring`);
      else one.advertIntervalUs = value;
    }),
    set("preempt_delay", (words, one) => {
      const value = words.timer(1, 0, PREEMPT_DELAY_MAX_SECONDS * US, true);
      if (value === undefined) words.report.general(`(${one.name}) Preempt_delay not valid! must be between 0-${PREEMPT_DELAY_MAX_SECONDS}`);
      one.preemptDelayUs = value ?? 0;
    }),
    set("debug", (words, one) => {
      if (words.unsigned(1, 0, 4, true) === undefined) words.report.general(`(${one.name}) Debug value '${words.at(1)}' not valid; must be between 0-4`);
    }),
    set("down_timer_adverts", (words, one) => {
      const value = words.unsigned(1, 1, 100, true);
      if (value === undefined) words.report.general(`(${one.name}): Invalid down_timer_adverts [1:100] '${words.at(1)}'`);
      else one.downTimerAdverts = value;
    }),
  ];
}

function switches(set: Set): Keyword[] {
  const boolean = (name: string, take: (one: VrrpInstanceConfig, value: boolean) => void): Keyword =>
    set(name, (words, one) => {
      const value = words.length < 2 ? true : parseTrueFalse(words.at(1));
      if (value === undefined) words.report.general(`(${one.name}) invalid ${name} ${words.at(1)} specified`);
      else take(one, value);
    });
  return [
    // Linux differs: whatever the parameter says, a valid one turns the option on (keepalived 2.2.7).
    boolean("skip_check_adv_addr", (one) => {
      one.skipsAddressCheck = true;
    }),
    boolean("strict_mode", (one, value) => {
      one.isStrict = value;
    }),
    boolean("lower_prio_no_advert", (one, value) => {
      one.lowerPriorityNoAdvert = value;
    }),
    boolean("higher_prio_send_advert", (one, value) => {
      one.higherPrioritySendsAdvert = value;
    }),
    set("preempt", (_words, one) => {
      one.isNoPreempt = false;
    }),
    set("nopreempt", (_words, one) => {
      one.isNoPreempt = true;
    }),
  ];
}

function scripts(scope: VrrpScope, files: FileSystem, set: Set): Keyword[] {
  const script = (keyword: string, slot: keyof NotifyScripts): Keyword =>
    set(keyword, (words, one) => {
      if (one.scripts[slot] === undefined) one.scripts[slot] = notifyScript(words, "notify", files, scope.global);
      else words.report.general(`(${one.name}) ${keyword} script already specified - ignoring ${words.at(1)}`);
    });
  return [
    script("notify_backup", "backup"),
    script("notify_master", "master"),
    script("notify_fault", "fault"),
    script("notify_stop", "stop"),
    set("notify_deleted", (words, one) => {
      if (one.notifiesDeleted) return words.report.general(`(${one.name}) notify_deleted already specified - ignoring ${words.list[1] ?? ""}`);
      if (words.length > 1) one.scripts.deleted = notifyScript(words, "notify", files, scope.global);
      one.notifiesDeleted = true;
    }),
    script("notify", "any"),
    script("notify_master_rx_lower_pri", "masterHeardLower"),
  ];
}

function garps(set: Set): Keyword[] {
  const bound = Math.floor(UINT_MAX / US);
  const delay = (name: string, take: (one: VrrpInstanceConfig, us: number) => void): Keyword =>
    set(name, (words, one) => {
      const value = words.unsigned(1, 0, bound, true);
      if (value === undefined) words.report.general(`(${one.name}): ${name} '${words.at(1)}' invalid - ignoring`);
      else take(one, value * US);
    });
  const repeats = (name: string, take: (one: VrrpInstanceConfig, count: number) => void): Keyword =>
    set(name, (words, one) => {
      const value = words.unsigned(1, 0, UINT_MAX, true);
      if (value === undefined) return words.report.general(`(${one.name}): ${name} '${words.at(1)}' invalid - ignoring`);
      if (value === 0) words.report.general(`(${one.name}): ${name} must be greater than 0, setting to 1`);
      take(one, Math.max(1, value));
    });
  const extra = (words: Words, one: VrrpInstanceConfig): void => {
    let delaySeconds: number | undefined;
    for (const text of words.list.slice(1)) {
      if (text === "all") continue;
      delaySeconds = parseUnsigned(text, 0, 86400, true, words.report);
      if (delaySeconds === undefined) return words.report.general(`(${one.name}): ${words.at(0)} '${text}' invalid - ignoring`);
    }
    if (delaySeconds === undefined) words.report.general(`(${one.name}): ${words.at(0)} specified without time - ignoring`);
    else if (delaySeconds > 0) words.report.refuse(words.at(0));
  };
  return [
    delay("garp_master_delay", (one, us) => {
      one.garpDelayUs = us;
    }),
    set("garp_master_refresh", (words, one) => {
      const value = words.unsigned(1, 0, UINT_MAX, true);
      if (value === undefined) words.report.general(`(${one.name}): Invalid garp_master_refresh '${words.at(1)}' - ignoring`);
      one.garpRefreshSeconds = value ?? 0;
    }),
    repeats("garp_master_repeat", (one, count) => {
      one.garpRepeats = count;
    }),
    repeats("garp_master_refresh_repeat", (one, count) => {
      one.garpRefreshRepeats = count;
    }),
    delay("garp_lower_prio_delay", (one, us) => {
      one.garpLowerPriorityDelayUs = us;
    }),
    set("garp_lower_prio_repeat", (words, one) => {
      const value = words.unsigned(1, 0, INT_MAX, true);
      if (value === undefined) words.report.general(`(${one.name}): Invalid garp_lower_prio_repeat '${words.at(1)}'`);
      else one.garpLowerPriorityRepeats = value;
    }),
    set("garp_extra_if", extra),
    set("vmac_garp_intvl", extra),
  ];
}

function setAuthType(words: Words, one: VrrpInstanceConfig): void {
  const type = words.at(1);
  if (type === "AH") one.authType = 2;
  else if (type === "PASS") one.authType = 1;
  else words.report.general(`(${one.name}) unknown authentication type '${type}'`);
}

function setPassword(words: Words, one: VrrpInstanceConfig): void {
  const bytes = utf8Bytes(words.at(1));
  if (bytes.length > AUTH_BYTES) words.report.general(`Truncating auth_pass to ${AUTH_BYTES} characters`);
  one.authData = new Uint8Array(AUTH_BYTES);
  one.authData.set(bytes.subarray(0, AUTH_BYTES));
}
