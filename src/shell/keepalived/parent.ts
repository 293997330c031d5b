/**
 * The parent process of keepalived: reads the configuration, starts the children and starts them again, passes signals on.
 *
 * keepalived v2.2.7 core/main.c, core/config_notify.c, lib/scheduler.c (calc_restart_delay, report_child_status).
 */

import { NS_PER_SECOND } from "../../base/time.ts";
import type { Process } from "../process.ts";
import { SIGNAL_NUMBERS, SIGNAL_TEXTS } from "../signals.ts";
import type { SignalName } from "../command.ts";
import type { LvsMachine } from "../machine-builder.ts";
import { CheckerChild } from "./checker-child.ts";
import type { ChildContext, SharedState } from "./child.ts";
import { EXIT_CONFIG, EXIT_FATAL } from "./child.ts";
import { loadParentConfig } from "./config/load-config.ts";
import { ConfigReport } from "./config/report.ts";
import type { DaemonLog } from "./daemon-log.ts";
import { DaemonProcess, type DaemonTimer } from "./daemon-process.ts";
import { type KeepalivedOptions, VERSION } from "./options.ts";
import type { Script } from "./config/model.ts";
import { ScriptRunner } from "./script-runner.ts";
import { VrrpChild } from "./vrrp-child.ts";

const RESTART_FREE_NS = 60 * NS_PER_SECOND;
const RESTART_DELAY_MAX_SECONDS = 60;
const US_PER_SECOND = 1_000_000;
/** A script that does not end in time is told to, and then made to. */
const SCRIPT_TERMINATION_SECONDS = 2;
const SCRIPT_KILL_SECONDS = 10;

export interface PidFiles {
  readonly parent: string;
  readonly checker: string;
  readonly vrrp: string;
}

interface ChildKind {
  /** In "Starting ... child process". */
  readonly name: string;
  readonly identity: string;
  readonly pidFile: (files: PidFiles) => string;
  readonly make: (context: ChildContext) => unknown;
  /** Told to end first; in keepalived the VRRP process ends before the others. */
  readonly order: number;
}

const CHECKER: ChildKind = { name: "Healthcheck", identity: "Keepalived_healthcheckers", pidFile: (files) => files.checker, make: (context) => new CheckerChild(context), order: 1 };
const VRRP: ChildKind = { name: "VRRP", identity: "Keepalived_vrrp", pidFile: (files) => files.vrrp, make: (context) => new VrrpChild(context), order: 0 };

interface RunningChild {
  readonly kind: ChildKind;
  process: Process | undefined;
  startedAtNs: number;
  nextDelaySeconds: number;
}

export interface ParentOptions {
  readonly log: DaemonLog;
  readonly options: KeepalivedOptions;
  readonly shared: SharedState;
  readonly pidFiles: PidFiles;
  readonly argv: readonly string[];
}

export class KeepalivedParent {
  readonly #daemon: DaemonProcess;
  readonly #parts: ParentOptions;
  readonly #log: DaemonLog;
  readonly #children: RunningChild[] = [];
  #reloading = 0;
  #isReload = false;
  #hasQueuedReload = false;
  #isStopping = false;
  #exit = 0;
  #stopTimer: DaemonTimer | undefined;
  #hasEnded = false;
  readonly #scripts: ScriptRunner;

  constructor(daemon: DaemonProcess, parts: ParentOptions) {
    this.#daemon = daemon;
    this.#parts = parts;
    this.#log = parts.log;
    this.#scripts = new ScriptRunner(daemon);
    daemon.onSignal("TERM", () => this.#stop());
    daemon.onSignal("INT", () => this.#stop());
    daemon.onSignal("HUP", () => this.#reloadSignal());
    for (const signal of ["USR1", "USR2"] as const) daemon.onSignal(signal, () => this.#pass(signal));
    daemon.onSignal("PIPE", () => {});
    // PR_SET_PDEATHSIG: children end with their parent.
    daemon.onExit(() => this.#pass("TERM"));
    daemon.post(() => this.#start());
  }

  #start(): void {
    const { shared, pidFiles } = this.#parts;
    const { global } = shared.config;
    this.#daemon.machine.files.write(pidFiles.parent, `${this.#daemon.process.pid}\n`);
    if (global.maxAutoPriority === 0) this.#log.line("NOTICE: setting config option max_auto_priority should result in better keepalived performance");
    const script = global.startupScript;
    if (script === undefined) this.#startChildren();
    else this.#runEdgeScript("startup", script, global.startupScriptTimeoutSeconds, () => this.#startChildren());
  }

  #startChildren(): void {
    if (this.#isStopping) return;
    this.#startWanted();
    if (this.#children.length === 0) this.#log.line("Warning - keepalived has no configuration to run");
  }

  /** Runs a script and goes on when it has ended, or was made to. */
  #runEdgeScript(kind: "startup" | "shutdown", script: Script, timeoutSeconds: number, then: () => void): void {
    this.#log.detailed(`Running ${kind} script ${script.args[0]}`);
    let timer: DaemonTimer | undefined;
    let signal: SignalName = "TERM";
    const pid = this.#scripts.start(script, [], (end) => {
      timer?.cancel();
      if (end.kind === "exit" && end.status !== 0) this.#log.line(`${kind} script script failed, status ${end.status}`);
      else if (end.kind === "exit") this.#log.detailed(`${kind} script script succeeded`);
      then();
    });
    if (pid === undefined) return;
    const late = (): void => {
      this.#scripts.kill(pid, signal);
      timer = this.#daemon.after((signal === "TERM" ? SCRIPT_TERMINATION_SECONDS : SCRIPT_KILL_SECONDS) * US_PER_SECOND, late);
      signal = "KILL";
    };
    timer = this.#daemon.after(timeoutSeconds * US_PER_SECOND, late);
  }

  /** The children that the configuration gives work to, and that do not run yet. */
  #startWanted(): void {
    const { shared, options } = this.#parts;
    const { global } = shared.config;
    const wanted: ChildKind[] = [];
    if (options.runsCheckers && (global.hasCheckers || options.runsAll)) wanted.push(CHECKER);
    if (options.runsVrrp && (global.hasVrrp || options.runsAll)) wanted.push(VRRP);
    for (const kind of wanted) {
      if (this.#children.some((child) => child.kind === kind)) continue;
      const child: RunningChild = { kind, process: undefined, startedAtNs: 0, nextDelaySeconds: 0 };
      this.#children.push(child);
      this.#startChild(child);
      this.#reloading++;
    }
  }

  #startChild(child: RunningChild): void {
    const { kind } = child;
    const { shared, options, pidFiles, argv } = this.#parts;
    const machine = this.#daemon.machine as LvsMachine;
    const process = machine.processes.start({ name: "keepalived", args: argv, parent: this.#daemon.process }, (own) => {
      const daemon = new DaemonProcess(machine, own);
      kind.make({
        daemon,
        log: this.#log.as(kind.identity, own.pid),
        options,
        shared,
        pidFile: kind.pidFile(pidFiles),
        onConfigRead: () => this.#daemon.post(() => this.#configRead()),
      });
      return daemon.run();
    });
    child.process = process;
    child.startedAtNs = this.#daemon.nowNs;
    this.#log.line(`Starting ${kind.name} child process, pid=${process.pid}`);
    machine.processes.onExit(process, () => this.#daemon.post(() => this.#childEnded(child, process, machine)));
  }

  #configRead(): void {
    if (this.#reloading === 0) {
      this.#log.line("read eventfd count 1, num_reloading 0");
      return;
    }
    if (--this.#reloading > 0) return;
    this.#log.line(this.#isReload ? "Reload complete" : "Startup complete");
    this.#isReload = true;
    if (!this.#hasQueuedReload) return;
    this.#hasQueuedReload = false;
    this.#log.detailed("Processing queued reload");
    this.#reload();
  }

  #reloadSignal(): void {
    if (this.#isStopping) return;
    if (this.#reloading === 0) this.#reload();
    else this.#hasQueuedReload = true;
  }

  #reload(): void {
    const { shared } = this.#parts;
    this.#log.line("Reloading ...");
    const report = new ConfigReport({ isTest: false, say: (text) => this.#log.line(text), log: (text) => this.#log.line(text) });
    const config = loadParentConfig(shared.request, report);
    if (config.hasFileError) return;
    shared.config = config;
    const running = this.#children.filter((child) => child.process !== undefined);
    for (const child of running) this.#signal(child, "HUP");
    this.#reloading += running.length;
    this.#startWanted();
  }

  #signal(child: RunningChild, signal: SignalName): void {
    if (child.process !== undefined) this.#daemon.machine.processes.kill(child.process.pid, signal);
  }

  #pass(signal: SignalName): void {
    for (const child of this.#children) this.#signal(child, signal);
  }

  #stop(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.#log.line("Stopping");
    for (const child of [...this.#children].sort((a, b) => a.kind.order - b.kind.order)) this.#signal(child, "TERM");
    this.#stopTimer = this.#daemon.after(this.#parts.shared.config.global.childWaitSeconds * US_PER_SECOND, () => {
      for (const child of this.#children) {
        if (child.process === undefined) continue;
        this.#log.line(`${child.kind.name} process failed to die - forcing termination`);
        const { process } = child;
        child.process = undefined;
        this.#daemon.machine.processes.kill(process.pid, "KILL");
      }
      this.#end();
    });
    this.#endIfAlone();
  }

  #endIfAlone(): void {
    if (this.#isStopping && this.#children.every((child) => child.process === undefined)) this.#end();
  }

  #childEnded(child: RunningChild, process: Process, machine: LvsMachine): void {
    if (child.process !== process) return;
    child.process = undefined;
    const signal = machine.processes.endedBy(process);
    const status = machine.processes.exitOf(process);
    const isPermanent = this.#reportEnd(process, signal, status);
    if (this.#isStopping) {
      this.#endIfAlone();
      return;
    }
    if (isPermanent) {
      this.#exit = status;
      this.#stop();
      return;
    }
    if (!this.#parts.options.respawns) {
      this.#log.line(`${child.kind.name} child process(${process.pid}) died: Exiting`);
      this.#stop();
      return;
    }
    this.#respawn(child, process);
  }

  /** True when the child will never run. */
  #reportEnd(process: Process, signal: SignalName | undefined, status: number): boolean {
    if (signal !== undefined) {
      const hint = signal === "KILL" ? " - has rlimit_rttime been exceeded?" : "";
      this.#log.line(`pid ${process.pid} exited due to signal ${SIGNAL_NUMBERS[signal]} (${SIGNAL_TEXTS[signal]})${hint}`);
      return false;
    }
    if (status === EXIT_FATAL || status === EXIT_CONFIG) {
      this.#log.line(`pid ${process.pid} exited with permanent error ${status === EXIT_CONFIG ? "CONFIG" : "FATAL"}. Terminating`);
      return true;
    }
    if (status !== 0) this.#log.line(`pid ${process.pid} exited with status ${status}`);
    return false;
  }

  #respawn(child: RunningChild, process: Process): void {
    this.#log.line(`${child.kind.name} child process(${process.pid}) died: Respawning`);
    this.#log.line("  Please log an issue at https://github.com/acassen/keepalived/issues/");
    this.#log.line("  and include a full copy of your keepalived configuration files, and");
    this.#log.line("  copies of the keepalived system log entries around the time this happened");
    let delaySeconds = 0;
    if (this.#daemon.nowNs - child.startedAtNs >= RESTART_FREE_NS) child.nextDelaySeconds = 0;
    else {
      delaySeconds = child.nextDelaySeconds;
      child.nextDelaySeconds = delaySeconds === 0 ? 1 : Math.min(delaySeconds * 2, RESTART_DELAY_MAX_SECONDS);
      this.#log.line(`Restart of ${child.kind.name} process delayed ${delaySeconds} seconds to limit respawn rate`);
    }
    if (delaySeconds === 0) this.#startChild(child);
    else {
      this.#daemon.after(delaySeconds * US_PER_SECOND, () => {
        if (!this.#isStopping) this.#startChild(child);
      });
    }
  }

  #end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#stopTimer?.cancel();
    const { shutdownScript, shutdownScriptTimeoutSeconds } = this.#parts.shared.config.global;
    if (shutdownScript === undefined) this.#leave();
    else this.#runEdgeScript("shutdown", shutdownScript, shutdownScriptTimeoutSeconds, () => this.#leave());
  }

  #leave(): void {
    if (this.#daemon.isEnding) return;
    const { files } = this.#daemon.machine;
    const { vrrp, checker, parent } = this.#parts.pidFiles;
    for (const path of [vrrp, checker, parent]) if (files.exists(path)) files.remove(path);
    logStopped(this.#log);
    this.#daemon.exit(this.#exit);
  }
}

/** The last words of a parent. */
export function logStopped(log: DaemonLog): void {
  // Programs take no time here.
  log.detailed("CPU usage (self/children) user: 0.000000/0.000000 system: 0.000000/0.000000");
  log.line(`Stopped ${VERSION}`);
}
