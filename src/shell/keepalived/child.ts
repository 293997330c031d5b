/**
 * What the children of keepalived have in common: their signals, their way to read what the parent has read, their end.
 *
 * keepalived v2.2.7 check/check_daemon.c (start_check_child), vrrp/vrrp_daemon.c (start_vrrp_child), core/main.c (log_stopping).
 */

import type { ConfigRequest, ParentConfig } from "./config/load-config.ts";
import { ConfigReport } from "./config/report.ts";
import type { DaemonLog } from "./daemon-log.ts";
import type { DaemonProcess } from "./daemon-process.ts";
import type { KeepalivedOptions } from "./options.ts";

export const EXIT_FATAL = 1;
export const EXIT_CONFIG = 2;

/** What parent and children have together. */
export interface SharedState {
  /** The configuration as the parent read it last. */
  config: ParentConfig;
  readonly request: ConfigRequest;
}

export interface ChildContext {
  readonly daemon: DaemonProcess;
  readonly log: DaemonLog;
  readonly options: KeepalivedOptions;
  readonly shared: SharedState;
  readonly pidFile: string;
  /** Tells the parent that the configuration is read. */
  readonly onConfigRead: () => void;
}

export abstract class Child {
  protected readonly context: ChildContext;
  #report: ConfigReport | undefined;
  #isStopping = false;

  constructor(context: ChildContext) {
    this.context = context;
    const { daemon } = context;
    daemon.onSignal("TERM", () => this.#stop());
    daemon.onSignal("INT", () => this.#stop());
    daemon.onSignal("HUP", () => {
      if (!this.#isStopping) this.reload();
    });
    daemon.onSignal("USR1", () => this.log.line(`Printing data for process(${daemon.process.pid}) on signal is not simulated`));
    daemon.onSignal("USR2", () => this.printStatistics());
    daemon.onSignal("PIPE", () => {});
    daemon.after(0, () => {
      this.writePidFile();
      this.start();
    });
  }

  protected get daemon(): DaemonProcess {
    return this.context.daemon;
  }

  protected get log(): DaemonLog {
    return this.context.log;
  }

  protected abstract start(): void;
  protected abstract reload(): void;
  protected abstract terminate(): void;

  /** SIGUSR2: the checkers have no statistics. */
  protected printStatistics(): void {}

  #stop(): void {
    if (this.#isStopping) return;
    this.#isStopping = true;
    this.terminate();
  }

  /** Complaints about a configuration that is read now. */
  protected report(): ConfigReport {
    this.#report = new ConfigReport({ isTest: false, say: (text) => this.log.line(text), log: (text) => this.log.line(text) });
    return this.#report;
  }

  /** True when the configuration that was read asks for what is not simulated: the process ends, as with a configuration that cannot be used. */
  protected refuses(): boolean {
    const unsupported = this.#report?.unsupported ?? [];
    for (const one of unsupported) this.log.line(`${one.place}${one.what} is not simulated`);
    if (unsupported.length > 0) this.stopped(EXIT_CONFIG);
    return unsupported.length > 0;
  }

  protected configRead(): void {
    this.context.onConfigRead();
  }

  protected writePidFile(): void {
    this.daemon.machine.files.write(this.context.pidFile, `${this.daemon.process.pid}\n`);
  }

  protected stopped(status: number): void {
    const { files } = this.daemon.machine;
    if (files.exists(this.context.pidFile)) files.remove(this.context.pidFile);
    // Programs take no time here.
    this.log.line(this.log.detail > 0 ? "Stopped - used 0.000000 user time, 0.000000 system time" : "Stopped");
    this.daemon.exit(status);
  }
}
