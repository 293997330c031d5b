/**
 * Keywords of global_defs and those few that stand alone beside it.
 *
 * keepalived v2.2.7 core/global_parser.c.
 */

import { formatIpv4Address, type Ipv4Address, isMulticast } from "../../../base/ipv4-address.ts";
import type { FileSystem } from "../../file-system.ts";
import { parseSocketAddress } from "./addresses.ts";
import type { Keyword } from "./keyword-stream.ts";
import type { GlobalConfig, SyncDaemonConfig } from "./model.ts";
import { checkScriptUser, notifyScript } from "./scripts.ts";
import { parseTrueFalse, parseUnsigned, type Words } from "./words.ts";

const US = 1_000_000;
const UINT_MAX = 4_294_967_295;
const COMM_MAX = 15;
const TIMEOUT_MAX_SECONDS = 86400 * 31;
const REAL_TIME_MAX = 99;

/** Keywords without effect on a simulated machine: processor, memory, netlink buffers, SNMP counters in a process that nobody asks. */
const WITHOUT_EFFECT = [
  "vrrp_no_swap",
  "vrrp_cpu_affinity",
  "vrrp_rlimit_rttime",
  "vrrp_rlimit_rtime",
  "checker_no_swap",
  "checker_cpu_affinity",
  "checker_rlimit_rttime",
  "checker_rlimit_rtime",
  "bfd_priority",
  "bfd_no_swap",
  "bfd_rt_priority",
  "bfd_cpu_affinity",
  "bfd_rlimit_rttime",
  "bfd_rlimit_rtime",
  "bfd_process_name",
  "snmp_socket",
  "vrrp_netlink_cmd_rcv_bufs",
  "vrrp_netlink_cmd_rcv_bufs_force",
  "vrrp_netlink_monitor_rcv_bufs",
  "vrrp_netlink_monitor_rcv_bufs_force",
  "process_monitor_rcv_bufs",
  "process_monitor_rcv_bufs_force",
  "lvs_netlink_cmd_rcv_bufs",
  "lvs_netlink_cmd_rcv_bufs_force",
  "lvs_netlink_monitor_rcv_bufs",
  "lvs_netlink_monitor_rcv_bufs_force",
  "vrrp_rx_bufs_policy",
  "vrrp_rx_bufs_multiplier",
  "umask",
  "random_seed",
  "tmp_config_directory",
  "config_save_dir",
  "data_use_instance",
  "vrrp_notify_priority_changes",
  "fifo_write_vrrp_states_on_reload",
  "vrrp_gna_interval",
  "vrrp_mcast_group6",
  "vrrp_ipsets",
  "nftables_priority",
  "nftables_ifindex",
  "nftables_counters",
  "nftables_ipvs_priority",
  "nftables_ipvs_start_fwmark",
  "dbus_service_name",
  "enable_traps",
  "enable_snmp_vrrp",
  "enable_snmp_keepalived",
  "enable_snmp_rfc",
  "enable_snmp_rfcv2",
  "enable_snmp_rfcv3",
  "enable_snmp_checker",
];

/** Keywords that do something which is not imitated. */
const REFUSED = [
  "notify_fifo",
  "notify_fifo_script",
  "vrrp_notify_fifo",
  "vrrp_notify_fifo_script",
  "lvs_notify_fifo",
  "lvs_notify_fifo_script",
  "enable_dbus",
  "nftables_ipvs",
  "reload_check_config",
  "reload_time_file",
  "reload_repeat",
  "reload_file",
];

/** What reading global_defs needs of the machine. */
export interface GlobalScope {
  readonly files: FileSystem;
  /** The address of a host name. */
  readonly resolve: (name: string) => Ipv4Address | undefined;
}

export function globalKeywords(global: GlobalConfig, scope: GlobalScope, includeCheck: (words: Words) => void): Keyword[] {
  const root = (name: string, handle?: (words: Words) => void): Keyword => (handle === undefined ? { name } : { name, handle });
  const refuse = (words: Words): void => words.report.refuse(words.at(0));
  return [
    root("linkbeat_use_polling"),
    root("net_namespace", refuse),
    root("net_namespace_ipvs", refuse),
    root("namespace_with_ipsets"),
    root("use_pid_dir", () => {
      global.usesPidDirectory = true;
    }),
    root("instance", (words) => {
      if (words.length < 2) words.report.general("instance name missing - ignoring");
      else if (global.instanceLabel !== undefined) words.report.general(`Duplicate instance definition ${words.at(1)} - ignoring`);
      else {
        global.instanceLabel = words.at(1);
        global.usesPidDirectory = true;
      }
    }),
    root("child_wait_time", (words) => {
      const value = words.unsigned(1, 0, UINT_MAX, true);
      if (value === undefined) words.report.general(`Invalid child_wait_time ${words.at(1)}`);
      else global.childWaitSeconds = value;
    }),
    { name: "global_defs", sub: [...definitions(global, scope), { name: "include_check", handle: includeCheck }] },
  ];
}

type Handler = (words: Words) => void;

function definitions(global: GlobalConfig, { files, resolve }: GlobalScope): Keyword[] {
  const handlers: Record<string, Handler | undefined> = {
    ...processKeywords(global),
    ...scriptKeywords(global, files),
    ...lvsKeywords(global),
    ...vrrpKeywords(global),
    ...garpKeywords(global),
    ...mailKeywords(global, resolve),
  };
  for (const name of WITHOUT_EFFECT) handlers[name] = undefined;
  for (const name of REFUSED) handlers[name] = (words) => words.report.refuse(name);
  const keywords: Keyword[] = Object.entries(handlers).map(([name, handle]) => (handle === undefined ? { name } : { name, handle }));
  keywords.push({
    name: "notification_email",
    handle: (words, stream) => {
      const addresses = stream.wordBlock(words);
      if (addresses === undefined) words.report.general("Warning - empty notification_email block");
      else global.mailTo.push(...addresses);
    },
  });
  return keywords;
}

function flag(words: Words, complaint: string, set: (value: boolean) => void): void {
  const value = words.length < 2 ? true : parseTrueFalse(words.at(1));
  if (value === undefined) words.report.general(complaint);
  else set(value);
}

function processName(words: Words): string {
  const name = words.at(1);
  if (name.length <= COMM_MAX) return name;
  words.report.general(`Process name ${name} more than ${COMM_MAX} characters, truncating`);
  return name.slice(0, COMM_MAX);
}

function processKeywords(global: GlobalConfig): Record<string, Handler> {
  const checkerName = (words: Words): void => {
    global.checkerProcessName = processName(words);
  };
  const priority = (words: Words, kind: string): void => {
    if (words.length < 2) words.report.general(`No ${kind} process priority specified`);
    else if (words.int(1, -20, 19, true) === undefined) words.report.general(`Invalid ${kind} process priority specified`);
  };
  const realTime = (words: Words, kind: string): void => {
    if (words.length < 2) return words.report.general(`No ${kind} process real-time priority specified`);
    const value = words.int(1, -2_147_483_648, 2_147_483_647, true);
    if (value === undefined) words.report.general(`${kind} process real-time priority '${words.at(1)}' invalid`);
    else if (value < 1) words.report.general(`${kind} process real-time priority ${value} less than minimum 1 - setting to minimum`);
    else if (value > REAL_TIME_MAX) words.report.general(`${kind} process real-time priority ${value} greater than maximum ${REAL_TIME_MAX} - setting to maximum`);
  };
  return {
    process_names: () => {
      global.vrrpProcessName = "keepalived_vrrp";
      global.checkerProcessName = "keepalived_lvs";
    },
    process_name: (words) => {
      global.processName = processName(words);
    },
    vrrp_process_name: (words) => {
      global.vrrpProcessName = processName(words);
    },
    checker_process_name: checkerName,
    lvs_process_name: (words) => {
      words.report.log("'lvs_process_name' is deprecated - please use 'checker_process_name'");
      checkerName(words);
    },
    router_id: (words) => {
      if (words.length < 2) words.report.general("routerid name missing - ignoring");
      else global.routerId = words.value();
    },
    max_auto_priority: (words) => {
      const value = words.length < 2 ? REAL_TIME_MAX : words.int(1, -1, REAL_TIME_MAX, true);
      if (value === undefined) words.report.general(`max_auto_priority '${words.at(1)}' must be in [0, ${REAL_TIME_MAX}] (or -1 to disable) - ignoring`);
      else global.maxAutoPriority = value;
    },
    min_auto_priority_delay: (words) => {
      if (words.length < 2) words.report.general("min_auto_priority_delay requires delay time");
      else if (words.int(1, 1, 10_000_000, true) === undefined)
        words.report.general(`min_auto_priority_delay '${words.at(1)}' must be in [1, 10000000] - ignoring`);
    },
    vrrp_priority: (words) => priority(words, "vrrp"),
    checker_priority: (words) => priority(words, "checker"),
    vrrp_rt_priority: (words) => realTime(words, "vrrp"),
    checker_rt_priority: (words) => realTime(words, "checker"),
  };
}

function scriptKeywords(global: GlobalConfig, files: FileSystem): Record<string, Handler> {
  const edge = (words: Words, isStart: boolean): void => {
    const kind = isStart ? "startup" : "shutdown";
    const present = isStart ? global.startupScript : global.shutdownScript;
    if (present !== undefined) return words.report.general(`${kind} script already specified`);
    if (words.length < 2) return words.report.general(`${kind} script missing`);
    const script = notifyScript(words, kind, files, global);
    if (script === undefined) words.report.general(`Invalid ${kind} script`);
    else if (isStart) global.startupScript = script;
    else global.shutdownScript = script;
  };
  const timeout = (words: Words, isStart: boolean): void => {
    const kind = isStart ? "startup" : "shutdown";
    if (words.length < 2) return words.report.general(`${kind}_script_timeout requires value`);
    const value = words.unsigned(1, 1, 1000, true);
    if (value === undefined) words.report.general(`${kind}_script_timeout '${words.at(1)}' must be in [1, 1000] - ignoring`);
    else if (isStart) global.startupScriptTimeoutSeconds = value;
    else global.shutdownScriptTimeoutSeconds = value;
  };
  return {
    startup_script: (words) => edge(words, true),
    startup_script_timeout: (words) => timeout(words, true),
    shutdown_script: (words) => edge(words, false),
    shutdown_script_timeout: (words) => timeout(words, false),
    script_user: (words) => {
      if (words.length < 2) return words.report.general("No script username specified");
      global.scriptUser = words.at(1);
      if (checkScriptUser(files, words.at(1), words.report)) return;
      global.isScriptUserBad = true;
      words.report.general("Error setting global script uid/gid");
    },
    enable_script_security: () => {
      global.hasScriptSecurity = true;
    },
  };
}

function mailKeywords(global: GlobalConfig, resolve: GlobalScope["resolve"]): Record<string, Handler> {
  const alert =
    (key: "alerts" | "alertsVrrp" | "alertsCheckers"): Handler =>
    (words) =>
      flag(words, `Invalid value '${words.list[1]}' for global ${words.at(0)} specified`, (value) => {
        global[key] = value;
      });
  return {
    smtp_alert: alert("alerts"),
    smtp_alert_vrrp: alert("alertsVrrp"),
    smtp_alert_checker: alert("alertsCheckers"),
    no_checker_emails: () => {
      global.hasNoCheckerMail = true;
    },
    no_email_faults: () => {
      global.hasNoFaultMail = true;
    },
    smtp_helo_name: (words) => {
      if (words.length >= 2) global.smtpHelo = words.at(1);
    },
    notification_email_from: (words) => {
      if (words.length < 2) words.report.general("emailfrom missing - ignoring");
      else global.mailFrom = words.value();
    },
    smtp_connect_timeout: (words) => {
      const bound = Math.floor(UINT_MAX / US);
      const value = words.unsigned(1, 0, bound, true);
      if (value === undefined) words.report.general(`smtp_connect_timeout '${words.at(1)}' must be in [0, ${bound}] - ignoring`);
      else {
        if (value === 0) words.report.general("smtp_conect_timeout must be greater than 0, setting to 1");
        global.smtpTimeoutUs = Math.max(1, value) * US;
      }
    },
    smtp_server: (words) => {
      const port = words.length >= 3 ? words.at(2) : "25";
      const name = words.at(1);
      const number = /^[\d.]+$|:/.test(name) ? undefined : resolve(name);
      const isName = /[-/a-zA-Z]/.test(name) && !name.includes(":");
      const address = isName && number === undefined ? undefined : parseSocketAddress(number === undefined ? name : formatIpv4Address(number), port, words.report);
      if (address === undefined) words.report.general(`Invalid smtp server ${name} ${port}`);
      else if (address.family === 6) words.report.refuse("smtp_server with an IPv6 address");
      else global.smtpServer = address;
    },
  };
}

function lvsKeywords(global: GlobalConfig): Record<string, Handler> {
  const flushOnStop = (words: Words): void => {
    if (words.length === 1) global.lvsFlushOnStop = "all";
    else if (words.at(1) === "VS") global.lvsFlushOnStop = "services";
    else words.report.general(`Unknown lvs_flush_on_stop type ${words.at(1)}`);
  };
  return {
    checker_log_all_failures: (words) =>
      flag(words, "Invalid value for checker_log_all_failures specified", (value) => {
        global.logsAllCheckerFailures = value;
      }),
    lvs_timeouts: (words) => lvsTimeouts(words, global),
    lvs_flush: () => {
      global.flushesLvs = true;
    },
    lvs_flush_on_stop: flushOnStop,
    lvs_flush_onstop: flushOnStop,
    lvs_sync_daemon: (words) => syncDaemon(words, global),
    rs_init_notifies: (words) =>
      flag(words, `Invalid value '${words.list[1]}' for global rs_init_notifies specified`, (value) => {
        global.notifiesInitialServers = value;
      }),
  };
}

function lvsTimeouts(words: Words, global: GlobalConfig): void {
  if (words.length < 3) return words.report.general("lvs_timeouts requires at least one option");
  const names = { tcp: "tcpSeconds", tcpfin: "tcpFinSeconds", udp: "udpSeconds" } as const;
  for (let i = 1; i < words.length; i++) {
    const option = words.at(i);
    if (option !== "tcp" && option !== "tcpfin" && option !== "udp") {
      words.report.general(`Unknown option ${option} specified for lvs_timeouts`);
      continue;
    }
    const text = words.list[++i];
    if (text === undefined) return words.report.general(`No value specified for lvs_timeout ${option} - ignoring`);
    const value = parseUnsigned(text, 0, TIMEOUT_MAX_SECONDS, false, words.report);
    if (value === undefined) words.report.general(`Invalid lvs_timeout ${option} (${text}) - ignoring`);
    else global.lvsTimeouts[names[option]] = value;
  }
}

/** `lvs_sync_daemon IF [inst] INSTANCE [id N] [maxlen N] [port N] [ttl N] [group ADDRESS]`. */
function syncDaemon(words: Words, global: GlobalConfig): void {
  const { report } = words;
  const present = global.syncDaemon;
  if (present !== undefined) return report.general(`lvs_sync_daemon has already been specified as ${present.device} ${present.instanceName ?? ""} - ignoring`);
  if (words.length < 2) return report.general("lvs_sync_daemon requires interface");
  if (words.at(1).length >= 16) return report.general(`lvs_sync_daemon interface name '${words.at(1)}' too long - ignoring`);
  const daemon: SyncDaemonConfig = { device: words.at(1), instanceName: undefined, syncId: undefined, maxLength: 0, port: 0, ttl: 0, group: 0 };
  global.syncDaemon = daemon;
  for (let i = 2; i < words.length; i++) {
    const option = words.at(i);
    if (option === "inst") {
      if (daemon.instanceName !== undefined) report.general(`lvs_sync_daemon vrrp instance has already been specified as ${daemon.instanceName} - ignoring`);
      else daemon.instanceName = words.at(i + 1);
      i++;
    } else if (option === "id" || option === "maxlen" || option === "port" || option === "ttl" || option === "group") {
      const text = words.list[++i];
      if (text === undefined) report.general(`No value specified for lvs_sync_daemon ${option}${option === "id" ? ", defaulting to vrid" : " - ignoring"}`);
      else syncDaemonOption(words, daemon, option, text);
    } else if (i === 2) daemon.instanceName = option;
    else if (i === 3) {
      const id = parseUnsigned(option, 0, 255, false, report);
      if (id === undefined) report.general(`Invalid syncid (${option}) - defaulting to vrid`);
      else {
        report.general('Please use keyword "id" before lvs_sync_daemon SYNCID');
        daemon.syncId = id;
      }
    } else report.general(`Unknown option ${option} specified for lvs_sync_daemon`);
  }
}

function syncDaemonOption(words: Words, daemon: SyncDaemonConfig, option: "id" | "maxlen" | "port" | "ttl" | "group", text: string): void {
  const { report } = words;
  if (option === "group") {
    const address = parseSocketAddress(text, undefined, report);
    if (address === undefined) report.general(`Invalid lvs_sync_daemon group (${text}) - ignoring`);
    else if (address.family === 6) report.refuse("lvs_sync_daemon with an IPv6 group");
    else if (!isMulticast(address.address)) report.general(`lvs_sync_daemon group address ${text} is not multicast - ignoring`);
    else daemon.group = address.address;
    return;
  }
  const bounds = { id: [0, 255], maxlen: [1, 65507], port: [1, 65535], ttl: [1, 255] } as const;
  const [min, max] = bounds[option];
  const value = parseUnsigned(text, min, max, false, report);
  if (value === undefined) report.general(option === "id" ? `Invalid syncid (${text}) - defaulting to vrid` : `Invalid lvs_sync_daemon ${option} (${text}) - ignoring`);
  else if (option === "id") daemon.syncId = value;
  else if (option === "maxlen") daemon.maxLength = value;
  else if (option === "port") daemon.port = value;
  else daemon.ttl = value;
}

function vrrpKeywords(global: GlobalConfig): Record<string, Handler> {
  return {
    dynamic_interfaces: (words) => {
      global.hasDynamicInterfaces = true;
      if (words.length >= 2 && words.at(1) !== "allow_if_changes") words.report.general(`Unknown dynamic_interfaces option '${words.at(1)}'`);
    },
    default_interface: (words) => {
      if (words.length < 2) words.report.general("default_interface requires interface name");
      else global.defaultInterface = words.value();
    },
    disable_local_igmp: () => {
      global.disablesLocalIgmp = true;
    },
    vrrp_mcast_group4: (words) => {
      const text = words.at(1);
      const address = parseSocketAddress(text, undefined, words.report);
      if (address === undefined) words.report.general(`Can't parse vrrp_mcast_group4 [${text}]. Skipping`);
      else if (address.family === 6) words.report.general(`vrrp_mcast_group4 [${text}] is not IPv4. Skipping`);
      else if (!isMulticast(address.address)) words.report.general(`vrrp_mcast_group4 [${text}] is not multicast. Skipping`);
      else global.vrrpGroup = address.address;
    },
    vrrp_lower_prio_no_advert: (words) =>
      flag(words, "Invalid value for vrrp_lower_prio_no_advert specified", (value) => {
        global.lowerPriorityNoAdvert = value;
      }),
    vrrp_higher_prio_send_advert: (words) =>
      flag(words, "Invalid value for vrrp_higher_prio_send_advert specified", (value) => {
        global.higherPrioritySendsAdvert = value;
      }),
    vrrp_version: (words) => {
      const value = words.int(1, 2, 3, true);
      if (value === undefined) words.report.general("VRRP Error: Version must be either 2 or 3");
      else global.vrrpVersion = value;
    },
    vrrp_iptables: (words) =>
      words.report.general("iptables not supported, using nftables instead. Please replace 'vrrp_iptables and 'vrrp_ipsets' with 'nftables' config option"),
    // A table's name matters only to instances that need a firewall, which are refused themselves.
    nftables: () => {},
    vrrp_check_unicast_src: () => {
      global.checksUnicastSource = true;
    },
    vrrp_skip_check_adv_addr: () => {
      global.skipsAddressCheck = true;
    },
    vrrp_strict: () => {
      global.isStrict = true;
    },
    vrrp_startup_delay: (words) => {
      const value = words.timer(1, 1000, UINT_MAX, true);
      if (value === undefined) words.report.general(`vrrp_startup_delay '${words.at(1)}' is invalid`);
      else global.startupDelayUs = value;
      if (global.startupDelayUs >= 60 * US) words.report.log(`The vrrp_startup_delay is very large - ${words.at(1)} seconds`);
    },
    log_unknown_vrids: () => {
      global.logsUnknownVrids = true;
    },
    vmac_prefix: (words) => {
      if (global.vmacPrefix !== undefined) words.report.general(`vmac prefix has already been specified - ignoring ${words.at(1)}`);
      else global.vmacPrefix = words.at(1);
    },
    vmac_addr_prefix: (words) => {
      if (global.vmacAddressPrefix !== undefined) words.report.general(`vmac_addr prefix has already been specified - ignoring ${words.at(1)}`);
      else global.vmacAddressPrefix = words.at(1);
    },
  };
}

function garpKeywords(global: GlobalConfig): Record<string, Handler> {
  const delay = (words: Words, set: (us: number) => void): void => {
    const value = words.unsigned(1, 0, Math.floor(UINT_MAX / US), true);
    if (value === undefined) words.report.general(`${words.at(0)} '${words.at(1)}' invalid - ignoring`);
    else set(value * US);
  };
  const repeats = (words: Words, set: (count: number) => void): void => {
    const value = words.unsigned(1, 0, UINT_MAX, true);
    if (value === undefined) return words.report.general(`${words.at(0)} '${words.at(1)}' invalid - ignoring`);
    if (value === 0) words.report.general(`${words.at(0)} must be greater than 0, setting to 1`);
    set(Math.max(1, value));
  };
  const extra = (words: Words): void => {
    for (const text of words.list.slice(1)) {
      if (text === "all") {
        global.garpsAllExtra = true;
        continue;
      }
      const value = parseUnsigned(text, 1, 86400, true, words.report);
      if (value === undefined) return words.report.general(`${words.at(0)} '${text}' invalid - ignoring`);
      global.garpExtraSeconds = value;
    }
    if (global.garpExtraSeconds === 0) words.report.general(`${words.at(0)} specified without time - ignoring`);
    else words.report.refuse(words.at(0));
  };
  return {
    vrrp_garp_master_delay: (words) =>
      delay(words, (us) => {
        global.garpDelayUs = us;
      }),
    vrrp_garp_master_repeat: (words) =>
      repeats(words, (count) => {
        global.garpRepeats = count;
      }),
    vrrp_garp_master_refresh: (words) => {
      const value = words.unsigned(1, 0, UINT_MAX, true);
      if (value === undefined) words.report.general(`Invalid vrrp_garp_master_refresh '${words.at(1)}' - ignoring`);
      global.garpRefreshSeconds = value ?? 0;
    },
    vrrp_garp_master_refresh_repeat: (words) =>
      repeats(words, (count) => {
        global.garpRefreshRepeats = count;
      }),
    vrrp_garp_lower_prio_delay: (words) =>
      delay(words, (us) => {
        global.garpLowerPriorityDelayUs = us;
      }),
    vrrp_garp_lower_prio_repeat: (words) => {
      const value = words.unsigned(1, 0, 2_147_483_647, true);
      if (value === undefined) words.report.general(`Invalid vrrp_garp_lower_prio_repeat '${words.at(1)}'`);
      else global.garpLowerPriorityRepeats = value;
    },
    vrrp_down_timer_adverts: (words) => {
      const value = words.unsigned(1, 1, 100, true);
      if (value === undefined) words.report.general(`Invalid vrrp_down_timer_adverts [1:100] '${words.at(1)}'`);
      else global.downTimerAdverts = value;
    },
    vrrp_garp_interval: (words) => {
      const value = words.timer(1, 1, UINT_MAX, true);
      if (value === undefined) words.report.general(`vrrp_garp_interval '${words.at(1)}' is invalid`);
      else global.garpIntervalUs = value;
      if (global.garpIntervalUs >= US) words.report.log(`The vrrp_garp_interval is very large - ${words.at(1)} seconds`);
    },
    vrrp_min_garp: (words) => {
      const value = words.length < 2 ? true : parseTrueFalse(words.at(1));
      if (value === undefined) return words.report.general("Invalid value for vrrp_min_garp specified");
      if (!value) return;
      if (global.garpRepeats === 5) global.garpRepeats = 1;
      if (global.garpRefreshRepeats === 1) global.garpRefreshRepeats = 0;
      if (global.garpDelayUs === 5 * US) global.garpDelayUs = 0;
    },
    vrrp_garp_extra_if: extra,
    vrrp_vmac_garp_intvl: extra,
  };
}
