/**
 * The healthchecker process: keeps the IPVS table in step with what checks find.
 *
 * keepalived v2.2.7 check/check_daemon.c, check/check_api.c (register_checkers_thread).
 */

import { DnsCheck } from "./check/dns-check.ts";
import { FileChecks } from "./check/file-check.ts";
import { HttpCheck } from "./check/http-check.ts";
import { MiscCheck } from "./check/misc-check.ts";
import type { CheckContext, CheckRunner } from "./check/check-context.ts";
import { ServerStates } from "./check/server-states.ts";
import { ServiceTable } from "./check/service-table.ts";
import { SmtpCheck } from "./check/smtp-check.ts";
import { PingCheck, type PingSequence, TcpCheck, UdpCheck } from "./check/simple-checks.ts";
import { formatReal, formatServer } from "./config/addresses.ts";
import { type ParentConfig, loadCheckConfig } from "./config/load-config.ts";
import type { CheckConfig, Checker, GlobalConfig, SyncDaemonConfig } from "./config/model.ts";
import { Child, type ChildContext } from "./child.ts";
import { Mailer } from "./mailer.ts";
import { ScriptRunner } from "./script-runner.ts";

/** Checks begin so much after the start. */
const BOOTSTRAP_DELAY_US = 1_000_000;
/** A script that runs at the stop gets so long. */
const SHUTDOWN_US = 1_000_000;
const RANDOM_STEPS = 0x7fffffff;

export class CheckerChild extends Child {
  readonly #table: ServiceTable;
  readonly #scripts: ScriptRunner;
  readonly #pings: PingSequence = { next: 0 };
  readonly #open = new Set<{ close(): void }>();
  readonly #files: FileChecks;
  #states: ServerStates | undefined;
  #global: GlobalConfig;

  get #mailer(): Mailer {
    return new Mailer({ daemon: this.daemon, log: this.log, global: this.#global, open: this.#open });
  }

  constructor(context: ChildContext) {
    super(context);
    this.#table = new ServiceTable(this.daemon.machine.ipvs, this.log);
    this.#scripts = new ScriptRunner(this.daemon);
    this.#global = context.shared.config.global;
    this.#files = new FileChecks(this.daemon, this.log, () => this.#states);
    this.daemon.onExit(() => this.#closeAll());
  }

  #closeAll(): void {
    for (const one of [...this.#open]) one.close();
    this.#open.clear();
    this.#files.stop();
  }

  protected override start(): void {
    this.#load(false);
  }

  protected override reload(): void {
    this.log.line("Reloading");
    this.#scripts.killAll("TERM");
    this.daemon.clearTimers();
    this.#closeAll();
    this.#load(true);
  }

  #load(isReload: boolean): void {
    const { shared } = this.context;
    const parent: ParentConfig = shared.config;
    const before = this.#global;
    const { global } = parent;
    const report = this.report();
    const config = loadCheckConfig(parent, shared.request, report, !isReload);
    if (this.refuses()) return;
    this.#global = global;
    if (config.servers.length > 0 || isReload) this.#table.start(isReload);
    const timeouts = global.lvsTimeouts;
    if (timeouts.tcpSeconds > 0 || timeouts.tcpFinSeconds > 0 || timeouts.udpSeconds > 0) this.#table.setTimeouts(timeouts);
    this.#startSyncDaemons(global, isReload ? before.syncDaemon : undefined);
    if (!isReload && global.flushesLvs) this.#table.flush();
    this.#files.prepare(config, report);
    if (this.#states === undefined)
      this.#states = new ServerStates(config, global, { table: this.#table, log: this.log, runScript: (script) => this.#scripts.start(script, [], () => {}), mailer: () => this.#mailer });
    else this.#states.migrate(config, global);
    this.#files.settle();
    this.#states.settleWeights(isReload);
    this.#states.init(isReload);
    this.configRead();
    this.#beginChecks(config);
  }

  /** Without an instance that decides it, both parts of the synchronization run. */
  #startSyncDaemons(global: GlobalConfig, before: SyncDaemonConfig | undefined): void {
    const daemon = global.syncDaemon;
    if (daemon === undefined || daemon.instanceName !== undefined) return;
    if (JSON.stringify(before) !== JSON.stringify(daemon)) {
      this.#table.stopSyncDaemon("master");
      this.#table.stopSyncDaemon("backup");
    }
    this.#table.startSyncDaemon("master", daemon);
    this.#table.startSyncDaemon("backup", daemon);
  }

  #beginChecks(config: CheckConfig): void {
    const { daemon, log } = this;
    const random = daemon.machine.host.random("keepalived/warmup");
    const context: CheckContext = {
      daemon,
      log,
      states: this.#states as ServerStates,
      scripts: this.#scripts,
      global: this.#global,
      random: daemon.machine.host.random("keepalived/tls"),
      open: this.#open,
    };
    for (const checker of config.checkers) {
      const runner = this.#runnerOf(checker, context);
      if (runner === undefined) continue;
      log.line(`${checker.isEnabled ? "A" : "Dea"}ctivating healthchecker for service ${formatReal(checker.real, checker.server)} for VS ${formatServer(checker.server)}`);
      const warmupUs = checker.warmupUs ?? 0;
      const waitUs = warmupUs === 0 ? 0 : Math.floor((warmupUs * (random.next32() >>> 1)) / RANDOM_STEPS);
      daemon.after(BOOTSTRAP_DELAY_US + waitUs, () => runner.begin());
    }
    log.line("Activating BFD healthchecker");
  }

  #runnerOf(checker: Checker, context: CheckContext): CheckRunner | undefined {
    const { kind } = checker;
    switch (kind.type) {
      case "TCP_CHECK":
        return new TcpCheck(checker, context);
      case "HTTP_GET":
        return new HttpCheck(checker, kind, context);
      case "MISC_CHECK":
        return new MiscCheck(checker, kind, context);
      case "PING_CHECK":
        return new PingCheck(checker, this.#pings, context);
      case "UDP_CHECK":
        return new UdpCheck(checker, kind, context);
      case "SMTP_CHECK":
        return new SmtpCheck(checker, kind, context);
      case "DNS_CHECK":
        return new DnsCheck(checker, kind, context);
      case "FILE_CHECK":
        return undefined;
    }
  }

  protected override terminate(): void {
    this.#scripts.killAll("TERM");
    this.daemon.clearTimers();
    this.#closeAll();
    if (!this.context.options.keepsIpvs) this.#states?.clear();
    if (!this.#scripts.hasChildren) {
      this.#end();
      return;
    }
    const lookAgain = (): void => {
      if (!this.#scripts.hasChildren) this.#end();
      else this.daemon.after(SHUTDOWN_US / 10, lookAgain);
    };
    this.daemon.after(SHUTDOWN_US / 10, lookAgain);
    this.daemon.after(SHUTDOWN_US, () => this.#scripts.killAll("KILL"));
  }

  #end(): void {
    const daemon = this.#global.syncDaemon;
    if (daemon !== undefined && daemon.instanceName === undefined) {
      this.#table.stopSyncDaemon("master");
      this.#table.stopSyncDaemon("backup");
    }
    this.stopped(0);
  }
}
