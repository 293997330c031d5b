/**
 * Reads a configuration as keepalived's processes do: the parent the files, each child the parent's copy of them, each with its own keywords.
 *
 * keepalived v2.2.7 lib/parser.c:init_data, core/main.c (global_init_keywords, keepalived_main), check/check_parser.c:check_init_keywords,
 * vrrp/vrrp_parser.c:vrrp_init_keywords.
 */

import type { RandomStream } from "../../../kernel/random.ts";
import type { Machine } from "../../machine.ts";
import { resolveHost } from "../../names.ts";
import { CheckKeywords } from "./check-keywords.ts";
import { validateCheckConfig } from "./check-validate.ts";
import { globalKeywords } from "./global-keywords.ts";
import { CopiedFiles, type CopiedLine, INCLUDE_BRACE, INCLUDE_MATCH, INCLUDE_READ, INCLUDE_WILDCARD, IncludeFiles } from "./include-files.ts";
import { type Keyword, KeywordStream } from "./keyword-stream.ts";
import { LineReader } from "./line-reader.ts";
import { CheckConfig, GlobalConfig, VrrpConfig } from "./model.ts";
import { CONFIG_ERROR, type ConfigReport } from "./report.ts";
import { trackFileKeywords } from "./track-files.ts";
import { FIRST_RULE_PRIORITY, type VrrpScope } from "./vrrp-addresses.ts";
import { vrrpKeywords } from "./vrrp-keywords.ts";
import { validateVrrpConfig } from "./vrrp-validate.ts";
import type { Words } from "./words.ts";

export interface ConfigRequest {
  readonly machine: Machine;
  readonly path: string;
  readonly cwd: string;
  /** What `@id` lines are compared with: the host's name unless `-i` says otherwise. */
  readonly configId: string;
  /** `-e`: every include must find its files. */
  readonly includesAll: boolean;
  readonly random: RandomStream;
  /** True: the configuration is only looked at, so that nothing is written. */
  readonly isLook: boolean;
}

/** What the parent has read. */
export interface ParentConfig {
  readonly global: GlobalConfig;
  readonly copy: readonly CopiedLine[];
  /** A file was missing that must be there: keepalived does not start. */
  readonly hasFileError: boolean;
}

const BFD_KEYWORD = "bfd_instance";
const TRACK_FILE_KEYWORDS = ["track_file", "vrrp_track_file"];
const RANDOM_MAX = 32767;

function addStandardDefinitions(reader: LineReader, request: ConfigRequest, cwd: () => string): void {
  const { definitions } = reader;
  definitions.addStandard("_PWD", cwd);
  definitions.addStandard("_INSTANCE", () => request.configId);
  definitions.addStandard("_RANDOM", ([min = 0, max = RANDOM_MAX]) => String(min + request.random.below(Math.max(1, max - min + 1))), 2);
  definitions.addStandard("_HASH", () => "#");
  definitions.addStandard("_BANG", () => "!");
}

function inactive(names: readonly string[], onSeen: () => void): Keyword[] {
  return names.map((name) => ({ name, isActive: false, onInactive: onSeen }));
}

const VRRP_ROOTS = [
  "track_group",
  "static_ipaddress",
  "static_routes",
  "static_rules",
  "vrrp_sync_group",
  "garp_group",
  "linkbeat_interfaces",
  "vrrp_instance",
  "vrrp_script",
  "vrrp_track_process",
  "interface_up_down_delays",
];
const CHECK_ROOTS = ["SSL", "virtual_server_group", "virtual_server"];
const GLOBAL_ROOTS = [
  "linkbeat_use_polling",
  "net_namespace",
  "net_namespace_ipvs",
  "namespace_with_ipsets",
  "use_pid_dir",
  "instance",
  "child_wait_time",
  "global_defs",
];
/** These tell the parent that there is work for the child. */
const VRRP_TELLING = new Set(["static_ipaddress", "static_routes", "static_rules", "vrrp_instance"]);

function inactiveVrrp(global: GlobalConfig): Keyword[] {
  return VRRP_ROOTS.map((name) => ({
    name,
    isActive: false,
    onInactive: () => {
      if (VRRP_TELLING.has(name)) global.hasVrrp = true;
    },
  }));
}

function inactiveChecks(global: GlobalConfig): Keyword[] {
  return CHECK_ROOTS.map((name) => ({
    name,
    isActive: false,
    onInactive: () => {
      if (name === "virtual_server") global.hasCheckers = true;
    },
  }));
}

/** include_check: which failures of includes count, from here on. */
function includeCheck(words: Words, source: IncludeFiles): void {
  const all = INCLUDE_READ | INCLUDE_MATCH | INCLUDE_WILDCARD | INCLUDE_BRACE;
  if (words.length === 1) {
    source.check = all;
    return;
  }
  const flags: Readonly<Record<string, number>> = { read: INCLUDE_READ, match: INCLUDE_MATCH, wildcard_match: INCLUDE_WILDCARD, brace_match: INCLUDE_BRACE };
  for (const [i, text] of words.list.slice(1).entries()) {
    const sign = /^[+-]/.exec(text)?.[0] ?? "";
    if (sign === "") {
      if (i > 0) {
        words.report.general(`Duplicate include_check '${text}' specified - ignoring`);
        continue;
      }
      source.check = 0;
    }
    const flag = flags[text.slice(sign.length)];
    if (flag === undefined) words.report.general(`Unknown include_check type '${text.slice(sign.length)}' - ignoring`);
    else if (sign === "") source.check = INCLUDE_READ | flag;
    else if (sign === "+") source.check |= flag;
    else source.check &= ~flag;
  }
}

/** True when there is a file to read; complaints are made when not. */
export function hasConfigFile(request: ConfigRequest, report: ConfigReport): boolean {
  const source = new IncludeFiles(request.machine.files, report);
  if (request.includesAll) source.check = INCLUDE_READ | INCLUDE_MATCH | INCLUDE_WILDCARD | INCLUDE_BRACE;
  return source.canRead(request.path, request.cwd);
}

export function loadParentConfig(request: ConfigRequest, report: ConfigReport): ParentConfig {
  const global = new GlobalConfig();
  const source = new IncludeFiles(request.machine.files, report);
  if (request.includesAll) source.check = INCLUDE_READ | INCLUDE_MATCH | INCLUDE_WILDCARD | INCLUDE_BRACE;
  const reader = new LineReader(source, report, request.configId);
  addStandardDefinitions(reader, request, () => source.cwd);
  if (source.open(request.path, INCLUDE_READ | INCLUDE_MATCH | INCLUDE_WILDCARD, request.cwd)) {
    report.log(`Configuration file ${request.path}`);
    const keywords = [
      ...globalKeywords(global, { files: request.machine.files, resolve: (name) => resolveHost(request.machine, name) }, (words) => includeCheck(words, source)),
      ...inactiveVrrp(global),
      ...inactiveChecks(global),
      ...inactive([BFD_KEYWORD], () => {
        global.hasBfd = true;
      }),
      ...inactive(TRACK_FILE_KEYWORDS, () => {}),
    ];
    new KeywordStream(reader, report).run(keywords);
  } else report.error(CONFIG_ERROR.fileNotFound, "Failed to open configuration file");
  return { global, copy: source.copy, hasFileError: source.hadError };
}

function readCopy(parent: ParentConfig, request: ConfigRequest, report: ConfigReport, keywords: readonly Keyword[]): void {
  const source = new CopiedFiles(parent.copy, report);
  const reader = new LineReader(source, report, request.configId);
  addStandardDefinitions(reader, request, () => source.cwd);
  new KeywordStream(reader, report).run(keywords);
}

const BFD_SUB = ["source_ip", "neighbor_ip", "neighbour_ip", "min_rx", "min_tx", "idle_tx", "multiplier", "passive", "ttl", "hoplimit", "max_hops", "weight", "vrrp", "checker"];

function bfdKeyword(): Keyword {
  return { name: BFD_KEYWORD, handle: (words) => words.report.refuse(BFD_KEYWORD), sub: BFD_SUB.map((name) => ({ name })) };
}

function inactiveGlobals(): Keyword[] {
  return inactive(GLOBAL_ROOTS, () => {});
}

export function loadCheckConfig(parent: ParentConfig, request: ConfigRequest, report: ConfigReport, isFirstTime: boolean): CheckConfig {
  const { global } = parent;
  const config = new CheckConfig();
  const { files } = request.machine;
  const tracked = trackFileKeywords({ files, list: config.trackFiles, writes: !request.isLook, isReload: !isFirstTime }, report);
  readCopy(parent, request, report, [...inactiveGlobals(), ...new CheckKeywords({ files, global, config }, report).list(), ...inactiveVrrp(global), bfdKeyword(), ...tracked]);
  validateCheckConfig(config, { files, global, report, isFirstTime });
  return config;
}

/** undefined: keepalived cannot run with it. */
export function loadVrrpConfig(parent: ParentConfig, request: ConfigRequest, report: ConfigReport, isFirstTime = true): VrrpConfig | undefined {
  const { global } = parent;
  const { host, files } = request.machine;
  const config = new VrrpConfig();
  const scope: VrrpScope = { host, global, config, nextRulePriority: FIRST_RULE_PRIORITY };
  const tracked = trackFileKeywords({ files, list: config.trackFiles, writes: !request.isLook, isReload: !isFirstTime }, report);
  readCopy(parent, request, report, [...inactiveGlobals(), ...vrrpKeywords(scope, files, report), ...inactiveChecks(global), bfdKeyword(), ...tracked]);
  if (config.hasUnknownInterface) {
    if (global.hasDynamicInterfaces) report.refuse("dynamic_interfaces with an interface that is not there");
    report.error(CONFIG_ERROR.badInterface, "Non-existent interface specified in configuration");
    return undefined;
  }
  return validateVrrpConfig(config, { host, files, global, report }) ? config : undefined;
}

/** The BFD process reads it too: its complaints are those that everybody makes. */
export function checkBfdConfig(parent: ParentConfig, request: ConfigRequest, report: ConfigReport): void {
  readCopy(parent, request, report, [...inactiveGlobals(), ...inactiveVrrp(parent.global), ...inactiveChecks(parent.global), bfdKeyword(), ...inactive(TRACK_FILE_KEYWORDS, () => {})]);
}
