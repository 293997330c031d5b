/**
 * A configuration as the daemons use it. Times are whole microseconds, as in keepalived; `undefined` stands for "not given".
 *
 * keepalived v2.2.7 keepalived/include/check_data.h, check_api.h, vrrp.h, vrrp_track.h, global_data.h.
 */

import type { Ipv4Address } from "../../../base/ipv4-address.ts";
import type { NetDevice } from "../../../host/device.ts";

/** An address as written. Only IPv4 has a number: IPv6 is parsed and refused later. */
export interface SocketAddress {
  readonly family: 4 | 6;
  readonly text: string;
  readonly address: Ipv4Address;
  port: number;
}

/** A program with its words, and the user that runs it. */
export interface Script {
  args: string[];
  readonly user: string;
  /** False when the file has no `#!`: then a shell runs it. */
  hasInterpreter: boolean;
}

/** track_file: a file whose number is a status. */
export class TrackedFile {
  readonly name: string;
  path: string | undefined;
  weight = 1;
  isReversed = false;
  /* What the daemon knows of it. */
  status = 0;

  constructor(name: string) {
    this.name = name;
  }
}

/** vrrp_track_process: programs of which so many must run. */
export class TrackedProcess {
  readonly name: string;
  path: string | undefined;
  readonly parameters: string[] = [];
  match: "none" | "exact" | "initial" | "partial" = "none";
  usesCommandLine = false;
  weight = 0;
  isReversed = false;
  quorum = 1;
  quorumMax = 4_294_967_295;
  forkDelayUs = 0;
  terminateDelayUs = 0;

  constructor(name: string) {
    this.name = name;
  }
}

export interface ProcessTracking {
  readonly process: TrackedProcess;
  weight: number;
  readonly isReversed: boolean;
}

/** A file that an object looks at. With weight 0 every number but 0 takes the object out. */
export interface FileTracking {
  readonly file: TrackedFile;
  weight: number;
  readonly isReversed: boolean;
}

export interface SyncDaemonConfig {
  device: string;
  instanceName: string | undefined;
  syncId: number | undefined;
  maxLength: number;
  port: number;
  ttl: number;
  group: Ipv4Address;
}

export class GlobalConfig {
  routerId: string | undefined;
  /** Who gets mail; nobody does without a server. */
  readonly mailTo: string[] = [];
  mailFrom: string | undefined;
  smtpServer: SocketAddress | undefined;
  smtpHelo: string | undefined;
  smtpTimeoutUs = 30_000_000;
  alerts: boolean | undefined;
  alertsVrrp: boolean | undefined;
  alertsCheckers: boolean | undefined;
  hasNoCheckerMail = false;
  hasNoFaultMail = false;
  processName: string | undefined;
  vrrpProcessName: string | undefined;
  checkerProcessName: string | undefined;
  startupScript: Script | undefined;
  startupScriptTimeoutSeconds = 10;
  shutdownScript: Script | undefined;
  shutdownScriptTimeoutSeconds = 10;
  maxAutoPriority = 0;
  childWaitSeconds = 5;
  hasScriptSecurity = false;
  /** The user that runs scripts; undefined when there is none who could. */
  scriptUser: string | undefined;
  isScriptUserBad = false;
  hasDynamicInterfaces = false;
  defaultInterface: string | undefined;
  disablesLocalIgmp = false;
  lvsTimeouts: { tcpSeconds: number; tcpFinSeconds: number; udpSeconds: number } = { tcpSeconds: 0, tcpFinSeconds: 0, udpSeconds: 0 };
  flushesLvs = false;
  lvsFlushOnStop: "none" | "all" | "services" = "none";
  syncDaemon: SyncDaemonConfig | undefined;
  logsAllCheckerFailures = false;
  notifiesInitialServers = false;
  vrrpGroup: Ipv4Address = 0xe0000012;
  garpDelayUs = 5_000_000;
  garpRepeats = 5;
  garpRefreshSeconds = 0;
  garpRefreshRepeats = 1;
  garpLowerPriorityDelayUs: number | undefined;
  garpLowerPriorityRepeats: number | undefined;
  garpIntervalUs = 0;
  downTimerAdverts = 3;
  garpExtraSeconds = 0;
  garpsAllExtra = false;
  lowerPriorityNoAdvert = false;
  higherPrioritySendsAdvert = false;
  vrrpVersion = 2;
  checksUnicastSource = false;
  skipsAddressCheck = false;
  isStrict = false;
  startupDelayUs = 0;
  logsUnknownVrids = false;
  vmacPrefix: string | undefined;
  vmacAddressPrefix: string | undefined;
  usesPidDirectory = false;
  instanceLabel: string | undefined;
  hasVrrp = false;
  hasCheckers = false;
  hasBfd = false;
}

/* ------------------------------------------------------------------------------------------------------- virtual servers */

export type LvsMethod = "NAT" | "DR" | "TUN";

export interface Forwarding {
  method: LvsMethod | undefined;
  tunnelType: "ipip" | "gue" | "gre";
  tunnelPort: number;
  checksum: "none" | "full" | "remote";
}

export const NO_FORWARDING: Forwarding = { method: undefined, tunnelType: "ipip", tunnelPort: 0, checksum: "none" };

export type ServiceProtocol = 0 | 6 | 17 | 132;

export interface GroupEntry {
  readonly kind: "address" | "fwmark";
  readonly address: SocketAddress | undefined;
  /** Last address of a range. */
  readonly last: Ipv4Address;
  readonly mark: number;
  /** Virtual servers that have put a server into it: the entry's service goes with the last. Per protocol. */
  readonly users: Map<ServiceProtocol, number>;
  isReloaded: boolean;
}

export interface VirtualServerGroup {
  readonly name: string;
  readonly entries: GroupEntry[];
}

export class RealServer {
  readonly address: SocketAddress;
  readonly forwarding: Forwarding;
  /** As configured; undefined until the virtual server's is taken. */
  weight: number | undefined;
  upperThreshold = 0;
  lowerThreshold = 0;
  inhibits: boolean | undefined;
  isAlpha: boolean | undefined;
  retry: number | undefined;
  connectTimeoutUs: number | undefined;
  delayLoopUs: number | undefined;
  delayBeforeRetryUs: number | undefined;
  warmupUs: number | undefined;
  virtualHost: string | undefined;
  notifyUp: Script | undefined;
  notifyDown: Script | undefined;
  /* What the daemon knows of it. */
  effectiveWeight = 1;
  previousWeight = 1;
  isAlive = false;
  /** It is in the IPVS table, or was put there. */
  isSet = false;
  isReloaded = false;
  failedCheckers = 0;
  alerts: boolean | undefined;
  /** FILE_CHECK. */
  readonly trackFiles: { file: TrackedFile | undefined; weight: number | undefined; isReversed: boolean }[] = [];

  constructor(address: SocketAddress, forwarding: Forwarding) {
    this.address = address;
    this.forwarding = { ...forwarding };
  }
}

export class VirtualServer {
  readonly groupName: string | undefined;
  readonly mark: number;
  readonly address: SocketAddress | undefined;
  group: VirtualServerGroup | undefined;
  family: 0 | 4 | 6;
  /** Its place among the servers of its group: keepalived prints it where the port would be. */
  groupPosition = 0;
  protocol: ServiceProtocol = 0;
  scheduler = "";
  readonly schedulerFlags: string[] = [];
  isOnePacket = false;
  readonly forwarding: Forwarding = { ...NO_FORWARDING };
  persistenceTimeoutSeconds = 0;
  persistenceEngine = "";
  netmask = 0xffffffff;
  suspendsWithAddress = false;
  alerts: boolean | undefined;
  virtualHost: string | undefined;
  isAlpha = false;
  isOmega = false;
  inhibits = false;
  weight = 1;
  quorum = 1;
  hysteresis = 0;
  notifyQuorumUp: Script | undefined;
  notifyQuorumDown: Script | undefined;
  connectTimeoutUs = 5_000_000;
  delayLoopUs = 60_000_000;
  retry: number | undefined;
  delayBeforeRetryUs: number | undefined;
  warmupUs: number | undefined;
  sorryServer: RealServer | undefined;
  sorryIsRealServer = false;
  readonly realServers: RealServer[] = [];
  /* What the daemon knows of it. */
  hasQuorum = true;
  isAlive = false;
  isReloaded = false;
  suspendAddressCount = 0;

  constructor(options: { readonly groupName?: string; readonly mark?: number; readonly address?: SocketAddress }) {
    this.groupName = options.groupName;
    this.mark = options.mark ?? 0;
    this.address = options.address;
    this.family = options.address?.family ?? 0;
  }
}

/* -------------------------------------------------------------------------------------------------------------- checkers */

export interface ConnectOptions {
  destination: SocketAddress;
  bindTo: SocketAddress | undefined;
  bindPort: number;
  bindDevice: string | undefined;
  connectTimeoutUs: number | undefined;
  mark: number;
}

export interface HttpUrl {
  path: string | undefined;
  digest: string | undefined;
  statusRanges: { readonly first: number; readonly last: number }[];
  virtualHost: string | undefined;
  regex: RegExp | undefined;
  regexMustNotMatch: boolean;
  regexMinOffset: number;
  /** One beyond the last place where it may begin; 0: anywhere. */
  regexMaxOffset: number;
  lengthMismatch: number;
}

export type CheckKind =
  | { readonly type: "TCP_CHECK" }
  | { readonly type: "HTTP_GET"; readonly isSsl: boolean; protocol: "1.0" | "1.0C" | "1.1"; virtualHost: string | undefined; hasSni: boolean; isFastRecovery: boolean; readonly urls: HttpUrl[] }
  | { readonly type: "MISC_CHECK"; script: Script | undefined; timeoutUs: number; isDynamic: boolean; lastExit: number; lastRanNs: number }
  | { readonly type: "PING_CHECK" }
  | {
      readonly type: "UDP_CHECK";
      payload: Uint8Array | undefined;
      requiresReply: boolean;
      reply: Uint8Array | undefined;
      replyMask: Uint8Array | undefined;
      replyMin: number;
      replyMax: number;
    }
  | { readonly type: "SMTP_CHECK"; helo: string | undefined }
  | { readonly type: "DNS_CHECK"; recordType: number; name: string | undefined }
  | { readonly type: "FILE_CHECK"; readonly tracking: FileTracking };

export class Checker {
  readonly server: VirtualServer;
  readonly real: RealServer;
  readonly kind: CheckKind;
  connect: ConnectOptions | undefined;
  isEnabled = true;
  isAlpha: boolean | undefined;
  retry: number | undefined;
  delayLoopUs: number | undefined;
  delayBeforeRetryUs: number | undefined;
  warmupUs: number | undefined;
  readonly defaultRetry: number;
  readonly defaultDelayBeforeRetryUs: number;
  logsAllFailures = false;
  /* What the daemon knows of it. */
  isUp = true;
  hasRun = false;
  retries = 0;
  currentWeight = 0;

  constructor(options: {
    readonly server: VirtualServer;
    readonly real: RealServer;
    readonly kind: CheckKind;
    readonly connects: boolean;
    readonly defaultRetry?: number;
    readonly defaultDelayBeforeRetryUs?: number;
  }) {
    this.server = options.server;
    this.real = options.real;
    this.kind = options.kind;
    this.connect = options.connects
      ? { destination: { ...options.real.address }, bindTo: undefined, bindPort: 0, bindDevice: undefined, connectTimeoutUs: undefined, mark: 0 }
      : undefined;
    this.defaultRetry = options.defaultRetry ?? 1;
    this.defaultDelayBeforeRetryUs = options.defaultDelayBeforeRetryUs ?? 1_000_000;
  }
}

export class CheckConfig {
  readonly trackFiles: TrackedFile[] = [];
  readonly groups: VirtualServerGroup[] = [];
  readonly servers: VirtualServer[] = [];
  readonly checkers: Checker[] = [];
  usesSuspend = false;
}

/* ------------------------------------------------------------------------------------------------------------------ VRRP */

export interface VirtualAddress {
  readonly family: 4 | 6;
  readonly text: string;
  readonly address: Ipv4Address;
  prefixLength: number;
  peer: Ipv4Address | undefined;
  broadcast: Ipv4Address;
  scope: number;
  label: string | undefined;
  device: string | undefined;
  isTracked: boolean;
  noPrefixRoute: boolean;
  usesVmac: boolean;
  trackGroup: string | undefined;
  /* What the daemon knows of it. */
  isSet: boolean;
  isGarpPending: boolean;
}

export interface VirtualRoute {
  /** As written, for messages. */
  readonly text: string;
  network: Ipv4Address;
  prefixLength: number;
  type: string;
  gateway: Ipv4Address;
  device: string | undefined;
  source: Ipv4Address;
  table: number;
  scope: number;
  metric: number;
  tos: number;
  mtu: number;
  mtuLocked: boolean;
  advmss: number;
  isOnlink: boolean;
  protocol: string;
  isTracked: boolean;
  readonly hops: { readonly gateway: Ipv4Address; readonly device: string | undefined; readonly weight: number }[];
  isSet: boolean;
}

export interface VirtualRule {
  readonly text: string;
  from: { readonly network: Ipv4Address; readonly prefixLength: number } | undefined;
  to: { readonly network: Ipv4Address; readonly prefixLength: number } | undefined;
  priority: number;
  mark: number;
  markMask: number;
  tos: number;
  inputDevice: string | undefined;
  outputDevice: string | undefined;
  action: "table" | "blackhole" | "prohibit" | "unreachable" | undefined;
  table: number;
  isTracked: boolean;
  isSet: boolean;
}

export type VrrpStateName = "INIT" | "BACKUP" | "MASTER" | "FAULT" | "STOP" | "DELETED";

export interface UnicastPeer {
  readonly address: SocketAddress;
  minTtl: number;
  maxTtl: number;
}

export interface TrackedInterface {
  readonly device: string;
  weight: number;
  readonly isReversed: boolean;
}

export interface TrackedScript {
  readonly script: VrrpScript;
  weight: number;
  readonly isReversed: boolean;
}

/** What in the machine holds an instance up or changes its priority: `weight` 0 means FAULT, undefined not at all. */
export interface Tracking {
  readonly instance: VrrpInstanceConfig;
  weight: number | undefined;
  multiplier: 1 | -1;
}

export class VrrpScript {
  readonly name: string;
  script: Script | undefined;
  intervalUs = 1_000_000;
  timeoutUs = 0;
  weight = 0;
  isReversed = false;
  rise = 1;
  fall = 1;
  initState: "init" | "init-reload" | "failed" | "done" = "init";
  isInsecure = false;
  /* What the daemon knows of it. */
  result = 0;
  lastStatus = 0;
  state: "idle" | "running" | "terminating" | "forcing" = "idle";
  readonly tracking: Tracking[] = [];

  constructor(name: string) {
    this.name = name;
  }
}

/** Scripts that are run at changes of state. */
export interface NotifyScripts {
  backup: Script | undefined;
  master: Script | undefined;
  fault: Script | undefined;
  stop: Script | undefined;
  deleted: Script | undefined;
  any: Script | undefined;
  masterHeardLower: Script | undefined;
}

export function noScripts(): NotifyScripts {
  return { backup: undefined, master: undefined, fault: undefined, stop: undefined, deleted: undefined, any: undefined, masterHeardLower: undefined };
}

export class VrrpInstanceConfig {
  readonly name: string;
  wantState: VrrpStateName = "INIT";
  device: NetDevice | undefined;
  vrid = 0;
  /** 0: not given. */
  basePriority = 0;
  version = 0;
  family: 0 | 4 | 6 = 0;
  advertIntervalUs = 0;
  source: SocketAddress | undefined;
  isSourceConfigured = false;
  tracksSource = false;
  group: Ipv4Address | undefined;
  readonly peers: UnicastPeer[] = [];
  isUnicastConfigured = false;
  isUnicast = false;
  faultsWithoutPeers = false;
  checksUnicastSource = false;
  ttl: number | undefined;
  authType: 0 | 1 | 2 = 0;
  authData: Uint8Array = new Uint8Array(8);
  isNoPreempt = false;
  preemptDelayUs = 0;
  isStrict: boolean | undefined;
  accepts: boolean | undefined;
  skipsAddressCheck = false;
  tracksPrimary = true;
  promotesSecondaries = false;
  garpDelayUs: number;
  garpRepeats: number;
  garpRefreshSeconds: number;
  garpRefreshRepeats: number;
  garpLowerPriorityDelayUs: number | undefined;
  garpLowerPriorityRepeats: number | undefined;
  downTimerAdverts: number;
  lowerPriorityNoAdvert: boolean | undefined;
  higherPrioritySendsAdvert: boolean | undefined;
  usesVmac = false;
  usesIpvlan = false;
  vmacName = "";
  vmacTransmitsFromBase = false;
  vmacForOtherAddresses = false;
  readonly addresses: VirtualAddress[] = [];
  readonly excludedAddresses: VirtualAddress[] = [];
  readonly routes: VirtualRoute[] = [];
  readonly rules: VirtualRule[] = [];
  readonly trackInterfaces: TrackedInterface[] = [];
  readonly trackScripts: TrackedScript[] = [];
  readonly trackFiles: FileTracking[] = [];
  readonly trackProcesses: ProcessTracking[] = [];
  readonly scripts: NotifyScripts = noScripts();
  notifiesDeleted = false;
  alerts: boolean | undefined;
  sync: SyncGroupConfig | undefined;
  hasConfigFault = false;

  constructor(name: string, global: GlobalConfig) {
    this.name = name;
    this.garpDelayUs = global.garpDelayUs;
    this.garpRepeats = global.garpRepeats;
    this.garpRefreshSeconds = global.garpRefreshSeconds;
    this.garpRefreshRepeats = global.garpRefreshRepeats;
    this.downTimerAdverts = global.downTimerAdverts;
    this.skipsAddressCheck = global.skipsAddressCheck;
  }
}

export class SyncGroupConfig {
  readonly name: string;
  memberNames: string[] | undefined;
  readonly members: VrrpInstanceConfig[] = [];
  readonly trackInterfaces: TrackedInterface[] = [];
  readonly trackScripts: TrackedScript[] = [];
  readonly trackFiles: FileTracking[] = [];
  readonly trackProcesses: ProcessTracking[] = [];
  readonly scripts: NotifyScripts = noScripts();
  hasTrackingWeight = false;
  alerts: boolean | undefined;

  constructor(name: string) {
    this.name = name;
  }
}

export class VrrpConfig {
  readonly instances: VrrpInstanceConfig[] = [];
  readonly groups: SyncGroupConfig[] = [];
  readonly scripts: VrrpScript[] = [];
  readonly trackFiles: TrackedFile[] = [];
  readonly trackProcesses: TrackedProcess[] = [];
  readonly staticAddresses: VirtualAddress[] = [];
  readonly staticRoutes: VirtualRoute[] = [];
  readonly staticRules: VirtualRule[] = [];
  readonly trackGroups: { readonly name: string; members: string[] | undefined }[] = [];
  /** Debounce times by interface. */
  readonly debounce = new Map<string, { readonly downUs: number; readonly upUs: number }>();
  readonly garpGroups: { intervalUs: number | undefined; hasGnaInterval: boolean; readonly devices: string[] }[] = [];
  hasUnknownInterface = false;
}
