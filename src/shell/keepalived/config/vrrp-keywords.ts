/**
 * Keywords of VRRP: instances, sync groups, scripts, static addresses and routes.
 *
 * keepalived v2.2.7 vrrp/vrrp_parser.c, vrrp/vrrp_data.c, vrrp/vrrp_track.c.
 */

import type { FileSystem } from "../../file-system.ts";
import { instanceKeywords } from "./instance-keywords.ts";
import type { Keyword, KeywordStream } from "./keyword-stream.ts";
import { type NotifyScripts, type SyncGroupConfig, SyncGroupConfig as SyncGroup, type TrackedInterface, type TrackedScript, VrrpInstanceConfig, VrrpScript } from "./model.ts";
import type { ConfigReport } from "./report.ts";
import { checkScriptUser, defaultScriptUser, notifyScript, scriptWords } from "./scripts.ts";
import { trackFile } from "./track-files.ts";
import { trackProcess, trackProcessKeyword } from "./track-processes.ts";
import { knowsDevice, parseVirtualAddress, parseVirtualRoute, parseVirtualRule, type VrrpScope } from "./vrrp-addresses.ts";
import { parseTrueFalse, type Words } from "./words.ts";

const US = 1_000_000;
const UINT_MAX = 4_294_967_295;
const INT_MAX = 2_147_483_647;

export function vrrpKeywords(scope: VrrpScope, files: FileSystem, report: ConfigReport): Keyword[] {
  const { config } = scope;
  const rows = (name: string, each: (words: Words) => void): Keyword => ({ name, handle: (words, stream) => stream.valueBlock(words, each) });
  const instance = (): VrrpInstanceConfig => config.instances.at(-1) as VrrpInstanceConfig;
  return [
    {
      name: "track_group",
      handle: (words, stream) => {
        if (!named(words, stream, "track_group must have a name - skipping")) return;
        if (config.trackGroups.some((group) => group.name === words.at(1))) {
          words.report.general(`track_group ${words.at(1)} already defined`);
          stream.skipBlock();
        } else config.trackGroups.push({ name: words.at(1), members: undefined });
      },
      sub: [
        {
          name: "group",
          handle: (words, stream) => {
            const group = config.trackGroups.at(-1);
            if (group !== undefined) group.members = stream.wordBlock(words);
          },
        },
      ],
    },
    rows("static_ipaddress", (words) => {
      const address = parseVirtualAddress(words, scope, true);
      if (address !== undefined) config.staticAddresses.push(address);
    }),
    rows("static_routes", (words) => {
      const route = parseVirtualRoute(words, scope, true);
      if (route !== undefined) config.staticRoutes.push(route);
    }),
    rows("static_rules", (words) => {
      const rule = parseVirtualRule(words, scope);
      if (rule !== undefined) config.staticRules.push(rule);
    }),
    syncGroup(scope, files),
    garpGroup(scope, report),
    rows("linkbeat_interfaces", (words) => {
      if (!knowsDevice(scope, words.at(0))) words.report.general(`unknown interface ${words.at(0)} specified for linkbeat interface`);
    }),
    {
      name: "vrrp_instance",
      handle: (words, stream) => {
        if (!named(words, stream, "vrrp_instance must have a name")) return;
        if (config.instances.some((one) => one.name === words.at(1))) {
          words.report.general(`vrrp instance ${words.at(1)} already defined`);
          stream.skipBlock();
        } else config.instances.push(new VrrpInstanceConfig(words.at(1), scope.global));
      },
      sub: instanceKeywords(scope, files, instance),
      close: () => {
        const one = instance();
        if (one.peers.length > 0 || one.ttl === undefined) return;
        report.general(`(${one.name}): Cannot use unicast_ttl without unicast peers - resetting`);
        one.ttl = 0;
      },
    },
    vrrpScript(scope, files, report),
    trackProcessKeyword(config.trackProcesses, report),
    rows("interface_up_down_delays", (words) => debounce(words, scope)),
  ];
}

/** True when the block has a name; else it is skipped. */
function named(words: Words, stream: KeywordStream, complaint: string): boolean {
  if (words.length === 2) return true;
  words.report.general(complaint);
  stream.skipBlock();
  return false;
}

function debounce(words: Words, scope: VrrpScope): void {
  const { report } = words;
  const name = words.at(0);
  if (scope.host.devices.byName(name) === undefined) return report.general(`unknown interface ${name} specified for up/down delay`);
  if (words.length < 2) return report.log(`No timeouts specified for ${name} up/down delays`);
  if (words.length > 3) report.log(`Too many parameters for ${name} up/down delays`);
  const downUs = words.timer(1, 0, 255 * US, true);
  if (downUs === undefined) return report.log(`Invalid down delay ${words.at(1)} for ${name}`);
  const upUs = words.length === 2 ? 0 : words.timer(2, 0, 255 * US, true);
  if (upUs === undefined) return report.log(`Invalid up delay ${words.at(2)} for ${name}`);
  scope.config.debounce.set(name, { downUs, upUs });
}

/* ----------------------------------------------------------------------------------------------------------- sync groups */

function syncGroup(scope: VrrpScope, files: FileSystem): Keyword {
  const { config } = scope;
  const current = (): SyncGroupConfig => config.groups.at(-1) as SyncGroupConfig;
  const script = (keyword: string, slot: keyof NotifyScripts): Keyword => ({
    name: keyword,
    handle: (words) => {
      const { scripts, name } = current();
      if (scripts[slot] === undefined) scripts[slot] = notifyScript(words, "notify", files, scope.global);
      else words.report.general(`vrrp group ${name}: ${keyword} script already specified - ignoring ${words.at(1)}`);
    },
  });
  return {
    name: "vrrp_sync_group",
    handle: (words, stream) => {
      if (!named(words, stream, "vrrp_sync_group must have a name - skipping")) return;
      if (config.groups.some((group) => group.name === words.at(1))) {
        words.report.general(`vrrp sync group ${words.at(1)} already defined`);
        stream.skipBlock();
      } else config.groups.push(new SyncGroup(words.at(1)));
    },
    sub: [
      {
        name: "group",
        handle: (words, stream) => {
          const group = current();
          if (group.memberNames !== undefined) {
            words.report.general(`Group list already specified for sync group ${group.name}`);
            stream.skipBlock();
            return;
          }
          group.memberNames = stream.wordBlock(words);
          if (group.memberNames === undefined) words.report.general(`Warning - sync group ${group.name} has empty group block`);
        },
      },
      { name: "track_interface", handle: (words, stream) => stream.valueBlock(words, (row) => trackInterface(row, current().name, current().trackInterfaces, scope)) },
      { name: "track_script", handle: (words, stream) => stream.valueBlock(words, (row) => trackScript(row, current().name, current().trackScripts, scope)) },
      { name: "track_file", handle: (words, stream) => stream.valueBlock(words, (row) => trackFile(row, current().name, current().trackFiles, config.trackFiles)) },
      { name: "track_process", handle: (words, stream) => stream.valueBlock(words, (row) => trackProcess(row, current().name, current().trackProcesses, config.trackProcesses)) },
      refusedBlock("track_bfd"),
      script("notify_backup", "backup"),
      script("notify_master", "master"),
      script("notify_fault", "fault"),
      script("notify_stop", "stop"),
      script("notify", "any"),
      {
        name: "smtp_alert",
        handle: (words) => {
          const value = words.length < 2 ? true : parseTrueFalse(words.at(1));
          if (value === undefined) words.report.general(`Invalid vrrp_group smtp_alert parameter ${words.list[1]}`);
          else current().alerts = value;
        },
      },
      {
        name: "global_tracking",
        handle: (words) => {
          words.report.general(`(${current().name}) global_tracking is deprecated. Use track_interface/script/file on the sync group`);
          current().hasTrackingWeight = true;
        },
      },
      {
        name: "sync_group_tracking_weight",
        handle: () => {
          current().hasTrackingWeight = true;
        },
      },
      { name: "notify_priority_changes" },
    ],
  };
}

/** A block whose contents are taken and not imitated. */
export function refusedBlock(name: string): Keyword {
  return {
    name,
    handle: (words, stream) => {
      words.report.refuse(name);
      stream.valueBlock(words, () => {});
    },
  };
}

/* ------------------------------------------------------------------------------------------------------------- tracking */

/** `IF [weight N [reverse]]`. */
export function trackInterface(words: Words, owner: string, list: TrackedInterface[], scope: VrrpScope): void {
  const { report } = words;
  const device = words.at(0);
  if (!knowsDevice(scope, device)) return report.general(`(${owner}) tracked interface ${device} doesn't exist`);
  if (list.some((one) => one.device === device)) return report.general(`(${owner}) duplicate track_interface ${device} - ignoring`);
  let weight = 0;
  if (words.length >= 2) {
    if (words.at(1) !== "weight") return report.general(`(${owner}) unknown track_interface ${device} option ${words.at(1)} - ignoring`);
    if (words.length === 2) return report.general(`(${owner}) weight without value specified for track_interface ${device} - ignoring`);
    const value = words.int(2, -254, 254, true);
    if (value === undefined) report.general(`(${owner}) weight ${words.at(2)} for ${device} must be between [-253..253] inclusive. Ignoring...`);
    weight = boundWeight(value ?? 0, owner, device, report);
  }
  const isReversed = words.list[3] === "reverse";
  if (words.length >= 4 && !isReversed) report.general(`(${owner}) unknown track_interace ${device} weight option ${words.at(3)} - ignoring`);
  list.push({ device, weight, isReversed });
}

function boundWeight(value: number, owner: string, what: string, report: ConfigReport): number {
  if (value !== 254 && value !== -254) return value;
  report.general(`(${owner}) weight for ${what} cannot be +/-254. Setting to +/-253`);
  return Math.sign(value) * 253;
}

/** `SCRIPT [weight N [reverse|noreverse]]`. */
export function trackScript(words: Words, owner: string, list: TrackedScript[], scope: VrrpScope): void {
  const { report } = words;
  const name = words.at(0);
  const script = scope.config.scripts.find((one) => one.name === name);
  if (script === undefined) return report.general(`(${owner}) track script ${name} not found, ignoring...`);
  if (list.some((one) => one.script === script)) return report.general(`(${owner}) duplicate track_script ${name} - ignoring`);
  let { weight, isReversed } = script;
  if (words.length >= 2) {
    if (words.at(1) !== "weight") return report.general(`(${owner}) unknown track script option ${words.at(1)} - ignoring`);
    if (words.length === 2) return report.general(`(${owner}) weight without value specified for track script ${name} - ignoring`);
    const value = words.int(2, -254, 254, true);
    if (value === undefined) report.general(`(${owner}) track script ${name}: weight must be between [-253..253] inclusive, ignoring...`);
    else weight = boundWeight(value, owner, name, report);
    const option = words.list[3];
    if (option === "reverse" || option === "noreverse") isReversed = option === "reverse";
    else if (option !== undefined) report.general(`(${owner}) unknown track_script ${name} weight option ${option} - ignoring`);
  }
  script.initState = "init";
  list.push({ script, weight, isReversed });
}

/* -------------------------------------------------------------------------------------------------------------- scripts */

function vrrpScript(scope: VrrpScope, files: FileSystem, report: ConfigReport): Keyword {
  const { config } = scope;
  let hasUser = false;
  let isRemoved = false;
  const current = (): VrrpScript => config.scripts.at(-1) as VrrpScript;
  const bound = Math.floor(UINT_MAX / US);
  const counted = (name: "rise" | "fall"): Keyword => ({
    name,
    handle: (words) => {
      const value = words.unsigned(1, 1, INT_MAX, true);
      if (value === undefined) words.report.general(`(${current().name}): vrrp script ${name} value '${words.at(1)}' invalid, defaulting to 1`);
      current()[name] = value ?? 1;
    },
  });
  return {
    name: "vrrp_script",
    handle: (words) => {
      config.scripts.push(new VrrpScript(words.at(1)));
      hasUser = false;
      isRemoved = false;
    },
    sub: [
      {
        name: "script",
        handle: (words) => {
          const args = scriptWords(words);
          if (args !== undefined) current().script = { args, user: "root", hasInterpreter: true };
        },
      },
      {
        name: "interval",
        handle: (words) => {
          const value = words.unsigned(1, 0, bound, true);
          const { name } = current();
          if (value === undefined) return words.report.general(`(${name}): vrrp script interval '${words.at(1)}' must be between 1 and ${bound} - ignoring`);
          if (value === 0) words.report.general(`(${name}): vrrp script interval must be greater than 0, setting to 1`);
          current().intervalUs = Math.max(1, value) * US;
        },
      },
      {
        name: "timeout",
        handle: (words) => {
          const value = words.unsigned(1, 0, bound, true);
          const { name } = current();
          if (value === undefined) return words.report.general(`(${name}): vrrp script timeout '${words.at(1)}' invalid - ignoring`);
          if (value === 0) words.report.general(`(${name}): vrrp script timeout must be greater than 0, setting to 1`);
          current().timeoutUs = Math.max(1, value) * US;
        },
      },
      {
        name: "weight",
        handle: (words) => {
          const value = words.int(1, -253, 253, true);
          const { name } = current();
          if (value === undefined) words.report.general(`vrrp_script ${name} weight ${words.at(1)} must be in [-253, 253]`);
          current().weight = value ?? (Number.parseInt(words.at(1), 10) || 0);
          if (words.length < 3) return;
          if (words.at(2) === "reverse") current().isReversed = true;
          else words.report.general(`vrrp_script ${name} unknown weight option ${words.at(2)}`);
        },
      },
      counted("rise"),
      counted("fall"),
      {
        name: "user",
        handle: (words) => {
          isRemoved = !checkScriptUser(files, words.at(1), words.report);
          hasUser = !isRemoved;
          if (isRemoved) words.report.general(`Unable to set uid/gid for script ${current().script?.args.map((one) => `'${one}'`).join(" ") ?? ""}`);
        },
      },
      {
        name: "init_fail",
        handle: () => {
          current().initState = "failed";
        },
      },
    ],
    close: () => {
      const { script, name } = current();
      if (script === undefined || script.args[0] === "") {
        report.general(`No script set for vrrp_script ${name} - removing`);
        isRemoved = true;
      } else if (!isRemoved && !hasUser && defaultScriptUser(files, scope.global, report) === undefined) {
        report.general(`Unable to set default user for vrrp script ${name} - removing`);
        isRemoved = true;
      }
      if (isRemoved) config.scripts.pop();
    },
  };
}

/* ---------------------------------------------------------------------------------------------------------- garp groups */

function garpGroup(scope: VrrpScope, report: ConfigReport): Keyword {
  const groups = scope.config.garpGroups;
  const current = (): (typeof groups)[number] => groups.at(-1) as (typeof groups)[number];
  const add = (name: string, words: Words): void => {
    if (!knowsDevice(scope, name)) words.report.general(`WARNING - interface ${name} specified for garp_group doesn't exist`);
    else if (groups.some((group) => group.devices.includes(name))) words.report.general(`garp_group already specified for ${name} - ignoring`);
    else current().devices.push(name);
  };
  return {
    name: "garp_group",
    handle: () => {
      groups.push({ intervalUs: undefined, hasGnaInterval: false, devices: [] });
    },
    sub: [
      {
        name: "garp_interval",
        handle: (words) => {
          const value = words.timer(1, 0, INT_MAX, true);
          if (value === undefined) return words.report.general(`garp_group garp_interval '${words.at(1)}' invalid`);
          current().intervalUs = value;
          if (value >= US) words.report.log(`The garp_interval is very large - ${words.at(1)} seconds`);
        },
      },
      {
        name: "gna_interval",
        handle: (words) => {
          if (words.timer(1, 0, INT_MAX, true) === undefined) words.report.general(`garp_group gna_interval '${words.at(1)}' invalid`);
          else current().hasGnaInterval = true;
        },
      },
      { name: "interface", handle: (words) => add(words.at(1), words) },
      {
        name: "interfaces",
        handle: (words, stream) => {
          const names = stream.wordBlock(words);
          if (names === undefined) words.report.general("Warning - empty garp_group interfaces block");
          for (const name of names ?? []) add(name, words);
        },
      },
    ],
    close: () => {
      if (current().intervalUs !== undefined || current().hasGnaInterval) return;
      report.general("garp group 0 does not have any delay set - removing");
      groups.pop();
    },
  };
}
